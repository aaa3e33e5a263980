/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/children.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "super/doors.h"
#include "super/events.h"
#include "super/express.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	/* A supervisor that was itself kept from running cannot judge the others' heartbeats in that round. */
	CHECK_LATE_MS = 60,
	STARVED_CPU_MS = 20,  /* who gets less than this while it is late has not had its chance */
	STARVED_MOST_MS = 2000,
};

struct child *children_find(struct children *all, enum board_role kind, unsigned index)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->child[i].kind == kind && all->child[i].index == index)
			return &all->child[i];
	return NULL;
}

static void write_pids(const struct children *all)
{
	char tmp[ROLE_PATH_MAX + 8];
	FILE *f;

	snprintf(tmp, sizeof(tmp), "%s.new", all->pids_path);
	f = fopen(tmp, "we");
	if (!f)
		return;
	fprintf(f, "supervisor 0 %d\n", getpid());
	for (size_t i = 0; i < all->count; i++)
		if (all->child[i].pid)
			fprintf(f, "%s %u %d\n", board_role_text(all->child[i].kind), all->child[i].index, all->child[i].pid);
	if (fclose(f) == 0 && rename(tmp, all->pids_path) < 0)
		log_warn("pids file=%s error=\"%s\"", all->pids_path, err_text(-errno));
}

/* Workers fill the kernel's answer cache; sync invalidates, and admin what is purged. */
static bool may_have(const struct child *c, unsigned map)
{
	return c->kind == ROLE_ANSWER || ((c->kind == ROLE_SYNC || c->kind == ROLE_ADMIN) && map < 2);
}

/* What is made anew for each life of a child: its AF_XDP sockets, which the supervisor does not keep. */
struct fresh {
	struct role_ring ring[ROLE_RINGS_MAX];
	uint32_t count;
};

static void fresh_close(const struct fresh *f)
{
	for (uint32_t i = 0; i < f->count; i++)
		close(f->ring[i].fd);
}

int children_bundle(const struct children *all, enum board_role kind)
{
	const struct children_bundles *b = &all->bundles;

	switch (kind) {
	case ROLE_ANSWER:
		return b->answer_fd;
	case ROLE_SYNC:
		return b->zones_fd;
	case ROLE_WATCH:
		return b->watch_fd;
	case ROLE_ADMIN:
		return b->admin_fd;
	case ROLE_TAP:
		return b->tap_fd;
	default:
		return b->config_fd;
	}
}

