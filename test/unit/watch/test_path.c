/* SPDX-License-Identifier: BSD-2-Clause */
/* A way through a device, with this test at its other end in the place of the neighbor and of the program: what is thought of each thing that can go
 * wrong there. */
#include "../zone/store_kit.h"

#include "base/clock.h"
#include "base/log.h"
#include "dns/message.h"
#include "dns/rr.h"
#include "watch/watch.h"
#include "xdp/echo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { DEADLINE_MS = 20000 };

enum neighbor {
	GOOD, SILENT, UNTURNED, CACHE_LOST, WORKER_LOST, NOT_KEPT, NO_LEASE, WRONG_SERIAL, SERVFAIL, OTHER_ID, OTHER_KEY,
};

struct bed {
	struct watch w;
	struct role role;
	struct board *board;
	char *folder, path[4200];
	struct store_writer *writer;
	int fd;
	uv_poll_t poll;
	enum neighbor neighbor;
	unsigned asked;
};

static void put_zone(struct bed *b, uint32_t serial)
{
	struct name apex = kit_name("example.");
	struct content *c = kit_version(apex.wire, serial, 3, 8);
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = 4, .source = ""};
	uint64_t generation;

	assert_int_equal(store_put_zone(b->writer, apex.wire, c, &meta), 0);
	assert_int_equal(store_commit(b->writer, &generation), 0);
	content_free(c);
}

/* The answer to the question in `query`, with the SOA that the store holds or another one. */
static size_t answer(struct bed *b, const uint8_t *query, size_t len, uint8_t *out, size_t cap)
{
	struct writer w = writer_of(out, cap);
	struct store_snapshot s;
	struct probe_soa soa = {0};
	struct query q;
	unsigned rcode = b->neighbor == SERVFAIL ? RCODE_SERVFAIL : 0;

	assert_int_equal(query_parse(query, len, &q), QUERY_OK);
	assert_int_equal(q.qtype, RR_SOA);
	store_pin(b->w.store.reader, &s);
	zones_soa(&s, q.qname.wire, &soa);
	store_unpin(b->w.store.reader);
	assert_true(soa.known);
	writer_u16(&w, (uint16_t)(q.header.id + (b->neighbor == OTHER_ID)));
	writer_u16(&w, (uint16_t)(DNS_QR | DNS_AA | rcode));
	writer_u16(&w, 1);
	writer_u16(&w, rcode ? 0 : 1);
	writer_u32(&w, 0);
	writer_bytes(&w, query + DNS_HEADER_LEN, q.question_len);
	if (!rcode) {
		if (b->neighbor == WRONG_SERIAL)
			soa.rdata[soa.len - 17] ^= 1;
		writer_u16(&w, 0xc00c);
		writer_u16(&w, q.qtype);
		writer_u16(&w, q.qclass);
		writer_u32(&w, 60);
		writer_u16(&w, soa.len);
		writer_bytes(&w, soa.rdata, soa.len);
	}
	assert_true(writer_ok(&w));
	return w.pos;
}

