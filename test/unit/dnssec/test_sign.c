/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and signatures: the examples of RFC 5702, 6605 and 8080 (there with the owner's two labels, as its erratum 4935 has it), files of keys, wildcards, what must not verify. */
#include "base/err.h"
#include "dns/base64.h"
#include "dns/rr.h"
#include "dnssec/key.h"
#include "dnssec/sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static const uint8_t root[1] = {0};

static struct name name_of(const char *text)
{
	struct name n;

	assert_int_equal(name_from_text(text, strlen(text), root, &n), 0);
	return n;
}

static size_t rdata_of(uint16_t type, const char *text, uint8_t *out, size_t cap)
{
	struct writer w = writer_of(out, cap);
	struct rdata_problem problem;

	assert_int_equal(rdata_from_string(type, text, root, &w, &problem), 0);
	return w.pos;
}

struct vector {
	const char *what, *private, *dnskey;
	uint16_t tag;
	const char *zone, *owner;
	uint16_t type;
	const char *rdata, *rrsig;
	bool deterministic; /* signing gives these very octets */
};

#define RSA_512_PRIVATE                                                                                                                                              \
	"Private-key-format: v1.2\nAlgorithm: 8 (RSASHA256)\n"                                                                                                       \
	"Modulus: wVwaxrHF2CK64aYKRUibLiH30KpPuPBjel7E8ZydQW1HYWHfoGmidzC2RnhwCC293hCzw+TFR2nqn8OVSY5t2Q==\n"                                                        \
	"PublicExponent: AQAB\n"                                                                                                                                     \
	"PrivateExponent: UR44xX6zB3eaeyvTRzmskHADrPCmPWnr8dxsNwiDGHzrMKLN+i/HAam+97HxIKVWNDH2ba9Mf1SA8xu9dcHZAQ==\n"                                                \
	"Prime1: 4c8IvFu1AVXGWeFLLFh5vs7fbdzdC6U82fduE6KkSWk=\n"                                                                                                     \
	"Prime2: 2zZpBE8ZXVnL74QjG4zINlDfH+EOEtjJJ3RtaYDugvE=\n"

static const struct vector vectors[] = {
	{"RFC 5702 6.1", RSA_512_PRIVATE, "256 3 8 AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36BponcwtkZ4cAgtvd4Qs8PkxUdp6p/DlUmObdk=", 9033, "example.net",
         "www.example.net", RR_A, "192.0.2.91",
         "A 8 3 3600 20300101000000 20000101000000 9033 example.net. kRCOH6u7l0QGy9qpC9l1sLncJcOKFLJ7GhiUOibu4teYp5VE9RncriShZNz85mwlMgNEacFYK/lPtPiVYP4bwg==", true},
	{"RFC 5702 6.2, without primes",
         "Private-key-format: v1.2\nAlgorithm: 10 (RSASHA512)\n"
         "Modulus: 0eg1M5b563zoq4k5ZEOnWmd2/BvpjzedJVdfIsDcMuuhE5SQ3pfQ7qmdaeMlC6Nf8DKGoUPGPXe06cP27/WRODtxXquSUytkO0kJDk8KX8PtA0+yBWwy7UnZDyCkynO00Uuk8HPVtZeMO1pHtlAGVnc8VjXZlN"
         "Kdyit99waaE4s=\nPublicExponent: AQAB\n"
         "PrivateExponent: rFS1IPbJllFFgFc33B5DDlC1egO8e81P4fFadODbp56V7sphKa6AZQCx8NYAew6VXFFPAKTw41QdHnK5kIYOwxvfFDjDcUGza88qbjyrDPSJenkeZbISMUSSqy7AMFzEolkk6WSn6k3thUVRgSlqDo"
         "OV3SEIAsrB043XzGrKIVE=\n",
         "256 3 10 AwEAAdHoNTOW+et86KuJOWRDp1pndvwb6Y83nSVXXyLA3DLroROUkN6X0O6pnWnjJQujX/AyhqFDxj13tOnD9u/1kTg7cV6rklMrZDtJCQ5PCl/D7QNPsgVsMu1J2Q8gpMpztNFLpPBz1bWXjDtaR7ZQBlZ3PFY1"
         "2ZTSncorffcGmhOL",
         3740, "example.net", "www.example.net", RR_A, "192.0.2.91",
         "A 10 3 3600 20300101000000 20000101000000 3740 example.net. tsb4wnjRUDnB1BUi+t6TMTXThjVnG+eCkWqjvvjhzQL1d0YRoOe0CbxrVDYd0xDtsuJRaeUw1ep94PzEWzr0iGYgZBWm/zpq+9fOuagYJRfDqfReKBz"
         "MweOLDiNa8iP5g9vMhpuv6OPlvpXwm9Sa9ZXIbNl1MBGk0fthPgxdDLw=",
         true},
	{"RFC 6605 6.1", "Private-key-format: v1.2\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=\n",
         "257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==", 55648, "example.net", "www.example.net", RR_A, "192.0.2.1",
         "A 13 3 3600 20100909100439 20100812100439 55648 example.net. qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==", false},
	{"RFC 6605 6.2",
         "Private-key-format: v1.2\nAlgorithm: 14 (ECDSAP384SHA384)\nPrivateKey: WURgWHCcYIYUPWgeLmiPY2DJJk02vgrmTfitxgqcL4vwW7BOrbawVmVe0d9V94SR\n",
         "257 3 14 xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40", 10771, "example.net",
         "www.example.net", RR_A, "192.0.2.1",
         "A 14 3 3600 20100909102025 20100812102025 10771 example.net. /L5hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuzWTSSPdz7wnqXL5bdcJzusdnI0RSM"
         "ROxxwGipWcJm",
         false},
	{"RFC 8080 6.1", "Private-key-format: v1.2\nAlgorithm: 15 (ED25519)\nPrivateKey: ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=\n",
         "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=", 3613, "example.com", "example.com", RR_MX, "10 mail.example.com.",
         "MX 15 2 3600 20150819220000 20150729220000 3613 example.com. oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==", true},
	{"RFC 8080 6.1, second key", "Private-key-format: v1.2\nAlgorithm: 15 (ED25519)\nPrivateKey: DSSF3o0s0f+ElWzj9E/Osxw8hLpk55chkmx0LYN5WiY=\n",
         "257 3 15 zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=", 35217, "example.com", "example.com", RR_MX, "10 mail.example.com.",
         "MX 15 2 3600 20150819220000 20150729220000 35217 example.com. zXQ0bkYgQTEFyfLyi9QoiY6D8ZdYo4wyUhVioYZXFdT410QPRITQSqJSnzQoSm5poJ7gD7AQR0O7KuI5k2pcBg==", true},
	/* Its signature as printed counts three labels, which the owner has not: another one is made here. */
	{"RFC 8080 6.2", "Private-key-format: v1.2\nAlgorithm: 16 (ED448)\nPrivateKey: xZ+5Cgm463xugtkY5B0Jx6erFTXp13rYegst0qRtNsOYnaVpMx0Z/c5EiA9x8wWbDDct/U3FhYWA\n",
         "257 3 16 3kgROaDjrh0H2iuixWBrc8g2EpBBLCdGzHmn+G2MpTPhpj/OiBVHHSfPodx1FYYUcJKm1MDpJtIA", 9713, "example.com", "example.com", RR_MX, "10 mail.example.com.", NULL, true},
};

static struct dnssec_key private_key(const struct vector *v)
{
	uint8_t dnskey[1024];
	size_t len = rdata_of(RR_DNSKEY, v->dnskey, dnskey, sizeof(dnskey));
	char why[DNSSEC_WHY_MAX];
	struct dnssec_key key;

	assert_int_equal(dnssec_key_private(v->private, strlen(v->private), &key, why), 0);
	assert_true(key.private);
	assert_true(dnssec_key_adopt(&key, dnskey, len));
	assert_int_equal(key.tag, v->tag);
	return key;
}

static struct dnssec_key public_key(const struct vector *v)
{
	uint8_t dnskey[1024];
	size_t len = rdata_of(RR_DNSKEY, v->dnskey, dnskey, sizeof(dnskey));
	struct dnssec_key key;

	assert_int_equal(dnssec_key_tag(dnskey, len), v->tag);
	assert_int_equal(dnssec_key_public(dnskey, len, &key), 0);
	assert_false(key.private);
	assert_int_equal(key.tag, v->tag);
	return key;
}

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct dnssec_key secret = private_key(v), open = public_key(v);
		uint8_t rdata[256], rrsig[1024], made[DNSSEC_RRSIG_MAX];
		struct name owner = name_of(v->owner), zone = name_of(v->zone);
		struct dnssec_rdata record = {rdata, (uint16_t)rdata_of(v->type, v->rdata, rdata, sizeof(rdata))};
		struct dnssec_set set = {owner.wire, v->type, 3600, &record, 1};
		uint32_t inception = 1000, expiration = 2000;
		size_t len = 0, made_len = 0;

		print_message("%s\n", v->what);
		assert_int_equal(open.public_len, secret.public_len);
		if (v->rrsig) {
			len = rdata_of(RR_RRSIG, v->rrsig, rrsig, sizeof(rrsig));
			expiration = get_u32(rrsig + 8);
			inception = get_u32(rrsig + 12);
			assert_int_equal(dnssec_verify(&open, zone.wire, &set, rrsig, len, inception), 0);
		}
		assert_int_equal(dnssec_sign(&secret, zone.wire, &set, inception, expiration, made, &made_len), 0);
		assert_int_equal(dnssec_verify(&open, zone.wire, &set, made, made_len, expiration), 0);
		if (v->rrsig) {
			assert_int_equal(made_len, len);
			assert_memory_equal(made, rrsig, v->deterministic ? len : (size_t)DNSSEC_RRSIG_HEAD + zone.len);
		}
		/* Each octet counts. */
		for (size_t at = 0; at < made_len; at += at < 64 ? 1 : 7) {
			made[at] ^= 1;
			assert_int_not_equal(dnssec_verify(&open, zone.wire, &set, made, made_len, inception + 1), 0);
			made[at] ^= 1;
		}
		for (size_t cut = 0; cut < made_len; cut++)
			assert_int_not_equal(dnssec_verify(&open, zone.wire, &set, made, cut, inception + 1), 0);
		rdata[record.len - 1] ^= 1;
		assert_int_equal(v->type == RR_A ? dnssec_verify(&open, zone.wire, &set, made, made_len, expiration) : ERR_INVALID, ERR_INVALID);
		rdata[record.len - 1] ^= 1;
		assert_int_equal(dnssec_verify(&open, zone.wire, &set, made, made_len, expiration + 1), ERR_STALE);
		assert_int_equal(dnssec_verify(&open, zone.wire, &set, made, made_len, inception - 1), ERR_STALE);
		dnssec_key_done(&secret);
		dnssec_key_done(&open);
	}
}

