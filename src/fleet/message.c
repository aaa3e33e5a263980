/* SPDX-License-Identifier: BSD-2-Clause */
#include "fleet/message.h"

#include "base/err.h"
#include "base/hash.h"

#include <stdio.h>
#include <string.h>

const uint8_t fleet_status_zone[] = "\x06status\x08zonecast";

enum { STATUS_LABELS = 2, OPT_LEN = 11, OPTION_HEAD = 4, RECORD_HEAD = 12 };

static bool read_label(const uint8_t *label, char out[BOARD_NAME_MAX])
{
	if (!fleet_name_ok(label + 1, label[0]))
		return false;
	memcpy(out, label + 1, label[0]);
	out[label[0]] = '\0';
	return true;
}

#define TREE_LABEL "tree"

/* "tree", "tree-31c". */
static bool read_place(const uint8_t *label, struct tree_place *out)
{
	static const char word[] = TREE_LABEL;
	struct tree_place p = {0};
	unsigned at = sizeof(word) - 1;

	for (unsigned i = 0; i < at; i++)
		if (i >= label[0] || (label[1 + i] | 0x20) != word[i])
			return false;
	if (label[0] > at && (label[1 + at++] != '-' || label[0] == at || label[0] - at > TREE_DEPTH_MAX))
		return false;
	for (; at < label[0]; at++) {
		uint8_t c = label[1 + at], letter = c | 0x20;
		int digit = c >= '0' && c <= '9' ? c - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;

		if (digit < 0)
			return false;
		p = tree_child(p, (unsigned)digit);
	}
	*out = p;
	return true;
}

#define POOLS_LABEL "pools"
#define POOLS_PLAIN "-"
#define POOLS_NEWS  "news"

/* "pools", "pools-1f". */
static bool read_pools(const uint8_t *label, uint32_t *first)
{
	static const char word[] = POOLS_LABEL;
	unsigned at = sizeof(word) - 1;
	uint32_t v = 0;

	for (unsigned i = 0; i < at; i++)
		if (i >= label[0] || (label[1 + i] | 0x20) != word[i])
			return false;
	/* One name for one place: without a zero in front. */
	if (label[0] > at && (label[1 + at++] != '-' || label[0] == at || label[1 + at] == '0'))
		return false;
	for (; at < label[0]; at++) {
		uint8_t c = label[1 + at], letter = c | 0x20;

		if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'f'))
			return false;
		v = v << 4 | (uint32_t)(c <= '9' ? c - '0' : letter - 'a' + 10);
		if (v > FLEET_POOL_PLACES)
			return false;
	}
	*first = v;
	return true;
}

uint32_t fleet_network_number(const char *name)
{
	static const uint8_t key[16] = "zonecast-network";

	return (uint32_t)hash_keyed(key, name, strlen(name));
}

bool fleet_question_read(const uint8_t *qname, struct fleet_question *out)
{
	unsigned labels = name_labels(qname);
	struct fleet_question q = {0};

	if (!name_is_under(qname, fleet_status_zone) || labels < STATUS_LABELS + 1 || labels > STATUS_LABELS + 3)
		return false;
	if (!read_label(name_suffix(qname, STATUS_LABELS + 1), q.node))
		return false;
	if (labels > STATUS_LABELS + 1 && !read_label(name_suffix(qname, STATUS_LABELS + 2), q.network))
		return false;
	q.pools = labels > STATUS_LABELS + 2 && read_pools(qname, &q.first);
	q.tree = labels > STATUS_LABELS + 2 && !q.pools;
	if (q.tree && !read_place(qname, &q.place))
		return false;
	if (q.pools) {
		q.news = strcmp(q.network, POOLS_NEWS) == 0;
		if (!q.news && strcmp(q.network, POOLS_PLAIN) != 0)
			return false;
		memset(q.network, 0, sizeof(q.network));
	}
	*out = q;
	return true;
}

static void write_label(struct writer *w, const char *name)
{
	size_t len = strlen(name);

	if (!len)
		return;
	if (len > LABEL_MAX)
		w->failed = true;
	writer_u8(w, (uint8_t)len);
	writer_bytes(w, (const uint8_t *)name, len);
}

static void write_place(struct writer *w, struct tree_place p)
{
	char label[sizeof(TREE_LABEL) + TREE_DEPTH_MAX + 1] = TREE_LABEL;
	size_t len = strlen(label);

	for (unsigned i = 0; i < p.depth; i++) {
		if (!i)
			label[len++] = '-';
		label[len++] = "0123456789abcdef"[p.prefix >> (60 - 4 * i) & 15];
	}
	label[len] = '\0';
	write_label(w, label);
}

static void write_pools(struct writer *w, const struct fleet_question *q)
{
	char label[sizeof(POOLS_LABEL) + 9] = POOLS_LABEL;

	if (q->first)
		snprintf(label, sizeof(label), POOLS_LABEL "-%x", q->first & FLEET_POOL_PLACES);
	write_label(w, label);
	write_label(w, q->news ? POOLS_NEWS : POOLS_PLAIN);
}

