/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>
#include <uv.h>

struct role;

/* The map of where addresses are, made of the configuration's databases (geoip): PLACES_FILE in the folder that the roles run in, which workers and watch open. */
#define PLACES_FILE "geo.map"
struct places;
int places_new(struct role *role, uv_loop_t *loop, struct places **out) MUST_CHECK;
/* The configuration has changed. */
void places_reload(struct places *p);
/* A map is being made, on a thread of the loop's pool: the process cannot give its memory back. */
bool places_busy(const struct places *p);
void places_free(struct places *p);