/* Order, case and duplicates of the records do not matter; the owner's case neither. */
static void test_canonical(void **state)
{
	struct dnssec_key secret = private_key(&vectors[4]), open = public_key(&vectors[4]);
	struct name zone = name_of("example.com"), upper = name_of("WWW.Example.COM"), lower = name_of("www.example.com");
	uint8_t a[64], b[64], c[64], made[DNSSEC_RRSIG_MAX], other[DNSSEC_RRSIG_MAX];
	size_t la = rdata_of(RR_MX, "20 Mail.Example.Com.", a, sizeof(a)), lb = rdata_of(RR_MX, "10 mail.example.com.", b, sizeof(b)),
	       lc = rdata_of(RR_MX, "20 mail.example.com.", c, sizeof(c)), n, m;
	struct dnssec_rdata one[] = {{a, (uint16_t)la}, {b, (uint16_t)lb}}, two[] = {{b, (uint16_t)lb}, {c, (uint16_t)lc}, {a, (uint16_t)la}};
	struct dnssec_set first = {upper.wire, RR_MX, 300, one, 2}, second = {lower.wire, RR_MX, 300, two, 3};

	(void)state;
	assert_int_equal(dnssec_sign(&secret, zone.wire, &first, 10, 20, made, &n), 0);
	assert_int_equal(dnssec_sign(&secret, zone.wire, &second, 10, 20, other, &m), 0);
	assert_int_equal(n, m);
	assert_memory_equal(made, other, n);
	second.ttl = 5; /* as a cache has it */
	assert_int_equal(dnssec_verify(&open, zone.wire, &second, made, n, 15), 0);
	second.count = 1;
	assert_int_equal(dnssec_verify(&open, zone.wire, &second, made, n, 15), ERR_INVALID);
	second.count = 0;
	assert_int_equal(dnssec_verify(&open, zone.wire, &second, made, n, 15), ERR_LIMIT);
	/* RFC 1982: times go round. */
	second.count = 3;
	assert_int_equal(dnssec_sign(&secret, zone.wire, &second, 0xfffffff0, 0x10, other, &m), 0);
	assert_int_equal(dnssec_verify(&open, zone.wire, &second, other, m, 0xfffffff8), 0);
	assert_int_equal(dnssec_verify(&open, zone.wire, &second, other, m, 8), 0);
	assert_int_equal(dnssec_verify(&open, zone.wire, &second, other, m, 0x11), ERR_STALE);
	dnssec_key_done(&secret);
	dnssec_key_done(&open);
}

