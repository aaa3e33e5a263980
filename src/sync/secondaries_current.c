/* SPDX-License-Identifier: BSD-2-Clause */
/* Is the data of each network known to be current, and if not, since when?
 *
 * SOA timers are in hours: a pop that is cut off from its primaries would believe its zones fresh for all that time,
 * although no NOTIFY reaches it any more. So where no primary of a network has answered anything for `primary-check`,
 * one is asked for the serial of one of the network's zones, in turn: a look. It costs a question of a hundred octets,
 * changes no timer of the zone, and where it shows something newer, so that a NOTIFY was lost, the zone is
 * transferred. All primaries of the zone are asked, as for a refresh; one look of a network is under way at a time.
 *
 * The data of a network was current when a primary answered last, but not later than since when more than a tenth of
 * its zones fail to be refreshed. Not any single one: of a hundred thousand zones of different owners a few have
 * primaries that never come back, everywhere alike, and that is no reason to think worse of this node. The same goes
 * for zones near their SOA EXPIRE. Judging is not done here: the board gets moments (board_sync_network), and who
 * reads them sees the age grow whether this process lives or not.
 *
 * When a primary answers that did not, its zones that failed meanwhile are asked for soon, and not only when their
 * growing retry intervals say so. On the loop's thread. */
#include "sync/secondaries_priv.h"

#include "base/err.h"
#include "base/log.h"
#include "dns/rr.h"
#include "proc/role.h"
#include "sync/events.h"
#include "sync/keyring.h"
#include "proc/tls_profiles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)SECONDARY_NETWORKS_MAX >= (int)BOARD_NETWORKS_MAX, "each network of the board has its counts");

enum {
	TICK_MIN_MS = 50, TICK_MAX_MS = 1000, /* a quarter of the shortest primary-check, within these */
	SILENT_LOOKS = 3, /* unanswered in a row: worth a line; single zones may have dead primaries */
	NEAR_ZONES_PER_MS = 8, /* the ends of lives are looked at each second, or so seldom that it is this few a ms */
	FEW_PART = 10, /* one zone in so many may fail, or be near its end, and says nothing of this node */
};

struct look {
	struct secondaries *all;
	struct fetch *fetch;
	struct keyring *ring;
	struct tls_profiles *tls;
	uint32_t network;
	struct name apex;
};

static size_t network_count(const struct secondaries *s)
{
	return s->role->node ? MIN(s->role->node->network_count, (size_t)BOARD_NETWORKS_MAX) : 0;
}

static const struct config_network *conf_of(const struct secondaries *s, size_t i)
{
	return &s->role->config->networks[s->role->node->networks[i]];
}

/* While a new configuration is on its way the zones have their networks by the old one. */
static bool is_settled(const struct secondaries *s)
{
	return s->set && !s->new_config && !s->recall;
}

/* ---- the board ---- */

static void publish(struct secondaries *s, size_t i)
{
	struct board_sync_network *b = &s->role->board->sync.networks[i];
	const struct current_network *n = &s->current[i];

	/* Before anybody has been asked what a predecessor wrote stays: after a start the last refresh may be hours ago by right. */
	if (n->held && !n->known)
		return;
	if (n->held)
		atomic_store(&b->current_ns, MIN(n->heard_ms, n->failing_ms) * 1000000);
	atomic_store(&b->held, (uint32_t)n->held);
}

static void publish_expiry(struct secondaries *s, size_t i, const struct secondary_near *n)
{
	struct board_sync_expiry *b = &s->role->board->sync.networks[i].expiry;
	bool near = n->count * FEW_PART > s->current[i].held;
	char zone[NAME_TEXT_MAX] = "";

	if (!near && !b->near)
		return;
	if (near)
		name_to_text(n->apex, zone);
	board_write_begin(&b->seq);
	b->near = near;
	b->at_ns = near ? n->at_ms * 1000000 : 0;
	snprintf(b->zone, sizeof(b->zone), "%.*s", BOARD_ZONE_MAX - 1, zone);
	board_write_end(&b->seq);
}

