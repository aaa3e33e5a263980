/* SPDX-License-Identifier: BSD-2-Clause */
/* The files a configuration names, as this machine has them. */
#include "config/config.h"

#include "base/clock.h"
#include "base/err.h"
#include "config/certificate.h"
#include "config/tokens.h"
#include "dns/base64.h"
#include "dns/cookie.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILES_SECRET_MAX = 65536 /* octets */,
	FILES_AUTHORITIES_MAX = 1 << 20,
	FILES_TSIG_MAX = 1024 /* octets of a secret, decoded */,
	FILES_COOKIE_MAX = 256,
	FILES_NEAR = 16 /* zones */
};

static void check_secret(const struct config *c, const char *file, struct diag *diag)
{
	struct stat st;

	if (stat(file, &st) < 0) {
		diag_add(diag, DIAG_ERROR, c->path, 0, 0, "secret file %s: %s", file, err_text(-errno));
		return;
	}
	if (!S_ISREG(st.st_mode))
		diag_add(diag, DIAG_ERROR, file, 0, 0, "is not a file");
	else if (st.st_size == 0 || st.st_size > FILES_SECRET_MAX)
		diag_add(diag, DIAG_ERROR, file, 0, 0, "a secret of %lld octets: it must have 1 to %d",
		         (long long)st.st_size, FILES_SECRET_MAX);
	if (st.st_mode & (S_IROTH | S_IWOTH))
		diag_add(diag, DIAG_ERROR, file, 0, 0, "others may %s this secret (mode %04o): chmod o-rwx %s",
		         st.st_mode & S_IROTH ? "read" : "write", (unsigned)(st.st_mode & 07777), file);
}

static void check_cookie_secret(const struct config *c, const char *file, struct diag *diag)
{
	unsigned before = diag->errors;
	uint8_t secret[COOKIE_SECRET_LEN];
	char text[FILES_COOKIE_MAX];
	size_t len = 0;
	FILE *f;

	check_secret(c, file, diag);
	if (diag->errors != before)
		return;
	f = fopen(file, "re");
	if (f) {
		len = fread(text, 1, sizeof(text), f);
		fclose(f);
	}
	if (!f)
		diag_add(diag, DIAG_ERROR, file, 0, 0, "cannot be read: %s", err_text(-errno));
	else if (cookie_secret_parse(text, len, secret) < 0)
		diag_add(diag, DIAG_ERROR, file, 1, 0,
		         "a cookie secret is %d hexadecimal digits: make one with openssl rand -hex %d",
		         2 * COOKIE_SECRET_LEN, COOKIE_SECRET_LEN);
	OPENSSL_cleanse(text, sizeof(text));
	OPENSSL_cleanse(secret, sizeof(secret));
}

/* The whole file, the caller's to free; NULL when it cannot be read, which is told. */
static char *read_whole(const char *file, size_t max, size_t *len, struct diag *diag)
{
	char *bytes = malloc(max + 1);
	FILE *f = bytes ? fopen(file, "re") : NULL;

	if (f)
		*len = fread(bytes, 1, max + 1, f);
	if (!f || ferror(f))
		diag_add(diag, DIAG_ERROR, file, 0, 0, "cannot be read: %s", err_text(-errno));
	else if (*len <= max) {
		fclose(f);
		return bytes;
	} else {
		diag_add(diag, DIAG_ERROR, file, 0, 0, "longer than %zu octets", max);
	}
	if (f)
		fclose(f);
	free(bytes);
	return NULL;
}

static void check_identity(const struct config *c, const char *certificate_file, const char *key_file,
                           struct diag *diag)
{
	unsigned before = diag->errors;
	size_t certificate_len = 0, key_len = 0;
	char *certificate, *key;

	check_secret(c, key_file, diag);
	if (diag->errors != before)
		return;
	certificate = read_whole(certificate_file, FILES_SECRET_MAX, &certificate_len, diag);
	key = read_whole(key_file, FILES_SECRET_MAX, &key_len, diag);
	if (certificate && key)
		certificate_check(certificate_file, certificate, certificate_len, key_file, key, key_len,
		                  clock_wall_s(), diag);
	if (key)
		OPENSSL_cleanse(key, key_len);
	free(certificate);
	free(key);
}

static void check_authorities(const char *file, struct diag *diag)
{
	size_t len = 0;
	char *pem = file ? read_whole(file, FILES_AUTHORITIES_MAX, &len, diag) : NULL;

	if (pem)
		certificate_check_authorities(file, pem, len, clock_wall_s(), diag);
	free(pem);
}

/* Base64, blanks anywhere: as sync will read it. */
static bool good_tsig_secret(const char *text, size_t len)
{
	uint8_t secret[FILES_TSIG_MAX];
	struct writer w = writer_of(secret, sizeof(secret));
	struct decoder d = {0};
	bool good = true;

	for (size_t i = 0; i < len && good; i++)
		good = strchr(" \t\r\n", text[i]) ? text[i] != '\0' : base64_feed(&d, text + i, 1, &w) == 0;
	good = good && base64_end(&d) == 0 && writer_ok(&w) && w.pos > 0;
	OPENSSL_cleanse(secret, sizeof(secret));
	return good;
}

