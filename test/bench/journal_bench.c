/* SPDX-License-Identifier: BSD-2-Clause */
/* What the journal costs: journal_bench FOLDER [DELEGATIONS [ZONES]]. FOLDER is made and removed; its disk decides what waiting for it costs,
 * so CPU time is told beside the time on the clock. */
#include "base/err.h"
#include "base/wire.h"
#include "journal/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CHANGES = 200, BATCH = 1000 };

static const uint8_t tld[] = "\x03" "tld";
static struct text why;
static const char *folder;

static double now_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double wall, cpu;

static void start(void)
{
	wall = now_of(CLOCK_MONOTONIC);
	cpu = now_of(CLOCK_PROCESS_CPUTIME_ID);
}

static void stop(const char *what, double times)
{
	double w = now_of(CLOCK_MONOTONIC) - wall, c = now_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;

	printf("%-58s %10.3f ms  CPU %10.3f ms", what, w * 1e3 / times, c * 1e3 / times);
	printf(times > 1 ? "  each of %.0f\n" : "\n", times);
	fflush(stdout);
}

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s\n", what, why.len ? why.chars : err_text(err));
	exit(1);
}

static void add(struct content *c, const uint8_t *owner, uint16_t type, const void *rdata, size_t len)
{
	const struct rr rr = {.owner = owner, .type = type, .rclass = CLASS_IN, .ttl = 3600, .rdlen = (uint16_t)len, .rdata = rdata};

	must(content_add(c, &rr, NULL), "content");
}

static struct name below(const char *label, const uint8_t *origin)
{
	struct name n;

	must(name_from_text(label, strlen(label), origin, &n), label);
	return n;
}

static void add_soa(struct content *c, const uint8_t *apex, uint32_t serial)
{
	uint8_t soa[22] = {0};

	put_u32(soa + 2, serial);
	add(c, apex, RR_SOA, soa, sizeof(soa));
}

static struct content *large(unsigned delegations, uint32_t serial)
{
	struct content *c = content_new(tld);
	char label[32];

	if (!c)
		exit(1);
	add_soa(c, tld, serial);
	add(c, tld, RR_NS, "\x02ns\x03tld", 8);
	for (unsigned i = 0; i < delegations; i++) {
		struct name owner, ns;

		snprintf(label, sizeof(label), "domain%08u", i);
		owner = below(label, tld);
		for (unsigned k = 1; k <= 2; k++) {
			snprintf(label, sizeof(label), "ns%u.host%u", k, i % 1000);
			ns = below(label, tld);
			add(c, owner.wire, RR_NS, ns.wire, ns.len);
		}
	}
	must(content_finish(c), "content");
	return c;
}

struct job {
	const struct content *content;
	const struct journal_keep *keep;
	const uint8_t *apex;
	uint32_t serial, from;
	unsigned first, delegations;
	struct journal_changes changes;
	struct content *out;
	struct journal_space space;
	unsigned timers;
};

static int put_whole(struct journal_txn *t, void *ctx)
{
	const struct job *j = ctx;
	const struct journal_version v = {.serial = j->serial, .origin = JOURNAL_FROM_TRANSFER, .who = "192.0.2.1"};

	return journal_put_whole(t, j->content, &v);
}

static int put_version(struct journal_txn *t, void *ctx)
{
	const struct job *j = ctx;
	const struct journal_version v = {.serial = j->serial, .origin = JOURNAL_FROM_FILE, .who = "zones/tld.zone"};
	enum journal_outcome outcome;

	return journal_put_version(t, j->content, &v, j->keep, &outcome);
}

/* One address of one name comes. */
static int put_change(struct journal_txn *t, void *ctx)
{
	const struct job *j = ctx;
	const struct journal_version v = {.serial = j->serial, .origin = JOURNAL_FROM_TRANSFER, .who = "192.0.2.1"};
	uint8_t old[22] = {0}, fresh[22] = {0}, address[4];
	char label[32];
	struct name owner;
	struct rr deleted = {.owner = tld, .type = RR_SOA, .rclass = CLASS_IN, .ttl = 3600, .rdlen = 22, .rdata = old}, added[2] = {deleted};
	struct journal_change c = {.from = j->serial - 1, .to = j->serial, .deleted = &deleted, .added = added, .deleted_count = 1, .added_count = 2};

	put_u32(old + 2, c.from);
	put_u32(fresh + 2, c.to);
	added[0].rdata = fresh;
	snprintf(label, sizeof(label), "x%u.domain%08u", j->serial, j->serial * 7919 % j->delegations);
	owner = below(label, tld);
	put_u32(address, j->serial);
	added[1] = (struct rr){.owner = owner.wire, .type = RR_A, .rclass = CLASS_IN, .ttl = 60, .rdlen = 4, .rdata = address};
	return journal_put_difference(t, tld, &c, &v, j->keep);
}

static int get_changes(struct journal_txn *t, void *ctx)
{
	struct job *j = ctx;

	return journal_get_changes(t, tld, j->from, j->serial, false, UINT64_MAX, &j->changes);
}

static int get_content(struct journal_txn *t, void *ctx)
{
	struct job *j = ctx;

	return journal_get_content(t, tld, j->serial, &j->out);
}

