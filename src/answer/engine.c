/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer engine:
 *
 *	parse -> chaos -> resolve (zone, answer, authority, additional) -> OPT -> header
 *
 * What resolve would do may stand in the worker's cache (cache.h): then only question, header and OPT are made. Of a steered question the choice comes first (steering.c), and
 * decides which answer is looked up.
 *
 * Room for OPT and its options is kept free from the start, so that it always fits. An answer that does not fit over UDP is cut at the last
 * whole set and has TC set. Errors repeat the question where it could be read. */
#include "answer/engine.h"

#include "answer/cache.h"
#include "answer/compose.h"
#include "answer/edns.h"
#include "answer/resolve.h"
#include "edge/mark.h"
#include "edge/zones.h"
#include "fleet/message.h"
#include "limit/prefix_set.h"

#include <string.h>

static const uint8_t id_server[] = "\x02id\x06server", hostname_bind[] = "\x08hostname\x04" "bind";
static const uint8_t version_server[] = "\x07version\x06server", version_bind[] = "\x07version\x04" "bind";

enum { SUBNET_BITS_4 = 24, SUBNET_BITS_6 = 56 }; /* RFC 7871 11.1 */

static const uint8_t worker_zonecast[] = "\x06worker\x08zonecast"; /* who of this node answers: for its own checks */

/* Records follow. */
static void begin_records(struct compose *c)
{
	compress_init(c->compress, &c->w);
	compress_note(c->compress, DNS_HEADER_LEN);
}

static const char *put_number(char number[12], unsigned n)
{
	char *at = number + 11;

	*at = '\0';
	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	return at;
}

/* RFC 4892: who answers, and what it is. */
static uint16_t chaos(const struct engine_config *conf, const struct ip_addr *client, const struct query *q, struct compose *c)
{
	const struct engine_identity *id = &conf->identity;
	const uint8_t *name = q->qname.wire;
	const char *text = NULL;
	char number[12];
	uint8_t rdata[256];
	size_t len;

	if (name_equal(name, id_server) || name_equal(name, hostname_bind))
		text = id->nsid;
	else if (name_equal(name, version_server) || name_equal(name, version_bind))
		text = id->version;
	else if (name_equal(name, worker_zonecast) && prefix_set_has(conf->own, client))
		text = put_number(number, conf->worker);
	if (!text)
		return RCODE_REFUSED;
	if (q->qtype != RR_TXT && q->qtype != RR_ANY)
		return RCODE_NOERROR;
	begin_records(c);
	len = strnlen(text, 255);
	rdata[0] = (uint8_t)len;
	memcpy(rdata + 1, text, len);
	if (!compose_record(c, SECTION_ANSWER, c->qname, RR_TXT, CLASS_CH, 0, rdata, (uint16_t)(len + 1)))
		c->truncated = true;
	return RCODE_NOERROR;
}

/* Of what was asked, what sync knows about. */
static bool for_sync(const struct query *q, enum query_verdict verdict)
{
	if (verdict == QUERY_NOTIMP)
		return dns_opcode(q->header.flags) == OPCODE_NOTIFY && q->has_question;
	return verdict == QUERY_OK && (q->has_tsig || q->qtype == RR_AXFR || q->qtype == RR_IXFR);
}

/* Asked by another node about this one: watch knows. Not over TLS, whose connections go to sync. */
static bool for_watch(const struct engine_config *conf, const struct engine_request *request, const struct query *q)
{
	return request->transport != ENGINE_TLS && prefix_set_has(conf->fleet, &request->client) && fleet_question_is(q);
}

/* What a question is refused for before any zone is asked; RCODE_NOERROR: nothing. */
static uint16_t judge(const struct engine_config *conf, const struct engine_request *request, const struct query *q, uint16_t *ede)
{
	if (request->sync == ENGINE_SYNC_BUSY && (for_sync(q, QUERY_OK) || fleet_question_is(q)))
		return RCODE_SERVFAIL;
	if (q->has_tsig)
		return RCODE_NOTAUTH; /* RFC 8945 5.2.1: no key is known here */
	switch (q->qtype) {
	case RR_AXFR:
	case RR_IXFR:
		/* Never over a service address, whose packets routing may send anywhere; not over TLS in this version. */
		*ede = request->transport == ENGINE_TLS ? EDE_NOT_SUPPORTED : EDE_PROHIBITED;
		return RCODE_REFUSED;
	case RR_TKEY:
	case RR_MAILA:
	case RR_MAILB:
		return RCODE_NOTIMP;
	case RR_OPT:
	case RR_TSIG:
	case RR_NXNAME: /* RFC 9824 3.4: it stands in type bit maps only */
	case 0:
		*ede = EDE_INVALID_QUERY_TYPE;
		return RCODE_FORMERR;
	case RR_ANY:
		if (conf->any != ENGINE_ANY_REFUSE)
			return RCODE_NOERROR;
		*ede = EDE_PROHIBITED;
		return RCODE_REFUSED;
	default:
		return RCODE_NOERROR;
	}
}

