/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

struct role;

/* The watch process: runs until the supervisor says stop. Returns its exit status. */
int watch_main(struct role *role);
