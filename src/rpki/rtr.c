/* SPDX-License-Identifier: BSD-2-Clause */
/* A client of RPKI caches: what the world's ROAs say of our own prefixes, kept current.
 *
 *     TCP -> in (one PDU) -> rtr_msg.c -> this state machine -> coming -> at End of Data -> have -> vrp_validate()
 *
 * A session asks for everything (Reset Query) or for what is new since its serial (Serial Query), when it connects, when the cache notifies, and
 * when the refresh interval is over. What comes is collected in `coming`, beside what is valid, and takes its place at End of Data: a transfer that
 * breaks off changes nothing. Of all payloads only those are kept that cover one of our prefixes, a handful out of half a million, so memory is
 * bounded (VRP_SET_MAX) whatever a cache sends, and the cost of each is a binary search. When our prefixes change the whole table is asked for again.
 *
 * Versions: 1 first; a cache that answers in version 0, refuses with "unsupported version", or closes without a word is spoken to in version 0, and
 * in turn again with the next failure (RFC 8210 7). A notification before the first answer is passed over, whatever its version.
 *
 * Every timer is bounded here: intervals of the cache are taken within the limits of RFC 8210 6, silence and length of a transfer have limits of
 * ours, connections are tried again after 1 s, doubled to 60 s, with jitter. A wrong PDU gets an Error Report and ends the connection.
 *
 * Why not librtr, which Debian has: it runs a thread and blocking sockets with sleep() for each cache, ends threads by pthread_cancel(), waits by
 * select() (which aborts beyond descriptor 1023), resolves by getaddrinfo(), which a sandboxed process cannot, logs to stderr itself, keeps the whole
 * table, asserts, and links libssh into a process that reads from the network. The protocol is ten fixed-size PDUs.
 *
 * RFC 6810, 8210. Left out: router keys (read over; we validate origins only), version 2 and its ASPA records, and transports other than plain TCP:
 * the cache belongs into one's own network, as RFC 8210 9 has it. */
#include "rpki/rtr.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *rtr_state_text(enum rtr_state s)
{
	static const char *const names[RTR_STATES] = {"down", "connecting", "asking", "receiving", "current"};

	return s < RTR_STATES ? names[s] : "?";
}

static void enter(struct rtr *r, enum rtr_state s, uint64_t now_ms)
{
	r->state = s;
	r->since_ms = now_ms;
}

static void PRINTF_LIKE(2, 3) fault(struct rtr *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->last_error, sizeof(r->last_error), fmt, ap);
	va_end(ap);
	r->errors++;
}

void rtr_init(struct rtr *r, const struct vrp_interest *interest, uint32_t hold_max_s, uint64_t now_ms)
{
	*r = (struct rtr){.interest = interest,
	                  .hold_max_s = hold_max_s,
	                  .version = RTR_VERSION_MAX,
	                  .refresh_s = RTR_REFRESH_S,
	                  .expire_s = RTR_EXPIRE_S};
	enter(r, RTR_DOWN, now_ms);
	r->retry_at_ms = now_ms;
}

void rtr_done(struct rtr *r)
{
	vrp_set_done(&r->have);
	vrp_set_done(&r->coming);
}

static void forget(struct rtr *r)
{
	vrp_set_clear(&r->have);
	r->has_session = false;
	r->changed = r->changed || r->expires_ms;
	r->expires_ms = 0;
}

static struct writer room(struct rtr *r)
{
	return writer_of(r->out + r->out_len, sizeof(r->out) - r->out_len);
}

static void ask(struct rtr *r, uint64_t now_ms)
{
	struct writer w = room(r);

	r->incremental = r->has_session;
	if (r->has_session)
		rtr_serial_query_write(&w, r->version, r->session, r->serial);
	else
		rtr_reset_query_write(&w, r->version);
	if (writer_ok(&w))
		r->out_len += w.pos;
	r->notified = false;
	r->asked_ms = r->heard_ms = now_ms;
	enter(r, RTR_ASKING, now_ms);
}

void rtr_connected(struct rtr *r, uint64_t now_ms)
{
	r->connections++;
	r->in_len = 0;
	r->out_len = 0;
	r->negotiated = false;
	r->doubt = true;
	ask(r, now_ms);
}

static void retry_in(struct rtr *r, uint64_t wait_ms, uint32_t random, uint64_t now_ms)
{
	r->retry_at_ms = now_ms + wait_ms - random % (wait_ms / 4);
}

void rtr_lost(struct rtr *r, const char *why, uint32_t random, uint64_t now_ms)
{
	uint64_t wait = RTR_RETRY_MIN_MS;

	if (r->state == RTR_DOWN)
		return;
	if (why)
		fault(r, "%s", why);
	/* Closed without an answer: perhaps it does not know our version. */
	if (r->state >= RTR_ASKING && r->doubt) {
		r->version = r->version ? 0 : RTR_VERSION_MAX;
		r->has_session = false;
	}
	for (unsigned i = 0; i < r->failures && wait < RTR_RETRY_MAX_MS; i++)
		wait *= 2;
	r->failures++;
	r->todo = RTR_NOTHING;
	r->in_len = 0;
	enter(r, RTR_DOWN, now_ms);
	retry_in(r, MIN(wait, (uint64_t)RTR_RETRY_MAX_MS), random, now_ms);
}

