/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of zone files: owner, TTL and class, type, data. */
#include "base/err.h"
#include "zone/zonefile_priv.h"

#include <string.h>

enum { TTL_OTHERWISE = 3600 /* seconds; as Knot takes it */ };

/* What stands before the data of a record. */
struct head {
	const struct rdata_token *type_token;
	uint32_t ttl;
	uint16_t type;
	bool has_ttl, has_class;
};

static unsigned behind(const struct source *s, const struct rdata_token *t)
{
	return s->generated_column ? s->generated_column : t->column + (unsigned)t->len + (t->quoted ? 2 : 0);
}

static uint64_t load_word(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? __builtin_bswap64(v) : v;
}

/* Of both, 8 octets behind the n may be read; n is not 0. */
static bool same_octets(const char *a, const char *b, size_t n)
{
	for (; n > 8; a += 8, b += 8, n -= 8)
		if (load_word(a) != load_word(b))
			return false;
	return (load_word(a) ^ load_word(b)) << (64 - 8 * n) == 0;
}

void zonefile_owner_changed(struct parse *ps)
{
	ps->owner_text_len = 0;
	ps->same_owner = false;
}

static bool owner_from(struct parse *ps, const struct source *s, const struct rdata_token *t)
{
	int err;

	ps->now.bad_owner = false;
	/* Records of one owner follow each other, with it written out: it is read once. */
	if (t->plain && ps->owner_text_len && t->len == ps->owner_text_len && same_octets(t->text, ps->owner_text, t->len))
		return true;
	zonefile_owner_changed(ps);
	if (t->len == 1 && t->text[0] == '@' && !t->quoted) {
		ps->now.owner = ps->now.origin;
		ps->now.has_owner = true;
		return true;
	}
	if (t->plain) {
		err = name_from_plain(t->text, t->len, ps->now.origin.wire, ps->scratch);
		if (err > 0) {
			ps->now.owner.len = (uint8_t)err;
			memcpy(ps->now.owner.wire, ps->scratch, ps->now.owner.len);
			ps->now.has_owner = true;
			if (t->len <= ZONEFILE_OWNER_TEXT_MAX) {
				memcpy(ps->owner_text, t->text, ZONEFILE_OWNER_TEXT_MAX);
				ps->owner_text_len = t->len;
			}
			return true;
		}
	} else {
		err = name_from_text(t->text, t->len, ps->now.origin.wire, &ps->now.owner);
	}
	if (!err) {
		ps->now.has_owner = true;
		return true;
	}
	ps->now.has_owner = false;
	ps->now.bad_owner = true;
	if (err == ERR_LIMIT)
		problem(ps, s, t->line, t->column, "\"%.*s\" is too long: at most 63 octets a label and 255 a name", SHOW(t));
	else
		problem(ps, s, t->line, t->column, "\"%.*s\" is no domain name: an empty label or a bad escape", SHOW(t));
	return false;
}

/* Only SVCB and HTTPS have fields like key="a value" (RFC 9460 2.1). Everywhere else a quote begins a field of its own, as with BIND. False:
 * too many fields, reported. */
static bool part_quotes(struct parse *ps, const struct source *s, size_t from, size_t *n)
{
	for (size_t i = from; i < *n; i++) {
		struct rdata_token *t = &ps->lexer.tokens[i], rest = *t;
		size_t at = 0;

		while (!t->quoted && at < t->len && t->text[at] != '"')
			at += t->text[at] == '\\' ? 2 : 1;
		if (t->quoted || at >= t->len)
			continue;
		/* t becomes what is before the quote, or what is in it; rest goes on behind. */
		if (at) {
			t->len = at;
			rest.text += at;
		} else {
			for (at = 1; t->text[at] != '"';)
				at += t->text[at] == '\\' ? 2 : 1;
			*t = (struct rdata_token){.text = t->text + 1, .len = at - 1, .quoted = true, .line = t->line, .column = t->column};
			rest.text += ++at;
		}
		rest.len -= at;
		rest.column += s->generated_column ? 0 : (unsigned)at;
		if (!rest.len)
			continue;
		if (*n == LEXER_TOKENS_MAX) {
			problem(ps, s, t->line, t->column, "more than %d fields in one record", LEXER_TOKENS_MAX);
			return false;
		}
		if (lexer_reserve(&ps->lexer, *n + 1) < 0) {
			ps->stop = ERR_NO_MEMORY;
			return false;
		}
		t = &ps->lexer.tokens[i];
		memmove(t + 2, t + 1, (*n - i - 1) * sizeof(*t));
		t[1] = rest;
		++*n;
	}
	return true;
}

/* The TTL of a record that states none. */
static void ttl_missing(struct parse *ps, const struct source *s, const struct rdata_token *type_token, uint16_t type,
                        const struct writer *w, uint32_t *ttl)
{
	struct soa soa;

	if (ps->now.has_default_ttl) {
		*ttl = ps->now.default_ttl;
		return;
	}
	if (ps->now.has_last_ttl) {
		*ttl = ps->now.last_ttl;
		return;
	}
	if (ps->guess) {
		ps->unsure = true;
		return;
	}
	if (type == RR_SOA && soa_parse(w->base, w->pos, &soa) == 0) {
		*ttl = MIN(soa.minimum, (uint32_t)TTL_MAX);
		ps->now.default_ttl = *ttl;
		ps->now.has_default_ttl = true;
		if (!ps->now.warned_ttl)
			diag_add(ps->lexer.diag, DIAG_WARNING, s->file, type_token->line, type_token->column,
			         "no TTL is given: the SOA's MINIMUM of %u is used; write $TTL %u at the top", soa.minimum, soa.minimum);
		ps->now.warned_ttl = true;
		return;
	}
	*ttl = TTL_OTHERWISE;
	if (!ps->now.warned_ttl)
		diag_add(ps->lexer.diag, DIAG_WARNING, s->file, type_token->line, type_token->column,
		         "no TTL is given and there is none to inherit: %d is used; write $TTL %d at the top", TTL_OTHERWISE, TTL_OTHERWISE);
	ps->now.warned_ttl = true;
}

