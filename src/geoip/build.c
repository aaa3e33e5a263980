/* SPDX-License-Identifier: BSD-2-Clause */
/* MaxMind databases into the flat map that steer searches (steer/geo_file.h).
 *
 * A database is a binary tree over the bits of addresses, whose leaves point at data, maps of text and numbers that are decoded for each look: too slow and too large a surface for
 * who answers questions. So sync walks the trees of both databases at once, once: where one has a leaf and the other goes on, the leaf stays. Each pair of leaves is decoded, to five numbers, unless it is
 * remembered from before; equal ones share a place, however many networks or entries have them. Leaves come in the order of addresses; two halves of a
 * network that have the same place become that network, which needs a stack no deeper than an address is long, and networks are written as soon as
 * they cannot grow any more. So memory goes with the number of different places, not of networks.
 *
 * IPv4 in a tree of IPv6 begins at ::/96, and is often reached by other ways as well (2002::/16, ::ffff:0:0/96, 2001::/32). These are not walked again: the map says that the next 32 bits are
 * an IPv4 address. They are where all databases that know IPv6 agree in it; else that part is walked as any other.
 *
 * A database is copied first, and what was written to meanwhile is not taken: operators do write into their files. The map is written beside the old one and takes its place by rename. A database is an operator's file, yet is held to limits: depth, networks, places,
 * steps (a tree with rings in it has no end), coordinates within the globe. What is wrong is told in words, and the old map stays.
 *
 * Known omissions: confidence, accuracy radius, subdivisions, and time zones are not in the map; nor represented countries (of army bases). */
#include "geoip/build.h"

#include "base/err.h"
#include "base/hash.h"
#include "steer/geo.h"
#include "steer/geo_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <maxminddb.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BUILD_STEPS_MAX = 50000000,
	BUILD_STACK = 130,
	BUILD_V4_BITS = 32,
	BUILD_V6_BITS = 128,
	BUILD_PAIRS = 1 << 20,
	SOURCE_OCTETS_MAX = 1 << 30, /* the largest databases on sale have a third of it */
	COPY_OCTETS = 1 << 18,
};

typedef unsigned __int128 address; /* from the most significant bit on */

/* One database on the way down. */
struct side {
	bool node;
	uint32_t at; /* a node; else the data's offset + 1, 0: there is none */
};

struct source {
	MMDB_s db;
	const char *path;
	bool open;
	struct side v4, v6;
};

struct network {
	address start;
	uint8_t len;
	uint32_t place;
};

struct pair {
	uint32_t at[2]; /* offsets + 1; both 0: free */
	uint32_t place;
};

struct build {
	struct source from[2]; /* location, AS */
	FILE *file;
	bool v6;
	unsigned bits;
	uint64_t steps;
	uint32_t counts[2]; /* of networks: IPv4, IPv6 */
	struct network stack[BUILD_STACK];
	unsigned depth;
	uint32_t *index;
	size_t slot;
	struct geo_record *places;
	size_t place_count, place_cap;
	uint32_t *by_content; /* place + 1 */
	size_t content_size;
	struct pair *pairs; /* some that were decoded already, by a hash of what they are */
	uint64_t sources;
	char *why;
	size_t cap;
};

static int wrong(struct build *b, int rc, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int wrong(struct build *b, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b->why, b->cap, fmt, ap);
	va_end(ap);
	return rc;
}

/* ---- places ---- */

static bool get(const struct source *s, uint32_t at, const char *const path[], MMDB_entry_data_s *out)
{
	MMDB_entry_s entry = {.mmdb = &s->db, .offset = at - 1};

	return MMDB_aget_value(&entry, out, path) == MMDB_SUCCESS && out->has_data;
}

static uint16_t get_letters(const struct source *s, uint32_t at, const char *map, const char *key)
{
	MMDB_entry_data_s d;
	uint16_t v = 0;

	if (!get(s, at, (const char *const[]){map, key, NULL}, &d) || d.type != MMDB_DATA_TYPE_UTF8_STRING ||
	    d.data_size != 2)
		return 0;
	for (int i = 0; i < 2; i++) {
		if (d.utf8_string[i] < 'A' || d.utf8_string[i] > 'Z')
			return 0;
		v = (uint16_t)(v << 8 | (uint8_t)d.utf8_string[i]);
	}
	return v;
}

