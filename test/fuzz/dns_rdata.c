/* SPDX-License-Identifier: BSD-2-Clause */
/* RDATA as text: the first two octets choose the type, the rest is the text. What parses is valid, and prints to what parses the same. */
#include "base/text.h"
#include "dns/rr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t first[RDATA_MAX], second[RDATA_MAX];
	static const uint8_t origin[] = "\x07" "example";
	struct writer w = writer_of(first, sizeof(first)), v = writer_of(second, sizeof(second));
	struct rdata_problem problem;
	struct text t;
	uint16_t type;
	char *text;

	if (size < 2 || size > 20000)
		return 0;
	type = get_u16(data);
	text = malloc(size - 1);
	memcpy(text, data + 2, size - 2);
	text[size - 2] = '\0';
	if (rdata_from_string(type, text, origin, &w, &problem) == 0) {
		if (rdata_check(type, first, w.pos) < 0)
			abort();
		text_init(&t);
		rdata_to_text(type, first, w.pos, &t);
		if (!t.failed && (rdata_from_string(type, t.chars, origin, &v, &problem) < 0 || v.pos != w.pos ||
		                  memcmp(first, second, w.pos) != 0))
			abort();
		text_done(&t);
	} else if (w.pos) {
		abort();
	}
	free(text);
	return 0;
}
