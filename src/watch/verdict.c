/* SPDX-License-Identifier: BSD-2-Clause */
/* What fails hard is what only this node can be blamed for, and what clients meet: an answer that is wrong, late or
 * missing. What is soft may be the same at every PoP, so that it is not this node's to act on alone: whether it leaves
 * is for the guard to say (route). The worst reason is said first, the others behind it as far as there is room. */
#include "watch/verdict.h"

#include "base/attr.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *transport(const struct verdict_check *c)
{
	return c->tcp ? "TCP" : "UDP";
}

static void say_hard(const struct verdict_check *c, size_t failing, size_t n, const struct verdict_facts *facts, char *why)
{
	char address[ADDR_TEXT_MAX], more[80] = "", again[60] = "";

	addr_text(&c->address, address);
	if (failing > 1)
		snprintf(more, sizeof(more), "; %zu of %zu checks fail", failing, n);
	if (c->run && c->run_passes)
		snprintf(again, sizeof(again), "; since then %u of %u passes", c->run, facts->rise);
	snprintf(why, BOARD_WHY_MAX, "%s %s: %s, %" PRIu64 " check%s in a row%s%s", address, transport(c), c->why, c->fails,
	         c->fails == 1 ? "" : "s", more, again);
}

static void say_unknown(const struct verdict_check *c, const struct verdict_facts *facts, char *why)
{
	char address[ADDR_TEXT_MAX];

	addr_text(&c->address, address);
	if (c->idle)
		snprintf(why, BOARD_WHY_MAX, "%s %s: no result for seconds, this node could not ask", address, transport(c));
	else if (c->run && !c->run_passes)
		snprintf(why, BOARD_WHY_MAX, "%s %s: %s, %u of the failures in a row that count", address, transport(c), c->why, c->run);
	else
		snprintf(why, BOARD_WHY_MAX, "%s %s has passed %u of the %u checks in a row that are needed", address, transport(c), c->run,
		         facts->rise);
}

/* ---- soft ---- */

/* One more reason; cause 0: an alert. */
static void PRINTF_LIKE(3, 4) add(struct verdict *v, uint32_t cause, const char *fmt, ...)
{
	size_t len = strlen(v->why);
	va_list ap;

	v->causes |= cause;
	if (v->verdict == VERDICT_SOFT && len + 2 < sizeof(v->why)) {
		memcpy(v->why + len, "; ", 3);
		len += 2;
	}
	v->verdict = VERDICT_SOFT;
	va_start(ap, fmt);
	vsnprintf(v->why + len, sizeof(v->why) - len, fmt, ap);
	va_end(ap);
}

static void add_signatures(struct verdict *v, const struct verdict_facts *f)
{
	int64_t left = f->signatures_left_s;
	char span[16];

	if (!f->has_signatures || (left > 0 && left >= (int64_t)f->signatures_alert_s))
		return;
	clock_span_text((uint64_t)(left < 0 ? -left : left) * 1000, span);
	if (left <= 0)
		add(v, f->expired_leaves ? CAUSE_SIGNATURES : 0, "DNSSEC signatures of %.100s expired %s%s: validating resolvers refuse its answers",
		    f->signatures_zone, left ? span : "just now", left ? " ago" : "");
	else
		add(v, 0, "DNSSEC signatures of %.100s expire in %s", f->signatures_zone, span);
}

static void add_expiry(struct verdict *v, const struct verdict_facts *f)
{
	int64_t left = f->expiry_left_ms;
	char span[16];

	if (!f->expiry_zone)
		return;
	clock_span_text((uint64_t)(left < 0 ? -left : left), span);
	if (left <= 0)
		add(v, CAUSE_EXPIRY, "%.100s expired %s ago (SOA EXPIRE) and is served on", f->expiry_zone, span);
	else
		add(v, CAUSE_EXPIRY, "%.100s expires in %s (SOA EXPIRE), and no primary confirms it", f->expiry_zone, span);
}

static void add_behind(struct verdict *v, const struct verdict_facts *f)
{
	char span[16];

	if (f->behind_zones)
		add(v, CAUSE_BEHIND, "%u of %u zones are older here than at %u other pop%s: %.60s than at %.40s for %s", f->behind_zones, f->behind_of,
		    f->behind_nodes, f->behind_nodes == 1 ? "" : "s", f->behind_zone, f->behind_node, clock_span_text(f->behind_ms, span));
}

