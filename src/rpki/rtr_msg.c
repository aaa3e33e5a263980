/* SPDX-License-Identifier: BSD-2-Clause */
#include "rpki/rtr_msg.h"

#include <string.h>

enum {
	V1_END_LEN = 24,
	V0_END_LEN = 12,
	IPV4_LEN = 20,
	IPV6_LEN = 32,
	KEY_LEN_MIN = 32, /* without the key itself */
	ERROR_LEN_MIN = 16,
	ERROR_PDU_MAX = 32, /* octets of the PDU an error is about that we send back */
	ERROR_TEXT_MAX = 80,
};

const char *rtr_error_text(unsigned code)
{
	static const char *const names[] = {
		"corrupt data",
		"internal error",
		"no data available",
		"invalid request",
		"unsupported protocol version",
		"unsupported PDU type",
		"withdrawal of an unknown record",
		"duplicate announcement",
		"unexpected protocol version",
	};

	return code < ARRAY_LEN(names) ? names[code] : "unknown error";
}

/* Does a PDU of this type have this length? *known is false for types that the version does not have. */
static bool length_fits(const struct rtr_pdu *p, bool *known)
{
	*known = true;
	switch (p->type) {
	case RTR_SERIAL_NOTIFY:
	case RTR_SERIAL_QUERY:
		return p->len == 12;
	case RTR_RESET_QUERY:
	case RTR_CACHE_RESPONSE:
	case RTR_CACHE_RESET:
		return p->len == RTR_HEADER_LEN;
	case RTR_IPV4_PREFIX:
		return p->len == IPV4_LEN;
	case RTR_IPV6_PREFIX:
		return p->len == IPV6_LEN;
	case RTR_END_OF_DATA:
		return p->len == (p->version == 0 ? V0_END_LEN : V1_END_LEN);
	case RTR_ROUTER_KEY:
		*known = p->version >= 1;
		return p->len >= KEY_LEN_MIN;
	case RTR_ERROR_REPORT:
		return p->len >= ERROR_LEN_MIN;
	default:
		*known = false;
		return false;
	}
}

/* Clears the host bits, which a cache should not send. */
static void mask(struct ip_prefix *p, unsigned bits)
{
	for (unsigned i = p->len; i < bits; i++)
		p->addr.bytes[i / 8] &= (uint8_t) ~(0x80U >> i % 8);
}

static bool parse_prefix(struct reader *r, struct rtr_pdu *p)
{
	unsigned bits = p->type == RTR_IPV4_PREFIX ? 32 : 128;
	const uint8_t *addr;

	p->announce = reader_u8(r) & 1;
	p->vrp.prefix.len = reader_u8(r);
	p->vrp.max_len = reader_u8(r);
	(void)reader_u8(r);
	addr = reader_bytes(r, bits / 8);
	p->vrp.as = reader_u32(r);
	if (!addr || p->vrp.prefix.len > p->vrp.max_len || p->vrp.max_len > bits)
		return false;
	p->vrp.prefix.addr.family = bits == 32 ? 4 : 6;
	memcpy(p->vrp.prefix.addr.bytes, addr, bits / 8);
	mask(&p->vrp.prefix, bits);
	return true;
}

/* Both parts are bounded by the PDU; a report that lies about them is still a report. */
static void parse_error(struct reader *r, struct rtr_pdu *p)
{
	uint32_t len = reader_u32(r);

	if (!reader_bytes(r, len))
		return;
	len = reader_u32(r);
	p->text = (const char *)reader_bytes(r, len);
	p->text_len = p->text ? len : 0;
}

enum rtr_verdict rtr_pdu_parse(const uint8_t *bytes, size_t len, struct rtr_pdu *out, enum rtr_error *error)
{
	struct reader r = reader_of(bytes, len);
	bool known;

	if (len < RTR_HEADER_LEN)
		return RTR_MORE;
	*out = (struct rtr_pdu){.bytes = bytes};
	out->version = reader_u8(&r);
	out->type = reader_u8(&r);
	out->session = reader_u16(&r);
	out->len = reader_u32(&r);
	*error = RTR_CORRUPT_DATA;
	if (out->len < RTR_HEADER_LEN || out->len > RTR_PDU_MAX) {
		out->len = RTR_HEADER_LEN; /* of what is there */
		return RTR_BAD;
	}
	if (out->version <= RTR_VERSION_MAX && !length_fits(out, &known)) {
		*error = known ? RTR_CORRUPT_DATA : RTR_BAD_TYPE;
		out->len = RTR_HEADER_LEN;
		return RTR_BAD;
	}
	if (len < out->len)
		return RTR_MORE;
	if (out->version > RTR_VERSION_MAX)
		return RTR_FINE;
	r.len = out->len;
	switch (out->type) {
	case RTR_SERIAL_NOTIFY:
		out->serial = reader_u32(&r);
		break;
	case RTR_IPV4_PREFIX:
	case RTR_IPV6_PREFIX:
		if (!parse_prefix(&r, out))
			return RTR_BAD;
		break;
	case RTR_END_OF_DATA:
		out->serial = reader_u32(&r);
		out->has_timers = out->version >= 1;
		if (out->has_timers) {
			out->refresh_s = reader_u32(&r);
			out->retry_s = reader_u32(&r);
			out->expire_s = reader_u32(&r);
		}
		break;
	case RTR_ERROR_REPORT:
		parse_error(&r, out);
		break;
	default:
		break;
	}
	return RTR_FINE;
}

static void header(struct writer *w, uint8_t version, enum rtr_type type, uint16_t session, uint32_t len)
{
	writer_u8(w, version);
	writer_u8(w, (uint8_t)type);
	writer_u16(w, session);
	writer_u32(w, len);
}

void rtr_serial_query_write(struct writer *w, uint8_t version, uint16_t session, uint32_t serial)
{
	header(w, version, RTR_SERIAL_QUERY, session, 12);
	writer_u32(w, serial);
}

void rtr_reset_query_write(struct writer *w, uint8_t version)
{
	header(w, version, RTR_RESET_QUERY, 0, RTR_HEADER_LEN);
}

void rtr_error_write(struct writer *w, uint8_t version, enum rtr_error code, const uint8_t *pdu, size_t pdu_len,
                     const char *text)
{
	size_t text_len = MIN(strlen(text), (size_t)ERROR_TEXT_MAX);

	pdu_len = pdu ? MIN(pdu_len, (size_t)ERROR_PDU_MAX) : 0;
	header(w, version, RTR_ERROR_REPORT, (uint16_t)code, (uint32_t)(ERROR_LEN_MIN + pdu_len + text_len));
	writer_u32(w, (uint32_t)pdu_len);
	writer_bytes(w, pdu, pdu_len);
	writer_u32(w, (uint32_t)text_len);
	writer_bytes(w, text, text_len);
}
