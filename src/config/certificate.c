/* SPDX-License-Identifier: BSD-2-Clause */
/* The certificate and key of answer.tls, as far as they can be judged without a client. */
#include "config/certificate.h"

#include "base/clock.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <time.h>

enum {
	CHAIN_MAX = 10, /* as tls/server.c has it */
	SECURITY_BITS_MIN =
		112, /* OpenSSL's security level 2, which servers and clients of today have: RSA with 2048 bits, any common curve */
	SOON_S = 7 * 86400,
	WHEN_TEXT = 21,
};

/* An encrypted key cannot be opened by a server: nobody is there to ask. */
static int no_password(char *buf, int size, int writing, void *ctx)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

static int64_t time_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void check_dates(const char *file, int number, const X509 *x, int64_t now_s, struct diag *diag)
{
	int64_t from = time_of(X509_get0_notBefore(x)), to = time_of(X509_get0_notAfter(x));
	char when[WHEN_TEXT];

	if (to <= now_s)
		diag_add(diag, DIAG_WARNING, file, 0, 0,
		         "certificate %d expired at %s: clients that look will not use it", number,
		         clock_wall_text(to, when));
	else if (to - now_s < SOON_S)
		diag_add(diag, DIAG_WARNING, file, 0, 0, "certificate %d expires at %s", number,
		         clock_wall_text(to, when));
	if (from > now_s)
		diag_add(diag, DIAG_WARNING, file, 0, 0, "certificate %d is not valid before %s", number,
		         clock_wall_text(from, when));
}

/* The certificate itself, the caller's; NULL when there is none. */
static X509 *check_chain(const char *file, const void *pem, size_t len, int64_t now_s, struct diag *diag)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	X509 *first = NULL, *last = NULL, *x;
	int n = 0;

	while (bio && (x = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
		n++;
		check_dates(file, n, x, now_s, diag);
		if (last && X509_check_issued(x, last) != X509_V_OK)
			diag_add(diag, DIAG_WARNING, file, 0, 0,
			         "certificate %d did not issue certificate %d: the order is the server's first, then "
			         "each issuer",
			         n, n - 1);
		if (last && last != first)
			X509_free(last);
		last = x;
		if (!first)
			first = x;
	}
	if (last && last != first)
		X509_free(last);
	/* At the end of the file OpenSSL reports that no more begins; anything else is damage. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE && n)
		diag_add(diag, DIAG_ERROR, file, 0, 0, "certificate %d is damaged: %s", n + 1,
		         ERR_reason_error_string(ERR_peek_last_error()));
	else if (!n)
		diag_add(diag, DIAG_ERROR, file, 0, 0,
		         "there is no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
	else if (n > CHAIN_MAX + 1)
		diag_add(diag, DIAG_ERROR, file, 0, 0,
		         "%d certificates: a chain has at most %d beside the server's own", n, CHAIN_MAX);
	ERR_clear_error();
	BIO_free(bio);
	return first;
}

static EVP_PKEY *check_key(const char *file, const void *pem, size_t len, struct diag *diag)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

	if (!key)
		diag_add(diag, DIAG_ERROR, file, 0, 0,
		         "there is no private key in PEM form that opens without a password");
	else if (EVP_PKEY_get_security_bits(key) < SECURITY_BITS_MIN)
		diag_add(diag, DIAG_ERROR, file, 0, 0,
		         "a key of %d bits is too weak: RSA takes 2048, better is ECDSA P-256", EVP_PKEY_get_bits(key));
	ERR_clear_error();
	BIO_free(bio);
	return key;
}

void certificate_check(const char *certificate_file, const void *certificate, size_t certificate_len,
                       const char *key_file, const void *key, size_t key_len, int64_t now_s, struct diag *diag)
{
	X509 *x;
	EVP_PKEY *k;

	if (certificate_len > INT_MAX || key_len > INT_MAX)
		return; /* files have a limit far below */
	ERR_clear_error();
	x = check_chain(certificate_file, certificate, certificate_len, now_s, diag);
	k = check_key(key_file, key, key_len, diag);
	if (x && k && X509_check_private_key(x, k) != 1)
		diag_add(diag, DIAG_ERROR, key_file, 0, 0, "this key does not belong to the certificate in %s",
		         certificate_file);
	ERR_clear_error();
	EVP_PKEY_free(k);
	X509_free(x);
}

void certificate_check_authorities(const char *file, const void *pem, size_t len, int64_t now_s, struct diag *diag)
{
	unsigned all = 0, good = 0;
	BIO *bio;
	X509 *x;

	if (len > INT_MAX)
		return;
	ERR_clear_error();
	bio = BIO_new_mem_buf(pem, (int)len);
	while (bio && (x = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
		all++;
		good += time_of(X509_get0_notAfter(x)) > now_s;
		X509_free(x);
	}
	if (!all)
		diag_add(diag, DIAG_ERROR, file, 0, 0,
		         "there is no certificate of an authority in PEM form (-----BEGIN CERTIFICATE-----)");
	else if (!good)
		diag_add(diag, DIAG_WARNING, file, 0, 0,
		         "all certificates in it have expired: nobody will be believed");
	ERR_clear_error();
	BIO_free(bio);
}
