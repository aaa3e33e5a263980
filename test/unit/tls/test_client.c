/* SPDX-License-Identifier: BSD-2-Clause */
/* Which servers a client takes for the one that was meant, over socket pairs: authorities, names, addresses, pins, dates, ALPN, certificates of clients. */
#include "tls/client.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PEM_MAX = 8192, DAYS = 86400 };

struct pem {
	char text[PEM_MAX];
	size_t len;
};

struct identity {
	X509 *x;
	EVP_PKEY *key;
	struct pem certificate, secret;
	uint8_t pin[TLS_PIN_LEN];
};

static struct identity ca, other_ca, good, expired, stranger, client, client_of_other;

static void to_pem(struct identity *id)
{
	BIO *bio = BIO_new(BIO_s_mem());
	unsigned char *spki = NULL;
	int len = i2d_PUBKEY(id->key, &spki);

	assert_int_equal(PEM_write_bio_X509(bio, id->x), 1);
	id->certificate.len = (size_t)BIO_read(bio, id->certificate.text, PEM_MAX);
	assert_int_equal(PEM_write_bio_PrivateKey(bio, id->key, NULL, NULL, 0, NULL, NULL), 1);
	id->secret.len = (size_t)BIO_read(bio, id->secret.text, PEM_MAX);
	assert_int_equal(EVP_Digest(spki, (size_t)len, id->pin, NULL, EVP_sha256(), NULL), 1);
	OPENSSL_free(spki);
	BIO_free(bio);
}

/* issuer: NULL: itself, an authority. names: of subjectAltName. */
static void make(struct identity *id, const char *cn, const char *names, long days, const struct identity *issuer)
{
	static long number = 100;
	X509V3_CTX v3;
	X509_EXTENSION *e;

	id->key = EVP_EC_gen("P-256");
	id->x = X509_new();
	X509_set_version(id->x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id->x), number++);
	X509_gmtime_adj(X509_getm_notBefore(id->x), -60 * DAYS);
	X509_gmtime_adj(X509_getm_notAfter(id->x), days * DAYS);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(id->x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(id->x, X509_get_subject_name(issuer ? issuer->x : id->x));
	X509_set_pubkey(id->x, id->key);
	X509V3_set_ctx(&v3, issuer ? issuer->x : id->x, id->x, NULL, NULL, 0);
	e = issuer ? X509V3_EXT_conf_nid(NULL, &v3, NID_subject_alt_name, names)
	           : X509V3_EXT_conf_nid(NULL, &v3, NID_basic_constraints, "critical,CA:true");
	assert_non_null(e);
	assert_int_equal(X509_add_ext(id->x, e, -1), 1);
	X509_EXTENSION_free(e);
	assert_true(X509_sign(id->x, issuer ? issuer->key : id->key, EVP_sha256()) > 0);
	to_pem(id);
}

static void done(struct identity *id)
{
	X509_free(id->x);
	EVP_PKEY_free(id->key);
}

struct visit {
	bool reached;      /* the client is content */
	bool resumed;
	char why[TLS_WHY_MAX];
	struct tls_facts facts; /* as the server has them */
};

/* alpn: false: the server knows none. */
static struct visit visit(struct ssl_ctx_st *server, bool alpn, struct tls_client *c, const char *address, struct ssl_session_st **session)
{
	enum tls_step ours = TLS_WANTS_READ, theirs = TLS_WANTS_READ;
	struct visit v = {0};
	struct ssl_st *at_client, *at_server;
	struct ip_addr a;
	uint8_t buf[16];
	int pair[2];

