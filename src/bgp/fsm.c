/* SPDX-License-Identifier: BSD-2-Clause */
/* The session state machine, RFC 4271 8, as an announce-only speaker needs it.
 *
 *              START, retry timer          TCP up: OPEN            OPEN: KEEPALIVE           KEEPALIVE
 *     Idle ------------------------> Connect ----------> OpenSent ----------> OpenConfirm ----------> Established
 *       ^                               |                   |                      |                       |
 *       +--- STOP, TCP lost, NOTIFICATION either way, a timer, an error: from anywhere, then wait for retry+
 *
 * By default we connect actively and only so. There is then one connection per session, hence no collision to resolve, no port to listen
 * on and no quarrel with another speaker on the machine. For routers that must dial there is `passive`: the same machine, which leaves Idle only when
 * a connection has come. A session that does both has two machines. A collision (6.8) is judged when the OPEN arrives, before the KEEPALIVE that
 * would let the peer establish the connection that has lost; an established one is never given up for another, and keeps its rival from trying.
 *
 * An error is answered with the NOTIFICATION RFC 4271 6, RFC 6608 and RFC 9687 name for it, put into words in last_error, and the
 * session is tried again after 1 to 5 s, without growth: what keeps a router from accepting us is the router's own back-off. Only
 * a Cease that means "an operator decided so" (maximum prefixes, shutdown, de-configured, rejected) makes us try every 30 s.
 *
 * Graceful restart is not offered, and must not be: see msg.c. */
#include "bgp/fsm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *bgp_state_text(enum bgp_state state)
{
	static const char *const names[BGP_STATES] = {"idle", "connect", "open-sent", "open-confirm", "established"};

	return state < BGP_STATES ? names[state] : "?";
}

void bgp_fsm_init(struct bgp_fsm *f, const struct bgp_fsm_conf *conf, uint64_t now_ms)
{
	memset(f, 0, sizeof(*f));
	f->conf = *conf;
	f->since_ms = now_ms;
}

struct bgp_open bgp_fsm_open(const struct bgp_fsm *f)
{
	return (struct bgp_open){
	    .as = f->conf.local_as,
	    .hold_s = f->conf.hold_s,
	    .id = f->conf.router_id,
	    .families = f->conf.families,
	    .as4 = true,
	    .route_refresh = true,
	    .has_role = f->conf.has_role,
	    .extended_next_hop = f->conf.extended_next_hop,
	    .role = f->conf.role,
	};
}

uint64_t bgp_fsm_deadline(const struct bgp_fsm *f)
{
	const uint64_t at[] = {f->retry_at_ms, f->wait_at_ms, f->hold_at_ms, f->keepalive_at_ms, f->send_hold_at_ms};
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		if (at[i] && at[i] < next)
			next = at[i];
	return next;
}

static struct bgp_action *act(struct bgp_actions *out, enum bgp_action_type type)
{
	struct bgp_action *a = &out->list[out->count++];

	a->type = type;
	a->family = 0;
	a->notify = (struct bgp_notify){0};
	return a;
}

static void note(struct bgp_fsm *f, uint64_t now_ms, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void note(struct bgp_fsm *f, uint64_t now_ms, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->last_error, sizeof(f->last_error), fmt, ap);
	va_end(ap);
	f->last_error_ms = now_ms;
	f->errors++;
}

static void enter(struct bgp_fsm *f, enum bgp_state state, uint64_t now_ms)
{
	f->state = state;
	f->since_ms = now_ms;
}

/* Back to Idle from anywhere; the connection itself is the business of the action beside this one. */
static void leave(struct bgp_fsm *f, uint32_t random, uint64_t now_ms, struct bgp_actions *out)
{
	uint32_t jitter = random % (BGP_RETRY_SPAN_MS + 1);

	if (f->state == BGP_ESTABLISHED)
		act(out, BGP_DO_ROUTES_DOWN);
	enter(f, BGP_IDLE, now_ms);
	f->wait_at_ms = f->hold_at_ms = f->keepalive_at_ms = f->send_hold_at_ms = 0;
	f->retry_at_ms = f->enabled && !f->conf.passive && !f->rival_up ? now_ms + (f->slow ? BGP_RETRY_SLOW_MS : BGP_RETRY_MIN_MS) + jitter : 0;
	f->slow = false; /* once: a router that refuses or resets the next try is being restarted, not shut down */
	f->stuck = false;
	f->hold_s = 0;
	f->families = 0;
	f->peer = (struct bgp_open){0};
}

