/* SPDX-License-Identifier: BSD-2-Clause */
#include "zone/print.h"

#include "base/err.h"

#include <errno.h>

enum { PRINT_CHUNK = 64 << 10 };

void zone_print_record(struct text *out, const uint8_t *owner, uint32_t ttl, uint16_t type, const uint8_t *rdata, size_t rdlen)
{
	char name[NAME_TEXT_MAX], mnemonic[RRTYPE_TEXT_MAX];

	text_add(out, name, name_to_text(owner, name));
	text_fmt(out, "\t%u\tIN\t%s\t", ttl, rrtype_text(type, mnemonic));
	rdata_to_text(type, rdata, rdlen, out);
	text_char(out, '\n');
}

void zone_print_own_record(struct text *out, const uint8_t *owner, uint32_t ttl, uint16_t type, const uint8_t *rdata, size_t rdlen)
{
	char name[NAME_TEXT_MAX], mnemonic[RRTYPE_TEXT_MAX];

	text_add(out, name, name_to_text(owner, name));
	text_fmt(out, "\t%u\tIN\t%s\t", ttl, rrtype_own_text(type, mnemonic));
	rdata_to_own_text(type, rdata, rdlen, out);
	text_char(out, '\n');
}

int zone_print(const struct content *c, FILE *f)
{
	struct text t;
	int err = 0;

	text_init(&t);
	for (size_t i = 0; !err && i < content_rrset_count(c); i++) {
		const struct content_rrset *set = content_rrset(c, i);

		for (uint32_t k = 0; k < set->count; k++)
			zone_print_record(&t, set->owner, set->ttl, set->type, set->records[k].rdata, set->records[k].rdlen);
		if (t.failed)
			err = ERR_NO_MEMORY;
		else if (t.len >= PRINT_CHUNK || i + 1 == content_rrset_count(c)) {
			if (fwrite(t.chars, 1, t.len, f) != t.len)
				err = -EIO;
			text_clear(&t);
		}
	}
	text_done(&t);
	return err;
}
