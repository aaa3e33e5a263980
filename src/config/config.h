/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/arena.h"
#include "base/attr.h"
#include "base/diag.h"
#include "base/text.h"
#include "dns/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The fleet file: one YAML document, the same on every node. Reading it is all-or-nothing: a struct config is complete, checked and
 * immutable; everything in it lives in its arena. Times are in milliseconds, sizes in octets. */
enum {
	CONFIG_FILE_MAX = 64 << 20, /* octets */
	CONFIG_NETWORKS_MAX = 64,
	CONFIG_PREFIXES_MAX = 32,   /* of a network */
	CONFIG_ADDRESSES_MAX = 16,  /* service addresses of a network */
	CONFIG_NODES_MAX = 1000,
	CONFIG_MANAGEMENT_MAX = 8,
	CONFIG_NEIGHBORS_MAX = 32,  /* of a node */
	CONFIG_KEYS_MAX = 256,
	CONFIG_TLS_AUTH_MAX = 64,
	CONFIG_PINS_MAX = 16,
	CONFIG_ZONES_MAX = 4000000,
	CONFIG_WORKERS_MAX = 256,
	CONFIG_COMMUNITIES_MAX = 32,
	CONFIG_LARGE_COMMUNITIES_MAX = 16,
	CONFIG_COMMUNITIES_SUM_MAX = 63, /* of a neighbor, of one of its states, and graceful-shutdown: BGP_COMMUNITIES_MAX */
	CONFIG_LARGE_COMMUNITIES_SUM_MAX = 20,
	CONFIG_PREPEND_MAX = 32,
	CONFIG_RECEIVED_MAX = 1000000, /* prefixes from a neighbor: BGP_RECEIVED_MAX */
	CONFIG_COOKIE_SECRETS_MAX = 4,
	CONFIG_EXEMPT_MAX = 1024,
	CONFIG_FILTERS_MAX = 100000,
	CONFIG_FILTER_TYPES_MAX = 64,
	CONFIG_FILTER_CLIENTS_MAX = 1024,
	CONFIG_PRIMARIES_MAX = 16,  /* of a zone, and servers to notify */
	CONFIG_TRANSFER_MAX = 1024, /* prefixes that may transfer a zone */
	CONFIG_CATALOGS_MAX = 64,
	CONFIG_GROUPS_MAX = 256,    /* of a catalog */
	CONFIG_CACHES_MAX = 8,      /* RPKI */
	CONFIG_REFERENCES_MAX = 64,
	CONFIG_REFERENCE_ZONES_MAX = 10000,
	CONFIG_HOOKS_MAX = 32,
	CONFIG_HOOK_WORDS_MAX = 32, /* path and arguments of a hook */
	CONFIG_HTTP_LISTEN_MAX = 16,
	CONFIG_HTTP_NAMES_MAX = 16,
	CONFIG_BACKENDS_MAX = 64,         /* pools of name servers that answer for zones */
	CONFIG_BACKEND_SERVERS_MAX = 32,  /* of one of them */
	CONFIG_BACKEND_SERVERS_SUM_MAX = 256, /* of all: BOARD_BACKENDS_MAX */
	CONFIG_POOLS_MAX = 1024,          /* of endpoints that names are steered to */
	CONFIG_POOL_ENDPOINTS_MAX = 64,   /* of one of them: bits of a word */
	CONFIG_FALLBACKS_MAX = 8,         /* pools in a row, the first included */
	CONFIG_STEERING_MAX = 4096,       /* policies */
	CONFIG_STEERING_RULES_MAX = 256,  /* of one of them */
	CONFIG_STEERING_OWNERS_MAX = 100000,
	CONFIG_STEERING_MATCH_MAX = 1024, /* countries, AS, subnets ... of one rule */
	CONFIG_NAME_MAX = 63,       /* bytes in names of networks, nodes and keys: letters, digits, - _ . */
};

#define CONFIG_STATE_DIR_DEFAULT "/var/lib/zonecast"
#define CONFIG_RUN_DIR_DEFAULT "/run/zonecast"

/* networks[].check: how watch judges the service addresses. */
struct config_check {
	uint32_t interval_ms; /* 100 */
	uint32_t timeout_ms;  /* 200: a later answer counts as none */
	uint16_t fall;        /* 2 failures in a row: fail */
	uint16_t rise;        /* 10 passes in a row: pass */
};

