/* SPDX-License-Identifier: BSD-2-Clause */
/* A generator without sockets, for servers that have none: the kernel runs an XDP program on frames out of its own pool, which become questions and
 * go out by a veth device (BPF_PROG_TEST_RUN with live frames); answers are counted by a program at that device, and dropped. A question
 * costs some 200 ns, so that it is the server that is busy.
 *
 *     frames [-t SECONDS] [-w WINDOW] [-r RATE] [-o SKIP] [-D] [-x] DEVICE ADDRESS OBJECT QUESTIONS
 *
 * ADDRESS (IPv4) must be in the neighbour table. WINDOW questions are in flight, or, with -r, so many a second are sent. When no answer comes for
 * GEN_LOST_NS all that are in flight are lost. Prints the same line of JSON as blast, without latencies. The counting program stays with the device;
 * it lets everything else pass. */
#include "gen.h"
#include "load.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { BURST = 64 };

struct link {
	unsigned ifindex;
	unsigned char mine[6], theirs[6];
	struct in_addr from, to;
};

static void find_link(const char *device, const char *address, struct link *l)
{
	struct ifreq r = {0};
	struct arpreq a = {0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	l->ifindex = if_nametoindex(device);
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", device);
	snprintf(a.arp_dev, sizeof(a.arp_dev), "%s", device);
	if (inet_pton(AF_INET, address, &l->to) != 1 || !l->ifindex || fd < 0 || ioctl(fd, SIOCGIFHWADDR, &r) < 0)
		err(1, "%s %s", device, address);
	memcpy(l->mine, r.ifr_hwaddr.sa_data, 6);
	if (ioctl(fd, SIOCGIFADDR, &r) < 0)
		err(1, "%s has no address", device);
	l->from = ((struct sockaddr_in *)(void *)&r.ifr_addr)->sin_addr;
	((struct sockaddr_in *)(void *)&a.arp_pa)->sin_family = AF_INET;
	((struct sockaddr_in *)(void *)&a.arp_pa)->sin_addr = l->to;
	if (ioctl(fd, SIOCGARP, &a) < 0)
		err(1, "%s is not in the neighbour table", address);
	memcpy(l->theirs, a.arp_ha.sa_data, 6);
	close(fd);
}

static uint16_t checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* UDP without a checksum, as IPv4 allows: a new label needs no new sum. */
static void build(const struct link *l, size_t number, const uint8_t *message, size_t len, struct gen_question *q)
{
	uint8_t *ip = q->octets + 14, *udp = ip + 20;
	uint16_t ip_len = htons((uint16_t)(28 + len)), udp_len = htons((uint16_t)(8 + len)), sum;
	uint16_t port = htons((uint16_t)(GEN_PORT + number % GEN_PORTS)), to = htons(53);

	memset(q, 0, sizeof(*q));
	if (14 + 28 + len > sizeof(q->octets))
		errx(1, "a question is too long");
	q->len = (unsigned short)(14 + 28 + len);
	memcpy(q->octets, l->theirs, 6);
	memcpy(q->octets + 6, l->mine, 6);
	q->octets[12] = 8;
	ip[0] = 0x45;
	memcpy(ip + 2, &ip_len, 2);
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	memcpy(ip + 12, &l->from, 4);
	memcpy(ip + 16, &l->to, 4);
	sum = checksum(ip, 20);
	memcpy(ip + 10, &sum, 2);
	memcpy(udp, &port, 2);
	memcpy(udp + 2, &to, 2);
	memcpy(udp + 4, &udp_len, 2);
	memcpy(udp + 8, message, len);
}

static void fill(struct load *l, const struct link *link, int map)
{
	struct gen_question q;
	uint8_t message[QUESTION_MAX];

	l->next = 0;
	for (uint32_t i = 0; i < l->count; i++) {
		size_t len = load_next(l, (uint16_t)i, message);

		build(link, i, message, len, &q);
		if (bpf_map_update_elem(map, &i, &q, BPF_ANY) < 0)
			err(1, "questions");
	}
}

static int map_of(struct bpf_object *o, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(o, name);

	if (fd < 0)
		errx(1, "no map %s", name);
	return fd;
}

static int program_of(struct bpf_object *o, const char *name)
{
	struct bpf_program *p = bpf_object__find_program_by_name(o, name);

	if (!p)
		errx(1, "no program %s", name);
	return bpf_program__fd(p);
}

static void stop(int number)
{
	(void)number; /* it has interrupted the system call */
}

/* The kernel runs the program for as long as nothing interrupts it; between batches it lets the thread that receives have the CPU. */
static double run(const struct load *l, int program)
{
	static uint8_t empty[GEN_FRAME_MAX];
	const struct sigaction action = {.sa_handler = stop};
	const struct itimerval timer = {.it_value = {.tv_sec = (time_t)l->seconds, .tv_usec = (suseconds_t)((l->seconds - (double)(time_t)l->seconds) * 1e6)}};
	uint64_t start;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	start = load_now_ns();
	while ((double)(load_now_ns() - start) / 1e9 < l->seconds) {
		LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = empty, .data_size_in = sizeof(empty), .repeat = 1 << 30,
		            .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BURST);

		if (bpf_prog_test_run_opts(program, &o) < 0 && errno != EINTR)
			err(1, "live frames");
	}
	return (double)(load_now_ns() - start) / 1e9;
}

