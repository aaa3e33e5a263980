/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of a folder's zones is in canonical order, each zone once, whatever octets their names are of. */
#include "proc/role.h"
#include "sync/zone_list.h"

#include "base/log.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { FILES = 700 };

static unsigned seed = 3;

static unsigned roll(unsigned n)
{
	seed = seed * 1103515245 + 12345;
	return (seed >> 16) % n;
}

/* Few letters and long common beginnings, so that many names differ late or are one another's parents. */
static void make_name(char *text, bool zeros)
{
	static const char *const octets[] = {"a", "b", "-", "A", "%01", "%ff", "z", "%00"};
	unsigned labels = 1 + roll(4);
	char *p = text;

	for (unsigned l = 0; l < labels; l++) {
		p += sprintf(p, "%s%s", l ? "." : "", roll(2) ? "x" : "aaaaaaaaaaaaaaaa");
		for (unsigned n = roll(3); n; n--)
			p += sprintf(p, "%s", octets[roll(zeros ? 8 : 7)]);
	}
	sprintf(p, "%s.zone", roll(2) ? ".test" : "");
}

static void check(bool zeros, bool alike)
{
	char dir[] = "/tmp/zonecast-list-XXXXXX", path[1024];
	struct role *role = calloc(1, sizeof(*role));
	struct zone_list *l = NULL;
	size_t files = 0;
	struct dirent *e;
	DIR *d;

	assert_non_null(role);
	assert_non_null(mkdtemp(dir));
	for (unsigned i = 0; i < FILES; i++) {
		char name[600];
		FILE *f;

		make_name(name, zeros);
		snprintf(path, sizeof(path), "%s/%s", dir, alike ? "one.zone" : name);
		f = fopen(path, "w");
		assert_non_null(f);
		fclose(f);
	}
	snprintf(role->brief.zones_dir, sizeof(role->brief.zones_dir), "%s", dir);
	assert_int_equal(zone_list_make(role, &l), 0);
	for (size_t i = 1; i < l->count; i++)
		assert_true(name_compare(l->rows[i - 1].apex, l->rows[i].apex) < 0);
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') {
			files++;
			snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
			unlink(path);
		}
	closedir(d);
	rmdir(dir);
	/* Names that differ in case only are one zone. */
	assert_true(l->count <= files && l->count > (alike ? 0 : files / 3));
	for (size_t i = 0; i < l->count; i++)
		assert_ptr_equal(zone_list_find(l, l->rows[i].apex), &l->rows[i]);
	zone_list_free(l);
	free(role);
}

static void test_order(void **state)
{
	(void)state;
	log_setup("test", LOG_ERR);
	for (int i = 0; i < 5; i++)
		check(false, false);
	check(true, false);
	check(false, true);
}

/* Zones that backends answer for are known, and none of them is in the list. */
static void test_backends(void **state)
{
	static const char yaml[] = "fleet: f\nnodes: [{name: p, role: primary, management: [192.0.2.1]}]\nbackends: [{name: e, servers: [{address: 198.51.100.1}]}]\n"
				   "zones:\n  - {name: b.test, backends: e}\n  - {name: h.test, file: h}\n  - {name: a.test, backends: e}\n  - {name: ., backends: e}\n";
	static const uint8_t a[] = "\1a\4test", b[] = "\1b\4test", h[] = "\1h\4test", x[] = "\1x\1a\4test", root[] = "";
	struct role *role = calloc(1, sizeof(*role));
	struct config *c = NULL;
	struct zone_list *l;
	struct diag d;

	(void)state;
	diag_init(&d);
	assert_int_equal(config_parse("z.yaml", yaml, sizeof(yaml) - 1, &d, &c), 0);
	role->config = c;
	role->node = &c->nodes[0];
	assert_int_equal(zone_list_make(role, &l), 0);
	assert_int_equal(l->count, 1);
	assert_non_null(zone_list_find(l, h));
	assert_true(zone_list_is_edge(l, a) && zone_list_is_edge(l, b) && zone_list_is_edge(l, root));
	assert_false(zone_list_is_edge(l, h) || zone_list_is_edge(l, x));
	zone_list_free(l);
	config_free(c);
	diag_done(&d);
	free(role);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_order), cmocka_unit_test(test_backends)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
