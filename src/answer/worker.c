/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/worker.h"

/* What goes out in place of an answer that its client prefix has had enough of. */
static void limit(struct worker *w, const struct engine_request *request, uint8_t *out, size_t cap, struct engine_result *result)
{
	const struct settings *s = w->settings;
	enum rate_verdict verdict = rate_judge(w->rates, &s->rate, &request->client, result->kind, w->now_ns, &w->rate_turn);

	if (verdict == RATE_PASS || prefix_set_has(s->exempt, &request->client))
		return;
	if (verdict == RATE_DROP) {
		board_add(&w->board->limited_dropped, 1);
		result->len = 0;
		return;
	}
	engine_slip(&s->engine, w->scratch, request, out, cap, result);
	board_add(result->truncated ? &w->board->limited_slipped : &w->board->limited_badcookie, 1);
}

void worker_answer(struct worker *w, const struct store_snapshot *s, const struct engine_request *request, uint8_t *out, size_t cap,
                   struct engine_result *result)
{
	struct board_worker *b = w->board;

	engine_answer(&w->settings->engine, s, w->scratch, request, out, cap, result);
	if (result->filtered)
		board_add(&b->filtered[result->filtered - 1], 1);
	if (result->cookie != COOKIE_NONE)
		board_add(&b->cookies[result->cookie], 1);
	/* Who comes by TCP or with a good cookie is where it says it is. */
	if (result->len && request->transport == ENGINE_UDP && w->settings->limited && w->rates && result->cookie != COOKIE_GOOD)
		limit(w, request, out, cap, result);
	if (!result->len) {
		board_add(&b->dropped, 1);
		return;
	}
	board_add(&b->answers, 1);
	board_add(&b->bytes_out, result->len);
	board_add(&b->rcodes[result->rcode < BOARD_RCODES ? result->rcode : BOARD_RCODES - 1], 1);
	if (result->truncated)
		board_add(&b->truncated, 1);
}
