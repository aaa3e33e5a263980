/* SPDX-License-Identifier: BSD-2-Clause */
/* What is fast has a twin that is plain: both must read the same from everything, problems and their places included. Texts are samples of every kind of line,
 * what a random hand makes of them, the fuzzer's corpus, and the zone files in the folders named in $ZONECAST_ZONES (separated by colons). */
#include "base/diag.h"
#include "base/err.h"
#include "base/text.h"
#include "zone/lexer.h"
#include "zone/print.h"
#include "zone/scan.h"
#include "zone/zonefile.h"

#include <fts.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static const uint8_t origin[] = "\x07" "example";

static uint32_t random_below(uint32_t n)
{
	static uint64_t x = 88172645463325252ULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % n;
}

/* ---- scanning ---- */

static void compare_kernels(const char *text, size_t blocks)
{
	struct scan_kernel kernels[SCAN_KERNELS_MAX];
	size_t n = scan_kernels(kernels);
	uint64_t *maps = malloc(4 * blocks * sizeof(*maps));

	assert_non_null(maps);
	kernels[0].run(text, blocks, maps, maps + blocks);
	for (size_t k = 1; k < n; k++) {
		kernels[k].run(text, blocks, maps + 2 * blocks, maps + 3 * blocks);
		for (size_t i = 0; i < 2 * blocks; i++)
			if (maps[i] != maps[2 * blocks + i])
				fail_msg("%s differs from %s in the %s map at octet %zu", kernels[k].name, kernels[0].name, i < blocks ? "blank" : "stop",
				         i % blocks * 64 + (size_t)__builtin_ctzll(maps[i] ^ maps[2 * blocks + i]));
	}
	free(maps);
}

static void test_scan(void **state)
{
	static const char common[] = "ab.0 \t\r\n;()\"\\\0\x80\xff";
	char text[64 * 16 + 1];
	uint64_t blank[2], stop[2];
	(void)state;

	/* Every octet at every place of a block, and what the plain one says of it. */
	for (unsigned c = 0; c < 256; c++)
		for (unsigned at = 0; at < 64; at++) {
			bool is_blank = c == ' ' || c == '\t' || c == '\r', is_stop = is_blank || strchr("\n;()\"\\", (int)c);
			struct scan_kernel kernels[SCAN_KERNELS_MAX];

			memset(text, 'a', 64);
			text[at] = (char)c;
			scan_kernels(kernels);
			kernels[0].run(text, 1, blank, stop);
			assert_int_equal(blank[0], (uint64_t)is_blank << at);
			assert_int_equal(stop[0], (uint64_t)is_stop << at);
			compare_kernels(text, 1);
		}
	for (unsigned round = 0; round < 2000; round++) {
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = round & 1 ? (char)random_below(256) : common[random_below(sizeof(common) - 1)];
		compare_kernels(text + (round & 2 ? 1 : 0), 16);
	}
	blank[0] = 1ULL << 63;
	blank[1] = 1;
	assert_int_equal(scan_next(blank, 0), 63);
	assert_int_equal(scan_next(blank, 63), 63);
	assert_int_equal(scan_next(blank, 64), 64);
	assert_int_equal(scan_next_unset(blank, 63), 65);
	blank[0] = 0;
	assert_int_equal(scan_next(blank, 5), 64);
}

/* ---- parsing ---- */

static int collect(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	text_fmt(ctx, "%u:%u ", place->line, place->column);
	zone_print_record(ctx, rr->owner, rr->ttl, rr->type, rr->rdata, rr->rdlen);
	return 0;
}

/* Is an owner that is said to be the same the same? */
struct owners {
	struct name last;
	bool wrong, any;
};

static int check_owner(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	struct owners *o = ctx;

	if (place->same_owner && (!o->any || memcmp(o->last.wire, rr->owner, o->last.len) != 0))
		o->wrong = true;
	name_copy(&o->last, rr->owner);
	o->any = true;
	return 0;
}

struct way {
	const char *name;
	bool slow;
	size_t window;
};

