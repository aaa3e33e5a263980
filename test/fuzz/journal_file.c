/* SPDX-License-Identifier: BSD-2-Clause */
/* A journal with damage: input is a list of places and what is written there, six octets each (page, offset, value; 16 bits each), the last odd
 * octets cut the file. Either opening says so, or everything in it can be read and changed without harm; versions that can still be read are those
 * that were written. */
#include "base/err.h"
#include "base/wire.h"
#include "journal/journal.h"
#include "journal/pages.h"
#include "zone/content.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAGE = 4096, ZONES = 24, CHANGES = 6, FILE_MAX = 4 << 20 };

static char folder[64], path[128];
static uint8_t *image, *damaged;
static size_t image_len, damaged_len;
static unsigned unreadable; /* failures that were said; so that none is ignored */

static void apex_of(unsigned zone, struct name *out)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "z%u.", zone);

	if (name_from_text(text, (size_t)len, NULL, out) != 0)
		abort();
}

static void add(struct content *c, const uint8_t *owner, uint16_t type, const void *rdata, size_t len)
{
	struct rr rr = {.owner = owner, .type = type, .rclass = CLASS_IN, .ttl = 60, .rdlen = (uint16_t)len, .rdata = rdata};

	if (content_add(c, &rr, NULL) != 0)
		abort();
}

/* Zone 0 has several chunks, the others a few records. */
static struct content *zone_of(unsigned zone, uint32_t serial)
{
	static uint8_t text[256 * 10];
	uint8_t soa[22] = {0}, address[4] = {0};
	struct name apex, owner;
	struct content *c;

	apex_of(zone, &apex);
	c = content_new(apex.wire);
	if (!c)
		abort();
	put_u32(soa + 2, serial);
	add(c, apex.wire, RR_SOA, soa, sizeof(soa));
	for (unsigned i = 0; i < (zone ? 3 : 30); i++) {
		char label[32];
		int len = snprintf(label, sizeof(label), "n%u", i);

		if (name_from_text(label, (size_t)len, apex.wire, &owner) != 0)
			abort();
		put_u32(address, i % 3 == 0 ? serial : i);
		add(c, owner.wire, RR_A, address, 4);
		for (size_t at = 0; at < sizeof(text); at += 256) {
			text[at] = 255;
			memset(text + at + 1, (int)(i % 5 == 0 ? serial & 0xff : i), 255);
		}
		if (!zone)
			add(c, owner.wire, RR_TXT, text, sizeof(text));
	}
	if (content_finish(c) != 0)
		abort();
	return c;
}

struct put {
	unsigned zone;
	uint32_t serial;
	bool drop;
};

static int put(struct journal_txn *t, void *ctx)
{
	const struct put *p = ctx;
	const struct journal_keep keep = {.differences_max = 4, .octets_max = 1 << 20, .all_s = 1, .step_s = 2};
	const struct journal_version v = {.serial = p->serial, .when_s = p->serial};
	struct content *c = zone_of(p->zone, p->serial);
	enum journal_outcome outcome;
	struct name apex;
	int err;

	apex_of(p->zone, &apex);
	err = p->drop ? journal_remove_zone(t, apex.wire) : journal_put_version(t, c, &v, &keep, &outcome);
	if (!err && !p->drop)
		err = journal_set_timers(t, apex.wire, &(struct journal_timers){.refreshed_s = p->serial, .error = "none"});
	content_free(c);
	return err;
}

static int change_some(struct journal_txn *t, void *ctx)
{
	int err = 0;

	for (unsigned zone = *(unsigned *)ctx; !err && zone < ZONES; zone += 4) {
		struct put p = {.zone = zone, .serial = 100, .drop = zone % 5 == 4};

		err = put(t, &p);
		if (err == ERR_MALFORMED || err == ERR_NOT_FOUND)
			err = 0; /* one zone that is damaged: the others go on */
	}
	return err;
}

