/* SPDX-License-Identifier: BSD-2-Clause */
/* Who owns which member, over versions of several catalogs: a table of stories. */
#include "base/err.h"
#include "catalog/membership.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t root[1] = {0};

/* "id=zone", "id=zone/group", "id=zone>catalog", separated by blanks; zones and catalogs of one label. */
static struct catalog *catalog_of(const char *apex, const char *words)
{
	struct catalog *c = calloc(1, sizeof(*c));
	char copy[8192], *save = NULL;

	assert_non_null(c);
	arena_init(&c->arena, 0);
	assert_int_equal(name_from_text(apex, strlen(apex), root, &c->apex), 0);
	assert_true(strlen(words) < sizeof(copy));
	strcpy(copy, words);
	c->entries = calloc(512, sizeof(*c->entries));
	assert_non_null(c->entries);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		struct catalog_entry *e = &c->entries[c->count++];
		char id[64] = "", zone[64] = "", group[64] = "", coo[64] = "";
		uint8_t label[64];
		struct name name;

		assert_true(c->count <= 512);
		if (strchr(w, '/'))
			assert_int_equal(sscanf(w, "%63[^=]=%63[^/]/%63s", id, zone, group), 3);
		else if (strchr(w, '>'))
			assert_int_equal(sscanf(w, "%63[^=]=%63[^>]>%63s", id, zone, coo), 3);
		else
			assert_int_equal(sscanf(w, "%63[^=]=%63s", id, zone), 2);
		label[0] = (uint8_t)strlen(id);
		memcpy(label + 1, id, strlen(id));
		e->id = arena_dup(&c->arena, label, strlen(id) + 1);
		assert_int_equal(name_from_text(zone, strlen(zone), root, &name), 0);
		e->apex = arena_dup(&c->arena, name.wire, name.len);
		if (group[0]) {
			label[0] = (uint8_t)strlen(group);
			memcpy(label + 1, group, strlen(group));
			e->group = arena_dup(&c->arena, label, strlen(group) + 1);
		}
		if (coo[0]) {
			assert_int_equal(name_from_text(coo, strlen(coo), root, &name), 0);
			e->coo = arena_dup(&c->arena, name.wire, name.len);
		}
	}
	return c;
}

static const char *configured = "";

