/* SPDX-License-Identifier: BSD-2-Clause */
/* Single values from text. Each message says what was found, what is wanted and, where it can be guessed, what to write. */
#include "config/read.h"

#include "base/err.h"
#include "base/suggest.h"
#include "dns/rr.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_WORDS_MAX = 1024 /* pools */, VALUE_SHOWN_MAX = 80 };

/* Long values are shown by their beginning. */
#define SHOWN(t) (int)((t)->len > VALUE_SHOWN_MAX ? VALUE_SHOWN_MAX : (t)->len), (t)->text

static bool uint_text(const char *s, size_t len, uint64_t *out)
{
	uint64_t v = 0;

	if (len == 0 || len > 18)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s[i] - '0');
	}
	*out = v;
	return true;
}

static char *span_text(uint32_t ms, char *buf, size_t cap)
{
	if (ms && ms % 3600000 == 0)
		snprintf(buf, cap, "%uh", ms / 3600000);
	else if (ms && ms % 60000 == 0)
		snprintf(buf, cap, "%um", ms / 60000);
	else if (ms % 1000 == 0)
		snprintf(buf, cap, "%us", ms / 1000);
	else
		snprintf(buf, cap, "%ums", ms);
	return buf;
}

static void store(void *to, uint8_t width, uint32_t v)
{
	uint8_t v8 = (uint8_t)v;
	uint16_t v16 = (uint16_t)v;

	memcpy(to, width == 1 ? (void *)&v8 : width == 2 ? (void *)&v16 : (void *)&v, width);
}

static bool read_uint(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	uint64_t v;

	if (!uint_text(t->text, t->len, &v)) {
		if (strncasecmp(t->text, "AS", 2) == 0 && uint_text(t->text + 2, t->len - 2, &v))
			tree_error(r->src, t, "\"%s\": write the number alone: %u", row->key, (unsigned)v);
		else
			tree_error(r->src, t, "\"%s\" wants a whole number from %u to %u, not \"%.*s\"", row->key,
			           row->min, row->max, SHOWN(t));
		return false;
	}
	if ((v < row->min || v > row->max) && !(v == 0 && row->zero_too)) {
		tree_error(r->src, t, "\"%s\" is %.*s: out of range, it must be from %u to %u", row->key, SHOWN(t),
		           row->min, row->max);
		return false;
	}
	store(to, row->width, (uint32_t)v);
	return true;
}

static bool read_time(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	static const struct {
		const char *unit;
		uint32_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
	size_t digits = strspn(t->text, "0123456789");
	const char *unit = t->text + digits;
	char low[16], high[16];
	uint64_t v;
	uint32_t factor = 0, ms;

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(unit, units[i].unit) == 0)
			factor = units[i].ms;
	if (!uint_text(t->text, digits, &v)) {
		tree_error(r->src, t, "\"%s\" wants a time such as 100ms, 5s, 2m or 1h, not \"%.*s\"", row->key,
		           SHOWN(t));
		return false;
	}
	if (!factor && v == 0 && !*unit) {
		factor = 1; /* zero needs no unit */
	} else if (!factor) {
		if (*unit == '.')
			tree_error(r->src, t, "\"%s\" is \"%.*s\": whole numbers only; use a smaller unit, such as ms",
			           row->key, SHOWN(t));
		else if (!*unit)
			tree_error(r->src, t, "\"%s\" is %.*s without a unit: write %.*sms, %.*ss or %.*sm", row->key,
			           SHOWN(t), SHOWN(t), SHOWN(t), SHOWN(t));
		else
			tree_error(r->src, t, "\"%s\": no unit of time \"%.20s\": use ms, s, m or h", row->key, unit);
		return false;
	}
	ms = v > UINT32_MAX / factor ? UINT32_MAX : (uint32_t)v * factor;
	if ((ms < row->min || ms > row->max) && !(ms == 0 && row->zero_too)) {
		tree_error(r->src, t, "\"%s\" is %.*s: out of range, it must be %sfrom %s to %s", row->key, SHOWN(t),
		           row->zero_too ? "0 or " : "", span_text(row->min, low, sizeof(low)),
		           span_text(row->max, high, sizeof(high)));
		return false;
	}
	memcpy(to, &ms, sizeof(ms));
	return true;
}

