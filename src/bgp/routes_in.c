/* SPDX-License-Identifier: BSD-2-Clause */
/* UPDATE messages of peers, read for those who watch: prefixes and the path. Everything in them is hostile until it is parsed whole: a message is walked
 * once to see that it can be understood and what is to be thought of it, and only then a second time to tell its prefixes, so that of a broken one
 * nothing is told.
 *
 * Errors are judged as RFC 7606 has it (treat-as-withdraw for attributes, nothing at all where prefixes cannot be found), but for one thing: the session goes on
 * whatever comes. Nothing here is used for routing, and a peer that sends nonsense must not lose our routes by it.
 *
 * RFC 4271 4.3, 4760, 6793 (paths always have four octets an AS: two-octet peers are refused at OPEN), 7606, 5065 (confederations). Attributes but AS_PATH, MP_REACH_NLRI
 * and MP_UNREACH_NLRI are skipped. */
#include "bgp/routes_in.h"

#include "base/wire.h"

#include <stdio.h>
#include <string.h>

enum {
	ATTR_AS_PATH = 2,
	ATTR_MP_REACH = 14,
	ATTR_MP_UNREACH = 15,
	FLAG_EXTENDED = 0x10,
	AFI_IPV4 = 1,
	AFI_IPV6 = 2,
	SAFI_UNICAST = 1,
	SEGMENT_SET = 1,
	SEGMENT_SEQUENCE = 2,
	SEGMENT_CONFED_SEQUENCE = 3,
	SEGMENT_CONFED_SET = 4,
};

/* A list of prefixes in the message. */
struct nlri {
	const uint8_t *bytes;
	size_t len;
	uint8_t family; /* 4, 6; 0: none of ours */
};

struct update {
	struct nlri withdrawn, gone_mp, come_mp, come;
	bool has_gone_mp, has_come_mp, has_path;
	bool bad; /* treat as withdraw */
	struct bgp_path path;
};

static uint8_t family_of(uint16_t afi, uint8_t safi)
{
	return safi != SAFI_UNICAST ? 0 : afi == AFI_IPV4 ? 4 : afi == AFI_IPV6 ? 6 : 0;
}

/* With fn NULL only whether the list is one. */
static bool walk(const struct nlri *n, const struct bgp_path *path, bgp_route_in_fn *fn, void *ctx)
{
	struct reader r = reader_of(n->bytes, n->len);
	unsigned most = n->family == 4 ? 32 : 128;

	while (n->family && reader_left(&r)) {
		struct ip_prefix p = {.addr = {.family = n->family}};
		const uint8_t *bytes;

		p.len = reader_u8(&r);
		if (p.len > most)
			return false;
		bytes = reader_bytes(&r, (p.len + 7U) / 8);
		if (!bytes)
			return false;
		memcpy(p.addr.bytes, bytes, (p.len + 7U) / 8);
		if (p.len % 8) /* RFC 4271 4.3: the value of trailing bits is irrelevant */
			p.addr.bytes[p.len / 8] &= (uint8_t)(0xff00U >> p.len % 8);
		if (fn)
			fn(ctx, &p, path);
	}
	return true;
}

/* RFC 7606 7.2 */
static bool parse_path(const uint8_t *bytes, size_t len, struct bgp_path *out)
{
	struct reader r = reader_of(bytes, len);

	*out = (struct bgp_path){.segments = bytes, .len = len, .local = true};
	while (reader_left(&r)) {
		uint8_t type = reader_u8(&r), count = reader_u8(&r);
		const uint8_t *list = reader_bytes(&r, 4U * count);

		if (!list || !count || type < SEGMENT_SET || type > SEGMENT_CONFED_SET)
			return false;
		if (type == SEGMENT_CONFED_SEQUENCE || type == SEGMENT_CONFED_SET)
			continue;
		out->local = false;
		out->has_origin = type == SEGMENT_SEQUENCE;
		out->origin = out->has_origin ? get_u32(list + 4U * (count - 1U)) : 0;
	}
	return reader_ok(&r);
}

static bool parse_reach(const uint8_t *bytes, size_t len, struct nlri *out)
{
	struct reader r = reader_of(bytes, len);
	uint16_t afi = reader_u16(&r);
	uint8_t safi = reader_u8(&r), hop = reader_u8(&r);

	(void)reader_bytes(&r, hop);
	(void)reader_u8(&r);
	if (!reader_ok(&r))
		return false;
	*out = (struct nlri){.bytes = bytes + r.pos, .len = len - r.pos, .family = family_of(afi, safi)};
	return true;
}

