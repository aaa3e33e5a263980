/* SPDX-License-Identifier: BSD-2-Clause */
/* The sockets of notify_plan.c. One for each family, bound to the node's first management address of it, so that those who are told know who it is; where the node has
 * none, to what the kernel chooses, which never is a service address. An answer counts when id, zone, sender and, where the zone has a key, the signature are right.
 * Any such answer ends the telling (RFC 1996 3.10): an error, too, which is logged and counted. */
#include "sync/notify.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "dns/message.h"
#include "dns/rr.h"
#include "sync/notify_plan.h"
#include "xfr/tsig.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	MESSAGE_MAX = 1232,
	TURN_MESSAGES = 100,   /* sent or read before others get their turn */
	LOG_BURST = 20,        /* lines about servers, as log_limit_pass() counts */
	/* Zones become tasks, one for each server, in turns of the loop, and at a start only as they can be sent: 100,000 zones for 100 servers are ten million. */
	PLAN_NS = 2000000,
	PLAN_UNSENT = 400,
	PLAN_TASKS = 500000,
};

/* Zones whose servers are to be told. */
struct news {
	struct news *next;
	uint32_t serial;
	bool first;
	uint8_t apex[];
};
struct news_list {
	struct news *head, **end;
	size_t count;
};

struct notifier {
	uv_loop_t *loop;
	struct board_transfers_out *board;
	struct access *access;      /* NULL: nobody is told */
	struct notify_plan *plan;
	uv_timer_t timer;
	struct line {
		int fd;             /* -1: none */
		uv_poll_t poll;
	} line[2];                  /* IPv4, IPv6 */
	struct log_limit limit;
	uv_async_t wake;            /* something was put into news */
	pthread_mutex_t lock;       /* of news */
	struct news_list changed, first; /* the second waits for the first */
};

static void plan_news(struct notifier *n);

static void send_due(uv_timer_t *t);

static void schedule(struct notifier *n)
{
	uint64_t wait;
	size_t zones;

	plan_news(n);
	wait = notify_plan_wait(n->plan, clock_ms());
	pthread_mutex_lock(&n->lock);
	zones = n->changed.count + n->first.count;
	pthread_mutex_unlock(&n->lock);
	atomic_store(&n->board->notify_pending, notify_plan_count(n->plan) + zones);
	atomic_store(&n->board->notify_failed, notify_plan_given_up(n->plan));
	if (wait == UINT64_MAX)
		uv_timer_stop(&n->timer);
	else
		uv_timer_start(&n->timer, send_due, wait, 0);
}

/* RFC 1996 3.7: the new SOA is a hint in the answer section; only its serial is of use, so the rest is left empty. */
static void write_message(const struct notify_task *t, uint16_t id, struct writer *w)
{
	writer_u16(w, id);
	writer_u16(w, OPCODE_NOTIFY << 11 | DNS_AA);
	writer_u16(w, 1);
	writer_u16(w, 1);
	writer_u16(w, 0);
	writer_u16(w, 0);
	writer_bytes(w, t->apex, name_len(t->apex));
	writer_u16(w, RR_SOA);
	writer_u16(w, CLASS_IN);
	writer_bytes(w, t->apex, name_len(t->apex));
	writer_u16(w, RR_SOA);
	writer_u16(w, CLASS_IN);
	writer_u32(w, 0);
	writer_u16(w, 2 + 5 * 4);
	writer_u16(w, 0); /* two root names */
	writer_u32(w, t->serial);
	for (unsigned i = 0; i < 4; i++)
		writer_u32(w, 0);
}

static void send_one(struct notifier *n, struct notify_task *t)
{
	const struct line *line = &n->line[t->to.addr.family == 6];
	const struct tsig_key *key;
	uint8_t bytes[MESSAGE_MAX];
	struct writer w = writer_of(bytes, sizeof(bytes));
	struct tsig_session session;
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(&t->to, &sa);
	int err = 0;

	if (line->fd < 0 || !access_key(n->access, t->apex, &key))
		return; /* given up in time */
	random_bytes(&t->id, sizeof(t->id));
	write_message(t, t->id, &w);
	t->mac_len = 0;
	if (key) {
		tsig_session_init(&session);
		tsig_session_key(&session, key);
		err = tsig_sign(&session, &w, (uint64_t)clock_wall_s());
		memcpy(t->mac, session.prior, session.prior_len);
		t->mac_len = session.prior_len;
		tsig_session_done(&session);
	}
	if (err || !writer_ok(&w))
		return;
	if (sendto(line->fd, bytes, w.pos, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&sa, len) >= 0)
		board_add(&n->board->notify_sent, 1);
}

