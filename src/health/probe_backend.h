/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "health/probe_dns.h"

#include <stddef.h>
#include <stdint.h>

/* The check of a server whose zones are not known here, pure: what to ask, and whether the answer is what the operator wants. */
struct probe_backend {
	struct probe_question question;
	unsigned rcode;       /* that the answer must have */
	const char *contains; /* text of the data of a record of the type that must be there; NULL: with NOERROR, any */
};

enum { PROBE_BACKEND_OPTION_MAX = 64 };

/* The question with EDNS and one option (len octets, at most PROBE_BACKEND_OPTION_MAX; 0: none): octets, at most PROBE_QUERY_MAX, or an error. */
int probe_backend_build(const struct probe_backend *p, uint16_t option, const uint8_t *data, size_t len, uint8_t *buf,
                        size_t cap) MUST_CHECK;
/* Judge len octets that came. `why` of PROBE_WHY_MAX is filled in either way: what is wrong, or what was answered. Over UDP a truncated answer is a good one where its code is: what does not
 * fit is asked for over TCP; but not where a record is wanted. */
enum probe_verdict probe_backend_judge(const struct probe_backend *p, const uint8_t *msg, size_t len, char *why);
