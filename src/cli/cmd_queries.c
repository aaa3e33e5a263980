/* SPDX-License-Identifier: BSD-2-Clause */
/* `queries`: the query log sample of the running node. The node sends every entry that it has; what is wanted of them is picked here. */
#include "cli/cli.h"

#include "base/addr.h"
#include "dns/name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { COUNT_MOST = 1000000 };

const char help_queries[] =
	"usage: zonecast queries [--follow] [--name NAME] [--client PREFIX] [--rcode RCODE] [--count N]\n"
	"                        [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"The last queries that the node sampled (answer.query-log-sample in the fleet file), oldest first: who asked what, how, and what became\n"
	"of it. --follow prints each as it comes, until interrupted. --name picks a name and all below it, --client an address or a prefix.\n"
	"--count: the last N; with --follow, the first N that come.\n";

struct wanted {
	char name[NAME_TEXT_MAX]; /* "": all */
	struct ip_prefix client;  /* family 0: all */
	const char *rcode;        /* NULL: all */
	unsigned long count;      /* 0: no limit */
	bool follow, json;
};

static bool read_wanted(struct wanted *w, const char *name, const char *client, const char *count)
{
	static const uint8_t root[1] = {0};
	struct name wire;
	char *end;

	if (name && name_from_text(name, strlen(name), root, &wire) < 0) {
		cli_error("\"%s\" is no domain name", name);
		return false;
	}
	if (name)
		name_to_text(wire.wire, w->name);
	if (client && prefix_parse(client, &w->client) < 0) {
		struct ip_addr a;

		if (addr_parse(client, &a) < 0) {
			cli_error("\"%s\" is neither an address nor a prefix: write it like 192.0.2.0/24 or 2001:db8::/32", client);
			return false;
		}
		w->client = (struct ip_prefix){.addr = a, .len = a.family == 4 ? 32 : 128};
	}
	if (count) {
		errno = 0;
		w->count = strtoul(count, &end, 10);
		if (*count < '0' || *count > '9' || *end || errno || !w->count || w->count > COUNT_MOST) {
			cli_error("--count %s: write a number from 1 to %d", count, COUNT_MOST);
			return false;
		}
	}
	return true;
}

