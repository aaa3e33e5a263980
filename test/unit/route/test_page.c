/* SPDX-License-Identifier: BSD-2-Clause */
/* Every state of the decision has its page in doc/howto, with what to do and how to go back, and the index has them all. */
#include "route/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { PAGE_OCTETS = 64 << 10 };

static char *read_page(const char *name)
{
	char path[500], *text = malloc(PAGE_OCTETS);
	FILE *f;

	snprintf(path, sizeof(path), "%s/doc/howto/%s.md", SOURCE_ROOT, name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s is not there", path);
	text[fread(text, 1, PAGE_OCTETS - 1, f)] = '\0';
	fclose(f);
	return text;
}

static void each_has_one(void **state)
{
	/* Those of causes and of other parts of the status are named by src/cli/cmd_status.c and status_views.c. */
	static const char *const others[] = {"stale", "near-expiry", "zones-missing", "overload", "backstop-only", "route-gone", "generation-refused",
	                                     "reload-refused", "neighbor-down", "neighbor-drained", "outside-in"};
	char *index = read_page("README");

	(void)state;
	for (int i = 0; i <= DECIDE_SHEDDING + (int)ARRAY_LEN(others); i++) {
		const char *name = i <= DECIDE_SHEDDING ? page_of((enum decide_reason)i) : others[i - DECIDE_SHEDDING - 1];
		char link[100], *text = read_page(name);

		snprintf(link, sizeof(link), "(%s.md)", name);
		assert_true(strlen(name) < BOARD_PAGE_MAX);
		if (!strstr(index, link))
			fail_msg("%s is not in the index", name);
		if (!strstr(text, "**What it means.**") || !strstr(text, "## What to do\n") || !strstr(text, "## How to go back\n"))
			fail_msg("%s lacks a part", name);
		free(text);
	}
	free(index);
}

/* Links between pages lead somewhere. */
static void links_lead_somewhere(void **state)
{
	char *index = read_page("README");

	(void)state;
	for (char *at = strstr(index, ".md)"); at; at = strstr(at + 1, ".md)")) {
		char name[100], *page, *from = at;

		while (from[-1] != '(')
			from--;
		snprintf(name, sizeof(name), "%.*s", (int)(at - from), from);
		page = read_page(name);
		for (char *to = strstr(page, "](") ? strstr(page, "](") : NULL; to; to = strstr(to + 1, "](")) {
			char target[100];
			size_t len = strcspn(to + 2, ")");

			snprintf(target, sizeof(target), "%.*s", (int)(len > 3 ? len - 3 : len), to + 2);
			free(read_page(target));
		}
		free(page);
	}
	free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_has_one), cmocka_unit_test(links_lead_somewhere)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