/* Up to nine digits, as nearly all TTLs are. */
static bool ttl_of_digits(const struct rdata_token *t, uint32_t *out)
{
	uint32_t v = 0;

	if (!t->len || t->len > 9)
		return false;
	for (size_t i = 0; i < t->len; i++) {
		unsigned digit = (unsigned)(uint8_t)t->text[i] - '0';

		if (digit > 9)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

/* What stands between owner and data, in any order but for the type, which comes last; *at is where to begin and then behind the type. False: reported. */
static bool read_head(struct parse *ps, const struct source *s, const struct entry *e, size_t *at, struct head *h)
{
	uint16_t rclass;

	for (size_t i = *at; i < e->n; i++) {
		const struct rdata_token *t = &ps->lexer.tokens[i];
		bool known;

		if (!h->has_ttl && !t->quoted && t->text[0] >= '0' && t->text[0] <= '9') {
			int err = ttl_of_digits(t, &h->ttl) ? 0 : ttl_from_text(t->text, t->len, TTL_MAX, &h->ttl);

			if (err == ERR_LIMIT) {
				problem(ps, s, t->line, t->column, "a TTL is at most %u seconds", (unsigned)TTL_MAX);
				return false;
			}
			if (!err) {
				h->has_ttl = true;
				continue;
			}
		}
		if (t->len == 2 && (t->text[0] | 0x20) == 'i' && (t->text[1] | 0x20) == 'n' && !h->has_class && ps->o->rclass == CLASS_IN) {
			h->has_class = true;
			continue;
		}
		/* ANY is a class and a type. */
		known = rrtype_from_token(t, &h->type) == 0;
		if ((!known || h->type == RR_ANY) && !h->has_class && rrclass_from_text(t->text, t->len, &rclass) == 0) {
			h->has_class = true;
			if (rclass != ps->o->rclass) {
				problem(ps, s, t->line, t->column, "class %.*s: this zone is of class IN", SHOW(t));
				return false;
			}
			continue;
		}
		h->type_token = known ? t : NULL;
		*at = i + 1;
		if (known || !ps->now.has_owner)
			return true;
		problem(ps, s, t->line, t->column, "\"%.*s\" is no record type, class or TTL", SHOW(t));
		return false;
	}
	problem(ps, s, ps->lexer.tokens[e->n - 1].line, behind(s, &ps->lexer.tokens[e->n - 1]), "the record ends where its type is expected");
	return false;
}

void zonefile_record(struct parse *ps, struct source *s, const struct entry *e)
{
	struct zonefile_place place = {.file = s->file, .line = ps->lexer.tokens[0].line, .column = ps->lexer.tokens[0].column};
	struct writer w = writer_of(ps->rdata, RDATA_MAX);
	struct rdata_problem why;
	struct head h = {0};
	size_t i = 0, n = e->n;
	struct rr rr;
	int err;

	if (!e->blank_start && !owner_from(ps, s, &ps->lexer.tokens[i++]))
		return;
	if (!read_head(ps, s, e, &i, &h))
		return;
	if (!ps->now.has_owner) {
		if (ps->now.bad_owner)
			return; /* told where it stands */
		if (ps->guess) {
			ps->unsure = true;
			return;
		}
		problem(ps, s, e->line, 1, "the first record has no owner: begin the line with a name, or @");
		return;
	}
	if (rrtype_is_meta(h.type) || !h.type) {
		problem(ps, s, h.type_token->line, h.type_token->column, "type %.*s cannot stand in a zone", SHOW(h.type_token));
		return;
	}
	if (ps->lexer.inner_quotes && h.type != RR_SVCB && h.type != RR_HTTPS && !part_quotes(ps, s, i, &n))
		return;
	err = rdata_from_text(h.type, ps->lexer.tokens + i, n - i, ps->now.origin.wire, &w, &why);
	if (err) {
		const struct rdata_token *at = why.token ? why.token : &ps->lexer.tokens[n - 1];

		problem(ps, s, at->line, why.token ? at->column : behind(s, at), "%s", why.text);
		return;
	}
	if (!h.has_ttl)
		ttl_missing(ps, s, &ps->lexer.tokens[i - 1], h.type, &w, &h.ttl);
	if (ps->unsure)
		return;
	ps->now.last_ttl = h.ttl;
	ps->now.has_last_ttl = true;
	rr = (struct rr){.owner = ps->now.owner.wire, .type = h.type, .rclass = ps->o->rclass, .ttl = h.ttl, .rdlen = (uint16_t)w.pos,
	                 .rdata = ps->rdata};
	place.same_owner = ps->same_owner;
	ps->same_owner = true;
	ps->stop = ps->o->on_record(ps->o->ctx, &rr, &place);
}
