/* SPDX-License-Identifier: BSD-2-Clause */
/* `steer`: explains what a policy gives a client, from the fleet file and, where it is there, the map of addresses in the run directory. Nothing need run, nobody is asked: endpoints are up but for those
 * that --down names. It is the same code that answers (steer/steer.h); chance is one throw of it.
 *
 * Known omission: what the checks of a running node say is not looked at (`status` says it). */
#include "cli/cli.h"

#include "base/err.h"
#include "base/hash.h"
#include "config/config.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "steer/geo.h"
#include "steer/steer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define MAP_PATH "%s/store/geo.map"
enum { DOWN_MAX = 256, MAP_PATH_MAX = 4200 };

const char help_steer[] = "usage: zonecast steer POLICY|NAME [--from ADDRESS|SUBNET] [--node NODE] [--down "
                          "POOL/ENDPOINT]... [--config FILE] [--run-dir DIR] [--json]\n"
			  "\n"
			  "Explain what a policy of the fleet file gives a client: where the client is, which rule "
                          "matches, which pool is used, which of its endpoints are given, with the\n"
			  "scope of the answer (RFC 7871) and its TTL. The policy is told by its name, or by a name of "
                          "its owners. Nothing is asked of anybody; all endpoints count as up.\n"
			  "\n"
			  "  --from   the client, 192.0.2.1 where none is given\n"
			  "  --node   as this node would answer, for rules that go by nodes\n"
			  "  --down   this endpoint is down; may be given several times\n";

struct asked {
	const char *down[DOWN_MAX];
	size_t down_count;
};

struct steering_question {
	const struct config *c;
	struct steer_table *table;
	struct geo_map *places;
	uint64_t *up;
	uint32_t policy;
	struct steer_facts facts;
};

static int take_down(void *ctx, const char *value)
{
	struct asked *a = ctx;

	if (a->down_count == DOWN_MAX) {
		cli_error("--down: at most %d", DOWN_MAX);
		return CLI_USAGE;
	}
	a->down[a->down_count++] = value;
	return 0;
}

static bool set_down(struct steering_question *q, const char *what)
{
	const char *slash = strchr(what, '/');

	for (size_t p = 0; slash && p < q->c->pool_count; p++) {
		const struct config_pool *pool = &q->c->pools[p];

		if (strlen(pool->name) != (size_t)(slash - what) ||
		    strncasecmp(pool->name, what, (size_t)(slash - what)) != 0)
			continue;
		for (size_t i = 0; i < pool->endpoint_count; i++)
			if (strcasecmp(pool->endpoints[i].name, slash + 1) == 0) {
				q->up[p] &= ~(1ULL << i);
				return true;
			}
	}
	cli_error("--down %s: the fleet file has no such endpoint; write POOL/ENDPOINT", what);
	return false;
}

static bool find_policy(struct steering_question *q, const char *text)
{
	static const uint8_t root[1] = {0};
	struct name name, lower;

	q->policy = steer_policy_named(q->table, text, strlen(text));
	if (q->policy == UINT32_MAX && name_from_text(text, strlen(text), root, &name) == 0) {
		name_lower(&lower, name.wire);
		q->policy = steer_policy_of(q->table, lower.wire);
	}
	if (q->policy == UINT32_MAX)
		cli_error("\"%s\" is neither a policy of the fleet file nor one of its owners", text);
	return q->policy != UINT32_MAX;
}

static bool read_client(const char *from, struct steer_facts *out)
{
	struct ip_prefix p = {0};
	int err;

	if (strchr(from, '/')) {
		err = prefix_parse(from, &p);
		if (err == ERR_INVALID) /* bits behind its length: the one that was meant */
			err = 0;
	} else {
		err = addr_parse(from, &p.addr);
		p.len = p.addr.family == 4 ? 32 : 128;
	}
	if (err < 0) {
		cli_error("--from %s: neither an address nor a subnet", from);
		return false;
	}
	out->addr = p.addr;
	out->prefix = p.len;
	return true;
}

/* Without one, rules that need it match nobody, as on a node that has none. */
static void open_map(struct steering_question *q, const struct cli_common *common)
{
	char run_dir[4096], path[MAP_PATH_MAX];
	int fd;

	cli_run_dir(common, run_dir, sizeof(run_dir));
	snprintf(path, sizeof(path), MAP_PATH, run_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || geo_map_open(fd, &q->places) < 0) {
		q->places = NULL;
		if (q->c->geoip.location_file || q->c->geoip.as_file)
			cli_error("%s: no map of addresses, which a node makes of the databases: places are not known",
			          path);
	}
	if (fd >= 0)
		close(fd);
	q->facts.places = q->places;
}

