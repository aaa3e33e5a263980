/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "cli/cli.h"
#include "super/orders_file.h"

#include <stdbool.h>

/* One order to the node of this machine. */
struct cli_order {
	const char *command;   /* of the control socket: drain, resume, freeze, force */
	enum order_word word;  /* of a network */
	const char *network;   /* NULL: all */
	const char *neighbor;  /* in place of a network: an endpoint */
	bool backstop;
};

enum cli_order_way {
	CLI_ORDER_TOLD,    /* the node took it over the control socket */
	CLI_ORDER_TAKEN,   /* written to the orders file, and the supervisor has read it */
	CLI_ORDER_WRITTEN, /* no node runs: it holds from its next start */
};

/* Over the control socket; where nothing answers there, into the orders file with a signal to the supervisor: the way that needs nothing but
 * the supervisor. state_dir: NULL, or where the file is. 0; negative when it was refused or could not be given, said on stderr. */
int cli_order_give(const struct cli_common *common, const char *state_dir, const struct cli_order *order, enum cli_order_way *way) MUST_CHECK;
