/* SPDX-License-Identifier: BSD-2-Clause */
/* The zones of the journal, and their timers. */
#include "base/err.h"
#include "journal/journal_priv.h"

#include <string.h>

int zone_row_get(struct journal_txn *t, const uint8_t *apex, struct row_zone *out)
{
	const struct row_key key = row_key_zone(apex);
	struct reader r;
	int err;

	name_copy(&t->zone, apex);
	t->has_zone = true;
	err = txn_get(t, &key, &r);
	if (!err && row_zone_get(&r, out) < 0)
		err = txn_fail(t, ERR_MALFORMED, "its row is damaged");
	return err;
}

int zone_row_make(struct journal_txn *t, const uint8_t *apex, struct row_zone *out)
{
	const struct row_key key = row_key_format();
	struct row_format f;
	struct reader r;
	struct writer w;
	int err = zone_row_get(t, apex, out);

	if (err != ERR_NOT_FOUND)
		return err;
	err = txn_get(t, &key, &r);
	if (!err)
		err = row_format_get(&r, &f);
	if (err)
		return txn_fail(t, ERR_MALFORMED, "no readable row says the journal's format");
	*out = (struct row_zone){.id = f.next_id++, .next_seq = 1};
	w = txn_body(t, ROW_BODY_MAX);
	row_format_put(&w, &f);
	return txn_put(t, &key, &w);
}

int zone_row_put(struct journal_txn *t, const uint8_t *apex, const struct row_zone *z)
{
	const struct row_key key = row_key_zone(apex);
	struct writer w = txn_body(t, ROW_BODY_MAX);

	row_zone_put(&w, z);
	return txn_put(t, &key, &w);
}

static struct journal_zone facts(const struct row_zone *z)
{
	struct journal_zone out = {.id = z->id, .has_version = z->has_version};

	if (z->has_version) {
		out.oldest = z->whole.serial;
		out.newest = z->newest;
		out.records = z->newest_records;
		out.whole_octets = z->octets;
		out.difference_octets = z->change_octets;
		out.differences = z->changes;
	}
	return out;
}

int journal_get_zone(struct journal_txn *t, const uint8_t *apex, struct journal_zone *out)
{
	struct row_zone z;
	int err = zone_row_get(t, apex, &z);

	if (!err)
		*out = facts(&z);
	return err;
}

int journal_each_zone(struct journal_txn *t, journal_zone_fn *fn, void *ctx)
{
	struct row_key key = {.bytes = {ROW_ZONE}, .len = 1};
	int err = 0;

	while (!err) {
		struct journal_zone out;
		struct row_zone z;
		struct row_key found;
		struct reader r;

		err = txn_next(t, &key, &found, &r);
		if (err == ERR_NOT_FOUND || (!err && found.bytes[0] != ROW_ZONE))
			return 0;
		if (err)
			return err;
		if (name_check(found.bytes + 1, found.len - 1) != (int)found.len - 1 || row_zone_get(&r, &z) < 0)
			return txn_fail(t, ERR_MALFORMED, "the row of a zone is damaged");
		out = facts(&z);
		err = fn(ctx, found.bytes + 1, &out);
		/* The smallest key after it. A key of full length ends with the root's 0, so raising that octet does. */
		key = found;
		if (key.len < sizeof(key.bytes))
			key.bytes[key.len++] = 0;
		else
			key.bytes[key.len - 1] = 1;
	}
	return err;
}

int journal_remove_zone(struct journal_txn *t, const uint8_t *apex)
{
	const struct row_key key = row_key_zone(apex);
	struct row_key timers, serial, chunks, changes;
	struct row_zone z;
	int err = zone_row_get(t, apex, &z);

	if (err)
		return err;
	timers = row_key_timers(z.id);
	serial = row_key_serial(z.id);
	chunks = row_key_chunk(z.id, 0, 0);
	changes = row_key_change(z.id, 0, 0);
	err = txn_del_prefix(t, &timers, 9);
	for (int what = JOURNAL_NOTE_HELD; !err && what < JOURNAL_NOTES_END; what++) {
		const struct row_key note = row_key_note((enum journal_note)what, z.id);

		err = txn_del(t, &note);
		err = err == ERR_NOT_FOUND ? 0 : err;
	}
	if (!err)
		err = txn_del_prefix(t, &serial, 9);
	if (!err)
		err = txn_del_prefix(t, &chunks, 9);
	if (!err)
		err = txn_del_prefix(t, &changes, 9);
	return err ? err : txn_del(t, &key);
}

/* The zone's row, which is made where there is none, for another row that is to go with it. */
static int zone_for_row(struct journal_txn *t, const uint8_t *apex, struct row_zone *z)
{
	int err = zone_row_make(t, apex, z);

	if (!err && !z->has_version) /* it may be new */
		err = zone_row_put(t, apex, z);
	return err;
}

