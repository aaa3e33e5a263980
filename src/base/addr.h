/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Addresses, prefixes and endpoints of both families, and their text forms. */
enum {
	ADDR_TEXT_MAX = 64,     /* address, with %zone */
	PREFIX_TEXT_MAX = 68,
	ENDPOINT_TEXT_MAX = 72, /* "192.0.2.1:53", "[2001:db8::1]:53" */
};

struct ip_addr {
	uint8_t family;   /* 4 or 6; 0 = unset */
	uint32_t zone;    /* interface index of a link-local IPv6 address, else 0 */
	uint8_t bytes[16]; /* network order; the first 4 for IPv4 */
};

struct ip_prefix {
	struct ip_addr addr; /* host bits are zero */
	uint8_t len;         /* bits */
};

struct endpoint {
	struct ip_addr addr;
	uint16_t port;
	uint16_t tls; /* 0: plain DNS; else over TLS, as the configuration's profile of this number (from 1) says */
};

/* Each parses all of text (NUL-terminated) or returns ERR_MALFORMED. An IPv4-mapped IPv6 address is refused. */
int addr_parse(const char *text, struct ip_addr *out) MUST_CHECK;
/* ERR_INVALID when host bits are set: *out then is the prefix that was meant. */
int prefix_parse(const char *text, struct ip_prefix *out) MUST_CHECK;
/* "ADDR", "ADDR:PORT", "[V6]:PORT"; `port` where none is given. */
int endpoint_parse(const char *text, uint16_t port, struct endpoint *out) MUST_CHECK;

/* Text into buf of at least *_TEXT_MAX bytes; return buf. IPv6 as RFC 5952. */
char *addr_text(const struct ip_addr *a, char *buf);
char *prefix_text(const struct ip_prefix *p, char *buf);
char *endpoint_text(const struct endpoint *e, char *buf);

bool addr_equal(const struct ip_addr *a, const struct ip_addr *b);
bool addr_is_any(const struct ip_addr *a);
bool addr_is_link_local(const struct ip_addr *a); /* of IPv6, fe80::/10 */
bool prefix_contains(const struct ip_prefix *p, const struct ip_addr *a);
/* True when one contains the other, or they are equal. */
bool prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b);

socklen_t endpoint_to_sockaddr(const struct endpoint *e, struct sockaddr_storage *out);
int endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *out) MUST_CHECK;
