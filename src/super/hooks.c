/* SPDX-License-Identifier: BSD-2-Clause */
/* Hooks: programs of the operator that are run when something changes (`hooks` of the fleet file): for what zonecast does not know, such as a ticket, a
 * message, or a routing daemon that is driven by commands. They are no part of any decision: nothing waits for them, and their result changes nothing.
 *
 * The supervisor starts them, since roles may not start programs, as program.c says, with nothing in their environment but PATH and what it is about:
 *
 *	ZONECAST_EVENT       the kind of event: announce, withdraw, verdict ... (board/events.h)
 *	ZONECAST_FLEET, ZONECAST_NODE, ZONECAST_TIME (of the event, seconds since 1970)
 *	ZONECAST_LEVEL       info, warn, alert
 *	ZONECAST_NETWORK     of events of a network
 *	ZONECAST_FAMILY      ipv4, ipv6, both
 *	ZONECAST_SUBJECT     what else it is about: a neighbor, a node, a zone, a prefix, a process
 *	ZONECAST_NEIGHBOR, ZONECAST_NEIGHBOR_AS   of events of a neighbor
 *	ZONECAST_OLD, ZONECAST_NEW   the states: announced, withdrawn ...; pass, hard-fail ...; established ...
 *	ZONECAST_WHY         the sentence of `zonecast status`
 *
 * Of one hook one program runs at a time, in the order of events, so that "withdraw" never overtakes "announce"; of all at most HOOKS_RUNNING_MAX. HOOKS_QUEUE_MAX
 * events wait, further ones are dropped and counted. What runs longer than its timeout is killed with all that it started (its session's process group). The
 * end is logged with the first line it printed. At the end of the node what runs gets a moment, then it is killed.
 *
 * Events come from the rings of the board, in which every process writes what changes at the moment of the change: a state may be as short as it likes. A ring holds the last 255 and is
 * looked at every 20 ms; what is overwritten before is counted as dropped, and said.
 *
 * Limits: a value of the environment is what the board has: text of at most 240 octets, of which control characters are replaced, since some of it comes from other machines. */
#include "super/hooks.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "super/program.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOOKS_RUNNING_MAX = 4, HOOKS_QUEUE_MAX = 256, HOOKS_EVENTS_MAX = 1024 /* in one look */ };

static const enum config_event hook_event_of[EVENT_KINDS] = {
	[EVENT_ANNOUNCE] = CONFIG_ON_ANNOUNCE,       [EVENT_DE_PREFER] = CONFIG_ON_DE_PREFER,
	[EVENT_GSHUT] = CONFIG_ON_GSHUT,             [EVENT_WITHDRAW] = CONFIG_ON_WITHDRAW,
	[EVENT_BACKSTOP] = CONFIG_ON_BACKSTOP,       [EVENT_VERDICT] = CONFIG_ON_VERDICT,
	[EVENT_NEIGHBOR_UP] = CONFIG_ON_NEIGHBOR_UP, [EVENT_NEIGHBOR_DOWN] = CONFIG_ON_NEIGHBOR_DOWN,
	[EVENT_BFD] = CONFIG_ON_BFD,                 [EVENT_PEER] = CONFIG_ON_PEER,
	[EVENT_DRIFT] = CONFIG_ON_DRIFT,             [EVENT_OUTSIDE] = CONFIG_ON_OUTSIDE,
	[EVENT_RPKI] = CONFIG_ON_RPKI,               [EVENT_HIJACK] = CONFIG_ON_HIJACK,
	[EVENT_ZONE] = CONFIG_ON_ZONE,               [EVENT_PRIMARY] = CONFIG_ON_PRIMARY,
	[EVENT_PROCESS] = CONFIG_ON_PROCESS,         [EVENT_CONFIG] = CONFIG_ON_CONFIG,
	[EVENT_ORDER] = CONFIG_ON_ORDER,             [EVENT_XDP] = CONFIG_ON_XDP,
	[EVENT_BACKEND] = CONFIG_ON_BACKEND,         [EVENT_DISK] = CONFIG_ON_DISK,
	[EVENT_KEPT] = CONFIG_ON_KEPT,
	[EVENT_MAX_PREFIXES] = CONFIG_ON_MAX_PREFIXES,
	[EVENT_ENDPOINT] = CONFIG_ON_ENDPOINT,
};

struct job {
	size_t hook;        /* in the configuration of its time: of one hook one job runs at a time */
	char **argv;        /* owned, as env is */
	char **env;
	uint32_t timeout_ms;
	const char *event;
	struct program program;
};

struct hooks {
	struct board *board;
	struct board_events_cursor seen;
	bool has_plan;
	size_t hook_count;        /* of the plan in force */
	struct job *queue[HOOKS_QUEUE_MAX]; /* oldest first */
	size_t queued;
	struct job *running[HOOKS_RUNNING_MAX];
	char *account; /* of the roles, for its groups; NULL: not known */
};

