/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections to primaries that outlive a request (RFC 7766 6.2.1, RFC 9103 6): a thousand zones of one primary are asked for over as many connections as there are
 * questions at a time, not over a thousand.
 *
 *	link_ask ──► an idle one to the same place? ── yes ──► request ──► messages ──► link_end(kept) ──► idle ──► the next request, or closed
 *	                     │ no
 *	                     └──► connect ──► [TLS handshake, by the ticket of an earlier one ──► is it who was meant?] ──► request ...
 *
 * One request at a time on each: the answers of a primary that sends a large zone do not stand before those for a small one, and
 * how many connections there are at a time is bounded by who asks (SECONDARY_ACTIVE_PER_SOURCE). Pipelining would save connections where there are many
 * round trips; it would cost that separation.
 *
 * A server may close an idle connection at any moment. A request that meets this before any octet of its answer came is sent once more on a connection of its own;
 * requests for transfers change nothing at the server, so twice is as good as once.
 *
 * What comes on an idle connection belongs to no request: it is closed.
 *
 * While the first connection to a primary is at its handshake and no session is remembered, further requests wait for it, to resume its session: that costs a fraction of a
 * full handshake.
 *
 * TLS sessions are remembered by server and by what is demanded of it (tls_id), the newest only. */
#include "sync/link.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/wire.h"
#include "dns/message.h"
#include "proc/tls_profiles.h"
#include "tls/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	LINK_BUFFER = 2 * (2 + DNS_MESSAGE_MAX),
	TURN_READS = 16, /* of one connection, before others have their turn */
	SWEEP_MS = 1000,
	SESSION_MS = 3600000, /* a session not used for so long is forgotten */
	BUCKETS = 1024,
};

enum link_state { LINK_CONNECTING, LINK_SHAKING, LINK_ASKING, LINK_IDLE };

/* A primary, as long as there are connections to it or a session is remembered. */
struct place {
	struct list link; /* in its bucket */
	struct link_target target;
	struct ssl_session_st *session;
	uint64_t session_ms; /* when it came */
	struct list idle;    /* of struct link, the last used first */
	unsigned links, idle_count;
	unsigned fresh;               /* TLS links of which no octet of an answer has come */
	struct list waiting;          /* of struct link_request */
};

/* Freed by libuv's close callback. */
struct link {
	struct list at; /* in place.idle, or in links.busy */
	struct links *all;
	struct place *place;
	uv_poll_t poll;
	int wants; /* of poll: UV_READABLE or UV_WRITABLE; 0: nothing */
	int fd;
	enum link_state state;
	struct ssl_st *tls;            /* NULL: TCP */
	struct tls_profiles *profiles; /* of its client's side; a reference */
	struct tls_client *client;
	struct link_request *request; /* NULL: idle */
	bool old;                     /* has answered requests before this one */
	bool answered;                /* an octet of the answer to this one has come */
	bool has_session;             /* its newest ticket was taken */
	bool closed;
	bool fresh;                   /* counted in place.fresh */
	uint64_t idle_since_ms;
	size_t sent;           /* octets of the request */
	size_t have, leftover; /* octets in `in`; of them behind the message at hand */
	uint8_t *in;           /* LINK_BUFFER; NULL before the first request */
};

struct links {
	uv_loop_t *loop;
	uv_timer_t sweep, wake;
	struct list busy;
	struct list places[BUCKETS];
	unsigned session_count, idle_count;
	struct link_counts counts;
};

/* ---- places ---- */

static bool same_target(const struct link_target *a, const struct link_target *b)
{
	return a->at.port == b->at.port && a->tls_id == b->tls_id && addr_equal(&a->at.addr, &b->at.addr) &&
	       a->source.family == b->source.family && (!a->source.family || addr_equal(&a->source, &b->source));
}

static struct list *bucket_of(struct links *s, const struct link_target *t)
{
	uint32_t h = t->at.port ^ (uint32_t)t->tls_id;

