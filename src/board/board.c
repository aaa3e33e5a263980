/* SPDX-License-Identifier: BSD-2-Clause */
#include "board/board.h"

#include "base/err.h"
#include "base/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_TRIES = 1000 };

const char *board_role_text(enum board_role role)
{
	static const char *const names[ROLE_COUNT] = {"supervisor", "answer", "sync", "watch", "route", "admin", "tap"};

	return role < ROLE_COUNT ? names[role] : "?";
}

const char *board_xdp_text(enum board_xdp_rung rung)
{
	static const char *const names[] = {"off", "sockets", "generic", "native"};

	return rung < ARRAY_LEN(names) ? names[rung] : "?";
}

const char *board_tap_text(enum board_tap_state s)
{
	static const char *const names[] = {"off", "apart", "open"};

	return s < ARRAY_LEN(names) ? names[s] : "?";
}

const char *board_verdict_text(enum board_verdict v)
{
	static const char *const names[] = {"unknown", "pass", "soft-fail", "hard-fail"};

	return v < ARRAY_LEN(names) ? names[v] : "?";
}

const char *board_cause_text(uint32_t cause)
{
	static const char *const names[CAUSE_COUNT] = {"stale",  "behind", "signatures", "overload",
	                                               "expiry", "zones",  "backends"};

	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		if (cause == 1U << i)
			return names[i];
	return "?";
}

const char *board_announce_text(enum board_announce a)
{
	static const char *const names[] = {"withdrawn", "announced", "graceful-shutdown", "de-preferred"};

	return a < ARRAY_LEN(names) ? names[a] : "?";
}

const char *board_order_text(enum board_order order)
{
	static const char *const names[] = {"none", "drain", "freeze", "force"};

	return order < ARRAY_LEN(names) ? names[order] : "?";
}

/* Those that are asked most, and those whose share tells of something: a table by number, so that workers find the place at once. */
static const struct {
	uint16_t type;
	char text[12];
} query_types[BOARD_TYPES] = {
	{1, "A"},      {2, "NS"},      {5, "CNAME"},  {6, "SOA"},    {12, "PTR"}, {15, "MX"},
	{16, "TXT"},   {28, "AAAA"},   {33, "SRV"},   {35, "NAPTR"}, {43, "DS"},  {46, "RRSIG"},
	{47, "NSEC"},  {48, "DNSKEY"}, {50, "NSEC3"}, {52, "TLSA"},  {59, "CDS"}, {64, "SVCB"},
	{65, "HTTPS"}, {255, "ANY"},   {257, "CAA"},  {0, "other"},
};

const char *board_query_type_text(unsigned i)
{
	return i < BOARD_TYPES ? query_types[i].text : "?";
}

uint16_t board_query_type(unsigned i)
{
	return i < BOARD_TYPES ? query_types[i].type : 0;
}

uint64_t board_neighbor_key(const struct endpoint *at)
{
	uint64_t key = hash_checksum(at->addr.bytes, at->addr.family == 4 ? 4 : 16,
	                             ((uint64_t)at->addr.zone << 16) + at->port);

	return key ? key : 1;
}

uint64_t board_pool_key(const char *pool, uint64_t list)
{
	uint64_t key = hash_checksum(pool, strlen(pool), list);

	return key ? key : 1;
}

uint64_t board_steered_key(const char *policy, const char *pool)
{
	return board_pool_key(policy, board_pool_key(pool, 0));
}

/* The row that has the key, or the first free one that it could have; BOARD_STEERED_MAX: neither. */
static unsigned steered_place(const struct board_edge *edge, uint64_t key)
{
	enum { PROBES = 16 };

	for (unsigned i = 0; i < PROBES; i++) {
		unsigned at = (unsigned)((key + i) % BOARD_STEERED_MAX);
		uint64_t has = board_get(&edge->steered_by[at].key);

		if (!has || has == key)
			return at;
	}
	return BOARD_STEERED_MAX;
}

const struct board_steered *board_steered_find(const struct board_edge *edge, uint64_t key)
{
	unsigned at = steered_place(edge, key);

	return at < BOARD_STEERED_MAX && board_get(&edge->steered_by[at].key) ? &edge->steered_by[at] : NULL;
}

struct board_steered *board_steered_take(struct board_edge *edge, uint64_t key)
{
	unsigned at = steered_place(edge, key);

	if (at == BOARD_STEERED_MAX)
		return NULL;
	atomic_store_explicit(&edge->steered_by[at].key, key, memory_order_relaxed);
	return &edge->steered_by[at];
}

uint64_t board_backend_key(const char *pool, const struct endpoint *at)
{
	return board_pool_key(pool, board_neighbor_key(at) + at->tls);
}

const char *board_up_text(enum board_up up)
{
	static const char *const names[] = {"unknown", "up", "down"};

	return up < ARRAY_LEN(names) ? names[up] : "?";
}