static void look_at_ends(struct secondaries *s, size_t count, int64_t now)
{
	struct secondary_near found[BOARD_NETWORKS_MAX];
	uint8_t percent[BOARD_NETWORKS_MAX];

	s->ends_ms = now + (int64_t)secondary_count(s->set) / NEAR_ZONES_PER_MS;
	for (size_t i = 0; i < count; i++)
		percent[i] = conf_of(s, i)->expiry_alert;
	secondary_near(s->set, percent, found, count, now);
	for (size_t i = 0; i < count; i++)
		publish_expiry(s, i, &found[i]);
}

void secondaries_current_count(struct secondaries *s)
{
	size_t count = network_count(s);
	int64_t now = secondaries_now_ms();

	if (!is_settled(s))
		return;
	for (size_t i = 0; i < count; i++) {
		struct current_network *n = &s->current[i];
		struct secondary_currency c;
		bool many;

		secondary_currency(s->set, (uint32_t)i, &c);
		many = c.failing * FEW_PART > c.held;
		n->held = c.held;
		if (c.has_refreshed)
			n->heard_ms = MAX(n->heard_ms, c.refreshed_ms);
		else if (n->held && n->heard_ms == INT64_MIN)
			n->heard_ms = now; /* of a time before this was written down: it counts from here */
		n->failing_ms = many ? MIN(n->failing_ms, now) : INT64_MAX;
		publish(s, i);
	}
	if (now >= s->ends_ms)
		look_at_ends(s, count, now);
}

/* ---- looks ---- */

static void forget(struct look *l)
{
	l->all->current[l->network].look = NULL;
	keyring_unref(l->ring);
	tls_profiles_unref(l->tls);
	free(l);
}

void secondaries_current_heard(struct secondaries *s, const struct secondary *z)
{
	struct current_network *n;

	if (!is_settled(s) || z->network >= network_count(s))
		return;
	n = &s->current[z->network];
	n->heard_ms = secondaries_now_ms();
	n->known = true;
	if (n->unanswered >= SILENT_LOOKS) {
		sync_event_primaries(n->name, true, "a primary of the network's zones answers again");
		log_notice("network=%s primaries=answer", n->name);
	}
	n->unanswered = 0;
	if (n->held)
		publish(s, z->network);
}

static void not_heard(struct secondaries *s, const struct look *l, const char *why)
{
	struct current_network *n = &s->current[l->network];
	char zone[NAME_TEXT_MAX], sentence[EVENT_SENTENCE_MAX];

	n->known = true;
	publish(s, l->network);
	if (++n->unanswered != SILENT_LOOKS)
		return;
	name_to_text(l->apex.wire, zone);
	snprintf(sentence, sizeof(sentence), "no primary has answered about %.80s: %.100s; its data counts as aging", zone, why);
	sync_event_primaries(n->name, false, sentence);
	log_warn("network=%s primaries=silent zone=%s error=\"%s\" action=\"its data counts as aging\"", n->name, zone, why);
}

static void on_looked(void *ctx, struct fetch *fetch, struct fetch_result *r)
{
	struct look *l = ctx;
	struct secondaries *s = l->all;
	struct secondary *z = secondary_find(s->set, l->apex.wire);
	bool heard = r->outcome != FETCH_FAILED;

	(void)fetch;
	xfr_in_free(r->in); /* over TCP alone there is no question for the serial; where it brought a version, that is asked for again */
	if (heard && z && z->network == l->network) {
		bool was_silent = s->current[l->network].unanswered > 0;

		secondaries_current_heard(s, z);
		secondary_seen(z, r->serial);
		if (was_silent || z->failures)
			secondary_retry(s->set, z, secondaries_now_ms());
		if (z->has_version && serial_after(r->serial, z->serial))
			secondary_demand(s->set, z, false, false);
	} else if (!heard) {
		not_heard(s, l, r->error);
	}
	forget(l);
	if (heard)
		secondaries_pump(s);
}

