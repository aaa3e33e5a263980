/* SPDX-License-Identifier: BSD-2-Clause */
/* Steered answers in signed zones.
 *
 * A node that chooses what a name is answered with cannot sign its choice: there are no keys on it. But the choice is one of a known number of sets, by the endpoints of the policy's pools that
 * are up. So where the zone is signed, each of them is signed beforehand and its signature put into the zone as a record of its own, from where it travels as all records do. The node finds
 * it by the hash of the set it is about to give, and gives that set with that signature, which a resolver accepts as it accepts any: an RRSIG says nothing of other sets of the same
 * owner and type.
 *
 *     fleet file, zone (unsigned) --sign-variants--> zone with VARIANT records --the operator's signer--> zone, signed as a whole
 *
 * VARIANT records are data like any to the signer, to secondaries, to NSEC, NSEC3 and ZONEMD: the zone is whole and right by itself. The name has a set of its own of each type that is steered, so
 * that what denial says of its types holds whatever is given.
 *
 * A CNAME has nothing beside it but what DNSSEC itself puts there (RFC 2181 10.1, RFC 4034 2.5 and 3), and servers refuse a zone where it has. So its VARIANT records stand at a name below
 * it, `_steer`, as its STEER record does.
 *
 * `owners` of a policy may be a name that only a wildcard stands for. What is given then is signed as the wildcard's, whose sets are those of all such policies.
 *
 * A key that is compromised with signatures of old sets: an answer that was right once can be replayed until its signature ends, as with any signature. That is why they are given days and
 * not years.
 *
 * Left out: making VARIANT records while the zone is loaded, by a node with the key. The zone that a node loads is signed as a whole already; a record added to it would be one that NSEC
 * and ZONEMD deny and that has no signature itself. It has to be before the signer. */
#include "dnssec/variants.h"

#include "base/err.h"
#include "dns/rr.h"
#include "steer/records.h"
#include "steer/steer.h"
#include "zone/signatures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPES = 3, RECORDS_MAX = STEER_ENDPOINTS_MAX };
#define POLICY_NONE UINT32_MAX

static const struct {
	uint16_t type;
	uint8_t family;
} types[TYPES] = {{RR_A, 4}, {RR_AAAA, 6}, {RR_CNAME, 0}};

/* What has been given to fn of the owner and type at hand. */
struct given {
	uint8_t hash[STEER_SET_HASH_LEN];
	uint16_t count;
};

/* A policy of a configuration, by which a name is answered. */
struct by {
	size_t config;
	uint32_t policy;
	struct name wildcard; /* of `also`: where */
};

struct pass {
	const struct content *c;
	const struct config *const *configs;
	size_t config_count;
	struct steer_table *tables[VARIANTS_CONFIGS_MAX];
	struct diag *diag;
	variants_fn *fn;
	void *ctx;
	struct variants_count *count;
	struct given *given; /* VARIANTS_OWNER_MAX */
	size_t given_count;
	struct by *also; /* of names that wildcards stand for */
	size_t also_count;
	struct by *by; /* of the name at hand; room for one of each configuration, and for also */
	size_t by_count;
	const struct steer_table *table; /* of the configuration at hand */
	struct variants_set now;
	int result; /* of fn */
};

/* ---- sets ---- */

/* The records of a choice in canonical form. */
static size_t records_of(const struct steer_table *t, uint16_t type, uint32_t pool, uint64_t chosen, struct steer_rdata *out, struct name *target)
{
	size_t n = 0;

	for (unsigned i = 0; i < STEER_ENDPOINTS_MAX; i++) {
		const struct steer_endpoint *e = chosen >> i & 1 ? steer_endpoint(t, pool, i) : NULL;

		if (!e)
			continue;
		if (type != RR_CNAME) {
			out[n++] = (struct steer_rdata){e->addr.bytes, type == RR_A ? 4 : 16};
		} else if (!n) { /* a name has one target */
			name_lower(target, e->target);
			out[n++] = (struct steer_rdata){target->wire, target->len};
		}
	}
	return n;
}

