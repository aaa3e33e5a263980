/* SPDX-License-Identifier: BSD-2-Clause */
#include "message_kit.h"

#include "base/diag.h"
#include "dns/base64.h"
#include "dns/message.h"
#include "xfr/pack.h"
#include "zone/zonefile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const uint8_t kit_apex[] = "\x07" "example";

struct making {
	struct writer w;
	struct pack pack;
	unsigned counts[4];
};

static void parse(const char *text, size_t len, zonefile_record_fn *fn, void *ctx)
{
	struct zonefile_options o = {.origin = kit_apex, .rclass = CLASS_IN, .on_record = fn, .ctx = ctx};
	char whole[8192], line[1400];
	struct diag diag;
	int n = snprintf(whole, sizeof(whole), "$TTL 60\n%.*s\n", (int)len, text);

	assert_true(n > 0 && (size_t)n < sizeof(whole));
	diag_init(&diag);
	if (zonefile_parse_bytes("text", whole, (size_t)n, false, &o, &diag) != 0)
		fail_msg("%s", diag_entry_text(diag.first, line, sizeof(line)));
	diag_done(&diag);
}

static int on_record(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	struct making *m = ctx;

	(void)place;
	assert_true(pack_record(&m->pack, rr));
	m->counts[1]++;
	return 0;
}

static void put_hex(struct making *m, const char *hex, size_t len)
{
	assert_int_equal(hex_get(hex, len, &m->w), 0);
}

static void order(struct making *m, const char *line, size_t len)
{
	char word[32] = "", rest[4000] = "", name[256], type[32];
	struct name n;
	uint16_t t;

	assert_true(len < sizeof(rest));
	sscanf(line, "!%31s", word);
	for (size_t i = strlen(word) + 2, k = 0; i < len; i++)
		rest[k++] = line[i];
	if (!strcmp(word, "id")) {
		put_u16(m->w.base, (uint16_t)atoi(rest));
	} else if (!strcmp(word, "flags")) {
		put_u16(m->w.base + 2, (uint16_t)strtoul(rest, NULL, 16));
	} else if (!strcmp(word, "noquestion")) {
		m->counts[0] = 0;
		m->w.pos = DNS_HEADER_LEN;
		pack_start(&m->pack, &m->w);
	} else if (!strcmp(word, "question")) {
		assert_int_equal(sscanf(rest, "%255s %31s", name, type), 2);
		assert_int_equal(name_from_text(name, strlen(name), kit_apex, &n), 0);
		assert_int_equal(rrtype_from_text(type, strlen(type), &t), 0);
		m->w.pos = DNS_HEADER_LEN;
		writer_bytes(&m->w, n.wire, n.len);
		writer_u16(&m->w, t);
		writer_u16(&m->w, CLASS_IN);
		pack_start(&m->pack, &m->w);
	} else if (!strcmp(word, "hex")) {
		put_hex(m, rest, strlen(rest));
		m->counts[1]++;
	} else if (!strcmp(word, "authority")) {
		put_hex(m, rest, strlen(rest));
		m->counts[2]++;
	} else if (!strcmp(word, "additional")) {
		put_hex(m, rest, strlen(rest));
		m->counts[3]++;
	} else if (!strcmp(word, "tail")) {
		put_hex(m, rest, strlen(rest));
	} else if (!strcmp(word, "count")) {
		m->counts[1] += (unsigned)atoi(rest);
	} else {
		fail_msg("order %s", word);
	}
}

size_t kit_message(const char *text, uint16_t type, uint8_t *buf)
{
	struct making *m = calloc(1, sizeof(*m));
	size_t len;

	m->w = writer_of(buf, DNS_MESSAGE_MAX);
	if (!strncmp(text, "!raw ", 5)) {
		put_hex(m, text + 5, strlen(text + 5));
	} else {
		writer_u16(&m->w, 7);
		writer_u16(&m->w, DNS_QR | DNS_AA);
		writer_u32(&m->w, 0);
		writer_u32(&m->w, 0);
		m->counts[0] = 1;
		pack_start(&m->pack, &m->w);
		writer_bytes(&m->w, kit_apex, name_len(kit_apex));
		writer_u16(&m->w, type);
		writer_u16(&m->w, CLASS_IN);
		pack_note(&m->pack, DNS_HEADER_LEN);
		while (*text) {
			size_t n = strcspn(text, "\n");

			if (*text == '!')
				order(m, text, n);
			else
				parse(text, n, on_record, m);
			text += n + (text[n] == '\n');
		}
		for (unsigned i = 0; i < 4; i++)
			put_u16(buf + 4 + 2 * i, (uint16_t)m->counts[i]);
	}
	assert_true(writer_ok(&m->w));
	len = m->w.pos;
	free(m);
	return len;
}

static int add(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	(void)place;
	return content_add(ctx, rr, NULL);
}

struct content *kit_content(const char *text)
{
	struct content *c = content_new(kit_apex);

	assert_non_null(c);
	parse(text, strlen(text), add, c);
	assert_int_equal(content_finish(c), 0);
	return c;
}

static void print_record(struct text *t, const uint8_t *owner, uint16_t type, const uint8_t *rdata, size_t len)
{
	char name[NAME_TEXT_MAX], mnemonic[RRTYPE_TEXT_MAX];

	name_to_text(owner, name);
	text_fmt(t, "%s %s ", name, rrtype_text(type, mnemonic));
	rdata_to_text(type, rdata, len, t);
	text_char(t, '\n');
}

void kit_print_content(struct text *t, const struct content *c)
{
	for (size_t i = 0; i < content_rrset_count(c); i++) {
		const struct content_rrset *set = content_rrset(c, i);

		for (uint32_t k = 0; k < set->count; k++)
			print_record(t, set->owner, set->type, set->records[k].rdata, set->records[k].rdlen);
	}
}

void kit_print_differences(struct text *t, const struct xfr_differences *d)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct xfr_difference *x = &d->list[i];

		text_fmt(t, "%u to %u\n", x->from, x->to);
		for (size_t k = 0; k < x->deleted_count; k++) {
			text_str(t, "- ");
			print_record(t, x->deleted[k].owner, x->deleted[k].type, x->deleted[k].rdata, x->deleted[k].rdlen);
		}
		for (size_t k = 0; k < x->added_count; k++) {
			text_str(t, "+ ");
			print_record(t, x->added[k].owner, x->added[k].type, x->added[k].rdata, x->added[k].rdlen);
		}
	}
}
