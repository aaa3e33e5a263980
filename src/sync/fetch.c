/* SPDX-License-Identifier: BSD-2-Clause */
/* A secondary's conversation with its primaries for one zone.
 *
 *     SOA over UDP or TLS to all primaries ──► the newest serial ── ours? ──► current
 *                                            │ newer
 *                                            ▼
 *     IXFR over TCP or TLS ── fails in any way ──► AXFR ── fails ──► the next primary ──► ... ──► failed
 *
 * Who said by NOTIFY that it has a newer serial is not asked for it. The newest serial is chosen, then who answered last; who does not answer over UDP is tried over TCP after those who did. A single primary of a zone
 * without data is not asked for its serial first. Questions are signed with the zone's key, and then nothing unsigned is believed (RFC 8945). A
 * primary that does not know EDNS is asked without.
 *
 * Messages go to xfr/incoming.c as they come: a transfer holds its records and one message, within the limits of that file and FETCH_OCTETS_MAX. Connections are shared with other zones of the primary, one after another (link.c). Each
 * wait has its limit. What arrives is for the receiver to judge; here it is only known to be complete, in order and authentic.
 *
 * Addresses: always from the node's management address of the primary's family, never from a service address, which is anycast: the answer might
 * go to another node.
 *
 * A primary with `tls` is asked over TLS only, for its serial too: no question for the zone leaves in clear text (RFC 9103 7.4). A server that cannot prove to be who was
 * meant is told nothing, and is not tried by other means. Questions are padded (RFC 8467). A NOTIFY that names a zone still comes in clear text, over UDP. */
#include "sync/fetch_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/wire.h"
#include "dns/message.h"
#include "sync/soa_probe.h"
#include "xfr/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The transfer under way. */
struct fetch_transfer {
	struct link_request ask;
	struct tsig_session session;
	uint8_t wire[FETCH_REQUEST_MAX];
};

/* ---- ends ---- */

