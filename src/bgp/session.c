/* SPDX-License-Identifier: BSD-2-Clause */
/* zonecast's BGP speaker: announces the node's anycast prefixes to the routers it is told of, and does nothing else.
 *
 *     bgp_session_want() -> rib (announce.c) -+
 *                                             v
 *     uv_poll <-> socket <-> out queue <- messages (update.c, msg.c, notify.c)
 *                    |                        ^
 *                    +-> in buffer -> frames -+-> state machine (fsm.c) -> actions, carried out here
 *     uv_timer ---- deadlines ------------------>
 *
 * Runs in the route process, on its loop's thread. The protocol is in pure files beside this one; here are sockets, timers and
 * buffers, all allocated when the session is made. Nothing grows with what a peer does:
 * - Reading: frames are taken from a fixed buffer that always has room for the longest message. Whatever the peer sends is drained; of
 *   UPDATEs only the frame is looked at, unless the caller wants to see them (routes_in.c). A peer that sends garbage gets the NOTIFICATION for it, is counted, and met again in 1-5 s.
 * - Writing: messages are made one by one while the out queue has room (announce.c keeps the difference, not a backlog). If the peer
 *   stops reading, the queue stays, the send hold timer (RFC 9687) runs, and nothing else waits.
 * - Closing: NOTIFICATION, shutdown(SHUT_WR), read until the peer closes or BGP_LINGER_MS, close. A close with unread input would have
 *   the kernel send RST, which may overtake the NOTIFICATION.
 *
 * If the process dies, the kernel closes the sockets and the routers withdraw at once: there is no graceful restart on purpose. A
 * wrong MD5 key and TTL security on one side only look like a host that is down: the connection attempt gets no answer.
 *
 * RFC 4271, 4760 (IPv6), 2918 (refresh), 6793 (AS numbers), 5492 and 9072 (OPEN), 6286, 7607, 9003 (shutdown text), 6608, 9687,
 * 5082 (TTL), 2385 (MD5), 8326 (graceful shutdown, by the caller's communities), 9234 (roles, off by default).
 *
 * Limits: BGP_ROUTES_MAX prefixes; BGP_PREPEND_MAX, BGP_COMMUNITIES_MAX per route. Left out: accepting connections (passive), TCP-AO,
 * RFC 8950 next hops, import of anything, two-octet-AS peers. */
#include "bgp/session.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "bgp/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

enum {
	IN_MAX = 4 * BGP_MESSAGE_MAX,
	OUT_MAX = 16384,
	READS_MAX = 16, /* per wake-up, so that a flood leaves the loop's other sessions their turn */
};

enum conn_state {
	CONN_NONE,
	CONN_OPEN,    /* connecting or connected */
	CONN_LINGER,  /* our NOTIFICATION is on its way; input is thrown away */
	CONN_CLOSING, /* libuv still has the handle */
};

struct bgp_session {
	struct bgp_neighbor_conf conf; /* md5_key points to the copy below */
	uint8_t md5_key[BGP_MD5_KEY_MAX];
	bgp_session_event_fn *fn;
	void *ctx;
	uv_loop_t *loop;
	uv_timer_t timer;
	uv_poll_t poll;
	enum conn_state conn;
	bool connect_wanted; /* when CONN_CLOSING is over */
	bool connected;      /* the TCP handshake is done */
	bool write_shut;
	bool freeing;
	unsigned handles;    /* of libuv not yet closed */
	int fd;              /* while CONN_OPEN or CONN_LINGER */
	char lost_text[160]; /* the connection is broken, and the state machine still has to hear it; "" else */
	uint64_t linger_until_ms;
	struct ip_addr local;
	uint64_t messages_in[BGP_TYPES], messages_out[BGP_TYPES];
	uint64_t told_messages;  /* of the rib when BGP_SESSION_ROUTES was last raised */
	uint8_t told_unsendable; /* families a missing next hop was reported for */
	size_t in_len, out_pos, out_len;
	struct bgp_fsm fsm;
	struct bgp_rib rib;
	uint8_t in[IN_MAX], out[OUT_MAX];
};

