/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/announced.h"

#include "board/board.h"

#include <stdlib.h>
#include <string.h>

/* Each word that names an attribute is followed by its values, up to the next such word. */
static const struct {
	const char *word, *key;
	enum { ONE_NUMBER, NUMBERS, TEXTS, HOP } kind;
} attributes[] = {
	{"nh", "next_hop", HOP},    {"path", "as_path", NUMBERS},          {"local-pref", "local_pref", ONE_NUMBER},
	{"med", "med", ONE_NUMBER}, {"communities", "communities", TEXTS}, {"large", "large_communities", TEXTS},
	{"otc", "otc", ONE_NUMBER},
};

static void add_value(json_t *route, size_t which, char *word)
{
	const char *key = attributes[which].key;
	char *comma;

	switch (attributes[which].kind) {
	case ONE_NUMBER:
		json_object_set_new(route, key, json_integer(strtoll(word, NULL, 10)));
		break;
	case NUMBERS:
		json_array_append_new(json_object_get(route, key), json_integer(strtoll(word, NULL, 10)));
		break;
	case TEXTS:
		json_array_append_new(json_object_get(route, key), json_string(word));
		break;
	case HOP: /* global,link-local */
		comma = strchr(word, ',');
		if (comma) {
			*comma = '\0';
			json_object_set_new(route, "link_local", json_string(comma + 1));
		}
		json_object_set_new(route, key, json_string(word));
		break;
	}
}

static json_t *route_of(char *line)
{
	json_t *route = json_pack("{s:s}", "text", line);
	size_t now = ARRAY_LEN(attributes);
	char *rest, *word = strtok_r(line, " ", &rest);

	json_object_set_new(route, "prefix", json_string(word ? word : ""));
	while (word && (word = strtok_r(NULL, " ", &rest)) != NULL) {
		size_t i = 0;

		while (i < ARRAY_LEN(attributes) && strcmp(attributes[i].word, word) != 0)
			i++;
		if (i < ARRAY_LEN(attributes)) {
			now = i;
			if (attributes[i].kind == NUMBERS || attributes[i].kind == TEXTS)
				json_object_set_new(route, attributes[i].key, json_array());
		} else if (now < ARRAY_LEN(attributes)) {
			add_value(route, now, word);
		}
	}
	return route;
}

json_t *announced_json(const char *text)
{
	json_t *list = json_array();
	const char *end;

	for (; (end = strchr(text, '\n')) != NULL; text = end + 1) {
		char *line = strndup(text, (size_t)(end - text));

		if (line)
			json_array_append_new(list, route_of(line));
		free(line);
	}
	return list;
}
