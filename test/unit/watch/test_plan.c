/* SPDX-License-Identifier: BSD-2-Clause */
/* The watch as a whole but for its process: plans from configurations, states over reloads and restarts, and checks that run against a
 * server in the same loop, which answers from the store like a worker or is made to fail. */
#include "../zone/store_kit.h"

#include "base/clock.h"
#include "base/log.h"
#include "dns/message.h"
#include "dns/rr.h"
#include "watch/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- configurations by hand ---- */

enum { NETS_MAX = 4, CONNS_MAX = 32, DEADLINE_MS = 20000 };

struct conf {
	struct config config;
	struct config_node node;
	struct config_network nets[NETS_MAX];
	struct ip_addr addresses[NETS_MAX][4];
	uint32_t order[NETS_MAX];
};

static struct config_network *conf_net(struct conf *c, const char *name, const char *a, const char *b)
{
	struct config_network *n = &c->nets[c->config.network_count];
	struct ip_addr *at = c->addresses[c->config.network_count];

	n->name = name;
	n->addresses = at;
	n->check = (struct config_check){.interval_ms = 20, .timeout_ms = 100, .fall = 2, .rise = 3};
	if (a)
		assert_int_equal(addr_parse(a, &at[n->address_count++]), 0);
	if (b)
		assert_int_equal(addr_parse(b, &at[n->address_count++]), 0);
	c->order[c->node.network_count++] = (uint32_t)c->config.network_count++;
	c->config.networks = c->nets;
	c->node.networks = c->order;
	c->node.name = "fra";
	return n;
}

/* ---- the bed ---- */

struct conn {
	uv_poll_t poll;
	int fd;
	bool open;
};

struct bed {
	struct watch w;
	struct board *board;
	char *folder, path[4200];
	struct store_writer *writer;
	/* the server */
	int udp, tcp;
	uv_poll_t udp_poll, tcp_poll;
	bool serving;
	struct conn conns[CONNS_MAX];
	bool silent_tcp;
	struct name servfail; /* this zone is answered SERVFAIL; len 0: none */
	struct name wrong;    /* this one with another serial */
	unsigned asked[2];    /* by transport */
	unsigned asked_id, asked_sets;
	bool wrong_content;
	struct name seen[64];
	unsigned seen_count;
};

static struct content *version(const uint8_t *apex, uint32_t serial)
{
	struct content *c = content_new(apex);
	struct rng r = {.s = serial};

	assert_non_null(c);
	kit_add_soa(c, apex, serial);
	kit_add(c, apex, RR_NS, "\2ns", 4);
	for (unsigned i = 0; i < 6; i++) {
		uint8_t rdata[] = {3, 'a', (uint8_t)('a' + i), (uint8_t)serial};
		struct name n;

		if (kit_random_name(&r, apex, &n)) {
			kit_add(c, n.wire, RR_TXT, rdata, sizeof(rdata));
			rdata[1] = 'b';
			kit_add(c, n.wire, RR_TXT, rdata, sizeof(rdata));
		}
	}
	assert_int_equal(content_finish(c), 0);
	return c;
}

