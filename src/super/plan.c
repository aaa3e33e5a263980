/* SPDX-License-Identifier: BSD-2-Clause */
#include "super/plan.h"

#include "base/err.h"
#include "base/text.h"
#include "config/change.h"
#include "super/accepted.h"
#include "super/fleet_known.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

enum { DNS_PORT = 53, PLAN_FILES_LOOKED_AT = 64 };

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

/* The group that the fleet file names for the control socket. Who does not run as root has no say over groups, unless it is in it. */
static void choose_control_group(struct plan *p, struct diag *diag)
{
	const char *name = p->config ? p->config->control_group : NULL;
	const struct group *g = name ? getgrnam(name) : NULL;

	p->control_gid = g ? g->gr_gid : UINT32_MAX;
	if (name && !g)
		diag_add(diag, DIAG_ERROR, p->config->path, 0, 0, "control-group: there is no group \"%s\" on this machine; create it or name another", name);
}

/* As the file system sees this thread. A pipe must not keep it waiting. */
static bool readable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void see_as(uint32_t uid, uint32_t gid)
{
	setfsgid(gid);
	setfsuid(uid);
}

static bool some_unreadable_in(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	bool bad = !d;

	for (unsigned n = 0; !bad && n < PLAN_FILES_LOOKED_AT && (e = readdir(d)) != NULL; n++) {
		char path[2 * ROLE_PATH_MAX];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		bad = !readable(path);
	}
	if (d)
		closedir(d);
	return bad;
}

/* Will sync need to read files that its account may not? Mostly all files are alike, so that a few tell; for what they do not tell sync asks
 * (plan_grants_read()). To look at each of 100,000 would keep answers waiting. */
static bool needs_read(const struct plan *p, const char *zones_dir)
{
	unsigned looked = 0;
	bool bad = false;

	if (p->uid == UINT32_MAX)
		return false;
	see_as(p->uid, p->gid);
	if (zones_dir)
		bad = some_unreadable_in(zones_dir);
	for (size_t i = 0; !zones_dir && !bad && i < p->config->zone_count && looked < PLAN_FILES_LOOKED_AT; i++)
		if (p->config->zones[i].file) {
			bad = !readable(p->config->zones[i].file);
			looked++;
		}
	see_as(geteuid(), getegid());
	return bad;
}

static bool names_zone_file(const struct plan *p, const char *zones_dir, const char *path)
{
	size_t dir = zones_dir ? strlen(zones_dir) : 0;

	if (zones_dir)
		return strncmp(path, zones_dir, dir) == 0 && (!path[dir] || (path[dir] == '/' && !strchr(path + dir + 1, '/')));
	for (size_t i = 0; i < p->config->zone_count; i++)
		if (p->config->zones[i].file && strcmp(p->config->zones[i].file, path) == 0)
			return true;
	return false;
}

static bool readable_by(const struct plan *p, const char *path)
{
	bool good;

	see_as(p->uid, p->gid);
	good = readable(path);
	see_as(geteuid(), getegid());
	return good;
}