/* Say why and close. In Idle and Connect there is nobody to say it to. */
static void notify(struct bgp_fsm *f, const struct bgp_notify *n, uint32_t random, uint64_t now_ms, struct bgp_actions *out)
{
	if (f->state >= BGP_OPEN_SENT) {
		act(out, BGP_DO_NOTIFY)->notify = *n;
		f->notify_out++;
	} else if (f->state == BGP_CONNECT) {
		act(out, BGP_DO_CLOSE);
	}
	leave(f, random, now_ms, out);
}

static void connect_now(struct bgp_fsm *f, uint64_t now_ms, struct bgp_actions *out)
{
	f->retry_at_ms = 0;
	f->wait_at_ms = now_ms + BGP_CONNECT_WAIT_MS;
	enter(f, BGP_CONNECT, now_ms);
	act(out, BGP_DO_CONNECT);
}

static void hold_restart(struct bgp_fsm *f, uint64_t now_ms)
{
	f->hold_at_ms = f->hold_s ? now_ms + f->hold_s * 1000u : 0;
}

/* RFC 4271 10: a third of the hold time, by 75 to 100 %. */
static void keepalive_restart(struct bgp_fsm *f, uint32_t random, uint64_t now_ms)
{
	uint64_t third = f->hold_s * 1000u / 3;

	f->keepalive_at_ms = f->hold_s ? now_ms + third * 3 / 4 + random % (third / 4 + 1) : 0;
}

/* RFC 9234 4.2: which role the peer of ours has. */
static bool role_matches(enum bgp_role ours, enum bgp_role theirs)
{
	static const enum bgp_role pair[] = {
	    [BGP_ROLE_PROVIDER] = BGP_ROLE_CUSTOMER, [BGP_ROLE_RS] = BGP_ROLE_RS_CLIENT, [BGP_ROLE_RS_CLIENT] = BGP_ROLE_RS,
	    [BGP_ROLE_CUSTOMER] = BGP_ROLE_PROVIDER, [BGP_ROLE_PEER] = BGP_ROLE_PEER,
	};

	return ours < ARRAY_LEN(pair) && theirs == pair[ours];
}

/* Is this the neighbor that was configured, and one we can work with? Else *bad and a sentence in last_error. */
static bool open_accept(struct bgp_fsm *f, const struct bgp_open *o, uint64_t now_ms, struct bgp_notify *bad)
{
	const struct bgp_fsm_conf *c = &f->conf;

	if (!o->as4) { /* RFC 5492 3; the data is the capability that is missing, with our AS */
		*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_CAPABILITY);
		bad->data[0] = 65;
		bad->data[1] = 4;
		put_u32(bad->data + 2, c->local_as);
		bad->data_len = 6;
		note(f, now_ms, "the peer has no four-octet AS numbers (RFC 6793)");
		return false;
	}
	if (o->as != c->peer_as) {
		*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_PEER_AS);
		note(f, now_ms, "the peer says it is AS %u, configured is AS %u", o->as, c->peer_as);
		return false;
	}
	if (o->id == c->router_id && c->local_as == c->peer_as) { /* RFC 6286 2.2 */
		*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_ID);
		note(f, now_ms, "the peer has our own router id");
		return false;
	}
	if (!(o->families & c->families)) {
		*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_CAPABILITY);
		for (uint8_t family = BGP_IPV4; family <= BGP_IPV6; family = (uint8_t)(family << 1)) {
			uint8_t *at = bad->data + bad->data_len;

			if (!(c->families & family))
				continue;
			at[0] = 1;
			at[1] = 4;
			put_u16(at + 2, bgp_family_afi((enum bgp_family)family));
			at[4] = 0;
			at[5] = 1;
			bad->data_len = (uint16_t)(bad->data_len + 6);
		}
		note(f, now_ms, "the peer has none of the address families configured here");
		return false;
	}
	if (c->has_role && (o->has_role ? !role_matches(c->role, o->role) : c->role_strict)) {
		*bad = bgp_notify_of(BGP_ERR_OPEN, BGP_OPEN_ROLE);
		note(f, now_ms, o->has_role ? "the peer's role does not go with ours" : "the peer states no role");
		return false;
	}
	return true;
}

