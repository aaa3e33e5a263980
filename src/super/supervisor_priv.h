/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "board/board.h"
#include "proc/bundle.h"
#include "proc/role.h"
#include "super/addresses.h"
#include "super/checks.h"
#include "super/children.h"
#include "super/doors.h"
#include "super/express.h"
#include "super/hooks.h"
#include "super/plan.h"
#include "super/supervisor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* What the files of the supervisor itself share: supervisor.c (its life), reload.c, requests.c. One thread. */
enum { SUPERVISOR_ASKED_MAX = 64 };
enum phase { PHASE_RUN, PHASE_DRAIN, PHASE_STOP };

struct supervisor {
	const struct supervisor_options *options;
	uv_loop_t loop;
	uv_timer_t tick, linger;
	uv_signal_t on_term, on_int, on_hup, on_chld, on_usr1;
	struct plan plan;
	struct board *board;
	struct children children;
	struct addresses addresses;
	struct express *express; /* NULL: sockets answer everything */
	struct hooks *hooks;
	struct checks *checks;   /* of endpoints, by programs */
	/* Of admin's requests those that sync has and has not answered yet, oldest first; more than admin has clients. */
	struct asked {
		uint32_t id, request;
	} asked[SUPERVISOR_ASKED_MAX];
	size_t asked_count;
	enum phase phase;
	uint64_t phase_until_ms;
	uint8_t seed[COOKIE_SECRET_LEN];
	bool up; /* the plan in force has been taken up */
	bool sync_ready, said_ready;
	uint64_t started_ms;
};

/* ---- reload.c: what stands in a plan, taken up and down ---- */

/* Open what p has and the plan before had not: sockets, service addresses. All or nothing; what is wrong goes to problem (cap octets). */
int supervisor_take_up(struct supervisor *s, const struct plan *p, char *problem, size_t cap) MUST_CHECK;
/* The plan in force, on the board. */
void supervisor_show_plan(struct supervisor *s);
/* A message to every role but the workers; one that cannot be told is restarted, and starts with what is in force. */
void supervisor_tell_all(struct supervisor *s, uint32_t kind, bool with_bundle);
/* Memory for answers of backends as the plan in force wants it. True: it is new, so that who maps it has to begin anew. */
bool supervisor_cache_backends(struct supervisor *s);
/* The bundle as a sealed memfd, if there is one; it is freed. */
int supervisor_seal(struct bundle **b, int *fd) MUST_CHECK;
/* Keep a copy of the fleet file that is accepted (accepted.h). */
void supervisor_stage_accepted(const struct plan *p);
/* All or nothing. Problems, one a line, go to why. leave: networks that may be taken away everywhere; NULL: none. */
int supervisor_reload(struct supervisor *s, const struct plan_leave *leave, struct text *why) MUST_CHECK;
/* The same for a request of admin, which may name such networks. */
int supervisor_reload_as_told(struct supervisor *s, const struct role_message *m, struct text *why) MUST_CHECK;
void supervisor_on_hup(uv_signal_t *h, int signum);
/* For doors.h. */
void supervisor_tell_route(void *ctx, uint32_t kind, const struct role_socket *socket);
void supervisor_tell_admin(void *ctx, uint32_t kind, const struct role_socket *socket);

/* ---- requests.c: what admin and sync ask for ---- */

/* For children.h. */
void supervisor_on_message(void *ctx, struct child *c, const struct role_message *m);
/* Sync has ended, and will not answer what it was asked; admin has, and nobody waits for an answer any more. */
void supervisor_forget_asked(struct supervisor *s, enum board_role gone);
/* Orders were written to their file by a command that found no admin (orders.h). */
void supervisor_on_usr1(uv_signal_t *h, int signum);
