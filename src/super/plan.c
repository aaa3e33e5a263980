/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/plan.h"

#include "base/err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

enum { DNS_PORT = 53 };

static unsigned cpus(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	return n > 0 ? (unsigned)n : 1;
}

static int copy_path(char out[ROLE_PATH_MAX], const char *what, const char *path, struct diag *diag)
{
	if ((size_t)snprintf(out, ROLE_PATH_MAX, "%s", path) < ROLE_PATH_MAX)
		return 0;
	diag_add(diag, DIAG_ERROR, NULL, 0, 0, "%s is longer than %d octets", what, ROLE_PATH_MAX - 1);
	return ERR_INVALID;
}

static void choose_user(struct plan *p, const char *name, struct diag *diag)
{
	struct passwd *pw;

	p->uid = p->gid = UINT32_MAX;
	if (geteuid() != 0)
		return;
	pw = getpwnam(name ? name : "zonecast");
	if (!pw && name) {
		diag_add(diag, DIAG_ERROR, p->config ? p->config->path : NULL, 0, 0,
		         "user: there is no user \"%s\" on this machine; create it or name another", name);
		return;
	}
	if (!pw)
		pw = getpwnam("nobody");
	p->uid = pw ? pw->pw_uid : 65534;
	p->gid = pw ? pw->pw_gid : 65534;
}

