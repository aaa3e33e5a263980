/* SPDX-License-Identifier: BSD-2-Clause */
/* TSIG against messages that dnspython signed, and between our own client and server. */
#include "base/err.h"
#include "base/text.h"
#include "config/config.h"
#include "dns/base64.h"
#include "dns/message.h"
#include "tsig_vectors.h"
#include "xfr/tsig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1700000000, KEY_TEST_OCTETS = 32 };

static const uint8_t key_name[] = "\x08" "transfer" "\x03" "key";

struct wire {
	uint8_t octets[2048];
	size_t len;
};

static struct wire unhex(const char *text)
{
	struct wire m;
	struct writer w = writer_of(m.octets, sizeof(m.octets));

	assert_int_equal(hex_get(text, strlen(text), &w), 0);
	assert_true(writer_ok(&w));
	m.len = w.pos;
	return m;
}

static struct tsig_key *new_key(const uint8_t *name, const char *algorithm, uint8_t secret_octet, unsigned truncate)
{
	uint8_t secret[KEY_TEST_OCTETS];
	struct tsig_key *k = NULL;

	memset(secret, secret_octet, sizeof(secret));
	assert_int_equal(tsig_key_new(name, tsig_algorithm_text(algorithm), secret, sizeof(secret), truncate, &k), 0);
	return k;
}

static struct tsig_key *vector_key(const struct vector *v)
{
	uint8_t secret[64];
	struct writer w = writer_of(secret, sizeof(secret));
	struct tsig_key *k = NULL;

	assert_int_equal(tsig_secret_parse(v->secret, strlen(v->secret), &w), 0);
	assert_non_null(tsig_algorithm_text(v->algorithm));
	assert_int_equal(tsig_key_new(key_name, tsig_algorithm_text(v->algorithm), secret, w.pos, 0, &k), 0);
	return k;
}

/* A message of the given id with one question. */
static struct writer plain(uint8_t buf[2048], uint16_t id)
{
	struct writer w = writer_of(buf, 2048);
	int len = message_build_query(buf, 2048, id, (const uint8_t *)"\x07" "example", RR_AXFR, CLASS_IN, 0, false, false);

	assert_true(len > 0);
	w.pos = (size_t)len;
	return w;
}

/* The vector's message without its TSIG record. */
static struct writer strip(uint8_t buf[2048], const struct wire *m)
{
	struct tsig_record t;
	struct writer w = writer_of(buf, 2048);

	assert_int_equal(tsig_find(m->octets, m->len, &t), 1);
	memcpy(buf, m->octets, t.pos);
	put_u16(buf + 10, (uint16_t)(get_u16(buf + 10) - 1));
	w.pos = t.pos;
	return w;
}

/* Sign the vector's message as it was before, and compare with what dnspython made; only the case of the key's name may differ. */
static void check_made(struct tsig_session *s, const struct wire *m, uint64_t now_s)
{
	uint8_t buf[2048];
	struct writer w = strip(buf, m);
	size_t space = tsig_space(s), before = w.pos;

	assert_int_equal(tsig_sign(s, &w, now_s), 0);
	assert_int_equal(w.pos - before, space);
	assert_int_equal(w.pos, m->len);
	for (size_t i = 0; i < m->len; i++)
		if (buf[i] != m->octets[i] && (buf[i] ^ m->octets[i]) != 0x20)
			fail_msg("octet %zu: %02x instead of %02x", i, buf[i], m->octets[i]);
}

