/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "journal/journal.h"
#include "journal/records.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keys and values of the journal's rows. Each value begins with a checksum over the rest, seeded with its key, so a row that is
 * damaged, or has come to stand under another key, is told from a good one. Pure; numbers in network order, so that keys sort by them. */
enum {
	ROWS_FORMAT = 1,        /* of all rows; another one is not read */
	ROWS_SEAL = 8,          /* octets of the checksum */
	ROW_KEY_MAX = 1 + NAME_LEN_MAX,
	ROW_BODY_MAX = 2048,    /* of rows other than records */
	ROW_RECORDS_HEAD = 5,   /* octets before the records in a row of them */
	ROW_VALUE_MAX = ROWS_SEAL + ROW_RECORDS_HEAD + RECORDS_MAX,
};

/* First octet of a key. Rows of a zone but its own carry its number, so that they stand together and names occur once. */
enum row_kind {
	ROW_CHUNK = 'C',   /* zone number, generation (4), order (8): records of the whole version */
	ROW_CHANGE = 'D',  /* zone number, sequence (8), part (4): part 0 is the head of a difference, the others its records */
	ROW_FORMAT = 'F',  /* the one row that says what this file is */
	ROW_NOTE = 'N',    /* what the note is about (1), zone number */
	ROW_SERIAL = 'S',  /* zone number: the serial that a file got */
	ROW_TIMERS = 'T',  /* zone number */
	ROW_ZONE = 'Z',    /* apex in wire form, lower case */
};

struct row_key {
	uint8_t bytes[ROW_KEY_MAX];
	size_t len;
};
struct row_key row_key_format(void);
struct row_key row_key_zone(const uint8_t *apex);
struct row_key row_key_timers(uint64_t id);
struct row_key row_key_note(enum journal_note what, uint64_t id);
struct row_key row_key_serial(uint64_t id);
struct row_key row_key_chunk(uint64_t id, uint32_t generation, uint64_t order);
struct row_key row_key_change(uint64_t id, uint64_t seq, uint32_t part);

/* Fill in the checksum of a value of len octets, whose first ROWS_SEAL are its place. */
void row_seal(const void *key, size_t key_len, uint8_t *value, size_t len);
/* The body of a sealed value; ERR_MALFORMED. */
int row_unseal(const void *key, size_t key_len, const void *value, size_t len, struct reader *out) MUST_CHECK;

/* Writers put a body; readers take all of it: 0 or ERR_MALFORMED. */
struct row_format {
	uint32_t format;
	uint64_t next_id;
};
void row_format_put(struct writer *w, const struct row_format *f);
int row_format_get(struct reader *r, struct row_format *out) MUST_CHECK;

struct row_zone {
	uint64_t id;
	bool has_version;
	/* the whole version */
	struct journal_version whole;
	uint32_t generation; /* of its rows */
	uint64_t records, octets, chunks, sum;
	/* the newest version */
	uint32_t newest;
	uint64_t newest_records, newest_sum;
	/* the differences between */
	uint64_t next_seq, thinned; /* thinned: those before were merged by age as far as can be */
	uint32_t changes;
	uint64_t change_octets;
};
void row_zone_put(struct writer *w, const struct row_zone *z);
int row_zone_get(struct reader *r, struct row_zone *out) MUST_CHECK;

struct row_change {
	uint32_t from;
	struct journal_version version; /* .serial: to */
	uint32_t deleted, added, merged, parts;
	uint64_t octets;        /* as stored, all parts */
	uint64_t message;       /* as records of a message */
	uint64_t records, sum;  /* of the zone after it */
};
void row_change_put(struct writer *w, const struct row_change *c);
int row_change_get(struct reader *r, struct row_change *out) MUST_CHECK;

void row_timers_put(struct writer *w, const struct journal_timers *t);
int row_timers_get(struct reader *r, struct journal_timers *out) MUST_CHECK;

void row_serial_put(struct writer *w, const struct journal_serial *s);
int row_serial_get(struct reader *r, struct journal_serial *out) MUST_CHECK;
/* Borrows. */
struct row_note {
	const uint8_t *apex; /* lower case, valid */
	const uint8_t *octets;
	size_t len;
};
void row_note_put(struct writer *w, const struct row_note *n);
int row_note_get(struct reader *r, struct row_note *out) MUST_CHECK;

/* Body of a row of records: side, count, and these as records.h has them. */
enum row_side { ROW_WHOLE, ROW_DELETED, ROW_ADDED };
struct row_records {
	enum row_side side;
	uint32_t count;
};
void row_records_put(struct writer *w, const struct row_records *h);
/* What is left in r are the records. */
int row_records_get(struct reader *r, struct row_records *out) MUST_CHECK;
