/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of zones read without libyaml against libyaml: the same tree with the same places, or the same complaints, for texts of every
 * shape in the table and for tens of thousands that were made from them by changing some octets. */
#include "base/diag.h"
#include "config/quick.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 60000, TEXT_MAX = 2000 };

static const struct {
	const char *name;
	bool quick; /* read without libyaml */
	const char *text;
} cases[] = {
	{"one line each", true,
         "fleet: x\nzones:\n  - {name: a.example, file: a.zone}\n  - {name: b.example, file: \"b zone\"}\n"},
	{"lines of keys", true,
         "fleet: x\nzones:\n  - name: a.example\n    file: 'a '\n  - name: b\n    file: b.zone\n"},
	{"apostrophe twice", false, "zones:\n  - {name: a, file: 'it''s'}\n"},
	{"both shapes", true,
         "zones:\n- {name: a, file: /a}\n- name: b\n  file: /b\n-   name: c\n    file: /c\nkeys: []\n"},
	{"what follows", true,
         "zones:\n  - {name: a, file: a}\nnodes:\n  - {name: n, x: [1, 2, {a: b}]}\nkeys:\n  - a\n"},
	{"lists inside", true,
         "zones:\n  - {name: a, primaries: [192.0.2.1, \"[2001:db8::1]:53\"], key: k}\n  - name: b\n    primaries: [ x "
         ", y ]\n"},
	{"comments and empty lines", true,
         "# c\nzones: # here\n\n  # one\n  - {name: a, file: a} # two\n\n\n  - name: b # three\n\n    # four\n    "
         "file: b\n#five\n"},
	{"no line feed at the end", true, "zones:\n  - {name: a, file: a}"},
	{"no line feed at the end of keys", true, "a: b\nzones:\n  - name: a\n    file: a"},
	{"document marker before", true, "---\nzones:\n  - {name: a}\nx: y\n"},
	{"empty quotes", true, "zones:\n  - {name: \"\", file: ''}\n"},
	{"spaces between", true,
         "zones:   \n   -   {  name:   a  ,  file:  b  }   \n   - name:    b   \n     file:  c  \n"},
	{"no spaces after commas", true, "zones:\n  - {name: a,file: b}\n"},
	{"empty list", false, "zones:\n"},
	{"empty flow list", false, "zones: []\nkeys: []\n"},
	{"null", false, "zones:\nkeys: []\n"},
	{"no space after a colon", false, "zones:\n  - {name:a, file: b}\n"},
	{"no value", false, "zones:\n  - {name: , file: b}\n"},
	{"no value in a line", false, "zones:\n  - name:\n    file: b\n"},
	{"a scalar", false, "zones:\n  - a\n  - b\n"},
	{"empty mapping", false, "zones:\n  - {}\n"},
	{"comma at the end", false, "zones:\n  - {name: a, }\n"},
	{"deeper", false, "zones:\n  - {name: {a: b}}\n"},
	{"over two lines", false, "zones:\n  - {name: a,\n     file: b}\n"},
	{"text over two lines", false, "zones:\n  - name: a\n      b\n"},
	{"quotes over two lines", false, "zones:\n  - name: \"a\n      b\"\n"},
	{"several words", false, "zones:\n  - name: a b\n"},
	{"a comment that is none", false, "zones:\n  - name: a#b\n"},
	{"an escape", false, "zones:\n  - {name: \"a\\x41\"}\n"},
	{"block text", false, "zones:\n  - name: |\n      a\n"},
	{"block list", false, "zones:\n  - name: a\n    primaries:\n      - x\n"},
	{"anchor", false, "zones:\n  - &a {name: a}\n"},
	{"tag", false, "zones:\n  - {name: !x a}\n"},
	{"tab", false, "zones:\n  - {name:\ta}\n"},
	{"carriage return", false, "zones:\r\n  - {name: a}\r\n"},
	{"not ASCII", false, "zones:\n  - {name: \"\303\274\"}\n"},
	{"other indentation", false, "zones:\n  - {name: a}\n - {name: b}\n"},
	{"deeper indentation", false, "zones:\n  - {name: a}\n    - {name: b}\n"},
	{"key at another column", false, "zones:\n  - name: a\n     file: b\n"},
	{"mistake before", true, "x: [\nzones:\n  - {name: a}\n"},
	{"mistake behind", true, "zones:\n  - {name: a}\n  # c\nx: [\ny: }\n"},
	{"no colon behind", true, "zones:\n  - {name: a}\nmore\n"},
	{"second document", true, "zones:\n  - {name: a}\nx: y\n---\na: b\n"},
	{"twice", true, "zones:\n  - {name: a}\nzones:\n  - {name: b}\n"},
	{"in quotes", true, "a: \"b\nzones:\n  - {name: a}\nc\"\n"},
	{"in a flow mapping", false, "{\nzones:\n  - {name: a}\n}\n"},
	{"in a mapping in braces", true, "a: {\nzones:\n  - {name: a}\nb: c}\n"},
	{"in a list in brackets", false, "a: [ b,\nzones:\n  - {name: a}\n]\n"},
	{"in a text of the whole document", true, "--- |\nzones:\n  - {name: a}\nb: c\n"},
	{"in a plain text", true, "a\nzones:\n  - {name: a}\n"},
	{"of a plain text", true, "a: b\n  c\nzones:\n  - {name: a}\n"},
	{"behind a key without value", true, "a:\nzones:\n  - {name: a}\n"},
	{"behind a question mark", true, "? a\nzones:\n  - {name: a}\n"},
	{"behind the end of the document", true, "a: b\n...\nzones:\n  - {name: a}\n"},
	{"behind a directive", true, "%YAML 1.1\n---\nzones:\n  - {name: a}\n"},
	{"quoted key behind", false, "zones:\n  - {name: a}\n\"x\": y\n"},
};

