/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

struct role;

/* The sync process: runs until the supervisor says stop. Returns its exit status. */
int sync_main(struct role *role);
