/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that check endpoints: asked for by names as watch does, run for real, and what is told of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/err.h"
#include "base/text.h"
#include "super/checks.h"

enum { DEADLINE_MS = 30000, TOLD_MAX = 512, MANY_POOLS = 5, MANY_EACH = 60 };

static const char yaml[] = "fleet: test\n"
			   "networks:\n"
			   "  - {name: global, prefixes: [203.0.113.0/24], addresses: [203.0.113.53], as: 64500}\n"
			   "nodes:\n"
			   "  - {name: fra, role: pop, networks: [global], management: [10.0.0.1], bgp: {router-id: 10.0.0.1}}\n"
			   "pools:\n"
			   "  - name: web\n"
			   "    check: {type: exec, exec: [/bin/sh, -c, 'echo \"$1 $ZONECAST_POOL $ZONECAST_ENDPOINT $ZONECAST_ADDRESS $ZONECAST_NODE\"; echo more; exit 3', sh]}\n"
			   "    endpoints: [{name: a, address: 192.0.2.1}, {name: b, address: \"2001:db8::1\"}]\n"
			   "  - {name: good, check: {type: exec, exec: [/bin/true]}, endpoints: [{name: a, target: www.example}]}\n"
			   "  - {name: slow, check: {type: exec, exec: [/bin/sh, -c, 'sleep 600'], timeout: 100ms}, endpoints: [{name: a, address: 192.0.2.1}]}\n"
			   "  - {name: none, check: {type: exec, exec: [/nonexistent/check]}, endpoints: [{name: a, address: 192.0.2.1}]}\n"
			   "  - {name: left, check: {type: exec, exec: [/bin/sh, -c, 'sleep 600 & echo $!']}, endpoints: [{name: a, address: 192.0.2.1}]}\n"
			   "  - {name: tcp, check: {type: tcp, port: 80}, endpoints: [{name: a, address: 192.0.2.1}]}\n";

static struct {
	struct plan plan;
	struct checks *checks;
	size_t count;
	struct role_message told[TOLD_MAX];
} bed;

static void on_told(void *ctx, const struct role_message *m)
{
	(void)ctx;
	assert_int_equal(m->kind, ROLE_CHECKED);
	assert_true(bed.count < TOLD_MAX);
	bed.told[bed.count++] = *m;
}

static void add_many(struct text *t)
{
	for (unsigned p = 0; p < MANY_POOLS; p++) {
		text_fmt(t, "  - {name: many%u, check: {type: exec, exec: [/bin/true]}, endpoints: [", p);
		for (unsigned i = 0; i < MANY_EACH; i++)
			text_fmt(t, "%s{name: e%u, address: 192.0.2.%u}", i ? ", " : "", i, i + 1);
		text_str(t, "]}\n");
	}
}

static int setup(void **state)
{
	struct diag diag;
	struct text text;
	int err;

	(void)state;
	memset(&bed, 0, sizeof(bed));
	diag_init(&diag);
	text_init(&text);
	text_str(&text, yaml);
	add_many(&text);
	err = text.failed ? ERR_NO_MEMORY : config_parse("/test.yaml", text.chars, text.len, &diag, &bed.plan.config);
	text_done(&text);
	if (err < 0)
		return -1;
	diag_done(&diag);
	bed.plan.node = config_node_find(bed.plan.config, "fra");
	snprintf(bed.plan.node_name, sizeof(bed.plan.node_name), "fra");
	bed.plan.uid = UINT32_MAX;
	bed.checks = checks_new(on_told, NULL);
	checks_set(bed.checks, &bed.plan);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	checks_free(bed.checks);
	config_free(bed.plan.config);
	return 0;
}

static void ask(uint32_t id, const char *what)
{
	struct role_message m = {.kind = ROLE_CHECK, .id = id};

	m.text_len = (uint32_t)snprintf(m.text, sizeof(m.text), "%s", what);
	checks_ask(bed.checks, &bed.plan, &m);
}

