/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/meter.h"

#include "base/clock.h"
#include "base/err.h"
#include "dns/message.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct question {
	uint64_t sent_ns, answered_ns; /* 0: not */
	bool good;
	uint8_t who; /* index in names */
};

struct meter {
	int fd[METER_PORTS];
	pthread_t thread;
	_Atomic bool stop;
	_Atomic uint64_t failed_ms; /* when a failure was last known; 0 never */
	uint8_t query[128];
	size_t query_len;
	_Atomic unsigned asked;     /* written by the thread alone */
	_Atomic unsigned mark;
	unsigned settled;           /* questions before it are decided */
	char names[16][64];
	unsigned name_count;
	struct question questions[METER_QUERIES_MAX];
};

static uint8_t who_is(struct meter *m, const char *nsid)
{
	for (unsigned i = 0; i < m->name_count; i++)
		if (strcmp(m->names[i], nsid) == 0)
			return (uint8_t)i;
	if (m->name_count == ARRAY_LEN(m->names))
		return 0;
	snprintf(m->names[m->name_count], sizeof(m->names[0]), "%s", nsid);
	return (uint8_t)m->name_count++;
}

static void take_answer(struct meter *m, const uint8_t *msg, size_t len)
{
	char nsid[64] = "";
	struct message_rr rr;
	struct message in;
	struct name name;
	uint16_t type, class;
	bool record = false;
	struct question *q;
	unsigned at;

	if (message_open(msg, len, &in) < 0 || !(in.header.flags & DNS_QR))
		return;
	/* The id is the low half of the number; the newest question with it is meant. */
	at = (m->asked & ~0xffffU) | in.header.id;
	if (at >= m->asked && at >= 0x10000)
		at -= 0x10000;
	if (at >= m->asked)
		return;
	q = &m->questions[at];
	if (q->answered_ns || message_question(&in, &name, &type, &class) < 0)
		return;
	q->answered_ns = clock_ns();
	q->good = (in.header.flags & 15) == 0;
	while (message_next(&in, &rr) == 1) {
		record |= rr.section == 1;
		if (rr.type == RR_OPT && rr.rdlen > 4 && get_u16(rr.rdata) == EDNS_NSID)
			snprintf(nsid, sizeof(nsid), "%.*s", (int)MIN(rr.rdlen - 4, 63), (const char *)rr.rdata + 4);
	}
	q->good &= record && q->answered_ns - q->sent_ns <= (uint64_t)METER_LATE_MS * 1000000U;
	q->who = who_is(m, nsid);
	if (!q->good)
		atomic_store(&m->failed_ms, clock_ms());
}

static void read_all(struct meter *m)
{
	uint8_t msg[1500];
	ssize_t n;

	for (unsigned i = 0; i < METER_PORTS; i++)
		while ((n = recv(m->fd[i], msg, sizeof(msg), MSG_DONTWAIT)) > 0)
			take_answer(m, msg, (size_t)n);
}

