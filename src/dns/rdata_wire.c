/* SPDX-License-Identifier: BSD-2-Clause */
/* RDATA in wire form: stepping over fields, checking, expanding what arrived compressed, canonical form, names inside. Driven by the
 * field letters of the table. */
#include "base/err.h"
#include "dns/rr.h"
#include "dns/rrtype.h"
#include "dns/svcb.h"

#include <string.h>

/* Length of a type bit map: windows ascending, 1 to 32 octets each, last octet not zero (RFC 4034 4.1.2). */
static int bitmap_check(const uint8_t *p, size_t len)
{
	int last = -1;

	while (len) {
		if (len < 2 || p[0] <= last || p[1] < 1 || p[1] > 32 || len < 2U + p[1])
			return ERR_MALFORMED;
		if (!p[1 + p[1]])
			return ERR_MALFORMED;
		last = p[0];
		len -= 2U + p[1];
		p += 2 + p[1];
	}
	return 0;
}

/* Items of address family, prefix, negation and length (RFC 3123 4). */
static int apl_check(const uint8_t *p, size_t len)
{
	while (len) {
		unsigned family, bits, n;

		if (len < 4)
			return ERR_MALFORMED;
		family = get_u16(p);
		bits = p[2];
		n = p[3] & 0x7f;
		if (len < 4 + n || (family != 1 && family != 2) || bits > (family == 1 ? 32U : 128U) ||
		    n > (family == 1 ? 4U : 16U) || (n && !p[3 + n]))
			return ERR_MALFORMED;
		p += 4 + n;
		len -= 4 + n;
	}
	return 0;
}