	assert_int_equal(addr_parse(address, &a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	if (!alpn)
		SSL_CTX_set_alpn_select_cb(server, NULL, NULL);
	at_client = tls_client_begin(c, pair[0], &a, session ? *session : NULL);
	at_server = tls_begin(server, pair[1]);
	assert_true(at_client && at_server);
	tls_ask_certificate(at_server);
	for (int i = 0; i < 10 && ours != TLS_FAILED && (ours != TLS_DONE || theirs != TLS_DONE); i++) {
		if (ours != TLS_DONE)
			ours = tls_shake(at_client);
		if (ours == TLS_FAILED)
			tls_client_explain(at_client, v.why);
		else if (theirs != TLS_DONE)
			theirs = tls_shake(at_server);
	}
	if (ours == TLS_DONE && theirs == TLS_DONE) {
		v.reached = tls_client_judge(c, at_client, v.why) == 0;
		v.resumed = tls_resumed(at_client);
		tls_facts(at_server, &v.facts);
		assert_int_equal(tls_write(at_server, "octets", 6, &theirs), 6);
		assert_int_equal(tls_read(at_client, buf, sizeof(buf), &ours), 6);
	}
	if (session) {
		tls_session_free(*session);
		*session = v.reached ? tls_client_session(at_client) : NULL;
	}
	tls_end(at_client, v.reached);
	tls_end(at_server, v.reached);
	close(pair[0]);
	close(pair[1]);
	return v;
}

static struct ssl_ctx_st *serve(const struct identity *id, const struct identity *clients)
{
	struct ssl_ctx_st *ctx = NULL;
	char why[TLS_WHY_MAX];
	int64_t expires;

	assert_int_equal(tls_context_new(id->certificate.text, id->certificate.len, id->secret.text, id->secret.len, &ctx, &expires, why), 0);
	if (clients)
		assert_int_equal(tls_context_clients(ctx, clients->certificate.text, clients->certificate.len, why), 0);
	return ctx;
}

static void test_known(void **state)
{
	const struct row {
		const char *name;
		const struct identity *server;
		const struct identity *authority, *pinned, *pinned_too;
		const char *server_name, *address, *why; /* why: part of it; NULL: content */
		bool opportunistic, no_alpn;
	} rows[] = {
		{"by name", &good, &ca, NULL, NULL, "primary.example", "192.0.2.9", NULL, false, false},
		{"by IPv4", &good, &ca, NULL, NULL, NULL, "192.0.2.1", NULL, false, false},
		{"by IPv6", &good, &ca, NULL, NULL, NULL, "2001:db8::1", NULL, false, false},
		{"another IPv4", &good, &ca, NULL, NULL, NULL, "192.0.2.2", "IP address mismatch", false, false},
		{"another IPv6", &good, &ca, NULL, NULL, NULL, "2001:db8::2", "IP address mismatch", false, false},
		{"another name", &good, &ca, NULL, NULL, "other.example", "192.0.2.1", "hostname mismatch", false, false},
		{"a name below", &good, &ca, NULL, NULL, "www.primary.example", "192.0.2.1", "hostname mismatch", false, false},
		{"another authority", &good, &other_ca, NULL, NULL, "primary.example", "192.0.2.1", "issuer certificate", false, false},
		{"of another authority", &stranger, &ca, NULL, NULL, "primary.example", "192.0.2.1", "issuer certificate", false, false},
		{"expired", &expired, &ca, NULL, NULL, "primary.example", "192.0.2.1", "expired", false, false},
		{"pinned", &stranger, NULL, &stranger, NULL, NULL, "192.0.2.7", NULL, false, false},
		{"pinned, expired", &expired, NULL, &good, &expired, "whatever.example", "192.0.2.7", NULL, false, false},
		{"another pin", &good, NULL, &expired, &stranger, NULL, "192.0.2.1", "none of the pins", false, false},
		{"authority and pin", &good, &ca, &expired, &good, "primary.example", "192.0.2.1", NULL, false, false},
		{"authority, another pin", &good, &ca, &expired, NULL, "primary.example", "192.0.2.1", "none of the pins", false, false},
		{"another authority, pin", &good, &other_ca, &good, NULL, "primary.example", "192.0.2.1", "issuer certificate", false, false},
		{"whoever", &expired, NULL, NULL, NULL, NULL, "192.0.2.1", NULL, true, false},
		{"whoever, though all is said", &expired, &other_ca, &good, NULL, "other.example", "192.0.2.1", NULL, true, false},
		{"no ALPN", &good, &ca, NULL, NULL, "primary.example", "192.0.2.1", "ALPN", false, true},
		{"whoever, no ALPN", &good, NULL, NULL, NULL, NULL, "192.0.2.1", "ALPN", true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct tls_client_settings s = {.opportunistic = r->opportunistic, .server_name = r->server_name};
		uint8_t pins[2][TLS_PIN_LEN];
		struct ssl_ctx_st *ctx = serve(r->server, NULL);
		struct tls_client *c = NULL;
		char why[TLS_WHY_MAX] = "";
		struct visit v;

		if (r->pinned)
			memcpy(pins[s.pin_count++], r->pinned->pin, TLS_PIN_LEN);
		if (r->pinned_too)
			memcpy(pins[s.pin_count++], r->pinned_too->pin, TLS_PIN_LEN);
		s.pins = (const uint8_t (*)[TLS_PIN_LEN])pins;
		if (r->authority) {
			s.authorities = r->authority->certificate.text;
			s.authorities_len = r->authority->certificate.len;
		}
		if (tls_client_new(&s, &c, why) < 0)
			fail_msg("%s: %s", r->name, why);
		v = visit(ctx, !r->no_alpn, c, r->address, NULL);
		if (v.reached != !r->why || (r->why && !strstr(v.why, r->why)))
			fail_msg("%s: reached %d, \"%s\"", r->name, v.reached, v.why);
		tls_client_free(c);
		tls_context_free(ctx);
	}
}

/* The second visit is by ticket, and knows the server and the client as well as the first. */
static void test_resumed(void **state)
{
	static const struct {
		const struct identity *shown;
		bool verified;
	} rows[] = {{&client, true}, {&client_of_other, false}, {NULL, false}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ssl_ctx_st *ctx = serve(&good, &ca), *foreign = serve(&good, &other_ca);
		struct tls_client_settings s = {.server_name = "primary.example", .authorities = ca.certificate.text, .authorities_len = ca.certificate.len};
		struct ssl_session_st *session = NULL;
		char why[TLS_WHY_MAX] = "";
		struct tls_client *c = NULL;
		struct visit v;

		if (rows[i].shown) {
			s.certificate = rows[i].shown->certificate.text;
			s.certificate_len = rows[i].shown->certificate.len;
			s.key = rows[i].shown->secret.text;
			s.key_len = rows[i].shown->secret.len;
		}
		if (tls_client_new(&s, &c, why) < 0)
			fail_msg("%s", why);
		for (int visits = 0; visits < 3; visits++) {
			v = visit(ctx, true, c, "192.0.2.1", &session);
			assert_true(v.reached && v.facts.new_enough && v.facts.dot);
			assert_int_equal(v.facts.verified, rows[i].verified);
			assert_int_equal(v.resumed, visits > 0);
			assert_non_null(session);
		}
		/* Who believes other clients takes no ticket that remembers this one as good. */
		v = visit(foreign, true, c, "192.0.2.1", &session);
		assert_true(v.reached && !v.resumed);
		assert_int_equal(v.facts.verified, rows[i].shown == &client_of_other);
		tls_session_free(session);
		tls_client_free(c);
		tls_context_free(ctx);
		tls_context_free(foreign);
	}
}

static void test_refused(void **state)
{
	const struct {
		struct tls_client_settings s;
		const char *why;
	} rows[] = {
		{{.server_name = "primary.example"}, "nothing to know the server by"},
		{{.authorities = "x", .authorities_len = 1}, "no certificate of an authority"},
		{{.opportunistic = true, .certificate = client.certificate.text, .certificate_len = client.certificate.len,
		  .key = good.secret.text, .key_len = good.secret.len}, "does not belong"},
		{{.opportunistic = true, .certificate = "x", .certificate_len = 1, .key = good.secret.text, .key_len = good.secret.len}, "no certificate in PEM"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_client *c = NULL;
		char why[TLS_WHY_MAX] = "";

		assert_true(tls_client_new(&rows[i].s, &c, why) < 0);
		if (c || !strstr(why, rows[i].why))
			fail_msg("\"%s\" instead of \"%s\"", why, rows[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_resumed),
		cmocka_unit_test(test_refused),
	};
	static const char names[] = "DNS:primary.example,IP:192.0.2.1,IP:2001:db8::1";
	int failed;

	signal(SIGPIPE, SIG_IGN);
	tls_warm();
	make(&ca, "authority", NULL, 30, NULL);
	make(&other_ca, "another authority", NULL, 30, NULL);
	make(&good, "primary.example", names, 30, &ca);
	make(&expired, "primary.example", names, -1, &ca);
	make(&stranger, "primary.example", names, 30, &other_ca);
	make(&client, "secondary.example", "DNS:secondary.example", 30, &ca);
	make(&client_of_other, "secondary.example", "DNS:secondary.example", 30, &other_ca);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (struct identity *all[] = {&ca, &other_ca, &good, &expired, &stranger, &client, &client_of_other}, **id = all; id < all + 7; id++)
		done(*id);
	return failed;
}
