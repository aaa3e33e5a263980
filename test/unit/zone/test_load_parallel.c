/* SPDX-License-Identifier: BSD-2-Clause */
/* A file loaded by several threads in small pieces must be what one thread makes of it: records, order, sets, problems with their places. */
#include "base/diag.h"
#include "base/err.h"
#include "base/text.h"
#include "zone/content.h"
#include "zone/print.h"

#include <fts.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t apex[] = "\x07" "example";
static char dir[] = "/tmp/zoneload.XXXXXX";

static uint32_t random_below(uint32_t n)
{
	static uint64_t x = 0x9e3779b97f4a7c15ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % n;
}

struct progress {
	uint64_t last;
	bool wrong;
};

static void on_progress(void *ctx, uint64_t done, uint64_t all)
{
	struct progress *p = ctx;

	p->wrong |= done < p->last || done > all;
	p->last = done;
}

/* All there is to know of the outcome. */
static char *load(const char *path, unsigned threads, uint64_t piece)
{
	struct progress progress = {0};
	struct zone_load_options o = {.threads = threads, .piece = piece, .on_progress = on_progress, .ctx = &progress};
	struct content *c = NULL;
	char line[1400];
	struct diag diag;
	struct text t;
	int err;

	text_init(&t);
	diag_init(&diag);
	err = zone_load_file(path, apex, &o, &diag, &c);
	text_fmt(&t, "%d, %u errors, %u warnings, %u not shown\n", err, diag.errors, diag.warnings, diag.dropped);
	for (const struct diag_entry *e = diag.first; e; e = e->next)
		text_fmt(&t, "%s\n", diag_entry_text(e, line, sizeof(line)));
	for (size_t i = 0; !err && i < content_rrset_count(c); i++) {
		const struct content_rrset *s = content_rrset(c, i);

		text_fmt(&t, "%u %u %u\n", s->count, s->duplicates, s->ttl_differs);
		for (uint32_t k = 0; k < s->count; k++) {
			text_fmt(&t, "%s:%u ", content_file(c, s->records[k].file), s->records[k].line);
			zone_print_record(&t, s->owner, s->records[k].ttl, s->type, s->records[k].rdata, s->records[k].rdlen);
		}
	}
	if (!err)
		text_fmt(&t, "%zu\n", content_record_count(c));
	assert_false(progress.wrong);
	content_free(c);
	diag_done(&diag);
	return text_take(&t);
}

static void compare(const char *what, const char *path, uint64_t piece, unsigned threads)
{
	char *wanted = load(path, 1, piece), *got = load(path, threads, piece);
	size_t at = 0;

	assert_non_null(wanted);
	assert_non_null(got);
	while (wanted[at] && wanted[at] == got[at])
		at++;
	if (wanted[at] != got[at]) {
		while (at && wanted[at - 1] != '\n')
			at--;
		fprintf(stderr, "%s, pieces of %u: one thread has\n%.400s\nbut several\n%.400s\n", what, (unsigned)piece, wanted + at, got + at);
		fail_msg("%s is loaded in two ways", what);
	}
	free(wanted);
	free(got);
}

