/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"
#include "base/err.h"
#include "proc/handover.h"
#include "sync/asked.h"
#include "sync/serve_priv.h"
#include "xfr/padding.h"

#include <stdlib.h>
#include <string.h>

enum {
	DIFFERENCES_SMALL = 100,             /* records; differences of more, and of more than the zone has, are dearer than the zone */
	DIFFERENCES_OCTETS_MAX = 64 << 20,   /* read from the journal for one transfer */
	DIFFERENCES_RECORD = 256,            /* octets of the journal for one record of the zone: beyond that the zone is sent */
};

static void job_clear(struct serve_job *job)
{
	xfr_out_free(job->out);
	if (job->chain) {
		history_release(job->chain);
		free(job->chain);
	}
	if (job->list)
		journal_changes_done(&job->changes);
	free(job->list);
	snapshots_give(job->snapshot);
	tsig_session_done(&job->tsig);
	access_unref(job->access);
	*job = (struct serve_job){0};
}

/* ---- answers of one message ---- */

/* Sign what w holds and be done with the job. */
static enum serve_outcome finish(struct serve_job *job, struct writer *w, size_t cap, enum serve_outcome outcome)
{
	w->cap = cap;
	if (!writer_ok(w) || tsig_sign(&job->tsig, w, (uint64_t)clock_wall_s()) < 0)
		outcome = SERVE_CLOSE;
	job_clear(job);
	return outcome;
}

/* Keeps room for the signature. */
static size_t keep_room(const struct serve_job *job, struct writer *w)
{
	size_t cap = w->cap, space = tsig_space(&job->tsig);

	w->cap -= MIN(space, w->cap);
	return cap;
}

static enum serve_outcome say(struct serve_job *job, const struct asked *q, unsigned rcode, struct writer *w)
{
	size_t cap = keep_room(job, w);

	asked_answer(q, rcode, NULL, w);
	return finish(job, w, cap, rcode == RCODE_NOERROR ? SERVE_REPLY : SERVE_REFUSED);
}

static void log_refusal(struct serve *s, const char *what, const struct asked *q, const struct endpoint *from, const char *why)
{
	char zone[NAME_TEXT_MAX], client[ENDPOINT_TEXT_MAX];

	if (!log_limit_pass(&s->limit, SERVE_LOG_BURST))
		return;
	name_to_text(q->qname.wire, zone);
	log_notice("%s zone=%s client=%s refused=\"%s\"", what, zone, endpoint_text(from, client), why);
}

static const struct store_rrset *soa_of(const struct store_snapshot *s, const struct store_zone *z)
{
	return store_rrset_of(s, store_at(s, z->apex), RR_SOA);
}

static uint32_t expire_s(const struct serve *s, const struct store_zone *z, const struct store_rrset *soa)
{
	struct soa fields;
	uint32_t seconds;

	if (s->hooks.expires && s->hooks.expires(s->hooks.ctx, store_zone_apex(z), &seconds))
		return seconds;
	return soa_parse(soa->data + 2, get_u16(soa->data), &fields) == 0 ? fields.expire : 0;
}

static enum serve_outcome answer_soa(struct serve *s, struct serve_job *job, const struct asked *q, struct writer *w)
{
	const struct store_rrset *set;
	const struct store_zone *z;
	struct asked_soa soa;
	size_t cap;

	if (snapshots_take(&s->snapshots, clock_ms(), &job->snapshot) < 0)
		return say(job, q, RCODE_SERVFAIL, w);
	z = store_zone_get(&job->snapshot->store, q->qname.wire);
	if (!z || z->state != STORE_ZONE_SERVING)
		return say(job, q, z ? RCODE_SERVFAIL : RCODE_REFUSED, w);
	set = soa_of(&job->snapshot->store, z);
	soa = (struct asked_soa){.ttl = set->ttl, .rdata = set->data + 2, .rdlen = get_u16(set->data), .has_expire = true, .expire_s = expire_s(s, z, set)};
	cap = keep_room(job, w);
	asked_answer(q, RCODE_NOERROR, &soa, w);
	return finish(job, w, cap, SERVE_REPLY);
}

static enum serve_outcome answer_notify(struct serve *s, struct serve_job *job, const struct asked *q,
                                        const struct serve_client *from, struct writer *w)
{
	struct board_transfers_out *b = &s->board->out;
	enum access_verdict v = access_notify(job->access, q->qname.wire, &from->at.addr, job->tsig.key);
	char key[NAME_TEXT_MAX];

	board_add(&b->notify_in, 1);
	if (q->qtype != RR_SOA || q->qclass != CLASS_IN)
		return say(job, q, RCODE_FORMERR, w);
	if (v != ACCESS_GRANTED) {
		board_add(&b->notify_refused, 1);
		log_refusal(s, "notify", q, &from->at, access_verdict_text(v));
		return say(job, q, v == ACCESS_NO_ZONE || v == ACCESS_NO_SECONDARY ? RCODE_NOTAUTH : RCODE_REFUSED, w);
	}
	if (job->tsig.key)
		name_to_text(job->tsig.key->name.wire, key);
	/* Right after a start, say. Without an answer it is told again; with one it would be forgotten until the next refresh. */
	if (s->hooks.notified && !s->hooks.notified(s->hooks.ctx, q->qname.wire, &from->at.addr, q->has_serial,
	                                            q->serial, job->tsig.key ? key : NULL)) {
		job_clear(job);
		return SERVE_CLOSE;
	}
	return say(job, q, RCODE_NOERROR, w);
}

