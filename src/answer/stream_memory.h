/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>

/* Memory of the stream connections of one worker, all of it counted: buffers of any size for what could not be dealt with at once, and
 * slabs of equal cells that grow with the number of connections and go when the last one has gone. */
struct stream_memory {
	uint64_t used;
};

/* NULL: out of memory. The octets count until memory_give(). */
void *memory_take(struct stream_memory *m, size_t len) MUST_CHECK;
/* NULL is fine. */
void memory_give(struct stream_memory *m, void *p);

struct slab_chunk;
struct slab {
	struct stream_memory *memory;
	size_t cell; /* octets, a multiple of 8, at least 8 */
	uint32_t live;
	struct slab_chunk *chunks;
	void *unused; /* list of cells through their first word */
};

void slab_init(struct slab *s, struct stream_memory *m, size_t cell);
/* A zeroed cell. */
void *slab_take(struct slab *s) MUST_CHECK;
void slab_give(struct slab *s, void *cell);
/* Let memory go that no cell is in. Cells given back stay readable until then. */
void slab_trim(struct slab *s);
void slab_done(struct slab *s);
