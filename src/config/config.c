/* SPDX-License-Identifier: BSD-2-Clause */
/* The fleet file: YAML to a checked, immutable struct config.
 *
 * bytes -> tree.c -> tree of nodes that know their line and column -> read.c and value.c, through the rows of schema.c -> structs ->
 * check.c, what rows cannot say (overlaps, references in both directions, things that contradict) -> struct config. All or nothing:
 * one error anywhere and there is no configuration; the caller keeps the one it has. Problems are collected, so that one run tells of
 * many, each with file:line:column, what is wrong, and what to write instead. Warnings do not prevent use. check_files.c looks at the
 * machine (files exist, secrets are private), print.c writes a configuration back in normal form, peek.c finds the run directory in a
 * file that may be broken.
 *
 * YAML is read through libyaml's event parser rather than a binding library such as libcyaml: every semantic message needs the line
 * and column of the very value it is about (this address, inside that list, of this node), also long after reading, when it is
 * compared with others; a binding library hands over structs that have forgotten where they came from. The schema rows such a library
 * asks for are here too, and the reader, the printer, "did you mean" and the test of the manual live off them.
 *
 * The file is under the control of an operator, yet treated as hostile: sizes, depth, number of nodes and of each list are limited,
 * aliases and anchors are refused (small files that expand to huge ones), text must be clean UTF-8. References to networks and keys
 * are resolved to indices; names of zones are lower case; relative paths are relative to the file's folder. 100,000 zones are read in some
 * 50 ms: plain lists of them do not pass through libyaml (quick.c), the tree has no malloc a node, and duplicates are found by a hash table.
 *
 * Process: supervisor at start and reload, each role from its sealed copy, and `zonecast check`. Pure apart from config_load(),
 * config_check_files(), the working directory (for a relative path of the file), and interface names in link-local addresses.
 *
 * Known omissions: includes; environment variables. */
#include "config/config.h"

#include "base/err.h"
#include "config/read.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder of the file at path, absolute, into buf of PATH_MAX. */
static int folder_of(const char *path, char *buf)
{
	const char *slash = strrchr(path, '/');
	size_t used = 0;

	if (path[0] != '/') {
		if (!getcwd(buf, PATH_MAX))
			return -errno;
		used = strlen(buf);
		if (!slash)
			return 0;
		if (used > 1)
			buf[used++] = '/';
		else
			used = 1;
	}
	if ((size_t)(slash - path) + 1 > PATH_MAX - used)
		return -ENAMETOOLONG;
	memcpy(buf + used, path, (size_t)(slash - path));
	buf[used + (size_t)(slash - path)] = '\0';
	return 0;
}

static void note_zone_lines(struct config *c, const struct tree *root)
{
	const struct tree *list = tree_get(root, "zones");
	const struct tree *item = list ? list->first : NULL;

	for (size_t i = 0; i < c->zone_count && item; i++, item = item->next)
		c->zones[i].line = item->line;
}

static void name_keys(const struct tree_source *src, const struct tree *root, struct config *c)
{
	static const uint8_t dot[1] = {0};

	for (size_t i = 0; i < c->key_count; i++) {
		struct config_key *k = &c->keys[i];

		if (name_from_text(k->name, strlen(k->name), dot, &k->dname) < 0)
			tree_error(src, tree_get(tree_item(tree_get(root, "keys"), i), "name"),
			           "\"%s\" cannot be the name of a TSIG key: it is no domain name", k->name);
	}
}

static int read_tree(struct config *c, struct tree_source *src, struct arena *nodes, const char *folder, bool head)
{
	struct config_read r = {.src = src, .arena = &c->arena, .config = c, .folder = folder};
	struct tree *root = NULL;
	int rc = head ? tree_parse_head(src, nodes, &root) : tree_parse(src, nodes, &root);

	if (rc < 0)
		return rc;
	if (!root) {
		diag_add(src->diag, DIAG_ERROR, src->path, 1, 1,
		         "the file is empty: see zonecast.yaml(5) for an example");
		return ERR_INVALID;
	}
	r.root = root;
	if (head && tree_get(root, "backends"))
		return ERR_NOT_FOUND;
	config_read_map(&r, &schema_root, root, c);
	if (!arena_ok(&c->arena))
		return ERR_NO_MEMORY;
	if (src->diag->errors == 0) {
		note_zone_lines(c, root);
		name_keys(src, root, c);
		config_link_catalogs(src, root, c);
		config_link_steering(root, c);
		config_link_backends(root, c);
		config_check(src, root, c);
	}
	return 0;
}

