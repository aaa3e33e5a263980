/* SPDX-License-Identifier: BSD-2-Clause */
#include "zone/follow.h"

#include <sys/stat.h>

void store_follow_init(struct store_follow *f, const char *path, _Atomic uint64_t *pin)
{
	*f = (struct store_follow){.path = path, .pin = pin};
	/* What a predecessor had pinned is not being read any more. */
	atomic_store(pin, STORE_UNPINNED);
}

void store_follow_done(struct store_follow *f)
{
	store_reader_close(f->reader);
	f->reader = NULL;
}

bool store_follow_look(struct store_follow *f, uint64_t ino)
{
	struct stat st;

	if (f->reader && (!ino || ino == f->ino))
		return true;
	/* Path and inode are looked at in this order: a file made anew in between shows at the next look. */
	if (stat(f->path, &st) < 0 || (ino && st.st_ino != ino))
		return f->reader != NULL;
	store_reader_close(f->reader);
	f->reader = NULL;
	if (store_reader_open(f->path, f->pin, &f->reader) < 0)
		return false;
	f->ino = st.st_ino;
	return true;
}
