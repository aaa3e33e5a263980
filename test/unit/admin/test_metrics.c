/* SPDX-License-Identifier: BSD-2-Clause */
/* Metrics, from a board that the test has filled: form, values, that zonecast-metrics(7) tells of each, and how many there are when everything is full.
 *
 * test_metrics --print writes the text of the filled board, --full of the full one: for promtool (test/functional/metrics/). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/metrics.h"
#include "admin/metrics_text.h"
#include "admin/sources.h"
#include "base/attr.h"
#include "base/clock.h"
#include "base/diag.h"

enum {
	FULL_SERIES = 50000, /* as zonecast-metrics(7) says */
	USUAL_SERIES = 800,
};
#define SECOND 1000000000ULL

static const char yaml[] = "fleet: test\n"
			   "networks:\n"
			   "  - {name: global, prefixes: [203.0.113.0/24, \"2001:db8:53::/48\"], addresses: "
                           "[203.0.113.53, \"2001:db8:53::53\"], as: 64500}\n"
			   "  - {name: eu, prefixes: [192.0.2.0/24], addresses: [192.0.2.53], as: 64500}\n"
			   "rpki: {caches: [{address: 10.0.0.9}]}\n"
			   "pools:\n"
			   "  - {name: web, keep: 2, check: {type: tcp, port: 80}, endpoints: [{name: a, address: 192.0.2.1}, {name: b, address: 192.0.2.2}, "
			   "{name: c, address: 192.0.2.3, disabled: true}]}\n"
			   "  - {name: mail, check: {type: tcp, port: 25}, endpoints: [{name: a, address: 192.0.2.1}]}\n"
			   "  - {name: eu, fallback: spare, endpoints: [{name: a, address: 192.0.2.1}]}\n"
			   "  - {name: us, endpoints: [{name: a, address: 192.0.2.2}]}\n"
			   "  - {name: spare, endpoints: [{name: a, address: 192.0.2.3}]}\n"
			   "steering:\n"
			   "  - {name: web, owners: [www.example], pool: eu, rules: [{subnets: [192.0.2.0/24], pool: us}]}\n"
			   "nodes:\n"
			   "  - name: fra\n"
			   "    role: pop\n"
			   "    networks: [global, eu]\n"
			   "    management: [10.0.0.1]\n"
			   "    bgp: {router-id: 10.0.0.1, neighbors: [{address: 10.0.0.2, as: 64496}]}\n";

struct bed {
	struct board *board;
	struct config *config;
	struct admin_view view;
	struct text out;
};

static struct config *parse(const char *text)
{
	struct config *c = NULL;
	struct diag diag;
	char line[400];

	diag_init(&diag);
	if (config_parse("/test.yaml", text, strlen(text), &diag, &c) < 0)
		for (const struct diag_entry *e = diag.first; e; e = e->next)
			fprintf(stderr, "%s\n", diag_entry_text(e, line, sizeof(line)));
	diag_done(&diag);
	return c;
}

static int setup(void **state)
{
	static struct bed bed;
	int fd;

	bed = (struct bed){0};
	if (board_create(&fd, &bed.board) < 0)
		return -1;
	close(fd);
	bed.config = parse(yaml);
	if (!bed.config)
		return -1;
	text_init(&bed.out);
	bed.view = (struct admin_view){.board = bed.board,
	                                  .config = bed.config,
	                                  .node = config_node_find(bed.config, "fra"),
	                                  .node_name = "fra",
	                                  .now_ns = 1000 * SECOND};
	*state = &bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	text_done(&b->out);
	config_free(b->config);
	munmap(b->board, sizeof(*b->board));
	return 0;
}

