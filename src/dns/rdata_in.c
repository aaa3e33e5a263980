/* SPDX-License-Identifier: BSD-2-Clause */
/* RDATA from presentation format. Each field letter of the table reads the tokens it needs; the whole result is checked once more in wire
 * form, so that text and wire agree on what is valid. Everything a person can get wrong gets a sentence of its own. */
#include "base/err.h"
#include "dns/base64.h"
#include "dns/rdata_in_priv.h"
#include "dns/rdata_quick.h"
#include "dns/rrtype.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NUMBER_TEXT_MAX = 10 };

int input_fail(struct input *in, const struct rdata_token *token, const char *fmt, ...)
{
	va_list ap;

	in->problem->token = token;
	va_start(ap, fmt);
	vsnprintf(in->problem->text, sizeof(in->problem->text), fmt, ap);
	va_end(ap);
	return ERR_INVALID;
}

const struct rdata_token *input_next(struct input *in)
{
	return in->at < in->n ? &in->tokens[in->at++] : NULL;
}

int input_need(struct input *in, const char *what, const struct rdata_token **out)
{
	*out = input_next(in);
	return *out ? 0 : input_fail(in, NULL, "the record ends where %s is expected", what);
}

int input_number(struct input *in, uint64_t max, const char *what, uint64_t *out)
{
	const struct rdata_token *t;
	uint64_t v = 0;
	int err = input_need(in, what, &t);

	if (err)
		return err;
	if (!t->len || t->len > NUMBER_TEXT_MAX)
		return input_fail(in, t, "\"%.*s\" is not %s: write a number from 0 to %" PRIu64, SHOW(t), what, max);
	for (size_t i = 0; i < t->len; i++) {
		if (t->text[i] < '0' || t->text[i] > '9')
			return input_fail(in, t, "\"%.*s\" is not %s: write a number from 0 to %" PRIu64, SHOW(t), what, max);
		v = v * 10 + (uint64_t)(t->text[i] - '0');
	}
	if (v > max)
		return input_fail(in, t, "%" PRIu64 " is too large for %s: at most %" PRIu64, v, what, max);
	*out = v;
	return 0;
}

static int read_period(struct input *in)
{
	const struct rdata_token *t;
	uint32_t v;
	int err = input_need(in, "a period of time", &t);

	if (err)
		return err;
	if (ttl_from_text(t->text, t->len, UINT32_MAX, &v) < 0)
		return input_fail(in, t, "\"%.*s\" is no period: write seconds, or 1w2d3h4m5s", SHOW(t));
	writer_u32(in->w, v);
	return 0;
}

int ttl_from_text(const char *text, size_t len, uint32_t max, uint32_t *out)
{
	uint64_t total = 0, v = 0;
	bool digits = false, units = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		uint64_t unit;

		if (c >= '0' && c <= '9') {
			v = v * 10 + (uint64_t)(c - '0');
			digits = true;
			if (v > UINT32_MAX)
				return ERR_LIMIT;
			continue;
		}
		switch (c | 0x20) {
		case 's':
			unit = 1;
			break;
		case 'm':
			unit = 60;
			break;
		case 'h':
			unit = 3600;
			break;
		case 'd':
			unit = 86400;
			break;
		case 'w':
			unit = 604800;
			break;
		default:
			return ERR_MALFORMED;
		}
		if (!digits)
			return ERR_MALFORMED;
		total += v * unit;
		v = 0;
		digits = false;
		units = true;
		if (total > UINT32_MAX)
			return ERR_LIMIT;
	}
	if (!digits && !units)
		return ERR_MALFORMED;
	total += v;
	if (total > max)
		return ERR_LIMIT;
	*out = (uint32_t)total;
	return 0;
}

int input_name(struct input *in)
{
	const struct rdata_token *t;
	struct name name;
	int err = input_need(in, "a domain name", &t);

	if (err)
		return err;
	if (t->len == 1 && t->text[0] == '@' && !t->quoted) {
		if (!in->origin)
			return input_fail(in, t, "\"@\" has no origin here");
		writer_bytes(in->w, in->origin, name_len(in->origin));
		return 0;
	}
	err = name_from_text(t->text, t->len, in->origin, &name);
	if (err == ERR_LIMIT)
		return input_fail(in, t, "\"%.*s\" is too long: at most 63 octets a label and 255 a name", SHOW(t));
	if (err)
		return input_fail(in, t, "\"%.*s\" is no domain name: an empty label or a bad escape", SHOW(t));
	writer_bytes(in->w, name.wire, name.len);
	return 0;
}

