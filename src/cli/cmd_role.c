/* SPDX-License-Identifier: BSD-2-Clause */
/* The verb by which the supervisor starts its roles; of no use to people. */
#include "cli/cli.h"

#include "admin/admin_main.h"
#include "answer/answer_main.h"
#include "tls/tls.h"
#include "proc/role.h"
#include "route/route_main.h"
#include "sync/sync_main.h"
#include "tap/tap_main.h"
#include "watch/watch_main.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cmd_role(int argc, char **argv)
{
	static int (*const mains[ROLE_COUNT])(struct role *) = {
		[ROLE_ANSWER] = answer_main, [ROLE_SYNC] = sync_main,   [ROLE_WATCH] = watch_main,
		[ROLE_ROUTE] = route_main,   [ROLE_ADMIN] = admin_main,
		[ROLE_TAP] = tap_main,
	};
	struct role *role;
	char *end;
	long fd = argc == 3 ? strtol(argv[2], &end, 10) : -1;

	if (fd < 3 || *end) {
		cli_error("this command is for the supervisor's use only; run: zonecast run");
		return CLI_USAGE;
	}
	/* Before anything that uses OpenSSL, and reading the configuration does. */
	if (strcmp(argv[1], board_role_text(ROLE_ANSWER)) == 0 && !tls_count_memory())
		return CLI_FAILED;
	role = role_enter((int)fd);
	if (strcmp(argv[1], board_role_text((enum board_role)role->brief.kind)) != 0 || !mains[role->brief.kind])
		return CLI_USAGE;
	/* What the process has, the kernel takes back: a role that ends is replaced, and must be so at once. */
	_exit(mains[role->brief.kind](role));
}
