/* SPDX-License-Identifier: BSD-2-Clause */
/* The fast readers against what they stand in for: the C library, the general readers, and decoders written the long way. */
#include "dns/base64.h"
#include "dns/rdata_in_priv.h"
#include "dns/rdata_quick.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const uint8_t origin[] = "\x03" "sub" "\x07" "example";

static uint32_t random_below(uint32_t n)
{
	static uint64_t x = 0x2545f4914f6cdd1dULL;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (uint32_t)(x >> 32) % n;
}

/* A token that keeps the terms of a plain one. */
static struct rdata_token plain_token(char buf[512], const char *text)
{
	size_t len = strlen(text);

	assert_true(len + RDATA_TOKEN_PAD < 512);
	memset(buf, 0, 512);
	memcpy(buf, text, len);
	return (struct rdata_token){.text = buf, .len = len, .plain = true};
}

static void test_time(void **state)
{
	static const char *const bad[] = {"19691231235959", "20000030000000", "20001301000000", "20000100000000", "20000132000000", "20010229000000",
	                                  "21000229000000", "20000101240000", "20000101006000", "20000101000061", "2000010100000a", " 2000101000000",
	                                  "-2000101000000"};
	uint32_t got;
	(void)state;

	for (unsigned i = 0; i < 200000; i++) {
		time_t t = (time_t)random_below(UINT32_MAX) + (time_t)random_below(4) * UINT32_MAX;
		struct tm tm;
		char text[40];

		assert_non_null(gmtime_r(&t, &tm));
		assert_int_equal(strftime(text, sizeof(text), "%Y%m%d%H%M%S", &tm), 14);
		assert_int_equal(rdata_time(text, &got), 0);
		assert_int_equal(got, (uint32_t)t);
	}
	assert_int_equal(rdata_time("19700101000000", &got), 0);
	assert_int_equal(got, 0);
	assert_int_equal(rdata_time("20000229235960", &got), 0);
	assert_int_equal(got, 951868800);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(rdata_time(bad[i], &got) < 0);
}