enum config_overload { CONFIG_OVERLOAD_ABSORB, CONFIG_OVERLOAD_SHED };
enum config_last_pop { CONFIG_LAST_POP_STAY, CONFIG_LAST_POP_WITHDRAW };
enum config_expired { CONFIG_EXPIRED_WITHDRAW, CONFIG_EXPIRED_ALERT }; /* what comes of expired signatures: a cause to leave, if the guard lets it; none */

struct config_network {
	const char *name;
	struct ip_prefix *prefixes;  size_t prefix_count;
	struct ip_addr *addresses;   size_t address_count;
	struct ip_prefix *backstops; size_t backstop_count;
	const char **backstop_at;    size_t backstop_at_count; /* nodes that announce them; none: all pops of the network */
	uint32_t as;
	uint32_t keep_at_least; /* 1 */
	uint8_t overload;       /* enum config_overload; absorb */
	uint8_t last_pop;       /* enum config_last_pop; stay */
	struct config_check check;
	uint8_t expired_signatures;   /* enum config_expired: of a zone of the network; withdraw */
	uint32_t signatures_alert_ms; /* so long before the first signature expires the network's verdict is soft; 3 days */
	uint32_t stale_after_ms;   /* data that was not known to be current for so long is stale; 5 min */
	uint32_t primary_check_ms; /* so often a primary is asked for the serial of one of the zones held by transfer; 5 s */
	uint8_t expiry_alert;      /* percent of a zone's SOA EXPIRE that are left when it counts as near; 25 */
	uint32_t drain_ms;      /* how long the graceful-shutdown community is announced before the withdrawal; 5 s */
	uint32_t rise_hold_ms;  /* first hold-down after a flap, doubled by each further one; 1 s */
	uint32_t rise_hold_max_ms; /* 5 min */
};

struct config_bfd {
	bool enabled;
	uint32_t interval_ms; /* 300 */
	uint8_t multiplier;   /* 3 */
	bool multihop;
};

struct config_large_community { /* RFC 8092 */
	uint32_t global, local1, local2;
};

/* neighbors[].de-prefer, .drain: what comes on top of the neighbor's own attributes in that state. */
struct config_state {
	uint32_t *communities;    size_t community_count;
	struct config_large_community *large; size_t large_count;
	bool has_prepend, has_med, has_local_pref; /* MED and LOCAL_PREF: instead of the neighbor's own */
	uint8_t prepend;          /* more; default 3 with de-prefer */
	uint32_t med;
	uint32_t local_pref;      /* default half of the neighbor's with de-prefer, 0 with drain */
};

/* As in RFC 9234, but for 0: not stated. */
enum config_bgp_role { CONFIG_BGP_ROLE_NONE, CONFIG_BGP_ROLE_PROVIDER, CONFIG_BGP_ROLE_RS, CONFIG_BGP_ROLE_RS_CLIENT, CONFIG_BGP_ROLE_CUSTOMER, CONFIG_BGP_ROLE_PEER };
enum config_dial { CONFIG_DIAL_ACTIVE, CONFIG_DIAL_PASSIVE, CONFIG_DIAL_BOTH };
enum config_at_max { CONFIG_AT_MAX_WARN, CONFIG_AT_MAX_CEASE };

struct config_neighbor {
	struct ip_addr address;   /* link-local: the zone is that of `interface` while the file was read, 0 if there was none */
	const char *interface;    /* of a link-local address, by name; else NULL */
	uint16_t port;            /* 179 */
	uint32_t as;
	struct ip_addr local;     /* family 0: chosen by routing */
	const char *password_file; /* absolute path, or NULL */
	bool ttl_security;
	uint8_t multihop;         /* 0: direct */
	uint32_t hold_ms;         /* 90 s; 0 or >= 3 s */
	struct config_bfd bfd;
	bool ipv4, ipv6;          /* families announced on the session; both by default */
	struct ip_addr next_hop_v4, next_hop_v6; /* family 0: from the interface */
	uint32_t *communities;    size_t community_count; /* RFC 1997, high 16 bits the AS */
	struct config_large_community *large; size_t large_count;
	uint8_t prepend;          /* extra own AS in the path, 0 */
	bool has_med;
	uint32_t med;
	uint32_t local_pref;      /* of iBGP; 100 */
	struct config_state de_prefer, drain;
	uint8_t role;             /* enum config_bgp_role: ours */
	bool role_strict;         /* the router must state a role that goes with it */
	bool extended_next_hop;   /* RFC 8950: IPv4 prefixes by an IPv6 next hop */
	uint8_t dial;             /* enum config_dial: who opens the connection */
	uint32_t max_prefixes;    /* that the neighbor may send; 1000; 0: any number */
	uint8_t at_max_prefixes;  /* enum config_at_max */
	bool watch_routes;        /* its routes are looked through for our prefixes; false */
};

