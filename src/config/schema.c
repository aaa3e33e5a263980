/* SPDX-License-Identifier: BSD-2-Clause */
/* All options. Adding one: a member in config.h, a row here, its use, its paragraph in doc/man/zonecast.yaml.5.scd, its test. Rows are read
 * in this order whatever the file's order is: what is referred to (networks, keys) comes before what refers to it. */
#include "config/schema.h"

#include "config/config.h"

#include <stdio.h>

/* clang-format off */
#define ROWS(r) .rows = (r), .count = ARRAY_LEN(r)
#define AT(s, m) .at = offsetof(struct s, m)
#define LIST(s, m, n, most) .list = true, .at = offsetof(struct s, m), .count_at = offsetof(struct s, n), .limit = (most)
#define NUMBER(s, m) .at = offsetof(struct s, m), .width = sizeof(((struct s *)0)->m)
#define FLAG(s, m) .flag_at = offsetof(struct s, m)

enum { SECOND = 1000, MINUTE = 60000, HOUR = 3600000, DAY = 24 * HOUR, MIB = 1 << 20 };

static const char *const words_role[] = {"primary", "pop", NULL};
static const char *const words_dnssec[] = {"off", "auto", NULL};
static const char *const words_expiry[] = {"servfail", "serve", NULL};
static const char *const words_over[] = {"any", "tls", "mutual-tls", NULL};
static const char *const words_tls_mode[] = {"strict", "opportunistic", NULL};
static const char *const words_serial[] = {"keep", "increment", "unixtime", "date", NULL};
static const char *const words_zonemd[] = {"verify", "compute", "off", NULL};
static const char *const words_expired[] = {"withdraw", "alert", NULL};
static const char *const words_overload[] = {"absorb", "shed", NULL};
static const char *const words_last_pop[] = {"stay", "withdraw", NULL};
static const char *const words_invalid[] = {"refuse", "alert", NULL};
static const char *const words_cookies[] = {"off", "optional", "required", NULL};
static const char *const words_any[] = {"one", "all", "refuse", NULL};
static const char *const words_xdp[] = {"off", "auto", "native", "generic", NULL};
static const char *const words_bgp_role[] = {"none", "provider", "rs", "rs-client", "customer", "peer", NULL};
static const char *const words_dial[] = {"active", "passive", "both", NULL};
static const char *const words_at_max[] = {"warn", "cease", NULL};
static const char *const words_log_format[] = {"text", "json", NULL};
static const char *const words_action[] = {"drop", "refuse", "truncate", NULL};

/* RFC 8945 6; hmac-md5 is left out on purpose. */
static const char *const words_algorithm[] = {"hmac-sha256", "hmac-sha384", "hmac-sha512", "hmac-sha224", "hmac-sha1",
                                              "hmac-sha256-128", "hmac-sha384-192", "hmac-sha512-256", NULL};

/* RFC 1997, 3765, 7999, 8326 */
const struct schema_community schema_communities[] = {
        {"graceful-shutdown", 0xffff0000},   {"blackhole", 0xffff029a}, {"no-export", 0xffffff01},
        {"no-advertise", 0xffffff02},        {"no-export-subconfed", 0xffffff03},
        {"no-peer", 0xffffff04},
};
const size_t schema_community_count = ARRAY_LEN(schema_communities);

static const struct schema_row check_rows[] = {
        {"interval", SCHEMA_TIME, .reload = true, AT(config_check, interval_ms), .min = 10, .max = MINUTE, .value = "100ms",
         .help = "time between two questions to each service address"},
        {"timeout", SCHEMA_TIME, .reload = true, AT(config_check, timeout_ms), .min = 5, .max = 10 * SECOND, .value = "200ms",
         .help = "an answer later than this counts as none"},
        {"fall", SCHEMA_UINT, .reload = true, NUMBER(config_check, fall), .min = 1, .max = 1000, .value = "2",
         .help = "failures in a row after which the address counts as failed"},
        {"rise", SCHEMA_UINT, .reload = true, NUMBER(config_check, rise), .min = 1, .max = 10000, .value = "10",
         .help = "passes in a row after which it counts as well again"},
};
static const struct schema_map check_map = {"check", 0, ROWS(check_rows)};

static const struct schema_row network_rows[] = {
        {"name", SCHEMA_IDENT, .required = true, .reload = true, AT(config_network, name),
         .help = "name of the network, used by nodes, zones and commands"},
        {"prefixes", SCHEMA_PREFIX, .required = true, .reload = true,
         LIST(config_network, prefixes, prefix_count, CONFIG_PREFIXES_MAX), .help = "prefixes announced over BGP"},
        {"addresses", SCHEMA_ADDR, .required = true, .reload = true,
         LIST(config_network, addresses, address_count, CONFIG_ADDRESSES_MAX),
         .help = "service addresses, inside the prefixes; questions are answered on port 53"},
        {"as", SCHEMA_UINT, .required = true, .reload = true, NUMBER(config_network, as), .min = 0, .max = UINT32_MAX,
         .help = "AS number that originates the prefixes"},
        {"keep-at-least", SCHEMA_UINT, .reload = true, NUMBER(config_network, keep_at_least), .min = 0,
         .max = CONFIG_NODES_MAX, .value = "1",
         .help = "soft failures never take the network below this many announcing pops"},
        {"overload", SCHEMA_WORD, .reload = true, NUMBER(config_network, overload), .words = words_overload, .value = "absorb",
         .help = "a pop that is overloaded: absorb, it goes on as it is; shed, it is de-preferred while the others have room"},
        {"last-pop", SCHEMA_WORD, .reload = true, NUMBER(config_network, last_pop), .words = words_last_pop, .value = "stay",
         .help = "the last pop that answers anything, when its checks fail: stay announced, or withdraw"},
        {"backstop", SCHEMA_PREFIX, .reload = true, LIST(config_network, backstops, backstop_count, CONFIG_PREFIXES_MAX),
         .help = "covering, less specific prefixes announced whatever the checks say"},
        {"backstop-at", SCHEMA_IDENT, .reload = true, LIST(config_network, backstop_at, backstop_at_count, CONFIG_NODES_MAX),
         .help = "nodes that announce the backstop; without it all pops of the network"},
        {"check", SCHEMA_MAP, .reload = true, AT(config_network, check), .map = &check_map,
         .help = "how the service addresses are judged"},
        {"expired-signatures", SCHEMA_WORD, .reload = true, NUMBER(config_network, expired_signatures), .words = words_expired,
         .value = "withdraw", .help = "DNSSEC signatures of one of its zones have expired: leave if other pops are well, or only alert"},
        {"signatures-alert", SCHEMA_TIME, .reload = true, AT(config_network, signatures_alert_ms), .min = 0, .max = 30U * DAY, .value = "72h",
         .help = "so long before the first signature of its zones expires the node counts as degraded"},
        {"stale-after", SCHEMA_TIME, .reload = true, AT(config_network, stale_after_ms), .min = SECOND, .max = 7U * DAY, .value = "5m",
         .help = "zones held by transfer that no primary has confirmed for so long are stale: leave if other pops are well"},
        {"primary-check", SCHEMA_TIME, .reload = true, AT(config_network, primary_check_ms), .min = 100, .max = HOUR, .value = "5s",
         .help = "how often a primary is asked for the serial of one of the zones held by transfer"},
        {"expiry-alert", SCHEMA_UINT, .reload = true, NUMBER(config_network, expiry_alert), .min = 0, .max = 100, .value = "25",
         .help = "percent of its SOA EXPIRE that a zone has left when it counts as near its end; 0: not before"},
        {"drain-time", SCHEMA_TIME, .reload = true, AT(config_network, drain_ms), .min = 0, .max = HOUR, .value = "5s",
         .help = "how long the graceful-shutdown community is announced before a planned withdrawal"},
        {"rise-hold", SCHEMA_TIME, .reload = true, AT(config_network, rise_hold_ms), .min = 0, .max = HOUR, .value = "1s",
         .help = "wait before announcing again after a failure, doubled by each further one"},
        {"rise-hold-max", SCHEMA_TIME, .reload = true, AT(config_network, rise_hold_max_ms), .min = 0, .max = 24 * HOUR,
         .value = "5m", .help = "upper bound of that doubling"},
};
static const struct schema_map network_map = {"a network", sizeof(struct config_network), ROWS(network_rows)};

static const struct schema_row key_rows[] = {
        {"name", SCHEMA_IDENT, .required = true, .reload = true, AT(config_key, name), .help = "name of the TSIG key, the same on both sides"},
        {"algorithm", SCHEMA_TEXT, .words = words_algorithm, .reload = true, AT(config_key, algorithm), .value = "hmac-sha256",
         .help = "hmac-sha256, hmac-sha384, hmac-sha512, hmac-sha224, hmac-sha1; truncated: hmac-sha256-128, hmac-sha384-192, hmac-sha512-256"},
        {"secret-file", SCHEMA_FILE, .required = true, .reload = true, AT(config_key, secret_file),
         .help = "file that holds the secret in base64"},
};
static const struct schema_map key_map = {"a key", sizeof(struct config_key), ROWS(key_rows)};

