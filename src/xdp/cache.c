/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer cache in the kernel, seen from its writers.
 *
 * Answers lie in two tables of fixed size, small and large ones, in sets of four. A question has one set in each; it stands in one of them
 * at most (two writers at once can make it two: the first is found, and replaced at the next filling).
 *
 * An entry is guarded by its lock word as by a sequence lock: writers are the workers, who take the word by compare and swap, and one that
 * finds it taken gives up, since the answer can wait. The program copies the entry and looks at the word again.
 *
 * Why no old answer follows a new one: see doc/design/xdp.md. In short, a zone's slot is made odd before its new version is published, the
 * program answers nothing by an odd generation, and what is filled carries the generation read before its version was chosen. */
#include "xdp/cache.h"

#include "base/err.h"
#include "base/hash.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(struct xdp_entry) == 56, "the program was compiled with it");
_Static_assert(sizeof(struct xdp_small) == 256 && sizeof(struct xdp_large) == 1536, "whole cache lines");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "two generations share a word");

enum {
	MESSAGE_HEADER = 12,
	MAY_BE_LOWERED = 'A' ^ 'a',
};

struct xdp_cache {
	struct xdp_control *control;
	uint32_t *generations;
	struct xdp_small *small;
	struct xdp_large *large;
	uint16_t *tags;                  /* XDP_WAYS of each set, small ones first; NULL where there are no entries */
	size_t generations_len;
	size_t small_count, large_count; /* entries */
	unsigned turn;                   /* which of a set goes next */
};

static _Atomic uint32_t *atomic32(const void *p)
{
	return (_Atomic uint32_t *)(uintptr_t)p;
}

static _Atomic uint64_t *atomic64(const void *p)
{
	return (_Atomic uint64_t *)(uintptr_t)p;
}

