/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "proc/role.h"
#include "super/plan.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Programs that check endpoints (`pools[].check.exec`), run for watch. See checks.c. */
struct checks;

/* told: gets what is to be sent to watch. NULL: out of memory. */
struct checks *checks_new(void (*told)(void *ctx, const struct role_message *m), void *ctx);
/* The plan in force has changed, or is the first. Programs that run go on; what waits goes by the new one. */
void checks_set(struct checks *c, const struct plan *plan);
/* A message of watch (ROLE_CHECK). */
void checks_ask(struct checks *c, const struct plan *plan, const struct role_message *m);
/* Every few milliseconds: start what waits, kill what takes too long. */
void checks_tick(struct checks *c, const struct plan *plan, uint64_t now_ms);
/* A process has ended. False: it is none of ours. */
bool checks_ended(struct checks *c, pid_t pid, int status);
/* Kills what runs. NULL is fine. */
void checks_free(struct checks *c);
