/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "xfr/tsig_key.h"

#include <stdbool.h>

struct role;

/* The key of what nodes say to each other, by the configuration in force. One thread. */
struct status_key {
	bool wanted;          /* the fleet has one: nothing unsigned is said or believed */
	struct tsig_key *key; /* NULL: none is wanted, or it cannot be used, which is logged */
};

void status_key_load(const struct role *role, struct status_key *out);
void status_key_done(struct status_key *k);
