/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers over TLS (RFC 9103) as the client begins them.
 *
 * TLS 1.3 only, ALPN "dot" both offered and demanded (RFC 9103 7.1, 7.2): what answers on the port but does not say "dot" is not the server that was
 * meant. Three ways to know a server, to be combined:
 *
 *	authorities      its certificate leads to one of them, is in its time, and has the server's name (or, without a name, its address)
 *	pins             the SHA-256 of its public key is one of these (RFC 7858 4.2); without authorities nothing else of the certificate counts, its dates neither
 *	opportunistic    nothing is demanded. It keeps out who only listens; whoever can send in the server's place is believed
 *
 * There is no way back to clear text: a server that does not speak TLS is an error in all three (RFC 9103 9.3.1 would let opportunistic clients fall back, which
 * is what an attacker would wait for).
 *
 * A session is resumed by its ticket, which saves the certificates and the signature. Nothing is verified again then, but for the time of the certificate and
 * the pin. Who uses sessions keeps them apart by server and by struct tls_client. No early data.
 *
 * Web servers (`web`) are known by the same means, but speak TLS 1.2 or newer and HTTP/1.1: they are asked whether they are well (watch), and nothing is told to them.
 *
 * Not here: DANE (RFC 7671), CRL and OCSP. */
#include "tls/client.h"

#include "base/err.h"
#include "tls/tls_priv.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_client {
	SSL_CTX *context;
	bool opportunistic, verifies, web; /* verifies: there are authorities */
	char name[TLS_NAME_MAX + 1];  /* "": the address */
	size_t pin_count;
	uint8_t pins[][TLS_PIN_LEN];
};

static int set_rules(SSL_CTX *ctx, bool web)
{
	static const unsigned char dot[] = "\x03"
					   "dot";
	static const unsigned char http[] = "\x08"
					    "http/1.1";

	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	/* 0 is success here. */
	return SSL_CTX_set_min_proto_version(ctx, web ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
	                       SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1 &&
	                       SSL_CTX_set_alpn_protos(ctx, web ? http : dot, web ? sizeof(http) - 1 : sizeof(dot) - 1) == 0
	               ? 0
	               : ERR_UNSUPPORTED;
}

int tls_client_new(const struct tls_client_settings *s, struct tls_client **out, char why[TLS_WHY_MAX])
{
	struct tls_client *c = calloc(1, sizeof(*c) + s->pin_count * TLS_PIN_LEN);
	int64_t expires;
	int err = 0;

	ERR_clear_error();
	if (!c)
		return tls_refuse(why, "out of memory"), ERR_NO_MEMORY;
	c->context = SSL_CTX_new(TLS_client_method());
	if (!c->context || set_rules(c->context, s->web) < 0)
		err = tls_refuse(why, "TLS cannot be set up");
	if (!err && (s->authorities_len > INT_MAX || s->certificate_len > INT_MAX || s->key_len > INT_MAX ||
	             (s->server_name && strlen(s->server_name) > TLS_NAME_MAX)))
		err = tls_refuse(why, "too long");
	if (!err && !s->opportunistic && !s->authorities && !s->pin_count)
		err = tls_refuse(why, "there is nothing to know the server by");
	if (!err && s->authorities)
		err = tls_use_authorities(c->context, s->authorities, s->authorities_len, why);
	if (!err && s->certificate)
		err = tls_use_certificates(c->context, s->certificate, s->certificate_len, &expires, why);
	if (!err && s->certificate)
		err = tls_use_key(c->context, s->key, s->key_len, why);
	if (err < 0) {
		tls_client_free(c);
		return err;
	}
	c->opportunistic = s->opportunistic;
	c->web = s->web;
	c->verifies = s->authorities && !s->opportunistic;
	c->pin_count = s->opportunistic ? 0 : s->pin_count;
	if (s->pin_count)
		memcpy(c->pins, s->pins, s->pin_count * TLS_PIN_LEN);
	snprintf(c->name, sizeof(c->name), "%s", s->server_name ? s->server_name : "");
	*out = c;
	return 0;
}

void tls_client_free(struct tls_client *c)
{
	if (!c)
		return;
	SSL_CTX_free(c->context);
	free(c);
}

static bool demand(const struct tls_client *c, SSL *ssl, const struct ip_addr *address, const char *name)
{
	struct ip_addr literal = {.family = 0};

	if (*name && addr_parse(name, &literal) == 0)
		address = &literal;
	/* RFC 6066 3: names only. */
	if (*name && !literal.family && SSL_set_tlsext_host_name(ssl, name) != 1)
		return false;
	if (!c->verifies)
		return true;
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (*name && !literal.family)
		return SSL_set1_host(ssl, name) == 1;
	return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(ssl), address->bytes, address->family == 6 ? 16 : 4) == 1;
}

