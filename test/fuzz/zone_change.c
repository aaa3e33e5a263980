/* SPDX-License-Identifier: BSD-2-Clause */
/* Three zone files, parted by lines ";;;": a zone, a second version of it, and records to add to the second. The second version is reached by the difference and
 * must be what a whole build of it is. Then the records of the first that the second does not have are deleted again, and the third file's are added, which
 * is refused or makes what a whole build of the same records makes, fit by the rules of zone_check(). */
#include "base/diag.h"
#include "zone/check.h"
#include "zone/content.h"
#include "zone/difference.h"
#include "zone/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 2000 };

static const uint8_t apex[] = "\x07" "example";
static const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = 1, .source = "fuzz"};
static struct store_writer *changed, *built;
static char folder[64];

static void must(bool fine)
{
	if (!fine)
		abort();
}

static void clean_up(void)
{
	static const char *const files[] = {"changed", "changed.lock", "built", "built.lock"};
	char path[100];

	store_writer_close(changed);
	store_writer_close(built);
	for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
		unlink(path);
	}
	rmdir(folder);
}

/* Was it made anew? */
static bool open_store(const char *name, struct store_writer **w)
{
	struct store_open_info info;
	char path[100];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	must(store_writer_open(path, NULL, 0, w, &info) == 0);
	return info.fresh;
}

