/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as fleet file: either problems are reported, or the configuration prints to text that reads back to the same. The list of zones read
 * without libyaml makes the same tree. */
#include "config/config.h"

#include "base/text.h"
#include "config/tree.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same_tree(const struct tree *a, const struct tree *b)
{
	for (; a && b; a = a->next, b = b->next) {
		if (a->kind != b->kind || a->quoted != b->quoted || a->len != b->len || a->line != b->line || a->column != b->column)
			abort();
		if (a->kind != TREE_SCALAR)
			same_tree(a->first, b->first);
		else if (strcmp(a->text, b->text) != 0)
			abort();
	}
	if (a != b)
		abort();
}

static void two_readings(const uint8_t *data, size_t size)
{
	struct tree *trees[2] = {NULL, NULL};
	struct arena arenas[2];
	int rc[2];

	for (int plain = 0; plain < 2; plain++) {
		struct diag d;
		struct tree_source src = {.path = "f", .bytes = (const char *)data, .len = size, .diag = &d, .plain = plain};

		diag_init(&d);
		arena_init(&arenas[plain], 0);
		rc[plain] = tree_parse(&src, &arenas[plain], &trees[plain]);
		diag_done(&d);
	}
	if (rc[0] != rc[1])
		abort();
	if (rc[0] == 0)
		same_tree(trees[0], trees[1]);
	arena_done(&arenas[0]);
	arena_done(&arenas[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c = NULL, *again = NULL;
	struct text once, twice;
	struct diag d;

	two_readings(data, size);
	diag_init(&d);
	int rc = config_parse("/x/fuzz.yaml", (const char *)data, size, &d, &c);

	if ((rc == 0) != (c != NULL) || (rc < 0 && d.errors == 0))
		abort();
	if (rc == 0) {
		text_init(&once);
		text_init(&twice);
		config_print(c, &once);
		if (config_parse("/x/fuzz.yaml", once.chars, once.len, &d, &again) != 0)
			abort();
		config_print(again, &twice);
		if (strcmp(once.chars, twice.chars) != 0)
			abort();
		text_done(&once);
		text_done(&twice);
	}
	config_free(c);
	config_free(again);
	diag_done(&d);
	return 0;
}
