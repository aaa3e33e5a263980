/* SPDX-License-Identifier: BSD-2-Clause */
/* edge_cache_bench: what the cache of backends' answers costs, by hand and never part of the tests. Fills it with
 * ENTRIES answers of 100 octets, then times finding them (evenly, and by a Zipf law), missing, and putting, in one
 * process and in two at once; CPU time of each process, since other work on the machine only ever adds. Last a purge,
 * which looks at every entry. usage: edge_cache_bench [MiB] [ENTRIES] */
#include "base/addr.h"
#include "base/hash.h"
#include "base/wire.h"
#include "edge/cache.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BODY = 100, ROUNDS = 2000000 };

static const struct edge_limits limits = {.ttl_max_s = 86400, .negative_max_s = 3600, .stale_s = 86400, .prefetch = 10};
static struct edge_answer answer, got;
static uint8_t body[BODY], room[EDGE_BODY_MAX];
static unsigned entries = 1000000;
static uint64_t seed = 88172645463325252;

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "edge_cache_bench: %s\n", what);
		exit(1);
	}
}

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * UINT64_C(2685821657736338717);
}

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* n.www.example.com., 26 octets: names as there are. */
static void question(struct query *q, char what, unsigned n)
{
	uint8_t *at = q->qname.wire;

	*at++ = 9;
	*at++ = (uint8_t)what;
	for (int i = 7; i >= 0; i--)
		*at++ = (uint8_t)("0123456789abcdef"[n >> 4 * i & 15]);
	memcpy(at, "\3www\7example\3com", 17);
	q->qname.len = 10 + 17;
	q->qtype = 1;
	q->qclass = 1;
}

static void key(struct edge_cache *c, char what, unsigned n, struct edge_key *k)
{
	static struct query q;

	question(&q, what, n);
	edge_key_make(c, &q, 7, k);
}

static void report(const char *what, double from, unsigned rounds)
{
	printf("  %-34s %7.0f ns\n", what, (cpu_ns() - from) / rounds);
	fflush(stdout);
}

/* Ranks by a Zipf law with exponent 1: inverse of the continuous distribution. */
static unsigned zipf(unsigned n)
{
	double u = (double)(next() >> 11) / 9007199254740992.0;

	return (unsigned)(exp(u * log((double)n + 1)) - 1) % n;
}

static void fill(struct edge_cache *c)
{
	struct edge_key k;

	for (unsigned i = 0; i < entries; i++) {
		key(c, 'n', i, &k);
		edge_cache_put(c, &k, NULL, &answer, &limits, 10);
	}
}

static void measure(struct edge_cache *c, unsigned which)
{
	struct edge_key k;
	unsigned found = 0;
	double from;

	seed += which * 7919;
	from = cpu_ns();
	for (unsigned i = 0; i < ROUNDS; i++)
		key(c, 'n', (unsigned)(next() % entries), &k);
	report("making a key", from, ROUNDS);
	from = cpu_ns();
	for (unsigned i = 0; i < ROUNDS; i++) {
		key(c, 'n', (unsigned)(next() % entries), &k);
		found += edge_cache_find(c, &k, NULL, 100, room, sizeof(room), &got) != EDGE_MISS;
	}
	report("key and find, hit, any entry", from, ROUNDS);
	printf("  %-34s %7.2f %%\n", "of them found", 100.0 * found / ROUNDS);
	from = cpu_ns();
	for (unsigned i = 0; i < ROUNDS; i++) {
		key(c, 'n', zipf(entries), &k);
		found += edge_cache_find(c, &k, NULL, 100, room, sizeof(room), &got) != EDGE_MISS;
	}
	report("key and find, hit, Zipf", from, ROUNDS);
	from = cpu_ns();
	for (unsigned i = 0; i < ROUNDS; i++) {
		key(c, 'm', (unsigned)next(), &k);
		found += edge_cache_find(c, &k, NULL, 100, room, sizeof(room), &got) != EDGE_MISS;
	}
	report("key and find, miss", from, ROUNDS);
	from = cpu_ns();
	for (unsigned i = 0; i < ROUNDS; i++) {
		key(c, 'n', (unsigned)(next() % entries), &k);
		edge_cache_put(c, &k, NULL, &answer, &limits, 100);
	}
	report("key and put, entry that is there", from, ROUNDS);
	from = cpu_ns();
	for (unsigned i = 0; i < ROUNDS; i++) {
		key(c, 'p', (unsigned)next(), &k);
		edge_cache_put(c, &k, NULL, &answer, &limits, 100);
	}
	report("key and put, new", from, ROUNDS);
}

int main(int argc, char **argv)
{
	size_t octets = edge_cache_octets((size_t)(argc > 1 ? atoi(argv[1]) : 208) << 20);
	void *memory = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const uint64_t random_key[2] = {1, 2};
	struct edge_cache_figures f;
	struct edge_cache *c;
	struct edge_key k;
	double from;

	if (argc > 2)
		entries = (unsigned)atoi(argv[2]);
	must(memory != MAP_FAILED, "mmap");
	edge_cache_format(memory, octets, random_key);
	must(edge_cache_attach(memory, octets, 0, &c) == 0, "attach");
	answer = (struct edge_answer){.body = body,
	                              .len = BODY,
	                              .counts = {2, 0, 0},
	                              .ede = UINT16_MAX,
	                              .ttl = 3600,
	                              .ttl_count = 2,
	                              .ttl_at = {6, 56}};
	put_u32(body + 6, 3600);
	put_u32(body + 56, 3600);
	from = cpu_ns();
	fill(c);
	printf("%u answers of %u octets, names of 27:\n", entries, BODY);
	report("key and put, empty cache", from, entries);
	edge_cache_look(memory, octets, &f);
	printf("  %llu octets of memory, %llu entries, %.1f octets an entry in use, %.1f of all\n",
	       (unsigned long long)f.octets, (unsigned long long)f.entries, (double)f.used / (double)f.entries,
	       (double)f.octets / (double)f.entries);
	printf("one process:\n");
	measure(c, 0);
	fill(c);
	printf("two processes at once, the first:\n");
	fflush(stdout);
	{
		pid_t child = fork();

		must(child >= 0, "fork");
		if (!child) {
			edge_cache_detach(c);
			must(edge_cache_attach(memory, octets, 1, &c) == 0, "attach");
			must(freopen("/dev/null", "w", stdout) != NULL, "/dev/null");
			measure(c, 1);
			_exit(0);
		}
		measure(c, 0);
		must(waitpid(child, NULL, 0) == child, "waitpid");
	}
	edge_cache_look(memory, octets, &f);
	printf("  torn %llu, busy %llu\n", (unsigned long long)f.torn, (unsigned long long)f.busy);
	from = cpu_ns();
	key(c, 'n', 5, &k);
	edge_cache_purge(memory, octets, k.name, true);
	report("purging one of all these", from, 1);
	edge_cache_detach(c);
	munmap(memory, octets);
	return 0;
}