/* False: it was there. ERR_LIMIT; ERR_EXISTS: another set has its hash. */
static int remember(struct pass *p, const uint8_t *hash, size_t count, bool *is_new)
{
	*is_new = true;
	for (size_t i = 0; i < p->given_count && *is_new; i++)
		if (memcmp(p->given[i].hash, hash, STEER_SET_HASH_LEN) == 0) {
			if (p->given[i].count != count)
				return ERR_EXISTS;
			*is_new = false;
		}
	if (!*is_new)
		return 0;
	if (p->given_count == VARIANTS_OWNER_MAX)
		return ERR_LIMIT;
	memcpy(p->given[p->given_count].hash, hash, STEER_SET_HASH_LEN);
	p->given[p->given_count++].count = (uint16_t)count;
	return 0;
}

static int on_set(void *ctx, uint32_t pool, uint64_t chosen)
{
	struct pass *p = ctx;
	struct steer_rdata set[RECORDS_MAX];
	struct dnssec_rdata records[RECORDS_MAX];
	struct name target;
	size_t n = records_of(p->table, p->now.set.type, pool, chosen, set, &target);
	bool is_new;
	int err;

	if (!n) /* nothing may be given: that answer has no records */
		return 0;
	steer_set_hash(p->now.set.type, set, n, p->now.hash);
	for (size_t i = 0; i < n; i++)
		records[i] = (struct dnssec_rdata){set[i].octets, set[i].len};
	err = remember(p, p->now.hash, n, &is_new);
	if (err < 0 || !is_new)
		return err;
	p->count->sets++;
	p->now.set.records = records;
	p->now.set.count = n;
	p->result = p->fn(p->ctx, &p->now);
	return p->result;
}

/* ---- owners ---- */

/* By which policy each fleet file has it: what itself says, or else the zone. */
static void find_policies(struct pass *p, const struct name *owner, const struct content_rrset *steer)
{
	p->by_count = 0;
	for (size_t i = 0; i < p->config_count; i++) {
		uint32_t policy = steer_policy_of(p->tables[i], owner->wire);
		const char *name;
		size_t len;

		if (policy == POLICY_NONE && steer) {
			if (steer_record_policy(steer->records[0].rdata, steer->records[0].rdlen, &name, &len))
				policy = steer_policy_named(p->tables[i], name, len);
			if (policy == POLICY_NONE)
				content_problem(p->c, p->diag, DIAG_ERROR, steer, "its STEER record names a policy that %s has not", p->configs[i]->path);
		}
		if (policy != POLICY_NONE)
			p->by[p->by_count++] = (struct by){.config = i, .policy = policy};
	}
	for (size_t i = 0; i < p->also_count && name_is_wildcard(owner->wire); i++)
		if (name_equal(p->also[i].wildcard.wire, owner->wire))
			p->by[p->by_count++] = p->also[i];
}

static const struct config_steering *policy_at(const struct pass *p, const struct by *by)
{
	return &p->configs[by->config]->steering[by->policy];
}

/* A set that is steered. */
static int do_set(struct pass *p, const struct content_rrset *own, uint8_t family)
{
	char type[RRTYPE_TEXT_MAX];
	uint32_t ttl = 0;
	int err = 0;

	p->given_count = 0;
	for (size_t i = 0; i < p->by_count; i++) {
		uint32_t most = policy_at(p, &p->by[i])->ttl_ms / 1000;

		most = most < own->ttl ? most : own->ttl;
		ttl = most > ttl ? most : ttl;
	}
	p->now.set.type = own->type;
	p->now.set.ttl = ttl;
	p->count->owners++;
	for (size_t i = 0; i < p->by_count && err >= 0; i++) {
		p->table = p->tables[p->by[i].config];
		p->now.policy = policy_at(p, &p->by[i])->name;
		err = steer_each_set(p->table, p->by[i].policy, family, VARIANTS_OWNER_MAX, on_set, p);
		if (p->result)
			return p->result;
		if (err == ERR_LIMIT)
			content_problem(p->c, p->diag, DIAG_ERROR, own,
			    "the policy \"%s\" can give more than %d sets of %s records, too many to sign: give it fewer answers, or fewer endpoints in a pool", p->now.policy,
			    VARIANTS_OWNER_MAX, rrtype_text(own->type, type));
		else if (err == ERR_EXISTS)
			content_problem(p->c, p->diag, DIAG_ERROR, own, "two sets of the policy \"%s\" have the same hash: change an address of one of its endpoints", p->now.policy);
		else if (err < 0)
			return err;
	}
	return 0;
}

