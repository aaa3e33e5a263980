/* SPDX-License-Identifier: BSD-2-Clause */
/* Any octets as an answer to `zonecast trace`: what is made of them is text for a terminal, sorted, and the same each time. */
#include "cli/trace.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void is_text(const char *s)
{
	for (; *s; s++)
		must((uint8_t)*s >= ' ' && (uint8_t)*s < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_answer a, b;

	if (trace_answer_read(data, size, &a) < 0)
		return 0;
	is_text(a.nsid);
	must(strlen(a.nsid) < TRACE_NSID_MAX && a.ede_count <= TRACE_EDES_MAX && a.record_count <= TRACE_RECORDS_MAX);
	for (size_t i = 0; i < a.ede_count; i++)
		is_text(a.ede[i].text);
	for (size_t i = 0; i < a.record_count; i++) {
		is_text(a.records[i].text);
		must(a.records[i].section == 1 || a.records[i].section == 2);
		must(i == 0 || a.records[i - 1].section < a.records[i].section || strcmp(a.records[i - 1].text, a.records[i].text) <= 0);
	}
	must(trace_answer_read(data, size, &b) == 0 && a.digest == b.digest && a.record_count == b.record_count);
	trace_answer_done(&a);
	trace_answer_done(&b);
	return 0;
}
