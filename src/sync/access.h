/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "xfr/tsig_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who may transfer which zone, who may tell of its changes, and who is told: made of a configuration and its secrets, immutable, and gone with its
 * last user. All for one thread. */
struct access;
struct role;

/* From the role's configuration and bundle, or of the stand-alone form from its brief. What asks for a key that is of no use is open to nobody. ERR_NO_MEMORY. */
int access_make(const struct role *role, struct access **out) MUST_CHECK;
/* Who knows the members of catalogs: the id of the template of one (config_template_find()), 0: it is none. */
typedef uint64_t access_origin_fn(void *ctx, const uint8_t *apex);
void access_members(struct access *a, access_origin_fn *fn, void *ctx);
struct access *access_ref(struct access *a);
void access_unref(struct access *a);
/* The keys there are. */
const struct tsig_keys *access_keys(const struct access *a);

enum access_verdict {
	ACCESS_GRANTED,
	ACCESS_NO_ZONE,   /* this node does not have it */
	ACCESS_UNSIGNED,  /* the zone has a key, the request none */
	ACCESS_WRONG_KEY,
	ACCESS_ADDRESS,      /* nobody allows this address */
	ACCESS_CLEAR,        /* the zone is for TLS only */
	ACCESS_CERTIFICATE,  /* the zone is for clients with a certificate, and this has none that is good */
	ACCESS_SOURCE,       /* NOTIFY: not from a primary of the zone */
	ACCESS_NO_SECONDARY, /* NOTIFY: the zone is not transferred to this node */
};
const char *access_verdict_text(enum access_verdict v);

/* What a request came over. */
enum access_over { ACCESS_OVER_CLEAR, ACCESS_OVER_TLS, ACCESS_OVER_MUTUAL_TLS };
/* May who asks from `from`, with a good signature of `key` (NULL: unsigned), transfer the zone? */
enum access_verdict access_transfer(const struct access *a, const uint8_t *apex, const struct ip_addr *from,
                                    enum access_over over, const struct tsig_key *key);
/* May it tell of a change? */
enum access_verdict access_notify(const struct access *a, const uint8_t *apex, const struct ip_addr *from, const struct tsig_key *key);
/* The zone's key. False: it has one, which is of no use. *key is NULL where it has none. */
bool access_key(const struct access *a, const uint8_t *apex, const struct tsig_key **key);
/* Each server that this node tells of a change of the zone. */
typedef void access_target_fn(void *ctx, const struct endpoint *to);
void access_targets(const struct access *a, const uint8_t *apex, access_target_fn *each, void *ctx);
