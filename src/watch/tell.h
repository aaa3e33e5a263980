/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

struct watch;
struct teller;

/* Answers other nodes' questions about this one. *out is NULL where nobody can ask (stand-alone). ERR_NO_MEMORY: the loop is not to be run. */
int teller_new(struct watch *w, struct teller **out) MUST_CHECK;
/* Go by the configuration in force. On ERR_NO_MEMORY the old one stays. NULL is fine. */
int teller_replan(struct teller *t) MUST_CHECK;
