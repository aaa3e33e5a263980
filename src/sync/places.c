/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps the map of where addresses are (steer/geo.h) as new as the databases it is made of. Each second their files are looked at, which is two calls of stat(2); when
 * they are not what the map was made from, and have stayed the same for a second, since files are copied in pieces, it is made anew on a thread of the loop's pool, behind answers and loading. A map
 * of an earlier run of the node that was made from the same files is taken as it is.
 *
 * A database that is not there, cannot be read by our account or is broken leaves the map that is there; that is told once in the log and as an event, and once more when it is good again. It
 * is tried again when a file changes, and now and then, since what was wrong may have been a full disk. Without databases in the configuration there is no map. */
#include "sync/places.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "geoip/build.h"
#include "proc/role.h"
#include "sync/events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LOOK_MS = 1000, AGAIN_MS = 300000, WHY_MAX = 512, BUILD_NICE = 10 };

struct places {
	struct role *role;
	uv_loop_t *loop;
	uv_timer_t look;
	uv_work_t work;
	bool busy, failing;
	uint64_t seen;       /* sources at the last look */
	uint64_t tried;      /* sources of the last map, or try; 0: none */
	uint64_t tried_ms;
	/* Of the thread while busy. */
	char *location, *as; /* copies: a reload may free the configuration */
	char why[WHY_MAX];
	uint64_t took_ms;
	int result;
};

static void build(uv_work_t *work)
{
	struct places *p = work->data;
	uint64_t begun = clock_ms();

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), BUILD_NICE);
	p->result = geo_map_build(p->location, p->as, PLACES_FILE, p->why, sizeof(p->why));
	p->took_ms = clock_ms() - begun;
}

static void tell(struct places *p, int err, const char *why)
{
	if (err < 0 && !p->failing) {
		log_err("geoip error=\"%s\" action=\"the map that is there stays in use\"", why);
		sync_event_geoip(false, why);
	} else if (err == 0) {
		log_notice("geoip action=\"a new map\" took_ms=%u", (unsigned)p->took_ms);
		sync_event_geoip(true, "a new map of where addresses are is in use");
	}
	p->failing = err < 0;
}

static void after(uv_work_t *work, int status)
{
	struct places *p = work->data;

	(void)status;
	p->busy = false;
	free(p->location);
	free(p->as);
	p->location = p->as = NULL;
	p->tried_ms = clock_ms();
	/* Somebody is writing: once that is over their files are other ones, and are looked at again. */
	if (p->result != -EAGAIN)
		tell(p, p->result, p->why);
}

static void begin(struct places *p, const struct config_geoip *g, uint64_t sources)
{
	p->location = g->location_file ? strdup(g->location_file) : NULL;
	p->as = g->as_file ? strdup(g->as_file) : NULL;
	p->tried = sources;
	p->tried_ms = clock_ms();
	p->work.data = p;
	if ((g->location_file && !p->location) || (g->as_file && !p->as) || uv_queue_work(p->loop, &p->work, build, after) < 0) {
		free(p->location);
		free(p->as);
		p->location = p->as = NULL;
		return;
	}
	p->busy = true;
}

static void look(struct places *p, bool first)
{
	const struct config *c = p->role->config;
	uint64_t sources = 0;
	char why[WHY_MAX];
	int err;

	if (p->busy || !c)
		return;
	if (!c->geoip.location_file && !c->geoip.as_file) {
		if (unlink(PLACES_FILE) == 0)
			log_notice("geoip action=\"no databases any more: the map is gone\"");
		p->tried = 0;
		p->failing = false;
		return;
	}
	err = geo_sources(c->geoip.location_file, c->geoip.as_file, &sources);
	if (err < 0) {
		snprintf(why, sizeof(why), "%s or %s: %s", c->geoip.location_file ? c->geoip.location_file : "-", c->geoip.as_file ? c->geoip.as_file : "-",
		         err_text(err));
		tell(p, err, why);
		return;
	}
	if (sources == p->tried && !(p->failing && clock_ms() - p->tried_ms >= AGAIN_MS))
		return;
	if (first && geo_map_is_of(PLACES_FILE, sources)) {
		p->tried = sources;
		return;
	}
	if (sources != p->seen && !first) {
		p->seen = sources;
		return;
	}
	begin(p, &c->geoip, sources);
}

static void on_look(uv_timer_t *t)
{
	look(t->data, false);
}

int places_new(struct role *role, uv_loop_t *loop, struct places **out)
{
	struct places *p = calloc(1, sizeof(*p));

	if (!p)
		return ERR_NO_MEMORY;
	p->role = role;
	p->loop = loop;
	uv_timer_init(loop, &p->look);
	p->look.data = p;
	uv_timer_start(&p->look, on_look, LOOK_MS, LOOK_MS);
	look(p, true);
	*out = p;
	return 0;
}

void places_reload(struct places *p)
{
	if (p)
		look(p, false);
}

bool places_busy(const struct places *p)
{
	return p && p->busy;
}

void places_free(struct places *p)
{
	if (!p)
		return;
	uv_timer_stop(&p->look);
	free(p);
}
