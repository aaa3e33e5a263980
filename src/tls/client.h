/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "tls/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The client's side of TLS: connections to servers that are known beforehand, and what is demanded of them. See client.c. */
struct tls_client;
struct ssl_session_st;

enum { TLS_PIN_LEN = 32, TLS_NAME_MAX = 255 };

struct tls_client_settings {
	bool opportunistic;      /* encrypt, and believe whoever answers */
	bool web;                /* a web server: ALPN "http/1.1", which it need not know, and TLS 1.2 is new enough */
	const char *server_name; /* that the certificate must have; NULL: the server's address */
	const void *authorities;
	size_t authorities_len; /* PEM; NULL: none, then pins decide */
	const uint8_t (*pins)[TLS_PIN_LEN];
	size_t pin_count; /* SHA-256 of the public key of the certificate (SubjectPublicKeyInfo); one must fit */
	const void *certificate;
	size_t certificate_len; /* PEM, ours, for servers that ask; NULL: none */
	const void *key;
	size_t key_len;
};

/* Everything is copied. On failure why says what is wrong. */
int tls_client_new(const struct tls_client_settings *settings, struct tls_client **out,
                   char why[TLS_WHY_MAX]) MUST_CHECK;
/* Connections that were begun with it must have ended. NULL is fine. */
void tls_client_free(struct tls_client *c);

/* A connection on fd to the server at `address`, at its handshake; session: of an earlier one, to be resumed, or NULL. NULL: out of memory. */
struct ssl_st *tls_client_begin(struct tls_client *c, int fd, const struct ip_addr *address,
                                struct ssl_session_st *session) MUST_CHECK;
/* Likewise for a server of another name than the settings have (a name or an address; NULL: its address). */
struct ssl_st *tls_client_begin_named(struct tls_client *c, int fd, const struct ip_addr *address, const char *name) MUST_CHECK;
/* After tls_shake() is done: is it the server that was meant? ERR_INVALID: not, why says it. */
int tls_client_judge(const struct tls_client *c, struct ssl_st *tls, char why[TLS_WHY_MAX]) MUST_CHECK;
/* After TLS_FAILED, before anything else is done with TLS: what was wrong. */
void tls_client_explain(const struct ssl_st *tls, char why[TLS_WHY_MAX]);
/* What is to be resumed, the caller's; NULL: the server gave nothing (yet). */
struct ssl_session_st *tls_client_session(struct ssl_st *tls);
void tls_session_free(struct ssl_session_st *session);