static struct ip_addr address(const char *text)
{
	struct ip_addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void set(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store(word, value);
}

static void fill_workers(struct board *b)
{
	atomic_store(&b->supervisor.workers, 2);
	for (unsigned i = 0; i < 3; i++) { /* the third is none of ours */
		struct board_worker *w = &b->workers[i];

		set(&w->queries[0][0], 100);
		set(&w->queries[1][1], 7);
		set(&w->tls_queries[1], 3);
		set(&w->answers, 90);
		set(&w->cached, 40);
		set(&w->edge.steered, 10);
		set(&w->edge.steered_unsigned, 1);
		set(&board_steered_take(&w->edge, board_steered_key("web", "eu"))->answers, 5);
		set(&board_steered_take(&w->edge, board_steered_key("web", "spare"))->answers, 2);
		set(&board_steered_take(&w->edge, board_steered_key("gone", "eu"))->answers, 3);
		set(&w->rcodes[3], 11);
		set(&w->rcodes[21], 1);
		set(&w->measures.types[7], 55);
		set(&w->measures.types[BOARD_TYPES - 1], 5);
		set(&w->measures.networks[1][0], 12);
		set(&w->measures.networks[BOARD_NETWORKS_MAX][1], 4);
		set(&w->measures.latency[0][0], 10);
		set(&w->measures.latency[0][3], 20);
		set(&w->measures.latency[0][BOARD_LATENCIES - 1], 1);
		set(&w->measures.latency_ns[0], 1500000);
		set(&w->measures.query_sizes[0][2], 9);
		set(&w->measures.answer_sizes[1][BOARD_SIZES - 1], 2);
		set(&w->measures.answer_octets[1], 10000);
		set(&w->tcp_idle_ms, 10000 - i * 500);
		set(&w->tls_expires, i ? 1800000000 : 1900000000);
	}
	set(&b->supervisor.xdp.answered[0], 1000);
	set(&b->supervisor.xdp.rcodes[0], 1000);
	b->supervisor.xdp.rung = RUNG_GENERIC;
}

static void fill_routes(struct board *b, uint64_t now_ns)
{
	struct board_route_neighbor *n = &b->route.neighbor[0];
	struct board_hijacks *h = &b->route.hijacks;

	atomic_store(&b->supervisor.procs[2].pid, 77);
	atomic_store(&b->supervisor.procs[2].starts, 1);
	atomic_store(&b->route.neighbors, 1);
	n->address = address("10.0.0.2");
	n->as = 64496;
	n->since_ns = now_ns - 30 * SECOND;
	n->established_count = 4;
	n->announced = 2;
	n->order = ANNOUNCE_YES;
	strcpy(n->state_text, "established");
	n->bfd.on = 1;
	strcpy(n->bfd.state_text, "up");
	n->bfd.detect_us = 150000;
	b->route.networks[0].family[1].announce = ANNOUNCE_DEPREF;
	b->route.networks[0].family[0].announce = ANNOUNCE_YES;
	b->watch.networks[0].family[1].verdict = VERDICT_SOFT;
	b->watch.networks[0].family[1].causes = CAUSE_STALE | CAUSE_EXPIRY;
	b->watch.networks[0].checked_ns = now_ns;
	b->watch.networks[0].data_age_ms = 12345;
	b->watch.networks[0].load = 125;
	b->watch.networks[0].headroom = UINT32_MAX;
	b->watch.networks[0].checks[1][0].latency_us = 250;
	h->count = h->rows = 1;
	assert_int_equal(prefix_parse("192.0.2.0/25", &h->row[0].prefix), 0);
	h->row[0].neighbor = address("10.0.0.2");
	h->row[0].origin = 666;
	atomic_store(&b->watch.rpki.origins, 1);
	b->watch.rpki.origin[0].network = 1;
	b->watch.rpki.origin[0].state = ORIGIN_INVALID;
	atomic_store(&b->watch.rpki.caches, 1);
	b->watch.rpki.cache[0].address = address("10.0.0.9");
	b->watch.rpki.cache[0].port = 323;
	b->watch.rpki.cache[0].synced_ns = now_ns - SECOND;
	b->watch.rpki.cache[0].expires_ns = now_ns + SECOND;
}

static void fill_node(struct board *b, uint32_t i, const char *name, uint64_t heard_ns)
{
	struct board_node *n = &b->watch.nodes.node[i];

	strcpy(n->name, name);
	n->heard_ns = heard_ns;
	n->round_us = 1234;
	n->same_config = true;
	n->zones = n->serving = 5;
	n->address[0].address = address("10.0.1.1");
	n->address[1].address = address("2001:db8::1");
	n->address[0].heard_ns = heard_ns;
	n->address[0].failures = 2;
	n->address[1].heard_ns = heard_ns;
	n->address[1].failures = 3;
	for (int t = 0; t < 2; t++) {
		set(&b->watch.views.path[i][0][t].asked, 10);
		set(&b->watch.views.path[i][0][t].answered, 9);
		set(&b->watch.views.path[i][0][t].last_ns, heard_ns);
		atomic_store(&b->watch.views.path[i][0][t].latency_us, 800);
	}
}

static void fill_drift(struct board *b, size_t row, uint32_t node, const char *zone, uint64_t since_ns)
{
	struct board_drift *d = &b->watch.drift.row[row];

	board_write_begin(&d->seq);
	d->kind = DRIFT_STUCK;
	d->node = node;
	d->alert = 1;
	d->versions = 3;
	d->since_ns = since_ns;
	strcpy(d->network, "global");
	strcpy(d->zone, zone);
	board_write_end(&d->seq);
}

static void fill_endpoint(struct board *b, uint32_t i, const char *pool, const char *name, uint32_t place, enum board_up up, enum board_up own, uint32_t others_up)
{
	struct board_endpoint *e = &b->watch.endpoints.row[i];

	board_write_begin(&e->seq);
	snprintf(e->pool, sizeof(e->pool), "%s", pool);
	snprintf(e->name, sizeof(e->name), "%s", name);
	e->place = place;
	e->up = up;
	e->own = own;
	e->others_up = others_up;
	e->latency_us = own == UP_YES ? 1500 : 0;
	board_write_end(&e->seq);
}

static void fill_pools(struct board *b)
{
	fill_endpoint(b, 0, "web", "a", 0, UP_YES, UP_YES, 0);
	fill_endpoint(b, 1, "web", "b", 1, UP_NO, UP_NO, 1);
	fill_endpoint(b, 2, "web", "c", 2, UP_NO, UP_UNKNOWN, 0);
	fill_endpoint(b, 3, "mail", "a", 0, UP_UNKNOWN, UP_UNKNOWN, 0);
	fill_endpoint(b, 4, "gone", "a", 0, UP_YES, UP_YES, 0);
	atomic_store(&b->watch.endpoints.rows, 5);
	set(&b->watch.endpoints.failed, 7);
}

/* As many as are shown, of the pools that there are. */
static void fill_endpoints(struct bed *b)
{
	for (uint32_t i = 0; i < BOARD_ENDPOINTS_MAX; i++) {
		char name[BOARD_NAME_MAX];

		snprintf(name, sizeof(name), "an-endpoint-with-a-long-name-%u", i);
		fill_endpoint(b->board, i, i < BOARD_ENDPOINTS_MAX / 2 ? "web" : "mail", name, 0, UP_YES, UP_YES, 1);
	}
	atomic_store(&b->board->watch.endpoints.rows, BOARD_ENDPOINTS_MAX);
}

static void fill_fleet(struct board *b, uint64_t now_ns)
{
	struct board_view_network *v = &b->watch.views.network[0];

	atomic_store(&b->watch.nodes.count, 2);
	fill_node(b, 0, "ams", now_ns - SECOND);
	fill_node(b, 1, "nyc", now_ns - 60 * SECOND);
	atomic_store(&b->watch.drift.node[0].kinds[DRIFT_STUCK], 2);
	fill_drift(b, 5, 0, "exa\\\"mple.org.", now_ns - 10 * SECOND);
	strcpy(v->network, "global");
	v->family[0].asked_ns = v->family[0].heard_ns = now_ns;
	strcpy(v->family[0].node, "ams");
	v->family[0].flips = 6;
	v->family[1].own = true;
	v->family[1].outside = OUTSIDE_FILTERED;
	b->route.events.kinds[EVENT_WITHDRAW] = 4;
	b->watch.events.kinds[EVENT_DRIFT] = 2;
}

static void fill(struct bed *b)
{
	fill_pools(b->board);
	fill_workers(b->board);
	fill_routes(b->board, b->view.now_ns);
	fill_fleet(b->board, b->view.now_ns);
	metrics_write(&b->view, &b->out);
	assert_false(b->out.failed);
}

/* The value of a series, as it is written; NULL: it is not there. */
static const char *value_of(const struct bed *b, const char *series)
{
	static char value[40];
	size_t len = strlen(series);

	for (const char *line = b->out.chars; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		if (strncmp(line, series, len) != 0 || line[len] != ' ')
			continue;
		snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + len + 1, "\n"), line + len + 1);
		return value;
	}
	return NULL;
}

