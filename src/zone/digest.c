/* SPDX-License-Identifier: BSD-2-Clause */
/* The sum, modulo 2^256, of the SHA-256 of each record in canonical form (RFC 4034 6.2). Since a zone is a set of records the order plays no part, and
 * a change is added to and subtracted from the digest of the version before: the digest of a zone of a million names follows a change of one
 * record in microseconds, which ZONEMD (zone/zonemd.h), a digest of one long string, cannot.
 *
 * It tells versions apart that differ by accident: a record lost in a transfer, a bit that fell over in memory, nodes that parted. It is no
 * signature: who may choose very many records of a zone can find two sets of them with the same sum in less work than 2^128 (Wagner's
 * generalized birthday problem). Against such people there are ZONEMD and DNSSEC. */
#include "zone/digest.h"

#include "base/err.h"
#include "zone/canonical.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct summing {
	struct zone_digest sum;
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	uint8_t *wire;
};

static int open_sum(struct summing *s)
{
	memset(s, 0, sizeof(*s));
	s->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	s->ctx = EVP_MD_CTX_new();
	s->wire = malloc(CANONICAL_RECORD_MAX);
	return s->md && s->ctx && s->wire ? 0 : ERR_NO_MEMORY;
}

static void close_sum(struct summing *s)
{
	EVP_MD_free(s->md);
	EVP_MD_CTX_free(s->ctx);
	free(s->wire);
}

static void add(struct zone_digest *a, const struct zone_digest *b)
{
	unsigned carry = 0;

	for (unsigned i = 0; i < ZONE_DIGEST_WORDS; i++) {
		uint64_t v = a->words[i] + carry;

		carry = v < carry;
		v += b->words[i];
		carry += v < b->words[i];
		a->words[i] = v;
	}
}

static void subtract(struct zone_digest *a, const struct zone_digest *b)
{
	unsigned borrow = 0;

	for (unsigned i = 0; i < ZONE_DIGEST_WORDS; i++) {
		uint64_t v = a->words[i] - borrow;

		borrow = a->words[i] < borrow;
		borrow += v < b->words[i];
		a->words[i] = v - b->words[i];
	}
}

static int take_record(void *ctx, const uint8_t *wire, size_t len, bool of_zonemd)
{
	struct summing *s = ctx;
	uint8_t octets[EVP_MAX_MD_SIZE];
	struct zone_digest one;

	(void)of_zonemd;
	if (!EVP_DigestInit_ex2(s->ctx, s->md, NULL) || !EVP_DigestUpdate(s->ctx, wire, len) || !EVP_DigestFinal_ex(s->ctx, octets, NULL))
		return ERR_NO_MEMORY;
	for (unsigned i = 0; i < ZONE_DIGEST_WORDS; i++) /* first octet highest, on any machine */
		one.words[i] = (uint64_t)get_u32(octets + 24 - 8 * i) << 32 | get_u32(octets + 28 - 8 * i);
	add(&s->sum, &one);
	return 0;
}

int zone_digest_content(const struct content *c, struct zone_digest *out)
{
	struct summing s;
	int err = open_sum(&s);

	if (!err)
		err = canonical_walk_content(c, take_record, &s);
	close_sum(&s);
	if (!err)
		*out = s.sum;
	return err;
}

int zone_digest_store(const struct store_snapshot *snapshot, const struct store_zone *z, struct zone_digest *out)
{
	struct summing s;
	int err = open_sum(&s);

	if (!err)
		err = canonical_walk_store(snapshot, z, take_record, &s);
	close_sum(&s);
	if (!err)
		*out = s.sum;
	return err;
}

static int sum_of(const struct rr *records, size_t count, struct zone_digest *out)
{
	struct summing s;
	int err = open_sum(&s);

	for (size_t i = 0; i < count && !err; i++)
		err = take_record(&s, s.wire, canonical_record(&records[i], s.wire), false);
	close_sum(&s);
	if (!err)
		*out = s.sum;
	return err;
}

int zone_digest_add(struct zone_digest *d, const struct rr *records, size_t count)
{
	struct zone_digest sum;
	int err = sum_of(records, count, &sum);

	if (!err)
		add(d, &sum);
	return err;
}

int zone_digest_remove(struct zone_digest *d, const struct rr *records, size_t count)
{
	struct zone_digest sum;
	int err = sum_of(records, count, &sum);

	if (!err)
		subtract(d, &sum);
	return err;
}

bool zone_digest_equal(const struct zone_digest *a, const struct zone_digest *b)
{
	return memcmp(a->words, b->words, sizeof(a->words)) == 0;
}

char *zone_digest_text(const struct zone_digest *d, char buf[ZONE_DIGEST_TEXT_MAX])
{
	snprintf(buf, ZONE_DIGEST_TEXT_MAX, "%016llx%016llx%016llx%016llx", (unsigned long long)d->words[3], (unsigned long long)d->words[2],
	         (unsigned long long)d->words[1], (unsigned long long)d->words[0]);
	return buf;
}