static char *read_one_way(const char *in, size_t len, const struct way *way)
{
	struct zonefile_options o = {.origin = origin, .rclass = CLASS_IN, .on_record = collect, .slow = way->slow, .window = way->window};
	struct text out;
	struct diag diag;
	char line[1400];
	int err;

	text_init(&out);
	diag_init(&diag);
	o.ctx = &out;
	err = zonefile_parse_bytes("z", in, len, false, &o, &diag);
	for (const struct diag_entry *e = diag.first; e; e = e->next)
		text_fmt(&out, "%s\n", diag_entry_text(e, line, sizeof(line)));
	text_fmt(&out, "%d\n", err);
	diag_done(&diag);
	return text_take(&out);
}

static void compare_ways(const char *what, const char *in, size_t len)
{
	static const struct way ways[] = {{"slow, in one window", true, 1 << 20}, {"fast", false, 0}, {"fast, small window", false, 64},
	                                  {"slow, small window", true, 64}, {"fast, odd window", false, 320}};
	struct zonefile_options o = {.origin = origin, .rclass = CLASS_IN, .on_record = check_owner};
	char *wanted = read_one_way(in, len, &ways[0]);
	struct owners owners = {0};
	struct diag diag;

	assert_non_null(wanted);
	for (size_t i = 1; i < ARRAY_LEN(ways); i++) {
		char *got = read_one_way(in, len, &ways[i]);

		if (strcmp(got, wanted) != 0) {
			fprintf(stderr, "%s:\n%.*s\n%s:\n%s\n%s:\n%s\n", what, (int)len, in, ways[i].name, got, ways[0].name, wanted);
			fail_msg("%s is read in two ways", what);
		}
		free(got);
	}
	free(wanted);
	diag_init(&diag);
	o.ctx = &owners;
	(void)(zonefile_parse_bytes("z", in, len, false, &o, &diag) == 0);
	diag_done(&diag);
	assert_false(owners.wrong);
}

static const char sample[] =
	"$TTL 3600\n@ IN SOA ns1 hostmaster 1 2 3 4 5\n\tNS ns1\n\tNS ns2.other.\nns1 300 IN A 192.0.2.1\nns1 A 192.0.2.255\nns1 AAAA 2001:db8::1\n"
	"ns1 AAAA ::\nns1 AAAA 1:2:3:4:5:6:7::\nns1 AAAA ::ffff:192.0.2.1\nNS1 A 192.0.2.2\nmail.a.b.c 60 MX 10 mail\n$ORIGIN sub\n"
	"x 60 CNAME y\nx 60 IN PTR @\n  TXT \"a b;c\" k=\"v w\" d ; comment\n_s._tcp SRV 1 2 443 host.example.\ny DNAME z.\n"
	"d DS 12345 13 2 00112233445566778899AABBCCDDEEFF00112233 445566778899aabbccddeeff\nd DS 1 RSASHA256 1 0011223344556677889900112233445566778899\n"
	"d 60 RRSIG DS 13 2 60 20350101000000 20261121052541 11256 tld. rzX3/iuOSUSaFIa5UJAnv2QV8H3EwyEW9QzshbrpMCFb87NLvcqMHiq7 ZpIl48GdRiw76wWc3emYBbVb66JeQw==\n"
	"d 60 RRSIG ( A 8 2 60 1234567890\n 20261121052541 ; times\n 11256 tld. AAAA )\nn NSEC a.b A NS SOA RRSIG NSEC TYPE255\nn NSEC a A TYPE256 CAA\n"
	"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom 60 NSEC3 1 1 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS DS RRSIG\n"
	"0p9mhaveqvm6t7vbl5lop2u3t2rp3ton NSEC3 1 0 12 aabbccdd 2vptu5timamqttgl4luu9kg21e0aor3s A\n"
	"k DNSKEY 257 3 13 ( oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZeqCYKD5ar0IRd8KqXXFJkqmVfRvMGPmM1x8fGAa2XhSA== )\n"
	"h HTTPS 1 . alpn=\"h2,h3\" ipv4hint=192.0.2.1\nu TYPE65280 \\# 3 010203\ne\\.f\\032g A 192.0.2.3\n\\@ A 192.0.2.4\n$GENERATE 1-3 g$ A 192.0.2.$\n"
	"a-very-long-label-that-is-made-to-be-longer-than-a-word-of-bits.another-label-behind-it.and-one-more A 192.0.2.5\r\n";

