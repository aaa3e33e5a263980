/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/* DNS cookies (RFC 7873) as all servers of an anycast address can check them (RFC 9018): version, reserved, time, SipHash-2-4 over the
 * client's cookie, those and the client's address. Pure. */
enum {
	COOKIE_CLIENT_LEN = 8,
	COOKIE_SERVER_LEN = 16,
	COOKIE_LEN = COOKIE_CLIENT_LEN + COOKIE_SERVER_LEN,
	COOKIE_OPTION_MAX = 40,      /* RFC 7873 4: the longest option there is */
	COOKIE_SECRET_LEN = 16,
	COOKIE_SECRETS_MAX = 4,
	COOKIE_AGE_MAX_S = 3600,     /* RFC 9018 4.3 */
	COOKIE_AHEAD_MAX_S = 300,    /* clocks of the nodes may differ so much */
	COOKIE_RENEW_S = 1800,       /* an older one is answered with a new one */
	COOKIE_SITES = 64,           /* marks of nodes, 0 is none: the time in a cookie is that many seconds off at most */
};

/* The first makes cookies, all are good: that is how a secret is rolled over (RFC 9018 5).
 *
 * A node with a mark puts it into the last six bits of the time in the cookies it makes, under the hash as all of it. That is less than clocks may differ by, and any server with the
 * secret takes such a cookie (the reserved octets must be zero where a cookie is made, RFC 9018 4.2). So a node knows whether a good cookie was given by another one: routing has moved the client. */
struct cookie_secrets {
	unsigned count; /* 0: no cookies at all */
	uint8_t site;   /* this node's mark; 0: its cookies tell the time to the second, and nothing else */
	uint64_t sites; /* bit i: a node of the fleet has the mark i */
	uint8_t secret[COOKIE_SECRETS_MAX][COOKIE_SECRET_LEN];
};

enum cookie_verdict {
	COOKIE_NONE,
	COOKIE_MALFORMED, /* FORMERR, RFC 7873 5.2.2 */
	COOKIE_CLIENT_ONLY,
	COOKIE_BAD,       /* of another client, another secret, or too old */
	COOKIE_GOOD,
};

/* A client cookie with the server cookie for it. now_s: seconds since 1970, its low 32 bits. */
void cookie_make(const struct cookie_secrets *s, const struct ip_addr *client, const uint8_t client_cookie[COOKIE_CLIENT_LEN],
                 uint32_t now_s, uint8_t out[COOKIE_LEN]);
/* Judge an option's octets (NULL: there was none). reply, where the verdict is neither NONE nor MALFORMED: what to send back, the
 * same cookie while it is fresh and no other node's. */
enum cookie_verdict cookie_judge(const struct cookie_secrets *s, const struct ip_addr *client, const uint8_t *option, size_t len,
                                 uint32_t now_s, uint8_t reply[COOKIE_LEN]);
/* The mark of another node of the fleet that made it; 0: none did. option: one that was found good. */
unsigned cookie_other_site(const struct cookie_secrets *s, const uint8_t option[COOKIE_LEN]);
/* A secret as in a file: 32 hexadecimal digits, white space around them. ERR_MALFORMED. */
int cookie_secret_parse(const void *text, size_t len, uint8_t out[COOKIE_SECRET_LEN]) MUST_CHECK;
