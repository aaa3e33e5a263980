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
#include "sync/fetch.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/wire.h"
#include "dns/message.h"
#include "sync/link.h"
#include "sync/soa_probe.h"
#include "proc/tls_profiles.h"
#include "xfr/padding.h"
#include "xfr/request.h"
#include "xfr/tsig.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	REQUEST_MAX = 2 + 600 + PADDING_QUERY + TSIG_RECORD_MAX,
	STRANGE_MAX = 64, /* datagrams that are not the answer, then the primary counts as silent */
};

enum probe_state { PROBE_WAITS, PROBE_SERIAL, PROBE_TCP, PROBE_SILENT, PROBE_BAD };

/* The question to one primary. Over UDP freed by libuv's close callback. */
struct probe {
	struct fetch *f; /* NULL: detached */
	bool over_tls;
	struct link_request ask; /* over TLS */
	uv_poll_t poll;          /* over UDP */
	int fd;
	uint16_t id;
	unsigned strange;
	bool edns;
	struct tsig_session session;
	uint8_t wire[REQUEST_MAX]; /* with the length in front */
	size_t len;
};

/* The transfer under way. */
struct conn {
	struct link_request ask;
	struct tsig_session session;
	uint8_t wire[REQUEST_MAX];
};

struct candidate {
	struct endpoint at;
	enum probe_state state;
	uint32_t serial;
	bool has_expire, no_edns, no_ixfr;
	uint32_t expire_s;
	struct probe *probe;
};

struct fetch {
	const struct fetch_settings *set;
	fetch_done_fn *on_done;
	void *ctx;
	struct name apex;
	const struct tsig_key *key;
	struct tls_profiles *tls;
	bool has_serial, whole, force, direct, look;
	uint64_t max_records, max_octets;
	uint32_t serial;
	uint16_t preferred;
	uint16_t count;
	uv_timer_t timer;
	unsigned tries;
	bool grace;                   /* an answer has come: the timer is for the others */
	uint64_t began_ms, moved_ms;
	uint16_t order[FETCH_PRIMARIES_MAX];
	uint16_t order_count, turn;
	struct conn *conn;
	bool good;                    /* the result */
	struct xfr_in *in;
	enum xfr_kind kind;
	struct fetch_result result;
	size_t error_len;
	struct candidate list[];
};

/* ---- ends ---- */

