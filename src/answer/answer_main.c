/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer process: one per core. A loop over epoll with the UDP and TCP sockets that the supervisor opened for this worker, the
 * stamp on the board that says "I am alive", and the supervisor's descriptor for the word "stop". It never opens, creates or
 * connects anything but the store's file, which it maps read-only, and where the configuration has backends sockets to those.
 *
 * Until sync has made a store nothing is read: queries wait in the socket for the moment. When sync had to make the file anew,
 * the inode on the board differs from ours and the worker ends itself: its successor maps the right one, and the sockets and what
 * is queued on them survive in the supervisor. */
#include "answer/answer_main.h"

#include "answer/behind.h"
#include "answer/cache.h"
#include "answer/forward.h"
#include "answer/hot.h"
#include "answer/live_steering.h"
#include "answer/rings.h"
#include "answer/stream.h"
#include "answer/udp.h"
#include "answer/worker.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "proc/role.h"
#include "tls/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	WORKER_EVENTS = 256,
	URGENT_EVENTS = 32,
	LOAD_TELL_MS = 200,
	SLICE_NS = 200000, /* see take_short_slices() */
};

enum source_kind { SOURCE_UDP, SOURCE_TCP, SOURCE_TLS, SOURCE_STREAMS, SOURCE_RING, SOURCE_BACKENDS, SOURCE_BEHIND, SOURCE_SUPERVISOR, SOURCE_URGENT };

/* What stands behind a descriptor in the epoll set. */
struct source {
	enum source_kind kind;
	int fd; /* -1: a free row */
	bool v6, wildcard;
	bool manages; /* sync may be asked over it: see serves_management() */
	bool urgent;
	unsigned network; /* whose address it is: measures_network_of() */
	struct endpoint at;
};

struct sources {
	struct source row[ROLE_SOCKETS_MAX];
	struct source supervisor, streams, urgent, backends, behind, ring[ROLE_RINGS_MAX];
	bool listening;
};

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

static int watch_source(struct worker *w, struct source *s)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};

	return epoll_ctl(s->urgent ? w->urgent : w->epoll, EPOLL_CTL_ADD, s->fd, &e) < 0 ? -errno : 0;
}

static void serve(struct worker *w, const struct source *s, int turns)
{
	const struct udp_source udp = {.fd = s->fd, .v6 = s->v6, .wildcard = s->wildcard, .manages = s->manages, .urgent = s->urgent,
	                               .network = s->network, .at = s->at};

	if (s->fd >= 0 && s->kind == SOURCE_UDP)
		udp_serve(w->udp, w, &udp, turns);
	else if (s->fd >= 0)
		stream_accept(w->streams, s->fd, s->kind == SOURCE_TLS, s->manages, s->network);
}

void worker_serve_urgent(struct worker *w, int turns)
{
	struct epoll_event events[URGENT_EVENTS];
	int n;

	/* Who is here has just answered a batch: on a machine without CPU to spare a whole turn may last longer than a worker may be silent. */
	board_stamp_now(&w->board->stamp, w->now_ns);
	n = w->urgent < 0 ? 0 : epoll_wait(w->urgent, events, URGENT_EVENTS, 0);

	for (int i = 0; i < n; i++)
		serve(w, events[i].data.ptr, turns);
}

static enum source_kind kind_of(const struct role_socket *s)
{
	switch ((enum role_socket_kind)s->kind) {
	case ROLE_SOCKET_UDP:
		return SOURCE_UDP;
	case ROLE_SOCKET_TLS:
		return SOURCE_TLS;
	case ROLE_SOCKET_TCP:
	case ROLE_SOCKET_CONTROL:
	case ROLE_SOCKET_HANDOVER:
	case ROLE_SOCKET_BGP:
	case ROLE_SOCKET_HTTP:
		break;
	}
	return SOURCE_TCP;
}

