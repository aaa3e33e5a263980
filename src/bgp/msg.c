/* SPDX-License-Identifier: BSD-2-Clause */
/* Framing, OPEN, KEEPALIVE and ROUTE-REFRESH of an announce-only BGP-4 speaker (RFC 4271; 5492, 6793, 7607, 9072, 9234).
 *
 * Of a message's header everything is judged here, of an UPDATE nothing but the header: we import no routes, so there is nothing in
 * one that could be wrong for us.
 *
 * Never offered, and therefore not written here: graceful restart (64) and its long-lived form (71), because the process that
 * answers is the process that speaks, and a route outliving it is a black hole; extended messages (6), ADD-PATH (69) and enhanced
 * refresh (70), because an announcer of a few prefixes has no use for them. Offered where it is configured: IPv4 prefixes by an IPv6 next hop
 * (5, RFC 8950), a role (9, RFC 9234). */
#include "bgp/msg.h"

#include "bgp/notify.h"

#include <string.h>

enum {
	BGP_VERSION = 4,
	PARAM_CAPABILITIES = 2,
	PARAM_EXTENDED = 255, /* RFC 9072 */
	CAP_MULTIPROTOCOL = 1,
	CAP_ROUTE_REFRESH = 2,
	CAP_EXTENDED_NEXT_HOP = 5,
	CAP_ROLE = 9,
	CAP_AS4 = 65,
	SAFI_UNICAST = 1,
};

const char *bgp_type_text(enum bgp_type type)
{
	static const char *const names[BGP_TYPES] = {"unknown",      "OPEN",      "UPDATE",
	                                             "NOTIFICATION", "KEEPALIVE", "ROUTE-REFRESH"};

	return names[type < BGP_TYPES ? type : 0];
}

uint16_t bgp_family_afi(enum bgp_family family)
{
	return family == BGP_IPV4 ? 1 : 2;
}

static uint8_t family_of(uint16_t afi, uint8_t safi)
{
	if (safi != SAFI_UNICAST)
		return 0;
	return afi == 1 ? BGP_IPV4 : afi == 2 ? BGP_IPV6 : 0;
}

/* Lengths a message of a type may have, RFC 4271 4 and 6.1, RFC 2918. */
static bool length_fits(uint8_t type, uint16_t len)
{
	switch (type) {
	case BGP_OPEN:
		return len >= BGP_OPEN_MIN;
	case BGP_UPDATE:
		return len >= BGP_UPDATE_MIN;
	case BGP_NOTIFICATION:
		return len >= BGP_NOTIFICATION_MIN;
	case BGP_KEEPALIVE:
		return len == BGP_HEADER_LEN;
	case BGP_ROUTE_REFRESH:
		return len == BGP_REFRESH_LEN; /* longer is RFC 5291, not offered */
	default:
		return true; /* the type itself is the error */
	}
}

enum bgp_verdict bgp_frame_parse(const uint8_t *bytes, size_t len, struct bgp_frame *out, struct bgp_notify *bad)
{
	uint16_t message_len;
	uint8_t type;

	for (size_t i = 0; i < len && i < 16; i++) {
		if (bytes[i] != 0xff) {
			*bad = bgp_notify_of(BGP_ERR_HEADER, BGP_HEADER_MARKER);
			return BGP_BAD;
		}
	}
	if (len < BGP_HEADER_LEN)
		return BGP_MORE;
	message_len = get_u16(bytes + 16);
	type = bytes[18];
	if (message_len < BGP_HEADER_LEN || message_len > BGP_MESSAGE_MAX || !length_fits(type, message_len)) {
		*bad = bgp_notify_u16(BGP_ERR_HEADER, BGP_HEADER_LENGTH, message_len);
		return BGP_BAD;
	}
	if (type < BGP_OPEN || type >= BGP_TYPES) {
		*bad = bgp_notify_of(BGP_ERR_HEADER, BGP_HEADER_TYPE);
		bad->data[0] = type;
		bad->data_len = 1;
		return BGP_BAD;
	}
	if (len < message_len)
		return BGP_MORE;
	*out = (struct bgp_frame){
	    .type = (enum bgp_type)type,
	    .body = bytes + BGP_HEADER_LEN,
	    .body_len = (size_t)message_len - BGP_HEADER_LEN,
	    .len = message_len,
	};
	return BGP_FINE;
}

