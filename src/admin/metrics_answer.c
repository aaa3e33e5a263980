/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions and answers. Workers are added up first, once: some thousand words each. */
#include "admin/metrics_text.h"

#include "admin/sources.h"
#include "base/attr.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

static const char *const transports[] = {"udp", "tcp", "tls"};
static const char *const families[BOARD_FAMILIES] = {"ipv4", "ipv6"};

/* The sum of one word over all workers that are. */
#define SUM(m, member) sum_of(m, offsetof(struct board_worker, member))
static uint64_t sum_of(const struct metrics *m, size_t at)
{
	const struct board *b = m->view->board;
	unsigned workers = MIN(atomic_load(&b->supervisor.workers), (unsigned)BOARD_WORKERS_MAX);
	uint64_t sum = 0;

	for (unsigned i = 0; i < workers; i++)
		sum += board_get((const _Atomic uint64_t *)(const void *)((const char *)&b->workers[i] + at));
	return sum;
}

static const char *rcode_text(unsigned rcode)
{
	static const char *const names[BOARD_RCODES] = {
		"NOERROR",       "FORMERR",        "SERVFAIL",        "NXDOMAIN",        "NOTIMP",  "REFUSED",
		"YXDOMAIN",      "YXRRSET",        "NXRRSET",         "NOTAUTH",         "NOTZONE", [16] = "BADVERS",
		[17] = "BADKEY", [18] = "BADTIME", [22] = "BADTRUNC", [23] = "BADCOOKIE"};

	return rcode < BOARD_RCODES ? names[rcode] : NULL;
}

static void put_family(struct metrics *m, const char *transport, const char *path, int family, uint64_t n)
{
	labels_clear(&m->labels);
	labels_add(&m->labels, "transport", transport);
	labels_add(&m->labels, "family", families[family]);
	if (path)
		labels_add(&m->labels, "path", path);
	metric_put(m, n);
}

static void questions(struct metrics *m)
{
	const struct board_xdp *x = &m->view->board->supervisor.xdp;

	metric_begin(m, METRIC_QUERIES_TOTAL);
	for (int f = 0; f < BOARD_FAMILIES; f++) {
		put_family(m, "udp", "worker", f, f ? SUM(m, queries[0][1]) : SUM(m, queries[0][0]));
		put_family(m, "tcp", "worker", f, f ? SUM(m, queries[1][1]) : SUM(m, queries[1][0]));
		put_family(m, "tls", "worker", f, f ? SUM(m, tls_queries[1]) : SUM(m, tls_queries[0]));
		put_family(m, "udp", "kernel", f, board_get(&x->answered[f]));
	}
	metric_begin(m, METRIC_QUERIES_BY_TYPE_TOTAL);
	for (unsigned i = 0; i < BOARD_TYPES; i++)
		metric_put_as(m, "type", board_query_type_text(i),
		              sum_of(m, offsetof(struct board_worker, measures.types) + i * 8));
	metric_begin(m, METRIC_QUERIES_BY_NETWORK_TOTAL);
	for (size_t i = 0; i <= BOARD_NETWORKS_MAX; i++) {
		bool none = i == BOARD_NETWORKS_MAX;

		if (!none && (!m->view->node || i >= m->view->node->network_count))
			continue;
		for (size_t f = 0; f < BOARD_FAMILIES; f++) {
			labels_clear(&m->labels);
			labels_add(&m->labels, "network",
			           none ? "(none)" : m->view->config->networks[m->view->node->networks[i]].name);
			labels_add(&m->labels, "family", families[f]);
			metric_put(m, sum_of(m, offsetof(struct board_worker, measures.networks) +
			                                (i * BOARD_FAMILIES + f) * 8));
		}
	}
}

