/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/status.h"

#include "admin/announced.h"
#include "admin/backend_cache.h"
#include "admin/events.h"
#include "admin/json.h"
#include "admin/status_backends.h"
#include "admin/status_dnstap.h"
#include "admin/status_drift.h"
#include "admin/status_endpoints.h"
#include "admin/status_http.h"
#include "admin/status_peers.h"
#include "admin/status_views.h"
#include "base/clock.h"
#include "zone/signatures.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { ROUTE_SLOT = 2 }; /* of supervisor.procs */

#define ROUTE_GONE "the route process is not running: its sessions are closed"

static json_t *stamp_ms(const board_stamp *stamp, uint64_t now_ns)
{
	uint64_t age = board_age_ns(stamp, now_ns);

	return age == UINT64_MAX ? json_null() : num(age / 1000000U);
}

/* ---- processes ---- */

/* How the last one ended and how often that happened, in one sentence. */
static json_t *process_why(const struct board_process *p)
{
	uint32_t starts = atomic_load(&p->starts);
	int status = atomic_load(&p->last_status);
	char text[120];

	if (starts < 2 && atomic_load(&p->pid))
		return json_string("running since the node started");
	snprintf(text, sizeof(text), "%s, started %u time%s, the last one before ended %s %d", atomic_load(&p->pid) ? "running" : "not running",
	         starts, starts == 1 ? "" : "s", WIFSIGNALED(status) ? "by signal" : "with exit status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	return json_string(text);
}

static void add_process(json_t *list, const struct status_facts *f, enum board_role role, unsigned index, size_t slot,
                        const board_stamp *stamp)
{
	const struct board_process *p = &f->board->supervisor.procs[slot];

	if (!atomic_load(&p->starts))
		return;
	json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:i, s:o, s:o, s:o}", "role", board_role_text(role), "index", (int)index,
	                                      "pid", (int)atomic_load(&p->pid), "starts", (int)atomic_load(&p->starts), "up_ms",
	                                      age_ms(atomic_load(&p->started_ns), f->now_ns), "heartbeat_ms",
	                                      stamp_ms(stamp, f->now_ns), "why", process_why(p)));
}

static json_t *processes(const struct status_facts *f)
{
	const struct board *b = f->board;
	json_t *list = json_array();

	add_process(list, f, ROLE_SYNC, 0, 0, &b->sync.stamp);
	add_process(list, f, ROLE_WATCH, 0, 1, &b->watch.stamp);
	add_process(list, f, ROLE_ROUTE, 0, ROUTE_SLOT, &b->route.stamp);
	add_process(list, f, ROLE_ADMIN, 0, 3, &b->admin.stamp);
	add_process(list, f, ROLE_TAP, 0, BOARD_PROCS_MAX - 1, &b->tap.stamp);
	for (unsigned i = 0; i < BOARD_WORKERS_MAX && i < atomic_load(&b->supervisor.workers); i++)
		add_process(list, f, ROLE_ANSWER, i, 4 + i, &b->workers[i].stamp);
	return list;
}

/* What each worker did; the sums over all are in `queries`. */
static json_t *workers(const struct status_facts *f)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < BOARD_WORKERS_MAX && i < atomic_load(&f->board->supervisor.workers); i++) {
		const struct board_worker *w = &f->board->workers[i];
		uint64_t asked = 0;

		for (int t = 0; t < 2; t++)
			asked += board_get(&w->queries[t][0]) + board_get(&w->queries[t][1]) + board_get(&w->tls_queries[t]);
		json_array_append_new(list, json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "index", (int)i, "queries", num(asked), "answers",
		                                      num(board_get(&w->answers)), "dropped", num(board_get(&w->dropped)), "bytes_in",
		                                      num(board_get(&w->bytes_in)), "bytes_out", num(board_get(&w->bytes_out)), "tcp_open",
		                                      num(board_get(&w->tcp_open)), "tcp_memory", num(board_get(&w->tcp_memory)), "tcp_idle_ms",
		                                      num(board_get(&w->tcp_idle_ms)), "tls_expires", num(board_get(&w->tls_expires)), "heartbeat_ms", stamp_ms(&w->stamp, f->now_ns),
		                                      "lost", num(board_get(&w->overflows))));
		json_object_set_new(json_array_get(list, i), "cpu_ms", num(board_get(&w->cpu_ns) / 1000000U));
	}
	return list;
}

