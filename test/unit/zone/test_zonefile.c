/* SPDX-License-Identifier: BSD-2-Clause */
/* Zone file text to records, and to messages with their places. */
#include "base/diag.h"
#include "base/err.h"
#include "base/text.h"
#include "zone/lexer.h"
#include "zone/print.h"
#include "zone/zonefile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t origin[] = "\x07" "example";

static int collect(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	assert_non_null(place->file);
	assert_true(place->line > 0);
	zone_print_record(ctx, rr->owner, rr->ttl, rr->type, rr->rdata, rr->rdlen);
	return 0;
}

/* Records, or where there are problems, then the problems, one a line. */
static char *read_text(const char *in, size_t len, bool include)
{
	struct zonefile_options o = {.origin = origin, .rclass = CLASS_IN, .on_record = collect};
	char line[1400], *out;
	struct text records;
	struct diag diag;
	int err;

	text_init(&records);
	diag_init(&diag);
	o.ctx = &records;
	err = zonefile_parse_bytes("z", in, len, include, &o, &diag);
	assert_int_equal(err, diag.errors ? ERR_INVALID : 0);
	for (const struct diag_entry *e = diag.first; e; e = e->next)
		text_fmt(&records, "%s\n", diag_entry_text(e, line, sizeof(line)));
	diag_done(&diag);
	out = text_take(&records);
	assert_non_null(out);
	return out;
}

struct row {
	const char *name, *in, *out;
};

static void run(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *got = read_text(rows[i].in, strlen(rows[i].in), true);

		if (strcmp(got, rows[i].out) != 0)
			fail_msg("%s:\n%s\ngives\n%s\nnot\n%s", rows[i].name, rows[i].in, got, rows[i].out);
		free(got);
	}
}

#define A(owner, ttl, last) owner "\t" #ttl "\tIN\tA\t192.0.2." #last "\n"

