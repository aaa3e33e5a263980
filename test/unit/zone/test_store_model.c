/* SPDX-License-Identifier: BSD-2-Clause */
/* The store against the plainest thing that can be right: a sorted array of names. */
#include "store_kit.h"

#include "dns/rr.h"
#include "zone/store_trie.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NODES_MAX = 60000, HASHES_MAX = 200 };

enum { M_DATA = 1, M_NS = 2, M_DNAME = 4, M_NSEC = 8 };

struct model_node {
	struct name name;
	unsigned what; /* 0: ENT */
	bool below;    /* a cut; set once sorted */
};

static struct model {
	struct model_node nodes[NODES_MAX];
	size_t count;
	bool sorted;
	uint8_t hashes[HASHES_MAX][20];
	size_t hash_count;
	struct name apex;
} m;

static int order_nodes(const void *a, const void *b)
{
	const struct model_node *x = a, *y = b;

	return name_compare(x->name.wire, y->name.wire);
}

static int order_name(const void *key, const void *node)
{
	return name_compare(key, ((const struct model_node *)node)->name.wire);
}

static struct model_node *model_find(const uint8_t *name)
{
	if (m.sorted)
		return bsearch(name, m.nodes, m.count, sizeof(m.nodes[0]), order_name);
	for (size_t i = 0; i < m.count; i++)
		if (name_equal(m.nodes[i].name.wire, name))
			return &m.nodes[i];
	return NULL;
}

static struct model_node *model_touch(const uint8_t *name)
{
	struct model_node *n = model_find(name);

	if (!n) {
		assert_true(m.count < NODES_MAX);
		n = &m.nodes[m.count++];
		name_copy(&n->name, name);
		n->what = 0;
	}
	return n;
}

static void model_add(struct content *c, const uint8_t *name, unsigned what)
{
	static const uint8_t root[1], txt[2] = {1, 'x'};
	struct model_node *n;

	for (const uint8_t *up = name; name_labels(up) > name_labels(m.apex.wire); up = name_parent(up))
		model_touch(up);
	n = model_touch(name);
	n->what |= what;
	if (what & M_DATA)
		kit_add(c, name, RR_TXT, txt, sizeof(txt));
	if (what & M_NS)
		kit_add(c, name, RR_NS, root, 1);
	if (what & M_DNAME)
		kit_add(c, name, RR_DNAME, root, 1);
	if (what & M_NSEC)
		kit_add(c, name, RR_NSEC, "\0\0\1\x40", 4);
}

static void model_add_hash(struct content *c, const uint8_t hash[20])
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
	static const uint8_t rdata[] = {1, 0, 0, 0, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
	struct name owner = {.wire = {32}};
	uint64_t bits = 0;
	unsigned have = 0, at = 1;

	for (unsigned i = 0; i < m.hash_count; i++)
		if (memcmp(m.hashes[i], hash, 20) == 0)
			return;
	for (unsigned i = 0; i < 20; i++) {
		bits = bits << 8 | hash[i];
		for (have += 8; have >= 5; have -= 5)
			owner.wire[at++] = (uint8_t)digits[bits >> (have - 5) & 31];
	}
	memcpy(owner.wire + at, m.apex.wire, name_len(m.apex.wire));
	kit_add(c, owner.wire, RR_NSEC3, rdata, sizeof(rdata));
	memcpy(m.hashes[m.hash_count++], hash, 20);
}

static int order_hashes(const void *a, const void *b)
{
	return memcmp(a, b, 20);
}

static bool model_below_cut(const uint8_t *name)
{
	for (const uint8_t *up = name_parent(name); name_labels(up) > name_labels(m.apex.wire); up = name_parent(up)) {
		const struct model_node *n = model_find(up);

		if (n && (n->what & (M_NS | M_DNAME)))
			return true;
	}
	return !name_equal(name, m.apex.wire) && (model_find(m.apex.wire)->what & M_DNAME);
}

struct expect {
	const struct model_node *node, *encloser, *cut, *dname;
};

static struct expect model_lookup(const uint8_t *name)
{
	unsigned labels = name_labels(name);
	struct expect e = {0};

	for (unsigned l = name_labels(m.apex.wire); l <= labels; l++) {
		const struct model_node *n = model_find(name_suffix(name, l));

		if (!n)
			break;
		e.encloser = n;
		if (l > name_labels(m.apex.wire) && (n->what & M_NS) && !e.cut && !e.dname)
			e.cut = n;
		if ((n->what & M_DNAME) && l < labels && !e.dname && !e.cut)
			e.dname = n;
	}
	if (name_labels(e.encloser->name.wire) == labels)
		e.node = e.encloser;
	return e;
}

