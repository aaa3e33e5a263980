/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies of any length (admin/control.h): a line of JSON that says whether there is one, then lines, the last of them "; end". */
#include "cli/cli.h"

#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { STREAM_TIMEOUT_MS = 60000, STREAM_LINE_MAX = 1 << 20, FOLLOW_TIMEOUT_MS = 10000, FOLLOW_LINE_MAX = 1 << 16 };

static int read_lines(int fd, struct text *rest, cli_line_fn *fn, void *ctx)
{
	struct text line;
	bool complete = false;
	int err;

	text_init(&line);
	while ((err = cli_control_line(fd, rest, STREAM_TIMEOUT_MS, STREAM_LINE_MAX, &line)) == 0) {
		complete = strcmp(line.chars, "; end") == 0;
		if (complete)
			break;
		if (line.chars[0] == ';') {
			cli_error("%s", line.chars + 1 + strspn(line.chars + 1, " "));
			continue;
		}
		err = fn(ctx, line.chars);
		if (err < 0)
			break;
	}
	text_done(&line);
	if (err < 0)
		cli_error("the answer was not read to its end: %s", err_text(err));
	return err;
}

int cli_control_stream(const struct cli_common *o, json_t *request, cli_head_fn *head_fn, cli_line_fn *fn, void *ctx)
{
	struct text rest;
	json_t *head = NULL;
	int fd, err;

	text_init(&rest);
	err = cli_control_ask(o, request, STREAM_TIMEOUT_MS, &fd, &rest, &head);
	if (!err) {
		if (head_fn)
			err = head_fn(ctx, head);
		if (!err)
			err = read_lines(fd, &rest, fn, ctx);
		json_decref(head);
		close(fd);
	}
	text_done(&rest);
	return err;
}

/* The first line. False: there is no more to read. */
static bool take_head(json_t *o, cli_entry_fn *fn, void *ctx, int *code)
{
	const char *error = json_string_value(json_object_get(o, "error"));

	if (json_is_true(json_object_get(o, "ok")))
		return !fn || fn(ctx, o);
	cli_error("%s", error ? error : "the node's reply is not understood");
	*code = CLI_FAILED;
	return false;
}

int cli_control_follow(int fd, bool follow, cli_entry_fn *head_or_null, cli_entry_fn *fn, void *ctx)
{
	bool first = true, more = true;
	int err = 0, code = CLI_OK;
	struct text rest, line;

	text_init(&rest);
	text_init(&line);
	while (more) {
		json_t *o;

		err = cli_control_line(fd, &rest, FOLLOW_TIMEOUT_MS, FOLLOW_LINE_MAX, &line);
		/* However long nothing happens, whoever follows waits. */
		if (err == -ETIMEDOUT && follow && !first)
			continue;
		if (err < 0)
			break;
		o = json_loadb(line.chars, line.len, 0, NULL);
		if (first)
			more = take_head(o, head_or_null, ctx, &code);
		else if (o)
			more = fn(ctx, o);
		first = false;
		json_decref(o);
		if (follow && fflush(stdout) != 0)
			more = false;
	}
	text_done(&rest);
	text_done(&line);
	/* What is there has an end; what comes ends with the node's admin process. */
	if (code == CLI_OK && err < 0 && (err != ERR_CLOSED || first || follow)) {
		cli_error("reading the node's reply: %s", err_text(err));
		code = CLI_FAILED;
	}
	return code;
}