int input_ip(struct input *in, int family)
{
	const struct rdata_token *t;
	char text[64];
	uint8_t addr[16];
	int err = input_need(in, family == AF_INET ? "an IPv4 address" : "an IPv6 address", &t);

	if (err)
		return err;
	if (t->len >= sizeof(text))
		return input_fail(in, t, "\"%.*s\" is no address", SHOW(t));
	memcpy(text, t->text, t->len);
	text[t->len] = '\0';
	if (strlen(text) != t->len || inet_pton(family, text, addr) != 1)
		return input_fail(in, t, family == AF_INET ? "\"%.*s\" is no IPv4 address: write it like 192.0.2.1"
		                                     : "\"%.*s\" is no IPv6 address: write it like 2001:db8::1", SHOW(t));
	writer_bytes(in->w, addr, family == AF_INET ? 4 : 16);
	return 0;
}

/* Undo escapes of one token into out (at most cap octets); the length or an error. */
static int unescape(const struct rdata_token *t, uint8_t *out, size_t cap, size_t *n)
{
	size_t at = 0;

	for (size_t i = 0; i < t->len; i++) {
		uint8_t c = (uint8_t)t->text[i];

		if (c == '\\') {
			if (i + 1 >= t->len)
				return ERR_MALFORMED;
			c = (uint8_t)t->text[++i];
			if (c >= '0' && c <= '9') {
				unsigned v;

				if (i + 2 >= t->len || t->text[i + 1] < '0' || t->text[i + 1] > '9' || t->text[i + 2] < '0' ||
				    t->text[i + 2] > '9')
					return ERR_MALFORMED;
				v = (unsigned)(c - '0') * 100 + (unsigned)(t->text[i + 1] - '0') * 10 + (unsigned)(t->text[i + 2] - '0');
				if (v > 255)
					return ERR_MALFORMED;
				c = (uint8_t)v;
				i += 2;
			}
		}
		if (at == cap)
			return ERR_LIMIT;
		out[at++] = c;
	}
	*n = at;
	return 0;
}

static int put_string(struct input *in, const struct rdata_token *t)
{
	uint8_t bytes[255];
	size_t n = 0;
	int err = unescape(t, bytes, sizeof(bytes), &n);

	if (err == ERR_LIMIT)
		return input_fail(in, t, "a character-string holds at most 255 octets: split it into \"...\" \"...\"");
	if (err)
		return input_fail(in, t, "bad escape: write \\DDD with three digits up to 255, or \\ and a character");
	writer_u8(in->w, (uint8_t)n);
	writer_bytes(in->w, bytes, n);
	return 0;
}

static int read_string(struct input *in)
{
	const struct rdata_token *t;
	int err = input_need(in, "a character-string", &t);

	return err ? err : put_string(in, t);
}

static int read_strings(struct input *in)
{
	int err;

	if (in->at == in->n)
		return input_fail(in, NULL, "the record ends where a character-string is expected; write \"\" for an empty one");
	while (in->at < in->n) {
		err = put_string(in, input_next(in));
		if (err)
			return err;
	}
	return 0;
}

static int read_text(struct input *in)
{
	const struct rdata_token *t;
	uint8_t *p;
	size_t n = 0;
	int err = input_need(in, "a quoted value", &t);

	if (err)
		return err;
	p = malloc(t->len + 1);
	if (!p)
		return ERR_NO_MEMORY;
	err = unescape(t, p, t->len, &n);
	if (!err)
		writer_bytes(in->w, p, n);
	free(p);
	return err ? input_fail(in, t, "bad escape: write \\DDD with three digits up to 255, or \\ and a character") : 0;
}

