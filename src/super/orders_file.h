/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>

/* STATE_DIR/orders: what the operator wants, in lines of a word and a name. The supervisor reads and writes it, and `zonecast` itself
 * where nothing answers on the control socket. Its effect is the same in whatever order the lines stand.
 *
 *	drain NETWORK            leave it: graceful shutdown, then withdrawn
 *	freeze NETWORK           what is announced stays as it is
 *	force NETWORK            announced, whatever the checks say
 *	none NETWORK             none of these, though they are said of all networks
 *	drain-backstop NETWORK   its backstop prefixes too
 *	drain-neighbor ENDPOINT  leave one BGP neighbor
 *
 * NETWORK "*" is every network that has no line of its own. A line that is not understood (of a later version) is passed over and lost with
 * the next change. */
enum { ORDERS_MAX = 256, ORDERS_NAME_MAX = 80, ORDERS_FILE_MAX = 64 << 10, ORDERS_PATH_MAX = 600 };
enum order_word { WORD_NONE, WORD_DRAIN, WORD_FREEZE, WORD_FORCE, WORD_DRAIN_BACKSTOP, WORD_DRAIN_NEIGHBOR };
#define ORDERS_ALL "*"

struct orders {
	size_t count;
	struct order_row {
		enum order_word word;
		char name[ORDERS_NAME_MAX];
	} row[ORDERS_MAX];
};

/* Pure. Lines that are not understood are passed over. */
void orders_parse(const char *text, size_t len, struct orders *out);
/* What is said of a network: WORD_NONE, DRAIN, FREEZE or FORCE. */
enum order_word orders_of_network(const struct orders *o, const char *network);
bool orders_has(const struct orders *o, enum order_word word, const char *name);
/* Replace what is said of a network, or of all (ORDERS_ALL: rows of single networks go). WORD_NONE ends the drain of the backstop as well.
 * ERR_LIMIT; ERR_INVALID for a name that cannot stand in the file. */
int orders_put_network(struct orders *o, enum order_word word, const char *network) MUST_CHECK;
/* Say (on) or do not say one of the last two words of this name. */
int orders_put(struct orders *o, enum order_word word, const char *name, bool on) MUST_CHECK;

/* A file that is not there is one without orders. -errno. */
int orders_read(const char *state_dir, struct orders *out) MUST_CHECK;
/* Whole or not at all, and on the disk when this returns. */
int orders_write(const char *state_dir, const struct orders *o) MUST_CHECK;