static size_t size_limit(const struct engine_config *conf, const struct query *q, enum engine_transport transport, size_t cap)
{
	size_t limit = transport != ENGINE_UDP ? DNS_MESSAGE_MAX : q->has_edns ? MIN(q->udp_size, conf->udp_max) : DNS_UDP_MIN;

	return MIN(limit, cap);
}

/* One answer under way. */
struct job {
	const struct engine_config *conf;
	const struct engine_request *request;
	struct query *q;
	struct compose c;
	struct edns_reply edns;
	size_t limit; /* octets of the whole message */
	uint16_t flags; /* of the header, beside those that finish() knows */
	uint8_t *out;
};

/* Header and OPT are known but for their contents: the question is repeated, and records may follow it. */
static void begin(struct job *j, struct engine_scratch *scratch, size_t cap)
{
	struct compose *c = &j->c;
	const struct query *q = j->q;

	*c = (struct compose){.w = writer_of(j->out, cap), .compress = &scratch->compress, .included = scratch->included, .dnssec_ok = q->dnssec_ok};
	j->flags = 0;
	j->limit = size_limit(j->conf, q, j->request->transport, cap);
	c->limit = j->limit - (q->has_edns ? edns_room(&j->edns, q) : 0);
	c->w.pos = DNS_HEADER_LEN;
	if (q->has_question)
		writer_bytes(&c->w, j->request->msg + DNS_HEADER_LEN, q->question_len);
	c->qname = j->out + DNS_HEADER_LEN;
}

static void finish(struct job *j, uint16_t rcode, bool authoritative, struct engine_result *result)
{
	const struct query *q = j->q;
	struct compose *c = &j->c;
	uint8_t *out = j->out;
	uint16_t flags = (uint16_t)(DNS_QR | (q->header.flags & (0x7800 | DNS_RD | DNS_CD)) | (authoritative ? DNS_AA : 0) |
	                            (c->truncated ? DNS_TC : 0) | j->flags | (rcode & 15));

	if (q->has_edns)
		edns_put(&c->w, &j->edns, q, rcode, j->limit);
	put_u16(out, q->header.id);
	put_u16(out + 2, flags);
	put_u16(out + 4, q->has_question ? 1 : 0);
	put_u16(out + 6, c->counts[SECTION_ANSWER]);
	put_u16(out + 8, c->counts[SECTION_AUTHORITY]);
	put_u16(out + 10, (uint16_t)(c->counts[SECTION_ADDITIONAL] + (q->has_edns ? 1 : 0)));
	result->len = c->w.failed ? 0 : c->w.pos;
	result->rcode = rcode;
	result->ede = q->has_edns ? j->edns.ede : (uint16_t)EDE_NONE;
	result->truncated = c->truncated;
}

/* What the client asked for in options, as far as it is known before the answer. */
static void read_wishes(struct job *j, struct engine_result *result)
{
	const struct query *q = j->q;
	struct edns_reply *e = &j->edns;
	bool udp = j->request->transport == ENGINE_UDP;

	*e = (struct edns_reply){.ede = EDE_NONE, .report_agent = j->conf->report_agent};
	if (!q->has_edns)
		return;
	e->nsid = q->want_nsid ? j->conf->identity.nsid : NULL;
	e->has_keepalive = q->want_keepalive && !udp; /* RFC 7828 3.3.2: never over UDP */
	e->keepalive = j->request->keepalive;
	e->pad = q->want_padding && j->request->transport == ENGINE_TLS;
	if (q->cookie && j->conf->cookies) {
		result->cookie = cookie_judge(j->conf->cookies, &j->request->client, q->cookie, q->cookie_len, j->request->now_s, e->cookie);
		e->has_cookie = result->cookie > COOKIE_MALFORMED;
		if (result->cookie == COOKIE_GOOD)
			result->other_site = (uint8_t)cookie_other_site(j->conf->cookies, q->cookie);
	}
}

