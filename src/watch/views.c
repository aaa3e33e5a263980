/* SPDX-License-Identifier: BSD-2-Clause */
/* Other nodes and networks as clients see them.
 *
 * Ways to other nodes. What a node says of itself (peers.c) comes by a socket of its own and proves little of port 53 as others use it. So each management address that this
 * node asks is also asked a plain question (id.server CH TXT, which must name the node), over UDP and, more seldom, TCP, from our own management address of the family: latency,
 * loss, and whether it answers, on board.watch.views.path. One that does not is asked again at once: two failures in a row, over UDP after about two seconds, are a dead way.
 *
 * Anycast addresses of networks that this node does not hold: it asks each family of them about once a second over UDP, from a fresh port, the SOA of one of the network's zones
 * where it has one, else id.server, with NSID. Who answers is this node's catchment; changes are counted. Any answer counts: whether it is right is judged
 * elsewhere. What it sees is told to others with its state (fleet/report.c, `sees`), and what they tell is kept (peers.c), so that each node can show the views of several places
 * side by side. A node that holds the addresses itself cannot ask so: its question would go to itself over lo. What others and the queries say of its own networks is put
 * together by outside.c.
 *
 * Cost: views.h has the paces; a question and its answer over UDP are 200 octets, over TCP 900. Of 100 nodes with two addresses each, each spends 4 kbit/s on ways to the others;
 * on anycast addresses never more than 13.
 *
 * Limits: VIEWS_SLOTS questions under way, further ones wait; anycast addresses over UDP only; of a network's addresses of a family one after the other is asked, and they count as one. Not here: ways that need a
 * path back through our own routers: a PoP without any node outside that is routed to it goes by its queries alone. */
#include "watch/views.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "dns/message.h"
#include "watch/outside.h"
#include "watch/peers.h"
#include "watch/probe.h"
#include "watch/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TICK_MS = 100,
	VIEWS_SLOTS = 64,
	OUTSIDE_EVERY = 5, /* ticks */
	TRAFFIC_EVERY = 10,
	NO_TARGET = UINT32_MAX,
};

/* A management address of another node. */
struct target {
	uint32_t node, address; /* on the board */
	char name[BOARD_NAME_MAX];
	struct ip_addr at;
	uint64_t due_ns[2]; /* UDP, TCP */
};

/* A family of a network that is asked from outside. */
struct anycast {
	uint32_t network; /* in the configuration, and on the board */
	int family;       /* 0 IPv4, 1 IPv6 */
	uint32_t turn;    /* of its addresses */
	uint64_t due_ns, event_ns;
	struct zones_cursor cursor;
};

struct asked {
	struct views *views;
	struct probe *probe; /* NULL: the slot is free */
	bool tcp, busy;
	uint32_t target, anycast; /* one of them NO_TARGET */
	uint64_t sent_ns;
	unsigned rcode;
	struct probe_question question;
	char node[BOARD_NAME_MAX]; /* target: who must answer; anycast: who did */
};

struct views {
	struct watch *watch;
	uv_timer_t tick;
	unsigned ticks;
	bool look; /* at our own networks, now */
	struct ip_addr from[BOARD_FAMILIES]; /* family 0: none */
	uint32_t target_count, anycast_count, next_target;
	struct target *targets;
	struct anycast anycasts[BOARD_NETWORKS_MAX * BOARD_FAMILIES];
	struct outside_traffic traffic[BOARD_NETWORKS_MAX][BOARD_FAMILIES]; /* by place in the configuration */
	struct log_limit limit;
	struct asked slots[VIEWS_SLOTS];
};

enum { EVENT_EVERY_NS = 10 * 1000000000LL }; /* of a family: who answers may change each second */

static struct board_watch_views *board_of(const struct views *v)
{
	return &v->watch->board->watch.views;
}