static void put_zone(struct bed *b, const char *text, uint32_t network, uint32_t serial)
{
	struct name apex = kit_name(text);
	struct content *c = serial ? version(apex.wire, serial) : NULL;
	struct store_zone_meta meta = {.state = c ? STORE_ZONE_SERVING : STORE_ZONE_NO_DATA, .network = network, .source = ""};
	uint64_t generation;

	assert_int_equal(store_put_zone(b->writer, apex.wire, c, &meta), 0);
	assert_int_equal(store_commit(b->writer, &generation), 0);
	store_collect(b->writer);
	content_free(c);
}

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	_Atomic uint64_t *pins[1];
	struct store_open_info info;
	int fd;

	if (!b || board_create(&fd, &b->board) < 0 || uv_loop_init(&b->w.loop) < 0)
		return -1;
	close(fd);
	b->folder = kit_folder();
	snprintf(b->path, sizeof(b->path), "%s/s", b->folder);
	b->w.board = b->board;
	b->w.node = "fra";
	list_init(&b->w.checks);
	store_follow_init(&b->w.store, b->path, &b->board->watch.pin);
	pins[0] = &b->board->watch.pin;
	if (store_writer_open(b->path, pins, 1, &b->writer, &info) != 0)
		return -1;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bed *b = *state;
	int left;

	plan_free(&b->w);
	if (b->serving) {
		uv_close((uv_handle_t *)&b->udp_poll, NULL);
		uv_close((uv_handle_t *)&b->tcp_poll, NULL);
		for (unsigned i = 0; i < CONNS_MAX; i++)
			if (b->conns[i].open && !uv_is_closing((uv_handle_t *)&b->conns[i].poll))
				uv_close((uv_handle_t *)&b->conns[i].poll, NULL);
	}
	uv_run(&b->w.loop, UV_RUN_DEFAULT);
	left = uv_loop_close(&b->w.loop);
	if (b->serving) {
		close(b->udp);
		close(b->tcp);
		for (unsigned i = 0; i < CONNS_MAX; i++)
			if (b->conns[i].open && b->conns[i].fd >= 0)
				close(b->conns[i].fd);
	}
	store_follow_done(&b->w.store);
	store_writer_close(b->writer);
	kit_folder_free(b->folder);
	free(b);
	return left; /* a handle or a probe was not let go */
}

static const struct board_watch_network *net_of(struct bed *b, unsigned i)
{
	static struct board_watch_network copy;

	assert_true(board_copy(&b->board->watch.networks[i].seq, &b->board->watch.networks[i], &copy, sizeof(copy)));
	return &copy;
}

static struct check *check_of(struct bed *b, unsigned net, unsigned i)
{
	assert_true(i < b->w.networks[net].check_count);
	return b->w.networks[net].checks[i];
}

static size_t check_count(const struct bed *b)
{
	size_t n = 0;

	LIST_FOREACH(it, &b->w.checks)
		n++;
	return n;
}

/* ---- the server ---- */

/* The set asked for, as the store has it; NULL: there is none. */
static const struct store_rrset *find(const struct store_snapshot *s, const struct query *q, struct name *apex)
{
	const struct store_zone *z = store_zone_find(s, q->qname.wire, false);
	struct store_lookup at;

	apex->len = 0;
	if (!z || z->state != STORE_ZONE_SERVING)
		return NULL;
	name_copy(apex, store_zone_apex(z));
	store_lookup(s, z, q->qname.wire, &at);
	return at.node ? store_rrset_of(s, at.node, q->qtype) : NULL;
}

static void put_set(const struct bed *b, struct writer *w, const struct query *q, const struct store_rrset *set, bool wrong)
{
	const uint8_t *at = set->data;

	for (unsigned i = 0; i < set->count; i++) {
		uint16_t len = get_u16(at);
		uint8_t rdata[1024];

		assert_true(len <= sizeof(rdata));
		memcpy(rdata, at + 2, len);
		if (wrong && q->qtype == RR_SOA && b->wrong.len)
			put_u32(rdata + len - 20, get_u32(rdata + len - 20) + 5);
		else if (wrong)
			rdata[1] ^= 1;
		writer_u16(w, 0xc00c);
		writer_u16(w, q->qtype);
		writer_u16(w, q->qclass);
		writer_u32(w, set->ttl);
		writer_u16(w, len);
		writer_bytes(w, rdata, len);
		at += 2 + len;
	}
}

