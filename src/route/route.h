/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "bfd/thread.h"
#include "bgp/session.h"
#include "board/board.h"
#include "config/config.h"
#include "proc/role.h"
#include "route/attributes.h"
#include "route/backstop.h"
#include "route/decide.h"
#include "route/hijack.h"
#include "route/leave.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* What the files of the route process share. One thread, no locks. */
struct route;
struct listener;

struct neighbor {
	struct route *route;
	struct bgp_session *session; /* NULL: unused */
	struct bgp_neighbor_conf conf;
	uint8_t key[BGP_MD5_KEY_MAX];
	struct {
		bool announced;
		struct bgp_route route; /* without a prefix */
	} as[DECIDE_DEPREF + 1];        /* by enum decide_announce: what it hears of a prefix */
	struct endpoint at;
	uint64_t bad_updates; /* with watch-routes: those that were not right */
	struct leave leave;
	bool dirty; /* its state on the board is old */
	bool told_dirty; /* what it was told, there, is old */
	bool over_max;   /* as last told (events.c) */
	struct config_bfd bfd;
	struct watched_path *path; /* by BFD; NULL: not */
};

struct network {
	char name[BOARD_NAME_MAX];
	struct decide_conf conf;
	uint32_t others;                          /* pops beside this node */
	uint64_t pops[(CONFIG_NODES_MAX + 63) / 64]; /* a bit a node of the configuration: it is one of them */
	struct unit { /* of decision: a family; [0] IPv4, [1] IPv6 */
		bool exists; /* the network has prefixes of it */
		struct decide_state decide;
		char why[DECIDE_WHY_MAX];
		uint64_t alerted_ms; /* the last line in the log about something that does not change what is announced */
	} family[BOARD_FAMILIES];
	struct ip_prefix prefixes[CONFIG_PREFIXES_MAX]; /* as in the configuration */
	size_t prefix_count;
	uint32_t refused; /* of these, by bits: left out of what is announced (origins.c) */
};

/* Of the network with the same index; network[0] is NUL where this node announces no backstop of it. */
struct backstop_of {
	char network[BOARD_NAME_MAX];
	struct backstop state;
};

/* What RPKI stands against, as the board has it. */
struct refusals {
	uint32_t seen;    /* `changes` of the board */
	size_t count;
	uint64_t next_ns; /* when the first of them ends */
	struct refusal {
		struct ip_prefix prefix;
		uint64_t expires_ns;
		char why[BOARD_WHY_MAX];
	} list[BOARD_ORIGINS_MAX];
};

/* A path to a router that BFD watches, for one neighbor or several. */
struct watched_path {
	bool used, wanted, open;
	unsigned slot; /* while open */
	struct bfd_path path;
	struct bfd_timers timers;
	uint64_t transitions, falls; /* acted upon */
	uint64_t retry_ms;
	int error; /* of the last try to open it */
	bool up;   /* as last told (events.c) */
};

struct route {
	struct role *role;
	uv_loop_t loop;
	uv_timer_t tick;
	struct neighbor neighbors[CONFIG_NEIGHBORS_MAX];
	size_t neighbor_count;
	struct bgp_session *leaving[CONFIG_NEIGHBORS_MAX]; /* stopped, their connections not gone yet */
	struct network networks[CONFIG_NETWORKS_MAX];
	size_t network_count;
	struct backstop_of backstops[CONFIG_NETWORKS_MAX];
	struct listener *listeners[CONFIG_NEIGHBORS_MAX]; /* NULL: none */
	uint32_t strangers; /* connections of nobody's */
	struct bfd *bfd; /* NULL: it could not be started */
	uv_poll_t bfd_poll;
	struct watched_path paths[CONFIG_NEIGHBORS_MAX];
	uint64_t bfd_held_count;
	bool bfd_held, bfd_priority_said;
	bool bfd_due; /* a session came up: its interface may have been missing before */
	struct refusals refusals;
	struct hijack_table hijacks;
	bool hijacks_dirty; /* those on the board are old */
	struct event_burst hijack_burst;
	uint64_t shown_ms, withdrawn_ms, closing_ms;
	bool stopping;
};

/* Network i of this node, in the configuration. */
const struct config_network *route_network_conf(const struct route *r, size_t i);

/* ---- neighbors.c: the sessions ---- */

/* Bring the sessions in line with the configuration: unchanged ones stay up. */
void neighbors_set(struct route *r);
/* Everything that is announced now, to every neighbor as it is to hear it. */
void neighbors_feed(struct route *r);
/* Free those that were told to leave and are gone. */
void neighbors_free_leaving(struct route *r);

