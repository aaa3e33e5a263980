/* SPDX-License-Identifier: BSD-2-Clause */
/* Text forms that one type has for itself. */
#include "dns/rdata_in_priv.h"

#include "base/err.h"
#include "dns/base64.h"
#include "dns/svcb.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
		err = input_need(in, "a latitude or longitude", &t);
		if (err)
			return err;
		if (t->len == 1 && ((t->text[0] & 0x5f) == positive || (t->text[0] & 0x5f) == negative))
			break;
		if (n == 3 || !decimal(t, n == 2 ? 3 : 0, false, 0, &part[n]))
			return input_fail(in, t, "\"%.*s\" does not belong in a LOC record: degrees, minutes, seconds, then %c or %c", SHOW(t),
			            positive, negative);
		n++;
	}
	v = part[0] * 3600000 + part[1] * 60000 + part[2];
	if (!n || part[0] > degrees_max || part[1] > 59 || part[2] > 59999 || v > (int64_t)degrees_max * 3600000)
		return input_fail(in, t, "degrees up to %u, minutes and seconds below 60", degrees_max);
	*out = (t->text[0] & 0x5f) == positive ? 0x80000000U + (uint32_t)v : 0x80000000U - (uint32_t)v;
	return 0;
}

static int read_loc_size(struct input *in, uint8_t otherwise, uint8_t *out)
{
	const struct rdata_token *t = input_next(in);
	unsigned power = 0;
	int64_t cm;

	*out = otherwise;
	if (!t)
		return 0;
	if (!decimal(t, 2, false, 'm', &cm) || cm > 9000000000)
		return input_fail(in, t, "\"%.*s\" is no size: metres from 0 to 90000000, like 10m", SHOW(t));
	for (; cm > 9; cm /= 10)
		power++;
	*out = (uint8_t)((unsigned)cm << 4 | power);
	return 0;
}

