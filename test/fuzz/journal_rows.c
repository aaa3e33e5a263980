/* SPDX-License-Identifier: BSD-2-Clause */
/* Bodies of the journal's rows: what is taken is written again to the same octets; records come out in the form in which they go in. */
#include "base/err.h"
#include "journal/records.h"
#include "journal/rows.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t apex[] = "\x07" "example";
static uint8_t out[ROW_BODY_MAX];

static void same(const struct writer *w, const uint8_t *data, size_t size)
{
	if (!writer_ok(w) || w->pos != size || memcmp(out, data, size) != 0)
		abort();
}

static void records(const uint8_t *data, size_t size)
{
	static struct records_packer p;
	struct records_unpacker u, again;
	struct rr rr, other;
	unsigned n = 0;

	records_unpack_start(&u, apex, data, size);
	records_pack_start(&p, apex);
	while (records_unpack(&u, &rr) == 1) {
		/* These rely on nothing but valid records. */
		if (record_order(&rr, &rr) != 0 || !record_same(&rr, &rr) || record_octets(&rr) < rr.rdlen || record_sum(&rr) != record_sum(&rr))
			abort();
		if (records_pack(&p, &rr) != 0)
			return;
		n++;
	}
	records_unpack_start(&u, apex, data, size);
	records_unpack_start(&again, apex, p.bytes, p.len);
	for (unsigned i = 0; i < n; i++)
		if (records_unpack(&u, &rr) != 1 || records_unpack(&again, &other) != 1 || !record_same(&rr, &other))
			abort();
	if (records_unpack(&again, &other) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct writer w = writer_of(out, sizeof(out));
	struct reader r;
	struct row_zone zone;
	struct row_change change;
	struct journal_timers timers;
	struct row_note note;
	struct row_format format;
	struct row_records head;
	uint8_t sealed[64];

	if (!size)
		return 0;
	r = reader_of(data + 1, size - 1);
	switch (data[0]) {
	case ROW_ZONE:
		if (row_zone_get(&r, &zone) == 0) {
			row_zone_put(&w, &zone);
			same(&w, data + 1, size - 1);
		}
		break;
	case ROW_CHANGE:
		if (row_change_get(&r, &change) == 0) {
			row_change_put(&w, &change);
			same(&w, data + 1, size - 1);
		}
		break;
	case ROW_TIMERS:
		if (row_timers_get(&r, &timers) == 0) {
			row_timers_put(&w, &timers);
			same(&w, data + 1, size - 1);
		}
		break;
	case ROW_NOTE:
		if (row_note_get(&r, &note) == 0) {
			struct name lower;

			row_note_put(&w, &note);
			name_lower(&lower, note.apex);
			if (memcmp(lower.wire, note.apex, lower.len) == 0)
				same(&w, data + 1, size - 1);
		}
		break;
	case ROW_FORMAT:
		if (row_format_get(&r, &format) == 0 && format.format == ROWS_FORMAT) {
			row_format_put(&w, &format);
			same(&w, data + 1, size - 1);
		}
		break;
	case ROW_CHUNK:
		if (row_records_get(&r, &head) == 0)
			records(r.base + r.pos, reader_left(&r));
		break;
	default:
		if (row_unseal("k", 1, data, size, &r) == 0 && size < sizeof(sealed)) {
			memcpy(sealed, data, size);
			row_seal("k", 1, sealed, size);
			if (memcmp(sealed, data, size) != 0)
				abort();
		}
		break;
	}
	return 0;
}