static void test_records(void **state)
{
	static const struct row rows[] = {
		{"empty", "", ""},
		{"only comments", "; one\n\n  ; two\n\t\n", ""},
		{"plain", "a 60 IN A 192.0.2.1\n", A("a.example.", 60, 1)},
		{"class before TTL", "a IN 60 A 192.0.2.1\n", A("a.example.", 60, 1)},
		{"no final newline", "a 60 IN A 192.0.2.1", A("a.example.", 60, 1)},
		{"CRLF", "a 60 IN A 192.0.2.1\r\nb 60 A 192.0.2.2\r\n", A("a.example.", 60, 1) A("b.example.", 60, 2)},
		{"byte order mark", "\xef\xbb\xbf" "a 60 IN A 192.0.2.1\n", A("a.example.", 60, 1)},
		{"comment right behind", "a 60 A 192.0.2.1;c\n", A("a.example.", 60, 1)},
		{"lower case", "a 60 in a 192.0.2.1\n", A("a.example.", 60, 1)},
		{"class and type by number", "a 60 CLASS1 TYPE1 192.0.2.1\n", A("a.example.", 60, 1)},
		{"owner inherited", "a 60 A 192.0.2.1\n A 192.0.2.2\n\tA 192.0.2.3\n",
		 A("a.example.", 60, 1) A("a.example.", 60, 2) A("a.example.", 60, 3)},
		{"owner inherited past blank lines", "a 60 A 192.0.2.1\n\n;\n A 192.0.2.2\n", A("a.example.", 60, 1) A("a.example.", 60, 2)},
		{"owner inherited after $ORIGIN", "a 60 A 192.0.2.1\n$ORIGIN x\n A 192.0.2.2\nb A 192.0.2.3\n",
		 A("a.example.", 60, 1) A("a.example.", 60, 2) A("b.x.example.", 60, 3)},
		{"at sign", "@ 60 A 192.0.2.1\n", A("example.", 60, 1)},
		{"at sign in data", "@ 60 MX 1 @\n", "example.\t60\tIN\tMX\t1 example.\n"},
		{"escaped at sign is a name", "\\@ 60 A 192.0.2.1\n", A("\\@.example.", 60, 1)},
		{"root", ". 60 A 192.0.2.1\n", A(".", 60, 1)},
		{"wildcard, underscore, hyphen", "*._x.-y 60 A 192.0.2.1\n", A("*._x.-y.example.", 60, 1)},
		{"escapes in names", "a\\.b\\032c\\\\d 60 A 192.0.2.1\n", A("a\\.b\\032c\\\\d.example.", 60, 1)},
		{"escaped semicolon", "a\\;b 60 A 192.0.2.1\n", A("a\\;b.example.", 60, 1)},
		{"escaped dollar at the start", "\\$TTL 60 A 192.0.2.1\n", A("\\$TTL.example.", 60, 1)},
		{"parentheses", "a 60 MX ( 1\n ; comment\n b )\n", "a.example.\t60\tIN\tMX\t1 b.example.\n"},
		{"parentheses around all", "(a\n60\nA\n192.0.2.1)\n", A("a.example.", 60, 1)},
		{"parentheses in parentheses", "a 60 MX ((1)(\nb))\n", "a.example.\t60\tIN\tMX\t1 b.example.\n"},
		{"line start in parentheses is no owner", "a 60 MX (1\nb)\n A 192.0.2.1\n", "a.example.\t60\tIN\tMX\t1 b.example.\n" A("a.example.", 60, 1)},
		{"quoted strings", "a 60 TXT \"x ; ( y\" z \"\"\n", "a.example.\t60\tIN\tTXT\t\"x ; ( y\" \"z\" \"\"\n"},
		{"quotes touch", "a 60 TXT \"x\"\"y\"z\n", "a.example.\t60\tIN\tTXT\t\"x\" \"y\" \"z\"\n"},
		{"quotes begin a field", "a 60 TXT k=\"x y\"z\n", "a.example.\t60\tIN\tTXT\t\"k=\" \"x y\" \"z\"\n"},
		{"quotes, escaped", "a 60 TXT k\\\"x \"\\\"\"\n", "a.example.\t60\tIN\tTXT\t\"k\\\"x\" \"\\\"\"\n"},
		{"quotes of SVCB", "a 60 HTTPS 1 . alpn=\"h2,h3\"\n", "a.example.\t60\tIN\tHTTPS\t1 . alpn=\"h2,h3\"\n"},
		{"unknown type", "a 60 TYPE65280 \\# 3 0a0b 0c\n", "a.example.\t60\tIN\tTYPE65280\t\\# 3 0A0B0C\n"},
		{"unknown type, empty", "a 60 TYPE65280 \\# 0\n", "a.example.\t60\tIN\tTYPE65280\t\\# 0\n"},
		{"known type in generic form", "a 60 A \\# 4 c0000201\n", A("a.example.", 60, 1)},
		{"owners that look like types", "in 60 A 192.0.2.1\nA A 192.0.2.2\n60 A 192.0.2.3\n",
		 A("in.example.", 60, 1) A("A.example.", 60, 2) A("60.example.", 60, 3)},
	};
	(void)state;
	run(rows, ARRAY_LEN(rows));
}