static void send_due(uv_timer_t *timer)
{
	struct notifier *n = timer->data;
	struct notify_task *t;

	for (int i = 0; i < TURN_MESSAGES && (t = notify_plan_next(n->plan, clock_ms())) != NULL; i++)
		send_one(n, t);
	schedule(n);
}

static bool good_signature(const struct notifier *n, const struct notify_task *t, const uint8_t *msg, size_t len)
{
	const struct tsig_key *key;
	struct tsig_session session;
	enum tsig_verdict v;

	if (!access_key(n->access, t->apex, &key))
		return false;
	if (!key)
		return true;
	tsig_session_init(&session);
	tsig_session_key(&session, key);
	memcpy(session.prior, t->mac, t->mac_len);
	session.prior_len = t->mac_len;
	session.has_prior = true;
	v = tsig_verify_response(&session, msg, len, (uint64_t)clock_wall_s());
	tsig_session_done(&session);
	/* Who cannot judge our signature says so unsigned: that is no answer to believe, but the telling goes on and its reason is known. */
	return v == TSIG_GOOD;
}

static void take_answer(struct notifier *n, const uint8_t *msg, size_t len, const struct endpoint *from)
{
	char zone[NAME_TEXT_MAX], server[ENDPOINT_TEXT_MAX], text[12];
	struct notify_task *t;
	struct name qname;
	struct message m;
	uint16_t qtype, qclass;
	unsigned rcode;

	if (message_open(msg, len, &m) < 0 || !(m.header.flags & DNS_QR) || dns_opcode(m.header.flags) != OPCODE_NOTIFY ||
	    m.header.qdcount != 1 || message_question(&m, &qname, &qtype, &qclass) < 0 || qtype != RR_SOA)
		return;
	t = notify_plan_find(n->plan, qname.wire, from, m.header.id);
	if (!t)
		return;
	rcode = m.header.flags & 15;
	name_to_text(t->apex, zone);
	if (!good_signature(n, t, msg, len)) {
		if (log_limit_pass(&n->limit, LOG_BURST))
			log_warn("notify zone=%s server=%s rcode=%s error=\"its answer is not signed as it should be\" action=\"told again\"",
			         zone, endpoint_text(from, server), rcode_text(rcode, text));
		return;
	}
	board_add(&n->board->notify_acked, 1);
	if (rcode != RCODE_NOERROR && log_limit_pass(&n->limit, LOG_BURST))
		log_warn("notify zone=%s server=%s rcode=%s error=\"it does not want to be told\"", zone,
		         endpoint_text(from, server), rcode_text(rcode, text));
	notify_plan_done(n->plan, t);
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
	struct notifier *n = poll->data;
	int fd = n->line[poll == &n->line[1].poll].fd;
	uint8_t msg[MESSAGE_MAX];

	(void)status;
	(void)events;
	for (int i = 0; i < TURN_MESSAGES; i++) {
		struct sockaddr_storage sa;
		socklen_t sa_len = sizeof(sa);
		struct endpoint from;
		ssize_t len = recvfrom(fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&sa, &sa_len);

		if (len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (len > 0 && endpoint_from_sockaddr((struct sockaddr *)&sa, &from) == 0)
			take_answer(n, msg, (size_t)len, &from);
	}
	schedule(n);
}

struct change {
	struct notifier *notifier;
	const uint8_t *apex;
	uint32_t serial;
	bool first;
};

static void add_target(void *ctx, const struct endpoint *to)
{
	const struct change *c = ctx;
	char zone[NAME_TEXT_MAX], server[ENDPOINT_TEXT_MAX];
	int err;

	/* The zone has changed since. */
	if (c->first && notify_plan_has(c->notifier->plan, c->apex, to))
		return;
	err = notify_plan_add(c->notifier->plan, c->apex, c->serial, to);
	name_to_text(c->apex, zone);
	if (err < 0 && log_limit_pass(&c->notifier->limit, LOG_BURST))
		log_warn("notify zone=%s server=%s error=\"%s\" action=\"it is not told\"", zone, endpoint_text(to, server),
		         err_text(err));
}

static void list_put(struct news_list *l, struct news *item)
{
	item->next = NULL;
	*l->end = item;
	l->end = &item->next;
	l->count++;
}

/* NULL: there is none. */
static struct news *list_take(struct news_list *l)
{
	struct news *item = l->head;

	if (!item)
		return NULL;
	l->head = item->next;
	if (!l->head)
		l->end = &l->head;
	l->count--;
	return item;
}

static struct news *take_news(struct notifier *n)
{
	bool room = notify_plan_unsent(n->plan) < PLAN_UNSENT && notify_plan_count(n->plan) < PLAN_TASKS;
	struct news *item;

	pthread_mutex_lock(&n->lock);
	item = list_take(&n->changed);
	if (!item && room)
		item = list_take(&n->first);
	pthread_mutex_unlock(&n->lock);
	return item;
}

static void plan_news(struct notifier *n)
{
	uint64_t until = clock_ns() + PLAN_NS;
	struct news *item;

	while ((item = take_news(n)) != NULL) {
		struct change c = {n, item->apex, item->serial, item->first};

		if (n->access)
			access_targets(n->access, item->apex, add_target, &c);
		free(item);
		if (clock_ns() >= until) {
			uv_async_send(&n->wake);
			return;
		}
	}
}

static void on_news(uv_async_t *wake)
{
	schedule(wake->data);
}

void notifier_changed(void *notifier, const uint8_t *apex, uint32_t serial, bool first)
{
	struct notifier *n = notifier;
	size_t len = name_len(apex);
	struct news *item = malloc(sizeof(*item) + len);

	if (!item)
		return; /* secondaries find out when they refresh */
	item->serial = serial;
	item->first = first;
	memcpy(item->apex, apex, len);
	pthread_mutex_lock(&n->lock);
	list_put(first ? &n->first : &n->changed, item);
	pthread_mutex_unlock(&n->lock);
	uv_async_send(&n->wake);
}

static int open_line(const struct config_node *node, uint8_t family)
{
	struct endpoint at = {.addr = {.family = family}};
	struct sockaddr_storage sa;
	int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < node->management_count; i++)
		if (node->management[i].family == family) {
			at.addr = node->management[i];
			break;
		}
	if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, endpoint_to_sockaddr(&at, &sa)) < 0) {
		log_warn("notify address=%s error=\"%s\" action=\"servers of this family are not told\"", addr_text(&at.addr, text), err_text(-errno));
		close(fd);
		fd = -1;
	}
	return fd;
}

