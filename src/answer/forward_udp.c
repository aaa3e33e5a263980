/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP sockets to backends: connected, so that only the server's own datagrams come in, and with ports that the kernel draws. A server has a few of them; each batch of questions leaves by the next
 * one, and every FORWARD_RENEW_MS one that has rested is replaced and the one after it rests. An id is random (forward.c); together with the port, of which there is a choice of four, that is what
 * somebody who forges answers has to guess, beside the moment.
 *
 * Questions are gathered while a batch of clients' is gone through, and leave by one call for each server. */
#include "answer/forward_priv.h"
#include "base/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READ_TURNS = 4, RECEIVE_BUFFER = 1 << 20, EVENTS = 64 };

static int open_line(const struct forward *fw, const struct endpoint *at)
{
	struct endpoint own = {.addr = fw->own[at->addr.family == 6]};
	struct sockaddr_storage a;
	socklen_t len;

	for (int bound = own.addr.family != 0; bound >= 0; bound--) {
		int fd = socket(at->addr.family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), size = RECEIVE_BUFFER;

		if (fd < 0)
			return -1;
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); /* less will do, with more loss */
		len = endpoint_to_sockaddr(&own, &a);
		if (bound && bind(fd, (const struct sockaddr *)&a, len) < 0) {
			close(fd);
			continue;
		}
		len = endpoint_to_sockaddr(at, &a);
		if (connect(fd, (const struct sockaddr *)&a, len) == 0)
			return fd;
		close(fd); /* an address of loopback reaches nothing beyond it, for one: then as the kernel chooses */
	}
	return -1;
}

static bool ensure_line(struct forward *fw, uint16_t row, uint8_t line)
{
	struct forward_server *s = &fw->servers[row];
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = row * (uint32_t)FORWARD_LINES + line};

	if (s->fd[line] >= 0)
		return true;
	s->fd[line] = open_line(fw, &s->at);
	if (s->fd[line] >= 0 && epoll_ctl(fw->epoll, EPOLL_CTL_ADD, s->fd[line], &e) < 0) {
		close(s->fd[line]);
		s->fd[line] = -1;
	}
	return s->fd[line] >= 0;
}

void forward_udp_close(struct forward *fw, uint16_t row)
{
	for (unsigned i = 0; i < FORWARD_LINES; i++) {
		if (fw->servers[row].fd[i] >= 0)
			close(fw->servers[row].fd[i]);
		fw->servers[row].fd[i] = -1;
	}
}

static void next_line(struct forward_server *s)
{
	do
		s->line = (uint8_t)((s->line + 1) % FORWARD_LINES);
	while (s->line == s->resting);
}

/* Whoever has rested is new; its successor rests. What was asked over that one is answered by the time it is closed. */
void forward_udp_renew(struct forward *fw)
{
	for (unsigned i = 0; i < BOARD_BACKENDS_MAX; i++) {
		struct forward_server *s = &fw->servers[i];

		if (!fw->facts[i].key || !s->used)
			continue;
		s->used = false;
		if (s->fd[s->resting] >= 0)
			close(s->fd[s->resting]);
		s->fd[s->resting] = -1;
		s->resting = (uint8_t)((s->resting + 1) % FORWARD_LINES);
		if (s->line == s->resting)
			next_line(s);
	}
}

bool forward_udp_ask(struct forward *fw, uint16_t row, uint8_t *line)
{
	struct forward_server *s = &fw->servers[row];

	if (s->line == s->resting)
		next_line(s);
	if (!ensure_line(fw, row, s->line))
		return false;
	s->used = true;
	*line = s->line;
	return true;
}

uint8_t *forward_udp_room(struct forward *fw)
{
	if (fw->asks.count == FORWARD_BATCH)
		forward_udp_flush(fw);
	return fw->asks.octets[fw->asks.count];
}

