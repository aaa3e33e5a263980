/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "super/plan.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct hooks;

/* NULL: out of memory. */
struct hooks *hooks_new(struct board *board);
/* The plan in force has changed, or is the first. Programs that run go on. */
void hooks_set(struct hooks *h, const struct plan *plan);
/* Every few milliseconds: look, start what waits, kill what takes too long. */
void hooks_tick(struct hooks *h, const struct plan *plan, uint64_t now_ms);
/* A process has ended. False: it is none of ours. */
bool hooks_ended(struct hooks *h, pid_t pid, int status);
/* Is nothing running or waiting? */
bool hooks_idle(const struct hooks *h);
/* Kills what runs. */
void hooks_free(struct hooks *h);
