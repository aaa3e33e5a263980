/* SPDX-License-Identifier: BSD-2-Clause */
/* The sum, modulo 2^256, of the SHA-256 of each record in canonical form (RFC 4034 6.2). Since a zone is a set of records the order plays no part, and
 * a change is added to and subtracted from the digest of the version before: the digest of a zone of a million names follows a change of one
 * record in microseconds, which ZONEMD (zone/zonemd.h), a digest of one long string, cannot.
 *
 * Records count with the TTL of their set, and a change to one record may change that TTL: so whole sets are subtracted and added, as the versions
 * before and after have them, not the records of the change.
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

void zone_digest_add(struct zone_digest *a, const struct zone_digest *b)
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

void zone_digest_subtract(struct zone_digest *a, const struct zone_digest *b)
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
	zone_digest_add(&s->sum, &one);
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

static int add_set(struct summing *s, const uint8_t *owner, const struct store_rrset *set)
{
	const uint8_t *at = set->data;
	int err = 0;

	for (unsigned i = 0; i < set->count && !err; i++) {
		struct rr rr = {.owner = owner, .type = set->type, .ttl = set->ttl, .rdlen = get_u16(at), .rdata = at + 2};

		err = take_record(s, s->wire, canonical_record(&rr, s->wire), false);
		at += 2U + rr.rdlen;
	}
	return err;
}

int zone_digest_nodes(const struct store_snapshot *snapshot, const struct store_zone *z, const struct store_node **at, size_t records,
                      struct zone_digest *sum)
{
	const struct store_node *n = *at;
	struct summing s;
	size_t done = 0;
	int err = open_sum(&s);

	s.sum = *sum;
	while (!err && done < records && (n = store_node_next(snapshot, z, n)) != NULL)
		for (unsigned i = 0; i < n->rrsets && !err; i++) {
			const struct store_rrset *set = store_at(snapshot, n->sets[i]);
			const struct store_rrset *sigs = store_at(snapshot, set->sigs);

			err = add_set(&s, store_node_name(n), set);
			if (!err && sigs)
				err = add_set(&s, store_node_name(n), sigs);
			done += set->count + (sigs ? sigs->count : 0U);
		}
	close_sum(&s);
	if (err)
		return err;
	*at = n;
	*sum = s.sum;
	return 0;
}

/* The set in this node, or NULL. Signatures hang on what they cover, or stand alone. */
static const struct store_rrset *find_set(const struct store_snapshot *s, const struct store_node *n, uint16_t type, uint16_t covers)
{
	const struct store_rrset *set;

	if (type != RR_RRSIG)
		return store_rrset_of(s, n, type);
	set = store_rrset_of(s, n, covers);
	if (set && set->sigs)
		return store_at(s, set->sigs);
	for (unsigned i = 0; i < n->rrsets; i++) {
		set = store_at(s, n->sets[i]);
		if (set->type == RR_RRSIG && set->covers == covers)
			return set;
	}
	return NULL;
}

static bool has_set(const struct content *c, const struct content_rrset *wanted)
{
	for (size_t i = content_find(c, wanted->owner); i < content_rrset_count(c); i++) {
		const struct content_rrset *set = content_rrset(c, i);

		if (!name_equal(set->owner, wanted->owner))
			return false;
		if (set->type == wanted->type && set->covers == wanted->covers)
			return true;
	}
	return false;
}

/* The sets of the zone that a content names, but for those that `but` names too. */
static int add_named(struct summing *sum, const struct store_snapshot *s, const struct store_zone *z, const struct content *named,
                     const struct content *but)
{
	int err = 0;

	for (size_t i = 0; i < content_rrset_count(named) && !err; i++) {
		const struct content_rrset *wanted = content_rrset(named, i);
		const struct store_node *hash = store_nsec3_node(s, z, wanted->owner);
		const struct store_rrset *set = NULL;
		struct store_lookup l;

		if (but && has_set(but, wanted))
			continue;
		store_lookup(s, z, wanted->owner, &l);
		/* An owner of NSEC3 may have other sets too, under its name (RFC 5155 appendix A). */
		if (hash && name_equal(store_node_name(hash), wanted->owner))
			set = find_set(s, hash, wanted->type, wanted->covers);
		if (!set && l.node)
			set = find_set(s, l.node, wanted->type, wanted->covers);
		if (set)
			err = add_set(sum, wanted->owner, set);
	}
	return err;
}

int zone_digest_touched(const struct store_snapshot *snapshot, const struct store_zone *z, const struct zone_change *change, struct zone_digest *out)
{
	struct summing s;
	int err = open_sum(&s);

	if (!err)
		err = add_named(&s, snapshot, z, change->removed, NULL);
	if (!err)
		err = add_named(&s, snapshot, z, change->added, change->removed);
	close_sum(&s);
	if (!err)
		*out = s.sum;
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
