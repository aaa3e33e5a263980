/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "base/text.h"
#include "config/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `zonecast trace`: one question to the anycast addresses of a network and to every node by its own, and what differs between the answers. */
enum {
	TRACE_RECORDS_MAX = 8192, /* of an answer: more do not fit into a message */
	TRACE_NSID_MAX = 80,      /* bytes of text, NUL included: a node's name and more */
	TRACE_EDES_MAX = 4,       /* kept of an answer */
	TRACE_EDE_TEXT_MAX = 96,
	TRACE_WHY_MAX = 120,
	TRACE_TARGETS_MAX = CONFIG_NODES_MAX * CONFIG_MANAGEMENT_MAX + CONFIG_ADDRESSES_MAX,
	TRACE_WIDTH = 80, /* of what is printed, records excepted, which are never cut */
};

/* ---- trace_answer.c: what a message says (pure) ---- */

struct trace_record {
	uint8_t section; /* 1 answer, 2 authority */
	char *text;      /* "www.example.com. 300 IN A 192.0.2.1": owner in lower case, the data as in a zone file */
};
struct trace_answer {
	unsigned rcode; /* with the bits of OPT */
	bool aa, tc;
	size_t size;               /* octets of the message */
	char nsid[TRACE_NSID_MAX]; /* "": none; what is not printable ASCII becomes \DDD */
	size_t ede_count;
	int scope; /* of the client subnet option (RFC 7871), bits; -1: it has none */
	struct {
		uint16_t code;
		char text[TRACE_EDE_TEXT_MAX];
	} ede[TRACE_EDES_MAX];
	struct trace_record
		*records; /* sorted; the additional section is left out: what is in it is the server's choice */
	size_t record_count;
	bool has_serial; /* of the first SOA record in the answer or authority section */
	uint32_t serial;
	uint64_t digest; /* of the records */
};
/* Any octets. ERR_MALFORMED, ERR_TRUNCATED, ERR_LIMIT, ERR_NO_MEMORY; on success trace_answer_done() later. */
int trace_answer_read(const uint8_t *msg, size_t len, struct trace_answer *out) MUST_CHECK;
void trace_answer_done(struct trace_answer *a);

/* ---- trace_targets.c: who is asked (pure) ---- */

struct trace_target {
	const char *node; /* borrowed of the configuration; NULL: an anycast address */
	struct endpoint at;
	bool answered, by_tcp;
	double ms;
	struct trace_answer answer; /* when answered */
	bool has_serial;            /* that the server answered to the question for the SOA */
	uint32_t serial;
	char why[TRACE_WHY_MAX];      /* it is silent, or what it said was not understood */
	char stranger[TRACE_WHY_MAX]; /* who answered is not who should; "": it is, or there was no answer */
	size_t alike;                 /* the first of the list with the same answer; SIZE_MAX: none was had */
};
struct trace {
	struct name name;
	uint16_t type;
	bool tcp;
	struct ip_prefix subnet; /* told as the client's (RFC 7871); family 0: none */
	const struct config *config;
	const struct config_zone *zone;       /* NULL: no zone of the file holds the name (it may be a catalog's) */
	const struct config_network *network; /* NULL: the zone has none */
	struct trace_target *targets;
	size_t count;
	/* trace_compare() */
	size_t reference;                      /* in targets: the first that answered; SIZE_MAX: none */
	size_t same, different, strange, lost; /* strange: of those that say the same */
};
/* network: its name, or NULL. family: 4, 6, 0 both: of the addresses. ERR_NOT_FOUND: there is none of that name, or none can be told from the name: *why says so. On success trace_done() later. */
int trace_init(struct trace *t, const struct config *c, const struct name *name, uint16_t type, const char *network,
               uint8_t family, char why[TRACE_WHY_MAX]) MUST_CHECK;
void trace_done(struct trace *t);

/* ---- trace_ask.c: the questions ---- */

/* All at once, from the address `from` (family 0: as routing says; else that of all targets). ERR_NO_MEMORY. */
int trace_ask(struct trace *t, const struct ip_addr *from) MUST_CHECK;

/* ---- trace_compare.c (pure) ---- */

/* Who says the same as the first that answered? */
void trace_compare(struct trace *t);
static inline bool trace_agrees(const struct trace *t)
{
	return t->count > 0 && !t->different && !t->strange && !t->lost;
}

/* ---- trace_print.c (pure) ---- */

void trace_text(const struct trace *t, bool color, struct text *out);
json_t *trace_json(const struct trace *t);
/* "POOL/ENDPOINT" of the configuration that a record of the answer comes from, of the first pool that has it. False: of none. */
bool trace_endpoint(const struct config *c, const struct trace_record *r, char *buf, size_t cap);