static void rcodes(struct metrics *m)
{
	const struct board_xdp *x = &m->view->board->supervisor.xdp;

	metric_begin(m, METRIC_RESPONSES_TOTAL);
	for (unsigned r = 0; r < BOARD_RCODES; r++) {
		uint64_t n = sum_of(m, offsetof(struct board_worker, rcodes) + r * 8),
			 kernel = r < 16 ? board_get(&x->rcodes[r]) : 0;
		char number[16];
		const char *text = rcode_text(r);

		snprintf(number, sizeof(number), "RCODE%u", r);
		labels_clear(&m->labels);
		labels_add(&m->labels, "rcode", text ? text : number);
		if (text || n)
			metric_put_as(m, "path", "worker", n);
		if (r == 0 || r == 3 || kernel)
			metric_put_as(m, "path", "kernel", kernel);
	}
	metric_begin(m, METRIC_RESPONSES_BY_TRANSPORT_TOTAL);
	for (unsigned t = 0; t < 3; t++)
		for (int f = 0; f < BOARD_FAMILIES; f++)
			put_family(m, transports[t], NULL, f,
			           sum_of(m, offsetof(struct board_worker, measures.responses) +
			                             (t * BOARD_FAMILIES + (unsigned)f) * 8));
	metric_one(m, METRIC_UNANSWERED_TOTAL, SUM(m, dropped));
	metric_begin(m, METRIC_RECEIVED_BYTES_TOTAL);
	metric_put_as(m, "path", "worker", SUM(m, bytes_in));
	metric_put_as(m, "path", "kernel", board_get(&x->bytes_in));
	metric_begin(m, METRIC_SENT_BYTES_TOTAL);
	metric_put_as(m, "path", "worker", SUM(m, bytes_out));
	metric_put_as(m, "path", "kernel", board_get(&x->bytes_out));
}

/* ---- distributions ---- */

static void durations(struct metrics *m)
{
	static char bounds[BOARD_LATENCIES - 1][16];
	const char *le[BOARD_LATENCIES - 1];

	for (unsigned i = 0; i < ARRAY_LEN(le); i++) {
		uint64_t ns = 1ULL << (BOARD_LATENCY_FIRST + i);

		snprintf(bounds[i], sizeof(bounds[i]), "%u.%09u", (unsigned)(ns / 1000000000U),
		         (unsigned)(ns % 1000000000U));
		le[i] = bounds[i];
	}
	metric_begin(m, METRIC_QUERY_DURATION_SECONDS);
	for (unsigned t = 0; t < 3; t++) {
		uint64_t counts[BOARD_LATENCIES];

		for (size_t i = 0; i < BOARD_LATENCIES; i++)
			counts[i] = sum_of(m, offsetof(struct board_worker, measures.latency) +
			                              (t * BOARD_LATENCIES + i) * 8);
		labels_clear(&m->labels);
		labels_add(&m->labels, "transport", transports[t]);
		metric_histogram(m, le, ARRAY_LEN(le), counts,
		                 sum_of(m, offsetof(struct board_worker, measures.latency_ns) + t * 8) / 1000, 0);
	}
}

/* Of the bins of 16 octets; bounds are the last octet of one. */
static void sizes(struct metrics *m, enum metric family, size_t bins_at, size_t octets_at)
{
	static const char *const le[] = {"31", "63", "127", "255", "511", "1023", "1231", "1471", "2047", "4095"};
	static const unsigned below[] = {2, 4, 8, 16, 32, 64, 77, 92, 128, 256};

	metric_begin(m, family);
	for (unsigned t = 0; t < 2; t++) {
		uint64_t counts[ARRAY_LEN(le) + 1] = {0};
		size_t k = 0;

		for (unsigned i = 0; i < BOARD_SIZES; i++) {
			while (k < ARRAY_LEN(below) && i >= below[k])
				k++;
			counts[k] += sum_of(m, bins_at + (t * BOARD_SIZES + i) * 8);
		}
		labels_clear(&m->labels);
		labels_add(&m->labels, "transport", transports[t]);
		metric_histogram(m, le, ARRAY_LEN(le), counts, 0, sum_of(m, octets_at + t * 8));
	}
}

