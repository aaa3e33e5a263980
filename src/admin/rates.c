/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/rates.h"

#include <inttypes.h>

static const char *const names[RATES_VALUES] = {
	[RATES_UDP_IPV4] = "udp_ipv4", [RATES_UDP_IPV6] = "udp_ipv6", [RATES_TCP_IPV4] = "tcp_ipv4", [RATES_TCP_IPV6] = "tcp_ipv6",
	[RATES_TLS_IPV4] = "tls_ipv4", [RATES_TLS_IPV6] = "tls_ipv6", [RATES_XDP] = "xdp",           [RATES_NOERROR] = "noerror",
	[RATES_NXDOMAIN] = "nxdomain", [RATES_OTHER] = "other",       [RATES_DROPPED] = "dropped",   [RATES_CPU] = "cpu_percent",
};

enum { NOERROR = 0, NXDOMAIN = 3, XDP_RCODES = 16 };

static void add_rcodes(const _Atomic uint64_t *rcodes, unsigned count, uint64_t sum[RATES_VALUES])
{
	for (unsigned i = 0; i < count; i++)
		sum[i == NOERROR ? RATES_NOERROR : i == NXDOMAIN ? RATES_NXDOMAIN : RATES_OTHER] += board_get(&rcodes[i]);
}

static void add_worker(const struct board_worker *w, uint64_t sum[RATES_VALUES])
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

static void add_up(const struct board *b, uint64_t sum[RATES_VALUES])
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

void rates_sample(struct rates *r, const struct board *b, uint64_t now_ns, uint64_t wall_ms)
{
	struct rates_point *p = &r->point[r->count % RATES_POINTS];
	uint64_t sum[RATES_VALUES] = {0};

	add_up(b, sum);
	if (r->at_ns && now_ns > r->at_ns) {
		double seconds = (double)(now_ns - r->at_ns) / 1e9;

		p->wall_ms = wall_ms;
		/* A worker's CPU time begins anew with its next life. */
		for (int i = 0; i < RATES_VALUES; i++)
			p->value[i] = sum[i] > r->before[i] ? (double)(sum[i] - r->before[i]) / seconds : 0;
		p->value[RATES_CPU] /= 1e7;
		r->count++;
	}
	for (int i = 0; i < RATES_VALUES; i++)
		r->before[i] = sum[i];
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