static int parse(const char *path, const char *yaml, size_t len, bool head, struct diag *diag, struct config **out)
{
	struct tree_source src = {.path = path, .bytes = yaml, .len = len, .diag = diag};
	unsigned errors_before = diag->errors;
	char folder[PATH_MAX];
	struct arena nodes;
	struct config *c;
	int rc = folder_of(path, folder);

	if (rc < 0)
		return rc;
	if (len > CONFIG_FILE_MAX) {
		diag_add(diag, DIAG_ERROR, path, 0, 0, "%zu octets: at most %d are read", len, CONFIG_FILE_MAX);
		return ERR_INVALID;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return ERR_NO_MEMORY;
	arena_init(&c->arena, 0);
	arena_init(&nodes, 0);
	c->path = arena_strdup(&c->arena, path);
	SHA256((const unsigned char *)yaml, len, c->hash);
	diag->errors = 0; /* what was found before must not stop this reading, nor make it fail */
	rc = read_tree(c, &src, &nodes, folder, head);
	c->zones_from = src.zones_from;
	c->zones_to = src.zones_to;
	arena_done(&nodes);
	if (rc == 0 && !arena_ok(&c->arena))
		rc = ERR_NO_MEMORY;
	if (rc == 0 && diag->errors > 0)
		rc = ERR_INVALID;
	if (rc == ERR_NO_MEMORY)
		diag_add(diag, DIAG_ERROR, path, 0, 0, "out of memory");
	diag->errors += errors_before;
	if (rc < 0) {
		config_free(c);
		return rc;
	}
	*out = c;
	return 0;
}

int config_parse(const char *path, const char *yaml, size_t len, struct diag *diag, struct config **out)
{
	return parse(path, yaml, len, false, diag, out);
}

int config_parse_head(const char *path, const char *yaml, size_t len, struct diag *diag, struct config **out)
{
	return parse(path, yaml, len, true, diag, out);
}

static int read_file(const char *path, char **bytes, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *buf = NULL;
	size_t got = 0, cap;
	ssize_t n = 0;
	int rc;

	if (fd < 0)
		return -errno;
	rc = fstat(fd, &st) < 0 ? -errno : S_ISDIR(st.st_mode) ? -EISDIR : 0;
	/* One more than allowed is enough for config_parse() to refuse it; pipes have no size. */
	cap = rc == 0 && S_ISREG(st.st_mode) && st.st_size < CONFIG_FILE_MAX ? (size_t)st.st_size + 1
	                                                                     : CONFIG_FILE_MAX + 1;
	if (rc == 0) {
		buf = malloc(cap);
		rc = buf ? 0 : ERR_NO_MEMORY;
	}
	while (rc == 0 && got < cap) {
		n = read(fd, buf + got, cap - got);
		if (n > 0)
			got += (size_t)n;
		else if (n == 0)
			break;
		else if (errno != EINTR)
			rc = -errno;
	}
	close(fd);
	if (rc < 0) {
		free(buf);
		return rc;
	}
	*bytes = buf;
	*len = got;
	return 0;
}

int config_load(const char *path, struct diag *diag, struct config **out)
{
	char *bytes = NULL;
	size_t len = 0;
	int rc = read_file(path, &bytes, &len);

	if (rc < 0) {
		diag_add(diag, DIAG_ERROR, path, 0, 0, "cannot be read: %s", err_text(rc));
		return rc;
	}
	rc = config_parse(path, bytes, len, diag, out);
	free(bytes);
	return rc;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	arena_done(&c->arena);
	free(c);
}

const struct config_key *config_status_key(const struct config *c)
{
	if (c->status_key < c->key_count)
		return &c->keys[c->status_key];
	return c->key_count ? &c->keys[0] : NULL;
}

const struct config_node *config_node_find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->node_count; i++)
		if (strcmp(c->nodes[i].name, name) == 0)
			return &c->nodes[i];
	return NULL;
}
