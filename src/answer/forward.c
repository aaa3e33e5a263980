/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions for zones that backends answer.
 *
 *	engine: not in the cache -> ask -> [question under way] -> a server, another, ... -> answer -> cache, all who wait
 *
 * A question under way stands for all clients that want the same: name in any case, type, DO, CD, RD and, where servers are told of it, the client's network. It is sent to a server of the pool
 * (edge/servers.c chooses). Who does not answer within some multiple of his usual time is counted as failing, and the next one is asked; the first answer that comes counts, be it of the one who was
 * given up. SERVFAIL, REFUSED, FORMERR and their like are no answer while there is somebody else to ask. When the pool's patience is over, clients get what is stale in the cache (RFC 8767,
 * extended error 3), or what a server said that could not answer, or SERVFAIL (extended error 22). Servers with an open circuit get copies of questions as trials: no client's answer depends on them.
 *
 * What is sent is made here (RFC 9619: one question; EDNS with the size of RFC 9715, DO as asked, the client's network where the pool says so): a client's options go no further, cookies are between it
 * and us. The name goes out in the case of the first client, and must come back as the same name in any case. Ids are the kernel's random numbers.
 *
 * Clients are kept as they came; when there is an answer the engine composes it for each anew (size, cookie, NSID, DO), under the same limits as any, and then counts the question. Only NOERROR and
 * NXDOMAIN are put into the cache, never what was truncated.
 *
 * Where servers are told who asks (PROXY protocol) questions are not joined, and answers are cached only if servers are told of the network by RFC 7871 too, and so can say for whom they are.
 *
 * Memory is taken once: nothing is allocated, and all of it is bounded (FORWARD_UNDER_WAY_MAX, FORWARD_WAITING_MAX); more is SERVFAIL. Times are looked at every FORWARD_TICK_MS while something is
 * under way.
 *
 * A node may not ask itself: watch finds such servers by the marks of its checks (edge/mark.h), and they are not asked any more; what comes before joins the question it came from, and ends with its
 * patience, or is refused where it can be seen. Marks of others are passed on.
 *
 * Not here: a choice by what zone is asked; limits by client of questions that are sent on. */
#include "answer/forward_priv.h"

#include "answer/edns.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/wire.h"
#include "edge/proxy_header.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

uint32_t forward_random(struct forward *fw)
{
	if (fw->random_left < 2) {
		random_bytes(fw->random, sizeof(fw->random));
		fw->random_left = FORWARD_RANDOM;
	}
	fw->random_left -= 2;
	return (uint32_t)fw->random[fw->random_left] << 16 | fw->random[fw->random_left + 1];
}

static struct board_edge_server *told(const struct forward *fw, uint16_t row)
{
	return &fw->worker->board->edge.server[fw->servers[row].place];
}

/* ---- clients ---- */

/* A question that is longer than what is kept: without what nobody looks at. Its length. */
static size_t shorten(const struct query *q, const uint8_t *msg, uint8_t out[FORWARD_KEPT])
{
	struct writer w = writer_of(out, FORWARD_KEPT);
	const struct { uint16_t code; const uint8_t *data; uint16_t len; bool there; } options[] = {
		{EDNS_NSID, NULL, 0, q->want_nsid}, {EDNS_COOKIE, q->cookie, q->cookie_len, q->cookie && q->cookie_len <= COOKIE_OPTION_MAX},
		{EDNS_ECS, q->ecs, q->ecs_len, q->ecs}, {EDNS_KEEPALIVE, NULL, 0, q->want_keepalive}, {EDNS_PADDING, NULL, 0, q->want_padding}};
	size_t len_at;

	writer_bytes(&w, msg, DNS_HEADER_LEN + q->question_len);
	memset(out + 4, 0, 8);
	out[5] = 1;
	if (!q->has_edns)
		return w.pos;
	out[11] = 1;
	writer_u8(&w, 0);
	writer_u16(&w, RR_OPT);
	writer_u16(&w, q->udp_size);
	writer_u16(&w, 0);
	writer_u16(&w, q->dnssec_ok ? 0x8000 : 0);
	len_at = w.pos;
	writer_u16(&w, 0);
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (!options[i].there)
			continue;
		writer_u16(&w, options[i].code);
		writer_u16(&w, options[i].len);
		writer_bytes(&w, options[i].data, options[i].len);
	}
	if (!writer_ok(&w))
		return 0;
	put_u16(out + len_at, (uint16_t)(w.pos - len_at - 2));
	return w.pos;
}

