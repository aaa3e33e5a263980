/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A whole anycast internet on this machine: three regions, each with a transit router, a client and a PoP, in network namespaces of their
 * own. Nothing outside these namespaces is touched but files below the lab's folder and ports of 127.0.0.1 (web.h).
 *
 *	client -- transit(eu, BIRD) -- pop        the transits form a full mesh with latency between regions;
 *	client -- transit(us, FRR)  -- pop        every pop announces 192.0.2.0/24 and 2001:db8:53::/48
 *	client -- transit(as, FRR)  -- pop
 *
 * The hidden primary, at the transit of eu, has the zone files; the pops transfer their zones from it. */
enum { LAB_REGIONS = 3, LAB_NAME_MAX = 8, LAB_PATH_MAX = 400, LAB_PROCS_MAX = 64, LAB_NETNS_MAX = 32 };

#define LAB_DIR_DEFAULT "/run/zonecast-lab"
#define LAB_NAME_DEFAULT "zc"
#define LAB_ANYCAST_V4 "192.0.2.53"
#define LAB_ANYCAST_V6 "2001:db8:53::53"
#define LAB_PREFIX_V4 "192.0.2.0/24"
#define LAB_PREFIX_V6 "2001:db8:53::/48"
/* Less specific prefixes over them, for what a network may fall back on. */
#define LAB_BACKSTOP_V4 "192.0.2.0/23"
#define LAB_BACKSTOP_V6 "2001:db8:52::/47"
#define LAB_AS 64500
/* So long data may be without confirmation; short, as drills wait for it. */
#define LAB_STALE_AFTER "8s"
/* A zone is stuck after so long; short, likewise. */
#define LAB_DRIFT_AFTER "2s"
/* The hidden primary's link, in the clients' range, which the transits know. */
#define LAB_HIDDEN_NET 9

enum lab_router { LAB_BIRD, LAB_FRR };

struct lab_region {
	const char *name;
	enum lab_router router;
	uint32_t as;
};
extern const struct lab_region lab_regions[LAB_REGIONS];
/* One-way latency between two regions, milliseconds. */
unsigned lab_latency_ms(unsigned a, unsigned b);

struct lab {
	char dir[LAB_PATH_MAX];
	char name[LAB_NAME_MAX + 1];  /* prefix of the namespaces */
	char zones_dir[LAB_PATH_MAX]; /* further zone files, or "" */
	char self[LAB_PATH_MAX];      /* this binary */
	/* Settings; of a lab that is up they are in DIR/settings. */
	unsigned bfd_ms; /* interval of the PoPs' BFD sessions, three of which make the detection time; 0: none */
	bool plain;      /* without Prometheus and ports of the host; of `lab up` only */
	bool hidden;     /* eu is everybody's PoP and the others prepend: no transit knows a second path until the first has gone */
};
#define LAB_BFD_DEFAULT_MS 300
/* Settings of the lab that is up; ERR_NOT_FOUND: none is. */
int lab_load_settings(struct lab *l) MUST_CHECK;
/* The PoP that serves a region's clients when all is well. */
unsigned lab_serving(const struct lab *l, unsigned region);

/* Namespace of a region's part: 't' transit, 'c' client, 'p' pop; 'h' the hidden primary, of region 0 only. */
void lab_netns(const struct lab *l, char part, unsigned region, char buf[LAB_NETNS_MAX]);

/* ---- commands.c: other programs ---- */

/* Run and wait; output is discarded unless it fails, then it is in *why (may be NULL). argv ends with NULL. 0 or ERR_INVALID. */
int lab_run(struct text *why, const char *const argv[]) MUST_CHECK;
/* Run in a namespace and take its standard output. */
int lab_capture(const char *netns, struct text *out, const char *const argv[]) MUST_CHECK;
/* Start in a namespace (NULL: this one), output to DIR/log/WHAT.log, in a session of its own; recorded in the lab's state. */
int lab_start(const struct lab *l, const char *netns, const char *what, const char *const argv[], pid_t *pid) MUST_CHECK;
int lab_write_file(const char *path, const char *content, mode_t mode) MUST_CHECK;

/* ---- state.c: what the lab has made ---- */

/* Append "ns NAME" or "pid PID START WHAT" to DIR/state. */
int lab_record_netns(const struct lab *l, const char *netns) MUST_CHECK;
int lab_record_pid(const struct lab *l, pid_t pid, const char *what) MUST_CHECK;
/* The newest living process recorded as what, or 0. */
pid_t lab_pid_of(const struct lab *l, const char *what);
/* Stop every process and remove every namespace recorded, then DIR/state. */
void lab_remove(const struct lab *l);

/* ---- the parts ---- */

int lab_build_network(const struct lab *l, struct text *why) MUST_CHECK;
int lab_start_routers(const struct lab *l, struct text *why) MUST_CHECK;
/* The zones, and what else nodes read. */
int lab_write_zones(const struct lab *l, struct text *why) MUST_CHECK;
/* DIR/settings and DIR/fleet.yaml. */
int lab_write_fleet(const struct lab *l, struct text *why) MUST_CHECK;
/* The fleet file alone, to be changed. */
void lab_fleet_text(const struct lab *l, struct text *t);
/* Write the fleet file of these settings, have the PoPs take it, and wait until everybody is served as these settings say. */
int lab_apply(const struct lab *l, struct text *why) MUST_CHECK;
int lab_start_pop(const struct lab *l, unsigned region) MUST_CHECK;
int lab_start_hidden(const struct lab *l) MUST_CHECK;
/* The zone example.com in its file, with this serial. */
int lab_write_example(const struct lab *l, uint32_t serial) MUST_CHECK;

/* A socket created inside a namespace; it stays there. */
int lab_socket_in(const char *netns, int family, int type, int *fd) MUST_CHECK;

struct lab_answer {
	bool answered;
	unsigned rcode;
	char nsid[64];
	uint32_t serial; /* of an SOA answer */
	double ms;
};
/* One question (SOA of zone) from a client's namespace to the anycast address of a family (4 or 6). */
void lab_ask(const struct lab *l, unsigned client, int family, const char *zone, int timeout_ms, struct lab_answer *out);
/* Until all six client and family pairs are answered by the PoP that should. */
int lab_wait_until_right(const struct lab *l) MUST_CHECK;
/* Are all six client and family pairs answered by the PoP that should (lab_serving())? Prints a table when `print`. Returns how many are right. */
unsigned lab_catchments(const struct lab *l, bool print);
