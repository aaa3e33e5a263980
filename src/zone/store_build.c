/* SPDX-License-Identifier: BSD-2-Clause */
/* From sorted content to tries. First the list of nodes is made: every owner, and the empty non-terminals between one owner and the next
 * (RFC 8020); NSEC3 owners go on a list of their own. Then each trie is built top-down over its sorted list: the first symbol in which
 * the first and last key of a range differ is the branch, its twigs are the runs of equal symbols there. Twigs, then each leaf's node and its
 * sets, are laid out in that order, so that a lookup's last steps lie close together. */
#include "zone/store_build.h"

#include "base/err.h"
#include "base/pages.h"
#include "zone/content_priv.h"
#include "zone/signatures.h"
#include "zone/store_trie.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct item {
	const uint8_t *name; /* of an ENT: inside the name of a descendant */
	uint32_t first, count; /* sets in the content; count 0: ENT */
	uint16_t flags;
	uint8_t labels, len; /* of the name */
	bool shared; /* the owner has another item in the other trie: each takes its part of the sets */
};

struct items {
	struct item *list;
	size_t count, cap;
};

struct build {
	const struct content *c;
	const struct build_space *space;
	struct store_zone *z;
	struct items names, hashes;
	int err;
};

static struct item *add_item(struct items *l)
{
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct item *list = pages_realloc(l->list, l->cap * sizeof(*list), cap * sizeof(*list));

		if (!list)
			return NULL;
		l->list = list;
		l->cap = cap;
	}
	memset(&l->list[l->count], 0, sizeof(*l->list));
	return &l->list[l->count++];
}

/* ---- the lists ---- */

static bool is_denial(const struct content_rrset *set)
{
	return set->type == RR_NSEC3 || (set->type == RR_RRSIG && set->covers == RR_NSEC3);
}

/* Does the owner hold an NSEC3 of this zone's chain? *others: and other sets, which stand for the name itself (RFC 5155 appendix A has one such). */
static bool is_nsec3_owner(const struct content *c, size_t first, size_t end, bool *others)
{
	const uint8_t *owner = content_at(c, first)->owner;
	uint8_t hash[20];
	bool found = false;

	*others = false;
	for (size_t i = first; i < end; i++) {
		found |= content_at(c, i)->type == RR_NSEC3;
		*others |= !is_denial(content_at(c, i));
	}
	return found && name_labels(owner) == name_labels(content_apex(c)) + 1 && trie_hash_of_owner(owner, hash);
}

static uint16_t flags_of(const struct content *c, size_t first, size_t end, bool apex)
{
	uint16_t flags = apex ? NODE_APEX : 0;

	for (size_t i = first; i < end; i++)
		switch (content_at(c, i)->type) {
		case RR_NS:
			flags |= apex ? 0 : NODE_CUT;
			break;
		case RR_DNAME:
			flags |= NODE_DNAME;
			break;
		case RR_CNAME:
			flags |= NODE_CNAME;
			break;
		default:
			break;
		}
	return flags;
}

static unsigned measure(const uint8_t *name, uint8_t *len)
{
	unsigned labels = 0, at = 0;

	for (; name[at]; labels++)
		at += name[at] + 1U;
	*len = (uint8_t)(at + 1);
	return labels;
}

