/* SPDX-License-Identifier: BSD-2-Clause */
/* RFC 8976: the digest is one over all records in canonical order and form (zone/canonical.h), the ZONEMD set at the apex and its signatures left
 * out (3.3.1). Records are gathered into blocks, since OpenSSL's cost for a call is that of a small record.
 *
 * Verification (4) takes each record of scheme SIMPLE with a known algorithm and the serial of the SOA; a pair of scheme and algorithm that occurs
 * twice is not used. One that matches is enough; none that could is "unknown", which says nothing against the zone. Whether the ZONEMD set itself
 * is signed, and its absence proven (4, steps 1 and 2), is the validation of DNSSEC, which is not done here: between a primary and us
 * TSIG vouches for the records, the digest for nothing being lost on the way to the store. */
#include "zone/zonemd.h"

#include "base/err.h"
#include "base/wire.h"
#include "zone/canonical.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256 << 10, SCHEME_SIMPLE = 1, RDATA_HEAD = 6, SETS_MAX = 256 };

struct digest {
	EVP_MD_CTX *ctx;
	uint8_t *block;
	size_t len;
};

/* A zone in either form. */
struct source {
	const struct content *content; /* or NULL: */
	const struct store_snapshot *snapshot;
	const struct store_zone *zone;
};

unsigned zonemd_digest_len(uint8_t algorithm)
{
	return algorithm == ZONEMD_SHA384 ? 48 : algorithm == ZONEMD_SHA512 ? 64 : 0;
}

static int flush(struct digest *d)
{
	size_t len = d->len;

	d->len = 0;
	return EVP_DigestUpdate(d->ctx, d->block, len) ? 0 : ERR_NO_MEMORY;
}

static int take_record(void *ctx, const uint8_t *wire, size_t len, bool of_zonemd)
{
	struct digest *d = ctx;
	int err = 0;

	if (of_zonemd)
		return 0;
	if (len > BLOCK - d->len)
		err = flush(d);
	memcpy(d->block + d->len, wire, len); /* a block is larger than any record */
	d->len += len;
	return err;
}

static int digest_of(const struct source *s, uint8_t algorithm, uint8_t out[ZONEMD_DIGEST_OCTETS_MAX])
{
	struct digest d = {.ctx = EVP_MD_CTX_new(), .block = malloc(BLOCK)};
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	int err = 0;

	if (!zonemd_digest_len(algorithm))
		err = ERR_UNSUPPORTED;
	else if (!d.ctx || !d.block || !EVP_DigestInit_ex(d.ctx, algorithm == ZONEMD_SHA384 ? EVP_sha384() : EVP_sha512(), NULL))
		err = ERR_NO_MEMORY;
	if (!err)
		err = s->content ? canonical_walk_content(s->content, take_record, &d)
		                 : canonical_walk_store(s->snapshot, s->zone, take_record, &d);
	if (!err)
		err = flush(&d);
	if (!err && (!EVP_DigestFinal_ex(d.ctx, digest, &len) || len != zonemd_digest_len(algorithm)))
		err = ERR_NO_MEMORY;
	if (!err)
		memcpy(out, digest, len);
	EVP_MD_CTX_free(d.ctx);
	free(d.block);
	return err;
}

int zonemd_of_content(const struct content *c, uint8_t algorithm, uint8_t out[ZONEMD_DIGEST_OCTETS_MAX])
{
	return digest_of(&(struct source){.content = c}, algorithm, out);
}

int zonemd_of_store(const struct store_snapshot *s, const struct store_zone *z, uint8_t algorithm, uint8_t out[ZONEMD_DIGEST_OCTETS_MAX])
{
	return digest_of(&(struct source){.snapshot = s, .zone = z}, algorithm, out);
}

/* ---- verifying ---- */

struct record {
	const uint8_t *rdata;
	uint16_t len;
};

