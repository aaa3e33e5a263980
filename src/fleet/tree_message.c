/* SPDX-License-Identifier: BSD-2-Clause */
/* What is at a place of the tree of zones (tree.c), for people as well: dig shows it. The question's name begins with the label tree, for all zones of the network, or tree-31c, for those whose hashes
 * begin with 31c. The answer is a row of character-strings; the first is about the place, the others about its children, or, where there are few zones, about each of them:
 *
 *	"zonecast-tree=1 zones=100000 unknown=0 serials=9f2b00c1a4d5e6f7 contents=0123456789abcdef"
 *	"3=9f2b00c1a4d5e6f7,0123456789abcdef,6250,0"
 *	"zone=31c0aabbccddeeff,2026112101,fedcba9876543210,example.com."
 *
 * A child is its digit, sums of serials and contents, zones and those of unknown content; one without zones is left out. A zone is the hash of its name, its serial, the low
 * octets of its digest or - where that is not known yet, and its name, cut off where it is very long. Sixteen children are 750 octets at most, so they always fit into a datagram; zones that do
 * not fit are told as children. Unknown keys, and further values behind those of a child, are passed over. */
#include "fleet/tree_message.h"

#include "base/err.h"
#include "dns/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { STRING_MAX = 255, DIGITS = 16 };

/* ---- writing ---- */

static void write_string(struct writer *w, const char *text, int len)
{
	if (len < 0 || len > STRING_MAX) {
		w->failed = true;
		return;
	}
	writer_u8(w, (uint8_t)len);
	writer_bytes(w, (const uint8_t *)text, (size_t)len);
}

static void write_zone(const struct tree_zone *z, struct writer *w)
{
	char text[STRING_MAX + 1], name[NAME_TEXT_MAX], content[DIGITS + 1] = "-";

	name_to_text(z->name, name);
	if (z->known)
		snprintf(content, sizeof(content), "%016" PRIx64, z->content);
	write_string(w, text,
	             snprintf(text, sizeof(text), "zone=%016" PRIx64 ",%u,%s,%.*s", z->hash, z->serial, content,
	                      BOARD_ZONE_MAX - 1, name));
}

static void write_child(unsigned digit, const struct tree_sum *s, struct writer *w)
{
	char text[STRING_MAX + 1];

	if (s->zones)
		write_string(w, text,
		             snprintf(text, sizeof(text), "%x=%016" PRIx64 ",%016" PRIx64 ",%u,%u", digit, s->serials,
		                      s->contents, s->zones, s->unknown));
}

static bool write_list(const struct zone_tree *t, struct tree_place p, size_t spare, struct writer *w)
{
	const struct tree_zone *zones[TREE_LIST_MAX];
	size_t count = tree_list(t, p, zones, TREE_LIST_MAX), begin = w->pos;

	for (size_t i = 0; i < count && count <= TREE_LIST_MAX; i++)
		write_zone(zones[i], w);
	if (count <= TREE_LIST_MAX && writer_ok(w) && w->cap - w->pos >= spare)
		return true;
	if (p.depth < TREE_DEPTH_MAX) {
		w->pos = begin;
		w->failed = false;
	}
	return false;
}

void tree_answer_write(const struct zone_tree *t, struct tree_place p, size_t spare, struct writer *w)
{
	char text[STRING_MAX + 1];
	struct tree_sum s;

	tree_sum_of(t, p, &s);
	write_string(w, text,
	             snprintf(text, sizeof(text),
	                      TREE_FORM_KEY "=%d zones=%u unknown=%u serials=%016" PRIx64 " contents=%016" PRIx64,
	                      TREE_FORM, s.zones, s.unknown, s.serials, s.contents));
	if (!writer_ok(w) || write_list(t, p, spare, w) || p.depth >= TREE_DEPTH_MAX)
		return;
	for (unsigned i = 0; i < TREE_FAN; i++) {
		tree_sum_of(t, tree_child(p, i), &s);
		write_child(i, &s, w);
	}
}

/* ---- reading ---- */

