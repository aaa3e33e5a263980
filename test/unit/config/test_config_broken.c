/* SPDX-License-Identifier: BSD-2-Clause */
/* Configurations with one thing wrong, and the exact message about it: a table of small files. */
#include "config/config.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Lines 1-10, unless a case brings its own file: what a case adds starts in line 11. */
#define HEAD                                                                                                            \
	"fleet: f\n"                                                                                                    \
	"networks:\n"                                                                                                   \
	"  - name: n\n"                                                                                                 \
	"    prefixes: [203.0.113.0/24]\n"                                                                              \
	"    addresses: [203.0.113.53]\n"                                                                               \
	"    as: 64500\n"                                                                                               \
	"keys: [{name: k, secret-file: k.key}]\n"                                                                       \
	"nodes:\n"                                                                                                      \
	"  - {name: p, role: primary, management: [192.0.2.10]}\n"                                                      \
	"  - {name: a, role: pop, networks: [n], management: [192.0.2.21], bgp: {neighbors: [{address: 192.0.2.1, as: 64496}]}}\n"
#define TEN "\"1:1\", \"1:1\", \"1:1\", \"1:1\", \"1:1\", \"1:1\", \"1:1\", \"1:1\", \"1:1\", \"1:1\""
#define TWENTY TEN ", " TEN
#define NEIGHBOR(more)                                                                                                  \
	HEAD "  - {name: b, role: pop, networks: [n], management: [192.0.2.22], bgp: {neighbors: [\n"                   \
	     "      {address: 192.0.2.1, as: 64496, " more "}]}}\n"
#define NETWORK(prefix, address, more)                                                                                  \
	"fleet: f\nnodes: [{name: a, role: pop, networks: [n], management: [192.0.2.21, \"2001:db8::1\"], bgp: {neighbors: "    \
	"[{address: 192.0.2.1, as: 1, families: [ipv4]}]}}]\nnetworks:\n"                                               \
	"  - name: n\n    as: 64500\n    prefixes: [" prefix "]\n    addresses: [" address "]\n" more

#define PIN "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define TLS "answer: {tls: {certificate-file: c.pem, key-file: k.pem}}\n"

struct broken {
	const char *name;
	const char *yaml;
	const char *want; /* first message */
};

