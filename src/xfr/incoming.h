/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/name.h"
#include "xfr/difference.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct content;

/* A transfer from a primary as a state machine: see incoming.c. One owner, one thread. */
enum xfr_kind { XFR_AXFR, XFR_IXFR };

enum {
	XFR_IN_RECORDS_MAX = 100000000,        /* defaults of the limits below */
	XFR_IN_MESSAGES_MAX = 100000000,
	XFR_IN_DIFFERENCES_MAX = 100000,
	XFR_IN_TEXT_MAX = 700,
};
#define XFR_IN_OCTETS_MAX ((uint64_t)16 << 30)

struct xfr_in_settings {
	const uint8_t *apex;
	uint16_t id;         /* of the request */
	enum xfr_kind kind;  /* as asked */
	bool udp;            /* asked over UDP: strangers' messages are ignored, and what does not fit is asked over TCP */
	bool has_serial;     /* we hold a version (always with IXFR): an older one is refused */
	uint32_t serial;
	/* 0: the default. Octets are what the records take in memory. */
	uint64_t max_records, max_octets, max_messages, max_differences;
};

enum xfr_in_step {
	XFR_IN_MORE,        /* feed the next message */
	XFR_IN_WHOLE,       /* the zone is complete: xfr_in_take_content() */
	XFR_IN_DIFFERENCES, /* xfr_in_differences() */
	XFR_IN_CURRENT,     /* the primary has what we have */
	XFR_IN_USE_TCP,     /* too large for UDP: ask again over TCP */
	XFR_IN_USE_AXFR,    /* this IXFR failed, xfr_in_error() says why: ask for the whole zone */
	XFR_IN_FAILED,      /* xfr_in_error() says why */
};

/* What was wrong, for counters; the text has the particulars. */
enum xfr_cause {
	XFR_FINE,
	XFR_MALFORMED,   /* not a DNS message, or octets behind it */
	XFR_ID,
	XFR_NO_RESPONSE, /* QR clear, or another opcode */
	XFR_QUESTION,
	XFR_RCODE,
	XFR_TC,          /* truncated, over TCP */
	XFR_EMPTY,       /* a message without records */
	XFR_CLASS,
	XFR_OUTSIDE,     /* owner is not in the zone */
	XFR_TYPE,        /* OPT, TSIG, ANY ... as data */
	XFR_RDATA,
	XFR_NO_SOA,      /* does not begin with the SOA of the zone */
	XFR_SOA_BELOW,   /* an SOA not at the apex */
	XFR_SOA_DIFFERS, /* ends with another SOA than it began with */
	XFR_AFTER_END,
	XFR_SERIAL_BACK, /* older than ours */
	XFR_GAP,         /* differences that do not join */
	XFR_MANY_RECORDS,
	XFR_MANY_OCTETS,
	XFR_MANY_MESSAGES,
	XFR_MANY_DIFFERENCES,
	XFR_CLOSED,      /* the connection ended first */
	XFR_NO_MEMORY,
	XFR_CAUSES,
};
const char *xfr_cause_text(enum xfr_cause cause); /* a word or two, for counters */

struct xfr_in;

/* ERR_NO_MEMORY. */
int xfr_in_new(const struct xfr_in_settings *settings, struct xfr_in **out) MUST_CHECK;
void xfr_in_free(struct xfr_in *x);
/* The next message of the answer; its TSIG record, if there is one, was judged by the caller and is passed over. After anything but XFR_IN_MORE it
 * is not called again. */
enum xfr_in_step xfr_in_feed(struct xfr_in *x, const uint8_t *msg, size_t len);
/* The connection ended, or took too long, before the answer was complete: XFR_IN_USE_AXFR or XFR_IN_FAILED. */
enum xfr_in_step xfr_in_closed(struct xfr_in *x, const char *why);

enum xfr_cause xfr_in_cause(const struct xfr_in *x);
const char *xfr_in_error(const struct xfr_in *x); /* "" when fine; belongs to x */
unsigned xfr_in_rcode(const struct xfr_in *x);    /* with XFR_RCODE, extended (RFC 6891) */

/* After XFR_IN_WHOLE: the records, the caller's now; not sorted yet: content_finish() does it and takes its time, so the caller chooses the
 * thread. NULL otherwise, and when taken already. */
struct content *xfr_in_take_content(struct xfr_in *x);
/* After XFR_IN_DIFFERENCES: belong to x. */
const struct xfr_differences *xfr_in_differences(const struct xfr_in *x);
/* Drop of the records that difference i adds those that is_there() says to be there already; returns how many. */
size_t xfr_in_drop_added(struct xfr_in *x, size_t i, xfr_record_fn *is_there, void *ctx);

struct xfr_in_facts {
	uint64_t messages, records, octets; /* octets of messages as they came */
	uint64_t ignored;    /* UDP: messages that were not the answer */
	bool has_serial;
	uint32_t serial;     /* of the version the primary offers */
	bool has_expire;
	uint32_t expire_s;   /* RFC 7314: when the primary's own copy expires */
};
void xfr_in_facts(const struct xfr_in *x, struct xfr_in_facts *out);
