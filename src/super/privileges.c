/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/privileges.h"

#include "base/attr.h"
#include "base/err.h"
#include "base/log.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef CAP_BPF
#define CAP_BPF 39
#endif
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif

enum { DESCRIPTORS = 1 << 20 };

void privileges_raise_descriptors(void)
{
	struct rlimit limit;
	rlim_t most = DESCRIPTORS;
	FILE *f = fopen("/proc/sys/fs/nr_open", "re");
	unsigned long v;

	if (f && fscanf(f, "%lu", &v) == 1)
		most = MIN((rlim_t)v, most);
	if (f)
		fclose(f);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max < most) {
		struct rlimit more = {.rlim_cur = most, .rlim_max = most};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	limit.rlim_cur = MIN(limit.rlim_max, most);
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("descriptors error=\"%s\"", err_text(-errno));
}

void privileges_raise_locked_memory(void)
{
	struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};

	if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		log_debug("locked-memory error=\"%s\"", err_text(-errno));
}

void privileges_shed(bool keep_net_raw)
{
	static const unsigned keep[] = {
		CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_BPF, CAP_PERFMON, /* addresses, ports, XDP */
		CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL, CAP_CHOWN,  /* to start and stop roles under their account */
		CAP_DAC_READ_SEARCH, CAP_SYS_NICE, CAP_IPC_LOCK,           /* fleet and key files; roles with real-time threads */
		CAP_NET_RAW,                                               /* AF_XDP sockets of a worker that starts again; last, see below */
	};
	size_t count = ARRAY_LEN(keep) - (keep_net_raw ? 0 : 1);

	if (geteuid() != 0)
		return;
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < count; i++)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, keep[i]);
	if (capng_apply(CAPNG_SELECT_BOTH) != 0)
		log_warn("capabilities error=\"cannot drop what is not needed\"");
}
