/* SPDX-License-Identifier: BSD-2-Clause */
/* The state machine of RFC 5880 6.8. Three points where implementations differ:
 * - A received packet re-arms the detection timer and nothing else. The send timer is only ever moved nearer, when the interval has become
 *   shorter than what is left; a Final leaves beside it.
 * - A Poll Sequence runs when timers change while Up, or by becoming Up. Elsewhere packets go once a second and each tells the timers.
 * - A slower interval of ours, and a shorter detection time, count only after the Final. */
#include "bfd/fsm.h"

#define NEVER UINT64_MAX
#define US    1000ULL

const char *bfd_why_text(enum bfd_why why)
{
	static const char *const texts[] = {"just started",
	                                    "the neighbor answers",
	                                    "nothing was heard from the neighbor for the detection time",
	                                    "the neighbor says it is down",
	                                    "the neighbor began its session anew",
	                                    "the neighbor was taken down by its operator",
	                                    "this node cannot answer, so it must not look alive",
	                                    "taken down here"};

	return why < ARRAY_LEN(texts) ? texts[why] : "?";
}

uint64_t bfd_fsm_tx_us(const struct bfd_fsm *f)
{
	return MAX(f->effective_tx_us, f->remote_rx_us);
}

uint64_t bfd_fsm_detect_us(const struct bfd_fsm *f)
{
	return f->your_discriminator ? (uint64_t)f->remote_multiplier * MAX(f->effective_rx_us, f->remote_tx_us) : 0;
}

/* 6.8.7: 75 to 100 % of the interval; no more than 90 % where a single packet decides. */
static uint64_t jittered_ns(const struct bfd_fsm *f, uint32_t random)
{
	uint64_t ns = bfd_fsm_tx_us(f) * US, span = ns / 100 * (f->conf.multiplier == 1 ? 15 : 25);

	return ns - ns / 4 + (span * (random >> 16) >> 16);
}

/* 6.8.7: nothing at all for who wants nothing, and nothing periodic for who demands, but in a Poll Sequence. */
static bool silent(const struct bfd_fsm *f)
{
	return !f->remote_rx_us || (f->remote_demand && f->state == BFD_UP && f->remote_state == BFD_UP && !f->polling);
}

/* The interval may be another: a shorter one counts from the last packet on. */
static void hasten(struct bfd_fsm *f, uint64_t now_ns, uint32_t random)
{
	uint64_t at = f->sent_ns + jittered_ns(f, random);

	if (at < f->send_at_ns)
		f->send_at_ns = MAX(at, now_ns);
}

/* The timers to be told in this state. */
static void tell(struct bfd_fsm *f)
{
	uint32_t rx = f->conf.interval_us, tx = f->state == BFD_UP ? rx : MAX(rx, (uint32_t)BFD_SLOW_US);

	if (f->state == BFD_UP && (tx != f->desired_tx_us || rx != f->required_rx_us)) {
		f->polling = f->polling ? 2 : 1;
		f->effective_tx_us = MIN(f->effective_tx_us, tx);
		f->effective_rx_us = MAX(f->effective_rx_us, rx);
	} else if (f->state != BFD_UP) {
		f->polling = 0;
		f->effective_tx_us = tx;
		f->effective_rx_us = rx;
	}
	f->desired_tx_us = tx;
	f->required_rx_us = rx;
}

static unsigned become(struct bfd_fsm *f, enum bfd_state to, enum bfd_why why, enum bfd_diag diag, uint64_t now_ns)
{
	if (f->state == BFD_UP && (why == BFD_WHY_TIMEOUT || why == BFD_WHY_NEIGHBOR))
		f->falls++;
	f->state = (uint8_t)to;
	f->why = (uint8_t)why;
	f->diag = (uint8_t)diag;
	f->since_ns = now_ns;
	f->transitions++;
	tell(f);
	return BFD_SEND;
}

static void forget(struct bfd_fsm *f)
{
	f->your_discriminator = 0;
	f->remote_state = BFD_DOWN;
	f->remote_rx_us = 1; /* 6.8.1: its first value */
	f->remote_tx_us = 0;
	f->remote_multiplier = 0;
	f->remote_demand = false;
}

void bfd_fsm_init(struct bfd_fsm *f, const struct bfd_timers *conf, uint32_t discriminator, uint64_t now_ns,
                  uint32_t random)
{
	*f = (struct bfd_fsm){.conf = *conf,
	                      .state = BFD_DOWN,
	                      .my_discriminator = discriminator,
	                      .since_ns = now_ns,
	                      .sent_ns = now_ns};
	forget(f);
	tell(f);
	f->send_at_ns = now_ns + (uint64_t)(random >> 16) * (BFD_SLOW_US * US >> 16);
}

