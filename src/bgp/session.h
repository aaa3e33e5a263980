/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "bgp/announce.h"
#include "bgp/fsm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uv_loop_s;

/* One BGP session over TCP on a libuv loop; all calls from the loop's thread. See session.c for how it works. */
enum {
	BGP_MD5_KEY_MAX = 80,    /* TCP_MD5SIG_MAXKEYLEN */
	BGP_INTERFACE_MAX = 16,  /* IF_NAMESIZE */
	BGP_LINGER_MS = 1000,    /* for the peer to read our NOTIFICATION and close */
};

enum bgp_connect { BGP_CONNECT_ACTIVE, BGP_CONNECT_PASSIVE, BGP_CONNECT_BOTH };

struct bgp_neighbor_conf {
	struct endpoint remote;      /* port 0: BGP_PORT; zone 0 */
	struct ip_addr local;        /* family 0: chosen by routing */
	char interface[BGP_INTERFACE_MAX]; /* of a link-local remote, by name: looked up at each try, as it may appear later; else "" */
	uint32_t local_as, peer_as;  /* the same: iBGP */
	uint32_t router_id;          /* host order */
	uint16_t hold_s;             /* BGP_HOLD_DEFAULT_S is usual; 0 never expires; 1 and 2 are refused */
	uint8_t families;            /* mask of enum bgp_family */
	const uint8_t *md5_key;      /* copied; NULL: none */
	size_t md5_key_len;          /* at most BGP_MD5_KEY_MAX */
	bool ttl_security;           /* RFC 5082, on both sides or on none */
	uint8_t multihop;            /* hops; 0: 1 for eBGP, any number for iBGP */
	struct ip_addr next_hop_v4, next_hop_v6; /* family 0: the session's address, or one of its interface */
	bool has_role, role_strict;
	enum bgp_role role;
	enum bgp_connect connect;    /* who opens the connection: we, the peer, either */
	bool extended_next_hop;      /* RFC 8950: IPv4 routes by the session's IPv6 next hop where there is none of IPv4 */
	uint32_t send_hold_ms;       /* 0: default */
	uint32_t max_prefixes;       /* that the peer may send, at most BGP_RECEIVED_MAX; 0: any number, not counted */
	bool max_cease;              /* ... else the session is closed; without it BGP_SESSION_ERROR only */
	bool watch_updates;          /* BGP_SESSION_UPDATE for each; else they are thrown away unread */
};

enum bgp_session_event_type {
	BGP_SESSION_STATE,            /* `from` to `to` */
	BGP_SESSION_NOTIFICATION_IN,  /* `notify`, `text` */
	BGP_SESSION_NOTIFICATION_OUT,
	BGP_SESSION_ERROR,            /* `text` is the new last error, in words; comes beside the two above */
	BGP_SESSION_ROUTES,           /* what the peer is told has changed */
	BGP_SESSION_UPDATE,           /* `frame`: an UPDATE of the peer, valid for the call */
	BGP_SESSION_CLOSED,           /* the last connection is gone, also its linger: after a stop nothing is left to wait for */
};

struct bgp_session_event {
	enum bgp_session_event_type type;
	enum bgp_state from, to;
	const struct bgp_notify *notify;
	const char *text; /* borrowed for the call; never NULL */
	const struct bgp_frame *frame;
};

struct bgp_session;
/* May call anything here but bgp_session_free(). */
typedef void bgp_session_event_fn(void *ctx, struct bgp_session *s, const struct bgp_session_event *ev);

/* Live view; pointers and values hold until the loop runs on. */
struct bgp_session_status {
	enum bgp_state state;
	bool enabled;
	uint64_t since_ms;          /* clock_ms() of the state */
	uint64_t retry_at_ms;       /* next try, 0: none planned */
	uint64_t established_count;
	const char *last_error;     /* "" so far none; survives reconnects */
	uint64_t last_error_ms;
	uint64_t garbage;           /* messages that broke the protocol */
	uint64_t notify_in, notify_out;
	uint16_t hold_s;            /* negotiated, while in OpenConfirm or Established */
	uint8_t families;           /* negotiated */
	uint8_t unsendable;         /* families with routes wanted but no next hop */
	uint32_t peer_id;
	struct ip_addr local;       /* of the connection; family 0: none */
	uint64_t messages_in[BGP_TYPES], messages_out[BGP_TYPES]; /* by enum bgp_type */
	uint64_t refused;           /* the peer's connections beside an established one, or while stopped */
	size_t queued;              /* octets not yet taken by the kernel */
	uint32_t received;          /* prefixes that the peer has announced, up to max_prefixes */
	bool over_max;              /* and more */
	const struct bgp_rib *rib;  /* entries that are `told`: what the peer has, with attributes */
};

/* ERR_INVALID for a configuration that cannot be: hold time 1 or 2, no family, router id 0, AS 0, a key too long, a next hop or local
 * address of the wrong family. Nothing happens before bgp_session_start(). */
int bgp_session_new(struct uv_loop_s *loop, const struct bgp_neighbor_conf *conf, bgp_session_event_fn *fn, void *ctx,
                    struct bgp_session **out) MUST_CHECK;
/* Closes without a word if not stopped before; memory goes once the loop has run its close callbacks. No event comes any more. */
void bgp_session_free(struct bgp_session *s);

/* Events go to ctx from now on. */
void bgp_session_set_ctx(struct bgp_session *s, void *ctx);

void bgp_session_start(struct bgp_session *s);
/* A connection of the peer's, from a listening socket with its key (see below); the descriptor, non-blocking, is the session's now. Refused where one is established
 * (RFC 4271 6.8), and where `connect` is active or the session is stopped. */
void bgp_session_accept(struct bgp_session *s, int fd);
/* The peer's TCP MD5 key on a listening socket, or no more; nothing for a peer without. Before its SYN comes. -errno. */
int bgp_session_listen_key(int listener, const struct bgp_neighbor_conf *c, bool on);
/* Cease with `subcode` (BGP_CEASE_SHUTDOWN, ...) and text (NULL: none) to the peer; no further tries until started again. */
void bgp_session_stop(struct bgp_session *s, uint8_t subcode, const char *text);
/* The same, but try again: BGP_CEASE_RESET, BGP_CEASE_BFD_DOWN. */
void bgp_session_reset(struct bgp_session *s, uint8_t subcode, const char *text);
/* True when neither a connection nor the linger of one is left. */
bool bgp_session_closed(const struct bgp_session *s);

/* What is to be announced from now on: the whole set, kept across reconnects. Copied; the difference leaves at once when established.
 * Errors as bgp_rib_want(). */
int bgp_session_want(struct bgp_session *s, const struct bgp_route *routes, size_t count) MUST_CHECK;

/* Whether UPDATEs are told from now on. With `again` an established peer is asked for all its routes anew (RFC 2918); false when they would be needed and it
 * cannot be asked: they come with the next session. */
bool bgp_session_watch(struct bgp_session *s, bool on, bool again);

/* Another limit of prefixes received from now on; an established peer is asked for all its routes anew where they were not counted so. */
void bgp_session_limit(struct bgp_session *s, uint32_t max_prefixes, bool cease);

void bgp_session_status(const struct bgp_session *s, struct bgp_session_status *out);
