/* SPDX-License-Identifier: BSD-2-Clause */
/* zonecast's BGP speaker: announces the node's anycast prefixes to the routers it is told of, and does nothing else.
 *
 *     bgp_session_want() -> rib (announce.c) -+
 *                                             v
 *     uv_poll <-> socket <-> out queue <- messages (update.c, msg.c, notify.c)
 *                    |                        ^
 *                    +-> in buffer -> frames -+-> state machine (fsm.c) -> actions, carried out in conn.c
 *     uv_timer ---- deadlines ------------------>
 *
 * Runs in the route process, on its loop's thread. The protocol is in pure files beside this one; in conn.c are the socket and buffers of a
 * connection, here is what belongs to the session: the routes, the timer, and the two connections it may have for a moment, the one that we open and
 * the one that the peer opens. Each has a state machine of its own; fsm.c says which of them stays. The established one owns the routes.
 * All memory is allocated when the session is made. Nothing grows with what a peer does:
 * - Reading: frames are taken from a fixed buffer that always has room for the longest message. Whatever the peer sends is drained; of
 *   UPDATEs only the frame is looked at, unless the caller wants to see them (routes_in.c)
 *   or their number is limited (received.c). A peer that sends garbage gets the NOTIFICATION for it, is counted, and met again in 1-5 s.
 * - Writing: messages are made one by one while the out queue has room (announce.c keeps the difference, not a backlog). If the peer
 *   stops reading, the queue stays, the send hold timer (RFC 9687) runs, and nothing else waits.
 * - Closing: NOTIFICATION, shutdown(SHUT_WR), read until the peer closes or BGP_LINGER_MS, close. A close with unread input would have
 *   the kernel send RST, which may overtake the NOTIFICATION.
 *
 * If the process dies, the kernel closes the sockets and the routers withdraw at once: there is no graceful restart on purpose. A
 * wrong MD5 key and TTL security on one side only look like a host that is down: the connection attempt gets no answer.
 *
 * Who listens for peers that dial is the caller, which hands over what it accepts: bgp_session_accept().
 *
 * RFC 4271, 4760 (IPv6), 2918 (refresh), 6793 (AS numbers), 5492 and 9072 (OPEN), 6286, 7607, 9003 (shutdown text), 6608, 9687,
 * 5082 (TTL), 2385 (MD5), 8326 (graceful shutdown, by the caller's communities), 9234 (roles, off by default), 8950 (IPv6 next hops of IPv4, off by default).
 *
 * Limits: BGP_ROUTES_MAX prefixes; BGP_PREPEND_MAX, BGP_COMMUNITIES_MAX per route. Left out: TCP-AO, import of anything, two-octet-AS peers. */
#include "bgp/session.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "bgp/conn.h"
#include "bgp/routes_in.h"
#include "bgp/socket.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct bgp_conn *session_rival(struct bgp_conn *c)
{
	return &c->session->conn[c == &c->session->conn[0]];
}

void session_raise(struct bgp_session *s, const struct bgp_session_event *ev)
{
	struct bgp_session_event e = *ev;

	if (!e.text)
		e.text = "";
	if (s->fn && !s->freeing)
		s->fn(s->ctx, s, &e);
}

void session_handle_closed(struct bgp_session *s)
{
	s->handles--;
	if (s->freeing && s->handles == 0) {
		explicit_bzero(s->md5_key, sizeof(s->md5_key));
		bgp_received_clear(&s->received);
		free(s);
	}
}

static void on_timer_closed(uv_handle_t *h)
{
	session_handle_closed(h->data);
}

/* The connection that speaks for the session. */
static const struct bgp_conn *lead(const struct bgp_session *s)
{
	return &s->conn[s->conn[1].fsm.state > s->conn[0].fsm.state];
}

static void show_state(struct bgp_session *s)
{
	struct bgp_session_event change = {.type = BGP_SESSION_STATE, .from = s->state, .to = lead(s)->fsm.state};

	if (change.from == change.to)
		return;
	s->state = change.to;
	s->since_ms = clock_ms();
	session_raise(s, &change);
}

