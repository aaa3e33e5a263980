/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer/behind.h"

#include "answer/forward.h"
#include "answer/pass.h"
#include "answer/splice.h"
#include "answer/upstream.h"
#include "answer/upstream_servers.h"
#include "answer/worker.h"
#include "proc/role.h"
#include "proc/tls_profiles.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct behind {
	int epoll;
	struct tls_profiles *profiles;
};

static bool join(const struct behind *b, int fd)
{
	struct epoll_event e = {.events = EPOLLIN};

	return epoll_ctl(b->epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

int behind_reload(struct behind *b, struct worker *w, const struct role *role)
{
	int err;

	/* Before servers change places: nothing is sent by a place of before. */
	passes_set(w->passes, role->config, w->upstream);
	splices_set(w->splices, role->config, w->upstream);
	err = upstream_configure(w->upstream, role, &b->profiles);
	forward_serve(w);
	return err;
}

struct behind *behind_new(struct worker *w, const struct role *role)
{
	struct behind *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->upstream = upstream_new(w);
	w->passes = passes_new(w);
	w->splices = splices_new(w);
	if (b->epoll < 0 || !w->upstream || !w->passes || !w->splices || !join(b, upstream_fd(w->upstream)) || !join(b, passes_fd(w->passes)) ||
	    !join(b, splices_fd(w->splices)) || behind_reload(b, w, role) < 0) {
		behind_free(b, w);
		return NULL;
	}
	return b;
}

void behind_free(struct behind *b, struct worker *w)
{
	if (!b)
		return;
	splices_free(w->splices);
	passes_free(w->passes);
	upstream_free(w->upstream);
	w->splices = NULL;
	w->passes = NULL;
	w->upstream = NULL;
	tls_profiles_unref(b->profiles);
	if (b->epoll >= 0)
		close(b->epoll);
	free(b);
}

int behind_fd(const struct behind *b)
{
	return b->epoll;
}

void behind_serve(struct worker *w)
{
	upstream_turn(w->upstream);
	passes_turn(w->passes);
	splices_turn(w->splices);
	forward_serve(w); /* answers that came by connections, to clients of UDP */
}

void behind_tick(struct worker *w)
{
	if (!w->upstream)
		return;
	upstream_flush(w->upstream);
	upstream_expire(w->upstream);
	passes_expire(w->passes);
	splices_expire(w->splices);
}
