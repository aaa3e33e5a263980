/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "dns/rr.h"

#include <stdint.h>

/* Reading RDATA text, shared by rdata_in.c (the common fields) and rdata_in_special.c (fields of one type each). All return 0, ERR_INVALID with the
 * problem told, or ERR_NO_MEMORY. */
struct input {
	const struct rdata_token *tokens;
	size_t n, at;
	const uint8_t *origin;
	struct writer *w;
	struct rdata_problem *problem;
};

/* For messages: what stands there, cut short. */
#define SHOW(t) (int)MIN((t)->len, (size_t)40), (t)->text

int input_fail(struct input *in, const struct rdata_token *token, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The next token, or NULL. */
const struct rdata_token *input_next(struct input *in);
int input_need(struct input *in, const char *what, const struct rdata_token **out) MUST_CHECK;
int input_number(struct input *in, uint64_t max, const char *what, uint64_t *out) MUST_CHECK;
int input_name(struct input *in) MUST_CHECK;
int input_ip(struct input *in, int family) MUST_CHECK;
/* The rest, hexadecimal or base64. */
int input_encoded(struct input *in, bool hex, bool may_be_empty) MUST_CHECK;

/* YYYYMMDDHHmmSS (RFC 4034 3.2) at 14 characters. ERR_MALFORMED. */
int rdata_time(const char *text, uint32_t *out) MUST_CHECK;

/* Fields of rdata_in_special.c. */
int input_loc(struct input *in) MUST_CHECK;
int input_apl(struct input *in) MUST_CHECK;
int input_svcb(struct input *in) MUST_CHECK;
int input_wks(struct input *in) MUST_CHECK;
int input_gateway(struct input *in) MUST_CHECK;
int input_relay(struct input *in) MUST_CHECK;
int input_hip(struct input *in) MUST_CHECK;
int input_pairs(struct input *in, unsigned n) MUST_CHECK;
int input_locator(struct input *in) MUST_CHECK;
int input_nsap(struct input *in) MUST_CHECK;
int input_atma(struct input *in) MUST_CHECK;
int input_a6(struct input *in) MUST_CHECK;
