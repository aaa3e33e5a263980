/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that come from roles: admin's, on behalf of a command, are carried out here or passed on to sync, whose replies go back the same way. */
#include "super/supervisor_priv.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "super/checks.h"
#include "super/events.h"
#include "super/orders.h"

#include <string.h>

/* Sync answers under the same id; its reply is passed on. */
enum { PASSED_ON = 1 };
static int ask_sync(struct supervisor *s, const struct role_message *m, int attached)
{
	struct role_message ask = *m;
	struct child *c = children_find(&s->children, ROLE_SYNC, 0);
	int err;

	ask.kind = ROLE_SYNC_REQUEST;
	err = c ? child_send(c, &ask, attached) : ERR_CLOSED;
	if (err < 0)
		return err;
	if (s->asked_count == SUPERVISOR_ASKED_MAX)
		memmove(s->asked, s->asked + 1, sizeof(*s->asked) * --s->asked_count);
	s->asked[s->asked_count++] = (struct asked){.id = m->id, .request = m->request};
	return PASSED_ON;
}

static void to_admin(struct supervisor *s, const struct role_message *m)
{
	struct child *admin = children_find(&s->children, ROLE_ADMIN, 0);

	if (!admin || child_send(admin, m, -1) < 0)
		log_warn("request=%u error=\"admin is gone before its reply\"", m->request);
}

/* What nobody waits for any more, since admin was restarted meanwhile, must not meet a request of the new one with the same number. */
static void pass_on(struct supervisor *s, const struct role_message *m)
{
	for (size_t i = 0; i < s->asked_count; i++) {
		if (s->asked[i].id != m->id || s->asked[i].request != m->request)
			continue;
		memmove(s->asked + i, s->asked + i + 1, sizeof(*s->asked) * (--s->asked_count - i));
		to_admin(s, m);
		return;
	}
}

void supervisor_forget_asked(struct supervisor *s, enum board_role gone)
{
	for (size_t i = 0; i < s->asked_count && gone == ROLE_SYNC; i++) {
		struct role_message m = {.kind = ROLE_REPLY, .id = s->asked[i].id, .request = s->asked[i].request, .result = ERR_CLOSED};

		to_admin(s, &m);
	}
	if (gone == ROLE_SYNC || gone == ROLE_ADMIN)
		s->asked_count = 0;
}

static int order_network(struct supervisor *s, const struct role_message *m, enum board_order order, struct text *why)
{
	bool backstop = m->text_len == strlen(ROLE_WITH_BACKSTOP) && memcmp(m->text, ROLE_WITH_BACKSTOP, m->text_len) == 0;
	int err;

	if (!s->plan.node) {
		text_str(why, "a stand-alone server announces nothing: there is nothing to order\n");
		return ERR_UNSUPPORTED;
	}
	err = orders_set(s->board, s->plan.config, s->plan.node, s->plan.state_dir, m->network, order, backstop, m->uid);
	if (!err) {
		log_notice("order=%s network=%s uid=%u", board_order_text(order),
		           m->network == UINT32_MAX ? ORDERS_ALL : s->plan.config->networks[s->plan.node->networks[m->network]].name, m->uid);
		supervisor_tell_all(s, ROLE_ORDERS, false);
	}
	return err;
}

static int order_neighbor(struct supervisor *s, const struct role_message *m, bool drain, struct text *why)
{
	char text[ENDPOINT_TEXT_MAX];
	size_t len = MIN((size_t)m->text_len, sizeof(text) - 1);
	struct endpoint at;
	int err;

	memcpy(text, m->text, len);
	text[len] = '\0';
	if (!s->plan.node || endpoint_parse(text, 0, &at) < 0)
		return ERR_INVALID;
	err = orders_set_neighbor(s->board, s->plan.config, s->plan.node, s->plan.state_dir, &at, drain, m->uid);
	if (err == ERR_NOT_FOUND)
		text_fmt(why, "this node has no neighbor %s\n", text);
	else if (err == ERR_INVALID)
		text_fmt(why, "this node has several neighbors %s: name the port too\n", text);
	if (!err) {
		log_notice("order=%s bgp peer=%s uid=%u", drain ? "drain" : "none", text, m->uid);
		supervisor_tell_all(s, ROLE_ORDERS, false);
	}
	return err;
}

static const char *fault_text(uint32_t kind)
{
	static const char *const words[FAULT_COUNT] = {[FAULT_NONE] = "none", [FAULT_SERVFAIL] = "servfail", [FAULT_WRONG] = "wrong"};

	return kind < FAULT_COUNT ? words[kind] : "?";
}