static void vectors_verify(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const struct vector *v = &vectors[i];
		struct tsig_key *key = vector_key(v);
		struct tsig_keys keys = {.list = &key, .count = 1};
		struct wire request = unhex(v->request), answer = unhex(v->answer);
		struct tsig_session client, server;

		tsig_session_init(&client);
		tsig_session_init(&server);
		assert_int_equal(tsig_verify_request(&server, &keys, request.octets, request.len, NOW), TSIG_GOOD);
		check_made(&server, &answer, NOW + 1);

		tsig_session_key(&client, key);
		check_made(&client, &request, NOW);
		assert_int_equal(tsig_verify_response(&client, answer.octets, answer.len, NOW + 2), TSIG_GOOD);
		assert_true(tsig_complete(&client));

		/* The same request, answered by a stream: by both sides. */
		tsig_session_key(&client, key);
		check_made(&client, &request, NOW);
		assert_int_equal(tsig_verify_request(&server, &keys, request.octets, request.len, NOW), TSIG_GOOD);
		for (unsigned k = 0; k < 4; k++) {
			struct wire m = unhex(v->stream[k]);

			assert_int_equal(tsig_verify_response(&client, m.octets, m.len, NOW + 2),
			                 k == 1 || k == 2 ? TSIG_UNSIGNED : TSIG_GOOD);
			assert_int_equal(tsig_complete(&client), k == 0 || k == 3);
			if (k == 1 || k == 2)
				assert_int_equal(tsig_skip(&server, m.octets, m.len), 0);
			else
				check_made(&server, &m, NOW + 1 + k);
		}
		tsig_session_done(&client);
		tsig_session_done(&server);
		tsig_key_free(key);
	}
}

/* No octet of a signed message may change, but for the id, which the record holds once more. */
static void vectors_altered(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct tsig_key *key = vector_key(&vectors[i]);
		struct tsig_keys keys = {.list = &key, .count = 1};
		struct wire request = unhex(vectors[i].request);
		struct tsig_session s;

		tsig_session_init(&s);
		for (size_t at = 0; at < request.len; at++) {
			enum tsig_verdict v;

			request.octets[at] ^= 1;
			v = tsig_verify_request(&s, &keys, request.octets, request.len, NOW);
			if ((v == TSIG_GOOD) != (at < 2))
				fail_msg("%s: octet %zu altered: %s", vectors[i].algorithm, at, tsig_verdict_text(v));
			request.octets[at] ^= 1;
		}
		for (size_t len = 0; len < request.len; len++) {
			enum tsig_verdict v = tsig_verify_request(&s, &keys, request.octets, len, NOW);

			assert_int_equal(v, TSIG_FORMERR);
		}
		tsig_session_done(&s);
		tsig_key_free(key);
	}
}

/* ---- what a server says to a request, and what the client makes of that ---- */

enum fault { FAULT_NONE, FAULT_NAME, FAULT_ALGORITHM, FAULT_SECRET, FAULT_SHORT };

static const struct error_case {
	const char *name;
	enum fault fault;      /* of the client's key */
	int64_t clock_s;       /* the server's clock before or behind the client's */
	enum tsig_verdict server;
	uint16_t error;
	bool is_signed;
	enum tsig_verdict client;
} error_cases[] = {
        {"good", FAULT_NONE, 0, TSIG_GOOD, 0, true, TSIG_GOOD},
        {"as late as may be", FAULT_NONE, TSIG_FUDGE_S, TSIG_GOOD, 0, true, TSIG_GOOD},
        {"as early as may be", FAULT_NONE, -TSIG_FUDGE_S, TSIG_GOOD, 0, true, TSIG_GOOD},
        {"too late", FAULT_NONE, TSIG_FUDGE_S + 1, TSIG_BADTIME, RCODE_BADTIME, true, TSIG_PEER_ERROR},
        {"too early", FAULT_NONE, -TSIG_FUDGE_S - 1, TSIG_BADTIME, RCODE_BADTIME, true, TSIG_PEER_ERROR},
        {"years early", FAULT_NONE, -NOW, TSIG_BADTIME, RCODE_BADTIME, true, TSIG_PEER_ERROR},
        {"unknown key", FAULT_NAME, 0, TSIG_BADKEY, RCODE_BADKEY, false, TSIG_PEER_ERROR},
        {"another algorithm", FAULT_ALGORITHM, 0, TSIG_BADKEY, RCODE_BADKEY, false, TSIG_PEER_ERROR},
        {"another secret", FAULT_SECRET, 0, TSIG_BADSIG, RCODE_BADSIG, false, TSIG_PEER_ERROR},
        {"another secret, too late", FAULT_SECRET, 4000, TSIG_BADSIG, RCODE_BADSIG, false, TSIG_PEER_ERROR},
        {"shorter than the key demands", FAULT_SHORT, 0, TSIG_BADTRUNC, RCODE_BADTRUNC, true, TSIG_PEER_ERROR},
        {"shorter, and too late", FAULT_SHORT, 4000, TSIG_BADTIME, RCODE_BADTIME, true, TSIG_PEER_ERROR},
};