/* Counters of the workers, summed up under these keys. */
#define COUNTER(k, m) {k, offsetof(struct board_worker, m)}
static const struct {
	const char *key;
	size_t at;
} counters[] = {
	COUNTER("udp_ipv4", queries[0][0]),
	COUNTER("udp_ipv6", queries[0][1]),
	COUNTER("tcp_ipv4", queries[1][0]),
	COUNTER("tcp_ipv6", queries[1][1]),
	COUNTER("tls_ipv4", tls_queries[0]),
	COUNTER("tls_ipv6", tls_queries[1]),
	COUNTER("answers", answers),
	COUNTER("dropped", dropped),
	COUNTER("cached", cached),
	COUNTER("truncated", truncated),
	COUNTER("too_big", too_big),
	COUNTER("limited_dropped", limited_dropped),
	COUNTER("limited_slipped", limited_slipped),
	COUNTER("limited_badcookie", limited_badcookie),
	COUNTER("filtered_dropped", filtered[0]),
	COUNTER("filtered_refused", filtered[1]),
	COUNTER("filtered_truncated", filtered[2]),
	COUNTER("send_failed", send_failed),
	COUNTER("cookies_malformed", cookies[1]),
	COUNTER("cookies_client_only", cookies[2]),
	COUNTER("cookies_bad", cookies[3]),
	COUNTER("cookies_good", cookies[4]),
	COUNTER("tcp_open", tcp_open),
	COUNTER("tcp_accepted", tcp_accepted),
	COUNTER("tcp_malformed", tcp_malformed),
	COUNTER("tcp_closed_limit", tcp_closed_limit),
	COUNTER("tcp_closed_idle", tcp_closed_idle),
	COUNTER("tcp_closed_slow", tcp_closed_slow),
	COUNTER("tcp_closed_client", tcp_closed_client),
	COUNTER("tcp_closed_memory", tcp_closed_memory),
	COUNTER("tcp_memory", tcp_memory),
	COUNTER("tls_open", tls_open),
	COUNTER("tls_accepted", tls_accepted),
	COUNTER("tls_handshakes", tls_handshakes),
	COUNTER("tls_resumed", tls_resumed),
	COUNTER("tls_failed", tls_failed),
	COUNTER("tls_timeouts", tls_timeouts),
	COUNTER("tls_relays", tls_relays),
	COUNTER("tls_relayed", tls_relayed),
};

/* Ways through devices with XDP. */
static json_t *paths(const struct status_facts *f)
{
	json_t *out = json_array();

	for (size_t i = 0; i < BOARD_PATHS_MAX; i++) {
		const struct board_watch_path *b = &f->board->watch.paths[i];
		struct board_watch_path copy = {0};
		char neighbor[ADDR_TEXT_MAX];

		if (!board_copy(&b->seq, b, &copy, sizeof(copy)) || !copy.ifindex)
			continue;
		copy.why[sizeof(copy.why) - 1] = copy.device[sizeof(copy.device) - 1] = '\0';
		json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "device", copy.device, "neighbor",
		                                     addr_text(&copy.neighbor, neighbor), "verdict", board_verdict_text((enum board_verdict)copy.verdict), "why",
		                                     str(copy.why), "turned", num(copy.turned), "failed", num(copy.failed), "from_cache",
		                                     num(copy.from_cache), "from_worker", num(copy.from_worker)));
	}
	return out;
}

/* The XDP path; its answers are not among those of the workers. */
static json_t *xdp(const struct status_facts *f)
{
	const struct board_xdp *b = &f->board->supervisor.xdp;
	struct board_xdp copy = {0};
	uint64_t filled = 0, by_ring = 0;

	if (!board_copy(&b->seq, b, &copy, sizeof(copy)))
		snprintf(copy.why, sizeof(copy.why), "being changed just now");
	copy.why[sizeof(copy.why) - 1] = '\0';
	for (unsigned i = 0; i < BOARD_WORKERS_MAX && i < atomic_load(&f->board->supervisor.workers); i++) {
		filled += board_get(&f->board->workers[i].xdp_filled);
		by_ring += board_get(&f->board->workers[i].ring_answers);
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rung", board_xdp_text(copy.rung), "why", str(copy.why),
	                 "seen", num(board_get(&b->seen)), "answered_ipv4", num(board_get(&b->answered[0])), "answered_ipv6",
	                 num(board_get(&b->answered[1])), "of_backends", num(board_get(&b->of_backends)), "bytes_out", num(board_get(&b->bytes_out)), "limited_dropped",
	                 num(board_get(&b->limited_dropped)), "limited_slipped", num(board_get(&b->limited_slipped)), "filled", num(filled),
	                 "passed_lease", num(board_get(&b->passed_lease)), "passed_form", num(board_get(&b->passed_form)), "passed_options",
	                 num(board_get(&b->passed_options)), "passed_miss", num(board_get(&b->passed_miss)), "passed_stale",
	                 num(board_get(&b->passed_stale)), "passed_size", num(board_get(&b->passed_size)), "passed_other",
	                 num(board_get(&b->passed_other)), "to_af_xdp", num(board_get(&b->to_workers)), "af_xdp_answers", num(by_ring), "probes",
	                 num(board_get(&b->probes)), "paths", paths(f));
}