static void test_ttl(void **state)
{
	static const struct row rows[] = {
		{"units", "a 1w2d3h4m5s A 192.0.2.1\n", A("a.example.", 788645, 1)},
		{"units in upper case", "a 1H30M A 192.0.2.1\n", A("a.example.", 5400, 1)},
		{"zero", "a 0 A 192.0.2.1\n", A("a.example.", 0, 1)},
		{"largest", "a 2147483647 A 192.0.2.1\n", A("a.example.", 2147483647, 1)},
		{"$TTL", "$TTL 1h\na A 192.0.2.1\nb 60 A 192.0.2.2\nc A 192.0.2.3\n",
		 A("a.example.", 3600, 1) A("b.example.", 60, 2) A("c.example.", 3600, 3)},
		{"$TTL changes", "$TTL 60\na A 192.0.2.1\n$ttl 61\nb A 192.0.2.2\n", A("a.example.", 60, 1) A("b.example.", 61, 2)},
		{"the record before", "a 60 A 192.0.2.1\nb A 192.0.2.2\nc 61 A 192.0.2.3\nd A 192.0.2.4\n",
		 A("a.example.", 60, 1) A("b.example.", 60, 2) A("c.example.", 61, 3) A("d.example.", 61, 4)},
		{"MINIMUM becomes the default", "@ SOA . . 1 2 3 4 777\na 60 A 192.0.2.1\nb A 192.0.2.2\n",
		 "example.\t777\tIN\tSOA\t. . 1 2 3 4 777\n" A("a.example.", 60, 1) A("b.example.", 777, 2)
		 "z:1:3: warning: no TTL is given: the SOA's MINIMUM of 777 is used; write $TTL 777 at the top\n"},
		{"MINIMUM is not used behind a TTL", "@ 50 SOA . . 1 2 3 4 777\nb A 192.0.2.2\n",
		 "example.\t50\tIN\tSOA\t. . 1 2 3 4 777\n" A("b.example.", 50, 2)},
		{"nothing at all", "a A 192.0.2.1\nb A 192.0.2.2\n", A("a.example.", 3600, 1) A("b.example.", 3600, 2)
		 "z:1:3: warning: no TTL is given and there is none to inherit: 3600 is used; write $TTL 3600 at the top\n"},
	};
	(void)state;
	run(rows, ARRAY_LEN(rows));
}

static void test_generate(void **state)
{
	static const struct row rows[] = {
		{"plain", "$TTL 60\n$GENERATE 1-2 a$ A 192.0.2.$\n", A("a1.example.", 60, 1) A("a2.example.", 60, 2)},
		{"step", "$TTL 60\n$GENERATE 1-5/2 a$ A 192.0.2.$\n", A("a1.example.", 60, 1) A("a3.example.", 60, 3) A("a5.example.", 60, 5)},
		{"TTL and class", "$GENERATE 1-1 a$ 60 IN A 192.0.2.$\n$generate 1-1 b$ IN 61 A 192.0.2.$\n",
		 A("a1.example.", 60, 1) A("b1.example.", 61, 1)},
		{"offset, width, base", "$TTL 60\n$GENERATE 10-10 ${-9}.${0,4}.${1,3,o}.${0,3,x}.${0,1,X} A 192.0.2.$\n",
		 A("1.0010.013.00a.A.example.", 60, 10)},
		{"nibbles", "$TTL 60\n$GENERATE 30-30 ${0,1,n}.${0,2,n}.${0,3,n}.${0,5,N}.${0,7,n} A 192.0.2.$\n",
		 A("e.1.e.1.e.1.E.1.0.e.1.0.0.example.", 60, 30)},
		{"dollar signs", "$TTL 60\n$GENERATE 1-1 a\\$b$$c$ A 192.0.2.$\n", A("a\\$b\\$c1.example.", 60, 1)},
		{"no directive comes out", "$TTL 60\n$GENERATE 1-1 $$ORIGIN A 192.0.2.$\n", A("\\$ORIGIN.example.", 60, 1)},
		{"quotes hold the data together", "$TTL 60\n$GENERATE 1-1 m MX \"1$ mail$\"\n", "m.example.\t60\tIN\tMX\t11 mail1.example.\n"},
		{"several fields", "$TTL 60\n$GENERATE 1-1 m MX 1$ mail$\n", "m.example.\t60\tIN\tMX\t11 mail1.example.\n"},
		{"several fields with quotes", "$TTL 60\n$GENERATE 1-1 t TXT a \"b $\" \"\"\n", "t.example.\t60\tIN\tTXT\t\"a\" \"b 1\" \"\"\n"},
		{"origin", "$TTL 60\n$ORIGIN x\n$GENERATE 1-1 a$ A 192.0.2.$\n", A("a1.x.example.", 60, 1)},
		{"one report a template", "$TTL 60\n$GENERATE 254-300 a$ A 192.0.2.$\n", A("a254.example.", 60, 254) A("a255.example.", 60, 255)
		 "z:2:1: error: \"192.0.2.256\" is no IPv4 address: write it like 192.0.2.1\n"},
		{"data missing", "$TTL 60\n$GENERATE 1-2 a$ A\n", "z:2:1: error: the record ends where an IPv4 address is expected\n"},
		{"too few fields", "$GENERATE 1-2 a$\n",
		 "z:1:1: error: write $GENERATE START-STOP[/STEP] NAME [TTL] [CLASS] TYPE DATA, for instance $GENERATE 1-9 host$ A 192.0.2.$\n"},
		{"range backwards", "$GENERATE 2-1 a$ A 192.0.2.$\n",
		 "z:1:1: error: write $GENERATE START-STOP[/STEP] NAME [TTL] [CLASS] TYPE DATA, for instance $GENERATE 1-9 host$ A 192.0.2.$\n"},
		{"step of nothing", "$GENERATE 1-2/0 a$ A 192.0.2.$\n",
		 "z:1:1: error: write $GENERATE START-STOP[/STEP] NAME [TTL] [CLASS] TYPE DATA, for instance $GENERATE 1-9 host$ A 192.0.2.$\n"},
		{"too many", "$GENERATE 0-1000000 a$ A 192.0.2.1\n", "z:1:11: error: $GENERATE makes more than 1000000 records\n"},
		{"bad modifier", "$GENERATE 1-2 a${0,1,y} A 192.0.2.$\n",
		 "z:1:15: error: \"a${0,1,y}\": a wrong ${offset,width,base}, or too long\n"},
		{"modifier not closed", "$GENERATE 1-2 a${0,1 A 192.0.2.$\n",
		 "z:1:15: error: \"a${0,1\": a wrong ${offset,width,base}, or too long\n"},
		{"width too large", "$GENERATE 1-2 a${0,256} A 192.0.2.$\n",
		 "z:1:15: error: \"a${0,256}\": a wrong ${offset,width,base}, or too long\n"},
	};
	(void)state;
	run(rows, ARRAY_LEN(rows));
}

