/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/zones.h"

#include "base/err.h"
#include "dns/rr.h"
#include "zone/print_store.h"
#include "zone/zonemd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Frees o; NULL: there was no memory for it. */
static int add(json_t *o, struct text *out)
{
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text)
		return ERR_NO_MEMORY;
	text_str(out, text);
	free(text);
	return out->failed ? ERR_NO_MEMORY : 0;
}

static int add_zone(const struct store_zone *z, const struct config *config, int64_t now_wall_s, struct text *out)
{
	char name[NAME_TEXT_MAX];
	json_t *o;

	name_to_text(store_zone_apex(z), name);
	o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:b, s:I}", "name", name, "state", z->state == STORE_ZONE_SERVING ? "serving" : "no-data",
	              "serial", (json_int_t)z->serial, "records", (json_int_t)z->record_count, "bytes", (json_int_t)z->bytes, "signed",
	              z->is_signed, "age_s", (json_int_t)(now_wall_s - z->loaded_wall_s));
	if (o && config && z->network < config->network_count)
		json_object_set_new(o, "network", json_string(config->networks[z->network].name));
	return add(o, out);
}

static int add_edge_zone(const struct config_zone *z, const struct config *config, struct text *out)
{
	char name[NAME_TEXT_MAX];
	json_t *o;

	name_to_text(z->apex, name);
	o = json_pack("{s:s, s:s, s:s}", "name", name, "state", "backends", "backends", config->backends[z->backends].name);
	if (o && z->network < config->network_count)
		json_object_set_new(o, "network", json_string(config->networks[z->network].name));
	return add(o, out);
}

const char *zones_backends(const struct config *config, const char *zone)
{
	static const uint8_t root[1] = {0};
	struct name n;

	if (!config || !config->backend_count || name_from_text(zone, strlen(zone), root, &n) < 0)
		return NULL;
	for (size_t i = 0; i < config->zone_count; i++)
		if (config_zone_is_edge(&config->zones[i]) && name_equal(config->zones[i].apex, n.wire))
			return config->backends[config->zones[i].backends].name;
	return NULL;
}

static int edge_piece(struct zones_stream *z, const struct config *config, struct text *out)
{
	for (; config && z->edge < config->zone_count; z->edge++) {
		int err;

		if (!config_zone_is_edge(&config->zones[z->edge]) || !config_node_serves(z->node, &config->zones[z->edge]))
			continue;
		if (out->len >= ZONES_PIECE)
			return 1;
		if (z->begun)
			text_char(out, ',');
		z->begun = true;
		err = add_edge_zone(&config->zones[z->edge], config, out);
		if (err < 0)
			return err;
	}
	return 0;
}

int zones_stream_piece(struct zones_stream *z, const struct store_snapshot *s, const struct config *config, struct text *out)
{
	const struct store_zone *zone;

	while ((zone = store_zone_next(s, z->started ? z->last.wire : NULL)) != NULL) {
		int err;

		if (out->len >= ZONES_PIECE)
			return 1;
		if (z->started)
			text_char(out, ',');
		err = add_zone(zone, config, z->now_wall_s, out);
		if (err < 0)
			return err;
		name_copy(&z->last, store_zone_apex(zone));
		z->started = z->begun = true;
	}
	return edge_piece(z, config, out);
}

/* Of one pin. False: that was the last zone, or the page is full. */
static bool page_piece(struct zones_page *p, const struct store_snapshot *s, const struct config *config, uint64_t *told, struct text *out)
{
	const struct store_zone *zone;

	for (int n = 0; n < ZONES_PIECE_ZONES; n++) {
		char name[NAME_TEXT_MAX];

		zone = store_zone_next(s, p->begun ? p->after.wire : NULL);
		p->more = zone && *told >= p->limit;
		if (!zone || p->more)
			return false;
		name_copy(&p->after, store_zone_apex(zone));
		p->begun = true;
		name_to_text(store_zone_apex(zone), name);
		if (*p->match && !strstr(name, p->match))
			continue;
		if ((*told)++)
			text_char(out, ',');
		if (add_zone(zone, config, p->now_wall_s, out) < 0)
			return false;
	}
	p->more = true;
	return true;
}

