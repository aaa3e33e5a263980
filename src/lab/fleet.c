/* SPDX-License-Identifier: BSD-2-Clause */
/* The fleet file of the lab, its zones, and its nodes. */
#include "lab/lab.h"

#include "base/err.h"
#include "lab/node.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_SERIAL 2026112001U
#define EXAMPLE_COM \
"$TTL 300\n" \
	"@ SOA ns1 hostmaster %u 3600 600 604800 300\n" \
	"@ NS ns1\n@ NS ns2\n" \
	"ns1 A 192.0.2.53\nns1 AAAA 2001:db8:53::53\nns2 A 192.0.2.53\nns2 AAAA 2001:db8:53::53\n" \
	"@ A 198.51.100.1\n@ AAAA 2001:db8::1\n@ MX 10 mail\n@ TXT \"v=spf1 mx -all\"\n" \
	"www CNAME @\nmail A 198.51.100.25\n" \
	"*.apps A 198.51.100.80\n" \
	"sub NS ns.sub\nns.sub A 198.51.100.53\n" \
	"@ HTTPS 1 . alpn=h2,h3\n_dns.resolver SVCB 1 www.example.com. alpn=dot port=853\n" \
	"$GENERATE 1-120 host$ A 198.51.100.$\n"
static const char example_org[] =
	"$TTL 3600\n"
	"@ SOA ns1.example.com. hostmaster.example.com. 7 7200 900 1209600 600\n"
	"@ NS ns1.example.com.\n@ NS ns2.example.com.\n"
	"old DNAME example.com.\n"
	"$GENERATE 1-20 host$ A 198.51.100.$\n";

/* One that expires while a drill can wait for it. */
static const char example_net[] =
	"$TTL 60\n"
	"@ SOA ns1.example.com. hostmaster.example.com. 1 2 1 60 60\n"
	"@ NS ns1.example.com.\n@ NS ns2.example.com.\n"
	"www A 198.51.100.3\n";

