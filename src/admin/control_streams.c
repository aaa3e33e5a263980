/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies of any length to clients of the control socket: a zone, the list of zones, sampled queries, events. */
#include "admin/admin_priv.h"

#include "base/clock.h"
#include "base/err.h"

#include <string.h>

bool control_piece(struct control_client *c)
{
	struct store_reader *reader = c->admin->store.reader;
	struct store_snapshot s;
	int more;

	if (!reader)
		return false;
	store_pin(reader, &s);
	if (c->streaming == STREAM_ZONE)
		more = zone_stream_piece(&c->zone, &s, &c->out);
	else
		more = zones_stream_piece(&c->list, &s, c->admin->role->config, c->admin->role->node, &c->out);
	store_unpin(reader);
	if (more == 0 && c->streaming == STREAM_LIST)
		text_str(&c->out, "]}\n");
	if (more != 1)
		c->streaming = STREAM_NONE;
	return more >= 0 || more == ERR_STALE;
}

void control_lines(struct control_client *c)
{
	bool more = c->streaming == STREAM_EVENTS ? events_stream_piece(c->admin->role->board, &c->events, &c->out)
	                                          : queries_stream_piece(&c->queries, c->admin->samples, &c->out);

	if (!more && !c->follows)
		c->streaming = STREAM_NONE;
	if (c->out.len)
		control_flush(c);
	else if (c->follows)
		c->state = CLIENT_FOLLOWING;
	else
		control_close(c);
}

void control_zone_list(struct control_client *c)
{
	memset(&c->list, 0, sizeof(c->list));
	c->list.now_wall_s = clock_wall_s();
	c->streaming = STREAM_LIST;
	text_str(&c->out, "{\"ok\":true,\"zones\":[");
	if (!control_piece(c)) {
		text_clear(&c->out);
		c->streaming = STREAM_NONE;
		control_refuse(c, "no zone is loaded yet");
		return;
	}
	control_flush(c);
}

void control_zone_show(struct control_client *c, const struct request *r)
{
	static const uint8_t root[1] = {0};

	memset(&c->zone, 0, sizeof(c->zone));
	c->zone.digest = r->digest;
	if (name_from_text(r->zone, strlen(r->zone), root, &c->zone.apex) < 0) {
		control_refuse(c, "that is no domain name");
		return;
	}
	text_str(&c->out, "{\"ok\":true,\"stream\":true}\n");
	c->streaming = STREAM_ZONE;
	if (!control_piece(c)) {
		text_clear(&c->out);
		c->streaming = STREAM_NONE;
		control_refuse(c, "no such zone, or it has no data");
		return;
	}
	control_flush(c);
}

/* Whoever follows stays: room must be left for those who look at the node. */
static bool may_follow(struct control_client *c, const struct request *r)
{
	const struct admin *a = c->admin;
	unsigned followers = 0;

	for (size_t i = 0; i < CONTROL_CLIENTS_MAX; i++)
		followers += a->clients[i].state != CLIENT_FREE && a->clients[i].follows;
	if (r->follow && followers >= CONTROL_FOLLOWERS_MAX) {
		control_refuse(c, "too many follow the queries or events already");
		return false;
	}
	c->follows = r->follow;
	return true;
}

void control_queries(struct control_client *c, const struct request *r)
{
	struct admin *a = c->admin;

	if (!a->samples) {
		control_refuse(c, "this node keeps no sample of its queries");
		return;
	}
	if (!may_follow(c, r))
		return;
	c->streaming = STREAM_QUERIES;
	queries_stream_start(&c->queries, a->samples, r->follow);
	text_fmt(&c->out, "{\"ok\":true,\"stream\":true,\"sample\":%u}\n", a->role->config ? a->role->config->answer.query_log_sample : 0U);
	control_flush_follower(c);
}

void control_events(struct control_client *c, const struct request *r)
{
	char now[24];

	if (!may_follow(c, r))
		return;
	c->streaming = STREAM_EVENTS;
	text_fmt(&c->out, "{\"ok\":true,\"stream\":true,\"now\":\"%s\"}\n", clock_wall_text(clock_wall_s(), now));
	control_flush_follower(c);
}
