/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "admin/http.h"
#include "admin/http_file.h"
#include "config/tokens.h"

#include <microhttpd.h>

/* Private to http*.c. */
enum http_phase {
	HTTP_READING,   /* a request is awaited or under way */
	HTTP_ANSWERING, /* an answer is to be taken */
	HTTP_WAITING,   /* an answer is being made elsewhere; suspended */
	HTTP_STREAMING,
};

struct http_conn {
	struct http *http;
	struct http_conn *next, **link;
	struct MHD_Connection *mhd; /* NULL until libmicrohttpd knows it */
	int fd;                     /* libmicrohttpd's */
	struct endpoint client;
	enum http_phase phase;
	uint64_t since_ms;          /* of the phase */
	uint64_t requests;
	bool suspended, closing;
	bool known;                 /* the certificate has been looked at: */
	char certificate[64];       /* its name; "": none that is good */
};

struct http_listener {
	struct http *http;
	uv_poll_t poll;
	struct role_socket socket; /* fd -1: the place is free */
};

struct http_session {
	uint8_t id[TOKEN_DIGEST];    /* digest of the cookie */
	uint8_t token[TOKEN_DIGEST]; /* of whom */
	uint64_t used_ms;            /* 0: free */
};

/* The last frames of the stream, and who takes them: http_stream.c. */
enum { STREAM_FRAMES = 16 };
struct http_stream;
struct http_feed {
	uint64_t made; /* frames ever; of frame[n % STREAM_FRAMES] the number is n */
	struct text frame[STREAM_FRAMES];
	struct http_stream *streams[HTTP_STREAMS_MAX];
	unsigned count;
	uint32_t drift_changes;
	struct board_events_cursor place;
};

/* An order that the supervisor has. */
struct http_order {
	struct http_call *call; /* NULL: the place is free */
	uint32_t id;
	uint64_t since_ms;
};

struct http {
	struct http_host host;
	struct board_http *count;
	const struct config_http *config; /* NULL: no server */
	struct tokens tokens;
	struct http_identity {
		bool tls;
		char *certificate, *key, *authorities; /* PEM; NULL: none */
	} identity;                       /* what the daemon was started with */
	struct MHD_Daemon *daemon;
	uv_poll_t *poll;                  /* of the daemon's epoll descriptor */
	uv_timer_t run, sweep;
	bool running;                     /* inside libmicrohttpd */
	struct http_listener listeners[CONFIG_HTTP_LISTEN_MAX + CONFIG_MANAGEMENT_MAX];
	struct http_conn *conns, *accepting;
	unsigned open;
	uint64_t response_octets;
	struct http_session sessions[HTTP_SESSIONS_MAX];
	struct http_order orders[HTTP_WAITING_MAX];
	struct http_feed feed;
};

/* http.c: let libmicrohttpd do what there is to do. Not from inside of it. */
void http_pump(struct http *h);
void http_phase_set(struct http_conn *c, enum http_phase phase);
/* The connection ends as if the client had closed it. */
void http_conn_shut(struct http_conn *c);

/* http_request.c */
enum MHD_Result http_on_request(void *cls, struct MHD_Connection *mhd, const char *url, const char *method, const char *version, const char *upload,
                                size_t *upload_len, void **call);
void http_on_completed(void *cls, struct MHD_Connection *mhd, void **call, enum MHD_RequestTerminationCode why);

struct http_conn *http_request_conn(const struct http_request *r);

/* api_orders.c: the request has ended; orders that nobody has answered. */
void http_orders_forget(struct http *h, const struct http_call *call);
void http_orders_sweep(struct http *h, uint64_t now_ms);

/* http_stream.c: NULL: there are too many. */
struct MHD_Response *http_stream_open(struct http_conn *c);
void http_stream_end_all(struct http *h);
void http_stream_done(struct http *h);

/* http_access.c */
void http_access_load(struct http *h);
/* Who asks, by what the request shows. */
void http_access_who(struct http *h, struct http_conn *c, struct http_who *out);
/* Is the server meant by this Host field? */
bool http_access_host(const struct http *h, const char *host);
/* A new session for the token (len octets); the cookie for it into out. False: it is nobody's. */
bool http_access_login(struct http *h, const char *token, size_t len, struct http_who *who, char *out, size_t cap);
/* The session that the connection's request shows ends. */
void http_access_logout(struct http *h, struct http_conn *c);
#define HTTP_COOKIE "zonecast_session"
