/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "base/wire.h"
#include "dns/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Record types: one table (rrtype.c) drives text in, text out, wire check, canonical form and compression of every type
 * with a presentation format; the rest goes by RFC 3597. */
enum rrtype {
	RR_A = 1, RR_NS = 2, RR_MD = 3, RR_MF = 4, RR_CNAME = 5, RR_SOA = 6, RR_NULL = 10, RR_PTR = 12, RR_MX = 15, RR_TXT = 16,
	RR_SIG = 24, RR_KEY = 25, RR_AAAA = 28, RR_NXT = 30, RR_SRV = 33, RR_DNAME = 39, RR_OPT = 41, RR_DS = 43, RR_RRSIG = 46,
	RR_NSEC = 47, RR_DNSKEY = 48, RR_NSEC3 = 50, RR_NSEC3PARAM = 51, RR_TLSA = 52, RR_CDS = 59, RR_CDNSKEY = 60,
	RR_CSYNC = 62, RR_ZONEMD = 63, RR_SVCB = 64, RR_HTTPS = 65, RR_NXNAME = 128, RR_TKEY = 249, RR_TSIG = 250, RR_IXFR = 251, RR_AXFR = 252,
	RR_MAILB = 253, RR_MAILA = 254, RR_ANY = 255, RR_CAA = 257,
	RR_STEER = 65280, RR_VARIANT = 65281, /* private use: who steers a name, and signatures of what it may be answered with; see steer/records.h */
};

enum rrclass { CLASS_IN = 1, CLASS_CH = 3, CLASS_HS = 4, CLASS_NONE = 254, CLASS_ANY = 255 };

enum {
	RDATA_MAX = 65535,     /* octets */
	RDATA_NAMES_MAX = 2,   /* names that may be compressed in one RDATA (SOA, MINFO, RP have two) */
	TTL_MAX = 0x7fffffff,  /* RFC 2181 8 */
	RRTYPE_TEXT_MAX = 16,
	RDATA_TOKEN_PAD = 64,  /* octets, see struct rdata_token */
};

/* One record, borrowed from wherever it was parsed. */
struct rr {
	const uint8_t *owner; /* uncompressed name */
	uint16_t type;
	uint16_t rclass;
	uint32_t ttl; /* seconds */
	uint16_t rdlen;
	const uint8_t *rdata; /* names inside uncompressed */
};

/* "A", "TYPE65280" ...; case-insensitive. ERR_NOT_FOUND. */
int rrtype_from_text(const char *text, size_t len, uint16_t *out) MUST_CHECK;
/* Mnemonic or TYPEnnn into buf of RRTYPE_TEXT_MAX; returns buf. What other programs read: TYPEnnn for our own types of private use. */
char *rrtype_text(uint16_t type, char *buf);
/* Likewise for people: "STEER". */
char *rrtype_own_text(uint16_t type, char *buf);
/* "IN", "CH", "HS", "CLASSnnn". ERR_NOT_FOUND. */
int rrclass_from_text(const char *text, size_t len, uint16_t *out) MUST_CHECK;
char *rrclass_text(uint16_t rclass, char *buf);
/* Seconds, or a sum of units as in 1w2d3h4m5s (RFC 2308 says seconds; the units are BIND's). ERR_MALFORMED; ERR_LIMIT above max. */
int ttl_from_text(const char *text, size_t len, uint32_t max, uint32_t *out) MUST_CHECK;
/* Meta and question types (OPT, TSIG, TKEY, 128-255): never zone data. */
bool rrtype_is_meta(uint16_t type);

/* A token of a zone file line, as the lexer cut it: text between blanks, or between quotes. Escapes are still in it. */
struct rdata_token {
	const char *text;
	size_t len;
	bool quoted;
	bool plain;    /* no quotes, no escapes, and RDATA_TOKEN_PAD octets may be read from text on, whatever len: the fast readers' terms */
	unsigned line; /* 1-based place, for messages */
	unsigned column;
};

/* rrtype_from_text() of a token, quicker for plain ones. */
int rrtype_from_token(const struct rdata_token *t, uint16_t *out) MUST_CHECK;

struct rdata_problem {
	const struct rdata_token *token; /* where; NULL: after the last */
	char text[200];                  /* what is wrong and what to write instead */
};

/* Parse presentation-format RDATA of `type` from n tokens into wire form (names uncompressed, case preserved), RFC 3597
 * "\\# LEN HEX" included for every type. Relative names are completed with origin. On failure ERR_INVALID (*problem says
 * what and where) and w is unchanged. */
int rdata_from_text(uint16_t type, const struct rdata_token *tokens, size_t n, const uint8_t *origin, struct writer *w,
                    struct rdata_problem *problem) MUST_CHECK;
/* The same from one plain string, for tests and tools. */
int rdata_from_string(uint16_t type, const char *text, const uint8_t *origin, struct writer *w,
                      struct rdata_problem *problem) MUST_CHECK;
/* Presentation form of valid RDATA, as BIND and Knot print it, names absolute; RFC 3597 form where the type has none or
 * the bytes are not valid for it. */
void rdata_to_text(uint16_t type, const uint8_t *rdata, size_t len, struct text *out);
/* Likewise for people: our own types of private use, which rdata_to_text() leaves in the form that every program reads, in theirs. */
void rdata_to_own_text(uint16_t type, const uint8_t *rdata, size_t len, struct text *out);

/* Is this valid uncompressed RDATA of the type? 0 or ERR_MALFORMED. Unknown types are always valid, and those of private use: STEER and VARIANT are looked at where they are used. */
int rdata_check(uint16_t type, const uint8_t *rdata, size_t len) MUST_CHECK;
/* RDATA of rdlen octets at r inside a message (names may be compressed where RFC 3597 4 allows receiving it): expanded
 * into w and checked. ERR_TRUNCATED, ERR_MALFORMED, ERR_NO_SPACE. */
int rdata_from_wire(uint16_t type, struct reader *r, size_t rdlen, struct writer *w) MUST_CHECK;
/* Canonical form in place: names in RDATA of the types of RFC 4034 6.2 (as updated by RFC 6840 5.1) to lower case. */
void rdata_canonical(uint16_t type, uint8_t *rdata, size_t len);
/* Canonical order of two RDATA of one type, each already canonical (RFC 4034 6.3). */
int rdata_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len);
/* Offsets of the names in valid RDATA that may be compressed when sent (the RFC 1035 types only, RFC 3597 4); returns how
 * many, at most RDATA_NAMES_MAX. */
unsigned rdata_compressible(uint16_t type, const uint8_t *rdata, size_t len, uint16_t offsets[RDATA_NAMES_MAX]);
/* The name inside RDATA whose addresses belong in the additional section (NS, MX, SRV, SVCB/HTTPS target, ...), or NULL. */
const uint8_t *rdata_target(uint16_t type, const uint8_t *rdata, size_t len);

/* SOA fields (RFC 1035 3.3.13) of valid RDATA. */
struct soa {
	const uint8_t *mname; /* borrowed */
	const uint8_t *rname;
	uint32_t serial, refresh, retry, expire, minimum;
};
int soa_parse(const uint8_t *rdata, size_t len, struct soa *out) MUST_CHECK;
/* RFC 1982: is a after b? */
bool serial_after(uint32_t a, uint32_t b);
/* Type covered by valid RRSIG RDATA, 0 if too short. */
uint16_t rrsig_covers(const uint8_t *rdata, size_t len);
/* Does the type bit map that starts at rdata[offset] (RFC 4034 4.1.2) hold the type? */
bool typemap_has(const uint8_t *rdata, size_t len, size_t offset, uint16_t type);
