/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/request.h"

#include "base/err.h"
#include "board/board.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *word;
	enum command command;
} commands[] = {
	{"status", COMMAND_STATUS},       {"reload", COMMAND_RELOAD},       {"drain", COMMAND_DRAIN},
	{"freeze", COMMAND_FREEZE},       {"force", COMMAND_FORCE},         {"resume", COMMAND_RESUME},       {"zone-list", COMMAND_ZONE_LIST}, {"zone-show", COMMAND_ZONE_SHOW},
	{"zone-reload", COMMAND_ZONE_RELOAD}, {"fault", COMMAND_FAULT},    {"queries", COMMAND_QUERIES}, {"events", COMMAND_EVENTS},
	{"catalog-status", COMMAND_CATALOG_STATUS}, {"catalog-accept", COMMAND_CATALOG_ACCEPT},
	{"zone-status", COMMAND_ZONE_STATUS}, {"zone-retransfer", COMMAND_ZONE_RETRANSFER},
	{"zone-history", COMMAND_ZONE_HISTORY}, {"zone-diff", COMMAND_ZONE_DIFF}, {"zone-export", COMMAND_ZONE_EXPORT},
	{"cache-status", COMMAND_CACHE_STATUS}, {"cache-show", COMMAND_CACHE_SHOW}, {"cache-purge", COMMAND_CACHE_PURGE},
	{"zone-rollback", COMMAND_ZONE_ROLLBACK}, {"zone-publish", COMMAND_ZONE_PUBLISH},
};

const char *request_change_text(enum command command)
{
	static const enum command changes[] = {COMMAND_RELOAD, COMMAND_DRAIN, COMMAND_RESUME, COMMAND_FREEZE, COMMAND_FORCE, COMMAND_ZONE_RELOAD,
	                                       COMMAND_ZONE_RETRANSFER, COMMAND_ZONE_ROLLBACK, COMMAND_ZONE_PUBLISH, COMMAND_CATALOG_ACCEPT,
	                                       COMMAND_CACHE_PURGE, COMMAND_FAULT};
	bool is_change = false;

	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		is_change = is_change || changes[i] == command;
	for (size_t i = 0; is_change && i < ARRAY_LEN(commands); i++)
		if (commands[i].command == command)
			return commands[i].word;
	return NULL;
}

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

/* "serials", an optional list of up to two. */
static int serials(const json_t *o, struct request *r, char *problem, size_t cap)
{
	const json_t *list = json_object_get(o, "serials"), *v;
	size_t i;

	if (list && (!json_is_array(list) || json_array_size(list) > ARRAY_LEN(r->serial))) {
		snprintf(problem, cap, "\"serials\" must be a list of at most %zu numbers", ARRAY_LEN(r->serial));
		return ERR_INVALID;
	}
	json_array_foreach(list, i, v) {
		if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > UINT32_MAX) {
			snprintf(problem, cap, "a serial is a number of 32 bits");
			return ERR_INVALID;
		}
		r->serial[r->serials++] = (uint32_t)json_integer_value(v);
	}
	return 0;
}

/* "withdraw", an optional list of names of networks: into lines. */
static int withdraw(const json_t *o, struct request *r, char *problem, size_t cap)
{
	const json_t *list = json_object_get(o, "withdraw"), *v;
	size_t i, at = 0;

	if (list && !json_is_array(list)) {
		snprintf(problem, cap, "\"withdraw\" must be a list of networks");
		return ERR_INVALID;
	}
	json_array_foreach(list, i, v) {
		const char *name = json_string_value(v);
		size_t len = name ? strlen(name) : 0;

		if (!len || len != json_string_length(v) || strchr(name, '\n') || len + 2 > sizeof(r->withdraw) - at) {
			snprintf(problem, cap, "\"withdraw\" must be a list of networks of at most %zu octets", sizeof(r->withdraw) - 2);
			return ERR_INVALID;
		}
		memcpy(r->withdraw + at, name, len);
		at += len;
		r->withdraw[at++] = '\n';
		r->withdraw[at] = '\0';
	}
	return 0;
}

