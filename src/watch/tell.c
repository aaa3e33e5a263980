/* SPDX-License-Identifier: BSD-2-Clause */
/* The answering side of what nodes say to each other (fleet/report.c has the form).
 *
 * Over UDP such questions have a socket of their own at each management address, into which the kernel sorts them (super/status_lane.c), so that neither a flood of queries nor a worker without CPU is
 * in their way. What it does not know for such a question (over TCP, or written in other letters) comes to a worker, which has no key and never waits: from an address of the fleet it hands it over
 * with what is needed to answer it, the connection or a duplicate of its socket (proc/handover.h), from anybody else it refuses it.
 *
 * It is this process that answers, and not sync, which has the transfer keys anyway: what is told is mostly its own judgement, and it has nothing else to do that takes long. A node whose sync loads a
 * million zones, or hangs, still says how it is. Should this process hang, nobody vouches for the node's answers, and the others rightly see no fresh view of it.
 *
 * Who asks must be a node of the fleet by address, and where the fleet has a key (status-key), sign with it (RFC 8945). The answer's signature covers that of the question,
 * so it cannot be kept and shown for another one. Without a key an address is all there is: then no answer is longer than its question, which the asking side pads (fleet/message.h), so
 * that nobody is flooded in another's name. Signed or not, what is refused costs a bounded number of answers a second.
 *
 * Over TCP a connection has one question at a time, answered at once; one whose answer is not taken by the kernel whole, that asks anything else, or is idle, is closed. */
#include "watch/tell.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "fleet/message.h"
#include "fleet/self.h"
#include "limit/prefix_set.h"
#include "proc/handover.h"
#include "watch/drift.h"
#include "watch/endpoints.h"
#include "watch/peers.h"
#include "watch/status_key.h"
#include "watch/watch.h"
#include "xfr/tsig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	TELL_PACKETS = 64, /* taken in one turn of the loop: checks must not wait */
	TELL_CONNECTIONS = 64,
	TELL_REQUEST_MAX = 2048, /* octets of a question over TCP, length included */
	TELL_ANSWER_MAX = 32768, /* octets; all networks with the longest names are half of that */
	TELL_IDLE_MS = 30000,
	TELL_SWEEP_MS = 1000,
	TELL_REFUSALS = 100, /* refused with an answer in one second; further ones are dropped */
	TELL_LOG_BURST = 2,
};

/* No network has this name: a report about the node alone. */
#define NO_NETWORK "-"

struct caller {
	struct list link;
	struct teller *teller;
	uv_poll_t poll;
	int fd;
	struct ip_addr address;
	uint64_t moved_ms;
	size_t len;
	uint8_t in[TELL_REQUEST_MAX];
};

struct teller {
	struct watch *watch;
	struct status_key key;
	struct tsig_keys keys;
	struct prefix_set *fleet;
	uv_poll_t poll;
	uv_poll_t *lanes; /* sockets of status */
	unsigned lane_count;
	uv_timer_t sweep;
	int fd;
	struct list callers;
	unsigned caller_count;
	uint64_t second;
	unsigned refusals; /* in it */
	struct log_limit limit;
	struct handover_packet packet;
	struct fleet_report report;
	uint8_t out[2 + TELL_ANSWER_MAX];
};

/* ---- one question ---- */

static bool may_refuse(struct teller *t)
{
	uint64_t second = clock_ms() / 1000;

	board_add(&t->watch->board->watch.nodes.told_refused, 1);
	if (second != t->second) {
		t->second = second;
		t->refusals = 0;
	}
	return t->refusals++ < TELL_REFUSALS;
}

static void log_refusal(struct teller *t, const struct ip_addr *from, const char *why)
{
	char text[ADDR_TEXT_MAX];

	if (log_limit_pass(&t->limit, TELL_LOG_BURST))
		log_notice("status client=%s refused=\"%s\"", addr_text(from, text), why);
}

static bool is_of_fleet(const struct teller *t, const struct ip_addr *from)
{
	struct ip_addr bare = *from;

	bare.zone = 0;
	return prefix_set_has(t->fleet, &bare);
}

