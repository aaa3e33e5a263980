/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection: its socket on the loop, its buffers, its state machine's actions carried out. See session.c for how it works. */
#include "bgp/conn.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "bgp/socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_poll(uv_poll_t *h, int status, int events);
static void conn_start(struct bgp_conn *c);
static void take_over(struct bgp_conn *c, int fd);

static void on_poll_closed(uv_handle_t *h)
{
	struct bgp_conn *c = h->data;
	struct bgp_session *s = c->session;
	int next = c->next_fd;

	c->state = CONN_NONE;
	c->next_fd = -1;
	if (!s->freeing && next >= 0) {
		take_over(c, next);
		session_settle(s);
	} else if (!s->freeing && c->connect_wanted) {
		c->connect_wanted = false;
		conn_start(c);
		session_settle(s);
	} else if (!s->freeing && bgp_session_closed(s)) {
		session_raise(s, &(struct bgp_session_event){.type = BGP_SESSION_CLOSED});
	}
	session_handle_closed(s);
}

void conn_close(struct bgp_conn *c)
{
	c->connect_wanted = false;
	if (c->next_fd >= 0)
		close(c->next_fd);
	c->next_fd = -1;
	if (c->state == CONN_NONE || c->state == CONN_CLOSING)
		return;
	uv_close((uv_handle_t *)&c->poll, on_poll_closed);
	close(c->fd);
	c->fd = -1;
	c->state = CONN_CLOSING;
	c->connected = c->write_shut = false;
	c->in_len = c->out_pos = c->out_len = 0;
	c->written = c->acknowledged = 0;
	c->linger_until_ms = 0;
	c->local = (struct ip_addr){0};
}

/* Noted here, told to the state machine by conn_settle(): this may be found out in the midst of its actions. */
static void lost(struct bgp_conn *c, const char *what, int err)
{
	snprintf(c->lost_text, sizeof(c->lost_text), err ? "%s: %s" : "%s", what, err_text(err));
}

static void watch(struct bgp_conn *c)
{
	int events = UV_READABLE;
	int err;

	if (c->state != CONN_OPEN && c->state != CONN_LINGER)
		return;
	if (!c->connected)
		events = UV_WRITABLE;
	else if (c->out_len > c->out_pos)
		events |= UV_WRITABLE;
	err = uv_poll_start(&c->poll, events, on_poll);
	if (err && c->state == CONN_LINGER)
		conn_close(c);
	else if (err)
		lost(c, "cannot wait for the socket", err);
}

/* From a descriptor, which is c's now, to CONN_OPEN. */
static bool begin(struct bgp_conn *c)
{
	int err = uv_poll_init(c->session->loop, &c->poll, c->fd);

	if (err) {
		close(c->fd);
		c->fd = -1;
		lost(c, "cannot watch the socket", err);
		return false;
	}
	c->session->handles++;
	c->poll.data = c;
	c->state = CONN_OPEN;
	return true;
}

static void conn_start(struct bgp_conn *c)
{
	const char *what;
	int err;

	if (c->state == CONN_LINGER) /* the last one has had at least BGP_RETRY_MIN_MS */
		conn_close(c);
	if (c->state != CONN_NONE) {
		c->connect_wanted = true;
		return;
	}
	err = bgp_socket_connect(&c->session->conf, &c->fd, &what);
	if (err) {
		lost(c, what, err);
		return;
	}
	if (begin(c))
		watch(c);
}

static void note_local(struct bgp_conn *c)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct endpoint local;

	if (getsockname(c->fd, (struct sockaddr *)&ss, &len) == 0 &&
	    endpoint_from_sockaddr((const struct sockaddr *)&ss, &local) == 0)
		c->local = local.addr;
}

static void take_over(struct bgp_conn *c, int fd)
{
	int err = bgp_socket_accepted(fd, &c->session->conf);

	if (err) {
		close(fd);
		lost(c, "cannot set up the connection", err);
		return;
	}
	c->fd = fd;
	if (!begin(c))
		return;
	note_local(c);
	c->connected = true;
	conn_step(c, &(struct bgp_event){.type = BGP_EV_CONNECTED});
}

