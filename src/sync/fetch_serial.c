/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking primaries for the serial they have: SOA over UDP, or over TLS to those that have it. */
#include "sync/fetch_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/wire.h"
#include "dns/message.h"
#include "sync/soa_probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	STRANGE_MAX = 64, /* datagrams that are not the answer, then the primary counts as silent */
};

/* The question to one primary. Over UDP freed by libuv's close callback. */
struct fetch_probe {
	struct fetch *f; /* NULL: detached */
	bool over_tls;
	struct link_request ask; /* over TLS */
	uv_poll_t poll;          /* over UDP */
	int fd;
	uint16_t id;
	unsigned strange;
	bool edns;
	struct tsig_session session;
	uint8_t wire[FETCH_REQUEST_MAX]; /* with the length in front */
	size_t len;
};

static void on_probe_closed(uv_handle_t *h)
{
	struct fetch_probe *p = h->data;

	close(p->fd);
	tsig_session_done(&p->session);
	free(p);
}

void fetch_end_probe(struct fetch_candidate *c, bool kept)
{
	struct fetch_probe *p = c->probe;

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

/* A socket for this primary, bound to the address it is to come from. */
static int udp_to(const struct fetch *f, const struct endpoint *at, int *out)
{
	int fd = socket(at->addr.family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
	    err = 0;
	const struct ip_addr *from = fetch_source(f, at);
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

/* ---- questions ---- */

static int write_probe(struct fetch_probe *p, const struct endpoint *at)
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
		fetch_pad(p->f, at, p->edns, w.pos - SOA_PROBE_OPT_LEN, &w);
	if (!err && p->f->key)
		err = tsig_sign(&p->session, &w, (uint64_t)clock_wall_s());
	put_u16(p->wire, (uint16_t)w.pos);
	p->len = 2 + w.pos;
	return err;
}

/* Losses and refusals of the network show as silence. */
static void send_probe(const struct fetch_probe *p)
{
	ssize_t n = send(p->fd, p->wire + 2, p->len - 2, MSG_NOSIGNAL);

	(void)n;
}

static bool on_probe_message(void *ctx, const uint8_t *msg, size_t len);
static void on_probe_broken(void *ctx, bool reached, const char *why);

static int ask_over_tls(struct fetch *f, const struct fetch_candidate *c, struct fetch_probe *p)
{
	struct link_target t;
	int err = fetch_target(f, &c->at, &t);

	p->ask = (struct link_request){
		.wire = p->wire, .len = p->len, .message = on_probe_message, .broken = on_probe_broken, .ctx = p};
	return err ? err : link_ask(f->set->links, &t, &p->ask);
}

/* ---- answers ---- */

static void settle(struct fetch *f)
{
	bool waiting = false, answered = false, newer = false;

	for (size_t i = 0; i < f->count; i++) {
		const struct fetch_candidate *c = &f->list[i];

		waiting |= c->state == PROBE_WAITS;
		answered |= c->state == PROBE_SERIAL;
		newer |= c->state == PROBE_SERIAL && (!f->has_serial || serial_after(c->serial, f->serial));
	}
	if (!waiting) {
		fetch_choose(f);
	} else if (answered && (!f->grace || newer)) {
		f->grace = true;
		uv_timer_start(&f->timer, f->timer.timer_cb, newer ? FETCH_GRACE_NEWER_MS : FETCH_GRACE_MS, 0);
	}
}

/* True when the candidate is settled. */
static bool judge(struct fetch *f, struct fetch_candidate *c, const uint8_t *msg, size_t len)
{
	struct fetch_probe *p = c->probe;
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
		fetch_say(f, &c->at, "SOA: %s%s%s", fetch_tsig_error(&p->session, t, text, sizeof(text)), a.rcode ? ", " : "", a.rcode ? rcode_text(a.rcode, rcode) : "");
		c->state = PROBE_BAD;
		return true;
	}
	/* Some servers (Knot with catalogs) say more over TCP than over UDP. */
	c->state = v == SOA_PROBE_SERIAL ? PROBE_SERIAL : v == SOA_PROBE_TCP || a.rcode == RCODE_REFUSED ? PROBE_TCP : PROBE_BAD;
	c->serial = a.serial;
	c->has_expire = a.has_expire;
	c->expire_s = a.expire_s;
	if (c->state == PROBE_BAD)
		fetch_say(f, &c->at, "SOA: %s", v == SOA_PROBE_LAME ? "the answer is not authoritative, or has no SOA" : rcode_text(a.rcode, rcode));
	return true;
}

static struct fetch_candidate *candidate_of(const struct fetch_probe *p)
{
	for (size_t i = 0; p->f && i < p->f->count; i++)
		if (p->f->list[i].probe == p)
			return &p->f->list[i];
	return NULL;
}

static bool on_probe_message(void *ctx, const uint8_t *msg, size_t len)
{
	struct fetch_probe *p = ctx;
	struct fetch *f = p->f;
	struct fetch_candidate *c = candidate_of(p);
	uint16_t id = p->id;

	if (judge(f, c, msg, len)) {
		fetch_end_probe(c, c->state != PROBE_SILENT);
		settle(f);
		return false;
	}
	return p->id == id; /* else it was asked again, without EDNS */
}

static void on_probe_broken(void *ctx, bool reached, const char *why)
{
	struct fetch_probe *p = ctx;
	struct fetch *f = p->f;
	struct fetch_candidate *c = candidate_of(p);

	(void)reached;
	fetch_say(f, &c->at, "SOA: %s", why);
	c->state = PROBE_BAD;
	fetch_end_probe(c, false);
	settle(f);
}

static void on_datagram(uv_poll_t *poll, int status, int events)
{
	static uint8_t msg[DNS_MESSAGE_MAX];
	struct fetch_probe *p = poll->data;
	struct fetch *f = p->f;
	struct fetch_candidate *c = candidate_of(p);
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
		fetch_end_probe(c, true);
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
	fetch_choose(f);
}

/* ---- start ---- */

static int start_udp(struct fetch *f, struct fetch_candidate *c, struct fetch_probe *p)
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

static void start_probe(struct fetch *f, struct fetch_candidate *c)
{
	struct fetch_probe *p = calloc(1, sizeof(*p));
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
	fetch_say(f, &c->at, "%s", err_text(err));
}

void fetch_ask_serials(struct fetch *f)
{
	uv_timer_start(&f->timer, on_udp_timer, FETCH_UDP_FIRST_MS, 0);
	for (size_t i = 0; i < f->count; i++)
		start_probe(f, &f->list[i]);
	settle(f);
}
