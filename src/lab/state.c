/* SPDX-License-Identifier: BSD-2-Clause */
/* DIR/state holds one line for each thing made: "ns NAME", "pid PID START WHAT". START is the process's start time in clock ticks since boot, so
 * that a number that was given to somebody else's process later is never signalled. */
#include "lab/lab.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 256, STOP_MS = 8000, KILL_MS = 3000 };

static unsigned long long start_time(pid_t pid, char *state)
{
	char path[64], buf[1024];
	unsigned long long start = 0;
	const char *p;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = '\0';
	p = strrchr(buf, ')'); /* the name before it may hold anything */
	if (!p || sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", state, &start) != 2)
		return 0;
	return start;
}

static bool alive(pid_t pid, unsigned long long start)
{
	char state = 'Z';

	waitpid(pid, NULL, WNOHANG); /* ours may be waiting to be buried */
	return start_time(pid, &state) == start && state != 'Z';
}

static FILE *open_state(const struct lab *l, const char *mode)
{
	char path[LAB_PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/state", l->dir);
	return fopen(path, mode);
}

int lab_record_netns(const struct lab *l, const char *netns)
{
	FILE *f = open_state(l, "ae");

	if (!f)
		return -errno;
	fprintf(f, "ns %s\n", netns);
	return fclose(f) == 0 ? 0 : -errno;
}

int lab_record_pid(const struct lab *l, pid_t pid, const char *what)
{
	FILE *f = open_state(l, "ae");
	char state;

	if (!f)
		return -errno;
	fprintf(f, "pid %d %llu %s\n", pid, start_time(pid, &state), what);
	return fclose(f) == 0 ? 0 : -errno;
}

pid_t lab_pid_of(const struct lab *l, const char *what)
{
	FILE *f = open_state(l, "re");
	char line[LINE_MAX_LEN], name[128];
	unsigned long long start;
	pid_t found = 0;
	int pid;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "pid %d %llu %127s", &pid, &start, name) == 3 && strcmp(name, what) == 0 && alive(pid, start))
			found = pid;
	if (f)
		fclose(f);
	return found;
}

static void signal_all(const struct lab *l, int signum)
{
	FILE *f = open_state(l, "re");
	char line[LINE_MAX_LEN];
	unsigned long long start;
	int pid;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "pid %d %llu", &pid, &start) == 2 && alive(pid, start)) {
			kill(pid, SIGCONT);
			kill(pid, signum);
		}
	if (f)
		fclose(f);
}

static bool any_alive(const struct lab *l)
{
	FILE *f = open_state(l, "re");
	char line[LINE_MAX_LEN];
	unsigned long long start;
	bool any = false;
	int pid;

	while (f && fgets(line, sizeof(line), f))
		any |= sscanf(line, "pid %d %llu", &pid, &start) == 2 && alive(pid, start);
	if (f)
		fclose(f);
	return any;
}

static bool gone_within(const struct lab *l, uint64_t ms)
{
	uint64_t until = clock_ms() + ms;

	while (any_alive(l)) {
		if (clock_ms() > until)
			return false;
		poll(NULL, 0, 20);
	}
	return true;
}

void lab_remove(const struct lab *l)
{
	char line[LINE_MAX_LEN], name[64], path[LAB_PATH_MAX + 16];
	FILE *f;

	/* The second term makes a draining node stop at once; here nobody is left to drain for. */
	signal_all(l, SIGTERM);
	signal_all(l, SIGTERM);
	if (!gone_within(l, STOP_MS)) {
		signal_all(l, SIGKILL);
		gone_within(l, KILL_MS);
	}
	f = open_state(l, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "ns %63s", name) == 1 && lab_run(NULL, (const char *const[]){"ip", "netns", "del", name, NULL}) < 0)
			continue; /* gone already */
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "%s/state", l->dir);
	unlink(path);
}
