/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal's calls, one by one: what is refused and how, histories and their limits, timers, zones, notes. */
#include "journal_kit.h"

#include "base/err.h"
#include "journal/rows.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "journal_rig.h"

/* ---- what is refused ---- */

static const uint8_t soa5[22] = {[5] = 5}, soa6[22] = {[5] = 6};
static const uint8_t soa4[22] = {[5] = 4};
static const uint8_t outside[] = "\x05" "other";

static void test_refused_differences(void **state)
{
	const struct rr old = {.owner = kit_apex, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 3600, .rdlen = 22, .rdata = soa5};
	const struct rr fresh = {.owner = kit_apex, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 3600, .rdlen = 22, .rdata = soa6};
	const struct rr back = {.owner = kit_apex, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 3600, .rdlen = 22, .rdata = soa4};
	const struct rr a = {.owner = kit_apex, .type = RR_A, .rclass = CLASS_IN, .ttl = 1, .rdlen = 4, .rdata = (const uint8_t *)"\1\2\3\4"};
	const struct rr chaos = {.owner = kit_apex, .type = RR_A, .rclass = CLASS_CH, .rdlen = 4, .rdata = a.rdata};
	const struct rr question = {.owner = kit_apex, .type = RR_ANY, .rclass = CLASS_IN, .rdlen = 4, .rdata = a.rdata};
	const struct rr broken = {.owner = kit_apex, .type = RR_A, .rclass = CLASS_IN, .rdlen = 3, .rdata = a.rdata};
	const struct rr foreign = {.owner = outside, .type = RR_A, .rclass = CLASS_IN, .rdlen = 4, .rdata = a.rdata};
	const struct {
		const char *title;
		uint32_t from, to;
		struct rr deleted[3], added[3];
		size_t deleted_count, added_count;
		int want;
		const char *says;
	} cases[] = {
	        {"from another version", 4, 6, {back}, {fresh}, 1, 1, ERR_STALE, "from serial 4, but the newest version is 5"},
	        {"backwards", 5, 4, {old}, {back}, 1, 1, ERR_INVALID, "does not go forward"},
	        {"to itself", 5, 5, {old}, {old}, 1, 1, ERR_INVALID, "does not go forward"},
	        {"half of all serials away", 5, 0x80000005, {old}, {fresh}, 1, 1, ERR_INVALID, "does not go forward"},
	        {"no SOA deleted", 5, 6, {a}, {fresh}, 0, 1, ERR_INVALID, "without SOA"},
	        {"no SOA added", 5, 6, {old}, {a}, 1, 1, ERR_INVALID, "without SOA"},
	        {"two SOA added", 5, 6, {old}, {fresh, fresh}, 1, 2, ERR_INVALID, "SOA records are not those"},
	        {"SOA of another serial", 5, 6, {old}, {back}, 1, 1, ERR_INVALID, "SOA records are not those"},
	        {"twice", 5, 6, {old}, {fresh, a, a}, 1, 3, ERR_INVALID, "zone.example. A is added twice"},
	        {"other class", 5, 6, {old}, {fresh, chaos}, 1, 2, ERR_INVALID, "no record of a zone"},
	        {"type of questions", 5, 6, {old}, {fresh, question}, 1, 2, ERR_INVALID, "no record of a zone"},
	        {"short address", 5, 6, {old}, {fresh, broken}, 1, 2, ERR_INVALID, "no record of a zone"},
	        {"outside", 5, 6, {old}, {fresh, foreign}, 1, 2, ERR_INVALID, "other. A is outside the zone"},
	        {"good", 5, 6, {old}, {fresh, a}, 1, 2, 0, ""},
	};

	(void)state;
	put_whole(5);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct journal_change c = {.from = cases[i].from, .to = cases[i].to, .deleted = cases[i].deleted, .added = cases[i].added,
		                           .deleted_count = cases[i].deleted_count, .added_count = cases[i].added_count};
		int err = kit_put_change(journal, &c, NULL, &why);

		if (err != cases[i].want || !strstr(why.chars, cases[i].says))
			fail_msg("%s: %d, %s", cases[i].title, err, why.chars);
		assert_string_equal(kept(), err ? "5" : "5 6");
	}
	/* Without anything to add to. */
	journal_close(journal);
	kit_folder_free(folder);
	folder = kit_folder();
	journal = open_in(folder, NULL);
	{
		struct journal_change *c = kit_change(&zone, 5, 6);

		assert_int_equal(kit_put_change(journal, c, NULL, &why), ERR_NOT_FOUND);
		assert_string_equal(why.chars, "zone zone.example.: no version to which a difference could be added");
		kit_change_free(c);
	}
}

