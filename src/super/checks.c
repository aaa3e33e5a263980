/* SPDX-License-Identifier: BSD-2-Clause */
/* Checks of endpoints by programs of the operator. Watch may start none: it asks for one by the names of pool and endpoint, and what is run is what stands in the fleet file in force for
 * them, so that a watch that has been taken over cannot have anything else run. The endpoint's address (or the target's name) is the last argument, and stands in the environment:
 *
 *	ZONECAST_POOL, ZONECAST_ENDPOINT, ZONECAST_ADDRESS, ZONECAST_FLEET, ZONECAST_NODE, PATH
 *
 * Exit code 0 is up. The first line that it prints is the reason that status shows when it is not. What runs longer than the check's timeout is killed with all that it has started, and counts as a
 * failure; what a program that has ended leaves behind is killed, too: checks come again and again, and it would become more with each. At most CHECKS_RUNNING run at a time, CHECKS_WAITING wait; what is asked for beyond that is not run, which counts for nothing (ERR_LIMIT).
 *
 * Where so many wait that watch asks for an endpoint again, because it takes its first question for lost, that is the same question: it keeps its place, and what comes of it is told under the new id. Else results
 * would come too late for whoever asked as soon as there is more to run than CHECKS_RUNNING can, and no endpoint would have any. */
#include "super/checks.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "dns/name.h"
#include "super/program.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { CHECKS_RUNNING = 8, CHECKS_WAITING = 256 };

struct asked {
	uint32_t id;
	char pool[CONFIG_NAME_MAX + 1], endpoint[CONFIG_NAME_MAX + 1];
};

struct checks {
	void (*told)(void *ctx, const struct role_message *m);
	void *ctx;
	char *account; /* of the roles; NULL: not known */
	struct asked waiting[CHECKS_WAITING]; /* oldest first */
	size_t waiting_count;
	struct running {
		struct asked asked;
		uint32_t timeout_ms;
		struct program program;
	} running[CHECKS_RUNNING];
};

struct checks *checks_new(void (*told)(void *ctx, const struct role_message *m), void *ctx)
{
	struct checks *c = calloc(1, sizeof(*c));

	if (c) {
		c->told = told;
		c->ctx = ctx;
	}
	return c;
}

void checks_set(struct checks *c, const struct plan *plan)
{
	const struct passwd *pw = plan->uid == UINT32_MAX ? NULL : getpwuid(plan->uid);

	free(c->account);
	c->account = pw ? strdup(pw->pw_name) : NULL;
}

static void answer(const struct checks *c, uint32_t id, int32_t result, const char *said)
{
	struct role_message m = {.kind = ROLE_CHECKED, .id = id, .result = result};

	m.text_len = (uint32_t)snprintf(m.text, sizeof(m.text), "%s", said);
	c->told(c->ctx, &m);
}

/* "POOL\nENDPOINT" */
static bool read_asked(const struct role_message *m, struct asked *out)
{
	size_t len = MIN((size_t)m->text_len, sizeof(m->text));
	const char *cut = memchr(m->text, '\n', len);
	size_t pool = cut ? (size_t)(cut - m->text) : 0, endpoint = cut ? len - pool - 1 : 0;

	if (!pool || !endpoint || pool > CONFIG_NAME_MAX || endpoint > CONFIG_NAME_MAX)
		return false;
	*out = (struct asked){.id = m->id};
	memcpy(out->pool, m->text, pool);
	memcpy(out->endpoint, cut + 1, endpoint);
	return true;
}

static bool is_same(const struct asked *a, const struct asked *b)
{
	return strcmp(a->pool, b->pool) == 0 && strcmp(a->endpoint, b->endpoint) == 0;
}

/* What runs or waits for the same endpoint; NULL: nothing does. */
static struct asked *find_asked(struct checks *c, const struct asked *a)
{
	for (size_t i = 0; i < CHECKS_RUNNING; i++)
		if (c->running[i].program.pid && is_same(&c->running[i].asked, a))
			return &c->running[i].asked;
	for (size_t i = 0; i < c->waiting_count; i++)
		if (is_same(&c->waiting[i], a))
			return &c->waiting[i];
	return NULL;
}