static void send_back(struct bed *b, uint8_t *icmp)
{
	icmp[0] = 129;
	(void)!send(b->fd, icmp, XDP_ECHO_LEN, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_echo(uv_poll_t *poll, int status, int events)
{
	struct bed *b = poll->data;
	uint8_t icmp[XDP_ECHO_LEN + 1], message[XDP_PROBE_ROOM], key[8];
	struct xdp_echo e;

	(void)status;
	(void)events;
	while (recv(b->fd, icmp, sizeof(icmp), MSG_DONTWAIT) == XDP_ECHO_LEN) {
		bool of_worker;

		assert_int_equal(icmp[0], 128);
		b->asked++;
		memcpy(key, b->role.brief.probe_key, sizeof(key));
		icmp[0] = 129;
		assert_int_equal(xdp_echo_read(icmp, XDP_ECHO_LEN, key, true, &e), 0);
		of_worker = e.kind == XDP_PROBE_OF_WORKER;
		if (b->neighbor == SILENT)
			continue;
		if (e.state == XDP_PROBE_CONTROL || b->neighbor == UNTURNED) {
			send_back(b, icmp);
			continue;
		}
		if (b->neighbor == CACHE_LOST ? !of_worker : b->neighbor == WORKER_LOST && of_worker)
			continue;
		e.state = b->neighbor == NO_LEASE ? XDP_PROBE_NO_LEASE : b->neighbor == NOT_KEPT ? XDP_PROBE_NOT_KEPT : XDP_PROBE_FROM_CACHE;
		if (of_worker && e.state == XDP_PROBE_FROM_CACHE)
			e.state = XDP_PROBE_FROM_WORKER;
		if (e.state == XDP_PROBE_FROM_CACHE || e.state == XDP_PROBE_FROM_WORKER) {
			e.len = answer(b, e.message, e.len, message, sizeof(message));
			e.message = message;
		} else {
			memcpy(message, e.message, e.len);
			e.message = message;
		}
		key[0] ^= b->neighbor == OTHER_KEY;
		xdp_echo_build(&e, key, true, icmp);
		send_back(b, icmp);
	}
}

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	_Atomic uint64_t *pins[1];
	struct store_open_info info;
	int fd, pair[2];

	if (!b || board_create(&fd, &b->board) < 0 || uv_loop_init(&b->w.loop) < 0)
		return -1;
	close(fd);
	log_setup("test", LOG_ERR);
	b->folder = kit_folder();
	snprintf(b->path, sizeof(b->path), "%s/s", b->folder);
	b->w.board = b->board;
	b->w.role = &b->role;
	b->w.node = "fra";
	b->w.loaded = true;
	b->w.network_count = 1;
	b->w.networks[0].config_index = 4;
	store_follow_init(&b->w.store, b->path, &b->board->watch.pin);
	pins[0] = &b->board->watch.pin;
	if (store_writer_open(b->path, pins, 1, &b->writer, &info) != 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	put_zone(b, 7);
	if (!store_follow_look(&b->w.store, 0))
		return -1;
	b->fd = pair[1];
	b->role.brief.path_count = 1;
	b->role.brief.paths[0] = (struct role_path){.fd = pair[0], .ifindex = 9, .device = "up0", .neighbor = {.family = 6, .bytes = {0xfe, 0x80, [15] = 1}}};
	memcpy(b->role.brief.probe_key, "secretly", 8);
	uv_poll_init(&b->w.loop, &b->poll, b->fd);
	b->poll.data = b;
	uv_poll_start(&b->poll, UV_READABLE, on_echo);
	*state = b;
	return paths_start(&b->w, &b->w.paths);
}

static void close_handle(uv_handle_t *h, void *arg)
{
	(void)arg;
	uv_close(h, NULL);
}

static int teardown(void **state)
{
	struct bed *b = *state;

	uv_walk(&b->w.loop, close_handle, NULL);
	uv_run(&b->w.loop, UV_RUN_DEFAULT);
	uv_loop_close(&b->w.loop);
	free(b->w.paths);
	close(b->fd);
	close(b->role.brief.paths[0].fd);
	store_follow_done(&b->w.store);
	store_writer_close(b->writer);
	kit_folder_free(b->folder);
	free(b);
	return 0;
}

static const struct board_watch_path *shown(struct bed *b)
{
	static struct board_watch_path copy;

	assert_true(board_copy(&b->board->watch.paths[0].seq, &b->board->watch.paths[0], &copy, sizeof(copy)));
	return &copy;
}

/* Until the verdict is that, with these words among its reasons. */
static void wait_verdict(struct bed *b, enum neighbor neighbor, enum board_verdict verdict, const char *why)
{
	uint64_t until = clock_ms() + DEADLINE_MS;

	b->neighbor = neighbor;
	while (shown(b)->verdict != (uint32_t)verdict || !strstr(shown(b)->why, why)) {
		if (clock_ms() > until)
			fail_msg("neighbor %d: verdict %u, \"%s\"; expected %d, \"%s\"", neighbor, shown(b)->verdict, shown(b)->why, verdict, why);
		uv_run(&b->w.loop, UV_RUN_ONCE);
	}
}

static void test_what_can_be_lost(void **state)
{
	struct bed *b = *state;

	wait_verdict(b, GOOD, VERDICT_PASS, "by way of fe80::1: answers arrive");
	assert_int_equal(shown(b)->ifindex, 9);
	assert_string_equal(shown(b)->device, "up0");
	assert_true(shown(b)->from_cache >= 2 && shown(b)->from_worker >= 2);
	wait_verdict(b, CACHE_LOST, VERDICT_HARD, "what XDP sends is lost");
	wait_verdict(b, GOOD, VERDICT_PASS, "answers arrive");
	wait_verdict(b, WORKER_LOST, VERDICT_HARD, "AF_XDP socket");
	wait_verdict(b, NOT_KEPT, VERDICT_PASS, "answers arrive");
	wait_verdict(b, NO_LEASE, VERDICT_PASS, "no worker vouches");
	wait_verdict(b, OTHER_KEY, VERDICT_HARD, "what XDP sends is lost");
}

/* Nothing is concluded from what is not known. */
static void test_what_says_nothing(void **state)
{
	struct bed *b = *state;

	wait_verdict(b, SILENT, VERDICT_UNKNOWN, "answers no echoes");
	wait_verdict(b, GOOD, VERDICT_PASS, "answers arrive");
	wait_verdict(b, SILENT, VERDICT_UNKNOWN, "answers no echoes");
	wait_verdict(b, UNTURNED, VERDICT_UNKNOWN, "does not take them");
	assert_int_equal(shown(b)->failed, 0);
}

static void test_wrong_answers(void **state)
{
	struct bed *b = *state;

	wait_verdict(b, WRONG_SERIAL, VERDICT_HARD, "serial 6, expected 7");
	wait_verdict(b, GOOD, VERDICT_PASS, "answers arrive");
	wait_verdict(b, SERVFAIL, VERDICT_HARD, "SERVFAIL");
	wait_verdict(b, OTHER_ID, VERDICT_HARD, "something else");
	/* A change of the zone is no failure. */
	wait_verdict(b, GOOD, VERDICT_PASS, "answers arrive");
	put_zone(b, 8);
	wait_verdict(b, WRONG_SERIAL, VERDICT_HARD, "serial 9, expected 8");
	wait_verdict(b, GOOD, VERDICT_PASS, "answers arrive");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {T(test_what_can_be_lost), T(test_what_says_nothing), T(test_wrong_answers)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
