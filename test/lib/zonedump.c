/* SPDX-License-Identifier: BSD-2-Clause */
/* zonedump FILE ORIGIN: the zone file as zonecast reads it, one record a line; problems on stderr, exit status 1 when it is refused. */
#include "base/diag.h"
#include "base/err.h"
#include "zone/content.h"
#include "zone/print.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	static const uint8_t root[1] = {0};
	struct content *c = NULL;
	struct diag diag;
	struct name apex;
	char line[1400];
	int err;

	if (argc != 3 || name_from_text(argv[2], strlen(argv[2]), root, &apex) < 0) {
		fprintf(stderr, "usage: zonedump FILE ORIGIN\n");
		return 2;
	}
	diag_init(&diag);
	err = zone_load_file(argv[1], apex.wire, NULL, &diag, &c);
	for (const struct diag_entry *e = diag.first; e; e = e->next)
		fprintf(stderr, "%s\n", diag_entry_text(e, line, sizeof(line)));
	if (!err)
		err = zone_print(c, stdout);
	else
		fprintf(stderr, "%s\n", err_text(err));
	content_free(c);
	diag_done(&diag);
	return err ? 1 : 0;
}