static int make_lists(struct build *b)
{
	size_t path[NAME_LABELS_MAX + 2] = {0}; /* item of the ancestor with so many labels */
	/* cut: the delegation or DNAME above, which hides what is below it (RFC 2136 7.18, RFC 6672 2.4). */
	const uint8_t *apex = content_apex(b->c), *prev = NULL, *cut = NULL;
	unsigned apex_labels = name_labels(apex), cut_labels = 0;
	size_t n = content_rrset_count(b->c);

	if (n > UINT32_MAX)
		return ERR_LIMIT;
	for (size_t i = 0, end; i < n; i = end) {
		const uint8_t *owner = content_at(b->c, i)->owner;
		struct item *it;
		uint8_t len;
		unsigned labels = measure(owner, &len), from;
		bool others;

		for (end = i + 1; end < n && content_at(b->c, end)->owner == owner; end++)
			;
		if (is_nsec3_owner(b->c, i, end, &others)) {
			it = add_item(&b->hashes);
			if (!it)
				return ERR_NO_MEMORY;
			*it = (struct item){.name = owner, .first = (uint32_t)i, .count = (uint32_t)(end - i), .flags = NODE_NSEC3, .labels = (uint8_t)labels,
			                    .len = len, .shared = others};
			if (!others)
				continue;
		} else {
			others = false;
		}
		/* Owners differ, so those right below the apex have nothing more in common with what came before. */
		from = !prev ? apex_labels : labels == apex_labels + 1 ? labels : name_common_labels(prev, owner) + 1;
		if (cut && (labels <= cut_labels || !name_is_under(owner, cut)))
			cut = NULL;
		for (unsigned l = from; l <= labels; l++) {
			it = add_item(&b->names);
			if (!it)
				return ERR_NO_MEMORY;
			it->name = owner;
			it->labels = (uint8_t)l;
			it->len = len;
			it->flags = NODE_ENT;
			if (l < labels) {
				it->name = name_suffix(owner, l);
				it->len = (uint8_t)name_len(it->name);
			} else {
				it->first = (uint32_t)i;
				it->count = (uint32_t)(end - i);
				it->flags = flags_of(b->c, i, end, labels == apex_labels);
				it->shared = others;
			}
			if (cut) {
				it->flags |= NODE_BELOW_CUT;
				it->flags &= (uint16_t)~(NODE_CUT | NODE_DNAME);
			}
			path[l] = b->names.count - 1;
			if (it->name[0] == 1 && name_is_wildcard(it->name) && l > apex_labels)
				b->names.list[path[l - 1]].flags |= NODE_WILD_CHILD;
		}
		it = &b->names.list[b->names.count - 1];
		if ((it->flags & (NODE_CUT | NODE_DNAME)) && !cut) {
			cut = owner;
			cut_labels = labels;
		}
		prev = owner;
	}
	return 0;
}

/* ---- nodes and sets ---- */

static void *take(struct build *b, size_t bytes, store_ref *ref)
{
	void *p = NULL;

	*ref = b->err ? 0 : b->space->alloc(b->space->ctx, (uint32_t)((bytes + STORE_CELL - 1) / STORE_CELL), &p);
	if (!*ref) {
		if (!b->err)
			b->err = ERR_NO_SPACE;
		return NULL;
	}
	return p;
}

static void note_end(struct store_zone *z, const struct content_rrset *sigs)
{
	struct signatures known = signatures_known(z);
	struct signature_set ends = {.type = sigs->type};
	uint32_t end;

	for (uint32_t i = 0; i < sigs->count; i++)
		signature_set_add(&ends, sigs->records[i].rdata, sigs->records[i].rdlen);
	if (!signature_set_end(&ends, &end))
		return;
	signatures_add(&known, end);
	z->signatures = STORE_SIGNATURES_ANY;
	z->signatures_end = known.end;
}

static store_ref put_set(struct build *b, const struct content_rrset *set, uint32_t ttl, store_ref sigs)
{
	struct store_rrset *s;
	size_t size = 0;
	store_ref ref;
	uint8_t *p;

	if (set->count > UINT16_MAX) {
		b->err = ERR_LIMIT;
		return 0;
	}
	for (uint32_t i = 0; i < set->count; i++)
		size += 2U + set->records[i].rdlen;
	s = take(b, sizeof(*s) + size, &ref);
	if (!s)
		return 0;
	*s = (struct store_rrset){.type = set->type, .covers = set->covers, .count = (uint16_t)set->count, .ttl = ttl,
	                          .size = (uint32_t)size, .sigs = sigs};
	if (signature_set_counts(set->type))
		note_end(b->z, set);
	p = s->data;
	for (uint32_t i = 0; i < set->count; i++) {
		put_u16(p, set->records[i].rdlen);
		memcpy(p + 2, set->records[i].rdata, set->records[i].rdlen);
		p += 2 + set->records[i].rdlen;
	}
	b->z->rrset_count++;
	b->z->record_count += set->count;
	return ref;
}

