/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/diag.h"
#include "zone/content.h"

/* Judge a finished zone as a whole. Errors make it unfit to serve: no or several SOA, no NS at the apex, CNAME with other
 * data (RFC 2181 10.1, DNSSEC types allowed beside it), several CNAME or DNAME, names outside the zone, NS or records below a
 * DNAME (RFC 6672 2.4). Warnings: missing glue, records hidden below a delegation, TTLs that differ in a set, TTLs below
 * ZONE_TTL_LOW, duplicates, NSEC3 iterations above 0 (RFC 9276), MX/NS/SRV that point at a CNAME, signatures expired. */
enum { ZONE_TTL_LOW = 30 /* seconds; below it every resolver asks all the time */ };
void zone_check(const struct content *c, struct diag *diag);
