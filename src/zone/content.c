/* SPDX-License-Identifier: BSD-2-Clause */
/* Records pile up as they come: an array of them, one of runs of equal owners, and blocks that hold names and RDATA back to back. content_sort.c finishes.
 * An owner that follows itself is kept once. Blocks and arrays double, in huge pages once they are large (base/pages.h). */
#include "zone/content.h"

#include "base/err.h"
#include "base/pages.h"
#include "zone/content_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILES_MAX = 65535,
	BLOCK_MAX = 8 << 20, /* octets */
};

struct content_block {
	struct content_block *next;
	size_t bytes; /* this header included */
};

struct content *content_new(const uint8_t *apex)
{
	struct content *c = calloc(1, sizeof(*c));

	if (c) {
		name_copy(&c->apex, apex);
		c->apex_labels = name_labels(apex);
		c->room.next = CONTENT_BLOCK_MIN;
	}
	return c;
}

void content_free(struct content *c)
{
	if (!c)
		return;
	while (c->blocks) {
		struct content_block *next = c->blocks->next;

		pages_free(c->blocks, c->blocks->bytes);
		c->blocks = next;
	}
	pages_free(c->records, c->record_cap * sizeof(*c->records));
	pages_free(c->owners, c->owner_cap * sizeof(*c->owners));
	pages_free(c->early, c->early_cap * sizeof(*c->early));
	pages_free(c->rrsets, c->rrset_cap * sizeof(*c->rrsets));
	free(c->files);
	free(c);
}

int content_double(void *array, size_t *cap, size_t size)
{
	void **p = array;
	size_t next = *cap ? *cap * 2 : 16;
	void *q;

	q = pages_realloc(*p, *cap * size, next * size);
	if (!q)
		return ERR_NO_MEMORY;
	*p = q;
	*cap = next;
	return 0;
}

bool content_more_room(struct content *c, size_t len)
{
	size_t bytes = MAX(c->room.next, sizeof(struct content_block) + len + CONTENT_PAD);
	struct content_block *b = pages_realloc(NULL, 0, bytes);

	if (!b)
		return false;
	*b = (struct content_block){c->blocks, bytes};
	c->blocks = b;
	c->room = (struct content_room){(uint8_t *)(b + 1), bytes - sizeof(*b), MIN(c->room.next * 2, (size_t)BLOCK_MAX)};
	return true;
}

static int file_index(struct content *c, const char *name, uint16_t *out)
{
	size_t len = strlen(name) + 1;
	const char **files;
	uint8_t *copy;

	/* Nearly always the file of the record before. */
	for (uint32_t i = c->file_count; i-- > 0;)
		if (strcmp(c->files[i], name) == 0) {
			*out = (uint16_t)i;
			return 0;
		}
	if (c->file_count == FILES_MAX)
		return ERR_LIMIT;
	files = realloc(c->files, (c->file_count + 1) * sizeof(*files));
	if (!files)
		return ERR_NO_MEMORY;
	c->files = files;
	copy = content_take(c, len);
	if (!copy)
		return ERR_NO_MEMORY;
	memcpy(copy, name, len);
	files[c->file_count] = (const char *)copy;
	*out = (uint16_t)c->file_count++;
	return 0;
}

static int add_early(struct content *c, size_t owner)
{
	int err = content_grow(&c->early, &c->early_cap, c->early_count, sizeof(*c->early));

	if (!err)
		c->early[c->early_count++] = (uint32_t)owner;
	return err;
}

