/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of our prefixes RPKI forbids to announce. Watch validates and marks rows of the board; here the marked ones are copied, once for
 * each change, and looked up when a neighbor is fed. A row counts until its time is over even if watch is gone by then, and not a moment
 * longer: what nobody can confirm refuses nothing. The decision has a word in it: see origins_apply(). */
#include "route/route.h"

#include <stdio.h>
#include <string.h>

static bool equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && addr_equal(&a->addr, &b->addr);
}

/* The rows that refuse, into `to`. False when one was being written: there will be another look. */
static bool take(const struct board_rpki *b, uint64_t now_ns, struct refusals *to)
{
	uint32_t count = MIN(atomic_load(&b->origins), (uint32_t)BOARD_ORIGINS_MAX);

	to->count = 0;
	to->next_ns = UINT64_MAX;
	for (uint32_t i = 0; i < count; i++) {
		struct refusal *f = &to->list[to->count];
		struct board_origin row;

		if (!board_copy(&b->origin[i].seq, &b->origin[i], &row, sizeof(row)))
			return false;
		if (!row.refuse || row.expires_ns <= now_ns)
			continue;
		*f = (struct refusal){.prefix = row.prefix, .expires_ns = row.expires_ns};
		snprintf(f->why, sizeof(f->why), "%.*s", BOARD_WHY_MAX - 1, row.why);
		to->next_ns = MIN(to->next_ns, row.expires_ns);
		to->count++;
	}
	return true;
}

/* A watch that died while it wrote must not make a refusal eternal. */
static void drop_old(struct refusals *f, uint64_t now_ns)
{
	size_t kept = 0;

	if (now_ns < f->next_ns)
		return;
	f->next_ns = UINT64_MAX;
	for (size_t i = 0; i < f->count; i++) {
		if (f->list[i].expires_ns <= now_ns)
			continue;
		f->next_ns = MIN(f->next_ns, f->list[i].expires_ns);
		f->list[kept++] = f->list[i];
	}
	f->count = kept;
}

void origins_look(struct route *r, uint64_t now_ns)
{
	static struct refusals fresh; /* large; one thread */
	const struct board_rpki *b = &r->role->board->watch.rpki;
	uint32_t changes = atomic_load(&b->changes);

	if (changes == r->refusals.seen && (!r->refusals.count || now_ns < r->refusals.next_ns))
		return;
	if (!take(b, now_ns, &fresh)) {
		drop_old(&r->refusals, now_ns);
		return;
	}
	r->refusals.seen = changes;
	r->refusals.count = fresh.count;
	r->refusals.next_ns = fresh.next_ns;
	memcpy(r->refusals.list, fresh.list, fresh.count * sizeof(*fresh.list));
}

static const char *why_not(const struct route *r, const struct ip_prefix *p)
{
	for (size_t i = 0; i < r->refusals.count; i++)
		if (equal(&r->refusals.list[i].prefix, p))
			return r->refusals.list[i].why;
	return NULL;
}

const char *origins_all_refused(const struct route *r, const struct config_network *n, uint8_t family)
{
	const char *why = NULL;

	for (size_t i = 0; i < n->prefix_count && r->refusals.count; i++) {
		const char *one;

		if (family && n->prefixes[i].addr.family != family)
			continue;
		one = why_not(r, &n->prefixes[i]);
		if (!one)
			return NULL;
		why = why ? why : one;
	}
	return why;
}

bool origins_apply(struct route *r, size_t i, int f)
{
	struct network *n = &r->networks[i];
	enum decide_reason reason = n->family[f].decide.reason;
	uint32_t refused = n->refused;

	if (reason == DECIDE_FROZEN)
		return false;
	for (size_t k = 0; k < n->prefix_count && (refused || r->refusals.count); k++) {
		if ((n->prefixes[k].addr.family == 6) != f)
			continue;
		refused &= ~(1U << k);
		if (reason != DECIDE_FORCED && why_not(r, &n->prefixes[k]))
			refused |= 1U << k;
	}
	if (refused == n->refused)
		return false;
	n->refused = refused;
	return true;
}

bool origins_refused(const struct route *r, const struct ip_prefix *p)
{
	for (size_t i = 0; i < r->network_count; i++)
		for (size_t k = 0; k < r->networks[i].prefix_count && r->networks[i].refused; k++)
			if (r->networks[i].refused & 1U << k && equal(&r->networks[i].prefixes[k], p))
				return true;
	return false;
}
