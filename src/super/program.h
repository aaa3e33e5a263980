/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "super/plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A program of the operator that the supervisor runs, since roles may not: of a hook (hooks.h), of a check (checks.h). See program.c. */
enum { PROGRAM_SAID_MAX = 160, PROGRAM_ENV_MAX = 16 };

struct program {
	pid_t pid;          /* 0: it does not run */
	int output;         /* -1: closed */
	uint64_t started_ms;
	bool killed;
	char said[PROGRAM_SAID_MAX];
	size_t said_len;
};

/* account: of the roles, for its groups; NULL: not known. argv[0]: absolute path. False: there can be no further process now. */
bool program_start(struct program *p, const struct plan *plan, const char *account, char *const *argv, char *const *env, uint64_t now_ms);
/* What it says is read, so that it does not block, and but for its beginning forgotten. Every few milliseconds. */
void program_drain(struct program *p);
/* Kills it, with all that it has started, once. */
void program_kill(struct program *p);
/* It has ended, and was just waited for: kills what it has started and not waited for. */
void program_sweep(const struct program *p);
/* It has ended: its first line is in `said`, without what cannot be shown. */
void program_ended(struct program *p);

/* NAME=value, control characters replaced; count goes up where there is memory. */
void program_env(char **env, size_t *count, const char *name, const char *value);
/* PATH, the fleet and the node. */
void program_env_common(char **env, size_t *count, const struct plan *plan);
/* A NULL-terminated list and what is in it. */
void program_strings_free(char **list);
/* A copy of `count` words and, where it is not NULL, one more. NULL: out of memory. */
char **program_words(const char *const *words, size_t count, const char *more);
