/* SPDX-License-Identifier: BSD-2-Clause */
/* Each node is looked at once, by look(), which finds what is wrong with it and how bad that is; rows, their order, colours and the closing sentence go by that alone. */
#include "cli/status_fleet.h"

#include "base/attr.h"
#include "base/clock.h"
#include "cli/paint.h"
#include "cli/wrap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_WIDTH = 16,
	NETWORK_WIDTH = 14,
	VIEW_INDENT = 8,
	SPAN_TEXT = 16,
	AGE_SHOWN_MS = 10000, /* primaries are asked every few seconds */
	NAMED_MAX = 5,        /* nodes in the closing sentence */
	WRONG_MAX = 120,
};

enum badness { GOOD, MINDED, DEGRADED, BAD, SILENT };
static const enum paint_color colors[] = {PAINT_NONE, PAINT_YELLOW, PAINT_YELLOW, PAINT_RED, PAINT_RED};

struct seen {
	const json_t *node;
	bool self, known;
	enum badness how;
	char wrong[WRONG_MAX]; /* the worst, in words that follow the node's name: "is not seen" */
};

struct page {
	const json_t *drift, *views;
	bool color;
	struct text *out;
};

static const char *get_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

static long long get_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, list[i]) == 0)
			return true;
	return false;
}

/* ---- what is wrong ---- */

PRINTF_LIKE(3, 4) static void note(struct seen *s, enum badness how, const char *fmt, ...)
{
	va_list ap;

	if (how <= s->how)
		return;
	s->how = how;
	va_start(ap, fmt);
	vsnprintf(s->wrong, sizeof(s->wrong), fmt, ap);
	va_end(ap);
}

static void look_at_family(struct seen *s, const json_t *network, const char *key, const char *name)
{
	static const char *const open[] = {"de-preferred", "graceful-shutdown"};
	const json_t *f = json_object_get(network, key);
	const char *announce = get_str(f, "announce"), *verdict = get_str(f, "verdict"), *of = get_str(network, "name");

	if (!json_is_object(f))
		return;
	if (strcmp(verdict, "hard-fail") == 0)
		note(s, BAD, "fails on %s of %.40s", name, of);
	if (strcmp(announce, "withdrawn") == 0)
		note(s, BAD, "has withdrawn %s of %.40s", name, of);
	if (strcmp(verdict, "soft-fail") == 0)
		note(s, DEGRADED, "is degraded on %s of %.40s", name, of);
	if (is_one_of(announce, open, ARRAY_LEN(open)))
		note(s, MINDED, "is %s on %s of %.40s", announce, name, of);
}

static bool address_is_silent(const json_t *a)
{
	return !json_is_integer(json_object_get(a, "heard_ms")) || get_int(a, "failures") >= STATUS_FLEET_LOST;
}

static const char *family_of(const json_t *a)
{
	return strchr(get_str(a, "address"), ':') ? "IPv6" : "IPv4";
}

bool status_fleet_is_silent(const json_t *node)
{
	const json_t *addresses = json_object_get(node, "addresses"), *a;
	bool silent = json_array_size(addresses) > 0;
	size_t i;

	json_array_foreach(addresses, i, a)
		silent = silent && address_is_silent(a);
	return silent || get_int(node, "heard_ms") >= STATUS_FLEET_SILENT_MS;
}

static void look_at_addresses(struct seen *s)
{
	const json_t *a;
	char span[SPAN_TEXT];
	size_t i;

	json_array_foreach(json_object_get(s->node, "addresses"), i, a) {
		if (!address_is_silent(a))
			continue;
		if (json_is_integer(json_object_get(a, "heard_ms")))
			note(s, DEGRADED, "has not answered over %s at %s for %s", family_of(a), get_str(a, "address"),
			     clock_span_text((uint64_t)get_int(a, "heard_ms"), span));
		else
			note(s, DEGRADED, "has never answered over %s at %s", family_of(a), get_str(a, "address"));
	}
}

