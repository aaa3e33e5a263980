/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of web servers, each given whole, octet by octet, and in every split into two: the verdict must be the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/err.h"
#include "health/http.h"

struct row {
	const char *name, *answer;
	uint16_t status;
	const char *contains;
	enum http_step want; /* after all of it and its end */
	const char *why;     /* begins so */
};

static const struct row rows[] = {
	{"any good status", "HTTP/1.1 200 OK\r\n\r\n", .want = HTTP_GOOD},
	{"HTTP/1.0", "HTTP/1.0 204 No Content\r\nServer: x\r\n\r\n", .want = HTTP_GOOD},
	{"without a reason", "HTTP/1.1 200\r\n\r\n", .want = HTTP_GOOD},
	{"lines without CR", "HTTP/1.1 200 OK\nA: b\n\n", .want = HTTP_GOOD},
	{"a redirect is what it is", "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", .want = HTTP_GOOD},
	{"the status that is wanted", "HTTP/1.1 503 No\r\n\r\n", .status = 503, .want = HTTP_GOOD},
	{"another status", "HTTP/1.1 301 Moved\r\n\r\n", .status = 200, .want = HTTP_BAD,
         .why = "status 301, wanted 200"},
	{"an error", "HTTP/1.1 500 Oh\r\n\r\n", .want = HTTP_BAD, .why = "status 500, wanted 200 to 399"},
	{"400 is one", "HTTP/1.1 400 Oh\r\n\r\n", .want = HTTP_BAD, .why = "status 400"},
	{"399 is none", "HTTP/1.1 399 Oh\r\n\r\n", .want = HTTP_GOOD},
	{"after an interim one", "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", .want = HTTP_GOOD},
	{"after an interim one an error", "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 500 Oh\r\n\r\n", .want = HTTP_BAD,
         .why = "status 500"},
	{"only an interim one", "HTTP/1.1 100 Go\r\n\r\n", .want = HTTP_BAD, .why = "connection closed without"},
	{"nothing", "", .want = HTTP_BAD, .why = "connection closed without"},
	{"half a head", "HTTP/1.1 200 OK\r\nServer: x", .want = HTTP_BAD, .why = "connection closed within"},
	{"SSH", "SSH-2.0-OpenSSH_9\r\n", .want = HTTP_BAD, .why = "answered something that is not HTTP"},
	{"HTTP/2", "HTTP/2 200\r\n", .want = HTTP_BAD, .why = "answered in HTTP/2"},
	{"no number", "HTTP/1.1 2x0 OK\r\n", .want = HTTP_BAD, .why = "answered something that is not HTTP"},
	{"too long a number", "HTTP/1.1 2000 OK\r\n", .want = HTTP_BAD, .why = "answered something that is not HTTP"},
	{"too small a number", "HTTP/1.1 099 OK\r\n", .want = HTTP_BAD, .why = "answered something that is not HTTP"},
	{"a text", "HTTP/1.1 200 OK\r\n\r\nall is well here", .contains = "well", .want = HTTP_GOOD},
	{"a text at the end", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell", .contains = "well",
         .want = HTTP_GOOD},
	{"behind the length", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nwell", .contains = "well", .want = HTTP_BAD,
         .why = "status 200, but the text"},
	{"not in the head", "HTTP/1.1 200 well\r\nA: well\r\n\r\nbad", .contains = "well", .want = HTTP_BAD,
         .why = "status 200, but the text"},
	{"it begins twice", "HTTP/1.1 200 OK\r\n\r\nwewewell", .contains = "wewell", .want = HTTP_GOOD},
	{"one octet", "HTTP/1.1 200 OK\r\n\r\nabc", .contains = "c", .want = HTTP_GOOD},
	{"in a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwell\r\n0\r\n\r\n",
         .contains = "well", .want = HTTP_GOOD},
	{"over chunks", "HTTP/1.1 200 OK\r\ntransfer-encoding:Chunked\r\n\r\n2;x=y\r\nwe\r\n2 \r\nll\r\n0\r\n\r\n",
         .contains = "well", .want = HTTP_GOOD},
	{"not in the sizes", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
         .contains = "1", .want = HTTP_BAD, .why = "status 200, but"},
	{"chunks that end early", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", .contains = "well",
         .want = HTTP_BAD, .why = "connection closed within"},
	{"a chunk without size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nwell\r\n", .contains = "well",
         .want = HTTP_BAD, .why = "answer malformed: the size"},
	{"a chunk that is longer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
         .contains = "abc", .want = HTTP_BAD, .why = "answer malformed: a chunk"},
	{"an absurd chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
         .contains = "x", .want = HTTP_BAD, .why = "answer malformed: the size"},
	{"packed", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .contains = "x", .want = HTTP_BAD,
         .why = "answered in an encoding"},
	{"an absurd length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", .contains = "x", .want = HTTP_BAD,
         .why = "answer malformed: its length"},
	{"no body by its status", "HTTP/1.1 204 OK\r\n\r\nwell", .contains = "well", .want = HTTP_BAD,
         .why = "status 204, but"},
	{"an empty body", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", .contains = "x", .want = HTTP_BAD,
         .why = "status 200, but"},
};

