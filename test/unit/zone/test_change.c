/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of a zone in the store against whole builds of the same records: after every step of random sequences everything a reader can see must be
 * the same in both. */
#include "store_kit.h"

#include "base/err.h"
#include "dns/rr.h"
#include "zone/difference.h"
#include "zone/signatures.h"
#include "zone/store_trie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RECORDS_MAX = 3000, RDATA_LEN_MAX = 60 };

struct record {
	struct name owner;
	uint16_t type;
	uint32_t ttl;
	uint8_t rdata[RDATA_LEN_MAX];
	uint16_t rdlen;
};

/* The records of a zone, in no order. */
struct model {
	struct name apex;
	struct record list[RECORDS_MAX];
	size_t count;
	uint32_t serial;
	bool nsec, nsec3;
};

static struct model m;
/* Of the zones compared: were large ones changed in place, and compacted now and then? */
static uint32_t most_regions, compacted, last_waste;

static uint16_t covers_of(const struct record *r)
{
	return r->type == RR_RRSIG ? rrsig_covers(r->rdata, r->rdlen) : 0;
}

static bool same_set(const struct record *a, const struct record *b)
{
	return a->type == b->type && covers_of(a) == covers_of(b) && name_equal(a->owner.wire, b->owner.wire);
}

static bool beside_cname(uint16_t type)
{
	return type == RR_RRSIG || type == RR_NSEC;
}

/* Add a record where the rules of a zone let it be; true when it was. */
static bool model_add(const struct record *r)
{
	struct record put = *r;

	if (m.count == RECORDS_MAX)
		return false;
	for (size_t i = 0; i < m.count; i++) {
		const struct record *x = &m.list[i];

		if (!name_equal(x->owner.wire, r->owner.wire))
			continue;
		if (same_set(x, r)) {
			struct content_record a = {.type = x->type, .rdata = x->rdata, .rdlen = x->rdlen};
			struct content_record b = {.type = r->type, .rdata = r->rdata, .rdlen = r->rdlen};

			if (r->type == RR_CNAME || r->type == RR_DNAME || r->type == RR_SOA || content_compare_rdata(&a, &b) == 0)
				return false;
			put.ttl = x->ttl;
			continue;
		}
		if ((x->type == RR_CNAME && !beside_cname(r->type)) || (r->type == RR_CNAME && !beside_cname(x->type)))
			return false;
	}
	m.list[m.count++] = put;
	return true;
}

static void add(const struct name *owner, uint16_t type, const void *rdata, size_t len)
{
	struct record r = {.owner = *owner, .type = type, .ttl = 300, .rdlen = (uint16_t)len};

	memcpy(r.rdata, rdata, len);
	model_add(&r);
}

static void set_soa(uint32_t serial)
{
	uint8_t rdata[22] = {0};

	for (size_t i = 0; i < m.count; i++)
		if (m.list[i].type == RR_SOA)
			m.list[i] = m.list[--m.count];
	put_u16(rdata + 2, (uint16_t)(serial >> 16));
	put_u16(rdata + 4, (uint16_t)serial);
	add(&m.apex, RR_SOA, rdata, sizeof(rdata));
	m.serial = serial;
}

static struct content *content_of(const struct model *from)
{
	struct content *c = content_new(from->apex.wire);

	assert_non_null(c);
	for (size_t i = 0; i < from->count; i++) {
		const struct record *r = &from->list[i];
		struct rr rr = {.owner = r->owner.wire, .type = r->type, .rclass = CLASS_IN, .ttl = r->ttl, .rdlen = r->rdlen, .rdata = r->rdata};

		assert_int_equal(content_add(c, &rr, NULL), 0);
	}
	assert_int_equal(content_finish(c), 0);
	return c;
}

/* ---- steps at random ---- */

static struct name hash_owner(struct rng *r)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUV";
	struct name n = {.wire = {32}};

	/* Few of them, alike and not. */
	for (unsigned i = 1; i <= 32; i++)
		n.wire[i] = (uint8_t)digits[i < 30 && rng_below(r, 12) ? 3 : rng_below(r, 54)];
	memcpy(n.wire + 33, m.apex.wire, m.apex.len);
	n.len = (uint8_t)(33 + m.apex.len);
	return n;
}

static bool random_owner(struct rng *r, struct name *out)
{
	struct name up;

	if (!m.count || !rng_below(r, 3))
		return kit_random_name(r, m.apex.wire, out);
	*out = m.list[rng_below(r, (unsigned)m.count)].owner;
	switch (rng_below(r, 4)) {
	case 0:
		up = *out;
		return kit_random_name(r, up.wire, out);
	case 1: /* an ancestor */
		while (name_labels(out->wire) > name_labels(m.apex.wire) && rng_below(r, 3)) {
			name_copy(&up, name_parent(out->wire));
			*out = up;
		}
		return true;
	case 2: /* other case */
		for (unsigned pos = 0; out->wire[pos]; pos += out->wire[pos] + 1U)
			for (unsigned k = 1; k <= out->wire[pos]; k++)
				if ((out->wire[pos + k] | 0x20) >= 'a' && (out->wire[pos + k] | 0x20) <= 'z' && rng_below(r, 2))
					out->wire[pos + k] ^= 0x20;
		return true;
	default:
		return true;
	}
}

