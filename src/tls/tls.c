/* SPDX-License-Identifier: BSD-2-Clause */
/* One TLS connection, step by step, and OpenSSL's memory. The context they are made from: server.c.
 *
 * OpenSSL's own buffers are released whenever they are empty (SSL_MODE_RELEASE_BUFFERS), so that an idle connection costs its keys and state,
 * some ten kilobytes. All of it is counted through OpenSSL's allocation hooks: the memory figure of the configuration covers TLS as it is,
 * not by an estimate. The hooks take effect only before OpenSSL's first allocation. */
#include "tls/tls_priv.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

enum { MALLOC_HEAD = 16 };

static uint64_t octets; /* the worker has one thread */

static void *counted(void *p)
{
	if (p)
		octets += malloc_usable_size(p) + MALLOC_HEAD;
	return p;
}

static void *counting_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return counted(malloc(n));
}

static void counting_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	if (p)
		octets -= malloc_usable_size(p) + MALLOC_HEAD;
	free(p);
}

static void *counting_realloc(void *p, size_t n, const char *file, int line)
{
	size_t before = p ? malloc_usable_size(p) + MALLOC_HEAD : 0;
	void *q = realloc(p, n);

	(void)file;
	(void)line;
	if (q) {
		octets -= before;
		counted(q);
	}
	return q;
}

bool tls_count_memory(void)
{
	return CRYPTO_set_mem_functions(counting_malloc, counting_realloc, counting_free) == 1;
}

uint64_t tls_memory(void)
{
	return octets;
}

void tls_warm(void)
{
	uint8_t seed[8];

	/* No configuration file of the system's: what this program does is in its own. */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL);
	if (RAND_bytes(seed, sizeof(seed)) != 1 || RAND_priv_bytes(seed, sizeof(seed)) != 1)
		abort(); /* without randomness there is nothing to be done */
}

struct ssl_st *tls_begin(struct ssl_ctx_st *ctx, int fd)
{
	SSL *ssl;

	ERR_clear_error();
	ssl = SSL_new(ctx);
	if (!ssl)
		return NULL;
	if (SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_accept_state(ssl);
	return ssl;
}

bool tls_certificate_in_time(const struct ssl_st *tls)
{
	const X509 *x = SSL_get0_peer_certificate(tls);

	return x && X509_cmp_current_time(X509_get0_notBefore(x)) < 0 &&
	       X509_cmp_current_time(X509_get0_notAfter(x)) > 0;
}

void tls_facts(const struct ssl_st *tls, struct tls_facts *out)
{
	const unsigned char *name = NULL;
	unsigned len = 0;

	SSL_get0_alpn_selected(tls, &name, &len);
	*out = (struct tls_facts){
		.new_enough = SSL_version(tls) >= TLS1_3_VERSION,
		.dot = len == 3 && memcmp(name, "dot", 3) == 0,
		/* A resumed session has the verdict of its first handshake; time goes on. */
		.verified = SSL_get0_peer_certificate(tls) && SSL_get_verify_result(tls) == X509_V_OK &&
	                    tls_certificate_in_time(tls),
	};
}

void tls_end(struct ssl_st *tls, bool polite)
{
	if (!tls)
		return;
	ERR_clear_error();
	if (polite)
		SSL_shutdown(tls);
	SSL_free(tls);
}

static enum tls_step step_of(const SSL *ssl, int result)
{
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_NONE:
		return TLS_DONE;
	case SSL_ERROR_WANT_READ:
		return TLS_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANTS_WRITE;
	default:
		return TLS_FAILED;
	}
}

enum tls_step tls_shake(struct ssl_st *tls)
{
	ERR_clear_error();
	return step_of(tls, SSL_do_handshake(tls));
}

bool tls_resumed(const struct ssl_st *tls)
{
	return SSL_session_reused(tls) == 1;
}

ssize_t tls_read(struct ssl_st *tls, void *buf, size_t cap, enum tls_step *step)
{
	size_t n = 0;
	int result;

	ERR_clear_error();
	result = SSL_read_ex(tls, buf, cap, &n);
	if (result == 1)
		return (ssize_t)n;
	if (SSL_get_error(tls, result) == SSL_ERROR_ZERO_RETURN)
		return 0;
	*step = step_of(tls, result);
	return *step == TLS_FAILED ? -EPROTO : -EAGAIN;
}

bool tls_holds(const struct ssl_st *tls)
{
	return SSL_has_pending(tls) == 1;
}

ssize_t tls_write(struct ssl_st *tls, const void *bytes, size_t len, enum tls_step *step)
{
	const uint8_t *p = bytes;
	size_t done = 0;

	/* One record a call (SSL_MODE_ENABLE_PARTIAL_WRITE). */
	while (done < len) {
		size_t n = 0;
		int result;

		ERR_clear_error();
		result = SSL_write_ex(tls, p + done, len - done, &n);
		if (result != 1) {
			*step = step_of(tls, result);
			if (*step == TLS_FAILED)
				return -EPROTO;
			return done ? (ssize_t)done : -EAGAIN;
		}
		done += n;
	}
	return (ssize_t)done;
}
