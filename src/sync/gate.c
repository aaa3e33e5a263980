/* SPDX-License-Identifier: BSD-2-Clause */
/* The gate of a primary. zone_check() has found the file fit to be served in itself; here it is held against the version that is served:
 *
 *     digest      a ZONEMD that is there must be right; or it is computed, last of all, over what is served in the end
 *     serial      content changed ──► the file's serial is ahead: it is taken
 *                                 ──► else one is made by the policy; with `keep` the file is refused, since no secondary would ever see the change
 *                 content the same ──► the serial served stays; it never goes back
 *     shrinking   a zone of more than GATE_SMALL_ZONE records that loses more than its limit waits for an explicit yes
 *
 * "The same" is found by dressing the new content in the serial and the digest of the version served: then nothing may differ. That is one pass over both, and
 * it ends at the first difference; it is made only where a policy or an unchanged serial asks for it. A computed ZONEMD is a digest over the whole zone in canonical
 * order (RFC 8976), so each change costs the whole zone again: 0.25 s of CPU for 1,000,000 delegations with two NS each. Zones for which that is too long are better off without:
 * zone/digest.h follows changes.
 *
 * A signed zone is served as its signer made it: another serial would break the signature over the SOA, a new ZONEMD record would need one. Both are refused.
 *
 * In the stand-alone form, and for a serial that stands still in a zone that nobody transfers from here, what would be refused is served with a warning. */
#include "sync/gate.h"

#include "base/err.h"
#include "dns/rr.h"
#include "sync/serial.h"
#include "zone/difference.h"
#include "zone/zonemd.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ZONEMD_HEAD = 6, ZONEMD_LEN = ZONEMD_HEAD + 48, ZONEMD_SCHEME_SIMPLE = 1 };

struct gate {
	struct content *c;
	const struct store_snapshot *s;
	const struct store_zone *z; /* NULL: nothing is served */
	const struct gate_rules *rules;
	bool force;
	struct gate_outcome *out;
};

struct gate_rules gate_rules_of(const struct config_zone *z, bool followed)
{
	if (!z)
		return (struct gate_rules){.serial = CONFIG_SERIAL_KEEP,
		                           .zonemd = CONFIG_ZONEMD_VERIFY,
		                           .shrink_limit = 50};
	return (struct gate_rules){.serial = z->serial,
	                           .zonemd = z->zonemd,
	                           .shrink_limit = z->shrink_limit,
	                           .strict = true,
	                           .followed = followed};
}

/* Refused, or where that is not asked for, told. True: refused. */
static bool PRINTF_LIKE(3, 4) object(struct gate *g, bool strict, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->out->text, sizeof(g->out->text), fmt, ap);
	va_end(ap);
	g->out->refused = strict;
	return strict;
}

bool gate_shrinks(uint64_t had, uint64_t has, unsigned percent, const char *how, char *text)
{
	if (had <= GATE_SMALL_ZONE || has >= had || (had - has) * 100 <= had * percent)
		return false;
	snprintf(text, GATE_TEXT_MAX,
	         "it would lose %" PRIu64 " of its %" PRIu64
	         " records, more than shrink-limit (%u %%) allows; if that is right: %s",
	         had - has, had, percent, how);
	return true;
}

static bool is_signed(const struct content *c)
{
	return content_lookup(c, content_apex(c), RR_DNSKEY) || content_lookup(c, content_apex(c), RR_RRSIG);
}

/* ---- the digest ---- */

static void make_zonemd(uint32_t serial, uint8_t rdata[ZONEMD_LEN])
{
	memset(rdata, 0, ZONEMD_LEN);
	put_u32(rdata, serial);
	rdata[4] = ZONEMD_SCHEME_SIMPLE;
	rdata[5] = ZONEMD_SHA384;
}

/* The one record that the version served has, if it looks like one of ours. */
static bool served_zonemd(const struct gate *g, uint8_t rdata[ZONEMD_LEN])
{
	const struct store_rrset *set = g->z ? store_rrset_of(g->s, store_at(g->s, g->z->apex), RR_ZONEMD) : NULL;

	if (!set || set->count != 1 || get_u16(set->data) != ZONEMD_LEN)
		return false;
	memcpy(rdata, set->data + 2, ZONEMD_LEN);
	return true;
}

static int compute(struct gate *g, uint32_t serial)
{
	uint8_t rdata[ZONEMD_LEN], digest[ZONEMD_DIGEST_OCTETS_MAX];
	int err = zonemd_of_content(g->c, ZONEMD_SHA384, digest);

	make_zonemd(serial, rdata);
	memcpy(rdata + ZONEMD_HEAD, digest, ZONEMD_LEN - ZONEMD_HEAD);
	return err ? err : content_put_zonemd(g->c, rdata, sizeof(rdata));
}

