/* SPDX-License-Identifier: BSD-2-Clause */
#include "watch/verdict.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>

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

static bool expired(const struct verdict_facts *f)
{
	return f->has_signatures && f->signatures_left_s <= 0;
}

static void say_signatures(const struct verdict_facts *f, char *why)
{
	int64_t left = f->signatures_left_s;
	char span[16];

	clock_span_text((uint64_t)(left < 0 ? -left : left) * 1000, span);
	if (left <= 0)
		snprintf(why, BOARD_WHY_MAX, "DNSSEC signatures of %.120s expired %s%s: validating resolvers refuse its answers", f->signatures_zone,
		         left ? span : "just now", left ? " ago" : "");
	else
		snprintf(why, BOARD_WHY_MAX, "DNSSEC signatures of %.120s expire in %s", f->signatures_zone, span);
}

enum board_verdict verdict_judge(const struct verdict_check *checks, size_t n, const struct verdict_facts *facts, char *why)
{
	const struct verdict_check *failed = NULL, *unknown = NULL;
	size_t failing = 0, addresses = n / 2;
	char address[ADDR_TEXT_MAX];

	if (!n) {
		snprintf(why, BOARD_WHY_MAX, "the network has no service addresses to check");
		return VERDICT_UNKNOWN;
	}
	if (!facts->loaded) {
		snprintf(why, BOARD_WHY_MAX, "the zones are being loaded for the first time, checks begin after that");
		return VERDICT_UNKNOWN;
	}
	for (size_t i = 0; i < n; i++) {
		const struct verdict_check *c = &checks[i];

		if (c->state == HEALTH_FAIL) {
			failing++;
			/* Of several the one that has failed longest: it is the likeliest cause. */
			if (!failed || c->fails > failed->fails)
				failed = c;
		} else if (c->state == HEALTH_UNKNOWN && (!unknown || (c->idle && !unknown->idle))) {
			unknown = c;
		}
	}
	if (failed) {
		say_hard(failed, failing, n, facts, why);
		return VERDICT_HARD;
	}
	if (expired(facts) && facts->expired_is_hard) {
		say_signatures(facts, why);
		return VERDICT_HARD;
	}
	if (unknown) {
		addr_text(&unknown->address, address);
		if (unknown->idle)
			snprintf(why, BOARD_WHY_MAX, "%s %s: no result for seconds, this node could not ask", address,
			         transport(unknown));
		else if (unknown->run && !unknown->run_passes)
			snprintf(why, BOARD_WHY_MAX, "%s %s: %s, %u of the failures in a row that count", address,
			         transport(unknown), unknown->why, unknown->run);
		else
			snprintf(why, BOARD_WHY_MAX, "%s %s has passed %u of the %u checks in a row that are needed", address,
			         transport(unknown), unknown->run, facts->rise);
		return VERDICT_UNKNOWN;
	}
	if (facts->has_signatures && facts->signatures_left_s < (int64_t)facts->signatures_alert_s) {
		say_signatures(facts, why);
		return VERDICT_SOFT;
	}
	snprintf(why, BOARD_WHY_MAX, "all %zu checks pass: %zu address%s over UDP and TCP%s", n, addresses,
	         addresses == 1 ? "" : "es", facts->no_zones ? ", no zones to ask for" : "");
	return VERDICT_PASS;
}
