/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of a neighbor, as they come, into a session: each record is a step in time, an order, and a packet. Whatever is read is written back the
 * same, and the session stays within what RFC 5880 allows it. */
#include "bfd/fsm.h"

#include "base/wire.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MS 1000000ULL

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void hold_to_rules(const struct bfd_fsm *f, uint64_t now_ns)
{
	struct bfd_packet p = bfd_fsm_packet(f, false), seen;
	uint8_t octets[BFD_PACKET_LEN];

	must(f->state <= BFD_UP && f->diag < BFD_DIAGS && f->polling <= 2 && f->falls <= f->transitions);
	must(!f->held || f->state == BFD_DOWN || f->state == BFD_ADMIN_DOWN);
	must(f->admin == (f->state == BFD_ADMIN_DOWN));
	must(f->state == BFD_UP || bfd_fsm_tx_us(f) >= BFD_SLOW_US);
	must(bfd_fsm_tx_us(f) >= f->remote_rx_us);
	must(f->state < BFD_INIT || f->your_discriminator);
	must(bfd_fsm_deadline(f) >= now_ns || bfd_fsm_deadline(f) > 0);
	bfd_packet_write(&p, octets);
	must(bfd_packet_read(octets, sizeof(octets), &seen) == BFD_FINE);
}

static void take_packet(struct bfd_fsm *f, struct reader *r, uint64_t now_ns)
{
	size_t len = MIN((size_t)reader_u8(r), reader_left(r));
	const uint8_t *octets = reader_bytes(r, len);
	struct bfd_packet p;
	uint8_t out[BFD_PACKET_LEN];

	if (!octets || bfd_packet_read(octets, len, &p) != BFD_FINE)
		return;
	bfd_packet_write(&p, out);
	must(memcmp(out, octets, 3) == 0 && memcmp(out + 4, octets + 4, BFD_PACKET_LEN - 4) == 0);
	/* A packet that is not believed would not get here. */
	if (!p.your_discriminator || p.your_discriminator == f->my_discriminator) {
		unsigned send = bfd_fsm_receive(f, &p, now_ns, (uint32_t)now_ns);

		must(!(send & BFD_SEND_FINAL) || p.poll);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bfd_timers timers = {.interval_us = 50000, .multiplier = 3};
	struct reader r = reader_of(data, size);
	uint64_t now = MS, sent = 0, began = MS;
	struct bfd_fsm f;

	bfd_fsm_init(&f, &timers, 0x01020304, now, 0);
	while (reader_left(&r)) {
		uint8_t what = reader_u8(&r), multiplier;
		uint64_t until = now + (uint64_t)(what >> 3) * (what >> 3) * MS;

		/* Time passes as the loop lets it pass: from deadline to deadline. */
		while (bfd_fsm_deadline(&f) <= until) {
			now = MAX(now, bfd_fsm_deadline(&f));
			sent += (bfd_fsm_tick(&f, now, (uint32_t)now * 2654435761U) & BFD_SEND) != 0;
			hold_to_rules(&f, now);
		}
		now = until;
		switch (what & 7) {
		case 0:
			timers.interval_us = BFD_INTERVAL_MIN_US + reader_u16(&r) * 16U;
			multiplier = reader_u8(&r);
			timers.multiplier = multiplier ? multiplier : 1;
			bfd_fsm_set(&f, &timers, now, what);
			break;
		case 1:
			bfd_fsm_admin(&f, what & 8, now, what);
			break;
		case 2:
			bfd_fsm_hold(&f, what & 8, now, what);
			break;
		default:
			take_packet(&f, &r, now);
			break;
		}
		hold_to_rules(&f, now);
	}
	/* Periodic packets are no faster than three quarters of the fastest interval. */
	must(sent <= (now - began) / (BFD_INTERVAL_MIN_US * 1000ULL * 3 / 4) + size + 1);
	return 0;
}
