/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers to others: AXFR (RFC 5936) and IXFR (RFC 1995) of what this node serves, NOTIFY received (RFC 1996), and questions for an SOA that are signed (RFC 8945).
 *
 * Workers answer none of these. They hand the connection over with what they have read of it, or the datagram with a duplicate of its socket (proc/handover.h), and
 * here it is answered:
 *
 *	worker --(connection, octets)--> peer:  request -> judge -> one message at a time, as the client takes them -> next request ... -> closed
 *	worker --(datagram, socket)----> one answer, at once
 *
 * Everything happens on sync's loop, in steps: where the client's socket has room, messages are made (xfr/outgoing.h) until TURN_NS have passed, then the next client's
 * has its turn; all transfers together hold the loop up for little more than that, so NOTIFY, questions and incoming transfers are not behind hundreds of them. So a slow client costs what its transfer holds: a message of 64 KiB and a cursor of some 16 KiB, whatever the size of the zone. What it reads is a
 * pinned version of the store (snapshots.h): transfers that begin while a version is current share its pin. Pins are few, so what can keep an old version is bounded:
 * who takes nothing for STALL_MS, or less than RATE_MIN octets a second on the whole, or longer than TRANSFER_MAX_MS, is cut off; when all pins are taken, those of the oldest
 * version older than PIN_FAIR_MS go, and newcomers wait WAIT_MS at most, then get SERVFAIL. More than TRANSFERS_MAX at a time
 * wait likewise, then lose their connections.
 *
 * IXFR is answered from the differences that the loader knows (history.h), then from those of the journal; where none lead from the
 * client's serial to ours, with the whole zone.
 *
 * A client that is refused is told so and loses its connection. One that is not may ask for more on it, but only what is answered here: anything else
 * closes it, and the client asks a worker on a new one. Who may what: access.c.
 *
 * Of a TLS connection (RFC 9103) the worker has the keys and carries the octets (answer/relay.c); what comes here is a socket pair that behaves like the client's
 * connection, and the word of the worker what kind of TLS it is. Padding is answered with padding.
 *
 * Left out: pipelined transfers are sent one after the other, not interleaved. */
#include "base/clock.h"
#include "base/err.h"
#include "proc/handover.h"
#include "sync/serve_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	CONNECTIONS_MAX = 1000,
	TRANSFERS_MAX = 256,
	FRAME_MAX = 2 + DNS_MESSAGE_MAX,
	REQUEST_MAX = 2 + 16384,     /* octets of a request */
	REPLY_MAX = 4096,            /* of an answer that is no transfer */
	PACKETS = 32,                /* of one worker, before others get their turn */
	SEND_BUFFER = 1 << 20,       /* the kernel's, of a connection with a transfer; it takes what net.core.wmem_max allows */
	SWEEP_MS = 500,
	IDLE_MS = 10000,             /* between requests */
	STALL_MS = 20000,
	WAIT_MS = 20000,
	PIN_FAIR_MS = 60000,
	TRANSFER_MAX_MS = 30 * 60000,
	RATE_MIN = 4096,             /* octets a second, after RATE_GRACE_MS */
	RATE_GRACE_MS = 60000,
	TURN_NS = 2000000,
};

struct peer {
	struct list link;            /* in serve.peers */
	struct list wait;            /* in serve.waiting, or alone */
	struct list turn;            /* in serve.turns, or alone */
	struct serve *serve;
	uv_poll_t poll;
	int wants; /* of poll: UV_READABLE or UV_WRITABLE; 0: nothing */
	int fd;
	struct serve_client from;
	uint8_t *in; /* octets not used yet, in_len of in_cap */
	size_t in_len, in_cap;
	uint8_t *out;                /* a frame under way, out_pos of out_len are sent; NULL: none */
	size_t out_len, out_pos;
	struct serve_job job;
	uint64_t progress_ms;        /* something came or went */
	uint64_t waits_ms;           /* since when; 0: not */
	uint64_t sent;               /* octets of the transfer */
	bool roomy;                  /* its socket has SEND_BUFFER */
	bool ends;                   /* when all is sent */
	bool drains;                 /* all is said: what comes is thrown away until the client ends, so that it does not lose the last answer */
};

