/* SPDX-License-Identifier: BSD-2-Clause */
/* Going up the ladder: which devices, which mode, and why not.
 *
 * Devices are those over which clients can come: that have a management address of this node, or whose network one of its BGP neighbors is
 * in. `native` and `generic` do what they say or say why not; `auto` takes native where the driver is one over which answers can be
 * known to leave. That excludes veth: its other end must run a program, too, or answers vanish without an error.
 *
 * Without a client beyond the device nothing here can prove that an answer arrives; the counters on the board show that questions come. */
#include "super/express.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "limit/rate.h"
#include "super/children.h"
#include "xdp/program.h"

#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	DEVICES_MAX = 16,
	COUNT_MS = 200,
	SMALL_ANSWERS = 65536, /* 16 MiB */
	LARGE_ANSWERS = 8192,  /* 12 MiB */
	DNS_PORT = 53,
	DRIVER_MAX = 32,
};

struct device {
	char name[IF_NAMESIZE];
	unsigned index;
	uint8_t mac[6];
	bool ethernet;
};

struct express {
	struct xdp_program *program;
	uint64_t counted_ms;
	enum board_xdp_rung rung;
	char why[BOARD_WHY_MAX];
};

static void show(struct board *board, enum board_xdp_rung rung, const char *why)
{
	struct board_xdp *b = &board->supervisor.xdp;

	board_write_begin(&b->seq);
	b->rung = rung;
	snprintf(b->why, sizeof(b->why), "%s", why);
	board_write_end(&b->seq);
	log_line(rung == RUNG_SOCKETS ? LOG_WARN : LOG_NOTICE, "xdp rung=%s why=\"%s\"", board_xdp_text(rung), why);
}

/* ---- devices ---- */

static bool in_network(const struct ifaddrs *a, const struct ip_addr *addr)
{
	const uint8_t *mine, *mask;
	size_t len = addr->family == 6 ? 16 : 4;

	if (!a->ifa_addr || !a->ifa_netmask || a->ifa_addr->sa_family != (addr->family == 6 ? AF_INET6 : AF_INET))
		return false;
	if (addr->family == 6) {
		mine = ((const struct sockaddr_in6 *)(const void *)a->ifa_addr)->sin6_addr.s6_addr;
		mask = ((const struct sockaddr_in6 *)(const void *)a->ifa_netmask)->sin6_addr.s6_addr;
	} else {
		mine = (const uint8_t *)&((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr;
		mask = (const uint8_t *)&((const struct sockaddr_in *)(const void *)a->ifa_netmask)->sin_addr;
	}
	for (size_t i = 0; i < len; i++)
		if ((mine[i] ^ addr->bytes[i]) & mask[i])
			return false;
	return true;
}

/* Management addresses lie in the network of their own device, too. */
static bool is_ours(const struct config_node *n, const struct ifaddrs *a)
{
	for (size_t i = 0; i < n->management_count; i++)
		if (in_network(a, &n->management[i]))
			return true;
	for (size_t i = 0; i < n->neighbor_count; i++)
		if (in_network(a, &n->neighbors[i].address))
			return true;
	return false;
}

static void add_device(struct device *list, size_t *count, const char *name)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp(list[i].name, name) == 0)
			return;
	if (*count == DEVICES_MAX)
		return;
	list[*count] = (struct device){.index = if_nametoindex(name)};
	snprintf(list[*count].name, sizeof(list[*count].name), "%.15s", name);
	(*count)++;
}

static size_t find_devices(const struct config_node *n, struct device *list)
{
	struct ifaddrs *all;
	size_t count = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		if (!(a->ifa_flags & IFF_LOOPBACK) && is_ours(n, a))
			add_device(list, &count, a->ifa_name);
	for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
		const struct sockaddr_ll *link = (const void *)a->ifa_addr;

		if (!link || link->sll_family != AF_PACKET || link->sll_hatype != ARPHRD_ETHER || link->sll_halen != 6)
			continue;
		for (size_t i = 0; i < count; i++)
			if (strcmp(list[i].name, a->ifa_name) == 0) {
				memcpy(list[i].mac, link->sll_addr, 6);
				list[i].ethernet = true;
			}
	}
	freeifaddrs(all);
	return count;
}

