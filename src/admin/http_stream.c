/* SPDX-License-Identifier: BSD-2-Clause */
/* /api/v1/stream: Server-Sent Events (HTML Standard 9.2), what a dashboard needs to stay up to date without asking. Each second a frame is made, once for all streams, and only
 * while there are any: `rates` (the newest point), `fleet` (all nodes), `drift` (when it has changed, and every DRIFT_EVERY frames for its ages), `event` for
 * each event since. Its id is the place in the list of events, as /api/v1/events takes it, so that who was away for a moment asks there for what was missed.
 *
 * The last STREAM_FRAMES frames are kept. A stream that has taken all is suspended in libmicrohttpd until the next one is made, and its end, if the client has gone,
 * is noticed then; one that is further behind than what is kept is closed. In a fleet beyond FLEET_EACH nodes the list of all is told in every second frame, beyond twice
 * as many in every third, and so on: it would be megabytes a second. */
#include "admin/http_stream.h"

#include "admin/api.h"
#include "admin/api_write.h"
#include "admin/http_priv.h"
#include "admin/rates.h"
#include "admin/status_drift.h"

#include <stdlib.h>
#include <string.h>

enum { DRIFT_EVERY = 5, FLEET_EACH = 200 };
#define HELLO "retry: 2000\n: zonecast\n\n"

struct http_stream {
	struct http *http;
	struct http_conn *conn;
	uint64_t frame;  /* its number */
	size_t at;       /* octets of it that were taken; of HELLO while `hello` */
	bool hello;
};

static struct text *frame_of(struct http_feed *f, uint64_t number)
{
	return &f->frame[number % STREAM_FRAMES];
}

/* ---- one stream ---- */

static ssize_t give(struct http_stream *s, const char *chars, size_t len, char *buf, size_t max)
{
	size_t n = MIN(len - s->at, max);

	memcpy(buf, chars + s->at, n);
	s->at += n;
	return (ssize_t)n;
}

static ssize_t on_room(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct http_stream *s = cls;
	struct http_feed *f = &s->conn->http->feed;

	(void)pos;
	if (s->hello && s->at < strlen(HELLO))
		return give(s, HELLO, strlen(HELLO), buf, max);
	if (s->hello) {
		s->hello = false;
		s->at = 0;
	}
	for (; s->frame < f->made; s->frame++, s->at = 0) {
		const struct text *t = frame_of(f, s->frame);

		if (f->made - s->frame > STREAM_FRAMES)
			return MHD_CONTENT_READER_END_WITH_ERROR;
		if (s->at < t->len)
			return give(s, t->chars, t->len, buf, max);
	}
	if (!s->conn->suspended) {
		s->conn->suspended = true;
		MHD_suspend_connection(s->conn->mhd);
	}
	return 0;
}

static void on_stream_free(void *cls)
{
	struct http_stream *s = cls;
	struct http_feed *f = &s->http->feed;

	for (size_t i = 0; i < HTTP_STREAMS_MAX; i++)
		if (f->streams[i] == s)
			f->streams[i] = NULL;
	f->count--;
	atomic_store(&s->http->count->streams, f->count);
	free(s);
}

struct MHD_Response *http_stream_open(struct http_conn *c)
{
	struct http_feed *f = &c->http->feed;
	struct http_stream *s = f->count < HTTP_STREAMS_MAX ? calloc(1, sizeof(*s)) : NULL;
	struct MHD_Response *r;
	size_t i = 0;

	if (!s)
		return NULL;
	*s = (struct http_stream){.http = c->http, .conn = c, .frame = f->made, .hello = true};
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, on_room, s, on_stream_free);
	if (!r) {
		free(s);
		return NULL;
	}
	while (f->streams[i])
		i++;
	f->streams[i] = s;
	atomic_store(&c->http->count->streams, ++f->count);
	board_add(&c->http->count->streams_ever, 1);
	return r;
}

unsigned api_stream(struct http_request *r, struct text *out)
{
	(void)r;
	(void)out;
	return HTTP_STREAM;
}

/* ---- frames ---- */

static void put_line(struct text *out, const char *kind, json_t *o)
{
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (text)
		text_fmt(out, "event: %s\ndata: ", kind);
	if (text)
		text_str(out, text);
	if (text)
		text_str(out, "\n\n");
	free(text);
}

static void put_events(struct http_feed *f, const struct admin_view *v, struct text *out)
{
	struct board_event e;
	uint64_t lost = 0;
	int role = 0;

	while (board_events_next(v->board, &f->place, &lost, &e, &role)) {
		text_str(out, "id: ");
		events_place_text(&f->place, out);
		text_str(out, "\nevent: event\ndata: ");
		event_text(&e, role, out);
		text_str(out, "\n\n");
	}
}

static void make_frame(struct http_feed *f, const struct admin_view *v)
{
	struct status_facts facts = api_facts(v);
	struct text *out = frame_of(f, f->made);
	uint32_t changes = atomic_load(&v->board->watch.drift.changes);
	unsigned fleet_every = 1 + atomic_load(&v->board->watch.nodes.count) / FLEET_EACH;

	text_clear(out);
	if (v->rates && v->rates->count) {
		text_str(out, "event: rates\ndata: ");
		rates_point_text(v->rates, v->rates->count - 1, out);
		text_str(out, "\n\n");
	}
	if (f->made % fleet_every == 0)
		put_line(out, "fleet", fleet_json(v));
	if (changes != f->drift_changes || f->made % DRIFT_EVERY == 0)
		put_line(out, "drift", status_drift(&facts));
	f->drift_changes = changes;
	put_events(f, v, out);
	if (out->failed) { /* half a frame is none: the clients ask again */
		out->failed = false;
		text_clear(out);
	}
	f->made++;
}

void http_stream_tick(struct http *h, const struct admin_view *v)
{
	struct http_feed *f = &h->feed;

	if (!f->count) {
		board_events_skip(v->board, &f->place);
		return;
	}
	make_frame(f, v);
	for (size_t i = 0; i < HTTP_STREAMS_MAX; i++) {
		struct http_stream *s = f->streams[i];

		if (!s)
			continue;
		if (f->made - s->frame > STREAM_FRAMES && !s->conn->closing) {
			board_add(&h->count->streams_slow, 1);
			http_conn_shut(s->conn);
		} else if (s->conn->suspended) {
			s->conn->suspended = false;
			MHD_resume_connection(s->conn->mhd);
		}
	}
	http_pump(h);
}

void http_stream_end_all(struct http *h)
{
	for (size_t i = 0; i < HTTP_STREAMS_MAX; i++)
		if (h->feed.streams[i])
			http_conn_shut(h->feed.streams[i]->conn);
}

void http_stream_done(struct http *h)
{
	for (size_t i = 0; i < STREAM_FRAMES; i++)
		text_done(&h->feed.frame[i]);
}
