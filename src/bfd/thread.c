/* SPDX-License-Identifier: BSD-2-Clause */
/* Bidirectional Forwarding Detection (RFC 5880, 5881, 5883): notices within some hundred milliseconds that the path to a router, or the router,
 * is gone, and lets the router notice as fast that this node is. One thread does it for all neighbors of a node:
 *
 *   packet.c  the control packet        fsm.c    one session (pure)
 *   table.c   which session a packet is for (pure)   socket.c sockets
 *   thread.c  this file: waits, receives, asks the sessions what is to be sent, sends
 *
 * The price of BFD on a machine that does other work is false alarms: a thread that gets no CPU for three intervals has taken a healthy site
 * off the net. So the thread is SCHED_RR where that is allowed, all that it touches is locked into memory, it allocates nothing, takes no lock and
 * writes no log line, and it knows the clock by ppoll() alone. When it did get no CPU it first takes what has arrived meanwhile, and then judges
 * the detection times. What it may use of a CPU is bounded: BFD_BURST packets a millisecond, whoever sends them.
 *
 * The loop beside it speaks to it by a ring of commands, which has one writer and one reader, and an eventfd; it is answered by words that the thread
 * alone writes, and another eventfd. Neither waits for the other. Sockets are made and closed by the loop.
 *
 * A node that cannot answer must not look alive: the thread would live on happily beside workers that hang. So it looks at heartbeats
 * (struct bfd_liveness); while one of them is too old every session is held Down with diagnostic "path down", upon which routers drop the
 * BGP session within one packet. It is let go when all have been good for BFD_REOPEN_MS.
 *
 * Discriminators and source ports are random. A packet is believed when it comes from the neighbor's address, over the right kind of path, with
 * TTL 255 where the neighbor is on the link; all else is counted, for the neighbor where its address is one. Packets that come with another
 * TTL to the port for neighbors on the link are steered to a socket of their own by the kernel (socket.c), so that a flood from afar does
 * not push out the neighbor's.
 *
 * Known omissions: authentication (RFC 5880 6.7; FRR has none, TTL 255 is what protects a link), echo and demand mode of ours (a neighbor's demand
 * is honoured), micro-BFD on aggregated links (RFC 7130), seamless BFD. Multihop packets are protected by addresses and discriminators only. */
#include "bfd/thread.h"

#include "base/clock.h"
#include "base/err.h"
#include "bfd/socket.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#ifndef MCL_ONFAULT
#define MCL_ONFAULT 4
#endif

enum {
	COMMANDS = 256,    /* a power of two: all sessions gone, all anew, with room */
	LISTENERS = 6,     /* family x kind of path, and for what comes from afar */
	HELD_LOOK_MS = 20, /* how often heartbeats are looked at while held */
	STACK = 1 << 20,   /* the program's thread-local variables are part of it; what is not touched costs nothing */
};
#define MS    1000000ULL
#define NEVER UINT64_MAX

enum command_kind { COMMAND_LISTEN, COMMAND_OPEN, COMMAND_SET, COMMAND_ADMIN, COMMAND_CLOSE, COMMAND_QUIT };
struct command {
	enum command_kind kind;
	unsigned slot, serial;
	int fd;
	bool flag; /* LISTEN: multihop; ADMIN: down */
	uint32_t discriminator;
	struct bfd_timers timers;
	struct bfd_path path;
};

/* Written by the thread alone. */
struct cell {
	_Atomic uint32_t serial; /* which session this is about, the last word written when it comes; 0: none */
	_Atomic uint32_t closed; /* the last one that has gone */
	_Atomic uint32_t state, remote_state, diag, remote_diag, why;
	_Atomic uint64_t since_ns, transitions, falls, tx_us, detect_us, in, out, bad, unsent;
	_Atomic int send_error;
};

/* The loop's side of a slot. */
struct claim {
	uint32_t serial; /* 0: free */
	bool closing;
	int fd;
};

struct listener {
	int fd;
	bool multihop;
};

