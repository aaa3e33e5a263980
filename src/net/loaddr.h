/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"

/* Service addresses on the loopback interface, by netlink (RTM_NEWADDR, RTM_DELADDR). Needs CAP_NET_ADMIN. */

/* Bring lo up: in a fresh network namespace it is down. */
int loaddr_up(void) MUST_CHECK;
/* Add addr as /32 or /128. IPv4 with scope host and IPv6 with a preferred lifetime of 0, so that the kernel never chooses it as
 * the source of our own traffic (RFC 6724 rule 3). ERR_EXISTS when it is there already. */
int loaddr_add(const struct ip_addr *addr) MUST_CHECK;
/* 0 also when it was not there. */
int loaddr_remove(const struct ip_addr *addr) MUST_CHECK;