const char *board_origin_text(enum board_origin_state s)
{
	static const char *const names[] = {"unknown", "valid", "invalid", "not-found"};

	return s < ARRAY_LEN(names) ? names[s] : "?";
}

const char *board_drift_text(enum board_drift_kind k)
{
	static const char *const names[DRIFT_KINDS] = {"none", "behind", "stuck", "content", "missing", "ahead"};

	return k < DRIFT_KINDS ? names[k] : "?";
}

const char *board_outside_text(enum board_outside o)
{
	static const char *const names[] = {"unknown", "good", "silent", "filtered"};

	return o < ARRAY_LEN(names) ? names[o] : "?";
}

int board_create(int *fd, struct board **out)
{
	int f = memfd_create("zonecast-board", 0);
	struct board *b;
	int err;

	if (f < 0)
		return -errno;
	if (ftruncate(f, sizeof(*b)) < 0) {
		err = -errno;
		close(f);
		return err;
	}
	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
	if (b == MAP_FAILED) {
		err = -errno;
		close(f);
		return err;
	}
	b->version = BOARD_VERSION;
	b->size = sizeof(*b);
	random_bytes(b->sketch_key, sizeof(b->sketch_key));
	for (size_t i = 0; i < ARRAY_LEN(b->sketch_key); i++)
		b->sketch_key[i] |= 1U;
	for (size_t i = 0; i < BOARD_WORKERS_MAX; i++)
		atomic_store(&b->workers[i].pin, UINT64_MAX);
	atomic_store(&b->sync.pin, UINT64_MAX);
	atomic_store(&b->watch.pin, UINT64_MAX);
	for (size_t i = 0; i < BOARD_DRIFT_PINS; i++)
		atomic_store(&b->watch.drift_pins[i], UINT64_MAX);
	atomic_store(&b->admin.pin, UINT64_MAX);
	*fd = f;
	*out = b;
	return 0;
}

int board_attach(int fd, struct board **out)
{
	struct board *b;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((size_t)st.st_size != sizeof(*b))
		return ERR_STALE;
	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (b == MAP_FAILED)
		return -errno;
	if (b->version != BOARD_VERSION || b->size != sizeof(*b)) {
		munmap(b, sizeof(*b));
		return ERR_STALE;
	}
	*out = b;
	return 0;
}

/* A writer that died inside left the number odd; its successor starts from even again. */
void board_write_begin(_Atomic uint32_t *seq)
{
	uint32_t v = atomic_load_explicit(seq, memory_order_relaxed);

	atomic_store_explicit(seq, (v | 1U), memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

void board_write_end(_Atomic uint32_t *seq)
{
	uint32_t v = atomic_load_explicit(seq, memory_order_relaxed);

	atomic_store_explicit(seq, v + 1U, memory_order_release);
}

bool board_copy(const _Atomic uint32_t *seq, const void *from, void *to, size_t len)
{
	for (int i = 0; i < COPY_TRIES; i++) {
		uint32_t before = atomic_load_explicit(seq, memory_order_acquire);

		memcpy(to, from, len);
		atomic_thread_fence(memory_order_acquire);
		if (!(before & 1U) && atomic_load_explicit(seq, memory_order_relaxed) == before)
			return true;
	}
	return false;
}

void board_route_clear(struct board_route *route)
{
	static const char why[] = "the route process has just started";

	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		struct board_route_network *n = &route->networks[i];

		board_write_begin(&n->seq);
		n->announce = ANNOUNCE_NONE;
		n->since_ns = n->hold_until_ns = 0;
		n->flaps = n->drained = 0;
		n->backstop = ANNOUNCE_NONE;
		snprintf(n->why, sizeof(n->why), "%s", why);
		for (size_t f = 0; f < BOARD_FAMILIES; f++) {
			n->family[f] = (struct board_route_family){.announce = ANNOUNCE_NONE};
			snprintf(n->family[f].why, sizeof(n->family[f].why), "%s", why);
		}
		board_write_end(&n->seq);
	}
	for (size_t i = 0; i < BOARD_NEIGHBORS_MAX; i++) {
		struct board_route_neighbor *n = &route->neighbor[i];

		board_write_begin(&n->seq);
		n->state = n->established_count = n->hold_s = n->announced = 0;
		n->since_ns = 0;
		n->received = n->over_max = 0;
		n->bfd.on = 0;
		snprintf(n->state_text, sizeof(n->state_text), "idle");
		snprintf(n->last_error, sizeof(n->last_error), "%s", why);
		board_write_end(&n->seq);
		board_write_begin(&route->told[i].seq);
		route->told[i].left_out = 0;
		route->told[i].text[0] = '\0';
		board_write_end(&route->told[i].seq);
	}
}
