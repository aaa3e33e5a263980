/* SPDX-License-Identifier: BSD-2-Clause */
/* The questions of a trace: NAME TYPE, and beside it the SOA of the zone, to each server, many at a time. Over UDP each is asked up to three times, and what comes truncated
 * is asked for again over TCP, as resolvers do. One connected socket for each question, so that only who was asked is heard. */
#include "cli/trace.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "dns/message.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ASKS_AT_ONCE = 200,
	ASK_TRIES = 3,
	ASK_TRY_MS = 1000,
	ASK_TCP_MS = 4000,
	NSID_LEN = 4,   /* octets of options in a question */
	ASK_SIZE = 512, /* octets of a question with its length before it */
};

enum ask_state { ASK_WAITS, ASK_UDP, ASK_CONNECTS, ASK_READS, ASK_DONE };
struct ask {
	struct trace_target *target;
	bool soa;    /* the second question */
	bool counts; /* the serial is taken from its answer */
	const uint8_t *name;
	uint16_t type;
	const struct ip_prefix *subnet; /* NULL: none is told */
	enum ask_state state;
	int fd;
	unsigned tries;
	uint16_t id;                 /* of the first try; each has the next one */
	uint64_t sent_ns[ASK_TRIES]; /* TCP: [0], when the connection was begun */
	uint64_t until_ms;           /* of this try */
	uint8_t *msg;                /* over TCP: DNS_MESSAGE_MAX octets and the length */
	size_t have;
	char why[TRACE_WHY_MAX];
};

static void end(struct ask *a, const char *why)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	free(a->msg);
	a->msg = NULL;
	a->state = ASK_DONE;
	if (!a->soa && !a->target->answered)
		snprintf(a->target->why, sizeof(a->target->why), "%s", why);
}

