/* SPDX-License-Identifier: BSD-2-Clause */
/* The daily report: what is in it of today and yesterday, over a midnight, from counters that go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/rssac.h"
#include "base/err.h"

enum { DAY = 86400 };
static const int64_t midnight = 20000LL * DAY; /* 2024-10-04 */

static void add(struct board *b, uint64_t n)
{
	struct board_worker *w = &b->workers[1];

	board_add(&w->queries[0][1], n);
	board_add(&w->queries[1][0], n);
	board_add(&w->tls_queries[0], n);
	board_add(&w->measures.responses[0][1], n);
	board_add(&w->measures.responses[2][0], n);
	board_add(&w->rcodes[3], n);
	board_add(&w->measures.query_sizes[0][3], n);
	board_add(&w->measures.answer_sizes[1][BOARD_SIZES - 1], n);
	board_add(&b->supervisor.xdp.answered[0], n);
	board_add(&b->supervisor.xdp.rcodes[0], n);
}

static void expect(const struct board *b, bool yesterday, int64_t now, const char *start, uint64_t n)
{
	const struct admin_view v = {.board = (struct board *)(uintptr_t)b};
	char expected[3000];
	struct text out;

	text_init(&out);
	assert_int_equal(rssac_write(&v, "x.example", yesterday, now, &out), 0);
	snprintf(expected, sizeof(expected),
	         "---\nversion: rssac002v3\nservice: x.example\nstart-period: '%s'\nmetric: traffic-volume\n"
	         "dns-udp-queries-received-ipv4: %llu\ndns-udp-responses-sent-ipv4: %llu\n"
	         "dns-udp-queries-received-ipv6: %llu\ndns-udp-responses-sent-ipv6: %llu\n"
	         "dns-tcp-queries-received-ipv4: %llu\ndns-tcp-responses-sent-ipv4: %llu\n"
	         "dns-tcp-queries-received-ipv6: 0\ndns-tcp-responses-sent-ipv6: 0\n"
	         "---\nversion: rssac002v3\nservice: x.example\nstart-period: '%s'\nmetric: traffic-sizes\n"
	         "udp-request-sizes:\n  48-63: %llu\nudp-response-sizes: {}\ntcp-request-sizes: "
	         "{}\ntcp-response-sizes:\n  4096-: %llu\n"
	         "---\nversion: rssac002v3\nservice: x.example\nstart-period: '%s'\nmetric: rcode-volume\n0: %llu\n3: "
	         "%llu\n"
	         "---\nversion: rssac002v3\nservice: x.example\nstart-period: '%s'\nmetric: unique-sources\n"
	         "num-sources-ipv4: 0\nnum-sources-ipv6: 0\nnum-sources-ipv6-aggregate: 0\n",
	         start, (unsigned long long)n, (unsigned long long)n, (unsigned long long)n, (unsigned long long)n,
	         (unsigned long long)(2 * n), (unsigned long long)n, start, (unsigned long long)n,
	         (unsigned long long)n, start, (unsigned long long)n, (unsigned long long)n, start);
	assert_string_equal(out.chars, expected);
	text_done(&out);
}

static void test_days(void **state)
{
	struct admin_view v = {0};
	struct board *b;
	struct text out;
	int fd;

	(void)state;
	assert_int_equal(board_create(&fd, &b), 0);
	close(fd);
	text_init(&out);
	v.board = b;
	atomic_store(&b->supervisor.workers, 2);
	assert_int_equal(rssac_write(&v, "x", false, midnight, &out), ERR_NOT_FOUND);
	rssac_tick(b, midnight + 3600); /* the node is started at one o'clock */
	add(b, 5);
	rssac_tick(b, midnight + 3601); /* the day has begun before */
	expect(b, false, midnight + 7200, "2024-10-04T01:00:00Z", 5);
	assert_int_equal(rssac_write(&v, "x", true, midnight + 7200, &out), ERR_NOT_FOUND);
	add(b, 7);
	rssac_tick(b, midnight + DAY);
	add(b, 100);
	expect(b, true, midnight + DAY + 1, "2024-10-04T01:00:00Z", 12);
	expect(b, false, midnight + DAY + 1, "2024-10-05T00:00:00Z", 100);
	rssac_tick(b, midnight + 2 * DAY);
	expect(b, true, midnight + 2 * DAY, "2024-10-05T00:00:00Z", 100);
	/* A day passed by, as with a clock that jumps. */
	rssac_tick(b, midnight + 4 * DAY);
	assert_int_equal(rssac_write(&v, "x", true, midnight + 4 * DAY, &out), ERR_NOT_FOUND);
	text_done(&out);
	munmap(b, sizeof(*b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_days)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
