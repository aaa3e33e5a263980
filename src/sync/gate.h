/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "config/config.h"
#include "zone/content.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stdint.h>

/* What stands between a zone that has been read and checked, and its being served: see gate.c. No files, no clock, no log inside. */
enum { GATE_TEXT_MAX = 400, GATE_SMALL_ZONE = 100 /* records: below, a zone may lose all but its apex */ };

struct gate_rules {
	uint8_t serial;       /* enum config_serial */
	uint8_t zonemd;       /* enum config_zonemd */
	uint8_t shrink_limit; /* percent */
	bool strict;          /* refuse; else serve and say what is wrong: the stand-alone form, in which nobody has asked for guards */
	bool followed;        /* others transfer the zone from this node */
};
/* Of a zone of the configuration, or of none (NULL). */
struct gate_rules gate_rules_of(const struct config_zone *z, bool followed);

/* The serial that a file got last, where the store may not know it any more. */
struct gate_past {
	bool has_serial;
	uint32_t serial;
	bool same_file;       /* as the version that got it was read from */
};

struct gate_outcome {
	bool refused;
	bool changed;         /* it gets another serial than it has in the file */
	uint32_t serial;      /* to be served */
	char text[GATE_TEXT_MAX]; /* refused: why; else what to tell the operator, "": nothing */
};

/* Judge a file's content against the version served (z NULL: none) and write serial and digest into it as the rules say. force: an operator's explicit
 * yes to a serial that goes back or stands still, and to a zone that shrinks. ERR_NO_MEMORY and errors of the store. */
int gate_file(struct content *c, const struct store_snapshot *s, const struct store_zone *z, const struct gate_rules *rules, const struct gate_past *past,
              bool force, int64_t now_wall_s, struct gate_outcome *out) MUST_CHECK;

/* Would a zone of so many records lose too many? Says so in text of GATE_TEXT_MAX. `how` is the command that allows it. */
bool gate_shrinks(uint64_t had, uint64_t has, unsigned percent, const char *how, char *text);
