/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/folders.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proc/role.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PREDECESSOR_MS = 1000 /* for the roles of a killed predecessor to be gone */ };

static int make_folder(const char *path, mode_t mode, uint32_t uid, uint32_t gid)
{
	char part[ROLE_PATH_MAX + 16];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = part + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			if (mkdir(part, 0755) < 0 && errno != EEXIST)
				return -errno;
			*p = '/';
		}
	if (mkdir(part, mode) < 0 && errno != EEXIST)
		return -errno;
	if (uid != UINT32_MAX && chown(part, uid, gid) < 0)
		return -errno;
	return 0;
}

/* A predecessor that was killed takes its roles with it, but not in the same instant: while they live they hold its sockets. */
static bool predecessor_lives(const char *run_dir)
{
	char path[ROLE_PATH_MAX + 16], line[128], name[32], state;
	bool lives = false;
	FILE *f, *c;
	int pid;

	snprintf(path, sizeof(path), "%s/pids", run_dir);
	f = fopen(path, "re");
	while (f && !lives && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*31s %*u %d", &pid) != 1 || pid == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		c = fopen(path, "re");
		lives = c && fscanf(c, "%*d (%31[^)]) %c", name, &state) == 2 && strcmp(name, "zonecast") == 0 && state != 'Z';
		if (c)
			fclose(c);
	}
	if (f)
		fclose(f);
	return lives;
}

static void wait_for_predecessor(const char *run_dir)
{
	uint64_t until = clock_ms() + PREDECESSOR_MS;

	while (predecessor_lives(run_dir) && clock_ms() < until)
		poll(NULL, 0, 2);
}

/* RUN_DIR/state-dir leads to the state directory, for who must find it while nothing answers: `zonecast freeze` and the like. */
static void link_state(const struct plan *p)
{
	char path[ROLE_PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/state-dir", p->run_dir);
	if ((unlink(path) < 0 && errno != ENOENT) || symlink(p->state_dir, path) < 0)
		log_warn("folder=%s error=\"%s\"", path, err_text(-errno));
}

void folders_forget(const struct plan *p)
{
	static const char *const names[] = {"state-dir", "orders.taken"};
	char path[ROLE_PATH_MAX + 16];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", p->run_dir, names[i]);
		unlink(path);
	}
}

int folders_make(const struct plan *p, int *journal_fd)
{
	char path[ROLE_PATH_MAX + 16];
	int lock, err = make_folder(p->run_dir, 0755, UINT32_MAX, UINT32_MAX);

	if (!err)
		err = make_folder(p->state_dir, 0755, UINT32_MAX, UINT32_MAX);
	if (err < 0) {
		log_err("folders run-dir=%s state-dir=%s error=\"%s\"", p->run_dir, p->state_dir, err_text(err));
		return err;
	}
	snprintf(path, sizeof(path), "%s/lock", p->run_dir);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0) {
		err = -errno;
		log_err("run-dir=%s error=\"%s\"", p->run_dir,
		        err == -EWOULDBLOCK ? "another zonecast runs with this folder; give this one a --run-dir of its own"
		                            : err_text(err));
		return err;
	}
	wait_for_predecessor(p->run_dir);
	if (p->config && strcmp(p->run_dir, p->state_dir) != 0)
		link_state(p);
	snprintf(path, sizeof(path), "%s/store", p->run_dir);
	err = make_folder(path, 0750, p->uid, p->gid);
	if (!err && p->config) {
		snprintf(path, sizeof(path), "%s/journal", p->state_dir);
		err = make_folder(path, 0700, p->uid, p->gid);
		*journal_fd = err < 0 ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (!err && *journal_fd < 0)
			err = -errno;
	}
	if (err < 0)
		log_err("folder=%s error=\"%s\"", path, err_text(err));
	return err;
}