void session_stepped(struct bgp_session *s, struct bgp_conn *c, const struct bgp_actions *actions)
{
	struct bgp_conn *rival = session_rival(c);
	struct bgp_event end = {.type = BGP_EV_RESET, .subcode = BGP_CEASE_COLLISION};
	struct bgp_event up = {.type = BGP_EV_RIVAL_UP}, down = {.type = BGP_EV_RIVAL_DOWN};

	show_state(s);
	for (unsigned i = 0; i < actions->count; i++) {
		if (actions->list[i].type == BGP_DO_END_RIVAL)
			conn_step(rival, &end);
		else if (actions->list[i].type == BGP_DO_ROUTES_UP)
			conn_step(rival, &up);
		else if (actions->list[i].type == BGP_DO_ROUTES_DOWN)
			conn_step(rival, &down);
	}
}

static void on_timer(uv_timer_t *h)
{
	struct bgp_session *s = h->data;

	for (unsigned i = 0; i < CONNS; i++) {
		struct bgp_conn *c = &s->conn[i];

		if (c->state == CONN_LINGER && clock_ms() >= c->linger_until_ms)
			conn_close(c);
		conn_look(c);
		conn_step(c, &(struct bgp_event){.type = BGP_EV_TICK});
	}
	session_settle(s);
}

static void arm(struct bgp_session *s)
{
	uint64_t at = UINT64_MAX, now = clock_ms();

	if (s->freeing)
		return;
	for (unsigned i = 0; i < CONNS; i++) {
		at = MIN(at, bgp_fsm_deadline(&s->conn[i].fsm));
		if (s->conn[i].state == CONN_LINGER)
			at = MIN(at, s->conn[i].linger_until_ms);
	}
	if (at == UINT64_MAX) {
		uv_timer_stop(&s->timer);
		return;
	}
	uv_update_time(s->loop); /* libuv counts from the start of its round, we from now */
	uv_timer_start(&s->timer, on_timer, at > now ? at - now : 0, 0);
}

/* What no state machine has to say. */
static void PRINTF_LIKE(2, 3) complain(struct bgp_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->error_text, sizeof(s->error_text), fmt, ap);
	va_end(ap);
	s->error_ms = clock_ms();
	session_raise(s, &(struct bgp_session_event){.type = BGP_SESSION_ERROR, .text = s->error_text});
}

/* A family that is wanted and negotiated but has no next hop is an error an operator has to see, once per session. */
static void report_unsendable(struct bgp_session *s)
{
	uint8_t mask = bgp_rib_unsendable(&s->rib);

	if (mask & ~s->told_unsendable)
		complain(s, "no next hop for %s: the interface of the session has no such address, configure one",
		         mask & BGP_IPV6 ? "IPv6" : "IPv4");
	s->told_unsendable = mask;
}

static void count_route(void *ctx, const struct ip_prefix *prefix, const struct bgp_path *path)
{
	struct bgp_session *s = ctx;

	if (path)
		bgp_received_add(&s->received, prefix);
	else
		bgp_received_remove(&s->received, prefix);
}

void session_update(struct bgp_session *s, struct bgp_conn *c, const struct bgp_frame *f)
{
	struct bgp_event end = {.type = BGP_EV_RESET, .subcode = BGP_CEASE_MAX_PREFIXES};
	bool over = s->received.over;

	if (s->conf.watch_updates)
		session_raise(s, &(struct bgp_session_event){.type = BGP_SESSION_UPDATE, .frame = f});
	if (!s->conf.max_prefixes || over)
		return;
	/* What is wrong in it is nobody's concern here: RFC 7606 treats it as withdrawn, and so it is counted. */
	(void)bgp_routes_in(f, count_route, s);
	if (!s->received.over)
		return;
	complain(s, "the peer sends more than %u prefixes; none is used, it should send none", s->conf.max_prefixes);
	if (s->conf.max_cease)
		conn_step(c, &end);
}