static void random_add(struct rng *r)
{
	static const uint16_t types[] = {RR_A, RR_A, RR_TXT, RR_TXT, RR_NS, RR_NS, RR_DNAME, RR_CNAME, RR_RRSIG, RR_RRSIG, RR_RRSIG, RR_NSEC, RR_NSEC3, RR_NSEC3,
	                                 RR_NSEC3PARAM, RR_DNSKEY, RR_AAAA, RR_MX, 65280, RR_VARIANT};
	static const uint16_t covered[] = {RR_A, RR_TXT, RR_NS, RR_NSEC, RR_NSEC3, RR_SOA, RR_DNSKEY, RR_MX, RR_RRSIG};
	uint16_t type = types[rng_below(r, ARRAY_LEN(types))];
	struct record rec = {.type = type, .ttl = 100 + rng_below(r, 3)};
	unsigned few = rng_below(r, 4);
	bool wanted = true;

	if (!random_owner(r, &rec.owner))
		return;
	switch (type) {
	case RR_A:
		rec.rdlen = 4;
		rec.rdata[3] = (uint8_t)few;
		break;
	case RR_AAAA:
		rec.rdlen = 16;
		rec.rdata[3] = (uint8_t)few;
		break;
	case RR_TXT:
		rec.rdlen = (uint16_t)(2 + rng_below(r, 20));
		rec.rdata[0] = (uint8_t)(rec.rdlen - 1);
		rec.rdata[1] = (uint8_t)few;
		break;
	case RR_NS:
	case RR_CNAME:
	case RR_DNAME:
		/* Lower or upper case: another record to the octet, the same to the rules. */
		rec.rdlen = 3;
		memcpy(rec.rdata, rng_below(r, 2) ? "\1x" : "\1X", 2);
		rec.rdata[1] = (uint8_t)(rec.rdata[1] + few % 2);
		wanted = type == RR_NS || rng_below(r, 3) > 0;
		break;
	case RR_MX:
		rec.rdlen = 5;
		memcpy(rec.rdata + 2, "\1m", 2);
		rec.rdata[1] = (uint8_t)few;
		break;
	case RR_RRSIG:
		rec.rdlen = 24;
		put_u16(rec.rdata, covered[rng_below(r, ARRAY_LEN(covered))]);
		rec.rdata[23] = (uint8_t)few;
		/* Around the end of the circle, and often the same. */
		put_u32(rec.rdata + 8, UINT32_MAX - 8 + rng_below(r, 16));
		if (m.nsec3 && !rng_below(r, 3)) {
			rec.owner = hash_owner(r);
			put_u16(rec.rdata, RR_NSEC3);
		}
		break;
	case RR_VARIANT: /* of few sets */
		rec.rdlen = 28;
		rec.rdata[0] = (uint8_t)few;
		put_u16(rec.rdata + 8, rng_below(r, 4) ? RR_A : RR_TXT);
		put_u32(rec.rdata + 16, UINT32_MAX - 8 + rng_below(r, 16));
		rec.rdata[27] = (uint8_t)rng_below(r, 2);
		break;
	case RR_NSEC:
		memcpy(rec.rdata, "\0\0\1\x40", 4);
		rec.rdata[3] = (uint8_t)(0x40 >> few);
		rec.rdlen = 4;
		wanted = m.nsec;
		break;
	case RR_NSEC3: {
		static const uint8_t rdata[] = {1, 0, 0, 0, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};

		memcpy(rec.rdata, rdata, sizeof(rdata));
		rec.rdata[3] = rng_below(r, 10) ? 0 : 1;
		rec.rdata[6] = (uint8_t)few;
		rec.rdlen = sizeof(rdata);
		if (rng_below(r, 15))
			rec.owner = hash_owner(r);
		wanted = m.nsec3;
		break;
	}
	case RR_NSEC3PARAM:
		rec.rdlen = (uint16_t)(5 + few);
		rec.rdata[0] = 1;
		rec.rdata[1] = rng_below(r, 3) ? 0 : 1;
		rec.rdata[4] = (uint8_t)few;
		rec.owner = m.apex;
		wanted = m.nsec3;
		break;
	case RR_DNSKEY:
		rec.rdlen = 7;
		memcpy(rec.rdata, "\1\1\3\15key", 7);
		if (rng_below(r, 2))
			rec.owner = m.apex;
		break;
	default:
		rec.rdlen = (uint16_t)rng_below(r, RDATA_LEN_MAX);
		break;
	}
	if (wanted)
		model_add(&rec);
}

