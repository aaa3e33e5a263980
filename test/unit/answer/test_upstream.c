/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections to backends, against servers that are sockets of this test: pipelining, order, and servers that misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "answer/upstream.h"
#include "answer/worker.h"
#include "base/clock.h"
#include "base/wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SECOND = 1000000000, PATIENCE_MS = 30000, HEARD_MAX = 2048 };

static struct {
	uint64_t ticket;
	enum upstream_end end;
	size_t len;
	uint8_t msg[64];
} heard[HEARD_MAX];
static unsigned heard_count;
static struct worker worker;
static struct upstream *upstream;
static int listener = -1;
static struct upstream_server server;

static void hear(struct worker *w, uint64_t ticket, enum upstream_end end, uint8_t *msg, size_t len)
{
	assert_ptr_equal(w, &worker);
	assert_true(heard_count < HEARD_MAX);
	heard[heard_count].ticket = ticket;
	heard[heard_count].end = end;
	heard[heard_count].len = len;
	if (msg)
		memcpy(heard[heard_count].msg, msg, MIN(len, sizeof(heard[0].msg)));
	heard_count++;
}

static int begin_family(void **state, const char *address)
{
	struct sockaddr_storage at;
	struct endpoint e = {0};
	socklen_t len;

	*state = NULL;
	heard_count = 0;
	memset(&worker, 0, sizeof(worker));
	worker.board = calloc(1, sizeof(*worker.board));
	worker.now_ns = clock_ns();
	upstream = upstream_new(&worker);
	assert_non_null(upstream);
	assert_int_equal(addr_parse(address, &e.addr), 0);
	len = endpoint_to_sockaddr(&e, &at);
	listener = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 64), 0);
	len = sizeof(at);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	server = (struct upstream_server){.key = 1};
	assert_int_equal(endpoint_from_sockaddr((const struct sockaddr *)&at, &server.at), 0);
	upstream_set(upstream, &server, 1);
	return 0;
}

static int begin(void **state)
{
	return begin_family(state, "127.0.0.1");
}

static int begin_v6(void **state)
{
	return begin_family(state, "::1");
}

static int end(void **state)
{
	(void)state;
	upstream_free(upstream);
	free(worker.board);
	if (listener >= 0)
		close(listener);
	listener = -1;
	return 0;
}

/* Let it work until so many ends were heard, at most; with 0: once. */
static void run(unsigned until)
{
	uint64_t limit = clock_ns() + (uint64_t)PATIENCE_MS * 1000000U;

	do {
		struct pollfd p = {.fd = upstream_fd(upstream), .events = POLLIN};

		upstream_flush(upstream);
		(void)poll(&p, 1, until ? 20 : 0);
		upstream_turn(upstream);
		upstream_expire(upstream);
	} while (heard_count < until && clock_ns() < limit);
	assert_true(heard_count >= until);
}

