/* SPDX-License-Identifier: BSD-2-Clause */
/* A change travels: one record of example.com, and its serial, at the hidden primary; then the clients of all regions ask until they are answered the new serial,
 * over IPv4 and IPv6. The clock starts when the primary is told to read the file, so it holds: reading, checking, committing, NOTIFY, the question for the
 * serial, IXFR (five to seven crossings of the ocean for the farther regions), checking, committing and the client's own question. */
#include "base/clock.h"
#include "base/err.h"
#include "lab/verbs.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { ARRIVE_MS = 30000, ASK_MS = 1000, WAIT_MS = 2, RUNS_MAX = 50 };

struct arrivals {
	double ms[LAB_REGIONS][2]; /* IPv4, IPv6; negative: not yet */
};

static int wait_for_all(const struct lab *l, uint32_t serial, uint64_t began_ns, struct arrivals *out)
{
	unsigned missing = 2 * LAB_REGIONS;

	for (unsigned i = 0; i < LAB_REGIONS; i++)
		out->ms[i][0] = out->ms[i][1] = -1;
	while (missing) {
		if (clock_ns() - began_ns > (uint64_t)ARRIVE_MS * 1000000U)
			return -ETIMEDOUT;
		for (unsigned i = 0; i < LAB_REGIONS; i++)
			for (int f = 0; f < 2; f++) {
				struct lab_answer a;

				if (out->ms[i][f] >= 0)
					continue;
				lab_ask(l, i, f ? 6 : 4, "example.com", ASK_MS, &a);
				if (!a.answered || a.rcode || a.serial != serial)
					continue;
				out->ms[i][f] = (double)(clock_ns() - began_ns) / 1e6;
				missing--;
			}
		poll(NULL, 0, WAIT_MS);
	}
	return 0;
}

static int run_once(const struct lab *l, struct arrivals *out)
{
	char run_dir[LAB_PATH_MAX + 32];
	struct lab_answer now;
	uint64_t began;
	int err;

	lab_ask(l, 0, 4, "example.com", ASK_MS, &now);
	if (!now.answered || now.rcode)
		return ERR_NOT_FOUND;
	err = lab_write_example(l, now.serial + 1);
	if (err)
		return err;
	snprintf(run_dir, sizeof(run_dir), "%s/hidden/run", l->dir);
	began = clock_ns();
	err = lab_run(NULL,
	              (const char *const[]){l->self, "zone", "reload", "example.com", "--run-dir", run_dir, NULL});
	return err ? err : wait_for_all(l, now.serial + 1, began, out);
}

static json_t *run_json(const struct arrivals *a)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < LAB_REGIONS; i++)
		json_object_set_new(o, lab_regions[i].name,
		                    json_pack("{s:f, s:f}", "ipv4_ms", a->ms[i][0], "ipv6_ms", a->ms[i][1]));
	return o;
}

int lab_drill_zone_once(const struct lab *l, json_t **out)
{
	struct arrivals a;
	int err = run_once(l, &a);

	if (!err)
		*out = run_json(&a);
	return err;
}

int lab_drill_zone(const struct lab *l, const struct lab_drill_options *o)
{
	json_t *runs = json_array();
	int err = o->runs && o->runs <= RUNS_MAX ? 0 : ERR_INVALID;

	if (!o->json)
		printf("drill zone: a record changes at the hidden primary in %s\n", lab_regions[0].name);
	for (unsigned i = 0; !err && i < o->runs; i++) {
		struct arrivals a;

		err = run_once(l, &a);
		if (err)
			break;
		json_array_append_new(runs, run_json(&a));
		for (unsigned k = 0; k < LAB_REGIONS && !o->json; k++)
			printf("  run %u: %s answers it after %.0f ms (IPv4), %.0f ms (IPv6); the primary is %u ms "
			       "away\n",
			       i + 1, lab_regions[k].name, a.ms[k][0], a.ms[k][1], k ? lab_latency_ms(0, k) : 0);
		fflush(stdout);
	}
	if (err)
		fprintf(stderr, "zonecast: drill zone: %s\n", err_text(err));
	if (!err && o->json) {
		json_t *out = json_pack("{s:s, s:O}", "drill", "zone", "runs", runs);

		json_dumpf(out, stdout, JSON_INDENT(2));
		printf("\n");
		json_decref(out);
	}
	json_decref(runs);
	return err;
}