static struct tsig_key *faulty_key(enum fault f)
{
	static const uint8_t other[] = "\x05" "other" "\x03" "key";

	return new_key(f == FAULT_NAME ? other : key_name, f == FAULT_ALGORITHM ? "hmac-sha512" : "hmac-sha256", f == FAULT_SECRET ? 9 : 8,
	               f == FAULT_SHORT ? 16 : 0);
}

static void errors_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(error_cases) / sizeof(error_cases[0]); i++) {
		const struct error_case *c = &error_cases[i];
		struct tsig_key *theirs = faulty_key(c->fault), *ours = new_key(key_name, "hmac-sha256", 8, 0);
		struct tsig_keys keys = {.list = &ours, .count = 1};
		uint64_t clock = (uint64_t)(NOW + c->clock_s);
		struct tsig_session client, server;
		struct tsig_record t;
		uint8_t a[2048], b[2048];
		struct writer request = plain(a, 7), answer;

		tsig_session_init(&client);
		tsig_session_init(&server);
		tsig_session_key(&client, theirs);
		assert_int_equal(tsig_sign(&client, &request, NOW), 0);
		print_message("%s\n", c->name);
		assert_int_equal(tsig_verify_request(&server, &keys, a, request.pos, clock), c->server);
		assert_int_equal(server.error, c->error);
		answer = plain(b, 7);
		put_u16(b + 2, (uint16_t)(DNS_QR | (c->error ? RCODE_NOTAUTH : 0)));
		assert_int_equal(tsig_sign(&server, &answer, clock), 0);
		assert_int_equal(tsig_find(b, answer.pos, &t), 1);
		assert_int_equal(t.mac_len > 0, c->is_signed);
		assert_int_equal(t.error, c->error);
		assert_int_equal(t.other_len, c->error == RCODE_BADTIME ? 6 : 0);
		assert_int_equal(t.time_s, c->error == RCODE_BADTIME ? NOW : clock);
		assert_int_equal(tsig_verify_response(&client, b, answer.pos, NOW), c->client);
		assert_int_equal(client.peer_error, c->error);
		if (c->client == TSIG_PEER_ERROR)
			assert_int_equal(client.peer_signed, c->is_signed);
		if (c->error == RCODE_BADTIME)
			assert_int_equal(client.peer_time_s, clock);
		tsig_session_done(&client);
		tsig_session_done(&server);
		tsig_key_free(theirs);
		tsig_key_free(ours);
	}
}

/* ---- records that break their format ---- */

static void break_class(struct wire *m, const struct tsig_record *t)
{
	put_u16(m->octets + t->pos + 14 + 2, CLASS_IN);
}

static void break_ttl(struct wire *m, const struct tsig_record *t)
{
	put_u32(m->octets + t->pos + 14 + 4, 1);
}

static void break_rdlen_more(struct wire *m, const struct tsig_record *t)
{
	uint8_t *p = m->octets + t->pos + 14 + 8;

	put_u16(p, (uint16_t)(get_u16(p) + 1));
	m->octets[m->len++] = 0;
}

static void break_rdlen_less(struct wire *m, const struct tsig_record *t)
{
	uint8_t *p = m->octets + t->pos + 14 + 8;

	put_u16(p, (uint16_t)(get_u16(p) - 1));
	m->len--;
}

/* Change the MAC to n octets, all else intact. */
static void mac_of(struct wire *m, const struct tsig_record *t, unsigned n)
{
	uint8_t tail[6], *size = m->octets + (t->mac - m->octets) - 2, *rdlen = m->octets + t->pos + 14 + 8;

	memcpy(tail, t->mac + t->mac_len, sizeof(tail));
	put_u16(rdlen, (uint16_t)(get_u16(rdlen) - t->mac_len + n));
	put_u16(size, (uint16_t)n);
	memcpy(size + 2 + n, tail, sizeof(tail));
	m->len = m->len - t->mac_len + n;
}

static void break_mac_none(struct wire *m, const struct tsig_record *t)
{
	mac_of(m, t, 0);
}

static void break_mac_short(struct wire *m, const struct tsig_record *t)
{
	mac_of(m, t, 15);
}