void fetch_say(struct fetch *f, const struct endpoint *at, const char *fmt, ...)
{
	char text[FETCH_ERROR_MAX], where[ENDPOINT_TEXT_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = snprintf(f->result.error + f->error_len, sizeof(f->result.error) - f->error_len, "%s%s: %s", f->error_len ? "; " : "",
	             endpoint_text(at, where), text);
	f->error_len = MIN(f->error_len + (size_t)MAX(n, 0), sizeof(f->result.error) - 1);
}

static void end_conn(struct fetch *f, bool kept)
{
	if (!f->conn)
		return;
	link_end(&f->conn->ask, kept);
	tsig_session_done(&f->conn->session);
	free(f->conn);
	f->conn = NULL;
}

static void on_timer_closed(uv_handle_t *h)
{
	free(h->data);
}

void fetch_cancel(struct fetch *f)
{
	for (size_t i = 0; i < f->count; i++)
		fetch_end_probe(&f->list[i], false);
	end_conn(f, f->good);
	xfr_in_free(f->in);
	f->in = NULL;
	tls_profiles_unref(f->tls);
	uv_close((uv_handle_t *)&f->timer, on_timer_closed);
}

static void finish(struct fetch *f, enum fetch_outcome outcome, uint16_t primary)
{
	f->result.outcome = outcome;
	f->good = outcome != FETCH_FAILED;
	f->result.primary = primary;
	f->result.took_ms = clock_ms() - f->began_ms;
	if (outcome == FETCH_WHOLE || outcome == FETCH_DIFFERENCES) {
		f->result.in = f->in;
		f->in = NULL;
	}
	f->on_done(f->ctx, f, &f->result);
	fetch_cancel(f);
}

const uint8_t *fetch_apex(const struct fetch *f)
{
	return f->apex.wire;
}

void fetch_progress(const struct fetch *f, struct xfr_in_facts *out, struct endpoint *from)
{
	*out = (struct xfr_in_facts){0};
	if (f->in)
		xfr_in_facts(f->in, out);
	*from = f->list[f->conn ? f->order[f->turn] : f->preferred].at;
}

/* ---- what questions have in common ---- */

const struct ip_addr *fetch_source(const struct fetch *f, const struct endpoint *at)
{
	const struct ip_addr *a = &f->set->source[at->addr.family == 6];

	return a->family ? a : NULL;
}

int fetch_target(const struct fetch *f, const struct endpoint *at, struct link_target *out)
{
	const struct ip_addr *from = fetch_source(f, at);
	struct link_target t = {.at = *at};

	if (from)
		t.source = *from;
	if (at->tls) {
		if (!f->tls || at->tls > f->tls->count || !f->tls->list[at->tls - 1])
			return ERR_UNSUPPORTED;
		t.profiles = f->tls;
		t.tls = f->tls->list[at->tls - 1];
		t.tls_id = f->tls->ids[at->tls - 1];
	}
	*out = t;
	return 0;
}

void fetch_pad(const struct fetch *f, const struct endpoint *at, bool edns, size_t opt_at, struct writer *w)
{
	struct tsig_session s;

	if (!at->tls || !edns)
		return;
	tsig_session_init(&s);
	if (f->key)
		tsig_session_key(&s, f->key);
	padding_add(w, opt_at, PADDING_QUERY, tsig_space(&s));
	tsig_session_done(&s);
}

const char *fetch_tsig_error(const struct tsig_session *s, enum tsig_verdict v, char *buf, size_t cap)
{
	char rcode[12];

	if (v != TSIG_PEER_ERROR)
		return tsig_verdict_text(v);
	snprintf(buf, cap, "the primary says of our key: %s%s",
	         s->peer_error == RCODE_BADSIG     ? "BADSIG"
	         : s->peer_error == RCODE_BADKEY   ? "BADKEY"
	         : s->peer_error == RCODE_BADTIME  ? "BADTIME, our clocks differ"
	         : s->peer_error == RCODE_BADTRUNC ? "BADTRUNC"
	                                           : rcode_text(s->peer_error, rcode),
	         s->peer_signed ? "" : " (unsigned)");
	return buf;
}

/* ---- choosing ---- */

/* Worth asking for a transfer: 0 no, else the higher the rather. Serials in a circle have no order of their own: ours, or the preferred one's, is the
 * point to look from. */
static bool better(const struct fetch *f, uint16_t a, uint16_t b)
{
	const struct fetch_candidate *x = &f->list[a], *y = &f->list[b];

	if ((x->state == PROBE_SERIAL) != (y->state == PROBE_SERIAL))
		return x->state == PROBE_SERIAL;
	if (x->state == PROBE_SERIAL && x->serial != y->serial)
		return serial_after(x->serial, y->serial);
	if ((x->state == PROBE_TCP) != (y->state == PROBE_TCP))
		return x->state == PROBE_TCP;
	return a == f->preferred && b != f->preferred;
}

static bool is_candidate(const struct fetch *f, const struct fetch_candidate *c)
{
	if (c->state == PROBE_SERIAL)
		return f->whole || f->force || !f->has_serial || serial_after(c->serial, f->serial);
	return c->state == PROBE_TCP || c->state == PROBE_SILENT;
}

static void next_candidate(struct fetch *f);

void fetch_choose(struct fetch *f)
{
	bool current = false, answered = false;
	uint16_t at = 0, newest = 0;

	uv_timer_stop(&f->timer);
	for (uint16_t i = 0; i < f->count; i++) {
		struct fetch_candidate *c = &f->list[i];
		uint16_t k;

		fetch_end_probe(c, false);
		if (c->state == PROBE_SERIAL) {
			answered = true;
			if (f->has_serial && c->serial == f->serial && (!current || i == f->preferred)) {
				current = true;
				at = i;
			}
			if (!f->result.has_seen || serial_after(c->serial, f->result.seen)) {
				f->result.seen = c->serial;
				newest = i;
			}
			f->result.has_seen = true;
		}
		if (!is_candidate(f, c))
			continue;
		for (k = f->order_count++; k && better(f, i, f->order[k - 1]); k--)
			f->order[k] = f->order[k - 1];
		f->order[k] = i;
	}
	if (f->look && answered) {
		f->result.serial = f->result.seen;
		finish(f, FETCH_CURRENT, newest);
		return;
	}
	/* Nobody has anything newer, and one has what we have: who is silent is not chased. */
	if (current && !f->whole && !f->force && (!f->order_count || f->list[f->order[0]].state != PROBE_SERIAL)) {
		f->result.serial = f->serial;
		f->result.has_expire = f->list[at].has_expire;
		f->result.expire_s = f->list[at].expire_s;
		finish(f, FETCH_CURRENT, at);
		return;
	}
	if (answered && !f->order_count)
		for (uint16_t i = 0; i < f->count; i++)
			if (f->list[i].state == PROBE_SERIAL)
				fetch_say(f, &f->list[i].at, "its serial, %u, is older than ours, %u", f->list[i].serial, f->serial);
	f->turn = 0;
	next_candidate(f);
}

/* ---- the transfer ---- */

static void attempt(struct fetch *f);

static void next_candidate(struct fetch *f)
{
	/* An error is the whole of its answer. */
	end_conn(f, f->in && xfr_in_cause(f->in) == XFR_RCODE);
	xfr_in_free(f->in);
	f->in = NULL;
	if (f->turn >= f->order_count) {
		finish(f, FETCH_FAILED, f->preferred);
		return;
	}
	attempt(f);
}

static struct fetch_candidate *now_at(struct fetch *f)
{
	return &f->list[f->order[f->turn]];
}

static void give_up_on(struct fetch *f, const char *why)
{
	fetch_say(f, &now_at(f)->at, "%s%s%s", f->kind == XFR_IXFR ? "IXFR: " : "AXFR: ",
	    now_at(f)->state != PROBE_SILENT || f->direct ? ""
	    : now_at(f)->at.tls                           ? "(silent) "
	                                                  : "(silent over UDP) ",
	    why);
	f->turn++;
	next_candidate(f);
}

static void act_on(struct fetch *f, enum xfr_in_step step)
{
	struct fetch_candidate *c = now_at(f);

	if (step == XFR_IN_USE_AXFR) {
		fetch_say(f, &c->at, "IXFR: %s", xfr_in_error(f->in));
		c->no_ixfr = true;
		next_candidate(f);
		return;
	}
	if (step == XFR_IN_FAILED || step == XFR_IN_USE_TCP) {
		/* RFC 6891 7. */
		if (!c->no_edns && xfr_in_cause(f->in) == XFR_RCODE && xfr_in_rcode(f->in) == RCODE_FORMERR) {
			c->no_edns = true;
			next_candidate(f);
			return;
		}
		give_up_on(f, xfr_in_error(f->in));
		return;
	}
	if (f->key && !tsig_complete(&f->conn->session)) {
		give_up_on(f, "the end of the transfer is not signed");
		return;
	}
	xfr_in_facts(f->in, &f->result.facts);
	f->result.serial = f->result.facts.has_serial ? f->result.facts.serial : f->serial;
	f->result.has_expire = f->result.facts.has_expire || c->has_expire;
	f->result.expire_s = f->result.facts.has_expire ? f->result.facts.expire_s : c->expire_s;
	finish(f, step == XFR_IN_WHOLE ? FETCH_WHOLE : step == XFR_IN_DIFFERENCES ? FETCH_DIFFERENCES : FETCH_CURRENT, f->order[f->turn]);
}

static bool on_message(void *ctx, const uint8_t *msg, size_t len)
{
	struct fetch *f = ctx;
	struct tsig_session *session = &f->conn->session;
	enum tsig_verdict v = tsig_verify_response(session, msg, len, (uint64_t)clock_wall_s());
	enum xfr_in_step step;
	char text[120], line[200];

	if (v != TSIG_GOOD && v != TSIG_UNSIGNED) {
		snprintf(line, sizeof(line), "TSIG: %s", fetch_tsig_error(session, v, text, sizeof(text)));
		give_up_on(f, line);
		return false;
	}
	f->moved_ms = clock_ms();
	step = xfr_in_feed(f->in, msg, len);
	if (step == XFR_IN_MORE)
		return true;
	act_on(f, step);
	return false;
}

static void on_broken(void *ctx, bool reached, const char *why)
{
	struct fetch *f = ctx;

	/* An IXFR that was refused by silence may still be an AXFR; who cannot be reached need not be asked twice. */
	if (reached)
		act_on(f, xfr_in_closed(f->in, why));
	else
		give_up_on(f, why);
}

static void on_tcp_timer(uv_timer_t *t)
{
	struct fetch *f = t->data;
	uint64_t now = clock_ms();
	bool ready = f->conn && link_ready(&f->conn->ask);

	if (now - f->began_ms > FETCH_LONGEST_MS)
		give_up_on(f, "it takes too long altogether");
	else if (!ready && now - f->moved_ms > FETCH_CONNECT_MS)
		give_up_on(f, "no connection in time");
	else if (now - f->moved_ms > FETCH_IDLE_MS)
		act_on(f, xfr_in_closed(f->in, "nothing came for too long"));
}

static int ask_transfer(struct fetch *f, struct fetch_transfer *c, uint16_t id)
{
	const struct fetch_candidate *cand = now_at(f);
	struct xfr_request r = {.id = id,
	                        .kind = f->kind,
	                        .apex = f->apex,
	                        .serial = f->serial,
	                        .udp_size = SOA_PROBE_UDP_SIZE,
	                        .has_edns = !cand->no_edns,
	                        .want_expire = !cand->no_edns};
	struct writer w = writer_of(c->wire + 2, sizeof(c->wire) - 2);
	struct link_target t;
	int err = fetch_target(f, &cand->at, &t);

	if (!err)
		err = xfr_request_build(&r, NULL, 0, &w);
	if (!err)
		fetch_pad(f, &cand->at, r.has_edns, w.pos - SOA_PROBE_OPT_LEN, &w);
	if (!err && f->key)
		err = tsig_sign(&c->session, &w, (uint64_t)clock_wall_s());
	put_u16(c->wire, (uint16_t)w.pos);
	c->ask = (struct link_request){
		.wire = c->wire, .len = 2 + w.pos, .message = on_message, .broken = on_broken, .ctx = f};
	return err ? err : link_ask(f->set->links, &t, &c->ask);
}

static void attempt(struct fetch *f)
{
	const struct fetch_candidate *cand = now_at(f);
	struct xfr_in_settings x = {.apex = f->apex.wire, .has_serial = f->has_serial && !f->force, .serial = f->serial,
	                            .max_records = f->max_records, .max_octets = f->max_octets ? f->max_octets : f->set->max_octets};
	struct fetch_transfer *c = calloc(1, sizeof(*c));
	int err;

	f->kind = x.kind = f->has_serial && !f->whole && !f->force && !cand->no_ixfr ? XFR_IXFR : XFR_AXFR;
	random_bytes(&x.id, sizeof(x.id));
	err = c ? xfr_in_new(&x, &f->in) : ERR_NO_MEMORY;
	if (err) {
		free(c);
		give_up_on(f, err_text(err));
		return;
	}
	tsig_session_init(&c->session);
	if (f->key)
		tsig_session_key(&c->session, f->key);
	f->conn = c;
	f->moved_ms = clock_ms();
	uv_timer_start(&f->timer, on_tcp_timer, 500, 500);
	err = ask_transfer(f, c, x.id);
	if (err)
		give_up_on(f, err == ERR_UNSUPPORTED ? "its tls-auth cannot be used" : err_text(err));
}

/* ---- start ---- */

static void on_first_turn(uv_timer_t *t)
{
	struct fetch *f = t->data;

	/* Nothing to compare: the transfer tells the serial. */
	if (f->count == 1 && (!f->has_serial || f->whole)) {
		f->list[0].state = PROBE_TCP;
		fetch_choose(f);
		return;
	}
	/* It said so itself; the others are for the case that it fails. */
	if (f->direct) {
		for (uint16_t i = 0; i < f->count; i++)
			f->list[i].state = i == f->preferred ? PROBE_TCP : PROBE_SILENT;
		fetch_choose(f);
		return;
	}
	fetch_ask_serials(f);
}

int fetch_start(const struct fetch_settings *settings, const struct fetch_request *q, fetch_done_fn *on_done, void *ctx, struct fetch **out)
{
	uint16_t count = MIN(q->primary_count, (uint16_t)FETCH_PRIMARIES_MAX);
	struct fetch *f = calloc(1, sizeof(*f) + count * sizeof(f->list[0]));

	if (!f)
		return ERR_NO_MEMORY;
	f->set = settings;
	f->on_done = on_done;
	f->ctx = ctx;
	name_copy(&f->apex, q->apex);
	f->key = q->key;
	f->tls = tls_profiles_ref(q->tls);
	f->has_serial = q->has_serial;
	f->serial = q->serial;
	f->whole = q->whole;
	f->force = q->force;
	f->direct = q->direct;
	f->look = q->look;
	f->max_records = q->max_records;
	f->max_octets = q->max_octets;
	f->preferred = q->preferred < count ? q->preferred : 0;
	f->count = count;
	for (size_t i = 0; i < count; i++)
		f->list[i] = (struct fetch_candidate){.at = q->primaries[i]};
	f->began_ms = f->moved_ms = clock_ms();
	uv_timer_init(settings->loop, &f->timer);
	f->timer.data = f;
	uv_timer_start(&f->timer, on_first_turn, 0, 0);
	*out = f;
	return 0;
}
