/* SPDX-License-Identifier: BSD-2-Clause */
/* Damage to the structure of LMDB's file, one kind at a time, in the image of a real journal. */
#include "journal_kit.h"

#include "base/err.h"
#include "journal/pages.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE = 4096, IMAGE_MAX = 8 << 20, META_DBS = 16 + 24, DB = 48, ROOT = 40, HEADER = 16, BRANCH = 1, LEAF = 2, OVERFLOW_RUN = 4, BIG = 1 };

static uint8_t *image, *damaged;
static size_t image_len, damaged_len, fail_at;

static uint64_t get(const uint8_t *p, size_t octets)
{
	uint64_t v = 0;

	memcpy(&v, p, octets); /* as LMDB has it: the machine's order, which is little-endian wherever this runs */
	return v;
}

static void put(uint8_t *p, uint64_t v, size_t octets)
{
	memcpy(p, &v, octets);
}

static int read_damaged(void *ctx, uint64_t offset, void *buf, size_t len)
{
	(void)ctx;
	if (offset > damaged_len || len > damaged_len - offset || (fail_at && offset >= fail_at))
		return -EIO;
	memcpy(buf, damaged + offset, len);
	return 0;
}

static int check(struct text *why)
{
	const struct pages_source s = {.read = read_damaged, .octets = damaged_len};

	text_clear(why);
	return pages_check(&s, why);
}