static bool get_degrees(const struct source *s, uint32_t at, const char *key, double most, float *out)
{
	MMDB_entry_data_s d;
	double v;

	if (!get(s, at, (const char *const[]){"location", key, NULL}, &d))
		return false;
	if (d.type != MMDB_DATA_TYPE_DOUBLE && d.type != MMDB_DATA_TYPE_FLOAT)
		return false;
	v = d.type == MMDB_DATA_TYPE_DOUBLE ? d.double_value : (double)d.float_value;
	if (!(fabs(v) <= most))
		return false;
	*out = (float)v;
	return true;
}

static void decode_location(const struct source *s, uint32_t at, struct geo_record *r)
{
	r->country = get_letters(s, at, "country", "iso_code");
	if (!r->country)
		r->country = get_letters(s, at, "registered_country", "iso_code");
	r->continent = get_letters(s, at, "continent", "code");
	r->located =
		get_degrees(s, at, "latitude", 90, &r->latitude) && get_degrees(s, at, "longitude", 180, &r->longitude);
	if (!r->located)
		r->latitude = r->longitude = 0;
}

static void decode_as(const struct source *s, uint32_t at, struct geo_record *r)
{
	MMDB_entry_data_s d;

	if (!get(s, at, (const char *const[]){"autonomous_system_number", NULL}, &d))
		return;
	if (d.type == MMDB_DATA_TYPE_UINT32)
		r->as = d.uint32;
	else if (d.type == MMDB_DATA_TYPE_UINT16)
		r->as = d.uint16;
}

