/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/metrics_text.h"

#include "base/attr.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NODE_ROLES = 4, STAT_MAX = 1024, TAP_SLOT = BOARD_PROCS_MAX - 1 };

/* A process of the node: supervisor.procs has sync, watch, route, admin, then workers, at the end tap; the supervisor itself is our parent. */
struct member {
	const char *role;
	unsigned index;
	pid_t pid;
	uint64_t starts;
	const board_stamp *stamp;
};

static size_t members(const struct board *b, struct member *out)
{
	static const char *const roles[NODE_ROLES] = {"sync", "watch", "route", "admin"};
	const board_stamp *const stamps[NODE_ROLES] = {&b->sync.stamp, &b->watch.stamp, &b->route.stamp,
	                                               &b->admin.stamp};
	const struct board_process *tap = &b->supervisor.procs[TAP_SLOT];
	size_t n = 0;

	out[n++] = (struct member){"supervisor", 0, getppid(), 1, &b->supervisor.stamp};
	for (unsigned i = 0; i < NODE_ROLES + MIN(atomic_load(&b->supervisor.workers), (unsigned)BOARD_WORKERS_MAX);
	     i++) {
		const struct board_process *p = &b->supervisor.procs[i];
		bool worker = i >= NODE_ROLES;

		if (atomic_load(&p->starts))
			out[n++] = (struct member){worker ? "answer" : roles[i], worker ? i - NODE_ROLES : 0,
			                           atomic_load(&p->pid), atomic_load(&p->starts),
			                           worker ? &b->workers[i - NODE_ROLES].stamp : stamps[i]};
	}
	if (atomic_load(&tap->starts))
		out[n++] = (struct member){"tap", 0, atomic_load(&tap->pid), atomic_load(&tap->starts), &b->tap.stamp};
	return n;
}

/* CPU time and memory as the kernel tells everybody (proc(5)). False: the process is gone, or /proc is not there. */
static bool read_stat(pid_t pid, uint64_t *cpu_us, uint64_t *resident)
{
	char path[32], text[STAT_MAX], *at;
	unsigned long long user, kernel, pages;
	long tick = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strrchr(text, ')'); /* of the name, which may hold anything: field 2 */
	/* Fields 3 to 24: utime is 14, stime 15, rss 24. */
	if (!at || tick <= 0 || page <= 0 ||
	    sscanf(at + 1,
	           " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %*u %*u %llu", &user,
	           &kernel, &pages) != 3)
		return false;
	*cpu_us = (user + kernel) * 1000000U / (uint64_t)tick;
	*resident = pages * (uint64_t)page;
	return true;
}

static void processes(struct metrics *m)
{
	static struct member list[2 + NODE_ROLES + BOARD_WORKERS_MAX]; /* one thread */
	static struct {
		bool known;
		uint64_t cpu_us, resident;
	} stat[ARRAY_LEN(list)];
	size_t n = members(m->view->board, list);

	for (size_t i = 0; i < n; i++)
		stat[i].known = read_stat(list[i].pid, &stat[i].cpu_us, &stat[i].resident);
	for (enum metric f = METRIC_PROCESS_UP; f <= METRIC_PROCESS_RESIDENT_MEMORY_BYTES; f++) {
		metric_begin(m, f);
		for (size_t i = 0; i < n; i++) {
			uint64_t age = board_age_ns(list[i].stamp, m->view->now_ns);

			labels_clear(&m->labels);
			labels_add(&m->labels, "role", list[i].role);
			labels_number(&m->labels, "index", list[i].index);
			if (f == METRIC_PROCESS_UP)
				metric_put(m, list[i].pid > 0);
			else if (f == METRIC_PROCESS_STARTS_TOTAL)
				metric_put(m, list[i].starts);
			else if (f == METRIC_PROCESS_HEARTBEAT_AGE_SECONDS && age != UINT64_MAX)
				metric_put_micro(m, age / 1000);
			else if (f == METRIC_PROCESS_CPU_SECONDS_TOTAL && stat[i].known)
				metric_put_micro(m, stat[i].cpu_us);
			else if (f == METRIC_PROCESS_RESIDENT_MEMORY_BYTES && stat[i].known)
				metric_put(m, stat[i].resident);
		}
	}
}

static void events(struct metrics *m)
{
	const struct board *b = m->view->board;
	const struct board_events *const rings[] = {&b->supervisor.events, &b->sync.events, &b->watch.events,
	                                            &b->route.events};

	metric_begin(m, METRIC_EVENTS_TOTAL);
	for (unsigned k = 0; k < EVENT_KINDS; k++) {
		uint64_t sum = 0;

		for (size_t i = 0; i < ARRAY_LEN(rings); i++)
			sum += board_get(&rings[i]->kinds[k]);
		metric_put_as(m, "kind", board_event_kind_text((enum board_event_kind)k), sum);
	}
}

