/* SPDX-License-Identifier: BSD-2-Clause */
/* The program in the kernel, run on single frames (BPF_PROG_TEST_RUN) and compared with its plain twin octet by octet. Needs the privilege to
 * load it; without, the tests are skipped. */
#include "base/clock.h"
#include "base/err.h"
#include "frame_kit.h"
#include "xdp/echo.h"
#include "xdp/measure.h"
#include "limit/rate.h"
#include "xdp/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { RATE_ENTRIES = 1024, SMALL = 16, LARGE = 8, SLOT = 77 };

static struct xdp_program *program;
static struct xdp_cache *cache;
static struct xdp_control *control;
static struct xdp_small *small;
static uint32_t *generations;
static struct rate_table *rates;
static struct kit_twin twin;
static char why[XDP_WHY_MAX];

static const char long_name[] =
	"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0."
	"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0."
	"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0."
	"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxy"; /* 255 octets */
static const char many_labels[] =
	"a.b.c.d.e.f.g.h.i.j.a.b.c.d.e.f.g.h.i.j.a.b.c.d.e.f.g.h.i.j.a.b.c.d.e.f.g.h.i.j.a.b.c.d.e.f.g.h.i.j."
	"a.b.c.d.e.f.g.h.i.j.a.b.c.d.e.f.g.h.i.j.a.b.c.d.e.f.g.h.i.j.a.b.c.d.e.f.g.h.i.j.a.b.c.d.e.f.g.h.i.j."
	"a.b.c.d.e.f.g.h.i.j.a.b.c.d.e.f.g.h.i.j.a.b.c.d.e.f.g"; /* 127 */

/* What is in the cache, in both. */
static const struct {
	const char *name;
	uint16_t qtype;
	bool edns, dnssec_ok;
	uint8_t rcode;
	size_t tail;
} answers[] = {
	{"www.example.com", 1, false, false, 0, 16}, {"www.example.com", 1, true, false, 0, 27},
	{"www.example.com", 1, true, true, 0, 140}, {"www.example.com", 28, false, false, 0, 28},
	{"odd.example.com", 1, false, false, 0, 17}, {"nx.example.com", 1, true, false, 3, 75}, {".", 2, true, true, 0, 900},
	{long_name, 16, true, false, 0, 200}, {long_name, 1, false, false, 0, 16}, {many_labels, 1, true, false, 0, 27},
	{"big.example.com", 16, false, false, 0, 470}, {"bigger.example.com", 16, true, false, 0, 1190}, {"empty.example.com", 1, false, false, 0, 0},
};

static void learn(void)
{
	struct xdp_ticket t;

	twin.count = 0;
	twin.leased = true;
	assert_true(xdp_cache_ticket(cache, SLOT, &t));
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct kit_known *k = &twin.known[twin.count++];
		struct xdp_answer a = {.message = k->message, .edns = answers[i].edns, .dnssec_ok = answers[i].dnssec_ok};

		*k = (struct kit_known){.edns = a.edns, .dnssec_ok = a.dnssec_ok};
		k->len = kit_answer(answers[i].name, answers[i].qtype, a.edns, a.dnssec_ok, answers[i].rcode, answers[i].tail, k->message);
		a.len = k->len;
		assert_int_equal(xdp_cache_fill(cache, 0, &t, &a), 0);
	}
}

static int load(void **state)
{
	static const struct endpoint at[] = {{.addr = {.family = 4, .bytes = {192, 0, 2, 53}}, .port = 53},
	                                     {.addr = {.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x53}}, .port = 53}};
	const struct xdp_sizes sizes = {.workers = 1, .small = 64 * XDP_WAYS, .large = 64 * XDP_WAYS, .rate_entries = RATE_ENTRIES};
	struct xdp_device device = {.state = XDP_DEVICE_ON};
	struct xdp_maps maps;
	size_t len = rate_table_size(RATE_ENTRIES);
	int err = xdp_program_load(&sizes, why, &program);
	void *p;

	(void)state;
	if (err < 0) {
		printf("skipped: %s\n", why);
		program = NULL;
		return 0;
	}
	maps = xdp_program_maps(program);
	assert_int_equal(xdp_program_addresses(program, at, ARRAY_LEN(at)), 0);
	memcpy(device.mac, kit_mac, sizeof(device.mac));
	assert_int_equal(xdp_program_device(program, if_nametoindex("lo"), &device), 0);
	assert_int_equal(xdp_cache_open(&maps, &cache), 0);
	control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, maps.control, 0);
	generations = mmap(NULL, XDP_TAGS * 8 + (control->small_sets + control->large_sets) * 8UL, PROT_READ | PROT_WRITE, MAP_SHARED, maps.generations, 0);
	small = mmap(NULL, (size_t)control->small_sets * XDP_WAYS * sizeof(*small), PROT_READ | PROT_WRITE, MAP_SHARED, maps.small, 0);
	assert_true(control != MAP_FAILED && generations != MAP_FAILED && small != MAP_FAILED);
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, xdp_program_rates_fd(program), 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(rate_table_open(p, len, &rates), 0);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	xdp_cache_close(cache);
	xdp_program_free(program);
	return 0;
}

/* Every test starts from a full cache, a lease, and no limits. */
static int begin(void **state)
{
	(void)state;
	if (!program)
		return 0;
	xdp_cache_recover(cache);
	control->off = 0;
	control->flood = 0; /* else what a test may ask depends on how fast it does */
	memset(control->rate_cost, 0, sizeof(control->rate_cost));
	learn();
	return 0;
}

static int run(const uint8_t *frame, size_t len, uint8_t out[KIT_FRAME_MAX], size_t *out_len)
{
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = (uint32_t)len, .data_out = out, .data_size_out = KIT_FRAME_MAX,
	            .repeat = 1);

	if (twin.leased)
		xdp_cache_lease(cache, 0, clock_ns());
	assert_int_equal(bpf_prog_test_run_opts(xdp_program_fd(program), &o), 0);
	*out_len = o.data_size_out;
	return (int)o.retval;
}

static void dump(const char *what, const uint8_t *p, size_t len)
{
	printf("%s (%zu):", what, len);
	for (size_t i = 0; i < len; i++)
		printf(" %02x", p[i]);
	printf("\n");
}

