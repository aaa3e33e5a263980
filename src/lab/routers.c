/* SPDX-License-Identifier: BSD-2-Clause */
/* The transits' routers, configured as a careful transit provider would: only the anycast prefixes are taken from the PoP, a prefix limit, the
 * password, graceful shutdown honoured (neither BIRD nor FRR does that by itself), nothing sent to the PoP. */
#include "lab/lab.h"

#include "base/clock.h"
#include "base/err.h"

#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROUTER_WAIT_MS = 15000 };
/* BFD of the routers is as fast as it can be; each session runs at the slower of both sides, which is the PoP's. */
#define ROUTER_BFD_MS "50"

static void bird_config(unsigned i, struct text *t)
{
	unsigned r = i + 1;

	text_fmt(t,
	         "router id 10.255.0.%u;\n"
	         "protocol device { scan time 5; }\n"
	         "protocol direct { ipv4; ipv6; }\n"
	         "protocol bfd { interface \"pop\" { interval " ROUTER_BFD_MS " ms; multiplier 3; idle tx interval 1 s; }; }\n"
	         "protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }\n"
	         "protocol kernel { ipv6 { import none; export where source = RTS_BGP; }; }\n"
	         "filter from_pop {\n"
	         "  if net.type = NET_IP4 && net != " LAB_PREFIX_V4 " && net != " LAB_BACKSTOP_V4 " then reject;\n"
	         "  if net.type = NET_IP6 && net != " LAB_PREFIX_V6 " && net != " LAB_BACKSTOP_V6 " then reject;\n"
	         "  if (65535, 0) ~ bgp_community then bgp_local_pref = 0;\n"
	         "  accept;\n"
	         "}\n"
	         "filter to_transit {\n"
	         "  if source = RTS_BGP then accept;\n"
	         "  if net ~ 10.1.0.0/16 || net ~ fd00:1::/32 || net ~ 10.2.0.0/16 || net ~ fd00:2::/32 then accept;\n"
	         "  reject;\n"
	         "}\n",
	         r);
	text_fmt(t,
	         "template bgp pop {\n"
	         "  local as %u; hold time 9; connect delay time 1; connect retry time 1; error wait time 1, 3; error forget time 5;\n"
	         "  password \"zonecast-lab\"; bfd on;\n"
	         "}\n"
	         "protocol bgp pop4 from pop { neighbor 10.2.%u.2 as %u;\n"
	         "  ipv4 { import filter from_pop; import limit 2 action block; export none; }; }\n"
	         "protocol bgp pop6 from pop { neighbor fd00:2:%u::2 as %u;\n"
	         "  ipv6 { import filter from_pop; import limit 2 action block; export none; }; }\n",
	         lab_regions[i].as, r, LAB_AS, r, LAB_AS);
	for (unsigned j = 0; j < LAB_REGIONS; j++) {
		unsigned net = i < j ? r * 10 + j + 1 : (j + 1) * 10 + r, far = i < j ? 2 : 1;

		if (j == i)
			continue;
		text_fmt(t,
		         "protocol bgp t_%s4 { local as %u; neighbor 10.3.%u.%u as %u; hold time 9; connect delay time 1; connect retry time 1;\n"
		         "  error wait time 1, 3; ipv4 { import all; export filter to_transit; }; }\n"
		         "protocol bgp t_%s6 { local as %u; neighbor fd00:3:%u::%u as %u; hold time 9; connect delay time 1; connect retry time 1;\n"
		         "  error wait time 1, 3; ipv6 { import all; export filter to_transit; }; }\n",
		         lab_regions[j].name, lab_regions[i].as, net, far, lab_regions[j].as, lab_regions[j].name, lab_regions[i].as, net, far,
		         lab_regions[j].as);
	}
}