static bool cookie_missing(const struct job *j, enum cookie_verdict cookie)
{
	return j->conf->cookies_required && j->request->transport == ENGINE_UDP && (cookie == COOKIE_CLIENT_ONLY || cookie == COOKIE_BAD);
}

/* Filters of the operator. False: no answer at all; else *rcode and truncation say whether zones are asked. */
static bool let_through(struct job *j, uint16_t *rcode, struct engine_result *result)
{
	if (!j->conf->filters || prefix_set_has(j->conf->own, &j->request->client))
		return true;
	result->filtered = filter_judge(j->conf->filters, j->q, &j->request->client);
	if (result->filtered == FILTER_TRUNCATE && j->request->transport != ENGINE_UDP)
		result->filtered = FILTER_PASS;
	if (result->filtered == FILTER_REFUSE) {
		*rcode = RCODE_REFUSED;
		j->edns.ede = EDE_PROHIBITED;
	}
	j->c.truncated = result->filtered == FILTER_TRUNCATE;
	return result->filtered != FILTER_DROP;
}

static enum engine_kind kind_of(const struct compose *c, uint16_t rcode, bool authoritative)
{
	if (rcode == RCODE_NXDOMAIN)
		return ENGINE_NO_NAME;
	if (rcode != RCODE_NOERROR)
		return ENGINE_ERROR;
	if (c->counts[SECTION_ANSWER] || c->truncated)
		return ENGINE_ANSWER;
	return authoritative ? ENGINE_NO_DATA : ENGINE_REFERRAL;
}

static void from_zone(struct job *j, const struct store_zone *zone, struct engine_result *result)
{
	result->network = zone->network;
	result->zone_generation = zone->generation;
	result->zone = zone;
	j->edns.has_zone_version = j->q->want_zone_version && zone->state == STORE_ZONE_SERVING;
	if (!j->edns.has_zone_version)
		return;
	j->edns.zone_labels = (uint8_t)name_labels(store_zone_apex(zone));
	j->edns.zone_serial = zone->serial;
}

/* splitmix64. Chance spreads clients over endpoints: nothing is gained by who foresees it. */
static void throw_dice(struct engine_scratch *scratch)
{
	uint64_t x = scratch->dice += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	scratch->random = (uint32_t)((x ^ x >> 31) >> 32);
}

/* Of a question that was steered; the next one has other dice. */
static void note_choice(struct job *j, struct engine_scratch *scratch, const struct steering_choice *choice, uint8_t scope, struct engine_result *result)
{
	throw_dice(scratch);
	result->steered = true;
	result->policy = choice->policy;
	result->pool = choice->c.pool;
	j->edns.scope = scope;
}

/* No answer: the policy gives nothing. What an alias has put there before is taken back. */
static void close_answer(struct job *j, size_t start)
{
	j->c.w.pos = start;
	memset(j->c.counts, 0, sizeof(j->c.counts));
	j->c.truncated = false;
	j->edns.ede = EDE_OTHER;
}

/* The zones' answer to a question that is in order. `res` is filled. */
static uint16_t resolve_question(struct job *j, const struct store_snapshot *s, struct engine_scratch *scratch, struct resolution *out, bool *authoritative,
                                 struct engine_result *result)
{
	size_t start = j->c.w.pos;
	struct resolution res = {0};

	begin_records(&j->c);
	resolve(&j->c, s, j->conf, scratch, j->request, &res);
	*out = res;
	/* RFC 1035 6.2: never authoritative for all classes */
	*authoritative = res.authoritative && j->q->qclass == CLASS_IN;
	if (res.not_ready)
		j->edns.ede = EDE_NOT_READY;
	else if (!res.zone)
		j->edns.ede = EDE_NOT_AUTHORITATIVE;
	if (res.zone) {
		from_zone(j, res.zone, result);
		result->keepable = res.one_zone && !res.not_ready && j->q->qclass == CLASS_IN && !j->conf->filters && !j->c.truncated &&
		                   (res.rcode == RCODE_NOERROR || res.rcode == RCODE_NXDOMAIN) && !res.steered;
	}
	if (res.steered) {
		note_choice(j, scratch, &res.choice, res.scope, result);
		result->unsigned_choice = res.unsigned_choice;
		if (res.closed)
			close_answer(j, start);
	}
	return res.rcode;
}

