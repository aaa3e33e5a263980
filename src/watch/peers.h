/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "config/config.h"
#include "fleet/report.h"
#include "fleet/tree.h"

#include <stdbool.h>
#include <stdint.h>

struct watch;
struct peers;

/* Asks other nodes how they are, and writes board.watch.peers and board.watch.nodes. ERR_NO_MEMORY. */
int peers_new(struct watch *w, struct peers **out) MUST_CHECK;
/* Go by the configuration in force; what is known of nodes that stay is kept. On ERR_NO_MEMORY all is as it was. NULL is fine. */
int peers_replan(struct peers *p) MUST_CHECK;

/* How many are asked: rows of the board's nodes; and the index of one in the configuration. */
uint32_t peers_count(const struct peers *p);
uint32_t peers_node(const struct peers *p, uint32_t i);
/* Ask the i-th for a place of its tree of a network's zones; drift_answered() gets the tag with what it says. What is lost is lost. */
void peers_ask_tree(struct peers *p, uint32_t i, const char *network, struct tree_place place, uint32_t tag, uint64_t now_ns);

/* Ask the i-th for the pools that it checks, from the first-th on; endpoints_heard() gets what it says. news: tell it that what is seen here has changed. */
void peers_ask_pools(struct peers *p, uint32_t i, uint32_t first, bool news, uint64_t now_ns);
/* Which of them has this address; UINT32_MAX: none. */
uint32_t peers_at(const struct peers *p, const struct ip_addr *address);

/* The i-th has just asked us, and said how its zones are: it is asked half a turn from now, so that in large fleets two nodes hear of each other twice as often as either asks. */
void peers_was_asked(struct peers *p, uint32_t i, uint64_t now_ns);

/* Who answers at the network's addresses is another one now, seen from here: tell the nodes that have it that there is something to ask for. p may be NULL. */
void peers_tell_view(struct peers *p, const char *network, uint64_t now_ns);
/* That address says so: ask it now. p may be NULL. */
void peers_hint(struct peers *p, const struct ip_addr *from, uint64_t now_ns);

/* ---- peers_plan.c: pure but for the board's memory ---- */
enum { PEERS_NO_ROW = UINT8_MAX };
/* A node that is asked; its row on board.watch.nodes has the same index. */
struct peer {
	uint32_t node; /* index in the configuration */
	uint32_t address_count, turn;
	uint32_t network_count, network_turn; /* those that we want to hear of */
	bool whole;                           /* one question is about all its networks */
	bool seen;                            /* it answered lately; for the log */
	uint64_t due_ns;
	struct peer_again { /* an address that is asked out of turn */
		uint64_t due_ns;
		uint32_t left; /* questions */
	} again[BOARD_MANAGEMENT_MAX];
	uint64_t single_until_ns; /* its answers do not fit: it is asked about one network at a time */
	struct peer_network {
		uint8_t own;           /* index of the network on this node, PEERS_NO_ROW: this node does not have it */
		uint8_t row;           /* in board.watch.peers[own], PEERS_NO_ROW: there is no room for it */
	} network[BOARD_NETWORKS_MAX]; /* in the order of the board's row */
};

/* Does this node ask that one? PoPs ask those that they share a network with and the primaries, which ask everybody; nodes that check endpoints for others ask everybody, and are asked. */
bool peers_asks(const struct config *config, const struct config_node *self, const struct config_node *other);
/* Lay out the board's rows and list[BOARD_NODES_MAX] anew for this configuration; of nodes that were there before, by name, what is known stays.
 * reachable: families in which we can ask. Returns how many there are. ERR_NO_MEMORY: nothing was changed. */
int peers_lay_out(struct board_watch *board, const struct config *config, const struct config_node *self,
                  const bool reachable[BOARD_FAMILIES], struct peer *list, uint32_t *count) MUST_CHECK;
/* The i-th was asked at now_ns about `network` ("": all). */
void peers_asked(struct board_watch *board, const struct peer *p, uint32_t i, uint32_t address, const char *network,
                 uint64_t now_ns);
/* Take in what the i-th says, to a question that left at sent_ns and was about `network` ("": all). Older than what is known: nothing happens. */
void peers_take(struct board_watch *board, const struct peer *p, uint32_t i, const struct fleet_report *r,
                const char *network, uint64_t sent_ns, uint64_t now_ns, const uint8_t own_config[FLEET_HASH_LEN]);
/* The address has not answered in time, or has: which are to be asked again, and when. One lost question proves nothing; with the next two it is silent (BOARD_SILENT). The others may be as well. */
void peers_unanswered(struct board_node *b, struct peer *p, uint32_t address, uint64_t now_ns);
void peers_answered(struct board_node *b, struct peer *p, uint32_t address, uint64_t sent_ns);
/* An address that is to be asked out of turn now; UINT32_MAX: none. */
uint32_t peers_again(struct peer *p, uint64_t now_ns);
/* Of which address the next question is to go to; *more is a second one, or UINT32_MAX: where the turn is at an address that has not answered
 * lately, another that has is asked as well. */
uint32_t peers_address(const struct board_node *b, struct peer *p, uint32_t *more);