int input_encoded(struct input *in, bool hex, bool may_be_empty)
{
	struct decoder d = {0};
	const struct rdata_token *t = NULL;
	size_t start = in->w->pos;
	const char *what = hex ? "hexadecimal digits" : "base64";

	while ((t = input_next(in)) != NULL) {
		if ((hex ? hex_feed(&d, t->text, t->len, in->w) : base64_feed(&d, t->text, t->len, in->w)) < 0)
			return input_fail(in, t, "\"%.*s\" is not %s", SHOW(t), what);
	}
	if ((hex ? hex_end(&d) : base64_end(&d)) < 0)
		return input_fail(in, in->n ? &in->tokens[in->n - 1] : NULL,
		            hex ? "an odd number of hexadecimal digits" : "incomplete base64: its length must be a multiple of 4");
	if (in->w->pos == start && !may_be_empty && !in->w->failed)
		return input_fail(in, NULL, "the record ends where %s is expected", what);
	return 0;
}

static int read_digest(struct input *in, enum rdata_field f)
{
	const struct rdata_token *t = in->at < in->n ? &in->tokens[in->at] : NULL;
	size_t start = in->w->pos, wanted = in->w->failed || start < 2 ? 0 : rrtype_digest_len(f, in->w->base + start - 2);
	int err = input_encoded(in, true, false);

	if (err || in->w->failed)
		return err;
	if (!wanted && f == F_ZONE_DIGEST && in->w->pos - start < ZONEMD_DIGEST_MIN)
		return input_fail(in, t, "a digest of a zone has %d octets at least", ZONEMD_DIGEST_MIN);
	if (wanted && in->w->pos - start != wanted)
		return input_fail(in, t, "a digest of type %u has %zu octets, not %zu", in->w->base[start - 1], wanted, in->w->pos - start);
	return 0;
}

static int read_salt(struct input *in)
{
	const struct rdata_token *t;
	size_t at;
	int err = input_need(in, "a salt", &t);

	if (err)
		return err;
	at = in->w->pos;
	writer_u8(in->w, 0);
	if (t->len == 1 && t->text[0] == '-')
		return 0;
	if (!t->len || t->len > 510 || hex_get(t->text, t->len, in->w) < 0)
		return input_fail(in, t, "\"%.*s\" is no salt: write hexadecimal digits, or - for none", SHOW(t));
	if (!in->w->failed)
		in->w->base[at] = (uint8_t)(in->w->pos - at - 1);
	return 0;
}

static int read_hash(struct input *in)
{
	const struct rdata_token *t;
	size_t at;
	int err = input_need(in, "a hash", &t);

	if (err)
		return err;
	at = in->w->pos;
	writer_u8(in->w, 0);
	if (!t->len || t->len > 408 || base32hex_get(t->text, t->len, in->w) < 0 || in->w->pos == at + 1)
		return input_fail(in, t, "\"%.*s\" is no hash: write base32hex without padding", SHOW(t));
	if (!in->w->failed)
		in->w->base[at] = (uint8_t)(in->w->pos - at - 1);
	return 0;
}

static int read_bitmap(struct input *in, bool nxt)
{
	uint8_t few[32] = {0}, *bits = few; /* all 65536 bits once a type above 255 is met */
	const struct rdata_token *t;
	unsigned windows = 1;
	uint16_t type;
	int err = 0;

	while (!err && (t = input_next(in)) != NULL) {
		if (rrtype_from_text(t->text, t->len, &type) < 0)
			err = input_fail(in, t, "\"%.*s\" is no record type", SHOW(t));
		else if (nxt && type > 127)
			err = input_fail(in, t, "an NXT record knows types up to 127 only");
		if (!err && type > 255 && windows == 1) {
			bits = calloc(256, sizeof(few));
			if (!bits)
				return ERR_NO_MEMORY;
			memcpy(bits, few, sizeof(few));
			windows = 256;
		}
		if (!err)
			bits[type / 8] |= (uint8_t)(0x80 >> (type & 7));
	}
	for (unsigned window = 0; !err && window < windows; window++) {
		unsigned len = nxt ? 16 : 32;

		while (len && !bits[window * 32 + len - 1])
			len--;
		if (!len)
			continue;
		if (!nxt) {
			writer_u8(in->w, (uint8_t)window);
			writer_u8(in->w, (uint8_t)len);
		}
		writer_bytes(in->w, bits + (size_t)window * 32, len);
		if (nxt)
			break;
	}
	if (bits != few)
		free(bits);
	return err;
}

static int read_type(struct input *in)
{
	const struct rdata_token *t;
	uint16_t type;
	int err = input_need(in, "a record type", &t);

	if (err)
		return err;
	if (rrtype_from_text(t->text, t->len, &type) < 0) {
		/* SIG records of old cover type 0, printed as a number. */
		uint64_t v;

		in->at--;
		err = input_number(in, 65535, "a record type", &v);
		if (err)
			return err;
		type = (uint16_t)v;
	}
	writer_u16(in->w, type);
	return 0;
}

