/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* Error codes: 0 is success, -errno is the system's, -1000 and below are ours. A value and an error never share a
 * return; results go through trailing out-parameters, which are untouched on failure. */
enum err {
	ERR_TRUNCATED = -1000,   /* input ends too early */
	ERR_MALFORMED = -1001,   /* input breaks its format */
	ERR_NO_SPACE = -1002,    /* output does not fit */
	ERR_LIMIT = -1003,       /* a named limit is exceeded */
	ERR_NOT_FOUND = -1004,
	ERR_EXISTS = -1005,
	ERR_INVALID = -1006,     /* well-formed, but not allowed here; details are in a diag */
	ERR_STALE = -1007,       /* version, checksum or boot does not match: rebuild */
	ERR_UNSUPPORTED = -1008,
	ERR_NO_MEMORY = -1009,
	ERR_CLOSED = -1010,      /* the other side has gone */
};

/* Text of a code of either kind; never NULL, static or thread-local storage. */
const char *err_text(int code);
