/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/snapshots.h"

#include "base/err.h"

void snapshots_init(struct snapshots *s, const char *path, struct board_sync *board)
{
	*s = (struct snapshots){.path = path, .board = board};
	for (unsigned i = 0; i < BOARD_TRANSFER_PINS; i++)
		atomic_store(&board->transfer_pins[i], STORE_UNPINNED);
}

void snapshots_done(struct snapshots *s)
{
	for (unsigned i = 0; i < BOARD_TRANSFER_PINS; i++) {
		store_reader_close(s->at[i].reader);
		s->at[i] = (struct snapshot){0};
	}
}

int snapshots_take(struct snapshots *s, uint64_t now_ms, struct snapshot **out)
{
	uint64_t ino = board_get(&s->board->store_ino);
	struct snapshot *empty = NULL;
	int err = 0;

	if (!ino)
		return ERR_NOT_FOUND;
	for (unsigned i = 0; i < BOARD_TRANSFER_PINS; i++) {
		struct snapshot *p = &s->at[i];

		if (!p->users) {
			empty = empty ? empty : p;
		} else if (p->ino == ino && p->store.generation == store_generation(p->reader)) {
			p->users++;
			*out = p;
			return 0;
		}
	}
	if (!empty)
		return ERR_LIMIT;
	if (empty->reader && empty->ino != ino) {
		store_reader_close(empty->reader);
		empty->reader = NULL;
	}
	if (!empty->reader)
		err = store_reader_open(s->path, &s->board->transfer_pins[empty - s->at], &empty->reader);
	if (err < 0)
		return err;
	empty->ino = ino;
	store_pin(empty->reader, &empty->store);
	empty->users = 1;
	empty->since_ms = now_ms;
	*out = empty;
	return 0;
}

void snapshots_give(struct snapshot *p)
{
	if (p && --p->users == 0)
		store_unpin(p->reader);
}

struct snapshot *snapshots_oldest(struct snapshots *s)
{
	struct snapshot *oldest = NULL;

	for (unsigned i = 0; i < BOARD_TRANSFER_PINS; i++)
		if (s->at[i].users && (!oldest || s->at[i].since_ms < oldest->since_ms))
			oldest = &s->at[i];
	return oldest;
}
