/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions about a node's status have a socket of their own beside those of the workers, so that a flood of queries to the management address neither fills the queue that
 * they wait in nor has them wait for a worker that gets no CPU. The kernel sorts them out before anything is queued, by their octets:
 *
 *	id(2) flags(2) 0001 ....(6) | [[TREE] NETWORK] NODE 6 status 8 zonecast 0 | 0010 0003 | ...
 *
 * Anything else, a name in other letters included, goes to a worker as before; what is a question about status there is handed over. Whether who asks may be told is not judged
 * here: watch looks at the address and the signature (watch/tell.c).
 *
 * Loads beyond a datagram's end would end the program with 0, which is the socket of status: so lengths are looked at before every load. Workers get the rest in turn by chance, not by
 * the client's port; nothing of UDP depends on meeting the same worker twice. */
#include "super/status_lane.h"

#include "base/attr.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdint.h>
#include <sys/socket.h>

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

enum {
	AT_LABEL = 12,        /* of the first label, in a message */
	TAIL = 7 + 9 + 1 + 4, /* octets behind the label of the node: 6 status 8 zonecast 0, type, class */
	TO_OTHER = 255,       /* a jump that is not known yet */
	LABELS_MAX = 3,       /* before status.zonecast */
	STATUS_BEGINS = 0x06737461, /* 6 s t a */
};

struct build {
	struct sock_filter *p;
	unsigned n;
};

static void put(struct build *b, uint16_t code, uint32_t k)
{
	b->p[b->n++] = (struct sock_filter){.code = code, .k = k};
}

/* Go on where the comparison holds, else it is something else. */
static void demand(struct build *b, uint16_t compare, uint32_t k)
{
	b->p[b->n++] = (struct sock_filter){.code = (uint16_t)(BPF_JMP | compare), .jt = 0, .jf = TO_OTHER, .k = k};
}

/* Likewise where it does not hold. */
static void refuse(struct build *b, uint16_t compare, uint32_t k)
{
	b->p[b->n++] = (struct sock_filter){.code = (uint16_t)(BPF_JMP | compare), .jt = TO_OTHER, .jf = 0, .k = k};
}

/* The node's label ends at AT_LABEL + 1 + X: all of the tail behind it is there. */
static void demand_tail(struct build *b)
{
	put(b, BPF_LD | BPF_W | BPF_LEN, 0);
	demand(b, BPF_JGT | BPF_X, 0);
	put(b, BPF_ALU | BPF_SUB | BPF_X, 0);
	demand(b, BPF_JGE | BPF_K, AT_LABEL + 1 + TAIL);
}

/* A is the length of a label, of 1 to 63 octets. */
static void demand_label(struct build *b)
{
	refuse(b, BPF_JEQ | BPF_K, 0);
	refuse(b, BPF_JGT | BPF_K, 63);
}

unsigned lane_program(unsigned workers, struct sock_filter *program)
{
	struct build b = {.p = program};
	unsigned found[LABELS_MAX - 1], other;

	put(&b, BPF_LD | BPF_W | BPF_LEN, 0);
	demand(&b, BPF_JGE | BPF_K, AT_LABEL + 2 + TAIL);
	put(&b, BPF_LD | BPF_H | BPF_ABS, 2);
	refuse(&b, BPF_JSET | BPF_K, 0xf800); /* an answer, or another opcode */
	put(&b, BPF_LD | BPF_H | BPF_ABS, 4);
	demand(&b, BPF_JEQ | BPF_K, 1);
	put(&b, BPF_LD | BPF_B | BPF_ABS, AT_LABEL);
	demand_label(&b);
	put(&b, BPF_MISC | BPF_TAX, 0);
	demand_tail(&b);
	put(&b, BPF_LD | BPF_W | BPF_IND, AT_LABEL + 1);
	/* Where it was not the node's, the next one. */
	for (unsigned more = 0; more < LABELS_MAX - 1; more++) {
		found[more] = b.n;
		put(&b, BPF_JMP | BPF_JEQ | BPF_K, STATUS_BEGINS);
		put(&b, BPF_LD | BPF_B | BPF_IND, AT_LABEL + 1);
		demand_label(&b);
		put(&b, BPF_ALU | BPF_ADD | BPF_X, 0);
		put(&b, BPF_ALU | BPF_ADD | BPF_K, 1);
		put(&b, BPF_MISC | BPF_TAX, 0);
		demand_tail(&b);
		put(&b, BPF_LD | BPF_W | BPF_IND, AT_LABEL + 1);
	}
	demand(&b, BPF_JEQ | BPF_K, STATUS_BEGINS);
	for (unsigned i = 0; i < LABELS_MAX - 1; i++)
		program[found[i]].jt = (uint8_t)(b.n - found[i] - 1);
	put(&b, BPF_LD | BPF_W | BPF_IND, AT_LABEL + 1 + 4);
	demand(&b, BPF_JEQ | BPF_K, 0x74757308); /* t u s 8 */
	put(&b, BPF_LD | BPF_W | BPF_IND, AT_LABEL + 1 + 8);
	demand(&b, BPF_JEQ | BPF_K, 0x7a6f6e65); /* z o n e */
	put(&b, BPF_LD | BPF_W | BPF_IND, AT_LABEL + 1 + 12);
	demand(&b, BPF_JEQ | BPF_K, 0x63617374); /* c a s t */
	put(&b, BPF_LD | BPF_W | BPF_IND, AT_LABEL + 1 + 16);
	demand(&b, BPF_JEQ | BPF_K, 0x00001000); /* root, TXT, half of the class */
	put(&b, BPF_LD | BPF_B | BPF_IND, AT_LABEL + 1 + 20);
	demand(&b, BPF_JEQ | BPF_K, 3);
	put(&b, BPF_RET | BPF_K, 0);
	other = b.n;
	put(&b, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM));
	put(&b, BPF_ALU | BPF_MOD | BPF_K, workers);
	put(&b, BPF_ALU | BPF_ADD | BPF_K, 1);
	put(&b, BPF_RET | BPF_A, 0);
	for (unsigned i = 0; i < other; i++) {
		if (BPF_CLASS(program[i].code) != BPF_JMP)
			continue;
		if (program[i].jt == TO_OTHER)
			program[i].jt = (uint8_t)(other - i - 1);
		if (program[i].jf == TO_OTHER)
			program[i].jf = (uint8_t)(other - i - 1);
	}
	return b.n;
}

int lane_attach(int fd, unsigned workers)
{
	struct sock_filter program[LANE_PROGRAM_MAX];
	struct sock_fprog p = {.filter = program};

	p.len = (unsigned short)lane_program(workers, program);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &p, sizeof(p)) < 0 ? -errno : 0;
}
