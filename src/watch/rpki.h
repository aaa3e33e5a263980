/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

/* Origin validation of this node's prefixes by RPKI caches: the sockets, timers and rows of the board around rpki/. On watch's loop. */
struct watch;
struct rpki_watch;

/* Begins to ask if the configuration says so; rows of a predecessor on the board stay in force until their time. */
int rpki_start(struct watch *w, struct rpki_watch **out) MUST_CHECK;
/* After a reload. Sessions with caches that stay go on. */
void rpki_replan(struct rpki_watch *r);