static int begin_owner(struct content *c, const uint8_t *name)
{
	struct content_key key;
	unsigned labels = 0;
	size_t len = 0;
	uint8_t *copy;
	int err;

	for (; name[len]; labels++)
		len += name[len] + 1U;
	len++;
	if (c->owner_count && len == c->last_owner_len && memcmp(c->owners[c->owner_count - 1].name, name, len) == 0)
		return 0;
	err = content_grow(&c->owners, &c->owner_cap, c->owner_count, sizeof(*c->owners));
	copy = err ? NULL : content_take(c, len);
	if (!copy)
		return ERR_NO_MEMORY;
	memcpy(copy, name, len);
	key = content_key_of(c, copy, labels);
	if (!c->greatest || content_key_compare(&key, copy, &c->greatest_key, c->greatest) >= 0) {
		c->greatest = copy;
		c->greatest_key = key;
	} else {
		err = add_early(c, c->owner_count);
	}
	c->owners[c->owner_count++] = (struct content_owner){.key = key.word[0], .name = copy, .first = (uint32_t)c->record_count};
	c->last_owner_len = len;
	return err;
}

static int add_record(struct content *c, const struct rr *rr, uint32_t line, uint16_t file, uint8_t **rdata)
{
	int err = content_grow(&c->records, &c->record_cap, c->record_count, sizeof(*c->records));

	if (!err && c->record_count == UINT32_MAX)
		err = ERR_LIMIT;
	*rdata = err ? NULL : content_take(c, rr->rdlen);
	if (!*rdata)
		return err ? err : ERR_NO_MEMORY;
	c->records[c->record_count++] = (struct content_record){.rdata = *rdata, .ttl = rr->ttl, .line = line, .type = rr->type, .rdlen = rr->rdlen,
	                                                        .covers = rr->type == RR_RRSIG ? rrsig_covers(rr->rdata, rr->rdlen) : 0,
	                                                        .file = file};
	c->owners[c->owner_count - 1].count++;
	return 0;
}

int content_add(struct content *c, const struct rr *rr, const struct zonefile_place *place)
{
	uint16_t file = 0;
	uint8_t *rdata;
	int err = place ? file_index(c, place->file, &file) : 0;

	c->last_file = NULL;
	if (!err)
		err = begin_owner(c, rr->owner);
	if (!err)
		err = add_record(c, rr, place ? place->line : 0, file, &rdata);
	if (!err && rr->rdlen)
		memcpy(rdata, rr->rdata, rr->rdlen);
	return err;
}

int content_add_next(struct content *c, const struct rr *rr, const struct zonefile_place *place)
{
	uint16_t file = c->record_count ? c->records[c->record_count - 1].file : 0;
	uint8_t *rdata;
	int err = 0;

	if (place->file != c->last_file) {
		err = file_index(c, place->file, &file);
		c->last_file = place->file;
	}
	if (!err && (!place->same_owner || !c->owner_count))
		err = begin_owner(c, rr->owner);
	if (!err)
		err = add_record(c, rr, place->line, file, &rdata);
	if (err)
		return err;
	for (size_t i = 0; i < rr->rdlen; i += CONTENT_PAD)
		memcpy(rdata + i, rr->rdata + i, CONTENT_PAD);
	return 0;
}

static int reserve(void *array, size_t *cap, size_t count, size_t size)
{
	int err = 0;

	while (!err && *cap < count)
		err = content_double(array, cap, size);
	return err;
}

/* Of the owners of `from`, which come behind those of c, those that belong before one of either. */
static int append_early(struct content *c, const struct content *from)
{
	size_t known = 0, i = 0;
	int err = 0;

	/* But for those known in `from` itself they ascend: the first that is not below the greatest ends it. */
	for (; !err && c->greatest && i < from->owner_count; i++) {
		if (known < from->early_count && from->early[known] == i)
			known++;
		else if (name_compare(from->owners[i].name, c->greatest) >= 0)
			break;
		err = add_early(c, c->owner_count + i);
	}
	for (; !err && known < from->early_count; known++)
		err = add_early(c, c->owner_count + from->early[known]);
	if (!c->greatest || content_key_compare(&from->greatest_key, from->greatest, &c->greatest_key, c->greatest) >= 0) {
		c->greatest = from->greatest;
		c->greatest_key = from->greatest_key;
	}
	return err;
}

