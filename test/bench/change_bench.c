/* SPDX-License-Identifier: BSD-2-Clause */
/* change_bench PATH [DELEGATIONS]: what small changes of a large zone cost, by hand and never part of the tests. PATH is made anew; put it where a run
 * directory would be (memory). The zone has a million delegations of two NS each, glue for every tenth. Each change replaces the SOA too, as
 * IXFR does. Times are CPU time of the writer; a commit is part of each. */
#include "base/wire.h"
#include "dns/rr.h"
#include "zone/content.h"
#include "zone/difference.h"
#include "zone/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 1000000, ROUNDS = 2000, THOUSANDS = 20 };

static _Atomic uint64_t pin = STORE_UNPINNED;
static _Atomic uint64_t *const pins[1] = {&pin};
static const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = UINT32_MAX, .source = "bench"};
static struct name apex;
static uint32_t serial = 1;
static unsigned delegations = MANY;

static void must(int err, const char *what)
{
	if (err) {
		fprintf(stderr, "%s: %d\n", what, err);
		exit(1);
	}
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static struct name name_of(const char *text)
{
	static const uint8_t root[1];
	struct name n;

	must(name_from_text(text, strlen(text), root, &n), text);
	return n;
}

static void add(struct content *c, const uint8_t *owner, uint16_t type, const void *rdata, size_t len)
{
	struct rr rr = {.owner = owner, .type = type, .rclass = CLASS_IN, .ttl = 3600, .rdlen = (uint16_t)len, .rdata = rdata};

	must(content_add(c, &rr, NULL), "add");
}

static void add_soa(struct content *c, uint32_t number)
{
	uint8_t rdata[22] = {0};

	put_u32(rdata + 2, number);
	add(c, apex.wire, RR_SOA, rdata, sizeof(rdata));
}

static uint64_t scatter(uint64_t i)
{
	i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9ULL;
	i = (i ^ (i >> 27)) * 0x94d049bb133111ebULL;
	return i ^ (i >> 31);
}

/* PREFIX LABEL SUFFIX, with labels as people register them: letters, of 5 to 14 octets. */
static struct name owner_of(uint64_t i, const char *prefix, const char *suffix)
{
	uint64_t bits = scatter(i);
	unsigned len = 5 + (unsigned)(bits % 10);
	char label[32], text[80];

	for (unsigned k = 0; k < len; k++, bits = bits / 26 + (bits << 50))
		label[k] = (char)('a' + bits % 26);
	label[len] = 0;
	snprintf(text, sizeof(text), "%s%s%s.test.", prefix, label, suffix);
	return name_of(text);
}

static struct content *zone(uint32_t number)
{
	struct content *c = content_new(apex.wire);
	struct name host = name_of("ns.test.");
	char text[80];

	add_soa(c, number);
	add(c, apex.wire, RR_NS, host.wire, name_len(host.wire));
	for (unsigned i = 0; i < delegations; i++) {
		struct name owner = owner_of(i, "", "");

		for (unsigned k = 1; k <= 2; k++) {
			snprintf(text, sizeof(text), "ns%u.host%u.example.", k, i % 5000);
			host = i % 10 ? name_of(text) : owner_of(i, k == 1 ? "ns1." : "ns2.", "");
			add(c, owner.wire, RR_NS, host.wire, name_len(host.wire));
			if (i % 10 == 0)
				add(c, host.wire, RR_A, &i, 4);
		}
	}
	must(content_finish(c), "finish");
	return c;
}

static void begin(struct zone_change *change)
{
	must(zone_change_init(change, apex.wire), "change");
	add_soa(change->removed, serial);
	add_soa(change->added, ++serial);
}

/* Apply and commit; the time it took. */
static uint64_t apply(struct store_writer *w, struct zone_change *change)
{
	struct zone_change_problem problem;
	uint64_t t, g;
	int err;

	must(content_finish(change->removed), "finish");
	must(content_finish(change->added), "finish");
	t = cpu_ns();
	err = store_change_zone(w, apex.wire, change, &meta, &problem);
	if (err)
		fprintf(stderr, "%s\n", problem.text);
	must(err, "change");
	must(store_commit(w, &g), "commit");
	t = cpu_ns() - t;
	zone_change_done(change);
	return t;
}

static int order(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void say(const char *what, uint64_t *ns, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += ns[i];
	qsort(ns, n, sizeof(*ns), order);
	printf("%-44s mean %8.1f us, median %8.1f, 99%% %8.1f, most %9.1f (%zu changes)\n", what, (double)sum / 1e3 / (double)n, (double)ns[n / 2] / 1e3,
	       (double)ns[n * 99 / 100] / 1e3, (double)ns[n - 1] / 1e3, n);
}

static void say_zone(struct store_writer *w)
{
	struct store_snapshot s;
	const struct store_zone *z;
	struct store_stats st;

	store_writer_snapshot(w, &s);
	z = store_zone_get(&s, apex.wire);
	store_stats(w, &st);
	printf("  records %" PRIu64 ", extents %u, zone %.1f MiB, waste %.1f MiB, spare %.0f KiB, file %.1f MiB\n", z->record_count, z->regions,
	       (double)z->bytes / 1048576, (double)z->waste * 8 / 1048576, (double)z->spare * 8 / 1024, (double)st.file_bytes / 1048576);
}

/* 'a' adds `each` names at a time, 'g' takes those of the same numbers away. */
static void run(struct store_writer *w, const char *what, char op, unsigned rounds, unsigned each, uint64_t first)
{
	uint64_t *ns = malloc(rounds * sizeof(*ns));
	struct name host = name_of("new.example.");

	if (!ns)
		exit(1);
	for (unsigned i = 0; i < rounds; i++) {
		struct zone_change change;

		begin(&change);
		for (unsigned k = 0; k < each; k++) {
			uint64_t at = first + (uint64_t)i * each + k;
			struct name owner;
			char number[24];

			snprintf(number, sizeof(number), "-%" PRIu64, at);
			owner = owner_of(at, "", number);
			add(op == 'a' ? change.added : change.removed, owner.wire, RR_NS, host.wire, name_len(host.wire));
		}
		ns[i] = apply(w, &change);
	}
	say(what, ns, rounds);
	say_zone(w);
	free(ns);
}

static void compare(struct store_writer *w, const struct content *c)
{
	struct zone_change change;
	const struct store_zone *z;
	struct store_snapshot s;
	uint64_t t = cpu_ns();

	store_writer_snapshot(w, &s);
	z = store_zone_get(&s, apex.wire);
	must(zone_difference_store(&s, z, c, 10000000, &change), "difference");
	t = cpu_ns() - t;
	printf("%-44s %.1f ms, %zu records differ\n", "compared with the file's content", (double)t / 1e6, zone_change_size(&change));
	zone_change_done(&change);
}

int main(int argc, char **argv)
{
	struct store_open_info info;
	struct store_writer *w;
	struct content *c;
	uint64_t t, g;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: change_bench PATH [DELEGATIONS]\n");
		return 2;
	}
	if (argc == 3)
		delegations = (unsigned)strtoul(argv[2], NULL, 10);
	apex = name_of("test.");
	unlink(argv[1]);
	must(store_writer_open(argv[1], pins, 1, &w, &info), "open");
	c = zone(serial);
	t = cpu_ns();
	must(store_put_zone(w, apex.wire, c, &meta), "put");
	must(store_commit(w, &g), "commit");
	printf("%-44s %.1f ms\n", "whole build and commit", (double)(cpu_ns() - t) / 1e6);
	say_zone(w);
	run(w, "serial only", 'a', ROUNDS, 0, 0);
	run(w, "one name added", 'a', ROUNDS, 1, delegations);
	run(w, "the same deleted", 'g', ROUNDS, 1, delegations);
	run(w, "1,000 names added", 'a', THOUSANDS, 1000, 10000000);
	compare(w, c);
	run(w, "1,000 names deleted", 'g', THOUSANDS, 1000, 10000000);
	compare(w, c);
	run(w, "one name added, until compacted", 'a', 100000, 1, 20000000);
	store_writer_close(w);
	t = cpu_ns();
	must(store_writer_open(argv[1], pins, 1, &w, &info), "open");
	printf("%-44s %.1f ms%s\n", "taken over by another writer", (double)(cpu_ns() - t) / 1e6, info.fresh ? " FRESH" : "");
	store_writer_close(w);
	content_free(c);
	unlink(argv[1]);
	return 0;
}
