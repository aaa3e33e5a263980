/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/text.h"
#include "zone/store.h"

/* Append all records of one node as zone file lines for people, each set followed by its signatures. */
void zone_print_node(struct text *out, const struct store_snapshot *s, const struct store_node *n);