/* Of a row of zones that differ; the loud kinds are those that do not go away by themselves. */
static const char *drift_words(const json_t *row)
{
	static const struct {
		const char *kind, *words;
	} all[] = {{"behind", "is behind"},
	           {"stuck", "is stuck"},
	           {"content", "has other content under the same serial"},
	           {"missing", "is missing"},
	           {"ahead", "is newer there"}};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strcmp(get_str(row, "kind"), all[i].kind) == 0)
			return all[i].words;
	return "differs";
}

static bool is_alarm(const json_t *row)
{
	const json_t *alert = json_object_get(row, "alert");

	return json_is_true(alert) || json_integer_value(alert) || strcmp(get_str(row, "kind"), "content") == 0;
}

static const json_t *named(const json_t *list, const char *name)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o) {
		if (strcmp(get_str(o, "name"), name) == 0)
			return o;
	}
	return NULL;
}

size_t status_fleet_drifts(const json_t *drift, const char *name)
{
	static const char *const kinds[] = {"behind", "stuck", "content", "missing", "ahead"};
	const json_t *o = named(json_object_get(drift, "nodes"), name);
	size_t sum = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		sum += (size_t)MAX(get_int(o, kinds[i]), 0);
	return sum;
}

static void look_at_zones(struct seen *s, const json_t *drift)
{
	const char *name = get_str(s->node, "name");
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(drift, "rows"), i, row) {
		if (s->self || strcmp(get_str(row, "node"), name) != 0)
			continue;
		note(s, is_alarm(row) ? BAD : MINDED, "%.70s %s", get_str(row, "zone"), drift_words(row));
	}
	if (!s->self && status_fleet_drifts(drift, name))
		note(s, MINDED, "has zones that differ");
}

/* Plain questions to it that are lost, while its status may come through. */
static void look_at_paths(struct seen *s, const json_t *views)
{
	static const char *const transports[] = {"udp", "tcp"};
	const json_t *v = named(json_object_get(views, "nodes"), get_str(s->node, "name")), *a;
	size_t i;

	json_array_foreach(json_object_get(v, "addresses"), i, a) {
		for (size_t t = 0; t < ARRAY_LEN(transports); t++)
			if (get_int(json_object_get(a, transports[t]), "failures") >= STATUS_FLEET_LOST)
				note(s, DEGRADED, "does not answer plain questions over %s at %s", t ? "TCP" : "UDP",
				     get_str(a, "address"));
	}
}

static void look(const struct page *p, const json_t *node, bool self, struct seen *s)
{
	const json_t *heard = json_object_get(node, "heard_ms"), *network;
	char span[SPAN_TEXT];
	size_t i;

	*s = (struct seen){.node = node, .self = self, .known = self || json_is_integer(heard)};
	if (!s->known)
		note(s, SILENT, "was never seen");
	else if (!self && status_fleet_is_silent(node))
		note(s, SILENT, "has not been seen for %s", clock_span_text((uint64_t)get_int(node, "heard_ms"), span));
	if (!s->known)
		return;
	json_array_foreach(json_object_get(node, "networks"), i, network) {
		look_at_family(s, network, "ipv4", "IPv4");
		look_at_family(s, network, "ipv6", "IPv6");
	}
	if (!self && *get_str(node, "why"))
		note(s, DEGRADED, "gives a status that is not believed");
	look_at_addresses(s);
	look_at_zones(s, p->drift);
	look_at_paths(s, p->views);
	if (!self && !json_is_true(json_object_get(node, "same_config")))
		note(s, DEGRADED, "has another fleet file");
	if (get_int(node, "serving") < get_int(node, "zones"))
		note(s, DEGRADED, "serves %lld of %lld zones", get_int(node, "serving"), get_int(node, "zones"));
	if (json_is_true(json_object_get(node, "stopping")))
		note(s, MINDED, "is stopping");
}

/* ---- rows ---- */