static bool add_client(struct forward *fw, struct flight *f, const struct forward_client *who, const uint8_t *msg, size_t len)
{
	uint32_t number = flights_add_client(fw->flights, f);
	struct forward_waiting *c;

	if (number == FLIGHT_NONE)
		return false;
	c = &fw->waiting[number];
	c->began_ns = fw->worker->now_ns;
	c->stream = who->stream;
	c->addr = who->addr;
	c->local = who->local.addr;
	c->local_port = who->local.port;
	c->port = who->port;
	c->scope = 0;
	if (who->peer && who->peer->ss_family == AF_INET6)
		c->scope = ((const struct sockaddr_in6 *)(const void *)who->peer)->sin6_scope_id;
	c->fd = who->fd;
	c->transport = (uint8_t)who->transport;
	c->wildcard = who->wildcard;
	if (len <= FORWARD_KEPT) {
		memcpy(c->msg, msg, len);
		c->len = (uint16_t)len;
	} else {
		c->len = (uint16_t)shorten(&fw->worker->scratch->query, msg, c->msg);
	}
	return true;
}

static void answer_client(struct forward *fw, const struct forward_waiting *c, struct engine_late *late)
{
	struct worker *w = fw->worker;
	const struct engine_request request = {.transport = (enum engine_transport)c->transport, .client = c->addr, .port = c->port, .msg = c->msg, .len = c->len, .now_s = w->now_s};
	struct engine_result result;

	late->began_ns = c->began_ns;
	if (c->transport != ENGINE_UDP) {
		forward_stream_answer(fw, c, late);
		return;
	}
	if (c->fd < 0)
		return;
	w->local = (struct endpoint){.addr = c->local, .port = c->local_port};
	worker_answer_late(w, late, &request, forward_out_room(fw), FORWARD_OUT_MAX, &result);
	if (!result.len)
		return;
	forward_out_put(fw, c, result.len);
	(void)measures_latency(&w->measures, ENGINE_UDP, 1, c->began_ns);
}

/* All who wait get this, and the question is over. */
static void conclude(struct forward *fw, struct flight *f, struct engine_late *late)
{
	for (uint32_t c = f->first_client; c != FLIGHT_NONE; c = flights_next_client(fw->flights, c))
		answer_client(fw, &fw->waiting[c], late);
	for (unsigned i = 0; i < f->tries; i++)
		if (f->try[i].state == TRY_WAITING)
			fw->facts[f->try[i].row].outstanding--;
	flights_end(fw->flights, f);
}

/* Nobody answers: what there is instead. */
static void conclude_without(struct forward *fw, struct flight *f)
{
	struct engine_late late = {.rcode = f->error ? f->error : RCODE_SERVFAIL, .ede = f->error ? f->error_ede : EDE_NO_REACHABLE_AUTHORITY};
	struct board_edge *b = &fw->worker->board->edge;
	enum edge_found found = EDGE_MISS;

	if (f->clients && f->pool < fw->pool_count && fw->pools[f->pool].cached && fw->worker->scratch->backend_cache)
		found = edge_cache_find(fw->worker->scratch->backend_cache, &f->key.edge, &f->key.subnet, fw->worker->scratch->backend_now_s, fw->body, sizeof(fw->body), &fw->answer);
	if (found != EDGE_MISS) {
		late.answer = &fw->answer;
		late.ede = found == EDGE_STALE ? EDE_STALE : EDE_NONE;
		board_add(&b->hits, f->clients);
		board_add(&b->stale, found == EDGE_STALE ? f->clients : 0);
	} else if (!f->error) {
		board_add(&b->failed, f->clients);
	}
	conclude(fw, f, &late);
}

/* ---- tries ---- */

static size_t put_subnet(uint8_t *out, const struct edge_subnet *s)
{
	size_t octets = (s->prefix + 7U) / 8;

	put_u16(out, EDNS_ECS);
	put_u16(out + 2, (uint16_t)(4 + octets));
	put_u16(out + 4, s->addr.family == 4 ? 1 : 2);
	out[6] = s->prefix;
	out[7] = 0;
	memcpy(out + 8, s->addr.bytes, octets);
	return 8 + octets;
}

