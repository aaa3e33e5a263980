/* SPDX-License-Identifier: BSD-2-Clause */
/* engine_bench DELEGATIONS [--processes N] [--cache OCTETS] [--seconds S] [--nx] [--small-pages]: what an answer costs in user space, without sockets, in 1..N processes that
 * each have a CPU of their own. By hand and never part of the tests. The zone has so many delegations of two NS each, glue for every tenth; each process asks
 * for names below random ones of them, or with --nx for names that are not there. CPU time per answer of a process; where processes do not disturb each other it stays.
 *
 *	engine_bench 10000; engine_bench 10000000      what size costs
 *	engine_bench 1000000 --processes 2             what a second worker costs the first */
#include "answer/cache.h"
#include "answer/engine.h"
#include "base/clock.h"
#include "zone/content.h"

#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES_MAX = 64, LABEL_SPACE = 26, ROUND = 4096 };

struct figures {
	_Atomic uint64_t pin;
	_Atomic uint32_t ready;
	uint64_t answers, ns, cached;
};

static const uint8_t apex[] = "\x04test";
static struct figures *shared; /* one per process, then the signal to start */
static unsigned delegations, processes = 1, seconds = 2;
static size_t cache_octets;
static bool absent, small_pages;

static void must(int err, const char *what)
{
	if (err) {
		fprintf(stderr, "%s: %d\n", what, err);
		exit(1);
	}
}

/* Not wall time: other work on the machine is nobody's here. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static uint64_t scatter(uint64_t i)
{
	i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9ULL;
	i = (i ^ (i >> 27)) * 0x94d049bb133111ebULL;
	return i ^ (i >> 31);
}

/* A label as people register them: letters, of 5 to 14 octets; the zone's name behind it. */
static size_t owner_of(uint64_t i, uint8_t *out)
{
	uint64_t bits = scatter(i);
	unsigned len = 5 + (unsigned)(bits % 10);

	out[0] = (uint8_t)len;
	for (unsigned k = 1; k <= len; k++, bits = bits / LABEL_SPACE + (bits << 50))
		out[k] = (uint8_t)('a' + bits % LABEL_SPACE);
	memcpy(out + 1 + len, apex, sizeof(apex));
	return 1 + len + sizeof(apex);
}

static void add(struct content *c, const uint8_t *owner, uint16_t type, const void *rdata, size_t len)
{
	const struct rr rr = {.owner = owner, .type = type, .rclass = CLASS_IN, .ttl = 3600, .rdlen = (uint16_t)len, .rdata = rdata};

	must(content_add(c, &rr, NULL), "add");
}

static struct content *make_zone(void)
{
	struct content *c = content_new(apex);
	uint8_t owner[64], host[80], soa[22] = {0};

	must(!c, "memory");
	soa[2] = 1;
	add(c, apex, RR_SOA, soa, sizeof(soa));
	for (uint64_t i = 0; i < delegations; i++) {
		size_t len = owner_of(i, owner);

		for (int k = 0; k < 2; k++) {
			memcpy(host, k ? "\x03ns2" : "\x03ns1", 4);
			if (i % 10) {
				size_t n = owner_of(delegations + i % 5000, host + 4);

				add(c, owner, RR_NS, host, 4 + n);
				continue;
			}
			memcpy(host + 4, owner, len);
			add(c, owner, RR_NS, host, 4 + len);
			add(c, host, RR_A, &i, 4);
		}
	}
	add(c, apex, RR_NS, host, 4 + owner_of(delegations + 1, host + 4));
	must(content_finish(c), "finish");
	return c;
}

static void make_store(const char *path)
{
	const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = UINT32_MAX, .source = "bench"};
	_Atomic uint64_t *pins[1] = {&shared[0].pin};
	struct content *c = make_zone();
	struct store_open_info info;
	struct store_writer *w;
	uint64_t g;

	atomic_store(&shared[0].pin, STORE_UNPINNED);
	must(store_writer_open(path, pins, 1, &w, &info), "store");
	must(store_put_zone(w, apex, c, &meta), "put");
	must(store_commit(w, &g), "commit");
	if (!small_pages)
		while (store_gather_pages(w, 100))
			;
	store_writer_close(w);
	content_free(c);
}

static size_t query_for(uint64_t i, uint8_t *out)
{
	static const uint8_t head[DNS_HEADER_LEN] = {0, 1, 0, 0, 0, 1}, tail[4] = {0, RR_A, 0, CLASS_IN};
	size_t len = sizeof(head);

	memcpy(out, head, len);
	memcpy(out + len, "\x03www", 4);
	len += 4;
	len += owner_of(absent ? i + (1ULL << 40) : i, out + len);
	memcpy(out + len, tail, sizeof(tail));
	return len + sizeof(tail);
}

