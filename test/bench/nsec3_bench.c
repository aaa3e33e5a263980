/* SPDX-License-Identifier: BSD-2-Clause */
/* nsec3_bench: what an NSEC3 hash costs, by hand and never part of the tests. The answer path's own function beside two other ways to ask the
 * same library, and beside one that finds no SHA instructions when OPENSSL_ia32cap=:~0x20000000 is set (x86: CPUID 7 EBX bit 29). All must agree
 * on the hash before any is timed. One thread; best and median of ROUNDS, since other work on the machine only ever adds. */
#include "answer/nsec3_hash.h"
#include "base/attr.h"
#include "base/clock.h"
#include "dns/name.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 9, ROUND_NS = 60000000, NAMES = 64, HASH_LEN = 20, SALT_LEN = 8 };

static struct name names[NAMES];
static EVP_MD_CTX *context;
static EVP_MD *sha1;

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "nsec3_bench: %s\n", what);
		exit(1);
	}
}

static void ours(const struct store_nsec3_params *p, const struct name *n, uint8_t *hash)
{
	must(nsec3_hash(p, n->wire, hash) == 0, "nsec3_hash");
}

/* A context that is kept and a digest that was looked up once. */
static void kept_context(const struct store_nsec3_params *p, const struct name *n, uint8_t *hash)
{
	struct name lower;
	const uint8_t *in = lower.wire;
	size_t len;

	name_lower(&lower, n->wire);
	len = lower.len;
	for (unsigned i = 0; i <= p->iterations; i++) {
		must(EVP_DigestInit_ex2(context, sha1, NULL) && EVP_DigestUpdate(context, in, len) &&
		         EVP_DigestUpdate(context, p->salt, p->salt_len) && EVP_DigestFinal_ex(context, hash, NULL),
		     "EVP_Digest*");
		in = hash;
		len = HASH_LEN;
	}
}

/* The plain way of the manual: one call a hash, which makes and frees a context. */
static void one_shot(const struct store_nsec3_params *p, const struct name *n, uint8_t *hash)
{
	uint8_t in[NAME_LEN_MAX + sizeof(p->salt)];
	struct name lower;
	size_t len;

	name_lower(&lower, n->wire);
	len = lower.len;
	memcpy(in, lower.wire, len);
	for (unsigned i = 0; i <= p->iterations; i++) {
		memcpy(in + len, p->salt, p->salt_len);
		must(EVP_Digest(in, len + p->salt_len, hash, NULL, sha1, NULL), "EVP_Digest");
		memcpy(in, hash, HASH_LEN);
		len = HASH_LEN;
	}
}

static const struct {
	const char *name;
	void (*hash)(const struct store_nsec3_params *p, const struct name *n, uint8_t *hash);
} ways[] = {{"ours", ours}, {"evp-kept-context", kept_context}, {"evp-one-shot", one_shot}};

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double round_ns(size_t way, const struct store_nsec3_params *p)
{
	uint64_t start = clock_ns(), now, done = 0;
	uint8_t hash[HASH_LEN];

	do {
		for (unsigned i = 0; i < NAMES; i++)
			ways[way].hash(p, &names[i], hash);
		done += NAMES;
		now = clock_ns();
	} while (now - start < ROUND_NS);
	return (double)(now - start) / (double)done;
}

static void compare(const struct store_nsec3_params *p)
{
	double ns[ARRAY_LEN(ways)][ROUNDS];

	for (unsigned i = 0; i < NAMES; i++) {
		uint8_t want[HASH_LEN], hash[HASH_LEN];

		ours(p, &names[i], want);
		for (size_t w = 1; w < ARRAY_LEN(ways); w++) {
			ways[w].hash(p, &names[i], hash);
			must(memcmp(hash, want, HASH_LEN) == 0, "the ways do not agree");
		}
	}
	/* In turn, so that what else happens falls on all. */
	for (unsigned r = 0; r < ROUNDS; r++)
		for (size_t w = 0; w < ARRAY_LEN(ways); w++)
			ns[w][r] = round_ns(w, p);
	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		qsort(ns[w], ROUNDS, sizeof(double), by_size);
		printf("%3u iterations, salt %u  %-17s %10.0f hashes/s  %8.1f ns (best %.1f)\n", p->iterations, p->salt_len, ways[w].name,
		       1e9 / ns[w][ROUNDS / 2], ns[w][ROUNDS / 2], ns[w][0]);
	}
}

int main(void)
{
	static const struct {
		uint16_t iterations;
		uint8_t salt_len;
	} cases[] = {{0, 0}, {0, SALT_LEN}, {10, SALT_LEN}, {100, SALT_LEN}};
	static const uint8_t root[1];

	context = EVP_MD_CTX_new();
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	must(context && sha1, "no SHA-1 in this OpenSSL");
	for (unsigned i = 0; i < NAMES; i++) {
		char text[64];
		int len = snprintf(text, sizeof(text), "Name-%u.Example.test.", i * 7919);

		must(name_from_text(text, (size_t)len, root, &names[i]) == 0, text);
	}
	printf("%s, %s\n", OpenSSL_version(OPENSSL_VERSION), OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store_nsec3_params p = {.algorithm = 1, .iterations = cases[i].iterations, .salt_len = cases[i].salt_len};

		memset(p.salt, 0xab, p.salt_len);
		compare(&p);
	}
	EVP_MD_free(sha1);
	EVP_MD_CTX_free(context);
	return 0;
}
