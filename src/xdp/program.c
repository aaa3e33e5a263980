/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading and attaching the answer program (libbpf). The object is part of the binary. Native attachment is a BPF link with the driver's mode
 * demanded: the kernel would otherwise fall back to generic XDP by itself, which is slower than a socket. */
#include "xdp/program.h"

#include "base/err.h"
#include "base/hash.h"
#include "limit/rate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

extern const unsigned char xdp_object[];
extern const size_t xdp_object_len;

enum { KERNEL_LOG = 1 << 16, ENTRIES_MAX = 1 << 22 };

struct xdp_program {
	struct bpf_object *object;
	struct xdp_control *control;
	int program, control_fd, generations, small, large, rates, exempt, addresses, devices, counters, sockets;
	int link[XDP_PROGRAM_DEVICES];
	size_t link_count;
};

static int say(char why[XDP_WHY_MAX], int err, const char *what)
{
	snprintf(why, XDP_WHY_MAX, "%s: %s", what, err_text(err));
	return err;
}

static uint32_t sets_for(uint32_t entries)
{
	uint32_t sets = 1;

	while (sets * XDP_WAYS < entries && sets < ENTRIES_MAX / XDP_WAYS)
		sets *= 2;
	return sets;
}

static int resize(struct bpf_object *o, const char *name, uint32_t entries)
{
	struct bpf_map *m = bpf_object__find_map_by_name(o, name);

	return m ? bpf_map__set_max_entries(m, entries) : -ENOENT;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

/* The last line of what the verifier says is a summary; the one before the reason. */
static void tell_verifier(const char *log, char why[XDP_WHY_MAX])
{
	const char *end = strstr(log, "\nprocessed "), *from;
	size_t used = strlen(why);

	if (!end)
		return;
	for (from = end; from > log && from[-1] != '\n'; from--)
		;
	snprintf(why + used, XDP_WHY_MAX - used, " (%.*s)", (int)(end - from), from);
}

static int find_maps(struct xdp_program *p)
{
	const struct {
		const char *name;
		int *fd;
	} maps[] = {
		{"control", &p->control_fd}, {"generations", &p->generations}, {"small", &p->small}, {"large", &p->large},
		{"rates", &p->rates}, {"exempt", &p->exempt}, {"addresses", &p->addresses}, {"devices", &p->devices},
		{"counters", &p->counters}, {"sockets", &p->sockets},
	};
	struct bpf_program *program = bpf_object__find_program_by_name(p->object, "answer");

	p->program = program ? bpf_program__fd(program) : -ENOENT;
	if (p->program < 0)
		return p->program;
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		*maps[i].fd = bpf_object__find_map_fd_by_name(p->object, maps[i].name);
		if (*maps[i].fd < 0)
			return *maps[i].fd;
	}
	return 0;
}

static int make_memory(struct xdp_program *p, const struct xdp_sizes *sizes)
{
	size_t len = rate_table_size(sizes->rate_entries);
	uint64_t key[2];
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, p->rates, 0);

	if (memory == MAP_FAILED)
		return -errno;
	random_bytes(key, sizeof(key));
	rate_table_init(memory, sizes->rate_entries, (const uint8_t *)key);
	munmap(memory, len);
	memory = mmap(NULL, sizeof(*p->control), PROT_READ | PROT_WRITE, MAP_SHARED, p->control_fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	p->control = memory;
	random_bytes(key, sizeof(key));
	xdp_control_init(p->control, sizes->workers, sets_for(sizes->small), sets_for(sizes->large), key);
	random_bytes(p->control->probe_key, sizeof(p->control->probe_key));
	p->control->flood = XDP_FLOOD_MISSES;
	return 0;
}

