/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "base/wire.h"
#include "dns/name.h"
#include "dns/rr.h"

#include <stdbool.h>
#include <stdint.h>

/* DNS messages (RFC 1035 4, RFC 6891). */
enum {
	DNS_HEADER_LEN = 12,
	DNS_UDP_MIN = 512,       /* RFC 1035 4.2.1: without EDNS */
	DNS_UDP_DEFAULT = 1232,  /* RFC 9715 */
	DNS_MESSAGE_MAX = 65535,
	DNS_OPTIONS_MAX = 64,    /* EDNS options looked at in one query; more is FORMERR */
};

enum opcode { OPCODE_QUERY = 0, OPCODE_IQUERY = 1, OPCODE_STATUS = 2, OPCODE_NOTIFY = 4, OPCODE_UPDATE = 5, OPCODE_DSO = 6 };

enum rcode {
	RCODE_NOERROR = 0, RCODE_FORMERR = 1, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_NOTIMP = 4, RCODE_REFUSED = 5,
	RCODE_YXDOMAIN = 6, RCODE_YXRRSET = 7, RCODE_NXRRSET = 8, RCODE_NOTAUTH = 9, RCODE_NOTZONE = 10,
	RCODE_BADVERS = 16, RCODE_BADCOOKIE = 23,
};
const char *rcode_text(unsigned rcode, char buf[12]); /* "NOERROR" ... or "RCODE24" */

enum { /* header flags, as in the 16-bit word */
	DNS_QR = 0x8000, DNS_AA = 0x0400, DNS_TC = 0x0200, DNS_RD = 0x0100, DNS_RA = 0x0080, DNS_AD = 0x0020, DNS_CD = 0x0010,
};

enum edns_option { EDNS_NSID = 3, EDNS_ECS = 8, EDNS_EXPIRE = 9, EDNS_COOKIE = 10, EDNS_KEEPALIVE = 11, EDNS_PADDING = 12, EDNS_EDE = 15,
                   EDNS_REPORT_CHANNEL = 18, EDNS_ZONEVERSION = 19,
                   EDNS_LOCAL_MARK = 65001 /* edge/mark.h; RFC 6891 9: for local use */ };

struct dns_header {
	uint16_t id;
	uint16_t flags; /* whole word: QR, opcode, AA, TC, RD, RA, AD, CD, rcode */
	uint16_t qdcount, ancount, nscount, arcount;
};
static inline unsigned dns_opcode(uint16_t flags)
{
	return (flags >> 11) & 15;
}

/* What an authoritative server needs of a query. */
struct query {
	struct dns_header header;
	struct name qname; /* case as asked; valid when has_question */
	uint16_t qtype;
	uint16_t qclass;
	bool has_question;
	uint16_t question_len; /* octets of the question as received (name + 4): the answer repeats them byte for byte */
	bool has_edns;
	uint8_t edns_version;
	bool dnssec_ok;
	uint16_t udp_size; /* as offered, at least 512; 512 without EDNS */
	bool want_nsid;
	const uint8_t *cookie; /* borrowed option data, NULL if none */
	uint16_t cookie_len;
	const uint8_t *ecs;    /* borrowed option data, well-formed, scope 0; NULL if none (RFC 7871) */
	uint16_t ecs_len;
	const uint8_t *mark;   /* borrowed data of EDNS_LOCAL_MARK, NULL if none */
	uint16_t mark_len;
	bool want_keepalive;
	bool want_padding;
	bool want_zone_version; /* RFC 9660 */
	bool has_tsig; /* last record is a TSIG; not verified here */
};