/* ---- listen.c: connections that neighbors open ---- */

/* A listening socket of the supervisor's, whose descriptor is r's now; and that one gone. */
void listen_open(struct route *r, const struct role_socket *s);
void listen_close(struct route *r, const struct role_socket *s);
/* The key of a neighbor on its listeners, or no more: before the first SYN of the one, and before the other has the same address. */
void listen_key(struct route *r, const struct neighbor *n, bool on);
/* ---- bfd_paths.c: BFD beside them ---- */

/* Start the thread, with or without neighbors that want it: later it could not have its priority. After role_sandbox(), so that it is in there. */
int bfd_paths_start(struct route *r) MUST_CHECK;
/* Bring the sessions in line with the neighbors: unchanged ones stay up, new timers are agreed on while Up. */
void bfd_paths_set(struct route *r);
/* What could not be opened is tried again. */
void bfd_paths_tick(struct route *r, uint64_t now_ms);
/* AdminDown to all, and no more of it. */
void bfd_paths_stop(struct route *r);
void bfd_paths_show(struct route *r, const struct neighbor *n, struct board_bfd *out);
void bfd_paths_show_all(struct route *r);

/* ---- networks.c: the decisions ---- */

/* Networks of the configuration; those that stay keep their state. */
void networks_set(struct route *r);
/* Judge all by what the board says now. True when something is to be announced otherwise: it is on the board and in the log already, not on the sessions. */
bool networks_judge(struct route *r, uint64_t now_ns);
/* What is to be announced of a network in a family: 0 IPv4, 1 IPv6. */
enum decide_announce networks_wanted(const struct route *r, size_t network, int family);
/* Nothing is announced any more, in no network. */
bool networks_are_out(const struct route *r);

/* ---- operator.c: backstops, and neighbors left by order ---- */

/* After networks_set(): backstops that stay keep their state. */
void operator_set(struct route *r);
/* Judge them. True when something is to be announced otherwise, as of networks_judge(), which goes before. */
bool operator_judge(struct route *r, uint64_t now_ns);

/* ---- origins.c: prefixes that must not be announced ---- */

/* Look at what watch has on the board. */
void origins_look(struct route *r, uint64_t now_ns);
/* Why every prefix of the network in a family (4, 6) is invalid; NULL when at least one of them may be announced, or there is none. */
const char *origins_all_refused(const struct route *r, const struct config_network *n, uint8_t family);
/* After the decision about network i in family f: which of its prefixes are left out. Whoever says announce --force means it, and freeze leaves what is
 * announced as it is. True when that changed. */
bool origins_apply(struct route *r, size_t i, int f);
/* Is p left out? Of a backstop prefix it never is. */
bool origins_refused(const struct route *r, const struct ip_prefix *p);

/* ---- hijacks.c: what neighbors with watch-routes send ---- */

/* What is ours, by the configuration. True when it is something else than before. */
bool hijacks_set(struct route *r);
void hijacks_update(struct neighbor *n, const struct bgp_frame *update);
/* The neighbor's routes are not seen any more. */
void hijacks_lost(struct neighbor *n, const char *why);
void hijacks_show(struct route *r);

/* ---- events.c: what changes, as events on the board ---- */

void route_event(struct route *r, const struct board_event *e);
void event_announce(struct route *r, const char *network, int family, enum board_announce was, enum board_announce now, enum decide_reason reason,
                    const char *why);
/* What is announced stays as it is, against something. */
void event_kept(struct route *r, const char *network, int family, enum board_announce now, const char *why);
void event_backstop(struct route *r, const char *network, enum board_announce was, enum board_announce now, const char *why);
void event_neighbor(struct route *r, const struct neighbor *n, enum bgp_state from, enum bgp_state to, const char *why);
void event_neighbor_order(struct route *r, const struct neighbor *n, const char *old, const char *now);
void event_max_prefixes(struct route *r, const struct neighbor *n, uint32_t received, bool over);
void event_bfd(struct route *r, const struct ip_addr *peer, bool up, enum board_event_level level, const char *now, const char *why);
void event_bfd_held(struct route *r, bool held, const char *why);
void event_hijack(struct route *r, const struct hijack *h, enum hijack_event event, const char *note);
/* What was held back for its number. */
void events_tick(struct route *r, uint64_t now_ms);

/* ---- show.c: what the board is told ---- */

enum board_announce show_announce_of(enum decide_announce a);

void show_network(struct route *r, size_t i);
void show_neighbor(struct route *r, size_t i);
void show_all(struct route *r);