static void tell(struct views *v, enum board_event_level level, int family, const char *network, const char *subject,
                 const char *old, const char *now, const char *why)
{
	struct board_event e = {.kind = EVENT_OUTSIDE, .level = (uint8_t)level, .family = family ? 6 : 4};

	snprintf(e.network, sizeof(e.network), "%s", network);
	snprintf(e.subject, sizeof(e.subject), "%s", subject);
	snprintf(e.old, sizeof(e.old), "%.23s", old);
	snprintf(e.now, sizeof(e.now), "%.23s", now);
	snprintf(e.why, sizeof(e.why), "%s", why);
	board_event_add(&v->watch->board->watch.events, &e);
	if (log_limit_pass(&v->limit, 5))
		log_line(level == EVENT_INFO ? LOG_NOTICE : LOG_WARN,
		         "outside%s%s%s%s family=ipv%d old=\"%s\" now=\"%s\" why=\"%s\"", *network ? " network=" : "",
		         network, *subject ? " node=" : "", subject, family ? 6 : 4, e.old, e.now, why);
}

/* ---- answers ---- */

static enum probe_verdict on_judge(void *ctx, const uint8_t *msg, size_t len, char *why)
{
	struct asked *a = ctx;

	if (a->target != NO_TARGET)
		return probe_judge_id(&a->question, a->node, msg, len, why);
	return probe_judge_nsid(&a->question, msg, len, a->node, &a->rcode, why);
}

static void path_done(struct views *v, const struct asked *a, bool passed, const char *why, uint32_t latency_us,
                      uint64_t now_ns)
{
	struct target *t = &v->targets[a->target];
	struct board_view_path *p = &board_of(v)->path[t->node][t->address][a->tcp];
	char text[ADDR_TEXT_MAX], sentence[EVENT_SENTENCE_MAX];

	if (passed ? !views_path_answered(p, latency_us, now_ns) : !views_path_failed(p)) {
		if (passed || atomic_load(&p->failures) > VIEWS_FALL)
			return;
		/* Not certain yet; and how it is over TCP is of interest now. */
		t->due_ns[a->tcp] = now_ns + VIEWS_AGAIN_MS * 1000000ULL;
		if (!a->tcp)
			t->due_ns[1] = MIN(t->due_ns[1], now_ns);
		return;
	}
	snprintf(sentence, sizeof(sentence), "port 53 of %s over %s: %.120s", addr_text(&t->at, text),
	         a->tcp ? "TCP" : "UDP", passed ? "answers again" : why);
	tell(v, passed ? EVENT_INFO : EVENT_WARN, t->at.family == 6, "", t->name, passed ? "silent" : "good",
	     passed ? "good" : "silent", sentence);
}

static void anycast_done(struct views *v, const struct asked *a, bool passed, const char *why, uint32_t latency_us,
                         uint64_t now_ns)
{
	struct anycast *t = &v->anycasts[a->anycast];
	struct board_view_network *n = &board_of(v)->network[t->network];
	char was[BOARD_NAME_MAX], text[12], note[BOARD_WHY_MAX] = "", sentence[EVENT_SENTENCE_MAX];
	enum views_change change;

	memcpy(was, n->family[t->family].node, sizeof(was));
	if (passed && a->rcode)
		snprintf(note, sizeof(note), "answered %s", rcode_text(a->rcode, text));
	else if (passed && !*a->node)
		snprintf(note, sizeof(note), "answered by something that does not say who it is");
	else if (passed && !config_node_find(v->watch->role->config, a->node))
		snprintf(note, sizeof(note), "answered by something that is no node of this fleet");
	change = passed ? views_family_answered(n, t->family, a->node, note, latency_us, a->sent_ns, now_ns)
	                : views_family_failed(n, t->family, why, now_ns);
	if (!passed && n->family[t->family].failures < VIEWS_FALL)
		t->due_ns = now_ns + VIEWS_AGAIN_MS * 1000000ULL;
	if (change == VIEWS_SILENT || change == VIEWS_SEEN)
		peers_tell_view(v->watch->peers, n->network, now_ns);
	switch (change) {
	case VIEWS_SAME:
		break;
	case VIEWS_SILENT:
		snprintf(sentence, sizeof(sentence), "seen from here nobody answers%s%.64s: %.100s",
		         *was ? "; the last who did was " : "", was, why);
		tell(v, EVENT_ALERT, t->family, n->network, was, *was ? "good" : "unknown", "silent", sentence);
		break;
	case VIEWS_SEEN:
		snprintf(sentence, sizeof(sentence), "seen from here %.64s answers again",
		         *a->node ? a->node : "somebody");
		tell(v, EVENT_INFO, t->family, n->network, a->node, "silent", "good", sentence);
		break;
	case VIEWS_MOVED:
		if (t->event_ns && now_ns - t->event_ns < EVENT_EVERY_NS)
			break;
		t->event_ns = now_ns;
		snprintf(sentence, sizeof(sentence), "seen from here %.64s answers, it was %.64s before",
		         *a->node ? a->node : "somebody", *was ? was : "somebody");
		tell(v, EVENT_INFO, t->family, n->network, a->node, was, a->node, sentence);
		break;
	}
}

