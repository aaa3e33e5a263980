/* SPDX-License-Identifier: BSD-2-Clause */
/* Typed messages between the supervisor and its roles, one SOCK_SEQPACKET packet each, with at most one descriptor attached. */
#include "base/err.h"
#include "proc/packet.h"
#include "proc/role.h"

#include <stddef.h>
#include <unistd.h>

int role_send(int fd, const struct role_message *m, int attach_fd)
{
	struct iovec iov = {(void *)(uintptr_t)m, offsetof(struct role_message, text) + MIN(m->text_len, ROLE_TEXT_MAX)};

	return packet_send(fd, &iov, 1, attach_fd);
}

int role_receive(int fd, struct role_message *m, int *attached)
{
	struct iovec iov = {m, sizeof(*m)};
	size_t n;
	int got;

	*attached = -1;
	got = packet_receive(fd, &iov, &n, attached);
	if (got != 1)
		return got;
	if (n < offsetof(struct role_message, text) || m->text_len > ROLE_TEXT_MAX || n != offsetof(struct role_message, text) + m->text_len) {
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