static size_t answer(struct bed *b, const uint8_t *query, size_t len, uint8_t *out, size_t cap)
{
	struct writer w = writer_of(out, cap);
	struct store_reader *reader = b->w.store.reader;
	const struct store_rrset *set = NULL;
	struct store_snapshot s;
	struct name apex;
	struct query q;
	unsigned rcode = 0;
	bool chaos;

	assert_int_equal(query_parse(query, len, &q), QUERY_OK);
	chaos = q.qclass == CLASS_CH;
	store_pin(reader, &s);
	if (chaos) {
		b->asked_id++;
	} else {
		set = find(&s, &q, &apex);
		if (apex.len && b->seen_count < ARRAY_LEN(b->seen))
			b->seen[b->seen_count++] = apex;
		b->asked_sets += set && q.qtype != RR_SOA;
		if (!set || (b->servfail.len && name_equal(b->servfail.wire, apex.wire)))
			rcode = RCODE_SERVFAIL;
	}
	writer_u16(&w, q.header.id);
	writer_u16(&w, (uint16_t)(DNS_QR | DNS_AA | rcode));
	writer_u16(&w, 1);
	writer_u16(&w, rcode ? 0 : chaos ? 1 : set->count);
	writer_u32(&w, 0);
	writer_bytes(&w, query + DNS_HEADER_LEN, q.question_len);
	if (!rcode && !chaos)
		put_set(b, &w, &q, set, (b->wrong.len && name_equal(b->wrong.wire, apex.wire)) || (b->wrong_content && q.qtype != RR_SOA));
	if (!rcode && chaos) {
		writer_u16(&w, 0xc00c);
		writer_u16(&w, q.qtype);
		writer_u16(&w, q.qclass);
		writer_u32(&w, 300);
		writer_u16(&w, 4);
		writer_bytes(&w, "\x03" "fra", 4);
	}
	store_unpin(reader);
	assert_true(writer_ok(&w));
	return w.pos;
}

static void on_udp(uv_poll_t *poll, int status, int events)
{
	struct bed *b = poll->data;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t in[600], out[1200];
	ssize_t n = recvfrom(b->udp, in, sizeof(in), 0, (struct sockaddr *)&from, &from_len);
	size_t len;

	(void)status;
	(void)events;
	if (n < 0)
		return; /* a refused answer to a probe that was cancelled */
	b->asked[0]++;
	len = answer(b, in, (size_t)n, out, sizeof(out));
	(void)sendto(b->udp, out, len, 0, (struct sockaddr *)&from, from_len);
}

static void on_free_conn(uv_handle_t *h)
{
	struct conn *c = h->data;

	c->open = false;
}

/* Until the client has closed. */
static void on_conn(uv_poll_t *poll, int status, int events)
{
	struct conn *c = poll->data;
	struct bed *b = poll->loop->data;
	uint8_t in[600], out[1200];
	ssize_t n = recv(c->fd, in, sizeof(in), 0);
	size_t len;

	(void)events;
	if (status < 0 || n < 2) {
		close(c->fd);
		c->fd = -1;
		uv_close((uv_handle_t *)poll, on_free_conn);
		return;
	}
	b->asked[1]++;
	if (b->silent_tcp)
		return;
	len = answer(b, in + 2, (size_t)n - 2, out + 2, sizeof(out) - 2);
	put_u16(out, (uint16_t)len);
	(void)send(c->fd, out, len + 2, MSG_NOSIGNAL);
}

static void on_tcp(uv_poll_t *poll, int status, int events)
{
	struct bed *b = poll->data;
	struct conn *c = b->conns;

	(void)status;
	(void)events;
	while (c->open)
		assert_true(++c < b->conns + CONNS_MAX);
	c->fd = accept4(b->tcp, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c->fd < 0)
		return;
	c->open = true;
	assert_int_equal(uv_poll_init(&b->w.loop, &c->poll, c->fd), 0);
	c->poll.data = c;
	uv_poll_start(&c->poll, UV_READABLE, on_conn);
}

static int open_at(int kind, uint16_t port, uint16_t *got)
{
	struct endpoint at = {.port = port};
	struct sockaddr_storage ss;
	socklen_t len;
	int fd = socket(AF_INET, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(addr_parse("127.0.0.1", &at.addr), 0);
	len = endpoint_to_sockaddr(&at, &ss);
	if (bind(fd, (struct sockaddr *)&ss, len) < 0) {
		close(fd);
		return -1;
	}
	len = sizeof(ss);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&ss, &at), 0);
	*got = at.port;
	return fd;
}

