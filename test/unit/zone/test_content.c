/* SPDX-License-Identifier: BSD-2-Clause */
/* Collecting, sorting and finding records; the checks of a zone as a whole. */
#include "base/diag.h"
#include "base/err.h"
#include "base/text.h"
#include "dns/name.h"
#include "zone/check.h"
#include "zone/content.h"
#include "zone/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t apex[] = "\x07" "example";

static int add(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	return content_add(ctx, rr, place);
}

static struct content *load(const char *in)
{
	struct content *c = content_new(apex);
	struct zonefile_options o = {.origin = apex, .rclass = CLASS_IN, .on_record = add, .ctx = c};
	struct diag diag;

	assert_non_null(c);
	diag_init(&diag);
	assert_int_equal(zonefile_parse_bytes("z", in, strlen(in), false, &o, &diag), 0);
	diag_done(&diag);
	assert_int_equal(content_finish(c), 0);
	return c;
}

static struct name name_of(const char *text)
{
	struct name n;

	assert_int_equal(name_from_text(text, strlen(text), apex, &n), 0);
	return n;
}

/* "OWNER TYPE[/COVERED] TTL COUNT[ -DUPLICATES][ ~]" a set; ~ where TTLs differ. */
static char *sets(const struct content *c)
{
	char name[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];
	struct text t;

	text_init(&t);
	for (size_t i = 0; i < content_rrset_count(c); i++) {
		const struct content_rrset *s = content_rrset(c, i);

		name_to_text(s->owner, name);
		text_fmt(&t, "%s %s", name, rrtype_text(s->type, type));
		if (s->covers)
			text_fmt(&t, "/%s", rrtype_text(s->covers, type));
		text_fmt(&t, " %u %u", s->ttl, s->count);
		if (s->duplicates)
			text_fmt(&t, " -%u", s->duplicates);
		text_str(&t, s->ttl_differs ? " ~\n" : "\n");
	}
	return text_take(&t);
}