static void random_remove(struct rng *r)
{
	size_t i = rng_below(r, (unsigned)m.count), left = 0;
	struct record gone = m.list[i];

	/* One NS stays at the apex, and the SOA. */
	for (size_t k = 0; k < m.count; k++)
		left += m.list[k].type == RR_NS && name_equal(m.list[k].owner.wire, m.apex.wire);
	switch (rng_below(r, 4)) {
	case 0: /* everything at the name, and maybe below it */
		for (size_t k = 0; k < m.count;)
			if ((rng_below(r, 2) ? name_equal(m.list[k].owner.wire, gone.owner.wire) : name_is_under(m.list[k].owner.wire, gone.owner.wire)) &&
			    !name_equal(m.list[k].owner.wire, m.apex.wire))
				m.list[k] = m.list[--m.count];
			else
				k++;
		break;
	case 1: { /* the set gets another TTL */
		uint32_t ttl = rng_below(r, 1000);

		for (size_t k = 0; k < m.count; k++)
			if (same_set(&m.list[k], &gone))
				m.list[k].ttl = ttl;
		break;
	}
	default:
		if (gone.type == RR_SOA || (gone.type == RR_NS && left == 1 && name_equal(gone.owner.wire, m.apex.wire)))
			break;
		m.list[i] = m.list[--m.count];
		break;
	}
}

/* ---- comparing ---- */

static void same_sets(const struct store_snapshot *s, const struct store_rrset *x, const struct store_snapshot *t, const struct store_rrset *y)
{
	assert_int_equal(x->type, y->type);
	assert_int_equal(x->covers, y->covers);
	assert_int_equal(x->count, y->count);
	assert_int_equal(x->ttl, y->ttl);
	assert_int_equal(x->size, y->size);
	assert_memory_equal(x->data, y->data, x->size);
	assert_int_equal(x->sigs != 0, y->sigs != 0);
	if (x->sigs)
		same_sets(s, store_at(s, x->sigs), t, store_at(t, y->sigs));
}

static void same_node(const struct store_snapshot *s, const struct store_node *x, const struct store_snapshot *t, const struct store_node *y)
{
	assert_int_equal(x != NULL, y != NULL);
	if (!x)
		return;
	assert_int_equal(x->name_len, y->name_len);
	/* An empty non-terminal is written as whatever name below it made it. */
	if (x->flags & NODE_ENT)
		assert_true(name_equal(store_node_name(x), store_node_name(y)));
	else
		assert_memory_equal(store_node_name(x), store_node_name(y), x->name_len);
	assert_int_equal(x->flags, y->flags);
	assert_int_equal(x->labels, y->labels);
	assert_int_equal(x->rrsets, y->rrsets);
	for (unsigned i = 0; i < x->rrsets; i++)
		same_sets(s, store_at(s, x->sets[i]), t, store_at(t, y->sets[i]));
}

static void same_answers(const struct store_snapshot *s, const struct store_zone *x, const struct store_snapshot *t, const struct store_zone *y,
                         const uint8_t *name)
{
	struct store_lookup a, b;

	store_lookup(s, x, name, &a);
	store_lookup(t, y, name, &b);
	same_node(s, a.node, t, b.node);
	same_node(s, a.encloser, t, b.encloser);
	same_node(s, a.cut, t, b.cut);
	same_node(s, a.dname, t, b.dname);
	same_node(s, store_wildcard(s, x, a.encloser), t, store_wildcard(t, y, b.encloser));
	same_node(s, store_nsec_cover(s, x, name), t, store_nsec_cover(t, y, name));
}

static unsigned ends_known, ends_bound;

/* What is kept of signatures against a look at all of them. built: known exactly. */
static void check_signatures(const struct store_snapshot *s, const struct store_zone *z, bool built)
{
	struct signatures known = signatures_known(z), truth;

	assert_int_equal(signatures_look(s, z, &truth), 0);
	if (built || known.exact) {
		assert_true(known.exact);
		assert_int_equal(known.any, truth.any);
	}
	assert_true(known.any || !truth.any);
	if (!truth.any)
		return;
	if (known.exact)
		assert_int_equal(known.end, truth.end);
	else
		assert_true(!signatures_before(truth.end, known.end));
	ends_known += !built && known.exact;
	ends_bound += !built && !known.exact;
}

static void same_zones(const struct store_snapshot *s, const struct store_zone *x, const struct store_snapshot *t, const struct store_zone *y, struct rng *r)
{
	const struct store_node *a = NULL, *b = NULL;
	const struct store_nsec3_params *p = store_at(s, x->nsec3_params), *q = store_at(t, y->nsec3_params);
	static struct store_walk walk;
	bool exact_a, exact_b;
	uint64_t nodes = 0;

	assert_int_equal(x->serial, y->serial);
	assert_int_equal(x->node_count, y->node_count);
	assert_int_equal(x->rrset_count, y->rrset_count);
	assert_int_equal(x->record_count, y->record_count);
	assert_int_equal(x->is_signed, y->is_signed);
	check_signatures(s, x, false);
	check_signatures(t, y, true);
	assert_int_equal(x->has_nsec, y->has_nsec);
	assert_int_equal(x->network, y->network);
	assert_int_equal(p != NULL, q != NULL);
	if (p)
		assert_memory_equal(p, q, sizeof(*p));
	same_node(s, store_at(s, x->apex), t, store_at(t, y->apex));
	store_walk_init(&walk, s, x, false);
	do {
		const struct store_node *w = store_walk_next(&walk);

		a = store_node_next(s, x, a);
		b = store_node_next(t, y, b);
		same_node(s, a, t, b);
		if (a && (a->flags & NODE_NSEC3) && !w) {
			store_walk_init(&walk, s, x, true);
			w = store_walk_next(&walk);
		}
		assert_ptr_equal(w, a);
		nodes += a != NULL;
		if (a)
			same_answers(s, x, t, y, store_node_name(a));
		if (a && (a->flags & NODE_NSEC3))
			same_node(s, store_nsec3_node(s, x, store_node_name(a)), t, store_nsec3_node(t, y, store_node_name(a)));
	} while (a);
	assert_int_equal(nodes, x->node_count);
	for (unsigned i = 0; i < 20; i++) {
		uint8_t hash[20];
		struct name name;

		if (random_owner(r, &name))
			same_answers(s, x, t, y, name.wire);
		memset(hash, rng_below(r, 2) ? 0x18 : (int)rng_below(r, 256), sizeof(hash));
		hash[rng_below(r, 20)] = (uint8_t)rng_next(r);
		same_node(s, store_nsec3_cover(s, x, hash, &exact_a), t, store_nsec3_cover(t, y, hash, &exact_b));
		assert_int_equal(exact_a, exact_b);
	}
}

