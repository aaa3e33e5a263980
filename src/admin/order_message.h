/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "proc/role.h"

#include <stdbool.h>
#include <stdint.h>

struct request;

/* An order, or a question that others have to answer, as the supervisor is told it. uid: whose it is; UINT32_MAX: of no account of this machine. False: this node has no such network. Pure. */
bool order_message(const struct role *role, const struct request *r, uint32_t id, uint32_t uid, struct role_message *m) MUST_CHECK;
