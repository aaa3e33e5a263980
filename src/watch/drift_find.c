/* SPDX-License-Identifier: BSD-2-Clause */
/* A zone on its way is no drift: right after a change every node but one is behind. What counts is what does not move, and what cannot be right at any time.
 *
 * One look says little. A finding is shown when two looks, a second apart at least, saw the same: the same older serial there, or other content under the same serial, or no zone. A serial that has moved
 * begins anew: so a zone that changes each second for an hour, behind at each single look, is never shown, and the one node that is stuck in the midst of it is, with the number of
 * versions since. Shown for longer than the limit it is an alert; other content under the same serial is one at once, since no further transfer will mend it.
 *
 *	kind      said of       shown when                            alert
 *	behind    that node     its serial did not move               after the limit: stuck
 *	missing   that node     it does not serve the zone            after the limit
 *	ahead     this node     our serial did not move, theirs is newer   after the limit
 *	content   either        the same serial, both contents known  at once
 *
 * Serials are compared as RFC 1982 says. What is not seen any more stays as it was: a node that is silent is another story, told by peers.c. */
#include "watch/drift_find.h"

#include "dns/name.h"

#include <stdio.h>
#include <string.h>

enum board_drift_kind finding_kind(const struct finding_look *l)
{
	if (!l->here && !l->there)
		return DRIFT_NONE;
	if (!l->here)
		return DRIFT_AHEAD;
	if (!l->there)
		return DRIFT_MISSING;
	if (l->here->serial != l->there->serial)
		return (int32_t)(l->there->serial - l->here->serial) < 0 ? DRIFT_BEHIND : DRIFT_AHEAD;
	return l->here->known && l->there->known && l->here->content != l->there->content ? DRIFT_CONTENT : DRIFT_NONE;
}

static struct finding *find(struct findings *f, uint32_t who, uint32_t network, uint64_t hash)
{
	for (uint32_t i = 0; i < f->top; i++)
		if (f->list[i].used && f->list[i].hash == hash && f->list[i].who == who &&
		    f->list[i].network == network)
			return &f->list[i];
	return NULL;
}

static void end(struct findings *f, struct finding *x)
{
	if (x->shown) {
		f->changed = true;
		f->told(f->ctx, x, x->kind, DRIFT_NONE);
	}
	x->used = false;
	f->used--;
	while (f->top && !f->list[f->top - 1].used)
		f->top--;
}

static struct finding *begin(struct findings *f, uint32_t who, uint32_t network)
{
	struct finding *room = NULL;
	uint32_t own = 0;

	for (uint32_t i = 0; i < f->top; i++) {
		if (!f->list[i].used)
			room = room ? room : &f->list[i];
		else
			own += f->list[i].who == who && f->list[i].network == network;
	}
	if (own >= FINDINGS_OF_ONE || (!room && f->top == FINDINGS_MAX)) {
		f->left_out++;
		return NULL;
	}
	if (!room)
		room = &f->list[f->top++];
	*room = (struct finding){.used = true, .who = who, .network = network};
	f->used++;
	return room;
}

/* Did the serial that should move, move? */
static bool has_moved(const struct finding *x, enum board_drift_kind kind, const struct finding_look *l)
{
	switch (kind) {
	case DRIFT_BEHIND:
	case DRIFT_STUCK:
		return x->there != l->there->serial;
	case DRIFT_CONTENT:
		return x->here != l->here->serial;
	case DRIFT_AHEAD:
		return x->here != (l->here ? l->here->serial : 0);
	case DRIFT_MISSING:
	case DRIFT_NONE:
	case DRIFT_KINDS:
		break;
	}
	return false;
}

static void name_it(struct finding *x, const struct finding_look *l)
{
	char text[NAME_TEXT_MAX];

	if (l->here)
		name_to_text(l->here->name, text);
	snprintf(x->zone, sizeof(x->zone), "%.*s", (int)sizeof(x->zone) - 1, l->here ? text : l->there->name);
}

static void start(struct finding *x, enum board_drift_kind kind, const struct finding_look *l, uint64_t now_ns)
{
	x->kind = kind;
	x->first_ns = now_ns;
	x->looks = 1;
	x->alert = x->shown = false;
	x->absent = !l->here;
	x->versions = x->moves = 0;
	if (kind == DRIFT_BEHIND) {
		x->versions = tree_versions_since(l->here, l->there->serial);
		x->moves = l->here->moves;
	}
}

static bool is_kind(const struct finding *x, enum board_drift_kind kind)
{
	return x->kind == kind || (x->kind == DRIFT_STUCK && kind == DRIFT_BEHIND);
}