static void same_contents(const struct content *a, const struct content *b)
{
	assert_int_equal(content_rrset_count(a), content_rrset_count(b));
	for (size_t i = 0; i < content_rrset_count(a); i++) {
		const struct content_rrset *x = content_rrset(a, i), *y = content_rrset(b, i);

		assert_int_equal(name_len(x->owner), name_len(y->owner));
		assert_memory_equal(x->owner, y->owner, name_len(x->owner));
		assert_int_equal(x->type, y->type);
		assert_int_equal(x->ttl, y->ttl);
		assert_int_equal(x->count, y->count);
		for (uint32_t k = 0; k < x->count; k++) {
			assert_int_equal(x->records[k].rdlen, y->records[k].rdlen);
			assert_memory_equal(x->records[k].rdata, y->records[k].rdata, x->records[k].rdlen);
		}
	}
}

/* ---- two stores: one is changed, one is built ---- */

struct bed {
	char *folder, path[2][4200];
	struct store_writer *w[2];
};

static const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = 7, .source = "test"};

static void open_writers(struct bed *b)
{
	struct store_open_info info;

	for (int i = 0; i < 2; i++)
		assert_int_equal(store_writer_open(b->path[i], NULL, 0, &b->w[i], &info), 0);
}

static void close_writers(struct bed *b)
{
	for (int i = 0; i < 2; i++) {
		store_writer_close(b->w[i]);
		b->w[i] = NULL;
	}
}

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	b->folder = kit_folder();
	for (int i = 0; i < 2; i++)
		snprintf(b->path[i], sizeof(b->path[i]), "%s/%d", b->folder, i);
	open_writers(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	close_writers(b);
	kit_folder_free(b->folder);
	free(b);
	return 0;
}

static void commit(struct store_writer *w)
{
	uint64_t g;

	assert_int_equal(store_commit(w, &g), 0);
}

static void view(struct store_writer *w, struct store_snapshot *s, const struct store_zone **z)
{
	store_writer_snapshot(w, s);
	*z = store_zone_get(s, m.apex.wire);
	assert_non_null(*z);
}

static uint64_t cells(size_t bytes)
{
	return (bytes + STORE_CELL - 1) / STORE_CELL;
}

static uint64_t cells_of_set(const struct store_snapshot *s, store_ref ref)
{
	const struct store_rrset *set = store_at(s, ref);

	return set ? cells(sizeof(*set) + set->size) + cells_of_set(s, set->sigs) : 0;
}

static uint64_t cells_of_slot(const struct store_snapshot *s, const struct trie_slot *slot)
{
	unsigned n = (unsigned)__builtin_popcountll(slot_map(slot));
	const struct store_node *node = store_at(s, slot->ref);
	uint64_t sum;

	if (slot_is_branch(slot)) {
		sum = cells(n * sizeof(*slot));
		for (unsigned i = 0; i < n; i++)
			sum += cells_of_slot(s, (const struct trie_slot *)store_at(s, slot->ref) + i);
		return sum;
	}
	sum = cells(sizeof(*node) + node->rrsets * sizeof(store_ref) + node->name_len);
	for (unsigned i = 0; i < node->rrsets; i++)
		sum += cells_of_set(s, node->sets[i]);
	return sum;
}

/* Cells that can be reached, waste and spare are all there are. */
static void check_waste(const struct store_snapshot *s, const struct store_zone *z)
{
	uint64_t reached = z->nsec3_params ? cells(sizeof(struct store_nsec3_params)) : 0;

	if (z->names)
		reached += 2 + cells_of_slot(s, store_at(s, z->names));
	if (z->nsec3)
		reached += 2 + cells_of_slot(s, store_at(s, z->nsec3));
	assert_int_equal((reached + z->waste + z->spare) * STORE_CELL, z->bytes);
	assert_in_range(z->waste * 100ULL, 0, z->bytes / STORE_CELL * 31);
}

static void check(struct bed *b, struct rng *r)
{
	const struct store_zone *x, *y;
	struct store_snapshot s, t;

	view(b->w[0], &s, &x);
	view(b->w[1], &t, &y);
	same_zones(&s, x, &t, y, r);
	check_waste(&s, x);
	check_waste(&t, y);
	most_regions = MAX(most_regions, x->regions);
	compacted += x->waste < last_waste;
	last_waste = x->waste;
}

