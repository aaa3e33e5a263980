/* SPDX-License-Identifier: BSD-2-Clause */
/* RDATA as text, in the forms the types' RFCs give. What is not valid for its type, and types without a form of their own, are written
 * as RFC 3597 5 says, so that everything can be read back. */
#include "base/addr.h"
#include "base/text.h"
#include "dns/base64.h"
#include "dns/rr.h"
#include "dns/rrtype.h"
#include "dns/svcb.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void put_escaped(struct text *t, const uint8_t *p, size_t len)
{
	text_char(t, '"');
	for (size_t i = 0; i < len; i++) {
		if (p[i] < ' ' || p[i] > '~') {
			text_fmt(t, "\\%03u", p[i]);
			continue;
		}
		if (p[i] == '"' || p[i] == '\\')
			text_char(t, '\\');
		text_char(t, (char)p[i]);
	}
	text_char(t, '"');
}

static void put_name(struct text *t, const uint8_t *name)
{
	char buf[NAME_TEXT_MAX];

	text_add(t, buf, name_to_text(name, buf));
}

static void put_type(struct text *t, uint16_t type)
{
	char buf[RRTYPE_TEXT_MAX];

	text_str(t, rrtype_text(type, buf));
}

static void put_time(struct text *t, uint32_t v)
{
	/* RFC 4034 3.1.5: serial number arithmetic, here around now. */
	int64_t now = (int64_t)time(NULL);
	time_t when = (time_t)(now + (int32_t)(v - (uint32_t)now));
	char buf[32];
	struct tm tm;

	if (when < 0)
		when += (time_t)1 << 32;
	if (gmtime_r(&when, &tm) && tm.tm_year + 1900 <= 9999 && strftime(buf, sizeof(buf), "%Y%m%d%H%M%S", &tm) == 14)
		text_str(t, buf);
	else
		text_fmt(t, "%" PRIu32, v);
}

static void put_ip(struct text *t, int family, const uint8_t *p)
{
	char buf[INET6_ADDRSTRLEN];

	if (inet_ntop(family, p, buf, sizeof(buf)))
		text_str(t, buf);
}

static void put_strings(struct text *t, const uint8_t *p, size_t len)
{
	for (size_t at = 0; at < len; at += p[at] + 1U) {
		if (at)
			text_char(t, ' ');
		put_escaped(t, p + at + 1, p[at]);
	}
}

static void put_bitmap(struct text *t, const uint8_t *p, size_t len)
{
	bool first = true;

	for (size_t at = 0; at + 2 <= len; at += 2U + p[at + 1])
		for (unsigned i = 0; i < p[at + 1] * 8U; i++)
			if (p[at + 2U + i / 8] & (0x80 >> (i & 7))) {
				if (!first)
					text_char(t, ' ');
				first = false;
				put_type(t, (uint16_t)((unsigned)p[at] << 8 | i));
			}
}

static void put_nxt(struct text *t, const uint8_t *p, size_t len)
{
	bool first = true;

	for (unsigned i = 0; i < len * 8; i++)
		if (p[i / 8] & (0x80 >> (i & 7))) {
			if (!first)
				text_char(t, ' ');
			first = false;
			put_type(t, (uint16_t)i);
		}
}

/* RFC 1876 2: mantissa and power of ten, in centimetres. */
static void put_loc_size(struct text *t, uint8_t v)
{
	uint64_t cm = v >> 4;

	for (unsigned i = v & 15; i; i--)
		cm *= 10;
	text_fmt(t, " %" PRIu64, cm / 100);
	if (cm < 100)
		text_fmt(t, ".%02u", (unsigned)(cm % 100));
	text_char(t, 'm');
}

static void put_loc_angle(struct text *t, uint32_t v, char positive, char negative)
{
	uint32_t a = v >= 0x80000000U ? v - 0x80000000U : 0x80000000U - v;

	text_fmt(t, "%u %u %u.%03u %c ", a / 3600000, a / 60000 % 60, a / 1000 % 60, a % 1000,
	         v >= 0x80000000U ? positive : negative);
}

static bool put_loc(struct text *t, const uint8_t *p)
{
	int64_t altitude = (int64_t)get_u32(p + 12) - 10000000;

	for (int i = 1; i < 4; i++)
		if (p[i] >> 4 > 9 || (p[i] & 15) > 9 || (!(p[i] >> 4) && (p[i] & 15)))
			return false;
	if (get_u32(p + 4) - (0x80000000U - 324000000U) > 648000000U || get_u32(p + 8) - (0x80000000U - 648000000U) > 1296000000U)
		return false;
	put_loc_angle(t, get_u32(p + 4), 'N', 'S');
	put_loc_angle(t, get_u32(p + 8), 'E', 'W');
	text_fmt(t, "%s%" PRIu64 ".%02um", altitude < 0 ? "-" : "", (uint64_t)(altitude < 0 ? -altitude : altitude) / 100,
	         (unsigned)((altitude < 0 ? -altitude : altitude) % 100));
	put_loc_size(t, p[1]);
	put_loc_size(t, p[2]);
	put_loc_size(t, p[3]);
	return true;
}

