/* SPDX-License-Identifier: BSD-2-Clause */
/* What both generators share: the questions of a file, and the count of what came back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	QUESTION_MAX = 300,   /* octets of a query */
	WINDOW_MAX = 1024,    /* queries in flight on one socket; the slot is the message id */
	CLIENTS_MAX = 1024,   /* sockets or connections */
	HISTOGRAM_STEPS = 32, /* per doubling: latencies are good to 3% */
};

struct load {
	/* What to do. */
	const char *address, *port;
	double seconds;
	uint32_t clients, window;
	uint64_t rate; /* queries a second, 0: keep the windows full */
	bool fresh;    /* a new first label in each query */
	bool tls;
	bool sleeps;   /* paced: waits for the next question or answer asleep, where the CPU is others' as well */

	/* The questions, and where we are in them. */
	uint8_t *wire;
	uint32_t *at; /* offsets into wire, count + 1 of them */
	size_t count, next;

	/* What came of it. */
	uint64_t sent, answered, lost, octets, rcodes[16];
	uint64_t histogram[64 * HISTOGRAM_STEPS];
};

uint64_t load_now_ns(void);

/* Reads lines NAME TYPE ...; what follows the type is not looked at. Ends the program on any trouble. dnssec: EDNS with DO, 1232 octets. */
void load_questions(struct load *l, const char *path, bool dnssec);

/* The next query with this id into out of QUESTION_MAX octets; after the last comes the first. Returns its length. */
size_t load_next(struct load *l, uint16_t id, uint8_t *out);

/* How many queries may have been sent by now (paced), and when the n-th was due. */
uint64_t load_allowed(const struct load *l, uint64_t start_ns, uint64_t now_ns);
uint64_t load_due_ns(const struct load *l, uint64_t start_ns, uint64_t n);

/* An answer that belongs to a query in flight. */
void load_count(struct load *l, const uint8_t *message, size_t len, uint64_t latency_ns);

void load_print(const struct load *l, double seconds);

/* The generators: they run for l->seconds and return the seconds it took. */
double blast_udp(struct load *l);
double blast_stream(struct load *l);
