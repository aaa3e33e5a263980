/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The mark in questions by which watch checks backends: where one comes back to this node as a client's question, its backend leads here. Pure; why it cannot be made by others: mark.c. */
enum {
	EDGE_MARK_OPTION = 65001, /* EDNS, RFC 6891 9: for local use */
	EDGE_MARK_LEN = 16,
	EDGE_MARK_KEY_LEN = 16, /* random, of this start of the node: board_supervisor.edge_key */
	EDGE_MARKS_SEEN = 16,   /* a power of two: slots of board_edge.marks */
};

void edge_mark_make(const uint8_t key[EDGE_MARK_KEY_LEN], uint64_t nonce, uint8_t out[EDGE_MARK_LEN]);
/* Is this option's data (len octets) one that was made with the key? Its nonce then, which is not 0. */
bool edge_mark_is_ours(const uint8_t key[EDGE_MARK_KEY_LEN], const uint8_t *data, size_t len,
                       uint64_t *nonce) MUST_CHECK;
/* In which slot a worker notes the nonce of a mark that came back. */
static inline unsigned edge_mark_slot(uint64_t nonce)
{
	return (unsigned)(nonce & (EDGE_MARKS_SEEN - 1));
}