static void serve(struct bed *b)
{
	uint16_t port = 0;

	/* One number that is free for both. */
	for (b->tcp = -1; b->tcp < 0;) {
		b->udp = open_at(SOCK_DGRAM, 0, &port);
		b->tcp = open_at(SOCK_STREAM, port, &port);
		if (b->tcp < 0)
			close(b->udp);
	}
	assert_int_equal(listen(b->tcp, 16), 0);
	b->w.port = port;
	b->w.loop.data = b;
	assert_int_equal(uv_poll_init(&b->w.loop, &b->udp_poll, b->udp), 0);
	assert_int_equal(uv_poll_init(&b->w.loop, &b->tcp_poll, b->tcp), 0);
	b->udp_poll.data = b->tcp_poll.data = b;
	uv_poll_start(&b->udp_poll, UV_READABLE, on_udp);
	uv_poll_start(&b->tcp_poll, UV_READABLE, on_tcp);
	b->serving = true;
}

static void until(struct bed *b, enum board_verdict verdict)
{
	uint64_t began = clock_ms();

	while (net_of(b, 0)->verdict != verdict) {
		if (clock_ms() - began > DEADLINE_MS)
			fail_msg("verdict %s, expected %s: %s", board_verdict_text(net_of(b, 0)->verdict), board_verdict_text(verdict), net_of(b, 0)->why);
		uv_run(&b->w.loop, UV_RUN_ONCE);
	}
}

static void run_for_questions(struct bed *b, unsigned n)
{
	unsigned goal = b->asked[0] + n;
	uint64_t began = clock_ms();

	while (b->asked[0] < goal) {
		assert_true(clock_ms() - began < DEADLINE_MS);
		uv_run(&b->w.loop, UV_RUN_ONCE);
	}
}

/* ---- plans ---- */

static void test_build(void **state)
{
	struct bed *b = *state;
	struct conf c = {0};
	uint8_t mark[2][3];

	conf_net(&c, "other", "192.0.2.1", NULL);
	conf_net(&c, "global", "192.0.2.53", "2001:db8::53");
	conf_net(&c, "bare", NULL, NULL);
	c.order[0] = 1; /* this node has global and bare only */
	c.order[1] = 2;
	c.node.network_count = 2;
	assert_int_equal(plan_build(&b->w, &c.config, &c.node), 0);
	assert_int_equal(b->w.network_count, 2);
	assert_int_equal(b->w.networks[0].config_index, 1);
	assert_int_equal(b->w.networks[0].check_count, 4);
	assert_int_equal(b->w.networks[1].check_count, 0);
	assert_int_equal(check_count(b), 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(check_of(b, 0, i)->tcp, i & 1);
		assert_int_equal(check_of(b, 0, i)->address.family, i < 2 ? 4 : 6);
	}
	check_mark(check_of(b, 0, 0), mark[0]);
	check_mark(check_of(b, 0, 1), mark[1]);
	assert_memory_not_equal(mark[0], mark[1], 3);
	watch_publish(&b->w, &b->w.networks[0], clock_ns());
	watch_publish(&b->w, &b->w.networks[1], clock_ns());
	assert_int_equal(net_of(b, 0)->verdict, VERDICT_UNKNOWN);
	assert_string_equal(net_of(b, 1)->why, "the network has no service addresses to check");
}