static void put_apl(struct text *t, const uint8_t *p, size_t len)
{
	for (size_t at = 0; at < len; at += 4U + (p[at + 3] & 0x7f)) {
		unsigned family = get_u16(p + at), n = p[at + 3] & 0x7f;
		uint8_t addr[16] = {0};

		memcpy(addr, p + at + 4, n);
		if (at)
			text_char(t, ' ');
		text_fmt(t, "%s%u:", p[at + 3] & 0x80 ? "!" : "", family);
		put_ip(t, family == 1 ? AF_INET : AF_INET6, addr);
		text_fmt(t, "/%u", p[at + 2]);
	}
}

static void put_wks(struct text *t, const uint8_t *p, size_t len)
{
	put_ip(t, AF_INET, p);
	text_fmt(t, " %u", p[4]);
	for (unsigned i = 0; i < (unsigned)(len - 5) * 8; i++)
		if (p[5 + i / 8] & (0x80 >> (i & 7)))
			text_fmt(t, " %u", i);
}

/* The address or name of IPSECKEY and AMTRELAY; octets used. */
static size_t put_gateway(struct text *t, unsigned kind, const uint8_t *p)
{
	switch (kind) {
	case 1:
		put_ip(t, AF_INET, p);
		return 4;
	case 2:
		put_ip(t, AF_INET6, p);
		return 16;
	case 3:
		put_name(t, p);
		return name_len(p);
	default:
		text_char(t, '.');
		return 0;
	}
}

static void put_hip(struct text *t, const uint8_t *p, size_t len)
{
	size_t at = 4U + p[0];

	text_fmt(t, "%u ", p[1]);
	hex_put(t, p + 4, p[0]);
	text_char(t, ' ');
	base64_put(t, p + at, get_u16(p + 2));
	for (at += get_u16(p + 2); at < len; at += name_len(p + at)) {
		text_char(t, ' ');
		put_name(t, p + at);
	}
}

static void put_a6(struct text *t, const uint8_t *p, size_t len)
{
	size_t n = (128U - p[0] + 7U) / 8U;
	uint8_t addr[16] = {0};

	memcpy(addr + 16 - n, p + 1, n);
	text_fmt(t, "%u", p[0]);
	if (n) {
		text_char(t, ' ');
		put_ip(t, AF_INET6, addr);
	}
	if (p[0] && 1 + n < len) {
		text_char(t, ' ');
		put_name(t, p + 1 + n);
	}
}

static void put_pairs(struct text *t, const uint8_t *p, size_t n, char between)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			text_char(t, between);
		text_fmt(t, "%02x", p[i]);
	}
}

static void put_cert(struct text *t, uint16_t v)
{
	static const char *const names[] = {NULL, "PKIX", "SPKI", "PGP", "IPKIX", "ISPKI", "IPGP", "ACPKIX", "IACPKIX"};

	if (v && v < ARRAY_LEN(names))
		text_str(t, names[v]);
	else if (v == 253)
		text_str(t, "URI");
	else if (v == 254)
		text_str(t, "OID");
	else
		text_fmt(t, "%u", v);
}

