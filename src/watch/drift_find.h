/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "board/board.h"
#include "fleet/tree_message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From looks at zones here and elsewhere to what is worth saying: see drift_find.c. Pure. */
enum {
	FINDINGS_MAX = 4096,
	FINDINGS_OF_ONE = 256,      /* of one node and network */
	FINDING_CONFIRM_MS = 1000,  /* between two looks that must agree */
	FINDING_OUTSIDE = 1U << 31, /* `who` is a server outside of the fleet */
};

struct finding {
	bool used, shown, alert;
	uint32_t who;     /* index of the node, or of the server with FINDING_OUTSIDE */
	uint32_t network; /* slot of drift_table */
	uint64_t hash;
	enum board_drift_kind kind;
	uint32_t here, there; /* serials; `here` 0 with DRIFT_AHEAD where the zone is not here at all */
	bool absent;          /* it is not here */
	uint32_t looks;
	uint64_t first_ns;        /* first look that saw it as it is: since then it does not move */
	uint64_t seen_ns;         /* last one */
	uint64_t moved_ns;        /* when the serial that is behind was seen to move; 0: never */
	uint32_t versions, moves; /* behind by so many when the zone here had moved so often; versions 0: not known */
	char zone[BOARD_ZONE_MAX];
};

/* One zone, as a look found it. */
struct finding_look {
	uint32_t who, network;
	uint64_t hash;
	const struct tree_zone *here;    /* NULL: it is not here */
	const struct tree_listed *there; /* NULL: it is not there */
};

/* Told when something that is shown begins, changes (`was` is not NONE) or ends (`now` is NONE). */
typedef void finding_told_fn(void *ctx, const struct finding *f, enum board_drift_kind was, enum board_drift_kind now);

struct findings {
	uint64_t alert_after_ns;
	finding_told_fn *told;
	void *ctx;
	uint32_t used, top; /* top: none is used from here on */
	uint64_t left_out;  /* for want of room */
	bool changed;       /* since the owner set it to false */
	struct finding list[FINDINGS_MAX];
};

enum board_drift_kind finding_kind(const struct finding_look *l);
void findings_see(struct findings *f, const struct finding_look *l, uint64_t now_ns);
/* All zones of the place are the same here and there; who, network as above. */
void findings_clear(struct findings *f, uint32_t who, uint32_t network, struct tree_place p);
/* The place holds these there: every zone of it is looked at. */
void findings_list(struct findings *f, uint32_t who, uint32_t network, const struct zone_tree *t, struct tree_place p,
                   const struct tree_answer *a, uint64_t now_ns);
/* What is known of that node and network is still so. */
void findings_touch(struct findings *f, uint32_t who, uint32_t network, uint64_t now_ns);
/* Time goes by. fresh_ns: what was not seen for longer does not become an alert. */
void findings_step(struct findings *f, uint64_t fresh_ns, uint64_t now_ns);
/* Some are seen, but not yet twice. */
bool findings_open(const struct findings *f, uint32_t who, uint32_t network);
/* Of what was found of it, what was not looked at for longest. NULL: nothing. */
const struct finding *findings_oldest(const struct findings *f, uint32_t who);
/* By how many versions it is behind, as the zone here has moved on; 0: not known. */
uint32_t finding_versions(const struct finding *f, uint32_t moves);