static int read_cert(struct input *in)
{
	static const struct {
		const char *name;
		uint16_t v;
	} names[] = {{"PKIX", 1}, {"SPKI", 2}, {"PGP", 3}, {"IPKIX", 4}, {"ISPKI", 5}, {"IPGP", 6}, {"ACPKIX", 7}, {"IACPKIX", 8},
	             {"URI", 253}, {"OID", 254}};
	const struct rdata_token *t;
	uint64_t v;
	int err = input_need(in, "a certificate type", &t);

	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i].name) == t->len && strncasecmp(names[i].name, t->text, t->len) == 0) {
			writer_u16(in->w, names[i].v);
			return 0;
		}
	in->at--;
	err = input_number(in, 65535, "a certificate type", &v);
	if (!err)
		writer_u16(in->w, (uint16_t)v);
	return err;
}

static int read_algorithm(struct input *in)
{
	static const struct {
		const char *name;
		uint8_t v;
	} names[] = {{"RSAMD5", 1}, {"DH", 2}, {"DSA", 3}, {"ECC", 4}, {"RSASHA1", 5}, {"DSA-NSEC3-SHA1", 6}, {"NSEC3DSA", 6},
	             {"RSASHA1-NSEC3-SHA1", 7}, {"NSEC3RSASHA1", 7}, {"RSASHA256", 8}, {"RSASHA512", 10}, {"ECC-GOST", 12}, {"ECCGOST", 12},
	             {"ECDSAP256SHA256", 13}, {"ECDSAP384SHA384", 14}, {"ED25519", 15}, {"ED448", 16}, {"INDIRECT", 252},
	             {"PRIVATEDNS", 253}, {"PRIVATEOID", 254}};
	const struct rdata_token *t;
	uint64_t v;
	int err = input_need(in, "an algorithm", &t);

	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i].name) == t->len && strncasecmp(names[i].name, t->text, t->len) == 0) {
			writer_u8(in->w, names[i].v);
			return 0;
		}
	in->at--;
	err = input_number(in, 255, "an algorithm", &v);
	if (!err)
		writer_u8(in->w, (uint8_t)v);
	return err;
}

/* Digits at text, n of them; negative if one is none. */
static int digits(const char *text, unsigned n)
{
	int v = 0;

	for (unsigned i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		v = v * 10 + (text[i] - '0');
	}
	return v;
}