static void on_done(void *ctx, enum probe_outcome outcome, const char *why, uint32_t latency_us)
{
	struct asked *a = ctx;
	uint64_t now_ns = clock_ns();

	a->busy = false;
	if (outcome == PROBE_OUTCOME_NONE)
		return;
	if (a->target != NO_TARGET)
		path_done(a->views, a, outcome == PROBE_OUTCOME_PASS, why, latency_us, now_ns);
	else
		anycast_done(a->views, a, outcome == PROBE_OUTCOME_PASS, why, latency_us, now_ns);
}

/* ---- questions ---- */

static struct asked *take_slot(struct views *v)
{
	for (size_t i = 0; i < VIEWS_SLOTS; i++)
		if (!v->slots[i].busy)
			return &v->slots[i];
	return NULL;
}

static uint32_t timeout_of(const struct views *v, const struct asked *a)
{
	const struct board_watch_views *b = board_of(v);

	if (a->target != NO_TARGET) {
		const struct target *t = &v->targets[a->target];
		const struct board_view_path *p = &b->path[t->node][t->address][a->tcp];

		return views_timeout_ms(atomic_load(&p->failures), a->tcp ? 0 : atomic_load(&p->latency_us));
	}
	return views_timeout_ms(b->network[v->anycasts[a->anycast].network].family[v->anycasts[a->anycast].family].failures,
	                        b->network[v->anycasts[a->anycast].network].family[v->anycasts[a->anycast].family].latency_us);
}

static void send_off(struct views *v, struct asked *a, const struct ip_addr *to)
{
	struct probe_job job = {.loop = &v->watch->loop,
	                        .address = *to,
	                        .port = v->watch->port,
	                        .tcp = a->tcp,
	                        .remote = true,
	                        .from = v->from[to->family == 6],
	                        .timeout_ms = timeout_of(v, a),
	                        .question = a->question,
	                        .judge = on_judge,
	                        .done = on_done,
	                        .ctx = a};

	a->views = v;
	a->busy = true;
	a->sent_ns = clock_ns();
	probe_start(&job, &a->probe);
}

/* False: no slot is free. */
static bool ask_target(struct views *v, uint32_t i, bool tcp)
{
	const struct target *t = &v->targets[i];
	struct asked *a = take_slot(v);

	if (!a)
		return false;
	a->target = i;
	a->anycast = NO_TARGET;
	a->tcp = tcp;
	memcpy(a->node, t->name, sizeof(a->node));
	probe_ask_id(&a->question, (uint16_t)random_u32());
	send_off(v, a, &t->at);
	return true;
}

static void choose_question(struct views *v, struct anycast *t, struct probe_question *q)
{
	struct watch *w = v->watch;
	struct store_snapshot s;
	struct name apex;
	bool found = false;

	if (w->store.reader) {
		store_pin(w->store.reader, &s);
		found = zones_next(&t->cursor, &s, t->network, &apex) == ZONES_FOUND;
		store_unpin(w->store.reader);
	}
	if (found)
		probe_ask_soa(q, apex.wire, (uint16_t)random_u32());
	else
		probe_ask_id(q, (uint16_t)random_u32());
	q->nsid = true;
}

static bool ask_anycast(struct views *v, uint32_t i)
{
	struct anycast *t = &v->anycasts[i];
	const struct config_network *n = &v->watch->role->config->networks[t->network];
	struct asked *a = take_slot(v);

	if (!a)
		return false;
	for (size_t k = 0; k < n->address_count; k++) {
		const struct ip_addr *at = &n->addresses[t->turn++ % n->address_count];

		if (at->family != (t->family ? 6 : 4))
			continue;
		a->target = NO_TARGET;
		a->anycast = i;
		a->tcp = false;
		a->rcode = 0;
		a->node[0] = '\0';
		choose_question(v, t, &a->question);
		send_off(v, a, at);
		break;
	}
	return true;
}

