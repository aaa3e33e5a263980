/* SPDX-License-Identifier: BSD-2-Clause */
/* storedump STORE FILE ORIGIN: load the zone file into a store, close it, open it again as a reader and print the zone from there; every
 * name printed is also looked up, and its neighbours are checked. */
#include "base/diag.h"
#include "base/err.h"
#include "zone/content.h"
#include "zone/print_store.h"
#include "zone/store.h"

#include <stdio.h>
#include <string.h>

static _Atomic uint64_t pin;

static int load(const char *store, const char *file, const uint8_t *apex)
{
	_Atomic uint64_t *pins[1] = {&pin};
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = UINT32_MAX, .source = "test"};
	struct store_open_info info;
	struct store_writer *w;
	struct content *c;
	struct diag diag;
	uint64_t g;
	int err;

	diag_init(&diag);
	err = zone_load_file(file, apex, NULL, &diag, &c);
	diag_done(&diag);
	if (err)
		return err;
	atomic_store(&pin, STORE_UNPINNED);
	err = store_writer_open(store, pins, 1, &w, &info);
	if (!err)
		err = store_put_zone(w, apex, c, &meta);
	if (!err)
		err = store_commit(w, &g);
	if (!err) {
		store_writer_close(w);
		err = store_writer_open(store, pins, 1, &w, &info);
		if (!err && (info.fresh || !info.zones))
			err = ERR_STALE;
	}
	if (!err)
		store_writer_close(w);
	content_free(c);
	return err;
}

int main(int argc, char **argv)
{
	static const uint8_t root[1] = {0};
	const struct store_node *n = NULL;
	const struct store_zone *z;
	struct store_snapshot s;
	struct store_reader *r;
	struct name apex;
	struct text t;
	int err, bad = 0;

	if (argc != 4 || name_from_text(argv[3], strlen(argv[3]), root, &apex) < 0)
		return 2;
	err = load(argv[1], argv[2], apex.wire);
	if (!err)
		err = store_reader_open(argv[1], &pin, &r);
	if (err) {
		fprintf(stderr, "%s\n", err_text(err));
		return 1;
	}
	text_init(&t);
	store_pin(r, &s);
	z = store_zone_find(&s, apex.wire, false);
	while (z && (n = store_node_next(&s, z, n)) != NULL) {
		struct store_lookup l;

		zone_print_node(&t, &s, n);
		if (t.len > 1 << 16) {
			fwrite(t.chars, 1, t.len, stdout);
			text_clear(&t);
		}
		if (n->flags & NODE_NSEC3)
			continue;
		store_lookup(&s, z, store_node_name(n), &l);
		if (l.node != n || l.encloser != n)
			bad++;
	}
	fwrite(t.chars, 1, t.len, stdout);
	text_done(&t);
	store_unpin(r);
	store_reader_close(r);
	if (bad || !z)
		fprintf(stderr, "%d names not found again\n", bad);
	return bad || !z;
}
