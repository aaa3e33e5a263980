/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/live_steering.h"

#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "steer/geo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 1000 };
#define GEO_MAP_FILE "geo.map" /* in the folder of the store, where roles run */

struct live_steering {
	const struct board_watch_endpoints *endpoints;
	struct steering *steering; /* borrowed; NULL: no policies */
	uint64_t *keys;            /* of its pools, as the board has them */
	uint32_t changes;          /* of the board when it was copied */
	uint64_t looked_ns;
	struct geo_map *map;
	ino_t ino; /* of the map, or of a file that was none; 0: no file */
	dev_t dev;
	struct timespec changed; /* of that file: an inode may come again */
	bool again; /* it could not be opened for want of something that may come: tried again, and told once */
};

struct live_steering *live_steering_new(const struct board_watch_endpoints *endpoints)
{
	struct live_steering *l = calloc(1, sizeof(*l));

	if (l)
		l->endpoints = endpoints;
	return l;
}

void live_steering_free(struct live_steering *l)
{
	if (!l)
		return;
	geo_map_close(l->map);
	free(l->keys);
	free(l);
}

/* A row of the board that belongs to another list of endpoints, or to none, says nothing: all are up. */
static void copy_health(struct live_steering *l)
{
	const struct steering *s = l->steering;

	l->changes = atomic_load_explicit(&l->endpoints->changes, memory_order_acquire);
	for (uint32_t i = 0; i < s->pools; i++) {
		const struct board_pool *p = &l->endpoints->pool[i < BOARD_POOLS_MAX ? i : 0];
		bool known = i < BOARD_POOLS_MAX && l->keys && board_get(&p->key) == l->keys[i];

		atomic_store_explicit(&s->up[i], known ? board_get(&p->up) : UINT64_MAX, memory_order_relaxed);
	}
}

/* A file of that name that is no map leaves what there was. Databases may not change for weeks: one that could not be opened for want of descriptors or memory is tried again. */
static void take_map(struct live_steering *l)
{
	struct geo_map *map;
	struct stat st;
	int fd, err;
	bool same, told;

	if (stat(GEO_MAP_FILE, &st) < 0)
		return;
	same = st.st_ino == l->ino && st.st_dev == l->dev && st.st_ctim.tv_sec == l->changed.tv_sec &&
	       st.st_ctim.tv_nsec == l->changed.tv_nsec;
	if (same && !l->again)
		return;
	told = same;
	l->ino = st.st_ino;
	l->dev = st.st_dev;
	l->changed = st.st_ctim;
	fd = open(GEO_MAP_FILE, O_RDONLY | O_CLOEXEC);
	err = fd < 0 ? -errno : geo_map_open(fd, &map);
	if (fd >= 0)
		close(fd);
	l->again = err < 0 && err != ERR_MALFORMED && err != ERR_STALE;
	if (err < 0) {
		if (!told)
			log_err("answer what=geo-map error=\"%s\"", err_text(err));
		return;
	}
	l->steering->places = map;
	geo_map_close(l->map);
	l->map = map;
}

void live_steering_settings(struct live_steering *l, struct steering *s)
{
	free(l->keys);
	l->keys = NULL;
	l->steering = s;
	if (!s)
		return;
	s->places = l->map;
	l->keys = calloc(s->pools + 1U, sizeof(*l->keys));
	for (uint32_t i = 0; l->keys && i < s->pools; i++)
		l->keys[i] = board_pool_key(s->config->pools[i].name, config_pool_list(&s->config->pools[i]));
	copy_health(l);
	take_map(l);
}

void live_steering_tick(struct live_steering *l, uint64_t now_ns)
{
	if (!l->steering)
		return;
	if (atomic_load_explicit(&l->endpoints->changes, memory_order_relaxed) != l->changes)
		copy_health(l);
	if (now_ns - l->looked_ns < (uint64_t)LOOK_MS * 1000000U)
		return;
	l->looked_ns = now_ns;
	take_map(l);
}
