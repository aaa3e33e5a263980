/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and signatures as octets that anybody may have written: a private key's file; DNSKEY RDATA; RRSIG RDATA over a set. What a private key signs is good for its public half, or a try had said that it would not be.
 * First octet: 0 a file of a key, 1 DNSKEY, else RRSIG RDATA, judged by a key that is good and over an owner and a set that are in it. */
#include "base/err.h"
#include "dns/rr.h"
#include "dnssec/key.h"
#include "dnssec/sign.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t zone[] = "\7example\3com", owner[] = "\3www\7example\3com";
static const uint8_t address[4] = {192, 0, 2, 1};

static void must(bool good)
{
	if (!good)
		abort();
}

static void sign_and_verify(struct dnssec_key *key, uint8_t algorithm)
{
	uint8_t dnskey[DNSSEC_DNSKEY_HEAD + DNSSEC_PUBLIC_MAX] = {1, 0, 3, algorithm}, rrsig[DNSSEC_RRSIG_MAX];
	struct dnssec_rdata record = {address, sizeof(address)};
	struct dnssec_set set = {owner, RR_A, 30, &record, 1};
	struct dnssec_key public;
	size_t len;

	memcpy(dnskey + DNSSEC_DNSKEY_HEAD, key->public, key->public_len);
	if (!dnssec_key_adopt(key, dnskey, (size_t)DNSSEC_DNSKEY_HEAD + key->public_len))
		return;
	if (dnssec_sign(key, zone, &set, 10, 20, rrsig, &len) < 0)
		return; /* an RSA key whose numbers are no key */
	if (dnssec_key_public(dnskey, (size_t)DNSSEC_DNSKEY_HEAD + key->public_len, &public) < 0)
		return;
	/* What is private may not be of what is public: of RSA, and in PEM. Then a try says so. */
	must((dnssec_verify(&public, zone, &set, rrsig, len, 15) == 0) == (dnssec_try(key, zone) == 0));
	must(dnssec_verify(&public, zone, &set, rrsig, len, 25) == ERR_STALE);
	dnssec_key_done(&public);
}

static void judge(const uint8_t *data, size_t len)
{
	static const uint8_t dnskey[] = {1, 1, 3, 15, 0x97, 0x4d, 0x96, 0xa2, 0x2d, 0x22, 0x4b, 0xc0, 0x1a, 0xdb, 0x91, 0x50, 0x91, 0x47,
	                                 0x7d, 0x44, 0xcc, 0xd9, 0x1c, 0x9a, 0x41, 0xa1, 0x14, 0x30, 0x01, 0x01, 0x17, 0xd5, 0x2c, 0x59, 0x24, 0x0e}; /* RFC 8080 6.1 */
	struct dnssec_rdata records[4];
	struct dnssec_set set = {owner, len ? (uint16_t)(data[0] << 8 | data[len - 1]) : RR_MX, 30, records, 4};
	struct dnssec_key key;

	for (size_t i = 0; i < 4; i++)
		records[i] = (struct dnssec_rdata){data, (uint16_t)(len / (i + 1) & 0xfff)};
	must(dnssec_key_public(dnskey, sizeof(dnskey), &key) == 0);
	must(dnssec_verify(&key, zone, &set, data, len, 1500000000) != 0);
	set.type = len >= 2 ? (uint16_t)(data[0] << 8 | data[1]) : RR_A;
	must(dnssec_verify(&key, zone, &set, data, len, len >= 16 ? (uint32_t)data[12] << 24 | (uint32_t)data[13] << 16 | (uint32_t)data[14] << 8 | data[15] : 0) != 0);
	dnssec_key_done(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char why[DNSSEC_WHY_MAX];
	struct dnssec_key key;

	if (!len)
		return 0;
	if (data[0] > 1) {
		judge(data + 1, len - 1);
	} else if (data[0] == 1) {
		if (dnssec_key_public(data + 1, len - 1, &key) == 0) {
			must(!key.private && dnssec_key_adopt(&key, data + 1, len - 1));
			dnssec_key_done(&key);
		}
	} else if (dnssec_key_private((const char *)data + 1, len - 1, &key, why) == 0) {
		must(key.private && key.public_len);
		sign_and_verify(&key, key.algorithm ? key.algorithm : 8);
		dnssec_key_done(&key);
	}
	return 0;
}
