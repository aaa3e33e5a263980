/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"
#include "dns/message.h"
#include "health/probe_dns.h"

/* What the judges of answers share. Returns PROBE_FAIL, with the reason. */
enum probe_verdict probe_fail(char *why, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Header and question, common to all kinds. On PROBE_PASS m stands before the first record. */
enum probe_verdict probe_judge_frame(const struct probe_question *q, const uint8_t *msg, size_t len, struct message *m, char *why);
