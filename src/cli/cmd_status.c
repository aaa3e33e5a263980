/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "base/clock.h"
#include "cli/paint.h"
#include "cli/status_backends.h"
#include "cli/status_dnstap.h"
#include "cli/status_drift.h"
#include "cli/status_endpoints.h"
#include "cli/status_fleet.h"
#include "cli/status_http.h"
#include "cli/status_views.h"

#include <stdio.h>
#include <string.h>

enum { STATUS_TIMEOUT_MS = 5000, WALL_TEXT = 21 };

const char help_status[] =
	"usage: zonecast status [--fleet] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"What this node does and why: processes, zones, the checks of each network's service addresses, whether its prefixes are\n"
	"announced, the BGP neighbors, and what the other nodes say of themselves. With --fleet: all nodes as this one sees them. Exit status 1 when the node cannot be asked, or a network is not announced against its\n"
	"operator's wish.\n";

static const char *get_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

static long long get_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *ago(const json_t *o, const char *key, char buf[16])
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? clock_span_text((uint64_t)json_integer_value(v), buf) : "-";
}

/* Colours for people at a terminal only. */
static const char *paint(const char *word)
{
	static char buf[4][48];
	static unsigned turn;
	char *out = buf[turn++ % 4];

	if (!paint_wanted())
		return word;
	snprintf(out, sizeof(buf[0]), "%s%.30s%s", paint_begin(true, paint_of(word)), word, paint_end(true));
	return out;
}

static void print_fleet(const json_t *status, bool with_self)
{
	struct text out;

	text_init(&out);
	status_fleet_text(status, with_self, paint_wanted(), &out);
	fwrite(out.chars, 1, out.len, stdout);
	text_done(&out);
}

/* Why a verdict is soft, and how old the data is. */
static void print_facts(const json_t *n)
{
	const json_t *checks = json_object_get(n, "checks"), *cause;
	char age[16], left[16];
	size_t i;

	if (json_array_size(json_object_get(checks, "causes"))) {
		printf("  causes    ");
		json_array_foreach(json_object_get(checks, "causes"), i, cause)
			printf("%s %s", i ? "," : "", json_string_value(cause));
		printf("\n");
	}
	if (json_is_integer(json_object_get(n, "data_age_ms")))
		printf("  data       %s old, %s%s\n", ago(n, "data_age_ms", age), get_int(n, "stale_in_ms") ? "stale in " : "stale",
		       get_int(n, "stale_in_ms") ? ago(n, "stale_in_ms", left) : "");
}

static void print_load(const json_t *load)
{
	if (!json_is_object(load))
		return;
	printf("load %lld%% of the busiest worker, %lld answers a second", get_int(load, "permille") / 10, get_int(load, "qps"));
	if (json_is_integer(json_object_get(load, "headroom")))
		printf(", room for %lld more", get_int(load, "headroom"));
	printf("\n");
}

/* Where the families differ each says what it does and why. */
static void print_families(const json_t *n)
{
	static const char *const keys[] = {"ipv4", "ipv6"}, *const names[] = {"IPv4", "IPv6"};
	const json_t *families = json_object_get(n, "families"), *v4 = json_object_get(families, "ipv4"), *v6 = json_object_get(families, "ipv6");

	if (!json_is_object(v4) || !json_is_object(v6) || (strcmp(get_str(v4, "announce"), get_str(v6, "announce")) == 0 &&
	                                                   strcmp(get_str(v4, "why"), get_str(v6, "why")) == 0))
		return;
	for (size_t f = 0; f < 2; f++) {
		const json_t *o = json_object_get(families, keys[f]);
		char span[16];

		printf("  %s       %s for %s: %s\n", names[f], paint(get_str(o, "announce")), ago(o, "since_ms", span), get_str(o, "why"));
	}
}

/* Pages that tell what to do about what is said here: of the decisions, and of what is wrong with the node. */
static void print_pages(const json_t *n)
{
	static const struct {
		const char *cause, *page;
	} of_causes[] = {{"stale", "stale"}, {"behind", "stale"}, {"signatures", "near-expiry"}, {"expiry", "near-expiry"}, {"overload", "overload"}, {"zones", "zones-missing"}, {"backends", "backends"}};
	const json_t *families = json_object_get(n, "families"), *backstop = json_object_get(n, "backstop");
	const char *page[2 + ARRAY_LEN(of_causes) + 1];
	const json_t *f[] = {json_object_get(families, "ipv4"), json_object_get(families, "ipv6")};
	const json_t *cause;
	size_t count = 0, n_th;

	for (size_t i = 0; i < ARRAY_LEN(f); i++)
		if (json_is_object(f[i]))
			page[count++] = get_str(f[i], "page");
	json_array_foreach(json_object_get(json_object_get(n, "checks"), "causes"), n_th, cause)
		for (size_t i = 0; i < ARRAY_LEN(of_causes) && count < ARRAY_LEN(page) - 1; i++)
			if (json_is_string(cause) && strcmp(json_string_value(cause), of_causes[i].cause) == 0)
				page[count++] = of_causes[i].page;
	if (strcmp(get_str(backstop, "announce"), "announced") == 0 && strcmp(get_str(json_object_get(n, "decision"), "announce"), "withdrawn") == 0)
		page[count++] = "backstop-only";
	for (size_t i = 0; i < count; i++) {
		bool seen = !*page[i] || strcmp(page[i], "-") == 0 || strcmp(page[i], "announced") == 0;

		for (size_t k = 0; k < i; k++)
			seen |= strcmp(page[i], page[k]) == 0;
		if (!seen)
			printf("  what to do doc/howto/%s.md\n", page[i]);
	}
}

