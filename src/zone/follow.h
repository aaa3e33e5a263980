/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stdint.h>

/* A reader that follows the store through its lives: the file may not be there yet, and the writer may have to make it anew. */
struct store_follow {
	const char *path; /* borrowed */
	_Atomic uint64_t *pin;
	struct store_reader *reader; /* NULL: no store yet */
	uint64_t ino;
};

void store_follow_init(struct store_follow *f, const char *path, _Atomic uint64_t *pin);
void store_follow_done(struct store_follow *f);
/* Look whether the file in use (its inode as the writer tells; 0: not known) is the one that is open, and change over to it. True
 * when a reader is open. Nothing may be pinned. */
bool store_follow_look(struct store_follow *f, uint64_t ino);