struct bfd {
	/* Shared: see above each for who writes. */
	struct command command[COMMANDS];
	_Atomic uint32_t command_tail; /* loop */
	_Atomic uint32_t command_head; /* thread */
	struct cell cell[BFD_SESSIONS_MAX];
	_Atomic uint32_t running, realtime, held, held_by; /* thread */
	_Atomic uint64_t held_count, strange, late_max_us;
	int wake_fd, event_fd;
	/* The loop's. */
	pthread_t thread;
	bool locked;
	uint32_t serial;
	struct claim claim[BFD_SESSIONS_MAX];
	bool listening[2][2]; /* [IPv6][multihop] */
	/* The thread's. */
	struct bfd_liveness live[BFD_LIVENESS_MAX];
	size_t live_count;
	struct bfd_table table;
	struct listener listener[LISTENERS];
	size_t listeners;
	unsigned sessions;
	struct bfd_received received;
	uint64_t random;
	uint64_t look_at_ns, good_since_ns, paused_until_ns;
	bool changed, quit;
};

/* ---- the thread ---- */

static void put(_Atomic uint64_t *word, uint64_t v)
{
	atomic_store_explicit(word, v, memory_order_relaxed);
}

static void put_small(_Atomic uint32_t *word, uint32_t v)
{
	atomic_store_explicit(word, v, memory_order_relaxed);
}

static void count(_Atomic uint64_t *word)
{
	put(word, atomic_load_explicit(word, memory_order_relaxed) + 1);
}

/* xorshift64*: jitter need not be hard to guess. */
static uint32_t draw(struct bfd *b)
{
	b->random ^= b->random >> 12;
	b->random ^= b->random << 25;
	b->random ^= b->random >> 27;
	return (uint32_t)((b->random * 0x2545f4914f6cdd1dULL) >> 32);
}

static void show(struct bfd *b, unsigned slot)
{
	const struct bfd_fsm *f = &b->table.entry[slot].fsm;
	struct cell *c = &b->cell[slot];

	if (f->transitions != atomic_load_explicit(&c->transitions, memory_order_relaxed) ||
	    f->why != atomic_load_explicit(&c->why, memory_order_relaxed))
		b->changed = true;
	put_small(&c->state, f->state);
	put_small(&c->remote_state, f->remote_state);
	put_small(&c->diag, f->diag);
	put_small(&c->remote_diag, f->remote_diag);
	put_small(&c->why, f->why);
	put(&c->since_ns, f->since_ns);
	put(&c->transitions, f->transitions);
	put(&c->tx_us, bfd_fsm_tx_us(f));
	put(&c->detect_us, bfd_fsm_detect_us(f));
	/* Last, so that who sees it fall sees why. */
	atomic_store_explicit(&c->falls, f->falls, memory_order_release);
}

static void send_one(struct bfd *b, unsigned slot, bool final)
{
	const struct bfd_entry *e = &b->table.entry[slot];
	struct bfd_packet p = bfd_fsm_packet(&e->fsm, final);
	struct cell *c = &b->cell[slot];
	uint8_t octets[BFD_PACKET_LEN];
	ssize_t n;

	bfd_packet_write(&p, octets);
	n = sendto(e->fd, octets, sizeof(octets), MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&e->to,
	           e->to_len);
	atomic_store_explicit(&c->send_error, n < 0 ? -errno : 0, memory_order_relaxed);
	count(n < 0 ? &c->unsent : &c->out);
}

static void carry_out(struct bfd *b, unsigned slot, unsigned what)
{
	if (what & BFD_SEND_FINAL)
		send_one(b, slot, true);
	if (what & BFD_SEND)
		send_one(b, slot, false);
	show(b, slot);
}

static void open_session(struct bfd *b, const struct command *cmd, uint64_t now)
{
	struct bfd_entry *e = &b->table.entry[cmd->slot];
	struct cell *c = &b->cell[cmd->slot];
	_Atomic uint64_t *const zero[] = {&c->in, &c->out, &c->bad, &c->unsent};

	*e = (struct bfd_entry){.used = true, .path = cmd->path, .fd = cmd->fd};
	e->to_len = bfd_socket_target(&cmd->path, &e->to);
	bfd_fsm_init(&e->fsm, &cmd->timers, cmd->discriminator, now, draw(b));
	bfd_fsm_hold(&e->fsm, atomic_load_explicit(&b->held, memory_order_relaxed), now, draw(b));
	for (size_t i = 0; i < ARRAY_LEN(zero); i++)
		put(zero[i], 0);
	atomic_store_explicit(&c->send_error, 0, memory_order_relaxed);
	b->sessions++;
	b->look_at_ns = 0;
	show(b, cmd->slot);
	atomic_store_explicit(&c->serial, cmd->serial, memory_order_release);
	b->changed = true;
}