static void begin_zone(struct rng *r, const char *apex)
{
	m.apex = kit_name(apex);
	m.count = 0;
	m.nsec = rng_below(r, 2);
	m.nsec3 = rng_below(r, 2);
	set_soa(1);
	add(&m.apex, RR_NS, "\1x", 3);
}

/* What the writer counts as live is what a successor finds: nothing leaks. */
static void reopen(struct bed *b)
{
	struct store_open_info info;
	struct store_stats stats;

	store_stats(b->w[0], &stats);
	store_writer_close(b->w[0]);
	assert_int_equal(store_writer_open(b->path[0], NULL, 0, &b->w[0], &info), 0);
	assert_false(info.fresh);
	assert_int_equal(info.live_bytes + 4096, stats.live_bytes);
}

/* Bring the first store to the model by a change; the second by a build. before: the content it has, replaced. */
static void step(struct bed *b, struct content **before, struct rng *r)
{
	struct content *after = content_of(&m);
	struct zone_change_problem problem;
	struct zone_change change, same;
	const struct store_zone *z;
	struct store_snapshot s;

	view(b->w[0], &s, &z);
	assert_int_equal(zone_difference_store(&s, z, after, SIZE_MAX, &change), 0);
	assert_int_equal(zone_difference(*before, after, SIZE_MAX, &same), 0);
	same_contents(change.removed, same.removed);
	same_contents(change.added, same.added);
	if (zone_change_size(&change)) {
		zone_change_done(&same);
		assert_int_equal(zone_difference_store(&s, z, after, zone_change_size(&change) - 1, &same), ERR_LIMIT);
	} else {
		zone_change_done(&same);
	}
	assert_int_equal(store_change_zone(b->w[0], m.apex.wire, &change, &meta, &problem), 0);
	if (!rng_below(r, 6)) {
		/* Thrown away, and done again. */
		store_abort(b->w[0]);
		assert_int_equal(store_change_zone(b->w[0], m.apex.wire, &change, &meta, &problem), 0);
	}
	commit(b->w[0]);
	assert_int_equal(store_put_zone(b->w[1], m.apex.wire, after, &meta), 0);
	commit(b->w[1]);
	zone_change_done(&change);
	content_free(*before);
	*before = after;
	check(b, r);
}

static void run_sequence(struct bed *b, const char *apex, uint64_t seed, unsigned first, unsigned steps, unsigned most)
{
	struct rng r = {.s = seed};
	struct content *before;

	begin_zone(&r, apex);
	for (unsigned i = 0; i < first; i++)
		random_add(&r);
	before = content_of(&m);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_put_zone(b->w[i], m.apex.wire, before, &meta), 0);
		commit(b->w[i]);
	}
	for (unsigned i = 0; i < steps; i++) {
		unsigned ops = 1 + rng_below(&r, most);

		for (unsigned k = 0; k < ops; k++)
			if (rng_below(&r, 100) < (i % 40 < 22 ? 60U : 35U))
				random_add(&r);
			else
				random_remove(&r);
		if (rng_below(&r, 8))
			set_soa(m.serial + 1);
		step(b, &before, &r);
		if (!rng_below(&r, 10))
			reopen(b);
	}
	content_free(before);
	for (int i = 0; i < 2; i++)
		assert_int_equal(store_remove_zone(b->w[i], m.apex.wire), 0);
}

static void test_small(void **state)
{
	static const char *const apexes[] = {".", "com.", "a.B-c.\\000\\255.", "x.example.org."};

	for (unsigned i = 0; i < 60; i++)
		run_sequence(*state, apexes[i % 4], i, i % 3 * 10, 30, 6);
}

/* Large enough to share extents over many changes. */
static void test_large(void **state)
{
	most_regions = compacted = last_waste = 0;
	for (unsigned i = 0; i < 4; i++)
		run_sequence(*state, i & 1 ? "." : "example.", 1000 + i, 1500, 60, i < 2 ? 3 : 40);
	assert_in_range(most_regions, 5, 4096);
	assert_in_range(compacted, 5, 100);
	assert_true(ends_known > 100 && ends_bound > 10);
}

/* ---- what a change says and refuses ---- */

static void change_add(struct content *c, const char *owner, uint16_t type, uint32_t ttl, const char *rdata)
{
	static const uint8_t root[1];
	struct name n = kit_name(owner);
	struct rdata_problem problem;
	uint8_t wire[300];
	struct writer w = writer_of(wire, sizeof(wire));
	struct rr rr = {.owner = n.wire, .type = type, .rclass = CLASS_IN, .ttl = ttl, .rdata = wire};

	assert_int_equal(rdata_from_string(type, rdata, root, &w, &problem), 0);
	rr.rdlen = (uint16_t)w.pos;
	assert_int_equal(content_add(c, &rr, NULL), 0);
}

static struct content *example(void)
{
	struct content *c = content_new(kit_name("example.").wire);

