/* SPDX-License-Identifier: BSD-2-Clause */
/* Is what we announce allowed? Sessions with all configured caches at once, each with its own small table (rpki/rtr.c); the one to believe
 * (rpki/origin.c) judges every prefix and backstop of this node's networks, and the board is told: route does not announce what is marked `refuse`.
 *
 * This is watch's and not route's: what a cache sends is input from outside, and must not be parsed where the BGP sessions live; nor may a
 * route depend on this process. The board's rows carry the time until which they count, so a node whose watch is dead, hung, or just starting goes on
 * with the last results until then, and a successor takes them over from the board.
 *
 * A refusal is a state like another: it is made by a cache's data, and it ends when other data say otherwise or when they expire. Losing caches
 * never refuses anything. Backstop prefixes are judged, and told, but never refused.
 *
 * One exception has a bound: a node that starts, and so announces nothing yet, waits START_MS for the first answer, since a prefix that is invalid would else be
 * announced for the moment that the answer takes.
 *
 * Sockets are libuv streams; one read is at most a buffer of 64 KiB, so that a table of half a million payloads comes in pieces between
 * which checks have their turn. TCP keepalive finds a cache that is gone without a word. */
#include "watch/rpki.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "rpki/origin.h"
#include "watch/watch.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TICK_MS = 250,
	IN_MAX = 65536,
	KEEPALIVE_S = 20,        /* idle; then three probes 5 s apart */
	USER_TIMEOUT_MS = 30000, /* what is sent must be acknowledged within */
	WATCH_SLOT = 1,          /* of supervisor.procs */
	START_MS = 5000,         /* a node that starts waits for the first answer at most so long before it announces */
	LOGS_PER_SECOND = 32,
	NS = 1000000,
};

_Static_assert((int)ORIGIN_UNKNOWN == VRP_UNKNOWN && (int)ORIGIN_VALID == VRP_VALID &&
                       (int)ORIGIN_INVALID == VRP_INVALID && (int)ORIGIN_NOT_FOUND == VRP_NOT_FOUND,
               "the board has the states of vrp.h");
_Static_assert((int)BOARD_WHY_MAX >= VRP_WHY_MAX && (int)BOARD_CACHES_MAX >= CONFIG_CACHES_MAX, "the board has room");

struct cache {
	struct rpki_watch *owner;
	struct endpoint at;
	uint32_t preference;
	bool used;    /* this slot */
	bool leaving; /* not in the configuration any more: freed when its connection is closed */
	enum { LOG_NOTHING, LOG_CURRENT, LOG_LOST } logged;
	enum { STREAM_NONE, STREAM_OPEN, STREAM_CLOSING } stream_state;
	uv_tcp_t tcp;
	uv_connect_t connect;
	struct rtr rtr;
};

struct row {
	struct origin origin;
	uint32_t network; /* in the node's list */
	bool backstop;
};

struct rpki_watch {
	struct watch *w;
	uv_timer_t timer;
	bool started;
	bool refuse;             /* what is invalid */
	uint64_t start_until_ms; /* 0: the node has been running */
	struct vrp_interest interest;
	struct row *rows;
	size_t row_count;
	struct cache *caches[CONFIG_CACHES_MAX]; /* in the order of the configuration */
	size_t cache_count;
	int believed;             /* index in caches; -1: none */
	const struct rtr *judged; /* rows are as this session had it after so many answers; NULL: not of one */
	uint64_t judged_syncs;
	char in[IN_MAX];
};

/* ---- the board ---- */

static void publish_row(const struct rpki_watch *r, size_t i)
{
	struct board_rpki *b = &r->w->board->watch.rpki;
	struct board_origin *to = &b->origin[i];
	const struct row *row = &r->rows[i];
	bool waits = r->start_until_ms && r->refuse && !row->backstop && row->origin.state == VRP_UNKNOWN &&
	             !row->origin.expires_ms;
	char text[PREFIX_TEXT_MAX];

	board_write_begin(&to->seq);
	to->prefix = row->origin.prefix;
	to->as = row->origin.as;
	to->network = row->network;
	to->state = row->origin.state;
	to->backstop = row->backstop;
	to->refuse = waits || (row->origin.state == VRP_INVALID && r->refuse && !row->backstop);
	to->since_ns = row->origin.since_ms * NS;
	to->expires_ns = (waits ? r->start_until_ms : row->origin.expires_ms) * NS;
	if (waits)
		snprintf(to->why, sizeof(to->why), "%s waits for the first answer of a cache, %d s at most",
		         prefix_text(&row->origin.prefix, text), START_MS / 1000);
	else
		memcpy(to->why, row->origin.why, sizeof(row->origin.why));
	board_write_end(&to->seq);
}

