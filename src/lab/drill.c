/* SPDX-License-Identifier: BSD-2-Clause */
/* Failures on purpose, as a client of the region sees them. A drill is: everything is well -> the meters start -> the failure -> answers are good again and
 * stay so -> the meters stop -> what was broken is mended -> everything is well again. The gap is the client's, not ours. */
#include "base/clock.h"
#include "base/err.h"
#include "lab/meter.h"
#include "lab/verbs.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	CALM_MS = 500,         /* of good answers before the failure */
	QUIET_MS = 2500,       /* without a failed question: the failure is over (late ones are known after METER_LATE_MS) */
	FAIL_WAIT_MS = 3000,   /* a failure that no client has noticed by then is none */
	OVER_MS = 30000,       /* longest failure waited for */
	RECOVER_MS = 90000,
	RUNS_MAX = 50,
};

struct drill {
	const char *name;
	int (*fail)(const struct lab *l, const struct lab_drill_options *o);
	int (*mend)(const struct lab *l, const struct lab_drill_options *o);
	unsigned gap_bird_ms, gap_frr_ms; /* aims; 0: nothing may be lost */
	const char *what;
};

/* ---- what a PoP is made of ---- */

static void pop_run_dir(const struct lab *l, unsigned region, char *buf, size_t cap)
{
	snprintf(buf, cap, "%s/pop-%s/run", l->dir, lab_regions[region].name);
}

static int signal_role(const struct lab *l, unsigned region, const char *role, int signum)
{
	char path[LAB_PATH_MAX + 64], line[128], dir[LAB_PATH_MAX + 32], name[32];
	int count = 0, pid;
	FILE *f;

	pop_run_dir(l, region, dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/pids", dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%31s %*u %d", name, &pid) == 2 && strcmp(name, role) == 0 && kill(pid, signum) == 0)
			count++;
	if (f)
		fclose(f);
	return count ? 0 : ERR_NOT_FOUND;
}