/* http, nodes[].http: the node's own web server (admin). */
struct config_http {
	bool enabled;
	struct ip_addr *listen; size_t listen_count; /* none: the node's management addresses */
	uint16_t port;            /* 8053 */
	const char **names;     size_t name_count;   /* under which browsers may ask for it, beside addresses, localhost and the node's name */
	const char *token_file;   /* absolute path; NULL: there are no tokens */
	bool open;                /* who has no token may read; false */
	bool metrics_open;        /* likewise /metrics alone; false */
	bool allow_changes;       /* orders from those whose token is for writing; false */
	struct config_http_tls {
		bool enabled;
		const char *certificate_file, *key_file; /* absolute paths, PEM */
		const char *client_ca_file;              /* issues certificates of those who may read; NULL: none is asked for */
	} tls;
};

enum config_role { CONFIG_PRIMARY, CONFIG_POP };

struct config_node {
	const char *name;
	enum config_role role;
	uint32_t *networks;       size_t network_count;  /* indices */
	struct ip_addr *management; size_t management_count;
	const char *city;         /* NULL: not given */
	double latitude, longitude;
	bool has_router_id;
	uint32_t router_id;       /* host order */
	struct config_neighbor *neighbors; size_t neighbor_count;
	uint32_t workers;         /* 0: one per CPU */
	uint32_t capacity;        /* answers per second that it can give; 0: estimated from its load */
	struct config_http http;  /* in place of the fleet's, where it is enabled: config_http_of() */
};

struct config_key {
	const char *name;
	struct name dname;
	const char *algorithm;    /* "hmac-sha256" ... */
	const char *secret_file;  /* absolute path */
};

struct config_catalog;
/* tls-auth[]: how servers that zones are transferred from are reached over TLS, and known (RFC 9103). */
enum config_tls_mode { CONFIG_TLS_STRICT, CONFIG_TLS_OPPORTUNISTIC };
struct config_tls_auth {
	const char *name;
	uint8_t mode;              /* enum config_tls_mode */
	const char *server_name;   /* in its certificate; NULL: its address */
	const char *ca_file;       /* absolute path, PEM; NULL: pins decide */
	const char **pins;         size_t pin_count; /* base64 of SHA-256 of its public key */
	const char *certificate_file, *key_file; /* ours, where it asks for one; both or neither */
};

enum config_transfer_over { CONFIG_OVER_ANY, CONFIG_OVER_TLS, CONFIG_OVER_MUTUAL_TLS };

/* backends[]: name servers that answer for zones (`backends:` of a zone); this node stands in front of them, with a cache. */
enum config_backend_policy { CONFIG_BACKEND_LATENCY /* fewest outstanding, weighed with latency */, CONFIG_BACKEND_WEIGHT /* at random, by weight */,
                             CONFIG_BACKEND_HASH /* of the question: the same server for the same name */, CONFIG_BACKEND_ORDERED /* the first that is up */ };
