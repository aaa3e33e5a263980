/* SPDX-License-Identifier: BSD-2-Clause */
#include "sync/zone_list.h"

#include "base/err.h"
#include "base/log.h"
#include "proc/role.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t root_name[1] = {0};

void zone_list_free(struct zone_list *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->count; i++)
		zone_row_done(&l->rows[i]);
	arena_done(&l->arena);
	free(l->rows);
	free(l);
}

static int make_room(struct zone_list *l, size_t more)
{
	size_t cap = l->cap ? l->cap : 64;
	struct zone_row *rows;

	while (cap < l->count + more)
		cap *= 2;
	if (cap == l->cap)
		return 0;
	rows = realloc(l->rows, cap * sizeof(*rows));
	if (!rows)
		return ERR_NO_MEMORY;
	l->rows = rows;
	l->cap = cap;
	return 0;
}

int zone_list_add(struct zone_list *l, const struct zone_row *row)
{
	int err = make_room(l, 1);

	if (!err)
		l->rows[l->count++] = *row;
	return err;
}

/* apex and path are borrowed for the life of the list. */
static int add(struct zone_list *l, const uint8_t *apex, const char *path, uint32_t network, uint32_t slot)
{
	return zone_list_add(l, &(struct zone_row){.apex = apex, .path = path, .network = network, .slot = slot, .watched = true});
}

int zone_row_member(struct zone_row *row, const uint8_t *apex)
{
	size_t len = name_len(apex);
	uint8_t *own = malloc(len);

	if (!own)
		return ERR_NO_MEMORY;
	memcpy(own, apex, len);
	row->apex = own;
	row->member = true;
	return 0;
}

void zone_row_done(struct zone_row *row)
{
	free(row->error);
	if (row->member)
		free((void *)(uintptr_t)row->apex);
}

static int add_file(struct zone_list *l, const struct name *apex, const char *path)
{
	const char *kept = arena_strdup(&l->arena, path);
	struct name lower;
	const uint8_t *wire;

	name_lower(&lower, apex->wire);
	wire = arena_dup(&l->arena, lower.wire, lower.len);
	return arena_ok(&l->arena) ? add(l, wire, kept, UINT32_MAX, UINT32_MAX) : ERR_NO_MEMORY;
}

static int order(const void *a, const void *b)
{
	return name_compare(((const struct zone_row *)a)->apex, ((const struct zone_row *)b)->apex);
}

/* Most lists are made by programs, from what is in order. */
static bool in_order(const struct zone_list *l)
{
	for (size_t i = 1; i < l->count; i++)
		if (order(&l->rows[i - 1], &l->rows[i]) >= 0)
			return false;
	return true;
}

/* The first octets of a name as canonical order sees it, without the labels that all have in common: comparing these instead of names, where they
 * differ, makes sorting 100,000 several times faster. */
struct sort_key {
	uint64_t high, low;
	const struct zone_row *row;
};

/* False: the name has a label with a zero octet in it, which here closes labels. */
static bool make_key(const struct zone_row *row, unsigned common, struct sort_key *k)
{
	unsigned labels = name_labels(row->apex), n = 0;
	uint8_t octets[16] = {0};
	uint64_t words[2];

	for (unsigned i = common; i < labels; i++) {
		const uint8_t *label = name_suffix(row->apex, i + 1);

		if (memchr(label + 1, 0, label[0]))
			return false;
		for (unsigned c = 0; c < label[0] && n < sizeof(octets); c++)
			octets[n++] = label[1 + c];
		if (n < sizeof(octets))
			n++;
	}
	memcpy(words, octets, sizeof(words));
	*k = (struct sort_key){.high = be64toh(words[0]), .low = be64toh(words[1]), .row = row};
	return true;
}

static int order_keys(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;

	if (x->high != y->high)
		return x->high < y->high ? -1 : 1;
	if (x->low != y->low)
		return x->low < y->low ? -1 : 1;
	return order(x->row, y->row);
}

