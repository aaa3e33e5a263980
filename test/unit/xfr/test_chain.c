/* SPDX-License-Identifier: BSD-2-Clause */
/* From one store to another: a zone that changes at random, sent as a whole or in differences, signed, in messages of any length, and applied there.
 * After each transfer both stores hold the same, to the octet and by digest. */
#include "../zone/store_kit.h"
#include "dns/message.h"
#include "message_kit.h"
#include "xfr/outgoing.h"
#include "xfr/tsig.h"
#include "zone/difference.h"
#include "zone/digest.h"
#include "zone/print_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NAMES = 200, VERSIONS = 300, HISTORY = 8, NOW = 1700000000 };

struct side {
	char *folder;
	struct store_writer *w;
	struct store_snapshot s;
	const struct store_zone *z;
};

struct primary {
	struct side side;
	struct content *content;
	struct name names[NAMES];
	uint8_t octet[NAMES]; /* 0: the name is not there */
	uint32_t ttl[NAMES];
	uint32_t serial;
	struct xfr_differences history; /* all of them; the last HISTORY are served */
};

static const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = UINT32_MAX, .source = "test"};

static void open_side(struct side *side)
{
	struct store_open_info info;
	char path[512];

	memset(side, 0, sizeof(*side));
	side->folder = kit_folder();
	snprintf(path, sizeof(path), "%s/store", side->folder);
	assert_int_equal(store_writer_open(path, NULL, 0, &side->w, &info), 0);
}

static void commit(struct side *side)
{
	uint64_t generation;

	assert_int_equal(store_commit(side->w, &generation), 0);
	store_collect(side->w);
	store_writer_snapshot(side->w, &side->s);
	side->z = store_zone_get(&side->s, kit_apex);
	assert_non_null(side->z);
}

static void close_side(struct side *side)
{
	store_writer_close(side->w);
	kit_folder_free(side->folder);
}

static void add(struct content *c, const struct name *owner, uint16_t type, uint32_t ttl, const void *rdata, size_t len)
{
	struct rr rr = {.owner = owner->wire, .type = type, .rclass = CLASS_IN, .ttl = ttl, .rdlen = (uint16_t)len, .rdata = rdata};

	assert_int_equal(content_add(c, &rr, NULL), 0);
}

static struct content *content_of(const struct primary *p)
{
	struct content *c = content_new(kit_apex);

	kit_add_soa(c, kit_apex, p->serial);
	kit_add(c, kit_apex, RR_NS, "\2ns\7example", 12);
	for (unsigned i = 0; i < NAMES; i++) {
		const uint8_t a[4] = {192, 0, 2, p->octet[i]}, text[3] = {2, 't', p->octet[i]};
		struct name target = p->names[(i + p->octet[i]) % NAMES];
		uint8_t mx[2 + NAME_LEN_MAX] = {0, p->octet[i]};

		if (!p->octet[i])
			continue;
		memcpy(mx + 2, target.wire, target.len);
		add(c, &p->names[i], RR_A, p->ttl[i], a, 4);
		if (i % 2)
			add(c, &p->names[i], RR_A, p->ttl[i], "\300\0\2\1", 4);
		if (i % 3)
			add(c, &p->names[i], RR_TXT, 60, text, 3);
		if (i % 5)
			add(c, &p->names[i], RR_MX, p->ttl[i] + i % 2, mx, 2U + target.len);
	}
	assert_int_equal(content_finish(c), 0);
	return c;
}

static int append(struct xfr_differences *d, const struct content *c, bool added)
{
	bool first = true;
	int err = 0;

	/* The apex comes first, and its SOA before all else. */
	for (size_t i = 0; i < content_rrset_count(c) && !err; i++) {
		const struct content_rrset *set = content_rrset(c, i);

		for (uint32_t k = 0; k < set->count && !err; k++, first = false) {
			struct rr rr = {.owner = set->owner, .type = set->type, .rclass = CLASS_IN, .ttl = set->ttl, .rdlen = set->records[k].rdlen,
			                .rdata = set->records[k].rdata};

			err = added ? first ? xfr_differences_to(d, &rr) : xfr_differences_add(d, &rr)
			            : first ? xfr_differences_from(d, &rr) : xfr_differences_delete(d, &rr);
		}
	}
	return err;
}