enum config_backend_over { CONFIG_BACKEND_UDP, CONFIG_BACKEND_TCP, CONFIG_BACKEND_TLS };
enum config_backend_pass { CONFIG_PASS_NOTIFY, CONFIG_PASS_UPDATE, CONFIG_PASS_TRANSFER, CONFIG_PASSES };
struct config_backend_server {
	const char *name;          /* default: its address */
	struct endpoint at;        /* port 53, 853 over TLS; `tls` is 0 whatever the transport */
	uint32_t weight;           /* 1 to 10000; 100 */
	uint32_t outstanding;      /* questions at a time, of a node; 10000 */
};
struct config_backend_check {
	const uint8_t *name;       /* default: the apex of the first zone that the pool has; NULL: it has none, and is not checked */
	uint16_t type;             /* SOA */
	uint16_t rcode;            /* NOERROR; what the answer must have */
	const char *contains;      /* text of a record that must be in the answer section; NULL: any record will do */
	uint32_t interval_ms;      /* 1 s */
	uint32_t timeout_ms;       /* 500 ms */
	uint16_t rise, fall;       /* 2, 2 */
};
struct config_backends {
	const char *name;
	struct config_backend_server *servers; size_t server_count;
	uint8_t policy;            /* enum config_backend_policy; latency */
	uint8_t over;              /* enum config_backend_over; udp: TCP for what does not fit */
	uint32_t tls;              /* index in tls_auth; UINT32_MAX: none. With over: tls */
	uint32_t patience_ms;      /* after which a client is answered SERVFAIL, or from stale data; 900 ms */
	uint32_t stale_for_ms;     /* entries whose TTL is over are given for so long while no server answers (RFC 8767); 24 h; 0: never */
	bool proxy_protocol;       /* servers are told the client's address by PROXY version 2 */
	bool client_subnet;        /* likewise its network, by RFC 7871 */
	uint8_t *pass;             size_t pass_count; /* as written: enum config_backend_pass */
	bool pass_notify, pass_update, pass_transfer; /* passed on; false: refused. QUERY with TSIG is passed on always */
	struct config_backend_check check;
	unsigned line;
};
/* answer.backend-cache: shared by the workers of a node. */
struct config_backend_cache {
	uint32_t size;             /* octets; 256 MiB; none is there without zones that have backends */
	uint32_t ttl_max_ms, negative_ttl_max_ms; /* longer ones are cut: 24 h, 1 h */
	uint8_t prefetch;          /* percent of the TTL that are left when a hot entry is fetched anew; 10; 0: never */
};

/* geoip: databases in MaxMind's format; NULL: none. */
struct config_geoip {
	const char *location_file; /* country, continent, coordinates: GeoLite2-City or -Country */
	const char *as_file;       /* GeoLite2-ASN */
};

/* pools[]: endpoints that names are steered to. */
enum { CONFIG_CHECK_TEXT_MAX = 256, CONFIG_CHECK_PATH_MAX = 1024, CONFIG_CHECK_HOST_MAX = 255 }; /* octets */
enum config_check_type { CONFIG_CHECK_NONE, CONFIG_CHECK_TCP, CONFIG_CHECK_HTTP, CONFIG_CHECK_HTTPS, CONFIG_CHECK_DNS, CONFIG_CHECK_EXEC };
struct config_pool_check {
	uint8_t type;              /* enum config_check_type; none: endpoints count as up */
	uint16_t port;             /* 80, 443, 53; of tcp required; 0: none, of none and exec */
	const char *path;          /* http: "/" */
	const char *host;          /* http: Host, and name in the certificate; NULL: the endpoint's address, or its target */
	uint16_t status;           /* http: the code wanted; 0: any from 200 to 399 */
	const char *contains;      /* http: text in the first 64 KiB of the body; dns: text of a record; NULL: none */
	const char *ca_file;       /* https: absolute path, PEM; NULL: the system's */
	bool insecure;             /* https: any certificate will do */
	const uint8_t *name;       /* dns: question */
	uint16_t rrtype;           /* dns: A */
	const char **exec;         size_t exec_count; /* absolute path, arguments; exit code 0 is up. Run by the supervisor as `user`, with the endpoint's address as last argument */
	uint32_t interval_ms;      /* 5 s */
	uint32_t timeout_ms;       /* 2 s */
	uint16_t rise, fall;       /* 2, 2 */
};
struct config_pool_endpoint {
	const char *name;
	struct ip_addr address;    /* family 0: `target` */
	const uint8_t *target;     /* a name (CNAME); NULL: `address` */
	uint32_t weight;           /* 0 to 10000; 100; 0: only when others fail */
	uint16_t priority;         /* the lowest with enough endpoints up answers; 1 */
	bool located;
	double latitude, longitude;
	bool disabled;             /* as if it were down for good */
};
struct config_pool {
	const char *name;
	struct config_pool_endpoint *endpoints; size_t endpoint_count;
	struct config_pool_check check;
	const char **checked_from; size_t checked_from_count; /* nodes; none: every pop checks for itself */
	uint16_t keep;             /* answers that are given although not so many endpoints are up (fail open); 1; 0: SERVFAIL when all fail */
	uint32_t fallback;         /* index of a pool used in place of this one while fewer than `keep` (or one) of it are up; UINT32_MAX: none */
	unsigned line;
};

/* steering[]: a policy, by which names are answered from pools. */
enum config_choose { CONFIG_CHOOSE_WEIGHT /* at random, by weight */, CONFIG_CHOOSE_STICKY /* by hash of the client's network, by weight */,
                     CONFIG_CHOOSE_NEAREST /* to the client's coordinates */, CONFIG_CHOOSE_ALL /* no order */ };