	for (size_t i = 0; i < sizeof(t->at.addr.bytes); i++)
		h = h * 31 + t->at.addr.bytes[i]; /* the configuration chooses, not strangers */
	return &s->places[(h ^ h >> 15) % BUCKETS];
}

static void place_forget_session(struct links *s, struct place *p)
{
	s->session_count -= p->session != NULL;
	tls_session_free(p->session);
	p->session = NULL;
}

static void place_drop(struct place *p)
{
	if (p->links || p->session || !list_empty(&p->waiting))
		return;
	list_remove(&p->link);
	free(p);
}

static struct place *place_get(struct links *s, const struct link_target *t)
{
	struct list *bucket = bucket_of(s, t);
	struct place *p;

	LIST_FOREACH(it, bucket)
		if (same_target(&LIST_ENTRY(it, struct place, link)->target, t))
			return LIST_ENTRY(it, struct place, link);
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->target = *t;
	p->target.profiles = NULL;
	p->target.tls = NULL;
	list_init(&p->idle);
	list_init(&p->waiting);
	list_add_tail(bucket, &p->link);
	return p;
}

/* ---- life ---- */

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void on_wake(uv_timer_t *t);

/* Those who wait for its session need wait no longer: there is one, or there will be none. */
static void end_freshness(struct link *l)
{
	if (!l->fresh)
		return;
	l->fresh = false;
	l->place->fresh--;
	if (!list_empty(&l->place->waiting))
		uv_timer_start(&l->all->wake, on_wake, 0, 0);
}

