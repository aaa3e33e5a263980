/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/variants_out.h"

#include "base/err.h"
#include "dns/base64.h"
#include "dns/rr.h"
#include "zone/print.h"

#include <errno.h>
#include <time.h>

enum { OUT_CHUNK = 64 << 10 };

static int flush(struct variants_out *o)
{
	int err = o->text.failed ? ERR_NO_MEMORY : fwrite(o->text.chars, 1, o->text.len, o->to.file) != o->text.len ? -EIO : 0;

	text_clear(&o->text);
	return err;
}

static bool is_made(uint16_t type)
{
	return type == RR_VARIANT || type == RR_RRSIG || type == RR_NSEC || type == RR_NSEC3;
}

int variants_out_record(struct variants_out *o, const uint8_t *owner, uint32_t ttl, uint16_t type, const uint8_t *rdata, size_t rdlen)
{
	char name[NAME_TEXT_MAX];

	if (type == RR_STEER || type == RR_VARIANT) {
		name_to_text(owner, name);
		text_fmt(&o->text, "%s\t%u\tIN\tTYPE%u\t\\# %zu ", name, ttl, type, rdlen);
		hex_put(&o->text, rdata, rdlen);
		text_char(&o->text, '\n');
	} else {
		zone_print_record(&o->text, owner, ttl, type, rdata, rdlen);
	}
	return o->text.failed || o->text.len >= OUT_CHUNK ? flush(o) : 0;
}

int variants_out_open(struct variants_out *o, const char *path, const struct content *content, struct diag *diag)
{
	bool was_signed = false;
	int err = zone_out_open(&o->to, path, NULL, false);

	if (err)
		return err;
	text_init(&o->text);
	for (size_t i = 0; content && i < content_rrset_count(content) && !err; i++) {
		const struct content_rrset *set = content_rrset(content, i);

		was_signed |= is_made(set->type) && set->type != RR_VARIANT;
		for (uint32_t k = 0; k < set->count && !err && !is_made(set->type); k++)
			err = variants_out_record(o, set->owner, set->ttl, set->type, set->records[k].rdata, set->records[k].rdlen);
	}
	if (was_signed)
		diag_add(diag, DIAG_WARNING, NULL, 0, 0, "the zone was signed already: RRSIG, NSEC and NSEC3 records are left out, your signer makes new ones");
	return err ? variants_out_close(o, err) : 0;
}

void variants_out_heading(struct variants_out *o, uint32_t until)
{
	text_fmt(&o->text, "; What steered names may be answered with, signed by zonecast zone sign-variants; good until %s.\n", variants_time(until).text);
}

int variants_out_close(struct variants_out *o, int err)
{
	int rc = 0;

	if (!err)
		err = flush(o);
	text_done(&o->text);
	rc = zone_out_close(&o->to, !err);
	return err ? err : rc;
}

struct variants_time variants_time(uint32_t at)
{
	/* The one of those that differ by 2^32 seconds that is next to now (RFC 4034 3.1.5). */
	time_t now = time(NULL), t = now + (int32_t)(at - (uint32_t)now);
	struct variants_time out;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(out.text, sizeof(out.text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(out.text, sizeof(out.text), "?");
	return out;
}
