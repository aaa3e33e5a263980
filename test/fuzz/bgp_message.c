/* SPDX-License-Identifier: BSD-2-Clause */
/* A neighbor's byte stream through the codec, message by message as the session reads it. An OPEN that was understood, written again
 * and read again has to say the same. */
#include "bgp/msg.h"
#include "bgp/notify.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_notify(const struct bgp_notify *n)
{
	uint8_t bytes[BGP_NOTIFY_LEN_MAX];
	struct writer w = writer_of(bytes, sizeof(bytes));
	char text[BGP_NOTIFY_TEXT_MAX], small[40];
	struct bgp_notify back, bad;
	struct bgp_frame f;

	bgp_notify_text(n, text, sizeof(text));
	bgp_notify_text(n, small, sizeof(small));
	for (const char *c = text; *c; c++)
		must((uint8_t)*c >= ' ' && *c != 0x7f);
	bgp_notify_write(&w, n);
	must(writer_ok(&w));
	must(bgp_frame_parse(bytes, w.pos, &f, &bad) == BGP_FINE && f.len == w.pos);
	bgp_notify_parse(&f, &back);
	must(back.code == n->code && back.data_len == n->data_len && memcmp(back.data, n->data, n->data_len) == 0);
}

static void check_open(const struct bgp_frame *f)
{
	uint8_t bytes[BGP_MESSAGE_MAX];
	struct writer w = writer_of(bytes, sizeof(bytes));
	struct bgp_open o, back;
	struct bgp_notify bad;
	struct bgp_frame again;

	if (bgp_open_parse(f, &o, &bad) != BGP_FINE) {
		must(bad.code == BGP_ERR_OPEN);
		check_notify(&bad);
		return;
	}
	must(o.as && o.id && o.hold_s != 1 && o.hold_s != 2);
	bgp_open_write(&w, &o);
	must(writer_ok(&w));
	must(bgp_frame_parse(bytes, w.pos, &again, &bad) == BGP_FINE);
	must(bgp_open_parse(&again, &back, &bad) == BGP_FINE);
	must(back.as == o.as && back.hold_s == o.hold_s && back.id == o.id && back.route_refresh == o.route_refresh &&
	     back.has_role == o.has_role && back.role == o.role && back.extended_next_hop == o.extended_next_hop);
	must(o.families == 0 || back.families == o.families);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bgp_notify n;
	struct bgp_frame f;

	for (;;) {
		enum bgp_verdict v = bgp_frame_parse(data, size, &f, &n);

		if (v == BGP_BAD) {
			must(n.code == BGP_ERR_HEADER);
			check_notify(&n);
		}
		if (v != BGP_FINE)
			return 0;
		must(f.len <= size && f.len <= BGP_MESSAGE_MAX && f.body_len + BGP_HEADER_LEN == f.len);
		if (f.type == BGP_OPEN)
			check_open(&f);
		if (f.type == BGP_ROUTE_REFRESH)
			must(bgp_refresh_parse(&f) <= BGP_IPV6);
		if (f.type == BGP_NOTIFICATION) {
			bgp_notify_parse(&f, &n);
			check_notify(&n);
		}
		data += f.len;
		size -= f.len;
	}
}
