/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

const char help_zone[] = "usage: zonecast zone VERB ...\n"
                         "\n"
                         "Commands about zones; `zonecast help zone VERB` explains each. See zonecast-zone(1).\n";

int cmd_zone(int argc, char **argv)
{
	return cli_dispatch("zonecast zone", cli_zone_verbs, cli_zone_verb_count, argc, argv);
}
