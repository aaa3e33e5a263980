/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "board/board.h"
#include "fleet/tree.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A place of the tree of zones as the RDATA of a TXT record: see tree_message.c. Pure. */
enum {
	TREE_FORM = 1,
	TREE_LIST_MAX = 16, /* zones named in one answer; of more the children are told */
};
#define TREE_FORM_KEY "zonecast-tree"

struct tree_listed {
	uint64_t hash, content;
	uint32_t serial;
	bool known;
	char name[BOARD_ZONE_MAX]; /* cut off beyond */
};

struct tree_answer {
	struct tree_sum sum;
	bool listed; /* zone[] are all zones of the place; else child[] */
	struct tree_sum child[TREE_FAN];
	uint32_t count;
	struct tree_listed zone[TREE_LIST_MAX];
};

/* spare: octets that must be left in rdata's buffer. Sticky. */
void tree_answer_write(const struct zone_tree *t, struct tree_place p, size_t spare, struct writer *rdata);
/* ERR_MALFORMED; ERR_UNSUPPORTED: of another form. *out is touched in any case. */
int tree_answer_read(const uint8_t *rdata, size_t len, struct tree_place p, struct tree_answer *out) MUST_CHECK;
