/* SPDX-License-Identifier: BSD-2-Clause */
/* A script of events through state machine and adj-rib-out. Each step is an octet: the low four bits choose, the high four are the
 * argument. Octets of messages follow their step. What has to hold is held against a socket kept in mind. */
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
	struct bgp_fsm fsm;
	struct bgp_rib rib;
	bool socket; /* a connection exists or is being made */
	bool up;     /* the routes are */
	uint64_t now_ms;
};

static void carry_out(struct world *w, const struct bgp_actions *a)
{
	static const struct bgp_peering p = {.local_as = 64500, .next_hop_v4 = {.family = 4}, .next_hop_v6 = {.family = 6}};

	must(a->count <= BGP_ACTIONS_MAX);
	for (unsigned i = 0; i < a->count; i++) {
		switch (a->list[i].type) {
		case BGP_DO_CONNECT:
			must(!w->socket);
			w->socket = true;
			break;
		case BGP_DO_OPEN:
		case BGP_DO_KEEPALIVE:
			must(w->socket);
			break;
		case BGP_DO_NOTIFY:
			must(w->socket && a->list[i].notify.code && a->list[i].notify.data_len <= BGP_NOTIFY_DATA_MAX);
			w->socket = false;
			break;
		case BGP_DO_CLOSE:
			must(w->socket);
			w->socket = false;
			break;
		case BGP_DO_ROUTES_UP:
			must(w->socket && !w->up);
			w->up = true;
			bgp_rib_up(&w->rib, w->fsm.families, &p);
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
		}
	}
	must(w->socket == (w->fsm.state != BGP_IDLE));
	must(w->up == (w->fsm.state == BGP_ESTABLISHED) && w->up == w->rib.up);
	must(w->fsm.state != BGP_ESTABLISHED || (w->fsm.families && w->fsm.hold_s != 1 && w->fsm.hold_s != 2));
	/* Enabled, it always has something to wait for, but for an established session without hold time. */
	must(!w->fsm.enabled || bgp_fsm_deadline(&w->fsm) != UINT64_MAX || w->fsm.state == BGP_ESTABLISHED);
	must(memchr(w->fsm.last_error, 0, sizeof(w->fsm.last_error)) != NULL);
}

static void step(struct world *w, struct bgp_event ev)
{
	struct bgp_actions a;

	ev.random = (uint32_t)(w->now_ms * 2654435761u);
	bgp_fsm_step(&w->fsm, &ev, w->now_ms, &a);
	carry_out(w, &a);
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
static void peer_says(struct world *w, uint8_t arg)
{
	uint8_t bytes[BGP_MESSAGE_MAX];
	struct writer out = writer_of(bytes, sizeof(bytes));
	struct bgp_open o = {64601, 90, 7, 3, true, true, false, 0, false};
	struct bgp_notify n = bgp_notify_of(BGP_ERR_CEASE, arg), bad;
	struct bgp_frame f;

	if (arg < 4) {
		o.hold_s = arg == 1 ? 0 : 3;
		o.families = arg == 2 ? 1 : 3;
		bgp_open_write(&out, &o);
	} else if (arg < 10) {
		bgp_keepalive_write(&out);
	} else if (arg < 12) {
		bgp_refresh_write(&out, arg == 10 ? BGP_IPV4 : BGP_IPV6);
	} else {
		bgp_notify_write(&out, &n);
	}
	must(bgp_frame_parse(bytes, out.pos, &f, &bad) == BGP_FINE);
	step(w, (struct bgp_event){.type = BGP_EV_FRAME, .frame = &f});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct bgp_fsm_conf conf = {.local_as = 64500, .peer_as = 64601, .router_id = 1, .hold_s = 90, .families = 3};
	static struct world w;
	struct bgp_notify bad;
	struct bgp_frame f;

	w.socket = w.up = false;
	w.now_ms = 1;
	bgp_fsm_init(&w.fsm, &conf, w.now_ms);
	bgp_rib_init(&w.rib);
	while (size) {
		uint8_t op = *data & 15, arg = *data >> 4;

		data++;
		size--;
		switch (op) {
		case 0:
			step(&w, (struct bgp_event){.type = BGP_EV_START});
			break;
		case 1:
			step(&w, (struct bgp_event){.type = arg & 1 ? BGP_EV_STOP : BGP_EV_RESET, .subcode = arg, .text = "text"});
			break;
		case 2:
			step(&w, (struct bgp_event){.type = BGP_EV_CONNECTED});
			break;
		case 3:
			step(&w, (struct bgp_event){.type = BGP_EV_LOST, .text = "lost"});
			break;
		case 4:
			step(&w, (struct bgp_event){.type = BGP_EV_WROTE, .pending = arg & 1 ? 100 : 0, .progress = arg & 2});
			break;
		case 5:
			w.now_ms += (uint64_t)arg * arg * arg * 30;
			step(&w, (struct bgp_event){.type = BGP_EV_TICK});
			break;
		case 6:
			if (bgp_fsm_deadline(&w.fsm) != UINT64_MAX)
				w.now_ms = MAX(w.now_ms, bgp_fsm_deadline(&w.fsm));
			step(&w, (struct bgp_event){.type = BGP_EV_TICK});
			break;
		case 7:
			want(&w, arg);
			break;
		case 8:
			tell(&w, arg);
			break;
		case 9:
		case 10:
			peer_says(&w, arg);
			break;
		default:
			switch (bgp_frame_parse(data, size, &f, &bad)) {
			case BGP_FINE:
				step(&w, (struct bgp_event){.type = BGP_EV_FRAME, .frame = &f});
				data += f.len;
				size -= f.len;
				break;
			case BGP_BAD:
				step(&w, (struct bgp_event){.type = BGP_EV_GARBAGE, .notify = &bad});
				break;
			case BGP_MORE:
				break;
			}
		}
	}
	tell(&w, UINT32_MAX);
	must(!w.up || w.rib.told <= w.rib.wanted);
	return 0;
}
