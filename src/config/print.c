/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration as YAML in normal form: rows in the order of the schema, defaults written out, absolute paths, all text in quotes
 * where YAML could read it otherwise. What it prints reads back to the same configuration. */
#include "base/text.h"
#include "config/config.h"
#include "config/read.h"
#include "config/schema.h"
#include "dns/rr.h"

#include <stdlib.h>
#include <string.h>

static void print_map(const struct config *c, const struct schema_map *map, const char *base, unsigned indent,
                      bool in_item, struct text *out);

static void spaces(struct text *out, unsigned n)
{
	while (n--)
		text_char(out, ' ');
}

static void quoted(struct text *out, const char *s)
{
	text_char(out, '"');
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '"' || ch == '\\')
			text_fmt(out, "\\%c", ch);
		else if (ch < 0x20 || ch == 0x7f)
			text_fmt(out, "\\x%02x", ch);
		else
			text_char(out, (char)ch);
	}
	text_char(out, '"');
}

static uint32_t number(const struct schema_row *row, const char *at)
{
	uint8_t v8;
	uint16_t v16;
	uint32_t v32;

	switch (row->width) {
	case 1:
		memcpy(&v8, at, 1);
		return v8;
	case 2:
		memcpy(&v16, at, 2);
		return v16;
	default:
		memcpy(&v32, at, 4);
		return v32;
	}
}

static void print_time(uint32_t ms, struct text *out)
{
	if (ms && ms % 3600000 == 0)
		text_fmt(out, "%uh", ms / 3600000);
	else if (ms && ms % 60000 == 0)
		text_fmt(out, "%um", ms / 60000);
	else if (ms % 1000 == 0)
		text_fmt(out, "%us", ms / 1000);
	else
		text_fmt(out, "%ums", ms);
}

/* The short form where it says all. */
static void print_server(const struct config *c, const struct endpoint *e, struct text *out)
{
	char buf[ENDPOINT_TEXT_MAX];

	if (!e->tls) {
		quoted(out, e->port ? endpoint_text(e, buf) : addr_text(&e->addr, buf));
		return;
	}
	text_str(out, "{address: ");
	quoted(out, addr_text(&e->addr, buf));
	if (e->port)
		text_fmt(out, ", port: %u", e->port);
	text_str(out, ", tls: ");
	quoted(out, c->tls_auth[e->tls - 1].name);
	text_char(out, '}');
}