static void say(struct fetch *f, const struct endpoint *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void say(struct fetch *f, const struct endpoint *at, const char *fmt, ...)
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

static void on_probe_closed(uv_handle_t *h)
{
	struct probe *p = h->data;

	close(p->fd);
	tsig_session_done(&p->session);
	free(p);
}

/* kept: its answer has come. */
static void end_probe(struct candidate *c, bool kept)
{
	struct probe *p = c->probe;

	if (!p)
		return;
	c->probe = NULL;
	p->f = NULL;
	if (p->over_tls) {
		link_end(&p->ask, kept);
		tsig_session_done(&p->session);
		free(p);
		return;
	}
	uv_poll_stop(&p->poll);
	uv_close((uv_handle_t *)&p->poll, on_probe_closed);
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
		end_probe(&f->list[i], false);
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

/* ---- sockets ---- */

static const struct ip_addr *source_for(const struct fetch *f, const struct endpoint *at)
{
	const struct ip_addr *a = &f->set->source[at->addr.family == 6];

	return a->family ? a : NULL;
}

/* A socket for this primary, bound to the address it is to come from. */
static int udp_to(const struct fetch *f, const struct endpoint *at, int *out)
{
	int fd = socket(at->addr.family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
	    err = 0;
	const struct ip_addr *from = source_for(f, at);
	struct sockaddr_storage ss;
	socklen_t len;

	if (fd < 0)
		return -errno;
	if (from) {
		const struct endpoint local = {.addr = *from};

		len = endpoint_to_sockaddr(&local, &ss);
		if (bind(fd, (const struct sockaddr *)&ss, len) < 0)
			err = -errno;
	}
	len = endpoint_to_sockaddr(at, &ss);
	if (!err && connect(fd, (const struct sockaddr *)&ss, len) < 0)
		err = -errno;
	if (err) {
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

/* Where a connection to this primary goes. ERR_UNSUPPORTED: its tls-auth is of no use, which was logged. */
static int target_for(const struct fetch *f, const struct endpoint *at, struct link_target *out)
{
	const struct ip_addr *from = source_for(f, at);
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

/* Fill up a question over TLS, which ends with the OPT record that begins at opt_at. */
static void pad_question(const struct fetch *f, const struct endpoint *at, bool edns, size_t opt_at, struct writer *w)
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

/* ---- asking for the serial ---- */

static void choose(struct fetch *f);

static int write_probe(struct probe *p, const struct endpoint *at)
{
	struct writer w = writer_of(p->wire + 2, sizeof(p->wire) - 2);
	int err;

	random_bytes(&p->id, sizeof(p->id));
	tsig_session_done(&p->session);
	tsig_session_init(&p->session);
	if (p->f->key)
		tsig_session_key(&p->session, p->f->key);
	err = soa_probe_build(p->f->apex.wire, p->id, p->edns, &w);
	if (!err)
		pad_question(p->f, at, p->edns, w.pos - SOA_PROBE_OPT_LEN, &w);
	if (!err && p->f->key)
		err = tsig_sign(&p->session, &w, (uint64_t)clock_wall_s());
	put_u16(p->wire, (uint16_t)w.pos);
	p->len = 2 + w.pos;
	return err;
}

/* Losses and refusals of the network show as silence. */
static void send_probe(const struct probe *p)
{
	ssize_t n = send(p->fd, p->wire + 2, p->len - 2, MSG_NOSIGNAL);

	(void)n;
}

static bool on_probe_message(void *ctx, const uint8_t *msg, size_t len);
static void on_probe_broken(void *ctx, bool reached, const char *why);

static int ask_over_tls(struct fetch *f, const struct candidate *c, struct probe *p)
{
	struct link_target t;
	int err = target_for(f, &c->at, &t);

	p->ask = (struct link_request){
		.wire = p->wire, .len = p->len, .message = on_probe_message, .broken = on_probe_broken, .ctx = p};
	return err ? err : link_ask(f->set->links, &t, &p->ask);
}

static void settle(struct fetch *f)
{
	bool waiting = false, answered = false, newer = false;

	for (size_t i = 0; i < f->count; i++) {
		const struct candidate *c = &f->list[i];

		waiting |= c->state == PROBE_WAITS;
		answered |= c->state == PROBE_SERIAL;
		newer |= c->state == PROBE_SERIAL && (!f->has_serial || serial_after(c->serial, f->serial));
	}
	if (!waiting) {
		choose(f);
	} else if (answered && (!f->grace || newer)) {
		f->grace = true;
		uv_timer_start(&f->timer, f->timer.timer_cb, newer ? FETCH_GRACE_NEWER_MS : FETCH_GRACE_MS, 0);
	}
}

static const char *tsig_error(const struct tsig_session *s, enum tsig_verdict v, char *buf, size_t cap)
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

/* True when the candidate is settled. */
static bool judge(struct fetch *f, struct candidate *c, const uint8_t *msg, size_t len)
{
	struct probe *p = c->probe;
	struct soa_probe_answer a;
	enum soa_probe_verdict v = soa_probe_judge(msg, len, f->apex.wire, p->id, &a);
	enum tsig_verdict t;
	char text[120], rcode[12];

	if (v == SOA_PROBE_STRANGE)
		return ++p->strange > STRANGE_MAX ? (c->state = PROBE_SILENT, true) : false;
	/* Without EDNS and signature nothing is given away: the next answer must be good. */
	if (v == SOA_PROBE_NO_EDNS && p->edns) {
		p->edns = false;
		c->no_edns = true;
		if (p->over_tls)
			link_end(&p->ask, true);
		if (write_probe(p, &c->at) < 0 || (p->over_tls && ask_over_tls(f, c, p) < 0)) {
			c->state = PROBE_BAD;
			return true;
		}
		if (!p->over_tls)
			send_probe(p);
		return false;
	}
	t = tsig_verify_response(&p->session, msg, len, (uint64_t)clock_wall_s());
	if (t != TSIG_GOOD) {
		say(f, &c->at, "SOA: %s%s%s", tsig_error(&p->session, t, text, sizeof(text)), a.rcode ? ", " : "", a.rcode ? rcode_text(a.rcode, rcode) : "");
		c->state = PROBE_BAD;
		return true;
	}
	/* Some servers (Knot with catalogs) say more over TCP than over UDP. */
	c->state = v == SOA_PROBE_SERIAL ? PROBE_SERIAL : v == SOA_PROBE_TCP || a.rcode == RCODE_REFUSED ? PROBE_TCP : PROBE_BAD;
	c->serial = a.serial;
	c->has_expire = a.has_expire;
	c->expire_s = a.expire_s;
	if (c->state == PROBE_BAD)
		say(f, &c->at, "SOA: %s", v == SOA_PROBE_LAME ? "the answer is not authoritative, or has no SOA" : rcode_text(a.rcode, rcode));
	return true;
}

static struct candidate *candidate_of(const struct probe *p)
{
	for (size_t i = 0; p->f && i < p->f->count; i++)
		if (p->f->list[i].probe == p)
			return &p->f->list[i];
	return NULL;
}

static bool on_probe_message(void *ctx, const uint8_t *msg, size_t len)
{
	struct probe *p = ctx;
	struct fetch *f = p->f;
	struct candidate *c = candidate_of(p);
	uint16_t id = p->id;

	if (judge(f, c, msg, len)) {
		end_probe(c, c->state != PROBE_SILENT);
		settle(f);
		return false;
	}
	return p->id == id; /* else it was asked again, without EDNS */
}

static void on_probe_broken(void *ctx, bool reached, const char *why)
{
	struct probe *p = ctx;
	struct fetch *f = p->f;
	struct candidate *c = candidate_of(p);

	(void)reached;
	say(f, &c->at, "SOA: %s", why);
	c->state = PROBE_BAD;
	end_probe(c, false);
	settle(f);
}

static void on_datagram(uv_poll_t *poll, int status, int events)
{
	static uint8_t msg[DNS_MESSAGE_MAX];
	struct probe *p = poll->data;
	struct fetch *f = p->f;
	struct candidate *c = candidate_of(p);
	ssize_t n;

	(void)status;
	(void)events;
	while (c) {
		n = recv(p->fd, msg, sizeof(msg), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0) {
			/* "Port unreachable" is a hint that anyone can send: it shortens no wait, since the primary may just be starting. */
			return;
		}
		if (!judge(f, c, msg, (size_t)n))
			continue;
		end_probe(c, true);
		settle(f);
		return;
	}
}

static void on_udp_timer(uv_timer_t *t)
{
	struct fetch *f = t->data;

	if (!f->grace && ++f->tries < FETCH_UDP_TRIES) {
		for (size_t i = 0; i < f->count; i++)
			if (f->list[i].probe && !f->list[i].probe->over_tls)
				send_probe(f->list[i].probe);
		uv_timer_start(&f->timer, on_udp_timer, (uint64_t)FETCH_UDP_FIRST_MS << f->tries, 0);
		return;
	}
	for (size_t i = 0; i < f->count; i++)
		if (f->list[i].state == PROBE_WAITS)
			f->list[i].state = PROBE_SILENT;
	choose(f);
}

static int start_udp(struct fetch *f, struct candidate *c, struct probe *p)
{
	int err = udp_to(f, &c->at, &p->fd);

	if (err)
		return err;
	err = uv_poll_init(f->set->loop, &p->poll, p->fd);
	if (err) {
		close(p->fd);
		return err;
	}
	p->poll.data = p;
	uv_poll_start(&p->poll, UV_READABLE, on_datagram);
	send_probe(p);
	return 0;
}

static void start_probe(struct fetch *f, struct candidate *c)
{
	struct probe *p = calloc(1, sizeof(*p));
	int err = ERR_NO_MEMORY;

	if (p) {
		p->f = f;
		p->edns = true;
		p->over_tls = c->at.tls != 0;
		tsig_session_init(&p->session);
		err = write_probe(p, &c->at);
		if (!err)
			err = p->over_tls ? ask_over_tls(f, c, p) : start_udp(f, c, p);
	}
	if (!err) {
		c->probe = p;
		c->state = PROBE_WAITS;
		return;
	}
	c->state = PROBE_BAD;
	if (p)
		tsig_session_done(&p->session);
	free(p);
	say(f, &c->at, "%s", err_text(err));
}

static void on_first_turn(uv_timer_t *t)
{
	struct fetch *f = t->data;

	/* Nothing to compare: the transfer tells the serial. */
	if (f->count == 1 && (!f->has_serial || f->whole)) {
		f->list[0].state = PROBE_TCP;
		choose(f);
		return;
	}
	/* It said so itself; the others are for the case that it fails. */
	if (f->direct) {
		for (uint16_t i = 0; i < f->count; i++)
			f->list[i].state = i == f->preferred ? PROBE_TCP : PROBE_SILENT;
		choose(f);
		return;
	}
	uv_timer_start(&f->timer, on_udp_timer, FETCH_UDP_FIRST_MS, 0);
	for (size_t i = 0; i < f->count; i++)
		start_probe(f, &f->list[i]);
	settle(f);
}

/* ---- choosing ---- */

/* Worth asking for a transfer: 0 no, else the higher the rather. Serials in a circle have no order of their own: ours, or the preferred one's, is the
 * point to look from. */
static bool better(const struct fetch *f, uint16_t a, uint16_t b)
{
	const struct candidate *x = &f->list[a], *y = &f->list[b];

	if ((x->state == PROBE_SERIAL) != (y->state == PROBE_SERIAL))
		return x->state == PROBE_SERIAL;
	if (x->state == PROBE_SERIAL && x->serial != y->serial)
		return serial_after(x->serial, y->serial);
	if ((x->state == PROBE_TCP) != (y->state == PROBE_TCP))
		return x->state == PROBE_TCP;
	return a == f->preferred && b != f->preferred;
}

static bool is_candidate(const struct fetch *f, const struct candidate *c)
{
	if (c->state == PROBE_SERIAL)
		return f->whole || f->force || !f->has_serial || serial_after(c->serial, f->serial);
	return c->state == PROBE_TCP || c->state == PROBE_SILENT;
}

static void next_candidate(struct fetch *f);

static void choose(struct fetch *f)
{
	bool current = false, answered = false;
	uint16_t at = 0, newest = 0;

	uv_timer_stop(&f->timer);
	for (uint16_t i = 0; i < f->count; i++) {
		struct candidate *c = &f->list[i];
		uint16_t k;

		end_probe(c, false);
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
				say(f, &f->list[i].at, "its serial, %u, is older than ours, %u", f->list[i].serial, f->serial);
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

static struct candidate *now_at(struct fetch *f)
{
	return &f->list[f->order[f->turn]];
}

static void give_up_on(struct fetch *f, const char *why)
{
	say(f, &now_at(f)->at, "%s%s%s", f->kind == XFR_IXFR ? "IXFR: " : "AXFR: ",
	    now_at(f)->state != PROBE_SILENT || f->direct ? ""
	    : now_at(f)->at.tls                           ? "(silent) "
	                                                  : "(silent over UDP) ",
	    why);
	f->turn++;
	next_candidate(f);
}

static void act_on(struct fetch *f, enum xfr_in_step step)
{
	struct candidate *c = now_at(f);

	if (step == XFR_IN_USE_AXFR) {
		say(f, &c->at, "IXFR: %s", xfr_in_error(f->in));
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
		snprintf(line, sizeof(line), "TSIG: %s", tsig_error(session, v, text, sizeof(text)));
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

static int ask_transfer(struct fetch *f, struct conn *c, uint16_t id)
{
	const struct candidate *cand = now_at(f);
	struct xfr_request r = {.id = id,
	                        .kind = f->kind,
	                        .apex = f->apex,
	                        .serial = f->serial,
	                        .udp_size = SOA_PROBE_UDP_SIZE,
	                        .has_edns = !cand->no_edns,
	                        .want_expire = !cand->no_edns};
	struct writer w = writer_of(c->wire + 2, sizeof(c->wire) - 2);
	struct link_target t;
	int err = target_for(f, &cand->at, &t);

	if (!err)
		err = xfr_request_build(&r, NULL, 0, &w);
	if (!err)
		pad_question(f, &cand->at, r.has_edns, w.pos - SOA_PROBE_OPT_LEN, &w);
	if (!err && f->key)
		err = tsig_sign(&c->session, &w, (uint64_t)clock_wall_s());
	put_u16(c->wire, (uint16_t)w.pos);
	c->ask = (struct link_request){
		.wire = c->wire, .len = 2 + w.pos, .message = on_message, .broken = on_broken, .ctx = f};
	return err ? err : link_ask(f->set->links, &t, &c->ask);
}

static void attempt(struct fetch *f)
{
	const struct candidate *cand = now_at(f);
	struct xfr_in_settings x = {.apex = f->apex.wire, .has_serial = f->has_serial && !f->force, .serial = f->serial,
	                            .max_records = f->max_records, .max_octets = f->max_octets ? f->max_octets : f->set->max_octets};
	struct conn *c = calloc(1, sizeof(*c));
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
		f->list[i] = (struct candidate){.at = q->primaries[i]};
	f->began_ms = f->moved_ms = clock_ms();
	uv_timer_init(settings->loop, &f->timer);
	f->timer.data = f;
	uv_timer_start(&f->timer, on_first_turn, 0, 0);
	*out = f;
	return 0;
}