static void break_mac_long(struct wire *m, const struct tsig_record *t)
{
	mac_of(m, t, 33);
}

static void break_twice(struct wire *m, const struct tsig_record *t)
{
	size_t n = m->len - t->pos;

	memcpy(m->octets + m->len, m->octets + t->pos, n);
	m->len += n;
	put_u16(m->octets + 10, 2);
}

static void break_not_last(struct wire *m, const struct tsig_record *t)
{
	static const uint8_t opt[] = {0, 0, RR_OPT, 4, 0, 0, 0, 0, 0, 0, 0};

	(void)t;
	memcpy(m->octets + m->len, opt, sizeof(opt));
	m->len += sizeof(opt);
	put_u16(m->octets + 10, 2);
}

static void break_section(struct wire *m, const struct tsig_record *t)
{
	(void)t;
	put_u16(m->octets + 10, 0);
	put_u16(m->octets + 8, 1);
}

static void break_algorithm(struct wire *m, const struct tsig_record *t)
{
	m->octets[t->pos + 14 + 10] = 0xc0; /* compressed, in RDATA */
}

static void break_behind(struct wire *m, const struct tsig_record *t)
{
	(void)t;
	m->octets[m->len++] = 0;
}

static const struct {
	const char *name;
	void (*spoil)(struct wire *m, const struct tsig_record *t);
} form_cases[] = {
        {"class IN", break_class},
        {"a TTL", break_ttl},
        {"an octet too much", break_rdlen_more},
        {"an octet too few", break_rdlen_less},
        {"an octet behind the message", break_behind},
        {"no MAC", break_mac_none},
        {"MAC shorter than half the digest", break_mac_short},
        {"MAC longer than the digest", break_mac_long},
        {"two records", break_twice},
        {"not the last", break_not_last},
        {"in the authority section", break_section},
        {"compressed algorithm", break_algorithm},
};

static void formats_refused(void **state)
{
	struct tsig_key *key = new_key(key_name, "hmac-sha256", 8, 0);
	struct tsig_keys keys = {.list = &key, .count = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(form_cases) / sizeof(form_cases[0]); i++) {
		struct tsig_session s;
		struct tsig_record t;
		struct wire m;
		struct writer w = plain(m.octets, 7);
		enum tsig_verdict v;

		tsig_session_init(&s);
		tsig_session_key(&s, key);
		assert_int_equal(tsig_sign(&s, &w, NOW), 0);
		m.len = w.pos;
		assert_int_equal(tsig_find(m.octets, m.len, &t), 1);
		form_cases[i].spoil(&m, &t);
		v = tsig_verify_request(&s, &keys, m.octets, m.len, NOW);
		if (v != TSIG_FORMERR)
			fail_msg("%s: %s", form_cases[i].name, tsig_verdict_text(v));
		assert_int_equal(tsig_space(&s), 0); /* answered without TSIG */
		tsig_session_done(&s);
	}
	tsig_key_free(key);
}

/* ---- streams ---- */

struct stream {
	struct tsig_key *key;
	struct tsig_keys keys;
	struct tsig_session client, server;
	struct wire *messages;
	unsigned count;
};

/* A request and an answer of `count` messages, of which those are signed whose number divides by `every`, and the last. */
static void stream_open(struct stream *st, unsigned count, unsigned every)
{
	uint8_t buf[2048];
	struct writer w = plain(buf, 7);

	st->key = new_key(key_name, "hmac-sha256", 8, 0);
	st->keys = (struct tsig_keys){.list = &st->key, .count = 1};
	tsig_session_init(&st->client);
	tsig_session_init(&st->server);
	tsig_session_key(&st->client, st->key);
	assert_int_equal(tsig_sign(&st->client, &w, NOW), 0);
	assert_int_equal(tsig_verify_request(&st->server, &st->keys, buf, w.pos, NOW), TSIG_GOOD);
	st->messages = calloc(count, sizeof(*st->messages));
	st->count = count;
	for (unsigned i = 0; i < count; i++) {
		struct writer m = plain(st->messages[i].octets, 7);

		put_u16(m.base + 2, DNS_QR);
		m.base[13] = (uint8_t)('a' + i % 26); /* each another */
		if (i % every == 0 || i + 1 == count)
			assert_int_equal(tsig_sign(&st->server, &m, NOW + i), 0);
		else
			assert_int_equal(tsig_skip(&st->server, m.base, m.pos), 0);
		st->messages[i].len = m.pos;
	}
}