static void complain(struct rtr *r, const struct rtr_pdu *p, enum rtr_error code, const char *text)
{
	struct writer w = room(r);

	fault(r, "%s: %s", rtr_error_text(code), text);
	if (p->type != RTR_ERROR_REPORT) { /* RFC 8210 5.11: never an error about an error */
		rtr_error_write(&w, r->version, code, p->bytes, p->len, text);
		if (writer_ok(&w))
			r->out_len += w.pos;
	}
	r->doubt = false;
	r->todo = RTR_CLOSE;
}

static void on_error_report(struct rtr *r, const struct rtr_pdu *p)
{
	char text[80];
	size_t len = MIN(p->text_len, sizeof(text) - 1);

	for (size_t i = 0; i < len; i++)
		text[i] = p->text[i] >= 0x20 && p->text[i] < 0x7f && p->text[i] != '"' && p->text[i] != '\\'
		                  ? p->text[i]
		                  : '?';
	text[len] = '\0';
	fault(r, "the cache says: %s%s%s", rtr_error_text(p->session), len ? ": " : "", text);
	/* What it does not know of us it may know when asked from the start. */
	if (p->session != RTR_NO_DATA)
		r->has_session = false;
	if (p->session != RTR_BAD_VERSION && p->version == r->version)
		r->doubt = false;
	r->todo = RTR_CLOSE;
}

/* RFC 8210 7. False when the PDU is not to be looked at any further. */
static bool check_version(struct rtr *r, const struct rtr_pdu *p)
{
	if (r->negotiated) {
		if (p->version == r->version)
			return true;
		complain(r, p, RTR_UNEXPECTED_VERSION, "another version than before");
		return false;
	}
	if (p->type == RTR_SERIAL_NOTIFY)
		return false;
	if (p->type == RTR_ERROR_REPORT)
		return true; /* the connection ends, and with it the try of this version */
	if (p->version > r->version) {
		complain(r, p, RTR_BAD_VERSION, "a version that was not asked for");
		return false;
	}
	if (p->version < r->version) {
		r->version = p->version;
		if (r->has_session) { /* a session belongs to a version */
			r->has_session = false;
			r->doubt = false;
			fault(r, "the cache has another version now");
			r->todo = RTR_CLOSE;
			return false;
		}
	}
	r->negotiated = true;
	r->doubt = false;
	return true;
}

static void on_response(struct rtr *r, const struct rtr_pdu *p, uint64_t now_ms)
{
	if (r->state != RTR_ASKING) {
		complain(r, p, RTR_CORRUPT_DATA, "a response that was not asked for");
		return;
	}
	if (r->incremental && p->session != r->session) {
		forget(r); /* RFC 8210 5.1 */
		complain(r, p, RTR_CORRUPT_DATA, "another session");
		return;
	}
	r->coming_session = p->session;
	if (!r->incremental)
		vrp_set_clear(&r->coming);
	else if (vrp_set_copy(&r->coming, &r->have) < 0) {
		complain(r, p, RTR_INTERNAL_ERROR, "out of memory");
		return;
	}
	enter(r, RTR_RECEIVING, now_ms);
}

static void on_prefix(struct rtr *r, const struct rtr_pdu *p)
{
	int err;

	if (r->state != RTR_RECEIVING) {
		complain(r, p, RTR_CORRUPT_DATA, "a prefix outside a response");
		return;
	}
	r->records++;
	if (!vrp_interest_covered_by(r->interest, &p->vrp.prefix))
		return;
	err = p->announce ? vrp_set_add(&r->coming, &p->vrp) : vrp_set_remove(&r->coming, &p->vrp);
	if (!err)
		return;
	/* RFC 8210 5.6, 12: data that does not add up is not used, and not built upon. */
	if (r->incremental)
		r->has_session = false;
	if (err == ERR_EXISTS)
		complain(r, p, RTR_DUPLICATE, "announced already");
	else if (err == ERR_NOT_FOUND)
		complain(r, p, RTR_UNKNOWN_RECORD, "never announced");
	else
		complain(r, p, RTR_INTERNAL_ERROR,
		         err == ERR_LIMIT ? "too many payloads cover our prefixes" : "out of memory");
}

static uint32_t within(uint32_t v, uint32_t least, uint32_t most)
{
	return v < least ? least : v > most ? most : v;
}