static void publish_cache(const struct rpki_watch *r, size_t i)
{
	struct board_cache *to = &r->w->board->watch.rpki.cache[i];
	const struct cache *c = r->caches[i];

	board_write_begin(&to->seq);
	to->address = c->at.addr;
	to->port = c->at.port;
	to->version = c->rtr.version;
	to->believed = r->believed == (int)i;
	to->preference = c->preference;
	to->serial = c->rtr.serial;
	to->payloads = (uint32_t)c->rtr.have.count;
	to->since_ns = c->rtr.since_ms * NS;
	to->synced_ns = c->rtr.synced_ms * NS;
	to->expires_ns = c->rtr.expires_ms * NS;
	to->syncs = c->rtr.syncs;
	to->records = c->rtr.records;
	to->errors = c->rtr.errors;
	snprintf(to->state, sizeof(to->state), "%s", rtr_state_text(c->rtr.state));
	snprintf(to->last_error, sizeof(to->last_error), "%s", c->rtr.last_error);
	board_write_end(&to->seq);
}

static void publish_caches(const struct rpki_watch *r)
{
	for (size_t i = 0; i < r->cache_count; i++)
		publish_cache(r, i);
	atomic_store(&r->w->board->watch.rpki.caches, (uint32_t)r->cache_count);
}

static void publish_all(const struct rpki_watch *r)
{
	struct board_rpki *b = &r->w->board->watch.rpki;

	for (size_t i = 0; i < r->row_count; i++)
		publish_row(r, i);
	atomic_store(&b->origins, (uint32_t)r->row_count);
	publish_caches(r);
	atomic_fetch_add(&b->changes, 1);
}

/* ---- judging ---- */

static void log_row(const struct rpki_watch *r, const struct row *row)
{
	static struct log_limit limit;
	char text[PREFIX_TEXT_MAX];
	bool well = row->origin.state == VRP_VALID;

	if (!log_limit_pass(&limit, LOGS_PER_SECOND))
		return;
	log_line(well ? LOG_NOTICE : LOG_WARN, "rpki prefix=%s as=%u network=%s%s state=%s%s why=\"%s\"",
	         prefix_text(&row->origin.prefix, text), row->origin.as, r->w->networks[row->network].name,
	         row->backstop ? " backstop=true" : "", vrp_state_text(row->origin.state),
	         row->origin.state == VRP_INVALID && r->refuse && !row->backstop ? " announce=refused" : "",
	         row->origin.why);
}

static void tell_row(const struct rpki_watch *r, const struct row *row, enum vrp_state before)
{
	bool refused = row->origin.state == VRP_INVALID && r->refuse && !row->backstop;
	struct board_event e = {.kind = EVENT_RPKI, .family = row->origin.prefix.addr.family};
	char text[PREFIX_TEXT_MAX];

	e.level = row->origin.state == VRP_INVALID ? EVENT_ALERT : row->origin.state == VRP_VALID ? EVENT_INFO : EVENT_WARN;
	snprintf(e.network, sizeof(e.network), "%s", r->w->networks[row->network].name);
	snprintf(e.subject, sizeof(e.subject), "%s", prefix_text(&row->origin.prefix, text));
	snprintf(e.old, sizeof(e.old), "%s", vrp_state_text(before));
	snprintf(e.now, sizeof(e.now), "%s", vrp_state_text(row->origin.state));
	snprintf(e.why, sizeof(e.why), "%s%.200s", refused ? "not announced: " : "", row->origin.why);
	watch_event_many(r->w, WATCH_BURST_RPKI, &e);
}

