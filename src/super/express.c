/* SPDX-License-Identifier: BSD-2-Clause */
/* Going up the ladder: which devices, which mode, and why not.
 *
 * `native` and `generic` attach the program to every device that clients can come by (super/devices.h), or say why not, and answer at once. `auto`
 * attaches by the driver, too, but a device begins on trial: the program answers nothing there but probes, and clients go to the sockets. Only
 * when an answer has come back by way of a neighbor (watch/path.c) is the device used. So a device whose driver takes answers and loses
 * them, as veth does when its other end has no program, stays with the sockets, and so does one without a neighbor to prove it with.
 * Nothing less than the driver's own mode is ever taken by `auto`.
 *
 * The proof goes on. A device that fails it is put on trial again, whatever was wished; it comes back when it has passed for a time that doubles
 * with each failure. A neighbor that answers no echoes proves nothing, and changes nothing.
 *
 * Workers are given AF_XDP sockets, one for each receive queue whose lease is theirs, made here since that needs a privilege; each life of a
 * worker gets fresh ones, and the old ones go with it, out of the program's map, too. What the program has no answer for goes there,
 * and to the stack where there is none. */
#include "super/express.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "limit/rate.h"
#include "super/children.h"
#include "super/devices.h"
#include "super/events.h"
#include "xdp/measure.h"
#include "xdp/program.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	COUNT_MS = 200,
	SMALL_ANSWERS = 131072, /* 32 MiB */
	LARGE_ANSWERS = 8192,  /* 12 MiB */
	DNS_PORT = 53,
	HOLD_MS = 10000,       /* after a failed proof; doubles */
	HOLD_DOUBLINGS_MAX = 6,
};

struct used_device {
	struct device is;
	struct xdp_device in_program;
	bool attached;
	bool proved, disproved; /* by the latest that is known */
	unsigned failures;     /* proofs lost */
	uint64_t passing_ms;   /* since; 0: it does not */
	char why[XDP_WHY_MAX]; /* it is not attached, or is on trial */
};

struct express {
	struct xdp_program *program;
	uint8_t wish;          /* enum config_xdp, of the start */
	bool rings;            /* AF_XDP sockets are wanted */
	unsigned workers;
	struct used_device device[DEVICES_MAX];
	size_t count;
	struct role_path path[ROLE_PATHS_MAX];
	uint32_t path_count;
	uint64_t counted_ms;
	bool off;              /* by configuration */
	struct xdp_costs costs; /* with `auto` */
	enum board_xdp_rung rung;
	char why[BOARD_WHY_MAX];
};

static void show(struct board *board, enum board_xdp_rung rung, const char *why)
{
	struct board_xdp *b = &board->supervisor.xdp;

	if (b->rung != rung)
		super_event_xdp(board, (enum board_xdp_rung)b->rung, rung, why);
	board_write_begin(&b->seq);
	b->rung = rung;
	snprintf(b->why, sizeof(b->why), "%s", why);
	board_write_end(&b->seq);
	log_line(rung == RUNG_SOCKETS ? LOG_WARN : LOG_NOTICE, "xdp rung=%s why=\"%s\"", board_xdp_text(rung), why);
}

/* ---- what it answers, and how much ---- */

static int set_addresses(struct express *x, const struct plan *p)
{
	struct endpoint *at = calloc(p->service_count + 1, sizeof(*at));
	int err;

	if (!at)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < p->service_count; i++)
		at[i] = (struct endpoint){.addr = p->service[i], .port = DNS_PORT};
	err = xdp_program_addresses(x->program, at, p->service_count);
	free(at);
	return err;
}

/* Kinds in the order of enum engine_kind, which the workers write into each entry. Own addresses need no exemption: what comes under them
 * from outside is nobody's check. */
static int set_limits(struct express *x, const struct plan *p)
{
	const struct config_rate_limit *r = &p->config->answer.rate_limit;
	const struct xdp_limits l = {
		.per_second = {r->answers, r->referrals, r->no_data, r->no_names, r->errors},
		.slip = r->slip,
		.prefix_bits = {r->ipv4_prefix, r->ipv6_prefix},
		.exempt = r->exempt,
		.exempt_count = r->exempt_count,
	};

	return xdp_program_limits(x->program, &l);
}

/* ---- devices ---- */

static bool serves(const struct used_device *d)
{
	return d->attached && d->in_program.state == XDP_DEVICE_ON;
}

static int set_state(struct express *x, struct used_device *d, uint8_t state)
{
	d->in_program.state = state;
	return xdp_program_device(x->program, d->is.index, &d->in_program);
}

