/* SPDX-License-Identifier: BSD-2-Clause */
/* The server's side of TLS as every connection of one certificate begins with it.
 *
 * TLS 1.2 (forward secrecy and AEAD only) and 1.3, no renegotiation, no compression, no early data (a replayed query would be harmless, a
 * replayed UPDATE not). ALPN is "dot" (RFC 7858's registration in RFC 7301's table): a client that offers protocols and not this one is refused, as RFC 7301 3.2
 * says; one that offers none is served.
 *
 * Sessions are resumed by tickets only, and a ticket is good at every worker and every node that has the same private key: ticket keys are
 * derived from the key file's octets and the date (UTC), so nothing has to be spread or kept. Today's key makes tickets; those of yesterday are taken and renewed, and of
 * tomorrow, since clocks differ. What follows: whoever has the private key can open tickets, and with them recorded TLS 1.2 sessions that were resumed;
 * full handshakes and TLS 1.3 resumption (psk_dhe_ke) stay secret.
 *
 * Of clients that may ask for a transfer a certificate is asked for, where authorities are given (RFC 9103, mutual TLS). One without, or with one that is not
 * good, is served all the same: what it may is for who judges the request. */
#include "tls/tls_priv.h"

#include "base/err.h"

#include <errno.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	TICKET_NAME = 16,
	TICKET_SECRET = 32,
	TICKET_DAYS = 3, /* yesterday, today, tomorrow */
	DAY_S = 86400,
};

struct ticket_key {
	uint8_t name[TICKET_NAME], cipher[32], mac[32];
};

/* Hangs at the SSL_CTX. */
struct tickets {
	bool asks;   /* clients for certificates, where tls_ask_certificate() says so */
	uint8_t secret[TICKET_SECRET];
	int64_t day; /* of key[1] */
	struct ticket_key key[TICKET_DAYS];
};

static int tickets_index = -1;

static void tickets_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	(void)parent;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	if (ptr)
		OPENSSL_cleanse(ptr, sizeof(struct tickets));
	free(ptr);
}

static bool derive(const uint8_t secret[TICKET_SECRET], int64_t day, const char *what, uint8_t *out, size_t len)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char label[64];
	int n = snprintf(label, sizeof(label), "zonecast tls ticket %s %lld", what, (long long)day);

	if (!HMAC(EVP_sha256(), secret, TICKET_SECRET, (const uint8_t *)label, (size_t)n, digest, NULL))
		return false;
	memcpy(out, digest, len);
	OPENSSL_cleanse(digest, sizeof(digest));
	return true;
}

/* The keys around the day. */
static bool tickets_for(struct tickets *t, int64_t day)
{
	if (t->day == day)
		return true;
	for (int i = 0; i < TICKET_DAYS; i++) {
		struct ticket_key *k = &t->key[i];
		int64_t d = day + i - 1;

		if (!derive(t->secret, d, "name", k->name, sizeof(k->name)) || !derive(t->secret, d, "cipher", k->cipher, sizeof(k->cipher)) ||
		    !derive(t->secret, d, "mac", k->mac, sizeof(k->mac)))
			return false;
	}
	t->day = day;
	return true;
}

