/* SPDX-License-Identifier: BSD-2-Clause */
/* Servers outside of the fleet, as the configuration names them: another provider's secondaries, the primary of a third party. They are asked for SOA records by plain questions over UDP, one zone after
 * the other, a question a second at most for each server, less in large fleets, where each node asks. An older serial there is drift of theirs; a newer one says that this node is old, and where all nodes say so,
 * all are, however well they agree among themselves.
 *
 * An answer counts that comes from where it was asked, with the question's id, AA and one SOA of that name. The question goes from a random port, and is not signed: somebody in the path
 * could raise an alarm; nothing else follows from it. Answers other than that say nothing about serials and are passed over, but for NXDOMAIN, REFUSED and SERVFAIL: then the zone is missing there. */
#include "watch/drift_priv.h"

#include "base/clock.h"
#include "base/hash.h"
#include "dns/message.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ASK_MS = 1000,
	ANSWER_MS = 2000,
	NODES_A_SECOND = 10, /* so many nodes of the fleet ask in a second */
	PIECES = 64,         /* answers taken in one turn */
};

static struct drift_server *pending_of(struct drift *d, const struct endpoint *from, uint16_t id)
{
	for (uint32_t i = 0; i < d->server_count; i++) {
		struct drift_server *s = &d->servers[i];

		if (s->pending && s->id == id && s->at.port == from->port && addr_equal(&s->at.addr, &from->addr))
			return s;
	}
	return NULL;
}

enum soa_answer { SOA_NOTHING, SOA_SERIAL, SOA_MISSING };

static enum soa_answer read_answer(const uint8_t *msg, size_t len, const struct name *asked, uint32_t *serial)
{
	uint16_t qtype, qclass;
	struct message_rr rr;
	struct message m;
	struct name qname;
	unsigned rcode;

	if (message_open(msg, len, &m) < 0 || !(m.header.flags & DNS_QR) ||
	    dns_opcode(m.header.flags) != OPCODE_QUERY || m.header.qdcount != 1 ||
	    message_question(&m, &qname, &qtype, &qclass) < 0 || qtype != RR_SOA || qclass != CLASS_IN ||
	    !name_equal(qname.wire, asked->wire))
		return SOA_NOTHING;
	rcode = m.header.flags & 15;
	if (rcode == RCODE_REFUSED || rcode == RCODE_NXDOMAIN || rcode == RCODE_SERVFAIL || rcode == RCODE_NOTAUTH)
		return SOA_MISSING;
	if (rcode || !(m.header.flags & DNS_AA))
		return SOA_NOTHING;
	while (message_next(&m, &rr) > 0)
		if (rr.section == 1 && rr.type == RR_SOA && name_equal(rr.owner.wire, asked->wire) &&
		    message_soa_serial(&m, &rr, serial))
			return SOA_SERIAL;
	return SOA_NOTHING;
}

static void take(struct drift *d, struct drift_server *s, const uint8_t *msg, size_t len)
{
	struct tree_listed there = {0};
	struct finding_look l = {.who = FINDING_OUTSIDE | (uint32_t)(s - d->servers),
	                         .network = s->slot,
	                         .hash = tree_hash(s->asked.wire)};
	enum soa_answer kind = read_answer(msg, len, &s->asked, &there.serial);

	if (kind == SOA_NOTHING || s->slot >= d->table.count || !d->table.ready)
		return;
	s->pending = false;
	s->failures = 0;
	s->heard_ns = clock_ns();
	l.here = tree_find(d->table.network[s->slot].tree, l.hash);
	there.hash = l.hash;
	if (kind == SOA_SERIAL)
		l.there = &there;
	/* A zone that went away here meanwhile is not asked for any more. */
	if (l.here)
		findings_see(&d->findings, &l, s->heard_ns);
}

static void on_answer(uv_poll_t *poll, int status, int events)
{
	struct drift *d = poll->data;
	uv_os_fd_t fd;

	(void)status;
	(void)events;
	if (uv_fileno((uv_handle_t *)poll, &fd) < 0)
		return;
	for (int i = 0; i < PIECES; i++) {
		uint8_t msg[DNS_UDP_DEFAULT];
		struct sockaddr_storage ss;
		socklen_t ss_len = sizeof(ss);
		ssize_t n = recvfrom(fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&ss, &ss_len);
		struct endpoint from;
		struct drift_server *s;

		if (n < 0)
			return;
		if (n < DNS_HEADER_LEN || endpoint_from_sockaddr((const struct sockaddr *)&ss, &from) < 0)
			continue;
		s = pending_of(d, &from, get_u16(msg));
		if (s)
			take(d, s, msg, (size_t)n);
	}
}