void session_settle(struct bgp_session *s)
{
	for (unsigned i = 0; i < CONNS; i++)
		conn_settle(&s->conn[i]);
	/* The second may have ended the first, or left it the routes. */
	conn_settle(&s->conn[0]);
	report_unsendable(s);
	if (s->rib.announced + s->rib.withdrawn != s->told_messages) {
		s->told_messages = s->rib.announced + s->rib.withdrawn;
		session_raise(s, &(struct bgp_session_event){.type = BGP_SESSION_ROUTES});
	}
	arm(s);
}

static bool conf_valid(const struct bgp_neighbor_conf *c)
{
	uint8_t family = c->remote.addr.family;

	return (family == 4 || family == 6) && !addr_is_any(&c->remote.addr) &&
	       (!c->local.family || c->local.family == family) && c->local_as && c->peer_as && c->router_id &&
	       (c->hold_s == 0 || c->hold_s >= BGP_HOLD_MIN_S) && c->families && !(c->families & ~(BGP_IPV4 | BGP_IPV6)) &&
	       c->max_prefixes <= BGP_RECEIVED_MAX && c->md5_key_len <= BGP_MD5_KEY_MAX && (c->md5_key || !c->md5_key_len) &&
	       (!c->next_hop_v4.family || c->next_hop_v4.family == 4) &&
	       (!c->next_hop_v6.family || c->next_hop_v6.family == 6);
}

int bgp_session_new(struct uv_loop_s *loop, const struct bgp_neighbor_conf *conf, bgp_session_event_fn *fn, void *ctx,
                    struct bgp_session **out)
{
	struct bgp_session *s;
	uint8_t key[16];
	struct bgp_fsm_conf fsm = {
	    .local_as = conf->local_as,
	    .peer_as = conf->peer_as,
	    .router_id = conf->router_id,
	    .hold_s = conf->hold_s,
	    .families = conf->families,
	    .has_role = conf->has_role,
	    .role_strict = conf->role_strict,
	    .role = conf->role,
	    .extended_next_hop = conf->extended_next_hop,
	    .send_hold_ms = conf->send_hold_ms,
	};

	if (!conf_valid(conf))
		return ERR_INVALID;
	s = calloc(1, sizeof(*s));
	if (!s)
		return ERR_NO_MEMORY;
	s->conf = *conf;
	if (conf->md5_key_len)
		memcpy(s->md5_key, conf->md5_key, conf->md5_key_len);
	s->conf.md5_key = s->md5_key;
	s->fn = fn;
	s->ctx = ctx;
	s->loop = loop;
	s->since_ms = clock_ms();
	for (unsigned i = 0; i < CONNS; i++) {
		fsm.passive = i == 1;
		conn_init(&s->conn[i], s, &fsm);
	}
	bgp_rib_init(&s->rib);
	random_bytes(key, sizeof(key));
	bgp_received_init(&s->received, conf->max_prefixes, key);
	uv_timer_init(loop, &s->timer);
	s->timer.data = s;
	s->handles = 1;
	*out = s;
	return 0;
}

