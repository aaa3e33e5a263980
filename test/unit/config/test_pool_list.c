/* SPDX-License-Identifier: BSD-2-Clause */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct config_pool_endpoint at(const char *name, const char *address, uint32_t weight)
{
	struct config_pool_endpoint e = {.name = name, .weight = weight, .priority = 1};

	assert_int_equal(addr_parse(address, &e.address), 0);
	return e;
}

static uint64_t list_of(struct config_pool_endpoint *e, size_t count)
{
	const struct config_pool p = {.name = "www", .endpoints = e, .endpoint_count = count};

	return config_pool_list(&p);
}

static void test_same_for_the_same_endpoints(void **state)
{
	struct config_pool_endpoint a[] = {at("a", "192.0.2.1", 1), at("b", "2001:db8::1", 1)};
	struct config_pool_endpoint heavier[] = {at("a", "192.0.2.1", 50), at("b", "2001:db8::1", 1)};
	struct config_pool_endpoint swapped[] = {at("b", "2001:db8::1", 1), at("a", "192.0.2.1", 1)};
	struct config_pool_endpoint renamed[] = {at("a", "192.0.2.1", 1), at("c", "2001:db8::1", 1)};
	struct config_pool_endpoint moved[] = {at("a", "192.0.2.1", 1), at("b", "2001:db8::2", 1)};

	(void)state;
	assert_true(list_of(a, 2) == list_of(heavier, 2));
	assert_true(list_of(a, 2) != list_of(a, 1));
	assert_true(list_of(a, 2) != list_of(swapped, 2));
	assert_true(list_of(a, 2) != list_of(renamed, 2));
	assert_true(list_of(a, 2) != list_of(moved, 2));
}

static void test_targets_count(void **state)
{
	struct config_pool_endpoint a[] = {{.name = "a",
	                                    .target = (const uint8_t *)"\x01x\x07"
	                                                               "example"}};
	struct config_pool_endpoint b[] = {{.name = "a",
	                                    .target = (const uint8_t *)"\x01y\x07"
	                                                               "example"}};

	(void)state;
	assert_true(list_of(a, 1) != list_of(b, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_for_the_same_endpoints),
		cmocka_unit_test(test_targets_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
