/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "dns/name.h"
#include "xfr/tsig_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TSIG (RFC 8945): see tsig.c. Times are seconds since 1970, given by the caller. */
enum {
	TSIG_FUDGE_S = 300,       /* RFC 8945 10 */
	TSIG_UNSIGNED_MAX = 99,   /* messages between two that are signed (RFC 8945 5.3.1) */
	TSIG_RECORD_MAX = 2 * NAME_LEN_MAX + 10 + 16 + TSIG_MAC_MAX + 6, /* octets of any TSIG record that is made here */
	RCODE_BADSIG = 16, RCODE_BADKEY = 17, RCODE_BADTIME = 18, RCODE_BADTRUNC = 22, /* errors inside a TSIG record */
};

/* A TSIG record as it stands in a message. */
struct tsig_record {
	size_t pos; /* where it begins: what is signed ends there */
	struct name key_name, algorithm; /* case as written */
	uint64_t time_s;
	uint16_t fudge_s, mac_len, original_id, error, other_len;
	const uint8_t *mac, *other; /* borrowed from the message */
};

/* 1 and *out, 0: the message has none; ERR_MALFORMED: it breaks RFC 8945 5.1, or octets follow the message, and is answered with FORMERR, as
 * is a message that is cut short (ERR_TRUNCATED). */
int tsig_find(const uint8_t *msg, size_t len, struct tsig_record *out) MUST_CHECK;

enum tsig_verdict {
	TSIG_GOOD,
	TSIG_ABSENT,     /* no TSIG record; in a stream: one is due */
	TSIG_UNSIGNED,   /* in a stream: none, and none due yet. Believe nothing before the next good one */
	TSIG_FORMERR,    /* the record breaks its format */
	TSIG_BADKEY,     /* unknown key, or not with this algorithm */
	TSIG_BADSIG,
	TSIG_BADTIME,
	TSIG_BADTRUNC,   /* good, but shorter than this key demands */
	TSIG_PEER_ERROR, /* the peer tells an error of its own (session.peer_error); whether that is signed says peer_signed */
	TSIG_FAILED,     /* out of memory, or OpenSSL failed */
};
const char *tsig_verdict_text(enum tsig_verdict v);

/* One exchange under one key: a request and its answer of one message or many. On either side; memory of the caller. The key must outlive
 * it. */
struct tsig_session {
	const struct tsig_key *key;  /* NULL: unsigned, or a key that is not known */
	uint8_t prior[TSIG_MAC_MAX]; /* MAC that the next digest begins with: of the request, then of each signed message */
	uint8_t prior_len;
	bool has_prior;
	bool replied;                /* the first message of the answer is signed: from now on timers only (5.3.1) */
	uint16_t unsigned_count;     /* messages since the last that was signed */
	EVP_MAC_CTX *running;        /* their digest so far */
	uint16_t error;              /* server: RCODE_BADKEY ... to tell; 0: none */
	uint64_t request_time_s;
	struct name key_name, algorithm; /* server: as the client wrote them */
	uint16_t peer_error;         /* client: what the server told */
	bool peer_signed;
	uint64_t peer_time_s;        /* with BADTIME: the server's clock */
};
void tsig_session_init(struct tsig_session *s);
void tsig_session_done(struct tsig_session *s);

/* ---- server ---- */
/* Judge a request; s was initialized. TSIG_GOOD, TSIG_ABSENT and TSIG_FORMERR (answer FORMERR without TSIG), or an error that tsig_sign() tells in the answer,
 * whose RCODE is then NOTAUTH. */
enum tsig_verdict tsig_verify_request(struct tsig_session *s, const struct tsig_keys *keys, const uint8_t *msg, size_t len, uint64_t now_s);

/* ---- client ---- */
/* The key of this session; then tsig_sign() the request. */
void tsig_session_key(struct tsig_session *s, const struct tsig_key *key);
/* Judge the next message of the answer; the first must be signed. Without a key, TSIG_GOOD is what has no TSIG record. After TSIG_GOOD or TSIG_UNSIGNED go on; anything else ends it. */
enum tsig_verdict tsig_verify_response(struct tsig_session *s, const uint8_t *msg, size_t len, uint64_t now_s);
/* All of the answer is covered by a signature: to be asked when it is complete. */
bool tsig_complete(const struct tsig_session *s);

/* ---- both ---- */
/* Octets that tsig_sign() will add: to be kept free. 0 when there is nothing to sign with. */
size_t tsig_space(const struct tsig_session *s);
/* Append a TSIG record to the message that begins at w->base and ends at w->pos, and count it in its header. For the client's request, and for
 * each message of the server's answer. Does nothing when the request had no TSIG. ERR_NO_SPACE (w unchanged), ERR_NO_MEMORY. */
int tsig_sign(struct tsig_session *s, struct writer *w, uint64_t now_s) MUST_CHECK;
/* The message goes out without a TSIG record: the next signature covers it too. ERR_LIMIT: too many, or it is the first of the answer. */
int tsig_skip(struct tsig_session *s, const uint8_t *msg, size_t len) MUST_CHECK;