/* NULL: it may be told. */
static const char *judge(const struct teller *t, bool known, enum tsig_verdict signature, const struct query *q,
                         struct fleet_question *question, unsigned *rcode)
{
	*rcode = RCODE_REFUSED;
	if (!known)
		return "the address is of no node of the fleet";
	if (signature == TSIG_FORMERR) {
		*rcode = RCODE_FORMERR;
		return tsig_verdict_text(signature);
	}
	if (signature != TSIG_GOOD && signature != TSIG_ABSENT) {
		*rcode = RCODE_NOTAUTH;
		return tsig_verdict_text(signature);
	}
	if (signature == TSIG_ABSENT && t->key.wanted)
		return "it is not signed";
	if (!fleet_question_read(q->qname.wire, question) || strcmp(question->node, t->watch->node) != 0)
		return "it is about another node";
	return NULL;
}

/* Octets of the answer in t->out + 2; 0: none. */
static size_t answer(struct teller *t, const uint8_t *msg, size_t len, const struct ip_addr *from, bool udp)
{
	struct writer w = writer_of(t->out + 2, TELL_ANSWER_MAX);
	struct fleet_root roots[FLEET_ROOTS_MAX];
	const struct zone_tree *zones = NULL;
	struct fleet_question question;
	struct tsig_session session;
	enum tsig_verdict signature;
	const char *why;
	struct query q;
	unsigned rcode;
	size_t cap;
	bool known;

	if (query_parse(msg, len, &q) != QUERY_OK || !fleet_question_is(&q))
		return 0;
	/* Strangers cost no digest: they are as good as unsigned. */
	known = is_of_fleet(t, from);
	tsig_session_init(&session);
	signature = known ? tsig_verify_request(&session, &t->keys, msg, len, (uint64_t)clock_wall_s()) : TSIG_ABSENT;
	why = judge(t, known, signature, &q, &question, &rcode);
	if (why) {
		log_refusal(t, from, why);
		if (!may_refuse(t)) {
			tsig_session_done(&session);
			return 0;
		}
	} else {
		rcode = RCODE_NOERROR;
		if (question.tree) {
			zones = drift_tree(t->watch->drift, question.network);
			rcode = zones ? RCODE_NOERROR : RCODE_NXDOMAIN;
		} else if (question.pools) {
			self_report(t->watch->board, t->watch->role->config, t->watch->role->node, NO_NETWORK, clock_ns(), &t->report);
			t->report.trees = 0;
			endpoints_report(t->watch->endpoints, question.first, &t->report);
			if (question.news) {
				endpoints_hint(t->watch->endpoints, from);
				peers_hint(t->watch->peers, from, clock_ns());
			}
		} else {
			self_report(t->watch->board, t->watch->role->config, t->watch->role->node, question.network, clock_ns(), &t->report);
			drift_report(t->watch->drift, question.network, &t->report);
			endpoints_report(t->watch->endpoints, UINT32_MAX, &t->report);
			drift_heard_from(t->watch->drift, from, roots, fleet_question_roots(msg, len, roots), clock_ns());
		}
		board_add(&t->watch->board->watch.nodes.told, 1);
	}
	if (udp)
		w.cap = MIN((size_t)q.udp_size, (size_t)DNS_UDP_DEFAULT);
	if (udp && signature != TSIG_GOOD)
		w.cap = MIN(w.cap, MAX(len, (size_t)DNS_HEADER_LEN + q.question_len + tsig_space(&session)));
	cap = w.cap;
	w.cap -= MIN(tsig_space(&session), w.cap);
	if (!why && question.tree)
		fleet_tree_write(&q, msg, rcode, zones, question.place, &w);
	else
		fleet_answer_write(&q, msg, rcode, why ? NULL : &t->report, &w);
	w.cap = cap;
	if (!writer_ok(&w) || tsig_sign(&session, &w, (uint64_t)clock_wall_s()) < 0)
		w.pos = 0;
	tsig_session_done(&session);
	return w.pos;
}