static void check_tsig_secret(const struct config *c, const char *file, struct diag *diag)
{
	unsigned before = diag->errors;
	size_t len;
	char *text;

	check_secret(c, file, diag);
	text = diag->errors == before ? read_whole(file, FILES_SECRET_MAX, &len, diag) : NULL;
	if (!text)
		return;
	if (!good_tsig_secret(text, len))
		diag_add(diag, DIAG_ERROR, file, 1, 0,
		         "a TSIG secret is base64 of at most %d octets: make one with openssl rand -base64 32",
		         FILES_TSIG_MAX);
	OPENSSL_cleanse(text, len);
	free(text);
}

static void check_tokens(const struct config *c, const char *file, struct diag *diag)
{
	unsigned before = diag->errors, line = 0;
	struct tokens tokens;
	char problem[160];
	size_t len;
	char *text;

	check_secret(c, file, diag);
	text = diag->errors == before ? read_whole(file, FILES_SECRET_MAX, &len, diag) : NULL;
	if (!text)
		return;
	if (tokens_parse(text, len, &tokens, &line, problem, sizeof(problem)) < 0)
		diag_add(diag, DIAG_ERROR, file, line, 0, "%s", problem);
	OPENSSL_cleanse(text, len);
	OPENSSL_cleanse(&tokens, sizeof(tokens));
	free(text);
}

static void check_http(const struct config *c, const struct config_http *h, struct diag *diag)
{
	if (h->token_file)
		check_tokens(c, h->token_file, diag);
	if (h->tls.enabled) {
		check_identity(c, h->tls.certificate_file, h->tls.key_file, diag);
		check_authorities(h->tls.client_ca_file, diag);
	}
}

void config_check_files(const struct config *c, const struct config_node *node, struct diag *diag)
{
	for (size_t i = 0; i < c->key_count; i++)
		check_tsig_secret(c, c->keys[i].secret_file, diag);
	for (size_t i = 0; i < c->answer.cookies.secret_file_count; i++)
		check_cookie_secret(c, c->answer.cookies.secret_files[i], diag);
	if (c->answer.tls.enabled) {
		check_identity(c, c->answer.tls.certificate_file, c->answer.tls.key_file, diag);
		check_authorities(c->answer.tls.client_ca_file, diag);
	}
	for (size_t i = 0; i < c->tls_auth_count; i++) {
		const struct config_tls_auth *a = &c->tls_auth[i];

		check_authorities(a->ca_file, diag);
		if (a->certificate_file && a->key_file)
			check_identity(c, a->certificate_file, a->key_file, diag);
	}
	/* Once, not for each node that has the fleet's. */
	if (node ? config_http_of(c, node) == &c->http : c->http.enabled)
		check_http(c, &c->http, diag);
	for (size_t i = 0; i < c->node_count; i++)
		if ((!node || node == &c->nodes[i]) && c->nodes[i].http.enabled)
			check_http(c, &c->nodes[i].http, diag);
	/* A node does its work without them. */
	for (size_t i = 0; i < c->hook_count; i++)
		if (access(c->hooks[i].exec[0], X_OK) < 0)
			diag_add(diag, DIAG_WARNING, c->path, 0, 0, "hook %s: %s", c->hooks[i].exec[0],
			         err_text(-errno));
	for (int i = 0; i < 2; i++) {
		const char *file = i ? c->geoip.as_file : c->geoip.location_file;

		if (file && access(file, R_OK) < 0)
			diag_add(diag, DIAG_WARNING, c->path, 0, 0, "database %s: %s", file, err_text(-errno));
	}
	for (size_t i = 0; i < c->pool_count; i++) {
		check_authorities(c->pools[i].check.ca_file, diag);
		if (c->pools[i].check.exec_count && access(c->pools[i].check.exec[0], X_OK) < 0)
			diag_add(diag, DIAG_WARNING, c->path, c->pools[i].line, 0, "check %s: %s",
			         c->pools[i].check.exec[0], err_text(-errno));
	}
	for (size_t i = 0; i < c->node_count; i++) {
		const struct config_node *n = &c->nodes[i];

		if (node && n != node)
			continue;
		for (size_t j = 0; j < n->neighbor_count; j++) {
			const char *file = n->neighbors[j].password_file;
			bool seen = false;

			for (size_t m = 0; m < j && file; m++)
				seen = seen || (n->neighbors[m].password_file &&
				                strcmp(n->neighbors[m].password_file, file) == 0);
			if (file && !seen)
				check_secret(c, file, diag);
		}
	}
}

static bool same_file(const struct config_zone *a, const struct config_zone *b)
{
	return a->file && b->file && name_equal(a->apex, b->apex) && strcmp(a->file, b->file) == 0;
}

/* Two versions of a long list are nearly the same, in the same order: what stands within FILES_NEAR of its old place is found, and what is
 * not found is looked at, which costs time and nothing else. */
void config_check_zone_files(const struct config *c, const struct config_node *node, const struct config *known,
                             struct diag *diag)
{
	struct endpoint source;
	size_t at = 0;

	for (size_t i = 0; i < c->zone_count; i++) {
		const struct config_zone *z = &c->zones[i];
		size_t end = known ? MIN(known->zone_count, at + FILES_NEAR) : 0, k = at;

		while (k < end && !same_file(z, &known->zones[k]))
			k++;
		if (k < end)
			at = k + 1;
		else if (z->file && config_node_serves(node, z) && !config_zone_sources(c, node, z, &source, 1) &&
		         access(z->file, R_OK) < 0)
			diag_add(diag, DIAG_ERROR, c->path, z->line, 0, "zone file %s: %s", z->file, err_text(-errno));
	}
}