static void close_session(struct bfd *b, const struct command *cmd, uint64_t now)
{
	struct bfd_entry *e = &b->table.entry[cmd->slot];
	struct cell *c = &b->cell[cmd->slot];

	carry_out(b, cmd->slot, bfd_fsm_admin(&e->fsm, true, now, draw(b)));
	e->used = false;
	b->sessions--;
	put_small(&c->serial, 0);
	atomic_store_explicit(&c->closed, cmd->serial, memory_order_release);
	b->changed = true;
}

static void obey(struct bfd *b, const struct command *cmd, uint64_t now)
{
	struct bfd_fsm *f = &b->table.entry[cmd->slot].fsm;

	switch (cmd->kind) {
	case COMMAND_LISTEN:
		b->listener[b->listeners++] = (struct listener){cmd->fd, cmd->flag};
		break;
	case COMMAND_OPEN:
		open_session(b, cmd, now);
		break;
	case COMMAND_SET:
		bfd_fsm_set(f, &cmd->timers, now, draw(b));
		show(b, cmd->slot);
		break;
	case COMMAND_ADMIN:
		carry_out(b, cmd->slot, bfd_fsm_admin(f, cmd->flag, now, draw(b)));
		break;
	case COMMAND_CLOSE:
		close_session(b, cmd, now);
		break;
	case COMMAND_QUIT:
		b->quit = true;
		break;
	}
}

