/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/apply.h"

#include "base/err.h"
#include "base/log.h"
#include "zone/difference.h"

enum {
	IN_PLACE_RECORDS_MIN = 256, /* a smaller zone is built as quickly as it is compared */
	IN_PLACE_PART = 10,         /* a change of more than one record in so many is built quicker than applied */
};

/* True when the zone is what c says. Anything that is not as expected is left to the whole build. */
static bool change_in_place(struct store_writer *w, const uint8_t *apex, const struct content *c, const struct store_zone_meta *meta, struct applied *out)
{
	struct zone_change_problem problem;
	struct zone_change change;
	const struct store_zone *z;
	struct store_snapshot s;
	char name[NAME_TEXT_MAX];
	int err;

	store_writer_snapshot(w, &s);
	z = store_zone_get(&s, apex);
	if (!z || z->state != STORE_ZONE_SERVING || z->record_count < IN_PLACE_RECORDS_MIN ||
	    zone_difference_store(&s, z, c, z->record_count / IN_PLACE_PART, &change) < 0)
		return false;
	err = store_change_zone(w, apex, &change, meta, &problem);
	if (!err) {
		*out = (struct applied){true, content_record_count(change.removed), content_record_count(change.added)};
	} else if (err == ERR_INVALID) {
		/* A difference always applies to what it was made from. */
		name_to_text(apex, name);
		log_warn("zone=%s note=\"the difference does not apply, building the zone anew: %s\"", name, problem.text);
	}
	zone_change_done(&change);
	return !err;
}

int apply_content(struct store_writer *w, const uint8_t *apex, const struct content *c, const struct store_zone_meta *meta, struct applied *out)
{
	*out = (struct applied){0};
	return change_in_place(w, apex, c, meta, out) ? 0 : store_put_zone(w, apex, c, meta);
}
