/* SPDX-License-Identifier: BSD-2-Clause */
/* Namespaces, links and addresses. Region i (from 1): client 10.1.i.0/24, pop 10.2.i.0/24, and the same in fd00:1:i::/64, fd00:2:i::/64; the hidden primary 10.1.9.0/24, fd00:1:9::/64; link between
 * transits i and j (i < j): 10.3.ij.0/24, fd00:3:ij::/64. Latency by netem where the kernel has it, else by our delay line. */
#include "lab/lab.h"

#include "base/clock.h"
#include "base/err.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { LINK_WAIT_MS = 5000 };

#define RUN(why, ...) lab_run(why, (const char *const[]){__VA_ARGS__, NULL})

static int make_netns(const struct lab *l, const char *ns, bool router, struct text *why)
{
	static const char *const settings[] = {
		"net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.keep_addr_on_down=1",
		"net.ipv6.conf.default.keep_addr_on_down=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
	};
	int err = RUN(why, "ip", "netns", "add", ns);

	if (!err)
		err = lab_record_netns(l, ns);
	if (!err)
		err = RUN(why, "ip", "-n", ns, "link", "set", "lo", "up");
	for (size_t i = 0; !err && i < ARRAY_LEN(settings); i++)
		err = RUN(why, "ip", "netns", "exec", ns, "sysctl", "-q", "-w", settings[i]);
	if (!err && router)
		err = RUN(why, "ip", "netns", "exec", ns, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
		          "net.ipv4.fib_multipath_hash_policy=1");
	return err;
}

static int address(const char *ns, const char *dev, unsigned a, unsigned b, unsigned host, struct text *why)
{
	char v4[64], v6[64];
	int err;

	snprintf(v4, sizeof(v4), "10.%u.%u.%u/24", a, b, host);
	snprintf(v6, sizeof(v6), "fd00:%u:%u::%u/64", a, b, host);
	err = RUN(why, "ip", "-n", ns, "addr", "add", v4, "dev", dev);
	if (!err)
		err = RUN(why, "ip", "-n", ns, "addr", "add", v6, "dev", dev, "nodad");
	if (!err)
		err = RUN(why, "ip", "-n", ns, "link", "set", dev, "up");
	return err;
}

static int veth(const char *ns1, const char *dev1, const char *ns2, const char *dev2, struct text *why)
{
	return RUN(why, "ip", "-n", ns1, "link", "add", dev1, "type", "veth", "peer", "name", dev2, "netns", ns2);
}

/* The client's or the PoP's link to its transit, with a default route over it. */
static int attach(const struct lab *l, char part, unsigned i, struct text *why)
{
	unsigned net = part == 'c' ? 1 : 2;
	const char *dev = part == 'c' ? "client" : "pop";
	char ns[LAB_NETNS_MAX], transit[LAB_NETNS_MAX], v4[32], v6[32];
	int err;

	lab_netns(l, part, i, ns);
	lab_netns(l, 't', i, transit);
	err = veth(transit, dev, ns, "transit", why);
	if (!err)
		err = address(transit, dev, net, i + 1, 1, why);
	if (!err)
		err = address(ns, "transit", net, i + 1, 2, why);
	snprintf(v4, sizeof(v4), "10.%u.%u.1", net, i + 1);
	snprintf(v6, sizeof(v6), "fd00:%u:%u::1", net, i + 1);
	if (!err)
		err = RUN(why, "ip", "-n", ns, "route", "add", "default", "via", v4);
	if (!err)
		err = RUN(why, "ip", "-n", ns, "-6", "route", "add", "default", "via", v6);
	return err;
}

