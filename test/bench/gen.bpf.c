/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions out of nothing: run by the kernel on empty frames, `generate` makes each the next question and sends it out by a device, without a socket;
 * while the window is full, or before a question is due, the frame goes back to where it came from.
 * `count` takes the answers at that device, counts and drops them; everything else passes. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "gen.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gen_question);
} questions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gen_state);
} state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gen_counts);
} counts SEC(".maps");

static __always_inline int may_send(struct gen_state *s, const struct gen_counts *c)
{
	__u64 back = *(volatile __u64 *)&c->answers - s->first, now;

	if (back + s->lost > s->sent)
		s->lost = s->sent - back; /* they were late, not lost */
	if (!s->rate && s->sent - back - s->lost < s->window)
		return 1;
	now = bpf_ktime_get_ns();
	if (s->rate)
		return (now - s->start_ns) / 1000 * s->rate / 1000000 > s->sent;
	if (back != s->seen || !s->seen_ns) {
		s->seen = back;
		s->seen_ns = now;
	} else if (now - s->seen_ns > GEN_LOST_NS) {
		s->lost = s->sent - back;
		s->seen_ns = now;
	}
	return 0;
}

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	struct gen_question *q;
	struct gen_counts *c;
	struct gen_state *s;
	__u32 zero = 0, at;
	__u64 len;

	s = bpf_map_lookup_elem(&state, &zero);
	c = bpf_map_lookup_elem(&counts, &zero);
	if (!s || !c || !may_send(s, c))
		return XDP_DROP;
	at = (__u32)s->next;
	s->next = s->next + 1 == s->count ? 0 : s->next + 1;
	q = bpf_map_lookup_elem(&questions, &at);
	if (!q)
		return XDP_DROP;
	len = q->len;
	if (bpf_xdp_adjust_tail(ctx, (int)len - GEN_FRAME_MAX))
		return XDP_DROP;
	asm volatile("" : "+r"(len)); /* both bounds are to be those of the register that is used */
	if (len < GEN_LABEL_AT + 8)
		return XDP_DROP;
	asm volatile("" : "+r"(len));
	if (len > sizeof(q->octets))
		return XDP_DROP;
	if (bpf_xdp_store_bytes(ctx, 0, q->octets, len))
		return XDP_DROP;
	if (s->seed) {
		__u8 label[8];

		s->seed ^= s->seed << 13; /* xorshift64 */
		s->seed ^= s->seed >> 7;
		s->seed ^= s->seed << 17;
		for (int i = 0; i < 8; i++)
			label[i] = (__u8)('a' + (s->seed >> (i * 4) & 15));
		if (bpf_xdp_store_bytes(ctx, GEN_LABEL_AT, label, sizeof(label)))
			return XDP_DROP;
	}
	s->sent++;
	return (int)bpf_redirect(s->ifindex, 0);
}

SEC("xdp")
int count(struct xdp_md *ctx)
{
	unsigned char *p = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct gen_counts *c;
	__u32 zero = 0, port;

	if (p + 46 > end || p[12] != 8 || p[13] || p[23] != IPPROTO_UDP || p[34] || p[35] != 53)
		return XDP_PASS;
	port = (__u32)p[36] << 8 | p[37];
	if (port < GEN_PORT || port >= GEN_PORT + GEN_PORTS)
		return XDP_PASS;
	c = bpf_map_lookup_elem(&counts, &zero);
	if (!c)
		return XDP_PASS;
	c->octets += ((__u32)p[38] << 8 | p[39]) - 8;
	c->rcodes[p[45] & 15]++;
	c->answers++;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