static void test_wildcard(void **state)
{
	static const struct {
		const char *owner;
		int result;
	} cases[] = {{"*.example.com", 0},   {"a.example.com", 0}, {"b.a.Example.com", 0}, {"example.com", ERR_INVALID}, {"a.example.org", ERR_INVALID}};
	struct dnssec_key secret = private_key(&vectors[2]), open = public_key(&vectors[2]);
	struct name zone = name_of("example.com"), wildcard = name_of("*.example.com"), below = name_of("*.a.example.com");
	const uint8_t address[4] = {192, 0, 2, 1};
	struct dnssec_rdata record = {address, 4};
	struct dnssec_set set = {wildcard.wire, RR_A, 60, &record, 1};
	uint8_t made[DNSSEC_RRSIG_MAX];
	size_t n;

	(void)state;
	assert_int_equal(dnssec_sign(&secret, zone.wire, &set, 10, 20, made, &n), 0);
	assert_int_equal(made[3], 2);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct name owner = name_of(cases[i].owner);

		set.owner = owner.wire;
		assert_int_equal(dnssec_verify(&open, zone.wire, &set, made, n, 15), cases[i].result);
	}
	set.owner = below.wire;
	assert_int_equal(dnssec_sign(&secret, zone.wire, &set, 10, 20, made, &n), 0);
	assert_int_equal(made[3], 3);
	dnssec_key_done(&secret);
	dnssec_key_done(&open);
}