/* Transfers and NOTIFY are for the node's own addresses, and for all of the stand-alone form's. */
static bool serves_management(const struct role *role, const struct ip_addr *address)
{
	if (role->brief.zones_dir[0])
		return true;
	for (size_t i = 0; i < role->node->management_count; i++)
		if (addr_equal(&role->node->management[i], address))
			return true;
	return false;
}

/* Takes the descriptor over, also on failure. */
static int source_open(struct worker *w, const struct role *role, struct sources *all, const struct role_socket *s)
{
	for (size_t i = 0; i < ARRAY_LEN(all->row); i++) {
		struct source *r = &all->row[i];

		if (r->fd >= 0)
			continue;
		*r = (struct source){.kind = kind_of(s), .fd = s->fd,
		                     .v6 = s->at.addr.family == 6, .wildcard = addr_is_any(&s->at.addr),
		                     .manages = serves_management(role, &s->at.addr),
		                     .urgent = w->urgent >= 0 && serves_management(role, &s->at.addr),
		                     .network = measures_network_of(&w->measures, &s->at.addr), .at = s->at};
		return all->listening ? watch_source(w, r) : 0;
	}
	close(s->fd);
	return ERR_LIMIT;
}

static void source_close(struct worker *w, struct sources *all, const struct role_socket *s)
{
	enum source_kind kind = kind_of(s);

	for (size_t i = 0; i < ARRAY_LEN(all->row); i++) {
		struct source *r = &all->row[i];

		if (r->fd < 0 || r->kind != kind || r->at.port != s->at.port || !addr_equal(&r->at.addr, &s->at.addr))
			continue;
		epoll_ctl(r->urgent ? w->urgent : w->epoll, EPOLL_CTL_DEL, r->fd, NULL); /* closing does not do it: the supervisor has a copy */
		forward_forget_socket(w, r->fd);
		close(r->fd);
		r->fd = -1;
	}
}

/* Take the certificate and key of the configuration in force. What cannot be used, which the supervisor should have noticed, leaves TLS as it
 * is. */
static void take_certificate(struct worker *w, const struct role *role)
{
	const struct config_tls *t = &role->config->answer.tls;
	size_t certificate_len = 0, key_len = 0, clients_len = 0;
	const void *certificate, *key, *clients = NULL;
	char why[TLS_WHY_MAX] = "not handed over";
	struct ssl_ctx_st *context = NULL;
	int64_t expires = 0;
	int err;

	if (t->enabled) {
		certificate = bundle_get(role->bundle, t->certificate_file, &certificate_len);
		key = bundle_get(role->bundle, t->key_file, &key_len);
		if (t->client_ca_file)
			clients = bundle_get(role->bundle, t->client_ca_file, &clients_len);
		err = !certificate || !key || (t->client_ca_file && !clients)
		              ? ERR_NOT_FOUND
		              : tls_context_new(certificate, certificate_len, key, key_len, &context, &expires, why);
		if (!err && clients)
			err = tls_context_clients(context, clients, clients_len, why);
		if (err < 0) {
			log_err("tls certificate=%s error=\"%s\" action=\"what was before stays\"", t->certificate_file,
			        why);
			tls_context_free(context);
			return;
		}
	}
	stream_tls(w->streams, context);
	atomic_store_explicit(&w->board->tls_expires, (uint64_t)expires, memory_order_relaxed);
}

static void set_pace(struct worker *w)
{
	uint64_t seed;

	random_bytes(&seed, sizeof(seed));
	sample_pace_set(&w->pace, w->settings->sample_every, seed);
	sample_pace_set(&w->tap_pace, w->taps.ring ? w->settings->tap_every : 0, seed);
}

/* The cache of the settings in force, with nothing in it. Without memory for one every answer is made anew. */
static void set_cache(struct worker *w)
{
	struct answer_cache **cache = &w->scratch->cache;
	uint32_t octets = w->settings->cache;

	if (octets != w->cache_octets) {
		cache_free(*cache);
		*cache = NULL;
		if (octets && cache_new(octets, cache) < 0)
			log_err("answer what=cache error=\"%s\"", err_text(ERR_NO_MEMORY));
		w->cache_octets = octets;
	}
	cache_clear(*cache);
}