static void say_backends(const struct verdict_backends *b, char *buf, size_t cap)
{
	char span[16], left[16], more[40] = "", rest[96];

	clock_span_text(b->down_ms, span);
	if (b->more)
		snprintf(more, sizeof(more), " (and %u more zone%s)", b->more, b->more == 1 ? "" : "s");
	if (b->never)
		snprintf(rest, sizeof(rest), "there is nothing to answer from");
	else if (b->hard)
		snprintf(rest, sizeof(rest), "no stale answers are given any more");
	else
		snprintf(rest, sizeof(rest), "stale answers are given for %s", clock_span_text(b->stale_left_ms, left));
	snprintf(buf, cap, "backends of %.80s%s: none of %u %s%s; %s", b->zone, more, b->servers, b->never ? "has answered yet" : "answers for ",
	         b->never ? "" : span, rest);
}

static void judge_soft(struct verdict *v, const struct verdict_facts *f)
{
	char age[16], limit[16], span[16];

	if (f->has_held && f->data_age_ms >= f->stale_after_ms)
		add(v, CAUSE_STALE, "its data was last known to be current %s ago, the limit is %s", clock_span_text(f->data_age_ms, age),
		    clock_span_text(f->stale_after_ms, limit));
	add_behind(v, f);
	add_signatures(v, f);
	add_expiry(v, f);
	if (f->backends) {
		char why[BOARD_WHY_MAX];

		say_backends(f->backends, why, sizeof(why));
		add(v, CAUSE_BACKENDS, "%s", why);
	}
	if (f->zones_missing && f->zones_missing_ms >= VERDICT_ZONES_MS)
		add(v, CAUSE_ZONES, "%u zone%s configured here %s not been served for %s", f->zones_missing, f->zones_missing == 1 ? "" : "s",
		    f->zones_missing == 1 ? "has" : "have", clock_span_text(f->zones_missing_ms, span));
	if (f->overload)
		add(v, CAUSE_OVERLOAD, "%s", f->overload_why);
}

/* ---- all ---- */

static bool is_hard(const struct verdict_check *checks, size_t n, unsigned family, const struct verdict_facts *facts, struct verdict *out)
{
	const struct verdict_check *failed = NULL;
	size_t failing = 0;

	for (size_t i = 0; i < n; i++) {
		const struct verdict_check *c = &checks[i];

		if ((family && c->address.family != family) || c->state != HEALTH_FAIL)
			continue;
		failing++;
		/* Of several the one that has failed longest: it is the likeliest cause. */
		if (!failed || c->fails > failed->fails)
			failed = c;
	}
	if (failed)
		say_hard(failed, failing, out->checks, facts, out->why);
	else if (facts->broken)
		snprintf(out->why, sizeof(out->why), "%s", facts->broken);
	else if (facts->backends && facts->backends->hard)
		say_backends(facts->backends, out->why, sizeof(out->why));
	return failed || facts->broken || (facts->backends && facts->backends->hard);
}

static const struct verdict_check *find_unknown(const struct verdict_check *checks, size_t n, unsigned family)
{
	const struct verdict_check *unknown = NULL;

	for (size_t i = 0; i < n; i++) {
		const struct verdict_check *c = &checks[i];

		if (!(family && c->address.family != family) && c->state == HEALTH_UNKNOWN && (!unknown || (c->idle && !unknown->idle)))
			unknown = c;
	}
	return unknown;
}

void verdict_judge(const struct verdict_check *checks, size_t n, unsigned family, const struct verdict_facts *facts, struct verdict *out)
{
	const struct verdict_check *unknown;
	size_t addresses;

	*out = (struct verdict){.verdict = VERDICT_UNKNOWN};
	for (size_t i = 0; i < n; i++) {
		if (family && checks[i].address.family != family)
			continue;
		out->checks++;
		out->passing += checks[i].passing;
	}
	addresses = out->checks / 2;
	if (!out->checks) {
		snprintf(out->why, sizeof(out->why), "the network has no service addresses to check");
		return;
	}
	if (!facts->loaded) {
		snprintf(out->why, sizeof(out->why), "the zones are being loaded for the first time, checks begin after that");
		return;
	}
	if (is_hard(checks, n, family, facts, out)) {
		out->verdict = VERDICT_HARD;
		return;
	}
	unknown = find_unknown(checks, n, family);
	if (unknown) {
		say_unknown(unknown, facts, out->why);
		return;
	}
	judge_soft(out, facts);
	if (out->verdict == VERDICT_SOFT)
		return;
	out->verdict = VERDICT_PASS;
	snprintf(out->why, sizeof(out->why), "all %u checks pass: %zu address%s over UDP and TCP%s", out->checks, addresses,
	         addresses == 1 ? "" : "es", facts->no_zones ? facts->edge_zones ? ", its zones are those of backends" : ", no zones to ask for" : "");
}