static json_t *queries(const struct status_facts *f)
{
	unsigned workers = MIN(atomic_load(&f->board->supervisor.workers), (unsigned)BOARD_WORKERS_MAX);
	json_t *out = json_object(), *by_rcode = json_object(), *by_type = json_object();

	for (size_t c = 0; c < ARRAY_LEN(counters); c++) {
		uint64_t sum = 0;

		for (unsigned i = 0; i < workers; i++)
			sum += board_get((const _Atomic uint64_t *)(const void *)((const char *)&f->board->workers[i] + counters[c].at));
		json_object_set_new(out, counters[c].key, num(sum));
	}
	for (int r = 0; r < BOARD_RCODES; r++) {
		uint64_t sum = 0;
		char key[8];

		for (unsigned i = 0; i < workers; i++)
			sum += board_get(&f->board->workers[i].rcodes[r]);
		snprintf(key, sizeof(key), "%d", r);
		if (sum)
			json_object_set_new(by_rcode, key, num(sum));
	}
	for (unsigned t = 0; t < BOARD_TYPES; t++) {
		uint64_t sum = 0;

		for (unsigned i = 0; i < workers; i++)
			sum += board_get(&f->board->workers[i].measures.types[t]);
		if (sum)
			json_object_set_new(by_type, board_query_type_text(t), num(sum));
	}
	json_object_set_new(out, "rcodes", by_rcode);
	json_object_set_new(out, "types", by_type);
	return out;
}

/* ---- networks ---- */

/* What route left on the board is the truth only while route lives: its sessions ended with it, and routers have withdrawn. */
static bool route_is_gone(const struct status_facts *f)
{
	const struct board_process *p = &f->board->supervisor.procs[ROUTE_SLOT];

	return atomic_load(&p->starts) && (!atomic_load(&p->pid) || atomic_load(&f->board->route.stamp) <= atomic_load(&p->started_ns));
}

static json_t *check(const struct board_watch_check *c)
{
	return json_pack("{s:s, s:o, s:o, s:o}", "verdict", board_verdict_text(c->verdict), "latency_us", num(c->latency_us), "passes",
	                 num(c->passes), "failures", num(c->failures));
}

/* The zone of the network whose signatures end first; null: none is signed. */
static json_t *first_signatures(const struct board *board, size_t i)
{
	const struct board_sync_network *b = &board->sync.networks[i];
	struct board_sync_network copy;
	struct signatures s;

	if (!board_copy(&b->seq, b, &copy, sizeof(copy)) || !copy.signatures)
		return json_null();
	copy.signatures_zone[BOARD_ZONE_MAX - 1] = '\0';
	s = (struct signatures){.any = true, .end = copy.signatures_end};
	return json_pack("{s:o, s:I, s:b}", "zone", str(copy.signatures_zone), "left_s", (json_int_t)signatures_left_s(&s, clock_wall_s()), "exact",
	                 copy.signatures == 1);
}

static json_t *causes(uint32_t bits)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		if (bits & 1U << i)
			json_array_append_new(list, json_string(board_cause_text(1U << i)));
	return list;
}

/* Of a family without service addresses: as the other's. */
static json_t *checks_of_family(struct board_watch_family *w, uint64_t now_ns)
{
	w->why[sizeof(w->why) - 1] = '\0';
	return json_pack("{s:s, s:o, s:i, s:i, s:o, s:o}", "verdict", board_verdict_text(w->verdict), "causes", causes(w->causes), "checks",
	                 (int)w->checks, "passing", (int)w->passing, "since_ms", age_ms(w->since_ns, now_ns), "why", str(w->why));
}

/* What the network's verdict is made of beside the checks. */
static void add_facts(json_t *to, const struct board_watch_network *w)
{
	json_t *checks = json_object_get(to, "checks");
	bool held = w->stale_in_ms != UINT64_MAX;

	json_object_set_new(checks, "causes", causes(w->family[0].causes | w->family[1].causes));
	json_object_set_new(to, "data_age_ms", held ? num(w->data_age_ms) : json_null());
	json_object_set_new(to, "stale_in_ms", held ? num(w->stale_in_ms) : json_null());
}