/* 6.8.6, from "set bfd.RemoteSessionState" to the state's change. */
static unsigned follow(struct bfd_fsm *f, uint64_t now_ns)
{
	if (f->remote_state == BFD_ADMIN_DOWN)
		return f->state == BFD_DOWN
		               ? 0
		               : become(f, BFD_DOWN, BFD_WHY_NEIGHBOR_ADMIN, BFD_DIAG_NEIGHBOR_DOWN, now_ns);
	if (f->held)
		return 0;
	switch ((enum bfd_state)f->state) {
	case BFD_DOWN:
		if (f->remote_state == BFD_DOWN)
			return become(f, BFD_INIT, BFD_WHY_HANDSHAKE, BFD_DIAG_NONE, now_ns);
		return f->remote_state == BFD_INIT ? become(f, BFD_UP, BFD_WHY_HANDSHAKE, BFD_DIAG_NONE, now_ns) : 0;
	case BFD_INIT:
		return f->remote_state >= BFD_INIT ? become(f, BFD_UP, BFD_WHY_HANDSHAKE, BFD_DIAG_NONE, now_ns) : 0;
	case BFD_UP:
		if (f->remote_state != BFD_DOWN)
			return 0;
		return become(f, BFD_DOWN,
		              f->remote_diag == BFD_DIAG_NEIGHBOR_DOWN ? BFD_WHY_RENEWED : BFD_WHY_NEIGHBOR,
		              BFD_DIAG_NEIGHBOR_DOWN, now_ns);
	case BFD_ADMIN_DOWN:
		break;
	}
	return 0;
}

static void confirmed(struct bfd_fsm *f)
{
	if (--f->polling)
		return;
	f->effective_tx_us = f->desired_tx_us;
	f->effective_rx_us = f->required_rx_us;
}

unsigned bfd_fsm_receive(struct bfd_fsm *f, const struct bfd_packet *p, uint64_t now_ns, uint32_t random)
{
	unsigned send;

	f->your_discriminator = p->my_discriminator;
	f->remote_state = p->state;
	f->remote_diag = p->diag;
	f->remote_demand = p->demand;
	f->remote_rx_us = p->required_rx_us;
	f->remote_tx_us = p->desired_tx_us;
	f->remote_multiplier = p->multiplier;
	f->heard_ns = now_ns;
	if (p->final && f->polling)
		confirmed(f);
	if (f->admin) /* 6.8.6: nothing else is heard in AdminDown */
		return 0;
	send = follow(f, now_ns);
	if (send)
		f->send_at_ns = now_ns + jittered_ns(f, random), f->sent_ns = now_ns;
	else
		hasten(f, now_ns, random);
	if (!f->remote_rx_us)
		send = 0;
	/* Who is held does not even answer polls: BIRD sends one as it goes Down, would take the Final, which says Down, for the begin of a new session, and be
	 * in Init before its BGP has looked and seen it Down. */
	return send | (p->poll && !f->held ? BFD_SEND_FINAL : 0);
}

static uint64_t detect_at_ns(const struct bfd_fsm *f)
{
	return f->your_discriminator ? f->heard_ns + bfd_fsm_detect_us(f) * US : NEVER;
}

uint64_t bfd_fsm_deadline(const struct bfd_fsm *f)
{
	return MIN(detect_at_ns(f), silent(f) ? NEVER : f->send_at_ns);
}

/* A packet leaves now; the next one follows after the interval that holds then. */
static unsigned send_now(struct bfd_fsm *f, uint64_t now_ns, uint32_t random)
{
	f->sent_ns = now_ns;
	f->send_at_ns = now_ns + jittered_ns(f, random);
	return silent(f) ? 0 : BFD_SEND;
}

unsigned bfd_fsm_tick(struct bfd_fsm *f, uint64_t now_ns, uint32_t random)
{
	bool changed = false;

	if (now_ns >= detect_at_ns(f)) {
		forget(f);
		if (f->state == BFD_INIT || f->state == BFD_UP)
			changed = become(f, BFD_DOWN, BFD_WHY_TIMEOUT, BFD_DIAG_TIMEOUT, now_ns);
	}
	if (changed)
		return send_now(f, now_ns, random);
	return !silent(f) && now_ns >= f->send_at_ns ? send_now(f, now_ns, random) : 0;
}

void bfd_fsm_set(struct bfd_fsm *f, const struct bfd_timers *conf, uint64_t now_ns, uint32_t random)
{
	f->conf = *conf;
	tell(f);
	hasten(f, now_ns, random);
}

unsigned bfd_fsm_admin(struct bfd_fsm *f, bool down, uint64_t now_ns, uint32_t random)
{
	if (f->admin == down)
		return 0;
	f->admin = down;
	become(f, down ? BFD_ADMIN_DOWN : BFD_DOWN, BFD_WHY_ADMIN, down ? BFD_DIAG_ADMIN_DOWN : BFD_DIAG_NONE, now_ns);
	return send_now(f, now_ns, random);
}

unsigned bfd_fsm_hold(struct bfd_fsm *f, bool held, uint64_t now_ns, uint32_t random)
{
	if (f->held == held)
		return 0;
	f->held = held;
	if (!held || f->state == BFD_ADMIN_DOWN)
		return 0;
	if (f->state == BFD_DOWN) {
		f->diag = BFD_DIAG_PATH_DOWN;
		f->why = BFD_WHY_HELD;
		return 0;
	}
	become(f, BFD_DOWN, BFD_WHY_HELD, BFD_DIAG_PATH_DOWN, now_ns);
	return send_now(f, now_ns, random);
}

struct bfd_packet bfd_fsm_packet(const struct bfd_fsm *f, bool final)
{
	return (struct bfd_packet){
		.diag = f->diag,
		.state = f->state,
		.poll = f->polling && !final,
		.final = final,
		.multiplier = f->conf.multiplier,
		.my_discriminator = f->my_discriminator,
		.your_discriminator = f->your_discriminator,
		.desired_tx_us = f->desired_tx_us,
		.required_rx_us = f->required_rx_us,
	};
}
