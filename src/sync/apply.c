/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/apply.h"

#include "base/err.h"
#include "base/log.h"

#include <string.h>
#include "zone/prints.h"

enum {
	IN_PLACE_RECORDS_MIN = 256, /* a smaller zone is built as quickly as it is compared */
	IN_PLACE_PART = 10,         /* a change of more than one record in so many is built quicker than applied */
	TOLD_RECORDS_MIN = 1000,   /* a change of no more records than this is told, however small the zone */
};

struct prints_pair {
	const struct zone_prints *before, *now; /* NULL: not known */
};

static int differ(const struct store_snapshot *s, const struct store_zone *z, const struct content *c, const struct prints_pair *p, struct zone_change *out)
{
	size_t limit = MAX((size_t)z->record_count / IN_PLACE_PART, (size_t)TOLD_RECORDS_MIN);
	int err = p->before ? zone_difference_prints(p->before, p->now, s, z, c, limit, out) : ERR_UNSUPPORTED;

	return err == ERR_UNSUPPORTED ? zone_difference_store(s, z, c, limit, out) : err;
}

static bool has_source(const struct store_zone *z, const char *source)
{
	return z->source_len == strlen(source) && memcmp(z->tail + z->apex_len, source, z->source_len) == 0;
}

/* True when the zone is what c says. Anything that is not as expected is left to the whole build. */
static bool change_in_place(struct store_writer *w, const uint8_t *apex, const struct content *c, const struct store_zone_meta *meta, const struct prints_pair *prints,
                            struct applied *out)
{
	struct zone_change_problem problem;
	const struct store_zone *z;
	struct store_snapshot s;
	char name[NAME_TEXT_MAX];
	size_t size;
	int err;

	store_writer_snapshot(w, &s);
	z = store_zone_get(&s, apex);
	if (!z || z->state != STORE_ZONE_SERVING || differ(&s, z, c, prints, &out->change) < 0)
		return false;
	out->has_change = true;
	size = zone_change_size(&out->change);
	if (!size && z->network == meta->network && has_source(z, meta->source)) {
		out->unchanged = true;
		return true;
	}
	if (z->record_count < IN_PLACE_RECORDS_MIN || size > z->record_count / IN_PLACE_PART)
		return false;
	err = store_change_zone(w, apex, &out->change, meta, &problem);
	if (err == ERR_INVALID) {
		/* A difference always applies to what it was made from. */
		name_to_text(apex, name);
		log_warn("zone=%s note=\"the difference does not apply, building the zone anew: %s\"", name, problem.text);
	}
	if (err)
		return false;
	out->in_place = true;
	out->removed = content_record_count(out->change.removed);
	out->added = content_record_count(out->change.added);
	return true;
}

int apply_content_known(struct store_writer *w, const uint8_t *apex, const struct content *c, const struct store_zone_meta *meta,
                        const struct zone_prints *before, const struct zone_prints *now, struct applied *out)
{
	const struct prints_pair prints = {before, now};
	int err = 0;

	*out = (struct applied){0};
	if (!change_in_place(w, apex, c, meta, &prints, out))
		err = store_put_zone(w, apex, c, meta);
	if (err && out->has_change) {
		zone_change_done(&out->change);
		out->has_change = false;
	}
	return err;
}

int apply_content(struct store_writer *w, const uint8_t *apex, const struct content *c, const struct store_zone_meta *meta, struct applied *out)
{
	return apply_content_known(w, apex, c, meta, NULL, NULL, out);
}
