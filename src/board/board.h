/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "board/events.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The board: what every process of a node knows of the others, in one shared-memory file (a memfd made by the supervisor, inherited by
 * all). Each section has one writer, every other process maps it read-only in spirit; nothing here is ever locked or waited for.
 *
 * Single words are relaxed atomics. Groups that must be read together (a verdict with its reason) carry a sequence number: the writer
 * makes it odd, writes, makes it even; a reader copies and retries while it was odd or has changed (board_copy()). A writer that
 * died inside leaves it odd: readers give up after a bounded number of tries and report the copy as torn. */
enum {
	BOARD_VERSION = 13,
	BOARD_WORKERS_MAX = 256,
	BOARD_NETWORKS_MAX = 64,
	BOARD_ADDRESSES_MAX = 16,  /* of a network */
	BOARD_NEIGHBORS_MAX = 32,
	BOARD_PATHS_MAX = 8,       /* neighbors beyond devices with XDP */
	BOARD_PEERS_MAX = 128,     /* other PoPs of a network that are watched */
	BOARD_NODES_MAX = 1000,    /* of the fleet */
	BOARD_MANAGEMENT_MAX = 8,  /* addresses of a node at which it is asked */
	BOARD_SILENT = 3,          /* questions about its status in a row without an answer: an address is silent */
	BOARD_ORIGINS_MAX = 4096,  /* prefixes whose origin is validated */
	BOARD_HIJACKS_MAX = 32,    /* shown */
	BOARD_DRIFTS_MAX = 1024,   /* shown */
	BOARD_DRIFT_PINS = 3,      /* versions of the store that watch holds beside the one that it asks questions by */
	BOARD_TOLD_VIEWS_MAX = 1024, /* networks as other nodes see them */
	BOARD_CACHES_MAX = 8,      /* RPKI */
	BOARD_BACKENDS_MAX = 256,  /* servers of all pools that answer for zones */
	BOARD_POOLS_MAX = 1024,    /* of endpoints */
	BOARD_STEERED_MAX = 256,   /* policies with their pools, counted */
	BOARD_ENDPOINTS_MAX = 4096, /* of all pools, shown */
	BOARD_FAMILIES = 2,        /* [0] IPv4, [1] IPv6 */
	BOARD_PAGE_MAX = 24,
	BOARD_WHY_MAX = 240,       /* bytes of one sentence, NUL included */
	BOARD_NAME_MAX = 64,
	BOARD_TOLD_MAX = 16384,    /* bytes of the text of what a neighbor is told */
	BOARD_ZONE_MAX = 128,      /* bytes of a zone's name, cut off beyond */
	BOARD_RCODES = 24,
	BOARD_TYPES = 22,          /* types of questions that are counted by name (board_query_type()), and the others together */
	BOARD_LATENCIES = 22,      /* see board_measures */
	BOARD_LATENCY_FIRST = 10,
	BOARD_SIZES = 257,
	BOARD_SIZE_BIN = 16,       /* octets */
	BOARD_SKETCH = 4096,
	BOARD_FLIPS = 64,
	BOARD_TRANSFER_PINS = 16,  /* versions of the store that transfers read at a time */
	BOARD_PROCS_MAX = BOARD_WORKERS_MAX + 5,
};

/* A heartbeat: CLOCK_MONOTONIC in nanoseconds, stamped by the process's own loop. 0 = never. */
typedef _Atomic uint64_t board_stamp;

enum board_role { ROLE_SUPERVISOR, ROLE_ANSWER, ROLE_SYNC, ROLE_WATCH, ROLE_ROUTE, ROLE_ADMIN, ROLE_TAP, ROLE_COUNT };
const char *board_role_text(enum board_role role);

/* What the operator wants of a network, whatever else is known: ORDER_FREEZE: what is announced stays as it is; ORDER_FORCE: announce. */
enum board_order { ORDER_NONE, ORDER_DRAIN, ORDER_FREEZE, ORDER_FORCE };
const char *board_order_text(enum board_order order);

/* Written by the supervisor. */
struct board_process {
	_Atomic int32_t pid; /* 0: not running */
	_Atomic uint32_t starts;
	_Atomic uint64_t started_ns;
	_Atomic int32_t last_status; /* wait status of the last death */
};
/* The XDP path. Counters as in struct xdp_counters; refreshed by the supervisor a few times a second. */
struct board_xdp {
	_Atomic uint32_t seq;
	uint32_t rung;             /* enum board_xdp_rung */
	char why[BOARD_WHY_MAX];   /* one sentence: what was chosen and why */
	_Atomic uint64_t seen, answered[2], of_backends, bytes_in, bytes_out, limited_dropped, limited_slipped, rcodes[16];
	_Atomic uint64_t passed_lease, passed_form, passed_options, passed_miss, passed_stale, passed_size, passed_other;
	_Atomic uint64_t to_workers; /* of those passed: by AF_XDP */
	_Atomic uint64_t probes;     /* of this node itself, answered in the kernel */
};
enum board_xdp_rung { RUNG_OFF, RUNG_SOCKETS, RUNG_GENERIC, RUNG_NATIVE };
const char *board_xdp_text(enum board_xdp_rung rung);

enum board_fault { FAULT_NONE, FAULT_SERVFAIL, FAULT_WRONG /* content, but for SOA */, FAULT_COUNT };

