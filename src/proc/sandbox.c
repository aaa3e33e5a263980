/* SPDX-License-Identifier: BSD-2-Clause */
/* Seccomp filters of the roles (libseccomp). Calls on the role's list work; calls that only an attacker would make kill the
 * process, so that the supervisor sees it and a core of evidence is left; anything else fails with EPERM, so that a library's
 * harmless probing after an update of the system does not take a node down.
 *
 * What a role may touch is the table in doc/architecture.md: an answer worker has no call that opens a file for writing, starts a program or
 * creates a socket (of the Internet's families it may where it has backends to ask). Under a sanitizer the runtime itself needs to trace, so nothing is killed there. */
#include "base/err.h"
#include "base/log.h"
#include "proc/role.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/socket.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* Memory, time, waiting, descriptors that exist already. */
static const int common[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(preadv2), SCMP_SYS(pwrite64),
	SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(lseek), SCMP_SYS(mmap),
	SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(futex), SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getpid),
	SCMP_SYS(getppid), SCMP_SYS(gettid), SCMP_SYS(tgkill), SCMP_SYS(getrandom), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(eventfd2), SCMP_SYS(pipe2),
	SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(restart_syscall), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername), SCMP_SYS(shutdown),
	SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(ioctl), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrusage),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier), SCMP_SYS(getuid), SCMP_SYS(geteuid),
	SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(prlimit64), SCMP_SYS(getcpu), SCMP_SYS(arch_prctl),
};

/* Threads of the loop's pool. */
static const int threads[] = {SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(prctl), SCMP_SYS(sched_setscheduler), SCMP_SYS(set_tid_address),
                              SCMP_SYS(setpriority)};

static const int serving[] = {SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(accept4), SCMP_SYS(accept)};
/* Of AF_XDP sockets that came with the brief: a worker can make none. */
static const int binding[] = {SCMP_SYS(bind)};
static const int accepting[] = {SCMP_SYS(accept4)};
static const int asking[] = {SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind)};
/* The thread of BFD: memory that is not paged out. */
static const int urgent[] = {SCMP_SYS(mlockall), SCMP_SYS(mlock)};
static const int storing[] = {
	SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64), SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(flock), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
	SCMP_SYS(msync), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
	SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2),
	SCMP_SYS(inotify_init1), SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_rm_watch), SCMP_SYS(fadvise64),
	SCMP_SYS(getcwd), SCMP_SYS(pwritev), SCMP_SYS(fchdir), SCMP_SYS(statfs), SCMP_SYS(fstatfs),
};

/* Files that are begun and put aside. */
static const int recording[] = {SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2)};

static const int hostile[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(init_module),
	SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(reboot), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(setns),
	SCMP_SYS(unshare), SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setresuid), SCMP_SYS(fork),
	SCMP_SYS(vfork), SCMP_SYS(personality), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime), SCMP_SYS(sethostname), SCMP_SYS(quotactl), SCMP_SYS(acct),
};

static int add(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int err = seccomp_rule_add(ctx, action, calls[i], 0);

		/* A call this architecture does not have needs no rule. */
		if (err < 0 && err != -EDOM && err != -EINVAL)
			return err;
	}
	return 0;
}

static int add_client_sockets(scmp_filter_ctx ctx)
{
	static const int calls[] = {SCMP_SYS(connect), SCMP_SYS(bind)};
	int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET, 0));

	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0));
	return err ? err : add(ctx, SCMP_ACT_ALLOW, calls, ARRAY_LEN(calls));
}

/* Collectors and files: nothing that listens, nothing that is read. */
static int add_tap(scmp_filter_ctx ctx)
{
	int err = add_client_sockets(ctx);

	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	return err ? err : add(ctx, SCMP_ACT_ALLOW, recording, ARRAY_LEN(recording));
}

int role_sandbox(struct role *role)
{
	enum board_role kind = (enum board_role)role->brief.kind;
	scmp_filter_ctx ctx;
	int err;

	if (SANITIZED)
		return 0;
	ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!ctx)
		return ERR_NO_MEMORY;
	err = add(ctx, SCMP_ACT_ALLOW, common, ARRAY_LEN(common));
	if (!err)
		err = add(ctx, SCMP_ACT_KILL_PROCESS, hostile, ARRAY_LEN(hostile));
	if (!err && (kind == ROLE_ANSWER || kind == ROLE_ADMIN))
		err = add(ctx, SCMP_ACT_ALLOW, serving, ARRAY_LEN(serving));
	/* Between a TLS connection and sync (answer/relay.c). */
	if (!err && kind == ROLE_ANSWER)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	if (!err && kind == ROLE_ANSWER)
		err = add(ctx, SCMP_ACT_ALLOW, binding, ARRAY_LEN(binding));
	/* Questions to backends. */
	if (!err && kind == ROLE_ANSWER && role->config && role->config->backend_count)
		err = add_client_sockets(ctx);
	if (!err && kind != ROLE_ANSWER)
		err = add(ctx, SCMP_ACT_ALLOW, threads, ARRAY_LEN(threads));
	if (!err && (kind == ROLE_WATCH || kind == ROLE_ROUTE))
		err = add(ctx, SCMP_ACT_ALLOW, asking, ARRAY_LEN(asking));
	/* On listening sockets for neighbors that came with the brief: it can make none, for want of listen(2). */
	if (!err && kind == ROLE_ROUTE)
		err = add(ctx, SCMP_ACT_ALLOW, accepting, ARRAY_LEN(accepting));
	if (!err && kind == ROLE_ROUTE)
		err = add(ctx, SCMP_ACT_ALLOW, urgent, ARRAY_LEN(urgent));
	if (!err && kind == ROLE_SYNC)
		err = add(ctx, SCMP_ACT_ALLOW, storing, ARRAY_LEN(storing));
	/* Transfers from primaries: clients of the two families, nothing that listens. */
	if (!err && kind == ROLE_SYNC)
		err = add_client_sockets(ctx);
	if (!err && kind == ROLE_TAP)
		err = add_tap(ctx);
	/* Opening for reading only: the store again after sync made it anew, interfaces in /sys. */
	if (!err && kind != ROLE_SYNC && kind != ROLE_TAP)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
		                       SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	if (err < 0)
		log_err("sandbox error=\"%s\"", err_text(err));
	return err;
}