/* "340ms", "never", or "self". */
static const char *heard_text(const struct seen *s, char buf[SPAN_TEXT])
{
	if (s->self || !s->known)
		return s->self ? "self" : "never";
	return clock_span_text((uint64_t)get_int(s->node, "heard_ms"), buf);
}

/* Of its addresses of a family: do they answer? "" where it has none. */
static const char *reach(const json_t *n, bool v6)
{
	const char *word = "";
	const json_t *a;
	size_t i;

	json_array_foreach(json_object_get(n, "addresses"), i, a) {
		if ((strchr(get_str(a, "address"), ':') != NULL) != v6)
			continue;
		if (json_is_integer(json_object_get(a, "heard_ms")) && !get_int(a, "failures"))
			return v6 ? "v6" : "v4";
		word = v6 ? "(v6)" : "(v4)";
	}
	return word;
}

static void join(const json_t *words, char *out, size_t cap)
{
	size_t at = 0, i;
	const json_t *w;

	out[0] = '\0';
	json_array_foreach(words, i, w) {
		int n = snprintf(out + at, cap - at, "%s%s", i ? "+" : "", json_string_value(w));

		at += n > 0 ? MIN((size_t)n, cap - at - 1) : 0;
	}
}

/* An indented paragraph below a node. */
PRINTF_LIKE(3, 4) static void put_line(const struct page *p, enum paint_color color, const char *fmt, ...)
{
	struct text line;
	va_list ap;

	text_init(&line);
	va_start(ap, fmt);
	text_vfmt(&line, fmt, ap);
	va_end(ap);
	text_fmt(p->out, "    %s", paint_begin(p->color, color));
	wrap_text(line.chars, 4, 6, STATUS_FLEET_WIDTH, p->out);
	text_fmt(p->out, "%s\n", paint_end(p->color));
	text_done(&line);
}

static void put_causes(const struct page *p, const json_t *family, const char *name)
{
	char causes[80], intent[80];

	join(json_object_get(family, "causes"), causes, sizeof(causes));
	join(json_object_get(family, "intent"), intent, sizeof(intent));
	if (*causes)
		put_line(p, PAINT_YELLOW, "%s is soft for: %s", name, causes);
	if (*intent)
		put_line(p, PAINT_YELLOW, "%s means to leave for: %s", name, intent);
}

/* Padded before it is painted, so that columns stay. */
static void put_word(const struct page *p, const char *word, int width)
{
	enum paint_color color = paint_of(word);

	text_fmt(p->out, "%s%-*s%s", paint_begin(p->color && color != PAINT_GREEN, color), width, word,
	         paint_end(p->color && color != PAINT_GREEN));
}

static void put_network(const struct page *p, const json_t *n)
{
	const json_t *v4 = json_object_get(n, "ipv4"), *v6 = json_object_get(n, "ipv6");
	const char *name = get_str(n, "name"), *verdict = get_str(v6, "verdict");
	char span[SPAN_TEXT];

	if (strlen(name) > NETWORK_WIDTH) {
		text_fmt(p->out, "  %s\n", name);
		name = "";
	}
	text_fmt(p->out, "  %-*s v4 ", NETWORK_WIDTH, name);
	put_word(p, get_str(v4, "announce"), 17);
	text_char(p->out, ' ');
	put_word(p, get_str(v4, "verdict"), 9);
	text_str(p->out, "  v6 ");
	put_word(p, get_str(v6, "announce"), 17);
	text_char(p->out, ' ');
	put_word(p, verdict, (int)strlen(verdict));
	text_char(p->out, '\n');
	put_causes(p, v4, "v4");
	put_causes(p, v6, "v6");
	if (get_int(n, "data_age_ms") >= AGE_SHOWN_MS)
		put_line(p, PAINT_YELLOW, "data last known current %s ago",
		         clock_span_text((uint64_t)get_int(n, "data_age_ms"), span));
}