/* How busy the node is; the same in each network. null: it is in none. */
static json_t *load(const struct status_facts *f)
{
	const struct board_watch_network *b = &f->board->watch.networks[0];
	struct board_watch_network w;

	if (!f->node || !f->node->network_count || !board_copy(&b->seq, b, &w, sizeof(w)))
		return json_null();
	return json_pack("{s:i, s:I, s:o}", "permille", (int)w.load, "qps", (json_int_t)w.qps, "headroom",
	                 w.headroom == UINT32_MAX ? json_null() : num(w.headroom));
}

/* The decision of one family; null: the network has no prefixes of it. */
static json_t *family(const struct config_network *conf, const struct board_route_network *route, const struct board_watch_network *watch, int f,
                      uint64_t now_ns)
{
	struct board_route_family r = route->family[f];
	struct board_watch_family w = watch->family[f];
	bool exists = false;

	for (size_t k = 0; k < conf->prefix_count; k++)
		exists |= (conf->prefixes[k].addr.family == 4) == (f == 0);
	if (!exists)
		return json_null();
	r.why[sizeof(r.why) - 1] = r.page[sizeof(r.page) - 1] = '\0';
	return json_pack("{s:s, s:o, s:o, s:s, s:i, s:o, s:o}", "announce", board_announce_text(r.announce), "since_ms",
	                 age_ms(r.since_ns, now_ns), "why", str(r.why), "page", r.page, "flaps", (int)r.flaps, "intent", causes(r.intent), "checks",
	                 checks_of_family(&w, now_ns));
}

/* null: this node announces none of it. */
static json_t *backstop(const struct config_network *conf, const struct board_route_network *route, bool gone, uint64_t now_ns)
{
	json_t *prefixes;
	char text[PREFIX_TEXT_MAX];

	if (!gone && !route->backstop_since_ns)
		return json_null();
	prefixes = json_array();
	for (size_t k = 0; k < conf->backstop_count; k++)
		json_array_append_new(prefixes, json_string(prefix_text(&conf->backstops[k], text)));
	return json_pack("{s:o, s:s, s:o, s:o}", "prefixes", prefixes, "announce", board_announce_text(gone ? ANNOUNCE_NONE : route->backstop),
	                 "since_ms", age_ms(route->backstop_since_ns, now_ns), "why", str(gone ? ROUTE_GONE : route->backstop_why));
}

static json_t *network(const struct status_facts *f, size_t i)
{
	const struct config_network *conf = &f->config->networks[f->node->networks[i]];
	const struct board *b = f->board;
	struct board_watch_network watch = {0};
	struct board_route_network route = {0};
	json_t *addresses = json_array(), *prefixes = json_array();
	bool whole = board_copy(&b->watch.networks[i].seq, &b->watch.networks[i], &watch, sizeof(watch));
	bool torn = !board_copy(&b->route.networks[i].seq, &b->route.networks[i], &route, sizeof(route)) || !whole;
	bool gone = route_is_gone(f), has_backstop;
	char text[PREFIX_TEXT_MAX];
	json_t *o;

	has_backstop = route.backstop_since_ns != 0;
	/* Torn copies are shown as such, but must be text. */
	watch.why[sizeof(watch.why) - 1] = route.why[sizeof(route.why) - 1] = route.backstop_why[sizeof(route.backstop_why) - 1] = '\0';
	if (gone) {
		route = (struct board_route_network){.announce = ANNOUNCE_NONE, .flaps = route.flaps};
		snprintf(route.why, sizeof(route.why), ROUTE_GONE);
		for (int k = 0; k < BOARD_FAMILIES; k++) {
			snprintf(route.family[k].why, sizeof(route.family[k].why), ROUTE_GONE);
			snprintf(route.family[k].page, sizeof(route.family[k].page), "route-gone");
		}
	}
	for (size_t k = 0; k < conf->address_count && k < BOARD_ADDRESSES_MAX; k++)
		json_array_append_new(addresses, json_pack("{s:s, s:o, s:o}", "address", addr_text(&conf->addresses[k], text), "udp",
		                                           check(&watch.checks[k][0]), "tcp", check(&watch.checks[k][1])));
	for (size_t k = 0; k < conf->prefix_count; k++)
		json_array_append_new(prefixes, json_string(prefix_text(&conf->prefixes[k], text)));
	o = json_pack("{s:s, s:o, s:o, s:s, s:i, s:i, s:b, s:o, s:{s:s, s:o, s:o}, s:{s:s, s:o, s:o, s:i, s:b}}", "name", conf->name,
	                 "prefixes", prefixes, "addresses", addresses, "order",
	                 board_order_text((enum board_order)atomic_load(&b->supervisor.orders[i].order)), "zones",
	                 (int)atomic_load(&b->sync.networks[i].zones), "zones_ready", (int)atomic_load(&b->sync.networks[i].ready), "torn",
	                 torn, "signatures", first_signatures(b, i), "checks", "verdict", board_verdict_text(watch.verdict), "since_ms", age_ms(watch.since_ns, f->now_ns), "why",
	                 str(watch.why), "decision", "announce", board_announce_text(route.announce), "since_ms",
	                 age_ms(route.since_ns, f->now_ns), "why", str(route.why), "flaps", (int)route.flaps, "drained", (int)route.drained);
	add_facts(o, &watch);
	json_object_set_new(o, "families",
	                    json_pack("{s:o, s:o}", "ipv4", family(conf, &route, &watch, 0, f->now_ns), "ipv6",
	                              family(conf, &route, &watch, 1, f->now_ns)));
	json_object_set_new(o, "backstop", backstop(conf, &route, gone && has_backstop, f->now_ns));
	return o;
}

