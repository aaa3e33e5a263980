/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "route/decide.h"

/* The page of doc/howto, without its folder and ".md", that tells what a decision's reason means, what to do, and how to go back. Shorter than
 * BOARD_PAGE_MAX. */
const char *page_of(enum decide_reason reason);