static int carry_out(struct supervisor *s, const struct role_message *m, int attached, struct text *why)
{
	struct role_message sync = {.kind = ROLE_SYNC_RELOAD, .uid = m->uid};
	struct role_fault fault;
	struct child *c;

	switch ((enum role_request)m->request) {
	case REQUEST_RELOAD:
		return supervisor_reload_as_told(s, m, why);
	case REQUEST_DRAIN:
	case REQUEST_RESUME:
		return order_network(s, m, m->request == REQUEST_DRAIN ? ORDER_DRAIN : ORDER_NONE, why);
	case REQUEST_FREEZE:
		return order_network(s, m, ORDER_FREEZE, why);
	case REQUEST_FORCE:
		return order_network(s, m, ORDER_FORCE, why);
	case REQUEST_DRAIN_NEIGHBOR:
	case REQUEST_RESUME_NEIGHBOR:
		return order_neighbor(s, m, m->request == REQUEST_DRAIN_NEIGHBOR, why);
	case REQUEST_ZONE_RELOAD:
	case REQUEST_ZONE_RELOAD_FORCE:
		sync.request = m->request;
		c = children_find(&s->children, ROLE_SYNC, 0);
		sync.text_len = MIN(m->text_len, 1023U);
		memcpy(sync.text, m->text, sync.text_len);
		return c ? child_send(c, &sync, -1) : ERR_CLOSED;
	case REQUEST_ZONE_STATUS:
	case REQUEST_ZONES_AFTER:
	case REQUEST_RETRANSFER:
	case REQUEST_RETRANSFER_FORCE:
	case REQUEST_CATALOGS:
	case REQUEST_CATALOG_ACCEPT:
		return ask_sync(s, m, -1);
	case REQUEST_ZONE_HISTORY:
	case REQUEST_ZONE_DIFF:
	case REQUEST_ZONE_EXPORT:
	case REQUEST_ZONE_ROLLBACK:
	case REQUEST_ZONE_PUBLISH:
		return attached >= 0 ? ask_sync(s, m, attached) : ERR_INVALID;
	case REQUEST_FAULT:
		if (!s->options->allow_faults) {
			text_str(why, "faults are for drills: start the node with --allow-faults\n");
			return ERR_INVALID;
		}
		if (m->text_len != sizeof(fault))
			return ERR_MALFORMED;
		memcpy(&fault, m->text, sizeof(fault));
		super_event_order(s->board, "", "fault", fault_text(atomic_load(&s->board->supervisor.fault)), fault_text(fault.kind), m->uid);
		atomic_store(&s->board->supervisor.fault_worker, fault.worker);
		atomic_store(&s->board->supervisor.fault, fault.kind);
		log_warn("fault kind=%u worker=%d", fault.kind, (int)fault.worker);
		return 0;
	}
	return ERR_UNSUPPORTED;
}

/* Sync found a zone file that its account may not read. */
static void grant_read(struct supervisor *s, struct child *sync, const struct role_message *m)
{
	const struct role_message refusal = {.kind = ROLE_NEEDS_READ};
	char path[ROLE_TEXT_MAX + 1];
	size_t len = MIN(m->text_len, (uint32_t)ROLE_TEXT_MAX);

	memcpy(path, m->text, len);
	path[len] = '\0';
	if (s->plan.keep_dac_read)
		return; /* a successor is under way */
	if (!plan_grants_read(&s->plan, s->options->zones_dir, path)) {
		if (child_send(sync, &refusal, -1) < 0)
			log_warn("sync file=%s error=\"sync does not hear that its account may not read this file\"", path);
		return;
	}
	log_notice("sync file=%s note=\"its account cannot read this file: it goes on with the privilege to read all\"", path);
	s->plan.keep_dac_read = true;
	child_renew(sync);
}

void supervisor_on_message(void *ctx, struct child *c, const struct role_message *m)
{
	struct supervisor *s = ctx;
	struct role_message reply = {.kind = ROLE_REPLY, .id = m->id, .request = m->request};
	struct text why;

	if (m->kind == ROLE_READY && c->kind == ROLE_SYNC)
		s->sync_ready = true;
	if (m->kind == ROLE_NEEDS_READ && c->kind == ROLE_SYNC)
		grant_read(s, c, m);
	if (m->kind == ROLE_REPLY && c->kind == ROLE_SYNC)
		pass_on(s, m);
	if (m->kind == ROLE_CHECK && c->kind == ROLE_WATCH && s->phase == PHASE_RUN)
		checks_ask(s->checks, &s->plan, m);
	if (m->kind != ROLE_REQUEST || c->kind != ROLE_ADMIN)
		return;
	text_init(&why);
	reply.result = carry_out(s, m, c->attached, &why);
	if (reply.result == PASSED_ON) {
		text_done(&why);
		return;
	}
	reply.text_len = (uint32_t)MIN(why.len, (size_t)ROLE_TEXT_MAX);
	memcpy(reply.text, why.chars, reply.text_len);
	text_done(&why);
	if (child_send(c, &reply, -1) < 0)
		log_warn("request=%u error=\"admin is gone before its reply\"", m->request);
}

/* Somebody wrote the orders file because nothing answered on the control socket. */
void supervisor_on_usr1(uv_signal_t *h, int signum)
{
	struct supervisor *s = h->data;

	(void)signum;
	if (!s->plan.node || s->phase != PHASE_RUN)
		return;
	orders_load(s->board, s->plan.config, s->plan.node, s->plan.state_dir, s->plan.run_dir);
	supervisor_tell_all(s, ROLE_ORDERS, false);
}
