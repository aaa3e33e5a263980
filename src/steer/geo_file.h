/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/* The file that geoip makes and steer reads, in the byte order of the machine, since it never leaves it:
 *
 *   header | IPv4 networks | IPv6 networks | places | index of IPv4
 *
 * Networks are in order and cover the whole space of their family, each as long as may be: what has no entry in any database has place 0, of which nothing is known.
 * A network is its first address and one word: length in the high 8 bits, number of its place in the low 24. In IPv6 the place GEO_AS_IPV4 stands for a network whose next 32 bits are an IPv4
 * address that is looked up instead (::/96, and where databases have them 2002::/16, ::ffff:0:0/96, 2001::/32). The index says for each 16 bits that an IPv4 address can begin
 * with, and for one more, which network is the last to begin at or before them. */
#define GEO_MAGIC "zcgeo\r\n\x1a"
enum {
	GEO_VERSION = 1,
	GEO_PLACES_MAX = 0xffffff,    /* numbers below it */
	GEO_AS_IPV4 = 0xffffff,
	GEO_NETWORKS_MAX = 40000000,  /* of each family */
	GEO_INDEX = 65537,
	GEO_LENGTH_SHIFT = 24,
};

struct geo_header {
	char magic[8];
	uint32_t version;
	uint32_t v4_count, v6_count, place_count;
	uint64_t sources; /* what it was made from: geo_sources() */
	uint64_t size; /* octets of the file */
};

struct geo_v4 {
	uint32_t start, word;
};

struct geo_v6 {
	uint32_t start[4], word; /* the most significant first */
};

struct geo_record {
	float latitude, longitude;
	uint32_t as;
	uint16_t country, continent;
	uint32_t located; /* 0 or 1 */
};
