/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may read, and who may give orders. Read: everybody where the server is `open`, or where neither tokens nor authorities are given (then `check` has seen to
 * it that only this machine reaches it); else who has a token, a session of a browser that was opened with one, or a certificate of `client-ca-file`. Orders: a token
 * marked rw, itself or by a session, where `allow-changes` is on.
 *
 * A session is a random cookie that scripts cannot read and that goes nowhere but here (HttpOnly, SameSite=Strict), of which only a digest is kept, in memory:
 * a restart of admin forgets all. It lives with its token: one that is not in the file any more takes its sessions with it. Tokens never stand in a URL, where logs
 * and histories would keep them.
 *
 * A page elsewhere cannot use a browser's way to this server by calling itself by a name that suddenly means our address (DNS rebinding): the Host field must be an address,
 * "localhost", the node's name, or one of `names`. */
#include "admin/http_priv.h"
#include "admin/http_text.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proc/bundle.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

enum { SESSION_OCTETS = 32 };

void http_access_load(struct http *h)
{
	const void *bytes = NULL;
	char problem[160];
	unsigned line;
	size_t len = 0;

	OPENSSL_cleanse(&h->tokens, sizeof(h->tokens));
	if (!h->config || !h->config->token_file || !h->host.role->bundle)
		return;
	bytes = bundle_get(h->host.role->bundle, h->config->token_file, &len);
	/* It was good when it was read: config_check_files(). */
	if (!bytes || tokens_parse(bytes, len, &h->tokens, &line, problem, sizeof(problem)) < 0)
		log_err("http error=\"there are no tokens\" file=%s", h->config->token_file);
}

bool http_access_host(const struct http *h, const char *host)
{
	char name[256];

	if (!host || !http_text_host(host, name, sizeof(name)))
		return false;
	if (http_text_is_address(name) || strcmp(name, "localhost") == 0 || strcasecmp(name, h->host.role->brief.node) == 0)
		return true;
	for (size_t i = 0; i < h->config->name_count; i++)
		if (strcasecmp(name, h->config->names[i]) == 0)
			return true;
	return false;
}

/* ---- certificates ---- */

static void look_at_certificate(struct http_conn *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
	gnutls_session_t session = info ? info->tls_session : NULL;
	const gnutls_datum_t *list;
	gnutls_x509_crt_t x;
	unsigned status = 1, count = 0;
	char name[sizeof(c->certificate)];
	size_t len = sizeof(name);

	if (!session || gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0 || status != 0)
		return;
	list = gnutls_certificate_get_peers(session, &count);
	if (!list || !count || gnutls_x509_crt_init(&x) < 0)
		return;
	if (gnutls_x509_crt_import(x, &list[0], GNUTLS_X509_FMT_DER) == 0) {
		if (gnutls_x509_crt_get_dn_by_oid(x, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &len) < 0)
			snprintf(name, sizeof(name), "(certificate)");
		snprintf(c->certificate, sizeof(c->certificate), "%s", name);
		/* It is told in JSON; an authority may have signed anything. */
		for (char *p = c->certificate; *p; p++)
			if (*p < ' ' || *p > '~')
				*p = '?';
	}
	gnutls_x509_crt_deinit(x);
}

/* ---- sessions ---- */

static const struct token *token_of_digest(const struct http *h, const uint8_t digest[TOKEN_DIGEST])
{
	for (size_t i = 0; i < h->tokens.count; i++)
		if (memcmp(h->tokens.token[i].digest, digest, TOKEN_DIGEST) == 0)
			return &h->tokens.token[i];
	return NULL;
}

static struct http_session *session_of(struct http *h, struct http_conn *c)
{
	const char *field = MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_COOKIE), *value;
	uint64_t now = clock_ms();
	uint8_t id[TOKEN_DIGEST];
	size_t len = 0;

	value = field ? http_text_cookie(field, HTTP_COOKIE, &len) : NULL;
	if (!value || len != 2 * SESSION_OCTETS)
		return NULL;
	SHA256((const uint8_t *)value, len, id);
	for (size_t i = 0; i < HTTP_SESSIONS_MAX; i++) {
		struct http_session *s = &h->sessions[i];

		if (s->used_ms && now - s->used_ms < HTTP_SESSION_MS && CRYPTO_memcmp(s->id, id, sizeof(id)) == 0) {
			s->used_ms = now;
			return s;
		}
	}
	return NULL;
}

static void put_who(struct http_who *out, enum http_by by, const char *name, bool changes)
{
	*out = (struct http_who){.by = by, .changes = changes};
	snprintf(out->name, sizeof(out->name), "%s", name);
}

void http_access_who(struct http *h, struct http_conn *c, struct http_who *out)
{
	const char *field = MHD_lookup_connection_value(c->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION), *value;
	const struct token *token = NULL;
	const struct http_session *s;
	size_t len = 0;

	*out = (struct http_who){.by = HTTP_NOBODY};
	value = field ? http_text_bearer(field, &len) : NULL;
	if (value)
		token = tokens_find(&h->tokens, value, len);
	if (token) {
		put_who(out, HTTP_TOKEN, token->name, token->changes && h->config->allow_changes);
		return;
	}
	/* Who shows a token that is none is told so, whatever else would let it in. */
	if (field)
		return;
	s = session_of(h, c);
	token = s ? token_of_digest(h, s->token) : NULL;
	if (token) {
		put_who(out, HTTP_SESSION, token->name, token->changes && h->config->allow_changes);
		return;
	}
	if (h->identity.authorities && !c->known) {
		c->known = true;
		look_at_certificate(c);
	}
	if (c->certificate[0])
		put_who(out, HTTP_CERTIFICATE, c->certificate, false);
	else if (h->config->open || (!h->config->token_file && !h->identity.authorities))
		put_who(out, HTTP_ANYBODY, "", false);
}

bool http_access_login(struct http *h, const char *text, size_t len, struct http_who *who, char *out, size_t cap)
{
	const struct token *token = tokens_find(&h->tokens, text, len);
	struct http_session *s = &h->sessions[0];
	uint8_t octets[SESSION_OCTETS];
	char cookie[2 * SESSION_OCTETS + 1];

	if (!token || RAND_bytes(octets, sizeof(octets)) != 1)
		return false;
	for (size_t i = 0; i < HTTP_SESSIONS_MAX; i++)
		if (h->sessions[i].used_ms < s->used_ms)
			s = &h->sessions[i];
	for (size_t i = 0; i < SESSION_OCTETS; i++)
		snprintf(cookie + 2 * i, 3, "%02x", octets[i]);
	SHA256((const uint8_t *)cookie, 2 * SESSION_OCTETS, s->id);
	memcpy(s->token, token->digest, TOKEN_DIGEST);
	s->used_ms = clock_ms();
	put_who(who, HTTP_SESSION, token->name, token->changes && h->config->allow_changes);
	snprintf(out, cap, HTTP_COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s", cookie, HTTP_SESSION_MS / 1000,
	         h->identity.tls ? "; Secure" : "");
	OPENSSL_cleanse(cookie, sizeof(cookie));
	return true;
}

void http_access_logout(struct http *h, struct http_conn *c)
{
	struct http_session *s = session_of(h, c);

	if (s)
		*s = (struct http_session){0};
}
