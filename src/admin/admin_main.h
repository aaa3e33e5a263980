/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

struct role;

/* The admin process: runs until the supervisor says stop. Returns its exit status. */
int admin_main(struct role *role);