static void step(struct bgp_session *s, struct bgp_event *ev);
static void on_poll(uv_poll_t *h, int status, int events);

static void raise_event(struct bgp_session *s, const struct bgp_session_event *ev)
{
	struct bgp_session_event e = *ev;

	if (!e.text)
		e.text = "";
	if (s->fn && !s->freeing)
		s->fn(s->ctx, s, &e);
}

static void free_if_done(struct bgp_session *s)
{
	if (s->freeing && s->handles == 0) {
		explicit_bzero(s->md5_key, sizeof(s->md5_key));
		free(s);
	}
}

static void on_timer_closed(uv_handle_t *h)
{
	struct bgp_session *s = h->data;

	s->handles--;
	free_if_done(s);
}

static void conn_start(struct bgp_session *s);
static void settle(struct bgp_session *s);

static void on_poll_closed(uv_handle_t *h)
{
	struct bgp_session *s = h->data;

	s->handles--;
	s->conn = CONN_NONE;
	if (s->freeing) {
		free_if_done(s);
	} else if (s->connect_wanted) {
		s->connect_wanted = false;
		conn_start(s);
		settle(s);
	} else {
		raise_event(s, &(struct bgp_session_event){.type = BGP_SESSION_CLOSED});
	}
}

static void conn_close(struct bgp_session *s)
{
	s->connect_wanted = false;
	if (s->conn == CONN_NONE || s->conn == CONN_CLOSING)
		return;
	uv_close((uv_handle_t *)&s->poll, on_poll_closed);
	close(s->fd);
	s->fd = -1;
	s->conn = CONN_CLOSING;
	s->connected = s->write_shut = false;
	s->in_len = s->out_pos = s->out_len = 0;
	s->linger_until_ms = 0;
	s->local = (struct ip_addr){0};
}

/* Noted here, told to the state machine by settle(): this may be found out in the midst of its actions. */
static void lost(struct bgp_session *s, const char *what, int err)
{
	snprintf(s->lost_text, sizeof(s->lost_text), err ? "%s: %s" : "%s", what, err_text(err));
}

static void watch(struct bgp_session *s)
{
	int events = UV_READABLE;
	int err;

	if (s->conn != CONN_OPEN && s->conn != CONN_LINGER)
		return;
	if (!s->connected)
		events = UV_WRITABLE;
	else if (s->out_len > s->out_pos)
		events |= UV_WRITABLE;
	err = uv_poll_start(&s->poll, events, on_poll);
	if (err && s->conn == CONN_LINGER)
		conn_close(s);
	else if (err)
		lost(s, "cannot wait for the socket", err);
}

static void conn_start(struct bgp_session *s)
{
	const char *what;
	int err;

	if (s->conn == CONN_LINGER) /* the last one has had at least BGP_RETRY_MIN_MS */
		conn_close(s);
	if (s->conn != CONN_NONE) {
		s->connect_wanted = true;
		return;
	}
	err = bgp_socket_connect(&s->conf, &s->fd, &what);
	if (err) {
		lost(s, what, err);
		return;
	}
	err = uv_poll_init(s->loop, &s->poll, s->fd);
	if (err) {
		close(s->fd);
		s->fd = -1;
		lost(s, "cannot watch the socket", err);
		return;
	}
	s->handles++;
	s->poll.data = s;
	s->conn = CONN_OPEN;
	watch(s);
}

/* Sends what the kernel takes. False when the connection is broken; *progress when anything left. */
static bool flush(struct bgp_session *s, bool *progress, int *err)
{
	while (s->out_pos < s->out_len) {
		ssize_t n = send(s->fd, s->out + s->out_pos, s->out_len - s->out_pos, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			*err = -errno;
			return false;
		}
		s->out_pos += (size_t)n;
		*progress = true;
	}
	if (s->out_pos == s->out_len)
		s->out_pos = s->out_len = 0;
	return true;
}