struct span {
	const char *at;
	size_t len;
};

static struct span cut(struct span *rest, char end)
{
	const char *to = rest->len ? memchr(rest->at, end, rest->len) : NULL;
	struct span first = {rest->at, to ? (size_t)(to - rest->at) : rest->len};
	size_t used = first.len + (to != NULL);

	rest->at += used;
	rest->len -= used;
	return first;
}

static bool is(struct span s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.at, word, s.len) == 0;
}

static int digit_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct span s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len != DIGITS)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		int digit = digit_of(s.at[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	*out = v;
	return true;
}

static bool read_number(struct span s, uint32_t *out)
{
	uint64_t v = 0;

	if (!s.len || s.len > 10)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s.at[i] - '0');
	}
	if (v > UINT32_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

static int read_first(struct span s, struct tree_answer *a)
{
	struct span value = cut(&s, ' '), key = cut(&value, '=');
	uint32_t form;

	if (!is(key, TREE_FORM_KEY) || !read_number(value, &form))
		return ERR_MALFORMED;
	if (form != TREE_FORM)
		return ERR_UNSUPPORTED;
	while (s.len) {
		value = cut(&s, ' ');
		key = cut(&value, '=');
		if ((is(key, "zones") && !read_number(value, &a->sum.zones)) ||
		    (is(key, "unknown") && !read_number(value, &a->sum.unknown)) ||
		    (is(key, "serials") && !read_hex(value, &a->sum.serials)) ||
		    (is(key, "contents") && !read_hex(value, &a->sum.contents)))
			return ERR_MALFORMED;
	}
	return 0;
}

static bool read_child(struct span value, struct tree_sum *out)
{
	return !out->zones && read_hex(cut(&value, ','), &out->serials) && read_hex(cut(&value, ','), &out->contents) &&
	       read_number(cut(&value, ','), &out->zones) && read_number(cut(&value, ','), &out->unknown) && out->zones;
}

static bool read_zone(struct span value, struct tree_place p, struct tree_answer *a)
{
	struct tree_listed *z = &a->zone[a->count];
	struct span content;

	if (a->count == TREE_LIST_MAX || !read_hex(cut(&value, ','), &z->hash) ||
	    !read_number(cut(&value, ','), &z->serial))
		return false;
	content = cut(&value, ',');
	z->known = !is(content, "-");
	if (z->known && !read_hex(content, &z->content))
		return false;
	if (!tree_has(p, z->hash) || value.len >= sizeof(z->name))
		return false;
	/* Names are shown to people: nothing but what our own text form has. */
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] <= ' ' || value.at[i] > '~')
			return false;
		z->name[i] = value.at[i];
	}
	z->name[value.len] = '\0';
	a->count++;
	return true;
}

static bool read_string(struct span s, struct tree_place p, struct tree_answer *a)
{
	struct span key = cut(&s, '=');

	if (is(key, "zone"))
		return read_zone(s, p, a);
	if (key.len == 1 && digit_of(key.at[0]) >= 0)
		return read_child(s, &a->child[digit_of(key.at[0])]);
	return true;
}

int tree_answer_read(const uint8_t *rdata, size_t len, struct tree_place p, struct tree_answer *out)
{
	struct reader r = reader_of(rdata, len);
	uint64_t told = 0;
	bool first = true;

	memset(out, 0, sizeof(*out));
	while (reader_left(&r)) {
		uint8_t n = reader_u8(&r);
		const uint8_t *chars = reader_bytes(&r, n);
		struct span s = {(const char *)chars, n};
		int err = !chars                   ? ERR_MALFORMED
		          : first                  ? read_first(s, out)
		          : read_string(s, p, out) ? 0
		                                   : ERR_MALFORMED;

		if (err < 0)
			return err;
		first = false;
	}
	for (unsigned i = 0; i < TREE_FAN; i++)
		told += out->child[i].zones;
	out->listed = !told;
	if (first || (told && (out->count || told != out->sum.zones)) || (out->listed && out->count != out->sum.zones))
		return ERR_MALFORMED;
	return 0;
}