int input_loc(struct input *in)
{
	const struct rdata_token *t;
	uint32_t latitude = 0, longitude = 0;
	uint8_t size[3];
	int64_t altitude;
	int err = read_angle(in, 90, 'N', 'S', &latitude);

	if (!err)
		err = read_angle(in, 180, 'E', 'W', &longitude);
	if (!err)
		err = input_need(in, "an altitude", &t);
	if (err)
		return err;
	if (!decimal(t, 2, true, 'm', &altitude) || altitude < -10000000 || altitude > 4284967295)
		return input_fail(in, t, "\"%.*s\" is no altitude: metres from -100000.00 to 42849672.95", SHOW(t));
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

/* [!]family:address/length; host bits are kept, as others do. */
static bool apl_item(const struct rdata_token *t, struct writer *w)
{
	char text[INET6_ADDRSTRLEN + sizeof("!2:/128")];
	uint8_t addr[16] = {0};
	const char *p = text;
	bool negated, v6;
	char *slash, *end;
	long bits;
	size_t n;

	if (t->len >= sizeof(text))
		return false;
	memcpy(text, t->text, t->len);
	text[t->len] = '\0';
	negated = *p == '!';
	p += negated;
	slash = strchr(p, '/');
	if ((*p != '1' && *p != '2') || p[1] != ':' || !slash || slash[1] < '0' || slash[1] > '9')
		return false;
	v6 = *p == '2';
	*slash = '\0';
	bits = strtol(slash + 1, &end, 10);
	if (end != text + t->len || bits > (v6 ? 128 : 32) || inet_pton(v6 ? AF_INET6 : AF_INET, p + 2, addr) != 1)
		return false;
	n = v6 ? 16 : 4;
	while (n && !addr[n - 1])
		n--;
	writer_u16(w, v6 ? 2 : 1);
	writer_u8(w, (uint8_t)bits);
	writer_u8(w, (uint8_t)(n | (negated ? 0x80 : 0)));
	writer_bytes(w, addr, n);
	return true;
}

int input_apl(struct input *in)
{
	const struct rdata_token *t;

	while ((t = input_next(in)) != NULL)
		if (!apl_item(t, in->w))
			return input_fail(in, t, "\"%.*s\" is no item: write 1:192.0.2.0/24 or !2:2001:db8::/32", SHOW(t));
	return 0;
}

static int order_param(const void *a, const void *b)
{
	return ((const struct svcb_param *)a)->key - ((const struct svcb_param *)b)->key;
}

int input_svcb(struct input *in)
{
	struct svcb_param params[SVCB_PARAMS_MAX];
	uint8_t *bytes = malloc(RDATA_MAX);
	struct writer scratch = writer_of(bytes, bytes ? RDATA_MAX : 0);
	const struct rdata_token *t;
	size_t n = 0, start = in->w->pos;
	int err = bytes ? 0 : ERR_NO_MEMORY;
	char why[160];

	while (!err && (t = input_next(in)) != NULL) {
		if (n == SVCB_PARAMS_MAX)
			err = input_fail(in, t, "more than %d service parameters", SVCB_PARAMS_MAX);
		else if (svcb_param_from_text(t->text, t->len, &scratch, &params[n], why, sizeof(why)) < 0)
			err = input_fail(in, t, "%s", why);
		else
			n++;
	}
	if (!err && n)
		qsort(params, n, sizeof(*params), order_param);
	for (size_t i = 0; !err && i < n; i++) {
		if (i && params[i].key == params[i - 1].key) {
			err = input_fail(in, NULL, "the same service parameter stands twice");
			break;
		}
		writer_u16(in->w, params[i].key);
		writer_u16(in->w, params[i].len);
		writer_bytes(in->w, bytes + params[i].at, params[i].len);
	}
	if (!err && !in->w->failed && svcb_check(in->w->base + start, in->w->pos - start) < 0)
		err = input_fail(in, NULL, "mandatory lists a key that is not in the record");
	free(bytes);
	return err;
}

int input_wks(struct input *in)
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
	int err = input_ip(in, AF_INET);

	if (!err)
		err = input_need(in, "a protocol", &t);
	if (err)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (strlen(protocols[i].name) == t->len && strncasecmp(protocols[i].name, t->text, t->len) == 0)
			v = protocols[i].v;
	if (v == 256) {
		in->at--;
		err = input_number(in, 255, "a protocol", &v);
	}
	if (err)
		return err;
	writer_u8(in->w, (uint8_t)v);
	while ((t = input_next(in)) != NULL) {
		v = 65536;
		for (size_t i = 0; i < ARRAY_LEN(services); i++)
			if (strlen(services[i].name) == t->len && strncasecmp(services[i].name, t->text, t->len) == 0)
				v = services[i].v;
		if (v == 65536) {
			in->at--;
			err = input_number(in, 65535, "a port or a well-known service", &v);
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
		err = input_need(in, "\".\" for no gateway", &t);
		if (!err && (t->len != 1 || t->text[0] != '.'))
			err = input_fail(in, t, "gateway type 0 has no gateway: write .");
		return err;
	case 1:
		return input_ip(in, AF_INET);
	case 2:
		return input_ip(in, AF_INET6);
	case 3:
		return input_name(in);
	default:
		return input_fail(in, in->at ? &in->tokens[in->at - 1] : NULL, "gateway types are 0 to 3");
	}
}

int input_gateway(struct input *in)
{
	uint64_t precedence, kind = 0, algorithm;
	int err = input_number(in, 255, "a precedence", &precedence);

	if (!err)
		err = input_number(in, 255, "a gateway type", &kind);
	if (!err)
		err = input_number(in, 255, "an algorithm", &algorithm);
	if (err)
		return err;
	writer_u8(in->w, (uint8_t)precedence);
	writer_u8(in->w, (uint8_t)kind);
	writer_u8(in->w, (uint8_t)algorithm);
	err = read_gateway_of(in, kind);
	return err ? err : input_encoded(in, false, true);
}

int input_relay(struct input *in)
{
	uint64_t precedence, discovery = 0, kind = 0;
	int err = input_number(in, 255, "a precedence", &precedence);

	if (!err)
		err = input_number(in, 1, "the discovery bit", &discovery);
	if (!err)
		err = input_number(in, 127, "a relay type", &kind);
	if (err)
		return err;
	writer_u8(in->w, (uint8_t)precedence);
	writer_u8(in->w, (uint8_t)(discovery << 7 | kind));
	return read_gateway_of(in, kind);
}

int input_hip(struct input *in)
{
	const struct rdata_token *hit, *key;
	size_t at = in->w->pos;
	uint64_t algorithm;
	int err = input_number(in, 255, "an algorithm", &algorithm);

	if (!err)
		err = input_need(in, "a host identity tag", &hit);
	if (!err)
		err = input_need(in, "a public key", &key);
	if (err)
		return err;
	writer_u8(in->w, 0);
	writer_u8(in->w, (uint8_t)algorithm);
	writer_u16(in->w, 0);
	if (!hit->len || hit->len > 510 || hex_get(hit->text, hit->len, in->w) < 0)
		return input_fail(in, hit, "\"%.*s\" is no host identity tag: write hexadecimal digits", SHOW(hit));
	if (in->w->failed)
		return 0;
	in->w->base[at] = (uint8_t)(in->w->pos - at - 4);
	if (!key->len || base64_get(key->text, key->len, in->w) < 0)
		return input_fail(in, key, "\"%.*s\" is no public key: write base64", SHOW(key));
	if (in->w->failed)
		return 0;
	put_u16(in->w->base + at + 2, (uint16_t)(in->w->pos - at - 4 - in->w->base[at]));
	while (!err && in->at < in->n)
		err = input_name(in);
	return err;
}

int input_pairs(struct input *in, unsigned n)
{
	const struct rdata_token *t;
	int err = input_need(in, "a hardware address", &t);

	if (err)
		return err;
	if (t->len != n * 3 - 1)
		return input_fail(in, t, "\"%.*s\" is no EUI-%u: write %u pairs of hexadecimal digits with - between", SHOW(t), n * 8, n);
	for (unsigned i = 0; i < n; i++)
		if ((i && t->text[i * 3 - 1] != '-') || hex_get(t->text + i * 3, 2, in->w) < 0)
			return input_fail(in, t, "\"%.*s\" is no EUI-%u: write %u pairs of hexadecimal digits with - between", SHOW(t), n * 8, n);
	return 0;
}

int input_locator(struct input *in)
{
	const struct rdata_token *t;
	unsigned group[4];
	char text[24], rest;
	int err = input_need(in, "four groups of hexadecimal digits", &t);

	if (err)
		return err;
	snprintf(text, sizeof(text), "%.*s", (int)MIN(t->len, sizeof(text) - 1), t->text);
	if (t->len > 19 || strspn(text, "0123456789abcdefABCDEF:") != t->len ||
	    sscanf(text, "%4x:%4x:%4x:%4x%c", &group[0], &group[1], &group[2], &group[3], &rest) != 4)
		return input_fail(in, t, "\"%.*s\" is no 64-bit locator: write it like 2001:db8:0:1", SHOW(t));
	for (int i = 0; i < 4; i++)
		writer_u16(in->w, (uint16_t)group[i]);
	return 0;
}

int input_nsap(struct input *in)
{
	const struct rdata_token *t;
	struct decoder d = {0};
	int err = input_need(in, "an NSAP address", &t);

	if (err)
		return err;
	if (t->len < 4 || t->text[0] != '0' || (t->text[1] | 0x20) != 'x')
		return input_fail(in, t, "\"%.*s\" is no NSAP address: write 0x and hexadecimal digits", SHOW(t));
	for (size_t i = 2; i < t->len; i++)
		if (t->text[i] != '.' && hex_feed(&d, t->text + i, 1, in->w) < 0)
			return input_fail(in, t, "\"%.*s\" is no NSAP address: write 0x and hexadecimal digits", SHOW(t));
	return hex_end(&d) < 0 ? input_fail(in, t, "an odd number of hexadecimal digits") : 0;
}

int input_atma(struct input *in)
{
	const struct rdata_token *t;
	struct decoder d = {0};
	int err = input_need(in, "an ATM address", &t);

	if (err)
		return err;
	if (t->len > 1 && t->text[0] == '+') {
		writer_u8(in->w, 1);
		for (size_t i = 1; i < t->len; i++) {
			if (t->text[i] == '.')
				continue;
			if (t->text[i] < '0' || t->text[i] > '9')
				return input_fail(in, t, "an E.164 address is + and digits");
			writer_u8(in->w, (uint8_t)t->text[i]);
		}
		return 0;
	}
	writer_u8(in->w, 0);
	for (size_t i = 0; i < t->len; i++)
		if (t->text[i] != '.' && hex_feed(&d, t->text + i, 1, in->w) < 0)
			return input_fail(in, t, "\"%.*s\" is no ATM address: write hexadecimal digits, or + and digits", SHOW(t));
	return hex_end(&d) < 0 ? input_fail(in, t, "an odd number of hexadecimal digits") : 0;
}

int input_a6(struct input *in)
{
	uint8_t addr[16] = {0};
	struct writer w = writer_of(addr, sizeof(addr));
	struct writer *out = in->w;
	uint64_t bits;
	size_t n;
	int err = input_number(in, 128, "a prefix length", &bits);

	if (err)
		return err;
	if (bits < 128) {
		in->w = &w;
		err = input_ip(in, AF_INET6);
		in->w = out;
		if (err)
			return err;
	}
	n = (128 - bits + 7) / 8;
	writer_u8(in->w, (uint8_t)bits);
	if (n && bits % 8)
		addr[16 - n] &= (uint8_t)(0xff >> (bits % 8));
	writer_bytes(in->w, addr + 16 - n, n);
	return bits ? input_name(in) : 0;
}