static bool read_size(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
	size_t digits = strspn(t->text, "0123456789");
	const char *unit = t->text + digits;
	unsigned shift = 0;
	uint64_t v;
	uint32_t octets;

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strcmp(unit, units[i].unit) == 0)
			shift = units[i].shift;
	if (!uint_text(t->text, digits, &v) || (!shift && *unit)) {
		tree_error(r->src, t, "\"%s\" wants a size such as 64MiB, 512KiB or 1GiB, not \"%.*s\"", row->key,
		           SHOWN(t));
		return false;
	}
	if (!shift && v) { /* zero needs no unit */
		tree_error(r->src, t, "\"%s\" is %.*s without a unit: write KiB, MiB or GiB behind it", row->key,
		           SHOWN(t));
		return false;
	}
	if ((v > (uint64_t)row->max >> shift || v << shift < row->min) && !(v == 0 && row->zero_too)) {
		tree_error(r->src, t, "\"%s\" is %.*s: out of range, it must be %sfrom %uKiB to %uKiB", row->key,
		           SHOWN(t), row->zero_too ? "0 or " : "", row->min >> 10, row->max >> 10);
		return false;
	}
	octets = (uint32_t)(v << shift);
	memcpy(to, &octets, sizeof(octets));
	return true;
}

static bool read_rrtype(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	uint16_t type;

	if (rrtype_from_text(t->text, t->len, &type) < 0) {
		tree_error(r->src, t, "\"%s\": \"%.*s\" is no record type such as A, ANY or TYPE65280", row->key,
		           SHOWN(t));
		return false;
	}
	memcpy(to, &type, sizeof(type));
	return true;
}

static bool read_bool(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	bool v = strcmp(t->text, "true") == 0;

	if (!v && strcmp(t->text, "false") != 0) {
		tree_error(r->src, t, "\"%s\" is true or false, not \"%.*s\"", row->key, SHOWN(t));
		return false;
	}
	memcpy(to, &v, sizeof(v));
	return true;
}

static bool read_degrees(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	char *end;
	double v = strtod(t->text, &end);

	/* strtod() takes more than people write: nan, inf, 0x1p3 */
	if (t->len == 0 || *end || t->text[strspn(t->text, "+-.0123456789")]) {
		tree_error(r->src, t, "\"%s\" wants degrees such as 50.11 or -8.68, not \"%.*s\"", row->key, SHOWN(t));
		return false;
	}
	if (fabs(v) > row->max) {
		tree_error(r->src, t, "\"%s\" is %.*s: out of range, it must be from -%u to %u", row->key, SHOWN(t),
		           row->max, row->max);
		return false;
	}
	memcpy(to, &v, sizeof(v));
	return true;
}

/* Index of t's text in a NULL-terminated list, or false after a message. */
static bool find_word(const struct config_read *r, const char *key, const char *const *words, const struct tree *t,
                      uint32_t *out)
{
	char all[256] = "";
	size_t n = 0, used = 0;
	const char *near;

	for (; words[n]; n++) {
		if (strcmp(words[n], t->text) == 0) {
			*out = (uint32_t)n;
			return true;
		}
		if (used < sizeof(all))
			used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", n ? ", " : "", words[n]);
	}
	near = suggest_closest(t->text, words, n);
	if (near)
		tree_error(r->src, t, "\"%s\" cannot be \"%.*s\": did you mean \"%s\"?", key, SHOWN(t), near);
	else
		tree_error(r->src, t, "\"%s\" cannot be \"%.*s\": it is one of %s", key, SHOWN(t), all);
	return false;
}

static void copy_text(const struct config_read *r, const struct tree *t, void *to)
{
	const char *s = arena_strndup(r->arena, t->text, t->len);

	memcpy(to, &s, sizeof(s));
}