static void clean(void)
{
	static const char *const names[] = {"journal.lmdb", "journal.lmdb-lock", "journal.lock", "journal.new", "journal.new-lock"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

static void make(void)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	struct journal *j;
	FILE *f;

	snprintf(folder, sizeof(folder), "%s/zonecast-fuzz-XXXXXX", base);
	if (!mkdtemp(folder) || atexit(clean) != 0 || journal_open(folder, NULL, NULL, &j) != 0)
		abort();
	for (uint32_t serial = 1; serial <= CHANGES; serial++)
		for (unsigned zone = 0; zone < ZONES; zone++) {
			struct put p = {.zone = zone, .serial = serial, .drop = serial == 3 && zone % 4 == 3};

			if (zone % 7 == 6 && serial > 2)
				continue;
			if (journal_write(j, put, &p, NULL) != 0)
				abort();
		}
	journal_close(j);
	snprintf(path, sizeof(path), "%s/journal.lmdb", folder);
	image = malloc(FILE_MAX);
	damaged = malloc(FILE_MAX);
	f = fopen(path, "rb");
	if (!image || !damaged || !f)
		abort();
	image_len = fread(image, 1, FILE_MAX, f);
	fclose(f);
	if (image_len % PAGE || image_len == FILE_MAX)
		abort();
}

static int read_image(void *ctx, uint64_t offset, void *buf, size_t len)
{
	(void)ctx;
	if (offset > damaged_len || len > damaged_len - offset)
		return -EIO;
	memcpy(buf, damaged + offset, len);
	return 0;
}

static int read_version(void *ctx, const struct journal_entry *e)
{
	struct journal_txn *t = ((void **)ctx)[0];
	const uint8_t *apex = ((void **)ctx)[1];
	unsigned zone = (unsigned)atoi((const char *)apex + 2);
	struct journal_changes changes;
	struct content *c, *want;

	if (journal_get_content(t, apex, e->version.serial, &c) == 0) {
		want = zone_of(zone, e->version.serial);
		if (content_record_count(c) != content_record_count(want))
			abort();
		content_free(want);
		content_free(c);
	}
	if (!e->is_whole && journal_get_changes(t, apex, e->from, e->version.serial, false, UINT64_MAX, &changes) == 0)
		journal_changes_done(&changes);
	return 0;
}

static int read_zone(void *ctx, const uint8_t *apex, const struct journal_zone *z)
{
	void *both[2] = {ctx, (void *)(uintptr_t)apex};
	struct journal_changes changes;
	struct journal_timers timers;
	struct name copy;

	name_copy(&copy, apex);
	both[1] = copy.wire;
	if (journal_get_timers(ctx, copy.wire, &timers) == 0 && timers.error[0] && strcmp(timers.error, "none") != 0)
		abort();
	if (journal_get_changes(ctx, copy.wire, z->oldest, z->newest, true, UINT64_MAX, &changes) == 0)
		journal_changes_done(&changes);
	/* Damage in one zone must not keep the others from being read. */
	if (journal_history(ctx, copy.wire, read_version, both) < 0)
		unreadable++;
	return 0;
}

static int read_all(struct journal_txn *t, void *ctx)
{
	struct journal_space space;

	(void)ctx;
	if (journal_get_space(t, &space) != 0)
		return 0;
	return journal_each_zone(t, read_zone, t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pages_source s = {.read = read_image};
	struct journal *j;
	struct text why;
	FILE *f;
	int judged;

	if (!image)
		make();
	memcpy(damaged, image, image_len);
	damaged_len = image_len;
	for (; size >= 6; size -= 6, data += 6) {
		size_t at = get_u16(data) % (image_len / PAGE) * PAGE + get_u16(data + 2) % (PAGE - 1);

		memcpy(damaged + at, data + 4, 2);
	}
	if (size >= 3)
		damaged_len = (size_t)get_u16(data) * 16 % (image_len + 1);
	s.octets = damaged_len;
	text_init(&why);
	judged = pages_check(&s, &why);
	if (judged < 0 && !why.len)
		abort();
	text_done(&why);
	if (judged < 0)
		return 0;
	snprintf(path, sizeof(path), "%s/journal.lmdb", folder);
	f = fopen(path, "wb");
	if (!f || fwrite(damaged, 1, damaged_len, f) != damaged_len || fclose(f) != 0)
		abort();
	if (journal_open(folder, NULL, NULL, &j) != 0)
		return 0;
	if (journal_read(j, read_all, NULL, NULL) < 0)
		unreadable++;
	for (unsigned first = 0; first < 4; first++)
		if (journal_write(j, change_some, &first, NULL) < 0)
			unreadable++;
	journal_close(j);
	return 0;
}