int xdp_program_load(const struct xdp_sizes *sizes, char why[XDP_WHY_MAX], struct xdp_program **out)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct xdp_program *p = calloc(1, sizeof(*p));
	char *log = calloc(1, KERNEL_LOG);
	int err = 0;

	if (!p || !log) {
		free(p);
		free(log);
		return say(why, ERR_NO_MEMORY, "loading");
	}
	libbpf_set_print(quiet);
	opts.object_name = "zonecast";
	opts.kernel_log_buf = log;
	opts.kernel_log_size = KERNEL_LOG;
	p->object = bpf_object__open_mem(xdp_object, xdp_object_len, &opts);
	if (!p->object)
		err = say(why, -errno, "reading the program");
	if (!err) {
		err = resize(p->object, "generations", XDP_TAGS + sets_for(sizes->small) + sets_for(sizes->large));
		if (!err)
			err = resize(p->object, "small", sets_for(sizes->small) * XDP_WAYS);
		if (!err)
			err = resize(p->object, "large", sets_for(sizes->large) * XDP_WAYS);
		if (!err)
			err = resize(p->object, "rates", (uint32_t)(rate_table_size(sizes->rate_entries) / 64));
		if (err < 0)
			say(why, err, "sizing the maps");
	}
	if (!err) {
		err = bpf_object__load(p->object);
		if (err < 0) {
			say(why, err, "loading the program");
			tell_verifier(log, why);
		}
	}
	if (!err) {
		err = find_maps(p);
		if (!err)
			err = make_memory(p, sizes);
		if (err < 0)
			say(why, err, "opening the maps");
	}
	free(log);
	if (err < 0) {
		xdp_program_free(p);
		return err;
	}
	*out = p;
	return 0;
}

void xdp_program_free(struct xdp_program *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->link_count; i++)
		close(p->link[i]);
	if (p->control)
		munmap(p->control, sizeof(*p->control));
	bpf_object__close(p->object);
	free(p);
}

int xdp_program_device(struct xdp_program *p, unsigned ifindex, const struct xdp_device *d)
{
	return bpf_map_update_elem(p->devices, &ifindex, d, BPF_ANY);
}

int xdp_program_forget(struct xdp_program *p, unsigned ifindex)
{
	int err = bpf_map_delete_elem(p->devices, &ifindex);

	return err == -ENOENT ? 0 : err;
}

int xdp_program_socket(struct xdp_program *p, uint32_t place, int fd)
{
	return bpf_map_update_elem(p->sockets, &place, &fd, BPF_ANY);
}

int xdp_program_attach(struct xdp_program *p, unsigned ifindex, enum xdp_mode mode, char why[XDP_WHY_MAX])
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode == XDP_MODE_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	int link;

	if (p->link_count == XDP_PROGRAM_DEVICES)
		return say(why, ERR_LIMIT, "attaching");
	link = bpf_link_create(p->program, (int)ifindex, BPF_XDP, &opts);
	if (link < 0)
		return say(why, link, mode == XDP_MODE_NATIVE ? "attaching to the driver" : "attaching");
	p->link[p->link_count++] = link;
	return 0;
}

static struct xdp_address address_of(const struct endpoint *at)
{
	struct xdp_address a = {.port = {(uint8_t)(at->port >> 8), (uint8_t)at->port}};

	if (at->addr.family == 6) {
		memcpy(a.addr, at->addr.bytes, 16);
	} else {
		a.addr[10] = a.addr[11] = 0xff;
		memcpy(a.addr + 12, at->addr.bytes, 4);
	}
	return a;
}

/* Take out of a map all keys that are not in the list. */
static int keep_only(int map, const void *keys, size_t count, size_t size)
{
	uint8_t key[32] = {0}, next[32];
	bool have = false;

	while (bpf_map_get_next_key(map, have ? key : NULL, next) == 0) {
		bool wanted = false;

		for (size_t i = 0; i < count; i++)
			wanted |= memcmp((const uint8_t *)keys + i * size, next, size) == 0;
		if (wanted) {
			memcpy(key, next, size);
			have = true;
			continue;
		}
		if (bpf_map_delete_elem(map, next) < 0)
			return -errno;
		have = false; /* from the start: the walk stood on what is gone */
	}
	return 0;
}

