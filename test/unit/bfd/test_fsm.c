/* SPDX-License-Identifier: BSD-2-Clause */
/* The state machine: single steps as tables, and two of them on a simulated link with simulated time. */
#include "bfd/fsm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MS 1000000ULL
#define T0 (5000 * MS)

static const struct bfd_timers fast = {.interval_us = 50000, .multiplier = 3};
static const struct bfd_timers slow = {.interval_us = 300000, .multiplier = 3};

static struct bfd_packet packet(enum bfd_state state)
{
	return (struct bfd_packet){.state = (uint8_t)state,
	                           .multiplier = 3,
	                           .my_discriminator = 9,
	                           .your_discriminator = 7,
	                           .desired_tx_us = 50000,
	                           .required_rx_us = 50000};
}

/* A session that was brought to `state` by its neighbor's packets, with its Poll answered. */
static struct bfd_fsm in_state(enum bfd_state state)
{
	struct bfd_packet p = packet(BFD_DOWN);
	struct bfd_fsm f;

	bfd_fsm_init(&f, &fast, 7, T0, 0);
	if (state == BFD_ADMIN_DOWN)
		bfd_fsm_admin(&f, true, T0, 0);
	if (state >= BFD_INIT)
		bfd_fsm_receive(&f, &p, T0, 0);
	p.state = BFD_UP;
	p.final = true;
	if (state == BFD_UP) {
		bfd_fsm_receive(&f, &p, T0, 0);
		bfd_fsm_receive(&f, &p, T0, 0);
	}
	assert_int_equal(f.state, state);
	assert_int_equal(f.polling, 0);
	return f;
}

