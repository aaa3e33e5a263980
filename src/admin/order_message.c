/* SPDX-License-Identifier: BSD-2-Clause */
#include "admin/order_message.h"

#include "admin/request.h"
#include "base/text.h"
#include "config/config.h"

#include <string.h>

/* What a reload may do that it would be refused otherwise. */
static void put_leave(const struct request *r, struct role_message *m)
{
	struct text text;

	text_init(&text);
	for (const char *at = r->withdraw; *at; at = strchr(at, '\n') + 1)
		text_fmt(&text, ROLE_RELOAD_WITHDRAW "%.*s\n", (int)strcspn(at, "\n"), at);
	if (r->accept_older)
		text_str(&text, ROLE_RELOAD_OLDER "\n");
	m->text_len = (uint32_t)MIN(text.len, (size_t)ROLE_TEXT_MAX);
	memcpy(m->text, text.chars, m->text_len);
	text_done(&text);
}

static void put_order(const struct request *r, struct role_message *m)
{
	const char *text = r->neighbor[0] ? r->neighbor : r->backstop ? ROLE_WITH_BACKSTOP : "";

	m->text_len = (uint32_t)strlen(text);
	memcpy(m->text, text, m->text_len);
}

static void put_text(const struct request *r, uint32_t uid, struct role_message *m)
{
	const struct role_fault fault = {r->fault, r->fault_worker};
	struct role_ask ask = {.uid = uid, .force = r->force, .serials = r->serials, .serial = {r->serial[0], r->serial[1]}};

	_Static_assert(sizeof(ask) <= ROLE_TEXT_MAX && sizeof(ask.zone) >= REQUEST_NAME_MAX, "it fits");
	if (r->command == COMMAND_RELOAD) {
		put_leave(r, m);
		return;
	}
	if (r->command == COMMAND_DRAIN || r->command == COMMAND_RESUME) {
		put_order(r, m);
		return;
	}
	if (role_request_is_ask(m->request)) {
		memcpy(ask.zone, r->zone, strlen(r->zone) + 1);
		m->text_len = sizeof(ask);
		memcpy(m->text, &ask, sizeof(ask));
		return;
	}
	if (m->request == REQUEST_FAULT) {
		m->text_len = sizeof(fault);
		memcpy(m->text, &fault, sizeof(fault));
		return;
	}
	m->text_len = (uint32_t)strlen(r->zone);
	memcpy(m->text, r->zone, m->text_len);
}

bool order_message(const struct role *role, const struct request *r, uint32_t id, uint32_t uid, struct role_message *m)
{
	*m = (struct role_message){.kind = ROLE_REQUEST, .id = id, .network = UINT32_MAX, .uid = uid};
	switch (r->command) {
	case COMMAND_RELOAD:
		m->request = REQUEST_RELOAD;
		break;
	case COMMAND_DRAIN:
		m->request = r->neighbor[0] ? REQUEST_DRAIN_NEIGHBOR : REQUEST_DRAIN;
		break;
	case COMMAND_RESUME:
		m->request = r->neighbor[0] ? REQUEST_RESUME_NEIGHBOR : REQUEST_RESUME;
		break;
	case COMMAND_FREEZE:
		m->request = REQUEST_FREEZE;
		break;
	case COMMAND_FORCE:
		m->request = REQUEST_FORCE;
		break;
	case COMMAND_ZONE_RELOAD:
		m->request = r->force ? REQUEST_ZONE_RELOAD_FORCE : REQUEST_ZONE_RELOAD;
		break;
	case COMMAND_ZONE_STATUS:
		m->request = r->one ? REQUEST_ZONE_STATUS : REQUEST_ZONES_AFTER;
		break;
	case COMMAND_ZONE_RETRANSFER:
		m->request = r->force ? REQUEST_RETRANSFER_FORCE : REQUEST_RETRANSFER;
		break;
	case COMMAND_ZONE_HISTORY:
		m->request = REQUEST_ZONE_HISTORY;
		break;
	case COMMAND_ZONE_DIFF:
		m->request = REQUEST_ZONE_DIFF;
		break;
	case COMMAND_ZONE_EXPORT:
		m->request = REQUEST_ZONE_EXPORT;
		break;
	case COMMAND_ZONE_ROLLBACK:
		m->request = REQUEST_ZONE_ROLLBACK;
		break;
	case COMMAND_ZONE_PUBLISH:
		m->request = REQUEST_ZONE_PUBLISH;
		break;
	case COMMAND_CATALOG_STATUS:
		m->request = REQUEST_CATALOGS;
		break;
	case COMMAND_CATALOG_ACCEPT:
		m->request = REQUEST_CATALOG_ACCEPT;
		break;
	default:
		m->request = REQUEST_FAULT;
		break;
	}
	if (r->network[0]) {
		for (size_t i = 0; role->node && i < role->node->network_count; i++)
			if (strcmp(role->config->networks[role->node->networks[i]].name, r->network) == 0)
				m->network = (uint32_t)i;
		if (m->network == UINT32_MAX)
			return false;
	}
	put_text(r, uid, m);
	return true;
}
