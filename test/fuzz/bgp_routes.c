/* SPDX-License-Identifier: BSD-2-Clause */
/* Bodies of UPDATEs of a neighbor whose routes are watched, one after the other, each behind two octets of its length. */
#include "bgp/routes_in.h"
#include "route/hijack.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hijack_table table;
static const struct endpoint from = {.addr = {.family = 4}, .port = 179};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void on_route(void *ctx, const struct ip_prefix *p, const struct bgp_path *path)
{
	char text[BGP_PATH_TEXT_MAX], prefix[PREFIX_TEXT_MAX];
	enum hijack_event e;
	struct hijack h;

	++*(unsigned *)ctx;
	must(p->len <= (p->addr.family == 4 ? 32 : 128) && prefix_contains(p, &p->addr));
	must(strlen(prefix_text(p, prefix)) < PREFIX_TEXT_MAX);
	if (path)
		must(strlen(bgp_path_text(path, text, sizeof(text))) < sizeof(text) && (!path->local || !path->has_origin));
	e = hijack_route(&table, &from, p, path, 1, &h);
	must(table.count <= HIJACKS_MAX);
	must(e == HIJACK_NOTHING || (prefix_contains(&h.ours, &p->addr) && h.ours.len <= p->len && h.origin != h.as));
	must(e != HIJACK_BEGUN || path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hijack_ours ours[] = {{.prefix = {.addr = {.family = 4, .bytes = {192, 0, 2}}, .len = 24}, .as = 64500},
	                                          {.prefix = {.addr = {.family = 4, .bytes = {192}}, .len = 8}, .as = 64501},
	                                          {.prefix = {.addr = {.family = 6, .bytes = {0x20, 1, 0xd, 0xb8}}, .len = 32}, .as = 64500}};
	struct hijack h;

	memset(&table, 0, sizeof(table));
	hijack_set_ours(&table, ours, ARRAY_LEN(ours));
	while (size >= 2) {
		size_t len = get_u16(data);
		struct bgp_frame f = {.type = BGP_UPDATE, .body = data + 2};
		unsigned told = 0;

		data += 2;
		size -= 2;
		f.body_len = MIN(len, size);
		must(bgp_routes_in(&f, on_route, &told) != BGP_UPDATE_BROKEN || !told);
		data += f.body_len;
		size -= f.body_len;
	}
	while (hijack_forget(&table, &from, &h))
		;
	must(table.count == 0);
	return 0;
}
