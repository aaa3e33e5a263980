/* SPDX-License-Identifier: BSD-2-Clause */
/* What nodes say to each other. A node's state is the TXT record of class CH under NODE.status.zonecast., so that dig shows it, any node can
 * ask any other, and there is no protocol of our own (question and answer as messages: message.c; who asks and who answers: watch/peers.c, watch/tell.c).
 *
 * The record is a row of character-strings. The first is about the node, each further one about one of its networks:
 *
 *	"zonecast-status=1 node=fra version=0.1.0 up=86400 config=9f2b00c1a4d5e6f7 generation=12 zones=10 serving=10 networks=2"
 *	"network=global v4=yes,pass,0,0,1 v6=depref,soft,1,1,1 age=312000 load=125 qps=2100 room=14000"
 *	"sees=eu v4=good,ams,86400 v6=silent,ams,12"
 *
 * Behind them, as far as there is room, one about the zones of each network (fleet/tree.c):
 *
 *	"tree=global root=9f2b00c1a4d5e6f7"
 *
 * A string is key=value items with one blank between them. Of a family: what is announced (no, yes, gshut, depref), the verdict (unknown, pass, soft, hard), the causes of
 * the verdict and those for which it means to leave (hexadecimal, enum board_cause), and whether it answers anything. age is that of the data in
 * ms, load is in permille, qps and room in queries per second; without room it is not known what could come on top.
 *
 * A string that begins with "sees" is about a network that the node does not hold, and so can ask as clients do: of each family good or silent, the node that
 * answers there or did last (by NSID), and for how many seconds that has been so. Of these as many are told as there is room for.
 *
 * A string that begins with "pools" is about pools of endpoints that names are steered to, as the node's own checks find them (watch/endpoints_share.c): how many it checks, then of each a key and two
 * words in hexadecimal, the endpoints of which it knows something and those of them that are up. There may be several such strings, and all that there are may be more than fit:
 *
 *	"pools=2 9f2b00c1a4d5e6f7=7,5 00c1a4d5e6f79f2b=3,3"
 *
 * Growth: unknown keys, further values behind the five of a family, and strings that begin with an unknown key are passed over; an unknown word counts as the
 * least (no, unknown). So a node can say more to newer ones without a new number. The number changes only when old nodes must not believe what they read.
 *
 * Bounds: names are letters, digits, - _ . and a string holds them with all numbers at their longest (a test builds that one). What comes from outside is
 * read into a struct of fixed size; a network that stands there twice, or a number that does not fit, makes all of it malformed. */
#include "fleet/report.h"

#include "base/err.h"

#include <stdio.h>
#include <string.h>

static const char *const announces[] = {
	[ANNOUNCE_NONE] = "no", [ANNOUNCE_YES] = "yes", [ANNOUNCE_GSHUT] = "gshut", [ANNOUNCE_DEPREF] = "depref"};
static const char *const verdicts[] = {
	[VERDICT_UNKNOWN] = "unknown", [VERDICT_PASS] = "pass", [VERDICT_SOFT] = "soft", [VERDICT_HARD] = "hard"};

bool fleet_name_ok(const uint8_t *name, size_t len)
{
	if (!len || len >= BOARD_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = name[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '-' &&
		    c != '_' && c != '.')
			return false;
	}
	return true;
}

/* ---- writing ---- */

static void write_string(struct writer *w, const char *text, int len)
{
	if (len < 0 || len > FLEET_NODE_TEXT_MAX) {
		w->failed = true;
		return;
	}
	writer_u8(w, (uint8_t)len);
	writer_bytes(w, (const uint8_t *)text, (size_t)len);
}

static const char *family_text(const struct board_peer_family *f, char buf[40])
{
	snprintf(buf, 40, "%s,%s,%x,%x,%d", announces[f->announce < ARRAY_LEN(announces) ? f->announce : ANNOUNCE_NONE],
	         verdicts[f->verdict < ARRAY_LEN(verdicts) ? f->verdict : VERDICT_UNKNOWN], f->causes, f->intent,
	         f->answers);
	return buf;
}

static void write_network(const struct fleet_network *n, struct writer *w)
{
	char text[512], v4[40], v6[40], room[20] = "";

	if (n->headroom != UINT32_MAX)
		snprintf(room, sizeof(room), " room=%u", n->headroom);
	write_string(w, text,
	             snprintf(text, sizeof(text), "network=%s v4=%s v6=%s age=%llu load=%u qps=%u%s", n->name,
	                      family_text(&n->family[0], v4), family_text(&n->family[1], v6),
	                      (unsigned long long)n->data_age_ms, n->load, n->qps, room));
}