/* What the capabilities of an OPEN say together, before it is known what they mean for `as` and `families`. */
struct capabilities {
	struct bgp_open *open;
	bool multiprotocol;
	uint32_t as4;
};

/* RFC 8950 4: triples of AFI, SAFI and the next hop's AFI, each of two octets. */
static bool extended_next_hop(struct reader *value)
{
	bool found = false;

	while (reader_left(value)) {
		uint16_t afi = reader_u16(value);
		uint16_t safi = reader_u16(value);
		uint16_t hop = reader_u16(value);

		found |= reader_ok(value) && afi == 1 && safi == SAFI_UNICAST && hop == 2;
	}
	return found;
}

/* One capability. False when a known one has a shape it cannot have, or two roles contradict each other. */
static bool capability_read(struct capabilities *c, uint8_t code, struct reader value, struct bgp_notify *bad)
{
	struct bgp_open *o = c->open;
	uint16_t afi;

	switch (code) {
	case CAP_MULTIPROTOCOL:
		afi = reader_u16(&value);
		reader_u8(&value); /* reserved */
		o->families |= family_of(afi, reader_u8(&value));
		c->multiprotocol = true;
		break;
	case CAP_ROUTE_REFRESH:
		o->route_refresh = true;
		break;
	case CAP_EXTENDED_NEXT_HOP:
		o->extended_next_hop |= extended_next_hop(&value);
		break;
	case CAP_AS4:
		c->as4 = reader_u32(&value);
		o->as4 = true;
		break;
	case CAP_ROLE: {
		enum bgp_role role = (enum bgp_role)reader_u8(&value);

		/* RFC 9234 4.2: several different ones are a role mismatch. */
		if (reader_ok(&value) && o->has_role && o->role != role) {
			*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_ROLE);
			return false;
		}
		o->has_role = true;
		o->role = role;
		break;
	}
	default:
		return true; /* RFC 5492 3: unknown ones are ignored */
	}
	if (!reader_ok(&value) || reader_left(&value)) {
		*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_UNSPECIFIC);
		return false;
	}
	return true;
}

static bool capabilities_read(struct capabilities *c, struct reader r, struct bgp_notify *bad)
{
	while (reader_left(&r)) {
		uint8_t code = reader_u8(&r);
		uint8_t len = reader_u8(&r);
		const uint8_t *value = reader_bytes(&r, len);

		if (!value) {
			*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_UNSPECIFIC);
			return false;
		}
		if (!capability_read(c, code, reader_of(value, len), bad))
			return false;
	}
	return true;
}

/* Optional parameters; r stands at their length octet. */
static bool parameters_read(struct capabilities *c, struct reader r, struct bgp_notify *bad)
{
	size_t len = reader_u8(&r);
	bool extended = len != 0 && reader_left(&r) > 0 && r.base[r.pos] == PARAM_EXTENDED;

	*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_UNSPECIFIC);
	if (extended) { /* RFC 9072 2: the first length octet means nothing then */
		reader_u8(&r);
		len = reader_u16(&r);
	}
	if (!reader_ok(&r) || reader_left(&r) != len)
		return false;
	while (reader_left(&r)) {
		uint8_t type = reader_u8(&r);
		size_t param_len = extended ? reader_u16(&r) : reader_u8(&r);
		const uint8_t *param = reader_bytes(&r, param_len);

		if (!param)
			return false;
		if (type != PARAM_CAPABILITIES) { /* RFC 4271 6.2; the only other one ever defined is deprecated */
			*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_PARAMETER);
			return false;
		}
		if (!capabilities_read(c, reader_of(param, param_len), bad))
			return false;
	}
	return true;
}

enum bgp_verdict bgp_open_parse(const struct bgp_frame *f, struct bgp_open *out, struct bgp_notify *bad)
{
	struct reader r = reader_of(f->body, f->body_len);
	struct bgp_open o = {0};
	struct capabilities c = {.open = &o};
	uint8_t version = reader_u8(&r);