/* One frame through both; what happened. */
static int compare(const char *name, const uint8_t *frame, size_t len)
{
	uint8_t got[KIT_FRAME_MAX], want[KIT_FRAME_MAX];
	size_t got_len, want_len = len;
	int action = run(frame, len, got, &got_len), expected;

	memcpy(want, frame, len);
	expected = kit_twin_run(&twin, frame, len, want, &want_len) == KIT_TX ? XDP_TX : XDP_PASS;
	if (expected == XDP_PASS)
		memcpy(want, frame, len);
	if (action != expected || got_len != want_len || memcmp(got, want, got_len) != 0) {
		printf("%s: action %d, expected %d\n", name, action, expected);
		dump("in", frame, len);
		dump("got", got, got_len);
		dump("want", want, want_len);
		fail();
	}
	if (action == XDP_TX)
		assert_true(kit_checksums_right(got, got_len));
	return action;
}

#define NEEDS_PROGRAM() \
	do { \
		if (!program) \
			skip(); \
	} while (0)

static const uint8_t cookie[] = {0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8}, ecs[] = {0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2};
static const uint8_t nsid[] = {0, 3, 0, 0}, garbage[] = {0, 0, 0};
static const uint8_t pointer[] = {3, 'w', 'w', 'w', 0xc0, 12}, wide_label[] = {64, 'a', 0}, endless[] = {3, 'w', 'w'};

static void test_questions(void **state)
{
	static const struct {
		const char *name;
		struct kit_query q;
		int action;
	} cases[] = {
		{"plain", {.name = "www.example.com", .qtype = 1}, XDP_TX},
		{"IPv6", {.name = "www.example.com", .qtype = 1, .v6 = true}, XDP_TX},
		{"one VLAN tag", {.name = "www.example.com", .qtype = 1, .vlan = true}, XDP_TX},
		{"one VLAN tag, IPv6", {.name = "www.example.com", .qtype = 28, .vlan = true, .v6 = true}, XDP_TX},
		{"mixed case", {.name = "wWw.eXAMPle.cOM", .qtype = 1}, XDP_TX},
		{"upper case, IPv6", {.name = "WWW.EXAMPLE.COM", .qtype = 1, .v6 = true, .bufsize = 1232, .dnssec_ok = true}, XDP_TX},
		{"RD", {.name = "www.example.com", .qtype = 1, .flags = {1, 0}}, XDP_TX},
		{"RD, AD and CD", {.name = "www.example.com", .qtype = 1, .flags = {1, 0x30}}, XDP_TX},
		{"padded by Ethernet", {.name = "www.example.com", .qtype = 1, .padding = 4}, XDP_TX},
		{"padded beyond the answer", {.name = "empty.example.com", .qtype = 1, .padding = 40}, XDP_TX},
		{"no records", {.name = "empty.example.com", .qtype = 1, .v6 = true}, XDP_TX},
		{"name and tail of odd length", {.name = "odd.example.com", .qtype = 1}, XDP_TX},
		{"name error", {.name = "nx.example.com", .qtype = 1, .bufsize = 4096}, XDP_TX},
		{"the root", {.name = ".", .qtype = 2, .bufsize = 1232, .dnssec_ok = true}, XDP_TX},
		{"the root, IPv6", {.name = ".", .qtype = 2, .bufsize = 1400, .dnssec_ok = true, .v6 = true}, XDP_TX},
		{"255 octets", {.name = long_name, .qtype = 16, .bufsize = 1232}, XDP_TX},
		{"255 octets, no OPT, IPv6", {.name = long_name, .qtype = 1, .v6 = true}, XDP_TX},
		{"127 labels", {.name = many_labels, .qtype = 1, .bufsize = 512, .v6 = true}, XDP_TX},
		{"503 octets without OPT", {.name = "big.example.com", .qtype = 16}, XDP_TX},
		{"largest", {.name = "bigger.example.com", .qtype = 16, .bufsize = 1232, .v6 = true}, XDP_TX},
		{"OPT", {.name = "www.example.com", .qtype = 1, .bufsize = 1232}, XDP_TX},
		{"OPT with a tiny size", {.name = "www.example.com", .qtype = 1, .bufsize = 1}, XDP_TX},
		{"OPT with DO", {.name = "www.example.com", .qtype = 1, .bufsize = 65535, .dnssec_ok = true}, XDP_TX},
		{"client takes less", {.name = ".", .qtype = 2, .bufsize = 900, .dnssec_ok = true}, XDP_PASS},
		{"client takes hardly enough", {.name = ".", .qtype = 2, .bufsize = 917, .dnssec_ok = true}, XDP_TX},
		{"client takes one less", {.name = ".", .qtype = 2, .bufsize = 916, .dnssec_ok = true}, XDP_PASS},
		{"not known", {.name = "ftp.example.com", .qtype = 1}, XDP_PASS},
		{"other type", {.name = "www.example.com", .qtype = 15}, XDP_PASS},
		{"other variant", {.name = "www.example.com", .qtype = 28, .bufsize = 1232}, XDP_PASS},
		{"shorter name", {.name = "example.com", .qtype = 1}, XDP_PASS},
		{"class CH", {.name = "www.example.com", .qtype = 1, .qclass = 3}, XDP_PASS},
		{"class ANY", {.name = "www.example.com", .qtype = 1, .qclass = 255}, XDP_PASS},
		{"cookie", {.name = "www.example.com", .qtype = 1, .bufsize = 1232, .options = cookie, .options_len = sizeof(cookie)}, XDP_PASS},
		{"client subnet", {.name = "www.example.com", .qtype = 1, .bufsize = 1232, .options = ecs, .options_len = sizeof(ecs)}, XDP_PASS},
		{"NSID", {.name = "www.example.com", .qtype = 1, .bufsize = 1232, .options = nsid, .options_len = sizeof(nsid)}, XDP_PASS},
		{"more behind", {.name = "www.example.com", .qtype = 1, .behind = garbage, .behind_len = 3}, XDP_PASS},
		{"more behind OPT", {.name = "www.example.com", .qtype = 1, .bufsize = 1232, .behind = garbage, .behind_len = 1}, XDP_PASS},
		{"a response", {.name = "www.example.com", .qtype = 1, .flags = {0x80, 0}}, XDP_PASS},
		{"NOTIFY", {.name = "www.example.com", .qtype = 1, .flags = {0x20, 0}}, XDP_PASS},
		{"AA", {.name = "www.example.com", .qtype = 1, .flags = {0x04, 0}}, XDP_PASS},
		{"TC", {.name = "www.example.com", .qtype = 1, .flags = {0x02, 0}}, XDP_PASS},
		{"Z", {.name = "www.example.com", .qtype = 1, .flags = {0, 0x40}}, XDP_PASS},
		{"rcode", {.name = "www.example.com", .qtype = 1, .flags = {0, 1}}, XDP_PASS},
		{"pointer", {.wire = pointer, .wire_len = sizeof(pointer), .qtype = 1}, XDP_PASS},
		{"label of another kind", {.wire = wide_label, .wire_len = sizeof(wide_label), .qtype = 1}, XDP_PASS},
		{"name without an end", {.wire = endless, .wire_len = sizeof(endless), .qtype = 1}, XDP_PASS},
	};
	uint8_t frame[KIT_FRAME_MAX];

	(void)state;
	NEEDS_PROGRAM();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = kit_frame(&cases[i].q, frame);

		if (compare(cases[i].name, frame, len) != cases[i].action)
			fail_msg("%s: action is not %d", cases[i].name, cases[i].action);
	}
}

