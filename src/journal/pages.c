/* SPDX-License-Identifier: BSD-2-Clause */
/* The pages of an LMDB file, judged.
 *
 * LMDB maps its file and follows the numbers in it without a look: one flipped bit in a page number, an offset or a length, or a file cut
 * short by a file system that was repaired, and the process dies of SIGSEGV, SIGBUS or an assertion, each time it starts anew. So before LMDB
 * opens the journal, all its structure is walked here with ordinary reads:
 *
 * - both meta pages, then the newer one as LMDB would choose it;
 * - the free list and the one database (we use no others): every branch and leaf page has its own number, kind, depth and a packed heap of
 *   nodes that neither overlap nor leave the page; keys ascend over the whole tree and lie within what the branches above say;
 * - long values have their run of overflow pages, within the file;
 * - no page is used twice, or used and free at once (a page that is, would be overwritten while in use); the counts in the meta page are right.
 *
 * What rows hold is not judged here: they carry checksums of their own. Damage that comes while the file is open is not seen either; the
 * process may die of it, and finds it at the next start.
 *
 * The format is that of LMDB 0.9 (MDB_DATA_VERSION 1) on a 64-bit machine, in its byte order: a journal does not move between
 * machines of different kind, which LMDB does not allow anyway. All layouts below are written from the format as LMDB's own headers
 * describe it; lmdb.h does not export them. */
#include "journal/pages.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE_HEADER = 16,      /* pgno (8), pad (2), flags (2), lower and upper (2 each) or overflow pages (4) */
	PAGE_BRANCH = 1,
	PAGE_LEAF = 2,
	PAGE_OVERFLOW = 4,
	PAGE_META = 8,
	PAGE_MIN = 512,
	PAGE_MAX = 32768,      /* LMDB takes no larger ones, on any machine */
	NODE_HEADER = 8,       /* low and high of size or child, flags, key length; 2 each */
	NODE_BIG = 1,          /* the data is the number of the first overflow page */
	KEY_MAX = 511,
	DEPTH_MAX = 31,        /* LMDB's cursors have 32 places */
	META_VERSION = 1,
	META_OCTETS = 24 + 2 * 48 + 16,
	TREE_FREE_FLAGS = 0x4008, /* MDB_INTEGERKEY, and of how the file is opened MDB_NOSUBDIR */
	TREES = 2,             /* the free list, the database */
};
#define META_MAGIC 0xBEEFC0DEu
#define PAGE_NONE UINT64_MAX
#define PAGES_MAX ((uint64_t)1 << 28) /* 1 TiB, more than a journal may have; a bit for each fits into memory */

_Static_assert(sizeof(size_t) == 8, "page numbers and counts in the file are of the machine's word size");

struct tree {
	uint32_t pad;
	uint16_t flags, depth;
	uint64_t branches, leaves, overflows, entries, root;
};

struct meta {
	uint32_t page_size;
	struct tree trees[TREES];
	uint64_t last, txn;
};

struct walk {
	const struct pages_source *s;
	struct text *why;
	const struct meta *meta;
	uint8_t *used;         /* a bit a page */
	uint8_t *pages;        /* one buffer a depth */
	uint8_t *marks;        /* one octet for each two of a page */
	bool is_free_list;
	/* counted in the present tree */
	uint64_t branches, leaves, overflows, entries;
	unsigned depth;
	/* the key that all to come are after, or may also equal */
	uint8_t key[KEY_MAX];
	size_t key_len;
	bool has_key, may_equal;
};

/* The machine's byte order, at any address. */
static uint16_t native16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t native32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t native64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static int bad(struct walk *w, uint64_t page, const char *what)
{
	text_fmt(w->why, "page %llu: %s", (unsigned long long)page, what);
	return ERR_MALFORMED;
}

/* ---- meta pages ---- */

static int meta_get(const uint8_t *p, uint64_t page, struct text *why, struct meta *out)
{
	const uint8_t *m = p + PAGE_HEADER;

	if (native64(p) != page || native16(p + 10) != PAGE_META || native32(m) != META_MAGIC || native32(m + 4) != META_VERSION) {
		text_str(why, "no LMDB file of format 1 and this machine's byte order");
		return ERR_UNSUPPORTED;
	}
	for (unsigned i = 0; i < TREES; i++) {
		const uint8_t *t = m + 24 + i * 48;

		out->trees[i] = (struct tree){.pad = native32(t), .flags = native16(t + 4), .depth = native16(t + 6), .branches = native64(t + 8),
		                              .leaves = native64(t + 16), .overflows = native64(t + 24), .entries = native64(t + 32),
		                              .root = native64(t + 40)};
	}
	out->page_size = out->trees[0].pad; /* LMDB keeps it there */
	out->last = native64(m + 24 + TREES * 48);
	out->txn = native64(m + 24 + TREES * 48 + 8);
	if (out->page_size < PAGE_MIN || out->page_size > PAGE_MAX || (out->page_size & (out->page_size - 1))) {
		text_fmt(why, "page size %u", out->page_size);
		return ERR_MALFORMED;
	}
	return 0;
}

