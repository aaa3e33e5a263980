/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "base/diag.h"
#include "config/config.h"
#include "dns/cookie.h"
#include "net/listen.h"
#include "proc/bundle.h"
#include "proc/role.h"
#include "super/supervisor.h"

#include <stdbool.h>
#include <stdint.h>

/* What one configuration asks of this node: read and judged whole before anything is changed. */
enum {
	PLAN_ENDPOINTS_MAX = ROLE_SOCKETS_MAX / 2,
	PLAN_KEY_FILE_MAX = 64 << 10,
	PLAN_AUTHORITIES_MAX = 1 << 20,
	PLAN_FASTOPEN_KEYS = 2
};

struct plan {
	struct config *config;      /* NULL in the stand-alone form */
	const struct config_node *node;
	/* What roles are told; NULL once sealed. In the stand-alone form there is that of the workers only. */
	struct bundle *bundle;      /* route: everything but the zones; BGP passwords */
	struct bundle *admin;       /* admin: everything but the zones; what its web server is known by, and whom it knows */
	struct bundle *watch;       /* watch: everything but the zones; the key of what nodes say to each other */
	struct bundle *answer;      /* workers: settings of answering, no zones, no keys */
	struct bundle *tap;         /* tap: the settings of answering and nothing else; NULL: it has nothing to do */
	struct bundle *zones;       /* sync: the fleet file as it is */
	char node_name[BOARD_NAME_MAX];
	char state_dir[ROLE_PATH_MAX], run_dir[ROLE_PATH_MAX];
	struct endpoint endpoints[PLAN_ENDPOINTS_MAX]; /* UDP and TCP are opened on each, TLS on those with its port */
	size_t endpoint_count;
	uint16_t tls_port;          /* 0: no TLS */
	uint8_t fastopen[PLAN_FASTOPEN_KEYS][LISTEN_FASTOPEN_KEY]; /* of TCP Fast Open: the key in use, the one before */
	unsigned fastopen_count;
	struct ip_addr service[PLAN_ENDPOINTS_MAX]; /* to be held on lo */
	size_t service_count;
	unsigned workers;
	uint32_t uid, gid;          /* of the roles; UINT32_MAX: stay */
	uint32_t control_gid;       /* whose members may use the control socket; UINT32_MAX: none */
	bool keep_dac_read;         /* sync reads what uid may not: see plan_grants_read() */
	bool without_zones;         /* config has none of its zones yet: plan_complete() is to come */
	uint32_t file_older;        /* generation + 1 of the fleet file, when it was too old and the copy of the accepted one stands for it */
	uint32_t highest;           /* generation accepted before, 0: none */
	bool routed;                /* route and watch have work: not stand-alone */
};

/* What a reload may do that it would be refused otherwise. */
struct plan_leave {
	const char *const *withdraw; /* networks that may be taken away everywhere */
	size_t withdraw_count;
	bool accept_older;
};

/* seed: random octets of this supervisor's life, for cookies where no secret is configured. in_force (NULL at the start): the plan that
 * this one is to replace; zone files that it does not have must be there. At the start none is looked at: answers come from the store at
 * once, and sync tells which zones do not load. With in_force: a file that would take a network away everywhere, or is of an older generation, is
 * refused unless `leave` (NULL: nothing) says so; at a start a file of an older generation is replaced by the copy of the newest. Problems are in diag. On success *out is the caller's, freed with plan_done().
 * ERR_INVALID otherwise. */
int plan_make(const struct supervisor_options *o, const uint8_t seed[COOKIE_SECRET_LEN], const struct plan *in_force,
              const struct plan_leave *leave, struct diag *diag, struct plan *out) MUST_CHECK;
/* At a start with a fleet file that was found good before, plan_make() leaves its zones out, so that workers can begin; this reads them, before the
 * bundle for sync is sealed. Nothing to do for any other plan. ERR_INVALID, and p is as before. */
int plan_complete(struct plan *p, struct diag *diag) MUST_CHECK;
/* May sync have the privilege to read any file, because its account cannot read this one? Only for a zone file of the plan (or the folder
 * of the stand-alone form, or a file in it) for which that is so. */
bool plan_grants_read(const struct plan *p, const char *zones_dir, const char *path);
/* Is there work for the process of captures? */
bool plan_taps(const struct plan *p);
void plan_done(struct plan *p);
