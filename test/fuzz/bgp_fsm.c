/* SPDX-License-Identifier: BSD-2-Clause */
/* A script of events through a session's two state machines, the one that connects and the one that is connected to, and its adj-rib-out. Each step
 * is an octet: the low four bits choose, the high four are the argument; its highest bit says which machine, where one is meant. Octets of messages follow
 * their step. What has to hold is held against sockets kept in mind. */
#include "bgp/announce.h"
#include "bgp/fsm.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct world {
	struct bgp_fsm fsm[2]; /* [1]: passive */
	struct bgp_rib rib;
	bool socket[2]; /* a connection exists or is being made */
	bool up;        /* the routes are */
	uint64_t now_ms;
};

static void step(struct world *w, unsigned which, struct bgp_event ev);

static void carry_out(struct world *w, unsigned which, const struct bgp_actions *a)
{
	static const struct bgp_peering p = {.local_as = 64500, .next_hop_v4 = {.family = 4}, .next_hop_v6 = {.family = 6}};
	bool *socket = &w->socket[which];

	must(a->count <= BGP_ACTIONS_MAX);
	for (unsigned i = 0; i < a->count; i++) {
		switch (a->list[i].type) {
		case BGP_DO_CONNECT:
			must(!*socket && which == 0);
			*socket = true;
			break;
		case BGP_DO_OPEN:
		case BGP_DO_KEEPALIVE:
			must(*socket);
			break;
		case BGP_DO_NOTIFY:
			must(*socket && a->list[i].notify.code && a->list[i].notify.data_len <= BGP_NOTIFY_DATA_MAX);
			*socket = false;
			break;
		case BGP_DO_CLOSE:
			must(*socket);
			*socket = false;
			break;
		case BGP_DO_ROUTES_UP:
			must(*socket && !w->up);
			w->up = true;
			bgp_rib_up(&w->rib, w->fsm[which].families, &p);
			break;
		case BGP_DO_ROUTES_DOWN:
			must(w->up);
			w->up = false;
			bgp_rib_down(&w->rib);
			break;
		case BGP_DO_REFRESH:
			must(w->up && a->list[i].family);
			bgp_rib_refresh(&w->rib, a->list[i].family);
			break;
		case BGP_DO_END_RIVAL:
			must(w->fsm[!which].state == BGP_OPEN_CONFIRM);
			break;
		}
	}
	/* As session_stepped() does it. */
	for (unsigned i = 0; i < a->count; i++) {
		if (a->list[i].type == BGP_DO_END_RIVAL)
			step(w, !which, (struct bgp_event){.type = BGP_EV_RESET, .subcode = BGP_CEASE_COLLISION});
		else if (a->list[i].type == BGP_DO_ROUTES_UP)
			step(w, !which, (struct bgp_event){.type = BGP_EV_RIVAL_UP});
		else if (a->list[i].type == BGP_DO_ROUTES_DOWN)
			step(w, !which, (struct bgp_event){.type = BGP_EV_RIVAL_DOWN});
	}
}

static void check(const struct world *w)
{
	bool any = false;

	for (unsigned i = 0; i < 2; i++) {
		const struct bgp_fsm *f = &w->fsm[i];
		bool established = f->state == BGP_ESTABLISHED;

		must(w->socket[i] == (f->state != BGP_IDLE));
		must(!established || (f->families && f->hold_s != 1 && f->hold_s != 2));
		must(memchr(f->last_error, 0, sizeof(f->last_error)) != NULL);
		/* Enabled, the one that connects always has something to wait for, but for an established session without hold time, its own or its rival. */
		must(i || !f->enabled || bgp_fsm_deadline(f) != UINT64_MAX || established || w->fsm[1].state == BGP_ESTABLISHED);
		/* An established connection is alone. */
		must(!established || (w->fsm[!i].state == BGP_IDLE && !w->fsm[!i].retry_at_ms));
		must(!f->conf.passive || (!f->retry_at_ms && f->state != BGP_CONNECT));
		any |= established;
	}
	/* Of two with the same peer one has won. */
	must(w->fsm[0].state != BGP_OPEN_CONFIRM || w->fsm[1].state != BGP_OPEN_CONFIRM);
	must(w->up == any && w->up == w->rib.up);
}

static void step(struct world *w, unsigned which, struct bgp_event ev)
{
	struct bgp_actions a;

	ev.random = (uint32_t)(w->now_ms * 2654435761u);
	ev.rival = w->fsm[!which].state;
	if (ev.type == BGP_EV_CONNECTED && which == 1 && w->fsm[1].state == BGP_IDLE && w->fsm[1].enabled) {
		if (w->up) /* the session refuses it */
			return;
		w->socket[1] = true;
	}
	bgp_fsm_step(&w->fsm[which], &ev, w->now_ms, &a);
	carry_out(w, which, &a);
}

