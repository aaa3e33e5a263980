/* SPDX-License-Identifier: BSD-2-Clause */
/* One connected socket for each address, so that only that address is heard; the SOA first, and when its serial is right, the zone's digests (ZONEMD, RFC 8976), which
 * prove that the content is the same and not only its number. A pop that has a later version already follows, too. What is lost is asked for again in the next turn. */
#include "cli/followers.h"

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

enum { FOLLOWERS_AT_ONCE = 500, EDNS_SIZE = 1232 };

static bool serves(const struct config_node *n, uint32_t network)
{
	for (size_t i = 0; i < n->network_count; i++)
		if (n->networks[i] == network)
			return n->role == CONFIG_POP;
	return false;
}

int followers_init(struct followers *f, const struct config *c, const struct config_zone *z, uint32_t serial,
                   const json_t *zonemd)
{
	*f = (struct followers){.apex = z->apex, .serial = serial, .zonemd = zonemd};
	f->list = calloc(FOLLOWERS_MAX, sizeof(*f->list));
	if (!f->list)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < c->node_count; i++)
		for (size_t k = 0; serves(&c->nodes[i], z->network) && k < c->nodes[i].management_count; k++)
			f->list[f->count++] = (struct follower){.node = c->nodes[i].name,
			                                        .at = {.addr = c->nodes[i].management[k], .port = 53},
			                                        .fd = -1,
			                                        .why = "not asked yet"};
	return 0;
}

void followers_done(struct followers *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->list[i].fd >= 0)
			close(f->list[i].fd);
	free(f->list);
	*f = (struct followers){.count = 0};
}

static void say(struct follower *w, const char *why)
{
	snprintf(w->why, sizeof(w->why), "%s", why);
}

static void drop(struct follower *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static void ask(const struct followers *f, struct follower *w, uint16_t type)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(&w->at, &sa);
	uint8_t msg[512];
	int n;

	if (w->fd < 0) {
		w->fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (w->fd < 0 || connect(w->fd, (struct sockaddr *)&sa, len) < 0) {
			say(w, err_text(-errno));
			drop(w);
			return;
		}
	}
	w->id = (uint16_t)random_u32();
	w->digests = 0;
	n = message_build_query(msg, sizeof(msg), w->id, f->apex, type, CLASS_IN, EDNS_SIZE, false, false);
	if (n < 0 || send(w->fd, msg, (size_t)n, MSG_NOSIGNAL) != n)
		say(w, err_text(n < 0 ? n : -errno));
}

static bool is_expected(const struct followers *f, const struct message_rr *rr)
{
	struct text text;
	const json_t *v;
	bool found = false;
	size_t i;

	text_init(&text);
	rdata_to_text(RR_ZONEMD, rr->rdata, rr->rdlen, &text);
	json_array_foreach(f->zonemd, i, v)
		found |= json_is_string(v) && strcmp(json_string_value(v), text.chars) == 0;
	text_done(&text);
	return found;
}

static void take_serial(struct followers *f, struct follower *w, uint32_t serial)
{
	w->has_serial = true;
	w->serial = serial;
	if (serial_after(serial, f->serial)) {
		w->follows = true;
		snprintf(w->why, sizeof(w->why), "answers serial %u already", serial);
	} else if (serial != f->serial) {
		snprintf(w->why, sizeof(w->why), "answers serial %u", serial);
	} else if (json_array_size(f->zonemd)) {
		say(w, "answers the serial, but has not told the digest");
		ask(f, w, RR_ZONEMD);
	} else {
		w->follows = true;
		say(w, "answers the serial");
	}
}

static void judge(struct followers *f, struct follower *w, struct message *m, uint16_t qtype)
{
	struct message_rr rr;
	bool found = false;
	char code[12];

	if ((m->header.flags & 15) != RCODE_NOERROR) {
		snprintf(w->why, sizeof(w->why), "answers %s", rcode_text(m->header.flags & 15, code));
		return;
	}
	while (message_next(m, &rr) == 1) {
		if (rr.section != 1 || rr.type != qtype || !name_equal(rr.owner.wire, f->apex))
			continue;
		found = true;
		if (qtype == RR_SOA && rr.rdlen > 20) {
			take_serial(f, w, get_u32(rr.rdata + rr.rdlen - 20));
			return;
		}
		if (qtype == RR_ZONEMD)
			w->digests += is_expected(f, &rr);
	}
	if (qtype == RR_ZONEMD && w->digests >= json_array_size(f->zonemd)) {
		w->follows = true;
		say(w, "answers serial and digest");
	} else {
		say(w, !found ? "answers without the record" : "answers the serial, but another digest");
	}
}

static void hear(struct followers *f, struct follower *w)
{
	uint8_t buf[4096];
	ssize_t n = recv(w->fd, buf, sizeof(buf), MSG_DONTWAIT);
	uint16_t qtype, qclass;
	struct message m;
	struct name qname;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR) {
			say(w, err_text(-errno));
			drop(w);
		}
		return;
	}
	if (message_open(buf, (size_t)n, &m) < 0 || m.header.id != w->id || !(m.header.flags & DNS_QR) ||
	    m.header.qdcount != 1 || message_question(&m, &qname, &qtype, &qclass) < 0 ||
	    !name_equal(qname.wire, f->apex))
		return;
	judge(f, w, &m, qtype);
}

/* Those of list[from..] that do not follow, FOLLOWERS_AT_ONCE of them; *end: where they end. */
static void turn(struct followers *f, size_t from, size_t *end, int wait_ms)
{
	struct pollfd polls[FOLLOWERS_AT_ONCE];
	struct follower *who[FOLLOWERS_AT_ONCE];
	uint64_t until = clock_ms() + (uint64_t)wait_ms;
	size_t n = 0, i;

	for (i = from; i < f->count && n < FOLLOWERS_AT_ONCE; i++) {
		if (f->list[i].follows)
			continue;
		ask(f, &f->list[i], RR_SOA);
		if (f->list[i].fd >= 0)
			who[n++] = &f->list[i];
	}
	*end = i;
	while (n && clock_ms() < until) {
		size_t waiting = 0;

		for (size_t k = 0; k < n; k++) {
			polls[k] = (struct pollfd){.fd = who[k]->follows ? -1 : who[k]->fd, .events = POLLIN};
			waiting += polls[k].fd >= 0;
		}
		if (!waiting || poll(polls, n, (int)(until - clock_ms())) <= 0)
			break;
		for (size_t k = 0; k < n; k++)
			if (polls[k].revents)
				hear(f, who[k]);
	}
	/* Sockets are kept for as many as are asked at once only. */
	for (size_t k = 0; k < n && f->count > FOLLOWERS_AT_ONCE; k++)
		drop(who[k]);
}

size_t followers_ask(struct followers *f, int wait_ms)
{
	size_t left = 0, end;

	for (size_t at = 0; at < f->count; at = end)
		turn(f, at, &end, wait_ms);
	for (size_t i = 0; i < f->count; i++)
		left += !f->list[i].follows;
	return left;
}
