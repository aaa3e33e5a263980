/* SPDX-License-Identifier: BSD-2-Clause */
/* A large file that is not in memory is read past the page cache, and says the same as when it is. */
#include "base/diag.h"
#include "zone/content.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINES = 300000 };

static const uint8_t apex[] = "\x07" "example";
static char path[64];

static bool is_cached(int fd, off_t at)
{
	char octet;
	struct iovec to = {.iov_base = &octet, .iov_len = 1};

	return preadv2(fd, &to, 1, at, RWF_NOWAIT) >= 0 || errno != EAGAIN;
}

static struct content *load(unsigned warnings)
{
	struct zone_load_options o = {.threads = 1};
	struct content *c = NULL;
	struct diag d;

	diag_init(&d);
	assert_int_equal(zone_load_file(path, apex, &o, &d, &c), 0);
	assert_int_equal(d.warnings, warnings);
	diag_done(&d);
	return c;
}

static void same(const struct content *a, const struct content *b)
{
	assert_int_equal(content_rrset_count(a), content_rrset_count(b));
	assert_int_equal(content_record_count(a), content_record_count(b));
	for (size_t i = 0; i < content_rrset_count(a); i++) {
		const struct content_rrset *x = content_rrset(a, i), *y = content_rrset(b, i);

		assert_true(name_equal(x->owner, y->owner) && x->type == y->type && x->count == y->count && x->ttl == y->ttl);
		for (uint32_t k = 0; k < x->count; k++) {
			assert_int_equal(x->records[k].line, y->records[k].line);
			assert_int_equal(x->records[k].rdlen, y->records[k].rdlen);
			assert_memory_equal(x->records[k].rdata, y->records[k].rdata, x->records[k].rdlen);
		}
	}
}

static void test_same(void **state)
{
	char block[65536];
	struct content *cold, *warm;
	off_t size, at = 0;
	int fd;
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "./load-direct-%d.zone", (int)getpid());
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "$TTL 600\n@ SOA a a 1 1 1 1 1\n@ NS n.test.\n");
	for (unsigned i = 0; i < LINES; i++)
		fprintf(f, "h%06u%.*s A 192.0.%u.%u\n", i, (int)(i % 23), "aaaaaaaaaaaaaaaaaaaaaaaa", i / 256 % 256, i % 256);
	fprintf(f, "last.elsewhere. A 192.0.2.1\n");
	fflush(f);
	assert_int_equal(fsync(fileno(f)), 0);
	fclose(f);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	size = lseek(fd, 0, SEEK_END);
	assert_true(size > 9 << 20);
	assert_int_equal(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	cold = load(1);
	print_message("read past the page cache: %s\n", is_cached(fd, size / 4) ? "no" : "yes");
	while (at < size) {
		ssize_t n = pread(fd, block, sizeof(block), at);

		assert_true(n > 0);
		at += n;
	}
	warm = load(1);
	same(cold, warm);
	content_free(cold);
	content_free(warm);
	close(fd);
	unlink(path);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_same)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
