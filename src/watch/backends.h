/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct watch;
struct backends_watch;
struct verdict_backends;

/* The servers that answer for zones: which are up. See backends.c. */
int backends_start(struct watch *w, struct backends_watch **out) MUST_CHECK;
/* After plan_build(): follow the configuration. */
void backends_replan(struct backends_watch *b);
/* What the zones of a network (its place in the configuration) that others answer for have to say to its verdict; false: nothing. The zone's name is in `zone`, of NAME_TEXT_MAX. */
bool backends_judge(const struct backends_watch *b, uint32_t network, uint64_t now_ns, char *zone,
                    struct verdict_backends *out);
/* Does the network have such zones? */
bool backends_has(const struct backends_watch *b, uint32_t network);