void conn_adopt(struct bgp_conn *c, int fd)
{
	/* A peer that dials again has given the last one up; what is established does not come here. */
	if (c->fsm.state != BGP_IDLE)
		conn_step(c, &(struct bgp_event){.type = BGP_EV_LOST, .text = "the peer opened another connection"});
	conn_close(c);
	if (c->state == CONN_NONE)
		take_over(c, fd);
	else
		c->next_fd = fd;
}

void conn_init(struct bgp_conn *c, struct bgp_session *s, const struct bgp_fsm_conf *fsm)
{
	c->session = s;
	c->fd = c->next_fd = -1;
	bgp_fsm_init(&c->fsm, fsm, clock_ms());
}

/* Sends what the kernel takes. False when the connection is broken. */
static bool flush(struct bgp_conn *c, int *err)
{
	while (c->out_pos < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_pos, c->out_len - c->out_pos, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			*err = -errno;
			return false;
		}
		c->out_pos += (size_t)n;
		c->written += (uint64_t)n;
	}
	if (c->out_pos == c->out_len)
		c->out_pos = c->out_len = 0;
	return true;
}

/* Room for `need` octets at the end of the queue; a NOTIFICATION always has some: `need` of others counts it in. */
static bool room(struct bgp_conn *c, size_t need, struct writer *w)
{
	if (CONN_OUT_MAX - c->out_len < need && c->out_pos) {
		memmove(c->out, c->out + c->out_pos, c->out_len - c->out_pos);
		c->out_len -= c->out_pos;
		c->out_pos = 0;
	}
	if (CONN_OUT_MAX - c->out_len < need)
		return false;
	*w = writer_of(c->out + c->out_len, CONN_OUT_MAX - c->out_len);
	return true;
}

static bool queued(struct bgp_conn *c, const struct writer *w, enum bgp_type type)
{
	if (!writer_ok(w) || c->state == CONN_NONE)
		return false;
	c->out_len += w->pos;
	c->session->messages_out[type]++;
	return true;
}

/* Octets on their way, and whether some have arrived since the last look: what runs the send hold timer. What the kernel has taken is not with the peer: its
 * buffer holds some megabytes, and the withdrawal of all our routes fits into it together with an hour of KEEPALIVEs. */
void conn_look(struct bgp_conn *c)
{
	struct bgp_event ev = {.type = BGP_EV_WROTE};
	struct bgp_actions none; /* WROTE only runs a timer */
	uint64_t acknowledged;
	int unsure = 0;

	if (c->state != CONN_OPEN || !c->connected)
		return;
	if (ioctl(c->fd, SIOCOUTQ, &unsure) < 0 || unsure < 0)
		unsure = 0;
	acknowledged = c->written - MIN((uint64_t)unsure, c->written);
	ev.progress = acknowledged > c->acknowledged;
	ev.pending = c->out_len - c->out_pos + (size_t)unsure;
	c->acknowledged = acknowledged;
	bgp_fsm_step(&c->fsm, &ev, clock_ms(), &none);
}

/* Fills the queue from the rib and sends, until the peer knows all or the kernel takes no more. Never blocks, and does not loop for
 * long: each round either empties the rib or fills a buffer. */
static void pump(struct bgp_conn *c)
{
	struct writer w;
	bool more = true;
	int err = 0;

	if (c->state != CONN_OPEN || !c->connected)
		return;
	while (more) {
		while ((more = room(c, BGP_UPDATE_LEN_MAX + BGP_NOTIFY_LEN_MAX, &w) && c->session->owner == c &&
		                bgp_rib_next(&c->session->rib, &w)))
			(void)queued(c, &w, BGP_UPDATE);
		more = c->out_len > c->out_pos;
		if (!flush(c, &err)) {
			lost(c, "connection lost", err);
			return;
		}
		more = more && c->out_len == 0;
	}
	conn_look(c);
}