static int control(const struct lab *l, unsigned region, const char *request)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char dir[LAB_PATH_MAX + 32], reply[4096] = "";
	size_t at = 0;
	ssize_t n;
	int fd, err = 0;

	pop_run_dir(l, region, dir, sizeof(dir));
	if ((size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control.sock", dir) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		err = -errno;
	while (!err && at + 1 < sizeof(reply) && (n = recv(fd, reply + at, sizeof(reply) - at - 1, 0)) > 0)
		at += (size_t)n;
	reply[at] = '\0';
	close(fd);
	if (!err && !strstr(reply, "\"ok\":true")) {
		fprintf(stderr, "zonecast: the node says: %s", reply);
		err = ERR_INVALID;
	}
	return err;
}

/* ---- failures ---- */

static int fail_kill(const struct lab *l, const struct lab_drill_options *o)
{
	return signal_role(l, o->region, "answer", SIGKILL);
}

static int fail_crash(const struct lab *l, const struct lab_drill_options *o)
{
	return signal_role(l, o->region, "supervisor", SIGKILL);
}

static int mend_crash(const struct lab *l, const struct lab_drill_options *o)
{
	return lab_start_pop(l, o->region);
}

static int fail_hang(const struct lab *l, const struct lab_drill_options *o)
{
	int err = o->deep ? signal_role(l, o->region, "supervisor", SIGSTOP) : 0;

	return err ? err : signal_role(l, o->region, "answer", SIGSTOP);
}

static int mend_hang(const struct lab *l, const struct lab_drill_options *o)
{
	/* The supervisor, once awake, sees the silent workers and replaces them. */
	return o->deep ? signal_role(l, o->region, "supervisor", SIGCONT) : 0;
}

static int fail_wrong(const struct lab *l, const struct lab_drill_options *o)
{
	return control(l, o->region, "{\"command\":\"fault\",\"kind\":\"servfail\"}\n");
}

static int mend_wrong(const struct lab *l, const struct lab_drill_options *o)
{
	return control(l, o->region, "{\"command\":\"fault\",\"kind\":\"none\"}\n");
}

/* The router's end of the link goes down: both sides lose the carrier. Silent: packets vanish, the carrier stays. */
static int set_cut(const struct lab *l, const struct lab_drill_options *o, bool cut)
{
	char transit[LAB_NETNS_MAX], pop[LAB_NETNS_MAX], v4[32], v6[32];
	int err;

	lab_netns(l, 't', o->region, transit);
	lab_netns(l, 'p', o->region, pop);
	if (o->silent && cut)
		return lab_run(NULL, (const char *const[]){"ip", "netns", "exec", pop, "nft",
		               "add table inet lab; add chain inet lab in { type filter hook input priority 0; policy drop; };"
		               "add chain inet lab out { type filter hook output priority 0; policy drop; };", NULL});
	if (o->silent)
		return lab_run(NULL, (const char *const[]){"ip", "netns", "exec", pop, "nft", "delete", "table", "inet", "lab", NULL});
	err = lab_run(NULL, (const char *const[]){"ip", "-n", transit, "link", "set", "pop", cut ? "down" : "up", NULL});
	if (err || cut)
		return err;
	/* Routes over the link went with it. */
	snprintf(v4, sizeof(v4), "10.2.%u.1", o->region + 1);
	snprintf(v6, sizeof(v6), "fd00:2:%u::1", o->region + 1);
	if (lab_run(NULL, (const char *const[]){"ip", "-n", pop, "route", "replace", "default", "via", v4, NULL}) < 0 ||
	    lab_run(NULL, (const char *const[]){"ip", "-n", pop, "-6", "route", "replace", "default", "via", v6, NULL}) < 0)
		return ERR_INVALID;
	return 0;
}

static int fail_cut(const struct lab *l, const struct lab_drill_options *o)
{
	return set_cut(l, o, true);
}

static int mend_cut(const struct lab *l, const struct lab_drill_options *o)
{
	return set_cut(l, o, false);
}

static int fail_drain(const struct lab *l, const struct lab_drill_options *o)
{
	char dir[LAB_PATH_MAX + 32];

	pop_run_dir(l, o->region, dir, sizeof(dir));
	return lab_run(NULL, (const char *const[]){l->self, "drain", "--run-dir", dir, NULL});
}

static int mend_drain(const struct lab *l, const struct lab_drill_options *o)
{
	return control(l, o->region, "{\"command\":\"resume\"}\n");
}

static const struct drill drills[] = {
	{"kill", fail_kill, NULL, 0, 0, "the answer workers are killed; they are back on the same sockets before anybody gives up"},
	{"crash", fail_crash, mend_crash, 50, 150, "the whole node dies; its BGP sessions with it"},
	{"hang", fail_hang, mend_hang, 350, 450, "the answer workers stop without dying (--deep: and the supervisor)"},
	{"wrong", fail_wrong, mend_wrong, 350, 450, "the node answers SERVFAIL"},
	{"cut", fail_cut, mend_cut, 50, 150, "the node's link goes dark (--silent: with the carrier still up, seen by the hold time only)"},
	{"drain", fail_drain, mend_drain, 0, 0, "planned maintenance"},
};

/* ---- one run ---- */

struct run_score {
	struct meter_score family[2]; /* IPv4, IPv6 */
	double recover_ms;
};

static bool own_pop_serves(const struct lab *l, unsigned region)
{
	char want[32];

	snprintf(want, sizeof(want), "pop-%s", lab_regions[region].name);
	for (int family = 4; family <= 6; family += 2) {
		struct lab_answer a;

		lab_ask(l, region, family, "example.com", 500, &a);
		if (!a.answered || a.rcode || strcmp(a.nsid, want) != 0)
			return false;
	}
	return true;
}

static int wait_for_own_pop(const struct lab *l, unsigned region, double *took_ms)
{
	uint64_t began = clock_ns(), until = clock_ms() + RECOVER_MS;

	while (!own_pop_serves(l, region)) {
		if (clock_ms() > until)
			return -ETIMEDOUT;
		poll(NULL, 0, 50);
	}
	if (took_ms)
		*took_ms = (double)(clock_ns() - began) / 1e6;
	return 0;
}

/* Until the failure is over: no question has failed for QUIET_MS, counted from the failure at the earliest. */
static void wait_quiet(struct meter *const m[2])
{
	uint64_t began = clock_ms();

	for (;;) {
		uint64_t quiet = MIN(meter_quiet_ms(m[0]), meter_quiet_ms(m[1])), past = clock_ms() - began;

		if (past >= FAIL_WAIT_MS && (quiet == UINT64_MAX || quiet >= QUIET_MS))
			return;
		if (past >= OVER_MS)
			return;
		poll(NULL, 0, 20);
	}
}

static int run_once(const struct lab *l, const struct drill *d, const struct lab_drill_options *o, struct run_score *s)
{
	struct meter *m[2] = {NULL, NULL};
	int err = wait_for_own_pop(l, o->region, NULL), mended;

	for (int i = 0; !err && i < 2; i++)
		err = meter_start(l, o->region, i ? 6 : 4, &m[i]);
	if (!err) {
		poll(NULL, 0, CALM_MS);
		err = d->fail(l, o);
		wait_quiet(m);
	}
	for (int i = 0; i < 2; i++)
		if (m[i])
			meter_stop(m[i], &s->family[i]);
	/* Mend also after a failure that failed half-way. */
	mended = d->mend ? d->mend(l, o) : 0;
	if (!err)
		err = mended;
	if (!err)
		err = wait_for_own_pop(l, o->region, &s->recover_ms);
	return err;
}

static int order_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), order_double);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void print_run(unsigned i, const struct run_score *s)
{
	for (int f = 0; f < 2; f++)
		printf("  run %u IPv%d: gap %.0f ms, lost %u of %u, slowest answer %.0f ms, %s -> %s\n", i + 1, f ? 6 : 4, s->family[f].gap_ms,
		       s->family[f].lost, s->family[f].asked, s->family[f].late_max_ms, s->family[f].before, s->family[f].after);
	printf("         its own PoP serves again %.1f s after the mend\n", s->recover_ms / 1000);
	fflush(stdout);
}

