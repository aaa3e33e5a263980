/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/err.h"

#include <string.h>

const char *err_text(int code)
{
	switch (code) {
	case 0:
		return "success";
	case ERR_TRUNCATED:
		return "input ends too early";
	case ERR_MALFORMED:
		return "malformed input";
	case ERR_NO_SPACE:
		return "output does not fit";
	case ERR_LIMIT:
		return "limit exceeded";
	case ERR_NOT_FOUND:
		return "not found";
	case ERR_EXISTS:
		return "exists already";
	case ERR_INVALID:
		return "not allowed";
	case ERR_STALE:
		return "made by another version, boot or writer";
	case ERR_UNSUPPORTED:
		return "not supported";
	case ERR_NO_MEMORY:
		return "out of memory";
	case ERR_CLOSED:
		return "closed by the other side";
	default:
		break;
	}
	return code < 0 && code > -1000 ? strerror(-code) : "unknown error";
}
