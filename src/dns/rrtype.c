/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of record types (IANA "Resource Record (RR) TYPEs") and of classes. Adding a type that is made of known fields is one row
 * here; a field of a new kind is a letter in rrtype.h and a case in rdata_in.c, rdata_out.c and rdata_wire.c. */
#include "dns/rrtype.h"

#include "base/err.h"
#include "base/octets.h"
#include "dns/rr.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* By ascending number. */
static const struct rrtype_info table[] = {
	{1, "A", "a"},
	{2, "NS", "c"},
	{3, "MD", "c"},
	{4, "MF", "c"},
	{5, "CNAME", "c"},
	{6, "SOA", "cc4TTTT"},
	{7, "MB", "c"},
	{8, "MG", "c"},
	{9, "MR", "c"},
	{10, "NULL", NULL},
	{11, "WKS", "W"},
	{12, "PTR", "c"},
	{13, "HINFO", "ss"},
	{14, "MINFO", "cc"},
	{15, "MX", "2c"},
	{16, "TXT", "S"},
	{17, "RP", "NN"},
	{18, "AFSDB", "2N"},
	{19, "X25", "s"},
	{20, "ISDN", "sO"},
	{21, "RT", "2N"},
	{22, "NSAP", "o"},
	{23, "NSAP-PTR", "n"},
	{24, "SIG", "yg14tt2Nb"},
	{25, "KEY", "21gB"},
	{26, "PX", "2NN"},
	{27, "GPOS", "sss"},
	{28, "AAAA", "A"},
	{29, "LOC", "L"},
	{30, "NXT", "Nj"},
	{31, "EID", "h"},
	{32, "NIMLOC", "h"},
	{33, "SRV", "222N"},
	{34, "ATMA", "U"},
	{35, "NAPTR", "22sssN"},
	{36, "KX", "2N"},
	{37, "CERT", "k2gb"},
	{38, "A6", "K"},
	{39, "DNAME", "N"},
	{40, "SINK", "111B"},
	{41, "OPT", NULL},
	{42, "APL", "P"},
	{43, "DS", "2g1d"},
	{44, "SSHFP", "11h"},
	{45, "IPSECKEY", "G"},
	{46, "RRSIG", "yg14tt2Nb"},
	{47, "NSEC", "nm"},
	{48, "DNSKEY", "21gb"},
	{49, "DHCID", "b"},
	{50, "NSEC3", "112xXm"},
	{51, "NSEC3PARAM", "112x"},
	{52, "TLSA", "111h"},
	{53, "SMIMEA", "111h"},
	{55, "HIP", "H"},
	{56, "NINFO", "S"},
	{57, "RKEY", "21gb"},
	{58, "TALINK", "nn"},
	{59, "CDS", "2g1d"},
	{60, "CDNSKEY", "21gb"},
	{61, "OPENPGPKEY", "b"},
	{62, "CSYNC", "42m"},
	{63, "ZONEMD", "411Z"},
	{64, "SVCB", "2nV"},
	{65, "HTTPS", "2nV"},
	{66, "DSYNC", "yD2n"},
	{67, "HHIT", "b"},
	{68, "BRID", "b"},
	{99, "SPF", "S"},
	{100, "UINFO", NULL},
	{101, "UID", NULL},
	{102, "GID", NULL},
	{103, "UNSPEC", NULL},
	{104, "NID", "2l"},
	{105, "L32", "2a"},
	{106, "L64", "2l"},
	{107, "LP", "2n"},
	{108, "EUI48", "e"},
	{109, "EUI64", "E"},
	{128, "NXNAME", NULL},
	{249, "TKEY", NULL},
	{250, "TSIG", NULL},
	{251, "IXFR", NULL},
	{252, "AXFR", NULL},
	{253, "MAILB", NULL},
	{254, "MAILA", NULL},
	{255, "ANY", NULL},
	{256, "URI", "22C"},
	{257, "CAA", "1qC"},
	{258, "AVC", "S"},
	{259, "DOA", "441sY"},
	{260, "AMTRELAY", "M"},
	{261, "RESINFO", "S"},
	{262, "WALLET", "S"},
	{263, "CLA", "S"},
	{264, "IPN", NULL},
	{32768, "TA", "2g1d"},
	{32769, "DLV", "2g1d"},
	/* Our own, of private use: see steer/records.h. */
	{RR_STEER, "STEER", "S"},
	{RR_VARIANT, "VARIANT", "vyg14tt2nb"},
};

/* Row + 1 by number, for the numbers that fill zones: loading asks several times a record. */
static uint8_t row_of[128];

static __attribute__((constructor)) void make_rows(void)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].type < ARRAY_LEN(row_of))
			row_of[table[i].type] = (uint8_t)(i + 1);
}

const struct rrtype_info *rrtype_info(uint16_t type)
{
	size_t lo = 0, hi = ARRAY_LEN(table);

	if (type < ARRAY_LEN(row_of))
		return row_of[type] ? &table[row_of[type] - 1] : NULL;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (table[mid].type < type)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < ARRAY_LEN(table) && table[lo].type == type ? &table[lo] : NULL;
}

