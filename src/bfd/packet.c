/* SPDX-License-Identifier: BSD-2-Clause */
#include "bfd/packet.h"

#include "base/wire.h"

enum {
	FLAG_POLL = 0x20,
	FLAG_FINAL = 0x10,
	FLAG_CONTROL = 0x08,
	FLAG_AUTH = 0x04,
	FLAG_DEMAND = 0x02,
	FLAG_MULTIPOINT = 0x01,
	STATE_SHIFT = 6,
	VERSION_SHIFT = 5,
	DIAG_MASK = 0x1f,
};

const char *bfd_state_text(enum bfd_state state)
{
	static const char *const names[] = {"admin-down", "down", "init", "up"};

	return state < ARRAY_LEN(names) ? names[state] : "?";
}

const char *bfd_diag_text(unsigned diag)
{
	static const char *const names[] = {"none",
	                                    "detection time expired",
	                                    "echo failed",
	                                    "neighbor signaled down",
	                                    "forwarding plane reset",
	                                    "path down",
	                                    "concatenated path down",
	                                    "administratively down",
	                                    "reverse concatenated path down"};

	return diag < ARRAY_LEN(names) ? names[diag] : "unknown";
}

enum bfd_verdict bfd_packet_read(const void *octets, size_t len, struct bfd_packet *out)
{
	struct reader r = reader_of(octets, len);
	uint8_t first = reader_u8(&r), second = reader_u8(&r), multiplier = reader_u8(&r), own_len = reader_u8(&r);
	struct bfd_packet p = {
		.diag = first & DIAG_MASK,
		.state = (uint8_t)(second >> STATE_SHIFT),
		.poll = second & FLAG_POLL,
		.final = second & FLAG_FINAL,
		.control_independent = second & FLAG_CONTROL,
		.auth = second & FLAG_AUTH,
		.demand = second & FLAG_DEMAND,
		.multipoint = second & FLAG_MULTIPOINT,
		.multiplier = multiplier,
	};

	p.my_discriminator = reader_u32(&r);
	p.your_discriminator = reader_u32(&r);
	p.desired_tx_us = reader_u32(&r);
	p.required_rx_us = reader_u32(&r);
	p.required_echo_us = reader_u32(&r);
	if (!reader_ok(&r) || own_len > len || own_len < (p.auth ? BFD_PACKET_AUTH_LEN : BFD_PACKET_LEN))
		return BFD_BAD_LENGTH;
	if (first >> VERSION_SHIFT != BFD_VERSION)
		return BFD_BAD_VERSION;
	if (!p.multiplier)
		return BFD_BAD_MULTIPLIER;
	if (p.multipoint)
		return BFD_BAD_MULTIPOINT;
	if (!p.my_discriminator || (!p.your_discriminator && p.state > BFD_DOWN))
		return BFD_BAD_DISCRIMINATOR;
	if (p.auth)
		return BFD_BAD_AUTH;
	*out = p;
	return BFD_FINE;
}

void bfd_packet_write(const struct bfd_packet *p, uint8_t out[BFD_PACKET_LEN])
{
	struct writer w = writer_of(out, BFD_PACKET_LEN);

	writer_u8(&w, (uint8_t)((BFD_VERSION << VERSION_SHIFT) | (p->diag & DIAG_MASK)));
	writer_u8(&w, (uint8_t)((p->state << STATE_SHIFT) | (p->poll ? FLAG_POLL : 0) | (p->final ? FLAG_FINAL : 0) |
	                        (p->control_independent ? FLAG_CONTROL : 0) | (p->demand ? FLAG_DEMAND : 0) |
	                        (p->multipoint ? FLAG_MULTIPOINT : 0)));
	writer_u8(&w, p->multiplier);
	writer_u8(&w, BFD_PACKET_LEN);
	writer_u32(&w, p->my_discriminator);
	writer_u32(&w, p->your_discriminator);
	writer_u32(&w, p->desired_tx_us);
	writer_u32(&w, p->required_rx_us);
	writer_u32(&w, p->required_echo_us);
}