static void test_sets(void **state)
{
	static const struct {
		const char *name, *in, *out;
	} rows[] = {
		{"none", "", ""},
		{"SOA first, then types by number", "@ 60 TXT x\n@ NS a\n@ A 192.0.2.1\n@ SOA . . 1 2 3 4 5\n",
		 "example. SOA 60 1\nexample. A 60 1\nexample. NS 60 1\nexample. TXT 60 1\n"},
		{"RFC 4034 6.1", "\\200 60 A 192.0.2.1\n*.z A 192.0.2.1\nz A 192.0.2.1\n\\001.z A 192.0.2.1\nzABC.a A 192.0.2.1\nZ.a A 192.0.2.1\n"
		 "yljkjljk.a A 192.0.2.1\na A 192.0.2.1\n@ A 192.0.2.1\n\\200.z A 192.0.2.1\n",
		 "example. A 60 1\na.example. A 60 1\nyljkjljk.a.example. A 60 1\nZ.a.example. A 60 1\nzABC.a.example. A 60 1\nz.example. A 60 1\n"
		 "\\001.z.example. A 60 1\n*.z.example. A 60 1\n\\200.z.example. A 60 1\n\\200.example. A 60 1\n"},
		{"octets at the end of the key's range", "a\\255b 60 A 192.0.2.1\na\\254c A 192.0.2.1\na\\253 A 192.0.2.1\na\\254 A 192.0.2.1\na\\000 A 192.0.2.1\na A 192.0.2.1\nx.a A 192.0.2.1\n",
		 "a.example. A 60 1\nx.a.example. A 60 1\na\\000.example. A 60 1\na\\253.example. A 60 1\na\\254.example. A 60 1\na\\254c.example. A 60 1\na\\255b.example. A 60 1\n"},
		{"names alike beyond the key", "aaaaaaaaaaaaaaaaaaaaaaaaaaaac 60 A 192.0.2.1\naaaaaaaaaaaaaaaaaaaaaaaaaaaab A 192.0.2.1\n"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaac A 192.0.2.2\nx.aaaaaaaaaaaaaaaaaaaaaaaaaaaab A 192.0.2.1\n",
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaab.example. A 60 1\nx.aaaaaaaaaaaaaaaaaaaaaaaaaaaab.example. A 60 1\naaaaaaaaaaaaaaaaaaaaaaaaaaaac.example. A 60 2\n"},
		{"one owner in several places, written as first", "B 60 A 192.0.2.1\na A 192.0.2.1\nb A 192.0.2.2\nb TXT x\n",
		 "a.example. A 60 1\nB.example. A 60 2\nB.example. TXT 60 1\n"},
		{"duplicates, also in another case", "a 60 A 192.0.2.1\na A 192.0.2.1\na A 192.0.2.2\nb MX 1 C\nb MX 1 c\nb TXT x\nb TXT X\n",
		 "a.example. A 60 2 -1\nb.example. MX 60 1 -1\nb.example. TXT 60 2\n"},
		{"TTLs that differ", "a 60 A 192.0.2.1\na 30 A 192.0.2.2\na 90 A 192.0.2.3\nb 9 A 192.0.2.1\nb 8 A 192.0.2.1\n",
		 "a.example. A 30 3 ~\nb.example. A 8 1 -1 ~\n"},
		{"signatures by type covered", "a 60 RRSIG TXT 8 2 60 20300101000000 20200101000000 1 example. AA==\na RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AA==\n"
		 "a RRSIG A 8 2 60 20300101000000 20200101000000 2 example. AA==\na A 192.0.2.1\na TXT x\n",
		 "a.example. A 60 1\na.example. TXT 60 1\na.example. RRSIG/A 60 2\na.example. RRSIG/TXT 60 1\n"},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct content *c = load(rows[i].in);
		char *got = sets(c);

		if (strcmp(got, rows[i].out) != 0)
			fail_msg("%s gives\n%s", rows[i].name, got);
		free(got);
		content_free(c);
	}
}

/* Any order of the lines gives the same zone, sorted as name_compare() sorts. */
static void test_shuffled(void **state)
{
	enum { N = 3000 };
	static char lines[N][80];
	unsigned seed = 7;
	char *first = NULL;
	(void)state;

	for (unsigned i = 0; i < N; i++)
		snprintf(lines[i], sizeof(lines[i]), "%s%x%s%s 60 A 192.0.2.%u\n", i % 3 ? "w" : "a-rather-long-label-of-", i * 2654435761u % 700, i % 5 ? "" : ".\\255",
		         i % 7 ? "" : ".sub.sub", i % 250);
	for (unsigned round = 0; round < 4; round++) {
		struct content *c;
		struct text in;
		char *got;

		text_init(&in);
		for (unsigned i = 0; i < N; i++)
			text_str(&in, lines[i]);
		c = load(in.chars);
		for (size_t i = 1; i < content_rrset_count(c); i++)
			assert_true(name_compare(content_rrset(c, i - 1)->owner, content_rrset(c, i)->owner) < 0);
		for (size_t i = 0; i < content_rrset_count(c); i++) {
			assert_int_equal(content_find(c, content_rrset(c, i)->owner), i);
			assert_ptr_equal(content_lookup(c, content_rrset(c, i)->owner, RR_A), content_rrset(c, i));
			assert_null(content_lookup(c, content_rrset(c, i)->owner, RR_NS));
		}
		got = sets(c);
		if (first)
			assert_string_equal(got, first);
		else
			first = strdup(got);
		free(got);
		content_free(c);
		text_done(&in);
		for (unsigned i = N - 1; i > 0; i--) {
			char t[80];
			unsigned k = (seed = seed * 1103515245u + 12345u) / 65536u % (i + 1);

			memcpy(t, lines[i], sizeof(t));
			memcpy(lines[i], lines[k], sizeof(t));
			memcpy(lines[k], t, sizeof(t));
		}
	}
	free(first);
}

static void test_find(void **state)
{
	struct content *c = load("@ 60 SOA . . 1 2 3 4 5\nb A 192.0.2.1\nd A 192.0.2.1\nd TXT x\n");
	struct content *empty = load("");
	(void)state;

	assert_int_equal(content_rrset_count(c), 4);
	assert_int_equal(content_record_count(c), 4);
	assert_int_equal(content_find(c, name_of("a").wire), 1);
	assert_int_equal(content_find(c, name_of("B").wire), 1);
	assert_int_equal(content_find(c, name_of("c").wire), 2);
	assert_int_equal(content_find(c, name_of("d").wire), 2);
	assert_int_equal(content_find(c, name_of("e").wire), 4);
	assert_int_equal(content_soa(c)->type, RR_SOA);
	assert_ptr_equal(content_lookup(c, name_of("D").wire, RR_TXT), content_rrset(c, 3));
	assert_null(content_lookup(c, name_of("c").wire, RR_A));
	assert_true(name_equal(content_apex(c), apex));
	assert_string_equal(content_file(c, 0), "z");
	assert_null(content_file(c, 1));
	assert_int_equal(content_rrset(c, 2)->records[0].line, 3);
	assert_null(content_soa(empty));
	assert_int_equal(content_find(empty, apex), 0);
	assert_int_equal(content_record_count(empty), 0);
	content_free(empty);
	content_free(c);
	content_free(NULL);
}

static void test_print(void **state)
{
	static const char expect[] = "example.\t60\tIN\tSOA\t. . 1 2 3 4 5\nexample.\t60\tIN\tNS\tB.example.\na.example.\t30\tIN\tTXT\t\"x\"\n"
	                             "a.example.\t30\tIN\tTXT\t\"y\"\nB.example.\t60\tIN\tA\t192.0.2.1\n";
	struct content *c = load("B 60 A 192.0.2.1\n@ NS B\na 30 TXT y\n@ 60 SOA . . 1 2 3 4 5\na 40 TXT x\n");
	char *got = NULL;
	size_t len;
	FILE *f = open_memstream(&got, &len);
	(void)state;

	assert_int_equal(zone_print(c, f), 0);
	fclose(f);
	assert_string_equal(got, expect);
	free(got);
	f = fopen("/dev/full", "w");
	setvbuf(f, NULL, _IONBF, 0);
	assert_true(zone_print(c, f) < 0);
	fclose(f);
	content_free(c);
}

/* ---- the whole zone ---- */

#define SOA "@ 60 SOA . . 1 2 3 4 5\n"
#define NS "@ 60 NS ns.other.\n"

static void test_check(void **state)
{
	static const struct {
		const char *name, *in, *out;
	} rows[] = {
		{"least", SOA NS, ""},
		{"nothing", "", "error: the zone example. has no SOA record at its apex\nerror: the zone example. has no NS record at its apex\n"},
		{"no SOA", NS, "z: error: the zone example. has no SOA record at its apex\n"},
		{"no NS", SOA, "z: error: the zone example. has no NS record at its apex\n"},
		{"NS only below", SOA "a 60 NS ns.other.\n", "z: error: the zone example. has no NS record at its apex\n"},
		{"two SOA", SOA "@ 60 SOA . . 2 2 3 4 5\n" NS, "z:1: error: example.: 2 different SOA records: there must be one\n"},
		{"SOA below", SOA NS "a 60 SOA . . 1 2 3 4 5\n", "z:3: error: a.example.: an SOA record belongs at the apex only\n"},
		{"outside", SOA NS "a.other. 60 A 192.0.2.1\n", "z:3: error: a.other.: is outside the zone\n"},
		{"CNAME alone", SOA NS "a 60 CNAME b\nb 60 A 192.0.2.1\n", ""},
		{"CNAME with A", SOA NS "a 60 A 192.0.2.1\na 60 CNAME b\n", "z:4: error: a.example.: a CNAME and other data (A) at one name (RFC 2181 10.1)\n"},
		{"CNAME with its proofs", SOA NS "a 60 CNAME b\na 60 NSEC b CNAME RRSIG NSEC\na 60 RRSIG CNAME 8 2 60 20380101000000 20200101000000 1 example. AA==\n", ""},
		{"CNAME at the apex", SOA NS "@ 60 CNAME b\n", "z:3: error: example.: a CNAME and other data (NS) at one name (RFC 2181 10.1)\n"},
		{"two CNAME", SOA NS "a 60 CNAME b\na 60 CNAME c\n", "z:3: error: a.example.: 2 different CNAME records: there can be one\n"},
		{"one CNAME twice", SOA NS "a 60 CNAME b\na 60 CNAME B\n", "z:3: warning: a.example.: 1 duplicate record dropped\n"},
		{"two DNAME", SOA NS "a 60 DNAME b\na 60 DNAME c\n", "z:3: error: a.example.: 2 different DNAME records: there can be one\n"},
		{"DNAME with A", SOA NS "a 60 DNAME b\na 60 A 192.0.2.1\n", ""},
		{"steered", SOA NS "a 60 A 192.0.2.1\na 60 STEER web\nc 60 CNAME a\n_steer.c 60 STEER web\n*.d 60 AAAA 2001:db8::1\n*.d 60 STEER web\nt 60 TYPE65280 \\# 3 010203\n", ""},
		{"nothing to steer", SOA NS "a 60 TXT x\na 60 STEER web\n",
		 "z:4: warning: a.example.: a STEER record where there is neither A nor AAAA steers nothing; for a CNAME it stands at _steer below it\n"},
		{"below a DNAME", SOA NS "a 60 DNAME b\nx.a 60 A 192.0.2.1\nb 60 A 192.0.2.1\n",
		 "z:4: warning: x.a.example.: lies below a DNAME and is never answered (RFC 6672 2.4)\n"},
		{"glue", SOA NS "a 60 NS ns.a\nns.a 60 A 192.0.2.1\n", ""},
		{"IPv6 glue", SOA NS "a 60 NS ns.a\nns.a 60 AAAA 2001:db8::1\n", ""},
		{"glue missing", SOA NS "a 60 NS ns.a\n", "z:3: warning: a.example.: missing glue: ns.a.example. has neither A nor AAAA\n"},
		{"glue missing at the apex", SOA "@ 60 NS ns\n", "z:2: warning: example.: missing glue: ns.example. has neither A nor AAAA\n"},
		{"no glue wanted", SOA NS "a 60 NS ns.b\nb 60 NS ns.other.\n", ""},
		{"below a delegation", SOA NS "a 60 NS ns.other.\nx.a 60 TXT x\ny.x.a 60 MX 1 .\nz 60 TXT x\n",
		 "z:4: warning: x.a.example.: TXT record below a delegation is never answered\n"
		 "z:5: warning: y.x.a.example.: MX record below a delegation is never answered\n"},
		{"targets that are aliases", SOA "@ 60 NS x\n@ 60 MX 1 x\n_a._tcp 60 SRV 0 0 1 x\nx 60 CNAME y.other.\n",
		 "z:2: warning: example.: points at x.example., which is an alias (RFC 2181 10.3)\n"
		 "z:3: warning: example.: points at x.example., which is an alias (RFC 2181 10.3)\n"
		 "z:4: warning: _a._tcp.example.: points at x.example., which is an alias (RFC 2181 10.3)\n"},
		{"TTLs that differ", SOA NS "a 60 A 192.0.2.1\na 61 A 192.0.2.2\n",
		 "z:3: warning: a.example.: the records of this set have different TTLs: the smallest, 60, is used (RFC 2181 5.2)\n"},
		{"low TTL", SOA NS "a 29 A 192.0.2.1\nb 30 A 192.0.2.1\n", "z:3: warning: a.example.: a TTL of 29 s makes resolvers ask all the time: 30 s or more\n"},
		{"duplicates", SOA NS "a 60 A 192.0.2.1\na 60 A 192.0.2.1\na 60 A 192.0.2.1\n", "z:3: warning: a.example.: 2 duplicate records dropped\n"},
		{"NSEC3 iterations", SOA NS "@ 60 NSEC3PARAM 1 0 10 -\n", "z:3: warning: example.: NSEC3 with 10 extra iterations: use 0 (RFC 9276)\n"},
		{"NSEC3 without", SOA NS "@ 60 NSEC3PARAM 1 0 0 -\n", ""},
		{"signatures expired", SOA NS "@ 60 RRSIG NS 8 1 60 20200101000000 20190101000000 1 example. AA==\n@ 60 RRSIG SOA 8 1 60 20200101000000 20190101000000 1 example. AA==\n",
		 "z:3: warning: example.: 2 signatures of this zone expired: validating resolvers refuse them\n"},
	};
	char line[1400];
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct content *c = load(rows[i].in);
		struct diag diag;
		struct text t;

		text_init(&t);
		diag_init(&diag);
		zone_check(c, &diag);
		for (const struct diag_entry *e = diag.first; e; e = e->next)
			text_fmt(&t, "%s\n", diag_entry_text(e, line, sizeof(line)));
		if (strcmp(t.chars, rows[i].out) != 0)
			fail_msg("%s gives\n%s", rows[i].name, t.chars);
		diag_done(&diag);
		text_done(&t);
		content_free(c);
	}
}

