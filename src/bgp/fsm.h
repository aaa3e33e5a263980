/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "bgp/msg.h"
#include "bgp/notify.h"

#include <stdbool.h>
#include <stdint.h>

/* The state machine of one connection, RFC 4271 8. Pure: an event and the time in, actions out; the caller owns sockets, clock and
 * randomness. Idle with `enabled` set means waiting: for the next try, or, where `passive`, for the peer's connection (RFC 4271's Active). */
enum bgp_state { BGP_IDLE, BGP_CONNECT, BGP_OPEN_SENT, BGP_OPEN_CONFIRM, BGP_ESTABLISHED, BGP_STATES };
const char *bgp_state_text(enum bgp_state state);

enum {
	BGP_HOLD_DEFAULT_S = 90,
	BGP_HOLD_MIN_S = 3,          /* RFC 4271 4.2; 0 is allowed and means never */
	BGP_CONNECT_WAIT_MS = 10000, /* a SYN that nobody answers: a wrong MD5 key or a filter */
	BGP_OPEN_WAIT_MS = 60000,    /* for the peer's OPEN; RFC 4271 8.2.2 says "large", 4 minutes */
	BGP_RETRY_MIN_MS = 1000,
	BGP_RETRY_SPAN_MS = 4000,    /* jitter on top: 1 to 5 s, for ever, with no growth: recovery must not wait for us */
	BGP_RETRY_SLOW_MS = 30000,   /* after a Cease that says an operator does not want us now; plus up to the same jitter */
	/* RFC 9687 recommends 8 minutes or twice the hold time. Here a message that does not leave may be a withdrawal, so the
	 * smaller is better, but a router busy for a minute must not lose us. */
	BGP_SEND_HOLD_MIN_MS = 60000,
	BGP_ACTIONS_MAX = 6,
	BGP_FSM_TEXT_MAX = BGP_NOTIFY_TEXT_MAX + 80,
};

struct bgp_fsm_conf {
	uint32_t local_as, peer_as;
	uint32_t router_id;    /* host order, not 0 */
	uint16_t hold_s;       /* 0 or >= BGP_HOLD_MIN_S */
	uint8_t families;      /* mask of enum bgp_family, not 0 */
	bool has_role;         /* RFC 9234, off by default */
	bool role_strict;      /* refuse a peer that states none */
	enum bgp_role role;    /* ours */
	bool extended_next_hop; /* offer RFC 8950 */
	bool passive;          /* the peer opens the connection */
	uint32_t send_hold_ms; /* 0: twice the hold time, at least BGP_SEND_HOLD_MIN_MS */
};

enum bgp_event_type {
	BGP_EV_START,     /* the operator wants the session */
	BGP_EV_STOP,      /* ... does not, with `subcode` of Cease and `text` (or NULL) for the peer */
	BGP_EV_RESET,     /* close with Cease `subcode` and `text`, then try again */
	BGP_EV_CONNECTED, /* TCP is up, opened by us or, where `passive`, by the peer */
	BGP_EV_LOST,      /* TCP failed or was closed; `text` says how */
	BGP_EV_FRAME,     /* a message came: `frame` */
	BGP_EV_GARBAGE,   /* something that is no message came: `notify` is what to answer */
	BGP_EV_WROTE,     /* octets arrived at the peer's TCP, or are stuck: `pending` are still to arrive */
	BGP_EV_TICK,      /* bgp_fsm_deadline() has come, or just so */
	BGP_EV_RIVAL_UP,  /* the session's other connection is established: this one goes, and stays away */
	BGP_EV_RIVAL_DOWN, /* ... no longer */
	BGP_EVENTS,
};

struct bgp_event {
	enum bgp_event_type type;
	uint32_t random;             /* fresh in each event; jitter comes from it */
	uint8_t subcode;
	bool progress;               /* with WROTE: octets did arrive */
	size_t pending;
	enum bgp_state rival;        /* with FRAME: where the session's other connection stands; Idle: there is none */
	const char *text;            /* borrowed */
	const struct bgp_frame *frame;
	const struct bgp_notify *notify;
};

enum bgp_action_type {
	BGP_DO_CONNECT,     /* open TCP; answer with CONNECTED or LOST */
	BGP_DO_OPEN,        /* send OPEN: bgp_fsm_open() */
	BGP_DO_KEEPALIVE,   /* send KEEPALIVE */
	BGP_DO_NOTIFY,      /* send `notify` as the last message, then close once the peer has had time to read it */
	BGP_DO_CLOSE,       /* close now; there is nothing more to say */
	BGP_DO_ROUTES_UP,   /* established: tell all */
	BGP_DO_ROUTES_DOWN, /* no longer established: the peer has forgotten */
	BGP_DO_REFRESH,     /* tell the routes of `family` again */
	BGP_DO_END_RIVAL,   /* collision, and this connection stays: BGP_EV_RESET with BGP_CEASE_COLLISION to the other */
};

struct bgp_action {
	enum bgp_action_type type;
	uint8_t family;
	struct bgp_notify notify;
};

struct bgp_actions {
	unsigned count;
	struct bgp_action list[BGP_ACTIONS_MAX];
};

struct bgp_fsm {
	struct bgp_fsm_conf conf;
	enum bgp_state state;
	bool enabled;
	bool stuck;            /* octets are waiting: the send hold timer runs */
	uint64_t since_ms;     /* of the state */
	uint64_t retry_at_ms, wait_at_ms, hold_at_ms, keepalive_at_ms, send_hold_at_ms; /* 0: not running */
	uint16_t hold_s;       /* negotiated */
	uint8_t families;      /* negotiated */
	struct bgp_open peer;  /* what it said of itself, in OpenConfirm and Established */
	bool slow;             /* the last close asks for patience */
	bool rival_up;         /* the other connection is established: no tries */
	/* For people; survives reconnects. */
	uint64_t established_count;
	uint64_t notify_in, notify_out, garbage;
	uint64_t errors;        /* times last_error was set */
	uint64_t last_error_ms; /* 0: none yet */
	char last_error[BGP_FSM_TEXT_MAX];
};

/* Idle and not enabled. */
void bgp_fsm_init(struct bgp_fsm *f, const struct bgp_fsm_conf *conf, uint64_t now_ms);

/* Actions are to be carried out in order. now_ms never goes back and is not 0. */
void bgp_fsm_step(struct bgp_fsm *f, const struct bgp_event *ev, uint64_t now_ms, struct bgp_actions *out);

/* When to send the next TICK; UINT64_MAX: no timer runs. */
uint64_t bgp_fsm_deadline(const struct bgp_fsm *f);

/* RFC 4271 6.8, RFC 6286 2.3: does the connection that we opened stay, of two with the same peer? */
bool bgp_collision_ours_stays(uint32_t local_id, uint32_t local_as, uint32_t peer_id, uint32_t peer_as);

/* Our OPEN. */
struct bgp_open bgp_fsm_open(const struct bgp_fsm *f);