/* reset: the other side is to stop sending, and no port rests in TIME_WAIT; else FIN, which a server does not take for a failure. */
static void link_close(struct link *l, bool reset)
{
	const struct linger at_once = {.l_onoff = 1};
	struct place *p = l->place;

	if (l->state == LINK_IDLE) {
		p->idle_count--;
		l->all->idle_count--;
	}
	if (l->request)
		l->request->link = NULL;
	l->request = NULL;
	list_remove(&l->at);
	tls_end(l->tls, !reset && l->state >= LINK_ASKING);
	if (reset)
		(void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	uv_poll_stop(&l->poll);
	close(l->fd);
	free(l->in);
	l->in = NULL;
	l->closed = true;
	tls_profiles_unref(l->profiles);
	end_freshness(l);
	p->links--;
	place_drop(p);
	uv_close((uv_handle_t *)&l->poll, on_closed);
}

/* A socket for this place, bound to the address it is to come from, and connecting. */
static int open_socket(const struct link_target *t, int *out)
{
	int fd = socket(t->at.addr.family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
	    one = 1, err = 0;
	struct sockaddr_storage ss;
	socklen_t len;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (t->source.family) {
		const struct endpoint local = {.addr = t->source};

		/* The port is chosen when connecting, for this primary alone: else thousands of transfers use them up. Without the option it is slower. */
		(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
		len = endpoint_to_sockaddr(&local, &ss);
		if (bind(fd, (const struct sockaddr *)&ss, len) < 0)
			err = -errno;
	}
	len = endpoint_to_sockaddr(&t->at, &ss);
	if (!err && connect(fd, (const struct sockaddr *)&ss, len) < 0 && errno != EINPROGRESS)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

static void on_event(uv_poll_t *poll, int status, int events);

/* libuv takes a descriptor out of epoll's set and puts it back for each uv_poll_start(). */
static void want(struct link *l, int events)
{
	if (l->wants == events)
		return;
	l->wants = events;
	uv_poll_start(&l->poll, events, on_event);
}

static int link_new(struct links *s, struct place *p, const struct link_target *t, struct link **out)
{
	struct link *l = calloc(1, sizeof(*l));
	int err = l ? open_socket(t, &l->fd) : ERR_NO_MEMORY;

	if (err) {
		free(l);
		return err;
	}
	err = uv_poll_init(s->loop, &l->poll, l->fd);
	if (err) {
		close(l->fd);
		free(l);
		return err;
	}
	l->poll.data = l;
	l->all = s;
	l->place = p;
	l->profiles = tls_profiles_ref(t->profiles);
	l->client = t->tls;
	l->state = LINK_CONNECTING;
	list_init(&l->at);
	l->fresh = t->tls != NULL;
	p->fresh += l->fresh;
	p->links++;
	s->counts.opened++;
	*out = l;
	return 0;
}

static ssize_t link_send(struct link *l, const uint8_t *bytes, size_t len, int *wants);

/* On one that was idle there is nearly always room. Whatever else comes of it the event shows, which ends requests and begins them anew. */
static void send_at_once(struct link *l)
{
	const struct link_request *r = l->request;
	int wants = UV_WRITABLE;
	ssize_t n = link_send(l, r->wire, r->len, &wants);

	l->sent = n > 0 ? (size_t)n : 0;
	want(l, l->sent == r->len ? UV_READABLE : wants);
}

/* The link is in none of the lists. */
static int begin_asking(struct link *l, struct link_request *r)
{
	if (!l->in)
		l->in = malloc(LINK_BUFFER);
	l->sent = l->have = 0;
	l->answered = false;
	list_add_tail(&l->all->busy, &l->at);
	if (!l->in) {
		link_close(l, true);
		return ERR_NO_MEMORY;
	}
	l->request = r;
	r->link = l;
	if (l->state == LINK_ASKING)
		send_at_once(l);
	else
		want(l, UV_WRITABLE);
	return 0;
}

static int ask_anew(struct links *s, struct place *p, const struct link_target *t, struct link_request *r)
{
	struct link *l;
	int err = link_new(s, p, t, &l);

	if (err) {
		place_drop(p);
		return err;
	}
	return begin_asking(l, r);
}

static int wait_for_session(struct place *p, const struct link_target *t, struct link_request *r)
{
	r->waits = malloc(sizeof(*r->waits));
	if (!r->waits) {
		place_drop(p);
		return ERR_NO_MEMORY;
	}
	*r->waits = *t;
	r->waits->profiles = tls_profiles_ref(t->profiles);
	list_add_tail(&p->waiting, &r->at);
	return 0;
}

/* *t: where to; the profiles are the caller's to let go. */
static void stop_waiting(struct link_request *r, struct link_target *t)
{
	*t = *r->waits;
	list_remove(&r->at);
	free(r->waits);
	r->waits = NULL;
}

static bool must_wait(const struct place *p)
{
	return p->fresh && !p->session && list_empty(&p->idle);
}

int link_ask(struct links *s, const struct link_target *t, struct link_request *r)
{
	struct place *p = place_get(s, t);
	struct link *l;

	r->link = NULL;
	r->waits = NULL;
	if (!p)
		return ERR_NO_MEMORY;
	if (must_wait(p))
		return wait_for_session(p, t, r);
	if (list_empty(&p->idle))
		return ask_anew(s, p, t, r);
	/* The last used, so that the others grow old. */
	l = LIST_ENTRY(p->idle.prev, struct link, at);
	list_remove(&l->at);
	p->idle_count--;
	s->idle_count--;
	l->state = LINK_ASKING;
	l->old = true;
	s->counts.reused++;
	return begin_asking(l, r);
}

static void take_session(struct link *l)
{
	struct ssl_session_st *session = l->tls && !l->has_session ? tls_client_session(l->tls) : NULL;

	if (!session)
		return;
	if (!l->place->session && l->all->session_count >= LINK_SESSIONS_MAX) {
		tls_session_free(session);
		return;
	}
	l->all->session_count += !l->place->session;
	tls_session_free(l->place->session);
	l->place->session = session;
	l->place->session_ms = clock_ms();
	l->has_session = true;
}

void link_end(struct link_request *r, bool kept)
{
	struct link *l = r->link;
	struct link_target t;
	struct links *s;
	struct place *p;

	if (r->waits) {
		stop_waiting(r, &t);
		tls_profiles_unref(t.profiles);
	}
	if (!l)
		return;
	s = l->all;
	p = l->place;
	kept = kept && l->state == LINK_ASKING && l->sent == r->len && !l->leftover;
	if (kept)
		take_session(l);
	l->request = NULL;
	r->link = NULL;
	if (!kept || p->idle_count >= LINK_IDLE_PER_PRIMARY || s->idle_count >= LINK_IDLE_MAX) {
		link_close(l, !kept);
		return;
	}
	list_remove(&l->at);
	l->state = LINK_IDLE;
	l->idle_since_ms = clock_ms();
	list_add_tail(&p->idle, &l->at);
	p->idle_count++;
	s->idle_count++;
	want(l, UV_READABLE);
}

bool link_ready(const struct link_request *r)
{
	return r->link && r->link->state >= LINK_ASKING;
}

/* ---- octets ---- */

static void break_off(struct link *l, const char *why)
{
	struct link_request *r = l->request;
	bool reached = l->state >= LINK_ASKING;

	link_close(l, true);
	if (r)
		r->broken(r->ctx, reached, why);
}

/* The other side has ended it, or worse. */
static void on_lost(struct link *l, const char *why)
{
	struct link_target again = l->place->target;
	struct link_request *r = l->request;
	struct links *s = l->all;
	struct place *p;
	int err;

	if (!r || !l->old || l->answered) {
		break_off(l, why);
		return;
	}
	/* It was closed while idle, or as good as that: once more on one of its own. */
	again.profiles = tls_profiles_ref(l->profiles);
	again.tls = l->client;
	link_close(l, true);
	p = place_get(s, &again);
	err = p ? ask_anew(s, p, &again, r) : ERR_NO_MEMORY;
	tls_profiles_unref(again.profiles);
	if (err)
		r->broken(r->ctx, false, err_text(err));
}

/* 1: shaken, and it is who was meant; 0: not yet; else it is gone. */
static int shake(struct link *l)
{
	enum tls_step step = tls_shake(l->tls);
	char why[TLS_WHY_MAX];

	switch (step) {
	case TLS_WANTS_READ:
		want(l, UV_READABLE);
		return 0;
	case TLS_WANTS_WRITE:
		want(l, UV_WRITABLE);
		return 0;
	case TLS_FAILED:
		tls_client_explain(l->tls, why);
		place_forget_session(l->all, l->place);
		break_off(l, why);
		return ERR_CLOSED;
	case TLS_DONE:
		break;
	}
	if (tls_client_judge(l->client, l->tls, why) < 0) {
		place_forget_session(l->all, l->place);
		break_off(l, why);
		return ERR_CLOSED;
	}
	l->all->counts.shaken++;
	l->all->counts.resumed += tls_resumed(l->tls);
	l->state = LINK_ASKING;
	return 1;
}

static int connected(struct link *l)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		err = errno;
	if (err) {
		break_off(l, err_text(-err));
		return ERR_CLOSED;
	}
	if (!l->client) {
		l->state = LINK_ASKING;
		return 1;
	}
	l->tls = tls_client_begin(l->client, l->fd, &l->place->target.at.addr, l->place->session);
	if (!l->tls) {
		break_off(l, err_text(ERR_NO_MEMORY));
		return ERR_CLOSED;
	}
	l->state = LINK_SHAKING;
	return 1;
}

static ssize_t link_send(struct link *l, const uint8_t *bytes, size_t len, int *wants)
{
	enum tls_step step = TLS_DONE;
	ssize_t n;

	*wants = UV_WRITABLE;
	if (!l->tls) {
		n = send(l->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
	}
	n = tls_write(l->tls, bytes, len, &step);
	if (step == TLS_WANTS_READ)
		*wants = UV_READABLE;
	return n;
}

static ssize_t link_recv(struct link *l, uint8_t *bytes, size_t cap, int *wants)
{
	enum tls_step step = TLS_DONE;
	ssize_t n;

	*wants = UV_READABLE;
	if (!l->tls) {
		n = recv(l->fd, bytes, cap, MSG_DONTWAIT);
		return n >= 0 ? n : errno == EINTR ? -EAGAIN : -errno;
	}
	n = tls_read(l->tls, bytes, cap, &step);
	if (step == TLS_WANTS_WRITE)
		*wants = UV_WRITABLE;
	return n;
}

/* False: nothing more can be done now, or the link is gone. */
static bool write_request(struct link *l)
{
	const struct link_request *r = l->request;

	while (l->sent < r->len) {
		int wants;
		ssize_t n = link_send(l, r->wire + l->sent, r->len - l->sent, &wants);

		if (n == -EAGAIN) {
			want(l, wants);
			return false;
		}
		if (n < 0) {
			on_lost(l, n == -EPROTO ? "TLS has failed" : err_text((int)n));
			return false;
		}
		l->sent += (size_t)n;
	}
	want(l, UV_READABLE);
	return true;
}

/* Whole messages to who asked. False: the request is over, and who knows what has become of the link. */
static bool give_messages(struct link *l)
{
	struct link_request *r = l->request;
	size_t at = 0;

	while (l->have - at >= 2 && l->have - at - 2 >= get_u16(l->in + at)) {
		size_t len = get_u16(l->in + at);
		const uint8_t *msg = l->in + at + 2;

		at += 2 + len;
		/* What follows the last message of an answer was not asked for. The buffer lives until the link is closed. */
		l->leftover = l->have - at;
		if (!r->message(r->ctx, msg, len))
			return false;
	}
	l->have -= at;
	memmove(l->in, l->in + at, l->have);
	return true;
}

static void read_answers(struct link *l)
{
	for (unsigned i = 0; i < TURN_READS; i++) {
		int wants;
		ssize_t n = link_recv(l, l->in + l->have, LINK_BUFFER - l->have, &wants);

		if (n == -EAGAIN) {
			want(l, wants);
			return;
		}
		if (n <= 0) {
			on_lost(l, n == 0         ? "the primary closed the connection"
			           : n == -EPROTO ? "TLS has failed"
			                          : err_text((int)n));
			return;
		}
		l->have += (size_t)n;
		l->answered = true;
		if (l->fresh) {
			take_session(l); /* tickets come before the first answer, if at all */
			end_freshness(l);
		}
		if (!give_messages(l))
			return;
	}
	/* Records of TLS are read one by one and whole: what is left is the kernel's, which tells of it. */
}

/* Tickets of TLS come when they like; all else is the end. */
static void on_idle_event(struct link *l)
{
	uint8_t octet;
	int wants;

	if (link_recv(l, &octet, 1, &wants) == -EAGAIN) {
		take_session(l);
		return;
	}
	link_close(l, false);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct link *l = poll->data;

	(void)events;
	if (l->closed)
		return;
	if (status < 0)
		l->wants = 0; /* libuv has stopped it */
	if (status < 0 && l->state >= LINK_ASKING) {
		on_lost(l, uv_strerror(status));
		return;
	}
	if (l->state == LINK_CONNECTING && connected(l) < 0)
		return;
	if (l->state == LINK_SHAKING && shake(l) <= 0)
		return;
	if (l->state == LINK_IDLE)
		on_idle_event(l);
	else if (l->sent == l->request->len || write_request(l))
		read_answers(l);
}

/* ---- the whole ---- */

static void sweep_place(struct links *s, struct place *p, uint64_t now)
{
	p->links++; /* it stays until the end of this */
	LIST_FOREACH_SAFE(it, next, &p->idle) {
		struct link *l = LIST_ENTRY(it, struct link, at);

		if (now - l->idle_since_ms >= LINK_IDLE_MS) {
			link_close(l, false);
		} else if (now - l->idle_since_ms >= SWEEP_MS) {
			free(l->in);
			l->in = NULL;
		}
	}
	p->links--;
	if (p->session && !p->links && now - p->session_ms >= SESSION_MS)
		place_forget_session(s, p);
	place_drop(p);
}

static void wake_place(struct links *s, struct place *p)
{
	p->links++; /* it stays until the end of this */
	while (!list_empty(&p->waiting) && !must_wait(p)) {
		struct link_request *r = LIST_ENTRY(p->waiting.next, struct link_request, at);
		struct link_target t;
		int err;

		stop_waiting(r, &t);
		err = link_ask(s, &t, r);
		tls_profiles_unref(t.profiles);
		if (err)
			r->broken(r->ctx, false, err_text(err));
	}
	p->links--;
	place_drop(p);
}

/* One whose requests can go on; NULL: none in this bucket. */
static struct place *next_to_wake(const struct list *bucket)
{
	LIST_FOREACH(it, bucket) {
		struct place *p = LIST_ENTRY(it, struct place, link);

		if (!list_empty(&p->waiting) && !must_wait(p))
			return p;
	}
	return NULL;
}

static void on_wake(uv_timer_t *t)
{
	struct links *s = t->data;
	struct place *p;

	/* Those who are told may end what they have at other places: each time from the beginning. */
	for (size_t i = 0; i < BUCKETS; i++)
		while ((p = next_to_wake(&s->places[i])) != NULL)
			wake_place(s, p);
}

static void on_sweep(uv_timer_t *t)
{
	struct links *s = t->data;
	uint64_t now = clock_ms();

	/* A server that thinks long before it answers must not keep the others waiting. */
	LIST_FOREACH(it, &s->busy)
		if (LIST_ENTRY(it, struct link, at)->state == LINK_ASKING)
			end_freshness(LIST_ENTRY(it, struct link, at));

	for (size_t i = 0; i < BUCKETS; i++)
		LIST_FOREACH_SAFE(it, next, &s->places[i])
			sweep_place(s, LIST_ENTRY(it, struct place, link), now);
}

struct links *links_new(uv_loop_t *loop)
{
	struct links *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = loop;
	list_init(&s->busy);
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&s->places[i]);
	uv_timer_init(loop, &s->sweep);
	uv_timer_init(loop, &s->wake);
	s->sweep.data = s->wake.data = s;
	uv_timer_start(&s->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	uv_unref((uv_handle_t *)&s->sweep);
	return s;
}

static void on_sweep_closed(uv_handle_t *h)
{
	free(h->data);
}

static void on_wake_closed(uv_handle_t *h)
{
	struct links *s = h->data;

	uv_close((uv_handle_t *)&s->sweep, on_sweep_closed);
}

void links_free(struct links *s)
{
	if (!s)
		return;
	LIST_FOREACH_SAFE(it, next, &s->busy)
		link_close(LIST_ENTRY(it, struct link, at), true);
	for (size_t i = 0; i < BUCKETS; i++)
		LIST_FOREACH_SAFE(it, next, &s->places[i]) {
			struct place *p = LIST_ENTRY(it, struct place, link);

			p->links++; /* stays until the end of this */
			while (!list_empty(&p->waiting)) {
				struct link_target t;

				stop_waiting(LIST_ENTRY(p->waiting.next, struct link_request, at), &t);
				tls_profiles_unref(t.profiles);
			}
			LIST_FOREACH_SAFE(at, after, &p->idle)
				link_close(LIST_ENTRY(at, struct link, at), false);
			p->links--;
			place_forget_session(s, p);
			place_drop(p);
		}
	uv_close((uv_handle_t *)&s->wake, on_wake_closed);
}

const struct link_counts *links_counts(const struct links *s)
{
	return &s->counts;
}
