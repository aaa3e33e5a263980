/* SPDX-License-Identifier: BSD-2-Clause */
/* dnstap by hand. A message has some fifteen fields of three kinds, two messages deep: protobuf-c would bring a compiler into the build, generated code and a tree of allocated
 * structs for each of them. Here fields go straight to their place; the DNS message, which is nearly all of it, is copied once.
 *
 * Wire form (protobuf): a field is a varint of number << 3 | kind, and then a varint (kind 0), 4 octets in little endian (kind 5), or a varint of a length with so many octets
 * (kind 2). Numbers are those of dnstap.proto: of Dnstap 1 identity, 2 version, 14 message, 15 type; of Message as below.
 *
 * Left out: query_zone (a reader finds it by the name asked), policy, http_protocol. */
#include "dnstap/encode.h"

#include <string.h>

enum { VARINT = 0, OCTETS = 2, FIXED32 = 5 };

enum outer { OUTER_IDENTITY = 1, OUTER_VERSION = 2, OUTER_MESSAGE = 14, OUTER_TYPE = 15 };
enum { OUTER_TYPE_MESSAGE = 1 };

enum inner {
	TYPE = 1,
	SOCKET_FAMILY = 2,
	SOCKET_PROTOCOL = 3,
	QUERY_ADDRESS = 4,
	RESPONSE_ADDRESS = 5,
	QUERY_PORT = 6,
	RESPONSE_PORT = 7,
	QUERY_TIME_SEC = 8,
	QUERY_TIME_NSEC = 9,
	QUERY_MESSAGE = 10,
	RESPONSE_TIME_SEC = 12,
	RESPONSE_TIME_NSEC = 13,
	RESPONSE_MESSAGE = 14,
};
enum { FIELDS_MAX = 128 /* octets of all inner fields but the message */ };

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		*p++ = (uint8_t)(v | 0x80);
	*p++ = (uint8_t)v;
	return p;
}

static uint8_t *put_number(uint8_t *p, unsigned field, uint64_t v)
{
	return put_varint(put_varint(p, field << 3 | VARINT), v);
}

static uint8_t *put_fixed32(uint8_t *p, unsigned field, uint32_t v)
{
	p = put_varint(p, field << 3 | FIXED32);
	for (int i = 0; i < 4; i++)
		*p++ = (uint8_t)(v >> 8 * i);
	return p;
}

static uint8_t *put_octets(uint8_t *p, unsigned field, const void *octets, size_t len)
{
	p = put_varint(put_varint(p, field << 3 | OCTETS), len);
	memcpy(p, octets, len);
	return p + len;
}

static uint8_t *put_time(uint8_t *p, unsigned seconds_field, unsigned nanoseconds_field, uint64_t ns)
{
	p = put_number(p, seconds_field, ns / 1000000000U);
	return put_fixed32(p, nanoseconds_field, (uint32_t)(ns % 1000000000U));
}

/* Everything but the DNS message. */
static uint8_t *put_fields(uint8_t *p, enum dnstap_kind kind, const struct tap_event *e)
{
	static const uint8_t protocols[] = {[TAP_UDP] = 1, [TAP_TCP] = 2, [TAP_TLS] = 3 /* DOT */};
	size_t address = e->family == 4 ? 4 : 16;

	p = put_number(p, TYPE, kind);
	p = put_number(p, SOCKET_FAMILY, e->family == 4 ? 1 : 2);
	if (e->transport < ARRAY_LEN(protocols))
		p = put_number(p, SOCKET_PROTOCOL, protocols[e->transport]);
	p = put_octets(p, QUERY_ADDRESS, e->client, address);
	if (e->server_family == e->family)
		p = put_octets(p, RESPONSE_ADDRESS, e->server, address);
	p = put_number(p, QUERY_PORT, e->client_port);
	if (e->server_port)
		p = put_number(p, RESPONSE_PORT, e->server_port);
	p = put_time(p, QUERY_TIME_SEC, QUERY_TIME_NSEC, e->query_ns);
	return kind == DNSTAP_AUTH_QUERY ? p : put_time(p, RESPONSE_TIME_SEC, RESPONSE_TIME_NSEC, e->response_ns);
}

static uint8_t *put_text(uint8_t *p, unsigned field, const char *text)
{
	return text ? put_octets(p, field, text, strnlen(text, DNSTAP_TEXT_MAX)) : p;
}

size_t dnstap_encode(const struct dnstap_origin *origin, enum dnstap_kind kind, const struct tap_event *e, uint8_t *out)
{
	uint8_t fields[FIELDS_MAX], *end = put_fields(fields, kind, e), *p = out;
	const uint8_t *message = kind == DNSTAP_AUTH_QUERY ? e->query : e->response;
	size_t len = kind == DNSTAP_AUTH_QUERY ? e->query_len : e->response_len;
	unsigned field = kind == DNSTAP_AUTH_QUERY ? QUERY_MESSAGE : RESPONSE_MESSAGE;

	/* The message's own field begins here as well, so that the length of all is known. */
	end = put_varint(put_varint(end, field << 3 | OCTETS), len);
	p = put_text(p, OUTER_IDENTITY, origin->identity);
	p = put_text(p, OUTER_VERSION, origin->version);
	p = put_number(p, OUTER_TYPE, OUTER_TYPE_MESSAGE);
	p = put_varint(put_varint(p, OUTER_MESSAGE << 3 | OCTETS), (size_t)(end - fields) + len);
	memcpy(p, fields, (size_t)(end - fields));
	p += end - fields;
	memcpy(p, message, len);
	return (size_t)(p - out) + len;
}