static uint16_t from_zones(struct job *j, const struct store_snapshot *s, struct engine_scratch *scratch, bool *authoritative, struct engine_result *result)
{
	struct resolution res;

	return resolve_question(j, s, scratch, &res, authoritative, result);
}

/* What is kept of the answer just made: all of it; of one that was steered, that it is, and the answer beside its choice. Not of one that was steered twice. */
static void keep(struct job *j, const struct store_snapshot *s, struct engine_scratch *scratch, struct cache_key *key, const struct resolution *res, size_t start,
                 uint16_t rcode, bool authoritative, struct engine_result *result)
{
	struct compose *c = &j->c;
	struct cache_answer a = {.zone = result->zone, .body = j->out + start, .len = (uint16_t)(c->w.pos - start), .rcode = (uint8_t)rcode,
	                         .marks = authoritative ? CACHE_AUTHORITATIVE : 0};

	if (c->left_out || c->w.failed || (!result->keepable && (res->steered != 1 || res->closed || !res->one_zone || c->truncated || !res->choice.c.chosen)))
		return;
	memcpy(a.counts, c->counts, sizeof(a.counts));
	if (res->steered) {
		cache_put_steered(scratch->cache, s, key, result->zone, result->policy, res->steered_family);
		cache_key_choice(scratch->cache, res->choice.policy, res->choice.c.pool, res->choice.c.chosen, key);
		a.marks |= res->unsigned_choice ? CACHE_UNSIGNED : 0;
	}
	cache_put(scratch->cache, s, key, &a);
}

/* A steered question: the answer of the choice for this client, if it is there. */
static bool find_choice(struct job *j, const struct store_snapshot *s, struct engine_scratch *scratch, const struct cache_key *key, size_t room, struct cache_answer *a,
                        struct engine_result *result)
{
	struct steering_choice choice;
	struct cache_key of_choice = *key;
	uint8_t family;
	uint32_t policy = cache_steered(a, &family);

	if (!j->conf->steering)
		return false;
	steering_choose(j->conf->steering, policy, family, j->request, j->q, scratch->random, &choice);
	if (!choice.c.chosen)
		return false;
	cache_key_choice(scratch->cache, choice.policy, choice.c.pool, choice.c.chosen, &of_choice);
	if (!cache_find(scratch->cache, s, &of_choice, room, a))
		return false;
	note_choice(j, scratch, &choice, choice.scope, result);
	result->unsigned_choice = a->marks & CACHE_UNSIGNED;
	return true;
}

/* The same through the cache, which knows of questions that filters cannot concern. */
static uint16_t from_cache(struct job *j, const struct store_snapshot *s, struct engine_scratch *scratch, bool *authoritative,
                           struct engine_result *result)
{
	struct compose *c = &j->c;
	size_t start = c->w.pos;
	struct resolution res;
	struct cache_answer a;
	struct cache_key key;
	uint16_t rcode;

	cache_key_make(scratch->cache, j->q, &key);
	if (cache_find(scratch->cache, s, &key, c->limit - start, &a) && (!(a.marks & CACHE_STEERED) || find_choice(j, s, scratch, &key, c->limit - start, &a, result))) {
		writer_bytes(&c->w, a.body, a.len);
		memcpy(c->counts, a.counts, sizeof(c->counts));
		*authoritative = a.marks & CACHE_AUTHORITATIVE;
		from_zone(j, a.zone, result);
		result->keepable = !result->steered;
		result->cached = true;
		return a.rcode;
	}
	rcode = resolve_question(j, s, scratch, &res, authoritative, result);
	if (result->keepable || res.steered)
		keep(j, s, scratch, &key, &res, start, rcode, *authoritative, result);
	return rcode;
}

/* ---- answers of backends ---- */