static bool read_ident(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	size_t ok = strspn(t->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	if (t->len == 0) {
		tree_error(r->src, t, "\"%s\" is empty", row->key);
		return false;
	}
	if (t->text[ok]) {
		tree_error(r->src, t, "\"%s\" is \"%.*s\": only letters, digits, -, _ and . are allowed", row->key,
		           SHOWN(t));
		return false;
	}
	if (t->len > CONFIG_NAME_MAX) {
		tree_error(r->src, t, "\"%s\" has %u characters: at most %d are allowed", row->key, t->len,
		           CONFIG_NAME_MAX);
		return false;
	}
	copy_text(r, t, to);
	return true;
}

static bool read_text(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	uint32_t which;

	if (row->words && !find_word(r, row->key, row->words, t, &which))
		return false;
	copy_text(r, t, to);
	return true;
}

static bool read_path(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	const char *rest = t->text;
	char *path;
	size_t need = strlen(r->folder) + t->len + 2;

	if (t->len == 0) {
		tree_error(r->src, t, "\"%s\" is empty", row->key);
		return false;
	}
	if (t->text[0] == '/') {
		copy_text(r, t, to);
		return true;
	}
	if (row->type == SCHEMA_DIR) {
		tree_error(r->src, t, "\"%s\" wants an absolute path (it begins with /), not \"%.*s\"", row->key,
		           SHOWN(t));
		return false;
	}
	while (strncmp(rest, "./", 2) == 0)
		rest += 2;
	path = arena_alloc_aligned(r->arena, need, 1);
	if (path)
		snprintf(path, need, "%s/%s", r->folder, rest);
	memcpy(to, &path, sizeof(path));
	return true;
}

static bool read_addr(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	struct ip_addr a;

	if (addr_parse(t->text, &a) < 0) {
		if (strchr(t->text, '/'))
			tree_error(r->src, t, "\"%s\" wants an address without a prefix length: write %.*s", row->key,
			           (int)strcspn(t->text, "/"), t->text);
		else if (strncasecmp(t->text, "::ffff:", 7) == 0)
			tree_error(r->src, t, "\"%s\": an IPv4-mapped address: write it as IPv4", row->key);
		else if (strchr(t->text, '%'))
			tree_error(r->src, t, "\"%s\": \"%.*s\" is no address, or this machine has no such interface",
			           row->key, SHOWN(t));
		else
			tree_error(r->src, t, "\"%s\": \"%.*s\" is no IPv4 or IPv6 address", row->key, SHOWN(t));
		return false;
	}
	if (addr_is_any(&a) || (a.family == 4 && a.bytes[0] >= 224) || (a.family == 6 && a.bytes[0] == 0xff)) {
		tree_error(r->src, t, "\"%s\": %.*s is not the address of one machine", row->key, SHOWN(t));
		return false;
	}
	memcpy(to, &a, sizeof(a));
	return true;
}

static bool read_prefix(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	char text[PREFIX_TEXT_MAX];
	struct ip_prefix p;
	struct ip_addr a;
	int rc = prefix_parse(t->text, &p);

	if (rc == ERR_INVALID) {
		tree_error(r->src, t, "\"%s\": %.*s has host bits set: %s was meant?", row->key, SHOWN(t),
		           prefix_text(&p, text));
		return false;
	}
	if (rc < 0) {
		if (addr_parse(t->text, &a) == 0)
			tree_error(r->src, t, "\"%s\": %.*s has no length: write a prefix such as %s", row->key,
			           SHOWN(t), a.family == 4 ? "192.0.2.0/24" : "2001:db8::/48");
		else
			tree_error(r->src, t, "\"%s\": \"%.*s\" is no prefix such as 192.0.2.0/24 or 2001:db8::/48",
			           row->key, SHOWN(t));
		return false;
	}
	memcpy(to, &p, sizeof(p));
	return true;
}

static bool read_endpoint(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	struct endpoint e;

	if (endpoint_parse(t->text, 53, &e) < 0 || e.port == 0 || addr_is_any(&e.addr)) {
		tree_error(r->src, t,
		           "\"%s\": \"%.*s\" is no address such as 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:5353",
		           row->key, SHOWN(t));
		return false;
	}
	/* What the port is where none is given depends on TLS: config_zone_sources(). */
	if (row->type == SCHEMA_SERVER && endpoint_parse(t->text, 0, &e) < 0)
		return false;
	memcpy(to, &e, sizeof(e));
	return true;
}

static bool read_router_id(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	struct ip_addr a;
	uint32_t id;

	/* RFC 6286: any non-zero number, unique within the AS */
	if (addr_parse(t->text, &a) < 0 || a.family != 4 || addr_is_any(&a)) {
		tree_error(r->src, t, "\"%s\": \"%.*s\" is not four numbers such as 192.0.2.21, other than 0.0.0.0",
		           row->key, SHOWN(t));
		return false;
	}
	id = get_u32(a.bytes);
	memcpy(to, &id, sizeof(id));
	return true;
}

static bool read_community(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	size_t left = strspn(t->text, "0123456789");
	const char *names[VALUE_WORDS_MAX];
	uint64_t high, low;
	uint32_t v;

	if (t->text[left] == ':' && uint_text(t->text, left, &high) &&
	    uint_text(t->text + left + 1, strlen(t->text + left + 1), &low)) {
		if (high > 65535 || low > 65535) {
			tree_error(
				r->src, t,
				"\"%s\": %.*s: both halves are at most 65535 (RFC 1997); a larger AS has no community",
				row->key, SHOWN(t));
			return false;
		}
		v = (uint32_t)(high << 16 | low);
		memcpy(to, &v, sizeof(v));
		return true;
	}
	for (size_t i = 0; i < schema_community_count; i++) {
		if (strcmp(schema_communities[i].name, t->text) == 0) {
			memcpy(to, &schema_communities[i].value, sizeof(v));
			return true;
		}
		names[i] = schema_communities[i].name;
	}
	const char *near = suggest_closest(t->text, names, schema_community_count);

	if (near)
		tree_error(r->src, t, "\"%s\": no community \"%.*s\": did you mean \"%s\"?", row->key, SHOWN(t), near);
	else
		tree_error(
			r->src, t,
			"\"%s\": \"%.*s\" is no community: write \"64500:1\" (in quotes), or a name such as no-export",
			row->key, SHOWN(t));
	return false;
}

static bool read_large_community(const struct config_read *r, const struct schema_row *row, const struct tree *t,
                                 void *to)
{
	const char *at = t->text;
	uint32_t part[3];

	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		size_t digits = strspn(at, "0123456789");
		uint64_t v;

		if (!uint_text(at, digits, &v) || v > UINT32_MAX || at[digits] != (i < 2 ? ':' : '\0')) {
			tree_error(r->src, t,
			           "\"%s\": \"%.*s\" is no large community: write three numbers below 2^32, "
			           "\"64500:1:2\" (in quotes)",
			           row->key, SHOWN(t));
			return false;
		}
		part[i] = (uint32_t)v;
		at += digits + 1;
	}
	*(struct config_large_community *)to = (struct config_large_community){part[0], part[1], part[2]};
	return true;
}