bool plan_grants_read(const struct plan *p, const char *zones_dir, const char *path)
{
	return p->uid != UINT32_MAX && names_zone_file(p, zones_dir, path) && readable(path) && !readable_by(p, path);
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

static int bundle_file(struct bundle *to, const char *path, size_t max, struct diag *diag)
{
	size_t len;
	int err;

	if (!path || bundle_get(to, path, &len))
		return 0;
	err = bundle_add_file(to, path, max);
	if (err < 0) {
		diag_add(diag, DIAG_ERROR, path, 0, 0, "cannot read this file: %s", err_text(err));
		return ERR_INVALID;
	}
	return 0;
}

static int bundle_secret(struct bundle *to, const char *path, struct diag *diag)
{
	return bundle_file(to, path, PLAN_KEY_FILE_MAX, diag);
}

/* How servers are known over TLS, and what we show them. */
static int bundle_tls_auth(struct bundle *to, const struct config_tls_auth *a, struct diag *diag)
{
	int err = bundle_file(to, a->ca_file, PLAN_AUTHORITIES_MAX, diag);

	if (!err)
		err = bundle_secret(to, a->certificate_file, diag);
	if (!err)
		err = bundle_secret(to, a->key_file, diag);
	return err;
}

/* Those by which backends are known, for who speaks to them: watch and the workers. */
static int bundle_backends(const struct plan *p, struct bundle *to, struct diag *diag)
{
	int err = 0;

	for (size_t i = 0; !err && i < p->config->tls_auth_count; i++)
		if (config_tls_of_backends(p->config, i))
			err = bundle_tls_auth(to, &p->config->tls_auth[i], diag);
	return err;
}

/* Tokens, and TLS, of the web server. */
static int bundle_http(struct plan *p, struct diag *diag)
{
	const struct config_http *h = config_http_of(p->config, p->node);
	int err = h ? bundle_secret(p->admin, h->token_file, diag) : 0;

	if (!err && h && h->tls.enabled)
		err = bundle_secret(p->admin, h->tls.certificate_file, diag);
	if (!err && h && h->tls.enabled)
		err = bundle_secret(p->admin, h->tls.key_file, diag);
	if (!err && h && h->tls.enabled)
		err = bundle_file(p->admin, h->tls.client_ca_file, PLAN_AUTHORITIES_MAX, diag);
	return err;
}

/* Where systems keep the authorities that they believe: Debian and others, Fedora, SUSE, Alpine and BSD. */
static int bundle_system_authorities(struct bundle *to, unsigned line, const char *file, struct diag *diag)
{
	static const char *const paths[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
	struct bundle *b;
	const void *bytes;
	const char *name;
	size_t len;
	int err;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (bundle_get(to, ROLE_ITEM_AUTHORITIES, &len))
			return 0;
		b = bundle_new();
		err = b ? bundle_add_file(b, paths[i], PLAN_AUTHORITIES_MAX) : ERR_NO_MEMORY;
		bytes = err < 0 ? NULL : bundle_first(b, &name, &len);
		if (bytes)
			err = bundle_add(to, ROLE_ITEM_AUTHORITIES, bytes, len);
		bundle_free(b);
		if (!err)
			return 0;
		if (err == ERR_NO_MEMORY)
			return err;
	}
	diag_add(diag, DIAG_ERROR, file, line, 0, "this machine has no file of authorities of certificates that is known here: give the check a ca-file");
	return ERR_INVALID;
}

/* Whom watch is to believe where it asks web servers whether they are well. */
static int bundle_pools(struct plan *p, struct diag *diag)
{
	int err = 0;

	for (size_t i = 0; !err && i < p->config->pool_count; i++) {
		const struct config_pool *pool = &p->config->pools[i];

		if (pool->check.type != CONFIG_CHECK_HTTPS || pool->check.insecure)
			continue;
		err = pool->check.ca_file ? bundle_file(p->watch, pool->check.ca_file, PLAN_AUTHORITIES_MAX, diag)
		                          : bundle_system_authorities(p->watch, pool->line, p->config->path, diag);
	}
	return err;
}

/* TSIG keys and TLS for transfers are for sync, one of those keys for watch, BGP passwords for route. */
static int bundle_secrets(struct plan *p, struct diag *diag)
{
	int err = 0;

	for (size_t i = 0; !err && i < p->config->key_count; i++)
		err = bundle_secret(p->zones, p->config->keys[i].secret_file, diag);
	for (size_t i = 0; !err && i < p->config->tls_auth_count; i++)
		err = bundle_tls_auth(p->zones, &p->config->tls_auth[i], diag);
	if (!err)
		err = bundle_backends(p, p->watch, diag);
	for (size_t i = 0; !err && i < p->node->neighbor_count; i++)
		err = bundle_secret(p->bundle, p->node->neighbors[i].password_file, diag);
	if (!err && config_status_key(p->config))
		err = bundle_secret(p->watch, config_status_key(p->config)->secret_file, diag);
	if (!err)
		err = bundle_pools(p, diag);
	return err < 0 ? err : bundle_http(p, diag);
}

/* Without files of their own, cookies have secrets derived from the TSIG keys, which are the same on every node. */
static int cookie_secrets(const struct plan *p, const uint8_t seed[COOKIE_SECRET_LEN], struct diag *diag, struct cookie_secrets *out)
{
	static const char label[] = "zonecast cookie secret";
	const struct config_answer *a = p->config ? &p->config->answer : NULL;
	size_t files = a ? a->cookies.secret_file_count : 0, keys = p->config ? p->config->key_count : 0;
	size_t count = files ? files : MIN(keys, (size_t)COOKIE_SECRETS_MAX);

	memset(out, 0, sizeof(*out));
	if (a && a->cookies.mode == CONFIG_COOKIES_OFF)
		return 0;
	for (size_t i = 0; i < count; i++) {
		const char *path = files ? a->cookies.secret_files[i] : p->config->keys[i].secret_file, *name;
		struct bundle *b = bundle_new();
		int err = b ? bundle_add_file(b, path, PLAN_KEY_FILE_MAX) : ERR_NO_MEMORY;
		size_t len = 0;
		const void *bytes = err < 0 ? NULL : bundle_first(b, &name, &len);

		if (bytes && files) {
			err = cookie_secret_parse(bytes, len, out->secret[i]);
		} else if (bytes) {
			uint8_t digest[EVP_MAX_MD_SIZE];

			if (!HMAC(EVP_sha256(), bytes, (int)len, (const uint8_t *)label, sizeof(label) - 1, digest, NULL))
				err = ERR_NO_MEMORY;
			memcpy(out->secret[i], digest, COOKIE_SECRET_LEN);
		}
		bundle_free(b);
		if (err < 0) {
			diag_add(diag, DIAG_ERROR, path, 0, 0, "cannot read this secret: %s", err_text(err));
			return ERR_INVALID;
		}
	}
	if (!count)
		memcpy(out->secret[0], seed, COOKIE_SECRET_LEN);
	out->count = count ? (unsigned)count : 1;
	return 0;
}

/* Whose cookies can be told apart: those of pops that share their secrets. */
static void mark_cookies(const struct plan *p, struct cookie_secrets *out)
{
	uint8_t marks[CONFIG_NODES_MAX];
	size_t pops = 0;

	if (!p->config || !out->count || (!p->config->answer.cookies.secret_file_count && !p->config->key_count))
		return;
	config_site_marks(p->config, marks);
	for (size_t i = 0; i < p->config->node_count; i++) {
		pops += marks[i] > 0;
		if (&p->config->nodes[i] == p->node)
			out->site = marks[i];
		if (marks[i])
			out->sites |= 1ULL << marks[i];
	}
	if (pops < 2)
		out->site = 0;
}

/* Fast Open cookies (RFC 7413) are good at every node that has the same secrets, as DNS cookies are. */
static bool fastopen_keys(struct plan *p, const struct cookie_secrets *secrets)
{
	static const char label[] = "zonecast tcp fast open";
	uint8_t digest[EVP_MAX_MD_SIZE];

	p->fastopen_count = MIN(secrets->count, (unsigned)PLAN_FASTOPEN_KEYS);
	for (unsigned i = 0; i < p->fastopen_count; i++) {
		if (!HMAC(EVP_sha256(), secrets->secret[i], COOKIE_SECRET_LEN, (const uint8_t *)label, sizeof(label) - 1, digest, NULL))
			return false;
		memcpy(p->fastopen[i], digest, LISTEN_FASTOPEN_KEY);
	}
	OPENSSL_cleanse(digest, sizeof(digest));
	return true;
}

/* Certificate and key, which config_check_files() has judged, and whose certificates are believed. */
static int bundle_tls(struct plan *p, struct diag *diag)
{
	const struct config_tls *t = &p->config->answer.tls;
	int err = bundle_secret(p->answer, t->certificate_file, diag);

	if (!err)
		err = bundle_secret(p->answer, t->key_file, diag);
	if (!err)
		err = bundle_file(p->answer, t->client_ca_file, PLAN_AUTHORITIES_MAX, diag);
	return err;
}

/* Whose questions about this node's status workers pass on. */
static int bundle_fleet(struct plan *p)
{
	size_t count = 0;
	struct ip_addr *all;
	int err;

	for (size_t i = 0; i < p->config->node_count; i++)
		count += p->config->nodes[i].management_count;
	all = calloc(count + 1, sizeof(*all));
	if (!all)
		return ERR_NO_MEMORY;
	count = 0;
	for (size_t i = 0; i < p->config->node_count; i++)
		for (size_t k = 0; k < p->config->nodes[i].management_count; k++)
			all[count++] = p->config->nodes[i].management[k];
	err = bundle_add(p->answer, ROLE_ITEM_FLEET, all, count * sizeof(*all));
	free(all);
	return err;
}

bool plan_taps(const struct plan *p)
{
	return p->config && (p->config->dnstap.enabled || p->config->query_log.enabled);
}

/* What workers, and tap, are told. In the stand-alone form all defaults hold, but no rate limit: whoever runs it has not said who asks. */
static int plan_answer(struct plan *p, const uint8_t seed[COOKIE_SECRET_LEN], struct diag *diag)
{
	static const char alone[] = "fleet: alone\nnodes: [{name: alone, role: primary}]\n"
				    "answer: {rate-limit: {answers: 0, referrals: 0, no-data: 0, no-names: 0, errors: 0}}\n";
	struct cookie_secrets secrets;
	struct text yaml;
	int err = cookie_secrets(p, seed, diag, &secrets);

	if (err < 0)
		return err;
	mark_cookies(p, &secrets);
	text_init(&yaml);
	if (p->config)
		config_print_for_answer(p->config, p->node, &yaml);
	else
		text_str(&yaml, alone);
	p->answer = bundle_new();
	err = yaml.failed || !p->answer ? ERR_NO_MEMORY : bundle_add(p->answer, p->config ? p->config->path : "alone", yaml.chars, yaml.len);
	if (!err && plan_taps(p)) {
		p->tap = bundle_new();
		err = p->tap ? bundle_add(p->tap, p->config->path, yaml.chars, yaml.len) : ERR_NO_MEMORY;
	}
	if (!err)
		err = bundle_add(p->answer, ROLE_ITEM_COOKIES, &secrets, sizeof(secrets));
	if (!err && p->config)
		err = bundle_fleet(p);
	if (!err && p->config && p->config->answer.tls.enabled)
		err = bundle_tls(p, diag);
	if (!err && p->config)
		err = bundle_backends(p, p->answer, diag);
	if (!err && !fastopen_keys(p, &secrets))
		err = ERR_NO_MEMORY;
	text_done(&yaml);
	OPENSSL_cleanse(&secrets, sizeof(secrets));
	return err;
}

/* A hundred thousand zones in each of three roles that have no use for them would be a third of the node's memory. */
static int bundle_config(const struct config *c, struct bundle **out)
{
	struct text yaml;
	int err;

	text_init(&yaml);
	config_print_without_zones(c, &yaml);
	*out = bundle_new();
	err = yaml.failed || !*out ? ERR_NO_MEMORY : bundle_add(*out, c->path, yaml.chars, yaml.len);
	if (!err)
		err = bundle_add(*out, ROLE_ITEM_HASH, c->hash, sizeof(c->hash));
	text_done(&yaml);
	return err;
}

/* The file but for its zones, when the whole was found good before: all else that is to be said of it is said by plan_complete(). */
static struct config *known_config(const struct supervisor_options *o, const char *yaml, size_t len)
{
	struct config *c = NULL;
	struct diag diag;

	if (len < KNOWN_ZONES_MIN)
		return NULL;
	diag_init(&diag);
	if (config_parse_head(o->config_path, yaml, len, &diag, &c) == 0 && !fleet_known_good(o->run_dir ? o->run_dir : c->run_dir, c)) {
		config_free(c);
		c = NULL;
	}
	diag_done(&diag);
	return c;
}

/* The fleet file of the bundle for sync. */
static int parse_fleet(const struct supervisor_options *o, bool start, struct diag *diag, struct plan *p)
{
	const char *yaml, *name;
	size_t len;

	yaml = bundle_first(p->zones, &name, &len);
	p->config = start ? known_config(o, yaml, len) : NULL;
	p->without_zones = p->config != NULL;
	return p->config ? 0 : config_parse(o->config_path, yaml, len, diag, &p->config);
}

/* Go on with the copy of the newest file that was accepted, as if it were the fleet file. */
static int take_accepted(const struct supervisor_options *o, const char *state_dir, struct diag *diag, struct plan *p)
{
	struct accepted newest;
	char *bytes = NULL;
	size_t len;
	int err = accepted_load(state_dir, &newest, &bytes, &len);

	if (err < 0) {
		diag_add(diag, DIAG_ERROR, o->config_path, 0, 0,
		         "generation %u is older than %u, which this node has accepted, and the copy of that one in %s cannot be used: %s; to go back, start "
		         "with --accept-older",
		         p->config->generation, p->highest, state_dir, err_text(err));
		return ERR_INVALID;
	}
	diag_add(diag, DIAG_WARNING, o->config_path, 0, 0,
	         "generation %u is older than %u, which this node has accepted: it goes on with its copy of that one; to go back, start with --accept-older",
	         p->config->generation, newest.generation);
	p->file_older = p->config->generation + 1;
	config_free(p->config);
	p->config = NULL;
	bundle_free(p->zones);
	p->zones = bundle_new();
	err = p->zones ? bundle_add(p->zones, o->config_path, bytes, len) : ERR_NO_MEMORY;
	free(bytes);
	return err < 0 ? err : parse_fleet(o, true, diag, p);
}

static int judge_generation(const struct supervisor_options *o, const struct plan *in_force, const struct plan_leave *leave, struct diag *diag,
                            struct plan *p)
{
	const char *state_dir = o->state_dir ? o->state_dir : p->config->state_dir;
	char was[65], is[65];
	struct accepted newest = {0};
	int err = accepted_read(state_dir, &newest);

	if (err < 0 && err != ERR_NOT_FOUND)
		diag_add(diag, DIAG_WARNING, o->config_path, 0, 0, "%s/fleet.accepted: %s: an older fleet file would not be noticed", state_dir, err_text(err));
	if (in_force && in_force->config && in_force->config->generation > newest.generation) {
		newest.generation = in_force->config->generation;
		memcpy(newest.hash, in_force->config->hash, sizeof(newest.hash));
	}
	p->highest = newest.generation;
	if (p->config->generation < newest.generation && !(in_force ? leave && leave->accept_older : o->accept_older)) {
		if (!in_force)
			return take_accepted(o, state_dir, diag, p);
		diag_add(diag, DIAG_ERROR, o->config_path, 0, 0,
		         "generation %u is older than %u, which this node has accepted: to go back give the old content a new generation, or use "
		         "--accept-older",
		         p->config->generation, newest.generation);
		return ERR_INVALID;
	}
	if (p->config->generation && p->config->generation == newest.generation && memcmp(p->config->hash, newest.hash, sizeof(newest.hash)) != 0) {
		accepted_hash_text(newest.hash, was);
		accepted_hash_text(p->config->hash, is);
		diag_add(diag, DIAG_WARNING, o->config_path, 0, 0, "generation %u again, with other content: sha256 %s, before %s", p->config->generation, is,
		         was);
	}
	return 0;
}

/* What would leave nobody to answer for a network is refused, unless it is wanted by name. */
static int judge_losses(const struct plan *in_force, const struct plan_leave *leave, struct diag *diag, const struct plan *p)
{
	struct changes list;
	size_t losses;

	changes_init(&list);
	config_losses(in_force->config, p->config, leave ? leave->withdraw : NULL, leave ? leave->withdraw_count : 0, &list);
	for (const struct change *c = list.first; c; c = c->next)
		if (!c->allowed)
			diag_add(diag, DIAG_ERROR, p->config->path, 0, 0, "%s: %s; where that is wanted: zonecast reload --withdraw %s", c->subject, c->text,
			         c->subject + strlen("network "));
	losses = list.losses;
	changes_done(&list);
	return losses ? ERR_INVALID : 0;
}

static int plan_fleet(const struct supervisor_options *o, const struct plan *in_force, const struct plan_leave *leave, struct diag *diag,
                      struct plan *p)
{
	int err;

	p->zones = bundle_new();
	if (!p->zones)
		return ERR_NO_MEMORY;
	err = bundle_add_file(p->zones, o->config_path, CONFIG_FILE_MAX);
	if (err < 0) {
		diag_add(diag, DIAG_ERROR, o->config_path, 0, 0, "cannot read the fleet file: %s", err_text(err));
		return ERR_INVALID;
	}
	err = parse_fleet(o, !in_force, diag, p);
	if (!err)
		err = judge_generation(o, in_force, leave, diag, p);
	if (err < 0)
		return err;
	p->node = config_node_find(p->config, p->node_name);
	if (!p->node) {
		diag_add(diag, DIAG_ERROR, o->config_path, 0, 0,
		         "no node is called \"%s\"; add it to nodes:, or name this machine's node with --node", p->node_name);
		return ERR_INVALID;
	}
	config_check_files(p->config, p->node, diag);
	if (in_force)
		config_check_zone_files(p->config, p->node, in_force->config, diag);
	if (in_force && judge_losses(in_force, leave, diag, p) < 0)
		return ERR_INVALID;
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
	if (p->config->answer.tls.enabled) {
		size_t plain = p->endpoint_count;

		p->tls_port = p->config->answer.tls.port;
		for (size_t i = 0; i < plain; i++)
			if (add_endpoint(p, &p->endpoints[i].addr, p->tls_port, diag) < 0)
				return ERR_INVALID;
	}
	p->workers = o->workers ? o->workers : p->node->workers;
	p->routed = true;
	err = bundle_config(p->config, &p->bundle);
	if (!err)
		err = bundle_config(p->config, &p->watch);
	if (!err)
		err = bundle_config(p->config, &p->admin);
	return err < 0 ? err : bundle_secrets(p, diag);
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

int plan_make(const struct supervisor_options *o, const uint8_t seed[COOKIE_SECRET_LEN], const struct plan *in_force,
              const struct plan_leave *leave, struct diag *diag, struct plan *out)
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
	err = o->zones_dir ? plan_alone(o, diag, p) : plan_fleet(o, in_force, leave, diag, p);
	if (!err)
		err = plan_answer(p, seed, diag);
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
		choose_control_group(p, diag);
		p->keep_dac_read = (in_force && in_force->keep_dac_read) || needs_read(p, o->zones_dir);
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

int plan_complete(struct plan *p, struct diag *diag)
{
	struct config *whole;
	const char *yaml, *name;
	size_t len;
	int err;

	if (!p->without_zones)
		return 0;
	yaml = bundle_first(p->zones, &name, &len);
	err = config_parse(name, yaml, len, diag, &whole);
	if (err < 0)
		return err;
	config_free(p->config);
	p->config = whole;
	p->node = config_node_find(whole, p->node_name);
	p->keep_dac_read = needs_read(p, NULL);
	p->without_zones = false;
	return 0;
}

void plan_done(struct plan *p)
{
	config_free(p->config);
	bundle_free(p->bundle);
	bundle_free(p->watch);
	bundle_free(p->admin);
	bundle_free(p->answer);
	bundle_free(p->tap);
	bundle_free(p->zones);
	p->config = NULL;
	p->bundle = p->watch = p->admin = p->answer = p->tap = p->zones = NULL;
}
