/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

struct role;

/* The answer process: runs until the supervisor says stop. Returns its exit status. */
int answer_main(struct role *role);
