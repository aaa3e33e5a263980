/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/serials.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "proc/role.h"

#include <stdlib.h>
#include <string.h>

bool serials_needed(const struct role *role)
{
	const struct config *c = role->config;
	struct endpoint source;

	for (size_t i = 0; c && i < c->zone_count; i++)
		if (c->zones[i].serial != CONFIG_SERIAL_KEEP && c->zones[i].file &&
		    config_node_serves(role->node, &c->zones[i]) &&
		    !config_zone_sources(c, role->node, &c->zones[i], &source, 1))
			return true;
	return false;
}

static void mark(const char *source, uint64_t files[2])
{
	size_t len = strlen(source);

	files[0] = hash_checksum(source, len, 1);
	files[1] = hash_checksum(source, len, files[0]);
}

struct asked_past {
	const uint8_t *apex;
	struct journal_serial found;
};

static int get(struct journal_txn *t, void *ctx)
{
	struct asked_past *a = ctx;

	return journal_get_serial(t, a->apex, &a->found);
}

struct gate_past serials_past(struct journal *j, const uint8_t *apex, const char *source)
{
	struct asked_past a = {.apex = apex};
	struct gate_past past = {0};
	char zone[NAME_TEXT_MAX];
	uint64_t files[2];
	struct text why;
	int err;

	if (!j)
		return past;
	text_init(&why);
	err = journal_read(j, get, &a, &why);
	if (err == 0) {
		mark(source, files);
		past = (struct gate_past){.has_serial = true,
		                          .serial = a.found.serial,
		                          .same_file = source[0] && memcmp(files, a.found.files, sizeof(files)) == 0};
	} else if (err != ERR_NOT_FOUND) {
		name_to_text(apex, zone);
		log_err("journal zone=%s what=serial error=\"%s\" action=\"taking the file's\"", zone,
		        why.len ? why.chars : err_text(err));
	}
	text_done(&why);
	return past;
}

int serials_add(struct serials *s, const uint8_t *apex, uint32_t serial, const char *source)
{
	if (s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;
		struct serials_row *rows = realloc(s->rows, cap * sizeof(*rows));

		if (!rows)
			return ERR_NO_MEMORY;
		s->rows = rows;
		s->cap = cap;
	}
	s->rows[s->count] = (struct serials_row){.apex = apex, .is = {.serial = serial}};
	mark(source, s->rows[s->count++].is.files);
	return 0;
}

static int put_all(struct journal_txn *t, void *ctx)
{
	const struct serials *s = ctx;
	int err = 0;

	for (size_t i = 0; i < s->count && !err; i++)
		err = journal_set_serial(t, s->rows[i].apex, &s->rows[i].is);
	return err;
}

void serials_write(struct serials *s, struct journal *j)
{
	struct text why;

	if (!s->count)
		return;
	text_init(&why);
	if (!j || journal_write(j, put_all, s, &why) < 0)
		log_err("journal what=serials zones=%zu error=\"%s\" action=\"they are served, but after a reboot the "
		        "files' own serials would be\"",
		        s->count, j ? why.chars : "there is no journal");
	text_done(&why);
	s->count = 0;
}

void serials_done(struct serials *s)
{
	free(s->rows);
	*s = (struct serials){0};
}