static void bins(struct metrics *m, const char *direction, size_t at)
{
	for (unsigned t = 0; t < 2; t++)
		for (unsigned i = 0; i < BOARD_SIZES; i++) {
			uint64_t n = sum_of(m, at + (t * BOARD_SIZES + i) * 8);
			char octets[24];

			if (!n)
				continue;
			if (i < BOARD_SIZES - 1)
				snprintf(octets, sizeof(octets), "%u-%u", i * BOARD_SIZE_BIN,
				         i * BOARD_SIZE_BIN + BOARD_SIZE_BIN - 1);
			else
				snprintf(octets, sizeof(octets), "4096-");
			labels_clear(&m->labels);
			labels_add(&m->labels, "direction", direction);
			labels_add(&m->labels, "transport", transports[t]);
			labels_add(&m->labels, "octets", octets);
			metric_put(m, n);
		}
}

static void sources(struct metrics *m)
{
	static const char *const kinds[SOURCES_KINDS] = {"ipv4", "ipv6", "ipv6-64"};
	uint64_t today = (uint64_t)(m->now_wall_us / 1000000) / 86400;

	metric_begin(m, METRIC_SOURCES);
	for (int before = 0; before < 2; before++)
		for (unsigned k = 0; k < SOURCES_KINDS; k++) {
			labels_clear(&m->labels);
			labels_add(&m->labels, "family", kinds[k]);
			metric_put_as(m, "day", before ? "yesterday" : "today",
			              sources_count(m->view->board, today - (uint64_t)before, (enum board_source)k));
		}
}

/* ---- what else became of questions ---- */

struct row {
	const char *value; /* of the label */
	size_t at;         /* in struct board_worker */
};
#define ROW(v, member)                                                                                                 \
	{                                                                                                              \
		v, offsetof(struct board_worker, member)                                                               \
	}

static void put_rows(struct metrics *m, enum metric family, const char *key, const struct row *rows, size_t n)
{
	metric_begin(m, family);
	for (size_t i = 0; i < n; i++)
		metric_put_as(m, key, rows[i].value, sum_of(m, rows[i].at));
}

static void fates(struct metrics *m)
{
	static const struct row actions[] = {ROW("dropped", filtered[0]), ROW("refused", filtered[1]),
	                                     ROW("truncated", filtered[2])};
	static const struct row verdicts[] = {ROW("malformed", cookies[1]), ROW("client-only", cookies[2]),
	                                      ROW("bad", cookies[3]), ROW("good", cookies[4])};
	static const struct row others[] = {ROW("ipv4", flips.total[0]), ROW("ipv6", flips.total[1])};
	static const struct row handed[] = {ROW("taken", handed_over), ROW("refused", handover_failed)};
	const struct board_xdp *x = &m->view->board->supervisor.xdp;
	uint64_t answers = SUM(m, answers), cached = SUM(m, cached);

	metric_begin(m, METRIC_ANSWERS_BY_TIER_TOTAL);
	metric_put_as(m, "tier", "kernel", board_get(&x->answered[0]) + board_get(&x->answered[1]));
	metric_put_as(m, "tier", "cache", cached);
	metric_put_as(m, "tier", "store", answers > cached ? answers - cached : 0);
	metric_one(m, METRIC_TRUNCATED_TOTAL, SUM(m, truncated));
	metric_one(m, METRIC_TOO_BIG_TOTAL, SUM(m, too_big));
	metric_one(m, METRIC_SEND_FAILED_TOTAL, SUM(m, send_failed));
	metric_one(m, METRIC_SOCKET_OVERFLOWS_TOTAL, SUM(m, overflows));
	metric_begin(m, METRIC_RATE_LIMITED_TOTAL);
	labels_add(&m->labels, "path", "worker");
	metric_put_as(m, "action", "dropped", SUM(m, limited_dropped));
	metric_put_as(m, "action", "truncated", SUM(m, limited_slipped));
	metric_put_as(m, "action", "badcookie", SUM(m, limited_badcookie));
	labels_clear(&m->labels);
	labels_add(&m->labels, "path", "kernel");
	metric_put_as(m, "action", "dropped", board_get(&x->limited_dropped));
	metric_put_as(m, "action", "truncated", board_get(&x->limited_slipped));
	put_rows(m, METRIC_FILTERED_TOTAL, "action", actions, ARRAY_LEN(actions));
	put_rows(m, METRIC_COOKIES_TOTAL, "verdict", verdicts, ARRAY_LEN(verdicts));
	put_rows(m, METRIC_COOKIES_OF_OTHERS_TOTAL, "family", others, ARRAY_LEN(others));
	put_rows(m, METRIC_HANDED_OVER_TOTAL, "result", handed, ARRAY_LEN(handed));
}