struct board_supervisor {
	board_stamp stamp;
	struct board_events events;
	_Atomic uint64_t started_ns;
	_Atomic uint64_t config_generation;
	_Atomic uint32_t workers;
	_Atomic uint32_t networks; /* number on this node; index as in the node's network list */
	_Atomic uint32_t stopping; /* 1: draining for exit */
	_Atomic uint32_t fault;        /* enum board_fault: a drill */
	_Atomic uint32_t fault_worker; /* that has it; UINT32_MAX: all */
	struct board_xdp xdp;
	struct board_process procs[BOARD_PROCS_MAX]; /* sync, watch, route, admin, then workers; the last is tap */
	struct board_network_order {
		_Atomic uint32_t order; /* enum board_order */
		_Atomic uint64_t since_ns;
		_Atomic uint32_t backstop; /* 1: its backstop is drained as well */
	} orders[BOARD_NETWORKS_MAX];
	_Atomic uint64_t drained_neighbors[BOARD_NEIGHBORS_MAX]; /* board_neighbor_key(); 0: none */
	/* The fleet file (super/accepted.h), and the last reload that was refused. */
	_Atomic uint32_t fleet_generation;  /* in force; 0: the file has none */
	_Atomic uint32_t fleet_highest;     /* ever accepted here */
	_Atomic uint32_t fleet_file_older;  /* generation + 1 of a file that was found at the start and not used, being older; 0: none */
	struct board_refusal {
		_Atomic uint32_t seq;
		uint64_t at_ns;            /* 0: none */
		char why[BOARD_WHY_MAX];
	} refused;
	uint8_t edge_key[16]; /* of marks in checks of backends (edge/mark.h): random, written before any other process is started, told to nobody outside */
	struct board_hooks {
		_Atomic uint64_t run, failed, killed, dropped; /* started; ended badly; killed at their time limit; no room in the queue */
		_Atomic uint32_t running, queued;
	} hooks;
};

/* How many different sources have asked, about: HyperLogLog with BOARD_SKETCH registers, whose standard error is 1.6 %. Those of all workers together are the
 * larger of each register. */
struct board_sketch {
	_Atomic uint8_t rank[BOARD_SKETCH];
};
enum board_source { SOURCES_IPV4, SOURCES_IPV6, SOURCES_IPV6_64, SOURCES_KINDS };

/* What a worker measures of the questions that it answers, for metrics (answer/measures.h). Transports: UDP, TCP, TLS. */
struct board_measures {
	_Atomic uint64_t types[BOARD_TYPES]; /* the last: all others, and what has no question */
	_Atomic uint64_t networks[BOARD_NETWORKS_MAX + 1][BOARD_FAMILIES]; /* whose address was asked; the last: none's, the node's own */
	_Atomic uint64_t responses[3][BOARD_FAMILIES]; /* answers made, by transport */
	/* From the call that reads a question to the end of the one that sends its answer. Bucket i: less than 2^(BOARD_LATENCY_FIRST + i) ns; the last: all that is longer. */
	_Atomic uint64_t latency[3][BOARD_LATENCIES], latency_ns[3];
	/* Octets of messages, by BOARD_SIZE_BIN; the last: 4096 and more. [0] UDP, [1] TCP and TLS. */
	_Atomic uint64_t query_sizes[2][BOARD_SIZES], answer_sizes[2][BOARD_SIZES];
	_Atomic uint64_t query_octets[2], answer_octets[2]; /* all of them */
	/* Of a day and the one before, [day & 1]; days since 1970, UTC. */
	struct board_sources {
		_Atomic uint64_t day;
		struct board_sketch kind[SOURCES_KINDS];
	} sources[2];
};

/* Queries with a cookie that another node gave: routing has moved the client here since. By client network (/24, /48): those of which most came (space-saving: a row
 * that is given up leaves its count to the next, as `error`). */
struct board_flips {
	_Atomic uint64_t total[BOARD_FAMILIES];
	struct board_flip {
		_Atomic uint32_t seq;
		uint8_t family;    /* 4 or 6; 0: the row is free */
		uint8_t site;      /* the mark of the last node they came from */
		uint8_t prefix[6]; /* 3 or 6 octets */
		uint64_t count, error; /* count is too high by `error` at most */
		uint64_t last_ns;
	} row[BOARD_FLIPS];
};