/* The apex's set of a type: up to max of its records. */
static size_t apex_records(const struct source *s, uint16_t type, struct record *out, size_t max)
{
	size_t n = 0;

	if (s->content) {
		const struct content_rrset *set = content_lookup(s->content, content_apex(s->content), type);

		for (; set && n < set->count && n < max; n++)
			out[n] = (struct record){set->records[n].rdata, set->records[n].rdlen};
	} else if (s->zone->apex) {
		const struct store_rrset *set = store_rrset_of(s->snapshot, store_at(s->snapshot, s->zone->apex), type);
		const uint8_t *at = set ? set->data : NULL;

		for (; set && n < set->count && n < max; n++) {
			out[n] = (struct record){at + 2, get_u16(at)};
			at += 2 + get_u16(at);
		}
	}
	return n;
}

static bool is_same_kind(const struct record *a, const struct record *b)
{
	return a->len >= RDATA_HEAD && b->len >= RDATA_HEAD && memcmp(a->rdata + 4, b->rdata + 4, 2) == 0;
}

/* Can this record be verified? Else why not, in text. */
static bool is_usable(const struct record *list, size_t n, size_t i, uint32_t serial, char *text)
{
	const struct record *r = &list[i];
	unsigned len = r->len < RDATA_HEAD ? 0 : zonemd_digest_len(r->rdata[5]);

	if (r->len < RDATA_HEAD) {
		snprintf(text, ZONEMD_TEXT_MAX, "a ZONEMD record is cut short");
		return false;
	}
	for (size_t k = 0; k < n; k++)
		if (k != i && is_same_kind(r, &list[k])) {
			snprintf(text, ZONEMD_TEXT_MAX, "two ZONEMD records of scheme %u and algorithm %u: neither counts", r->rdata[4], r->rdata[5]);
			return false;
		}
	if (get_u32(r->rdata) != serial) {
		snprintf(text, ZONEMD_TEXT_MAX, "its ZONEMD record is for serial %u, the zone has %u", get_u32(r->rdata), serial);
		return false;
	}
	if (r->rdata[4] != SCHEME_SIMPLE || !len || r->len != RDATA_HEAD + len) {
		snprintf(text, ZONEMD_TEXT_MAX, "its ZONEMD record has scheme %u and algorithm %u, which cannot be verified", r->rdata[4], r->rdata[5]);
		return false;
	}
	return true;
}

static enum zonemd_verdict verify(const struct source *s, char *text)
{
	struct record list[SETS_MAX], soa;
	uint8_t digest[ZONEMD_DIGEST_OCTETS_MAX];
	enum zonemd_verdict verdict = ZONEMD_UNKNOWN;
	size_t n = apex_records(s, RR_ZONEMD, list, SETS_MAX);
	struct soa fields;

	if (!n) {
		snprintf(text, ZONEMD_TEXT_MAX, "the zone has no ZONEMD record");
		return ZONEMD_ABSENT;
	}
	if (!apex_records(s, RR_SOA, &soa, 1) || soa_parse(soa.rdata, soa.len, &fields) < 0) {
		snprintf(text, ZONEMD_TEXT_MAX, "the zone has no SOA record");
		return ZONEMD_UNKNOWN;
	}
	for (size_t i = 0; i < n; i++) {
		char why[ZONEMD_TEXT_MAX];

		if (!is_usable(list, n, i, fields.serial, why)) {
			if (verdict == ZONEMD_UNKNOWN)
				memcpy(text, why, sizeof(why));
			continue;
		}
		if (digest_of(s, list[i].rdata[5], digest) != 0) {
			snprintf(text, ZONEMD_TEXT_MAX, "cannot compute the digest: out of memory");
			return ZONEMD_FAILED;
		}
		if (memcmp(digest, list[i].rdata + RDATA_HEAD, list[i].len - RDATA_HEAD) == 0) {
			snprintf(text, ZONEMD_TEXT_MAX, "its ZONEMD record of algorithm %u is right", list[i].rdata[5]);
			return ZONEMD_VERIFIED;
		}
		verdict = ZONEMD_MISMATCH;
		snprintf(text, ZONEMD_TEXT_MAX, "the content is not what the ZONEMD record of algorithm %u was made from", list[i].rdata[5]);
	}
	return verdict;
}

enum zonemd_verdict zonemd_verify_content(const struct content *c, char *text)
{
	return verify(&(struct source){.content = c}, text);
}

enum zonemd_verdict zonemd_verify_store(const struct store_snapshot *s, const struct store_zone *z, char *text)
{
	return verify(&(struct source){.snapshot = s, .zone = z}, text);
}