static int reload(struct worker *w, struct role *role, struct sources *all, int fd)
{
	struct bundle *old_bundle = NULL;
	struct config *old = NULL;
	struct settings *next;
	int err = role_take_config(role, fd, &old, &old_bundle);

	if (err < 0)
		return err;
	/* Sockets to backends are made by this worker, which its sandbox allows only where there are some: a successor can. */
	if (role->config->backend_count && !w->forward) {
		log_notice("answer what=backends action=restart");
		err = ERR_CLOSED;
	}
	if (!err)
		err = settings_make(role->config, role->bundle, role->brief.node, w->index, role->brief.workers, &next);
	if (!err) {
		settings_free(w->settings);
		w->settings = next;
		live_steering_settings(w->steering, w->settings->steering);
		hot_renew(w->hot);
		stream_limit(w->streams, &w->settings->streams);
		set_pace(w);
		set_cache(w);
		err = forward_reload(w, role->config, role->brief.workers);
		if (!err && w->behind)
			err = behind_reload(w->behind, w, role);
		take_certificate(w, role);
		measures_networks(&w->measures, old, role->config, role->brief.node);
		for (size_t i = 0; i < ARRAY_LEN(all->row); i++)
			all->row[i].network = measures_network_of(&w->measures, &all->row[i].at.addr);
	}
	config_free(old);
	bundle_free(old_bundle);
	return err;
}

/* One message of the supervisor. False when this worker is to end; a successor starts with whatever it could not take. */
static bool obey(struct worker *w, struct role *role, struct sources *all, struct role_message *m)
{
	struct role_socket socket;
	int fd = -1, got = role_receive(role->brief.supervisor_fd, m, &fd), err = 0;
	bool about_socket;

	if (got <= 0)
		return got == 0;
	about_socket = m->kind == ROLE_SOCKET_OPEN || m->kind == ROLE_SOCKET_CLOSE;
	if (about_socket && m->text_len == sizeof(socket)) {
		memcpy(&socket, m->text, sizeof(socket));
		if (m->kind == ROLE_SOCKET_CLOSE) {
			source_close(w, all, &socket);
		} else if (fd >= 0) {
			socket.fd = fd;
			fd = -1;
			err = source_open(w, role, all, &socket);
		}
	} else if (m->kind == ROLE_RELOAD && fd >= 0) {
		err = reload(w, role, all, fd);
	} else {
		err = ERR_CLOSED;
	}
	if (fd >= 0)
		close(fd);
	if (err < 0 && err != ERR_CLOSED)
		log_err("answer message=%u error=\"%s\" action=restart", m->kind, err_text(err));
	return err == 0;
}

/* For those who judge how busy this worker is. What the kernel dropped is counted by the sockets, which outlive workers. */
static void tell_load(struct worker *w, const struct sources *all)
{
	uint64_t lost = 0;
	struct timespec t;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0)
		atomic_store_explicit(&w->board->cpu_ns, (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec, memory_order_relaxed);
	for (size_t i = 0; i < ARRAY_LEN(all->row); i++) {
		uint32_t info[SK_MEMINFO_VARS];
		socklen_t len = sizeof(info);

		if (all->row[i].fd >= 0 && all->row[i].kind == SOURCE_UDP && getsockopt(all->row[i].fd, SOL_SOCKET, SO_MEMINFO, info, &len) == 0 &&
		    len > SK_MEMINFO_DROPS * sizeof(info[0]))
			lost += info[SK_MEMINFO_DROPS];
	}
	atomic_store_explicit(&w->board->overflows, lost, memory_order_relaxed);
}

static void take_fault(struct worker *w)
{
	const struct board_supervisor *b = &w->whole->supervisor;
	uint32_t fault = atomic_load_explicit(&b->fault, memory_order_relaxed), worker = atomic_load_explicit(&b->fault_worker, memory_order_relaxed);
	bool mine = worker == UINT32_MAX || worker == w->index;

	w->settings->engine.servfail = fault == FAULT_SERVFAIL && mine;
	w->settings->engine.wrong = fault == FAULT_WRONG && mine;
	w->settings->engine.mark_key = b->edge_key;
}

