/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys as OpenSSL has them and as DNSKEY records have them.
 *
 * A public key of DNSKEY is, by algorithm: RSA (RFC 3110 2) the length of the exponent in one or three octets, exponent, modulus; ECDSA (RFC 6605 4) both coordinates without the
 * octet that says "uncompressed"; Ed25519 and Ed448 (RFC 8080 3) the octets themselves. Of a private key, whatever it was read from, the public half is put in that
 * form, so that a key and a record are of one kind when octets are equal. Files may have halves of two keys (RSA in BIND's form, any in PEM), which OpenSSL does not look at: dnssec_try() does.
 *
 * Left out: RSASHA1 (5, 7) and DSA, which must not be signed with (RFC 8624 3.1), and GOST. PKCS#11 and keys with a password: who keeps keys so has a signer that can use them. */
#include "dnssec/key.h"

#include "base/err.h"
#include "base/wire.h"
#include "dnssec/key_priv.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

enum { RSA_BITS_MIN = 512 /* RFC 5702 2.1 */, RSA_BITS_MAX = 4096, PROTOCOL = 3 /* RFC 4034 2.1.2 */ };

static const struct dnssec_algorithm algorithms[] = {
	{8, "RSASHA256", NULL, 0},       {10, "RSASHA512", NULL, 0},
	{13, "ECDSAP256SHA256", "P-256", 32}, {14, "ECDSAP384SHA384", "P-384", 48},
	{15, "ED25519", NULL, 32},       {16, "ED448", NULL, 57},
};

const struct dnssec_algorithm *dnssec_algorithm(uint8_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (algorithms[i].number == number)
			return &algorithms[i];
	return NULL;
}

bool dnssec_algorithm_known(uint8_t algorithm)
{
	return dnssec_algorithm(algorithm) != NULL;
}

const char *dnssec_algorithm_text(uint8_t algorithm)
{
	const struct dnssec_algorithm *a = dnssec_algorithm(algorithm);

	return a ? a->text : "?";
}

uint16_t dnssec_key_tag(const uint8_t *rdata, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? rdata[i] : (uint32_t)rdata[i] << 8;
	return (uint16_t)(sum + (sum >> 16));
}

/* ---- from parts ---- */

/* EVP_PKEY of a type by parameters; NULL: they do not make a key. */
static EVP_PKEY *pkey_of(const char *type, OSSL_PARAM_BLD *b, int selection)
{
	OSSL_PARAM *params = b ? OSSL_PARAM_BLD_to_param(b) : NULL;
	EVP_PKEY_CTX *ctx = params ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
	EVP_PKEY *key = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) > 0 && EVP_PKEY_fromdata(ctx, &key, selection, params) <= 0)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

EVP_PKEY *dnssec_rsa(const struct dnssec_number part[RSA_PARTS])
{
	static const char *const names[RSA_PARTS] = {OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E, OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
	                                             OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	BIGNUM *n[RSA_PARTS] = {0};
	EVP_PKEY *key = NULL;
	bool good = b != NULL;

	for (unsigned i = 0; i < RSA_PARTS && good; i++) {
		if (!part[i].len)
			continue;
		n[i] = BN_bin2bn(part[i].octets, (int)part[i].len, NULL);
		good = n[i] && OSSL_PARAM_BLD_push_BN(b, names[i], n[i]) > 0;
	}
	if (good && n[0] && n[1] && BN_num_bits(n[0]) >= RSA_BITS_MIN && BN_num_bits(n[0]) <= RSA_BITS_MAX)
		key = pkey_of("RSA", b, n[2] ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
	OSSL_PARAM_BLD_free(b);
	for (unsigned i = 0; i < RSA_PARTS; i++)
		BN_clear_free(n[i]);
	return key;
}

/* point: with the octet before it. scalar NULL: the public half alone. */
static EVP_PKEY *ec_of(const struct dnssec_algorithm *a, const uint8_t *point, size_t len, const BIGNUM *scalar)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	EVP_PKEY *key = NULL;

	if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, a->curve, 0) > 0 &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point, len) > 0 && (!scalar || OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, scalar) > 0))
		key = pkey_of("EC", b, scalar ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
	OSSL_PARAM_BLD_free(b);
	return key;
}

EVP_PKEY *dnssec_ec(const struct dnssec_algorithm *a, const uint8_t *scalar, size_t len)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(a->number == 13 ? NID_X9_62_prime256v1 : NID_secp384r1);
	EC_POINT *point = group ? EC_POINT_new(group) : NULL;
	BIGNUM *d = BN_bin2bn(scalar, (int)len, NULL);
	uint8_t at[1 + 2 * 48];
	EVP_PKEY *key = NULL;

	if (point && d && !BN_is_zero(d) && BN_cmp(d, EC_GROUP_get0_order(group)) < 0 && EC_POINT_mul(group, point, d, NULL, NULL, NULL) > 0 &&
	    EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, at, sizeof(at), NULL) == 1U + 2U * a->octets)
		key = ec_of(a, at, 1U + 2U * a->octets, d);
	BN_clear_free(d);
	EC_POINT_free(point);
	EC_GROUP_free(group);
	return key;
}

/* ---- the public half ---- */