static const struct schema_row bfd_rows[] = {
        {"interval", SCHEMA_TIME, .reload = true, AT(config_bfd, interval_ms), .min = 10, .max = MINUTE, .value = "300ms",
         .help = "time between two BFD packets, both ways"},
        {"multiplier", SCHEMA_UINT, .reload = true, NUMBER(config_bfd, multiplier), .min = 1, .max = 255, .value = "3",
         .help = "packets missed until the session is down"},
        {"multihop", SCHEMA_BOOL, .reload = true, AT(config_bfd, multihop), .value = "false",
         .help = "RFC 5883 instead of RFC 5881: the neighbor is not on the link"},
};
static const struct schema_map bfd_map = {"bfd", 0, ROWS(bfd_rows)};

static const struct schema_row state_rows[] = {
        {"prepend", SCHEMA_UINT, .reload = true, NUMBER(config_state, prepend), FLAG(config_state, has_prepend), .min = 0,
         .max = CONFIG_PREPEND_MAX, .help = "how many more times the own AS stands in the path, beside the neighbor's own prepend"},
        {"med", SCHEMA_UINT, .reload = true, NUMBER(config_state, med), FLAG(config_state, has_med), .min = 0, .max = UINT32_MAX,
         .help = "MULTI_EXIT_DISC instead of the neighbor's own"},
        {"local-pref", SCHEMA_UINT, .reload = true, NUMBER(config_state, local_pref), FLAG(config_state, has_local_pref), .min = 0,
         .max = UINT32_MAX, .help = "LOCAL_PREF instead of the neighbor's own, with iBGP"},
        {"communities", SCHEMA_COMMUNITY, .reload = true, LIST(config_state, communities, community_count, CONFIG_COMMUNITIES_MAX),
         .help = "communities on top of the neighbor's own"},
        {"large-communities", SCHEMA_LARGE_COMMUNITY, .reload = true,
         LIST(config_state, large, large_count, CONFIG_LARGE_COMMUNITIES_MAX), .help = "large communities on top of the neighbor's own"},
};
static const struct schema_map state_map = {"a state's attributes", 0, ROWS(state_rows)};

static const struct schema_row neighbor_rows[] = {
        {"address", SCHEMA_LINK_ADDR, .required = true, .reload = true, AT(config_neighbor, address),
         .count_at = offsetof(struct config_neighbor, interface), .help = "address of the router; with its interface where it is link-local"},
        {"port", SCHEMA_UINT, .reload = true, NUMBER(config_neighbor, port), .min = 1, .max = 65535, .value = "179",
         .help = "TCP port of the router"},
        {"as", SCHEMA_UINT, .required = true, .reload = true, NUMBER(config_neighbor, as), .min = 0, .max = UINT32_MAX,
         .help = "AS number of the router"},
        {"local", SCHEMA_ADDR, .reload = true, AT(config_neighbor, local),
         .help = "own address of the session; without it the one routing chooses"},
        {"password-file", SCHEMA_FILE, .reload = true, AT(config_neighbor, password_file),
         .help = "file that holds the TCP-MD5 password (RFC 2385)"},
        {"ttl-security", SCHEMA_BOOL, .reload = true, AT(config_neighbor, ttl_security), .value = "false",
         .help = "accept only packets from the link itself (RFC 5082)"},
        {"multihop", SCHEMA_UINT, .reload = true, NUMBER(config_neighbor, multihop), .min = 0, .max = 255, .value = "0",
         .help = "hops to a router that is not on the link; 0: it is"},
        {"hold-time", SCHEMA_TIME, .reload = true, AT(config_neighbor, hold_ms), .min = 3 * SECOND, .max = 65535 * SECOND,
         .zero_too = true, .value = "90s", .help = "silence after which the session is down; 0: never"},
        {"bfd", SCHEMA_MAP, .reload = true, AT(config_neighbor, bfd), FLAG(config_neighbor, bfd.enabled), .map = &bfd_map,
         .help = "watch the path by BFD (RFC 5880)"},
        {"families", SCHEMA_FAMILIES, .list = true, .reload = true, AT(config_neighbor, ipv4), FLAG(config_neighbor, ipv6),
         .limit = 2, .value = "both", .help = "families announced on the session: ipv4, ipv6"},
        {"next-hop", SCHEMA_NEXT_HOP, .list = true, .reload = true, AT(config_neighbor, next_hop_v4),
         .count_at = offsetof(struct config_neighbor, next_hop_v6), .limit = 2,
         .help = "next hops announced, at most one a family; without one the address of the interface"},
        {"communities", SCHEMA_COMMUNITY, .reload = true,
         LIST(config_neighbor, communities, community_count, CONFIG_COMMUNITIES_MAX),
         .help = "communities announced: AS:VALUE, or a name such as no-export"},
        {"large-communities", SCHEMA_LARGE_COMMUNITY, .reload = true,
         LIST(config_neighbor, large, large_count, CONFIG_LARGE_COMMUNITIES_MAX), .help = "large communities announced (RFC 8092): GLOBAL:LOCAL1:LOCAL2"},
        {"prepend", SCHEMA_UINT, .reload = true, NUMBER(config_neighbor, prepend), .min = 0, .max = CONFIG_PREPEND_MAX, .value = "0",
         .help = "how many more times the own AS stands in the path"},
        {"med", SCHEMA_UINT, .reload = true, NUMBER(config_neighbor, med), FLAG(config_neighbor, has_med), .min = 0,
         .max = UINT32_MAX, .help = "MULTI_EXIT_DISC announced"},
        {"local-pref", SCHEMA_UINT, .reload = true, NUMBER(config_neighbor, local_pref), .min = 0, .max = UINT32_MAX, .value = "100",
         .help = "LOCAL_PREF announced to an iBGP neighbor"},
        {"de-prefer", SCHEMA_MAP, .reload = true, AT(config_neighbor, de_prefer), .map = &state_map,
         .help = "what comes on top while a network is de-preferred: by default prepend 3, with iBGP half of local-pref"},
        {"drain", SCHEMA_MAP, .reload = true, AT(config_neighbor, drain), .map = &state_map,
         .help = "what comes on top of the graceful-shutdown community while a network is drained: with iBGP local-pref 0"},
        {"role", SCHEMA_WORD, .reload = true, NUMBER(config_neighbor, role), .words = words_bgp_role, .value = "none",
         .help = "our role on the session (RFC 9234): none, customer, peer, provider, rs, rs-client"},
        {"role-strict", SCHEMA_BOOL, .reload = true, AT(config_neighbor, role_strict), .value = "false",
         .help = "the router must state its role, too"},
        {"extended-next-hop", SCHEMA_BOOL, .reload = true, AT(config_neighbor, extended_next_hop), .value = "false",
         .help = "announce IPv4 prefixes with an IPv6 next hop where the session is one of IPv6 (RFC 8950)"},
        {"connect", SCHEMA_WORD, .reload = true, NUMBER(config_neighbor, dial), .words = words_dial, .value = "active",
         .help = "who opens the connection: active (we do), passive (the router does, to port 179 of local), both"},
        {"max-prefixes", SCHEMA_UINT, .reload = true, NUMBER(config_neighbor, max_prefixes), .min = 0, .max = CONFIG_RECEIVED_MAX, .value = "1000",
         .help = "prefixes that the router may send us, who use none of them; 0: any number"},
        {"at-max-prefixes", SCHEMA_WORD, .reload = true, NUMBER(config_neighbor, at_max_prefixes), .words = words_at_max, .value = "warn",
         .help = "what happens when it sends more: warn, or cease (the session ends, and is tried again)"},
        {"watch-routes", SCHEMA_BOOL, .reload = true, AT(config_neighbor, watch_routes), .value = "false",
         .help = "look through the routes it sends for our prefixes from another origin; never used for routing"},
};
static const struct schema_map neighbor_map = {"a neighbor", sizeof(struct config_neighbor), ROWS(neighbor_rows)};

static const struct schema_row site_rows[] = {
        {"city", SCHEMA_TEXT, .reload = true, AT(config_node, city), .help = "where the node stands, for people"},
        {"latitude", SCHEMA_DEGREES, .reload = true, AT(config_node, latitude), .max = 90, .help = "degrees, north positive"},
        {"longitude", SCHEMA_DEGREES, .reload = true, AT(config_node, longitude), .max = 180, .help = "degrees, east positive"},
};
static const struct schema_map site_map = {"site", 0, ROWS(site_rows)};