static void judge(struct rpki_watch *r, uint64_t now_ms)
{
	struct origin_cache list[CONFIG_CACHES_MAX];
	char text[ENDPOINT_TEXT_MAX];
	bool changed = false;
	const struct rtr *data;
	bool same;
	int was = r->believed;

	for (size_t i = 0; i < r->cache_count; i++)
		list[i] = (struct origin_cache){.rtr = &r->caches[i]->rtr, .preference = r->caches[i]->preference};
	r->believed = origin_pick(list, r->cache_count, now_ms);
	if (r->believed >= 0 && was >= 0 && r->believed != was)
		log_notice("rpki cache=%s note=\"its data count from now on\"",
		           endpoint_text(&r->caches[r->believed]->at, text));
	data = r->believed >= 0 ? &r->caches[r->believed]->rtr : NULL;
	same = data && data == r->judged && data->syncs == r->judged_syncs;
	r->judged = data;
	r->judged_syncs = data ? data->syncs : 0;
	for (size_t i = 0; i < r->row_count && !same; i++) {
		struct origin *o = &r->rows[i].origin;
		enum vrp_state before = o->state;
		uint64_t expires_ms = o->expires_ms;
		bool news = origin_judge(o, data, now_ms);

		if (news || o->expires_ms != expires_ms) {
			publish_row(r, i);
			changed = true;
		}
		if (o->state != before)
			tell_row(r, &r->rows[i], before);
		if (news && (o->state != before || o->state == VRP_INVALID))
			log_row(r, &r->rows[i]);
	}
	if (changed)
		atomic_fetch_add(&r->w->board->watch.rpki.changes, 1);
	publish_caches(r);
}

/* Coming and going of a cache, once each. One that never came is lost with the first failure. */
static void log_cache(struct cache *c, uint64_t now_ms)
{
	bool current = c->rtr.state == RTR_CURRENT, lost = c->rtr.state == RTR_DOWN && c->rtr.errors;
	char text[ENDPOINT_TEXT_MAX], span[16];

	endpoint_text(&c->at, text);
	if (current && c->logged != LOG_CURRENT) {
		c->logged = LOG_CURRENT;
		log_notice("rpki cache=%s state=current version=%u serial=%u records=%llu payloads=%zu", text,
		           c->rtr.version, c->rtr.serial, (unsigned long long)c->rtr.records, c->rtr.have.count);
	} else if (lost && c->logged != LOG_LOST) {
		c->logged = LOG_LOST;
		if (rtr_usable(&c->rtr, now_ms))
			log_warn("rpki cache=%s state=lost error=\"%s\" note=\"its data are held for %s\"", text,
			         c->rtr.last_error, clock_span_text(c->rtr.expires_ms - now_ms, span));
		else
			log_warn("rpki cache=%s state=lost error=\"%s\"", text, c->rtr.last_error);
	}
}

/* ---- connections ---- */

static void settle(struct cache *c);

static void on_closed(uv_handle_t *h)
{
	struct cache *c = h->data;

	c->stream_state = STREAM_NONE;
	if (c->leaving) {
		rtr_done(&c->rtr);
		free(c);
		return;
	}
	if (c->rtr.todo == RTR_CLOSE)
		rtr_lost(&c->rtr, NULL, random_u32(), clock_ms());
	settle(c);
}

static void close_it(struct cache *c)
{
	if (c->stream_state != STREAM_OPEN)
		return;
	c->stream_state = STREAM_CLOSING;
	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* The connection is over by no wish of ours; the session hears of it, and the handle goes. */
static void broken(struct cache *c, const char *what, int err)
{
	char why[RTR_ERROR_TEXT_MAX];

	if (c->stream_state == STREAM_CLOSING || c->leaving)
		return;
	snprintf(why, sizeof(why), err ? "%s: %s" : "%s", what, err_text(err));
	rtr_lost(&c->rtr, why, random_u32(), clock_ms());
	close_it(c);
	settle(c);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *out)
{
	struct cache *c = h->data;

	(void)hint;
	*out = uv_buf_init(c->owner->in, sizeof(c->owner->in));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
	struct cache *c = s->data;

	if (n < 0) {
		broken(c, n == UV_EOF ? "the cache closed the connection" : "connection lost",
		       n == UV_EOF ? 0 : (int)n);
		return;
	}
	rtr_input(&c->rtr, (const uint8_t *)buf->base, (size_t)n, clock_ms());
	settle(c);
}

static void on_connect(uv_connect_t *req, int status)
{
	struct cache *c = req->data;
	int fd, ms = USER_TIMEOUT_MS, err;

	if (status == UV_ECANCELED || c->stream_state != STREAM_OPEN)
		return;
	err = status ? status : uv_tcp_keepalive(&c->tcp, 1, KEEPALIVE_S);
	if (!err && uv_fileno((const uv_handle_t *)&c->tcp, &fd) == 0) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
		(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){5}, sizeof(int));
		(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &(int){3}, sizeof(int));
	}
	if (!err)
		err = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
	if (err) {
		broken(c, "cannot connect", err);
		return;
	}
	rtr_connected(&c->rtr, clock_ms());
	settle(c);
}

