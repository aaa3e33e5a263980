/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/arena.h"
#include "dns/name.h"
#include "zone/lexer.h"
#include "zone/zonefile.h"

/* A parse, shared by zonefile.c (files, directives) and zonefile_record.c (records), and its parts for load_parallel.c. */

/* All that an entry can depend on in the entries before it. */
struct zonefile_state {
	struct name origin, owner;
	bool has_owner, bad_owner, has_default_ttl, has_last_ttl, warned_ttl;
	uint32_t default_ttl, last_ttl;
	uint64_t generated; /* records by $GENERATE */
	unsigned line;      /* of the next entry in the file at the top */
};

enum { ZONEFILE_OWNER_TEXT_MAX = RDATA_TOKEN_PAD - 8 };

/* What all files of one parse share. */
struct parse {
	const struct zonefile_options *o;
	struct lexer lexer;
	struct arena names; /* file names: valid for the whole parse */
	struct zonefile_state now;
	bool include;
	bool guess, unsure; /* see struct zonefile_part */
	unsigned depth;
	int stop; /* the callback's wish */
	uint8_t *rdata; /* RDATA_MAX octets, and as many more as may be read */
	uint8_t scratch[NAME_LEN_MAX + RDATA_TOKEN_PAD];
	bool same_owner; /* owner is that of the record before */
	char owner_text[ZONEFILE_OWNER_TEXT_MAX + 8]; /* of which owner was made, if owner_text_len is not 0 */
	size_t owner_text_len;
	uint64_t told, all; /* progress in the file at the top */
};

#define problem(ps, ...) lexer_problem(&(ps)->lexer, __VA_ARGS__)
#define SHOW(t) (int)MIN((t)->len, (size_t)40), (t)->text

void zonefile_record(struct parse *ps, struct source *s, const struct entry *e);
/* The owner of the next record: another than the last one's, for all that is known. */
void zonefile_owner_changed(struct parse *ps);

/* The entries of a file that begin in the octets from..to, as one of several pieces that are parsed at once. */
struct zonefile_part {
	const char *file; /* for messages; valid as long as anything that was parsed */
	int fd;
	uint64_t size, from, to; /* from: 0, or the beginning of a line */
	/* What came before. With guess, nothing is known of it but origin and default TTL, and lines count from 1: parsing stops, and unsure is set, where
	 * anything else would matter. */
	const struct zonefile_state *before;
	bool guess;
	bool direct; /* of a whole file: see source_read_direct() */
	/* Results. end: where the next entry begins, at to or behind it. */
	uint64_t end;
	struct zonefile_state after;
	bool unsure;
};
/* As zonefile_parse(). */
int zonefile_parse_part(struct zonefile_part *part, const struct zonefile_options *o, struct diag *diag) MUST_CHECK;