/* A journal with a tree of two levels, long values and a free list. */
static int setup(void **state)
{
	const struct kit_zone zone = {.seed = 21, .names = 500, .calm = 20, .text = 2000};
	char *folder = kit_folder(), path[600];
	struct journal *j;
	struct content *c = kit_content(&zone, 1);
	FILE *f;

	(void)state;
	image = malloc(IMAGE_MAX);
	damaged = malloc(IMAGE_MAX);
	assert_true(image && damaged);
	assert_int_equal(journal_open(folder, NULL, NULL, &j), 0);
	assert_int_equal(kit_put_whole(j, c, NULL), 0);
	content_free(c);
	for (uint32_t serial = 1; serial < 40; serial++) {
		struct journal_change *change = kit_change(&zone, serial, serial + 1);

		assert_int_equal(kit_put_change(j, change, NULL, NULL), 0);
		kit_change_free(change);
	}
	journal_close(j);
	snprintf(path, sizeof(path), "%s/journal.lmdb", folder);
	f = fopen(path, "rb");
	assert_non_null(f);
	image_len = fread(image, 1, IMAGE_MAX, f);
	fclose(f);
	assert_true(image_len > 20 * PAGE && image_len < IMAGE_MAX);
	kit_folder_free(folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(image);
	free(damaged);
	return 0;
}

/* ---- where things are ---- */

static uint8_t *meta(void)
{
	uint64_t a = get(damaged + META_DBS + 2 * DB + 8, 8), b = get(damaged + PAGE + META_DBS + 2 * DB + 8, 8);

	return a < b ? damaged + PAGE : damaged;
}

static uint8_t *page(uint64_t n)
{
	return damaged + n * PAGE;
}

static uint8_t *root(unsigned db)
{
	return page(get(meta() + META_DBS + db * DB + ROOT, 8));
}

static uint8_t *node(uint8_t *p, unsigned i)
{
	return p + get(p + HEADER + 2 * i, 2);
}

static uint64_t child(const uint8_t *n)
{
	return get(n, 6);
}

static uint8_t *leaf(void)
{
	uint8_t *p = root(1);

	assert_int_equal(get(p + 10, 2), BRANCH); /* the tree has two levels at least, else the cases below are none */
	while (get(p + 10, 2) == BRANCH)
		p = page(child(node(p, 0)));
	assert_int_equal(get(p + 10, 2), LEAF);
	return p;
}

/* A node of a leaf whose value is long, and where the number of its first page stands. */
static uint8_t *big(void)
{
	for (size_t n = 2; n * PAGE < damaged_len; n++) {
		uint8_t *p = page(n);

		/* Pages that are not in use look like pages, too: only those below the root. */
		for (unsigned i = 0; p == leaf() && i < (get(p + 12, 2) - HEADER) / 2; i++)
			if (get(node(p, i) + 4, 2) & BIG)
				return node(p, i);
	}
	fail_msg("no long value");
	return NULL;
}

static uint8_t *big_page_number(void)
{
	return big() + 8 + get(big() + 6, 2);
}

/* The value of the first row of the free list. */
static uint8_t *free_list(void)
{
	uint8_t *n = node(root(0), 0);

	assert_int_equal(get(root(0) + 10, 2), LEAF);
	assert_int_equal(get(n + 4, 2) & BIG, 0);
	return n + 8 + get(n + 6, 2);
}

/* ---- damage ---- */

static void nothing(void)
{
}

static void magic(void)
{
	damaged[HEADER] ^= 1;
}

static void version(void)
{
	damaged[PAGE + HEADER + 4] = 2;
}

static void page_size(void)
{
	put(damaged + META_DBS, 4097, 4);
}

static void parity(void)
{
	put(meta() + META_DBS + 2 * DB + 8, get(meta() + META_DBS + 2 * DB + 8, 8) + 1, 8);
}

static void other_kind(void)
{
	put(meta() + META_DBS + DB + 4, 4, 2); /* MDB_DUPSORT */
}

static void too_many_pages(void)
{
	put(meta() + META_DBS + 2 * DB, UINT64_MAX / PAGE, 8);
}

static void root_outside(void)
{
	put(meta() + META_DBS + DB + ROOT, UINT64_MAX - 1, 8);
}

static void root_of_meta(void)
{
	put(meta() + META_DBS + DB + ROOT, 1, 8);
}

static void same_root(void)
{
	put(meta() + META_DBS + DB + ROOT, get(meta() + META_DBS + ROOT, 8), 8);
}

static void no_depth(void)
{
	put(meta() + META_DBS + DB + 6, 0, 2);
}

static void deep(void)
{
	put(meta() + META_DBS + DB + 6, 40, 2);
}

static void deeper(void)
{
	put(meta() + META_DBS + DB + 6, get(meta() + META_DBS + DB + 6, 2) + 1, 2);
}

static void entries(void)
{
	put(meta() + META_DBS + DB + 32, get(meta() + META_DBS + DB + 32, 8) + 1, 8);
}

static void last_page(void)
{
	put(meta() + META_DBS + 2 * DB, 5, 8);
}

static void number(void)
{
	put(leaf(), get(leaf(), 8) ^ 1, 8);
}

static void kind(void)
{
	put(leaf() + 10, LEAF | 0x20, 2); /* P_LEAF2 */
}

static void lower(void)
{
	put(leaf() + 12, get(leaf() + 14, 2) + 2, 2);
}

static void upper(void)
{
	put(leaf() + 14, get(leaf() + 14, 2) - 2, 2);
}

static void empty(void)
{
	put(leaf() + 12, HEADER, 2);
}

static void node_outside(void)
{
	put(leaf() + HEADER, PAGE - 4, 2);
}

static void node_twice(void)
{
	put(leaf() + HEADER, get(leaf() + HEADER + 2, 2), 2);
}

static void order(void)
{
	uint64_t a = get(leaf() + HEADER, 2), b = get(leaf() + HEADER + 2, 2);

	put(leaf() + HEADER, b, 2);
	put(leaf() + HEADER + 2, a, 2);
}

static void separator(void)
{
	node(root(1), 1)[8] = 'A'; /* before all keys that there are */
}

static void node_kind(void)
{
	put(node(leaf(), 0) + 4, get(node(leaf(), 0) + 4, 2) | 2, 2); /* F_SUBDATA */
}

static void child_itself(void)
{
	put(node(root(1), 1), get(root(1), 8), 2);
}

static void child_outside(void)
{
	put(node(root(1), 1) + 2, 0xffff, 2);
}

static void long_outside(void)
{
	put(big_page_number(), 1ULL << 40, 8);
}

static void long_header(void)
{
	put(page(get(big_page_number(), 8)) + 12, 1000, 4);
}

static void long_length(void)
{
	put(big() + 2, 0x7fff, 2);
}

static void free_in_use(void)
{
	put(free_list(), 1, 8); /* alone, so that it is not out of order */
	put(free_list() + 8, get(meta() + META_DBS + DB + ROOT, 8), 8);
}

static void free_count(void)
{
	put(free_list(), UINT64_MAX, 8);
}

static void free_order(void)
{
	assert_true(get(free_list(), 8) >= 2);
	put(free_list() + 16, get(free_list() + 8, 8) + 1, 8);
}

static void cut(void)
{
	damaged_len -= damaged_len / 2;
}

static void unreadable(void)
{
	fail_at = 2 * PAGE;
}

static void test_damage(void **state)
{
	static const struct {
		const char *title;
		void (*damage)(void);
		int want;
		const char *says;
	} cases[] = {
	        {"none", nothing, 0, ""},
	        {"magic number", magic, ERR_UNSUPPORTED, "no LMDB file"},
	        {"format of the second meta page", version, ERR_UNSUPPORTED, "no LMDB file"},
	        {"page size", page_size, ERR_MALFORMED, "page size 4097"},
	        {"meta page in the place of the other", parity, ERR_MALFORMED, "do not belong together"},
	        {"database of another kind", other_kind, ERR_MALFORMED, "another kind"},
	        {"more pages than there can be", too_many_pages, ERR_MALFORMED, "pages"},
	        {"root outside", root_outside, ERR_MALFORMED, "out of the file"},
	        {"root is a meta page", root_of_meta, ERR_MALFORMED, "out of the file"},
	        {"one root for both trees", same_root, ERR_MALFORMED, "used twice"},
	        {"root, but no depth", no_depth, ERR_MALFORMED, "impossible depth"},
	        {"deeper than LMDB can go", deep, ERR_MALFORMED, "impossible depth"},
	        {"deeper than it is", deeper, ERR_MALFORMED, "another depth"},
	        {"count of rows", entries, ERR_MALFORMED, "counts"},
	        {"last page before others", last_page, ERR_MALFORMED, "out of the file"},
	        {"number of a page", number, ERR_MALFORMED, "not the page"},
	        {"kind of a page", kind, ERR_MALFORMED, "not the page"},
	        {"lower bound", lower, ERR_MALFORMED, "bounds"},
	        {"upper bound", upper, ERR_MALFORMED, "gaps"},
	        {"no nodes", empty, ERR_MALFORMED, "too few"},
	        {"node outside", node_outside, ERR_MALFORMED, "node out of the page"},
	        {"one node twice", node_twice, ERR_MALFORMED, "upon each other"},
	        {"order of keys", order, ERR_MALFORMED, "out of order"},
	        {"key of a branch", separator, ERR_MALFORMED, "out of order"},
	        {"kind of a node", node_kind, ERR_MALFORMED, "kind that the journal has not"},
	        {"a page is its own child", child_itself, ERR_MALFORMED, "used twice"},
	        {"child outside", child_outside, ERR_MALFORMED, "out of the file"},
	        {"long value outside", long_outside, ERR_MALFORMED, "out of the file"},
	        {"long value of another length", long_header, ERR_MALFORMED, "not the long value"},
	        {"long value beyond the end", long_length, ERR_MALFORMED, ""},
	        {"free page in use", free_in_use, ERR_MALFORMED, "used twice"},
	        {"free list too long", free_count, ERR_MALFORMED, "free list of a length"},
	        {"order of the free list", free_order, ERR_MALFORMED, "free list out of order"},
	        {"file cut short", cut, ERR_MALFORMED, "cut short"},
	        {"file that cannot be read", unreadable, -EIO, ""},
	};
	struct text why;

	(void)state;
	text_init(&why);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int err;

		memcpy(damaged, image, image_len);
		damaged_len = image_len;
		fail_at = 0;
		cases[i].damage();
		err = check(&why);
		if (err != cases[i].want || !strstr(why.chars, cases[i].says))
			fail_msg("%s: %d, %s", cases[i].title, err, why.chars);
	}
	text_done(&why);
}

/* Short files of every length up to where the trees are. */
static void test_short_files(void **state)
{
	struct text why;

	(void)state;
	text_init(&why);
	memcpy(damaged, image, image_len);
	fail_at = 0;
	for (damaged_len = 0; damaged_len < 3 * PAGE; damaged_len += 16) {
		assert_true(check(&why) < 0);
		assert_true(why.len > 0);
	}
	text_done(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_damage),
	        cmocka_unit_test(test_short_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