/* Changes of one octet or so in a good frame, and what must come of it. */
static void test_headers(void **state)
{
	static const struct {
		const char *name;
		bool v6, vlan, mend;
		int at;       /* octet of the frame; negative: of UDP, -1 is its first */
		uint8_t to;
		int action;
	} cases[] = {
		{"other MAC", false, false, false, 5, 9, XDP_PASS},
		{"broadcast", false, false, false, 0, 0xff, XDP_PASS},
		{"from a group", false, false, false, 6, 3, XDP_PASS},
		{"ARP", false, false, false, 13, 6, XDP_PASS},
		{"second VLAN tag", false, true, false, 17, 0xa8, XDP_PASS},
		{"tag of a provider", false, true, false, 12, 0x88, XDP_PASS},
		{"options", false, false, true, 14, 0x46, XDP_PASS},
		{"version 6 in IPv4", false, false, true, 14, 0x65, XDP_PASS},
		{"other service class", false, false, true, 15, 0xb8, XDP_TX},
		{"don't fragment", false, false, true, 20, 0x40, XDP_TX},
		{"more fragments", false, false, true, 20, 0x20, XDP_PASS},
		{"reserved bit", false, false, true, 20, 0x80, XDP_TX},
		{"later fragment", false, false, true, 21, 1, XDP_PASS},
		{"TTL 1", false, false, true, 22, 1, XDP_TX},
		{"TCP", false, false, true, 23, 6, XDP_PASS},
		{"header checksum", false, false, false, 24, 0x11, XDP_PASS},
		{"from 0.x", false, false, true, 26, 0, XDP_PASS},
		{"from 127.x", false, false, true, 26, 127, XDP_PASS},
		{"from multicast", false, false, true, 26, 224, XDP_PASS},
		{"from broadcast", false, false, true, 26, 255, XDP_PASS},
		{"to another address", false, false, true, 33, 54, XDP_PASS},
		{"IP says more", false, false, true, 17, 200, XDP_PASS},
		{"IP says less", false, false, true, 17, 30, XDP_PASS},
		{"IP says hardly anything", false, false, true, 17, 20, XDP_PASS},
		{"IP says nonsense", false, false, true, 17, 3, XDP_PASS},
		{"UDP says more", false, false, false, -6, 200, XDP_PASS},
		{"UDP says less", false, false, false, -6, 20, XDP_PASS},
		{"UDP says nothing", true, false, false, -6, 0, XDP_PASS},
		{"UDP checksum is not looked at", false, false, false, -7, 0x55, XDP_TX},
		{"other port", false, false, true, -4, 54, XDP_PASS},
		{"version 4 in IPv6", true, false, true, 14, 0x40, XDP_PASS},
		{"flow label", true, false, true, 16, 0x77, XDP_TX},
		{"hop-by-hop", true, false, true, 20, 0, XDP_PASS},
		{"fragment header", true, false, true, 20, 44, XDP_PASS},
		{"ICMPv6", true, false, true, 20, 58, XDP_PASS},
		{"hop limit 1", true, false, true, 21, 1, XDP_TX},
		{"from multicast, IPv6", true, false, true, 22, 0xff, XDP_PASS},
		{"to another address, IPv6", true, false, true, 53, 1, XDP_PASS},
		{"IPv6 says more", true, false, true, 19, 200, XDP_PASS},
		{"IPv6 says less", true, false, true, 19, 30, XDP_PASS},
	};
	uint8_t frame[KIT_FRAME_MAX];

	(void)state;
	NEEDS_PROGRAM();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct kit_query q = {.name = "www.example.com", .qtype = 1, .v6 = cases[i].v6, .vlan = cases[i].vlan};
		size_t len = kit_frame(&q, frame), udp = (q.vlan ? 18U : 14U) + (q.v6 ? 40U : 20U);

		frame[cases[i].at >= 0 ? (size_t)cases[i].at : udp + (size_t)(-cases[i].at - 1)] = cases[i].to;
		if (cases[i].mend)
			kit_mend(frame, len);
		if (compare(cases[i].name, frame, len) != cases[i].action)
			fail_msg("%s: action is not %d", cases[i].name, cases[i].action);
	}
}

static void test_source_ports(void **state)
{
	static const struct {
		uint16_t port;
		int action;
	} cases[] = {{0, XDP_PASS}, {1, XDP_TX}, {53, XDP_PASS}, {5353, XDP_PASS}, {1024, XDP_TX}, {65535, XDP_TX}};
	uint8_t frame[KIT_FRAME_MAX];

	(void)state;
	NEEDS_PROGRAM();
	for (int v6 = 0; v6 < 2; v6++)
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			const struct kit_query q = {.name = "www.example.com", .qtype = 1, .v6 = v6};
			size_t len = kit_frame(&q, frame), udp = v6 ? 54 : 34;

			frame[udp] = (uint8_t)(cases[i].port >> 8);
			frame[udp + 1] = (uint8_t)cases[i].port;
			kit_mend(frame, len);
			assert_int_equal(compare("source port", frame, len), cases[i].action);
		}
}

