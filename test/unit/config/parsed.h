/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/diag.h"
#include "config/config.h"

#include <stdio.h>

/* A configuration that must be good, as of /etc/zonecast/z.yaml; what is wrong with it is printed. d: what was said of it besides, the caller's to end. After cmocka.h, whose assertions it uses. */
static inline struct config *parsed_with(const char *yaml, size_t len, struct diag *d)
{
	struct config *c = NULL;
	char line[2048];
	int rc;

	diag_init(d);
	rc = config_parse("/etc/zonecast/z.yaml", yaml, len, d, &c);
	for (const struct diag_entry *e = d->first; e && rc < 0; e = e->next)
		printf("%s\n", diag_entry_text(e, line, sizeof(line)));
	assert_int_equal(rc, 0);
	return c;
}

static inline struct config *parsed(const char *yaml, size_t len)
{
	struct diag d;
	struct config *c = parsed_with(yaml, len, &d);

	diag_done(&d);
	return c;
}
