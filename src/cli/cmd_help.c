/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "base/suggest.h"

#include <stdio.h>
#include <string.h>

const char help_help[] = "usage: zonecast help [VERB [SUBVERB]]\n"
                         "\n"
                         "Without a verb: the list of commands. With one: its text. The manual has more:\n"
                         "zonecast(1), zonecast.yaml(5), zonecast-run(1), zonecast-check(1), zonecast-zone(1) ...\n";

static int print_one(const struct cli_verb *v)
{
	if (v->help)
		fputs(v->help, stdout);
	else
		printf("%s\n", v->summary ? v->summary : v->name);
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

int cmd_help(int argc, char **argv)
{
	const struct cli_verb *self = cli_verb_find(cli_verbs, cli_verb_count, "help");
	const struct cli_verb *verbs = cli_verbs;
	size_t count = cli_verb_count;
	int at;
	int rc = cli_parse(self, NULL, 0, argc, argv, 0, 2, &at);

	if (rc >= 0)
		return rc;
	if (at == argc) {
		printf("zonecast " ZONECAST_VERSION ": a whole anycast DNS node in one program.\n\n"
		       "usage: zonecast VERB [options]\n\n");
		cli_verbs_print(stdout, verbs, count);
		printf("\n`zonecast help VERB` explains one; exit status: 0 done, 1 failed, 2 usage.\n");
		return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
	}
	for (;; at++) {
		const struct cli_verb *v = cli_verb_find(verbs, count, argv[at]);

		if (!v)
			return cli_dispatch(verbs == cli_zone_verbs      ? "zonecast zone"
			                    : verbs == cli_catalog_verbs ? "zonecast catalog"
			                    : verbs == cli_cache_verbs   ? "zonecast cache"
			                                                 : "zonecast",
			                    verbs, count, 2,
			                    (char *[]){argv[0], argv[at], NULL});
		if (at + 1 == argc)
			return print_one(v);
		if (v->run == cmd_catalog) {
			verbs = cli_catalog_verbs;
			count = cli_catalog_verb_count;
			continue;
		}
		if (v->run == cmd_cache) {
			verbs = cli_cache_verbs;
			count = cli_cache_verb_count;
			continue;
		}
		if (strcmp(v->name, "zone") != 0) {
			cli_error("help: \"%s\" has no commands of its own", v->name);
			return CLI_USAGE;
		}
		verbs = cli_zone_verbs;
		count = cli_zone_verb_count;
	}
}