/* Room for `need` octets at the end of the queue; a NOTIFICATION always has some: `need` of others counts it in. */
static bool room(struct bgp_session *s, size_t need, struct writer *w)
{
	if (OUT_MAX - s->out_len < need && s->out_pos) {
		memmove(s->out, s->out + s->out_pos, s->out_len - s->out_pos);
		s->out_len -= s->out_pos;
		s->out_pos = 0;
	}
	if (OUT_MAX - s->out_len < need)
		return false;
	*w = writer_of(s->out + s->out_len, OUT_MAX - s->out_len);
	return true;
}

static bool queued(struct bgp_session *s, const struct writer *w, enum bgp_type type)
{
	if (!writer_ok(w) || s->conn == CONN_NONE)
		return false;
	s->out_len += w->pos;
	s->messages_out[type]++;
	return true;
}

/* Fills the queue from the rib and sends, until the peer knows all or the kernel takes no more. Never blocks, and does not loop for
 * long: each round either empties the rib or fills a buffer. */
static void pump(struct bgp_session *s)
{
	struct bgp_event ev = {.type = BGP_EV_WROTE};
	struct bgp_actions none; /* WROTE only runs a timer */
	struct writer w;
	bool more = true;
	int err = 0;

	if (s->conn != CONN_OPEN || !s->connected)
		return;
	while (more) {
		while ((more = room(s, BGP_UPDATE_LEN_MAX + BGP_NOTIFY_LEN_MAX, &w) && bgp_rib_next(&s->rib, &w)))
			(void)queued(s, &w, BGP_UPDATE);
		more = s->out_len > s->out_pos;
		if (!flush(s, &ev.progress, &err)) {
			lost(s, "connection lost", err);
			return;
		}
		more = more && s->out_len == 0;
	}
	ev.pending = s->out_len - s->out_pos;
	bgp_fsm_step(&s->fsm, &ev, clock_ms(), &none);
}

/* Our last words are queued: see them out. */
static void linger(struct bgp_session *s)
{
	bool progress = false;
	int err;

	if (!flush(s, &progress, &err)) {
		conn_close(s);
		return;
	}
	if (s->out_len == 0 && !s->write_shut) {
		shutdown(s->fd, SHUT_WR);
		s->write_shut = true;
	}
	watch(s);
}

static void do_notify(struct bgp_session *s, const struct bgp_notify *n)
{
	struct writer w;

	if (s->conn != CONN_OPEN)
		return;
	if (room(s, BGP_NOTIFY_LEN_MAX, &w)) {
		bgp_notify_write(&w, n);
		(void)queued(s, &w, BGP_NOTIFICATION);
	}
	s->conn = CONN_LINGER;
	s->linger_until_ms = clock_ms() + BGP_LINGER_MS;
	linger(s);
}

static void do_action(struct bgp_session *s, const struct bgp_action *a)
{
	struct bgp_peering peering;
	struct bgp_open open;
	struct writer w;

	switch (a->type) {
	case BGP_DO_CONNECT:
		conn_start(s);
		break;
	case BGP_DO_OPEN:
		open = bgp_fsm_open(&s->fsm);
		if (room(s, BGP_MESSAGE_MAX, &w)) {
			bgp_open_write(&w, &open);
			(void)queued(s, &w, BGP_OPEN);
		}
		break;
	case BGP_DO_KEEPALIVE:
		/* A queue without room holds messages that will keep the session alive just as well. */
		if (room(s, BGP_HEADER_LEN + BGP_NOTIFY_LEN_MAX, &w)) {
			bgp_keepalive_write(&w);
			(void)queued(s, &w, BGP_KEEPALIVE);
		}
		break;
	case BGP_DO_NOTIFY:
		do_notify(s, &a->notify);
		break;
	case BGP_DO_CLOSE:
		conn_close(s);
		break;
	case BGP_DO_ROUTES_UP:
		bgp_next_hops(&s->conf, &s->local, &peering);
		bgp_rib_up(&s->rib, s->fsm.families, &peering);
		break;
	case BGP_DO_ROUTES_DOWN:
		bgp_rib_down(&s->rib);
		break;
	case BGP_DO_REFRESH:
		bgp_rib_refresh(&s->rib, a->family);
		break;
	}
}