static void test_reload_keeps_states(void **state)
{
	struct bed *b = *state;
	struct conf one = {0}, two = {0}, three = {0};
	struct check *kept, *kept_tcp;

	conf_net(&one, "global", "192.0.2.53", "192.0.2.54");
	conf_net(&one, "eu", "192.0.2.55", NULL);
	assert_int_equal(plan_build(&b->w, &one.config, &one.node), 0);
	kept = check_of(b, 0, 2); /* 192.0.2.54 UDP */
	kept_tcp = check_of(b, 0, 3);
	kept->health.state = HEALTH_PASS;
	kept->health.passes = 77;
	b->w.networks[0].all.verdict = VERDICT_HARD;
	b->w.networks[0].all.since_ns = 5;
	check_of(b, 1, 0)->health.state = HEALTH_FAIL;

	/* The networks change places, an address goes, another comes before the one that stays. */
	conf_net(&two, "eu", "192.0.2.55", NULL);
	conf_net(&two, "global", "192.0.2.99", "192.0.2.54");
	two.nets[1].check.rise = 9;
	assert_int_equal(plan_build(&b->w, &two.config, &two.node), 0);
	assert_ptr_equal(check_of(b, 1, 2), kept);
	assert_ptr_equal(check_of(b, 1, 3), kept_tcp);
	assert_ptr_equal(kept->network, &b->w.networks[1]);
	assert_int_equal(kept->network->rule.rise, 9);
	assert_int_equal(kept->health.state, HEALTH_PASS);
	assert_int_equal(kept->health.passes, 77);
	assert_int_equal(check_of(b, 1, 0)->health.state, HEALTH_UNKNOWN);
	assert_int_equal(check_of(b, 0, 0)->health.state, HEALTH_FAIL);
	assert_int_equal(b->w.networks[1].all.verdict, VERDICT_HARD);
	assert_int_equal(b->w.networks[1].all.since_ns, 5);
	assert_int_equal(check_count(b), 6);
	watch_publish(&b->w, &b->w.networks[0], 1);
	assert_int_equal(net_of(b, 0)->verdict, VERDICT_UNKNOWN); /* nothing is loaded: no judgement */

	/* A network goes: its place on the board is empty. The same address in another network is another check. */
	watch_publish(&b->w, &b->w.networks[1], 1);
	assert_true(net_of(b, 1)->why[0]);
	conf_net(&three, "global", "192.0.2.55", NULL);
	assert_int_equal(plan_build(&b->w, &three.config, &three.node), 0);
	assert_int_equal(check_count(b), 2);
	assert_int_equal(check_of(b, 0, 0)->health.state, HEALTH_UNKNOWN);
	assert_int_equal(net_of(b, 1)->why[0], 0);
	assert_int_equal(net_of(b, 1)->since_ns, 0);
}

/* What a predecessor left on the board is taken over where it is for the same address, young and whole. */
static void test_inherit(void **state)
{
	const struct {
		const char *name, *address;
		uint64_t age_ms;
		bool torn;
		enum health_state expected;
	} cases[] = {
		{"the same", "192.0.2.53", 100, false, HEALTH_PASS},
		{"another address", "192.0.2.54", 100, false, HEALTH_UNKNOWN},
		{"too old", "192.0.2.53", 60000, false, HEALTH_UNKNOWN},
		{"torn", "192.0.2.53", 100, true, HEALTH_UNKNOWN},
	};
	struct bed *b = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct conf c = {0}, d = {0};
		uint64_t now = clock_ns() + 3600ULL * 1000000000U;

		plan_free(&b->w);
		b->w.loaded = true;
		conf_net(&c, "global", "192.0.2.53", NULL);
		assert_int_equal(plan_build(&b->w, &c.config, &c.node), 0);
		for (unsigned k = 0; k < 2; k++) {
			check_of(b, 0, k)->health.state = HEALTH_PASS;
			check_of(b, 0, k)->latest_ns = now - cases[i].age_ms * 1000000U;
		}
		watch_publish(&b->w, &b->w.networks[0], now - 10000000000U);
		assert_int_equal(net_of(b, 0)->verdict, VERDICT_PASS);

		plan_free(&b->w);
		memset(b->w.networks, 0, sizeof(b->w.networks));
		conf_net(&d, "global", cases[i].address, NULL);
		assert_int_equal(plan_build(&b->w, &d.config, &d.node), 0);
		if (cases[i].torn)
			board_write_begin(&b->board->watch.networks[0].seq);
		plan_inherit(&b->w, now);
		if (cases[i].torn)
			board_write_end(&b->board->watch.networks[0].seq);
		if (check_of(b, 0, 0)->health.state != cases[i].expected)
			fail_msg("%s: state %d", cases[i].name, check_of(b, 0, 0)->health.state);
		if (cases[i].expected == HEALTH_PASS) {
			watch_publish(&b->w, &b->w.networks[0], now);
			assert_int_equal(net_of(b, 0)->verdict, VERDICT_PASS);
			assert_int_equal(net_of(b, 0)->since_ns, now - 10000000000U);
			assert_int_equal(net_of(b, 0)->checked_ns, now - 100000000U);
		}
	}
}

