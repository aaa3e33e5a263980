/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/content.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* The identity of the files a zone was read from (size, time of change, inode and path of the zone file and of each $INCLUDE), kept
 * beside the zone in the store: a restart does not read again what has not changed. */

/* Of the zone file alone, of which st is what was seen before it was read: all of them and of all other files have one length. "" when it does not fit. */
void source_begin(const struct stat *st, const char *path, char *text, size_t cap);
/* Append the included files after reading. When all does not fit the text becomes "", which never matches. */
void source_add_includes(const struct content *c, const char *path, char *text, size_t cap);
/* Are all files still the same, and is the first one path? */
bool source_unchanged(const char *text, size_t len, const char *path);
/* Each included file that the text names. */
void source_each_include(const char *text, size_t len, const uint8_t *apex, void (*fn)(void *ctx, const uint8_t *apex, const char *path), void *ctx);
