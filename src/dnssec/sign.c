/* SPDX-License-Identifier: BSD-2-Clause */
/* What is signed (RFC 4034 3.1.8.1): the RRSIG RDATA up to the signer's name, in lower case; then each record of the set in canonical form and order, with the original TTL, its owner
 * in lower case, and where labels were taken off by the expansion of a wildcard, "*" and the rest. A set with one record twice is signed as if it were there once (RFC 2181 5). */
#include "dnssec/sign.h"

#include "base/err.h"
#include "base/wire.h"
#include "dns/rr.h"
#include "dnssec/key_priv.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_HEAD = 10, RSA_8 = 8, RSA_10 = 10, EC_14 = 14 };

struct signed_octets {
	uint8_t *octets; /* malloc'ed */
	size_t len;
};

static int order_records(const void *a, const void *b)
{
	const struct dnssec_rdata *x = a, *y = b;

	return rdata_compare(x->octets, x->len, y->octets, y->len);
}

/* Labels as RRSIG counts them: without the root and a "*" in front (RFC 4034 3.1.3). */
static unsigned count_labels(const uint8_t *owner)
{
	return name_labels(owner) - (name_is_wildcard(owner) ? 1U : 0U);
}

/* The owner that was signed, by the number of labels in the signature (RFC 4035 5.3.2). */
static int signed_owner(const uint8_t *owner, unsigned labels, struct name *out)
{
	unsigned have = count_labels(owner);
	struct name lower;

	if (labels > have)
		return ERR_INVALID;
	name_lower(&lower, owner);
	if (labels == have) {
		*out = lower;
		return 0;
	}
	out->wire[0] = 1;
	out->wire[1] = '*';
	out->len = (uint8_t)(2 + name_len(name_suffix(lower.wire, labels)));
	memcpy(out->wire + 2, name_suffix(lower.wire, labels), out->len - 2U);
	return 0;
}

/* head: RRSIG RDATA without the signature. */
static int collect(const uint8_t *head, size_t head_len, const struct dnssec_set *set, struct signed_octets *out)
{
	size_t total = head_len, rdata_len = 0;
	struct dnssec_rdata *sorted;
	uint8_t *copies, *p;
	struct name owner;
	int err;

	if (!set->count || set->count > DNSSEC_SET_MAX)
		return ERR_LIMIT;
	err = signed_owner(set->owner, head[3], &owner);
	if (err < 0)
		return err;
	for (size_t i = 0; i < set->count; i++)
		rdata_len += set->records[i].len;
	total += rdata_len + set->count * ((size_t)owner.len + RECORD_HEAD);
	sorted = malloc(set->count * sizeof(*sorted));
	copies = malloc(rdata_len + 1);
	out->octets = malloc(total);
	if (!sorted || !copies || !out->octets) {
		free(out->octets);
		free(copies);
		free(sorted);
		return ERR_NO_MEMORY;
	}
	p = copies;
	for (size_t i = 0; i < set->count; i++) {
		if (set->records[i].len)
			memcpy(p, set->records[i].octets, set->records[i].len);
		rdata_canonical(set->type, p, set->records[i].len);
		sorted[i] = (struct dnssec_rdata){p, set->records[i].len};
		p += set->records[i].len;
	}
	qsort(sorted, set->count, sizeof(*sorted), order_records);
	memcpy(out->octets, head, head_len);
	p = out->octets + head_len;
	for (size_t i = 0; i < set->count; i++) {
		if (i && order_records(&sorted[i - 1], &sorted[i]) == 0)
			continue;
		memcpy(p, owner.wire, owner.len);
		p += owner.len;
		put_u16(p, set->type);
		put_u16(p + 2, CLASS_IN);
		memcpy(p + 4, head + 4, 4); /* the original TTL */
		put_u16(p + 8, sorted[i].len);
		memcpy(p + RECORD_HEAD, sorted[i].octets, sorted[i].len);
		p += RECORD_HEAD + sorted[i].len;
	}
	out->len = (size_t)(p - out->octets);
	free(copies);
	free(sorted);
	return 0;
}

static const EVP_MD *digest_of(uint8_t algorithm)
{
	switch (algorithm) {
	case RSA_8:
	case 13:
		return EVP_sha256();
	case RSA_10:
		return EVP_sha512();
	case EC_14:
		return EVP_sha384();
	default:
		return NULL; /* Ed25519 and Ed448 take the message itself */
	}
}

/* ---- ECDSA: OpenSSL has DER, RFC 6605 4 has two numbers of fixed size ---- */

static int der_to_plain(const uint8_t *der, size_t len, size_t octets, uint8_t *out)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	int err = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, (int)octets) > 0 && BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + octets, (int)octets) > 0 ? 0 : ERR_INVALID;

	ECDSA_SIG_free(sig);
	return err;
}

/* *der is to be freed with OPENSSL_free(). */
static int plain_to_der(const uint8_t *plain, size_t octets, uint8_t **der, size_t *len)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(plain, (int)octets, NULL), *s = BN_bin2bn(plain + octets, (int)octets, NULL);
	uint8_t *out = NULL;
	int n;

	if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) <= 0) {
		BN_free(r);
		BN_free(s);
		ECDSA_SIG_free(sig);
		return ERR_NO_MEMORY;
	}
	n = i2d_ECDSA_SIG(sig, &out);
	ECDSA_SIG_free(sig);
	if (n <= 0)
		return ERR_INVALID;
	*der = out;
	*len = (size_t)n;
	return 0;
}

/* ---- */

