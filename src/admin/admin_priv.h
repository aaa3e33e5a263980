/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/backend_cache.h"
#include "admin/control.h"
#include "admin/control_peer.h"
#include "admin/events.h"
#include "admin/rates.h"
#include "admin/request.h"
#include "admin/zones.h"
#include "base/text.h"
#include "proc/role.h"
#include "sample/queries.h"
#include "zone/follow.h"

#include <jansson.h>
#include <uv.h>

/* What the files of the admin process share: admin_main.c (its life), control.c (clients of the control socket), control_commands.c and control_streams.c (what they want). One loop. */
struct http;

enum client_stream { STREAM_NONE, STREAM_ZONE, STREAM_LIST, STREAM_QUERIES, STREAM_EVENTS };
enum client_state { CLIENT_FREE, CLIENT_READING, CLIENT_WAITING, CLIENT_WRITING,
                    CLIENT_FOLLOWING /* nothing to send until a query is sampled, something happens */ };

struct control_client {
	struct admin *admin;
	uv_pipe_t pipe;
	uv_write_t write;
	enum client_state state;
	uint64_t active_ms;
	uint32_t waits_for; /* id of the request sent to the supervisor */
	enum client_stream streaming;
	bool closing;
	struct control_peer peer;
	struct zone_stream zone;
	struct zones_stream list;
	struct queries_stream queries;
	struct board_events_cursor events;
	bool follows;
	struct text in, out;
};

struct admin {
	struct role *role;
	uv_loop_t loop;
	uv_pipe_t server;
	uv_timer_t sweep, look, second;
	struct store_follow store;
	struct sample_rings *samples; /* NULL: none */
	struct backend_cache cache;
	struct http *http;
	struct rates rates;
	struct control_client clients[CONTROL_CLIENTS_MAX];
	uint32_t next_id;
	uint32_t turned_away; /* connections of who may not use the socket */
	uint64_t turned_away_told_ms;
};

/* ---- control.c: clients ---- */

/* Listen on the socket that the role was given. A libuv error. */
int control_listen(struct admin *a) MUST_CHECK;
/* Close clients that wait, or are waited for, too long. */
void control_sweep(struct admin *a);
/* Those who follow are told what there is to tell. */
void control_follow(struct admin *a);
void control_close(struct control_client *c);
/* Send what is in `out`; what follows is sent when that is written (control_streams.c), or the client is closed. */
void control_flush(struct control_client *c);
/* One object, which is taken over (NULL: out of memory), and that was all. */
void control_reply(struct control_client *c, json_t *o);
void control_refuse(struct control_client *c, const char *why);
/* Of one who follows nothing more is wanted, but its going is noticed. */
void control_flush_follower(struct control_client *c);

/* ---- control_commands.c: one request, one reply ---- */

/* The request is in `in`. */
void control_act(struct control_client *c);
/* The supervisor's answer to an order or question: to who waits for it. */
void control_answered(struct admin *a, const struct role_message *m);

/* ---- control_streams.c: replies of any length ---- */

void control_zone_list(struct control_client *c);
void control_zone_show(struct control_client *c, const struct request *r);
void control_queries(struct control_client *c, const struct request *r);
void control_events(struct control_client *c, const struct request *r);
/* The next piece into `out`. False when there is nothing to send: the client sees a stream that ends early. */
bool control_piece(struct control_client *c);
/* What was sampled, or has happened, since, is sent. A client that follows waits for more when there is nothing. */
void control_lines(struct control_client *c);
