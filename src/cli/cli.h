/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/diag.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What every subcommand shares. A subcommand is one file cmd_VERB.c with one function and one help text, and one row in verbs.c.
 *
 * Exit status: 0 done, 1 failed (said on stderr), 2 usage. With --json, what is meant for people on stdout becomes one JSON value;
 * errors stay on stderr. Nothing here is used by the role processes. */
enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

#define CLI_CONFIG_DEFAULT "/etc/zonecast/zonecast.yaml"
#define CLI_RUN_DIR_DEFAULT "/run/zonecast"

/* argv[0] is the verb itself. Returns an exit status. */
typedef int cli_verb_fn(int argc, char **argv);

struct cli_verb {
	const char *name;
	cli_verb_fn *run;
	const char *summary; /* one line, no final dot; NULL: internal, not listed */
	const char *help;    /* "usage: ..." and a few paragraphs, ending in a newline; NULL: summary only */
};

/* verbs.c */
extern const struct cli_verb cli_verbs[];
extern const size_t cli_verb_count;
extern const struct cli_verb cli_zone_verbs[]; /* below `zone` */
extern const size_t cli_zone_verb_count;
extern const struct cli_verb cli_catalog_verbs[]; /* below `catalog` */
extern const size_t cli_catalog_verb_count;
extern const struct cli_verb cli_cache_verbs[]; /* below `cache` */
extern const size_t cli_cache_verb_count;

/* dispatch.c. cli_main() runs argv[1]; cli_dispatch() finds argv[1] in a table, for verbs with verbs of their own: `path` is what
 * people typed before it ("zonecast", "zonecast zone"). */
int cli_main(int argc, char **argv);
int cli_dispatch(const char *path, const struct cli_verb *verbs, size_t count, int argc, char **argv);
const struct cli_verb *cli_verb_find(const struct cli_verb *verbs, size_t count, const char *name);
/* Two columns, one row a verb. */
void cli_verbs_print(FILE *to, const struct cli_verb *verbs, size_t count);

/* Options common to the subcommands that talk to a node or read its configuration. NULL: not given. */
struct cli_common {
	const char *config;
	const char *run_dir;
	bool json;
};
/* clang-format off */
#define CLI_COMMON_OPTIONS(o) {"config", .value = &(o)->config}, {"run-dir", .value = &(o)->run_dir}, {"json", .flag = &(o)->json}
/* clang-format on */

/* One long option: exactly one of the three is set. `each` may be called several times, non-zero stops with CLI_USAGE (it has said
 * why); it gets `ctx`. */
struct cli_option {
	const char *name;
	const char **value;
	bool *flag;
	int (*each)(void *ctx, const char *value);
	void *ctx;
};

/* Parse argv (options and operands in any order, "--" ends options) by the rows. --help is understood always. Returns a negative
 * number when the command should go on, with *operand the index of the first operand in argv (operands are moved to its end), and
 * else the exit status to return at once. min and max bound the number of operands. */
int cli_parse(const struct cli_verb *verb, const struct cli_option *rows, size_t count, int argc, char **argv, int min,
              int max, int *operand) MUST_CHECK;
/* "zonecast: TEXT" on stderr. */
void cli_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The absolute form of a path that need not exist yet; false (said on stderr) when it does not fit. */
bool cli_absolute(const char *path, char *out, size_t cap);
struct config;
/* The fleet file of the options, or the usual one; what is wrong is said on stderr, and that `lack` follows from it. *out is the caller's. */
int cli_load_config(const struct cli_common *common, const char *lack, struct config **out) MUST_CHECK;
/* All entries of d on `to`, one a line, and how many were left out. */
void cli_diag_print(FILE *to, const struct diag *d);
/* {"errors": n, "warnings": n, "problems": [{severity, file, line, column, text}]} */
json_t *cli_diag_json(const struct diag *d);
/* One value, indented, newline at the end, on stdout; takes the reference. CLI_OK, or CLI_FAILED when it cannot be written. */
int cli_json_print(json_t *value);

/* control.c: the control socket (admin/control.h) in the run directory: --run-dir, else the one named by the configuration file
 * (read leniently: a file with mistakes elsewhere still counts), else CLI_RUN_DIR_DEFAULT. Failures are said on stderr. */
