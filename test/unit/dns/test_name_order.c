/* SPDX-License-Identifier: BSD-2-Clause */
/* Comparing names eight octets at a time against comparing them one by one, on pairs that differ in little: a case, an octet, a label. Each name is in memory
 * of its own size, so that a sanitizer sees what reads beyond it. */
#include "base/attr.h"
#include "dns/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 300000 };

static unsigned seed = 11;

static unsigned roll(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

static int plain_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

struct labels {
	const uint8_t *at[128];
	unsigned n;
};

static struct labels cut(const uint8_t *name)
{
	struct labels l = {.n = 0};

	for (; *name; name += *name + 1)
		l.at[l.n++] = name;
	return l;
}

static int plain_label(const uint8_t *a, const uint8_t *b)
{
	for (int i = 1; i <= a[0] && i <= b[0]; i++)
		if (plain_lower(a[i]) != plain_lower(b[i]))
			return plain_lower(a[i]) < plain_lower(b[i]) ? -1 : 1;
	return a[0] < b[0] ? -1 : a[0] > b[0];
}

/* The order of RFC 4034 6.1, and how many labels are the same. */
static int plain_compare(const uint8_t *a, const uint8_t *b, unsigned *common)
{
	struct labels x = cut(a), y = cut(b);

	for (*common = 0; x.n && y.n; ++*common) {
		int d = plain_label(x.at[--x.n], y.at[--y.n]);

		if (d)
			return d;
	}
	return x.n < y.n ? -1 : x.n > y.n;
}

static size_t random_name(uint8_t *out)
{
	static const char octets[] = "abzABZ@[`{-_09\x01\x7f\x80\xc1\xda\xe1\xff";
	size_t len = 0;

	for (unsigned labels = roll(5); labels; labels--) {
		unsigned n = roll(8) ? 1 + roll(12) : 1 + roll(63);

		if (len + n + 2 > NAME_LEN_MAX)
			break;
		out[len++] = (uint8_t)n;
		for (; n; n--)
			out[len++] = (uint8_t)(roll(4) ? 'a' + (int)roll(2) : octets[roll(sizeof(octets) - 1)]);
	}
	out[len++] = 0;
	return len;
}

/* One octet of one label, or its case. */
static void change(uint8_t *name)
{
	struct labels l = cut(name);
	uint8_t *c;

	if (!l.n)
		return;
	c = (uint8_t *)(uintptr_t)l.at[roll(l.n)];
	c += 1 + roll(*c);
	*c = (uint8_t)(roll(2) ? *c ^ 0x20 : *c ^ (1U << roll(8)));
}

static uint8_t *own(const uint8_t *name, size_t len)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	memcpy(p, name, len);
	return p;
}

static int sign(int d)
{
	return (d > 0) - (d < 0);
}

static void test_pairs(void **state)
{
	unsigned equal = 0, under = 0;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t a[NAME_LEN_MAX + 1], b[NAME_LEN_MAX + 1], *x, *y;
		size_t la = random_name(a), lb = roll(3) ? la : random_name(b);
		unsigned common, from;
		int d;

		if (lb == la)
			memcpy(b, a, la);
		for (unsigned k = roll(3); k; k--)
			change(b);
		/* Now and then an ancestor of it. */
		from = roll(4) ? 0 : roll(3);
		for (y = b; from && *y; from--)
			y += *y + 1;
		x = own(a, la);
		y = own(y, name_len(y));
		d = plain_compare(x, y, &common);
		assert_int_equal(sign(name_compare(x, y)), d);
		assert_int_equal(sign(name_compare(y, x)), -d);
		assert_int_equal(name_equal(x, y), d == 0);
		assert_int_equal(name_common_labels(x, y), common);
		assert_int_equal(name_is_under(x, y), common == name_labels(y));
		assert_int_equal(name_is_under(y, x), common == name_labels(x));
		equal += d == 0;
		under += d != 0 && common == name_labels(y);
		free(x);
		free(y);
	}
	print_message("%u pairs: %u equal, %u below the other\n", ROUNDS, equal, under);
	assert_true(equal > ROUNDS / 20 && under > ROUNDS / 100);
}

/* Every octet against every other, at each place of a label and in each length. */
static void test_octets(void **state)
{
	(void)state;
	for (unsigned len = 1; len <= 17; len++)
		for (unsigned at = 1; at <= len; at += len > 8 ? 3 : 1)
			for (unsigned i = 0; i < 256; i++)
				for (unsigned k = 0; k < 256; k += 1 + (i & 3)) {
					uint8_t a[20] = {0}, b[20] = {0};
					int d = plain_lower((int)i) - plain_lower((int)k);

					a[0] = b[0] = (uint8_t)len;
					memset(a + 1, 'q', len);
					memset(b + 1, 'Q', len);
					a[at] = (uint8_t)i;
					b[at] = (uint8_t)k;
					if (sign(name_compare(a, b)) != sign(d) || name_equal(a, b) != (d == 0))
						fail_msg("octets %u and %u at %u of %u", i, k, at, len);
				}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs), cmocka_unit_test(test_octets)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
