/* SPDX-License-Identifier: BSD-2-Clause */
/* Drills for which nodes are told otherwise than the lab tells them: by another fleet file, by an RPKI cache, by more questions than they can
 * answer; and the one in which all PoPs are wrong at once. */
#include "lab/drill.h"

#include "base/clock.h"
#include "base/err.h"
#include "lab/rtr_cache.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOVE_MS = 30000, ALL_REGIONS = (1 << LAB_REGIONS) - 1, RPKI_INVALID_AS = 64999, ALL_GAP_MS = 1000 };

static void replace_all(const char *in, const struct drill_edit *e, struct text *out)
{
	for (const char *at; (at = strstr(in, e->from)) != NULL; in = at + strlen(e->from)) {
		text_add(out, in, (size_t)(at - in));
		text_str(out, e->to);
	}
	text_str(out, in);
}

int drill_refit(struct drill_run *r, const struct drill_edit *edits, size_t count, unsigned set)
{
	char path[LAB_PATH_MAX + 32];
	struct text now, next;
	int err = 0;

	text_init(&now);
	text_init(&next);
	lab_fleet_text(r->lab, &now);
	for (size_t i = 0; !err && i < count; i++) {
		struct text spare = next;

		if (!strstr(now.chars, edits[i].from))
			err = ERR_NOT_FOUND;
		text_clear(&spare);
		replace_all(now.chars, &edits[i], &spare);
		next = now;
		now = spare;
	}
	snprintf(path, sizeof(path), "%s/fleet.yaml", r->lab->dir);
	if (!err)
		err = now.failed ? ERR_NO_MEMORY : lab_write_file(path, now.chars, 0644);
	text_done(&now);
	text_done(&next);
	for (unsigned i = 0; !err && i < LAB_REGIONS; i++)
		if (set & 1U << i)
			err = node_order(r->lab, i, "{\"command\":\"reload\"}\n", NULL);
	return err;
}

static bool has_withdrawn(struct drill_run *r)
{
	const struct node_said *s = &r->last[r->region];

	return s->heard && strcmp(s->announce[0], "withdrawn") == 0 && strcmp(s->announce[1], "withdrawn") == 0;
}

/* ---- rpki-invalid ---- */

static struct rtr_cache *cache;

/* "valid" of all the prefixes that the PoP knows of. */
static bool origins_are(struct drill_run *r, const char *state)
{
	json_t *reply = node_ask(r->lab, r->region, "{\"command\":\"status\"}\n", 1000), *o;
	const json_t *list = json_object_get(json_object_get(json_object_get(reply, "status"), "rpki"), "origins");
	bool all = json_array_size(list) > 0;
	size_t i;

	json_array_foreach(list, i, o) {
		const char *is = json_string_value(json_object_get(o, "state"));

		if (!json_is_true(json_object_get(o, "backstop")))
			all &= is && strcmp(is, state) == 0;
	}
	json_decref(reply);
	return all;
}

static bool origins_are_valid(struct drill_run *r)
{
	return origins_are(r, "valid");
}

/* One PoP's cache goes wrong: that of the others would take the network away everywhere, by its operator's own wish. */
int drill_rpki_fail(struct drill_run *r)
{
	char ns[LAB_NETNS_MAX], rpki[120];
	struct drill_edit edit = {"zones:\n", rpki};
	int err;

	snprintf(rpki, sizeof(rpki), "rpki:\n  caches: [{address: 10.1.%d.2, port: %d}]\nzones:\n", LAB_HIDDEN_NET, RTR_CACHE_PORT);
	lab_netns(r->lab, 'h', 0, ns);
	err = rtr_cache_start(ns, LAB_AS, &cache);
	if (!err)
		err = drill_refit(r, &edit, 1, 1U << r->region);
	if (!err) {
		err = drill_wait(r, origins_are_valid, MOVE_MS);
		drill_claim(r, !err, "with a right record both prefixes are valid", "%s", err ? "not all" : "yes");
	}
	if (err)
		return err;
	r->failed_ns = clock_ns();
	rtr_cache_set(cache, RPKI_INVALID_AS);
	drill_await(r, has_withdrawn, MOVE_MS);
	return 0;
}

int drill_rpki_judge(struct drill_run *r)
{
	const struct node_said *s = &r->last[r->region];

	drill_claim(r, has_withdrawn(r) && strstr(s->why, "invalid"), "what RPKI calls invalid is not announced", "%s: %s", s->announce[0], s->why);
	return 0;
}

int drill_rpki_mend(struct drill_run *r)
{
	int err = 0;

	if (cache) {
		rtr_cache_set(cache, LAB_AS);
		err = drill_wait(r, origins_are_valid, MOVE_MS);
	}
	rtr_cache_stop(cache);
	cache = NULL;
	if (drill_refit(r, NULL, 0, 1U << r->region) < 0)
		return ERR_INVALID;
	return err;
}

/* ---- withdraw-all ---- */

/* The checks of every PoP fail at the same moment though clients are answered rightly, as when the checks themselves are wrong. */
int drill_all_fail(struct drill_run *r)
{
	int err = 0;

	for (unsigned i = 0; !err && i < LAB_REGIONS; i++) {
		char pop[LAB_NETNS_MAX];

		lab_netns(r->lab, 'p', i, pop);
		err = node_filter(pop, "add chain inet lab in { type filter hook input priority 0; };"
		                       "add rule inet lab in iifname \"lo\" ip daddr " LAB_ANYCAST_V4 " meta l4proto {tcp, udp} th dport 53 drop;"
		                       "add rule inet lab in iifname \"lo\" ip6 daddr " LAB_ANYCAST_V6 " meta l4proto {tcp, udp} th dport 53 drop;");
	}
	if (!err)
		drill_pass(r, MOVE_MS / 6);
	return err;
}