static void frr_config(unsigned i, struct text *t)
{
	unsigned r = i + 1;

	text_fmt(t,
	         "hostname t-%s\n"
	         "route-map delay-timer 1\n"
	         "ip prefix-list ANYCAST seq 5 permit " LAB_PREFIX_V4 "\n"
	         "ip prefix-list ANYCAST seq 10 permit " LAB_BACKSTOP_V4 "\n"
	         "ipv6 prefix-list ANYCAST6 seq 5 permit " LAB_PREFIX_V6 "\n"
	         "ipv6 prefix-list ANYCAST6 seq 10 permit " LAB_BACKSTOP_V6 "\n"
	         "bgp community-list standard GSHUT seq 5 permit graceful-shutdown\n"
	         "route-map FROM-POP permit 5\n match community GSHUT\n set local-preference 0\n on-match next\n"
	         "route-map FROM-POP permit 10\n match ip address prefix-list ANYCAST\n"
	         "route-map FROM-POP6 permit 5\n match community GSHUT\n set local-preference 0\n on-match next\n"
	         "route-map FROM-POP6 permit 10\n match ipv6 address prefix-list ANYCAST6\n"
	         "route-map ALL permit 10\n"
	         "route-map NONE deny 10\n",
	         lab_regions[i].name);
	text_fmt(t,
	         "router bgp %u\n"
	         " bgp router-id 10.255.0.%u\n"
	         " no bgp default ipv4-unicast\n"
	         " no bgp network import-check\n"
	         " bgp bestpath as-path multipath-relax\n"
	         " timers bgp 3 9\n"
	         " neighbor 10.2.%u.2 remote-as %u\n neighbor 10.2.%u.2 timers connect 1\n neighbor 10.2.%u.2 password zonecast-lab\n"
	         " neighbor fd00:2:%u::2 remote-as %u\n neighbor fd00:2:%u::2 timers connect 1\n neighbor fd00:2:%u::2 password zonecast-lab\n",
	         lab_regions[i].as, r, r, LAB_AS, r, r, r, LAB_AS, r, r);
	text_fmt(t, " neighbor 10.2.%u.2 bfd profile pop\n neighbor fd00:2:%u::2 bfd profile pop\n", r, r);
	for (unsigned j = 0; j < LAB_REGIONS; j++) {
		unsigned net = i < j ? r * 10 + j + 1 : (j + 1) * 10 + r, far = i < j ? 2 : 1;

		if (j != i)
			text_fmt(t,
			         " neighbor 10.3.%u.%u remote-as %u\n neighbor 10.3.%u.%u timers connect 1\n neighbor 10.3.%u.%u advertisement-interval 0\n"
			         " neighbor fd00:3:%u::%u remote-as %u\n neighbor fd00:3:%u::%u timers connect 1\n"
			         " neighbor fd00:3:%u::%u advertisement-interval 0\n",
			         net, far, lab_regions[j].as, net, far, net, far, net, far, lab_regions[j].as, net, far, net, far);
	}
	for (unsigned v = 4; v <= 6; v += 2) {
		text_fmt(t, " address-family ipv%u unicast\n", v);
		if (v == 4)
			text_fmt(t, "  network 10.1.%u.0/24\n  network 10.2.%u.0/24\n  neighbor 10.2.%u.2 activate\n  neighbor 10.2.%u.2 route-map FROM-POP in\n"
			            "  neighbor 10.2.%u.2 route-map NONE out\n  neighbor 10.2.%u.2 maximum-prefix 2\n", r, r, r, r, r, r);
		else
			text_fmt(t, "  network fd00:1:%u::/64\n  network fd00:2:%u::/64\n  neighbor fd00:2:%u::2 activate\n  neighbor fd00:2:%u::2 route-map FROM-POP6 in\n"
			            "  neighbor fd00:2:%u::2 route-map NONE out\n  neighbor fd00:2:%u::2 maximum-prefix 2\n", r, r, r, r, r, r);
		for (unsigned j = 0; j < LAB_REGIONS; j++) {
			unsigned net = i < j ? r * 10 + j + 1 : (j + 1) * 10 + r, far = i < j ? 2 : 1;
			char peer[64];

			if (j == i)
				continue;
			if (v == 4)
				snprintf(peer, sizeof(peer), "10.3.%u.%u", net, far);
			else
				snprintf(peer, sizeof(peer), "fd00:3:%u::%u", net, far);
			text_fmt(t, "  neighbor %s activate\n  neighbor %s route-map ALL in\n  neighbor %s route-map ALL out\n", peer, peer, peer);
		}
		text_str(t, " exit-address-family\n");
	}
}

static int wait_for_file(const char *path)
{
	uint64_t until = clock_ms() + ROUTER_WAIT_MS;

	while (access(path, F_OK) < 0) {
		if (clock_ms() > until)
			return ERR_NOT_FOUND;
		poll(NULL, 0, 20);
	}
	return 0;
}