#define L64 "123456789012345678901234567890123456789012345678901234567890abcd"

static void test_errors(void **state)
{
	static const struct row rows[] = {
		{"type missing", "$TTL 60\na\n", "z:2:2: error: the record ends where its type is expected\n"},
		{"type missing behind class", "a 60 IN\n", "z:1:8: error: the record ends where its type is expected\n"},
		{"type unknown", "a 60 IN AX 1\n", "z:1:9: error: \"AX\" is no record type, class or TTL\n"},
		{"two TTLs", "a 60 61 A 192.0.2.1\n", "z:1:6: error: \"61\" is no record type, class or TTL\n"},
		{"two classes", "a IN IN A 192.0.2.1\n", "z:1:6: error: \"IN\" is no record type, class or TTL\n"},
		{"TTL too large", "a 2147483648 A 192.0.2.1\n", "z:1:3: error: a TTL is at most 2147483647 seconds\n"},
		{"TTL far too large", "a 99999999999999999999 A 192.0.2.1\n", "z:1:3: error: a TTL is at most 2147483647 seconds\n"},
		{"TTL of units too large", "a 9999w A 192.0.2.1\n", "z:1:3: error: a TTL is at most 2147483647 seconds\n"},
		{"class", "a 60 CH A 192.0.2.1\n", "z:1:6: error: class CH: this zone is of class IN\n"},
		{"class by number", "a 60 CLASS9 A 192.0.2.1\n", "z:1:6: error: class CLASS9: this zone is of class IN\n"},
		{"type of questions", "a 60 IN MAILB x\n", "z:1:9: error: type MAILB cannot stand in a zone\n"},
		{"type of transfers", "a 60 AXFR\n", "z:1:6: error: type AXFR cannot stand in a zone\n"},
		{"type OPT", "a 60 TYPE41 \\# 0\n", "z:1:6: error: type TYPE41 cannot stand in a zone\n"},
		{"type 0", "a 60 TYPE0 \\# 0\n", "z:1:6: error: type TYPE0 cannot stand in a zone\n"},
		{"no owner", " 60 A 192.0.2.1\n", "z:1:1: error: the first record has no owner: begin the line with a name, or @\n"},
		{"empty label", "a..b 60 A 192.0.2.1\n", "z:1:1: error: \"a..b\" is no domain name: an empty label or a bad escape\n"},
		{"bad owner is told once", "a..b 60 A 192.0.2.1\n A 192.0.2.2\n A 192.0.2.3\nc A 192.0.2.4\n", "c.example.\t3600\tIN\tA\t192.0.2.4\n"
		 "z:1:1: error: \"a..b\" is no domain name: an empty label or a bad escape\n"
		 "z:4:3: warning: no TTL is given and there is none to inherit: 3600 is used; write $TTL 3600 at the top\n"},
		{"escape above 255", "a\\256 60 A 192.0.2.1\n", "z:1:1: error: \"a\\256\" is no domain name: an empty label or a bad escape\n"},
		{"label of 64", L64 " 60 A 192.0.2.1\n", "z:1:1: error: \"1234567890123456789012345678901234567890\" is too long: at most 63 octets a label and 255 a name\n"},
		{"data missing", "a 60 A\n", "z:1:7: error: the record ends where an IPv4 address is expected\n"},
		{"data missing behind quotes", "a 60 MX \"1\"\n", "z:1:12: error: the record ends where a domain name is expected\n"},
		{"data wrong", "a 60 A 192.0.2\n", "z:1:8: error: \"192.0.2\" is no IPv4 address: write it like 192.0.2.1\n"},
		{"place in a later line", "a 60 MX ( 1\n   b..c )\n", "z:2:4: error: \"b..c\" is no domain name: an empty label or a bad escape\n"},
		{"goes on behind", "a 60 A x\nb 60 A 192.0.2.2\n", "b.example.\t60\tIN\tA\t192.0.2.2\nz:1:8: error: \"x\" is no IPv4 address: write it like 192.0.2.1\n"},
		{"quote open", "a 60 TXT \"x\nb 60 A 192.0.2.2\n", "b.example.\t60\tIN\tA\t192.0.2.2\nz:1:10: error: a quote is opened and not closed on this line\n"},
		{"quote open at the end", "a 60 TXT \"x", "z:1:10: error: a quote is opened and not closed\n"},
		{"inner quote open", "a 60 TXT k=\"x\n", "z:1:10: error: a quote is opened and not closed on this line\n"},
		{"backslash at the end of a line", "a 60 TXT x\\\n", "z:1:11: error: a backslash at the end of a line; write \\\\ for a backslash\n"},
		{"backslash at the end of a CRLF line", "a 60 TXT x\\\r\n", "z:1:11: error: a backslash at the end of a line; write \\\\ for a backslash\n"},
		{"backslash at the end", "a 60 TXT x\\", "z:1:11: error: a backslash at the end of a line; write \\\\ for a backslash\n"},
		{"closing parenthesis", "a 60 A 192.0.2.1 )\n", "z:1:18: error: a closing parenthesis without an opening one\n"},
		{"parenthesis never closed", "a 60 A 192.0.2.1\nb 60 MX ( 1 b\nc 60 A 192.0.2.1\n",
		 "a.example.\t60\tIN\tA\t192.0.2.1\nz:2:9: error: this parenthesis is never closed\n"},
		{"unknown directive", "$TTLX 1\n", "z:1:1: error: \"$TTLX\" is no directive: there are $ORIGIN, $TTL, $INCLUDE and $GENERATE\n"},
		{"$ORIGIN without name", "$ORIGIN\n", "z:1:1: error: write $ORIGIN NAME\n"},
		{"$ORIGIN with two", "$ORIGIN a b\n", "z:1:1: error: write $ORIGIN NAME\n"},
		{"$ORIGIN with no name", "$ORIGIN a..b\n", "z:1:9: error: \"a..b\" is no domain name\n"},
		{"$TTL without", "$TTL\n", "z:1:1: error: write $TTL SECONDS, or $TTL 1h30m; at most 2147483647 seconds\n"},
		{"$TTL of words", "$TTL x\n", "z:1:1: error: write $TTL SECONDS, or $TTL 1h30m; at most 2147483647 seconds\n"},
		{"$TTL too large", "$TTL 4294967295\n", "z:1:1: error: write $TTL SECONDS, or $TTL 1h30m; at most 2147483647 seconds\n"},
		{"$INCLUDE without", "$INCLUDE\n", "z:1:1: error: write $INCLUDE FILE, or $INCLUDE FILE ORIGIN\n"},
		{"$INCLUDE with too much", "$INCLUDE a b c\n", "z:1:1: error: write $INCLUDE FILE, or $INCLUDE FILE ORIGIN\n"},
		{"$INCLUDE of nothing", "$INCLUDE /nowhere/x\n", "z:1:10: error: cannot read /nowhere/x: No such file or directory\n"},
		{"$INCLUDE of a folder", "$INCLUDE /\n", "z:1:10: error: cannot read /: Is a directory\n"},
		{"$INCLUDE of a device", "$INCLUDE /dev/zero\n", "z:1:10: error: cannot read /dev/zero: Invalid argument\n"},
		{"$INCLUDE with a bad origin", "$INCLUDE x a..b\n", "z:1:12: error: \"a..b\" is no domain name\n"},
	};
	static const char nul[] = "a 60 A 192.0.2.1\nb\0c 60 A 192.0.2.2\nd 60 TXT \"\0\"\ne 60 TXT \\\0\n";
	char *got;
	(void)state;

	run(rows, ARRAY_LEN(rows));
	got = read_text("$INCLUDE x\n", 11, false);
	assert_string_equal(got, "z:1:10: error: $INCLUDE is not allowed here\n");
	free(got);
	got = read_text(nul, sizeof(nul) - 1, false);
	assert_string_equal(got, "a.example.\t60\tIN\tA\t192.0.2.1\n"
	                         "z:2:2: error: a NUL octet: this is no text file\n"
	                         "z:3:10: error: a quote is opened and not closed on this line\n"
	                         "z:4:11: error: a NUL octet: this is no text file\n");
	free(got);
}

