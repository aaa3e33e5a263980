/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/worker.h"

#include "answer/flips.h"
#include "answer/hot.h"
#include "answer/steering.h"
#include "base/clock.h"
#include "edge/mark.h"
#include "proc/handover.h"

/* What goes out in place of an answer that its client prefix has had enough of. */
static enum rate_verdict limit(struct worker *w, const struct engine_request *request, uint8_t *out, size_t cap, struct engine_result *result)
{
	const struct settings *s = w->settings;
	enum rate_verdict verdict = rate_judge(w->rates, &s->rate, &request->client, result->kind, w->now_ns, &w->rate_turn);

	if (verdict == RATE_PASS || prefix_set_has(s->exempt, &request->client))
		return RATE_PASS;
	if (verdict == RATE_DROP) {
		board_add(&w->board->limited_dropped, 1);
		result->len = 0;
		return verdict;
	}
	engine_slip(&s->engine, w->scratch, request, out, cap, result);
	board_add(result->truncated ? &w->board->limited_slipped : &w->board->limited_badcookie, 1);
	return verdict;
}

static void count_steered(struct worker *w, const struct engine_result *result)
{
	const struct config *c = w->settings->steering->config;
	struct board_edge *edge = &w->board->edge;
	struct board_steered *row = board_steered_take(edge, board_steered_key(c->steering[result->policy].name, c->pools[result->pool].name));

	board_add(&edge->steered, 1);
	board_add(&edge->steered_unsigned, result->unsigned_choice);
	if (row)
		board_add(&row->answers, 1);
}

/* A question that is answered now (late NULL), or one whose answer had to be waited for (s NULL). */
struct question {
	const struct store_snapshot *s;
	const struct engine_late *late;
};

/* Others answer it, or it is answered later: then it counts. */
static bool elsewhere(const struct engine_result *result)
{
	return result->for_sync || result->for_backends;
}

static void count_backends(struct board_edge *b, const struct engine_result *result)
{
	if (result->mark) {
		board_add(&b->loops, 1);
		atomic_store_explicit(&b->marks[edge_mark_slot(result->mark)], result->mark, memory_order_relaxed);
	}
	if (result->found == EDGE_MISS)
		return; /* counted by who sends it on */
	board_add(&b->hits, 1);
	if (result->found == EDGE_STALE)
		board_add(&b->stale, 1);
}

static enum rate_verdict answer(struct worker *w, const struct question *question, const struct engine_request *request, uint8_t *out,
                                size_t cap, struct engine_result *result)
{
	enum rate_verdict limited = RATE_PASS;
	struct board_worker *b = w->board;

	if (question->late)
		engine_answer_late(&w->settings->engine, w->scratch, request, question->late, out, cap, result);
	else
		engine_answer(&w->settings->engine, question->s, w->scratch, request, out, cap, result);
	if (elsewhere(result))
		return limited;
	if (result->pass && result->rcode == RCODE_REFUSED)
		board_add(&b->edge.refused, 1);
	if (result->backends != UINT32_MAX)
		count_backends(&b->edge, result);
	measures_query(&w->measures, request, result->qtype);
	if (result->filtered)
		board_add(&b->filtered[result->filtered - 1], 1);
	if (result->cookie != COOKIE_NONE)
		board_add(&b->cookies[result->cookie], 1);
	if (result->steered)
		count_steered(w, result);
	if (result->other_site)
		flips_note(&b->flips, &request->client, result->other_site, w->now_ns);
	/* Who comes by TCP or with a good cookie is where it says it is. */
	if (result->len && request->transport == ENGINE_UDP && w->settings->limited && w->rates && result->cookie != COOKIE_GOOD)
		limited = limit(w, request, out, cap, result);
	if (!result->len) {
		board_add(&b->dropped, 1);
		return limited;
	}
	if (w->hot && result->keepable && w->settings->xdp_cache && request->transport == ENGINE_UDP)
		hot_note(w->hot, &w->scratch->query, result, result->kind == ENGINE_NO_NAME);
	board_add(&b->answers, 1);
	board_add(&b->bytes_out, result->len);
	measures_answer(&w->measures, request, result->len);
	board_add(&b->rcodes[result->rcode < BOARD_RCODES ? result->rcode : BOARD_RCODES - 1], 1);
	if (result->cached)
		board_add(&b->cached, 1);
	if (result->truncated)
		board_add(&b->truncated, 1);
	return limited;
}

