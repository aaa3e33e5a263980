/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP: batches in by recvmmsg(2), answered under one pin of the store, out by sendmmsg(2). On a wildcard address the control data of
 * each datagram, which names its destination, is sent back with the answer, so that it leaves from there.
 *
 * Memory is laid out for the caches. A datagram may be long but hardly any is: buffers for queries begin in different sets of the first-level cache, not
 * a page apart; answers stand close together, each where the one before ended; all of it asks for one huge page. */
#include "answer/udp.h"

#include "answer/forward.h"
#include "answer/pass.h"
#include "answer/worker.h"
#include "proc/handover.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum {
	UDP_BATCH = 64,
	UDP_AGAIN = 16,       /* after a batch of so many there are probably more by now: asked for without a wait between */
	UDP_IN_MAX = 4096,    /* a longer query is malformed for every use of UDP that exists */
	UDP_OUT_MAX = 4096,
	UDP_IN_STRIDE = UDP_IN_MAX + 5 * 64, /* an odd number of cache lines: 64 buffers, 64 sets */
	UDP_CONTROL = 128,
	UDP_SEND_TRIES = 3,
	HUGE_PAGE = 2 << 20,
};

struct udp {
	struct mmsghdr in[UDP_BATCH], out[UDP_BATCH];
	struct iovec in_iov[UDP_BATCH], out_iov[UDP_BATCH];
	struct sockaddr_storage peer[UDP_BATCH];
	unsigned origin[UDP_BATCH]; /* of each answer: the query's place in `in` */
	_Alignas(struct cmsghdr) uint8_t control[UDP_BATCH][UDP_CONTROL];
	_Alignas(64) uint8_t in_bytes[UDP_BATCH][UDP_IN_STRIDE];
	_Alignas(64) uint8_t out_bytes[UDP_BATCH * UDP_OUT_MAX];
};

static size_t udp_octets(void)
{
	return (sizeof(struct udp) + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);
}

struct udp *udp_new(void)
{
	struct udp *u = aligned_alloc(HUGE_PAGE, udp_octets());

	if (!u)
		return NULL;
	(void)madvise(u, udp_octets(), MADV_HUGEPAGE); /* without it is slower, no more */
	memset(u, 0, sizeof(*u));
	for (int i = 0; i < UDP_BATCH; i++) {
		u->in_iov[i] = (struct iovec){u->in_bytes[i], UDP_IN_MAX};
		u->in[i].msg_hdr.msg_iov = &u->in_iov[i];
		u->in[i].msg_hdr.msg_iovlen = 1;
		u->in[i].msg_hdr.msg_name = &u->peer[i];
		u->out[i].msg_hdr.msg_iovlen = 1;
	}
	return u;
}

void udp_free(struct udp *u)
{
	free(u);
}

/* The interface cannot take an answer whole: one that fits in the least every path takes, truncated, so that the client comes by TCP
 * (RFC 9715 R4). False: it is that small already. */
static bool shrink(struct udp *u, struct worker *w, unsigned reply)
{
	unsigned i = u->origin[reply];
	struct engine_request request = {.transport = ENGINE_UDP, .now_s = w->now_s, .msg = u->in_bytes[i], .len = u->in[i].msg_len};
	struct store_snapshot snapshot;
	struct engine_result result;

	if (u->out_iov[reply].iov_len <= DNS_UDP_MIN)
		return false;
	client_of_peer(&u->peer[i], &request.client);
	store_pin(w->store, &snapshot);
	engine_answer(&w->settings->engine, &snapshot, w->scratch, &request, u->out_iov[reply].iov_base, DNS_UDP_MIN, &result);
	store_unpin(w->store);
	u->out_iov[reply].iov_len = result.len;
	board_add(&w->board->too_big, 1);
	return result.len > 0;
}

/* A full send buffer is waited out a few times, then the rest of the batch is lost and counted: UDP promises no more, and a worker
 * never blocks. An error concerns the first datagram left only. */
static void send_all(struct udp *u, struct worker *w, int fd, unsigned count)
{
	unsigned sent = 0, tries = 0;

	while (sent < count) {
		int n = sendmmsg(fd, u->out + sent, count - sent, MSG_DONTWAIT);

		if (n > 0) {
			sent += (unsigned)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS) {
			if (++tries < UDP_SEND_TRIES)
				continue;
			board_add(&w->board->send_failed, count - sent);
			return;
		}
		if (errno == EMSGSIZE && shrink(u, w, sent))
			continue;
		board_add(&w->board->send_failed, 1);
		sent++;
	}
}

/* Only the destination travels back: other control data would be refused by sendmsg. */
static void reply_control(struct msghdr *in, struct msghdr *out)
{
	out->msg_control = NULL;
	out->msg_controllen = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(in); c; c = CMSG_NXTHDR(in, c)) {
		bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO;
		bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO;

		if (!v4 && !v6)
			continue;
		if (v4) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			info.ipi_spec_dst = info.ipi_addr;
			info.ipi_ifindex = 0;
			memcpy(CMSG_DATA(c), &info, sizeof(info));
		}
		out->msg_control = c;
		out->msg_controllen = CMSG_SPACE(v4 ? sizeof(struct in_pktinfo) : sizeof(struct in6_pktinfo));
		return;
	}
}