static void test_opt_fields(void **state)
{
	static const struct {
		const char *name;
		size_t at; /* in OPT */
		uint8_t to;
		int action;
	} cases[] = {
		{"owner", 0, 1, XDP_PASS}, {"type", 2, 42, XDP_PASS}, {"extended rcode", 5, 1, XDP_PASS}, {"version 1", 6, 1, XDP_PASS},
		{"other flags", 7, 0x40, XDP_PASS}, {"last flag", 8, 1, XDP_PASS}, {"length", 10, 1, XDP_PASS}, {"DO", 7, 0x80, XDP_TX},
	};
	const struct kit_query q = {.name = "www.example.com", .qtype = 1, .bufsize = 1232};
	uint8_t frame[KIT_FRAME_MAX];

	(void)state;
	NEEDS_PROGRAM();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = kit_frame(&q, frame);

		frame[len - 11 + cases[i].at] = cases[i].to;
		kit_mend(frame, len);
		if (compare(cases[i].name, frame, len) != cases[i].action)
			fail_msg("%s: action is not %d", cases[i].name, cases[i].action);
	}
}

/* Cut at every length, with lengths that say so and with lengths that do not. */
static void test_cut(void **state)
{
	uint8_t frame[KIT_FRAME_MAX];

	(void)state;
	NEEDS_PROGRAM();
	for (int v6 = 0; v6 < 2; v6++) {
		const struct kit_query q = {.name = "www.example.com", .qtype = 1, .v6 = v6, .bufsize = 1232};
		size_t whole = kit_frame(&q, frame), udp = v6 ? 54 : 34;

		for (size_t len = 14; len < whole; len++) {
			kit_frame(&q, frame);
			assert_int_equal(compare("cut", frame, len), XDP_PASS);
			if (len < udp + 8)
				continue;
			frame[udp + 4] = 0;
			frame[udp + 5] = (uint8_t)(len - udp);
			if (v6)
				frame[19] = (uint8_t)(len - udp);
			else
				frame[17] = (uint8_t)(len - 14);
			kit_mend(frame, len);
			assert_int_equal(compare("cut whole", frame, len), XDP_PASS);
		}
	}
}

static size_t good_frame(uint8_t *frame, bool v6)
{
	const struct kit_query q = {.name = "www.example.com", .qtype = 1, .v6 = v6};

	return kit_frame(&q, frame);
}

static void test_lease(void **state)
{
	uint8_t frame[KIT_FRAME_MAX], out[KIT_FRAME_MAX];
	size_t len, out_len;
	static const struct {
		int64_t age_ms;
		int action;
	} cases[] = {{0, XDP_TX}, {100, XDP_TX}, {XDP_LEASE_MS + 1, XDP_PASS}, {10000, XDP_PASS}, {-5, XDP_TX}};

	(void)state;
	NEEDS_PROGRAM();
	twin.leased = false; /* run() does not renew it */
	for (int v6 = 0; v6 < 2; v6++) {
		len = good_frame(frame, v6);
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			xdp_cache_lease(cache, 0, clock_ns() - (uint64_t)(cases[i].age_ms * 1000000));
			assert_int_equal(run(frame, len, out, &out_len), cases[i].action);
			if (cases[i].action == XDP_PASS)
				assert_memory_equal(frame, out, len);
		}
		xdp_cache_lease(cache, 0, 0);
		assert_int_equal(run(frame, len, out, &out_len), XDP_PASS);
		xdp_cache_lease(cache, 0, clock_ns());
		assert_int_equal(run(frame, len, out, &out_len), XDP_TX);
		xdp_program_switch(program, false);
		assert_int_equal(run(frame, len, out, &out_len), XDP_PASS);
		xdp_program_switch(program, true);
	}
}

static void all_dead(bool dead)
{
	for (size_t i = 0; i < twin.count; i++)
		twin.known[i].dead = dead;
}

static void test_generations(void **state)
{
	uint8_t frame[KIT_FRAME_MAX];
	size_t len = good_frame(frame, false);
	uint32_t at;

	(void)state;
	NEEDS_PROGRAM();
	at = generations[SLOT];
	assert_int_equal(compare("before", frame, len), XDP_TX);
	all_dead(true);
	generations[SLOT] = at + 1; /* shut */
	assert_int_equal(compare("shut", frame, len), XDP_PASS);
	generations[SLOT] = at + 2;
	assert_int_equal(compare("open again", frame, len), XDP_PASS);
	all_dead(false);
	generations[SLOT] = at;
	generations[SLOT ^ 1] += 2; /* the other half of the word */
	assert_int_equal(compare("neighbour", frame, len), XDP_TX);
	all_dead(true);
	xdp_cache_shut(cache, NULL, 0);
	assert_int_equal(compare("all shut", frame, len), XDP_PASS);
	xdp_cache_reopen(cache, NULL, 0);
	assert_int_equal(compare("all open", frame, len), XDP_PASS);
	learn();
	assert_int_equal(compare("learnt again", frame, len), XDP_TX);
	all_dead(true);
	xdp_cache_renew(cache);
	assert_int_equal(compare("other rules", frame, len), XDP_PASS);
}

static void test_one_zone_dies_alone(void **state)
{
	static const uint8_t apex[] = "\x07" "example\x03" "org";
	const uint8_t *zones[] = {apex};
	const struct kit_query q = {.name = "www.example.org", .qtype = 1, .v6 = true};
	struct kit_known *k = &twin.known[twin.count];
	struct xdp_answer a = {.message = k->message};
	uint8_t frame[KIT_FRAME_MAX];
	struct xdp_ticket t;
	size_t len = kit_frame(&q, frame);

	(void)state;
	NEEDS_PROGRAM();
	assert_true(xdp_cache_ticket(cache, xdp_cache_slot(apex), &t));
	*k = (struct kit_known){0};
	a.len = k->len = kit_answer("www.example.org", 1, false, false, 0, 16, k->message);
	twin.count++;
	assert_int_equal(xdp_cache_fill(cache, 0, &t, &a), 0);
	assert_int_equal(compare("its answer", frame, len), XDP_TX);
	xdp_cache_shut(cache, zones, 1);
	k->dead = true;
	assert_int_equal(compare("changing", frame, len), XDP_PASS);
	xdp_cache_reopen(cache, zones, 1);
	assert_int_equal(xdp_cache_fill(cache, 0, &t, &a), 0);
	assert_int_equal(compare("filled late with the old", frame, len), XDP_PASS);
	assert_true(xdp_cache_ticket(cache, xdp_cache_slot(apex), &t));
	assert_int_equal(xdp_cache_fill(cache, 0, &t, &a), 0);
	k->dead = false;
	assert_int_equal(compare("filled with the new", frame, len), XDP_TX);
	len = good_frame(frame, false);
	assert_int_equal(compare("another zone", frame, len), XDP_TX);
}