/* Written by answer worker i. */
struct board_worker {
	board_stamp stamp;
	board_stamp loop; /* when its loop began: before, it has a heartbeat, but is still being prepared */
	_Atomic uint64_t pin; /* store generation being read */
	_Atomic uint64_t queries[2][2]; /* [0 UDP, 1 TCP][0 IPv4, 1 IPv6] */
	_Atomic uint64_t answers, dropped, truncated, bytes_in, bytes_out, send_failed;
	_Atomic uint64_t cached; /* answers of the worker's cache */
	_Atomic uint64_t limited_dropped, limited_slipped, limited_badcookie; /* by rate limits */
	_Atomic uint64_t filtered[3]; /* dropped, refused, truncated by filters */
	_Atomic uint64_t ring_answers; /* of `answers`: by AF_XDP */
	_Atomic uint64_t xdp_filled; /* answers put into the kernel's cache */
	_Atomic uint64_t handed_over, handover_failed; /* requests given to sync; not taken by it, and refused here */
	_Atomic uint64_t too_big; /* answers that the interface would have had to fragment: made anew, smaller */
	_Atomic uint64_t rcodes[BOARD_RCODES];
	_Atomic uint64_t cookies[5]; /* by enum cookie_verdict: none, malformed, client only, bad, good */
	_Atomic uint64_t store_ino; /* of the store file it answers from; 0: none yet */
	_Atomic uint64_t cpu_ns;    /* CPU time it has used, by its stamp */
	_Atomic uint64_t overflows; /* datagrams that the kernel dropped before it read them; its sockets outlive it, and this counter does as well */
	/* Connections, TLS included. Closed: after the idle time; the same with half a query or an answer not taken; to make room; one
	 * client's own, to make room for it; for want of memory. memory (octets) and idle_ms are those of this moment. */
	_Atomic uint64_t tcp_accepted, tcp_open, tcp_closed_idle, tcp_closed_slow, tcp_closed_limit, tcp_closed_client, tcp_closed_memory;
	_Atomic uint64_t tcp_malformed, tcp_memory, tcp_idle_ms;
	/* TLS: connections begun, open, handshakes done, of them resumed sessions, failed, not done in time; queries by family, which are not in
	 * queries[]; the end of the certificate's validity in seconds since 1970, 0: none. */
	_Atomic uint64_t tls_accepted, tls_open, tls_handshakes, tls_resumed, tls_failed, tls_timeouts, tls_queries[2],
		tls_expires;
	_Atomic uint64_t tls_relays,
		tls_relayed; /* TLS connections that sync answers over this worker: now, and ever */
	_Atomic uint64_t tapped, tap_dropped; /* queries given to dnstap; for which there was no room */
	struct board_measures measures;
	struct board_flips flips;
	/* Zones whose answers come from backends (answer/forward.h). */
	struct board_edge {
		_Atomic uint64_t hits, stale, misses;      /* questions answered from the cache; of them after their TTL; not in it */
		_Atomic uint64_t joined, prefetched;       /* misses that waited for a question under way; questions of our own */
		_Atomic uint64_t passed;                   /* NOTIFY, UPDATE, transfers, and what has TSIG */
		_Atomic uint64_t refused, loops, failed;   /* not to be passed on; came back to us; clients that got SERVFAIL because nobody answered in time */
		_Atomic uint64_t marks[16];                /* of questions that came back: nonces of checks, by edge_mark_slot() (edge/mark.h); 0: none */
		_Atomic uint64_t late, strange;            /* answers that nobody waited for any more; that were none to a question of ours */
		_Atomic uint64_t full;                     /* questions refused because too many were under way */
		_Atomic uint64_t under_way, waiting;       /* at this moment: questions; clients */
		struct board_edge_server {                 /* by place in board_watch_backends */
			_Atomic uint64_t sent, answered, timeouts, errors, servfails, retried; /* errors: of connections and the network */
			_Atomic uint32_t outstanding, latency_us;  /* smoothed */
			_Atomic uint32_t open;                 /* 1: its circuit is open: only trials are sent */
		} server[BOARD_BACKENDS_MAX];
		_Atomic uint64_t steered, steered_unsigned; /* answers chosen by a policy; to DO, without a signature for the choice: the zone's own set was given */
		struct board_steered {                     /* `steered` by policy and pool, where there was room */
			_Atomic uint64_t key, answers;         /* board_steered_key(); 0: free */
		} steered_by[BOARD_STEERED_MAX];
	} edge;
	_Alignas(128) char end[];
};

