/* SPDX-License-Identifier: BSD-2-Clause */
/* zone_bench ZONE FILE STORE: what each step of loading one zone file costs, by hand and never part of the tests. STORE is made anew; put it where a run
 * directory would be (memory). CPU time is of the process, kernel and all threads included; instructions are of this thread and
 * those it starts, in user space, where the machine counts them. Large files are parsed by all CPUs the process may use: taskset makes it one. */
#include "base/clock.h"
#include "base/diag.h"
#include "zone/content.h"
#include "zone/check.h"
#include "zone/store.h"

#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int instructions = -1;
static double bytes;

struct reading {
	uint64_t wall, user, sys, count;
	long faults;
};

static uint64_t us_of(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

static struct reading now(void)
{
	struct reading r = {.wall = clock_ns() / 1000};
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	r.user = us_of(u.ru_utime);
	r.sys = us_of(u.ru_stime);
	r.faults = u.ru_minflt;
	if (instructions < 0 || read(instructions, &r.count, sizeof(r.count)) != sizeof(r.count))
		r.count = 0;
	return r;
}

static void say(const char *what, const struct reading *from)
{
	struct reading to = now();
	double cpu = (double)(to.user - from->user + to.sys - from->sys);

	printf("%-8s %7.1f ms CPU (%.1f of it kernel), %7.1f ms elapsed, %8.1f M instructions, %6.1f octets/us, %ld faults\n", what, cpu / 1e3,
	       (double)(to.sys - from->sys) / 1e3, (double)(to.wall - from->wall) / 1e3, (double)(to.count - from->count) / 1e6,
	       cpu > 0 ? bytes / cpu : 0, to.faults - from->faults);
}

static int count(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	uint64_t *n = ctx;

	*n += rr->rdlen + place->column; /* nothing is left to be left out */
	return 0;
}

static void must(int err, const char *what)
{
	if (err) {
		fprintf(stderr, "%s: %d\n", what, err);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	struct perf_event_attr a = {.type = PERF_TYPE_HARDWARE, .size = sizeof(a), .config = PERF_COUNT_HW_INSTRUCTIONS, .exclude_kernel = 1, .inherit = 1};
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .source = ""};
	static const uint8_t root[1];
	struct zonefile_options zo = {.rclass = CLASS_IN, .on_record = count};
	struct store_open_info info;
	struct store_writer *w;
	struct reading r;
	struct content *c;
	struct diag diag;
	struct name apex;
	struct stat st;
	uint64_t octets = 0, generation;

	if (argc != 4) {
		fprintf(stderr, "usage: zone_bench ZONE FILE STORE\n");
		return 2;
	}
	instructions = (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
	must(name_from_text(argv[1], strlen(argv[1]), root, &apex), argv[1]);
	must(stat(argv[2], &st), argv[2]);
	bytes = (double)st.st_size;
	diag_init(&diag);
	zo.origin = apex.wire;
	zo.ctx = &octets;
	r = now();
	must(zonefile_parse(argv[2], &zo, &diag), "parse");
	say("parse", &r);
	r = now();
	must(zone_load_file(argv[2], apex.wire, NULL, &diag, &c), "load");
	say("load", &r);
	r = now();
	zone_check(c, &diag);
	say("(check)", &r);
	unlink(argv[3]);
	must(store_writer_open(argv[3], NULL, 0, &w, &info), "store");
	r = now();
	must(store_put_zone(w, apex.wire, c, &meta), "put");
	must(store_commit(w, &generation), "commit");
	say("store", &r);
	printf("%zu records, %zu sets\n", content_record_count(c), content_rrset_count(c));
	r = now();
	content_free(c);
	say("free", &r);
	store_writer_close(w);
	unlink(argv[3]);
	diag_done(&diag);
	return 0;
}
