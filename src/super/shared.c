/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/shared.h"

#include "base/err.h"
#include "base/hash.h"
#include "dnstap/ring.h"
#include "edge/cache.h"
#include "limit/rate.h"
#include "sample/ring.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Memory that roles share, empty: it outlives any of them. *memory is mapped until the caller has filled it. */
static int shared_memory(const char *name, size_t size, int *out, void **memory)
{
	int fd = memfd_create(name, MFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	*memory = ftruncate(fd, (off_t)size) < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*memory == MAP_FAILED) {
		err = -errno;
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int shared_make_rate_table(uint32_t entries, int *out)
{
	size_t size = rate_table_size(entries);
	uint8_t key[16];
	void *memory;
	int err = shared_memory("zonecast-rates", size, out, &memory);

	if (err < 0)
		return err;
	random_bytes(key, sizeof(key));
	rate_table_init(memory, entries, key);
	munmap(memory, size);
	return 0;
}

int shared_make_sample_rings(unsigned workers, int *out)
{
	size_t size = sample_rings_size(workers);
	void *memory;
	int err = shared_memory("zonecast-queries", size, out, &memory);

	if (err < 0)
		return err;
	sample_rings_init(memory, workers);
	munmap(memory, size);
	return 0;
}

int shared_make_backend_cache(size_t octets, int *out)
{
	size_t size = edge_cache_octets(octets);
	uint64_t key[2];
	void *memory;
	int err = shared_memory("zonecast-backend-cache", size, out, &memory);

	if (err < 0)
		return err;
	random_bytes(key, sizeof(key));
	edge_cache_format(memory, size, key);
	munmap(memory, size);
	return 0;
}

int shared_make_tap_rings(unsigned workers, size_t octets, int *out)
{
	size_t ring = tap_ring_octets(octets, workers), size = tap_rings_size(workers, ring);
	void *memory;
	int err = shared_memory("zonecast-taps", size, out, &memory);

	if (err < 0)
		return err;
	tap_rings_init(memory, workers, ring);
	munmap(memory, size);
	return 0;
}
