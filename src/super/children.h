/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "proc/role.h"
#include "super/plan.h"
#include "super/sockets.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

/* The role processes: started, watched, restarted. A child that ended at once is restarted at once the first time; each further quick
 * end doubles the wait up to CHILD_BACKOFF_MAX_MS. A child whose heartbeat stands still is killed. */
enum {
	CHILD_QUICK_MS = 2000,       /* living shorter than this counts as a quick end */
	CHILD_BACKOFF_MS = 50,
	CHILD_BACKOFF_MAX_MS = 5000,
	CHILD_STARTUP_MS = 30000,    /* until the first heartbeat */
	WORKER_STARTUP_MS = 10000,   /* until its loop begins; while it lasts others answer, and whoever is killed for being slow begins with nothing again */
	CHILDREN_MAX = BOARD_PROCS_MAX,
};

struct children;
struct express;
struct doors;

struct child {
	struct children *all;
	enum board_role kind;
	unsigned index;          /* of a worker */
	struct board_process *shown;
	pid_t pid;               /* 0: not running */
	int channel;             /* our end of its channel, -1 */
	int attached;            /* the descriptor that came with the message at hand, or -1; closed after it */
	uv_poll_t *poll;         /* owned by libuv's close callback once stopped */
	uint64_t started_ns;
	uint64_t restart_at_ms;  /* 0: at once */
	unsigned quick_ends;
	uint64_t late_since;     /* the heartbeat that it was late after, with the CPU time it had used when that was seen */
	uint64_t late_cpu_ns;
	bool killed;             /* for hanging, and not gone yet */
	uint32_t hung_ms;        /* its heartbeat was so old then */
	bool wanted;             /* to be restarted when it ends */
	bool fell;               /* it ended by itself, and does not run again yet */
	bool told;               /* to end, so that it starts anew: no quick end, however short it lived */
};

/* Sealed (proc/bundle.h), replaced at reload; -1: none. */
struct children_bundles {
	int config_fd; /* for route */
	int admin_fd;  /* for admin */
	int watch_fd;  /* for watch */
	int answer_fd; /* for workers */
	int zones_fd;  /* for sync */
	int tap_fd;    /* for tap */
};

struct children {
	uv_loop_t *loop;
	struct board *board;
	int board_fd;
	struct children_bundles bundles;
	int journal_fd;          /* the folder of sync's journal; -1: none */
	int sample_fd;           /* their rings of sampled queries, -1: none */
	int tap_fd;              /* their rings for dnstap, -1: none */
	int backend_cache_fd;    /* answers of backends, -1: none */
	uint32_t backend_cache_size; /* it was made for */
	int rate_fd;             /* the workers' table of rate limits, -1: none */
	uint64_t rate_len;
	int xdp_fd[4];           /* maps of the kernel's answer cache: control, generations, small, large; -1: none */
	struct express *express; /* AF_XDP sockets and ways to be watched; NULL: none */
	int control_fd;          /* admin's listening socket */
	int handover[BOARD_WORKERS_MAX][2]; /* pairs of each worker with sync: the worker's end, sync's; -1 */
	int status[2];           /* one pair of all workers, which ask, with watch, which answers: the workers' end, watch's; -1 */
	const struct ip_prefix *allow_transfer; /* stand-alone form */
	size_t allow_transfer_count;
	const struct plan *plan;
	struct socket_set *sockets;
	struct doors *doors;     /* listening sockets for route; NULL: none */
	struct doors *web;       /* for admin; NULL: none */
	enum log_level log_level;
	bool log_fixed;          /* its format, by an option of the command line */
	const char *zones_dir;   /* stand-alone form, else NULL */
	char store_dir[ROLE_PATH_MAX];
	char pids_path[ROLE_PATH_MAX];
	struct child child[CHILDREN_MAX];
	size_t count;
	uint64_t checked_ns;
	void (*on_message)(void *ctx, struct child *c, const struct role_message *m);
	void (*on_end)(void *ctx, struct child *c, int wait_status);
	void (*on_stranger)(void *ctx, pid_t pid, int wait_status); /* the end of a process that is no role */
	void *ctx;
};

/* Add and start a child; it is wanted until children_stop(). */
int children_add(struct children *all, enum board_role kind, unsigned index) MUST_CHECK;
/* Have the one child of this kind, or have it end. */
int children_want(struct children *all, enum board_role kind, bool wanted) MUST_CHECK;
/* The descriptor of the bundle that this kind of role gets, or -1. */
int children_bundle(const struct children *all, enum board_role kind);
struct child *children_find(struct children *all, enum board_role kind, unsigned index);
/* SIGCHLD: reap and account. */
void children_reap(struct children *all);
/* Every few milliseconds: restart what is due, kill what hangs. */
void children_check(struct children *all);
int child_send(struct child *c, const struct role_message *m, int attach_fd) MUST_CHECK;
/* Ask for an end and start it anew, with the sockets of then. */
void child_renew(struct child *c);
/* Ask for an end; not restarted. */
void child_stop(struct child *c);
void child_kill(struct child *c);
bool children_any_alive(const struct children *all);
