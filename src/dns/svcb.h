/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "base/wire.h"

#include <stddef.h>
#include <stdint.h>

/* Service parameters of SVCB and HTTPS records (RFC 9460 2.1, 7, appendix A). */
enum { SVCB_VALUE_MAX = 65535, SVCB_PARAMS_MAX = 256 };

/* Are these valid parameters: keys ascending, values whole and of the key's form, all mandatory keys there (RFC 9460 2.2, 8)? 0 or
 * ERR_MALFORMED. Those of an alias form (RFC 9460 2.4.2) are judged alike: they are ignored, but have to be readable. */
int svcb_check(const uint8_t *params, size_t len) MUST_CHECK;
/* Valid wire form as text: key=value, separated by blanks. */
void svcb_to_text(const uint8_t *params, size_t len, struct text *out);

struct svcb_param {
	uint16_t key;
	uint16_t len;
	size_t at; /* of the value in the scratch */
};
/* "key", "key=value" or key="value" (the quotes still there, escapes undone in the scratch); keyN="octets in wire form". Appends to scratch and *out. ERR_INVALID with
 * a reason in problem (cap octets). */
int svcb_param_from_text(const char *text, size_t len, struct writer *scratch, struct svcb_param *out, char *problem, size_t cap)
        MUST_CHECK;