static int put_bad_facts(struct journal_txn *t, void *ctx)
{
	struct journal_version v = kit_version(9);

	if (*(int *)ctx == 0)
		v.serial = 8;
	else if (*(int *)ctx == 1)
		v.digest_len = JOURNAL_DIGEST_MAX + 1;
	else if (*(int *)ctx == 2)
		memset(v.who, 'x', sizeof(v.who));
	else
		v.origin = JOURNAL_ORIGINS;
	{
		struct content *c = kit_content(&zone, 9);
		int err = journal_put_whole(t, c, &v);

		content_free(c);
		return err;
	}
}

static void test_refused_versions(void **state)
{
	struct content *empty = content_new(kit_apex);
	struct journal_zone z;

	(void)state;
	assert_non_null(empty);
	assert_int_equal(content_finish(empty), 0);
	assert_int_equal(kit_put_whole(journal, empty, &why), ERR_INVALID);
	assert_non_null(strstr(why.chars, "one SOA"));
	content_free(empty);
	for (int i = 0; i < 4; i++)
		assert_int_equal(journal_write(journal, put_bad_facts, &i, &why), ERR_INVALID);
	assert_int_equal(kit_get_zone(journal, &z), ERR_NOT_FOUND); /* nothing of them stayed */
}

/* A difference that the zone never had is found when it is read, and never given as good. */
static void test_false_difference(void **state)
{
	const struct rr old = {.owner = kit_apex, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 3600, .rdlen = 22, .rdata = soa5};
	const struct rr fresh = {.owner = kit_apex, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 3600, .rdlen = 22, .rdata = soa6};
	const struct rr a = {.owner = kit_apex, .type = RR_A, .rclass = CLASS_IN, .ttl = 1, .rdlen = 4, .rdata = (const uint8_t *)"\1\2\3\4"};
	const struct rr ns = {.owner = kit_apex, .type = RR_NS, .rclass = CLASS_IN, .ttl = 1, .rdlen = 4, .rdata = (const uint8_t *)"\x02ns"};
	const struct rr deleted[] = {old, a}, added[] = {fresh, ns};
	const struct {
		struct journal_change change;
		const char *says;
	} cases[] = {
	        {{5, 6, deleted, &fresh, 2, 1}, "deletes zone.example. A, which is not there"},
	        {{5, 6, &old, added, 1, 2}, "adds zone.example. NS, which is there"},
	};
	struct content *c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum journal_outcome outcome;
		const struct journal_keep keep = {0};

		put_whole(5);
		assert_int_equal(kit_put_change(journal, &cases[i].change, NULL, &why), 0);
		assert_int_equal(kit_get_content(journal, 6, &c, &why), ERR_MALFORMED);
		assert_non_null(strstr(why.chars, cases[i].says));
		assert_int_equal(kit_get_content(journal, 5, &c, &why), 0);
		content_free(c);
		/* Neither does it get into the whole version. */
		c = kit_content(&zone, 7);
		assert_int_equal(kit_put_version(journal, c, &keep, &outcome, &why), ERR_MALFORMED);
		content_free(c);
	}
	put_whole(7);
	assert_string_equal(kept(), "7");
}

/* ---- versions by comparison ---- */