/* Where the server is told who asks: the header in front. Its length; 0: it is not told. */
static size_t put_proxy(const struct forward *fw, const struct flight *f, bool stream, uint8_t out[PROXY_HEADER_MAX])
{
	const struct forward_waiting *c;
	struct endpoint from, to;

	if (!fw->pools[f->pool].proxy)
		return 0;
	if (f->first_client == FLIGHT_NONE)
		return proxy_header_local(out);
	c = &fw->waiting[f->first_client];
	from = (struct endpoint){.addr = c->addr, .port = c->port};
	to = (struct endpoint){.addr = c->local, .port = c->local_port};
	return proxy_header_put(out, &from, &to, stream);
}

/* Our question. Its length. */
static size_t put_question(const struct flight *f, uint16_t id, uint8_t out[FORWARD_ASK_MAX])
{
	static const uint8_t opt[] = {0, 0, RR_OPT, DNS_UDP_DEFAULT >> 8, DNS_UDP_DEFAULT & 0xff, 0, 0, 0, 0, 0, 0};
	const struct flight_key *k = &f->key;
	uint8_t *p = out, *head = out, *rdlen;

	put_u16(head, id);
	put_u16(head + 2, (uint16_t)((k->recursion_desired ? DNS_RD : 0) | (k->edge.checking_disabled ? DNS_CD : 0)));
	memcpy(head + 4, (const uint8_t[]){0, 1, 0, 0, 0, 0, 0, 1}, 8);
	p += DNS_HEADER_LEN;
	memcpy(p, f->asked, f->asked_len);
	p += f->asked_len;
	put_u16(p, k->edge.qtype);
	put_u16(p + 2, CLASS_IN);
	p += 4;
	memcpy(p, opt, sizeof(opt));
	p[7] = k->edge.dnssec_ok ? 0x80 : 0;
	p += sizeof(opt);
	rdlen = p - 2;
	if (k->subnet.addr.family)
		p += put_subnet(p, &k->subnet);
	if (f->marked) {
		put_u16(p, EDNS_LOCAL_MARK);
		put_u16(p + 2, EDGE_MARK_LEN);
		memcpy(p + 4, f->mark, EDGE_MARK_LEN);
		p += 4 + EDGE_MARK_LEN;
	}
	put_u16(rdlen, (uint16_t)(p - rdlen - 2));
	return (size_t)(p - out);
}

static size_t put_datagram(const struct forward *fw, const struct flight *f, uint16_t id, uint8_t out[FORWARD_ASK_MAX])
{
	size_t head = put_proxy(fw, f, false, out);

	return head + put_question(f, id, out + head);
}

/* The same by a connection: to servers that are spoken to so, and again for what did not fit into a datagram. */
static bool begin_stream_try(struct forward *fw, struct flight *f, uint16_t row)
{
	struct flight_try *try = flights_try(fw->flights, f, row, FORWARD_LINE_STREAM, forward_random(fw));
	uint8_t proxy[PROXY_HEADER_MAX], question[FORWARD_ASK_MAX];
	struct edge_server *s = &fw->facts[row];
	uint64_t now_ns = fw->worker->now_ns;
	uint32_t wait_ms = MAX(2 * edge_server_timeout_ms(s), (uint32_t)FORWARD_STREAM_TRY_MS);

	if (!try)
		return false;
	if (!forward_stream_put(fw, row, try->id, proxy, put_proxy(fw, f, true, proxy), question, put_question(f, try->id, question))) {
		try->state = TRY_OVER;
		board_add(&told(fw, row)->errors, 1);
		edge_server_failed(s, now_ns);
		return false;
	}
	try->sent_ns = now_ns;
	try->due_ns = now_ns + ((uint64_t)wait_ms << MIN(f->round, 3U)) * 1000000;
	edge_server_sent(s, now_ns);
	board_add(&told(fw, row)->sent, 1);
	if (f->tries > 1)
		board_add(&told(fw, row)->retried, 1);
	return true;
}

