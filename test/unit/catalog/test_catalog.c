/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and making catalog zones, by the rules and examples of RFC 9432. */
#include "base/err.h"
#include "catalog/catalog.h"
#include "zone/check.h"
#include "zone/content.h"

#include "zone/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint8_t root[1] = {0};

static void name_of(const char *text, struct name *out)
{
	assert_int_equal(name_from_text(text, strlen(text), root, out), 0);
}

/* Lines "owner TYPE rdata"; owners are below catz.invalid. */
static struct content *content_of(const char *lines)
{
	struct content *c;
	struct name apex;
	const char *line = lines;

	name_of("catz.invalid.", &apex);
	c = content_new(apex.wire);
	assert_non_null(c);
	while (*line) {
		char owner[256], type[16], rdata[512];
		struct rdata_problem problem;
		uint8_t wire[1024];
		struct writer w = writer_of(wire, sizeof(wire));
		struct name name;
		struct rr rr = {.rclass = CLASS_IN};
		int used = 0;

		assert_int_equal(sscanf(line, "%255s %15s %511[^\n]\n%n", owner, type, rdata, &used), 3);
		assert_int_equal(strcmp(owner, "@") == 0 ? (name_copy(&name, apex.wire), 0)
		                                         : name_from_text(owner, strlen(owner), apex.wire, &name),
		                 0);
		assert_int_equal(rrtype_from_text(type, strlen(type), &rr.type), 0);
		assert_int_equal(rdata_from_string(rr.type, rdata, apex.wire, &w, &problem), 0);
		rr.owner = name.wire;
		rr.rdata = wire;
		rr.rdlen = (uint16_t)w.pos;
		assert_int_equal(content_add(c, &rr, NULL), 0);
		line += used;
	}
	assert_int_equal(content_finish(c), 0);
	return c;
}

static void say(const struct catalog *c, struct text *out)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct catalog_entry *e = &c->entries[i];
		char name[NAME_TEXT_MAX];

		name_to_text(e->apex, name);
		text_fmt(out, "%.*s=%s", e->id[0], (const char *)e->id + 1, name);
		if (e->group)
			text_fmt(out, " group=%.*s", e->group[0], (const char *)e->group + 1);
		if (e->coo) {
			name_to_text(e->coo, name);
			text_fmt(out, " coo=%s", name);
		}
		text_str(out, ";");
	}
}

#define APEX "@ SOA invalid. invalid. 1625079950 3600 600 2147483646 0\n@ NS invalid.\n"
#define V2   "version TXT 2\n"

static const struct {
	const char *name, *zone, *members; /* members NULL: broken, and why says: */
	const char *why;
} cases[] = {
	{"the example of 4.1",
         APEX V2 "nj2xg5b.zones PTR example.com.\nnvxxezj.zones PTR example.net.\nnfwxa33.zones PTR example.org.\n",
         "nfwxa33=example.org.;nj2xg5b=example.com.;nvxxezj=example.net.;", NULL},
	{"none", APEX V2, "", NULL},
	{"the example of 4.3.2", APEX V2 "unique-n.zones PTR example.com.\ncoo.unique-n.zones PTR newcatz.\n",
         "unique-n=example.com. coo=newcatz.;", NULL},
	{"the example of 4.3.3",
         APEX V2 "a.zones PTR a.example.\ngroup.a.zones TXT nodnssec\nb.zones PTR b.example.\ngroup.b.zones TXT "
                 "\"operator-x-foo\"\n",
         "a=a.example. group=nodnssec;b=b.example. group=operator-x-foo;", NULL},
	{"several groups: the first", APEX V2 "a.zones PTR a.example.\ngroup.a.zones TXT zz\ngroup.a.zones TXT bb\n",
         "a=a.example. group=bb;", NULL},
	{"properties unknown, custom and deep",
         APEX V2 "a.zones PTR a.example.\nfoo.a.zones TXT 1\nbar.ext.a.zones TXT x\nx.group.a.zones TXT no\next TXT y\n"
                 "p.ext TXT z\nzones TXT t\nzones PTR other.\na.zones TXT t\nrest TXT t\n",
         "a=a.example.;", NULL},
	{"a property without its member",
         APEX V2 "group.a.zones TXT x\nb.zones PTR b.example.\ncoo.c.zones PTR newcatz.\n", "b=b.example.;", NULL},
	{"case", APEX "VERSION TXT 2\nA.ZONES PTR A.Example.\nGROUP.a.zones TXT Keep\n", "a=a.example. group=Keep;",
         NULL},
	{"the root as a member", APEX V2 "r.zones PTR .\n", "r=.;", NULL},
	{"a member under two ids is read twice", APEX V2 "a.zones PTR x.\nb.zones PTR x.\n", "a=x.;b=x.;", NULL},
	{"a group of no octets", APEX V2 "a.zones PTR x.\ngroup.a.zones TXT \"\"\n", "a=x. group=;", NULL},
	{"no version", APEX "a.zones PTR a.example.\n", NULL, "there is no version record"},
	{"version 1", APEX "version TXT 1\na.zones PTR a.example.\n", NULL, "is not version \"2\""},
	{"version 2 in two strings", APEX "version TXT 2 2\n", NULL, "is not version \"2\""},
	{"version 22", APEX "version TXT 22\n", NULL, "is not version \"2\""},
	{"version of another type", APEX "version A 192.0.2.2\n", NULL, "there is no version record"},
	{"two versions", APEX "version TXT 2\nversion TXT 1\n", NULL,
         "version.catz.invalid. has more than one version"},
	{"two PTR", APEX V2 "a.zones PTR a.example.\na.zones PTR b.example.\n", NULL,
         "a.zones.catz.invalid. has more than one PTR"},
	{"two coo", APEX V2 "a.zones PTR a.example.\ncoo.a.zones PTR x.\ncoo.a.zones PTR y.\n", NULL,
         "coo.a.zones.catz.invalid. has more than one PTR"},
	{"too many", APEX V2 "a.zones PTR a.\nb.zones PTR b.\nc.zones PTR c.\nd.zones PTR d.\n", NULL,
         "more than 3 members"},
};

