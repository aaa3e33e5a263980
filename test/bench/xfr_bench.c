/* SPDX-License-Identifier: BSD-2-Clause */
/* xfr_bench ZONE FILE [OCTETS]: what a transfer of a zone costs outside of sockets, in CPU time: encoding it out of the store in messages of OCTETS (65535),
 * signing and verifying, reading it into content, sorting, and its digests. By hand, never part of the tests. */
#include "base/diag.h"
#include "xfr/incoming.h"
#include "xfr/outgoing.h"
#include "xfr/tsig.h"
#include "zone/content.h"
#include "zone/digest.h"
#include "zone/zonemd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint8_t *stream;
static size_t stream_len, stream_cap;

static double cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double since(const char *what, double start)
{
	printf("%-28s %8.3f s\n", what, cpu() - start);
	return cpu();
}

static void must(int err, const char *what)
{
	if (err) {
		fprintf(stderr, "%s: %d\n", what, err);
		exit(1);
	}
}

static void keep(const struct writer *w)
{
	if (stream_len + w->pos + 2 > stream_cap) {
		stream_cap = stream_cap ? stream_cap * 2 : 1 << 24;
		stream = realloc(stream, stream_cap);
		must(!stream, "memory");
	}
	put_u16(stream + stream_len, (uint16_t)w->pos);
	memcpy(stream + stream_len + 2, w->base, w->pos);
	stream_len += w->pos + 2;
}

static void encode(const struct store_snapshot *s, const struct store_zone *z, size_t octets, struct tsig_session *session)
{
	struct xfr_out_settings set = {.request = {.id = 7, .kind = XFR_AXFR}};
	static uint8_t buf[DNS_MESSAGE_MAX];
	struct xfr_out_facts f;
	struct xfr_out *x;
	int more;

	stream_len = 0;
	name_copy(&set.request.apex, store_zone_apex(z));
	must(xfr_out_zone(&set, s, z, &x), "xfr_out_zone");
	for (;;) {
		struct writer w = writer_of(buf, octets - (session ? tsig_space(session) : 0));

		more = xfr_out_next(x, &w);
		if (more != 1)
			break;
		w.cap = octets;
		if (session)
			must(tsig_sign(session, &w, 1700000000), "tsig_sign");
		keep(&w);
	}
	must(more, "xfr_out_next");
	xfr_out_facts(x, &f);
	if (!session)
		printf("%llu records in %llu messages, %llu octets\n", (unsigned long long)f.records, (unsigned long long)f.messages,
		       (unsigned long long)f.octets);
	xfr_out_free(x);
}

static void verify(struct tsig_session *session)
{
	for (size_t at = 0; at < stream_len; at += 2U + get_u16(stream + at))
		if (tsig_verify_response(session, stream + at + 2, get_u16(stream + at), 1700000000) != TSIG_GOOD)
			must(1, "verify");
}

static struct content *decode(const uint8_t *apex)
{
	struct xfr_in_settings set = {.apex = apex, .id = 7, .kind = XFR_AXFR};
	enum xfr_in_step step = XFR_IN_MORE;
	struct content *c;
	struct xfr_in *x;

	must(xfr_in_new(&set, &x), "xfr_in_new");
	for (size_t at = 0; at < stream_len; at += 2U + get_u16(stream + at))
		step = xfr_in_feed(x, stream + at + 2, get_u16(stream + at));
	must(step != XFR_IN_WHOLE, xfr_in_error(x));
	c = xfr_in_take_content(x);
	xfr_in_free(x);
	return c;
}

int main(int argc, char **argv)
{
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = UINT32_MAX, .source = "bench"};
	static const uint8_t root[1] = {0}, secret[32] = {1};
	char folder[] = "/dev/shm/xfr_bench.XXXXXX", path[64];
	struct tsig_session client, server;
	struct store_open_info info;
	uint8_t digest[ZONEMD_DIGEST_OCTETS_MAX], request[512];
	struct writer w = writer_of(request, sizeof(request));
	struct zone_digest sum;
	struct store_snapshot s;
	const struct store_zone *z;
	struct store_writer *writer;
	struct content *c = NULL;
	struct tsig_key *key;
	struct tsig_keys keys = {.list = &key, .count = 1};
	struct name apex;
	struct diag diag;
	uint64_t generation;
	size_t octets = argc > 3 ? (size_t)atol(argv[3]) : DNS_MESSAGE_MAX;
	double t = cpu();

	if (argc < 3 || name_from_text(argv[1], strlen(argv[1]), root, &apex) < 0)
		must(1, "usage: xfr_bench ZONE FILE [OCTETS]");
	diag_init(&diag);
	must(zone_load_file(argv[2], apex.wire, NULL, &diag, &c), argv[2]);
	diag_done(&diag);
	t = since("zone file to content", t);
	must(!mkdtemp(folder), folder);
	snprintf(path, sizeof(path), "%s/store", folder);
	must(store_writer_open(path, NULL, 0, &writer, &info), "open");
	must(store_put_zone(writer, apex.wire, c, &meta), "put");
	must(store_commit(writer, &generation), "commit");
	store_writer_snapshot(writer, &s);
	z = store_zone_get(&s, apex.wire);
	t = since("content to store", t);

	must(zonemd_of_content(c, ZONEMD_SHA384, digest), "zonemd");
	t = since("ZONEMD SHA-384 of content", t);
	content_free(c);
	t = cpu();
	must(zonemd_of_store(&s, z, ZONEMD_SHA384, digest), "zonemd");
	t = since("ZONEMD SHA-384 of store", t);
	must(zonemd_of_store(&s, z, ZONEMD_SHA512, digest), "zonemd");
	t = since("ZONEMD SHA-512 of store", t);
	must(zone_digest_store(&s, z, &sum), "digest");
	t = since("sum of SHA-256 of store", t);

	encode(&s, z, octets, NULL);
	t = since("AXFR out", t);
	c = decode(apex.wire);
	t = since("AXFR in", t);
	must(content_finish(c), "finish");
	t = since("sort", t);
	content_free(c);

	must(tsig_key_new((const uint8_t *)"\3key", tsig_algorithm_text("hmac-sha256"), secret, sizeof(secret), 0, &key), "key");
	tsig_session_init(&client);
	tsig_session_init(&server);
	tsig_session_key(&client, key);
	w.pos = (size_t)message_build_query(request, sizeof(request), 7, apex.wire, RR_AXFR, CLASS_IN, 0, false, false);
	must(tsig_sign(&client, &w, 1700000000), "sign");
	must(tsig_verify_request(&server, &keys, request, w.pos, 1700000000) != TSIG_GOOD, "request");
	t = cpu();
	encode(&s, z, octets, &server);
	t = since("AXFR out, signed", t);
	verify(&client);
	since("verify", t);
	tsig_session_done(&client);
	tsig_session_done(&server);
	tsig_key_free(key);
	store_writer_close(writer);
	unlink(path);
	strcat(path, ".lock");
	unlink(path);
	rmdir(folder);
	free(stream);
	return 0;
}
