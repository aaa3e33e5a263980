/* SPDX-License-Identifier: BSD-2-Clause */
/* A page is written from the top, segment by segment; what is right of the width or below the height is cut off, so every part may write as if there were room, and asks only
 * how many rows are left for lists. */
#include "cli/top.h"

#include "base/clock.h"
#include "cli/paint.h"
#include "dns/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROWS_ALONE = 10, /* of a list, where the page has no height */
	SEGMENT_MAX = 512,
	SPAN_TEXT = 16,
	NUMBER_TEXT = 16,
	LABEL = 10, /* columns before the figures */
};

struct pen {
	const struct top_page *page;
	struct text *out;
	int column, row;
};

static bool is_full(const struct pen *p)
{
	return p->page->height && p->row >= p->page->height;
}

static int rows_left(const struct pen *p)
{
	return p->page->height ? p->page->height - p->row : 1 << 20;
}

/* Octets of the first `most` characters. */
static size_t octets_of(const char *s, int most)
{
	size_t n = 0;

	for (int seen = 0; s[n]; n++) {
		if (((unsigned char)s[n] & 0xc0) != 0x80 && seen++ == most)
			break;
	}
	return n;
}

static int width_of(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

PRINTF_LIKE(3, 4) static void put(struct pen *p, enum paint_color color, const char *fmt, ...)
{
	int left = p->page->width - p->column;
	char buf[SEGMENT_MAX];
	va_list ap;

	if (left <= 0 || is_full(p))
		return;
	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	/* Names come from strangers and from the fleet file: nothing in them may move the cursor. */
	for (char *c = buf; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	buf[octets_of(buf, left)] = '\0';
	text_fmt(p->out, "%s%s%s", paint_begin(p->page->color, color), buf,
	         color == PAINT_NONE ? "" : paint_end(p->page->color));
	p->column += width_of(buf);
}

static void move_to(struct pen *p, int column)
{
	if (column > p->column)
		put(p, PAINT_NONE, "%*s", MIN(column, p->page->width) - p->column, "");
}

static void end_line(struct pen *p)
{
	if (is_full(p))
		return;
	text_char(p->out, '\n');
	p->column = 0;
	p->row++;
}

/* "0", "0.4", "312", "12.3k", "1.2M". */
static const char *number(double v, char buf[NUMBER_TEXT])
{
	if (v >= 999.5e6)
		snprintf(buf, NUMBER_TEXT, "%.1fG", v / 1e9);
	else if (v >= 999.5e3)
		snprintf(buf, NUMBER_TEXT, "%.1fM", v / 1e6);
	else if (v >= 9999.5)
		snprintf(buf, NUMBER_TEXT, "%.1fk", v / 1e3);
	else if (v >= 9.95 || v < 0.05)
		snprintf(buf, NUMBER_TEXT, "%.0f", v);
	else
		snprintf(buf, NUMBER_TEXT, "%.1f", v);
	return buf;
}

/* Of things: none is half. */
static const char *whole(uint64_t v, char buf[NUMBER_TEXT])
{
	if (v >= 10000)
		return number((double)v, buf);
	snprintf(buf, NUMBER_TEXT, "%u", (unsigned)v);
	return buf;
}

static double percent(double part, double all)
{
	return all > 0 ? 100.0 * part / all : 0;
}

static enum paint_color bad_if(bool bad)
{
	return bad ? PAINT_RED : PAINT_NONE;
}

/* ---- the node ---- */

static void put_title(struct pen *p, const struct top_view *v)
{
	char span[SPAN_TEXT];

	put(p, PAINT_BOLD, "%s", v->node);
	put(p, PAINT_NONE, "  zonecast %s, up %s", v->version, clock_span_text(v->uptime_ms, span));
	if (p->page->clock && p->page->width - (int)strlen(p->page->clock) > p->column) {
		move_to(p, p->page->width - (int)strlen(p->page->clock));
		put(p, PAINT_DIM, "%s", p->page->clock);
	}
	end_line(p);
}

static void put_sums(struct pen *p, const struct top_view *v)
{
	char a[NUMBER_TEXT], b[NUMBER_TEXT];

	put(p, PAINT_NONE, "%-*s", LABEL, "queries");
	put(p, PAINT_BOLD, "%s/s", number(v->all, a));
	put(p, PAINT_NONE, "  answers %s/s", number(v->answers, a));
	put(p, bad_if(v->dropped > 0), "  dropped %s/s", number(v->dropped, a));
	put(p, bad_if(v->lost > 0), "  lost %s/s", number(v->lost, a));
	put(p, PAINT_NONE, "  in %s out %s B/s", number(v->bytes_in, a), number(v->bytes_out, b));
	end_line(p);
	put(p, PAINT_NONE, "%-*s", LABEL, "load");
	put(p,
	    v->load >= 900   ? PAINT_RED
	    : v->load >= 600 ? PAINT_YELLOW
	                     : PAINT_GREEN,
	    "%llu%%", (unsigned long long)v->load / 10);
	put(p, PAINT_NONE, " of the busiest worker");
	if (v->headroom >= 0)
		put(p, PAINT_NONE, ", room for %s/s more", whole((uint64_t)v->headroom, a));
	put(p, PAINT_NONE, "; %s zones, %s records", whole(v->zones, a), whole(v->records, b));
	end_line(p);
}

static void put_transports(struct pen *p, const struct top_view *v)
{
	static const char *const names[] = {"UDP", "TCP", "TLS", "kernel"};
	char a[NUMBER_TEXT];

	put(p, PAINT_NONE, "%-*s", LABEL, "");
	for (int t = 0; t < TOP_TRANSPORTS; t++)
		put(p, PAINT_DIM, "%10s", names[t]);
	end_line(p);
	for (int f = 0; f < 2; f++) {
		put(p, PAINT_NONE, "%-*s", LABEL, f ? "IPv6" : "IPv4");
		for (int t = 0; t < TOP_TRANSPORTS; t++)
			put(p, PAINT_NONE, "%10s", number(v->queries[t][f], a));
		end_line(p);
	}
}

static void put_sources(struct pen *p, const struct top_view *v)
{
	double kernel = v->queries[TOP_KERNEL][0] + v->queries[TOP_KERNEL][1], store = v->answers - kernel - v->cached;
	char a[NUMBER_TEXT];

	put(p, PAINT_NONE, "%-*skernel %.0f%%  cache %.0f%%  store %.0f%%", LABEL, "from", percent(kernel, v->answers),
	    percent(v->cached, v->answers), percent(MAX(store, 0), v->answers));
	put(p, bad_if(v->limited > 0), "  limited %s", number(v->limited, a));
	put(p, PAINT_NONE, "  filtered %s", number(v->filtered, a));
	put(p, PAINT_NONE, "  truncated %s /s", number(v->truncated, a));
	end_line(p);
}

struct share {
	const char *name;
	double value;
};

static int more_first(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	return x->value > y->value ? -1 : x->value < y->value ? 1 : strcmp(x->name, y->name);
}

static void put_shares(struct pen *p, const char *label, struct share *list, size_t count, double all)
{
	qsort(list, count, sizeof(*list), more_first);
	put(p, PAINT_NONE, "%-*s", LABEL, label);
	for (size_t i = 0; i < count && list[i].value > 0; i++) {
		/* Whole words only. */
		if (p->column + (int)strlen(list[i].name) + 9 > p->page->width)
			break;
		put(p, PAINT_NONE, "%s %.1f%%  ", list[i].name, percent(list[i].value, all));
	}
	if (!count || list[0].value <= 0)
		put(p, PAINT_DIM, "-");
	end_line(p);
}

static void put_rcodes(struct pen *p, const struct top_view *v)
{
	struct share list[TOP_RCODES];
	char names[TOP_RCODES][12];
	double all = 0;

	for (unsigned r = 0; r < TOP_RCODES; r++) {
		list[r] = (struct share){rcode_text(r, names[r]), v->rcodes[r]};
		all += v->rcodes[r];
	}
	put_shares(p, "rcodes", list, TOP_RCODES, all);
}

/* As the node counts them; else of the sample. */
static void put_types(struct pen *p, const struct top_view *v)
{
	const struct top_entry *best[TOP_TYPES_MAX];
	struct share list[TOP_TYPES_MAX];
	size_t n = v->types;
	double all = 0;

	for (size_t i = 0; i < n; i++) {
		list[i] = (struct share){v->type[i].name, v->type[i].rate};
		all += v->type[i].rate;
	}
	if (!n) {
		n = top_table_best(v->kinds, best, TOP_TYPES_MAX);
		all = v->kinds->total;
		for (size_t i = 0; i < n; i++)
			list[i] = (struct share){best[i]->key, best[i]->count - best[i]->excess};
	}
	put_shares(p, "types", list, n, all);
}

static void put_workers(struct pen *p, const struct top_view *v)
{
	size_t shown = 0;

	put(p, PAINT_NONE, "%-*s", LABEL, "CPU");
	for (; shown < v->workers && p->column + 14 <= p->page->width; shown++)
		put(p, v->cpu[shown] >= 0.9 ? PAINT_RED : PAINT_NONE, "%zu: %.0f%%  ", shown, 100 * v->cpu[shown]);
	if (shown < v->workers)
		put(p, PAINT_DIM, "+%zu", v->workers - shown);
	end_line(p);
}

static void put_networks(struct pen *p, const struct top_view *v)
{
	static const char *const names[] = {"v4", "v6"};
	size_t most = p->page->height ? MAX((size_t)p->page->height / 8, 1) : v->networks;

	for (size_t i = 0; i < v->networks && i < most; i++) {
		put(p, PAINT_NONE, "%-*s ", LABEL - 1, v->network[i].name);
		for (int f = 0; f < 2; f++) {
			if (!*v->network[i].announce[f])
				continue;
			put(p, PAINT_NONE, "%s ", names[f]);
			put(p, paint_of(v->network[i].announce[f]), "%s", v->network[i].announce[f]);
			put(p, PAINT_NONE, " ");
			put(p, paint_of(v->network[i].verdict[f]), "%s", v->network[i].verdict[f]);
			put(p, PAINT_NONE, "  ");
		}
		if (i + 1 == most && most < v->networks)
			put(p, PAINT_DIM, "+%zu networks", v->networks - most);
		end_line(p);
	}
}

/* ---- lists ---- */

static void put_entry(struct pen *p, const struct top_table *t, const struct top_entry *e, int width)
{
	int key = width - 7;

	if (key <= 0)
		return;
	put(p, PAINT_NONE, "%5.1f%% %.*s", percent(e->count - e->excess, t->total), (int)octets_of(e->key, key),
	    e->key);
}

static void put_talkers(struct pen *p, const struct top_view *v, int rows)
{
	const struct top_entry *clients[TOP_ENTRIES], *names[TOP_ENTRIES];
	int left = p->page->width >= 80 ? 32 : p->page->width * 2 / 5;
	size_t most = (size_t)MIN(MAX(rows - 1, 0), TOP_ENTRIES), a, b;

	if (!most)
		return;
	put(p, PAINT_BOLD, "%s", "CLIENTS");
	move_to(p, left);
	put(p, PAINT_BOLD, "%s", "NAMES");
	if (!v->sample)
		put(p, PAINT_YELLOW, "  not sampled: answer.query-log-sample is 0");
	else
		put(p, PAINT_DIM, "  of one query in %llu", (unsigned long long)v->sample);
	end_line(p);
	a = top_table_best(v->clients, clients, most);
	b = top_table_best(v->names, names, most);
	for (size_t i = 0; i < MAX(a, b); i++) {
		if (i < a)
			put_entry(p, v->clients, clients[i], left - 2);
		move_to(p, left);
		if (i < b)
			put_entry(p, v->names, names[i], p->page->width - left);
		end_line(p);
	}
}

static void put_node(struct pen *p, const struct top_node *n, int name_width)
{
	char a[NUMBER_TEXT], b[NUMBER_TEXT] = "-", zones[48], seen[SPAN_TEXT] = "never";

	if (n->headroom >= 0)
		whole((uint64_t)n->headroom, b);
	if (n->self)
		snprintf(seen, sizeof(seen), "self");
	else if (n->heard_ms >= 0)
		clock_span_text((uint64_t)n->heard_ms, seen);
	snprintf(zones, sizeof(zones), "%llu/%llu", (unsigned long long)n->serving, (unsigned long long)n->zones);
	put(p, PAINT_NONE, "%-*.*s ", name_width, name_width, n->name);
	put(p, paint_of(n->state), "%-17s", n->state);
	put(p, PAINT_NONE, " %7s", whole(n->qps, a));
	put(p, PAINT_NONE, " %4llu%%", (unsigned long long)n->load / 10);
	put(p, PAINT_NONE, " %7s %13s", b, zones);
	put(p, bad_if(n->drift > 0), " %5llu", (unsigned long long)n->drift);
	put(p, PAINT_NONE, " %7s", seen);
	end_line(p);
}

static void put_nodes(struct pen *p, const struct top_view *v, int rows)
{
	int name_width = MAX(p->page->width - 68, 8);
	size_t most = (size_t)MAX(rows - 1, 0), shown;

	if (rows < 2)
		return;
	put(p, PAINT_BOLD, "%-*s %-17s %7s %5s %7s %13s %5s %7s", name_width, "NODES", "STATE", "ANSW/S", "LOAD",
	    "ROOM", "ZONES", "DRIFT", "SEEN");
	end_line(p);
	shown = v->nodes > most ? most - 1 : v->nodes;
	for (size_t i = 0; i < shown; i++)
		put_node(p, &v->node_row[i], name_width);
	if (shown < v->nodes) {
		put(p, PAINT_DIM, "and %zu more", v->nodes - shown);
		end_line(p);
	}
}

static void put_lists(struct pen *p, const struct top_view *v, int foot)
{
	bool alone = p->page->height == 0;
	int room = rows_left(p) - foot, nodes = 0;

	if (alone) {
		put_talkers(p, v, ROWS_ALONE + 1);
		if (v->nodes > 1 || p->page->fleet) {
			end_line(p);
			put_nodes(p, v, (int)v->nodes + 1);
		}
		return;
	}
	if (p->page->fleet) {
		put_nodes(p, v, room);
		return;
	}
	if (v->nodes > 1 && room > 14)
		nodes = MIN((int)v->nodes + 2, room / 2);
	put_talkers(p, v, room - nodes);
	while (nodes && p->row < p->page->height - foot - nodes)
		end_line(p);
	if (nodes) {
		end_line(p);
		put_nodes(p, v, nodes - 1);
	}
}

void top_draw(const struct top_view *v, const struct top_page *page, struct text *out)
{
	struct top_page bounded = *page;
	struct pen p = {.page = &bounded, .out = out};
	int foot = page->live || *v->message ? 1 : 0;

	bounded.width = MAX(TOP_WIDTH_MIN, MIN(page->width, TOP_WIDTH_MAX));
	bounded.height = page->height ? MAX(TOP_HEIGHT_MIN, MIN(page->height, TOP_HEIGHT_MAX)) : 0;
	put_title(&p, v);
	put_sums(&p, v);
	if (bounded.height == 0 || bounded.height >= 20)
		end_line(&p);
	put_transports(&p, v);
	put_sources(&p, v);
	put_rcodes(&p, v);
	put_types(&p, v);
	put_workers(&p, v);
	put_networks(&p, v);
	if (bounded.height == 0 || bounded.height >= 20)
		end_line(&p);
	put_lists(&p, v, foot);
	if (!foot)
		return;
	while (bounded.height && p.row < bounded.height - 1)
		end_line(&p);
	if (page->live)
		put(&p, PAINT_DIM, "q quit  f %s  ", page->fleet ? "clients and names" : "fleet");
	if (*v->message)
		put(&p, PAINT_RED, "%s", v->message);
	end_line(&p);
}

/* ---- JSON ---- */

static json_t *table_json(const struct top_table *t)
{
	const struct top_entry *best[ROWS_ALONE];
	size_t n = top_table_best(t, best, ROWS_ALONE);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:f}", "key", best[i]->key, "share",
		                                      percent(best[i]->count - best[i]->excess, t->total) / 100));
	return list;
}

