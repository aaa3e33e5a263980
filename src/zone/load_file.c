/* SPDX-License-Identifier: BSD-2-Clause */
/* A zone file to finished, checked content. */
#include "base/err.h"
#include "zone/check.h"
#include "zone/content_priv.h"
#include "zone/zonefile_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int load_record(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	struct load *l = ctx;
	char name[NAME_TEXT_MAX];

	if (!place->same_owner)
		l->outside = !name_is_under(rr->owner, l->content->apex.wire);
	if (l->outside) {
		name_to_text(rr->owner, name);
		diag_add(l->diag, DIAG_WARNING, place->file, place->line, place->column,
		         "%s is outside the zone: ignored", name);
		return 0;
	}
	return content_add_next(l->content, rr, place);
}

void load_progress(void *ctx, uint64_t done, uint64_t all)
{
	struct load *l = ctx;

	l->o->on_progress(l->o->ctx, done, all);
}

static unsigned threads_wanted(const struct zone_load_options *o)
{
	cpu_set_t cpus;

	if (o && o->threads)
		return o->threads;
	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0
	               ? MIN((unsigned)CPU_COUNT(&cpus), (unsigned)LOAD_THREADS_MAX)
	               : 1;
}

/* To be closed by the caller, and its size; -1: none that can be read as a regular file. */
static int open_file(const char *path, uint64_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		return -1;
	}
	*size = fd < 0 ? 0 : (uint64_t)st.st_size;
	return fd;
}

/* Not at all events: an octet in the middle of it, and the last one. */
static bool is_cached(int fd, uint64_t size)
{
	const uint64_t places[] = {size / 2, size - 1};
	bool cached = false;
	char octet;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		struct iovec to = {.iov_base = &octet, .iov_len = 1};

		cached |= preadv2(fd, &to, 1, (off_t)places[i], RWF_NOWAIT) >= 0 || errno != EAGAIN;
	}
	return cached;
}

/* A large file that is not in memory is read past the page cache: it is read once, and then only when it has changed. */
static bool make_direct(int fd, uint64_t size)
{
	int flags = size < LOAD_LARGE || is_cached(fd, size) ? -1 : fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
}

static int parse(struct load *l, const char *path, const uint8_t *apex)
{
	struct zonefile_options zo = {.origin = apex,
	                              .rclass = CLASS_IN,
	                              .on_record = load_record,
	                              .ctx = l,
	                              .on_progress = l->o && l->o->on_progress ? load_progress : NULL};
	uint64_t large = l->o && l->o->piece ? 2 * l->o->piece : LOAD_LARGE, size;
	bool opened = l->o && l->o->opened;
	int fd = opened ? l->o->fd : open_file(path, &size), err;
	unsigned threads = 1;

	if (fd < 0)
		return zonefile_parse(path, &zo, l->diag); /* it says what is wrong */
	if (opened)
		size = l->o->size;
	if (size > LEXER_WINDOW)
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (size >= large)
		threads = threads_wanted(l->o);
	if (threads > 1) {
		err = load_parallel(l, path, fd, size, threads);
	} else {
		struct zonefile_part all = {.file = path, .fd = fd, .size = size, .to = UINT64_MAX, .direct = make_direct(fd, size)};

		err = zonefile_parse_part(&all, &zo, l->diag);
	}
	if (!opened)
		close(fd);
	return err;
}

int zone_load_file(const char *path, const uint8_t *apex, const struct zone_load_options *o, struct diag *diag,
                   struct content **out)
{
	struct load l = {.content = content_new(apex), .o = o, .diag = diag};
	unsigned before = diag->errors;
	int err = l.content ? parse(&l, path, apex) : ERR_NO_MEMORY;
	int finished = l.content && (!err || err == ERR_INVALID) ? content_finish(l.content) : err;

	/* A file with broken records is not judged as a whole: what is missing would only be their echo. */
	if (!err && !finished) {
		zone_check(l.content, diag);
		if (diag->errors > before)
			err = ERR_INVALID;
	}
	if (!err)
		err = finished;
	if (err) {
		content_free(l.content);
		return err;
	}
	*out = l.content;
	return 0;
}
