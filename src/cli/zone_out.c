/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/zone_out.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int say(const struct zone_out *o, int err)
{
	cli_error("%s: %s", o->temporary[0] ? o->path : "standard output", err_text(err));
	return err;
}

int zone_out_open(struct zone_out *o, const char *path, const char *zone, bool json)
{
	struct stat st;
	int fd;

	*o = (struct zone_out){.file = stdout, .json = json, .zone = zone};
	if (!path)
		return 0;
	if ((size_t)snprintf(o->path, sizeof(o->path), "%s", path) >= sizeof(o->path)) {
		cli_error("%s: %s", path, err_text(ERR_LIMIT));
		return ERR_LIMIT;
	}
	snprintf(o->temporary, sizeof(o->temporary), "%s.XXXXXX", o->path);
	fd = mkostemp(o->temporary, O_CLOEXEC);
	if (fd < 0)
		return say(o, -errno);
	if (stat(o->path, &st) < 0)
		st = (struct stat){.st_mode = 0644, .st_uid = (uid_t)-1, .st_gid = (gid_t)-1};
	/* Who may not give files away keeps what it writes. */
	if (fchown(fd, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		goto bad;
	if (fchmod(fd, st.st_mode & 07777) < 0)
		goto bad;
	o->file = fdopen(fd, "w");
	if (o->file)
		return 0;
bad:
	say(o, -errno);
	close(fd);
	unlink(o->temporary);
	return ERR_INVALID;
}

int zone_out_head(void *ctx, const json_t *head)
{
	struct zone_out *o = ctx;
	long long serial = json_integer_value(json_object_get(head, "serial"));

	if (o->json) {
		json_t *name = json_string(o->zone);
		char *text = json_dumps(name, JSON_ENCODE_ANY);

		fprintf(o->file, "{\"zone\": %s, \"serial\": %lld, \"records\": [", text ? text : "\"\"", serial);
		free(text);
		json_decref(name);
	}
	return ferror(o->file) ? -EIO : 0;
}

json_t *zone_out_record(char *line)
{
	char *field[5] = {line}, *end;
	long ttl;

	for (unsigned i = 1; i < 5; i++) {
		char *tab = strchr(field[i - 1], '\t');

		if (!tab)
			return NULL;
		*tab = '\0';
		field[i] = tab + 1;
	}
	ttl = strtol(field[1], &end, 10);
	if (*end)
		return NULL;
	return json_pack("{s:s, s:I, s:s, s:s}", "name", field[0], "ttl", (json_int_t)ttl, "type", field[3], "data",
	                 field[4]);
}

int zone_out_line(void *ctx, char *line)
{
	struct zone_out *o = ctx;

	if (o->json) {
		json_t *record = zone_out_record(line);
		char *text = record ? json_dumps(record, 0) : NULL;

		json_decref(record);
		if (!text)
			return ERR_MALFORMED;
		fprintf(o->file, "%s\n%s", o->records ? "," : "", text);
		free(text);
	} else {
		fprintf(o->file, "%s\n", line);
	}
	o->records++;
	return ferror(o->file) ? -EIO : 0;
}

int zone_out_close(struct zone_out *o, bool good)
{
	int err = 0;

	if (good && o->json)
		fputs("]}\n", o->file);
	if (fflush(o->file) != 0)
		err = -errno;
	if (o->temporary[0]) {
		if (!err && fsync(fileno(o->file)) < 0)
			err = -errno;
		fclose(o->file);
		if (!err && good && rename(o->temporary, o->path) < 0)
			err = -errno;
		if (err || !good)
			unlink(o->temporary);
	}
	if (err)
		say(o, err);
	return good ? err : ERR_INVALID;
}