static const struct schema_row bgp_rows[] = {
        {"router-id", SCHEMA_ROUTER_ID, .reload = true, AT(config_node, router_id), FLAG(config_node, has_router_id),
         .help = "BGP identifier, an IPv4 address by form; without it the first IPv4 management address"},
        {"neighbors", SCHEMA_MAP, .reload = true, LIST(config_node, neighbors, neighbor_count, CONFIG_NEIGHBORS_MAX),
         .map = &neighbor_map, .help = "routers this node announces to"},
};
static const struct schema_map bgp_map = {"bgp", 0, ROWS(bgp_rows)};

static const struct schema_row http_tls_rows[] = {
        {"certificate-file", SCHEMA_FILE, .required = true, .reload = true, AT(config_http_tls, certificate_file),
         .help = "certificate and its chain, PEM"},
        {"key-file", SCHEMA_FILE, .required = true, .reload = true, AT(config_http_tls, key_file), .help = "its private key, PEM"},
        {"client-ca-file", SCHEMA_FILE, .reload = true, AT(config_http_tls, client_ca_file),
         .help = "authorities of clients' certificates: who shows one may read, PEM"},
};
static const struct schema_map http_tls_map = {"tls", 0, ROWS(http_tls_rows)};

static const struct schema_row http_rows[] = {
        {"listen", SCHEMA_ADDR, .reload = true, LIST(config_http, listen, listen_count, CONFIG_HTTP_LISTEN_MAX),
         .help = "addresses of the node itself; without them its management addresses"},
        {"port", SCHEMA_UINT, .reload = true, NUMBER(config_http, port), .min = 1, .max = 65535, .value = "8053", .help = "TCP port that it listens at"},
        {"names", SCHEMA_TEXT, .reload = true, LIST(config_http, names, name_count, CONFIG_HTTP_NAMES_MAX),
         .help = "host names in addresses of browsers, beside IP addresses, localhost and the node's name"},
        {"token-file", SCHEMA_FILE, .reload = true, AT(config_http, token_file),
         .help = "file of those who may read, and give orders: NAME ro|rw TOKEN in each line"},
        {"open", SCHEMA_BOOL, .reload = true, AT(config_http, open), .value = "false", .help = "everybody who reaches it may read"},
        {"metrics-open", SCHEMA_BOOL, .reload = true, AT(config_http, metrics_open), .value = "false",
         .help = "everybody who reaches it may read /metrics"},
        {"allow-changes", SCHEMA_BOOL, .reload = true, AT(config_http, allow_changes), .value = "false",
         .help = "drain, resume and freeze by those whose token is rw"},
        {"tls", SCHEMA_MAP, .reload = true, AT(config_http, tls), FLAG(config_http, tls.enabled), .map = &http_tls_map,
         .help = "HTTPS in place of HTTP"},
};
static const struct schema_map http_map = {"http", 0, ROWS(http_rows)};

static const struct schema_row node_rows[] = {
        {"name", SCHEMA_IDENT, .required = true, AT(config_node, name), .help = "name of the node; its host name, or given with --node"},
        {"role", SCHEMA_WORD, .required = true, NUMBER(config_node, role), .words = words_role,
         .help = "primary (hidden, unicast only) or pop"},
        {"networks", SCHEMA_NETWORK, .reload = true, LIST(config_node, networks, network_count, CONFIG_NETWORKS_MAX),
         .help = "networks this pop announces and serves"},
        {"management", SCHEMA_ADDR, LIST(config_node, management, management_count, CONFIG_MANAGEMENT_MAX),
         .help = "the node's own unicast addresses"},
        {"site", SCHEMA_MAP, .reload = true, .map = &site_map, .help = "where the node stands"},
        {"bgp", SCHEMA_MAP, .reload = true, .map = &bgp_map, .help = "BGP sessions of a pop"},
        {"workers", SCHEMA_UINT, NUMBER(config_node, workers), .min = 0, .max = CONFIG_WORKERS_MAX, .value = "0",
         .help = "processes that answer; 0: one per CPU"},
        {"capacity", SCHEMA_UINT, .reload = true, NUMBER(config_node, capacity), .min = 0, .max = 1000000000, .value = "0",
         .help = "answers per second that the node can give; 0: estimated from its load"},
        {"http", SCHEMA_MAP, .reload = true, AT(config_node, http), FLAG(config_node, http.enabled), .map = &http_map,
         .help = "the node's web server, in place of the fleet's"},
};
static const struct schema_map node_map = {"a node", sizeof(struct config_node), ROWS(node_rows)};

static const struct schema_row tls_auth_rows[] = {
        {"name", SCHEMA_IDENT, .required = true, .reload = true, AT(config_tls_auth, name), .help = "name that zones and primaries refer to"},
        {"mode", SCHEMA_WORD, .reload = true, NUMBER(config_tls_auth, mode), .words = words_tls_mode, .value = "strict",
         .help = "strict: the server proves who it is, or nothing is transferred; opportunistic: whoever answers is believed"},
        {"server-name", SCHEMA_IDENT, .reload = true, AT(config_tls_auth, server_name),
         .help = "name in the server's certificate; without it, its address"},
        {"ca-file", SCHEMA_FILE, .reload = true, AT(config_tls_auth, ca_file), .help = "authorities that issue the server's certificate, PEM"},
        {"pins", SCHEMA_TEXT, .reload = true, LIST(config_tls_auth, pins, pin_count, CONFIG_PINS_MAX),
         .help = "base64 of the SHA-256 of the server's public key; one must fit"},
        {"certificate-file", SCHEMA_FILE, .reload = true, AT(config_tls_auth, certificate_file),
         .help = "our certificate and its chain, for servers that ask for one, PEM"},
        {"key-file", SCHEMA_FILE, .reload = true, AT(config_tls_auth, key_file), .help = "its private key, PEM"},
};
static const struct schema_map tls_auth_map = {"a tls-auth", sizeof(struct config_tls_auth), ROWS(tls_auth_rows)};

