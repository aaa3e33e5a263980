/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "journal/journal.h"
#include "journal/records.h"
#include "journal/rows.h"

#include <lmdb.h>

/* What the files of the journal share: rows inside a transaction, and the walk over a version. */

struct journal_txn {
	struct journal *journal;
	MDB_txn *mdb;
	MDB_dbi dbi;
	bool writes;
	bool map_full;          /* the file has to grow: undo and do again */
	struct text *why;       /* never NULL */
	struct name zone;       /* named in messages, if has_zone */
	bool has_zone;
	uint8_t value[ROW_VALUE_MAX]; /* where a value is put together */
};

/* Say why, once: the first reason is the one that counts. Returns err. */
int txn_fail(struct journal_txn *t, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The body of a row, borrowed until the next write. ERR_NOT_FOUND (nothing said), ERR_MALFORMED. */
int txn_get(struct journal_txn *t, const struct row_key *key, struct reader *out) MUST_CHECK;
/* Where a body of up to cap octets is to be written, in t->value. */
struct writer txn_body(struct journal_txn *t, size_t cap);
/* Seal and store what was written by txn_body(). */
int txn_put(struct journal_txn *t, const struct row_key *key, const struct writer *body) MUST_CHECK;
int txn_del(struct journal_txn *t, const struct row_key *key) MUST_CHECK; /* ERR_NOT_FOUND, nothing said */
/* The first row at or after key; found holds its key. ERR_NOT_FOUND at the end of the file, nothing said. */
int txn_next(struct journal_txn *t, const struct row_key *key, struct row_key *found, struct reader *out) MUST_CHECK;
/* Remove all rows whose keys begin with the first len octets of prefix. */
int txn_del_prefix(struct journal_txn *t, const struct row_key *prefix, size_t len) MUST_CHECK;

/* ERR_NOT_FOUND, nothing said. Sets t->zone for messages. */
int zone_row_get(struct journal_txn *t, const uint8_t *apex, struct row_zone *out) MUST_CHECK;
/* The row, or a new one with a number of its own. */
int zone_row_make(struct journal_txn *t, const uint8_t *apex, struct row_zone *out) MUST_CHECK;
int zone_row_put(struct journal_txn *t, const uint8_t *apex, const struct row_zone *z) MUST_CHECK;

/* ---- differences ---- */

struct event {
	struct rr rr;     /* in the arena */
	uint32_t step;    /* which difference, oldest first */
	bool added;
};
/* Records deleted and added by differences in a row, in canonical order; of one record first its deletion. */
struct events {
	struct arena *arena; /* borrowed */
	struct event *list;
	size_t count, cap;
	uint32_t steps;
	const uint8_t *last_owner;
};
void events_init(struct events *e, struct arena *arena);
void events_done(struct events *e);
/* One more event; the record is copied. */
int events_add(struct events *e, const struct rr *rr, bool added) MUST_CHECK;
/* Sort, and leave only the net effect. ERR_MALFORMED: a record is deleted or added twice in a row (why says so). */
int events_net(struct journal_txn *t, struct events *e) MUST_CHECK;
/* Number, sum (record_sum()) and octets in a message of one side. */
struct events_total {
	uint32_t deleted, added;
	uint64_t sum;      /* of what is added less that of what is deleted */
	uint64_t message;
};
int events_total(const struct events *e, struct events_total *out) MUST_CHECK; /* ERR_LIMIT */

/* The head of the difference at or after seq (of zone id); *seq becomes its own. ERR_NOT_FOUND: none, nothing said. */
int change_next(struct journal_txn *t, uint64_t id, uint64_t *seq, struct row_change *out) MUST_CHECK;
/* Add the records of a difference to e, as one step. */
int change_load(struct journal_txn *t, const uint8_t *apex, uint64_t id, uint64_t seq, const struct row_change *c, struct events *e) MUST_CHECK;
/* Store e (net, or as given but sorted) as the difference seq; fills in the counts and sizes of c. */
int change_store(struct journal_txn *t, const uint8_t *apex, uint64_t id, uint64_t seq, struct row_change *c, const struct events *e) MUST_CHECK;
int change_remove(struct journal_txn *t, uint64_t id, uint64_t seq) MUST_CHECK;
/* The net effect of the differences with sequences after `after` up to and including last; none if it is not greater. */
int changes_load_net(struct journal_txn *t, const uint8_t *apex, uint64_t id, uint64_t after, uint64_t last, struct events *e) MUST_CHECK;

/* ---- a version's records, in order ---- */

struct version_walk {
	struct journal_txn *t;
	const struct row_zone *z;
	const uint8_t *apex;
	const struct event *events;   /* net */
	size_t at, end;               /* those to come */
	struct row_key next;          /* the chunk to read next is at or after it */
	bool one_chunk;               /* go no further than the first */
	uint8_t *bytes;               /* records of the present chunk: a copy, so that rows may be written meanwhile */
	size_t len;
	struct records_unpacker u;
	uint32_t left;                /* records in it */
	uint64_t chunks;              /* read */
	struct rr base;               /* read, but not given out */
	bool has_base;
	uint64_t records, sum;        /* given out */
};
/* Over the whole version with count events applied. */
int walk_start(struct version_walk *w, struct journal_txn *t, const uint8_t *apex, const struct row_zone *z, const struct event *events,
               size_t count) MUST_CHECK;
/* 1 and a record, borrowed until the next call; 0 at the end; ERR_MALFORMED: the differences do not apply, or rows are missing. */
int walk_next(struct version_walk *w, struct rr *out) MUST_CHECK;
void walk_done(struct version_walk *w);
/* A walk over nothing but the chunk at key. */
int walk_start_chunk(struct version_walk *w, struct journal_txn *t, const uint8_t *apex, const struct row_zone *z, const struct row_key *key,
                     const struct event *events, size_t count) MUST_CHECK;
/* The chunk at or after key: its key, head and records. ERR_NOT_FOUND: no more, nothing said. */
int chunk_next(struct journal_txn *t, const struct row_zone *z, const struct row_key *key, struct row_key *found, struct row_records *head,
               struct reader *records) MUST_CHECK;

/* ---- the whole version ---- */

/* Writes records in order as a new generation of chunks of z. */
struct whole_writer {
	struct journal_txn *t;
	struct row_zone *z;
	const uint8_t *apex;
	struct records_packer *p;
	uint32_t generation;
	uint64_t order;           /* of the next chunk */
	uint64_t records, octets, chunks, sum;
};
int whole_start(struct whole_writer *w, struct journal_txn *t, const uint8_t *apex, struct row_zone *z) MUST_CHECK;
int whole_add(struct whole_writer *w, const struct rr *rr) MUST_CHECK;
/* Ends it: the chunks of before are removed and z's facts of the whole version set (but z->whole). */
int whole_finish(struct whole_writer *w) MUST_CHECK;
void whole_done(struct whole_writer *w);
/* Fold the differences up to and including last into the whole version, and remove them. */
int whole_fold(struct journal_txn *t, const uint8_t *apex, struct row_zone *z, uint64_t last) MUST_CHECK;

/* Hold z to its limits. */
int retain(struct journal_txn *t, const uint8_t *apex, struct row_zone *z, const struct journal_keep *keep, uint64_t now_s) MUST_CHECK;
