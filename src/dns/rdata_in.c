/* SPDX-License-Identifier: BSD-2-Clause */
/* RDATA from presentation format. Each field letter of the table reads the tokens it needs; the whole result is checked once more in wire
 * form, so that text and wire agree on what is valid. Everything a person can get wrong gets a sentence of its own. */
#include "base/addr.h"
#include "base/err.h"
#include "dns/base64.h"
#include "dns/rr.h"
#include "dns/rrtype.h"
#include "dns/svcb.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { NUMBER_TEXT_MAX = 10 };

struct input {
	const struct rdata_token *tokens;
	size_t n, at;
	const uint8_t *origin;
	struct writer *w;
	struct rdata_problem *problem;
};

static int PRINTF_LIKE(3, 4) fail(struct input *in, const struct rdata_token *token, const char *fmt, ...)
{
	va_list ap;

	in->problem->token = token;
	va_start(ap, fmt);
	vsnprintf(in->problem->text, sizeof(in->problem->text), fmt, ap);
	va_end(ap);
	return ERR_INVALID;
}

/* For messages: what stands there, cut short. */
#define SHOW(t) (int)MIN((t)->len, (size_t)40), (t)->text

static const struct rdata_token *next(struct input *in)
{
	return in->at < in->n ? &in->tokens[in->at++] : NULL;
}

static int need(struct input *in, const char *what, const struct rdata_token **out)
{
	*out = next(in);
	return *out ? 0 : fail(in, NULL, "the record ends where %s is expected", what);
}

static int read_number(struct input *in, uint64_t max, const char *what, uint64_t *out)
{
	const struct rdata_token *t;
	uint64_t v = 0;
	int err = need(in, what, &t);

	if (err)
		return err;
	if (!t->len || t->len > NUMBER_TEXT_MAX)
		return fail(in, t, "\"%.*s\" is not %s: write a number from 0 to %" PRIu64, SHOW(t), what, max);
	for (size_t i = 0; i < t->len; i++) {
		if (t->text[i] < '0' || t->text[i] > '9')
			return fail(in, t, "\"%.*s\" is not %s: write a number from 0 to %" PRIu64, SHOW(t), what, max);
		v = v * 10 + (uint64_t)(t->text[i] - '0');
	}
	if (v > max)
		return fail(in, t, "%" PRIu64 " is too large for %s: at most %" PRIu64, v, what, max);
	*out = v;
	return 0;
}

