/* SPDX-License-Identifier: BSD-2-Clause */
/* Maps of places, whatever is in them: searches stay inside, and in a map that was found good they agree with a plain look at all networks.
 *
 * Input: counts of IPv4 networks, of IPv6 networks and of places (an octet each); a mode; then the octets of these. Mode 0: the index follows from the networks; else it is
 * what remains, over and over. */
#include "base/err.h"
#include "steer/geo.h"
#include "steer/geo_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t take(uint8_t *to, size_t want, const uint8_t *data, size_t len)
{
	size_t n = want < len ? want : len;

	memset(to, 0, want);
	memcpy(to, data, n);
	return n;
}

static void plain(const struct geo_v4 *v4, size_t count, const struct geo_record *places, const struct ip_addr *a, const struct geo_map *m)
{
	uint32_t addr = (uint32_t)a->bytes[0] << 24 | (uint32_t)a->bytes[1] << 16 | (uint32_t)a->bytes[2] << 8 | a->bytes[3];
	struct geo_place p;
	uint8_t scope;
	size_t i = count;

	while (i > 1 && v4[i - 1].start > addr)
		i--;
	geo_find(m, a, &p, &scope);
	if (scope != v4[i - 1].word >> GEO_LENGTH_SHIFT || p.as != places[v4[i - 1].word & GEO_PLACES_MAX].as)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct geo_header h = {.magic = GEO_MAGIC, .version = GEO_VERSION};
	struct geo_map *m = NULL;
	struct geo_record *places;
	struct geo_v4 *v4;
	uint32_t *index;
	uint8_t *file, mode;
	size_t at = sizeof(h);
	int fd;

	if (len < 4)
		return 0;
	h.v4_count = data[0];
	h.v6_count = data[1];
	h.place_count = data[2];
	mode = data[3];
	data += 4;
	len -= 4;
	h.size = sizeof(h) + h.v4_count * sizeof(struct geo_v4) + h.v6_count * sizeof(struct geo_v6) + h.place_count * sizeof(struct geo_record) +
	         GEO_INDEX * sizeof(*index);
	file = calloc(1, h.size);
	if (!file)
		return 0;
	memcpy(file, &h, sizeof(h));
	v4 = (void *)(file + at);
	for (unsigned part = 0; part < 3; part++) {
		size_t want = part == 0   ? h.v4_count * sizeof(struct geo_v4)
		              : part == 1 ? h.v6_count * sizeof(struct geo_v6)
		                          : h.place_count * sizeof(struct geo_record);
		size_t n = take(file + at, want, data, len);

		data += n;
		len -= n;
		at += want;
	}
	places = (void *)(file + at - h.place_count * sizeof(struct geo_record));
	index = (void *)(file + at);
	for (size_t i = 0, k = 0; i < GEO_INDEX; i++) {
		while (mode == 0 && k + 1 < h.v4_count && v4[k + 1].start <= (uint64_t)i << 16)
			k++;
		index[i] = (uint32_t)k;
		for (size_t n = 0; mode && n < 4 && len; n++)
			((uint8_t *)&index[i])[n] = data[(4 * i + n) % len];
	}
	fd = memfd_create("map", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, file, h.size) == (ssize_t)h.size && geo_map_open(fd, &m) == 0) {
		int good = geo_map_check(m);

		for (unsigned i = 0; i < 64; i++) {
			struct ip_addr a = {.family = i % 2 ? 4 : 6};
			struct geo_place p;
			uint8_t scope;

			for (unsigned n = 0; n < 16; n++)
				a.bytes[n] = (uint8_t)(i < 4 ? 255 * (i / 2) : (i * 2654435761U + n * 40503U) >> 13);
			for (unsigned n = 0; i >= 32 && n < 4 && h.v4_count; n++)
				a.bytes[n] = (uint8_t)(v4[i % h.v4_count].start >> (24 - 8 * n));
			if (a.family == 4)
				memset(a.bytes + 4, 0, 12);
			geo_find(m, &a, &p, &scope);
			if (scope > (a.family == 4 ? 32 : 128))
				abort();
			if (good == 0 && a.family == 4)
				plain(v4, h.v4_count, places, &a, m);
		}
		geo_map_close(m);
	}
	if (fd >= 0)
		close(fd);
	free(file);
	return 0;
}