static int make_signature(const struct dnssec_key *key, const struct signed_octets *message, uint8_t *out, size_t *len)
{
	const struct dnssec_algorithm *a = dnssec_algorithm(key->algorithm);
	uint8_t signature[DNSSEC_SIGNATURE_MAX];
	size_t n = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int err = ERR_INVALID;

	if (ctx && EVP_DigestSignInit(ctx, NULL, digest_of(key->algorithm), NULL, key->pkey) > 0 && EVP_DigestSign(ctx, signature, &n, message->octets, message->len) > 0) {
		err = 0;
		if (a->curve) {
			err = der_to_plain(signature, n, a->octets, out);
			n = 2U * a->octets;
		} else {
			memcpy(out, signature, n);
		}
	}
	EVP_MD_CTX_free(ctx);
	if (!err)
		*len = n;
	return err;
}

static int check_signature(const struct dnssec_key *key, const struct signed_octets *message, const uint8_t *signature, size_t len)
{
	const struct dnssec_algorithm *a = dnssec_algorithm(key->algorithm);
	EVP_MD_CTX *ctx;
	uint8_t *der = NULL;
	int err = 0;

	if (a->curve) {
		if (len != 2U * a->octets)
			return ERR_MALFORMED;
		err = plain_to_der(signature, a->octets, &der, &len);
		if (err < 0)
			return err;
	}
	ctx = EVP_MD_CTX_new();
	if (!ctx)
		err = ERR_NO_MEMORY;
	else if (EVP_DigestVerifyInit(ctx, NULL, digest_of(key->algorithm), NULL, key->pkey) <= 0 ||
	         EVP_DigestVerify(ctx, der ? der : signature, len, message->octets, message->len) != 1)
		err = ERR_INVALID;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	return err;
}

int dnssec_sign(const struct dnssec_key *key, const uint8_t *zone, const struct dnssec_set *set, uint32_t inception, uint32_t expiration, uint8_t *out, size_t *len)
{
	uint8_t rdata[DNSSEC_RRSIG_MAX];
	struct signed_octets message;
	struct name signer;
	size_t n = 0;
	int err;

	if (!key->private || !key->algorithm || !key->flags)
		return ERR_INVALID;
	name_lower(&signer, zone);
	put_u16(rdata, set->type);
	rdata[2] = key->algorithm;
	rdata[3] = (uint8_t)count_labels(set->owner);
	put_u32(rdata + 4, set->ttl);
	put_u32(rdata + 8, expiration);
	put_u32(rdata + 12, inception);
	put_u16(rdata + 16, key->tag);
	memcpy(rdata + DNSSEC_RRSIG_HEAD, signer.wire, signer.len);
	err = collect(rdata, DNSSEC_RRSIG_HEAD + signer.len, set, &message);
	if (err < 0)
		return err;
	err = make_signature(key, &message, rdata + DNSSEC_RRSIG_HEAD + signer.len, &n);
	free(message.octets);
	if (err < 0)
		return err;
	*len = DNSSEC_RRSIG_HEAD + (size_t)signer.len + n;
	memcpy(out, rdata, *len);
	return 0;
}

int dnssec_verify(const struct dnssec_key *key, const uint8_t *zone, const struct dnssec_set *set, const uint8_t *rrsig, size_t len, uint32_t now)
{
	uint8_t head[DNSSEC_RRSIG_HEAD + NAME_LEN_MAX];
	struct signed_octets message;
	struct name signer;
	int n, err;

	if (len <= DNSSEC_RRSIG_HEAD)
		return ERR_MALFORMED;
	n = name_check(rrsig + DNSSEC_RRSIG_HEAD, len - DNSSEC_RRSIG_HEAD);
	if (n < 0 || len <= DNSSEC_RRSIG_HEAD + (size_t)n)
		return ERR_MALFORMED;
	if (rrsig[2] != key->algorithm || get_u16(rrsig + 16) != key->tag || !(key->flags & DNSSEC_FLAG_ZONE))
		return ERR_NOT_FOUND;
	if (get_u16(rrsig) != set->type || !name_equal(rrsig + DNSSEC_RRSIG_HEAD, zone) || !name_is_under(set->owner, zone))
		return ERR_INVALID;
	if (serial_after(get_u32(rrsig + 12), now) || serial_after(now, get_u32(rrsig + 8)))
		return ERR_STALE;
	name_lower(&signer, rrsig + DNSSEC_RRSIG_HEAD);
	memcpy(head, rrsig, DNSSEC_RRSIG_HEAD);
	memcpy(head + DNSSEC_RRSIG_HEAD, signer.wire, signer.len);
	err = collect(head, DNSSEC_RRSIG_HEAD + signer.len, set, &message);
	if (err < 0)
		return err;
	err = check_signature(key, &message, rrsig + DNSSEC_RRSIG_HEAD + n, len - DNSSEC_RRSIG_HEAD - (size_t)n);
	free(message.octets);
	return err;
}

int dnssec_try(const struct dnssec_key *key, const uint8_t *zone)
{
	static const uint8_t text[] = {4, 't', 'e', 's', 't'};
	struct dnssec_rdata record = {text, sizeof(text)};
	struct dnssec_set set = {zone, RR_TXT, 0, &record, 1};
	uint8_t rrsig[DNSSEC_RRSIG_MAX];
	size_t len;
	int err = dnssec_sign(key, zone, &set, 1, 3, rrsig, &len);

	if (!err)
		err = dnssec_verify(key, zone, &set, rrsig, len, 2);
	return err ? ERR_INVALID : 0;
}
