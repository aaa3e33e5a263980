/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/request.h"

#include "base/err.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	enum command command;
} commands[] = {
	{"status", COMMAND_STATUS},       {"reload", COMMAND_RELOAD},       {"drain", COMMAND_DRAIN},
	{"resume", COMMAND_RESUME},       {"zone-list", COMMAND_ZONE_LIST}, {"zone-show", COMMAND_ZONE_SHOW},
	{"zone-reload", COMMAND_ZONE_RELOAD}, {"fault", COMMAND_FAULT},    {"queries", COMMAND_QUERIES},
	{"catalog-status", COMMAND_CATALOG_STATUS}, {"catalog-accept", COMMAND_CATALOG_ACCEPT},
	{"zone-status", COMMAND_ZONE_STATUS}, {"zone-retransfer", COMMAND_ZONE_RETRANSFER},
};

/* An optional string member. */
static int member(const json_t *o, const char *key, char *out, size_t cap, char *problem, size_t problem_cap)
{
	const json_t *v = json_object_get(o, key);

	out[0] = '\0';
	if (!v)
		return 0;
	if (!json_is_string(v) || json_string_length(v) >= cap) {
		snprintf(problem, problem_cap, "\"%s\" must be a string of at most %zu octets", key, cap - 1);
		return ERR_INVALID;
	}
	memcpy(out, json_string_value(v), json_string_length(v) + 1);
	return 0;
}

/* An optional boolean member. */
static int flag(const json_t *o, const char *key, bool *out, char *problem, size_t cap)
{
	const json_t *v = json_object_get(o, key);

	if (v && !json_is_boolean(v)) {
		snprintf(problem, cap, "\"%s\" must be true or false", key);
		return ERR_INVALID;
	}
	*out = json_is_true(v);
	return 0;
}

static int fill(const json_t *o, struct request *r, char *problem, size_t cap)
{
	const json_t *command = json_object_get(o, "command");
	char kind[32];
	size_t i;
	int err;

	if (!json_is_string(command)) {
		snprintf(problem, cap, "a request is an object with a \"command\"");
		return ERR_INVALID;
	}
	for (i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].word, json_string_value(command)) == 0)
			break;
	if (i == ARRAY_LEN(commands)) {
		snprintf(problem, cap, "no command \"%.40s\"", json_string_value(command));
		return ERR_INVALID;
	}
	r->command = commands[i].command;
	err = member(o, "network", r->network, sizeof(r->network), problem, cap);
	if (!err)
		err = member(o, "zone", r->zone, sizeof(r->zone), problem, cap);
	if (!err)
		err = member(o, "kind", kind, sizeof(kind), problem, cap);
	if (err)
		return err;
	err = flag(o, "follow", &r->follow, problem, cap);
	if (!err)
		err = flag(o, "force", &r->force, problem, cap);
	if (!err)
		err = flag(o, "digest", &r->digest, problem, cap);
	if (!err)
		err = flag(o, "one", &r->one, problem, cap);
	if (err)
		return err;
	if (r->command == COMMAND_ZONE_RELOAD && r->force && !r->zone[0]) {
		snprintf(problem, cap, "\"force\" is for one zone: it needs a \"zone\"");
		return ERR_INVALID;
	}
	if (!r->zone[0] && (r->command == COMMAND_ZONE_SHOW || r->command == COMMAND_ZONE_RETRANSFER || r->command == COMMAND_CATALOG_ACCEPT || (r->command == COMMAND_ZONE_STATUS && r->one))) {
		snprintf(problem, cap, "%s needs a \"zone\"", commands[i].word);
		return ERR_INVALID;
	}
	if (r->command == COMMAND_FAULT) {
		r->fault = strcmp(kind, "servfail") == 0;
		if (!r->fault && strcmp(kind, "none") != 0) {
			snprintf(problem, cap, "the \"kind\" of a fault is servfail or none");
			return ERR_INVALID;
		}
	}
	return 0;
}

int request_parse(const char *line, size_t len, struct request *out, char *problem, size_t cap)
{
	struct request r = {0};
	json_error_t why;
	json_t *o = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	int err;

	if (!o) {
		snprintf(problem, cap, "not JSON: %.100s", why.text);
		return ERR_INVALID;
	}
	err = fill(o, &r, problem, cap);
	json_decref(o);
	if (!err)
		*out = r;
	return err;
}
