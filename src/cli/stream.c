/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies of any length (admin/control.h): a line of JSON that says whether there is one, then lines, the last of them "; end". */
#include "cli/cli.h"

#include "base/err.h"

#include <string.h>
#include <unistd.h>

enum { STREAM_TIMEOUT_MS = 60000, STREAM_LINE_MAX = 1 << 20 };

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