static bool is_configured(void *ctx, const uint8_t *apex)
{
	char name[NAME_TEXT_MAX], word[NAME_TEXT_MAX + 2];

	(void)ctx;
	name_to_text(apex, name);
	snprintf(word, sizeof(word), " %s", name);
	return strstr(configured, word) != NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "+a -b !c ~d" sorted by zone: added, removed, reset, moved. */
static char *say(const struct membership_changes *ch)
{
	char **words = calloc(ch->count + 1, sizeof(char *));
	struct text out;

	text_init(&out);
	for (size_t i = 0; i < ch->count; i++) {
		char name[NAME_TEXT_MAX];

		name_to_text(ch->items[i].apex, name);
		name[strlen(name) - 1] = '\0';
		assert_true(asprintf(&words[i], "%s%c", name, "+-!~"[ch->items[i].kind]) > 0);
	}
	qsort(words, ch->count, sizeof(char *), by_text);
	for (size_t i = 0; i < ch->count; i++) {
		text_fmt(&out, "%s%s", i ? " " : "", words[i]);
		free(words[i]);
	}
	free(words);
	return text_take(&out) ?: strdup("");
}

/* One version of a catalog, or (no catalog) a new configuration. */
struct step {
	const char *catalog, *members, *changes;
	const char *configured; /* from here on */
	int err;
	bool accept;
};

#define S(catalog, members, changes)                                                                                   \
	{                                                                                                              \
		catalog, members, changes, NULL, 0, false                                                              \
	}

static const struct {
	const char *name;
	struct step steps[10];
} stories[] = {
	{"come and go",
         {S("A", "1=x 2=y", "x+ y+"), S("A", "1=x 2=y", ""), S("A", "2=y 3=z", "x- z+"), S("A", "", "y- z-")}},
	{"a new id resets (5.4)", {S("A", "1=x 2=y", "x+ y+"), S("A", "9=x 2=y", "x!"), S("A", "9=x 2=y", "")}},
	{"a new group moves", {S("A", "1=x 2=y/g", "x+ y+"), S("A", "1=x/g 2=y", "x~ y~"), S("A", "1=x/h 2=y", "x~")}},
	{"ids change hands", {S("A", "1=x 2=y", "x+ y+"), S("A", "2=x 1=y", "x! y!")}},
	{"a clash is ignored (5.2)",
         {S("A", "1=x", "x+"), S("B", "7=x 8=y", "y+"), S("B", "9=x/g 8=y", ""), S("A", "1=x", "")}},
	{"the owner lets go: reset", {S("A", "1=x", "x+"), S("B", "1=x", ""), S("A", "", "x!"), S("B", "", "x-")}},
	{"ownership by coo, another id (4.3.2)",
         {S("A", "1=x", "x+"), S("A", "1=x>B", ""), S("B", "2=x", "x!"), S("A", "", ""), S("B", "", "x-")}},
	{"ownership by coo, the same id",
         {S("A", "1=x", "x+"), S("A", "1=x>B", ""), S("B", "1=x", "x~"), S("A", "", ""), S("B", "1=x", ""),
          S("B", "", "x-")}},
	{"coo comes after", {S("A", "1=x", "x+"), S("B", "1=x", ""), S("A", "1=x>B", "x~"), S("B", "", "x!")}},
	{"coo of who does not own it counts for nothing",
         {S("A", "1=x", "x+"), S("B", "1=x>C", ""), S("C", "1=x", ""), S("A", "", "x!")}},
	{"coo to a stranger", {S("A", "1=x>Q", "x+"), S("B", "1=x", ""), S("A", "", "x!")}},
	{"handed on twice", {S("A", "1=x", "x+"), S("B", "1=x>C", ""), S("C", "1=x", ""), S("A", "1=x>B", "x~")}},
	{"a circle ends", {S("A", "1=x>B", "x+"), S("B", "1=x>A", "x~"), S("A", "1=x>B", "")}},
	{"to itself", {S("A", "1=x>A", "x+"), S("A", "1=x>A", "")}},
	{"coo known before anybody has it", {S("A", "", ""), S("B", "1=x", "x+"), S("A", "1=x>B", "")}},
	{"a configured zone wins",
         {{NULL, NULL, "", " x.", 0, false},
          S("A", "1=x 2=y", "y+"),
          {NULL, NULL, "x+", "", 0, false},
          {NULL, NULL, "y-", " y.", 0, false},
          S("A", "1=x 3=y", ""),
          S("A", "1=x", "")}},
	{"two ids, the one it had stays",
         {S("A", "5=x", "x+"), S("A", "4=x 5=x", ""), S("A", "4=x", "x!"), S("A", "4=x 5=x", "")}},
	{"two ids, the first counts", {S("A", "4=x 5=x", "x+"), S("A", "4=x", ""), S("A", "5=x", "x!")}},
	{"too many go",
         {S("A", "1=a 2=b 3=c 4=d 5=e 6=f 7=g 8=h 9=i 10=j", "a+ b+ c+ d+ e+ f+ g+ h+ i+ j+"),
          {"A", "1=a 2=b 3=c 4=d 20=z", "", NULL, ERR_LIMIT, false},
          {"A", "", "", NULL, ERR_LIMIT, false},
          S("A", "1=a 2=b 3=c 4=d 5=e 20=z", "f- g- h- i- j- z+"),
          S("A", "", "a- b- c- d- e- z-")}},
	{"too many begin anew",
         {S("A", "1=a 2=b 3=c 4=d 5=e 6=f 7=g 8=h 9=i 10=j", "a+ b+ c+ d+ e+ f+ g+ h+ i+ j+"),
          {"A", "01=a 02=b 03=c 04=d 05=e 06=f 7=g 8=h 9=i 10=j", "", NULL, ERR_LIMIT, false},
          {"A", "01=a 02=b 03=c 04=d 05=e 06=f 7=g 8=h 9=i 10=j", "a! b! c! d! e! f!", NULL, 0, true}}},
	{"handing on is no loss",
         {S("A", "1=a 2=b 3=c 4=d 5=e 6=f 7=g 8=h 9=i 10=j", "a+ b+ c+ d+ e+ f+ g+ h+ i+ j+"),
          S("B", "1=a 2=b 3=c 4=d 5=e 6=f 7=g", ""),
          S("A", "1=a>B 2=b>B 3=c>B 4=d>B 5=e>B 6=f>B 7=g>B 8=h 9=i 10=j", "a~ b~ c~ d~ e~ f~ g~"),
          S("A", "8=h 9=i 10=j", "")}},
};

static void check_owners(const struct membership *m)
{
	size_t owned = 0, listed = 0;
	struct membership_owner o;

	for (unsigned i = 0; i < 3; i++) {
		owned += membership_owned(m, i);
		listed += membership_listed(m, i);
	}
	assert_true(owned <= listed);
	for (char c = 'a'; c <= 'z'; c++) {
		const uint8_t apex[3] = {1, (uint8_t)c, 0};

		owned -= membership_owner(m, apex, &o);
	}
	assert_int_equal(owned, 0);
}

static void test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
		struct membership *m = membership_new();
		struct membership_rules rules = {.shrink_limit = 50, .is_configured = is_configured};
		struct text why;

		print_message("%s\n", stories[i].name);
		assert_non_null(m);
		text_init(&why);
		configured = "";
		for (char c = 'A'; c <= 'C'; c++) {
			const uint8_t apex[3] = {1, (uint8_t)(c | 0x20), 0};
			unsigned index;

			assert_int_equal(membership_catalog(m, apex, &index), 0);
			assert_int_equal(index, c - 'A');
		}
		for (size_t k = 0; k < ARRAY_LEN(stories[i].steps) && stories[i].steps[k].changes; k++) {
			const struct step *s = &stories[i].steps[k];
			struct membership_changes ch;
			char *said;

			membership_changes_init(&ch);
			configured = s->configured ? s->configured : configured;
			rules.accept = s->accept;
			if (s->catalog) {
				struct catalog *c = catalog_of(s->catalog, s->members);

				assert_int_equal(membership_take(m, (unsigned)(s->catalog[0] - 'A'), c, &rules, &ch,
				                                 &why),
				                 s->err);
				catalog_free(c); /* nothing of it may be needed any more */
			} else {
				assert_int_equal(membership_review(m, &rules, &ch), 0);
			}
			said = say(&ch);
			if (strcmp(said, s->changes) != 0)
				fail_msg("step %zu: \"%s\" instead of \"%s\"", k, said, s->changes);
			free(said);
			membership_changes_done(&ch);
			check_owners(m);
		}
		text_done(&why);
		membership_free(m);
	}
}

