/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS connections over socket pairs, and the life of tickets: the clock of server.c is ours. */
#include <time.h>

static time_t fake_now = 1800000000;

static time_t fake_time(time_t *out)
{
	(void)out;
	return fake_now;
}

#define time(x) fake_time(x)
#include "tls/server.c" // NOLINT: the clock is replaced
#undef time

#include <fcntl.h>
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"

enum { PEM_MAX = 8192, DAYS = 86400 };

struct pem {
	char text[PEM_MAX];
	size_t len;
};

/* A key and a certificate of its own for `name`. */
static void make(const char *name, struct pem *certificate, struct pem *key)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	X509_gmtime_adj(X509_getm_notBefore(x), -DAYS);
	X509_gmtime_adj(X509_getm_notAfter(x), 30 * DAYS);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, k);
	assert_true(X509_sign(x, k, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	n = BIO_read(bio, certificate->text, PEM_MAX);
	assert_in_range(n, 100, PEM_MAX - 1);
	certificate->len = (size_t)n;
	assert_int_equal(PEM_write_bio_PrivateKey(bio, k, NULL, NULL, 0, NULL, NULL), 1);
	n = BIO_read(bio, key->text, PEM_MAX);
	assert_in_range(n, 100, PEM_MAX - 1);
	key->len = (size_t)n;
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(k);
}

static SSL_CTX *server(const struct pem *certificate, const struct pem *key)
{
	SSL_CTX *ctx = NULL;
	char why[TLS_WHY_MAX] = "";
	int64_t expires = 0;
	int err = tls_context_new(certificate->text, certificate->len, key->text, key->len, &ctx, &expires, why);

	if (err < 0)
		fail_msg("%s", why);
	assert_true(expires > (int64_t)(time)(NULL) + 29 * DAYS && expires < (int64_t)(time)(NULL) + 31 * DAYS);
	return ctx;
}

struct visit {
	bool done, resumed;
	SSL_SESSION *session; /* the caller's */
};

static SSL_SESSION *ticket_got;

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(ticket_got);
	ticket_got = session;
	return 1;
}

/* A client comes with a session (or none), exchanges a query and an answer, and goes with the session it got last. */
static struct visit visit(SSL_CTX *ctx, int version, SSL_SESSION *session, const char *alpn)
{
	SSL_CTX *cctx = SSL_CTX_new(TLS_client_method());
	struct visit v = {0};
	int pair[2], shaken = 0;
	enum tls_step step = TLS_WANTS_READ;
	struct ssl_st *s;
	uint8_t buf[64];
	ssize_t n;
	SSL *c;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	SSL_CTX_set_min_proto_version(cctx, version);
	SSL_CTX_set_max_proto_version(cctx, version);
	SSL_CTX_set_session_cache_mode(cctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL); /* the session outlives cctx */
	SSL_CTX_sess_set_new_cb(cctx, on_session);
	if (alpn)
		assert_int_equal(SSL_CTX_set_alpn_protos(cctx, (const unsigned char *)alpn, (unsigned)strlen(alpn)), 0);
	c = SSL_new(cctx);
	SSL_set_fd(c, pair[0]);
	if (session)
		SSL_set_session(c, session);
	s = tls_begin(ctx, pair[1]);
	assert_non_null(s);
	for (int i = 0; i < 10 && step != TLS_FAILED && (shaken != 1 || step != TLS_DONE); i++) {
		ERR_clear_error();
		shaken = SSL_connect(c);
		if (step != TLS_DONE)
			step = tls_shake(s);
	}
	if (step == TLS_DONE) {
		assert_int_equal(SSL_write(c, "query", 5), 5);
		assert_int_equal(tls_read(s, buf, sizeof(buf), &step), 5);
		assert_int_equal(tls_read(s, buf, sizeof(buf), &step), -EAGAIN);
		assert_int_equal(step, TLS_WANTS_READ);
		assert_int_equal(tls_write(s, "answer", 6, &step), 6);
		assert_int_equal(SSL_read(c, buf, sizeof(buf)), 6);
		v.done = true;
		v.resumed = tls_resumed(s);
		assert_int_equal(SSL_session_reused(c), v.resumed);
		v.session = ticket_got ? ticket_got : session;
		if (ticket_got && session)
			SSL_SESSION_free(session);
		SSL_shutdown(c);
		n = tls_read(s, buf, sizeof(buf), &step);
		assert_int_equal(n, 0);
	} else {
		SSL_SESSION_free(ticket_got);
	}
	ticket_got = NULL;
	tls_end(s, v.done);
	SSL_free(c);
	SSL_CTX_free(cctx);
	close(pair[0]);
	close(pair[1]);
	return v;
}

