/* SPDX-License-Identifier: BSD-2-Clause */
/* Choices: pools, health, priorities, fallbacks, shares, scopes, and the sets that are to be signed. */
#include "config/config.h"
#include "steer/steer.h"

#include "base/err.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct steer_table *table_of(const char *yaml, const char *node)
{
	struct steer_table *t = NULL;
	struct config *c = NULL;
	char line[2048];
	struct diag d;

	diag_init(&d);
	if (config_parse("z.yaml", yaml, strlen(yaml), &d, &c) < 0)
		fail_msg("%s", diag_entry_text(d.first, line, sizeof(line)));
	assert_int_equal(steer_table_make(c, node ? config_node_find(c, node) : NULL, &t), 0);
	config_free(c);
	diag_done(&d);
	return t;
}

static struct steer_choice choose(const struct steer_table *t, const char *policy, uint8_t family, const char *addr, uint8_t prefix,
                                  const _Atomic uint64_t *up, uint32_t random)
{
	struct steer_facts facts = {.prefix = prefix, .up = up, .random = random};
	uint32_t p = steer_policy_named(t, policy, strlen(policy));
	struct steer_choice out;

	assert_int_not_equal(p, UINT32_MAX);
	assert_int_equal(addr_parse(addr, &facts.addr), 0);
	steer_choose(t, p, family, &facts, &out);
	return out;
}

#define NODES "fleet: f\nnodes: [{name: a, role: pop}, {name: b, role: pop}]\n"

static const char chain[] =
	NODES
	"pools:\n"
	"  - name: one\n"
	"    endpoints:\n"
	"      - {name: e0, address: 192.0.2.1}\n"                        /* 1 */
	"      - {name: e1, address: 192.0.2.2, weight: 0}\n"             /* 2 */
	"      - {name: e2, address: 192.0.2.3, priority: 5}\n"           /* 4 */
	"      - {name: e3, address: \"2001:db8::1\"}\n"                  /* 8 */
	"      - {name: e4, address: 192.0.2.5, disabled: true}\n"        /* 16 */
	"    fallback: two\n"
	"  - {name: two, keep: 2, endpoints: [{name: x, address: 198.51.100.1}, {name: y, address: 198.51.100.2, weight: 300}, {name: z, address: 198.51.100.3}]}\n"
	"  - {name: shut, keep: 0, endpoints: [{name: x, address: 198.51.100.1}]}\n"
	"  - {name: names, endpoints: [{name: x, target: x.example}]}\n"
	"steering:\n"
	"  - {name: P, pool: one, owners: [a.example, \"*.b.example\"]}\n"
	"  - {name: two, pool: two, answers: 2, ttl: 7s}\n"
	"  - {name: every, pool: two, choose: all}\n"
	"  - {name: some, pool: two, choose: all, answers: 2}\n"
	"  - {name: shut, pool: shut}\n"
	"  - {name: names, pool: names}\n"
	"  - {name: byname, pool: two, rules: [{nodes: [b], pool: one}]}\n";

