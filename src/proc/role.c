/* SPDX-License-Identifier: BSD-2-Clause */
/* What every role process does first and shares with the others: adopt the brief, die with the supervisor, give privileges up, beat
 * the heart, hear the supervisor.
 *
 * Order in role_enter() matters: the parent-death signal is set after the last change of credentials, since the kernel clears it
 * there (prctl(2)), and the parent is looked at again after that, since it may have died before. */
#include "proc/role.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proc/bundle.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static NORETURN void refuse(const char *what, int err)
{
	log_err("role what=\"%s\" error=\"%s\"", what, err_text(err));
	_exit(1);
}

static void drop_privileges(const struct role_brief *b)
{
	bool keep = b->kind == ROLE_SYNC && b->keep_dac_read;

	if (b->uid != UINT32_MAX) {
		capng_clear(CAPNG_SELECT_BOTH);
		if (keep)
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_READ_SEARCH);
		if (capng_change_id((int)b->uid, (int)b->gid, CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING) != 0)
			refuse("cannot drop privileges", -EPERM);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		refuse("cannot set no_new_privs", -errno);
}

static board_stamp *stamp_of(struct board *board, const struct role_brief *b)
{
	switch ((enum board_role)b->kind) {
	case ROLE_ANSWER:
		return b->index < BOARD_WORKERS_MAX ? &board->workers[b->index].stamp : NULL;
	case ROLE_SYNC:
		return &board->sync.stamp;
	case ROLE_WATCH:
		return &board->watch.stamp;
	case ROLE_ROUTE:
		return &board->route.stamp;
	case ROLE_ADMIN:
		return &board->admin.stamp;
	case ROLE_TAP:
		return &board->tap.stamp;
	case ROLE_SUPERVISOR:
	case ROLE_COUNT:
		break;
	}
	return NULL;
}

/* Read the configuration in a bundle; on failure the reasons are logged. */
static int config_from_bundle(const struct role_brief *b, int fd, struct bundle **bundle, struct config **config,
                              const struct config_node **node)
{
	struct bundle *bu = NULL;
	struct config *c = NULL;
	const struct config_node *n;
	struct diag diag;
	const char *name;
	const void *yaml, *hash;
	size_t len = 0;
	int err = bundle_open(fd, &bu);

	if (err < 0)
		return err;
	diag_init(&diag);
	yaml = bundle_first(bu, &name, &len);
	err = yaml ? config_parse(name, yaml, len, &diag, &c) : ERR_MALFORMED;
	diag_done(&diag);
	hash = bundle_get(bu, ROLE_ITEM_HASH, &len);
	if (err == 0 && hash && len == sizeof(c->hash))
		memcpy(c->hash, hash, len);
	/* A worker is told of no node but its own. */
	bundle_rest(bu);
	n = err < 0 ? NULL : b->kind == ROLE_ANSWER ? &c->nodes[0] : config_node_find(c, b->node);
	if (!n) {
		config_free(c);
		bundle_free(bu);
		return err < 0 ? err : ERR_NOT_FOUND;
	}
	if (!b->log_fixed)
		log_set_format((enum log_format)c->log.format);
	*bundle = bu;
	*config = c;
	*node = n;
	return 0;
}

struct role *role_enter(int brief_fd)
{
	static const char *const none = "role";
	struct role *role = calloc(1, sizeof(*role));
	pid_t parent = getppid();
	struct role_brief *b;
	int err;

