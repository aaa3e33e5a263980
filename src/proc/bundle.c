/* SPDX-License-Identifier: BSD-2-Clause */
/* Layout of the memfd: a count (8 octets), then per item: length of the name with its NUL (8), length of the octets (8), name,
 * octets. Host byte order: both sides are the same binary on the same machine. */
#include "proc/bundle.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct item {
	char *name; /* owned while building, else in the mapping */
	void *bytes;
	size_t len;
};

struct bundle {
	struct item *items;
	size_t count;
	void *map; /* NULL while building */
	size_t map_len;
};

struct bundle *bundle_new(void)
{
	return calloc(1, sizeof(struct bundle));
}

void bundle_free(struct bundle *b)
{
	if (!b)
		return;
	for (size_t i = 0; !b->map && i < b->count; i++) {
		free(b->items[i].name);
		free(b->items[i].bytes);
	}
	if (b->map)
		munmap(b->map, b->map_len);
	free(b->items);
	free(b);
}

/* Takes bytes over, also on failure. */
static int adopt(struct bundle *b, const char *name, void *bytes, size_t len)
{
	struct item it = {.name = strdup(name), .bytes = bytes, .len = len};
	struct item *items = NULL;
	int err = ERR_NO_MEMORY;

	if (b->count >= BUNDLE_ITEMS_MAX || len > BUNDLE_ITEM_MAX)
		err = ERR_LIMIT;
	else if (it.name && bytes)
		items = realloc(b->items, (b->count + 1) * sizeof(*items));
	if (!items) {
		free(it.name);
		free(bytes);
		return err;
	}
	b->items = items;
	b->items[b->count++] = it;
	return 0;
}

int bundle_add(struct bundle *b, const char *name, const void *bytes, size_t len)
{
	void *copy = malloc(len ? len : 1);

	if (copy && len)
		memcpy(copy, bytes, len);
	return adopt(b, name, copy, len);
}

int bundle_add_file(struct bundle *b, const char *path, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	size_t len = 0, cap = 4096;
	char *bytes = NULL;
	struct stat st;

	if (fd < 0)
		return -errno;
	/* As long as it says it is, and one more to see its end; what has no length, or not the one it said, grows. */
	if (fstat(fd, &st) == 0 && st.st_size > 0 && (uintmax_t)st.st_size <= max)
		cap = (size_t)st.st_size + 1;
	for (;;) {
		char *more = realloc(bytes, cap);
		ssize_t n;

		if (!more) {
			err = ERR_NO_MEMORY;
			break;
		}
		bytes = more;
		n = read(fd, bytes + len, cap - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = -errno;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len > max) {
			err = ERR_LIMIT;
			break;
		}
		if (len == cap)
			cap *= 2;
	}
	close(fd);
	if (err) {
		free(bytes);
		return err;
	}
	return adopt(b, path, bytes, len);
}

static int put(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int bundle_seal(const struct bundle *b, int *out)
{
	int fd = memfd_create("zonecast-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint64_t count = b->count;
	int err;

	if (fd < 0)
		return -errno;
	err = put(fd, &count, sizeof(count));
	for (size_t i = 0; !err && i < b->count; i++) {
		uint64_t lens[2] = {strlen(b->items[i].name) + 1, b->items[i].len};

		err = put(fd, lens, sizeof(lens));
		if (!err)
			err = put(fd, b->items[i].name, lens[0]);
		if (!err)
			err = put(fd, b->items[i].bytes, lens[1]);
	}
	if (!err && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

int bundle_open(int fd, struct bundle **out)
{
	struct bundle *b = bundle_new();
	uint64_t count = 0;
	struct stat st;
	size_t at = sizeof(count);

	if (!b)
		return ERR_NO_MEMORY;
	if (fstat(fd, &st) < 0 || (size_t)st.st_size < sizeof(count))
		goto bad;
	b->map_len = (size_t)st.st_size;
	b->map = mmap(NULL, b->map_len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (b->map == MAP_FAILED) {
		b->map = NULL;
		goto bad;
	}
	memcpy(&count, b->map, sizeof(count));
	if (count > BUNDLE_ITEMS_MAX)
		goto bad;
	b->items = calloc(count ? count : 1, sizeof(*b->items));
	if (!b->items)
		goto bad;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t lens[2];

		if (b->map_len - at < sizeof(lens))
			goto bad;
		memcpy(lens, (char *)b->map + at, sizeof(lens));
		at += sizeof(lens);
		if (!lens[0] || lens[0] > b->map_len - at || lens[1] > b->map_len - at - lens[0])
			goto bad;
		b->items[i].name = (char *)b->map + at;
		b->items[i].bytes = (char *)b->map + at + lens[0];
		b->items[i].len = lens[1];
		at += lens[0] + lens[1];
		b->count = i + 1;
	}
	*out = b;
	return 0;
bad:
	if (!b->map)
		b->count = 0;
	bundle_free(b);
	return ERR_MALFORMED;
}

const void *bundle_get(const struct bundle *b, const char *name, size_t *len)
{
	for (size_t i = 0; i < b->count; i++)
		if (strcmp(b->items[i].name, name) == 0) {
			*len = b->items[i].len;
			return b->items[i].bytes;
		}
	return NULL;
}

void bundle_rest(const struct bundle *b)
{
	if (b->map)
		madvise(b->map, b->map_len, MADV_DONTNEED);
}

const void *bundle_first(const struct bundle *b, const char **name, size_t *len)
{
	if (!b->count)
		return NULL;
	*name = b->items[0].name;
	*len = b->items[0].len;
	return b->items[0].bytes;
}
