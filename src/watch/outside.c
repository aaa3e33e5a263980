/* SPDX-License-Identifier: BSD-2-Clause */
/* A node's own checks go over lo: of a filter between its clients and itself they know nothing, and neither does BGP. And it cannot ask its service address as a client does, for it holds it.
 * So it goes by others and by what comes in:
 *
 * - Nodes outside of the network (the hidden primary, PoPs of other networks) ask the anycast address each second and tell who answers (views.c, fleet/report.c). One
 *   that this node answered and that now gets nothing is a client lost here: FILTERED. Where every one of them gets nothing, and somebody else answered last, the
 *   network is SILENT, though this node announces it. One that another node answers says nothing of this one, but that the network is GOOD from there.
 * - Queries. Where a hundred and more came in each of ten seconds, and for three seconds hardly any comes while the prefix is announced as before, they are
 *   kept away: a filter, or routing that has left this node. Which of both cannot be told from here, and the sentence says so: FILTERED.
 *
 * What comes of it is an alert (EVENT_OUTSIDE, status) and not a withdrawal: who tells it is few, may itself be cut off, and a mistake common to all of them would take away
 * a network that works. An operator who sees it drains the node.
 *
 * Limits: of queries that the kernel answers (XDP) it is not known which network of the node they are for; a PoP that gets few queries, and that no node outside is routed to, is not noticed
 * when it is filtered. */
#include "watch/outside.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { STEP_MIN_MS = 500, STEP_MAX_MS = 5000 };

static void learn_anew(struct outside_traffic *t)
{
	t->filled = t->next = t->usual = 0;
	t->low_ns = 0;
	t->fell = false;
}

/* Mean of the last seconds; 0: there is no such thing. */
static uint32_t find_usual(const struct outside_traffic *t)
{
	uint32_t least = UINT32_MAX, mean;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < t->filled; i++) {
		sum += t->bins[i];
		least = MIN(least, t->bins[i]);
	}
	mean = (uint32_t)(sum / OUTSIDE_BINS);
	return t->filled == OUTSIDE_BINS && least >= mean / 4 && mean >= OUTSIDE_USUAL_MIN ? mean : 0;
}

static void look_at_rate(struct outside_traffic *t, uint64_t now_ns)
{
	if (!t->low_ns)
		t->usual = find_usual(t);
	if (t->usual && t->rate <= t->usual / OUTSIDE_FELL_PART && t->rate <= OUTSIDE_FEW) {
		if (!t->low_ns)
			t->low_ns = t->at_ns;
		t->fell = now_ns - t->low_ns >= OUTSIDE_FELL_MS * 1000000ULL;
		if (now_ns - t->low_ns >= OUTSIDE_FORGET_MS * 1000000ULL)
			learn_anew(t);
		return;
	}
	if (t->fell && t->rate < t->usual / 4)
		return; /* not back yet */
	t->low_ns = 0;
	t->fell = false;
	t->bins[t->next] = t->rate;
	t->next = (t->next + 1) % OUTSIDE_BINS;
	t->filled = MIN(t->filled + 1, (uint32_t)OUTSIDE_BINS);
}

void outside_traffic_step(struct outside_traffic *t, uint64_t count, bool announced, uint64_t now_ns)
{
	uint64_t span_ms = (now_ns - t->at_ns) / 1000000U;

	if (!announced) {
		*t = (struct outside_traffic){.at_ns = now_ns, .count = count};
		return;
	}
	if (t->at_ns && span_ms < STEP_MIN_MS)
		return;
	if (t->running && span_ms <= STEP_MAX_MS && count >= t->count) {
		t->rate = (uint32_t)MIN((count - t->count) * 1000 / span_ms, (uint64_t)UINT32_MAX);
		look_at_rate(t, now_ns);
	} else {
		/* The first, or this process was stopped, or a worker's counters began anew. */
		learn_anew(t);
	}
	t->running = true;
	t->at_ns = now_ns;
	t->count = count;
}

/* ---- the sentence ---- */