static const struct broken cases[] = {
        /* not YAML, or not the part of it that is used */
        {"empty", "", "z.yaml:1:1: error: the file is empty: see zonecast.yaml(5) for an example"},
        {"nothing but a comment", "# hello\n", "z.yaml:1:1: error: the file is empty: see zonecast.yaml(5) for an example"},
        {"a list", "- a\n", "z.yaml:1:1: error: the configuration is a mapping: write its keys, such as \"fleet: ...\""},
        {"a word", "hello\n", "z.yaml:1:1: error: the configuration is a mapping: write its keys, such as \"fleet: ...\""},
        {"latin 1", "fleet: f\nuser: caf\xe9\n", "z.yaml:2:10: error: this is not UTF-8 text: save the file in UTF-8"},
        {"overlong", "fleet: \xc0\x80\n", "z.yaml:1:8: error: this is not UTF-8 text: save the file in UTF-8"},
        {"surrogate", "fleet: \xed\xa0\x80\n", "z.yaml:1:8: error: this is not UTF-8 text: save the file in UTF-8"},
        {"control", "fleet: a\x01\n", "z.yaml:1:9: error: a control character: remove it"},
        {"line separator", "fleet: a\xe2\x80\xa8\n", "z.yaml:1:9: error: a control or line separator character: remove it"},
        {"lone CR", "fleet: a\rnodes: []\n",
         "z.yaml:1:9: error: a carriage return without a line feed: end lines with a line feed"},
        {"escaped NUL", "fleet: \"a\\0b\"\n", "z.yaml:1:8: error: a value with a NUL character inside"},
        {"alias", "fleet: f\nnodes: *x\n",
         "z.yaml:2:8: error: aliases (*name) are not supported: write the value out; an asterisk itself needs quotes"},
        {"anchor", "fleet: &f f\n",
         "z.yaml:1:8: error: anchors (&name) are not supported: write the value out where it is used"},
        {"bomb", "a: &a [x,x]\nb: &b [*a,*a]\n",
         "z.yaml:1:4: error: anchors (&name) are not supported: write the value out where it is used"},
        {"tag", "fleet: !!str f\n", "z.yaml:1:8: error: tags (!name) are not supported: remove it"},
        {"two documents", "fleet: f\n---\nfleet: g\n",
         "z.yaml:2:1: error: a second document (---): the configuration is one document"},
        {"deep", "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
         "z.yaml:1:19: error: nested more than 16 deep: no option is"},
        {"list as key", "[a, b]: c\n", "z.yaml:1:1: error: a key must be a word; quote it if it begins with [ or {"},
        {"tab", "fleet: f\nnodes:\n\t- a\n",
         "z.yaml:3:1: error: found character that cannot start any token: values that "
         "begin with @, `, % or a tab need quotes; indent with spaces"},
        {"two colons", "fleet: a: b\n",
         "z.yaml:1:9: error: mapping values are not allowed in this context: a value with \": \" in it needs quotes, and every "
         "\"key: value\" its own line or a comma"},
        {"unclosed", "fleet: [a\n", "z.yaml:2:1: error: did not find expected ',' or ']' (while parsing a flow sequence that begins in line 1)"},

        /* the web server */
        {"http for nobody", HEAD "http: {}\n",
         "z.yaml:11:7: error: who may read? Write token-file: FILE (NAME ro TOKEN in each line), or tls with client-ca-file, or open: true where "
         "everybody who reaches these addresses may"},
        {"http for nobody, beside loopback", "fleet: f\nnodes: [{name: a, role: primary, management: [192.0.2.1]}]\nhttp: {listen: [127.0.0.1, 198.51.100.7]}\n",
         "z.yaml:3:7: error: who may read? Write token-file: FILE (NAME ro TOKEN in each line), or tls with client-ca-file, or open: true where "
         "everybody who reaches these addresses may"},
        {"http on anycast", HEAD "http: {listen: [\"203.0.113.9\"], open: true}\n",
         "z.yaml:11:17: error: 203.0.113.9 is in network \"n\": the web server is never reached by anycast, name the node's own addresses"},
        {"http everywhere", HEAD "http: {listen: [\"::\"], open: true}\n",
         "z.yaml:11:17: error: \"listen\": :: is not the address of one machine"},
        {"one address for all nodes", HEAD "http: {listen: [192.0.2.10], open: true}\n",
         "z.yaml:11:17: error: an address belongs to one node: write it under \"http\" of that node, and leave it away here for the management "
         "addresses of each"},
        {"orders without tokens", HEAD "http: {open: true, allow-changes: true}\n",
         "z.yaml:11:35: error: orders are taken from those with a token marked rw: \"allow-changes\" needs \"token-file\""},
        {"http on DNS's port", HEAD "http: {open: true, port: 53}\n", "z.yaml:11:26: error: port 53 is that of DNS: choose another, such as 8053"},
        {"http without a key", HEAD "http: {open: true, tls: {certificate-file: a}}\n",
         "z.yaml:11:25: error: tls has no \"key-file\" (its private key, PEM)"},

        /* keys and shapes */
        {"unknown key", HEAD "zone: []\n", "z.yaml:11:1: error: unknown key \"zone\" in the configuration: did you mean \"zones\"?"},
        {"unknown, nothing near", HEAD "quux: 1\n",
         "z.yaml:11:1: error: unknown key \"quux\" in the configuration: its keys are fleet, generation, state-dir, run-dir, user, control-group, networks, "
         "keys, status-key, tls-auth, backends, nodes, zones, catalogs, geoip, pools, steering, rpki, drift, hooks, http, log, history, answer, dnstap, query-log"},
        {"prefixs", "fleet: f\nnodes: []\nnetworks:\n  - name: n\n    prefixs: []\n",
         "z.yaml:5:5: error: unknown key \"prefixs\" in a network: did you mean \"prefixes\"?"},
        {"in a neighbor", NEIGHBOR("hold_time: 9s"),
         "z.yaml:12:39: error: unknown key \"hold_time\" in a neighbor: did you mean \"hold-time\"?"},
        {"after a long letter", "fleet: f\nnodes: []\n\"\xc3\xa4\xc3\xa4\": 1\n",
         "z.yaml:3:1: error: unknown key \"\xc3\xa4\xc3\xa4\" in the configuration: its keys are fleet, generation, state-dir, run-dir, user, control-group, "
         "networks, keys, status-key, tls-auth, backends, nodes, zones, catalogs, geoip, pools, steering, rpki, drift, hooks, http, log, history, answer, dnstap, query-log"},
        {"bytes, not letters", "nodes: []\nfleet: [\"\xc3\xa4\xc3\xa4\", {a: 1}]\n",
         "z.yaml:2:8: error: \"fleet\" is one value, not a list: remove the brackets or dash"},
        {"column after a long letter", "fleet: f\nnodes: [{name: \xe2\x82\xac\xe2\x82\xac, rolle: pop}]\n",
         "z.yaml:2:24: error: unknown key \"rolle\" in a node: did you mean \"role\"?"},
        {"twice", "fleet: f\nnodes: []\nfleet: g\n", "z.yaml:3:1: error: \"fleet\" is here twice; the first is in line 1"},
        {"missing fleet", "nodes: [{name: a, role: primary}]\n",
         "z.yaml:1:1: error: the configuration has no \"fleet\" (name of the fleet)"},
        {"missing nodes", "fleet: f\n", "z.yaml:1:1: error: the configuration has no \"nodes\" (the machines of the fleet)"},
        {"no nodes", "fleet: f\nnodes: []\n", "z.yaml:2:8: error: \"nodes\" is empty (the machines of the fleet)"},
        {"node without role", "fleet: f\nnodes:\n  - name: fra\n",
         "z.yaml:3:5: error: a node \"fra\" has no \"role\" (primary (hidden, unicast only) or pop)"},
        {"no value", "fleet:\nnodes: []\n", "z.yaml:1:7: error: \"fleet\" has no value: write one, or remove the key"},
        {"null", "fleet: ~\nnodes: []\n", "z.yaml:1:8: error: \"fleet\" has no value: write one, or remove the key"},
        {"list wanted", "fleet: f\nnodes: [{name: a, role: pop, management: 192.0.2.1}]\n",
         "z.yaml:2:42: error: \"management\" is a list: write [192.0.2.1]"},
        {"list of mappings wanted", "fleet: f\nnodes:\n  name: a\n", "z.yaml:3:3: error: \"nodes\" is a list: begin each item with a dash"},
        {"empty list", "fleet: f\nnodes:\n", "z.yaml:2:7: error: \"nodes\" is empty: write [] for an empty list, or remove the key"},
        {"mapping wanted", "fleet: f\nnodes: [a]\n", "z.yaml:2:9: error: a node is a mapping: write its keys, such as \"name: ...\""},
        {"list for a value", "fleet: [f]\nnodes: []\n", "z.yaml:1:8: error: \"fleet\" is one value, not a list: remove the brackets or dash"},
        {"mapping for a value", "fleet: {a: b}\nnodes: []\n", "z.yaml:1:8: error: \"fleet\" is one value, not a mapping"},

        /* values */
        {"space in a name", "fleet: f f\nnodes: []\n",
         "z.yaml:1:8: error: \"fleet\" is \"f f\": only letters, digits, -, _ and . are allowed"},
        {"long name", "fleet: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nnodes: []\n",
         "z.yaml:1:8: error: \"fleet\" has 64 characters: at most 63 are allowed"},
        {"role", "fleet: f\nnodes: [{name: a, role: pip}]\n", "z.yaml:2:25: error: \"role\" cannot be \"pip\": did you mean \"pop\"?"},
        {"role, nothing near", "fleet: f\nnodes: [{name: a, role: secondary}]\n",
         "z.yaml:2:25: error: \"role\" cannot be \"secondary\": it is one of primary, pop"},
        {"relative folder", HEAD "run-dir: run\n", "z.yaml:11:10: error: \"run-dir\" wants an absolute path (it begins with /), not \"run\""},
        {"time without unit", NEIGHBOR("hold-time: 90"),
         "z.yaml:12:50: error: \"hold-time\" is 90 without a unit: write 90ms, 90s or 90m"},
        {"time, unknown unit", NEIGHBOR("hold-time: 90sec"),
         "z.yaml:12:50: error: \"hold-time\": no unit of time \"sec\": use ms, s, m or h"},
        {"time, fraction", NEIGHBOR("hold-time: 1.5m"),
         "z.yaml:12:50: error: \"hold-time\" is \"1.5m\": whole numbers only; use a smaller unit, such as ms"},
        {"time, word", NEIGHBOR("hold-time: soon"),
         "z.yaml:12:50: error: \"hold-time\" wants a time such as 100ms, 5s, 2m or 1h, not \"soon\""},
        {"hold time 1 s", NEIGHBOR("hold-time: 1s"),
         "z.yaml:12:50: error: \"hold-time\" is 1s: out of range, it must be 0 or from 3s to 65535s"},
        {"hold time 2 s", NEIGHBOR("hold-time: 2000ms"),
         "z.yaml:12:50: error: \"hold-time\" is 2000ms: out of range, it must be 0 or from 3s to 65535s"},
        {"time that overflows", NEIGHBOR("hold-time: 999999999999999999h"),
         "z.yaml:12:50: error: \"hold-time\" is 999999999999999999h: out of range, it must be 0 or from 3s to 65535s"},
        {"number", NEIGHBOR("port: bgp"), "z.yaml:12:45: error: \"port\" wants a whole number from 1 to 65535, not \"bgp\""},
        {"number range", NEIGHBOR("port: 65536"), "z.yaml:12:45: error: \"port\" is 65536: out of range, it must be from 1 to 65535"},
        {"negative", NEIGHBOR("prepend: -1"), "z.yaml:12:48: error: \"prepend\" wants a whole number from 0 to 32, not \"-1\""},
        {"boolean", NEIGHBOR("ttl-security: yes"), "z.yaml:12:53: error: \"ttl-security\" is true or false, not \"yes\""},
        {"AS with letters", NETWORK("203.0.113.0/24", "203.0.113.53", "  - {name: m, as: AS64500, prefixes: [10.0.0.0/8], addresses: [10.0.0.1]}\n"),
         "z.yaml:8:19: error: \"as\": write the number alone: 64500"},
        {"degrees", HEAD "  - {name: b, role: pop, site: {latitude: 91}}\n",
         "z.yaml:11:43: error: \"latitude\" is 91: out of range, it must be from -90 to 90"},
        {"degrees, text", HEAD "  - {name: b, role: pop, site: {latitude: nan}}\n",
         "z.yaml:11:43: error: \"latitude\" wants degrees such as 50.11 or -8.68, not \"nan\""},
        {"address", HEAD "  - {name: b, role: pop, management: [192.0.2.256]}\n",
         "z.yaml:11:39: error: \"management\": \"192.0.2.256\" is no IPv4 or IPv6 address"},
        {"address with length", HEAD "  - {name: b, role: pop, management: [192.0.2.2/24]}\n",
         "z.yaml:11:39: error: \"management\" wants an address without a prefix length: write 192.0.2.2"},
        {"mapped address", HEAD "  - {name: b, role: pop, management: [\"::ffff:192.0.2.2\"]}\n",
         "z.yaml:11:39: error: \"management\": an IPv4-mapped address: write it as IPv4"},
        {"multicast", HEAD "  - {name: b, role: pop, management: [224.0.0.1]}\n",
         "z.yaml:11:39: error: \"management\": 224.0.0.1 is not the address of one machine"},
        {"host bits", NETWORK("203.0.113.53/24", "203.0.113.53", ""),
         "z.yaml:6:16: error: \"prefixes\": 203.0.113.53/24 has host bits set: 203.0.113.0/24 was meant?"},
        {"host bits, IPv6", NETWORK("\"2001:db8:53::53/48\"", "\"2001:db8:53::53\"", ""),
         "z.yaml:6:16: error: \"prefixes\": 2001:db8:53::53/48 has host bits set: 2001:db8:53::/48 was meant?"},
        {"prefix without length", NETWORK("203.0.113.0", "203.0.113.53", ""),
         "z.yaml:6:16: error: \"prefixes\": 203.0.113.0 has no length: write a prefix such as 192.0.2.0/24"},
        {"prefix too long", NETWORK("203.0.113.0/33", "203.0.113.53", ""),
         "z.yaml:6:16: error: \"prefixes\": \"203.0.113.0/33\" is no prefix such as 192.0.2.0/24 or 2001:db8::/48"},
        {"community", NEIGHBOR("communities: [\"64500:70000\"]"),
         "z.yaml:12:53: error: \"communities\": 64500:70000: both halves are at most 65535 (RFC 1997); a larger AS has no community"},
        {"community name", NEIGHBOR("communities: [graceful-shutdwn]"),
         "z.yaml:12:53: error: \"communities\": no community \"graceful-shutdwn\": did you mean \"graceful-shutdown\"?"},
        {"large community", NEIGHBOR("large-communities: [\"64500:1\"]"),
         "z.yaml:12:59: error: \"large-communities\": \"64500:1\" is no large community: write three numbers below 2^32, \"64500:1:2\" (in quotes)"},
        {"large community, too large", NEIGHBOR("large-communities: [\"64500:4294967296:2\"]"),
         "z.yaml:12:59: error: \"large-communities\": \"64500:4294967296:2\" is no large community: write three numbers below 2^32, \"64500:1:2\" (in quotes)"},
        {"too many communities", NEIGHBOR("communities: [" TWENTY ", " TEN "], drain: {communities: [" TWENTY ", " TEN ", \"1:1\", \"1:1\", \"1:1\"]}"),
         "z.yaml:12:285: error: \"communities\" has 33 items: at most 32 are allowed"},
        {"too many communities in sum", NEIGHBOR("communities: [" TWENTY ", " TEN ", \"1:1\", \"1:1\"], drain: {communities: [" TWENTY ", " TEN ", \"1:1\"]}"),
         "z.yaml:12:299: error: with the neighbor's own and graceful-shutdown these are 64 communities: at most 63 fit"},
        {"role within the AS", NEIGHBOR("local: 192.0.2.22}, {address: 192.0.2.2, as: 64500, role: customer"),
         "z.yaml:12:97: error: a role is for a neighbor of another AS (RFC 9234): remove it"},
        {"strict without a role", NEIGHBOR("role-strict: true"),
         "z.yaml:12:52: error: \"role-strict\" needs \"role\": write role: customer at a transit"},
        {"link-local without interface", NEIGHBOR("port: 179}, {address: \"fe80::1\", as: 64497"),
         "z.yaml:12:61: error: a link-local address needs its interface: write \"fe80::1%eth0\""},
        {"interface of a global address", NEIGHBOR("port: 179}, {address: \"2001:db8::1%eth0\", as: 64497"),
         "z.yaml:12:61: error: \"address\": only a link-local address (fe80::/10) has an interface: write 2001:db8::1"},
        {"interface's name", NEIGHBOR("port: 179}, {address: \"fe80::1%a-name-that-is-too-long\", as: 64497"),
         "z.yaml:12:61: error: \"address\": \"a-name-that-is-too-l\" is no name of an interface"},
        {"link-local twice", NEIGHBOR("port: 179}, {address: \"fe80::1%no0\", as: 64497}, {address: \"fe80::1%no1\", as: 64497}, {address: \"fe80::1%no0\", as: 64497"),
         "z.yaml:12:135: error: neighbor fe80::1 is here twice"},
        {"passive without local", NEIGHBOR("connect: passive"),
         "z.yaml:12:48: error: \"connect: passive\" needs \"local\": the own address that port 179 is opened on"},
        {"families", NEIGHBOR("families: [v4]"), "z.yaml:12:50: error: \"families\" cannot be \"v4\": it is one of ipv4, ipv6"},
        {"no family", NEIGHBOR("families: []"),
         "z.yaml:12:49: error: \"families\" is empty: write [ipv4], [ipv6], or remove the key for both"},
        {"next hops", NEIGHBOR("next-hop: [192.0.2.2, 192.0.2.3]"),
         "z.yaml:12:61: error: \"next-hop\" has two IPv4 addresses: at most one a family"},
        {"domain", HEAD "zones: [{name: \"a..b\", file: x}]\n", "z.yaml:11:16: error: \"name\": \"a..b\" is no domain name"},
        {"domain in letters", HEAD "zones: [{name: b\xc3\xbc" "cher.example, file: x}]\n",
         "z.yaml:11:16: error: \"name\": \"b\xc3\xbc" "cher.example\": write the name as in DNS: xn--..."},
        {"algorithm", "fleet: f\nnodes: [{name: a, role: primary}]\nkeys: [{name: k, algorithm: hmac-md5, secret-file: x}]\n",
         "z.yaml:3:29: error: \"algorithm\" cannot be \"hmac-md5\": it is one of hmac-sha256, hmac-sha384, hmac-sha512, "
         "hmac-sha224, hmac-sha1, hmac-sha256-128, hmac-sha384-192, hmac-sha512-256"},

        /* references and contradictions */
        {"network reference", HEAD "  - {name: b, role: pop, networks: [m]}\n", "z.yaml:11:37: error: no network is named \"m\": add it to \"networks\""},
        {"network reference, near", "fleet: f\nnodes: [{name: a, role: pop, networks: [globl]}]\nnetworks: [{name: global, as: 1, prefixes: [10.0.0.0/8], addresses: [10.0.0.1]}]\n",
         "z.yaml:2:41: error: no network is named \"globl\": did you mean \"global\"?"},
        {"key reference", HEAD "zones: [{name: a.example, file: x, network: n, key: transfer}]\n",
         "z.yaml:11:53: error: no key is named \"transfer\": add it to \"keys\""},
        {"node twice", HEAD "  - {name: A, role: primary}\n", "z.yaml:11:12: error: node \"A\" is defined twice; the first is in line 10"},
        {"overlap", NETWORK("203.0.113.0/24", "203.0.113.53", "  - {name: m, as: 64500, prefixes: [203.0.112.0/22], addresses: [203.0.112.1]}\n"),
         "z.yaml:8:37: error: 203.0.112.0/22 overlaps 203.0.113.0/24 of network \"n\" (line 6): a prefix belongs to one network, once"},
        {"overlap in one", NETWORK("203.0.113.0/24, 203.0.113.0/25", "203.0.113.53", ""), "z.yaml:6:32: error: 203.0.113.0/25 overlaps 203.0.113.0/24 of the same network \"n\" (line 6): a prefix belongs to one network, once"},
        {"address outside", NETWORK("203.0.113.0/24", "203.0.114.53", ""),
         "z.yaml:7:17: error: 203.0.114.53 is in none of the network's prefixes: nobody would be routed to it"},
        {"address twice", NETWORK("203.0.113.0/24", "203.0.113.53, 203.0.113.53", ""), "z.yaml:7:31: error: 203.0.113.53 is here twice"},
        {"reference twice", NETWORK("203.0.113.0/24", "203.0.113.53", "drift: {references: [{address: 192.0.2.7}, {address: \"192.0.2.7:54\"}, {address: 192.0.2.7}]}\n"),
         "z.yaml:8:71: error: reference 192.0.2.7 is here twice"},
        {"reference within", NETWORK("203.0.113.0/24", "203.0.113.53", "drift: {references: [{address: 203.0.113.53, zones: [a.test]}]}\n"),
         "z.yaml:8:22: error: 203.0.113.53 is one of the fleet's own anycast addresses: it says nothing that the nodes do not know of themselves"},
        {"default route", NETWORK("0.0.0.0/0", "203.0.113.53", ""),
         "z.yaml:6:16: error: the default route is not a prefix to announce: write the network's own"},
        {"backstop", NETWORK("203.0.113.0/24", "203.0.113.53", "    backstop: [203.0.113.0/25]\n"),
         "z.yaml:8:16: error: 203.0.113.0/25 covers none of the network's prefixes: a backstop is shorter than one and contains it"},
        {"dnstap to nowhere", HEAD "dnstap: {sample: 5}\n", "z.yaml:11:9: error: dnstap needs one of \"socket\", \"tcp\" and \"file\": where should it go?"},
        {"dnstap to two", HEAD "dnstap: {file: /a, socket: /b}\n",
         "z.yaml:11:9: error: dnstap needs one of \"socket\", \"tcp\" and \"file\", and has several"},
        {"dnstap of nothing", HEAD "dnstap: {file: /a, queries: false, responses: false}\n",
         "z.yaml:11:9: error: without \"queries\" and \"responses\" nothing is left: remove \"dnstap\""},
        {"dnstap and query log in one file", HEAD "dnstap: {file: /a}\nquery-log: {file: /a}\nanswer: {query-log-sample: 1}\n",
         "z.yaml:11:9: error: dnstap and query-log cannot write to the same file"},
        {"hook without a path", HEAD "hooks: [{on: [announce], exec: [echo, hello]}]\n",
         "z.yaml:11:33: error: write the absolute path of the program: there is no PATH to look for \"echo\" in"},
        {"hook for nothing known", HEAD "hooks: [{on: [anounce], exec: [/bin/true]}]\n",
         "z.yaml:11:15: error: \"on\" cannot be \"anounce\": did you mean \"announce\"?"},
        {"backstop at a stranger", NETWORK("203.0.113.0/24", "203.0.113.53", "    backstop: [203.0.112.0/23]\n    backstop-at: [nobody]\n"),
         "z.yaml:9:19: error: no node is called \"nobody\""},
        {"backstop at a node of another kind", "fleet: f\nnodes:\n- {name: a, role: pop, networks: [n], management: [192.0.2.21], bgp: {neighbors: [{address: 192.0.2.1, as: 1}]}}\n"
         "- {name: h, role: primary, management: [192.0.2.10]}\nnetworks:\n  - {name: n, as: 64500, prefixes: [203.0.113.0/24], addresses: [203.0.113.53],\n"
         "     backstop: [203.0.112.0/23], backstop-at: [a, h]}\n",
         "z.yaml:7:51: error: node \"h\" is not in network \"n\": only its pops can announce its backstop"},
        {"guard", NETWORK("203.0.113.0/24", "203.0.113.53", "    keep-at-least: 2\n"),
         "z.yaml:8:20: error: \"keep-at-least\" is 2, but only 1 pop announces network \"n\": the guard would never let go; write at most 1"},
        {"AS 0", NEIGHBOR("local: 192.0.2.22}, {address: 192.0.2.2, as: 0"),
         "z.yaml:12:84: error: AS 0 is nobody's (RFC 7607): write your own number, or a private one such as 64512"},
        {"AS_TRANS", NEIGHBOR("local: 192.0.2.22}, {address: 192.0.2.2, as: 23456"),
         "z.yaml:12:84: error: AS 23456 (AS_TRANS, RFC 6793) only stands for others: write the real 4-octet number"},
        {"AS 65535", NEIGHBOR("local: 192.0.2.22}, {address: 192.0.2.2, as: 65535"), "z.yaml:12:84: error: AS 65535 is reserved (RFC 7300): write the real number"},
        {"management in prefix", HEAD "  - {name: b, role: pop, networks: [n], management: [203.0.113.7]}\n",
         "z.yaml:11:54: error: management address 203.0.113.7 is inside 203.0.113.0/24 of network \"n\": it must be the machine's own, not anycast"},
        {"management is service", HEAD "  - {name: b, role: pop, networks: [n], management: [203.0.113.53]}\n",
         "z.yaml:11:54: error: management address 203.0.113.53 is inside 203.0.113.0/24 of network \"n\": it must be the machine's own, not anycast"},
        {"management twice", HEAD "  - {name: b, role: pop, networks: [n], management: [192.0.2.21]}\n",
         "z.yaml:11:54: error: management address 192.0.2.21 is that of node \"a\" already"},
        {"neighbor in prefix", NEIGHBOR("local: 192.0.2.22}, {address: 203.0.113.1, as: 64496"),
         "z.yaml:12:69: error: neighbor 203.0.113.1 is inside our own 203.0.113.0/24 of network \"n\": write the router's own address"},
        {"neighbor is us", NEIGHBOR("local: 192.0.2.22}, {address: 192.0.2.22, as: 64496"),
         "z.yaml:12:69: error: neighbor 192.0.2.22 is this node's own management address"},
        {"neighbor twice", NEIGHBOR("local: 192.0.2.22}, {address: 192.0.2.1, as: 64496"), "z.yaml:12:69: error: neighbor 192.0.2.1 is here twice"},
        {"local family", NEIGHBOR("local: \"2001:db8::1\""), "z.yaml:12:46: error: \"local\" and \"address\" must be of the same family"},
        {"ttl-security far away", NEIGHBOR("ttl-security: true, multihop: 2"),
         "z.yaml:12:53: error: \"ttl-security\" is for neighbors on the link: remove it or \"multihop\""},
        {"primary in a network", HEAD "  - {name: b, role: primary, networks: [n]}\n", "z.yaml:11:40: error: a primary is hidden and announces nothing: remove \"networks\", or write role: pop"},
        {"two AS in one node",
         "fleet: f\nnetworks:\n  - {name: m, as: 64501, prefixes: [10.0.0.0/8], addresses: [10.0.0.1]}\n"
         "  - {name: n, as: 64500, prefixes: [11.0.0.0/8], addresses: [11.0.0.1]}\n"
         "nodes:\n  - {name: b, role: pop, networks: [m, n]}\n",
         "z.yaml:6:40: error: networks of one node share one \"as\": \"n\" has 64500, but \"m\" has 64501; use two nodes or one AS"},
        {"router-id twice",
         "fleet: f\nnodes:\n  - {name: a, role: pop, bgp: {router-id: 10.0.0.1}}\n  - {name: b, role: pop, bgp: {router-id: 10.0.0.1}}\n",
         "z.yaml:4:43: error: this router-id is that of node \"a\" already"},
        {"zone twice", HEAD "zones:\n  - {name: a.example, file: x, network: n}\n  - {name: A.Example., file: y, network: n}\n",
         "z.yaml:13:12: error: zone \"A.Example.\" is defined twice; the first is in line 12"},
        {"zone from nowhere", HEAD "zones:\n  - {name: a.example, network: n}\n",
         "z.yaml:12:5: error: zone \"a.example\" has none of \"file\", \"primaries\" and \"backends\": where does it come from?"},
        {"zone from two places", HEAD "zones:\n  - {name: a.example, network: n, file: x, primaries: [192.0.2.9]}\n",
         "z.yaml:12:55: error: zone \"a.example\" has both \"file\" and \"primaries\": remove one"},
        {"a catalog without its zone", HEAD "catalogs:\n  - zone: c.example\n",
         "z.yaml:12:11: error: catalog \"c.example\" is none of \"zones\": add it there, with \"primaries\" or \"file\" (or neither, with \"produce\")"},
        {"a catalog twice", HEAD "zones:\n  - {name: c.example, primaries: [192.0.2.9]}\ncatalogs:\n  - zone: c.example\n  - zone: C.example\n",
         "z.yaml:15:11: error: catalog \"C.example\" is here twice"},
        {"a catalog made and read", HEAD "zones:\n  - {name: c.example, file: x}\ncatalogs:\n  - {zone: c.example, produce: true}\n",
         "z.yaml:14:32: error: the zone of a catalog that is produced has neither \"file\" nor \"primaries\": remove them in line 12, or \"produce\""},
        {"members of a catalog that is made", HEAD "zones:\n  - name: c.example\ncatalogs:\n  - {zone: c.example, produce: true, members: {network: n}}\n",
         "z.yaml:14:47: error: \"members\" and \"groups\" are for catalogs that are not produced here"},
        {"a group twice", HEAD "zones:\n  - {name: c.example, primaries: [192.0.2.9]}\ncatalogs:\n  - {zone: c.example, groups: [{name: a}, {name: a}]}\n",
         "z.yaml:14:50: error: group \"a\" is here twice"},
        {"networks of a catalog that is taken", HEAD "zones:\n  - {name: c.example, primaries: [192.0.2.9]}\ncatalogs:\n  - {zone: c.example, networks: [n]}\n",
         "z.yaml:14:33: error: \"networks\" is for catalogs with \"produce\": for members write members: {network: ...}"},
        {"a catalog with a zone that has nothing", HEAD "zones:\n  - {name: c.example, network: n}\ncatalogs:\n  - {zone: c.example}\n",
         "z.yaml:12:5: error: zone \"c.example\" has none of \"file\", \"primaries\" and \"backends\": where does it come from?"},
        {"notify to a service address", HEAD "zones:\n  - {name: a.example, file: x, network: n, notify: [192.0.2.9, 203.0.113.53]}\n",
         "z.yaml:12:64: error: 203.0.113.53:53 is a service address: whoever is nearest would be told; name the server's own address"},
        {"transfer to no prefix", HEAD "zones:\n  - {name: a.example, file: x, network: n, allow-transfer: [192.0.2.1/24]}\n",
         "z.yaml:12:61: error: \"allow-transfer\": 192.0.2.1/24 has host bits set: 192.0.2.0/24 was meant?"},
        {"rpki without caches", HEAD "rpki: {invalid: alert}\n", "z.yaml:11:7: error: without \"caches\" nothing is validated: name one, or remove \"rpki\""},
        {"rpki with something else", HEAD "rpki: {caches: [{address: 192.0.2.3}], invalid: drop}\n",
         "z.yaml:11:49: error: \"invalid\" cannot be \"drop\": it is one of refuse, alert"},
        {"rpki held too long", HEAD "rpki: {caches: [{address: 192.0.2.3}], expire: 49h}\n",
         "z.yaml:11:48: error: \"expire\" is 49h: out of range, it must be from 1s to 48h"},
        {"a cache twice", HEAD "rpki: {caches: [{address: 192.0.2.3}, {address: 192.0.2.3, port: 8282}, {address: 192.0.2.3}]}\n",
         "z.yaml:11:73: error: cache 192.0.2.3 is here twice"},
        {"a cache in our own prefix", HEAD "rpki: {caches: [{address: 203.0.113.9}]}\n",
         "z.yaml:11:17: error: cache 203.0.113.9 is inside our own 203.0.113.0/24 of network \"n\": it must not depend on what it is asked about"},
        {"size without unit", HEAD "answer: {tcp: {memory: 64}}\n", "z.yaml:11:24: error: \"memory\" is 64 without a unit: write KiB, MiB or GiB behind it"},
        {"size in words", HEAD "answer: {tcp: {memory: lots}}\n", "z.yaml:11:24: error: \"memory\" wants a size such as 64MiB, 512KiB or 1GiB, not \"lots\""},
        {"size out of range", HEAD "answer: {tcp: {memory: 8GiB}}\n", "z.yaml:11:24: error: \"memory\" is 8GiB: out of range, it must be from 1024KiB to 4193280KiB"},
        {"record type", HEAD "answer: {filters: [{types: [AAAAA], action: drop}]}\n", "z.yaml:11:29: error: \"types\": \"AAAAA\" is no record type such as A, ANY or TYPE65280"},
        {"filter of everything", HEAD "answer: {filters: [{action: drop}]}\n",
         "z.yaml:11:20: error: this filter matches every question: give it a \"name\", \"types\" or \"clients\""},
	{"filter without action", HEAD "answer: {filters: [{types: [ANY]}]}\n",
         "z.yaml:11:20: error: a filter has no \"action\" (drop, refuse, or truncate: ask again over TCP)"},
	{"tls without key", HEAD "answer: {tls: {certificate-file: a.pem}}\n",
         "z.yaml:11:15: error: tls has no \"key-file\" (its private key, PEM)"},
	{"unknown status-key", HEAD "status-key: transfer\n", "z.yaml:11:13: error: no key is named \"transfer\": add it to \"keys\""},
	{"unknown tls-auth",
         HEAD "tls-auth: [{name: up, pins: [" PIN
              "]}]\nzones: [{name: a.example, network: n, primaries: [192.0.2.9], tls: pu}]\n",
         "z.yaml:12:68: error: no tls-auth is named \"pu\": did you mean \"up\"?"},
	{"unknown tls-auth of a primary",
         HEAD "zones: [{name: a.example, network: n, primaries: [{address: 192.0.2.9, tls: up}]}]\n",
         "z.yaml:11:77: error: no tls-auth is named \"up\": add it to \"tls-auth\""},
	{"primary without address", HEAD "zones: [{name: a.example, network: n, primaries: [{port: 853}]}]\n",
         "z.yaml:11:51: error: a primary has no \"address\" (address of the server)"},
	{"port 0 of a primary", HEAD "zones: [{name: a.example, network: n, primaries: [\"192.0.2.9:0\"]}]\n",
         "z.yaml:11:51: error: \"primaries\": \"192.0.2.9:0\" is no address such as 192.0.2.1, 192.0.2.1:5353 or "
         "[2001:db8::1]:5353"},
	{"nothing to know a server by", HEAD "tls-auth: [{name: up, server-name: ns.example}]\n",
         "z.yaml:11:19: error: tls-auth \"up\" has neither \"ca-file\" nor \"pins\": how is the server known? The "
         "system's authorities are in "
         "/etc/ssl/certs/ca-certificates.crt"},
	{"no pin", HEAD "tls-auth: [{name: up, pins: [AAAA]}]\n",
         "z.yaml:11:30: error: a pin is base64 of 32 octets: openssl x509 -in CERTIFICATE -noout -pubkey | openssl "
         "pkey -pubin -outform der | openssl "
         "dgst -sha256 -binary | openssl base64"},
	{"half an identity", HEAD "tls-auth: [{name: up, pins: [" PIN "], key-file: k.pem}]\n",
         "z.yaml:11:87: error: \"certificate-file\" and \"key-file\" go together"},
	{"tls-auth twice", HEAD "tls-auth: [{name: up, pins: [" PIN "]}, {name: up, pins: [" PIN "]}]\n",
         "z.yaml:11:85: error: tls-auth \"up\" is defined twice; the first is in line 11"},
	{"tls of a file without answer.tls",
         HEAD "tls-auth: [{name: up, pins: [" PIN "]}]\nzones: [{name: a.example, network: n, file: x, tls: up}]\n",
         "z.yaml:12:53: error: zone \"a.example\": the fleet's primaries speak no TLS: add \"tls\" with a certificate "
         "to \"answer\""},
	{"transfer-over without tls", HEAD "zones: [{name: a.example, network: n, file: x, transfer-over: tls}]\n",
         "z.yaml:11:63: error: nobody could transfer zone \"a.example\": add \"tls\" with a certificate to \"answer\""},
	{"mutual-tls without authorities",
         HEAD TLS "zones: [{name: a.example, network: n, file: x, transfer-over: mutual-tls}]\n",
         "z.yaml:12:63: error: nobody could transfer zone \"a.example\": add \"client-ca-file\" to \"tls\" of "
         "\"answer\""},
	{"pops without tls", HEAD TLS "zones: [{name: a.example, network: n, file: x, transfer-over: tls}]\n",
         "z.yaml:12:63: error: zone \"a.example\": the fleet's pops could not transfer it: give it a \"tls\""},
	{"rise-hold", NETWORK("203.0.113.0/24", "203.0.113.53", "    rise-hold: 10m\n"),
         "z.yaml:4:5: error: \"rise-hold-max\" is less than \"rise-hold\""},
};

