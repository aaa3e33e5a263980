/* SPDX-License-Identifier: BSD-2-Clause */
/* The subcommands. To add one: write cmd_VERB.c with `int cmd_VERB(int argc, char **argv)` and `const char help_VERB[]`, declare
 * both at the end of cli.h, list the file in meson.build, add a row here (in the order people should read them in `zonecast help`),
 * a page doc/man/zonecast-VERB.1.scd or a paragraph in zonecast.1.scd, and the verb in dist/completion/zonecast.bash. */
#include "cli/cli.h"

const struct cli_verb cli_verbs[] = {
        {"run", cmd_run, "run this node, or a stand-alone server", help_run},
        {"role", cmd_role, NULL, NULL},
        {"status", cmd_status, "this node: answering, announced or not, and why", help_status},
        {"trace", cmd_trace, "ask the anycast address and every node: who answers, what, how fast", help_trace},
        {"steer", cmd_steer, "explain what a policy gives a client: rule, pool, endpoints", help_steer},
        {"top", cmd_top, "what the node does now, live: rates, clients, names, nodes", help_top},
        {"queries", cmd_queries, "the last queries, or those that come: who asks what", help_queries},
        {"events", cmd_events, "what has happened, and what happens, with its reasons", help_events},
        {"drain", cmd_drain, "planned maintenance: move traffic away, then withdraw", help_drain},
        {"freeze", cmd_freeze, "break glass: what is announced stays as it is", help_freeze},
        {"announce", cmd_announce, "break glass: announce whatever the checks say", help_announce},
        {"resume", cmd_resume, "end a drain, a freeze, a forced announcement", help_resume},
        {"reload", cmd_reload, "read the configuration and changed zone files again", help_reload},
        {"plan", cmd_plan, "what a new configuration would change, and what it must not", help_plan},
        {"check", cmd_check, "judge a configuration, its files, keys and zones without running", help_check},
        {"zone", cmd_zone, "zones: check files, list, show, reload", help_zone},
        {"catalog", cmd_catalog, "catalogs of zones: status, accept", help_catalog},
        {"cache", cmd_cache, "answers of backends: status, show, purge", help_cache},
        {"lab", cmd_lab, "an anycast internet on this machine, with failure drills", help_lab},
        {"lab-delayline", cmd_lab_delayline, NULL, NULL},
        {"lab-forward", cmd_lab_forward, NULL, NULL},
        {"version", cmd_version, "version and build options", help_version},
        {"help", cmd_help, "this list, or the text of one command", help_help},
};
const size_t cli_verb_count = ARRAY_LEN(cli_verbs);

const struct cli_verb cli_zone_verbs[] = {
        {"check", cmd_zone_check, "check a zone file, and print it in normal form", help_zone_check},
        {"list", cmd_zone_list, "zones of the running node", help_zone_list},
        {"show", cmd_zone_show, "print a zone as it is served", help_zone_show},
        {"reload", cmd_zone_reload, "read a zone file again", help_zone_reload},
        {"history", cmd_zone_history, "the versions of a zone that are kept: what, when, by whom", help_zone_history},
        {"diff", cmd_zone_diff, "what differs between two of them", help_zone_diff},
        {"rollback", cmd_zone_rollback, "go back to one of them, under a new serial", help_zone_rollback},
        {"export", cmd_zone_export, "one of them as a zone file", help_zone_export},
        {"publish", cmd_zone_publish, "load a changed file, and wait until every pop answers it", help_zone_publish},
        {"sign-variants", cmd_zone_sign_variants, "sign what steered names may be answered with, before the zone is signed", help_zone_sign_variants},
        {"status", cmd_zone_status, "each zone: fresh, failing, expired, and why", help_zone_status},
        {"retransfer", cmd_zone_retransfer, "transfer a zone from its primary again", help_zone_retransfer},
};
const size_t cli_zone_verb_count = ARRAY_LEN(cli_zone_verbs);

const struct cli_verb cli_catalog_verbs[] = {
        {"status", cmd_catalog_status, "catalogs that zones are taken from: members, and what is wrong", help_catalog_status},
        {"accept", cmd_catalog_accept, "take a version that takes away many members", help_catalog_accept},
};
const size_t cli_catalog_verb_count = ARRAY_LEN(cli_catalog_verbs);

const struct cli_verb cli_cache_verbs[] = {
        {"status", cmd_cache_status, "how large and full it is, hits and misses, what went out of it why", help_cache_status},
        {"show", cmd_cache_show, "the answers kept for a name", help_cache_show},
        {"purge", cmd_cache_purge, "forget them", help_cache_purge},
};
const size_t cli_cache_verb_count = ARRAY_LEN(cli_cache_verbs);
