/* SPDX-License-Identifier: BSD-2-Clause */
/* The node's web server, in the admin process: the JSON API, its documentation, metrics and the dashboard, on the node's own addresses, for people and programs of
 * the operator. It is apart from answering: other sockets, another process; whatever happens here, answers and routes go on.
 *
 * The protocol is libmicrohttpd's, TLS is GnuTLS's below it. There are no threads: the daemon's epoll descriptor is one more descriptor of admin's loop, and
 * MHD_run() is called when it stirs. Connections are accepted here and handed over (MHD_add_connection), since limits, and who is counted for them, are ours:
 * HTTP_CONNECTIONS_MAX in all, HTTP_CLIENT_MAX of one IPv4 address or IPv6 /64; when all are taken the one that has been idle for longest makes room. A connection
 * has HTTP_REQUEST_MS for its next whole request and HTTP_ANSWER_MS to take an answer, however busily it trickles; what is waiting to be sent is bounded in sum.
 * A connection that is to end is shut down, and libmicrohttpd sees its end: nothing else may close it.
 *
 * Listening sockets are opened by the supervisor (super/doors.c) and come with the brief or, after a reload, one by one. Tokens and certificates come in the
 * bundle: admin opens no file. A reload that changes certificates starts the daemon anew, and its connections end; tokens change without that.
 *
 * Who may do what is judged in http_access.c before anything of a request is acted upon (http_request.c); the routes are rows in http_routes.c. Reading is
 * all there is unless `allow-changes` says otherwise. Each refusal is counted on the board (struct board_http) and shown by `status`.
 *
 * Omissions: HTTP/2; compression of answers that are not files; names of several virtual hosts. Debian's libmicrohttpd 0.9.75 tells nothing about requests whose
 * line or headers are beyond HTTP_CONNECTION_MEMORY: it answers 414 or 431 itself, and they are counted as `silent`. */
#include "admin/http_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proc/bundle.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HTTP_SWEEP_MS = 500, ACCEPTS_MAX = 16 /* a wake-up */ };
#define TLS_PRIORITIES "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"

/* ---- connections ---- */

void http_phase_set(struct http_conn *c, enum http_phase phase)
{
	c->phase = phase;
	c->since_ms = clock_ms();
}

void http_conn_shut(struct http_conn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	shutdown(c->fd, SHUT_RDWR);
	if (c->suspended) {
		c->suspended = false;
		MHD_resume_connection(c->mhd);
	}
}

static void conn_free(struct http_conn *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->http->open--;
	atomic_store(&c->http->count->open, c->http->open);
	free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct http *h = cls;
	struct http_conn *c = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = h->accepting;
		h->accepting->mhd = mhd;
	} else if (c) {
		if (!c->requests)
			board_add(&h->count->silent, 1);
		conn_free(c);
	}
}

static bool same_client(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 8) == 0;
}

static unsigned count_client(const struct http *h, const struct ip_addr *client)
{
	unsigned n = 0;

	for (const struct http_conn *c = h->conns; c; c = c->next)
		n += same_client(&c->client.addr, client);
	return n;
}

/* All connections are taken: the one that has asked for nothing for longest goes. */
static void make_room(struct http *h)
{
	struct http_conn *idle = NULL;

	for (struct http_conn *c = h->conns; c; c = c->next)
		if (c->phase == HTTP_READING && !c->closing && (!idle || c->since_ms < idle->since_ms))
			idle = c;
	if (!idle || clock_ms() - idle->since_ms < HTTP_MAKE_ROOM_MS)
		return;
	board_add(&h->count->slow, 1);
	http_conn_shut(idle);
	http_pump(h);
}

