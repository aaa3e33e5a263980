/* SPDX-License-Identifier: BSD-2-Clause */
#include "watch/question.h"

#include "base/attr.h"
#include "base/wire.h"
#include "dns/rr.h"

#include <stdio.h>
#include <string.h>

void question_ask_id(struct question *q, uint16_t id)
{
	q->kind = QUESTION_ID;
	probe_ask_id(&q->wire, id);
}

void question_ask_worker(struct question *q, uint16_t id)
{
	q->kind = QUESTION_WORKER;
	probe_ask_worker(&q->wire, id);
}

/* ---- sets ---- */

/* Is a question for it answered with it, and by this zone? Not what belongs to a zone below or above, which may be served here as well; SOA has its own judge. */
static bool is_answered(const struct store_snapshot *s, const struct store_zone *z, const struct store_node *n, const struct store_rrset *set)
{
	if (n->flags & (NODE_BELOW_CUT | NODE_ENT | NODE_NSEC3 | NODE_CUT) || set->type == RR_SOA || set->type == RR_DS)
		return false;
	return set->size <= PROBE_SET_MAX && set->count <= PROBE_SET_RECORDS && store_zone_find(s, store_node_name(n), false) == z;
}

static void expect_set(struct probe_set *out, const struct store_rrset *set)
{
	probe_set_take(out, set->type, set->ttl, set->count, set->data, set->size);
}

static bool choose_set(struct question *q, const struct store_snapshot *s, const struct store_zone *z, uint64_t number, uint16_t id)
{
	for (unsigned i = 0; i < QUESTION_TRIES; i++, number = number * 0x9e3779b97f4a7c15ULL + i + 1) {
		const struct store_node *n = store_node_some(s, z, number);
		const struct store_rrset *set = n && n->rrsets ? store_at(s, n->sets[(number >> 40) % n->rrsets]) : NULL;

		if (!set || !is_answered(s, z, n, set))
			continue;
		expect_set(&q->set, set);
		if (!q->set.known)
			continue;
		q->kind = QUESTION_SET;
		probe_ask_set(&q->wire, store_node_name(n), set->type, id);
		return true;
	}
	return false;
}

/* The set asked for, as it is now; not known: it is gone. */
static void find_set(const struct question *q, const struct store_snapshot *s, const struct store_zone *z, struct probe_set *out)
{
	const struct store_rrset *set;
	struct store_lookup at;

	out->known = false;
	store_lookup(s, z, q->wire.qname.wire, &at);
	set = at.node ? store_rrset_of(s, at.node, q->wire.qtype) : NULL;
	if (set && is_answered(s, z, at.node, set))
		expect_set(out, set);
}

/* ---- zones ---- */

void question_ask_zone(struct question *q, const struct store_snapshot *s, const uint8_t *apex, bool content, uint64_t number, uint16_t id)
{
	const struct store_zone *z = store_zone_get(s, apex);

	name_copy(&q->apex, apex);
	q->generation = z ? z->generation : 0;
	if (content && z && choose_set(q, s, z, number, id))
		return;
	q->kind = QUESTION_SOA;
	zones_soa(s, apex, &q->soa);
	probe_ask_soa(&q->wire, apex, id);
}

bool question_renew(struct question *q, const struct store_snapshot *s, uint32_t network, uint16_t id)
{
	const struct store_zone *z;

	q->wire.id = id;
	if (q->kind == QUESTION_ID || q->kind == QUESTION_WORKER)
		return true;
	z = store_zone_get(s, q->apex.wire);
	if (!z || !zones_has(s, network, q->apex.wire))
		return false;
	q->generation = z->generation;
	if (q->kind == QUESTION_SOA) {
		zones_soa(s, q->apex.wire, &q->soa);
		return true;
	}
	find_set(q, s, z, &q->set);
	return q->set.known;
}

bool question_is_same(const struct question *a, const struct question *b)
{
	return a->kind == b->kind && a->wire.qtype == b->wire.qtype && name_equal(a->wire.qname.wire, b->wire.qname.wire);
}

static enum probe_verdict judge_set(const struct question *q, const struct store_snapshot *s, const uint8_t *msg, size_t len, char *why)
{
	const struct store_zone *z = s ? store_zone_get(s, q->apex.wire) : NULL;
	struct probe_set now = {.known = false};
	enum probe_verdict v;

	if (z && z->state == STORE_ZONE_SERVING)
		find_set(q, s, z, &now);
	v = probe_judge_set(&q->wire, &q->set, &now, msg, len, why);
	return v == PROBE_FAIL && z && z->generation != q->generation ? PROBE_PASS : v;
}

enum probe_verdict question_judge(const struct question *q, const struct store_snapshot *s, const char *node, unsigned workers, const uint8_t *msg,
                                  size_t len, char *why, unsigned *worker)
{
	struct probe_soa now = {.known = false};

	switch (q->kind) {
	case QUESTION_ID:
		return probe_judge_id(&q->wire, node, msg, len, why);
	case QUESTION_WORKER:
		return probe_judge_worker(&q->wire, workers, msg, len, why, worker);
	case QUESTION_SET:
		return judge_set(q, s, msg, len, why);
	case QUESTION_SOA:
		break;
	}
	if (s)
		zones_soa(s, q->apex.wire, &now);
	return probe_judge_soa(&q->wire, &q->soa, &now, msg, len, why);
}

char *question_subject(const struct question *q, char *buf)
{
	char name[NAME_TEXT_MAX], type[RRTYPE_TEXT_MAX];

	switch (q->kind) {
	case QUESTION_ID:
		snprintf(buf, QUESTION_SUBJECT_MAX, "its own name");
		return buf;
	case QUESTION_WORKER:
		snprintf(buf, QUESTION_SUBJECT_MAX, "its worker's number");
		return buf;
	case QUESTION_SOA:
	case QUESTION_SET:
		break;
	}
	/* It may be very long. */
	name_to_text(q->wire.qname.wire, name);
	if (strlen(name) > 1)
		name[strlen(name) - 1] = '\0';
	snprintf(buf, QUESTION_SUBJECT_MAX, "%s%s%.80s%s", q->kind == QUESTION_SET ? rrtype_text(q->wire.qtype, type) : "",
	         q->kind == QUESTION_SET ? " of " : "", name, strlen(name) > 80 ? "..." : "");
	return buf;
}