int drill_all_judge(struct drill_run *r)
{
	unsigned withdrawn = 0, backstops = 0;
	char seen[200] = "";

	for (unsigned i = 0; i < LAB_REGIONS; i++) {
		withdrawn += strcmp(r->last[i].announce[0], "withdrawn") == 0 && strcmp(r->last[i].announce[1], "withdrawn") == 0;
		backstops += strcmp(r->last[i].backstop, "announced") == 0;
		if (r->last[i].why[0])
			snprintf(seen, sizeof(seen), "pop-%s: %.150s", lab_regions[i].name, r->last[i].why);
	}
	drill_claim(r, withdrawn == LAB_REGIONS, "every PoP withdraws the network's own prefixes", "%u of %d, %s", withdrawn, LAB_REGIONS, seen);
	drill_claim(r, backstops == LAB_REGIONS, "the backstop stays announced", "at %u PoPs", backstops);
	return 0;
}

int drill_all_mend(struct drill_run *r)
{
	int err = 0;

	for (unsigned i = 0; i < LAB_REGIONS; i++) {
		char pop[LAB_NETNS_MAX];

		lab_netns(r->lab, 'p', i, pop);
		if (node_unfilter(pop) < 0)
			err = ERR_INVALID;
	}
	return err;
}

/* The gap of a client is that of its routers, which have to find the backstop; it comes with no warning. */
void drill_all_score(struct drill_run *r)
{
	double worst = 0, back = 0;

	for (unsigned i = 0; i < LAB_REGIONS; i++)
		for (int f = 0; f < 2; f++) {
			worst = MAX(worst, r->round->score[i][f].gap_ms);
			back = MAX(back, r->round->score[i][f].back_gap_ms);
		}
	drill_claim(r, worst < ALL_GAP_MS && back < ALL_GAP_MS, "the gap of no client is longer than 1 s, there and back", "%.0f and %.0f ms", worst, back);
}

/* ---- overload ---- */

enum { CAPACITY = 1500, FLOOD_PER_MS = 2 };

static struct flood {
	pthread_t thread;
	_Atomic bool stop;
	int fd;
	uint8_t query[64];
	size_t len;
} flood = {.fd = -1};

/* Answers are left where they are: the socket takes what fits. */
static void *run_flood(void *arg)
{
	struct flood *f = arg;
	uint64_t next = clock_ns();

	while (!atomic_load(&f->stop)) {
		for (; clock_ns() >= next; next += 1000000)
			for (int i = 0; i < FLOOD_PER_MS; i++)
				if (send(f->fd, f->query, f->len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
					break; /* no route for a moment: one that is lost */
		poll(NULL, 0, 1);
	}
	return NULL;
}

static int start_flood(struct drill_run *r)
{
	/* example.com SOA */
	static const uint8_t query[] = "\x12\x34\0\0\0\1\0\0\0\0\0\0\7example\3com\0\0\6\0\1";
	struct endpoint to = {.port = 53};
	struct sockaddr_storage sa;
	char ns[LAB_NETNS_MAX];
	socklen_t salen;
	int err = addr_parse(LAB_ANYCAST_V4, &to.addr);

	lab_netns(r->lab, 'c', r->region, ns);
	memcpy(flood.query, query, sizeof(query) - 1);
	flood.len = sizeof(query) - 1;
	atomic_store(&flood.stop, false);
	salen = endpoint_to_sockaddr(&to, &sa);
	if (!err)
		err = lab_socket_in(ns, AF_INET, SOCK_DGRAM, &flood.fd);
	if (!err && connect(flood.fd, (struct sockaddr *)&sa, salen) < 0)
		err = -errno;
	if (!err && pthread_create(&flood.thread, NULL, run_flood, &flood) != 0)
		err = ERR_NO_MEMORY;
	if (err && flood.fd >= 0) {
		close(flood.fd);
		flood.fd = -1;
	}
	return err;
}

static bool is_depreferred(struct drill_run *r)
{
	const struct node_said *s = &r->last[r->region];

	return s->heard && strcmp(s->announce[0], "de-preferred") == 0 && strcmp(s->announce[1], "de-preferred") == 0;
}

/* The region's PoP can answer less than comes, the others have room. */
int drill_overload_fail(struct drill_run *r)
{
	struct drill_edit edits[2 + LAB_REGIONS] = {{"    drain-time", "    overload: shed\n    drain-time"}};
	char from[LAB_REGIONS][32], to[LAB_REGIONS][96];
	size_t n = 1;
	int err;

	for (unsigned i = 0; i < LAB_REGIONS; i++) {
		snprintf(from[i], sizeof(from[i]), "  - name: pop-%s\n", lab_regions[i].name);
		snprintf(to[i], sizeof(to[i]), "%.31s    capacity: %d\n", from[i], i == r->region ? CAPACITY : 20 * CAPACITY);
		edits[n++] = (struct drill_edit){from[i], to[i]};
	}
	err = drill_refit(r, edits, n, ALL_REGIONS);
	if (!err)
		err = start_flood(r);
	r->failed_ns = clock_ns();
	if (!err)
		drill_await(r, is_depreferred, MOVE_MS);
	return err;
}

int drill_overload_judge(struct drill_run *r)
{
	const struct node_said *s = &r->last[r->region];

	drill_claim(r, is_depreferred(r), "the PoP is de-preferred, not withdrawn", "%s: %s", s->announce[0], s->why);
	return 0;
}

int drill_overload_mend(struct drill_run *r)
{
	if (flood.fd >= 0) {
		atomic_store(&flood.stop, true);
		pthread_join(flood.thread, NULL);
		close(flood.fd);
		flood.fd = -1;
	}
	return drill_refit(r, NULL, 0, ALL_REGIONS);
}