/* Written by sync. */
struct board_sync {
	board_stamp stamp;
	struct board_events events;
	_Atomic uint64_t pin; /* unused by sync itself; keeps the layout uniform */
	_Atomic uint64_t store_ino; /* of the store file in use: a reader of another file opens anew */
	_Atomic uint64_t store_generation;
	_Atomic uint64_t zones_configured, zones_serving, zones_failed, records;
	_Atomic uint64_t loading; /* 1 while a load is under way */
	_Atomic uint64_t loading_done, loading_zones; /* of it: zones read or found unchanged; zones in all */
	_Atomic uint64_t loads_done; /* times a whole (re)load has ended; 0 = never */
	_Atomic uint64_t loads_failed;
	_Atomic uint64_t zones_held_back; /* of this moment: rolled back, their files say something else */
	_Atomic uint64_t history_failed;  /* versions of zones from files that the journal did not take */
	_Atomic uint64_t loads_refused;                /* of these: by the gate (sync/gate.h) */
	_Atomic uint64_t zones_failing;                /* now: of which the file as it is is not served */
	_Atomic uint64_t watch_folders, watch_failed;  /* folders watched for saved files; folders that cannot be */
	_Atomic uint64_t watch_saves, watch_overflows; /* zones to read because a file was saved; events lost, after which all files are looked at */
	/* Transfers to others. */
	_Atomic uint64_t transfer_pins[BOARD_TRANSFER_PINS]; /* store generations being read */
	struct board_transfers_out {
		_Atomic uint64_t axfr, ixfr, current, refused, failed; /* whole zones and differences sent, "you have the newest", refused, broken off */
		_Atomic uint64_t records, bytes;
		_Atomic uint64_t active, waiting, connections;         /* of this moment */
		_Atomic uint64_t tsig_bad;                             /* requests whose signature was not good */
		_Atomic uint64_t notify_in, notify_refused;            /* NOTIFYs received; of them not believed */
		_Atomic uint64_t notify_sent, notify_acked, notify_failed, notify_pending; /* messages; acknowledged; given up; to be sent or answered */
		_Atomic uint64_t history_octets;                       /* of differences kept in memory */
	} out;
	struct board_sync_network {
		_Atomic uint32_t zones, ready; /* of the network; serving */
		_Atomic uint32_t excused;      /* members of catalogs without data that nobody could get */
		_Atomic uint32_t awaited;      /* catalogs that are to say what its members are */
		_Atomic uint32_t held;         /* of its zones: held by transfer, with data */
		_Atomic int64_t current_ns;    /* CLOCK_MONOTONIC: all of those were known to be current then; before 0: before the machine was started */
		/* Of those the one that is nearest to its SOA EXPIRE, where expiry-alert says that it is near. */
		struct board_sync_expiry {
			_Atomic uint32_t seq;
			uint32_t near;
			int64_t at_ns; /* of its end; in the past: it is served on */
			char zone[BOARD_ZONE_MAX];
		} expiry;
		/* Of its zones the one whose signatures end first. */
		_Atomic uint32_t seq;
		uint32_t signatures;     /* 0: none is signed; 1: signatures_end is right; 2: a bound below it */
		uint32_t signatures_end; /* seconds modulo 2^32, as RRSIG has it */
		char signatures_zone[BOARD_ZONE_MAX];
	} networks[BOARD_NETWORKS_MAX];
	/* Zones held by transfer. */
	struct board_transfers_in {
		_Atomic uint64_t zones, serving, expired, failing, empty; /* of this moment; failing: not refreshed by the last attempt */
		_Atomic uint64_t queued, active;                          /* due; being asked for or transferred */
		_Atomic uint64_t confirmed, axfr, ixfr, fallbacks, failed; /* primary has nothing newer; versions taken; IXFRs that became AXFRs; attempts */
		_Atomic uint64_t refused;                                 /* transfers complete, but not fit to be served */
		_Atomic uint64_t records, bytes;                          /* as sent */
		_Atomic uint64_t notified, notify_refused;                /* NOTIFYs believed; not believed */
		_Atomic uint64_t journal_failed;                          /* writes */
		_Atomic uint64_t repeated;                                /* records that IXFRs added although they were there */
	} in;
};

enum board_verdict { VERDICT_UNKNOWN, VERDICT_PASS, VERDICT_SOFT, VERDICT_HARD };
const char *board_verdict_text(enum board_verdict v);

/* Why a verdict is soft: bits. Each is a cause that other PoPs may share, so the guard decides what comes of it. A soft verdict without any is an alert, for which
 * nobody need leave: signatures that end soon, or have expired where that is configured to be an alert. */
enum board_cause {
	CAUSE_STALE = 1,      /* the data could not be confirmed for longer than the network allows */
	CAUSE_BEHIND = 2,     /* other PoPs have newer serials, and this one does not get them */
	CAUSE_SIGNATURES = 4, /* DNSSEC signatures have expired */
	CAUSE_OVERLOAD = 8,   /* its busiest worker is at its limit, or queries are lost before they are read */
	CAUSE_EXPIRY = 16,    /* a zone is near its SOA EXPIRE, or beyond it and still served */
	CAUSE_ZONES = 32,     /* a zone that should be there is not served */
	CAUSE_BACKENDS = 64,  /* no backend of a zone answers: what is given for it is stale */
	CAUSE_COUNT = 7,
};
/* Of one bit: "stale". */
const char *board_cause_text(uint32_t cause);

/* Written by watch. */
struct board_watch_network {
	_Atomic uint32_t seq;
	uint32_t verdict;    /* enum board_verdict, of the whole network: the worse of its families */
	uint64_t since_ns;   /* of the verdict */
	uint64_t checked_ns; /* last check that counted */
	char why[BOARD_WHY_MAX];
	/* IPv4 may fail alone. A family without service addresses has the verdict of the other. */
	struct board_watch_family {
		uint32_t verdict;         /* enum board_verdict */
		uint32_t causes;          /* enum board_cause; SOFT only */
		uint32_t checks, passing; /* of this moment; passing: the last answer was right. "Answers anything" is passing > 0 */
		uint64_t since_ns;
		char why[BOARD_WHY_MAX];
	} family[BOARD_FAMILIES];
	uint64_t data_age_ms; /* since the data of all its zones was last known to be current; 0: nothing is held by transfer */
	uint64_t stale_in_ms; /* until that age is CAUSE_STALE; 0: it is; UINT64_MAX: never */
	uint32_t load;        /* permille of what the busiest worker can do, over the last seconds */
	uint32_t qps;         /* answers per second */
	uint32_t headroom;    /* queries per second that could come on top; UINT32_MAX: not known */
	struct board_watch_check { /* per address: UDP, TCP */
		uint8_t verdict;
		uint8_t mark[3];         /* of the address it is for: see watch/plan.c */
		uint32_t latency_us; /* last answer */
		uint64_t passes, failures;
	} checks[BOARD_ADDRESSES_MAX][2];
};