static void connections(struct metrics *m)
{
	static const struct row closed[] = {ROW("idle", tcp_closed_idle), ROW("slow", tcp_closed_slow),
	                                    ROW("limit", tcp_closed_limit), ROW("client", tcp_closed_client),
	                                    ROW("memory", tcp_closed_memory)};
	static const struct row shakes[] = {ROW("done", tls_handshakes), ROW("resumed", tls_resumed),
	                                    ROW("failed", tls_failed), ROW("timeout", tls_timeouts)};
	const struct board *b = m->view->board;
	uint64_t idle_ms = UINT64_MAX, expires = UINT64_MAX;

	for (unsigned i = 0; i < MIN(atomic_load(&b->supervisor.workers), (unsigned)BOARD_WORKERS_MAX); i++) {
		uint64_t e = board_get(&b->workers[i].tls_expires);

		idle_ms = MIN(idle_ms, board_get(&b->workers[i].tcp_idle_ms));
		expires = e ? MIN(expires, e) : expires;
	}
	metric_one(m, METRIC_TCP_CONNECTIONS, SUM(m, tcp_open));
	metric_one(m, METRIC_TCP_ACCEPTED_TOTAL, SUM(m, tcp_accepted));
	put_rows(m, METRIC_TCP_CLOSED_TOTAL, "reason", closed, ARRAY_LEN(closed));
	metric_one(m, METRIC_TCP_MALFORMED_TOTAL, SUM(m, tcp_malformed));
	metric_one(m, METRIC_TCP_MEMORY_BYTES, SUM(m, tcp_memory));
	metric_begin(m, METRIC_TCP_IDLE_TIMEOUT_SECONDS);
	if (idle_ms != UINT64_MAX)
		metric_put_micro(m, idle_ms * 1000);
	metric_one(m, METRIC_TLS_CONNECTIONS, SUM(m, tls_open));
	metric_one(m, METRIC_TLS_ACCEPTED_TOTAL, SUM(m, tls_accepted));
	put_rows(m, METRIC_TLS_HANDSHAKES_TOTAL, "result", shakes, ARRAY_LEN(shakes));
	metric_begin(m, METRIC_TLS_CERTIFICATE_EXPIRY_TIMESTAMP_SECONDS);
	if (expires != UINT64_MAX)
		metric_put(m, expires);
	metric_one(m, METRIC_TLS_RELAYS, SUM(m, tls_relays));
	metric_one(m, METRIC_TLS_RELAYED_TOTAL, SUM(m, tls_relayed));
}