void bgp_session_free(struct bgp_session *s)
{
	if (!s)
		return;
	s->freeing = true;
	for (unsigned i = 0; i < CONNS; i++)
		conn_close(&s->conn[i]);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

static void step_all(struct bgp_session *s, const struct bgp_event *ev)
{
	for (unsigned i = 0; i < CONNS; i++)
		conn_step(&s->conn[i], &(struct bgp_event){.type = ev->type, .subcode = ev->subcode, .text = ev->text});
	session_settle(s);
}

void bgp_session_start(struct bgp_session *s)
{
	struct bgp_event start = {.type = BGP_EV_START};

	if (s->conf.connect != BGP_CONNECT_ACTIVE)
		conn_step(&s->conn[1], &start);
	if (s->conf.connect != BGP_CONNECT_PASSIVE)
		conn_step(&s->conn[0], &start);
	session_settle(s);
}

void bgp_session_stop(struct bgp_session *s, uint8_t subcode, const char *text)
{
	step_all(s, &(struct bgp_event){.type = BGP_EV_STOP, .subcode = subcode, .text = text});
}

void bgp_session_reset(struct bgp_session *s, uint8_t subcode, const char *text)
{
	step_all(s, &(struct bgp_event){.type = BGP_EV_RESET, .subcode = subcode, .text = text});
}

void bgp_session_accept(struct bgp_session *s, int fd)
{
	struct bgp_notify n = bgp_notify_cease(s->state == BGP_ESTABLISHED ? BGP_CEASE_COLLISION : BGP_CEASE_REJECTED, NULL);
	uint8_t bytes[BGP_NOTIFY_LEN_MAX];
	struct writer w = writer_of(bytes, sizeof(bytes));

	if (s->conn[1].fsm.enabled && s->state != BGP_ESTABLISHED) {
		conn_adopt(&s->conn[1], fd);
		session_settle(s);
		return;
	}
	/* RFC 4271 6.8: what is established stays. If the peer has really begun anew, the hold timer or BFD will tell. */
	s->refused++;
	bgp_notify_write(&w, &n);
	(void)!send(fd, bytes, w.pos, MSG_NOSIGNAL | MSG_DONTWAIT);
	shutdown(fd, SHUT_WR);
	close(fd);
}

bool bgp_session_closed(const struct bgp_session *s)
{
	for (unsigned i = 0; i < CONNS; i++)
		if (s->conn[i].state != CONN_NONE || s->conn[i].fsm.state != BGP_IDLE)
			return false;
	return true;
}

int bgp_session_want(struct bgp_session *s, const struct bgp_route *routes, size_t count)
{
	int err = bgp_rib_want(&s->rib, routes, count);

	if (!err)
		session_settle(s);
	return err;
}

bool bgp_session_watch(struct bgp_session *s, bool on, bool again)
{
	s->conf.watch_updates = on;
	if (!on || !again || !s->owner)
		return true;
	if (!conn_ask_routes(s->owner))
		return false;
	session_settle(s);
	return true;
}

void bgp_session_limit(struct bgp_session *s, uint32_t max_prefixes, bool cease)
{
	s->conf.max_cease = cease;
	if (max_prefixes == s->conf.max_prefixes)
		return;
	s->conf.max_prefixes = max_prefixes;
	bgp_received_clear(&s->received);
	s->received.limit = max_prefixes;
	if (max_prefixes && s->owner && conn_ask_routes(s->owner))
		session_settle(s);
}

void bgp_session_status(const struct bgp_session *s, struct bgp_session_status *out)
{
	const struct bgp_fsm *f = &lead(s)->fsm;

	*out = (struct bgp_session_status){
	    .state = s->state,
	    .enabled = s->conn[0].fsm.enabled || s->conn[1].fsm.enabled,
	    .since_ms = s->since_ms,
	    .retry_at_ms = s->conn[0].fsm.retry_at_ms,
	    .last_error = s->error_text,
	    .last_error_ms = s->error_ms,
	    .hold_s = f->hold_s,
	    .families = f->families,
	    .unsendable = bgp_rib_unsendable(&s->rib),
	    .peer_id = f->peer.id,
	    .local = lead(s)->local,
	    .refused = s->refused,
	    .received = (uint32_t)s->received.count,
	    .over_max = s->received.over,
	    .rib = &s->rib,
	};
	for (unsigned i = 0; i < CONNS; i++) {
		const struct bgp_conn *c = &s->conn[i];

		out->established_count += c->fsm.established_count;
		out->garbage += c->fsm.garbage;
		out->notify_in += c->fsm.notify_in;
		out->notify_out += c->fsm.notify_out;
		out->queued += c->out_len - c->out_pos;
		if (c->fsm.last_error_ms >= out->last_error_ms && c->fsm.last_error_ms) {
			out->last_error = c->fsm.last_error;
			out->last_error_ms = c->fsm.last_error_ms;
		}
	}
	memcpy(out->messages_in, s->messages_in, sizeof(s->messages_in));
	memcpy(out->messages_out, s->messages_out, sizeof(s->messages_out));
}

void bgp_session_set_ctx(struct bgp_session *s, void *ctx)
{
	s->ctx = ctx;
}