static void job_free(struct job *j)
{
	if (!j)
		return;
	if (j->program.output >= 0)
		close(j->program.output);
	program_strings_free(j->argv);
	program_strings_free(j->env);
	free(j);
}

struct hooks *hooks_new(struct board *board)
{
	struct hooks *h = calloc(1, sizeof(*h));

	if (h)
		h->board = board;
	return h;
}

void hooks_set(struct hooks *h, const struct plan *plan)
{
	struct passwd *pw = plan->uid == UINT32_MAX ? NULL : getpwuid(plan->uid);

	free(h->account);
	h->account = pw ? strdup(pw->pw_name) : NULL;
	if (!plan->node)
		return;
	/* To hooks that come later what has happened before is no news. */
	if (h->has_plan && !h->hook_count)
		board_events_skip(h->board, &h->seen);
	h->has_plan = true;
	h->hook_count = plan->config->hook_count;
}

/* ---- what is to be run ---- */

/* 0: it is not in the fleet file any more. */
static uint32_t neighbor_as(const struct plan *plan, const char *address)
{
	for (size_t i = 0; i < plan->node->neighbor_count; i++) {
		char text[ADDR_TEXT_MAX];

		if (strcmp(addr_text(&plan->node->neighbors[i].address, text), address) == 0)
			return plan->node->neighbors[i].as;
	}
	return 0;
}

static char **environment(const struct plan *plan, const struct board_event *e)
{
	char **env = calloc(PROGRAM_ENV_MAX, sizeof(*env)), number[24];
	size_t n = 0;

	if (!env)
		return NULL;
	program_env_common(env, &n, plan);
	program_env(env, &n, "ZONECAST_EVENT", board_event_kind_text(e->kind));
	program_env(env, &n, "ZONECAST_LEVEL", board_event_level_text(e->level));
	snprintf(number, sizeof(number), "%llu", (unsigned long long)(e->wall_us / 1000000U));
	program_env(env, &n, "ZONECAST_TIME", number);
	program_env(env, &n, "ZONECAST_FAMILY", e->family == 4 ? "ipv4" : e->family == 6 ? "ipv6" : "both");
	if (e->network[0])
		program_env(env, &n, "ZONECAST_NETWORK", e->network);
	if (e->subject[0])
		program_env(env, &n, "ZONECAST_SUBJECT", e->subject);
	if (e->kind == EVENT_NEIGHBOR_UP || e->kind == EVENT_NEIGHBOR_DOWN || e->kind == EVENT_BFD || e->kind == EVENT_MAX_PREFIXES) {
		program_env(env, &n, "ZONECAST_NEIGHBOR", e->subject);
		snprintf(number, sizeof(number), "%u", neighbor_as(plan, e->subject));
		program_env(env, &n, "ZONECAST_NEIGHBOR_AS", number);
	}
	program_env(env, &n, "ZONECAST_OLD", e->old);
	program_env(env, &n, "ZONECAST_NEW", e->now);
	program_env(env, &n, "ZONECAST_WHY", e->why);
	return env;
}

static void drop(struct hooks *h, const struct board_event *e)
{
	struct board_hooks *b = &h->board->supervisor.hooks;

	/* Said at the first, then at every hundredth. */
	if (board_get(&b->dropped) % 100 == 0)
		log_warn("hooks event=%s note=\"%d events wait already: this one and others are dropped\"", board_event_kind_text(e->kind), HOOKS_QUEUE_MAX);
	board_add(&b->dropped, 1);
}

static void add_job(struct hooks *h, const struct plan *plan, size_t hook, const struct board_event *e)
{
	struct job *j = h->queued < HOOKS_QUEUE_MAX ? calloc(1, sizeof(*j)) : NULL;

	if (!j) {
		drop(h, e);
		return;
	}
	j->hook = hook;
	j->program.output = -1;
	j->event = board_event_kind_text(e->kind);
	j->timeout_ms = plan->config->hooks[hook].timeout_ms;
	j->argv = program_words(plan->config->hooks[hook].exec, plan->config->hooks[hook].exec_count, NULL);
	j->env = environment(plan, e);
	if (!j->argv || !j->env) {
		job_free(j);
		drop(h, e);
		return;
	}
	h->queue[h->queued++] = j;
}

static void on_event(struct hooks *h, const struct plan *plan, const struct board_event *e)
{
	const struct config *c = plan->config;

	for (size_t i = 0; i < c->hook_count; i++)
		for (size_t k = 0; k < c->hooks[i].on_count; k++)
			if (c->hooks[i].on[k] == hook_event_of[e->kind]) {
				add_job(h, plan, i, e);
				break;
			}
}

/* ---- running it ---- */