static int begin_listening(struct worker *w, struct sources *all)
{
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_LEN(all->row); i++)
		if (all->row[i].fd >= 0)
			err = watch_source(w, &all->row[i]);
	for (unsigned i = 0; !err && i < ARRAY_LEN(all->ring); i++) {
		all->ring[i] = (struct source){.kind = SOURCE_RING, .fd = rings_fd(w->rings, i)};
		if (all->ring[i].fd >= 0)
			err = watch_source(w, &all->ring[i]);
	}
	all->listening = true;
	return err;
}

/* The table of rate limits where it is a map of the kernel's, which does not tell its size. */
static int map_kernel_rates(const struct role_brief *b, void **memory, size_t *len)
{
	void *m = mmap(NULL, b->rate_len, PROT_READ | PROT_WRITE, MAP_SHARED, b->rate_fd, 0);
	int err = m == MAP_FAILED ? -errno : 0;

	close(b->rate_fd);
	if (err)
		return err;
	*memory = m;
	*len = b->rate_len;
	return 0;
}

/* Shared memory of the supervisor's. Without it there are no limits and no samples: that is no reason not to answer. */
static void map_shared(struct worker *w, const struct role_brief *b)
{
	void *memory;
	size_t len;
	int err;

	err = b->rate_len ? map_kernel_rates(b, &memory, &len) : role_map(b->rate_fd, true, &memory, &len);
	if (!err)
		err = rate_table_open(memory, len, &w->rates);
	if (err < 0 && err != ERR_NOT_FOUND)
		log_err("answer what=rate-limit error=\"%s\"", err_text(err));
	err = role_map(b->sample_fd, true, &memory, &len);
	if (!err)
		err = sample_rings_open(memory, len, &w->samples);
	if (err < 0 && err != ERR_NOT_FOUND)
		log_err("answer what=query-log error=\"%s\"", err_text(err));
	err = role_map(b->tap_fd, true, &memory, &len);
	if (!err)
		err = tap_rings_open(memory, len, &w->taps);
	if (err < 0 && err != ERR_NOT_FOUND)
		log_err("answer what=dnstap error=\"%s\"", err_text(err));
}

/* What backends answered. Where the supervisor had no memory for it, or it cannot be used, this worker has a small one of its own. */
static void map_backend_cache(struct worker *w, const struct role_brief *b)
{
	size_t len = EDGE_CACHE_MIN;
	uint64_t key[2];
	void *memory;
	int err = role_map(b->backend_cache_fd, true, &memory, &len);

	if (!err)
		err = edge_cache_attach(memory, len, b->index, &w->scratch->backend_cache);
	if (!err)
		return;
	log_err("answer what=backend-cache error=\"%s\" action=\"a small one of this worker's own\"", err_text(err));
	len = EDGE_CACHE_MIN;
	memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return;
	random_bytes(key, sizeof(key));
	edge_cache_format(memory, len, key);
	if (edge_cache_attach(memory, len, b->index, &w->scratch->backend_cache) < 0)
		munmap(memory, len);
}

/* A worker that wakes for a query is to run at once where sync loads or transfers a large zone on the same CPU. What decides is not how much of the CPU it may have, but in how short
 * slices it takes it: a task with shorter ones interrupts (Linux 6.12; before, this changes nothing). Needs no right; refused, answers are a little later at such times. */
