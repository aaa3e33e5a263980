/* SPDX-License-Identifier: BSD-2-Clause */
/* The daily report of RSSAC002, in the YAML of its version 3 (later ones have the same lines): traffic-volume, traffic-sizes, rcode-volume, unique-sources.
 *
 * The counters go on for ever; what they were when a day (UTC) began is noted on the board, in admin's section, of today and yesterday, so that admin may be restarted. A report is the
 * difference. A node that is started in the middle of a day has a report from then on, which start-period says; a node that is stopped loses its figures.
 *
 * TLS counts as TCP. What XDP answered is in traffic-volume and rcode-volume; its sizes and sources are not known. Sources are estimated (sources.c); they cannot be added up over nodes.
 *
 * Not here: load-time, which is about all nodes of a service at once (zonecast zone publish --wait measures it), and zone-size, which the zone's maintainer reports. */
#include "admin/rssac.h"

#include "admin/sources.h"
#include "base/clock.h"
#include "base/err.h"

#include <inttypes.h>
#include <string.h>

enum { DAY_S = 86400, TIME_TEXT = 32 };

static uint64_t sum_of(const struct board *b, size_t at)
{
	unsigned workers = MIN(atomic_load(&b->supervisor.workers), (unsigned)BOARD_WORKERS_MAX);
	uint64_t sum = 0;

	for (unsigned i = 0; i < workers; i++)
		sum += board_get((const _Atomic uint64_t *)(const void *)((const char *)&b->workers[i] + at));
	return sum;
}
#define WORKER(member) offsetof(struct board_worker, member)

static void count(const struct board *b, struct board_rssac *r)
{
	for (size_t f = 0; f < BOARD_FAMILIES; f++) {
		uint64_t kernel = board_get(&b->supervisor.xdp.answered[f]);

		r->queries[0][f] = sum_of(b, WORKER(queries) + f * 8) + kernel;
		r->queries[1][f] =
			sum_of(b, WORKER(queries) + (BOARD_FAMILIES + f) * 8) + sum_of(b, WORKER(tls_queries) + f * 8);
		r->responses[0][f] = sum_of(b, WORKER(measures.responses) + f * 8) + kernel;
		r->responses[1][f] = sum_of(b, WORKER(measures.responses) + (BOARD_FAMILIES + f) * 8) +
		                     sum_of(b, WORKER(measures.responses) + (2 * BOARD_FAMILIES + f) * 8);
	}
	for (size_t i = 0; i < BOARD_RCODES; i++)
		r->rcodes[i] =
			sum_of(b, WORKER(rcodes) + i * 8) + (i < 16 ? board_get(&b->supervisor.xdp.rcodes[i]) : 0);
	for (size_t t = 0; t < 2; t++)
		for (size_t i = 0; i < BOARD_SIZES; i++) {
			r->query_sizes[t][i] = sum_of(b, WORKER(measures.query_sizes) + (t * BOARD_SIZES + i) * 8);
			r->answer_sizes[t][i] = sum_of(b, WORKER(measures.answer_sizes) + (t * BOARD_SIZES + i) * 8);
		}
}

void rssac_tick(struct board *b, int64_t now_wall_s)
{
	uint64_t day = (uint64_t)MAX(now_wall_s, 0) / DAY_S;
	struct board_rssac *r = &b->admin.days[day & 1];

	if (r->day == day)
		return;
	r->day = day;
	r->from_s = (uint64_t)now_wall_s;
	count(b, r);
}

/* Counters of workers begin anew in no case, those of the kernel when XDP is switched off and on. */
static uint64_t less(uint64_t now, uint64_t then)
{
	return now > then ? now - then : 0;
}

static void head(struct text *out, const char *service, uint64_t from_s, const char *metric)
{
	char at[TIME_TEXT];

	text_fmt(out, "---\nversion: rssac002v3\nservice: %s\nstart-period: '%s'\nmetric: %s\n", service,
	         clock_wall_text((int64_t)from_s, at), metric);
}

static void volume(struct text *out, const struct board_rssac *from, const struct board_rssac *to)
{
	static const char *const transports[] = {"udp", "tcp"};

	for (size_t t = 0; t < 2; t++)
		for (size_t f = 0; f < BOARD_FAMILIES; f++) {
			text_fmt(out, "dns-%s-queries-received-ipv%c: %" PRIu64 "\n", transports[t], f ? '6' : '4',
			         less(to->queries[t][f], from->queries[t][f]));
			text_fmt(out, "dns-%s-responses-sent-ipv%c: %" PRIu64 "\n", transports[t], f ? '6' : '4',
			         less(to->responses[t][f], from->responses[t][f]));
		}
}

static void sizes(struct text *out, const char *key, const uint64_t from[BOARD_SIZES], const uint64_t to[BOARD_SIZES])
{
	bool any = false;

	text_fmt(out, "%s:", key);
	for (unsigned i = 0; i < BOARD_SIZES; i++) {
		uint64_t n = less(to[i], from[i]);

		if (!n)
			continue;
		any = true;
		if (i < BOARD_SIZES - 1)
			text_fmt(out, "\n  %u-%u: %" PRIu64, i * BOARD_SIZE_BIN,
			         i * BOARD_SIZE_BIN + BOARD_SIZE_BIN - 1, n);
		else
			text_fmt(out, "\n  %u-: %" PRIu64, i * BOARD_SIZE_BIN, n);
	}
	text_str(out, any ? "\n" : " {}\n");
}

int rssac_write(const struct admin_view *v, const char *service, bool yesterday, int64_t now_wall_s, struct text *out)
{
	static struct board_rssac now; /* large; one thread */
	const struct board *b = v->board;
	uint64_t today = (uint64_t)MAX(now_wall_s, 0) / DAY_S, day = today - yesterday;
	const struct board_rssac *from = &b->admin.days[day & 1], *to = &b->admin.days[today & 1];

	if (from->day != day || to->day != today)
		return ERR_NOT_FOUND;
	if (!yesterday) {
		count(b, &now);
		to = &now;
	}
	head(out, service, from->from_s, "traffic-volume");
	volume(out, from, to);
	head(out, service, from->from_s, "traffic-sizes");
	sizes(out, "udp-request-sizes", from->query_sizes[0], to->query_sizes[0]);
	sizes(out, "udp-response-sizes", from->answer_sizes[0], to->answer_sizes[0]);
	sizes(out, "tcp-request-sizes", from->query_sizes[1], to->query_sizes[1]);
	sizes(out, "tcp-response-sizes", from->answer_sizes[1], to->answer_sizes[1]);
	head(out, service, from->from_s, "rcode-volume");
	for (unsigned i = 0; i < BOARD_RCODES; i++)
		if (less(to->rcodes[i], from->rcodes[i]))
			text_fmt(out, "%u: %" PRIu64 "\n", i, less(to->rcodes[i], from->rcodes[i]));
	head(out, service, from->from_s, "unique-sources");
	text_fmt(out,
	         "num-sources-ipv4: %" PRIu64 "\nnum-sources-ipv6: %" PRIu64 "\nnum-sources-ipv6-aggregate: %" PRIu64
	         "\n",
	         sources_count(b, day, SOURCES_IPV4), sources_count(b, day, SOURCES_IPV6),
	         sources_count(b, day, SOURCES_IPV6_64));
	return out->failed ? ERR_NO_MEMORY : 0;
}