static int metas_get(const struct pages_source *s, struct text *why, struct meta *out)
{
	uint8_t page[PAGE_HEADER + META_OCTETS];
	struct meta metas[2] = {0};
	uint64_t at = 0;
	unsigned newer;

	for (unsigned i = 0; i < 2; i++) {
		int err;

		if (s->octets < at + PAGE_MIN) {
			text_str(why, "the file is cut short: no room for two meta pages");
			return ERR_MALFORMED;
		}
		err = s->read(s->ctx, at, page, sizeof(page));
		if (!err)
			err = meta_get(page, i, why, &metas[i]);
		if (err)
			return err;
		at = metas[0].page_size;
	}
	newer = metas[0].txn < metas[1].txn;
	if (metas[0].page_size != metas[1].page_size || (metas[newer].txn & 1) != newer) {
		text_str(why, "meta pages that do not belong together");
		return ERR_MALFORMED;
	}
	*out = metas[newer];
	if (out->last < 1 || out->last >= PAGES_MAX) {
		text_fmt(why, "%llu pages", (unsigned long long)out->last);
		return ERR_MALFORMED;
	}
	if (out->trees[0].flags != TREE_FREE_FLAGS || out->trees[1].flags != 0 || out->trees[1].pad != 0) {
		text_str(why, "databases of another kind than the journal's");
		return ERR_MALFORMED;
	}
	return 0;
}

/* ---- trees ---- */

/* Free pages at the end need not be in the file: what a transaction took and gave back is never written. */
static int take(struct walk *w, uint64_t first, uint64_t count, bool is_free)
{
	if (first < 2 || first > w->meta->last || count > w->meta->last - first + 1)
		return bad(w, first, "out of the file");
	if (!is_free && (first + count) * w->meta->page_size > w->s->octets)
		return bad(w, first, "beyond the end of the file, which is cut short");
	for (uint64_t n = first; n < first + count; n++) {
		if (w->used[n / 8] & 1U << n % 8)
			return bad(w, n, "used twice");
		w->used[n / 8] = (uint8_t)(w->used[n / 8] | 1U << n % 8);
	}
	return 0;
}

static int compare(const struct walk *w, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	int d;

	if (w->is_free_list)
		return native64(a) < native64(b) ? -1 : native64(a) > native64(b);
	d = memcmp(a, b, MIN(a_len, b_len));
	return d ? d : a_len < b_len ? -1 : a_len > b_len;
}

/* The next key in order; equal: one that comes after may be it again (it was a branch's). */
static int key_next(struct walk *w, uint64_t page, const uint8_t *key, size_t len, bool equal)
{
	if (!len || len > KEY_MAX || (w->is_free_list && len != 8))
		return bad(w, page, "key of a length that cannot be");
	if (w->has_key) {
		int d = compare(w, w->key, w->key_len, key, len);

		if (d > 0 || (d == 0 && !w->may_equal))
			return bad(w, page, "keys out of order");
	}
	memcpy(w->key, key, len);
	w->key_len = len;
	w->has_key = true;
	w->may_equal = equal;
	return 0;
}

static int free_pages(struct walk *w, uint64_t page, const uint8_t *value, size_t len)
{
	uint64_t count, before = PAGE_NONE;

	if (len < 8 || (count = native64(value)) > (len - 8) / 8)
		return bad(w, page, "free list of a length that cannot be");
	for (uint64_t i = 1; i <= count; i++) {
		uint64_t n = native64(value + 8 * i);
		int err = n < before ? take(w, n, 1, true) : bad(w, page, "free list out of order");

		if (err)
			return err;
		before = n;
	}
	return 0;
}

static int long_value(struct walk *w, uint64_t page, uint64_t first, size_t len)
{
	uint64_t count = (PAGE_HEADER - 1 + (uint64_t)len) / w->meta->page_size + 1;
	uint8_t header[PAGE_HEADER], *value;
	int err = take(w, first, count, false);

	if (!err)
		err = w->s->read(w->s->ctx, first * w->meta->page_size, header, sizeof(header));
	if (err)
		return err;
	if (native64(header) != first || native16(header + 10) != PAGE_OVERFLOW || native32(header + 12) != count)
		return bad(w, first, "not the long value that it should be");
	w->overflows += count;
	if (!w->is_free_list)
		return 0;
	value = malloc(len ? len : 1);
	if (!value)
		return ERR_NO_MEMORY;
	err = w->s->read(w->s->ctx, first * w->meta->page_size + PAGE_HEADER, value, len);
	if (!err)
		err = free_pages(w, page, value, len);
	free(value);
	return err;
}

/* Octets that the node at offset at takes on the page, 0 if it does not fit there. */
static size_t node_octets(const uint8_t *p, size_t page_size, size_t at, bool leaf)
{
	size_t data = native16(p + at) | (size_t)native16(p + at + 2) << 16, size = NODE_HEADER + native16(p + at + 6);

	if (leaf)
		size += native16(p + at + 4) & NODE_BIG ? 8 : data;
	size += size & 1;
	return size <= page_size - at ? size : 0;
}

