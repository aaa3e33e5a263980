/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "board/board.h"
#include "config/config.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* What a role process starts with. The supervisor re-executes the binary as `zonecast role NAME` with one inherited descriptor
 * that holds a struct role_brief; the role attaches the board, reads the configuration from its own sealed copy, drops
 * privileges and installs its sandbox before it reads a byte from the network.
 *
 * Shape of every role's main:
 *	int watch_main(struct role *role)
 *	{
 *		... allocate, open ...
 *		role_loop_start(role, &loop);      stamps the heartbeat, watches the supervisor's messages
 *		if (role_sandbox(role) < 0) ...
 *		uv_run(&loop, UV_RUN_DEFAULT);     until ROLE_STOP or the supervisor is gone
 *	}
 * A role that returns is restarted; a role whose heartbeat is older than ROLE_HANG_MS is killed and restarted. */
enum {
	ROLE_SOCKETS_MAX = 512,
	ROLE_PATH_MAX = 512,
	ROLE_PREFIXES_MAX = 64,
	WORKER_STAMP_MS = 20, /* how often a loop stamps its heartbeat */
	ROLE_STAMP_MS = 200,  /* roles other than answer: each wake-up is taken from answering */
	ROLE_HANG_MS = 2000,  /* roles other than answer; a worker's limit is WORKER_HANG_MS */
	WORKER_HANG_MS = 100,
	ROLE_PRIORITY = 10,   /* SCHED_RR, of the thread of BFD (BFD_PRIORITY) */
};
/* Distance in stamps of one worker to the limit at which route withdraws: longer than a kill and restart of the worker. */
enum { WORKER_DEAD_MS = 300 };

/* A sanitizer slows everything down several times; limits of time are then about the sanitizer and not about us. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { ROLE_PATIENCE = 10 };
#else
enum { ROLE_PATIENCE = 1 };
#endif

enum role_socket_kind { ROLE_SOCKET_UDP, ROLE_SOCKET_TCP, ROLE_SOCKET_CONTROL, ROLE_SOCKET_TLS,
                        ROLE_SOCKET_HANDOVER, /* sync: its end of a worker's pair (proc/handover.h) */
                        ROLE_SOCKET_BGP, /* route: for neighbors that open the connection */
                        ROLE_SOCKET_HTTP /* admin */ };
struct role_socket {
	int32_t fd;
	uint8_t kind; /* enum role_socket_kind */
	struct endpoint at;
};

/* A way out of this node and back: a raw ICMP socket, bound to a device with XDP and connected to a neighbor beyond it. */
enum { ROLE_PATHS_MAX = BOARD_PATHS_MAX };
struct role_path {
	int32_t fd;
	uint32_t ifindex;
	char device[16];
	struct ip_addr neighbor;
};

/* An AF_XDP socket of one receive queue, not bound yet; `place` is its place in the program's map. */
enum { ROLE_RINGS_MAX = 16 };
struct role_ring {
	int32_t fd;
	uint32_t ifindex, queue, place;
	uint32_t mtu; /* of the device */
};

/* The fixed-size part handed over in a memfd; same binary on both sides. */
struct role_brief {
	uint32_t size;
	uint32_t kind;   /* enum board_role */
	uint32_t index;  /* of the worker */
	int32_t board_fd;
	int32_t config_fd; /* a bundle (proc/bundle.h) with what this role needs of the fleet file, and secrets; -1 in the stand-alone
	                      form, but for answer, whose bundle always is there */
	int32_t supervisor_fd; /* SOCK_SEQPACKET */
	int32_t rate_fd; /* answer: the table of rate limits, to be mapped whole; -1 elsewhere */
	int32_t xdp_fd[4]; /* answer, sync, admin: the kernel's answer cache (struct xdp_maps); -1: not for this role, or there is none */
	uint64_t rate_len; /* octets of the table where it is a map of the kernel's, else 0 */
	int32_t journal_fd; /* sync: the folder of its journal; -1 elsewhere, and in the stand-alone form */
	int32_t sample_fd; /* answer, admin: the workers' rings of sampled queries (sample/ring.h); -1 elsewhere */
	int32_t tap_fd;    /* answer, tap: the workers' rings for dnstap (dnstap/ring.h); -1 elsewhere, and in the stand-alone form */
	int32_t backend_cache_fd; /* answer, admin: answers of backends (edge/cache.h); -1 elsewhere, and without backends */
	int32_t handover_fd; /* answer: its end of the pair with sync (proc/handover.h); -1 elsewhere */
	int32_t status_fd;   /* answer, watch: their ends of the pair for questions about the node's status; -1 elsewhere, and in the stand-alone form */
	uint8_t probe_key[8]; /* watch, answer: of probes through devices (xdp/echo.h) */
	uint32_t path_count;  /* watch: those devices */
	struct role_path paths[ROLE_PATHS_MAX];
	uint32_t ring_count;  /* answer */
	struct role_ring rings[ROLE_RINGS_MAX];
	uint32_t workers;
	uint32_t log_level;
	uint32_t log_format; /* enum log_format, until the configuration says so, or for good: */
	uint32_t log_fixed;  /* whatever the configuration says */
	uint32_t uid, gid; /* to become; UINT32_MAX: stay */
	uint32_t control_gid; /* admin: whose members may use the control socket; UINT32_MAX: none */
	uint32_t keep_dac_read; /* sync only: it reads files that uid may not (ROLE_NEEDS_READ) */
	char node[BOARD_NAME_MAX];      /* name of this node */
	char config_path[ROLE_PATH_MAX];
	char zones_dir[ROLE_PATH_MAX];  /* stand-alone form, else "" */
	char state_dir[ROLE_PATH_MAX];
	char run_dir[ROLE_PATH_MAX];
	char store_path[ROLE_PATH_MAX]; /* the store's file in run_dir */
	uint32_t allow_transfer_count; /* stand-alone form: who may transfer zones */
	struct ip_prefix allow_transfer[ROLE_PREFIXES_MAX];
	uint32_t socket_count;
	struct role_socket sockets[ROLE_SOCKETS_MAX];
};

