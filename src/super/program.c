/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs run every time in a new process that becomes the roles' account (with the groups of that account), without privileges it could get back, in a session of its own, in "/", with
 * /dev/null as input, no other descriptor, and nothing in its environment but what it is given. What they print is read and, but for the first line, forgotten. */
#include "super/program.h"

#include "base/text.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DRAIN_READS = 16 };

void program_strings_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

char **program_words(const char *const *words, size_t count, const char *more)
{
	char **argv = calloc(count + 2, sizeof(*argv));

	for (size_t i = 0; argv && i < count + (more != NULL); i++) {
		argv[i] = strdup(i < count ? words[i] : more);
		if (!argv[i]) {
			program_strings_free(argv);
			return NULL;
		}
	}
	return argv;
}

void program_env(char **env, size_t *count, const char *name, const char *value)
{
	struct text t;

	text_init(&t);
	text_fmt(&t, "%s=", name);
	for (; *value; value++)
		text_char(&t, (unsigned char)*value < 0x20 || *value == 0x7f ? ' ' : *value);
	env[*count] = text_take(&t);
	if (env[*count])
		++*count;
}

void program_env_common(char **env, size_t *count, const struct plan *plan)
{
	program_env(env, count, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	program_env(env, count, "ZONECAST_FLEET", plan->config->fleet);
	program_env(env, count, "ZONECAST_NODE", plan->node_name);
}

static NORETURN void become(const struct plan *plan, const char *account, char *const *argv, char *const *env, int output)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	/* The supervisor handles some signals and ignores others; programs expect neither. */
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0 || close_range(3, ~0U, 0) < 0 || chdir("/") < 0)
		_exit(126);
	umask(022);
	if (plan->uid != UINT32_MAX &&
	    ((account ? initgroups(account, plan->gid) : setgroups(0, NULL)) < 0 || setresgid(plan->gid, plan->gid, plan->gid) < 0 ||
	     setresuid(plan->uid, plan->uid, plan->uid) < 0))
		_exit(126);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of account has cleared it */
	execve(argv[0], argv, env);
	_exit(127);
}

bool program_start(struct program *p, const struct plan *plan, const char *account, char *const *argv, char *const *env, uint64_t now_ms)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	pid = fork();
	if (pid == 0)
		become(plan, account, argv, env, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return false;
	}
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*p = (struct program){.pid = pid, .output = ends[0], .started_ms = now_ms};
	return true;
}

void program_drain(struct program *p)
{
	char chunk[4096];
	ssize_t n;

	for (int i = 0; i < DRAIN_READS && p->output >= 0; i++) {
		size_t room = sizeof(p->said) - 1 - p->said_len;

		n = read(p->output, chunk, sizeof(chunk));
		if (n < 0)
			return;
		if (n == 0) {
			close(p->output);
			p->output = -1;
			return;
		}
		memcpy(p->said + p->said_len, chunk, MIN((size_t)n, room));
		p->said_len += MIN((size_t)n, room);
	}
}

void program_kill(struct program *p)
{
	p->killed = true;
	kill(-p->pid, SIGKILL); /* what it started, too; */
	kill(p->pid, SIGKILL);  /* and it, if it has not come to its own session yet */
}

/* The number of its group is no other's as long as anybody is in it; of one that is free a new group would have to be made within this turn. */
void program_sweep(const struct program *p)
{
	kill(-p->pid, SIGKILL);
}

void program_ended(struct program *p)
{
	program_drain(p);
	if (p->output >= 0)
		close(p->output);
	p->output = -1;
	p->pid = 0;
	p->said[p->said_len] = '\0';
	p->said[strcspn(p->said, "\r\n")] = '\0';
	for (char *c = p->said; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '"')
			*c = ' ';
}