/* ---- output ---- */

static const char *letters(uint16_t code, char buf[3])
{
	snprintf(buf, 3, "%c%c", code >> 8, code & 255);
	return code ? buf : "-";
}

static json_t *client_json(const struct steering_question *q)
{
	const struct ip_prefix p = {q->facts.addr, q->facts.prefix};
	char text[PREFIX_TEXT_MAX], country[3], continent[3];
	json_t *o = json_pack("{s:s}", "client", prefix_text(&p, text));
	struct geo_place place;
	uint8_t scope;

	if (!q->places)
		return o;
	geo_find(q->places, &q->facts.addr, &place, &scope);
	json_object_set_new(o, "country", place.country ? json_string(letters(place.country, country)) : json_null());
	json_object_set_new(o, "continent",
	                    place.continent ? json_string(letters(place.continent, continent)) : json_null());
	json_object_set_new(o, "as", place.as ? json_integer(place.as) : json_null());
	json_object_set_new(o, "latitude", place.located ? json_real((double)place.latitude) : json_null());
	json_object_set_new(o, "longitude", place.located ? json_real((double)place.longitude) : json_null());
	return o;
}

static json_t *endpoint_json(const struct steering_question *q, uint32_t pool, unsigned i, bool chosen)
{
	const struct config_pool_endpoint *e = &q->c->pools[pool].endpoints[i];
	char text[NAME_TEXT_MAX];

	if (e->target)
		name_to_text(e->target, text);
	else
		addr_text(&e->address, text);
	return json_pack("{s:s, s:s, s:i, s:i, s:s, s:b}", "name", e->name, "address", text, "weight", (int)e->weight,
	                 "priority", (int)e->priority, "state",
	                 e->disabled            ? "disabled"
	                 : q->up[pool] >> i & 1 ? "up"
	                                        : "down",
	                 "given", chosen);
}

/* What the question of one type gets; NULL: the policy has no endpoints for it. */
static json_t *choice_json(const struct steering_question *q, uint8_t family, const char *type)
{
	const struct config_steering *s = &q->c->steering[q->policy];
	json_t *list = json_array(), *o;
	struct steer_choice choice;

	steer_choose(q->table, q->policy, family, &q->facts, &choice);
	if (choice.foreign) {
		json_decref(list);
		return NULL;
	}
	for (unsigned i = 0; i < q->c->pools[choice.pool].endpoint_count; i++)
		if (q->c->pools[choice.pool].endpoints[i].address.family == family)
			json_array_append_new(list, endpoint_json(q, choice.pool, i, choice.chosen >> i & 1));
	o = json_pack("{s:s, s:s, s:i, s:i, s:b, s:b, s:b, s:o}", "type", type, "pool", q->c->pools[choice.pool].name,
	              "scope", (int)choice.scope, "ttl_s", (int)choice.ttl_s, "by_chance", !choice.cacheable_by_choice,
	              "fail_open", choice.kept, "closed", !choice.chosen, "endpoints", list);
	json_object_set_new(o, "rule",
	                    choice.rule == UINT32_MAX ? json_null() : json_integer((json_int_t)choice.rule + 1));
	json_object_set_new(
		o, "rule_pool",
		json_string(q->c->pools[choice.rule == UINT32_MAX ? s->pool : s->rules[choice.rule].pool].name));
	return o;
}

static json_t *explain(const struct steering_question *q)
{
	static const struct {
		uint8_t family;
		const char *type;
	} types[] = {{4, "A"}, {6, "AAAA"}, {0, "CNAME"}};
	json_t *o = client_json(q), *list = json_array();

	json_object_set_new(o, "policy", json_string(q->c->steering[q->policy].name));
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		json_t *one = choice_json(q, types[i].family, types[i].type);

		if (one)
			json_array_append_new(list, one);
	}
	json_object_set_new(o, "answers", list);
	return o;
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "-";
}

static int int_of(const json_t *o, const char *key)
{
	return (int)json_integer_value(json_object_get(o, key));
}