/* Signatures hang on the set they cover; those that cover nothing here are kept as a set of their own, so that nothing is lost. */
static const struct content_rrset *signatures_of(const struct build *b, const struct item *it, uint16_t type)
{
	for (size_t i = it->first; i < it->first + it->count; i++) {
		const struct content_rrset *set = content_at(b->c, i);

		if (set->type == RR_RRSIG && set->covers == type)
			return set;
	}
	return NULL;
}

static bool covers_something(const struct build *b, const struct item *it, const struct content_rrset *sigs)
{
	for (size_t i = it->first; i < it->first + it->count; i++) {
		const struct content_rrset *set = content_at(b->c, i);

		if (set->type != RR_RRSIG && set->type == sigs->covers)
			return true;
	}
	return false;
}

static int order_set(const void *a, const void *b)
{
	const struct content_rrset *const *x = a, *const *y = b;

	return (*x)->type - (*y)->type;
}

static store_ref put_node(struct build *b, const struct item *it)
{
	const struct content_rrset *few[16], **sets = few;
	size_t n = 0, len = it->len;
	struct store_node *node;
	store_ref ref;

	if (it->count > ARRAY_LEN(few))
		sets = malloc(it->count * sizeof(const struct content_rrset *));
	if (!sets) {
		b->err = ERR_NO_MEMORY;
		return 0;
	}
	for (size_t i = it->first; i < it->first + it->count; i++) {
		const struct content_rrset *set = content_at(b->c, i);

		if (it->shared && is_denial(set) != ((it->flags & NODE_NSEC3) != 0))
			continue;
		if (set->type != RR_RRSIG || !covers_something(b, it, set))
			sets[n++] = set;
	}
	if (n > UINT16_MAX)
		b->err = ERR_LIMIT;
	/* In order already, but for the SOA. */
	for (size_t i = 1; i < n; i++)
		if (order_set(&sets[i - 1], &sets[i]) > 0) {
			qsort(sets, n, sizeof(const struct content_rrset *), order_set);
			break;
		}
	node = take(b, sizeof(*node) + n * sizeof(store_ref) + len, &ref);
	if (node) {
		*node = (struct store_node){.flags = it->flags, .labels = it->labels, .name_len = it->len,
		                            .rrsets = (uint16_t)n};
		memcpy(&node->sets[n], it->name, len);
		b->z->node_count++;
	}
	for (size_t i = 0; node && i < n && !b->err; i++) {
		const struct content_rrset *sigs = sets[i]->type == RR_RRSIG ? NULL : signatures_of(b, it, sets[i]->type);
		store_ref sig_ref = 0;

		if (sigs)
			sig_ref = put_set(b, sigs, sigs->ttl, 0);
		node->sets[i] = put_set(b, sets[i], sets[i]->ttl, sig_ref);
	}
	if (sets != few)
		free(sets);
	return b->err ? 0 : ref;
}

/* ---- tries ---- */

/* Where the key of each item parts from the one before it, and both symbols there: all that the shape of a trie depends on, so that every key is
 * made once. The branch above a range is at the smallest offset in it, its twigs begin wherever that offset is met again. */
struct steps {
	struct {
		uint8_t before, here;
	} *symbols;
	uint16_t *offsets; /* behind them, in the same memory */
};

static void item_key(const struct item *it, enum trie_kind kind, unsigned skip, struct trie_key *k)
{
	uint8_t hash[20] = {0};

	if (kind == TRIE_NAMES) {
		trie_key_name(k, it->name, skip);
		return;
	}
	trie_hash_of_owner(it->name, hash);
	trie_key_hash(k, hash);
}

/* Labels of these octets have one symbol for each. */
static bool is_simple(const uint8_t *label)
{
	bool simple = true;

	for (unsigned i = 1; i <= label[0]; i++)
		simple &= trie_symbols[label[i]] <= UINT8_MAX;
	return simple;
}

