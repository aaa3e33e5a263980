/* SPDX-License-Identifier: BSD-2-Clause */
#include "xfr/tsig_key.h"

#include "base/err.h"
#include "dns/base64.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* RFC 8945 table 3; names of the truncated forms from RFC 4868. */
static const struct tsig_algorithm algorithms[] = {
        {"hmac-sha256", (const uint8_t *)"\013hmac-sha256", "SHA256", 32, 32},
        {"hmac-sha1", (const uint8_t *)"\011hmac-sha1", "SHA1", 20, 20},
        {"hmac-sha224", (const uint8_t *)"\013hmac-sha224", "SHA224", 28, 28},
        {"hmac-sha384", (const uint8_t *)"\013hmac-sha384", "SHA384", 48, 48},
        {"hmac-sha512", (const uint8_t *)"\013hmac-sha512", "SHA512", 64, 64},
        {"hmac-sha256-128", (const uint8_t *)"\017hmac-sha256-128", "SHA256", 32, 16},
        {"hmac-sha384-192", (const uint8_t *)"\017hmac-sha384-192", "SHA384", 48, 24},
        {"hmac-sha512-256", (const uint8_t *)"\017hmac-sha512-256", "SHA512", 64, 32},
};

const struct tsig_algorithm *tsig_algorithm_text(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (strcasecmp(algorithms[i].text, text) == 0)
			return &algorithms[i];
	return NULL;
}

const struct tsig_algorithm *tsig_algorithm_name(const uint8_t *name)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (name_equal(algorithms[i].name, name))
			return &algorithms[i];
	return NULL;
}

/* An HMAC with this secret in it, or NULL. */
static EVP_MAC_CTX *keyed_mac(const char *digest, const uint8_t *secret, size_t len)
{
	char name[16];
	OSSL_PARAM params[2];
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

	EVP_MAC_free(mac); /* the context holds a reference */
	snprintf(name, sizeof(name), "%s", digest);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
	params[1] = OSSL_PARAM_construct_end();
	if (ctx && !EVP_MAC_init(ctx, secret, len, params)) {
		EVP_MAC_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

int tsig_key_new(const uint8_t *name, const struct tsig_algorithm *algorithm, const uint8_t *secret, size_t len, unsigned truncate,
                 struct tsig_key **out)
{
	struct tsig_key *k;

	if (!len || (truncate && (truncate > algorithm->size || truncate < MAX(TSIG_MAC_MIN, algorithm->size / 2))))
		return ERR_INVALID;
	if (truncate && algorithm->sent < algorithm->size && truncate != algorithm->sent)
		return ERR_INVALID;
	if (len > TSIG_SECRET_MAX)
		return ERR_LIMIT;
	k = calloc(1, sizeof(*k));
	if (!k)
		return ERR_NO_MEMORY;
	name_lower(&k->name, name);
	k->algorithm = algorithm;
	k->mac_len = (uint8_t)(truncate ? truncate : algorithm->sent);
	k->mac = keyed_mac(algorithm->digest, secret, len);
	if (!k->mac) {
		free(k);
		return ERR_UNSUPPORTED;
	}
	*out = k;
	return 0;
}

void tsig_key_free(struct tsig_key *k)
{
	if (!k)
		return;
	EVP_MAC_CTX_free(k->mac);
	free(k);
}

int tsig_secret_parse(const char *text, size_t len, struct writer *w)
{
	struct decoder d = {0};
	size_t start = w->pos;
	int err = 0;

	for (size_t i = 0; i < len && !err; i++)
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r' && text[i] != '\n')
			err = base64_feed(&d, text + i, 1, w);
	if (!err)
		err = base64_end(&d);
	if (!err && w->pos == start)
		err = ERR_MALFORMED;
	if (!err && !writer_ok(w))
		err = ERR_NO_SPACE;
	if (err) {
		OPENSSL_cleanse(w->base + start, w->pos - start);
		w->pos = start;
		w->failed = false;
	}
	return err;
}

const struct tsig_key *tsig_keys_find(const struct tsig_keys *keys, const uint8_t *name)
{
	for (size_t i = 0; i < keys->count; i++)
		if (name_equal(keys->list[i]->name.wire, name))
			return keys->list[i];
	return NULL;
}
