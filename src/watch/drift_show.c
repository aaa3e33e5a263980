/* SPDX-License-Identifier: BSD-2-Clause */
/* What was found, for people: rows on the board, worst first, with a sentence each; events at the beginning, at each change and at the end; and whether this node is the one that is behind.
 *
 * One stuck zone of a customer among many must not move a network: this node counts as behind when a tenth of the zones compared have had newer serials, for longer than the limit, at half of the other
 * PoPs of the network that are heard. A primary that is ahead of all PoPs alike is no reason to leave: that would help nobody (and data that is not confirmed has its own cause, stale). */
#include "watch/drift_priv.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SHOW_MS = 250,
	SHOW_ALWAYS_MS = 1000,
	EVENTS_A_SECOND = 16, /* then one for all others */
	BEHIND_PART = 10,     /* a tenth of the zones */
	HEARD_MS = 15000,
};

const char *drift_who(const struct drift *d, uint32_t who, char buf[ADDR_TEXT_MAX])
{
	if (!(who & FINDING_OUTSIDE))
		return who < d->peer_count ? d->names[who] : "?";
	who &= ~(uint32_t)FINDING_OUTSIDE;
	return who < d->server_count ? addr_text(&d->servers[who].at.addr, buf) : "?";
}

static const struct drift_network *network_of(const struct drift *d, const struct finding *f)
{
	return f->network < d->table.count ? &d->table.network[f->network] : NULL;
}

static uint32_t versions_of(const struct drift *d, const struct finding *f)
{
	const struct drift_network *n = network_of(d, f);
	const struct tree_zone *z = n ? tree_find(n->tree, f->hash) : NULL;

	return z ? finding_versions(f, z->moves) : 0;
}

/* "serial 4 at ams, 6 here, 2 versions behind, not moving for 1m 5s" */
static void say(const struct drift *d, const struct finding *f, uint64_t now_ns, char *out, size_t cap)
{
	char address[ADDR_TEXT_MAX], span[16], versions[40] = "";
	const char *who = drift_who(d, f->who, address);
	uint32_t count = versions_of(d, f);

	clock_span_text((now_ns - MIN(f->first_ns, now_ns)) / 1000000U, span);
	if (count)
		snprintf(versions, sizeof(versions), ", %u version%s behind", count, count == 1 ? "" : "s");
	switch (f->kind) {
	case DRIFT_BEHIND:
	case DRIFT_STUCK:
		snprintf(out, cap, "serial %u at %s, %u here%s, it has not moved for %s", f->there, who, f->here,
		         versions, span);
		break;
	case DRIFT_CONTENT:
		snprintf(out, cap, "serial %u at %s as here, but other content, for %s: no transfer will mend that",
		         f->there, who, span);
		break;
	case DRIFT_MISSING:
		snprintf(out, cap, "not served at %s for %s, here with serial %u", who, span, f->here);
		break;
	case DRIFT_AHEAD:
		if (f->absent)
			snprintf(out, cap, "served at %s with serial %u, and for %s not here", who, f->there, span);
		else
			snprintf(out, cap, "serial %u at %s, %u here, which has not moved for %s", f->there, who,
			         f->here, span);
		break;
	case DRIFT_NONE:
	case DRIFT_KINDS:
		snprintf(out, cap, "the same");
		break;
	}
}

/* ---- events ---- */

static bool may_tell(struct drift *d)
{
	uint64_t second = clock_ms() / 1000;

	if (second != d->event_second) {
		d->event_second = second;
		d->event_second_count = 0;
	}
	return d->event_second_count++ < EVENTS_A_SECOND;
}

void drift_told(void *ctx, const struct finding *f, enum board_drift_kind was, enum board_drift_kind now)
{
	struct drift *d = ctx;
	const struct drift_network *n = network_of(d, f);
	struct board_event e = {.kind = EVENT_DRIFT,
	                        .level = now == DRIFT_NONE ? EVENT_INFO
	                                 : f->alert        ? EVENT_ALERT
	                                                   : EVENT_WARN};
	char address[ADDR_TEXT_MAX];
	const char *who = drift_who(d, f->who, address);

	if (!may_tell(d)) {
		d->events_left_out++;
		return;
	}
	snprintf(e.network, sizeof(e.network), "%s", n ? n->name : "");
	memcpy(e.subject, f->zone, sizeof(e.subject));
	e.subject[sizeof(e.subject) - 1] = '\0';
	snprintf(e.old, sizeof(e.old), "%s", was == DRIFT_NONE ? "same" : board_drift_text(was));
	snprintf(e.now, sizeof(e.now), "%s", now == DRIFT_NONE ? "same" : board_drift_text(now));
	if (now != DRIFT_NONE)
		say(d, f, clock_ns(), e.why, sizeof(e.why));
	else
		snprintf(e.why, sizeof(e.why), "%s at %s: no more so, or moving again", board_drift_text(was), who);
	board_event_add(&d->watch->board->watch.events, &e);
	log_line(e.level == EVENT_ALERT  ? LOG_ERR
	         : e.level == EVENT_WARN ? LOG_WARN
	                                 : LOG_NOTICE,
	         "drift network=%s zone=%s node=%s state=%s was=%s here=%u there=%u why=\"%s\"", e.network, e.subject,
	         who, e.now, e.old, f->here, f->there, e.why);
}

