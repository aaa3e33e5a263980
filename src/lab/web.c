/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/web.h"

#include "base/clock.h"
#include "base/err.h"
#include "lab/forward.h"
#include "lab/node.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORWARD_WAIT_MS = 5000, BODY_MAX = 16 << 20, PROMETHEUS_ROW = LAB_NODES, ALERT_MS = 1000 };

#define ADDRESSES "web"

/* ---- where they are ---- */

/* Inside the lab. */
static void node_at(const struct lab *l, unsigned node, char ns[LAB_NETNS_MAX], char address[32])
{
	if (node == NODE_HIDDEN) {
		lab_netns(l, 'h', 0, ns);
		snprintf(address, 32, "10.1.%d.2", LAB_HIDDEN_NET);
	} else {
		lab_netns(l, 'p', node, ns);
		snprintf(address, 32, "10.2.%u.2", node + 1);
	}
}

/* The n-th line of what the forwarder wrote. */
static void read_address(const struct lab *l, unsigned row, char buf[LAB_WEB_TEXT])
{
	char path[LAB_PATH_MAX + 16], line[LAB_WEB_TEXT];
	FILE *f;

	*buf = '\0';
	snprintf(path, sizeof(path), "%s/" ADDRESSES, l->dir);
	f = fopen(path, "re");
	for (unsigned i = 0; f && fgets(line, sizeof(line), f); i++)
		if (i == row)
			snprintf(buf, LAB_WEB_TEXT, "%.*s", (int)strcspn(line, "\n"), line);
	if (f)
		fclose(f);
}

void lab_web_address(const struct lab *l, unsigned node, char buf[LAB_WEB_TEXT])
{
	/* The hidden primary, which sees all nodes, has the port that people know. */
	read_address(l, node == NODE_HIDDEN ? 0 : node + 1, buf);
}

void lab_prometheus_address(const struct lab *l, char buf[LAB_WEB_TEXT])
{
	read_address(l, PROMETHEUS_ROW, buf);
}

bool lab_has_prometheus(const struct lab *l)
{
	return lab_pid_of(l, "prometheus") > 0;
}

/* ---- Prometheus ---- */

/* The shipped rules: of the source tree that this program was built in, or of where it is installed. */
static bool find_rules(const struct lab *l, char *out, size_t cap)
{
	static const char *const places[] = {"../dist/prometheus", "../share/doc/zonecast/prometheus"};
	const char *slash = strrchr(l->self, '/');

	for (size_t i = 0; slash && i < ARRAY_LEN(places); i++) {
		int n = snprintf(out, cap, "%.*s/%s/zonecast.rules.yml", (int)(slash - l->self), l->self, places[i]);

		if (n > 0 && (size_t)n < cap && access(out, R_OK) == 0)
			return true;
	}
	return false;
}

static bool is_installed(const char *program)
{
	const char *path = getenv("PATH");
	char full[LAB_PATH_MAX];

	while (path && *path) {
		size_t len = strcspn(path, ":");

		snprintf(full, sizeof(full), "%.*s/%s", (int)len, path, program);
		if (access(full, X_OK) == 0)
			return true;
		path += len + (path[len] == ':');
	}
	return false;
}

static int write_prometheus(const struct lab *l, const char *rules)
{
	char path[LAB_PATH_MAX + 48], ns[LAB_NETNS_MAX], address[32];
	struct text t;
	int err;

	text_init(&t);
	text_str(&t, "global: {evaluation_interval: 1s}\n");
	if (*rules)
		text_fmt(&t, "rule_files: [\"%s\"]\n", rules);
	text_str(&t, "scrape_configs:\n");
	for (unsigned i = 0; i < LAB_NODES; i++) {
		/* Over 220 ms there and back, a new connection takes nearly a second for what metrics are. */
		unsigned s = i < LAB_REGIONS && i && lab_latency_ms(0, i) > 100 ? 2 : 1;

		node_at(l, i, ns, address);
		text_fmt(&t,
		         "  - job_name: zonecast-%u\n    scrape_interval: %us\n    scrape_timeout: %us\n"
		         "    static_configs: [{targets: [\"%s:%d\"]}]\n    relabel_configs: [{target_label: job, replacement: zonecast}]\n",
		         i, s, s, address, LAB_HTTP_PORT);
	}
	snprintf(path, sizeof(path), "%s/prometheus.yml", l->dir);
	err = t.failed ? ERR_NO_MEMORY : lab_write_file(path, t.chars, 0644);
	text_done(&t);
	return err;
}

static int start_prometheus(const struct lab *l, struct text *why)
{
	char config[LAB_PATH_MAX + 48], data[LAB_PATH_MAX + 48], listen[64], rules[2 * LAB_PATH_MAX] = "",
										       ns[LAB_NETNS_MAX], address[32];
	int err;

	if (!is_installed("prometheus")) {
		text_str(why, "prometheus is not installed");
		return ERR_NOT_FOUND;
	}
	if (!find_rules(l, rules, sizeof(rules)))
		*rules = '\0';
	err = write_prometheus(l, rules);
	node_at(l, NODE_HIDDEN, ns, address);
	snprintf(config, sizeof(config), "--config.file=%s/prometheus.yml", l->dir);
	snprintf(data, sizeof(data), "--storage.tsdb.path=%s/prometheus", l->dir);
	snprintf(listen, sizeof(listen), "--web.listen-address=%s:%d", address, LAB_PROMETHEUS_PORT);
	if (!err)
		err = lab_start(l, ns, "prometheus",
		                (const char *const[]){"nice", "-n", "10", "prometheus", config, data,
		                                      "--storage.tsdb.retention.time=6h", listen, NULL},
		                NULL);
	if (err)
		text_fmt(why, "prometheus: %s", err_text(err));
	return err;
}