	o.as = reader_u16(&r);
	o.hold_s = reader_u16(&r);
	o.id = reader_u32(&r);
	if (!reader_ok(&r)) {
		*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_UNSPECIFIC);
		return BGP_BAD;
	}
	if (version != BGP_VERSION) {
		*bad = bgp_notify_u16(BGP_ERR_OPEN, BGP_OPEN_VERSION, BGP_VERSION);
		return BGP_BAD;
	}
	if (!parameters_read(&c, r, bad))
		return BGP_BAD;
	if (o.as4)
		o.as = c.as4;
	if (o.as == 0) { /* RFC 7607 */
		*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_PEER_AS);
		return BGP_BAD;
	}
	if (o.id == 0) { /* RFC 6286 2.2 */
		*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_ID);
		return BGP_BAD;
	}
	if (o.hold_s == 1 || o.hold_s == 2) {
		*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_HOLD);
		return BGP_BAD;
	}
	if (!c.multiprotocol) /* RFC 4760 8: a speaker without the capability means IPv4 unicast */
		o.families = BGP_IPV4;
	*out = o;
	return BGP_FINE;
}

uint8_t bgp_refresh_parse(const struct bgp_frame *f)
{
	struct reader r = reader_of(f->body, f->body_len);
	uint16_t afi = reader_u16(&r);
	uint8_t subtype = reader_u8(&r);
	uint8_t safi = reader_u8(&r);

	/* Subtypes 1 and 2 frame a refresh of the peer's own routes and are no request (RFC 7313 3.2). */
	return reader_ok(&r) && subtype == 0 ? family_of(afi, safi) : 0;
}

size_t bgp_message_begin(struct writer *w, enum bgp_type type)
{
	size_t start = w->pos;
	uint8_t *marker = writer_room(w, 16);

	if (marker)
		memset(marker, 0xff, 16);
	writer_u16(w, 0);
	writer_u8(w, (uint8_t)type);
	return start;
}

void bgp_message_end(struct writer *w, size_t start)
{
	if (w->pos - start > BGP_MESSAGE_MAX)
		w->failed = true;
	if (writer_ok(w))
		put_u16(w->base + start + 16, (uint16_t)(w->pos - start));
}

static void capability_family(struct writer *w, enum bgp_family family)
{
	writer_u8(w, CAP_MULTIPROTOCOL);
	writer_u8(w, 4);
	writer_u16(w, bgp_family_afi(family));
	writer_u8(w, 0);
	writer_u8(w, SAFI_UNICAST);
}

void bgp_open_write(struct writer *w, const struct bgp_open *o)
{
	size_t start = bgp_message_begin(w, BGP_OPEN);
	uint8_t buf[64];
	struct writer caps = writer_of(buf, sizeof(buf));

	if (o->families & BGP_IPV4)
		capability_family(&caps, BGP_IPV4);
	if (o->families & BGP_IPV6)
		capability_family(&caps, BGP_IPV6);
	if (o->route_refresh) {
		writer_u8(&caps, CAP_ROUTE_REFRESH);
		writer_u8(&caps, 0);
	}
	if (o->extended_next_hop) {
		writer_u8(&caps, CAP_EXTENDED_NEXT_HOP);
		writer_u8(&caps, 6);
		writer_u16(&caps, bgp_family_afi(BGP_IPV4));
		writer_u16(&caps, SAFI_UNICAST);
		writer_u16(&caps, bgp_family_afi(BGP_IPV6));
	}
	if (o->has_role) {
		writer_u8(&caps, CAP_ROLE);
		writer_u8(&caps, 1);
		writer_u8(&caps, (uint8_t)o->role);
	}
	writer_u8(&caps, CAP_AS4);
	writer_u8(&caps, 4);
	writer_u32(&caps, o->as);

	writer_u8(w, BGP_VERSION);
	writer_u16(w, o->as > UINT16_MAX ? BGP_AS_TRANS : (uint16_t)o->as);
	writer_u16(w, o->hold_s);
	writer_u32(w, o->id);
	writer_u8(w, (uint8_t)(caps.pos + 2));
	writer_u8(w, PARAM_CAPABILITIES);
	writer_u8(w, (uint8_t)caps.pos);
	writer_bytes(w, buf, caps.pos);
	bgp_message_end(w, start);
}

void bgp_keepalive_write(struct writer *w)
{
	bgp_message_end(w, bgp_message_begin(w, BGP_KEEPALIVE));
}

void bgp_refresh_write(struct writer *w, enum bgp_family family)
{
	size_t start = bgp_message_begin(w, BGP_ROUTE_REFRESH);

	writer_u16(w, bgp_family_afi(family));
	writer_u8(w, 0);
	writer_u8(w, SAFI_UNICAST);
	bgp_message_end(w, start);
}
