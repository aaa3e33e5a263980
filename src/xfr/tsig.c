/* SPDX-License-Identifier: BSD-2-Clause */
/* Transaction signatures (RFC 8945, which replaces RFC 2845 and RFC 4635).
 *
 * A TSIG record is the last record of a message. Its MAC covers the message as it was before the record was added, and the record's own fields; in
 * an answer also the MAC of the request, so that an answer cannot be taken for that of another question. A transfer is an answer of many
 * messages: the first is signed like any answer, each later signature covers the MAC before it, the messages since then and the time
 * (5.3.1). So messages are chained: none can be left out, added or moved.
 *
 *     request    | message | variables |                          -> MAC 0
 *     answer 1   | MAC 0 | message | variables |                  -> MAC 1
 *     answer 2   no TSIG record: up to 99 such messages in a row
 *     answer 3   | MAC 1 | message 2 | message 3 | time, fudge |  -> MAC 2
 *
 * A session (struct tsig_session) holds that chain for one exchange; client and server use the same one. The clock is an argument, nothing here
 * waits, reads or logs. What comes from the network is judged in the order of 5.2: form, key, MAC, time, then the length of the MAC against what
 * the key demands (5.2.2.1, 5.2.4). A length that the RFC forbids for every key is a mistake of form.
 *
 * What a server tells of an error (5.3.2): BADKEY and BADSIG unsigned, since there is nothing to sign with; BADTIME signed, with the client's time
 * as time and the server's in the other data; BADTRUNC signed.
 *
 * Left out: TKEY, GSS-TSIG, HMAC-MD5. The times of earlier requests are not remembered (5.2.3 says SHOULD): requests for transfers change nothing,
 * and a replayed one reads what the first one read. */
#include "xfr/tsig.h"

#include "base/err.h"
#include "dns/message.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <string.h>

const char *tsig_verdict_text(enum tsig_verdict v)
{
	switch (v) {
	case TSIG_GOOD:
		return "good";
	case TSIG_ABSENT:
		return "a message without the TSIG record that is due";
	case TSIG_UNSIGNED:
		return "not signed yet";
	case TSIG_FORMERR:
		return "a TSIG record that breaks its format";
	case TSIG_BADKEY:
		return "BADKEY: another key or algorithm than agreed";
	case TSIG_BADSIG:
		return "BADSIG: the signature is wrong: is the secret the same on both sides?";
	case TSIG_BADTIME:
		return "BADTIME: signed too long ago, or in the future: are both clocks right?";
	case TSIG_BADTRUNC:
		return "BADTRUNC: the signature is shorter than this key allows";
	case TSIG_PEER_ERROR:
		return "the other side refuses the signature";
	case TSIG_FAILED:
		return "cannot compute a signature";
	}
	return "unknown";
}

/* ---- finding the record ---- */

static uint64_t read_u48(struct reader *r)
{
	uint64_t high = reader_u16(r);

	return high << 32 | reader_u32(r);
}

static int read_rdata(struct reader *message, size_t end, struct tsig_record *t)
{
	struct reader here = *message, *r = &here;
	int n = name_check(r->base + r->pos, end - r->pos); /* 4.2: not compressed */

	r->len = end;
	if (n < 0)
		return ERR_MALFORMED;
	name_copy(&t->algorithm, r->base + r->pos);
	r->pos += (size_t)n;
	t->time_s = read_u48(r);
	t->fudge_s = reader_u16(r);
	t->mac_len = reader_u16(r);
	t->mac = reader_bytes(r, t->mac_len);
	t->original_id = reader_u16(r);
	t->error = reader_u16(r);
	t->other_len = reader_u16(r);
	t->other = reader_bytes(r, t->other_len);
	return reader_ok(r) && r->pos == end ? 0 : ERR_MALFORMED;
}