bool conn_ask_routes(struct bgp_conn *c)
{
	static const enum bgp_family families[] = {BGP_IPV4, BGP_IPV6};

	if (!c->fsm.peer.route_refresh)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct writer w;

		if (!(c->fsm.families & families[i]))
			continue;
		if (!room(c, BGP_REFRESH_LEN + BGP_NOTIFY_LEN_MAX, &w))
			return false;
		bgp_refresh_write(&w, families[i]);
		(void)queued(c, &w, BGP_ROUTE_REFRESH);
	}
	return true;
}

/* Our last words are queued: see them out. */
static void linger(struct bgp_conn *c)
{
	int err;

	if (!flush(c, &err)) {
		conn_close(c);
		return;
	}
	if (c->out_len == 0 && !c->write_shut) {
		shutdown(c->fd, SHUT_WR);
		c->write_shut = true;
	}
	watch(c);
}

static void do_notify(struct bgp_conn *c, const struct bgp_notify *n)
{
	struct writer w;

	if (c->state != CONN_OPEN)
		return;
	if (room(c, BGP_NOTIFY_LEN_MAX, &w)) {
		bgp_notify_write(&w, n);
		(void)queued(c, &w, BGP_NOTIFICATION);
	}
	c->state = CONN_LINGER;
	c->linger_until_ms = clock_ms() + BGP_LINGER_MS;
	linger(c);
}

static void do_action(struct bgp_conn *c, const struct bgp_action *a)
{
	struct bgp_peering peering;
	struct bgp_open open;
	struct writer w;

	switch (a->type) {
	case BGP_DO_CONNECT:
		conn_start(c);
		break;
	case BGP_DO_OPEN:
		open = bgp_fsm_open(&c->fsm);
		if (room(c, BGP_MESSAGE_MAX, &w)) {
			bgp_open_write(&w, &open);
			(void)queued(c, &w, BGP_OPEN);
		}
		break;
	case BGP_DO_KEEPALIVE:
		/* A queue without room holds messages that will keep the session alive just as well. */
		if (room(c, BGP_HEADER_LEN + BGP_NOTIFY_LEN_MAX, &w)) {
			bgp_keepalive_write(&w);
			(void)queued(c, &w, BGP_KEEPALIVE);
		}
		break;
	case BGP_DO_NOTIFY:
		do_notify(c, &a->notify);
		break;
	case BGP_DO_CLOSE:
		conn_close(c);
		break;
	case BGP_DO_ROUTES_UP:
		bgp_next_hops(&c->session->conf, &c->local, &peering);
		peering.v4_by_v6 = c->session->conf.extended_next_hop && c->fsm.peer.extended_next_hop;
		c->session->owner = c;
		bgp_rib_up(&c->session->rib, c->fsm.families, &peering);
		break;
	case BGP_DO_ROUTES_DOWN:
		c->session->owner = NULL;
		bgp_received_clear(&c->session->received);
		bgp_rib_down(&c->session->rib);
		break;
	case BGP_DO_REFRESH:
		bgp_rib_refresh(&c->session->rib, a->family);
		break;
	case BGP_DO_END_RIVAL: /* session_stepped() */
		break;
	}
}

/* One event through the state machine. The actions are carried out before anybody hears of them, so that a callback that calls back
 * finds the session whole. */
void conn_step(struct bgp_conn *c, struct bgp_event *ev)
{
	struct bgp_session *s = c->session;
	struct bgp_fsm *f = &c->fsm;
	uint64_t notify_in = f->notify_in;
	uint64_t errors = f->errors;
	char text[BGP_NOTIFY_TEXT_MAX];
	struct bgp_actions actions;
	struct bgp_notify n;

	ev->random = random_u32();
	ev->rival = session_rival(c)->fsm.state;
	bgp_fsm_step(f, ev, clock_ms(), &actions);
	errors = f->errors - errors;
	notify_in = f->notify_in - notify_in;
	if (notify_in) /* before the actions: they may empty the buffer the frame is in */
		bgp_notify_parse(ev->frame, &n);
	for (unsigned i = 0; i < actions.count; i++)
		do_action(c, &actions.list[i]);

	if (notify_in)
		session_raise(s, &(struct bgp_session_event){.type = BGP_SESSION_NOTIFICATION_IN,
		                                             .notify = &n,
		                                             .text = bgp_notify_text(&n, text, sizeof(text))});
	for (unsigned i = 0; i < actions.count; i++)
		if (actions.list[i].type == BGP_DO_NOTIFY)
			session_raise(s, &(struct bgp_session_event){
			                         .type = BGP_SESSION_NOTIFICATION_OUT,
			                         .notify = &actions.list[i].notify,
			                         .text = bgp_notify_text(&actions.list[i].notify, text, sizeof(text))});
	if (errors)
		session_raise(s, &(struct bgp_session_event){.type = BGP_SESSION_ERROR, .text = f->last_error});
	session_stepped(s, c, &actions);
}

