/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools of name servers that answer for zones: what they leave unsaid is filled in, and what rows cannot say is looked at: servers that are this fleet
 * itself, options of a zone that have no meaning where others answer for it. */
#include "config/read.h"

#include <stdio.h>
#include <string.h>

enum { DNS_PORT = 53, TLS_PORT = 853 };

static const struct tree *pool_at(const struct tree *root, size_t i)
{
	return tree_item(tree_get(root, "backends"), i);
}

static const struct tree *server_at(const struct tree *root, size_t pool, size_t i)
{
	return tree_item_of(pool_at(root, pool), "servers", i);
}

static void link_server(struct config *c, const struct config_backends *b, struct config_backend_server *s)
{
	uint16_t port = b->over == CONFIG_BACKEND_TLS ? TLS_PORT : DNS_PORT;
	char text[ENDPOINT_TEXT_MAX];

	if (!s->at.port)
		s->at.port = port;
	if (!s->name)
		s->name = arena_strdup(&c->arena,
		                       s->at.port == port ? addr_text(&s->at.addr, text) : endpoint_text(&s->at, text));
}

void config_link_backends(const struct tree *root, struct config *c)
{
	for (size_t i = 0; i < c->backend_count; i++) {
		struct config_backends *b = &c->backends[i];

		b->line = pool_at(root, i)->line;
		for (size_t n = 0; n < b->server_count; n++)
			link_server(c, b, &b->servers[n]);
		for (size_t n = 0; n < b->pass_count; n++) {
			b->pass_notify = b->pass_notify || b->pass[n] == CONFIG_PASS_NOTIFY;
			b->pass_update = b->pass_update || b->pass[n] == CONFIG_PASS_UPDATE;
			b->pass_transfer = b->pass_transfer || b->pass[n] == CONFIG_PASS_TRANSFER;
		}
	}
	for (size_t i = 0; c->backend_count && i < c->zone_count; i++)
		if (config_zone_is_edge(&c->zones[i]) && !c->backends[c->zones[i].backends].check.name)
			c->backends[c->zones[i].backends].check.name = c->zones[i].apex;
}

/* Where questions to it would come back to the fleet itself. NULL: nowhere. */
static const char *own_address(const struct config *c, const struct endpoint *at, const char **whose)
{
	if (at->port != DNS_PORT && !(c->answer.tls.enabled && at->port == c->answer.tls.port))
		return NULL;
	for (size_t n = 0; n < c->network_count; n++)
		for (size_t i = 0; i < c->networks[n].address_count; i++)
			if (addr_equal(&c->networks[n].addresses[i], &at->addr)) {
				*whose = c->networks[n].name;
				return "a service address of network";
			}
	for (size_t n = 0; n < c->node_count; n++)
		for (size_t i = 0; i < c->nodes[n].management_count; i++)
			if (addr_equal(&c->nodes[n].management[i], &at->addr)) {
				*whose = c->nodes[n].name;
				return "the management address of node";
			}
	return NULL;
}

