/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/accepted.h"

#include "base/err.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ACCEPTED_PATH_MAX = 600, ACCEPTED_LINE_MAX = 160 };
#define ACCEPTED_FORMAT "# zonecast: the fleet file that this node accepted last. generation %u sha256 %64[0-9a-f]"

static void path_of(const char *state_dir, const char *suffix, char out[ACCEPTED_PATH_MAX])
{
	snprintf(out, ACCEPTED_PATH_MAX, "%s/fleet.accepted%s", state_dir, suffix);
}

void accepted_hash_text(const uint8_t hash[32], char out[65])
{
	for (size_t i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static int parse_line(const char *line, struct accepted *out)
{
	struct accepted a;
	char hex[65];

	if (sscanf(line, ACCEPTED_FORMAT, &a.generation, hex) != 2 || strlen(hex) != 64)
		return ERR_MALFORMED;
	for (size_t i = 0; i < sizeof(a.hash); i++)
		if (sscanf(hex + 2 * i, "%2hhx", &a.hash[i]) != 1)
			return ERR_MALFORMED;
	*out = a;
	return 0;
}

/* Open it and read its first line. */
static int open_at_line(const char *state_dir, FILE **out, struct accepted *a)
{
	char path[ACCEPTED_PATH_MAX], line[ACCEPTED_LINE_MAX];
	FILE *f;
	int err;

	path_of(state_dir, "", path);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? ERR_NOT_FOUND : -errno;
	err = fgets(line, sizeof(line), f) && strchr(line, '\n') ? parse_line(line, a) : ERR_MALFORMED;
	if (err < 0)
		fclose(f);
	else
		*out = f;
	return err;
}

int accepted_read(const char *state_dir, struct accepted *out)
{
	FILE *f;
	int err = open_at_line(state_dir, &f, out);

	if (!err)
		fclose(f);
	return err;
}

int accepted_load(const char *state_dir, struct accepted *out, char **bytes, size_t *len)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	struct accepted a;
	char *text = NULL;
	struct stat st;
	size_t n = 0;
	FILE *f;
	int err = open_at_line(state_dir, &f, &a);

	if (err < 0)
		return err;
	if (fstat(fileno(f), &st) < 0)
		err = -errno;
	else if (st.st_size > CONFIG_FILE_MAX + ACCEPTED_LINE_MAX)
		err = ERR_LIMIT;
	if (!err) {
		text = malloc((size_t)st.st_size + 1);
		err = text ? 0 : ERR_NO_MEMORY;
	}
	if (!err) {
		n = fread(text, 1, (size_t)st.st_size, f);
		SHA256((const uint8_t *)text, n, hash);
		err = ferror(f) ? -EIO : memcmp(hash, a.hash, sizeof(hash)) != 0 ? ERR_MALFORMED : 0;
	}
	fclose(f);
	if (err) {
		free(text);
		return err;
	}
	*out = a;
	*bytes = text;
	*len = n;
	return 0;
}

int accepted_stage(const char *state_dir, const struct config *c, const char *bytes, size_t len)
{
	char path[ACCEPTED_PATH_MAX], hex[65];
	struct accepted now;
	int fd, err = 0;
	FILE *f;

	path_of(state_dir, ".new", path);
	unlink(path);
	if (!c->generation && accepted_read(state_dir, &now) == ERR_NOT_FOUND)
		return 0;
	if (accepted_read(state_dir, &now) == 0 && now.generation == c->generation && memcmp(now.hash, c->hash, sizeof(now.hash)) == 0)
		return 0;
	/* It may name what not everybody is to see. */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	accepted_hash_text(c->hash, hex);
	fprintf(f, "# zonecast: the fleet file that this node accepted last. generation %u sha256 %s\n", c->generation, hex);
	if (fwrite(bytes, 1, len, f) != len || fflush(f) != 0 || fsync(fileno(f)) < 0)
		err = errno ? -errno : -EIO;
	if (fclose(f) != 0 && !err)
		err = -errno;
	if (err)
		unlink(path);
	return err;
}

void accepted_commit(const char *state_dir, bool good)
{
	char path[ACCEPTED_PATH_MAX], fresh[ACCEPTED_PATH_MAX];

	path_of(state_dir, "", path);
	path_of(state_dir, ".new", fresh);
	if (!good)
		unlink(fresh);
	else if (rename(fresh, path) < 0 && errno != ENOENT)
		log_err("fleet file=%s error=\"%s\" note=\"an older file would not be refused\"", path, err_text(-errno));
}