/* The next version: some names come, go, or have another address or TTL. */
static void change(struct primary *p, struct rng *r)
{
	struct content *before = p->content;
	struct zone_change difference;

	for (unsigned i = 1 + rng_below(r, 10); i > 0; i--) {
		unsigned k = rng_below(r, NAMES);

		p->octet[k] = (uint8_t)(rng_below(r, 3) ? rng_below(r, 256) : 0);
		p->ttl[k] = 60 * (1 + rng_below(r, 3));
	}
	p->serial += 1 + rng_below(r, 3) * 40000000; /* around the clock (RFC 1982) */
	p->content = content_of(p);
	if (before) {
		assert_int_equal(zone_difference(before, p->content, 100000, &difference), 0);
		assert_int_equal(append(&p->history, difference.removed, false), 0);
		assert_int_equal(append(&p->history, difference.added, true), 0);
		zone_change_done(&difference);
	}
	content_free(before);
	assert_int_equal(kit_put(p->side.w, kit_apex, p->content), 0);
	commit(&p->side);
}

static struct xfr_out *answer(const struct primary *p, const struct xfr_request *r)
{
	struct xfr_out_settings set = {.request = *r};
	const struct xfr_differences *d = &p->history;
	size_t oldest = d->count > HISTORY ? d->count - HISTORY : 0;
	struct xfr_out *x = NULL;

	for (size_t i = oldest; r->kind == XFR_IXFR && !x && i < d->count; i++)
		if (d->list[i].from == r->serial)
			assert_int_equal(xfr_out_differences(&set, &d->list[d->count - 1].added[0], d->list + i, d->count - i, &x), 0);
	if (!x)
		assert_int_equal(xfr_out_zone(&set, &p->side.s, p->side.z, &x), 0);
	return x;
}

/* What came, into the secondary's store: 0, or -1 when the differences do not apply. */
static void apply(struct side *side, struct xfr_in *in, enum xfr_in_step step)
{
	if (step == XFR_IN_WHOLE) {
		struct content *c = xfr_in_take_content(in);

		assert_int_equal(content_finish(c), 0);
		assert_int_equal(kit_put(side->w, kit_apex, c), 0);
		content_free(c);
	} else {
		const struct xfr_differences *d = xfr_in_differences(in);

		for (size_t i = 0; i < d->count; i++) {
			struct zone_change_problem problem = {.text = ""};
			struct zone_change z;

			assert_int_equal(zone_change_from_records(kit_apex, d->list[i].deleted, d->list[i].deleted_count, d->list[i].added,
			                                          d->list[i].added_count, &z),
			                 0);
			if (store_change_zone(side->w, kit_apex, &z, &meta, &problem) != 0)
				fail_msg("%s", problem.text);
			zone_change_done(&z);
		}
	}
	commit(side);
}

static enum xfr_in_step transfer(const struct primary *p, struct side *secondary, struct tsig_key *key, struct rng *r)
{
	struct xfr_request ask = {.id = (uint16_t)rng_next(r), .kind = secondary->z ? XFR_IXFR : XFR_AXFR,
	                          .serial = secondary->z ? secondary->z->serial : 0, .has_edns = rng_below(r, 2)},
	                   asked;
	struct xfr_in_settings set = {.apex = kit_apex, .id = ask.id, .kind = ask.kind, .has_serial = secondary->z != NULL, .serial = ask.serial};
	size_t cap = 700 + rng_below(r, rng_below(r, 2) ? 3000 : 64000);
	struct tsig_keys keys = {.list = &key, .count = 1};
	enum xfr_in_step step = XFR_IN_MORE;
	static uint8_t buf[DNS_MESSAGE_MAX];
	struct writer w = writer_of(buf, sizeof(buf));
	struct tsig_session client, server;
	struct xfr_in *in = NULL;
	struct xfr_out *x;