/* Against a plain model: one catalog, names and ids by chance. */
static void test_random(void **state)
{
	struct membership *m = membership_new();
	const struct membership_rules rules = {.shrink_limit = 100};
	int id[400] = {0}, was[400];
	unsigned seed = 1, index;
	struct text why;

	(void)state;
	text_init(&why);
	assert_int_equal(membership_catalog(m, (const uint8_t *)"\1k", &index), 0);
	for (int round = 0; round < 300; round++) {
		struct text words;
		struct membership_changes ch;
		struct catalog *c;
		size_t expected = 0;

		text_init(&words);
		memcpy(was, id, sizeof(id));
		for (int i = 0; i < 400; i++) {
			seed = seed * 1103515245 + 12345;
			if (seed >> 16 & 1 && (seed >> 20) % 3 == 0)
				id[i] = (int)(seed >> 24) % 3;
			if (id[i])
				text_fmt(&words, "%s%d-%d=z%d", words.len ? " " : "", id[i], i, i);
			expected += id[i] != was[i];
		}
		c = catalog_of("k", words.chars);
		membership_changes_init(&ch);
		assert_int_equal(membership_take(m, index, c, &rules, &ch, &why), 0);
		assert_int_equal(ch.count, expected);
		assert_int_equal(membership_owned(m, index), c->count);
		for (size_t i = 0; i < ch.count; i++) {
			char name[NAME_TEXT_MAX];
			int n;

			name_to_text(ch.items[i].apex, name);
			n = atoi(name + 1);
			assert_int_equal(ch.items[i].kind, !was[n]  ? MEMBER_ADDED
			                                   : !id[n] ? MEMBER_REMOVED
			                                            : MEMBER_RESET);
		}
		catalog_free(c);
		membership_changes_done(&ch);
		text_done(&words);
	}
	text_done(&why);
	membership_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_stories), cmocka_unit_test(test_random)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