/* Zones that differ there: the first with its serials, and how many more. */
static void put_zones(const struct page *p, const char *name)
{
	const json_t *row, *first = NULL;
	char span[SPAN_TEXT] = "?";
	size_t i, count = 0;

	json_array_foreach(json_object_get(p->drift, "rows"), i, row) {
		if (strcmp(get_str(row, "node"), name) != 0)
			continue;
		if (!first || (is_alarm(row) && !is_alarm(first)))
			first = row;
		count++;
	}
	if (!first)
		return;
	if (json_is_integer(json_object_get(first, "since_ms")))
		clock_span_text((uint64_t)get_int(first, "since_ms"), span);
	put_line(p, is_alarm(first) ? PAINT_RED : PAINT_YELLOW, "zone %s %s for %s: serial %lld, here %lld",
	         get_str(first, "zone"), drift_words(first), span, get_int(first, "there"), get_int(first, "here"));
	count = MAX(count, status_fleet_drifts(p->drift, name));
	if (count > 1)
		put_line(p, PAINT_NONE, "and %zu more zone%s that differ%s", count - 1, count == 2 ? "" : "s",
		         count == 2 ? "s" : "");
}

/* Where it does not answer, and since when. */
static void put_addresses(const struct page *p, const json_t *node)
{
	const json_t *a;
	char span[SPAN_TEXT];
	size_t i;

	json_array_foreach(json_object_get(node, "addresses"), i, a) {
		if (!address_is_silent(a))
			continue;
		if (json_is_integer(json_object_get(a, "heard_ms")))
			put_line(p, PAINT_YELLOW, "no answer over %s at %s for %s", family_of(a), get_str(a, "address"),
			         clock_span_text((uint64_t)get_int(a, "heard_ms"), span));
		else
			put_line(p, PAINT_YELLOW, "never an answer over %s at %s", family_of(a), get_str(a, "address"));
	}
}

static void put_paths(const struct page *p, const char *name)
{
	static const char *const transports[] = {"udp", "tcp"};
	const json_t *v = named(json_object_get(p->views, "nodes"), name), *a;
	size_t i;

	json_array_foreach(json_object_get(v, "addresses"), i, a) {
		for (size_t t = 0; t < ARRAY_LEN(transports); t++) {
			const json_t *path = json_object_get(a, transports[t]);

			if (get_int(path, "failures") >= STATUS_FLEET_LOST)
				put_line(p, PAINT_YELLOW, "%lld plain questions over %s to %s were lost in a row",
				         get_int(path, "failures"), t ? "TCP" : "UDP", get_str(a, "address"));
		}
	}
}

static void put_node(const struct page *p, const struct seen *s)
{
	char span[SPAN_TEXT], up[SPAN_TEXT], reached[16], zones[44];
	const json_t *n = s->node, *network;
	const char *name = get_str(n, "name");
	size_t i;

	snprintf(reached, sizeof(reached), "%s %s", reach(n, false), reach(n, true));
	snprintf(zones, sizeof(zones), "%lld/%lld", get_int(n, "serving"), get_int(n, "zones"));
	text_fmt(p->out, "%s%-*s%s ", paint_begin(p->color, colors[s->how]), NAME_WIDTH, name, paint_end(p->color));
	if (strlen(name) > NAME_WIDTH)
		text_fmt(p->out, "\n%*s ", NAME_WIDTH, "");
	text_fmt(p->out, "%-7s %8s  %-9s  %-6s %11s  %s%s\n", get_str(n, "role"), heard_text(s, span),
	         s->self ? "" : reached,
	         !s->known                                                    ? "?"
	         : s->self || json_is_true(json_object_get(n, "same_config")) ? "same"
	                                                                      : "OTHER",
	         s->known ? zones : "?", s->known ? clock_span_text((uint64_t)get_int(n, "uptime_s") * 1000U, up) : "?",
	         json_is_true(json_object_get(n, "stopping")) ? " stopping" : "");
	if (!s->self && *get_str(n, "why") && strcmp(get_str(n, "why"), "-") != 0)
		put_line(p, PAINT_YELLOW, "%s", get_str(n, "why"));
	json_array_foreach(json_object_get(n, "networks"), i, network)
		put_network(p, network);
	if (s->self)
		return;
	if (s->known)
		put_addresses(p, n);
	put_zones(p, name);
	put_paths(p, name);
}