static bool read_domain(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	static const uint8_t root[1] = {0};
	struct name n, low;
	const uint8_t *kept;
	int rc = ERR_MALFORMED;

	for (size_t i = 0; i < t->len; i++) {
		if ((unsigned char)t->text[i] >= 0x80) {
			tree_error(r->src, t, "\"%s\": \"%.*s\": write the name as in DNS: xn--...", row->key,
			           SHOWN(t));
			return false;
		}
	}
	if (t->len && !strpbrk(t->text, " \t\n\r/:"))
		rc = name_from_text(t->text, t->len, root, &n);
	if (rc < 0) {
		tree_error(r->src, t, "\"%s\": \"%.*s\" is no domain name%s", row->key, SHOWN(t),
		           rc == ERR_LIMIT ? ": a label has at most 63 octets, a name 255" : "");
		return false;
	}
	name_lower(&low, n.wire);
	kept = arena_dup(r->arena, low.wire, low.len);
	memcpy(to, &kept, sizeof(kept));
	return true;
}

/* Pools refer to each other: those that have not been read yet are known by the tree, of which item is the i-th. */
static const char *referred_name(const struct config_read *r, enum schema_type type, uint32_t i,
                                 const struct tree *item)
{
	const struct config *c = r->config;
	const struct tree *name;

	switch (type) {
	case SCHEMA_NETWORK:
		return c->networks[i].name;
	case SCHEMA_KEY:
		return c->keys[i].name;
	case SCHEMA_NODE:
		return c->nodes[i].name;
	case SCHEMA_BACKENDS:
		return c->backends[i].name;
	case SCHEMA_POOL:
		if (c->pools[i].name)
			return c->pools[i].name;
		name = item ? tree_get(item, "name") : NULL;
		return name && name->kind == TREE_SCALAR ? name->text : NULL;
	default:
		return c->tls_auth[i].name;
	}
}