static void test_keys_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "empty"},
		{"hello\n", "neither a private key"},
		{"Private-key-format: v1.3\nAlgorithm: 13\nPrivateKey: GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=", "cut short"},
		{"Private-key-format: v2.0\nAlgorithm: 13\n", "format that is not known"},
		{"Private-key-format: v1.3\nAlgorithm: 5 (RSASHA1)\n", "algorithm 5"},
		{"Private-key-format: v1.3\nAlgorithm: x\n", "algorithm"},
		{"Private-key-format: v1.3\nAlgorithm: 269\n", "algorithm 269"},
		{"Private-key-format: v1.3\nAlgorithm: 13\n", "no PrivateKey"},
		{"Private-key-format: v1.3\nAlgorithm: 13\nPrivateKey: ???\n", "no PrivateKey"},
		{"Private-key-format: v1.3\nAlgorithm: 13\nPrivateKey: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "no ECDSAP256SHA256 key"},
		{"Private-key-format: v1.3\nAlgorithm: 13\nPrivateKey: //////////////////////////////////////////8=\n", "no ECDSAP256SHA256 key"},
		{"Private-key-format: v1.3\nAlgorithm: 15\nPrivateKey: AQAB\n", "3 octets"},
		{"Private-key-format: v1.3\nAlgorithm: 8\nModulus: AQAB\nPublicExponent: AQAB\n", "no PrivateExponent"},
		{"Private-key-format: v1.3\nAlgorithm: 8\nModulus: AQAB\nPublicExponent: AQAB\nPrivateExponent: AQAB\n", "no RSASHA256 key"},
		{"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PEM"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char why[DNSSEC_WHY_MAX] = "";
		struct dnssec_key key;

		assert_int_equal(dnssec_key_private(cases[i].text, strlen(cases[i].text), &key, why), ERR_INVALID);
		if (!strstr(why, cases[i].why))
			fail_msg("%s: %s", cases[i].text, why);
	}
}