static void on_timer(uv_timer_t *h)
{
	struct bgp_session *s = h->data;

	if (s->conn == CONN_LINGER && clock_ms() >= s->linger_until_ms)
		conn_close(s);
	step(s, &(struct bgp_event){.type = BGP_EV_TICK});
}

static void arm(struct bgp_session *s)
{
	uint64_t at = bgp_fsm_deadline(&s->fsm);
	uint64_t now = clock_ms();

	if (s->freeing)
		return;
	if (s->conn == CONN_LINGER)
		at = MIN(at, s->linger_until_ms);
	if (at == UINT64_MAX) {
		uv_timer_stop(&s->timer);
		return;
	}
	uv_update_time(s->loop); /* libuv counts from the start of its round, we from now */
	uv_timer_start(&s->timer, on_timer, at > now ? at - now : 0, 0);
}

/* One event through the state machine. The actions are carried out before anybody hears of them, so that a callback that calls back
 * finds the session whole. */
static void step_one(struct bgp_session *s, struct bgp_event *ev)
{
	struct bgp_fsm *f = &s->fsm;
	enum bgp_state from = f->state;
	uint64_t notify_in = f->notify_in;
	uint64_t errors = f->errors;
	char text[BGP_NOTIFY_TEXT_MAX];
	struct bgp_actions actions;
	struct bgp_session_event change;
	struct bgp_notify n;

	ev->random = random_u32();
	bgp_fsm_step(f, ev, clock_ms(), &actions);
	change = (struct bgp_session_event){.type = BGP_SESSION_STATE, .from = from, .to = f->state};
	errors = f->errors - errors;
	notify_in = f->notify_in - notify_in;
	if (notify_in) /* before the actions: they may empty the buffer the frame is in */
		bgp_notify_parse(ev->frame, &n);
	for (unsigned i = 0; i < actions.count; i++)
		do_action(s, &actions.list[i]);

	if (notify_in)
		raise_event(s, &(struct bgp_session_event){.type = BGP_SESSION_NOTIFICATION_IN,
		                                           .notify = &n,
		                                           .text = bgp_notify_text(&n, text, sizeof(text))});
	for (unsigned i = 0; i < actions.count; i++)
		if (actions.list[i].type == BGP_DO_NOTIFY)
			raise_event(s, &(struct bgp_session_event){
			                       .type = BGP_SESSION_NOTIFICATION_OUT,
			                       .notify = &actions.list[i].notify,
			                       .text = bgp_notify_text(&actions.list[i].notify, text, sizeof(text))});
	if (errors)
		raise_event(s, &(struct bgp_session_event){.type = BGP_SESSION_ERROR, .text = f->last_error});
	if (change.from != change.to)
		raise_event(s, &change);
}

/* A family that is wanted and negotiated but has no next hop is an error an operator has to see, once per session. */
static void report_unsendable(struct bgp_session *s)
{
	uint8_t mask = bgp_rib_unsendable(&s->rib);
	struct bgp_fsm *f = &s->fsm;

	if (mask & ~s->told_unsendable) {
		snprintf(f->last_error, sizeof(f->last_error),
		         "no next hop for %s: the interface of the session has no such address, configure one",
		         mask & BGP_IPV6 ? "IPv6" : "IPv4");
		f->last_error_ms = clock_ms();
		f->errors++;
		raise_event(s, &(struct bgp_session_event){.type = BGP_SESSION_ERROR, .text = f->last_error});
	}
	s->told_unsendable = mask;
}

/* Sends what there is to send, tells the state machine of a broken connection, sets poll and timer. Ends every entry from outside. */
static void settle(struct bgp_session *s)
{
	char text[sizeof(s->lost_text)];

	for (;;) {
		pump(s);
		watch(s);
		if (!s->lost_text[0])
			break;
		memcpy(text, s->lost_text, sizeof(text));
		s->lost_text[0] = '\0';
		step_one(s, &(struct bgp_event){.type = BGP_EV_LOST, .text = text});
	}
	report_unsendable(s);
	if (s->rib.announced + s->rib.withdrawn != s->told_messages) {
		s->told_messages = s->rib.announced + s->rib.withdrawn;
		raise_event(s, &(struct bgp_session_event){.type = BGP_SESSION_ROUTES});
	}
	arm(s);
}

