/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "sync/fetch.h"

#include "dns/name.h"
#include "proc/tls_profiles.h"
#include "sync/link.h"
#include "xfr/padding.h"
#include "xfr/tsig.h"

/* What the files of fetch.h share: fetch.c (who is asked for the zone, and the transfer), fetch_serial.c (who has which serial). */
struct fetch_probe;
struct fetch_transfer;

enum { FETCH_REQUEST_MAX = 2 + 600 + PADDING_QUERY + TSIG_RECORD_MAX };

enum fetch_probe_state { PROBE_WAITS, PROBE_SERIAL, PROBE_TCP, PROBE_SILENT, PROBE_BAD };

struct fetch_candidate {
	struct endpoint at;
	enum fetch_probe_state state;
	uint32_t serial;
	bool has_expire, no_edns, no_ixfr;
	uint32_t expire_s;
	struct fetch_probe *probe;
};

struct fetch {
	const struct fetch_settings *set;
	fetch_done_fn *on_done;
	void *ctx;
	struct name apex;
	const struct tsig_key *key;
	struct tls_profiles *tls;
	bool has_serial, whole, force, direct, look;
	uint64_t max_records, max_octets;
	uint32_t serial;
	uint16_t preferred;
	uint16_t count;
	uv_timer_t timer;
	unsigned tries;
	bool grace;                   /* an answer has come: the timer is for the others */
	uint64_t began_ms, moved_ms;
	uint16_t order[FETCH_PRIMARIES_MAX];
	uint16_t order_count, turn;
	struct fetch_transfer *conn;
	bool good;                    /* the result */
	struct xfr_in *in;
	enum xfr_kind kind;
	struct fetch_result result;
	size_t error_len;
	struct fetch_candidate list[];
};

/* ---- fetch.c ---- */

/* Something has gone wrong with this primary: into the result's text. */
void fetch_say(struct fetch *f, const struct endpoint *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* What questions to it are sent from; NULL: the kernel chooses. */
const struct ip_addr *fetch_source(const struct fetch *f, const struct endpoint *at);
/* Where a connection to this primary goes. ERR_UNSUPPORTED: its tls-auth is of no use, which was logged. */
int fetch_target(const struct fetch *f, const struct endpoint *at, struct link_target *out) MUST_CHECK;
/* Fill up a question over TLS, which ends with the OPT record that begins at opt_at. */
void fetch_pad(const struct fetch *f, const struct endpoint *at, bool edns, size_t opt_at, struct writer *w);
/* In words; buf may be where they are. */
const char *fetch_tsig_error(const struct tsig_session *s, enum tsig_verdict v, char *buf, size_t cap);
/* All is known of serials that will be: take the zone from who has the newest, or end it. */
void fetch_choose(struct fetch *f);

/* ---- fetch_serial.c ---- */

/* Ask all primaries; fetch_choose() is called when they have answered, or long enough was waited. */
void fetch_ask_serials(struct fetch *f);
/* kept: its answer has come. */
void fetch_end_probe(struct fetch_candidate *c, bool kept);