static void same(const struct store_node *got, const struct model_node *want)
{
	assert_int_equal(got != NULL, want != NULL);
	if (got)
		assert_true(name_equal(store_node_name(got), want->name.wire));
}

static void check_name(const struct store_snapshot *s, const struct store_zone *z, const uint8_t *name)
{
	struct expect e = model_lookup(name);
	const struct model_node *wild = NULL, *nsec = NULL;
	struct store_lookup l;
	struct name star;

	store_lookup(s, z, name, &l);
	same(l.node, e.node);
	same(l.encloser, e.encloser);
	same(l.cut, e.cut);
	same(l.dname, e.dname);
	assert_non_null(l.encloser);
	if (l.encloser->name_len <= NAME_LEN_MAX - 2) {
		star.wire[0] = 1;
		star.wire[1] = '*';
		memcpy(star.wire + 2, store_node_name(l.encloser), l.encloser->name_len);
		wild = model_find(star.wire);
	}
	same(store_wildcard(s, z, l.encloser), wild);
	if (z->has_nsec) {
		for (size_t i = 0; i < m.count && name_compare(m.nodes[i].name.wire, name) <= 0; i++)
			if ((m.nodes[i].what & M_NSEC) && !m.nodes[i].below)
				nsec = &m.nodes[i];
		same(store_nsec_cover(s, z, name), nsec); /* the apex is never after a name, so nothing wraps */
	} else {
		assert_null(store_nsec_cover(s, z, name));
	}
	assert_ptr_equal(store_zone_find(s, name, false), z);
	assert_ptr_equal(store_zone_find(s, name, true), name_labels(name) == name_labels(m.apex.wire) ? NULL : z);
}

static void check_hash(const struct store_snapshot *s, const struct store_zone *z, const uint8_t hash[20])
{
	const uint8_t *want = m.hash_count ? m.hashes[m.hash_count - 1] : NULL;
	const struct store_node *n;
	uint8_t got[20];
	bool exact;

	for (size_t i = 0; i < m.hash_count && memcmp(m.hashes[i], hash, 20) <= 0; i++)
		want = m.hashes[i];
	n = store_nsec3_cover(s, z, hash, &exact);
	assert_int_equal(n != NULL, want != NULL);
	if (!n)
		return;
	assert_true(trie_hash_of_owner(store_node_name(n), got));
	assert_memory_equal(got, want, 20);
	assert_int_equal(exact, memcmp(want, hash, 20) == 0);
	assert_ptr_equal(store_nsec3_node(s, z, store_node_name(n)), n);
	assert_true(n->flags & NODE_NSEC3);
}

static void check_all(const struct store_snapshot *s, const struct store_zone *z, struct rng *r)
{
	const struct store_node *n = NULL;
	struct name name;

	qsort(m.nodes, m.count, sizeof(m.nodes[0]), order_nodes);
	m.sorted = true;
	for (size_t i = 0; i < m.count; i++)
		m.nodes[i].below = model_below_cut(m.nodes[i].name.wire);
	qsort(m.hashes, m.hash_count, 20, order_hashes);
	assert_int_equal(z->node_count, m.count + m.hash_count);
	for (size_t i = 0; i < m.count; i++) {
		bool below = m.nodes[i].below;

		n = store_node_next(s, z, n);
		same(n, &m.nodes[i]);
		assert_int_equal(!!(n->flags & NODE_ENT), !m.nodes[i].what);
		assert_int_equal(!!(n->flags & NODE_BELOW_CUT), below);
		assert_int_equal(!!(n->flags & NODE_CUT), (m.nodes[i].what & M_NS) && i && !below);
		assert_int_equal(!!(n->flags & NODE_DNAME), (m.nodes[i].what & M_DNAME) && !below);
		assert_int_equal(!!store_rrset_of(s, n, RR_TXT), !!(m.nodes[i].what & M_DATA));
		check_name(s, z, m.nodes[i].name.wire);
	}
	for (size_t i = 0; i < m.hash_count; i++) {
		n = store_node_next(s, z, n);
		assert_non_null(n);
		check_hash(s, z, m.hashes[i]);
	}
	assert_null(store_node_next(s, z, n));
	for (unsigned i = 0; i < 60; i++) {
		uint8_t hash[20];

		if (kit_random_name(r, m.apex.wire, &name))
			check_name(s, z, name.wire);
		/* A neighbour of something that is there. */
		name = m.nodes[rng_below(r, (unsigned)m.count)].name;
		if (name.wire[0]) {
			name.wire[1 + rng_below(r, name.wire[0])] ^= (uint8_t)(1U << rng_below(r, 8));
			if (name_is_under(name.wire, m.apex.wire))
				check_name(s, z, name.wire);
		}
		for (unsigned k = 0; k < 20; k++)
			hash[k] = (uint8_t)rng_next(r);
		if (m.hash_count && (i & 1)) {
			memcpy(hash, m.hashes[rng_below(r, (unsigned)m.hash_count)], 20);
			hash[rng_below(r, 20)] ^= (uint8_t)(1U << rng_below(r, 8));
		}
		check_hash(s, z, hash);
	}
}