int main(int argc, char **argv)
{
	static struct load l = {.seconds = 4, .window = 192};
	struct gen_state state = {0};
	struct gen_counts before;
	const struct gen_counts *c;
	struct bpf_object *o;
	struct link link;
	bool dnssec = false;
	uint32_t zero = 0;
	double took;
	size_t skip = 0;
	int opt;

	while ((opt = getopt(argc, argv, "t:w:r:o:Dx")) != -1) {
		switch (opt) {
		case 't': l.seconds = atof(optarg); break;
		case 'w': l.window = (uint32_t)atoi(optarg); break;
		case 'r': l.rate = strtoull(optarg, NULL, 10); break;
		case 'o': skip = strtoull(optarg, NULL, 10); break;
		case 'D': dnssec = true; break;
		case 'x': state.seed = load_now_ns() | 1; break;
		default: return 2;
		}
	}
	if (argc - optind != 4)
		errx(2, "usage: frames [-t SECONDS] [-w WINDOW] [-r RATE] [-o SKIP] [-D] [-x] DEVICE ADDRESS OBJECT QUESTIONS");
	find_link(argv[optind], argv[optind + 1], &link);
	load_questions(&l, argv[optind + 3], dnssec);
	o = bpf_object__open_file(argv[optind + 2], NULL);
	if (!o || bpf_map__set_max_entries(bpf_object__find_map_by_name(o, "questions"), (uint32_t)l.count) < 0 || bpf_object__load(o) < 0)
		err(1, "%s", argv[optind + 2]);
	fill(&l, &link, map_of(o, "questions"));
	c = mmap(NULL, sizeof(*c), PROT_READ, MAP_SHARED, map_of(o, "counts"), 0);
	if (c == MAP_FAILED)
		err(1, "counts");
	if (bpf_xdp_attach((int)link.ifindex, program_of(o, "count"), XDP_FLAGS_DRV_MODE, NULL) < 0)
		err(1, "%s", argv[optind]);
	before = *c;
	state.next = skip % l.count;
	state.count = l.count;
	state.ifindex = link.ifindex;
	state.window = l.window;
	state.rate = l.rate;
	state.first = before.answers;
	state.start_ns = load_now_ns();
	if (bpf_map_update_elem(map_of(o, "state"), &zero, &state, BPF_ANY) < 0)
		err(1, "state");
	took = run(&l, program_of(o, "generate"));
	usleep(20000); /* for the last answers */
	if (bpf_map_lookup_elem(map_of(o, "state"), &zero, &state) < 0)
		err(1, "state");
	l.sent = state.sent;
	l.answered = c->answers - before.answers;
	l.lost = l.sent > l.answered ? l.sent - l.answered : 0;
	l.octets = c->octets - before.octets;
	for (int i = 0; i < 16; i++)
		l.rcodes[i] = c->rcodes[i] - before.rcodes[i];
	load_print(&l, took);
	bpf_object__close(o);
	return 0;
}
