/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "rpki/vrp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* PDUs of the RPKI-to-Router protocol, versions 0 (RFC 6810) and 1 (RFC 8210). Pure. */
enum {
	RTR_PORT = 323,
	RTR_VERSION_MAX = 1,
	RTR_HEADER_LEN = 8,
	RTR_PDU_MAX = 4096, /* octets; only Router Key and Error Report have no fixed length, and neither comes near */
	RTR_QUERY_LEN_MAX = 12,
	RTR_ERROR_LEN_MAX = 128, /* of one we send */
};

enum rtr_type {
	RTR_SERIAL_NOTIFY = 0,
	RTR_SERIAL_QUERY = 1,
	RTR_RESET_QUERY = 2,
	RTR_CACHE_RESPONSE = 3,
	RTR_IPV4_PREFIX = 4,
	RTR_IPV6_PREFIX = 6,
	RTR_END_OF_DATA = 7,
	RTR_CACHE_RESET = 8,
	RTR_ROUTER_KEY = 9,
	RTR_ERROR_REPORT = 10,
};

/* RFC 8210 12 */
enum rtr_error {
	RTR_CORRUPT_DATA = 0,
	RTR_INTERNAL_ERROR = 1,
	RTR_NO_DATA = 2,
	RTR_INVALID_REQUEST = 3,
	RTR_BAD_VERSION = 4,
	RTR_BAD_TYPE = 5,
	RTR_UNKNOWN_RECORD = 6,
	RTR_DUPLICATE = 7,
	RTR_UNEXPECTED_VERSION = 8,
};
const char *rtr_error_text(unsigned code);

struct rtr_pdu {
	uint8_t version;
	uint8_t type;     /* enum rtr_type, or anything */
	uint16_t session; /* of an error report: its code */
	size_t len;
	const uint8_t *bytes; /* the whole PDU, borrowed */
	uint32_t serial;      /* notify, end of data */
	bool announce;        /* prefixes: else withdrawn */
	struct vrp vrp;       /* prefixes */
	bool has_timers;      /* end of data of version 1 */
	uint32_t refresh_s, retry_s, expire_s;
	const char *text; /* error report: borrowed, not terminated */
	size_t text_len;
};

enum rtr_verdict {
	RTR_FINE,
	RTR_MORE, /* not complete yet */
	RTR_BAD,  /* out->type and version are set where they could be read; *error says what */
};

/* The first PDU of a stream. Types that a version does not have are RTR_BAD with RTR_BAD_TYPE; versions are the session's business, those beyond
 * RTR_VERSION_MAX are read by their header alone. */
enum rtr_verdict rtr_pdu_parse(const uint8_t *bytes, size_t len, struct rtr_pdu *out, enum rtr_error *error) MUST_CHECK;

void rtr_serial_query_write(struct writer *w, uint8_t version, uint16_t session, uint32_t serial);
void rtr_reset_query_write(struct writer *w, uint8_t version);
/* With as much of the PDU that it is about as there is room for in RTR_ERROR_LEN_MAX, and of text. pdu may be NULL. */
void rtr_error_write(struct writer *w, uint8_t version, enum rtr_error code, const uint8_t *pdu, size_t pdu_len,
                     const char *text);