/* What neighbor i has been told; *left_out: routes that had no room. */
static json_t *announced(const struct status_facts *f, uint32_t i, uint32_t *left_out)
{
	static struct board_route_told told;

	*left_out = 0;
	if (!board_copy(&f->board->route.told[i].seq, &f->board->route.told[i], &told, sizeof(told)))
		return json_array();
	told.text[sizeof(told.text) - 1] = '\0';
	*left_out = told.left_out;
	return announced_json(told.text);
}

static json_t *bfd(const struct board_bfd *b, bool gone, uint64_t now_ns)
{
	struct board_bfd c = *b;

	if (!c.on)
		return json_null();
	c.state_text[sizeof(c.state_text) - 1] = c.remote_text[sizeof(c.remote_text) - 1] = c.why[sizeof(c.why) - 1] = '\0';
	c.diag[sizeof(c.diag) - 1] = c.remote_diag[sizeof(c.remote_diag) - 1] = '\0';
	if (gone) {
		snprintf(c.state_text, sizeof(c.state_text), "down");
		snprintf(c.why, sizeof(c.why), ROUTE_GONE);
		c.since_ns = c.detect_us = 0;
	}
	return json_pack("{s:s, s:s, s:b, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "state", c.state_text, "remote_state",
	                 c.remote_text, "multihop", (int)c.multihop, "since_ms", age_ms(c.since_ns, now_ns), "why", c.why, "diagnostic", c.diag,
	                 "remote_diagnostic", c.remote_diag, "transitions", num(c.transitions), "falls", num(c.falls), "interval_us",
	                 num(c.tx_us), "detection_us", num(c.detect_us), "packets_in", num(c.in), "packets_out", num(c.out), "packets_bad",
	                 num(c.bad), "packets_unsent", num(c.unsent));
}

/* The thread that does it for all neighbors; null: there is none. */
static json_t *bfd_thread(const struct status_facts *f, bool gone)
{
	const struct board_route_bfd *b = &f->board->route.bfd;

	if (gone || !atomic_load(&b->running))
		return json_null();
	return json_pack("{s:b, s:b, s:b, s:o, s:o, s:o}", "realtime", (int)atomic_load(&b->realtime), "locked", (int)atomic_load(&b->locked),
	                 "held", (int)atomic_load(&b->held), "held_count", num(board_get(&b->held_count)), "packets_strange",
	                 num(board_get(&b->strange)), "latest_us", num(board_get(&b->late_max_us)));
}