static bool digest_is_wrong(struct gate *g)
{
	char text[ZONEMD_TEXT_MAX];
	enum zonemd_verdict v = zonemd_verify_content(g->c, text);

	if (v != ZONEMD_MISMATCH && v != ZONEMD_FAILED)
		return false;
	return object(g, g->rules->strict, "ZONEMD: %s", text);
}

/* ---- the serial ---- */

/* Give the content the serial, and where digests are computed the digest, of the version served; is it the same then? */
static int is_changed(struct gate *g, bool *changed)
{
	uint8_t rdata[ZONEMD_LEN];
	struct zone_change change;
	int err = content_set_serial(g->c, g->z->serial);

	if (!err && g->rules->zonemd == CONFIG_ZONEMD_COMPUTE) {
		if (!served_zonemd(g, rdata))
			make_zonemd(g->z->serial, rdata);
		err = content_put_zonemd(g->c, rdata, sizeof(rdata));
	}
	if (!err)
		err = zone_difference_store(g->s, g->z, g->c, 0, &change);
	if (err && err != ERR_LIMIT)
		return err;
	if (!err)
		zone_change_done(&change);
	*changed = err == ERR_LIMIT;
	return 0;
}

/* The file's serial is not ahead of the one served. */
static bool takes_file_serial(struct gate *g, uint32_t file, uint32_t before, bool changed)
{
	const char *what = file == before ? "has changed, but its serial has not" : "has a serial that goes back";
	bool strict = g->rules->strict && (file != before || g->rules->followed);

	g->out->serial = file;
	if (g->force || (!changed && file == before))
		return true;
	if (file == before)
		return !object(
			g, strict,
			"the zone %s (%u): %s; raise it, choose a policy for `serial`, or zonecast zone reload --force",
			what, file,
			g->rules->followed ? "secondaries would keep the old content"
					   : "whoever transfers it will not see the change");
	return !object(g, strict,
	               "the zone %s, from %u to %u: secondaries would refuse it; if that is right: zonecast zone "
	               "reload --force",
	               what, before, file);
}

static int choose_serial(struct gate *g, uint32_t file, const struct gate_past *past, int64_t now_wall_s, bool *same)
{
	const struct gate_rules *r = g->rules;
	bool known = g->z || past->has_serial, changed = true;
	uint32_t before = g->z ? g->z->serial : past->serial;
	int err = 0;

	*same = false;
	g->out->serial = file;
	if (!known || serial_after(file, before))
		return 0;
	/* With `keep`, going back is what it is whether anything else has changed or not. */
	if (g->z && (r->serial != CONFIG_SERIAL_KEEP || file == before))
		err = is_changed(g, &changed);
	else if (!g->z)
		changed = !past->same_file;
	if (err)
		return err;
	*same = !changed && g->z;
	if (r->serial == CONFIG_SERIAL_KEEP || (g->force && file != before)) {
		(void)takes_file_serial(g, file, before, changed);
		return 0;
	}
	if (changed && is_signed(g->c)) {
		(void)object(g, r->strict,
		             "the zone is signed, so its serial (%u, served is %u) cannot be changed here: sign it "
		             "anew with a higher one",
		             file, before);
		return 0;
	}
	g->out->serial = changed ? serial_next((enum config_serial)r->serial, before, now_wall_s) : before;
	return 0;
}

int gate_file(struct content *c, const struct store_snapshot *s, const struct store_zone *z,
              const struct gate_rules *rules, const struct gate_past *past, bool force, int64_t now_wall_s,
              struct gate_outcome *out)
{
	struct gate g = {.c = c,
	                 .s = s,
	                 .z = z && z->state == STORE_ZONE_SERVING ? z : NULL,
	                 .rules = rules,
	                 .force = force,
	                 .out = out};
	const struct content_rrset *set = content_soa(c);
	bool same = false, computes = rules->zonemd == CONFIG_ZONEMD_COMPUTE;
	struct soa soa;
	int err;

	*out = (struct gate_outcome){0};
	if (!set || soa_parse(set->records[0].rdata, set->records[0].rdlen, &soa) < 0)
		return ERR_INVALID;
	out->serial = soa.serial;
	if (computes && is_signed(c)) {
		(void)object(&g, true,
		             "\"zonemd: compute\" is for unsigned zones: in a signed one the ZONEMD record must be "
		             "there when it is signed");
		return 0;
	}
	if (rules->zonemd == CONFIG_ZONEMD_VERIFY && digest_is_wrong(&g))
		return 0;
	err = choose_serial(&g, soa.serial, past, now_wall_s, &same);
	if (err || out->refused)
		return err;
	if (g.z && !force &&
	    gate_shrinks(g.z->record_count, content_record_count(c), rules->shrink_limit,
	                 "zonecast zone reload --force", out->text)) {
		out->refused = rules->strict;
		if (out->refused)
			return 0;
	}
	out->changed = out->serial != soa.serial;
	err = content_set_serial(c, out->serial);
	/* Unchanged, it wears the digest that is served already. */
	if (!err && computes && (!same || out->serial != g.z->serial))
		err = compute(&g, out->serial);
	return err;
}
