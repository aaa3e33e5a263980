/* SPDX-License-Identifier: BSD-2-Clause */
/* Problems and JSON on the terminal. */
#include "cli/cli.h"

#include <stdio.h>

enum { CLI_PROBLEM_MAX = 2048 };

void cli_diag_print(FILE *to, const struct diag *d)
{
	char line[CLI_PROBLEM_MAX];

	for (const struct diag_entry *e = d->first; e; e = e->next)
		fprintf(to, "%s\n", diag_entry_text(e, line, sizeof(line)));
	if (d->dropped)
		fprintf(to, "... and %u more\n", d->dropped);
}

json_t *cli_diag_json(const struct diag *d)
{
	json_t *problems = json_array();

	for (const struct diag_entry *e = d->first; e; e = e->next) {
		json_t *o = json_pack("{ss ss}", "severity", e->severity == DIAG_ERROR ? "error" : "warning", "text",
		                      e->text);

		if (e->file)
			json_object_set_new(o, "file", json_string(e->file));
		if (e->file && e->line)
			json_object_set_new(o, "line", json_integer(e->line));
		if (e->file && e->column)
			json_object_set_new(o, "column", json_integer(e->column));
		json_array_append_new(problems, o);
	}
	return json_pack("{si si so}", "errors", (int)d->errors, "warnings", (int)d->warnings, "problems", problems);
}

int cli_json_print(json_t *value)
{
	int rc = value ? json_dumpf(value, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : -1;

	json_decref(value);
	if (rc == 0 && putchar('\n') != EOF && fflush(stdout) == 0)
		return CLI_OK;
	cli_error("cannot write to standard output");
	return CLI_FAILED;
}