static void print_value(const struct config *c, const struct schema_row *row, const char *at, struct text *out)
{
	char buf[NAME_TEXT_MAX];
	const char *s;
	double d;
	bool b;
	uint32_t v;
	uint16_t type;

	switch (row->type) {
	case SCHEMA_BOOL:
		memcpy(&b, at, sizeof(b));
		text_str(out, b ? "true" : "false");
		break;
	case SCHEMA_UINT:
		text_fmt(out, "%u", number(row, at));
		break;
	case SCHEMA_TIME:
		memcpy(&v, at, sizeof(v));
		print_time(v, out);
		break;
	case SCHEMA_SIZE:
		memcpy(&v, at, sizeof(v));
		text_fmt(out, "%uKiB", v >> 10);
		break;
	case SCHEMA_RRTYPE:
		memcpy(&type, at, sizeof(type));
		text_str(out, rrtype_text(type, buf));
		break;
	case SCHEMA_DEGREES:
		memcpy(&d, at, sizeof(d));
		text_fmt(out, "%.9f", d);
		break;
	case SCHEMA_WORD:
		quoted(out, row->words[number(row, at)]);
		break;
	case SCHEMA_IDENT:
	case SCHEMA_TEXT:
	case SCHEMA_DIR:
	case SCHEMA_FILE:
		memcpy(&s, at, sizeof(s));
		quoted(out, s);
		break;
	case SCHEMA_ADDR:
	case SCHEMA_NEXT_HOP:
		quoted(out, addr_text((const struct ip_addr *)(const void *)at, buf));
		break;
	case SCHEMA_PREFIX:
		quoted(out, prefix_text((const struct ip_prefix *)(const void *)at, buf));
		break;
	case SCHEMA_ENDPOINT:
		quoted(out, endpoint_text((const struct endpoint *)(const void *)at, buf));
		break;
	case SCHEMA_SERVER:
		print_server(c, (const struct endpoint *)(const void *)at, out);
		break;
	case SCHEMA_ROUTER_ID:
		v = number(row, at);
		text_fmt(out, "\"%u.%u.%u.%u\"", v >> 24, v >> 16 & 255, v >> 8 & 255, v & 255);
		break;
	case SCHEMA_COMMUNITY:
		v = number(row, at);
		text_fmt(out, "\"%u:%u\"", v >> 16, v & 65535);
		break;
	case SCHEMA_LARGE_COMMUNITY: {
		const struct config_large_community *l = (const struct config_large_community *)(const void *)at;

		text_fmt(out, "\"%u:%u:%u\"", l->global, l->local1, l->local2);
		break;
	}
	case SCHEMA_DOMAIN:
		memcpy(&s, at, sizeof(s));
		name_to_text((const uint8_t *)s, buf);
		quoted(out, buf);
		break;
	case SCHEMA_NETWORK:
		quoted(out, c->networks[number(row, at)].name);
		break;
	case SCHEMA_KEY:
		quoted(out, c->keys[number(row, at)].name);
		break;
	case SCHEMA_TLS:
		quoted(out, c->tls_auth[number(row, at)].name);
		break;
	case SCHEMA_POOL:
		quoted(out, c->pools[number(row, at)].name);
		break;
	case SCHEMA_NODE:
		quoted(out, c->nodes[number(row, at)].name);
		break;
	case SCHEMA_COUNTRY:
	case SCHEMA_CONTINENT:
		memcpy(&type, at, sizeof(type));
		text_fmt(out, "\"%c%c\"", type >> 8, type & 255);
		break;
	case SCHEMA_BACKENDS:
		quoted(out, c->backends[number(row, at)].name);
		break;
	case SCHEMA_FAMILIES:
	case SCHEMA_LINK_ADDR:
	case SCHEMA_MAP:
		break; /* not single values */
	}
}

/* True when the member at row->at says nothing: the key is left out, and reading gives the same. */
static bool is_unset(const struct schema_row *row, const char *base)
{
	const char *at = base + row->at;
	const void *p;
	size_t n;
	bool on;

	if (row->list && row->type != SCHEMA_FAMILIES && row->type != SCHEMA_NEXT_HOP) {
		memcpy(&n, base + row->count_at, sizeof(n));
		return n == 0;
	}
	if (row->flag_at && row->type != SCHEMA_FAMILIES) {
		memcpy(&on, base + row->flag_at, sizeof(on));
		return !on;
	}
	switch (row->type) {
	case SCHEMA_IDENT:
	case SCHEMA_TEXT:
	case SCHEMA_DIR:
	case SCHEMA_FILE:
	case SCHEMA_DOMAIN:
		memcpy(&p, at, sizeof(p));
		return !p;
	case SCHEMA_ADDR:
		return ((const struct ip_addr *)(const void *)at)->family == 0;
	case SCHEMA_NEXT_HOP:
		return ((const struct ip_addr *)(const void *)at)->family == 0 &&
		       ((const struct ip_addr *)(const void *)(base + row->count_at))->family == 0;
	case SCHEMA_NETWORK:
	case SCHEMA_KEY:
	case SCHEMA_TLS:
	case SCHEMA_POOL:
	case SCHEMA_BACKENDS:
		return number(row, at) == UINT32_MAX;
	default:
		return false;
	}
}

static void print_list(const struct config *c, const struct schema_row *row, const char *base, unsigned indent,
                       struct text *out)
{
	const char *items;
	size_t count;

	memcpy(&items, base + row->at, sizeof(items));
	memcpy(&count, base + row->count_at, sizeof(count));
	text_str(out, row->type == SCHEMA_MAP ? "\n" : " [");
	for (size_t i = 0; i < count; i++) {
		const char *item = items + i * config_item_size(row);

		if (row->type == SCHEMA_MAP) {
			spaces(out, indent + 2);
			text_str(out, "- ");
			print_map(c, row->map, item, indent + 4, true, out);
		} else {
			text_str(out, i ? ", " : "");
			print_value(c, row, item, out);
		}
	}
	if (row->type != SCHEMA_MAP)
		text_str(out, "]\n");
}