/* Send it to this server. False: that cannot be done now. */
static bool begin_try(struct forward *fw, struct flight *f, unsigned place)
{
	uint16_t row = fw->pools[f->pool].of.rows[place];
	struct edge_server *s = &fw->facts[row];
	uint64_t now_ns = fw->worker->now_ns;
	struct flight_try *try;
	uint8_t *room, line;

	edge_tried_set(&f->tried, place);
	if (fw->pools[f->pool].over != CONFIG_BACKEND_UDP)
		return begin_stream_try(fw, f, row);
	if (!forward_udp_ask(fw, row, &line)) {
		board_add(&told(fw, row)->errors, 1);
		edge_server_failed(s, now_ns);
		return false;
	}
	room = forward_udp_room(fw);
	try = flights_try(fw->flights, f, row, line, forward_random(fw));
	if (!try)
		return false;
	try->sent_ns = now_ns;
	try->due_ns = now_ns + ((uint64_t)edge_server_timeout_ms(s) << MIN(f->round, 3U)) * 1000000;
	edge_server_sent(s, now_ns);
	if (f->tries > 1)
		board_add(&told(fw, row)->retried, 1);
	forward_udp_put(fw, row, line, try->id, put_datagram(fw, f, try->id, room));
	return true;
}

static bool waits_for_somebody(const struct flight *f)
{
	for (unsigned i = 0; i < f->tries; i++)
		if (f->try[i].state == TRY_WAITING)
			return true;
	return false;
}

/* The next server; once all were asked, all of them again while there is patience (again: not those who said that they cannot). False: there is nobody. */
static bool try_next(struct forward *fw, struct flight *f, bool again)
{
	const struct edge_pool *p = &fw->pools[f->pool].of;
	uint64_t hash = f->key.edge.hash;
	bool full;

	while (f->tries < FLIGHT_TRIES_MAX) {
		int place = edge_pool_choose(fw->facts, p, &f->tried, hash, forward_random(fw), fw->worker->now_ns, &full);

		if (place >= 0 && begin_try(fw, f, (unsigned)place))
			return true;
		if (place >= 0)
			continue;
		if (full)
			board_add(&fw->worker->board->edge.full, 1);
		if (!again || !f->tries)
			return false;
		again = false;
		f->round++;
		f->tried = f->unable;
	}
	return false;
}

/* When something is to be done about it. */
static void set_timer(struct forward *fw, struct flight *f)
{
	uint64_t at_ns = f->expires_ns;

	for (unsigned i = 0; i < f->tries; i++)
		if (f->try[i].state == TRY_WAITING)
			at_ns = MIN(at_ns, f->try[i].due_ns);
	flights_timer(fw->flights, f, at_ns);
}

/* The first try, and the trial of somebody else. Where nobody can be asked the next tick concludes it: not here, where others' answers are being made. */
static void launch(struct forward *fw, struct flight *f)
{
	int trial;

	if (!try_next(fw, f, false)) {
		f->expires_ns = fw->worker->now_ns;
	} else {
		trial = edge_pool_trial(fw->facts, &fw->pools[f->pool].of, &f->tried, fw->worker->now_ns);
		if (trial >= 0)
			(void)begin_try(fw, f, (unsigned)trial);
	}
	set_timer(fw, f);
}

/* ---- questions ---- */

static void make_key(const struct forward *fw, const struct query *q, const struct ip_addr *client, uint32_t pool, bool stream, struct flight_key *out)
{
	const struct forward_pool *p = &fw->pools[pool];

	*out = (struct flight_key){.recursion_desired = (q->header.flags & DNS_RD) != 0, .stream = stream};
	edge_key_make(fw->worker->scratch->backend_cache, q, p->key, &out->edge);
	if (p->client_subnet && client)
		engine_client_subnet(q, client, &out->subnet);
}

static struct flight *begin(struct forward *fw, const struct flight_key *key, const struct query *q, uint32_t pool, bool alone)
{
	struct flight *f = flights_begin(fw->flights, key, alone);

	if (!f)
		return NULL;
	f->pool = pool;
	f->began_ns = fw->worker->now_ns;
	f->expires_ns = f->began_ns + fw->pools[pool].patience_ns;
	f->asked_len = q->qname.len;
	memcpy(f->asked, q->qname.wire, q->qname.len);
	f->marked = q->mark && q->mark_len == EDGE_MARK_LEN;
	if (f->marked)
		memcpy(f->mark, q->mark, EDGE_MARK_LEN);
	return f;
}