/* Spread over the round, so that all do not come at once each time. */
static uint64_t next_due(uint64_t due_ns, uint32_t pace_ms, uint64_t now_ns)
{
	uint64_t next = due_ns + (uint64_t)pace_ms * 1000000U;

	return next > now_ns ? next : now_ns + (uint64_t)(random_u32() % (pace_ms + 1)) * 1000000U;
}

static void ask_due(struct views *v, uint64_t now_ns)
{
	for (uint32_t i = 0; i < v->anycast_count; i++) {
		struct anycast *t = &v->anycasts[i];

		if (now_ns < t->due_ns)
			continue;
		if (!ask_anycast(v, i))
			return;
		/* A failure that was known at once has set it. */
		if (now_ns >= t->due_ns)
			t->due_ns = next_due(t->due_ns, views_anycast_pace_ms(v->anycast_count), now_ns);
	}
	for (uint32_t k = 0; k < v->target_count; k++) {
		uint32_t i = (v->next_target + k) % v->target_count;

		for (int tcp = 0; tcp < 2; tcp++) {
			struct target *t = &v->targets[i];

			if (now_ns < t->due_ns[tcp])
				continue;
			if (!ask_target(v, i, tcp)) {
				v->next_target = i;
				return;
			}
			if (now_ns >= t->due_ns[tcp])
				t->due_ns[tcp] = next_due(t->due_ns[tcp], views_pace_ms(v->target_count, tcp), now_ns);
		}
	}
}

/* ---- our own networks, from outside ---- */

static bool is_announced(const struct board_route_network *route, int f)
{
	return route->family[f].since_ns && route->family[f].announce == ANNOUNCE_YES;
}

/* Queries to the network's addresses that did not come from this node's own checks. What the kernel answers is not known by network. */
static uint64_t count_queries(const struct watch *w, const struct watch_network *n, int f)
{
	const struct board *b = w->board;
	uint64_t all = board_get(&b->supervisor.xdp.answered[f]), own = 0;

	for (uint32_t i = 0; i < MIN(atomic_load(&b->supervisor.workers), (uint32_t)BOARD_WORKERS_MAX); i++)
		all += board_get(&b->workers[i].measures.networks[n->index][f]);
	for (uint32_t k = 0; k < n->check_count; k++)
		if ((n->checks[k]->address.family == 6) == f)
			own += n->checks[k]->health.passes + n->checks[k]->health.failures;
	return all > own ? all - own : 0;
}

static void look_at_traffic(struct views *v, uint64_t now_ns)
{
	const struct watch *w = v->watch;

	for (uint32_t i = 0; i < w->network_count; i++) {
		const struct watch_network *n = &w->networks[i];
		struct board_route_network route;
		bool known = board_copy(&w->board->route.networks[n->index].seq, &w->board->route.networks[n->index],
		                        &route, sizeof(route));

		for (int f = 0; f < BOARD_FAMILIES; f++)
			outside_traffic_step(&v->traffic[n->config_index][f], count_queries(w, n, f),
			                     known && is_announced(&route, f), now_ns);
	}
}

static void collect_viewers(struct views *v, const char *network, int f,
                            struct board_view_told copies[OUTSIDE_VIEWERS_MAX], struct outside_input *in)
{
	const struct board_watch_views *b = board_of(v);
	uint64_t fresh_ns = views_told_fresh_ms(atomic_load(&v->watch->board->watch.nodes.count)) * 1000000U;

	for (uint32_t i = 0; i < BOARD_TOLD_VIEWS_MAX && *b->told[i].viewer && in->viewers < OUTSIDE_VIEWERS_MAX; i++) {
		struct board_view_told *t = &copies[in->viewers];

		/* Only this process writes them. */
		if (strcmp(b->told[i].network, network) != 0 || b->told[i].family[f].state == OUTSIDE_UNKNOWN ||
		    in->now_ns - MIN(b->told[i].heard_ns, in->now_ns) > fresh_ns)
			continue;
		memcpy((void *)t, (const void *)&b->told[i], sizeof(*t));
		in->viewer[in->viewers++] = (struct outside_viewer){t->viewer, (enum board_outside)t->family[f].state,
		                                                    t->family[f].node, t->family[f].since_ns};
	}
}

