/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "rpki/rtr_msg.h"
#include "rpki/vrp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One session with one RPKI cache. Pure: events and the time in, octets to send and what to do with the connection out. See rtr.c. */
enum {
	RTR_CONNECT_MS = 10000,   /* for TCP */
	RTR_SILENT_MS = 30000,    /* without an octet while an answer is due */
	RTR_TRANSFER_MS = 600000, /* for a whole answer */
	RTR_RETRY_MIN_MS = 1000,  /* between connections, doubled by each failure up to ... */
	RTR_RETRY_MAX_MS = 60000,
	RTR_QUERY_GAP_MS = 1000, /* between two queries, whatever a cache notifies */
	/* RFC 8210 6; of version 0 the usual ones. */
	RTR_REFRESH_S = 3600,
	RTR_REFRESH_MIN_S = 1,
	RTR_REFRESH_MAX_S = 86400,
	RTR_EXPIRE_S = 7200,
	RTR_EXPIRE_MIN_S = 600,
	RTR_EXPIRE_MAX_S = 172800,
	RTR_ERROR_TEXT_MAX = 160,
};

enum rtr_state { RTR_DOWN, RTR_CONNECTING, RTR_ASKING, RTR_RECEIVING, RTR_CURRENT, RTR_STATES };
const char *rtr_state_text(enum rtr_state s);

/* What the caller has to do after each call, once `out` is sent. */
enum rtr_todo { RTR_NOTHING, RTR_CONNECT, RTR_CLOSE };

struct rtr {
	const struct vrp_interest *interest; /* borrowed */
	uint32_t hold_max_s;                 /* data is held no longer than this, nor than the cache allows */
	enum rtr_state state;
	uint64_t since_ms; /* of the state */
	uint8_t version;   /* spoken, or to be tried */
	bool negotiated;   /* the cache has answered in this version on this connection */
	bool doubt;        /* of this connection: if the cache closes it now, that may be for our version */
	bool has_session;  /* session and serial are those of `have` */
	bool complete;     /* `have` is of the interest as it is now */
	bool incremental;  /* the answer under way is a difference */
	uint16_t session, coming_session;
	uint32_t serial;
	bool notified;                                           /* the cache has said that there is news */
	uint32_t refresh_s, expire_s;                            /* as the cache says, within bounds */
	uint64_t asked_ms, heard_ms, refresh_at_ms, retry_at_ms; /* 0: not */
	uint64_t synced_ms;                                      /* end of the last whole answer */
	uint64_t expires_ms;                                     /* of `have`; 0: there is none */
	unsigned failures;                                       /* connections in a row that ended without one */
	struct vrp_set have, coming;
	/* For people. */
	uint64_t syncs, records, errors,
		connections; /* whole answers; prefix PDUs, of the whole world; errors; TCP connections */
	char last_error[RTR_ERROR_TEXT_MAX];
	/* For the caller. */
	enum rtr_todo todo;
	bool changed;   /* `have` is another: to be cleared by the caller */
	size_t out_len; /* to be sent and cleared by the caller */
	uint8_t out[RTR_QUERY_LEN_MAX + RTR_ERROR_LEN_MAX];
	size_t in_len;
	uint8_t in[RTR_PDU_MAX];
};

/* Connects at the next rtr_tick(). */
void rtr_init(struct rtr *r, const struct vrp_interest *interest, uint32_t hold_max_s, uint64_t now_ms);
void rtr_done(struct rtr *r);
void rtr_connected(struct rtr *r, uint64_t now_ms);
/* The connection is gone, or could not be made; also after RTR_CLOSE was carried out. why may be NULL; random: any number, for jitter. */
void rtr_lost(struct rtr *r, const char *why, uint32_t random, uint64_t now_ms);
void rtr_input(struct rtr *r, const uint8_t *bytes, size_t len, uint64_t now_ms);
/* At least once a second. */
void rtr_tick(struct rtr *r, uint64_t now_ms);
/* The interest is another: all is asked for anew. What is held stays good for what was of interest before. */
void rtr_replan(struct rtr *r, uint64_t now_ms);
/* Can `have` be used? */
static inline bool rtr_usable(const struct rtr *r, uint64_t now_ms)
{
	return r->complete && r->expires_ms > now_ms;
}
