/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/* What the supervisor, which is privileged, reads on behalf of the roles: the fleet file and the key files it names, in one sealed
 * memfd. Roles never open key files themselves. */
struct bundle;

enum { BUNDLE_ITEM_MAX = 64 << 20, BUNDLE_ITEMS_MAX = 1024 };

/* Builder: items are (name, octets); the first is the fleet file. */
struct bundle *bundle_new(void);
int bundle_add(struct bundle *b, const char *name, const void *bytes, size_t len) MUST_CHECK;
/* Reads the file into the bundle under its path. -errno; ERR_LIMIT beyond max octets. */
int bundle_add_file(struct bundle *b, const char *path, size_t max) MUST_CHECK;
/* Write everything into a new sealed memfd. */
int bundle_seal(const struct bundle *b, int *fd) MUST_CHECK;

/* Reader: map and verify an inherited bundle. */
int bundle_open(int fd, struct bundle **out) MUST_CHECK;
/* Octets of the item, borrowed until bundle_free(); NULL when it is not in there. */
const void *bundle_get(const struct bundle *b, const char *name, size_t *len);
/* The first item and its name. */
const void *bundle_first(const struct bundle *b, const char **name, size_t *len);
/* Its pages need not be in this process's memory until somebody looks at them again. */
void bundle_rest(const struct bundle *b);
void bundle_free(struct bundle *b);