/* What backends answered: for a time, not for questions with CD, and until it is purged. */
static void test_answers_of_backends(void **state)
{
	struct kit_known *k = &twin.known[twin.count];
	struct xdp_answer a = {.message = k->message, .not_cd = true, .until_ns = clock_ns() + 3600 * UINT64_C(1000000000)};
	const struct kit_query plain = {.name = "www.example.net", .qtype = 1}, cd = {.name = "www.example.net", .qtype = 1, .flags = {0, 0x10}};
	const struct kit_query six = {.name = "www.example.net", .qtype = 1, .v6 = true};
	struct xdp_counters before, after;
	struct xdp_ticket t;
	uint8_t frame[KIT_FRAME_MAX];

	(void)state;
	NEEDS_PROGRAM();
	assert_int_equal(xdp_program_counters(program, &before), 0);
	assert_true(xdp_cache_ticket(cache, XDP_BACKENDS_SLOT, &t));
	*k = (struct kit_known){0};
	a.len = k->len = kit_answer("www.example.net", 1, false, false, 0, 16, k->message);
	twin.count++;
	assert_int_equal(xdp_cache_fill(cache, 0, &t, &a), 0);
	assert_int_equal(compare("in its time", frame, kit_frame(&plain, frame)), XDP_TX);
	assert_int_equal(compare("in its time, IPv6", frame, kit_frame(&six, frame)), XDP_TX);
	k->dead = true;
	assert_int_equal(compare("with CD", frame, kit_frame(&cd, frame)), XDP_PASS);
	a.until_ns = clock_ns();
	assert_int_equal(xdp_cache_fill(cache, 0, &t, &a), 0);
	assert_int_equal(compare("over", frame, kit_frame(&plain, frame)), XDP_PASS);
	a.until_ns += 3600 * UINT64_C(1000000000);
	assert_int_equal(xdp_cache_fill(cache, 0, &t, &a), 0);
	k->dead = false;
	assert_int_equal(compare("filled anew", frame, kit_frame(&plain, frame)), XDP_TX);
	xdp_cache_renew_backends(cache);
	k->dead = true;
	assert_int_equal(compare("purged", frame, kit_frame(&plain, frame)), XDP_PASS);
	assert_int_equal(xdp_cache_fill(cache, 0, &t, &a), 0);
	assert_int_equal(compare("filled late with what was purged", frame, kit_frame(&plain, frame)), XDP_PASS);
	assert_int_equal(compare("of zones", frame, good_frame(frame, false)), XDP_TX);
	assert_int_equal(xdp_program_counters(program, &after), 0);
	assert_int_equal(after.of_backends - before.of_backends, 3);
}

/* Another question with the very same hash: only the name tells them apart. */
static void test_collisions(void **state)
{
	static const uint8_t other[] = "\x03" "ftp\x07" "example\x03" "com";
	uint64_t hash, was;
	uint8_t frame[KIT_FRAME_MAX];
	const struct kit_query ftp = {.name = "ftp.example.com", .qtype = 1};
	size_t len = kit_frame(&ftp, frame);
	struct xdp_small *e, *found = NULL;
	struct xdp_small kept;
	uint64_t *tags, tags_kept;

	(void)state;
	NEEDS_PROGRAM();
	hash = xdp_question_hash(control->key, other, sizeof(other), 1, 0);
	was = xdp_question_hash(control->key, (const uint8_t *)"\x03" "www\x07" "example\x03" "com", sizeof(other), 1, 0);
	e = &small[(was & (control->small_sets - 1)) * XDP_WAYS];
	for (unsigned i = 0; i < XDP_WAYS; i++)
		if (e[i].head.hash == was)
			found = &e[i];
	assert_non_null(found);
	e = &small[(hash & (control->small_sets - 1)) * XDP_WAYS];
	kept = *e;
	*e = *found;
	e->head.hash = hash;
	tags = (uint64_t *)(void *)(generations + XDP_GENERATIONS) + (hash & (control->small_sets - 1));
	tags_kept = *tags;
	*tags = (*tags & ~0xffffULL) | xdp_tag(hash);
	assert_int_equal(compare("same hash, other name", frame, len), XDP_PASS);
	/* With its own name it is the answer: the entry was looked at. */
	memcpy(e->name, other, sizeof(other));
	memcpy(&twin.known[0].message[12], other, sizeof(other));
	assert_int_equal(compare("same hash, same name", frame, len), XDP_TX);
	*tags ^= 1;
	twin.known[0].dead = true;
	assert_int_equal(compare("other tag", frame, len), XDP_PASS);
	*tags ^= 1;
	e->head.lock |= 1ULL << 32;
	assert_int_equal(compare("being written", frame, len), XDP_PASS);
	*tags = tags_kept;
	*e = kept;
}

static void test_hash_is_the_program_s(void **state)
{
	struct xdp_counters before, after;
	uint8_t frame[KIT_FRAME_MAX];
	size_t len = good_frame(frame, false);

	(void)state;
	NEEDS_PROGRAM();
	assert_int_equal(xdp_program_counters(program, &before), 0);
	assert_int_equal(compare("counted", frame, len), XDP_TX);
	len = good_frame(frame, true);
	assert_int_equal(compare("counted", frame, len), XDP_TX);
	frame[len - 3] = 99;
	kit_mend(frame, len);
	assert_int_equal(compare("counted", frame, len), XDP_PASS);
	assert_int_equal(xdp_program_counters(program, &after), 0);
	assert_int_equal(after.seen - before.seen, 3);
	assert_int_equal(after.answered[0] - before.answered[0], 1);
	assert_int_equal(after.answered[1] - before.answered[1], 1);
	assert_int_equal(after.rcodes[0] - before.rcodes[0], 2);
	assert_int_equal(after.pass_miss - before.pass_miss, 1);
	assert_int_equal(after.bytes - before.bytes, 2 * twin.known[0].len);
}

