/* SPDX-License-Identifier: BSD-2-Clause */
/* Frame Streams (https://farsightsec.github.io/fstrm): a data frame is its length in 4 octets, and its octets. Length 0 announces a control frame: the length in 4 octets, the
 * kind in 4, and fields of kind, length, octets; the only kind of field is the content type (1).
 *
 *	file:    START data ... STOP
 *	socket:  READY -> <- ACCEPT   START data ... STOP -> <- FINISH
 *
 * libfstrm does this with threads and calls that wait; this process has a loop, and waits for nobody. */
#include "dnstap/frames.h"

#include "base/err.h"
#include "base/wire.h"

#include <errno.h>
#include <string.h>

enum { FIELD_CONTENT_TYPE = 1, HEAD = 8 /* octets: 0, and the length */ };

size_t frames_control(enum frames_control kind, uint8_t *out)
{
	struct writer w = writer_of(out, FRAMES_CONTROL_MAX);
	size_t type = kind == FRAMES_START || kind == FRAMES_READY ? strlen(FRAMES_CONTENT_TYPE) : 0;

	writer_u32(&w, 0);
	writer_u32(&w, (uint32_t)(type ? 12 + type : 4));
	writer_u32(&w, (uint32_t)kind);
	if (type) {
		writer_u32(&w, FIELD_CONTENT_TYPE);
		writer_u32(&w, (uint32_t)type);
		writer_bytes(&w, FRAMES_CONTENT_TYPE, type);
	}
	return w.pos;
}

void frames_data(size_t len, uint8_t out[FRAMES_HEAD])
{
	put_u32(out, (uint32_t)len);
}

int frames_read(const uint8_t *octets, size_t len, size_t *used, enum frames_control *kind)
{
	struct reader r = reader_of(octets, len);
	uint32_t escape, size, is;
	bool typed = false, ours = false;

	if (len < HEAD)
		return -EAGAIN;
	escape = reader_u32(&r);
	size = reader_u32(&r);
	if (escape || size < 4 || size > FRAMES_CONTROL_MAX - HEAD)
		return ERR_MALFORMED;
	if (len - HEAD < size)
		return -EAGAIN;
	r = reader_of(octets + HEAD, size);
	is = reader_u32(&r);
	while (reader_ok(&r) && reader_left(&r)) {
		uint32_t field = reader_u32(&r), n = reader_u32(&r);
		const uint8_t *value = reader_bytes(&r, n);

		if (field != FIELD_CONTENT_TYPE)
			return ERR_MALFORMED;
		typed = true;
		ours = ours ||
		       (value && n == strlen(FRAMES_CONTENT_TYPE) && memcmp(value, FRAMES_CONTENT_TYPE, n) == 0);
	}
	if (!reader_ok(&r) || (is != FRAMES_ACCEPT && is != FRAMES_FINISH))
		return ERR_MALFORMED;
	/* One that names none takes all. */
	if (is == FRAMES_ACCEPT && typed && !ours)
		return ERR_UNSUPPORTED;
	*used = HEAD + size;
	*kind = (enum frames_control)is;
	return 0;
}
