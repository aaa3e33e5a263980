/* SPDX-License-Identifier: BSD-2-Clause */
/* A zone's files are the same only if nothing about any of them has changed. */
#include "base/err.h"
#include "sync/source.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { CAP = 512 };

static const uint8_t apex[] = "\x07" "example";
static char folder[] = "/tmp/zonecast-source-XXXXXX", paths[4][64];

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int set_up(void **state)
{
	static const char *const names[] = {"a.zone", "b.inc", "c.inc", "other.zone"};

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", folder, names[i]);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		unlink(paths[i]);
	return rmdir(folder);
}

static void make(char *text, size_t cap)
{
	struct content *c = NULL;
	struct stat st;
	struct diag d;

	write_file(paths[0], "$TTL 60\n@ SOA a a 1 1 1 1 1\n@ NS n.test.\n$INCLUDE b.inc\n$INCLUDE c.inc\n");
	write_file(paths[1], "b A 192.0.2.1\n");
	write_file(paths[2], "c A 192.0.2.1\n");
	diag_init(&d);
	assert_int_equal(stat(paths[0], &st), 0);
	source_begin(&st, paths[0], text, cap);
	assert_int_equal(zone_load_file(paths[0], apex, NULL, &d, &c), 0);
	source_add_includes(c, paths[0], text, cap);
	content_free(c);
	diag_done(&d);
}

static void test_changes(void **state)
{
	static const struct timespec times[2] = {{.tv_sec = 1, .tv_nsec = 2}, {.tv_sec = 1, .tv_nsec = 3}};
	char text[CAP];

	(void)state;
	make(text, sizeof(text));
	assert_non_null(strstr(text, paths[1]));
	assert_non_null(strstr(text, paths[2]));
	assert_true(source_unchanged(text, strlen(text), paths[0]));
	/* Another file with the same contents, under another name or the same. */
	assert_int_equal(link(paths[0], paths[3]), 0);
	assert_false(source_unchanged(text, strlen(text), paths[3]));
	for (size_t i = 0; i < 3; i++) {
		/* Length, time, being there, inode. */
		for (int how = 0; how < 4; how++) {
			char was[1000];
			FILE *f;
			size_t n;

			make(text, sizeof(text));
			assert_true(source_unchanged(text, strlen(text), paths[0]));
			f = fopen(paths[i], "r");
			assert_non_null(f);
			n = fread(was, 1, sizeof(was) - 2, f);
			fclose(f);
			was[n] = '\0';
			if (how == 0) {
				strcat(was, "\n");
				write_file(paths[i], was);
			} else if (how == 1) {
				assert_int_equal(utimensat(AT_FDCWD, paths[i], times, 0), 0);
			} else if (how == 2) {
				unlink(paths[i]);
			} else {
				struct timespec kept[2];
				struct stat st;

				assert_int_equal(stat(paths[i], &st), 0);
				kept[0] = kept[1] = st.st_mtim;
				unlink(paths[3]);
				write_file(paths[3], was);
				assert_int_equal(utimensat(AT_FDCWD, paths[3], kept, 0), 0);
				assert_int_equal(rename(paths[3], paths[i]), 0);
			}
			assert_false(source_unchanged(text, strlen(text), paths[0]));
		}
	}
}

/* What does not fit, is cut off or damaged matches nothing. */
static void test_text(void **state)
{
	char text[CAP], small[CAP];
	size_t len, fits = 0, whole = 0;

	(void)state;
	make(text, sizeof(text));
	len = strlen(text);
	for (size_t cap = 1; cap <= len + 1; cap++) {
		make(small, cap);
		if (small[0]) {
			assert_int_equal(cap, len + 1);
			assert_true(source_unchanged(small, strlen(small), paths[0]));
			fits++;
		}
	}
	assert_int_equal(fits, 1);
	make(text, sizeof(text));
	/* Cut off between two files it is a shorter text, and a true one. */
	for (size_t n = 0; n < len; n++)
		whole += source_unchanged(text, n, paths[0]);
	assert_int_equal(whole, 2);
	for (size_t i = 0; i < len; i++) {
		memcpy(small, text, len);
		small[i] ^= 1;
		assert_false(source_unchanged(small, len, paths[0]));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_changes), cmocka_unit_test(test_text)};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