static void connect_it(struct cache *c)
{
	struct sockaddr_storage ss;
	int err;

	endpoint_to_sockaddr(&c->at, &ss);
	err = uv_tcp_init(&c->owner->w->loop, &c->tcp);
	if (!err) {
		c->tcp.data = c->connect.data = c;
		c->stream_state = STREAM_OPEN;
		err = uv_tcp_connect(&c->connect, &c->tcp, (const struct sockaddr *)&ss, on_connect);
	}
	if (err)
		broken(c, "cannot connect", err);
}

/* Carry out what the session wants. */
static void settle(struct cache *c)
{
	struct rtr *s = &c->rtr;

	if (s->out_len && c->stream_state == STREAM_OPEN && s->state >= RTR_ASKING) {
		uv_buf_t buf = uv_buf_init((char *)s->out, (unsigned)s->out_len);
		int n = uv_try_write((uv_stream_t *)&c->tcp, &buf, 1);
		bool whole = n == (int)s->out_len;

		/* A few octets on a connection that is otherwise idle: if the kernel does not take them the cache does not read. */
		s->out_len = 0;
		if (!whole && s->todo != RTR_CLOSE) {
			broken(c, "cannot send", n < 0 ? n : 0);
			return;
		}
	}
	s->out_len = 0;
	switch (s->todo) {
	case RTR_CONNECT:
		if (c->stream_state == STREAM_NONE) { /* else at the next tick: the last one is being closed */
			s->todo = RTR_NOTHING;
			connect_it(c);
		}
		break;
	case RTR_CLOSE:
		if (c->stream_state == STREAM_NONE)
			rtr_lost(s, NULL, random_u32(), clock_ms());
		else
			close_it(c);
		break;
	case RTR_NOTHING:
		break;
	}
	if (s->changed) {
		s->changed = false;
		judge(c->owner, clock_ms());
	}
}

static void on_timer(uv_timer_t *t)
{
	struct rpki_watch *r = t->data;
	uint64_t now_ms = clock_ms();

	if (r->start_until_ms && now_ms >= r->start_until_ms) {
		r->start_until_ms = 0;
		publish_all(r);
	}
	for (size_t i = 0; i < r->cache_count; i++) {
		rtr_tick(&r->caches[i]->rtr, now_ms);
		settle(r->caches[i]);
		log_cache(r->caches[i], now_ms);
	}
	judge(r, now_ms);
}

/* ---- the plan ---- */

/* What a predecessor knew, if it still counts. */
static void inherit(const struct rpki_watch *r, struct origin *o, uint64_t now_ms)
{
	const struct board_rpki *b = &r->w->board->watch.rpki;

	for (uint32_t i = 0; i < MIN(atomic_load(&b->origins), (uint32_t)BOARD_ORIGINS_MAX); i++) {
		const struct board_origin *from = &b->origin[i];
		struct board_origin copy;

		if (!board_copy(&from->seq, from, &copy, sizeof(copy)) || copy.as != o->as ||
		    copy.prefix.len != o->prefix.len || !addr_equal(&copy.prefix.addr, &o->prefix.addr) ||
		    copy.expires_ns / NS <= now_ms || copy.state == VRP_UNKNOWN || copy.state > VRP_NOT_FOUND)
			continue;
		o->state = (enum vrp_state)copy.state;
		o->since_ms = copy.since_ns / NS;
		o->expires_ms = copy.expires_ns / NS;
		memcpy(o->why, copy.why, sizeof(o->why));
		o->why[sizeof(o->why) - 1] = '\0';
		return;
	}
}

static void add_rows(struct rpki_watch *r, uint32_t network, const struct config_network *n,
                     const struct ip_prefix *list, size_t count, bool backstop, uint64_t now_ms)
{
	for (size_t i = 0; i < count && r->row_count < BOARD_ORIGINS_MAX; i++) {
		struct row *row = &r->rows[r->row_count++];

		*row = (struct row){.origin = {.prefix = list[i], .as = n->as, .since_ms = now_ms},
		                    .network = network,
		                    .backstop = backstop};
		inherit(r, &row->origin, now_ms);
	}
}