static void show(struct serve *s)
{
	struct board_transfers_out *b = &s->board->out;
	uint64_t waiting = 0;

	LIST_FOREACH(it, &s->waiting)
		waiting++;
	atomic_store(&b->connections, s->peer_count);
	atomic_store(&b->active, s->active);
	atomic_store(&b->waiting, waiting);
}

/* ---- connections ---- */

static void on_sweep(uv_timer_t *t);

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void end_job(struct peer *p, bool good)
{
	if (!p->job.out)
		return;
	serve_job_done(p->serve, &p->job, &p->from, good);
	p->serve->active--;
	if (!list_empty(&p->serve->waiting))
		uv_timer_start(&p->serve->sweep, on_sweep, 0, SWEEP_MS);
	free(p->out);
	p->out = NULL;
}

static void peer_close(struct peer *p)
{
	struct serve *s = p->serve;

	end_job(p, false);
	uv_poll_stop(&p->poll);
	close(p->fd);
	p->fd = -1;
	free(p->in);
	free(p->out);
	p->in = p->out = NULL;
	list_remove(&p->link);
	list_remove(&p->wait);
	list_remove(&p->turn);
	s->peer_count--;
	uv_close((uv_handle_t *)&p->poll, on_closed);
}

static void peer_turn(struct peer *p);

static void on_peer(uv_poll_t *poll, int status, int events)
{
	struct peer *p = poll->data;

	(void)events;
	if (status < 0)
		peer_close(p);
	else if (!p->job.out)
		peer_turn(p);
	else if (list_empty(&p->turn))
		list_add_tail(&p->serve->turns, &p->turn);
}

/* After each look at the sockets. Those whose turn does not come are found writable again, and keep their place. */
static void on_turns(uv_check_t *check)
{
	struct serve *s = check->data;
	uint64_t until = clock_ns() + TURN_NS;

	while (!list_empty(&s->turns) && clock_ns() < until) {
		struct peer *p = LIST_ENTRY(s->turns.next, struct peer, turn);

		list_remove(&p->turn);
		peer_turn(p);
	}
}

/* libuv takes a descriptor out of epoll's set and puts it back for each uv_poll_start(). */
static void watch(struct peer *p, int events)
{
	if (p->wants == events)
		return;
	p->wants = events;
	if (uv_poll_start(&p->poll, events, on_peer) < 0)
		peer_close(p);
}

/* Who waits is not watched. */
static void unwatch(struct peer *p)
{
	p->wants = 0;
	uv_poll_stop(&p->poll);
}

/* Octets of the frame that p->in begins with; 0: not all there. SIZE_MAX: no request is like this. */
static size_t frame_of(const struct peer *p)
{
	size_t n;

	if (p->in_len < 2)
		return 0;
	n = 2 + (size_t)get_u16(p->in);
	if (n < 2 + DNS_HEADER_LEN || n > REQUEST_MAX)
		return SIZE_MAX;
	return n <= p->in_len ? n : 0;
}