static enum http_step run(const struct row *row, size_t first, size_t piece, char *why)
{
	static struct http_reading r;
	const struct http_wanted wanted = {.status = row->status, .contains = row->contains};
	enum http_step step = HTTP_MORE;
	size_t len = strlen(row->answer), at = 0;

	http_begin(&r, &wanted);
	while (at < len && step == HTTP_MORE) {
		size_t n = MIN(at ? piece : first, len - at);

		step = http_take(&r, (const uint8_t *)row->answer + at, n, why);
		at += n;
	}
	return step == HTTP_MORE ? http_end(&r, why) : step;
}

static void test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].answer);

		for (size_t split = 0; split <= len + 1; split++) {
			char why[PROBE_WHY_MAX] = "";
			/* The last two: octet by octet, and whole. */
			enum http_step got = split == len       ? run(&rows[i], 1, 1, why)
			                     : split == len + 1 ? run(&rows[i], len, len, why)
			                                        : run(&rows[i], MAX(split, (size_t)1), len, why);

			if (got != rows[i].want || (rows[i].why && strncmp(why, rows[i].why, strlen(rows[i].why)) != 0))
				fail_msg("%s, split %zu: %d \"%s\"", rows[i].name, split, got, why);
		}
	}
}

static void test_limits(void **state)
{
	static struct http_reading r;
	static uint8_t junk[HTTP_BODY_MAX + 100];
	const struct http_wanted wanted = {.contains = "well"};
	const char head[] = "HTTP/1.1 200 OK\r\n\r\n";
	char why[PROBE_WHY_MAX];

	(void)state;
	memset(junk, 'a', sizeof(junk));
	http_begin(&r, &wanted);
	assert_int_equal(http_take(&r, junk, sizeof(junk), why), HTTP_BAD);
	assert_string_equal(why, "a line of the answer is too long");
	/* The text begins in the last octet that is looked at. */
	http_begin(&r, &wanted);
	assert_int_equal(http_take(&r, (const uint8_t *)head, sizeof(head) - 1, why), HTTP_MORE);
	memcpy(junk + HTTP_BODY_MAX - 1, "well", 4);
	assert_int_equal(http_take(&r, junk, sizeof(junk), why), HTTP_BAD);
	http_begin(&r, &wanted);
	assert_int_equal(http_take(&r, (const uint8_t *)head, sizeof(head) - 1, why), HTTP_MORE);
	memcpy(junk + HTTP_BODY_MAX - 4, "well", 4);
	assert_int_equal(http_take(&r, junk, sizeof(junk), why), HTTP_GOOD);
	/* Headers for ever. */
	http_begin(&r, &wanted);
	assert_int_equal(http_take(&r, (const uint8_t *)head, sizeof(head) - 3, why), HTTP_MORE);
	for (int i = 0;; i++) {
		enum http_step step = http_take(&r, (const uint8_t *)"A: b\r\n", 6, why);

		assert_true(i < 100000);
		if (step == HTTP_BAD)
			break;
	}
	assert_string_equal(why, "the head of the answer is too long");
}

static void test_request(void **state)
{
	char buf[HTTP_REQUEST_MAX], small[20];
	size_t len = 0;

	(void)state;
	assert_int_equal(http_request("/up?x=1", "www.example:8080", buf, sizeof(buf), &len), 0);
	assert_memory_equal(buf, "GET /up?x=1 HTTP/1.1\r\nHost: www.example:8080\r\n", 46);
	assert_memory_equal(buf + len - 4, "\r\n\r\n", 4);
	assert_int_equal(http_request("/", "a", small, sizeof(small), &len), ERR_LIMIT);
	assert_int_equal(http_request("up", "a", buf, sizeof(buf), &len), ERR_INVALID);
	assert_int_equal(http_request("/ up", "a", buf, sizeof(buf), &len), ERR_INVALID);
	assert_int_equal(http_request("/\r\nA: b", "a", buf, sizeof(buf), &len), ERR_INVALID);
	assert_int_equal(http_request("/", "a\r\nb", buf, sizeof(buf), &len), ERR_INVALID);
	assert_int_equal(http_request("/", "", buf, sizeof(buf), &len), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