/* Text of the first error, "" if none. */
static void first_error(const struct diag *d, char *buf, size_t cap)
{
	buf[0] = '\0';
	for (const struct diag_entry *e = d->first; e; e = e->next) {
		if (e->severity == DIAG_ERROR) {
			diag_entry_text(e, buf, cap);
			return;
		}
	}
}

/* BFD that will not do what its author thinks: said, and done all the same. */
static void test_bfd_warnings(void **state)
{
	static const struct {
		const char *name, *yaml, *want;
	} rows[] = {
	        {"defaults", NEIGHBOR("bfd: {}"), ""},
	        {"150 ms", NEIGHBOR("bfd: {interval: 50ms}"), ""},
	        {"100 ms", NEIGHBOR("bfd: {interval: 50ms, multiplier: 2}"),
	         "z.yaml:12:44: warning: BFD takes a path for dead after 100 ms: below 150 ms a busy machine does so too; write interval: 75ms, or more"},
	        {"30 ms", NEIGHBOR("bfd: {interval: 10ms}"),
	         "z.yaml:12:44: warning: BFD takes a path for dead after 30 ms: below 150 ms a busy machine does so too; write interval: 50ms, or more"},
	        {"multihop alone", NEIGHBOR("bfd: {multihop: true}"),
	         "z.yaml:12:44: warning: \"bfd\" is multihop, the session is not: set \"multihop\" of the neighbor"},
	        {"multihop of both", NEIGHBOR("multihop: 3, bfd: {multihop: true}"), ""},
	        {"multihop for FRR", NEIGHBOR("ttl-security: true, bfd: {multihop: true}"), ""},
	        {"FRR would not come up", NEIGHBOR("ttl-security: true, bfd: {}"),
	         "z.yaml:12:53: warning: \"ttl-security\" together with single-hop \"bfd\": FRR does multihop BFD then; with FRR write bfd: {multihop: true}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config *c = NULL;
		char got[2048] = "";
		struct diag d;

		diag_init(&d);
		assert_int_equal(config_parse("z.yaml", rows[i].yaml, strlen(rows[i].yaml), &d, &c), 0);
		for (const struct diag_entry *e = d.first; e; e = e->next)
			if (strstr(diag_entry_text(e, got, sizeof(got)), "BFD") || strstr(got, "bfd"))
				break;
			else
				got[0] = '\0';
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name, got);
		config_free(c);
		diag_done(&d);
	}
}

static void test_broken(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = NULL;
		char got[2048];
		struct diag d;

		diag_init(&d);
		int rc = config_parse("z.yaml", cases[i].yaml, strlen(cases[i].yaml), &d, &c);

		first_error(&d, got, sizeof(got));
		if (rc != ERR_INVALID || c || strcmp(got, cases[i].want) != 0) {
			printf("%s: rc %d\n  got  %s\n  want %s\n", cases[i].name, rc, got, cases[i].want);
			bad++;
		}
		config_free(c);
		diag_done(&d);
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_broken), cmocka_unit_test(test_bfd_warnings)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
