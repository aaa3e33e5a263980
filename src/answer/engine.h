/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/filter.h"
#include "base/addr.h"
#include "base/attr.h"
#include "dns/cookie.h"
#include "dns/message.h"
#include "edge/cache.h"
#include "zone/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The answer engine: a query's octets in, the answer's octets out, with a pinned version of the store. Pure: no socket, clock,
 * log, lock or allocation; everything it writes is in the scratch given. One per worker. */
enum engine_transport { ENGINE_UDP, ENGINE_TCP, ENGINE_TLS };

struct engine_identity {
	const char *nsid;     /* node name: NSID, id.server, hostname.bind; borrowed */
	const char *version;  /* version.server, version.bind; NULL = REFUSED */
};

/* RFC 8482: what QTYPE ANY gets. */
enum engine_any { ENGINE_ANY_ONE, ENGINE_ANY_ALL, ENGINE_ANY_REFUSE };

struct prefix_set;
struct answer_cache;
struct steering;
struct edge_zones;

/* A pool of backends, as far as a question that is looked up concerns it. */
struct engine_pool {
	uint32_t key;       /* of struct edge_key */
	bool cached;        /* answers are kept */
	bool client_subnet; /* and told by the client's network */
	bool pass_notify, pass_update, pass_transfer; /* they get these as well */
};

struct engine_config {
	struct engine_identity identity;
	uint16_t udp_max;      /* largest UDP answer, DNS_UDP_DEFAULT (RFC 9715) */
	enum engine_any any;
	const struct cookie_secrets *cookies; /* borrowed; NULL or without a secret: no cookies */
	bool cookies_required; /* BADCOOKIE over UDP to a client that knows cookies and has no good one */
	const uint8_t *report_agent; /* RFC 9567; NULL: none; borrowed */
	const struct filter_set *filters; /* questions that are not answered; NULL: none; borrowed */
	const struct prefix_set *fleet;   /* who may ask for this node's status (fleet/message.h); NULL: nobody; borrowed */
	const struct prefix_set *own;     /* clients that filters do not concern: this node's checks; borrowed */
	const struct steering *steering;  /* policies by which names are answered; NULL: none; borrowed */
	bool servfail, wrong;  /* fault drills: every zone question is answered SERVFAIL; answers but those for SOA have a wrong octet */
	unsigned worker;       /* index, told to this node's own checks */
	const struct edge_zones *backend_zones; /* whose answers come from backends, by place in pools; NULL: none; borrowed */
	const struct engine_pool *pools;
	const uint8_t *mark_key; /* of questions that come back (edge/mark.h); NULL: none is known; borrowed */
};

/* What becomes of requests that workers do not answer: transfers, NOTIFY, and all that is signed with TSIG. */
enum engine_sync {
	ENGINE_SYNC_NEVER, /* not on this socket: refused */
	ENGINE_SYNC_PASS,  /* not answered here: result.for_sync */
	ENGINE_SYNC_BUSY,  /* sync takes nothing now: SERVFAIL */
};

/* One query, as it came. */
struct engine_request {
	enum engine_transport transport;
	struct ip_addr client;
	uint16_t port;         /* of the client */
	const uint8_t *msg;
	size_t len;
	uint32_t now_s;        /* since 1970, low 32 bits; for cookies */
	enum engine_sync sync;
	uint16_t keepalive;    /* idle time in units of 100 ms that a TCP or TLS client is told if it asks (RFC 7828) */
	bool waits;            /* the answer may come later: result.for_backends. Else what would have to be waited for is SERVFAIL */
};

/* Kinds of answers, as rate limits tell them apart. */
enum engine_kind { ENGINE_ANSWER, ENGINE_REFERRAL, ENGINE_NO_DATA, ENGINE_NO_NAME, ENGINE_ERROR, ENGINE_KINDS };

/* Messages for backends that are no plain questions (pass.h, splice.h). */
enum engine_pass { ENGINE_PASS_NOT, ENGINE_PASS_SIGNED, ENGINE_PASS_NOTIFY, ENGINE_PASS_UPDATE, ENGINE_PASS_TRANSFER };