/* Rows of the configuration. What is on the board is read while they are made, and written only afterwards. */
static int plan_rows(struct rpki_watch *r, uint64_t now_ms)
{
	const struct role *role = r->w->role;
	const struct config_node *node = role->node;
	bool on = role->config->rpki.enabled;
	struct ip_prefix *list;
	size_t count = 0;
	int err;

	for (size_t i = 0; on && i < node->network_count; i++) {
		const struct config_network *n = &role->config->networks[node->networks[i]];

		count += n->prefix_count + n->backstop_count;
	}
	free(r->rows);
	r->row_count = 0;
	r->rows = calloc(count + 1, sizeof(*r->rows));
	list = calloc(count + 1, sizeof(*list));
	if (!r->rows || !list) {
		free(list);
		return ERR_NO_MEMORY;
	}
	for (size_t i = 0; on && i < node->network_count && i < BOARD_NETWORKS_MAX; i++) {
		const struct config_network *n = &role->config->networks[node->networks[i]];

		add_rows(r, (uint32_t)i, n, n->prefixes, n->prefix_count, false, now_ms);
		add_rows(r, (uint32_t)i, n, n->backstops, n->backstop_count, true, now_ms);
	}
	for (size_t i = 0; i < r->row_count; i++)
		list[i] = r->rows[i].origin.prefix;
	err = vrp_interest_set(&r->interest, list, r->row_count);
	free(list);
	return err;
}

static void plan_caches(struct rpki_watch *r, bool anew, uint64_t now_ms)
{
	const struct config_rpki *conf = &r->w->role->config->rpki;
	size_t want = conf->enabled && r->row_count ? conf->cache_count : 0, count = 0;
	struct cache *old[CONFIG_CACHES_MAX];
	size_t old_count = r->cache_count;

	memcpy(old, r->caches, sizeof(old));
	for (size_t i = 0; i < want; i++) {
		const struct config_cache *from = &conf->caches[i];
		struct cache *c = NULL;

		for (size_t k = 0; k < old_count && !c; k++)
			if (old[k] && old[k]->at.port == from->port && addr_equal(&old[k]->at.addr, &from->address)) {
				c = old[k];
				old[k] = NULL;
				if (anew)
					rtr_replan(&c->rtr, now_ms);
			}
		if (!c) {
			c = calloc(1, sizeof(*c));
			if (!c) {
				log_err("rpki error=\"%s\"", err_text(ERR_NO_MEMORY));
				continue;
			}
			c->owner = r;
			c->at = (struct endpoint){.addr = from->address, .port = from->port};
			rtr_init(&c->rtr, &r->interest, conf->expire_ms / 1000, now_ms);
		}
		c->preference = from->preference;
		c->rtr.hold_max_s = conf->expire_ms / 1000;
		r->caches[count++] = c;
	}
	r->cache_count = count;
	r->believed = -1;
	r->judged = NULL;
	for (size_t k = 0; k < old_count; k++) {
		if (!old[k])
			continue;
		old[k]->leaving = true;
		if (old[k]->stream_state == STREAM_NONE) {
			rtr_done(&old[k]->rtr);
			free(old[k]);
		} else {
			close_it(old[k]);
		}
	}
}

static void plan(struct rpki_watch *r)
{
	uint64_t now_ms = clock_ms();
	struct vrp_interest before = {0};
	bool anew;

	r->refuse = r->w->role->config->rpki.invalid == CONFIG_INVALID_REFUSE;
	if (vrp_interest_set(&before, r->interest.list, r->interest.count) < 0 || plan_rows(r, now_ms) < 0) {
		log_err("rpki error=\"%s\"", err_text(ERR_NO_MEMORY));
		r->row_count = 0;
	}
	anew = !vrp_interest_equal(&before, &r->interest);
	vrp_interest_done(&before);
	plan_caches(r, anew, now_ms);
	publish_all(r);
	judge(r, now_ms);
	if (r->cache_count)
		uv_timer_start(&r->timer, on_timer, 0, TICK_MS);
	else
		uv_timer_stop(&r->timer);
}

int rpki_start(struct watch *w, struct rpki_watch **out)
{
	struct rpki_watch *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return ERR_NO_MEMORY;
	r->w = w;
	r->believed = -1;
	err = uv_timer_init(&w->loop, &r->timer);
	if (err) {
		free(r);
		return err;
	}
	r->timer.data = r;
	if (atomic_load(&w->board->supervisor.procs[WATCH_SLOT].starts) <= 1)
		r->start_until_ms = clock_ms() + START_MS;
	plan(r);
	*out = r;
	return 0;
}

void rpki_replan(struct rpki_watch *r)
{
	plan(r);
}
