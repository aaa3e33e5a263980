/* SPDX-License-Identifier: BSD-2-Clause */
/* Catalogs that this node makes of its configuration, for others to take zones from. */
#include "sync/catalogs.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "config/config.h"
#include "sync/apply.h"
#include "sync/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_listed(const struct config_catalog *c, const struct config_zone *z)
{
	for (size_t i = 0; i < c->network_count; i++)
		if (c->networks[i] == z->network)
			return true;
	return !c->network_count;
}

static size_t list_members(const struct config *conf, const struct config_catalog *c, struct catalog_member *out)
{
	size_t count = 0;

	for (size_t i = 0; i < conf->zone_count; i++)
		if (!conf->zones[i].catalog && !config_zone_is_edge(&conf->zones[i]) && is_listed(c, &conf->zones[i]))
			out[count++] = (struct catalog_member){conf->zones[i].apex, conf->zones[i].group};
	return count;
}

static int store_catalog(struct loader *l, struct zone_row *row, const struct catalog_member *members, size_t count,
                         const char *source)
{
	const struct store_zone_meta meta = {.state = STORE_ZONE_SERVING, .network = row->network, .source = source};
	uint32_t now = (uint32_t)clock_wall_s(),
		 serial = row->serving && !serial_after(now, row->serial) ? row->serial + 1 : now;
	struct content *content = NULL;
	struct applied applied;
	char name[NAME_TEXT_MAX];
	int err = catalog_make(row->apex, serial, members, count, &content);

	if (!err)
		err = apply_content(l->writer, row->apex, content, &meta, &applied);
	content_free(content);
	if (err)
		return err;
	loader_keep_change(l, row->apex, &applied);
	row->stored = true;
	err = loader_commit(l, (struct zone_row *[]){row}, 1);
	name_to_text(row->apex, name);
	if (!err)
		log_info("catalog=%s serial=%u members=%zu action=made", name, serial, count);
	return err;
}

static int produce(struct loader *l, const struct config *conf, const struct config_catalog *c)
{
	struct zone_row *row = zone_list_find(l->zones, c->apex);
	struct catalog_member *members;
	const struct store_zone *z;
	struct store_snapshot s;
	char source[40];
	size_t count;
	int err = 0;

	if (!row || row->held || row->member)
		return 0;
	members = calloc(conf->zone_count + 1, sizeof(*members));
	if (!members)
		return ERR_NO_MEMORY;
	count = list_members(conf, c, members);
	snprintf(source, sizeof(source), "catalog:%016" PRIx64, catalog_sum(members, count));
	store_writer_snapshot(l->writer, &s);
	z = store_zone_get(&s, row->apex);
	if (!z || z->state != STORE_ZONE_SERVING || z->network != row->network || z->source_len != strlen(source) ||
	    memcmp(z->tail + z->apex_len, source, z->source_len) != 0)
		err = store_catalog(l, row, members, count, source);
	free(members);
	return err;
}

int catalogs_produce(struct catalogs *k, struct loader *l)
{
	const struct config *conf = l->zones ? l->zones->from : NULL;
	int err = 0;

	(void)k;
	for (size_t i = 0; conf && i < conf->catalog_count && !err; i++)
		if (conf->catalogs[i].produce)
			err = produce(l, conf, &conf->catalogs[i]);
	if (err)
		log_err("catalogs what=making error=\"%s\"", err_text(err));
	return err;
}
