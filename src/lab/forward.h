/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

/* Ports of this machine's loopback address that lead into the lab: one process, by lab_forward_main(). */
enum { FORWARD_RULES_MAX = 8, FORWARD_CONNECTIONS_MAX = 64 };

/* argv: the file for the outcome, then for each rule PORT NETNS ADDRESS:PORT. Where PORT is taken, another is. Writes a line "127.0.0.1:PORT" for each rule, in their order, when
 * all listen. Ends with SIGTERM. Returns an exit status. */
int lab_forward_main(int argc, char **argv);
