/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include "xdp/program.h"

#include <openssl/crypto.h>
#include <seccomp.h>
#include <stdio.h>
#include <uv.h>
#include <yaml.h>

const char help_version[] = "usage: zonecast version [--json]\n"
                            "\n"
                            "The version of zonecast, the compiler it was built with, the libraries it runs with and\n"
                            "the build options that are on.\n";

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZER "address"
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZER "address"
#endif
#endif
#ifndef SANITIZER
#define SANITIZER "none"
#endif

int cmd_version(int argc, char **argv)
{
	bool json = false;
	const struct cli_option rows[] = {{"json", .flag = &json}};
	const struct scmp_version *seccomp = seccomp_version();
	char seccomp_text[32];
	int at;
	int rc = cli_parse(cli_verb_find(cli_verbs, cli_verb_count, "version"), rows, ARRAY_LEN(rows), argc, argv, 0, 0,
	                   &at);

	if (rc >= 0)
		return rc;
	snprintf(seccomp_text, sizeof(seccomp_text), "%u.%u.%u", seccomp->major, seccomp->minor, seccomp->micro);
	json_t *v = json_pack("{ss ss s{ss ss ss ss ss} s{ss sb sb}}", "version", ZONECAST_VERSION, "compiler",
#ifdef __clang__
	                      "clang " __clang_version__,
#else
	                      "gcc " __VERSION__,
#endif
	                      "libraries", "libuv", uv_version_string(), "openssl",
	                      OpenSSL_version(OPENSSL_VERSION_STRING), "libyaml", yaml_get_version_string(), "jansson",
	                      jansson_version_str(), "libseccomp", seccomp_text, "options", "sanitizer", SANITIZER,
	                      "optimized",
#ifdef __OPTIMIZE__
	                      1,
#else
	                      0,
#endif
	                      "xdp", xdp_program_built());
	if (json)
		return cli_json_print(v);
	printf("zonecast %s\ncompiler: %s\nlibraries:", ZONECAST_VERSION,
	       json_string_value(json_object_get(v, "compiler")));
	const char *key;
	json_t *value;

	json_object_foreach (json_object_get(v, "libraries"), key, value)
		printf(" %s %s", key, json_string_value(value));
	printf("\noptions: sanitizer %s, xdp %s\n", SANITIZER, xdp_program_built() ? "yes" : "no");
	json_decref(v);
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}