static json_t *run_json(const struct run_score *s)
{
	json_t *o = json_pack("{s:f}", "recover_ms", s->recover_ms);

	for (int f = 0; f < 2; f++)
		json_object_set_new(o, f ? "ipv6" : "ipv4",
		                    json_pack("{s:f, s:i, s:i, s:f, s:s, s:s}", "gap_ms", s->family[f].gap_ms, "lost", (int)s->family[f].lost, "asked",
		                              (int)s->family[f].asked, "late_max_ms", s->family[f].late_max_ms, "before", s->family[f].before, "after",
		                              s->family[f].after));
	return o;
}

static void summary(const struct drill *d, const struct lab_drill_options *o, const struct run_score *scores, unsigned n)
{
	bool bird = lab_regions[o->region].router == LAB_BIRD;
	unsigned aim = bird ? d->gap_bird_ms : d->gap_frr_ms;
	double gaps[2 * RUNS_MAX];
	unsigned lost = 0;
	json_t *runs;

	for (unsigned i = 0; i < n; i++)
		for (int f = 0; f < 2; f++) {
			gaps[2 * i + (unsigned)f] = scores[i].family[f].gap_ms;
			lost += scores[i].family[f].lost;
		}
	if (o->json) {
		runs = json_array();
		for (unsigned i = 0; i < n; i++)
			json_array_append_new(runs, run_json(&scores[i]));
		runs = json_pack("{s:s, s:s, s:s, s:f, s:i, s:i, s:o}", "drill", d->name, "region", lab_regions[o->region].name, "router",
		                 bird ? "bird" : "frr", "gap_median_ms", median(gaps, 2 * n), "aim_ms", (int)aim, "lost", (int)lost, "runs", runs);
		json_dumpf(runs, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(runs);
		return;
	}
	median(gaps, 2 * n); /* sorts */
	printf("drill %s, region %s behind %s: gap median %.0f ms (min %.0f, max %.0f), %u answers lost; aim: ", d->name,
	       lab_regions[o->region].name, bird ? "BIRD" : "FRR", median(gaps, 2 * n), gaps[0], gaps[2 * n - 1], lost);
	if (aim)
		printf("below %u ms\n", aim);
	else
		printf("none lost\n");
}

int lab_drill(const struct lab *l, const struct lab_drill_options *o)
{
	static struct run_score scores[RUNS_MAX];
	const struct drill *d = NULL;
	int err = 0;

	if (strcmp(o->name, "zone") == 0)
		return lab_drill_zone(l, o);
	if (strcmp(o->name, "primary-lost") == 0)
		return lab_drill_primary(l, o);
	for (size_t i = 0; i < ARRAY_LEN(drills); i++)
		if (strcmp(drills[i].name, o->name) == 0)
			d = &drills[i];
	if (!d || !o->runs || o->runs > RUNS_MAX) {
		fprintf(stderr, "zonecast: drills are kill, crash, hang, wrong, cut, drain, zone and primary-lost, 1 to %d runs\n", RUNS_MAX);
		return ERR_INVALID;
	}
	if (!o->json)
		printf("drill %s in %s: %s\n", d->name, lab_regions[o->region].name, d->what);
	fflush(stdout);
	for (unsigned i = 0; !err && i < o->runs; i++) {
		memset(&scores[i], 0, sizeof(scores[i]));
		err = run_once(l, d, o, &scores[i]);
		if (!err && !o->json)
			print_run(i, &scores[i]);
	}
	if (err)
		fprintf(stderr, "zonecast: drill %s: %s\n", d->name, err_text(err));
	else
		summary(d, o, scores, o->runs);
	return err;
}