static void test_health(void **state)
{
	static const struct {
		const char *what, *policy;
		uint8_t family;
		uint64_t up[2];
		uint32_t pool;
		uint64_t chosen;
		bool kept, foreign;
	} rows[] = {
		{"the first by weight", "p", 4, {~0ULL, ~0ULL}, 0, 1, false, false},
		{"weight 0 when the others are down", "p", 4, {~1ULL, ~0ULL}, 0, 2, false, false},
		{"the next priority", "p", 4, {~3ULL, ~0ULL}, 0, 4, false, false},
		{"disabled is down", "p", 4, {16, 1}, 1, 1, true, false},
		{"the other family has nothing to do with it", "p", 6, {8, 0}, 0, 8, false, false},
		{"nor this with that", "p", 4, {8, 7}, 1, 0, false, false}, /* any of two: below */
		{"open: the first of the chain", "p", 4, {0, 0}, 0, 1, true, false},
		{"open: who is up beyond it", "p", 4, {0, 4}, 1, 4, true, false},
		{"open in IPv6, which only the first pool has", "p", 6, {0, 7}, 0, 8, true, false},
		{"both up of three", "two", 4, {0, 5}, 1, 5, false, false},
		{"one up: it and the weightiest", "two", 4, {0, 4}, 1, 6, true, false},
		{"none up: as many as are kept, by weight", "two", 4, {0, 0}, 1, 3, true, false},
		{"all", "every", 4, {0, 7}, 1, 7, false, false},
		{"all that are up", "every", 4, {0, 6}, 1, 6, false, false},
		{"all, but no more than so many: by weight", "some", 4, {0, 7}, 1, 3, false, false},
		{"closed", "shut", 4, {0, 0}, 2, 0, false, false},
		{"a name", "names", 0, {0, 0}, 3, 1, false, false},
		{"no such family", "two", 6, {0, 7}, 1, 0, false, true},
		{"a name where addresses are", "two", 0, {0, 7}, 1, 0, false, true},
	};
	struct steer_table *t = table_of(chain, "a");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_Atomic uint64_t up[4] = {rows[i].up[0], rows[i].up[1], 0, ~0ULL};
		struct steer_choice c = choose(t, rows[i].policy, rows[i].family, "10.0.0.1", 32, up, (uint32_t)i);

		if (c.pool != rows[i].pool || (c.chosen != rows[i].chosen && rows[i].chosen) || c.kept != rows[i].kept || c.foreign != rows[i].foreign ||
		    (rows[i].what[0] == 'n' && rows[i].what[1] == 'o' && rows[i].what[2] == 'r' && __builtin_popcountll(c.chosen) != 1))
			fail_msg("%s: pool %u chosen %llx kept %d foreign %d", rows[i].what, c.pool, (unsigned long long)c.chosen, c.kept, c.foreign);
		assert_int_equal(c.scope, 0);
	}
	assert_int_equal(choose(t, "shut", 4, "10.0.0.1", 32, (_Atomic uint64_t[4]){0}, 1).chosen, 0);
	assert_int_equal(choose(t, "two", 4, "10.0.0.1", 32, NULL, 1).ttl_s, 7);
	assert_int_equal(choose(t, "p", 4, "10.0.0.1", 32, NULL, 1).ttl_s, 30);
	steer_table_free(t);
}

static void test_names(void **state)
{
	struct steer_table *t = table_of(chain, "a");

	(void)state;
	assert_int_equal(steer_policy_of(t, (const uint8_t *)"\1a\7example"), 0);
	assert_int_equal(steer_policy_of(t, (const uint8_t *)"\1*\1b\7example"), 0);
	assert_int_equal(steer_policy_of(t, (const uint8_t *)"\1b\7example"), UINT32_MAX);
	assert_int_equal(steer_policy_named(t, "TWO", 3), 1);
	assert_int_equal(steer_policy_named(t, "tw", 2), UINT32_MAX);
	assert_int_equal(steer_policy_named(t, "", 0), UINT32_MAX);
	assert_int_equal(steer_policy_named(t, "p\0q", 3), UINT32_MAX);
	assert_string_equal(steer_pool_name(t, 2), "shut");
	assert_int_equal(steer_pool_count(t), 4);
	assert_int_equal(steer_endpoint(t, 0, 3)->addr.family, 6);
	assert_memory_equal(steer_endpoint(t, 3, 0)->target, "\1x\7example", 10);
	steer_table_free(t);
}

static void test_nodes(void **state)
{
	struct steer_table *a = table_of(chain, "a"), *b = table_of(chain, "b"), *none = table_of(chain, NULL);

	(void)state;
	assert_int_equal(choose(a, "byname", 4, "10.0.0.1", 32, NULL, 1).pool, 1);
	assert_int_equal(choose(b, "byname", 4, "10.0.0.1", 32, NULL, 1).pool, 0);
	assert_int_equal(choose(b, "byname", 4, "10.0.0.1", 32, NULL, 1).rule, 0);
	assert_int_equal(choose(none, "byname", 4, "10.0.0.1", 32, NULL, 1).rule, UINT32_MAX);
	steer_table_free(a);
	steer_table_free(b);
	steer_table_free(none);
}

