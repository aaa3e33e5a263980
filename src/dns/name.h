/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Domain names (RFC 1035 3.1, RFC 9499 2). A name travels as `const uint8_t *`: its uncompressed wire form, labels with
 * their length octets and the final zero octet, case preserved. Every such pointer is a valid name of at most NAME_LEN_MAX
 * octets unless a function says otherwise; only name_from_wire(), name_from_text() and name_check() meet raw bytes. */
enum {
	NAME_LEN_MAX = 255,      /* octets in wire form, final zero included */
	LABEL_MAX = 63,      /* octets in a label, length octet not included */
	NAME_LABELS_MAX = 127, /* labels, root not counted */
	NAME_TEXT_MAX = 1024,  /* bytes that hold any name as text, NUL included: each octet may become \\DDD */
	NAME_POINTERS_MAX = 127, /* compression pointers followed in one name */
};

struct name {
	uint8_t len; /* octets used */
	uint8_t wire[NAME_LEN_MAX];
};

/* Parse the name at r, following compression pointers back into r's bytes (RFC 1035 4.1.4): each pointer must lead before
 * the place where the labels read so far began, so loops cannot be. ERR_TRUNCATED or ERR_MALFORMED; on failure *out and
 * r->pos are unchanged (r->failed is not set). */
int name_from_wire(struct reader *r, struct name *out) MUST_CHECK;
/* Length of a well-formed uncompressed name within the first max bytes, or ERR_TRUNCATED / ERR_MALFORMED. */
int name_check(const uint8_t *wire, size_t max) MUST_CHECK;

/* Parse len bytes of presentation format (RFC 1035 5.1: \\DDD, \\X). A name without a final dot is completed with
 * origin; origin NULL makes that ERR_INVALID. "@" is not special here. ERR_MALFORMED (empty label, bad escape), ERR_LIMIT
 * (label or name too long). */
int name_from_text(const char *text, size_t len, const uint8_t *origin, struct name *out) MUST_CHECK;
/* The same, straight into out, for a text without escapes of which 64 octets may be read whatever len is (struct rdata_token: plain): length of the
 * wire form, or an error, and then what is in out is undefined. At out there is room for NAME_LEN_MAX + 64 octets. */
int name_from_plain(const char *text, size_t len, const uint8_t *origin, uint8_t *out) MUST_CHECK;
/* Absolute presentation form into buf of at least NAME_TEXT_MAX; returns its length. Octets outside printable ASCII become
 * \\DDD; the characters . \\ ( ) ; \" @ $ are escaped with a backslash. The root is ".". */
size_t name_to_text(const uint8_t *name, char *buf);

size_t name_len(const uint8_t *name);      /* octets, final zero included */
unsigned name_labels(const uint8_t *name); /* the root has 0, "*" counts as a label */
void name_copy(struct name *out, const uint8_t *name);
void name_lower(struct name *out, const uint8_t *name); /* ASCII letters only (RFC 4343) */
bool name_is_root(const uint8_t *name);
bool name_is_wildcard(const uint8_t *name); /* first label is "*" */
const uint8_t *name_parent(const uint8_t *name); /* the rest after the first label; the root's is itself */
/* The suffix with n labels; n at most name_labels(name). */
const uint8_t *name_suffix(const uint8_t *name, unsigned n);
/* Case-insensitive. */
bool name_equal(const uint8_t *a, const uint8_t *b);
/* Canonical order (RFC 4034 6.1): <0, 0, >0. */
int name_compare(const uint8_t *a, const uint8_t *b);
/* True when name is ancestor, or below it. */
bool name_is_under(const uint8_t *name, const uint8_t *ancestor);
/* Labels that a and b share, counted from the root. */
unsigned name_common_labels(const uint8_t *a, const uint8_t *b);
/* Replace the suffix `from` of name by `to` (DNAME, RFC 6672 2.2). ERR_LIMIT when the result is too long. */
int name_replace_suffix(const uint8_t *name, const uint8_t *from, const uint8_t *to, struct name *out) MUST_CHECK;