static void test_values(void **state)
{
	static const struct {
		const char *series, *value; /* NULL: it is not there */
	} rows[] = {
		{"zonecast_node_info{node=\"fra\",role=\"pop\",fleet=\"test\"}", "1"},
		{"zonecast_queries_total{transport=\"udp\",family=\"ipv4\",path=\"worker\"}", "200"},
		{"zonecast_queries_total{transport=\"tls\",family=\"ipv6\",path=\"worker\"}", "6"},
		{"zonecast_queries_total{transport=\"udp\",family=\"ipv4\",path=\"kernel\"}", "1000"},
		{"zonecast_queries_by_type_total{type=\"AAAA\"}", "110"},
		{"zonecast_queries_by_type_total{type=\"other\"}", "10"},
		{"zonecast_queries_by_network_total{network=\"eu\",family=\"ipv4\"}", "24"},
		{"zonecast_queries_by_network_total{network=\"(none)\",family=\"ipv6\"}", "8"},
		{"zonecast_responses_total{rcode=\"NXDOMAIN\",path=\"worker\"}", "22"},
		{"zonecast_responses_total{rcode=\"RCODE21\",path=\"worker\"}", "2"},
		{"zonecast_responses_total{rcode=\"RCODE11\",path=\"worker\"}", NULL},
		{"zonecast_query_duration_seconds_bucket{transport=\"udp\",le=\"0.000001024\"}", "20"},
		{"zonecast_query_duration_seconds_bucket{transport=\"udp\",le=\"0.000008192\"}", "60"},
		{"zonecast_query_duration_seconds_bucket{transport=\"udp\",le=\"1.073741824\"}", "60"},
		{"zonecast_query_duration_seconds_bucket{transport=\"udp\",le=\"+Inf\"}", "62"},
		{"zonecast_query_duration_seconds_count{transport=\"udp\"}", "62"},
		{"zonecast_query_duration_seconds_sum{transport=\"udp\"}", "0.003"},
		{"zonecast_query_size_bytes_bucket{transport=\"udp\",le=\"31\"}", "0"},
		{"zonecast_query_size_bytes_bucket{transport=\"udp\",le=\"63\"}", "18"},
		{"zonecast_response_size_bytes_bucket{transport=\"tcp\",le=\"4095\"}", "0"},
		{"zonecast_response_size_bytes_count{transport=\"tcp\"}", "4"},
		{"zonecast_response_size_bytes_sum{transport=\"tcp\"}", "20000"},
		{"zonecast_messages_by_size_total{direction=\"received\",transport=\"udp\",octets=\"32-47\"}", "18"},
		{"zonecast_messages_by_size_total{direction=\"sent\",transport=\"tcp\",octets=\"4096-\"}", "4"},
		{"zonecast_answers_by_tier_total{tier=\"kernel\"}", "1000"},
		{"zonecast_answers_by_tier_total{tier=\"cache\"}", "80"},
		{"zonecast_answers_by_tier_total{tier=\"store\"}", "100"},
		{"zonecast_tcp_idle_timeout_seconds", "9.5"},
		{"zonecast_tls_certificate_expiry_timestamp_seconds", "1800000000"},
		{"zonecast_xdp_rung{rung=\"generic\"}", "1"},
		{"zonecast_xdp_rung{rung=\"native\"}", "0"},
		{"zonecast_steered_answers_total{policy=\"web\",pool=\"eu\"}", "10"},
		{"zonecast_steered_answers_total{policy=\"web\",pool=\"us\"}", NULL},
		{"zonecast_steered_answers_total{policy=\"web\",pool=\"spare\"}", "4"},
		{"zonecast_steered_answers_total{policy=\"(other)\",pool=\"(other)\"}", "6"},
		{"zonecast_steered_unsigned_total", "2"},
		{"zonecast_bgp_up{neighbor=\"10.0.0.2\"}", "1"},
		{"zonecast_bgp_state{neighbor=\"10.0.0.2\",state=\"idle\"}", "0"},
		{"zonecast_bgp_info{neighbor=\"10.0.0.2\",as=\"64496\"}", "1"},
		{"zonecast_bgp_established_total{neighbor=\"10.0.0.2\"}", "4"},
		{"zonecast_bgp_drained{neighbor=\"10.0.0.2\"}", "0"},
		{"zonecast_bfd_up{neighbor=\"10.0.0.2\"}", "1"},
		{"zonecast_bfd_detection_seconds{neighbor=\"10.0.0.2\"}", "0.15"},
		{"zonecast_network_announce{network=\"global\",family=\"ipv6\",state=\"de-preferred\"}", "1"},
		{"zonecast_network_announce{network=\"global\",family=\"ipv4\",state=\"announced\"}", "1"},
		{"zonecast_network_announce{network=\"eu\",family=\"ipv4\",state=\"withdrawn\"}", "1"},
		{"zonecast_network_announce{network=\"eu\",family=\"ipv6\",state=\"withdrawn\"}",
	         NULL}, /* it has no such prefixes */
		{"zonecast_network_verdict{network=\"global\",family=\"ipv6\",verdict=\"soft-fail\"}", "1"},
		{"zonecast_network_verdict{network=\"global\",family=\"ipv4\",verdict=\"soft-fail\"}", "0"},
		{"zonecast_network_cause{network=\"global\",family=\"ipv6\",cause=\"stale\"}", "1"},
		{"zonecast_network_cause{network=\"global\",family=\"ipv6\",cause=\"behind\"}", "0"},
		{"zonecast_network_cause{network=\"global\",family=\"ipv6\",cause=\"expiry\"}", "1"},
		{"zonecast_network_data_age_seconds{network=\"global\"}", "12.345"},
		{"zonecast_network_data_age_seconds{network=\"eu\"}", NULL},
		{"zonecast_load_ratio", "0.125"},
		{"zonecast_headroom_queries_per_second", NULL},
		{"zonecast_check_duration_seconds{network=\"global\",address=\"2001:db8:53::53\",transport=\"udp\"}",
	         "0.00025"},
		{"zonecast_hijacks", "1"},
		{"zonecast_hijack_info{prefix=\"192.0.2.0/25\",origin=\"666\",neighbor=\"10.0.0.2\"}", "1"},
		{"zonecast_rpki_origins{network=\"eu\",state=\"invalid\"}", "1"},
		{"zonecast_rpki_origins{network=\"global\",state=\"invalid\"}", "0"},
		{"zonecast_rpki_cache_up{cache=\"10.0.0.9:323\"}", "1"},
		{"zonecast_peer_up{node=\"ams\"}", "1"},
		{"zonecast_peer_up{node=\"nyc\"}", "0"},
		{"zonecast_peer_address_up{node=\"ams\",family=\"ipv4\"}", "1"},
		{"zonecast_peer_address_up{node=\"ams\",family=\"ipv6\"}", "0"},
		{"zonecast_peer_address_heard_timestamp_seconds{node=\"new\",family=\"ipv6\"}", NULL},
		{"zonecast_drift_zones{node=\"ams\",kind=\"stuck\"}", "2"},
		{"zonecast_endpoint_up{pool=\"web\",endpoint=\"a\"}", "1"},
		{"zonecast_endpoint_up{pool=\"web\",endpoint=\"b\"}", "0"},
		{"zonecast_endpoint_up{pool=\"mail\",endpoint=\"a\"}", "1"},
		{"zonecast_endpoint_duration_seconds{pool=\"web\",endpoint=\"a\"}", "0.0015"},
		{"zonecast_endpoint_checks_total{result=\"failed\"}", "7"},
		{"zonecast_pool_endpoints{pool=\"web\",state=\"up\"}", "1"},
		{"zonecast_pool_endpoints{pool=\"web\",state=\"down\"}", "1"},
		{"zonecast_pool_endpoints{pool=\"web\",state=\"disabled\"}", "1"},
		{"zonecast_pool_below_keep{pool=\"web\"}", "1"},
		{"zonecast_pool_below_keep{pool=\"mail\"}", "0"},
		{"zonecast_pool_differ{pool=\"web\"}", "1"},
		{"zonecast_drift_alerts{node=\"ams\",kind=\"stuck\"}", "1"},
		{"zonecast_drift_alerts{node=\"nyc\",kind=\"stuck\"}", "0"},
		{"zonecast_drift_zone_versions{node=\"ams\",network=\"global\",zone=\"exa\\\\\\\"mple.org.\",kind="
	         "\"stuck\"}",
	         "3"},
		{"zonecast_view_path_up{node=\"ams\",family=\"ipv4\",transport=\"tcp\"}", "1"},
		{"zonecast_view_path_up{node=\"ams\",family=\"ipv6\",transport=\"tcp\"}", NULL},
		{"zonecast_view_path_duration_seconds{node=\"ams\",family=\"ipv4\",transport=\"udp\"}", "0.0008"},
		{"zonecast_view_site_info{network=\"global\",family=\"ipv4\",node=\"ams\"}", "1"},
		{"zonecast_view_site_flips_total{network=\"global\",family=\"ipv4\"}", "6"},
		{"zonecast_view_outside{network=\"global\",family=\"ipv6\",state=\"filtered\"}", "1"},
		{"zonecast_view_outside{network=\"global\",family=\"ipv4\",state=\"filtered\"}", NULL},
		{"zonecast_events_total{kind=\"withdraw\"}", "4"},
		{"zonecast_events_total{kind=\"drift\"}", "2"},
		{"zonecast_process_up{role=\"route\",index=\"0\"}", "1"},
		{"zonecast_process_up{role=\"sync\",index=\"0\"}", NULL}, /* it was never started */
	};
	struct bed *b = *state;
	unsigned wrong = 0;

	fill(b);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = value_of(b, rows[i].series);

		if (!got == !rows[i].value && (!got || strcmp(got, rows[i].value) == 0))
			continue;
		print_message("%s is %s, expected %s\n", rows[i].series, got ? got : "not there",
		              rows[i].value ? rows[i].value : "nothing");
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* Route has died: what it last wrote is not so any more. */
static void test_route_gone(void **state)
{
	struct bed *b = *state;

	fill(b);
	atomic_store(&b->board->supervisor.procs[2].pid, 0);
	text_clear(&b->out);
	metrics_write(&b->view, &b->out);
	assert_string_equal(value_of(b, "zonecast_process_up{role=\"route\",index=\"0\"}"), "0");
	assert_string_equal(value_of(b, "zonecast_bgp_up{neighbor=\"10.0.0.2\"}"), "0");
	assert_string_equal(value_of(b, "zonecast_bgp_state{neighbor=\"10.0.0.2\",state=\"idle\"}"), "1");
	assert_string_equal(value_of(b, "zonecast_bfd_up{neighbor=\"10.0.0.2\"}"), "0");
	assert_string_equal(
		value_of(b, "zonecast_network_announce{network=\"global\",family=\"ipv4\",state=\"withdrawn\"}"), "1");
	assert_string_equal(value_of(b, "zonecast_hijacks"), "0");
}

/* The stand-alone form has no configuration. */
static void test_alone(void **state)
{
	struct bed *b = *state;

	fill_workers(b->board);
	b->view.config = NULL;
	b->view.node = NULL;
	metrics_write(&b->view, &b->out);
	assert_string_equal(value_of(b, "zonecast_node_info{node=\"fra\",role=\"standalone\",fleet=\"\"}"), "1");
	assert_string_equal(value_of(b, "zonecast_queries_total{transport=\"udp\",family=\"ipv4\",path=\"worker\"}"),
	                    "200");
	assert_null(value_of(b, "zonecast_load_ratio"));
}

/* ---- form ---- */

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "a,b" of {a="1",b="2"}, without le; in the order of the table. */
static void keys_of(const char *labels, char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (const char *at = labels; *at && *at != '}';) {
		size_t len = strcspn(at, "=");

		if (strncmp(at, "le=", 3) != 0)
			n += (size_t)snprintf(out + n, cap - n, "%s%.*s", n ? ", " : "", (int)len, at);
		at += len + 2;
		while (*at != '"')
			at += *at == '\\' ? 2 : 1;
		at += at[1] == ',' ? 2 : 1;
	}
}

/* The same labels in whatever order. */
static bool same_keys(const char *table, const char *got)
{
	char copy[200], key[60];
	unsigned n = 0, m = 0;

	snprintf(copy, sizeof(copy), ", %s,", got);
	for (const char *at = table; *at; at += strcspn(at, ","), at += strspn(at, ", ")) {
		snprintf(key, sizeof(key), ", %.*s,", (int)strcspn(at, ","), at);
		if (!strstr(copy, key))
			return false;
		n++;
	}
	for (const char *at = got; *at; at += strcspn(at, ","), at += strspn(at, ", "))
		m++;
	return n == m;
}

/* Each family once, with its HELP and TYPE as in the table; its lines, with its labels and no others, behind; no series twice. The number of series. */
static size_t check_form(const struct bed *b)
{
	size_t cap = 200000, count = 0, len;
	char **series = calloc(cap, sizeof(*series)), *text = strdup(b->out.chars), *rest, expected[400];
	int family = -1;
	bool typed = true;

	assert_non_null(series);
	assert_non_null(text);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const struct metric_family *f = family >= 0 ? metric_family((enum metric)family) : NULL;
		char keys[200], *value;

		if (strncmp(line, "# HELP ", 7) == 0) {
			assert_true(typed);
			f = metric_family((enum metric)++ family);
			assert_non_null(f);
			snprintf(expected, sizeof(expected), "# HELP %s %s", f->name, f->help);
			assert_string_equal(line, expected);
			typed = false;
			continue;
		}
		assert_non_null(f);
		if (strncmp(line, "# TYPE ", 7) == 0) {
			snprintf(expected, sizeof(expected), "# TYPE %s %s", f->name, metric_type_text(f->type));
			assert_string_equal(line, expected);
			typed = true;
			continue;
		}
		assert_true(typed);
		len = strlen(f->name);
		if (strncmp(line, f->name, len) != 0)
			fail_msg("%s stands under %s", line, f->name);
		if (f->type == METRIC_HISTOGRAM)
			len += strcspn(line + len, "{ ");
		value = strrchr(line, ' ');
		assert_non_null(value);
		assert_int_equal(strspn(value + 1, "0123456789."), strlen(value + 1));
		*value = '\0';
		keys_of(line[len] == '{' ? line + len + 1 : "", keys, sizeof(keys));
		if (!same_keys(f->labels, keys))
			fail_msg("%s has the labels \"%s\", the table \"%s\"", line, keys, f->labels);
		assert_true(count < cap);
		series[count++] = line;
	}
	assert_int_equal(family + 1, METRICS);
	qsort(series, count, sizeof(*series), compare);
	for (size_t i = 1; i < count; i++)
		if (strcmp(series[i - 1], series[i]) == 0)
			fail_msg("%s is there twice", series[i]);
	free(series);
	free(text);
	return count;
}