static int fault(const json_t *o, const char *kind, struct request *r, char *problem, size_t cap)
{
	static const char *const words[FAULT_COUNT] = {[FAULT_NONE] = "none", [FAULT_SERVFAIL] = "servfail", [FAULT_WRONG] = "wrong"};
	const json_t *worker = json_object_get(o, "worker");

	while (r->fault < FAULT_COUNT && strcmp(words[r->fault], kind) != 0)
		r->fault++;
	if (r->fault == FAULT_COUNT) {
		snprintf(problem, cap, "the \"kind\" of a fault is servfail, wrong or none");
		return ERR_INVALID;
	}
	if (worker && (!json_is_integer(worker) || json_integer_value(worker) < 0 || json_integer_value(worker) >= BOARD_WORKERS_MAX)) {
		snprintf(problem, cap, "the \"worker\" of a fault is its number");
		return ERR_INVALID;
	}
	r->fault_worker = worker ? (uint32_t)json_integer_value(worker) : UINT32_MAX;
	return 0;
}

/* What the command cannot do without. */
static bool lacks(const struct request *r)
{
	switch (r->command) {
	case COMMAND_ZONE_SHOW:
	case COMMAND_ZONE_RETRANSFER:
	case COMMAND_CATALOG_ACCEPT:
	case COMMAND_ZONE_HISTORY:
	case COMMAND_ZONE_EXPORT:
	case COMMAND_ZONE_PUBLISH:
		return !r->zone[0];
	case COMMAND_ZONE_DIFF:
	case COMMAND_ZONE_ROLLBACK:
		return !r->zone[0] || !r->serials;
	case COMMAND_ZONE_STATUS:
		return r->one && !r->zone[0];
	default:
		return false;
	}
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
		err = member(o, "name", r->name, sizeof(r->name), problem, cap);
	if (!err)
		err = member(o, "kind", kind, sizeof(kind), problem, cap);
	if (!err)
		err = member(o, "neighbor", r->neighbor, sizeof(r->neighbor), problem, cap);
	if (!err)
		err = withdraw(o, r, problem, cap);
	if (err)
		return err;
	err = flag(o, "follow", &r->follow, problem, cap);
	if (!err)
		err = flag(o, "force", &r->force, problem, cap);
	if (!err)
		err = flag(o, "digest", &r->digest, problem, cap);
	if (!err)
		err = flag(o, "one", &r->one, problem, cap);
	if (!err)
		err = flag(o, "subtree", &r->subtree, problem, cap);
	if (!err)
		err = flag(o, "backstop", &r->backstop, problem, cap);
	if (!err)
		err = flag(o, "accept-older", &r->accept_older, problem, cap);
	if (!err)
		err = serials(o, r, problem, cap);
	if (err)
		return err;
	/* A variable of a script that is not set must not take the whole node out. */
	if ((json_object_get(o, "network") && !r->network[0]) || (json_object_get(o, "neighbor") && !r->neighbor[0])) {
		snprintf(problem, cap, "a \"network\" or \"neighbor\" has a name: all are meant where there is none");
		return ERR_INVALID;
	}
	if (r->command == COMMAND_ZONE_RELOAD && r->force && !r->zone[0]) {
		snprintf(problem, cap, "\"force\" is for one zone: it needs a \"zone\"");
		return ERR_INVALID;
	}
	if (r->command == COMMAND_FORCE && !r->network[0]) {
		snprintf(problem, cap, "force is for one network: it needs a \"network\"");
		return ERR_INVALID;
	}
	if (r->neighbor[0] && (r->network[0] || r->backstop || (r->command != COMMAND_DRAIN && r->command != COMMAND_RESUME))) {
		snprintf(problem, cap, "a \"neighbor\" is drained or resumed, by itself");
		return ERR_INVALID;
	}
	if ((r->command == COMMAND_CACHE_SHOW || r->command == COMMAND_CACHE_PURGE) && !r->name[0]) {
		snprintf(problem, cap, "%s needs a \"name\"", commands[i].word);
		return ERR_INVALID;
	}
	if (lacks(r)) {
		snprintf(problem, cap, "%s needs a \"zone\"%s", commands[i].word,
		         r->command == COMMAND_ZONE_DIFF || r->command == COMMAND_ZONE_ROLLBACK ? " and \"serials\"" : "");
		return ERR_INVALID;
	}
	if (r->command == COMMAND_FAULT) {
		return fault(o, kind, r, problem, cap);
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