int zones_page(struct zones_page *p, struct store_reader *reader, const struct config *config, struct text *out)
{
	struct store_snapshot s;
	uint64_t told = 0;
	bool on = true;

	for (int n = 0; on && n < ZONES_LOOKED_AT / ZONES_PIECE_ZONES; n++) {
		store_pin(reader, &s);
		on = page_piece(p, &s, config, &told, out);
		store_unpin(reader);
	}
	return out->failed ? ERR_NO_MEMORY : 0;
}

static const struct store_node *resume(const struct zone_stream *z, const struct store_snapshot *s, const struct store_zone *zone)
{
	struct store_lookup l;

	if (z->last_is_nsec3)
		return store_nsec3_node(s, zone, z->last.wire);
	store_lookup(s, zone, z->last.wire, &l);
	return l.node;
}

/* The ZONEMD record that stands for this version: in hexadecimal, with the algorithm. */
static void add_zonemd(json_t *o, const struct store_snapshot *s, const struct store_zone *zone)
{
	const struct store_rrset *set = store_rrset_of(s, store_at(s, zone->apex), RR_ZONEMD);
	const uint8_t *p = set ? set->data : NULL;
	char text[2 * ZONEMD_DIGEST_OCTETS_MAX + 1];

	for (unsigned i = 0; set && i < set->count; p += 2 + get_u16(p), i++) {
		const uint8_t *rdata = p + 2;
		unsigned len = get_u16(p) > 6 ? zonemd_digest_len(rdata[5]) : 0;

		if (!len || get_u16(p) != 6 + len || get_u32(rdata) != zone->serial || rdata[4] != 1)
			continue;
		for (unsigned k = 0; k < len; k++)
			snprintf(text + 2 * k, 3, "%02x", rdata[6 + k]);
		json_object_set_new(o, len == 48 ? "zonemd_sha384" : "zonemd_sha512", json_string(text));
	}
}

static int add_digest(const struct zone_stream *z, const struct store_snapshot *s, const struct store_zone *zone, struct text *out)
{
	char name[NAME_TEXT_MAX], digest[ZONE_DIGEST_TEXT_MAX], *text;
	json_t *o;

	name_to_text(store_zone_apex(zone), name);
	o = json_pack("{s:s, s:I, s:I, s:s}", "zone", name, "serial", (json_int_t)zone->serial, "records", (json_int_t)zone->record_count, "digest",
	              zone_digest_text(&z->sum, digest));
	if (o)
		add_zonemd(o, s, zone);
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	if (text)
		text_fmt(out, "%s\n; end\n", text);
	free(text);
	return text && !out->failed ? 0 : ERR_NO_MEMORY;
}

int zone_stream_piece(struct zone_stream *z, const struct store_snapshot *s, struct text *out)
{
	const struct store_zone *zone = store_zone_get(s, z->apex.wire);
	const struct store_node *n = NULL;

	if (!zone || zone->state != STORE_ZONE_SERVING)
		return ERR_NOT_FOUND;
	if (z->started) {
		n = zone->generation == z->generation ? resume(z, s, zone) : NULL;
		if (!n) {
			text_str(out, "; the zone has changed meanwhile: ask again\n");
			return ERR_STALE;
		}
	}
	z->started = true;
	z->generation = zone->generation;
	if (z->digest) {
		int err = zone_digest_nodes(s, zone, &n, ZONES_PIECE_RECORDS, &z->sum);

		if (err)
			return err;
		if (!n)
			return add_digest(z, s, zone, out);
		name_copy(&z->last, store_node_name(n));
		z->last_is_nsec3 = n->flags & NODE_NSEC3;
		text_str(out, "; more\n");
		return 1;
	}
	while ((n = store_node_next(s, zone, n)) != NULL) {
		zone_print_node(out, s, n);
		if (out->len >= ZONES_PIECE) {
			name_copy(&z->last, store_node_name(n));
			z->last_is_nsec3 = n->flags & NODE_NSEC3;
			return 1;
		}
	}
	text_str(out, "; end\n");
	return 0;
}
