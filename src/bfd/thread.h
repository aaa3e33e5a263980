/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "bfd/fsm.h"
#include "bfd/table.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* BFD sessions on a thread of their own; see thread.c for how it works. All calls come from one other thread, the "loop" below; none of them
 * waits for the BFD thread, or is waited for by it. */
enum {
	BFD_LIVENESS_MAX = 300,
	BFD_PRIORITY = 10,    /* SCHED_RR; RLIMIT_RTPRIO must be that */
	BFD_REOPEN_MS = 1000, /* so long every heartbeat must be good before a node that was held looks alive again */
	BFD_BURST = 64,       /* packets received at a time, BFD_PAUSE_US apart: no flood takes a CPU */
	BFD_PAUSE_US = 1000,
};

/* A heartbeat of what this node needs to be of use (CLOCK_MONOTONIC, 0: never). Older than the limit: no session may be Up. */
struct bfd_liveness {
	const _Atomic uint64_t *stamp; /* lives as long as the thread */
	uint64_t limit_ns;
};

/* Of one session; values may be of moments a little apart. */
struct bfd_view {
	enum bfd_state state, remote_state;
	unsigned diag, remote_diag;
	enum bfd_why why;
	uint64_t since_ns, transitions;
	uint64_t falls; /* as in struct bfd_fsm: each asks for the neighbor's routes to be dropped */
	uint64_t tx_us, detect_us;
	uint64_t in, out, bad; /* packets; bad: from this neighbor, and not to be believed */
	uint64_t unsent;       /* the kernel did not take them */
	int send_error;        /* -errno of the last of those; 0: it takes them */
};

struct bfd_totals {
	bool running;     /* the thread has begun: the next one is known */
	bool realtime;    /* SCHED_RR was allowed */
	bool locked;      /* memory cannot be paged out */
	bool held;        /* a heartbeat is too old, or was a moment ago */
	unsigned held_by; /* index of that heartbeat */
	uint64_t held_count;
	uint64_t strange;     /* packets that are no neighbor's, or were not understood and no neighbor's */
	uint64_t late_max_us; /* the most that a packet of ours left after its time */
};

struct bfd;
/* Starts the thread. `live` is copied, at most BFD_LIVENESS_MAX. ERR_NO_MEMORY, -errno. */
int bfd_new(const struct bfd_liveness *live, size_t count, struct bfd **out) MUST_CHECK;
/* Ends it; sessions are not told to go Down first: see bfd_session_close(). NULL is fine. */
void bfd_free(struct bfd *b);

/* Readable when views may have changed; bfd_ack() makes it unreadable, and frees what belonged to sessions that are gone. */
int bfd_fd(const struct bfd *b);
void bfd_ack(struct bfd *b);
void bfd_totals(const struct bfd *b, struct bfd_totals *out);

/* Opens a session and what it listens on. ERR_LIMIT: no room (yet: a closed session needs a moment); -EADDRINUSE: another BFD speaker has the port;
 * -EADDRNOTAVAIL, -ENETUNREACH: no such local address, or none to choose. *slot stays the session's name until it is closed. */
int bfd_session_open(struct bfd *b, const struct bfd_path *path, const struct bfd_timers *timers,
                     unsigned *slot) MUST_CHECK;
/* True when the session would be opened from another local address now. */
bool bfd_session_outdated(const struct bfd *b, unsigned slot, const struct bfd_path *path);
/* Those below fail only with ERR_LIMIT, when the thread has not kept up: to be tried again. */
int bfd_session_set(struct bfd *b, unsigned slot, const struct bfd_timers *timers) MUST_CHECK;
/* AdminDown, which well-made neighbors do not take for a failure, or back. */
int bfd_session_admin(struct bfd *b, unsigned slot, bool down) MUST_CHECK;
/* AdminDown, then gone. */
int bfd_session_close(struct bfd *b, unsigned slot) MUST_CHECK;
/* False as long as the thread has not taken the session up. */
bool bfd_session_view(const struct bfd *b, unsigned slot, struct bfd_view *out);