/* What to do with the bytes that arrived. */
enum query_verdict {
	QUERY_OK,      /* ask the zones */
	QUERY_DROP,    /* shorter than a header, or a response: no answer at all */
	QUERY_FORMERR, /* header and, if has_question, question are usable for the error answer */
	QUERY_NOTIMP,  /* opcode we do not do */
	QUERY_BADVERS,
	QUERY_NO_QUESTION, /* QDCOUNT 0 with a COOKIE option: the client only wants a cookie (RFC 7873 5.4) */
};
/* Parse a request. Never fails otherwise: the verdict is the result; *out is filled as far as parsed. A single OPT anywhere
 * in the additional section; two are FORMERR (RFC 6891 6.1.1); QDCOUNT > 1, and 0 without a COOKIE option, are FORMERR (RFC 9619); records after the
 * question in the answer or authority section of a QUERY are skipped if well-formed. Trailing bytes are FORMERR. */
enum query_verdict query_parse(const uint8_t *msg, size_t len, struct query *out);
/* Of a message that was QUERY_NOTIMP: what its OPT says, if it has one and is well-formed so far; for an answer that is to have one. */
void query_read_edns(const uint8_t *msg, size_t len, struct query *q);

/* Iterate over any message, for clients (probes, tests, trace). */
struct message {
	struct reader r;
	struct dns_header header;
};
struct message_rr {
	struct name owner;
	uint16_t type, rclass;
	uint32_t ttl;
	uint16_t rdlen;
	const uint8_t *rdata; /* as on the wire: may hold pointers; rdata_pos is its offset in the message */
	size_t rdata_pos;
	uint8_t section; /* 1 answer, 2 authority, 3 additional */
};
int message_open(const uint8_t *msg, size_t len, struct message *out) MUST_CHECK;
/* The next question; call header.qdcount times before records. */
int message_question(struct message *m, struct name *qname, uint16_t *qtype, uint16_t *qclass) MUST_CHECK;
/* 1 and *out, 0 at the end, or an error. */
int message_next(struct message *m, struct message_rr *out) MUST_CHECK;
/* Step over a name without expanding it. False: there is none. */
bool message_skip_name(struct reader *r);
/* The serial of an SOA record that message_next() gave. False: its data are no SOA's. */
bool message_soa_serial(const struct message *m, const struct message_rr *rr, uint32_t *serial);
/* Is EXPIRE (RFC 7314) among the options of an OPT record? The last with a value, which answers have and queries do not, sets the other two. */
bool message_expire(const uint8_t *options, size_t len, bool *has_value, uint32_t *seconds);
/* Build a query: header, question, OPT (udp_size 0 = no EDNS). Returns its length or ERR_NO_SPACE. */
int message_build_query(uint8_t *buf, size_t cap, uint16_t id, const uint8_t *qname, uint16_t qtype, uint16_t qclass,
                        uint16_t udp_size, bool dnssec_ok, bool nsid) MUST_CHECK;

/* Put a client subnet option (RFC 7871) behind those of such a query of len octets, which ends with an OPT record of options_len octets of options. Its length then, or ERR_NO_SPACE. */
int message_add_subnet(uint8_t *buf, size_t cap, size_t len, uint16_t options_len, const struct ip_prefix *subnet) MUST_CHECK;

/* Name compression for one outgoing message: remembers where names were written. Fixed memory, part of per-worker scratch.
 * Compression is case-insensitive but only ever points at names that are equal octet by octet or lie in the question. */
enum { COMPRESS_SLOTS = 512 };
struct compress {
	struct writer *w; /* the whole message from its header; borrowed */
	uint16_t count;
	uint16_t question_end; /* names before it are matched in any case */
	struct {
		uint16_t pos; /* offset of a label start in the message, < 0x4000 */
		uint16_t hash;
	} slots[COMPRESS_SLOTS];
};
void compress_init(struct compress *c, struct writer *w);
/* Write name, pointing at an earlier occurrence of its longest suffix. */
void compress_name(struct compress *c, const uint8_t *name);
/* Tell of the question's name, which stands uncompressed at pos already. */
void compress_note(struct compress *c, size_t pos);
/* Forget what was noted at or after pos: used when a record that does not fit is taken back. */
void compress_rewind(struct compress *c, size_t pos);