static void ask(const char *path, unsigned index)
{
	static uint8_t queries[ROUND][128], out[DNS_MESSAGE_MAX];
	struct engine_scratch *scratch = calloc(1, sizeof(*scratch));
	const struct engine_config conf = {.identity = {.nsid = "bench"}, .udp_max = DNS_UDP_DEFAULT};
	struct engine_request request = {.transport = ENGINE_UDP, .client = {.family = 4}};
	struct figures *f = &shared[index];
	uint64_t random = scatter(index + 1), end;
	struct store_reader *reader;
	struct store_snapshot s;
	struct engine_result r;
	size_t lens[ROUND];
	cpu_set_t cpu;

	must(!scratch, "memory");
	CPU_ZERO(&cpu);
	CPU_SET(index % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	must(store_reader_open(path, &f->pin, &reader), "open");
	if (cache_octets)
		must(cache_new(cache_octets, &scratch->cache), "cache");
	atomic_store(&f->ready, 1);
	while (!atomic_load(&shared[processes].ready))
		usleep(100);
	end = clock_ns() + (uint64_t)seconds * 1000000000U;
	for (uint64_t now = 0; now < end;) {
		uint64_t start;

		for (unsigned i = 0; i < ROUND; i++) {
			random = scatter(random + i + 1);
			lens[i] = query_for(random % delegations, queries[i]);
		}
		start = cpu_ns();
		for (unsigned i = 0; i < ROUND; i++) {
			if (i % 64 == 0)
				store_pin(reader, &s);
			request.msg = queries[i];
			request.len = lens[i];
			engine_answer(&conf, &s, scratch, &request, out, sizeof(out), &r);
			must(!r.len, "answer");
			f->cached += r.cached;
			if (i % 64 == 63)
				store_unpin(reader);
		}
		f->ns += cpu_ns() - start;
		now = clock_ns();
		f->answers += ROUND;
	}
	exit(0);
}

static void run(const char *path, unsigned count)
{
	processes = count;
	memset(shared, 0, sizeof(*shared) * (PROCESSES_MAX + 1));
	for (unsigned i = 0; i < count; i++)
		if (fflush(stdout), fork() == 0)
			ask(path, i);
	for (unsigned i = 0; i < count; i++)
		while (!atomic_load(&shared[i].ready) && waitpid(-1, NULL, WNOHANG) <= 0)
			usleep(1000);
	atomic_store(&shared[count].ready, 1);
	while (wait(NULL) > 0)
		;
	for (unsigned i = 0; i < count; i++)
		printf("delegations %u, process %u of %u: %" PRIu64 " answers, %.1f ns each, %.1f%% cached\n", delegations, i + 1, count, shared[i].answers,
		       (double)shared[i].ns / (double)(shared[i].answers + !shared[i].answers),
		       100.0 * (double)shared[i].cached / (double)(shared[i].answers + !shared[i].answers));
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"processes", required_argument, NULL, 'p'}, {"cache", required_argument, NULL, 'c'}, {"seconds", required_argument, NULL, 's'}, {"nx", no_argument, NULL, 'n'},
		{"small-pages", no_argument, NULL, 'm'}, {0}};
	unsigned most = 1;
	char path[64];

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'p')
			most = (unsigned)atoi(optarg);
		else if (c == 'c')
			cache_octets = (size_t)atoll(optarg);
		else if (c == 's')
			seconds = (unsigned)atoi(optarg);
		else if (c == 'n')
			absent = true;
		else if (c == 'm')
			small_pages = true;
		else
			return 2;
	}
	delegations = optind < argc ? (unsigned)atoi(argv[optind]) : 0;
	if (!delegations || !most || most > PROCESSES_MAX) {
		fprintf(stderr, "usage: engine_bench DELEGATIONS [--processes N] [--cache OCTETS] [--seconds S] [--nx] [--small-pages]\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared) * (PROCESSES_MAX + 1), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(shared == MAP_FAILED, "memory");
	snprintf(path, sizeof(path), "/dev/shm/engine-bench-%d", getpid());
	make_store(path);
	for (unsigned count = 1; count <= most; count++)
		run(path, count);
	unlink(path);
	strcat(path, ".lock");
	unlink(path);
	return 0;
}
