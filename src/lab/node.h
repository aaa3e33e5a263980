/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "lab/lab.h"

#include <jansson.h>

/* The nodes of the lab as a drill handles them: signals to their processes, orders and questions over their control sockets, the programs' own
 * commands. A node is a PoP's region, or NODE_HIDDEN. */
enum { NODE_HIDDEN = LAB_REGIONS, LAB_NODES };

void node_name(unsigned node, char buf[32]);
void node_run_dir(const struct lab *l, unsigned node, char *buf, size_t cap);

/* To all processes of a role ("supervisor" is one); ERR_NOT_FOUND when there is none. */
int node_signal(const struct lab *l, unsigned node, const char *role, int signum) MUST_CHECK;
/* Process of the node's supervisor, or 0. */
pid_t node_pid(const struct lab *l, unsigned node);

/* One request to the control socket; the whole reply, or NULL when it does not come in time. Never waits longer. */
json_t *node_ask(const struct lab *l, unsigned node, const char *request, int timeout_ms);
/* The same for an order: 0, or ERR_INVALID with what the node says in *why (may be NULL: then on stderr). */
int node_order(const struct lab *l, unsigned node, const char *request, struct text *why) MUST_CHECK;
/* Run this program with these words and the node's --run-dir. 0, or ERR_INVALID with its output in *why (may be NULL). */
int node_command(const struct lab *l, unsigned node, struct text *why, const char *const words[]) MUST_CHECK;

/* What a PoP says of itself, of its first network. */
struct node_said {
	bool heard;
	char announce[2][20]; /* IPv4, IPv6; "" when it was not heard */
	char verdict[2][12];
	char why[240];        /* of the family that says less */
	char backstop[20];    /* what it announces of its backstop; "": it has none */
	unsigned flaps;
	bool has_age;              /* data is held by transfer, and its age is known: */
	double age_ms, stale_in_ms;
	unsigned established;  /* BGP sessions */
	unsigned unwatched;    /* of these: with BFD that is not up */
};
void node_listen(const struct lab *l, unsigned node, struct node_said *out);

/* A rule of the packet filter in a namespace, in a table of the lab's own; the second removes all that the first made there. */
int node_filter(const char *netns, const char *chains) MUST_CHECK;
int node_unfilter(const char *netns) MUST_CHECK;