static struct content *random_zone(struct rng *r, const struct name *apex)
{
	struct content *c = content_new(apex->wire);
	unsigned names = rng_below(r, 8) ? rng_below(r, 20) : rng_below(r, 100);
	unsigned hashes = rng_below(r, 2) ? rng_below(r, 40) : 0;
	bool nsec = rng_below(r, 2);
	uint8_t hash[20];
	struct name name;

	assert_non_null(c);
	m.count = m.hash_count = 0;
	m.sorted = false;
	m.apex = *apex;
	kit_add_soa(c, apex->wire, 1);
	model_add(c, apex->wire, M_NS | M_DATA | (nsec ? M_NSEC : 0));
	for (unsigned i = 0; i < names; i++) {
		unsigned dice = rng_below(r, 12);

		if (!kit_random_name(r, apex->wire, &name))
			continue;
		/* Often below one that is there, in different case. */
		if (dice & 1 && m.count > 1) {
			const struct name *up = &m.nodes[rng_below(r, (unsigned)m.count)].name;

			if (!kit_random_name(r, up->wire, &name))
				continue;
			for (unsigned pos = 0; name.wire[pos]; pos += name.wire[pos] + 1U)
				for (unsigned k = 1; k <= name.wire[pos] && rng_below(r, 2); k++)
					if ((name.wire[pos + k] | 0x20) >= 'a' && (name.wire[pos + k] | 0x20) <= 'z')
						name.wire[pos + k] ^= 0x20;
		}
		model_add(c, name.wire, (dice < 2 ? M_NS : dice < 4 ? M_DNAME : M_DATA) | (nsec && dice != 7 ? M_NSEC : 0));
	}
	for (unsigned k = 0; k < 20; k++)
		hash[k] = (uint8_t)rng_next(r);
	for (unsigned i = 0; i < hashes; i++) {
		hash[rng_below(r, 20)] = (uint8_t)rng_next(r);
		model_add_hash(c, hash);
	}
	assert_int_equal(content_finish(c), 0);
	return c;
}

static void test_names(void **state)
{
	static const char *const apexes[] = {".", "com.", "a.B-c.\\000\\255.", "x.example.org."};
	char *folder = kit_folder(), path[4200];
	_Atomic uint64_t pin = STORE_UNPINNED, *pins[1] = {&pin};
	struct store_open_info info;
	struct store_writer *w;
	struct store_reader *reader;
	struct rng r = {.s = 20261120};
	uint64_t g;

	(void)state;
	snprintf(path, sizeof(path), "%s/s", folder);
	assert_int_equal(store_writer_open(path, pins, 1, &w, &info), 0);
	assert_true(info.fresh);
	assert_int_equal(store_reader_open(path, &pin, &reader), 0);
	for (unsigned round = 0; round < 300; round++) {
		struct name apex = kit_name(apexes[round % 4]);
		struct content *c = random_zone(&r, &apex);
		struct store_snapshot s;
		const struct store_zone *z;

		assert_int_equal(kit_put(w, apex.wire, c), 0);
		content_free(c);
		assert_int_equal(store_commit(w, &g), 0);
		store_pin(reader, &s);
		assert_int_equal(s.generation, g);
		z = store_zone_get(&s, apex.wire);
		assert_non_null(z);
		assert_int_equal(z->generation, g);
		/* Only this zone, so that what lies above it or below does not answer for it. */
		check_all(&s, z, &r);
		store_unpin(reader);
		assert_int_equal(store_remove_zone(w, apex.wire), 0);
	}
	store_reader_close(reader);
	store_writer_close(w);
	kit_folder_free(folder);
}

/* ---- zones ---- */

enum { ZONES = 400 };

static struct zone_model {
	struct name apex;
	uint32_t serial, kept_serial; /* 0: not there; kept: as committed last */
} zones[ZONES];