static void open_stores(void)
{
	snprintf(folder, sizeof(folder), "%s/zonecast-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	must(mkdtemp(folder) != NULL);
	must(open_store("changed", &changed) && open_store("built", &built));
	atexit(clean_up);
}

static int take(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	return content_record_count(ctx) > RECORDS_MAX ? -1 : content_add(ctx, rr, place);
}

/* The text up to the next line ";;;", which is skipped. */
static struct content *load(const char **text, const char *end)
{
	struct content *c = content_new(apex);
	struct zonefile_options o = {.origin = apex, .rclass = CLASS_IN, .on_record = take, .ctx = c};
	const char *stop = memmem(*text, (size_t)(end - *text), "\n;;;\n", 5);
	const char *from = *text;
	struct diag diag;

	must(c != NULL);
	diag_init(&diag);
	*text = stop ? stop + 5 : end;
	if (zonefile_parse_bytes("fuzz", from, (size_t)((stop ? stop + 1 : end) - from), false, &o, &diag) < 0) {
		/* What could be read stands for the file. */
	}
	must(content_finish(c) == 0);
	diag_done(&diag);
	return c;
}

static bool is_fit(const struct content *c)
{
	struct diag diag;
	bool fit;

	diag_init(&diag);
	zone_check(c, &diag);
	fit = !diag.errors;
	diag_done(&diag);
	return fit;
}

static const struct store_zone *zone_of(struct store_writer *w, struct store_snapshot *s)
{
	store_writer_snapshot(w, s);
	return store_zone_get(s, apex);
}

static void same_set(const struct store_snapshot *s, store_ref a, const struct store_snapshot *t, store_ref b)
{
	const struct store_rrset *x = store_at(s, a), *y = store_at(t, b);

	must(!x == !y);
	if (!x)
		return;
	must(x->type == y->type && x->covers == y->covers && x->count == y->count && x->ttl == y->ttl && x->size == y->size);
	must(memcmp(x->data, y->data, x->size) == 0);
	same_set(s, x->sigs, t, y->sigs);
}

/* Both stores say the same of the zone. */
static void compare(void)
{
	const struct store_node *a = NULL, *b = NULL;
	struct store_snapshot s, t;
	const struct store_zone *x = zone_of(changed, &s), *y = zone_of(built, &t);
	const struct store_nsec3_params *p = store_at(&s, x->nsec3_params), *q = store_at(&t, y->nsec3_params);

	must(x->serial == y->serial && x->is_signed == y->is_signed && x->has_nsec == y->has_nsec && x->node_count == y->node_count &&
	     x->rrset_count == y->rrset_count && x->record_count == y->record_count);
	must(!p == !q && (!p || memcmp(p, q, sizeof(*p)) == 0));
	do {
		struct store_lookup l, k;

		a = store_node_next(&s, x, a);
		b = store_node_next(&t, y, b);
		must(!a == !b);
		if (!a)
			break;
		must(a->flags == b->flags && a->labels == b->labels && a->name_len == b->name_len && a->rrsets == b->rrsets);
		must(name_equal(store_node_name(a), store_node_name(b)));
		must((a->flags & NODE_ENT) || memcmp(store_node_name(a), store_node_name(b), a->name_len) == 0);
		for (unsigned i = 0; i < a->rrsets; i++)
			same_set(&s, a->sets[i], &t, b->sets[i]);
		store_lookup(&s, x, store_node_name(a), &l);
		store_lookup(&t, y, store_node_name(b), &k);
		must((l.node == a) == (k.node == b) && !l.cut == !k.cut && !l.dname == !k.dname && l.encloser->labels == k.encloser->labels);
	} while (a);
}

static void put(struct store_writer *w, const struct content *c)
{
	uint64_t g;

	must(store_put_zone(w, apex, c, &meta) == 0 && store_commit(w, &g) == 0);
}

static void add_set(struct content *c, const struct store_snapshot *s, const struct store_node *n, store_ref ref)
{
	const struct store_rrset *set = store_at(s, ref);
	const uint8_t *p = set->data;

	for (unsigned i = 0; i < set->count; i++, p += 2 + get_u16(p)) {
		struct rr rr = {.owner = store_node_name(n), .type = set->type, .rclass = CLASS_IN, .ttl = set->ttl, .rdlen = get_u16(p), .rdata = p + 2};

		must(content_add(c, &rr, NULL) == 0);
	}
	if (set->sigs)
		add_set(c, s, n, set->sigs);
}

/* The records of the zone as it was changed. */
static struct content *read_back(void)
{
	struct content *c = content_new(apex);
	struct store_snapshot s;
	const struct store_zone *z = zone_of(changed, &s);
	const struct store_node *n;
	struct store_walk walk;

	must(c != NULL);
	for (int nsec3 = 0; nsec3 < 2; nsec3++) {
		store_walk_init(&walk, &s, z, nsec3);
		while ((n = store_walk_next(&walk)) != NULL)
			for (unsigned i = 0; i < n->rrsets; i++)
				add_set(c, &s, n, n->sets[i]);
	}
	must(content_finish(c) == 0);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned runs;
	const char *text = (const char *)data, *end = text + size;
	struct zone_change_problem problem;
	struct zone_change change, other;
	struct content *one, *two, *more;
	struct store_snapshot s;
	uint64_t g;

	if (!changed)
		open_stores();
	one = load(&text, end);
	two = load(&text, end);
	more = load(&text, end);
	if (is_fit(one) && is_fit(two)) {
		put(changed, one);
		put(built, two);
		must(zone_difference_store(&s, zone_of(changed, &s), two, SIZE_MAX, &change) == 0);
		must(store_change_zone(changed, apex, &change, &meta, &problem) == 0 && store_commit(changed, &g) == 0);
		compare();
		must(zone_difference_store(&s, zone_of(changed, &s), two, SIZE_MAX, &other) == 0 && !zone_change_size(&other));
		zone_change_done(&other);
		/* As a primary might that has lost its way. */
		other = (struct zone_change){.removed = change.removed, .added = more};
		for (unsigned i = 0; i < 2; i++) {
			int err = store_change_zone(changed, apex, &other, &meta, &problem);
			struct content *now;

			must(err == 0 || (err == -1006 && problem.text[0]));
			must(store_commit(changed, &g) == 0);
			now = read_back();
			must(is_fit(now));
			put(built, now);
			compare();
			content_free(now);
			other.removed = change.added;
		}
		zone_change_done(&change);
	}
	content_free(one);
	content_free(two);
	content_free(more);
	if (++runs % 64 == 0) {
		store_writer_close(changed);
		must(!open_store("changed", &changed));
	}
	return 0;
}