static size_t roots_len(size_t count)
{
	return count ? OPTION_HEAD + 1 + count * FLEET_ROOT_OCTETS : 0;
}

static void write_opt(struct writer *w, unsigned rcode, const struct fleet_root *roots, size_t root_count, uint16_t padding)
{
	writer_u8(w, 0);
	writer_u16(w, RR_OPT);
	writer_u16(w, DNS_UDP_DEFAULT);
	writer_u32(w, (uint32_t)(rcode >> 4) << 24);
	writer_u16(w, (uint16_t)(roots_len(root_count) + (padding ? (size_t)OPTION_HEAD + padding : 0)));
	if (root_count) {
		writer_u16(w, FLEET_OPTION);
		writer_u16(w, (uint16_t)(roots_len(root_count) - OPTION_HEAD));
		writer_u8(w, FLEET_OPTION_FORM);
	}
	for (size_t i = 0; i < root_count; i++) {
		writer_u32(w, roots[i].network);
		writer_u32(w, (uint32_t)(roots[i].root >> 32));
		writer_u32(w, (uint32_t)roots[i].root);
	}
	if (!padding)
		return;
	writer_u16(w, EDNS_PADDING);
	writer_u16(w, padding);
	for (unsigned i = 0; i < padding; i++)
		writer_u8(w, 0);
}

/* The option's value in an OPT record, or NULL. */
static struct reader find_option(const struct message_rr *rr)
{
	struct reader r = reader_of(rr->rdata, rr->rdlen);

	while (reader_left(&r)) {
		uint16_t code = reader_u16(&r), len = reader_u16(&r);
		const uint8_t *value = reader_bytes(&r, len);

		if (value && code == FLEET_OPTION)
			return reader_of(value, len);
	}
	return reader_of(NULL, 0);
}

size_t fleet_question_roots(const uint8_t *msg, size_t len, struct fleet_root out[FLEET_ROOTS_MAX])
{
	uint16_t qtype, qclass;
	struct message_rr rr;
	struct message m;
	struct name qname;
	size_t count = 0;

	if (message_open(msg, len, &m) < 0 || m.header.qdcount != 1 || message_question(&m, &qname, &qtype, &qclass) < 0)
		return 0;
	while (message_next(&m, &rr) > 0) {
		struct reader r;

		if (rr.type != RR_OPT)
			continue;
		r = find_option(&rr);
		if (!reader_left(&r) || reader_u8(&r) != FLEET_OPTION_FORM)
			return 0;
		while (reader_left(&r) >= FLEET_ROOT_OCTETS && count < FLEET_ROOTS_MAX) {
			out[count].network = reader_u32(&r);
			out[count].root = (uint64_t)reader_u32(&r) << 32;
			out[count++].root |= reader_u32(&r);
		}
		return count;
	}
	return 0;
}

void fleet_question_write(const struct fleet_question *q, uint16_t id, const struct fleet_root *roots, size_t root_count, size_t pad_to,
                          size_t signature, struct writer *w)
{
	size_t plain;

	writer_u16(w, id);
	writer_u16(w, 0);
	writer_u16(w, 1);
	writer_u16(w, 0);
	writer_u16(w, 0);
	writer_u16(w, 1);
	if (q->tree)
		write_place(w, q->place);
	if (q->pools)
		write_pools(w, q);
	write_label(w, q->network);
	write_label(w, q->node);
	writer_bytes(w, fleet_status_zone, name_len(fleet_status_zone));
	writer_u16(w, RR_TXT);
	writer_u16(w, CLASS_CH);
	plain = w->pos + OPT_LEN + roots_len(root_count) + signature;
	write_opt(w, 0, roots, root_count,
	          pad_to > plain + OPTION_HEAD ? (uint16_t)MIN(pad_to - plain - OPTION_HEAD, (size_t)DNS_UDP_DEFAULT)
	                                       : 0);
}

static void write_head(const struct query *q, const uint8_t *msg, unsigned rcode, uint16_t flags, unsigned answers,
                       struct writer *w)
{
	writer_u16(w, q->header.id);
	writer_u16(w, (uint16_t)(DNS_QR | (q->header.flags & (0x7800 | DNS_RD)) | flags | (rcode & 15)));
	writer_u16(w, q->has_question ? 1 : 0);
	writer_u16(w, (uint16_t)answers);
	writer_u16(w, 0);
	writer_u16(w, q->has_edns ? 1 : 0);
	if (q->has_question)
		writer_bytes(w, msg + DNS_HEADER_LEN, q->question_len);
}

/* What the answer's record says. */
struct saying {
	const struct fleet_report *report;
	const struct zone_tree *tree;
	struct tree_place place;
};

static void say(const struct saying *s, struct writer *w)
{
	if (s->tree)
		tree_answer_write(s->tree, s->place, OPT_LEN, w);
	else
		fleet_report_write(s->report, w);
}

