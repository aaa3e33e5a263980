/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a line of the control socket: a request that says the same when it is written out and read again, or a sentence. */
#include "admin/request.h"

#include "base/err.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = {"status", "reload", "drain", "resume", "zone-list", "zone-show", "zone-reload", "fault"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request r, again;
	char problem[200] = "";
	char *text;
	json_t *o;
	int err;

	memset(&r, 0, sizeof(r));
	err = request_parse((const char *)data, size, &r, problem, sizeof(problem));
	if (err == ERR_INVALID && problem[0] && memchr(problem, 0, sizeof(problem)))
		return 0;
	if (err != 0)
		abort();
	if (!memchr(r.network, 0, sizeof(r.network)) || !memchr(r.zone, 0, sizeof(r.zone)))
		abort();
	if ((size_t)r.command >= sizeof(words) / sizeof(words[0]))
		return 0; /* it has more than is written out here */
	o = json_pack("{s:s, s:s*, s:s, s:s}", "command", words[r.command], "network", r.network[0] ? r.network : NULL, "zone", r.zone, "kind",
	              r.fault ? "servfail" : "none");
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (!text || request_parse(text, strlen(text), &again, problem, sizeof(problem)) != 0)
		abort();
	if (again.command != r.command || again.fault != r.fault || strcmp(again.network, r.network) || strcmp(again.zone, r.zone))
		abort();
	free(text);
	return 0;
}
