/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages with and without TSIG: read as a request and as an answer. None that was not signed with the key is good; whatever is signed by one side is good at
 * the other. */
#include "base/hash.h"
#include "dns/message.h"
#include "xfr/tsig.h"

#include <stdlib.h>
#include <string.h>

enum { NOW = 1700000000, ROOM = 70000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

/* The keys that tests and corpus use, and the same names with a secret that no input was signed with. */
static struct tsig_key *new_key(const char *algorithm, bool secret_known)
{
	struct tsig_key *k = NULL;
	uint8_t secret[32];

	for (unsigned i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)(i + 1);
	if (!secret_known)
		random_bytes(secret, sizeof(secret));
	check(tsig_key_new((const uint8_t *)"\x08" "transfer" "\x03" "key", tsig_algorithm_text(algorithm), secret, sizeof(secret), 0, &k) == 0);
	return k;
}

static void sign_and_verify(const uint8_t *data, size_t size, struct tsig_key *key)
{
	struct tsig_keys keys = {.list = &key, .count = 1};
	struct tsig_session client, server;
	uint8_t *buf = malloc(ROOM);
	struct writer w = writer_of(buf, ROOM);

	tsig_session_init(&client);
	tsig_session_init(&server);
	memcpy(buf, data, size);
	w.pos = size;
	tsig_session_key(&client, key);
	check(tsig_sign(&client, &w, NOW) == 0);
	check(tsig_verify_request(&server, &keys, buf, w.pos, NOW) == TSIG_GOOD);
	/* The same octets as the answer, three times, the second unsigned. */
	for (unsigned i = 0; i < 3; i++) {
		w.pos = size;
		memcpy(buf, data, size);
		check((i == 1 ? tsig_skip(&server, buf, size) : tsig_sign(&server, &w, NOW)) == 0);
		check(tsig_verify_response(&client, buf, w.pos, NOW) == (i == 1 ? TSIG_UNSIGNED : TSIG_GOOD));
	}
	check(tsig_complete(&client));
	tsig_session_done(&client);
	tsig_session_done(&server);
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tsig_key *known[2], *secret[2];
	struct tsig_session s;
	struct tsig_record t;
	enum tsig_verdict v;
	int found;

	if (!known[0]) {
		known[0] = new_key("hmac-sha256", true);
		known[1] = new_key("hmac-sha512-256", true);
		secret[0] = new_key("hmac-sha256", false);
		secret[1] = new_key("hmac-sha512-256", false);
	}
	if (size > 65000)
		return 0;
	found = tsig_find(data, size, &t);
	tsig_session_init(&s);
	for (unsigned i = 0; i < 2; i++) {
		struct tsig_keys keys = {.list = known, .count = i + 1};

		(void)tsig_verify_request(&s, &keys, data, size, NOW);
		keys.list = secret;
		v = tsig_verify_request(&s, &keys, data, size, NOW);
		check(v == (found < 0 ? TSIG_FORMERR : !found ? TSIG_ABSENT : v));
		check(v != TSIG_GOOD && v != TSIG_BADTIME && v != TSIG_BADTRUNC);
		tsig_session_key(&s, secret[i]);
		v = tsig_verify_response(&s, data, size, NOW);
		check(v != TSIG_GOOD && v != TSIG_UNSIGNED);
		check(!tsig_complete(&s));
	}
	tsig_session_done(&s);
	if (!found && get_u16(data + 10) < 65535) {
		sign_and_verify(data, size, known[0]);
		sign_and_verify(data, size, known[1]);
	}
	return 0;
}
