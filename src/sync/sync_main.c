/* SPDX-License-Identifier: BSD-2-Clause */
/* The sync process: the only writer of the store. Its loop hears the supervisor and beats the heart; the loading itself runs on a
 * thread, one run at a time, and a wish that comes meanwhile makes another run after it.
 *
 * In this version zones come from files only; a zone is read again when it or a file it includes has changed and a reload is asked
 * for. Transfers, journals and signing are not here yet. */
#include "sync/sync_main.h"

#include "base/err.h"
#include "base/log.h"
#include "proc/role.h"
#include "sync/load.h"
#include "sync/zone_list.h"
#include "xdp/cache.h"

#include <stdlib.h>
#include <unistd.h>
#include <string.h>

enum { RETRY_MS = 1000, COLLECT_MS = 250 };

struct sync {
	struct role *role;
	uv_loop_t loop;
	uv_work_t work;
	uv_timer_t retry, collect;
	struct loader loader;
	bool busy, again, stopping, said_ready;
	/* Of the run under way, owned by the thread while busy. */
	struct zone_list *zones;
	bool has_only;
	struct name only;
	int result;
	/* Asked for while busy. */
	bool next_has_only;
	struct name next_only;
};

static void begin(struct sync *s);

static void run(uv_work_t *work)
{
	struct sync *s = work->data;

	s->result = loader_run(&s->loader, s->zones, s->has_only ? s->only.wire : NULL);
}

static void on_retry(uv_timer_t *t)
{
	begin(t->data);
}

static void after(uv_work_t *work, int status)
{
	struct sync *s = work->data;
	struct role_message ready = {.kind = ROLE_READY};

	(void)status;
	s->busy = false;
	zone_list_free(s->zones);
	s->zones = NULL;
	if (s->stopping) {
		uv_stop(&s->loop);
		return;
	}
	if (s->result < 0)
		uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
	else if (!s->said_ready && role_send(s->role->brief.supervisor_fd, &ready, -1) == 0)
		s->said_ready = true;
	if (s->again) {
		s->again = false;
		s->has_only = s->next_has_only;
		s->only = s->next_only;
		s->next_has_only = false;
		begin(s);
	}
}

static void begin(struct sync *s)
{
	int err;

	if (s->busy) {
		s->again = true;
		return;
	}
	err = zone_list_make(s->role, &s->zones);
	if (err < 0) {
		log_err("zones error=\"%s\"", err_text(err));
		uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
		return;
	}
	s->busy = true;
	s->work.data = s;
	if (uv_queue_work(&s->loop, &s->work, run, after) < 0)
		s->busy = false;
}

static int on_reload(struct role *role, struct config *old)
{
	(void)old;
	begin(role->state);
	return 0;
}

static void on_message(struct role *role, const struct role_message *m)
{
	struct sync *s = role->state;
	static const uint8_t root[1] = {0};
	struct name name;

	if (m->kind != ROLE_SYNC_RELOAD)
		return;
	if (m->text_len && name_from_text(m->text, m->text_len, root, &name) == 0) {
		if (s->busy) {
			s->next_has_only = true;
			s->next_only = name;
		} else {
			s->has_only = true;
			s->only = name;
		}
	} else if (!s->busy) {
		s->has_only = false;
	}
	begin(s);
}

static void on_stop(struct role *role)
{
	struct sync *s = role->state;

	s->stopping = true;
	if (!s->busy)
		uv_stop(&s->loop);
}

/* Readers let go of old versions between loads, too. */
static void on_collect(uv_timer_t *t)
{
	struct sync *s = t->data;

	if (!s->busy && s->loader.writer)
		store_collect(s->loader.writer);
}

static int open_kernel_cache(struct sync *s)
{
	const int32_t *fds = s->role->brief.xdp_fd;
	const struct xdp_maps maps = {fds[0], fds[1], -1, -1};
	int err;

	if (maps.control < 0)
		return 0;
	err = xdp_cache_open(&maps, &s->loader.kernel);
	close(maps.control);
	close(maps.generations);
	return err;
}

int sync_main(struct role *role)
{
	struct sync *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return 1;
	s->role = role;
	role->state = s;
	role->on_reload = on_reload;
	role->on_message = on_message;
	role->on_stop = on_stop;
	loader_init(&s->loader, role->brief.store_path, role->board, role->brief.workers);
	err = open_kernel_cache(s);
	if (err < 0) {
		/* Zones must not change under answers that nobody takes back. */
		log_err("sync what=xdp error=\"%s\"", err_text(err));
		return 1;
	}
	uv_loop_init(&s->loop);
	uv_timer_init(&s->loop, &s->retry);
	uv_timer_init(&s->loop, &s->collect);
	s->retry.data = s->collect.data = s;
	err = role_loop_start(role, &s->loop);
	if (err < 0 || role_sandbox(role) < 0)
		return 1;
	begin(s);
	uv_timer_start(&s->collect, on_collect, COLLECT_MS, COLLECT_MS);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	loader_done(&s->loader);
	xdp_cache_close(s->loader.kernel);
	free(s);
	return 0;
}