static json_t *neighbors(const struct status_facts *f)
{
	json_t *list = json_array();
	bool gone = route_is_gone(f);

	for (uint32_t i = 0; i < atomic_load(&f->board->route.neighbors) && i < BOARD_NEIGHBORS_MAX; i++) {
		struct board_route_neighbor n;
		char addr[ADDR_TEXT_MAX], text[ADDR_TEXT_MAX + sizeof(n.interface)];
		uint32_t left_out = 0;
		json_t *routes, *o;

		if (!board_copy(&f->board->route.neighbor[i].seq, &f->board->route.neighbor[i], &n, sizeof(n)))
			continue;
		n.state_text[sizeof(n.state_text) - 1] = '\0';
		n.last_error[sizeof(n.last_error) - 1] = '\0';
		n.interface[sizeof(n.interface) - 1] = '\0';
		routes = gone ? json_array() : announced(f, i, &left_out);
		if (gone) {
			n.since_ns = n.announced = n.hold_s = n.received = n.over_max = 0;
			snprintf(n.state_text, sizeof(n.state_text), "idle");
			snprintf(n.last_error, sizeof(n.last_error), ROUTE_GONE);
		}
		if (n.interface[0])
			n.address.zone = 0; /* by name rather than by number */
		snprintf(text, sizeof(text), "%s%s%s", addr_text(&n.address, addr), n.interface[0] ? "%" : "", n.interface);
		o = json_pack("{s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:o, s:o}", "address", str(text), "as", num(n.as), "state", str(n.state_text),
		              "since_ms", age_ms(n.since_ns, f->now_ns), "established_count", (int)n.established_count, "hold_s", (int)n.hold_s,
		              "prefixes", (int)n.announced, "bad_messages", (int)n.bad_messages, "last_error", str(n.last_error), "announced", routes);
		json_object_set_new(o, "announced_left_out", num(left_out));
		json_object_set_new(o, "received", num(n.received));
		json_object_set_new(o, "over_max_prefixes", json_boolean(n.over_max));
		json_object_set_new(o, "order", json_string(n.order == ANNOUNCE_YES ? "none" : "drain"));
		json_object_set_new(o, "drained", json_boolean(n.order == ANNOUNCE_NONE));
		json_object_set_new(o, "bfd", bfd(&n.bfd, gone, f->now_ns));
		json_array_append_new(list, o);
	}
	return list;
}

/* Zones held by transfer. */
static json_t *transfers_in(const struct status_facts *f)
{
	const struct board_transfers_in *b = &f->board->sync.in;
	static const struct {
		const char *key;
		size_t at;
	} rows[] = {
#define ROW(m) {#m, offsetof(struct board_transfers_in, m)}
		ROW(zones), ROW(serving), ROW(expired), ROW(failing), ROW(empty), ROW(queued), ROW(active), ROW(confirmed), ROW(axfr), ROW(ixfr),
		ROW(fallbacks), ROW(failed), ROW(refused), ROW(records), ROW(bytes), ROW(notified), ROW(notify_refused), ROW(journal_failed), ROW(repeated),
	};
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		json_object_set_new(o, rows[i].key, num(board_get((const _Atomic uint64_t *)(const void *)((const char *)b + rows[i].at))));
	return o;
}

/* Transfers to others, NOTIFY both ways. */
static json_t *transfers_out(const struct status_facts *f)
{
	const struct board_transfers_out *t = &f->board->sync.out;
	const struct {
		const char *name;
		const _Atomic uint64_t *value;
	} rows[] = {
		{"axfr", &t->axfr}, {"ixfr", &t->ixfr}, {"current", &t->current}, {"refused", &t->refused}, {"failed", &t->failed},
		{"records", &t->records}, {"bytes", &t->bytes}, {"active", &t->active}, {"waiting", &t->waiting},
		{"connections", &t->connections}, {"tsig_bad", &t->tsig_bad}, {"notify_in", &t->notify_in},
		{"notify_refused", &t->notify_refused}, {"notify_sent", &t->notify_sent}, {"notify_acked", &t->notify_acked},
		{"notify_failed", &t->notify_failed}, {"notify_pending", &t->notify_pending}, {"history_bytes", &t->history_octets},
	};
	uint64_t handed_over = 0, handover_failed = 0;
	json_t *o = json_object();

	for (size_t i = 0; o && i < ARRAY_LEN(rows); i++)
		json_object_set_new(o, rows[i].name, num(board_get(rows[i].value)));
	for (unsigned i = 0; i < BOARD_WORKERS_MAX; i++) {
		handed_over += board_get(&f->board->workers[i].handed_over);
		handover_failed += board_get(&f->board->workers[i].handover_failed);
	}
	json_object_set_new(o, "handed_over", num(handed_over));
	json_object_set_new(o, "handover_failed", num(handover_failed));
	return o;
}

static json_t *hooks(const struct status_facts *f)
{
	const struct board_hooks *b = &f->board->supervisor.hooks;

	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "run", num(board_get(&b->run)), "failed", num(board_get(&b->failed)), "killed",
	                 num(board_get(&b->killed)), "dropped", num(board_get(&b->dropped)), "running", num(atomic_load(&b->running)), "queued",
	                 num(atomic_load(&b->queued)));
}

