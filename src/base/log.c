/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LOG_LINE_MAX = 2048 };

static const char *log_role = "zonecast";
static enum log_level log_max = LOG_INFO;

void log_setup(const char *role, enum log_level level)
{
	log_role = role;
	log_max = level;
}

/* One write(2) a line, so that lines of several processes never mix. */
void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
	char line[LOG_LINE_MAX];
	char when[32];
	va_list ap;
	int n, m;

	if (level > log_max)
		return;
	n = snprintf(line, sizeof(line), "%s %s %s: ", clock_wall_text(clock_wall_s(), when), names[level], log_role);
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	n += MIN(MAX(m, 0), (int)sizeof(line) - n - 2);
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
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