bool forward_ask(struct worker *w, const struct forward_client *who, const uint8_t *msg, size_t len, const struct engine_result *result)
{
	struct forward *fw = w->forward;
	const struct query *q = &w->scratch->query;
	struct flight_key key;
	struct flight *f;
	bool joined, alone;

	if (!fw || result->backends >= fw->pool_count)
		return false;
	board_add(&w->board->edge.misses, 1);
	alone = fw->pools[result->backends].proxy || q->mark;
	make_key(fw, q, &who->addr, result->backends, who->transport != ENGINE_UDP, &key);
	f = alone ? NULL : flights_find(fw->flights, &key);
	/* Where a server asks us what it is being asked by us, it waits for itself: the question is tried elsewhere when its time is over, and watch finds the server out by its mark. That the client
	 * has a server's address says nothing: a resolver may run there as well. */
	joined = f != NULL;
	if (!f)
		f = begin(fw, &key, q, result->backends, alone);
	if (!f || !add_client(fw, f, who, msg, len)) {
		board_add(&w->board->edge.full, 1);
		if (f && !joined)
			flights_end(fw->flights, f);
		return false;
	}
	if (joined)
		board_add(&w->board->edge.joined, 1);
	else
		launch(fw, f);
	return true;
}

void forward_refresh(struct worker *w, const struct ip_addr *client, const struct engine_result *result)
{
	struct forward *fw = w->forward;
	const struct query *q = &w->scratch->query;
	struct flight_key key;
	struct flight *f;

	if (!fw || result->backends >= fw->pool_count)
		return;
	make_key(fw, q, client, result->backends, false, &key);
	if (flights_find(fw->flights, &key))
		return;
	f = begin(fw, &key, q, result->backends, false);
	if (!f)
		return;
	launch(fw, f);
	if (f->tries)
		board_add(&w->board->edge.prefetched, 1);
}

void forward_flush(struct worker *w)
{
	if (w->forward && w->forward->asks.count)
		forward_udp_flush(w->forward);
}

/* ---- answers ---- */

/* This one cannot say, because it is ill or because we asked wrongly: somebody else may. */
static void take_error(struct forward *fw, struct flight *f, uint16_t row, uint16_t rcode, uint16_t ede)
{
	if (!f->error) {
		f->error = rcode;
		f->error_ede = ede;
	}
	for (unsigned i = 0; i < fw->pools[f->pool].of.count; i++)
		if (fw->pools[f->pool].of.rows[i] == row)
			edge_tried_set(&f->unable, i);
	if (try_next(fw, f, !waits_for_somebody(f)) || waits_for_somebody(f))
		set_timer(fw, f);
	else
		conclude_without(fw, f);
}

static bool settles(uint16_t rcode)
{
	return rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN || rcode == RCODE_YXDOMAIN; /* RFC 6672 2.2: a name became too long; that is final */
}

/* An error without a question, as servers give it that could not read ours. False: it is none. */
static bool bare_error(const uint8_t *msg, size_t len, uint16_t *rcode)
{
	uint16_t flags = get_u16(msg + 2);

	*rcode = flags & 15;
	return len >= DNS_HEADER_LEN && (flags & DNS_QR) && get_u16(msg + 4) == 0 && *rcode != RCODE_NOERROR;
}

void forward_take_reply(struct forward *fw, uint16_t row, uint8_t line, const uint8_t *msg, size_t len, uint64_t now_ns)
{
	struct board_edge *b = &fw->worker->board->edge;
	struct edge_answer *a = &fw->answer;
	struct engine_late late = {.answer = a, .ede = EDE_NONE};
	struct flight_try *try;
	struct flight *f;
	bool good;

	if (len < DNS_HEADER_LEN) {
		board_add(&b->strange, 1);
		return;
	}
	if (!flights_of_id(fw->flights, row, line, get_u16(msg), &f, &try) || try->state == TRY_OVER) {
		board_add(&b->late, 1);
		/* Copies of questions that are trials are often answered second. */
		if (fw->facts[row].open && (get_u16(msg + 2) & DNS_QR) && settles(get_u16(msg + 2) & 15))
			edge_server_back(&fw->facts[row]);
		return;
	}
	fw->asked = (struct query){.qtype = f->key.edge.qtype, .qclass = CLASS_IN, .has_question = true, .qname.len = f->asked_len, .question_len = (uint16_t)(f->asked_len + 4)};
	memcpy(fw->asked.qname.wire, f->asked, f->asked_len);
	if (edge_answer_parse(msg, len, &fw->asked, a) < 0) {
		uint16_t rcode;

		if (!bare_error(msg, len, &rcode)) {
			board_add(&b->strange, 1); /* forged, perhaps: what was asked may still be answered */
			return;
		}
		*a = (struct edge_answer){.rcode = rcode, .ede = EDE_NONE};
	}
	good = settles(a->rcode);
	if (try->state == TRY_WAITING)
		fw->facts[row].outstanding--;
	try->state = TRY_OVER;
	edge_server_answered(&fw->facts[row], good, now_ns > try->sent_ns ? now_ns - try->sent_ns : 0, now_ns);
	board_add(&told(fw, row)->answered, 1);
	if (!good) {
		board_add(&told(fw, row)->servfails, 1);
		take_error(fw, f, row, a->rcode, a->ede);
		return;
	}
	/* What does not fit a client takes that came by TCP or TLS. */
	if ((a->flags & DNS_TC) && f->key.stream && line != FORWARD_LINE_STREAM && begin_stream_try(fw, f, row)) {
		set_timer(fw, f);
		return;
	}
	if (a->ttl && fw->pools[f->pool].cached && fw->worker->scratch->backend_cache)
		edge_cache_put(fw->worker->scratch->backend_cache, &f->key.edge, &f->key.subnet, a, &fw->pools[f->pool].limits, fw->worker->scratch->backend_now_s);
	conclude(fw, f, &late);
}