	log_setup(none, LOG_INFO);
	if (!role)
		refuse("cannot start", ERR_NO_MEMORY);
	b = &role->brief;
	if (pread(brief_fd, b, sizeof(*b), 0) != (ssize_t)sizeof(*b) || b->size != sizeof(*b))
		refuse("this verb is for the supervisor's use only: no brief", ERR_MALFORMED);
	close(brief_fd);
	log_setup(board_role_text(b->kind), (enum log_level)b->log_level);
	log_set_format((enum log_format)b->log_format);
	err = board_attach(b->board_fd, &role->board);
	if (err < 0)
		refuse("cannot map the board", err);
	role->stamp = stamp_of(role->board, b);
	if (!role->stamp)
		refuse("no such role", ERR_MALFORMED);
	if (b->config_fd >= 0) {
		err = config_from_bundle(b, b->config_fd, &role->bundle, &role->config, &role->node);
		if (err < 0)
			refuse("cannot read the configuration handed over", err);
	}
	/* For the thread of BFD, which inherits it from the loop's; that one gives it up once both run (route_main.c), and then nobody can have it any
	 * more. Where it is not allowed the thread says so. */
	if (b->kind == ROLE_ROUTE)
		(void)sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = ROLE_PRIORITY});
	drop_privileges(b);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		refuse("cannot tie life to the supervisor", -errno);
	if (getppid() != parent || parent == 1)
		_exit(0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NAME, "zonecast", 0, 0, 0); /* the kernel would say "exe" */
	/* Stopping is the supervisor's decision: a signal to the whole process group must not cut the drain short. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (b->kind == ROLE_ROUTE)
		board_route_clear(&role->board->route);
	board_stamp_now(role->stamp, clock_ns());
	return role;
}

static void on_stamp(uv_timer_t *t)
{
	struct role *role = t->data;

	board_stamp_now(role->stamp, clock_ns());
}

int role_take_config(struct role *role, int fd, struct config **old, struct bundle **old_bundle)
{
	struct bundle *was_bundle = role->bundle;
	struct config *was = role->config;
	int err = config_from_bundle(&role->brief, fd, &role->bundle, &role->config, &role->node);

	if (err < 0)
		return err;
	*old = was;
	*old_bundle = was_bundle;
	return 0;
}

static void take_reload(struct role *role, int fd, uv_loop_t *loop)
{
	struct bundle *old_bundle;
	struct config *old;
	int err;

	if (fd < 0 || !role->on_reload) {
		uv_stop(loop);
		return;
	}
	err = role_take_config(role, fd, &old, &old_bundle);
	if (err < 0) {
		log_err("reload error=\"%s\" action=\"the old configuration stays\"", err_text(err));
		return;
	}
	if (role->on_reload(role, old) != 0)
		uv_stop(loop);
	if (!role->keeps_old)
		config_free(old);
	bundle_free(old_bundle);
	malloc_trim(0); /* what a large fleet file took */
}

static void on_supervisor(uv_poll_t *poll, int status, int events)
{
	struct role *role = poll->data;
	struct role_message *m = calloc(1, sizeof(*m));
	int fd = -1, got;

	(void)status;
	(void)events;
	if (!m)
		return;
	while ((got = role_receive(role->brief.supervisor_fd, m, &fd)) == 1) {
		switch (m->kind) {
		case ROLE_STOP:
			if (role->on_stop)
				role->on_stop(role);
			else
				uv_stop(poll->loop);
			break;
		case ROLE_RELOAD:
			take_reload(role, fd, poll->loop);
			break;
		case ROLE_ORDERS:
			if (role->on_orders)
				role->on_orders(role);
			break;
		default:
			role->attached = fd;
			if (role->on_message)
				role->on_message(role, m);
			fd = role->attached;
			break;
		}
		if (fd >= 0)
			close(fd);
	}
	free(m);
	if (got < 0)
		uv_stop(poll->loop); /* the supervisor is gone */
}

int role_map(int fd, bool writable, void **memory, size_t *len)
{
	struct stat st;
	void *m;
	int err;

	if (fd < 0)
		return ERR_NOT_FOUND;
	m = fstat(fd, &st) < 0 ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	err = m == MAP_FAILED ? -errno : 0;
	close(fd);
	if (err)
		return err;
	*memory = m;
	*len = (size_t)st.st_size;
	return 0;
}

int role_loop_start(struct role *role, uv_loop_t *loop)
{
	int err = uv_timer_init(loop, &role->stamp_timer);

	role->stamp_timer.data = role;
	if (!err)
		err = uv_timer_start(&role->stamp_timer, on_stamp, 0, ROLE_STAMP_MS);
	if (!err)
		err = uv_poll_init(loop, &role->supervisor_poll, role->brief.supervisor_fd);
	role->supervisor_poll.data = role;
	if (!err)
		err = uv_poll_start(&role->supervisor_poll, UV_READABLE | UV_DISCONNECT, on_supervisor);
	return err;
}