/* The server's side of the next connection. Upstream has to be run meanwhile: connect and accept need nobody. */
static int take(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void ask(uint64_t ticket, uint16_t id)
{
	uint8_t msg[DNS_HEADER_LEN + 4] = {0};

	put_u16(msg, id);
	put_u32(msg + DNS_HEADER_LEN, (uint32_t)ticket);
	assert_true(upstream_ask(upstream, 0, hear, ticket, msg, sizeof(msg), NULL, 0));
}

/* A whole message as the server gets it; running upstream until it is there. Its length. */
static size_t get(int fd, uint8_t *out, size_t cap)
{
	uint64_t limit = clock_ns() + (uint64_t)PATIENCE_MS * 1000000U;
	size_t have = 0, want = 2;

	while (have < want) {
		ssize_t n;

		assert_true(clock_ns() < limit);
		run(0);
		n = recv(fd, out + have, want - have, MSG_DONTWAIT);
		if (n > 0)
			have += (size_t)n;
		if (have == 2 && want == 2)
			want = 2U + get_u16(out);
		assert_true(want <= cap);
	}
	return want;
}

/* The question turned into an answer. */
static void reply(int fd, uint8_t *frame, size_t len)
{
	frame[4] |= 0x80;
	assert_int_equal(send(fd, frame, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void test_order(void **state)
{
	uint8_t frames[8][64];
	size_t lens[8];
	int fd;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		ask(100 + i, (uint16_t)(7 + i / 2)); /* equal IDs of different clients */
	assert_int_equal(upstream_under_way(upstream), 8);
	run(0);
	fd = take();
	for (unsigned i = 0; i < 8; i++) {
		lens[i] = get(fd, frames[i], sizeof(frames[i]));
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(get_u16(frames[i] + 2), get_u16(frames[k] + 2));
	}
	for (unsigned i = 8; i-- > 0;)
		reply(fd, frames[i], lens[i]);
	run(8);
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(heard[i].ticket, 107 - i);
		assert_int_equal(heard[i].end, UPSTREAM_ANSWER);
		assert_int_equal(heard[i].len, DNS_HEADER_LEN + 4);
		assert_int_equal(get_u16(heard[i].msg), 7 + (7 - i) / 2);
		assert_int_equal(get_u32(heard[i].msg + DNS_HEADER_LEN), heard[i].ticket);
	}
	assert_int_equal(upstream_under_way(upstream), 0);
	/* The connection is used again. */
	ask(200, 1);
	lens[0] = get(fd, frames[0], sizeof(frames[0]));
	reply(fd, frames[0], lens[0]);
	run(9);
	assert_int_equal(heard[8].ticket, 200);
	close(fd);
}

/* Octet by octet, and several in one. */
static void test_pieces(void **state)
{
	uint8_t frames[3 * 64];
	size_t len = 0;
	int fd;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		ask(i, (uint16_t)i);
	run(0);
	fd = take();
	for (unsigned i = 0; i < 3; i++) {
		size_t n = get(fd, frames + len, 64);

		frames[len + 4] |= 0x80;
		len += n;
	}
	for (size_t i = 0; i < len / 2; i++) {
		assert_int_equal(send(fd, frames + i, 1, MSG_NOSIGNAL), 1);
		run(0);
	}
	assert_int_equal(send(fd, frames + len / 2, len - len / 2, MSG_NOSIGNAL), (ssize_t)(len - len / 2));
	run(3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(heard[i].ticket, i);
	close(fd);
}

/* More than one connection holds are spread over few. */
static void test_many(void **state)
{
	uint8_t frame[64];
	int fd[UPSTREAM_PER_SERVER + 1] = {-1, -1, -1, -1, -1};
	unsigned connections = 0, answered = 0;

	(void)state;
	for (unsigned i = 0; i < 400; i++)
		ask(i, (uint16_t)i);
	run(0);
	for (; connections < UPSTREAM_PER_SERVER; connections++)
		fd[connections] = take();
	assert_int_equal(recv(listener, frame, 1, MSG_DONTWAIT), -1);
	while (answered < 400) {
		for (unsigned c = 0; c < connections; c++) {
			struct pollfd p = {.fd = fd[c], .events = POLLIN};

			run(0);
			while (poll(&p, 1, 0) == 1) {
				size_t len = get(fd[c], frame, sizeof(frame));

				reply(fd[c], frame, len);
				answered++;
			}
		}
	}
	run(400);
	for (unsigned c = 0; c < connections; c++)
		close(fd[c]);
	assert_int_equal(heard_count, 400);
}

/* What a server may do to a connection, and what the questions come to. */
enum deed { CLOSES, CLOSES_AFTER_ONE, HALF, SHORT, STRANGERS, QUESTION, RESETS };
static const struct {
	const char *name;
	enum deed deed;
	enum upstream_end end;
} deeds[] = {
	{"closes at once", CLOSES, UPSTREAM_FAILED},
	{"closes after an answer", CLOSES_AFTER_ONE, UPSTREAM_CLOSED},
	{"half an answer", HALF, UPSTREAM_FAILED},
	{"shorter than a header", SHORT, UPSTREAM_FAILED},
	{"answers to nothing", STRANGERS, UPSTREAM_FAILED},
	{"its own question back", QUESTION, UPSTREAM_FAILED},
	{"resets", RESETS, UPSTREAM_FAILED},
};

static void do_deed(int fd, enum deed deed, uint8_t *frame, size_t len)
{
	static const uint8_t three[] = {0, 3, 1, 2, 3};
	struct linger hard = {.l_onoff = 1};

	switch (deed) {
	case CLOSES:
		break;
	case CLOSES_AFTER_ONE:
		reply(fd, frame, len);
		break;
	case HALF:
		frame[4] |= 0x80;
		assert_int_equal(send(fd, frame, len / 2, MSG_NOSIGNAL), (ssize_t)(len / 2));
		break;
	case SHORT:
		assert_int_equal(send(fd, three, sizeof(three), MSG_NOSIGNAL), sizeof(three));
		return;
	case STRANGERS:
		frame[2] ^= 0x55;
		for (int i = 0; i < 20; i++) {
			frame[4] |= 0x80;
			if (send(fd, frame, len, MSG_NOSIGNAL) < 0)
				break;
		}
		return;
	case QUESTION:
		for (int i = 0; i < 20; i++)
			if (send(fd, frame, len, MSG_NOSIGNAL) < 0)
				break;
		return;
	case RESETS:
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		break;
	}
	close(fd);
}

static void test_deeds(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
		uint8_t frame[64];
		size_t len;
		int fd;

		begin(state);
		ask(1, 1);
		ask(2, 2);
		run(0);
		fd = take();
		len = get(fd, frame, sizeof(frame));
		if (deeds[i].deed == CLOSES_AFTER_ONE) {
			uint8_t other[64];

			(void)get(fd, other, sizeof(other)); /* so that the close is no reset */
		}
		do_deed(fd, deeds[i].deed, frame, len);
		run(2);
		if (heard[1].end != deeds[i].end)
			fail_msg("%s: %d", deeds[i].name, (int)heard[1].end);
		if (deeds[i].deed == CLOSES_AFTER_ONE)
			assert_int_equal(heard[0].end, UPSTREAM_ANSWER);
		assert_int_equal(upstream_under_way(upstream), 0);
		if (deeds[i].deed == SHORT || deeds[i].deed == STRANGERS || deeds[i].deed == QUESTION)
			close(fd);
		if (deeds[i].deed == STRANGERS || deeds[i].deed == QUESTION)
			assert_int_equal(worker.board->edge.strange, 16);
		end(state);
	}
}

/* A server that says nothing is given up, by the clock of the worker. */
static void test_silent(void **state)
{
	uint8_t frame[64], first[64];
	size_t len;
	int fd;

	(void)state;
	ask(1, 1);
	ask(2, 2);
	run(0);
	fd = take();
	len = get(fd, first, sizeof(first));
	(void)get(fd, frame, sizeof(frame));
	worker.now_ns += SECOND;
	reply(fd, first, len);
	run(1);
	assert_int_equal(heard[0].end, UPSTREAM_ANSWER);
	/* One question was passed over, while others are answered: it alone is given up. */
	worker.now_ns += (uint64_t)UPSTREAM_SILENT_MS * 1000000U;
	run(2);
	assert_int_equal(heard[1].ticket, 2);
	assert_int_equal(heard[1].end, UPSTREAM_FAILED);
	ask(3, 3);
	(void)get(fd, frame, sizeof(frame));
	worker.now_ns += (uint64_t)UPSTREAM_SILENT_MS * 1000000U;
	run(3);
	assert_int_equal(heard[2].end, UPSTREAM_FAILED);
	assert_int_equal(recv(fd, frame, sizeof(frame), 0), 0);
	close(fd);
}

static void test_idle(void **state)
{
	uint8_t frame[64];
	size_t len;
	int fd;

	(void)state;
	ask(1, 1);
	run(0);
	fd = take();
	len = get(fd, frame, sizeof(frame));
	reply(fd, frame, len);
	run(1);
	worker.now_ns += (uint64_t)(UPSTREAM_IDLE_MS + 1) * 1000000U;
	run(0);
	assert_int_equal(recv(fd, frame, sizeof(frame), 0), 0);
	close(fd);
	assert_int_equal(heard_count, 1);
}

/* Nobody there: a question fails, and then nobody tries for a while. */
static void test_refused(void **state)
{
	uint8_t msg[DNS_HEADER_LEN] = {0};

	(void)state;
	close(listener);
	listener = -1;
	ask(1, 1);
	run(1);
	assert_int_equal(heard[0].end, UPSTREAM_UNSENT);
	assert_false(upstream_ask(upstream, 0, hear, 2, msg, sizeof(msg), NULL, 0));
	worker.now_ns += SECOND;
	ask(3, 3);
	run(2);
	assert_int_equal(heard[1].ticket, 3);
	assert_false(upstream_ask(upstream, 1, hear, 4, msg, sizeof(msg), NULL, 0));
}

/* With a PROXY header there is one connection for each question, and the header comes first. */
static void test_proxy(void **state)
{
	static const uint8_t head[] = "PROXY header";
	uint8_t msg[DNS_HEADER_LEN] = {0}, got[64];
	int fd[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		assert_true(upstream_ask(upstream, 0, hear, i, msg, sizeof(msg), head, sizeof(head)));
	for (unsigned i = 0; i < 2; i++) {
		size_t len;

		fd[i] = take();
		run(0);
		while (recv(fd[i], got, sizeof(head), MSG_DONTWAIT | MSG_PEEK) != sizeof(head))
			run(0);
		assert_int_equal(recv(fd[i], got, sizeof(head), 0), sizeof(head));
		assert_memory_equal(got, head, sizeof(head));
		len = get(fd[i], got, sizeof(got));
		reply(fd[i], got, len);
	}
	run(2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(heard[i].end, UPSTREAM_ANSWER);
		assert_int_equal(recv(fd[i], got, sizeof(got), 0), 0); /* it is not used again */
		close(fd[i]);
	}
}

/* Another configuration: what is there for the same server stays, what is for others goes. */
static void test_set(void **state)
{
	struct upstream_server two[2] = {server, server};
	uint8_t frame[64];
	size_t len;
	int fd;

	(void)state;
	ask(1, 1);
	run(0);
	fd = take();
	len = get(fd, frame, sizeof(frame));
	two[0].key = 2;
	upstream_set(upstream, two, 2);
	assert_int_equal(heard_count, 0);
	reply(fd, frame, len);
	run(1);
	assert_int_equal(heard[0].end, UPSTREAM_ANSWER);
	assert_true(upstream_ask(upstream, 1, hear, 2, frame + 2, len - 2, NULL, 0));
	(void)get(fd, frame, sizeof(frame));
	upstream_set(upstream, two, 1);
	assert_int_equal(heard_count, 2);
	assert_int_equal(heard[1].end, UPSTREAM_FAILED);
	assert_int_equal(recv(fd, frame, sizeof(frame), 0), 0);
	close(fd);
	upstream_set(upstream, NULL, 0);
	assert_null(upstream_server(upstream, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, begin, end),   cmocka_unit_test_setup_teardown(test_order, begin_v6, end),
		cmocka_unit_test_setup_teardown(test_pieces, begin, end),  cmocka_unit_test_setup_teardown(test_many, begin, end),
		cmocka_unit_test(test_deeds),                              cmocka_unit_test_setup_teardown(test_silent, begin, end),
		cmocka_unit_test_setup_teardown(test_idle, begin_v6, end), cmocka_unit_test_setup_teardown(test_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_proxy, begin, end),   cmocka_unit_test_setup_teardown(test_set, begin_v6, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