/* In the order of enum config_backend_policy, config_backend_over, config_backend_pass; rcodes as in RFC 6895 2.3. */
static const char *const words_backend_policy[] = {"latency", "weight", "hash", "ordered", NULL};
static const char *const words_backend_over[] = {"udp", "tcp", "tls", NULL};
static const char *const words_pass[] = {"notify", "update", "transfer", NULL};
static const char *const words_rcode[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", NULL};

static const struct schema_row backend_server_rows[] = {
        {"name", SCHEMA_TEXT, .reload = true, AT(config_backend_server, name), .help = "what it is called; without it its address"},
        {"address", SCHEMA_SERVER, .required = true, .reload = true, AT(config_backend_server, at),
         .help = "its address, with the port where that is not 53, or 853 over TLS"},
        {"weight", SCHEMA_UINT, .reload = true, NUMBER(config_backend_server, weight), .min = 1, .max = 10000, .value = "100",
         .help = "its share of the questions"},
        {"outstanding", SCHEMA_UINT, .reload = true, NUMBER(config_backend_server, outstanding), .min = 1, .max = 1000000, .value = "10000",
         .help = "questions at a time that a node sends to it"},
};
static const struct schema_map backend_server_map = {"a server", sizeof(struct config_backend_server), ROWS(backend_server_rows)};

static const struct schema_row backend_check_rows[] = {
        {"name", SCHEMA_DOMAIN, .reload = true, AT(config_backend_check, name),
         .help = "name that servers are asked for; without it that of the first zone of the pool"},
        {"type", SCHEMA_RRTYPE, .reload = true, AT(config_backend_check, type), .value = "SOA", .help = "type asked for"},
        {"rcode", SCHEMA_WORD, .reload = true, NUMBER(config_backend_check, rcode), .words = words_rcode, .value = "NOERROR",
         .help = "code that the answer must have"},
        {"contains", SCHEMA_TEXT, .reload = true, AT(config_backend_check, contains),
         .help = "data of a record, as in a zone file, that must be in the answer; without it, of NOERROR, any record of the type will do"},
        {"interval", SCHEMA_TIME, .reload = true, AT(config_backend_check, interval_ms), .min = 50, .max = HOUR, .value = "1s",
         .help = "time between two questions to each server"},
        {"timeout", SCHEMA_TIME, .reload = true, AT(config_backend_check, timeout_ms), .min = 10, .max = MINUTE, .value = "500ms",
         .help = "an answer later than this counts as none"},
        {"rise", SCHEMA_UINT, .reload = true, NUMBER(config_backend_check, rise), .min = 1, .max = 1000, .value = "2",
         .help = "good answers in a row after which a server is up again"},
        {"fall", SCHEMA_UINT, .reload = true, NUMBER(config_backend_check, fall), .min = 1, .max = 1000, .value = "2",
         .help = "failures in a row after which it is down"},
};
static const struct schema_map backend_check_map = {"check", 0, ROWS(backend_check_rows)};

static const struct schema_row backends_rows[] = {
        {"name", SCHEMA_IDENT, .required = true, .reload = true, AT(config_backends, name), .help = "name that zones refer to"},
        {"servers", SCHEMA_MAP, .required = true, .reload = true, LIST(config_backends, servers, server_count, CONFIG_BACKEND_SERVERS_MAX),
         .map = &backend_server_map, .help = "the name servers that answer"},
        {"policy", SCHEMA_WORD, .reload = true, NUMBER(config_backends, policy), .words = words_backend_policy, .value = "latency",
         .help = "which one is asked: latency, the least loaded and fastest; weight, by chance; hash, by the question; ordered, the first that is up"},
        {"over", SCHEMA_WORD, .reload = true, NUMBER(config_backends, over), .words = words_backend_over, .value = "udp",
         .help = "how they are asked: udp (and tcp for what does not fit), tcp, or tls"},
        {"tls", SCHEMA_TLS, .reload = true, AT(config_backends, tls), .help = "with over: tls, the entry of tls-auth by which they are known"},
        {"patience", SCHEMA_TIME, .reload = true, AT(config_backends, patience_ms), .min = 50, .max = 30 * SECOND, .value = "900ms",
         .help = "a client waits so long at most, then it gets what the cache still has, or SERVFAIL"},
        {"stale-for", SCHEMA_TIME, .reload = true, AT(config_backends, stale_for_ms), .min = 0, .max = 30U * DAY, .value = "24h",
         .help = "so long after their TTL answers are given while no server answers (RFC 8767); 0: not at all"},
        {"proxy-protocol", SCHEMA_BOOL, .reload = true, AT(config_backends, proxy_protocol), .value = "false",
         .help = "servers are told the client's address by the PROXY protocol, version 2"},
        {"client-subnet", SCHEMA_BOOL, .reload = true, AT(config_backends, client_subnet), .value = "false",
         .help = "servers are told the client's network (RFC 7871)"},
        {"pass", SCHEMA_WORD, .reload = true, .width = 1, LIST(config_backends, pass, pass_count, CONFIG_PASSES), .words = words_pass,
         .help = "what is passed on beside queries: notify, update, transfer; the rest is refused"},
        {"check", SCHEMA_MAP, .reload = true, AT(config_backends, check), .map = &backend_check_map, .help = "how the servers are judged"},
};
static const struct schema_map backends_map = {"backends", sizeof(struct config_backends), ROWS(backends_rows)};

static const struct schema_row server_rows[] = {
        {"address", SCHEMA_ADDR, .required = true, .reload = true, AT(schema_server, address), .help = "address of the server"},
        {"port", SCHEMA_UINT, .reload = true, NUMBER(schema_server, port), .zero_too = true, .min = 1, .max = 65535, .value = "0",
         .help = "port; without it 53, over TLS 853"},
        {"tls", SCHEMA_TLS, .reload = true, AT(schema_server, tls), .help = "entry of tls-auth by which it is spoken to over TLS"},
};
static const struct schema_map server_map = {"a primary", sizeof(struct schema_server), ROWS(server_rows)};

static const struct schema_row zone_rows[] = {
        {"name", SCHEMA_DOMAIN, .required = true, .reload = true, AT(config_zone, apex), .help = "the zone's name"},
        {"file", SCHEMA_FILE, .reload = true, AT(config_zone, file), .help = "zone file on the primary"},
        {"primaries", SCHEMA_SERVER, .reload = true, LIST(config_zone, primaries, primary_count, CONFIG_PRIMARIES_MAX), .map = &server_map,
         .help = "servers the zone is transferred from instead"},
        {"backends", SCHEMA_BACKENDS, .reload = true, AT(config_zone, backends),
         .help = "entry of backends whose servers answer for the zone; it is not held here. The zone \".\": all that no other zone has"},
        {"tls", SCHEMA_TLS, .reload = true, AT(config_zone, tls),
         .help = "entry of tls-auth by which its primaries, or those of the fleet, are spoken to over TLS"},
        {"network", SCHEMA_NETWORK, .reload = true, AT(config_zone, network), .help = "network that serves the zone"},
        {"key", SCHEMA_KEY, .reload = true, AT(config_zone, key), .help = "TSIG key of transfers"},
        {"allow-transfer", SCHEMA_PREFIX, .reload = true, LIST(config_zone, allow_transfer, allow_transfer_count, CONFIG_TRANSFER_MAX),
         .help = "clients that may transfer the zone, beside the fleet's nodes; with a key: those of its holders that may"},
        {"transfer-over", SCHEMA_WORD, .reload = true, NUMBER(config_zone, transfer_over), .words = words_over, .value = "any",
         .help = "what the zone may be transferred over: any, tls, or mutual-tls (clients with a certificate of answer.tls.client-ca-file)"},
        {"notify", SCHEMA_ENDPOINT, .reload = true, LIST(config_zone, notify, notify_count, CONFIG_PRIMARIES_MAX),
         .help = "servers told of each change, beside the fleet's pops"},
        {"at-expiry", SCHEMA_WORD, .reload = true, NUMBER(config_zone, at_expiry), .words = words_expiry, .value = "servfail",
         .help = "what is answered when no primary was reachable for the zone's expire time: servfail, or serve the last version"},
        {"max-records", SCHEMA_UINT, .reload = true, NUMBER(config_zone, max_records), .min = 0, .max = 100000000, .value = "0",
         .help = "records that a transfer from a primary may have; 0: eight times the memory of the version held, at least 256 MiB"},
        {"watch", SCHEMA_BOOL, .reload = true, AT(config_zone, watch), .value = "true",
         .help = "read the zone file as soon as it is saved"},
        {"serial", SCHEMA_WORD, .reload = true, NUMBER(config_zone, serial), .words = words_serial, .value = "keep",
         .help = "serial of a zone file that changed and kept its serial: keep, increment, unixtime or date"},
        {"zonemd", SCHEMA_WORD, .reload = true, NUMBER(config_zone, zonemd), .words = words_zonemd, .value = "verify",
         .help = "the digest of the whole zone: verify the one that is there, compute one on the primary, or off"},
        {"shrink-limit", SCHEMA_UINT, .reload = true, NUMBER(config_zone, shrink_limit), .min = 1, .max = 100, .value = "50",
         .help = "percent of its records that the zone may lose in one change without --force"},
        {"group", SCHEMA_IDENT, .reload = true, AT(config_zone, group), .help = "group of the zone in catalogs that are produced"},
        {"dnssec", SCHEMA_WORD, .reload = true, NUMBER(config_zone, dnssec_auto), .words = words_dnssec, .value = "off",
         .help = "auto: the primary signs the zone and keeps its keys; off: served as it is"},
};
static const struct schema_map zone_map = {"a zone", sizeof(struct config_zone), ROWS(zone_rows)};

#define TEMPLATE_ROWS                                                                                                                        \
        {"primaries", SCHEMA_SERVER, .reload = true, LIST(config_template, zone.primaries, zone.primary_count, CONFIG_PRIMARIES_MAX),         \
         .map = &server_map, .help = "servers that members are transferred from; without them those of the catalog"},                                          \
        {"tls", SCHEMA_TLS, .reload = true, AT(config_template, zone.tls), .help = "entry of tls-auth by which they are spoken to over TLS"}, \
        {"network", SCHEMA_NETWORK, .reload = true, AT(config_template, zone.network), .help = "network that serves the members"},          \
        {"key", SCHEMA_KEY, .reload = true, AT(config_template, zone.key), .help = "TSIG key of their transfers"},                           \
        {"allow-transfer", SCHEMA_PREFIX, .reload = true,                                                                                    \
         LIST(config_template, zone.allow_transfer, zone.allow_transfer_count, CONFIG_TRANSFER_MAX),                                         \
         .help = "clients that may transfer them, as of a zone"},                                                                           \
        {"notify", SCHEMA_ENDPOINT, .reload = true, LIST(config_template, zone.notify, zone.notify_count, CONFIG_PRIMARIES_MAX),             \
         .help = "servers told of their changes, as of a zone"},                                                                            \
        {"at-expiry", SCHEMA_WORD, .reload = true, NUMBER(config_template, zone.at_expiry), FLAG(config_template, has_at_expiry),            \
         .words = words_expiry, .help = "what is answered of one that has expired, as of a zone"}

static const struct schema_row members_rows[] = {TEMPLATE_ROWS};
static const struct schema_map members_map = {"members", 0, ROWS(members_rows)};

static const struct schema_row group_rows[] = {
        {"name", SCHEMA_TEXT, .required = true, .reload = true, AT(config_template, name), .help = "value of the group property in the catalog"},
        TEMPLATE_ROWS,
};
static const struct schema_map group_map = {"a group", sizeof(struct config_template), ROWS(group_rows)};

static const struct schema_row catalog_rows[] = {
        {"zone", SCHEMA_DOMAIN, .required = true, .reload = true, AT(config_catalog, apex), .help = "name of the catalog, which is one of \"zones\""},
        {"produce", SCHEMA_BOOL, .reload = true, AT(config_catalog, produce), .value = "false",
         .help = "the primary makes the catalog of its zones; else its members become zones here"},
        {"networks", SCHEMA_NETWORK, .reload = true, LIST(config_catalog, networks, network_count, CONFIG_NETWORKS_MAX),
         .help = "with produce: networks whose zones are in it; without: all zones"},
        {"members", SCHEMA_MAP, .reload = true, AT(config_catalog, members), .map = &members_map,
         .help = "how members are transferred and served that no group says it of"},
        {"groups", SCHEMA_MAP, .reload = true, LIST(config_catalog, groups, group_count, CONFIG_GROUPS_MAX), .map = &group_map,
         .help = "how members of a group are transferred and served"},
        {"members-limit", SCHEMA_UINT, .reload = true, NUMBER(config_catalog, members_limit), .min = 1, .max = CONFIG_ZONES_MAX,
         .value = "1000000", .help = "a catalog with more members is not taken"},
        {"shrink-limit", SCHEMA_UINT, .reload = true, NUMBER(config_catalog, shrink_limit), .min = 0, .max = 100, .value = "50",
         .help = "percent of the members that may go at once; a version that loses more waits for zonecast catalog accept"},
};
static const struct schema_map catalog_map = {"a catalog", sizeof(struct config_catalog), ROWS(catalog_rows)};

static const struct schema_row cookies_rows[] = {
        {"mode", SCHEMA_WORD, .reload = true, NUMBER(config_cookies, mode), .words = words_cookies, .value = "optional",
         .help = "off, optional, or required: a client that knows cookies gets BADCOOKIE until it shows a good one"},
        {"secret-files", SCHEMA_FILE, .reload = true, LIST(config_cookies, secret_files, secret_file_count, CONFIG_COOKIE_SECRETS_MAX),
         .help = "files of 32 hex digits: the first makes cookies, all are good; without them the secrets of the keys"},
};
static const struct schema_map cookies_map = {"cookies", 0, ROWS(cookies_rows)};

static const struct schema_row tcp_rows[] = {
        {"connections", SCHEMA_UINT, .reload = true, NUMBER(config_tcp, connections), .min = 1, .max = 10000000, .value = "20000",
         .help = "connections of the node, TLS included"},
        {"memory", SCHEMA_SIZE, .reload = true, NUMBER(config_tcp, memory), .min = 1 * MIB, .max = 4095U * MIB, .value = "64MiB",
         .help = "memory of the node for unfinished queries and answers not yet taken"},
        {"idle", SCHEMA_TIME, .reload = true, NUMBER(config_tcp, idle_ms), .min = 100, .max = HOUR, .value = "10s",
         .help = "a connection without a whole query for so long is closed, sooner when there are many"},
        {"per-client", SCHEMA_UINT, .reload = true, NUMBER(config_tcp, per_client), .min = 1, .max = 10000000, .value = "1000",
         .help = "connections of one IPv4 address or IPv6 /64; one more closes its longest idle"},
};
static const struct schema_map tcp_map = {"tcp", 0, ROWS(tcp_rows)};

static const struct schema_row tls_rows[] = {
        {"certificate-file", SCHEMA_FILE, .required = true, .reload = true, AT(config_tls, certificate_file),
         .help = "certificate and its chain, PEM"},
        {"key-file", SCHEMA_FILE, .required = true, .reload = true, AT(config_tls, key_file), .help = "its private key, PEM"},
        {"client-ca-file", SCHEMA_FILE, .reload = true, AT(config_tls, client_ca_file),
         .help = "authorities of clients' certificates, asked for on management addresses, PEM"},
        {"port", SCHEMA_UINT, .reload = true, NUMBER(config_tls, port), .min = 1, .max = 65535, .value = "853",
         .help = "TCP port of DNS over TLS"},
};
static const struct schema_map tls_map = {"tls", 0, ROWS(tls_rows)};

static const struct schema_row rate_limit_rows[] = {
        {"answers", SCHEMA_UINT, .reload = true, NUMBER(config_rate_limit, answers), .min = 0, .max = 10000000, .value = "5000",
         .help = "positive answers a second to one client prefix; 0: no limit"},
        {"referrals", SCHEMA_UINT, .reload = true, NUMBER(config_rate_limit, referrals), .min = 0, .max = 10000000, .value = "5000",
         .help = "referrals a second"},
        {"no-data", SCHEMA_UINT, .reload = true, NUMBER(config_rate_limit, no_data), .min = 0, .max = 10000000, .value = "2000",
         .help = "answers a second that the name has no such type"},
        {"no-names", SCHEMA_UINT, .reload = true, NUMBER(config_rate_limit, no_names), .min = 0, .max = 10000000, .value = "1000",
         .help = "NXDOMAIN answers a second"},
        {"errors", SCHEMA_UINT, .reload = true, NUMBER(config_rate_limit, errors), .min = 0, .max = 10000000, .value = "200",
         .help = "errors a second: REFUSED, FORMERR and the like"},
        {"slip", SCHEMA_UINT, .reload = true, NUMBER(config_rate_limit, slip), .min = 0, .max = 100, .value = "2",
         .help = "every so many-th answer too many is sent truncated, the others are dropped; 0: all are dropped"},
        {"ipv4-prefix", SCHEMA_UINT, .reload = true, NUMBER(config_rate_limit, ipv4_prefix), .min = 8, .max = 32, .value = "24",
         .help = "length of an IPv4 client prefix"},
        {"ipv6-prefix", SCHEMA_UINT, .reload = true, NUMBER(config_rate_limit, ipv6_prefix), .min = 16, .max = 128, .value = "56",
         .help = "length of an IPv6 client prefix"},
        {"table", SCHEMA_UINT, NUMBER(config_rate_limit, table), .min = 1024, .max = 1 << 26, .value = "262144",
         .help = "prefixes, each with a kind of answer, that are remembered"},
        {"exempt", SCHEMA_PREFIX, .reload = true, LIST(config_rate_limit, exempt, exempt_count, CONFIG_EXEMPT_MAX),
         .help = "client prefixes without limit"},
};
static const struct schema_map rate_limit_map = {"rate-limit", 0, ROWS(rate_limit_rows)};

static const struct schema_row filter_rows[] = {
        {"name", SCHEMA_DOMAIN, .reload = true, AT(config_filter, name), .help = "this name and all below it"},
        {"types", SCHEMA_RRTYPE, .reload = true, LIST(config_filter, types, type_count, CONFIG_FILTER_TYPES_MAX),
         .help = "types asked for, such as ANY or TXT"},
        {"clients", SCHEMA_PREFIX, .reload = true, LIST(config_filter, clients, client_count, CONFIG_FILTER_CLIENTS_MAX),
         .help = "prefixes of clients"},
        {"action", SCHEMA_WORD, .required = true, .reload = true, NUMBER(config_filter, action), .words = words_action,
         .help = "drop, refuse, or truncate: ask again over TCP"},
};
static const struct schema_map filter_map = {"a filter", sizeof(struct config_filter), ROWS(filter_rows)};

static const struct schema_row geoip_rows[] = {
        {"location", SCHEMA_FILE, .reload = true, AT(config_geoip, location_file),
         .help = "database of countries, continents and coordinates, in MaxMind's format: GeoLite2-City, GeoLite2-Country"},
        {"as", SCHEMA_FILE, .reload = true, AT(config_geoip, as_file), .help = "database of AS numbers, in MaxMind's format: GeoLite2-ASN"},
};
static const struct schema_map geoip_map = {"geoip", 0, ROWS(geoip_rows)};

/* In the order of enum config_check_type and enum config_choose. */
static const char *const words_check[] = {"none", "tcp", "http", "https", "dns", "exec", NULL};
static const char *const words_choose[] = {"weight", "sticky", "nearest", "all", NULL};

static const struct schema_row pool_check_rows[] = {
        {"type", SCHEMA_WORD, .reload = true, NUMBER(config_pool_check, type), .words = words_check, .value = "none",
         .help = "how endpoints are checked: none, tcp, http, https, dns or exec"},
        {"port", SCHEMA_UINT, .reload = true, NUMBER(config_pool_check, port), .min = 1, .max = 65535, .zero_too = true, .value = "0",
         .help = "port that is asked; with tcp required, else 80, 443 or 53"},
        {"path", SCHEMA_TEXT, .reload = true, AT(config_pool_check, path), .value = "/", .help = "http, https: what is asked for"},
        {"host", SCHEMA_TEXT, .reload = true, AT(config_pool_check, host),
         .help = "http, https: name in the Host field and in the certificate; without it the endpoint's address"},
        {"status", SCHEMA_UINT, .reload = true, NUMBER(config_pool_check, status), .min = 100, .max = 599, .zero_too = true, .value = "0",
         .help = "http, https: status code wanted; 0: any from 200 to 399"},
        {"contains", SCHEMA_TEXT, .reload = true, AT(config_pool_check, contains),
         .help = "text that must be in the first 64 KiB of the body, or in a record of the answer"},
        {"ca-file", SCHEMA_FILE, .reload = true, AT(config_pool_check, ca_file), .help = "https: authorities of the certificate, PEM; without it the system's"},
        {"insecure", SCHEMA_BOOL, .reload = true, AT(config_pool_check, insecure), .value = "false", .help = "https: any certificate will do"},
        {"name", SCHEMA_DOMAIN, .reload = true, AT(config_pool_check, name), .help = "dns: name that is asked for"},
        {"rrtype", SCHEMA_RRTYPE, .reload = true, AT(config_pool_check, rrtype), .value = "A", .help = "dns: record type that is asked for"},
        {"exec", SCHEMA_TEXT, .reload = true, LIST(config_pool_check, exec, exec_count, CONFIG_HOOK_WORDS_MAX),
         .help = "absolute path of the program, and its arguments; the endpoint's address comes last"},
        {"interval", SCHEMA_TIME, .reload = true, AT(config_pool_check, interval_ms), .min = 100, .max = HOUR, .value = "5s",
         .help = "time between two checks of an endpoint"},
        {"timeout", SCHEMA_TIME, .reload = true, AT(config_pool_check, timeout_ms), .min = 10, .max = MINUTE, .value = "2s",
         .help = "a check that takes longer has failed"},
        {"rise", SCHEMA_UINT, .reload = true, NUMBER(config_pool_check, rise), .min = 1, .max = 1000, .value = "2",
         .help = "passes in a row after which an endpoint is up again"},
        {"fall", SCHEMA_UINT, .reload = true, NUMBER(config_pool_check, fall), .min = 1, .max = 1000, .value = "2",
         .help = "failures in a row after which it is down"},
};
static const struct schema_map pool_check_map = {"check", 0, ROWS(pool_check_rows)};

static const struct schema_row pool_endpoint_rows[] = {
        {"name", SCHEMA_IDENT, .required = true, .reload = true, AT(config_pool_endpoint, name), .help = "name of the endpoint, one of its pool"},
        {"address", SCHEMA_ADDR, .reload = true, AT(config_pool_endpoint, address), .help = "its address, of an A or AAAA record"},
        {"target", SCHEMA_DOMAIN, .reload = true, AT(config_pool_endpoint, target), .help = "in place of an address: its name, of a CNAME record"},
        {"weight", SCHEMA_UINT, .reload = true, NUMBER(config_pool_endpoint, weight), .min = 0, .max = 10000, .value = "100",
         .help = "its share among those of its priority; 0: only when those that have one are down"},
        {"priority", SCHEMA_UINT, .reload = true, NUMBER(config_pool_endpoint, priority), .min = 0, .max = 65535, .value = "1",
         .help = "only endpoints of the lowest priority that has one up are given"},
        {"latitude", SCHEMA_DEGREES, .reload = true, AT(config_pool_endpoint, latitude), FLAG(config_pool_endpoint, located), .max = 90,
         .help = "where it stands, in degrees, north positive"},
        {"longitude", SCHEMA_DEGREES, .reload = true, AT(config_pool_endpoint, longitude), FLAG(config_pool_endpoint, located), .max = 180,
         .help = "likewise, east positive"},
        {"disabled", SCHEMA_BOOL, .reload = true, AT(config_pool_endpoint, disabled), .value = "false", .help = "never given"},
};
static const struct schema_map pool_endpoint_map = {"an endpoint", sizeof(struct config_pool_endpoint), ROWS(pool_endpoint_rows)};

static const struct schema_row pool_rows[] = {
        {"name", SCHEMA_IDENT, .required = true, .reload = true, AT(config_pool, name), .help = "name of the pool"},
        {"endpoints", SCHEMA_MAP, .required = true, .reload = true, LIST(config_pool, endpoints, endpoint_count, CONFIG_POOL_ENDPOINTS_MAX),
         .map = &pool_endpoint_map, .help = "what names are steered to"},
        {"check", SCHEMA_MAP, .reload = true, AT(config_pool, check), .map = &pool_check_map, .help = "how it is seen which of them are up"},
        {"checked-from", SCHEMA_IDENT, .reload = true, LIST(config_pool, checked_from, checked_from_count, CONFIG_NODES_MAX),
         .help = "nodes that check, and tell the others; without it every pop checks for itself"},
        {"keep", SCHEMA_UINT, .reload = true, NUMBER(config_pool, keep), .min = 0, .max = CONFIG_POOL_ENDPOINTS_MAX, .value = "1",
         .help = "so many are given although fewer are up; 0: none when none is up"},
        {"fallback", SCHEMA_POOL, .reload = true, AT(config_pool, fallback), .help = "pool in place of this one while fewer than keep of it are up"},
};
static const struct schema_map pool_map = {"a pool", sizeof(struct config_pool), ROWS(pool_rows)};

static const struct schema_row steering_rule_rows[] = {
        {"countries", SCHEMA_COUNTRY, .reload = true, LIST(config_steering_rule, countries, country_count, CONFIG_STEERING_MATCH_MAX),
         .help = "clients in these countries (ISO 3166: two letters)"},
        {"continents", SCHEMA_CONTINENT, .reload = true, LIST(config_steering_rule, continents, continent_count, CONFIG_STEERING_MATCH_MAX),
         .help = "clients on these continents: AF, AN, AS, EU, NA, OC, SA"},
        {"as", SCHEMA_UINT, .reload = true, .width = 4, .min = 1, .max = UINT32_MAX,
         LIST(config_steering_rule, as, as_count, CONFIG_STEERING_MATCH_MAX), .help = "clients in these autonomous systems"},
        {"subnets", SCHEMA_PREFIX, .reload = true, LIST(config_steering_rule, subnets, subnet_count, CONFIG_STEERING_MATCH_MAX),
         .help = "clients in these networks"},
        {"nodes", SCHEMA_NODE, .reload = true, LIST(config_steering_rule, nodes, node_count, CONFIG_STEERING_MATCH_MAX),
         .help = "questions that come to these nodes"},
        {"pool", SCHEMA_POOL, .required = true, .reload = true, AT(config_steering_rule, pool), .help = "where they are answered from"},
};
static const struct schema_map steering_rule_map = {"a rule", sizeof(struct config_steering_rule), ROWS(steering_rule_rows)};

static const struct schema_row steering_rows[] = {
        {"name", SCHEMA_IDENT, .required = true, .reload = true, AT(config_steering, name), .help = "name of the policy, in STEER records, too"},
        {"owners", SCHEMA_DOMAIN, .reload = true, LIST(config_steering, owners, owner_count, CONFIG_STEERING_OWNERS_MAX),
         .help = "names that are answered by it, beside those with a STEER record in their zone"},
        {"rules", SCHEMA_MAP, .reload = true, LIST(config_steering, rules, rule_count, CONFIG_STEERING_RULES_MAX), .map = &steering_rule_map,
         .help = "by what clients are told apart: the first rule that matches counts"},
        {"pool", SCHEMA_POOL, .required = true, .reload = true, AT(config_steering, pool), .help = "pool of all clients that no rule matches"},
        {"choose", SCHEMA_WORD, .reload = true, NUMBER(config_steering, choose), .words = words_choose, .value = "weight",
         .help = "which endpoints of a pool: weight, at random; sticky, by hash of the client's network; nearest; all"},
        {"answers", SCHEMA_UINT, .reload = true, NUMBER(config_steering, answers), .min = 0, .max = CONFIG_POOL_ENDPOINTS_MAX, .value = "1",
         .help = "endpoints in an answer at most; 0, the default with choose: all, all"},
        {"ttl", SCHEMA_TIME, .reload = true, AT(config_steering, ttl_ms), .min = SECOND, .max = 7U * DAY, .value = "30s",
         .help = "TTL of answers, at most that of the set in the zone"},
        {"client-subnet", SCHEMA_BOOL, .reload = true, AT(config_steering, client_subnet), .value = "true",
         .help = "the client's network as the resolver tells it (RFC 7871) is believed"},
};
static const struct schema_map steering_map = {"a steering policy", sizeof(struct config_steering), ROWS(steering_rows)};
static const struct schema_row backend_cache_rows[] = {
        {"size", SCHEMA_SIZE, .reload = true, NUMBER(config_backend_cache, size), .min = 1 * MIB, .max = 4095U * MIB, .value = "256MiB",
         .help = "memory of the node, shared by its workers, for answers of backends"},
        {"ttl-max", SCHEMA_TIME, .reload = true, AT(config_backend_cache, ttl_max_ms), .min = SECOND, .max = 7U * DAY, .value = "24h",
         .help = "no answer is kept longer"},
        {"negative-ttl-max", SCHEMA_TIME, .reload = true, AT(config_backend_cache, negative_ttl_max_ms), .min = SECOND, .max = 7U * DAY, .value = "1h",
         .help = "likewise, that there is no such name or type"},
        {"prefetch", SCHEMA_UINT, .reload = true, NUMBER(config_backend_cache, prefetch), .min = 0, .max = 90, .value = "10",
         .help = "an answer asked for often is fetched anew when so many percent of its TTL are left; 0: never"},
};
static const struct schema_map backend_cache_map = {"backend-cache", 0, ROWS(backend_cache_rows)};

static const struct schema_row answer_rows[] = {
        {"udp-size", SCHEMA_UINT, .reload = true, NUMBER(config_answer, udp_size), .min = 512, .max = 4096, .value = "1232",
         .help = "octets of the largest answer over UDP"},
        {"any", SCHEMA_WORD, .reload = true, NUMBER(config_answer, any), .words = words_any, .value = "one",
         .help = "what QTYPE ANY gets: one of the sets, all of them, or REFUSED"},
        {"report-agent", SCHEMA_DOMAIN, .reload = true, AT(config_answer, report_agent),
         .help = "agent domain to which resolvers report errors (RFC 9567)"},
        {"cookies", SCHEMA_MAP, .reload = true, AT(config_answer, cookies), .map = &cookies_map, .help = "DNS cookies"},
        {"tcp", SCHEMA_MAP, .reload = true, AT(config_answer, tcp), .map = &tcp_map, .help = "limits of TCP and TLS"},
        {"tls", SCHEMA_MAP, .reload = true, AT(config_answer, tls), FLAG(config_answer, tls.enabled), .map = &tls_map,
         .help = "DNS over TLS"},
        {"rate-limit", SCHEMA_MAP, .reload = true, AT(config_answer, rate_limit), .map = &rate_limit_map,
         .help = "limits of the responses to one client prefix over UDP"},
        {"filters", SCHEMA_MAP, .reload = true, LIST(config_answer, filters, filter_count, CONFIG_FILTERS_MAX), .map = &filter_map,
         .help = "questions that are not answered"},
        {"cache", SCHEMA_SIZE, .reload = true, NUMBER(config_answer, cache), .min = 0, .max = 1024 * MIB, .value = "8MiB",
         .help = "memory of each worker for answers already given; 0: every answer is made anew"},
        {"backend-cache", SCHEMA_MAP, .reload = true, AT(config_answer, backend_cache), .map = &backend_cache_map,
         .help = "answers of backends that are kept"},
        {"xdp", SCHEMA_WORD, .reload = true, NUMBER(config_answer, xdp), .words = words_xdp, .value = "off",
         .help = "answers from a cache in the kernel, on the devices of the node's addresses: off, auto, native or generic"},
        {"xdp-cache", SCHEMA_BOOL, .reload = true, AT(config_answer, xdp_cache), .value = "true",
         .help = "with xdp: answers asked for often are kept in the kernel"},
        {"xdp-sockets", SCHEMA_BOOL, .reload = true, AT(config_answer, xdp_sockets), .value = "true",
         .help = "with xdp: what the kernel has no answer for goes to the workers by AF_XDP sockets"},
        {"query-log-sample", SCHEMA_UINT, .reload = true, NUMBER(config_answer, query_log_sample), .min = 0, .max = 1000000000,
         .value = "0", .help = "one query in so many is kept for `zonecast queries`; 0: none"},
};
static const struct schema_map answer_map = {"answer", 0, ROWS(answer_rows)};

static const struct schema_row history_rows[] = {
        {"versions", SCHEMA_UINT, .reload = true, NUMBER(config_history, versions), .min = 0, .max = 100000, .value = "200",
         .help = "earlier versions of a zone that are kept; 0: none"},
        {"size", SCHEMA_SIZE, .reload = true, NUMBER(config_history, size), .min = 0, .max = 4095U * MIB, .value = "64MiB",
         .help = "room for the differences between the versions of a zone, on the disk"},
        {"all-for", SCHEMA_TIME, .reload = true, AT(config_history, all_for_ms), .min = 0, .max = 1000U * HOUR, .value = "24h",
         .help = "with step: how long each version is kept, within the other limits"},
        {"step", SCHEMA_TIME, .reload = true, AT(config_history, step_ms), .min = SECOND, .max = 1000U * HOUR, .zero_too = true, .value = "0s",
         .help = "of older versions only the last one of each such period stays; 0: all stay"},
};
static const struct schema_map history_map = {"history", 0, ROWS(history_rows)};

static const struct schema_row cache_rows[] = {
        {"address", SCHEMA_ADDR, .required = true, .reload = true, AT(config_cache, address), .help = "address of the cache"},
        {"port", SCHEMA_UINT, .reload = true, NUMBER(config_cache, port), .min = 1, .max = 65535, .value = "323", .help = "its TCP port"},
        {"preference", SCHEMA_UINT, .reload = true, NUMBER(config_cache, preference), .min = 0, .max = UINT32_MAX, .value = "100",
         .help = "of the caches that answer, that with the lowest preference is believed"},
};
static const struct schema_map cache_map = {"a cache", sizeof(struct config_cache), ROWS(cache_rows)};

static const struct schema_row rpki_rows[] = {
        {"caches", SCHEMA_MAP, .reload = true, LIST(config_rpki, caches, cache_count, CONFIG_CACHES_MAX), .map = &cache_map,
         .help = "RPKI caches (RFC 8210, RFC 6810) that the prefixes are validated by"},
        {"invalid", SCHEMA_WORD, .reload = true, NUMBER(config_rpki, invalid), .words = words_invalid, .value = "refuse",
         .help = "a prefix that is RPKI invalid is not announced, or only alerted"},
        {"expire", SCHEMA_TIME, .reload = true, AT(config_rpki, expire_ms), .min = SECOND, .max = 48U * HOUR, .value = "48h",
         .help = "how long results are held at most when no cache answers; never longer than the cache allows"},
};
static const struct schema_map rpki_map = {"rpki", 0, ROWS(rpki_rows)};

static const struct schema_row reference_rows[] = {
        {"address", SCHEMA_ENDPOINT, .required = true, .reload = true, AT(config_reference, server), .help = "address and port of the server"},
        {"zones", SCHEMA_DOMAIN, .reload = true, LIST(config_reference, zones, zone_count, CONFIG_REFERENCE_ZONES_MAX),
         .help = "zones that it is asked for; without, all that the node serves"},
};
static const struct schema_map reference_map = {"a reference", sizeof(struct config_reference), ROWS(reference_rows)};

static const struct schema_row drift_rows[] = {
        {"alert-after", SCHEMA_TIME, .reload = true, AT(config_drift, alert_after_ms), .min = SECOND, .max = DAY, .value = "60s",
         .help = "a zone that is behind somewhere and does not move for so long is an alert"},
        {"references", SCHEMA_MAP, .reload = true, LIST(config_drift, references, reference_count, CONFIG_REFERENCES_MAX), .map = &reference_map,
         .help = "servers outside of the fleet that should have the same serials"},
};
static const struct schema_map drift_map = {"drift", 0, ROWS(drift_rows)};

/* In the order of enum config_event. */
static const char *const words_event[] = {"announce", "withdraw", "de-prefer", "graceful-shutdown", "neighbor-up", "neighbor-down", "verdict",
                                          "backstop", "kept", "bfd", "max-prefixes", "peer", "drift", "outside", "rpki", "hijack", "zone", "primary",
                                          "process", "config", "order", "xdp", "disk", "endpoint", "backend", NULL};

static const struct schema_row hook_rows[] = {
        {"on", SCHEMA_WORD, .required = true, .reload = true, .width = 1, LIST(config_hook, on, on_count, CONFIG_EVENTS), .words = words_event,
         .help = "what it is run for: announce, withdraw, de-prefer, graceful-shutdown, neighbor-up, neighbor-down, verdict, or another kind of event"},
        {"exec", SCHEMA_TEXT, .required = true, .reload = true, LIST(config_hook, exec, exec_count, CONFIG_HOOK_WORDS_MAX),
         .help = "absolute path of the program, and its arguments"},
        {"timeout", SCHEMA_TIME, .reload = true, AT(config_hook, timeout_ms), .min = 100, .max = 10 * MINUTE, .value = "10s",
         .help = "a program that runs longer is killed"},
};
static const struct schema_map hook_map = {"a hook", sizeof(struct config_hook), ROWS(hook_rows)};

static const struct schema_row dnstap_rows[] = {
        {"socket", SCHEMA_DIR, .reload = true, AT(config_dnstap, socket), .help = "unix socket of a collector (Frame Streams)"},
        {"tcp", SCHEMA_ADDR, .reload = true, AT(config_dnstap, tcp), .help = "address of a collector, by TCP"},
        {"port", SCHEMA_UINT, .reload = true, NUMBER(config_dnstap, port), .min = 1, .max = 65535, .value = "6000", .help = "its TCP port"},
        {"file", SCHEMA_DIR, .reload = true, AT(config_dnstap, file), .help = "file that is written"},
        {"file-size", SCHEMA_SIZE, .reload = true, NUMBER(config_dnstap, file_size), .min = 1 * MIB, .max = 4095U * MIB, .zero_too = true, .value = "1024MiB",
         .help = "a file of this size is put aside and another begun; 0: never"},
        {"files", SCHEMA_UINT, .reload = true, NUMBER(config_dnstap, files), .min = 1, .max = 1000, .value = "4", .help = "files put aside that are kept"},
        {"queries", SCHEMA_BOOL, .reload = true, AT(config_dnstap, queries), .value = "true", .help = "messages AUTH_QUERY"},
        {"responses", SCHEMA_BOOL, .reload = true, AT(config_dnstap, responses), .value = "true", .help = "messages AUTH_RESPONSE"},
        {"sample", SCHEMA_UINT, .reload = true, NUMBER(config_dnstap, sample), .min = 1, .max = 1000000000, .value = "1",
         .help = "one query in so many, with its response"},
        {"max-backlog", SCHEMA_SIZE, NUMBER(config_dnstap, max_backlog), .min = 1 * MIB, .max = 4095U * MIB, .value = "64MiB",
         .help = "memory for what the collector has not taken; beyond it is dropped and counted"},
};
static const struct schema_map dnstap_map = {"dnstap", 0, ROWS(dnstap_rows)};

static const struct schema_row query_log_rows[] = {
        {"file", SCHEMA_DIR, .required = true, .reload = true, AT(config_query_log, file), .help = "file that is written, a line for each query"},
        {"format", SCHEMA_WORD, .reload = true, NUMBER(config_query_log, format), .words = words_log_format, .value = "text", .help = "text or json"},
        {"file-size", SCHEMA_SIZE, .reload = true, NUMBER(config_query_log, file_size), .min = 1 * MIB, .max = 4095U * MIB, .zero_too = true, .value = "100MiB",
         .help = "a file of this size is put aside and another begun; 0: never"},
        {"files", SCHEMA_UINT, .reload = true, NUMBER(config_query_log, files), .min = 1, .max = 1000, .value = "4", .help = "files put aside that are kept"},
};
static const struct schema_map query_log_map = {"query-log", 0, ROWS(query_log_rows)};

/* In the order of enum log_format. */
static const char *const words_log[] = {"text", "json", NULL};

static const struct schema_row log_rows[] = {
        {"format", SCHEMA_WORD, .reload = true, NUMBER(config_log, format), .words = words_log, .value = "text",
         .help = "what a line of the log is: text, or json, one object"},
};
static const struct schema_map log_map = {"log", 0, ROWS(log_rows)};

static const struct schema_row root_rows[] = {
        {"fleet", SCHEMA_IDENT, .required = true, AT(config, fleet), .help = "name of the fleet"},
        {"generation", SCHEMA_UINT, .reload = true, NUMBER(config, generation), .min = 0, .max = UINT32_MAX, .value = "0",
         .help = "number of this version of the file: nodes refuse one that is lower than what they have had; 0: not used"},
        {"state-dir", SCHEMA_DIR, AT(config, state_dir), .value = CONFIG_STATE_DIR_DEFAULT, .help = "folder of what must survive a reboot"},
        {"run-dir", SCHEMA_DIR, AT(config, run_dir), .value = CONFIG_RUN_DIR_DEFAULT,
         .help = "folder of the control socket and the store"},
        {"user", SCHEMA_IDENT, AT(config, user), .help = "account the roles run as; without it zonecast, or nobody"},
        {"control-group", SCHEMA_IDENT, AT(config, control_group), .help = "group whose members may use the control socket, beside root and the account"},
        {"networks", SCHEMA_MAP, .reload = true, LIST(config, networks, network_count, CONFIG_NETWORKS_MAX), .map = &network_map,
         .help = "anycast networks"},
        {"keys", SCHEMA_MAP, .reload = true, LIST(config, keys, key_count, CONFIG_KEYS_MAX), .map = &key_map, .help = "TSIG keys of transfers"},
        {"status-key", SCHEMA_KEY, .reload = true, AT(config, status_key),
         .help = "TSIG key of what nodes say to each other; without it the first of keys"},
        {"tls-auth", SCHEMA_MAP, .reload = true, LIST(config, tls_auth, tls_auth_count, CONFIG_TLS_AUTH_MAX), .map = &tls_auth_map,
         .help = "how servers are reached over TLS, and known"},
        {"backends", SCHEMA_MAP, .reload = true, LIST(config, backends, backend_count, CONFIG_BACKENDS_MAX), .map = &backends_map,
         .help = "name servers that answer for zones which this node stands in front of"},
        {"nodes", SCHEMA_MAP, .required = true, .reload = true, LIST(config, nodes, node_count, CONFIG_NODES_MAX), .map = &node_map,
         .help = "the machines of the fleet"},
        {"zones", SCHEMA_MAP, .reload = true, LIST(config, zones, zone_count, CONFIG_ZONES_MAX), .map = &zone_map,
         .help = "zones served"},
        {"catalogs", SCHEMA_MAP, .reload = true, LIST(config, catalogs, catalog_count, CONFIG_CATALOGS_MAX), .map = &catalog_map,
         .help = "zones that list zones (RFC 9432)"},
        {"geoip", SCHEMA_MAP, .reload = true, AT(config, geoip), .map = &geoip_map, .help = "databases of where addresses are"},
        {"pools", SCHEMA_MAP, .reload = true, LIST(config, pools, pool_count, CONFIG_POOLS_MAX), .map = &pool_map,
         .help = "endpoints that names are steered to"},
        {"steering", SCHEMA_MAP, .reload = true, LIST(config, steering, steering_count, CONFIG_STEERING_MAX), .map = &steering_map,
         .help = "policies by which names are answered from pools"},
        {"rpki", SCHEMA_MAP, .reload = true, AT(config, rpki), FLAG(config, rpki.enabled), .map = &rpki_map,
         .help = "origin validation of the prefixes announced"},
        {"drift", SCHEMA_MAP, .reload = true, AT(config, drift), .map = &drift_map, .help = "zones that are not the same everywhere"},
        {"hooks", SCHEMA_MAP, .reload = true, LIST(config, hooks, hook_count, CONFIG_HOOKS_MAX), .map = &hook_map,
         .help = "programs that are run when something changes"},
        {"http", SCHEMA_MAP, .reload = true, AT(config, http), FLAG(config, http.enabled), .map = &http_map,
         .help = "each node's web server: API, metrics, dashboard"},
        {"log", SCHEMA_MAP, .reload = true, AT(config, log), .map = &log_map, .help = "what is written to stderr"},
        {"history", SCHEMA_MAP, .reload = true, AT(config, history), .map = &history_map, .help = "earlier versions of zones"},
        {"answer", SCHEMA_MAP, .reload = true, AT(config, answer), .map = &answer_map, .help = "how questions are answered"},
        {"dnstap", SCHEMA_MAP, .reload = true, AT(config, dnstap), FLAG(config, dnstap.enabled), .map = &dnstap_map,
         .help = "queries and answers for a collector, or into a file"},
        {"query-log", SCHEMA_MAP, .reload = true, AT(config, query_log), FLAG(config, query_log.enabled), .map = &query_log_map,
         .help = "the sampled queries into a file"},
};
const struct schema_map schema_root = {"the configuration", sizeof(struct config), ROWS(root_rows)};
/* clang-format on */

static void each_below(const struct schema_map *map, const char *above,
                       void (*each)(void *ctx, const char *path, const struct schema_row *row), void *ctx)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct schema_row *row = &map->rows[i];
		char path[256];

		snprintf(path, sizeof(path), "%s%s%s", above, *above ? "." : "", row->key);
		each(ctx, path, row);
		if (row->map) {
			if (row->list)
				snprintf(path, sizeof(path), "%s%s%s[]", above, *above ? "." : "", row->key);
			each_below(row->map, path, each, ctx);
		}
	}
}

void schema_each(void (*each)(void *ctx, const char *path, const struct schema_row *row), void *ctx)
{
	each_below(&schema_root, "", each, ctx);
}
