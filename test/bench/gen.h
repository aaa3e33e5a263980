/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What the generator of frames (frames.c) shares with its programs in the kernel (gen.bpf.c). */
enum {
	GEN_FRAME_MAX = 256,
	GEN_PORT = 20000, GEN_PORTS = 256, /* sources of questions; below the range that sockets take by themselves */
	GEN_LOST_NS = 20000000, /* no answer for so long: what is in flight is lost */
	GEN_LABEL_AT = 14 + 20 + 8 + 12 + 1, /* the first label's octets in a frame */
};

struct gen_question {
	unsigned short len;
	unsigned char octets[GEN_FRAME_MAX - 2];
};

struct gen_state {
	unsigned long long next, count; /* of the questions */
	unsigned long long seed;        /* not 0: a new first label in each */
	unsigned int ifindex, window;   /* questions in flight */
	unsigned long long rate, start_ns; /* questions a second; 0: as the window lets */
	unsigned long long sent, lost, first; /* of gen_counts.answers, at the start */
	unsigned long long seen, seen_ns; /* answers, when there was a new one */
};

struct gen_counts {
	unsigned long long answers, octets, rcodes[16];
};