bool bgp_collision_ours_stays(uint32_t local_id, uint32_t local_as, uint32_t peer_id, uint32_t peer_as)
{
	return local_id != peer_id ? local_id > peer_id : local_as > peer_as;
}

/* RFC 4271 6.8. A rival in OpenSent is left alone: its own OPEN will tell. False: this connection has lost. */
static bool survives_collision(const struct bgp_fsm *f, const struct bgp_open *o, enum bgp_state rival, struct bgp_actions *out)
{
	bool ours = bgp_collision_ours_stays(f->conf.router_id, f->conf.local_as, o->id, o->as);

	if (rival == BGP_ESTABLISHED || (rival == BGP_OPEN_CONFIRM && ours == f->conf.passive))
		return false;
	if (rival == BGP_OPEN_CONFIRM)
		act(out, BGP_DO_END_RIVAL);
	return true;
}

static void got_open(struct bgp_fsm *f, const struct bgp_event *ev, uint64_t now_ms, struct bgp_actions *out)
{
	struct bgp_notify bad;
	struct bgp_open o;

	if (bgp_open_parse(ev->frame, &o, &bad) != BGP_FINE) {
		char text[BGP_NOTIFY_TEXT_MAX];

		note(f, now_ms, "bad OPEN from the peer: %s", bgp_notify_text(&bad, text, sizeof(text)));
		f->garbage++;
		notify(f, &bad, ev->random, now_ms, out);
		return;
	}
	if (!open_accept(f, &o, now_ms, &bad)) {
		notify(f, &bad, ev->random, now_ms, out);
		return;
	}
	if (!survives_collision(f, &o, ev->rival, out)) {
		bad = bgp_notify_cease(BGP_CEASE_COLLISION, NULL);
		notify(f, &bad, ev->random, now_ms, out);
		return;
	}
	f->peer = o;
	f->hold_s = MIN(o.hold_s, f->conf.hold_s);
	f->families = o.families & f->conf.families;
	f->wait_at_ms = f->hold_s ? 0 : now_ms + BGP_OPEN_WAIT_MS; /* else a silent peer would keep us here for ever */
	hold_restart(f, now_ms);
	keepalive_restart(f, ev->random, now_ms);
	act(out, BGP_DO_KEEPALIVE);
	enter(f, BGP_OPEN_CONFIRM, now_ms);
}

static void got_notification(struct bgp_fsm *f, const struct bgp_event *ev, uint64_t now_ms, struct bgp_actions *out)
{
	char text[BGP_NOTIFY_TEXT_MAX];
	struct bgp_notify n;

	bgp_notify_parse(ev->frame, &n);
	note(f, now_ms, "the peer closed: %s", bgp_notify_text(&n, text, sizeof(text)));
	f->notify_in++;
	f->slow = n.code == BGP_ERR_CEASE && (n.subcode == BGP_CEASE_MAX_PREFIXES || n.subcode == BGP_CEASE_SHUTDOWN ||
	                                      n.subcode == BGP_CEASE_DECONFIGURED || n.subcode == BGP_CEASE_REJECTED);
	act(out, BGP_DO_CLOSE);
	leave(f, ev->random, now_ms, out);
}