static void test_sample(void **state)
{
	(void)state;
	compare_ways("sample", sample, sizeof(sample) - 1);
	/* Cut short anywhere. */
	for (size_t len = 0; len < sizeof(sample) - 1; len += 3)
		compare_ways("sample, cut", sample, len);
}

/* Octets changed, dropped, doubled; pieces copied elsewhere. */
static void test_damaged(void **state)
{
	static const char odd[] = " \t\r\n;()\"\\.@$*0129:=/+-abAXtTnNsS_\x01\x7f\x80\xff";
	char text[2 * sizeof(sample)];
	(void)state;

	for (unsigned round = 0; round < 4000; round++) {
		size_t from = random_below(sizeof(sample) / 2), len = 1 + random_below((uint32_t)(sizeof(sample) - 1 - from));

		memcpy(text, sample + from, len);
		for (unsigned change = 1 + random_below(6); change; change--) {
			size_t at = random_below((uint32_t)len), to = random_below((uint32_t)len), n = 1 + random_below(40);

			n = MIN(n, len - at);
			switch (random_below(5)) {
			case 0:
				text[at] = (char)random_below(256);
				break;
			case 1:
			case 2:
				text[at] = odd[random_below(sizeof(odd))];
				break;
			case 3:
				memmove(text + at, text + at + n, len - at - n);
				len = len - n ? len - n : 1;
				break;
			default:
				if (len + n > sizeof(text))
					break;
				memmove(text + to + n, text + to, len - to);
				memmove(text + to, text + (at < to ? at : 0), n);
				len += n;
				break;
			}
		}
		compare_ways("damaged", text, len);
	}
}

static void compare_folder(const char *folder, unsigned *files)
{
	char *const paths[] = {strdup(folder), NULL};
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *f;

	assert_non_null(tree);
	while ((f = fts_read(tree)) != NULL) {
		size_t size = f->fts_info == FTS_F ? (size_t)f->fts_statp->st_size : 0;
		char *text = size && size < 4 << 20 ? malloc(size) : NULL;
		FILE *in = text ? fopen(f->fts_path, "r") : NULL;

		if (in) {
			assert_int_equal(fread(text, 1, size, in), size);
			fclose(in);
			compare_ways(f->fts_path, text, size);
			compare_kernels(text, size / SCAN_BLOCK);
			++*files;
		}
		free(text);
	}
	fts_close(tree);
	free(paths[0]);
}

static void test_files(void **state)
{
	const char *given = getenv("ZONECAST_ZONES");
	char *list = given ? strdup(given) : NULL, *rest = list;
	unsigned files = 0;
	(void)state;

	compare_folder(SOURCE_ROOT "/test/fuzz/zonefile.in", &files);
	compare_folder(SOURCE_ROOT "/test/fuzz/answer.zones", &files);
	assert_true(files >= 10);
	for (char *folder; rest && (folder = strsep(&rest, ":")) != NULL;)
		compare_folder(folder, &files);
	print_message("%u files\n", files);
	free(list);
}

/* An entry may be large, but not without end. */
static void test_entry_limit(void **state)
{
	size_t len = LEXER_ENTRY_MAX + (1 << 20);
	char *text = malloc(len), *got;
	(void)state;

	assert_non_null(text);
	memset(text, '\n', len);
	memcpy(text, "a 60 A ( 192.0.2.1 ", 19);
	memcpy(text + (1 << 20), " )\nb 60 A 192.0.2.2\n", 20);
	got = read_one_way(text, (1 << 20) + 20, &(struct way){"", false, 0});
	assert_string_equal(got, "1:1 a.example.\t60\tIN\tA\t192.0.2.1\n1048559:1 b.example.\t60\tIN\tA\t192.0.2.2\n0\n");
	free(got);
	memset(text + (1 << 20), '\n', 20);
	got = read_one_way(text, len, &(struct way){"", false, 0});
	assert_string_equal(got, "z:1:1: error: a record that spans more than 16 MiB\n-1006\n");
	free(got);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan),  cmocka_unit_test(test_sample),      cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_files), cmocka_unit_test(test_entry_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
