/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/diag.h"
#include "dns/name.h"
#include "proc/role.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* Requests of the control socket that sync answers itself, on the client's connection: see asks.c. On the loop of sync, but for what is said. */
enum { ASKS_MAX = 8 /* at a time */ };

struct asks;
struct journal;
struct loader;
struct serve;
struct zone_row;

struct asks_hooks {
	void *ctx;
	/* A version is to be published or gone back to: the zone is to be read (NULL: none has to; force: whatever the gate says), and a run is wanted. */
	void (*wants_run)(void *ctx, const struct name *read, bool force);
	/* The path of the zone's file, or "". */
	const char *(*file)(void *ctx, const uint8_t *apex);
};

/* journal may be NULL. NULL: out of memory. */
struct asks *asks_new(uv_loop_t *loop, struct journal *journal, struct serve *serve, const struct asks_hooks *hooks);
/* Waits for threads, whose clients are cut off; before what they look at (serve) goes. No run may be under way, and none may begin. a may be NULL, here and below. */
void asks_stop(struct asks *a);
/* Stopped before. The loop must not turn any more. */
void asks_free(struct asks *a);
/* The request in m, which role_request_is_ask(), for the client at fd. 0: fd is taken over; else why not, for people. */
int asks_take(struct asks *a, const struct role_message *m, int fd, const char **why) MUST_CHECK;

/* A run: before it and after it, on the loop; within it, on the loader's thread, after the loader's own; the result is the store's. */
bool asks_has_work(const struct asks *a);
void asks_begin(struct asks *a);
int asks_run(struct asks *a, struct loader *l) MUST_CHECK;
void asks_end(struct asks *a);
/* The loader's on_read. */
void asks_on_read(void *ctx, const struct zone_row *row, int err, const struct diag *problems, const char *why);
