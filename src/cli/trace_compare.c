/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/trace.h"

#include <stdio.h>
#include <string.h>

/* Of who said it and how fast nothing is compared, nor of the answer's size, which cookies and the like change. */
static bool is_same(const struct trace_target *a, const struct trace_target *b)
{
	const struct trace_answer *x = &a->answer, *y = &b->answer;

	if (x->rcode != y->rcode || x->aa != y->aa || x->tc != y->tc || a->has_serial != b->has_serial ||
	    (a->has_serial && a->serial != b->serial) || x->record_count != y->record_count ||
	    x->ede_count != y->ede_count)
		return false;
	for (size_t i = 0; i < x->ede_count; i++)
		if (x->ede[i].code != y->ede[i].code)
			return false;
	for (size_t i = 0; i < x->record_count; i++)
		if (x->records[i].section != y->records[i].section ||
		    strcmp(x->records[i].text, y->records[i].text) != 0)
			return false;
	return true;
}

/* At an anycast address any pop of the network may answer, at a management address only the node itself; and nodes tell their names. */
static void know(const struct trace *t, struct trace_target *w)
{
	const char *nsid = w->answer.nsid;
	bool known = false;

	w->stranger[0] = '\0';
	if (!*nsid) {
		snprintf(w->stranger, sizeof(w->stranger), "does not tell its name (NSID), as nodes of the fleet do");
		return;
	}
	for (size_t i = 0; i < t->config->node_count; i++) {
		const struct config_node *n = &t->config->nodes[i];

		if (strcmp(n->name, nsid) != 0)
			continue;
		for (size_t k = 0; !w->node && k < n->network_count; k++)
			known |= &t->config->networks[n->networks[k]] == t->network;
		known |= w->node && strcmp(w->node, nsid) == 0;
	}
	if (known)
		return;
	snprintf(w->stranger, sizeof(w->stranger), "%s",
	         w->node ? "somebody else answers at this node's address" : "no pop of the network has that name");
}

void trace_compare(struct trace *t)
{
	t->reference = SIZE_MAX;
	t->same = t->different = t->strange = t->lost = 0;
	for (size_t i = 0; i < t->count; i++) {
		struct trace_target *w = &t->targets[i];

		w->alike = SIZE_MAX;
		if (!w->answered) {
			t->lost++;
			continue;
		}
		know(t, w);
		for (size_t k = 0; k < i && w->alike == SIZE_MAX; k++)
			if (t->targets[k].alike == k && is_same(&t->targets[k], w))
				w->alike = k;
		if (w->alike == SIZE_MAX)
			w->alike = i;
		if (t->reference == SIZE_MAX)
			t->reference = i;
		if (w->alike != t->reference)
			t->different++;
		else if (*w->stranger)
			t->strange++;
		else
			t->same++;
	}
}
