/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

struct behind;
struct role;
struct worker;

/* What a worker has for backends beside forward.c: connections to them, messages and connections that are passed on. It sets the worker's `upstream`, `passes` and `splices`. NULL: out of memory. */
struct behind *behind_new(struct worker *w, const struct role *role);
void behind_free(struct behind *b, struct worker *w);
/* Another configuration is in force. */
int behind_reload(struct behind *b, struct worker *w, const struct role *role) MUST_CHECK;
/* An epoll set that is readable while something can be done: behind_serve() then. */
int behind_fd(const struct behind *b);
void behind_serve(struct worker *w);
/* Once in a turn of the worker's loop, after all else: what was asked leaves, what is too old goes. */
void behind_tick(struct worker *w);