struct config_steering_rule { /* all that is given must match */
	uint16_t *countries;       size_t country_count;  /* two letters, ISO 3166: first << 8 | second */
	uint16_t *continents;      size_t continent_count; /* likewise: AF AN AS EU NA OC SA */
	uint32_t *as;              size_t as_count;
	struct ip_prefix *subnets; size_t subnet_count;
	uint32_t *nodes;           size_t node_count;     /* indices: by the pop that the question came to */
	uint32_t pool;             /* index */
};
struct config_steering {
	const char *name;
	const uint8_t **owners;    size_t owner_count;    /* names answered by it, beside those with a STEER record in their zone */
	struct config_steering_rule *rules; size_t rule_count; /* the first that matches */
	uint32_t pool;             /* where none does */
	uint8_t choose;            /* enum config_choose; weight */
	uint16_t answers;          /* at most; 1, with `all` 0; 0: all */
	uint32_t ttl_ms;           /* of answers, at most that of the set in the zone; 30 s */
	bool client_subnet;        /* RFC 7871 is believed; true */
	unsigned line;
};

enum config_expiry { CONFIG_EXPIRY_SERVFAIL, CONFIG_EXPIRY_SERVE };
enum config_serial { CONFIG_SERIAL_KEEP, CONFIG_SERIAL_INCREMENT, CONFIG_SERIAL_UNIXTIME, CONFIG_SERIAL_DATE };
enum config_zonemd { CONFIG_ZONEMD_VERIFY, CONFIG_ZONEMD_COMPUTE, CONFIG_ZONEMD_OFF };

struct config_zone {
	const uint8_t *apex;
	const char *file;         /* absolute path, or NULL */
	struct endpoint *primaries; size_t primary_count; /* as written: port 0 and tls 0 are filled in by config_zone_sources() */
	uint32_t tls;             /* index in tls_auth of primaries that have none of their own, the fleet's included; UINT32_MAX: none */
	uint32_t network;         /* index, UINT32_MAX: none */
	uint32_t backends;        /* index of those that answer for it (its questions and all below that no other zone has); UINT32_MAX: none, it is held here */
	uint32_t key;             /* index, UINT32_MAX: none */
	struct ip_prefix *allow_transfer; size_t allow_transfer_count; /* clients; with a key, of those who have it */
	uint8_t transfer_over;    /* enum config_transfer_over: what transfers to others must come over */
	struct endpoint *notify;  size_t notify_count; /* told of changes, beside the fleet's pops */
	uint32_t max_records;     /* of one transfer; 0: a limit that goes with the version held */
	uint8_t at_expiry;        /* enum config_expiry: what is done with a zone held by transfer whose time has run out */
	bool watch;               /* a saved file is read at once; true */
	uint8_t serial;           /* enum config_serial: what a file gets whose content changed under the serial it had; keep */
	uint8_t zonemd;           /* enum config_zonemd: verify */
	uint8_t shrink_limit;     /* percent of its records that a zone may lose in one change; 50 */
	bool dnssec_auto;
	const char *group;        /* told in catalogs that are produced; NULL: none */
	const struct config_catalog *catalog; /* the zone is a catalog; NULL: it is not */
	unsigned line;            /* of the fleet file, for messages */
};

/* What becomes of members of a catalog (RFC 9432): a zone without name. What it does not say is as in the catalog's `members`, and there as in the
 * catalog's own zone; after reading all is filled in. */
struct config_template {
	const char *name;         /* group; NULL: the catalog's own template */
	struct config_zone zone;
	bool has_at_expiry;
	uint64_t id;              /* by names of catalog and group: the same in every version of the file; not 0 */
};

/* catalogs[]: of the zone of that name, which is one of zones[]. */
struct config_catalog {
	const uint8_t *apex;
	bool produce;             /* made here, by the primary; else its members become zones of this node */
	uint32_t *networks;       size_t network_count; /* produce: whose zones are in it; none: all zones */
	struct config_template members;
	struct config_template *groups; size_t group_count;
	uint32_t members_limit;   /* 1,000,000 */
	uint8_t shrink_limit;     /* percent of the members that may go at once; 50 */
	const struct config_zone *zone; /* its own row; NULL only while the file is read */
};