static void test_form(void **state)
{
	struct bed *b = *state;
	size_t n;

	fill(b);
	n = check_form(b);
	print_message("%zu series, %zu octets\n", n, b->out.len);
	assert_true(n < USUAL_SERIES);
}

/* Everything that can be full. */
static void fill_all(struct bed *b)
{
	struct board *o = b->board;
	struct text conf;
	uint64_t now = b->view.now_ns;

	text_init(&conf);
	text_str(&conf, "fleet: full\nrpki: {caches: [{address: 10.0.0.9}]}\nnetworks:\n");
	for (unsigned i = 0; i < BOARD_NETWORKS_MAX; i++) {
		text_fmt(&conf,
		         "  - {name: network-%u, as: 64500, prefixes: [\"203.0.%u.0/24\", \"2001:db8:%x::/48\"], "
		         "addresses: [",
		         i, i, i);
		for (unsigned k = 0; k < BOARD_ADDRESSES_MAX; k++)
			text_fmt(&conf, k < BOARD_ADDRESSES_MAX / 2 ? "%s203.0.%u.%u" : "%s\"2001:db8:%x::%x\"",
			         k ? ", " : "", i, k + 1);
		text_str(&conf, "]}\n");
	}
	text_str(&conf, "nodes:\n  - {name: fra, role: pop, management: [10.0.0.1], networks: [");
	for (unsigned i = 0; i < BOARD_NETWORKS_MAX; i++)
		text_fmt(&conf, "%snetwork-%u", i ? ", " : "", i);
	text_str(&conf, "], bgp: {router-id: 10.0.0.1, neighbors: [{address: 10.0.0.2, as: 64496}]}}\n");
	config_free(b->config);
	b->config = parse(conf.chars);
	text_done(&conf);
	assert_non_null(b->config);
	b->view.config = b->config;
	b->view.node = config_node_find(b->config, "fra");
	fill_workers(o);
	fill_routes(o, now);
	fill_fleet(o, now);
	atomic_store(&o->supervisor.workers, BOARD_WORKERS_MAX);
	for (unsigned i = 0; i < BOARD_PROCS_MAX; i++)
		atomic_store(&o->supervisor.procs[i].starts, 1);
	for (unsigned d = 0; d < 2; d++)
		for (unsigned i = 0; i < BOARD_SIZES; i++) {
			set(&o->workers[0].measures.query_sizes[d][i], 1);
			set(&o->workers[0].measures.answer_sizes[d][i], 1);
		}
	for (unsigned i = 0; i < BOARD_RCODES; i++)
		set(&o->workers[0].rcodes[i], 1);
	atomic_store(&o->route.neighbors, BOARD_NEIGHBORS_MAX);
	for (unsigned i = 1; i < BOARD_NEIGHBORS_MAX; i++) {
		o->route.neighbor[i] = o->route.neighbor[0];
		o->route.neighbor[i].address.bytes[3] = (uint8_t)(10 + i);
	}
	for (unsigned i = 0; i < BOARD_NETWORKS_MAX; i++) {
		o->route.networks[i].backstop_since_ns = now;
		o->watch.networks[i].checked_ns = now;
		o->sync.networks[i].signatures = 1;
		o->sync.networks[i].expiry.near = 1;
		strcpy(o->sync.networks[i].signatures_zone, "example.");
		strcpy(o->sync.networks[i].expiry.zone, "example.");
		for (int f = 0; f < BOARD_FAMILIES; f++) {
			o->route.networks[i].family[f].since_ns = o->watch.networks[i].family[f].since_ns = now;
			o->watch.views.network[i].family[f].asked_ns = o->watch.views.network[i].family[f].heard_ns =
				now;
			strcpy(o->watch.views.network[i].family[f].node, "ams");
			o->watch.views.network[i].family[f].own = true;
		}
		snprintf(o->watch.views.network[i].network, BOARD_NAME_MAX, "network-%u", i);
	}
	o->route.hijacks.rows = BOARD_HIJACKS_MAX;
	for (unsigned i = 1; i < BOARD_HIJACKS_MAX; i++) {
		o->route.hijacks.row[i] = o->route.hijacks.row[0];
		o->route.hijacks.row[i].origin = 1000 + i;
	}
	atomic_store(&o->watch.rpki.caches, BOARD_CACHES_MAX);
	for (unsigned i = 1; i < BOARD_CACHES_MAX; i++) {
		o->watch.rpki.cache[i] = o->watch.rpki.cache[0];
		o->watch.rpki.cache[i].port = (uint16_t)(1000 + i);
	}
	atomic_store(&o->watch.nodes.count, BOARD_NODES_MAX);
	for (unsigned i = 0; i < BOARD_NODES_MAX; i++) {
		char name[BOARD_NAME_MAX];

		snprintf(name, sizeof(name), "a-node-with-a-long-name-%u", i);
		fill_node(o, i, name, now);
		for (int t = 0; t < 2; t++)
			set(&o->watch.views.path[i][1][t].asked, 1);
	}
	for (unsigned i = 0; i < BOARD_DRIFTS_MAX; i++) {
		char zone[40];

		snprintf(zone, sizeof(zone), "zone-%u.example.", i);
		fill_drift(o, i, i % BOARD_NODES_MAX, zone, now);
	}
	fill_endpoints(b);
	metrics_write(&b->view, &b->out);
}