/* Addresses of the letters they are made of: what is taken is what inet_pton() takes, with the same result. */
static void test_addresses(void **state)
{
	static const char letters[] = "0123456789abcdefABCDEF:::::::...g";
	static const char *const good[] = {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8", "2001:DB8::FFFF:0:1"};
	static const char *const bad[] = {":", ":::", "1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1:::2", "1::2::3", "12345::",
	                                  "1:", ":1", "1::2:", "g::", "::ffff:1.2.3.4"};
	unsigned taken = 0;
	(void)state;

	for (unsigned i = 0; i < 400000 + ARRAY_LEN(good) + ARRAY_LEN(bad); i++) {
		bool six = i % 2 || i >= 400000;
		uint8_t wanted[16], out[8192];
		char text[64], buf[512];
		struct writer w = writer_of(out, sizeof(out));
		struct rdata_token t;
		size_t len = 0;

		if (i < 400000 && six) {
			for (size_t n = 2 + random_below(14); len < n; len++)
				text[len] = letters[random_below(sizeof(letters) - 1)];
		} else if (i < 400000) {
			for (unsigned k = 0; k < 4; k++) /* numbers, seldom one too large, with a zero in front, or missing */
				len += (size_t)snprintf(text + len, sizeof(text) - len, random_below(20) ? "%u" : "%03u", random_below(258));
			for (unsigned k = 1, at = 1; k < 4 && len < sizeof(text) - 8; k++, at += 2 + random_below(3))
				if (at < len && random_below(30)) {
					memmove(text + at + 1, text + at, len - at);
					text[at] = '.';
					len++;
				}
		} else {
			size_t row = i - 400000;
			const char *given = row < ARRAY_LEN(good) ? good[row] : bad[row - ARRAY_LEN(good)];

			len = strlen(given);
			memcpy(text, given, len);
		}
		text[len] = '\0';
		t = plain_token(buf, text);
		if (rdata_quick(six ? RR_AAAA : RR_A, &t, 1, origin, &w)) {
			if (inet_pton(six ? AF_INET6 : AF_INET, text, wanted) != 1 || w.pos != (six ? 16 : 4) || memcmp(out, wanted, w.pos) != 0)
				fail_msg("%s is taken wrongly", text);
			taken++;
		} else {
			assert_int_equal(w.pos, 0);
			/* Nothing usual is left to the slow reader. */
			if (inet_pton(six ? AF_INET6 : AF_INET, text, wanted) == 1 && !(six && strchr(text, '.')))
				fail_msg("%s is not taken", text);
		}
		assert_true(i < 400000 || (i - 400000 < ARRAY_LEN(good)) == (w.pos == 16));
	}
	assert_true(taken > 2000);
}

static void test_names(void **state)
{
	static const char letters[] = "abcXYZ019-_*....";
	(void)state;

	for (unsigned i = 0; i < 300000; i++) {
		uint8_t out[NAME_LEN_MAX + RDATA_TOKEN_PAD];
		size_t len = random_below(i % 50 ? 40 : 300);
		char text[512], buf[512];
		struct name wanted = {0};
		int err, got;

		for (size_t k = 0; k < len; k++)
			text[k] = letters[random_below(sizeof(letters) - 1 - (i & 3))];
		text[len] = '\0';
		plain_token(buf, text);
		err = name_from_text(text, len, origin, &wanted);
		got = name_from_plain(buf, len, origin, out);
		if (err ? got != err : got != wanted.len || memcmp(out, wanted.wire, wanted.len) != 0)
			fail_msg("\"%s\": %d, not %d", text, got, err ? err : wanted.len);
		err = name_from_text(text, len, NULL, &wanted);
		got = name_from_plain(buf, len, NULL, out);
		assert_int_equal(got, err ? err : wanted.len);
	}
}

/* One character after the other, any number of bits each. */
static int decode_slowly(const char *digits, unsigned bits, const char *text, size_t len, uint8_t *out, size_t *n)
{
	uint64_t held = 0;
	unsigned count = 0;

	*n = 0;
	for (size_t i = 0; i < len; i++) {
		const char *d = text[i] ? strchr(digits, text[i]) : NULL;

		if (!d)
			return -1;
		held = (held << bits | (uint64_t)(d - digits)) & 0xffff;
		count += bits;
		if (count >= 8) {
			count -= 8;
			out[(*n)++] = (uint8_t)(held >> count);
		}
	}
	return count >= bits || (held & ((1U << count) - 1)) ? -1 : 0;
}

static void test_codecs(void **state)
{
	static const struct {
		const char *name, *digits;
		unsigned bits;
		int (*get)(const char *, size_t, struct writer *);
	} codecs[] = {
		{"hex", "0123456789abcdef", 4, hex_get},
		{"base32hex", "0123456789abcdefghijklmnopqrstuv", 5, base32hex_get},
		{"base64", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6, base64_get},
	};
	(void)state;

	for (unsigned i = 0; i < 300000; i++) {
		unsigned kind = i % ARRAY_LEN(codecs);
		uint8_t wanted[256], got[256];
		struct writer w = writer_of(got, random_below(8) ? sizeof(got) : random_below(40));
		size_t len = random_below(100), n, cap = w.cap;
		char text[104];
		int err, result;

		for (size_t k = 0; k < len; k++)
			text[k] = codecs[kind].digits[random_below(1U << codecs[kind].bits)];
		if (len && !random_below(6))
			text[random_below((uint32_t)len)] = (char)random_below(256);
		err = decode_slowly(codecs[kind].digits, codecs[kind].bits, text, len, wanted, &n);
		/* Upper and lower case are alike but in base64, which is padded. */
		for (size_t k = 0; k < len && kind < 2; k++)
			if (text[k] >= 'a' && text[k] <= 'z' && random_below(2))
				text[k] = (char)(text[k] - 0x20);
		for (size_t k = 0; k < len && err && kind < 2; k++)
			if (text[k] >= 'A' && text[k] <= 'Z')
				text[k] = '!'; /* an upper case letter that was put in by chance is right here and wrong above */
		if (kind == 2 && !err)
			while (len % 4)
				text[len++] = '=';
		if (kind == 2 && err && memchr(text, '=', len))
			continue;
		result = codecs[kind].get(text, len, &w);
		assert_int_equal(result == 0, err == 0);
		if (err)
			continue;
		assert_int_equal(writer_ok(&w), n <= cap);
		if (n <= cap) {
			assert_int_equal(w.pos, n);
			assert_memory_equal(got, wanted, n);
		}
	}
}

/* Cut anywhere between tokens, pieces decode as the whole does. */
static void test_pieces(void **state)
{
	static const char whole[] = "oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZeqCYKD5ar0IRd8KqXXFJkqmVfRvMGPmM1x8fGAa2XhSA==";
	uint8_t wanted[128], got[128];
	struct writer w = writer_of(wanted, sizeof(wanted));
	(void)state;

	assert_int_equal(base64_get(whole, sizeof(whole) - 1, &w), 0);
	assert_int_equal(w.pos, 64);
	for (size_t a = 0; a < sizeof(whole); a++)
		for (size_t b = a; b < sizeof(whole); b += 3) {
			struct writer v = writer_of(got, sizeof(got));
			struct decoder d = {0};

			assert_int_equal(base64_feed(&d, whole, a, &v), 0);
			assert_int_equal(base64_feed(&d, whole + a, b - a, &v), 0);
			assert_int_equal(base64_feed(&d, whole + b, sizeof(whole) - 1 - b, &v), 0);
			assert_int_equal(base64_end(&d), 0);
			assert_int_equal(v.pos, w.pos);
			assert_memory_equal(got, wanted, w.pos);
		}
}

static void test_types(void **state)
{
	uint16_t type;
	(void)state;

	/* Every number's own text means it. */
	for (unsigned i = 0; i < 65536; i++) {
		char text[RRTYPE_TEXT_MAX];

		rrtype_text((uint16_t)i, text);
		assert_int_equal(rrtype_from_text(text, strlen(text), &type), 0);
		assert_int_equal(type, i);
		for (char *c = text; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
		assert_int_equal(rrtype_from_text(text, strlen(text), &type), 0);
		assert_int_equal(type, i);
	}
	assert_true(rrtype_from_text("", 0, &type) < 0);
	assert_true(rrtype_from_text("\0A", 2, &type) < 0);
	assert_true(rrtype_from_text("A\0", 2, &type) < 0);
	assert_true(rrtype_from_text("AA", 2, &type) < 0);
	assert_true(rrtype_from_text("TYPE65536", 9, &type) < 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),   cmocka_unit_test(test_addresses), cmocka_unit_test(test_names),
		cmocka_unit_test(test_codecs), cmocka_unit_test(test_pieces),    cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