static void stream_close(struct stream *st)
{
	tsig_session_done(&st->client);
	tsig_session_done(&st->server);
	tsig_key_free(st->key);
	free(st->messages);
}

static enum tsig_verdict take(struct stream *st, unsigned i)
{
	return tsig_verify_response(&st->client, st->messages[i].octets, st->messages[i].len, NOW);
}

static void streams_whole(void **state)
{
	static const unsigned every[] = {1, 2, 3, 50, 100};

	(void)state;
	for (size_t e = 0; e < sizeof(every) / sizeof(every[0]); e++) {
		struct stream st;

		stream_open(&st, 203, every[e]);
		for (unsigned i = 0; i < st.count; i++) {
			bool is_signed = i % every[e] == 0 || i + 1 == st.count;

			assert_int_equal(take(&st, i), is_signed ? TSIG_GOOD : TSIG_UNSIGNED);
			assert_int_equal(tsig_complete(&st.client), is_signed);
		}
		stream_close(&st);
	}
}

/* Messages in this order; the verdict of the last. */
static const struct {
	const char *name;
	unsigned every, count, order[5];
	enum tsig_verdict last;
} disorder[] = {
        {"a signed one left out", 1, 3, {0, 2, 3}, TSIG_BADSIG},
        {"two swapped", 1, 3, {0, 2, 1}, TSIG_BADSIG},
        {"one twice", 1, 3, {0, 1, 1}, TSIG_BADSIG},
        {"an unsigned one left out", 3, 3, {0, 2, 3}, TSIG_BADSIG},
        {"unsigned ones swapped", 3, 4, {0, 2, 1, 3}, TSIG_BADSIG},
        {"an unsigned one twice", 3, 5, {0, 1, 1, 2, 3}, TSIG_BADSIG},
        {"the first left out", 1, 1, {1}, TSIG_BADSIG},
        {"the first unsigned", 3, 1, {1}, TSIG_ABSENT},
        {"in order", 3, 4, {0, 1, 2, 3}, TSIG_GOOD},
};

static void streams_disorder(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(disorder) / sizeof(disorder[0]); i++) {
		enum tsig_verdict v = TSIG_GOOD;
		struct stream st;

		stream_open(&st, 7, disorder[i].every);
		for (unsigned k = 0; k < disorder[i].count && (v == TSIG_GOOD || v == TSIG_UNSIGNED); k++)
			v = take(&st, disorder[i].order[k]);
		if (v != disorder[i].last)
			fail_msg("%s: %s", disorder[i].name, tsig_verdict_text(v));
		stream_close(&st);
	}
}

static void streams_unsigned_limit(void **state)
{
	uint8_t buf[2048];
	struct stream st;
	struct writer w;

	(void)state;
	stream_open(&st, 1, 1);
	assert_int_equal(take(&st, 0), TSIG_GOOD);
	for (unsigned i = 0; i <= TSIG_UNSIGNED_MAX; i++) {
		bool fits = i < TSIG_UNSIGNED_MAX;

		w = plain(buf, 7);
		assert_int_equal(tsig_skip(&st.server, buf, w.pos), fits ? 0 : ERR_LIMIT);
		assert_int_equal(tsig_verify_response(&st.client, buf, w.pos, NOW), fits ? TSIG_UNSIGNED : TSIG_ABSENT);
		assert_false(tsig_complete(&st.client));
	}
	stream_close(&st);
}

/* ---- keys ---- */

