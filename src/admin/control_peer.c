/* SPDX-License-Identifier: BSD-2-Clause */
/* The permissions of the socket's file decide first, in the kernel; this looks again, by what the kernel knows of the process, so that a file that somebody has made writable for
 * all opens nothing. */
#include "admin/control_peer.h"

#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

enum { GROUPS_MAX = 1024 /* of a process; one that is in more is taken for a member by its first group only */ };

void control_peer_of(int fd, struct control_peer *out)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	*out = (struct control_peer){.uid = UINT32_MAX, .gid = UINT32_MAX};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0)
		*out = (struct control_peer){.uid = who.uid, .gid = who.gid, .pid = who.pid};
}

bool control_peer_may(int fd, const struct control_peer *p, uint32_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (p->uid == UINT32_MAX)
		return false;
	if (p->uid == 0 || p->uid == geteuid() || (group != UINT32_MAX && p->gid == group))
		return true;
	if (group == UINT32_MAX || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}
