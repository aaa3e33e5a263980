/* SPDX-License-Identifier: BSD-2-Clause */
/* From a question to the sections of its answer:
 *
 *	zone -> lookup -> delegation? DNAME? the name itself? a wildcard? nothing
 *
 * A CNAME or a DNAME changes the name and begins again, at most ENGINE_CHAIN_MAX times and also into another zone of ours; the rcode is that of the
 * last name (RFC 6604), AA that of the first (RFC 1034 6.2.7 as everybody reads it). Where a policy steers the name, what it chooses stands in the place of the zone's set (steering.c). */
#include "answer/resolve.h"

#include "answer/cache.h"
#include "answer/proof.h"
#include "steer/records.h"

#include <string.h>

/* A wildcard stood for this name, which is proved not to exist once the answer section is complete. */
struct synthesis {
	const struct store_zone *z;
	const uint8_t *name;
	const struct store_node *encloser;
};

struct step {
	struct compose *c;
	const struct store_snapshot *s;
	const struct store_zone *z;
	struct proof proof;
	struct engine_scratch *scratch;
	const uint8_t *name; /* being asked for now */
	uint16_t qtype;
	bool any_all;        /* QTYPE ANY gets every set */
	unsigned taken;      /* aliases followed so far */
	struct name *chain;  /* where each of them led; chain[taken] is free for the next */
	struct synthesis *syntheses; /* ENGINE_CHAIN_MAX places */
	unsigned synthesis_count;
	const struct store_rrset *additional_for; /* set whose names' addresses are added, last of all */
	const struct store_node *additional_cut;  /* of a referral: glue below it is needed */
	struct resolution *out;
	const struct steering *steering; /* NULL: nothing is steered */
	const struct engine_request *request;
};

enum outcome { DONE, AGAIN };

static uint32_t negative_ttl(const struct store_rrset *soa_set)
{
	uint16_t len = get_u16(soa_set->data);
	struct soa soa;

	/* RFC 2308 3: min(TTL of the SOA, MINIMUM) */
	return soa_parse(soa_set->data + 2, len, &soa) == 0 ? MIN(soa.minimum, soa_set->ttl) : soa_set->ttl;
}

static void put_soa(struct step *st)
{
	const struct store_node *apex = store_at(st->s, st->z->apex);
	const struct store_rrset *soa = store_rrset_of(st->s, apex, RR_SOA);

	if (soa)
		compose_must(st->c, st->s, SECTION_AUTHORITY, store_node_name(apex), soa, negative_ttl(soa));
}

/* ---- additional section ---- */

/* Addresses of a name in the zone. glue: also what lies below a delegation. needed: the answer is of no use without. */
static void put_addresses(struct step *st, const uint8_t *target, bool glue, bool needed)
{
	struct compose *c = st->c;
	struct store_lookup l;

	if (!name_is_under(target, store_zone_apex(st->z)))
		return;
	store_lookup(st->s, st->z, target, &l);
	if (!l.node || l.dname || (l.cut && !glue))
		return;
	for (int i = 0; i < 2; i++) {
		const struct store_rrset *set = store_rrset_of(st->s, l.node, i ? RR_AAAA : RR_A);

		if (!set)
			continue;
		/* Beyond the table nobody knows what is there already. */
		if (c->included_count == ENGINE_INCLUDED_MAX && !needed)
			return;
		/* RFC 9471 3.1: a referral without its glue is truncated. */
		if (!compose_set(c, st->s, SECTION_ADDITIONAL, store_node_name(l.node), set, UINT32_MAX) && needed)
			c->truncated = true;
	}
}

static void put_additional(struct step *st)
{
	const struct store_rrset *set = st->additional_for;
	const struct store_node *cut = st->additional_cut;
	const uint8_t *p = set ? set->data : NULL;

	for (unsigned i = 0; set && i < set->count && !st->c->truncated; i++) {
		uint16_t len = get_u16(p);
		const uint8_t *target = rdata_target(set->type, p + 2, len);

		if (target)
			put_addresses(st, target, set->type == RR_NS, cut && name_is_under(target, store_node_name(cut)));
		p += 2 + len;
	}
}

