/* SPDX-License-Identifier: BSD-2-Clause */
/* What a new fleet file would change, without a running node: both files are read whole, compared, and nothing is touched. On a
 * node with generations, STATE_DIR/fleet.accepted is the file in force (super/accepted.h), but relative paths in it look different from there. */
#include "cli/cli.h"

#include "base/err.h"
#include "config/change.h"
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WITHDRAW_MAX = CONFIG_NETWORKS_MAX };

const char help_plan[] =
	"usage: zonecast plan FILE [--config CURRENT] [--withdraw NETWORK ...] [--accept-older] [--json]\n"
	"\n"
	"What the fleet file FILE would change, compared with CURRENT (default " CLI_CONFIG_DEFAULT "): prefixes announced or\n"
	"withdrawn and where, networks, nodes, addresses, neighbors and which sessions would be reset, keys, zones. Refuses (exit status 1)\n"
	"a file that has mistakes, is of an older generation, or would take a network away everywhere.\n"
	"\n"
	"  --withdraw NETWORK   this network may go away; may be given again\n"
	"  --accept-older       FILE may be of an older generation\n";

struct names {
	const char *at[WITHDRAW_MAX];
	size_t count;
};

static int add_name(void *ctx, const char *value)
{
	struct names *n = ctx;

	if (n->count == WITHDRAW_MAX) {
		cli_error("--withdraw: at most %d", WITHDRAW_MAX);
		return CLI_USAGE;
	}
	n->at[n->count++] = value;
	return 0;
}

static struct config *load(const char *path, struct diag *diag)
{
	struct config *c = NULL;
	int err = config_load(path, diag, &c);

	if (err < 0 && diag->errors == 0)
		diag_add(diag, DIAG_ERROR, path, 0, 0, "%s", err_text(err));
	return err < 0 ? NULL : c;
}

static void hash_text(const struct config *c, char out[2 * sizeof(c->hash) + 1])
{
	for (size_t i = 0; i < sizeof(c->hash); i++)
		snprintf(out + 2 * i, 3, "%02x", c->hash[i]);
}

/* An older generation is refused, other content under the same one is worth a word. */
static void judge_generation(const struct config *old, const struct config *next, bool accept_older, struct changes *out)
{
	char a[65], b[65];

	hash_text(old, a);
	hash_text(next, b);
	if (next->generation < old->generation) {
		changes_add(out, '!', CHANGE_WARNING, "generation", "%u is older than %u, which is in force%s", next->generation, old->generation,
		            accept_older ? "" : ": refused");
		out->losses += !accept_older;
	} else if (next->generation && next->generation == old->generation && strcmp(a, b) != 0) {
		changes_add(out, '!', CHANGE_WARNING, "generation", "%u again with other content: sha256 %.16s... -> %.16s...", next->generation, a, b);
	}
}

static json_t *plan_json(const struct changes *list, const struct config *old, const struct config *next)
{
	json_t *changes = json_array();
	char a[65], b[65];

	hash_text(old, a);
	hash_text(next, b);
	for (const struct change *c = list->first; c; c = c->next)
		json_array_append_new(changes, json_pack("{s:s%, s:s, s:b, s:s, s:s}", "sign", &c->sign, (size_t)1, "effect",
		                                         change_effect_text(c->effect), "allowed", (int)c->allowed, "subject", c->subject, "text",
		                                         c->text));
	return json_pack("{s:b, s:I, s:{s:I, s:s}, s:{s:I, s:s}, s:o, s:I}", "refused", list->losses != 0, "losses", (json_int_t)list->losses, "from",
	                 "generation", (json_int_t)old->generation, "sha256", a, "to", "generation", (json_int_t)next->generation, "sha256", b,
	                 "changes", changes, "not_listed", (json_int_t)list->dropped);
}

static size_t count(const struct changes *list, enum change_effect effect)
{
	size_t n = 0;

	for (const struct change *c = list->first; c; c = c->next)
		n += c->effect == effect;
	return n;
}

static void print(const struct changes *list)
{
	static const char *const notes[] = {"", "", "  (the session is reset)", "  (needs a restart)", "  (refused)", ""};

	for (const struct change *c = list->first; c; c = c->next)
		printf("%c %s%s%s%s\n", c->sign, c->subject, *c->subject ? ": " : "", c->text,
		       c->effect == CHANGE_LOSS && c->allowed ? "  (as asked for)" : notes[c->effect]);
	if (list->dropped)
		printf("... and %zu more changes\n", list->dropped);
	if (!list->count)
		printf("nothing changes\n");
	else
		printf("%zu changes; %zu of routes, %zu that reset sessions, %zu that need a restart\n", list->count + list->dropped,
		       count(list, CHANGE_ROUTES), count(list, CHANGE_SESSION), count(list, CHANGE_RESTART));
}

int cmd_plan(int argc, char **argv)
{
	static const struct cli_verb verb = {"plan", cmd_plan, NULL, help_plan};
	const char *current = CLI_CONFIG_DEFAULT;
	bool json = false, accept_older = false;
	struct names withdraw = {.count = 0};
	const struct cli_option rows[] = {{"config", .value = &current}, {"withdraw", .each = add_name, .ctx = &withdraw},
	                                  {"accept-older", .flag = &accept_older}, {"json", .flag = &json}};
	struct config *old = NULL, *next = NULL;
	struct changes list;
	struct diag diag;
	int operand, rc = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 1, 1, &operand);

	if (rc >= 0)
		return rc;
	diag_init(&diag);
	next = load(argv[operand], &diag);
	cli_diag_print(stderr, &diag);
	diag_done(&diag);
	diag_init(&diag);
	if (next)
		old = load(current, &diag);
	if (next && !old)
		cli_diag_print(stderr, &diag);
	diag_done(&diag);
	rc = CLI_FAILED;
	changes_init(&list);
	if (old && next) {
		config_losses(old, next, withdraw.at, withdraw.count, &list);
		judge_generation(old, next, accept_older, &list);
		config_changes_of_routes(old, next, &list);
		config_changes(old, next, &list);
		rc = list.losses ? CLI_FAILED : CLI_OK;
		if (json && cli_json_print(plan_json(&list, old, next)) != CLI_OK)
			rc = CLI_FAILED;
		else if (!json)
			print(&list);
		if (list.losses)
			cli_error("plan: refused: %zu of these must be asked for (--withdraw NETWORK, --accept-older)", list.losses);
	}
	changes_done(&list);
	config_free(old);
	config_free(next);
	return rc;
}
