/* SPDX-License-Identifier: BSD-2-Clause */
/* Zones whose answers come from backends: the servers as watch sees them and as the workers use them, and what became of clients' questions. */
#include "admin/backends_sum.h"
#include "admin/metrics_text.h"

/* One server with all that is known of it; read once for all families. */
struct server {
	const struct config_backends *pool;
	const struct config_backend_server *conf;
	bool known;
	struct board_backend row;
	struct backends_server_sum sum;
};

static size_t read_servers(const struct metrics *m, struct server list[BOARD_BACKENDS_MAX])
{
	const struct config *c = m->view->config;
	size_t n = 0;

	for (size_t i = 0; c && i < c->backend_count; i++)
		for (size_t k = 0; k < c->backends[i].server_count && n < BOARD_BACKENDS_MAX; k++, n++) {
			struct server *s = &list[n];

			s->pool = &c->backends[i];
			s->conf = &s->pool->servers[k];
			s->known = backends_row(m->view->board, (uint32_t)n, s->pool->name, &s->conf->at, &s->row);
			backends_server_sum(m->view->board, (uint32_t)n, &s->sum);
		}
	return n;
}

static void label(struct metrics *m, const struct server *s)
{
	labels_clear(&m->labels);
	labels_add(&m->labels, "pool", s->pool->name);
	labels_add(&m->labels, "server", s->conf->name);
}

static void checks(struct metrics *m, const struct server *list, size_t n)
{
	metric_begin(m, METRIC_BACKEND_UP);
	for (size_t i = 0; i < n; i++) {
		label(m, &list[i]);
		if (list[i].known && list[i].row.up != UP_UNKNOWN)
			metric_put(m, list[i].row.up == UP_YES);
	}
	metric_begin(m, METRIC_BACKEND_LOOP);
	for (size_t i = 0; i < n; i++) {
		label(m, &list[i]);
		if (list[i].known)
			metric_put(m, list[i].row.loops != 0);
	}
	metric_begin(m, METRIC_BACKEND_CHECK_DURATION_SECONDS);
	for (size_t i = 0; i < n; i++) {
		label(m, &list[i]);
		if (list[i].known && list[i].row.passed_ns)
			metric_put_micro(m, list[i].row.latency_us);
	}
	metric_begin(m, METRIC_BACKEND_CHECKS_TOTAL);
	for (size_t i = 0; i < n; i++) {
		label(m, &list[i]);
		if (!list[i].known)
			continue;
		metric_put_as(m, "result", "passed", list[i].row.checks - list[i].row.failures);
		metric_put_as(m, "result", "failed", list[i].row.failures);
	}
}

static void questions(struct metrics *m, const struct server *list, size_t n)
{
	metric_begin(m, METRIC_BACKEND_QUESTIONS_TOTAL);
	for (size_t i = 0; i < n; i++) {
		label(m, &list[i]);
		metric_put_as(m, "result", "sent", list[i].sum.sent);
		metric_put_as(m, "result", "answered", list[i].sum.answered);
		metric_put_as(m, "result", "timeout", list[i].sum.timeouts);
		metric_put_as(m, "result", "error", list[i].sum.errors);
		metric_put_as(m, "result", "servfail", list[i].sum.servfails);
		metric_put_as(m, "result", "retried", list[i].sum.retried);
	}
	metric_begin(m, METRIC_BACKEND_OUTSTANDING);
	for (size_t i = 0; i < n; i++) {
		label(m, &list[i]);
		metric_put(m, list[i].sum.outstanding);
	}
	metric_begin(m, METRIC_BACKEND_CIRCUITS_OPEN);
	for (size_t i = 0; i < n; i++) {
		label(m, &list[i]);
		metric_put(m, list[i].sum.open);
	}
	metric_begin(m, METRIC_BACKEND_DURATION_SECONDS);
	for (size_t i = 0; i < n; i++) {
		label(m, &list[i]);
		if (list[i].sum.latency_us)
			metric_put_micro(m, list[i].sum.latency_us);
	}
}

static void clients(struct metrics *m)
{
	struct backends_sum s;

	backends_sum(m->view->board, &s);
	metric_begin(m, METRIC_BACKEND_CLIENT_QUESTIONS_TOTAL);
	labels_clear(&m->labels);
	metric_put_as(m, "result", "hit", s.hits);
	metric_put_as(m, "result", "stale", s.stale);
	metric_put_as(m, "result", "miss", s.misses);
	metric_put_as(m, "result", "joined", s.joined);
	metric_put_as(m, "result", "prefetched", s.prefetched);
	metric_put_as(m, "result", "passed", s.passed);
	metric_put_as(m, "result", "refused", s.refused);
	metric_put_as(m, "result", "loop", s.loops);
	metric_put_as(m, "result", "failed", s.failed);
	metric_put_as(m, "result", "late", s.late);
	metric_put_as(m, "result", "strange", s.strange);
	metric_put_as(m, "result", "full", s.full);
	metric_begin(m, METRIC_BACKEND_WAITING);
	labels_clear(&m->labels);
	metric_put_as(m, "what", "questions", s.under_way);
	metric_put_as(m, "what", "clients", s.waiting);
}

void metrics_backends(struct metrics *m)
{
	static struct server list[BOARD_BACKENDS_MAX]; /* large; one thread */
	size_t n = read_servers(m, list);

	checks(m, list, n);
	questions(m, list, n);
	clients(m);
}
