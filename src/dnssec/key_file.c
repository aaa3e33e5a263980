/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of private keys: BIND's, lines of "Name: value" (dnssec-keygen and ldns-keygen write them; Knot and PowerDNS export them), and PKCS#8 in PEM (Knot's own, openssl's). Every copy of a
 * secret that is made on the way is wiped. */
#include "dnssec/key.h"

#include "base/err.h"
#include "base/wire.h"
#include "dns/base64.h"
#include "dnssec/key_priv.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int PRINTF_LIKE(2, 3) say(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, DNSSEC_WHY_MAX, fmt, ap);
	va_end(ap);
	return ERR_INVALID;
}

/* ---- BIND's ---- */

enum { FIELD_ALGORITHM = RSA_PARTS, FIELD_PRIVATE, FIELD_FORMAT, FIELDS };
static const char *const fields[FIELDS] = {"Modulus",   "PublicExponent", "PrivateExponent", "Prime1",     "Prime2",             "Exponent1",
                                           "Exponent2", "Coefficient",    "Algorithm",       "PrivateKey", "Private-key-format"};

struct span {
	const char *chars;
	size_t len;
};

/* The next line's name and value; false: no more. Lines without a colon have no name. */
static bool next_line(struct span *rest, struct span *name, struct span *value)
{
	const char *end, *colon, *line = rest->chars;
	size_t len;

	if (!rest->len)
		return false;
	end = memchr(line, '\n', rest->len);
	len = end ? (size_t)(end - line) : rest->len;
	rest->chars += end ? len + 1 : len;
	rest->len -= end ? len + 1 : len;
	while (len && (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	colon = memchr(line, ':', len);
	*name = (struct span){line, colon ? (size_t)(colon - line) : 0};
	*value = (struct span){line + len, 0};
	if (colon) {
		colon++;
		while (colon < line + len && (*colon == ' ' || *colon == '\t'))
			colon++;
		*value = (struct span){colon, (size_t)(line + len - colon)};
	}
	return true;
}

/* Fields by place in the table; octets of the secret ones go to store. */
static int read_fields(const char *text, size_t len, struct span found[FIELDS])
{
	struct span rest = {text, len}, name, value;

	while (next_line(&rest, &name, &value))
		for (unsigned i = 0; i < FIELDS; i++)
			if (name.len == strlen(fields[i]) && strncasecmp(name.chars, fields[i], name.len) == 0)
				found[i] = value;
	return found[FIELD_FORMAT].len && found[FIELD_ALGORITHM].len ? 0 : ERR_MALFORMED;
}

static int decode(const struct span *value, struct writer *w, struct dnssec_number *out)
{
	size_t at = w->pos;

	if (base64_get(value->chars, value->len, w) < 0 || !writer_ok(w))
		return ERR_MALFORMED;
	*out = (struct dnssec_number){w->base + at, w->pos - at};
	return 0;
}

static int bind_pkey(const struct span found[FIELDS], const struct dnssec_algorithm *a, struct writer *w, EVP_PKEY **out, char *why)
{
	struct dnssec_number part[RSA_PARTS] = {0}, secret = {0};

	if (!a->octets) {
		for (unsigned i = 0; i < RSA_PARTS; i++)
			if (found[i].len && decode(&found[i], w, &part[i]) < 0)
				return say(why, "%s is no base64", fields[i]);
		if (!part[2].len)
			return say(why, "it has no PrivateExponent");
		*out = dnssec_rsa(part);
	} else {
		if (!found[FIELD_PRIVATE].len || decode(&found[FIELD_PRIVATE], w, &secret) < 0)
			return say(why, "it has no PrivateKey in base64");
		/* RFC 6605 6.1: all octets; some writers have left out zeros in front. */
		if (secret.len > a->octets || (!a->curve && secret.len != a->octets))
			return say(why, "a PrivateKey of %zu octets: %s has %u", secret.len, a->text, a->octets);
		*out = a->curve ? dnssec_ec(a, secret.octets, secret.len)
		                : EVP_PKEY_new_raw_private_key(a->number == 15 ? EVP_PKEY_ED25519 : EVP_PKEY_ED448, NULL, secret.octets, secret.len);
	}
	return *out ? 0 : say(why, "its numbers make no %s key", a->text);
}

static int read_bind(const char *text, size_t len, EVP_PKEY **out, uint8_t *algorithm, char *why)
{
	struct span found[FIELDS] = {{0}};
	const struct dnssec_algorithm *a;
	uint8_t *secrets;
	struct writer w;
	unsigned long number;
	char *end;
	int err;

	/* strtoul() and strncmp() stop at a line's end. */
	if (!len || text[len - 1] != '\n')
		return say(why, "it is empty, or cut short: its last line has no end");
	if (read_fields(text, len, found) < 0)
		return say(why, "it is neither a private key as BIND writes them (\"Private-key-format: v1.3\") nor PEM");
	if (strncmp(found[FIELD_FORMAT].chars, "v1.", 3) != 0)
		return say(why, "a private key format that is not known: v1.2 and v1.3 are");
	number = strtoul(found[FIELD_ALGORITHM].chars, &end, 10);
	a = number < 256 && end > found[FIELD_ALGORITHM].chars ? dnssec_algorithm((uint8_t)number) : NULL;
	if (!a)
		return say(why, "algorithm %lu: known are 8, 10, 13, 14, 15 and 16", number);
	secrets = malloc(len);
	if (!secrets)
		return say(why, "%s", err_text(ERR_NO_MEMORY));
	w = writer_of(secrets, len);
	err = bind_pkey(found, a, &w, out, why);
	*algorithm = a->number;
	OPENSSL_clear_free(secrets, len);
	return err;
}

/* ---- PEM ---- */

static int no_password(char *buf, int size, int rwflag, void *ctx)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)ctx;
	return -1;
}

static int read_pem(const char *text, size_t len, EVP_PKEY **out, char *why)
{
	BIO *bio = BIO_new_mem_buf(text, (int)len);

	*out = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	BIO_free(bio);
	/* As DNSKEY has points. */
	if (*out && EVP_PKEY_is_a(*out, "EC"))
		EVP_PKEY_set_utf8_string_param(*out, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED);
	return *out ? 0 : say(why, "it holds no private key in PEM that can be read without a password");
}

int dnssec_key_private(const char *text, size_t len, struct dnssec_key *out, char *why)
{
	static const char pem[] = "-----BEGIN ";
	EVP_PKEY *pkey = NULL;
	struct dnssec_key key;
	uint8_t algorithm = 0;
	int err;

	if (len > DNSSEC_KEY_FILE_MAX)
		return say(why, "a file of more than %d octets is no private key", DNSSEC_KEY_FILE_MAX);
	err = memmem(text, len, pem, sizeof(pem) - 1) ? read_pem(text, len, &pkey, why) : read_bind(text, len, &pkey, &algorithm, why);
	if (err < 0)
		return err;
	if (dnssec_key_of(pkey, &key) < 0) {
		EVP_PKEY_free(pkey);
		return say(why, "a kind of key that is not known: RSA of 512 to 4096 bits, P-256, P-384, Ed25519 and Ed448 are");
	}
	if (algorithm)
		key.algorithm = algorithm;
	*out = key;
	return 0;
}