/* Beyond the limit: every second one truncated, the others dropped; and the table is the workers' own. */
static void test_rates(void **state)
{
	static const struct ip_prefix exempt = {.addr = {.family = 4, .bytes = {198, 51, 100, 0}}, .len = 24};
	struct xdp_limits l = {.per_second = {20}, .slip = 2, .prefix_bits = {24, 56}};
	struct rate_limits same = {.per_second = {20}, .slip = 0, .prefix_bits = {24, 56}};
	static const struct ip_addr clients[] = {{.family = 4, .bytes = {198, 51, 100, 200}},
	                                         {.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 7, 0, 0x99, 1}}};
	uint8_t frame[KIT_FRAME_MAX], out[KIT_FRAME_MAX];
	uint32_t turn = 0;

	(void)state;
	NEEDS_PROGRAM();
	assert_int_equal(xdp_program_limits(program, &l), 0);
	for (int v6 = 0; v6 < 2; v6++) {
		const struct kit_query q = {.name = "wWw.example.com", .qtype = 1, .v6 = v6, .bufsize = 1232, .dnssec_ok = v6, .flags = {1, 0x10}};
		size_t len = kit_frame(&q, frame), out_len, udp = v6 ? 54 : 34;
		unsigned answered = 0, slipped = 0, dropped = 0;

		for (int i = 0; i < 60; i++)
			switch (run(frame, len, out, &out_len)) {
			case XDP_TX:
				assert_true(kit_checksums_right(out, out_len));
				if (!(out[udp + 8 + 2] & 2)) {
					answered++;
					break;
				}
				slipped++;
				assert_int_equal(out_len, len);
				assert_int_equal(out[udp + 8 + 2], 0x83);
				assert_int_equal(out[udp + 8 + 3], 0x10);
				assert_memory_equal(out + udp + 8 + 12, frame + udp + 8 + 12, len - udp - 20);
				break;
			case XDP_DROP:
				dropped++;
				break;
			default:
				fail();
			}
		/* A burst is ten answers here; a few more are earned while the test runs, many more if it is stopped. */
		assert_in_range(answered, 10, 30);
		assert_in_range(slipped + dropped, 30, 50);
		assert_in_range(slipped, (slipped + dropped) / 2, (slipped + dropped + 1) / 2);
		/* A worker finds the same prefix indebted. */
		assert_int_equal(rate_judge(rates, &same, &clients[v6], 0, clock_ns(), &turn), RATE_DROP);
	}
	l.exempt = &exempt;
	l.exempt_count = 1;
	assert_int_equal(xdp_program_limits(program, &l), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(compare("exempt", frame, good_frame(frame, false)), XDP_TX);
	l.exempt_count = 0;
	l.per_second[0] = 0;
	assert_int_equal(xdp_program_limits(program, &l), 0);
}

/* Debts made by a worker count in the kernel. */
static void test_rates_of_workers(void **state)
{
	const struct xdp_limits l = {.per_second = {1}, .prefix_bits = {32, 64}};
	const struct rate_limits same = {.per_second = {1}, .prefix_bits = {32, 64}};
	static const struct ip_addr clients[] = {{.family = 4, .bytes = {198, 51, 100, 7}},
	                                         {.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 7, [15] = 9}}};
	uint8_t frame[KIT_FRAME_MAX], out[KIT_FRAME_MAX];
	size_t out_len;
	uint32_t turn = 0;

	(void)state;
	NEEDS_PROGRAM();
	assert_int_equal(xdp_program_limits(program, &l), 0);
	for (int v6 = 0; v6 < 2; v6++) {
		while (rate_judge(rates, &same, &clients[v6], 0, clock_ns(), &turn) == RATE_PASS)
			;
		assert_int_equal(run(frame, good_frame(frame, v6), out, &out_len), XDP_DROP);
	}
}

enum { RACE_TAIL = 800 };

struct race {
	struct xdp_ticket ticket;
	_Atomic bool stop;
	_Atomic unsigned filled;
};

static void *keep_filling(void *arg)
{
	struct race *r = arg;
	uint8_t message[1400];

	for (unsigned i = 0; !atomic_load(&r->stop); i++) {
		struct xdp_answer a = {.message = message, .edns = true, .len = kit_answer("race.example.com", 1, false, false, 0, RACE_TAIL, message)};

		message[2] = 0x84;
		memset(message + a.len - RACE_TAIL, (int)(i & 0xff), RACE_TAIL);
		if (xdp_cache_fill(cache, 1, &r->ticket, &a) == 0)
			atomic_fetch_add(&r->filled, 1);
	}
	return NULL;
}

/* An entry that is written over and over: what is answered is always one of the answers, whole. */
static void test_writers_race(void **state)
{
	const struct kit_query q = {.name = "race.example.com", .qtype = 1, .bufsize = 1232};
	static struct race r;
	uint8_t frame[KIT_FRAME_MAX], out[KIT_FRAME_MAX];
	size_t len = kit_frame(&q, frame), out_len;
	unsigned whole = 0, seen[256] = {0}, different = 0;
	pthread_t writer;

	(void)state;
	NEEDS_PROGRAM();
	r.stop = false;
	r.filled = 0;
	assert_true(xdp_cache_ticket(cache, SLOT, &r.ticket));
	assert_int_equal(pthread_create(&writer, NULL, keep_filling, &r), 0);
	for (uint64_t until = clock_ms() + 20000; clock_ms() < until && (whole < 2000 || different < 20);) {
		int action = run(frame, len, out, &out_len);

		if (action != XDP_TX)
			continue;
		whole++;
		if (!kit_checksums_right(out, out_len))
			break;
		for (size_t i = out_len - RACE_TAIL; i < out_len; i++)
			if (out[i] != out[out_len - 1])
				whole = 0;
		if (!whole)
			break;
		different += !seen[out[out_len - 1]]++;
	}
	atomic_store(&r.stop, true);
	pthread_join(writer, NULL);
	assert_true(kit_checksums_right(out, out_len));
	assert_true(whole >= 2000);
	assert_true(different >= 20);
	assert_true(r.filled > 100);
}