/* What is referred to is few; a linear search with the count of names bounded is enough even for many zones. */
static bool read_reference(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	static const struct {
		enum schema_type type;
		const char *what, *list;
	} kinds[] = {{SCHEMA_NETWORK, "network", "networks"},
	             {SCHEMA_KEY, "key", "keys"},
	             {SCHEMA_POOL, "pool", "pools"},
	             {SCHEMA_NODE, "node", "nodes"},
	             {SCHEMA_BACKENDS, "backends", "backends"},
	             {SCHEMA_TLS, "tls-auth", "tls-auth"}};
	const size_t counts[] = {r->config->network_count, r->config->key_count,     r->config->pool_count,
	                         r->config->node_count,    r->config->backend_count, r->config->tls_auth_count};
	const char *names[VALUE_WORDS_MAX], *near;
	const struct tree *item = row->type == SCHEMA_POOL ? tree_get(r->root, "pools") : NULL;
	size_t kind = 0;

	item = item ? item->first : NULL;
	while (kinds[kind].type != row->type && kind + 1 < ARRAY_LEN(kinds))
		kind++;
	for (uint32_t i = 0; i < counts[kind]; i++, item = item ? item->next : NULL) {
		names[i] = referred_name(r, row->type, i, item);
		if (names[i] && strcmp(names[i], t->text) == 0) {
			memcpy(to, &i, sizeof(i));
			return true;
		}
	}
	near = suggest_closest(t->text, names, counts[kind]);
	if (near)
		tree_error(r->src, t, "no %s is named \"%.*s\": did you mean \"%s\"?", kinds[kind].what, SHOWN(t),
		           near);
	else
		tree_error(r->src, t, "no %s is named \"%.*s\": add it to \"%s\"", kinds[kind].what, SHOWN(t),
		           kinds[kind].list);
	return false;
}

static bool is_null(const struct tree *t)
{
	return !t->quoted && (t->len == 0 || strcmp(t->text, "~") == 0 || strcasecmp(t->text, "null") == 0);
}