/* The sets of one owner, from place i up to end. */
static int do_owner(struct pass *p, size_t i, size_t end)
{
	static const uint8_t label[] = "\x06_steer";
	const struct content_rrset *first = content_rrset(p->c, i), *steer = NULL, *own[TYPES] = {0}, *cname;
	struct name owner, below = {0};
	bool any = false;
	int err = 0;

	for (size_t k = i; k < end; k++) {
		const struct content_rrset *set = content_rrset(p->c, k);

		if (set->type == RR_STEER)
			steer = set;
		for (unsigned t = 0; t < TYPES; t++)
			if (set->type == types[t].type)
				own[t] = set;
	}
	cname = own[TYPES - 1];
	name_lower(&owner, first->owner);
	if (cname && owner.len + sizeof(label) - 1 <= NAME_LEN_MAX) {
		memcpy(below.wire, label, sizeof(label) - 1);
		memcpy(below.wire + sizeof(label) - 1, owner.wire, owner.len);
		below.len = (uint8_t)(sizeof(label) - 1 + owner.len);
		steer = content_lookup(p->c, below.wire, RR_STEER);
	}
	find_policies(p, &owner, steer);
	if (!p->by_count)
		return 0;
	if (cname && !below.len) {
		content_problem(p->c, p->diag, DIAG_ERROR, first, "the name is too long for one more label, _steer, below it, where signatures of a CNAME stand");
		return 0;
	}
	p->now.set.owner = owner.wire;
	p->now.at = cname ? below.wire : owner.wire;
	p->now.at_ttl = UINT32_MAX;
	for (unsigned t = 0; t < TYPES; t++)
		if (own[t]) {
			any = true;
			p->now.at_ttl = own[t]->ttl < p->now.at_ttl ? own[t]->ttl : p->now.at_ttl;
		}
	/* Below a CNAME they are found from there. */
	if (!any && !(owner.len >= sizeof(label) && memcmp(owner.wire, label, sizeof(label) - 1) == 0))
		content_problem(p->c, p->diag, DIAG_WARNING, first, "is steered, but has neither A, AAAA nor CNAME of its own, and so answers that there are none");
	for (unsigned t = 0; t < TYPES && !err; t++)
		if (own[t])
			err = do_set(p, own[t], types[t].family);
	p->now.set.owner = p->now.at = NULL; /* they were ours */
	return err;
}

/* The wildcard that stands for a name which is not in the zone (RFC 4592 3.3.1); false: there is none. */
static bool find_wildcard(const struct content *c, const uint8_t *name, struct name *out)
{
	for (const uint8_t *up = name_parent(name); name_is_under(up, content_apex(c)); up = name_parent(up)) {
		size_t at = content_find(c, up), len = name_len(up);

		if (at == content_rrset_count(c) || !name_is_under(content_rrset(c, at)->owner, up)) {
			if (name_is_root(up))
				return false;
			continue;
		}
		if (len + 2 > NAME_LEN_MAX)
			return false;
		memcpy(out->wire, "\1*", 2);
		memcpy(out->wire + 2, up, len);
		out->len = (uint8_t)(2 + len);
		at = content_find(c, out->wire);
		return at < content_rrset_count(c) && name_equal(content_rrset(c, at)->owner, out->wire);
	}
	return false;
}

/* Names that a policy lists, in this zone, but not in its content: what wildcard stands for each. */
static int find_also(struct pass *p)
{
	const uint8_t *apex = content_apex(p->c);
	size_t cap = 0;

	for (size_t i = 0; i < p->config_count; i++)
		for (size_t k = 0; k < p->configs[i]->steering_count; k++)
			cap += p->configs[i]->steering[k].owner_count;
	p->also = calloc(cap + 1, sizeof(*p->also));
	p->by = calloc(cap + p->config_count + 1, sizeof(*p->by));
	if (!p->also || !p->by)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < p->config_count; i++)
		for (size_t k = 0; k < p->configs[i]->steering_count; k++) {
			const struct config_steering *s = &p->configs[i]->steering[k];

			for (size_t o = 0; o < s->owner_count; o++) {
				size_t at = content_find(p->c, s->owners[o]);
				struct by *by = &p->also[p->also_count];
				char name[NAME_TEXT_MAX];

				if (!name_is_under(s->owners[o], apex) || (at < content_rrset_count(p->c) && name_equal(content_rrset(p->c, at)->owner, s->owners[o])))
					continue;
				if (find_wildcard(p->c, s->owners[o], &by->wildcard)) {
					by->config = i;
					by->policy = (uint32_t)k;
					p->also_count++;
					continue;
				}
				name_to_text(s->owners[o], name);
				diag_add(p->diag, DIAG_WARNING, p->configs[i]->path, s->line, 0, "policy \"%s\": the zone has no name %s", s->name, name);
			}
		}
	return 0;
}

