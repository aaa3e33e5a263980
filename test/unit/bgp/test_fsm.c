/* SPDX-License-Identifier: BSD-2-Clause */
/* The state machine: each event in each state, the timers, what is said to a neighbor that is not the one configured. */
#include "bgp/fsm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { T0 = 1000000 };

static const struct bgp_fsm_conf conf = {
    .local_as = 64500,
    .peer_as = 64601,
    .router_id = 0x0a090002,
    .hold_s = 90,
    .families = BGP_IPV4 | BGP_IPV6,
};

static const struct bgp_open peer_open = {
    .as = 64601, .hold_s = 30, .id = 0x0a090001, .families = BGP_IPV4 | BGP_IPV6, .as4 = true, .route_refresh = true};

struct message {
	uint8_t bytes[BGP_MESSAGE_MAX];
	struct bgp_frame frame;
};

static struct message message_of(void (*write)(struct writer *, const void *), const void *arg)
{
	struct message m;
	struct writer w = writer_of(m.bytes, sizeof(m.bytes));
	struct bgp_notify bad;

	write(&w, arg);
	assert_int_equal(bgp_frame_parse(m.bytes, w.pos, &m.frame, &bad), BGP_FINE);
	return m;
}

static void write_open(struct writer *w, const void *arg)
{
	bgp_open_write(w, arg);
}
static void write_keepalive(struct writer *w, const void *arg)
{
	(void)arg;
	bgp_keepalive_write(w);
}
static void write_update(struct writer *w, const void *arg)
{
	size_t start = bgp_message_begin(w, BGP_UPDATE);

	(void)arg;
	writer_u32(w, 0);
	bgp_message_end(w, start);
}
static void write_notify(struct writer *w, const void *arg)
{
	bgp_notify_write(w, arg);
}
static void write_refresh(struct writer *w, const void *arg)
{
	bgp_refresh_write(w, *(const enum bgp_family *)arg);
}

/* The frame's body has to point into the copy that is alive. */
static void feed(struct bgp_fsm *f, struct message m, uint64_t now, struct bgp_actions *out)
{
	m.frame.body = m.bytes + BGP_HEADER_LEN;
	bgp_fsm_step(f, &(struct bgp_event){.type = BGP_EV_FRAME, .frame = &m.frame}, now, out);
}

static void step(struct bgp_fsm *f, enum bgp_event_type type, uint64_t now, struct bgp_actions *out)
{
	static const struct bgp_notify marker = {.code = BGP_ERR_HEADER, .subcode = BGP_HEADER_MARKER};

	bgp_fsm_step(f, &(struct bgp_event){.type = type, .subcode = 2, .text = "text", .notify = &marker}, now, out);
}

/* A machine brought to a state the ordinary way, at T0. */
static struct bgp_fsm at_state(enum bgp_state state, const struct bgp_fsm_conf *c, const struct bgp_open *open)
{
	struct bgp_actions a;
	struct bgp_fsm f;

	bgp_fsm_init(&f, c, T0);
	step(&f, BGP_EV_START, T0, &a);
	if (state >= BGP_OPEN_SENT)
		step(&f, BGP_EV_CONNECTED, T0, &a);
	if (state >= BGP_OPEN_CONFIRM)
		feed(&f, message_of(write_open, open), T0, &a);
	if (state >= BGP_ESTABLISHED)
		feed(&f, message_of(write_keepalive, NULL), T0, &a);
	if (state == BGP_IDLE)
		step(&f, BGP_EV_LOST, T0, &a); /* waiting for the next try */
	assert_int_equal(f.state, state);
	return f;
}

static const char *actions_text(const struct bgp_actions *a, char *buf)
{
	static const char *const names[] = {"connect", "open", "keepalive", "notify", "close", "up", "down", "refresh", "end-rival"};
	size_t pos = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < a->count; i++) {
		const struct bgp_action *x = &a->list[i];

		pos += (size_t)sprintf(buf + pos, "%s%s", i ? " " : "", names[x->type]);
		if (x->type == BGP_DO_NOTIFY)
			pos += (size_t)sprintf(buf + pos, " %u/%u", x->notify.code, x->notify.subcode);
		if (x->type == BGP_DO_REFRESH)
			pos += (size_t)sprintf(buf + pos, " %u", x->family);
	}
	return buf;
}

