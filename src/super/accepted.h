/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The fleet file that this node accepted last, where it has a `generation`: STATE_DIR/fleet.accepted, one line of comment with generation and
 * SHA-256, then the file as it was. By it an older file is refused, at a reload and at a start, also when it is the only one that is left on the disk after
 * somebody restored a backup: a start then goes on with the copy. Paths in the copy are relative to the fleet file's folder, as they were. */
struct accepted {
	uint32_t generation;
	uint8_t hash[32]; /* of the file, as in struct config */
};

/* The first line. ERR_NOT_FOUND: there is none; ERR_MALFORMED; -errno. */
int accepted_read(const char *state_dir, struct accepted *out) MUST_CHECK;
/* The whole, checked against its hash; *bytes are the caller's, from malloc(). */
int accepted_load(const char *state_dir, struct accepted *out, char **bytes, size_t *len) MUST_CHECK;
/* Write it aside, on the disk when this returns; and put it in place, or drop it. Nothing is done where the file has no generation, or is that one already. */
int accepted_stage(const char *state_dir, const struct config *c, const char *bytes, size_t len) MUST_CHECK;
void accepted_commit(const char *state_dir, bool good);
/* Hexadecimal digits of a hash. */
void accepted_hash_text(const uint8_t hash[32], char out[65]);