size_t rrtype_digest_len(enum rdata_field f, const uint8_t before[2])
{
	/* IANA "Digest Algorithms" of DS: SHA-1, SHA-256, SHA-384; GOST R 34.11-94 (3) is deprecated and BIND and NSD take
	 * any length of it. ZONEMD: SHA-384, SHA-512, of scheme SIMPLE; what other schemes mean by a number is theirs to say. */
	static const uint8_t ds[] = {0, 20, 32, 0, 48}, zonemd[] = {0, 48, 64};
	uint8_t algorithm = before[1];

	if (f == F_ZONE_DIGEST)
		return before[0] == ZONEMD_SIMPLE && algorithm < ARRAY_LEN(zonemd) ? zonemd[algorithm] : 0;
	return algorithm < ARRAY_LEN(ds) ? ds[algorithm] : 0;
}

/* "TYPE123" or "CLASS123" after the word. */
static int number_after(const char *text, size_t len, const char *word, uint16_t *out)
{
	size_t n = strlen(word);
	unsigned v = 0;

	if (len <= n || len > n + 5 || strncasecmp(text, word, n) != 0)
		return ERR_NOT_FOUND;
	for (size_t i = n; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return ERR_NOT_FOUND;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	if (v > 65535)
		return ERR_NOT_FOUND;
	*out = (uint16_t)v;
	return 0;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	/* The first letter decides nearly always; all words begin with one. */
	return (*text | 0x20) == (*word | 0x20) && strlen(word) == len && strncasecmp(text, word, len) == 0;
}

/* Mnemonics of up to eight letters, in a table by a hash of them: zones name a type in every record, and NSEC names several. */
enum { WORD_MAX = 8, WORD_SLOTS = 512 };
static struct {
	uint64_t word; /* letters in upper case; 0: free */
	uint16_t type;
} words[WORD_SLOTS];

static uint64_t pack_word(const char *text, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)text[i];

		word = word << 8 | ((uint8_t)(c - 'a') < 26 ? c ^ 0x20U : c);
	}
	return word;
}

static size_t word_slot(uint64_t word)
{
	return (size_t)(word * 0x9e3779b97f4a7c15ULL >> 55);
}

static __attribute__((constructor)) void make_words(void)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		size_t len = strlen(table[i].mnemonic), at;
		uint64_t word = len <= WORD_MAX ? pack_word(table[i].mnemonic, len) : 0;

		if (!word)
			continue;
		for (at = word_slot(word); words[at].word; at = (at + 1) % WORD_SLOTS)
			;
		words[at].word = word;
		words[at].type = table[i].type;
	}
}

int rrtype_from_text(const char *text, size_t len, uint16_t *out)
{
	if (!len || !*text)
		return ERR_NOT_FOUND;
	if (len <= WORD_MAX) {
		uint64_t word = pack_word(text, len);

		for (size_t at = word_slot(word); words[at].word; at = (at + 1) % WORD_SLOTS)
			if (words[at].word == word) {
				*out = words[at].type;
				return 0;
			}
		return number_after(text, len, "TYPE", out);
	}
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (is_word(text, len, table[i].mnemonic)) {
			*out = table[i].type;
			return 0;
		}
	return number_after(text, len, "TYPE", out);
}

int rrtype_from_token(const struct rdata_token *t, uint16_t *out)
{
	uint64_t word;

	if (!t->plain || !t->len || t->len > WORD_MAX)
		return rrtype_from_text(t->text, t->len, out);
	word = octets_upper(octets_high_first(t->text)) >> (64 - 8 * t->len);
	for (size_t at = word_slot(word); words[at].word; at = (at + 1) % WORD_SLOTS)
		if (words[at].word == word) {
			*out = words[at].type;
			return 0;
		}
	return rrtype_from_text(t->text, t->len, out);
}

bool rrtype_is_private(uint16_t type)
{
	return type >= 65280 && type <= 65534;
}

char *rrtype_text(uint16_t type, char *buf)
{
	if (!rrtype_is_private(type))
		return rrtype_own_text(type, buf);
	snprintf(buf, RRTYPE_TEXT_MAX, "TYPE%u", type);
	return buf;
}

char *rrtype_own_text(uint16_t type, char *buf)
{
	const struct rrtype_info *info = rrtype_info(type);

	if (info)
		snprintf(buf, RRTYPE_TEXT_MAX, "%s", info->mnemonic);
	else
		snprintf(buf, RRTYPE_TEXT_MAX, "TYPE%u", type);
	return buf;
}

static const struct {
	uint16_t rclass;
	const char *mnemonic;
} classes[] = {{CLASS_IN, "IN"}, {CLASS_CH, "CH"}, {CLASS_HS, "HS"}, {CLASS_NONE, "NONE"}, {CLASS_ANY, "ANY"}};

int rrclass_from_text(const char *text, size_t len, uint16_t *out)
{
	if (len < 2) /* "A" is met all the time */
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (is_word(text, len, classes[i].mnemonic)) {
			*out = classes[i].rclass;
			return 0;
		}
	return number_after(text, len, "CLASS", out);
}

char *rrclass_text(uint16_t rclass, char *buf)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (classes[i].rclass == rclass) {
			snprintf(buf, RRTYPE_TEXT_MAX, "%s", classes[i].mnemonic);
			return buf;
		}
	snprintf(buf, RRTYPE_TEXT_MAX, "CLASS%u", rclass);
	return buf;
}

bool rrtype_is_meta(uint16_t type)
{
	return type == RR_OPT || (type >= 128 && type <= 255);
}
