/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/wire.h"
#include "board/board.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a node says of itself, and its form as the RDATA of a TXT record: see report.c. Pure. */
enum {
	FLEET_FORM = 1, /* number of the form; another one is not understood */
	FLEET_NETWORKS_MAX = BOARD_NETWORKS_MAX,
	FLEET_VERSION_MAX = 32,    /* of the software, NUL included */
	FLEET_POOLS_MAX = 128,     /* in one report */
	FLEET_HASH_LEN = 8,        /* first octets of the fleet file's hash */
	FLEET_NODE_TEXT_MAX = 255, /* characters of the string about the node, and of one about a network */
	FLEET_RDATA_MAX = (1 + FLEET_NODE_TEXT_MAX) * (1 + 2 * FLEET_NETWORKS_MAX),
	FLEET_AFTER_MAX = 16, /* octets that come behind the RDATA: room that is left for them */
	FLEET_ITEMS_MAX = 64, /* key=value in one string; a string with more is malformed */
};
#define FLEET_FORM_KEY "zonecast-status"

struct fleet_network {
	char name[BOARD_NAME_MAX];
	struct board_peer_family family[BOARD_FAMILIES];
	uint64_t data_age_ms;
	uint32_t load, qps, headroom; /* as in struct board_watch_network */
};

/* A network that the node asks from outside, as a client does: who answers. */
struct fleet_sees {
	char network[BOARD_NAME_MAX];
	struct fleet_sees_family {
		char node[BOARD_NAME_MAX]; /* who answers, or did last; "": nobody ever has */
		uint32_t state;            /* enum board_outside: UNKNOWN: it does not ask; GOOD, SILENT */
		uint32_t since_s;          /* that is so since */
	} family[BOARD_FAMILIES];
};

struct fleet_report {
	char node[BOARD_NAME_MAX];
	char version[FLEET_VERSION_MAX];
	uint32_t uptime_s;
	uint32_t generation;            /* of the fleet file, 0: it has none */
	uint8_t config[FLEET_HASH_LEN]; /* of the fleet file in force */
	uint32_t zones, serving;
	bool stopping;
	/* Of the zones of a network that it serves: the root of their tree (fleet/tree.h). As many as there is room for, the first of them changing. */
	uint32_t trees;
	struct fleet_tree {
		char network[BOARD_NAME_MAX];
		uint64_t root;
	} tree[FLEET_NETWORKS_MAX];
	uint32_t networks; /* that the node has; the report may be about fewer */
	uint32_t count;
	struct fleet_network network[FLEET_NETWORKS_MAX];
	/* Pools of endpoints that the node checks: bit i of `known` and `up` is endpoint i. As many as there is room for, of pools_total. */
	uint32_t pools_total, pools;
	struct fleet_pool {
		uint64_t key; /* board_pool_key() */
		uint64_t known, up;
	} pool[FLEET_POOLS_MAX];
	uint32_t sees_count; /* what does not fit into an answer is left out of it */
	struct fleet_sees sees[FLEET_NETWORKS_MAX];
};

/* Sticky: ask writer_ok(). Names must be names of the configuration. */
void fleet_report_write(const struct fleet_report *r, struct writer *rdata);
/* ERR_MALFORMED, ERR_UNSUPPORTED: of another form; ERR_LIMIT: about more networks than there can be. */
int fleet_report_read(const uint8_t *rdata, size_t len, struct fleet_report *out) MUST_CHECK;
/* The network of that name in the report, or NULL. */
const struct fleet_network *fleet_report_network(const struct fleet_report *r, const char *name);
/* 1 to 63 letters, digits, - _ . as names of nodes and networks are. */
bool fleet_name_ok(const uint8_t *name, size_t len);