/* Header and heap of a page: every node inside, none upon another, no gaps. */
static int page_shape(struct walk *w, uint64_t n, const uint8_t *p, bool *leaf, unsigned *nodes)
{
	size_t size = w->meta->page_size, lower = native16(p + 12), upper = native16(p + 14), sum = 0;

	if (native64(p) != n || (native16(p + 10) != PAGE_BRANCH && native16(p + 10) != PAGE_LEAF))
		return bad(w, n, "not the page that it should be");
	*leaf = native16(p + 10) == PAGE_LEAF;
	if (lower < PAGE_HEADER || lower > upper || upper > size || (lower & 1) || (upper & 1))
		return bad(w, n, "bounds that cannot be");
	*nodes = (unsigned)(lower - PAGE_HEADER) / 2;
	if (*nodes < (*leaf ? 1U : 2U))
		return bad(w, n, "too few nodes");
	memset(w->marks, 0, size / 2);
	for (unsigned i = 0; i < *nodes; i++) {
		size_t at = native16(p + PAGE_HEADER + 2 * i), len;

		if (at < upper || at > size - NODE_HEADER || (at & 1) || !(len = node_octets(p, size, at, *leaf)))
			return bad(w, n, "node out of the page");
		if (memchr(w->marks + at / 2, 1, len / 2))
			return bad(w, n, "nodes upon each other");
		memset(w->marks + at / 2, 1, len / 2);
		sum += len;
	}
	return sum == size - upper ? 0 : bad(w, n, "gaps between nodes");
}

static int leaf_node(struct walk *w, uint64_t n, const uint8_t *node)
{
	size_t len = native16(node) | (size_t)native16(node + 2) << 16, key_len = native16(node + 6);
	unsigned flags = native16(node + 4);
	int err = flags & ~(unsigned)NODE_BIG ? bad(w, n, "node of a kind that the journal has not") : key_next(w, n, node + NODE_HEADER, key_len, false);

	if (err)
		return err;
	w->entries++;
	if (flags & NODE_BIG)
		return long_value(w, n, native64(node + NODE_HEADER + key_len), len);
	return w->is_free_list ? free_pages(w, n, node + NODE_HEADER + key_len, len) : 0;
}

static int tree_page(struct walk *w, uint64_t n, unsigned depth)
{
	uint8_t *p = w->pages + (size_t)depth * w->meta->page_size;
	bool leaf = false;
	unsigned nodes = 0;
	int err = take(w, n, 1, false);

	if (!err)
		err = w->s->read(w->s->ctx, n * w->meta->page_size, p, w->meta->page_size);
	if (!err)
		err = page_shape(w, n, p, &leaf, &nodes);
	if (!err && leaf != (depth + 1 == w->depth))
		err = bad(w, n, "at another depth than it should be");
	if (err)
		return err;
	*(leaf ? &w->leaves : &w->branches) += 1;
	for (unsigned i = 0; i < nodes; i++) {
		const uint8_t *node = p + native16(p + PAGE_HEADER + 2 * i);

		if (leaf) {
			err = leaf_node(w, n, node);
		} else {
			uint64_t child = native16(node) | (uint64_t)native16(node + 2) << 16 | (uint64_t)native16(node + 4) << 32;

			/* The first key of a branch is not looked at: it stands for all that is before the second. */
			if (i)
				err = key_next(w, n, node + NODE_HEADER, native16(node + 6), true);
			if (!err)
				err = tree_page(w, child, depth + 1);
		}
		if (err)
			return err;
	}
	return 0;
}

static int tree_check(struct walk *w, const struct tree *t)
{
	int err = 0;

	w->branches = w->leaves = w->overflows = w->entries = 0;
	w->has_key = false;
	w->depth = t->depth;
	if ((t->root == PAGE_NONE) != (t->depth == 0) || t->depth > DEPTH_MAX) {
		text_str(w->why, "a tree of impossible depth");
		return ERR_MALFORMED;
	}
	if (t->depth)
		err = tree_page(w, t->root, 0);
	if (!err && (w->branches != t->branches || w->leaves != t->leaves || w->overflows != t->overflows || w->entries != t->entries)) {
		text_str(w->why, "the counts of the meta page are not those of its trees");
		err = ERR_MALFORMED;
	}
	return err;
}

int pages_check(const struct pages_source *s, struct text *why)
{
	struct meta meta;
	struct walk w = {.s = s, .why = why, .meta = &meta};
	int err = metas_get(s, why, &meta);

	if (err)
		return err;
	w.used = calloc(1, (size_t)(meta.last / 8 + 1));
	w.pages = malloc((size_t)(DEPTH_MAX + 1) * meta.page_size);
	w.marks = malloc(meta.page_size / 2);
	err = w.used && w.pages && w.marks ? 0 : ERR_NO_MEMORY;
	for (unsigned i = 0; !err && i < TREES; i++) {
		w.is_free_list = i == 0;
		err = tree_check(&w, &meta.trees[i]);
	}
	free(w.used);
	free(w.pages);
	free(w.marks);
	return err;
}
