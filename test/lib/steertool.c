/* SPDX-License-Identifier: BSD-2-Clause */
/* Steering without a node, for tests: steertool build LOCATION|- AS|- MAP; steertool find MAP, with addresses as input; steertool choose CONFIG MAP|- NODE|-, with lines POLICY FAMILY ADDRESS
 * PREFIX RANDOM UP... as input (UP: a word in hex for each pool); steertool sets CONFIG POLICY FAMILY. */
#include "base/err.h"
#include "config/config.h"
#include "geoip/build.h"
#include "steer/geo.h"
#include "steer/steer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die(const char *what, int rc)
{
	printf("error: %s: %s\n", what, err_text(rc));
	exit(1);
}

static struct geo_map *map_at(const char *path)
{
	struct geo_map *m = NULL;
	int fd, rc;

	if (strcmp(path, "-") == 0)
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	rc = fd < 0 ? -1 : geo_map_open(fd, &m);
	if (rc < 0)
		die(path, rc);
	close(fd);
	return m;
}

static int build(char **argv)
{
	const char *from[2] = {strcmp(argv[0], "-") == 0 ? NULL : argv[0], strcmp(argv[1], "-") == 0 ? NULL : argv[1]};
	char why[512];
	int rc = geo_map_build(from[0], from[1], argv[2], why, sizeof(why));

	printf("%s\n", rc < 0 ? why : "ok");
	return rc < 0;
}

static int find(char **argv)
{
	struct geo_map *m = map_at(argv[0]);
	char line[256];

	while (fgets(line, sizeof(line), stdin)) {
		struct geo_place p;
		struct ip_addr a;
		uint8_t scope;

		line[strcspn(line, "\n")] = '\0';
		if (addr_parse(line, &a) < 0)
			die(line, ERR_MALFORMED);
		geo_find(m, &a, &p, &scope);
		printf("%u %u %c%c %c%c", scope, p.as, p.country ? p.country >> 8 : '-', p.country ? p.country & 255 : '-',
		       p.continent ? p.continent >> 8 : '-', p.continent ? p.continent & 255 : '-');
		if (p.located)
			printf(" %.9g %.9g", (double)p.latitude, (double)p.longitude);
		printf("\n");
	}
	geo_map_close(m);
	return 0;
}

static struct steer_table *table_of(const char *path, const char *node)
{
	const struct config_node *n = NULL;
	struct steer_table *t = NULL;
	struct config *c = NULL;
	char line[2048];
	struct diag d;
	int rc;

	diag_init(&d);
	rc = config_load(path, &d, &c);
	for (const struct diag_entry *e = d.first; e && rc < 0; e = e->next)
		printf("%s\n", diag_entry_text(e, line, sizeof(line)));
	if (rc < 0)
		die(path, rc);
	if (strcmp(node, "-") != 0) {
		n = config_node_find(c, node);
		if (!n)
			die(node, ERR_NOT_FOUND);
	}
	rc = steer_table_make(c, n, &t);
	if (rc < 0)
		die(path, rc);
	config_free(c);
	diag_done(&d);
	return t;
}

static int choose(char **argv)
{
	static _Atomic uint64_t up[CONFIG_POOLS_MAX];
	struct steer_table *t = table_of(argv[0], argv[2]);
	struct geo_map *m = map_at(argv[1]);
	static char line[65536];

	while (fgets(line, sizeof(line), stdin)) {
		struct steer_facts facts = {.places = m, .up = up};
		char *rest, *policy = strtok_r(line, " \n", &rest), *family = strtok_r(NULL, " \n", &rest), *addr = strtok_r(NULL, " \n", &rest),
		     *prefix = strtok_r(NULL, " \n", &rest), *random = strtok_r(NULL, " \n", &rest);
		struct steer_choice c;
		uint32_t p;

		if (!random || addr_parse(addr, &facts.addr) < 0)
			die(line, ERR_MALFORMED);
		p = steer_policy_named(t, policy, strlen(policy));
		if (p == UINT32_MAX)
			die(policy, ERR_NOT_FOUND);
		facts.prefix = (uint8_t)atoi(prefix);
		facts.random = (uint32_t)strtoul(random, NULL, 10);
		for (uint32_t i = 0; i < steer_pool_count(t); i++) {
			const char *word = strtok_r(NULL, " \n", &rest);

			atomic_store(&up[i], word ? strtoull(word, NULL, 16) : UINT64_MAX);
		}
		steer_choose(t, p, (uint8_t)atoi(family), &facts, &c);
		printf("%d %s %" PRIx64 " %u %u%s%s%s\n", (int)c.rule, steer_pool_name(t, c.pool), c.chosen, c.scope, c.ttl_s, c.kept ? " kept" : "",
		       c.foreign ? " foreign" : "", c.cacheable_by_choice ? " certain" : "");
	}
	steer_table_free(t);
	geo_map_close(m);
	return 0;
}

struct tell {
	const struct steer_table *table;
};

static int tell(void *ctx, uint32_t pool, uint64_t chosen)
{
	printf("%s %" PRIx64 "\n", steer_pool_name(((struct tell *)ctx)->table, pool), chosen);
	return 0;
}

static int sets(char **argv)
{
	struct steer_table *t = table_of(argv[0], "-");
	uint32_t p = steer_policy_named(t, argv[1], strlen(argv[1]));
	int rc = p == UINT32_MAX ? ERR_NOT_FOUND : steer_each_set(t, p, (uint8_t)atoi(argv[2]), 4096, tell, &(struct tell){t});

	if (rc < 0)
		die(argv[1], rc);
	steer_table_free(t);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "build") == 0)
		return build(argv + 2);
	if (argc == 3 && strcmp(argv[1], "find") == 0)
		return find(argv + 2);
	if (argc == 5 && strcmp(argv[1], "choose") == 0)
		return choose(argv + 2);
	if (argc == 5 && strcmp(argv[1], "sets") == 0)
		return sets(argv + 2);
	fprintf(stderr, "steertool build LOCATION|- AS|- MAP | find MAP | choose CONFIG MAP|- NODE|- | sets CONFIG POLICY FAMILY\n");
	return 2;
}