static void print_network(const json_t *n)
{
	const json_t *checks = json_object_get(n, "checks"), *decision = json_object_get(n, "decision"), *backstop = json_object_get(n, "backstop"), *a;
	char span[16];
	size_t i;

	printf("\nnetwork %s: %s for %s: %s\n", get_str(n, "name"), paint(get_str(decision, "announce")), ago(decision, "since_ms", span),
	       get_str(decision, "why"));
	print_families(n);
	print_pages(n);
	if (strcmp(get_str(n, "order"), "none") != 0)
		printf("  order      %s%s\n", get_str(n, "order"), json_is_true(json_object_get(decision, "drained")) ? ", done" : "");
	if (json_is_object(backstop)) {
		printf("  backstop  ");
		json_array_foreach(json_object_get(backstop, "prefixes"), i, a)
			printf(" %s", json_string_value(a));
		printf(" %s for %s: %s\n", paint(get_str(backstop, "announce")), ago(backstop, "since_ms", span), get_str(backstop, "why"));
	}
	printf("  prefixes  ");
	json_array_foreach(json_object_get(n, "prefixes"), i, a)
		printf(" %s", json_string_value(a));
	printf("\n  zones      %lld of %lld ready\n", get_int(n, "zones_ready"), get_int(n, "zones"));
	printf("  checks     %s for %s: %s\n", paint(get_str(checks, "verdict")), ago(checks, "since_ms", span), get_str(checks, "why"));
	json_array_foreach(json_object_get(n, "addresses"), i, a) {
		const json_t *udp = json_object_get(a, "udp"), *tcp = json_object_get(a, "tcp");

		printf("    %-24s udp %s %lld us, tcp %s %lld us\n", get_str(a, "address"), paint(get_str(udp, "verdict")),
		       get_int(udp, "latency_us"), paint(get_str(tcp, "verdict")), get_int(tcp, "latency_us"));
	}
	print_facts(n);
}

static void print_bfd(const json_t *b)
{
	char span[16];

	if (!json_is_object(b))
		return;
	printf("  bfd        %s for %s: %s", paint(get_str(b, "state")), ago(b, "since_ms", span), get_str(b, "why"));
	if (strcmp(get_str(b, "state"), "up") == 0)
		printf("; sends each %lld ms, detects in %lld ms", get_int(b, "interval_us") / 1000, get_int(b, "detection_us") / 1000);
	else
		printf("; the neighbor says %s (%s)", get_str(b, "remote_state"), get_str(b, "remote_diagnostic"));
	printf("; %lld in, %lld out, %lld bad, fell %lld times\n", get_int(b, "packets_in"), get_int(b, "packets_out"), get_int(b, "packets_bad"),
	       get_int(b, "falls"));
}

static void print_bfd_thread(const json_t *b)
{
	if (!json_is_object(b))
		return;
	if (json_is_true(json_object_get(b, "held")))
		printf("\nbfd is held down: a worker or the route process does not live\n");
	if (!json_is_true(json_object_get(b, "realtime")))
		printf("\nbfd has no real-time priority: under load it may take paths for dead (see zonecast-run(1))\n");
}

static void print_neighbor(const json_t *n)
{
	const json_t *route;
	char span[16];
	size_t i;

	printf("\nneighbor %s as %lld: %s for %s, %lld prefixes\n", get_str(n, "address"), get_int(n, "as"), paint(get_str(n, "state")),
	       ago(n, "since_ms", span), get_int(n, "prefixes"));
	if (strcmp(get_str(n, "order"), "none") != 0)
		printf("  order      %s%s\n  what to do doc/howto/neighbor-drained.md\n", get_str(n, "order"),
		       json_is_true(json_object_get(n, "drained")) ? ", done" : "");
	if (strcmp(get_str(n, "state"), "established") != 0)
		printf("  what to do doc/howto/neighbor-down.md\n");
	json_array_foreach(json_object_get(n, "announced"), i, route)
		printf("  announced  %s\n", get_str(route, "text"));
	if (get_int(n, "announced_left_out"))
		printf("  announced  and %lld more\n", get_int(n, "announced_left_out"));
	if (get_int(n, "received"))
		printf("  received   %lld prefixes, not used%s\n", get_int(n, "received"),
		       json_is_true(json_object_get(n, "over_max_prefixes")) ? ": more than max-prefixes" : "");
	if (*get_str(n, "last_error"))
		printf("  last error %s\n", get_str(n, "last_error"));
	print_bfd(json_object_get(n, "bfd"));
}