static void want(struct world *w, uint8_t arg)
{
	struct bgp_route r[16] = {0};

	for (uint8_t i = 0; i < arg; i++) {
		r[i].prefix.addr.family = i & 1 ? 6 : 4;
		r[i].prefix.addr.bytes[0] = i;
		r[i].prefix.len = 8;
		r[i].prepend = arg & 3;
	}
	must(bgp_rib_want(&w->rib, r, arg) == 0);
}

static void tell(struct world *w, unsigned most)
{
	uint8_t bytes[BGP_UPDATE_LEN_MAX];

	while (most--) {
		struct writer out = writer_of(bytes, sizeof(bytes));

		if (!bgp_rib_next(&w->rib, &out))
			return;
		must(w->up && writer_ok(&out));
	}
}

/* A message of ours to take the peer's part, with the fuzzer's octet in the place that decides. */
static void peer_says(struct world *w, unsigned which, uint8_t arg)
{
	uint8_t bytes[BGP_MESSAGE_MAX];
	struct writer out = writer_of(bytes, sizeof(bytes));
	struct bgp_open o = {64601, 90, 7, 3, true, true, false, 0, false};
	struct bgp_notify n = bgp_notify_of(BGP_ERR_CEASE, arg), bad;
	struct bgp_frame f;

	if (arg < 3) {
		o.hold_s = arg == 1 ? 0 : 3;
		o.families = arg == 2 ? 1 : 3;
		o.id = arg == 2 ? 1 : 7; /* below ours, above */
		bgp_open_write(&out, &o);
	} else if (arg < 5) {
		bgp_keepalive_write(&out);
	} else if (arg < 7) {
		bgp_refresh_write(&out, arg == 5 ? BGP_IPV4 : BGP_IPV6);
	} else {
		bgp_notify_write(&out, &n);
	}
	must(bgp_frame_parse(bytes, out.pos, &f, &bad) == BGP_FINE);
	step(w, which, (struct bgp_event){.type = BGP_EV_FRAME, .frame = &f});
}

static void start(struct world *w)
{
	struct bgp_fsm_conf conf = {.local_as = 64500, .peer_as = 64601, .router_id = 2, .hold_s = 90, .families = 3};

	w->up = false;
	w->now_ms = 1;
	for (unsigned i = 0; i < 2; i++) {
		conf.passive = i == 1;
		w->socket[i] = false;
		bgp_fsm_init(&w->fsm[i], &conf, w->now_ms);
	}
	bgp_rib_init(&w->rib);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	struct bgp_notify bad;
	struct bgp_frame f;

	start(&w);
	while (size) {
		uint8_t op = *data & 15, arg = *data >> 4;
		unsigned which = arg >> 3;

		data++;
		size--;
		switch (op) {
		case 0:
			step(&w, which, (struct bgp_event){.type = BGP_EV_START});
			break;
		case 1:
			for (unsigned i = 0; i < 2; i++)
				step(&w, i, (struct bgp_event){.type = arg & 1 ? BGP_EV_STOP : BGP_EV_RESET, .subcode = arg, .text = "text"});
			break;
		case 2:
			step(&w, which, (struct bgp_event){.type = BGP_EV_CONNECTED});
			break;
		case 3:
			step(&w, which, (struct bgp_event){.type = BGP_EV_LOST, .text = "lost"});
			break;
		case 4:
			step(&w, which, (struct bgp_event){.type = BGP_EV_WROTE, .pending = arg & 1 ? 100 : 0, .progress = arg & 2});
			break;
		case 5:
			w.now_ms += (uint64_t)arg * arg * arg * 30;
			step(&w, 0, (struct bgp_event){.type = BGP_EV_TICK});
			step(&w, 1, (struct bgp_event){.type = BGP_EV_TICK});
			break;
		case 6:
			if (bgp_fsm_deadline(&w.fsm[which]) != UINT64_MAX)
				w.now_ms = MAX(w.now_ms, bgp_fsm_deadline(&w.fsm[which]));
			step(&w, which, (struct bgp_event){.type = BGP_EV_TICK});
			break;
		case 7:
			want(&w, arg);
			break;
		case 8:
			tell(&w, arg);
			break;
		case 9:
		case 10:
			peer_says(&w, which, arg & 7);
			break;
		default:
			switch (bgp_frame_parse(data, size, &f, &bad)) {
			case BGP_FINE:
				step(&w, which, (struct bgp_event){.type = BGP_EV_FRAME, .frame = &f});
				data += f.len;
				size -= f.len;
				break;
			case BGP_BAD:
				step(&w, which, (struct bgp_event){.type = BGP_EV_GARBAGE, .notify = &bad});
				break;
			case BGP_MORE:
				break;
			}
		}
		check(&w);
	}
	tell(&w, UINT32_MAX);
	must(!w.up || w.rib.told <= w.rib.wanted);
	return 0;
}
