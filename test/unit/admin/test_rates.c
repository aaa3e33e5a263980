/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/rates.h"

#include "board/board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint64_t SECOND_NS = 1000000000;

static int setup(void **state)
{
	struct board *b;
	int fd, err = board_create(&fd, &b);

	if (err < 0)
		return err;
	close(fd);
	atomic_store(&b->supervisor.workers, 2);
	*state = b;
	return 0;
}

static void test_counts_to_rates(void **state)
{
	struct board *b = *state;
	static struct rates r;
	struct text t;

	text_init(&t);
	board_add(&b->workers[0].queries[0][0], 1000); /* before the first look: nobody knows when */
	rates_sample(&r, b, 10 * SECOND_NS, 5);
	assert_int_equal(r.count, 0);
	board_add(&b->workers[0].queries[0][0], 30);
	board_add(&b->workers[1].queries[0][0], 10);
	board_add(&b->workers[1].queries[1][1], 8);
	board_add(&b->workers[1].tls_queries[0], 2);
	board_add(&b->supervisor.xdp.answered[0], 100);
	board_add(&b->supervisor.xdp.rcodes[3], 100);
	board_add(&b->workers[0].rcodes[0], 40);
	board_add(&b->workers[0].rcodes[3], 4);
	board_add(&b->workers[0].rcodes[5], 2);
	board_add(&b->workers[0].overflows, 6);
	board_add(&b->workers[1].cpu_ns, SECOND_NS / 2);
	board_add(&b->workers[0].measures.latency[0][2], 90); /* 2 to 4 us */
	board_add(&b->workers[1].measures.latency[0][3], 9);
	board_add(&b->workers[1].measures.latency[0][20], 1);
	board_add(&b->workers[1].measures.latency[1][9], 1000);
	rates_sample(&r, b, 12 * SECOND_NS, 7);
	assert_int_equal(r.count, 1);
	rates_point_text(&r, 0, &t);
	assert_string_equal(t.chars, "{\"time_ms\":7,\"udp_ipv4\":70.0,\"udp_ipv6\":0.0,\"tcp_ipv4\":0.0,\"tcp_ipv6\":4.0,\"tls_ipv4\":1.0,\"tls_ipv6\":0.0,\"xdp\":50.0,"
	                             "\"noerror\":20.0,\"nxdomain\":52.0,\"other\":1.0,\"dropped\":3.0,\"cpu_percent\":25.0,\"latency_p50_us\":3.2,\"latency_p99_us\":8.2}");
	/* A counter that begins anew, with its worker, is no rate. */
	atomic_store(&b->workers[1].cpu_ns, 5);
	rates_sample(&r, b, 13 * SECOND_NS, 8);
	assert_true(r.point[1].value[RATES_CPU] < 0.001);
	assert_true(r.point[1].value[RATES_UDP_IPV4] < 0.001);
	/* The same moment again: no point, and no division by it. */
	rates_sample(&r, b, 13 * SECOND_NS, 8);
	assert_int_equal(r.count, 2);
	text_done(&t);
}

static void test_the_last_ones_stay(void **state)
{
	struct board *b = *state;
	static struct rates r;

	for (uint64_t s = 1; s <= 2 * RATES_POINTS + 1; s++) {
		board_add(&b->workers[0].queries[0][1], s);
		rates_sample(&r, b, s * SECOND_NS, s);
	}
	assert_int_equal(r.count, 2 * RATES_POINTS);
	for (uint64_t i = RATES_POINTS; i < r.count; i++) {
		assert_int_equal(r.point[i % RATES_POINTS].wall_ms, i + 2);
		assert_true(r.point[i % RATES_POINTS].value[RATES_UDP_IPV6] == (double)(i + 2));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts_to_rates), cmocka_unit_test(test_the_last_ones_stay)};

	return cmocka_run_group_tests(tests, setup, NULL);
}