static int count(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	(void)rr;
	(void)place;
	return ++*(unsigned *)ctx == 3 ? -77 : 0;
}

static void test_limits(void **state)
{
	struct zonefile_options o = {.origin = origin, .rclass = CLASS_IN, .on_record = count};
	const char *three = "a 60 A 192.0.2.1\nb A 192.0.2.1\nc A 192.0.2.1\nd A 192.0.2.1\n";
	unsigned records = 0;
	struct text t;
	struct diag diag;
	char *got;
	(void)state;

	/* The callback's wish is the result, and nothing is read behind it. */
	diag_init(&diag);
	o.ctx = &records;
	assert_int_equal(zonefile_parse_bytes("z", three, strlen(three), false, &o, &diag), -77);
	assert_int_equal(records, 3);
	diag_done(&diag);

	/* Reading stops when there are as many errors as people read. */
	text_init(&t);
	for (unsigned i = 0; i < 1000; i++)
		text_str(&t, "a 60 A x\n");
	diag_init(&diag);
	assert_int_equal(zonefile_parse_bytes("z", t.chars, t.len, false, &o, &diag), ERR_INVALID);
	assert_int_equal(diag.errors, DIAG_ERROR_LIMIT);
	diag_done(&diag);

	/* Fields, in and without parentheses; nested parentheses. */
	text_clear(&t);
	text_str(&t, "a 60 TXT (\n");
	for (unsigned i = 0; i < LEXER_TOKENS_MAX; i++)
		text_str(&t, "x\n");
	got = read_text(t.chars, t.len, false);
	assert_string_equal(got, "z:1:10: error: this parenthesis is not closed within 16384 fields\n");
	free(got);
	text_clear(&t);
	text_str(&t, "a 60 TXT");
	for (unsigned i = 0; i < LEXER_TOKENS_MAX - 3; i++)
		text_str(&t, " x");
	got = read_text(t.chars, t.len, false);
	assert_null(strstr(got, "error"));
	free(got);
	text_str(&t, " x\nb 60 A 192.0.2.1\n");
	got = read_text(t.chars, t.len, false);
	assert_string_equal(got, "b.example.\t60\tIN\tA\t192.0.2.1\nz:1:32772: error: more than 16384 fields in one record\n");
	free(got);
	text_clear(&t);
	for (unsigned i = 0; i < 65; i++)
		text_char(&t, '(');
	text_str(&t, "\nb 60 A 192.0.2.1\n");
	got = read_text(t.chars, t.len, false);
	assert_string_equal(got, "b.example.\t60\tIN\tA\t192.0.2.1\nz:1:65: error: parentheses are nested more than 64 deep\n");
	free(got);
	/* RDATA above 65,535 octets. */
	text_clear(&t);
	text_str(&t, "a 60 TXT");
	for (unsigned i = 0; i < 300; i++) {
		text_str(&t, " ");
		for (unsigned k = 0; k < 255; k++)
			text_char(&t, 'x');
	}
	got = read_text(t.chars, t.len, false);
	assert_string_equal(got, "z:1:76809: error: the record holds more than 65535 octets\n");
	free(got);
	text_done(&t);
}