static bool open_socket(struct ask *a, const struct ip_addr *from, int type)
{
	struct sockaddr_storage to, source;
	socklen_t len = endpoint_to_sockaddr(&a->target->at, &to), source_len;
	struct endpoint here = {.addr = *from};

	if (a->fd >= 0)
		close(a->fd);
	a->fd = socket(to.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (a->fd < 0)
		return false;
	if (from->family) {
		source_len = endpoint_to_sockaddr(&here, &source);
		if (bind(a->fd, (struct sockaddr *)&source, source_len) < 0)
			return false;
	}
	return connect(a->fd, (struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS;
}

static int question(const struct ask *a, uint8_t *msg)
{
	int n = message_build_query(msg + 2, ASK_SIZE - 2, (uint16_t)(a->id + a->tries), a->name, a->type, CLASS_IN,
	                            DNS_UDP_DEFAULT, false, true);

	return n < 0 || !a->subnet ? n : message_add_subnet(msg + 2, ASK_SIZE - 2, (size_t)n, NSID_LEN, a->subnet);
}

static void begin_tcp(struct ask *a, const struct ip_addr *from)
{
	a->tries = 0;
	a->have = 0;
	a->msg = malloc(2 + DNS_MESSAGE_MAX);
	a->sent_ns[0] = clock_ns();
	a->until_ms = clock_ms() + ASK_TCP_MS;
	a->state = ASK_CONNECTS;
	if (!a->msg || !open_socket(a, from, SOCK_STREAM))
		end(a, a->msg ? err_text(-errno) : err_text(ERR_NO_MEMORY));
}

static void try_udp(struct ask *a, const struct ip_addr *from)
{
	uint8_t msg[ASK_SIZE];
	int n = question(a, msg);

	a->state = ASK_UDP;
	a->sent_ns[a->tries] = clock_ns();
	a->until_ms = clock_ms() + ASK_TRY_MS;
	a->tries++;
	if (a->fd < 0 && !open_socket(a, from, SOCK_DGRAM)) {
		snprintf(a->why, sizeof(a->why), "%s", err_text(-errno));
		if (a->fd >= 0)
			close(a->fd);
		a->fd = -1; /* opened anew with the next try */
	} else if (n < 0 || send(a->fd, msg + 2, (size_t)n, MSG_NOSIGNAL) != n) {
		snprintf(a->why, sizeof(a->why), "%s", err_text(n < 0 ? n : -errno));
	}
}

/* Is it the answer to one of the tries? */
static bool is_answer(const struct ask *a, const uint8_t *msg, size_t len, unsigned *which)
{
	struct message m;
	struct name qname;
	uint16_t type, class;

	if (message_open(msg, len, &m) < 0 || !(m.header.flags & DNS_QR) ||
	    (uint16_t)(m.header.id - a->id) >= ASK_TRIES)
		return false;
	*which = (uint16_t)(m.header.id - a->id);
	if (m.header.qdcount == 0)
		return (m.header.flags & 15) != RCODE_NOERROR;
	return message_question(&m, &qname, &type, &class) == 0 && name_equal(qname.wire, a->name) && type == a->type &&
	       class == CLASS_IN;
}

static bool is_truncated(const uint8_t *msg)
{
	return get_u16(msg + 2) & DNS_TC;
}

static void take_serial(struct trace_target *w, const struct trace_answer *answer)
{
	w->has_serial = answer->has_serial;
	w->serial = answer->serial;
}

static void take(struct ask *a, const uint8_t *msg, size_t len, unsigned which, bool tcp)
{
	uint64_t now = clock_ns();
	struct trace_answer answer;
	struct trace_target *w = a->target;
	int rc = trace_answer_read(msg, len, &answer);

	if (rc < 0) {
		snprintf(a->why, sizeof(a->why), "the answer is not understood: %s", err_text(rc));
		end(a, a->why);
		return;
	}
	if (a->counts)
		take_serial(w, &answer);
	if (a->soa) {
		trace_answer_done(&answer);
	} else {
		w->answered = true;
		w->by_tcp = tcp;
		w->ms = (double)(now - a->sent_ns[which]) / 1e6;
		w->answer = answer;
		w->why[0] = '\0';
	}
	end(a, "");
}

static void hear_udp(struct ask *a, const struct ip_addr *from)
{
	uint8_t msg[4096];
	ssize_t n = recv(a->fd, msg, sizeof(msg), MSG_DONTWAIT);
	unsigned which;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		snprintf(a->why, sizeof(a->why), "%s", err_text(-errno));
	if (n < 0 || !is_answer(a, msg, (size_t)n, &which))
		return;
	if (is_truncated(msg))
		begin_tcp(a, from);
	else
		take(a, msg, (size_t)n, which, false);
}

static void send_tcp(struct ask *a)
{
	uint8_t msg[ASK_SIZE];
	int n = question(a, msg), err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err) {
		end(a, err_text(-(err ? err : errno)));
		return;
	}
	put_u16(msg, (uint16_t)MAX(n, 0));
	/* So few octets fit into a new connection's buffer at once. */
	if (n < 0 || send(a->fd, msg, 2 + (size_t)n, MSG_NOSIGNAL) != 2 + n)
		end(a, err_text(n < 0 ? n : -errno));
	else
		a->state = ASK_READS;
}

static void hear_tcp(struct ask *a)
{
	ssize_t n = recv(a->fd, a->msg + a->have, 2 + (size_t)DNS_MESSAGE_MAX - a->have, MSG_DONTWAIT);
	unsigned which;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			end(a, n == 0 ? "the connection was closed without an answer" : err_text(-errno));
		return;
	}
	a->have += (size_t)n;
	if (a->have < 2 || a->have < 2U + get_u16(a->msg))
		return;
	if (is_answer(a, a->msg + 2, get_u16(a->msg), &which) && which == 0)
		take(a, a->msg + 2, get_u16(a->msg), 0, true);
	else
		end(a, "what came is no answer to the question");
}

/* Its time is over. */
static void late(struct ask *a, const struct ip_addr *from)
{
	char why[TRACE_WHY_MAX];

	if (a->state == ASK_UDP && a->tries < ASK_TRIES) {
		try_udp(a, from);
		return;
	}
	if (a->state != ASK_UDP)
		snprintf(why, sizeof(why), "no answer over TCP within %d s", ASK_TCP_MS / 1000);
	else if (*a->why)
		snprintf(why, sizeof(why), "%.*s", TRACE_WHY_MAX - 1, a->why);
	else
		snprintf(why, sizeof(why), "no answer to %d questions in %d s", ASK_TRIES,
		         ASK_TRIES * ASK_TRY_MS / 1000);
	end(a, why);
}

static void turn(struct ask **active, size_t n, const struct ip_addr *from)
{
	struct pollfd polls[ASKS_AT_ONCE];
	uint64_t first = UINT64_MAX, now = clock_ms();

	for (size_t i = 0; i < n; i++) {
		polls[i] = (struct pollfd){.fd = active[i]->fd,
		                           .events = active[i]->state == ASK_CONNECTS ? POLLOUT : POLLIN};
		first = MIN(first, active[i]->until_ms);
	}
	if (poll(polls, n, first > now ? (int)(first - now) : 0) < 0)
		return;
	now = clock_ms();
	for (size_t i = 0; i < n; i++) {
		struct ask *a = active[i];

		if (polls[i].revents && a->state == ASK_UDP)
			hear_udp(a, from);
		else if (polls[i].revents && a->state == ASK_CONNECTS)
			send_tcp(a);
		else if (polls[i].revents && a->state == ASK_READS)
			hear_tcp(a);
		if (a->state != ASK_DONE && now >= a->until_ms)
			late(a, from);
	}
}

static void run(struct ask *list, size_t count, const struct ip_addr *from, bool tcp)
{
	struct ask *active[ASKS_AT_ONCE];
	size_t n = 0, next = 0;

	for (;;) {
		for (size_t i = 0; i < n;)
			if (active[i]->state == ASK_DONE)
				active[i] = active[--n];
			else
				i++;
		while (n < ASKS_AT_ONCE && next < count) {
			struct ask *a = &list[next++];

			if (tcp)
				begin_tcp(a, from);
			else
				try_udp(a, from);
			if (a->state != ASK_DONE)
				active[n++] = a;
		}
		if (!n)
			return;
		turn(active, n, from);
	}
}

int trace_ask(struct trace *t, const struct ip_addr *from)
{
	const uint8_t *apex = t->zone ? t->zone->apex : t->name.wire;
	bool beside = t->type != RR_SOA || !name_equal(apex, t->name.wire);
	struct ask *list = calloc(2 * t->count + 1, sizeof(*list));
	size_t n = 0;

	if (!list)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < t->count; i++) {
		struct trace_target *w = &t->targets[i];

		for (int k = 0; k < 1 + beside; k++)
			list[n++] = (struct ask){.target = w,
			                         .soa = k == 1,
			                         .counts = k == 1 || !beside,
			                         .name = k == 1 ? apex : t->name.wire,
			                         .type = k == 1 ? RR_SOA : t->type,
			                         .subnet = k == 0 && t->subnet.addr.family ? &t->subnet : NULL,
			                         .fd = -1,
			                         .id = (uint16_t)random_u32()};
	}
	run(list, n, from, t->tcp);
	free(list);
	return 0;
}