/* Where a datagram came to, on a wildcard address. */
static void destination(struct msghdr *in, struct ip_addr *out)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(in); c; c = CMSG_NXTHDR(in, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			*out = (struct ip_addr){.family = 4};
			memcpy(out->bytes, &info.ipi_addr, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			*out = (struct ip_addr){.family = 6, .zone = info.ipi6_ifindex};
			memcpy(out->bytes, &info.ipi6_addr, 16);
		}
	}
}

/* Sync, or watch, answers from the same socket. */
static bool hand_over(struct udp *u, struct worker *w, int fd, unsigned i, bool wildcard, bool status)
{
	struct handover head = {.kind = HANDOVER_UDP, .status = status, .peer = u->peer[i], .len = u->in[i].msg_len};

	if (wildcard)
		destination(&u->in[i].msg_hdr, &head.local);
	return worker_hand_over(w, &head, u->in_bytes[i], fd);
}

/* Backends are asked; the answer leaves when there is one. */
static bool ask_backends(struct udp *u, struct worker *w, const struct udp_source *from, unsigned i, const struct engine_request *request, const struct engine_result *result)
{
	struct forward_client who = {.transport = ENGINE_UDP, .addr = request->client, .port = request->port, .local = from->at, .fd = from->fd, .wildcard = from->wildcard, .peer = &u->peer[i]};

	if (from->wildcard)
		destination(&u->in[i].msg_hdr, &who.local.addr);
	if (result->pass)
		return passes_take(w->passes, &who, result, request->msg, request->len);
	return forward_ask(w, &who, request->msg, request->len, result);
}

void udp_serve(struct udp *u, struct worker *w, const struct udp_source *from, int turns)
{
	bool wildcard = from->wildcard;
	int fd = from->fd;

	for (int turn = 0; turn < turns; turn++) {
		struct engine_request request = {.transport = ENGINE_UDP, .now_s = w->now_s};
		struct store_snapshot snapshot;
		uint8_t *room = u->out_bytes; /* for the next answer: what is left holds one of UDP_OUT_MAX for each query left */
		unsigned replies = 0;
		uint64_t bytes_in = 0;
		int n;

		for (int i = 0; i < UDP_BATCH; i++) {
			u->in[i].msg_hdr.msg_namelen = sizeof(u->peer[i]);
			u->in[i].msg_hdr.msg_control = wildcard ? u->control[i] : NULL;
			u->in[i].msg_hdr.msg_controllen = wildcard ? UDP_CONTROL : 0;
		}
		n = recvmmsg(fd, u->in, UDP_BATCH, MSG_DONTWAIT, NULL);
		if (n <= 0)
			return;
		w->local = from->at;
		store_pin(w->store, &snapshot);
		for (int i = 0; i < n; i++) {
			struct msghdr *in = &u->in[i].msg_hdr, *out = &u->out[replies].msg_hdr;
			struct engine_result result;

			bytes_in += u->in[i].msg_len;
			/* Port 0 cannot be answered; a cut-off datagram was never a query. */
			request.port = port_of_peer(&u->peer[i]);
			if (!request.port || (in->msg_flags & MSG_TRUNC)) {
				board_add(&w->board->dropped, 1);
				continue;
			}
			request.msg = u->in_bytes[i];
			request.len = u->in[i].msg_len;
			client_of_peer(&u->peer[i], &request.client);
			request.sync = from->manages ? ENGINE_SYNC_PASS : ENGINE_SYNC_NEVER;
			request.waits = w->forward != NULL;
			if (wildcard && w->tap_pace.every)
				destination(in, &w->local.addr);
			worker_answer(w, &snapshot, &request, room, UDP_OUT_MAX, &result);
			if (result.for_sync && !hand_over(u, w, fd, (unsigned)i, wildcard, result.for_watch)) {
				request.sync = ENGINE_SYNC_BUSY;
				worker_answer(w, &snapshot, &request, room, UDP_OUT_MAX, &result);
			}
			if (result.for_backends && !ask_backends(u, w, from, (unsigned)i, &request, &result)) {
				request.waits = false;
				worker_answer(w, &snapshot, &request, room, UDP_OUT_MAX, &result);
			}
			if (result.refresh)
				forward_refresh(w, &request.client, &result);
			if (!result.len)
				continue;
			u->out_iov[replies] = (struct iovec){room, result.len};
			room += (result.len + 63) & ~(size_t)63;
			u->origin[replies] = (unsigned)i;
			out->msg_iov = &u->out_iov[replies];
			out->msg_name = &u->peer[i];
			out->msg_namelen = in->msg_namelen;
			out->msg_control = NULL;
			out->msg_controllen = 0;
			if (wildcard)
				reply_control(in, out);
			replies++;
		}
		store_unpin(w->store);
		board_add(&w->board->queries[0][from->v6], (uint64_t)n);
		board_add(&w->board->bytes_in, bytes_in);
		measures_network(&w->measures, from->network, from->v6, (uint64_t)n);
		if (replies)
			send_all(u, w, fd, replies);
		forward_flush(w);
		/* One look at the clock for a batch: all of it was read by one call and sent by one. Where several sockets are served in a turn, each begins where the last
		 * one ended. */
		w->now_ns = measures_latency(&w->measures, ENGINE_UDP, replies, w->now_ns);
		if (n < UDP_AGAIN)
			return;
		if (!from->urgent)
			worker_serve_urgent(w, 1); /* one: a flood of management must not push out service either */
	}
}