/* answer.cookies: RFC 7873, RFC 9018. */
enum config_cookie_mode { CONFIG_COOKIES_OFF, CONFIG_COOKIES_OPTIONAL, CONFIG_COOKIES_REQUIRED };
struct config_cookies {
	uint8_t mode;              /* enum config_cookie_mode; optional */
	const char **secret_files; /* absolute paths: the first makes cookies, all are good; none: derived from the keys */
	size_t secret_file_count;
};

/* answer.tcp: figures of the whole node. */
struct config_tcp {
	uint32_t connections; /* 20000 */
	uint32_t memory;      /* octets for unfinished queries and unsent answers; 64 MiB */
	uint32_t idle_ms;     /* since the last whole query, while there is room; 10 s */
	uint32_t per_client;  /* connections of one IPv4 address or IPv6 /64; 1000 */
};

struct config_tls {
	bool enabled;
	const char *certificate_file, *key_file; /* absolute paths, PEM */
	const char *client_ca_file;              /* issues certificates of clients that transfer zones; NULL: none is asked for */
	uint16_t port;                           /* 853 */
};

/* answer.rate-limit: responses a second to one client prefix, by kind; 0: no limit. */
struct config_rate_limit {
	uint32_t answers, referrals, no_data, no_names, errors;
	uint8_t slip;                     /* every so many-th answer too many is sent truncated; 0: none */
	uint8_t ipv4_prefix, ipv6_prefix; /* 24, 56 */
	uint32_t table;                   /* prefixes and kinds remembered; 262144 */
	struct ip_prefix *exempt; size_t exempt_count;
};

enum config_filter_action { CONFIG_FILTER_DROP, CONFIG_FILTER_REFUSE, CONFIG_FILTER_TRUNCATE };
/* answer.filters[]: all that is given must match. */
struct config_filter {
	const uint8_t *name;         /* the name and all below it; NULL: every name */
	uint16_t *types;             size_t type_count;   /* none: every type */
	struct ip_prefix *clients;   size_t client_count; /* none: every client */
	uint8_t action;              /* enum config_filter_action */
};

/* answer.xdp: answers from the kernel. */
enum config_xdp { CONFIG_XDP_OFF, CONFIG_XDP_AUTO, CONFIG_XDP_NATIVE, CONFIG_XDP_GENERIC };

enum config_any { CONFIG_ANY_ONE, CONFIG_ANY_ALL, CONFIG_ANY_REFUSE };

/* answer: how questions are answered. */
struct config_answer {
	uint16_t udp_size;           /* octets of the largest answer over UDP; 1232 */
	uint8_t any;                 /* enum config_any: what QTYPE ANY gets, RFC 8482 */
	const uint8_t *report_agent; /* RFC 9567; NULL: none */
	struct config_cookies cookies;
	struct config_tcp tcp;
	struct config_tls tls;
	struct config_rate_limit rate_limit;
	struct config_filter *filters; size_t filter_count;
	uint32_t cache;              /* octets of answers that each worker keeps; 8 MiB; 0: none */
	uint8_t xdp;                 /* enum config_xdp; off */
	bool xdp_cache, xdp_sockets; /* with xdp: answers kept in the kernel; AF_XDP for the rest; both true */
	struct config_backend_cache backend_cache;
	uint32_t query_log_sample;   /* one query in so many is kept; 0: none */
};

/* rpki: where the origin of our prefixes is validated (RFC 6811, RFC 8210). */
enum config_invalid { CONFIG_INVALID_REFUSE, CONFIG_INVALID_ALERT };
struct config_cache {
	struct ip_addr address;
	uint16_t port;             /* 323 */
	uint32_t preference;       /* the lowest that answers is believed; 100 */
};
struct config_rpki {
	bool enabled;
	struct config_cache *caches; size_t cache_count;
	uint8_t invalid;           /* enum config_invalid: what becomes of a prefix that is; refuse */
	uint32_t expire_ms;        /* results are held no longer than this without a cache; 48 h */
};

/* drift: zones that are not the same everywhere. */
struct config_reference {
	struct endpoint server;
	const uint8_t **zones;       size_t zone_count; /* asked for there; none: all that this node serves */
};
struct config_drift {
	uint32_t alert_after_ms;     /* a zone that is behind and does not move for so long is an alert; 60 s */
	struct config_reference *references; size_t reference_count; /* servers outside of the fleet that should have the same serials */
};

