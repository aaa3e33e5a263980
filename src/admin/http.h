/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/view.h"
#include "base/attr.h"
#include "base/text.h"
#include "proc/role.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* The node's web server: see http.c. Its own work is connections, access and refusals; what there is to be seen are routes (http_routes.c), functions that write
 * a body. To add one: a row there, a path in openapi.json, a test. */
enum {
	HTTP_CONNECTIONS_MAX = 128,
	HTTP_CLIENT_MAX = 32,            /* of these: of one IPv4 address or IPv6 /64 */
	HTTP_CONNECTION_MEMORY = 24 << 10, /* octets of a request's line and headers, and of what is being sent */
	HTTP_BODY_MAX = 16 << 10,        /* octets of a request's */
	HTTP_RESPONSES_MAX = 64 << 20,   /* octets of answers that are made and not yet taken, in all */
	HTTP_REQUEST_MS = 15000,         /* from a connection's begin, or from the last answer, to the end of the next request */
	HTTP_ANSWER_MS = 60000,          /* to take an answer */
	HTTP_MAKE_ROOM_MS = 1000,        /* when all connections are taken, the one that has been without a request for longest, and for so long, is closed */
	HTTP_WAITING_MAX = 8,            /* orders under way */
	HTTP_STREAMS_MAX = 32,
	HTTP_ORDER_MS = 60000,           /* for the supervisor */
	HTTP_SESSIONS_MAX = 64,          /* of browsers that have logged in; the oldest makes room */
	HTTP_SESSION_MS = 12 * 3600 * 1000, /* since it was last used */
};

enum http_method { HTTP_GET, HTTP_POST };

enum http_by { HTTP_NOBODY, HTTP_ANYBODY /* the server is open */, HTTP_TOKEN, HTTP_SESSION, HTTP_CERTIFICATE };

/* Who asks. */
struct http_who {
	enum http_by by;
	char name[64];  /* of the token or certificate */
	bool changes;   /* may give orders */
};

struct http;
struct http_call;
struct http_request {
	struct http *http;
	enum http_method method;
	const char *path;
	const char *rest;           /* of the path, behind that of a route that ends with a slash */
	const char *body;           /* NUL-terminated */
	size_t body_len;
	struct http_who who;
	const struct admin_view *view;
	char client[ENDPOINT_TEXT_MAX];
	char set_cookie[160];       /* for the answer; "": none */
	const char *type;           /* of the answer; set to the route's before its function is called */
	struct http_call *call;     /* private to http_request.c */
};
/* The value of a parameter behind the question mark, decoded; NULL: it is not there. The first of several. */
const char *http_query(const struct http_request *r, const char *key);
/* Likewise as a number. False, and *out untouched, where it is there and is none of at most `max`; `out` keeps its value where it is not there. */
bool http_query_number(const struct http_request *r, const char *key, uint64_t max, uint64_t *out) MUST_CHECK;

/* Writes the body into out (empty at the start) and returns the status, 200 or another. HTTP_LATER: http_finish() will be called for r->call. */
typedef unsigned http_handler(struct http_request *r, struct text *out);
enum { HTTP_LATER = 0, HTTP_STREAM = 1 /* the stream follows; out stays empty */ };
/* Body {"error": "..."}; returns status. For handlers. */
unsigned http_problem(struct text *out, unsigned status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The answer to a request whose handler returned HTTP_LATER. */
void http_finish(struct http *h, struct http_call *call, unsigned status, struct text *body);

enum http_access {
	HTTP_FOR_ALL,     /* no data of the node */
	HTTP_FOR_READERS,
	HTTP_FOR_METRICS, /* likewise, or metrics-open */
	HTTP_FOR_CHANGES, /* allow-changes, and a token marked rw */
};

struct http_route {
	enum http_method method;
	const char *path;   /* with a slash at its end: all below it */
	enum http_access access;
	const char *type;   /* Content-Type */
	http_handler *handle;
};
extern const struct http_route http_routes[];
extern const size_t http_route_count;

#define HTTP_JSON "application/json"

/* What the server needs of admin. */
struct request;
struct http_host {
	struct role *role;
	uv_loop_t *loop;
	/* Fills what is to be seen now. */
	void (*view)(void *ctx, struct admin_view *out);
	/* Sends an order to the supervisor; http_order_done() is called with its answer. ERR_NOT_FOUND and the like with a sentence in *why. */
	int (*order)(void *ctx, const struct request *order, uint32_t *id, const char **why);
	void *ctx;
};
/* Before the sandbox: the sockets of the brief, and TLS. A server that cannot be started (a certificate) says so in the log and is not there: all else in admin goes on. */
int http_new(const struct http_host *host, struct http **out) MUST_CHECK;
/* The configuration has changed: it is in the role. */
void http_reload(struct http *h);
/* ROLE_SOCKET_OPEN, ROLE_SOCKET_CLOSE. */
void http_socket_open(struct http *h, const struct role_socket *s);
void http_socket_close(struct http *h, const struct role_socket *s);
/* The supervisor's answer; text: what it says beside, "": nothing. An id that is not ours is nothing. */
void http_order_done(struct http *h, uint32_t id, int result, const char *text);
void http_free(struct http *h);
