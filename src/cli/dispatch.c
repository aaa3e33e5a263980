/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line: `zonecast VERB [SUBVERB] [options] [operands]`.
 *
 * main() calls cli_main(), which looks argv[1] up in the table of verbs.c and calls its function with the verb as argv[0]. A verb
 * with verbs of its own (zone) does the same with its own table. A subcommand parses its options with cli_parse() from a table of
 * rows, so that --help, unknown options and wrong numbers of operands behave alike everywhere. Whoever mistypes is told the nearest
 * word and exits with 2; whatever fails exits with 1 after saying so on stderr; stdout carries only what was asked for, as text or,
 * with --json, as one JSON value.
 *
 * Subcommands either work on files alone (check, zone check) or talk to the running node over its control socket (control.c). They run
 * with the caller's rights and are no part of the node: nothing here is linked into what the roles do, apart from `run` and `role`,
 * which start them.
 *
 * Known omissions: short options, abbreviated verbs, localized messages. */
#include "cli/cli.h"

#include "base/suggest.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CLI_VERBS_MAX = 64 };

const struct cli_verb *cli_verb_find(const struct cli_verb *verbs, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

void cli_verbs_print(FILE *to, const struct cli_verb *verbs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (verbs[i].summary)
			fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
}

int cli_dispatch(const char *path, const struct cli_verb *verbs, size_t count, int argc, char **argv)
{
	const char *names[CLI_VERBS_MAX] = {0};
	const struct cli_verb *v;
	const char *near;

	if (argc < 2) {
		fprintf(stderr, "usage: %s VERB ...\n", path);
		cli_verbs_print(stderr, verbs, count);
		return CLI_USAGE;
	}
	v = cli_verb_find(verbs, count, argv[1]);
	if (v)
		return v->run(argc - 1, argv + 1);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		printf("usage: %s VERB ...\n", path);
		cli_verbs_print(stdout, verbs, count);
		return CLI_OK;
	}
	for (size_t i = 0; i < count && i < CLI_VERBS_MAX; i++)
		names[i] = verbs[i].summary ? verbs[i].name : NULL;
	near = suggest_closest(argv[1], names, MIN(count, (size_t)CLI_VERBS_MAX));
	if (near)
		cli_error("no command \"%s\": did you mean \"%s %s\"?", argv[1], path, near);
	else
		cli_error("no command \"%s\"", argv[1]);
	fprintf(stderr, "usage: %s VERB ...\n", path);
	cli_verbs_print(stderr, verbs, count);
	return CLI_USAGE;
}

int cli_main(int argc, char **argv)
{
	static char help[] = "help", version[] = "version";

	/* A reader that goes away (| head) is an error of write(), not a reason to die without a word. */
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		argv[1] = help;
	else if (argc > 1 && strcmp(argv[1], "--version") == 0)
		argv[1] = version;
	return cli_dispatch("zonecast", cli_verbs, cli_verb_count, argc, argv);
}

void cli_error(const char *fmt, ...)
{
	va_list ap;

	fputs("zonecast: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}