static void take_commands(struct bfd *b, uint64_t now)
{
	uint32_t head = atomic_load_explicit(&b->command_head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(&b->command_tail, memory_order_acquire);

	for (; head != tail && !b->quit; head++) {
		obey(b, &b->command[head % COMMANDS], now);
		atomic_store_explicit(&b->command_head, head + 1, memory_order_release);
	}
}

static void take_packet(struct bfd *b, uint64_t now)
{
	const struct bfd_received *r = &b->received;
	struct bfd_packet p;
	int slot = -1;

	if (bfd_origin_near(&r->origin) && bfd_packet_read(r->octets, r->len, &p) == BFD_FINE)
		slot = bfd_table_find(&b->table, &p, &r->origin);
	if (slot < 0) {
		slot = bfd_table_by_address(&b->table, &r->origin);
		count(slot < 0 ? &b->strange : &b->cell[slot].bad);
		return;
	}
	count(&b->cell[slot].in);
	carry_out(b, (unsigned)slot, bfd_fsm_receive(&b->table.entry[slot].fsm, &p, now, draw(b)));
}

/* Every socket has its share of the burst, so that one that is flooded does not starve the others. */
static void receive(struct bfd *b)
{
	for (size_t i = 0; i < b->listeners; i++) {
		unsigned n = 0, most = BFD_BURST / LISTENERS;

		while (n < most && bfd_socket_receive(b->listener[i].fd, b->listener[i].multihop, &b->received) == 1) {
			take_packet(b, clock_ns());
			n++;
		}
		if (n == most)
			b->paused_until_ns = clock_ns() + BFD_PAUSE_US * 1000ULL;
	}
}

/* Are all heartbeats young enough? *until is when that has to be looked at again. */
static bool all_alive(struct bfd *b, uint64_t now, uint64_t *until)
{
	*until = NEVER;
	for (size_t i = 0; i < b->live_count; i++) {
		uint64_t stamp = atomic_load_explicit(b->live[i].stamp, memory_order_relaxed),
			 end = stamp + b->live[i].limit_ns;

		if (!stamp || end <= now) {
			put_small(&b->held_by, (uint32_t)i);
			return false;
		}
		*until = MIN(*until, end);
	}
	return true;
}

static void hold_all(struct bfd *b, bool held, uint64_t now)
{
	put_small(&b->held, held);
	if (held)
		count(&b->held_count);
	for (unsigned i = 0; i < BFD_SESSIONS_MAX; i++)
		if (b->table.entry[i].used)
			carry_out(b, i, bfd_fsm_hold(&b->table.entry[i].fsm, held, now, draw(b)));
	b->changed = true;
}

static void look_at_heartbeats(struct bfd *b, uint64_t now)
{
	bool held = atomic_load_explicit(&b->held, memory_order_relaxed);
	uint64_t until;

	if (now < b->look_at_ns)
		return;
	if (!b->sessions) {
		b->look_at_ns = NEVER;
		return;
	}
	if (!all_alive(b, now, &until)) {
		b->good_since_ns = 0;
		b->look_at_ns = now + HELD_LOOK_MS * MS;
		if (!held)
			hold_all(b, true, now);
		return;
	}
	b->look_at_ns = until;
	if (!held)
		return;
	if (!b->good_since_ns)
		b->good_since_ns = now;
	if (now - b->good_since_ns >= BFD_REOPEN_MS * MS) {
		hold_all(b, false, now);
	} else {
		b->look_at_ns = now + HELD_LOOK_MS * MS;
	}
}

/* What is due; returns when the next thing is. */
static uint64_t tick(struct bfd *b, uint64_t now)
{
	uint64_t next = b->look_at_ns;

	for (unsigned i = 0; i < BFD_SESSIONS_MAX; i++) {
		struct bfd_entry *e = &b->table.entry[i];
		uint64_t due = e->used ? bfd_fsm_deadline(&e->fsm) : NEVER;

		if (due <= now) {
			if ((now - due) / 1000 > atomic_load_explicit(&b->late_max_us, memory_order_relaxed))
				put(&b->late_max_us, (now - due) / 1000);
			carry_out(b, i, bfd_fsm_tick(&e->fsm, now, draw(b)));
			due = bfd_fsm_deadline(&e->fsm);
		}
		next = MIN(next, due);
	}
	return next;
}

static void tell_loop(struct bfd *b)
{
	static const uint64_t one = 1;

	/* A full counter is as good: the loop has not come to read it. */
	if (b->changed && write(b->event_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return;
	b->changed = false;
}

static void wait_until(struct bfd *b, uint64_t until, uint64_t now)
{
	struct pollfd fds[1 + LISTENERS] = {{.fd = b->wake_fd, .events = POLLIN}};
	bool paused = now < b->paused_until_ns;
	struct timespec ts;
	uint64_t left, unused;
	nfds_t n = 1;

	for (size_t i = 0; i < b->listeners && !paused; i++)
		fds[n++] = (struct pollfd){.fd = b->listener[i].fd, .events = POLLIN};
	if (paused)
		until = MIN(until, b->paused_until_ns);
	left = until > now ? until - now : 0;
	ts = (struct timespec){.tv_sec = (time_t)(left / 1000000000U), .tv_nsec = (long)(left % 1000000000U)};
	if (ppoll(fds, n, until == NEVER ? NULL : &ts, NULL) > 0 && (fds[0].revents & POLLIN) &&
	    read(b->wake_fd, &unused, sizeof(unused)) < 0)
		return;
}

static void *run(void *arg)
{
	const struct sched_param urgent = {.sched_priority = BFD_PRIORITY};
	struct bfd *b = arg;
	uint64_t now, next;

	prctl(PR_SET_NAME, "zonecast-bfd", 0, 0, 0);
	put_small(&b->realtime, sched_setscheduler(0, SCHED_RR, &urgent) == 0);
	atomic_store_explicit(&b->running, 1, memory_order_release);
	b->changed = true;
	do {
		now = clock_ns();
		take_commands(b, now);
		if (now >= b->paused_until_ns)
			receive(b);
		now = clock_ns();
		look_at_heartbeats(b, now);
		next = tick(b, now);
		tell_loop(b);
		if (!b->quit)
			wait_until(b, next, clock_ns());
	} while (!b->quit);
	return NULL;
}

/* ---- the loop ---- */

static int push(struct bfd *b, const struct command *cmd)
{
	static const uint64_t one = 1;
	uint32_t tail = atomic_load_explicit(&b->command_tail, memory_order_relaxed);

	if (tail - atomic_load_explicit(&b->command_head, memory_order_acquire) == COMMANDS)
		return ERR_LIMIT;
	b->command[tail % COMMANDS] = *cmd;
	atomic_store_explicit(&b->command_tail, tail + 1, memory_order_release);
	if (write(b->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		return -errno;
	return 0;
}

/* Pages are locked as they are touched. Where memory may not be locked without bound, a later mapping (or the stack) would fail for that: then only what
 * the thread surely needs, its data and the program's code. */
static bool lock_memory(struct bfd *b)
{
	extern const char __executable_start[], etext[]; /* of the linker */
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY)
		return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
	return mlock(b, sizeof(*b)) == 0 &&
	       mlock(__executable_start, (uintptr_t)etext - (uintptr_t)__executable_start) == 0;
}

static int start_thread(struct bfd *b)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int err = pthread_attr_init(&attr);

	if (err)
		return -err;
	pthread_attr_setstacksize(&attr, STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&b->thread, &attr, run, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

int bfd_new(const struct bfd_liveness *live, size_t n, struct bfd **out)
{
	struct bfd *b;
	int err = 0;

	if (n > BFD_LIVENESS_MAX)
		return ERR_LIMIT;
	b = calloc(1, sizeof(*b));
	if (!b)
		return ERR_NO_MEMORY;
	if (n)
		memcpy(b->live, live, n * sizeof(*live));
	b->live_count = n;
	b->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	b->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (b->wake_fd < 0 || b->event_fd < 0)
		err = -errno;
	if (!err && getrandom(&b->random, sizeof(b->random), 0) != (ssize_t)sizeof(b->random))
		err = -EIO;
	b->random |= 1;
	b->locked = lock_memory(b);
	if (!err)
		err = start_thread(b);
	if (err) {
		if (b->wake_fd >= 0)
			close(b->wake_fd);
		if (b->event_fd >= 0)
			close(b->event_fd);
		free(b);
		return err;
	}
	*out = b;
	return 0;
}

void bfd_free(struct bfd *b)
{
	const struct command quit = {.kind = COMMAND_QUIT};

	if (!b)
		return;
	while (push(b, &quit) == ERR_LIMIT)
		sched_yield();
	pthread_join(b->thread, NULL);
	for (size_t i = 0; i < b->listeners; i++)
		close(b->listener[i].fd);
	for (size_t i = 0; i < BFD_SESSIONS_MAX; i++)
		if (b->claim[i].serial)
			close(b->claim[i].fd);
	close(b->wake_fd);
	close(b->event_fd);
	free(b);
}

int bfd_fd(const struct bfd *b)
{
	return b->event_fd;
}

void bfd_ack(struct bfd *b)
{
	uint64_t unused;

	if (read(b->event_fd, &unused, sizeof(unused)) < 0 && errno != EAGAIN)
		return;
	for (unsigned i = 0; i < BFD_SESSIONS_MAX; i++) {
		struct claim *c = &b->claim[i];

		if (c->closing && atomic_load_explicit(&b->cell[i].closed, memory_order_acquire) == c->serial) {
			close(c->fd);
			*c = (struct claim){0};
		}
	}
}

void bfd_totals(const struct bfd *b, struct bfd_totals *out)
{
	bool running = atomic_load_explicit(&b->running, memory_order_acquire);

	*out = (struct bfd_totals){
		.running = running,
		.realtime = atomic_load_explicit(&b->realtime, memory_order_relaxed),
		.locked = b->locked,
		.held = atomic_load_explicit(&b->held, memory_order_relaxed),
		.held_by = atomic_load_explicit(&b->held_by, memory_order_relaxed),
		.held_count = atomic_load_explicit(&b->held_count, memory_order_relaxed),
		.strange = atomic_load_explicit(&b->strange, memory_order_relaxed),
		.late_max_us = atomic_load_explicit(&b->late_max_us, memory_order_relaxed),
	};
}

static int listen_for(struct bfd *b, uint8_t family, bool multihop)
{
	bool *done = &b->listening[family == 6][multihop];
	struct command cmd = {.kind = COMMAND_LISTEN, .flag = multihop};
	int fd[2], n, err = 0;

	if (*done)
		return 0;
	n = bfd_socket_listen(family, multihop, fd);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		cmd.fd = fd[i];
		if (!err)
			err = push(b, &cmd);
		if (err)
			close(fd[i]);
	}
	*done = !err;
	return err;
}

int bfd_session_open(struct bfd *b, const struct bfd_path *path, const struct bfd_timers *timers, unsigned *slot)
{
	struct command cmd = {.kind = COMMAND_OPEN, .timers = *timers, .path = *path};
	int err;

	bfd_ack(b);
	while (cmd.slot < BFD_SESSIONS_MAX && b->claim[cmd.slot].serial)
		cmd.slot++;
	if (cmd.slot == BFD_SESSIONS_MAX)
		return ERR_LIMIT;
	err = listen_for(b, path->remote.family, path->multihop);
	while (!err && !cmd.discriminator)
		if (getrandom(&cmd.discriminator, sizeof(cmd.discriminator), 0) != (ssize_t)sizeof(cmd.discriminator))
			err = -EIO;
	if (!err)
		err = bfd_socket_open(path, &cmd.fd);
	if (err)
		return err;
	cmd.serial = ++b->serial ? b->serial : ++b->serial;
	err = push(b, &cmd);
	if (err) {
		close(cmd.fd);
		return err;
	}
	b->claim[cmd.slot] = (struct claim){.serial = cmd.serial, .fd = cmd.fd};
	*slot = cmd.slot;
	return 0;
}

bool bfd_session_outdated(const struct bfd *b, unsigned slot, const struct bfd_path *path)
{
	return bfd_socket_outdated(b->claim[slot].fd, path);
}

int bfd_session_set(struct bfd *b, unsigned slot, const struct bfd_timers *timers)
{
	return push(b, &(struct command){.kind = COMMAND_SET, .slot = slot, .timers = *timers});
}

int bfd_session_admin(struct bfd *b, unsigned slot, bool down)
{
	return push(b, &(struct command){.kind = COMMAND_ADMIN, .slot = slot, .flag = down});
}

int bfd_session_close(struct bfd *b, unsigned slot)
{
	int err = push(b, &(struct command){.kind = COMMAND_CLOSE, .slot = slot, .serial = b->claim[slot].serial});

	if (!err)
		b->claim[slot].closing = true;
	return err;
}

bool bfd_session_view(const struct bfd *b, unsigned slot, struct bfd_view *out)
{
	const struct cell *c = &b->cell[slot];

	if (!b->claim[slot].serial || atomic_load_explicit(&c->serial, memory_order_acquire) != b->claim[slot].serial)
		return false;
	out->falls = atomic_load_explicit(&c->falls, memory_order_acquire);
	out->state = (enum bfd_state)atomic_load_explicit(&c->state, memory_order_relaxed);
	out->remote_state = (enum bfd_state)atomic_load_explicit(&c->remote_state, memory_order_relaxed);
	out->diag = atomic_load_explicit(&c->diag, memory_order_relaxed);
	out->remote_diag = atomic_load_explicit(&c->remote_diag, memory_order_relaxed);
	out->why = (enum bfd_why)atomic_load_explicit(&c->why, memory_order_relaxed);
	out->since_ns = atomic_load_explicit(&c->since_ns, memory_order_relaxed);
	out->transitions = atomic_load_explicit(&c->transitions, memory_order_relaxed);
	out->tx_us = atomic_load_explicit(&c->tx_us, memory_order_relaxed);
	out->detect_us = atomic_load_explicit(&c->detect_us, memory_order_relaxed);
	out->in = atomic_load_explicit(&c->in, memory_order_relaxed);
	out->out = atomic_load_explicit(&c->out, memory_order_relaxed);
	out->bad = atomic_load_explicit(&c->bad, memory_order_relaxed);
	out->unsent = atomic_load_explicit(&c->unsent, memory_order_relaxed);
	out->send_error = atomic_load_explicit(&c->send_error, memory_order_relaxed);
	return true;
}
