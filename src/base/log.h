/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/attr.h"

#include <stdbool.h>

/* One line = one event on stderr: "LEVEL role: subject key=value ...". base, dns, zone, answer and the pure cores never
 * log; they return. */
enum log_level {
	LOG_ERR,    /* an operator must act */
	LOG_WARN,   /* degraded, we cope */
	LOG_NOTICE, /* a state change */
	LOG_INFO,
	LOG_DEBUG,
};

enum log_format { LOG_TEXT, LOG_JSON };

/* `role` names the process in each line; borrowed for the life of the process. Lines above `level` are dropped. */
void log_setup(const char *role, enum log_level level);
/* How lines look from now on; LOG_TEXT at first. See log_json.h. */
void log_set_format(enum log_format format);
enum log_format log_get_format(void);
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_err(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/* At most `burst` lines per second from one place; says how many were suppressed. One static instance per place. */
struct log_limit {
	unsigned long long second;
	unsigned count;
	unsigned suppressed;
};
bool log_limit_pass(struct log_limit *l, unsigned burst);
