/* SPDX-License-Identifier: BSD-2-Clause */
/* A terminal that is drawn on by hand: VT100 sequences that every terminal emulator knows, no library. What was there comes back when the process ends, however it ends but by
 * SIGKILL: a handler of signals that kill does with functions that may be called there what top_screen_close() does. */
#include "cli/top.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[0m\033[?25h\033[?1049l"

enum { WIDTH_DEFAULT = 80, HEIGHT_DEFAULT = 24, MESSAGE_MAX = 4096 };

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

static struct termios before;
static volatile sig_atomic_t is_open, has_keys;
static int wake[2] = {-1, -1}; /* signals wake the poll() */
static int errors = -1, stderr_before = -1;
static volatile sig_atomic_t resized, ended, stopped;

static void write_all(const char *s, size_t len)
{
	while (len > 0) {
		ssize_t n = write(STDOUT_FILENO, s, len);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			s += n;
			len -= (size_t)n;
		}
	}
}

/* May be called by a handler. */
static void give_back(void)
{
	if (!is_open)
		return;
	is_open = 0;
	write_all(LEAVE, sizeof(LEAVE) - 1);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	if (stderr_before >= 0)
		dup2(stderr_before, STDERR_FILENO);
}

static void take(void)
{
	struct termios raw = before;

	is_open = 1;
	if (has_keys) {
		/* Not ISIG: ^C is a signal like any other. */
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 1;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	}
	if (errors >= 0)
		dup2(errors, STDERR_FILENO);
	write_all(ENTER, sizeof(ENTER) - 1);
}

static void on_signal(int sig)
{
	int kept = errno;
	char c = 0;

	if (sig == SIGWINCH)
		resized = 1;
	else if (sig == SIGTSTP)
		stopped = 1;
	else
		ended = 1;
	if (write(wake[1], &c, 1) < 0)
		errno = 0; /* it is full: the poll() wakes as well */
	errno = kept;
}

static void on_death(int sig)
{
	give_back();
	raise(sig); /* SA_RESETHAND: the default action */
}

static void watch_signals(void)
{
	struct sigaction a = {.sa_handler = on_signal, .sa_flags = SA_RESTART},
			 d = {.sa_handler = on_death, .sa_flags = (int)SA_RESETHAND};

	sigemptyset(&a.sa_mask);
	sigemptyset(&d.sa_mask);
	for (size_t i = 0; i < ARRAY_LEN(ending); i++)
		sigaction(ending[i], &a, NULL);
	for (size_t i = 0; i < ARRAY_LEN(deadly); i++)
		sigaction(deadly[i], &d, NULL);
	sigaction(SIGWINCH, &a, NULL);
	sigaction(SIGTSTP, &a, NULL);
}

bool top_screen_open(void)
{
	const char *term = getenv("TERM");

	if (!isatty(STDOUT_FILENO) || !term || !*term || strcmp(term, "dumb") == 0 ||
	    pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	/* In the background nobody types, and changing the terminal would stop the process. */
	has_keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
	errors = memfd_create("top", MFD_CLOEXEC);
	stderr_before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	atexit(give_back);
	watch_signals();
	take();
	return true;
}

void top_screen_close(void)
{
	give_back();
}

void top_screen_size(int *width, int *height)
{
	struct winsize w;

	*width = WIDTH_DEFAULT;
	*height = HEIGHT_DEFAULT;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col && w.ws_row) {
		*width = w.ws_col;
		*height = w.ws_row;
	}
}

/* Each line over the one that was there: nothing flickers, as a cleared page would. It is erased before it is written: behind a line that fills the width that would take its
 * last column. */
void top_screen_put(const struct text *page)
{
	struct text out;
	const char *line = page->chars, *nl;

	text_init(&out);
	text_str(&out, "\033[H");
	for (bool first = true; (nl = strchr(line, '\n')) != NULL; line = nl + 1, first = false) {
		text_str(&out, first ? "" : "\r\n");
		text_str(&out, nl[1] ? "\033[K" : "\033[J");
		text_add(&out, line, (size_t)(nl - line));
	}
	text_str(&out, "\033[H");
	write_all(out.chars, out.len);
	text_done(&out);
}

void top_screen_message(char *out, size_t cap)
{
	char buf[MESSAGE_MAX], *line = buf, *nl;
	ssize_t n = errors >= 0 ? pread(errors, buf, sizeof(buf) - 1, 0) : 0;

	*out = '\0';
	if (n <= 0)
		return;
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	while ((nl = strchr(line, '\n')) != NULL)
		line = nl + 1;
	snprintf(out, cap, "%s", line);
	if (ftruncate(errors, 0) < 0 || lseek(errors, 0, SEEK_SET) < 0)
		*out = '\0';
}

/* As the shell expects: the terminal as it was, stopped, and taken again when it goes on. */
static void stop_here(void)
{
	struct sigaction a = {.sa_handler = SIG_DFL}, old;

	sigemptyset(&a.sa_mask);
	stopped = 0;
	give_back();
	sigaction(SIGTSTP, &a, &old);
	raise(SIGTSTP);
	sigaction(SIGTSTP, &old, NULL);
	take();
	resized = 1;
}

static enum top_event from_signals(void)
{
	char drop[64];

	while (read(wake[0], drop, sizeof(drop)) > 0)
		;
	if (ended)
		return TOP_ENDED;
	if (stopped)
		stop_here();
	if (resized) {
		resized = 0;
		return TOP_RESIZED;
	}
	return TOP_TIME;
}

enum top_event top_screen_wait(int fd, uint64_t until_ms, char *key)
{
	for (;;) {
		struct pollfd p[] = {{.fd = wake[0], .events = POLLIN},
		                     {.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN},
		                     {.fd = fd, .events = POLLIN}};
		uint64_t now = clock_ms();
		int n = poll(p, ARRAY_LEN(p), now >= until_ms ? 0 : (int)MIN(until_ms - now, 60000U));

		if (n < 0 && errno != EINTR)
			return TOP_ENDED;
		if (n > 0 && p[0].revents) {
			enum top_event e = from_signals();

			if (e != TOP_TIME)
				return e;
		} else if (n > 0 && p[1].revents) {
			ssize_t got = read(STDIN_FILENO, key, 1);

			/* The terminal has gone. */
			return got == 1                                         ? TOP_KEY
			       : got < 0 && (errno == EINTR || errno == EAGAIN) ? TOP_TIME
			                                                        : TOP_ENDED;
		} else if (n > 0 && p[2].revents) {
			return TOP_FD;
		} else if (clock_ms() >= until_ms) {
			return TOP_TIME;
		}
	}
}