static int read_period(struct input *in)
{
	const struct rdata_token *t;
	uint32_t v;
	int err = need(in, "a period of time", &t);

	if (err)
		return err;
	if (ttl_from_text(t->text, t->len, UINT32_MAX, &v) < 0)
		return fail(in, t, "\"%.*s\" is no period: write seconds, or 1w2d3h4m5s", SHOW(t));
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

static int read_name(struct input *in)
{
	const struct rdata_token *t;
	struct name name;
	int err = need(in, "a domain name", &t);

	if (err)
		return err;
	if (t->len == 1 && t->text[0] == '@' && !t->quoted) {
		if (!in->origin)
			return fail(in, t, "\"@\" has no origin here");
		writer_bytes(in->w, in->origin, name_len(in->origin));
		return 0;
	}
	err = name_from_text(t->text, t->len, in->origin, &name);
	if (err == ERR_LIMIT)
		return fail(in, t, "\"%.*s\" is too long: at most 63 octets a label and 255 a name", SHOW(t));
	if (err)
		return fail(in, t, "\"%.*s\" is no domain name: an empty label or a bad escape", SHOW(t));
	writer_bytes(in->w, name.wire, name.len);
	return 0;
}

static int read_ip(struct input *in, int family)
{
	const struct rdata_token *t;
	char text[64];
	uint8_t addr[16];
	int err = need(in, family == AF_INET ? "an IPv4 address" : "an IPv6 address", &t);

	if (err)
		return err;
	if (t->len >= sizeof(text))
		return fail(in, t, "\"%.*s\" is no address", SHOW(t));
	memcpy(text, t->text, t->len);
	text[t->len] = '\0';
	if (inet_pton(family, text, addr) != 1)
		return fail(in, t, family == AF_INET ? "\"%.*s\" is no IPv4 address: write it like 192.0.2.1"
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
		return fail(in, t, "a character-string holds at most 255 octets: split it into \"...\" \"...\"");
	if (err)
		return fail(in, t, "bad escape: write \\DDD with three digits up to 255, or \\ and a character");
	writer_u8(in->w, (uint8_t)n);
	writer_bytes(in->w, bytes, n);
	return 0;
}

static int read_string(struct input *in)
{
	const struct rdata_token *t;
	int err = need(in, "a character-string", &t);

	return err ? err : put_string(in, t);
}

static int read_strings(struct input *in)
{
	int err;

	if (in->at == in->n)
		return fail(in, NULL, "the record ends where a character-string is expected; write \"\" for an empty one");
	while (in->at < in->n) {
		err = put_string(in, next(in));
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
	int err = need(in, "a quoted value", &t);

	if (err)
		return err;
	p = malloc(t->len + 1);
	if (!p)
		return ERR_NO_MEMORY;
	err = unescape(t, p, t->len, &n);
	if (!err)
		writer_bytes(in->w, p, n);
	free(p);
	return err ? fail(in, t, "bad escape: write \\DDD with three digits up to 255, or \\ and a character") : 0;
}

static int read_encoded(struct input *in, bool hex, bool may_be_empty)
{
	struct decoder d = {0};
	const struct rdata_token *t = NULL;
	size_t start = in->w->pos;
	const char *what = hex ? "hexadecimal digits" : "base64";

	while ((t = next(in)) != NULL) {
		/* Writers print what is empty as "-" or "0" in places; hex accepts neither digit alone. */
		if ((hex ? hex_feed(&d, t->text, t->len, in->w) : base64_feed(&d, t->text, t->len, in->w)) < 0)
			return fail(in, t, "\"%.*s\" is not %s", SHOW(t), what);
	}
	if ((hex ? hex_end(&d) : base64_end(&d)) < 0)
		return fail(in, in->n ? &in->tokens[in->n - 1] : NULL,
		            hex ? "an odd number of hexadecimal digits" : "incomplete base64: its length must be a multiple of 4");
	if (in->w->pos == start && !may_be_empty && !in->w->failed)
		return fail(in, NULL, "the record ends where %s is expected", what);
	return 0;
}

static int read_salt(struct input *in)
{
	const struct rdata_token *t;
	size_t at;
	int err = need(in, "a salt", &t);

	if (err)
		return err;
	at = in->w->pos;
	writer_u8(in->w, 0);
	if (t->len == 1 && t->text[0] == '-')
		return 0;
	if (t->len > 510 || hex_get(t->text, t->len, in->w) < 0)
		return fail(in, t, "\"%.*s\" is no salt: write hexadecimal digits, or - for none", SHOW(t));
	if (!in->w->failed)
		in->w->base[at] = (uint8_t)(in->w->pos - at - 1);
	return 0;
}

static int read_hash(struct input *in)
{
	const struct rdata_token *t;
	size_t at;
	int err = need(in, "a hash", &t);

	if (err)
		return err;
	at = in->w->pos;
	writer_u8(in->w, 0);
	if (!t->len || t->len > 408 || base32hex_get(t->text, t->len, in->w) < 0 || in->w->pos == at + 1)
		return fail(in, t, "\"%.*s\" is no hash: write base32hex without padding", SHOW(t));
	if (!in->w->failed)
		in->w->base[at] = (uint8_t)(in->w->pos - at - 1);
	return 0;
}

static int read_bitmap(struct input *in, bool nxt)
{
	uint8_t *bits = calloc(1, 65536 / 8);
	const struct rdata_token *t;
	int err = bits ? 0 : ERR_NO_MEMORY;
	uint16_t type;

	while (!err && (t = next(in)) != NULL) {
		if (rrtype_from_text(t->text, t->len, &type) < 0)
			err = fail(in, t, "\"%.*s\" is no record type", SHOW(t));
		else if (nxt && type > 127)
			err = fail(in, t, "an NXT record knows types up to 127 only");
		else
			bits[type / 8] |= (uint8_t)(0x80 >> (type & 7));
	}
	for (unsigned window = 0; !err && window < 256; window++) {
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
	free(bits);
	return err;
}

static int read_type(struct input *in)
{
	const struct rdata_token *t;
	uint16_t type;
	int err = need(in, "a record type", &t);

	if (err)
		return err;
	if (rrtype_from_text(t->text, t->len, &type) < 0) {
		/* SIG records of old cover type 0, printed as a number. */
		uint64_t v;

		in->at--;
		err = read_number(in, 65535, "a record type", &v);
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
	int err = need(in, "a certificate type", &t);

	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i].name) == t->len && strncasecmp(names[i].name, t->text, t->len) == 0) {
			writer_u16(in->w, names[i].v);
			return 0;
		}
	in->at--;
	err = read_number(in, 65535, "a certificate type", &v);
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
	int err = need(in, "an algorithm", &t);

	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i].name) == t->len && strncasecmp(names[i].name, t->text, t->len) == 0) {
			writer_u8(in->w, names[i].v);
			return 0;
		}
	in->at--;
	err = read_number(in, 255, "an algorithm", &v);
	if (!err)
		writer_u8(in->w, (uint8_t)v);
	return err;
}