static void tell_left_out(struct drift *d)
{
	struct board_event e = {.kind = EVENT_DRIFT, .level = EVENT_WARN, .old = "", .now = "many"};

	if (!d->events_left_out || clock_ms() / 1000 == d->event_second)
		return;
	snprintf(e.why, sizeof(e.why), "%u more changes of drift in the same second", d->events_left_out);
	board_event_add(&d->watch->board->watch.events, &e);
	log_warn("drift state=many left_out=%u", d->events_left_out);
	d->events_left_out = 0;
}

/* ---- the board ---- */

static const struct drift *sorting; /* one thread */

static int weight(const struct finding *f)
{
	static const int weights[DRIFT_KINDS] = {
		[DRIFT_CONTENT] = 5, [DRIFT_STUCK] = 4, [DRIFT_MISSING] = 3, [DRIFT_AHEAD] = 2, [DRIFT_BEHIND] = 1};

	return weights[f->kind] + (f->alert ? DRIFT_KINDS : 0);
}

static int compare_rows(const void *a, const void *b)
{
	const struct finding *x = &sorting->findings.list[*(const uint32_t *)a],
			     *y = &sorting->findings.list[*(const uint32_t *)b];

	if (weight(x) != weight(y))
		return weight(y) - weight(x);
	return x->first_ns < y->first_ns ? -1 : x->first_ns > y->first_ns;
}

static void fill_row(struct drift *d, const struct finding *f, uint64_t now_ns, struct board_drift *row)
{
	const struct drift_network *n = network_of(d, f);
	bool outside = f->who & FINDING_OUTSIDE;

	board_write_begin(&row->seq);
	row->kind = f->kind;
	row->node = outside ? UINT32_MAX : f->who;
	row->server = outside ? d->servers[f->who & ~(uint32_t)FINDING_OUTSIDE].at.addr : (struct ip_addr){0};
	row->alert = f->alert;
	row->here = f->here;
	row->there = f->there;
	row->versions = f->kind == DRIFT_BEHIND || f->kind == DRIFT_STUCK ? versions_of(d, f) : 0;
	row->since_ns = f->first_ns;
	row->moved_ns = f->moved_ns;
	snprintf(row->network, sizeof(row->network), "%s", n ? n->name : "");
	memcpy(row->zone, f->zone, sizeof(row->zone));
	say(d, f, now_ns, row->why, sizeof(row->why));
	board_write_end(&row->seq);
}

static void count_nodes(struct drift *d)
{
	static uint32_t kinds[BOARD_NODES_MAX][DRIFT_KINDS]; /* one thread */
	struct board_watch_drift *b = &d->watch->board->watch.drift;

	memset(kinds, 0, sizeof(kinds));
	for (uint32_t i = 0; i < d->findings.top; i++) {
		const struct finding *f = &d->findings.list[i];

		if (f->used && f->shown && f->who < BOARD_NODES_MAX)
			kinds[f->who][f->kind]++;
	}
	for (uint32_t i = 0; i < BOARD_NODES_MAX; i++) {
		uint64_t compared_ns = 0;

		/* Of several networks the one that was compared longest ago. */
		for (uint32_t slot = 0; i < d->peer_count && slot < d->table.count; slot++) {
			const struct drift_pair *p = drift_pair_of(d, i, slot);

			if (p->shared && p->heard)
				compared_ns = compared_ns ? MIN(compared_ns, p->compared_ns) : p->compared_ns;
		}
		atomic_store(&b->node[i].compared_ns, compared_ns);
		for (unsigned k = 0; k < DRIFT_KINDS; k++)
			atomic_store(&b->node[i].kinds[k], kinds[i][k]);
	}
}

