/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>

/* What `zonecast run` was asked for. All strings are borrowed for the life of the process. */
struct supervisor_options {
	const char *config_path;  /* the fleet file; NULL in the stand-alone form */
	const char *node;         /* NULL: the host name */
	const char *zones_dir;    /* stand-alone form; NULL otherwise */
	const struct endpoint *listen; /* stand-alone form */
	size_t listen_count;
	const struct ip_prefix *allow_transfer; /* stand-alone form: who may transfer zones */
	size_t allow_transfer_count;
	unsigned workers;         /* 0: as configured, or one per CPU */
	const char *state_dir;    /* NULL: as configured */
	const char *run_dir;
	enum log_level log_level;
	const enum log_format *log_format; /* NULL: as the fleet file has it */
	bool accept_older;        /* a fleet file of an older generation than the node has had */
	bool allow_faults;        /* fault drills over the control socket */
};

/* Run this node until it is told to stop. Returns the exit status; every reason not to start is logged. */
int supervisor_run(const struct supervisor_options *o);