static void print_hijacks(const json_t *hijacks)
{
	const json_t *h;
	char span[16];
	size_t i;

	json_array_foreach(json_object_get(hijacks, "routes"), i, h) {
		printf("\n%s: %s for %s is announced by ", paint("POSSIBLE HIJACK"), get_str(h, "prefix"), ago(h, "since_ms", span));
		if (json_is_integer(json_object_get(h, "origin")))
			printf("AS%lld", get_int(h, "origin"));
		else
			printf("a set of AS");
		printf(", %s is ours (AS%lld)\n  path %s, seen by neighbor %s\n", get_str(h, "ours"), get_int(h, "as"), get_str(h, "path"),
		       get_str(h, "neighbor"));
	}
	if (get_int(hijacks, "now") > (long long)i)
		printf("  and %lld more\n", get_int(hijacks, "now") - (long long)i);
}

static void print_rpki(const json_t *r)
{
	const json_t *o;
	char span[16];
	size_t i;

	if (!json_is_true(json_object_get(r, "configured")))
		return;
	printf("\nrpki\n");
	json_array_foreach(json_object_get(r, "caches"), i, o) {
		printf("  cache %s port %lld: %s for %s%s, serial %lld, %lld payloads cover our prefixes\n", get_str(o, "address"), get_int(o, "port"),
		       paint(get_str(o, "state")), ago(o, "since_ms", span), json_is_true(json_object_get(o, "believed")) ? ", believed" : "",
		       get_int(o, "serial"), get_int(o, "payloads"));
		if (*get_str(o, "last_error") && strcmp(get_str(o, "state"), "current") != 0)
			printf("    last error %s\n", get_str(o, "last_error"));
	}
	json_array_foreach(json_object_get(r, "origins"), i, o)
		printf("  %s%s for %s: %s\n", paint(get_str(o, "state")), json_is_true(json_object_get(o, "refused")) ? ", not announced," : "",
		       ago(o, "since_ms", span), get_str(o, "why"));
}

/* Of the certificate that a worker has; they all have the same but for the moment of a reload. */
static void print_expiry(const json_t *s)
{
	char when[WALL_TEXT];
	long long first = 0;
	const json_t *w;
	size_t i;

	json_array_foreach(json_object_get(s, "workers"), i, w) {
		long long at = get_int(w, "tls_expires");

		if (at && (!first || at < first))
			first = at;
	}
	if (first)
		printf("; certificate %s %s", first > clock_wall_s() ? "good until" : "EXPIRED at", clock_wall_text(first, when));
	printf("\n");
}

static void print_xdp(const json_t *x)
{
	if (!x || strcmp(get_str(x, "rung"), "off") == 0)
		return;
	printf("xdp %s: %s", get_str(x, "rung"), get_str(x, "why"));
	if (strcmp(get_str(x, "rung"), "sockets") != 0)
		printf("; %lld of %lld packets answered in the kernel, %lld beyond limits, %lld answered by AF_XDP", get_int(x, "answered_ipv4") + get_int(x, "answered_ipv6"),
		       get_int(x, "seen"), get_int(x, "limited_dropped") + get_int(x, "limited_slipped"), get_int(x, "af_xdp_answers"));
	printf("\n");
}

static void print_fleet_file(const json_t *c)
{
	const json_t *refused = json_object_get(c, "refused"), *older = json_object_get(c, "file_older");
	char span[16];

	if (get_int(c, "fleet_generation"))
		printf("fleet file generation %lld, sha256 %.16s\n", get_int(c, "fleet_generation"), get_str(c, "sha256"));
	if (json_is_integer(older))
		printf("  THE FILE ON THE DISK IS OLDER: generation %lld; the node runs from its copy of %lld (see doc/howto/generation-refused.md)\n",
		       (long long)json_integer_value(older), get_int(c, "fleet_generation"));
	if (json_is_object(refused))
		printf("  a reload was refused %s ago: %s (see doc/howto/reload-refused.md)\n", ago(refused, "since_ms", span), get_str(refused, "why"));
}

