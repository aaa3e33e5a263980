/* SPDX-License-Identifier: BSD-2-Clause */
/* One pass over the sets in canonical order. In that order everything below a name follows it directly, so the delegation or DNAME that
 * hides a record is simply the last one seen that is an ancestor. */
#include "zone/check.h"

#include "zone/content_priv.h"
#include "zone/signatures.h"


#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { NAMES_NEXT = 3 /* names behind a delegation that are looked at before its targets are searched for */ };

struct pass {
	const struct content *c;
	struct diag *diag;
	const uint8_t *cut;   /* delegation in force, or NULL */
	unsigned cut_labels;
	bool inside;          /* all of it is in the zone: then the apex comes first */
	const uint8_t *dname; /* DNAME in force, or NULL */
};

static bool beside_cname(uint16_t type)
{
	/* RFC 2181 10.1 with RFC 4034 and RFC 2535. */
	return type == RR_CNAME || type == RR_RRSIG || type == RR_NSEC || type == RR_KEY || type == RR_SIG || type == RR_NXT;
}

static void check_ttl(struct pass *p, const struct content_rrset *set)
{
	if (set->ttl_differs)
		content_problem(p->c, p->diag, DIAG_WARNING, set, "the records of this set have different TTLs: the smallest, %u, is used (RFC 2181 5.2)", set->ttl);
	if (set->ttl < ZONE_TTL_LOW && set->type != RR_RRSIG && set->type != RR_NSEC && set->type != RR_NSEC3 && set->type != RR_NSEC3PARAM)
		content_problem(p->c, p->diag, DIAG_WARNING, set, "a TTL of %u s makes resolvers ask all the time: %d s or more", set->ttl, ZONE_TTL_LOW);
	if (set->duplicates)
		content_problem(p->c, p->diag, DIAG_WARNING, set, "%u duplicate record%s dropped", set->duplicates, set->duplicates > 1 ? "s" : "");
}

/* The first set of the name if it is the owner of one of the next few names, as glue is, written as there; else the number of sets. */
static size_t find_next(const struct content *c, const uint8_t *name, size_t near)
{
	size_t n = content_rrset_count(c), len = name_len(name);
	const uint8_t *owner = content_at(c, near)->owner;
	unsigned owners = 0;

	for (size_t i = near + 1; i < n && owners < NAMES_NEXT; i++) {
		if (content_at(c, i)->owner == owner)
			continue;
		owner = content_at(c, i)->owner;
		owners++;
		if (name_len(owner) == len && memcmp(owner, name, len) == 0)
			return i;
	}
	return n;
}

/* What a name has, found in one look. */
static void look(const struct content *c, const uint8_t *name, size_t near, bool *alias, bool *address)
{
	size_t n = content_rrset_count(c), next = find_next(c, name, near);

	*alias = *address = false;
	for (size_t i = next < n ? next : content_find_near(c, name, near); i < n && name_equal(content_at(c, i)->owner, name); i++) {
		uint16_t type = content_at(c, i)->type;

		*alias |= type == RR_CNAME;
		*address |= type == RR_A || type == RR_AAAA;
	}
}

/* Does the RDATA end with the octets of the apex? Its last field is a name, so if not, this is no name in the zone. */
static bool ends_with(const struct content_record *r, const uint8_t *apex, size_t apex_len)
{
	const uint8_t *tail = r->rdata + r->rdlen - apex_len;

	if (r->rdlen < apex_len)
		return false;
	for (size_t i = 0; i < apex_len; i++)
		if (tail[i] != apex[i] && (tail[i] ^ apex[i]) != 0x20)
			return false;
	return true;
}

/* The target of NS, MX, SRV inside this zone: is there an address, and is it no alias? */
static void check_targets(struct pass *p, const struct content_rrset *set, size_t index)
{
	const uint8_t *apex = content_apex(p->c);
	char name[NAME_TEXT_MAX];
	size_t apex_len;

	if (set->type != RR_NS && set->type != RR_MX && set->type != RR_SRV)
		return;
	apex_len = name_len(apex);
	for (uint32_t i = 0; i < set->count; i++) {
		const uint8_t *target;
		bool alias, address;

		if (!ends_with(&set->records[i], apex, apex_len))
			continue;
		target = rdata_target(set->type, set->records[i].rdata, set->records[i].rdlen);
		if (!target || !name_is_under(target, apex) || name_is_root(target))
			continue;
		look(p->c, target, index, &alias, &address);
		if (!alias && (address || set->type != RR_NS))
			continue;
		name_to_text(target, name);
		if (alias)
			content_problem(p->c, p->diag, DIAG_WARNING, set, "points at %s, which is an alias (RFC 2181 10.3)", name);
		else if (name_is_under(target, set->owner))
			content_problem(p->c, p->diag, DIAG_WARNING, set, "missing glue: %s has neither A nor AAAA", name);
	}
}

static void check_apex(struct pass *p)
{
	const uint8_t *apex = content_apex(p->c);
	const struct content_rrset *soa = content_soa(p->c);
	const char *file = content_file(p->c, 0);
	char name[NAME_TEXT_MAX];

	name_to_text(apex, name);
	if (!soa)
		diag_add(p->diag, DIAG_ERROR, file, 0, 0, "the zone %s has no SOA record at its apex", name);
	else if (soa->count > 1)
		content_problem(p->c, p->diag, DIAG_ERROR, soa, "%u different SOA records: there must be one", soa->count);
	if (!content_lookup(p->c, apex, RR_NS))
		diag_add(p->diag, DIAG_ERROR, file, 0, 0, "the zone %s has no NS record at its apex", name);
}