/* ---- outcomes ---- */

static enum outcome referral(struct step *st, const struct store_node *cut)
{
	const struct store_rrset *ns = store_rrset_of(st->s, cut, RR_NS);

	if (!st->taken)
		st->out->authoritative = false;
	st->out->rcode = RCODE_NOERROR;
	if (!ns)
		return DONE;
	compose_must(st->c, st->s, SECTION_AUTHORITY, store_node_name(cut), ns, UINT32_MAX);
	if (st->c->dnssec_ok && st->z->is_signed) {
		const struct store_rrset *ds = store_rrset_of(st->s, cut, RR_DS);

		if (ds)
			compose_must(st->c, st->s, SECTION_AUTHORITY, store_node_name(cut), ds, UINT32_MAX);
		else
			proof_no_ds(&st->proof, cut);
	}
	st->additional_for = ns;
	st->additional_cut = cut;
	return DONE;
}

static enum outcome no_data(struct step *st, const struct store_node *node)
{
	put_soa(st);
	if (st->c->dnssec_ok)
		proof_no_data(&st->proof, st->name, node);
	return DONE;
}

static enum outcome no_name(struct step *st, const struct store_node *encloser)
{
	st->out->rcode = RCODE_NXDOMAIN;
	put_soa(st);
	if (st->c->dnssec_ok)
		proof_no_name(&st->proof, st->name, encloser);
	return DONE;
}

/* Go on with the name in chain[taken], unless the chain has been there. */
static enum outcome follow(struct step *st)
{
	const uint8_t *target = st->chain[st->taken].wire;

	if (name_equal(target, st->c->qname))
		return DONE;
	for (unsigned i = 0; i < st->taken; i++)
		if (name_equal(target, st->chain[i].wire))
			return DONE;
	st->name = target;
	st->taken++;
	return AGAIN;
}

static enum outcome follow_cname(struct step *st, const struct store_rrset *cname)
{
	if (name_check(cname->data + 2, get_u16(cname->data)) < 0)
		return DONE;
	name_copy(&st->chain[st->taken], cname->data + 2);
	return follow(st);
}

static enum outcome follow_dname(struct step *st, const struct store_node *node)
{
	const struct store_rrset *set = store_rrset_of(st->s, node, RR_DNAME);
	struct name *target = &st->chain[st->taken];

	st->out->one_zone = false; /* the alias is made of the name as it was asked, case and all */
	if (!set || name_check(set->data + 2, get_u16(set->data)) < 0)
		return DONE;
	compose_must(st->c, st->s, SECTION_ANSWER, store_node_name(node), set, UINT32_MAX);
	if (name_replace_suffix(st->name, store_node_name(node), set->data + 2, target) < 0) {
		st->out->rcode = RCODE_YXDOMAIN; /* RFC 6672 2.2 */
		return DONE;
	}
	/* RFC 6672 3.1: the synthesized CNAME has the DNAME's TTL and no signature. */
	if (!st->c->truncated &&
	    !compose_record(st->c, SECTION_ANSWER, st->name, RR_CNAME, CLASS_IN, set->ttl, target->wire, target->len))
		st->c->truncated = true;
	return st->qtype == RR_CNAME || st->c->truncated ? DONE : follow(st);
}

/* All signatures at a node (QTYPE RRSIG). */
static bool put_signatures(struct step *st, const struct store_node *node)
{
	bool any = false;

	for (unsigned i = 0; i < node->rrsets && !st->c->truncated; i++) {
		const struct store_rrset *set = store_at(st->s, node->sets[i]);
		const struct store_rrset *sigs = set->type == RR_RRSIG ? set : store_at(st->s, set->sigs);

		if (!sigs)
			continue;
		any = true;
		if (!compose_plain(st->c, SECTION_ANSWER, st->name, sigs))
			st->c->truncated = true;
	}
	return any;
}