static void test_idle(void **state)
{
	struct bed *b = *state;
	struct conf c = {0};
	struct check *k;

	conf_net(&c, "global", "192.0.2.53", NULL);
	assert_int_equal(plan_build(&b->w, &c.config, &c.node), 0);
	b->w.loaded = true;
	k = check_of(b, 0, 0);
	assert_false(check_look(k, UINT64_MAX)); /* unknown already */
	k->health.state = HEALTH_PASS;
	k->idle_from_ns = 1000;
	assert_false(check_look(k, 1000));
	assert_false(check_look(k, 1000 + (CHECK_IDLE_MS + 240) * 1000000ULL));
	assert_true(check_look(k, 1001 + (CHECK_IDLE_MS + 240) * 1000000ULL));
	assert_int_equal(k->health.state, HEALTH_UNKNOWN);
	watch_publish(&b->w, &b->w.networks[0], 1);
	assert_string_equal(net_of(b, 0)->why, "192.0.2.53 UDP: no result for seconds, this node could not ask");
}

/* ---- checks that run ---- */

static void begin(struct bed *b, struct conf *c)
{
	serve(b);
	assert_true(store_follow_look(&b->w.store, 0));
	b->w.loaded = true;
	conf_net(c, "global", "127.0.0.1", NULL);
	assert_int_equal(plan_build(&b->w, &c->config, &c->node), 0);
}

static void test_passes_and_fails(void **state)
{
	static const char *const zones[] = {"a.", "b.", "c.", "d.", "e.", "f.", "g.", "h."};
	struct bed *b = *state;
	struct conf c = {0};
	bool seen[ARRAY_LEN(zones)] = {false};
	unsigned all = 0;

	for (size_t i = 0; i < ARRAY_LEN(zones); i++)
		put_zone(b, zones[i], 0, 1);
	put_zone(b, "nodata.", 0, 0);
	put_zone(b, "strange.", 5, 1);
	begin(b, &c);
	until(b, VERDICT_PASS);
	assert_int_equal(net_of(b, 0)->checks[0][0].verdict, VERDICT_PASS);
	assert_int_equal(net_of(b, 0)->checks[0][1].verdict, VERDICT_PASS);
	assert_true(net_of(b, 0)->checks[0][0].passes >= 3);
	assert_true(net_of(b, 0)->checks[0][1].latency_us > 0);
	assert_string_equal(net_of(b, 0)->why, "all 2 checks pass: 1 address over UDP and TCP");

	/* All zones of the network are asked for, and no others. */
	run_for_questions(b, 10);
	for (unsigned i = 0; i < b->seen_count; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(zones) && !name_equal(kit_name(zones[k]).wire, b->seen[i].wire))
			k++;
		assert_true(k < ARRAY_LEN(zones));
		all += !seen[k];
		seen[k] = true;
	}
	assert_int_equal(all, ARRAY_LEN(zones));
	assert_int_equal(b->asked_id, 0);

	/* One broken zone among eight: met once, asked again, failed; and failing as long as it is broken. */
	b->servfail = kit_name("e.");
	until(b, VERDICT_HARD);
	assert_non_null(strstr(net_of(b, 0)->why, "answered SERVFAIL for e, "));
	assert_non_null(strstr(net_of(b, 0)->why, "127.0.0.1 "));
	run_for_questions(b, 20);
	assert_int_equal(net_of(b, 0)->verdict, VERDICT_HARD);
	b->servfail.len = 0;
	until(b, VERDICT_PASS);

	/* Only TCP. */
	b->silent_tcp = true;
	until(b, VERDICT_HARD);
	assert_non_null(strstr(net_of(b, 0)->why, "127.0.0.1 TCP: no answer within 100 ms for "));
	assert_int_equal(net_of(b, 0)->checks[0][0].verdict, VERDICT_PASS);
	assert_int_equal(net_of(b, 0)->checks[0][1].verdict, VERDICT_HARD);
	b->silent_tcp = false;
	until(b, VERDICT_PASS);

	/* A serial that is not the zone's. */
	b->wrong = kit_name("c.");
	until(b, VERDICT_HARD);
	assert_non_null(strstr(net_of(b, 0)->why, "serial 6, expected 1 for c, "));
}

