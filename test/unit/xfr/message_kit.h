/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/text.h"
#include "dns/rr.h"
#include "xfr/difference.h"
#include "zone/content.h"

#include <stddef.h>
#include <stdint.h>

/* What the tests of transfers share: messages and zones from text. The zone is example., TTLs are 60 unless written. */
extern const uint8_t kit_apex[];

/* An answer made of lines: records in zone file form, and orders that begin with "!":
 *   !id N  !flags HEX  !noquestion  !question NAME TYPE  !hex RECORD  !raw HEX (the whole message)  !tail HEX (behind it)
 *   !authority HEX, !additional HEX: records in those sections
 * Returns its length in buf of 65535. type: of the question. */
size_t kit_message(const char *text, uint16_t type, uint8_t *buf);

/* Finished content of records in zone file form. */
struct content *kit_content(const char *text);
/* "OWNER TYPE RDATA" a line, in the content's order, or in that of the list. */
void kit_print_content(struct text *t, const struct content *c);
void kit_print_differences(struct text *t, const struct xfr_differences *d);
