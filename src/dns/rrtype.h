/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The layout of RDATA, one letter a field; the table in rrtype.c has one row a type. Private to the dns module. */
enum rdata_field {
	F_NAME_COMPRESS = 'c', /* name; may be compressed (RFC 1035 types), lower case in canonical form */
	F_NAME_LOWER = 'N',    /* name; accepted compressed, never sent so; lower case in canonical form (RFC 4034 6.2) */
	F_NAME = 'n',          /* name; never compressed, case kept */
	F_U8 = '1',
	F_U16 = '2',
	F_U32 = '4',
	F_PERIOD = 'T',        /* 32 bits, "1h30m" accepted */
	F_TIME = 't',          /* 32 bits, YYYYMMDDHHmmSS (RFC 4034 3.2) */
	F_TYPE = 'y',          /* 16 bits, type mnemonic */
	F_CERT = 'k',          /* 16 bits, certificate type mnemonic (RFC 4398 2.1) */
	F_ALGORITHM = 'g',     /* 8 bits, DNSSEC algorithm number or mnemonic */
	F_SCHEME = 'D',        /* 8 bits, DSYNC scheme mnemonic (RFC 9859 2.1) */
	F_IPV4 = 'a',
	F_IPV6 = 'A',
	F_STRING = 's',        /* character-string */
	F_STRING_OPTIONAL = 'O',
	F_STRINGS = 'S',       /* one or more to the end */
	F_TAG = 'q',           /* character-string of letters and digits (CAA) */
	F_TEXT = 'C',          /* the rest, one quoted string without length (CAA value, URI target) */
	F_HEX = 'h',           /* the rest */
	F_DIGEST = 'd',        /* the rest, hex; the octet before it is a digest type of DS (RFC 4034 5.1.3) */
	F_ZONE_DIGEST = 'Z',   /* likewise, a hash algorithm of ZONEMD (RFC 8976 2.2.3) */
	F_BASE64 = 'b',        /* the rest, at least one octet */
	F_BASE64_OPTIONAL = 'B',
	F_BASE64_OR_DASH = 'Y', /* "-" for none (DOA) */
	F_SALT = 'x',          /* length and hex in one token, "-" for none */
	F_HASH = 'X',          /* length and base32hex in one token */
	F_BITMAP = 'm',        /* type bit map (RFC 4034 4.1.2) */
	F_NXT = 'j',           /* type bit map of NXT (RFC 2535 5.2) */
	F_LOC = 'L',
	F_APL = 'P',
	F_SVCB = 'V',
	F_WKS = 'W',
	F_GATEWAY = 'G',       /* precedence, gateway type, algorithm, gateway (RFC 4025) */
	F_RELAY = 'M',         /* precedence, discovery and type, relay (RFC 8777) */
	F_HIP = 'H',
	F_EUI48 = 'e',
	F_EUI64 = 'E',
	F_LOCATOR = 'l',       /* 64 bits as four groups of hex (RFC 6742) */
	F_NSAP = 'o',          /* "0x" and hex */
	F_ATMA = 'U',
	F_A6 = 'K',
	F_SET_HASH = 'v',      /* 8 octets in one token of hex (VARIANT) */
};

struct rrtype_info {
	uint16_t type;
	const char *mnemonic;
	const char *fields; /* NULL: no presentation format of its own, RFC 3597 */
};

enum { SET_HASH_LEN = 8 }; /* octets of F_SET_HASH */
enum { ZONEMD_SIMPLE = 1, ZONEMD_DIGEST_MIN = 12 }; /* RFC 8976 2.2.2, 2.2.4 */

/* Octets of a digest of the kind that the two octets before it name, 0 if any number is right. F_DIGEST or F_ZONE_DIGEST. */
size_t rrtype_digest_len(enum rdata_field f, const uint8_t before[2]);

/* Private use (RFC 6895 3.1): a number that others may give another meaning. Octets of any form are let through, and only who asks for our own form prints it. */
bool rrtype_is_private(uint16_t type);
/* Octets of the row's fields, whatever type it is: rdata_check() without that exception. 0 or ERR_MALFORMED. */
int rrtype_check_fields(const struct rrtype_info *info, const uint8_t *rdata, size_t len);

/* NULL for a type without a row. */
const struct rrtype_info *rrtype_info(uint16_t type);