/* What the other PoPs of a network say of themselves. Rows are in the order of the fleet file's nodes, which is the same everywhere. */
struct board_watch_peers {
	_Atomic uint32_t count;
	struct board_peer {
		_Atomic uint32_t seq;
		uint32_t node;       /* index in the configuration */
		uint64_t asked_ns;   /* last question */
		uint64_t heard_ns;   /* when the question left to which the last answer came: what is told here was so then or later; 0: never heard */
		uint32_t round_us;   /* of the last answer */
		struct board_peer_family {
			uint8_t announce; /* enum board_announce */
			uint8_t verdict;  /* enum board_verdict */
			uint8_t causes;   /* enum board_cause of the verdict */
			uint8_t intent;   /* enum board_cause: it means to leave for these; 0: it does not */
			bool answers;     /* something, if not all of it rightly */
		} family[BOARD_FAMILIES];
		uint64_t data_age_ms;
		uint32_t load, qps, headroom; /* as in board_watch_network */
	} peer[BOARD_PEERS_MAX];
};

/* All other nodes that this one asks, and what they say; for people. In the order of the fleet file. */
struct board_watch_nodes {
	_Atomic uint32_t count;
	_Atomic uint64_t asked, heard, bad; /* questions, answers that were believed, answers that were not */
	_Atomic uint64_t told, told_refused; /* as the one who is asked: answers given; questions refused or left unanswered */
	struct board_node {
		_Atomic uint32_t seq;
		char name[BOARD_NAME_MAX];
		bool primary, stopping;
		bool same_config;       /* it has the same fleet file as this node */
		uint64_t asked_ns, heard_ns; /* as in struct board_peer */
		uint32_t round_us;
		char why[BOARD_WHY_MAX]; /* what was wrong with the last answer that was not believed, if none was since; "" nothing */
		char version[32];
		uint64_t uptime_s, generation, zones, serving;
		struct board_node_address {
			struct ip_addr address;
			uint64_t asked_ns, heard_ns;
			uint32_t failures; /* questions in a row without an answer */
		} address[BOARD_MANAGEMENT_MAX];
		uint32_t network_count;
		struct board_node_network {
			char name[BOARD_NAME_MAX];
			struct board_peer_family family[BOARD_FAMILIES];
			uint64_t asked_ns, heard_ns, data_age_ms;
			uint32_t load, qps, headroom;
		} network[BOARD_NETWORKS_MAX];
	} node[BOARD_NODES_MAX];
};

/* Zones that are not the same here and elsewhere. A zone on its way is none: what counts is how long it does not move, and what cannot be right at any time. */
enum board_drift_kind {
	DRIFT_NONE,
	DRIFT_BEHIND,  /* an older serial there */
	DRIFT_STUCK,   /* behind, and not moving for longer than the limit */
	DRIFT_CONTENT, /* the same serial, other content */
	DRIFT_MISSING, /* not served there */
	DRIFT_AHEAD,   /* a newer serial there than here: here is behind */
	DRIFT_KINDS,
};
const char *board_drift_text(enum board_drift_kind k);
struct board_watch_drift {
	_Atomic uint32_t changes; /* goes up after a row was written: a reader of all rows looks at this first */
	_Atomic uint32_t rows, hidden; /* shown; those for which there was no room */
	_Atomic uint64_t compared_ns;  /* last whole comparison with all that can be asked */
	struct board_drift {
		_Atomic uint32_t seq;
		uint32_t kind;       /* enum board_drift_kind; NONE: the row is free */
		uint32_t node;       /* in board_watch_nodes; UINT32_MAX: a server outside of the fleet */
		struct ip_addr server; /* of that one; else family 0 */
		uint32_t alert;      /* 1: for longer than the limit, or content */
		uint32_t here, there; /* serials */
		uint32_t versions;   /* seen here since the one that is there; 0: not known */
		uint64_t since_ns, moved_ns; /* of the drift; when its serial there last moved */
		char network[BOARD_NAME_MAX];
		char zone[BOARD_ZONE_MAX];
		char why[BOARD_WHY_MAX];
	} row[BOARD_DRIFTS_MAX];
	struct board_drift_node {
		_Atomic uint64_t compared_ns; /* 0: never */
		_Atomic uint32_t kinds[DRIFT_KINDS]; /* zones of each kind, those that are not shown included */
	} node[BOARD_NODES_MAX];
};

/* How others, and clients, see the nodes and networks: see watch/views.c. */
enum board_outside { OUTSIDE_UNKNOWN, OUTSIDE_GOOD, OUTSIDE_SILENT, OUTSIDE_FILTERED };
const char *board_outside_text(enum board_outside o);
struct board_watch_views {
	/* Of nodes[i].address[k]: plain questions, [0] UDP, [1] TCP. */
	struct board_view_path {
		_Atomic uint64_t asked, answered;
		_Atomic uint64_t last_ns; /* last answer; 0: never */
		_Atomic uint32_t latency_us; /* smoothed */
		_Atomic uint32_t failures;   /* in a row */
	} path[BOARD_NODES_MAX][BOARD_MANAGEMENT_MAX][2];
	/* Of the configuration's networks (not only this node's): who answers at the anycast address, seen from here. */
	struct board_view_network {
		_Atomic uint32_t seq;
		char network[BOARD_NAME_MAX]; /* "": the row is free */
		struct board_view_family {
			bool own;                   /* this node holds the addresses itself: it cannot ask as others do */
			char node[BOARD_NAME_MAX];  /* by NSID; "": nobody has answered */
			uint64_t since_ns;          /* that one */
			uint64_t asked_ns, heard_ns;
			uint32_t latency_us, failures, flips; /* flips: changes of who answers */
			uint32_t seen;              /* enum board_outside: from here; GOOD: somebody answers, SILENT: nobody does */
			uint64_t seen_since_ns;
			uint32_t outside;           /* enum board_outside: this node's own network, seen from outside of it */
			uint64_t outside_since_ns;
			char why[BOARD_WHY_MAX];
		} family[BOARD_FAMILIES];
	} network[BOARD_NETWORKS_MAX];
	/* What other nodes say that they see of networks which they do not hold themselves. */
	struct board_view_told {
		_Atomic uint32_t seq;
		char viewer[BOARD_NAME_MAX]; /* "": the row is free */
		char network[BOARD_NAME_MAX];
		uint64_t heard_ns; /* of the viewer, as in struct board_peer */
		struct board_told_family {
			char node[BOARD_NAME_MAX]; /* who answers there, or did last; "": nobody ever has */
			uint32_t state;            /* enum board_outside: UNKNOWN: it does not ask, GOOD, SILENT */
			uint64_t since_ns;
		} family[BOARD_FAMILIES];
	} told[BOARD_TOLD_VIEWS_MAX];
};

