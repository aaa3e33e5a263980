/* SPDX-License-Identifier: BSD-2-Clause */
/* The map of where addresses are: a file made by geoip/build.c (format: geo_file.h), mapped and searched. Opening it looks at its header alone, so that a worker is not kept from
 * answering; who made it looks at every entry, once. A search believes nothing that it reads: places and steps stay within what the header says is there. A search of IPv4 is one look into the
 * index and a few steps, of IPv6 about 20 steps. Nothing is locked or allocated; any number of threads and processes may share a map. The file is replaced by
 * rename, never written to. */
#include "steer/geo.h"

#include "base/err.h"
#include "steer/geo_file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct geo_map {
	void *bytes;
	size_t size;
	const struct geo_v4 *v4;
	const struct geo_v6 *v6;
	const struct geo_record *places;
	const uint32_t *index;
	size_t v4_count, v6_count, place_count;
	uint64_t sources;
};

static unsigned length_of(uint32_t word)
{
	return word >> GEO_LENGTH_SHIFT;
}

static bool good_places(const struct geo_map *m)
{
	static const uint8_t none[sizeof(struct geo_record)];

	for (size_t i = 0; i < m->place_count; i++) {
		const struct geo_record *r = &m->places[i];

		if (r->located > 1 || !(fabsf(r->latitude) <= 90) || !(fabsf(r->longitude) <= 180))
			return false;
	}
	return m->place_count > 0 && memcmp((const uint8_t *)m->places, none, sizeof(none)) == 0;
}

static bool good_v4(const struct geo_map *m)
{
	uint64_t next = 0, slot = 0;

	for (size_t i = 0; i < m->v4_count; i++) {
		unsigned len = length_of(m->v4[i].word);
		uint64_t size = len <= 32 ? 1ULL << (32 - len) : 0;

		if (!size || m->v4[i].start != next || next & (size - 1) ||
		    (m->v4[i].word & GEO_PLACES_MAX) >= m->place_count)
			return false;
		next += size;
		/* Slots that begin inside this network. */
		for (; slot < GEO_INDEX && slot << 16 < next; slot++)
			if (m->index[slot] != i)
				return false;
	}
	return next == 1ULL << 32 && m->index[GEO_INDEX - 1] == m->v4_count - 1;
}

static unsigned __int128 start_of(const struct geo_v6 *n)
{
	return (unsigned __int128)((uint64_t)n->start[0] << 32 | n->start[1]) << 64 |
	       ((uint64_t)n->start[2] << 32 | n->start[3]);
}

static bool good_v6(const struct geo_map *m)
{
	unsigned __int128 next = 0, size;

	for (size_t i = 0; i < m->v6_count; i++) {
		unsigned len = length_of(m->v6[i].word), place = m->v6[i].word & GEO_PLACES_MAX;

		/* Only the last one may come around to zero; ::/0 is the only one. */
		if (len > 128 || start_of(&m->v6[i]) != next || (i && !next) || (len == 0 && m->v6_count > 1))
			return false;
		size = len ? (unsigned __int128)1 << (128 - len) : 0;
		if (next & (size - 1) || (place == GEO_AS_IPV4 ? len > 96 : place >= m->place_count))
			return false;
		next += size;
	}
	return !next;
}

int geo_map_check(const struct geo_map *m)
{
	return good_places(m) && good_v4(m) && good_v6(m) ? 0 : ERR_MALFORMED;
}

uint64_t geo_map_sources(const struct geo_map *m)
{
	return m->sources;
}