/* Every event in every state: the actions and the state after it. Idle is the one that waits for a retry. */
static void every_event_in_every_state(void **state)
{
	enum input { START, STOP, RESET, CONNECTED, LOST, OPEN, KEEPALIVE, UPDATE, NOTIFY, REFRESH, GARBAGE, WROTE, TICK, INPUTS };
	static const char *const names[INPUTS] = {"start", "stop", "reset", "connected", "lost", "open", "keepalive",
	                                          "update", "notify", "refresh", "garbage", "wrote", "tick"};
	static const struct {
		const char *actions;
		enum bgp_state next;
	} table[BGP_STATES][INPUTS] = {
	    [BGP_IDLE] = {{"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}},
	    [BGP_CONNECT] = {{"", 1}, {"close", 0}, {"close", 0}, {"open", 2}, {"close", 0}, {"", 1}, {"", 1}, {"", 1}, {"", 1},
	                     {"", 1}, {"", 1}, {"", 1}, {"", 1}},
	    [BGP_OPEN_SENT] = {{"", 2}, {"notify 6/2", 0}, {"notify 6/2", 0}, {"", 2}, {"close", 0}, {"keepalive", 3},
	                       {"notify 5/1", 0}, {"notify 5/1", 0}, {"close", 0}, {"notify 5/1", 0}, {"notify 1/1", 0},
	                       {"", 2}, {"", 2}},
	    [BGP_OPEN_CONFIRM] = {{"", 3}, {"notify 6/2", 0}, {"notify 6/2", 0}, {"", 3}, {"close", 0}, {"notify 5/2", 0},
	                          {"up", 4}, {"notify 5/2", 0}, {"close", 0}, {"notify 5/2", 0}, {"notify 1/1", 0},
	                          {"", 3}, {"", 3}},
	    [BGP_ESTABLISHED] = {{"", 4}, {"notify 6/2 down", 0}, {"notify 6/2 down", 0}, {"", 4}, {"close down", 0},
	                         {"notify 5/3 down", 0}, {"", 4}, {"", 4}, {"close down", 0}, {"refresh 2", 4},
	                         {"notify 1/1 down", 0}, {"", 4}, {"", 4}},
	};

	(void)state;
	for (unsigned s = 0; s < BGP_STATES; s++) {
		for (unsigned i = 0; i < INPUTS; i++) {
			struct bgp_fsm f = at_state((enum bgp_state)s, &conf, &peer_open);
			struct bgp_notify n = bgp_notify_of(BGP_ERR_CEASE, BGP_CEASE_RESET);
			enum bgp_family family = BGP_IPV6;
			struct bgp_actions a;
			uint64_t errors = f.errors;
			char text[200];

			switch ((enum input)i) {
			case START: step(&f, BGP_EV_START, T0 + 1, &a); break;
			case STOP: step(&f, BGP_EV_STOP, T0 + 1, &a); break;
			case RESET: step(&f, BGP_EV_RESET, T0 + 1, &a); break;
			case CONNECTED: step(&f, BGP_EV_CONNECTED, T0 + 1, &a); break;
			case LOST: step(&f, BGP_EV_LOST, T0 + 1, &a); break;
			case OPEN: feed(&f, message_of(write_open, &peer_open), T0 + 1, &a); break;
			case KEEPALIVE: feed(&f, message_of(write_keepalive, NULL), T0 + 1, &a); break;
			case UPDATE: feed(&f, message_of(write_update, NULL), T0 + 1, &a); break;
			case NOTIFY: feed(&f, message_of(write_notify, &n), T0 + 1, &a); break;
			case REFRESH: feed(&f, message_of(write_refresh, &family), T0 + 1, &a); break;
			case GARBAGE: step(&f, BGP_EV_GARBAGE, T0 + 1, &a); break;
			case WROTE: step(&f, BGP_EV_WROTE, T0 + 1, &a); break;
			case TICK: step(&f, BGP_EV_TICK, T0 + 1, &a); break;
			case INPUTS: break;
			}
			actions_text(&a, text);
			if (strcmp(text, table[s][i].actions) != 0 || f.state != table[s][i].next)
				fail_msg("%s in %s: \"%s\" to %s", names[i], bgp_state_text((enum bgp_state)s), text,
				         bgp_state_text(f.state));
			/* Stopped, no timer is left; else going to Idle always plans the next try. */
			if (i == STOP)
				assert_true(bgp_fsm_deadline(&f) == UINT64_MAX);
			else if (f.state == BGP_IDLE)
				assert_true(f.retry_at_ms >= T0 + BGP_RETRY_MIN_MS);
			/* What went wrong is said in words; an orderly stop is no error. */
			if (i == LOST || i == NOTIFY || i == GARBAGE || i == OPEN || i == KEEPALIVE || i == UPDATE ||
			    i == REFRESH)
				assert_int_equal(f.errors - errors, s != BGP_IDLE && f.state == BGP_IDLE);
			else
				assert_int_equal(f.errors, errors);
		}
	}
}

static void established_negotiates(void **state)
{
	struct bgp_fsm f = at_state(BGP_ESTABLISHED, &conf, &peer_open);

	(void)state;
	assert_int_equal(f.hold_s, 30);
	assert_int_equal(f.families, 3);
	assert_int_equal(f.established_count, 1);
	assert_int_equal(f.peer.id, 0x0a090001);
	assert_int_equal(f.hold_at_ms, T0 + 30000);
	assert_int_equal(f.wait_at_ms, 0);
	assert_string_equal(f.last_error, "");
}

static void open_judged(void **state)
{
	struct bgp_fsm_conf ibgp = conf, strict = conf, role = conf, v6only = conf;
	struct bgp_open other_as = peer_open, same_id = peer_open, v4only = peer_open, customer = peer_open, provider = peer_open;
	struct bgp_open internal = peer_open, high_as = peer_open;

	(void)state;
	ibgp.peer_as = ibgp.local_as;
	role.has_role = true;
	role.role = BGP_ROLE_CUSTOMER;
	strict = role;
	strict.role_strict = true;
	v6only.families = BGP_IPV6;
	other_as.as = 64602;
	high_as.as = 64601u | 0x10000u;
	same_id.id = internal.id = conf.router_id;
	internal.as = conf.local_as;
	v4only.families = BGP_IPV4;
	customer.has_role = provider.has_role = true;
	customer.role = BGP_ROLE_CUSTOMER;
	provider.role = BGP_ROLE_PROVIDER;

	const struct {
		const char *name;
		const struct bgp_fsm_conf *conf;
		const struct bgp_open *open;
		const char *actions;
		const char *error;
	} cases[] = {
	    {"fine", &conf, &peer_open, "keepalive", ""},
	    {"another AS", &conf, &other_as, "notify 2/2", "the peer says it is AS 64602, configured is AS 64601"},
	    {"an AS that differs above 16 bits", &conf, &high_as, "notify 2/2", "the peer says it is AS 130137, configured is AS 64601"},
	    {"our id over eBGP is fine (RFC 6286)", &conf, &same_id, "keepalive", ""},
	    {"our id over iBGP", &ibgp, &internal, "notify 2/3", "the peer has our own router id"},
	    {"one family is enough", &conf, &v4only, "keepalive", ""},
	    {"no family in common", &v6only, &v4only, "notify 2/7",
	     "the peer has none of the address families configured here"},
	    {"role not stated", &role, &peer_open, "keepalive", ""},
	    {"role not stated, strict", &strict, &peer_open, "notify 2/11", "the peer states no role"},
	    {"role goes with ours", &strict, &provider, "keepalive", ""},
	    {"role does not", &role, &customer, "notify 2/11", "the peer's role does not go with ours"},
	    {"role unasked", &conf, &customer, "keepalive", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bgp_fsm f = at_state(BGP_OPEN_SENT, cases[i].conf, NULL);
		struct bgp_actions a;
		char text[200];

		feed(&f, message_of(write_open, cases[i].open), T0 + 1, &a);
		if (strcmp(actions_text(&a, text), cases[i].actions) != 0 || strcmp(f.last_error, cases[i].error) != 0)
			fail_msg("%s: \"%s\", %s", cases[i].name, text, f.last_error);
	}
}

static void open_without_as4_is_refused(void **state)
{
	static const uint8_t body[] = {4, 0xfc, 0x59, 0, 90, 10, 9, 0, 1, 0};
	struct bgp_frame frame = {.type = BGP_OPEN, .body = body, .body_len = sizeof(body)};
	struct bgp_fsm f = at_state(BGP_OPEN_SENT, &conf, NULL);
	struct bgp_actions a;
	char text[100];

	(void)state;
	bgp_fsm_step(&f, &(struct bgp_event){.type = BGP_EV_FRAME, .frame = &frame}, T0, &a);
	assert_string_equal(actions_text(&a, text), "notify 2/7");
	assert_memory_equal(a.list[0].notify.data, "\x41\4\0\0\xfb\xf4", 6);
}

static void open_malformed_is_counted(void **state)
{
	static const uint8_t body[] = {4, 0xfc, 0x59, 0, 2, 10, 9, 0, 1, 0};
	struct bgp_frame frame = {.type = BGP_OPEN, .body = body, .body_len = sizeof(body)};
	struct bgp_fsm f = at_state(BGP_OPEN_SENT, &conf, NULL);
	struct bgp_actions a;
	char text[100];

	(void)state;
	bgp_fsm_step(&f, &(struct bgp_event){.type = BGP_EV_FRAME, .frame = &frame}, T0, &a);
	assert_string_equal(actions_text(&a, text), "notify 2/6");
	assert_int_equal(f.garbage, 1);
	assert_string_equal(f.last_error, "bad OPEN from the peer: 2/6 unacceptable hold time");
}

/* --- timers --- */

/* Runs ticks at each deadline up to `until`, counting keepalives; stops when the state changes. */
static unsigned run_until(struct bgp_fsm *f, uint64_t until, uint32_t random, struct bgp_actions *last, uint64_t *at)
{
	enum bgp_state before = f->state;
	unsigned keepalives = 0;

	last->count = 0;
	while (f->state == before && bgp_fsm_deadline(f) <= until) {
		*at = bgp_fsm_deadline(f);
		bgp_fsm_step(f, &(struct bgp_event){.type = BGP_EV_TICK, .random = random}, *at, last);
		for (unsigned i = 0; i < last->count; i++)
			keepalives += last->list[i].type == BGP_DO_KEEPALIVE;
	}
	return keepalives;
}

static void hold_timer(void **state)
{
	struct bgp_fsm f = at_state(BGP_ESTABLISHED, &conf, &peer_open);
	struct bgp_actions a;
	uint64_t at = 0;
	char text[100];

	(void)state;
	/* UPDATE and KEEPALIVE keep it alive (RFC 4271 8.2.2), ROUTE-REFRESH does not. */
	feed(&f, message_of(write_update, NULL), T0 + 10000, &a);
	assert_int_equal(f.hold_at_ms, T0 + 40000);
	feed(&f, message_of(write_keepalive, NULL), T0 + 20000, &a);
	assert_int_equal(f.hold_at_ms, T0 + 50000);
	feed(&f, message_of(write_refresh, &(enum bgp_family){BGP_IPV4}), T0 + 30000, &a);
	assert_int_equal(f.hold_at_ms, T0 + 50000);
	run_until(&f, T0 + 100000, 0, &a, &at);
	assert_int_equal(at, T0 + 50000);
	assert_string_equal(actions_text(&a, text), "notify 4/0 down");
	assert_string_equal(f.last_error, "hold timer expired: nothing from the peer within 30 s");
	assert_true(f.retry_at_ms >= at + BGP_RETRY_MIN_MS && f.retry_at_ms <= at + BGP_RETRY_MIN_MS + BGP_RETRY_SPAN_MS);
}

static void keepalive_timer_has_jitter(void **state)
{
	(void)state;
	for (uint32_t random = 0; random < 20000; random += 111) {
		struct bgp_fsm f = at_state(BGP_ESTABLISHED, &conf, &peer_open);
		struct bgp_actions a;
		uint64_t first = f.keepalive_at_ms, at = 0;
		unsigned n;

		bgp_fsm_step(&f, &(struct bgp_event){.type = BGP_EV_TICK, .random = random}, first, &a);
		assert_in_range(f.keepalive_at_ms - first, 7500, 10000);
		f = at_state(BGP_ESTABLISHED, &conf, &peer_open);
		n = run_until(&f, T0 + 29999, random, &a, &at);
		assert_in_range(n, 2, 3); /* at least two before a peer's hold timer */
	}
}

static void hold_zero_never_expires(void **state)
{
	struct bgp_open zero = peer_open;
	struct bgp_fsm f;

	(void)state;
	zero.hold_s = 0;
	f = at_state(BGP_ESTABLISHED, &conf, &zero);
	assert_int_equal(f.hold_s, 0);
	assert_true(bgp_fsm_deadline(&f) == UINT64_MAX);
	f = at_state(BGP_OPEN_CONFIRM, &conf, &zero); /* but an unanswered OPEN does */
	assert_int_equal(bgp_fsm_deadline(&f), T0 + BGP_OPEN_WAIT_MS);
}

static void waits_are_bounded(void **state)
{
	static const struct {
		enum bgp_state state;
		uint64_t after_ms;
		const char *actions;
	} cases[] = {
	    {BGP_CONNECT, BGP_CONNECT_WAIT_MS, "close"},
	    {BGP_OPEN_SENT, BGP_OPEN_WAIT_MS, "notify 4/0"},
	    {BGP_OPEN_CONFIRM, 30000, "notify 4/0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bgp_fsm f = at_state(cases[i].state, &conf, &peer_open);
		struct bgp_actions a;
		uint64_t at = 0;
		char text[100];

		run_until(&f, T0 + 1000000, 0, &a, &at);
		assert_int_equal(at, T0 + cases[i].after_ms);
		assert_string_equal(actions_text(&a, text), cases[i].actions);
		assert_true(f.last_error[0]);
		assert_int_equal(f.state, BGP_IDLE);
	}
}

static void retry_for_ever_without_growth(void **state)
{
	struct bgp_fsm f = at_state(BGP_IDLE, &conf, NULL);
	struct bgp_actions a;
	uint64_t now = T0;
	char text[100];

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		uint64_t at = bgp_fsm_deadline(&f);

		assert_in_range(at - now, BGP_RETRY_MIN_MS, BGP_RETRY_MIN_MS + BGP_RETRY_SPAN_MS);
		step(&f, BGP_EV_TICK, at, &a);
		assert_string_equal(actions_text(&a, text), "connect");
		now = at + 3;
		bgp_fsm_step(&f, &(struct bgp_event){.type = BGP_EV_LOST, .text = "refused", .random = i * 2654435761u}, now, &a);
	}
	assert_string_equal(f.last_error, "refused");
}

/* Only a Cease that is an operator's decision slows us down, and only the next try. */
static void retry_slows_down_for_an_operator(void **state)
{
	(void)state;
	for (unsigned code = 1; code <= 8; code++) {
		for (unsigned sub = 0; sub <= 10; sub++) {
			struct bgp_fsm f = at_state(BGP_ESTABLISHED, &conf, &peer_open);
			struct bgp_notify n = bgp_notify_of((uint8_t)code, (uint8_t)sub);
			bool slow = code == 6 && (sub == 1 || sub == 2 || sub == 3 || sub == 5);
			struct bgp_actions a;

			feed(&f, message_of(write_notify, &n), T0, &a);
			assert_int_equal(f.retry_at_ms, T0 + (slow ? BGP_RETRY_SLOW_MS : BGP_RETRY_MIN_MS));
			assert_int_equal(f.notify_in, 1);
			step(&f, BGP_EV_TICK, f.retry_at_ms, &a);
			step(&f, BGP_EV_LOST, T0 + 50000, &a);
			assert_int_equal(f.retry_at_ms, T0 + 50000 + BGP_RETRY_MIN_MS);
		}
	}
}

/* Of ours, only the one for too many prefixes: the peer will not have changed its mind in a second. */
static void retry_slows_down_after_too_many_prefixes(void **state)
{
	(void)state;
	for (uint8_t sub = 1; sub <= 10; sub++) {
		struct bgp_fsm f = at_state(BGP_ESTABLISHED, &conf, &peer_open);
		struct bgp_actions a;

		bgp_fsm_step(&f, &(struct bgp_event){.type = BGP_EV_RESET, .subcode = sub}, T0, &a);
		assert_int_equal(f.retry_at_ms, T0 + (sub == BGP_CEASE_MAX_PREFIXES ? BGP_RETRY_SLOW_MS : BGP_RETRY_MIN_MS));
	}
}

static void send_hold_timer(void **state)
{
	struct bgp_fsm f = at_state(BGP_ESTABLISHED, &conf, &peer_open);
	struct bgp_event stuck = {.type = BGP_EV_WROTE, .pending = 100};
	struct bgp_event moving = {.type = BGP_EV_WROTE, .pending = 100, .progress = true};
	struct bgp_event empty = {.type = BGP_EV_WROTE};
	struct bgp_actions a;
	char text[100];

	(void)state;
	bgp_fsm_step(&f, &stuck, T0 + 1000, &a);
	assert_int_equal(f.send_hold_at_ms, T0 + 1000 + BGP_SEND_HOLD_MIN_MS);
	bgp_fsm_step(&f, &stuck, T0 + 2000, &a); /* no progress: it goes on running */
	assert_int_equal(f.send_hold_at_ms, T0 + 1000 + BGP_SEND_HOLD_MIN_MS);
	bgp_fsm_step(&f, &moving, T0 + 3000, &a);
	assert_int_equal(f.send_hold_at_ms, T0 + 3000 + BGP_SEND_HOLD_MIN_MS);
	bgp_fsm_step(&f, &empty, T0 + 4000, &a);
	assert_int_equal(f.send_hold_at_ms, 0);
	bgp_fsm_step(&f, &stuck, T0 + 5000, &a);
	f.hold_at_ms = 0; /* the peer talks but does not listen */
	step(&f, BGP_EV_TICK, T0 + 5000 + BGP_SEND_HOLD_MIN_MS, &a);
	assert_string_equal(actions_text(&a, text), "notify 8/0 down");
	assert_string_equal(f.last_error, "send hold timer expired: the peer does not read what we send");
}

static void stop_and_reset_carry_text(void **state)
{
	struct bgp_fsm f = at_state(BGP_ESTABLISHED, &conf, &peer_open);
	struct bgp_actions a;

	(void)state;
	bgp_fsm_step(&f, &(struct bgp_event){.type = BGP_EV_STOP, .subcode = BGP_CEASE_SHUTDOWN, .text = "drain"}, T0 + 5, &a);
	assert_int_equal(a.list[0].notify.subcode, 2);
	assert_memory_equal(a.list[0].notify.data, "\5drain", 6);
	assert_false(f.enabled);
	assert_true(bgp_fsm_deadline(&f) == UINT64_MAX);
	assert_string_equal(f.last_error, "");

	step(&f, BGP_EV_START, T0 + 10, &a);
	assert_int_equal(f.state, BGP_CONNECT);

	f = at_state(BGP_ESTABLISHED, &conf, &peer_open);
	bgp_fsm_step(&f, &(struct bgp_event){.type = BGP_EV_RESET, .subcode = BGP_CEASE_BFD_DOWN}, T0 + 5, &a);
	assert_int_equal(a.list[0].notify.subcode, 10);
	assert_true(f.enabled);
	assert_int_equal(f.retry_at_ms, T0 + 5 + BGP_RETRY_MIN_MS);
}

/* A refresh is for negotiated families only. */
static void refresh_of_a_family_not_spoken(void **state)
{
	struct bgp_open v4only = peer_open;
	struct bgp_fsm f;
	struct bgp_actions a;

	(void)state;
	v4only.families = BGP_IPV4;
	f = at_state(BGP_ESTABLISHED, &conf, &v4only);
	feed(&f, message_of(write_refresh, &(enum bgp_family){BGP_IPV6}), T0 + 1, &a);
	assert_int_equal(a.count, 0);
	feed(&f, message_of(write_refresh, &(enum bgp_family){BGP_IPV4}), T0 + 1, &a);
	assert_int_equal(a.count, 1);
}

/* ---- the peer's connections, and two at once ---- */

static void passive_waits_and_takes(void **state)
{
	struct bgp_fsm_conf c = conf;
	struct bgp_actions a;
	struct bgp_fsm f;
	char text[200];

	(void)state;
	c.passive = true;
	bgp_fsm_init(&f, &c, T0);
	step(&f, BGP_EV_CONNECTED, T0, &a);
	assert_int_equal(f.state, BGP_IDLE); /* not before it is started */
	step(&f, BGP_EV_START, T0, &a);
	assert_int_equal(a.count, 0);
	assert_true(f.enabled && bgp_fsm_deadline(&f) == UINT64_MAX);
	step(&f, BGP_EV_CONNECTED, T0, &a);
	assert_string_equal(actions_text(&a, text), "open");
	step(&f, BGP_EV_CONNECTED, T0, &a);
	assert_int_equal(a.count, 0);
	feed(&f, message_of(write_open, &peer_open), T0, &a);
	assert_string_equal(actions_text(&a, text), "keepalive");
	feed(&f, message_of(write_keepalive, NULL), T0, &a);
	assert_string_equal(actions_text(&a, text), "up");
	step(&f, BGP_EV_LOST, T0, &a);
	assert_string_equal(actions_text(&a, text), "close down");
	assert_true(f.state == BGP_IDLE && f.enabled && !f.retry_at_ms); /* the peer will come again */
	step(&f, BGP_EV_CONNECTED, T0, &a);
	assert_int_equal(f.state, BGP_OPEN_SENT);
	step(&f, BGP_EV_TICK, T0 + BGP_OPEN_WAIT_MS, &a); /* one that connects and says nothing */
	assert_string_equal(actions_text(&a, text), "notify 4/0");
	step(&f, BGP_EV_STOP, T0, &a);
	step(&f, BGP_EV_CONNECTED, T0, &a);
	assert_int_equal(f.state, BGP_IDLE);
}

static void who_stays_of_two(void **state)
{
	/* Ours is 10.9.0.2 of AS 64500. */
	static const struct {
		const char *name;
		uint32_t peer_id, peer_as;
		bool ours;
	} ids[] = {
		{"their identifier is lower", 0x0a090001, 64601, true},
		{"their identifier is higher", 0x0a090003, 64601, false},
		{"as unsigned numbers", 0xc0000001, 64601, false},
		{"the same identifier, their AS is higher", 0x0a090002, 64601, false},
		{"the same identifier, their AS is lower", 0x0a090002, 64499, true},
	};
	/* What an OPEN does on the connection that ours or theirs is, where the other one stands. */
	static const struct {
		enum bgp_state rival;
		const char *stays, *goes;
	} rows[] = {
		{BGP_IDLE, "keepalive", "keepalive"},
		{BGP_CONNECT, "keepalive", "keepalive"},
		{BGP_OPEN_SENT, "keepalive", "keepalive"}, /* the rival's own OPEN will tell */
		{BGP_OPEN_CONFIRM, "end-rival keepalive", "notify 6/7"},
		{BGP_ESTABLISHED, "notify 6/7", "notify 6/7"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		assert_int_equal(bgp_collision_ours_stays(conf.router_id, conf.local_as, ids[i].peer_id, ids[i].peer_as), ids[i].ours);
		for (size_t k = 0; k < ARRAY_LEN(rows) * 2; k++) {
			bool passive = k & 1, stays = passive != ids[i].ours;
			struct bgp_open open = peer_open;
			struct bgp_fsm_conf c = conf;
			struct bgp_actions a;
			struct message m;
			struct bgp_fsm f;
			char text[200];

			c.passive = passive;
			c.peer_as = open.as = ids[i].peer_as;
			open.id = ids[i].peer_id;
			bgp_fsm_init(&f, &c, T0);
			step(&f, BGP_EV_START, T0, &a);
			step(&f, BGP_EV_CONNECTED, T0, &a);
			m = message_of(write_open, &open);
			m.frame.body = m.bytes + BGP_HEADER_LEN;
			bgp_fsm_step(&f, &(struct bgp_event){.type = BGP_EV_FRAME, .frame = &m.frame, .rival = rows[k / 2].rival}, T0, &a);
			if (strcmp(actions_text(&a, text), stays ? rows[k / 2].stays : rows[k / 2].goes) != 0)
				fail_msg("%s, %s, rival %s: %s", ids[i].name, passive ? "theirs" : "ours", bgp_state_text(rows[k / 2].rival), text);
		}
	}
}

static void beside_an_established_one(void **state)
{
	static const struct {
		enum bgp_state state;
		const char *actions;
	} rows[] = {{BGP_IDLE, ""}, {BGP_CONNECT, "close"}, {BGP_OPEN_SENT, "notify 6/7"}, {BGP_OPEN_CONFIRM, "notify 6/7"}};
	struct bgp_actions a;
	char text[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bgp_fsm f = at_state(rows[i].state, &conf, &peer_open);

		step(&f, BGP_EV_RIVAL_UP, T0, &a);
		assert_string_equal(actions_text(&a, text), rows[i].actions);
		assert_int_equal(f.state, BGP_IDLE);
		assert_true(f.enabled && bgp_fsm_deadline(&f) == UINT64_MAX);
		step(&f, BGP_EV_TICK, T0 + 100000, &a);
		assert_int_equal(a.count, 0);
		step(&f, BGP_EV_RIVAL_DOWN, T0 + 200000, &a);
		assert_int_equal(f.retry_at_ms, T0 + 200000 + BGP_RETRY_MIN_MS);
		step(&f, BGP_EV_STOP, T0 + 200000, &a);
		step(&f, BGP_EV_RIVAL_DOWN, T0 + 200000, &a);
		assert_true(bgp_fsm_deadline(&f) == UINT64_MAX); /* stopped is stopped */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_event_in_every_state),
	    cmocka_unit_test(established_negotiates),
	    cmocka_unit_test(open_judged),
	    cmocka_unit_test(open_without_as4_is_refused),
	    cmocka_unit_test(open_malformed_is_counted),
	    cmocka_unit_test(hold_timer),
	    cmocka_unit_test(keepalive_timer_has_jitter),
	    cmocka_unit_test(hold_zero_never_expires),
	    cmocka_unit_test(waits_are_bounded),
	    cmocka_unit_test(retry_for_ever_without_growth),
	    cmocka_unit_test(retry_slows_down_for_an_operator),
	    cmocka_unit_test(retry_slows_down_after_too_many_prefixes),
	    cmocka_unit_test(send_hold_timer),
	    cmocka_unit_test(stop_and_reset_carry_text),
	    cmocka_unit_test(refresh_of_a_family_not_spoken),
	    cmocka_unit_test(passive_waits_and_takes),
	    cmocka_unit_test(who_stays_of_two),
	    cmocka_unit_test(beside_an_established_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