static bool parse_unreach(const uint8_t *bytes, size_t len, struct nlri *out)
{
	struct reader r = reader_of(bytes, len);
	uint16_t afi = reader_u16(&r);
	uint8_t safi = reader_u8(&r);

	if (!reader_ok(&r))
		return false;
	*out = (struct nlri){.bytes = bytes + r.pos, .len = len - r.pos, .family = family_of(afi, safi)};
	return true;
}

/* False: which prefixes the message is about cannot be known. */
static bool parse_attributes(const uint8_t *bytes, size_t len, struct update *u)
{
	struct reader r = reader_of(bytes, len);

	while (reader_left(&r)) {
		uint8_t flags = reader_u8(&r), type = reader_u8(&r);
		size_t n = flags & FLAG_EXTENDED ? reader_u16(&r) : reader_u8(&r);
		const uint8_t *value = reader_bytes(&r, n);

		if (!value) { /* RFC 7606 4: it ends before the attribute does */
			u->bad = true;
			return true;
		}
		switch (type) {
		case ATTR_AS_PATH:
			if (!u->has_path && !parse_path(value, n, &u->path))
				u->bad = true;
			u->has_path = true;
			break;
		case ATTR_MP_REACH: /* RFC 7606 3 g: twice is fatal */
			if (u->has_come_mp || !parse_reach(value, n, &u->come_mp))
				return false;
			u->has_come_mp = true;
			break;
		case ATTR_MP_UNREACH:
			if (u->has_gone_mp || !parse_unreach(value, n, &u->gone_mp))
				return false;
			u->has_gone_mp = true;
			break;
		default:
			break;
		}
	}
	return true;
}

enum bgp_update_verdict bgp_routes_in(const struct bgp_frame *f, bgp_route_in_fn *fn, void *ctx)
{
	struct reader r = reader_of(f->body, f->body_len);
	const struct bgp_path *path;
	const uint8_t *attributes;
	struct update u = {0};
	size_t attributes_len;

	u.withdrawn.family = u.come.family = 4;
	u.withdrawn.len = reader_u16(&r);
	u.withdrawn.bytes = reader_bytes(&r, u.withdrawn.len);
	attributes_len = reader_u16(&r);
	attributes = reader_bytes(&r, attributes_len);
	if (!reader_ok(&r) || !parse_attributes(attributes, attributes_len, &u))
		return BGP_UPDATE_BROKEN;
	u.come.bytes = f->body + r.pos;
	u.come.len = f->body_len - r.pos;
	if (!walk(&u.withdrawn, NULL, NULL, NULL) || !walk(&u.gone_mp, NULL, NULL, NULL) || !walk(&u.come_mp, NULL, NULL, NULL) ||
	    !walk(&u.come, NULL, NULL, NULL))
		return BGP_UPDATE_BROKEN;
	/* RFC 7606 3 d: a route without a path is none. */
	u.bad |= (u.come.len || (u.come_mp.family && u.come_mp.len)) && !u.has_path;
	path = u.bad ? NULL : &u.path;
	(void)walk(&u.withdrawn, NULL, fn, ctx);
	(void)walk(&u.gone_mp, NULL, fn, ctx);
	(void)walk(&u.come_mp, path, fn, ctx);
	(void)walk(&u.come, path, fn, ctx);
	return u.bad ? BGP_UPDATE_WITHDRAWN : BGP_UPDATE_FINE;
}

char *bgp_path_text(const struct bgp_path *p, char *buf, size_t cap)
{
	struct reader r = reader_of(p->segments, p->len);
	size_t at = 0;

	buf[0] = '\0';
	while (reader_left(&r)) {
		uint8_t type = reader_u8(&r), count = reader_u8(&r);
		const char *open = type == SEGMENT_SET ? "{" : type == SEGMENT_CONFED_SEQUENCE ? "(" : type == SEGMENT_CONFED_SET ? "[" : "";
		const char *close = type == SEGMENT_SET ? "}" : type == SEGMENT_CONFED_SEQUENCE ? ")" : type == SEGMENT_CONFED_SET ? "]" : "";

		for (unsigned i = 0; i < count; i++) {
			int n = snprintf(buf + at, cap - at, "%s%s%u%s", at ? " " : "", i ? "" : open, reader_u32(&r), i + 1U == count ? close : "");

			if (n < 0 || (size_t)n + 5 > cap - at) {
				snprintf(buf + at, cap - at, "%s", cap - at > 4 ? " ..." : "");
				return buf;
			}
			at += (size_t)n;
		}
	}
	return buf;
}
