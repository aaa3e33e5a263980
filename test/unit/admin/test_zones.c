/* SPDX-License-Identifier: BSD-2-Clause */
/* Zones and lists of zones in pieces: nothing lost, nothing twice, and never half of one version and half of another. */
#include "../zone/store_kit.h"

#include "admin/zones.h"
#include "base/err.h"
#include "base/log.h"
#include "dns/rr.h"
#include "zone/follow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct bed {
	char *folder, path[4200];
	_Atomic uint64_t pin;
	struct store_writer *w;
	struct store_follow f;
	struct text out;
};

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));
	_Atomic uint64_t *pins[1];
	struct store_open_info info;

	b->folder = kit_folder();
	snprintf(b->path, sizeof(b->path), "%s/s", b->folder);
	store_follow_init(&b->f, b->path, &b->pin);
	pins[0] = &b->pin;
	text_init(&b->out);
	*state = b;
	return store_writer_open(b->path, pins, 1, &b->w, &info);
}

static int teardown(void **state)
{
	struct bed *b = *state;

	text_done(&b->out);
	store_follow_done(&b->f);
	store_writer_close(b->w);
	kit_folder_free(b->folder);
	free(b);
	return 0;
}

static void put(struct bed *b, const char *text, uint32_t version, unsigned names)
{
	struct name apex = kit_name(text);
	struct content *c = version ? kit_version(apex.wire, version, names, 64) : NULL;
	struct store_zone_meta meta = {.state = c ? STORE_ZONE_SERVING : STORE_ZONE_NO_DATA, .network = 1, .source = ""};

	assert_int_equal(store_put_zone(b->w, apex.wire, c, &meta), 0);
	content_free(c);
}

static void commit(struct bed *b)
{
	uint64_t generation;

	assert_int_equal(store_commit(b->w, &generation), 0);
	store_collect(b->w);
	assert_true(store_follow_look(&b->f, 0));
}

static int piece(struct bed *b, struct zone_stream *z)
{
	struct store_snapshot s;
	int more;

	store_pin(b->f.reader, &s);
	more = zone_stream_piece(z, &s, &b->out);
	store_unpin(b->f.reader);
	return more;
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static uint64_t records_of(struct bed *b, const char *zone)
{
	struct store_snapshot s;
	uint64_t n;

	store_pin(b->f.reader, &s);
	n = store_zone_get(&s, kit_name(zone).wire)->record_count;
	store_unpin(b->f.reader);
	return n;
}

/* All pieces together are all records once, whatever is committed to other zones meanwhile. */
static void test_show(void **state)
{
	struct bed *b = *state;
	struct zone_stream z = {0};
	unsigned pieces = 0;
	struct text all;
	int more;

	put(b, "big.", 1, 5000);
	commit(b);
	z.apex = kit_name("big.");
	text_init(&all);
	do {
		text_clear(&b->out);
		more = piece(b, &z);
		assert_true(b->out.len < ZONES_PIECE + 8192);
		text_add(&all, b->out.chars, b->out.len);
		put(b, "other.", ++pieces, 50);
		commit(b);
	} while (more == 1);
	assert_int_equal(more, 0);
	assert_true(pieces > 3);
	assert_int_equal(lines_of(all.chars), records_of(b, "big.") + 1);
	assert_non_null(strstr(all.chars, "\n; end\n"));
	assert_int_equal(strncmp(all.chars, "big.", 4), 0);
	assert_non_null(strstr(all.chars, "SOA"));
	text_done(&all);
}

static void test_changed(void **state)
{
	struct bed *b = *state;
	struct zone_stream z = {0};

	put(b, "big.", 1, 5000);
	commit(b);
	z.apex = kit_name("big.");
	assert_int_equal(piece(b, &z), 1);
	put(b, "big.", 2, 5000);
	commit(b);
	text_clear(&b->out);
	assert_int_equal(piece(b, &z), ERR_STALE);
	assert_string_equal(b->out.chars, "; the zone has changed meanwhile: ask again\n");

	memset(&z, 0, sizeof(z));
	z.apex = kit_name("big.");
	text_clear(&b->out);
	assert_int_equal(piece(b, &z), 1);
	assert_int_equal(store_remove_zone(b->w, z.apex.wire), 0);
	commit(b);
	assert_int_equal(piece(b, &z), ERR_NOT_FOUND);
}

static void test_not_there(void **state)
{
	struct bed *b = *state;
	struct zone_stream z = {0};

	put(b, "nodata.", 0, 0);
	put(b, "a.", 1, 3);
	commit(b);
	z.apex = kit_name("nodata.");
	assert_int_equal(piece(b, &z), ERR_NOT_FOUND);
	z.apex = kit_name("b.");
	assert_int_equal(piece(b, &z), ERR_NOT_FOUND);
	z.apex = kit_name("below.a."); /* a name in a zone is no zone */
	assert_int_equal(piece(b, &z), ERR_NOT_FOUND);
	assert_int_equal(b->out.len, 0);
}

static void test_list(void **state)
{
	enum { ZONES = 3000 };
	struct bed *b = *state;
	struct zones_stream z = {.now_wall_s = INT64_MAX / 2};
	struct config_network networks[2] = {{.name = "one"}, {.name = "two"}};
	const struct config config = {.networks = networks, .network_count = 2};
	struct text all;
	json_t *list;
	int more;

	commit(b); /* no zones at all */
	struct store_snapshot s;

	store_pin(b->f.reader, &s);
	assert_int_equal(zones_stream_piece(&z, &s, &config, NULL, &b->out), 0);
	store_unpin(b->f.reader);
	assert_int_equal(b->out.len, 0);
	for (unsigned i = 0; i < ZONES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "z%04u.", i);
		put(b, name, i % 500 ? 0 : i + 1, 2);
	}
	commit(b);
	text_init(&all);
	text_char(&all, '[');
	do {
		text_clear(&b->out);
		store_pin(b->f.reader, &s);
		more = zones_stream_piece(&z, &s, &config, NULL, &b->out);
		store_unpin(b->f.reader);
		assert_true(b->out.len < ZONES_PIECE + 4096);
		text_add(&all, b->out.chars, b->out.len);
	} while (more == 1);
	text_char(&all, ']');
	assert_int_equal(more, 0);
	list = json_loadb(all.chars, all.len, JSON_REJECT_DUPLICATES, NULL);
	assert_int_equal(json_array_size(list), ZONES);
	for (unsigned i = 0; i < ZONES; i++) {
		const json_t *o = json_array_get(list, i);
		char name[16];

		snprintf(name, sizeof(name), "z%04u.", i);
		assert_string_equal(json_string_value(json_object_get(o, "name")), name);
		assert_string_equal(json_string_value(json_object_get(o, "state")), i % 500 ? "no-data" : "serving");
		assert_string_equal(json_string_value(json_object_get(o, "network")), "two");
		if (i % 500 == 0)
			assert_int_equal(json_integer_value(json_object_get(o, "serial")), i + 1);
	}
	json_decref(list);
	text_done(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_show, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_there, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
	};

	log_setup("test", LOG_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
