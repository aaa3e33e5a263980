/* SPDX-License-Identifier: BSD-2-Clause */
/* A zone file to finished, checked content. */
#include "base/err.h"
#include "zone/check.h"
#include "zone/content_priv.h"

int load_record(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	struct load *l = ctx;
	char name[NAME_TEXT_MAX];

	if (!place->same_owner)
		l->outside = !name_is_under(rr->owner, l->content->apex.wire);
	if (l->outside) {
		name_to_text(rr->owner, name);
		diag_add(l->diag, DIAG_WARNING, place->file, place->line, place->column, "%s is outside the zone: ignored", name);
		return 0;
	}
	return content_add_next(l->content, rr, place);
}

void load_progress(void *ctx, uint64_t done, uint64_t all)
{
	struct load *l = ctx;

	l->o->on_progress(l->o->ctx, done, all);
}

int zone_load_file(const char *path, const uint8_t *apex, const struct zone_load_options *o, struct diag *diag,
                   struct content **out)
{
	struct load l = {.content = content_new(apex), .o = o, .diag = diag};
	struct zonefile_options zo = {.origin = apex, .rclass = CLASS_IN, .on_record = load_record, .ctx = &l,
	                              .on_progress = o && o->on_progress ? load_progress : NULL};
	unsigned before = diag->errors;
	int err = ERR_NO_MEMORY, finished;

	if (l.content && !load_parallel(path, &l, &err))
		err = zonefile_parse(path, &zo, diag);
	finished = l.content && (!err || err == ERR_INVALID) ? content_finish(l.content) : err;

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
