/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include "base/clock.h"
#include "base/log_json.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 2048 };

static const char *log_role = "zonecast";
static enum log_level log_max = LOG_INFO;
static enum log_format log_format = LOG_TEXT;

static const char *const level_names[] = {"error", "warning", "notice", "info", "debug"};

void log_setup(const char *role, enum log_level level)
{
	log_role = role;
	log_max = level;
}

void log_set_format(enum log_format format)
{
	log_format = format;
}

enum log_format log_get_format(void)
{
	return log_format;
}

static void write_json(enum log_level level, const char *message)
{
	const struct log_record r = {.wall_us = clock_wall_us(),
	                             .level = level_names[level],
	                             .role = log_role,
	                             .message = message};
	char line[LOG_JSON_MAX];

	if (write(STDERR_FILENO, line, log_json(&r, line, sizeof(line))) < 0)
		return;
}

/* One write(2) a line, so that lines of several processes never mix. */
void log_line(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	char when[32];
	va_list ap;
	int n, m;

	if (level > log_max)
		return;
	n = log_format == LOG_JSON ? 0
	                           : snprintf(line, sizeof(line), "%s %s %s: ", clock_wall_text(clock_wall_s(), when),
	                                      level_names[level], log_role);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	n += MIN(MAX(m, 0), (int)sizeof(line) - n - 2);
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	if (log_format == LOG_JSON) {
		line[n] = '\0';
		write_json(level, line);
		return;
	}
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to complain */
}

bool log_limit_pass(struct log_limit *l, unsigned burst)
{
	unsigned long long now = clock_ms() / 1000;

	if (l->second != now) {
		if (l->suppressed)
			log_line(LOG_WARN, "log suppressed=%u lines like the last one", l->suppressed);
		*l = (struct log_limit){.second = now};
	}
	if (l->count < burst) {
		l->count++;
		return true;
	}
	l->suppressed++;
	return false;
}