/* Shares of 40,000 choices are within five standard deviations of the weights; the same chance gives the same. */
static void test_weights(void **state)
{
	struct steer_table *t = table_of(NODES
	                                 "pools: [{name: q, endpoints: [{name: a, address: 192.0.2.1, weight: 100}, {name: b, address: 192.0.2.2, weight: 200},\n"
	                                 "  {name: c, address: 192.0.2.3, weight: 700}, {name: d, address: 192.0.2.4, weight: 0}]}]\n"
	                                 "steering: [{name: w, pool: q}, {name: s, pool: q, choose: sticky}, {name: w2, pool: q, answers: 2}]\n",
	                                 NULL);
	static const double share[4] = {0.1, 0.2, 0.7, 0};
	enum { ROUNDS = 40000 };

	(void)state;
	for (int sticky = 0; sticky < 2; sticky++) {
		unsigned hits[4] = {0};

		for (uint32_t i = 0; i < ROUNDS; i++) {
			char addr[32];

			snprintf(addr, sizeof(addr), "%u.%u.%u.77", 1 + (i >> 16), i >> 8 & 255, i & 255);
			struct steer_choice c = choose(t, sticky ? "s" : "w", 4, addr, 32, NULL, i * 2654435761U);

			assert_int_equal(__builtin_popcountll(c.chosen), 1);
			assert_int_equal(c.cacheable_by_choice, sticky);
			assert_int_equal(c.scope, sticky ? 24 : 0);
			hits[__builtin_ctzll(c.chosen)]++;
		}
		for (int e = 0; e < 4; e++) {
			double want = share[e] * ROUNDS, off = hits[e] - want;

			if (off * off > 25 * ROUNDS * share[e] * (1 - share[e]))
				fail_msg("sticky %d: endpoint %d has %u of %d, not %.0f", sticky, e, hits[e], ROUNDS, want);
		}
	}
	for (uint32_t i = 0; i < 100; i++) {
		struct steer_choice c = choose(t, "w2", 6, "10.0.0.1", 32, NULL, i), d = choose(t, "w2", 4, "10.0.0.1", 32, NULL, i);

		assert_true(c.foreign && !c.chosen);
		assert_int_equal(__builtin_popcountll(d.chosen), 2);
		assert_int_equal(d.chosen, choose(t, "w2", 4, "10.9.0.1", 32, NULL, i).chosen);
	}
	steer_table_free(t);
}

/* An endpoint that goes takes only its own clients with it, in both families; clients of one network stay together. */
static void test_sticky(void **state)
{
	struct steer_table *t = table_of(NODES
	                                 "pools: [{name: q, endpoints: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}, {name: c, address: 192.0.2.3}]}]\n"
	                                 "steering: [{name: s, pool: q, choose: sticky}]\n",
	                                 NULL);
	_Atomic uint64_t up[1] = {5};
	unsigned moved = 0;

	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		char addr[64], near[64];

		snprintf(addr, sizeof(addr), i % 2 ? "10.%u.%u.1" : "2001:db8:%x:%x00::1", i >> 8, i & 255);
		snprintf(near, sizeof(near), i % 2 ? "10.%u.%u.200" : "2001:db8:%x:%xff:1::1", i >> 8, i & 255);
		struct steer_choice all = choose(t, "s", 4, addr, 128, NULL, i), some = choose(t, "s", 4, addr, 128, up, 7);

		assert_int_equal(choose(t, "s", 4, near, 128, NULL, 99).chosen, all.chosen);
		assert_int_equal(choose(t, "s", 4, near, i % 2 ? 24 : 56, NULL, 99).chosen, all.chosen);
		assert_int_equal(all.scope, i % 2 ? 24 : 56);
		if (all.chosen == 2)
			moved++;
		else
			assert_int_equal(some.chosen, all.chosen);
	}
	assert_in_range(moved, 800, 1200);
	steer_table_free(t);
}