static void same_tree(const struct tree *a, const struct tree *b)
{
	for (; a && b; a = a->next, b = b->next) {
		assert_int_equal(a->kind, b->kind);
		assert_int_equal(a->quoted, b->quoted);
		assert_int_equal(a->len, b->len);
		assert_int_equal(a->line, b->line);
		assert_int_equal(a->column, b->column);
		if (a->kind == TREE_SCALAR)
			assert_string_equal(a->text, b->text);
		else
			same_tree(a->first, b->first);
	}
	assert_true(a == b); /* both at their ends */
}

static void same_problems(const struct diag *a, const struct diag *b)
{
	const struct diag_entry *x = a->first, *y = b->first;
	char one[1400], two[1400];

	for (; x && y; x = x->next, y = y->next)
		assert_string_equal(diag_entry_text(x, one, sizeof(one)), diag_entry_text(y, two, sizeof(two)));
	assert_true(x == y);
}

/* Places aside, and the list of zones, which `head` has empty. */
static void same_but_zones(const struct tree *whole, const struct tree *head, bool top)
{
	const struct tree *key = NULL;

	for (; whole && head; key = key ? NULL : whole, whole = whole->next, head = head->next) {
		assert_int_equal(whole->kind, head->kind);
		if (whole->kind == TREE_SCALAR)
			assert_string_equal(whole->text, head->text);
		else if (top && key && strcmp(key->text, QUICK_KEY) == 0 && !head->count)
			assert_null(head->first);
		else
			same_but_zones(whole->first, head->first, false);
	}
	assert_true(whole == head);
}