/* OpenSSL's SSL_CTX_set_tlsext_ticket_key_evp_cb(): 1 go on, 2 go on and renew the ticket, 0 full handshake, -1 failure. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int making)
{
	struct tickets *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), tickets_index);
	const struct ticket_key *k = NULL;
	OSSL_PARAM params[3];
	int which = 1;

	if (!t || !tickets_for(t, (int64_t)time(NULL) / DAY_S))
		return -1;
	if (making) {
		k = &t->key[1];
		memcpy(name, k->name, TICKET_NAME);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1 ||
		    EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv) != 1)
			return -1;
	} else {
		for (which = 0; which < TICKET_DAYS && !k; which++)
			if (memcmp(name, t->key[which].name, TICKET_NAME) == 0)
				k = &t->key[which];
		which--;
		if (!k)
			return 0;
		if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv) != 1)
			return -1;
	}
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)k->mac, sizeof(k->mac));
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "sha256", 0);
	params[2] = OSSL_PARAM_construct_end();
	if (EVP_MAC_CTX_set_params(mac, params) != 1)
		return -1;
	return which == 1 ? 1 : 2;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in, unsigned int in_len, void *arg)
{
	static const unsigned char dot[] = "\x03" "dot";

	(void)ssl;
	(void)arg;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, dot, sizeof(dot) - 1, in, in_len) == OPENSSL_NPN_NEGOTIATED
	               ? SSL_TLSEXT_ERR_OK
	               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int use_tickets(SSL_CTX *ctx, const void *key, size_t len)
{
	static const uint8_t context[] = "zonecast dot";
	struct tickets *t = calloc(1, sizeof(*t));

	if (tickets_index < 0)
		tickets_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, tickets_free);
	if (!t)
		return ERR_NO_MEMORY;
	t->day = INT64_MIN;
	if (tickets_index < 0 || EVP_Digest(key, len, t->secret, NULL, EVP_sha256(), NULL) != 1 ||
	    SSL_CTX_set_ex_data(ctx, tickets_index, t) != 1) {
		free(t);
		return ERR_NO_MEMORY;
	}
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(ctx, DAY_S);
	SSL_CTX_set_num_tickets(ctx, 1);
	if (SSL_CTX_set_session_id_context(ctx, context, sizeof(context) - 1) != 1 ||
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) != 1)
		return ERR_NO_MEMORY;
	return 0;
}

static int set_rules(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
	                                 SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_SINGLE_ECDH_USE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1); /* a record by one read; what is read too much, tls_read() gives before it says -EAGAIN */
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 || SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
	    SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") != 1)
		return ERR_UNSUPPORTED;
	return 0;
}

int tls_context_new(const void *certificate, size_t certificate_len, const void *key, size_t key_len, struct ssl_ctx_st **out,
                    int64_t *expires, char why[TLS_WHY_MAX])
{
	SSL_CTX *ctx;
	int64_t end = 0;
	int err;

	ERR_clear_error();
	if (certificate_len > INT_MAX || key_len > INT_MAX)
		return tls_refuse(why, "too long");
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx)
		return tls_refuse(why, "TLS cannot be set up");
	err = set_rules(ctx);
	if (err < 0)
		tls_refuse(why, "TLS cannot be set up");
	if (!err)
		err = tls_use_certificates(ctx, certificate, certificate_len, &end, why);
	if (!err)
		err = tls_use_key(ctx, key, key_len, why);
	if (!err && use_tickets(ctx, key, key_len) < 0)
		err = tls_refuse(why, "tickets cannot be set up");
	if (err < 0) {
		SSL_CTX_free(ctx);
		return err;
	}
	*out = ctx;
	*expires = end;
	return 0;
}

int tls_context_clients(struct ssl_ctx_st *ctx, const void *authorities, size_t len, char why[TLS_WHY_MAX])
{
	struct tickets *t = SSL_CTX_get_ex_data(ctx, tickets_index);
	uint8_t both[TICKET_SECRET + EVP_MAX_MD_SIZE];
	unsigned digest_len = 0;
	int err = len > INT_MAX ? tls_refuse(why, "too long") : tls_use_authorities(ctx, authorities, len, why);

	if (err < 0)
		return err;
	/* A ticket remembers that its client was verified: it is good only as long as the same authorities are trusted. */
	memcpy(both, t->secret, TICKET_SECRET);
	if (EVP_Digest(authorities, len, both + TICKET_SECRET, &digest_len, EVP_sha256(), NULL) != 1 ||
	    EVP_Digest(both, TICKET_SECRET + digest_len, t->secret, NULL, EVP_sha256(), NULL) != 1)
		return tls_refuse(why, "tickets cannot be set up");
	t->day = INT64_MIN;
	t->asks = true;
	OPENSSL_cleanse(both, sizeof(both));
	return 0;
}

/* Whatever the certificate, the handshake goes on; tls_facts() has the verdict. */
static int accept_any(int good, X509_STORE_CTX *store)
{
	(void)good;
	(void)store;
	return 1;
}

void tls_ask_certificate(struct ssl_st *tls)
{
	const struct tickets *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(tls), tickets_index);

	if (t && t->asks)
		SSL_set_verify(tls, SSL_VERIFY_PEER, accept_any);
}

void tls_context_free(struct ssl_ctx_st *ctx)
{
	SSL_CTX_free(ctx);
}
