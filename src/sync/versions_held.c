/* SPDX-License-Identifier: BSD-2-Clause */
/* Zones that were gone back in, and whose files still say what was gone back from: the version in the journal holds against them. */
#include "sync/versions_priv.h"

#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"
#include "config/config.h"
#include "dns/rr.h"
#include "sync/zone_list.h"

#include <stdio.h>
#include <stdlib.h>

enum { HOLD_FORMAT = 1 };

struct versions_hold *versions_hold_find(const struct versions *v, const uint8_t *apex)
{
	for (size_t i = 0; i < v->hold_count; i++)
		if (name_equal(v->holds[i].apex.wire, apex))
			return &v->holds[i];
	return NULL;
}

int versions_hold_add(struct versions *v, const struct versions_hold *h)
{
	struct versions_hold *there = versions_hold_find(v, h->apex.wire);

	if (there) {
		*there = *h;
		return 0;
	}
	if (v->hold_count == v->hold_cap) {
		size_t cap = v->hold_cap * 2 + 8;
		struct versions_hold *more = realloc(v->holds, cap * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		v->holds = more;
		v->hold_cap = cap;
	}
	v->holds[v->hold_count++] = *h;
	return 0;
}

void versions_hold_remove(struct versions *v, struct versions_hold *h)
{
	*h = v->holds[--v->hold_count];
}

void versions_hold_put(const struct versions_hold *h, uint8_t octets[VERSIONS_HOLD_OCTETS])
{
	octets[0] = HOLD_FORMAT;
	for (unsigned i = 0; i < ZONE_DIGEST_WORDS; i++) {
		put_u32(octets + 1 + 8 * i, (uint32_t)(h->mark.words[i] >> 32));
		put_u32(octets + 5 + 8 * i, (uint32_t)h->mark.words[i]);
	}
	put_u32(octets + 1 + ZONE_DIGEST_OCTETS, h->file_serial);
}

int versions_hold_read(void *ctx, const uint8_t *apex, const uint8_t *octets, size_t len)
{
	struct versions_hold h = {.ended = false};

	if (len != VERSIONS_HOLD_OCTETS || octets[0] != HOLD_FORMAT)
		return ERR_MALFORMED;
	name_lower(&h.apex, apex);
	for (unsigned i = 0; i < ZONE_DIGEST_WORDS; i++)
		h.mark.words[i] = (uint64_t)get_u32(octets + 1 + 8 * i) << 32 | get_u32(octets + 5 + 8 * i);
	h.file_serial = get_u32(octets + 1 + ZONE_DIGEST_OCTETS);
	return versions_hold_add(ctx, &h);
}

bool versions_held_serial(const uint8_t *note, size_t len, uint32_t *serial)
{
	if (len != VERSIONS_HOLD_OCTETS || note[0] != HOLD_FORMAT)
		return false;
	*serial = get_u32(note + 1 + ZONE_DIGEST_OCTETS);
	return true;
}

size_t versions_held(const struct versions *v)
{
	return v->hold_count;
}

/* ---- versions out of the journal ---- */

static int get_content(struct journal_txn *t, void *ctx)
{
	struct versions_wanted *w = ctx;
	struct journal_zone z;
	int err = journal_get_zone(t, w->apex, &z);

	if (!err && !z.has_version)
		err = ERR_NOT_FOUND;
	if (!err)
		err = journal_get_content(t, w->apex, w->newest ? z.newest : w->serial, &w->content);
	if (!err && w->newest)
		w->serial = z.newest;
	return err;
}

int versions_read_newest(struct versions *v, const uint8_t *apex, struct versions_wanted *out)
{
	struct text why;
	char zone[NAME_TEXT_MAX];
	int err;

	*out = (struct versions_wanted){.apex = apex, .newest = true};
	text_init(&why);
	err = journal_read(v->journal, get_content, out, &why);
	if (err) {
		name_to_text(apex, zone);
		log_err("journal zone=%s error=\"the version gone back to cannot be read: %s\" action=\"its file is "
		        "served\"",
		        zone, why.chars);
	}
	text_done(&why);
	return err;
}

/* ---- files that are held against ---- */

static uint32_t serial_of(const struct content *c)
{
	const struct content_rrset *set = content_soa(c);
	struct soa soa = {0};

	if (set && soa_parse(set->records[0].rdata, set->records[0].rdlen, &soa) < 0)
		soa.serial = 0;
	return soa.serial;
}

int versions_judge(struct versions *v, const struct zone_row *row, const struct content *file, struct content **instead, char *why)
{
	bool keeps = !row->conf || row->conf->serial == CONFIG_SERIAL_KEEP;
	const struct versions_hold *h = versions_hold_find(v, row->apex);
	uint32_t serial = serial_of(file);
	struct zone_digest mark;
	char zone[NAME_TEXT_MAX];
	struct versions_wanted w;
	int err;

	*instead = NULL;
	if (!h || (keeps && serial != h->file_serial))
		return 0;
	err = versions_mark(file, &mark);
	if (err || !zone_digest_equal(&mark, &h->mark) || versions_read_newest(v, row->apex, &w) < 0)
		return err;
	*instead = w.content;
	snprintf(why, VERSIONS_WHY_MAX, "the file still says what was gone back from, serial %u: serial %u is served until it changes", serial, w.serial);
	name_to_text(row->apex, zone);
	log_notice("zone=%s file=%s note=\"%s\"", zone, row->path, why);
	return 0;
}