	change_add(c, "example.", RR_SOA, 3600, "ns. host. 1 2 3 4 5");
	change_add(c, "example.", RR_NS, 3600, "ns1.example.");
	change_add(c, "example.", RR_NS, 3600, "ns2.example.");
	change_add(c, "www.Example.", RR_A, 300, "192.0.2.1");
	change_add(c, "www.Example.", RR_A, 300, "192.0.2.2");
	change_add(c, "alias.example.", RR_CNAME, 300, "www.example.");
	change_add(c, "sub.example.", RR_NS, 300, "ns.Sub.example.");
	change_add(c, "ns.sub.example.", RR_A, 300, "192.0.2.3");
	assert_int_equal(content_finish(c), 0);
	return c;
}

struct line {
	char sign; /* '-' or '+'; 0 ends */
	const char *owner;
	uint16_t type;
	uint32_t ttl;
	const char *rdata;
};

static const struct refusal {
	const char *name;
	struct line lines[4];
	const char *text; /* what the problem says; NULL: the change applies */
} refusals[] = {
	{"nothing", {{0}}, NULL},
	{"serial", {{'-', "example.", RR_SOA, 1, "ns. host. 1 2 3 4 5"}, {'+', "example.", RR_SOA, 1, "ns. host. 2 2 3 4 5"}}, NULL},
	{"delete in other case", {{'-', "SUB.example.", RR_NS, 0, "NS.sub.EXAMPLE."}}, NULL},
	{"absent record", {{'-', "www.example.", RR_A, 300, "192.0.2.9"}}, "a record to delete is not there: www.example.\t300\tIN\tA\t192.0.2.9"},
	{"absent before", {{'-', "www.example.", RR_A, 300, "192.0.2.0"}}, "a record to delete is not there: www.example.\t300\tIN\tA\t192.0.2.0"},
	{"absent set", {{'-', "www.example.", RR_TXT, 300, "x"}}, "a record to delete is not there: www.example.\t300\tIN\tTXT\t\"x\""},
	{"absent name", {{'-', "w.example.", RR_A, 1, "192.0.2.1"}}, "a record to delete is not there: w.example.\t1\tIN\tA\t192.0.2.1"},
	{"present", {{'+', "www.example.", RR_A, 300, "192.0.2.2"}}, "a record to add is there already: www.example.\t300\tIN\tA\t192.0.2.2"},
	{"present in other case", {{'+', "sub.example.", RR_NS, 9, "ns.sub.example."}}, "a record to add is there already: sub.example.\t9\tIN\tNS\tns.sub.example."},
	{"replaced", {{'-', "www.example.", RR_A, 300, "192.0.2.2"}, {'+', "www.example.", RR_A, 300, "192.0.2.2"}}, NULL},
	{"two SOA", {{'+', "example.", RR_SOA, 1, "ns. host. 2 2 3 4 5"}}, "example.: the change leaves more than one SOA record at the zone's apex"},
	{"no SOA", {{'-', "example.", RR_SOA, 1, "ns. host. 1 2 3 4 5"}}, "example.: the change leaves no SOA record at the zone's apex"},
	{"no NS", {{'-', "example.", RR_NS, 1, "ns1.example."}, {'-', "example.", RR_NS, 1, "ns2.example."}}, "example.: the change leaves no NS record at the zone's apex"},
	{"SOA below", {{'+', "www.example.", RR_SOA, 1, "ns. host. 2 2 3 4 5"}}, "www.example.: an SOA record belongs at the apex only"},
	{"CNAME and data", {{'+', "alias.example.", RR_A, 300, "192.0.2.1"}}, "alias.example.: a CNAME and other data (A) at one name (RFC 2181 10.1)"},
	{"CNAME for data", {{'-', "sub.example.", RR_NS, 0, "ns.sub.example."}, {'+', "sub.example.", RR_CNAME, 3, "x."}}, NULL},
	{"two CNAME", {{'+', "alias.example.", RR_CNAME, 300, "x."}}, "alias.example.: 2 different CNAME records: there can be one"},
	{"outside", {{'+', "example.org.", RR_A, 300, "192.0.2.1"}}, "example.org. is outside the zone"},
	{"outside, above", {{'-', ".", RR_NS, 300, "a."}}, ". is outside the zone"},
	{"good and bad", {{'-', "www.example.", RR_A, 1, "192.0.2.1"}, {'+', "aaa.b.example.", RR_A, 1, "192.0.2.1"}, {'-', "zzz.example.", RR_A, 1, "192.0.2.1"}},
	 "a record to delete is not there: zzz.example.\t1\tIN\tA\t192.0.2.1"},
};

static void make_change(const struct line *lines, size_t max, struct zone_change *change)
{
	assert_int_equal(zone_change_init(change, kit_name("example.").wire), 0);
	for (const struct line *l = lines; l < lines + max && l->sign; l++)
		change_add(l->sign == '-' ? change->removed : change->added, l->owner, l->type, l->ttl, l->rdata);
	assert_int_equal(content_finish(change->removed), 0);
	assert_int_equal(content_finish(change->added), 0);
}