/* What happened, for counters and limits. */
struct engine_result {
	size_t len;      /* octets of answer; 0 = no answer at all */
	uint16_t rcode;  /* extended */
	uint16_t ede;    /* extended error as sent, EDE_NONE without (answer/edns.h) */
	uint16_t qtype;
	uint16_t opcode;
	enum engine_kind kind;
	enum cookie_verdict cookie;
	uint8_t other_site; /* with COOKIE_GOOD: the mark of another node that gave it; 0: none did */
	enum filter_action filtered;
	bool truncated;
	bool has_edns, dnssec_ok;
	uint32_t network; /* of the zone that answered, UINT32_MAX if none */
	uint64_t zone_generation; /* 0 if no zone was asked */
	const struct store_zone *zone; /* that answered, NULL if none; valid while the version is pinned */
	/* It depends on nothing but the question's name in any case, its type, OPT and DO, and this one zone's version; with `backends`, on what their cache has, without CD, and for the second of
	 * scratch->backend_now_s, since TTLs are counted down. */
	bool keepable;
	bool steered;    /* a policy chose the answer, or that there is none: `policy` and `pool` are places in the configuration */
	bool unsigned_choice; /* it has no signature for its choice: the zone's own set was given */
	uint32_t policy, pool;
	bool for_sync;   /* there is no answer: sync has it */
	bool for_watch;  /* with for_sync: not sync, but watch, which tells this node's status */
	bool cached;     /* nothing was composed: the cache had it */
	bool for_backends; /* there is no answer yet: forward.h has to get it */
	uint32_t backends; /* place of the pool in the configuration, of a question for backends; UINT32_MAX: it was none */
	enum engine_pass pass; /* of a message for them that is no plain question: with for_backends they get it, as it is; else it was refused */
	enum edge_found found; /* with `backends`: what the cache had */
	uint64_t mark;     /* it came back to us: refused; the nonce. 0: it did not */
	bool refresh;      /* it was answered from the cache, and is to be asked again */
};

enum {
	ENGINE_CHAIN_MAX = 16,     /* aliases followed for one question */
	ENGINE_INCLUDED_MAX = 256, /* sets of one answer that are known to be there */
};

/* Scratch of one worker; large, allocated once. */
struct engine_scratch {
	struct compress compress;
	struct query query;
	struct name chain[ENGINE_CHAIN_MAX]; /* names that aliases led to */
	struct name wildcard;
	const struct store_rrset *included[ENGINE_INCLUDED_MAX]; /* sets put into the answer */
	struct answer_cache *cache; /* of answers that were given; NULL: none; borrowed */
	uint32_t random;            /* of the question at hand, for choices by chance */
	uint64_t dice;              /* what that comes from; begins as it likes */
	struct edge_cache *backend_cache; /* of answers of backends; NULL: none; borrowed */
	uint32_t backend_now_s;   /* for it: of the monotonic clock */
	const bool *pools_down;   /* by place: nobody of it is to be expected to answer; borrowed; NULL: all are well */
	struct edge_answer backend_answer;
	uint8_t backend_body[EDGE_BODY_MAX];
};

/* Answer the request into out (cap octets; at least 512; for TCP DNS_MESSAGE_MAX). */
void engine_answer(const struct engine_config *conf, const struct store_snapshot *s, struct engine_scratch *scratch,
                   const struct engine_request *request, uint8_t *out, size_t cap, struct engine_result *result);
/* The answer to a question that had to be waited for. The request is the one of engine_answer(), which said for_backends; what was counted for it then is found out again. */
struct engine_late {
	const struct edge_answer *answer; /* NULL: there is none, but: */
	uint16_t rcode;  /* without an answer */
	uint16_t ede;    /* of ours; EDE_NONE: that of the answer, if it has one */
	uint64_t began_ns; /* when it was asked */
};
void engine_answer_late(const struct engine_config *conf, struct engine_scratch *scratch, const struct engine_request *request, const struct engine_late *late, uint8_t *out, size_t cap,
                        struct engine_result *result);
/* The network that backends are told of a client's (RFC 7871): what it says itself, else its address, cut to 24 or 56 bits. */
void engine_client_subnet(const struct query *q, const struct ip_addr *client, struct edge_subnet *out);
/* In place of the answer just made for this request with this scratch: one that costs the client's network little. A client that
 * showed a cookie option gets BADCOOKIE with a fresh cookie (RFC 7873 5.2.3), another an empty truncated answer. */
void engine_slip(const struct engine_config *conf, struct engine_scratch *scratch, const struct engine_request *request, uint8_t *out,
                 size_t cap, struct engine_result *result);
