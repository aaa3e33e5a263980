/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "zone/store_writer_priv.h"

/* Copy everything the version *z refers to into cells of chunks, in the order of a whole build and without waste; *z then refers to the copy.
 * ERR_NO_SPACE. */
int store_copy_zone(struct chunks *chunks, struct store_zone *z, const uint8_t *apex) MUST_CHECK;