/* Name servers that answer for zones, as watch finds them. Row i is the i-th server of all pools in the order of the configuration; `key` tells which one that is
 * while configurations change. */
enum board_up { UP_UNKNOWN, UP_YES, UP_NO };
const char *board_up_text(enum board_up up);
struct board_watch_backends {
	_Atomic uint32_t rows;
	struct board_backend {
		_Atomic uint64_t key;     /* board_backend_key(); 0: the row is free */
		_Atomic uint32_t up;      /* enum board_up: checks alone. Workers send to UNKNOWN as well */
		_Atomic uint32_t seq;
		char pool[BOARD_NAME_MAX], name[BOARD_NAME_MAX];
		struct endpoint at;
		uint64_t since_ns;        /* of `up` */
		uint64_t checked_ns, passed_ns; /* last check; last that was good */
		uint64_t checks, failures;
		uint32_t latency_us;
		uint32_t loops;           /* 1: its questions come back to us */
		char why[BOARD_WHY_MAX];
	} row[BOARD_BACKENDS_MAX];
};

/* Endpoints that names are steered to. Bit i of `up` is endpoint i of the pool; those that are not known yet count as up, so that nobody is refused because a node has just begun. */
struct board_watch_endpoints {
	_Atomic uint32_t changes;     /* goes up after a word or row was written */
	_Atomic uint32_t pools, rows, hidden;
	_Atomic uint64_t passed, failed, not_made; /* checks; the last: for want of descriptors, ports, programs at a time */
	struct board_pool {
		_Atomic uint64_t key;     /* board_pool_key(); 0: free. Place: as in the configuration */
		_Atomic uint64_t up;
		_Atomic uint64_t changed_ns;
	} pool[BOARD_POOLS_MAX];
	struct board_endpoint {
		_Atomic uint32_t seq;
		char pool[BOARD_NAME_MAX], name[BOARD_NAME_MAX];
		uint32_t place;           /* bit in `up` */
		uint32_t up;              /* enum board_up: what counts */
		uint32_t own;             /* likewise: what this node sees itself; UNKNOWN: it does not check */
		uint32_t others_up, others_down; /* nodes that say so */
		uint64_t since_ns, checked_ns;
		uint32_t latency_us;
		char why[BOARD_WHY_MAX];
	} row[BOARD_ENDPOINTS_MAX];
};

/* A way through a device with XDP and back by way of a neighbor (watch/path.h). ifindex 0: none. */
struct board_watch_path {
	_Atomic uint32_t seq;
	uint32_t ifindex;
	char device[16];
	struct ip_addr neighbor;
	uint32_t verdict;          /* enum board_verdict */
	uint64_t since_ns;
	uint64_t turned, failed;   /* turns */
	uint64_t from_cache, from_worker; /* answers that came back */
	char why[BOARD_WHY_MAX];
};
/* Origin validation of this node's prefixes (watch/rpki.h). It stays valid until its times are over, whether watch lives or not. */
enum board_origin_state { ORIGIN_UNKNOWN, ORIGIN_VALID, ORIGIN_INVALID, ORIGIN_NOT_FOUND };
const char *board_origin_text(enum board_origin_state s);
struct board_rpki {
	_Atomic uint32_t changes; /* goes up after a row was written: a reader of all rows looks at this first */
	_Atomic uint32_t origins, caches;
	struct board_origin {
		_Atomic uint32_t seq;
		struct ip_prefix prefix;
		uint32_t as;
		uint32_t network;    /* in the node's list */
		uint32_t state;      /* enum board_origin_state */
		uint8_t backstop;    /* it is one of a network's backstop prefixes */
		uint8_t refuse;      /* not to be announced, until expires_ns */
		uint64_t since_ns;   /* of the state */
		uint64_t expires_ns; /* of what it rests on; 0: nothing */
		char why[BOARD_WHY_MAX];
	} origin[BOARD_ORIGINS_MAX];
	struct board_cache {
		_Atomic uint32_t seq;
		struct ip_addr address;
		uint16_t port;
		uint8_t version;
		uint8_t believed;    /* the one that counts */
		uint32_t preference;
		uint32_t serial;
		uint32_t payloads;   /* that cover our prefixes */
		uint64_t since_ns;   /* of the state */
		uint64_t synced_ns;  /* last whole answer; 0: none */
		uint64_t expires_ns; /* of its data; 0: none */
		uint64_t syncs, records, errors;
		char state[16];
		char last_error[160];
	} cache[BOARD_CACHES_MAX];
};