/* ---- files ---- */

static void put(const char *dir, const char *name, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static char *read_file(const char *dir, const char *name)
{
	struct zonefile_options o = {.origin = origin, .rclass = CLASS_IN, .on_record = collect};
	struct text out;
	struct diag diag;
	char path[300], line[1400];
	size_t skip = strlen(dir) + 1;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	text_init(&out);
	diag_init(&diag);
	o.ctx = &out;
	assert_true(zonefile_parse(path, &o, &diag) <= 0);
	for (const struct diag_entry *e = diag.first; e; e = e->next) {
		char *at = diag_entry_text(e, line, sizeof(line));

		text_fmt(&out, "%s\n", strncmp(at, dir, skip - 1) == 0 ? at + skip : at);
	}
	diag_done(&diag);
	return text_take(&out);
}

static void test_include(void **state)
{
	char dir[] = "/tmp/zonefile.XXXXXX", sub[40], command[60], *got, expect[200];
	(void)state;

	assert_non_null(mkdtemp(dir));
	snprintf(sub, sizeof(sub), "%s/sub", dir);
	snprintf(command, sizeof(command), "mkdir %s", sub);
	assert_int_equal(system(command), 0);
	put(dir, "main", "$TTL 60\na A 192.0.2.1\n$INCLUDE sub/one x ; comment\n A 192.0.2.3\nb A 192.0.2.4\n$INCLUDE \"sub/two\"\n");
	put(sub, "one", " A 192.0.2.2\nc A 192.0.2.5\n$INCLUDE two\n$ORIGIN y\nd A 192.0.2.6\n");
	put(sub, "two", "e A 192.0.2.7");
	got = read_file(dir, "main");
	assert_string_equal(got, A("a.example.", 60, 1) A("a.example.", 60, 2) A("c.x.example.", 60, 5) A("e.x.example.", 60, 7) A("d.y.x.example.", 60, 6)
	                    A("a.example.", 60, 3) A("b.example.", 60, 4) A("e.example.", 60, 7));
	free(got);

	/* Problems carry the file they are in. */
	put(sub, "two", "$TTL 60\ne A 192.0.2.7\n\nf A x\n");
	got = read_file(dir, "main");
	assert_non_null(strstr(got, "\nsub/two:4:5: error: \"x\" is no IPv4 address: write it like 192.0.2.1\n"));
	free(got);

	/* A file that includes itself. */
	put(dir, "main", "a 60 A 192.0.2.1\n$INCLUDE main\n");
	got = read_file(dir, "main");
	assert_non_null(strstr(got, "main:2:10: error: files include each other more than 16 deep\n"));
	free(got);

	/* An empty file has no records; one that is not there has a message. */
	put(dir, "main", "");
	got = read_file(dir, "main");
	assert_string_equal(got, "");
	free(got);
	got = read_file(dir, "none");
	snprintf(expect, sizeof(expect), "none: error: cannot read %s/none: No such file or directory\n", dir);
	assert_string_equal(got, expect);
	free(got);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records), cmocka_unit_test(test_ttl),    cmocka_unit_test(test_generate),
		cmocka_unit_test(test_errors),  cmocka_unit_test(test_limits), cmocka_unit_test(test_include),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