static void test_refused(void **state)
{
	struct bed *b = *state;
	struct rng r = {.s = 3};

	m.count = 0;
	m.apex = kit_name("example.");
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct content *c = example();
		struct zone_change_problem problem;
		struct zone_change change;
		struct store_stats before, after;

		for (int k = 0; k < 2; k++) {
			assert_int_equal(store_put_zone(b->w[k], m.apex.wire, c, &meta), 0);
			commit(b->w[k]);
		}
		make_change(refusals[i].lines, 4, &change);
		store_stats(b->w[0], &before);
		assert_int_equal(store_change_zone(b->w[0], m.apex.wire, &change, &meta, &problem), refusals[i].text ? ERR_INVALID : 0);
		assert_string_equal(problem.text, refusals[i].text ? refusals[i].text : "");
		if (refusals[i].text) {
			store_stats(b->w[0], &after);
			assert_int_equal(before.live_bytes, after.live_bytes);
			commit(b->w[0]);
			check(b, &r);
		}
		zone_change_done(&change);
		content_free(c);
	}
	/* No zone, or none that serves. */
	{
		struct store_zone_meta none = {.state = STORE_ZONE_NO_DATA, .source = ""};
		struct zone_change_problem problem;
		struct zone_change change;

		make_change(NULL, 0, &change);
		assert_int_equal(store_remove_zone(b->w[0], m.apex.wire), 0);
		assert_int_equal(store_change_zone(b->w[0], m.apex.wire, &change, &meta, &problem), ERR_NOT_FOUND);
		assert_int_equal(store_put_zone(b->w[0], m.apex.wire, NULL, &none), 0);
		assert_int_equal(store_change_zone(b->w[0], m.apex.wire, &change, &meta, &problem), ERR_NOT_FOUND);
		zone_change_done(&change);
	}
}

static const struct ttl_case {
	const char *name;
	struct line lines[4];
	uint32_t ttl;
} ttl_cases[] = {
	{"added, higher", {{'+', "www.example.", RR_A, 900, "192.0.2.3"}}, 300},
	{"added, lower", {{'+', "www.example.", RR_A, 60, "192.0.2.3"}}, 60},
	{"removed", {{'-', "www.example.", RR_A, 60, "192.0.2.2"}}, 300},
	{"one replaced", {{'-', "www.example.", RR_A, 300, "192.0.2.2"}, {'+', "www.example.", RR_A, 900, "192.0.2.2"}}, 300},
	{"all replaced",
	 {{'-', "www.example.", RR_A, 300, "192.0.2.1"}, {'-', "www.example.", RR_A, 300, "192.0.2.2"}, {'+', "www.example.", RR_A, 900, "192.0.2.2"}},
	 900},
};

static void test_ttl(void **state)
{
	struct bed *b = *state;

	m.apex = kit_name("example.");
	for (size_t i = 0; i < ARRAY_LEN(ttl_cases); i++) {
		struct content *c = example();
		struct zone_change_problem problem;
		struct zone_change change;
		const struct store_zone *z;
		struct store_snapshot s;
		struct store_lookup l;

		assert_int_equal(store_put_zone(b->w[0], m.apex.wire, c, &meta), 0);
		make_change(ttl_cases[i].lines, 4, &change);
		assert_int_equal(store_change_zone(b->w[0], m.apex.wire, &change, &meta, &problem), 0);
		commit(b->w[0]);
		view(b->w[0], &s, &z);
		store_lookup(&s, z, kit_name("www.example.").wire, &l);
		assert_int_equal(store_rrset_of(&s, l.node, RR_A)->ttl, ttl_cases[i].ttl);
		zone_change_done(&change);
		content_free(c);
	}
}

/* Delegations one below the other, all of them taken away from the top down: each look at all names below would cost the zone once more. */
static void test_hides_again_and_again(void **state)
{
	enum { DEPTH = 30, NAMES = 12000 };
	struct bed *b = *state;
	struct content *c;
	struct zone_change_problem problem;
	struct zone_change change;
	struct store_stats before, after;
	char text[200] = "example.", owner[240], up[sizeof(text)];

	m.apex = kit_name("example.");
	c = content_new(m.apex.wire);
	assert_non_null(c);
	kit_add_soa(c, m.apex.wire, 1);
	change_add(c, "example.", RR_NS, 300, "ns.example.");
	assert_int_equal(zone_change_init(&change, m.apex.wire), 0);
	for (unsigned i = 0; i < DEPTH; i++) {
		memcpy(up, text, sizeof(up));
		assert_true(snprintf(text, sizeof(text), "l%u.%s", i, up) < (int)sizeof(text));
		change_add(c, text, RR_NS, 300, "ns.example.");
		change_add(change.removed, text, RR_NS, 300, "ns.example.");
	}
	for (unsigned i = 0; i < NAMES; i++) {
		snprintf(owner, sizeof(owner), "n%u.%s", i, text);
		change_add(c, owner, RR_A, 300, "192.0.2.1");
	}
	assert_int_equal(content_finish(c), 0);
	assert_int_equal(content_finish(change.removed), 0);
	assert_int_equal(content_finish(change.added), 0);
	assert_int_equal(store_put_zone(b->w[0], m.apex.wire, c, &meta), 0);
	commit(b->w[0]);
	store_stats(b->w[0], &before);
	assert_int_equal(store_change_zone(b->w[0], m.apex.wire, &change, &meta, &problem), ERR_LIMIT);
	assert_non_null(strstr(problem.text, "building the zone costs less"));
	assert_int_equal(problem.renewed, zone_change_renewed_max(NAMES + DEPTH + 1) + 1);
	store_stats(b->w[0], &after);
	assert_int_equal(before.live_bytes, after.live_bytes);
	zone_change_done(&change);
	/* One of them alone is no more than the zone. */
	assert_int_equal(zone_change_init(&change, m.apex.wire), 0);
	change_add(change.removed, "l0.example.", RR_NS, 300, "ns.example.");
	assert_int_equal(content_finish(change.removed), 0);
	assert_int_equal(content_finish(change.added), 0);
	assert_int_equal(store_change_zone(b->w[0], m.apex.wire, &change, &meta, &problem), 0);
	assert_int_equal(problem.renewed, NAMES + DEPTH - 1);
	commit(b->w[0]);
	zone_change_done(&change);
	content_free(c);
}