struct bundle;
struct role_message;

struct role {
	struct role_brief brief;
	struct board *board;
	struct config *config;          /* NULL in the stand-alone form */
	const struct config_node *node; /* NULL in the stand-alone form */
	struct bundle *bundle;          /* NULL in the stand-alone form */
	board_stamp *stamp;             /* this process's heartbeat on the board */
	uv_timer_t stamp_timer;         /* private to role.c */
	uv_poll_t supervisor_poll;
	/* Called with a new configuration (ROLE_RELOAD), already swapped into `config` and `node`; the old one stays valid
	 * until it returns 0. Non-zero: the role asks to be restarted instead. NULL: always restart. */
	int (*on_reload)(struct role *role, struct config *old);
	bool keeps_old;                 /* on_reload takes `old` over, to free it later */
	/* Called once at ROLE_STOP; the loop is stopped by the role when it is done. NULL: stop at once. */
	void (*on_stop)(struct role *role);
	/* Called for ROLE_ORDERS: orders on the board have changed. NULL: ignored. */
	void (*on_orders)(struct role *role);
	/* Called with every other message (ROLE_REPLY, ROLE_SYNC_RELOAD). NULL: ignored. */
	void (*on_message)(struct role *role, const struct role_message *m);
	int attached;                   /* the descriptor that came with the message at hand, or -1; on_message that takes it over sets -1 */
	void *state; /* the role's own */
};

/* Messages between supervisor and a role, one SOCK_SEQPACKET packet each. Requests from admin to the supervisor are answered
 * with ROLE_REPLY carrying the same id. */
enum role_message_kind {
	ROLE_STOP = 1,    /* to a role: finish and exit */
	ROLE_RELOAD,      /* to a role, with the new config descriptor attached (SCM_RIGHTS) */
	ROLE_ORDERS,      /* to route, admin: orders on the board have changed */
	ROLE_READY,       /* from a role: start-up is over (sync: first load done) */
	ROLE_REQUEST,     /* from admin: do what `request` says */
	ROLE_REPLY,       /* to admin: result (0 or an error) and text */
	ROLE_DONE_STOP,   /* from route: everything is withdrawn and closed */
	ROLE_SYNC_REQUEST, /* to sync: a request about zones held by transfer, answered with ROLE_REPLY; text = a zone's name */
	ROLE_SYNC_RELOAD, /* to sync: look at zone files again; text = zone name or "" for all */
	ROLE_NEEDS_READ,  /* from sync: text = a zone file that its account may not read; where that is so, sync is restarted able to, else this is the reply, without text */
	ROLE_SOCKET_OPEN,  /* to answer, route, admin: serve one more socket, attached; text = its struct role_socket */
	ROLE_CHECK,        /* from watch: run the program that checks an endpoint; text = names of pool and endpoint, a line each */
	ROLE_CHECKED,      /* to watch, under the same id: result = its exit code, or a negative error (ERR_LIMIT: it was not run); text = the first line it printed */
	ROLE_SOCKET_CLOSE, /* to answer, route, admin: close the sockets of an endpoint; text = a struct role_socket with kind and `at` */
};
enum role_request { REQUEST_RELOAD = 1, REQUEST_DRAIN, REQUEST_RESUME, REQUEST_ZONE_RELOAD, REQUEST_FAULT,
                    /* For sync: one JSON line, as many as fit of those after a name, nothing. */
                    REQUEST_ZONE_STATUS, REQUEST_ZONES_AFTER, REQUEST_RETRANSFER, REQUEST_RETRANSFER_FORCE,
                    REQUEST_ZONE_RELOAD_FORCE,
                    /* Lines about the catalogs after a name; a catalog's name. */
                    REQUEST_CATALOGS, REQUEST_CATALOG_ACCEPT,
                    /* For sync, which answers on the connection that is attached (its answers have any length); the text is a struct role_ask. The reply says
                     * only whether it does. */
                    REQUEST_ZONE_HISTORY, REQUEST_ZONE_DIFF, REQUEST_ZONE_EXPORT, REQUEST_ZONE_ROLLBACK, REQUEST_ZONE_PUBLISH,
                    /* Orders: of a network or all; of the neighbor (an endpoint) in the text. */
                    REQUEST_FREEZE, REQUEST_FORCE, REQUEST_DRAIN_NEIGHBOR, REQUEST_RESUME_NEIGHBOR };
