/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "bfd/packet.h"

#include <stdbool.h>
#include <stdint.h>

/* One BFD session, RFC 5880 6.8, asynchronous mode without echo. Pure: packets, orders and the time in, state and what is to be sent
 * out; the caller owns sockets, clock and randomness (`random` is fresh in each call, jitter comes from it).
 *
 * What may be sent when: bfd_fsm_deadline() says when to call bfd_fsm_tick(); a packet leaves whenever a call returns BFD_SEND or
 * BFD_SEND_FINAL, with what bfd_fsm_packet() says, the final one first. */
enum {
	BFD_SLOW_US = 1000000, /* RFC 5880 6.8.3: no faster than this while not Up */
	/* Faster than this nobody asks for; a neighbor's RequiredMinRx is one of two maxima, so it cannot be driven lower from outside. */
	BFD_INTERVAL_MIN_US = 1000,
};

struct bfd_timers {
	uint32_t interval_us; /* both ways */
	uint8_t multiplier;   /* not 0 */
};

/* What the last change of state came from. */
enum bfd_why {
	BFD_WHY_START,
	BFD_WHY_HANDSHAKE,      /* the neighbor's packets */
	BFD_WHY_TIMEOUT,        /* nothing was heard for the detection time */
	BFD_WHY_NEIGHBOR,       /* the neighbor says Down */
	/* The neighbor says Down because we had said so, which we had not: it has removed its session, and begins another. FRR does that to IPv6 sessions
	 * when BGP is established; BGP goes on. */
	BFD_WHY_RENEWED,
	BFD_WHY_NEIGHBOR_ADMIN, /* the neighbor says AdminDown: its operator's wish, and no failure (RFC 5882 4.2) */
	BFD_WHY_HELD,           /* this node must not look alive */
	BFD_WHY_ADMIN,          /* our own operator's wish */
};
const char *bfd_why_text(enum bfd_why why);

enum { BFD_SEND = 1, BFD_SEND_FINAL = 2 };

struct bfd_fsm {
	struct bfd_timers conf;
	uint8_t state; /* enum bfd_state */
	uint8_t diag;  /* enum bfd_diag */
	uint8_t why;   /* enum bfd_why */
	bool admin, held;
	uint8_t polling; /* 0 no, 1 until a Final comes, 2 and once more after it: timers changed meanwhile */
	uint32_t my_discriminator;
	/* The neighbor, as its last packet says; your_discriminator 0: not heard within the detection time. */
	uint32_t your_discriminator, remote_tx_us, remote_rx_us;
	uint8_t remote_state, remote_diag, remote_multiplier;
	bool remote_demand;
	/* What we say of ourselves, and what counts until the neighbor has confirmed it (6.8.3). */
	uint32_t desired_tx_us, required_rx_us, effective_tx_us, effective_rx_us;
	uint64_t sent_ns, send_at_ns, heard_ns;
	uint64_t since_ns, transitions;
	uint64_t falls; /* Up lost by failure of path or neighbor: what BGP must act on */
};

/* Down. `discriminator` is not 0, unique here and hard to guess. The first packet leaves within a second, at a time that `random` chooses. */
void bfd_fsm_init(struct bfd_fsm *f, const struct bfd_timers *conf, uint32_t discriminator, uint64_t now_ns,
                  uint32_t random);

/* A packet that is this session's. Returns what to send at once. */
unsigned bfd_fsm_receive(struct bfd_fsm *f, const struct bfd_packet *p, uint64_t now_ns, uint32_t random);
/* bfd_fsm_deadline() has come, or just so. */
unsigned bfd_fsm_tick(struct bfd_fsm *f, uint64_t now_ns, uint32_t random);
uint64_t bfd_fsm_deadline(const struct bfd_fsm *f);

/* Other timers; when Up they are agreed on by a Poll Sequence. */
void bfd_fsm_set(struct bfd_fsm *f, const struct bfd_timers *conf, uint64_t now_ns, uint32_t random);
/* AdminDown, or back to Down. */
unsigned bfd_fsm_admin(struct bfd_fsm *f, bool down, uint64_t now_ns, uint32_t random);
/* Held: Down with "path down", whatever the neighbor says, until let go. */
unsigned bfd_fsm_hold(struct bfd_fsm *f, bool held, uint64_t now_ns, uint32_t random);

/* The packet to send now. */
struct bfd_packet bfd_fsm_packet(const struct bfd_fsm *f, bool final);

/* Interval between packets before jitter, and the detection time; 0: none, nothing was heard. */
uint64_t bfd_fsm_tx_us(const struct bfd_fsm *f);
uint64_t bfd_fsm_detect_us(const struct bfd_fsm *f);
