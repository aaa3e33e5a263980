/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "steer/steer.h"
#include "watch/question.h"
#include "zone/store.h"

#include <stdbool.h>

/* Is a question answered by a policy (answer/steering.c) in place of the set that the zone has? Then that set says
 * nothing of whether the answer is right. t: NULL: there are no policies. */
bool steered_question(const struct steer_table *t, const struct store_snapshot *s, const struct question *q);
