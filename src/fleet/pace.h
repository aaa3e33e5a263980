/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* How often a node is asked. Pure. */
enum {
	FLEET_SLOW_MS = 1000,     /* as a rule */
	FLEET_FAST_MS = 100,      /* while somebody means to leave: the guard counts views younger than 400 ms */
	FLEET_FAST_MAX_MS = 250,  /* however many there are: with the time of a round it stays below that */
	FLEET_ALL_AT_ONCE = 20,   /* fleets of so many nodes are asked at that pace */
	FLEET_SLOWER_MS = 150,    /* for each node more: 100 nodes cost each below 100 kbit/s */
	FLEET_WHOLE_NETWORKS = 6, /* of a node with so many networks all are told in one answer of 1232 octets */
};
/* Milliseconds between two questions to the same node. others: nodes that are asked; questions: it takes to hear all that is wanted of one. */
uint32_t fleet_pace_ms(uint32_t others, uint32_t questions, bool urgent);
