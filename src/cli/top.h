/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `zonecast top`: what a node does now, from two looks at its status, and from the sample of its queries. */
enum {
	TOP_KEY_MAX = 128, /* bytes, cut off beyond */
	TOP_ENTRIES = 512, /* keys that a table remembers */
	TOP_WORKERS_MAX = 256,
	TOP_NODES_MAX = 1000,
	TOP_NETWORKS_MAX = 64,
	TOP_RCODES = 24,
	TOP_TYPES_MAX = 32, /* counted by the node */
	TOP_NAME_MAX = 64,
	TOP_STATE_MAX = 24,
	TOP_WIDTH_MIN = 1,
	TOP_WIDTH_MAX = 400,
	TOP_HEIGHT_MIN = 1,
	TOP_HEIGHT_MAX = 400,
};

/* ---- top_table.c: who comes most often, in bounded memory (pure) ---- */

/* Space-saving (Metwally, Agrawal, El Abbadi 2005): whose share is more than 1 in TOP_ENTRIES is in it for certain. A key that takes another one's place takes its count as
 * well, and remembers that as `excess`: its own is between count - excess and count. */
struct top_entry {
	char key[TOP_KEY_MAX];
	uint64_t hash;
	double count, excess;
};
struct top_table {
	size_t used;
	double total; /* of all that was added, those forgotten included */
	struct top_entry entry[TOP_ENTRIES];
};
void top_table_add(struct top_table *t, const char *key);
/* All counts times `factor`: what was long ago counts less. */
void top_table_fade(struct top_table *t, double factor);
/* The first `most` by what they have for certain, into out; how many. Ties by key. */
size_t top_table_best(const struct top_table *t, const struct top_entry **out, size_t most);

/* ---- top_rates.c: two looks at the status (pure) ---- */

enum top_transport { TOP_UDP, TOP_TCP, TOP_TLS, TOP_KERNEL, TOP_TRANSPORTS };

/* Counters at a moment, as the status has them. */
struct top_look {
	uint64_t at_ms; /* clock_ms() */
	uint64_t uptime_ms;
	uint64_t queries[TOP_TRANSPORTS][2]; /* KERNEL: answered by XDP, which the others do not count */
	uint64_t answers, dropped, cached, truncated, limited, filtered, lost, bytes_in, bytes_out;
	uint64_t rcodes[TOP_RCODES];
	size_t workers;
	uint64_t cpu_ms[TOP_WORKERS_MAX];
	size_t types;
	struct top_type {
		char name[TOP_STATE_MAX];
		uint64_t count;
	} type[TOP_TYPES_MAX]; /* where the node counts them */
};
void top_look(const json_t *status, uint64_t now_ms, struct top_look *out);

struct top_node {
	char name[TOP_NAME_MAX];
	char state[TOP_STATE_MAX]; /* "good", or the worst word there is */
	bool self;
	int64_t heard_ms;   /* -1: never */
	uint64_t qps, load; /* permille */
	int64_t headroom;   /* -1: not known */
	uint64_t zones, serving, drift;
};
/* What is drawn. */
struct top_view {
	char node[TOP_NAME_MAX], version[32];
	uint64_t uptime_ms, zones, records, load;
	int64_t headroom;
	double seconds; /* between the two looks; 0: there was one only */
	double queries[TOP_TRANSPORTS][2], all, answers, dropped, cached, truncated, limited, filtered, lost, bytes_in,
		bytes_out; /* a second */
	double rcodes[TOP_RCODES];
	size_t workers;
	double cpu[TOP_WORKERS_MAX]; /* 1: all of a CPU */
	size_t types;
	struct {
		char name[TOP_STATE_MAX];
		double rate;
	} type[TOP_TYPES_MAX];
	size_t networks;
	struct {
		char name[TOP_NAME_MAX], announce[2][TOP_STATE_MAX],
			verdict[2][TOP_STATE_MAX]; /* by family; "": it has no prefixes of it */
	} network[TOP_NETWORKS_MAX];
	size_t nodes; /* worst first, then by queries */
	struct top_node node_row[TOP_NODES_MAX];
	/* Of the sample. */
	uint64_t sample; /* one query in so many; 0: none is kept */
	uint64_t sampled;
	struct top_table *clients, *names, *kinds; /* borrowed */
	char message[160];                         /* why there is nothing newer; "" */
};
/* From the status and the look before (NULL: the first). The sample and the message stay as they are. A counter that went back, as after a restart, counts as 0. */
void top_rates(const json_t *status, const struct top_look *before, const struct top_look *now, struct top_view *out);
/* An entry of the query log sample into the tables. */
void top_sampled(struct top_view *v, const json_t *entry);

/* ---- top_draw.c (pure) ---- */

struct top_page {
	int width, height; /* height 0: as long as it is */
	bool color, fleet; /* fleet: the nodes rather than clients and names */
	bool live;
	const char *clock; /* "19:05:07" */
};
/* At most `height` lines of at most `width` columns, each with a newline. */
void top_draw(const struct top_view *v, const struct top_page *page, struct text *out);
json_t *top_json(const struct top_view *v);

/* ---- top_screen.c: the terminal ---- */

/* Take the terminal over: alternate screen, no cursor, keys as they come. What is written to standard error from now on is kept for top_screen_message(). It is given back by
 * top_screen_close(), at any exit of the process, and by signals that end or stop it. False: there is no terminal that can. */
bool top_screen_open(void);
void top_screen_close(void);
void top_screen_size(int *width, int *height);
void top_screen_put(const struct text *page);
/* The last line on standard error since the last call; "" none. */
void top_screen_message(char *out, size_t cap);
/* Wait for a key, for `fd` (-1: none), a new size, a signal to end, or the time. */
enum top_event { TOP_TIME, TOP_KEY, TOP_FD, TOP_RESIZED, TOP_ENDED };
enum top_event top_screen_wait(int fd, uint64_t until_ms, char *key);