static bool sort_by_keys(struct zone_list *l)
{
	struct sort_key *keys = malloc(l->count * sizeof(*keys));
	struct zone_row *rows = malloc(l->cap * sizeof(*rows));
	unsigned common = name_labels(l->rows[0].apex);
	bool good = keys && rows;

	for (size_t i = 1; i < l->count && common; i++)
		common = MIN(common, name_common_labels(l->rows[0].apex, l->rows[i].apex));
	for (size_t i = 0; good && i < l->count; i++)
		good = make_key(&l->rows[i], common, &keys[i]);
	if (good) {
		qsort(keys, l->count, sizeof(*keys), order_keys);
		for (size_t i = 0; i < l->count; i++)
			rows[i] = *keys[i].row;
	}
	free(keys);
	if (!good) {
		free(rows);
		return false;
	}
	free(l->rows);
	l->rows = rows;
	return true;
}

void zone_list_sort(struct zone_list *l)
{
	if (l->count && !in_order(l) && !sort_by_keys(l))
		qsort(l->rows, l->count, sizeof(*l->rows), order);
}

uint32_t zone_list_slot(const struct zone_list *l, uint32_t network)
{
	for (size_t k = 0; l->node && k < l->node->network_count; k++)
		if (l->node->networks[k] == network)
			return (uint32_t)k;
	return UINT32_MAX;
}

/* Has each network a pop that would transfer zones from this node? */
static void find_followers(const struct role *role, bool follows[CONFIG_NETWORKS_MAX])
{
	const struct config *c = role->config;

	for (size_t i = 0; role->node->role == CONFIG_PRIMARY && i < c->node_count; i++)
		for (size_t k = 0; c->nodes[i].role == CONFIG_POP && k < c->nodes[i].network_count; k++)
			follows[c->nodes[i].networks[k] % CONFIG_NETWORKS_MAX] = true;
}

static int by_name(const void *a, const void *b)
{
	return name_compare(*(const uint8_t *const *)a, *(const uint8_t *const *)b);
}

static int find_edge(const struct config *c, struct zone_list *l)
{
	size_t count = 0;

	for (size_t i = 0; c->backend_count && i < c->zone_count; i++)
		count += config_zone_is_edge(&c->zones[i]);
	if (!count)
		return 0;
	l->edge = arena_zalloc(&l->arena, count * sizeof(*l->edge));
	if (!l->edge)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < c->zone_count; i++)
		if (config_zone_is_edge(&c->zones[i]))
			l->edge[l->edge_count++] = c->zones[i].apex;
	qsort(l->edge, l->edge_count, sizeof(*l->edge), by_name);
	return 0;
}

bool zone_list_is_edge(const struct zone_list *l, const uint8_t *apex)
{
	return l->edge_count && bsearch(&apex, l->edge, l->edge_count, sizeof(*l->edge), by_name);
}

