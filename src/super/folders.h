/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "super/plan.h"

/* Makes run-dir and state-dir with what is in them and locks run-dir for as long as this process lives; waits until the roles of a killed predecessor, which hold its
 * sockets, are gone. *journal_fd: the journal's folder (O_PATH, the caller's), untouched in the stand-alone form. What is wrong is logged; -errno. */
int folders_make(const struct plan *p, int *journal_fd) MUST_CHECK;
/* At the end: what in run-dir only led others to this process. */
void folders_forget(const struct plan *p);
