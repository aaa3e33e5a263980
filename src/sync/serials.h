/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "journal/journal.h"
#include "sync/gate.h"

#include <stddef.h>

struct role;

/* Serials that zone files got in place of their own, kept in the journal: the store does not survive a reboot, and a serial never goes back. */

/* Does a zone of the role's configuration need them? */
bool serials_needed(const struct role *role);
/* What is known of a zone; source: sync/source.h of its files as they are now. j may be NULL. */
struct gate_past serials_past(struct journal *j, const uint8_t *apex, const char *source);

/* Serials given in a run and not on the disk yet. */
struct serials {
	struct serials_row {
		const uint8_t *apex; /* borrowed until serials_write() */
		struct journal_serial is;
	} *rows;
	size_t count, cap;
};
/* ERR_NO_MEMORY. */
int serials_add(struct serials *s, const uint8_t *apex, uint32_t serial, const char *source) MUST_CHECK;
/* All of them in one write, before the versions that have them are visible; empties the list. A failure is logged: answers do not wait for a disk. */
void serials_write(struct serials *s, struct journal *j);
void serials_done(struct serials *s);