static void test_public_refused(void **state)
{
	static const struct {
		const char *dnskey;
		int result;
	} cases[] = {
		{"256 3 5 AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36BponcwtkZ4cAgtvd4Qs8PkxUdp6p/DlUmObdk=", ERR_UNSUPPORTED},
		{"256 3 8 AwEAAcFc", ERR_MALFORMED}, /* 24 bits */
		{"256 3 8 AA==", ERR_MALFORMED},
		{"256 3 8 AAAA", ERR_MALFORMED},
		{"256 3 8 /wEC", ERR_MALFORMED},
		{"256 3 13 AAAA", ERR_MALFORMED},
		{"256 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAQ==", ERR_MALFORMED}, /* not on the curve */
		{"256 2 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=", ERR_MALFORMED},
		{"256 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1Sw=", ERR_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t rdata[256];
		struct dnssec_key key;

		if (dnssec_key_public(rdata, rdata_of(RR_DNSKEY, cases[i].dnskey, rdata, sizeof(rdata)), &key) != cases[i].result)
			fail_msg("%s", cases[i].dnskey);
	}
}

/* Numbers of two keys. */
static void test_halves(void **state)
{
	static const char mixed[] = "Private-key-format: v1.2\nAlgorithm: 8 (RSASHA256)\n"
	                            "Modulus: wVwaxrHF2CK64aYKRUibLiH30KpPuPBjel7E8ZydQW1HYWHfoGmidzC2RnhwCC293hCzw+TFR2nqn8OVSY5t2Q==\n"
	                            "PublicExponent: AQAB\n"
	                            "PrivateExponent: UR44xX6zB3eaeyvTRzmskHADrPCmPWnr8dxsNwiDGHzrMKLN+i/HAam+97HxIKVWNDH2ba9Mf1SA8xu9dcHZAw==\n";
	const struct vector *v = &vectors[0];
	struct name zone = name_of("example.net");
	struct dnssec_key key;
	uint8_t dnskey[256];
	size_t len = rdata_of(RR_DNSKEY, v->dnskey, dnskey, sizeof(dnskey));
	char why[DNSSEC_WHY_MAX];

	(void)state;
	assert_int_equal(dnssec_key_private(mixed, sizeof(mixed) - 1, &key, why), 0);
	assert_true(dnssec_key_adopt(&key, dnskey, len));
	assert_int_equal(dnssec_try(&key, zone.wire), ERR_INVALID);
	dnssec_key_done(&key);
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		key = private_key(&vectors[i]);
		assert_int_equal(dnssec_try(&key, zone.wire), 0);
		dnssec_key_done(&key);
	}
}

