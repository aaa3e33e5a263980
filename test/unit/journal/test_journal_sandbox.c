/* SPDX-License-Identifier: BSD-2-Clause */
/* All that the journal does works under the filter of system calls of the sync role. */
#include "journal_kit.h"

#include "proc/role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct kit_zone zone = {.seed = 9, .names = 300, .calm = 4, .text = 1000};

static int failed(const char *what, const struct text *why)
{
	fprintf(stderr, "%s: %s\n", what, why->chars);
	return 1;
}

static int live(const char *folder)
{
	static struct role role = {.brief.kind = ROLE_SYNC};
	const struct journal_options o = {.map_step = 1 << 16};
	const struct journal_keep keep = {.differences_max = 4, .octets_max = 1 << 20};
	struct journal *j;
	struct statvfs st;
	struct text why;

	text_init(&why);
	if (role_sandbox(&role) < 0)
		return failed("sandbox", &why);
	for (unsigned life = 0; life < 3; life++) {
		struct content *c = kit_content(&zone, 1);

		if (journal_open(folder, &o, &why, &j) != 0)
			return failed("open", &why);
		if (kit_put_whole(j, c, &why) != 0)
			return failed("whole", &why);
		content_free(c);
		for (uint32_t serial = 1; serial < 20; serial++) {
			struct journal_change *change = kit_change(&zone, serial, serial + 1);

			if (kit_put_change(j, change, &keep, &why) != 0)
				return failed("change", &why);
			kit_change_free(change);
		}
		if (kit_verify(j, &zone, &why) < 1)
			return failed("verify", &why);
		journal_close(j);
		if (life == 1 && journal_set_aside(folder) != 0)
			return failed("set aside", &why);
	}
	/* How the journal tells a full disk from a bad one. */
	if (statvfs(folder, &st) != 0)
		return failed("statvfs", &why);
	text_done(&why);
	return 0;
}

static void test_in_the_sandbox(void **state)
{
	char *folder = kit_folder();
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (!child)
		_exit(live(folder));
	assert_int_equal(waitpid(child, &status, 0), child);
	kit_folder_free(folder);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_in_the_sandbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