/* RFC 5880 6.2 and 6.8.6. */
static void test_received_states(void **state)
{
	static const struct {
		enum bfd_state from, heard, to;
		enum bfd_diag diag;
		enum bfd_why why;
		unsigned falls;
	} rows[] = {
		{BFD_DOWN, BFD_ADMIN_DOWN, BFD_DOWN, BFD_DIAG_NONE, BFD_WHY_START, 0},
		{BFD_DOWN, BFD_DOWN, BFD_INIT, BFD_DIAG_NONE, BFD_WHY_HANDSHAKE, 0},
		{BFD_DOWN, BFD_INIT, BFD_UP, BFD_DIAG_NONE, BFD_WHY_HANDSHAKE, 0},
		{BFD_DOWN, BFD_UP, BFD_DOWN, BFD_DIAG_NONE, BFD_WHY_START, 0},
		{BFD_INIT, BFD_ADMIN_DOWN, BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN, BFD_WHY_NEIGHBOR_ADMIN, 0},
		{BFD_INIT, BFD_DOWN, BFD_INIT, BFD_DIAG_NONE, BFD_WHY_HANDSHAKE, 0},
		{BFD_INIT, BFD_INIT, BFD_UP, BFD_DIAG_NONE, BFD_WHY_HANDSHAKE, 0},
		{BFD_INIT, BFD_UP, BFD_UP, BFD_DIAG_NONE, BFD_WHY_HANDSHAKE, 0},
		{BFD_UP, BFD_ADMIN_DOWN, BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN, BFD_WHY_NEIGHBOR_ADMIN, 0},
		{BFD_UP, BFD_DOWN, BFD_DOWN, BFD_DIAG_NEIGHBOR_DOWN, BFD_WHY_NEIGHBOR, 1},
		{BFD_UP, BFD_INIT, BFD_UP, BFD_DIAG_NONE, BFD_WHY_HANDSHAKE, 0},
		{BFD_UP, BFD_UP, BFD_UP, BFD_DIAG_NONE, BFD_WHY_HANDSHAKE, 0},
		{BFD_ADMIN_DOWN, BFD_DOWN, BFD_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN, BFD_WHY_ADMIN, 0},
		{BFD_ADMIN_DOWN, BFD_UP, BFD_ADMIN_DOWN, BFD_DIAG_ADMIN_DOWN, BFD_WHY_ADMIN, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_fsm f = in_state(rows[i].from);
		struct bfd_packet p = packet(rows[i].heard);
		uint64_t transitions = f.transitions;
		unsigned send = bfd_fsm_receive(&f, &p, T0 + 10 * MS, 1U << 31);

		if (f.state != rows[i].to || f.diag != rows[i].diag || f.why != rows[i].why || f.falls != rows[i].falls)
			fail_msg("row %zu: state %d diag %d why %d", i, f.state, f.diag, f.why);
		/* A change of state is told at once, and nothing else is. */
		assert_int_equal(send, rows[i].from == rows[i].to ? 0 : BFD_SEND);
		assert_int_equal(f.transitions, transitions + (rows[i].from != rows[i].to));
	}
}

/* Down after Up: a failure, unless the neighbor says it follows a Down of ours, which there was none of. */
static void test_neighbor_that_begins_anew(void **state)
{
	static const struct {
		enum bfd_diag diag;
		enum bfd_why why;
		unsigned falls;
	} rows[] = {
		{BFD_DIAG_NONE, BFD_WHY_NEIGHBOR, 1},
		{BFD_DIAG_TIMEOUT, BFD_WHY_NEIGHBOR, 1},
		{BFD_DIAG_NEIGHBOR_DOWN, BFD_WHY_RENEWED, 0},
		{BFD_DIAG_PATH_DOWN, BFD_WHY_NEIGHBOR, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_fsm f = in_state(BFD_UP);
		struct bfd_packet p = packet(BFD_DOWN);

		p.diag = (uint8_t)rows[i].diag;
		assert_int_equal(bfd_fsm_receive(&f, &p, T0 + MS, 0), BFD_SEND);
		assert_int_equal(f.state, BFD_DOWN);
		assert_int_equal(f.why, rows[i].why);
		assert_int_equal(f.falls, rows[i].falls);
	}
}

static void test_poll_is_answered_at_once(void **state)
{
	static const enum bfd_state all[] = {BFD_DOWN, BFD_INIT, BFD_UP};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct bfd_fsm f = in_state(all[i]);
		struct bfd_packet p = packet(BFD_UP), answer;
		uint64_t send_at = f.send_at_ns;

		p.poll = true;
		assert_true(bfd_fsm_receive(&f, &p, T0 + MS, 0) & BFD_SEND_FINAL);
		answer = bfd_fsm_packet(&f, true);
		assert_true(answer.final && !answer.poll);
		if (all[i] == BFD_UP)
			assert_int_equal(f.send_at_ns, send_at); /* beside the send timer */
	}
	/* 6.8.6: in AdminDown a packet is discarded before its Poll is looked at. */
	struct bfd_fsm f = in_state(BFD_ADMIN_DOWN);
	struct bfd_packet p = packet(BFD_DOWN);

	p.poll = true;
	assert_int_equal(bfd_fsm_receive(&f, &p, T0 + MS, 0), 0);
}

/* Packets only re-arm detection: a neighbor that is faster than we are must not keep us from sending. */
static void test_received_packets_do_not_delay_ours(void **state)
{
	struct bfd_fsm f = in_state(BFD_UP);
	struct bfd_packet p = packet(BFD_UP);
	uint64_t due = f.send_at_ns;

	(void)state;
	for (uint64_t now = T0; now < due; now += MS) {
		assert_int_equal(bfd_fsm_receive(&f, &p, now, UINT32_MAX), 0);
		assert_true(f.send_at_ns <= due);
	}
	assert_int_equal(bfd_fsm_tick(&f, due, 0), BFD_SEND);
}

static void test_jitter(void **state)
{
	static const struct {
		uint8_t multiplier;
		uint32_t random;
		uint64_t least_us, most_us;
	} rows[] = {{3, 0, 37500, 37500},
	            {3, UINT32_MAX, 49990, 50000},
	            {3, 1U << 31, 43740, 43750},
	            {1, 0, 37500, 37500},
	            {1, UINT32_MAX, 44990, 45000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bfd_fsm f = in_state(BFD_UP);
		uint64_t now = f.send_at_ns, gap_us;

		f.conf.multiplier = rows[i].multiplier;
		assert_int_equal(bfd_fsm_tick(&f, now, rows[i].random), BFD_SEND);
		gap_us = (f.send_at_ns - now) / 1000;
		if (gap_us < rows[i].least_us || gap_us > rows[i].most_us)
			fail_msg("row %zu: %u us", i, (unsigned)gap_us);
	}
}

static void test_intervals(void **state)
{
	struct bfd_fsm f = in_state(BFD_UP);
	struct bfd_packet p = packet(BFD_UP);

	(void)state;
	assert_int_equal(bfd_fsm_tx_us(&f), 50000);
	assert_int_equal(bfd_fsm_detect_us(&f), 150000);
	/* The neighbor cannot receive as fast: the greater one counts; it sends slower: detection takes longer. */
	p.required_rx_us = 200000;
	p.desired_tx_us = 120000;
	p.multiplier = 5;
	bfd_fsm_receive(&f, &p, T0 + MS, 0);
	assert_int_equal(bfd_fsm_tx_us(&f), 200000);
	assert_int_equal(bfd_fsm_detect_us(&f), 600000);
	/* It would send faster than we asked for: what we asked for counts. It wants packets faster than we offer: what we offer counts. */
	p.required_rx_us = 1000;
	p.desired_tx_us = 1000;
	p.multiplier = 3;
	bfd_fsm_receive(&f, &p, T0 + 2 * MS, 0);
	assert_int_equal(bfd_fsm_tx_us(&f), 50000);
	assert_int_equal(bfd_fsm_detect_us(&f), 150000);
	/* The most the wire can say does not overflow. */
	p.desired_tx_us = p.required_rx_us = UINT32_MAX;
	p.multiplier = 255;
	bfd_fsm_receive(&f, &p, T0 + 3 * MS, UINT32_MAX);
	assert_true(bfd_fsm_detect_us(&f) == 255ULL * UINT32_MAX);
	assert_true(bfd_fsm_deadline(&f) > T0);
}

/* Once the neighbor takes packets faster, the pending slow one does not hold us back. */
static void test_becoming_up_hastens(void **state)
{
	struct bfd_fsm f;
	struct bfd_packet p = packet(BFD_INIT);

	(void)state;
	bfd_fsm_init(&f, &fast, 7, T0, UINT32_MAX);
	assert_true(f.send_at_ns > T0 + 990 * MS);
	assert_int_equal(bfd_fsm_receive(&f, &p, T0 + MS, 1U << 31), BFD_SEND);
	assert_int_equal(f.state, BFD_UP);
	assert_true(f.send_at_ns <= T0 + 51 * MS);
	p = bfd_fsm_packet(&f, false);
	assert_true(p.poll && p.state == BFD_UP && p.desired_tx_us == 50000 && p.your_discriminator == 9);
}

static void test_slow_while_not_up(void **state)
{
	static const enum bfd_state all[] = {BFD_ADMIN_DOWN, BFD_DOWN, BFD_INIT};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct bfd_fsm f = in_state(all[i]);

		assert_int_equal(bfd_fsm_packet(&f, false).desired_tx_us, BFD_SLOW_US);
		assert_int_equal(bfd_fsm_packet(&f, false).required_rx_us, 50000);
		assert_int_equal(bfd_fsm_tx_us(&f), BFD_SLOW_US);
	}
}

static void test_timeout(void **state)
{
	struct bfd_fsm f = in_state(BFD_UP);
	struct bfd_packet p;
	uint64_t dead = T0 + 150 * MS;

	(void)state;
	f.send_at_ns = UINT64_MAX - 1;
	assert_int_equal(bfd_fsm_deadline(&f), dead);
	assert_int_equal(bfd_fsm_tick(&f, dead - 1, 0), 0);
	assert_int_equal(f.state, BFD_UP);
	assert_int_equal(bfd_fsm_tick(&f, dead, 0), BFD_SEND);
	assert_int_equal(f.state, BFD_DOWN);
	assert_int_equal(f.falls, 1);
	p = bfd_fsm_packet(&f, false);
	assert_int_equal(p.diag, BFD_DIAG_TIMEOUT);
	assert_int_equal(p.your_discriminator, 0); /* 6.8.1 */
	assert_int_equal(p.desired_tx_us, BFD_SLOW_US);
	assert_false(p.poll);
	assert_int_equal(bfd_fsm_detect_us(&f), 0);
	/* Init: nothing was Up, so nothing fell. */
	f = in_state(BFD_INIT);
	bfd_fsm_tick(&f, T0 + 5000 * MS, 0);
	assert_int_equal(f.state, BFD_DOWN);
	assert_int_equal(f.why, BFD_WHY_TIMEOUT);
	assert_int_equal(f.falls, 0);
}

static void test_timers_change_by_poll(void **state)
{
	struct bfd_fsm f = in_state(BFD_UP);
	struct bfd_packet p = packet(BFD_UP), ours;

	(void)state;
	/* Slower: sent and listened for as before until the Final. */
	bfd_fsm_set(&f, &slow, T0 + MS, 0);
	ours = bfd_fsm_packet(&f, false);
	assert_true(ours.poll && ours.desired_tx_us == 300000 && ours.required_rx_us == 300000);
	assert_int_equal(bfd_fsm_tx_us(&f), 50000);
	assert_int_equal(bfd_fsm_detect_us(&f), 900000); /* longer counts at once */
	/* Changed again meanwhile: the Final may be the answer to the first Poll, so one more is needed. */
	bfd_fsm_set(&f, &(struct bfd_timers){100000, 3}, T0 + 2 * MS, 0);
	p.final = true;
	bfd_fsm_receive(&f, &p, T0 + 3 * MS, 0);
	assert_true(bfd_fsm_packet(&f, false).poll);
	assert_int_equal(bfd_fsm_tx_us(&f), 50000);
	assert_int_equal(bfd_fsm_detect_us(&f), 900000);
	bfd_fsm_receive(&f, &p, T0 + 4 * MS, 0);
	assert_false(bfd_fsm_packet(&f, false).poll);
	assert_int_equal(bfd_fsm_tx_us(&f), 100000);
	assert_int_equal(bfd_fsm_detect_us(&f), 300000);
	/* Faster: sent so at once, listened for after the Final. */
	bfd_fsm_set(&f, &fast, T0 + 5 * MS, 0);
	assert_int_equal(bfd_fsm_tx_us(&f), 50000);
	assert_int_equal(bfd_fsm_detect_us(&f), 300000);
	bfd_fsm_receive(&f, &p, T0 + 6 * MS, 0);
	assert_int_equal(bfd_fsm_detect_us(&f), 150000);
	/* The same again: nothing to agree on. A Final nobody asked for changes nothing. */
	bfd_fsm_set(&f, &fast, T0 + 7 * MS, 0);
	assert_false(bfd_fsm_packet(&f, false).poll);
	bfd_fsm_receive(&f, &p, T0 + 8 * MS, 0);
	assert_int_equal(f.polling, 0);
}

static void test_demand_and_silence(void **state)
{
	struct bfd_fsm f = in_state(BFD_UP);
	struct bfd_packet p = packet(BFD_UP);

	(void)state;
	p.demand = true;
	bfd_fsm_receive(&f, &p, T0 + MS, 0);
	assert_int_equal(bfd_fsm_tick(&f, T0 + 60 * MS, 0), 0);
	assert_int_equal(bfd_fsm_deadline(&f), T0 + 151 * MS); /* it still has to be heard */
	bfd_fsm_set(&f, &slow, T0 + 61 * MS, 0);               /* a Poll goes out all the same */
	assert_int_equal(bfd_fsm_tick(&f, T0 + 120 * MS, 0), BFD_SEND);
	/* Required Min RX 0: nothing periodic at all. A Poll is answered, still. */
	f = in_state(BFD_UP);
	p = packet(BFD_UP);
	p.required_rx_us = 0;
	p.poll = true;
	assert_int_equal(bfd_fsm_receive(&f, &p, T0 + MS, 0), BFD_SEND_FINAL);
	assert_int_equal(bfd_fsm_tick(&f, T0 + 100 * MS, 0), 0);
	/* When it is silent for the detection time that is forgotten, and it is looked for again. */
	bfd_fsm_tick(&f, T0 + 160 * MS, 0);
	assert_int_equal(f.state, BFD_DOWN);
	assert_int_equal(bfd_fsm_tick(&f, T0 + 1200 * MS, 0), BFD_SEND);
}

static void test_admin_down(void **state)
{
	struct bfd_fsm f = in_state(BFD_UP);
	struct bfd_packet p;

	(void)state;
	assert_int_equal(bfd_fsm_admin(&f, true, T0 + MS, 0), BFD_SEND);
	assert_int_equal(bfd_fsm_admin(&f, true, T0 + MS, 0), 0);
	p = bfd_fsm_packet(&f, false);
	assert_true(p.state == BFD_ADMIN_DOWN && p.diag == BFD_DIAG_ADMIN_DOWN && p.desired_tx_us == BFD_SLOW_US);
	assert_int_equal(f.falls, 0);
	assert_int_equal(bfd_fsm_tick(&f, T0 + 2000 * MS, 0), BFD_SEND); /* and goes on saying so */
	assert_int_equal(bfd_fsm_admin(&f, false, T0 + 2001 * MS, 0), BFD_SEND);
	p = packet(BFD_DOWN);
	bfd_fsm_receive(&f, &p, T0 + 2002 * MS, 0);
	assert_int_equal(f.state, BFD_INIT);
}

static void test_held(void **state)
{
	struct bfd_fsm f = in_state(BFD_UP);
	struct bfd_packet p = packet(BFD_DOWN);

	(void)state;
	assert_int_equal(bfd_fsm_hold(&f, true, T0 + MS, 0), BFD_SEND);
	assert_int_equal(bfd_fsm_packet(&f, false).state, BFD_DOWN);
	assert_int_equal(bfd_fsm_packet(&f, false).diag, BFD_DIAG_PATH_DOWN);
	assert_int_equal(f.falls, 0); /* the path is well */
	for (int i = BFD_ADMIN_DOWN; i <= BFD_UP; i++) {
		p.state = (uint8_t)i;
		p.poll = i & 1;
		assert_int_equal(bfd_fsm_receive(&f, &p, T0 + 2 * MS, 0), 0); /* not even a Final */
		assert_int_equal(f.state, BFD_DOWN);
	}
	assert_int_equal(bfd_fsm_tick(&f, T0 + 1100 * MS, 0), BFD_SEND); /* the neighbor hears it again and again */
	assert_int_equal(bfd_fsm_packet(&f, false).diag, BFD_DIAG_PATH_DOWN);
	assert_int_equal(bfd_fsm_hold(&f, false, T0 + 1200 * MS, 0), 0);
	p.state = BFD_INIT;
	bfd_fsm_receive(&f, &p, T0 + 1201 * MS, 0);
	assert_int_equal(f.state, BFD_UP);
	/* Taken down by the operator while held, and up again: still held. */
	bfd_fsm_hold(&f, true, T0 + 1300 * MS, 0);
	bfd_fsm_admin(&f, true, T0 + 1301 * MS, 0);
	bfd_fsm_admin(&f, false, T0 + 1302 * MS, 0);
	bfd_fsm_receive(&f, &p, T0 + 1303 * MS, 0);
	assert_int_equal(f.state, BFD_DOWN);
}

/* ---- two of them ---- */

enum { WIRE = 64 };
struct link {
	struct bfd_fsm end[2];
	struct {
		uint64_t at_ns;
		struct bfd_packet packet;
	} wire[2][WIRE]; /* towards end i */
	size_t count[2];
	uint64_t sent[2], delay_ns, now_ns;
	unsigned loss[2]; /* percent of what is sent to end i */
	uint32_t random;
};

static uint32_t draw(struct link *l)
{
	l->random = l->random * 1664525U + 1013904223U;
	return l->random;
}

static void launch(struct link *l, int from, unsigned what)
{
	int to = !from;

	for (int final = 1; final >= 0; final--) {
		if (!(what & (final ? BFD_SEND_FINAL : BFD_SEND)))
			continue;
		l->sent[from]++;
		if ((draw(l) >> 8) % 100 < l->loss[to])
			continue;
		assert_true(l->count[to] < WIRE);
		l->wire[to][l->count[to]].at_ns = l->now_ns + l->delay_ns;
		l->wire[to][l->count[to]++].packet = bfd_fsm_packet(&l->end[from], final);
	}
}

static void deliver(struct link *l, int to)
{
	while (l->count[to] && l->wire[to][0].at_ns <= l->now_ns) {
		struct bfd_packet p = l->wire[to][0].packet, seen;
		uint8_t octets[BFD_PACKET_LEN];

		memmove(&l->wire[to][0], &l->wire[to][1], --l->count[to] * sizeof(l->wire[to][0]));
		bfd_packet_write(&p, octets);
		assert_int_equal(bfd_packet_read(octets, sizeof(octets), &seen), BFD_FINE);
		assert_true(!p.your_discriminator || p.your_discriminator == l->end[to].my_discriminator);
		launch(l, to, bfd_fsm_receive(&l->end[to], &p, l->now_ns, draw(l)));
	}
}

static void run(struct link *l, uint64_t ms)
{
	for (uint64_t end = l->now_ns + ms * MS; l->now_ns < end; l->now_ns += MS / 4)
		for (int i = 0; i < 2; i++) {
			deliver(l, i);
			if (bfd_fsm_deadline(&l->end[i]) <= l->now_ns)
				launch(l, i, bfd_fsm_tick(&l->end[i], l->now_ns, draw(l)));
		}
}

static void connect(struct link *l, const struct bfd_timers *a, const struct bfd_timers *b, uint32_t seed)
{
	memset(l, 0, sizeof(*l));
	l->now_ns = T0;
	l->random = seed;
	l->delay_ns = MS;
	bfd_fsm_init(&l->end[0], a, 1001, T0, draw(l));
	bfd_fsm_init(&l->end[1], b, 2002, T0, draw(l));
}

static bool both_up(const struct link *l)
{
	return l->end[0].state == BFD_UP && l->end[1].state == BFD_UP;
}

static void test_two_come_up(void **state)
{
	static struct link l;

	(void)state;
	for (uint32_t seed = 0; seed < 200; seed++) {
		uint64_t transitions;

		connect(&l, &fast, seed & 1 ? &slow : &fast, seed);
		run(&l, 2500);
		assert_true(both_up(&l));
		assert_false(l.end[0].polling || l.end[1].polling);
		assert_int_equal(bfd_fsm_tx_us(&l.end[0]), seed & 1 ? 300000 : 50000);
		assert_int_equal(bfd_fsm_detect_us(&l.end[1]), seed & 1 ? 900000 : 150000);
		/* A day of it would be too long for a test; a minute without a flap, and at the rate agreed on. */
		transitions = l.end[0].transitions + l.end[1].transitions;
		assert_in_range(transitions, 3, 4);
		l.sent[0] = 0;
		run(&l, 60000);
		assert_int_equal(l.end[0].transitions + l.end[1].transitions, transitions);
		assert_in_range(l.sent[0], seed & 1 ? 200 : 1200, seed & 1 ? 270 : 1610);
	}
}

static void test_two_lose_each_other(void **state)
{
	static struct link l;

	(void)state;
	for (uint32_t seed = 0; seed < 200; seed++) {
		uint64_t cut;

		connect(&l, &fast, &fast, seed);
		run(&l, 2500);
		/* One way only: who does not hear any more says so, and the other one follows within a packet. */
		l.loss[0] = 100;
		cut = l.now_ns;
		run(&l, 155);
		assert_int_equal(l.end[0].state, BFD_DOWN);
		assert_int_equal(l.end[1].state, BFD_DOWN);
		assert_int_equal(l.end[0].why, BFD_WHY_TIMEOUT);
		assert_int_equal(l.end[1].why, BFD_WHY_NEIGHBOR);
		assert_true(l.end[0].since_ns - cut >= 98 * MS && l.end[0].since_ns - cut <= 153 * MS);
		assert_int_equal(l.end[0].falls + l.end[1].falls, 2);
		run(&l, 10000);
		assert_true(l.end[0].state != BFD_UP && l.end[1].state != BFD_UP);
		l.loss[0] = 0;
		run(&l, 3500);
		assert_true(both_up(&l));
		/* Both ways. */
		l.loss[0] = l.loss[1] = 100;
		run(&l, 155);
		assert_true(l.end[0].state == BFD_DOWN && l.end[1].state == BFD_DOWN);
		l.loss[0] = l.loss[1] = 0;
		run(&l, 3500);
		assert_true(both_up(&l));
	}
}

/* One begins anew with another discriminator; the other one sees its Down and follows. */
static void test_restart(void **state)
{
	static struct link l;

	(void)state;
	connect(&l, &fast, &slow, 5);
	run(&l, 2500);
	assert_true(both_up(&l));
	l.count[0] = l.count[1] = 0;
	bfd_fsm_init(&l.end[0], &fast, 1003, l.now_ns, draw(&l));
	/* What is sent with the old discriminator is dropped by whoever looks sessions up. */
	for (int i = 0; i < 60000; i++) {
		run(&l, 0);
		l.now_ns += MS / 4;
		for (size_t k = 0; k < l.count[0];) {
			if (l.wire[0][k].packet.your_discriminator != 1003 && l.wire[0][k].packet.your_discriminator)
				memmove(&l.wire[0][k], &l.wire[0][k + 1], (--l.count[0] - k) * sizeof(l.wire[0][0]));
			else
				k++;
		}
		for (int e = 0; e < 2; e++) {
			deliver(&l, e);
			if (bfd_fsm_deadline(&l.end[e]) <= l.now_ns)
				launch(&l, e, bfd_fsm_tick(&l.end[e], l.now_ns, draw(&l)));
		}
		if (both_up(&l))
			break;
	}
	assert_true(both_up(&l));
	assert_int_equal(l.end[1].falls, 1);
	assert_true(l.now_ns < T0 + 8000 * MS);
}

/* Packets are lost at random: three in a row seldom are, and it always comes back. */
static void test_loss(void **state)
{
	static struct link l;

	(void)state;
	for (uint32_t seed = 0; seed < 20; seed++) {
		connect(&l, &fast, &fast, seed);
		l.loss[0] = l.loss[1] = 30;
		run(&l, 60000);
		bfd_fsm_set(&l.end[0], &slow, l.now_ns, draw(&l));
		run(&l, 20000);
		bfd_fsm_set(&l.end[0], &fast, l.now_ns, draw(&l));
		l.loss[0] = l.loss[1] = 0;
		run(&l, 6000);
		assert_true(both_up(&l));
		assert_false(l.end[0].polling || l.end[1].polling);
		assert_int_equal(bfd_fsm_tx_us(&l.end[1]), 50000);
		assert_int_equal(bfd_fsm_detect_us(&l.end[0]), 150000);
	}
}

/* New timers on a running session: neither side falls, whichever way they change. */
static void test_timers_change_without_a_fall(void **state)
{
	static const struct bfd_timers steps[] = {{300000, 3}, {50000, 3}, {1000000, 2}, {10000, 5},
	                                          {60000, 3},  {10000, 3}, {300000, 1},  {50000, 3}};
	static struct link l;

	(void)state;
	for (uint32_t seed = 0; seed < 50; seed++) {
		connect(&l, &fast, &fast, seed);
		run(&l, 2500);
		for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
			bfd_fsm_set(&l.end[i & 1], &steps[i], l.now_ns, draw(&l));
			run(&l, 3000);
			assert_true(both_up(&l));
			assert_int_equal(l.end[0].falls + l.end[1].falls, 0);
			assert_false(l.end[0].polling || l.end[1].polling);
		}
	}
}

