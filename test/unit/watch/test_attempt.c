/* SPDX-License-Identifier: BSD-2-Clause */
/* What all checks over sockets share: what errors say, and that nothing is left behind wherever an attempt ends. What is said over it: test_probe.c and functional tests. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "watch/attempt.h"

enum { LONG_MS = 10000 };

static void test_errors(void **state)
{
	static const struct {
		int err;
		bool heard;
		enum probe_outcome outcome;
		const char *why; /* NULL: the system's words */
	} cases[] = {
		{EMFILE, false, PROBE_OUTCOME_NONE, NULL},
		{ENFILE, false, PROBE_OUTCOME_NONE, NULL},
		{ENOBUFS, false, PROBE_OUTCOME_NONE, NULL},
		{ENOMEM, false, PROBE_OUTCOME_NONE, NULL},
		{EAGAIN, false, PROBE_OUTCOME_NONE, NULL},
		{EADDRINUSE, false, PROBE_OUTCOME_NONE, NULL},
		{EPERM, false, PROBE_OUTCOME_NONE, NULL},
		{EACCES, false, PROBE_OUTCOME_NONE, NULL},
		{ECONNREFUSED, false, PROBE_OUTCOME_FAIL, "refused, nothing listens there"},
		{ECONNRESET, false, PROBE_OUTCOME_FAIL, "connection reset"},
		{EPIPE, false, PROBE_OUTCOME_FAIL, "connection reset"},
		{ENETUNREACH, false, PROBE_OUTCOME_FAIL, "no way there"},
		{EHOSTUNREACH, false, PROBE_OUTCOME_FAIL, "no way there"},
		{EADDRNOTAVAIL, false, PROBE_OUTCOME_FAIL, "no way there"},
		{EACCES, true, PROBE_OUTCOME_FAIL, "prohibited by a router or firewall on the way"},
		{ECONNREFUSED, true, PROBE_OUTCOME_FAIL, "refused, nothing listens there"},
		{EHOSTUNREACH, true, PROBE_OUTCOME_FAIL, "no way there"},
		{EPROTO, false, PROBE_OUTCOME_FAIL, "socket error: Protocol error"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char why[PROBE_WHY_MAX] = "";
		enum probe_outcome outcome = attempt_outcome(cases[i].err, cases[i].heard, "no way there", why);

		if (outcome != cases[i].outcome || strcmp(why, cases[i].why ? cases[i].why : strerror(cases[i].err)) != 0)
			fail_msg("%s: outcome %d \"%s\"", strerror(cases[i].err), outcome, why);
	}
}

/* ---- where it ends ---- */

enum stop { STOP_INIT, STOP_OPEN, STOP_CONNECT, STOP_NEVER };

struct owner {
	struct attempt attempt;
	struct bed *bed;
};

struct bed {
	uv_loop_t loop;
	int server;
	struct endpoint at;
	unsigned ready, ended;
	enum probe_outcome outcome;
};

static void on_ready(void *ctx)
{
	struct owner *o = ctx;

	o->bed->ready++;
	attempt_end(&o->attempt, PROBE_OUTCOME_PASS, "");
}

static void on_ended(void *ctx, enum probe_outcome outcome, const char *why, uint32_t took_us)
{
	struct owner *o = ctx;

	(void)why;
	(void)took_us;
	o->bed->ended++;
	o->bed->outcome = outcome;
	attempt_release(&o->attempt, false);
}

static void open_bed(struct bed *b, const char *address)
{
	struct sockaddr_storage ss;
	socklen_t len;

	memset(b, 0, sizeof(*b));
	assert_int_equal(uv_loop_init(&b->loop), 0);
	assert_int_equal(addr_parse(address, &b->at.addr), 0);
	len = endpoint_to_sockaddr(&b->at, &ss);
	b->server = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(b->server, (struct sockaddr *)&ss, len), 0);
	assert_int_equal(listen(b->server, 5), 0);
	len = sizeof(ss);
	assert_int_equal(getsockname(b->server, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&ss, &b->at), 0);
}

/* The loop can be closed only when every handle is gone; the memory is a sanitizer's to miss. */
static void close_bed(struct bed *b)
{
	uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->loop), 0);
	close(b->server);
}

static struct owner *begin(struct bed *b)
{
	struct owner *o = calloc(1, sizeof(*o));
	const struct attempt_job job = {.loop = &b->loop, .to = b->at, .stream = true, .timeout_ms = LONG_MS, .no_route = "", .ready = on_ready, .ended = on_ended, .owner = o};

	assert_non_null(o);
	o->bed = b;
	attempt_init(&o->attempt, &job);
	return o;
}

static void run(struct bed *b, enum stop stop)
{
	struct owner *o = begin(b);

	if (stop >= STOP_OPEN)
		assert_true(attempt_open(&o->attempt, NULL));
	if (stop >= STOP_CONNECT && attempt_connect(&o->attempt) == ATTEMPT_OVER)
		return;
	if (stop != STOP_NEVER)
		attempt_release(&o->attempt, false);
}

static void test_release(void **state)
{
	static const char *const addresses[] = {"127.0.0.1", "::1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		for (enum stop stop = STOP_INIT; stop <= STOP_NEVER; stop++) {
			int before = dup(0), after;
			struct bed b;

			close(before);
			open_bed(&b, addresses[i]);
			run(&b, stop);
			close_bed(&b);
			after = dup(0);
			close(after);
			assert_int_equal(after, before); /* no descriptor is left */
			assert_int_equal(b.ready, stop == STOP_NEVER);
			assert_int_equal(b.ended, stop == STOP_NEVER);
			assert_int_equal(b.outcome, PROBE_OUTCOME_PASS);
		}
}

/* A port that cannot be had is no fault of who is asked. */
static void test_port_taken(void **state)
{
	struct bed b;

	(void)state;
	open_bed(&b, "127.0.0.1");
	assert_false(attempt_open(&begin(&b)->attempt, &b.at)); /* somebody listens on it */
	assert_int_equal(b.ended, 1);
	assert_int_equal(b.outcome, PROBE_OUTCOME_NONE);
	close_bed(&b);
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n == (ssize_t)strlen(text);
}

static bool lo_up(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &r) == 0;

	r.ifr_flags |= IFF_UP;
	up = up && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
	if (fd >= 0)
		close(fd);
	return up;
}

/* All ports of ours are in use with the endpoint: the kernel's word for that is the one for an address that is not there. For the rest of this process: it comes last. */
static void test_no_port_left(void **state)
{
	static const char *const addresses[] = {"127.0.0.1", "::1"};

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 || !lo_up() || !write_file("/proc/sys/net/ipv4/ip_local_port_range", "50000 50003"))
		skip();
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		int held[8], n = 0, err = 0;
		struct sockaddr_storage ss;
		struct bed b;
		socklen_t len;

		open_bed(&b, addresses[i]);
		len = endpoint_to_sockaddr(&b.at, &ss);
		for (; !err && n < 8; n++) {
			held[n] = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
			err = connect(held[n], (struct sockaddr *)&ss, len) < 0 ? errno : 0;
		}
		assert_int_equal(err, EADDRNOTAVAIL);
		run(&b, STOP_NEVER);
		assert_int_equal(b.ended, 1);
		assert_int_equal(b.outcome, PROBE_OUTCOME_NONE);
		while (n)
			close(held[--n]);
		close_bed(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_port_taken),
		cmocka_unit_test(test_no_port_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