void conn_settle(struct bgp_conn *c)
{
	char text[sizeof(c->lost_text)];

	for (;;) {
		pump(c);
		watch(c);
		if (!c->lost_text[0])
			return;
		memcpy(text, c->lost_text, sizeof(text));
		c->lost_text[0] = '\0';
		conn_step(c, &(struct bgp_event){.type = BGP_EV_LOST, .text = text});
	}
}

static void on_connected(struct bgp_conn *c)
{
	int err = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &(socklen_t){sizeof(err)}) != 0)
		err = errno;
	if (err) {
		lost(c, "cannot connect", -err);
		return;
	}
	note_local(c);
	c->connected = true;
	conn_step(c, &(struct bgp_event){.type = BGP_EV_CONNECTED});
}

/* Takes the messages out of the in buffer. */
static void take_frames(struct bgp_conn *c)
{
	enum bgp_verdict verdict = BGP_FINE;
	struct bgp_notify bad;
	struct bgp_frame frame;
	size_t pos = 0;

	while (verdict == BGP_FINE && c->state == CONN_OPEN) {
		verdict = bgp_frame_parse(c->in + pos, c->in_len - pos, &frame, &bad);
		if (verdict == BGP_FINE) {
			pos += frame.len;
			c->session->messages_in[frame.type]++;
			conn_step(c, &(struct bgp_event){.type = BGP_EV_FRAME, .frame = &frame});
			if (frame.type == BGP_UPDATE && c->session->owner == c)
				session_update(c->session, c, &frame);
		} else if (verdict == BGP_BAD) {
			conn_step(c, &(struct bgp_event){.type = BGP_EV_GARBAGE, .notify = &bad});
		}
	}
	if (c->state != CONN_OPEN) {
		c->in_len = 0;
		return;
	}
	memmove(c->in, c->in + pos, c->in_len - pos);
	c->in_len -= pos;
}

static void on_readable(struct bgp_conn *c)
{
	for (unsigned i = 0; i < CONN_READS_MAX && c->state == CONN_OPEN; i++) {
		ssize_t n = recv(c->fd, c->in + c->in_len, CONN_IN_MAX - c->in_len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			lost(c, n == 0 ? "the peer closed the connection" : "connection lost", n == 0 ? 0 : -errno);
			return;
		}
		c->in_len += (size_t)n;
		take_frames(c);
	}
}

/* Input after our last words is read, so that the close is a clean one, and thrown away. */
static void on_linger(struct bgp_conn *c)
{
	linger(c);
	for (unsigned i = 0; i < CONN_READS_MAX && c->state == CONN_LINGER; i++) {
		ssize_t n = recv(c->fd, c->in, CONN_IN_MAX, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0)
			conn_close(c);
	}
}

static void on_poll(uv_poll_t *h, int status, int events)
{
	struct bgp_conn *c = h->data;

	if (c->state == CONN_LINGER) {
		if (status < 0)
			conn_close(c);
		else
			on_linger(c);
	} else if (c->state == CONN_OPEN) {
		/* A failed connect may show as an error of the poll: SO_ERROR knows better what it was. */
		if (!c->connected)
			on_connected(c);
		else if (status < 0 || events & UV_READABLE)
			on_readable(c); /* libuv says EBADF for any POLLERR: a NOTIFICATION may still be there before the reset */
		if (status < 0 && c->state == CONN_OPEN && !c->lost_text[0])
			lost(c, "connection lost", status);
	}
	session_settle(c->session);
}