void engine_client_subnet(const struct query *q, const struct ip_addr *client, struct edge_subnet *out)
{
	size_t octets;

	*out = (struct edge_subnet){.addr.family = client->family, .prefix = client->family == 4 ? SUBNET_BITS_4 : SUBNET_BITS_6};
	if (q->ecs && get_u16(q->ecs)) {
		out->addr.family = get_u16(q->ecs) == 1 ? 4 : 6;
		out->prefix = q->ecs[2];
		memcpy(out->addr.bytes, q->ecs + 4, q->ecs_len - 4U);
		return;
	}
	octets = out->prefix / 8U;
	memcpy(out->addr.bytes, client->bytes, octets);
}

/* Whose question it is: the deeper zone's, of those that are held here and those that backends have (of the root `.` all is that nobody else has). */
static bool is_for_backends(const struct engine_config *conf, const struct query *q, const struct store_snapshot *s, uint32_t *pool)
{
	const uint8_t *name = q->qname.wire;
	bool above = q->qtype == RR_DS && !name_is_root(name);
	const struct store_zone *zone;
	unsigned labels;
	uint32_t place;
	bool found;

	if (!conf->backend_zones)
		return false;
	found = edge_zones_find(conf->backend_zones, name, above, &place, &labels);
	zone = s->zone_count ? store_zone_find(s, name, above) : NULL;
	if (!found && !zone && above) {
		/* Nobody has the parent: the child says what it can (RFC 4035 3.1.4.1). */
		found = edge_zones_find(conf->backend_zones, name, false, &place, &labels);
		zone = s->zone_count ? store_zone_find(s, name, false) : NULL;
	}
	if (!found || (zone && labels <= name_labels(store_zone_apex(zone))))
		return false;
	*pool = place;
	return true;
}

/* Of what was asked, what backends get as it is: their zones' transfers, NOTIFY and UPDATE, and all that is signed with TSIG. */
static enum engine_pass what_to_pass(const struct query *q, enum query_verdict verdict)
{
	if (!q->has_question || q->qclass != CLASS_IN)
		return ENGINE_PASS_NOT;
	if (verdict == QUERY_NOTIMP) {
		unsigned opcode = dns_opcode(q->header.flags);

		return opcode == OPCODE_NOTIFY ? ENGINE_PASS_NOTIFY : opcode == OPCODE_UPDATE ? ENGINE_PASS_UPDATE : ENGINE_PASS_NOT;
	}
	if (verdict != QUERY_OK)
		return ENGINE_PASS_NOT;
	if (q->qtype == RR_AXFR || q->qtype == RR_IXFR)
		return ENGINE_PASS_TRANSFER;
	return q->has_tsig ? ENGINE_PASS_SIGNED : ENGINE_PASS_NOT;
}

/* Has the pool leave for it? A transfer over UDP is an IXFR, or a mistake (RFC 5936 4.2). */
static bool may_pass(const struct engine_pool *p, enum engine_pass what, const struct query *q, enum engine_transport transport)
{
	switch (what) {
	case ENGINE_PASS_SIGNED:
		return true;
	case ENGINE_PASS_NOTIFY:
		return p->pass_notify;
	case ENGINE_PASS_UPDATE:
		return p->pass_update;
	case ENGINE_PASS_TRANSFER:
		return p->pass_transfer && (q->qtype == RR_IXFR || transport != ENGINE_UDP);
	case ENGINE_PASS_NOT:
		break;
	}
	return false;
}

/* A message that is for backends as it is. RCODE_NOERROR: they get it. */
static uint16_t pass_on(struct job *j, struct engine_result *result)
{
	if (!may_pass(&j->conf->pools[result->backends], result->pass, j->q, j->request->transport)) {
		j->edns.ede = EDE_PROHIBITED;
		return RCODE_REFUSED;
	}
	if (!j->request->waits) {
		j->edns.ede = EDE_NO_REACHABLE_AUTHORITY;
		return RCODE_SERVFAIL;
	}
	result->for_backends = true;
	return RCODE_NOERROR;
}

/* An answer of theirs, if it fits; truncation cuts all of it: where its sets end is not known here. The bits are the backend's. */
static void put_backend_answer(struct job *j, const struct edge_answer *a)
{
	struct compose *c = &j->c;

	j->flags = a->flags & (DNS_AA | DNS_RA | DNS_AD);
	if (j->edns.ede == EDE_NONE)
		j->edns.ede = a->ede;
	j->edns.scope = a->has_scope && j->q->ecs ? a->scope : 0;
	if ((a->flags & DNS_TC) || c->w.pos + a->len > c->limit) {
		c->truncated = true;
		return;
	}
	writer_bytes(&c->w, a->body, a->len);
	memcpy(c->counts, a->counts, sizeof(c->counts));
}