static json_t *node_json(const struct top_node *n)
{
	return json_pack("{s:s, s:s, s:b, s:o, s:I, s:f, s:o, s:I, s:I, s:I}", "name", n->name, "state", n->state,
	                 "self", n->self, "heard_ms", n->heard_ms < 0 ? json_null() : json_integer(n->heard_ms), "qps",
	                 (json_int_t)n->qps, "load", (double)n->load / 1000, "headroom",
	                 n->headroom < 0 ? json_null() : json_integer(n->headroom), "zones", (json_int_t)n->zones,
	                 "serving", (json_int_t)n->serving, "drift", (json_int_t)n->drift);
}

json_t *top_json(const struct top_view *v)
{
	static const char *const keys[TOP_TRANSPORTS][2] = {{"udp_ipv4", "udp_ipv6"},
	                                                    {"tcp_ipv4", "tcp_ipv6"},
	                                                    {"tls_ipv4", "tls_ipv6"},
	                                                    {"kernel_ipv4", "kernel_ipv6"}};
	json_t *queries = json_object(), *rcodes = json_object(), *types = json_object(), *cpu = json_array(),
	       *nodes = json_array(), *o;
	char name[12];

	for (int t = 0; t < TOP_TRANSPORTS; t++)
		for (int f = 0; f < 2; f++)
			json_object_set_new(queries, keys[t][f], json_real(v->queries[t][f]));
	for (unsigned r = 0; r < TOP_RCODES; r++)
		if (v->rcodes[r] > 0)
			json_object_set_new(rcodes, rcode_text(r, name), json_real(v->rcodes[r]));
	for (size_t i = 0; i < v->types; i++)
		json_object_set_new(types, v->type[i].name, json_real(v->type[i].rate));
	for (size_t i = 0; i < v->workers; i++)
		json_array_append_new(cpu, json_real(v->cpu[i]));
	for (size_t i = 0; i < v->nodes; i++)
		json_array_append_new(nodes, node_json(&v->node_row[i]));
	o = json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:o}", "node",
	              v->node, "seconds", v->seconds, "all", v->all, "answers", v->answers, "dropped", v->dropped,
	              "cached", v->cached, "truncated", v->truncated, "limited", v->limited, "filtered", v->filtered,
	              "lost", v->lost, "bytes_in", v->bytes_in, "bytes_out", v->bytes_out, "queries", queries, "rcodes",
	              rcodes, "types", types, "cpu", cpu, "nodes", nodes);
	json_object_update_new(o, json_pack("{s:{s:I, s:I, s:o, s:o, s:o}}", "sample", "one_in", (json_int_t)v->sample,
	                                    "entries", (json_int_t)v->sampled, "clients", table_json(v->clients),
	                                    "names", table_json(v->names), "types", table_json(v->kinds)));
	return o;
}
