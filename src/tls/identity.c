/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates and keys in PEM form, as both sides of TLS show and trust them. */
#include "tls/tls_priv.h"

#include "base/err.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

enum { CHAIN_MAX = 10, AUTHORITIES_MAX = 1000 };

/* An encrypted key cannot be opened here: nobody is there to ask. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

int tls_refuse(char why[TLS_WHY_MAX], const char *what)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	snprintf(why, TLS_WHY_MAX, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
	ERR_clear_error();
	return ERR_INVALID;
}

static int64_t expiry(const X509 *x)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

int tls_use_certificates(struct ssl_ctx_st *ctx, const void *pem, size_t len, int64_t *expires, char why[TLS_WHY_MAX])
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	int err = bio ? 0 : ERR_NO_MEMORY;
	X509 *x;
	int n;

	for (n = 0; !err && n <= CHAIN_MAX; n++) {
		x = PEM_read_bio_X509(bio, NULL, no_password, NULL);
		if (!x)
			break;
		if (n == 0) {
			*expires = expiry(x);
			if (SSL_CTX_use_certificate(ctx, x) != 1)
				err = tls_refuse(why, "the certificate cannot be used");
			X509_free(x);
		} else if (SSL_CTX_add0_chain_cert(ctx, x) != 1) {
			X509_free(x);
			err = tls_refuse(why, "a certificate of the chain cannot be used");
		}
	}
	if (!err && n == 0)
		err = tls_refuse(why, "there is no certificate in PEM form");
	if (!err && n > CHAIN_MAX)
		err = tls_refuse(why, "the chain is too long");
	ERR_clear_error(); /* the end of the file is one */
	BIO_free(bio);
	return err;
}

int tls_use_key(struct ssl_ctx_st *ctx, const void *pem, size_t len, char why[TLS_WHY_MAX])
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	int err = 0;

	BIO_free(bio);
	if (!key)
		return tls_refuse(why, "there is no private key in PEM form, without a password");
	if (SSL_CTX_use_PrivateKey(ctx, key) != 1 || SSL_CTX_check_private_key(ctx) != 1)
		err = tls_refuse(why, "the key does not belong to the certificate");
	EVP_PKEY_free(key);
	return err;
}

int tls_use_authorities(struct ssl_ctx_st *ctx, const void *pem, size_t len, char why[TLS_WHY_MAX])
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	int err = bio ? 0 : ERR_NO_MEMORY, n;
	X509 *x;

	for (n = 0; !err && n < AUTHORITIES_MAX && (x = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL; n++) {
		if (X509_STORE_add_cert(store, x) != 1)
			err = tls_refuse(why, "a certificate of the authorities cannot be used");
		X509_free(x);
	}
	if (!err && !n)
		err = tls_refuse(why, "there is no certificate of an authority in PEM form");
	/* An intermediate one alone is trusted, too: who lists it means it. */
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	ERR_clear_error();
	BIO_free(bio);
	return err;
}
