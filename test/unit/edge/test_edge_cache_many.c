/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache of backends' answers by many at once: threads (for the thread sanitizer), and processes that are killed
 * anywhere and replaced. Whatever is found is whole: every octet of an answer follows from its name and a version. */
#include "base/attr.h"
#include "base/wire.h"
#include "edge/cache.h"
#include "edge/cache_priv.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 4, THREAD_ROUNDS = 30000, PROCESSES = 3, KILLS = 150, NAMES = 3000 };

static const struct edge_limits limits = {.ttl_max_s = 1000, .negative_max_s = 1000, .stale_s = 1000, .prefetch = 50};
static void *memory;
static size_t octets;

struct party {
	_Alignas(64) _Atomic uint64_t rounds;
	uint64_t seed;
	unsigned index;
	bool purges, bad;
	struct edge_answer put, got;
	uint8_t body[2048], room[2048];
};
static struct party *party; /* shared */

static void begin(void)
{
	const uint64_t key[2] = {3, 4};

	octets = edge_cache_octets(0);
	memory = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	party = mmap(NULL, PROCESSES * THREADS * sizeof(*party), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	             0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_ptr_not_equal(party, MAP_FAILED);
	edge_cache_format(memory, octets, key);
}

static void end(void)
{
	munmap(memory, octets);
	munmap(party, PROCESSES * THREADS * sizeof(*party));
}

static uint64_t draw(struct party *p)
{
	p->seed ^= p->seed << 13;
	p->seed ^= p->seed >> 7;
	p->seed ^= p->seed << 17;
	return p->seed * UINT64_C(2685821657736338717) >> 20;
}

static uint8_t octet(unsigned n, unsigned version, unsigned i)
{
	return (uint8_t)((n * 31 + version * 17 + i * 7) >> 1);
}

/* One question: found whole, or answered. */
static void step(struct edge_cache *c, struct party *p)
{
	struct query q = {.qtype = 1, .qclass = 1};
	unsigned n = (unsigned)(draw(p) % NAMES), version = (unsigned)(draw(p) & 255), len;
	struct edge_key k;
	char name[32];

	snprintf(name, sizeof(name), "n%u.example.", n);
	if (name_from_text(name, strlen(name), NULL, &q.qname) < 0)
		abort();
	edge_key_make(c, &q, 1, &k);
	if (edge_cache_find(c, &k, NULL, 10, p->room, sizeof(p->room), &p->got) != EDGE_MISS) {
		if (p->got.len < 8 || get_u32(p->room) != n || p->got.len != 8 + (n + get_u32(p->room + 4)) % 1500)
			p->bad = true;
		for (unsigned i = 8; i < p->got.len && !p->bad; i++)
			p->bad = p->room[i] != octet(n, get_u32(p->room + 4), i);
		if (draw(p) % 4)
			return;
	}
	len = 8 + (n + version) % 1500;
	put_u32(p->body, n);
	put_u32(p->body + 4, version);
	for (unsigned i = 8; i < len; i++)
		p->body[i] = octet(n, version, i);
	p->put = (struct edge_answer){.body = p->body, .len = (uint16_t)len, .ttl = 100, .ede = UINT16_MAX};
	edge_cache_put(c, &k, NULL, &p->put, &limits, 10);
	if (p->purges && draw(p) % 2000 == 0)
		edge_cache_purge(memory, octets, q.qname.wire, false);
}

/* Nothing is held; counters and slots agree. */
static void check(void)
{
	struct top *t = cache_open(memory, octets);
	uint64_t slots = 0;
	struct edge_cache_figures f;

	assert_non_null(t);
	for (unsigned i = 0; i < t->shards; i++) {
		struct part p = cache_part(t, i);
		uint64_t copy[ENTRY_WORDS_MAX];

		assert_int_equal(p.shard->lock, 0);
		assert_int_equal(p.shard->seq & 1, 0);
		for (size_t j = 0; j < (size_t)t->buckets * WAYS; j++) {
			if (!p.slots[j])
				continue;
			slots++;
			assert_int_equal(cache_copy(t, &p, p.slots[j], p.shard->seq, NULL, copy), 1);
		}
	}
	edge_cache_look(memory, octets, &f);
	assert_int_equal(f.entries, slots);
}

static void *run_thread(void *arg)
{
	struct party *p = arg;
	struct edge_cache *c;

	if (edge_cache_attach(memory, octets, p->index, &c) < 0)
		abort();
	for (unsigned i = 0; i < THREAD_ROUNDS; i++)
		step(c, p);
	edge_cache_detach(c);
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t thread[THREADS];
	struct edge_cache_figures f;

	(void)state;
	begin();
	for (unsigned i = 0; i < THREADS; i++) {
		party[i].seed = 1000 + i;
		party[i].index = i;
		party[i].purges = i == 0;
		assert_int_equal(pthread_create(&thread[i], NULL, run_thread, &party[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_false(party[i].bad);
	check();
	edge_cache_look(memory, octets, &f);
	assert_true(f.inserted > THREAD_ROUNDS / 4);
	end();
}

static pid_t start(unsigned i, unsigned seed)
{
	pid_t pid;

	party[i].seed = seed;
	party[i].index = i;
	atomic_store(&party[i].rounds, 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct edge_cache *c;

		alarm(120); /* not left behind, whatever becomes of the test */
		if (edge_cache_attach(memory, octets, i, &c) < 0)
			_exit(2);
		while (!party[i].bad) {
			step(c, &party[i]);
			atomic_fetch_add(&party[i].rounds, 1);
		}
		_exit(1);
	}
	return pid;
}

/* Killed wherever they are: what others find stays whole, and after the last has a successor nothing is held. */
static void test_killed(void **state)
{
	pid_t pid[PROCESSES];
	uint64_t seed = 12345;

	(void)state;
	begin();
	for (unsigned i = 0; i < PROCESSES; i++)
		pid[i] = start(i, 77 + i);
	for (unsigned n = 0; n < KILLS; n++) {
		unsigned i = n % PROCESSES;
		uint64_t rounds = 50 + (seed = seed * 1103515245 + 12345) % 400;
		int status = 0;

		while (atomic_load(&party[i].rounds) < rounds && waitpid(pid[i], &status, WNOHANG) == 0)
			sched_yield();
		kill(pid[i], SIGKILL);
		if (!WIFEXITED(status) || !WEXITSTATUS(status))
			waitpid(pid[i], &status, 0);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		assert_false(party[i].bad);
		if (n + PROCESSES < KILLS)
			pid[i] = start(i, 1000 + n);
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		struct edge_cache *c;

		assert_int_equal(edge_cache_attach(memory, octets, i, &c), 0);
		for (unsigned n = 0; n < 2000; n++)
			step(c, &party[i]);
		assert_false(party[i].bad);
		edge_cache_detach(c);
	}
	check();
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
