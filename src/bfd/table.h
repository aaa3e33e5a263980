/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "bfd/fsm.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Sessions by slot, and which of them a packet belongs to (RFC 5880 6.3, 5881 3, 5883 4). Pure. */
enum { BFD_SESSIONS_MAX = 32 };

struct bfd_path {
	struct ip_addr remote; /* zone: the interface, of a link-local address */
	struct ip_addr local;  /* family 0: routing chooses, and a packet may be for any address of ours */
	bool multihop;
};
bool bfd_path_equal(const struct bfd_path *a, const struct bfd_path *b);

struct bfd_entry {
	bool used;
	struct bfd_path path;
	struct bfd_fsm fsm;
	int fd; /* to send from; the owner's business */
	struct sockaddr_storage to;
	socklen_t to_len;
};

struct bfd_table {
	struct bfd_entry entry[BFD_SESSIONS_MAX];
};

/* Where a packet came from. */
struct bfd_origin {
	struct ip_addr from, to; /* without zones */
	uint32_t ifindex;
	int ttl;       /* -1: not told */
	bool multihop; /* it came to the port of RFC 5883 */
};

/* The session of a neighbor, by addresses; -1. */
int bfd_table_by_address(const struct bfd_table *t, const struct bfd_origin *o);
/* The session a packet is for: by its Your Discriminator where that is there, by addresses elsewhere. A discriminator alone is not enough: a
 * session hears its own neighbor only, over its own kind of path. -1: none. */
int bfd_table_find(const struct bfd_table *t, const struct bfd_packet *p, const struct bfd_origin *o);

/* RFC 5881 5 (GTSM): what has crossed a router is not from the link. */
bool bfd_origin_near(const struct bfd_origin *o);
