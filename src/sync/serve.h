/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "board/board.h"
#include "journal/journal.h"
#include "proc/role.h"
#include "sync/access.h"
#include "sync/history.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* What workers hand to sync, answered: transfers to others, NOTIFY, signed questions. See serve.c. On the loop of sync. */
struct serve_hooks {
	void *ctx;
	/* A NOTIFY that is believed: from a primary of the zone, signed with its key where it has one (key_name, else NULL). False: not heard, it must come again. NULL: nobody
	 * cares. */
	bool (*notified)(void *ctx, const uint8_t *apex, const struct ip_addr *from, bool has_serial, uint32_t serial, const char *key_name);
	/* Seconds until the zone's copy expires here, for EXPIRE (RFC 7314). False, or NULL: this node is the zone's primary, the SOA says. */
	bool (*expires)(void *ctx, const uint8_t *apex, uint32_t *seconds);
	/* Differences that memory does not know, from the journal, of at most octets_max; the receiver's. False, or NULL: there are none. */
	bool (*changes)(void *ctx, const uint8_t *apex, uint32_t from, uint32_t to, uint64_t octets_max, struct journal_changes *out);
};

struct serve;

/* The sockets are those of the brief: the pairs with workers. hooks are copied. history may be NULL. ERR_NO_MEMORY, -errno. */
int serve_new(uv_loop_t *loop, const struct role_brief *brief, struct board_sync *board, struct history *history, const struct serve_hooks *hooks,
              struct serve **out) MUST_CHECK;
void serve_free(struct serve *s);
/* A version of the store that stays until snapshots_give(); see snapshots_take(). */
struct snapshot;
int serve_snapshot(struct serve *s, struct snapshot **out) MUST_CHECK;
/* Who may what from now on; transfers under way go on. */
void serve_access(struct serve *s, struct access *a);