static void take(struct http *h, int fd, const struct sockaddr *sa, socklen_t len)
{
	struct http_conn *c;
	struct endpoint from = {0};

	if (!h->daemon || endpoint_from_sockaddr(sa, &from) < 0) {
		close(fd);
		return;
	}
	if (h->open >= HTTP_CONNECTIONS_MAX)
		make_room(h);
	if (h->open >= HTTP_CONNECTIONS_MAX || count_client(h, &from.addr) >= HTTP_CLIENT_MAX) {
		board_add(h->open >= HTTP_CONNECTIONS_MAX ? &h->count->full : &h->count->client_full, 1);
		close(fd);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	board_add(&h->count->accepted, 1);
	*c = (struct http_conn){.http = h, .next = h->conns, .link = &h->conns, .fd = fd, .client = from};
	if (c->next)
		c->next->link = &c->next;
	h->conns = c;
	atomic_store(&h->count->open, ++h->open);
	http_phase_set(c, HTTP_READING);
	h->accepting = c;
	/* On failure the descriptor is closed by it, and where it had begun with the connection c is gone as well. */
	if (MHD_add_connection(h->daemon, fd, sa, len) != MHD_YES && h->conns == c && !c->mhd)
		conn_free(c);
	h->accepting = NULL;
}

static void on_listener(uv_poll_t *poll, int status, int events)
{
	struct http_listener *l = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);
		int fd = accept4(l->socket.fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			break;
		take(l->http, fd, (struct sockaddr *)&sa, len);
	}
	http_pump(l->http);
}

/* ---- time ---- */

static void on_run(uv_timer_t *t)
{
	http_pump(t->data);
}

void http_pump(struct http *h)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	if (!h->daemon || h->running)
		return;
	h->running = true;
	MHD_run(h->daemon);
	h->running = false;
	if (MHD_get_timeout(h->daemon, &wait_ms) == MHD_YES)
		uv_timer_start(&h->run, on_run, wait_ms, 0);
	else
		uv_timer_stop(&h->run);
}

static void on_daemon(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	http_pump(poll->data);
}

static void on_sweep(uv_timer_t *t)
{
	struct http *h = t->data;
	uint64_t now = clock_ms();
	bool any = false;

	for (struct http_conn *c = h->conns, *next; c; c = next) {
		next = c->next;
		if (c->closing || now - c->since_ms < (c->phase == HTTP_READING ? HTTP_REQUEST_MS : HTTP_ANSWER_MS) || c->phase == HTTP_STREAMING ||
		    c->phase == HTTP_WAITING)
			continue;
		board_add(&h->count->slow, 1);
		http_conn_shut(c);
		any = true;
	}
	http_orders_sweep(h, now);
	if (any)
		http_pump(h);
}

/* ---- the daemon ---- */

static void on_poll_closed(uv_handle_t *handle)
{
	free(handle);
}

static void stop_daemon(struct http *h)
{
	if (!h->daemon)
		return;
	uv_timer_stop(&h->run);
	uv_poll_stop(h->poll);
	uv_close((uv_handle_t *)h->poll, on_poll_closed);
	h->poll = NULL;
	/* It must not be stopped while one of its connections is suspended. */
	for (struct http_conn *c = h->conns; c; c = c->next)
		http_conn_shut(c);
	h->running = true;
	MHD_stop_daemon(h->daemon);
	h->running = false;
	h->daemon = NULL;
}

static void on_library_log(void *cls, const char *fmt, va_list ap)
{
	(void)cls;
	(void)fmt;
	(void)ap; /* about clients: they are counted */
}

/* Of the bundle, NUL-terminated; NULL: it is not there. */
static char *file_of(const struct http *h, const char *path)
{
	const void *bytes = NULL;
	size_t len = 0;

	if (path && h->host.role->bundle)
		bytes = bundle_get(h->host.role->bundle, path, &len);
	return bytes ? strndup(bytes, len) : NULL;
}

