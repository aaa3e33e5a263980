/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/list.h"
#include "base/log.h"
#include "base/wire.h"
#include "sync/serve.h"
#include "sync/snapshots.h"
#include "xfr/outgoing.h"
#include "xfr/tsig.h"

/* Private to serve.c (connections, time) and serve_answer.c (what is answered). */
enum { SERVE_LOG_BURST = 50 };

/* A transfer under way, and the signature of any answer. */
struct serve_job {
	struct tsig_session tsig;
	struct access *access;          /* owns the key; NULL: no job */
	struct snapshot *snapshot;      /* NULL: no version is read */
	struct history_chain *chain;    /* NULL: no differences are sent */
	struct journal_changes changes; /* likewise, from the journal */
	struct xfr_difference *list;    /* views of them; NULL: none */
	struct xfr_out *out;            /* NULL: no transfer */
	bool whole;                     /* the zone, not differences */
	bool current;                   /* the client has the newest version */
	struct name apex;
	uint32_t serial;
	uint64_t began_ms;
};

struct serve {
	uv_loop_t *loop;
	struct board_sync *board;
	struct access *access;          /* NULL: nobody may anything yet */
	struct history *history;
	struct serve_hooks hooks;
	struct snapshots snapshots;
	struct handover_packet *packet; /* the one at hand */
	struct list turns;              /* of peers that can go on with their transfers */
	uv_check_t check;
	struct list peers, waiting;     /* waiting: for a pin or for others to end; of struct peer */
	unsigned peer_count, active;
	bool pins_short;                /* somebody waits for a pin */
	uv_timer_t sweep;
	struct log_limit limit;
	struct serve_line {
		uv_poll_t poll;
		int fd;
		struct serve *serve;
	} *lines;
	unsigned line_count;
};

/* Who asks, and how. */
struct serve_client {
	struct endpoint at;
	bool udp;
	bool tls, tls_fit, tls_verified; /* as struct handover has them */
};

/* What becomes of a request. */
enum serve_outcome {
	SERVE_REPLY,    /* w holds the answer, signed; the connection may go on */
	SERVE_REFUSED,  /* likewise, and then it ends */
	SERVE_TRANSFER, /* job->out gives the messages */
	SERVE_WAIT,     /* not now: ask again */
	SERVE_CLOSE,    /* there is nothing to say */
};

/* Judge one request. may_wait: SERVE_WAIT is a way out; else what cannot be done now is SERVFAIL. w: room for an answer, its cap what may be sent. After SERVE_TRANSFER the job is to
 * be ended with serve_job_done(); after anything else it is empty again. */
enum serve_outcome serve_request(struct serve *s, const uint8_t *msg, size_t len, const struct serve_client *from,
                                 bool may_wait, struct serve_job *job, struct writer *w);
/* The next message of a transfer into w, whose cap is all there is. 1, 0 at the end, or an error. */
int serve_job_next(struct serve_job *job, struct writer *w) MUST_CHECK;
/* Counts and logs; good: all was sent. */
void serve_job_done(struct serve *s, struct serve_job *job, const struct serve_client *from, bool good);
