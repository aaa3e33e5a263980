/* SPDX-License-Identifier: BSD-2-Clause */
/* `cache status`, `cache show` and `cache purge`: answers of backends that the running node keeps. */
#include "cli/cli.h"

#include <stdio.h>

enum { ASK_TIMEOUT_MS = 30000 };

const char help_cache[] =
	"usage: zonecast cache VERB ...\n"
	"\n"
	"Commands about the cache of backends' answers; `zonecast help cache VERB` explains each. See "
	"zonecast-cache(1).\n";
const char help_cache_status[] =
	"usage: zonecast cache status [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"How large the cache is, how full, how many questions it answered, and what went out of it why.\n";
const char help_cache_show[] = "usage: zonecast cache show NAME [--subtree] [--config FILE] [--run-dir DIR] [--json]\n"
			       "\n"
			       "The answers kept for a name, of all types, pools and client networks.\n"
			       "\n"
			       "  --subtree   and for all names below it; at most 1000 are shown\n";
const char help_cache_purge[] =
	"usage: zonecast cache purge NAME [--subtree] [--config FILE] [--run-dir DIR] [--json]\n"
	"\n"
	"Forget the answers kept for a name. Those that are under way when it is ordered are not kept either.\n"
	"\n"
	"  --subtree   and for all names below it; of \".\" all there are\n";

static long long number_of(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static const char *text_of(const json_t *o, const char *key, const char *none)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : none;
}

int cmd_cache_status(int argc, char **argv)
{
	static const struct cli_verb verb = {"status", cmd_cache_status, NULL, help_cache_status};
	struct cli_common common = {0};
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(&common)};
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 0, 0, &operand);
	json_t *reply, *c;

	if (code >= 0)
		return code;
	if (cli_control_call(&common, json_pack("{s:s}", "command", "cache-status"), ASK_TIMEOUT_MS, &reply) < 0)
		return CLI_FAILED;
	c = json_object_get(reply, "cache");
	if (common.json) {
		json_incref(c);
		json_decref(reply);
		return cli_json_print(c);
	}
	if (!number_of(c, "size")) {
		json_decref(reply);
		printf("there is no cache: no zone of the node has backends\n");
		return CLI_OK;
	}
	printf("size       %lld MiB, %lld MiB of it in use\n", number_of(c, "size") >> 20, number_of(c, "used") >> 20);
	printf("entries    %lld, room for %lld at most\n", number_of(c, "entries"), number_of(c, "entries_max"));
	printf("questions  hits %lld (stale %lld), misses %lld, fetched ahead %lld\n", number_of(c, "hits"),
	       number_of(c, "stale"), number_of(c, "misses"), number_of(c, "prefetched"));
	printf("kept       %lld; removed for room %lld, since they were over %lld, purged %lld\n",
	       number_of(c, "inserted"), number_of(c, "evicted") - number_of(c, "expired"), number_of(c, "expired"),
	       number_of(c, "purged"));
	printf("contended  looks given up %lld, answers not kept %lld, parts emptied after a death %lld\n",
	       number_of(c, "torn"), number_of(c, "busy"), number_of(c, "cleared"));
	json_decref(reply);
	return CLI_OK;
}

static void print_entry(const json_t *e)
{
	const json_t *records = json_object_get(e, "records");

	printf("%s %s%s%s  %s %lld/%lld/%lld, %lld octets\n  %s, %lld s old, %lld s left", text_of(e, "name", "?"),
	       text_of(e, "type", "?"), json_is_true(json_object_get(e, "dnssec_ok")) ? " DO" : "",
	       json_is_true(json_object_get(e, "checking_disabled")) ? " CD" : "", text_of(e, "rcode", "?"),
	       (long long)json_integer_value(json_array_get(records, 0)),
	       (long long)json_integer_value(json_array_get(records, 1)),
	       (long long)json_integer_value(json_array_get(records, 2)), number_of(e, "octets"),
	       text_of(e, "state", "?"), number_of(e, "age"), number_of(e, "left"));
	printf(", pool %s", text_of(e, "pool", "(no longer configured)"));
	if (json_is_string(json_object_get(e, "subnet")))
		printf(", for %s", text_of(e, "subnet", "?"));
	printf("\n");
}

/* Ask about a name. Negative: go on; else the exit status. */
static int ask(const struct cli_verb *verb, const char *command, int argc, char **argv, struct cli_common *common,
               json_t **reply)
{
	bool subtree = false;
	const struct cli_option rows[] = {CLI_COMMON_OPTIONS(common), {"subtree", .flag = &subtree}};
	int operand, code = cli_parse(verb, rows, ARRAY_LEN(rows), argc, argv, 1, 1, &operand);

	if (code >= 0)
		return code;
	if (cli_control_call(common,
	                     json_pack("{s:s, s:s, s:b}", "command", command, "name", argv[operand], "subtree",
	                               subtree),
	                     ASK_TIMEOUT_MS, reply) < 0)
		return CLI_FAILED;
	json_object_del(*reply, "ok");
	return -1;
}

int cmd_cache_show(int argc, char **argv)
{
	static const struct cli_verb verb = {"show", cmd_cache_show, NULL, help_cache_show};
	struct cli_common common = {0};
	json_t *reply, *e;
	int code = ask(&verb, "cache-show", argc, argv, &common, &reply);
	size_t i;

	if (code >= 0)
		return code;
	if (common.json)
		return cli_json_print(reply);
	json_array_foreach(json_object_get(reply, "entries"), i, e)
		print_entry(e);
	if (json_is_true(json_object_get(reply, "more")))
		printf("and more\n");
	if (!json_array_size(json_object_get(reply, "entries")))
		printf("nothing is kept of it\n");
	json_decref(reply);
	return CLI_OK;
}

int cmd_cache_purge(int argc, char **argv)
{
	static const struct cli_verb verb = {"purge", cmd_cache_purge, NULL, help_cache_purge};
	struct cli_common common = {0};
	json_t *reply;
	int code = ask(&verb, "cache-purge", argc, argv, &common, &reply);

	if (code >= 0)
		return code;
	if (common.json)
		return cli_json_print(reply);
	printf("purged: %lld\n", number_of(reply, "purged"));
	json_decref(reply);
	return CLI_OK;
}

int cmd_cache(int argc, char **argv)
{
	return cli_dispatch("zonecast cache", cli_cache_verbs, cli_cache_verb_count, argc, argv);
}