/* Sockets for proofs. What cannot be opened is a neighbor less. */
static size_t open_paths(struct express *x, const struct device *d)
{
	size_t opened = 0;

	for (size_t i = 0; i < d->neighbor_count && x->path_count < ROLE_PATHS_MAX; i++) {
		struct role_path *path = &x->path[x->path_count];

		if (device_echo_socket(d, &d->neighbor[i], &path->fd) < 0)
			continue;
		path->ifindex = d->index;
		path->neighbor = d->neighbor[i];
		snprintf(path->device, sizeof(path->device), "%s", d->name);
		x->path_count++;
		opened++;
	}
	return opened;
}

static void attach(struct express *x, struct used_device *d, uint32_t *places)
{
	bool trial = x->wish == CONFIG_XDP_AUTO;
	size_t neighbors;
	int err;

	if (!d->is.ethernet) {
		snprintf(d->why, sizeof(d->why), "it is no Ethernet device");
		return;
	}
	neighbors = open_paths(x, &d->is);
	if (trial && !neighbors) {
		snprintf(d->why, sizeof(d->why), "no BGP neighbor beyond it by whose echoes it could be seen that answers arrive");
		return;
	}
	memcpy(d->in_program.mac, d->is.mac, sizeof(d->in_program.mac));
	d->in_program.first = *places;
	d->in_program.queues = x->rings ? MIN(d->is.queues, XDP_SOCKETS_MAX - *places) : 0;
	err = set_state(x, d, trial ? XDP_DEVICE_TRIAL : XDP_DEVICE_ON);
	if (err < 0) {
		snprintf(d->why, sizeof(d->why), "%s", err_text(err));
		return;
	}
	if (xdp_program_attach(x->program, d->is.index, x->wish == CONFIG_XDP_GENERIC ? XDP_MODE_GENERIC : XDP_MODE_NATIVE, d->why) < 0)
		return;
	*places += d->in_program.queues;
	d->attached = true;
	d->why[0] = '\0';
	if (trial)
		snprintf(d->why, sizeof(d->why), "on trial until an answer has come back by way of a neighbor");
}

/* What is so, in one sentence; said only when it has changed. */
static void tell(struct express *x, struct board *board)
{
	char done[BOARD_WHY_MAX] = "", not_done[BOARD_WHY_MAX] = "", text[2 * BOARD_WHY_MAX + 160];
	enum board_xdp_rung rung = RUNG_SOCKETS;
	char cost[80] = "";

	if (x->costs.socket)
		snprintf(cost, sizeof(cost), "; an answer costs %u ns there, %u ns by a socket", x->costs.kept, x->costs.socket);
	for (size_t i = 0; i < x->count; i++) {
		const struct used_device *d = &x->device[i];
		char *to = serves(d) ? done : not_done;
		size_t used = strlen(to);
		const char *more = d->why[0] ? d->why : d->proved ? "answers are seen to arrive" : "";

		snprintf(to + used, BOARD_WHY_MAX - used, "%s%.15s%s%.200s", used ? ", " : "", d->is.name, more[0] ? ": " : "", more);
		if (serves(d))
			rung = x->wish == CONFIG_XDP_GENERIC ? RUNG_GENERIC : RUNG_NATIVE;
	}
	if (!x->count)
		snprintf(text, sizeof(text), "no device has a management address of this node or leads to a neighbor");
	else if (rung == RUNG_SOCKETS)
		snprintf(text, sizeof(text), "%s", not_done);
	else
		snprintf(text, sizeof(text), "attached to %s%s%s%s", done, *not_done ? "; not to " : "", not_done, cost);
	if (x->off) {
		rung = RUNG_OFF;
		snprintf(text, sizeof(text), "switched off by the configuration");
	}
	text[BOARD_WHY_MAX - 1] = '\0';
	if (rung == x->rung && strcmp(text, x->why) == 0)
		return;
	x->rung = rung;
	memcpy(x->why, text, sizeof(x->why));
	show(board, rung, x->why);
}

static bool climb(struct express *x, const struct plan *p, struct board *board)
{
	struct device list[DEVICES_MAX];
	uint32_t places = 0;
	bool any = false;

	x->count = devices_find(p->node, list);
	for (size_t i = 0; i < x->count; i++) {
		x->device[i].is = list[i];
		attach(x, &x->device[i], &places);
		any |= x->device[i].attached;
	}
	tell(x, board);
	return any;
}