int tsig_find(const uint8_t *msg, size_t len, struct tsig_record *out)
{
	struct reader r = reader_of(msg, len);
	struct tsig_record t = {0};
	unsigned questions, records, additional;
	bool found = false;

	reader_u32(&r);
	questions = reader_u16(&r);
	records = reader_u16(&r);
	records += reader_u16(&r);
	additional = reader_u16(&r);
	if (!reader_ok(&r))
		return ERR_TRUNCATED;
	for (unsigned i = 0; i < questions; i++)
		if (!message_skip_name(&r) || !reader_bytes(&r, 4))
			return ERR_TRUNCATED;
	for (unsigned i = 0; i < records + additional; i++) {
		size_t pos = r.pos, end;
		uint16_t type, rclass, rdlen;
		uint32_t ttl;

		if (!message_skip_name(&r))
			return ERR_TRUNCATED;
		type = reader_u16(&r);
		rclass = reader_u16(&r);
		ttl = reader_u32(&r);
		rdlen = reader_u16(&r);
		if (!reader_ok(&r) || reader_left(&r) < rdlen)
			return ERR_TRUNCATED;
		end = r.pos + rdlen;
		if (type == RR_TSIG) {
			struct reader owner = reader_of(msg, len);

			/* 5.1: once, as the last record; 4.2: class ANY, TTL 0. */
			if (i + 1 != records + additional || !additional || rclass != CLASS_ANY || ttl)
				return ERR_MALFORMED;
			owner.pos = t.pos = pos;
			if (name_from_wire(&owner, &t.key_name) < 0 || read_rdata(&r, end, &t) < 0)
				return ERR_MALFORMED;
			found = true;
		}
		r.pos = end;
	}
	if (reader_left(&r)) /* no signature would cover it */
		return ERR_MALFORMED;
	if (found)
		*out = t;
	return found;
}

/* ---- digests ---- */

static void mac_u16(EVP_MAC_CTX *c, bool *ok, unsigned v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	*ok = *ok && EVP_MAC_update(c, b, sizeof(b));
}

static void mac_time(EVP_MAC_CTX *c, bool *ok, uint64_t time_s, uint16_t fudge_s)
{
	mac_u16(c, ok, (uint16_t)(time_s >> 32));
	mac_u16(c, ok, (uint16_t)(time_s >> 16));
	mac_u16(c, ok, (uint16_t)time_s);
	mac_u16(c, ok, fudge_s);
}

static void mac_name(EVP_MAC_CTX *c, bool *ok, const uint8_t *name)
{
	struct name lower;

	name_lower(&lower, name); /* 4.3.3: canonical wire form */
	*ok = *ok && EVP_MAC_update(c, lower.wire, lower.len);
}

/* The digest of the message at hand: the one that runs over unsigned messages, or a new one that begins with the MAC before (5.3.1). */
static EVP_MAC_CTX *begin(struct tsig_session *s, bool with_prior)
{
	EVP_MAC_CTX *c = s->running;
	bool ok = true;

	if (c) {
		s->running = NULL;
		return c;
	}
	c = EVP_MAC_CTX_dup(s->key->mac);
	if (c && with_prior && s->has_prior) {
		mac_u16(c, &ok, s->prior_len);
		ok = ok && EVP_MAC_update(c, s->prior, s->prior_len);
	}
	if (!ok) {
		EVP_MAC_CTX_free(c);
		return NULL;
	}
	return c;
}

/* The message up to where its TSIG record begins, with the id and count it had before (5.3.2: "DNS message"). */
static bool mac_message(EVP_MAC_CTX *c, const uint8_t *msg, size_t len, uint16_t id, unsigned arcount)
{
	uint8_t header[DNS_HEADER_LEN];

	memcpy(header, msg, sizeof(header));
	put_u16(header, id);
	put_u16(header + 10, (uint16_t)arcount);
	return EVP_MAC_update(c, header, sizeof(header)) && EVP_MAC_update(c, msg + sizeof(header), len - sizeof(header));
}

/* 4.3.3: the variables, or in later messages of a stream the timers only. */
static bool mac_variables(EVP_MAC_CTX *c, const struct tsig_record *t, bool timers_only)
{
	bool ok = true;

	if (timers_only) {
		mac_time(c, &ok, t->time_s, t->fudge_s);
		return ok;
	}
	mac_name(c, &ok, t->key_name.wire);
	mac_u16(c, &ok, CLASS_ANY);
	mac_u16(c, &ok, 0); /* TTL */
	mac_u16(c, &ok, 0);
	mac_name(c, &ok, t->algorithm.wire);
	mac_time(c, &ok, t->time_s, t->fudge_s);
	mac_u16(c, &ok, t->error);
	mac_u16(c, &ok, t->other_len);
	return ok && (!t->other_len || EVP_MAC_update(c, t->other, t->other_len));
}

