/* SPDX-License-Identifier: BSD-2-Clause */
/* Typed messages between the supervisor and its roles, one SOCK_SEQPACKET packet each, with at most one descriptor attached. */
#include "base/err.h"
#include "proc/role.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int role_send(int fd, const struct role_message *m, int attach_fd)
{
	struct iovec iov = {(void *)(uintptr_t)m, offsetof(struct role_message, text) + MIN(m->text_len, ROLE_TEXT_MAX)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (attach_fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &attach_fd, sizeof(int));
	}
	for (;;) {
		if (sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

int role_receive(int fd, struct role_message *m, int *attached)
{
	struct iovec iov = {m, sizeof(*m)};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *c;
	ssize_t n;

	*attached = -1;
	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : errno == ECONNRESET ? ERR_CLOSED : -errno;
	if (n == 0)
		return ERR_CLOSED;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(attached, CMSG_DATA(c), sizeof(int));
	if ((size_t)n < offsetof(struct role_message, text) || m->text_len > ROLE_TEXT_MAX ||
	    (size_t)n != offsetof(struct role_message, text) + m->text_len) {
		if (*attached >= 0)
			close(*attached);
		*attached = -1;
		return ERR_MALFORMED;
	}
	if (m->text_len < ROLE_TEXT_MAX)
		m->text[m->text_len] = '\0';
	else
		m->text[ROLE_TEXT_MAX - 1] = '\0';
	return 1;
}
