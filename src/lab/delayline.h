/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* A link with constant latency where the kernel has no netem: a TAP device in each of two namespaces and this process between them. Every frame
 * leaves delay_ms after it came. Runs until SIGTERM; SIGUSR1 makes the link dark (frames are lost, the carrier stays), SIGUSR2 lights it again.
 * Returns an exit status. */
int lab_delayline(const char *ns_a, const char *dev_a, const char *ns_b, const char *dev_b, unsigned delay_ms);