int variants_each(const struct content *c, const struct config *const *configs, size_t config_count, struct diag *diag, variants_fn *fn, void *ctx, struct variants_count *count)
{
	struct pass p = {.c = c, .configs = configs, .config_count = config_count, .diag = diag, .fn = fn, .ctx = ctx, .count = count};
	size_t n = content_rrset_count(c);
	int err = 0;

	*count = (struct variants_count){0};
	if (config_count > VARIANTS_CONFIGS_MAX)
		return ERR_LIMIT;
	p.given = malloc(VARIANTS_OWNER_MAX * sizeof(*p.given));
	if (!p.given)
		err = ERR_NO_MEMORY;
	for (size_t i = 0; i < config_count && !err; i++)
		err = steer_table_make(configs[i], NULL, &p.tables[i]);
	if (!err)
		err = find_also(&p);
	for (size_t i = 0; i < n && !err && !diag_full(diag);) {
		size_t end = i + 1;

		while (end < n && content_rrset(c, end)->owner == content_rrset(c, i)->owner)
			end++;
		err = do_owner(&p, i, end);
		i = end;
	}
	for (size_t i = 0; i < config_count; i++)
		steer_table_free(p.tables[i]);
	free(p.by);
	free(p.also);
	free(p.given);
	return err ? err : diag->errors ? ERR_INVALID : 0;
}

/* ---- signatures ---- */

int variants_sign(const struct variants_set *s, const uint8_t *zone, const struct dnssec_key *key, uint32_t inception, uint32_t expiration, uint8_t *out, size_t *len)
{
	size_t n = 0;
	int err = dnssec_sign(key, zone, &s->set, inception, expiration, out + STEER_SET_HASH_LEN, &n);

	if (err < 0)
		return err;
	memcpy(out, s->hash, STEER_SET_HASH_LEN);
	*len = STEER_SET_HASH_LEN + n;
	return 0;
}

int variants_verify(const struct content *c, const struct variants_set *s, const struct dnssec_key *keys, size_t key_count, uint32_t now, uint32_t *end, char *why)
{
	const struct content_rrset *set = content_lookup(c, s->at, RR_VARIANT);
	int err = ERR_NOT_FOUND;
	bool good = false;

	snprintf(why, DNSSEC_WHY_MAX, "there is no VARIANT record for it");
	for (uint32_t i = 0; set && i < set->count; i++) {
		const uint8_t *rrsig;
		uint16_t len;
		int rc = ERR_NOT_FOUND;

		if (!steer_record_variant(set->records[i].rdata, set->records[i].rdlen, s->set.type, s->hash, &rrsig, &len))
			continue;
		for (size_t k = 0; k < key_count && rc == ERR_NOT_FOUND; k++)
			rc = dnssec_verify(&keys[k], content_apex(c), &s->set, rrsig, len, now);
		if (rc == 0) {
			uint32_t until = get_u32(rrsig + 8);

			*end = good && !signatures_before(*end, until) ? *end : until;
			good = true;
		} else if (rc == ERR_NOT_FOUND) {
			err = ERR_INVALID;
			snprintf(why, DNSSEC_WHY_MAX, "its VARIANT record is by the key %u, which the zone's DNSKEY set has not", get_u16(rrsig + 16));
		} else if (rc == ERR_STALE) {
			err = ERR_STALE;
			snprintf(why, DNSSEC_WHY_MAX, "its VARIANT record is not yet good or no longer");
		} else {
			err = ERR_INVALID;
			snprintf(why, DNSSEC_WHY_MAX, "its VARIANT record is wrong");
		}
	}
	return good ? 0 : err;
}
