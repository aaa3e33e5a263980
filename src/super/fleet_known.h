/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "config/config.h"

#include <stdbool.h>

/* The fleet file that was found good last, remembered in the run directory (where the store is, and gone with it): at a restart nobody has to read its
 * hundred thousand zones again before the first answer. */
enum { KNOWN_ZONES_MIN = 256 << 10 /* octets of their list; a shorter one is read as quickly as it is known */ };

/* Note that c, read as a whole, is good; or that nothing is known, where it is not worth it. A file that cannot be written is as good as none. */
void fleet_known_note(const char *run_dir, const struct config *c);
/* Is this, octet by octet, the file noted last? head: of config_parse_head(). */
bool fleet_known_good(const char *run_dir, const struct config *head);
