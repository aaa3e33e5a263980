/* SPDX-License-Identifier: BSD-2-Clause */
/* A secondary, or a primary, of one TCP connection: the cores of src/xfr behind a socket that somebody else opened, which is descriptor 0.
 *
 *   xfrtool in ZONE [--serial N] [--edns] [--key NAME:ALGORITHM:BASE64[:OCTETS]] [--clock SECONDS] [--udp]
 *       asks for ZONE (IXFR with --serial, else AXFR) and prints what came: "whole", then the records; "differences", then per record a line that
 *       begins with "- " or "+ "; "current"; "use-tcp"; "use-axfr: TEXT"; "failed: TEXT". Facts, and what ZONEMD says of a whole zone,
 *       go to stderr.
 *   xfrtool out ZONE FILE [--difference DELETED ADDED]... [--message OCTETS] [--sign-every N] [--key ...] [--clock SECONDS]
 *       answers requests for SOA, AXFR and IXFR until the other side closes, and says on stderr what it did. The differences are in order; each
 *       file is in zone form and begins with its SOA.
 *
 * --clock is added to the clock. With --udp descriptor 0 is a connected datagram socket. Exit status 0 unless used wrongly. */
#include "base/diag.h"
#include "base/err.h"
#include "base/text.h"
#include "xfr/incoming.h"
#include "xfr/outgoing.h"
#include "xfr/pack.h"
#include "xfr/request.h"
#include "xfr/tsig.h"
#include "zone/content.h"
#include "zone/print.h"
#include "zone/zonefile.h"
#include "zone/zonemd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SOCKET = 0 };

static const uint8_t root[1];
static struct name zone;
static struct tsig_key *key;
static long clock_offset, serial = -1;
static bool edns, udp;
static size_t message_max = XFR_OUT_MESSAGE;
static unsigned sign_every = 1;

static uint64_t now(void)
{
	return (uint64_t)(time(NULL) + clock_offset);
}

static void NORETURN die(const char *what)
{
	fprintf(stderr, "xfrtool: %s\n", what);
	exit(2);
}