/* Octets of one field at p of at most len, all of len for fields that take the rest, or an error. Names are uncompressed here. */
static int field_len(enum rdata_field f, const uint8_t *p, size_t len, const uint8_t *rdata)
{
	int n = ERR_MALFORMED;

	switch (f) {
	case F_NAME_COMPRESS:
	case F_NAME_LOWER:
	case F_NAME:
		return name_check(p, len);
	case F_U8:
	case F_SCHEME:
	case F_ALGORITHM:
		n = 1;
		break;
	case F_U16:
	case F_TYPE:
	case F_CERT:
		n = 2;
		break;
	case F_U32:
	case F_PERIOD:
	case F_TIME:
	case F_IPV4:
		n = 4;
		break;
	case F_IPV6:
		n = 16;
		break;
	case F_EUI48:
		n = 6;
		break;
	case F_EUI64:
	case F_LOCATOR:
	case F_SET_HASH:
		n = 8;
		break;
	case F_STRING_OPTIONAL:
		if (!len)
			return 0;
		__attribute__((fallthrough));
	case F_STRING:
		n = len ? p[0] + 1 : 1;
		break;
	case F_TAG:
		n = len ? p[0] + 1 : 1;
		if (n < 2)
			return ERR_MALFORMED;
		for (int i = 1; i < n && (size_t)i < len; i++)
			if (!((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z') && !(p[i] >= '0' && p[i] <= '9'))
				return ERR_MALFORMED;
		break;
	case F_SALT:
		n = len ? p[0] + 1 : 1;
		break;
	case F_HASH:
		n = len ? p[0] + 1 : 2;
		if (n < 2)
			return ERR_MALFORMED;
		break;
	case F_STRINGS: {
		size_t at = 0;

		while (at < len)
			at += p[at] + 1U;
		return at == len && len ? (int)len : ERR_MALFORMED;
	}
	case F_HEX:
	case F_BASE64:
		return len ? (int)len : ERR_MALFORMED;
	case F_TEXT:
		return (int)len;
	case F_BASE64_OPTIONAL:
	case F_BASE64_OR_DASH:
		return (int)len;
	case F_NSAP:
		return len ? (int)len : ERR_MALFORMED;
	case F_BITMAP:
		return bitmap_check(p, len) < 0 ? ERR_MALFORMED : (int)len;
	case F_NXT:
		return len && len <= 16 && !(p[0] & 0x80) ? (int)len : ERR_MALFORMED;
	case F_LOC:
		return len == 16 && !p[0] ? 16 : ERR_MALFORMED;
	case F_APL:
		return apl_check(p, len) < 0 ? ERR_MALFORMED : (int)len;
	case F_SVCB:
		return svcb_check(p, len) < 0 ? ERR_MALFORMED : (int)len;
	case F_DIGEST:
	case F_ZONE_DIGEST: {
		size_t wanted = p - rdata >= 2 ? rrtype_digest_len(f, p - 2) : 0;

		if (wanted ? len != wanted : len < (f == F_ZONE_DIGEST ? ZONEMD_DIGEST_MIN : 1U))
			return ERR_MALFORMED;
		return (int)len;
	}
	case F_WKS:
		return len >= 5 && len <= 5 + 8192 ? (int)len : ERR_MALFORMED;
	case F_ATMA:
		return len >= 2 && p[0] <= 1 ? (int)len : ERR_MALFORMED;
	case F_GATEWAY:
	case F_RELAY: {
		size_t head = f == F_GATEWAY ? 3 : 2;
		unsigned kind;
		int g;

		if (len < head)
			return ERR_MALFORMED;
		kind = f == F_GATEWAY ? p[1] : p[1] & 0x7f;
		if (f == F_RELAY && kind > 3) /* RFC 8777 4.2.3: types to come */
			return (int)len;
		g = kind == 0 ? 0 : kind == 1 ? 4 : kind == 2 ? 16 : kind == 3 ? name_check(p + head, len - head) : ERR_MALFORMED;
		if (g < 0 || len - head < (size_t)g)
			return ERR_MALFORMED;
		if (f == F_RELAY && len != head + (size_t)g)
			return ERR_MALFORMED;
		return (int)len; /* IPSECKEY: a key follows, or none */
	}
	case F_HIP: {
		size_t at;

		if (len < 4 || !p[0] || !get_u16(p + 2) || len < 4U + p[0] + get_u16(p + 2))
			return ERR_MALFORMED;
		at = 4U + p[0] + get_u16(p + 2);
		while (at < len) {
			int s = name_check(p + at, len - at);

			if (s < 0)
				return ERR_MALFORMED;
			at += (size_t)s;
		}
		return (int)len;
	}
	case F_A6: {
		size_t head;

		if (!len || p[0] > 128)
			return ERR_MALFORMED;
		head = 1U + (128U - p[0] + 7U) / 8U;
		if (len < head)
			return ERR_MALFORMED;
		if (!p[0])
			return len == head ? (int)len : ERR_MALFORMED;
		n = name_check(p + head, len - head);
		return n < 0 || head + (size_t)n != len ? ERR_MALFORMED : (int)len;
	}
	}
	return n >= 0 && (size_t)n <= len ? n : ERR_MALFORMED;
}

int rrtype_check_fields(const struct rrtype_info *info, const uint8_t *rdata, size_t len)
{
	size_t at = 0;

	for (const char *f = info->fields; *f; f++) {
		int n = field_len((enum rdata_field)*f, rdata + at, len - at, rdata);

		if (n < 0)
			return ERR_MALFORMED;
		at += (size_t)n;
	}
	return at == len ? 0 : ERR_MALFORMED;
}

int rdata_check(uint16_t type, const uint8_t *rdata, size_t len)
{
	const struct rrtype_info *info = rrtype_info(type);

	if (len > RDATA_MAX)
		return ERR_MALFORMED;
	return info && info->fields && !rrtype_is_private(type) ? rrtype_check_fields(info, rdata, len) : 0;
}

int rdata_from_wire(uint16_t type, struct reader *r, size_t rdlen, struct writer *w)
{
	const struct rrtype_info *info = rrtype_is_private(type) ? NULL : rrtype_info(type);
	size_t end = r->pos + rdlen, start = w->pos;
	bool failed_before = w->failed;
	struct reader in = *r;
	int err = 0;

	if (reader_left(r) < rdlen)
		return ERR_TRUNCATED;
	in.len = end; /* names may point back into the message, but not read beyond the record */
	for (const char *f = info && info->fields ? info->fields : ""; *f && !err; f++) {
		struct name name;
		int n;

		if (*f == F_NAME_COMPRESS || *f == F_NAME_LOWER) {
			err = name_from_wire(&in, &name);
			if (!err)
				writer_bytes(w, name.wire, name.len);
			continue;
		}
		n = field_len((enum rdata_field)*f, in.base + in.pos, end - in.pos, in.base + (end - rdlen));
		if (n < 0)
			err = n;
		else
			writer_bytes(w, reader_bytes(&in, (size_t)n), (size_t)n);
	}
	if (!err && (!info || !info->fields))
		writer_bytes(w, reader_bytes(&in, rdlen), rdlen);
	if (!err && in.pos != end)
		err = ERR_MALFORMED;
	if (!err && !writer_ok(w))
		err = ERR_NO_SPACE;
	if (!err)
		err = rdata_check(type, w->base + start, w->pos - start);
	if (err) {
		w->pos = start;
		w->failed = failed_before;
		return err;
	}
	r->pos = end;
	return 0;
}

static void lower_name(uint8_t *name)
{
	size_t len = name_len(name);

	for (size_t i = 0; i < len; i++)
		if ((uint8_t)(name[i] - 'A') < 26)
			name[i] |= 0x20;
}

void rdata_canonical(uint16_t type, uint8_t *rdata, size_t len)
{
	const struct rrtype_info *info = rrtype_info(type);
	size_t at = 0;

	for (const char *f = info && info->fields ? info->fields : ""; *f; f++) {
		int n = field_len((enum rdata_field)*f, rdata + at, len - at, rdata);

		if (n < 0)
			return;
		if (*f == F_NAME_COMPRESS || *f == F_NAME_LOWER)
			lower_name(rdata + at);
		if (*f == F_A6 && rdata[0]) /* a name stands behind the address */
			lower_name(rdata + 1 + (128U - rdata[0] + 7U) / 8U);
		at += (size_t)n;
	}
}

int rdata_compare(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int d = memcmp(a, b, MIN(a_len, b_len));

	return d ? d : a_len < b_len ? -1 : a_len > b_len;
}

unsigned rdata_compressible(uint16_t type, const uint8_t *rdata, size_t len, uint16_t offsets[RDATA_NAMES_MAX])
{
	const struct rrtype_info *info;
	unsigned count = 0;
	size_t at = 0;

	switch (type) { /* most of what is answered holds no name */
	case RR_A:
	case RR_AAAA:
	case RR_RRSIG:
	case RR_NSEC3:
	case RR_DS:
	case RR_DNSKEY:
	case RR_TXT:
		return 0;
	case RR_NS:
	case RR_CNAME:
	case RR_PTR:
		offsets[0] = 0;
		return 1;
	default:
		break;
	}
	info = rrtype_info(type);
	for (const char *f = info && info->fields ? info->fields : ""; *f && count < RDATA_NAMES_MAX; f++) {
		int n;

		if (!strchr(f, F_NAME_COMPRESS))
			break;
		n = field_len((enum rdata_field)*f, rdata + at, len - at, rdata);
		if (n < 0)
			break;
		if (*f == F_NAME_COMPRESS)
			offsets[count++] = (uint16_t)at;
		at += (size_t)n;
	}
	return count;
}

const uint8_t *rdata_target(uint16_t type, const uint8_t *rdata, size_t len)
{
	size_t at;

	switch (type) {
	case RR_NS:
	case RR_MD:
	case RR_MF:
	case 7: /* MB */
		at = 0;
		break;
	case RR_MX:
	case 18: /* AFSDB */
	case 21: /* RT */
	case 36: /* KX */
	case RR_SVCB:
	case RR_HTTPS:
	case 107: /* LP */
		at = 2;
		break;
	case RR_SRV:
		at = 6;
		break;
	default:
		return NULL;
	}
	return len > at && name_check(rdata + at, len - at) > 0 ? rdata + at : NULL;
}

int soa_parse(const uint8_t *rdata, size_t len, struct soa *out)
{
	int m = name_check(rdata, len), r;
	const uint8_t *p;

	if (m < 0)
		return ERR_MALFORMED;
	r = name_check(rdata + m, len - (size_t)m);
	if (r < 0 || len - (size_t)m - (size_t)r != 20)
		return ERR_MALFORMED;
	p = rdata + m + r;
	*out = (struct soa){.mname = rdata, .rname = rdata + m, .serial = get_u32(p), .refresh = get_u32(p + 4),
	                    .retry = get_u32(p + 8), .expire = get_u32(p + 12), .minimum = get_u32(p + 16)};
	return 0;
}

bool serial_after(uint32_t a, uint32_t b)
{
	return a != b && (int32_t)(a - b) > 0;
}

uint16_t rrsig_covers(const uint8_t *rdata, size_t len)
{
	return len >= 2 ? get_u16(rdata) : 0;
}

bool typemap_has(const uint8_t *rdata, size_t len, size_t offset, uint16_t type)
{
	const uint8_t *p = rdata + offset;
	size_t left = offset <= len ? len - offset : 0;

	while (left >= 2 && left >= 2U + p[1]) {
		unsigned octet = (type & 0xffU) / 8U;

		if (p[0] == type >> 8)
			return octet < p[1] && (p[2U + octet] >> (7U - (type & 7U)) & 1U) != 0;
		left -= 2U + p[1];
		p += 2 + p[1];
	}
	return false;
}