static int write_example(const struct lab *l, const char *name, const char *text)
{
	char path[LAB_PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/zones/%s.zone", l->dir, name);
	return lab_write_file(path, text, 0644);
}

int lab_write_example(const struct lab *l, uint32_t serial)
{
	struct text t;
	int err;

	text_init(&t);
	text_fmt(&t, EXAMPLE_COM, serial);
	err = t.failed ? ERR_NO_MEMORY : write_example(l, "example.com", t.chars);
	text_done(&t);
	return err;
}

/* Copies NAME.zone and NAME.zone.gz of the folder given; gzip(1) knows the rest. */
static int take_zones(const struct lab *l)
{
	DIR *d = l->zones_dir[0] ? opendir(l->zones_dir) : NULL;
	struct dirent *e;
	int err = 0;

	while (d && !err && (e = readdir(d)) != NULL) {
		char from[LAB_PATH_MAX + 280], to[LAB_PATH_MAX + 280];
		size_t len = strlen(e->d_name);
		bool gz = len > 8 && strcmp(e->d_name + len - 8, ".zone.gz") == 0;

		if (!gz && (len <= 5 || strcmp(e->d_name + len - 5, ".zone") != 0))
			continue;
		snprintf(from, sizeof(from), "%s/%s", l->zones_dir, e->d_name);
		snprintf(to, sizeof(to), "%s/zones/%.*s", l->dir, (int)(gz ? len - 3 : len), e->d_name);
		if (gz)
			err = lab_run(NULL, (const char *const[]){"sh", "-c", "exec gzip -dc \"$0\" >\"$1\"", from, to, NULL});
		else
			err = lab_run(NULL, (const char *const[]){"cp", from, to, NULL});
	}
	if (d)
		closedir(d);
	return err;
}

static void add_zones(const struct lab *l, struct text *t)
{
	char path[LAB_PATH_MAX + 16];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/zones", l->dir);
	d = opendir(path);
	while (d && (e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len <= 5 || strcmp(e->d_name + len - 5, ".zone") != 0)
			continue;
		if (strcmp(e->d_name, "root.zone") == 0)
			text_str(t, "  - {name: \".\", file: zones/root.zone, network: global}\n");
		else
			text_fmt(t, "  - {name: \"%.*s\", file: \"zones/%s\", network: global}\n", (int)(len - 5), e->d_name, e->d_name);
	}
	if (d)
		closedir(d);
}

int lab_write_zones(const struct lab *l, struct text *why)
{
	char path[LAB_PATH_MAX + 32];
	int err;

	snprintf(path, sizeof(path), "%s/zones", l->dir);
	mkdir(path, 0755);
	err = lab_write_example(l, FIRST_SERIAL);
	if (!err)
		err = write_example(l, "example.org", example_org);
	if (!err)
		err = write_example(l, "example.net", example_net);
	if (!err)
		err = take_zones(l);
	snprintf(path, sizeof(path), "%s/bgp.key", l->dir);
	if (!err)
		err = lab_write_file(path, "zonecast-lab\n", 0600);
	if (err)
		text_fmt(why, "cannot write the zones below %s: %s", l->dir, err_text(err));
	return err;
}

static void add_neighbors(const struct lab *l, unsigned region, struct text *t)
{
	for (unsigned family = 4; family <= 6; family += 2) {
		if (family == 4)
			text_fmt(t, "        - {address: 10.2.%u.1", region + 1);
		else
			text_fmt(t, "        - {address: \"fd00:2:%u::1\"", region + 1);
		text_fmt(t, ", as: %u, password-file: bgp.key, families: [ipv%u], hold-time: 9s", lab_regions[region].as, family);
		if (l->bfd_ms)
			text_fmt(t, ", bfd: {interval: %ums, multiplier: 3}", l->bfd_ms);
		/* Longer than the way around by eu. */
		if (lab_serving(l, region) != region)
			text_str(t, ", prepend: 3");
		text_str(t, "}\n");
	}
}

void lab_fleet_text(const struct lab *l, struct text *t)
{
	text_fmt(t,
	         "fleet: lab\n"
	         "generation: 2\n" /* so that there can be an older one */
	         "http: {open: true}\n" /* whoever is in the lab's namespaces, or has the ports that lead there */
	         "drift: {alert-after: " LAB_DRIFT_AFTER "}\n"
	         "networks:\n"
	         "  - name: global\n"
	         "    prefixes: [" LAB_PREFIX_V4 ", \"" LAB_PREFIX_V6 "\"]\n"
	         "    addresses: [" LAB_ANYCAST_V4 ", \"" LAB_ANYCAST_V6 "\"]\n"
	         "    backstop: [" LAB_BACKSTOP_V4 ", \"" LAB_BACKSTOP_V6 "\"]\n"
	         "    as: %u\n"
	         "    drain-time: 2s\n"
	         "    stale-after: " LAB_STALE_AFTER "\n"
	         "    primary-check: 1s\n"
	         "    expired-signatures: alert\n" /* real zones, of whatever age */
	         "    rise-hold-max: 2s\n" /* drills repeat: a flap must not be held against the next */
	         "nodes:\n"
	         "  - {name: hidden, role: primary, management: [10.1.%d.2, \"fd00:1:%d::2\"]}\n",
	         LAB_AS, LAB_HIDDEN_NET, LAB_HIDDEN_NET);
	for (unsigned i = 0; i < LAB_REGIONS; i++) {
		text_fmt(t,
		         "  - name: pop-%s\n"
		         "    role: pop\n"
		         "    networks: [global]\n"
		         "    management: [10.2.%u.2, \"fd00:2:%u::2\"]\n"
		         "    bgp:\n"
		         "      router-id: 10.2.%u.2\n"
		         "      neighbors:\n",
		         lab_regions[i].name, i + 1, i + 1, i + 1);
		add_neighbors(l, i, t);
	}
	text_str(t, "zones:\n");
	add_zones(l, t);
}

int lab_write_fleet(const struct lab *l, struct text *why)
{
	char path[LAB_PATH_MAX + 32];
	struct text t;
	int err;

	text_init(&t);
	text_fmt(&t, "bfd %u\nhidden %d\n", l->bfd_ms, l->hidden);
	snprintf(path, sizeof(path), "%s/settings", l->dir);
	err = t.failed ? ERR_NO_MEMORY : lab_write_file(path, t.chars, 0644);
	text_clear(&t);
	lab_fleet_text(l, &t);
	snprintf(path, sizeof(path), "%s/fleet.yaml", l->dir);
	if (!err)
		err = t.failed ? ERR_NO_MEMORY : lab_write_file(path, t.chars, 0644);
	text_done(&t);
	if (err)
		text_fmt(why, "cannot write the fleet file below %s: %s", l->dir, err_text(err));
	return err;
}

int lab_load_settings(struct lab *l)
{
	char path[LAB_PATH_MAX + 32];
	unsigned bfd, hidden;
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "%s/settings", l->dir);
	f = fopen(path, "re");
	if (!f)
		return ERR_NOT_FOUND;
	n = fscanf(f, "bfd %u hidden %u", &bfd, &hidden);
	fclose(f);
	if (n != 2)
		return ERR_MALFORMED;
	l->bfd_ms = bfd;
	l->hidden = hidden != 0;
	return 0;
}

unsigned lab_serving(const struct lab *l, unsigned region)
{
	return l->hidden ? 0 : region;
}

int lab_apply(const struct lab *l, struct text *why)
{
	int err = lab_write_fleet(l, why);

	for (unsigned i = 0; !err && i < LAB_REGIONS; i++)
		err = node_order(l, i, "{\"command\":\"reload\"}\n", why);
	if (!err && lab_wait_until_right(l) < 0) {
		text_str(why, "the clients are not answered as the new settings say");
		err = -ETIMEDOUT;
	}
	return err;
}

static int start_node(const struct lab *l, const char *ns, const char *node)
{
	char config[LAB_PATH_MAX + 32], run[LAB_PATH_MAX + 48], state[LAB_PATH_MAX + 48];

	snprintf(config, sizeof(config), "%s/fleet.yaml", l->dir);
	snprintf(run, sizeof(run), "%s/%s/run", l->dir, node);
	snprintf(state, sizeof(state), "%s/%s/state", l->dir, node);
	return lab_start(l, ns, node, (const char *const[]){l->self, "run", "--config", config, "--node", node, "--run-dir", run,
	                 "--state-dir", state, "--workers", "1", "--allow-faults", NULL}, NULL);
}

int lab_start_pop(const struct lab *l, unsigned i)
{
	char ns[LAB_NETNS_MAX], node[32];

	lab_netns(l, 'p', i, ns);
	snprintf(node, sizeof(node), "pop-%s", lab_regions[i].name);
	return start_node(l, ns, node);
}

int lab_start_hidden(const struct lab *l)
{
	char ns[LAB_NETNS_MAX];

	lab_netns(l, 'h', 0, ns);
	return start_node(l, ns, "hidden");
}