/* ---- connections ---- */

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void caller_close(struct caller *c)
{
	uv_poll_stop(&c->poll);
	close(c->fd);
	list_remove(&c->link);
	c->teller->caller_count--;
	uv_close((uv_handle_t *)&c->poll, on_closed);
}

/* Answer what is whole. False: close. */
static bool serve(struct caller *c)
{
	struct teller *t = c->teller;

	while (c->len >= 2) {
		size_t frame = 2 + (size_t)get_u16(c->in), n;

		if (frame > sizeof(c->in))
			return false;
		if (c->len < frame)
			break;
		n = answer(t, c->in + 2, frame - 2, &c->address, false);
		if (!n)
			return false;
		put_u16(t->out, (uint16_t)n);
		if (send(c->fd, t->out, n + 2, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)(n + 2))
			return false;
		c->len -= frame;
		memmove(c->in, c->in + frame, c->len);
		c->moved_ms = clock_ms();
	}
	return true;
}

static void on_caller(uv_poll_t *poll, int status, int events)
{
	struct caller *c = poll->data;
	ssize_t n;

	(void)events;
	n = status < 0 ? 0 : recv(c->fd, c->in + c->len, sizeof(c->in) - c->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n > 0)
		c->len += (size_t)n;
	if (n <= 0 || !serve(c))
		caller_close(c);
}

/* Takes the descriptor over. */
static void adopt(struct teller *t, int fd)
{
	const struct handover *head = &t->packet.head;
	struct endpoint from;
	struct caller *c;

	if (t->caller_count == TELL_CONNECTIONS)
		caller_close(LIST_ENTRY(t->callers.next, struct caller, link));
	c = calloc(1, sizeof(*c));
	if (!c || head->len > sizeof(c->in) ||
	    endpoint_from_sockaddr((const struct sockaddr *)&head->peer, &from) < 0 ||
	    uv_poll_init(&t->watch->loop, &c->poll, fd) < 0) {
		free(c);
		close(fd);
		return;
	}
	memcpy(c->in, t->packet.octets, head->len);
	c->len = head->len;
	c->fd = fd;
	c->teller = t;
	c->address = from.addr;
	c->poll.data = c;
	c->moved_ms = clock_ms();
	list_add_tail(&t->callers, &c->link);
	t->caller_count++;
	if (!serve(c) || uv_poll_start(&c->poll, UV_READABLE, on_caller) < 0)
		caller_close(c);
}

static void on_sweep(uv_timer_t *timer)
{
	struct teller *t = timer->data;
	uint64_t now = clock_ms();

	LIST_FOREACH_SAFE(it, next, &t->callers) {
		struct caller *c = LIST_ENTRY(it, struct caller, link);

		if (now - c->moved_ms > TELL_IDLE_MS)
			caller_close(c);
	}
}

/* ---- what workers hand over ---- */

static void answer_datagram(struct teller *t, int fd)
{
	const struct handover *head = &t->packet.head;
	struct endpoint from;
	size_t n;

	if (clock_ns() - head->at_ns > (uint64_t)HANDOVER_OLD_MS * 1000000U ||
	    endpoint_from_sockaddr((const struct sockaddr *)&head->peer, &from) < 0)
		return;
	n = answer(t, t->packet.octets, head->len, &from.addr, true);
	/* A full buffer loses the answer, as UDP may. */
	if (n && handover_answer(head, fd, t->out + 2, n) < 0)
		board_add(&t->watch->board->watch.nodes.told_refused, 1);
}

static void on_handover(uv_poll_t *poll, int status, int events)
{
	struct teller *t = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < TELL_PACKETS; i++) {
		int fd, got = handover_receive(t->fd, &t->packet, &fd);

		if (got == ERR_MALFORMED)
			continue;
		if (got <= 0)
			return;
		if (t->packet.head.kind == HANDOVER_TCP) {
			adopt(t, fd);
		} else {
			answer_datagram(t, fd);
			close(fd);
		}
	}
}