/* 1: something came; 0: nothing there; else the end. */
static int read_more(struct peer *p)
{
	ssize_t n;

	if (p->in_cap - p->in_len < 1024) {
		size_t cap = MIN(MAX(p->in_cap * 2, (size_t)2048), (size_t)(HANDOVER_OCTETS_MAX + REQUEST_MAX));
		uint8_t *in = cap > p->in_cap ? realloc(p->in, cap) : NULL;

		if (!in)
			return ERR_NO_MEMORY;
		p->in = in;
		p->in_cap = cap;
	}
	n = recv(p->fd, p->in + p->in_len, p->in_cap - p->in_len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return ERR_CLOSED;
	p->in_len += (size_t)n;
	p->progress_ms = clock_ms();
	return 1;
}

static void use_frame(struct peer *p, size_t frame)
{
	p->in_len -= frame;
	memmove(p->in, p->in + frame, p->in_len);
}

/* 1: all of p->out is sent; 0: not yet; else the end. */
static int send_out(struct peer *p)
{
	while (p->out_pos < p->out_len) {
		ssize_t n = send(p->fd, p->out + p->out_pos, p->out_len - p->out_pos, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
		p->out_pos += (size_t)n;
		p->sent += (uint64_t)n;
		p->progress_ms = clock_ms();
	}
	return 1;
}

/* Put the length before a message of w, which begins behind it. */
static void frame_out(struct peer *p, const struct writer *w)
{
	put_u16(p->out, (uint16_t)w->pos);
	p->out_len = 2 + w->pos;
	p->out_pos = 0;
}

/* False: close. */
static bool begin_request(struct peer *p, size_t frame, bool may_wait)
{
	struct serve *s = p->serve;
	int size = SEND_BUFFER;
	struct writer w;

	may_wait = may_wait && (!p->waits_ms || clock_ms() - p->waits_ms < WAIT_MS);
	p->out = malloc(REPLY_MAX);
	if (!p->out)
		return false;
	w = writer_of(p->out + 2, REPLY_MAX - 2);
	switch (serve_request(s, p->in + 2, frame - 2, &p->from, may_wait, &p->job, &w)) {
	case SERVE_REFUSED:
		p->ends = true;
		frame_out(p, &w);
		break;
	case SERVE_REPLY:
		frame_out(p, &w);
		break;
	case SERVE_TRANSFER:
		s->active++;
		free(p->out);
		p->out = malloc(FRAME_MAX);
		p->out_len = p->out_pos = 0;
		p->sent = 0;
		if (!p->out)
			return false;
		if (!p->roomy)
			setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		p->roomy = true;
		break;
	case SERVE_WAIT:
		free(p->out);
		p->out = NULL;
		if (list_empty(&p->wait))
			list_add_tail(&s->waiting, &p->wait);
		p->waits_ms = p->waits_ms ? p->waits_ms : clock_ms();
		return true;
	case SERVE_CLOSE:
		return false;
	}
	list_remove(&p->wait);
	p->waits_ms = 0;
	use_frame(p, frame);
	return true;
}

/* The next message of the transfer. False: it cannot go on. */
static bool next_message(struct peer *p)
{
	struct writer w = writer_of(p->out + 2, DNS_MESSAGE_MAX);
	int got = serve_job_next(&p->job, &w);

	if (got < 0)
		return false;
	if (got == 0)
		end_job(p, true);
	else
		frame_out(p, &w);
	return true;
}

/* Until others end. False: that has been too long. */
static bool wait_turn(struct peer *p)
{
	if (list_empty(&p->wait))
		list_add_tail(&p->serve->waiting, &p->wait);
	p->waits_ms = p->waits_ms ? p->waits_ms : clock_ms();
	return clock_ms() - p->waits_ms < WAIT_MS;
}

/* All that can be done now, for a bounded time. The peer may be gone afterwards. */
static void peer_turn(struct peer *p)
{
	uint64_t until = clock_ns() + TURN_NS;
	int got;

	for (;;) {
		size_t frame;

		if (p->out && p->out_pos < p->out_len) {
			got = send_out(p);
			if (got < 0)
				goto close;
			if (got == 0) {
				watch(p, UV_WRITABLE);
				return;
			}
		}
		if (p->job.out) {
			if (clock_ns() > until) {
				watch(p, UV_WRITABLE);
				return;
			}
			if (!next_message(p))
				goto close;
			continue;
		}
		free(p->out);
		p->out = NULL;
		if (p->ends && !p->drains) {
			p->drains = true;
			shutdown(p->fd, SHUT_WR);
		}
		if (p->drains)
			p->in_len = 0;
		frame = frame_of(p);
		if (frame == SIZE_MAX)
			goto close;
		if (frame && p->serve->active >= TRANSFERS_MAX) {
			if (!wait_turn(p))
				goto close;
			unwatch(p);
			return;
		}
		if (frame) {
			if (!begin_request(p, frame, true))
				goto close;
			if (p->waits_ms) {
				unwatch(p);
				return;
			}
			continue;
		}
		got = read_more(p);
		if (got < 0)
			goto close;
		if (got == 0) {
			watch(p, UV_READABLE);
			return;
		}
	}
close:
	peer_close(p);
}

/* One that asks nothing makes room; those with transfers stay. */
static bool make_room(struct serve *s)
{
	if (s->peer_count < CONNECTIONS_MAX)
		return true;
	LIST_FOREACH(it, &s->peers) {
		struct peer *p = LIST_ENTRY(it, struct peer, link);

		if (!p->job.out && !p->waits_ms && !p->out) {
			peer_close(p);
			return true;
		}
	}
	return false;
}

/* Takes the descriptor over. */
static void adopt(struct serve *s, const struct handover_packet *packet, int fd)
{
	struct peer *p = make_room(s) ? calloc(1, sizeof(*p)) : NULL;

	if (p && endpoint_from_sockaddr((const struct sockaddr *)&packet->head.peer, &p->from.at) == 0) {
		p->from.tls = packet->head.over_tls;
		p->from.tls_fit = packet->head.over_tls && packet->head.tls_fit;
		p->from.tls_verified = packet->head.over_tls && packet->head.tls_verified;
		p->in_cap = p->in_len = packet->head.len;
		p->in = malloc(p->in_cap + 1);
	}
	if (!p || !p->in || uv_poll_init(s->loop, &p->poll, fd) < 0) {
		board_add(&s->board->out.refused, 1);
		if (p)
			free(p->in);
		free(p);
		close(fd);
		return;
	}
	memcpy(p->in, packet->octets, p->in_len);
	p->fd = fd;
	p->serve = s;
	p->poll.data = p;
	p->progress_ms = clock_ms();
	list_init(&p->wait);
	list_init(&p->turn);
	list_add_tail(&s->peers, &p->link);
	s->peer_count++;
	peer_turn(p);
}

/* ---- datagrams ---- */

static void answer_datagram(struct serve *s, const struct handover_packet *packet, int fd)
{
	uint8_t bytes[DNS_UDP_DEFAULT];
	struct writer w = writer_of(bytes, sizeof(bytes));
	struct serve_client from = {.udp = true};
	struct serve_job job;
	bool good = true;

	if (clock_ns() - packet->head.at_ns > (uint64_t)HANDOVER_OLD_MS * 1000000U ||
	    endpoint_from_sockaddr((const struct sockaddr *)&packet->head.peer, &from.at) < 0)
		return;
	switch (serve_request(s, packet->octets, packet->head.len, &from, false, &job, &w)) {
	case SERVE_TRANSFER:
		good = serve_job_next(&job, &w) == 1;
		serve_job_done(s, &job, &from, good);
		break;
	case SERVE_REPLY:
	case SERVE_REFUSED:
		break;
	case SERVE_WAIT:
	case SERVE_CLOSE:
		return;
	}
	/* A full buffer loses the answer, as UDP may. */
	if (good && handover_answer(&packet->head, fd, bytes, w.pos) < 0)
		board_add(&s->board->out.failed, 1);
}

static void on_handover(uv_poll_t *poll, int status, int events)
{
	struct serve_line *line = poll->data;
	struct serve *s = line->serve;
	int fd, got;

	(void)status;
	(void)events;
	for (int i = 0; i < PACKETS; i++) {
		got = handover_receive(line->fd, s->packet, &fd);
		if (got == ERR_MALFORMED) {
			board_add(&s->board->out.refused, 1);
			continue;
		}
		if (got <= 0)
			break;
		if (s->packet->head.kind == HANDOVER_TCP) {
			adopt(s, s->packet, fd);
		} else {
			answer_datagram(s, s->packet, fd);
			close(fd);
		}
	}
	show(s);
}

/* ---- time ---- */

static bool too_slow(const struct peer *p, uint64_t now)
{
	uint64_t age = now - p->job.began_ms;

	return age > TRANSFER_MAX_MS || (age > RATE_GRACE_MS && p->sent < (age - RATE_GRACE_MS) / 1000 * RATE_MIN);
}

static bool overdue(const struct peer *p, uint64_t now)
{
	if (p->waits_ms)
		return false; /* it gets its answer below */
	if (p->job.out)
		return now - p->progress_ms > STALL_MS || too_slow(p, now);
	return now - p->progress_ms > IDLE_MS;
}

static void free_pin(struct serve *s, uint64_t now)
{
	const struct snapshot *oldest = snapshots_oldest(&s->snapshots);

	if (!s->pins_short || !oldest || now - oldest->since_ms < PIN_FAIR_MS)
		return;
	LIST_FOREACH_SAFE(it, next, &s->peers) {
		struct peer *p = LIST_ENTRY(it, struct peer, link);

		if (p->job.snapshot == oldest)
			peer_close(p);
	}
}

static void on_sweep(uv_timer_t *t)
{
	struct serve *s = t->data;
	uint64_t now = clock_ms();
	struct list turn;

	LIST_FOREACH_SAFE(it, next, &s->peers) {
		struct peer *p = LIST_ENTRY(it, struct peer, link);

		if (overdue(p, now))
			peer_close(p);
	}
	free_pin(s, now);
	s->pins_short = false;
	/* Those that still have to wait come back into the list. */
	list_init(&turn);
	while (!list_empty(&s->waiting)) {
		struct list *first = s->waiting.next;

		list_remove(first);
		list_add_tail(&turn, first);
	}
	while (!list_empty(&turn)) {
		struct peer *p = LIST_ENTRY(turn.next, struct peer, wait);

		list_remove(&p->wait);
		if (s->active >= TRANSFERS_MAX && clock_ms() - p->waits_ms < WAIT_MS)
			list_add_tail(&s->waiting, &p->wait);
		else
			peer_turn(p);
	}
	show(s);
}

/* ---- life ---- */

int serve_new(uv_loop_t *loop, const struct role_brief *brief, struct board_sync *board, struct history *history, const struct serve_hooks *hooks,
              struct serve **out)
{
	struct serve *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_NO_MEMORY;
	s->packet = malloc(sizeof(*s->packet));
	s->lines = calloc(brief->socket_count + 1, sizeof(*s->lines));
	if (!s->packet || !s->lines) {
		free(s->packet);
		free(s->lines);
		free(s);
		return ERR_NO_MEMORY;
	}
	s->loop = loop;
	s->board = board;
	s->history = history;
	s->hooks = *hooks;
	list_init(&s->peers);
	list_init(&s->waiting);
	list_init(&s->turns);
	snapshots_init(&s->snapshots, brief->store_path, board);
	for (uint32_t i = 0; i < brief->socket_count; i++) {
		struct serve_line *line = &s->lines[s->line_count];

		if (brief->sockets[i].kind != ROLE_SOCKET_HANDOVER || uv_poll_init(loop, &line->poll, brief->sockets[i].fd) < 0)
			continue;
		line->fd = brief->sockets[i].fd;
		line->serve = s;
		line->poll.data = line;
		uv_poll_start(&line->poll, UV_READABLE, on_handover);
		s->line_count++;
	}
	uv_timer_init(loop, &s->sweep);
	s->sweep.data = s;
	uv_timer_start(&s->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
	uv_check_init(loop, &s->check);
	s->check.data = s;
	uv_check_start(&s->check, on_turns);
	show(s);
	*out = s;
	return 0;
}

void serve_free(struct serve *s)
{
	if (!s)
		return;
	uv_timer_stop(&s->sweep);
	uv_check_stop(&s->check);
	for (unsigned i = 0; i < s->line_count; i++) {
		uv_poll_stop(&s->lines[i].poll);
		close(s->lines[i].fd);
	}
	LIST_FOREACH_SAFE(it, next, &s->peers)
		peer_close(LIST_ENTRY(it, struct peer, link));
	while (uv_run(s->loop, UV_RUN_NOWAIT) && s->peer_count)
		;
	snapshots_done(&s->snapshots);
	access_unref(s->access);
	free(s->packet);
	free(s->lines);
	free(s);
}

int serve_snapshot(struct serve *s, struct snapshot **out)
{
	return snapshots_take(&s->snapshots, clock_ms(), out);
}

void serve_access(struct serve *s, struct access *a)
{
	access_unref(s->access);
	s->access = access_ref(a);
}