static void put(struct store_writer *w, const struct content *c, struct store_snapshot *s)
{
	const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = UINT32_MAX, .source = ""};
	uint64_t generation;

	assert_int_equal(store_put_zone(w, content_apex(c), c, &meta), 0);
	assert_int_equal(store_commit(w, &generation), 0);
	store_writer_snapshot(w, s);
}

/* From content and from the store alike. */
static void test_read(void **state)
{
	char path[] = "/tmp/zonecast-catalog-XXXXXX", lock[sizeof(path) + sizeof(".lock")];
	struct store_open_info info;
	struct store_writer *w;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_int_equal(store_writer_open(path, NULL, 0, &w, &info), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct content *content = content_of(cases[i].zone);
		struct store_snapshot s;
		struct name apex;

		print_message("%s\n", cases[i].name);
		put(w, content, &s);
		name_of("catz.invalid.", &apex);
		for (int from_store = 0; from_store < 2; from_store++) {
			struct text why, got;
			struct catalog *c = NULL;
			int err;

			text_init(&why);
			text_init(&got);
			err = from_store ? catalog_from_store(&s, store_zone_get(&s, apex.wire), 3, &why, &c)
			                 : catalog_from_content(content, 3, &why, &c);
			if (cases[i].members) {
				assert_int_equal(err, 0);
				say(c, &got);
				assert_string_equal(got.chars, cases[i].members);
				assert_int_equal(c->serial, 1625079950);
			} else {
				assert_true(err == ERR_INVALID || err == ERR_LIMIT);
				assert_null(c);
				if (!strstr(why.chars, cases[i].why))
					fail_msg("\"%s\" does not say \"%s\"", why.chars, cases[i].why);
			}
			catalog_free(c);
			text_done(&why);
			text_done(&got);
		}
		content_free(content);
	}
	store_writer_close(w);
	unlink(path);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
}

static void test_make(void **state)
{
	struct name apex, a, b, b_upper;
	struct content *content, *again;
	struct catalog *c, *d;
	struct text why;
	struct diag diag;

	(void)state;
	name_of("catz.invalid.", &apex);
	name_of("a.example.", &a);
	name_of("b.example.", &b);
	name_of("B.Example.", &b_upper);
	const struct catalog_member members[] = {{a.wire, "blue"}, {b.wire, NULL}},
				    swapped[] = {{b_upper.wire, NULL}, {a.wire, "blue"}},
				    other[] = {{a.wire, NULL}, {b.wire, "blue"}}, fewer[] = {{a.wire, "blue"}};

	text_init(&why);
	assert_int_equal(catalog_make(apex.wire, 7, members, 2, &content), 0);
	diag_init(&diag);
	zone_check(content, &diag);
	assert_int_equal(diag.errors, 0);
	diag_done(&diag);
	assert_int_equal(catalog_from_content(content, 10, &why, &c), 0);
	assert_int_equal(c->count, 2);
	assert_int_equal(c->serial, 7);
	assert_int_equal(catalog_make(apex.wire, 8, swapped, 2, &again), 0);
	assert_int_equal(catalog_from_content(again, 10, &why, &d), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(c->entries[i].id[0], 32);
		assert_memory_equal(c->entries[i].id, d->entries[i].id, 33);
		assert_true(name_equal(c->entries[i].apex, d->entries[i].apex));
		assert_int_equal(c->entries[i].group != NULL, name_equal(c->entries[i].apex, a.wire));
	}
	assert_true(catalog_sum(members, 2) == catalog_sum(swapped, 2));
	assert_true(catalog_sum(members, 2) != catalog_sum(other, 2));
	assert_true(catalog_sum(members, 2) != catalog_sum(fewer, 1));
	catalog_free(c);
	catalog_free(d);
	content_free(content);
	content_free(again);
	text_done(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_read), cmocka_unit_test(test_make)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