struct board_watch {
	board_stamp stamp;
	struct board_events events;
	_Atomic uint64_t pin;
	_Atomic uint64_t drift_pins[BOARD_DRIFT_PINS]; /* store generations being compared with others' zones */
	_Atomic uint64_t damaged_ino; /* the store file in which content was found that is not as it was written; 0: none. Sync begins a new one */
	_Atomic uint64_t verified;    /* rounds through all zones in which none was */
	struct board_watch_network networks[BOARD_NETWORKS_MAX];
	struct board_watch_peers peers[BOARD_NETWORKS_MAX];
	struct board_watch_nodes nodes;
	struct board_watch_path paths[BOARD_PATHS_MAX];
	struct board_watch_drift drift;
	struct board_watch_views views;
	struct board_watch_backends backends;
	struct board_watch_endpoints endpoints;
	struct board_rpki rpki;
};

enum board_announce { ANNOUNCE_NONE, ANNOUNCE_YES, ANNOUNCE_GSHUT, ANNOUNCE_DEPREF };
const char *board_announce_text(enum board_announce a);

/* Written by route. */
struct board_route_network {
	_Atomic uint32_t seq;
	uint32_t announce; /* enum board_announce: what is decided; of two families the one that says less */
	uint64_t since_ns;
	uint64_t hold_until_ns; /* rise hold-down: not announced again before; 0 none */
	uint32_t flaps;
	uint32_t drained;  /* 1: operator order carried out, withdrawn everywhere */
	char why[BOARD_WHY_MAX];
	/* Its backstop (route/backstop.h): announced, and why. */
	uint32_t backstop; /* enum board_announce */
	uint64_t backstop_since_ns; /* 0: it has none here */
	char backstop_why[BOARD_WHY_MAX];
	struct board_route_family {
		uint32_t announce; /* enum board_announce */
		uint32_t intent;   /* enum board_cause: it means to leave for these as soon as the guard lets it; told to the other PoPs */
		uint64_t intent_ns; /* since when */
		uint64_t since_ns, hold_until_ns;
		uint32_t flaps;
		char page[BOARD_PAGE_MAX]; /* of doc/howto: what this state means and what to do */
		char why[BOARD_WHY_MAX];
	} family[BOARD_FAMILIES];
};
/* BFD with a neighbor. */
struct board_bfd {
	uint32_t on;       /* 0: not configured; the rest says nothing */
	uint32_t multihop;
	uint32_t state;    /* enum bfd_state */
	uint64_t since_ns;
	uint64_t transitions, falls; /* falls: Up lost for a reason that reset BGP */
	uint64_t tx_us, detect_us;   /* as agreed on now; detect 0: not heard */
	uint64_t in, out, bad, unsent; /* packets */
	char state_text[12], remote_text[12];
	char diag[32], remote_diag[32];
	char why[BOARD_WHY_MAX];
};
struct board_route_neighbor {
	_Atomic uint32_t seq;
	struct ip_addr address;
	uint32_t as;
	uint32_t state;     /* enum bgp_state */
	uint64_t since_ns;
	uint32_t established_count;
	uint32_t hold_s;
	uint32_t announced; /* prefixes now on the session */
	uint32_t bad_messages;
	uint32_t order;     /* enum board_announce that an order to drain this neighbor leaves it with; ANNOUNCE_YES: no such order */
	char state_text[16];
	char last_error[BOARD_WHY_MAX];
	char interface[16]; /* of a link-local address; else "" */
	uint32_t received;  /* prefixes that it sends; none is used */
	uint32_t over_max;  /* 1: more than max-prefixes */
	struct board_bfd bfd;
};
/* What a neighbor has been told, as of the last message to it. */
struct board_route_told {
	_Atomic uint32_t seq;
	uint32_t left_out;         /* routes that did not fit */
	char text[BOARD_TOLD_MAX]; /* a route a line: "192.0.2.0/24 nh 10.0.0.2 path 64500\n" */
};
/* The thread of BFD. */
struct board_route_bfd {
	_Atomic uint32_t running, realtime, locked; /* realtime: SCHED_RR; locked: its memory */
	_Atomic uint32_t held;                      /* no session may be up: a worker, or the loop of route, does not live */
	_Atomic uint64_t held_count, strange, late_max_us;
};
/* Routes of others for prefixes of the fleet, as neighbors with watch-routes send them. */
struct board_hijacks {
	_Atomic uint32_t seq;
	uint32_t count, rows;     /* now; of them below */
	uint64_t seen, left_out;  /* ever; not remembered for want of room */
	struct board_hijack {
		struct ip_prefix prefix, ours; /* of the route; what it is, or is a part of */
		struct ip_addr neighbor;
		uint32_t as, origin;  /* expected; seen, 0: a set of AS */
		uint64_t since_ns;
		char path[160];
	} row[BOARD_HIJACKS_MAX];
};
struct board_route {
	board_stamp stamp;
	struct board_events events;
	struct board_route_bfd bfd;
	_Atomic uint32_t neighbors;
	struct board_route_network networks[BOARD_NETWORKS_MAX];
	struct board_route_neighbor neighbor[BOARD_NEIGHBORS_MAX];
	struct board_route_told told[BOARD_NEIGHBORS_MAX]; /* of neighbor[i] */
	struct board_hijacks hijacks;
};