static int get_space(struct journal_txn *t, void *ctx)
{
	return journal_get_space(t, &((struct job *)ctx)->space);
}

static struct name zone_name(unsigned i)
{
	char text[32];

	snprintf(text, sizeof(text), "zone%u.test.", i);
	return below(text, NULL);
}

static int put_zones(struct journal_txn *t, void *ctx)
{
	const struct job *j = ctx;
	int err = 0;

	for (unsigned i = j->first; !err && i < j->first + BATCH; i++) {
		const struct journal_version v = {.serial = 1, .origin = JOURNAL_FROM_TRANSFER, .who = "192.0.2.1"};
		const struct journal_timers timers = {.refreshed_s = 1, .expire_at_s = 2, .primary = "192.0.2.1"};
		struct name apex = zone_name(i), www = below("www", apex.wire);
		struct content *c;

		if (j->timers) {
			err = journal_set_timers(t, apex.wire, &timers);
			continue;
		}
		c = content_new(apex.wire);
		if (!c)
			return ERR_NO_MEMORY;
		add_soa(c, apex.wire, 1);
		add(c, apex.wire, RR_NS, "\x02ns\x04test", 9);
		add(c, www.wire, RR_A, "\1\2\3\4", 4);
		must(content_finish(c), "content");
		err = journal_put_whole(t, c, &v);
		content_free(c);
	}
	return err;
}

static struct journal *open_it(void)
{
	struct journal *j;

	text_clear(&why);
	must(journal_open(folder, NULL, &why, &j), "open");
	return j;
}

static void print_space(struct journal *j, const char *what, double units)
{
	struct job job = {0};

	must(journal_read(j, get_space, &job, &why), "space");
	printf("%-58s %10.1f MiB, %.1f octets each of %.0f (free inside: %.1f MiB)\n", what, (double)job.space.used_octets / 1048576,
	       (double)(job.space.used_octets - job.space.free_octets) / units, units, (double)job.space.free_octets / 1048576);
}

static void bench_large(unsigned delegations)
{
	struct content *first = large(delegations, 1), *again;
	const struct journal_keep few = {.differences_max = 40, .octets_max = 1 << 30};
	struct job job = {.content = first, .serial = 1, .delegations = delegations};
	struct journal *j = open_it();

	start();
	must(journal_write(j, put_whole, &job, &why), "whole");
	stop("whole version written", 1);
	print_space(j, "file", (double)content_record_count(first));
	start();
	for (job.serial = 2; job.serial < 2 + CHANGES; job.serial++)
		must(journal_write(j, put_change, &job, &why), "change");
	stop("one record added, history without limit", CHANGES);
	job.serial--;
	job.from = 1;
	start();
	must(journal_read(j, get_changes, &job, &why), "changes");
	stop("all these differences read", 1);
	journal_changes_done(&job.changes);
	start();
	must(journal_read(j, get_content, &job, &why), "content");
	stop("newest version read as sorted content", 1);
	content_free(job.out);
	job.keep = &few;
	job.serial++;
	start();
	must(journal_write(j, put_change, &job, &why), "fold");
	stop("a change that folds 161 differences into the whole", 1);
	start();
	for (job.serial++; job.serial < 3 + 2 * CHANGES; job.serial++)
		must(journal_write(j, put_change, &job, &why), "change");
	stop("one record added, 40 differences kept", CHANGES);
	again = large(delegations, job.serial);
	job.content = again;
	start();
	must(journal_write(j, put_version, &job, &why), "version");
	stop("the file's zone again: compared, stored as difference", 1);
	print_space(j, "file", (double)content_record_count(first));
	journal_close(j);
	start();
	j = open_it();
	stop("opened, all pages judged", 1);
	journal_close(j);
	content_free(first);
	content_free(again);
}

static void bench_many(unsigned zones)
{
	struct journal *j = open_it();
	struct job job = {0};

	start();
	for (job.first = 0; job.first < zones; job.first += BATCH)
		must(journal_write(j, put_zones, &job, &why), "zones");
	stop("a zone of 3 records written, 1000 a commit", (double)job.first);
	job.timers = 1;
	start();
	for (job.first = 0; job.first < zones; job.first += BATCH)
		must(journal_write(j, put_zones, &job, &why), "timers");
	stop("timers of a zone written, 1000 a commit", (double)job.first);
	print_space(j, "file", (double)job.first);
	journal_close(j);
	start();
	j = open_it();
	stop("opened, all pages judged", 1);
	journal_close(j);
}

static void clean(void)
{
	static const char *const names[] = {"journal.lmdb", "journal.lmdb-lock", "journal.lock"};
	char path[4096];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

int main(int argc, char **argv)
{
	if (argc < 2 || mkdir(argv[1], 0700) < 0) {
		fprintf(stderr, "usage: journal_bench FOLDER [DELEGATIONS [ZONES]], FOLDER not there yet\n");
		return 2;
	}
	folder = argv[1];
	text_init(&why);
	atexit(clean);
	bench_large(argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000000);
	clean();
	bench_many(argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 100000);
	return 0;
}
