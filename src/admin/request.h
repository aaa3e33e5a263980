/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One request of the control socket, read and judged before anything is done. Pure. */
enum command { COMMAND_STATUS, COMMAND_RELOAD, COMMAND_DRAIN, COMMAND_RESUME, COMMAND_ZONE_LIST, COMMAND_ZONE_SHOW, COMMAND_ZONE_RELOAD,
               COMMAND_FAULT, COMMAND_QUERIES, COMMAND_ZONE_STATUS, COMMAND_ZONE_RETRANSFER,
               COMMAND_CATALOG_STATUS, COMMAND_CATALOG_ACCEPT,
               /* Answered by sync on the client's own connection. */
               COMMAND_ZONE_HISTORY, COMMAND_ZONE_DIFF, COMMAND_ZONE_EXPORT, COMMAND_ZONE_ROLLBACK, COMMAND_ZONE_PUBLISH,
               COMMAND_FREEZE, COMMAND_FORCE, COMMAND_EVENTS,
               /* Answered by admin itself, from the cache of backends' answers. */
               COMMAND_CACHE_STATUS, COMMAND_CACHE_SHOW, COMMAND_CACHE_PURGE };
enum { REQUEST_NAME_MAX = 1024 };

struct request {
	enum command command;
	char network[64];               /* "" = all */
	char zone[REQUEST_NAME_MAX];    /* "" = all */
	char neighbor[72];              /* COMMAND_DRAIN, COMMAND_RESUME: of this neighbor alone, an endpoint */
	bool backstop;                  /* COMMAND_DRAIN: the backstop of the network too */
	char withdraw[1024];            /* COMMAND_RELOAD: networks that the new file may take away, a line each */
	bool accept_older;              /* COMMAND_RELOAD: a file of an older generation */
	bool follow;                    /* COMMAND_QUERIES: what comes from now on, without end; COMMAND_EVENTS: and what comes, after what is there */
	bool digest;                    /* COMMAND_ZONE_SHOW: of the zone, in place of its records */
	bool force;                     /* COMMAND_ZONE_RETRANSFER, COMMAND_ZONE_RELOAD: whatever guards say, even to an older serial */
	char name[REQUEST_NAME_MAX];    /* COMMAND_CACHE_*: a domain name; "": none */
	bool subtree;                   /* COMMAND_CACHE_*: and all below it */
	bool one;                       /* COMMAND_ZONE_STATUS: of `zone`; else of those after it */
	uint32_t serials, serial[2];    /* how many; COMMAND_ZONE_DIFF: from, to; EXPORT, ROLLBACK: the version */
	uint32_t fault, fault_worker;   /* COMMAND_FAULT: enum board_fault; UINT32_MAX: all workers */
};

/* The word of a command that changes something; NULL: it only reads. */
const char *request_change_text(enum command command);
/* Parse one line. ERR_INVALID with a sentence in problem (cap octets). */
int request_parse(const char *line, size_t len, struct request *out, char *problem, size_t cap) MUST_CHECK;