/* ---- the anycast addresses, seen from here ---- */

static void family_view(const json_t *f, char *out, size_t cap)
{
	if (json_is_true(json_object_get(f, "own")))
		snprintf(out, cap, "own");
	else if (!json_is_integer(json_object_get(f, "heard_ms")) || !*get_str(f, "node"))
		snprintf(out, cap, "no answer");
	else
		snprintf(out, cap, "%s, %.1f ms%s", get_str(f, "node"), (double)get_int(f, "latency_us") / 1000.0,
		         get_int(f, "failures") >= STATUS_FLEET_LOST ? ", lost" : "");
}

/* Its own network as others see it, or another's as it sees it itself. */
static bool seen_badly(const json_t *f)
{
	const char *state = get_str(f, json_is_true(json_object_get(f, "own")) ? "outside" : "seen");

	return strcmp(state, "silent") == 0 || strcmp(state, "filtered") == 0;
}

static void put_outside(const struct page *p, const json_t *f, const char *network, const char *name)
{
	bool own = json_is_true(json_object_get(f, "own"));
	const char *since = own ? "outside_since_ms" : "seen_since_ms", *node = get_str(f, "node");
	char span[SPAN_TEXT] = "?";

	if (!seen_badly(f))
		return;
	if (json_is_integer(json_object_get(f, since)))
		clock_span_text((uint64_t)get_int(f, since), span);
	if (own)
		put_line(p, PAINT_RED, "%s of %s is %s from outside for %s: %s", name, network, get_str(f, "outside"),
		         span, get_str(f, "why"));
	else
		put_line(p, PAINT_RED, "%s of %s%s%s%s is not answered here for %s: %s", name, network,
		         *node ? ", last answered by " : "", node, *node ? "," : "", span, get_str(f, "why"));
}

static size_t put_views(const struct page *p)
{
	const json_t *n;
	size_t i, bad = 0;

	if (!json_array_size(json_object_get(p->views, "networks")))
		return 0;
	text_str(p->out, "\nANYCAST FROM HERE\n");
	json_array_foreach(json_object_get(p->views, "networks"), i, n) {
		const json_t *v4 = json_object_get(n, "ipv4"), *v6 = json_object_get(n, "ipv6");
		char line[256], a[100], b[100];
		const char *name = get_str(n, "name");

		family_view(v4, a, sizeof(a));
		family_view(v6, b, sizeof(b));
		text_fmt(p->out, "  %-*s ", NETWORK_WIDTH, name);
		if (strlen(name) > NETWORK_WIDTH)
			text_fmt(p->out, "\n%*s", VIEW_INDENT, "");
		snprintf(line, sizeof(line), "v4 %s; v6 %s", a, b);
		wrap_text(line, strlen(name) > NETWORK_WIDTH ? VIEW_INDENT : NETWORK_WIDTH + 3, VIEW_INDENT,
		          STATUS_FLEET_WIDTH, p->out);
		text_char(p->out, '\n');
		put_outside(p, v4, name, "IPv4");
		put_outside(p, v6, name, "IPv6");
		bad += seen_badly(v4) || seen_badly(v6);
	}
	return bad;
}

/* Zones against servers that are no nodes of the fleet. */
static size_t put_references(const struct page *p)
{
	const json_t *row;
	size_t i, alarms = 0;

	json_array_foreach(json_object_get(p->drift, "rows"), i, row) {
		char span[SPAN_TEXT] = "?";

		if (json_is_string(json_object_get(row, "node")) && *get_str(row, "node"))
			continue;
		if (json_is_integer(json_object_get(row, "since_ms")))
			clock_span_text((uint64_t)get_int(row, "since_ms"), span);
		put_line(p, is_alarm(row) ? PAINT_RED : PAINT_YELLOW, "zone %s %s at %s for %s: serial %lld, here %lld",
		         get_str(row, "zone"), drift_words(row), get_str(row, "server"), span, get_int(row, "there"),
		         get_int(row, "here"));
		alarms += is_alarm(row);
	}
	return alarms;
}