/* Every set at a node (QTYPE ANY). */
static void put_every_set(struct step *st, const struct store_node *node, bool wildcard)
{
	for (unsigned i = 0; i < node->rrsets; i++) {
		const struct store_rrset *set = store_at(st->s, node->sets[i]);

		if (wildcard)
			compose_wildcard(st->c, st->s, st->name, set);
		else
			compose_must(st->c, st->s, SECTION_ANSWER, st->name, set, UINT32_MAX);
	}
}

static void note_synthesis(struct step *st, const struct store_node *encloser)
{
	if (st->synthesis_count < ENGINE_CHAIN_MAX)
		st->syntheses[st->synthesis_count++] = (struct synthesis){st->z, st->name, encloser};
}

static void prove_syntheses(struct step *st)
{
	for (unsigned i = 0; st->c->dnssec_ok && i < st->synthesis_count; i++) {
		st->proof.z = st->syntheses[i].z;
		proof_wildcard(&st->proof, st->syntheses[i].name, st->syntheses[i].encloser);
	}
}

/* ---- steering ---- */

enum steered { STEERED_NOT, STEERED_PUT, STEERED_CLOSED };

/* Where STEER and VARIANT records of an owner are: see steering.c. NULL: it has none. */
static const struct store_node *steering_node(struct step *st, const struct store_node *node, uint16_t type)
{
	static const uint8_t label[] = "\x06_steer";
	struct store_lookup l;
	struct name below;

	if (type != RR_CNAME)
		return node;
	if (node->name_len + sizeof(label) - 1 > NAME_LEN_MAX)
		return NULL;
	memcpy(below.wire, label, sizeof(label) - 1);
	memcpy(below.wire + sizeof(label) - 1, store_node_name(node), node->name_len);
	store_lookup(st->s, st->z, below.wire, &l);
	return l.cut || l.dname ? NULL : l.node;
}

static uint32_t policy_of(struct step *st, const struct store_node *node, bool wildcard, const struct store_node *records)
{
	const struct steer_table *table = st->steering->table;
	const struct store_rrset *set;
	const char *policy;
	struct name lower;
	uint32_t found;
	size_t len;

	name_lower(&lower, st->name);
	found = steer_policy_of(table, lower.wire);
	if (found == UINT32_MAX && wildcard) {
		name_lower(&lower, store_node_name(node));
		found = steer_policy_of(table, lower.wire);
	}
	if (found != UINT32_MAX || !records)
		return found;
	set = store_rrset_of(st->s, records, RR_STEER);
	return set && steer_record_policy(set->data + 2, get_u16(set->data), &policy, &len) ? steer_policy_named(table, policy, len) : UINT32_MAX;
}

/* Is there, beside a set of the zone, a signature of it that is good now? */
static bool own_is_good(const struct step *st, const struct store_rrset *own)
{
	const struct store_rrset *sigs = store_at(st->s, own->sigs);
	const uint8_t *p = sigs ? sigs->data : NULL;

	for (unsigned i = 0; sigs && i < sigs->count; i++) {
		if (steer_signature_good(p + 2, get_u16(p), st->request->now_s))
			return true;
		p += 2 + get_u16(p);
	}
	return false;
}

/* Signatures that a choice may go out with; false: there are none. Those that have ended are left out; where only such are left, the zone's own set is of more use, unless its own have ended, too: then it may
 * be the clock here that is wrong. */
static bool find_signatures(struct step *st, const struct store_node *records, const struct store_rrset *own, struct steer_rdata *set, size_t count, struct steer_signatures *out)
{
	const struct store_rrset *variants = records ? store_rrset_of(st->s, records, RR_VARIANT) : NULL;
	uint8_t hash[STEER_SET_HASH_LEN];

	if (!variants)
		return false;
	steer_set_hash(own->type, set, count, hash);
	steer_variants_find(variants->data, variants->size, variants->count, own->type, hash, st->request->now_s, out);
	if (!out->count)
		return false;
	cache_hold(st->scratch->cache, out->from, out->until);
	return out->good || !own_is_good(st, own);
}