/* Is it cheaper than sockets on this machine? Not the case is ERR_UNSUPPORTED, with the reason. */
static int weigh(struct express *x, char why[XDP_WHY_MAX])
{
	int err = xdp_measure(x->program, &x->costs);

	if (err < 0) {
		snprintf(why, XDP_WHY_MAX, "what an answer costs could not be measured: %s", err_text(err));
		return err;
	}
	if (x->costs.kept < x->costs.socket && x->costs.passed < x->costs.socket)
		return 0;
	snprintf(why, XDP_WHY_MAX, "the program takes %u ns for an answer here and %u ns where it has none, a socket %u ns", x->costs.kept,
	         x->costs.passed, x->costs.socket);
	return ERR_UNSUPPORTED;
}

static void hand_over(struct express *x, const struct plan *p, struct children *children)
{
	const struct xdp_maps maps = xdp_program_maps(x->program);

	children->xdp_fd[0] = maps.control;
	children->xdp_fd[1] = maps.generations;
	children->xdp_fd[2] = maps.small;
	children->xdp_fd[3] = maps.large;
	children->rate_fd = xdp_program_rates_fd(x->program);
	children->rate_len = rate_table_size(p->config->answer.rate_limit.table);
	children->express = x;
}

void express_start(const struct plan *p, struct board *board, struct children *children, struct express **out)
{
	struct xdp_sizes sizes = {.workers = p->workers, .small = SMALL_ANSWERS, .large = LARGE_ANSWERS};
	char why[XDP_WHY_MAX] = "";
	struct express *x;
	int err;

	if (!p->config || !p->node || p->config->answer.xdp == CONFIG_XDP_OFF)
		return;
	sizes.rate_entries = p->config->answer.rate_limit.table;
	x = calloc(1, sizeof(*x));
	if (!x)
		return;
	x->wish = p->config->answer.xdp;
	x->rings = p->config->answer.xdp_sockets;
	x->workers = p->workers;
	err = xdp_program_load(&sizes, why, &x->program);
	if (!err && x->wish == CONFIG_XDP_AUTO)
		err = weigh(x, why);
	if (!err) {
		err = set_addresses(x, p);
		if (!err)
			err = set_limits(x, p);
		xdp_program_bare(x->program, !p->config->answer.xdp_cache);
		if (err < 0)
			snprintf(why, sizeof(why), "setting it up: %s", err_text(err));
	}
	if (err < 0) {
		show(board, RUNG_SOCKETS, why);
		express_free(x);
		return;
	}
	if (!climb(x, p, board)) {
		express_free(x);
		return;
	}
	hand_over(x, p, children);
	*out = x;
}

void express_reload(struct express *x, const struct plan *p, struct board *board)
{
	uint8_t wish = p->config->answer.xdp;
	int err;

	if (!x) {
		if (wish != CONFIG_XDP_OFF && board->supervisor.xdp.rung == RUNG_OFF)
			log_warn("xdp wish=on action=\"restart the node for that\"");
		return;
	}
	err = set_addresses(x, p);
	if (!err)
		err = set_limits(x, p);
	if (err < 0) {
		xdp_program_switch(x->program, false);
		x->rung = RUNG_SOCKETS;
		snprintf(x->why, sizeof(x->why), "switched off, since its settings cannot be changed: %s", err_text(err));
		show(board, RUNG_SOCKETS, x->why);
		return;
	}
	xdp_program_bare(x->program, !p->config->answer.xdp_cache);
	x->off = wish == CONFIG_XDP_OFF;
	xdp_program_switch(x->program, !x->off);
	tell(x, board);
}

/* ---- for the roles ---- */

uint32_t express_rings(struct express *x, unsigned worker, struct role_ring out[ROLE_RINGS_MAX])
{
	uint32_t count = 0;

	for (size_t i = 0; x && x->rings && i < x->count; i++) {
		const struct used_device *d = &x->device[i];

		if (!d->attached)
			continue;
		/* The program gives queue q under the lease of worker q % workers. */
		for (uint32_t q = worker; q < d->in_program.queues && count < ROLE_RINGS_MAX; q += x->workers) {
			int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), err = fd < 0 ? -errno : 0;

			if (!err)
				err = xdp_program_socket(x->program, d->in_program.first + q, fd);
			if (err < 0) {
				static struct log_limit limit;

				if (log_limit_pass(&limit, 1))
					log_warn("xdp device=%s queue=%u error=\"no AF_XDP socket: %s\"", d->is.name, q, err_text(err));
				if (fd >= 0)
					close(fd);
				continue;
			}
			out[count++] = (struct role_ring){.fd = fd, .ifindex = d->is.index, .queue = q, .place = d->in_program.first + q,
			                                  .mtu = d->is.mtu};
		}
	}
	return count;
}