void cli_run_dir(const struct cli_common *o, char *buf, size_t cap);
/* Connect and send the request (reference taken). The descriptor is the caller's. 0, -errno. */
int cli_control_open(const struct cli_common *o, json_t *request, int *fd) MUST_CHECK;
/* Read up to `timeout_ms` for one line, without its newline, at most `limit` octets; ERR_CLOSED at the end of the stream. Octets
 * after the newline stay in *rest, which belongs to the descriptor and starts empty. */
int cli_control_line(int fd, struct text *rest, int timeout_ms, size_t limit, struct text *line) MUST_CHECK;
/* Open, and read the reply's first line, a JSON object with "ok": true, which is the caller's as *fd is; what follows is read with *rest (from text_init()). Made again for a
 * few seconds where nobody answered because a process was just being restarted, unless that could do something twice. The request's reference is taken. */
int cli_control_ask(const struct cli_common *o, json_t *request, int timeout_ms, int *fd, struct text *rest, json_t **reply) MUST_CHECK;
/* Open, read one reply, close. *reply is the caller's and has "ok": true; a reply that says otherwise is printed on stderr with its
 * problems, and ERR_INVALID returned. */
int cli_control_call(const struct cli_common *o, json_t *request, int timeout_ms, json_t **reply) MUST_CHECK;

/* What a reply with "ok": false says, and its problems, on stderr. */
void cli_refused(const json_t *reply);

/* stream.c: a reply that may go on for as long as somebody follows: lines of JSON, of which the first says whether there is one (head_or_null: called with it). fn: called with each
 * other; false: no more is wanted. Says on stderr what is wrong. CLI_OK, CLI_FAILED. */
typedef bool cli_entry_fn(void *ctx, json_t *entry);
int cli_control_follow(int fd, bool follow, cli_entry_fn *head_or_null, cli_entry_fn *fn, void *ctx) MUST_CHECK;
/* stream.c: a reply of any length. head (may be NULL) is called with its first line, fn with each line that follows but the last; a negative result of either ends it. 0: it was whole.
 * Failures are said on stderr. */
typedef int cli_head_fn(void *ctx, const json_t *head);
typedef int cli_line_fn(void *ctx, char *line);
int cli_control_stream(const struct cli_common *o, json_t *request, cli_head_fn *head, cli_line_fn *fn, void *ctx) MUST_CHECK;

/* An operand that is a serial; false (said on stderr) when it is none. */
bool cli_serial(const char *text, uint32_t *out);

/* One function and one help text for each subcommand; see verbs.c. */
cli_verb_fn cmd_help, cmd_version, cmd_check, cmd_zone, cmd_zone_check, cmd_run, cmd_role, cmd_lab, cmd_lab_delayline, cmd_status, cmd_drain, cmd_resume,
        cmd_reload, cmd_queries, cmd_zone_list, cmd_zone_show, cmd_zone_reload, cmd_zone_status, cmd_zone_retransfer, cmd_zone_history, cmd_zone_diff,
        cmd_zone_export, cmd_zone_rollback, cmd_zone_publish;
extern const char help_lab[], help_run[], help_status[], help_drain[], help_resume[], help_reload[], help_queries[], help_zone_list[], help_zone_show[],
        help_zone_reload[], help_zone_status[], help_zone_retransfer[], help_zone_history[], help_zone_diff[], help_zone_export[], help_zone_rollback[],
        help_zone_publish[];
extern const char help_help[], help_version[], help_check[], help_zone[], help_zone_check[];
cli_verb_fn cmd_catalog, cmd_catalog_status, cmd_catalog_accept;
cli_verb_fn cmd_trace, cmd_top, cmd_lab_forward;
extern const char help_trace[], help_top[];
cli_verb_fn cmd_steer;
extern const char help_steer[];
cli_verb_fn cmd_freeze, cmd_announce, cmd_plan;
extern const char help_freeze[], help_announce[], help_plan[];
extern const char help_catalog[], help_catalog_status[], help_catalog_accept[];
cli_verb_fn cmd_cache, cmd_cache_status, cmd_cache_show, cmd_cache_purge;
extern const char help_cache[], help_cache_status[], help_cache_show[], help_cache_purge[];
cli_verb_fn cmd_events;
extern const char help_events[];
cli_verb_fn cmd_zone_sign_variants;
extern const char help_zone_sign_variants[];
