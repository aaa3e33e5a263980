/* SPDX-License-Identifier: BSD-2-Clause */
/* All that a decision rests on, as key=value for the log: whoever looks at a withdrawal weeks later has the board no more. Pure. */
#include "route/decide.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct line {
	char *chars;
	size_t cap, at;
};

/* What does not fit is left out whole: half a value would be a wrong one. */
static bool PRINTF_LIKE(2, 3) add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->chars + l->at, l->cap - l->at, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= l->cap - l->at) {
		l->chars[l->at] = '\0';
		return false;
	}
	l->at += (size_t)n;
	return true;
}

static void add_ms(struct line *l, const char *key, uint64_t ms)
{
	if (ms == UINT64_MAX)
		add(l, " %s=never", key);
	else
		add(l, " %s=%" PRIu64, key, ms);
}

static void add_causes(struct line *l, const char *key, uint32_t causes)
{
	const char *comma = "";

	add(l, " %s=", key);
	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		if (causes & 1U << i) {
			add(l, "%s%s", comma, board_cause_text(1U << i));
			comma = ",";
		}
	if (!*comma)
		add(l, "none");
}

static const char *order_of(const struct decide_input *in)
{
	return in->forced ? "force" : in->frozen ? "freeze" : in->drain ? "drain" : "none";
}

static const char *guard_of(enum guard_says says)
{
	static const char *const words[] = {"not-asked", "go", "waits", "turn", "few", "no-room", "equal", "blind", "alone"};

	return words[says];
}

static bool add_peer(struct line *l, const struct guard_peer *p, bool first)
{
	const char *name = p->name ? p->name : "?", *space = first ? "" : " ";

	if (p->age_ms == UINT64_MAX)
		return add(l, "%s%s:unseen", space, name);
	return add(l, "%s%s:%s/%s%s/%" PRIu64 "ms", space, name, board_announce_text(p->says.announce), board_verdict_text(p->says.verdict),
	           p->says.intent ? "/leaving" : "", p->age_ms);
}

/* fra:announced/pass/320ms, or fra:unseen. Of many those for whom there is room; how many there are is said before. */
static void add_peers(struct line *l, const struct guard_input *in)
{
	size_t cap = l->cap, known = 0;

	for (size_t i = 0; i < in->peer_count; i++)
		known += guard_knows(&in->peers[i]);
	l->cap = cap - 1; /* for the last quote */
	if (!add(l, " others=%u seen=%zu peers=\"", in->others, known)) {
		l->cap = cap;
		return;
	}
	for (size_t i = 0; i < in->peer_count; i++) {
		l->cap = cap - sizeof(" ...");
		if (l->at < l->cap && add_peer(l, &in->peers[i], i == 0))
			continue;
		l->cap = cap - 1;
		add(l, "%s...", i ? " " : "");
		break;
	}
	l->cap = cap;
	add(l, "\"");
}

char *decide_inputs(const struct decide_state *s, const struct decide_input *in, char *buf, size_t cap)
{
	static const char *const verdicts[] = {"unknown", "pass", "soft-fail", "hard-fail"};
	struct line l = {.chars = buf, .cap = cap};

	buf[0] = '\0';
	add(&l, "verdict=%s", verdicts[in->verdict]);
	add_causes(&l, "causes", in->causes);
	add(&l, " answers=%s zones=%u/%u", in->answers ? "yes" : "no", in->zones_ready, in->zones);
	add_ms(&l, "checks_silent_ms", in->checks_silent_ms);
	add_ms(&l, "worker_silent_ms", in->worker_silent_ms);
	add(&l, " order=%s stopping=%s rpki=%s", order_of(in), in->stopping ? "yes" : "no", in->refused_why ? "refused" : "allowed");
	add_causes(&l, "intent", s->guard.intent);
	add(&l, " guard=%s data_age_ms=%" PRIu64 " load_permille=%u qps=%u", guard_of(s->says), in->seen.data_age_ms, in->seen.load, in->seen.qps);
	add_peers(&l, &in->seen);
	return buf;
}