/* The whole MAC of a message that has, or will have, the record t; false when it cannot be computed. */
static bool compute(struct tsig_session *s, const uint8_t *msg, const struct tsig_record *t, unsigned arcount, bool with_prior,
                    uint8_t out[TSIG_MAC_MAX])
{
	EVP_MAC_CTX *c = begin(s, with_prior);
	size_t len = 0;
	bool ok = c && mac_message(c, msg, t->pos, t->original_id, arcount) && mac_variables(c, t, s->replied) &&
	          EVP_MAC_final(c, out, &len, TSIG_MAC_MAX) && len == s->key->algorithm->size;

	EVP_MAC_CTX_free(c);
	return ok;
}

static void remember(struct tsig_session *s, const uint8_t *mac, size_t len)
{
	memcpy(s->prior, mac, len);
	s->prior_len = (uint8_t)len;
	s->has_prior = true;
	s->unsigned_count = 0;
}

/* ---- sessions ---- */

void tsig_session_init(struct tsig_session *s)
{
	memset(s, 0, sizeof(*s));
}

void tsig_session_done(struct tsig_session *s)
{
	EVP_MAC_CTX_free(s->running);
	tsig_session_init(s);
}

void tsig_session_key(struct tsig_session *s, const struct tsig_key *key)
{
	tsig_session_done(s);
	s->key = key;
	s->key_name = key->name;
	name_copy(&s->algorithm, key->algorithm->name);
}

bool tsig_complete(const struct tsig_session *s)
{
	return !s->key || (s->replied && !s->unsigned_count);
}

/* Form, MAC, time, length of the MAC: in this order (5.2). */
static enum tsig_verdict judge(struct tsig_session *s, const uint8_t *msg, const struct tsig_record *t, bool with_prior, uint64_t now_s)
{
	const struct tsig_algorithm *a = s->key->algorithm;
	uint8_t mac[TSIG_MAC_MAX];

	/* 5.2.2.1: longer than the digest, or shorter than half of it or 10 octets. */
	if (t->mac_len > a->size || t->mac_len < MAX(TSIG_MAC_MIN, a->size / 2))
		return TSIG_FORMERR;
	if (!compute(s, msg, t, get_u16(msg + 10) - 1U, with_prior, mac))
		return TSIG_FAILED;
	/* A truncated form has exactly its own length. */
	if ((a->sent < a->size && t->mac_len != a->sent) || CRYPTO_memcmp(mac, t->mac, t->mac_len) != 0)
		return TSIG_BADSIG;
	remember(s, t->mac, t->mac_len);
	if (now_s > t->time_s ? now_s - t->time_s > t->fudge_s : t->time_s - now_s > t->fudge_s)
		return TSIG_BADTIME;
	return t->mac_len < s->key->mac_len ? TSIG_BADTRUNC : TSIG_GOOD;
}

enum tsig_verdict tsig_verify_request(struct tsig_session *s, const struct tsig_keys *keys, const uint8_t *msg, size_t len, uint64_t now_s)
{
	const struct tsig_key *key;
	struct tsig_record t;
	enum tsig_verdict v;
	int found = tsig_find(msg, len, &t);

	tsig_session_done(s);
	if (found <= 0)
		return found < 0 ? TSIG_FORMERR : TSIG_ABSENT;
	s->key_name = t.key_name;
	s->algorithm = t.algorithm;
	s->request_time_s = t.time_s;
	key = tsig_keys_find(keys, t.key_name.wire);
	if (!key || !name_equal(key->algorithm->name, t.algorithm.wire)) {
		s->error = RCODE_BADKEY;
		return TSIG_BADKEY;
	}
	s->key = key;
	v = judge(s, msg, &t, false, now_s);
	switch (v) {
	case TSIG_BADSIG:
		s->key = NULL; /* 5.3.2: told unsigned */
		s->error = RCODE_BADSIG;
		break;
	case TSIG_BADTIME:
		s->error = RCODE_BADTIME;
		break;
	case TSIG_BADTRUNC:
		s->error = RCODE_BADTRUNC;
		break;
	case TSIG_GOOD:
		break;
	default:
		tsig_session_init(s);
		break;
	}
	return v;
}

/* 5.3.1: a message of a stream without a TSIG record. */
static enum tsig_verdict absorb(struct tsig_session *s, const uint8_t *msg, size_t len)
{
	if (!s->replied || s->unsigned_count >= TSIG_UNSIGNED_MAX)
		return TSIG_ABSENT;
	s->running = begin(s, true);
	if (!s->running || !EVP_MAC_update(s->running, msg, len))
		return TSIG_FAILED;
	s->unsigned_count++;
	return TSIG_UNSIGNED;
}