static void driver_of(const struct device *d, char out[DRIVER_MAX])
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (void *)&info};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.15s", d->name);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request) < 0)
		info.driver[0] = '\0';
	info.driver[sizeof(info.driver) - 1] = '\0';
	snprintf(out, DRIVER_MAX, "%s", info.driver);
	if (fd >= 0)
		close(fd);
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

static int attach(struct express *x, const struct device *d, uint8_t wish, char why[XDP_WHY_MAX])
{
	char driver[DRIVER_MAX];

	if (!d->ethernet) {
		snprintf(why, XDP_WHY_MAX, "it is no Ethernet device");
		return ERR_UNSUPPORTED;
	}
	driver_of(d, driver);
	if (wish == CONFIG_XDP_AUTO && strcmp(driver, "veth") == 0) {
		snprintf(why, XDP_WHY_MAX, "answers over veth arrive only where the other end has a program, too; xdp: native takes it on trust");
		return ERR_UNSUPPORTED;
	}
	return xdp_program_attach(x->program, d->index, d->mac, wish == CONFIG_XDP_GENERIC ? XDP_MODE_GENERIC : XDP_MODE_NATIVE, why);
}

static void climb(struct express *x, const struct plan *p, struct board *board)
{
	uint8_t wish = p->config->answer.xdp;
	char why[XDP_WHY_MAX] = "", done[BOARD_WHY_MAX] = "", not_done[BOARD_WHY_MAX] = "", text[2 * BOARD_WHY_MAX + 64];
	struct device list[DEVICES_MAX];
	size_t count = find_devices(p->node, list), good = 0;
	enum board_xdp_rung rung;

	for (size_t i = 0; i < count; i++) {
		char *to = not_done;
		size_t used;

		if (attach(x, &list[i], wish, why) == 0) {
			good++;
			to = done;
			why[0] = '\0';
		}
		used = strlen(to);
		snprintf(to + used, BOARD_WHY_MAX - used, "%s%.15s%s%.200s", used ? ", " : "", list[i].name, why[0] ? ": " : "", why);
	}
	rung = !good ? RUNG_SOCKETS : wish == CONFIG_XDP_GENERIC ? RUNG_GENERIC : RUNG_NATIVE;
	if (!count)
		snprintf(text, sizeof(text), "no device has a management address of this node or leads to a neighbor");
	else if (!good)
		snprintf(text, sizeof(text), "%s", not_done);
	else
		snprintf(text, sizeof(text), "attached to %s%s%s", done, *not_done ? "; not to " : "", not_done);
	x->rung = rung;
	snprintf(x->why, sizeof(x->why), "%.*s", (int)sizeof(x->why) - 1, text);
	show(board, rung, x->why);
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
	err = xdp_program_load(&sizes, why, &x->program);
	if (!err) {
		err = set_addresses(x, p);
		if (!err)
			err = set_limits(x, p);
		if (err < 0)
			snprintf(why, sizeof(why), "setting it up: %s", err_text(err));
	}
	if (err < 0) {
		show(board, RUNG_SOCKETS, why);
		express_free(x);
		return;
	}
	climb(x, p, board);
	if (x->rung == RUNG_SOCKETS) {
		express_free(x);
		return;
	}
	hand_over(x, p, children);
	*out = x;
}

void express_reload(struct express *x, const struct plan *p, struct board *board)
{
	uint8_t wish = p->config ? p->config->answer.xdp : CONFIG_XDP_OFF;
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
		char why[BOARD_WHY_MAX];

		xdp_program_switch(x->program, false);
		snprintf(why, sizeof(why), "switched off, since its settings cannot be changed: %s", err_text(err));
		show(board, RUNG_SOCKETS, why);
		return;
	}
	xdp_program_switch(x->program, wish != CONFIG_XDP_OFF);
	show(board, wish == CONFIG_XDP_OFF ? RUNG_OFF : x->rung, wish == CONFIG_XDP_OFF ? "switched off by the configuration" : x->why);
}

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
}

void express_free(struct express *x)
{
	if (!x)
		return;
	xdp_program_free(x->program);
	free(x);
}