static size_t say(char why[BOARD_WHY_MAX], size_t at, const char *text)
{
	int n = snprintf(why + at, BOARD_WHY_MAX - at, "%s", text);

	return n < 0 ? at : MIN(at + (size_t)n, (size_t)BOARD_WHY_MAX - 1);
}

/* Names of those of that state (mine: only those that this node answered), three at most; *since_ns: the first of them. */
static uint32_t list(const struct outside_input *in, enum board_outside state, bool mine, char out[120],
                     uint64_t *since_ns)
{
	uint32_t count = 0;
	size_t at = 0;

	out[0] = '\0';
	for (uint32_t i = 0; i < in->viewers && i < OUTSIDE_VIEWERS_MAX; i++) {
		const struct outside_viewer *v = &in->viewer[i];
		int n = 0;

		if (v->state != state || (mine && strcmp(v->node, in->self) != 0))
			continue;
		if (!count || v->since_ns < *since_ns)
			*since_ns = v->since_ns;
		if (count < 3)
			n = snprintf(out + at, 120 - at, "%s%.30s%s%.30s", count ? ", " : "", v->name,
			             state == OUTSIDE_SILENT && !mine && *v->node ? ", before answered by " : "",
			             state == OUTSIDE_SILENT && !mine ? v->node : "");
		if (n > 0)
			at = MIN(at + (size_t)n, (size_t)119);
		count++;
	}
	if (count > 3 && at < 100)
		snprintf(out + at, 120 - at, " and %u more", count - 3);
	return count;
}

static enum board_outside say_filtered(const struct outside_input *in, const char *names, uint64_t *since_ns,
                                       char why[BOARD_WHY_MAX])
{
	char text[BOARD_WHY_MAX];
	size_t at = 0;

	if (*names) {
		snprintf(text, sizeof(text),
		         "announced, checks pass, but %.120s, answered by this node before, gets no answer over IPv%d",
		         names, in->family);
		at = say(why, 0, text);
	}
	if (in->traffic->fell) {
		snprintf(text, sizeof(text), "%s%u of %u queries a second come over IPv%d%s",
		         at ? "; " : "announced, checks pass, but only ", in->traffic->rate, in->traffic->usual,
		         in->family, at ? "" : ": port 53 is filtered before this node, or routing has left it");
		if (!*names || in->traffic->low_ns < *since_ns)
			*since_ns = in->traffic->low_ns;
		say(why, at, text);
	}
	return OUTSIDE_FILTERED;
}

enum board_outside outside_judge(const struct outside_input *in, uint64_t *since_ns, char why[BOARD_WHY_MAX])
{
	char lost[120], silent[120], good[120];
	uint64_t lost_ns = 0, silent_ns = 0, good_ns = 0;
	uint32_t losts = list(in, OUTSIDE_SILENT, true, lost, &lost_ns),
		 silents = list(in, OUTSIDE_SILENT, false, silent, &silent_ns),
		 goods = list(in, OUTSIDE_GOOD, false, good, &good_ns);

	*since_ns = 0;
	why[0] = '\0';
	if (!in->announced) {
		snprintf(why, BOARD_WHY_MAX, "this node does not announce it");
		return OUTSIDE_UNKNOWN;
	}
	if (in->now_ns - in->announced_ns < OUTSIDE_SETTLE_MS * 1000000ULL) {
		snprintf(why, BOARD_WHY_MAX, "announced just now");
		return OUTSIDE_UNKNOWN;
	}
	if (losts || in->traffic->fell) {
		*since_ns = lost_ns;
		return say_filtered(in, lost, since_ns, why);
	}
	if (silents && !goods) {
		*since_ns = silent_ns;
		snprintf(why, BOARD_WHY_MAX,
		         "announced, checks pass, but nobody outside gets an answer over IPv%d: %.120s", in->family,
		         silent);
		return OUTSIDE_SILENT;
	}
	if (goods) {
		*since_ns = good_ns;
		snprintf(why, BOARD_WHY_MAX, "answered at %.110s%s%.60s", good, silents ? ", not at " : "",
		         silents ? silent : "");
		return OUTSIDE_GOOD;
	}
	snprintf(why, BOARD_WHY_MAX, "no node outside of the network tells what it sees");
	return OUTSIDE_UNKNOWN;
}