/* No answer comes to this try any more. Its flight; NULL: nothing waited for one. */
static struct flight *end_try(struct forward *fw, uint16_t row, uint8_t line, uint16_t id)
{
	struct flight_try *try;
	struct flight *f;

	if (!flights_of_id(fw->flights, row, line, id, &f, &try) || try->state != TRY_WAITING)
		return NULL;
	try->state = TRY_OVER;
	fw->facts[row].outstanding--;
	return f;
}

void forward_try_closed(struct forward *fw, uint16_t row, uint8_t line, uint16_t id)
{
	struct flight *f = end_try(fw, row, line, id);

	if (!f)
		return;
	for (unsigned i = 0; i < fw->pools[f->pool].of.count; i++)
		if (fw->pools[f->pool].of.rows[i] == row)
			f->tried.bits[i / 64] &= ~(UINT64_C(1) << i % 64);
	flights_timer(fw->flights, f, fw->worker->now_ns);
}

void forward_try_failed(struct forward *fw, uint16_t row, uint8_t line, uint16_t id)
{
	struct flight *f = end_try(fw, row, line, id);

	if (!f)
		return;
	edge_server_failed(&fw->facts[row], fw->worker->now_ns);
	flights_timer(fw->flights, f, fw->worker->now_ns); /* the next tick asks another */
}

void forward_serve(struct worker *w)
{
	struct forward *fw = w->forward;

	forward_udp_serve(fw);
	forward_flush(w);
	forward_out_flush(fw);
}

/* ---- time ---- */

static void look_at_flight(struct forward *fw, struct flight *f)
{
	uint64_t now_ns = fw->worker->now_ns;

	for (unsigned i = 0; i < f->tries; i++) {
		struct flight_try *try = &f->try[i];

		if (try->state != TRY_WAITING || try->due_ns > now_ns)
			continue;
		try->state = TRY_LATE;
		fw->facts[try->row].outstanding--;
		edge_server_failed(&fw->facts[try->row], now_ns);
		board_add(&told(fw, try->row)->timeouts, 1);
	}
	if (now_ns >= f->expires_ns) {
		conclude_without(fw, f);
		return;
	}
	/* Somebody may be under way yet (a trial's copy); else the next, or patience with those who are late. */
	if (!waits_for_somebody(f) && !try_next(fw, f, true) && f->error) {
		conclude_without(fw, f);
		return;
	}
	set_timer(fw, f);
}

int forward_wait_ms(const struct worker *w)
{
	return w->forward && flights_count(w->forward->flights) ? FORWARD_TICK_MS : -1;
}

void forward_tick(struct worker *w)
{
	struct forward *fw = w->forward;
	struct flight *f;

	forward_flush(w);
	if (!fw || w->now_ns - fw->ticked_ns < FORWARD_TICK_MS * UINT64_C(1000000) / 2)
		return;
	fw->ticked_ns = w->now_ns;
	w->scratch->backend_now_s = (uint32_t)(w->now_ns / 1000000000);
	while ((f = flights_due(fw->flights, w->now_ns)))
		look_at_flight(fw, f);
	forward_flush(w);
	forward_out_flush(fw);
	if (w->now_ns - fw->looked_ns >= FORWARD_LOOK_MS * UINT64_C(1000000)) {
		fw->looked_ns = w->now_ns;
		forward_pools_look(fw);
	}
	if (w->now_ns - fw->renewed_ns >= FORWARD_RENEW_MS * UINT64_C(1000000)) {
		fw->renewed_ns = w->now_ns;
		forward_udp_renew(fw);
	}
}