static int from_config(const struct role *role, struct zone_list *l)
{
	bool follows[CONFIG_NETWORKS_MAX] = {false};
	const struct config *c = role->config;
	int err = find_edge(c, l);

	l->from = c;
	l->node = role->node;
	find_followers(role, follows);
	for (size_t i = 0; !err && i < c->zone_count; i++) {
		const struct config_zone *z = &c->zones[i];
		struct endpoint source;
		bool held;

		/* A PoP serves the zones of its networks and no others; a primary has all. None is held here that others answer for. */
		if (config_zone_is_edge(z) || !config_node_serves(role->node, z))
			continue;
		held = config_zone_sources(c, role->node, z, &source, 1) > 0;
		err = add(l, z->apex, held ? NULL : z->file, z->network, zone_list_slot(l, z->network));
		if (!err) {
			l->rows[l->count - 1].held = held;
			l->rows[l->count - 1].serve_expired = z->at_expiry == CONFIG_EXPIRY_SERVE;
			l->rows[l->count - 1].conf = z;
			l->rows[l->count - 1].watched = z->watch;
			l->rows[l->count - 1].followed = z->allow_transfer_count || z->notify_count ||
			                                 (z->network < CONFIG_NETWORKS_MAX && follows[z->network]);
		}
	}
	return err;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "a%2fb.example" to a name; the octet behind %XX is never special. */
static int name_of_file(const char *stem, size_t len, struct name *out)
{
	char text[NAME_TEXT_MAX];
	size_t n = 0;

	if (len == 4 && memcmp(stem, "root", 4) == 0) {
		name_copy(out, root_name);
		return 0;
	}
	for (size_t i = 0; i < len; i++) {
		if (n + 5 > sizeof(text))
			return ERR_LIMIT;
		if (stem[i] == '%' && i + 2 < len && hex(stem[i + 1]) >= 0 && hex(stem[i + 2]) >= 0) {
			n += (size_t)snprintf(text + n, sizeof(text) - n, "\\%03d", hex(stem[i + 1]) * 16 + hex(stem[i + 2]));
			i += 2;
		} else {
			text[n++] = stem[i];
		}
	}
	return name_from_text(text, n, root_name, out);
}

static int from_folder(const char *dir, struct zone_list *l)
{
	static const char suffix[] = ".zone";
	DIR *d = opendir(dir);
	struct dirent *e;
	int err = 0;

	if (!d)
		return -errno;
	while (!err && (e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);
		struct name apex;
		char path[1024];

		if (len <= sizeof(suffix) - 1 || strcmp(e->d_name + len - (sizeof(suffix) - 1), suffix) != 0)
			continue;
		if (name_of_file(e->d_name, len - (sizeof(suffix) - 1), &apex) < 0) {
			log_err("zone file=%s/%s error=\"the file's name is not a domain name; call it NAME.zone\"", dir, e->d_name);
			continue;
		}
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= sizeof(path))
			continue;
		err = add_file(l, &apex, path);
	}
	closedir(d);
	return err;
}

int zone_list_make(const struct role *role, struct zone_list **out)
{
	struct zone_list *l = calloc(1, sizeof(*l));
	size_t kept = 0;
	int err;

	if (!l)
		return ERR_NO_MEMORY;
	arena_init(&l->arena, 0);
	err = role->config ? from_config(role, l) : from_folder(role->brief.zones_dir, l);
	if (err < 0) {
		zone_list_free(l);
		return err;
	}
	zone_list_sort(l);
	for (size_t i = 0; i < l->count; i++) {
		if (kept && name_equal(l->rows[kept - 1].apex, l->rows[i].apex)) {
			log_err("zone file=%s error=\"the zone is there already, from %s\"", l->rows[i].path ? l->rows[i].path : "-",
			        l->rows[kept - 1].path ? l->rows[kept - 1].path : "-");
			continue;
		}
		l->rows[kept++] = l->rows[i];
	}
	l->count = kept;
	*out = l;
	return 0;
}

struct zone_row *zone_list_find(const struct zone_list *l, const uint8_t *apex)
{
	struct zone_row key = {.apex = apex};

	return l->count ? bsearch(&key, l->rows, l->count, sizeof(*l->rows), order) : NULL;
}

int zone_list_merge(struct zone_list *l, struct zone_row *rows, size_t count)
{
	size_t kept = 0, from, to;
	int err = make_room(l, count);

	if (err)
		return err;
	for (size_t i = 0; i < l->count; i++) {
		if (l->rows[i].dropped)
			zone_row_done(&l->rows[i]);
		else
			l->rows[kept++] = l->rows[i];
	}
	l->count = kept + count;
	if (count)
		qsort(rows, count, sizeof(*rows), order);
	/* From behind, so that nothing has to be put aside. */
	for (from = kept, to = kept + count; count;)
		l->rows[--to] =
			from && order(&l->rows[from - 1], &rows[count - 1]) > 0 ? l->rows[--from] : rows[--count];
	return 0;
}