/* 1: the document without its list is what it is with it, 0: it is not read so. */
static unsigned compare_head(const char *text, size_t len)
{
	struct diag diags[2];
	struct arena arenas[2];
	struct tree *trees[2] = {NULL, NULL};
	struct tree_source src[2];
	unsigned done = 0;
	int rc[2];

	for (int head = 0; head < 2; head++) {
		src[head] = (struct tree_source){.path = "f", .bytes = text, .len = len, .diag = &diags[head]};
		diag_init(&diags[head]);
		arena_init(&arenas[head], 0);
		rc[head] = head ? tree_parse_head(&src[head], &arenas[head], &trees[head])
		                : tree_parse(&src[head], &arenas[head], &trees[head]);
	}
	/* As for a file that was noted: it is good, and its list stands where it stood. */
	if (!rc[0] && !rc[1] && src[0].zones_to && src[0].zones_from == src[1].zones_from &&
	    src[0].zones_to == src[1].zones_to) {
		assert_int_equal(trees[1]->kind, TREE_MAP);
		same_but_zones(trees[0]->first, trees[1]->first, true);
		done = 1;
	}
	for (int i = 0; i < 2; i++) {
		diag_done(&diags[i]);
		arena_done(&arenas[i]);
	}
	return done;
}

/* True: both gave a tree. */
static bool compare(const char *text, size_t len)
{
	struct diag diags[2];
	struct arena arenas[2];
	struct tree *trees[2] = {NULL, NULL};
	bool good;
	int rc[2];

	for (int plain = 0; plain < 2; plain++) {
		struct tree_source src = {
			.path = "f", .bytes = text, .len = len, .diag = &diags[plain], .plain = plain};

		diag_init(&diags[plain]);
		arena_init(&arenas[plain], 0);
		rc[plain] = tree_parse(&src, &arenas[plain], &trees[plain]);
	}
	assert_int_equal(rc[0], rc[1]);
	same_problems(&diags[0], &diags[1]);
	good = rc[0] == 0 && trees[1];
	if (rc[0] == 0)
		same_tree(trees[0], trees[1]);
	for (int i = 0; i < 2; i++) {
		diag_done(&diags[i]);
		arena_done(&arenas[i]);
	}
	return good;
}

static bool is_quick(const char *text, size_t len)
{
	struct tree_source src = {.path = "f", .bytes = text, .len = len};
	struct arena arena;
	struct quick q;
	bool quick;

	arena_init(&arena, 0);
	quick = quick_list(&src, &arena, &q);
	arena_done(&arena);
	return quick;
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		print_message("%s\n", cases[i].name);
		compare(cases[i].text, strlen(cases[i].text));
		compare_head(cases[i].text, strlen(cases[i].text));
		assert_int_equal(is_quick(cases[i].text, strlen(cases[i].text)), cases[i].quick);
	}
}

static unsigned seed = 1;

static unsigned roll(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static void test_changed(void **state)
{
	static const char octets[] = " \n\t:-{}[],#\"'a1.\\&*!|>%@`?~\r\303z  \n\n--  ";
	unsigned quick = 0, good = 0, both = 0, heads = 0;
	char text[TEXT_MAX];

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		const char *from = cases[roll(ARRAY_LEN(cases))].text, *second = cases[roll(ARRAY_LEN(cases))].text;
		size_t len = (size_t)snprintf(text, sizeof(text), "%s%s", from, roll(3) ? "" : second);
		bool fine, fast;

		for (unsigned changes = roll(4); changes; changes--) {
			size_t at = roll((unsigned)len);

			if (roll(3) == 0) {
				memmove(text + at, text + at + 1, len - at - 1);
				len--;
			} else if (roll(2)) {
				memmove(text + at + 1, text + at, len - at);
				len++;
				text[at] = octets[roll(sizeof(octets) - 1)];
			} else {
				text[at] = octets[roll(sizeof(octets) - 1)];
			}
			if (len < 2)
				break;
		}
		fine = compare(text, len);
		fast = is_quick(text, len);
		good += fine;
		quick += fast;
		both += fine && fast;
		heads += compare_head(text, len);
	}
	print_message("%u good documents, %u for the quick reader, %u both, %u without their lists, of %d\n", good,
	              quick, both, heads, ROUNDS);
	assert_true(heads > both * 8 / 10);
	assert_true(both > ROUNDS / 10 && good - both > ROUNDS / 10);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_changed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