static void on_end(struct rtr *r, const struct rtr_pdu *p, uint64_t now_ms)
{
	struct vrp_set old = r->have;

	if (r->state != RTR_RECEIVING || p->session != r->coming_session) {
		r->has_session = false;
		complain(r, p, RTR_CORRUPT_DATA,
		         r->state == RTR_RECEIVING ? "another session" : "an end outside a response");
		return;
	}
	if (p->has_timers) {
		r->refresh_s = within(p->refresh_s, RTR_REFRESH_MIN_S, RTR_REFRESH_MAX_S);
		r->expire_s = within(p->expire_s, RTR_EXPIRE_MIN_S, RTR_EXPIRE_MAX_S);
	}
	r->have = r->coming;
	r->coming = old;
	r->session = p->session;
	r->serial = p->serial;
	r->has_session = r->complete = true;
	r->changed = true;
	r->syncs++;
	r->failures = 0;
	r->synced_ms = now_ms;
	r->expires_ms = now_ms + MIN(r->expire_s, r->hold_max_s) * 1000ULL;
	/* A cache that lets data expire before it is asked again is asked sooner. */
	r->refresh_at_ms = now_ms + MIN((uint64_t)r->refresh_s * 1000, (r->expires_ms - now_ms) / 2);
	enter(r, RTR_CURRENT, now_ms);
}

static void on_pdu(struct rtr *r, const struct rtr_pdu *p, uint64_t now_ms)
{
	if (!check_version(r, p))
		return;
	switch (p->type) {
	case RTR_SERIAL_NOTIFY:
		if (r->has_session && p->session != r->session) {
			r->has_session = false;
			complain(r, p, RTR_CORRUPT_DATA, "another session");
		} else if (!r->has_session || p->serial != r->serial) {
			r->notified = true;
		}
		break;
	case RTR_CACHE_RESPONSE:
		on_response(r, p, now_ms);
		break;
	case RTR_IPV4_PREFIX:
	case RTR_IPV6_PREFIX:
		on_prefix(r, p);
		break;
	case RTR_ROUTER_KEY:
		if (r->state != RTR_RECEIVING)
			complain(r, p, RTR_CORRUPT_DATA, "a router key outside a response");
		break;
	case RTR_END_OF_DATA:
		on_end(r, p, now_ms);
		break;
	case RTR_CACHE_RESET:
		if (r->state != RTR_ASKING || !r->incremental) {
			complain(r, p, RTR_CORRUPT_DATA, "a reset that was not asked for");
			break;
		}
		r->has_session = false;
		ask(r, now_ms);
		break;
	case RTR_ERROR_REPORT:
		on_error_report(r, p);
		break;
	default:
		complain(r, p, RTR_INVALID_REQUEST, "a query from a cache");
		break;
	}
}

void rtr_input(struct rtr *r, const uint8_t *bytes, size_t len, uint64_t now_ms)
{
	r->heard_ms = now_ms;
	while (r->todo != RTR_CLOSE && r->state >= RTR_ASKING) {
		size_t take = MIN(len, sizeof(r->in) - r->in_len), pos = 0;
		enum rtr_verdict verdict = RTR_FINE;
		enum rtr_error error;
		struct rtr_pdu p;

		memcpy(r->in + r->in_len, bytes, take);
		r->in_len += take;
		bytes += take;
		len -= take;
		while (verdict == RTR_FINE && r->todo != RTR_CLOSE) {
			verdict = rtr_pdu_parse(r->in + pos, r->in_len - pos, &p, &error);
			if (verdict == RTR_FINE) {
				pos += p.len;
				on_pdu(r, &p, now_ms);
			} else if (verdict == RTR_BAD) {
				complain(r, &p, error, "cannot be understood");
			}
		}
		memmove(r->in, r->in + pos, r->in_len - pos);
		r->in_len -= pos;
		if (!take)
			break;
	}
}

void rtr_tick(struct rtr *r, uint64_t now_ms)
{
	if (r->expires_ms && now_ms >= r->expires_ms)
		forget(r);
	switch (r->state) {
	case RTR_DOWN:
		if (now_ms >= r->retry_at_ms) {
			r->todo = RTR_CONNECT;
			enter(r, RTR_CONNECTING, now_ms);
		}
		break;
	case RTR_CONNECTING:
		if (now_ms - r->since_ms >= RTR_CONNECT_MS) {
			fault(r, "no answer to the connection attempt");
			r->todo = RTR_CLOSE;
		}
		break;
	case RTR_ASKING:
	case RTR_RECEIVING:
		if (now_ms - r->heard_ms >= RTR_SILENT_MS || now_ms - r->asked_ms >= RTR_TRANSFER_MS) {
			fault(r, now_ms - r->heard_ms >= RTR_SILENT_MS ? "the cache is silent"
			                                               : "the cache does not come to an end");
			r->doubt = false;
			r->todo = RTR_CLOSE;
		}
		break;
	case RTR_CURRENT:
		if ((r->notified && now_ms - r->asked_ms >= RTR_QUERY_GAP_MS) || now_ms >= r->refresh_at_ms)
			ask(r, now_ms);
		break;
	case RTR_STATES:
		break;
	}
}

void rtr_replan(struct rtr *r, uint64_t now_ms)
{
	r->has_session = r->complete = false;
	r->failures = 0;
	if (r->state == RTR_CURRENT) {
		ask(r, now_ms);
	} else if (r->state == RTR_DOWN) {
		r->retry_at_ms = now_ms;
	} else if (r->state >= RTR_ASKING) {
		r->doubt = false;
		r->todo = RTR_CLOSE;
	}
}