static void test_full(void **state)
{
	struct bed *b = *state;
	size_t n;

	fill_all(b);
	assert_false(b->out.failed);
	n = check_form(b);
	print_message("%zu series, %zu octets\n", n, b->out.len);
	assert_true(n < FULL_SERIES);
	assert_true(b->out.len < METRICS_TEXT_MAX);
}

/* Labels that would break the line, or do not fit. */
static void test_labels(void **state)
{
	char longer[2 * METRIC_LABELS_MAX];
	struct labels l;

	(void)state;
	labels_clear(&l);
	labels_add(&l, "a", "b\\c\"d\ne\xff");
	assert_string_equal(l.chars, "a=\"b\\\\c\\\"d?e?\"");
	memset(longer, '\\', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	labels_add(&l, "x", longer);
	assert_true(l.len < sizeof(l.chars) && l.chars[l.len] == '\0');
	assert_int_equal(strlen(l.chars), l.len);
}

/* The estimate over two workers that have seen the same and different sources, by marks that the test makes: few are counted nearly exactly. */
static void test_sources(void **state)
{
	struct bed *b = *state;
	struct board *o = b->board;
	uint64_t day = 20000, got;

	atomic_store(&o->supervisor.workers, 2);
	assert_int_equal(sources_count(o, day, SOURCES_IPV4), 0);
	for (unsigned w = 0; w < 2; w++)
		set(&o->workers[w].measures.sources[day & 1].day, day);
	for (unsigned i = 0; i < 100; i++) {
		atomic_store(&o->workers[0].measures.sources[day & 1].kind[SOURCES_IPV4].rank[40 * i], 1);
		atomic_store(&o->workers[1].measures.sources[day & 1].kind[SOURCES_IPV4].rank[40 * i + (i & 1)], 2);
	}
	got = sources_count(o, day, SOURCES_IPV4);
	assert_in_range(got, 150, 156); /* 150 registers: 153 by linear counting */
	assert_int_equal(sources_count(o, day, SOURCES_IPV6), 0);
	assert_int_equal(sources_count(o, day + 1, SOURCES_IPV4), 0); /* nobody has asked on that day */
	assert_int_equal(sources_count(o, day + 2, SOURCES_IPV4), 0); /* the same place, another day */
	for (unsigned i = 0; i < BOARD_SKETCH; i++)
		atomic_store(&o->workers[0].measures.sources[day & 1].kind[SOURCES_IPV6].rank[i], 5);
	got = sources_count(o, day, SOURCES_IPV6);
	assert_in_range(got, 94000, 95000); /* 0.7213 * 4096 * 2^5 */
}

/* ---- the manual page ---- */

static char *page(void)
{
	FILE *f = fopen(SOURCE_ROOT "/doc/man/zonecast-metrics.7.scd", "r");
	char *text = calloc(1, 200000), *to = text;

	assert_non_null(f);
	assert_non_null(text);
	for (int c; (c = fgetc(f)) != EOF && to - text < 199999;)
		if (c != '\\') /* scdoc's escapes */
			*to++ = (char)c;
	fclose(f);
	return text;
}

static void test_documented(void **state)
{
	char *text = page(), expected[400];
	size_t told = 0;

	(void)state;
	for (unsigned i = 0; i < METRICS; i++) {
		const struct metric_family *f = metric_family((enum metric)i);

		snprintf(expected, sizeof(expected), "*%s* (%s%s%s)\n\t%s\n", f->name, metric_type_text(f->type),
		         f->labels[0] ? ", by " : "", f->labels, f->help);
		if (!strstr(text, expected))
			fail_msg("zonecast-metrics(7) does not say:\n%s", expected);
	}
	for (const char *at = text; (at = strstr(at, "\n*zonecast_")) != NULL; at++)
		told += strncmp(at + 2 + strcspn(at + 2, "*"), "* (", 3) == 0;
	assert_int_equal(told, METRICS);
	free(text);
}

static int print(bool full)
{
	void *state = NULL;
	struct bed *b;

	if (setup(&state) < 0)
		return 1;
	b = state;
	b->view.now_ns = clock_ns();
	if (full)
		fill_all(b);
	else
		fill(b);
	fputs(b->out.chars, stdout);
	return teardown(&state);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_route_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_form, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test(test_labels),
		cmocka_unit_test_setup_teardown(test_sources, setup, teardown),
		cmocka_unit_test(test_documented),
	};

	if (argc > 1)
		return print(strcmp(argv[1], "--full") == 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
