/* SPDX-License-Identifier: BSD-2-Clause */
/* One probe against a server that does one thing, both in one loop: what arrives, what is sent, when, and that everything is let go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/wire.h"
#include "dns/message.h"
#include "watch/probe.h"

enum { ID = 77, TIMEOUT_MS = 150, LONG_MS = 10000, PIECES_MAX = 8 };

/* What the server sends on a question, piece by piece. UDP: a datagram each. NULL pieces end it. */
struct script {
	const char *name;
	bool tcp, v6;
	const char *pieces[PIECES_MAX]; /* "good", "bad", "other" whole messages; "half1", "half2", "len", "body", "huge", "short"; "fin", "rst" */
	enum probe_outcome outcome;
	const char *why;
	uint32_t timeout_ms;
	unsigned slept_ms; /* the loop is kept from running for so long after the question was sent */
	bool prompt;       /* but the server has answered before */
};

struct bed {
	uv_loop_t loop;
	const struct script *script;
	int fd, conn;
	uint16_t port;
	uv_poll_t server, conn_poll;
	bool conn_open;
	unsigned asked, judged, done;
	enum probe_outcome outcome;
	char why[PROBE_WHY_MAX];
	uint32_t latency_us;
	struct probe *probe;
	bool held; /* probe was set when done was called; it must not be */
};

static const uint8_t root[1] = {0};

/* The judge here looks at one octet only: the octet after the id is the verdict. */
static enum probe_verdict on_judge(void *ctx, const uint8_t *msg, size_t len, char *why)
{
	struct bed *b = ctx;

	b->judged++;
	snprintf(why, PROBE_WHY_MAX, "judged bad");
	if (len < 4 || get_u16(msg) != ID)
		return PROBE_NOT_OURS;
	return msg[2] == 'g' ? PROBE_PASS : PROBE_FAIL;
}

static void on_done(void *ctx, enum probe_outcome outcome, const char *why, uint32_t latency_us)
{
	struct bed *b = ctx;

	b->done++;
	b->held = b->probe != NULL;
	b->outcome = outcome;
	snprintf(b->why, sizeof(b->why), "%s", why);
	b->latency_us = latency_us;
	uv_poll_stop(&b->server);
	if (b->conn_open)
		uv_poll_stop(&b->conn_poll);
}

static void send_piece(struct bed *b, int fd, const char *piece, const struct sockaddr *to, socklen_t to_len)
{
	static const uint8_t good[] = {0, 5, 0, ID, 'g', 0, 0}, bad[] = {0, 5, 0, ID, 'b', 0, 0}, other[] = {0, 5, 0, ID + 1, 'g', 0, 0};
	static const uint8_t huge[] = {0xff, 0xff};
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	const uint8_t *bytes = good;
	size_t from = 0, len = sizeof(good);

	if (!strcmp(piece, "bad"))
		bytes = bad;
	else if (!strcmp(piece, "other"))
		bytes = other;
	else if (!strcmp(piece, "half1"))
		len = 1;
	else if (!strcmp(piece, "half2"))
		from = 1;
	else if (!strcmp(piece, "len"))
		len = 2;
	else if (!strcmp(piece, "body"))
		from = 2;
	else if (!strcmp(piece, "short"))
		len = 4;
	else if (!strcmp(piece, "huge"))
		bytes = huge, len = sizeof(huge);
	else if (!strcmp(piece, "fin")) {
		shutdown(fd, SHUT_WR);
		return;
	} else if (!strcmp(piece, "rst")) {
		uv_poll_stop(&b->conn_poll);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		shutdown(fd, SHUT_RDWR);
		return;
	}
	if (to) {
		if (from == 0)
			from = 2; /* no length over UDP */
		assert_int_equal(sendto(fd, bytes + from, len - from, 0, to, to_len), (ssize_t)(len - from));
	} else {
		assert_int_equal(send(fd, bytes + from, len - from, MSG_NOSIGNAL), (ssize_t)(len - from));
	}
}