static void look_at_family(struct views *v, const struct watch_network *n, struct board_view_network *row, int f,
                           uint64_t now_ns)
{
	static struct board_view_told copies[OUTSIDE_VIEWERS_MAX]; /* large; one thread */
	struct outside_input in = {.self = v->watch->node,
	                           .family = f ? 6 : 4,
	                           .traffic = &v->traffic[n->config_index][f],
	                           .now_ns = now_ns};
	struct board_view_family *out = &row->family[f];
	struct board_route_network route;
	enum board_outside state, was = (enum board_outside)out->outside;
	enum board_verdict verdict = n->family[f].verdict;
	char why[BOARD_WHY_MAX];
	uint64_t since_ns;

	if (!board_copy(&v->watch->board->route.networks[n->index].seq, &v->watch->board->route.networks[n->index],
	                &route, sizeof(route)))
		return;
	in.announced = is_announced(&route, f) && (verdict == VERDICT_PASS || verdict == VERDICT_SOFT);
	in.announced_ns = route.family[f].since_ns;
	collect_viewers(v, n->name, f, copies, &in);
	state = outside_judge(&in, &since_ns, why);
	if (state == was && strcmp(out->why, why) == 0 && out->outside_since_ns)
		return;
	board_write_begin(&row->seq);
	if (state != was || !out->outside_since_ns)
		out->outside_since_ns = since_ns ? since_ns : now_ns;
	out->outside = state;
	snprintf(out->why, sizeof(out->why), "%s", why);
	board_write_end(&row->seq);
	if (state != was && (state > OUTSIDE_GOOD || was > OUTSIDE_GOOD))
		tell(v, state > OUTSIDE_GOOD ? EVENT_ALERT : EVENT_INFO, f, n->name, in.self, board_outside_text(was),
		     board_outside_text(state), why);
}

static bool has_family(const struct config_network *n, int f)
{
	for (size_t i = 0; i < n->address_count; i++)
		if ((n->addresses[i].family == 6) == f)
			return true;
	return false;
}

static void look_from_outside(struct views *v, uint64_t now_ns)
{
	const struct config *config = v->watch->role->config;

	for (uint32_t i = 0; i < v->watch->network_count; i++) {
		const struct watch_network *n = &v->watch->networks[i];
		struct board_view_network *row = &board_of(v)->network[n->config_index];

		for (int f = 0; f < BOARD_FAMILIES && row->family[0].own; f++)
			if (has_family(&config->networks[n->config_index], f))
				look_at_family(v, n, row, f, now_ns);
	}
}

void views_look(struct views *v)
{
	if (v)
		v->look = true;
}

static void on_tick(uv_timer_t *timer)
{
	struct views *v = timer->data;
	uint64_t now_ns = clock_ns();

	v->ticks++;
	if (v->ticks % TRAFFIC_EVERY == 0)
		look_at_traffic(v, now_ns);
	if (v->look || v->ticks % OUTSIDE_EVERY == 0)
		look_from_outside(v, now_ns);
	v->look = false;
	ask_due(v, now_ns);
}

/* ---- life ---- */

static void cancel_all(struct views *v)
{
	for (size_t i = 0; i < VIEWS_SLOTS; i++) {
		if (v->slots[i].busy)
			probe_cancel(v->slots[i].probe);
		v->slots[i].busy = false;
	}
	v->target_count = v->anycast_count = v->next_target = 0;
}

static void choose_sources(struct views *v, const struct config_node *self)
{
	for (int f = 0; f < BOARD_FAMILIES; f++) {
		v->from[f] = (struct ip_addr){.family = 0};
		for (size_t i = 0; i < self->management_count && !v->from[f].family; i++)
			if (self->management[i].family == (f ? 6 : 4))
				v->from[f] = self->management[i];
	}
}

static void move_path(const struct board_view_path *from, struct board_view_path *to)
{
	atomic_store(&to->asked, board_get(&from->asked));
	atomic_store(&to->answered, board_get(&from->answered));
	atomic_store(&to->last_ns, board_get(&from->last_ns));
	atomic_store(&to->latency_us, atomic_load(&from->latency_us));
	atomic_store(&to->failures, atomic_load(&from->failures));
}