/* RFC 6608: a message that has no business in this state. */
static void unexpected(struct bgp_fsm *f, const struct bgp_event *ev, uint64_t now_ms, struct bgp_actions *out)
{
	static const uint8_t subcodes[BGP_STATES] = {
	    [BGP_OPEN_SENT] = BGP_FSM_OPEN_SENT,
	    [BGP_OPEN_CONFIRM] = BGP_FSM_OPEN_CONFIRM,
	    [BGP_ESTABLISHED] = BGP_FSM_ESTABLISHED,
	};
	struct bgp_notify n = bgp_notify_of(BGP_ERR_FSM, subcodes[f->state]);

	n.data[0] = (uint8_t)ev->frame->type;
	n.data_len = 1;
	note(f, now_ms, "unexpected %s from the peer in state %s", bgp_type_text(ev->frame->type), bgp_state_text(f->state));
	f->garbage++;
	notify(f, &n, ev->random, now_ms, out);
}

static void got_established(struct bgp_fsm *f, const struct bgp_event *ev, uint64_t now_ms, struct bgp_actions *out)
{
	uint8_t family;

	switch (ev->frame->type) {
	case BGP_KEEPALIVE:
	case BGP_UPDATE: /* read and forgotten: nothing is imported */
		hold_restart(f, now_ms);
		return;
	case BGP_ROUTE_REFRESH:
		family = bgp_refresh_parse(ev->frame) & f->families;
		if (family)
			act(out, BGP_DO_REFRESH)->family = family;
		return;
	case BGP_OPEN:
	case BGP_NOTIFICATION:
	case BGP_TYPES:
		break;
	}
	unexpected(f, ev, now_ms, out);
}

static void got_frame(struct bgp_fsm *f, const struct bgp_event *ev, uint64_t now_ms, struct bgp_actions *out)
{
	if (f->state < BGP_OPEN_SENT)
		return;
	if (ev->frame->type == BGP_NOTIFICATION) {
		got_notification(f, ev, now_ms, out);
	} else if (f->state == BGP_OPEN_SENT) {
		if (ev->frame->type == BGP_OPEN)
			got_open(f, ev, now_ms, out);
		else
			unexpected(f, ev, now_ms, out);
	} else if (f->state == BGP_OPEN_CONFIRM) {
		if (ev->frame->type != BGP_KEEPALIVE) {
			unexpected(f, ev, now_ms, out);
			return;
		}
		f->wait_at_ms = 0;
		hold_restart(f, now_ms);
		enter(f, BGP_ESTABLISHED, now_ms);
		f->established_count++;
		act(out, BGP_DO_ROUTES_UP);
	} else {
		got_established(f, ev, now_ms, out);
	}
}

static void send_hold(struct bgp_fsm *f, const struct bgp_event *ev, uint64_t now_ms)
{
	uint32_t twice = f->hold_s * 2000u;
	uint32_t limit = f->conf.send_hold_ms ? f->conf.send_hold_ms : MAX(twice, (uint32_t)BGP_SEND_HOLD_MIN_MS);

	if (f->state < BGP_OPEN_SENT)
		return;
	if (!ev->pending)
		f->send_hold_at_ms = 0;
	else if (ev->progress || !f->stuck)
		f->send_hold_at_ms = now_ms + limit;
	f->stuck = ev->pending > 0;
}

static bool due(uint64_t at_ms, uint64_t now_ms)
{
	return at_ms && at_ms <= now_ms;
}

static void tick(struct bgp_fsm *f, const struct bgp_event *ev, uint64_t now_ms, struct bgp_actions *out)
{
	struct bgp_notify n;

	if (due(f->retry_at_ms, now_ms)) {
		connect_now(f, now_ms, out);
		return;
	}
	if (due(f->wait_at_ms, now_ms) && f->state == BGP_CONNECT) {
		note(f, now_ms, "no answer to the TCP connection within %u s: the address, a filter, TTL security on one side only, "
		     "or a wrong password (see TCPMD5 in nstat -a)", BGP_CONNECT_WAIT_MS / 1000);
		act(out, BGP_DO_CLOSE);
		leave(f, ev->random, now_ms, out);
		return;
	}
	if (due(f->wait_at_ms, now_ms) || due(f->hold_at_ms, now_ms)) {
		if (f->state == BGP_OPEN_SENT)
			note(f, now_ms, "no OPEN from the peer within %u s", BGP_OPEN_WAIT_MS / 1000);
		else
			note(f, now_ms, "hold timer expired: nothing from the peer within %u s",
			     f->hold_s ? f->hold_s : BGP_OPEN_WAIT_MS / 1000);
		n = bgp_notify_of(BGP_ERR_HOLD, 0);
		notify(f, &n, ev->random, now_ms, out);
		return;
	}
	if (due(f->send_hold_at_ms, now_ms)) {
		note(f, now_ms, "send hold timer expired: the peer does not read what we send");
		n = bgp_notify_of(BGP_ERR_SEND_HOLD, 0);
		notify(f, &n, ev->random, now_ms, out);
		return;
	}
	if (due(f->keepalive_at_ms, now_ms)) {
		keepalive_restart(f, ev->random, now_ms);
		act(out, BGP_DO_KEEPALIVE);
	}
}

