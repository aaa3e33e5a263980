/* SPDX-License-Identifier: BSD-2-Clause */
/* Any octets as a web server's answer. The first says what is wanted, the second how the rest is cut: whole, and in pieces, the verdict and its reason must be the same. */
#include "health/http.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum http_step run(const struct http_wanted *wanted, const uint8_t *data, size_t size, size_t piece, char *why)
{
	static struct http_reading r;
	enum http_step step = HTTP_MORE;

	http_begin(&r, wanted);
	for (size_t at = 0; at < size && step == HTTP_MORE; at += piece)
		step = http_take(&r, data + at, size - at < piece ? size - at : piece, why);
	if (step == HTTP_MORE)
		step = http_end(&r, why);
	if (step == HTTP_MORE || (step == HTTP_BAD) != (why[0] != '\0') || !memchr(why, 0, PROBE_WHY_MAX))
		abort();
	return step;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const texts[] = {NULL, "a", "well", "wewewell"};
	char whole[PROBE_WHY_MAX] = "", cut[PROBE_WHY_MAX] = "", single[PROBE_WHY_MAX] = "";
	struct http_wanted wanted = {.status = 0};
	enum http_step step;

	if (size < 2)
		return 0;
	wanted.contains = texts[data[0] & 3];
	wanted.status = data[0] & 4 ? 200 : 0;
	step = run(&wanted, data + 2, size - 2, size, whole);
	if (run(&wanted, data + 2, size - 2, data[1] % 31 + 2U, cut) != step || strcmp(whole, cut) != 0)
		abort();
	if (run(&wanted, data + 2, size - 2, 1, single) != step || strcmp(whole, single) != 0)
		abort();
	/* What is good has a status that was wanted. */
	if (step == HTTP_GOOD && (size < 14 || (wanted.contains && !memmem(data + 2, size - 2, wanted.contains, 1))))
		abort();
	return 0;
}