/* Client network LAB_HIDDEN_NET of the first transit. */
static int attach_hidden(const struct lab *l, struct text *why)
{
	char ns[LAB_NETNS_MAX], transit[LAB_NETNS_MAX], v4[32], v6[32];
	int err;

	lab_netns(l, 'h', 0, ns);
	lab_netns(l, 't', 0, transit);
	err = make_netns(l, ns, false, why);
	if (!err)
		err = veth(transit, "hidden", ns, "transit", why);
	if (!err)
		err = address(transit, "hidden", 1, LAB_HIDDEN_NET, 1, why);
	if (!err)
		err = address(ns, "transit", 1, LAB_HIDDEN_NET, 2, why);
	snprintf(v4, sizeof(v4), "10.1.%d.1", LAB_HIDDEN_NET);
	snprintf(v6, sizeof(v6), "fd00:1:%d::1", LAB_HIDDEN_NET);
	if (!err)
		err = RUN(why, "ip", "-n", ns, "route", "add", "default", "via", v4);
	if (!err)
		err = RUN(why, "ip", "-n", ns, "-6", "route", "add", "default", "via", v6);
	return err;
}

static bool has_netem(const struct lab *l)
{
	char ns[LAB_NETNS_MAX];

	lab_netns(l, 't', 0, ns);
	return RUN(NULL, "ip", "netns", "exec", ns, "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms") == 0 &&
	       RUN(NULL, "ip", "netns", "exec", ns, "tc", "qdisc", "del", "dev", "lo", "root") == 0;
}

static int wait_for_link(const char *ns, const char *dev)
{
	uint64_t until = clock_ms() + LINK_WAIT_MS;

	while (RUN(NULL, "ip", "-n", ns, "link", "show", dev) < 0) {
		if (clock_ms() > until)
			return ERR_NOT_FOUND;
		poll(NULL, 0, 20);
	}
	return 0;
}

static int mesh(const struct lab *l, unsigned i, unsigned j, bool netem, struct text *why)
{
	char a[LAB_NETNS_MAX], b[LAB_NETNS_MAX], dev_a[16], dev_b[16], ms[16], what[32];
	unsigned net = (i + 1) * 10 + j + 1;
	int err;

	lab_netns(l, 't', i, a);
	lab_netns(l, 't', j, b);
	snprintf(dev_a, sizeof(dev_a), "to-%s", lab_regions[j].name);
	snprintf(dev_b, sizeof(dev_b), "to-%s", lab_regions[i].name);
	if (netem) {
		snprintf(ms, sizeof(ms), "%ums", lab_latency_ms(i, j));
		err = veth(a, dev_a, b, dev_b, why);
		if (!err)
			err = RUN(why, "ip", "netns", "exec", a, "tc", "qdisc", "add", "dev", dev_a, "root", "netem", "delay", ms);
		if (!err)
			err = RUN(why, "ip", "netns", "exec", b, "tc", "qdisc", "add", "dev", dev_b, "root", "netem", "delay", ms);
	} else {
		snprintf(ms, sizeof(ms), "%u", lab_latency_ms(i, j));
		snprintf(what, sizeof(what), "delay-%s-%s", lab_regions[i].name, lab_regions[j].name);
		err = lab_start(l, a, what, (const char *const[]){l->self, "lab-delayline", a, dev_a, b, dev_b, ms, NULL}, NULL);
		if (!err)
			err = wait_for_link(a, dev_a);
		if (!err)
			err = wait_for_link(b, dev_b);
	}
	if (!err)
		err = address(a, dev_a, 3, net, 1, why);
	if (!err)
		err = address(b, dev_b, 3, net, 2, why);
	return err;
}

int lab_build_network(const struct lab *l, struct text *why)
{
	bool netem;
	int err = 0;

	for (unsigned i = 0; !err && i < LAB_REGIONS; i++)
		for (const char *part = "tcp"; !err && *part; part++) {
			char ns[LAB_NETNS_MAX];

			lab_netns(l, *part, i, ns);
			err = make_netns(l, ns, *part == 't', why);
		}
	for (unsigned i = 0; !err && i < LAB_REGIONS; i++) {
		err = attach(l, 'c', i, why);
		if (!err)
			err = attach(l, 'p', i, why);
	}
	if (!err)
		err = attach_hidden(l, why);
	if (err)
		return err;
	netem = has_netem(l);
	for (unsigned i = 0; !err && i < LAB_REGIONS; i++)
		for (unsigned j = i + 1; !err && j < LAB_REGIONS; j++)
			err = mesh(l, i, j, netem, why);
	return err;
}
