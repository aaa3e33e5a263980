/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "proc/role.h"

#include <stdbool.h>

/* A worker's AF_XDP sockets: questions that the program in the kernel has no answer for, past the kernel's network stack. */
struct rings;
struct worker;

/* The brief's, taken over. What cannot be used is closed, and said: its questions come by sockets then. NULL where there is none. */
struct rings *rings_new(const struct role_brief *b);
/* The descriptor of ring i, -1 behind the last: readable when something has come. */
int rings_fd(const struct rings *r, unsigned i);
/* Now and then: binds what is not bound yet, and sends what was not taken. r may be NULL, here and below. Until the first call nothing
 * arrives. */
void rings_tick(struct rings *r, struct worker *w);
/* Answer what has come by ring i, a bounded number. The store is there, and not pinned. */
void rings_serve(struct rings *r, struct worker *w, unsigned i);
/* Nothing is to come any more; what has is answered. */
void rings_end(struct rings *r, struct worker *w);
void rings_free(struct rings *r);