/* The fleet file: its generation, and what was refused. */
static void fleet_file(const struct status_facts *f, json_t *config)
{
	const struct board_supervisor *b = &f->board->supervisor;
	uint32_t older = atomic_load(&b->fleet_file_older);
	struct board_refusal refused = {0};

	if (!board_copy(&b->refused.seq, &b->refused, &refused, sizeof(refused)))
		refused.at_ns = 0;
	refused.why[sizeof(refused.why) - 1] = '\0';
	json_object_set_new(config, "fleet_generation", num(atomic_load(&b->fleet_generation)));
	json_object_set_new(config, "fleet_highest", num(atomic_load(&b->fleet_highest)));
	json_object_set_new(config, "file_older", older ? num(older - 1U) : json_null());
	json_object_set_new(config, "refused",
	                    refused.at_ns ? json_pack("{s:o, s:o}", "since_ms", age_ms(refused.at_ns, f->now_ns), "why", str(refused.why)) : json_null());
}

/* ---- RPKI ---- */

/* Milliseconds from now; null: it is over, or there is none. */
static json_t *left_ms(uint64_t at_ns, uint64_t now_ns)
{
	return at_ns > now_ns ? num((at_ns - now_ns) / 1000000U) : json_null();
}

static json_t *origins(const struct status_facts *f)
{
	const struct board_rpki *b = &f->board->watch.rpki;
	json_t *list = json_array();

	for (uint32_t i = 0; i < MIN(atomic_load(&b->origins), (uint32_t)BOARD_ORIGINS_MAX); i++) {
		struct board_origin o;
		char text[PREFIX_TEXT_MAX];

		if (!board_copy(&b->origin[i].seq, &b->origin[i], &o, sizeof(o)) || !f->node || o.network >= f->node->network_count)
			continue;
		o.why[sizeof(o.why) - 1] = '\0';
		json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:b, s:s, s:b, s:o, s:o, s:o}", "prefix", prefix_text(&o.prefix, text), "as", num(o.as),
		                                      "network", f->config->networks[f->node->networks[o.network]].name, "backstop", (int)o.backstop,
		                                      "state", board_origin_text((enum board_origin_state)o.state), "refused",
		                                      o.refuse && o.expires_ns > f->now_ns, "since_ms", age_ms(o.since_ns, f->now_ns), "expires_ms",
		                                      left_ms(o.expires_ns, f->now_ns), "why", str(o.why)));
	}
	return list;
}

static json_t *rpki(const struct status_facts *f)
{
	const struct board_rpki *b = &f->board->watch.rpki;
	json_t *caches = json_array();

	for (uint32_t i = 0; i < MIN(atomic_load(&b->caches), (uint32_t)BOARD_CACHES_MAX); i++) {
		struct board_cache c;
		char text[ADDR_TEXT_MAX];

		if (!board_copy(&b->cache[i].seq, &b->cache[i], &c, sizeof(c)))
			continue;
		c.state[sizeof(c.state) - 1] = c.last_error[sizeof(c.last_error) - 1] = '\0';
		json_array_append_new(caches, json_pack("{s:s, s:i, s:o, s:s, s:o, s:b, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "address",
		                                        addr_text(&c.address, text), "port", (int)c.port, "preference", num(c.preference), "state",
		                                        c.state, "since_ms", age_ms(c.since_ns, f->now_ns), "believed", (int)c.believed, "version",
		                                        (int)c.version, "serial", num(c.serial), "payloads", num(c.payloads), "records",
		                                        num(c.records), "synced_ms", age_ms(c.synced_ns, f->now_ns), "expires_ms",
		                                        left_ms(c.expires_ns, f->now_ns), "syncs", num(c.syncs), "errors", num(c.errors),
		                                        "last_error", str(c.last_error)));
	}
	return json_pack("{s:b, s:o, s:o}", "configured", f->config && f->config->rpki.enabled, "caches", caches, "origins", origins(f));
}

/* Routes of others for what is ours, as neighbors see them: gone with route's sessions. */
static json_t *hijacks(const struct status_facts *f)
{
	static struct board_hijacks copy; /* large; one thread */
	const struct board_hijacks *b = &f->board->route.hijacks;
	json_t *list = json_array();

	if (route_is_gone(f) || !board_copy(&b->seq, b, &copy, sizeof(copy)))
		memset(&copy, 0, sizeof(copy));
	for (uint32_t i = 0; i < MIN(copy.rows, (uint32_t)BOARD_HIJACKS_MAX); i++) {
		struct board_hijack *h = &copy.row[i];
		char prefix[PREFIX_TEXT_MAX], ours[PREFIX_TEXT_MAX], neighbor[ADDR_TEXT_MAX];

		h->path[sizeof(h->path) - 1] = '\0';
		json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o}", "prefix", prefix_text(&h->prefix, prefix), "ours",
		                                      prefix_text(&h->ours, ours), "as", num(h->as), "origin", h->origin ? num(h->origin) : json_null(),
		                                      "neighbor", addr_text(&h->neighbor, neighbor), "path", str(h->path), "since_ms",
		                                      age_ms(h->since_ns, f->now_ns)));
	}
	return json_pack("{s:o, s:o, s:o, s:o}", "now", num(copy.count), "seen", num(copy.seen), "left_out", num(copy.left_out), "routes", list);
}

