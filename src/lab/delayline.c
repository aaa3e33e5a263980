/* SPDX-License-Identifier: BSD-2-Clause */
/* Fixed memory: a ring of DELAY_FRAMES frames each way; what does not fit is lost, as on a full link. The two rings are queues in order of time, so the
 * next thing to happen is always at one of their heads. */
#include "lab/delayline.h"

#include "base/attr.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { DELAY_FRAMES = 4096, DELAY_FRAME_MAX = 2048 };

struct frame {
	uint64_t due_ns;
	uint16_t len;
	uint8_t bytes[DELAY_FRAME_MAX];
};

struct direction {
	int from, to;
	unsigned head, count;
	struct frame *frames;
};

static volatile sig_atomic_t dark, stop;

static void on_signal(int signum)
{
	if (signum == SIGTERM || signum == SIGINT)
		stop = 1;
	else
		dark = signum == SIGUSR1;
}

static int open_tap(const char *netns, const char *dev)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	char path[128];
	int ns, fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		return -1;
	close(ns);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", dev);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &req) < 0)
		return -1;
	return fd;
}

static void take_in(struct direction *d, uint64_t delay_ns)
{
	for (;;) {
		struct frame lost, *f = d->count < DELAY_FRAMES ? &d->frames[(d->head + d->count) % DELAY_FRAMES] : &lost;
		ssize_t n = read(d->from, f->bytes, sizeof(f->bytes));

		if (n <= 0)
			return;
		if (f == &lost || dark)
			continue;
		f->len = (uint16_t)n;
		f->due_ns = clock_ns() + delay_ns;
		d->count++;
	}
}

static void let_out(struct direction *d)
{
	uint64_t now = clock_ns();

	while (d->count && d->frames[d->head].due_ns <= now) {
		struct frame *f = &d->frames[d->head];

		/* A frame that the device does not take is lost, as on any link. */
		if (!dark && write(d->to, f->bytes, f->len) < 0 && errno == EAGAIN)
			return;
		d->head = (d->head + 1) % DELAY_FRAMES;
		d->count--;
	}
}

int lab_delayline(const char *ns_a, const char *dev_a, const char *ns_b, const char *dev_b, unsigned delay_ms)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct direction d[2] = {{.from = open_tap(ns_a, dev_a)}, {.from = open_tap(ns_b, dev_b)}};
	uint64_t delay_ns = (uint64_t)delay_ms * 1000000U;

	if (d[0].from < 0 || d[1].from < 0) {
		fprintf(stderr, "delay line %s-%s: cannot open its devices: %s\n", ns_a, ns_b, strerror(errno));
		return 1;
	}
	d[0].to = d[1].from;
	d[1].to = d[0].from;
	for (int i = 0; i < 2; i++) {
		d[i].frames = calloc(DELAY_FRAMES, sizeof(*d[i].frames));
		if (!d[i].frames)
			return 1;
	}
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	while (!stop) {
		struct pollfd fds[2] = {{.fd = d[0].from, .events = POLLIN}, {.fd = d[1].from, .events = POLLIN}};
		uint64_t now = clock_ns(), next = UINT64_MAX;
		struct timespec wait;

		for (int i = 0; i < 2; i++)
			if (d[i].count && d[i].frames[d[i].head].due_ns < next)
				next = d[i].frames[d[i].head].due_ns;
		next = next == UINT64_MAX ? 1000000000U : next > now ? next - now : 0;
		wait = (struct timespec){.tv_sec = (time_t)(next / 1000000000U), .tv_nsec = (long)(next % 1000000000U)};
		ppoll(fds, 2, &wait, NULL);
		for (int i = 0; i < 2; i++) {
			if (fds[i].revents & POLLIN)
				take_in(&d[i], delay_ns);
			let_out(&d[i]);
		}
	}
	return 0;
}