/* Of two names right below the apex, where most are: their keys are their first labels. */
static unsigned labels_differ(const uint8_t *a, const uint8_t *b, uint8_t *in_a, uint8_t *in_b)
{
	unsigned n = MIN(a[0], b[0]), i = 0;

	while (i < n && (a[1 + i] == b[1 + i] || trie_symbols[a[1 + i]] == trie_symbols[b[1 + i]]))
		i++;
	if (i == n && a[0] == b[0])
		return UINT16_MAX;
	*in_a = i < a[0] ? (uint8_t)trie_symbols[a[1 + i]] : 0;
	*in_b = i < b[0] ? (uint8_t)trie_symbols[b[1 + i]] : 0;
	return i;
}

static int make_steps(const struct items *items, enum trie_kind kind, unsigned skip, struct steps *out)
{
	struct steps st = {.symbols = malloc(items->count * (sizeof(*st.symbols) + sizeof(*st.offsets)))};
	bool was_simple = false;
	struct trie_key keys[2];
	size_t keyed = 0; /* the item before this one has its key in keys[] */

	if (!st.symbols)
		return ERR_NO_MEMORY;
	st.offsets = (uint16_t *)(void *)(st.symbols + items->count);
	for (size_t i = 0; i < items->count; i++) {
		const struct item *it = &items->list[i];
		struct trie_key *before = &keys[(i + 1) & 1], *here = &keys[i & 1];
		bool simple = kind == TRIE_NAMES && it->labels == skip + 1 && is_simple(it->name);
		unsigned offset = 0;
		uint8_t in_before = 0, in_here = 0;

		if (i && simple && was_simple) {
			offset = labels_differ(it[-1].name, it->name, &in_before, &in_here);
		} else {
			if (i && keyed != i)
				item_key(it - 1, kind, skip, before);
			item_key(it, kind, skip, here);
			keyed = i + 1;
			offset = i ? trie_key_differ(before, here) : 0;
			in_before = i ? (uint8_t)key_symbol(before, offset) : 0;
			in_here = i ? (uint8_t)key_symbol(here, offset) : 0;
		}
		/* The same NSEC3 hash twice, in different case: cannot be after sorting. Nor can what is out of order. */
		if (offset == UINT16_MAX || in_before > in_here) {
			free(st.symbols);
			return ERR_MALFORMED;
		}
		st.offsets[i] = (uint16_t)offset;
		st.symbols[i].before = in_before;
		st.symbols[i].here = in_here;
		was_simple = simple;
	}
	*out = st;
	return 0;
}

/* The smallest of the offsets from..to; each is below TRIE_KEY_MAX. */
static unsigned least_of(const uint16_t *offsets, size_t from, size_t to)
{
	unsigned least = UINT16_MAX;

#ifdef __SSE2__
	if (to - from >= 16) {
		__m128i v = _mm_set1_epi16(INT16_MAX);
		int16_t lanes[8];

		for (; to - from >= 8; from += 8)
			v = _mm_min_epi16(v, _mm_loadu_si128((const __m128i *)(const void *)(offsets + from)));
		_mm_storeu_si128((__m128i *)(void *)lanes, v);
		for (unsigned i = 0; i < 8; i++)
			least = MIN(least, (unsigned)lanes[i]);
	}
#endif
	for (; from < to; from++)
		least = MIN(least, (unsigned)offsets[from]);
	return least;
}

/* The first place from `from` up to `to` that has this offset; to: none. */
static size_t find_offset(const uint16_t *offsets, size_t from, size_t to, unsigned offset)
{
#ifdef __SSE2__
	const __m128i wanted = _mm_set1_epi16((int16_t)offset);

	for (; to - from >= 8; from += 8) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)(offsets + from));
		unsigned map = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi16(v, wanted));

		if (map)
			return from + (unsigned)__builtin_ctz(map) / 2;
	}
#endif
	while (from < to && offsets[from] != offset)
		from++;
	return from;
}

