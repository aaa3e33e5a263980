/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

/* What the supervisor may do, raised before and given up after it has set everything up. */

/* Workers hold a descriptor for each connection. As much as the kernel allows: a later reload may want more than now, and then the
 * privilege for it is gone. What is not used costs nothing. */
void privileges_raise_descriptors(void);
/* Workers pin the memory of their AF_XDP sockets, a few megabytes each. Without the right to raise the limit they do as well as they can. */
void privileges_raise_locked_memory(void);
/* keep_net_raw: a worker that starts again needs new AF_XDP sockets. Nothing to do for who is not root. */
void privileges_shed(bool keep_net_raw);