static int grow_contents(struct build *b)
{
	size_t size = b->content_size * 2;
	uint32_t *slots = calloc(size, sizeof(*slots));

	if (!slots)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < b->place_count; i++) {
		size_t at = hash_checksum(&b->places[i], sizeof(b->places[i]), 0) & (size - 1);

		while (slots[at])
			at = (at + 1) & (size - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(b->by_content);
	b->by_content = slots;
	b->content_size = size;
	return 0;
}

static int add_place(struct build *b, const struct geo_record *r, uint32_t *out)
{
	size_t at = hash_checksum(r, sizeof(*r), 0) & (b->content_size - 1);

	for (; b->by_content[at]; at = (at + 1) & (b->content_size - 1)) {
		if (memcmp((const uint8_t *)&b->places[b->by_content[at] - 1], (const uint8_t *)r, sizeof(*r)) == 0) {
			*out = b->by_content[at] - 1;
			return 0;
		}
	}
	if (b->place_count == GEO_PLACES_MAX)
		return wrong(b, ERR_LIMIT, "more than %d different places", GEO_PLACES_MAX);
	if (b->place_count == b->place_cap) {
		struct geo_record *more = realloc(b->places, b->place_cap * 2 * sizeof(*more));

		if (!more)
			return ERR_NO_MEMORY;
		b->places = more;
		b->place_cap *= 2;
	}
	b->places[b->place_count] = *r;
	*out = (uint32_t)b->place_count++;
	b->by_content[at] = *out + 1;
	return b->place_count * 2 > b->content_size ? grow_contents(b) : 0;
}

static int place_of(struct build *b, const struct side sides[2], uint32_t *out)
{
	uint32_t at[2] = {sides[0].at, sides[1].at};
	struct geo_record r;
	struct pair *known;
	int rc;

	if (!at[0] && !at[1]) {
		*out = 0;
		return 0;
	}
	known = &b->pairs[hash_checksum(at, sizeof(at), 1) % BUILD_PAIRS];
	if (known->at[0] == at[0] && known->at[1] == at[1]) {
		*out = known->place;
		return 0;
	}
	memset(&r, 0, sizeof(r)); /* it is compared as a whole */
	if (at[0])
		decode_location(&b->from[0], at[0], &r);
	if (at[1])
		decode_as(&b->from[1], at[1], &r);
	rc = add_place(b, &r, out);
	if (rc == 0)
		*known = (struct pair){{at[0], at[1]}, *out};
	return rc;
}

/* ---- networks ---- */

static address bit_of(unsigned len)
{
	return (address)1 << (BUILD_V6_BITS - len);
}

static int write_network(struct build *b, const struct network *n)
{
	uint32_t word = (uint32_t)n->len << GEO_LENGTH_SHIFT | n->place;
	uint32_t i = b->counts[b->v6]++;

	if (i == GEO_NETWORKS_MAX)
		return wrong(b, ERR_LIMIT, "more than %d networks", GEO_NETWORKS_MAX);
	if (b->v6) {
		struct geo_v6 out = {.word = word};

		for (unsigned k = 0; k < 4; k++)
			out.start[k] = (uint32_t)(n->start >> (96 - 32 * k));
		return fwrite(&out, sizeof(out), 1, b->file) == 1 ? 0 : -EIO;
	}
	struct geo_v4 out = {(uint32_t)(n->start >> 96), word};
	uint64_t next = (uint64_t)out.start + (1ULL << (32 - n->len));

	for (; b->slot < GEO_INDEX && (uint64_t)b->slot << 16 < next; b->slot++)
		b->index[b->slot] = i;
	b->index[GEO_INDEX - 1] = i;
	return fwrite(&out, sizeof(out), 1, b->file) == 1 ? 0 : -EIO;
}

static int flush(struct build *b)
{
	int rc = 0;

	for (unsigned i = 0; i < b->depth && rc == 0; i++)
		rc = write_network(b, &b->stack[i]);
	b->depth = 0;
	return rc;
}

/* The next network. What waits on the stack are first halves whose second half has not come yet. */
static int emit(struct build *b, address start, unsigned len, uint32_t place)
{
	struct network *top = &b->stack[b->depth++];

	*top = (struct network){start, (uint8_t)len, place};
	while (b->depth > 1 && top[-1].len == top->len && top[-1].place == top->place && place != GEO_AS_IPV4 &&
	       (top[-1].start ^ top->start) == bit_of(top->len)) {
		top--;
		top->len--;
		b->depth--;
	}
	return top->len == 0 || top->start & bit_of(top->len) ? flush(b) : 0;
}

static bool is_v4_root(const struct build *b, const struct side sides[2])
{
	bool some = false;

	for (int i = 0; i < 2; i++) {
		const struct source *s = &b->from[i];

		if (!s->open || s->db.metadata.ip_version == 4)
			continue;
		if (!s->v4.node || !sides[i].node || sides[i].at != s->v4.at)
			return false;
		some = true;
	}
	return some;
}

static struct side side_of(uint64_t record, uint8_t type, const MMDB_entry_s *entry)
{
	if (type == MMDB_RECORD_TYPE_SEARCH_NODE)
		return (struct side){true, (uint32_t)record};
	return (struct side){false, type == MMDB_RECORD_TYPE_DATA ? entry->offset + 1 : 0};
}

static int children(struct build *b, struct source *s, struct side at, struct side out[2])
{
	MMDB_search_node_s n;
	int rc;

	out[0] = out[1] = at;
	if (!at.node)
		return 0;
	rc = MMDB_read_node(&s->db, at.at, &n);
	if (rc != MMDB_SUCCESS || n.left_record_type == MMDB_RECORD_TYPE_INVALID ||
	    n.right_record_type == MMDB_RECORD_TYPE_INVALID)
		return wrong(b, ERR_MALFORMED, "%s: node %u is broken", s->path, at.at);
	out[0] = side_of(n.left_record, n.left_record_type, &n.left_record_entry);
	out[1] = side_of(n.right_record, n.right_record_type, &n.right_record_entry);
	return 0;
}

static int walk(struct build *b, address start, unsigned len, const struct side sides[2])
{
	struct side below[2][2], next[2];
	uint32_t place;
	int rc;

	if (b->v6 && len <= BUILD_V6_BITS - BUILD_V4_BITS && is_v4_root(b, sides))
		return emit(b, start, len, GEO_AS_IPV4);
	if (!sides[0].node && !sides[1].node) {
		rc = place_of(b, sides, &place);
		return rc < 0 ? rc : emit(b, start, len, place);
	}
	if (len == b->bits || ++b->steps > BUILD_STEPS_MAX)
		return wrong(b, ERR_MALFORMED, "%s: its tree %s", b->from[sides[0].node ? 0 : 1].path,
		             len == b->bits ? "is deeper than addresses are long" : "has no end");
	for (int i = 0; i < 2; i++) {
		rc = children(b, &b->from[i], sides[i], below[i]);
		if (rc < 0)
			return rc;
	}
	for (int half = 0; half < 2; half++) {
		next[0] = below[0][half];
		next[1] = below[1][half];
		rc = walk(b, half ? start | bit_of(len + 1) : start, len + 1, next);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int geo_sources(const char *location, const char *as, uint64_t *out)
{
	const char *const paths[] = {location, as};
	uint64_t sum = GEO_VERSION;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct stat st;

		if (!paths[i])
			continue;
		if (stat(paths[i], &st) < 0)
			return -errno;
		uint64_t is[] = {i,
		                 st.st_dev,
		                 st.st_ino,
		                 (uint64_t)st.st_size,
		                 (uint64_t)st.st_mtim.tv_sec,
		                 (uint64_t)st.st_mtim.tv_nsec};

		sum = hash_checksum(is, sizeof(is), sum);
	}
	*out = sum;
	return 0;
}

/* Whole; sources: NULL: of any. */
static bool good_map(const char *path, const uint64_t *sources)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct geo_map *m = NULL;
	bool good = fd >= 0 && geo_map_open(fd, &m) == 0 && (!sources || geo_map_sources(m) == *sources) &&
	            geo_map_check(m) == 0;

	geo_map_close(m);
	if (fd >= 0)
		close(fd);
	return good;
}

bool geo_map_is_of(const char *path, uint64_t sources)
{
	return good_map(path, &sources);
}

/* ---- all ---- */

static int copy_octets(struct build *b, int from, int to, const char *path)
{
	uint8_t *chunk = malloc(COPY_OCTETS);
	uint64_t sum = 0;
	ssize_t n = 0;
	int rc = chunk ? 0 : ERR_NO_MEMORY;

	while (rc == 0 && (n = read(from, chunk, COPY_OCTETS)) > 0) {
		sum += (uint64_t)n;
		if (sum > SOURCE_OCTETS_MAX)
			rc = wrong(b, ERR_LIMIT, "%s: more than %d octets", path, SOURCE_OCTETS_MAX);
		for (ssize_t at = 0, done; rc == 0 && at < n; at += done) {
			done = write(to, chunk + at, (size_t)(n - at));
			if (done < 0)
				rc = wrong(b, -errno, "a copy of %s: %s", path, strerror(errno));
		}
	}
	if (rc == 0 && n < 0)
		rc = wrong(b, -errno, "%s: %s", path, strerror(errno));
	free(chunk);
	return rc;
}

static int copy_source(struct build *b, const char *path, const char *copy)
{
	int from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), to = -1, rc;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		rc = wrong(b, -errno, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		rc = wrong(b, ERR_MALFORMED, "%s: not a file", path);
	else
		rc = 0;
	if (rc == 0) {
		unlink(copy);
		to = open(copy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (to < 0)
			rc = wrong(b, -errno, "%s: %s", copy, strerror(errno));
	}
	if (rc == 0)
		rc = copy_octets(b, from, to, path);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	return rc;
}

/* The library maps files: one that is cut short meanwhile would end this process, so it is given a copy that nobody else knows. beside: of the map, in a folder that is ours. */
static int map_source(struct build *b, struct source *s, const char *beside)
{
	char copy[PATH_MAX];
	int rc;

	if (snprintf(copy, sizeof(copy), "%s.source", beside) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	rc = copy_source(b, s->path, copy);
	if (rc == 0) {
		rc = MMDB_open(copy, MMDB_MODE_MMAP, &s->db);
		s->open = rc == MMDB_SUCCESS;
		if (!s->open)
			rc = wrong(b, rc == MMDB_OUT_OF_MEMORY_ERROR ? ERR_NO_MEMORY : ERR_MALFORMED, "%s: %s", s->path,
			           rc == MMDB_FILE_OPEN_ERROR ? strerror(errno) : MMDB_strerror(rc));
	}
	unlink(copy);
	return rc;
}

static int open_source(struct build *b, struct source *s, const char *path, const char *beside)
{
	struct side below[2];
	int rc;

	if (!path)
		return 0;
	s->path = path;
	rc = map_source(b, s, beside);
	if (rc < 0)
		return rc;
	if (!s->db.metadata.node_count)
		return wrong(b, ERR_MALFORMED, "%s: it is empty", path);
	s->v4 = (struct side){true, 0};
	if (s->db.metadata.ip_version == 4)
		return 0;
	s->v6 = s->v4;
	for (unsigned i = 0; i < BUILD_V6_BITS - BUILD_V4_BITS && s->v4.node; i++) {
		rc = children(b, s, s->v4, below);
		if (rc < 0)
			return rc;
		s->v4 = below[0];
	}
	return 0;
}

static int walk_family(struct build *b, bool v6)
{
	struct side sides[2];
	int rc;

	b->v6 = v6;
	b->bits = v6 ? BUILD_V6_BITS : BUILD_V4_BITS;
	for (int i = 0; i < 2; i++)
		sides[i] = v6 ? b->from[i].v6 : b->from[i].v4;
	rc = walk(b, 0, 0, sides);
	return rc < 0 ? rc : flush(b);
}

static int write_file(struct build *b)
{
	static const struct geo_record none;
	struct geo_header h = {.magic = GEO_MAGIC, .version = GEO_VERSION, .sources = b->sources};
	uint32_t nowhere;
	int rc = add_place(b, &none, &nowhere);

	if (rc == 0 && fwrite(&h, sizeof(h), 1, b->file) != 1)
		rc = -EIO;
	if (rc == 0)
		rc = walk_family(b, false);
	if (rc == 0)
		rc = walk_family(b, true);
	if (rc < 0)
		return rc;
	h.v4_count = b->counts[0];
	h.v6_count = b->counts[1];
	h.place_count = (uint32_t)b->place_count;
	h.size = sizeof(h) + (uint64_t)h.v4_count * sizeof(struct geo_v4) +
	         (uint64_t)h.v6_count * sizeof(struct geo_v6) + (uint64_t)h.place_count * sizeof(struct geo_record) +
	         GEO_INDEX * sizeof(*b->index);
	if (fwrite(b->places, sizeof(*b->places), b->place_count, b->file) != b->place_count ||
	    fwrite(b->index, sizeof(*b->index), GEO_INDEX, b->file) != GEO_INDEX || fseek(b->file, 0, SEEK_SET) != 0 ||
	    fwrite(&h, sizeof(h), 1, b->file) != 1 || fflush(b->file) != 0)
		return errno ? -errno : -EIO;
	return 0;
}

static int prepare(struct build *b)
{
	b->place_cap = 1024;
	b->content_size = 4096;
	b->places = malloc(b->place_cap * sizeof(*b->places));
	b->by_content = calloc(b->content_size, sizeof(*b->by_content));
	b->pairs = calloc(BUILD_PAIRS, sizeof(*b->pairs));
	b->index = calloc(GEO_INDEX, sizeof(*b->index));
	return b->places && b->by_content && b->pairs && b->index ? 0 : ERR_NO_MEMORY;
}

static int build_at(struct build *b, const char *path)
{
	char fresh[PATH_MAX];
	int rc;

	if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh))
		return -ENAMETOOLONG;
	b->file = fopen(fresh, "we");
	if (!b->file)
		return wrong(b, -errno, "%s: %s", fresh, strerror(errno));
	errno = 0;
	rc = write_file(b);
	if (fclose(b->file) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && !good_map(fresh, NULL))
		rc = wrong(b, ERR_MALFORMED, "the map made of them is not good");
	if (rc == 0 && rename(fresh, path) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(fresh);
	return rc;
}

/* Not if they were written to while they were copied. */
static int open_sources(struct build *b, const char *location, const char *as, const char *path)
{
	uint64_t now = 0;
	int rc = open_source(b, &b->from[0], location, path);

	if (rc == 0)
		rc = open_source(b, &b->from[1], as, path);
	if (geo_sources(location, as, &now) < 0 || now != b->sources)
		return wrong(b, -EAGAIN, "a database changed while it was read");
	return rc;
}

int geo_map_build(const char *location, const char *as, const char *path, char *why, size_t cap)
{
	struct build *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return ERR_NO_MEMORY;
	b->why = why;
	b->cap = cap;
	if (cap)
		*why = '\0';
	rc = prepare(b);
	/* Of before they are read: what is written to them meanwhile makes another number. */
	if (rc == 0)
		rc = geo_sources(location, as, &b->sources);
	if (rc == 0)
		rc = open_sources(b, location, as, path);
	if (rc == 0)
		rc = build_at(b, path);
	if (rc < 0 && cap && !*why)
		wrong(b, rc, "%s", err_text(rc));
	for (int i = 0; i < 2; i++)
		if (b->from[i].open)
			MMDB_close(&b->from[i].db);
	free(b->places);
	free(b->by_content);
	free(b->pairs);
	free(b->index);
	free(b);
	return rc;
}