static bool start(struct hooks *h, const struct plan *plan, struct job *j, uint64_t now_ms)
{
	if (!program_start(&j->program, plan, h->account, j->argv, j->env, now_ms))
		return false;
	board_add(&h->board->supervisor.hooks.run, 1);
	return true;
}

bool hooks_ended(struct hooks *h, pid_t pid, int status)
{
	struct board_hooks *b = &h->board->supervisor.hooks;

	for (size_t i = 0; i < HOOKS_RUNNING_MAX; i++) {
		struct job *j = h->running[i];
		bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;

		if (!j || j->program.pid != pid)
			continue;
		program_ended(&j->program);
		log_line(good ? LOG_INFO : LOG_WARN, "hook=%s event=%s %s=%d took_ms=%u%s%s%s%s", j->argv[0], j->event, WIFSIGNALED(status) ? "signal" : "status",
		         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), (unsigned)(clock_ms() - j->program.started_ms),
		         j->program.killed ? " note=\"killed: it took longer than its timeout\"" : "", j->program.said[0] ? " said=\"" : "", j->program.said, j->program.said[0] ? "\"" : "");
		if (!good)
			board_add(&b->failed, 1);
		job_free(j);
		h->running[i] = NULL;
		return true;
	}
	return false;
}

static bool is_busy(const struct hooks *h, size_t hook)
{
	for (size_t i = 0; i < HOOKS_RUNNING_MAX; i++)
		if (h->running[i] && h->running[i]->hook == hook)
			return true;
	return false;
}

/* The oldest job whose hook is not running. */
static struct job *take_next(struct hooks *h)
{
	for (size_t i = 0; i < h->queued; i++) {
		struct job *j = h->queue[i];

		if (is_busy(h, j->hook))
			continue;
		h->queued--;
		memmove(&h->queue[i], &h->queue[i + 1], (h->queued - i) * sizeof(*h->queue));
		return j;
	}
	return NULL;
}

static void start_some(struct hooks *h, const struct plan *plan, uint64_t now_ms)
{
	for (size_t i = 0; i < HOOKS_RUNNING_MAX; i++) {
		struct job *j = h->running[i] ? NULL : take_next(h);

		if (!j)
			continue;
		if (start(h, plan, j, now_ms)) {
			h->running[i] = j;
			continue;
		}
		log_warn("hook=%s event=%s error=\"cannot start a process\"", j->argv[0], j->event);
		board_add(&h->board->supervisor.hooks.failed, 1);
		job_free(j);
	}
}

static void look_after(struct hooks *h, uint64_t now_ms)
{
	for (size_t i = 0; i < HOOKS_RUNNING_MAX; i++) {
		struct job *j = h->running[i];

		if (!j)
			continue;
		program_drain(&j->program);
		if (j->program.killed || now_ms - j->program.started_ms < j->timeout_ms)
			continue;
		board_add(&h->board->supervisor.hooks.killed, 1);
		program_kill(&j->program);
	}
}

static void look(struct hooks *h, const struct plan *plan)
{
	struct board_event e;
	uint64_t lost = 0;
	int role;

	if (!plan->node || !plan->config->hook_count)
		return;
	for (int i = 0; i < HOOKS_EVENTS_MAX && board_events_next(h->board, &h->seen, &lost, &e, &role); i++)
		if (e.kind < EVENT_KINDS)
			on_event(h, plan, &e);
	if (!lost)
		return;
	log_warn("hooks lost=%llu note=\"so many events came at once that these were overwritten before they were seen\"", (unsigned long long)lost);
	board_add(&h->board->supervisor.hooks.dropped, lost);
}

void hooks_tick(struct hooks *h, const struct plan *plan, uint64_t now_ms)
{
	struct board_hooks *b = &h->board->supervisor.hooks;
	uint32_t running = 0;

	look(h, plan);
	look_after(h, now_ms);
	start_some(h, plan, now_ms);
	for (size_t i = 0; i < HOOKS_RUNNING_MAX; i++)
		running += h->running[i] != NULL;
	atomic_store(&b->running, running);
	atomic_store(&b->queued, (uint32_t)h->queued);
}

bool hooks_idle(const struct hooks *h)
{
	for (size_t i = 0; i < HOOKS_RUNNING_MAX; i++)
		if (h->running[i])
			return false;
	return h->queued == 0;
}

void hooks_free(struct hooks *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < HOOKS_RUNNING_MAX; i++)
		if (h->running[i]) {
			log_warn("hook=%s event=%s note=\"killed: the node ends\"", h->running[i]->argv[0], h->running[i]->event);
			program_kill(&h->running[i]->program);
			job_free(h->running[i]);
		}
	for (size_t i = 0; i < h->queued; i++)
		job_free(h->queue[i]);
	free(h->account);
	free(h);
}