static void run_until(size_t count)
{
	uint64_t until_ms = clock_ms() + DEADLINE_MS;

	while (bed.count < count) {
		int status;
		pid_t pid;

		checks_tick(bed.checks, &bed.plan, clock_ms());
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			assert_true(checks_ended(bed.checks, pid, status));
		if (clock_ms() > until_ms)
			fail_msg("%zu of %zu results came", bed.count, count);
		usleep(1000);
	}
}

static void told_is(uint32_t id, int32_t result, const char *text)
{
	for (size_t i = 0; i < bed.count; i++) {
		if (bed.told[i].id != id)
			continue;
		assert_int_equal(bed.told[i].result, result);
		assert_string_equal(bed.told[i].text, text);
		return;
	}
	fail_msg("nothing was told of %u", id);
}

static void test_results(void **state)
{
	(void)state;
	ask(1, "web\na");
	ask(2, "web\nb");
	ask(3, "good\na");
	ask(4, "slow\na");
	ask(5, "none\na");
	run_until(5);
	told_is(1, 3, "192.0.2.1 web a 192.0.2.1 fra");
	told_is(2, 3, "2001:db8::1 web b 2001:db8::1 fra");
	told_is(3, 0, "");
	told_is(4, -ETIMEDOUT, "its program did not end within 100 ms");
	told_is(5, 127, "its program cannot be run");
}

/* Is it there, and not just not waited for by whoever has inherited it? */
static bool runs(long pid)
{
	char path[64], line[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return line[0] && !strstr(line, ") Z ") && !strstr(line, ") X ");
}

static void test_what_is_left_behind(void **state)
{
	uint64_t until_ms = clock_ms() + DEADLINE_MS;
	long pid;

	(void)state;
	ask(1, "left\na");
	run_until(1);
	assert_int_equal(bed.told[0].result, 0);
	pid = strtol(bed.told[0].text, NULL, 10);
	assert_true(pid > 1);
	while (runs(pid)) {
		if (clock_ms() > until_ms) {
			kill((pid_t)pid, SIGKILL);
			fail_msg("process %ld is still there", pid);
		}
		usleep(1000);
	}
}

/* Nothing but what stands in the fleet file for that endpoint is run. */
static void test_what_is_not_there(void **state)
{
	static const char *const asked[] = {"tcp\na", "web\nc", "nobody\na", "web", "\na", "web\n", "", "/bin/true\na"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		ask((uint32_t)i + 1, asked[i]);
	run_until(ARRAY_LEN(asked));
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		told_is((uint32_t)i + 1, ERR_LIMIT, "");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* More than can wait is not run, and said so; all others are. */
static void test_many(void **state)
{
	size_t refused = 0, good = 0;
	uint32_t asked = 0;

	(void)state;
	for (unsigned p = 0; p < MANY_POOLS; p++)
		for (unsigned i = 0; i < MANY_EACH; i++) {
			char what[32];

			snprintf(what, sizeof(what), "many%u\ne%u", p, i);
			ask(++asked, what);
		}
	run_until(asked);
	for (size_t i = 0; i < bed.count; i++) {
		refused += bed.told[i].result == ERR_LIMIT;
		good += bed.told[i].result == 0;
	}
	assert_int_equal(refused, asked - 256);
	assert_int_equal(good, 256);
}

/* Who asks again, since nothing came in time, gets what comes of the first time, under the new id, waiting or running. */
static void test_asked_again(void **state)
{
	(void)state;
	for (uint32_t id = 1; id <= 600; id++)
		ask(id, "web\na");
	ask(601, "slow\na");
	assert_int_equal(bed.count, 0);
	checks_tick(bed.checks, &bed.plan, clock_ms());
	ask(602, "web\na");
	ask(603, "slow\na");
	run_until(2);
	told_is(602, 3, "192.0.2.1 web a 192.0.2.1 fra");
	told_is(603, -ETIMEDOUT, "its program did not end within 100 ms");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_results, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_left_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asked_again, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