static int start_daemon(struct http *h)
{
	unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem options[16] = {
		{MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_library_log, NULL},
		{MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, h},
		{MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_on_completed, h},
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_CONNECTION_MEMORY, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX + 8, NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
	};
	const union MHD_DaemonInfo *info;
	size_t n = 6;

	if (h->identity.tls) {
		flags |= MHD_USE_TLS;
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, h->identity.certificate};
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, h->identity.key};
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES};
		if (h->identity.authorities)
			options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, h->identity.authorities};
	}
	options[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, http_on_request, h, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	if (!h->daemon)
		return ERR_INVALID;
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	h->poll = calloc(1, sizeof(*h->poll));
	if (!h->poll || !info || uv_poll_init(h->host.loop, h->poll, info->epoll_fd) < 0) {
		free(h->poll);
		MHD_stop_daemon(h->daemon);
		h->daemon = NULL;
		return ERR_NO_MEMORY;
	}
	h->poll->data = h;
	return uv_poll_start(h->poll, UV_READABLE, on_daemon);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void identity_forget(struct http_identity *id)
{
	if (id->key)
		OPENSSL_cleanse(id->key, strlen(id->key));
	free(id->key);
	free(id->certificate);
	free(id->authorities);
	*id = (struct http_identity){0};
}

void http_reload(struct http *h)
{
	const struct config_http *conf = config_http_of(h->host.role->config, h->host.role->node);
	const struct config_http_tls *tls = conf && conf->tls.enabled ? &conf->tls : NULL;
	struct http_identity id = {
		.tls = tls != NULL,
		.certificate = file_of(h, tls ? tls->certificate_file : NULL),
		.key = file_of(h, tls ? tls->key_file : NULL),
		.authorities = file_of(h, tls ? tls->client_ca_file : NULL),
	};

	h->config = conf;
	http_access_load(h);
	http_stream_end_all(h); /* who may not read any more does not, the others come again */
	/* What the daemon cannot change while it runs. */
	if (conf && h->daemon && id.tls == h->identity.tls && same_text(id.certificate, h->identity.certificate) &&
	    same_text(id.key, h->identity.key) && same_text(id.authorities, h->identity.authorities)) {
		identity_forget(&id);
		return;
	}
	stop_daemon(h);
	identity_forget(&h->identity);
	h->identity = id;
	if (conf && start_daemon(h) < 0)
		log_err("http error=\"the server cannot be started\" note=\"%s\"", tls ? "is the certificate's key good?" : "no memory");
}

/* ---- listening sockets ---- */

void http_socket_open(struct http *h, const struct role_socket *s)
{
	for (size_t i = 0; i < ARRAY_LEN(h->listeners); i++) {
		struct http_listener *l = &h->listeners[i];

		if (l->http || uv_poll_init(h->host.loop, &l->poll, s->fd) < 0)
			continue;
		l->http = h;
		l->socket = *s;
		l->poll.data = l;
		uv_poll_start(&l->poll, UV_READABLE, on_listener);
		return;
	}
	close(s->fd);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct http_listener *l = handle->data;

	l->http = NULL;
}

void http_socket_close(struct http *h, const struct role_socket *s)
{
	for (size_t i = 0; i < ARRAY_LEN(h->listeners); i++) {
		struct http_listener *l = &h->listeners[i];

		if (!l->http || l->socket.fd < 0 || !addr_equal(&l->socket.at.addr, &s->at.addr) || l->socket.at.port != s->at.port)
			continue;
		uv_poll_stop(&l->poll);
		close(l->socket.fd);
		l->socket.fd = -1;
		uv_close((uv_handle_t *)&l->poll, on_listener_closed);
	}
}

int http_new(const struct http_host *host, struct http **out)
{
	struct http *h = calloc(1, sizeof(*h));
	const struct role_brief *b = &host->role->brief;

	if (!h)
		return ERR_NO_MEMORY;
	h->host = *host;
	for (size_t i = 0; i < STREAM_FRAMES; i++)
		text_init(&h->feed.frame[i]);
	h->count = &host->role->board->admin.http;
	atomic_store(&h->count->open, 0);
	atomic_store(&h->count->streams, 0);
	uv_timer_init(host->loop, &h->run);
	uv_timer_init(host->loop, &h->sweep);
	h->run.data = h->sweep.data = h;
	uv_timer_start(&h->sweep, on_sweep, HTTP_SWEEP_MS, HTTP_SWEEP_MS);
	http_reload(h);
	for (uint32_t i = 0; i < b->socket_count; i++)
		if (b->sockets[i].kind == ROLE_SOCKET_HTTP)
			http_socket_open(h, &b->sockets[i]);
	*out = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	stop_daemon(h);
	identity_forget(&h->identity);
	http_stream_done(h);
	free(h);
}
