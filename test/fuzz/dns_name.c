/* SPDX-License-Identifier: BSD-2-Clause */
/* Names from text and from wire: what parses prints, and what is printed parses to the same octets. */
#include "base/wire.h"
#include "dns/name.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct name *n)
{
	char text[NAME_TEXT_MAX];
	struct name again, lower;
	size_t len = name_to_text(n->wire, text);

	if (len >= sizeof(text) || name_from_text(text, len, NULL, &again) < 0 || again.len != n->len ||
	    memcmp(again.wire, n->wire, n->len) != 0)
		abort();
	if (name_len(n->wire) != n->len || name_check(n->wire, n->len) != n->len)
		abort();
	name_lower(&lower, n->wire);
	if (!name_equal(lower.wire, n->wire) || name_compare(lower.wire, n->wire) != 0 ||
	    name_common_labels(lower.wire, n->wire) != name_labels(n->wire) || !name_is_under(n->wire, name_parent(n->wire)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t origin[] = "\x07" "example";
	struct reader r = reader_of(data, size);
	struct name a, b;
	int checked;

	if (name_from_text((const char *)data, size, origin, &a) == 0)
		round_trip(&a);
	checked = name_check(data, size);
	while (reader_left(&r)) {
		size_t before = r.pos;

		if (name_from_wire(&r, &b) < 0)
			break;
		if (before == 0 && checked > 0 && (b.len != checked || memcmp(b.wire, data, b.len) != 0))
			abort();
		round_trip(&b);
		if (r.pos <= before)
			abort();
	}
	return 0;
}
