/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The options of the fleet file, one row each. From the same rows come the reader (read.c), the printer (print.c), "did you mean", and a
 * test that each option is in doc/man/zonecast.yaml.5.scd. Private to config, apart from schema_each(). */
enum schema_type {
	SCHEMA_BOOL,      /* bool */
	SCHEMA_UINT,      /* width octets, min..max */
	SCHEMA_TIME,      /* uint32_t milliseconds, min..max */
	SCHEMA_SIZE,      /* uint32_t octets, min..max */
	SCHEMA_RRTYPE,    /* uint16_t, by mnemonic or TYPEn */
	SCHEMA_DEGREES,   /* double, -max..max */
	SCHEMA_WORD,      /* width octets: index in words */
	SCHEMA_IDENT,     /* const char *: letters, digits, - _ . */
	SCHEMA_TEXT,      /* const char *: any text for people */
	SCHEMA_DIR,       /* const char *: absolute path */
	SCHEMA_FILE,      /* const char *: path, made absolute by the fleet file's folder */
	SCHEMA_ADDR,      /* struct ip_addr */
	SCHEMA_PREFIX,    /* struct ip_prefix */
	SCHEMA_ENDPOINT,  /* struct endpoint, port 53 by default */
	SCHEMA_ROUTER_ID, /* uint32_t from dotted quad */
	SCHEMA_COMMUNITY, /* uint32_t from "AS:VALUE" or a well-known name */
	SCHEMA_LARGE_COMMUNITY, /* struct config_large_community from "GLOBAL:LOCAL1:LOCAL2" */
	SCHEMA_LINK_ADDR, /* SCHEMA_ADDR; a link-local one with its interface, whose name goes to count_at and which need not be on this machine */
	SCHEMA_DOMAIN,    /* const uint8_t *, lower case */
	SCHEMA_NETWORK,   /* uint32_t index of the network of that name */
	SCHEMA_KEY,       /* uint32_t index of the key of that name */
	SCHEMA_TLS,       /* uint32_t index in tls-auth of that name */
	SCHEMA_POOL,      /* uint32_t index of the pool of that name, which may stand further down */
	SCHEMA_NODE,      /* uint32_t index of the node of that name */
	SCHEMA_COUNTRY,   /* uint16_t from two letters of ISO 3166 */
	SCHEMA_CONTINENT, /* likewise of a continent */
	SCHEMA_BACKENDS,  /* uint32_t index in backends of that name */
	SCHEMA_SERVER, /* struct endpoint, as SCHEMA_ENDPOINT but port 0 where none is given, or a mapping: `map`, of struct schema_server */
	SCHEMA_FAMILIES, /* list of ipv4, ipv6 into two bools: flag_at is that of ipv6 */
	SCHEMA_NEXT_HOP, /* list of at most one address a family into two addresses: count_at is that of the second */
	SCHEMA_MAP,      /* mapping of `map` at `at` within the same struct (0: the struct itself) */
};

struct schema_map;

struct schema_row {
	const char *key;
	enum schema_type type;
	bool list;             /* at holds a pointer, count_at a size_t */
	bool required;
	bool reload;           /* takes effect on `zonecast reload`; else on restart */
	uint16_t at;           /* offset in the struct */
	uint16_t count_at;
	uint16_t flag_at;      /* bool set when the key is there; 0: none */
	uint8_t width;         /* octets of an integer */
	bool zero_too;         /* 0 is allowed beside min..max */
	uint32_t min, max;     /* of the value, milliseconds for times */
	uint32_t limit;        /* of a list's length */
	const char *value;     /* default as text, read like any other; NULL: zero, or none */
	const char *const *words; /* NULL-terminated */
	const struct schema_map *map;
	const char *help;      /* one line, no final dot */
};

struct schema_map {
	const char *what; /* "a network" */
	size_t size;      /* of its struct; 0 where it is part of another */
	const struct schema_row *rows;
	size_t count;
};

extern const struct schema_map schema_root;

/* The mapping form of SCHEMA_SERVER. */
struct schema_server {
	struct ip_addr address;
	uint16_t port;
	uint32_t tls;
};

struct schema_community {
	const char *name;
	uint32_t value;
};
extern const struct schema_community schema_communities[];
extern const size_t schema_community_count;

/* Calls each(ctx, path, row) for every row, depth first; path is like "networks[].check.interval". */
void schema_each(void (*each)(void *ctx, const char *path, const struct schema_row *row), void *ctx);
