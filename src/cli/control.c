/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's end of the control socket. Every wait has a deadline: a node that hangs must not hang the operator's terminal. */
#include "cli/cli.h"

#include "admin/control.h"
#include "base/clock.h"
#include "base/err.h"
#include "config/config.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	CLI_REPLY_MAX = 256 << 20,
	CLI_SEND_MS = 5000,
	CLI_CHUNK = 65536,
	CLI_AGAIN_MS = 3000, /* for a process that is restarted: a request that nobody answered is made again for so long */
	CLI_AGAIN_STEP_MS = 100,
};

void cli_run_dir(const struct cli_common *o, char *buf, size_t cap)
{
	if (o->run_dir)
		snprintf(buf, cap, "%s", o->run_dir);
	else if (config_peek_run_dir(o->config ? o->config : CLI_CONFIG_DEFAULT, buf, cap) < 0)
		snprintf(buf, cap, "%s", CLI_RUN_DIR_DEFAULT);
}

/* Waits until fd can be read or written; -ETIMEDOUT at the deadline (clock_ms()). */
static int wait_for(int fd, short events, uint64_t deadline)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = events};
		uint64_t now = clock_ms();
		int left = now >= deadline ? 0 : (int)MIN(deadline - now, (uint64_t)INT_MAX);
		int n = poll(&p, 1, left);

		if (n > 0)
			return 0;
		if (n == 0 && left == 0)
			return -ETIMEDOUT;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_all(int fd, const char *bytes, size_t len)
{
	uint64_t deadline = clock_ms() + CLI_SEND_MS;

	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			int rc = wait_for(fd, POLLOUT, deadline);

			if (rc < 0)
				return rc;
		} else if (n < 0 && errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

int cli_control_open(const struct cli_common *o, json_t *request, int *fd_out)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char dir[PATH_MAX];
	char path[PATH_MAX + sizeof(CONTROL_SOCKET_NAME) + 1];
	char *line = json_dumps(request, JSON_COMPACT);
	int fd = -1, rc = 0;
	size_t len;

	json_decref(request);
	cli_run_dir(o, dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, CONTROL_SOCKET_NAME);
	if (!line || strlen(line) >= CONTROL_REQUEST_MAX) {
		cli_error("the request is too long");
		rc = ERR_LIMIT;
		goto out;
	}
	if (strlen(path) >= sizeof(at.sun_path)) {
		cli_error("%s: path of the control socket is longer than %zu bytes", path, sizeof(at.sun_path) - 1);
		rc = -ENAMETOOLONG;
		goto out;
	}
	memcpy(at.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		rc = -errno;
		if (rc == -ENOENT || rc == -ECONNREFUSED)
			cli_error("no node runs here: nobody listens on %s (another run directory? --run-dir)", path);
		else if (rc == -EACCES)
			cli_error("%s: permission denied: only root and the node's own account may control it", path);
		else
			cli_error("%s: %s", path, err_text(rc));
		goto out;
	}
	/* The newline takes the place of the final NUL, so that the request goes out whole. A server that refuses may have answered and
	 * closed before it read any of it: then its answer is still there to be read. */
	len = strlen(line);
	line[len] = '\n';
	rc = send_all(fd, line, len + 1);
	if (rc == -EPIPE)
		rc = 0;
	if (rc < 0)
		cli_error("%s: cannot send: %s", path, err_text(rc));
out:
	free(line);
	if (rc < 0) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	*fd_out = fd;
	return 0;
}

int cli_control_line(int fd, struct text *rest, int timeout_ms, size_t limit, struct text *line)
{
	uint64_t deadline = clock_ms() + (uint64_t)MAX(timeout_ms, 0);
	size_t seen = 0; /* octets of rest known to hold no newline */

	for (;;) {
		char *nl = memchr(rest->chars + seen, '\n', rest->len - seen);
		char chunk[CLI_CHUNK];
		ssize_t n;
		int rc;

		if (nl) {
			size_t len = (size_t)(nl - rest->chars);

			text_clear(line);
			text_add(line, rest->chars, len);
			memmove(rest->chars, nl + 1, rest->len - len); /* the final NUL too */
			rest->len -= len + 1;
			return line->failed ? ERR_NO_MEMORY : 0;
		}
		seen = rest->len;
		if (seen > limit)
			return ERR_LIMIT;
		rc = wait_for(fd, POLLIN, deadline);
		if (rc < 0)
			return rc;
		n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n == 0)
			return rest->len ? ERR_TRUNCATED : ERR_CLOSED;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0)
			text_add(rest, chunk, (size_t)n);
		if (rest->failed)
			return ERR_NO_MEMORY;
	}
}

void cli_refused(const json_t *reply)
{
	const char *why = json_string_value(json_object_get(reply, "error"));
	json_t *problem;
	size_t i;

	json_array_foreach (json_object_get(reply, "problems"), i, problem)
		if (json_is_string(problem))
			fprintf(stderr, "%s\n", json_string_value(problem));
	cli_error("%s", why ? why : "the node refused without a reason");
}

/* May the request be made again when nobody knows what became of it? A rollback makes one more version each time. */
static bool repeatable(const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));

	return command && strcmp(command, "zone-rollback") != 0;
}

/* One attempt. ERR_CLOSED: the connection ended without a word, or the node says that the process which would answer is just being restarted. */
static int ask_once(const struct cli_common *o, json_t *request, int timeout_ms, int *fd, struct text *rest, json_t **reply)
{
	struct text line;
	json_error_t error;
	json_t *head = NULL;
	int rc = cli_control_open(o, json_incref(request), fd);

	if (rc < 0)
		return rc;
	text_init(&line);
	text_clear(rest);
	rc = cli_control_line(*fd, rest, timeout_ms, CLI_REPLY_MAX, &line);
	if (rc == -ETIMEDOUT)
		cli_error("the node did not answer within %d ms", timeout_ms);
	else if (rc < 0 && rc != ERR_CLOSED)
		cli_error("reading the node's reply: %s", err_text(rc));
	if (rc == 0) {
		head = json_loadb(line.chars, line.len, JSON_REJECT_DUPLICATES, &error);
		if (!json_is_object(head)) {
			cli_error("the node's reply is not a JSON object");
			rc = ERR_MALFORMED;
		} else if (json_is_true(json_object_get(head, "again"))) {
			rc = ERR_CLOSED;
		} else if (!json_is_true(json_object_get(head, "ok"))) {
			cli_refused(head);
			rc = ERR_INVALID;
		}
	}
	text_done(&line);
	if (rc < 0) {
		json_decref(head);
		close(*fd);
		return rc;
	}
	*reply = head;
	return 0;
}

int cli_control_ask(const struct cli_common *o, json_t *request, int timeout_ms, int *fd, struct text *rest, json_t **reply)
{
	uint64_t began = clock_ms();
	int rc;

	for (;;) {
		rc = ask_once(o, request, timeout_ms, fd, rest, reply);
		if (rc != ERR_CLOSED || !repeatable(request) || clock_ms() - began > CLI_AGAIN_MS)
			break;
		poll(NULL, 0, CLI_AGAIN_STEP_MS);
	}
	if (rc == ERR_CLOSED)
		cli_error("the node's process that answers this went away before it did; see the log, and try again");
	json_decref(request);
	return rc;
}

int cli_control_call(const struct cli_common *o, json_t *request, int timeout_ms, json_t **reply_out)
{
	struct text rest;
	int fd, rc;

	text_init(&rest);
	rc = cli_control_ask(o, request, timeout_ms, &fd, &rest, reply_out);
	text_done(&rest);
	if (rc == 0)
		close(fd);
	return rc;
}
