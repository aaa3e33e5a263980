/* SPDX-License-Identifier: BSD-2-Clause */
/* The one binary. What it can do is the table in cli/verbs.c. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