int xdp_program_addresses(struct xdp_program *p, const struct endpoint *at, size_t count)
{
	struct xdp_address *all = calloc(count + 1, sizeof(*all));
	uint32_t one = 1;
	int err = all ? 0 : ERR_NO_MEMORY;

	for (size_t i = 0; !err && i < count; i++)
		all[i] = address_of(&at[i]);
	if (!err)
		err = keep_only(p->addresses, all, count, sizeof(*all));
	for (size_t i = 0; !err && i < count; i++)
		err = bpf_map_update_elem(p->addresses, &all[i], &one, BPF_ANY);
	free(all);
	return err;
}

static struct xdp_prefix prefix_of(const struct ip_prefix *from)
{
	struct xdp_prefix p = {.bits = from->len};

	if (from->addr.family == 6) {
		memcpy(p.addr, from->addr.bytes, 16);
	} else {
		p.bits += 96;
		p.addr[10] = p.addr[11] = 0xff;
		memcpy(p.addr + 12, from->addr.bytes, 4);
	}
	return p;
}

static int set_exempt(struct xdp_program *p, const struct xdp_limits *l)
{
	struct xdp_prefix *all = calloc(l->exempt_count + 1, sizeof(*all));
	uint32_t one = 1;
	int err = all ? 0 : ERR_NO_MEMORY;

	for (size_t i = 0; !err && i < l->exempt_count; i++)
		all[i] = prefix_of(&l->exempt[i]);
	if (!err)
		err = keep_only(p->exempt, all, l->exempt_count, sizeof(*all));
	for (size_t i = 0; !err && i < l->exempt_count; i++)
		err = bpf_map_update_elem(p->exempt, &all[i], &one, BPF_ANY);
	free(all);
	return err;
}

static void mask_of(uint8_t mask[16], unsigned bits)
{
	memset(mask, 0, 16);
	for (unsigned i = 0; i < bits; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
}

int xdp_program_limits(struct xdp_program *p, const struct xdp_limits *l)
{
	struct xdp_control *c = p->control;
	int err = set_exempt(p, l);

	for (unsigned i = 0; i < XDP_RATE_KINDS; i++)
		rate_figures(l->per_second[i], &c->rate_cost[i], &c->rate_burst[i]);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		mask_of(c->rate_mask[v6], l->prefix_bits[v6]);
		c->rate_len[v6] = 1 + (l->prefix_bits[v6] + 7U) / 8;
	}
	c->slip = l->slip;
	return err;
}

struct xdp_maps xdp_program_maps(const struct xdp_program *p)
{
	return (struct xdp_maps){p->control_fd, p->generations, p->small, p->large};
}

int xdp_program_fd(const struct xdp_program *p)
{
	return p->program;
}

int xdp_program_rates_fd(const struct xdp_program *p)
{
	return p->rates;
}

void xdp_program_switch(struct xdp_program *p, bool on)
{
	p->control->off = !on;
}

int xdp_program_counters(const struct xdp_program *p, struct xdp_counters *out)
{
	int cpus = libbpf_num_possible_cpus(), err;
	struct xdp_counters *each;
	uint32_t zero = 0;

	if (cpus < 0)
		return cpus;
	each = calloc((size_t)cpus, sizeof(*each));
	if (!each)
		return ERR_NO_MEMORY;
	err = bpf_map_lookup_elem(p->counters, &zero, each);
	if (!err) {
		memset(out, 0, sizeof(*out));
		for (int i = 0; i < cpus; i++)
			for (size_t k = 0; k < sizeof(*out) / sizeof(uint64_t); k++)
				((uint64_t *)out)[k] += ((const uint64_t *)&each[i])[k];
	}
	free(each);
	return err;
}

void xdp_program_bare(struct xdp_program *p, bool bare)
{
	p->control->bare = bare;
}

void xdp_program_probe_key(const struct xdp_program *p, uint8_t key[8])
{
	memcpy(key, p->control->probe_key, sizeof(p->control->probe_key));
}

bool xdp_program_built(void)
{
	return true;
}
