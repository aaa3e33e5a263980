/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "dns/name.h"
#include "dns/rr.h"

#include <stddef.h>
#include <stdint.h>

/* Records in the compact form of the journal's rows: each says only what differs from the one before. Pure. */
enum {
	RECORDS_CHUNK = 8 * 4096 - 16 - 32, /* octets of records in a row: with LMDB's page header and ours eight pages of 4 KiB */
	/* A record that is alone in its row may be larger: head, owner, type, TTL, length, RDATA. */
	RECORDS_MAX = 1 + 2 + NAME_LEN_MAX + 2 + 4 + 2 + RDATA_MAX,
};

struct records_packer {
	uint8_t bytes[RECORDS_MAX];
	size_t len;
	uint32_t count;
	struct name owner; /* of the record before; the apex at the start */
	uint16_t type;
	uint32_t ttl;
};
void records_pack_start(struct records_packer *p, const uint8_t *apex);
/* ERR_NO_SPACE: the row is full, p is unchanged. The first record always fits. */
int records_pack(struct records_packer *p, const struct rr *rr) MUST_CHECK;

struct records_unpacker {
	struct reader r;
	struct name owner, apex;
	uint16_t type;
	uint32_t ttl;
};
void records_unpack_start(struct records_unpacker *u, const uint8_t *apex, const void *bytes, size_t len);
/* 1 and the next record (owner and RDATA valid until the next call, and as long as the bytes), 0 at the end, ERR_MALFORMED: bytes that
 * are no records, names outside the zone, RDATA that is not valid for its type. */
int records_unpack(struct records_unpacker *u, struct rr *out) MUST_CHECK;

/* Canonical order of records of one zone (RFC 4034 6.1, 6.3), as struct content has it: by owner, then type with SOA first and RRSIGs by type
 * covered, then RDATA. 0: the same record, whatever TTL and letter case. */
int record_order(const struct rr *a, const struct rr *b);
/* The same record with the same TTL, and to the letter. */
bool record_same(const struct rr *a, const struct rr *b);
/* Octets in a message without compression. */
size_t record_octets(const struct rr *rr);
/* A number for the record, whatever its TTL and letter case; the sum over a zone's records tells versions apart, in any order. Not
 * against an adversary. */
uint64_t record_sum(const struct rr *rr);
/* "www.example. AAAA", for messages; buf of RECORD_TEXT_MAX. */
enum { RECORD_TEXT_MAX = NAME_TEXT_MAX + RRTYPE_TEXT_MAX + 1 };
const char *record_text(const struct rr *rr, char *buf);
