/* SPDX-License-Identifier: BSD-2-Clause */
/* `trace`: asks the network from here, with the fleet file alone; no node need run on this machine. */
#include "cli/cli.h"

#include "base/err.h"
#include "cli/paint.h"
#include "cli/trace.h"
#include "dns/rr.h"

#include <stdio.h>
#include <string.h>

const char help_trace[] =
	"usage: zonecast trace NAME [TYPE] [--network NETWORK] [--from ADDRESS|SUBNET] [--tcp] [--config FILE] [--json]\n"
	"\n"
	"Ask the anycast addresses of the network that serves NAME, and every node that has its zone by its management "
        "addresses, over IPv4 and IPv6:\n"
	"who answers (NSID), what, with which serial, how fast. TYPE is A where none is given. The first answer is "
        "printed, then who gave the same, what\n"
	"differs in the others, and who is silent. Needs the fleet file only, and works from any machine. --network: "
        "for names whose zone the file does not\n"
	"list (members of catalogs). --from: the source address; only servers of its family are asked. With a subnet, such as "
        "198.51.100.0/24, all are told that the\n"
	"client is there (RFC 7871): what steered names give it, with the scope of the answer and the endpoints that it names. "
        "Exit status 1 when not all answers are the same.\n";

static bool read_question(const char *name, const char *type, struct name *qname, uint16_t *qtype)
{
	static const uint8_t root[1] = {0};

	if (name_from_text(name, strlen(name), root, qname) < 0) {
		cli_error("\"%s\" is no domain name", name);
		return false;
	}
	if (rrtype_from_text(type, strlen(type), qtype) < 0 || (rrtype_is_meta(*qtype) && *qtype != RR_ANY)) {
		cli_error("\"%s\" is no record type that can be asked for", type);
		return false;
	}
	return true;
}

static int print(const struct trace *t, bool json)
{
	struct text out;
	int code;

	if (json)
		return cli_json_print(trace_json(t));
	text_init(&out);
	trace_text(t, paint_wanted(), &out);
	code = !out.failed && fwrite(out.chars, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? CLI_OK
	                                                                                              : CLI_FAILED;
	text_done(&out);
	return code;
}

int cmd_trace(int argc, char **argv)
{
	static const struct cli_verb verb = {"trace", cmd_trace, NULL, help_trace};
	const char *network = NULL, *from = NULL;
	struct cli_common common = {0};
	struct trace t = {0};
	/* clang-format off */
	const struct cli_option rows[] = {
		{"config", .value = &common.config}, {"json", .flag = &common.json}, {"network", .value = &network}, {"from", .value = &from}, {"tcp", .flag = &t.tcp},
	};
	/* clang-format on */
	int operand, code = cli_parse(&verb, rows, ARRAY_LEN(rows), argc, argv, 1, 2, &operand);
	bool tcp = t.tcp;
	struct ip_prefix subnet;
	struct config *c = NULL;
	struct ip_addr source = {0};
	char why[TRACE_WHY_MAX];
	struct name name;
	uint16_t type;

	if (code >= 0)
		return code;
	if (!read_question(argv[operand], argc - operand > 1 ? argv[operand + 1] : "A", &name, &type))
		return CLI_USAGE;
	if (from && strchr(from, '/')) {
		int err = prefix_parse(from, &t.subnet);

		if (err < 0 && err != ERR_INVALID) { /* with bits set behind its length, the one that was meant */
			cli_error("--from %s: no subnet", from);
			return CLI_USAGE;
		}
	} else if (from && addr_parse(from, &source) < 0) {
		cli_error("--from %s: no address", from);
		return CLI_USAGE;
	}
	subnet = t.subnet;
	if (cli_load_config(&common, "who is to be asked is not known", &c) < 0)
		return CLI_FAILED;
	if (trace_init(&t, c, &name, type, network, source.family, why) < 0) {
		cli_error("%s", why);
		config_free(c);
		return CLI_FAILED;
	}
	t.tcp = tcp;
	t.subnet = subnet;
	code = trace_ask(&t, &source) < 0 ? CLI_FAILED : CLI_OK;
	trace_compare(&t);
	if (code == CLI_OK)
		code = print(&t, common.json);
	if (!trace_agrees(&t))
		code = CLI_FAILED;
	trace_done(&t);
	config_free(c);
	return code;
}
