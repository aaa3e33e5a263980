/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of the tap process. A file is begun empty: one that is there when the process starts is put aside first, since Frame Streams cannot be continued and a log need not be.
 *
 * Two buffers: one fills while the other is written, always to the place behind what is known to be written. So an attempt that failed half-way (a full disk) is simply made
 * again there, and a file that is put aside ends with a whole frame or line. Until then the buffers stay full, nothing more is taken from the rings, and workers drop and count.
 *
 * Names: FILE, and FILE.1 to FILE.keep, which move up by one. Whoever would rather move files by himself (logrotate, without copytruncate) renames FILE and then says `zonecast reload`
 * or SIGHUP: the file that is not at its place any more is ended, and another begun. */
#include "tap/file_out.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_out_open(struct file_out *f, uv_loop_t *loop, const char *path, uint64_t limit, unsigned keep)
{
	f->loop = loop;
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->limit = limit;
	f->keep = keep;
	f->fd = -1;
	f->fill = malloc(FILE_OUT_BUFFER);
	f->out = malloc(FILE_OUT_BUFFER);
	if (f->fill && f->out)
		return 0;
	free(f->fill);
	free(f->out);
	return ERR_NO_MEMORY;
}

/* Room for files' names up to the last that is kept. What cannot be renamed is written over by nobody: the file is opened anew only where there is none. */
static void put_aside(const struct file_out *f)
{
	char from[FILE_OUT_PATH + 16], to[FILE_OUT_PATH + 16];

	for (unsigned n = f->keep; n > 0; n--) {
		if (n == 1)
			snprintf(from, sizeof(from), "%s", f->path);
		else
			snprintf(from, sizeof(from), "%s.%u", f->path, n - 1);
		snprintf(to, sizeof(to), "%s.%u", f->path, n);
		if (rename(from, to) < 0 && errno != ENOENT)
			log_warn("tap file=%s error=\"cannot put it aside: %s\"", from, err_text(-errno));
	}
}

static bool begin_file(struct file_out *f)
{
	struct stat st;

	if (stat(f->path, &st) == 0 && st.st_size > 0)
		put_aside(f);
	f->fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (f->fd < 0) {
		f->error = -errno;
		return false;
	}
	f->written = 0;
	if (f->begin_len && pwrite(f->fd, f->begin, f->begin_len, 0) != (ssize_t)f->begin_len) {
		f->error = errno ? -errno : -ENOSPC;
		close(f->fd);
		f->fd = -1;
		return false;
	}
	f->written = f->begin_len;
	return true;
}

static void end_file(struct file_out *f)
{
	if (f->fd < 0)
		return;
	if (f->end_len && pwrite(f->fd, f->end, f->end_len, (off_t)f->written) != (ssize_t)f->end_len)
		log_warn("tap file=%s error=\"it ends without its mark: %s\"", f->path, err_text(-errno));
	close(f->fd);
	f->fd = -1;
}

/* One write by a thread of the pool. It may outlive the file_out, which then has left it the buffer and the descriptor. */
struct file_write {
	uv_work_t work;
	struct file_out *owner; /* NULL: it is on its own */
	uint8_t *own; /* then: the buffer, to be freed, and with it the descriptor, to be closed; NULL: neither */
	const uint8_t *octets; /* borrowed */
	size_t len;
	uint64_t at;
	int fd;
	ssize_t result;
	atomic_bool done;
};

static void do_write(uv_work_t *work)
{
	struct file_write *w = work->data;
	ssize_t n = pwrite(w->fd, w->octets, w->len, (off_t)w->at);

	w->result = n < 0 ? -errno : n;
	atomic_store_explicit(&w->done, true, memory_order_release);
}

static void take_result(struct file_out *f, ssize_t n)
{
	f->write = NULL;
	if (n <= 0) {
		f->error = n < 0 ? (int)n : -ENOSPC;
		f->retry_ms = uv_now(f->loop) + FILE_OUT_RETRY_MS;
		return;
	}
	f->error = 0;
	f->out_pos += (size_t)n;
	f->written += (uint64_t)n;
	f->total += (uint64_t)n;
	if (f->out_pos == f->out_len)
		f->out_len = f->out_pos = 0;
}