static void keys_lengths(void **state)
{
	static const struct {
		const char *algorithm;
		unsigned truncate;
		int err;
	} cases[] = {
	        {"hmac-sha1", 0, 0},           {"hmac-sha1", 10, 0},    {"hmac-sha1", 9, ERR_INVALID},    {"hmac-sha1", 21, ERR_INVALID},
	        {"hmac-sha256", 16, 0},        {"hmac-sha256", 32, 0},  {"hmac-sha256", 15, ERR_INVALID}, {"hmac-sha512", 31, ERR_INVALID},
	        {"hmac-sha256-128", 0, 0},     {"hmac-sha256-128", 16, 0},                                {"hmac-sha256-128", 20, ERR_INVALID},
	        {"hmac-sha512-256", 64, ERR_INVALID},
	};
	static const uint8_t secret[TSIG_SECRET_MAX + 1];
	struct tsig_key *k = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		k = NULL;
		assert_int_equal(tsig_key_new(key_name, tsig_algorithm_text(cases[i].algorithm), secret, 20, cases[i].truncate, &k), cases[i].err);
		assert_int_equal(k != NULL, !cases[i].err);
		tsig_key_free(k);
	}
	k = NULL;
	assert_int_equal(tsig_key_new(key_name, tsig_algorithm_text("hmac-sha1"), secret, 0, 0, &k), ERR_INVALID);
	assert_int_equal(tsig_key_new(key_name, tsig_algorithm_text("hmac-sha1"), secret, sizeof(secret), 0, &k), ERR_LIMIT);
	assert_null(k);
	assert_null(tsig_algorithm_text("hmac-md5"));
	assert_null(tsig_algorithm_text("hmac-md5.sig-alg.reg.int"));
	assert_ptr_equal(tsig_algorithm_name((const uint8_t *)"\013HMAC-SHA256"), tsig_algorithm_text("HMAC-sha256"));
	tsig_key_free(NULL);
}

/* What the fleet file takes for an algorithm is one here. */
static void keys_of_the_fleet_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char yaml[200];
		int n = snprintf(yaml, sizeof(yaml), "fleet: f\nnodes: [{name: a, role: primary}]\nkeys: [{name: k, algorithm: %s, secret-file: x}]\n",
		                 vectors[i].algorithm);
		struct config *c = NULL;
		struct diag diag;

		diag_init(&diag);
		assert_int_equal(config_parse("z.yaml", yaml, (size_t)n, &diag, &c), 0);
		assert_string_equal(tsig_algorithm_text(c->keys[0].algorithm)->text, vectors[i].algorithm);
		config_free(c);
		diag_done(&diag);
	}
}

static void secrets_parsed(void **state)
{
	static const struct {
		const char *text;
		int err;
		size_t len;
	} cases[] = {
	        {"AQIDBA==", 0, 4},      {" AQID\n BA==\r\n", 0, 4}, {"", ERR_MALFORMED, 0}, {" \n", ERR_MALFORMED, 0},
	        {"AQIDBA=", ERR_MALFORMED, 0}, {"AQ*DBA==", ERR_MALFORMED, 0}, {"AQIDBAUGBwgJ", 0, 9}, {"AQIDBAUGBwgJCg==", ERR_NO_SPACE, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t out[9];
		struct writer w = writer_of(out, sizeof(out));

		assert_int_equal(tsig_secret_parse(cases[i].text, strlen(cases[i].text), &w), cases[i].err);
		assert_int_equal(w.pos, cases[i].len);
	}
}

static void no_room(void **state)
{
	struct tsig_key *key = new_key(key_name, "hmac-sha256", 8, 0);
	uint8_t buf[2048], copy[2048];
	struct writer w = plain(buf, 7);
	struct tsig_session s;

	(void)state;
	tsig_session_init(&s);
	tsig_session_key(&s, key);
	w.cap = w.pos + tsig_space(&s) - 1;
	memcpy(copy, buf, sizeof(copy));
	assert_int_equal(tsig_sign(&s, &w, NOW), ERR_NO_SPACE);
	assert_memory_equal(buf, copy, w.cap);
	w.cap++;
	assert_int_equal(tsig_sign(&s, &w, NOW), 0);
	assert_int_equal(w.pos, w.cap);
	tsig_session_done(&s);
	tsig_key_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(vectors_verify),   cmocka_unit_test(vectors_altered),        cmocka_unit_test(errors_told),
	        cmocka_unit_test(formats_refused),  cmocka_unit_test(streams_whole),          cmocka_unit_test(streams_disorder),
	        cmocka_unit_test(streams_unsigned_limit), cmocka_unit_test(keys_lengths),     cmocka_unit_test(keys_of_the_fleet_file),
	        cmocka_unit_test(secrets_parsed),
	        cmocka_unit_test(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
