/* SPDX-License-Identifier: BSD-2-Clause */
/* A catalog of zones as a zone (RFC 9432 4): SOA and NS as 4.1 recommends, the version, and each member under an id that only depends on its name, so that two
 * nodes, or one before and after it lost all it knew, make the same catalog and no consumer resets a zone for it. */
#include "catalog/catalog.h"

#include "base/err.h"
#include "base/hash.h"
#include "zone/content.h"

#include <stdio.h>
#include <string.h>

enum { ID_LEN = 32, LOW_TTL = 0 /* nobody is to ask for it, let alone to keep it */ };

/* SipHash with two fixed keys: 128 bits, which nobody has to guess. */
static void make_id(const uint8_t *apex, char out[ID_LEN + 1])
{
	static const uint8_t keys[2][16] = {"catalog member 1", "catalog member 2"};
	struct name lower;

	name_lower(&lower, apex);
	for (int i = 0; i < 2; i++)
		snprintf(out + i * 16, 17, "%016llx", (unsigned long long)hash_keyed(keys[i], lower.wire, lower.len));
}

/* LABELS.APEX; labels as text with a dot between. */
static int below(const char *labels, const uint8_t *apex, struct name *out)
{
	return name_from_text(labels, strlen(labels), apex, out);
}

static int add(struct content *c, const uint8_t *owner, uint16_t type, const uint8_t *rdata, size_t len)
{
	const struct rr rr = {.owner = owner,
	                      .type = type,
	                      .rclass = CLASS_IN,
	                      .ttl = LOW_TTL,
	                      .rdlen = (uint16_t)len,
	                      .rdata = rdata};

	return content_add(c, &rr, NULL);
}

static int add_text(struct content *c, const uint8_t *apex, const char *labels, const char *value)
{
	uint8_t rdata[1 + CATALOG_GROUP_MAX];
	size_t len = strlen(value);
	struct name owner;
	int err = len > CATALOG_GROUP_MAX ? ERR_LIMIT : below(labels, apex, &owner);

	if (err)
		return err;
	rdata[0] = (uint8_t)len;
	memcpy(rdata + 1, value, len);
	return add(c, owner.wire, RR_TXT, rdata, len + 1);
}

static int add_apex(struct content *c, const uint8_t *apex, uint32_t serial)
{
	static const uint8_t invalid[] = "\7invalid";
	uint8_t rdata[2 * sizeof(invalid) + 20];
	struct writer w = writer_of(rdata, sizeof(rdata));
	int err;

	writer_bytes(&w, invalid, sizeof(invalid));
	writer_bytes(&w, invalid, sizeof(invalid));
	writer_u32(&w, serial);
	writer_u32(&w, CATALOG_REFRESH_S);
	writer_u32(&w, CATALOG_RETRY_S);
	writer_u32(&w, CATALOG_EXPIRE_S);
	writer_u32(&w, LOW_TTL);
	err = add(c, apex, RR_SOA, rdata, w.pos);
	if (!err)
		err = add(c, apex, RR_NS, invalid, sizeof(invalid));
	return err ? err : add_text(c, apex, "version", "2");
}

static int add_member(struct content *c, const uint8_t *apex, const struct catalog_member *m)
{
	char labels[ID_LEN + 32], group[ID_LEN + 48];
	struct name owner, target;
	int err;

	make_id(m->apex, labels);
	snprintf(labels + ID_LEN, sizeof(labels) - ID_LEN, ".zones");
	err = below(labels, apex, &owner);
	if (err)
		return err;
	name_lower(&target, m->apex);
	err = add(c, owner.wire, RR_PTR, target.wire, target.len);
	if (err || !m->group)
		return err;
	snprintf(group, sizeof(group), "group.%s", labels);
	return add_text(c, apex, group, m->group);
}

int catalog_make(const uint8_t *apex, uint32_t serial, const struct catalog_member *members, size_t count,
                 struct content **out)
{
	struct content *c = content_new(apex);
	int err = c ? add_apex(c, apex, serial) : ERR_NO_MEMORY;

	for (size_t i = 0; i < count && !err; i++)
		err = add_member(c, apex, &members[i]);
	if (!err)
		err = content_finish(c);
	if (err) {
		content_free(c);
		return err;
	}
	*out = c;
	return 0;
}

uint64_t catalog_sum(const struct catalog_member *members, size_t count)
{
	uint64_t sum = count;

	for (size_t i = 0; i < count; i++) {
		const struct catalog_member *m = &members[i];
		struct name lower;
		uint64_t one;

		name_lower(&lower, m->apex);
		one = hash_checksum(lower.wire, lower.len, 1);
		sum += m->group ? hash_checksum(m->group, strlen(m->group), one) : one;
	}
	return sum;
}