json_t *status_networks(const struct status_facts *f)
{
	json_t *networks = json_array();

	for (size_t i = 0; f->node && i < f->node->network_count && i < BOARD_NETWORKS_MAX; i++)
		json_array_append_new(networks, network(f, i));
	return networks;
}

json_t *status_json(const struct status_facts *f)
{
	const struct board *b = f->board;
	json_t *networks = status_networks(f), *o;
	char hash[65] = "";

	for (unsigned i = 0; f->config && i < 32; i++)
		snprintf(hash + 2 * i, 3, "%02x", f->config->hash[i]);
	o = json_pack("{s:s, s:s, s:b, s:o, s:b, s:{s:o, s:s}, s:o, s:o, s:{s:o, s:o, s:o, s:o, s:b, s:o, s:o}, s:o, s:o}", "node", f->node_name,
	              "version", ZONECAST_VERSION, "standalone", !f->config, "uptime_ms",
	              age_ms(atomic_load(&b->supervisor.started_ns), f->now_ns), "stopping", (int)atomic_load(&b->supervisor.stopping), "config",
	              "generation", num(atomic_load(&b->supervisor.config_generation)), "sha256", hash, "processes", processes(f), "queries",
	              queries(f), "zones", "configured", num(board_get(&b->sync.zones_configured)), "serving",
	              num(board_get(&b->sync.zones_serving)), "failed", num(board_get(&b->sync.zones_failed)), "records",
	              num(board_get(&b->sync.records)), "loading", (int)board_get(&b->sync.loading), "loading_done",
	              num(board_get(&b->sync.loading_done)), "loading_zones", num(board_get(&b->sync.loading_zones)), "networks", networks, "neighbors",
	              neighbors(f));
	if (o) {
		json_object_set_new(json_object_get(o, "zones"), "held_back", num(board_get(&b->sync.zones_held_back)));
		json_object_set_new(json_object_get(o, "zones"), "history_failed", num(board_get(&b->sync.history_failed)));
	}
	if (o)
		json_object_update_new(json_object_get(o, "zones"),
		                       json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "failing", num(board_get(&b->sync.zones_failing)), "refused",
		                                 num(board_get(&b->sync.loads_refused)), "watched_folders", num(board_get(&b->sync.watch_folders)),
		                                 "unwatched_folders", num(board_get(&b->sync.watch_failed)), "saved", num(board_get(&b->sync.watch_saves)),
		                                 "overflows", num(board_get(&b->sync.watch_overflows))));
	if (o)
		fleet_file(f, json_object_get(o, "config"));
	if (o)
		json_object_set_new(o, "hooks", hooks(f));
	if (o)
		json_object_set_new(o, "peers", status_peers(f));
	if (o)
		json_object_set_new(o, "views", status_views(f));
	if (o)
		json_object_set_new(o, "workers", workers(f));
	if (o)
		json_object_set_new(o, "load", load(f));
	if (o)
		json_object_set_new(o, "xdp", xdp(f));
	if (o)
		json_object_set_new(o, "bfd", bfd_thread(f, route_is_gone(f)));
	if (o)
		json_object_set_new(o, "transfers_in", transfers_in(f));
	if (o)
		json_object_set_new(o, "transfers_out", transfers_out(f));
	if (o)
		json_object_set_new(o, "drift", status_drift(f));
	if (o)
		json_object_set_new(o, "endpoints", status_endpoints(f));
	if (o)
		json_object_set_new(o, "backends", status_backends(f));
	if (o)
		json_object_set_new(o, "backend_cache", backend_cache_status(f->cache, b));
	if (o)
		json_object_set_new(o, "rpki", rpki(f));
	if (o)
		json_object_set_new(o, "hijacks", hijacks(f));
	if (o)
		json_object_set_new(o, "dnstap", status_dnstap(f));
	if (o)
		json_object_set_new(o, "query_log", status_query_log(f));
	if (o)
		json_object_set_new(o, "http", status_http(f));
	if (o)
		json_object_set_new(o, "events", status_events(b));
	if (o && f->config)
		json_object_set_new(o, "fleet", str(f->config->fleet));
	return o;
}