static void cease(struct bgp_fsm *f, const struct bgp_event *ev, uint64_t now_ms, struct bgp_actions *out)
{
	struct bgp_notify n = bgp_notify_cease(ev->subcode, ev->text);

	if (f->state == BGP_IDLE)
		f->retry_at_ms = 0;
	else
		notify(f, &n, ev->random, now_ms, out);
}

static void rival_up(struct bgp_fsm *f, const struct bgp_event *ev, uint64_t now_ms, struct bgp_actions *out)
{
	struct bgp_notify n = bgp_notify_cease(BGP_CEASE_COLLISION, NULL);

	if (f->state == BGP_IDLE)
		f->retry_at_ms = 0;
	else
		notify(f, &n, ev->random, now_ms, out);
}

void bgp_fsm_step(struct bgp_fsm *f, const struct bgp_event *ev, uint64_t now_ms, struct bgp_actions *out)
{
	char text[BGP_NOTIFY_TEXT_MAX];

	out->count = 0;
	switch (ev->type) {
	case BGP_EV_START:
		if (f->enabled)
			break;
		f->enabled = true;
		if (!f->conf.passive && !f->rival_up)
			connect_now(f, now_ms, out);
		break;
	case BGP_EV_STOP:
		f->enabled = false;
		cease(f, ev, now_ms, out);
		break;
	case BGP_EV_RESET:
		if (!f->enabled || f->state == BGP_IDLE)
			break;
		f->slow = ev->subcode == BGP_CEASE_MAX_PREFIXES;
		cease(f, ev, now_ms, out);
		break;
	case BGP_EV_CONNECTED:
		if (f->state != (f->conf.passive ? BGP_IDLE : BGP_CONNECT) || !f->enabled)
			break;
		f->wait_at_ms = now_ms + BGP_OPEN_WAIT_MS;
		enter(f, BGP_OPEN_SENT, now_ms);
		act(out, BGP_DO_OPEN);
		break;
	case BGP_EV_LOST:
		if (f->state == BGP_IDLE)
			break;
		note(f, now_ms, "%s", ev->text ? ev->text : "connection lost");
		act(out, BGP_DO_CLOSE);
		leave(f, ev->random, now_ms, out);
		break;
	case BGP_EV_FRAME:
		got_frame(f, ev, now_ms, out);
		break;
	case BGP_EV_GARBAGE:
		if (f->state < BGP_OPEN_SENT)
			break;
		note(f, now_ms, "the peer sent no BGP message in state %s: %s", bgp_state_text(f->state),
		     bgp_notify_text(ev->notify, text, sizeof(text)));
		f->garbage++;
		notify(f, ev->notify, ev->random, now_ms, out);
		break;
	case BGP_EV_WROTE:
		send_hold(f, ev, now_ms);
		break;
	case BGP_EV_TICK:
		tick(f, ev, now_ms, out);
		break;
	case BGP_EV_RIVAL_UP:
		f->rival_up = true;
		rival_up(f, ev, now_ms, out);
		break;
	case BGP_EV_RIVAL_DOWN:
		f->rival_up = false;
		if (f->state == BGP_IDLE && f->enabled && !f->conf.passive)
			f->retry_at_ms = now_ms + BGP_RETRY_MIN_MS + ev->random % (BGP_RETRY_SPAN_MS + 1);
		break;
	case BGP_EVENTS:
		break;
	}
}
