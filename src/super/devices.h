/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/addr.h"
#include "base/attr.h"
#include "config/config.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The devices over which clients can come: those that have a management address of this node, or whose network one of its BGP neighbors is
 * in. */
enum { DEVICES_MAX = 16, DEVICE_NEIGHBORS_MAX = 4, DEVICE_DRIVER_MAX = 32 };

struct device {
	char name[IF_NAMESIZE];
	unsigned index;
	uint8_t mac[6];
	bool ethernet;
	char driver[DEVICE_DRIVER_MAX];
	unsigned mtu;
	unsigned queues; /* receive queues */
	struct ip_addr neighbor[DEVICE_NEIGHBORS_MAX]; /* beyond it, on the link */
	size_t neighbor_count;
};

size_t devices_find(const struct config_node *n, struct device list[DEVICES_MAX]);
/* A raw ICMP socket that hears echo replies of `neighbor` by this device, and sends there. -errno. */
int device_echo_socket(const struct device *d, const struct ip_addr *neighbor, int *fd) MUST_CHECK;