static bool read_all(uint8_t *p, size_t len)
{
	while (len) {
		ssize_t n = read(SOCKET, p, len);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* The next message, or false when the other side closes. */
static bool receive(uint8_t *msg, size_t *len)
{
	uint8_t head[2];
	ssize_t n;

	if (udp) {
		n = read(SOCKET, msg, DNS_MESSAGE_MAX);
		*len = n > 0 ? (size_t)n : 0;
		return n > 0;
	}
	if (!read_all(head, 2))
		return false;
	*len = get_u16(head);
	return read_all(msg, *len);
}

static bool send_message(const struct writer *w)
{
	uint8_t frame[DNS_MESSAGE_MAX + 2];
	size_t len = w->pos + 2, done = udp ? 2 : 0;

	put_u16(frame, (uint16_t)w->pos);
	memcpy(frame + 2, w->base, w->pos);
	while (done < len) {
		ssize_t n = write(SOCKET, frame + done, len - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void print(char sign, const uint8_t *owner, uint32_t ttl, uint16_t type, const uint8_t *rdata, size_t len)
{
	struct text t;

	text_init(&t);
	if (sign)
		text_fmt(&t, "%c ", sign);
	zone_print_record(&t, owner, ttl, type, rdata, len);
	fwrite(t.chars, 1, t.len, stdout);
	text_done(&t);
}

/* ---- in ---- */

static void print_differences(const struct xfr_differences *d)
{
	puts("differences");
	for (size_t i = 0; i < d->count; i++) {
		const struct xfr_difference *x = &d->list[i];

		for (size_t k = 0; k < x->deleted_count; k++)
			print('-', x->deleted[k].owner, x->deleted[k].ttl, x->deleted[k].type, x->deleted[k].rdata, x->deleted[k].rdlen);
		for (size_t k = 0; k < x->added_count; k++)
			print('+', x->added[k].owner, x->added[k].ttl, x->added[k].type, x->added[k].rdata, x->added[k].rdlen);
	}
}

static void print_whole(struct xfr_in *x)
{
	struct content *c = xfr_in_take_content(x);
	char text[ZONEMD_TEXT_MAX];

	if (!c || content_finish(c) != 0)
		die("content_finish");
	puts("whole");
	if (zone_print(c, stdout) != 0)
		die("zone_print");
	(void)zonemd_verify_content(c, text);
	fprintf(stderr, "zonemd: %s\n", text);
	content_free(c);
}

static enum xfr_in_step take(struct xfr_in *x, struct tsig_session *session, const uint8_t *msg, size_t len)
{
	enum tsig_verdict v = tsig_verify_response(session, msg, len, now());
	char why[200];

	if (v == TSIG_GOOD || v == TSIG_UNSIGNED)
		return xfr_in_feed(x, msg, len);
	snprintf(why, sizeof(why), "TSIG: %s, error %u %s, clock %llu", tsig_verdict_text(v), session->peer_error,
	         session->peer_signed ? "signed" : "unsigned", (unsigned long long)session->peer_time_s);
	return xfr_in_closed(x, why);
}

static void transfer_in(void)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	struct xfr_request r = {.id = (uint16_t)(getpid() * 7), .kind = serial >= 0 ? XFR_IXFR : XFR_AXFR, .apex = zone,
	                        .serial = (uint32_t)serial, .has_edns = edns, .want_expire = edns};
	struct xfr_in_settings set = {.apex = zone.wire, .id = r.id, .kind = r.kind, .udp = udp, .has_serial = serial >= 0, .serial = r.serial};
	struct writer w = writer_of(buf, sizeof(buf));
	enum xfr_in_step step = XFR_IN_MORE;
	struct tsig_session session;
	struct xfr_in_facts f;
	struct xfr_in *x;
	size_t len;

	tsig_session_init(&session);
	if (key)
		tsig_session_key(&session, key);
	if (xfr_in_new(&set, &x) != 0 || xfr_request_build(&r, NULL, 0, &w) != 0 || tsig_sign(&session, &w, now()) != 0 || !send_message(&w))
		die("cannot ask");
	while (step == XFR_IN_MORE)
		step = receive(buf, &len) ? take(x, &session, buf, len) : xfr_in_closed(x, "closed");
	if ((step == XFR_IN_WHOLE || step == XFR_IN_DIFFERENCES || step == XFR_IN_CURRENT) && !tsig_complete(&session))
		step = xfr_in_closed(x, "the last message is not signed");
	xfr_in_facts(x, &f);
	fprintf(stderr, "messages %llu records %llu octets %llu serial %u expire %ld\n", (unsigned long long)f.messages,
	        (unsigned long long)f.records, (unsigned long long)f.octets, f.serial, f.has_expire ? (long)f.expire_s : -1);
	switch (step) {
	case XFR_IN_WHOLE:
		print_whole(x);
		break;
	case XFR_IN_DIFFERENCES:
		print_differences(xfr_in_differences(x));
		break;
	case XFR_IN_CURRENT:
		puts("current");
		break;
	case XFR_IN_USE_TCP:
		puts("use-tcp");
		break;
	case XFR_IN_USE_AXFR:
		printf("use-axfr: %s\n", xfr_in_error(x));
		break;
	case XFR_IN_FAILED:
	case XFR_IN_MORE:
		printf("failed: %s\n", xfr_in_error(x));
		break;
	}
	xfr_in_free(x);
	tsig_session_done(&session);
}

/* ---- out ---- */

struct served {
	struct store_writer *writer;
	struct store_snapshot snapshot;
	const struct store_zone *zone;
	struct rr soa;
	struct xfr_differences differences;
};

struct side {
	struct xfr_differences *d;
	bool added, begun;
};

static int take_record(void *ctx, const struct rr *rr, const struct zonefile_place *place)
{
	struct side *s = ctx;
	bool first = !s->begun;

	(void)place;
	s->begun = true;
	if (s->added)
		return first ? xfr_differences_to(s->d, rr) : xfr_differences_add(s->d, rr);
	return first ? xfr_differences_from(s->d, rr) : xfr_differences_delete(s->d, rr);
}

static void load_side(struct xfr_differences *d, const char *file, bool added)
{
	struct side s = {.d = d, .added = added};
	struct zonefile_options o = {.origin = zone.wire, .rclass = CLASS_IN, .on_record = take_record, .ctx = &s};
	struct diag diag;

	diag_init(&diag);
	if (zonefile_parse(file, &o, &diag) != 0)
		die(file);
	diag_done(&diag);
}

static void load_zone(struct served *s, const char *file)
{
	struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = UINT32_MAX, .source = "file"};
	char folder[] = "/tmp/xfrtool.XXXXXX", path[64], line[1400];
	const struct store_rrset *soa;
	struct store_open_info info;
	struct content *c = NULL;
	uint64_t generation;
	struct diag diag;

	diag_init(&diag);
	if (zone_load_file(file, zone.wire, NULL, &diag, &c) != 0)
		die(diag.first ? diag_entry_text(diag.first, line, sizeof(line)) : file);
	diag_done(&diag);
	if (!mkdtemp(folder))
		die("mkdtemp");
	snprintf(path, sizeof(path), "%s/store", folder);
	if (store_writer_open(path, NULL, 0, &s->writer, &info) != 0 || store_put_zone(s->writer, zone.wire, c, &meta) != 0 ||
	    store_commit(s->writer, &generation) != 0)
		die("store");
	content_free(c);
	unlink(path); /* mapped, and nobody else needs it */
	strcat(path, ".lock");
	unlink(path);
	rmdir(folder);
	store_writer_snapshot(s->writer, &s->snapshot);
	s->zone = store_zone_get(&s->snapshot, zone.wire);
	soa = store_rrset_of(&s->snapshot, store_at(&s->snapshot, s->zone->apex), RR_SOA);
	s->soa = (struct rr){.owner = store_zone_apex(s->zone), .type = RR_SOA, .rclass = CLASS_IN, .ttl = soa->ttl, .rdlen = get_u16(soa->data),
	                     .rdata = soa->data + 2};
}

static bool send_signed(struct tsig_session *session, struct writer *w, unsigned *number, bool last)
{
	size_t room = w->cap;
	int err = 0;

	w->cap = DNS_MESSAGE_MAX;
	if (*number % sign_every == 0 || last)
		err = tsig_sign(session, w, now());
	else
		err = tsig_skip(session, w->base, w->pos);
	w->cap = room;
	(*number)++;
	return err == 0 && send_message(w);
}

static struct xfr_out *open_answer(const struct served *s, const struct xfr_request *r)
{
	struct xfr_out_settings set = {.request = *r, .udp = udp, .has_expire = true, .expire_s = 4711};
	const struct xfr_differences *d = &s->differences;
	struct xfr_out *x = NULL;
	int err = ERR_NOT_FOUND;

	if (r->kind == XFR_IXFR) {
		for (size_t i = 0; err && i < d->count; i++)
			if (d->list[i].from == r->serial) {
				fprintf(stderr, "IXFR from %u: %zu differences\n", r->serial, d->count - i);
				err = xfr_out_differences(&set, &s->soa, d->list + i, d->count - i, &x);
			}
		if (err && !serial_after(s->zone->serial, r->serial)) {
			fprintf(stderr, "IXFR from %u: current\n", r->serial);
			err = xfr_out_differences(&set, &s->soa, NULL, 0, &x);
		}
	}
	if (err) {
		fprintf(stderr, "%s: whole\n", r->kind == XFR_IXFR ? "IXFR" : "AXFR");
		err = xfr_out_zone(&set, &s->snapshot, s->zone, &x);
	}
	if (err)
		die(err_text(err));
	return x;
}

static bool transfer_out(const struct served *s, const struct xfr_request *r, struct tsig_session *session)
{
	static uint8_t buf[2][DNS_MESSAGE_MAX];
	struct xfr_out *x = open_answer(s, r);
	struct writer w[2];
	unsigned number = 0, at = 0;
	bool ok = true, have = false;
	int more;

	/* One message ahead, since the last one must be signed. */
	do {
		w[at] = writer_of(buf[at], message_max - tsig_space(session));
		more = xfr_out_next(x, &w[at]);
		if (more == ERR_LIMIT) {
			w[at] = writer_of(buf[at], DNS_MESSAGE_MAX - tsig_space(session));
			more = xfr_out_next(x, &w[at]);
		}
		if (more < 0)
			die(err_text(more));
		if (have)
			ok = send_signed(session, &w[!at], &number, !more);
		have = more;
		at = !at;
	} while (more && ok);
	xfr_out_free(x);
	return ok;
}

/* Answer an SOA query, or with an error. */
static bool answer_plain(const struct served *s, const uint8_t *msg, size_t len, unsigned rcode, struct tsig_session *session)
{
	static uint8_t buf[DNS_MESSAGE_MAX];
	static struct pack pack;
	struct writer w = writer_of(buf, sizeof(buf));
	unsigned number = 0;
	struct query q;

	if (query_parse(msg, len, &q) == QUERY_DROP || !q.has_question)
		return false;
	if (!rcode && (q.qtype != RR_SOA || !name_equal(q.qname.wire, zone.wire)))
		rcode = RCODE_REFUSED;
	pack_start(&pack, &w);
	writer_u16(&w, q.header.id);
	writer_u16(&w, (uint16_t)(DNS_QR | DNS_AA | rcode));
	writer_u16(&w, 1);
	writer_u16(&w, rcode ? 0 : 1);
	writer_u32(&w, 0);
	writer_bytes(&w, msg + DNS_HEADER_LEN, q.question_len);
	if (!rcode && !pack_record(&pack, &s->soa))
		return false;
	return send_signed(session, &w, &number, true);
}

static void serve(const struct served *s)
{
	static uint8_t msg[DNS_MESSAGE_MAX];
	struct tsig_keys keys = {.list = &key, .count = key ? 1 : 0};
	struct tsig_session session;
	bool ok = true;
	size_t len;

	tsig_session_init(&session);
	while (ok && receive(msg, &len)) {
		enum tsig_verdict v = tsig_verify_request(&session, &keys, msg, len, now());
		struct xfr_request r;

		if (v != TSIG_GOOD && (v != TSIG_ABSENT || key)) {
			fprintf(stderr, "TSIG: %s\n", tsig_verdict_text(v));
			ok = answer_plain(s, msg, len, v == TSIG_FORMERR ? RCODE_FORMERR : v == TSIG_ABSENT ? RCODE_REFUSED : RCODE_NOTAUTH, &session);
		} else if (xfr_request_parse(msg, len, &r) == QUERY_OK && name_equal(r.apex.wire, zone.wire)) {
			ok = transfer_out(s, &r, &session);
		} else {
			ok = answer_plain(s, msg, len, 0, &session);
		}
	}
	tsig_session_done(&session);
}

/* ---- arguments ---- */

static void read_key(char *text)
{
	char *name = strtok(text, ":"), *algorithm = strtok(NULL, ":"), *secret = strtok(NULL, ":"), *octets = strtok(NULL, ":");
	const struct tsig_algorithm *a = algorithm ? tsig_algorithm_text(algorithm) : NULL;
	uint8_t bytes[TSIG_SECRET_MAX];
	struct writer w = writer_of(bytes, sizeof(bytes));
	struct name n;

	if (!a || !secret || name_from_text(name, strlen(name), root, &n) != 0 || tsig_secret_parse(secret, strlen(secret), &w) != 0 ||
	    tsig_key_new(n.wire, a, bytes, w.pos, octets ? (unsigned)atoi(octets) : 0, &key) != 0)
		die("no good key");
}

int main(int argc, char **argv)
{
	struct served s = {0};
	bool in = argc > 2 && strcmp(argv[1], "in") == 0;
	int at = in ? 3 : 4;

	if (argc < at || (!in && strcmp(argv[1], "out") != 0) || name_from_text(argv[2], strlen(argv[2]), root, &zone) != 0)
		die("usage: xfrtool in ZONE [option]... | out ZONE FILE [option]...");
	xfr_differences_init(&s.differences);
	for (; at < argc; at++) {
		const char *o = argv[at];

		if (strcmp(o, "--edns") == 0)
			edns = true;
		else if (strcmp(o, "--udp") == 0)
			udp = true;
		else if (at + 1 == argc)
			die(o);
		else if (strcmp(o, "--serial") == 0)
			serial = atol(argv[++at]);
		else if (strcmp(o, "--clock") == 0)
			clock_offset = atol(argv[++at]);
		else if (strcmp(o, "--message") == 0)
			message_max = (size_t)atol(argv[++at]);
		else if (strcmp(o, "--sign-every") == 0)
			sign_every = (unsigned)atoi(argv[++at]);
		else if (strcmp(o, "--key") == 0)
			read_key(argv[++at]);
		else if (strcmp(o, "--difference") == 0 && at + 2 < argc) {
			load_side(&s.differences, argv[at + 1], false);
			load_side(&s.differences, argv[at + 2], true);
			at += 2;
		} else
			die(o);
	}
	if (in) {
		transfer_in();
	} else {
		load_zone(&s, argv[3]);
		serve(&s);
		store_writer_close(s.writer);
	}
	xfr_differences_done(&s.differences);
	tsig_key_free(key);
	return 0;
}