/* Frames that somebody damaged: program and twin agree on every one. */
static void test_damaged(void **state)
{
	unsigned rounds = getenv("XDP_ROUNDS") ? (unsigned)atoi(getenv("XDP_ROUNDS")) : 20000, answered = 0;
	uint8_t frame[KIT_FRAME_MAX];
	uint32_t seed = 12345;

	(void)state;
	NEEDS_PROGRAM();
	for (unsigned i = 0; i < rounds; i++) {
		const struct kit_query q = {.name = answers[i % ARRAY_LEN(answers)].name, .qtype = answers[i % ARRAY_LEN(answers)].qtype,
		                            .v6 = i & 64, .vlan = i & 128, .bufsize = answers[i % ARRAY_LEN(answers)].edns ? 1232 : 0,
		                            .dnssec_ok = answers[i % ARRAY_LEN(answers)].dnssec_ok, .padding = i % 7};
		size_t len = kit_frame(&q, frame);

		for (unsigned n = seed >> 30; n; n--) {
			seed = seed * 1664525 + 1013904223;
			frame[(seed >> 8) % len] = (uint8_t)(seed >> 24);
		}
		seed = seed * 1664525 + 1013904223;
		if (seed & 1 << 20)
			kit_mend(frame, len);
		answered += compare("damaged", frame, len) == XDP_TX;
	}
	assert_in_range(answered, rounds / 20, rounds);
}

/* ---- probes ---- */

static size_t probe_frame(bool v6, bool vlan, const uint8_t key[8], const char *name, uint8_t state, uint8_t kind, uint8_t *frame)
{
	uint8_t message[XDP_PROBE_ROOM] = {0x12, 0x34, 0, 0, 0, 1}, icmp[XDP_ECHO_LEN];
	size_t len = 12 + kit_name(name, message + 12);

	message[len + 1] = 1;
	message[len + 3] = 1;
	xdp_echo_build(&(struct xdp_echo){.id = 77, .seq = 5, .state = state, .kind = kind, .message = message, .len = len + 4}, key, v6, icmp);
	return kit_echo_reply(v6, vlan, icmp, sizeof(icmp), frame);
}

/* What a neighbor sends back is turned round with the answer, or with the reason that there is none. */
static void test_probes(void **state)
{
	static const struct {
		const char *name, *asks;
		uint8_t state, kind;
		bool other_key, unleased, off, trial;
		int action;
		uint8_t gives;
	} cases[] = {
		{"kept", "www.example.com", XDP_PROBE_ASKED, XDP_PROBE_OF_CACHE, .action = XDP_TX, .gives = XDP_PROBE_FROM_CACHE},
		{"kept, on trial", "wWw.example.com", XDP_PROBE_ASKED, XDP_PROBE_OF_CACHE, .trial = true, .action = XDP_TX, .gives = XDP_PROBE_FROM_CACHE},
		{"odd length", "odd.example.com", XDP_PROBE_ASKED, XDP_PROBE_OF_CACHE, .action = XDP_TX, .gives = XDP_PROBE_FROM_CACHE},
		{"255 octets", long_name, XDP_PROBE_ASKED, XDP_PROBE_OF_CACHE, .action = XDP_TX, .gives = XDP_PROBE_FROM_CACHE},
		{"not known", "ftp.example.com", XDP_PROBE_ASKED, XDP_PROBE_OF_CACHE, .action = XDP_TX, .gives = XDP_PROBE_NOT_KEPT},
		{"no lease", "www.example.com", XDP_PROBE_ASKED, XDP_PROBE_OF_CACHE, .unleased = true, .action = XDP_TX, .gives = XDP_PROBE_NO_LEASE},
		{"no socket", "www.example.com", XDP_PROBE_ASKED, XDP_PROBE_OF_WORKER, .action = XDP_TX, .gives = XDP_PROBE_NOT_KEPT},
		{"of another", "www.example.com", XDP_PROBE_ASKED, XDP_PROBE_OF_CACHE, .other_key = true, .action = XDP_PASS},
		{"control", "www.example.com", XDP_PROBE_CONTROL, XDP_PROBE_OF_CACHE, .action = XDP_PASS},
		{"answered already", "www.example.com", XDP_PROBE_FROM_CACHE, XDP_PROBE_OF_CACHE, .action = XDP_PASS},
		{"switched off", "www.example.com", XDP_PROBE_ASKED, XDP_PROBE_OF_CACHE, .off = true, .action = XDP_PASS},
	};
	uint8_t frame[KIT_FRAME_MAX], out[KIT_FRAME_MAX], key[8];
	struct xdp_device device = {.state = XDP_DEVICE_ON};

	(void)state;
	NEEDS_PROGRAM();
	memcpy(device.mac, kit_mac, sizeof(device.mac));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned form = 0; form < 4; form++) {
			bool v6 = form & 1, vlan = form & 2;
			size_t headers = (vlan ? 18U : 14U) + (v6 ? 40U : 20U), len, out_len;
			struct xdp_echo e;
			int action;

			xdp_program_probe_key(program, key);
			key[3] ^= cases[i].other_key;
			device.state = cases[i].trial ? XDP_DEVICE_TRIAL : XDP_DEVICE_ON;
			assert_int_equal(xdp_program_device(program, if_nametoindex("lo"), &device), 0);
			xdp_program_switch(program, !cases[i].off);
			twin.leased = !cases[i].unleased;
			if (cases[i].unleased)
				xdp_cache_lease(cache, 0, 0);
			len = probe_frame(v6, vlan, key, cases[i].asks, cases[i].state, cases[i].kind, frame);
			action = run(frame, len, out, &out_len);
			if (action != cases[i].action || out_len != len)
				fail_msg("%s, form %u: action %d, %zu octets", cases[i].name, form, action, out_len);
			if (action == XDP_PASS) {
				assert_memory_equal(out, frame, len);
				continue;
			}
			assert_true(kit_echo_right(out, out_len));
			assert_memory_equal(out, frame + 6, 6);
			assert_memory_equal(out + 6, frame, 6);
			out[headers] = v6 ? 129 : 0; /* as the neighbor sends it back */
			assert_int_equal(xdp_echo_read(out + headers, out_len - headers, key, v6, &e), 0);
			assert_int_equal(e.state, cases[i].gives);
			assert_int_equal(e.id, 77);
			assert_int_equal(e.seq, 5);
			if (cases[i].gives == XDP_PROBE_FROM_CACHE) {
				bool found = false;

				for (size_t k = 0; k < twin.count; k++)
					found |= !twin.known[k].edns && twin.known[k].len == e.len &&
					         memcmp(twin.known[k].message + 12 + 3, e.message + 12 + 3, e.len - 15) == 0 &&
					         memcmp(twin.known[k].message + 2, e.message + 2, 10) == 0;
				assert_true(found);
			}
		}
	/* On trial nobody else is answered. */
	xdp_program_switch(program, true);
	device.state = XDP_DEVICE_TRIAL;
	assert_int_equal(xdp_program_device(program, if_nametoindex("lo"), &device), 0);
	{
		const struct kit_query q = {.name = "www.example.com", .qtype = 1};
		size_t len = kit_frame(&q, frame), out_len;

		twin.leased = true;
		assert_int_equal(run(frame, len, out, &out_len), XDP_PASS);
		device.state = XDP_DEVICE_ON;
		assert_int_equal(xdp_program_device(program, if_nametoindex("lo"), &device), 0);
		assert_int_equal(run(frame, len, out, &out_len), XDP_TX);
	}
}