/* Rules of random networks in 10.0.0.0/24, and the same in IPv6: all 256 clients, against a plain search; all in the scope are given the same. */
static void test_scope(void **state)
{
	(void)state;
	srand(7);
	for (int round = 0; round < 200; round++) {
		struct ip_prefix nets[4][5];
		struct steer_choice got[2][256];
		uint32_t want[256];
		struct steer_table *t;
		struct text yaml;
		char buf[PREFIX_TEXT_MAX];

		text_init(&yaml);
		text_str(&yaml, NODES "pools:\n");
		for (int p = 0; p < 5; p++)
			text_fmt(&yaml, "  - {name: q%d, endpoints: [{name: a, address: 192.0.2.%d}]}\n", p, p + 1);
		text_str(&yaml, "steering:\n  - name: s\n    pool: q4\n    rules:\n");
		for (int r = 0; r < 4; r++) {
			text_str(&yaml, "      - {subnets: [");
			for (int n = 0; n < 5; n++) {
				uint8_t len = (uint8_t)(3 + rand() % 6), at = (uint8_t)(rand() & (0xff00 >> len));

				nets[r][n] = (struct ip_prefix){{.family = 4, .bytes = {10, 0, 0, at}}, (uint8_t)(24 + len)};
				text_fmt(&yaml, "%s%s", n ? ", " : "", prefix_text(&nets[r][n], buf));
				text_fmt(&yaml, ", \"2001:db8::%x00/%u\"", at, 112 + len);
			}
			text_fmt(&yaml, "], pool: q%d}\n", r);
		}
		t = table_of(yaml.chars, NULL);
		for (unsigned i = 0; i < 256; i++) {
			struct ip_addr a = {.family = 4, .bytes = {10, 0, 0, (uint8_t)i}};
			char addr[64];

			want[i] = 4;
			for (int r = 3; r >= 0; r--)
				for (int n = 0; n < 5; n++)
					if (prefix_contains(&nets[r][n], &a))
						want[i] = (uint32_t)r;
			got[0][i] = choose(t, "s", 4, addr_text(&a, addr), 32, NULL, 1);
			snprintf(addr, sizeof(addr), "2001:db8::%x77", i);
			got[1][i] = choose(t, "s", 4, addr, 128, NULL, 1);
			for (int v = 0; v < 2; v++) {
				assert_int_equal(got[v][i].pool, want[i]);
				assert_int_equal(got[v][i].rule, want[i] == 4 ? UINT32_MAX : want[i]);
			}
			assert_int_equal(got[0][i].scope > 24 ? got[0][i].scope - 24 : 0, got[1][i].scope > 112 ? got[1][i].scope - 112 : 0);
		}
		for (unsigned i = 0; i < 256; i++) {
			unsigned len = got[0][i].scope > 24 ? got[0][i].scope - 24U : 0;

			assert_true(len <= 8);
			for (unsigned k = 0; k < 256; k++)
				if (((i ^ k) & (0xff00U >> len) & 255) == 0)
					assert_int_equal(want[k], want[i]);
		}
		steer_table_free(t);
		text_done(&yaml);
	}
}

/* ---- sets to be signed ---- */

struct seen {
	struct {
		uint32_t pool;
		uint64_t chosen;
		bool given;
	} sets[4096];
	size_t count;
};

static int note(void *ctx, uint32_t pool, uint64_t chosen)
{
	struct seen *s = ctx;

	for (size_t i = 0; i < s->count; i++)
		assert_false(s->sets[i].pool == pool && s->sets[i].chosen == chosen);
	s->sets[s->count].pool = pool;
	s->sets[s->count].chosen = chosen;
	s->sets[s->count++].given = false;
	return 0;
}

