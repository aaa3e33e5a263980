/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "config/config.h"
#include "dns/message.h"

/* Questions that are not answered: answer.filters of the fleet file, in a form that is asked on the path of every query. Immutable. */
struct filter_set;
enum filter_action { FILTER_PASS, FILTER_DROP, FILTER_REFUSE, FILTER_TRUNCATE, FILTER_ACTIONS };

/* The set of these filters (nothing of them is kept); NULL for none. ERR_NO_MEMORY. */
int filter_set_make(const struct config_filter *filters, size_t count, struct filter_set **out) MUST_CHECK;
void filter_set_free(struct filter_set *s);
/* The action of the first filter in the file's order that matches; s may be NULL. */
enum filter_action filter_judge(const struct filter_set *s, const struct query *q, const struct ip_addr *client);