static void test_held_neighbor_follows_and_returns(void **state)
{
	static struct link l;

	(void)state;
	connect(&l, &fast, &slow, 3);
	run(&l, 2500);
	launch(&l, 0, bfd_fsm_hold(&l.end[0], true, l.now_ns, draw(&l)));
	run(&l, 3); /* one packet */
	assert_int_equal(l.end[1].state, BFD_DOWN);
	assert_int_equal(l.end[1].remote_diag, BFD_DIAG_PATH_DOWN);
	run(&l, 20000);
	assert_true(l.end[0].state == BFD_DOWN && l.end[1].state != BFD_UP);
	launch(&l, 0, bfd_fsm_hold(&l.end[0], false, l.now_ns, draw(&l)));
	run(&l, 2500);
	assert_true(both_up(&l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_received_states),
		cmocka_unit_test(test_poll_is_answered_at_once),
		cmocka_unit_test(test_neighbor_that_begins_anew),
		cmocka_unit_test(test_received_packets_do_not_delay_ours),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_becoming_up_hastens),
		cmocka_unit_test(test_slow_while_not_up),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_timers_change_by_poll),
		cmocka_unit_test(test_demand_and_silence),
		cmocka_unit_test(test_admin_down),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_two_come_up),
		cmocka_unit_test(test_two_lose_each_other),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_timers_change_without_a_fall),
		cmocka_unit_test(test_held_neighbor_follows_and_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