/* These may be left out: the next answer begins with others. */
static void write_trees(const struct fleet_report *r, struct writer *w)
{
	for (uint32_t i = 0; i < r->trees && i < FLEET_NETWORKS_MAX; i++) {
		char text[FLEET_NODE_TEXT_MAX + 1];
		int len = snprintf(text, sizeof(text), "tree=%s root=%016llx", r->tree[i].network, (unsigned long long)r->tree[i].root);

		if (!writer_ok(w) || w->cap - w->pos < (size_t)len + 1 + FLEET_AFTER_MAX)
			return;
		write_string(w, text, len);
	}
}

/* These as well. The string that is begun stays within what one may have; false: there is no room for another one. */
static bool write_some_pools(const struct fleet_report *r, uint32_t *at, struct writer *w)
{
	char text[FLEET_NODE_TEXT_MAX + 1], item[64];
	size_t len = (size_t)snprintf(text, sizeof(text), "pools=%u", r->pools_total), begin = len;

	while (*at < r->pools && *at < FLEET_POOLS_MAX) {
		const struct fleet_pool *p = &r->pool[*at];
		size_t more = (size_t)snprintf(item, sizeof(item), " %016llx=%llx,%llx", (unsigned long long)p->key, (unsigned long long)p->known,
		                               (unsigned long long)p->up);

		if (len + more > FLEET_NODE_TEXT_MAX || w->pos + 1 + len + more + FLEET_AFTER_MAX > w->cap)
			break;
		memcpy(text + len, item, more);
		len += more;
		++*at;
	}
	if (len == begin)
		return false;
	write_string(w, text, (int)len);
	return true;
}

static void write_pools(const struct fleet_report *r, struct writer *w)
{
	uint32_t at = 0;

	while (at < r->pools && writer_ok(w) && write_some_pools(r, &at, w))
		;
}

static int sees_text(const struct fleet_sees *s, char text[512])
{
	int len = snprintf(text, 512, "sees=%s", s->network);

	for (int f = 0; f < BOARD_FAMILIES; f++) {
		const struct fleet_sees_family *v = &s->family[f];

		if (v->state == OUTSIDE_GOOD || v->state == OUTSIDE_SILENT)
			len += snprintf(text + len, 512 - (size_t)len, " v%d=%s,%s,%u", f ? 6 : 4, board_outside_text(v->state),
			                v->node, v->since_s);
	}
	return len;
}

void fleet_report_write(const struct fleet_report *r, struct writer *rdata)
{
	char text[512], hash[2 * FLEET_HASH_LEN + 1];

	for (size_t i = 0; i < FLEET_HASH_LEN; i++)
		snprintf(hash + 2 * i, 3, "%02x", r->config[i]);
	write_string(rdata, text,
	             snprintf(text, sizeof(text),
	                      FLEET_FORM_KEY
	                      "=%d node=%s%s%s up=%u config=%s generation=%u zones=%u serving=%u networks=%u%s",
	                      FLEET_FORM, r->node, *r->version ? " version=" : "", r->version, r->uptime_s, hash,
	                      r->generation, r->zones, r->serving, r->networks, r->stopping ? " stopping=1" : ""));
	for (uint32_t i = 0; i < r->count && i < FLEET_NETWORKS_MAX; i++)
		write_network(&r->network[i], rdata);
	write_trees(r, rdata);
	for (uint32_t i = 0; i < r->sees_count && i < FLEET_NETWORKS_MAX && writer_ok(rdata); i++) {
		int len = sees_text(&r->sees[i], text);

		if (rdata->cap - rdata->pos >= (size_t)len + 1 + FLEET_AFTER_MAX)
			write_string(rdata, text, len);
	}
	write_pools(r, rdata);
}

/* ---- reading ---- */

struct span {
	const char *at;
	size_t len;
};

static bool span_is(struct span s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.at, word, s.len) == 0;
}

/* Up to the next `end`, which is stepped over; all of it where there is none. */
static struct span cut(struct span *rest, char end)
{
	const char *to = memchr(rest->at, end, rest->len);
	struct span first = {rest->at, to ? (size_t)(to - rest->at) : rest->len};
	size_t used = first.len + (to != NULL);

	rest->at += used;
	rest->len -= used;
	return first;
}

static bool read_number(struct span s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!s.len)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned digit = (unsigned char)s.at[i] - '0';

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

