/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

struct watch;
struct paths;

/* The ways out of this node through devices with XDP, and back: each is asked by way of its neighbor, from the brief's sockets, and what is thought
 * of it is on the board. *out NULL, and no error, where there are none. */
int paths_start(struct watch *w, struct paths **out) MUST_CHECK;
/* The network whose zones are asked for may have changed. p may be NULL. */
void paths_replan(struct paths *p);