static void write_rows(struct drift *d, uint64_t now_ns)
{
	static uint32_t order[FINDINGS_MAX]; /* one thread */
	struct board_watch_drift *b = &d->watch->board->watch.drift;
	uint32_t count = 0, before = atomic_load(&b->rows), rows;
	uint64_t hidden = 0;

	for (uint32_t i = 0; i < d->findings.top; i++)
		if (d->findings.list[i].used && d->findings.list[i].shown)
			order[count++] = i;
	sorting = d;
	qsort(order, count, sizeof(*order), compare_rows);
	rows = MIN(count, (uint32_t)BOARD_DRIFTS_MAX);
	for (uint32_t i = 0; i < d->pair_count; i++)
		hidden += d->pairs[i].unexplored;
	for (uint32_t i = 0; i < rows; i++)
		fill_row(d, &d->findings.list[order[i]], now_ns, &b->row[i]);
	for (uint32_t i = rows; i < before && i < BOARD_DRIFTS_MAX; i++) {
		board_write_begin(&b->row[i].seq);
		b->row[i].kind = DRIFT_NONE;
		board_write_end(&b->row[i].seq);
	}
	atomic_store(&b->rows, rows);
	atomic_store(&b->hidden, (uint32_t)MIN(hidden + count - rows, (uint64_t)UINT32_MAX));
	count_nodes(d);
	atomic_fetch_add(&b->changes, 1);
}

/* The oldest of what was compared last with each node that is heard. */
static uint64_t all_compared_ns(const struct drift *d, uint64_t now_ns)
{
	uint64_t at = 0;

	for (uint32_t i = 0; i < d->pair_count; i++) {
		const struct drift_pair *p = &d->pairs[i];

		if (p->shared && p->heard && now_ns - p->heard_ns < HEARD_MS * 1000000ULL)
			at = at ? MIN(at, p->compared_ns) : p->compared_ns;
	}
	return at;
}

/* ---- is it this node? ---- */

static uint32_t aged_ahead(const struct drift *d, uint32_t who, uint32_t slot, uint64_t now_ns,
                           const struct finding **oldest)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < d->findings.top; i++) {
		const struct finding *f = &d->findings.list[i];

		if (!f->used || !f->shown || f->who != who || f->network != slot || f->kind != DRIFT_AHEAD ||
		    now_ns - f->first_ns < d->findings.alert_after_ns)
			continue;
		count++;
		if (!*oldest || f->first_ns < (*oldest)->first_ns)
			*oldest = f;
	}
	return count;
}

static void judge_network(struct drift *d, uint32_t slot, uint64_t now_ns)
{
	struct drift_behind b = {0};
	uint32_t heard = 0;

	for (uint32_t i = 0; i < d->peer_count; i++) {
		const struct drift_pair *p = drift_pair_of(d, i, slot);
		const struct finding *oldest = NULL;
		uint32_t ahead;

		if (!p->shared || !p->heard || d->watch->board->watch.nodes.node[i].primary ||
		    now_ns - p->heard_ns >= HEARD_MS * 1000000ULL)
			continue;
		heard++;
		ahead = aged_ahead(d, i, slot, now_ns, &oldest);
		if (!ahead || (uint64_t)ahead * BEHIND_PART < p->compared)
			continue;
		b.nodes++;
		if (ahead < b.zones)
			continue;
		b.zones = ahead;
		b.of = MAX(p->compared, ahead);
		b.since_ns = oldest->first_ns;
		memcpy(b.zone, oldest->zone, sizeof(b.zone));
		memcpy(b.node, d->names[i], sizeof(b.node));
	}
	d->behind[slot] = b.nodes && b.nodes * 2 >= heard ? b : (struct drift_behind){0};
}

bool drift_is_behind(const struct drift *d, const char *network, struct drift_behind *out)
{
	for (uint32_t i = 0; d && i < d->table.count; i++)
		if (d->behind[i].zones && strcmp(d->table.network[i].name, network) == 0) {
			*out = d->behind[i];
			return true;
		}
	return false;
}

void drift_show(struct drift *d, uint64_t now_ns)
{
	struct board_watch_drift *b = &d->watch->board->watch.drift;
	uint64_t age_ns = now_ns - d->published_ns;

	if (age_ns < SHOW_MS * 1000000ULL || (!d->findings.changed && age_ns < SHOW_ALWAYS_MS * 1000000ULL))
		return;
	d->published_ns = now_ns;
	atomic_store(&b->compared_ns, all_compared_ns(d, now_ns));
	/* Sentences with ages in them are written anew each second. */
	if (d->findings.changed || d->findings.used || atomic_load(&b->rows))
		write_rows(d, now_ns);
	else
		count_nodes(d);
	d->findings.changed = false;
	tell_left_out(d);
	for (uint32_t i = 0; i < d->table.count; i++)
		judge_network(d, i, now_ns);
}
