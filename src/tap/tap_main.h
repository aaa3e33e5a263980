/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

struct role;

/* The tap process: queries and answers out of the workers' rings, for a collector of dnstap or into files. */
int tap_main(struct role *role);
