/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "lab/lab.h"

#include <jansson.h>
#include <stdbool.h>

/* The nodes' web servers, and Prometheus beside the hidden primary. */
enum { LAB_HTTP_PORT = 8053, LAB_PROMETHEUS_PORT = 9090, LAB_WEB_TEXT = 64 };

/* Prometheus where it is installed, and the ports of 127.0.0.1 that lead to it and to the nodes' dashboards. Neither is needed for the lab: what fails is said in *why. */
int lab_start_web(const struct lab *l, struct text *why) MUST_CHECK;
/* "127.0.0.1:8053", where the dashboard of a node (NODE_HIDDEN, or a region's PoP) is reached from this machine; "": nowhere. */
void lab_web_address(const struct lab *l, unsigned node, char buf[LAB_WEB_TEXT]);
/* Likewise Prometheus. */
void lab_prometheus_address(const struct lab *l, char buf[LAB_WEB_TEXT]);
bool lab_has_prometheus(const struct lab *l);

/* The body of GET path, of the node's web server or of Prometheus, parsed; NULL: nobody answers, or not with JSON. The caller's. */
json_t *lab_web_get(const struct lab *l, unsigned node, const char *path, int timeout_ms);
json_t *lab_prometheus_get(const struct lab *l, const char *path, int timeout_ms);
/* Is an alert of this name firing, with this label ("": any)? */
bool lab_alert(const struct lab *l, const char *name, const char *label, const char *value);