static int rsa_octets(EVP_PKEY *pkey, struct dnssec_key *out)
{
	BIGNUM *n = NULL, *e = NULL;
	int err = ERR_UNSUPPORTED;

	if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) > 0 && EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) > 0) {
		int bits = BN_num_bits(n);
		size_t e_len = (size_t)BN_num_bytes(e), n_len = (size_t)BN_num_bytes(n);

		/* An exponent of more than 255 octets would need the long form: nobody has one. */
		if (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX && e_len > 0 && e_len <= 255 && 1 + e_len + n_len <= sizeof(out->public)) {
			out->public[0] = (uint8_t)e_len;
			BN_bn2bin(e, out->public + 1);
			BN_bn2bin(n, out->public + 1 + e_len);
			out->public_len = (uint16_t)(1 + e_len + n_len);
			err = 0;
		}
	}
	BN_free(n);
	BN_free(e);
	return err;
}

int dnssec_key_of(EVP_PKEY *pkey, struct dnssec_key *out)
{
	uint8_t point[1 + 2 * 48];
	char curve[32];
	size_t len;

	*out = (struct dnssec_key){.pkey = pkey, .private = true};
	if (EVP_PKEY_is_a(pkey, "RSA"))
		return rsa_octets(pkey, out);
	if (EVP_PKEY_is_a(pkey, "ED25519") || EVP_PKEY_is_a(pkey, "ED448")) {
		out->algorithm = EVP_PKEY_is_a(pkey, "ED448") ? 16 : 15;
		len = sizeof(out->public);
		if (EVP_PKEY_get_raw_public_key(pkey, out->public, &len) <= 0)
			return ERR_UNSUPPORTED;
		out->public_len = (uint16_t)len;
		return 0;
	}
	if (!EVP_PKEY_is_a(pkey, "EC") || EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof(curve), NULL) <= 0)
		return ERR_UNSUPPORTED;
	out->algorithm = strcmp(curve, "prime256v1") == 0 ? 13 : strcmp(curve, "secp384r1") == 0 ? 14 : 0;
	if (!out->algorithm || EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len) <= 0 ||
	    len != 1U + 2U * dnssec_algorithm(out->algorithm)->octets || point[0] != POINT_CONVERSION_UNCOMPRESSED)
		return ERR_UNSUPPORTED;
	memcpy(out->public, point + 1, len - 1);
	out->public_len = (uint16_t)(len - 1);
	return 0;
}

static EVP_PKEY *rsa_public(const uint8_t *p, size_t len)
{
	size_t head = len && p[0] ? 1 : 3, e_len;

	if (len < head)
		return NULL;
	e_len = head == 1 ? p[0] : get_u16(p + 1);
	if (!e_len || head + e_len >= len)
		return NULL;
	return dnssec_rsa((struct dnssec_number[RSA_PARTS]){{p + head + e_len, len - head - e_len}, {p + head, e_len}});
}

int dnssec_key_public(const uint8_t *rdata, size_t len, struct dnssec_key *out)
{
	uint8_t point[1 + 2 * 48] = {POINT_CONVERSION_UNCOMPRESSED};
	const uint8_t *p = rdata + DNSSEC_DNSKEY_HEAD;
	const struct dnssec_algorithm *a;
	EVP_PKEY *pkey = NULL;
	size_t n;

	if (len <= DNSSEC_DNSKEY_HEAD || rdata[2] != PROTOCOL)
		return ERR_MALFORMED;
	n = len - DNSSEC_DNSKEY_HEAD;
	a = dnssec_algorithm(rdata[3]);
	if (!a || n > DNSSEC_PUBLIC_MAX)
		return ERR_UNSUPPORTED;
	if (!a->octets) {
		pkey = rsa_public(p, n);
	} else if (a->curve && n == 2U * a->octets) {
		memcpy(point + 1, p, n);
		pkey = ec_of(a, point, n + 1, NULL);
	} else if (!a->curve && n == a->octets) {
		pkey = EVP_PKEY_new_raw_public_key(a->number == 15 ? EVP_PKEY_ED25519 : EVP_PKEY_ED448, NULL, p, n);
	}
	if (!pkey)
		return ERR_MALFORMED;
	*out = (struct dnssec_key){.pkey = pkey, .algorithm = a->number, .flags = get_u16(rdata), .tag = dnssec_key_tag(rdata, len), .public_len = (uint16_t)n};
	memcpy(out->public, p, n);
	return 0;
}

bool dnssec_key_adopt(struct dnssec_key *key, const uint8_t *rdata, size_t len)
{
	const struct dnssec_algorithm *a = len > DNSSEC_DNSKEY_HEAD ? dnssec_algorithm(rdata[3]) : NULL;

	if (!a || rdata[2] != PROTOCOL || len - DNSSEC_DNSKEY_HEAD != key->public_len || memcmp(rdata + DNSSEC_DNSKEY_HEAD, key->public, key->public_len) != 0)
		return false;
	if (key->algorithm ? key->algorithm != a->number : a->octets != 0)
		return false;
	key->algorithm = a->number;
	key->flags = get_u16(rdata);
	key->tag = dnssec_key_tag(rdata, len);
	return true;
}

void dnssec_key_done(struct dnssec_key *key)
{
	EVP_PKEY_free(key->pkey);
	key->pkey = NULL;
}