static void print_status(const json_t *s)
{
	const json_t *zones = json_object_get(s, "zones"), *q = json_object_get(s, "queries"), *o;
	char span[16];
	size_t i;

	printf("node %s%s, zonecast %s, up %s%s\n", get_str(s, "node"), json_is_true(json_object_get(s, "standalone")) ? " (stand-alone)" : "",
	       get_str(s, "version"), ago(s, "uptime_ms", span), json_is_true(json_object_get(s, "stopping")) ? ", stopping" : "");
	print_fleet_file(json_object_get(s, "config"));
	printf("zones %lld serving, %lld without data, %lld records", get_int(zones, "serving"), get_int(zones, "failed"),
	       get_int(zones, "records"));
	if (get_int(zones, "held_back"))
		printf(", %lld rolled back and not as their files say", get_int(zones, "held_back"));
	if (json_is_true(json_object_get(zones, "loading")))
		printf(", loading: %lld of %lld zones done", get_int(zones, "loading_done"), get_int(zones, "loading_zones"));
	printf("\n");
	printf("queries %lld udp, %lld tcp, %lld tls; %lld answered, %lld dropped\n", get_int(q, "udp_ipv4") + get_int(q, "udp_ipv6"),
	       get_int(q, "tcp_ipv4") + get_int(q, "tcp_ipv6"), get_int(q, "tls_ipv4") + get_int(q, "tls_ipv6"), get_int(q, "answers"),
	       get_int(q, "dropped"));
	printf("connections %lld, of them tls %lld", get_int(q, "tcp_open"), get_int(q, "tls_open"));
	print_expiry(s);
	print_load(json_object_get(s, "load"));
	print_xdp(json_object_get(s, "xdp"));
	status_dnstap_print(s);
	status_http_print(json_object_get(s, "http"));
	printf("processes ");
	json_array_foreach(json_object_get(s, "processes"), i, o)
		printf("%s%s %lld", i ? ", " : "", get_str(o, "role"), get_int(o, "pid"));
	printf("\n");
	json_array_foreach(json_object_get(s, "processes"), i, o)
		if (get_int(o, "starts") > 1 || !get_int(o, "pid"))
			printf("  %s %lld  %s\n", get_str(o, "role"), get_int(o, "index"), get_str(o, "why"));
	json_array_foreach(json_object_get(s, "networks"), i, o)
		print_network(o);
	json_array_foreach(json_object_get(s, "neighbors"), i, o)
		print_neighbor(o);
	print_bfd_thread(json_object_get(s, "bfd"));
	if (json_array_size(json_object_get(json_object_get(s, "peers"), "nodes"))) {
		printf("\n");
		print_fleet(s, false);
	}
	status_drift_print(json_object_get(s, "drift"));
	status_backends_print(json_object_get(s, "backends"));
	status_views_print(json_object_get(s, "views"));
	status_endpoints_print(json_object_get(s, "endpoints"));
	print_rpki(json_object_get(s, "rpki"));
	print_hijacks(json_object_get(s, "hijacks"));
}

/* Not announced although nobody asked for that. */
static bool is_down(const json_t *s)
{
	const json_t *o;
	size_t i;

	json_array_foreach(json_object_get(s, "networks"), i, o)
		if (strcmp(get_str(json_object_get(o, "decision"), "announce"), "announced") != 0 &&
		    strcmp(get_str(json_object_get(o, "decision"), "announce"), "de-preferred") != 0 && strcmp(get_str(o, "order"), "none") == 0)
			return true;
	return false;
}

/* `peers`, and what else there is of others. */
static json_t *fleet_json(const json_t *status)
{
	static const char *const keys[] = {"drift", "views"};
	json_t *o = json_copy(json_object_get(status, "peers"));

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_get(status, keys[i]))
			json_object_set(o, keys[i], json_object_get(status, keys[i]));
	return o;
}

int cmd_status(int argc, char **argv)
{
	static const struct cli_verb verb = {"status", cmd_status, NULL, help_status};
	struct cli_common common = {0};
	bool fleet = false;
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common), {"fleet", .flag = &fleet}};
	json_t *reply, *status;
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 0, &operand);
	bool down;

	if (code >= 0)
		return code;
	if (cli_control_call(&common, json_pack("{s:s}", "command", "status"), STATUS_TIMEOUT_MS, &reply) < 0)
		return CLI_FAILED;
	status = json_object_get(reply, "status");
	down = is_down(status);
	if (fleet && !json_is_object(json_object_get(json_object_get(status, "peers"), "self"))) {
		cli_error("this node runs without a fleet file: there are no others");
		json_decref(reply);
		return CLI_FAILED;
	}
	if (common.json)
		cli_json_print(fleet ? fleet_json(status) : json_incref(status));
	else if (fleet)
		print_fleet(status, true);
	else
		print_status(status);
	json_decref(reply);
	return down ? CLI_FAILED : CLI_OK;
}
