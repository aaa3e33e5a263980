/* SPDX-License-Identifier: BSD-2-Clause */
/* One line: version of zonecast, SHA-256 of the fleet file, and where in it the list of zones stands. The last two are compared with where it was found now:
 * a list that only looks like one, inside some text, was not left out when the file was judged. Only the supervisor may write to the run
 * directory. Whatever is wrong with the line, the file is read as a whole. */
#include "super/fleet_known.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KNOWN_LINE_MAX = 256, KNOWN_PATH_MAX = 600 };

static void line_of(const struct config *c, char out[KNOWN_LINE_MAX])
{
	char hash[2 * sizeof(c->hash) + 1];

	for (size_t i = 0; i < sizeof(c->hash); i++)
		snprintf(hash + 2 * i, 3, "%02x", c->hash[i]);
	snprintf(out, KNOWN_LINE_MAX, "zonecast %s %s %zu %zu\n", ZONECAST_VERSION, hash, c->zones_from, c->zones_to);
}

static bool path_of(const char *run_dir, const char *name, char out[KNOWN_PATH_MAX])
{
	return (size_t)snprintf(out, KNOWN_PATH_MAX, "%s/%s", run_dir, name) < KNOWN_PATH_MAX;
}

void fleet_known_note(const char *run_dir, const struct config *c)
{
	char path[KNOWN_PATH_MAX], fresh[KNOWN_PATH_MAX], line[KNOWN_LINE_MAX];
	bool good;
	int fd;

	if (!path_of(run_dir, "fleet.known", path) || !path_of(run_dir, "fleet.known.new", fresh))
		return;
	if (c->zones_to - c->zones_from < KNOWN_ZONES_MIN) {
		unlink(path);
		return;
	}
	line_of(c, line);
	unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	good = fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line);
	if (fd >= 0)
		close(fd);
	if (!good || rename(fresh, path) < 0)
		unlink(path);
}

bool fleet_known_good(const char *run_dir, const struct config *head)
{
	char path[KNOWN_PATH_MAX], want[KNOWN_LINE_MAX], line[KNOWN_LINE_MAX] = "";
	ssize_t n = -1;
	struct stat st;
	int fd;

	if (!path_of(run_dir, "fleet.known", path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
		n = read(fd, line, sizeof(line));
	close(fd);
	line_of(head, want);
	return n == (ssize_t)strlen(want) && memcmp(line, want, (size_t)n) == 0;
}