/* The row of a zone that row_key_of names. */
static int row_of_zone(struct journal_txn *t, const uint8_t *apex, struct row_key (*row_key_of)(uint64_t), struct reader *out)
{
	struct row_key key;
	struct row_zone z;
	int err = zone_row_get(t, apex, &z);

	if (err)
		return err;
	key = row_key_of(z.id);
	return txn_get(t, &key, out);
}

int journal_set_timers(struct journal_txn *t, const uint8_t *apex, const struct journal_timers *timers)
{
	struct row_key key;
	struct row_zone z;
	struct writer w;
	int err;

	if (!memchr(timers->error, 0, sizeof(timers->error)) || !memchr(timers->primary, 0, sizeof(timers->primary)))
		return txn_fail(t, ERR_INVALID, "texts of timers without an end");
	err = zone_for_row(t, apex, &z);
	if (err)
		return err;
	key = row_key_timers(z.id);
	w = txn_body(t, ROW_BODY_MAX);
	row_timers_put(&w, timers);
	return txn_put(t, &key, &w);
}

int journal_get_timers(struct journal_txn *t, const uint8_t *apex, struct journal_timers *out)
{
	struct reader r;
	int err = row_of_zone(t, apex, row_key_timers, &r);

	if (!err && row_timers_get(&r, out) < 0)
		err = txn_fail(t, ERR_MALFORMED, "the row of its timers is damaged");
	return err;
}

int journal_set_serial(struct journal_txn *t, const uint8_t *apex, const struct journal_serial *s)
{
	struct row_key key;
	struct row_zone z;
	struct writer w;
	int err = zone_for_row(t, apex, &z);

	if (err)
		return err;
	key = row_key_serial(z.id);
	w = txn_body(t, ROW_BODY_MAX);
	row_serial_put(&w, s);
	return txn_put(t, &key, &w);
}

int journal_get_serial(struct journal_txn *t, const uint8_t *apex, struct journal_serial *out)
{
	struct reader r;
	int err = row_of_zone(t, apex, row_key_serial, &r);

	if (!err && row_serial_get(&r, out) < 0)
		err = txn_fail(t, ERR_MALFORMED, "the row of its serial is damaged");
	return err;
}

int journal_set_note(struct journal_txn *t, const uint8_t *apex, enum journal_note what, const void *octets, size_t len)
{
	const struct row_note note = {.apex = apex, .octets = octets, .len = len};
	struct row_key key;
	struct row_zone z;
	struct writer w;
	int err = zone_row_make(t, apex, &z);

	if (err)
		return err;
	key = row_key_note(what, z.id);
	if (!len) {
		err = txn_del(t, &key);
		return err == ERR_NOT_FOUND ? 0 : err;
	}
	if (len > JOURNAL_NOTE_MAX)
		return txn_fail(t, ERR_INVALID, "a note of more than %d octets", JOURNAL_NOTE_MAX);
	if (!z.has_version) { /* it may be new */
		err = zone_row_put(t, apex, &z);
		if (err)
			return err;
	}
	w = txn_body(t, ROW_BODY_MAX);
	row_note_put(&w, &note);
	return txn_put(t, &key, &w);
}

int journal_get_note(struct journal_txn *t, const uint8_t *apex, enum journal_note what, uint8_t *buf, size_t *len)
{
	struct row_note note;
	struct row_key key;
	struct row_zone z;
	struct reader r;
	int err = zone_row_get(t, apex, &z);

	if (err)
		return err;
	key = row_key_note(what, z.id);
	err = txn_get(t, &key, &r);
	if (!err && row_note_get(&r, &note) < 0)
		err = txn_fail(t, ERR_MALFORMED, "the row of a note is damaged");
	if (err)
		return err;
	memcpy(buf, note.octets, note.len);
	*len = note.len;
	return 0;
}

int journal_each_note(struct journal_txn *t, enum journal_note what, journal_note_fn *fn, void *ctx)
{
	struct row_key key = row_key_note(what, 0);
	int err = 0;

	while (!err) {
		struct row_note note;
		struct row_key found;
		struct reader r;

		err = txn_next(t, &key, &found, &r);
		if (err == ERR_NOT_FOUND || (!err && (found.bytes[0] != ROW_NOTE || found.bytes[1] != (uint8_t)what)))
			return 0;
		if (!err && row_note_get(&r, &note) < 0)
			err = txn_fail(t, ERR_MALFORMED, "the row of a note is damaged");
		if (err)
			return err;
		err = fn(ctx, note.apex, note.octets, note.len);
		key = found;
		key.bytes[key.len++] = 0;
	}
	return err;
}
