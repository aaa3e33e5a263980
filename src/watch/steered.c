/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks compare what the node answers with what the store has, name by name, but not for sets that a policy may put another
 * in the place of. Whether that policy exists is not looked at for a STEER record: the fleet file may just be changing. */
#include "watch/steered.h"

#include <string.h>

/* Beside a CNAME nothing stands: steer/records.h. */
static bool has_record_below(const struct store_snapshot *s, const struct store_zone *z, const uint8_t *owner)
{
	static const uint8_t label[] = "\x06_steer";
	size_t len = name_len(owner);
	struct store_lookup l;
	struct name below;

	if (len + sizeof(label) - 1 > NAME_LEN_MAX)
		return false;
	memcpy(below.wire, label, sizeof(label) - 1);
	memcpy(below.wire + sizeof(label) - 1, owner, len);
	store_lookup(s, z, below.wire, &l);
	return l.node && store_rrset_of(s, l.node, RR_STEER);
}

bool steered_question(const struct steer_table *t, const struct store_snapshot *s, const struct question *q)
{
	const uint8_t *owner = q->wire.qname.wire;
	const struct store_zone *z;
	struct store_lookup l;
	struct name lower;

	if (!t || q->kind != QUESTION_SET ||
	    (q->wire.qtype != RR_A && q->wire.qtype != RR_AAAA && q->wire.qtype != RR_CNAME))
		return false;
	name_lower(&lower, owner);
	if (steer_policy_of(t, lower.wire) != UINT32_MAX)
		return true;
	z = store_zone_get(s, q->apex.wire);
	if (!z || z->state != STORE_ZONE_SERVING)
		return false;
	store_lookup(s, z, owner, &l);
	return (l.node && store_rrset_of(s, l.node, RR_STEER)) ||
	       (q->wire.qtype == RR_CNAME && has_record_below(s, z, owner));
}
