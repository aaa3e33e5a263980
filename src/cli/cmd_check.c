/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything that can be judged without running: the fleet file, the files it names, and the zones in them, for all nodes or for one. */
#include "cli/cli.h"

#include "base/err.h"
#include "config/config.h"
#include "dns/name.h"
#include "dns/rr.h"
#include "zone/content.h"

#include <stdio.h>
#include <string.h>

const char help_check[] = "usage: zonecast check [--config FILE] [--node NAME] [--no-zones] [--json]\n"
                          "\n"
                          "Judge a fleet file (default " CLI_CONFIG_DEFAULT ") without running: the file itself, the\n"
                          "key files it names, and every zone file. Each problem is printed as FILE:LINE:COLUMN with\n"
                          "what is wrong and what to write instead. Warnings alone do not fail the check.\n"
                          "\n"
                          "  --node NAME   only the files this node needs\n"
                          "  --no-zones    leave the zones' contents out\n"
                          "  --json        one JSON object instead of text\n";

static bool can_be_steered(const struct content *z, const uint8_t *name)
{
	return content_lookup(z, name, RR_A) || content_lookup(z, name, RR_AAAA) || content_lookup(z, name, RR_CNAME);
}

/* Is there a set to steer at the name, its own or a wildcard's? */
static bool has_set(const struct content *z, const uint8_t *name)
{
	bool found = can_be_steered(z, name);

	while (!found && !name_equal(name, content_apex(z))) {
		struct name wildcard = {.wire = {1, '*'}};
		size_t len;

		name = name_parent(name);
		len = name_len(name);
		if (len + 2 > NAME_LEN_MAX)
			continue;
		memcpy(wildcard.wire + 2, name, len);
		found = can_be_steered(z, wildcard.wire);
	}
	return found;
}

/* Does another zone of the file hold the name, a deeper one? */
static bool is_deeper(const struct config *c, size_t zone, const uint8_t *name)
{
	for (size_t i = 0; i < c->zone_count; i++)
		if (i != zone && name_is_under(name, c->zones[i].apex) &&
		    name_labels(c->zones[i].apex) > name_labels(c->zones[zone].apex))
			return true;
	return false;
}

/* Names that a policy is to answer, but of which the zone has nothing: nobody would be given anything. */
static void check_owners(const struct config *c, size_t zone, const struct content *z, struct diag *diag)
{
	char text[NAME_TEXT_MAX];

	for (size_t i = 0; i < c->steering_count; i++)
		for (size_t k = 0; k < c->steering[i].owner_count; k++) {
			const uint8_t *owner = c->steering[i].owners[k];

			if (!name_is_under(owner, c->zones[zone].apex) || has_set(z, owner) ||
			    is_deeper(c, zone, owner))
				continue;
			name_to_text(owner, text);
			diag_add(diag, DIAG_WARNING, c->path, c->steering[i].line, 0,
			         "steering \"%s\": %s has neither A, AAAA nor CNAME in its zone: add the set that servers "
			         "without steering give",
			         c->steering[i].name, text);
		}
}

static void check_zones(const struct config *c, struct diag *diag)
{
	for (size_t i = 0; i < c->zone_count; i++) {
		struct content *content = NULL;
		struct diag one;

		if (!c->zones[i].file)
			continue;
		/* Limits count for each zone, so that the first bad one does not hide the others. */
		diag_init(&one);
		if (zone_load_file(c->zones[i].file, c->zones[i].apex, NULL, &one, &content) == 0) {
			check_owners(c, i, content, diag);
			content_free(content);
		} else if (one.errors == 0) {
			diag_add(diag, DIAG_ERROR, c->path, c->zones[i].line, 0, "zone file %s cannot be loaded",
			         c->zones[i].file);
		}
		for (const struct diag_entry *e = one.first; e; e = e->next)
			diag_add(diag, e->severity, e->file, e->line, e->column, "%s", e->text);
		diag->dropped += one.dropped;
		diag_done(&one);
	}
}

int cmd_check(int argc, char **argv)
{
	const char *path = CLI_CONFIG_DEFAULT, *node_name = NULL;
	bool json = false, no_zones = false;
	const struct cli_option rows[] = {{"config", .value = &path},
	                                  {"node", .value = &node_name},
	                                  {"no-zones", .flag = &no_zones},
	                                  {"json", .flag = &json}};
	const struct config_node *node = NULL;
	struct config *c = NULL;
	struct diag diag;
	int at, rc = cli_parse(cli_verb_find(cli_verbs, cli_verb_count, "check"), rows, ARRAY_LEN(rows), argc, argv, 0, 0,
	                       &at);

	if (rc >= 0)
		return rc;
	diag_init(&diag);
	diag.error_limit = diag.warning_limit = 1000;
	rc = config_load(path, &diag, &c);
	if (rc == 0 && node_name) {
		node = config_node_find(c, node_name);
		if (!node)
			diag_add(&diag, DIAG_ERROR, path, 0, 0, "no node is named \"%s\"", node_name);
	}
	if (rc == 0 && diag.errors == 0) {
		config_check_files(c, node, &diag);
		config_check_zone_files(c, node, NULL, &diag);
	}
	if (rc == 0 && !no_zones)
		check_zones(c, &diag);
	if (rc < 0 && diag.errors == 0)
		diag_add(&diag, DIAG_ERROR, path, 0, 0, "%s", err_text(rc));
	rc = diag.errors ? CLI_FAILED : CLI_OK;
	if (json) {
		json_t *o = cli_diag_json(&diag);

		if (c)
			json_object_update_new(o, json_pack("{si si si si}", "networks", (int)c->network_count, "nodes",
			                                    (int)c->node_count, "keys", (int)c->key_count, "zones",
			                                    (int)c->zone_count));
		if (cli_json_print(o) != CLI_OK)
			rc = CLI_FAILED;
	} else {
		cli_diag_print(rc == CLI_OK ? stdout : stderr, &diag);
		if (rc == CLI_OK)
			printf("%s: good: %zu networks, %zu nodes, %zu keys, %zu zones%s\n", path, c->network_count,
			       c->node_count, c->key_count, c->zone_count, diag.warnings ? " (see the warnings above)" : "");
		else
			cli_error("%s: %u errors, %u warnings", path, diag.errors, diag.warnings);
	}
	config_free(c);
	diag_done(&diag);
	return rc;
}