static void http(struct metrics *m)
{
	const struct board_http *h = &m->view->board->admin.http;
	const struct {
		const char *reason;
		const _Atomic uint64_t *n;
	} refused[] = {{"full", &h->full},
	               {"client-full", &h->client_full},
	               {"unauthorized", &h->unauthorized},
	               {"forbidden", &h->forbidden},
	               {"misdirected", &h->misdirected},
	               {"too-large", &h->too_large},
	               {"bad", &h->bad},
	               {"not-found", &h->not_found},
	               {"busy", &h->busy},
	               {"slow", &h->slow}};

	metric_one(m, METRIC_HTTP_REQUESTS_TOTAL, board_get(&h->requests));
	metric_begin(m, METRIC_HTTP_REFUSED_TOTAL);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		metric_put_as(m, "reason", refused[i].reason, board_get(refused[i].n));
	metric_one(m, METRIC_HTTP_CONNECTIONS, board_get(&h->open));
}

static void config(struct metrics *m)
{
	const struct board_supervisor *s = &m->view->board->supervisor;
	struct board_refusal refused;

	metric_one(m, METRIC_CONFIG_GENERATION, atomic_load(&s->config_generation));
	metric_one(m, METRIC_FLEET_FILE_GENERATION, atomic_load(&s->fleet_generation));
	metric_one(m, METRIC_FLEET_FILE_REFUSED,
	           board_copy(&s->refused.seq, &s->refused, &refused, sizeof(refused)) && refused.at_ns);
	metric_one(m, METRIC_FLEET_FILE_OLDER, atomic_load(&s->fleet_file_older) != 0);
}

static void captures(struct metrics *m)
{
	const struct board *b = m->view->board;
	const struct config *c = m->view->config;
	const struct {
		const char *name;
		bool configured;
		const struct board_tap_out *out;
	} ways[] = {{"dnstap", c && c->dnstap.enabled, &b->tap.dnstap}, {"query-log", c && c->query_log.enabled, &b->tap.log}};
	bool runs = atomic_load(&b->supervisor.procs[TAP_SLOT].pid) > 0;
	uint64_t taken = 0, dropped = 0;

	for (unsigned i = 0; i < MIN(atomic_load(&b->supervisor.workers), (unsigned)BOARD_WORKERS_MAX); i++) {
		taken += board_get(&b->workers[i].tapped);
		dropped += board_get(&b->workers[i].tap_dropped);
	}
	metric_begin(m, METRIC_CAPTURE_OPEN);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++)
		if (ways[i].configured)
			metric_put_as(m, "output", ways[i].name, runs && ways[i].out->state == TAP_OPEN);
	metric_begin(m, METRIC_DNSTAP_QUERIES_TOTAL);
	metric_put_as(m, "result", "taken", taken);
	metric_put_as(m, "result", "dropped", dropped);
	metric_begin(m, METRIC_DNSTAP_FRAMES_TOTAL);
	metric_put_as(m, "result", "made", board_get(&b->tap.dnstap.units));
	metric_put_as(m, "result", "lost", board_get(&b->tap.dnstap.lost));
	metric_one(m, METRIC_DNSTAP_BACKLOG_BYTES, board_get(&b->tap.waiting));
	metric_begin(m, METRIC_QUERY_LOG_LINES_TOTAL);
	metric_put_as(m, "result", "written", board_get(&b->tap.log.units));
	metric_put_as(m, "result", "lost", board_get(&b->tap.log.lost));
}

void metrics_node(struct metrics *m)
{
	const struct admin_view *f = m->view;
	const struct board *b = f->board;

	metric_begin(m, METRIC_BUILD_INFO);
	labels_add(&m->labels, "version", ZONECAST_VERSION);
	labels_number(&m->labels, "board", b->version);
	metric_put(m, 1);
	metric_begin(m, METRIC_NODE_INFO);
	labels_add(&m->labels, "node", f->node_name);
	labels_add(&m->labels, "role", !f->node ? "standalone" : f->node->role == CONFIG_PRIMARY ? "primary" : "pop");
	labels_add(&m->labels, "fleet", f->config ? f->config->fleet : "");
	metric_put(m, 1);
	metric_one_micro(m, METRIC_START_TIME_SECONDS, metric_wall_us(m, atomic_load(&b->supervisor.started_ns)));
	metric_one(m, METRIC_STOPPING, atomic_load(&b->supervisor.stopping));
	config(m);
	processes(m);
	events(m);
	metric_begin(m, METRIC_HOOKS_TOTAL);
	metric_put_as(m, "result", "started", board_get(&b->supervisor.hooks.run));
	metric_put_as(m, "result", "failed", board_get(&b->supervisor.hooks.failed));
	metric_put_as(m, "result", "killed", board_get(&b->supervisor.hooks.killed));
	metric_put_as(m, "result", "dropped", board_get(&b->supervisor.hooks.dropped));
	metric_begin(m, METRIC_HOOKS_PENDING);
	metric_put_as(m, "state", "running", atomic_load(&b->supervisor.hooks.running));
	metric_put_as(m, "state", "queued", atomic_load(&b->supervisor.hooks.queued));
	metric_begin(m, METRIC_CONTROL_REQUESTS_TOTAL);
	metric_put_as(m, "result", "taken", board_get(&b->admin.requests));
	metric_put_as(m, "result", "refused", board_get(&b->admin.refused));
	http(m);
	captures(m);
}
