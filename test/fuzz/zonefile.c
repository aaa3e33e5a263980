/* SPDX-License-Identifier: BSD-2-Clause */
/* A zone file in memory, through parser, sorting and checks; what is accepted prints to what is accepted again with as many records. The fast readers, and a
 * window so small that it moves all the time, must give the same records and problems as the slow readers with all in one
 * window, and several threads that share the text in pieces the same content as one. */
#include "base/diag.h"
#include "base/text.h"
#include "zone/check.h"
#include "zone/content.h"
#include "zone/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t apex[] = "\x07" "example";

static int take(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	if (!name_is_under(rr->owner, apex))
		return 0;
	return content_record_count(ctx) > 5000 ? -1 : content_add(ctx, rr, place);
}

static struct content *load(const char *text, size_t len, int *result)
{
	struct content *c = content_new(apex);
	struct zonefile_options o = {.origin = apex, .rclass = CLASS_IN, .on_record = take, .ctx = c};
	struct diag diag;

	diag_init(&diag);
	*result = zonefile_parse_bytes("fuzz", text, len, false, &o, &diag);
	if (content_finish(c) < 0)
		abort();
	zone_check(c, &diag);
	diag_done(&diag);
	return c;
}

struct trace {
	uint64_t hash;
	unsigned records;
};

static void mix(struct trace *t, const void *bytes, size_t n)
{
	for (const uint8_t *p = bytes; n; n--)
		t->hash = (t->hash ^ *p++) * 0x100000001b3ULL;
}

static int trace_record(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	uint32_t numbers[] = {rr->type, rr->ttl, rr->rdlen, place->line, place->column};

	mix(ctx, rr->owner, name_len(rr->owner));
	mix(ctx, rr->rdata, rr->rdlen);
	mix(ctx, numbers, sizeof(numbers));
	return ++((struct trace *)ctx)->records > 5000 ? -1 : 0;
}

static uint64_t trace(const char *text, size_t len, bool slow, size_t window)
{
	struct trace t = {.hash = 0xcbf29ce484222325ULL};
	struct zonefile_options o = {.origin = apex, .rclass = CLASS_IN, .on_record = trace_record, .ctx = &t, .slow = slow, .window = window};
	struct diag diag;
	char line[1400];
	int err;

	diag_init(&diag);
	err = zonefile_parse_bytes("fuzz", text, len, false, &o, &diag);
	for (const struct diag_entry *e = diag.first; e; e = e->next) {
		diag_entry_text(e, line, sizeof(line));
		mix(&t, line, strlen(line));
	}
	mix(&t, &err, sizeof(err));
	diag_done(&diag);
	return t.hash;
}

static uint64_t trace_load(const char *path, unsigned threads)
{
	struct zone_load_options o = {.threads = threads, .piece = 64};
	struct trace t = {.hash = 0xcbf29ce484222325ULL};
	struct content *c = NULL;
	struct diag diag;
	char line[1400];
	int err;

	diag_init(&diag);
	err = zone_load_file(path, apex, &o, &diag, &c);
	mix(&t, &err, sizeof(err));
	for (const struct diag_entry *e = diag.first; e; e = e->next) {
		diag_entry_text(e, line, sizeof(line));
		mix(&t, line, strlen(line));
	}
	for (size_t i = 0; !err && i < content_rrset_count(c); i++) {
		const struct content_rrset *s = content_rrset(c, i);
		struct zonefile_place place = {0};

		for (uint32_t k = 0; k < s->count; k++) {
			place.line = s->records[k].line;
			trace_record(&t, &(struct rr){.owner = s->owner, .type = s->type, .ttl = s->ttl, .rdlen = s->records[k].rdlen, .rdata = s->records[k].rdata},
			             &place);
		}
	}
	content_free(c);
	diag_done(&diag);
	return t.hash;
}

/* $INCLUDE could name what changes while it is read, or does not end. */
static bool includes(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++)
		if (data[i] == '$' && (data[i + 1] | 0x20) == 'i')
			return true;
	return false;
}

static void compare_threads(const uint8_t *data, size_t size)
{
	int fd = memfd_create("zone", MFD_CLOEXEC);
	char path[40];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (trace_load(path, 1) != trace_load(path, 3))
		abort();
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int result, again;
	struct content *c = load((const char *)data, size, &result), *d;
	uint64_t wanted = trace((const char *)data, size, true, size + 1);
	struct text t;

	if (trace((const char *)data, size, false, 0) != wanted || trace((const char *)data, size, false, 64) != wanted)
		abort();
	if (size > 128 && wanted % 16 == 0 && !includes(data, size)) /* some are enough: it takes long */
		compare_threads(data, size);
	if (result == 0) {
		text_init(&t);
		for (size_t i = 0; i < content_rrset_count(c); i++) {
			const struct content_rrset *s = content_rrset(c, i);

			for (uint32_t k = 0; k < s->count; k++)
				zone_print_record(&t, s->owner, s->ttl, s->type, s->records[k].rdata, s->records[k].rdlen);
		}
		if (!t.failed) {
			d = load(t.chars, t.len, &again);
			if (again != 0 || content_record_count(d) != content_record_count(c) || content_rrset_count(d) != content_rrset_count(c))
				abort();
			content_free(d);
		}
		text_done(&t);
	}
	content_free(c);
	return 0;
}