static int take_header(struct geo_map *m)
{
	const struct geo_header *h = m->bytes;
	uint64_t want = sizeof(*h);

	if (memcmp(h->magic, GEO_MAGIC, sizeof(h->magic)) != 0)
		return ERR_MALFORMED;
	if (h->version != GEO_VERSION)
		return ERR_STALE;
	if (!h->v4_count || h->v4_count > GEO_NETWORKS_MAX || !h->v6_count || h->v6_count > GEO_NETWORKS_MAX ||
	    !h->place_count || h->place_count > GEO_PLACES_MAX)
		return ERR_MALFORMED;
	m->v4 = (const void *)((const char *)m->bytes + want);
	want += (uint64_t)h->v4_count * sizeof(*m->v4);
	m->v6 = (const void *)((const char *)m->bytes + want);
	want += (uint64_t)h->v6_count * sizeof(*m->v6);
	m->places = (const void *)((const char *)m->bytes + want);
	want += (uint64_t)h->place_count * sizeof(*m->places);
	m->index = (const void *)((const char *)m->bytes + want);
	want += GEO_INDEX * sizeof(*m->index);
	if (h->size != want || m->size != want)
		return ERR_MALFORMED;
	m->v4_count = h->v4_count;
	m->v6_count = h->v6_count;
	m->place_count = h->place_count;
	m->sources = h->sources;
	return 0;
}

int geo_map_open(int fd, struct geo_map **out)
{
	struct geo_map *m;
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < (off_t)sizeof(struct geo_header))
		return ERR_MALFORMED;
	m = calloc(1, sizeof(*m));
	if (!m)
		return ERR_NO_MEMORY;
	m->size = (size_t)st.st_size;
	m->bytes = mmap(NULL, m->size, PROT_READ, MAP_SHARED, fd, 0);
	rc = m->bytes == MAP_FAILED ? -errno : take_header(m);
	if (rc < 0) {
		if (m->bytes == MAP_FAILED)
			m->bytes = NULL;
		geo_map_close(m);
		return rc;
	}
	*out = m;
	return 0;
}

void geo_map_close(struct geo_map *m)
{
	if (!m)
		return;
	if (m->bytes)
		munmap(m->bytes, m->size);
	free(m);
}

static uint32_t find_v4(const struct geo_map *m, uint32_t addr)
{
	size_t low = m->index[addr >> 16], high = (size_t)m->index[(addr >> 16) + 1] + 1;

	if (high > m->v4_count)
		high = m->v4_count;
	if (low >= high)
		low = high - 1;
	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (m->v4[mid].start <= addr)
			low = mid;
		else
			high = mid;
	}
	return m->v4[low].word;
}

static bool begins_after(const uint32_t start[4], const uint32_t addr[4])
{
	for (unsigned i = 0; i < 4; i++)
		if (start[i] != addr[i])
			return start[i] > addr[i];
	return false;
}

static uint32_t find_v6(const struct geo_map *m, const uint32_t addr[4])
{
	size_t low = 0, high = m->v6_count;

	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (begins_after(m->v6[mid].start, addr))
			high = mid;
		else
			low = mid;
	}
	return m->v6[low].word;
}

static uint32_t word_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* 32 bits from bit `at` on, which is at most 96. */
static uint32_t bits_at(const uint32_t addr[4], unsigned at)
{
	uint64_t two = (uint64_t)addr[at / 32] << 32 | (at % 32 ? addr[at / 32 + 1] : 0);

	return (uint32_t)(two >> (32 - at % 32));
}

void geo_find(const struct geo_map *m, const struct ip_addr *addr, struct geo_place *out, uint8_t *scope)
{
	unsigned before = 0, len, most;
	const struct geo_record *r;
	uint32_t word, parts[4];

	if (addr->family == 4) {
		word = find_v4(m, word_at(addr->bytes));
	} else {
		for (unsigned i = 0; i < 4; i++)
			parts[i] = word_at(addr->bytes + 4 * i);
		word = find_v6(m, parts);
		if ((word & GEO_PLACES_MAX) == GEO_AS_IPV4 && length_of(word) <= 96) {
			before = length_of(word);
			word = find_v4(m, bits_at(parts, before));
		}
	}
	len = before + length_of(word);
	most = addr->family == 4 ? 32 : 128;
	r = &m->places[(word & GEO_PLACES_MAX) < m->place_count ? word & GEO_PLACES_MAX : 0];
	*scope = (uint8_t)(len < most ? len : most);
	*out = (struct geo_place){.as = r->as,
	                          .country = r->country,
	                          .continent = r->continent,
	                          .located = r->located == 1,
	                          .latitude = r->latitude,
	                          .longitude = r->longitude};
}
