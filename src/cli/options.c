/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of a subcommand from a table of rows, by getopt_long(). */
#include "cli/cli.h"

#include "base/err.h"
#include "base/suggest.h"
#include "config/config.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CLI_OPTIONS_MAX = 32, CLI_OPTION_FIRST = 1000 };

static int usage(const struct cli_verb *verb)
{
	const char *end = verb->help ? strchr(verb->help, '\n') : NULL;

	if (end)
		fprintf(stderr, "%.*s\n", (int)(end - verb->help), verb->help);
	return CLI_USAGE;
}

static int unknown(const struct cli_verb *verb, const struct cli_option *rows, size_t count, const char *word)
{
	const char *names[CLI_OPTIONS_MAX + 1] = {0};
	char bare[SUGGEST_WORD_MAX + 1];
	const char *near;

	snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(word, "="), word);
	for (size_t i = 0; i < count; i++)
		names[i] = rows[i].name;
	names[count] = "help";
	near = suggest_closest(bare + strspn(bare, "-"), names, count + 1);
	if (near)
		cli_error("%s: no option \"%s\": did you mean \"--%s\"?", verb->name, bare, near);
	else
		cli_error("%s: no option \"%s\"", verb->name, bare);
	return usage(verb);
}

int cli_parse(const struct cli_verb *verb, const struct cli_option *rows, size_t count, int argc, char **argv, int min,
              int max, int *operand)
{
	struct option longs[CLI_OPTIONS_MAX + 2] = {0};
	int c;

	if (count > CLI_OPTIONS_MAX)
		count = CLI_OPTIONS_MAX;
	for (size_t i = 0; i < count; i++)
		longs[i] = (struct option){rows[i].name, rows[i].flag ? no_argument : required_argument, NULL,
		                           CLI_OPTION_FIRST + (int)i};
	longs[count] = (struct option){"help", no_argument, NULL, CLI_OPTION_FIRST + (int)count};
	opterr = 0;
	optind = 0; /* glibc: start over, as a verb below a verb parses twice */
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) != -1) {
		/* With a separate argument optind has moved past it; a wrong word is always the last one read. */
		const char *word = argv[optind > 0 ? optind - 1 : 0];
		const struct cli_option *row;

		if (c == '?' && optopt >= CLI_OPTION_FIRST) {
			cli_error("%s: option \"%.*s\" takes no value", verb->name, (int)strcspn(word, "="), word);
			return usage(verb);
		}
		if (c == '?')
			return unknown(verb, rows, count, optopt && argv[optind] ? argv[optind] : word);
		if (c == ':') {
			cli_error("%s: option \"%s\" needs a value", verb->name, word);
			return usage(verb);
		}
		if (c == CLI_OPTION_FIRST + (int)count) {
			fputs(verb->help ? verb->help : "no help for this command\n", stdout);
			return CLI_OK;
		}
		row = &rows[c - CLI_OPTION_FIRST];
		if (row->flag)
			*row->flag = true;
		else if (row->value)
			*row->value = optarg;
		else if (row->each(row->ctx, optarg) != 0)
			return CLI_USAGE;
	}
	if (argc - optind < min || argc - optind > max) {
		if (argc - optind > max)
			cli_error("%s: \"%s\" is one word too many", verb->name, argv[optind + max]);
		else
			cli_error("%s: something is missing", verb->name);
		return usage(verb);
	}
	*operand = optind;
	return -1;
}

bool cli_absolute(const char *path, char *out, size_t cap)
{
	char cwd[4096] = "";
	int n;

	if (path[0] != '/' && !getcwd(cwd, sizeof(cwd))) {
		cli_error("%s: the present folder cannot be named", path);
		return false;
	}
	n = path[0] == '/' ? snprintf(out, cap, "%s", path) : snprintf(out, cap, "%s/%s", cwd, path);
	if (n < 0 || (size_t)n >= cap) {
		cli_error("%s: the path is too long", path);
		return false;
	}
	return true;
}

int cli_load_config(const struct cli_common *common, const char *lack, struct config **out)
{
	const char *path = common->config ? common->config : CLI_CONFIG_DEFAULT;
	char absolute[4096];
	struct diag diag;
	int err;

	if (!cli_absolute(path, absolute, sizeof(absolute)))
		return ERR_LIMIT;
	diag_init(&diag);
	err = config_load(absolute, &diag, out);
	if (err < 0) {
		cli_diag_print(stderr, &diag);
		cli_error("%s: %s: %s", path, lack, err_text(err));
	}
	diag_done(&diag);
	return err;
}