static int read_time(struct input *in)
{
	const struct rdata_token *t;
	struct tm tm = {0};
	char text[16];
	uint64_t v;
	int err = need(in, "a time", &t);

	if (err)
		return err;
	if (t->len != 14) { /* RFC 4034 3.2: or seconds since the epoch */
		in->at--;
		err = read_number(in, UINT32_MAX, "a time (YYYYMMDDHHmmSS)", &v);
		if (!err)
			writer_u32(in->w, (uint32_t)v);
		return err;
	}
	memcpy(text, t->text, 14);
	text[14] = '\0';
	if (strspn(text, "0123456789") != 14 ||
	    sscanf(text, "%4d%2d%2d%2d%2d%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6 ||
	    tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
	    tm.tm_min > 59 || tm.tm_sec > 60)
		return fail(in, t, "\"%.*s\" is no time: write YYYYMMDDHHmmSS", SHOW(t));
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	writer_u32(in->w, (uint32_t)timegm(&tm));
	return 0;
}

/* ---- LOC (RFC 1876 3) ---- */

static bool decimal(const struct rdata_token *t, unsigned places, bool sign, char unit, int64_t *out)
{
	const char *p = t->text, *end = t->text + t->len;
	bool negative = false, digits = false;
	int64_t v = 0;

	if (unit && p < end && end[-1] == unit)
		end--;
	if (sign && p < end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	for (; p < end && *p >= '0' && *p <= '9' && v < 1000000000; p++, digits = true)
		v = v * 10 + (*p - '0');
	if (p < end && *p == '.') {
		p++;
		for (; places && p < end && *p >= '0' && *p <= '9'; p++, places--, digits = true)
			v = v * 10 + (*p - '0');
	}
	while (places--)
		v *= 10;
	*out = negative ? -v : v;
	return digits && p == end;
}

static int read_angle(struct input *in, unsigned degrees_max, char positive, char negative, uint32_t *out)
{
	int64_t part[3] = {0, 0, 0};
	const struct rdata_token *t = NULL;
	unsigned n = 0;
	int64_t v;
	int err;

	for (;;) {
		err = need(in, "a latitude or longitude", &t);
		if (err)
			return err;
		if (t->len == 1 && ((t->text[0] & 0x5f) == positive || (t->text[0] & 0x5f) == negative))
			break;
		if (n == 3 || !decimal(t, n == 2 ? 3 : 0, false, 0, &part[n]))
			return fail(in, t, "\"%.*s\" does not belong in a LOC record: degrees, minutes, seconds, then %c or %c", SHOW(t),
			            positive, negative);
		n++;
	}
	v = part[0] * 3600000 + part[1] * 60000 + part[2];
	if (!n || part[0] > degrees_max || part[1] > 59 || part[2] > 59999 || v > (int64_t)degrees_max * 3600000)
		return fail(in, t, "degrees up to %u, minutes and seconds below 60", degrees_max);
	*out = (t->text[0] & 0x5f) == positive ? 0x80000000U + (uint32_t)v : 0x80000000U - (uint32_t)v;
	return 0;
}

static int read_loc_size(struct input *in, uint8_t otherwise, uint8_t *out)
{
	const struct rdata_token *t = next(in);
	unsigned power = 0;
	int64_t cm;

	*out = otherwise;
	if (!t)
		return 0;
	if (!decimal(t, 2, false, 'm', &cm) || cm > 9000000000)
		return fail(in, t, "\"%.*s\" is no size: metres from 0 to 90000000, like 10m", SHOW(t));
	for (; cm > 9; cm /= 10)
		power++;
	*out = (uint8_t)((unsigned)cm << 4 | power);
	return 0;
}

static int read_loc(struct input *in)
{
	const struct rdata_token *t;
	uint32_t latitude = 0, longitude = 0;
	uint8_t size[3];
	int64_t altitude;
	int err = read_angle(in, 90, 'N', 'S', &latitude);

	if (!err)
		err = read_angle(in, 180, 'E', 'W', &longitude);
	if (!err)
		err = need(in, "an altitude", &t);
	if (err)
		return err;
	if (!decimal(t, 2, true, 'm', &altitude) || altitude < -10000000 || altitude > 4284967295)
		return fail(in, t, "\"%.*s\" is no altitude: metres from -100000.00 to 42849672.95", SHOW(t));
	err = read_loc_size(in, 0x12, &size[0]);
	if (!err)
		err = read_loc_size(in, 0x16, &size[1]);
	if (!err)
		err = read_loc_size(in, 0x13, &size[2]);
	if (err)
		return err;
	writer_u8(in->w, 0);
	writer_bytes(in->w, size, 3);
	writer_u32(in->w, latitude);
	writer_u32(in->w, longitude);
	writer_u32(in->w, (uint32_t)(altitude + 10000000));
	return 0;
}

/* ---- the rest of the special forms ---- */

static int read_apl(struct input *in)
{
	const struct rdata_token *t;

	while ((t = next(in)) != NULL) {
		bool negated = t->len && t->text[0] == '!';
		char text[PREFIX_TEXT_MAX];
		struct ip_prefix p;
		size_t skip = (negated ? 1U : 0U) + 2U, n;
		char family;
		int err;

		if (t->len < skip + 3 || t->len - skip >= sizeof(text) || t->text[skip - 1] != ':')
			return fail(in, t, "\"%.*s\" is no item: write 1:192.0.2.0/24 or !2:2001:db8::/32", SHOW(t));
		family = t->text[skip - 2];
		memcpy(text, t->text + skip, t->len - skip);
		text[t->len - skip] = '\0';
		err = prefix_parse(text, &p);
		if ((err && err != ERR_INVALID) || (family != '1' && family != '2') || (family == '1') != (p.addr.family == 4))
			return fail(in, t, "\"%.*s\" is no item: write 1:192.0.2.0/24 or !2:2001:db8::/32", SHOW(t));
		if (err == ERR_INVALID) { /* host bits are kept, as others do */
			char *slash = strchr(text, '/');

			*slash = '\0';
			if (addr_parse(text, &p.addr) < 0)
				return fail(in, t, "\"%.*s\" is no item", SHOW(t));
		}
		n = family == '1' ? 4 : 16;
		while (n && !p.addr.bytes[n - 1])
			n--;
		writer_u16(in->w, family == '1' ? 1 : 2);
		writer_u8(in->w, p.len);
		writer_u8(in->w, (uint8_t)(n | (negated ? 0x80 : 0)));
		writer_bytes(in->w, p.addr.bytes, n);
	}
	return 0;
}

static int order_param(const void *a, const void *b)
{
	return ((const struct svcb_param *)a)->key - ((const struct svcb_param *)b)->key;
}

static int read_svcb(struct input *in)
{
	struct svcb_param params[SVCB_PARAMS_MAX];
	uint8_t *bytes = malloc(RDATA_MAX);
	struct writer scratch = writer_of(bytes, bytes ? RDATA_MAX : 0);
	const struct rdata_token *t;
	size_t n = 0;
	int err = bytes ? 0 : ERR_NO_MEMORY;
	char why[160];

	while (!err && (t = next(in)) != NULL) {
		if (n == SVCB_PARAMS_MAX)
			err = fail(in, t, "more than %d service parameters", SVCB_PARAMS_MAX);
		else if (svcb_param_from_text(t->text, t->len, &scratch, &params[n], why, sizeof(why)) < 0)
			err = fail(in, t, "%s", why);
		else
			n++;
	}
	if (!err && n)
		qsort(params, n, sizeof(*params), order_param);
	for (size_t i = 0; !err && i < n; i++) {
		if (i && params[i].key == params[i - 1].key) {
			err = fail(in, NULL, "the same service parameter stands twice");
			break;
		}
		writer_u16(in->w, params[i].key);
		writer_u16(in->w, params[i].len);
		writer_bytes(in->w, bytes + params[i].at, params[i].len);
	}
	free(bytes);
	return err;
}

static int read_wks(struct input *in)
{
	static const struct {
		const char *name;
		uint8_t v;
	} protocols[] = {{"tcp", 6}, {"udp", 17}, {"icmp", 1}};
	static const struct {
		const char *name;
		uint16_t v;
	} services[] = {{"echo", 7}, {"ftp-data", 20}, {"ftp", 21}, {"ssh", 22}, {"telnet", 23}, {"smtp", 25}, {"time", 37},
	                {"domain", 53}, {"tftp", 69}, {"finger", 79}, {"http", 80}, {"pop3", 110}, {"sunrpc", 111}, {"nntp", 119}, {"ntp", 123},
	                {"imap", 143}, {"snmp", 161}, {"https", 443}};
	uint8_t bits[8192] = {0};
	const struct rdata_token *t;
	size_t len = 0;
	uint64_t v = 256;
	int err = read_ip(in, AF_INET);

	if (!err)
		err = need(in, "a protocol", &t);
	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (strlen(protocols[i].name) == t->len && strncasecmp(protocols[i].name, t->text, t->len) == 0)
			v = protocols[i].v;
	if (v == 256) {
		in->at--;
		err = read_number(in, 255, "a protocol", &v);
	}
	if (err)
		return err;
	writer_u8(in->w, (uint8_t)v);
	while ((t = next(in)) != NULL) {
		v = 65536;
		for (size_t i = 0; i < ARRAY_LEN(services); i++)
			if (strlen(services[i].name) == t->len && strncasecmp(services[i].name, t->text, t->len) == 0)
				v = services[i].v;
		if (v == 65536) {
			in->at--;
			err = read_number(in, 65535, "a port or a well-known service", &v);
			if (err)
				return err;
		}
		bits[v / 8] |= (uint8_t)(0x80 >> (v & 7));
		len = MAX(len, (size_t)(v / 8 + 1));
	}
	writer_bytes(in->w, bits, len);
	return 0;
}

static int read_gateway_of(struct input *in, uint64_t kind)
{
	const struct rdata_token *t;
	int err;

	switch (kind) {
	case 0:
		err = need(in, "\".\" for no gateway", &t);
		if (!err && (t->len != 1 || t->text[0] != '.'))
			err = fail(in, t, "gateway type 0 has no gateway: write .");
		return err;
	case 1:
		return read_ip(in, AF_INET);
	case 2:
		return read_ip(in, AF_INET6);
	case 3:
		return read_name(in);
	default:
		return fail(in, in->at ? &in->tokens[in->at - 1] : NULL, "gateway types are 0 to 3");
	}
}

static int read_gateway(struct input *in)
{
	uint64_t precedence, kind = 0, algorithm;
	int err = read_number(in, 255, "a precedence", &precedence);

	if (!err)
		err = read_number(in, 255, "a gateway type", &kind);
	if (!err)
		err = read_number(in, 255, "an algorithm", &algorithm);
	if (err)
		return err;
	writer_u8(in->w, (uint8_t)precedence);
	writer_u8(in->w, (uint8_t)kind);
	writer_u8(in->w, (uint8_t)algorithm);
	err = read_gateway_of(in, kind);
	return err ? err : read_encoded(in, false, true);
}

static int read_relay(struct input *in)
{
	uint64_t precedence, discovery = 0, kind = 0;
	int err = read_number(in, 255, "a precedence", &precedence);

	if (!err)
		err = read_number(in, 1, "the discovery bit", &discovery);
	if (!err)
		err = read_number(in, 127, "a relay type", &kind);
	if (err)
		return err;
	writer_u8(in->w, (uint8_t)precedence);
	writer_u8(in->w, (uint8_t)(discovery << 7 | kind));
	return read_gateway_of(in, kind);
}

static int read_hip(struct input *in)
{
	const struct rdata_token *hit, *key;
	size_t at = in->w->pos;
	uint64_t algorithm;
	int err = read_number(in, 255, "an algorithm", &algorithm);

	if (!err)
		err = need(in, "a host identity tag", &hit);
	if (!err)
		err = need(in, "a public key", &key);
	if (err)
		return err;
	writer_u8(in->w, 0);
	writer_u8(in->w, (uint8_t)algorithm);
	writer_u16(in->w, 0);
	if (!hit->len || hit->len > 510 || hex_get(hit->text, hit->len, in->w) < 0)
		return fail(in, hit, "\"%.*s\" is no host identity tag: write hexadecimal digits", SHOW(hit));
	if (in->w->failed)
		return 0;
	in->w->base[at] = (uint8_t)(in->w->pos - at - 4);
	if (!key->len || base64_get(key->text, key->len, in->w) < 0)
		return fail(in, key, "\"%.*s\" is no public key: write base64", SHOW(key));
	if (in->w->failed)
		return 0;
	put_u16(in->w->base + at + 2, (uint16_t)(in->w->pos - at - 4 - in->w->base[at]));
	while (!err && in->at < in->n)
		err = read_name(in);
	return err;
}

static int read_pairs(struct input *in, unsigned n)
{
	const struct rdata_token *t;
	int err = need(in, "a hardware address", &t);

	if (err)
		return err;
	if (t->len != n * 3 - 1)
		return fail(in, t, "\"%.*s\" is no EUI-%u: write %u pairs of hexadecimal digits with - between", SHOW(t), n * 8, n);
	for (unsigned i = 0; i < n; i++)
		if ((i && t->text[i * 3 - 1] != '-') || hex_get(t->text + i * 3, 2, in->w) < 0)
			return fail(in, t, "\"%.*s\" is no EUI-%u: write %u pairs of hexadecimal digits with - between", SHOW(t), n * 8, n);
	return 0;
}

static int read_locator(struct input *in)
{
	const struct rdata_token *t;
	unsigned group[4];
	char text[24], rest;
	int err = need(in, "four groups of hexadecimal digits", &t);

	if (err)
		return err;
	snprintf(text, sizeof(text), "%.*s", (int)MIN(t->len, sizeof(text) - 1), t->text);
	if (t->len > 19 || strspn(text, "0123456789abcdefABCDEF:") != t->len ||
	    sscanf(text, "%4x:%4x:%4x:%4x%c", &group[0], &group[1], &group[2], &group[3], &rest) != 4)
		return fail(in, t, "\"%.*s\" is no 64-bit locator: write it like 2001:db8:0:1", SHOW(t));
	for (int i = 0; i < 4; i++)
		writer_u16(in->w, (uint16_t)group[i]);
	return 0;
}

static int read_nsap(struct input *in)
{
	const struct rdata_token *t;
	struct decoder d = {0};
	int err = need(in, "an NSAP address", &t);

	if (err)
		return err;
	if (t->len < 4 || t->text[0] != '0' || (t->text[1] | 0x20) != 'x')
		return fail(in, t, "\"%.*s\" is no NSAP address: write 0x and hexadecimal digits", SHOW(t));
	for (size_t i = 2; i < t->len; i++)
		if (t->text[i] != '.' && hex_feed(&d, t->text + i, 1, in->w) < 0)
			return fail(in, t, "\"%.*s\" is no NSAP address: write 0x and hexadecimal digits", SHOW(t));
	return hex_end(&d) < 0 ? fail(in, t, "an odd number of hexadecimal digits") : 0;
}

static int read_atma(struct input *in)
{
	const struct rdata_token *t;
	struct decoder d = {0};
	int err = need(in, "an ATM address", &t);

	if (err)
		return err;
	if (t->len > 1 && t->text[0] == '+') {
		writer_u8(in->w, 1);
		for (size_t i = 1; i < t->len; i++) {
			if (t->text[i] == '.')
				continue;
			if (t->text[i] < '0' || t->text[i] > '9')
				return fail(in, t, "an E.164 address is + and digits");
			writer_u8(in->w, (uint8_t)t->text[i]);
		}
		return 0;
	}
	writer_u8(in->w, 0);
	for (size_t i = 0; i < t->len; i++)
		if (t->text[i] != '.' && hex_feed(&d, t->text + i, 1, in->w) < 0)
			return fail(in, t, "\"%.*s\" is no ATM address: write hexadecimal digits, or + and digits", SHOW(t));
	return hex_end(&d) < 0 ? fail(in, t, "an odd number of hexadecimal digits") : 0;
}

static int read_a6(struct input *in)
{
	uint8_t addr[16] = {0};
	struct writer w = writer_of(addr, sizeof(addr));
	struct writer *out = in->w;
	uint64_t bits;
	size_t n;
	int err = read_number(in, 128, "a prefix length", &bits);

	if (err)
		return err;
	if (bits < 128) {
		in->w = &w;
		err = read_ip(in, AF_INET6);
		in->w = out;
		if (err)
			return err;
	}
	n = (128 - bits + 7) / 8;
	writer_u8(in->w, (uint8_t)bits);
	if (n && bits % 8)
		addr[16 - n] &= (uint8_t)(0xff >> (bits % 8));
	writer_bytes(in->w, addr + 16 - n, n);
	return bits ? read_name(in) : 0;
}

/* GPOS (RFC 1712) holds numbers as text; TAG of CAA is checked with the rest in wire form. */
static int read_field(struct input *in, enum rdata_field f)
{
	uint64_t v = 0;
	int err;

	switch (f) {
	case F_NAME_COMPRESS:
	case F_NAME_LOWER:
	case F_NAME:
		return read_name(in);
	case F_U8:
		err = read_number(in, 255, "a number", &v);
		if (!err)
			writer_u8(in->w, (uint8_t)v);
		return err;
	case F_SCHEME:
		if (in->at < in->n && in->tokens[in->at].len == 6 && strncasecmp(in->tokens[in->at].text, "NOTIFY", 6) == 0) {
			in->at++;
			writer_u8(in->w, 1);
			return 0;
		}
		err = read_number(in, 255, "a scheme", &v);
		if (!err)
			writer_u8(in->w, (uint8_t)v);
		return err;
	case F_U16:
		err = read_number(in, 65535, "a number", &v);
		if (!err)
			writer_u16(in->w, (uint16_t)v);
		return err;
	case F_U32:
		err = read_number(in, UINT32_MAX, "a number", &v);
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
		return read_ip(in, AF_INET);
	case F_IPV6:
		return read_ip(in, AF_INET6);
	case F_STRING_OPTIONAL:
		return in->at < in->n ? read_string(in) : 0;
	case F_STRING:
	case F_TAG:
		return read_string(in);
	case F_STRINGS:
		return read_strings(in);
	case F_TEXT:
		return read_text(in);
	case F_HEX:
	case F_HEX_OPTIONAL:
		return read_encoded(in, true, f == F_HEX_OPTIONAL);
	case F_BASE64:
	case F_BASE64_OPTIONAL:
		return read_encoded(in, false, f == F_BASE64_OPTIONAL);
	case F_SALT:
		return read_salt(in);
	case F_HASH:
		return read_hash(in);
	case F_BITMAP:
	case F_NXT:
		return read_bitmap(in, f == F_NXT);
	case F_LOC:
		return read_loc(in);
	case F_APL:
		return read_apl(in);
	case F_SVCB:
		return read_svcb(in);
	case F_WKS:
		return read_wks(in);
	case F_GATEWAY:
		return read_gateway(in);
	case F_RELAY:
		return read_relay(in);
	case F_HIP:
		return read_hip(in);
	case F_EUI48:
		return read_pairs(in, 6);
	case F_EUI64:
		return read_pairs(in, 8);
	case F_LOCATOR:
		return read_locator(in);
	case F_NSAP:
		return read_nsap(in);
	case F_ATMA:
		return read_atma(in);
	case F_A6:
		return read_a6(in);
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
	err = read_number(in, RDATA_MAX, "the length of the data", &len);
	if (err)
		return err;
	t = &in->tokens[1];
	err = read_encoded(in, true, true);
	if (!err && !in->w->failed && in->w->pos - start != len)
		return fail(in, t, "the length says %" PRIu64 " octets, but %zu follow", len, in->w->pos - start);
	return err;
}

int rdata_from_text(uint16_t type, const struct rdata_token *tokens, size_t n, const uint8_t *origin, struct writer *w,
                    struct rdata_problem *problem)
{
	const struct rrtype_info *info = rrtype_info(type);
	struct input in = {.tokens = tokens, .n = n, .origin = origin, .w = w, .problem = problem};
	/* "\\#" that no length follows is a character-string, where the type has such (BIND reads it so). */
	bool generic = n > 1 && tokens[0].len == 2 && memcmp(tokens[0].text, "\\#", 2) == 0 && !tokens[0].quoted &&
	               tokens[1].len && tokens[1].text[0] >= '0' && tokens[1].text[0] <= '9';
	size_t start = w->pos;
	char name[RRTYPE_TEXT_MAX];
	int err = 0;

	problem->token = NULL;
	problem->text[0] = '\0';
	if (generic)
		err = read_generic(&in);
	else if (!info || !info->fields)
		err = fail(&in, n ? &tokens[0] : NULL, "type %s has no text form: write \\# LENGTH HEX (RFC 3597)",
		           rrtype_text(type, name));
	else
		for (const char *f = info->fields; *f && !err; f++)
			err = read_field(&in, (enum rdata_field)*f);
	if (!err && in.at < n)
		err = fail(&in, &tokens[in.at], "\"%.*s\" is too much: the %s record is complete before it", SHOW(&tokens[in.at]),
		           rrtype_text(type, name));
	if (!err && !writer_ok(w))
		err = fail(&in, NULL, "the record holds more than %d octets", RDATA_MAX);
	if (!err && rdata_check(type, w->base + start, w->pos - start) < 0)
		err = fail(&in, n ? &tokens[0] : NULL, "these fields do not make a valid %s record", rrtype_text(type, name));
	if (err && !w->failed)
		w->pos = start;
	return err;
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