static void test_load_file(void **state)
{
	static const struct {
		const char *text, *problem;
		int err;
	} rows[] = {
		{SOA NS "a 60 A 192.0.2.1\n", NULL, 0},
		{SOA NS "a.other. 60 A 192.0.2.1\n", ":3:1: warning: a.other. is outside the zone: ignored", 0},
		{NS, ": error: the zone example. has no SOA record at its apex", ERR_INVALID},
		/* Broken records are not followed by what is missing because of them. */
		{NS "@ 60 SOA x\n", ":2:11: error: the record ends where a domain name is expected", ERR_INVALID},
	};
	char path[] = "/tmp/content.XXXXXX";
	int fd = mkstemp(path);
	(void)state;

	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct content *c = NULL;
		struct diag diag;
		char line[1400];
		FILE *f = fopen(path, "w");

		fputs(rows[i].text, f);
		fclose(f);
		diag_init(&diag);
		assert_int_equal(zone_load_file(path, apex, NULL, &diag, &c), rows[i].err);
		assert_true((c != NULL) == (rows[i].err == 0));
		assert_int_equal(diag.errors + diag.warnings, rows[i].problem != NULL);
		if (rows[i].problem)
			assert_string_equal(diag_entry_text(diag.first, line, sizeof(line)) + strlen(path), rows[i].problem);
		diag_done(&diag);
		content_free(c);
	}
	unlink(path);
}