static bool read_u32(struct span s, uint32_t *out)
{
	uint64_t v;

	if (!read_number(s, UINT32_MAX, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bits of enum board_cause. Those beyond what we know still say that there is one. */
static bool read_causes(struct span s, uint8_t *out)
{
	uint64_t v = 0;

	if (!s.len || s.len > 8)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		int digit = hex_digit(s.at[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	*out = v > UINT8_MAX ? (uint8_t)(v | 0x80) : (uint8_t)v;
	return true;
}

static bool read_hash(struct span s, uint8_t out[FLEET_HASH_LEN])
{
	uint8_t hash[FLEET_HASH_LEN];

	if (s.len != (size_t)2 * FLEET_HASH_LEN)
		return false;
	for (size_t i = 0; i < FLEET_HASH_LEN; i++) {
		int high = hex_digit(s.at[2 * i]), low = hex_digit(s.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		hash[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(out, hash, sizeof(hash));
	return true;
}

static bool read_name(struct span s, char out[BOARD_NAME_MAX])
{
	if (!fleet_name_ok((const uint8_t *)s.at, s.len))
		return false;
	memcpy(out, s.at, s.len);
	out[s.len] = '\0';
	return true;
}

static uint8_t word_of(struct span s, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (span_is(s, words[i]))
			return (uint8_t)i;
	return 0;
}

static bool read_family(struct span s, struct board_peer_family *out)
{
	struct board_peer_family f = {0};
	struct span answers;

	f.announce = word_of(cut(&s, ','), announces, ARRAY_LEN(announces));
	f.verdict = word_of(cut(&s, ','), verdicts, ARRAY_LEN(verdicts));
	if (!read_causes(cut(&s, ','), &f.causes) || !read_causes(cut(&s, ','), &f.intent))
		return false;
	answers = cut(&s, ',');
	if (!span_is(answers, "0") && !span_is(answers, "1"))
		return false;
	f.answers = answers.at[0] == '1';
	*out = f;
	return true;
}

static bool read_node_item(struct span key, struct span value, struct fleet_report *r)
{
	uint64_t flag = 0;

	if (span_is(key, "node"))
		return read_name(value, r->node);
	if (span_is(key, "version")) {
		char version[BOARD_NAME_MAX];

		if (value.len >= FLEET_VERSION_MAX || !read_name(value, version))
			return false;
		memcpy(r->version, version, value.len + 1);
		return true;
	}
	if (span_is(key, "up"))
		return read_u32(value, &r->uptime_s);
	if (span_is(key, "config"))
		return read_hash(value, r->config);
	if (span_is(key, "generation"))
		return read_u32(value, &r->generation);
	if (span_is(key, "zones"))
		return read_u32(value, &r->zones);
	if (span_is(key, "serving"))
		return read_u32(value, &r->serving);
	if (span_is(key, "networks"))
		return read_u32(value, &r->networks);
	if (!span_is(key, "stopping"))
		return true;
	if (!read_number(value, 1, &flag))
		return false;
	r->stopping = flag;
	return true;
}

static bool read_network_item(struct span key, struct span value, struct fleet_network *n)
{
	if (span_is(key, "v4"))
		return read_family(value, &n->family[0]);
	if (span_is(key, "v6"))
		return read_family(value, &n->family[1]);
	if (span_is(key, "age"))
		return read_number(value, UINT64_MAX, &n->data_age_ms);
	if (span_is(key, "load"))
		return read_u32(value, &n->load);
	if (span_is(key, "qps"))
		return read_u32(value, &n->qps);
	if (span_is(key, "room"))
		return read_u32(value, &n->headroom);
	return true;
}

/* An unknown word says nothing; more values than three are passed over. */
static bool read_sees_item(struct span key, struct span value, struct fleet_sees *s)
{
	struct fleet_sees_family v = {.state = OUTSIDE_UNKNOWN};
	struct span state, node;
	int f = span_is(key, "v6");

	if (!f && !span_is(key, "v4"))
		return true;
	state = cut(&value, ',');
	node = cut(&value, ',');
	if ((node.len && !read_name(node, v.node)) || !read_u32(cut(&value, ','), &v.since_s))
		return false;
	v.state = span_is(state, "good") ? OUTSIDE_GOOD : span_is(state, "silent") ? OUTSIDE_SILENT : OUTSIDE_UNKNOWN;
	if (v.state == OUTSIDE_GOOD && !*v.node)
		return false;
	s->family[f] = v;
	return true;
}

/* Behind its first item. */
static int read_sees(struct span s, struct span name, struct fleet_report *r)
{
	struct fleet_sees *to = &r->sees[r->sees_count];

	if (r->sees_count == FLEET_NETWORKS_MAX)
		return ERR_LIMIT;
	*to = (struct fleet_sees){.network = ""};
	if (!read_name(name, to->network))
		return ERR_MALFORMED;
	for (uint32_t i = 0; i < r->sees_count; i++)
		if (strcmp(r->sees[i].network, to->network) == 0)
			return ERR_MALFORMED;
	for (unsigned count = 0; s.len; count++) {
		struct span value = cut(&s, ' '), key = cut(&value, '=');

		if (!key.len || count == FLEET_ITEMS_MAX || !read_sees_item(key, value, to))
			return ERR_MALFORMED;
	}
	r->sees_count++;
	return 0;
}

/* The items of one string behind its first; n: of a network, NULL: of the node. */
static int read_items(struct span s, struct fleet_report *r, struct fleet_network *n)
{
	for (unsigned count = 0; s.len; count++) {
		struct span value = cut(&s, ' '), key = cut(&value, '=');

		if (!key.len || count == FLEET_ITEMS_MAX)
			return ERR_MALFORMED;
		if (n ? !read_network_item(key, value, n) : !read_node_item(key, value, r))
			return ERR_MALFORMED;
	}
	return 0;
}

static bool read_hex(struct span s, uint64_t *out)
{
	uint64_t v = 0;

	if (!s.len || s.len > 16)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		int digit = hex_digit(s.at[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	*out = v;
	return true;
}

/* "tree=NETWORK root=..."; without a root it says nothing. */
static int read_tree(struct span name, struct span s, struct fleet_report *r)
{
	struct fleet_tree *t = &r->tree[r->trees];

	if (r->trees == FLEET_NETWORKS_MAX)
		return 0;
	if (!read_name(name, t->network))
		return ERR_MALFORMED;
	while (s.len) {
		struct span value = cut(&s, ' '), key = cut(&value, '=');

		if (!span_is(key, "root"))
			continue;
		if (value.len != 16 || !read_hex(value, &t->root))
			return ERR_MALFORMED;
		r->trees++;
		return 0;
	}
	return 0;
}

/* Behind "pools=2". What there is no room for is passed over. */
static int read_pools(struct span total, struct span s, struct fleet_report *r)
{
	if (!read_u32(total, &r->pools_total))
		return ERR_MALFORMED;
	for (unsigned count = 0; s.len; count++) {
		struct span value = cut(&s, ' '), key = cut(&value, '=');
		struct fleet_pool p;

		if (count == FLEET_ITEMS_MAX || key.len != 16 || !read_hex(key, &p.key) || !read_hex(cut(&value, ','), &p.known) ||
		    !read_hex(cut(&value, ','), &p.up))
			return ERR_MALFORMED;
		if (r->pools < FLEET_POOLS_MAX)
			r->pool[r->pools++] = p;
	}
	return 0;
}

static int read_string(struct span s, bool first, struct fleet_report *r)
{
	struct span value = cut(&s, ' '), key = cut(&value, '=');
	struct fleet_network *n = &r->network[r->count];
	uint64_t form;
	int err;

	if (first) {
		if (!span_is(key, FLEET_FORM_KEY) || !read_number(value, UINT64_MAX, &form))
			return ERR_MALFORMED;
		return form == FLEET_FORM ? read_items(s, r, NULL) : ERR_UNSUPPORTED;
	}
	if (span_is(key, "tree"))
		return read_tree(value, s, r);
	if (span_is(key, "pools"))
		return read_pools(value, s, r);
	if (span_is(key, "sees"))
		return read_sees(s, value, r);
	if (!span_is(key, "network"))
		return 0;
	if (r->count == FLEET_NETWORKS_MAX)
		return ERR_LIMIT;
	*n = (struct fleet_network){.headroom = UINT32_MAX};
	if (!read_name(value, n->name) || fleet_report_network(r, n->name))
		return ERR_MALFORMED;
	err = read_items(s, r, n);
	r->count += !err;
	return err;
}

int fleet_report_read(const uint8_t *rdata, size_t len, struct fleet_report *out)
{
	struct reader r = reader_of(rdata, len);
	bool first = true;

	*out = (struct fleet_report){0};
	while (reader_left(&r)) {
		uint8_t n = reader_u8(&r);
		const uint8_t *chars = reader_bytes(&r, n);
		int err = chars ? read_string((struct span){(const char *)chars, n}, first, out) : ERR_MALFORMED;

		if (err < 0)
			return err;
		first = false;
	}
	return first || !*out->node ? ERR_MALFORMED : 0;
}

const struct fleet_network *fleet_report_network(const struct fleet_report *r, const char *name)
{
	for (uint32_t i = 0; i < r->count; i++)
		if (strcmp(r->network[i].name, name) == 0)
			return &r->network[i];
	return NULL;
}