/* history: how many earlier versions of each zone the journal keeps. */
struct config_history {
	uint32_t versions;           /* 200; 0: none */
	uint32_t size;               /* octets of the differences of a zone; 64 MiB */
	uint32_t all_for_ms, step_ms; /* of versions older than all_for_ms (24 h) only the last in each step_ms; 0: all */
};

/* hooks[]: programs run when something changes. */
enum config_event { CONFIG_ON_ANNOUNCE, CONFIG_ON_WITHDRAW, CONFIG_ON_DE_PREFER, CONFIG_ON_GSHUT, CONFIG_ON_NEIGHBOR_UP, CONFIG_ON_NEIGHBOR_DOWN,
                    CONFIG_ON_VERDICT, CONFIG_ON_BACKSTOP, CONFIG_ON_KEPT, CONFIG_ON_BFD, CONFIG_ON_MAX_PREFIXES, CONFIG_ON_PEER, CONFIG_ON_DRIFT,
                    CONFIG_ON_OUTSIDE, CONFIG_ON_RPKI, CONFIG_ON_HIJACK, CONFIG_ON_ZONE, CONFIG_ON_PRIMARY, CONFIG_ON_PROCESS, CONFIG_ON_CONFIG,
                    CONFIG_ON_ORDER, CONFIG_ON_XDP, CONFIG_ON_DISK, CONFIG_ON_ENDPOINT, CONFIG_ON_BACKEND, CONFIG_EVENTS };
struct config_hook {
	uint8_t *on;              size_t on_count;   /* enum config_event */
	const char **exec;        size_t exec_count; /* absolute path, arguments */
	uint32_t timeout_ms;      /* 10 s */
};

/* dnstap: queries and answers for a collector, or into a file. One of socket, file and tcp. */
struct config_dnstap {
	bool enabled;
	const char *socket, *file; /* absolute paths; NULL */
	struct ip_addr tcp;        /* family 0: none */
	uint16_t port;             /* of tcp; 6000 */
	bool queries, responses;   /* both true */
	uint32_t sample;           /* one query in so many; 1 */
	uint32_t max_backlog;      /* octets of what waits for the collector; 64 MiB */
	uint32_t file_size;        /* octets of a file; then another is begun; 1 GiB; 0: any */
	uint32_t files;            /* earlier ones that are kept; 4 */
};

/* query-log: the sampled queries into a file. */
enum config_log_format { CONFIG_LOG_TEXT, CONFIG_LOG_JSON };
struct config_query_log {
	bool enabled;
	const char *file;          /* absolute path */
	uint8_t format;            /* enum config_log_format; text */
	uint32_t file_size, files; /* as with dnstap; 100 MiB, 4 */
};

/* log: what the lines on stderr look like. */
struct config_log {
	uint8_t format; /* 0 text, 1 JSON: enum log_format */
};

struct config {
	struct arena arena;
	const char *path;         /* of the fleet file; messages and relative paths go by it */
	const char *fleet;
	uint32_t generation;      /* 0: not said; a file of an older one is refused */
	const char *state_dir;    /* default /var/lib/zonecast */
	const char *run_dir;      /* default /run/zonecast */
	const char *control_group; /* whose members may use the control socket, beside root and the account; NULL: none */
	const char *user;         /* roles run as; NULL: "zonecast" if there is such a user, else "nobody" */
	struct config_network *networks; size_t network_count;
	struct config_node *nodes; size_t node_count;
	struct config_key *keys;  size_t key_count;
	uint32_t status_key;      /* index of the key that signs what nodes say to each other; UINT32_MAX: see config_status_key() */
	struct config_tls_auth *tls_auth; size_t tls_auth_count;
	struct config_zone *zones; size_t zone_count;
	struct config_catalog *catalogs; size_t catalog_count;
	struct config_backends *backends; size_t backend_count;
	struct config_geoip geoip;
	struct config_pool *pools; size_t pool_count;
	struct config_steering *steering; size_t steering_count;
	struct config_answer answer;
	struct config_dnstap dnstap;
	struct config_query_log query_log;
	struct config_history history;
	struct config_log log;
	struct config_rpki rpki;
	struct config_drift drift;
	struct config_hook *hooks; size_t hook_count;
	struct config_http http;  /* of nodes that have none of their own */
	uint8_t hash[32];         /* SHA-256 of the file's octets */
	size_t zones_from, zones_to; /* octets of the file that hold the lines of the list of zones, where they are plain ones (config/quick.c); else 0 */
};