/* A key is adopted by its own record only; PEM says the same as BIND's form. */
static void test_pem(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct dnssec_key bind = private_key(&vectors[i]), pem;
		BIO *bio = BIO_new(BIO_s_mem());
		uint8_t rdata[1024], made[DNSSEC_RRSIG_MAX];
		struct name zone = name_of("example.com");
		const uint8_t address[4] = {192, 0, 2, 1};
		struct dnssec_rdata record = {address, 4};
		struct dnssec_set set = {zone.wire, RR_A, 60, &record, 1};
		char why[DNSSEC_WHY_MAX], *text;
		size_t len, n;
		long size;

		if (bind.algorithm < 13) { /* PKCS#8 needs all eight numbers, which these files have not: see test_pem_rsa() */
			BIO_free(bio);
			dnssec_key_done(&bind);
			continue;
		}
		assert_int_equal(PEM_write_bio_PrivateKey(bio, bind.pkey, NULL, NULL, 0, NULL, NULL), 1);
		size = BIO_get_mem_data(bio, &text);
		assert_int_equal(dnssec_key_private(text, (size_t)size, &pem, why), 0);
		assert_int_equal(pem.public_len, bind.public_len);
		assert_memory_equal(pem.public, bind.public, bind.public_len);
		assert_int_equal(dnssec_sign(&pem, zone.wire, &set, 10, 20, made, &n), ERR_INVALID); /* no record yet */
		for (size_t k = 0; k < ARRAY_LEN(vectors); k++) {
			len = rdata_of(RR_DNSKEY, vectors[k].dnskey, rdata, sizeof(rdata));
			assert_int_equal(dnssec_key_adopt(&bind, rdata, len), k == i);
			assert_int_equal(dnssec_key_adopt(&pem, rdata, len), k == i);
		}
		assert_int_equal(pem.algorithm, bind.algorithm);
		assert_int_equal(pem.tag, vectors[i].tag);
		assert_int_equal(dnssec_sign(&pem, zone.wire, &set, 10, 20, made, &n), 0);
		assert_int_equal(dnssec_verify(&bind, zone.wire, &set, made, n, 15), 0);
		BIO_free(bio);
		dnssec_key_done(&pem);
		dnssec_key_done(&bind);
	}
}

/* PEM does not say which of the two algorithms an RSA key is for: its record does. */
static void test_pem_rsa(void **state)
{
	EVP_PKEY *made = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024);
	BIO *bio = BIO_new(BIO_s_mem());
	struct name zone = name_of("example.com");
	const uint8_t address[4] = {192, 0, 2, 1};
	struct dnssec_rdata record = {address, 4};
	struct dnssec_set set = {zone.wire, RR_A, 60, &record, 1};
	uint8_t rdata[DNSSEC_DNSKEY_HEAD + DNSSEC_PUBLIC_MAX] = {1, 0, 3, 8}, rrsig[DNSSEC_RRSIG_MAX];
	char why[DNSSEC_WHY_MAX], *text;
	long size;

	(void)state;
	assert_non_null(made);
	assert_int_equal(PEM_write_bio_PrivateKey(bio, made, NULL, NULL, 0, NULL, NULL), 1);
	size = BIO_get_mem_data(bio, &text);
	for (uint8_t algorithm = 5; algorithm <= 15; algorithm++) {
		bool fits = algorithm == 8 || algorithm == 10;
		struct dnssec_key key, open;
		size_t len, n;

		assert_int_equal(dnssec_key_private(text, (size_t)size, &key, why), 0);
		assert_int_equal(key.algorithm, 0);
		rdata[3] = algorithm;
		memcpy(rdata + DNSSEC_DNSKEY_HEAD, key.public, key.public_len);
		len = (size_t)DNSSEC_DNSKEY_HEAD + key.public_len;
		assert_int_equal(dnssec_key_adopt(&key, rdata, len), fits);
		assert_int_equal(dnssec_sign(&key, zone.wire, &set, 10, 20, rrsig, &n), fits ? 0 : ERR_INVALID);
		if (fits) {
			assert_int_equal(dnssec_key_public(rdata, len, &open), 0);
			assert_int_equal(dnssec_verify(&open, zone.wire, &set, rrsig, n, 15), 0);
			dnssec_key_done(&open);
		}
		dnssec_key_done(&key);
	}
	BIO_free(bio);
	EVP_PKEY_free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_vectors),      cmocka_unit_test(test_canonical),      cmocka_unit_test(test_wildcard),
	        cmocka_unit_test(test_keys_refused), cmocka_unit_test(test_public_refused), cmocka_unit_test(test_pem),
	        cmocka_unit_test(test_pem_rsa),      cmocka_unit_test(test_halves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
