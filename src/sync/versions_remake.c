/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of one version under another serial: for going back, and to know a file again whatever its serial. */
#include "sync/versions_priv.h"

#include "base/err.h"
#include "base/wire.h"
#include "dns/rr.h"
#include "zone/content.h"

#include <string.h>

enum { ZONEMD_HEAD = 6, SCHEME_SIMPLE = 1 };

static int remake_zonemd(const struct versions_remaking *m, const struct rr *old)
{
	uint8_t rdata[ZONEMD_HEAD + ZONEMD_DIGEST_OCTETS_MAX];
	struct rr rr = *old;

	for (uint8_t a = ZONEMD_SHA384; a <= ZONEMD_SHA512; a++) {
		int err;

		if (!(m->algorithms & 1U << a))
			continue;
		put_u32(rdata, m->serial);
		rdata[4] = SCHEME_SIMPLE;
		rdata[5] = a;
		memcpy(rdata + ZONEMD_HEAD, m->digests[a], zonemd_digest_len(a));
		rr.rdata = rdata;
		rr.rdlen = (uint16_t)(ZONEMD_HEAD + zonemd_digest_len(a));
		err = content_add(m->content, &rr, NULL);
		if (err)
			return err;
	}
	return 0;
}

int versions_remake_record(void *ctx, const struct rr *rr)
{
	struct versions_remaking *m = ctx;
	uint8_t rdata[2 * NAME_LEN_MAX + 20];
	struct rr soa = *rr;

	if (rr->type == RR_RRSIG) {
		m->is_signed = true;
		return ERR_UNSUPPORTED;
	}
	if (rr->type == RR_ZONEMD && name_equal(rr->owner, content_apex(m->content))) {
		if (!m->digests && rr->rdlen > ZONEMD_HEAD && rr->rdata[4] == SCHEME_SIMPLE && zonemd_digest_len(rr->rdata[5]))
			m->algorithms |= 1U << rr->rdata[5];
		if (!m->digests || m->placed)
			return 0;
		m->placed = true; /* all of them in place of the first */
		return remake_zonemd(m, rr);
	}
	if (rr->type != RR_SOA)
		return content_add(m->content, rr, NULL);
	if (rr->rdlen > sizeof(rdata))
		return ERR_MALFORMED;
	memcpy(rdata, rr->rdata, rr->rdlen);
	put_u32(rdata + rr->rdlen - 20, m->serial);
	soa.rdata = rdata;
	return content_add(m->content, &soa, NULL);
}

int versions_mark(const struct content *c, struct zone_digest *out)
{
	struct content *plain = content_new(content_apex(c));
	struct versions_remaking m = {.content = plain};
	int err = plain ? 0 : ERR_NO_MEMORY;

	for (size_t i = 0; i < content_rrset_count(c) && !err; i++) {
		const struct content_rrset *set = content_rrset(c, i);

		for (uint32_t k = 0; k < set->count && !err; k++) {
			const struct rr rr = {.owner = set->owner, .type = set->type, .rclass = CLASS_IN, .ttl = set->ttl, .rdlen = set->records[k].rdlen,
			                      .rdata = set->records[k].rdata};

			/* A file that is signed now is not the unsigned one that was gone back from; its signatures are records like others. */
			err = rr.type == RR_RRSIG ? content_add(plain, &rr, NULL) : versions_remake_record(&m, &rr);
		}
	}
	if (!err)
		err = content_finish(plain);
	if (!err)
		err = zone_digest_content(plain, out);
	content_free(plain);
	return err;
}
