/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as fleet file: either problems are reported, or the configuration prints to text that reads back to the same. */
#include "config/config.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c = NULL, *again = NULL;
	struct text once, twice;
	struct diag d;

	diag_init(&d);
	int rc = config_parse("/x/fuzz.yaml", (const char *)data, size, &d, &c);

	if ((rc == 0) != (c != NULL) || (rc < 0 && d.errors == 0))
		abort();
	if (rc == 0) {
		text_init(&once);
		text_init(&twice);
		config_print(c, &once);
		if (config_parse("/x/fuzz.yaml", once.chars, once.len, &d, &again) != 0)
			abort();
		config_print(again, &twice);
		if (strcmp(once.chars, twice.chars) != 0)
			abort();
		text_done(&once);
		text_done(&twice);
	}
	config_free(c);
	config_free(again);
	diag_done(&d);
	return 0;
}
