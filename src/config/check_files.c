/* SPDX-License-Identifier: BSD-2-Clause */
/* The files a configuration names, as this machine has them. */
#include "config/config.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_SECRET_MAX = 65536 /* octets */ };

static bool node_serves(const struct config_node *node, const struct config_zone *z)
{
	if (!node || node->role == CONFIG_PRIMARY)
		return true;
	for (size_t i = 0; i < node->network_count; i++)
		if (node->networks[i] == z->network)
			return true;
	return false;
}

static void check_secret(const struct config *c, const char *file, struct diag *diag)
{
	struct stat st;

	if (stat(file, &st) < 0) {
		diag_add(diag, DIAG_ERROR, c->path, 0, 0, "secret file %s: %s", file, err_text(-errno));
		return;
	}
	if (!S_ISREG(st.st_mode))
		diag_add(diag, DIAG_ERROR, file, 0, 0, "is not a file");
	else if (st.st_size == 0 || st.st_size > FILES_SECRET_MAX)
		diag_add(diag, DIAG_ERROR, file, 0, 0, "a secret of %lld octets: it must have 1 to %d",
		         (long long)st.st_size, FILES_SECRET_MAX);
	if (st.st_mode & (S_IROTH | S_IWOTH))
		diag_add(diag, DIAG_ERROR, file, 0, 0, "others may %s this secret (mode %04o): chmod o-rwx %s",
		         st.st_mode & S_IROTH ? "read" : "write", (unsigned)(st.st_mode & 07777), file);
}

void config_check_files(const struct config *c, const struct config_node *node, struct diag *diag)
{
	for (size_t i = 0; i < c->key_count; i++)
		check_secret(c, c->keys[i].secret_file, diag);
	for (size_t i = 0; i < c->node_count; i++) {
		const struct config_node *n = &c->nodes[i];

		if (node && n != node)
			continue;
		for (size_t j = 0; j < n->neighbor_count; j++) {
			const char *file = n->neighbors[j].password_file;
			bool seen = false;

			for (size_t m = 0; m < j && file; m++)
				seen = seen || (n->neighbors[m].password_file &&
				                strcmp(n->neighbors[m].password_file, file) == 0);
			if (file && !seen)
				check_secret(c, file, diag);
		}
	}
	for (size_t i = 0; i < c->zone_count; i++) {
		const struct config_zone *z = &c->zones[i];

		if (z->file && node_serves(node, z) && access(z->file, R_OK) < 0)
			diag_add(diag, DIAG_ERROR, c->path, z->line, 0, "zone file %s: %s", z->file, err_text(-errno));
	}
}
