/* SPDX-License-Identifier: BSD-2-Clause */
/* One request, from its headers to its answer. Everything that is wrong with it is found before a body is read: a form that cannot be (a length that is not told, a
 * body where there is none), a Host that is not this node, a path or method that there is not, who asks. What is refused is counted, and told as {"error": "..."}.
 *
 * A request that changes something must come from this server's own pages or from no browser at all: its type is application/json, which a page elsewhere cannot send
 * without being asked about first (there is no answer to such questions here), its Origin, where there is one, this very host, and Sec-Fetch-Site nothing else than that. */
#include "admin/http_priv.h"
#include "admin/http_text.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICY                                                                                                                       \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri " \
	"'none'; form-action 'none'; frame-ancestors 'none'"

struct http_call {
	struct http_request req;
	struct http_conn *conn;
	const struct http_route *route;
	const struct http_file *file;
	size_t body_expected;
	char *body;
	struct text out;
	unsigned status; /* of a call that was finished while suspended */
	bool head, acted, answered;
};

const char *http_query(const struct http_request *r, const char *key)
{
	return MHD_lookup_connection_value(r->call->conn->mhd, MHD_GET_ARGUMENT_KIND, key);
}

bool http_query_number(const struct http_request *r, const char *key, uint64_t max, uint64_t *out)
{
	const char *value = http_query(r, key);

	return !value || http_text_number(value, max, out);
}

unsigned http_problem(struct text *out, unsigned status, const char *fmt, ...)
{
	char why[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	text_clear(out);
	text_str(out, "{\"error\":");
	text_json_string(out, why);
	text_str(out, "}\n");
	return status;
}

/* ---- answers ---- */

struct body {
	struct http *http;
	char *chars;
	size_t len;
};

static void on_body_free(void *cls)
{
	struct body *b = cls;

	b->http->response_octets -= b->len;
	free(b->chars);
	free(b);
}

static void add_headers(const struct http_call *call, struct MHD_Response *r, unsigned status, const char *type)
{
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, "Content-Security-Policy", POLICY);
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(r, "X-Frame-Options", "DENY");
	MHD_add_response_header(r, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(r, "Cross-Origin-Resource-Policy", "same-origin");
	if (call->req.set_cookie[0])
		MHD_add_response_header(r, MHD_HTTP_HEADER_SET_COOKIE, call->req.set_cookie);
	if (status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"zonecast\"");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, call->route && call->route->method == HTTP_POST ? "POST" : "GET, HEAD");
}

static void count_refusal(struct board_http *count, unsigned status)
{
	switch (status) {
	case MHD_HTTP_UNAUTHORIZED:
		board_add(&count->unauthorized, 1);
		break;
	case MHD_HTTP_FORBIDDEN:
		board_add(&count->forbidden, 1);
		break;
	case MHD_HTTP_MISDIRECTED_REQUEST:
		board_add(&count->misdirected, 1);
		break;
	case MHD_HTTP_CONTENT_TOO_LARGE:
		board_add(&count->too_large, 1);
		break;
	case MHD_HTTP_NOT_FOUND:
	case MHD_HTTP_METHOD_NOT_ALLOWED:
		board_add(&count->not_found, 1);
		break;
	case MHD_HTTP_SERVICE_UNAVAILABLE:
		board_add(&count->busy, 1);
		break;
	default:
		if (status >= 400)
			board_add(&count->bad, 1);
		break;
	}
}

/* Hands over what stands in call->out. */
static enum MHD_Result answer(struct http_call *call, unsigned status)
{
	struct http *h = call->req.http;
	struct body *b = calloc(1, sizeof(*b));
	struct MHD_Response *r = NULL;
	enum MHD_Result queued = MHD_NO;

