/* SPDX-License-Identifier: BSD-2-Clause */
/* Is what readers map still what the writer wrote? Memory fails, and a stray pointer of the writer's process writes
 * into the store as well as anywhere. Zone by zone, in pieces as small as wanted, every cell of a zone's version is
 * added up and compared with the checksum it was committed with. A sum that is not right is made once more before
 * anything is said. A version that is replaced meanwhile is begun anew. */
#include "zone/store_verify.h"

#include "base/attr.h"
#include "zone/store_format.h"

static void begin_zone(struct store_verify *v, const struct store_zone *z)
{
	name_copy(&v->zone, store_zone_apex(z));
	v->inside = true;
	v->generation = z->generation;
	v->checksum = z->content_checksum;
	v->region = v->at = 0;
	v->sum = 0;
}

static bool is_the_same(const struct store_verify *v, const struct store_zone *z)
{
	return z && z->generation == v->generation && z->content_checksum == v->checksum;
}

/* Adds up to `cells` more; false when all were. */
static bool add_cells(struct store_verify *v, const struct store_snapshot *s, const struct store_zone *z, uint32_t *cells)
{
	const struct store_region *r = store_zone_regions(z);

	while (v->region < z->regions) {
		uint32_t used = r[v->region].cells - (v->region + 1 == z->regions ? z->spare : 0), n = MIN(*cells, used - v->at);

		v->sum += store_cells_sum(s->base, r[v->region].start + v->at, n);
		v->at += n;
		*cells -= n;
		if (v->at < used)
			return true;
		v->at = 0;
		v->region++;
	}
	return false;
}

enum store_verified store_verify(struct store_verify *v, const struct store_snapshot *s, uint32_t cells)
{
	for (unsigned i = 0; i < STORE_VERIFY_ZONES; i++) {
		const struct store_zone *z = v->inside ? store_zone_get(s, v->zone.wire) : store_zone_next(s, v->zone.len ? v->zone.wire : NULL);

		if (!v->inside && !z) {
			v->zone.len = 0;
			v->rounds++;
			return STORE_VERIFIED;
		}
		if (!v->inside) {
			begin_zone(v, z);
			v->again = false;
		} else if (!is_the_same(v, z)) {
			v->inside = false; /* the next one: it has just been written, and comes with the next round */
			continue;
		}
		if (z->checksum == store_zone_checksum(z) && add_cells(v, s, z, &cells))
			return STORE_VERIFIED;
		if (z->checksum == store_zone_checksum(z) && v->sum == v->checksum) {
			v->inside = false;
			continue;
		}
		if (v->again) {
			v->inside = false;
			return STORE_DAMAGED;
		}
		begin_zone(v, z);
		v->again = true;
	}
	return STORE_VERIFIED;
}