static void on_written(uv_work_t *work, int status)
{
	struct file_write *w = work->data;
	struct file_out *f = w->owner;

	(void)status;
	if (f) {
		take_result(f, w->result);
		file_out_tick(f, uv_now(f->loop));
		f->on_room(f->ctx);
	} else if (w->own) {
		close(w->fd);
		free(w->own);
	}
	free(w);
}

static bool write_out(struct file_out *f)
{
	struct file_write *w = calloc(1, sizeof(*w));

	if (!w)
		return false;
	*w = (struct file_write){.owner = f,
	                         .octets = f->out + f->out_pos,
	                         .len = f->out_len - f->out_pos,
	                         .at = f->written,
	                         .fd = f->fd};
	w->work.data = w;
	if (uv_queue_work(f->loop, &w->work, do_write, on_written) < 0) {
		free(w);
		return false;
	}
	f->write = w;
	return true;
}

void file_out_tick(struct file_out *f, uint64_t now_ms)
{
	bool full = f->limit && f->written >= f->limit;

	if (f->write || now_ms < f->retry_ms)
		return;
	/* Only between whole buffers, which hold whole frames. */
	if (f->fd >= 0 && !f->out_len && (full || f->anew)) {
		end_file(f);
		f->rotations++;
	}
	f->anew = f->anew && f->fd >= 0;
	if (f->fd < 0 && !begin_file(f)) {
		f->retry_ms = now_ms + FILE_OUT_RETRY_MS;
		return;
	}
	if (!f->out_len && f->fill_len) {
		uint8_t *filled = f->fill;

		f->fill = f->out;
		f->out = filled;
		f->out_len = f->fill_len;
		f->out_pos = f->fill_len = 0;
	}
	if (f->out_len && !write_out(f))
		f->retry_ms = now_ms + FILE_OUT_RETRY_MS;
	else if (!f->out_len)
		f->error = 0;
}

size_t file_out_room(const struct file_out *f)
{
	return FILE_OUT_BUFFER - f->fill_len;
}

void file_out_put(struct file_out *f, const void *octets, size_t len)
{
	memcpy(f->fill + f->fill_len, octets, len);
	f->fill_len += len;
}

void file_out_look(struct file_out *f)
{
	struct stat there, ours;

	if (f->fd >= 0 && fstat(f->fd, &ours) == 0 &&
	    (stat(f->path, &there) < 0 || there.st_ino != ours.st_ino || there.st_dev != ours.st_dev))
		f->anew = true;
	f->retry_ms = 0;
}

/* Where the disk has not taken it in time buffer and descriptor are the write's from then on. */
static void finish_write(struct file_out *f)
{
	uint64_t until = clock_ms() + FILE_OUT_PATIENCE_MS;
	struct file_write *w = f->write;

	while (w && !atomic_load_explicit(&w->done, memory_order_acquire) && clock_ms() < until)
		poll(NULL, 0, 1);
	if (!w)
		return;
	w->owner = NULL;
	if (atomic_load_explicit(&w->done, memory_order_acquire)) {
		take_result(f, w->result);
		return;
	}
	w->own = f->out;
	f->out = NULL;
	f->fd = -1;
	f->write = NULL;
	log_warn("tap file=%s error=\"the disk stands still: the last %zu octets may be missing\"", f->path,
	         f->out_len + f->fill_len);
}

/* The rest is written here, at once: the process ends, or has another place to write to. */
void file_out_close(struct file_out *f)
{
	finish_write(f);
	for (int i = 0; i < 2 && f->fd >= 0; i++) {
		const uint8_t *from = i ? f->fill : f->out + f->out_pos;
		size_t len = i ? f->fill_len : f->out_len - f->out_pos;
		ssize_t n = len ? pwrite(f->fd, from, len, (off_t)f->written) : 0;

		if (n != (ssize_t)len) {
			log_warn("tap file=%s error=\"the last %zu octets are not written\"", f->path, len);
			break;
		}
		f->written += len;
		f->total += len;
	}
	end_file(f);
	free(f->fill);
	free(f->out);
	f->fill = f->out = NULL;
}
