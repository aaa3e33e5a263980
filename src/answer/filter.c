/* SPDX-License-Identifier: BSD-2-Clause */
/* The first filter of the file that matches decides, but with a hundred thousand of them nobody can try each. Filters with a name stand
 * in a hash table by it; a question looks up each suffix of its name, and only suffixes of a length that some filter has. Filters of one name
 * hang on each other in the file's order, as those without a name do; the lowest number that matches wins. */
#include "answer/filter.h"

#include "base/err.h"
#include "base/hash.h"
#include "limit/prefix_set.h"

#include <stdlib.h>
#include <string.h>

struct rule {
	struct rule *next;          /* of the same name, later in the file */
	uint8_t *name;              /* lower case; NULL: every name */
	uint16_t *types;
	size_t type_count;
	struct prefix_set *clients; /* NULL: every client */
	enum filter_action action;
};

struct filter_set {
	struct rule *nameless, **slots;
	size_t slot_count;          /* a power of two */
	uint64_t lengths[2];        /* bit n: some name has n labels */
	uint8_t key[16];
	size_t count;
	struct rule rules[];        /* in the file's order */
};

void filter_set_free(struct filter_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++) {
		free(s->rules[i].name);
		free(s->rules[i].types);
		prefix_set_free(s->rules[i].clients);
	}
	free(s->slots);
	free(s);
}

/* Where the list of rules with this name (lower case) begins, or would. */
static struct rule **slot_of(const struct filter_set *s, const uint8_t *name, size_t len)
{
	size_t at = hash_keyed(s->key, name, len) & (s->slot_count - 1);

	while (s->slots[at] && !name_equal(s->slots[at]->name, name))
		at = (at + 1) & (s->slot_count - 1);
	return &s->slots[at];
}

static int copy_rule(const struct config_filter *f, struct rule *r)
{
	static const enum filter_action actions[] = {
		[CONFIG_FILTER_DROP] = FILTER_DROP, [CONFIG_FILTER_REFUSE] = FILTER_REFUSE, [CONFIG_FILTER_TRUNCATE] = FILTER_TRUNCATE};

	r->action = actions[f->action];
	if (f->name) {
		r->name = malloc(name_len(f->name));
		if (!r->name)
			return ERR_NO_MEMORY;
		memcpy(r->name, f->name, name_len(f->name));
	}
	if (f->type_count) {
		r->types = malloc(f->type_count * sizeof(*r->types));
		if (!r->types)
			return ERR_NO_MEMORY;
		memcpy(r->types, f->types, f->type_count * sizeof(*r->types));
		r->type_count = f->type_count;
	}
	return f->client_count ? prefix_set_make(f->clients, f->client_count, &r->clients) : 0;
}

/* From the last rule to the first, so that each list begins with its first. */
static void link_rules(struct filter_set *s)
{
	for (size_t i = s->count; i-- > 0;) {
		struct rule *r = &s->rules[i], **head = r->name ? slot_of(s, r->name, name_len(r->name)) : &s->nameless;
		unsigned labels = r->name ? name_labels(r->name) : 0;

		r->next = *head;
		*head = r;
		if (r->name)
			s->lengths[labels / 64] |= UINT64_C(1) << labels % 64;
	}
}

int filter_set_make(const struct config_filter *filters, size_t count, struct filter_set **out)
{
	struct filter_set *s;
	int err = 0;

	if (!count) {
		*out = NULL;
		return 0;
	}
	s = calloc(1, sizeof(*s) + count * sizeof(s->rules[0]));
	if (!s)
		return ERR_NO_MEMORY;
	random_bytes(s->key, sizeof(s->key));
	for (s->slot_count = 16; s->slot_count < 2 * count;)
		s->slot_count *= 2;
	s->slots = calloc(s->slot_count, sizeof(struct rule *));
	s->count = count;
	if (!s->slots)
		err = ERR_NO_MEMORY;
	for (size_t i = 0; i < count && !err; i++)
		err = copy_rule(&filters[i], &s->rules[i]);
	if (err < 0) {
		filter_set_free(s);
		return err;
	}
	link_rules(s);
	*out = s;
	return 0;
}

static bool matches(const struct rule *r, const struct query *q, const struct ip_addr *client)
{
	bool type = !r->type_count;

	for (size_t i = 0; i < r->type_count && !type; i++)
		type = r->types[i] == q->qtype;
	return type && (!r->clients || prefix_set_has(r->clients, client));
}

/* The better of `best` and the first rule of a list that matches. */
static const struct rule *first_of(const struct rule *list, const struct query *q, const struct ip_addr *client, const struct rule *best)
{
	for (; list && (!best || list < best); list = list->next)
		if (matches(list, q, client))
			return list;
	return best;
}

enum filter_action filter_judge(const struct filter_set *s, const struct query *q, const struct ip_addr *client)
{
	const struct rule *best;
	struct name low;
	const uint8_t *suffix;

	if (!s)
		return FILTER_PASS;
	best = first_of(s->nameless, q, client, NULL);
	if (s->lengths[0] | s->lengths[1]) {
		name_lower(&low, q->qname.wire);
		suffix = low.wire;
		for (unsigned labels = name_labels(low.wire);; labels--, suffix += 1 + *suffix) {
			if (s->lengths[labels / 64] >> labels % 64 & 1)
				best = first_of(*slot_of(s, suffix, (size_t)(low.wire + low.len - suffix)), q, client, best);
			if (!labels)
				break;
		}
	}
	return best ? best->action : FILTER_PASS;
}
