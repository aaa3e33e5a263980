/* SPDX-License-Identifier: BSD-2-Clause */
#include "zone/store_format.h"

#include "base/err.h"
#include "base/hash.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

uint32_t store_layout(void)
{
	const uint64_t sizes[] = {
		sizeof(struct store_header), sizeof(struct store_commit_record), sizeof(struct store_rrset), sizeof(struct store_node),
		sizeof(struct store_zone), sizeof(struct store_nsec3_params), offsetof(struct store_zone, tail),
		offsetof(struct store_node, sets), offsetof(struct store_rrset, data), offsetof(struct store_zone, apex),
	};
	uint64_t h = hash_checksum(sizes, sizeof(sizes), STORE_FORMAT);

	return (uint32_t)(h ^ (h >> 32));
}

void store_boot_id(char out[40])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	char id[36];

	memset(out, 0, 40);
	if (fd >= 0) {
		n = read(fd, id, sizeof(id));
		close(fd);
	}
	if (n == (ssize_t)sizeof(id))
		memcpy(out, id, sizeof(id));
	else
		memcpy(out, "unknown", 8);
}

uint64_t store_header_checksum(const struct store_header *h)
{
	return hash_checksum(h, offsetof(struct store_header, checksum), STORE_MAGIC);
}

uint64_t store_commit_checksum(const struct store_commit_record *c)
{
	return hash_checksum(c, offsetof(struct store_commit_record, checksum), STORE_MAGIC);
}

int store_header_check(const struct store_header *h, uint64_t len)
{
	char boot[40];

	if (len < STORE_HEADER_BYTES || h->magic != STORE_MAGIC || h->format != STORE_FORMAT || h->layout != store_layout() ||
	    h->checksum != store_header_checksum(h))
		return ERR_STALE;
	store_boot_id(boot);
	return memcmp(boot, h->boot, sizeof(boot)) == 0 ? 0 : ERR_STALE;
}

/* Acquire and release on every field: what a reader sees of a record that is being overwritten makes it see the `current` that came
 * before the overwriting, too. */
struct store_commit_record store_commit_read(const struct store_header *h, uint64_t generation)
{
	const struct store_commit_record *c = &h->commits[generation % STORE_COMMITS];

	return (struct store_commit_record){
		.generation = __atomic_load_n(&c->generation, __ATOMIC_ACQUIRE),
		.zone_count = __atomic_load_n(&c->zone_count, __ATOMIC_ACQUIRE),
		.zones = __atomic_load_n(&c->zones, __ATOMIC_ACQUIRE),
		.end = __atomic_load_n(&c->end, __ATOMIC_ACQUIRE),
		.checksum = __atomic_load_n(&c->checksum, __ATOMIC_ACQUIRE),
	};
}

void store_commit_write(struct store_header *h, const struct store_commit_record *from)
{
	struct store_commit_record *c = &h->commits[from->generation % STORE_COMMITS];

	__atomic_store_n(&c->generation, from->generation, __ATOMIC_RELEASE);
	__atomic_store_n(&c->zone_count, from->zone_count, __ATOMIC_RELEASE);
	__atomic_store_n(&c->zones, from->zones, __ATOMIC_RELEASE);
	__atomic_store_n(&c->end, from->end, __ATOMIC_RELEASE);
	__atomic_store_n(&c->checksum, from->checksum, __ATOMIC_RELEASE);
}

int store_commit_check(const struct store_commit_record *c, uint64_t generation, uint64_t len)
{
	if (c->generation != generation || c->checksum != store_commit_checksum(c) || (uint64_t)c->end * STORE_CELL > len ||
	    c->end < STORE_HEADER_BYTES / STORE_CELL || c->zones >= c->end)
		return ERR_STALE;
	return 0;
}

/* For each place a bijection of the cell, so a change of one cell always shows; others cancel out in one of 2^64 cases. */
uint64_t store_cells_sum(const uint8_t *base, store_ref start, uint32_t cells)
{
	const uint8_t *p = base + (size_t)start * STORE_CELL;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < cells; i++, p += STORE_CELL) {
		uint64_t v;

		memcpy(&v, p, sizeof(v));
		v ^= (start + (uint64_t)i + 1) * 0x9e3779b97f4a7c15ULL;
		v ^= v >> 32;
		v *= 0xd6e8feb86659fd93ULL;
		sum += v ^ v >> 32;
	}
	return sum;
}

static size_t text_bytes(size_t apex_len, size_t source_len)
{
	return (offsetof(struct store_zone, tail) + apex_len + source_len + 7) & ~(size_t)7;
}

const struct store_region *store_zone_regions(const struct store_zone *z)
{
	return (const struct store_region *)((const uint8_t *)z + text_bytes(z->apex_len, z->source_len));
}

size_t store_zone_bytes(size_t apex_len, size_t source_len, size_t regions)
{
	return text_bytes(apex_len, source_len) + regions * sizeof(struct store_region);
}

uint64_t store_zone_checksum(const struct store_zone *z)
{
	size_t skip = offsetof(struct store_zone, checksum) + sizeof(z->checksum);
	size_t all = store_zone_bytes(z->apex_len, z->source_len, z->regions);

	return hash_checksum((const uint8_t *)z + skip, all - skip, z->regions);
}

void *store_map(int fd, int prot)
{
	/* Twice: the kernel chooses a place where there is enough to find a boundary in. */
	uint8_t *place = mmap(NULL, STORE_MAP_BYTES + STORE_HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *at;
	size_t before;
	void *map;

	if (place == MAP_FAILED)
		return NULL;
	before = -(uintptr_t)place & (STORE_HUGE_PAGE - 1);
	at = place + before;
	map = mmap(at, STORE_MAP_BYTES, prot, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
	if (map == MAP_FAILED) {
		munmap(place, STORE_MAP_BYTES + STORE_HUGE_PAGE);
		return NULL;
	}
	if (before)
		munmap(place, before);
	munmap(at + STORE_MAP_BYTES, STORE_HUGE_PAGE - before);
	return map;
}
