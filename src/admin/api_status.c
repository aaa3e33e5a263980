/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/api.h"

#include "admin/status.h"

#include <stdlib.h>

/* As `zonecast status --json`. */
unsigned api_status(struct http_request *r, struct text *out)
{
	const struct admin_view *v = r->view;
	struct status_facts f = {.board = v->board, .config = v->config, .node = v->node, .node_name = v->node_name, .now_ns = v->now_ns};
	json_t *o = status_json(&f);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text)
		return http_problem(out, 503, "no memory");
	text_str(out, text);
	text_char(out, '\n');
	free(text);
	return 200;
}