void forward_udp_put(struct forward *fw, uint16_t row, uint8_t line, uint16_t id, size_t len)
{
	fw->asks.ask[fw->asks.count++] = (struct forward_ask_out){.row = row, .id = id, .len = (uint16_t)len, .line = line};
}

/* A connected socket reports with the next call what became of datagrams before it (ECONNREFUSED: nobody has that port): that is the server's failure, and this datagram has another chance. */
static void send_to(struct forward *fw, int fd, struct mmsghdr *out, const unsigned *which, unsigned count)
{
	unsigned sent = 0, tries = 0;

	while (sent < count) {
		int n = sendmmsg(fd, out + sent, count - sent, MSG_DONTWAIT);
		const struct forward_ask_out *a;

		if (n > 0) {
			sent += (unsigned)n;
			tries = 0;
			continue;
		}
		if (errno == EINTR || (errno == ECONNREFUSED && !tries++))
			continue;
		a = &fw->asks.ask[which[sent]];
		board_add(&fw->worker->board->edge.server[fw->servers[a->row].place].errors, 1);
		forward_try_failed(fw, a->row, a->line, a->id);
		sent++;
		tries = 0;
	}
}

void forward_udp_flush(struct forward *fw)
{
	struct mmsghdr out[FORWARD_BATCH];
	struct iovec iov[FORWARD_BATCH];
	unsigned which[FORWARD_BATCH], count = fw->asks.count;
	bool gone[FORWARD_BATCH] = {false};

	for (unsigned i = 0; i < count; i++) {
		const struct forward_ask_out *first = &fw->asks.ask[i];
		struct forward_server *s = &fw->servers[first->row];
		unsigned n = 0;

		if (gone[i])
			continue;
		for (unsigned k = i; k < count; k++) {
			const struct forward_ask_out *a = &fw->asks.ask[k];

			if (gone[k] || a->row != first->row || a->line != first->line)
				continue;
			gone[k] = true;
			iov[n] = (struct iovec){fw->asks.octets[k], a->len};
			out[n] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[n], .msg_iovlen = 1}};
			which[n++] = k;
		}
		if (s->fd[first->line] < 0)
			continue; /* closed since: by a reload, which has taken the tries back */
		board_add(&fw->worker->board->edge.server[s->place].sent, n);
		send_to(fw, s->fd[first->line], out, which, n);
		if (s->line == first->line)
			next_line(s);
	}
	fw->asks.count = 0;
}

static void read_line(struct forward *fw, uint16_t row, uint8_t line)
{
	for (int turn = 0; turn < READ_TURNS; turn++) {
		int fd = fw->servers[row].fd[line], n;
		uint64_t now_ns;

		if (fd < 0)
			return;
		for (unsigned i = 0; i < FORWARD_BATCH; i++) {
			fw->in_iov[i] = (struct iovec){fw->in_octets[i], FORWARD_IN_MAX};
			fw->in[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &fw->in_iov[i], .msg_iovlen = 1}};
		}
		n = recvmmsg(fd, fw->in, FORWARD_BATCH, MSG_DONTWAIT, NULL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			board_add(&fw->worker->board->edge.server[fw->servers[row].place].errors, 1);
			edge_server_refused(&fw->facts[row], fw->worker->now_ns);
			continue; /* the error is told once */
		}
		if (n <= 0)
			return;
		now_ns = clock_ns();
		for (int i = 0; i < n; i++) {
			if (fw->in[i].msg_hdr.msg_flags & MSG_TRUNC)
				board_add(&fw->worker->board->edge.strange, 1);
			else
				forward_take_reply(fw, row, line, fw->in_octets[i], fw->in[i].msg_len, now_ns);
		}
		if (n < FORWARD_BATCH)
			return;
	}
}

void forward_udp_serve(struct forward *fw)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(fw->epoll, events, EVENTS, 0);

	for (int i = 0; i < n; i++)
		read_line(fw, (uint16_t)(events[i].data.u32 / FORWARD_LINES), (uint8_t)(events[i].data.u32 % FORWARD_LINES));
}