/* Zones that change with every few questions, come and go, never count as failures. */
static void test_changing_zones(void **state)
{
	struct bed *b = *state;
	struct conf c = {0};
	uint64_t generation;

	put_zone(b, "a.", 0, 1);
	begin(b, &c);
	until(b, VERDICT_PASS);
	for (uint32_t serial = 2; serial < 40; serial++) {
		put_zone(b, "a.", 0, serial);
		if (serial % 3 == 0)
			put_zone(b, "b.", 0, serial % 2 ? serial : 0);
		if (serial % 5 == 0) {
			assert_int_equal(store_remove_zone(b->writer, kit_name("b.").wire), 0);
			assert_int_equal(store_commit(b->writer, &generation), 0);
		}
		run_for_questions(b, 1);
	}
	if (net_of(b, 0)->verdict != VERDICT_PASS || net_of(b, 0)->checks[0][0].failures + net_of(b, 0)->checks[0][1].failures)
		fail_msg("%s: %s; udp %s tcp %s", board_verdict_text(net_of(b, 0)->verdict), net_of(b, 0)->why, check_of(b, 0, 0)->why,
		         check_of(b, 0, 1)->why);
}

/* A network without zones is asked for the node's name, until it has one. */
static void test_no_zones(void **state)
{
	struct bed *b = *state;
	struct conf c = {0};
	uint64_t generation;

	assert_int_equal(store_commit(b->writer, &generation), 0);
	begin(b, &c);
	until(b, VERDICT_PASS);
	assert_true(b->asked_id >= 6);
	assert_non_null(strstr(net_of(b, 0)->why, "no zones to ask for"));
	put_zone(b, "a.", 0, 1);
	run_for_questions(b, 3);
	assert_true(b->seen_count > 0);
	b->w.node = "ams";
	assert_int_equal(store_remove_zone(b->writer, kit_name("a.").wire), 0);
	assert_int_equal(store_commit(b->writer, &generation), 0);
	until(b, VERDICT_HARD);
	assert_non_null(strstr(net_of(b, 0)->why, "does not call itself ams for its own name"));
}

/* An SOA that is right and other records that are not. */
static void test_wrong_content(void **state)
{
	struct bed *b = *state;
	struct conf c = {0};

	put_zone(b, "a.", 0, 1);
	begin(b, &c);
	until(b, VERDICT_PASS);
	run_for_questions(b, 20);
	assert_true(b->asked_sets >= 5);
	assert_int_equal(net_of(b, 0)->verdict, VERDICT_PASS);
	b->wrong_content = true;
	until(b, VERDICT_HARD);
	assert_non_null(strstr(net_of(b, 0)->why, "not as in the zone for"));
	b->wrong_content = false;
	until(b, VERDICT_PASS);
}

/* Reloads while probes are under way: nothing is used after it is gone (a sanitizer's matter), verdict and checks go on. */
static void test_reload_under_way(void **state)
{
	struct bed *b = *state;
	struct conf with = {0}, without = {0}, more = {0};

	put_zone(b, "a.", 0, 1);
	begin(b, &with);
	until(b, VERDICT_PASS);
	b->silent_tcp = true;
	run_for_questions(b, 3);
	conf_net(&without, "other", "127.0.0.1", NULL);
	assert_int_equal(plan_build(&b->w, &without.config, &without.node), 0);
	run_for_questions(b, 3);
	conf_net(&more, "global", "127.0.0.1", "127.0.0.1");
	assert_int_equal(plan_build(&b->w, &with.config, &with.node), 0);
	b->silent_tcp = false;
	until(b, VERDICT_PASS);
}

/* Nothing is asked before the zones were loaded once. */
static void test_not_loaded(void **state)
{
	struct bed *b = *state;
	struct conf c = {0};
	uint64_t began;

	put_zone(b, "a.", 0, 1);
	begin(b, &c);
	b->w.loaded = false;
	for (began = clock_ms(); clock_ms() - began < 100;)
		uv_run(&b->w.loop, UV_RUN_ONCE);
	assert_int_equal(b->asked[0] + b->asked[1], 0);
	b->w.loaded = true;
	until(b, VERDICT_PASS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_build, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload_keeps_states, setup, teardown),
		cmocka_unit_test_setup_teardown(test_inherit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_passes_and_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changing_zones, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_zones, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_loaded, setup, teardown),
	};

	log_setup("test", LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