/* ---- transfers ---- */

/* The differences that the client lacks, where they are known and worth it. */
static bool find_differences(struct serve *s, struct serve_job *job, const struct store_zone *z, uint32_t serial)
{
	struct history_chain *chain = s->history ? calloc(1, sizeof(*chain)) : NULL;

	if (!chain)
		return false;
	if (history_chain(s->history, store_zone_apex(z), serial, z->serial, chain) == 0) {
		if (chain->records <= DIFFERENCES_SMALL || chain->records < z->record_count) {
			job->chain = chain;
			return true;
		}
		history_release(chain);
	}
	free(chain);
	return false;
}

/* Those that this process has not seen: a predecessor's, or forgotten ones. */
static bool find_changes(struct serve *s, struct serve_job *job, const struct store_zone *z, uint32_t serial)
{
	uint64_t most = MIN((uint64_t)DIFFERENCES_OCTETS_MAX, (z->record_count + DIFFERENCES_SMALL) * DIFFERENCES_RECORD);

	if (!s->hooks.changes || !s->hooks.changes(s->hooks.ctx, store_zone_apex(z), serial, z->serial, most, &job->changes))
		return false;
	job->list = calloc(job->changes.count + 1, sizeof(*job->list));
	if (!job->list || !job->changes.count) {
		journal_changes_done(&job->changes);
		free(job->list);
		job->list = NULL;
		return false;
	}
	for (size_t i = 0; i < job->changes.count; i++) {
		const struct journal_change *c = &job->changes.items[i];

		job->list[i] = (struct xfr_difference){.from = c->from, .to = c->to, .deleted = c->deleted, .added = c->added,
		                                       .deleted_count = c->deleted_count, .added_count = c->added_count};
	}
	return true;
}

static int begin_transfer(struct serve *s, struct serve_job *job, const struct xfr_request *r,
                          const struct store_zone *z, const struct serve_client *from)
{
	const struct store_rrset *set = soa_of(&job->snapshot->store, z);
	const struct rr soa = {.owner = store_zone_apex(z), .type = RR_SOA, .rclass = CLASS_IN, .ttl = set->ttl, .rdlen = get_u16(set->data),
	                       .rdata = set->data + 2};
	const struct xfr_out_settings settings = {.request = *r,
	                                          .udp = from->udp,
	                                          .has_expire = r->want_expire,
	                                          .expire_s = expire_s(s, z, set),
	                                          .pad = from->tls && r->want_padding ? PADDING_ANSWER : 0,
	                                          .pad_after = (uint16_t)tsig_space(&job->tsig)};
	bool differences;

	job->serial = z->serial;
	job->began_ms = clock_ms();
	job->current = r->kind == XFR_IXFR && !serial_after(z->serial, r->serial);
	if (job->current)
		return xfr_out_differences(&settings, &soa, NULL, 0, &job->out);
	differences = r->kind == XFR_IXFR && !(s->history && history_is_twice(s->history, store_zone_apex(z), r->serial));
	if (differences && find_differences(s, job, z, r->serial))
		return xfr_out_differences(&settings, &soa, job->chain->list, job->chain->count, &job->out);
	if (differences && find_changes(s, job, z, r->serial))
		return xfr_out_differences(&settings, &soa, job->list, job->changes.count, &job->out);
	job->whole = true;
	return xfr_out_zone(&settings, &job->snapshot->store, z, &job->out);
}

