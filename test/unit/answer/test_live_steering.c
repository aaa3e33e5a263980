/* SPDX-License-Identifier: BSD-2-Clause */
/* What a worker knows of where addresses are: a map that comes, another one, none, one that it cannot open now. */
#include "answer/live_steering.h"

#include "base/log.h"
#include "config/config.h"
#include "steer/geo.h"
#include "steer/geo_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

enum { S = 1000000000 };

static char folder[] = "/tmp/zonecast-live-XXXXXX";
static struct board_watch_endpoints *board;
static struct live_steering *live;
static struct steering *made;
static uint64_t now_ns = 10ULL * S;

static struct config_pool_endpoint endpoint = {.name = "a", .address = {.family = 4, .bytes = {192, 0, 2, 1}}, .weight = 1};
static struct config_pool pool = {.name = "p", .endpoints = &endpoint, .endpoint_count = 1, .keep = 1, .fallback = UINT32_MAX};
static struct config_steering policy = {.name = "p", .choose = CONFIG_CHOOSE_ALL, .ttl_ms = 1000};
static const struct config config = {.pools = &pool, .pool_count = 1, .steering = &policy, .steering_count = 1};

/* A map by which everybody is in the same country. */
static void put_map(const char *country, const char *magic)
{
	const struct geo_record places[] = {{.as = 0}, {.country = (uint16_t)(country[0] << 8 | country[1])}};
	const struct geo_v4 v4 = {0, 1};
	const struct geo_v6 v6 = {{0}, 1};
	static const uint32_t index[GEO_INDEX];
	struct geo_header h = {.version = GEO_VERSION, .v4_count = 1, .v6_count = 1, .place_count = 2};
	FILE *f = fopen("geo.map.new", "w");

	assert_non_null(f);
	h.size = sizeof(h) + sizeof(v4) + sizeof(v6) + sizeof(places) + sizeof(index);
	memcpy(h.magic, magic, sizeof(h.magic));
	assert_true(fwrite(&h, sizeof(h), 1, f) == 1 && fwrite(&v4, sizeof(v4), 1, f) == 1 && fwrite(&v6, sizeof(v6), 1, f) == 1);
	assert_true(fwrite(places, sizeof(places), 1, f) == 1 && fwrite(index, sizeof(index), 1, f) == 1 && fclose(f) == 0);
	assert_int_equal(rename("geo.map.new", "geo.map"), 0);
}

/* Of everybody, after some seconds of the worker's; "" without a map. */
static const char *country(void)
{
	static char text[3];
	struct ip_addr a = {.family = 4};
	struct geo_place place;
	uint8_t scope;

	for (int i = 0; i < 3; i++)
		live_steering_tick(live, now_ns += 2ULL * S);
	if (!made->places)
		return "";
	geo_find(made->places, &a, &place, &scope);
	snprintf(text, sizeof(text), "%c%c", place.country >> 8, place.country & 255);
	return text;
}

static void test_maps(void **state)
{
	struct rlimit limit, none;

	(void)state;
	assert_string_equal(country(), "");
	put_map("DE", GEO_MAGIC);
	assert_string_equal(country(), "DE");
	put_map("FR", GEO_MAGIC);
	assert_string_equal(country(), "FR");
	put_map("US", "zcgeo???");
	assert_string_equal(country(), "FR");
	/* No descriptor is left just when a new one comes. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	put_map("NO", GEO_MAGIC);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_string_equal(country(), "FR");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_string_equal(country(), "NO");
	/* New settings have what there is. */
	live_steering_settings(live, NULL);
	live_steering_settings(live, made);
	assert_string_equal(country(), "NO");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_maps)};
	int failed;

	board = calloc(1, sizeof(*board));
	live = live_steering_new(board);
	if (!board || !live || !mkdtemp(folder) || chdir(folder) < 0 || steering_make(&config, NULL, &made) < 0)
		return 1;
	live_steering_settings(live, made);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	live_steering_free(live);
	steering_free(made);
	free(board);
	unlink("geo.map");
	if (chdir("/") == 0)
		rmdir(folder);
	return failed;
}
