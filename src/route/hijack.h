/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "bgp/routes_in.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Routes of others for what is ours, as neighbors see them. Pure: see hijack.c. */
enum {
	HIJACK_OURS_MAX = 4096,
	HIJACKS_MAX = 256, /* remembered at a time, of all neighbors */
};

struct hijack_ours {
	struct ip_prefix prefix;
	uint32_t as;
	uint32_t parent; /* the next shorter one around it; UINT32_MAX: none */
};

struct hijack {
	struct endpoint from;    /* the neighbor that has the route */
	struct ip_prefix prefix; /* of the route */
	struct ip_prefix ours;   /* what it takes, or a part of it */
	uint32_t as;             /* whose it is */
	uint32_t origin;         /* who says it is theirs; 0: a set of AS */
	uint64_t since_ms;
	char path[BGP_PATH_TEXT_MAX];
};

struct hijack_table {
	struct hijack_ours ours[HIJACK_OURS_MAX]; /* in order */
	size_t ours_count;
	struct hijack list[HIJACKS_MAX];
	size_t count;
	uint64_t seen;      /* hijacks that ever began */
	uint64_t left_out;  /* for want of room */
};

enum hijack_event { HIJACK_NOTHING, HIJACK_BEGUN, HIJACK_OTHER_PATH, HIJACK_OVER, HIJACK_NO_ROOM };

/* What is ours from now on; at most HIJACK_OURS_MAX are taken, in any order. Hijacks of what is ours no longer are forgotten. */
void hijack_set_ours(struct hijack_table *t, const struct hijack_ours *list, size_t count);
/* A route came, or went (path NULL). *out is the hijack that the event is about, which is not in the table any more with HIJACK_OVER. */
enum hijack_event hijack_route(struct hijack_table *t, const struct endpoint *from, const struct ip_prefix *prefix, const struct bgp_path *path,
                               uint64_t now_ms, struct hijack *out);
/* Takes one hijack seen by this neighbor out of the table; false when there is none left. */
bool hijack_forget(struct hijack_table *t, const struct endpoint *from, struct hijack *out);