static enum serve_outcome answer_transfer(struct serve *s, struct serve_job *job, const struct asked *q,
                                          const uint8_t *msg, size_t len, const struct serve_client *from,
                                          bool may_wait, struct writer *w)
{
	struct board_transfers_out *b = &s->board->out;
	const struct store_zone *z;
	enum access_over over = !from->tls_fit       ? ACCESS_OVER_CLEAR
	                        : from->tls_verified ? ACCESS_OVER_MUTUAL_TLS
	                                             : ACCESS_OVER_TLS;
	struct xfr_request r;
	enum access_verdict v;
	int err;

	/* RFC 5936 4.2: there is no AXFR over UDP. */
	if (xfr_request_parse(msg, len, &r) != QUERY_OK || (from->udp && r.kind == XFR_AXFR)) {
		board_add(&b->refused, 1);
		return say(job, q, RCODE_FORMERR, w);
	}
	job->apex = r.apex;
	v = access_transfer(job->access, r.apex.wire, &from->at.addr, over, job->tsig.key);
	/* RFC 9103 7.1, 7.2: no transfers over TLS of an older kind, or where nobody said "dot". */
	if (v == ACCESS_GRANTED && from->tls && !from->tls_fit)
		v = ACCESS_CLEAR;
	if (v != ACCESS_GRANTED) {
		board_add(&b->refused, 1);
		log_refusal(s, "transfer", q, &from->at, access_verdict_text(v));
		return say(job, q, v == ACCESS_NO_ZONE ? RCODE_NOTAUTH : RCODE_REFUSED, w);
	}
	err = snapshots_take(&s->snapshots, clock_ms(), &job->snapshot);
	if (err == ERR_LIMIT && may_wait) {
		s->pins_short = true;
		job_clear(job);
		return SERVE_WAIT;
	}
	z = err < 0 ? NULL : store_zone_get(&job->snapshot->store, r.apex.wire);
	if (!err && z && z->state == STORE_ZONE_SERVING)
		err = begin_transfer(s, job, &r, z, from);
	if (!err && job->out)
		return SERVE_TRANSFER;
	board_add(&b->refused, 1);
	log_refusal(s, "transfer", q, &from->at,
	            err < 0 ? err_text(err)
	            : z     ? "the zone has no data yet"
	                    : "this node has no such zone");
	return say(job, q, !err && !z ? RCODE_NOTAUTH : RCODE_SERVFAIL, w);
}

/* ---- all requests ---- */

enum serve_outcome serve_request(struct serve *s, const uint8_t *msg, size_t len, const struct serve_client *from,
                                 bool may_wait, struct serve_job *job, struct writer *w)
{
	enum tsig_verdict signature;
	struct asked q;
	int err = asked_parse(msg, len, &q);

	*job = (struct serve_job){0};
	if (err == ERR_INVALID || !s->access)
		return SERVE_CLOSE;
	if (from->udp)
		w->cap = MIN(w->cap, (size_t)MIN(q.udp_size, (uint16_t)DNS_UDP_DEFAULT));
	tsig_session_init(&job->tsig);
	job->access = access_ref(s->access);
	signature = tsig_verify_request(&job->tsig, access_keys(s->access), msg, len, (uint64_t)clock_wall_s());
	if (err || signature == TSIG_FORMERR)
		return say(job, &q, RCODE_FORMERR, w);
	if (signature != TSIG_GOOD && signature != TSIG_ABSENT) {
		board_add(&s->board->out.tsig_bad, 1);
		log_refusal(s, "request", &q, &from->at, tsig_verdict_text(signature));
		return say(job, &q, RCODE_NOTAUTH, w);
	}
	if (signature == TSIG_ABSENT)
		job->tsig.key = NULL;
	if (q.opcode == OPCODE_NOTIFY)
		return answer_notify(s, job, &q, from, w);
	if (q.opcode != OPCODE_QUERY)
		return say(job, &q, RCODE_NOTIMP, w);
	if (q.qtype == RR_AXFR || q.qtype == RR_IXFR)
		return answer_transfer(s, job, &q, msg, len, from, may_wait, w);
	if (q.qtype == RR_SOA && q.qclass == CLASS_IN)
		return answer_soa(s, job, &q, w);
	return say(job, &q, RCODE_REFUSED, w);
}

int serve_job_next(struct serve_job *job, struct writer *w)
{
	size_t cap = keep_room(job, w);
	int got = xfr_out_next(job->out, w), err;

	w->cap = cap;
	if (got != 1)
		return got;
	/* Each message: RFC 8945 5.3.1 asks for one in a hundred, but there are servers that want all. */
	err = tsig_sign(&job->tsig, w, (uint64_t)clock_wall_s());
	return err < 0 ? err : 1;
}

void serve_job_done(struct serve *s, struct serve_job *job, const struct serve_client *from, bool good)
{
	struct board_transfers_out *b = &s->board->out;
	char zone[NAME_TEXT_MAX], client[ENDPOINT_TEXT_MAX];
	struct xfr_out_facts facts;

	if (!job->out)
		return;
	xfr_out_facts(job->out, &facts);
	board_add(&b->records, facts.records);
	board_add(&b->bytes, facts.octets);
	board_add(!good ? &b->failed : job->current ? &b->current : job->whole ? &b->axfr : &b->ixfr, 1);
	if (log_limit_pass(&s->limit, SERVE_LOG_BURST)) {
		name_to_text(job->apex.wire, zone);
		log_line(good ? LOG_INFO : LOG_WARN,
		         "transfer zone=%s client=%s%s kind=%s serial=%u records=%llu octets=%llu took_ms=%llu%s", zone,
		         endpoint_text(&from->at, client),
		         from->tls_verified ? " over=mutual-tls"
		         : from->tls        ? " over=tls"
		                            : "",
		         job->current ? "current"
		         : job->whole ? "whole"
		                      : "differences",
		         job->serial, (unsigned long long)facts.records, (unsigned long long)facts.octets,
		         (unsigned long long)(clock_ms() - job->began_ms), good ? "" : " error=\"broken off\"");
	}
	job_clear(job);
}