/* What is known of a way goes with the node's name and address to its new row. `old`: of the targets before; none: a predecessor's, which lie right. */
static void lay_out_paths(struct views *v, const struct target *old, uint32_t old_count,
                          const struct board_view_path (*was)[2])
{
	static const struct board_view_path unknown;

	for (uint32_t i = 0; old && i < v->target_count; i++) {
		const struct target *t = &v->targets[i];
		uint32_t k = 0;

		while (k < old_count && (strcmp(old[k].name, t->name) != 0 || !addr_equal(&old[k].at, &t->at)))
			k++;
		for (int tcp = 0; tcp < 2; tcp++)
			move_path(k < old_count ? &was[k][tcp] : &unknown,
			          &board_of(v)->path[t->node][t->address][tcp]);
	}
}

static void list_targets(struct views *v, uint64_t now_ns)
{
	const struct board_watch_nodes *nodes = &v->watch->board->watch.nodes;
	uint32_t count = MIN(atomic_load(&nodes->count), (uint32_t)BOARD_NODES_MAX);

	for (uint32_t i = 0; i < count; i++)
		for (uint32_t k = 0; k < BOARD_MANAGEMENT_MAX && nodes->node[i].address[k].address.family; k++) {
			struct target *t = &v->targets[v->target_count++];

			*t = (struct target){.node = i, .address = k, .at = nodes->node[i].address[k].address};
			memcpy(t->name, nodes->node[i].name, sizeof(t->name));
		}
	for (uint32_t i = 0; i < v->target_count; i++)
		for (int tcp = 0; tcp < 2; tcp++)
			v->targets[i].due_ns[tcp] =
				now_ns + (uint64_t)(random_u32() % views_pace_ms(v->target_count, tcp)) * 1000000U;
}

static void list_anycasts(struct views *v, uint64_t now_ns)
{
	const struct config *config = v->watch->role->config;

	for (uint32_t i = 0; i < MIN(config->network_count, (size_t)BOARD_NETWORKS_MAX); i++)
		for (int f = 0; f < BOARD_FAMILIES; f++)
			if (!board_of(v)->network[i].family[f].own && v->from[f].family &&
			    has_family(&config->networks[i], f))
				v->anycasts[v->anycast_count++] = (struct anycast){.network = i, .family = f};
	for (uint32_t i = 0; i < v->anycast_count; i++)
		v->anycasts[i].due_ns = now_ns + (uint64_t)(random_u32() % VIEWS_ANYCAST_MS) * 1000000U;
}

int views_replan(struct views *v)
{
	uint32_t nodes = v ? MIN(atomic_load(&v->watch->board->watch.nodes.count), (uint32_t)BOARD_NODES_MAX) : 0;
	struct target *old = v ? v->targets : NULL, *targets;
	uint32_t old_count = v ? v->target_count : 0;
	struct board_view_path(*was)[2];
	uint64_t now_ns = clock_ns();

	if (!v)
		return 0;
	cancel_all(v);
	targets = calloc((size_t)nodes * BOARD_MANAGEMENT_MAX + 1, sizeof(*targets));
	was = calloc((size_t)old_count + 1, sizeof(*was));
	if (!targets || !was) {
		free(targets);
		free(was);
		return ERR_NO_MEMORY;
	}
	for (uint32_t i = 0; i < old_count; i++)
		for (int tcp = 0; tcp < 2; tcp++)
			move_path(&board_of(v)->path[old[i].node][old[i].address][tcp], &was[i][tcp]);
	v->targets = targets;
	choose_sources(v, v->watch->role->node);
	memset(v->traffic, 0, sizeof(v->traffic));
	views_lay_out(board_of(v), v->watch->role->config, v->watch->role->node);
	list_targets(v, now_ns);
	list_anycasts(v, now_ns);
	lay_out_paths(v, old, old_count, (const struct board_view_path(*)[2])was);
	free(was);
	free(old);
	return 0;
}

int views_new(struct watch *w, struct views **out)
{
	struct views *v;
	int err;

	*out = NULL;
	if (!w->role->node)
		return 0;
	v = calloc(1, sizeof(*v));
	if (!v)
		return ERR_NO_MEMORY;
	v->watch = w;
	err = views_replan(v);
	if (err < 0) {
		free(v->targets);
		free(v);
		return err;
	}
	(void)uv_timer_init(&w->loop, &v->tick); /* cannot fail */
	v->tick.data = v;
	uv_timer_start(&v->tick, on_tick, TICK_MS, TICK_MS);
	*out = v;
	return 0;
}