static const char *member(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

static long long number(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

/* Does the name as text end in these labels? A dot behind an odd number of backslashes is part of a label. */
static bool is_below(const char *name, const char *suffix)
{
	size_t have = strlen(name), want = strlen(suffix), escapes = 0;

	if (have < want || strcasecmp(name + have - want, suffix) != 0)
		return false;
	if (have == want)
		return true;
	while (escapes < have - want - 1 && name[have - want - 2 - escapes] == '\\')
		escapes++;
	return name[have - want - 1] == '.' && escapes % 2 == 0;
}

static bool is_wanted(const struct wanted *w, const json_t *o)
{
	struct ip_addr client;

	if (w->name[0] && strcmp(w->name, ".") != 0 && !is_below(member(o, "name"), w->name))
		return false;
	if (w->client.addr.family &&
	    (addr_parse(member(o, "client"), &client) < 0 || client.family != w->client.addr.family || !prefix_contains(&w->client, &client)))
		return false;
	return !w->rcode || strcasecmp(member(o, "rcode"), w->rcode) == 0;
}

static void print_flags(const json_t *o)
{
	const json_t *flag;
	size_t i;

	json_array_foreach (json_object_get(o, "flags"), i, flag)
		printf(" +%s", json_string_value(flag));
	if (json_object_get(o, "edns"))
		printf(" +E(%lld)%s", number(o, "udp_size"), json_is_true(json_object_get(o, "do")) ? " +DO" : "");
	if (json_object_get(o, "ecs"))
		printf(" ecs=%s", member(o, "ecs"));
	if (strcmp(member(o, "cookie"), "none") != 0)
		printf(" cookie=%s", member(o, "cookie"));
	if (json_is_true(json_object_get(o, "malformed")))
		printf(" malformed");
}

static void print_entry(const json_t *o, bool json)
{
	if (json) {
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	printf("%s %s %s#%lld %s %s %s", member(o, "time"), member(o, "transport"), member(o, "client"), number(o, "port"), member(o, "name"),
	       member(o, "class"), member(o, "type"));
	print_flags(o);
	if (json_is_true(json_object_get(o, "answered")))
		printf(" -> %s%s %lldB", member(o, "rcode"), json_is_true(json_object_get(o, "truncated")) ? " TC" : "", number(o, "answer_size"));
	else
		printf(" -> no answer");
	if (json_object_get(o, "ede"))
		printf(" ede=%lld", number(o, "ede"));
	if (strcmp(member(o, "filtered"), "no") != 0)
		printf(" filtered=%s", member(o, "filtered"));
	if (strcmp(member(o, "limited"), "no") != 0)
		printf(" limited=%s", member(o, "limited"));
	printf(" %.1fus\n", json_real_value(json_object_get(o, "duration_us")));
}

/* The last entries, until all have come. */
struct last {
	json_t **entry;
	size_t most, count; /* count: all that were put */
};

static void last_put(struct last *l, json_t *o)
{
	json_t **slot = &l->entry[l->count++ % l->most];

	json_decref(*slot);
	*slot = json_incref(o);
}

static void last_print(struct last *l, bool json)
{
	for (size_t n = l->count > l->most ? l->count - l->most : 0; n < l->count; n++)
		print_entry(l->entry[n % l->most], json);
	for (size_t i = 0; i < l->most; i++)
		json_decref(l->entry[i]);
	free(l->entry);
}

struct reading {
	const struct wanted *wanted;
	struct last last; /* entry NULL: each is printed as it comes */
	unsigned long printed;
};

static bool take_head(void *ctx, json_t *o)
{
	(void)ctx;
	if (!number(o, "sample"))
		cli_error("queries are not sampled now: answer.query-log-sample is 0");
	return true;
}

static bool take(void *ctx, json_t *o)
{
	struct reading *r = ctx;
	const struct wanted *w = r->wanted;
	json_t *lost = json_object_get(o, "lost");

	if (lost) {
		cli_error("%lld entries were overwritten before they could be read: sample less", (long long)json_integer_value(lost));
		return true;
	}
	if (!is_wanted(w, o))
		return true;
	if (r->last.entry) {
		last_put(&r->last, o);
		return true;
	}
	print_entry(o, w->json);
	return ++r->printed != w->count && !ferror(stdout);
}

static int read_entries(const struct wanted *w, int fd)
{
	struct reading r = {.wanted = w};
	int code;

	if (w->count && !w->follow) {
		r.last.most = w->count;
		r.last.entry = calloc(w->count, sizeof(json_t *));
		if (!r.last.entry)
			return CLI_FAILED;
	}
	code = cli_control_follow(fd, w->follow, take_head, take, &r);
	if (r.last.entry)
		last_print(&r.last, w->json);
	return fflush(stdout) == 0 ? code : CLI_FAILED;
}

int cmd_queries(int argc, char **argv)
{
	static const struct cli_verb verb = {"queries", cmd_queries, NULL, help_queries};
	const char *name = NULL, *client = NULL, *count = NULL;
	struct cli_common common = {0};
	struct wanted w = {0};
	/* clang-format off */
	const struct cli_option rows[] = {
		CLI_COMMON_OPTIONS(&common), {"follow", .flag = &w.follow}, {"name", .value = &name}, {"client", .value = &client},
		{"rcode", .value = &w.rcode}, {"count", .value = &count},
	};
	/* clang-format on */
	int fd, operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 0, &operand);
	json_t *request;

	if (code >= 0)
		return code;
	if (!read_wanted(&w, name, client, count))
		return CLI_USAGE;
	w.json = common.json;
	request = json_pack("{s:s, s:b}", "command", "queries", "follow", w.follow);
	if (cli_control_open(&common, request, &fd) < 0)
		return CLI_FAILED;
	code = read_entries(&w, fd);
	close(fd);
	return code;
}
