/* SPDX-License-Identifier: BSD-2-Clause */
/* A backend that is (or forwards to) this very node, or another one of the fleet that has this one as its backend, makes a question run in circles until its patience is over. Who would have to
 * tell that apart from slowness looks for a mark.
 *
 *	watch     puts an option with a fresh nonce and its MAC under the node's key into each check, and remembers the nonce
 *	backend   answers, without a look at the option, which is for local use; or passes the question on as it came
 *	worker    finds an option with a good MAC in a question: it answers REFUSED at once, counts board_edge.loops and notes the nonce in board_edge.marks
 *	watch     when the check is over, finds its nonce there: this server leads back here, and is down
 *
 * A worker that sends a client's question on passes an option 65001 that is not its own along, and does not answer such a question from its cache: so two nodes in front of each other find out.
 *
 * Outsiders can neither make a mark (the MAC, SipHash-2-4 with a key that never leaves the node's memory) nor guess the nonce of the check under way (64 bits). Who sees the question on its
 * way to the server can send it here before the check is over: that is a host which could as well have dropped it.
 *
 * Not found: a circle over a program that drops unknown options (a resolver as a backend): its checks fail by their time, or by what it answers. */
#include "edge/mark.h"

#include "base/hash.h"

#include <string.h>

void edge_mark_make(const uint8_t key[EDGE_MARK_KEY_LEN], uint64_t nonce, uint8_t out[EDGE_MARK_LEN])
{
	uint64_t mac;

	/* Only this node reads it again: in the machine's own order. */
	memcpy(out, &nonce, sizeof(nonce));
	mac = hash_keyed_24(key, out, sizeof(nonce));
	memcpy(out + sizeof(nonce), &mac, sizeof(mac));
}

bool edge_mark_is_ours(const uint8_t key[EDGE_MARK_KEY_LEN], const uint8_t *data, size_t len, uint64_t *nonce)
{
	uint8_t want[EDGE_MARK_LEN], differ = 0;
	uint64_t n;

	if (len != EDGE_MARK_LEN)
		return false;
	memcpy(&n, data, sizeof(n));
	edge_mark_make(key, n, want);
	for (size_t i = 0; i < EDGE_MARK_LEN; i++)
		differ |= (uint8_t)(want[i] ^ data[i]);
	if (differ || !n)
		return false;
	*nonce = n;
	return true;
}
