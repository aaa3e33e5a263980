/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/text.h"

#include <stddef.h>
#include <stdint.h>

/* Judges the pages of an LMDB file before LMDB maps it and believes every number in them. Pure but for the reading. */
struct pages_source {
	/* len octets at offset, which are within octets; 0 or -errno. */
	int (*read)(void *ctx, uint64_t offset, void *buf, size_t len);
	void *ctx;
	uint64_t octets; /* size of the file */
};

/* 0: the newest commit can be read and written by LMDB without harm. ERR_MALFORMED with the reason in why; ERR_UNSUPPORTED: no LMDB file, or
 * of another format; ERR_NO_MEMORY; what read returns. Reads every branch and leaf page once, and the first octets of long values. */
int pages_check(const struct pages_source *s, struct text *why) MUST_CHECK;