/* ---- configuration ---- */

struct forgotten { struct forward *fw; uint16_t row; };

static void forget_tries(void *ctx, struct flight *f)
{
	const struct forgotten *g = ctx;

	for (unsigned i = 0; i < f->tries; i++)
		if (f->try[i].row == g->row && f->try[i].state != TRY_OVER) {
			f->try[i].state = TRY_OVER;
			flights_timer(g->fw->flights, f, g->fw->worker->now_ns);
		}
}

void forward_forget_row(struct forward *fw, uint16_t row)
{
	struct forgotten g = {fw, row};

	flights_each(fw->flights, forget_tries, &g);
}

/* Which pool is now where one was; UINT32_MAX: it is gone. */
struct moved { struct forward *fw; uint32_t *to; };

static void move_flight(void *ctx, struct flight *f)
{
	const struct moved *m = ctx;

	f->pool = m->to[f->pool];
	f->tried = f->unable = (struct edge_tried){0}; /* places of servers have moved as well */
	if (f->pool == UINT32_MAX)
		conclude_without(m->fw, f);
}

static uint32_t pool_named(const struct config *config, const char *name)
{
	for (uint32_t i = 0; i < config->backend_count; i++)
		if (strcmp(config->backends[i].name, name) == 0)
			return i;
	return UINT32_MAX;
}

int forward_reload(struct worker *w, const struct config *config, unsigned workers)
{
	struct forward *fw = w->forward;
	struct moved m = {fw, NULL};
	int err;

	if (!fw)
		return 0;
	m.to = calloc(fw->pool_count + 1, sizeof(*m.to));
	if (!m.to)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < fw->pool_count; i++)
		m.to[i] = pool_named(config, fw->pools[i].name);
	err = forward_pools_take(fw, config, workers);
	if (!err)
		flights_each(fw->flights, move_flight, &m);
	free(m.to);
	forward_out_flush(fw);
	return err;
}

struct closed { struct forward *fw; int fd; };

static void forget_clients(void *ctx, struct flight *f)
{
	const struct closed *g = ctx;

	for (uint32_t c = f->first_client; c != FLIGHT_NONE; c = flights_next_client(g->fw->flights, c))
		if (g->fw->waiting[c].fd == g->fd)
			g->fw->waiting[c].fd = -1;
}

void forward_forget_socket(struct worker *w, int fd)
{
	struct closed g = {w->forward, fd};

	if (w->forward)
		flights_each(w->forward->flights, forget_clients, &g);
}

int forward_fd(const struct forward *fw)
{
	return fw->epoll;
}

struct forward *forward_new(struct worker *w, const struct config *config, unsigned workers)
{
	struct forward *fw = calloc(1, sizeof(*fw));
	uint64_t key;

	if (!fw)
		return NULL;
	random_bytes(&key, sizeof(key));
	fw->worker = w;
	fw->epoll = epoll_create1(EPOLL_CLOEXEC);
	fw->flights = flights_new(FORWARD_UNDER_WAY_MAX, FORWARD_WAITING_MAX, key);
	fw->waiting = mmap(NULL, sizeof(*fw->waiting) * FORWARD_WAITING_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (unsigned i = 0; i < BOARD_BACKENDS_MAX; i++)
		memset(fw->servers[i].fd, 0xff, sizeof(fw->servers[i].fd));
	if (fw->waiting == MAP_FAILED)
		fw->waiting = NULL;
	w->scratch->backend_now_s = (uint32_t)(clock_ns() / 1000000000);
	if (fw->epoll < 0 || !fw->flights || !fw->waiting || forward_pools_take(fw, config, workers) < 0) {
		forward_free(fw);
		return NULL;
	}
	return fw;
}

void forward_free(struct forward *fw)
{
	if (!fw)
		return;
	for (uint16_t i = 0; i < BOARD_BACKENDS_MAX; i++)
		forward_udp_close(fw, i);
	if (fw->epoll >= 0)
		close(fw->epoll);
	flights_free(fw->flights);
	if (fw->waiting)
		munmap(fw->waiting, sizeof(*fw->waiting) * FORWARD_WAITING_MAX);
	free(fw->pools);
	free(fw->down);
	free(fw);
}