static void test_visits(void **state)
{
	struct pem certificate, key;
	SSL_CTX *ctx;

	(void)state;
	make("dot.example", &certificate, &key);
	ctx = server(&certificate, &key);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct visit v = visit(ctx, version, NULL, NULL);

		assert_true(v.done && !v.resumed);
		SSL_SESSION_free(v.session);
		v = visit(ctx, version, NULL, "\x03" "dot");
		assert_true(v.done);
		SSL_SESSION_free(v.session);
		assert_false(visit(ctx, version, NULL, "\x02" "h2").done);
	}
	tls_context_free(ctx);
}

/* A ticket is good on its day and the next, and at a clock that is a day behind; at every context of the same key. */
static void test_tickets(void **state)
{
	static const struct {
		int day;
		bool good;
	} rows[] = {{0, true}, {1, true}, {2, false}, {-1, true}, {-2, false}};
	struct pem certificate, key, other_certificate, other_key;
	const time_t start = fake_now;

	(void)state;
	make("dot.example", &certificate, &key);
	make("dot.example", &other_certificate, &other_key);
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			SSL_CTX *here = server(&certificate, &key), *there = server(&certificate, &key), *foreign = server(&other_certificate, &other_key);
			struct visit v;

			fake_now = start;
			v = visit(here, version, NULL, NULL);
			assert_true(v.done && v.session);
			fake_now = start + rows[i].day * DAYS;
			SSL_SESSION_up_ref(v.session);
			SSL_SESSION *kept = v.session;
			v = visit(there, version, v.session, NULL);
			if (!v.done || v.resumed != rows[i].good)
				fail_msg("version %x, day %d: resumed %d", (unsigned)version, rows[i].day, v.resumed);
			SSL_SESSION_free(v.session);
			v = visit(foreign, version, kept, NULL);
			assert_true(v.done && !v.resumed);
			SSL_SESSION_free(v.session);
			tls_context_free(here);
			tls_context_free(there);
			tls_context_free(foreign);
		}
	fake_now = start;
}

/* A connection outlives the context it was made from, and so do the keys of its tickets. */
static void test_swapped(void **state)
{
	struct pem certificate, key;
	SSL_CTX *ctx;
	struct ssl_st *s;
	int pair[2];

	(void)state;
	make("dot.example", &certificate, &key);
	ctx = server(&certificate, &key);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	s = tls_begin(ctx, pair[0]);
	assert_non_null(s);
	tls_context_free(ctx);
	assert_int_equal(tls_shake(s), TLS_WANTS_READ);
	close(pair[1]);
	assert_int_equal(tls_shake(s), TLS_FAILED);
	tls_end(s, false);
	close(pair[0]);
}

static void refused(const struct pem *certificate, const struct pem *key, const char *expected)
{
	SSL_CTX *ctx = NULL;
	char why[TLS_WHY_MAX] = "";
	int64_t expires = 5;

	assert_int_equal(tls_context_new(certificate->text, certificate->len, key->text, key->len, &ctx, &expires, why), ERR_INVALID);
	if (!strstr(why, expected))
		fail_msg("\"%s\" instead of \"%s\"", why, expected);
	assert_null(ctx);
	assert_int_equal(expires, 5);
}

static void test_refused(void **state)
{
	struct pem a, a_key, b, b_key, none = {.text = "nothing", .len = 7}, empty = {.len = 0};

	(void)state;
	make("a.example", &a, &a_key);
	make("b.example", &b, &b_key);
	refused(&a, &b_key, "the key does not belong to the certificate");
	refused(&none, &a_key, "there is no certificate in PEM form");
	refused(&empty, &a_key, "there is no certificate in PEM form");
	refused(&a, &none, "there is no private key in PEM form");
	refused(&a, &empty, "there is no private key in PEM form");
	refused(&a_key, &a, "there is no certificate in PEM form");
	a.len /= 2;
	refused(&a, &a_key, "there is no certificate in PEM form");
}

/* Each octet of a query that comes alone, and octets that are no TLS at all. */
static void test_garbage(void **state)
{
	struct pem certificate, key;
	SSL_CTX *ctx;

	(void)state;
	make("dot.example", &certificate, &key);
	ctx = server(&certificate, &key);
	for (int i = 0; i < 256; i++) {
		uint8_t garbage[40];
		struct ssl_st *s;
		int pair[2];

		memset(garbage, i, sizeof(garbage));
		if (i % 2)
			memcpy(garbage, "\x16\x03\x01\x00\x20\x01\x00", 7); /* looks like a ClientHello at first */
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		s = tls_begin(ctx, pair[0]);
		assert_int_equal(write(pair[1], garbage, sizeof(garbage)), sizeof(garbage));
		assert_int_not_equal(tls_shake(s), TLS_DONE);
		close(pair[1]);
		assert_int_equal(tls_shake(s), TLS_FAILED);
		tls_end(s, false);
		close(pair[0]);
	}
	tls_context_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_visits),  cmocka_unit_test(test_tickets), cmocka_unit_test(test_swapped),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_garbage),
	};

	signal(SIGPIPE, SIG_IGN);
	tls_warm();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