/* RDATA of the endpoints chosen, canonical; of names, one: an owner has one CNAME. */
static size_t chosen_rdata(struct step *st, const struct steer_choice *choice, uint16_t type, struct name *target, struct steer_rdata set[STEER_ENDPOINTS_MAX])
{
	size_t n = 0;

	for (uint64_t left = choice->chosen; left; left &= left - 1) {
		const struct steer_endpoint *e = steer_endpoint(st->steering->table, choice->pool, (unsigned)__builtin_ctzll(left));

		if (type == RR_CNAME) {
			name_lower(target, e->target);
			set[0] = (struct steer_rdata){target->wire, target->len};
			return 1;
		}
		set[n++] = (struct steer_rdata){e->addr.bytes, type == RR_A ? 4 : 16};
	}
	return n;
}

/* In place of a set of the zone what its owner's policy chooses. *target, for a CNAME: where that leads. */
static enum steered put_steered(struct step *st, const struct store_node *node, bool wildcard, const struct store_rrset *own, struct name *target)
{
	const struct store_node *records = steering_node(st, node, own->type);
	struct steer_rdata set[STEER_ENDPOINTS_MAX];
	struct steer_signatures sigs = {.count = 0};
	uint32_t policy = policy_of(st, node, wildcard, records), ttl = own->ttl;
	struct resolution *out = st->out;
	struct steering_choice choice;
	size_t count;

	if (policy == UINT32_MAX)
		return STEERED_NOT;
	out->steered_family = (uint8_t)steering_family(own->type);
	steering_choose(st->steering, policy, out->steered_family, st->request, &st->scratch->query, st->scratch->random, &choice);
	out->scope = MAX(out->scope, choice.scope);
	out->choice = choice;
	out->steered++;
	if (!choice.c.chosen && !choice.c.foreign) {
		out->rcode = RCODE_SERVFAIL;
		out->authoritative = false;
		out->closed = true;
		return STEERED_CLOSED;
	}
	if (!choice.c.chosen)
		return STEERED_NOT;
	count = chosen_rdata(st, &choice.c, own->type, target, set);
	if (st->c->dnssec_ok && st->z->is_signed) {
		if (!find_signatures(st, records, own, set, count, &sigs)) {
			out->unsigned_choice = true;
			return STEERED_NOT;
		}
		/* RFC 4034 3.1.4: never above the TTL that was signed. */
		for (unsigned i = 0; i < sigs.count; i++)
			ttl = MIN(ttl, get_u32(sigs.rrsig[i].octets + 4));
	}
	if (!st->c->truncated && !compose_made(st->c, st->name, own->type, MIN(ttl, choice.c.ttl_s), set, count, sigs.rrsig, sigs.count))
		st->c->truncated = true;
	return STEERED_PUT;
}

/* The name exists, or a wildcard stands for it; node is the one with the data. */
static enum outcome at_node(struct step *st, const struct store_node *node, const struct store_node *wildcard_encloser)
{
	const struct store_rrset *set = NULL, *cname;

	if (st->qtype == RR_RRSIG && put_signatures(st, node)) {
		if (wildcard_encloser)
			note_synthesis(st, wildcard_encloser);
		return DONE;
	}
	if (st->qtype == RR_ANY && st->any_all && node->rrsets) {
		put_every_set(st, node, wildcard_encloser != NULL);
		if (wildcard_encloser)
			note_synthesis(st, wildcard_encloser);
		return DONE;
	}
	/* RFC 8482 4.1: one of the sets. */
	if (st->qtype == RR_ANY && node->rrsets)
		set = store_at(st->s, node->sets[0]);
	else if (st->qtype != RR_RRSIG)
		set = store_rrset_of(st->s, node, st->qtype);
	cname = set ? NULL : store_rrset_of(st->s, node, RR_CNAME);
	if (!set && !cname) {
		put_soa(st);
		if (st->c->dnssec_ok && wildcard_encloser)
			proof_wildcard_no_data(&st->proof, st->name, wildcard_encloser, node);
		else if (st->c->dnssec_ok)
			proof_no_data(&st->proof, st->name, node);
		return DONE;
	}
	if (st->steering && st->qtype != RR_ANY && steering_family((set ? set : cname)->type) >= 0) {
		enum steered how = put_steered(st, node, wildcard_encloser != NULL, set ? set : cname, &st->chain[st->taken]);

		if (how == STEERED_PUT && wildcard_encloser)
			note_synthesis(st, wildcard_encloser);
		if (how != STEERED_NOT)
			return how == STEERED_PUT && cname && !st->c->truncated ? follow(st) : DONE;
	}
	if (wildcard_encloser)
		compose_wildcard(st->c, st->s, st->name, set ? set : cname);
	else
		compose_must(st->c, st->s, SECTION_ANSWER, st->name, set ? set : cname, UINT32_MAX);
	if (wildcard_encloser)
		note_synthesis(st, wildcard_encloser);
	if (cname)
		return st->c->truncated ? DONE : follow_cname(st, cname);
	st->additional_for = set;
	return DONE;
}

