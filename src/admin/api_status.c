/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/api.h"

#include "admin/api_write.h"

#include <stdlib.h>

struct status_facts api_facts(const struct admin_view *v)
{
	return (struct status_facts){.board = v->board, .config = v->config, .node = v->node, .node_name = v->node_name, .now_ns = v->now_ns, .cache = v->cache};
}

unsigned api_put(struct text *out, json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text)
		return http_problem(out, 503, "no memory");
	text_str(out, text);
	text_char(out, '\n');
	free(text);
	return 200;
}

/* As `zonecast status --json`. */
unsigned api_status(struct http_request *r, struct text *out)
{
	struct status_facts f = api_facts(r->view);

	return api_put(out, status_json(&f));
}

unsigned api_networks(struct http_request *r, struct text *out)
{
	struct status_facts f = api_facts(r->view);

	return api_put(out, json_pack("{s:o}", "networks", status_networks(&f)));
}