uint32_t express_paths(const struct express *x, struct role_path out[ROLE_PATHS_MAX], uint8_t probe_key[8])
{
	if (!x)
		return 0;
	xdp_program_probe_key(x->program, probe_key);
	memcpy(out, x->path, x->path_count * sizeof(*out));
	return x->path_count;
}

/* ---- proofs ---- */

/* What watch thinks of the ways through a device: the worst, and the best where none is bad. */
static enum board_verdict verdict_of(const struct express *x, const struct board *board, const struct used_device *d, char why[XDP_WHY_MAX])
{
	enum board_verdict verdict = VERDICT_UNKNOWN;
	struct board_watch_path copy;

	for (uint32_t i = 0; i < x->path_count; i++) {
		const struct board_watch_path *b = &board->watch.paths[i];

		if (!board_copy(&b->seq, b, &copy, sizeof(copy)) || copy.ifindex != d->is.index)
			continue;
		copy.why[sizeof(copy.why) - 1] = '\0';
		if (copy.verdict == VERDICT_HARD) {
			snprintf(why, XDP_WHY_MAX, "%.200s", copy.why);
			return VERDICT_HARD;
		}
		if (copy.verdict == VERDICT_PASS)
			verdict = VERDICT_PASS;
	}
	return verdict;
}

static void prove(struct express *x, const struct board *board, struct used_device *d, uint64_t now_ms)
{
	char why[XDP_WHY_MAX] = "";
	enum board_verdict verdict = verdict_of(x, board, d, why);
	uint64_t hold_ms = d->failures ? (uint64_t)HOLD_MS << MIN(d->failures - 1, (unsigned)HOLD_DOUBLINGS_MAX) : 0;

	if (verdict != VERDICT_PASS)
		d->passing_ms = 0;
	else if (!d->passing_ms)
		d->passing_ms = now_ms;
	if (verdict == VERDICT_HARD && !d->disproved) {
		d->failures += serves(d);
		d->disproved = true;
		d->proved = false;
		snprintf(d->why, sizeof(d->why), "%s", why);
		if (serves(d) && set_state(x, d, XDP_DEVICE_TRIAL) < 0)
			xdp_program_switch(x->program, false);
	} else if (verdict == VERDICT_PASS && now_ms - d->passing_ms >= hold_ms) {
		if (!serves(d) && set_state(x, d, XDP_DEVICE_ON) < 0)
			return;
		d->why[0] = '\0';
		d->proved = true;
		d->disproved = false;
	}
}

/* ---- counters ---- */

static void put(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

void express_tick(struct express *x, struct board *board, uint64_t now_ms)
{
	struct board_xdp *b = &board->supervisor.xdp;
	struct xdp_counters n;

	if (!x || now_ms - x->counted_ms < COUNT_MS || xdp_program_counters(x->program, &n) < 0)
		return;
	x->counted_ms = now_ms;
	put(&b->seen, n.seen);
	put(&b->answered[0], n.answered[0]);
	put(&b->answered[1], n.answered[1]);
	put(&b->of_backends, n.of_backends);
	put(&b->bytes_in, n.bytes_in);
	put(&b->bytes_out, n.bytes);
	put(&b->limited_dropped, n.limited);
	put(&b->limited_slipped, n.slipped);
	for (size_t i = 0; i < ARRAY_LEN(n.rcodes); i++)
		put(&b->rcodes[i], n.rcodes[i]);
	put(&b->passed_lease, n.pass_lease);
	put(&b->passed_form, n.pass_form);
	put(&b->passed_options, n.pass_options);
	put(&b->passed_miss, n.pass_miss);
	put(&b->passed_stale, n.pass_stale);
	put(&b->passed_size, n.pass_size);
	put(&b->passed_other, n.pass_room + n.pass_busy);
	put(&b->to_workers, n.redirected);
	put(&b->probes, n.probes);
	for (size_t i = 0; i < x->count; i++)
		if (x->device[i].attached)
			prove(x, board, &x->device[i], now_ms);
	tell(x, board);
}

void express_free(struct express *x)
{
	if (!x)
		return;
	for (uint32_t i = 0; i < x->path_count; i++)
		close(x->path[i].fd);
	xdp_program_free(x->program);
	free(x);
}
