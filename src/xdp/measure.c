/* SPDX-License-Identifier: BSD-2-Clause */
/* Is it worth it here? The program is run on one frame again and again by the kernel itself (BPF_PROG_TEST_RUN), with an answer in the cache and
 * without; a datagram is sent to and fro over lo. That is not what either costs under load, but of the same order, and it finds the
 * machine on which the program is interpreted, or runs under an emulator.
 *
 * For the while lo is a device of the program's, 192.0.2.1 an address of its own, and worker 0 has a lease: nobody is attached yet, so nobody
 * meets that. The answer dies with the epoch, which is moved on at the end. */
#include "xdp/measure.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/wire.h"
#include "xdp/cache.h"
#include "xdp/frame.h"
#include "xdp/program.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	RUNS = 201,         /* of the program; a millisecond */
	ROUND_TRIPS = 1000, /* of datagrams; some milliseconds */
	PATIENCE_US = 200000,
	ETH_LEN = 14, V4_LEN = 20, UDP_LEN = 8, QUESTION_LEN = 12 + 9 + 4, ANSWER_LEN = QUESTION_LEN + 16,
	FRAME_LEN = ETH_LEN + V4_LEN + UDP_LEN + QUESTION_LEN,
};

static const uint8_t service[] = {192, 0, 2, 1};

/* The question for an A record of "measure", which is in the cache, or "missing". */
static void build_frame(uint8_t frame[FRAME_LEN], bool kept)
{
	uint8_t *ip = frame + ETH_LEN, *udp = ip + V4_LEN, *m = udp + UDP_LEN;

	memset(frame, 0, FRAME_LEN);
	put_u16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put_u16(ip + 2, FRAME_LEN - ETH_LEN);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, (const uint8_t[]){192, 0, 2, 2}, 4);
	memcpy(ip + 16, service, 4);
	put_u16(ip + 10, xdp_checksum(xdp_sum(0, ip, V4_LEN)));
	put_u16(udp, 40000);
	put_u16(udp + 2, 53);
	put_u16(udp + 4, UDP_LEN + QUESTION_LEN);
	m[5] = 1;
	memcpy(m + 12, kept ? "\x07measure" : "\x07missing", 8);
	m[12 + 9 + 1] = m[12 + 9 + 3] = 1;
}

static int put_answer(struct xdp_cache *c)
{
	uint8_t frame[FRAME_LEN], m[ANSWER_LEN] = {0};
	struct xdp_answer a = {.message = m, .len = sizeof(m)};
	struct xdp_ticket t;

	build_frame(frame, true);
	memcpy(m, frame + FRAME_LEN - QUESTION_LEN, QUESTION_LEN);
	m[2] = 0x84;
	m[7] = 1;
	return xdp_cache_ticket(c, 0, &t) ? xdp_cache_fill(c, 0, &t, &a) : ERR_UNSUPPORTED;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The median of single runs: a frame that was answered is another frame, so the kernel's own repetition would not do. */
static int run(struct xdp_program *p, struct xdp_cache *c, bool kept, uint32_t *ns)
{
	uint8_t frame[FRAME_LEN], out[256];
	uint32_t took[RUNS];

	build_frame(frame, kept);
	for (int i = 0; i < RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame, .data_size_in = sizeof(frame), .data_out = out, .data_size_out = sizeof(out),
		            .repeat = 1);

		xdp_cache_lease(c, 0, clock_ns());
		if (bpf_prog_test_run_opts(xdp_program_fd(p), &o) < 0)
			return -errno;
		if (o.retval != (kept ? XDP_TX : XDP_PASS))
			return ERR_UNSUPPORTED;
		took[i] = o.duration;
	}
	qsort(took, RUNS, sizeof(took[0]), by_size);
	*ns = took[RUNS / 2];
	return 0;
}

static int run_both(struct xdp_program *p, struct xdp_costs *out)
{
	static const struct endpoint at = {.addr = {.family = 4, .bytes = {192, 0, 2, 1}}, .port = 53};
	const struct xdp_device lo = {.state = XDP_DEVICE_ON};
	const struct xdp_maps maps = xdp_program_maps(p);
	unsigned index = if_nametoindex("lo");
	struct xdp_cache *c;
	int err = xdp_cache_open(&maps, &c);

	if (err < 0)
		return err;
	err = index ? xdp_program_device(p, index, &lo) : ERR_UNSUPPORTED;
	if (!err)
		err = xdp_program_addresses(p, &at, 1);
	if (!err)
		err = put_answer(c);
	if (!err)
		err = run(p, c, true, &out->kept);
	if (!err)
		err = run(p, c, false, &out->passed);
	xdp_cache_lease(c, 0, 0);
	xdp_cache_renew(c);
	if (index && xdp_program_forget(p, index) < 0 && !err)
		err = ERR_UNSUPPORTED;
	xdp_cache_close(c);
	return err;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* A question in and an answer out is one round trip: two datagrams, one each way. Half the calls are a client's, but a system call is less than what
 * one leaves out here, a driver and its interrupts. */
static int run_socket(uint32_t *ns)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int a = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), b = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;
	const struct timeval patience = {.tv_usec = PATIENCE_US};
	uint8_t octets[64] = {0};
	uint64_t began;

	if (a < 0 || b < 0 || bind(a, (struct sockaddr *)&at, sizeof(at)) < 0 || getsockname(a, (struct sockaddr *)&at, &len) < 0 ||
	    connect(b, (struct sockaddr *)&at, len) < 0 || getsockname(b, (struct sockaddr *)&at, &len) < 0 ||
	    connect(a, (struct sockaddr *)&at, len) < 0 || setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		err = -errno;
	began = cpu_ns();
	for (int i = 0; !err && i < ROUND_TRIPS; i++)
		if (send(b, octets, sizeof(octets), MSG_DONTWAIT) < 0 || recv(a, octets, sizeof(octets), 0) < 0 ||
		    send(a, octets, sizeof(octets), MSG_DONTWAIT) < 0 || recv(b, octets, sizeof(octets), 0) < 0)
			err = -errno;
	if (!err)
		*ns = (uint32_t)((cpu_ns() - began) / ROUND_TRIPS);
	if (a >= 0)
		close(a);
	if (b >= 0)
		close(b);
	return err;
}

int xdp_measure(struct xdp_program *p, struct xdp_costs *out)
{
	struct xdp_costs costs;
	int err = run_socket(&costs.socket);

	if (!err)
		err = run_both(p, &costs);
	if (!err)
		*out = costs;
	return err;
}
