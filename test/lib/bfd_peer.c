/* SPDX-License-Identifier: BSD-2-Clause */
/* BFD sessions driven from the command line and stdin, for tests that need a neighbor that does what they say. It does nothing but call bfd/thread.h.
 *
 *   bfd_peer interval-ms=N multiplier=N [multihop=1] REMOTE[=LOCAL]...
 *
 * stdin:  admin down | admin up | interval-ms=N | status | quit; each for all sessions
 * stdout: "MS REMOTE STATE remote=STATE diag=TEXT falls=N" when a state changes; "MS ready" when all are open; for status
 *         "status REMOTE KEY=VALUE ..." of each, then "totals KEY=VALUE ...". MS is clock_ms(). End of stdin is quit. */
#include "bfd/thread.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct peer {
	struct bfd_path path;
	unsigned slot;
	uint64_t transitions, falls;
	uint32_t remote;
};

static struct peer peers[BFD_SESSIONS_MAX];
static size_t peer_count;
static struct bfd_timers timers = {.interval_us = 300000, .multiplier = 3};
static struct bfd *bfd;

static NORETURN void die(const char *what, int err)
{
	fprintf(stderr, "bfd_peer: %s: %s\n", what, err ? err_text(err) : "not understood");
	exit(2);
}

static void must(const char *what, int err)
{
	if (err < 0)
		die(what, err);
}

static void show_changes(void)
{
	for (size_t i = 0; i < peer_count; i++) {
		char text[ADDR_TEXT_MAX];
		struct bfd_view v;

		if (!bfd_session_view(bfd, peers[i].slot, &v))
			continue;
		if (v.transitions == peers[i].transitions && v.falls == peers[i].falls)
			continue;
		peers[i].transitions = v.transitions;
		peers[i].falls = v.falls;
		printf("%llu %s %s remote=%s falls=%llu diag=%s, remote %s\n", (unsigned long long)clock_ms(),
		       addr_text(&peers[i].path.remote, text), bfd_state_text(v.state), bfd_state_text(v.remote_state),
		       (unsigned long long)v.falls, bfd_diag_text(v.diag), bfd_diag_text(v.remote_diag));
		fflush(stdout);
	}
}

static void show_status(void)
{
	struct bfd_totals t;

	for (size_t i = 0; i < peer_count; i++) {
		char text[ADDR_TEXT_MAX];
		struct bfd_view v;

		if (!bfd_session_view(bfd, peers[i].slot, &v))
			continue;
		printf("status %s state=%s remote=%s transitions=%llu falls=%llu in=%llu out=%llu bad=%llu unsent=%llu "
		       "tx_us=%llu detect_us=%llu\n",
		       addr_text(&peers[i].path.remote, text), bfd_state_text(v.state), bfd_state_text(v.remote_state),
		       (unsigned long long)v.transitions, (unsigned long long)v.falls, (unsigned long long)v.in,
		       (unsigned long long)v.out, (unsigned long long)v.bad, (unsigned long long)v.unsent,
		       (unsigned long long)v.tx_us, (unsigned long long)v.detect_us);
	}
	bfd_totals(bfd, &t);
	printf("totals realtime=%d locked=%d strange=%llu late_max_us=%llu\n", t.realtime, t.locked,
	       (unsigned long long)t.strange, (unsigned long long)t.late_max_us);
	fflush(stdout);
}

/* False: quit. */
static bool command(char *line)
{
	char *value = strpbrk(line, " =");

	if (value)
		*value++ = '\0';
	for (size_t i = 0; i < peer_count; i++) {
		if (strcmp(line, "admin") == 0 && value) {
			must(line, bfd_session_admin(bfd, peers[i].slot, strcmp(value, "down") == 0));
		} else if (strcmp(line, "interval-ms") == 0 && value) {
			timers.interval_us = (uint32_t)atoi(value) * 1000U;
			must(line, bfd_session_set(bfd, peers[i].slot, &timers));
		}
	}
	if (strcmp(line, "status") == 0)
		show_status();
	return strcmp(line, "quit") != 0;
}

static void add_peer(char *arg)
{
	char *local = strchr(arg, '=');
	struct peer *p = &peers[peer_count++];

	if (local)
		*local++ = '\0';
	if (peer_count > BFD_SESSIONS_MAX || addr_parse(arg, &p->path.remote) < 0 ||
	    (local && addr_parse(local, &p->path.local) < 0))
		die(arg, 0);
}

int main(int argc, char **argv)
{
	char line[256];
	bool multihop = false, going = true;
	size_t len = 0;

	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "interval-ms=", 12) == 0)
			timers.interval_us = (uint32_t)atoi(argv[i] + 12) * 1000U;
		else if (strncmp(argv[i], "multiplier=", 11) == 0)
			timers.multiplier = (uint8_t)atoi(argv[i] + 11);
		else if (strcmp(argv[i], "multihop=1") == 0)
			multihop = true;
		else
			add_peer(argv[i]);
	}
	must("start", bfd_new(NULL, 0, &bfd));
	for (size_t i = 0; i < peer_count; i++) {
		peers[i].path.multihop = multihop;
		must("session", bfd_session_open(bfd, &peers[i].path, &timers, &peers[i].slot));
	}
	printf("%llu ready\n", (unsigned long long)clock_ms());
	fflush(stdout);
	while (going) {
		struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = bfd_fd(bfd), .events = POLLIN}};
		char *end;
		ssize_t n;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			die("poll", -errno);
		bfd_ack(bfd);
		show_changes();
		if (!(fds[0].revents & (POLLIN | POLLHUP)))
			continue;
		n = read(STDIN_FILENO, line + len, sizeof(line) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
		line[len] = '\0';
		while (going && (end = strchr(line, '\n')) != NULL) {
			*end = '\0';
			going = command(line);
			len -= (size_t)(end + 1 - line);
			memmove(line, end + 1, len + 1);
		}
	}
	for (size_t i = 0; i < peer_count; i++)
		must("close", bfd_session_close(bfd, peers[i].slot));
	bfd_free(bfd);
	return 0;
}
