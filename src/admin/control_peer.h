/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* Who is at the other end of a connection of the control socket, as the kernel tells (unix(7), SO_PEERCRED): the process that connected, whoever has the descriptor now. */
struct control_peer {
	uint32_t uid, gid; /* UINT32_MAX: not known */
	int32_t pid;
};

void control_peer_of(int fd, struct control_peer *out);
/* Root, this process's own account, and members of `group` (UINT32_MAX: none): by their first group or one of the others. */
bool control_peer_may(int fd, const struct control_peer *p, uint32_t group);