void checks_ask(struct checks *c, const struct plan *plan, const struct role_message *m)
{
	struct asked a, *before;
	bool valid = plan->node && read_asked(m, &a);

	before = valid ? find_asked(c, &a) : NULL;
	if (before)
		before->id = a.id;
	else if (valid && c->waiting_count < CHECKS_WAITING)
		c->waiting[c->waiting_count++] = a;
	else
		answer(c, m->id, ERR_LIMIT, "");
}

static const struct config_pool *find(const struct plan *plan, const struct asked *a, const struct config_pool_endpoint **endpoint)
{
	const struct config *c = plan->config;

	for (size_t i = 0; plan->node && i < c->pool_count; i++) {
		const struct config_pool *p = &c->pools[i];

		for (size_t k = 0; strcmp(p->name, a->pool) == 0 && k < p->endpoint_count; k++)
			if (strcmp(p->endpoints[k].name, a->endpoint) == 0 && p->check.type == CONFIG_CHECK_EXEC && p->check.exec_count) {
				*endpoint = &p->endpoints[k];
				return p;
			}
	}
	return NULL;
}

static void start(struct checks *c, const struct plan *plan, const struct asked *a, struct running *r, uint64_t now_ms)
{
	const struct config_pool_endpoint *e;
	const struct config_pool *p = find(plan, a, &e);
	char address[NAME_TEXT_MAX], **env = calloc(PROGRAM_ENV_MAX, sizeof(*env)), **argv = NULL;
	size_t n = 0;

	if (!p || !env) {
		/* It is in the file no more: whoever asked is about to know. */
		free(env);
		answer(c, a->id, ERR_LIMIT, "");
		return;
	}
	if (e->address.family)
		addr_text(&e->address, address);
	else
		name_to_text(e->target, address);
	program_env_common(env, &n, plan);
	program_env(env, &n, "ZONECAST_POOL", a->pool);
	program_env(env, &n, "ZONECAST_ENDPOINT", a->endpoint);
	program_env(env, &n, "ZONECAST_ADDRESS", address);
	argv = program_words(p->check.exec, p->check.exec_count, address);
	if (argv && program_start(&r->program, plan, c->account, argv, env, now_ms)) {
		r->asked = *a;
		r->timeout_ms = p->check.timeout_ms;
	} else {
		log_warn("pool=%s endpoint=%s error=\"cannot start a process\"", a->pool, a->endpoint);
		answer(c, a->id, ERR_LIMIT, "");
	}
	program_strings_free(argv);
	program_strings_free(env);
}

void checks_tick(struct checks *c, const struct plan *plan, uint64_t now_ms)
{
	for (size_t i = 0; i < CHECKS_RUNNING; i++) {
		struct running *r = &c->running[i];

		if (r->program.pid) {
			program_drain(&r->program);
			if (!r->program.killed && now_ms - r->program.started_ms >= r->timeout_ms)
				program_kill(&r->program);
		} else if (c->waiting_count) {
			const struct asked a = c->waiting[0];

			memmove(&c->waiting[0], &c->waiting[1], --c->waiting_count * sizeof(c->waiting[0]));
			start(c, plan, &a, r, now_ms);
		}
	}
}

bool checks_ended(struct checks *c, pid_t pid, int status)
{
	for (size_t i = 0; i < CHECKS_RUNNING; i++) {
		struct running *r = &c->running[i];
		char why[PROGRAM_SAID_MAX];

		if (!r->program.pid || r->program.pid != pid)
			continue;
		program_sweep(&r->program);
		program_ended(&r->program);
		if (r->program.killed) {
			snprintf(why, sizeof(why), "its program did not end within %u ms", r->timeout_ms);
			answer(c, r->asked.id, -ETIMEDOUT, why);
		} else if (WIFSIGNALED(status)) {
			snprintf(why, sizeof(why), "its program was ended by signal %d", WTERMSIG(status));
			answer(c, r->asked.id, -EINTR, why);
		} else if (WEXITSTATUS(status) == 127 && !r->program.said[0]) {
			answer(c, r->asked.id, 127, "its program cannot be run");
		} else {
			answer(c, r->asked.id, WEXITSTATUS(status), r->program.said);
		}
		return true;
	}
	return false;
}

void checks_free(struct checks *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CHECKS_RUNNING; i++)
		if (c->running[i].program.pid) {
			program_kill(&c->running[i].program);
			program_ended(&c->running[i].program);
		}
	free(c->account);
	free(c);
}