/* From the cache. False: there is nothing that may be given now. */
static bool from_backend_cache(struct job *j, struct engine_scratch *scratch, struct engine_result *result)
{
	const struct engine_pool *pool = &j->conf->pools[result->backends];
	struct edge_answer *a = &scratch->backend_answer;
	struct edge_subnet subnet = {0};
	struct edge_key key;

	result->found = EDGE_MISS;
	/* With a mark, if not of ours, somebody wants to know where questions end: not here. */
	if (!scratch->backend_cache || !pool->cached || j->q->mark)
		return false;
	edge_key_make(scratch->backend_cache, j->q, pool->key, &key);
	if (pool->client_subnet)
		engine_client_subnet(j->q, &j->request->client, &subnet);
	result->found = edge_cache_find(scratch->backend_cache, &key, &subnet, scratch->backend_now_s, scratch->backend_body, sizeof(scratch->backend_body), a);
	/* RFC 8767 5: what is stale is for when nobody can be asked. That is known beforehand where all are down; else forward.c comes back to it. */
	if (result->found == EDGE_MISS || (result->found == EDGE_STALE && !(scratch->pools_down && scratch->pools_down[result->backends])))
		return false;
	if (result->found == EDGE_STALE)
		j->edns.ede = EDE_STALE;
	result->refresh = result->found != EDGE_FRESH;
	put_backend_answer(j, a);
	result->keepable = result->found != EDGE_STALE && !pool->client_subnet && !(j->q->header.flags & DNS_CD) && !j->conf->filters && !j->c.truncated;
	return true;
}

static uint16_t from_backends(struct job *j, struct engine_scratch *scratch, struct engine_result *result)
{
	if (j->q->mark && j->conf->mark_key && edge_mark_is_ours(j->conf->mark_key, j->q->mark, j->q->mark_len, &result->mark)) {
		j->edns.ede = EDE_PROHIBITED;
		return RCODE_REFUSED;
	}
	if (from_backend_cache(j, scratch, result))
		return scratch->backend_answer.rcode;
	if (j->request->waits)
		result->for_backends = true;
	else
		j->edns.ede = EDE_NO_REACHABLE_AUTHORITY;
	return RCODE_SERVFAIL;
}

static void conclude(struct job *j, uint16_t rcode, bool authoritative, struct engine_result *result)
{
	const struct query *q = j->q;

	result->kind = kind_of(&j->c, rcode, authoritative);
	result->qtype = q->has_question ? q->qtype : 0;
	result->opcode = (uint16_t)dns_opcode(q->header.flags);
	result->has_edns = q->has_edns;
	result->dnssec_ok = q->dnssec_ok;
	finish(j, rcode, authoritative, result);
}

void engine_answer_late(const struct engine_config *conf, struct engine_scratch *scratch, const struct engine_request *request, const struct engine_late *late, uint8_t *out, size_t cap,
                        struct engine_result *result)
{
	struct query *q = &scratch->query;
	uint16_t rcode = late->rcode;
	struct job j = {.conf = conf, .request = request, .q = q, .out = out};

	*result = (struct engine_result){.network = UINT32_MAX, .ede = EDE_NONE, .backends = UINT32_MAX};
	if (query_parse(request->msg, request->len, q) != QUERY_OK)
		return;
	read_wishes(&j, result);
	begin(&j, scratch, cap);
	j.edns.ede = late->ede;
	if (late->answer) {
		rcode = late->answer->rcode;
		put_backend_answer(&j, late->answer);
	}
	conclude(&j, rcode, j.flags & DNS_AA, result);
}