/* Days of the proleptic Gregorian calendar since 1 January 1970. The year is taken to begin in March, so that the leap day is its last. */
static int64_t days_since_1970(int year, int month, int day)
{
	int64_t y = year - (month <= 2), m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

int rdata_time(const char *text, uint32_t *out)
{
	static const int8_t days_in[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int year = digits(text, 4), month = digits(text + 4, 2), day = digits(text + 6, 2);
	int hour = digits(text + 8, 2), minute = digits(text + 10, 2), second = digits(text + 12, 2);
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in[month - 1] + (month == 2 && leap) || hour < 0 || hour > 23 ||
	    minute < 0 || minute > 59 || second < 0 || second > 60)
		return ERR_MALFORMED;
	*out = (uint32_t)(days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second);
	return 0;
}

static int read_time(struct input *in)
{
	const struct rdata_token *t;
	uint32_t when;
	uint64_t v;
	int err = input_need(in, "a time", &t);

	if (err)
		return err;
	if (t->len != 14) { /* RFC 4034 3.2: or seconds since the epoch */
		in->at--;
		err = input_number(in, UINT32_MAX, "a time (YYYYMMDDHHmmSS)", &v);
		if (!err)
			writer_u32(in->w, (uint32_t)v);
		return err;
	}
	if (rdata_time(t->text, &when) < 0)
		return input_fail(in, t, "\"%.*s\" is no time: write YYYYMMDDHHmmSS", SHOW(t));
	writer_u32(in->w, when);
	return 0;
}

static int read_tag(struct input *in)
{
	const struct rdata_token *t;
	int err = input_need(in, "a tag", &t);

	if (err)
		return err;
	for (size_t i = 0; i < t->len; i++)
		if (!((t->text[i] | 0x20) >= 'a' && (t->text[i] | 0x20) <= 'z') && !(t->text[i] >= '0' && t->text[i] <= '9'))
			return input_fail(in, t, "\"%.*s\" is no tag: write letters and digits, like issue or iodef", SHOW(t));
	return t->len ? put_string(in, t) : input_fail(in, t, "the tag is empty: write one like issue or iodef");
}

static int read_set_hash(struct input *in)
{
	const struct rdata_token *t;
	size_t at = in->w->pos;
	int err = input_need(in, "the hash of a set", &t);

	if (err)
		return err;
	if (t->len != (size_t)2 * SET_HASH_LEN || hex_get(t->text, t->len, in->w) < 0 || (!in->w->failed && in->w->pos - at != SET_HASH_LEN))
		return input_fail(in, t, "\"%.*s\" is no hash of a set: write %d hexadecimal digits", SHOW(t), 2 * SET_HASH_LEN);
	return 0;
}

/* GPOS (RFC 1712) holds numbers as text; they are not judged. */
static int read_field(struct input *in, enum rdata_field f)
{
	uint64_t v = 0;
	int err;

	switch (f) {
	case F_NAME_COMPRESS:
	case F_NAME_LOWER:
	case F_NAME:
		return input_name(in);
	case F_U8:
		err = input_number(in, 255, "a number", &v);
		if (!err)
			writer_u8(in->w, (uint8_t)v);
		return err;
	case F_SCHEME:
		if (in->at < in->n && in->tokens[in->at].len == 6 && strncasecmp(in->tokens[in->at].text, "NOTIFY", 6) == 0) {
			in->at++;
			writer_u8(in->w, 1);
			return 0;
		}
		err = input_number(in, 255, "a scheme", &v);
		if (!err)
			writer_u8(in->w, (uint8_t)v);
		return err;
	case F_U16:
		err = input_number(in, 65535, "a number", &v);
		if (!err)
			writer_u16(in->w, (uint16_t)v);
		return err;
	case F_U32:
		err = input_number(in, UINT32_MAX, "a number", &v);
		if (!err)
			writer_u32(in->w, (uint32_t)v);
		return err;
	case F_PERIOD:
		return read_period(in);
	case F_TIME:
		return read_time(in);
	case F_TYPE:
		return read_type(in);
	case F_CERT:
		return read_cert(in);
	case F_ALGORITHM:
		return read_algorithm(in);
	case F_IPV4:
		return input_ip(in, AF_INET);
	case F_IPV6:
		return input_ip(in, AF_INET6);
	case F_STRING_OPTIONAL:
		return in->at < in->n ? read_string(in) : 0;
	case F_STRING:
		return read_string(in);
	case F_TAG:
		return read_tag(in);
	case F_STRINGS:
		return read_strings(in);
	case F_TEXT:
		return read_text(in);
	case F_HEX:
		return input_encoded(in, true, false);
	case F_DIGEST:
	case F_ZONE_DIGEST:
		return read_digest(in, f);
	case F_BASE64_OR_DASH:
		if (in->at + 1 == in->n && in->tokens[in->at].len == 1 && in->tokens[in->at].text[0] == '-') {
			in->at++;
			return 0;
		}
		if (in->at == in->n)
			return input_fail(in, NULL, "the record ends where base64 is expected; write - for no data");
		return input_encoded(in, false, false);
	case F_BASE64:
	case F_BASE64_OPTIONAL:
		return input_encoded(in, false, f == F_BASE64_OPTIONAL);
	case F_SALT:
		return read_salt(in);
	case F_HASH:
		return read_hash(in);
	case F_SET_HASH:
		return read_set_hash(in);
	case F_BITMAP:
	case F_NXT:
		return read_bitmap(in, f == F_NXT);
	case F_LOC:
		return input_loc(in);
	case F_APL:
		return input_apl(in);
	case F_SVCB:
		return input_svcb(in);
	case F_WKS:
		return input_wks(in);
	case F_GATEWAY:
		return input_gateway(in);
	case F_RELAY:
		return input_relay(in);
	case F_HIP:
		return input_hip(in);
	case F_EUI48:
		return input_pairs(in, 6);
	case F_EUI64:
		return input_pairs(in, 8);
	case F_LOCATOR:
		return input_locator(in);
	case F_NSAP:
		return input_nsap(in);
	case F_ATMA:
		return input_atma(in);
	case F_A6:
		return input_a6(in);
	}
	return ERR_INVALID;
}

/* "\# LEN HEX" (RFC 3597 5). */
static int read_generic(struct input *in)
{
	const struct rdata_token *t;
	size_t start = in->w->pos;
	uint64_t len;
	int err;

	in->at = 1;
	err = input_number(in, RDATA_MAX, "the length of the data", &len);
	if (err)
		return err;
	t = &in->tokens[1];
	err = input_encoded(in, true, true);
	if (!err && !in->w->failed && in->w->pos - start != len)
		return input_fail(in, t, "the length says %" PRIu64 " octets, but %zu follow", len, in->w->pos - start);
	return err;
}

static int read_slowly(uint16_t type, const struct rdata_token *tokens, size_t n, const uint8_t *origin, struct writer *w,
                       struct rdata_problem *problem)
{
	const struct rrtype_info *info = rrtype_info(type);
	struct input in = {.tokens = tokens, .n = n, .origin = origin, .w = w, .problem = problem};
	/* "\\#" that no length follows is a character-string, where the type has such (BIND reads it so). */
	bool generic = n > 1 && tokens[0].len == 2 && memcmp(tokens[0].text, "\\#", 2) == 0 && !tokens[0].quoted &&
	               tokens[1].len && tokens[1].text[0] >= '0' && tokens[1].text[0] <= '9';
	size_t start = w->pos;
	bool failed_before = w->failed;
	char name[RRTYPE_TEXT_MAX];
	int err = 0;

	problem->token = NULL;
	problem->text[0] = '\0';
	if (generic)
		err = read_generic(&in);
	else if (!info || !info->fields)
		err = input_fail(&in, n ? &tokens[0] : NULL, "type %s has no text form: write \\# LENGTH HEX (RFC 3597)",
		           rrtype_text(type, name));
	else
		for (const char *f = info->fields; *f && !err; f++)
			err = read_field(&in, (enum rdata_field)*f);
	if (!err && in.at < n)
		err = input_fail(&in, &tokens[in.at], "\"%.*s\" is too much: the %s record is complete before it", SHOW(&tokens[in.at]),
		           rrtype_text(type, name));
	if (!err && !writer_ok(w))
		err = input_fail(&in, NULL, "the record holds more than %d octets", RDATA_MAX);
	if (!err && rdata_check(type, w->base + start, w->pos - start) < 0)
		err = input_fail(&in, n ? &tokens[0] : NULL, "these fields do not make a valid %s record", rrtype_text(type, name));
	if (err) {
		w->pos = start;
		w->failed = failed_before;
	}
	return err;
}

int rdata_from_text(uint16_t type, const struct rdata_token *tokens, size_t n, const uint8_t *origin, struct writer *w,
                    struct rdata_problem *problem)
{
	return rdata_quick(type, tokens, n, origin, w) ? 0 : read_slowly(type, tokens, n, origin, w, problem);
}

int rdata_from_string(uint16_t type, const char *text, const uint8_t *origin, struct writer *w, struct rdata_problem *problem)
{
	/* A token takes a character and a blank at least. */
	size_t most = strlen(text) / 2 + 2, n = 0;
	struct rdata_token *tokens = calloc(most, sizeof(*tokens));
	const char *p = text;
	int err;

	if (!tokens)
		return ERR_NO_MEMORY;
	while (*p && n < most) {
		struct rdata_token *t = &tokens[n];
		bool inside = false;

		while (*p == ' ' || *p == '\t')
			p++;
		if (!*p)
			break;
		t->line = 1;
		t->column = (unsigned)(p - text) + 1;
		t->quoted = *p == '"';
		if (t->quoted)
			p++;
		t->text = p;
		while (*p && (t->quoted ? *p != '"' : inside || (*p != ' ' && *p != '\t'))) {
			if (!t->quoted && *p == '"')
				inside = !inside;
			if (*p == '\\' && p[1])
				p++;
			p++;
		}
		t->len = (size_t)(p - t->text);
		if (t->quoted && *p)
			p++;
		n++;
	}
	err = rdata_from_text(type, tokens, n, origin, w, problem);
	problem->token = NULL; /* it would point into freed memory */
	free(tokens);
	return err;
}
