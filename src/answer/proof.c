/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/proof.h"

#include "answer/nsec3_hash.h"

#include <string.h>

static void put_denial(struct proof *p, const struct store_node *node, uint16_t type)
{
	const struct store_rrset *set = node ? store_rrset_of(p->s, node, type) : NULL;

	if (set)
		compose_must(p->c, p->s, SECTION_AUTHORITY, store_node_name(node), set, UINT32_MAX);
}

/* ---- NSEC ---- */

static void put_nsec_cover(struct proof *p, const uint8_t *name)
{
	put_denial(p, store_nsec_cover(p->s, p->z, name), RR_NSEC);
}

/* The wildcard that could have answered: "*.ENCLOSER". False when that name is too long to exist. */
static bool wildcard_of(const uint8_t *encloser, struct name *out)
{
	size_t len = name_len(encloser);

	if (len > NAME_LEN_MAX - 2)
		return false;
	out->wire[0] = 1;
	out->wire[1] = '*';
	memcpy(out->wire + 2, encloser, len);
	out->len = (uint8_t)(len + 2);
	return true;
}

/* ---- NSEC3 ---- */

static const struct store_nsec3_params *nsec3_params(const struct proof *p)
{
	return p->z->nsec3 ? store_at(p->s, p->z->nsec3_params) : NULL;
}

/* The node for name's hash: *exact when it matches, else it covers. NULL: no proof is possible. */
static const struct store_node *nsec3_of(const struct proof *p, const uint8_t *name, bool *exact)
{
	uint8_t hash[20];

	*exact = false;
	if (nsec3_hash(nsec3_params(p), name, hash) < 0)
		return NULL;
	return store_nsec3_cover(p->s, p->z, hash, exact);
}

static bool put_nsec3(struct proof *p, const uint8_t *name, bool want_match)
{
	bool exact;
	const struct store_node *node = nsec3_of(p, name, &exact);

	if (!node || (want_match && !exact))
		return false;
	put_denial(p, node, RR_NSEC3);
	return true;
}

/* RFC 5155 7.2.1: the closest encloser that has an NSEC3 (opt-out may have left out deeper ones), matched; and the next closer name, covered.
 * name is below the name with encloser_labels, which exists. Returns the encloser proved, inside name; NULL: none could be. */
static const uint8_t *put_closest_encloser(struct proof *p, const uint8_t *name, unsigned encloser_labels)
{
	unsigned least = name_labels(store_zone_apex(p->z));

	for (unsigned l = encloser_labels; l >= least; l--) {
		const uint8_t *candidate = name_suffix(name, l);
		bool exact;
		const struct store_node *node = nsec3_of(p, candidate, &exact);

		if (!node)
			return NULL;
		if (exact) {
			put_denial(p, node, RR_NSEC3);
			put_nsec3(p, name_suffix(name, l + 1), false);
			return candidate;
		}
		if (!l)
			break;
	}
	return NULL;
}

/* ---- what the engine asks for ---- */

void proof_no_data(struct proof *p, const uint8_t *name, const struct store_node *node)
{
	if (nsec3_params(p)) {
		/* No match: an empty non-terminal or an insecure delegation that opt-out left out (7.2.4). */
		if (!put_nsec3(p, name, true) && node->labels)
			put_closest_encloser(p, name, node->labels - 1U);
		return;
	}
	if (store_rrset_of(p->s, node, RR_NSEC))
		put_denial(p, node, RR_NSEC);
	else
		put_nsec_cover(p, name);
}

void proof_no_name(struct proof *p, const uint8_t *name, const struct store_node *encloser)
{
	struct name *wildcard = &p->scratch->wildcard;

	if (nsec3_params(p)) {
		/* The wildcard to deny is that of the encloser proved, which with opt-out may be above the real one. */
		const uint8_t *proved = put_closest_encloser(p, name, encloser->labels);

		if (proved && wildcard_of(proved, wildcard))
			put_nsec3(p, wildcard->wire, false);
		return;
	}
	put_nsec_cover(p, name);
	if (wildcard_of(store_node_name(encloser), wildcard))
		put_nsec_cover(p, wildcard->wire);
}

void proof_wildcard(struct proof *p, const uint8_t *name, const struct store_node *encloser)
{
	if (nsec3_params(p))
		put_nsec3(p, name_suffix(name, encloser->labels + 1U), false);
	else
		put_nsec_cover(p, name);
}

void proof_wildcard_no_data(struct proof *p, const uint8_t *name, const struct store_node *encloser, const struct store_node *wildcard)
{
	if (nsec3_params(p)) {
		put_closest_encloser(p, name, encloser->labels);
		put_nsec3(p, store_node_name(wildcard), true);
		return;
	}
	put_nsec_cover(p, name);
	proof_no_data(p, store_node_name(wildcard), wildcard);
}

void proof_no_ds(struct proof *p, const struct store_node *cut)
{
	const uint8_t *name = store_node_name(cut);

	if (nsec3_params(p)) {
		if (!put_nsec3(p, name, true))
			put_closest_encloser(p, name, cut->labels - 1U);
		return;
	}
	put_denial(p, cut, RR_NSEC);
}