/* ---- the sockets of status ---- */

static void on_lane(uv_poll_t *poll, int status, int events)
{
	struct teller *t = poll->data;
	uv_os_fd_t fd;

	(void)status;
	(void)events;
	if (uv_fileno((uv_handle_t *)poll, &fd) < 0)
		return;
	for (int i = 0; i < TELL_PACKETS; i++) {
		struct sockaddr_storage ss;
		socklen_t ss_len = sizeof(ss);
		ssize_t n = recvfrom(fd, t->packet.octets, sizeof(t->packet.octets), MSG_DONTWAIT,
		                     (struct sockaddr *)&ss, &ss_len);
		struct endpoint from;
		size_t len;

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0 || endpoint_from_sockaddr((struct sockaddr *)&ss, &from) < 0 || !from.port)
			continue;
		len = answer(t, t->packet.octets, (size_t)n, &from.addr, true);
		if (len && sendto(fd, t->out + 2, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&ss, ss_len) < 0)
			board_add(&t->watch->board->watch.nodes.told_refused, 1);
	}
}

static int open_lanes(struct teller *t)
{
	const struct role_brief *brief = &t->watch->role->brief;

	t->lanes = calloc(brief->socket_count + 1, sizeof(*t->lanes));
	if (!t->lanes)
		return ERR_NO_MEMORY;
	for (uint32_t i = 0; i < brief->socket_count; i++) {
		uv_poll_t *lane = &t->lanes[t->lane_count];

		if (brief->sockets[i].kind != ROLE_SOCKET_UDP)
			continue;
		if (uv_poll_init(&t->watch->loop, lane, brief->sockets[i].fd) < 0)
			return ERR_NO_MEMORY;
		lane->data = t;
		uv_poll_start(lane, UV_READABLE, on_lane);
		t->lane_count++;
	}
	return 0;
}

/* ---- life ---- */

int teller_replan(struct teller *t)
{
	const struct config *config;
	struct ip_prefix *all;
	struct prefix_set *fleet;
	size_t count = 0;
	int err;

	if (!t)
		return 0;
	config = t->watch->role->config;
	for (size_t i = 0; i < config->node_count; i++)
		count += config->nodes[i].management_count;
	all = calloc(count + 1, sizeof(*all));
	if (!all)
		return ERR_NO_MEMORY;
	count = 0;
	for (size_t i = 0; i < config->node_count; i++)
		for (size_t k = 0; k < config->nodes[i].management_count; k++) {
			all[count].addr = config->nodes[i].management[k];
			all[count].addr.zone = 0;
			all[count].len = all[count].addr.family == 4 ? 32 : 128;
			count++;
		}
	err = prefix_set_make(all, count, &fleet);
	free(all);
	if (err < 0)
		return err;
	prefix_set_free(t->fleet);
	t->fleet = fleet;
	status_key_done(&t->key);
	status_key_load(t->watch->role, &t->key);
	t->keys = (struct tsig_keys){.list = &t->key.key, .count = t->key.key ? 1 : 0};
	return 0;
}

int teller_new(struct watch *w, struct teller **out)
{
	struct teller *t;
	int err;

	*out = NULL;
	if (w->role->brief.status_fd < 0 || !w->role->node)
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return ERR_NO_MEMORY;
	t->watch = w;
	t->fd = w->role->brief.status_fd;
	list_init(&t->callers);
	err = teller_replan(t);
	if (!err)
		err = open_lanes(t);
	if (!err && uv_poll_init(&w->loop, &t->poll, t->fd) < 0)
		err = ERR_NO_MEMORY;
	if (err < 0)
		return err;                       /* the process ends with it, and its loop may have handles in there */
	(void)uv_timer_init(&w->loop, &t->sweep); /* cannot fail */
	t->poll.data = t->sweep.data = t;
	uv_poll_start(&t->poll, UV_READABLE, on_handover);
	uv_timer_start(&t->sweep, on_sweep, TELL_SWEEP_MS, TELL_SWEEP_MS);
	*out = t;
	return 0;
}