/* ---- the whole ---- */

static void put_closing(const struct page *p, const struct seen *list, size_t count, size_t networks_bad,
                        size_t references)
{
	struct text line;
	size_t bad = 0;

	text_init(&line);
	for (size_t i = 0; i < count; i++)
		bad += list[i].how > GOOD;
	if (bad)
		text_fmt(&line, "%zu of %zu nodes %s not as %s should be:", bad, count, bad == 1 ? "is" : "are",
		         bad == 1 ? "it" : "they");
	else
		text_fmt(&line, count == 1 ? "The node is well" : "All %zu nodes are well", count);
	for (size_t i = 0; i < count && i < NAMED_MAX && list[i].how > GOOD; i++)
		text_fmt(&line, "%s %s %s", i ? ";" : "", get_str(list[i].node, "name"), list[i].wrong);
	if (bad > NAMED_MAX)
		text_fmt(&line, "; and %zu more", bad - NAMED_MAX);
	text_char(&line, '.');
	if (networks_bad)
		text_fmt(&line, " %zu network%s badly.", networks_bad, networks_bad == 1 ? " is seen" : "s are seen");
	if (references)
		text_fmt(&line, " %zu zone%s not as %s outside of the fleet.", references,
		         references == 1 ? " is" : "s are", references == 1 ? "it is" : "they are");
	text_fmt(p->out, "\n%s",
	         paint_begin(p->color, bad                          ? colors[list[0].how]
	                               : networks_bad || references ? PAINT_RED
	                                                            : PAINT_GREEN));
	wrap_text(line.chars, 0, 2, STATUS_FLEET_WIDTH, p->out);
	text_fmt(p->out, "%s\n", paint_end(p->color));
	text_done(&line);
}

static int worst_first(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return x->how != y->how ? (int)y->how - (int)x->how : 0;
}

/* qsort() keeps no order: insertion does, and a fleet has a thousand nodes at most. */
static void sort(struct seen *list, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct seen s = list[i];
		size_t at = i;

		for (; at && worst_first(&list[at - 1], &s) > 0; at--)
			list[at] = list[at - 1];
		list[at] = s;
	}
}

void status_fleet_text(const json_t *status, bool with_self, bool color, struct text *out)
{
	const json_t *peers = json_object_get(status, "peers"), *nodes = json_object_get(peers, "nodes"), *n;
	struct page p = {.drift = json_object_get(status, "drift"),
	                 .views = json_object_get(status, "views"),
	                 .color = color,
	                 .out = out};
	struct seen *list = calloc(json_array_size(nodes) + 1, sizeof(*list));
	size_t count = 0, i, networks_bad = 0, references = 0;

	if (!list)
		return;
	if (with_self)
		look(&p, json_object_get(peers, "self"), true, &list[count++]);
	json_array_foreach(nodes, i, n)
		look(&p, n, false, &list[count++]);
	sort(list, count);
	text_fmt(out, "%s%-*s %-7s %8s  %-9s  %-6s %11s  %s%s\n", paint_begin(color, PAINT_BOLD), NAME_WIDTH, "NODE",
	         "ROLE", "SEEN", "ANSWERS", "CONFIG", "ZONES", "UP", paint_end(color));
	for (i = 0; i < count; i++)
		put_node(&p, &list[i]);
	/* In a node's own status these have sections of their own. */
	if (with_self) {
		networks_bad = put_views(&p);
		references = put_references(&p);
	}
	put_closing(&p, list, count, networks_bad, references);
	free(list);
}
