/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

struct role;
struct tls_client;

/* The tls-auths of a configuration as TLS uses them, by their index in it; one that cannot be used is NULL, and logged. Shared: connections outlive the
 * configuration. One thread. */
struct tls_profiles {
	unsigned refs;
	size_t count;
	uint64_t *ids; /* tell apart what is demanded and shown, file contents too; never 0 */
	struct tls_client *list[];
};

/* From the role's configuration and bundle; none in the stand-alone form. ERR_NO_MEMORY. */
int tls_profiles_new(const struct role *role, struct tls_profiles **out) MUST_CHECK;
/* NULL is fine, here and below. */
struct tls_profiles *tls_profiles_ref(struct tls_profiles *p);
void tls_profiles_unref(struct tls_profiles *p);
