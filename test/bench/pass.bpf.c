/* SPDX-License-Identifier: BSD-2-Clause */
/* Lets everything pass. veth delivers what the other end sends by XDP_TX only to an end that has a program of its own. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
