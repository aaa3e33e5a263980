/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/rates.h"

#include <inttypes.h>
#include <string.h>

static const char *const names[RATES_VALUES] = {
	[RATES_UDP_IPV4] = "udp_ipv4", [RATES_UDP_IPV6] = "udp_ipv6", [RATES_TCP_IPV4] = "tcp_ipv4", [RATES_TCP_IPV6] = "tcp_ipv6",
	[RATES_TLS_IPV4] = "tls_ipv4", [RATES_TLS_IPV6] = "tls_ipv6", [RATES_XDP] = "xdp",           [RATES_NOERROR] = "noerror",
	[RATES_NXDOMAIN] = "nxdomain", [RATES_OTHER] = "other",       [RATES_DROPPED] = "dropped",   [RATES_CPU] = "cpu_percent",
	[RATES_P50] = "latency_p50_us", [RATES_P99] = "latency_p99_us",
};

enum { NOERROR = 0, NXDOMAIN = 3, XDP_RCODES = 16 };

static void add_rcodes(const _Atomic uint64_t *rcodes, unsigned count, uint64_t sum[RATES_COUNTED])
{
	for (unsigned i = 0; i < count; i++)
		sum[i == NOERROR ? RATES_NOERROR : i == NXDOMAIN ? RATES_NXDOMAIN : RATES_OTHER] += board_get(&rcodes[i]);
}

static void add_worker(const struct board_worker *w, uint64_t sum[RATES_COUNTED])
{
	sum[RATES_UDP_IPV4] += board_get(&w->queries[0][0]);
	sum[RATES_UDP_IPV6] += board_get(&w->queries[0][1]);
	sum[RATES_TCP_IPV4] += board_get(&w->queries[1][0]);
	sum[RATES_TCP_IPV6] += board_get(&w->queries[1][1]);
	sum[RATES_TLS_IPV4] += board_get(&w->tls_queries[0]);
	sum[RATES_TLS_IPV6] += board_get(&w->tls_queries[1]);
	sum[RATES_DROPPED] += board_get(&w->dropped) + board_get(&w->overflows);
	sum[RATES_CPU] += board_get(&w->cpu_ns);
	add_rcodes(w->rcodes, BOARD_RCODES, sum);
}

static void add_up(const struct board *b, uint64_t sum[RATES_COUNTED])
{
	const struct board_xdp *x = &b->supervisor.xdp;

	for (unsigned i = 0; i < BOARD_WORKERS_MAX && i < atomic_load(&b->supervisor.workers); i++)
		add_worker(&b->workers[i], sum);
	sum[RATES_UDP_IPV4] += board_get(&x->answered[0]);
	sum[RATES_UDP_IPV6] += board_get(&x->answered[1]);
	sum[RATES_XDP] = board_get(&x->answered[0]) + board_get(&x->answered[1]);
	sum[RATES_DROPPED] += board_get(&x->limited_dropped);
	add_rcodes(x->rcodes, XDP_RCODES, sum);
}

static void add_latency(const struct board *b, uint64_t sum[BOARD_LATENCIES])
{
	for (unsigned i = 0; i < BOARD_WORKERS_MAX && i < atomic_load(&b->supervisor.workers); i++)
		for (int k = 0; k < BOARD_LATENCIES; k++)
			sum[k] += board_get(&b->workers[i].measures.latency[0][k]);
}

/* Straight lines within a bucket, of which each is twice as wide as the one before. */
static double quantile_us(const uint64_t now[BOARD_LATENCIES], const uint64_t before[BOARD_LATENCIES], double part)
{
	double all = 0, seen = 0;

	for (int k = 0; k < BOARD_LATENCIES; k++)
		all += now[k] > before[k] ? (double)(now[k] - before[k]) : 0;
	for (int k = 0; k < BOARD_LATENCIES && all > 0; k++) {
		double here = now[k] > before[k] ? (double)(now[k] - before[k]) : 0;
		double top = (double)(UINT64_C(1) << (BOARD_LATENCY_FIRST + k)) / 1000, low = k ? top / 2 : 0;

		if (here > 0 && seen + here >= part * all)
			return low + (top - low) * (part * all - seen) / here;
		seen += here;
	}
	return 0;
}

void rates_sample(struct rates *r, const struct board *b, uint64_t now_ns, uint64_t wall_ms)
{
	struct rates_point *p = &r->point[r->count % RATES_POINTS];
	uint64_t sum[RATES_COUNTED] = {0}, latency[BOARD_LATENCIES] = {0};

	add_up(b, sum);
	add_latency(b, latency);
	if (r->at_ns && now_ns > r->at_ns) {
		double seconds = (double)(now_ns - r->at_ns) / 1e9;

		p->wall_ms = wall_ms;
		/* A worker's CPU time begins anew with its next life. */
		for (int i = 0; i < RATES_COUNTED; i++)
			p->value[i] = sum[i] > r->before[i] ? (double)(sum[i] - r->before[i]) / seconds : 0;
		p->value[RATES_CPU] /= 1e7;
		p->value[RATES_P50] = quantile_us(latency, r->latency_before, 0.5);
		p->value[RATES_P99] = quantile_us(latency, r->latency_before, 0.99);
		r->count++;
	}
	for (int i = 0; i < RATES_COUNTED; i++)
		r->before[i] = sum[i];
	memcpy(r->latency_before, latency, sizeof(latency));
	r->at_ns = now_ns;
}

void rates_point_text(const struct rates *r, uint64_t number, struct text *out)
{
	const struct rates_point *p = &r->point[number % RATES_POINTS];

	text_fmt(out, "{\"time_ms\":%" PRIu64, p->wall_ms);
	for (int i = 0; i < RATES_VALUES; i++)
		text_fmt(out, ",\"%s\":%.1f", names[i], p->value[i]);
	text_char(out, '}');
}