/* Without a cache nothing is looked for, and what is no question goes to the stack. */
static void test_bare(void **state)
{
	struct xdp_counters before, after;
	uint8_t frame[KIT_FRAME_MAX];
	size_t len;

	(void)state;
	NEEDS_PROGRAM();
	xdp_program_bare(program, true);
	twin.count = 0;
	assert_int_equal(xdp_program_counters(program, &before), 0);
	for (unsigned form = 0; form < 4; form++) {
		struct kit_query q = {.name = "www.example.com", .qtype = 1, .v6 = form & 1, .vlan = form & 2};

		len = kit_frame(&q, frame);
		assert_int_equal(compare("bare", frame, len), XDP_PASS);
		q.flags[0] = 0x80;
		len = kit_frame(&q, frame);
		assert_int_equal(compare("response", frame, len), XDP_PASS);
		q.flags[0] = 0x28;
		len = kit_frame(&q, frame);
		assert_int_equal(compare("update", frame, len), XDP_PASS);
	}
	assert_int_equal(xdp_program_counters(program, &after), 0);
	assert_int_equal(after.pass_miss - before.pass_miss, 4);
	assert_int_equal(after.pass_form - before.pass_form, 8);
	xdp_program_bare(program, false);
}

static void run_often(const uint8_t *frame, size_t len, unsigned times)
{
	uint8_t out[KIT_FRAME_MAX];
	size_t out_len;

	for (unsigned i = 0; i < times; i++) /* the kernel's own repetition ends with a wait that is longer than a flood is remembered */
		(void)run(frame, len, out, &out_len);
}

/* In a flood of names that are not kept nothing is looked for, for a moment; hits between them, and misses that come slowly, change nothing. */
static void test_flood(void **state)
{
	const struct kit_query kept = {.name = "www.example.com", .qtype = 1}, missed = {.name = "ftp.example.com", .qtype = 1};
	uint8_t frame[KIT_FRAME_MAX], flood[KIT_FRAME_MAX], out[KIT_FRAME_MAX];
	size_t len = kit_frame(&kept, frame), flood_len = kit_frame(&missed, flood), out_len;
	bool passed = false;
	cpu_set_t all, one;

	(void)state;
	NEEDS_PROGRAM();
	/* What is counted is a CPU's own. */
	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	for (unsigned i = 0; i < 20; i++) {
		run_often(flood, flood_len, 300);
		assert_int_equal(run(frame, len, out, &out_len), XDP_TX);
	}
	control->flood = 128;
	for (unsigned i = 0; i < 1000 && !passed; i++) { /* interrupted, a flood is none */
		run_often(flood, flood_len, 300);
		if (run(frame, len, out, &out_len) == XDP_PASS) {
			uint64_t until = clock_ns() + 10000000000ULL;

			passed = true;
			while (run(frame, len, out, &out_len) != XDP_TX)
				assert_true(clock_ns() < until);
		}
	}
	assert_true(passed);
	for (unsigned i = 0; i < 1000; i++) {
		run_often(flood, flood_len, 16);
		assert_int_equal(run(frame, len, out, &out_len), XDP_TX);
	}
	control->flood = 0;
	sched_setaffinity(0, sizeof(all), &all);
}

/* Figures that can be believed, and nothing of it is left. */
static void test_measure(void **state)
{
	const struct xdp_sizes sizes = {.workers = 2, .small = 64, .large = 64, .rate_entries = RATE_ENTRIES};
	struct xdp_program *own;
	struct xdp_costs costs;

	(void)state;
	NEEDS_PROGRAM();
	assert_int_equal(xdp_program_load(&sizes, why, &own), 0);
	assert_int_equal(xdp_measure(own, &costs), 0);
	printf("kept %u ns, passed %u ns, socket %u ns\n", costs.kept, costs.passed, costs.socket);
	assert_in_range(costs.kept, 20, 1000000);
	assert_in_range(costs.passed, 20, 1000000);
	assert_in_range(costs.socket, 200, 10000000);
	{
		const struct kit_query q = {.name = "measure", .qtype = 1};
		LIBBPF_OPTS(bpf_test_run_opts, o, .repeat = 1);
		uint8_t frame[KIT_FRAME_MAX];

		o.data_in = frame;
		o.data_size_in = (uint32_t)kit_frame(&q, frame);
		memset(frame, 0, 12); /* as lo has it */
		memcpy(frame + 30, (const uint8_t[]){192, 0, 2, 1}, 4);
		kit_mend(frame, o.data_size_in);
		assert_int_equal(bpf_prog_test_run_opts(xdp_program_fd(own), &o), 0);
		assert_int_equal(o.retval, XDP_PASS);
	}
	xdp_program_free(own);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, begin)
	const struct CMUnitTest tests[] = {
		T(test_questions), T(test_headers), T(test_source_ports), T(test_opt_fields), T(test_cut), T(test_lease), T(test_generations),
		T(test_one_zone_dies_alone), T(test_answers_of_backends), T(test_collisions), T(test_hash_is_the_program_s), T(test_rates), T(test_rates_of_workers), T(test_writers_race),
		T(test_damaged), T(test_probes), T(test_bare), T(test_flood), T(test_measure),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