static void step(struct bgp_session *s, struct bgp_event *ev)
{
	step_one(s, ev);
	settle(s);
}

static void on_connected(struct bgp_session *s)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint local;
	int err = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){sizeof(err)}) != 0)
		err = errno;
	if (err) {
		lost(s, "cannot connect", -err);
		return;
	}
	if (getsockname(s->fd, (struct sockaddr *)&ss, &len) == 0 &&
	    endpoint_from_sockaddr((const struct sockaddr *)&ss, &local) == 0)
		s->local = local.addr;
	s->connected = true;
	step_one(s, &(struct bgp_event){.type = BGP_EV_CONNECTED});
}

/* Takes the messages out of the in buffer. */
static void take_frames(struct bgp_session *s)
{
	enum bgp_verdict verdict = BGP_FINE;
	struct bgp_notify bad;
	struct bgp_frame frame;
	size_t pos = 0;

	while (verdict == BGP_FINE && s->conn == CONN_OPEN) {
		verdict = bgp_frame_parse(s->in + pos, s->in_len - pos, &frame, &bad);
		if (verdict == BGP_FINE) {
			pos += frame.len;
			s->messages_in[frame.type]++;
			step_one(s, &(struct bgp_event){.type = BGP_EV_FRAME, .frame = &frame});
			if (frame.type == BGP_UPDATE && s->conf.watch_updates && s->fsm.state == BGP_ESTABLISHED)
				raise_event(s, &(struct bgp_session_event){.type = BGP_SESSION_UPDATE, .frame = &frame});
		} else if (verdict == BGP_BAD) {
			step_one(s, &(struct bgp_event){.type = BGP_EV_GARBAGE, .notify = &bad});
		}
	}
	if (s->conn != CONN_OPEN) {
		s->in_len = 0;
		return;
	}
	memmove(s->in, s->in + pos, s->in_len - pos);
	s->in_len -= pos;
}

static void on_readable(struct bgp_session *s)
{
	for (unsigned i = 0; i < READS_MAX && s->conn == CONN_OPEN; i++) {
		ssize_t n = recv(s->fd, s->in + s->in_len, IN_MAX - s->in_len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			lost(s, n == 0 ? "the peer closed the connection" : "connection lost", n == 0 ? 0 : -errno);
			return;
		}
		s->in_len += (size_t)n;
		take_frames(s);
	}
}

/* Input after our last words is read, so that the close is a clean one, and thrown away. */
static void on_linger(struct bgp_session *s)
{
	linger(s);
	for (unsigned i = 0; i < READS_MAX && s->conn == CONN_LINGER; i++) {
		ssize_t n = recv(s->fd, s->in, IN_MAX, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0)
			conn_close(s);
	}
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct bgp_session *s = h->data;

	if (s->conn == CONN_LINGER) {
		if (status < 0)
			conn_close(s);
		else
			on_linger(s);
	} else if (s->conn == CONN_OPEN) {
		/* A failed connect may show as an error of the poll: SO_ERROR knows better what it was. */
		if (!s->connected)
			on_connected(s);
		else if (status < 0 || events & UV_READABLE)
			on_readable(s); /* libuv says EBADF for any POLLERR: a NOTIFICATION may still be there before the reset */
		if (status < 0 && s->conn == CONN_OPEN && !s->lost_text[0])
			lost(s, "connection lost", status);
	}
	settle(s);
}