static void take_short_slices(void)
{
	struct { /* struct sched_attr, first version */
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {.size = sizeof(attr), .runtime = SLICE_NS};

	errno = 0;
	attr.nice = getpriority(PRIO_PROCESS, 0);
	if (!errno)
		(void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

int answer_main(struct role *role)
{
	struct worker w = {.board = &role->board->workers[role->brief.index], .whole = role->board};
	struct sources *sources = calloc(1, sizeof(*sources));
	struct role_message *message = calloc(1, sizeof(*message));
	struct epoll_event events[WORKER_EVENTS];
	uint64_t stamped_ns = 0, told_ns = 0;
	bool running = true, busy = false;
	int err;

	w.scratch = calloc(1, sizeof(*w.scratch));
	w.udp = udp_new();
	w.epoll = epoll_create1(EPOLL_CLOEXEC);
	/* In the stand-alone form every address is for everything. */
	w.urgent = role->brief.zones_dir[0] ? -1 : epoll_create1(EPOLL_CLOEXEC);
	if (!sources || !message || !w.udp || !w.scratch || w.epoll < 0) {
		log_err("answer error=\"%s\"", err_text(ERR_NO_MEMORY));
		return 1;
	}
	err = role->config ? settings_make(role->config, role->bundle, role->brief.node, role->brief.index, role->brief.workers, &w.settings) : ERR_MALFORMED;
	if (err < 0) {
		log_err("answer what=settings error=\"%s\"", err_text(err));
		return 1;
	}
	map_shared(&w, &role->brief);
	w.index = role->brief.index;
	w.now_s = (uint32_t)clock_wall_s();
	measures_init(&w.measures, &w.board->measures, role->board->sketch_key, w.now_s);
	measures_networks(&w.measures, NULL, role->config, role->brief.node);
	w.handover = role->brief.handover_fd;
	w.status = role->brief.status_fd;
	take_short_slices();
	set_pace(&w);
	set_cache(&w);
	err = hot_new(role->brief.xdp_fd, role->brief.index, &w.hot);
	if (err < 0)
		log_err("answer what=xdp error=\"%s\"", err_text(err)); /* no reason not to answer */
	/* What has to be waited for leaves by the socket that it came to: an AF_XDP socket keeps nothing. */
	w.rings = w.hot && !role->config->backend_count ? rings_new(&role->brief) : NULL;
	if (role->config->backend_count) {
		hot_renew(w.hot); /* a predecessor without them may have put answers of zones above theirs into the kernel */
		map_backend_cache(&w, &role->brief);
		w.forward = forward_new(&w, role->config, role->brief.workers);
		if (!w.forward || !w.scratch->backend_cache) {
			log_err("answer error=\"%s\"", err_text(ERR_NO_MEMORY));
			return 1;
		}
	}
	tls_warm(); /* before the sandbox, and before connections to backends are thought of */
	if (w.forward) {
		w.behind = behind_new(&w, role);
		if (!w.behind) {
			log_err("answer error=\"%s\"", err_text(ERR_NO_MEMORY));
			return 1;
		}
	}
	err = 0;
	random_bytes(&w.scratch->dice, sizeof(w.scratch->dice));
	w.steering = live_steering_new(&role->board->watch.endpoints);
	if (!w.steering) {
		log_err("answer error=\"%s\"", err_text(ERR_NO_MEMORY));
		return 1;
	}
	live_steering_settings(w.steering, w.settings->steering);
	w.streams = stream_new(&w, &w.settings->streams);
	if (!w.streams) {
		log_err("answer error=\"%s\"", err_text(ERR_NO_MEMORY));
		return 1;
	}
	take_certificate(&w, role);
	/* What a predecessor had pinned is not being read any more. */
	atomic_store(&w.board->pin, STORE_UNPINNED);
	atomic_store(&w.board->store_ino, 0);
	atomic_store(&w.board->tcp_open, 0);
	atomic_store(&w.board->tls_open, 0);
	atomic_store(&w.board->tls_relays, 0);
	for (size_t i = 0; i < ARRAY_LEN(sources->row); i++)
		sources->row[i].fd = -1;
	for (uint32_t i = 0; i < role->brief.socket_count && !err; i++)
		err = source_open(&w, role, sources, &role->brief.sockets[i]);
	sources->supervisor = (struct source){.kind = SOURCE_SUPERVISOR, .fd = role->brief.supervisor_fd};
	if (!err)
		err = watch_source(&w, &sources->supervisor);
	sources->streams = (struct source){.kind = SOURCE_STREAMS, .fd = stream_fd(w.streams)};
	if (!err)
		err = watch_source(&w, &sources->streams);
	sources->urgent = (struct source){.kind = SOURCE_URGENT, .fd = w.urgent};
	if (!err && w.urgent >= 0)
		err = watch_source(&w, &sources->urgent);
	sources->backends = (struct source){.kind = SOURCE_BACKENDS, .fd = w.forward ? forward_fd(w.forward) : -1};
	if (!err && w.forward)
		err = watch_source(&w, &sources->backends);
	sources->behind = (struct source){.kind = SOURCE_BEHIND, .fd = w.behind ? behind_fd(w.behind) : -1};
	if (!err && w.behind)
		err = watch_source(&w, &sources->behind);
	if (err < 0 || role_sandbox(role) < 0)
		return 1;
	board_stamp_now(&w.board->loop, clock_ns());
	while (running) {
		int wait = forward_wait_ms(&w), n;
		bool streams_ready = busy;

		wait = busy ? 0 : !sources->listening ? 1 : wait >= 0 ? MIN(wait, (int)WORKER_STAMP_MS) : (int)WORKER_STAMP_MS;
		n = epoll_wait(w.epoll, events, WORKER_EVENTS, wait);
		w.now_ns = clock_ns();
		if (w.now_ns - stamped_ns >= (uint64_t)WORKER_STAMP_MS * 500000U) {
			stamped_ns = w.now_ns;
			w.now_s = (uint32_t)clock_wall_s();
			measures_day(&w.measures, w.now_s);
			cache_tick(w.scratch->cache, w.now_s);
			board_stamp_now(&w.board->stamp, w.now_ns);
			if (!store_ready(&w, role))
				break;
			hot_lease(w.hot, sources->listening && !w.settings->engine.servfail ? w.now_ns : 0);
			if (sources->listening)
				rings_tick(w.rings, &w);
			stream_expire(w.streams);
			if (w.now_ns - told_ns >= (uint64_t)LOAD_TELL_MS * 1000000U) {
				told_ns = w.now_ns;
				tell_load(&w, sources);
			}
		}
		take_fault(&w);
		live_steering_tick(w.steering, w.now_ns);
		if (w.store && !sources->listening) {
			err = begin_listening(&w, sources);
			if (err < 0) {
				log_err("answer error=\"%s\"", err_text(err));
				return 1;
			}
		}
		for (int i = 0; i < n && running; i++) {
			struct source *s = events[i].data.ptr;

			if (s == &sources->supervisor)
				running = obey(&w, role, sources, message);
			else if (s == &sources->streams)
				streams_ready = true;
			else if (s->kind == SOURCE_RING)
				rings_serve(w.rings, &w, (unsigned)(s - sources->ring));
			else if (s == &sources->urgent)
				worker_serve_urgent(&w, UDP_TURNS);
			else if (s == &sources->backends)
				forward_serve(&w);
			else if (s == &sources->behind)
				behind_serve(&w);
			else
				serve(&w, s, UDP_TURNS);
		}
		forward_tick(&w);
		if (w.hot && w.store)
			hot_fill(w.hot, &w);
		/* After UDP, and for a bounded time. */
		if (streams_ready)
			busy = stream_turn(w.streams);
		behind_tick(&w);
		busy = busy || stream_busy(w.streams);
	}
	hot_lease(w.hot, 0);
	rings_end(w.rings, &w);
	rings_free(w.rings);
	hot_free(w.hot);
	stream_free(w.streams);
	behind_free(w.behind, &w);
	forward_free(w.forward);
	measures_done(&w.measures);
	settings_free(w.settings);
	live_steering_free(w.steering);
	udp_free(w.udp);
	free(sources);
	free(message);
	cache_free(w.scratch->cache);
	edge_cache_detach(w.scratch->backend_cache);
	free(w.scratch);
	store_reader_close(w.store);
	return 0;
}