static int make_brief(const struct children *all, const struct child *c, int channel, const struct fresh *fresh, int *out)
{
	const struct plan *p = all->plan;
	struct role_brief *b = calloc(1, sizeof(*b));
	int fd = memfd_create("zonecast-brief", MFD_CLOEXEC), err = 0;
	uint32_t paths;

	if (!b || fd < 0) {
		err = b ? -errno : ERR_NO_MEMORY;
		free(b);
		if (fd >= 0)
			close(fd);
		return err;
	}
	b->size = sizeof(*b);
	b->kind = c->kind;
	b->index = c->index;
	b->board_fd = all->board_fd;
	b->config_fd = children_bundle(all, c->kind);
	b->supervisor_fd = channel;
	b->rate_fd = c->kind == ROLE_ANSWER ? all->rate_fd : -1;
	b->rate_len = all->rate_len;
	for (unsigned i = 0; i < ARRAY_LEN(b->xdp_fd); i++)
		b->xdp_fd[i] = may_have(c, i) ? all->xdp_fd[i] : -1;
	b->journal_fd = c->kind == ROLE_SYNC ? all->journal_fd : -1;
	b->sample_fd = c->kind == ROLE_ANSWER || c->kind == ROLE_ADMIN || c->kind == ROLE_TAP ? all->sample_fd : -1;
	b->tap_fd = c->kind == ROLE_ANSWER || c->kind == ROLE_TAP ? all->tap_fd : -1;
	b->backend_cache_fd = c->kind == ROLE_ANSWER || c->kind == ROLE_ADMIN ? all->backend_cache_fd : -1;
	b->handover_fd = c->kind == ROLE_ANSWER ? all->handover[c->index][0] : -1;
	b->status_fd = c->kind == ROLE_ANSWER ? all->status[0] : c->kind == ROLE_WATCH ? all->status[1] : -1;
	b->workers = p->workers;
	b->log_level = all->log_level;
	b->log_format = log_get_format();
	b->log_fixed = all->log_fixed;
	b->uid = p->uid;
	b->gid = p->gid;
	b->control_gid = p->control_gid;
	b->keep_dac_read = p->keep_dac_read;
	snprintf(b->node, sizeof(b->node), "%s", p->node_name);
	snprintf(b->config_path, sizeof(b->config_path), "%s", p->config ? p->config->path : "");
	snprintf(b->zones_dir, sizeof(b->zones_dir), "%s", all->zones_dir ? all->zones_dir : "");
	snprintf(b->state_dir, sizeof(b->state_dir), "%s", p->state_dir);
	snprintf(b->run_dir, sizeof(b->run_dir), "%s", p->run_dir);
	/* Relative: roles start in the store's folder, which their account may enter even where it may not walk the path to it. */
	snprintf(b->store_path, sizeof(b->store_path), "zones.store");
	if (c->kind == ROLE_ANSWER)
		b->socket_count = sockets_of_worker(all->sockets, c->index, b->sockets);
	if (c->kind == ROLE_ROUTE)
		b->socket_count = doors_sockets(all->doors, b->sockets);
	if (c->kind == ROLE_WATCH)
		b->socket_count = sockets_of_status(all->sockets, b->sockets);
	if (c->kind == ROLE_SYNC) {
		for (unsigned i = 0; i < p->workers; i++)
			b->sockets[b->socket_count++] = (struct role_socket){.fd = all->handover[i][1], .kind = ROLE_SOCKET_HANDOVER};
		b->allow_transfer_count = (uint32_t)MIN(all->allow_transfer_count, (size_t)ROLE_PREFIXES_MAX);
		for (uint32_t i = 0; i < b->allow_transfer_count; i++)
			b->allow_transfer[i] = all->allow_transfer[i];
	}
	paths = express_paths(all->express, b->paths, b->probe_key);
	if (c->kind == ROLE_WATCH)
		b->path_count = paths;
	memcpy(b->rings, fresh->ring, sizeof(b->rings));
	b->ring_count = fresh->count;
	if (c->kind == ROLE_ADMIN) {
		b->sockets[0] = (struct role_socket){.fd = all->control_fd, .kind = ROLE_SOCKET_CONTROL};
		b->socket_count = 1 + doors_sockets(all->web, b->sockets + 1);
	}
	if (pwrite(fd, b, sizeof(*b), 0) != (ssize_t)sizeof(*b))
		err = -EIO;
	free(b);
	if (err) {
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

static void inherit(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

static void inherit_status(const struct socket_set *set)
{
	struct role_socket sockets[ROLE_SOCKETS_MAX];
	uint32_t n = sockets_of_status(set, sockets);

	for (uint32_t i = 0; i < n; i++)
		inherit(sockets[i].fd);
}

/* Between fork and exec: only calls that are safe there. */
static NORETURN void become(const struct children *all, const struct child *c, const struct fresh *fresh, int brief, int channel)
{
	char number[16];
	char *argv[] = {"zonecast", "role", (char *)(uintptr_t)board_role_text(c->kind), number, NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir(all->store_dir) < 0)
		_exit(126);
	inherit(brief);
	inherit(channel);
	inherit(all->board_fd);
	inherit(children_bundle(all, c->kind));
	if (c->kind == ROLE_ADMIN)
		inherit(all->control_fd);
	if (c->kind == ROLE_SYNC)
		inherit(all->journal_fd);
	for (uint32_t i = 0; i < fresh->count; i++)
		inherit(fresh->ring[i].fd);
	if (c->kind == ROLE_WATCH) {
		struct role_path paths[ROLE_PATHS_MAX];
		uint8_t key[8];
		uint32_t n = express_paths(all->express, paths, key);

		inherit(all->status[1]);
		inherit_status(all->sockets);
		for (uint32_t i = 0; i < n; i++)
			inherit(paths[i].fd);
	}
	for (unsigned i = 0; i < ARRAY_LEN(all->xdp_fd); i++)
		if (may_have(c, i))
			inherit(all->xdp_fd[i]);
	if (c->kind == ROLE_ADMIN || c->kind == ROLE_ANSWER || c->kind == ROLE_TAP)
		inherit(all->sample_fd);
	if (c->kind == ROLE_ANSWER || c->kind == ROLE_TAP)
		inherit(all->tap_fd);
	if (c->kind == ROLE_ANSWER || c->kind == ROLE_ADMIN)
		inherit(all->backend_cache_fd);
	if (c->kind == ROLE_ANSWER) {
		struct role_socket sockets[ROLE_SOCKETS_MAX];
		uint32_t n = sockets_of_worker(all->sockets, c->index, sockets);

		inherit(all->rate_fd);
		inherit(all->handover[c->index][0]);
		inherit(all->status[0]);
		for (uint32_t i = 0; i < n; i++)
			inherit(sockets[i].fd);
	}
	if (c->kind == ROLE_ROUTE || c->kind == ROLE_ADMIN) {
		struct role_socket sockets[DOORS_MAX];
		uint32_t n = doors_sockets(c->kind == ROLE_ROUTE ? all->doors : all->web, sockets);

		for (uint32_t i = 0; i < n; i++)
			inherit(sockets[i].fd);
	}
	for (unsigned i = 0; c->kind == ROLE_SYNC && i < all->plan->workers; i++)
		inherit(all->handover[i][1]);
	snprintf(number, sizeof(number), "%d", brief);
	execv("/proc/self/exe", argv);
	_exit(127);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct child *c = poll->data;
	struct role_message *m = calloc(1, sizeof(*m));
	int fd = -1, got = 1;

	(void)status;
	(void)events;
	while (m && c->channel >= 0 && (got = role_receive(c->channel, m, &fd)) == 1) {
		c->attached = fd;
		c->all->on_message(c->all->ctx, c, m);
		c->attached = -1;
		if (fd >= 0)
			close(fd);
	}
	if (got < 0 && c->poll)
		uv_poll_stop(c->poll); /* its end will be reaped */
	free(m);
}

static void free_poll(uv_handle_t *h)
{
	free(h);
}

static void channel_close(struct child *c)
{
	if (c->poll) {
		uv_poll_stop(c->poll);
		uv_close((uv_handle_t *)c->poll, free_poll);
		c->poll = NULL;
	}
	if (c->channel >= 0)
		close(c->channel);
	c->channel = -1;
}

static int start(struct child *c)
{
	struct children *all = c->all;
	struct fresh fresh = {.count = 0};
	int pair[2], brief = -1, err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -errno;
	if (c->kind == ROLE_ANSWER)
		fresh.count = express_rings(all->express, c->index, fresh.ring);
	err = make_brief(all, c, pair[1], &fresh, &brief);
	if (err < 0) {
		fresh_close(&fresh);
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	pid = fork();
	if (pid == 0)
		become(all, c, &fresh, brief, pair[1]);
	err = pid < 0 ? -errno : 0;
	fresh_close(&fresh);
	close(brief);
	close(pair[1]);
	if (err) {
		close(pair[0]);
		return err;
	}
	c->pid = pid;
	c->channel = pair[0];
	c->started_ns = clock_ns();
	c->killed = false;
	if (c->fell)
		super_event_restarted(all->board, c->kind, c->index);
	c->fell = false;
	c->restart_at_ms = 0;
	c->poll = calloc(1, sizeof(*c->poll));
	if (c->poll) {
		uv_poll_init(all->loop, c->poll, c->channel);
		c->poll->data = c;
		uv_poll_start(c->poll, UV_READABLE | UV_DISCONNECT, on_channel);
	}
	atomic_store(&c->shown->pid, pid);
	atomic_fetch_add(&c->shown->starts, 1);
	atomic_store(&c->shown->started_ns, c->started_ns);
	write_pids(all);
	return 0;
}

int children_add(struct children *all, enum board_role kind, unsigned index)
{
	struct child *c = &all->child[all->count];
	size_t slot = kind == ROLE_ANSWER ? (size_t)ROLE_ADMIN - ROLE_SYNC + 1 + index : kind == ROLE_TAP ? BOARD_PROCS_MAX - 1 : (size_t)kind - ROLE_SYNC;

	if (all->count == CHILDREN_MAX || slot >= BOARD_PROCS_MAX)
		return ERR_LIMIT;
	*c = (struct child){.all = all, .kind = kind, .index = index, .channel = -1, .wanted = true,
	                    .shown = &all->board->supervisor.procs[slot]};
	all->count++;
	return start(c);
}

int children_want(struct children *all, enum board_role kind, bool wanted)
{
	struct child *c = children_find(all, kind, 0);

	if (!c)
		return wanted ? children_add(all, kind, 0) : 0;
	if (wanted == c->wanted)
		return 0;
	if (!wanted) {
		child_stop(c);
		return 0;
	}
	c->wanted = true;
	c->quick_ends = 0;
	c->restart_at_ms = 0; /* one that is still about to end is started anew when it has (children_check()) */
	return c->pid ? 0 : start(c);
}

static board_stamp *stamp_of(struct children *all, const struct child *c)
{
	switch (c->kind) {
	case ROLE_ANSWER:
		return &all->board->workers[c->index].stamp;
	case ROLE_SYNC:
		return &all->board->sync.stamp;
	case ROLE_WATCH:
		return &all->board->watch.stamp;
	case ROLE_ROUTE:
		return &all->board->route.stamp;
	case ROLE_ADMIN:
		return &all->board->admin.stamp;
	case ROLE_TAP:
		return &all->board->tap.stamp;
	case ROLE_SUPERVISOR:
	case ROLE_COUNT:
		break;
	}
	return NULL;
}

/* What a dead reader had pinned is not read any more. */
static void unpin(struct children *all, const struct child *c)
{
	if (c->kind == ROLE_ANSWER)
		atomic_store(&all->board->workers[c->index].pin, UINT64_MAX);
	else if (c->kind == ROLE_WATCH) {
		atomic_store(&all->board->watch.pin, UINT64_MAX);
		for (size_t i = 0; i < BOARD_DRIFT_PINS; i++)
			atomic_store(&all->board->watch.drift_pins[i], UINT64_MAX);
	} else if (c->kind == ROLE_ADMIN)
		atomic_store(&all->board->admin.pin, UINT64_MAX);
}

static void ended(struct child *c, int status)
{
	uint64_t now = clock_ns();
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	uint64_t wait_ms = 0;

	atomic_store(&c->shown->pid, 0);
	atomic_store(&c->shown->last_status, status);
	c->pid = 0;
	channel_close(c);
	unpin(c->all, c);
	if (now - c->started_ns >= (uint64_t)CHILD_QUICK_MS * 1000000U)
		c->quick_ends = 0;
	else if (!c->told)
		c->quick_ends++;
	if (c->quick_ends > 1 && !c->told) {
		wait_ms = (uint64_t)CHILD_BACKOFF_MS << MIN(c->quick_ends - 2, 7U);
		wait_ms = MIN(wait_ms, (uint64_t)CHILD_BACKOFF_MAX_MS);
	}
	c->told = false;
	c->restart_at_ms = now / 1000000U + wait_ms;
	c->fell = c->wanted && !clean;
	if (c->fell)
		super_event_ended(c->all->board, c->kind, c->index, status, c->killed ? c->hung_ms : 0, (uint32_t)wait_ms);
	if (c->fell)
		log_err("process=%s index=%u ended %s=%d restart_in_ms=%u", board_role_text(c->kind), c->index,
		        WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
		        (unsigned)wait_ms);
	if (c->all->on_end)
		c->all->on_end(c->all->ctx, c, status);
	if (c->wanted && !wait_ms) {
		int err = start(c);

		if (err < 0) {
			c->restart_at_ms = now / 1000000U + CHILD_BACKOFF_MAX_MS;
			log_err("process=%s index=%u start error=\"%s\"", board_role_text(c->kind), c->index, err_text(err));
		}
	}
	write_pids(c->all);
}

void children_reap(struct children *all)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		size_t i = 0;

		while (i < all->count && all->child[i].pid != pid)
			i++;
		if (i < all->count)
			ended(&all->child[i], status);
		else if (all->on_stranger)
			all->on_stranger(all->ctx, pid, status);
	}
}

/* State letter and CPU time of a process's first thread. False: not known. */
static bool read_process(pid_t pid, char *state, uint64_t *cpu_ns)
{
	char path[48], text[512];
	const char *end;
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	f = fopen(path, "re");
	ok = f && fscanf(f, "%" SCNu64, cpu_ns) == 1;
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = ok ? fopen(path, "re") : NULL;
	ok = f && fgets(text, sizeof(text), f);
	if (f)
		fclose(f);
	end = ok ? strrchr(text, ')') : NULL; /* of the name, which may hold anything */
	if (!end || end[1] != ' ' || !end[2])
		return false;
	*state = end[2];
	return true;
}

/* Late because it wants to run and gets no CPU, or waits for pages of the disk, not because it hangs: the machine is short of them, or it is throttled. To kill it would cost more.
 * Who sleeps, is stopped, or runs without coming round to its heartbeat hangs. Route judges heartbeats for itself. */
static bool starved(struct child *c, uint64_t since, uint64_t age_ms)
{
	uint64_t cpu_ns;
	char state;

	if (age_ms > STARVED_MOST_MS || !read_process(c->pid, &state, &cpu_ns) || (state != 'R' && state != 'D'))
		return false;
	if (c->late_since != since) {
		c->late_since = since;
		c->late_cpu_ns = cpu_ns;
	}
	return cpu_ns - c->late_cpu_ns < (uint64_t)STARVED_CPU_MS * 1000000U;
}

static void check_one(struct children *all, struct child *c, uint64_t now)
{
	uint64_t stamp = atomic_load(stamp_of(all, c));
	bool worker = c->kind == ROLE_ANSWER;
	uint64_t loop = worker ? atomic_load(&all->board->workers[c->index].loop) : stamp, limit_ms, since, age_ms;

	if (!c->pid) {
		if (c->wanted && now / 1000000U >= c->restart_at_ms && start(c) < 0)
			c->restart_at_ms = now / 1000000U + CHILD_BACKOFF_MAX_MS;
		return;
	}
	/* What a worker prepares between its first heartbeat and its loop (tables, TLS, the sandbox) takes tens of milliseconds of CPU, and on a busy machine many times that: more than its limit. Others have seconds. */
	if (stamp > c->started_ns && loop > c->started_ns) {
		/* Who was told to end has connections to close, and closes them without a heartbeat. */
		limit_ms = worker && c->wanted && !c->told ? WORKER_HANG_MS : ROLE_HANG_MS;
		since = MAX(stamp, loop);
	} else {
		limit_ms = worker ? WORKER_STARTUP_MS : CHILD_STARTUP_MS;
		since = MAX(c->started_ns, stamp);
	}
	age_ms = now > since ? (now - since) / 1000000U : 0;
	if (c->killed || age_ms < limit_ms * ROLE_PATIENCE || starved(c, since, age_ms))
		return;
	/* Who was late and asleep when it was looked at may have come round in between: on a busy machine this process waits between its own two looks, too. */
	if (atomic_load(stamp_of(all, c)) != stamp)
		return;
	c->killed = true;
	c->hung_ms = (uint32_t)age_ms;
	log_err("process=%s index=%u pid=%d hangs heartbeat_age_ms=%u action=kill", board_role_text(c->kind), c->index, c->pid,
	        (unsigned)age_ms);
	kill(c->pid, SIGKILL);
}

void children_check(struct children *all)
{
	uint64_t now = clock_ns(), last = all->checked_ns;

	all->checked_ns = now;
	if (last && now - last > (uint64_t)CHECK_LATE_MS * 1000000U)
		return;
	for (size_t i = 0; i < all->count; i++)
		check_one(all, &all->child[i], now);
}

int child_send(struct child *c, const struct role_message *m, int attach_fd)
{
	return c->channel < 0 ? ERR_CLOSED : role_send(c->channel, m, attach_fd);
}

void child_renew(struct child *c)
{
	struct role_message m = {.kind = ROLE_RELOAD};

	if (!c->pid)
		return;
	c->told = true;
	if (child_send(c, &m, -1) < 0)
		child_kill(c);
}

void child_stop(struct child *c)
{
	struct role_message m = {.kind = ROLE_STOP};

	c->wanted = false;
	if (c->pid && child_send(c, &m, -1) < 0)
		child_kill(c);
}

void child_kill(struct child *c)
{
	if (c->pid)
		kill(c->pid, SIGKILL);
}

bool children_any_alive(const struct children *all)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->child[i].pid)
			return true;
	return false;
}
