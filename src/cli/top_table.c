/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/top.h"

#include "base/hash.h"

#include <stdio.h>
#include <string.h>

static uint64_t hash_of(const char *key)
{
	return hash_checksum(key, strlen(key), 0);
}

void top_table_add(struct top_table *t, const char *key)
{
	struct top_entry *e = NULL, *least = &t->entry[0];
	char cut[TOP_KEY_MAX];
	uint64_t hash;

	snprintf(cut, sizeof(cut), "%s", key);
	hash = hash_of(cut);
	t->total += 1;
	for (size_t i = 0; i < t->used && !e; i++) {
		if (t->entry[i].hash == hash && strcmp(t->entry[i].key, cut) == 0)
			e = &t->entry[i];
		if (t->entry[i].count < least->count)
			least = &t->entry[i];
	}
	if (e) {
		e->count += 1;
		return;
	}
	if (t->used < TOP_ENTRIES) {
		e = &t->entry[t->used++];
		e->count = 0;
	} else {
		e = least;
	}
	e->excess = e->count;
	e->count += 1;
	e->hash = hash;
	memcpy(e->key, cut, sizeof(cut));
}

void top_table_fade(struct top_table *t, double factor)
{
	t->total *= factor;
	for (size_t i = 0; i < t->used; i++) {
		t->entry[i].count *= factor;
		t->entry[i].excess *= factor;
	}
}

static bool is_before(const struct top_entry *a, const struct top_entry *b)
{
	double x = a->count - a->excess, y = b->count - b->excess;

	return x > y || (!(x < y) && strcmp(a->key, b->key) < 0);
}

size_t top_table_best(const struct top_table *t, const struct top_entry **out, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < t->used; i++) {
		size_t at = n;

		while (at && is_before(&t->entry[i], out[at - 1]))
			at--;
		if (at >= most)
			continue;
		n = MIN(n + 1, most);
		memmove(&out[at + 1], &out[at], (n - at - 1) * sizeof(*out));
		out[at] = &t->entry[i];
	}
	return n;
}