static void test_put_version(void **state)
{
	static const struct {
		const char *title;
		uint32_t serial;
		enum journal_outcome want;
		const char *kept;
	} cases[] = {
	        {"first", 10, JOURNAL_STORED_WHOLE, "10"},
	        {"the same", 10, JOURNAL_UNCHANGED, "10"},
	        {"forward", 11, JOURNAL_STORED_DIFFERENCE, "10 11"},
	        {"the newest again", 11, JOURNAL_UNCHANGED, "10 11"},
	        {"far forward", 5000, JOURNAL_STORED_DIFFERENCE, "10 11 5000"},
	        {"around", 5000 + 0x7fffffffU, JOURNAL_STORED_DIFFERENCE, "10 11 5000 2147488647"},
	        {"back", 12, JOURNAL_STORED_DIFFERENCE, "10 11 5000 2147488647 12"},
	        {"back a little", 11, JOURNAL_STORED_WHOLE, "11"},
	        {"undefined (RFC 1982 3.2)", 11 + 0x80000000U, JOURNAL_STORED_WHOLE, "2147483659"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct content *c = kit_content(&zone, cases[i].serial), *got;
		enum journal_outcome outcome;

		if (kit_put_version(journal, c, NULL, &outcome, &why) != 0)
			fail_msg("%s: %s", cases[i].title, why.chars);
		if (outcome != cases[i].want || strcmp(kept(), cases[i].kept) != 0)
			fail_msg("%s: outcome %d, kept %s", cases[i].title, outcome, kept());
		assert_int_equal(kit_get_content(journal, cases[i].serial, &got, &why), 0);
		assert_int_equal(kit_sum(got), kit_sum(c));
		content_free(got);
		content_free(c);
	}
}

/* Same serial, other content: it is stored, but not as a difference, which would lead from a serial to itself. */
static void test_same_serial(void **state)
{
	const struct kit_zone other = {.seed = 4, .names = 60, .calm = 10};
	struct content *c = kit_content(&other, 10), *got;
	enum journal_outcome outcome;

	(void)state;
	put_whole(9);
	put_change(9, 10, NULL);
	assert_int_equal(kit_put_version(journal, c, NULL, &outcome, &why), 0);
	assert_int_equal(outcome, JOURNAL_STORED_WHOLE);
	assert_string_equal(kept(), "10");
	assert_int_equal(kit_get_content(journal, 10, &got, &why), 0);
	assert_int_equal(kit_sum(got), kit_sum(c));
	content_free(got);
	content_free(c);
}

/* Most of a large zone changes: a difference where history may have that much, so that the version before can be gone back to. */
static void test_large_difference(void **state)
{
	const struct kit_zone a = {.seed = 5, .names = 4000, .calm = 10}, b = {.seed = 6, .names = 4000, .calm = 10};
	const struct journal_keep little = {.differences_max = 10, .octets_max = 64 << 10}, much = {.differences_max = 10, .octets_max = 16 << 20};
	struct content *first = kit_content(&a, 1), *second = kit_content(&b, 2), *third = kit_content(&a, 3), *got;
	enum journal_outcome outcome;

	(void)state;
	assert_int_equal(kit_put_version(journal, first, &little, &outcome, &why), 0);
	assert_int_equal(kit_put_version(journal, second, &little, &outcome, &why), 0);
	assert_int_equal(outcome, JOURNAL_STORED_WHOLE);
	assert_string_equal(kept(), "2");
	assert_int_equal(kit_put_version(journal, third, &much, &outcome, &why), 0);
	assert_int_equal(outcome, JOURNAL_STORED_DIFFERENCE);
	assert_string_equal(kept(), "2 3");
	assert_int_equal(kit_get_content(journal, 2, &got, &why), 0);
	assert_int_equal(kit_sum(got), kit_sum(second));
	content_free(got);
	content_free(third);
	content_free(first);
	content_free(second);
}

static int put_contents(struct journal_txn *t, void *ctx)
{
	struct content **sides = ctx;
	const struct journal_version v = kit_version(6);

	return journal_put_contents(t, sides[0], sides[1], &v, NULL);
}

static void test_put_contents(void **state)
{
	struct journal_change *change = kit_change(&zone, 5, 6);
	struct content *sides[2], *got, *want = kit_content(&zone, 6);

	(void)state;
	put_whole(5);
	for (unsigned i = 0; i < 2; i++) {
		const struct rr *list = i ? change->added : change->deleted;

		sides[i] = content_new(kit_apex);
		for (size_t k = 0; k < (i ? change->added_count : change->deleted_count); k++)
			assert_int_equal(content_add(sides[i], &list[k], NULL), 0);
		assert_int_equal(content_finish(sides[i]), 0);
	}
	assert_int_equal(journal_write(journal, put_contents, sides, &why), 0);
	assert_int_equal(kit_get_content(journal, 6, &got, &why), 0);
	assert_int_equal(kit_sum(got), kit_sum(want));
	assert_int_equal(journal_write(journal, put_contents, sides, &why), ERR_STALE);
	content_free(got);
	content_free(want);
	content_free(sides[0]);
	content_free(sides[1]);
	kit_change_free(change);
}

/* The apex is found in any letter case, and owners come out as they went in. */
static int get_shouted(struct journal_txn *t, void *ctx)
{
	static const uint8_t shouted[] = "\x04" "ZONE" "\x07" "EXAMPLE";

	return journal_get_content(t, shouted, 6, ctx);
}

static void test_letter_case(void **state)
{
	struct content *want = kit_content(&zone, 6), *got;

	(void)state;
	put_whole(5);
	put_change(5, 6, NULL);
	assert_int_equal(journal_read(journal, get_shouted, &got, &why), 0);
	assert_int_equal(kit_sum(got), kit_sum(want));
	content_free(got);
	content_free(want);
}

/* ---- limits of history ---- */

static void test_limits(void **state)
{
	static const struct {
		const char *title;
		struct journal_keep keep;
		uint32_t last;
		const char *kept;
	} cases[] = {
	        {"none", {.octets_max = 1 << 20}, 104, "104"},
	        {"three", {.differences_max = 3, .octets_max = 1 << 20}, 104, "101 102 103 104"},
	        {"no octets", {.differences_max = 100}, 103, "103"},
	        {"sixteen, with two more before work is done", {.differences_max = 16, .octets_max = 1 << 20}, 118,
	         "100 101 102 103 104 105 106 107 108 109 110 111 112 113 114 115 116 117 118"},
	        {"then it is", {.differences_max = 16, .octets_max = 1 << 20}, 119,
	         "103 104 105 106 107 108 109 110 111 112 113 114 115 116 117 118 119"},
	        /* Versions are 10 s apart, and periods end with serials 100, 103, 106. */
	        {"one in 30 s", {.differences_max = 100, .octets_max = 1 << 20, .all_s = 1, .step_s = 30}, 112, "100 103 106 109 111 112"},
	        {"one in 30 s, but the last 50 s", {.differences_max = 100, .octets_max = 1 << 20, .all_s = 50, .step_s = 30}, 112,
	         "100 103 106 107 108 109 110 111 112"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		put_whole(100);
		for (uint32_t serial = 100; serial < cases[i].last; serial++)
			put_change(serial, serial + 1, &cases[i].keep);
		if (strcmp(kept(), cases[i].kept) != 0)
			fail_msg("%s: %s", cases[i].title, kept());
		if (kit_verify(journal, &zone, &why) < 1)
			fail_msg("%s: %s", cases[i].title, why.chars);
	}
}

/* A record that fills a chunk of its own goes: so does the chunk. */
static void test_emptied_chunk(void **state)
{
	static uint8_t large[40000], soa[2][22];
	const struct journal_keep none = {0};
	struct content *c = content_new(kit_apex), *got;
	struct rr rr = {.owner = kit_apex, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 3600, .rdlen = 22, .rdata = soa[0]}, gone, fresh;

	(void)state;
	assert_non_null(c);
	for (unsigned i = 0; i < 5; i++) {
		char label[2] = {(char)('a' + i), 0};
		const struct name owner = kit_name(label);

		if (!i)
			assert_int_equal(content_add(c, &rr, NULL), 0);
		rr = (struct rr){.owner = owner.wire, .type = 65280, .rclass = CLASS_IN, .ttl = 1, .rdlen = sizeof(large) - 1, .rdata = large};
		assert_int_equal(content_add(c, &rr, NULL), 0);
	}
	assert_int_equal(content_finish(c), 0);
	assert_int_equal(kit_put_whole(journal, c, &why), 0);
	content_free(c);
	for (uint32_t serial = 0; serial < 5; serial++) {
		const struct name owner = kit_name((const char[]){(char)('a' + (serial * 2 + 1) % 5), 0});
		struct rr deleted[2];

		soa[serial % 2][5] = (uint8_t)serial;
		soa[1 - serial % 2][5] = (uint8_t)(serial + 1);
		gone = (struct rr){.owner = kit_apex, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 3600, .rdlen = 22, .rdata = soa[serial % 2]};
		fresh = gone;
		fresh.rdata = soa[1 - serial % 2];
		deleted[0] = gone;
		deleted[1] = rr;
		deleted[1].owner = owner.wire;
		if (kit_put_change(journal,
		                   &(struct journal_change){.from = serial, .to = serial + 1, .deleted = deleted, .deleted_count = 2, .added = &fresh, .added_count = 1},
		                   &none, &why) != 0)
			fail_msg("%u: %s", serial, why.chars);
		if (kit_get_content(journal, serial + 1, &got, &why) != 0)
			fail_msg("%u: %s", serial, why.chars);
		assert_int_equal(content_record_count(got), 5 - serial);
		content_free(got);
	}
}

static int entry_at(void *ctx, const struct journal_entry *e)
{
	struct journal_entry *want = ctx;

	if (e->version.serial == want->version.serial)
		*want = *e;
	return 0;
}

static int read_entry(struct journal_txn *t, void *ctx)
{
	return journal_history(t, kit_apex, entry_at, ctx);
}

static void test_history(void **state)
{
	const struct journal_keep keep = {.differences_max = 100, .octets_max = 1 << 20, .all_s = 1, .step_s = 30};
	struct journal_change *change = kit_change(&zone, 103, 106);
	struct content *c = kit_content(&zone, 106);
	struct journal_entry e = {.version.serial = 100};

	(void)state;
	put_whole(100);
	for (uint32_t serial = 100; serial < 110; serial++)
		put_change(serial, serial + 1, &keep);
	assert_int_equal(journal_read(journal, read_entry, &e, &why), 0);
	assert_true(e.is_whole && e.octets > 100 && !e.from && !e.deleted && !e.added);
	e.version.serial = 106;
	assert_int_equal(journal_read(journal, read_entry, &e, &why), 0);
	assert_false(e.is_whole);
	assert_int_equal(e.from, 103);
	assert_int_equal(e.merged, 2);
	assert_int_equal(e.deleted, change->deleted_count);
	assert_int_equal(e.added, change->added_count);
	assert_int_equal(e.records, content_record_count(c));
	assert_string_equal(e.version.who, "maker of 106");
	content_free(c);
	kit_change_free(change);
}

/* ---- differences out ---- */

struct ask {
	uint32_t from, to;
	bool condensed;
	uint64_t octets_max;
	struct journal_changes got;
};

static int get_changes(struct journal_txn *t, void *ctx)
{
	struct ask *a = ctx;

	return journal_get_changes(t, kit_apex, a->from, a->to, a->condensed, a->octets_max, &a->got);
}

static uint64_t sum(const struct rr *list, size_t count)
{
	uint64_t s = 0;

	for (size_t i = 0; i < count; i++)
		s += record_sum(&list[i]) ^ list[i].ttl;
	return s;
}

static void test_get_changes(void **state)
{
	static const struct {
		uint32_t from, to;
		bool condensed;
		uint64_t octets_max;
		int want; /* differences, or an error */
	} cases[] = {
	        {20, 25, false, UINT64_MAX, 5}, {20, 25, true, UINT64_MAX, 1}, {22, 25, false, UINT64_MAX, 3}, {24, 25, false, UINT64_MAX, 1},
	        {25, 25, false, 0, 0},          {25, 25, true, 0, 0},          {20, 20, false, 0, 0},          {20, 22, false, UINT64_MAX, 2},
	        {25, 20, false, UINT64_MAX, 1}, {24, 22, true, UINT64_MAX, 1}, {20, 25, false, 200, ERR_LIMIT}, {20, 25, true, 200, ERR_LIMIT},
	        {19, 25, false, 0, ERR_NOT_FOUND}, {25, 26, true, 0, ERR_NOT_FOUND},
	};

	(void)state;
	put_whole(20);
	for (uint32_t serial = 20; serial < 25; serial++)
		put_change(serial, serial + 1, NULL);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ask a = {.from = cases[i].from, .to = cases[i].to, .condensed = cases[i].condensed, .octets_max = cases[i].octets_max};
		int err = journal_read(journal, get_changes, &a, &why);
		uint64_t octets = 0;

		if ((err ? err : (int)a.got.count) != cases[i].want)
			fail_msg("%zu: %d, %zu differences, %s", i, err, a.got.count, why.chars);
		if (err)
			continue;
		for (size_t k = 0; k < a.got.count; k++) {
			const struct journal_change *got = &a.got.items[k];
			struct journal_change *want = kit_change(&zone, got->from, got->to);

			assert_int_equal(got->from, k ? a.got.items[k - 1].to : cases[i].from);
			assert_int_equal(got->deleted_count, want->deleted_count);
			assert_int_equal(got->added_count, want->added_count);
			assert_int_equal(sum(got->deleted, got->deleted_count), sum(want->deleted, want->deleted_count));
			assert_int_equal(sum(got->added, got->added_count), sum(want->added, want->added_count));
			for (size_t n = 0; n < got->added_count; n++) {
				octets += record_octets(&got->added[n]);
				assert_true(!n || record_order(&got->added[n - 1], &got->added[n]) < 0);
			}
			for (size_t n = 0; n < got->deleted_count; n++) {
				octets += record_octets(&got->deleted[n]);
				assert_true(!n || record_order(&got->deleted[n - 1], &got->deleted[n]) < 0);
			}
			kit_change_free(want);
		}
		if (a.got.count)
			assert_int_equal(a.got.items[a.got.count - 1].to, cases[i].to);
		assert_int_equal(a.got.octets, octets);
		journal_changes_done(&a.got);
	}
}

/* ---- timers and zones ---- */

struct zones {
	char names[200];
	unsigned count;
};

static int note_zone(void *ctx, const uint8_t *apex, const struct journal_zone *z)
{
	struct zones *all = ctx;
	char name[NAME_TEXT_MAX];

	name_to_text(apex, name);
	snprintf(all->names + strlen(all->names), sizeof(all->names) - strlen(all->names), "%s%s ", name, z->has_version ? "+" : "");
	all->count++;
	return 0;
}

static int list_zones(struct journal_txn *t, void *ctx)
{
	return journal_each_zone(t, note_zone, ctx);
}

struct timed {
	struct name apex;
	struct journal_timers timers;
};

static int set_timers(struct journal_txn *t, void *ctx)
{
	struct timed *p = ctx;

	return journal_set_timers(t, p->apex.wire, &p->timers);
}

static int get_timers(struct journal_txn *t, void *ctx)
{
	struct timed *p = ctx;

	return journal_get_timers(t, p->apex.wire, &p->timers);
}

static int remove_zone(struct journal_txn *t, void *ctx)
{
	return journal_remove_zone(t, ((struct timed *)ctx)->apex.wire);
}

static void test_timers_and_zones(void **state)
{
	struct timed longest = {.timers = {.refreshed_s = 1}}, root = {.apex = {.len = 1}, .timers = {.expire_at_s = 2, .error = "refused"}},
	             back = {0}, main_zone = {.timers = {.refreshed_s = 7, .has_expire_option = true, .expire_option_s = 604800, .primary = "192.0.2.1"}};
	struct zones all = {0};
	struct content *c;

	(void)state;
	name_copy(&main_zone.apex, kit_apex);
	for (unsigned i = 0; i < 3; i++) {
		longest.apex.wire[i * 64] = 63;
		memset(longest.apex.wire + i * 64 + 1, 'x', 63);
	}
	longest.apex.wire[192] = 61;
	memset(longest.apex.wire + 193, 0xff, 61);
	longest.apex.wire[254] = 0;
	longest.apex.len = 255;
	back.apex = main_zone.apex;
	assert_int_equal(journal_read(journal, get_timers, &back, &why), ERR_NOT_FOUND);
	assert_int_equal(journal_write(journal, set_timers, &longest, &why), 0);
	assert_int_equal(journal_write(journal, set_timers, &root, &why), 0);
	put_whole(5);
	put_change(5, 6, NULL);
	assert_int_equal(journal_read(journal, get_timers, &back, &why), ERR_NOT_FOUND); /* a version, but no timers yet */
	assert_int_equal(journal_write(journal, set_timers, &main_zone, &why), 0);
	journal_close(journal);
	journal = open_in(folder, NULL);
	back.apex.wire[1] = 'Z'; /* whatever its case */
	assert_int_equal(journal_read(journal, get_timers, &back, &why), 0);
	assert_memory_equal(&back.timers, &main_zone.timers, sizeof(back.timers));
	back.apex = root.apex;
	assert_int_equal(journal_read(journal, get_timers, &back, &why), 0);
	assert_string_equal(back.timers.error, "refused");
	assert_int_equal(journal_read(journal, list_zones, &all, &why), 0);
	assert_int_equal(all.count, 3);
	assert_true(strncmp(all.names, ". zone.example.+ xxx", 19) == 0);
	assert_string_equal(kept(), "5 6");
	/* Timers leave versions alone, and a version timers. */
	put_change(6, 7, NULL);
	back.apex = main_zone.apex;
	assert_int_equal(journal_read(journal, get_timers, &back, &why), 0);
	assert_int_equal(back.timers.refreshed_s, 7);
	memset(main_zone.timers.error, 'e', sizeof(main_zone.timers.error));
	assert_int_equal(journal_write(journal, set_timers, &main_zone, &why), ERR_INVALID);
	/* Gone with all its rows, and like new when it comes again. */
	assert_int_equal(journal_write(journal, remove_zone, &main_zone, &why), 0);
	assert_int_equal(journal_write(journal, remove_zone, &main_zone, &why), ERR_NOT_FOUND);
	assert_int_equal(kit_get_content(journal, 7, &c, &why), ERR_NOT_FOUND);
	assert_int_equal(journal_read(journal, get_timers, &back, &why), ERR_NOT_FOUND);
	put_whole(9);
	assert_string_equal(kept(), "9");
	assert_int_equal(kit_verify(journal, &zone, &why), 1);
}

/* ---- notes ---- */

struct noted {
	struct name apex;
	size_t len;
	uint8_t octets[JOURNAL_NOTE_MAX + 1];
};

static int set_note(struct journal_txn *t, void *ctx)
{
	struct noted *n = ctx;

	return journal_set_note(t, n->apex.wire, JOURNAL_NOTE_HELD, n->octets, n->len);
}

static int get_note(struct journal_txn *t, void *ctx)
{
	struct noted *n = ctx;

	return journal_get_note(t, n->apex.wire, JOURNAL_NOTE_HELD, n->octets, &n->len);
}

static int count_note(void *ctx, const uint8_t *apex, const uint8_t *octets, size_t len)
{
	struct zones *all = ctx;
	char name[NAME_TEXT_MAX];

	name_to_text(apex, name);
	snprintf(all->names + strlen(all->names), sizeof(all->names) - strlen(all->names), "%s=%.*s ", name, (int)len, (const char *)octets);
	all->count++;
	return 0;
}

static int list_notes(struct journal_txn *t, void *ctx)
{
	return journal_each_note(t, JOURNAL_NOTE_HELD, count_note, ctx);
}

static void test_notes(void **state)
{
	struct noted a = {.apex = {.len = 1}, .len = 3, .octets = "one"}, b = {.len = 3, .octets = "two"}, back = {.len = 0};
	struct journal_timers timers = {.refreshed_s = 1};
	struct timed timed = {.timers = timers};
	struct zones all = {0};

	(void)state;
	name_copy(&b.apex, kit_apex);
	name_copy(&back.apex, kit_apex);
	name_copy(&timed.apex, kit_apex);
	assert_int_equal(journal_read(journal, get_note, &b, &why), ERR_NOT_FOUND);
	assert_int_equal(journal_write(journal, set_note, &a, &why), 0);
	assert_int_equal(journal_write(journal, set_note, &b, &why), 0);
	assert_int_equal(journal_write(journal, set_timers, &timed, &why), 0);
	assert_int_equal(journal_read(journal, get_note, &back, &why), 0);
	assert_int_equal(back.len, 3);
	assert_memory_equal(back.octets, "two", 3);
	assert_int_equal(journal_read(journal, list_notes, &all, &why), 0);
	assert_int_equal(all.count, 2);
	assert_non_null(strstr(all.names, "=one"));
	assert_non_null(strstr(all.names, "=two"));
	b.len = JOURNAL_NOTE_MAX + 1;
	assert_int_equal(journal_write(journal, set_note, &b, &why), ERR_INVALID);
	b.len = 0;
	assert_int_equal(journal_write(journal, set_note, &b, &why), 0);
	assert_int_equal(journal_read(journal, get_note, &back, &why), ERR_NOT_FOUND);
	/* They go with their zone. */
	timed.apex = a.apex;
	assert_int_equal(journal_write(journal, remove_zone, &timed, &why), 0);
	memset(&all, 0, sizeof(all));
	assert_int_equal(journal_read(journal, list_notes, &all, &why), 0);
	assert_int_equal(all.count, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	        CASE(test_refused_differences), CASE(test_refused_versions), CASE(test_false_difference), CASE(test_put_version),
	        CASE(test_same_serial), CASE(test_large_difference), CASE(test_put_contents), CASE(test_letter_case),
	        CASE(test_limits), CASE(test_emptied_chunk), CASE(test_history), CASE(test_get_changes),
	        CASE(test_timers_and_zones), CASE(test_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