/* Fill *slot with the trie over items lo up to hi. */
static void fill(struct build *b, const struct items *items, const struct steps *st, size_t lo, size_t hi, struct trie_slot *slot)
{
	size_t starts[TRIE_SYMBOLS + 1];
	unsigned offset, twigs = 0;
	struct trie_slot *array;
	uint64_t map = 0;
	store_ref ref;

	if (hi - lo == 1) {
		ref = put_node(b, &items->list[lo]);
		slot_leaf(slot, ref);
		return;
	}
	offset = least_of(st->offsets, lo + 1, hi);
	starts[twigs++] = lo;
	for (size_t i = find_offset(st->offsets, lo + 1, hi, offset); i < hi; i = find_offset(st->offsets, i + 1, hi, offset)) {
		if (!map)
			map = 1ULL << st->symbols[i].before;
		map |= 1ULL << st->symbols[i].here;
		starts[twigs++] = i;
	}
	starts[twigs] = hi;
	array = take(b, twigs * sizeof(*array), &ref);
	if (!array)
		return;
	slot_branch(slot, offset, map, ref);
	for (unsigned i = 0; i < twigs && !b->err; i++)
		fill(b, items, st, starts[i], starts[i + 1], &array[i]);
}

static store_ref build_trie(struct build *b, const struct items *items, enum trie_kind kind, unsigned skip)
{
	struct steps steps = {0};
	struct trie_slot *root;
	store_ref ref;

	if (!items->count)
		return 0;
	b->err = make_steps(items, kind, skip, &steps);
	root = take(b, sizeof(*root), &ref);
	if (root)
		fill(b, items, &steps, 0, items->count, root);
	free(steps.symbols);
	return b->err ? 0 : ref;
}

/* ---- facts about the zone ---- */

static void find_nsec3_params(struct build *b)
{
	const struct content_rrset *set = content_lookup(b->c, content_apex(b->c), RR_NSEC3PARAM);
	const struct content_record *r = NULL;
	struct store_nsec3_params *p;

	if (!b->hashes.count)
		return;
	for (uint32_t i = 0; set && i < set->count && !r; i++)
		if (set->records[i].rdlen >= 5 && !set->records[i].rdata[1])
			r = &set->records[i];
	/* Without a usable NSEC3PARAM the chain itself says how it was made. */
	for (size_t i = b->hashes.list[0].first; !r; i++)
		if (content_at(b->c, i)->type == RR_NSEC3)
			r = &content_at(b->c, i)->records[0];
	if (r->rdlen < 5 || r->rdlen < 5 + r->rdata[4])
		return;
	p = take(b, sizeof(*p), &b->z->nsec3_params);
	if (!p)
		return;
	*p = (struct store_nsec3_params){.in_use = 1, .algorithm = r->rdata[0], .iterations = get_u16(r->rdata + 2), .salt_len = r->rdata[4]};
	memcpy(p->salt, r->rdata + 5, r->rdata[4]);
}

static void find_facts(struct build *b)
{
	const struct content_rrset *soa_set = content_soa(b->c);
	const uint8_t *apex = content_apex(b->c);
	struct trie t = {.base = b->space->base, .root = b->z->names, .kind = TRIE_NAMES, .skip = name_labels(apex)};
	struct trie_key k;
	struct soa soa;

	if (soa_set && soa_parse(soa_set->records[0].rdata, soa_set->records[0].rdlen, &soa) == 0)
		b->z->serial = soa.serial;
	b->z->has_nsec = content_lookup(b->c, apex, RR_NSEC) != NULL;
	b->z->is_signed = content_lookup(b->c, apex, RR_DNSKEY) && content_lookup(b->c, apex, RR_RRSIG);
	trie_key_name(&k, apex, t.skip);
	b->z->apex = trie_get(&t, &k);
	if (!b->z->apex)
		b->err = ERR_MALFORMED;
}

int store_build_zone(const struct content *c, const struct build_space *space, struct store_zone *z)
{
	struct build b = {.c = c, .space = space, .z = z};

	b.err = make_lists(&b);
	if (!b.err)
		z->names = build_trie(&b, &b.names, TRIE_NAMES, name_labels(content_apex(c)));
	if (!b.err)
		z->nsec3 = build_trie(&b, &b.hashes, TRIE_HASHES, 0);
	if (!b.err)
		find_nsec3_params(&b);
	if (!b.err)
		find_facts(&b);
	pages_free(b.names.list, b.names.cap * sizeof(*b.names.list));
	pages_free(b.hashes.list, b.hashes.cap * sizeof(*b.hashes.list));
	return b.err;
}
