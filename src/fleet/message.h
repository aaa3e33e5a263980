/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "dns/message.h"
#include "fleet/report.h"
#include "fleet/tree_message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Questions about a node's status and their answers as DNS messages, without their signatures (xfr/tsig.h). Pure. */
extern const uint8_t fleet_status_zone[]; /* status.zonecast. */

enum { FLEET_POOL_PLACES = 0xffff };

/* NODE.status.zonecast. asks for all of a node, NETWORK.NODE.status.zonecast. for one network of it. Names of nodes and networks are one label
 * each, whatever dots they have in them. tree.NETWORK.NODE.status.zonecast. and tree-31c.NETWORK.NODE.status.zonecast. ask for a place of the tree of
 * that network's zones (fleet/tree.h). pools.-.NODE.status.zonecast. and pools-1f.-.NODE.status.zonecast. ask for the pools of endpoints that it checks, from that place on; with "news" for the "-",
 * who asks says as well that what it sees itself has changed. */
struct fleet_question {
	char node[BOARD_NAME_MAX];
	char network[BOARD_NAME_MAX]; /* "": all of them */
	bool tree;
	struct tree_place place;
	bool pools, news;
	uint32_t first; /* pool */
};

/* Who asks says in the question, by an option of EDNS (from the range for local use, RFC 6891 9), how its own zones are, so that both sides know after one exchange whether they
 * have the same: a number for the network's name, and the tree's root. */
enum { FLEET_OPTION = 65313, FLEET_OPTION_FORM = 1, FLEET_ROOTS_MAX = 8, FLEET_ROOT_OCTETS = 12 };
struct fleet_root {
	uint32_t network;
	uint64_t root;
};
uint32_t fleet_network_number(const char *name);
/* The roots in a question; returns how many, 0 also for one without or with a malformed option. */
size_t fleet_question_roots(const uint8_t *msg, size_t len, struct fleet_root out[FLEET_ROOTS_MAX]);

/* Is it a question about some node's status? (CH TXT below status.zonecast.) q was parsed without a problem. */
static inline bool fleet_question_is(const struct query *q)
{
	return q->qclass == CLASS_CH && q->qtype == RR_TXT && name_is_under(q->qname.wire, fleet_status_zone);
}
/* False: the name is not that of a node or of a network of one. */
bool fleet_question_read(const uint8_t *qname, struct fleet_question *out);
/* pad_to: octets that the message is to have with `signature` octets added later, if it is shorter: an answer without a signature is never
 * longer than its question. Sticky. */
void fleet_question_write(const struct fleet_question *q, uint16_t id, const struct fleet_root *roots, size_t root_count, size_t pad_to,
                          size_t signature, struct writer *w);

/* The answer to msg, which was parsed as q. r: what to tell; NULL: only the rcode. What does not fit into w's cap leaves an answer with TC and
 * nothing else. Sticky. */
void fleet_answer_write(const struct query *q, const uint8_t *msg, unsigned rcode, const struct fleet_report *r,
                        struct writer *w);

/* Likewise about the place that q->tree asks for. t NULL: only the rcode. */
void fleet_tree_write(const struct query *q, const uint8_t *msg, unsigned rcode, const struct zone_tree *t, struct tree_place p, struct writer *w);

enum fleet_answer {
	FLEET_ANSWER_GOOD,
	FLEET_ANSWER_OTHER, /* to another question, or no answer at all: go on waiting */
	FLEET_ANSWER_TRUNCATED,
	FLEET_ANSWER_REFUSED, /* *rcode says how */
	FLEET_ANSWER_BAD,     /* *err says what is wrong with it */
};
/* *out is there with FLEET_ANSWER_GOOD only. */
enum fleet_answer fleet_answer_read(const uint8_t *msg, size_t len, uint16_t id, const struct fleet_question *q,
                                    struct fleet_report *out, unsigned *rcode, int *err);
/* The same of a question with q->tree. */
enum fleet_answer fleet_tree_read(const uint8_t *msg, size_t len, uint16_t id, const struct fleet_question *q, struct tree_answer *out, unsigned *rcode,
                                  int *err);