struct notifier *notifier_new(uv_loop_t *loop, const struct config_node *node, struct board_transfers_out *board)
{
	struct notifier *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->loop = loop;
	n->board = board;
	n->plan = notify_plan_new();
	if (!n->plan) {
		free(n);
		return NULL;
	}
	uv_timer_init(loop, &n->timer);
	uv_async_init(loop, &n->wake, on_news);
	n->timer.data = n->wake.data = n;
	n->changed.end = &n->changed.head;
	n->first.end = &n->first.head;
	pthread_mutex_init(&n->lock, NULL);
	for (unsigned i = 0; i < 2; i++) {
		struct line *l = &n->line[i];

		l->fd = node ? open_line(node, i ? 6 : 4) : -1;
		if (l->fd < 0)
			continue;
		uv_poll_init(loop, &l->poll, l->fd);
		l->poll.data = n;
		uv_poll_start(&l->poll, UV_READABLE, on_answer);
	}
	return n;
}

void notifier_free(struct notifier *n)
{
	if (!n)
		return;
	for (unsigned i = 0; i < 2; i++)
		if (n->line[i].fd >= 0) {
			uv_poll_stop(&n->line[i].poll);
			close(n->line[i].fd);
		}
	uv_timer_stop(&n->timer);
	for (struct news *item; (item = list_take(&n->changed)) != NULL || (item = list_take(&n->first)) != NULL;)
		free(item);
	pthread_mutex_destroy(&n->lock);
	notify_plan_free(n->plan);
	access_unref(n->access);
	free(n);
}

void notifier_access(struct notifier *n, struct access *a)
{
	access_unref(n->access);
	n->access = access_ref(a);
}
