/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer process: one per core. A loop over epoll with the UDP and TCP sockets that the supervisor opened for this worker, the
 * stamp on the board that says "I am alive", and the supervisor's descriptor for the word "stop". It never opens, creates or
 * connects anything but the store's file, which it maps read-only.
 *
 * Until sync has made a store nothing is read: queries wait in the socket for the moment. When sync had to make the file anew,
 * the inode on the board differs from ours and the worker ends itself: its successor maps the right one, and the sockets and what
 * is queued on them survive in the supervisor. */
#include "answer/answer_main.h"

#include "answer/stream.h"
#include "answer/udp.h"
#include "answer/worker.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "proc/role.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	WORKER_EVENTS = 256,
};

enum source_kind { SOURCE_UDP, SOURCE_TCP, SOURCE_STREAMS, SOURCE_SUPERVISOR };

/* What stands behind a descriptor in the epoll set. */
struct source {
	enum source_kind kind;
	int fd;
	bool v6, wildcard;
};

void worker_answer(struct worker *w, const struct store_snapshot *s, enum engine_transport transport, bool v6,
                   const uint8_t *msg, size_t len, uint8_t *out, size_t cap, struct engine_result *result)
{
	struct board_worker *b = w->board;

	(void)v6;
	engine_answer(&w->engine, s, w->scratch, transport, msg, len, out, cap, result);
	if (!result->len) {
		board_add(&b->dropped, 1);
		return;
	}
	board_add(&b->answers, 1);
	board_add(&b->bytes_out, result->len);
	board_add(&b->rcodes[result->rcode < BOARD_RCODES ? result->rcode : BOARD_RCODES - 1], 1);
	if (result->truncated)
		board_add(&b->truncated, 1);
}

static bool store_ready(struct worker *w, const struct role *role)
{
	uint64_t ino = board_get(&w->whole->sync.store_ino);
	struct stat st;

	if (w->store)
		return !ino || ino == board_get(&w->board->store_ino);
	if (stat(role->brief.store_path, &st) < 0 || (ino && st.st_ino != ino))
		return true;
	if (store_reader_open(role->brief.store_path, &w->board->pin, &w->store) == 0)
		atomic_store_explicit(&w->board->store_ino, st.st_ino, memory_order_relaxed);
	return true;
}

static int add_source(struct worker *w, struct source *s)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};

	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, s->fd, &e) < 0 ? -errno : 0;
}

/* True when the supervisor wants this worker to end. */
static bool stop_asked(const struct role *role)
{
	struct role_message *m = calloc(1, sizeof(*m));
	int fd = -1, got = m ? role_receive(role->brief.supervisor_fd, m, &fd) : ERR_NO_MEMORY;
	bool stop = got < 0 || (got == 1 && (m->kind == ROLE_STOP || m->kind == ROLE_RELOAD));

	if (fd >= 0)
		close(fd);
	free(m);
	return stop;
}

int answer_main(struct role *role)
{
	struct worker w = {
		.board = &role->board->workers[role->brief.index],
		.whole = role->board,
		.engine = {.identity = {.nsid = role->brief.node, .version = "zonecast " ZONECAST_VERSION},
	                   .udp_max = DNS_UDP_DEFAULT},
	};
	struct source sources[ROLE_SOCKETS_MAX + 2];
	uint32_t source_count = role->brief.socket_count;
	struct epoll_event events[WORKER_EVENTS];
	const struct stream_limits node = {.connections = 20000, .per_client = 1000, .idle_ms = 10000, .memory = 64 << 20};
	const struct stream_limits limits = stream_limits_share(&node, role->brief.workers);
	struct udp *udp = udp_new();
	struct stream *streams = stream_new(&w, &limits);
	uint64_t stamped_ns = 0;
	bool listening = false, running = true, busy = false;
	int err;

	w.scratch = calloc(1, sizeof(*w.scratch));
	w.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!udp || !streams || !w.scratch || w.epoll < 0) {
		log_err("answer error=\"%s\"", err_text(ERR_NO_MEMORY));
		return 1;
	}
	/* What a predecessor had pinned is not being read any more. */
	atomic_store(&w.board->pin, STORE_UNPINNED);
	atomic_store(&w.board->store_ino, 0);
	atomic_store(&w.board->tcp_open, 0);
	for (uint32_t i = 0; i < source_count; i++) {
		const struct role_socket *s = &role->brief.sockets[i];

		sources[i] = (struct source){.kind = s->kind == ROLE_SOCKET_UDP ? SOURCE_UDP : SOURCE_TCP, .fd = s->fd,
		                             .v6 = s->at.addr.family == 6, .wildcard = addr_is_any(&s->at.addr)};
	}
	sources[source_count] = (struct source){.kind = SOURCE_SUPERVISOR, .fd = role->brief.supervisor_fd};
	sources[source_count + 1] = (struct source){.kind = SOURCE_STREAMS, .fd = stream_fd(streams)};
	err = add_source(&w, &sources[source_count]);
	if (!err)
		err = add_source(&w, &sources[source_count + 1]);
	if (err < 0 || role_sandbox(role) < 0)
		return 1;
	while (running) {
		int n = epoll_wait(w.epoll, events, WORKER_EVENTS, busy ? 0 : listening ? ROLE_STAMP_MS : 1);
		bool streams_ready = busy;

		w.now_ns = clock_ns();
		if (w.now_ns - stamped_ns >= (uint64_t)ROLE_STAMP_MS * 500000U) {
			stamped_ns = w.now_ns;
			board_stamp_now(&w.board->stamp, w.now_ns);
			if (!store_ready(&w, role))
				break;
			stream_expire(streams);
		}
		w.engine.servfail = atomic_load_explicit(&w.whole->supervisor.fault_servfail, memory_order_relaxed);
		if (w.store && !listening) {
			for (uint32_t i = 0; i < source_count && !err; i++)
				err = add_source(&w, &sources[i]);
			if (err < 0) {
				log_err("answer error=\"%s\"", err_text(err));
				return 1;
			}
			listening = true;
		}
		for (int i = 0; i < n; i++) {
			struct source *s = events[i].data.ptr;

			if (s->kind == SOURCE_UDP)
				udp_serve(udp, &w, s->fd, s->v6, s->wildcard);
			else if (s->kind == SOURCE_TCP)
				stream_accept(streams, s->fd, s->v6, false);
			else if (s->kind == SOURCE_STREAMS)
				streams_ready = true;
			else if (stop_asked(role))
				running = false;
		}
		/* After UDP, and for a bounded time. */
		if (streams_ready)
			busy = stream_turn(streams);
	}
	stream_free(streams);
	udp_free(udp);
	free(w.scratch);
	store_reader_close(w.store);
	return 0;
}