static bool readable_as(uint32_t uid, uint32_t gid, const char *path)
{
	int fd;

	setfsgid(gid);
	setfsuid(uid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	setfsuid(geteuid());
	setfsgid(getegid());
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Does sync need to read files that its account may not? The first file of the folder, or each configured one, tells. */
static bool needs_dac_read(const struct plan *p, const char *zones_dir)
{
	if (p->uid == UINT32_MAX)
		return false;
	if (zones_dir) {
		DIR *d = opendir(zones_dir);
		bool bad = !readable_as(p->uid, p->gid, zones_dir);
		struct dirent *e;

		while (!bad && d && (e = readdir(d)) != NULL) {
			char path[2 * ROLE_PATH_MAX];

			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", zones_dir, e->d_name);
			bad = !readable_as(p->uid, p->gid, path);
		}
		if (d)
			closedir(d);
		return bad;
	}
	for (size_t i = 0; i < p->config->zone_count; i++)
		if (p->config->zones[i].file && !readable_as(p->uid, p->gid, p->config->zones[i].file))
			return true;
	return false;
}

static int add_endpoint(struct plan *p, const struct ip_addr *addr, uint16_t port, struct diag *diag)
{
	for (size_t i = 0; i < p->endpoint_count; i++)
		if (addr_equal(&p->endpoints[i].addr, addr) && p->endpoints[i].port == port)
			return 0;
	if (p->endpoint_count == PLAN_ENDPOINTS_MAX) {
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "more than %d addresses to listen on", PLAN_ENDPOINTS_MAX);
		return ERR_INVALID;
	}
	p->endpoints[p->endpoint_count++] = (struct endpoint){.addr = *addr, .port = port};
	return 0;
}

static int bundle_secrets(struct plan *p, struct diag *diag)
{
	for (size_t i = 0; i < p->node->neighbor_count; i++) {
		const char *path = p->node->neighbors[i].password_file;
		size_t len;
		int err;

		if (!path || bundle_get(p->bundle, path, &len))
			continue;
		err = bundle_add_file(p->bundle, path, PLAN_KEY_FILE_MAX);
		if (err < 0) {
			diag_add(diag, DIAG_ERROR, path, 0, 0, "cannot read this key file: %s", err_text(err));
			return ERR_INVALID;
		}
	}
	return 0;
}

static int plan_fleet(const struct supervisor_options *o, struct diag *diag, struct plan *p)
{
	const char *yaml, *name;
	size_t len;
	int err;

	p->bundle = bundle_new();
	if (!p->bundle)
		return ERR_NO_MEMORY;
	err = bundle_add_file(p->bundle, o->config_path, CONFIG_FILE_MAX);
	if (err < 0) {
		diag_add(diag, DIAG_ERROR, o->config_path, 0, 0, "cannot read the fleet file: %s", err_text(err));
		return ERR_INVALID;
	}
	yaml = bundle_first(p->bundle, &name, &len);
	err = config_parse(o->config_path, yaml, len, diag, &p->config);
	if (err < 0)
		return err;
	p->node = config_node_find(p->config, p->node_name);
	if (!p->node) {
		diag_add(diag, DIAG_ERROR, o->config_path, 0, 0,
		         "no node is called \"%s\"; add it to nodes:, or name this machine's node with --node", p->node_name);
		return ERR_INVALID;
	}
	config_check_files(p->config, p->node, diag);
	if (diag->errors)
		return ERR_INVALID;
	for (size_t i = 0; i < p->node->network_count; i++) {
		const struct config_network *n = &p->config->networks[p->node->networks[i]];

		for (size_t k = 0; k < n->address_count; k++) {
			if (p->service_count == PLAN_ENDPOINTS_MAX || add_endpoint(p, &n->addresses[k], DNS_PORT, diag) < 0)
				return ERR_INVALID;
			p->service[p->service_count++] = n->addresses[k];
		}
	}
	for (size_t i = 0; i < p->node->management_count; i++)
		if (add_endpoint(p, &p->node->management[i], DNS_PORT, diag) < 0)
			return ERR_INVALID;
	p->workers = o->workers ? o->workers : p->node->workers;
	p->routed = true;
	return bundle_secrets(p, diag);
}

static int plan_alone(const struct supervisor_options *o, struct diag *diag, struct plan *p)
{
	if (access(o->zones_dir, R_OK | X_OK) < 0) {
		diag_add(diag, DIAG_ERROR, o->zones_dir, 0, 0, "cannot read the folder of zone files: %s", err_text(-errno));
		return ERR_INVALID;
	}
	for (size_t i = 0; i < o->listen_count; i++)
		if (add_endpoint(p, &o->listen[i].addr, o->listen[i].port, diag) < 0)
			return ERR_INVALID;
	p->workers = o->workers;
	return 0;
}

int plan_make(const struct supervisor_options *o, struct diag *diag, struct plan *out)
{
	struct plan *p = calloc(1, sizeof(*p));
	char fallback[ROLE_PATH_MAX];
	int err;

	if (!p)
		return ERR_NO_MEMORY;
	if (o->node)
		snprintf(p->node_name, sizeof(p->node_name), "%s", o->node);
	else if (gethostname(p->node_name, sizeof(p->node_name) - 1) < 0)
		snprintf(p->node_name, sizeof(p->node_name), "localhost");
	err = o->zones_dir ? plan_alone(o, diag, p) : plan_fleet(o, diag, p);
	if (!err) {
		if (geteuid() == 0)
			snprintf(fallback, sizeof(fallback), "/run/zonecast");
		else
			snprintf(fallback, sizeof(fallback), "/tmp/zonecast-%u", geteuid());
		err = copy_path(p->run_dir, "run-dir", o->run_dir ? o->run_dir : p->config ? p->config->run_dir : fallback, diag);
	}
	if (!err)
		err = copy_path(p->state_dir, "state-dir",
		                o->state_dir ? o->state_dir : p->config ? p->config->state_dir : p->run_dir, diag);
	if (!p->workers)
		p->workers = MIN(cpus(), (unsigned)BOARD_WORKERS_MAX);
	if (p->workers > BOARD_WORKERS_MAX)
		diag_add(diag, DIAG_ERROR, NULL, 0, 0, "at most %d workers", BOARD_WORKERS_MAX);
	if (!err) {
		choose_user(p, p->config ? p->config->user : NULL, diag);
		p->keep_dac_read = needs_dac_read(p, o->zones_dir);
	}
	if (!err && diag->errors)
		err = ERR_INVALID;
	if (err) {
		plan_done(p);
		free(p);
		return err;
	}
	*out = *p;
	free(p);
	return 0;
}

void plan_done(struct plan *p)
{
	config_free(p->config);
	bundle_free(p->bundle);
	p->config = NULL;
	p->bundle = NULL;
}
