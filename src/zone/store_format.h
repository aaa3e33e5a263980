/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "zone/store.h"

#include <stdatomic.h>
#include <stdint.h>

/* The file's own structures, private to the store. */
enum {
	STORE_FORMAT = 3,
	STORE_COMMITS = 8,          /* ring of commit records */
	STORE_HEADER_BYTES = 4096,
	STORE_REGIONS_MAX = 4096,   /* extents of one zone */
};
#define STORE_MAGIC 0x31726f7473637a00ULL
#define STORE_ZONE_MAGIC 0x656e6f7au

struct store_commit_record {
	uint64_t generation;
	uint64_t zone_count;
	store_ref zones;        /* root slot of the zones' trie; 0: no zone */
	store_ref end;          /* first cell never used */
	uint64_t checksum;      /* of the fields above */
};

struct store_header {
	uint64_t magic;
	uint32_t format;
	uint32_t layout;        /* hash of the sizes of all structures */
	char boot[40];
	uint64_t checksum;      /* of the fields above */
	_Alignas(64) _Atomic uint64_t current; /* generation committed last */
	_Alignas(64) struct store_commit_record commits[STORE_COMMITS];
};

/* An extent of the file that belongs to one zone version. */
struct store_region {
	store_ref start;
	uint32_t cells;
};

/* The identity of this build's structures. */
uint32_t store_layout(void);
/* This boot's id, or "unknown" where the system does not tell. */
void store_boot_id(char out[40]);
uint64_t store_header_checksum(const struct store_header *h);
uint64_t store_commit_checksum(const struct store_commit_record *c);
/* 0, or ERR_STALE when the header is not this build's and this boot's. len: octets of the file. */
int store_header_check(const struct store_header *h, uint64_t len) MUST_CHECK;
/* The ring's record of a generation. A reader must look at `current` again afterwards: see store_pin(). */
struct store_commit_record store_commit_read(const struct store_header *h, uint64_t generation);
void store_commit_write(struct store_header *h, const struct store_commit_record *c);
/* 0, or ERR_STALE when c is not the record of this generation or does not fit a file of len octets. */
int store_commit_check(const struct store_commit_record *c, uint64_t generation, uint64_t len) MUST_CHECK;
/* Sum over cells of a mix of each with its place, so that what is added to a zone adds its own share: content_checksum. */
uint64_t store_cells_sum(const uint8_t *base, store_ref start, uint32_t cells);
/* Regions of a zone: behind its text, aligned. */
const struct store_region *store_zone_regions(const struct store_zone *z);
size_t store_zone_bytes(size_t apex_len, size_t source_len, size_t regions);
uint64_t store_zone_checksum(const struct store_zone *z);

/* Address space for the whole store, from the file's beginning on, at a multiple of a huge page. NULL and errno. */
void *store_map(int fd, int prot);