/* ---- the way there ---- */

static int start_forward(const struct lab *l, bool prometheus, struct text *why)
{
	const char *argv[4 + 3 * (LAB_NODES + 1)];
	char path[LAB_PATH_MAX + 16], ns[LAB_NODES + 1][LAB_NETNS_MAX], ports[LAB_NODES + 1][8], to[LAB_NODES + 1][64],
		address[32];
	uint64_t until = clock_ms() + FORWARD_WAIT_MS;
	size_t n = 0, rows = LAB_NODES + (prometheus ? 1 : 0);
	int err;

	snprintf(path, sizeof(path), "%s/" ADDRESSES, l->dir);
	unlink(path);
	argv[n++] = l->self;
	argv[n++] = "lab-forward";
	argv[n++] = path;
	for (unsigned i = 0; i < rows; i++) {
		bool node = i < LAB_NODES;

		node_at(l, i == 0 || !node ? (unsigned)NODE_HIDDEN : i - 1, ns[i], address);
		snprintf(ports[i], sizeof(ports[i]), "%u", node ? LAB_HTTP_PORT + i : LAB_PROMETHEUS_PORT);
		snprintf(to[i], sizeof(to[i]), "%s:%d", address, node ? LAB_HTTP_PORT : LAB_PROMETHEUS_PORT);
		argv[n++] = ports[i];
		argv[n++] = ns[i];
		argv[n++] = to[i];
	}
	argv[n] = NULL;
	err = lab_start(l, NULL, "forward", argv, NULL);
	while (!err && access(path, R_OK) < 0) {
		if (clock_ms() > until)
			err = -ETIMEDOUT;
		poll(NULL, 0, 20);
	}
	if (err)
		text_fmt(why, "the way from this machine to the nodes' web servers: %s", err_text(err));
	return err;
}

int lab_start_web(const struct lab *l, struct text *why)
{
	int no_prometheus = start_prometheus(l, why), err;

	err = start_forward(l, !no_prometheus, why);
	return err ? err : no_prometheus;
}

/* ---- questions ---- */

/* All of an answer until the server closes, or the deadline. */
static bool converse(int fd, const char *request, uint64_t until, struct text *out)
{
	size_t sent = 0, len = strlen(request);

	for (;;) {
		struct pollfd p = {.fd = fd, .events = sent < len ? POLLOUT : POLLIN};
		uint64_t now = clock_ms();
		char buf[16384];
		ssize_t n;

		if (now >= until || poll(&p, 1, (int)(until - now)) <= 0)
			return false;
		if (sent < len) {
			n = send(fd, request + sent, len - sent, MSG_NOSIGNAL);
			if (n < 0)
				return false;
			sent += (size_t)n;
			continue;
		}
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0 || out->len > BODY_MAX)
			return false;
		if (n == 0)
			return !out->failed;
		text_add(out, buf, (size_t)n);
	}
}

static json_t *get(const char *ns, const char *address, uint16_t port, const char *path, int timeout_ms)
{
	struct endpoint to = {.port = port};
	struct sockaddr_storage sa;
	struct text out;
	char request[400];
	const char *body;
	json_t *o = NULL;
	socklen_t len;
	int fd;

	if (addr_parse(address, &to.addr) < 0 || lab_socket_in(ns, AF_INET, SOCK_STREAM, &fd) < 0)
		return NULL;
	len = endpoint_to_sockaddr(&to, &sa);
	/* 1.0: the body ends with the connection, and is in one piece. */
	snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s:%u\r\n\r\n", path, address, port);
	text_init(&out);
	if ((connect(fd, (struct sockaddr *)&sa, len) == 0 || errno == EINPROGRESS) &&
	    converse(fd, request, clock_ms() + (uint64_t)timeout_ms, &out) && strncmp(out.chars, "HTTP/1.", 7) == 0 &&
	    strncmp(out.chars + 8, " 200", 4) == 0 && (body = strstr(out.chars, "\r\n\r\n")) != NULL)
		o = json_loads(body + 4, 0, NULL);
	text_done(&out);
	close(fd);
	return o;
}

json_t *lab_web_get(const struct lab *l, unsigned node, const char *path, int timeout_ms)
{
	char ns[LAB_NETNS_MAX], address[32];

	node_at(l, node, ns, address);
	return get(ns, address, LAB_HTTP_PORT, path, timeout_ms);
}

json_t *lab_prometheus_get(const struct lab *l, const char *path, int timeout_ms)
{
	char ns[LAB_NETNS_MAX], address[32];

	node_at(l, NODE_HIDDEN, ns, address);
	return get(ns, address, LAB_PROMETHEUS_PORT, path, timeout_ms);
}

bool lab_alert(const struct lab *l, const char *name, const char *label, const char *value)
{
	json_t *o = lab_prometheus_get(l, "/api/v1/alerts", ALERT_MS);
	const json_t *a;
	bool found = false;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(o, "data"), "alerts"), i, a) {
		const json_t *labels = json_object_get(a, "labels");
		const char *is = json_string_value(json_object_get(labels, "alertname")),
			   *state = json_string_value(json_object_get(a, "state"));
		const char *has = json_string_value(json_object_get(labels, label));

		found |= is && strcmp(is, name) == 0 && state && strcmp(state, "firing") == 0 &&
		         (!*label || (has && strcmp(has, value) == 0));
	}
	json_decref(o);
	return found;
}
