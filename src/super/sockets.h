/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "proc/role.h"

/* The listening sockets of all workers: for each endpoint a UDP and a TCP socket per worker, or one TCP socket
 * for TLS. They belong to the supervisor, so a worker's
 * death loses nothing that is queued on them. */
struct socket_set;

/* NULL: out of memory. */
struct socket_set *sockets_new(unsigned workers);
void sockets_free(struct socket_set *s);
/* status: questions about the node's status come by a socket of their own (status_lane.h). Open what `at` needs; nothing if it is open already. The port must be free (listen_probe()). */
int sockets_open(struct socket_set *s, const struct endpoint *at, bool tls, bool status) MUST_CHECK;
void sockets_close(struct socket_set *s, const struct endpoint *at);
bool sockets_has(const struct socket_set *s, const struct endpoint *at);
size_t sockets_count(const struct socket_set *s);
const struct endpoint *sockets_endpoint(const struct socket_set *s, size_t i);
/* Those of the i-th endpoint only. */
uint32_t sockets_of_endpoint(const struct socket_set *s, size_t i, unsigned worker, struct role_socket *out);
/* Keys of TCP Fast Open for every socket there is and will be; see listen_fastopen(). older may be NULL. */
void sockets_fastopen(struct socket_set *s, const uint8_t *key, const uint8_t *older);
/* The socket of status of the i-th endpoint; false: it has none. */
bool sockets_status_of(const struct socket_set *s, size_t i, struct role_socket *out);
/* Those of all endpoints, likewise. */
uint32_t sockets_of_status(const struct socket_set *s, struct role_socket *out);
/* The sockets of one worker into out (ROLE_SOCKETS_MAX of them); returns how many. */
uint32_t sockets_of_worker(const struct socket_set *s, unsigned worker, struct role_socket *out);