/* Several changes in one transaction, seen all or not at all. */
static void test_one_transaction(void **state)
{
	struct bed *b = *state;
	struct rng r = {.s = 11};
	struct zone_change_problem problem;
	struct content *before, *after;
	struct zone_change change;

	begin_zone(&r, "example.");
	for (unsigned i = 0; i < 400; i++)
		random_add(&r);
	before = content_of(&m);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_put_zone(b->w[i], m.apex.wire, before, &meta), 0);
		commit(b->w[i]);
	}
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 10; i++) {
			for (unsigned k = 0; k < 5; k++)
				if (rng_below(&r, 2))
					random_add(&r);
				else
					random_remove(&r);
			after = content_of(&m);
			assert_int_equal(zone_difference(before, after, SIZE_MAX, &change), 0);
			assert_int_equal(store_change_zone(b->w[0], m.apex.wire, &change, &meta, &problem), 0);
			zone_change_done(&change);
			content_free(before);
			before = after;
		}
		check(b, &r);
		commit(b->w[0]);
		assert_int_equal(store_put_zone(b->w[1], m.apex.wire, before, &meta), 0);
		commit(b->w[1]);
		check(b, &r);
		reopen(b);
	}
	content_free(before);
}

/* A chain of differences as IXFR has it: lists of records in any order, some of them twice, in one transaction. */
static void test_record_lists(void **state)
{
	struct bed *b = *state;
	const struct name apex = kit_name("example."), www = kit_name("www.example."), deep = kit_name("a.b.example.");
	struct content *c = example();
	struct store_snapshot s;
	const struct store_zone *z;
	struct store_lookup l;

	m.apex = apex;
	assert_int_equal(store_put_zone(b->w[0], apex.wire, c, &meta), 0);
	commit(b->w[0]);
	for (uint32_t serial = 1; serial < 5; serial++) {
		uint8_t soa[2][31] = {"\2ns\0\4host"};
		const uint8_t last[4] = {192, 0, 2, (uint8_t)(serial + 9)}, next[4] = {192, 0, 2, (uint8_t)(serial + 10)};
		struct rr removed[] = {
			{.owner = www.wire, .type = RR_A, .rclass = CLASS_IN, .ttl = 0, .rdlen = 4, .rdata = last},
			{.owner = apex.wire, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 1, .rdlen = 30, .rdata = soa[0]},
		};
		struct rr added[] = {
			{.owner = deep.wire, .type = 65000, .rclass = CLASS_IN, .ttl = 7, .rdlen = 4, .rdata = next},
			{.owner = www.wire, .type = RR_A, .rclass = CLASS_IN, .ttl = 300, .rdlen = 4, .rdata = next},
			{.owner = apex.wire, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 1, .rdlen = 30, .rdata = soa[1]},
			{.owner = www.wire, .type = RR_A, .rclass = CLASS_IN, .ttl = 300, .rdlen = 4, .rdata = next},
		};
		struct zone_change_problem problem;
		struct zone_change change;

		memcpy(soa[1], soa[0], sizeof(soa[1]));
		put_u32(soa[0] + 10, serial);
		put_u32(soa[1] + 10, serial + 1);
		for (uint32_t i = 2; i <= 5; i++) {
			put_u32(soa[0] + 10 + 4 * (i - 1), i);
			put_u32(soa[1] + 10 + 4 * (i - 1), i);
		}
		/* The first has no address to delete yet. */
		assert_int_equal(zone_change_from_records(apex.wire, removed + (serial == 1), ARRAY_LEN(removed) - (serial == 1), added, ARRAY_LEN(added), &change), 0);
		assert_int_equal(zone_change_size(&change), serial == 1 ? 4 : 5);
		assert_int_equal(store_change_zone(b->w[0], apex.wire, &change, &meta, &problem), 0);
		zone_change_done(&change);
	}
	view(b->w[0], &s, &z);
	assert_int_equal(z->serial, 1);
	assert_int_equal(z->record_count, 8);
	commit(b->w[0]);
	view(b->w[0], &s, &z);
	assert_int_equal(z->serial, 5);
	assert_int_equal(z->record_count, 8 + 1 + 4);
	store_lookup(&s, z, www.wire, &l);
	assert_int_equal(store_rrset_of(&s, l.node, RR_A)->count, 3);
	store_lookup(&s, z, deep.wire, &l);
	assert_int_equal(store_rrset_of(&s, l.node, 65000)->count, 4);
	content_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_small, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ttl, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hides_again_and_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_record_lists, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