/* Text of REQUEST_DRAIN: the backstop of the network too. */
#define ROLE_WITH_BACKSTOP "backstop"
/* Text of REQUEST_RELOAD: lines of a word and, for the first, a network; see super/supervisor.c. */
#define ROLE_RELOAD_WITHDRAW "withdraw "
#define ROLE_RELOAD_OLDER "accept-older"
static inline bool role_request_is_ask(uint32_t request)
{
	return request >= REQUEST_ZONE_HISTORY && request <= REQUEST_ZONE_PUBLISH;
}
struct role_ask {
	uint32_t uid;       /* of who asks */
	uint32_t force;     /* REQUEST_ZONE_PUBLISH: whatever guards say */
	uint32_t serials;   /* how many are given */
	uint32_t serial[2];
	char zone[1024];    /* text */
};
/* The text of REQUEST_FAULT. */
struct role_fault {
	uint32_t kind;   /* enum board_fault */
	uint32_t worker; /* UINT32_MAX: all */
};
enum { ROLE_TEXT_MAX = 4096 };
struct role_message {
	uint32_t kind;
	uint32_t id;
	uint32_t request;
	int32_t result;
	uint32_t network; /* index in the node's list, UINT32_MAX: all */
	uint32_t uid;     /* of who asks: ROLE_REQUEST, ROLE_SYNC_RELOAD */
	uint32_t text_len;
	char text[ROLE_TEXT_MAX]; /* diagnostics, lines separated by newlines */
};
int role_send(int fd, const struct role_message *m, int attach_fd) MUST_CHECK;
/* 1 one message, 0 nothing there, ERR_CLOSED, -errno. *attached is -1 or a descriptor that is now the caller's. */
int role_receive(int fd, struct role_message *m, int *attached) MUST_CHECK;

/* The items of an answer worker's bundle, beside the configuration (which is the first) and files under their paths. */
#define ROLE_ITEM_COOKIES "cookie-secrets" /* struct cookie_secrets */
#define ROLE_ITEM_FLEET "fleet-addresses"  /* struct ip_addr of each node's management addresses: who may ask for the status; not in the stand-alone form */
/* In a bundle whose configuration is not the fleet file itself: the hash of that, 32 octets. */
#define ROLE_ITEM_HASH "fleet-hash"
/* In that of watch, where a pool's check needs it: the authorities that this machine believes, PEM. */
#define ROLE_ITEM_AUTHORITIES "system-authorities"

/* Become the role described by the brief on brief_fd: see above. Ends the process with a log line when that is impossible. */
struct role *role_enter(int brief_fd);
/* Read the configuration in a bundle and put it into `role`; *old and *old_bundle are what was there, now the caller's. On failure all
 * stays as it was. */
int role_take_config(struct role *role, int fd, struct config **old, struct bundle **old_bundle) MUST_CHECK;
/* Map shared memory that came with the brief, and close the descriptor. ERR_NOT_FOUND: none came (-1); -errno. */
int role_map(int fd, bool writable, void **memory, size_t *len) MUST_CHECK;
/* Start the heartbeat timer and the supervisor's message watch on loop. */
int role_loop_start(struct role *role, uv_loop_t *loop) MUST_CHECK;
/* No new privileges, capabilities dropped, seccomp filter of the role's kind. After it only what the role's row in the
 * architecture allows is possible. */
int role_sandbox(struct role *role) MUST_CHECK;