/* Every state of health of two pools of five, many clients and chances: what is given is among the sets, and nothing else is. */
static void test_sets(void **state)
{
	static const char *const ways[] = {"weight", "sticky", "all"};
	static struct seen seen;
	unsigned bad = 0;

	(void)state;
	for (unsigned n = 0; n < 3 * 4 * 4; n++) {
		unsigned answers = n / 3 % 4, keep = n / 12;
		struct steer_table *t;
		struct text yaml;

		text_init(&yaml);
		text_fmt(&yaml, NODES
		         "pools:\n"
		         "  - {name: q, keep: %u, fallback: r, endpoints: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2, weight: 0}, {name: c, address: 192.0.2.3, priority: 3},\n"
		         "      {name: d, address: 192.0.2.4, weight: 50}, {name: e, address: 192.0.2.5, weight: 7}, {name: f, address: 192.0.2.6, disabled: true}]}\n"
		         "  - {name: r, keep: 1, endpoints: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2, priority: 2}, {name: g, address: \"2001:db8::1\"}]}\n"
		         "steering: [{name: s, pool: q, choose: %s, answers: %u}]\n",
		         keep, ways[n % 3], answers);
		t = table_of(yaml.chars, NULL);
		seen.count = 0;
		assert_int_equal(steer_each_set(t, 0, 4, 4096, note, &seen), 0);
		for (unsigned h = 0; h < 32 * 4; h++) {
			_Atomic uint64_t up[2] = {(h & 31) | 32, h >> 5};

			for (uint32_t round = 0; round < 200; round++) {
				char addr[32];
				bool found = false;

				snprintf(addr, sizeof(addr), "10.%u.%u.1", round, h);
				struct steer_choice c = choose(t, "s", 4, addr, 32, up, round * 77777777U + h);

				if (!c.chosen) {
					assert_true(keep == 0 && !c.foreign);
					continue;
				}
				for (size_t i = 0; i < seen.count && !found; i++) {
					found = seen.sets[i].pool == c.pool && seen.sets[i].chosen == c.chosen;
					seen.sets[i].given = seen.sets[i].given || found;
				}
				if (!found && !bad++)
					printf("%s answers %u keep %u: pool %u %llx with %x %x up is not foreseen\n", ways[n % 3], answers, keep, c.pool,
					       (unsigned long long)c.chosen, h & 31, h >> 5);
			}
		}
		for (size_t i = 0; i < seen.count; i++)
			if (!seen.sets[i].given && !bad++)
				printf("%s answers %u keep %u: pool %u %llx is never given\n", ways[n % 3], answers, keep, seen.sets[i].pool,
				       (unsigned long long)seen.sets[i].chosen);
		if (seen.count)
			assert_int_equal(steer_each_set(t, 0, 4, seen.count - 1, (int (*)(void *, uint32_t, uint64_t))note, &(struct seen){0}), ERR_LIMIT);
		steer_table_free(t);
		text_done(&yaml);
	}
	assert_int_equal(bad, 0);
}

static int stop(void *ctx, uint32_t pool, uint64_t chosen)
{
	(void)pool;
	(void)chosen;
	(*(int *)ctx)++;
	return ERR_CLOSED;
}

/* What would be too many is told so, soon. */
static void test_too_many(void **state)
{
	struct steer_table *t;
	struct text yaml;
	int calls = 0;

	(void)state;
	text_init(&yaml);
	text_str(&yaml, NODES "pools: [{name: q, keep: 40, endpoints: [");
	for (int i = 0; i < 64; i++)
		text_fmt(&yaml, "{name: e%d, address: 192.0.2.%d}, ", i, i);
	text_str(&yaml, "]}]\nsteering: [{name: s, pool: q, choose: all}]\n");
	t = table_of(yaml.chars, NULL);
	assert_int_equal(steer_each_set(t, 0, 4, 0, stop, &calls), ERR_LIMIT);
	assert_int_equal(calls, 0);
	assert_int_equal(steer_each_set(t, 0, 4, 4096, stop, &calls), ERR_CLOSED);
	assert_int_equal(calls, 1);
	for (int i = 0; i < 2; i++) {
		static struct seen seen;

		seen.count = 0;
		assert_int_equal(steer_each_set(t, 0, 4, 4000, note, &seen), ERR_LIMIT);
	}
	steer_table_free(t);
	text_done(&yaml);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_health), cmocka_unit_test(test_names), cmocka_unit_test(test_nodes), cmocka_unit_test(test_weights),
		cmocka_unit_test(test_sticky), cmocka_unit_test(test_scope), cmocka_unit_test(test_sets),  cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
