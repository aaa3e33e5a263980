/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "sync/zone_list.h"
#include "zone/store.h"

/* Give the store exactly the zones of `next`: those it has beside them go, those it lacks come, without data. What a zone holds stays as it
 * is. `was` is the list that the store was in line with, or NULL when that is not known: then the store itself is walked. Rows of `next`
 * learn what the store has of them, take over what `was` knew of errors, and are marked `first` where they are new or come from elsewhere than in `was`. *changed: there is
 * something to commit; set on failure, too. */
int align_store(struct store_writer *w, struct zone_list *was, struct zone_list *next, bool *changed) MUST_CHECK;