static void check_question(const uint8_t *msg, size_t len)
{
	struct query q;

	assert_int_equal(query_parse(msg, len, &q), QUERY_OK);
	assert_int_equal(q.header.id, ID);
	assert_int_equal(q.qtype, 6);
}

static void on_conn(uv_poll_t *poll, int status, int events)
{
	struct bed *b = poll->data;
	uint8_t buf[600];
	ssize_t n = recv(b->conn, buf, sizeof(buf), 0);

	(void)events;
	if (status < 0 || n <= 0) {
		uv_poll_stop(poll);
		return;
	}
	b->asked++;
	assert_int_equal(get_u16(buf), n - 2);
	check_question(buf + 2, (size_t)n - 2);
	for (size_t i = 0; i < PIECES_MAX && b->script->pieces[i]; i++)
		send_piece(b, b->conn, b->script->pieces[i], NULL, 0);
}

static void on_server(uv_poll_t *poll, int status, int events)
{
	struct bed *b = poll->data;
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	uint8_t buf[600];
	ssize_t n;

	(void)events;
	assert_int_equal(status, 0);
	if (b->script->tcp) {
		b->conn = accept4(b->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		assert_true(b->conn >= 0);
		assert_int_equal(uv_poll_init(&b->loop, &b->conn_poll, b->conn), 0);
		b->conn_poll.data = b;
		b->conn_open = true;
		uv_poll_start(&b->conn_poll, UV_READABLE, on_conn);
		return;
	}
	n = recvfrom(b->fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);
	assert_true(n > 0);
	b->asked++;
	check_question(buf, (size_t)n);
	for (size_t i = 0; i < PIECES_MAX && b->script->pieces[i]; i++)
		send_piece(b, b->fd, b->script->pieces[i], (struct sockaddr *)&from, len);
}

static void listen_on(struct bed *b, const char *address)
{
	struct sockaddr_storage ss;
	struct endpoint at;
	socklen_t len;

	assert_int_equal(addr_parse(address, &at.addr), 0);
	at.port = 0;
	len = endpoint_to_sockaddr(&at, &ss);
	b->fd = socket(ss.ss_family, (b->script->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(b->fd, (struct sockaddr *)&ss, len), 0);
	if (b->script->tcp)
		assert_int_equal(listen(b->fd, 5), 0);
	len = sizeof(ss);
	assert_int_equal(getsockname(b->fd, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&ss, &at), 0);
	b->port = at.port;
}

static void open_bed(struct bed *b, const struct script *s)
{
	memset(b, 0, sizeof(*b));
	b->script = s;
	b->conn = -1;
	assert_int_equal(uv_loop_init(&b->loop), 0);
	listen_on(b, s->v6 ? "::1" : "127.0.0.1");
	assert_int_equal(uv_poll_init(&b->loop, &b->server, b->fd), 0);
	b->server.data = b;
	uv_poll_start(&b->server, UV_READABLE, on_server);
}

/* Every handle of the probe must be gone: the loop can be closed only then. */
static void close_bed(struct bed *b)
{
	uv_close((uv_handle_t *)&b->server, NULL);
	if (b->conn_open)
		uv_close((uv_handle_t *)&b->conn_poll, NULL);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->loop), 0);
	close(b->fd);
	if (b->conn >= 0)
		close(b->conn);
}

static void start(struct bed *b, const char *address, uint16_t port)
{
	struct probe_job job = {.loop = &b->loop, .port = port, .tcp = b->script->tcp,
	                        .timeout_ms = b->script->timeout_ms ? b->script->timeout_ms : LONG_MS, .judge = on_judge, .done = on_done, .ctx = b};
	struct name apex;

	assert_int_equal(addr_parse(address, &job.address), 0);
	assert_int_equal(name_from_text("example.", 8, root, &apex), 0);
	probe_ask_soa(&job.question, apex.wire, ID);
	probe_start(&job, &b->probe);
}