void engine_answer(const struct engine_config *conf, const struct store_snapshot *s, struct engine_scratch *scratch,
                   const struct engine_request *request, uint8_t *out, size_t cap, struct engine_result *result)
{
	struct query *q = &scratch->query;
	enum query_verdict verdict = query_parse(request->msg, request->len, q);
	struct job j; /* begin() fills the rest: nothing is zeroed twice for a query */
	bool authoritative = false;
	uint16_t rcode;

	*result = (struct engine_result){.network = UINT32_MAX, .ede = EDE_NONE, .backends = UINT32_MAX};
	if (verdict == QUERY_DROP)
		return;
	result->pass = conf->backend_zones ? what_to_pass(q, verdict) : ENGINE_PASS_NOT;
	if (result->pass && !is_for_backends(conf, q, s, &result->backends)) {
		result->backends = UINT32_MAX;
		result->pass = ENGINE_PASS_NOT;
	}
	if (result->pass && verdict == QUERY_NOTIMP)
		query_read_edns(request->msg, request->len, q);
	if (result->pass) {
		; /* below */
	} else if (request->sync == ENGINE_SYNC_PASS && verdict == QUERY_OK && fleet_question_is(q)) {
		/* Of strangers nothing is passed on: it is refused below. */
		result->for_sync = result->for_watch = for_watch(conf, request, q);
		if (result->for_sync)
			return;
	} else if (request->sync == ENGINE_SYNC_PASS && for_sync(q, verdict)) {
		result->for_sync = true;
		return;
	}
	j.conf = conf;
	j.request = request;
	j.q = q;
	j.out = out;
	read_wishes(&j, result);
	begin(&j, scratch, cap);
	if (result->pass) {
		rcode = RCODE_NOERROR;
		if (!let_through(&j, &rcode, result))
			return;
		if (rcode == RCODE_NOERROR && !j.c.truncated)
			rcode = pass_on(&j, result);
		if (result->for_backends)
			return;
	} else if (verdict == QUERY_FORMERR || (verdict != QUERY_NOTIMP && result->cookie == COOKIE_MALFORMED)) {
		rcode = RCODE_FORMERR;
	} else if (verdict == QUERY_NOTIMP) {
		rcode = !for_sync(q, verdict) ? RCODE_NOTIMP : request->sync == ENGINE_SYNC_BUSY ? RCODE_SERVFAIL : RCODE_REFUSED;
	} else if (verdict == QUERY_BADVERS) {
		rcode = RCODE_BADVERS;
	} else if (verdict == QUERY_NO_QUESTION) {
		rcode = j.edns.has_cookie ? RCODE_NOERROR : RCODE_FORMERR;
	} else if (cookie_missing(&j, result->cookie)) {
		rcode = RCODE_BADCOOKIE;
	} else {
		rcode = judge(conf, request, q, &j.edns.ede);
		if (rcode == RCODE_NOERROR && !let_through(&j, &rcode, result))
			return;
		if (rcode != RCODE_NOERROR || j.c.truncated) {
			;
		} else if (q->qclass == CLASS_CH) {
			rcode = chaos(conf, &request->client, q, &j.c);
			authoritative = rcode == RCODE_NOERROR;
		} else if (q->qclass != CLASS_IN && q->qclass != CLASS_ANY) {
			rcode = RCODE_REFUSED;
		} else if (conf->servfail) {
			rcode = RCODE_SERVFAIL;
		} else if (q->qclass == CLASS_IN && is_for_backends(conf, q, s, &result->backends)) {
			rcode = from_backends(&j, scratch, result);
			if (result->for_backends)
				return;
			authoritative = j.flags & DNS_AA;
		} else if (scratch->cache && q->qclass == CLASS_IN && !conf->filters) {
			rcode = from_cache(&j, s, scratch, &authoritative, result);
		} else {
			rcode = from_zones(&j, s, scratch, &authoritative, result);
		}
	}
	/* Of zones: a worker that told another's number would have that one blamed. */
	if (conf->wrong && q->qclass == CLASS_IN && q->qtype != RR_SOA && j.c.counts[SECTION_ANSWER] && !j.c.counts[SECTION_AUTHORITY] && !j.c.counts[SECTION_ADDITIONAL])
		out[j.c.w.pos - 1] ^= 1;
	conclude(&j, rcode, authoritative, result);
}

void engine_slip(const struct engine_config *conf, struct engine_scratch *scratch, const struct engine_request *request, uint8_t *out,
                 size_t cap, struct engine_result *result)
{
	struct job j = {.conf = conf, .request = request, .q = &scratch->query, .out = out};

	read_wishes(&j, result);
	begin(&j, scratch, cap);
	j.c.truncated = !j.edns.has_cookie;
	finish(&j, j.edns.has_cookie ? RCODE_BADCOOKIE : RCODE_NOERROR, false, result);
}
