/* SPDX-License-Identifier: BSD-2-Clause */
/* What fingerprints find to differ against what comparing every record finds: the same, record by record, for random changes of a zone. */
#include "store_kit.h"

#include "base/err.h"
#include "dns/rr.h"
#include "zone/prints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { OWNERS = 4000, ROUNDS = 60 };

struct owner {
	struct name name;
	uint32_t addresses; /* a bit for each */
	uint32_t ttl;
	bool glue;          /* another name below it */
};

static struct owner owners[OWNERS];
static struct name apex;
static const uint8_t key[ZONE_PRINTS_KEY_LEN] = "0123456789abcdef";

static void put(struct content *c, const uint8_t *owner, uint16_t type, uint32_t ttl, const void *rdata, size_t len)
{
	struct rr rr = {.owner = owner, .type = type, .rclass = CLASS_IN, .ttl = ttl, .rdlen = (uint16_t)len, .rdata = rdata};

	assert_int_equal(content_add(c, &rr, NULL), 0);
}

static struct content *make(uint32_t serial)
{
	struct content *c = content_new(apex.wire);

	assert_non_null(c);
	kit_add_soa(c, apex.wire, serial);
	put(c, apex.wire, RR_NS, 300, "\2ns\0", 4);
	for (size_t i = 0; i < OWNERS; i++) {
		struct owner *o = &owners[i];

		for (uint8_t k = 0; k < 8; k++)
			if (o->addresses & 1U << k)
				put(c, o->name.wire, k & 1 ? RR_A : RR_TXT, o->ttl, (uint8_t[]){3, 'a', k, 'b'}, 4);
		if (o->glue) {
			uint8_t below[NAME_LEN_MAX] = {2, 'n', 's'};

			memcpy(below + 3, o->name.wire, o->name.len);
			put(c, below, RR_A, 60, "\1\2\3\4", 4);
		}
	}
	assert_int_equal(content_finish(c), 0);
	return c;
}

static void vary(struct rng *r, size_t i)
{
	struct owner *o = &owners[i];

	switch (rng_below(r, 6)) {
	case 0:
		o->addresses = 0;
		break;
	case 1:
		o->ttl = 300 + rng_below(r, 3);
		break;
	case 2:
		o->glue = !o->glue;
		break;
	case 3: /* the letters' case alone */
		if (o->name.len > 2 && o->name.wire[1] >= 'a' && o->name.wire[1] <= 'z')
			o->name.wire[1] ^= 0x20;
		break;
	default:
		o->addresses ^= 1U << rng_below(r, 8);
		break;
	}
}

static void same_content(const struct content *a, const struct content *b)
{
	assert_int_equal(content_record_count(a), content_record_count(b));
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

static void same_change(const struct store_snapshot *s, const struct store_zone *z, const struct content *to, const struct zone_prints *before,
                        const struct zone_prints *now)
{
	struct zone_change fast, slow;

	assert_int_equal(zone_difference_store(s, z, to, SIZE_MAX, &slow), 0);
	assert_int_equal(zone_difference_prints(before, now, s, z, to, SIZE_MAX, &fast), 0);
	same_content(slow.removed, fast.removed);
	same_content(slow.added, fast.added);
	if (zone_change_size(&slow) > 1)
		assert_int_equal(zone_difference_prints(before, now, s, z, to, zone_change_size(&slow) - 1, &(struct zone_change){0}), ERR_LIMIT);
	zone_change_done(&fast);
	zone_change_done(&slow);
}

static void test_against_all_records(void **state)
{
	struct rng r = {11};
	char *folder = kit_folder(), path[300];
	struct zone_prints *before = NULL, *now, *by_many;
	struct store_open_info info;
	struct store_writer *w;
	struct store_snapshot s;
	uint64_t generation;

	(void)state;
	snprintf(path, sizeof(path), "%s/store", folder);
	apex = kit_name("test.");
	for (size_t i = 0; i < OWNERS; i++) {
		char text[40];

		snprintf(text, sizeof(text), "n%u-%zu.test.", rng_below(&r, 1000000), i);
		owners[i] = (struct owner){.name = kit_name(text), .addresses = rng_below(&r, 256), .ttl = 300, .glue = !rng_below(&r, 5)};
	}
	assert_int_equal(store_writer_open(path, NULL, 0, &w, &info), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		/* None, one, few, at one place, many, all. */
		unsigned changes = (const unsigned[]){0, 1, 5, 60, 500, OWNERS}[round % 6], at = rng_below(&r, OWNERS);
		struct content *c;

		for (unsigned i = 0; i < changes; i++)
			vary(&r, round % 4 ? rng_below(&r, OWNERS) : (at + i) % OWNERS);
		c = make(round + 1);
		assert_int_equal(zone_prints_make(c, key, 1, &now), 0);
		assert_int_equal(zone_prints_make(c, key, 1 + rng_below(&r, 8), &by_many), 0);
		assert_int_equal(now->count, by_many->count);
		assert_memory_equal(now->list, by_many->list, now->count * sizeof(*now->list));
		assert_memory_equal(now->first, by_many->first, (now->count + 1) * sizeof(*now->first));
		zone_prints_free(by_many);
		if (before) {
			store_writer_snapshot(w, &s);
			same_change(&s, store_zone_get(&s, apex.wire), c, before, now);
		}
		assert_int_equal(kit_put(w, apex.wire, c), 0);
		assert_int_equal(store_commit(w, &generation), 0);
		zone_prints_free(before);
		before = now;
		zone_prints_detach(before);
		content_free(c);
	}
	zone_prints_free(before);
	store_writer_close(w);
	kit_folder_free(folder);
}

/* Another key, or another octet anywhere, is another fingerprint. */
static void test_prints(void **state)
{
	static const uint8_t other[ZONE_PRINTS_KEY_LEN] = "0123456789abcdeF";
	struct zone_prints *a, *b;
	struct content *c;

	(void)state;
	apex = kit_name("test.");
	memset(owners, 0, sizeof(owners));
	owners[0] = (struct owner){.name = kit_name("a-name-that-is-longer-than-sixteen-octets.test."), .addresses = 255, .ttl = 1};
	c = make(1);
	assert_int_equal(zone_prints_make(c, key, 2, &a), 0);
	assert_int_equal(zone_prints_make(c, other, 2, &b), 0);
	assert_int_equal(a->count, 2);
	assert_int_not_equal(a->list[0], b->list[0]);
	assert_int_not_equal(a->list[1], b->list[1]);
	zone_prints_free(b);
	content_free(c);
	for (size_t i = 1; i + 5 < owners[0].name.len; i++) {
		owners[0].name.wire[i] ^= 0x20;
		c = make(1);
		assert_int_equal(zone_prints_make(c, key, 3, &b), 0);
		assert_int_equal(a->list[0], b->list[0]);
		assert_int_not_equal(a->list[1], b->list[1]);
		zone_prints_free(b);
		content_free(c);
		owners[0].name.wire[i] ^= 0x20;
	}
	zone_prints_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_all_records), cmocka_unit_test(test_prints)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