static void ask(struct meter *m)
{
	struct question *q = &m->questions[m->asked];

	put_u16(m->query, (uint16_t)m->asked);
	q->sent_ns = clock_ns();
	m->asked++;
	/* A send that fails (no route, an ICMP error of before) is a question without an answer. */
	if (send(m->fd[m->asked % METER_PORTS], m->query, m->query_len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		atomic_store(&m->failed_ms, clock_ms());
}

static void settle(struct meter *m, uint64_t now)
{
	while (m->settled < m->asked) {
		const struct question *q = &m->questions[m->settled];

		if (!q->answered_ns && now - q->sent_ns <= (uint64_t)METER_LATE_MS * 1000000U)
			return;
		if (!q->answered_ns)
			atomic_store(&m->failed_ms, clock_ms());
		m->settled++;
	}
}

static void *run(void *arg)
{
	struct meter *m = arg;
	uint64_t next = clock_ns(), end = 0;
	struct pollfd fds[METER_PORTS];

	for (unsigned i = 0; i < METER_PORTS; i++)
		fds[i] = (struct pollfd){.fd = m->fd[i], .events = POLLIN};
	for (;;) {
		uint64_t now = clock_ns();
		struct timespec wait;

		if (atomic_load(&m->stop) && !end)
			end = now + (uint64_t)METER_LATE_MS * 1000000U; /* for answers under way */
		if (end && (now >= end || m->settled == m->asked))
			return NULL;
		for (; !end && now >= next && m->asked < METER_QUERIES_MAX; next += (uint64_t)METER_INTERVAL_MS * 1000000U)
			ask(m);
		now = clock_ns();
		settle(m, now);
		wait = (struct timespec){.tv_nsec = !end && next > now ? (long)MIN(next - now, 999999999U) : 1000000};
		ppoll(fds, METER_PORTS, &wait, NULL);
		read_all(m);
	}
}

int meter_start(const struct lab *l, unsigned client, int family, const char *zone, struct meter **out)
{
	static const uint8_t root[1] = {0};
	struct name name;
	struct meter *m = calloc(1, sizeof(*m));
	struct endpoint to = {.port = 53};
	struct sockaddr_storage sa;
	char ns[LAB_NETNS_MAX];
	socklen_t salen;
	int err = 0, len;

	if (!m)
		return ERR_NO_MEMORY;
	for (unsigned i = 0; i < METER_PORTS; i++)
		m->fd[i] = -1;
	lab_netns(l, 'c', client, ns);
	err = addr_parse(family == 4 ? LAB_ANYCAST_V4 : LAB_ANYCAST_V6, &to.addr);
	salen = endpoint_to_sockaddr(&to, &sa);
	for (unsigned i = 0; !err && i < METER_PORTS; i++) {
		err = lab_socket_in(ns, family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM, &m->fd[i]);
		if (!err && connect(m->fd[i], (struct sockaddr *)&sa, salen) < 0)
			err = ERR_INVALID;
	}
	if (!err)
		err = name_from_text(zone, strlen(zone), root, &name);
	len = err ? 0 : message_build_query(m->query, sizeof(m->query), 0, name.wire, RR_SOA, CLASS_IN, DNS_UDP_DEFAULT, false, true);
	m->query_len = len > 0 ? (size_t)len : 0;
	if (!err && pthread_create(&m->thread, NULL, run, m) != 0)
		err = ERR_NO_MEMORY;
	if (err) {
		for (unsigned i = 0; i < METER_PORTS; i++)
			if (m->fd[i] >= 0)
				close(m->fd[i]);
		free(m);
		return err;
	}
	*out = m;
	return 0;
}

void meter_mark(struct meter *m)
{
	atomic_store(&m->mark, atomic_load(&m->asked));
}

uint64_t meter_quiet_ms(const struct meter *m)
{
	uint64_t at = atomic_load(&m->failed_ms);

	return at ? clock_ms() - at : UINT64_MAX;
}

/* Lost questions of a stretch, and the gap: from the first that failed to the next good one after the last that did. */
static void count_stretch(const struct meter *m, unsigned from, unsigned to, unsigned *lost, double *gap_ms)
{
	uint64_t first = 0, recovered = 0;

	for (unsigned i = from; i < to; i++) {
		const struct question *q = &m->questions[i];

		if (!q->good) {
			++*lost;
			first = first ? first : q->sent_ns;
			recovered = 0;
		} else if (first && !recovered) {
			recovered = q->sent_ns;
		}
	}
	if (first)
		*gap_ms = (double)((recovered ? recovered : m->questions[to - 1].sent_ns) - first) / 1e6;
}

static void count(struct meter *m, struct meter_score *s)
{
	unsigned mark = atomic_load(&m->mark) ? MIN(atomic_load(&m->mark), m->asked) : m->asked;

	memset(s, 0, sizeof(*s));
	s->asked = m->asked;
	count_stretch(m, 0, mark, &s->lost, &s->gap_ms);
	count_stretch(m, mark, m->asked, &s->back_lost, &s->back_gap_ms);
	for (unsigned i = 0; i < m->asked; i++) {
		const struct question *q = &m->questions[i];

		if (!q->good)
			continue;
		s->late_max_ms = MAX(s->late_max_ms, (double)(q->answered_ns - q->sent_ns) / 1e6);
		if (!s->before[0])
			snprintf(s->before, sizeof(s->before), "%s", m->names[q->who]);
		if (!s->moved_ns && strcmp(m->names[q->who], s->before) != 0) {
			snprintf(s->other, sizeof(s->other), "%s", m->names[q->who]);
			s->moved_ns = q->sent_ns;
		}
		snprintf(s->after, sizeof(s->after), "%s", m->names[q->who]);
	}
}

void meter_halt(struct meter *m)
{
	atomic_store(&m->stop, true);
}

void meter_stop(struct meter *m, struct meter_score *out)
{
	atomic_store(&m->stop, true);
	pthread_join(m->thread, NULL);
	count(m, out);
	for (unsigned i = 0; i < METER_PORTS; i++)
		close(m->fd[i]);
	free(m);
}
