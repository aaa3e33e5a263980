/* SPDX-License-Identifier: BSD-2-Clause */
#include "xfr/padding.h"

#include "dns/message.h"

#include <string.h>

enum { OPTION_HEAD = 4, RDLEN_AT = 9 /* of an OPT record, whose name is the root */ };

void padding_add(struct writer *w, size_t opt_at, size_t block, size_t after)
{
	size_t len = w->pos + OPTION_HEAD + after, want = (len + block - 1) / block * block, pad;
	uint8_t *rdlen = w->base + opt_at + RDLEN_AT;

	if (!writer_ok(w) || w->cap - w->pos < OPTION_HEAD)
		return;
	pad = MIN(want - len, w->cap - w->pos - OPTION_HEAD);
	put_u16(rdlen, (uint16_t)(get_u16(rdlen) + OPTION_HEAD + pad));
	writer_u16(w, EDNS_PADDING);
	writer_u16(w, (uint16_t)pad);
	memset(w->base + w->pos, 0, pad);
	w->pos += pad;
}
