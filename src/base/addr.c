/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/addr.h"

#include "base/err.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int addr_parse(const char *text, struct ip_addr *out)
{
	struct ip_addr a = {0};
	char host[ADDR_TEXT_MAX];
	const char *percent = strchr(text, '%');
	size_t len = percent ? (size_t)(percent - text) : strlen(text);

	if (len == 0 || len >= sizeof(host))
		return ERR_MALFORMED;
	memcpy(host, text, len);
	host[len] = '\0';
	if (!percent && inet_pton(AF_INET, host, a.bytes) == 1) {
		a.family = 4;
		*out = a;
		return 0;
	}
	if (inet_pton(AF_INET6, host, a.bytes) != 1)
		return ERR_MALFORMED;
	if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)a.bytes))
		return ERR_MALFORMED;
	if (percent) {
		a.zone = if_nametoindex(percent + 1);
		if (!a.zone)
			return ERR_MALFORMED;
	}
	a.family = 6;
	*out = a;
	return 0;
}

static unsigned addr_bits(const struct ip_addr *a)
{
	return a->family == 4 ? 32 : 128;
}

static void mask(struct ip_addr *a, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		a->bytes[i / 8] &= (uint8_t) ~(0x80U >> (i % 8));
}

int prefix_parse(const char *text, struct ip_prefix *out)
{
	struct ip_prefix p = {0};
	char host[ADDR_TEXT_MAX];
	const char *slash = strchr(text, '/');
	char *end;
	long bits;
	struct ip_addr whole;

	if (!slash || (size_t)(slash - text) >= sizeof(host) || slash[1] < '0' || slash[1] > '9')
		return ERR_MALFORMED;
	memcpy(host, text, (size_t)(slash - text));
	host[slash - text] = '\0';
	if (addr_parse(host, &p.addr) < 0 || p.addr.zone)
		return ERR_MALFORMED;
	bits = strtol(slash + 1, &end, 10);
	if (*end || bits < 0 || bits > (long)addr_bits(&p.addr))
		return ERR_MALFORMED;
	p.len = (uint8_t)bits;
	whole = p.addr;
	mask(&p.addr, p.len);
	*out = p;
	return addr_equal(&whole, &p.addr) ? 0 : ERR_INVALID;
}

int endpoint_parse(const char *text, uint16_t port, struct endpoint *out)
{
	struct endpoint e = {.port = port};
	char host[ADDR_TEXT_MAX];
	const char *colon = NULL;
	size_t len;

	if (text[0] == '[') {
		const char *close = strchr(text, ']');

		if (!close || (close[1] && close[1] != ':'))
			return ERR_MALFORMED;
		colon = close[1] ? close + 1 : NULL;
		text++;
		len = (size_t)(close - text);
	} else {
		colon = strchr(text, ':');
		if (colon && strchr(colon + 1, ':'))
			colon = NULL; /* a bare IPv6 address */
		len = colon ? (size_t)(colon - text) : strlen(text);
	}
	if (len == 0 || len >= sizeof(host))
		return ERR_MALFORMED;
	memcpy(host, text, len);
	host[len] = '\0';
	if (addr_parse(host, &e.addr) < 0)
		return ERR_MALFORMED;
	if (colon) {
		char *end;
		long v = colon[1] >= '0' && colon[1] <= '9' ? strtol(colon + 1, &end, 10) : -1;

		if (v < 0 || v > 65535 || *end)
			return ERR_MALFORMED;
		e.port = (uint16_t)v;
	}
	*out = e;
	return 0;
}

char *addr_text(const struct ip_addr *a, char *buf)
{
	if (a->family != 4 && a->family != 6) {
		snprintf(buf, ADDR_TEXT_MAX, "-");
		return buf;
	}
	inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, buf, ADDR_TEXT_MAX);
	if (a->zone) {
		char name[IF_NAMESIZE];
		size_t len = strlen(buf);

		if (if_indextoname(a->zone, name))
			snprintf(buf + len, ADDR_TEXT_MAX - len, "%%%s", name);
		else
			snprintf(buf + len, ADDR_TEXT_MAX - len, "%%%u", a->zone);
	}
	return buf;
}

char *prefix_text(const struct ip_prefix *p, char *buf)
{
	size_t len;

	addr_text(&p->addr, buf);
	len = strlen(buf);
	snprintf(buf + len, PREFIX_TEXT_MAX - len, "/%u", p->len);
	return buf;
}

char *endpoint_text(const struct endpoint *e, char *buf)
{
	char host[ADDR_TEXT_MAX];

	snprintf(buf, ENDPOINT_TEXT_MAX, e->addr.family == 6 ? "[%.60s]:%u" : "%.60s:%u", addr_text(&e->addr, host),
	         e->port);
	return buf;
}

bool addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && a->zone == b->zone && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

bool addr_is_any(const struct ip_addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->bytes, zero, a->family == 4 ? 4 : 16) == 0;
}

bool addr_is_link_local(const struct ip_addr *a)
{
	return a->family == 6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

bool prefix_contains(const struct ip_prefix *p, const struct ip_addr *a)
{
	struct ip_addr m = *a;

	if (p->addr.family != a->family)
		return false;
	mask(&m, p->len);
	return memcmp(m.bytes, p->addr.bytes, 16) == 0;
}

bool prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len <= b->len ? prefix_contains(a, &b->addr) : prefix_contains(b, &a->addr);
}

socklen_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (e->addr.family == 4) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(e->port);
		memcpy(&in->sin_addr, e->addr.bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(e->port);
	in6->sin6_scope_id = e->addr.zone;
	memcpy(&in6->sin6_addr, e->addr.bytes, 16);
	return sizeof(*in6);
}

int endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *out)
{
	struct endpoint e = {0};

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		e.addr.family = 4;
		e.port = ntohs(in->sin_port);
		memcpy(e.addr.bytes, &in->sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		e.addr.family = 6;
		e.port = ntohs(in6->sin6_port);
		if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
			e.addr.zone = in6->sin6_scope_id;
		memcpy(e.addr.bytes, &in6->sin6_addr, 16);
	} else {
		return ERR_UNSUPPORTED;
	}
	*out = e;
	return 0;
}