enum tsig_verdict tsig_verify_response(struct tsig_session *s, const uint8_t *msg, size_t len, uint64_t now_s)
{
	struct tsig_record t;
	enum tsig_verdict v;
	int found = tsig_find(msg, len, &t);

	if (found < 0)
		return TSIG_FORMERR;
	if (!s->key)
		return found ? TSIG_BADKEY : TSIG_GOOD;
	if (!found)
		return absorb(s, msg, len);
	if (!name_equal(t.key_name.wire, s->key->name.wire) || !name_equal(t.algorithm.wire, s->key->algorithm->name))
		return TSIG_BADKEY;
	s->peer_error = t.error;
	s->peer_signed = false;
	if (!t.mac_len && t.error) /* 5.3.2: BADKEY or BADSIG; nobody vouches for it */
		return TSIG_PEER_ERROR;
	v = judge(s, msg, &t, true, now_s);
	if (t.error && (v == TSIG_GOOD || v == TSIG_BADTIME)) {
		s->peer_signed = true;
		if (t.error == RCODE_BADTIME && t.other_len == 6) /* 5.2.3: the server's clock */
			s->peer_time_s = (uint64_t)get_u16(t.other) << 32 | get_u32(t.other + 2);
		return TSIG_PEER_ERROR;
	}
	if (v == TSIG_GOOD)
		s->replied = true;
	return v;
}

size_t tsig_space(const struct tsig_session *s)
{
	if (!s->key && !s->error)
		return 0;
	return s->key_name.len + 10U + s->algorithm.len + 16U + (s->key ? s->key->mac_len : 0U) + (s->error == RCODE_BADTIME ? 6U : 0U);
}

static void write_record(struct writer *w, const struct tsig_record *t)
{
	size_t rdlen = t->algorithm.len + 16U + t->mac_len + t->other_len;

	writer_bytes(w, t->key_name.wire, t->key_name.len);
	writer_u16(w, RR_TSIG);
	writer_u16(w, CLASS_ANY);
	writer_u32(w, 0);
	writer_u16(w, (uint16_t)rdlen);
	writer_bytes(w, t->algorithm.wire, t->algorithm.len);
	writer_u16(w, (uint16_t)(t->time_s >> 32));
	writer_u32(w, (uint32_t)t->time_s);
	writer_u16(w, t->fudge_s);
	writer_u16(w, t->mac_len);
	writer_bytes(w, t->mac, t->mac_len);
	writer_u16(w, t->original_id);
	writer_u16(w, t->error);
	writer_u16(w, t->other_len);
	writer_bytes(w, t->other, t->other_len);
}

int tsig_sign(struct tsig_session *s, struct writer *w, uint64_t now_s)
{
	struct tsig_record t = {.pos = w->pos, .key_name = s->key_name, .algorithm = s->algorithm, .time_s = now_s,
	                        .fudge_s = TSIG_FUDGE_S, .error = s->error};
	uint8_t mac[TSIG_MAC_MAX], clock[6];
	unsigned arcount;

	if (!s->key && !s->error)
		return 0;
	if (w->failed || w->cap - w->pos < tsig_space(s) || w->pos < DNS_HEADER_LEN)
		return ERR_NO_SPACE;
	arcount = get_u16(w->base + 10);
	t.original_id = get_u16(w->base);
	if (s->error == RCODE_BADTIME) {
		put_u16(clock, (uint16_t)(now_s >> 32));
		put_u32(clock + 2, (uint32_t)now_s);
		t.time_s = s->request_time_s;
		t.other = clock;
		t.other_len = sizeof(clock);
	}
	if (s->key) {
		bool is_request = !s->has_prior;

		if (!compute(s, w->base, &t, arcount, true, mac))
			return ERR_NO_MEMORY;
		t.mac = mac;
		t.mac_len = s->key->mac_len;
		remember(s, mac, t.mac_len);
		s->replied = !is_request;
	}
	write_record(w, &t);
	put_u16(w->base + 10, (uint16_t)(arcount + 1));
	return 0;
}

int tsig_skip(struct tsig_session *s, const uint8_t *msg, size_t len)
{
	if (!s->key)
		return 0;
	switch (absorb(s, msg, len)) {
	case TSIG_UNSIGNED:
		return 0;
	case TSIG_FAILED:
		return ERR_NO_MEMORY;
	default:
		return ERR_LIMIT;
	}
}