static const struct script scripts[] = {
	{"udp good", .pieces = {"good"}, .outcome = PROBE_OUTCOME_PASS, .why = ""},
	{"udp good v6", .v6 = true, .pieces = {"good"}, .outcome = PROBE_OUTCOME_PASS, .why = ""},
	{"udp bad", .pieces = {"bad"}, .outcome = PROBE_OUTCOME_FAIL, .why = "judged bad"},
	{"udp not ours, then good", .pieces = {"other", "short", "other", "good"}, .outcome = PROBE_OUTCOME_PASS, .why = ""},
	{"udp not ours only", .pieces = {"other"}, .outcome = PROBE_OUTCOME_FAIL, .why = "no answer within 150 ms", .timeout_ms = TIMEOUT_MS},
	{"udp silence", .outcome = PROBE_OUTCOME_FAIL, .why = "no answer within 150 ms", .timeout_ms = TIMEOUT_MS},
	{"udp good, we were late", .pieces = {"good"}, .outcome = PROBE_OUTCOME_PASS, .why = "", .timeout_ms = TIMEOUT_MS, .slept_ms = 400},
	{"udp good in time, we were a little late", .pieces = {"good"}, .outcome = PROBE_OUTCOME_PASS, .why = "", .timeout_ms = TIMEOUT_MS, .slept_ms = TIMEOUT_MS + 10, .prompt = true},
	{"udp bad in time, we were a little late", .pieces = {"bad"}, .outcome = PROBE_OUTCOME_FAIL, .why = "judged bad", .timeout_ms = TIMEOUT_MS, .slept_ms = TIMEOUT_MS + 10, .prompt = true},
	{"udp not ours, we were a little late", .pieces = {"other"}, .outcome = PROBE_OUTCOME_FAIL, .why = "no answer within 150 ms", .timeout_ms = TIMEOUT_MS, .slept_ms = TIMEOUT_MS + 10, .prompt = true},
	{"udp silence, we were late", .outcome = PROBE_OUTCOME_FAIL, .why = "no answer within 150 ms", .timeout_ms = TIMEOUT_MS, .slept_ms = 400},
	{"tcp good", .tcp = true, .pieces = {"good"}, .outcome = PROBE_OUTCOME_PASS, .why = ""},
	{"tcp good v6", .tcp = true, .v6 = true, .pieces = {"good"}, .outcome = PROBE_OUTCOME_PASS, .why = ""},
	{"tcp halved in the length", .tcp = true, .pieces = {"half1", "half2"}, .outcome = PROBE_OUTCOME_PASS, .why = ""},
	{"tcp length, then body", .tcp = true, .pieces = {"len", "body"}, .outcome = PROBE_OUTCOME_PASS, .why = ""},
	{"tcp good, then closed", .tcp = true, .pieces = {"good", "fin"}, .outcome = PROBE_OUTCOME_PASS, .why = ""},
	{"tcp bad", .tcp = true, .pieces = {"bad"}, .outcome = PROBE_OUTCOME_FAIL, .why = "judged bad"},
	{"tcp another id", .tcp = true, .pieces = {"other"}, .outcome = PROBE_OUTCOME_FAIL, .why = "judged bad"},
	{"tcp closed at once", .tcp = true, .pieces = {"fin"}, .outcome = PROBE_OUTCOME_FAIL, .why = "connection closed without an answer"},
	{"tcp closed in the answer", .tcp = true, .pieces = {"short", "fin"}, .outcome = PROBE_OUTCOME_FAIL,
	 .why = "connection closed without an answer"},
	{"tcp absurd length", .tcp = true, .pieces = {"huge"}, .outcome = PROBE_OUTCOME_FAIL, .why = "answer of absurd length"},
	{"tcp silence", .tcp = true, .outcome = PROBE_OUTCOME_FAIL, .why = "no answer within 150 ms", .timeout_ms = TIMEOUT_MS},
	{"tcp half an answer, then silence", .tcp = true, .pieces = {"short"}, .outcome = PROBE_OUTCOME_FAIL, .why = "no answer within 150 ms",
	 .timeout_ms = TIMEOUT_MS},
	{"tcp good, we were late", .tcp = true, .pieces = {"good"}, .outcome = PROBE_OUTCOME_PASS, .why = "", .timeout_ms = TIMEOUT_MS, .slept_ms = 400},
};

