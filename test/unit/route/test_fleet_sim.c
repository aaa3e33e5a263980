/* SPDX-License-Identifier: BSD-2-Clause */
/* Random schedules of faults over a simulated fleet (fleet_sim.h): without arguments some ten thousand, in a few seconds.
 *
 *	test_fleet_sim [RUNS [FIRST-SEED [PROCESSES]]]     many
 *	test_fleet_sim --seed SEED                         one, with its trace
 *
 * A schedule that violates an invariant prints its seed and its trace. */
#include "fleet_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUNS = 10000, FAILURES_MAX = 10 };

struct sums {
	uint64_t runs, nodes, steps, moves, leaves, deprefs, returns, lasts, sheds, back_worst;
};

static void add(struct sums *to, const struct sim_result *r)
{
	to->runs++;
	to->nodes += r->nodes;
	to->steps += r->steps;
	to->moves += r->moves;
	to->leaves += r->leaves;
	to->deprefs += r->deprefs;
	to->returns += r->returns;
	to->lasts += r->lasts > 0;
	to->sheds += r->sheds;
	if (r->back_ms > to->back_worst)
		to->back_worst = r->back_ms;
}

/* Seeds first, first + stride, ... Returns how many failed. */
static int many(uint64_t first, uint64_t runs, uint64_t stride, struct sums *sums)
{
	int failed = 0;

	for (uint64_t k = 0; k < runs && failed < FAILURES_MAX; k++) {
		uint64_t seed = first + k * stride;
		struct sim_result r;

		sim_run(seed, false, &r);
		add(sums, &r);
		if (!r.violation)
			continue;
		printf("VIOLATION %s: seed %llu, %u nodes, node %u\n", r.violation, (unsigned long long)seed, r.nodes, r.node);
		fflush(stdout);
		if (!failed++)
			sim_run(seed, true, &r);
	}
	return failed;
}

static int report(const struct sums *s, int failed, uint64_t first)
{
	printf("%llu schedules from seed %llu: %llu nodes, %llu steps, %llu moves, of them %llu leaves, %llu de-preferences, %llu sheds, %llu returns; "
	       "%llu with a last pop; back within %llu ms at worst; %d violations\n",
	       (unsigned long long)s->runs, (unsigned long long)first, (unsigned long long)s->nodes, (unsigned long long)s->steps,
	       (unsigned long long)s->moves, (unsigned long long)s->leaves, (unsigned long long)s->deprefs, (unsigned long long)s->sheds,
	       (unsigned long long)s->returns, (unsigned long long)s->lasts, (unsigned long long)s->back_worst, failed);
	/* A simulator in which nothing happens proves nothing. */
	if (s->runs >= RUNS && (!s->leaves || !s->deprefs || !s->sheds || !s->returns || !s->lasts)) {
		printf("some kind of move never happened\n");
		return 1;
	}
	return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	uint64_t runs = argc > 1 ? strtoull(argv[1], NULL, 10) : RUNS, first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	unsigned jobs = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1, bad = 0;
	struct sums sums = {0};

	if (argc == 3 && strcmp(argv[1], "--seed") == 0) {
		struct sim_result r;

		sim_run(strtoull(argv[2], NULL, 10), true, &r);
		printf("%s\n", r.violation ? r.violation : "no violation");
		return r.violation ? 1 : 0;
	}
	if (jobs <= 1)
		return report(&sums, many(first, runs, 1, &sums), first);
	for (unsigned j = 0; j < jobs; j++)
		if (fork() == 0)
			exit(report(&sums, many(first + j, runs / jobs, jobs, &sums), first + j));
	for (unsigned j = 0; j < jobs; j++) {
		int status;

		if (wait(&status) > 0 && status)
			bad++;
	}
	return bad ? 1 : 0;
}
