/* SPDX-License-Identifier: BSD-2-Clause */
/* Which server a message is passed on to, and what is said when there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer/pass.h"
#include "base/wire.h"
#include "board/board.h"
#include "config/config.h"
#include "dns/message.h"

static struct config_backend_server servers[2][4];
static struct config_backends pools[2] = {{.name = "other", .servers = servers[0], .server_count = 2}, {.name = "pool", .servers = servers[1], .server_count = 4}};
static const struct config config = {.backends = pools, .backend_count = 2};

/* Of each server: '+' up, '-' down, '?' not known, 'o' it leads back here, 'x' the row is somebody else's, who is down. */
static const struct {
	const char *name, *state;
	unsigned first;
	int order[5]; /* places in the pool, in the order they are tried; -1: the end */
} rows[] = {
	{"all up", "++++", 0, {0, 1, 2, 3, -1}},
	{"from another on", "++++", 2, {2, 3, 0, 1, -1}},
	{"not known is as good", "?+?+", 0, {0, 1, 2, 3, -1}},
	{"who is down comes last", "-+-+", 0, {1, 3, 0, 2, -1}},
	{"all down", "----", 1, {1, 2, 3, 0, -1}},
	{"never back to us", "o+o-", 0, {1, 3, -1}},
	{"all lead back", "oooo", 0, {-1}},
	{"what the board says of others", "xxxx", 0, {0, 1, 2, 3, -1}},
};

static void test_next_server(void **state)
{
	struct board_watch_backends *b = calloc(1, sizeof(*b));

	(void)state;
	assert_non_null(b);
	for (unsigned p = 0; p < 2; p++)
		for (unsigned i = 0; i < 4; i++)
			servers[p][i].at = (struct endpoint){.addr = {.family = 4, .bytes = {192, 0, (uint8_t)p, (uint8_t)i}}, .port = 53};
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		uint64_t tried[4] = {0};

		for (unsigned i = 0; i < 4; i++) {
			struct board_backend *row = &b->row[2 + i];
			char s = rows[r].state[i];

			atomic_store(&row->key, s == 'x' ? 1 : board_backend_key("pool", &servers[1][i].at));
			atomic_store(&row->up, s == '+' ? UP_YES : s == '?' ? UP_UNKNOWN : UP_NO);
			row->loops = s == 'o';
		}
		for (unsigned i = 0;; i++) {
			int got = pass_next_server(&config, b, 1, rows[r].first, tried);

			if (got != (rows[r].order[i] < 0 ? -1 : 2 + rows[r].order[i]))
				fail_msg("%s: at %u: %d", rows[r].name, i, got);
			if (got < 0)
				break;
		}
	}
	free(b);
}

/* Whatever the message is: its header and, if it can be read, its question. */
static void test_error(void **state)
{
	static const uint8_t head[] = {0x12, 0x34, 0x29, 0x10, 0, 1, 0, 0, 0, 1, 0, 1};
	static const uint8_t name[] = "\x03www\x07" "example\0\0\x06\0\x01 and more";
	uint8_t msg[sizeof(head) + sizeof(name)], out[DNS_MESSAGE_MAX];
	size_t whole = sizeof(head) + 13 + 4;

	(void)state;
	memcpy(msg, head, sizeof(head));
	memcpy(msg + sizeof(head), name, sizeof(name));
	assert_int_equal(pass_error(msg, sizeof(msg), RCODE_SERVFAIL, false, out, sizeof(out)), whole);
	assert_int_equal(get_u16(out), 0x1234);
	assert_int_equal(get_u16(out + 2), 0xa912); /* QR, UPDATE, RD, CD */
	assert_memory_equal(out + 4, ((const uint8_t[]){0, 1, 0, 0, 0, 0, 0, 0}), 8);
	assert_memory_equal(out + 12, name, 17);
	assert_int_equal(pass_error(msg, sizeof(msg), RCODE_NOERROR, true, out, sizeof(out)), whole);
	assert_int_equal(get_u16(out + 2), 0xab10);
	/* A question that is cut off, does not fit, or is none. */
	for (size_t len = sizeof(head); len < whole; len++) {
		uint8_t *exact = malloc(len);

		assert_non_null(exact);
		memcpy(exact, msg, len);
		assert_int_equal(pass_error(exact, len, RCODE_SERVFAIL, false, out, sizeof(out)), DNS_HEADER_LEN);
		assert_int_equal(get_u16(out + 4), 0);
		free(exact);
	}
	assert_int_equal(pass_error(msg, sizeof(msg), RCODE_SERVFAIL, false, out, 20), DNS_HEADER_LEN);
	msg[12] = 0x40;
	assert_int_equal(pass_error(msg, sizeof(msg), RCODE_SERVFAIL, false, out, sizeof(out)), DNS_HEADER_LEN);
	put_u16(msg + 4, 2);
	assert_int_equal(pass_error(msg, sizeof(msg), RCODE_SERVFAIL, false, out, sizeof(out)), DNS_HEADER_LEN);
}

/* OPT of messages that are no queries: found behind their sections, and left alone where they are malformed. */
static void test_edns_of_others(void **state)
{
	static const uint8_t update[] = "\x00\x07\x28\x00\x00\x01\x00\x01\x00\x01\x00\x01" "\x07" "example\x00\x00\x06\x00\x01"
					"\xc0\x0c\x00\x01\x00\xfe\x00\x00\x00\x00\x00\x00" /* a prerequisite */
					"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"
					"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x04\x00\x03\x00\x00";
	struct query q;

	(void)state;
	for (size_t len = sizeof(update) - 1; len > 25; len--) {
		uint8_t *exact = malloc(len);

		assert_non_null(exact);
		memcpy(exact, update, len);
		assert_int_equal(query_parse(exact, len, &q), QUERY_NOTIMP);
		assert_true(q.has_question);
		query_read_edns(exact, len, &q);
		assert_int_equal(q.has_edns, len == sizeof(update) - 1);
		assert_int_equal(q.udp_size, q.has_edns ? 1232 : 512);
		assert_int_equal(q.want_nsid, q.has_edns);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_server),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_edns_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
