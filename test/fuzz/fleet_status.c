/* SPDX-License-Identifier: BSD-2-Clause */
/* Any octets as a node's status, as an answer that holds one, and as a question for one: what is read can be written, and reads back the same. */
#include "fleet/message.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fleet_report r, again;
static uint8_t out[FLEET_RDATA_MAX + 1024], twice[FLEET_RDATA_MAX];

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_report(const uint8_t *data, size_t size)
{
	struct writer w = writer_of(out, FLEET_RDATA_MAX), w2 = writer_of(twice, sizeof(twice));
	int err = fleet_report_read(data, size, &r);

	if (err) {
		check(err == ERR_MALFORMED || err == ERR_UNSUPPORTED || err == ERR_LIMIT);
		return;
	}
	check(r.count <= FLEET_NETWORKS_MAX && memchr(r.node, 0, sizeof(r.node)) &&
	      memchr(r.version, 0, sizeof(r.version)));
	for (uint32_t i = 0; i < r.count; i++) {
		check(fleet_name_ok((const uint8_t *)r.network[i].name, strnlen(r.network[i].name, BOARD_NAME_MAX)));
		check(fleet_report_network(&r, r.network[i].name) == &r.network[i]);
		for (int f = 0; f < BOARD_FAMILIES; f++)
			check(r.network[i].family[f].announce <= ANNOUNCE_DEPREF &&
			      r.network[i].family[f].verdict <= VERDICT_HARD);
	}
	check(r.sees_count <= FLEET_NETWORKS_MAX && r.pools <= FLEET_POOLS_MAX && r.trees <= FLEET_NETWORKS_MAX);
	for (uint32_t i = 0; i < r.sees_count; i++)
		for (int f = 0; f < BOARD_FAMILIES; f++)
			check(memchr(r.sees[i].family[f].node, 0, BOARD_NAME_MAX) && r.sees[i].family[f].state <= OUTSIDE_SILENT);
	fleet_report_write(&r, &w);
	check(writer_ok(&w) && fleet_report_read(out, w.pos, &again) == 0);
	fleet_report_write(&again, &w2);
	check(writer_ok(&w2) && w2.pos == w.pos && memcmp(out, twice, w.pos) == 0);
}

static void check_answer(const uint8_t *data, size_t size)
{
	const struct fleet_question q = {.node = "fra", .network = ""};
	unsigned rcode = 0;
	int err = 0;

	switch (fleet_answer_read(data, size, 0x1234, &q, &r, &rcode, &err)) {
	case FLEET_ANSWER_GOOD:
		check(strcmp(r.node, "fra") == 0 && size >= DNS_HEADER_LEN && get_u16(data) == 0x1234);
		break;
	case FLEET_ANSWER_REFUSED:
		check(rcode > 0 && rcode < 16);
		break;
	case FLEET_ANSWER_BAD:
		check(err < 0);
		break;
	case FLEET_ANSWER_OTHER:
	case FLEET_ANSWER_TRUNCATED:
		break;
	}
}

/* What is read of a place of the tree is within its bounds, and of that place. */
static void check_tree(const uint8_t *data, size_t size)
{
	static struct tree_answer a;
	struct tree_place p = {0};

	if (size && data[0] & 1)
		p = tree_child(p, data[0] >> 4);
	if (tree_answer_read(data, size, p, &a) < 0)
		return;
	check(a.count <= TREE_LIST_MAX && (a.listed ? a.count == a.sum.zones : !a.count));
	for (uint32_t i = 0; i < a.count; i++)
		check(tree_has(p, a.zone[i].hash) && memchr(a.zone[i].name, 0, sizeof(a.zone[i].name)));
}

/* The answer to it is never longer than is allowed, and says so where it is cut. */
static void check_question(const uint8_t *data, size_t size)
{
	struct fleet_root roots[FLEET_ROOTS_MAX];
	struct fleet_question asked;
	struct writer w = writer_of(out, size);
	struct query q;

	if (query_parse(data, size, &q) != QUERY_OK || !fleet_question_is(&q))
		return;
	r = (struct fleet_report){.node = "fra", .count = 1, .network = {{.name = "global"}}, .pools = FLEET_POOLS_MAX, .pools_total = UINT32_MAX};
	for (uint32_t i = 0; i < r.pools; i++)
		r.pool[i] = (struct fleet_pool){.key = UINT64_MAX - i, .known = UINT64_MAX, .up = UINT64_MAX >> i % 64};
	fleet_answer_write(&q, data, RCODE_NOERROR, &r, &w);
	check(writer_ok(&w) && w.pos <= size);
	check(fleet_question_roots(data, size, roots) <= FLEET_ROOTS_MAX);
	if (fleet_question_read(q.qname.wire, &asked)) {
		struct writer back = writer_of(out, sizeof(out));
		struct query parsed;

		fleet_question_write(&asked, q.header.id, NULL, 0, 0, 0, &back);
		check(writer_ok(&back) && query_parse(out, back.pos, &parsed) == QUERY_OK &&
		      name_equal(parsed.qname.wire, q.qname.wire));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_report(data, size);
	check_answer(data, size);
	check_tree(data, size);
	if (size <= sizeof(out))
		check_question(data, size);
	return 0;
}
