/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "tls/tls.h"

/* Private to tls: certificates and keys (identity.c), and what both sides need. */

/* "what: the reason OpenSSL has", and ERR_INVALID. */
int tls_refuse(char why[TLS_WHY_MAX], const char *what);
/* The first certificate is ours, the others its chain. expires as tls_context_new() has it. */
int tls_use_certificates(struct ssl_ctx_st *ctx, const void *pem, size_t len, int64_t *expires,
                         char why[TLS_WHY_MAX]) MUST_CHECK;
int tls_use_key(struct ssl_ctx_st *ctx, const void *pem, size_t len, char why[TLS_WHY_MAX]) MUST_CHECK;
/* Whom the other side's certificate may be issued by. */
int tls_use_authorities(struct ssl_ctx_st *ctx, const void *pem, size_t len, char why[TLS_WHY_MAX]) MUST_CHECK;
/* The peer has a certificate, and now is within its time. */
bool tls_certificate_in_time(const struct ssl_st *tls);