static enum outcome one_step(struct step *st)
{
	const struct store_node *wildcard;
	struct store_lookup l;

	store_lookup(st->s, st->z, st->name, &l);
	/* RFC 4035 3.1.4.1: the parent answers for DS at the cut itself. */
	if (l.cut && !(l.cut == l.node && st->qtype == RR_DS))
		return referral(st, l.cut);
	if (l.cut) {
		const struct store_rrset *ds = store_rrset_of(st->s, l.cut, RR_DS);

		if (!ds)
			return no_data(st, l.cut);
		compose_must(st->c, st->s, SECTION_ANSWER, st->name, ds, UINT32_MAX);
		return DONE;
	}
	if (l.dname)
		return follow_dname(st, l.dname);
	if (l.node)
		return at_node(st, l.node, NULL);
	wildcard = store_wildcard(st->s, st->z, l.encloser);
	return wildcard ? at_node(st, wildcard, l.encloser) : no_name(st, l.encloser);
}

/* The answer section, and of the authority section what the end of the chain says. */
static void walk(struct step *st)
{
	const struct store_snapshot *s = st->s;
	struct resolution *out = st->out;

	for (;;) {
		bool first = !st->taken;
		/* RFC 4035 3.1.4.1 speaks of the name asked for; an alias that leads to an apex of ours has arrived there. */
		const struct store_zone *z = store_zone_find(s, st->name, st->qtype == RR_DS && first);

		/* No parent here: the child itself says that it has no DS. */
		if (!z && st->qtype == RR_DS && first) {
			z = store_zone_find(s, st->name, false);
			out->one_zone = false; /* a parent may come */
		}
		if (!first && z != out->zone)
			out->one_zone = false;
		if (!z || z->state != STORE_ZONE_SERVING) {
			if (!first)
				return; /* the chain so far is the answer */
			out->zone = z;
			out->rcode = z ? RCODE_SERVFAIL : RCODE_REFUSED;
			out->authoritative = false;
			out->not_ready = z != NULL;
			return;
		}
		if (first)
			out->zone = z;
		st->z = z;
		/* Its answers depend on what lies above or below it. */
		if (st->qtype == RR_DS)
			out->one_zone = false;
		st->proof = (struct proof){.c = st->c, .s = s, .z = z, .scratch = st->scratch};
		out->rcode = RCODE_NOERROR;
		if (one_step(st) == DONE || st->c->truncated || st->taken == ENGINE_CHAIN_MAX)
			return;
	}
}

void resolve(struct compose *c, const struct store_snapshot *s, const struct engine_config *conf, struct engine_scratch *scratch,
             const struct engine_request *request, struct resolution *out)
{
	struct synthesis syntheses[ENGINE_CHAIN_MAX];
	struct step st = {.c = c, .any_all = conf->any == ENGINE_ANY_ALL, .s = s, .scratch = scratch, .name = c->qname, .qtype = scratch->query.qtype, .chain = scratch->chain,
	                  .syntheses = syntheses, .out = out, .steering = conf->steering, .request = request};

	*out = (struct resolution){.rcode = RCODE_NOERROR, .authoritative = true, .one_zone = true};
	walk(&st);
	if (out->closed)
		return;
	prove_syntheses(&st);
	put_additional(&st);
}