static bool conf_valid(const struct bgp_neighbor_conf *c)
{
	uint8_t family = c->remote.addr.family;

	return (family == 4 || family == 6) && !addr_is_any(&c->remote.addr) &&
	       (!c->local.family || c->local.family == family) && c->local_as && c->peer_as && c->router_id &&
	       (c->hold_s == 0 || c->hold_s >= BGP_HOLD_MIN_S) && c->families && !(c->families & ~(BGP_IPV4 | BGP_IPV6)) &&
	       c->md5_key_len <= BGP_MD5_KEY_MAX && (c->md5_key || !c->md5_key_len) &&
	       (!c->next_hop_v4.family || c->next_hop_v4.family == 4) &&
	       (!c->next_hop_v6.family || c->next_hop_v6.family == 6);
}

int bgp_session_new(struct uv_loop_s *loop, const struct bgp_neighbor_conf *conf, bgp_session_event_fn *fn, void *ctx,
                    struct bgp_session **out)
{
	struct bgp_session *s;
	struct bgp_fsm_conf fsm = {
	    .local_as = conf->local_as,
	    .peer_as = conf->peer_as,
	    .router_id = conf->router_id,
	    .hold_s = conf->hold_s,
	    .families = conf->families,
	    .has_role = conf->has_role,
	    .role_strict = conf->role_strict,
	    .role = conf->role,
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
	s->fd = -1;
	bgp_fsm_init(&s->fsm, &fsm, clock_ms());
	bgp_rib_init(&s->rib);
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
	conn_close(s);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

void bgp_session_start(struct bgp_session *s)
{
	step(s, &(struct bgp_event){.type = BGP_EV_START});
}

void bgp_session_stop(struct bgp_session *s, uint8_t subcode, const char *text)
{
	step(s, &(struct bgp_event){.type = BGP_EV_STOP, .subcode = subcode, .text = text});
}

void bgp_session_reset(struct bgp_session *s, uint8_t subcode, const char *text)
{
	step(s, &(struct bgp_event){.type = BGP_EV_RESET, .subcode = subcode, .text = text});
}

bool bgp_session_closed(const struct bgp_session *s)
{
	return s->conn == CONN_NONE && s->fsm.state == BGP_IDLE;
}

int bgp_session_want(struct bgp_session *s, const struct bgp_route *routes, size_t count)
{
	int err = bgp_rib_want(&s->rib, routes, count);

	if (!err)
		settle(s);
	return err;
}

bool bgp_session_watch(struct bgp_session *s, bool on, bool again)
{
	static const enum bgp_family families[] = {BGP_IPV4, BGP_IPV6};

	s->conf.watch_updates = on;
	if (!on || !again || s->fsm.state != BGP_ESTABLISHED)
		return true;
	if (!s->fsm.peer.route_refresh)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct writer w;

		if (!(s->fsm.families & families[i]))
			continue;
		if (!room(s, BGP_REFRESH_LEN + BGP_NOTIFY_LEN_MAX, &w))
			return false;
		bgp_refresh_write(&w, families[i]);
		(void)queued(s, &w, BGP_ROUTE_REFRESH);
	}
	settle(s);
	return true;
}

void bgp_session_status(const struct bgp_session *s, struct bgp_session_status *out)
{
	const struct bgp_fsm *f = &s->fsm;

	*out = (struct bgp_session_status){
	    .state = f->state,
	    .enabled = f->enabled,
	    .since_ms = f->since_ms,
	    .retry_at_ms = f->retry_at_ms,
	    .established_count = f->established_count,
	    .last_error = f->last_error,
	    .last_error_ms = f->last_error_ms,
	    .garbage = f->garbage,
	    .notify_in = f->notify_in,
	    .notify_out = f->notify_out,
	    .hold_s = f->hold_s,
	    .families = f->families,
	    .unsendable = bgp_rib_unsendable(&s->rib),
	    .peer_id = f->peer.id,
	    .local = s->local,
	    .queued = s->out_len - s->out_pos,
	    .rib = &s->rib,
	};
	memcpy(out->messages_in, s->messages_in, sizeof(s->messages_in));
	memcpy(out->messages_out, s->messages_out, sizeof(s->messages_out));
}

void bgp_session_set_ctx(struct bgp_session *s, void *ctx)
{
	s->ctx = ctx;
}