/* One field; octets used, or a negative number when this text form cannot say it (bits that it has no words for). The RDATA was checked before. */
static int put_field(struct text *t, enum rdata_field f, const uint8_t *p, size_t len)
{
	switch (f) {
	case F_NAME_COMPRESS:
	case F_NAME_LOWER:
	case F_NAME:
		put_name(t, p);
		return (int)name_len(p);
	case F_U8:
	case F_ALGORITHM:
		text_fmt(t, "%u", p[0]);
		return 1;
	case F_U16:
		text_fmt(t, "%u", get_u16(p));
		return 2;
	case F_U32:
	case F_PERIOD:
		text_fmt(t, "%" PRIu32, get_u32(p));
		return 4;
	case F_TIME:
		put_time(t, get_u32(p));
		return 4;
	case F_TYPE:
		put_type(t, get_u16(p));
		return 2;
	case F_CERT:
		put_cert(t, get_u16(p));
		return 2;
	case F_IPV4:
		put_ip(t, AF_INET, p);
		return 4;
	case F_IPV6:
		put_ip(t, AF_INET6, p);
		return 16;
	case F_STRING_OPTIONAL:
	case F_STRING:
		if (!len)
			return 0;
		put_escaped(t, p + 1, p[0]);
		return p[0] + 1;
	case F_TAG:
		text_add(t, (const char *)p + 1, p[0]);
		return p[0] + 1;
	case F_STRINGS:
		put_strings(t, p, len);
		break;
	case F_TEXT:
		put_escaped(t, p, len);
		break;
	case F_HEX:
	case F_DIGEST:
	case F_ZONE_DIGEST:
		hex_put(t, p, len);
		break;
	case F_BASE64:
	case F_BASE64_OPTIONAL:
		base64_put(t, p, len);
		break;
	case F_BASE64_OR_DASH:
		if (len)
			base64_put(t, p, len);
		else
			text_char(t, '-');
		break;
	case F_SALT:
		if (p[0])
			hex_put(t, p + 1, p[0]);
		else
			text_char(t, '-');
		return p[0] + 1;
	case F_HASH:
		base32hex_put(t, p + 1, p[0]);
		return p[0] + 1;
	case F_BITMAP:
		put_bitmap(t, p, len);
		break;
	case F_NXT:
		if (!p[len - 1])
			return -1;
		put_nxt(t, p, len);
		break;
	case F_LOC:
		if (!put_loc(t, p))
			return -1;
		break;
	case F_APL:
		put_apl(t, p, len);
		break;
	case F_SVCB:
		svcb_to_text(p, len, t);
		break;
	case F_WKS:
		if (len > 5 && !p[len - 1])
			return -1;
		put_wks(t, p, len);
		break;
	case F_GATEWAY: {
		size_t n;

		text_fmt(t, "%u %u %u ", p[0], p[1], p[2]);
		n = 3 + put_gateway(t, p[1], p + 3);
		if (n < len) {
			text_char(t, ' ');
			base64_put(t, p + n, len - n);
		}
		break;
	}
	case F_SCHEME:
		if (p[0] == 1)
			text_str(t, "NOTIFY");
		else
			text_fmt(t, "%u", p[0]);
		return 1;
	case F_RELAY:
		if ((p[1] & 0x7f) > 3)
			return -1;
		text_fmt(t, "%u %u %u ", p[0], p[1] >> 7, p[1] & 0x7f);
		put_gateway(t, p[1] & 0x7f, p + 2);
		break;
	case F_HIP:
		put_hip(t, p, len);
		break;
	case F_A6:
		if (p[0] % 8 && (p[1] & ~(0xff >> (p[0] % 8))))
			return -1;
		put_a6(t, p, len);
		break;
	case F_SET_HASH:
		hex_put(t, p, SET_HASH_LEN);
		return SET_HASH_LEN;
	case F_EUI48:
		put_pairs(t, p, 6, '-');
		break;
	case F_EUI64:
		put_pairs(t, p, 8, '-');
		break;
	case F_LOCATOR:
		text_fmt(t, "%x:%x:%x:%x", get_u16(p), get_u16(p + 2), get_u16(p + 4), get_u16(p + 6));
		return 8;
	case F_NSAP:
		text_str(t, "0x");
		hex_put(t, p, len);
		break;
	case F_ATMA:
		if (p[0] == 1) {
			for (size_t i = 1; i < len; i++)
				if (p[i] < '0' || p[i] > '9')
					return -1;
			text_char(t, '+');
			text_add(t, (const char *)p + 1, len - 1);
		} else {
			hex_put(t, p + 1, len - 1);
		}
		break;
	}
	return (int)len;
}

static void put_generic(struct text *t, const uint8_t *rdata, size_t len)
{
	text_fmt(t, "\\# %zu", len);
	if (len) {
		text_char(t, ' ');
		hex_put(t, rdata, len);
	}
}

void rdata_to_text(uint16_t type, const uint8_t *rdata, size_t len, struct text *out)
{
	if (rrtype_is_private(type))
		put_generic(out, rdata, len);
	else
		rdata_to_own_text(type, rdata, len, out);
}

void rdata_to_own_text(uint16_t type, const uint8_t *rdata, size_t len, struct text *out)
{
	const struct rrtype_info *info = rrtype_info(type);
	size_t at = 0, start = out->len;

	if (!info || !info->fields || rrtype_check_fields(info, rdata, len) < 0) {
		put_generic(out, rdata, len);
		return;
	}
	for (const char *f = info->fields; *f; f++) {
		size_t before = out->len;
		int n;

		if (at && out->len > start)
			text_char(out, ' ');
		before = out->len;
		n = put_field(out, (enum rdata_field)*f, rdata + at, len - at);
		if (n < 0) {
			if (!out->failed) {
				out->len = start;
				out->chars[start] = '\0';
			}
			put_generic(out, rdata, len);
			return;
		}
		if (out->len == before && out->len > start && !out->failed) { /* an empty field: no blank before it */
			out->len--;
			out->chars[out->len] = '\0';
		}
		at += (size_t)n;
	}
}
