/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "xfr/tsig_key.h"

#include <stddef.h>
#include <stdint.h>

struct role;

/* The TSIG keys of a configuration, by their index in it; a key that cannot be used is NULL, and logged. Shared: those who sign with a key outlive the
 * configuration. One thread. */
struct keyring {
	unsigned refs;
	size_t count;
	uint64_t *ids;             /* tell keys apart, secrets too; never 0 */
	struct tsig_key *list[];
};

/* From the role's configuration and bundle; no keys in the stand-alone form. ERR_NO_MEMORY. */
int keyring_new(const struct role *role, struct keyring **out) MUST_CHECK;
struct keyring *keyring_ref(struct keyring *k);
void keyring_unref(struct keyring *k);
