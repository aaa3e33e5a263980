/* SPDX-License-Identifier: BSD-2-Clause */
/* `zone publish`: the node reads the zone's file; then this process asks the pops itself, so that what it says is what a client gets. */
#include "cli/cli.h"

#include "base/clock.h"
#include "base/err.h"
#include "cli/followers.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PUBLISH_TIMEOUT_MS = 300000, WAIT_MS = 60000, WAIT_MAX_MS = 24 * 3600000, TURN_MS = 250 };

const char help_zone_publish[] =
	"usage: zonecast zone publish ZONE [--force] [--wait] [--timeout TIME] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"Check and load the zone's file now, on a primary, and say what serial is served. With --wait, return when each pop of the zone's network answers that\n"
	"serial, and the zone's digest where it has one (ZONEMD), on each of its management addresses; after TIME (60s) list those that do not, and fail.\n"
	"--force: even if the zone loses more than its shrink-limit, or its serial goes back or stands still.\n";

/* "30s", "500ms", "2m", or seconds. */
static bool parse_time(const char *text, uint64_t *ms)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);
	unsigned unit = strcmp(end, "ms") == 0           ? 1
	                : !*end || strcmp(end, "s") == 0 ? 1000
	                : strcmp(end, "m") == 0          ? 60000
	                : strcmp(end, "h") == 0          ? 3600000
	                                                 : 0;

	if (end == text || *text < '0' || *text > '9' || !unit || v > WAIT_MAX_MS / unit) {
		cli_error("--timeout %s: a time is a number and ms, s, m or h, 24h at most", text);
		return false;
	}
	*ms = v * unit;
	return true;
}

static const struct config_zone *find_zone(const struct config *c, const char *text)
{
	static const uint8_t root[1] = {0};
	struct name name;

	if (name_from_text(text, strlen(text), root, &name) < 0)
		return NULL;
	for (size_t i = 0; i < c->zone_count; i++)
		if (name_equal(c->zones[i].apex, name.wire))
			return &c->zones[i];
	return NULL;
}

static json_t *followers_json(const struct followers *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->count; i++) {
		const struct follower *w = &f->list[i];
		char at[ADDR_TEXT_MAX];
		json_t *o = json_pack("{s:s, s:s, s:b, s:s}", "node", w->node, "address", addr_text(&w->at.addr, at),
		                      "follows", w->follows, "why", w->why);

		if (w->has_serial)
			json_object_set_new(o, "serial", json_integer(w->serial));
		json_array_append_new(list, o);
	}
	return list;
}

static void print_laggards(const struct followers *f)
{
	for (size_t i = 0; i < f->count; i++) {
		char at[ADDR_TEXT_MAX];

		if (!f->list[i].follows)
			printf("  %-20s %-40s %s\n", f->list[i].node, addr_text(&f->list[i].at.addr, at),
			       f->list[i].why);
	}
}

/* Adds what came of it to reply. */
static int wait_for_pops(const struct cli_common *common, const char *zone, uint64_t wait_ms, json_t *reply)
{
	uint64_t began = clock_ms();
	const struct config_zone *z;
	struct config *c = NULL;
	struct followers f;
	size_t left;
	int code;

	if (cli_load_config(common, "the pops are not known", &c) < 0)
		return CLI_FAILED;
	z = find_zone(c, zone);
	if (!z) {
		cli_error("%s: the configuration has no such zone", zone);
		config_free(c);
		return CLI_FAILED;
	}
	if (followers_init(&f, c, z, (uint32_t)json_integer_value(json_object_get(reply, "serial")),
	                   json_object_get(reply, "zonemd")) < 0) {
		config_free(c);
		return CLI_FAILED;
	}
	while ((left = followers_ask(&f, TURN_MS)) > 0 && clock_ms() - began < wait_ms)
		poll(NULL, 0, 20);
	code = left ? CLI_FAILED : CLI_OK;
	json_object_set_new(reply, "took_ms", json_integer((json_int_t)(clock_ms() - began)));
	json_object_set_new(reply, "follow", json_boolean(!left));
	json_object_set_new(reply, "pops", followers_json(&f));
	if (!common->json) {
		if (left)
			printf("%s: %zu of %zu addresses do not answer it after %llu ms:\n", zone, left, f.count,
			       (unsigned long long)(clock_ms() - began));
		else
			printf("%s: all %zu addresses of its pops answer it, after %llu ms\n", zone, f.count,
			       (unsigned long long)(clock_ms() - began));
		print_laggards(&f);
	}
	followers_done(&f);
	config_free(c);
	return code;
}

static void print_loaded(const char *zone, const json_t *reply)
{
	json_int_t serial = json_integer_value(json_object_get(reply, "serial")),
		   before = json_integer_value(json_object_get(reply, "before"));
	const json_t *problem;
	size_t i;

	json_array_foreach(json_object_get(reply, "problems"), i, problem)
		fprintf(stderr, "%s\n", json_string_value(problem));
	if (serial == before)
		printf("%s: serial %lld, as before\n", zone, (long long)serial);
	else
		printf("%s: serial %lld, before %lld\n", zone, (long long)serial, (long long)before);
	fflush(stdout);
}

int cmd_zone_publish(int argc, char **argv)
{
	static const struct cli_verb verb = {"publish", cmd_zone_publish, NULL, help_zone_publish};
	struct cli_common common = {0};
	const char *timeout = NULL;
	bool wait = false, force = false;
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common),
	                                  {"force", .flag = &force}, {"wait", .flag = &wait},
	                                  {"timeout", .value = &timeout}};
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 1, 1, &operand);
	uint64_t wait_ms = WAIT_MS;
	json_t *reply;

	if (code >= 0)
		return code;
	if (timeout && !parse_time(timeout, &wait_ms))
		return CLI_USAGE;
	if (cli_control_call(&common, json_pack("{s:s, s:s, s:b}", "command", "zone-publish", "zone", argv[operand], "force", force),
	                     PUBLISH_TIMEOUT_MS, &reply) < 0)
		return CLI_FAILED;
	if (!common.json)
		print_loaded(argv[operand], reply);
	code = wait ? wait_for_pops(&common, argv[operand], wait_ms, reply) : CLI_OK;
	json_object_del(reply, "ok");
	if (common.json && cli_json_print(json_incref(reply)) != CLI_OK)
		code = CLI_FAILED;
	json_decref(reply);
	return code;
}