/* Two members that are one list in the file. */
static void print_pair(const struct config *c, const struct schema_row *row, const char *base, struct text *out)
{
	const char *sep = "";
	bool on[2];

	text_str(out, " [");
	if (row->type == SCHEMA_FAMILIES) {
		memcpy(&on[0], base + row->at, sizeof(bool));
		memcpy(&on[1], base + row->flag_at, sizeof(bool));
		text_str(out, on[0] && on[1] ? "ipv4, ipv6" : on[0] ? "ipv4" : "ipv6");
	} else {
		for (int i = 0; i < 2; i++) {
			const char *at = base + (i ? row->count_at : row->at);

			if (((const struct ip_addr *)(const void *)at)->family) {
				text_str(out, sep);
				print_value(c, row, at, out);
				sep = ", ";
			}
		}
	}
	text_str(out, "]\n");
}

void config_print_item(const struct config *c, const struct schema_row *row, const void *item, struct text *out)
{
	if (row->type == SCHEMA_MAP)
		print_map(c, row->map, item, 0, false, out);
	else
		print_value(c, row, item, out);
}

bool config_row_unset(const struct schema_row *row, const void *base)
{
	return is_unset(row, base);
}

/* The interface by the name that is in the file: on this machine there may be none. */
static void print_link_addr(const struct schema_row *row, const char *base, struct text *out)
{
	struct ip_addr a = *(const struct ip_addr *)(const void *)(base + row->at);
	char buf[ADDR_TEXT_MAX];
	const char *name;

	memcpy(&name, base + row->count_at, sizeof(name));
	a.zone = 0;
	text_fmt(out, "\"%s%s%s\"", addr_text(&a, buf), name ? "%" : "", name ? name : "");
}

void config_print_row(const struct config *c, const struct schema_row *row, const void *base, struct text *out)
{
	if (is_unset(row, base))
		return;
	if (row->type == SCHEMA_FAMILIES || row->type == SCHEMA_NEXT_HOP)
		print_pair(c, row, base, out);
	else if (row->type == SCHEMA_LINK_ADDR)
		print_link_addr(row, base, out);
	else if (row->list)
		print_list(c, row, base, 0, out);
	else if (row->type == SCHEMA_MAP)
		print_map(c, row->map, (const char *)base + row->at, 0, false, out);
	else
		print_value(c, row, (const char *)base + row->at, out);
}

static void print_map(const struct config *c, const struct schema_map *map, const char *base, unsigned indent,
                      bool in_item, struct text *out)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct schema_row *row = &map->rows[i];

		if (is_unset(row, base))
			continue;
		/* The first key of an item stands behind its dash. */
		if (!in_item)
			spaces(out, indent);
		in_item = false;
		text_fmt(out, "%s:", row->key);
		if (row->type == SCHEMA_FAMILIES || row->type == SCHEMA_NEXT_HOP) {
			print_pair(c, row, base, out);
		} else if (row->type == SCHEMA_LINK_ADDR) {
			text_char(out, ' ');
			print_link_addr(row, base, out);
			text_char(out, '\n');
		} else if (row->list) {
			print_list(c, row, base, indent, out);
		} else if (row->type == SCHEMA_MAP) {
			size_t before;

			text_char(out, '\n');
			before = out->len;
			print_map(c, row->map, base + row->at, indent + 2, false, out);
			if (out->len == before) { /* nothing inside is set */
				out->len--;
				text_str(out, " {}\n");
			}
		} else {
			text_char(out, ' ');
			print_value(c, row, base + row->at, out);
			text_char(out, '\n');
		}
	}
}

void config_print(const struct config *c, struct text *out)
{
	print_map(c, &schema_root, (const char *)c, 0, false, out);
}

/* Those of c that have backends, and that the node (NULL: any) serves. Copied; freed by the caller. */
static struct config_zone *edge_zones(const struct config *c, const struct config_node *node, size_t *count,
                                      struct text *out)
{
	struct config_zone *zones = NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->zone_count; i++)
		n += config_zone_is_edge(&c->zones[i]) && config_node_serves(node, &c->zones[i]);
	zones = n ? calloc(n, sizeof(*zones)) : NULL;
	if (n && !zones)
		out->failed = true;
	*count = zones ? n : 0;
	n = 0;
	for (size_t i = 0; zones && i < c->zone_count; i++)
		if (config_zone_is_edge(&c->zones[i]) && config_node_serves(node, &c->zones[i]))
			zones[n++] = c->zones[i];
	return zones;
}