static void write_answer(const struct query *q, const uint8_t *msg, unsigned rcode, const struct saying *s, struct writer *w)
{
	size_t begin = w->pos, record;
	bool told = s->report || s->tree;

	write_head(q, msg, rcode, told ? DNS_AA : 0, told, w);
	if (told) {
		writer_u16(w, 0xc000 | DNS_HEADER_LEN);
		writer_u16(w, RR_TXT);
		writer_u16(w, CLASS_CH);
		writer_u32(w, 0); /* TTL: true of this moment only */
		writer_u16(w, 0);
		record = w->pos;
		say(s, w);
		if (writer_ok(w))
			put_u16(w->base + record - 2, (uint16_t)(w->pos - record));
	}
	if (q->has_edns)
		write_opt(w, rcode, NULL, 0, 0);
	if (writer_ok(w) || !told)
		return;
	w->pos = begin;
	w->failed = false;
	write_head(q, msg, rcode, DNS_AA | DNS_TC, 0, w);
	if (q->has_edns)
		write_opt(w, rcode, NULL, 0, 0);
}

void fleet_answer_write(const struct query *q, const uint8_t *msg, unsigned rcode, const struct fleet_report *r,
                        struct writer *w)
{
	const struct saying s = {.report = r};

	write_answer(q, msg, rcode, &s, w);
}

void fleet_tree_write(const struct query *q, const uint8_t *msg, unsigned rcode, const struct zone_tree *t, struct tree_place p, struct writer *w)
{
	const struct saying s = {.tree = t, .place = p};

	write_answer(q, msg, rcode, &s, w);
}

/* The question stands there as it was asked. */
static bool repeats(struct message *m, const struct fleet_question *q)
{
	struct fleet_question got;
	uint16_t qtype, qclass;
	struct name qname;

	return m->header.qdcount == 1 && message_question(m, &qname, &qtype, &qclass) == 0 && qtype == RR_TXT &&
	       qclass == CLASS_CH && fleet_question_read(qname.wire, &got) && strcmp(got.node, q->node) == 0 &&
	       strcmp(got.network, q->network) == 0 && got.tree == q->tree && got.place.prefix == q->place.prefix &&
	       got.place.depth == q->place.depth && got.pools == q->pools && got.news == q->news && got.first == q->first;
}

/* What is asked for, read into one of the two. */
struct reading {
	struct fleet_report *report;
	struct tree_answer *tree;
};

static enum fleet_answer read_answer(const uint8_t *msg, size_t len, uint16_t id, const struct fleet_question *q, const struct reading *to,
                                     unsigned *rcode, int *err)
{
	struct message_rr rr;
	struct message m;
	bool found = false;
	int got;

	if (message_open(msg, len, &m) < 0 || !(m.header.flags & DNS_QR) || m.header.id != id ||
	    dns_opcode(m.header.flags) != OPCODE_QUERY)
		return FLEET_ANSWER_OTHER;
	*rcode = m.header.flags & 15;
	*err = ERR_MALFORMED;
	/* A server that understood nothing may leave the question out. */
	if (!repeats(&m, q))
		return *rcode && !m.header.qdcount ? FLEET_ANSWER_REFUSED : FLEET_ANSWER_OTHER;
	if (*rcode)
		return FLEET_ANSWER_REFUSED;
	if (m.header.flags & DNS_TC)
		return FLEET_ANSWER_TRUNCATED;
	while ((got = message_next(&m, &rr)) > 0) {
		if (rr.section != 1 || rr.type != RR_TXT || rr.rclass != CLASS_CH)
			continue;
		*err = found        ? ERR_MALFORMED
		       : to->report ? fleet_report_read(rr.rdata, rr.rdlen, to->report)
		                    : tree_answer_read(rr.rdata, rr.rdlen, q->place, to->tree);
		if (*err < 0)
			return FLEET_ANSWER_BAD;
		found = true;
	}
	*err = ERR_MALFORMED;
	return got == 0 && found ? FLEET_ANSWER_GOOD : FLEET_ANSWER_BAD;
}

enum fleet_answer fleet_answer_read(const uint8_t *msg, size_t len, uint16_t id, const struct fleet_question *q,
                                    struct fleet_report *out, unsigned *rcode, int *err)
{
	const struct reading to = {.report = out};
	enum fleet_answer got = read_answer(msg, len, id, q, &to, rcode, err);

	return got == FLEET_ANSWER_GOOD && strcmp(out->node, q->node) != 0 ? FLEET_ANSWER_BAD : got;
}

enum fleet_answer fleet_tree_read(const uint8_t *msg, size_t len, uint16_t id, const struct fleet_question *q, struct tree_answer *out, unsigned *rcode,
                                  int *err)
{
	const struct reading to = {.tree = out};

	return read_answer(msg, len, id, q, &to, rcode, err);
}