static void test_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scripts); i++) {
		const struct script *s = &scripts[i];
		uint64_t began = clock_ms(), took;
		struct bed b;

		open_bed(&b, s);
		start(&b, s->v6 ? "::1" : "127.0.0.1", b.port);
		assert_int_equal(b.done, 0);
		if (s->prompt)
			on_server(&b.server, 0, UV_READABLE);
		while (clock_ms() - began < s->slept_ms)
			; /* our own process does not get to run its loop */
		uv_run(&b.loop, UV_RUN_DEFAULT);
		took = clock_ms() - began;
		if (b.done != 1 || b.outcome != s->outcome || strcmp(b.why, s->why) != 0)
			fail_msg("%s: done %u outcome %d \"%s\"", s->name, b.done, b.outcome, b.why);
		assert_false(b.held);
		assert_int_equal(b.asked, 1);
		if (s->timeout_ms && s->outcome == PROBE_OUTCOME_FAIL)
			assert_true(took >= s->timeout_ms);
		else
			assert_true(took < LONG_MS / 2);
		close_bed(&b);
	}
}

/* A closed port is known at once, not after the timeout. */
static void test_closed_port(void **state)
{
	static const struct script udp = {"udp", .tcp = false}, tcp = {"tcp", .tcp = true};
	const struct script *const both[] = {&udp, &tcp};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		uint64_t began = clock_ms();
		struct bed b;

		open_bed(&b, both[i]);
		uv_poll_stop(&b.server);
		close(b.fd); /* the port was ours a moment ago: nobody has it */
		start(&b, "127.0.0.1", b.port);
		uv_run(&b.loop, UV_RUN_DEFAULT);
		assert_int_equal(b.done, 1);
		assert_int_equal(b.outcome, PROBE_OUTCOME_FAIL);
		assert_string_equal(b.why, "refused, nothing listens there");
		assert_true(clock_ms() - began < LONG_MS / 2);
		b.fd = dup(0);
		close_bed(&b);
	}
}

/* Nobody else may answer for us: an address that is not on this machine fails without a packet. */
static void test_not_here(void **state)
{
	static const struct script udp = {"udp", .tcp = false};
	static const char *const addresses[] = {"192.0.2.53", "2001:db8::53"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct bed b;

		open_bed(&b, &udp);
		start(&b, addresses[i], 53);
		assert_null(b.probe);
		assert_int_equal(b.done, 1);
		assert_int_equal(b.outcome, PROBE_OUTCOME_FAIL);
		assert_non_null(strstr(b.why, "not on this machine"));
		uv_poll_stop(&b.server);
		close_bed(&b);
	}
}

static void test_cancel(void **state)
{
	static const struct script udp = {"udp", .tcp = false}, tcp = {"tcp", .tcp = true};
	const struct script *const both[] = {&udp, &tcp};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct bed b;

		open_bed(&b, both[i]);
		start(&b, "127.0.0.1", b.port);
		assert_non_null(b.probe);
		probe_cancel(b.probe);
		assert_null(b.probe);
		uv_poll_stop(&b.server);
		uv_run(&b.loop, UV_RUN_DEFAULT);
		assert_int_equal(b.done, 0);
		close_bed(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_closed_port),
		cmocka_unit_test(test_not_here),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
