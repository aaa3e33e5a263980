/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The question for a zone's SOA that a secondary asks its primary over UDP (RFC 1034 4.3.5), with the EXPIRE option (RFC 7314). Pure. */
enum { SOA_PROBE_UDP_SIZE = 1232, SOA_PROBE_OPT_LEN = 15 /* octets of the OPT record that it ends with, where it has one; those of a request for a transfer too */ };

/* Write it from w's start. ERR_NO_SPACE. */
int soa_probe_build(const uint8_t *apex, uint16_t id, bool edns, struct writer *w) MUST_CHECK;

enum soa_probe_verdict {
	SOA_PROBE_SERIAL,   /* serial, and the option where has_expire */
	SOA_PROBE_STRANGE,  /* not the answer to this question: anyone can send that */
	SOA_PROBE_NO_EDNS,  /* the server does not know EDNS: ask without */
	SOA_PROBE_TCP,      /* truncated: ask over TCP */
	SOA_PROBE_RCODE,    /* rcode says what */
	SOA_PROBE_LAME,     /* an answer, but not with authority or without the SOA */
};
struct soa_probe_answer {
	uint32_t serial;
	bool has_expire;
	uint32_t expire_s;
	unsigned rcode;
};
/* Judge a message; its TSIG record was judged by the caller. */
enum soa_probe_verdict soa_probe_judge(const uint8_t *msg, size_t len, const uint8_t *apex, uint16_t id, struct soa_probe_answer *out);
