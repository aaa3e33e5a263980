/* SPDX-License-Identifier: BSD-2-Clause */
/* What `zonecast zone status` shows of a zone held by transfer. */
#include "sync/secondaries_priv.h"

#include "base/err.h"
#include "proc/role.h"
#include "sync/told.h"

#include <inttypes.h>

/* The catalog that it is a member of, and the group whose template it goes by. */
static void add_template(const struct secondaries *s, const struct secondary *z, struct text *out)
{
	const struct config *c = s->role->config;
	const struct config_template *t = config_template_find(c, z->origin);
	char text[NAME_TEXT_MAX];

	for (size_t i = 0; t && i < c->catalog_count; i++)
		if (t == &c->catalogs[i].members || (t >= c->catalogs[i].groups && t < c->catalogs[i].groups + c->catalogs[i].group_count)) {
			name_to_text(c->catalogs[i].apex, text);
			told_string(out, "catalog", text);
		}
	if (t && t->name)
		told_string(out, "group", t->name);
}

static const char *state_of(const struct secondary *z)
{
	return !z->has_version && !z->expired ? "empty" : z->expired ? "expired" : z->failures ? "failing" : "fresh";
}

static void describe(const struct secondaries *s, const struct secondary *z, struct text *out)
{
	static const char *const phases[] = {"waiting", "queued", "busy"};
	int64_t now = secondaries_now_ms();
	char text[NAME_TEXT_MAX];

	text_str(out, "{\"role\":\"secondary\"");
	name_to_text(z->apex, text);
	told_string(out, "zone", text);
	told_string(out, "state", state_of(z));
	told_string(out, "phase", phases[z->phase]);
	told_string(out, "primary", endpoint_text(&z->primaries[z->primary], text));
	text_fmt(out, ",\"primaries\":%u,\"failures\":%u", z->primary_count, z->failures);
	if (z->origin)
		add_template(s, z, out);
	if (z->has_version)
		text_fmt(out, ",\"serial\":%u", z->serial);
	if (z->has_primary_serial)
		text_fmt(out, ",\"primary_serial\":%u", z->primary_serial);
	if (z->has_refreshed)
		text_fmt(out, ",\"refreshed_s\":%" PRId64, (now - z->refreshed_ms) / 1000);
	if (z->phase == SECONDARY_WAITING && z->due_ms != INT64_MIN)
		text_fmt(out, ",\"next_s\":%" PRId64, MAX(z->due_ms - now, (int64_t)0) / 1000);
	if (z->has_version)
		text_fmt(out, ",\"expires_s\":%" PRId64, (z->expire_at_ms - now) / 1000);
	for (const struct flight *f = s->flights; f; f = f->next)
		if (f->fetch && name_equal(f->apex.wire, z->apex)) {
			struct xfr_in_facts facts;
			struct endpoint from;

			fetch_progress(f->fetch, &facts, &from);
			text_fmt(out, ",\"receiving\":{\"records\":%" PRIu64 ",\"octets\":%" PRIu64 "}", facts.records, facts.octets);
		}
	if (z->error)
		told_string(out, "error", z->error);
	text_str(out, "}\n");
}

int secondaries_describe(const struct secondaries *s, const uint8_t *apex, struct text *out)
{
	const struct secondary *z = s->set ? secondary_find(s->set, apex) : NULL;

	if (!z)
		return ERR_NOT_FOUND;
	describe(s, z, out);
	return 0;
}

const uint8_t *secondaries_after(const struct secondaries *s, const uint8_t *after)
{
	const struct secondary *z = s->set ? secondary_after(s->set, after) : NULL;

	return z ? z->apex : NULL;
}
