/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/lab.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 48, OUTPUT_MAX = 4 << 20 };

const struct lab_region lab_regions[LAB_REGIONS] = {{"eu", LAB_BIRD, 64601}, {"us", LAB_FRR, 64602}, {"as", LAB_FRR, 64603}};

unsigned lab_latency_ms(unsigned a, unsigned b)
{
	/* eu-us, us-as, eu-as: as on the real map. */
	return a + b == 1 ? 40 : a + b == 3 ? 75 : 110;
}

void lab_netns(const struct lab *l, char part, unsigned region, char buf[LAB_NETNS_MAX])
{
	snprintf(buf, LAB_NETNS_MAX, "%s-%c-%s", l->name, part, lab_regions[region].name);
}

/* Read everything the child writes; the rest beyond OUTPUT_MAX is thrown away. */
static void drain(int fd, struct text *out)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && out && out->len < OUTPUT_MAX)
			text_add(out, buf, (size_t)n);
}

static int spawn(struct text *out, bool with_stderr, const char *const argv[])
{
	int pipes[2], status;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		close(pipes[0]);
		close(pipes[1]);
		return -errno;
	}
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		dup2(null, 0);
		dup2(pipes[1], 1);
		dup2(with_stderr ? pipes[1] : null, 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(pipes[1]);
	drain(pipes[0], out);
	close(pipes[0]);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ERR_INVALID;
}

int lab_run(struct text *why, const char *const argv[])
{
	struct text out;
	int err;

	text_init(&out);
	err = spawn(&out, true, argv);
	if (err && why) {
		for (size_t i = 0; argv[i]; i++)
			text_fmt(why, "%s%s", i ? " " : "", argv[i]);
		text_fmt(why, ": %s", out.len ? out.chars : "failed");
	}
	text_done(&out);
	return err;
}

static size_t in_netns(const char *netns, const char *const argv[], const char *out[ARGS_MAX])
{
	size_t n = 0;

	if (netns) {
		out[n++] = "ip";
		out[n++] = "netns";
		out[n++] = "exec";
		out[n++] = netns;
	}
	for (size_t i = 0; argv[i] && n + 1 < ARGS_MAX; i++)
		out[n++] = argv[i];
	out[n] = NULL;
	return n;
}

int lab_capture(const char *netns, struct text *out, const char *const argv[])
{
	const char *all[ARGS_MAX];

	in_netns(netns, argv, all);
	return spawn(out, false, all);
}

int lab_start(const struct lab *l, const char *netns, const char *what, const char *const argv[], pid_t *out)
{
	const char *all[ARGS_MAX];
	char log[LAB_PATH_MAX + 64];
	pid_t pid;
	int err;

	in_netns(netns, argv, all);
	snprintf(log, sizeof(log), "%s/log/%s.log", l->dir, what);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

		setsid();
		dup2(null, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		execvp(all[0], (char *const *)(uintptr_t)all);
		_exit(127);
	}
	err = lab_record_pid(l, pid, what);
	if (!err && out)
		*out = pid;
	return err;
}

int lab_write_file(const char *path, const char *content, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	size_t len = strlen(content);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0 || write(fd, content, len) != (ssize_t)len)
		err = errno ? -errno : -EIO;
	close(fd);
	return err;
}

int lab_socket_in(const char *netns, int family, int type, int *out)
{
	char path[64 + LAB_NETNS_MAX];
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there, fd = -1, err = 0;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (own < 0 || there < 0)
		err = ERR_NOT_FOUND;
	if (!err && setns(there, CLONE_NEWNET) < 0)
		err = -errno;
	if (!err) {
		fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0)
			err = -errno;
		if (setns(own, CLONE_NEWNET) < 0)
			abort(); /* nothing may go on in the wrong namespace */
	}
	if (own >= 0)
		close(own);
	if (there >= 0)
		close(there);
	if (!err)
		*out = fd;
	return err;
}