static void put(const char *name, const char *text, size_t len, char path[300])
{
	FILE *f;

	snprintf(path, 300, "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* What a made zone has besides plain records. */
enum { LONG_ENTRIES = 1, OWNERS_LEFT_OUT = 2, TTLS = 4, NO_TTL = 8, ORIGINS = 16, BACK = 32, ERRORS = 64, OUTSIDE = 128, INCLUDES = 256, SHUFFLED = 512,
       GENERATES = 1024, TRAPS = 2048, LAST_TTL = 4096, UNTOLD_TTL = 8192 };

static void make_zone(struct text *t, unsigned with, unsigned lines)
{
	text_str(t, with & (NO_TTL | UNTOLD_TTL) ? "" : "$TTL 3600\n");
	text_fmt(t, "@ %s SOA ns1 hostmaster 1 2 3 4 5\n NS ns1\nns1 A 192.0.2.1\n", with & UNTOLD_TTL ? "" : "60");
	for (unsigned i = 0; i < lines; i++) {
		unsigned owner = with & SHUFFLED ? random_below(lines) : i / 3;

		switch (random_below(40)) {
		case 0:
			text_str(t, with & LONG_ENTRIES ? "long 60 TXT (\n\"a b\" ; comment )\n c\nd\n\n  )\n" : "; comment\n");
			break;
		case 1:
			text_str(t, with & OWNERS_LEFT_OUT ? "\t60 A 192.0.2.77\n A 192.0.2.78 ; c\n" : "\n");
			break;
		case 2:
			text_str(t, with & TTLS && !random_below(10) ? "$TTL 77\n" : "");
			break;
		case 3:
			if (with & ORIGINS && !random_below(10))
				text_fmt(t, "$ORIGIN o%u.example.\n", random_below(4));
			else if (with & BACK)
				text_str(t, "$ORIGIN away\nx 60 A 192.0.2.9\n$ORIGIN example.\n");
			break;
		case 4:
			text_str(t, with & ERRORS && !random_below(8) ? "bad 60 A 192.0.2\nbad 60 NOTYPE\n\"\n" : "");
			break;
		case 5:
			text_str(t, with & OUTSIDE ? "out.side. 60 A 192.0.2.5\nout.side. 60 A 192.0.2.6\n" : "");
			break;
		case 6:
			text_str(t, with & INCLUDES && !random_below(20) ? "$INCLUDE part\n" : "");
			break;
		case 7:
			text_str(t, with & GENERATES && !random_below(20) ? "$GENERATE 1-3 g$ 60 A 192.0.2.$\n" : "");
			break;
		case 8:
			/* What looks like the beginning of an entry and is none. */
			text_str(t, with & TRAPS ? "trap 60 TXT ( x\ny\nzone 60 A 192.0.2.1\n$ORIGIN trapped\nz )\n" : "");
			break;
		default:
			text_fmt(t, "n%u%s %.*s %s\n", owner, with & SHUFFLED && random_below(2) ? ".sub" : "",
			         with & UNTOLD_TTL || (with & LAST_TTL && random_below(3)) ? 0 : 2, &"60616263"[2 * random_below(4)],
			         random_below(2) ? "A 192.0.2.3" : random_below(2) ? "TXT \"some text\" more" : "MX 10 ns1");
			break;
		}
	}
}

static void test_made(void **state)
{
	static const char part[] = "in1 60 A 192.0.2.1\n$ORIGIN other\nin2 60 A 192.0.2.1\n$TTL 99\n";
	static const unsigned kinds[] = {0, LONG_ENTRIES, OWNERS_LEFT_OUT, TTLS, NO_TTL, ORIGINS, BACK, ERRORS, OUTSIDE, INCLUDES, SHUFFLED, GENERATES, TRAPS,
	                                 LAST_TTL | NO_TTL, TRAPS | OWNERS_LEFT_OUT | LONG_ENTRIES, UNTOLD_TTL, UNTOLD_TTL | OWNERS_LEFT_OUT, LONG_ENTRIES | OWNERS_LEFT_OUT | SHUFFLED | BACK | OUTSIDE};
	static const uint64_t pieces[] = {64, 500, 4000};
	char path[300];
	struct text t;
	(void)state;

	put("part", part, sizeof(part) - 1, path);
	for (unsigned i = 0; i < 8 * ARRAY_LEN(kinds) + 100; i++) {
		unsigned with = i < 8 * ARRAY_LEN(kinds) ? kinds[i / 8] : random_below(16384);
		char what[60];

		text_init(&t);
		make_zone(&t, with, 100 + random_below(1500));
		if (i % 2) /* no newline at the end */
			t.len--;
		put("zone", t.chars, t.len, path);
		text_done(&t);
		snprintf(what, sizeof(what), "made zone %u with %u", i, with);
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++)
			compare(what, path, pieces[k], 2 + i % 4);
	}
}

/* Errors in the first piece and far behind; more than are shown; a file that is cut short while it is read is an ordinary short one. */
static void test_edges(void **state)
{
	static const char *const texts[] = {
		"", "\n", "a 60 A 192.0.2.1", "a 60 A 192.0.2\n", ("\xef\xbb\xbf" "@ 60 SOA . . 1 2 3 4 5\n@ 60 NS a\na 60 A 192.0.2.1\n"),
		" A 192.0.2.1\na 60 A 192.0.2.1\n",
	};
	char path[300], name[40];
	struct text t;
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (unsigned copies = 1; copies < 200; copies += 66) {
			text_init(&t);
			for (unsigned k = 0; k < copies; k++)
				text_str(&t, texts[i]);
			put("edge", t.chars ? t.chars : "", t.len, path);
			text_done(&t);
			snprintf(name, sizeof(name), "edge %zu, %u times", i, copies);
			compare(name, path, 64, 3);
			compare(name, path, 1000, 2);
		}
	snprintf(path, sizeof(path), "%s/none", dir);
	compare("no file", path, 64, 3);
	compare("a folder", dir, 64, 3);
}

static void compare_folder(const char *folder)
{
	char *const paths[] = {strdup(folder), NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *f;

	assert_non_null(tree);
	while ((f = fts_read(tree)) != NULL)
		if (f->fts_info == FTS_F && f->fts_statp->st_size < 4 << 20) {
			compare(f->fts_path, f->fts_path, 300, 3);
			compare(f->fts_path, f->fts_path, 20000, 4);
		}
	fts_close(tree);
	free(paths[0]);
}

static void test_files(void **state)
{
	const char *given = getenv("ZONECAST_ZONES");
	char *list = given ? strdup(given) : NULL, *rest = list;
	(void)state;

	compare_folder(SOURCE_ROOT "/test/fuzz/zonefile.in");
	compare_folder(SOURCE_ROOT "/test/fuzz/answer.zones");
	for (char *folder; rest && (folder = strsep(&rest, ":")) != NULL;)
		compare_folder(folder);
	free(list);
}

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[100];
	(void)state;

	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) == 0 ? 0 : -1;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