/* Of servers that are spoken to over TLS, these roles speak to backends alone: what the other entries say is not theirs to know. */
static void slim_tls_auth(struct config *slim, struct config_tls_auth list[CONFIG_TLS_AUTH_MAX])
{
	for (size_t i = 0; i < slim->tls_auth_count && i < CONFIG_TLS_AUTH_MAX; i++)
		list[i] = config_tls_of_backends(slim, i) ? slim->tls_auth[i]
		                                          : (struct config_tls_auth){.name = slim->tls_auth[i].name,
		                                                                     .mode = CONFIG_TLS_OPPORTUNISTIC};
	slim->tls_auth = list;
}

void config_print_without_zones(const struct config *c, struct text *out)
{
	struct config_tls_auth tls_auth[CONFIG_TLS_AUTH_MAX];
	struct config slim = *c;

	slim_tls_auth(&slim, tls_auth);
	slim.catalog_count = 0;
	slim.zones = edge_zones(c, NULL, &slim.zone_count, out);
	config_print(&slim, out);
	free(slim.zones);
}

/* Of rules that go by nodes those of this one, which then has the place 0; of pools not who checks them. */
static void slim_steering(struct config *slim, const struct config *c, const struct config_node *node, struct arena *a)
{
	struct config_steering *policies = arena_zalloc(a, (c->steering_count + 1) * sizeof(*policies));
	struct config_pool *pools = arena_zalloc(a, (c->pool_count + 1) * sizeof(*pools));
	uint32_t *first = arena_zalloc(a, sizeof(*first));

	for (size_t i = 0; pools && i < c->pool_count; i++) {
		pools[i] = c->pools[i];
		pools[i].checked_from_count = 0;
	}
	for (size_t i = 0; policies && i < c->steering_count; i++) {
		struct config_steering *s = &policies[i];
		const struct config_steering_rule *all = c->steering[i].rules;

		*s = c->steering[i];
		s->rules = arena_zalloc(a, (s->rule_count + 1) * sizeof(*s->rules));
		s->rule_count = 0;
		for (size_t r = 0; s->rules && r < c->steering[i].rule_count; r++) {
			struct config_steering_rule rule = all[r];
			bool here = !rule.node_count;

			for (size_t n = 0; n < rule.node_count; n++)
				here = here || &c->nodes[rule.nodes[n]] == node;
			if (!here)
				continue;
			rule.nodes = first;
			rule.node_count = rule.node_count ? 1 : 0;
			s->rules[s->rule_count++] = rule;
		}
	}
	slim->pools = pools;
	slim->steering = policies;
}

void config_print_for_answer(const struct config *c, const struct config_node *node, struct text *out)
{
	struct config slim = *c;
	struct config_network networks[CONFIG_NETWORKS_MAX];
	struct config_tls_auth tls_auth[CONFIG_TLS_AUTH_MAX];
	struct config_node own = *node;
	struct arena arena;

	slim_tls_auth(&slim, tls_auth);
	own.neighbor_count = 0;
	own.http = slim.http = (struct config_http){0};
	slim.rpki = (struct config_rpki){0};
	slim.nodes = &own;
	slim.node_count = 1;
	slim.catalog_count = slim.key_count = 0;
	slim.zones = edge_zones(c, node, &slim.zone_count, out);
	if (!slim.backend_count)
		slim.tls_auth_count = 0;
	/* What names nodes that are not there, or counts them. */
	for (size_t i = 0; i < c->network_count && i < CONFIG_NETWORKS_MAX; i++) {
		networks[i] = c->networks[i];
		networks[i].backstop_at_count = 0;
		networks[i].keep_at_least = 0;
	}
	slim.networks = networks;
	slim.status_key = UINT32_MAX;
	arena_init(&arena, 0);
	slim_steering(&slim, c, node, &arena);
	if (arena_ok(&arena))
		config_print(&slim, out);
	else
		out->failed = true;
	arena_done(&arena);
	free(slim.zones);
}