	name_copy(&ask.apex, kit_apex);
	tsig_session_init(&client);
	tsig_session_init(&server);
	tsig_session_key(&client, key);
	assert_int_equal(xfr_request_build(&ask, NULL, 0, &w), 0);
	assert_int_equal(tsig_sign(&client, &w, NOW), 0);
	assert_int_equal(tsig_verify_request(&server, &keys, buf, w.pos, NOW), TSIG_GOOD);
	assert_int_equal(xfr_request_parse(buf, w.pos, &asked), QUERY_OK);
	x = answer(p, &asked);
	assert_int_equal(xfr_in_new(&set, &in), 0);
	for (;;) {
		int more;

		w = writer_of(buf, cap - tsig_space(&server));
		more = xfr_out_next(x, &w);
		assert_true(more >= 0);
		if (!more)
			break;
		w.cap = cap;
		assert_int_equal(tsig_sign(&server, &w, NOW), 0);
		assert_int_equal(step, XFR_IN_MORE);
		assert_int_equal(tsig_verify_response(&client, buf, w.pos, NOW), TSIG_GOOD);
		step = xfr_in_feed(in, buf, w.pos);
	}
	assert_true(tsig_complete(&client));
	if (step == XFR_IN_WHOLE || step == XFR_IN_DIFFERENCES)
		apply(secondary, in, step);
	else
		assert_int_equal(step, XFR_IN_CURRENT);
	xfr_out_free(x);
	xfr_in_free(in);
	tsig_session_done(&client);
	tsig_session_done(&server);
	return step;
}

static char *dump(const struct side *side)
{
	const struct store_node *n = NULL;
	struct text t;

	text_init(&t);
	while ((n = store_node_next(&side->s, side->z, n)) != NULL)
		zone_print_node(&t, &side->s, n);
	return text_take(&t);
}

static void same(const struct side *a, const struct side *b)
{
	char *x = dump(a), *y = dump(b);
	struct zone_digest d, e;

	assert_string_equal(x, y);
	assert_int_equal(zone_digest_store(&a->s, a->z, &d), 0);
	assert_int_equal(zone_digest_store(&b->s, b->z, &e), 0);
	assert_true(zone_digest_equal(&d, &e));
	assert_int_equal(a->z->record_count, b->z->record_count);
	free(x);
	free(y);
}

static void chain(void **state)
{
	static struct primary p;
	struct rng r = {.s = 11};
	unsigned counts[XFR_IN_FAILED + 1] = {0};
	struct tsig_key *key = NULL;
	struct side secondary;

	(void)state;
	assert_int_equal(tsig_key_new((const uint8_t *)"\3key", tsig_algorithm_text("hmac-sha384-192"), (const uint8_t *)"secret", 6, 0, &key), 0);
	open_side(&p.side);
	open_side(&secondary);
	xfr_differences_init(&p.history);
	p.serial = 4000000000;
	for (unsigned i = 0; i < NAMES; i++)
		while (!kit_random_name(&r, kit_apex, &p.names[i]) || name_equal(p.names[i].wire, kit_apex))
			;
	for (unsigned version = 0; version < VERSIONS; version++) {
		change(&p, &r);
		if (rng_below(&r, 3))
			continue;
		counts[transfer(&p, &secondary, key, &r)]++;
		same(&p.side, &secondary);
		counts[transfer(&p, &secondary, key, &r)]++;
	}
	/* Each kind has happened. */
	assert_true(counts[XFR_IN_WHOLE] > 1 && counts[XFR_IN_DIFFERENCES] > 20);
	content_free(p.content);
	xfr_differences_done(&p.history);
	close_side(&p.side);
	close_side(&secondary);
	tsig_key_free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(chain)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