bool config_read_value(const struct config_read *r, const struct schema_row *row, const struct tree *t, void *to)
{
	uint32_t which;

	if (t->kind == TREE_LIST) {
		tree_error(r->src, t, "\"%s\" is one value, not a list: remove the brackets or dash", row->key);
		return false;
	}
	if (t->kind == TREE_MAP) {
		if (row->type == SCHEMA_ADDR || row->type == SCHEMA_PREFIX || row->type == SCHEMA_ENDPOINT ||
		    row->type == SCHEMA_COMMUNITY || row->type == SCHEMA_LARGE_COMMUNITY)
			tree_error(r->src, t, "\"%s\" is read as a mapping because of its colons: put it in quotes",
			           row->key);
		else
			tree_error(r->src, t, "\"%s\" is one value, not a mapping", row->key);
		return false;
	}
	if (is_null(t)) {
		tree_error(r->src, t, "\"%s\" has no value: write one, or remove the key", row->key);
		return false;
	}
	switch (row->type) {
	case SCHEMA_BOOL:
		return read_bool(r, row, t, to);
	case SCHEMA_UINT:
		return read_uint(r, row, t, to);
	case SCHEMA_TIME:
		return read_time(r, row, t, to);
	case SCHEMA_SIZE:
		return read_size(r, row, t, to);
	case SCHEMA_RRTYPE:
		return read_rrtype(r, row, t, to);
	case SCHEMA_DEGREES:
		return read_degrees(r, row, t, to);
	case SCHEMA_WORD:
		if (!find_word(r, row->key, row->words, t, &which))
			return false;
		store(to, row->width, which);
		return true;
	case SCHEMA_IDENT:
		return read_ident(r, row, t, to);
	case SCHEMA_TEXT:
		return read_text(r, row, t, to);
	case SCHEMA_DIR:
	case SCHEMA_FILE:
		return read_path(r, row, t, to);
	case SCHEMA_ADDR:
	case SCHEMA_NEXT_HOP:
		return read_addr(r, row, t, to);
	case SCHEMA_PREFIX:
		return read_prefix(r, row, t, to);
	case SCHEMA_ENDPOINT:
	case SCHEMA_SERVER:
		return read_endpoint(r, row, t, to);
	case SCHEMA_ROUTER_ID:
		return read_router_id(r, row, t, to);
	case SCHEMA_COMMUNITY:
		return read_community(r, row, t, to);
	case SCHEMA_DOMAIN:
		return read_domain(r, row, t, to);
	case SCHEMA_NETWORK:
	case SCHEMA_KEY:
	case SCHEMA_TLS:
	case SCHEMA_POOL:
	case SCHEMA_NODE:
	case SCHEMA_BACKENDS:
		return read_reference(r, row, t, to);
	case SCHEMA_COUNTRY:
	case SCHEMA_CONTINENT:
		return config_read_country(r, row, t, row->type == SCHEMA_CONTINENT, to);
	case SCHEMA_LARGE_COMMUNITY:
		return read_large_community(r, row, t, to);
	case SCHEMA_FAMILIES:
	case SCHEMA_LINK_ADDR:
	case SCHEMA_MAP:
		break; /* not single values: read.c */
	}
	return false;
}

/* The interface belongs to one node of the fleet; the file is read on all. */
void config_read_link_addr(const struct config_read *r, const struct schema_row *row, const struct tree *t, char *base)
{
	const struct schema_row plain = {.key = row->key, .type = SCHEMA_ADDR, .help = row->help};
	const char *zone = t->kind == TREE_SCALAR ? strchr(t->text, '%') : NULL;
	struct tree before = *t;
	const char *name = NULL;
	struct ip_addr a;

	if (zone) {
		before.len = (uint32_t)(zone - t->text);
		before.text = arena_strndup(r->arena, t->text, before.len);
	}
	if (!before.text || !config_read_value(r, &plain, &before, &a))
		return;
	if (zone && !addr_is_link_local(&a)) {
		tree_error(r->src, t, "\"%s\": only a link-local address (fe80::/10) has an interface: write %s",
		           row->key, before.text);
		return;
	}
	if (zone && (!zone[1] || strlen(zone + 1) >= IF_NAMESIZE || strpbrk(zone + 1, "/% \t\n\"\\"))) {
		tree_error(r->src, t, "\"%s\": \"%.20s\" is no name of an interface", row->key, zone + 1);
		return;
	}
	if (zone) {
		name = arena_strndup(r->arena, zone + 1, strlen(zone + 1));
		a.zone = if_nametoindex(name ? name : "");
	}
	memcpy(base + row->at, &a, sizeof(a));
	memcpy(base + row->count_at, &name, sizeof(name));
}
