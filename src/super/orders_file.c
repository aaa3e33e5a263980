/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/orders_file.h"

#include "base/err.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const words[] = {"none", "drain", "freeze", "force", "drain-backstop", "drain-neighbor"};

static bool of_network(enum order_word word)
{
	return word <= WORD_FORCE;
}

static struct order_row *find(const struct orders *o, bool network, enum order_word word, const char *name)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct order_row *r = &o->row[i];

		if ((network ? of_network(r->word) : r->word == word) && strcmp(r->name, name) == 0)
			return (struct order_row *)(uintptr_t)r;
	}
	return NULL;
}

static void drop(struct orders *o, const struct order_row *r)
{
	size_t at = (size_t)(r - o->row);

	o->count--;
	memmove(&o->row[at], &o->row[at + 1], (o->count - at) * sizeof(*r));
}

static int add(struct orders *o, enum order_word word, const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= ORDERS_NAME_MAX || strpbrk(name, " \t\r\n"))
		return ERR_INVALID;
	if (o->count == ORDERS_MAX)
		return ERR_LIMIT;
	o->row[o->count].word = word;
	memcpy(o->row[o->count++].name, name, len + 1);
	return 0;
}

enum order_word orders_of_network(const struct orders *o, const char *network)
{
	const struct order_row *r = find(o, true, WORD_NONE, network);

	if (!r)
		r = find(o, true, WORD_NONE, ORDERS_ALL);
	return r ? r->word : WORD_NONE;
}

bool orders_has(const struct orders *o, enum order_word word, const char *name)
{
	return find(o, false, word, name) || (word == WORD_DRAIN_BACKSTOP && find(o, false, word, ORDERS_ALL));
}

int orders_put(struct orders *o, enum order_word word, const char *name, bool on)
{
	struct order_row *r = find(o, false, word, name);

	if (on)
		return r ? 0 : add(o, word, name);
	if (r)
		drop(o, r);
	return 0;
}

int orders_put_network(struct orders *o, enum order_word word, const char *network)
{
	bool all = strcmp(network, ORDERS_ALL) == 0;
	struct orders next = *o;
	int err = 0;

	for (size_t i = next.count; i-- > 0;) {
		const struct order_row *r = &next.row[i];
		bool same = all || strcmp(r->name, network) == 0;

		if (same && (of_network(r->word) || (r->word == WORD_DRAIN_BACKSTOP && word == WORD_NONE)))
			drop(&next, r);
	}
	if (word != WORD_NONE || find(&next, true, WORD_NONE, ORDERS_ALL))
		err = add(&next, word, network);
	if (!err)
		*o = next;
	return err;
}

static void take_line(struct orders *o, char *line)
{
	char *rest, *word = strtok_r(line, " \t\r", &rest), *name = word ? strtok_r(NULL, " \t\r", &rest) : NULL;

	if (!name || strtok_r(NULL, " \t\r", &rest))
		return;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct order_row *old;

		if (strcmp(words[i], word) != 0)
			continue;
		/* Of two lines about a network the last one counts, so that an operator can append one by hand. */
		old = find(o, of_network((enum order_word)i), (enum order_word)i, name);
		if (old)
			old->word = (enum order_word)i;
		else if (add(o, (enum order_word)i, name) < 0)
			return;
	}
}

void orders_parse(const char *text, size_t len, struct orders *out)
{
	char line[ORDERS_NAME_MAX + 40];

	memset(out, 0, sizeof(*out));
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		if (n < sizeof(line)) {
			memcpy(line, text, n);
			line[n] = '\0';
			take_line(out, line);
		}
		n += end != NULL;
		text += n;
		len -= n;
	}
}

int orders_read(const char *state_dir, struct orders *out)
{
	char path[ORDERS_PATH_MAX], *text = malloc(ORDERS_FILE_MAX);
	size_t len;
	int err = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/orders", state_dir);
	f = text ? fopen(path, "re") : NULL;
	if (!f) {
		err = !text ? ERR_NO_MEMORY : errno == ENOENT ? 0 : -errno;
		free(text);
		if (!err)
			memset(out, 0, sizeof(*out));
		return err;
	}
	len = fread(text, 1, ORDERS_FILE_MAX, f);
	if (ferror(f))
		err = -EIO;
	fclose(f);
	if (!err)
		orders_parse(text, len, out);
	free(text);
	return err;
}

int orders_write(const char *state_dir, const struct orders *o)
{
	char path[ORDERS_PATH_MAX], tmp[ORDERS_PATH_MAX + 8];
	int err = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/orders", state_dir);
	snprintf(tmp, sizeof(tmp), "%s.new", path);
	f = fopen(tmp, "we");
	if (!f)
		return -errno;
	for (size_t i = 0; i < o->count; i++)
		fprintf(f, "%s %s\n", words[o->row[i].word], o->row[i].name);
	if (fflush(f) != 0 || fsync(fileno(f)) < 0)
		err = -errno;
	if (fclose(f) != 0 && !err)
		err = -errno;
	if (!err && rename(tmp, path) < 0)
		err = -errno;
	return err;
}
