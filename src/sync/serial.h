/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "config/config.h"

#include <stdint.h>

/* The serial of a version that follows one with the serial `before`, by a policy (keep: before itself). Always after it (RFC 1982 3.2), whatever the
 * policy wants: a clock that stands still or goes back, a hundredth version in a day and numbers ahead of their time count up by one. Pure. */
uint32_t serial_next(enum config_serial policy, uint32_t before, int64_t now_wall_s);
