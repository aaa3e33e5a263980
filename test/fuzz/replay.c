/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs every file of the folders given through the fuzz target this is linked with: the corpus as an ordinary test. Each
 * input is also run in every truncation up to REPLAY_CUTS bytes, which costs little and finds reads past the end. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { REPLAY_CUTS = 512, REPLAY_MAX = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned runs;

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *all = malloc(REPLAY_MAX);
	size_t n;

	if (!f || !all) {
		fprintf(stderr, "cannot read %s\n", path);
		return 1;
	}
	n = fread(all, 1, REPLAY_MAX, f);
	fclose(f);
	for (size_t len = 0; len <= n; len = len < REPLAY_CUTS || len == n ? len + 1 : n) {
		uint8_t *exact = malloc(len ? len : 1); /* its own block, so that a sanitizer sees the end */

		memcpy(exact, all, len);
		LLVMFuzzerTestOneInput(exact, len);
		free(exact);
		runs++;
	}
	free(all);
	return 0;
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		struct dirent *e;

		if (!d) {
			bad |= run_file(argv[i]);
			continue;
		}
		while ((e = readdir(d)) != NULL) {
			char path[4096];
			struct stat st;

			snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
				bad |= run_file(path);
		}
		closedir(d);
	}
	printf("%u inputs replayed\n", runs);
	return bad;
}
