/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

#include <stddef.h>

/* Service addresses held on lo. Those this program put there are remembered in RUN_DIR/addresses, so that a successor after a crash
 * knows them as ours and takes them away when they are no longer wanted; an address that somebody else put there is used and
 * left alone. */
enum { ADDRESSES_MAX = 128 };

struct addresses {
	char record[600]; /* path of the file */
	struct ip_addr ours[ADDRESSES_MAX];
	size_t count;
};

/* Reads the record of a predecessor. */
void addresses_init(struct addresses *a, const char *run_dir);
int addresses_add(struct addresses *a, const struct ip_addr *addr) MUST_CHECK;
int addresses_remove(struct addresses *a, const struct ip_addr *addr) MUST_CHECK;
/* Remove all of ours that are not among the count wanted ones. */
void addresses_keep_only(struct addresses *a, const struct ip_addr *wanted, size_t count);