static void check_server(const struct tree_source *src, const struct tree *root, const struct config *c, size_t pool,
                         size_t i)
{
	const struct config_backends *b = &c->backends[pool];
	const struct config_backend_server *s = &b->servers[i];
	const struct tree *t = server_at(root, pool, i), *at = tree_value_of(t, "address");
	const char *whose = NULL, *what = own_address(c, &s->at, &whose);
	char text[ENDPOINT_TEXT_MAX];

	if (what)
		tree_error(src, at,
		           "%s is %s \"%s\": questions would come back to this fleet; write the server's own address, "
		           "or its other port",
		           endpoint_text(&s->at, text), what, whose);
	if (!*s->name || strlen(s->name) > CONFIG_NAME_MAX ||
	    s->name[strspn(s->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:[]%")])
		tree_error(src, tree_value_of(t, "name"),
		           "the name of a server has 1 to %d letters, digits, -, _, . and :", CONFIG_NAME_MAX);
	for (size_t j = 0; j < i; j++) {
		const struct config_backend_server *other = &b->servers[j];

		if (addr_equal(&other->at.addr, &s->at.addr) && other->at.port == s->at.port)
			tree_error(src, at, "server %s is here twice", endpoint_text(&s->at, text));
		else if (strcmp(other->name, s->name) == 0)
			tree_error(src, tree_value_of(t, "name"), "two servers of this pool are called \"%s\"",
			           s->name);
	}
}

static void check_pool(const struct tree_source *src, const struct tree *root, const struct config *c, size_t i)
{
	const struct config_backends *b = &c->backends[i];
	const struct tree *t = pool_at(root, i), *name = tree_value_of(t, "name");

	for (size_t j = 0; j < i; j++)
		if (strcasecmp(c->backends[j].name, b->name) == 0)
			tree_error(src, name, "backends \"%s\" are defined twice; the first are in line %u", b->name,
			           c->backends[j].line);
	if (b->over == CONFIG_BACKEND_TLS && b->tls == UINT32_MAX)
		tree_error(src, tree_value_of(t, "over"),
		           "how are the servers of \"%s\" known? Add tls: NAME, an entry of \"tls-auth\"", b->name);
	if (b->over != CONFIG_BACKEND_TLS && b->tls != UINT32_MAX)
		tree_error(src, tree_value_of(t, "tls"), "\"tls\" goes with \"over: tls\": write that, or remove it");
	if (b->over == CONFIG_BACKEND_TLS && b->proxy_protocol)
		tree_warning(src, tree_value_of(t, "proxy-protocol"),
		             "the header of the PROXY protocol stands before TLS, in the clear");
	if (b->check.contains && b->check.rcode)
		tree_error(
			src, tree_value_of(tree_value_of(t, "check"), "contains"),
			"an answer with another code than NOERROR has no records: remove \"contains\", or \"rcode\"");
	if (b->check.timeout_ms > b->check.interval_ms * 10)
		tree_warning(src, tree_value_of(t, "check"),
		             "\"timeout\" is more than ten times \"interval\": failures are seen late");
	for (size_t n = 0; n < b->server_count; n++)
		check_server(src, root, c, i, n);
	if (!b->check.name)
		tree_warning(src, name,
		             "backends \"%s\" answer for no zone: write \"backends: %s\" at one of \"zones\"", b->name,
		             b->name);
}

void config_check_backends(const struct tree_source *src, const struct tree *root, const struct config *c)
{
	size_t servers = 0;

	for (size_t i = 0; i < c->backend_count; i++) {
		check_pool(src, root, c, i);
		servers += c->backends[i].server_count;
	}
	if (servers > CONFIG_BACKEND_SERVERS_SUM_MAX)
		tree_error(src, tree_get(root, "backends"), "%zu servers in all pools: at most %d are allowed", servers,
		           CONFIG_BACKEND_SERVERS_SUM_MAX);
}

/* What is said of a zone that is held here has no meaning of one that is not. Compared with the defaults: these stand in a printed configuration. */
void config_check_edge_zone(const struct tree_source *src, const struct tree *t, const struct config_zone *z)
{
	const struct {
		const char *key;
		bool given;
		const char *instead;
	} options[] = {
		{"file", z->file != NULL, "its records are the backends'"},
		{"primaries", z->primary_count > 0, "nothing is transferred: write the servers in \"backends\""},
		{"tls", z->tls != UINT32_MAX, "write \"over: tls\" and \"tls\" at the backends"},
		{"key", z->key != UINT32_MAX, "what clients sign is passed on as it is"},
		{"allow-transfer", z->allow_transfer_count > 0,
	         "write \"pass: [transfer]\" at the backends: they decide"},
		{"transfer-over", z->transfer_over != CONFIG_OVER_ANY, "the backends decide"},
		{"notify", z->notify_count > 0,
	         "the backends' primary tells them; write \"pass: [notify]\" to pass it on"},
		{"at-expiry", z->at_expiry != CONFIG_EXPIRY_SERVFAIL, "write \"stale-for\" at the backends"},
		{"max-records", z->max_records != 0, "nothing is transferred"},
		{"watch", !z->watch, "there is no file"},
		{"serial", z->serial != CONFIG_SERIAL_KEEP, "there is no file"},
		{"zonemd", z->zonemd != CONFIG_ZONEMD_VERIFY, "the zone is never here as a whole"},
		{"shrink-limit", z->shrink_limit != 50, "the zone is never here as a whole"},
		{"group", z->group != NULL, "it is in no catalog that is produced here"},
		{"dnssec", z->dnssec_auto, "the backends sign it"},
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (options[i].given)
			tree_error(src, tree_value_of(t, options[i].key),
			           "zone \"%s\" has \"backends\": \"%s\" has no meaning there: remove it; %s",
			           tree_value_of(t, "name")->text, options[i].key, options[i].instead);
	if (z->catalog)
		tree_error(src, tree_value_of(t, "backends"), "zone \"%s\" is a catalog: it must be held here",
		           tree_value_of(t, "name")->text);
}
