/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "bgp/received.h"
#include "bgp/session.h"

#include <uv.h>

/* One TCP connection of a session and the state machine that speaks on it. Private to the module: conn.c has the connection, session.c what its
 * two have in common. */
enum {
	CONN_IN_MAX = 4 * BGP_MESSAGE_MAX,
	CONN_OUT_MAX = 16384,
	CONN_READS_MAX = 16, /* per wake-up, so that a flood leaves the loop's other sessions their turn */
	CONNS = 2,           /* of a session: [0] is opened by us, [1] by the peer */
};

enum conn_state {
	CONN_NONE,
	CONN_OPEN,    /* connecting or connected */
	CONN_LINGER,  /* our NOTIFICATION is on its way; input is thrown away */
	CONN_CLOSING, /* libuv still has the handle */
};

struct bgp_conn {
	struct bgp_session *session;
	uv_poll_t poll;
	enum conn_state state;
	bool connect_wanted; /* when CONN_CLOSING is over */
	bool connected;      /* the TCP handshake is done */
	bool write_shut;
	int fd;              /* while CONN_OPEN or CONN_LINGER */
	int next_fd;         /* accepted, to be taken when CONN_CLOSING is over; -1: none */
	char lost_text[160]; /* the connection is broken, and the state machine still has to hear it; "" else */
	uint64_t linger_until_ms;
	struct ip_addr local;
	size_t in_len, out_pos, out_len;
	uint64_t written, acknowledged; /* octets of this connection: given to the kernel; of them the peer's TCP has */
	struct bgp_fsm fsm;
	uint8_t in[CONN_IN_MAX], out[CONN_OUT_MAX];
};

struct bgp_session {
	struct bgp_neighbor_conf conf; /* md5_key points to the copy below */
	uint8_t md5_key[BGP_MD5_KEY_MAX];
	bgp_session_event_fn *fn;
	void *ctx;
	uv_loop_t *loop;
	uv_timer_t timer;
	bool freeing;
	unsigned handles;        /* of libuv not yet closed */
	enum bgp_state state;    /* of the connection that is furthest */
	uint64_t since_ms;
	uint64_t refused;
	uint64_t messages_in[BGP_TYPES], messages_out[BGP_TYPES];
	uint64_t told_messages;  /* of the rib when BGP_SESSION_ROUTES was last raised */
	uint8_t told_unsendable; /* families a missing next hop was reported for */
	char error_text[160];    /* what the session itself has to complain of; "" nothing */
	uint64_t error_ms;
	struct bgp_received received;
	struct bgp_conn conn[CONNS];
	struct bgp_conn *owner;  /* of the rib: the established connection; NULL: none */
	struct bgp_rib rib;
};

/* ---- conn.c ---- */

void conn_init(struct bgp_conn *c, struct bgp_session *s, const struct bgp_fsm_conf *fsm);
/* The peer's connection, whose descriptor is c's now. One that was there before goes. */
void conn_adopt(struct bgp_conn *c, int fd);
void conn_close(struct bgp_conn *c);
/* Before a tick: has the peer taken what we sent? */
void conn_look(struct bgp_conn *c);
/* An event through the state machine, its actions carried out. session_settle() has to follow. */
void conn_step(struct bgp_conn *c, struct bgp_event *ev);
/* Sends what there is to send, waits for what is to come, tells the state machine of a broken connection. */
void conn_settle(struct bgp_conn *c);

/* Queues a ROUTE-REFRESH for each family; false where the peer does not know it, or there is no room. */
bool conn_ask_routes(struct bgp_conn *c);

/* ---- session.c ---- */

void session_raise(struct bgp_session *s, const struct bgp_session_event *ev);
/* After a step of any connection: what the session is now, and what its other connection has to know. `actions` are those of the step. */
void session_stepped(struct bgp_session *s, struct bgp_conn *c, const struct bgp_actions *actions);
/* An UPDATE of the established connection. */
void session_update(struct bgp_session *s, struct bgp_conn *c, const struct bgp_frame *f);
/* Ends every entry from outside: both connections settled, changes told, the timer set. */
void session_settle(struct bgp_session *s);
/* A handle of libuv is gone: the session's memory, too, where it was the last of one that is being freed. */
void session_handle_closed(struct bgp_session *s);
/* The other connection of the same session. */
struct bgp_conn *session_rival(struct bgp_conn *c);