/* Counters of the node when a day began (admin/rssac.c). [0] UDP, [1] TCP and TLS. */
struct board_rssac {
	uint64_t day;    /* since 1970, UTC; 0: none */
	uint64_t from_s; /* since 1970: when they were read */
	uint64_t queries[2][BOARD_FAMILIES], responses[2][BOARD_FAMILIES], rcodes[BOARD_RCODES];
	uint64_t query_sizes[2][BOARD_SIZES], answer_sizes[2][BOARD_SIZES];
};

struct board_admin {
	board_stamp stamp;
	struct board_rssac days[2]; /* [day & 1]; read by admin alone */
	_Atomic uint64_t pin;
	_Atomic uint64_t requests, refused;
	/* The web server. Refused: connections, of all (full) and of one client (client_full); requests by who has no access, whose access does not go so far, by a
	 * name that is not this node's, too large, no good in another way, to paths or with methods that there are not; orders among all requests. */
	struct board_http {
		_Atomic uint64_t accepted, open, requests, answered_bytes;
		_Atomic uint64_t full, client_full, unauthorized, forbidden, misdirected, too_large, bad, not_found, busy;
		_Atomic uint64_t silent;   /* connections that ended without a whole request */
		_Atomic uint64_t slow;     /* closed for taking too long */
		_Atomic uint64_t logins, login_failed, orders;
		_Atomic uint64_t streams, streams_ever, streams_slow; /* open now; ever; closed because the client did not keep up */
	} http;
};

/* Written by tap. */
enum board_tap_state { TAP_OFF, TAP_APART /* from its collector or file: `why` says it */, TAP_OPEN };
const char *board_tap_text(enum board_tap_state s);
struct board_tap {
	board_stamp stamp;
	_Atomic uint64_t waiting; /* octets in the rings, at this moment */
	_Atomic uint64_t broken;  /* what was no event */
	struct board_tap_out {
		_Atomic uint64_t units, octets;  /* frames, lines; written, or taken by the kernel */
		_Atomic uint64_t lost;           /* frames of which a part was sent; samples that were overwritten before they were read */
		_Atomic uint64_t opened, aside;  /* connections; files put aside */
		_Atomic uint32_t seq;
		uint32_t state;                  /* enum board_tap_state */
		uint64_t since_ns;
		char to[BOARD_WHY_MAX], why[BOARD_WHY_MAX];
	} dnstap, log;
};

struct board {
	uint32_t version;
	uint32_t size;
	uint64_t sketch_key[3]; /* random, odd: of the workers' sketches, which strangers would fill otherwise */
	_Alignas(4096) struct board_supervisor supervisor;
	_Alignas(4096) struct board_sync sync;
	_Alignas(4096) struct board_watch watch;
	_Alignas(4096) struct board_route route;
	_Alignas(4096) struct board_admin admin;
	_Alignas(4096) struct board_tap tap;
	_Alignas(4096) struct board_worker workers[BOARD_WORKERS_MAX];
};

/* A new zeroed board; *fd is its memfd (close-on-exec off is the caller's business). */
int board_create(int *fd, struct board **out) MUST_CHECK;
/* Map an inherited board. ERR_STALE when it is another version's. */
int board_attach(int fd, struct board **out) MUST_CHECK;

/* The type that board_measures.types[i] counts: "AAAA"; "other" for the last. And the place of a type. */
const char *board_query_type_text(unsigned i);
uint16_t board_query_type(unsigned i);

/* A neighbor by its address and port, the same in every process; never 0. */
uint64_t board_neighbor_key(const struct endpoint *at);
/* A server of a pool of backends; likewise. */
uint64_t board_backend_key(const char *pool, const struct endpoint *at);
/* What a policy's answers from a pool are counted under, by their names; never 0. */
uint64_t board_steered_key(const char *policy, const char *pool);
/* The row of it in struct board_edge; NULL: there is none. _take: nor room for one; by the worker alone. */
const struct board_steered *board_steered_find(const struct board_edge *edge, uint64_t key);
struct board_steered *board_steered_take(struct board_edge *edge, uint64_t key);
/* A pool of endpoints by its name and a hash of their list; likewise. */
uint64_t board_pool_key(const char *pool, uint64_t list);

/* Sequence-guarded groups. Writer: begin, change, end. Reader: copy len bytes; false when torn after bounded tries. */
void board_write_begin(_Atomic uint32_t *seq);
void board_write_end(_Atomic uint32_t *seq);
bool board_copy(const _Atomic uint32_t *seq, const void *from, void *to, size_t len);

/* By a route process before its first stamp: what its predecessor left there ended with that one's sessions. Neighbors stay, idle. */
void board_route_clear(struct board_route *route);

/* Single-writer counter: no locked instruction. */
static inline void board_add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_relaxed);
}
static inline uint64_t board_get(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}
static inline void board_stamp_now(board_stamp *stamp, uint64_t now_ns)
{
	atomic_store_explicit(stamp, now_ns, memory_order_relaxed);
}
/* Nanoseconds since the stamp; UINT64_MAX when it never was. */
static inline uint64_t board_age_ns(const board_stamp *stamp, uint64_t now_ns)
{
	uint64_t at = atomic_load_explicit(stamp, memory_order_relaxed);

	return !at ? UINT64_MAX : now_ns > at ? now_ns - at : 0;
}
