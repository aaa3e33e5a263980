/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* TLS under connections of DNS (RFC 7858, RFC 9103), over OpenSSL: the server's side, and the steps of a connection of either side. Nothing here blocks. The
 * client's side: tls/client.h. */
struct ssl_st;
struct ssl_ctx_st;

/* Count what OpenSSL allocates in this process. Before anything else uses it; false: too late, nothing is counted. */
bool tls_count_memory(void);
/* Octets OpenSSL holds now. */
uint64_t tls_memory(void);
/* Load all that would be loaded later, when files can no longer be opened. */
void tls_warm(void);

enum { TLS_WHY_MAX = 200 };
/* A server's context from PEM octets: the certificate and its chain, and the private key. On failure why says what is wrong. *expires: the end of
 * the certificate's validity in seconds since 1970. */
int tls_context_new(const void *certificate, size_t certificate_len, const void *key, size_t key_len,
                    struct ssl_ctx_st **out, int64_t *expires, char why[TLS_WHY_MAX]) MUST_CHECK;
/* Trust clients whose certificates these authorities (PEM) have issued; see tls_ask_certificate(). */
int tls_context_clients(struct ssl_ctx_st *ctx, const void *authorities, size_t len, char why[TLS_WHY_MAX]) MUST_CHECK;
/* Connections that were begun with it keep it alive. NULL is fine. */
void tls_context_free(struct ssl_ctx_st *ctx);

/* A connection on fd, at its handshake. NULL: out of memory. */
struct ssl_st *tls_begin(struct ssl_ctx_st *ctx, int fd) MUST_CHECK;
/* Before the handshake: ask the client for a certificate, where the context trusts any. It may go without. */
void tls_ask_certificate(struct ssl_st *tls);
/* After the handshake. */
struct tls_facts {
	bool new_enough; /* TLS 1.3, as transfers want it (RFC 9103 7.2) */
	bool dot;        /* ALPN has chosen "dot" */
	bool verified;   /* the client has a certificate of an authority that is trusted, and it is in its time */
};
void tls_facts(const struct ssl_st *tls, struct tls_facts *out);
/* polite: tell the client (close_notify), if that is possible at once. The descriptor stays open. */
void tls_end(struct ssl_st *tls, bool polite);

/* What a step came to. */
enum tls_step { TLS_DONE, TLS_WANTS_READ, TLS_WANTS_WRITE, TLS_FAILED };
enum tls_step tls_shake(struct ssl_st *tls);
bool tls_resumed(const struct ssl_st *tls);
/* Octets, 0 at the end, -EAGAIN with *step TLS_WANTS_*, -EPROTO. */
ssize_t tls_read(struct ssl_st *tls, void *buf, size_t cap, enum tls_step *step);
/* Octets have been read from the descriptor that tls_read() has not given yet, maybe too few for it: nothing but tls_read() tells of them. */
bool tls_holds(const struct ssl_st *tls);
/* Octets taken, maybe fewer than len; what was not must be given again (its place may differ). -EAGAIN, -EPROTO as above. */
ssize_t tls_write(struct ssl_st *tls, const void *bytes, size_t len, enum tls_step *step);