static void look(struct secondaries *s, uint32_t network, int64_t now)
{
	struct current_network *n = &s->current[network];
	const struct secondary *z = secondary_turn(s->set, n->last.len ? n->last.wire : NULL, network);
	const struct tsig_key *key = z && z->key < s->ring->count ? s->ring->list[z->key] : NULL;
	struct fetch_request q;
	struct look *l;

	n->asked_ms = now;
	if (!z)
		return;
	name_copy(&n->last, z->apex);
	if (z->key != UINT32_MAX && !key)
		return;
	l = calloc(1, sizeof(*l));
	if (!l)
		return;
	*l = (struct look){.all = s, .ring = keyring_ref(s->ring), .tls = tls_profiles_ref(s->tls), .network = network, .apex = n->last};
	q = (struct fetch_request){.apex = z->apex, .primaries = z->primaries, .primary_count = z->primary_count, .preferred = z->primary, .key = key,
	                           .tls = s->tls, .has_serial = true, .serial = z->serial, .look = true, .max_records = z->max_records};
	n->look = l;
	if (fetch_start(&s->fetch, &q, on_looked, l, &l->fetch) < 0)
		forget(l);
}

static void on_tick(uv_timer_t *t)
{
	struct secondaries *s = t->data;
	int64_t now = secondaries_now_ms();
	size_t count = network_count(s);

	for (size_t i = 0; is_settled(s) && i < count; i++) {
		const struct current_network *n = &s->current[i];
		int64_t every = conf_of(s, i)->primary_check_ms;

		if (n->held && !n->look && now - n->asked_ms >= every && (n->heard_ms == INT64_MIN || now - n->heard_ms >= every))
			look(s, (uint32_t)i, now);
	}
}

static void set_tick(struct secondaries *s)
{
	uint64_t tick = TICK_MAX_MS;

	for (size_t i = 0; i < network_count(s); i++)
		tick = MIN(tick, (uint64_t)conf_of(s, i)->primary_check_ms / 4);
	tick = MAX(tick, (uint64_t)TICK_MIN_MS);
	uv_timer_start(&s->looker, on_tick, tick, tick);
}

/* ---- life ---- */

static void end_looks(struct secondaries *s)
{
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++)
		if (s->current[i].look) {
			fetch_cancel(s->current[i].look->fetch);
			forget(s->current[i].look);
		}
}

/* Networks keep what is known of them, in whatever place they are now. */
static void take_networks(struct secondaries *s)
{
	struct current_network old[BOARD_NETWORKS_MAX];

	end_looks(s);
	s->ends_ms = INT64_MIN;
	memcpy(old, s->current, sizeof(old));
	for (size_t i = 0; i < BOARD_NETWORKS_MAX; i++) {
		struct current_network *n = &s->current[i];

		*n = (struct current_network){.heard_ms = INT64_MIN, .asked_ms = INT64_MIN / 2, .failing_ms = INT64_MAX};
		for (size_t k = 0; i < network_count(s) && k < BOARD_NETWORKS_MAX; k++)
			if (strcmp(old[k].name, conf_of(s, i)->name) == 0)
				*n = old[k];
		if (i < network_count(s))
			snprintf(n->name, sizeof(n->name), "%s", conf_of(s, i)->name);
	}
	set_tick(s);
}

void secondaries_current_start(struct secondaries *s, uv_loop_t *loop)
{
	uv_timer_init(loop, &s->looker);
	s->looker.data = s;
	take_networks(s);
	/* A predecessor in this process's place knew when it heard last. */
	for (size_t i = 0; i < network_count(s); i++) {
		const struct board_sync_network *b = &s->role->board->sync.networks[i];

		if (atomic_load(&b->held))
			s->current[i].heard_ms = atomic_load(&b->current_ns) / 1000000;
	}
}

void secondaries_current_reload(struct secondaries *s)
{
	take_networks(s);
}

void secondaries_current_stop(struct secondaries *s)
{
	end_looks(s);
	uv_timer_stop(&s->looker);
}
