/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of zones to read. Threads parse and check them in any order; the loader takes them in the order of the ring, so that what is stored, logged
 * and counted does not depend on the number of threads. While the first one is not ready the loader reads along, so nothing
 * depends on a thread having started, either.
 *
 * Files are opened when they are asked for, and the kernel is told to read the small ones at once: it then has many reads under way where it would have one
 * for each thread, which costs 100,000 cold files half of their CPU time and two thirds of the waiting. So on one CPU no thread is started: the loader reads
 * along, and nobody has to be woken. Contents are several times their files: beyond AHEAD_BYTES of files, zones wait until those before them are stored. */
#include "sync/ahead.h"

#include "base/clock.h"
#include "sync/known.h"
#include "sync/source.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	AHEAD_ZONES = 128,
	AHEAD_BYTES = 32 << 20, /* of zone files, read or being read and not stored */
	SMALL_BYTES =
		128
		<< 10, /* a file up to here is read by the kernel ahead of us; the kernel knows by itself what to do with larger ones */
	THREADS_MAX = 8,
};

struct ahead {
	ahead_progress_fn *on_progress;
	void *ctx;
	const uint8_t *prints_key; /* or NULL */
	pthread_mutex_t lock; /* of all below, but for what is in a slot between its beginning and its end */
	pthread_cond_t work, done;
	pthread_t threads[THREADS_MAX];
	unsigned thread_count;
	bool started, stop;
	size_t first, begun, next; /* count up; slot by remainder */
	uint64_t bytes;            /* of slots from first up to begun */
	struct ahead_zone slots[AHEAD_ZONES];
};

static void progress(void *ctx, uint64_t done, uint64_t all)
{
	struct ahead_zone *z = ctx;

	z->ahead->on_progress(z->ahead->ctx, z->row, done, all);
}

static unsigned cpu_count(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? MIN((unsigned)CPU_COUNT(&cpus), (unsigned)THREADS_MAX) : 1;
}

/* Without memory for them the zone is compared without. */
static void make_prints(struct ahead_zone *z)
{
	struct zone_prints *p;

	zone_prints_free(z->prints);
	z->prints = NULL;
	if (z->ahead->prints_key && z->row->serving && content_record_count(z->content) >= KNOWN_RECORDS_MIN &&
	    zone_prints_make(z->content, z->ahead->prints_key, cpu_count(), &p) == 0)
		z->prints = p;
}

void ahead_print_again(struct ahead_zone *z)
{
	if (z->prints)
		make_prints(z);
}

static void read_zone(struct ahead_zone *z)
{
	struct zone_load_options o = {
		.on_progress = progress, .ctx = z, .opened = z->fd >= 0, .fd = z->fd, .size = z->size};
	uint64_t began = clock_ms();

	z->err = zone_load_file(z->row->path, z->row->apex, &o, &z->diag, &z->content);
	if (!z->err) {
		source_add_includes(z->content, z->row->path, z->source, sizeof(z->source));
		make_prints(z);
	}
	if (z->fd >= 0)
		close(z->fd);
	z->fd = -1;
	z->took_ms = (unsigned)(clock_ms() - began);
}

/* The next zone to read, or NULL. Locked. */
static struct ahead_zone *begin(struct ahead *a)
{
	struct ahead_zone *z = &a->slots[a->begun % AHEAD_ZONES];

	if (a->begun == a->next || (a->begun != a->first && a->bytes + z->size > AHEAD_BYTES))
		return NULL;
	a->begun++;
	a->bytes += z->size;
	return z;
}

static void *thread(void *arg)
{
	struct ahead *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->stop) {
		struct ahead_zone *z = begin(a);

		if (!z) {
			pthread_cond_wait(&a->work, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		read_zone(z);
		pthread_mutex_lock(&a->lock);
		z->done = true;
		pthread_cond_signal(&a->done);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static void start_threads(struct ahead *a)
{
	unsigned n = cpu_count();

	a->started = true;
	if (n < 2)
		return;
	while (a->thread_count < n && pthread_create(&a->threads[a->thread_count], NULL, thread, a) == 0)
		a->thread_count++;
}

struct ahead *ahead_new(ahead_progress_fn *on_progress, void *ctx)
{
	struct ahead *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->on_progress = on_progress;
	a->ctx = ctx;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->work, NULL);
	pthread_cond_init(&a->done, NULL);
	return a;
}

void ahead_want_prints(struct ahead *a, const uint8_t *key)
{
	a->prints_key = key;
}

static void empty(struct ahead_zone *z)
{
	diag_done(&z->diag);
	content_free(z->content);
	zone_prints_free(z->prints);
	if (z->fd >= 0)
		close(z->fd);
	z->fd = -1;
	z->content = NULL;
	z->prints = NULL;
}

void ahead_free(struct ahead *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->work);
	pthread_mutex_unlock(&a->lock);
	for (unsigned i = 0; i < a->thread_count; i++)
		pthread_join(a->threads[i], NULL);
	for (; a->first != a->next; a->first++)
		empty(&a->slots[a->first % AHEAD_ZONES]);
	pthread_cond_destroy(&a->done);
	pthread_cond_destroy(&a->work);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

bool ahead_wants(const struct ahead *a)
{
	return a->next - a->first <= AHEAD_ZONES / 2;
}

bool ahead_has_room(const struct ahead *a)
{
	return a->next - a->first < AHEAD_ZONES;
}

/* What cannot be opened, or is no file, is left to zone_load_file(), which says what is wrong. */
static void open_file(struct ahead_zone *z)
{
	struct stat st;

	z->source[0] = '\0';
	z->size = 0;
	z->fd = open(z->row->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (z->fd < 0)
		return;
	if (fstat(z->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(z->fd);
		z->fd = -1;
		return;
	}
	z->size = (uint64_t)st.st_size;
	source_begin(&st, z->row->path, z->source, sizeof(z->source));
	if (z->size && z->size <= SMALL_BYTES)
		posix_fadvise(z->fd, 0, st.st_size, POSIX_FADV_WILLNEED);
}

void ahead_add(struct ahead *a, const struct zone_row *row)
{
	struct ahead_zone *z = &a->slots[a->next % AHEAD_ZONES];

	z->row = row;
	z->content = NULL;
	z->prints = NULL;
	z->err = 0;
	open_file(z);
	z->ahead = a;
	z->done = false;
	diag_init(&z->diag);
	pthread_mutex_lock(&a->lock);
	a->next++;
	pthread_cond_signal(&a->work);
	pthread_mutex_unlock(&a->lock);
	if (!a->started && a->next - a->first > 1)
		start_threads(a);
}

const struct zone_row *ahead_first(const struct ahead *a)
{
	return a->first == a->next ? NULL : a->slots[a->first % AHEAD_ZONES].row;
}

struct ahead_zone *ahead_take(struct ahead *a)
{
	struct ahead_zone *first = &a->slots[a->first % AHEAD_ZONES];

	pthread_mutex_lock(&a->lock);
	while (!first->done) {
		struct ahead_zone *z = begin(a);

		if (!z) {
			pthread_cond_wait(&a->done, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		read_zone(z);
		pthread_mutex_lock(&a->lock);
		z->done = true;
	}
	pthread_mutex_unlock(&a->lock);
	return first;
}

void ahead_release(struct ahead *a, struct ahead_zone *z)
{
	empty(z);
	pthread_mutex_lock(&a->lock);
	a->bytes -= z->size;
	a->first++;
	pthread_cond_broadcast(&a->work);
	pthread_mutex_unlock(&a->lock);
}