/* Parse and check len octets of YAML; path names the file and anchors relative paths. Problems are in diag, each with line and column.
 * On success *out is the caller's, freed with config_free(). ERR_INVALID when diag has errors. */
int config_parse(const char *path, const char *yaml, size_t len, struct diag *diag, struct config **out) MUST_CHECK;
/* Likewise without a look at the list of zones: zone_count is 0. For who knows that the whole file is good, and cannot wait for a hundred thousand zones to
 * be read. ERR_NOT_FOUND where the list does not stand in lines of its own, or where zones have backends: those are needed. Places told of what is behind the
 * list are wrong. */
int config_parse_head(const char *path, const char *yaml, size_t len, struct diag *diag, struct config **out) MUST_CHECK;
int config_load(const char *path, struct diag *diag, struct config **out) MUST_CHECK;
void config_free(struct config *c);
/* Appends c as YAML in normal form (defaults written out, absolute paths), which parses back to the same configuration. */
void config_print(const struct config *c, struct text *out);
/* Likewise what roles need that have nothing to do with the zones held here: of zones, those with backends. */
void config_print_without_zones(const struct config *c, struct text *out);
/* Likewise what answer workers need of c: of zones those with backends that the node serves, no keys, no nodes but `node`. */
void config_print_for_answer(const struct config *c, const struct config_node *node, struct text *out);
/* Only `run-dir` of the file at path, for tools that talk to a running node while its file is being edited: mistakes elsewhere do not
 * matter. The default where the file says nothing; ERR_NOT_FOUND or -errno when there is no such file or it cannot be understood. */
int config_peek_run_dir(const char *path, char *buf, size_t cap) MUST_CHECK;
/* Likewise `state-dir`. */
int config_peek_state_dir(const char *path, char *buf, size_t cap) MUST_CHECK;
/* Further checks that look at this machine: key files exist and are not readable by others, for every node or only `node` (NULL: all). */
void config_check_files(const struct config *c, const struct config_node *node, struct diag *diag);
/* Likewise that zone files can be read. Not those of `known` (may be NULL), an earlier version of c: a file that goes is no mistake in c. */
void config_check_zone_files(const struct config *c, const struct config_node *node, const struct config *known, struct diag *diag);
/* The node's web server: its own, or the fleet's; NULL: it has none. */
const struct config_http *config_http_of(const struct config *c, const struct config_node *node);
/* The addresses that it listens at; how many. */
size_t config_http_addresses(const struct config_http *h, const struct config_node *node, const struct ip_addr **out);
const struct config_node *config_node_find(const struct config *c, const char *name);
/* Where a node transfers a zone from: its primaries; on a pop, of a zone with a file, the management addresses of the fleet's primaries (port 53, or of
 * answer.tls). Each with its port, and with `tls` where it is spoken to over TLS: the number of its profile in tls_auth, from 1.
 * None: the node reads the zone's file. At most cap, into out. */
enum { CONFIG_SOURCES_MAX = 64 };
size_t config_zone_sources(const struct config *c, const struct config_node *node, const struct config_zone *z, struct endpoint *out, size_t cap);
/* Marks of pops in the cookies they make (dns/cookie.h), 1 to CONFIG_SITE_MARKS; 0: of a primary. As many as there are nodes. */
enum { CONFIG_SITE_MARKS = 63 };
void config_site_marks(const struct config *c, uint8_t *marks);
/* The key that signs questions about nodes' status and their answers: `status-key`, else the first; NULL: there is none. */
const struct config_key *config_status_key(const struct config *c);
/* Is that tls-auth one by which backends are known? */
bool config_tls_of_backends(const struct config *c, size_t tls_auth);
/* Do others answer for the zone? Then it is in no store, has no serial here, and is not transferred. */
bool config_zone_is_edge(const struct config_zone *z);
/* Does the node have the zone? A primary has all, a pop those of its networks; NULL: any. */
bool config_node_serves(const struct config_node *node, const struct config_zone *z);
/* What board_pool_key() wants of a pool: the same for pools with the same endpoints in the same order, whatever their weights and checks are. */
uint64_t config_pool_list(const struct config_pool *p);
/* The template of a member whose catalog gives it this group (len octets; NULL: none): the group's, or the catalog's own. */
const struct config_template *config_catalog_template(const struct config_catalog *catalog, const char *group, size_t len);
/* By its id. NULL: there is no such any more. */
const struct config_template *config_template_find(const struct config *c, uint64_t id);