/* A socket of its own: what comes to it is the answer of some server, or nothing. */
static bool open_socket(struct drift *d, int f)
{
	uv_poll_t *poll;
	int fd;

	if (d->server_fd[f] >= 0)
		return true;
	fd = socket(f ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	poll = fd < 0 ? NULL : calloc(1, sizeof(*poll));
	if (!poll || uv_poll_init(&d->watch->loop, poll, fd) < 0) {
		free(poll);
		if (fd >= 0)
			close(fd);
		return false;
	}
	poll->data = d;
	uv_poll_start(poll, UV_READABLE, on_answer);
	d->server_fd[f] = fd;
	d->server_poll[f] = poll;
	return true;
}

/* Where is this zone of ours? UINT32_MAX: it is none. */
static uint32_t slot_of(const struct drift *d, const uint8_t *apex)
{
	uint64_t hash = tree_hash(apex);

	for (uint32_t i = 0; i < d->table.count; i++)
		if (tree_find(d->table.network[i].tree, hash))
			return i;
	return UINT32_MAX;
}

static bool next_listed(struct drift *d, struct drift_server *s)
{
	for (size_t i = 0; i < s->from->zone_count; i++) {
		const uint8_t *apex = s->from->zones[s->turn++ % s->from->zone_count];

		s->slot = slot_of(d, apex);
		if (s->slot == UINT32_MAX)
			continue;
		name_copy(&s->asked, apex);
		return true;
	}
	return false;
}

/* In the order of the store: all zones of all networks that are followed. */
static bool next_of_all(struct drift *d, struct drift_server *s)
{
	if (!d->table.at.base)
		return false;
	for (unsigned i = 0; i < PIECES; i++) {
		const struct store_zone *z = store_zone_next(&d->table.at, s->cursor.len ? s->cursor.wire : NULL);

		if (!z) {
			if (!s->cursor.len)
				return false;
			s->cursor.len = 0;
			continue;
		}
		name_copy(&s->cursor, store_zone_apex(z));
		s->slot = slot_of(d, s->cursor.wire);
		if (s->slot == UINT32_MAX)
			continue;
		name_copy(&s->asked, s->cursor.wire);
		return true;
	}
	return false;
}

/* Every second question is about something that was found before: it is to be confirmed, or to end, long before the round comes to it again. */
static bool next_found(struct drift *d, struct drift_server *s, uint64_t now_ns)
{
	const struct finding *f = s->asked_count++ % 2
	                                  ? findings_oldest(&d->findings, FINDING_OUTSIDE | (uint32_t)(s - d->servers))
	                                  : NULL;
	const struct tree_zone *z =
		f && f->network < d->table.count && now_ns - f->seen_ns >= FINDING_CONFIRM_MS * 1000000ULL
			? tree_find(d->table.network[f->network].tree, f->hash)
			: NULL;

	if (!z)
		return false;
	s->slot = f->network;
	name_copy(&s->asked, z->name);
	return true;
}

static bool next_zone(struct drift *d, struct drift_server *s, uint64_t now_ns)
{
	return next_found(d, s, now_ns) || (s->from->zone_count ? next_listed(d, s) : next_of_all(d, s));
}

static void ask(struct drift *d, struct drift_server *s, uint64_t now_ns)
{
	uint8_t msg[DNS_UDP_MIN];
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&s->at, &ss);
	int f = s->at.addr.family == 6, n;

	if (!open_socket(d, f) || !next_zone(d, s, now_ns))
		return;
	s->id = (uint16_t)random_u32();
	n = message_build_query(msg, sizeof(msg), s->id, s->asked.wire, RR_SOA, CLASS_IN, DNS_UDP_DEFAULT, false,
	                        false);
	if (n < 0)
		return;
	s->pending = true;
	s->sent_ns = now_ns;
	d->asked++;
	if (sendto(d->server_fd[f], msg, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&ss, len) < 0)
		s->failures++;
}

void drift_servers_step(struct drift *d, uint64_t now_ns)
{
	uint64_t nodes = d->watch->role->config->node_count,
		 pace_ms = ASK_MS * MAX(nodes / NODES_A_SECOND, (uint64_t)1);

	for (uint32_t i = 0; i < d->server_count; i++) {
		struct drift_server *s = &d->servers[i];

		if (s->pending && now_ns - s->sent_ns < ANSWER_MS * 1000000ULL)
			continue;
		if (s->pending) {
			s->pending = false;
			s->failures++;
		}
		if (now_ns < s->due_ns)
			continue;
		s->due_ns = now_ns + pace_ms * 1000000U;
		ask(d, s, now_ns);
	}
}

void drift_servers_replan(struct drift *d)
{
	const struct config_drift *c = &d->watch->role->config->drift;

	/* What was found about servers is found again within a round. */
	for (uint32_t i = 0; i < d->server_count; i++)
		for (uint32_t slot = 0; slot < CONFIG_NETWORKS_MAX; slot++)
			findings_clear(&d->findings, FINDING_OUTSIDE | i, slot, (struct tree_place){0});
	memset(d->servers, 0, sizeof(d->servers));
	d->server_count = (uint32_t)MIN(c->reference_count, (size_t)SERVERS_MAX);
	for (uint32_t i = 0; i < d->server_count; i++) {
		d->servers[i].at = c->references[i].server;
		d->servers[i].from = &c->references[i];
	}
}