static void check_zones(const struct store_snapshot *s, const uint8_t *name)
{
	const struct store_zone *next = store_zone_next(s, name);
	const struct zone_model *after = NULL;

	/* The zones are sorted. */
	for (size_t i = 0; i < ZONES && !after; i++)
		if (zones[i].kept_serial && name_compare(zones[i].apex.wire, name) > 0)
			after = &zones[i];
	assert_int_equal(next != NULL, after != NULL);
	if (next)
		assert_true(name_equal(store_zone_apex(next), after->apex.wire));
	for (int above = 0; above < 2; above++) {
		const struct zone_model *want = NULL;
		const struct store_zone *got = store_zone_find(s, name, above);

		for (size_t i = 0; i < ZONES; i++)
			if (zones[i].kept_serial && name_is_under(name, zones[i].apex.wire) &&
			    (!above || name_labels(zones[i].apex.wire) < name_labels(name)) &&
			    (!want || name_labels(zones[i].apex.wire) > name_labels(want->apex.wire)))
				want = &zones[i];
		assert_int_equal(got != NULL, want != NULL);
		if (got) {
			assert_true(name_equal(store_zone_apex(got), want->apex.wire));
			assert_int_equal(got->serial, want->kept_serial);
		}
	}
}

static int order_zones(const void *a, const void *b)
{
	const struct zone_model *x = a, *y = b;

	return name_compare(x->apex.wire, y->apex.wire);
}

static void test_zones(void **state)
{
	static const uint8_t root[1];
	char *folder = kit_folder(), path[4200];
	_Atomic uint64_t pin = STORE_UNPINNED, *pins[1] = {&pin};
	struct store_open_info info;
	struct store_writer *w;
	struct rng r = {.s = 7};
	uint64_t g;

	(void)state;
	for (size_t i = 0; i < ZONES;) {
		bool known = false;

		if (!kit_random_name(&r, i > 9 && rng_below(&r, 2) ? zones[rng_below(&r, 9)].apex.wire : root, &zones[i].apex))
			continue;
		for (size_t k = 0; k < i; k++)
			known |= name_equal(zones[k].apex.wire, zones[i].apex.wire);
		i += !known;
	}
	qsort(zones, ZONES, sizeof(zones[0]), order_zones);
	snprintf(path, sizeof(path), "%s/s", folder);
	assert_int_equal(store_writer_open(path, pins, 1, &w, &info), 0);
	for (unsigned round = 1; round < 400; round++) {
		unsigned changes = rng_below(&r, 4) ? 1 + rng_below(&r, 10) : 200;
		const struct store_zone *z = NULL;
		struct store_snapshot s;
		struct name name;

		for (unsigned i = 0; i < changes; i++) {
			struct zone_model *zm = &zones[rng_below(&r, ZONES)];

			if (rng_below(&r, round % 50 < 25 ? 4 : 2)) {
				struct content *c = content_new(zm->apex.wire);

				kit_add_soa(c, zm->apex.wire, round);
				assert_int_equal(content_finish(c), 0);
				assert_int_equal(kit_put(w, zm->apex.wire, c), 0);
				content_free(c);
				zm->serial = round;
			} else {
				assert_int_equal(store_remove_zone(w, zm->apex.wire), zm->serial ? 0 : -1004);
				zm->serial = 0;
			}
		}
		if (!rng_below(&r, 5)) {
			store_abort(w);
			for (size_t i = 0; i < ZONES; i++)
				zones[i].serial = zones[i].kept_serial;
		} else {
			assert_int_equal(store_commit(w, &g), 0);
			for (size_t i = 0; i < ZONES; i++)
				zones[i].kept_serial = zones[i].serial;
		}
		if (!rng_below(&r, 10)) {
			struct store_stats stats;

			/* What the walk reaches is what the writer thought was in use: nothing leaked. */
			store_abort(w);
			for (size_t i = 0; i < ZONES; i++)
				zones[i].serial = zones[i].kept_serial;
			store_stats(w, &stats);
			store_writer_close(w);
			assert_int_equal(store_writer_open(path, pins, 1, &w, &info), 0);
			assert_false(info.fresh);
			assert_int_equal(info.live_bytes + 4096, stats.live_bytes);
		}
		store_writer_snapshot(w, &s);
		for (size_t i = 0; i < ZONES; i++) {
			if (!zones[i].kept_serial) {
				assert_null(store_zone_get(&s, zones[i].apex.wire));
				continue;
			}
			z = store_zone_next(&s, z ? store_zone_apex(z) : NULL);
			assert_non_null(z);
			assert_true(name_equal(store_zone_apex(z), zones[i].apex.wire));
			assert_ptr_equal(store_zone_get(&s, zones[i].apex.wire), z);
		}
		assert_null(z ? store_zone_next(&s, store_zone_apex(z)) : store_zone_next(&s, NULL));
		for (unsigned i = 0; i < 30; i++) {
			check_zones(&s, zones[rng_below(&r, ZONES)].apex.wire);
			if (kit_random_name(&r, zones[rng_below(&r, ZONES)].apex.wire, &name))
				check_zones(&s, name.wire);
		}
	}
	store_writer_close(w);
	kit_folder_free(folder);
}

