/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients that routing moves between sites, seen by their cookies (dns/cookie.h has the mark, board.h the table). A client is answered with a cookie of this node's, so one move counts once, or a few
 * times where questions are on their way; one that is moved with each packet (a path that spreads packets and not flows) counts each time, and stands out.
 *
 * Not seen: clients without cookies, and TCP connections that arrive here in mid-stream: the kernel answers those with RST and tells nobody whose they were. Nodes that share a mark
 * (more than 63 pops) are not told apart. */
#include "answer/flips.h"

#include <string.h>

static void count(struct board_flip *r, uint8_t family, const uint8_t prefix[6], uint64_t error, uint8_t site,
                  uint64_t now_ns)
{
	/* A predecessor died while it wrote. */
	if (atomic_load_explicit(&r->seq, memory_order_relaxed) & 1U)
		board_write_end(&r->seq);
	board_write_begin(&r->seq);
	r->family = family;
	memcpy(r->prefix, prefix, sizeof(r->prefix));
	r->error = error;
	r->count++;
	r->site = site;
	r->last_ns = now_ns;
	board_write_end(&r->seq);
}

void flips_note(struct board_flips *f, const struct ip_addr *client, uint8_t site, uint64_t now_ns)
{
	struct board_flip *least = &f->row[0];
	uint8_t prefix[6] = {0};

	memcpy(prefix, client->bytes, client->family == 4 ? 3 : 6);
	board_add(&f->total[client->family == 6], 1);
	for (size_t i = 0; i < BOARD_FLIPS; i++) {
		struct board_flip *r = &f->row[i];

		if (!r->family) {
			least = r;
			break;
		}
		if (r->family == client->family && memcmp(r->prefix, prefix, sizeof(prefix)) == 0) {
			count(r, r->family, prefix, r->error, site, now_ns);
			return;
		}
		if (r->count < least->count)
			least = r;
	}
	count(least, client->family, prefix, least->count, site, now_ns);
}