/* The number of STEER may mean something else to others: one of ours begins with a name. */
static bool names_policy(const struct content_record *r)
{
	if (!r->rdlen || !r->rdata[0] || r->rdlen < 1U + r->rdata[0])
		return false;
	for (unsigned i = 1; i <= r->rdata[0]; i++)
		if (r->rdata[i] <= ' ' || r->rdata[i] > '~')
			return false;
	return true;
}

/* Where steering of an alias stands: steer/records.h. */
static bool is_below_cname(const uint8_t *owner)
{
	static const uint8_t label[] = "\x06_steer";

	return owner[0] == label[0] && strncasecmp((const char *)owner + 1, (const char *)label + 1, label[0]) == 0;
}

/* What is wrong with the sets of one owner, from i up to end. */
static void check_owner(struct pass *p, size_t i, size_t end)
{
	const struct content_rrset *first = content_at(p->c, i), *cname = NULL, *other = NULL, *steer = NULL;
	bool steered = false;
	const uint8_t *apex = content_apex(p->c), *owner = first->owner;
	bool at_apex = (!i || !p->inside) && name_equal(owner, apex);
	char text[RRTYPE_TEXT_MAX];

	if (!p->inside && !at_apex && !name_is_under(owner, apex)) {
		content_problem(p->c, p->diag, DIAG_ERROR, first, "is outside the zone");
		return;
	}
	if (p->cut && (name_labels(owner) <= p->cut_labels || !name_is_under(owner, p->cut)))
		p->cut = NULL;
	if (p->dname && (!name_is_under(owner, p->dname) || name_equal(owner, p->dname)))
		p->dname = NULL;
	if (p->dname)
		content_problem(p->c, p->diag, DIAG_WARNING, first, "lies below a DNAME and is never answered (RFC 6672 2.4)");
	else if (p->cut) {
		for (size_t k = i; k < end; k++) {
			uint16_t type = content_at(p->c, k)->type;

			if (type != RR_A && type != RR_AAAA && type != RR_RRSIG && type != RR_NSEC) {
				content_problem(p->c, p->diag, DIAG_WARNING, content_at(p->c, k), "%s record below a delegation is never answered",
				    rrtype_text(type, text));
				break;
			}
		}
	}
	for (size_t k = i; k < end; k++) {
		const struct content_rrset *set = content_at(p->c, k);

		check_ttl(p, set);
		check_targets(p, set, k);
		if (set->type == RR_SOA && !at_apex)
			content_problem(p->c, p->diag, DIAG_ERROR, set, "an SOA record belongs at the apex only");
		if (set->type == RR_STEER && names_policy(&set->records[0]))
			steer = set;
		steered |= set->type == RR_A || set->type == RR_AAAA;
		if (set->type == RR_CNAME)
			cname = set;
		else if (!beside_cname(set->type))
			other = set;
		if ((set->type == RR_CNAME || set->type == RR_DNAME) && set->count > 1)
			content_problem(p->c, p->diag, DIAG_ERROR, set, "%u different %s records: there can be one", set->count, rrtype_text(set->type, text));
		if (set->type == RR_NS && !at_apex && !p->cut) {
			p->cut = owner;
			p->cut_labels = name_labels(owner);
		}
		if (set->type == RR_DNAME)
			p->dname = owner;
		if (set->type == RR_NSEC3PARAM && at_apex && set->records[0].rdlen >= 4 && get_u16(set->records[0].rdata + 2))
			content_problem(p->c, p->diag, DIAG_WARNING, set, "NSEC3 with %u extra iterations: use 0 (RFC 9276)", get_u16(set->records[0].rdata + 2));
	}
	if (steer && !steered && !is_below_cname(owner))
		content_problem(p->c, p->diag, DIAG_WARNING, steer, "a STEER record where there is neither A nor AAAA steers nothing; for a CNAME it stands at _steer below it");
	if (cname && other)
		content_problem(p->c, p->diag, DIAG_ERROR, cname, "a CNAME and other data (%s) at one name (RFC 2181 10.1)", rrtype_text(other->type, text));
}

/* Expired signatures are told once a zone, not once a record. */
static void check_signatures(struct pass *p)
{
	uint32_t now = (uint32_t)time(NULL), expired = 0;
	const struct content_rrset *first = NULL;

	for (size_t i = 0; i < content_rrset_count(p->c); i++) {
		const struct content_rrset *set = content_at(p->c, i);

		for (uint32_t k = 0; signature_set_counts(set->type) && k < set->count; k++) {
			struct signature_set one = {.type = set->type};
			uint32_t end;

			signature_set_add(&one, set->records[k].rdata, set->records[k].rdlen);
			if (signature_set_end(&one, &end) && serial_after(now, end)) {
				first = first ? first : set;
				expired++;
			}
		}
	}
	if (expired)
		content_problem(p->c, p->diag, DIAG_WARNING, first, "%u signature%s of this zone expired: validating resolvers refuse them", expired,
		    expired > 1 ? "s" : "");
}

void zone_check(const struct content *c, struct diag *diag)
{
	struct pass p = {.c = c, .diag = diag};
	size_t n = content_rrset_count(c);

	/* In canonical order what is under a name stands together. */
	p.inside = n && name_is_under(content_at(c, 0)->owner, content_apex(c)) && name_is_under(content_at(c, n - 1)->owner, content_apex(c));
	check_apex(&p);
	for (size_t i = 0; i < n && !diag_full(diag);) {
		size_t end = i + 1;

		while (end < n && content_at(c, end)->owner == content_at(c, i)->owner)
			end++;
		check_owner(&p, i, end);
		i = end;
	}
	check_signatures(&p);
}