static void xdp(struct metrics *m)
{
	const struct board_xdp *x = &m->view->board->supervisor.xdp;
	const struct {
		const char *reason;
		const _Atomic uint64_t *n;
	} passed[] = {{"lease", &x->passed_lease}, {"form", &x->passed_form},   {"options", &x->passed_options},
	              {"miss", &x->passed_miss},   {"stale", &x->passed_stale}, {"size", &x->passed_size},
	              {"other", &x->passed_other}};
	struct board_xdp copy;
	bool known = board_copy(&x->seq, x, &copy, sizeof(copy));

	metric_begin(m, METRIC_XDP_RUNG);
	for (unsigned r = RUNG_OFF; known && r <= RUNG_NATIVE; r++)
		metric_put_as(m, "rung", board_xdp_text((enum board_xdp_rung)r), copy.rung == r);
	metric_one(m, METRIC_XDP_SEEN_TOTAL, board_get(&x->seen));
	metric_begin(m, METRIC_XDP_PASSED_TOTAL);
	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		metric_put_as(m, "reason", passed[i].reason, board_get(passed[i].n));
	metric_one(m, METRIC_XDP_TO_WORKERS_TOTAL, board_get(&x->to_workers));
	metric_one(m, METRIC_XDP_FILLED_TOTAL, SUM(m, xdp_filled));
	metric_one(m, METRIC_AF_XDP_ANSWERS_TOTAL, SUM(m, ring_answers));
}

static void put_steered(struct metrics *m, const char *policy, const char *pool, uint64_t n)
{
	labels_clear(&m->labels);
	labels_add(&m->labels, "policy", policy);
	labels_add(&m->labels, "pool", pool);
	metric_put(m, n);
}

/* Of one policy, from each pool that it can choose. What was shown. */
static uint64_t steered_by(struct metrics *m, const struct config *c, const struct config_steering *s)
{
	const struct board *b = m->view->board;
	unsigned workers = MIN(atomic_load(&b->supervisor.workers), (unsigned)BOARD_WORKERS_MAX);
	uint64_t seen[(BOARD_POOLS_MAX + 63) / 64] = {0}, sum = 0;

	for (size_t i = 0; i <= s->rule_count; i++) {
		uint32_t pool = i < s->rule_count ? s->rules[i].pool : s->pool;

		for (; pool < c->pool_count && pool < BOARD_POOLS_MAX && !(seen[pool / 64] >> pool % 64 & 1);
		     pool = c->pools[pool].fallback) {
			uint64_t key = board_steered_key(s->name, c->pools[pool].name), n = 0;

			seen[pool / 64] |= 1ULL << pool % 64;
			for (unsigned w = 0; w < workers; w++) {
				const struct board_steered *row = board_steered_find(&b->workers[w].edge, key);

				n += row ? board_get(&row->answers) : 0;
			}
			if (n)
				put_steered(m, s->name, c->pools[pool].name, n);
			sum += n;
		}
	}
	return sum;
}

/* Bounded by the rows of the board. Those that had no row, and those of policies that are gone, are others. */
static void steered(struct metrics *m)
{
	const struct config *c = m->view->config;
	uint64_t all = SUM(m, edge.steered), shown = 0;

	metric_begin(m, METRIC_STEERED_ANSWERS_TOTAL);
	for (size_t i = 0; all && c && i < c->steering_count; i++)
		shown += steered_by(m, c, &c->steering[i]);
	if (all > shown)
		put_steered(m, "(other)", "(other)", all - shown);
	metric_one(m, METRIC_STEERED_UNSIGNED_TOTAL, SUM(m, edge.steered_unsigned));
}

void metrics_answer(struct metrics *m)
{
	size_t in = offsetof(struct board_worker, measures.query_sizes),
	       out = offsetof(struct board_worker, measures.answer_sizes);

	questions(m);
	rcodes(m);
	durations(m);
	sizes(m, METRIC_QUERY_SIZE_BYTES, in, offsetof(struct board_worker, measures.query_octets));
	sizes(m, METRIC_RESPONSE_SIZE_BYTES, out, offsetof(struct board_worker, measures.answer_octets));
	metric_begin(m, METRIC_MESSAGES_BY_SIZE_TOTAL);
	bins(m, "received", in);
	bins(m, "sent", out);
	sources(m);
	fates(m);
	connections(m);
	xdp(m);
	steered(m);
}