int content_append(struct content *c, struct content *from, uint32_t lines)
{
	struct content_block **last = &from->blocks;
	uint16_t file = 0;
	int err = from->record_count > UINT32_MAX - c->record_count ? ERR_LIMIT : 0;

	if (!err && from->file_count)
		err = file_index(c, from->files[0], &file);
	if (!err)
		err = reserve(&c->records, &c->record_cap, c->record_count + from->record_count, sizeof(*c->records));
	if (!err)
		err = reserve(&c->owners, &c->owner_cap, c->owner_count + from->owner_count, sizeof(*c->owners));
	if (err || !from->record_count)
		return err;
	err = append_early(c, from);
	for (size_t i = 0; i < from->record_count; i++) {
		struct content_record *r = &c->records[c->record_count + i];

		*r = from->records[i];
		r->line += lines;
		r->file = file;
	}
	for (size_t i = 0; i < from->owner_count; i++) {
		struct content_owner *o = &c->owners[c->owner_count + i];

		*o = from->owners[i];
		o->first += (uint32_t)c->record_count;
	}
	c->record_count += from->record_count;
	c->owner_count += from->owner_count;
	c->last_owner_len = from->last_owner_len;
	c->last_file = NULL;
	while (*last)
		last = &(*last)->next;
	*last = c->blocks;
	c->blocks = from->blocks;
	from->blocks = NULL;
	from->last_file = NULL;
	from->record_count = from->owner_count = from->early_count = 0;
	from->greatest = NULL;
	from->file_count = 0;
	return err;
}

/* ---- reading ---- */

const uint8_t *content_apex(const struct content *c)
{
	return c->apex.wire;
}

size_t content_record_count(const struct content *c)
{
	return c->record_count;
}

size_t content_rrset_count(const struct content *c)
{
	return c->rrset_count;
}

const struct content_rrset *content_rrset(const struct content *c, size_t i)
{
	return &c->rrsets[i];
}

const char *content_file(const struct content *c, uint32_t file)
{
	return file < c->file_count ? c->files[file] : NULL;
}

void content_problem(const struct content *c, struct diag *diag, enum diag_severity severity, const struct content_rrset *set, const char *fmt, ...)
{
	const struct content_record *r = &set->records[0];
	char name[NAME_TEXT_MAX], text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	name_to_text(set->owner, name);
	diag_add(diag, severity, r->line ? content_file(c, r->file) : NULL, r->line, 0, "%s: %s", name, text);
}

size_t content_find(const struct content *c, const uint8_t *name)
{
	size_t lo = 0, hi = c->rrset_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (name_compare(c->rrsets[mid].owner, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t content_find_near(const struct content *c, const uint8_t *name, size_t near)
{
	size_t lo = 0, hi = c->rrset_count;

	/* Steps that double, away from near on the side where name lies, end in a range to bisect. */
	if (near < c->rrset_count && name_compare(c->rrsets[near].owner, name) < 0) {
		lo = near + 1;
		for (size_t step = 1; near + step < hi; step *= 2) {
			if (name_compare(c->rrsets[near + step].owner, name) >= 0) {
				hi = near + step;
				break;
			}
			lo = near + step + 1;
		}
	} else if (near < c->rrset_count) {
		hi = near;
		for (size_t step = 1; step <= near; step *= 2) {
			if (name_compare(c->rrsets[near - step].owner, name) < 0) {
				lo = near - step + 1;
				break;
			}
			hi = near - step;
		}
	}
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (name_compare(c->rrsets[mid].owner, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct content_rrset *content_lookup(const struct content *c, const uint8_t *name, uint16_t type)
{
	/* The apex is asked for most, and comes first. */
	size_t first = c->rrset_count && name_equal(c->rrsets[0].owner, name) ? 0 : content_find(c, name);

	for (size_t i = first; i < c->rrset_count && name_equal(c->rrsets[i].owner, name); i++)
		if (c->rrsets[i].type == type)
			return &c->rrsets[i];
	return NULL;
}

const struct content_rrset *content_soa(const struct content *c)
{
	return content_lookup(c, c->apex.wire, RR_SOA);
}
