/* SPDX-License-Identifier: BSD-2-Clause */
#include "lab/node.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ORDER_MS = 60000, LISTEN_MS = 400, REPLY_MAX = 4 << 20, WORDS_MAX = 16 };

void node_name(unsigned node, char buf[32])
{
	if (node == NODE_HIDDEN)
		snprintf(buf, 32, "hidden");
	else
		snprintf(buf, 32, "pop-%s", lab_regions[node].name);
}

void node_run_dir(const struct lab *l, unsigned node, char *buf, size_t cap)
{
	char name[32];

	node_name(node, name);
	snprintf(buf, cap, "%s/%s/run", l->dir, name);
}

int node_signal(const struct lab *l, unsigned node, const char *role, int signum)
{
	char path[LAB_PATH_MAX + 64], line[128], dir[LAB_PATH_MAX + 48], name[32];
	int count = 0, pid;
	FILE *f;

	node_run_dir(l, node, dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/pids", dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%31s %*u %d", name, &pid) == 2 && strcmp(name, role) == 0 && kill(pid, signum) == 0)
			count++;
	if (f)
		fclose(f);
	return count ? 0 : ERR_NOT_FOUND;
}

pid_t node_pid(const struct lab *l, unsigned node)
{
	char name[32];

	node_name(node, name);
	return lab_pid_of(l, name);
}

static int connect_control(const struct lab *l, unsigned node, int *out)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char dir[LAB_PATH_MAX + 48];
	int fd;

	node_run_dir(l, node, dir, sizeof(dir));
	if ((size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/control.sock", dir) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

/* Everything until the node closes; nothing that came in part. */
static int converse(const struct lab *l, unsigned node, const char *request, int timeout_ms, struct text *out)
{
	uint64_t until = clock_ms() + (uint64_t)timeout_ms;
	int fd = -1, err = connect_control(l, node, &fd);
	char buf[4096];

	if (err)
		return err;
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
		err = -EIO;
	while (!err) {
		uint64_t now = clock_ms();
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (now >= until || poll(&p, 1, (int)(until - now)) <= 0) {
			err = -ETIMEDOUT;
			break;
		}
		n = recv(fd, buf, sizeof(buf), 0);
		if (n == 0)
			break;
		if (n < 0 || out->len > REPLY_MAX)
			err = -EIO;
		else
			text_add(out, buf, (size_t)n);
	}
	close(fd);
	return err;
}

json_t *node_ask(const struct lab *l, unsigned node, const char *request, int timeout_ms)
{
	struct text reply;
	json_t *o = NULL;

	text_init(&reply);
	if (converse(l, node, request, timeout_ms, &reply) == 0 && reply.len)
		o = json_loadb(reply.chars, reply.len, JSON_DISABLE_EOF_CHECK, NULL);
	text_done(&reply);
	return o;
}

int node_order(const struct lab *l, unsigned node, const char *request, struct text *why)
{
	struct text reply;
	char name[32];
	int err;

	node_name(node, name);
	text_init(&reply);
	err = converse(l, node, request, ORDER_MS, &reply);
	if (!err && !strstr(reply.chars, "\"ok\":true")) {
		err = ERR_INVALID;
		if (why)
			text_str(why, reply.chars);
		else
			fprintf(stderr, "zonecast: %s says: %s", name, reply.chars);
	} else if (err && why) {
		text_fmt(why, "%s: %s", name, err_text(err));
	}
	text_done(&reply);
	return err;
}

int node_command(const struct lab *l, unsigned node, struct text *why, const char *const words[])
{
	const char *argv[WORDS_MAX + 4];
	char dir[LAB_PATH_MAX + 48];
	size_t n = 0;

	node_run_dir(l, node, dir, sizeof(dir));
	argv[n++] = l->self;
	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		argv[n++] = words[i];
	argv[n++] = "--run-dir";
	argv[n++] = dir;
	argv[n] = NULL;
	return lab_run(why, argv);
}

/* ---- what a PoP says ---- */

static void copy(char *to, size_t cap, const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	if (text)
		snprintf(to, cap, "%.*s", (int)cap - 1, text);
}

/* The combined words of the network, then those of each family where it has them. */
static void network_words(const json_t *network, struct node_said *out)
{
	static const char *const families[2] = {"ipv4", "ipv6"};
	const json_t *decision = json_object_get(network, "decision"), *checks = json_object_get(network, "checks");
	const json_t *stale_in = json_object_get(network, "stale_in_ms");

	copy(out->why, sizeof(out->why), decision, "why");
	for (int f = 0; f < 2; f++) {
		const json_t *family = json_object_get(json_object_get(network, "families"), families[f]);

		copy(out->announce[f], sizeof(out->announce[f]), decision, "announce");
		copy(out->verdict[f], sizeof(out->verdict[f]), checks, "verdict");
		copy(out->announce[f], sizeof(out->announce[f]), family, "announce");
		copy(out->verdict[f], sizeof(out->verdict[f]), json_object_get(family, "checks"), "verdict");
	}
	copy(out->backstop, sizeof(out->backstop), json_object_get(network, "backstop"), "announce");
	out->flaps = (unsigned)json_integer_value(json_object_get(decision, "flaps"));
	out->has_age = json_is_number(stale_in);
	out->age_ms = json_number_value(json_object_get(network, "data_age_ms"));
	out->stale_in_ms = json_number_value(stale_in);
}

void node_listen(const struct lab *l, unsigned node, struct node_said *out)
{
	json_t *reply = node_ask(l, node, "{\"command\":\"status\"}\n", LISTEN_MS), *neighbor;
	const json_t *status = json_object_get(reply, "status");
	size_t i;

	memset(out, 0, sizeof(*out));
	out->heard = status != NULL;
	if (!status)
		snprintf(out->why, sizeof(out->why), "does not answer its control socket");
	network_words(json_array_get(json_object_get(status, "networks"), 0), out);
	json_array_foreach(json_object_get(status, "neighbors"), i, neighbor) {
		const char *state = json_string_value(json_object_get(neighbor, "state"));

		out->established += state && strcmp(state, "established") == 0;
		state = json_string_value(json_object_get(json_object_get(neighbor, "bfd"), "state"));
		out->unwatched += state && strcmp(state, "up") != 0;
	}
	json_decref(reply);
}

/* ---- the packet filter ---- */

int node_filter(const char *netns, const char *chains)
{
	struct text rules;
	int err;

	text_init(&rules);
	text_fmt(&rules, "add table inet lab; %s", chains);
	err = rules.failed
	              ? ERR_NO_MEMORY
	              : lab_run(NULL, (const char *const[]){"ip", "netns", "exec", netns, "nft", rules.chars, NULL});
	text_done(&rules);
	return err;
}

int node_unfilter(const char *netns)
{
	return lab_run(NULL, (const char *const[]){"ip", "netns", "exec", netns, "nft", "delete", "table", "inet",
	                                           "lab", NULL});
}