static int map(int fd, size_t len, void **out)
{
	void *p;

	if (fd < 0 || !len)
		return 0;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

int xdp_cache_open(const struct xdp_maps *maps, struct xdp_cache **out)
{
	struct xdp_cache *c = calloc(1, sizeof(*c));
	void *small = NULL, *large = NULL, *control = NULL, *generations = NULL;
	int err;

	if (!c)
		return ERR_NO_MEMORY;
	err = map(maps->control, sizeof(struct xdp_control), &control);
	c->control = control;
	if (!err && (!control || c->control->layout != XDP_LAYOUT))
		err = ERR_STALE;
	if (!err) {
		c->small_count = maps->small < 0 ? 0 : (size_t)c->control->small_sets * XDP_WAYS;
		c->large_count = maps->large < 0 ? 0 : (size_t)c->control->large_sets * XDP_WAYS;
		c->generations_len = XDP_GENERATIONS * sizeof(uint32_t) + (c->small_count + c->large_count) * sizeof(uint16_t);
		err = map(maps->generations, c->generations_len, &generations);
	}
	if (!err)
		err = map(maps->small, c->small_count * sizeof(struct xdp_small), &small);
	if (!err)
		err = map(maps->large, c->large_count * sizeof(struct xdp_large), &large);
	if (!err && !generations)
		err = ERR_STALE;
	c->generations = generations;
	c->tags = generations ? (uint16_t *)(void *)(c->generations + XDP_GENERATIONS) : NULL;
	c->small = small;
	c->large = large;
	if (err < 0) {
		xdp_cache_close(c);
		return err;
	}
	*out = c;
	return 0;
}

int xdp_cache_take(const int32_t fds[4], struct xdp_cache **out)
{
	const struct xdp_maps maps = {fds[0], fds[1], fds[2], fds[3]};
	int err = 0;

	*out = NULL;
	if (maps.control >= 0)
		err = xdp_cache_open(&maps, out);
	for (unsigned i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return err;
}

static void unmap(void *p, size_t len)
{
	if (p)
		munmap(p, len);
}

void xdp_cache_close(struct xdp_cache *c)
{
	if (!c)
		return;
	unmap(c->control, sizeof(*c->control));
	unmap(c->generations, c->generations_len);
	unmap(c->small, c->small_count * sizeof(*c->small));
	unmap(c->large, c->large_count * sizeof(*c->large));
	free(c);
}

void xdp_control_init(struct xdp_control *control, uint32_t workers, uint32_t small_sets, uint32_t large_sets, const uint64_t key[2])
{
	memset(control, 0, sizeof(*control));
	control->workers = workers;
	control->small_sets = small_sets;
	control->large_sets = large_sets;
	memcpy(control->key, key, sizeof(control->key));
	control->layout = XDP_LAYOUT;
}

/* ---- invalidation ---- */

static uint8_t lower(uint8_t octet)
{
	return octet >= 'A' && octet <= 'Z' ? octet | MAY_BE_LOWERED : octet;
}

/* Octets of a name, its end included. */
static size_t name_octets(const uint8_t *name)
{
	size_t n = 0;

	while (name[n])
		n += (size_t)name[n] + 1;
	return n + 1;
}

uint32_t xdp_cache_slot(const uint8_t *apex)
{
	uint8_t folded[256];
	size_t len = name_octets(apex);

	for (size_t i = 0; i < len; i++)
		folded[i] = lower(apex[i]);
	return (uint32_t)hash_checksum(folded, len, 0) & (XDP_GENERATIONS - 1);
}

/* Odd is shut. Several names of one commit may share a slot. */
static void turn(_Atomic uint32_t *word, bool shut)
{
	uint32_t now = atomic_load(word);

	if ((now & 1) != shut)
		atomic_fetch_add(word, 1);
}

static void turn_all(struct xdp_cache *c, const uint8_t *const *apexes, size_t count, bool shut)
{
	if (!apexes)
		turn(atomic32(&c->control->epoch), shut);
	for (size_t i = 0; apexes && i < count; i++)
		turn(atomic32(&c->generations[xdp_cache_slot(apexes[i])]), shut);
}

/* Waits for a grace period of RCU: programs run inside of one. Where the kernel cannot (full tickless), what remains is a packet that was in the program just now and outlives what is to follow, which
 * takes longer. */
static void outwait_programs(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

void xdp_cache_shut(struct xdp_cache *c, const uint8_t *const *apexes, size_t count)
{
	turn_all(c, apexes, count, true);
	outwait_programs();
}

void xdp_cache_reopen(struct xdp_cache *c, const uint8_t *const *apexes, size_t count)
{
	turn_all(c, apexes, count, false);
}

void xdp_cache_recover(struct xdp_cache *c)
{
	turn(atomic32(&c->control->epoch), false);
	for (size_t i = 0; i < XDP_GENERATIONS; i++)
		turn(atomic32(&c->generations[i]), false);
}

void xdp_cache_renew(struct xdp_cache *c)
{
	atomic_fetch_add(atomic32(&c->control->epoch), 2);
}

void xdp_cache_renew_backends(struct xdp_cache *c)
{
	atomic_fetch_add(atomic32(&c->generations[XDP_BACKENDS_SLOT]), 2);
	outwait_programs();
}

/* ---- filling ---- */

bool xdp_cache_ticket(const struct xdp_cache *c, uint32_t slot, struct xdp_ticket *out)
{
	struct xdp_ticket t = {.slot = slot % XDP_GENERATIONS};

	t.epoch = atomic_load(atomic32(&c->control->epoch));
	t.generation = atomic_load(atomic32(&c->generations[t.slot]));
	if (t.epoch & 1 || t.generation & 1)
		return false;
	*out = t;
	return true;
}

static uint64_t rotl(uint64_t x, unsigned b)
{
	return (x << b) | (x >> (64 - b));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t w)
{
	v[3] ^= w;
	sip_round(v);
	v[0] ^= w;
}

uint64_t xdp_question_hash(const uint64_t key[2], const uint8_t *name, size_t len, uint16_t qtype, uint8_t variant)
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL, key[0] ^ 0x6c7967656e657261ULL,
	                 key[1] ^ 0x7465646279746573ULL};
	uint64_t h;

	for (size_t i = 0; i < len; i += 8) {
		uint64_t w = 0;

		memcpy(&w, name + i, MIN(len - i, (size_t)8));
		sip_word(v, w);
	}
	sip_word(v, (uint64_t)len << 32 | (uint64_t)qtype << 8 | variant);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	h = v[0] ^ v[1] ^ v[2] ^ v[3];
	return h ? h : 1;
}

/* Ones' complement sum of the words as they lie in memory. */
static uint16_t sum_of(const uint8_t *p, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		uint16_t w = 0;

		memcpy(&w, p + i, MIN(len - i, (size_t)2));
		sum += w;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static bool is_alive(const struct xdp_cache *c, const struct xdp_entry *e)
{
	return e->hash && e->epoch == atomic_load(atomic32(&c->control->epoch)) &&
	       e->generation == atomic_load(atomic32(&c->generations[e->slot % XDP_GENERATIONS]));
}

static bool lock(struct xdp_entry *e, unsigned worker, uint64_t *before)
{
	*before = atomic_load(atomic64(&e->lock));
	if ((uint32_t)*before || (*before >> 32 & 1))
		return false;
	if (!atomic_compare_exchange_strong(atomic64(&e->lock), before, (((*before >> 32) + 1) << 32) | (worker + 1)))
		return false;
	atomic_thread_fence(memory_order_seq_cst);
	return true;
}

static void unlock(struct xdp_entry *e, uint64_t before)
{
	atomic_store(atomic64(&e->lock), (uint64_t)(uint32_t)((before >> 32) + 2) << 32);
}

/* The entries of a set, whichever table it is of. */
struct set {
	uint8_t *first;
	uint16_t *tags;
	size_t size;
};

static struct xdp_entry *way(const struct set *s, unsigned i)
{
	return (struct xdp_entry *)(void *)(s->first + i * s->size);
}

/* The tag of an entry that this process has locked. */
static void put_tag(const struct set *s, const struct xdp_entry *e, uint16_t tag)
{
	size_t i = (size_t)((const uint8_t *)e - s->first) / s->size;

	atomic_store_explicit((_Atomic uint16_t *)&s->tags[i], tag, memory_order_release);
}

static void erase(const struct set *s, struct xdp_entry *e, unsigned worker)
{
	uint64_t before;

	if (!lock(e, worker, &before))
		return;
	put_tag(s, e, 0);
	atomic_store(atomic64(&e->hash), 0);
	unlock(e, before);
}

static void erase_question(const struct set *s, unsigned worker, uint64_t hash, const struct xdp_entry *but)
{
	for (unsigned i = 0; i < XDP_WAYS; i++)
		if (way(s, i) != but && way(s, i)->hash == hash)
			erase(s, way(s, i), worker);
}

/* The question's own place, else one whose answer is dead, else the next in turn. */
static struct xdp_entry *choose(struct xdp_cache *c, const struct set *s, uint64_t hash)
{
	for (unsigned i = 0; i < XDP_WAYS; i++)
		if (way(s, i)->hash == hash)
			return way(s, i);
	for (unsigned i = 0; i < XDP_WAYS; i++)
		if (!is_alive(c, way(s, i)))
			return way(s, i);
	return way(s, c->turn++ % XDP_WAYS);
}

struct draft {
	struct xdp_entry head;
	uint8_t name[XDP_LARGE_NAME];
	const uint8_t *tail;
};

static int read_answer(const struct xdp_answer *a, struct draft *d)
{
	const uint8_t *m = a->message, *q;
	size_t at = MESSAGE_HEADER;

	if (a->len < MESSAGE_HEADER + 5 || !(m[2] & 0x80) || (m[2] & 0x78) || (m[2] & 0x02) || m[4] || m[5] != 1)
		return ERR_MALFORMED;
	if (a->len > XDP_UDP_MAX)
		return ERR_LIMIT;
	while (m[at]) {
		if (m[at] > 63 || at + m[at] + 6U > a->len || at + m[at] + 1U > MESSAGE_HEADER + 254)
			return ERR_MALFORMED;
		at += m[at] + 1U;
	}
	at++;
	q = m + at;
	at += 4;
	if (at > a->len || q[2] || q[3] != 1)
		return ERR_MALFORMED;
	memset(d, 0, sizeof(*d));
	d->head.name_len = (uint16_t)(at - 4 - MESSAGE_HEADER);
	d->head.tail_len = (uint16_t)(a->len - at);
	d->head.qtype = (uint16_t)(q[0] << 8 | q[1]);
	d->head.variant = (uint8_t)((a->edns ? XDP_EDNS : 0) | (a->edns && a->dnssec_ok ? XDP_DO : 0) | (a->not_cd ? XDP_NOT_CD : 0));
	d->head.until = a->until_ns;
	d->head.kind = a->kind & (XDP_RATE_KINDS - 1);
	d->head.need = (uint16_t)a->len;
	d->head.flags[0] = m[2] & 0xfe;
	d->head.flags[1] = m[3] & 0xef;
	memcpy(d->head.counts, m + 6, sizeof(d->head.counts));
	for (size_t i = 0; i < d->head.name_len; i++)
		d->name[i] = lower(m[MESSAGE_HEADER + i]);
	d->tail = m + at;
	d->head.tail_sum = sum_of(d->tail, d->head.tail_len);
	return 0;
}

static void put(struct xdp_entry *e, const struct draft *d, size_t name_max, size_t tail_max)
{
	uint8_t *name = (uint8_t *)(e + 1), *tail = name + name_max;
	size_t len = d->head.tail_len;

	memcpy((uint8_t *)e + sizeof(e->lock), (const uint8_t *)&d->head + sizeof(e->lock), sizeof(*e) - sizeof(e->lock));
	memcpy(name, d->name, name_max);
	memcpy(tail, d->tail, len);
	memset(tail + len, 0, MIN((size_t)8, tail_max - len)); /* the program copies whole words */
}

int xdp_cache_fill(struct xdp_cache *c, unsigned worker, const struct xdp_ticket *t, const struct xdp_answer *a)
{
	struct set small = {.size = sizeof(struct xdp_small)}, large = {.size = sizeof(struct xdp_large)}, *here;
	struct xdp_entry *e;
	struct draft d;
	uint64_t before;
	bool is_small;
	int err = read_answer(a, &d);

	if (err < 0)
		return err;
	d.head.hash = xdp_question_hash(c->control->key, d.name, d.head.name_len, d.head.qtype, d.head.variant & XDP_VARIANTS);
	d.head.generation = t->generation;
	d.head.epoch = t->epoch;
	d.head.slot = t->slot;
	is_small = d.head.name_len <= XDP_SMALL_NAME && d.head.tail_len <= XDP_SMALL_TAIL;
	if (d.head.tail_len > XDP_LARGE_TAIL || !(is_small ? c->small_count : c->large_count))
		return ERR_LIMIT;
	if (c->small_count) {
		size_t at = (d.head.hash & (c->control->small_sets - 1)) * XDP_WAYS;

		small.first = (uint8_t *)&c->small[at];
		small.tags = c->tags + at;
	}
	if (c->large_count) {
		size_t at = (d.head.hash & (c->control->large_sets - 1)) * XDP_WAYS;

		large.first = (uint8_t *)&c->large[at];
		large.tags = c->tags + (size_t)c->control->small_sets * XDP_WAYS + at;
	}
	here = is_small ? &small : &large;
	e = choose(c, here, d.head.hash);
	if (!lock(e, worker, &before))
		return ERR_CLOSED;
	put(e, &d, is_small ? XDP_SMALL_NAME : XDP_LARGE_NAME, is_small ? XDP_SMALL_TAIL : XDP_LARGE_TAIL);
	put_tag(here, e, (uint16_t)xdp_tag(d.head.hash));
	unlock(e, before);
	if (small.first)
		erase_question(&small, worker, d.head.hash, e);
	if (large.first)
		erase_question(&large, worker, d.head.hash, e);
	return 0;
}

static void sweep(struct xdp_entry *e, unsigned worker)
{
	uint64_t word = atomic_load(atomic64(&e->lock));

	if ((uint32_t)word != worker + 1)
		return;
	atomic_store(atomic64(&e->hash), 0);
	atomic_store(atomic64(&e->lock), (uint64_t)(uint32_t)((word >> 32) + 1) << 32);
}

void xdp_cache_sweep(struct xdp_cache *c, unsigned worker)
{
	for (size_t i = 0; i < c->small_count; i++)
		sweep(&c->small[i].head, worker);
	for (size_t i = 0; i < c->large_count; i++)
		sweep(&c->large[i].head, worker);
}

void xdp_cache_lease(struct xdp_cache *c, unsigned worker, uint64_t now_ns)
{
	if (worker < XDP_WORKERS_MAX)
		atomic_store_explicit(atomic64(&c->control->lease[worker]), now_ns, memory_order_relaxed);
}

void xdp_cache_serving(struct xdp_cache *c, uint32_t place, bool serving)
{
	if (place < XDP_SOCKETS_MAX)
		atomic_store_explicit((_Atomic uint8_t *)&c->control->serving[place], serving, memory_order_release);
}
