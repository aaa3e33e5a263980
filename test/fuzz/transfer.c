/* SPDX-License-Identifier: BSD-2-Clause */
/* A primary's answers: an octet of options, then messages, each behind its length. What is accepted goes out again through xfr_out and in once more, and is
 * the same; what is refused has a reason. The same messages are read as requests. */
#include "xfr/incoming.h"
#include "xfr/outgoing.h"
#include "xfr/request.h"
#include "zone/content.h"
#include "zone/digest.h"
#include "zone/zonemd.h"

#include <stdlib.h>
#include <string.h>

enum { IXFR = 1, UDP = 2, SERIAL = 4, SAME_ID = 8, SERIAL_OURS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t apex[] = "\x07" "example";

static void check(bool ok)
{
	if (!ok)
		abort();
}

static bool same_records(const struct rr *a, const struct rr *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i].type != b[i].type || a[i].ttl != b[i].ttl || a[i].rdlen != b[i].rdlen || memcmp(a[i].rdata, b[i].rdata, a[i].rdlen) != 0 ||
		    name_len(a[i].owner) != name_len(b[i].owner) || memcmp(a[i].owner, b[i].owner, name_len(a[i].owner)) != 0)
			return false;
	return true;
}

/* The differences leave in messages of `cap` octets and come back the same. */
static void send_again(const struct xfr_differences *d, size_t cap)
{
	struct xfr_out_settings set = {.request = {.id = 7, .kind = XFR_IXFR, .serial = d->list[0].from}};
	struct xfr_in_settings in_set = {.apex = apex, .id = 7, .kind = XFR_IXFR, .has_serial = true, .serial = d->list[0].from};
	enum xfr_in_step step = XFR_IN_MORE;
	const struct xfr_differences *got;
	uint8_t *buf = malloc(cap);
	struct writer w = writer_of(buf, cap);
	struct xfr_out *x = NULL;
	struct xfr_in *in = NULL;
	int more;

	name_copy(&set.request.apex, apex);
	check(xfr_out_differences(&set, &d->list[d->count - 1].added[0], d->list, d->count, &x) == 0);
	check(xfr_in_new(&in_set, &in) == 0);
	while ((more = xfr_out_next(x, &w)) == 1) {
		check(step == XFR_IN_MORE);
		step = xfr_in_feed(in, buf, w.pos);
		w = writer_of(buf, cap);
	}
	if (more == 0) {
		check(step == XFR_IN_DIFFERENCES);
		got = xfr_in_differences(in);
		check(got->count == d->count);
		for (size_t i = 0; i < d->count; i++) {
			check(got->list[i].deleted_count == d->list[i].deleted_count && got->list[i].added_count == d->list[i].added_count);
			check(same_records(got->list[i].deleted, d->list[i].deleted, d->list[i].deleted_count));
			check(same_records(got->list[i].added, d->list[i].added, d->list[i].added_count));
		}
	}
	xfr_out_free(x);
	xfr_in_free(in);
	free(buf);
}

static void digest(struct xfr_in *x)
{
	uint8_t out[ZONEMD_DIGEST_OCTETS_MAX];
	struct content *c = xfr_in_take_content(x);
	char text[ZONEMD_TEXT_MAX];
	struct zone_digest d;

	check(c && content_finish(c) == 0);
	check(zonemd_of_content(c, ZONEMD_SHA384, out) == 0);
	check(zone_digest_content(c, &d) == 0);
	(void)zonemd_verify_content(c, text);
	content_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t options = size ? data[0] : 0;
	struct xfr_in_settings set = {.apex = apex, .id = 7, .kind = options & IXFR ? XFR_IXFR : XFR_AXFR, .udp = (options & UDP) != 0,
	                              .has_serial = (options & (IXFR | SERIAL)) != 0, .serial = SERIAL_OURS, .max_records = 1000, .max_octets = 100000,
	                              .max_differences = 20};
	enum xfr_in_step step = XFR_IN_MORE;
	struct xfr_in *x = NULL;
	size_t at = 1;

	check(xfr_in_new(&set, &x) == 0);
	while (step == XFR_IN_MORE && at + 2 <= size) {
		size_t len = get_u16(data + at);
		struct xfr_request r;
		uint8_t *msg;

		len = len < size - at - 2 ? len : size - at - 2;
		msg = malloc(len ? len : 1); /* a block of its own: the sanitizer sees its end */
		memcpy(msg, data + at + 2, len);
		at += 2 + len;
		if (len > 2)
			(void)xfr_request_parse(msg, len, &r);
		if (options & SAME_ID && len >= 2)
			put_u16(msg, 7);
		step = xfr_in_feed(x, msg, len);
		free(msg);
	}
	if (step == XFR_IN_MORE)
		step = xfr_in_closed(x, "the end");
	check((step == XFR_IN_FAILED || step == XFR_IN_USE_AXFR) == (xfr_in_cause(x) != XFR_FINE));
	check((xfr_in_cause(x) != XFR_FINE) == (xfr_in_error(x)[0] != '\0'));
	check(step != XFR_IN_USE_AXFR || set.kind == XFR_IXFR);
	check(step != XFR_IN_USE_TCP || set.udp);
	if (step == XFR_IN_WHOLE)
		digest(x);
	if (step == XFR_IN_DIFFERENCES)
		send_again(xfr_in_differences(x), options & 0x80 ? 65535 : 200 + options);
	xfr_in_free(x);
	return 0;
}