static void print_answer(const json_t *a, size_t rules)
{
	const json_t *rule = json_object_get(a, "rule"), *e;
	size_t i;

	if (json_is_integer(rule))
		printf("\n%s: rule %d of %zu: pool %s\n", text_of(a, "type"), (int)json_integer_value(rule), rules,
		       text_of(a, "rule_pool"));
	else if (!rules)
		printf("\n%s: no rules: pool %s\n", text_of(a, "type"), text_of(a, "rule_pool"));
	else
		printf("\n%s: no rule of %zu matches: pool %s\n", text_of(a, "type"), rules, text_of(a, "rule_pool"));
	if (strcmp(text_of(a, "pool"), text_of(a, "rule_pool")) != 0)
		printf("  too few of it are up: pool %s in its place\n", text_of(a, "pool"));
	if (json_is_true(json_object_get(a, "closed")))
		printf("  nothing may be given: SERVFAIL\n");
	else if (json_is_true(json_object_get(a, "fail_open")))
		printf("  too few are up: endpoints that are down are given as well\n");
	json_array_foreach(json_object_get(a, "endpoints"), i, e)
		printf("  %s %-14s %-26s weight %-3d priority %-2d %s\n",
		       json_is_true(json_object_get(e, "given")) ? "->" : "  ", text_of(e, "name"),
		       text_of(e, "address"), int_of(e, "weight"), int_of(e, "priority"), text_of(e, "state"));
	printf("  TTL at most %d s, scope %d%s\n", int_of(a, "ttl_s"), int_of(a, "scope"),
	       json_is_true(json_object_get(a, "by_chance")) ? ", by chance: another question may get others" : "");
}

static int print(const struct steering_question *q, json_t *o, bool json)
{
	const json_t *a;
	size_t i;

	if (json)
		return cli_json_print(o);
	printf("policy %s, client %s", text_of(o, "policy"), text_of(o, "client"));
	if (q->places) {
		printf(": country %s, continent %s, AS ", text_of(o, "country"), text_of(o, "continent"));
		if (json_is_integer(json_object_get(o, "as")))
			printf("%lld", (long long)json_integer_value(json_object_get(o, "as")));
		else
			printf("-");
		if (json_is_real(json_object_get(o, "latitude")))
			printf(", at %.2f %.2f", json_real_value(json_object_get(o, "latitude")),
			       json_real_value(json_object_get(o, "longitude")));
	}
	printf("\n");
	json_array_foreach(json_object_get(o, "answers"), i, a)
		print_answer(a, q->c->steering[q->policy].rule_count);
	json_decref(o);
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int answer(const struct cli_common *common, const struct asked *asked, struct steering_question *q,
                  const char *what, const char *node)
{
	const struct config_node *as = node ? config_node_find(q->c, node) : NULL;

	if (node && !as) {
		cli_error("--node %s: the fleet file has no such node", node);
		return CLI_USAGE;
	}
	q->up = malloc((q->c->pool_count + 1) * sizeof(*q->up));
	if (!q->up || steer_table_make(q->c, as, &q->table) < 0) {
		cli_error("%s", err_text(ERR_NO_MEMORY));
		return CLI_FAILED;
	}
	memset(q->up, 0xff, q->c->pool_count * sizeof(*q->up));
	if (!find_policy(q, what))
		return CLI_FAILED;
	for (size_t i = 0; i < asked->down_count; i++)
		if (!set_down(q, asked->down[i]))
			return CLI_USAGE;
	q->facts.up = (const _Atomic uint64_t *)q->up;
	q->facts.random = random_u32();
	open_map(q, common);
	return print(q, explain(q), common->json);
}

int cmd_steer(int argc, char **argv)
{
	static const struct cli_verb verb = {"steer", cmd_steer, NULL, help_steer};
	const char *from = "192.0.2.1", *node = NULL;
	struct cli_common common = {0};
	struct asked asked = {0};
	const struct cli_option rows[] = {
		CLI_COMMON_OPTIONS(&common),
		{"from", .value = &from},
		{"node", .value = &node},
		{"down", .each = take_down, .ctx = &asked},
	};
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 1, 1, &operand);
	struct steering_question q = {0};
	struct config *c = NULL;

	if (code >= 0)
		return code;
	if (!read_client(from, &q.facts))
		return CLI_USAGE;
	if (cli_load_config(&common, "no policy is known", &c) < 0)
		return CLI_FAILED;
	q.c = c;
	code = answer(&common, &asked, &q, argv[operand], node);
	steer_table_free(q.table);
	geo_map_close(q.places);
	free(q.up);
	config_free(c);
	return code;
}
