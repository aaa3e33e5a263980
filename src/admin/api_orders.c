/* SPDX-License-Identifier: BSD-2-Clause */
/* POST /api/v1/orders: {"order": "drain" | "resume" | "freeze", "network": "global", "backstop": true}; no network: all of them. The way is that of the control socket: the supervisor
 * carries it out, and its answer is this one's. Who ordered it is in the log by the name of the token. */
#include "admin/api.h"

#include "admin/http_priv.h"
#include "admin/request.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static bool read_order(const struct http_request *r, struct request *out, const char **why)
{
	static const struct {
		const char *word;
		enum command command;
	} words[] = {{"drain", COMMAND_DRAIN}, {"resume", COMMAND_RESUME}, {"freeze", COMMAND_FREEZE}};
	json_t *o = json_loadb(r->body, r->body_len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *network = json_object_get(o, "network"), *backstop = json_object_get(o, "backstop");
	const char *word = json_string_value(json_object_get(o, "order"));
	bool known = false;

	*out = (struct request){0};
	for (size_t i = 0; word && i < ARRAY_LEN(words); i++)
		if (strcmp(word, words[i].word) == 0) {
			out->command = words[i].command;
			known = true;
		}
	*why = !json_is_object(o) ? "the body is no JSON object" : !known ? "\"order\" is drain, resume or freeze" : NULL;
	if (!*why && network && (!json_string_length(network) || json_string_length(network) >= sizeof(out->network)))
		*why = "\"network\" is the name of one";
	/* A member that is misspelt must not make it an order for all networks. */
	if (!*why && json_object_size(o) != 1U + (network != NULL) + (backstop != NULL))
		*why = "an order has \"order\", \"network\" and \"backstop\", and nothing else";
	if (!*why && backstop && (!json_is_boolean(backstop) || out->command != COMMAND_DRAIN))
		*why = "\"backstop\" is true or false, of a drain";
	if (!*why) {
		snprintf(out->network, sizeof(out->network), "%s", network ? json_string_value(network) : "");
		out->backstop = json_is_true(backstop);
	}
	json_decref(o);
	return !*why;
}

unsigned api_orders(struct http_request *r, struct text *out)
{
	static const char *const words[] = {[COMMAND_DRAIN] = "drain", [COMMAND_RESUME] = "resume", [COMMAND_FREEZE] = "freeze"};
	struct http *h = r->http;
	struct http_order *free_place = NULL;
	struct request order;
	const char *why;
	uint32_t id;

	if (!read_order(r, &order, &why))
		return http_problem(out, 400, "%s", why);
	for (size_t i = 0; i < HTTP_WAITING_MAX; i++)
		if (!h->orders[i].call)
			free_place = &h->orders[i];
	if (!free_place)
		return http_problem(out, 503, "other orders are under way: try again");
	if (h->host.order(h->host.ctx, &order, &id, &why) < 0)
		return http_problem(out, 409, "%s", why);
	board_add(&h->count->orders, 1);
	log_notice("http order=%s network=%s by=%s client=%s", words[order.command], order.network[0] ? order.network : "all", r->who.name, r->client);
	*free_place = (struct http_order){.call = r->call, .id = id, .since_ms = clock_ms()};
	return HTTP_LATER;
}

void http_order_done(struct http *h, uint32_t id, int result, const char *text)
{
	for (size_t i = 0; i < HTTP_WAITING_MAX; i++) {
		struct http_call *call = h->orders[i].call;
		struct text out;

		if (!call || h->orders[i].id != id)
			continue;
		h->orders[i].call = NULL;
		text_init(&out);
		if (result == 0)
			text_str(&out, "{\"message\":\"done\"}\n");
		else
			http_problem(&out, 409, "%s%s%s", err_text(result), *text ? ": " : "", text);
		http_finish(h, call, result == 0 ? 200 : 409, &out);
		text_done(&out);
		return;
	}
}

void http_orders_forget(struct http *h, const struct http_call *call)
{
	for (size_t i = 0; i < HTTP_WAITING_MAX; i++)
		if (h->orders[i].call == call)
			h->orders[i].call = NULL;
}

void http_orders_sweep(struct http *h, uint64_t now_ms)
{
	for (size_t i = 0; i < HTTP_WAITING_MAX; i++) {
		struct http_call *call = h->orders[i].call;
		struct text out;

		if (!call || now_ms - h->orders[i].since_ms < HTTP_ORDER_MS)
			continue;
		h->orders[i].call = NULL;
		text_init(&out);
		http_problem(&out, 504, "the supervisor has not answered; the status tells whether it was done");
		http_finish(h, call, 504, &out);
		text_done(&out);
	}
}
