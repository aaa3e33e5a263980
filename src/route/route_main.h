/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

struct role;

/* The route process: runs until the supervisor says stop. Returns its exit status. */
int route_main(struct role *role);
