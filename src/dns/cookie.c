/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/cookie.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/wire.h"

#include <ctype.h>
#include <string.h>

enum { VERSION = 1, HASHED_MAX = COOKIE_CLIENT_LEN + 8 + 16 };

/* RFC 9018 4.4: the hash over client cookie, version, reserved, time and address. */
static void hash_into(const uint8_t secret[COOKIE_SECRET_LEN], const struct ip_addr *client, const uint8_t head[COOKIE_CLIENT_LEN + 8],
                      uint8_t out[8])
{
	size_t addr_len = client->family == 4 ? 4 : 16;
	uint8_t bytes[HASHED_MAX];
	uint64_t h;

	memcpy(bytes, head, COOKIE_CLIENT_LEN + 8);
	memcpy(bytes + COOKIE_CLIENT_LEN + 8, client->bytes, addr_len);
	h = hash_keyed_24(secret, bytes, COOKIE_CLIENT_LEN + 8 + addr_len);
	memcpy(out, &h, 8); /* SipHash is little-endian, as the machine */
}

void cookie_make(const struct cookie_secrets *s, const struct ip_addr *client, const uint8_t client_cookie[COOKIE_CLIENT_LEN],
                 uint32_t now_s, uint8_t out[COOKIE_LEN])
{
	memmove(out, client_cookie, COOKIE_CLIENT_LEN);
	put_u32(out + COOKIE_CLIENT_LEN, (uint32_t)VERSION << 24);
	put_u32(out + COOKIE_CLIENT_LEN + 4, s->site ? (now_s & ~(uint32_t)(COOKIE_SITES - 1)) | s->site : now_s);
	hash_into(s->secret[0], client, out, out + COOKIE_CLIENT_LEN + 8);
}

unsigned cookie_other_site(const struct cookie_secrets *s, const uint8_t option[COOKIE_LEN])
{
	unsigned mark = option[COOKIE_CLIENT_LEN + 7] % COOKIE_SITES;

	return s->site && mark != s->site && (s->sites >> mark & 1) ? mark : 0;
}

static bool same_octets(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t diff = 0;

	for (size_t i = 0; i < len; i++)
		diff |= a[i] ^ b[i];
	return !diff;
}

/* Signed seconds since the cookie was made, by serial arithmetic (RFC 1982). */
static int32_t age(uint32_t made_s, uint32_t now_s)
{
	return (int32_t)(now_s - made_s);
}

enum cookie_verdict cookie_judge(const struct cookie_secrets *s, const struct ip_addr *client, const uint8_t *option, size_t len,
                                 uint32_t now_s, uint8_t reply[COOKIE_LEN])
{
	bool good = false;
	int32_t old;

	if (!option || !s->count)
		return COOKIE_NONE;
	if (len != COOKIE_CLIENT_LEN && (len < 2U * COOKIE_CLIENT_LEN || len > COOKIE_OPTION_MAX))
		return COOKIE_MALFORMED;
	if (len == COOKIE_LEN && option[COOKIE_CLIENT_LEN] == VERSION) {
		uint8_t want[8];

		old = age(get_u32(option + COOKIE_CLIENT_LEN + 4), now_s);
		for (unsigned i = 0; i < s->count && !good; i++) {
			hash_into(s->secret[i], client, option, want);
			good = same_octets(want, option + COOKIE_CLIENT_LEN + 8, 8);
			if (good && i == 0 && old >= (s->site ? -COOKIE_SITES : 0) && old < COOKIE_RENEW_S && !cookie_other_site(s, option)) {
				memcpy(reply, option, COOKIE_LEN);
				return COOKIE_GOOD;
			}
		}
		good = good && old <= COOKIE_AGE_MAX_S && old >= -COOKIE_AHEAD_MAX_S;
	}
	cookie_make(s, client, option, now_s, reply);
	return good ? COOKIE_GOOD : len == COOKIE_CLIENT_LEN ? COOKIE_CLIENT_ONLY : COOKIE_BAD;
}

int cookie_secret_parse(const void *text, size_t len, uint8_t out[COOKIE_SECRET_LEN])
{
	const char *p = text;
	uint8_t secret[COOKIE_SECRET_LEN] = {0};

	while (len && isspace((unsigned char)*p))
		p++, len--;
	while (len && isspace((unsigned char)p[len - 1]))
		len--;
	if (len != 2 * COOKIE_SECRET_LEN)
		return ERR_MALFORMED;
	for (size_t i = 0; i < len; i++) {
		int c = tolower((unsigned char)p[i]);

		if (!isxdigit(c))
			return ERR_MALFORMED;
		secret[i / 2] = (uint8_t)(secret[i / 2] << 4 | (c <= '9' ? c - '0' : c - 'a' + 10));
	}
	memcpy(out, secret, sizeof(secret));
	return 0;
}