/* Keys in the order of names, all octets. */
static void test_key_order(void **state)
{
	static const uint8_t root[1];
	struct trie_key a, b;
	struct rng r = {.s = 3};

	(void)state;
	for (unsigned i = 0; i < 300000; i++) {
		struct name x, y;
		unsigned at;
		int want;

		if (!kit_random_name(&r, root, &x) || !kit_random_name(&r, rng_below(&r, 2) ? root : x.wire, &y))
			continue;
		if (i < 65536) {
			x = (struct name){.len = 3, .wire = {1, (uint8_t)(i >> 8)}};
			y = (struct name){.len = 3, .wire = {1, (uint8_t)i}};
		}
		trie_key_name(&a, x.wire, 0);
		trie_key_name(&b, y.wire, 0);
		assert_true(a.len <= TRIE_KEY_MAX && b.len <= TRIE_KEY_MAX);
		at = trie_key_differ(&a, &b);
		want = name_compare(x.wire, y.wire);
		if (at == UINT16_MAX)
			assert_int_equal(want, 0);
		else
			assert_true(want < 0 ? key_symbol(&a, at) < key_symbol(&b, at) : want > 0 && key_symbol(&a, at) > key_symbol(&b, at));
		for (unsigned k = 0; k < a.len; k++)
			assert_true(a.sym[k] < TRIE_SYMBOLS);
	}
}

/* Signatures hang on what they cover; one that covers nothing is not lost. */
static void test_signatures(void **state)
{
	struct name apex = kit_name("example."), www = kit_name("www.example.");
	char *folder = kit_folder(), path[4200];
	const struct store_rrset *set, *sigs;
	struct store_open_info info;
	struct store_snapshot s;
	struct store_writer *w;
	struct content *c = content_new(apex.wire);
	const struct store_zone *z;
	struct store_lookup l;
	uint8_t sig[24] = {0};
	uint64_t g;

	(void)state;
	snprintf(path, sizeof(path), "%s/s", folder);
	kit_add_soa(c, apex.wire, 9);
	kit_add(c, apex.wire, RR_DNSKEY, "\1\1\3\15key", 7);
	put_u16(sig, RR_DNSKEY);
	kit_add(c, apex.wire, RR_RRSIG, sig, sizeof(sig));
	kit_add(c, www.wire, RR_A, "\300\0\2\1", 4);
	kit_add(c, www.wire, RR_A, "\300\0\2\2", 4);
	put_u16(sig, RR_A);
	kit_add(c, www.wire, RR_RRSIG, sig, sizeof(sig));
	put_u16(sig, RR_MX);
	kit_add(c, www.wire, RR_RRSIG, sig, sizeof(sig));
	assert_int_equal(content_finish(c), 0);
	assert_int_equal(store_writer_open(path, NULL, 0, &w, &info), 0);
	assert_int_equal(kit_put(w, apex.wire, c), 0);
	assert_int_equal(store_commit(w, &g), 0);
	store_writer_snapshot(w, &s);
	z = store_zone_get(&s, apex.wire);
	assert_true(z->is_signed);
	assert_int_equal(z->serial, 9);
	assert_int_equal(z->record_count, 7);
	store_lookup(&s, z, www.wire, &l);
	assert_int_equal(l.node->rrsets, 2);
	set = store_rrset_of(&s, l.node, RR_A);
	assert_int_equal(set->count, 2);
	sigs = store_at(&s, set->sigs);
	assert_int_equal(sigs->type, RR_RRSIG);
	assert_int_equal(sigs->covers, RR_A);
	set = store_at(&s, l.node->sets[1]);
	assert_int_equal(set->type, RR_RRSIG);
	assert_int_equal(set->covers, RR_MX);
	content_free(c);
	store_writer_close(w);
	kit_folder_free(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_order),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_signatures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
