/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/rr.h"
#include "zone/zonefile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The records of one zone version in memory, on their way from a file or a transfer to the store: collected in any order,
 * then sorted into RRsets in canonical order (RFC 4034 6.1, by type within a name: SOA first, then ascending), duplicates
 * removed. Single owner, single thread; 10 million records must fit comfortably (24 octets a record and its RDATA; no malloc a record). */
struct content;

struct content_rrset {
	const uint8_t *owner; /* case as first written */
	uint32_t ttl;         /* smallest in the set when they differ (a warning) */
	uint32_t count;       /* records; RRSIGs of one owner form one set per type covered, see covers */
	uint16_t type;
	uint16_t covers;      /* RRSIG sets: the type covered; else 0 */
	uint16_t duplicates;  /* dropped, 65535: or more */
	bool ttl_differs;
	const struct content_record *records; /* count of them, in canonical RDATA order, no duplicates */
};

struct content_record {
	const uint8_t *rdata;
	uint32_t ttl;
	uint32_t line; /* place of the record for messages; 0 unknown */
	uint16_t type;
	uint16_t covers;
	uint16_t rdlen;
	uint16_t file; /* index for content_file() */
};

/* Canonical order of the RDATA of two records of one type (RFC 4034 6.2, 6.3): 0 where they are the same record. */
int content_compare_rdata(const struct content_record *a, const struct content_record *b);

struct content *content_new(const uint8_t *apex); /* NULL: out of memory */
void content_free(struct content *c);
int content_add(struct content *c, const struct rr *rr, const struct zonefile_place *place) MUST_CHECK;
/* Sort and group; after it no more is added. */
int content_finish(struct content *c) MUST_CHECK;

const uint8_t *content_apex(const struct content *c);
size_t content_record_count(const struct content *c);
size_t content_rrset_count(const struct content *c);
/* i < content_rrset_count(); sets of one owner follow each other. */
const struct content_rrset *content_rrset(const struct content *c, size_t i);
/* NULL beyond the last. */
const char *content_file(const struct content *c, uint32_t file);
/* A problem of the set, "OWNER: ...", at the place of its first record. */
void content_problem(const struct content *c, struct diag *diag, enum diag_severity severity, const struct content_rrset *set, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Index of the first set whose owner is not before name in canonical order; content_rrset_count() if none. */
size_t content_find(const struct content *c, const uint8_t *name);
/* The same, faster where that lies close to index near. */
size_t content_find_near(const struct content *c, const uint8_t *name, size_t near);
/* The set of name and type, or NULL. */
const struct content_rrset *content_lookup(const struct content *c, const uint8_t *name, uint16_t type);
/* The apex SOA, or NULL. */
const struct content_rrset *content_soa(const struct content *c);

/* Written into finished content: the SOA's serial (ERR_NOT_FOUND: no SOA) ... */
int content_set_serial(struct content *c, uint32_t serial) MUST_CHECK;
/* ... and one ZONEMD record at the apex with the SOA's TTL, in place of all that are there. Sets found earlier are no longer valid. ERR_NOT_FOUND: no
 * SOA; ERR_NO_MEMORY. */
int content_put_zonemd(struct content *c, const uint8_t *rdata, uint16_t len) MUST_CHECK;

/* zonefile_parse() into content, finish, then zone_check() (zone/check.h): all problems in diag. On success *out is the
 * caller's; on failure ERR_INVALID or -errno. */
struct zone_load_options {
	void (*on_progress)(void *ctx, uint64_t done, uint64_t all);
	void *ctx;
	unsigned threads; /* that parse a large file; 0: one for each CPU, up to 8 */
	uint64_t piece;   /* for tests: octets that a thread takes at a time, and files from twice this on are large; 0: what is good */
	/* The file is open already (borrowed), is a regular one and has so many octets. */
	bool opened;
	int fd;
	uint64_t size;
};
int zone_load_file(const char *path, const uint8_t *apex, const struct zone_load_options *o, struct diag *diag,
                   struct content **out) MUST_CHECK;
