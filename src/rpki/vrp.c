/* SPDX-License-Identifier: BSD-2-Clause */
/* Origin validation (RFC 6811) against the few payloads that cover our own prefixes. Sets are sorted arrays: they hold a handful of
 * payloads, and at most VRP_SET_MAX, so shifting them costs less than any tree. */
#include "rpki/vrp.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VRP_SHOWN = 3 }; /* payloads named in a sentence */

static int compare_prefixes(const struct ip_prefix *a, const struct ip_prefix *b)
{
	int d = a->addr.family - b->addr.family;

	if (!d)
		d = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
	return d ? d : a->len - b->len;
}

static int compare(const struct vrp *a, const struct vrp *b)
{
	int d = compare_prefixes(&a->prefix, &b->prefix);

	if (!d)
		d = a->max_len - b->max_len;
	if (!d && a->as != b->as)
		d = a->as < b->as ? -1 : 1;
	return d;
}

/* Where v is or would be. */
static size_t place(const struct vrp_set *s, const struct vrp *v, bool *found)
{
	size_t from = 0, to = s->count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int d = compare(&s->list[mid], v);

		if (d == 0) {
			*found = true;
			return mid;
		}
		if (d < 0)
			from = mid + 1;
		else
			to = mid;
	}
	*found = false;
	return from;
}

static int reserve(struct vrp_set *s, size_t count)
{
	size_t cap = s->cap ? s->cap : 16;
	struct vrp *list;

	if (count <= s->cap)
		return 0;
	while (cap < count)
		cap *= 2;
	list = realloc(s->list, cap * sizeof(*list));
	if (!list)
		return ERR_NO_MEMORY;
	s->list = list;
	s->cap = cap;
	return 0;
}

int vrp_set_add(struct vrp_set *s, const struct vrp *v)
{
	bool found;
	size_t at = place(s, v, &found);
	int err;

	if (found)
		return ERR_EXISTS;
	if (s->count == VRP_SET_MAX)
		return ERR_LIMIT;
	err = reserve(s, s->count + 1);
	if (err < 0)
		return err;
	memmove(s->list + at + 1, s->list + at, (s->count - at) * sizeof(*s->list));
	s->list[at] = *v;
	s->count++;
	return 0;
}

int vrp_set_remove(struct vrp_set *s, const struct vrp *v)
{
	bool found;
	size_t at = place(s, v, &found);

	if (!found)
		return ERR_NOT_FOUND;
	s->count--;
	memmove(s->list + at, s->list + at + 1, (s->count - at) * sizeof(*s->list));
	return 0;
}

int vrp_set_copy(struct vrp_set *to, const struct vrp_set *from)
{
	int err = reserve(to, from->count);

	if (err < 0)
		return err;
	if (from->count)
		memcpy(to->list, from->list, from->count * sizeof(*to->list));
	to->count = from->count;
	return 0;
}

void vrp_set_clear(struct vrp_set *s)
{
	s->count = 0;
}

void vrp_set_done(struct vrp_set *s)
{
	free(s->list);
	*s = (struct vrp_set){0};
}

static int by_prefix(const void *a, const void *b)
{
	return compare_prefixes(a, b);
}

int vrp_interest_set(struct vrp_interest *in, const struct ip_prefix *list, size_t count)
{
	struct ip_prefix *copy = NULL;
	size_t kept = 0;

	if (count) {
		copy = malloc(count * sizeof(*copy));
		if (!copy)
			return ERR_NO_MEMORY;
		memcpy(copy, list, count * sizeof(*copy));
		qsort(copy, count, sizeof(*copy), by_prefix);
	}
	for (size_t i = 0; i < count; i++)
		if (!kept || compare_prefixes(&copy[i], &copy[kept - 1]) != 0)
			copy[kept++] = copy[i];
	free(in->list);
	*in = (struct vrp_interest){.list = copy, .count = kept};
	return 0;
}

void vrp_interest_done(struct vrp_interest *in)
{
	free(in->list);
	*in = (struct vrp_interest){0};
}

bool vrp_interest_equal(const struct vrp_interest *a, const struct vrp_interest *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (compare_prefixes(&a->list[i], &b->list[i]) != 0)
			return false;
	return true;
}

bool vrp_interest_covered_by(const struct vrp_interest *in, const struct ip_prefix *p)
{
	const struct ip_prefix least = {.addr = p->addr, .len = 0};
	size_t from = 0, to = in->count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (compare_prefixes(&in->list[mid], &least) < 0)
			from = mid + 1;
		else
			to = mid;
	}
	/* Only those that begin where p does can be shorter, so this ends soon. */
	for (; from < in->count && prefix_contains(p, &in->list[from].addr); from++)
		if (in->list[from].len >= p->len)
			return true;
	return false;
}

const char *vrp_state_text(enum vrp_state s)
{
	static const char *const names[] = {"unknown", "valid", "invalid", "not-found"};

	return s < ARRAY_LEN(names) ? names[s] : "?";
}

struct sentence {
	char *text;
	size_t len;
	unsigned shown, more;
};

static void PRINTF_LIKE(2, 3) say(struct sentence *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s->text + s->len, VRP_WHY_MAX - s->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		s->len = MIN(s->len + (size_t)n, (size_t)VRP_WHY_MAX - 1);
}

static void say_vrp(struct sentence *s, const struct vrp *v)
{
	char text[PREFIX_TEXT_MAX];

	if (s->shown == VRP_SHOWN) {
		s->more++;
		return;
	}
	say(s, "%s%s", s->shown++ ? ", " : "", prefix_text(&v->prefix, text));
	if (v->max_len != v->prefix.len)
		say(s, "-%u", v->max_len);
	say(s, " AS%u", v->as);
}

static bool covers(const struct vrp *v, const struct ip_prefix *p)
{
	return v->prefix.len <= p->len && prefix_contains(&v->prefix, &p->addr);
}

/* RFC 6811 2; AS 0 matches nothing (RFC 6483 4). */
static bool matches(const struct vrp *v, const struct ip_prefix *p, uint32_t as)
{
	return p->len <= v->max_len && v->as == as && as != 0;
}

enum vrp_state vrp_validate(const struct vrp_set *s, const struct ip_prefix *p, uint32_t as, char *why)
{
	struct sentence out = {.text = why};
	bool covered = false, matched = false, too_long = true;
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < s->count; i++)
		if (covers(&s->list[i], p)) {
			covered = true;
			matched = matched || matches(&s->list[i], p, as);
			too_long = too_long && s->list[i].as == as;
		}
	prefix_text(p, text);
	if (!covered) {
		say(&out, "%s from AS%u is not found: no ROA covers it", text, as);
		return VRP_NOT_FOUND;
	}
	if (matched)
		say(&out, "%s from AS%u is valid by ROA ", text, as);
	else
		say(&out, "%s from AS%u is invalid, %s: ROA ", text, as,
		    too_long ? "it is more specific than the ROAs allow" : "the ROAs allow others");
	for (size_t i = 0; i < s->count; i++)
		if (covers(&s->list[i], p) && (!matched || matches(&s->list[i], p, as)))
			say_vrp(&out, &s->list[i]);
	if (out.more)
		say(&out, " and %u more", out.more);
	return matched ? VRP_VALID : VRP_INVALID;
}
