/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "zone/content.h"

/* What content.c (collecting, reading), content_sort.c (finishing) and load_file.c (filling from a file) share. */
enum { CONTENT_KEY_WORDS = 3 };

/* The beginning of a name in canonical order, see content_sort.c. */
struct content_key {
	uint64_t word[CONTENT_KEY_WORDS];
};

/* A run of records of one owner, in the order in which they came. */
struct content_owner {
	uint64_t key; /* first word of its key */
	const uint8_t *name;
	uint32_t first, count; /* its records */
};

struct content_block;

enum { CONTENT_BLOCK_MIN = 2 << 10 /* octets */ };

/* What a block has left, and how large the next one is to be. */
struct content_room {
	uint8_t *free;
	size_t left, next;
};

struct content {
	struct name apex;
	unsigned apex_labels;
	struct content_record *records; /* as they came; sets point to them */
	size_t record_count, record_cap;
	struct content_owner *owners;
	size_t owner_count, owner_cap, last_owner_len;
	uint32_t *early; /* owners that belong before one that came before them, ascending: none when the zone came sorted */
	size_t early_count, early_cap;
	const uint8_t *greatest; /* of the owners so far, NULL: none */
	struct content_key greatest_key;
	struct content_rrset *rrsets;
	size_t rrset_count, rrset_cap;
	const char **files;
	uint32_t file_count;
	const char *last_file; /* the caller's string of the record before, for content_add_next() */
	struct content_block *blocks; /* names and RDATA */
	struct content_room room;
};

enum { CONTENT_PAD = 16 };
bool content_more_room(struct content *c, size_t len) MUST_CHECK;
/* Memory that lives as long as the content; CONTENT_PAD octets more may be written, until the next is taken. NULL: out of memory. */
static inline uint8_t *content_take(struct content *c, size_t len)
{
	uint8_t *p;

	if (c->room.left < len + CONTENT_PAD && !content_more_room(c, len))
		return NULL;
	p = c->room.free;
	c->room.free += len;
	c->room.left -= len;
	return p;
}
int content_double(void *array, size_t *cap, size_t size) MUST_CHECK;
/* Room for one more in an array of cap elements of so many octets. */
static inline int content_grow(void *array, size_t *cap, size_t count, size_t size)
{
	return count < *cap ? 0 : content_double(array, cap, size);
}
static inline const struct content_rrset *content_at(const struct content *c, size_t i)
{
	return &c->rrsets[i];
}
/* content_add() for what zonefile_parse() gives, while all of it comes from one parse: place->same_owner is believed, place->file is
 * compared by its address, and CONTENT_PAD octets behind the RDATA may be read. */
int content_add_next(struct content *c, const struct rr *rr, const struct zonefile_place *place) MUST_CHECK;
/* Canonical order of two names of which the keys are known. CONTENT_PAD octets behind the name may be read. */
struct content_key content_key_of(const struct content *c, const uint8_t *name, unsigned labels);
int content_key_compare(const struct content_key *a, const uint8_t *a_name, const struct content_key *b, const uint8_t *b_name);
/* The records of `from`, which has at most one file, behind those of c, with so many lines added to their places; `from` is empty then,
 * but for the room it has left, which lies in what c owns now. */
int content_append(struct content *c, struct content *from, uint32_t lines) MUST_CHECK;

/* A parse into content, as zonefile_parse() calls back: what is outside the zone is left out with a warning. */
struct load {
	struct content *content;
	struct diag *diag;
	const struct zone_load_options *o; /* may be NULL */
	bool outside; /* the record before was */
};
int load_record(void *ctx, const struct rr *rr, const struct zonefile_place *place);
void load_progress(void *ctx, uint64_t done, uint64_t all);

/* Parse a large file, of which so much is there, by several threads; the result is as zonefile_parse_part()'s of all of it. */
enum {
	LOAD_THREADS_MAX = 8,
	LOAD_PIECE = 2 << 20, /* octets that a thread takes at a time */
	LOAD_LARGE = 8 << 20, /* files from here on */
};
int load_parallel(struct load *l, const char *path, int fd, uint64_t size, unsigned threads) MUST_CHECK;