void findings_see(struct findings *f, const struct finding_look *l, uint64_t now_ns)
{
	enum board_drift_kind kind = finding_kind(l);
	struct finding *x = find(f, l->who, l->network, l->hash);

	if (kind == DRIFT_NONE) {
		if (x)
			end(f, x);
		return;
	}
	if (x && (!is_kind(x, kind) || has_moved(x, kind, l))) {
		bool moved = is_kind(x, kind);

		if (x->shown) {
			f->changed = true;
			f->told(f->ctx, x, x->kind, DRIFT_NONE);
		}
		start(x, kind, l, now_ns);
		if (moved)
			x->moved_ns = now_ns;
	} else if (!x) {
		x = begin(f, l->who, l->network);
		if (!x)
			return;
		x->hash = l->hash;
		name_it(x, l);
		start(x, kind, l, now_ns);
	} else {
		x->looks++;
	}
	f->changed = f->changed || (x->shown && (x->here != (l->here ? l->here->serial : 0) ||
	                                         x->there != (l->there ? l->there->serial : 0)));
	x->here = l->here ? l->here->serial : 0;
	x->there = l->there ? l->there->serial : 0;
	x->seen_ns = now_ns;
	if (!x->shown && x->looks > 1 && now_ns - x->first_ns >= FINDING_CONFIRM_MS * 1000000ULL) {
		x->shown = true;
		x->alert = kind == DRIFT_CONTENT;
		f->changed = true;
		f->told(f->ctx, x, DRIFT_NONE, kind);
	}
}

void findings_clear(struct findings *f, uint32_t who, uint32_t network, struct tree_place p)
{
	for (uint32_t i = f->top; i-- > 0;) {
		struct finding *x = &f->list[i];

		if (x->used && x->who == who && x->network == network && tree_has(p, x->hash))
			end(f, x);
	}
}

static const struct tree_listed *listed(const struct tree_answer *a, uint64_t hash)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (a->zone[i].hash == hash)
			return &a->zone[i];
	return NULL;
}

void findings_list(struct findings *f, uint32_t who, uint32_t network, const struct zone_tree *t, struct tree_place p,
                   const struct tree_answer *a, uint64_t now_ns)
{
	const struct tree_zone *own[FINDINGS_OF_ONE];
	size_t count = tree_list(t, p, own, FINDINGS_OF_ONE);

	if (count > FINDINGS_OF_ONE) {
		count = FINDINGS_OF_ONE;
		f->left_out++;
	}
	for (size_t i = 0; i < count; i++) {
		const struct finding_look l = {who, network, own[i]->hash, own[i], listed(a, own[i]->hash)};

		findings_see(f, &l, now_ns);
	}
	for (uint32_t i = 0; i < a->count; i++) {
		const struct finding_look l = {who, network, a->zone[i].hash, NULL, &a->zone[i]};

		if (!tree_find(t, a->zone[i].hash))
			findings_see(f, &l, now_ns);
	}
	/* What was found of a zone that is now on neither side. */
	for (uint32_t i = f->top; i-- > 0;) {
		struct finding *x = &f->list[i];

		if (x->used && x->who == who && x->network == network && tree_has(p, x->hash) &&
		    !tree_find(t, x->hash) && !listed(a, x->hash))
			end(f, x);
	}
}

void findings_touch(struct findings *f, uint32_t who, uint32_t network, uint64_t now_ns)
{
	for (uint32_t i = 0; i < f->top; i++)
		if (f->list[i].used && f->list[i].who == who && f->list[i].network == network)
			f->list[i].seen_ns = now_ns;
}

void findings_step(struct findings *f, uint64_t fresh_ns, uint64_t now_ns)
{
	for (uint32_t i = 0; i < f->top; i++) {
		struct finding *x = &f->list[i];
		enum board_drift_kind was = x->kind;

		if (!x->used || !x->shown || x->alert || now_ns - x->first_ns < f->alert_after_ns ||
		    now_ns - x->seen_ns > fresh_ns)
			continue;
		x->alert = true;
		if (was == DRIFT_BEHIND)
			x->kind = DRIFT_STUCK;
		f->changed = true;
		f->told(f->ctx, x, was, x->kind);
	}
}

bool findings_open(const struct findings *f, uint32_t who, uint32_t network)
{
	for (uint32_t i = 0; i < f->top; i++)
		if (f->list[i].used && !f->list[i].shown && f->list[i].who == who && f->list[i].network == network)
			return true;
	return false;
}

const struct finding *findings_oldest(const struct findings *f, uint32_t who)
{
	const struct finding *oldest = NULL;

	for (uint32_t i = 0; i < f->top; i++)
		if (f->list[i].used && f->list[i].who == who && (!oldest || f->list[i].seen_ns < oldest->seen_ns))
			oldest = &f->list[i];
	return oldest;
}

uint32_t finding_versions(const struct finding *f, uint32_t moves)
{
	return f->versions ? f->versions + (moves - f->moves) : 0;
}