	if (call->out.len + h->response_octets > HTTP_RESPONSES_MAX)
		status = http_problem(&call->out, MHD_HTTP_SERVICE_UNAVAILABLE, "too many answers are waiting to be taken: try again");
	count_refusal(h->count, status);
	if (status >= 400)
		call->req.type = HTTP_JSON;
	call->answered = true;
	if (b && !call->out.failed) {
		b->http = h;
		b->len = call->out.len;
		b->chars = text_take(&call->out);
		if (b->chars)
			r = MHD_create_response_from_buffer_with_free_callback_cls(b->len, b->chars, on_body_free, b);
	}
	if (!r) {
		if (b)
			free(b->chars);
		free(b);
		return MHD_NO; /* no memory: the connection ends */
	}
	h->response_octets += b->len;
	board_add(&h->count->answered_bytes, b->len);
	add_headers(call, r, status, call->req.type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	http_phase_set(call->conn, HTTP_ANSWERING);
	queued = MHD_queue_response(call->conn->mhd, status, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result answer_file(struct http_call *call)
{
	const struct http_file *f = call->file;
	const char *tags = MHD_lookup_connection_value(call->conn->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
	const char *encodings = MHD_lookup_connection_value(call->conn->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING);
	bool same = tags && http_text_has_tag(tags, f->etag), zipped = f->gzip && encodings && http_text_takes_gzip(encodings);
	unsigned status = same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
	size_t len = same ? 0 : zipped ? f->gzip_len : f->len;
	struct MHD_Response *r = MHD_create_response_from_buffer(len, (void *)(uintptr_t)(zipped ? f->gzip : f->bytes), MHD_RESPMEM_PERSISTENT);
	enum MHD_Result queued;

	if (!r)
		return MHD_NO;
	call->answered = true;
	add_headers(call, r, status, f->type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_ETAG, f->etag);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache");
	MHD_add_response_header(r, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
	if (zipped && !same)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	board_add(&call->req.http->count->answered_bytes, len);
	http_phase_set(call->conn, HTTP_ANSWERING);
	queued = MHD_queue_response(call->conn->mhd, status, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result answer_stream(struct http_call *call)
{
	struct MHD_Response *r = http_stream_open(call->conn);
	enum MHD_Result queued;

	if (!r)
		return answer(call, http_problem(&call->out, MHD_HTTP_SERVICE_UNAVAILABLE, "%d streams are open already", HTTP_STREAMS_MAX));
	call->answered = true;
	add_headers(call, r, MHD_HTTP_OK, call->req.type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	http_phase_set(call->conn, HTTP_STREAMING);
	queued = MHD_queue_response(call->conn->mhd, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return queued;
}

/* ---- what is asked ---- */

struct http_conn *http_request_conn(const struct http_request *r)
{
	return r->call->conn;
}

static const struct http_file *find_file(const char *path)
{
	for (size_t i = 0; i < http_file_count; i++)
		if (strcmp(http_files[i].path, path) == 0)
			return &http_files[i];
	return NULL;
}

static const char *field(const struct http_call *call, const char *name)
{
	return MHD_lookup_connection_value(call->conn->mhd, MHD_HEADER_KIND, name);
}

/* The route of the path; *other: there is one for another method only. */
static const struct http_route *find_route(struct http_call *call, enum http_method method, bool *other)
{
	const char *path = call->req.path;

	for (size_t i = 0; i < http_route_count; i++) {
		const struct http_route *r = &http_routes[i];
		size_t n = strlen(r->path);

		if (r->path[n - 1] == '/' && n > 1 ? strncmp(path, r->path, n) != 0 : strcmp(path, r->path) != 0)
			continue;
		if (r->method == method) {
			call->req.rest = path + n;
			return r;
		}
		*other = true;
		call->route = r;
	}
	return NULL;
}

/* 0, or the status with the problem in call->out. */
static unsigned judge_body(struct http_call *call)
{
	const char *length = field(call, MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t n = 0;

	if (field(call, MHD_HTTP_HEADER_TRANSFER_ENCODING))
		return http_problem(&call->out, MHD_HTTP_LENGTH_REQUIRED, "bodies need a Content-Length here");
	if (length && !http_text_number(length, UINT64_MAX, &n))
		return http_problem(&call->out, MHD_HTTP_BAD_REQUEST, "Content-Length is no number");
	if (n > HTTP_BODY_MAX)
		return http_problem(&call->out, MHD_HTTP_CONTENT_TOO_LARGE, "the body is longer than %d octets", HTTP_BODY_MAX);
	if (n && call->req.method != HTTP_POST)
		return http_problem(&call->out, MHD_HTTP_BAD_REQUEST, "GET has no body");
	call->body_expected = (size_t)n;
	call->body = malloc((size_t)n + 1);
	if (!call->body)
		return http_problem(&call->out, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory");
	call->body[0] = '\0';
	return 0;
}

static unsigned judge_origin(struct http_call *call)
{
	const char *type = field(call, MHD_HTTP_HEADER_CONTENT_TYPE), *origin = field(call, MHD_HTTP_HEADER_ORIGIN);
	const char *site = field(call, "Sec-Fetch-Site");

	if (!type || !http_text_is_json(type))
		return http_problem(&call->out, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the body must be application/json");
	if (origin && !http_text_same_origin(origin, field(call, MHD_HTTP_HEADER_HOST), call->req.http->identity.tls))
		return http_problem(&call->out, MHD_HTTP_FORBIDDEN, "this comes from a page elsewhere");
	if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return http_problem(&call->out, MHD_HTTP_FORBIDDEN, "this comes from a page elsewhere");
	return 0;
}

static unsigned judge_access(struct http_call *call)
{
	const struct http *h = call->req.http;
	const struct http_who *who = &call->req.who;

	switch (call->route->access) {
	case HTTP_FOR_ALL:
		return 0;
	case HTTP_FOR_METRICS:
		if (h->config->metrics_open)
			return 0;
		break;
	case HTTP_FOR_CHANGES:
		if (!h->config->allow_changes)
			return http_problem(&call->out, MHD_HTTP_FORBIDDEN, "this server only shows: see allow-changes in zonecast.yaml(5)");
		if (who->by != HTTP_NOBODY && !who->changes)
			return http_problem(&call->out, MHD_HTTP_FORBIDDEN, "orders need a token that is marked rw");
		break;
	case HTTP_FOR_READERS:
		break;
	}
	if (who->by == HTTP_NOBODY)
		return http_problem(&call->out, MHD_HTTP_UNAUTHORIZED, "who are you? Show a token: Authorization: Bearer TOKEN");
	return 0;
}

static unsigned judge(struct http_call *call, const char *method)
{
	struct http *h = call->req.http;
	bool other = false;
	unsigned status;

	if (!h->config)
		return http_problem(&call->out, MHD_HTTP_SERVICE_UNAVAILABLE, "this server is being closed");
	if (!http_access_host(h, field(call, MHD_HTTP_HEADER_HOST)))
		return http_problem(&call->out, MHD_HTTP_MISDIRECTED_REQUEST, "this node is not called so: use its address, or add the name to \"names\" of \"http\"");
	call->head = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
	call->req.method = strcmp(method, MHD_HTTP_METHOD_POST) == 0 ? HTTP_POST : HTTP_GET;
	if (!call->head && call->req.method == HTTP_GET && strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return http_problem(&call->out, MHD_HTTP_METHOD_NOT_ALLOWED, "GET, HEAD or POST");
	status = judge_body(call);
	if (status)
		return status;
	call->file = call->req.method == HTTP_GET ? find_file(call->req.path) : NULL;
	if (call->file)
		return 0;
	call->route = find_route(call, call->req.method, &other);
	if (!call->route && other)
		return http_problem(&call->out, MHD_HTTP_METHOD_NOT_ALLOWED, "not with this method");
	http_access_who(h, call->conn, &call->req.who);
	if (!call->route)
		return http_problem(&call->out, MHD_HTTP_NOT_FOUND, "there is nothing here: see /openapi.json");
	status = judge_access(call);
	if (!status && call->req.method == HTTP_POST)
		status = judge_origin(call);
	return status;
}

/* The whole request is there. */
static enum MHD_Result act(struct http_call *call)
{
	struct http_request *r = &call->req;
	struct admin_view view = {0};
	unsigned status;

	if (call->file)
		return answer_file(call);
	r->body = call->body;
	if (r->body_len != call->body_expected)
		return answer(call, http_problem(&call->out, MHD_HTTP_BAD_REQUEST, "the body has not the length that was told"));
	r->http->host.view(r->http->host.ctx, &view);
	r->view = &view;
	r->type = call->route->type;
	status = call->route->handle(r, &call->out);
	r->view = NULL;
	if (status == HTTP_STREAM)
		return answer_stream(call);
	if (status != HTTP_LATER)
		return answer(call, status);
	http_phase_set(call->conn, HTTP_WAITING);
	call->conn->suspended = true;
	MHD_suspend_connection(call->conn->mhd);
	return MHD_YES;
}

void http_finish(struct http *h, struct http_call *call, unsigned status, struct text *body)
{
	text_add(&call->out, body->chars, body->len);
	call->status = status;
	if (!call->conn->suspended)
		return;
	call->conn->suspended = false;
	MHD_resume_connection(call->conn->mhd);
	http_pump(h);
}

static struct http_call *begin(struct http *h, struct http_conn *c, const char *url)
{
	struct http_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->conn = c;
	call->req.http = h;
	call->req.path = url;
	call->req.rest = "";
	call->req.type = HTTP_JSON;
	call->req.call = call;
	endpoint_text(&c->client, call->req.client);
	text_init(&call->out);
	return call;
}

enum MHD_Result http_on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version, const char *upload,
                                size_t *upload_len, void **state)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_conn *c = info ? info->socket_context : NULL;
	struct http_call *call = *state;
	struct http *h = cls;
	unsigned status;

	(void)version;
	if (!c)
		return MHD_NO;
	if (!call) {
		call = *state = begin(h, c, url);
		if (!call)
			return MHD_NO;
		c->requests++;
		board_add(&h->count->requests, 1);
		status = judge(call, method);
		return status ? answer(call, status) : MHD_YES;
	}
	if (*upload_len) {
		size_t room = call->body_expected - call->req.body_len, n = MIN(*upload_len, room);

		memcpy(call->body + call->req.body_len, upload, n);
		call->req.body_len += n;
		call->body[call->req.body_len] = '\0';
		*upload_len = 0;
		return MHD_YES;
	}
	if (call->answered)
		return MHD_YES;
	if (call->status)
		return answer(call, call->status);
	/* Resumed without an answer: the connection is to end. */
	if (call->acted)
		return MHD_NO;
	call->acted = true;
	return act(call);
}

void http_on_completed(void *cls, struct MHD_Connection *mhd, void **state, enum MHD_RequestTerminationCode why)
{
	struct http_call *call = *state;

	(void)mhd;
	(void)why;
	if (!call)
		return;
	*state = NULL;
	http_orders_forget(cls, call);
	http_phase_set(call->conn, HTTP_READING);
	free(call->body);
	text_done(&call->out);
	free(call);
}
