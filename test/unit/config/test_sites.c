/* SPDX-License-Identifier: BSD-2-Clause */
/* Marks of nodes: one each, kept when others come and go, shared only when there are more pops than marks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

static void fill(struct config *c, size_t count, size_t skip)
{
	static struct config_node nodes[100];
	static char names[100][16];

	memset(nodes, 0, sizeof(nodes));
	c->nodes = nodes;
	c->node_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (i == skip)
			continue;
		snprintf(names[i], sizeof(names[i]), "pop%zu", i);
		nodes[c->node_count++] =
			(struct config_node){.name = names[i], .role = i ? CONFIG_POP : CONFIG_PRIMARY};
	}
}

static void test_marks(void **state)
{
	uint8_t marks[100], fewer[100];
	unsigned kept = 0, seen[64] = {0};
	struct config c = {0};

	(void)state;
	fill(&c, 64, SIZE_MAX); /* a primary and 63 pops */
	config_site_marks(&c, marks);
	assert_int_equal(marks[0], 0);
	for (size_t i = 1; i < 64; i++) {
		assert_in_range(marks[i], 1, CONFIG_SITE_MARKS);
		assert_int_equal(seen[marks[i]]++, 0);
	}
	fill(&c, 100, SIZE_MAX);
	config_site_marks(&c, marks);
	for (size_t i = 1; i < 100; i++)
		assert_in_range(marks[i], 1, CONFIG_SITE_MARKS);
	/* Of ten, one goes: nearly all of the others are what they were. */
	fill(&c, 11, SIZE_MAX);
	config_site_marks(&c, marks);
	fill(&c, 11, 5);
	config_site_marks(&c, fewer);
	for (size_t i = 1; i < 11; i++)
		kept += i != 5 && fewer[i > 5 ? i - 1 : i] == marks[i];
	assert_in_range(kept, 8, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_marks)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
