/* SPDX-License-Identifier: BSD-2-Clause */
/* store_bench PATH: figures of the store, by hand and never part of the tests. PATH is made anew; put it where a run directory would be
 * (memory). Two shapes: one zone of a million delegations (two NS each, glue for every tenth), and a million zones of nine records. */
#include "base/clock.h"
#include "base/wire.h"
#include "dns/rr.h"
#include "zone/content.h"
#include "zone/store.h"

#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MANY = 1000000, LOOKUPS = 4000000, QUERIES = 1 << 16 };

static _Atomic uint64_t pin;
static _Atomic uint64_t *const pins[1] = {&pin};
static int instructions = -1, cycles = -1;

static int counter(uint64_t what)
{
	struct perf_event_attr a = {.type = PERF_TYPE_HARDWARE, .size = sizeof(a), .config = what, .exclude_kernel = 1};

	return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}

static uint64_t count_of(int fd)
{
	uint64_t v = 0;

	return fd >= 0 && read(fd, &v, sizeof(v)) == sizeof(v) ? v : 0;
}

static void must(int err, const char *what)
{
	if (err) {
		fprintf(stderr, "%s: %d\n", what, err);
		exit(1);
	}
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

static uint64_t scatter(uint64_t i)
{
	i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9ULL;
	i = (i ^ (i >> 27)) * 0x94d049bb133111ebULL;
	return i ^ (i >> 31);
}

/* Labels as people register them: letters, of 5 to 14 octets. */
static void label_of(uint64_t i, char *out)
{
	uint64_t bits = scatter(i);
	unsigned len = 5 + (unsigned)(bits % 10);

	for (unsigned k = 0; k < len; k++, bits = bits / 26 + (bits << 50))
		out[k] = (char)('a' + bits % 26);
	out[len] = 0;
}

static void time_lookups(struct store_reader *r, const char *suffix, const char *prefix, unsigned names, const char *what)
{
	static struct name queries[QUERIES];
	uint64_t t, ins, cyc, hits = 0;
	char label[32], text[80];

	for (unsigned i = 0; i < QUERIES; i++) {
		label_of(scatter(i) % MANY + (i % 4 == 3 ? MANY : 0), label);
		snprintf(text, sizeof(text), "%s%s.%s", prefix, label, suffix);
		queries[i] = name_of(text);
	}
	t = clock_ns();
	ins = count_of(instructions);
	cyc = count_of(cycles);
	for (unsigned i = 0; i < LOOKUPS; i++) {
		const uint8_t *name = queries[i % names].wire;
		const struct store_zone *z;
		struct store_snapshot s;
		struct store_lookup l;

		store_pin(r, &s);
		z = store_zone_find(&s, name, false);
		if (z) {
			store_lookup(&s, z, name, &l);
			hits += l.node || l.cut;
		}
		store_unpin(r);
	}
	t = clock_ns() - t;
	printf("%-28s %6.2f M lookups/s, %4.0f ns, %5.0f instructions, %5.0f cycles, %.0f%% found\n", what, LOOKUPS * 1e3 / (double)t,
	       (double)t / LOOKUPS, (double)(count_of(instructions) - ins) / LOOKUPS, (double)(count_of(cycles) - cyc) / LOOKUPS,
	       100.0 * (double)hits / LOOKUPS);
}

static void reopen(const char *path, const char *name_text, struct store_writer **w, struct store_reader **r)
{
	struct name name = name_of(name_text);
	struct store_open_info info;
	const struct store_zone *z;
	struct store_snapshot s;
	struct store_lookup l;
	uint64_t t = clock_ns();

	must(store_reader_open(path, &pin, r), "reader");
	store_pin(*r, &s);
	z = store_zone_find(&s, name.wire, false);
	if (z)
		store_lookup(&s, z, name.wire, &l);
	store_unpin(*r);
	printf("reader: open and first lookup %.3f ms (%s)\n", (double)(clock_ns() - t) / 1e6, z ? "found" : "no zone");
	store_writer_close(*w);
	t = clock_ns();
	must(store_writer_open(path, pins, 1, w, &info), "writer");
	printf("writer: take-over of %" PRIu64 " zones, %.1f MiB: %.1f ms%s\n", info.zones, (double)info.live_bytes / 1048576,
	       (double)(clock_ns() - t) / 1e6, info.fresh ? " FRESH" : "");
}

static void say_built(struct store_writer *w, const char *what, uint64_t ns, uint64_t records)
{
	struct store_stats st;

	store_stats(w, &st);
	printf("%s: %.2f s; live %.1f MiB, file %.1f MiB, waiting %.1f MiB; %.1f octets a record (%" PRIu64 ")\n", what, (double)ns / 1e9,
	       (double)st.live_bytes / 1048576, (double)st.file_bytes / 1048576, (double)st.waiting_bytes / 1048576,
	       (double)st.live_bytes / (double)records, records);
}

static void delegations(const char *path)
{
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = UINT32_MAX, .source = "bench"};
	struct name apex = name_of("test."), owner, host;
	struct content *c = content_new(apex.wire);
	struct store_open_info info;
	struct store_writer *w;
	struct store_reader *r;
	char label[32], text[80];
	uint64_t t, g, records;

	unlink(path);
	must(store_writer_open(path, pins, 1, &w, &info), "open");
	add(c, apex.wire, RR_SOA, "\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
	for (unsigned i = 0; i < MANY; i++) {
		label_of(i, label);
		snprintf(text, sizeof(text), "%s.test.", label);
		owner = name_of(text);
		for (unsigned k = 1; k <= 2; k++) {
			if (i % 10)
				snprintf(text, sizeof(text), "ns%u.host%u.example.", k, i % 5000);
			else
				snprintf(text, sizeof(text), "ns%u.%s.test.", k, label);
			host = name_of(text);
			add(c, owner.wire, RR_NS, host.wire, name_len(host.wire));
			if (i % 10 == 0)
				add(c, host.wire, RR_A, &i, 4);
		}
	}
	t = clock_ns();
	must(content_finish(c), "finish");
	printf("sorting: %.2f s\n", (double)(clock_ns() - t) / 1e9);
	records = content_record_count(c);
	t = clock_ns();
	must(store_put_zone(w, apex.wire, c, &meta), "put");
	must(store_commit(w, &g), "commit");
	say_built(w, "1,000,000 delegations", clock_ns() - t, records);
	content_free(c);
	reopen(path, "ns1.aaaaaa.test.", &w, &r);
	time_lookups(r, "test.", "www.", QUERIES, "one zone, 65536 names");
	time_lookups(r, "test.", "www.", 64, "one zone, 64 names");
	store_reader_close(r);
	store_writer_close(w);
}

static void small_zones(const char *path)
{
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = 0, .source = "file:/etc/zones/example.zone mtime=1 size=1 ino=1"};
	struct store_open_info info;
	struct store_writer *w;
	struct store_reader *r;
	uint64_t t = clock_ns(), g;
	char label[32], text[80];

	unlink(path);
	must(store_writer_open(path, pins, 1, &w, &info), "open");
	for (unsigned i = 0; i < MANY; i++) {
		struct name apex, www, ns = name_of("ns1.host.example."), ns2 = name_of("ns2.host.example.");
		struct content *c;

		label_of(i, label);
		snprintf(text, sizeof(text), "%s.test.", label);
		apex = name_of(text);
		c = content_new(apex.wire);
		add(c, apex.wire, RR_SOA, "\3ns1\0\4host\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 31);
		add(c, apex.wire, RR_NS, ns.wire, name_len(ns.wire));
		add(c, apex.wire, RR_NS, ns2.wire, name_len(ns2.wire));
		add(c, apex.wire, RR_A, &i, 4);
		add(c, apex.wire, RR_AAAA, "0123456789abcdef", 16);
		add(c, apex.wire, RR_MX, "\0\12\4mail\0", 8);
		add(c, apex.wire, RR_TXT, "\13v=spf1 -all", 12);
		snprintf(text, sizeof(text), "www.%s.test.", label);
		www = name_of(text);
		add(c, www.wire, RR_A, &i, 4);
		add(c, www.wire, RR_AAAA, "0123456789abcdef", 16);
		must(content_finish(c), "finish");
		must(store_put_zone(w, apex.wire, c, &meta), "put");
		content_free(c);
	}
	must(store_commit(w, &g), "commit");
	say_built(w, "1,000,000 zones of 9, one transaction", clock_ns() - t, (uint64_t)MANY * 9);
	reopen(path, "www.aaaaaa.test.", &w, &r);
	time_lookups(r, "test.", "www.", QUERIES, "a million zones, 65536 names");
	time_lookups(r, "test.", "www.", 64, "a million zones, 64 names");
	t = clock_ns();
	for (unsigned i = 0; i < 100000; i++) {
		struct name apex;

		label_of(scatter(i) % MANY, label);
		snprintf(text, sizeof(text), "%s.test.", label);
		apex = name_of(text);
		must(store_put_zone(w, apex.wire, NULL, &(struct store_zone_meta){.state = STORE_ZONE_NO_DATA, .source = ""}), "put");
		must(store_commit(w, &g), "commit");
	}
	printf("a commit per zone: %.1f us each\n", (double)(clock_ns() - t) / 1e3 / 100000);
	store_reader_close(r);
	store_writer_close(w);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: store_bench PATH\n");
		return 2;
	}
	atomic_store(&pin, STORE_UNPINNED);
	instructions = counter(PERF_COUNT_HW_INSTRUCTIONS);
	cycles = counter(PERF_COUNT_HW_CPU_CYCLES);
	delegations(argv[1]);
	small_zones(argv[1]);
	unlink(argv[1]);
	return 0;
}