static struct ssl_st *begin(struct tls_client *c, int fd, const struct ip_addr *address, const char *name,
                            struct ssl_session_st *session)
{
	SSL *ssl;

	ERR_clear_error();
	ssl = SSL_new(c->context);
	if (!ssl)
		return NULL;
	/* A session that does not fit any more is a full handshake, nothing worse. */
	if (session)
		(void)SSL_set_session(ssl, session);
	if (SSL_set_fd(ssl, fd) != 1 || !demand(c, ssl, address, name)) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_connect_state(ssl);
	return ssl;
}

struct ssl_st *tls_client_begin(struct tls_client *c, int fd, const struct ip_addr *address,
                                struct ssl_session_st *session)
{
	return begin(c, fd, address, c->name, session);
}

struct ssl_st *tls_client_begin_named(struct tls_client *c, int fd, const struct ip_addr *address, const char *name)
{
	return begin(c, fd, address, name ? name : "", NULL);
}

static bool pinned(const struct tls_client *c, const X509 *x)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned char *spki = NULL;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
	bool found = false;

	if (len > 0 && EVP_Digest(spki, (size_t)len, digest, NULL, EVP_sha256(), NULL) == 1)
		for (size_t i = 0; i < c->pin_count && !found; i++)
			found = memcmp(digest, c->pins[i], TLS_PIN_LEN) == 0;
	OPENSSL_free(spki);
	return found;
}

int tls_client_judge(const struct tls_client *c, struct ssl_st *tls, char why[TLS_WHY_MAX])
{
	const X509 *x = SSL_get0_peer_certificate(tls);
	struct tls_facts facts;

	ERR_clear_error();
	tls_facts(tls, &facts);
	if (!facts.dot && !c->web)
		return tls_refuse(why,
		                  "TLS: the server does not speak \"dot\" (ALPN): is this its port for transfers?");
	if (c->opportunistic)
		return 0;
	if (!x)
		return tls_refuse(why, "TLS: the server has no certificate");
	if (c->verifies && !tls_certificate_in_time(tls))
		return tls_refuse(why, "TLS: the server's certificate has expired, or is not valid yet");
	if (c->pin_count && !pinned(c, x))
		return tls_refuse(why, "TLS: the server's public key is none of the pins");
	return 0;
}

void tls_client_explain(const struct ssl_st *tls, char why[TLS_WHY_MAX])
{
	unsigned long e = ERR_peek_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;
	long verdict = SSL_get_verify_result(tls);

	if (verdict != X509_V_OK && ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		snprintf(why, TLS_WHY_MAX, "TLS: the server's certificate: %s", X509_verify_cert_error_string(verdict));
	else
		snprintf(why, TLS_WHY_MAX, "TLS: %s", reason ? reason : "the server closed the connection");
	ERR_clear_error();
}

struct ssl_session_st *tls_client_session(struct ssl_st *tls)
{
	SSL_SESSION *s = SSL_get1_session(tls);

	if (s && SSL_SESSION_is_resumable(s))
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

void tls_session_free(struct ssl_session_st *session)
{
	SSL_SESSION_free(session);
}