/* The guess only makes it faster: from anywhere the same place is found. */
static void test_find_near(void **state)
{
	static const char *const names[] = {"@", "0", "a", "b.a", "c", "ns.c", "m", "x.m", "y.x.m", "zz", "zzz", "zzzz"};
	struct content *c = load("$TTL 60\n@ SOA a a 1 1 1 1 1\n@ NS a\na A 192.0.2.1\na AAAA 2001:db8::1\nb.a A 192.0.2.1\nc NS ns.c\nns.c A 192.0.2.1\n"
	                         "m TXT x\ny.x.m TXT y\nM A 192.0.2.3\nzz A 192.0.2.2\nzz TXT a\nzz MX 1 a\nzzz A 192.0.2.9\n");

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct name n = strcmp(names[i], "@") ? name_of(names[i]) : name_of("example.");

		for (size_t near = 0; near <= content_rrset_count(c) + 1; near++)
			assert_int_equal(content_find_near(c, n.wire, near), content_find(c, n.wire));
	}
	content_free(c);
}

/* Serial and ZONEMD written into finished content: what is there before, and where the set goes. */
static void test_stamp(void **state)
{
	static const struct {
		const char *in, *sets;
		size_t records;
	} rows[] = {
		{"@ 60 SOA a b 1 1 1 1 1\n", "example. SOA 60 1\nexample. ZONEMD 60 1\n", 2},
		{"@ 60 SOA a b 1 1 1 1 1\n@ 30 NS a\n@ 30 CAA 0 issue \"x\"\na 30 A 192.0.2.1\n",
		 "example. SOA 60 1\nexample. NS 30 1\nexample. ZONEMD 60 1\nexample. CAA 30 1\na.example. A 30 1\n", 5},
		{"@ 60 SOA a b 1 1 1 1 1\n@ 30 NS a\n@ 30 ZONEMD 1 1 240 abababababababababababab\n@ 30 ZONEMD 1 1 241 abababababababababababab\n"
		 "@ 30 ZONEMD 1 1 242 abababababababababababab\na 30 A 192.0.2.1\n",
		 "example. SOA 60 1\nexample. NS 30 1\nexample. ZONEMD 60 1\na.example. A 30 1\n", 4},
		{"@ 60 SOA a b 1 1 1 1 1\na 30 ZONEMD 1 1 240 abababababababababababab\n",
		 "example. SOA 60 1\nexample. ZONEMD 60 1\na.example. ZONEMD 30 1\n", 3},
	};
	const uint8_t one[4] = {1, 2, 3, 4}, other[4] = {5, 6, 7, 8}, longer[6] = {9, 9, 9, 9, 9, 9};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct content *c = load(rows[i].in);
		const struct content_rrset *set;
		struct soa soa;
		char *got;

		assert_int_equal(content_set_serial(c, 4000000000U), 0);
		assert_int_equal(content_put_zonemd(c, one, sizeof(one)), 0);
		assert_int_equal(content_put_zonemd(c, longer, sizeof(longer)), 0);
		assert_int_equal(content_put_zonemd(c, other, sizeof(other)), 0);
		got = sets(c);
		assert_string_equal(got, rows[i].sets);
		free(got);
		assert_int_equal(content_record_count(c), rows[i].records);
		set = content_lookup(c, apex, RR_ZONEMD);
		assert_non_null(set);
		assert_int_equal(set->records[0].rdlen, sizeof(other));
		assert_memory_equal(set->records[0].rdata, other, sizeof(other));
		set = content_soa(c);
		assert_int_equal(soa_parse(set->records[0].rdata, set->records[0].rdlen, &soa), 0);
		assert_int_equal(soa.serial, 4000000000U);
		content_free(c);
	}
	{
		struct content *c = load("a 30 A 192.0.2.1\n");

		assert_int_equal(content_set_serial(c, 1), ERR_NOT_FOUND);
		assert_int_equal(content_put_zonemd(c, one, sizeof(one)), ERR_NOT_FOUND);
		content_free(c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find_near),
		cmocka_unit_test(test_sets),  cmocka_unit_test(test_shuffled), cmocka_unit_test(test_find),
		cmocka_unit_test(test_print), cmocka_unit_test(test_check),    cmocka_unit_test(test_load_file),
		cmocka_unit_test(test_stamp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
