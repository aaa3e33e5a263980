/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

/* Walks the events up to the value of the top-level key. */
static int peek(yaml_parser_t *parser, const char *key, const char *fallback, char *buf, size_t cap)
{
	int depth = 0, rc = 0;
	bool is_key = true, wanted = false;

	for (;;) {
		yaml_event_t e;

		if (!yaml_parser_parse(parser, &e))
			return ERR_NOT_FOUND;
		switch (e.type) {
		case YAML_MAPPING_START_EVENT:
		case YAML_SEQUENCE_START_EVENT:
			depth++;
			wanted = false;
			break;
		case YAML_MAPPING_END_EVENT:
		case YAML_SEQUENCE_END_EVENT:
			depth--;
			is_key = is_key || depth == 1;
			break;
		case YAML_SCALAR_EVENT:
			if (depth != 1)
				break;
			if (wanted) {
				size_t len = e.data.scalar.length;

				rc = len > 0 && len < cap && e.data.scalar.value[0] == '/' ? 1 : ERR_NOT_FOUND;
				if (rc == 1)
					memcpy(buf, e.data.scalar.value, len + 1);
			}
			wanted = is_key && strcmp((const char *)e.data.scalar.value, key) == 0;
			is_key = !is_key;
			break;
		case YAML_STREAM_END_EVENT:
			rc = 1;
			snprintf(buf, cap, "%s", fallback);
			break;
		default:
			break;
		}
		yaml_event_delete(&e);
		if (rc != 0)
			return rc > 0 ? 0 : rc;
	}
}

static int peek_file(const char *path, const char *key, const char *fallback, char *buf, size_t cap)
{
	FILE *f = fopen(path, "re");
	yaml_parser_t parser;
	int rc;

	if (!f)
		return -errno;
	if (!yaml_parser_initialize(&parser)) {
		fclose(f);
		return ERR_NO_MEMORY;
	}
	yaml_parser_set_input_file(&parser, f);
	rc = peek(&parser, key, fallback, buf, cap);
	yaml_parser_delete(&parser);
	fclose(f);
	return rc;
}

int config_peek_run_dir(const char *path, char *buf, size_t cap)
{
	return peek_file(path, "run-dir", CONFIG_RUN_DIR_DEFAULT, buf, cap);
}

int config_peek_state_dir(const char *path, char *buf, size_t cap)
{
	return peek_file(path, "state-dir", CONFIG_STATE_DIR_DEFAULT, buf, cap);
}