static int start_bird(const struct lab *l, const char *ns, const char *dir, const char *conf, const char *what)
{
	char ctl[LAB_PATH_MAX + 64];

	snprintf(ctl, sizeof(ctl), "%s/bird.ctl", dir);
	unlink(ctl);
	return lab_start(l, ns, what, (const char *const[]){"bird", "-f", "-c", conf, "-s", ctl, NULL}, NULL);
}

/* One of FRR's daemons; zebra comes first. */
static int start_frr_daemon(const struct lab *l, const char *ns, const char *dir, const char *daemon, const char *conf, const char *region)
{
	char path[64], zserv[LAB_PATH_MAX + 64], pid[LAB_PATH_MAX + 64], what[32], bfdctl[LAB_PATH_MAX + 64];
	bool bfd = strcmp(daemon, "bfdd") == 0;

	snprintf(path, sizeof(path), "/usr/lib/frr/%s", daemon);
	snprintf(zserv, sizeof(zserv), "%s/zserv", dir);
	snprintf(pid, sizeof(pid), "%s/%s.pid", dir, daemon);
	snprintf(what, sizeof(what), "%s-%s", daemon, region);
	snprintf(bfdctl, sizeof(bfdctl), "%s/bfdd.sock", dir);
	return lab_start(l, ns, what, (const char *const[]){path, "-f", conf, "-i", pid, "-z", zserv, "--vty_socket", dir, "-P", "0",
	                 bfd ? "--bfdctl" : NULL, bfdctl, NULL}, NULL);
}

static int start_frr(const struct lab *l, const char *ns, const char *dir, const char *conf, const char *region, struct text *why)
{
	struct passwd *pw = getpwnam("frr");
	char zserv[LAB_PATH_MAX + 64], zebra[LAB_PATH_MAX + 64], bfd[LAB_PATH_MAX + 64];
	int err;

	if (!pw) {
		text_str(why, "FRR is not installed: there is no user frr");
		return ERR_NOT_FOUND;
	}
	snprintf(zserv, sizeof(zserv), "%s/zserv", dir);
	snprintf(zebra, sizeof(zebra), "%s/zebra.conf", dir);
	snprintf(bfd, sizeof(bfd), "%s/bfdd.conf", dir);
	unlink(zserv);
	err = lab_write_file(zebra, "hostname lab\n", 0644);
	if (!err)
		err = lab_write_file(bfd, "bfd\n profile pop\n  detect-multiplier 3\n  receive-interval " ROUTER_BFD_MS "\n  transmit-interval " ROUTER_BFD_MS
		                          "\n", 0644);
	if (!err && (chown(dir, pw->pw_uid, pw->pw_gid) < 0 || chown(conf, pw->pw_uid, pw->pw_gid) < 0 ||
	             chown(zebra, pw->pw_uid, pw->pw_gid) < 0 || chown(bfd, pw->pw_uid, pw->pw_gid) < 0))
		err = ERR_INVALID;
	if (!err)
		err = start_frr_daemon(l, ns, dir, "zebra", zebra, region);
	if (!err && wait_for_file(zserv) < 0) {
		text_fmt(why, "zebra of %s did not start; see %s/log/zebra-%s.log", region, l->dir, region);
		return ERR_NOT_FOUND;
	}
	if (!err)
		err = start_frr_daemon(l, ns, dir, "bfdd", bfd, region);
	if (!err)
		err = start_frr_daemon(l, ns, dir, "bgpd", conf, region);
	return err;
}

int lab_start_routers(const struct lab *l, struct text *why)
{
	int err = 0;

	for (unsigned i = 0; !err && i < LAB_REGIONS; i++) {
		const struct lab_region *region = &lab_regions[i];
		char ns[LAB_NETNS_MAX], dir[LAB_PATH_MAX + 32], conf[LAB_PATH_MAX + 48], what[32];
		struct text t;

		lab_netns(l, 't', i, ns);
		snprintf(dir, sizeof(dir), "%s/t-%s", l->dir, region->name);
		snprintf(conf, sizeof(conf), "%s/%s.conf", dir, region->router == LAB_BIRD ? "bird" : "bgpd");
		snprintf(what, sizeof(what), "bird-%s", region->name);
		mkdir(dir, 0755);
		text_init(&t);
		if (region->router == LAB_BIRD)
			bird_config(i, &t);
		else
			frr_config(i, &t);
		err = lab_write_file(conf, t.chars, 0644);
		text_done(&t);
		if (!err)
			err = region->router == LAB_BIRD ? start_bird(l, ns, dir, conf, what) : start_frr(l, ns, dir, conf, region->name, why);
	}
	return err;
}