/* The same, written down. */
static void answer_sampled(struct worker *w, const struct question *question, const struct engine_request *request, uint8_t *out, size_t cap,
                           struct engine_result *result)
{
	uint64_t start = question->late ? question->late->began_ns : clock_ns();
	struct sample kept = {.wall_us = clock_wall_us()};

	kept.limited = (uint8_t)answer(w, question, request, out, cap, result);
	if (elsewhere(result))
		return;
	kept.duration_ns = (uint32_t)MIN(clock_ns() - start, (uint64_t)UINT32_MAX);
	kept.query_len = (uint16_t)request->len;
	kept.answer_len = (uint16_t)result->len;
	kept.rcode = result->rcode;
	kept.ede = result->ede;
	kept.port = request->port;
	kept.family = request->client.family;
	kept.transport = (uint8_t)request->transport;
	kept.truncated = result->truncated;
	kept.filtered = (uint8_t)result->filtered;
	kept.cookie = (uint8_t)result->cookie;
	memcpy(kept.client, request->client.bytes, sizeof(kept.client));
	memcpy(kept.query, request->msg, MIN(request->len, sizeof(kept.query)));
	sample_put(w->samples, w->index, &kept);
}

static void answer_plain(struct worker *w, const struct question *question, const struct engine_request *request, uint8_t *out, size_t cap,
                         struct engine_result *result)
{
	if (sample_due(&w->pace) && w->samples)
		answer_sampled(w, question, request, out, cap, result);
	else
		(void)answer(w, question, request, out, cap, result);
}

/* With its answer into the ring for dnstap, if there is room. */
static void answer_tapped(struct worker *w, const struct question *question, const struct engine_request *request, uint8_t *out, size_t cap,
                          struct engine_result *result)
{
	static const uint8_t transports[] = {[ENGINE_UDP] = TAP_UDP, [ENGINE_TCP] = TAP_TCP, [ENGINE_TLS] = TAP_TLS};
	struct tap_event e = {.query_ns = clock_wall_ns()};

	if (question->late)
		e.query_ns -= clock_ns() - question->late->began_ns;
	answer_plain(w, question, request, out, cap, result);
	if (elsewhere(result))
		return;
	e.response_ns = clock_wall_ns();
	e.query = request->msg;
	e.query_len = (uint32_t)request->len;
	e.response = out;
	e.response_len = (uint32_t)result->len;
	e.transport = transports[request->transport];
	e.family = request->client.family;
	e.client_port = request->port;
	e.server_family = w->local.addr.family;
	e.server_port = w->local.port;
	memcpy(e.client, request->client.bytes, sizeof(e.client));
	memcpy(e.server, w->local.addr.bytes, sizeof(e.server));
	board_add(tap_put(&w->taps, w->index, &e) ? &w->board->tapped : &w->board->tap_dropped, 1);
}

static void answer_question(struct worker *w, const struct question *question, const struct engine_request *request, uint8_t *out, size_t cap, struct engine_result *result)
{
	if (sample_due(&w->tap_pace))
		answer_tapped(w, question, request, out, cap, result);
	else
		answer_plain(w, question, request, out, cap, result);
}

void worker_answer(struct worker *w, const struct store_snapshot *s, const struct engine_request *request, uint8_t *out, size_t cap,
                   struct engine_result *result)
{
	const struct question question = {.s = s};

	answer_question(w, &question, request, out, cap, result);
}

void worker_answer_late(struct worker *w, const struct engine_late *late, const struct engine_request *request, uint8_t *out, size_t cap, struct engine_result *result)
{
	const struct question question = {.late = late};

	answer_question(w, &question, request, out, cap, result);
}

bool worker_hand_over(struct worker *w, struct handover *head, const uint8_t *octets, int descriptor)
{
	int line = head->status ? w->status : w->handover;
	bool good = line >= 0 && handover_send(line, head, octets, descriptor) == 0;

	board_add(good ? &w->board->handed_over : &w->board->handover_failed, 1);
	return good;
}
