/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Limits of the TCP and TLS connections of one worker. Pure. */
struct stream_limits {
	uint32_t connections;
	uint32_t per_client;
	uint32_t idle_ms; /* while there is room */
	uint64_t memory;  /* octets */
};

enum {
	STREAM_IDLE_MIN_MS = 100,  /* the unit of RFC 7828; nothing is closed sooner for being idle */
	STREAM_SHAKE_MS = 5000,    /* from the connection to the end of the TLS handshake */
	STREAM_SHAKE_MIN_MS = 1000, /* under load */
};

/* A worker's part of the node's figures. Connections are spread over the workers by the kernel's hash, so a client's limit is never divided
 * below STREAM_CLIENT_MIN (or the figure itself): two of its connections may meet at one worker. */
enum {
	STREAM_CLIENT_MIN = 2,
	STREAM_MEMORY_MIN = 256 << 10, /* octets of a worker, however many they are: some answers of full length */
};
struct stream_limits stream_limits_share(const struct stream_limits *node, uint32_t workers);

/* The idle time in force with so many connections open and so much memory in use: shorter by steps as either fills. */
uint32_t stream_idle_ms(const struct stream_limits *l, uint32_t open, uint64_t memory);
/* The same as an edns-tcp-keepalive option tells it (RFC 7828: units of 100 ms); 0 when the client had better close at once. */
uint16_t stream_keepalive(const struct stream_limits *l, uint32_t open, uint64_t memory);
/* The time limit of a TLS handshake while the idle time is idle_ms. */
uint32_t stream_shake_ms(uint32_t idle_ms);
