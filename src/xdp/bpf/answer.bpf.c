/* SPDX-License-Identifier: BSD-2-Clause */
/* The answer cache in the kernel (licensed to it as Dual BSD/GPL). One packet:
 *
 *	headers -> service address -> lease -> question -> entry -> generation, time -> size -> rate -> room -> write -> XDP_TX
 *
 * Everything is decided before the first write; whatever is not plainly a question that the cache has the answer to goes on untouched,
 * to the AF_XDP socket of its queue, when it is a question all the same, or to the stack. What a plain question is:
 *
 * - Ethernet to this device's own address, at most one VLAN tag; IPv4 without options or fragments, its checksum right, or IPv6 without
 *   extension headers; UDP whose length is that of the IP payload (Ethernet may pad behind it); the source can be answered.
 * - one question of class IN, opcode QUERY, flags RD, CD and AD only; nothing behind it, or exactly an OPT record of version 0 without options.
 *
 * The message is copied to memory of this CPU and judged there. An entry is copied before it is believed: a writer at work is noticed by
 * its lock, as with a sequence lock, and the packet passed. The checksum of the query is not verified (over veth it is not there yet).
 *
 * Beside questions it answers probes, which this node sends to itself by way of a neighbor, in ICMP echoes, to see that answers can leave.
 *
 * The loops stand in functions of their own, which the verifier looks at once each. Theory and limits: doc/design/xdp.md. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"

#define INLINE static __always_inline

/* The compiler forgets what it knows of x, so that the bound checked next is on the very register that is used. */
#define OPAQUE(x) asm volatile("" : "+r"(x))

typedef uint8_t bool8;

enum {
	HEADERS_MAX = 84,      /* room before the message: Ethernet 14, VLAN 4, IPv6 40, ICMP 8, probe 16; the name is aligned to 8 */
	MESSAGE_HEADER = 12,
	NAME_AT = HEADERS_MAX + MESSAGE_HEADER,
	NAME_MAX = 255,
	OPT_LEN = 11,
	QUERY_MIN = MESSAGE_HEADER + 1 + 4,
	QUERY_MAX = MESSAGE_HEADER + NAME_MAX + 4 + OPT_LEN,
	FRAME_MAX = NAME_AT + NAME_MAX + 5 + XDP_LARGE_TAIL + 8,
	PORT_MDNS = 5353,
	PROBE_MIN = 8 + sizeof(struct xdp_probe) + XDP_PROBE_ROOM, /* an ICMP message with a probe */
	FLOOD_HIT = 16,
	FLOOD_WINDOW_NS = 2000000,
	FLOOD_UNREAD_NS = 3000000,
};

/* Memory of one CPU, for one packet. */
struct scratch {
	uint64_t frame[(FRAME_MAX + 7) / 8];
	uint64_t name[XDP_LARGE_NAME / 8]; /* lower case */
	uint64_t hash;
	uint64_t client[3];   /* octets of the address, then zeros */
	uint64_t now;
	uint32_t name_len, qtype, variant, limit;
	uint32_t v6;
	uint32_t socket;      /* of the packet's queue; XDP_SOCKETS_MAX: none */
	uint32_t barrier;
	/* of this CPU's last lookups: see note_miss() */
	uint64_t window_began, unread_until;
	uint32_t window_misses;
	struct xdp_entry entry; /* of the answer found */
};

struct bucket {
	uint64_t word[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct xdp_control);
} control SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_GENERATIONS / 2);
	__type(key, uint32_t);
	__type(value, uint64_t); /* two slots: the kernel pads values to 8 octets; then the tags of sets */
} generations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_WAYS);
	__type(key, uint32_t);
	__type(value, struct xdp_small);
} small SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, XDP_WAYS);
	__type(key, uint32_t);
	__type(value, struct xdp_large);
} large SEC(".maps");

/* The table of limit/rate.c, shared with the workers: the first element is its header. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, uint32_t);
	__type(value, struct bucket);
} rates SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct xdp_prefix);
	__type(value, uint32_t);
} exempt SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, struct xdp_address);
	__type(value, uint32_t);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, uint32_t); /* index of the device */
	__type(value, struct xdp_device);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct xdp_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, XDP_SOCKETS_MAX);
	__type(key, uint32_t);
	__type(value, uint32_t);
} sockets SEC(".maps");

/* Loads before it come before loads after it. x86 keeps them in order by itself. */
INLINE void read_barrier(struct scratch *s)
{
#ifdef XDP_LOADS_IN_ORDER
	(void)s;
	asm volatile("" ::: "memory");
#else
	__sync_fetch_and_add(&s->barrier, 1);
#endif
}

/* Octets of the name, in a form whose bound the verifier sees. */
INLINE uint32_t name_octets(struct scratch *s)
{
	uint32_t len = s->name_len;

	OPAQUE(len);
	return len & NAME_MAX;
}

/* ---- the question ---- */

/* Octets of the name in the message; 0: none that could be asked. What is behind the message's end is from an earlier packet; the caller
 * sees that the name ends before it. */
__noinline int walk_name(struct scratch *s)
{
	uint32_t at = 0;

	if (!s)
		return 0;
	for (int i = 0; i < 128; i++) {
		uint8_t l;

		if (at > NAME_MAX - 1)
			return 0;
		l = ((uint8_t *)s->frame)[NAME_AT + at];
		if (l > 63)
			return 0;
		at += l + 1;
		if (!l)
			return (int)at;
	}
	return 0;
}

/* Eight octets at once; octets of length are below 'A'. */
INLINE uint64_t lower(uint64_t w)
{
	const uint64_t all = 0x0101010101010101ULL;
	uint64_t seven = w & (0x7f * all), beyond = seven + (0x7f - 'Z') * all, from = seven + (0x80 - 'A') * all;

	return w | (((~w & (0x80 * all)) & (from ^ beyond)) >> 2);
}

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

struct sip {
	uint64_t a, b, c, d;
};

INLINE void sip_round(struct sip *v)
{
	v->a += v->b;
	v->b = ROTL(v->b, 13) ^ v->a;
	v->a = ROTL(v->a, 32);
	v->c += v->d;
	v->d = ROTL(v->d, 16) ^ v->c;
	v->a += v->d;
	v->d = ROTL(v->d, 21) ^ v->a;
	v->c += v->b;
	v->b = ROTL(v->b, 17) ^ v->c;
	v->c = ROTL(v->c, 32);
}

INLINE void sip_word(struct sip *v, uint64_t w)
{
	v->d ^= w;
	sip_round(v);
	v->a ^= w;
}

INLINE struct sip sip_begin(uint64_t k0, uint64_t k1)
{
	return (struct sip){k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL, k0 ^ 0x6c7967656e657261ULL, k1 ^ 0x7465646279746573ULL};
}

INLINE uint64_t sip_end(struct sip *v)
{
	v->c ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v->a ^ v->b ^ v->c ^ v->d;
}

/* The name in lower case to s->name, zeros behind it up to a whole word, and the hash of the whole question. */
__noinline int fold_question(struct scratch *s, uint64_t k0, uint64_t k1)
{
	struct sip v = sip_begin(k0, k1);
	uint32_t len;

	if (!s)
		return 0;
	len = name_octets(s);
	for (uint32_t i = 0; i < XDP_LARGE_NAME / 8; i++) {
		uint64_t w;

		if (i * 8 >= len)
			break;
		w = s->frame[NAME_AT / 8 + i];
		if (len - i * 8 < 8)
			w &= ~0ULL >> (64 - (len - i * 8) * 8);
		w = lower(w);
		s->name[i] = w;
		sip_word(&v, w);
	}
	sip_word(&v, (uint64_t)len << 32 | s->qtype << 8 | s->variant);
	s->hash = sip_end(&v);
	if (!s->hash)
		s->hash = 1;
	return 0;
}

/* ---- the entry ---- */

enum found { MISS, HIT, STALE, BUSY };

/* Is this the name of the entry? */
INLINE int is_name(const struct scratch *s, const uint64_t *name, const uint32_t name_max, uint32_t len)
{
	for (uint32_t i = 0; i < name_max / 8; i++) {
		if (i * 8 >= len)
			break;
		if (name[i] != s->name[i])
			return 0;
	}
	return 1;
}

/* The tail to where the question ends. */
INLINE int copy_tail(struct scratch *s, const uint64_t *tail, const uint32_t tail_max)
{
	uint32_t len = name_octets(s), tail_len = s->entry.tail_len;

	for (uint32_t i = 0; i < tail_max / 8; i++) {
		if (i * 8 >= tail_len)
			break;
		*(uint64_t *)((uint8_t *)s->frame + NAME_AT + 4 + len + i * 8) = tail[i];
	}
	return 1;
}

__noinline int is_small_name(struct scratch *s, struct xdp_small *e)
{
	return s && e && is_name(s, e->name, XDP_SMALL_NAME, name_octets(s));
}

__noinline int is_large_name(struct scratch *s, struct xdp_large *e)
{
	return s && e && is_name(s, e->name, XDP_LARGE_NAME, name_octets(s));
}

__noinline int copy_small(struct scratch *s, struct xdp_small *e)
{
	return s && e && copy_tail(s, e->tail, XDP_SMALL_TAIL);
}

__noinline int copy_large(struct scratch *s, struct xdp_large *e)
{
	return s && e && copy_tail(s, e->tail, XDP_LARGE_TAIL);
}

/* Could this be the entry? Then its head is copied. */
INLINE int begin_entry(struct scratch *s, struct xdp_entry *e, uint64_t *before, const uint32_t tail_max)
{
	*before = *(volatile uint64_t *)&e->lock;
	if (*(volatile uint64_t *)&e->hash != s->hash)
		return MISS;
	if ((uint32_t)*before || (*before >> 32 & 1))
		return BUSY;
	read_barrier(s);
	s->entry = *e;
	if (s->entry.qtype != s->qtype || (s->entry.variant & XDP_VARIANTS) != s->variant || s->entry.name_len != s->name_len ||
	    s->entry.tail_len > tail_max)
		return MISS;
	return HIT;
}

INLINE int end_entry(struct scratch *s, struct xdp_entry *e, uint64_t before)
{
	read_barrier(s);
	return *(volatile uint64_t *)&e->lock == before ? HIT : BUSY;
}

/* One word tells most questions that are not here from those that are, where looking at all entries of two sets would cost eight cache misses. */
INLINE uint64_t tags_of(uint32_t at)
{
	uint64_t *tags = bpf_map_lookup_elem(&generations, &at);

	return tags ? *(volatile uint64_t *)tags : 0;
}

__noinline int find_small(struct scratch *s, uint32_t sets)
{
	uint64_t tags;
	int worst = MISS;

	if (!s || s->name_len > XDP_SMALL_NAME)
		return MISS;
	tags = tags_of(XDP_TAGS + ((uint32_t)s->hash & (sets - 1)));
	for (uint32_t i = 0; i < XDP_WAYS; i++) {
		uint32_t at = ((uint32_t)s->hash & (sets - 1)) * XDP_WAYS + i;
		struct xdp_small *e = bpf_map_lookup_elem(&small, &at);
		uint64_t before;
		int found;

		if (!e)
			return MISS;
		if ((tags >> i * 16 & 0xffff) != xdp_tag(s->hash))
			continue;
		found = begin_entry(s, &e->head, &before, XDP_SMALL_TAIL);
		if (found == HIT && !is_small_name(s, e))
			found = MISS;
		if (found == HIT) {
			copy_small(s, e);
			return end_entry(s, &e->head, before);
		}
		if (found != MISS)
			worst = found;
	}
	return worst;
}

__noinline int find_large(struct scratch *s, uint32_t sets, uint32_t small_sets)
{
	uint64_t tags;
	int worst = MISS;

	if (!s)
		return MISS;
	tags = tags_of(XDP_TAGS + small_sets + ((uint32_t)s->hash & (sets - 1)));
	for (uint32_t i = 0; i < XDP_WAYS; i++) {
		uint32_t at = ((uint32_t)s->hash & (sets - 1)) * XDP_WAYS + i;
		struct xdp_large *e = bpf_map_lookup_elem(&large, &at);
		uint64_t before;
		int found;

		if (!e)
			return MISS;
		if ((tags >> i * 16 & 0xffff) != xdp_tag(s->hash))
			continue;
		found = begin_entry(s, &e->head, &before, XDP_LARGE_TAIL);
		if (found == HIT && !is_large_name(s, e))
			found = MISS;
		if (found == HIT) {
			copy_large(s, e);
			return end_entry(s, &e->head, before);
		}
		if (found != MISS)
			worst = found;
	}
	return worst;
}

/* ---- rate limits: limit/rate.c, on the same table ---- */

enum { RATE_TIME_BITS = 44, RATE_TRIES = 4 };
#define RATE_TIME_MASK ((1ULL << RATE_TIME_BITS) - 1)
#define RATE_AHEAD_MAX 64000000ULL

INLINE uint64_t ahead(uint64_t word, uint64_t now)
{
	uint64_t d = (word - now) & RATE_TIME_MASK;

	return d <= RATE_AHEAD_MAX ? d : 0;
}

INLINE uint64_t rate_hash(struct scratch *s, struct xdp_control *c, uint64_t k0, uint64_t k1)
{
	uint32_t v6 = s->v6 & 1, len = c->rate_len[v6];
	uint64_t *mask = (uint64_t *)c->rate_mask[v6];
	uint64_t lo = s->client[0] & mask[0], hi = s->client[1] & mask[1];
	uint64_t w0 = v6 << 7 | (s->entry.kind & 7) | lo << 8, w1 = lo >> 56 | hi << 8, w2 = hi >> 56, last = w0;
	struct sip v = sip_begin(k0, k1);

	if (len >= 8) {
		sip_word(&v, w0);
		last = w1;
	}
	if (len >= 16) {
		sip_word(&v, w1);
		last = w2;
	}
	sip_word(&v, last | (uint64_t)len << 56);
	return sip_end(&v);
}

/* 1: within the limit. */
__noinline int rate_pass(struct scratch *s)
{
	uint32_t zero = 0, at, kind;
	struct xdp_control *c = bpf_map_lookup_elem(&control, &zero);
	struct bucket *head = bpf_map_lookup_elem(&rates, &zero), *b;
	uint64_t cost, burst, hash, tag, now;

	if (!s || !c || !head)
		return 1;
	kind = s->entry.kind & (XDP_RATE_KINDS - 1);
	cost = c->rate_cost[kind];
	burst = c->rate_burst[kind];
	if (!cost)
		return 1;
	now = s->now * 8 / 125;
	hash = rate_hash(s, c, head->word[1], head->word[2]);
	at = 1 + ((uint32_t)hash & ((uint32_t)(head->word[0] >> 32) - 1));
	b = bpf_map_lookup_elem(&rates, &at);
	if (!b)
		return 1;
	tag = hash >> RATE_TIME_BITS;
	if (!tag)
		tag = 1;
	for (int try = 0; try < RATE_TRIES; try++) {
		uint64_t word = 0, least = ~0ULL, owed = 0;
		uint32_t place = 0;

		for (uint32_t i = 0; i < 8; i++) {
			uint64_t w = *(volatile uint64_t *)&b->word[i], d;

			if (w >> RATE_TIME_BITS == tag) {
				word = w;
				place = i;
				owed = ahead(w, now);
				break;
			}
			d = ahead(w, now);
			if (d < least) {
				least = d;
				word = w;
				place = i;
			}
		}
		if (owed + cost > burst)
			return 0;
		place &= 7;
		if (__sync_val_compare_and_swap(&b->word[place], word, tag << RATE_TIME_BITS | ((now + owed + cost) & RATE_TIME_MASK)) == word)
			return 1;
	}
	return 1; /* so many others at once that the account is not worth more */
}

INLINE int is_exempt(struct scratch *s)
{
	struct xdp_prefix p = {.bits = 128};

	if (s->v6) {
		__builtin_memcpy(p.addr, s->client, 16);
	} else {
		p.addr[10] = p.addr[11] = 0xff;
		__builtin_memcpy(p.addr + 12, s->client, 4);
	}
	return bpf_map_lookup_elem(&exempt, &p) != NULL;
}

/* ---- the answer ---- */

INLINE uint32_t fold16(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)((sum & 0xffff) + (sum >> 16));
}

/* Sum of the first len octets of the message in s: the words as they lie in memory, the last one filled up with zeros. What stands behind is
 * put back. */
INLINE uint64_t sum_message(struct scratch *s, uint32_t len)
{
	uint8_t *m = (uint8_t *)s->frame + HEADERS_MAX;
	uint32_t kept;
	__s64 sum;

	OPAQUE(len);
	if (len > QUERY_MAX)
		return 0;
	kept = *(uint32_t *)(m + len);
	*(uint32_t *)(m + len) = 0;
	sum = bpf_csum_diff(NULL, 0, (__be32 *)m, (len + 3) & ~3U, 0);
	*(uint32_t *)(m + len) = kept;
	return (uint64_t)(uint32_t)sum;
}

INLINE void swap_octets(uint8_t *a, uint8_t *b, const int n)
{
	for (int i = 0; i < n; i++) {
		uint8_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

/* The frame's headers in s turned round for an answer of len octets, whose sum is given. */
INLINE void turn_headers(struct scratch *s, uint64_t sum, uint32_t len, const uint32_t eth_len, const bool8 v6)
{
	const uint32_t headers = eth_len + (v6 ? 40 : 20) + 8;
	uint8_t *eth = (uint8_t *)s->frame + HEADERS_MAX - headers, *ip = eth + eth_len, *udp = ip + (v6 ? 40 : 20);
	uint32_t udp_len = 8 + len;
	uint16_t check;

	swap_octets(eth, eth + 6, 6);
	swap_octets(udp, udp + 2, 2);
	udp[4] = (uint8_t)(udp_len >> 8);
	udp[5] = (uint8_t)udp_len;
	udp[6] = udp[7] = 0;
	sum += bpf_htons((uint16_t)udp_len) + bpf_htons(IPPROTO_UDP); /* pseudo header */
	for (int i = 0; i < 3; i++)
		sum += *(uint16_t *)(udp + i * 2);
	if (v6) {
		ip[0] = 0x60; /* no traffic class, no flow label */
		ip[1] = ip[2] = ip[3] = 0;
		ip[4] = udp[4];
		ip[5] = udp[5];
		ip[7] = 64;
		swap_octets(ip + 8, ip + 24, 16);
		for (int i = 0; i < 16; i++)
			sum += *(uint16_t *)(ip + 8 + i * 2);
	} else {
		uint64_t header = 0;

		ip[1] = 0;
		ip[2] = (uint8_t)((udp_len + 20) >> 8);
		ip[3] = (uint8_t)(udp_len + 20);
		ip[4] = ip[5] = 0;
		ip[6] = 0x40; /* don't fragment */
		ip[7] = 0;
		ip[8] = 64;
		ip[10] = ip[11] = 0;
		swap_octets(ip + 12, ip + 16, 4);
		for (int i = 0; i < 10; i++)
			header += *(uint16_t *)(ip + i * 2);
		check = (uint16_t)~fold16(header);
		*(uint16_t *)(ip + 10) = check;
		for (int i = 0; i < 4; i++)
			sum += *(uint16_t *)(ip + 12 + i * 2);
	}
	check = (uint16_t)~fold16(sum);
	if (!check)
		check = 0xffff; /* RFC 768: 0 would say that there is none */
	*(uint16_t *)(udp + 6) = check;
}

/* Put what s holds, headers and len octets of message, in place of the packet of `have` octets. False: there is no room, and nothing was
 * changed. Most drivers let a frame grow behind; over veth only in front, where there is always some. */
INLINE int replace(struct xdp_md *ctx, struct scratch *s, uint32_t len, uint32_t have, const uint32_t headers)
{
	uint32_t want = headers + len;
	uint8_t *from = (uint8_t *)s->frame + HEADERS_MAX - headers;

	if (want > have && bpf_xdp_adjust_tail(ctx, (int)(want - have)) && bpf_xdp_adjust_head(ctx, -(int)(want - have)))
		return 0;
	OPAQUE(want);
	if (want < headers + QUERY_MIN || want > headers + XDP_UDP_MAX)
		return -1;
	if (bpf_xdp_store_bytes(ctx, 0, from, want))
		return -1;
	return 1;
}

/* To the AF_XDP socket of the packet's queue, if a worker reads it, else to the stack. */
INLINE int to_worker(struct scratch *s, struct xdp_control *c)
{
	uint32_t at = s->socket;

	OPAQUE(at);
	if (at >= XDP_SOCKETS_MAX || !*(volatile uint8_t *)&c->serving[at])
		return XDP_PASS;
	return (int)bpf_redirect_map(&sockets, at, XDP_PASS);
}

/* A question for the workers. */
INLINE int on(struct scratch *s, struct xdp_control *c, struct xdp_counters *n, uint64_t *reason)
{
	int action = to_worker(s, c);

	(*reason)++;
	if (action == XDP_REDIRECT)
		n->redirected++;
	return action;
}

/* Not plainly a question: for the stack to judge. */
INLINE int doubtful(struct xdp_counters *n)
{
	n->pass_form++;
	return XDP_PASS;
}

/* What stands in the message of len octets in s. 0, or the counter's place for the reason it is passed. */
INLINE uint64_t *read_question(struct scratch *s, struct xdp_counters *n, uint32_t len)
{
	uint8_t *m = (uint8_t *)s->frame + HEADERS_MAX, *q, *o;
	uint32_t name_len;

	/* QR, opcode, AA, TC; RA, Z, rcode */
	if ((m[2] & 0xfe) || (m[3] & 0xcf))
		return &n->pass_form;
	if (m[4] || m[5] != 1 || m[6] || m[7] || m[8] || m[9] || m[10] || m[11] > 1)
		return &n->pass_form;
	name_len = (uint32_t)walk_name(s);
	OPAQUE(name_len);
	if (!name_len || name_len > NAME_MAX)
		return &n->pass_form;
	q = m + MESSAGE_HEADER + name_len;
	if (len != MESSAGE_HEADER + name_len + 4 + (m[11] ? OPT_LEN : 0))
		return m[11] && len > MESSAGE_HEADER + name_len + 4 + OPT_LEN ? &n->pass_options : &n->pass_form;
	if (q[2] || q[3] != 1)
		return &n->pass_form;
	s->name_len = name_len;
	s->qtype = (uint32_t)q[0] << 8 | q[1];
	s->variant = 0;
	s->limit = 512;
	if (!m[11])
		return NULL;
	o = q + 4;
	/* root, OPT, size, no extended rcode, version 0, DO and nothing else, no options */
	if (o[0] || o[1] || o[2] != 41 || o[5] || o[6] || (o[7] & 0x7f) || o[8] || o[9] || o[10])
		return &n->pass_options;
	s->variant = XDP_EDNS | (o[7] ? XDP_DO : 0);
	s->limit = (uint32_t)o[3] << 8 | o[4];
	if (s->limit < 512)
		s->limit = 512;
	if (s->limit > XDP_UDP_MAX)
		s->limit = XDP_UDP_MAX;
	return NULL;
}

/* Is the entry found of the zone's version in force, and not over? */
INLINE int is_fresh(struct scratch *s, struct xdp_control *c)
{
	uint32_t slot = s->entry.slot & (XDP_GENERATIONS - 1), half = slot >> 1, epoch = *(volatile uint32_t *)&c->epoch;
	uint64_t *pair = bpf_map_lookup_elem(&generations, &half);

	if (s->entry.until && s->now >= s->entry.until)
		return 0;
	return pair && epoch == s->entry.epoch && (uint32_t)(*(volatile uint64_t *)pair >> (slot & 1) * 32) == s->entry.generation;
}

/* Beyond the limit: an empty answer with TC, which is as long as the question. */
INLINE void make_slip(struct scratch *s)
{
	uint8_t *m = (uint8_t *)s->frame + HEADERS_MAX, *o = m + MESSAGE_HEADER + 4 + name_octets(s);

	m[2] = 0x80 | 0x02 | (m[2] & 0x01);
	m[3] = m[3] & 0x10;
	if (s->variant & XDP_EDNS) {
		o[0] = o[1] = 0;
		o[2] = 41;
		o[3] = XDP_UDP_MAX >> 8;
		o[4] = XDP_UDP_MAX & 0xff;
		o[5] = o[6] = 0;
		o[7] = s->variant & XDP_DO ? 0x80 : 0;
		o[8] = o[9] = o[10] = 0;
	}
}

/* A flood of names that are not kept costs a look at each for nothing: when control.flood questions in a row, with hardly any hit between them, came within FLOOD_WINDOW_NS, those
 * of the next FLOOD_UNREAD_NS go to the workers unread. A hit takes back FLOOD_HIT misses, so a cache that pays for itself is never passed over; nor is it at low rates. */
INLINE void note_hit(struct scratch *s)
{
	s->window_misses = s->window_misses > FLOOD_HIT ? s->window_misses - FLOOD_HIT : 0;
}

INLINE void note_miss(struct scratch *s, uint32_t flood)
{
	if (!s->window_misses || s->now - s->window_began > FLOOD_WINDOW_NS) {
		s->window_began = s->now;
		s->window_misses = 0;
	}
	if (++s->window_misses != flood)
		return;
	s->window_misses = 0;
	s->unread_until = s->now + FLOOD_UNREAD_NS;
}

/* A UDP packet of ours with a message of len octets. */
INLINE int serve(struct xdp_md *ctx, struct scratch *s, struct xdp_control *c, struct xdp_counters *n, uint32_t len, uint32_t have,
                 const uint32_t eth_len, const bool8 v6)
{
	const uint32_t headers = eth_len + (v6 ? 40 : 20) + 8;
	uint8_t *m = (uint8_t *)s->frame + HEADERS_MAX, *ip = m - headers + eth_len;
	uint32_t question, tail_sum, size;
	uint64_t *reason;
	uint64_t sum;
	int found, done;

	size = headers + len;
	OPAQUE(size);
	if (size < headers + QUERY_MIN || size > headers + QUERY_MAX)
		return doubtful(n);
	if (c->bare || s->now < s->unread_until) {
		uint8_t *data = (uint8_t *)(long)ctx->data;

		if (data + headers + MESSAGE_HEADER > (uint8_t *)(long)ctx->data_end || (data[headers + 2] & 0xf8))
			return doubtful(n); /* QR, opcode */
		return on(s, c, n, &n->pass_miss);
	}
	len = size - headers;
	if (bpf_xdp_load_bytes(ctx, 0, m - headers, size))
		return doubtful(n);
	reason = read_question(s, n, len);
	if (reason)
		return reason == &n->pass_form ? doubtful(n) : on(s, c, n, reason);
	fold_question(s, c->key[0], c->key[1]);
	found = find_small(s, c->small_sets);
	if (found == MISS)
		found = find_large(s, c->large_sets, c->small_sets);
	if (found != HIT) {
		note_miss(s, c->flood);
		return on(s, c, n, found == BUSY ? &n->pass_busy : &n->pass_miss);
	}
	note_hit(s);
	if (!is_fresh(s, c))
		return on(s, c, n, &n->pass_stale);
	if (s->entry.need > s->limit)
		return on(s, c, n, &n->pass_size);
	if ((s->entry.variant & XDP_NOT_CD) && (m[3] & 0x10))
		return on(s, c, n, &n->pass_miss);
	question = MESSAGE_HEADER + name_octets(s) + 4;
	s->client[0] = s->client[1] = s->client[2] = 0;
	if (v6)
		__builtin_memcpy(s->client, ip + 8, 16);
	else
		__builtin_memcpy(s->client, ip + 12, 4);
	s->v6 = v6;
	if (!rate_pass(s) && !is_exempt(s)) {
		uint64_t turn = ++n->slip_turn;
		uint32_t slip = c->slip;

		if (!slip || turn % slip) {
			n->limited++;
			return XDP_DROP;
		}
		make_slip(s);
		sum = sum_message(s, len);
		turn_headers(s, sum, len, eth_len, v6);
		OPAQUE(size);
		if (size < headers + QUERY_MIN || size > headers + QUERY_MAX)
			return XDP_DROP;
		if (bpf_xdp_store_bytes(ctx, 0, m - headers, size))
			return XDP_DROP;
		n->slipped++;
		return XDP_TX;
	}
	m[2] = s->entry.flags[0] | (m[2] & 0x01);
	m[3] = s->entry.flags[1] | (m[3] & 0x10);
	for (int i = 0; i < 6; i++)
		m[6 + i] = s->entry.counts[i];
	tail_sum = s->entry.tail_sum;
	if (question & 1)
		tail_sum = (tail_sum << 8 | tail_sum >> 8) & 0xffff;
	sum = sum_message(s, question) + tail_sum;
	question += s->entry.tail_len;
	turn_headers(s, sum, question, eth_len, v6);
	done = replace(ctx, s, question, have, headers);
	if (!done)
		return on(s, c, n, &n->pass_room);
	if (done < 0)
		return XDP_DROP;
	n->answered[v6]++;
	n->of_backends += s->entry.until != 0;
	n->bytes += question;
	n->bytes_in += len;
	n->rcodes[s->entry.flags[1] & 15]++;
	return XDP_TX;
}

/* ---- headers ---- */

INLINE int is_leased(struct xdp_md *ctx, struct xdp_control *c, uint64_t now)
{
	uint32_t workers = c->workers, at;
	uint64_t since;

	if (!workers || c->off)
		return 0;
	at = ctx->rx_queue_index % workers;
	if (at >= XDP_WORKERS_MAX)
		return 0;
	since = *(volatile uint64_t *)&c->lease[at];
	/* A lease from the future is one renewed by another CPU a moment ago. */
	return since && (since >= now || now - since <= XDP_LEASE_MS * 1000000ULL);
}

/* The device that the frame is for. */
INLINE struct xdp_device *to_device(struct xdp_md *ctx, const uint8_t *eth)
{
	uint32_t index = ctx->ingress_ifindex;
	struct xdp_device *d = bpf_map_lookup_elem(&devices, &index);

	if (!d)
		return NULL;
	for (int i = 0; i < 6; i++)
		if (d->mac[i] != eth[i])
			return NULL;
	return d;
}

INLINE uint32_t socket_of(struct xdp_md *ctx, const struct xdp_device *d)
{
	return ctx->rx_queue_index < d->queues ? d->first + ctx->rx_queue_index : XDP_SOCKETS_MAX;
}

/* ---- probes ---- */

/* What there is in the cache for the question of a probe, put behind it. */
INLINE uint8_t probe_cache(struct scratch *s, struct xdp_control *c, struct xdp_counters *n, struct xdp_probe *p)
{
	uint8_t *m = (uint8_t *)s->frame + HEADERS_MAX;
	uint32_t len = (uint32_t)p->len[0] << 8 | p->len[1];

	if (len < QUERY_MIN || len > QUERY_MAX || read_question(s, n, len))
		return XDP_PROBE_NOT_KEPT;
	fold_question(s, c->key[0], c->key[1]);
	if (find_small(s, c->small_sets) != HIT && find_large(s, c->large_sets, c->small_sets) != HIT)
		return XDP_PROBE_NOT_KEPT;
	len = MESSAGE_HEADER + name_octets(s) + 4 + s->entry.tail_len;
	if (!is_fresh(s, c) || len > XDP_PROBE_ROOM)
		return XDP_PROBE_NOT_KEPT;
	m[2] = s->entry.flags[0] | (m[2] & 0x01);
	m[3] = s->entry.flags[1] | (m[3] & 0x10);
	for (int i = 0; i < 6; i++)
		m[6 + i] = s->entry.counts[i];
	p->len[0] = (uint8_t)(len >> 8);
	p->len[1] = (uint8_t)len;
	return XDP_PROBE_FROM_CACHE;
}

/* An ICMP echo reply that may carry a probe. Goes out again as an echo, to where it came from, or on to the worker. */
INLINE int turn_probe(struct xdp_md *ctx, struct scratch *s, struct xdp_control *c, struct xdp_counters *n, const uint32_t eth_len, const bool8 v6)
{
	const uint32_t ip_len = v6 ? 40 : 20, headers = eth_len + ip_len + 8 + sizeof(struct xdp_probe), whole = headers + XDP_PROBE_ROOM;
	uint8_t *m = (uint8_t *)s->frame + HEADERS_MAX, *eth = m - headers, *ip = eth + eth_len, *icmp = ip + ip_len;
	struct xdp_probe *p = (struct xdp_probe *)(icmp + 8);
	struct xdp_device *d;
	uint64_t sum = 0;
	uint16_t check;

	if (bpf_xdp_load_bytes(ctx, 0, eth, whole))
		return XDP_PASS;
	if (icmp[0] != (v6 ? 129 : 0) || icmp[1] || p->state != XDP_PROBE_ASKED)
		return XDP_PASS;
	if (v6 ? ip[0] >> 4 != 6 : ip[0] != 0x45 || (ip[6] & 0x3f) || ip[7])
		return XDP_PASS;
	for (int i = 0; i < 8; i++)
		if (p->key[i] != c->probe_key[i])
			return XDP_PASS;
	d = to_device(ctx, eth);
	if (!d || c->off)
		return XDP_PASS;
	s->socket = socket_of(ctx, d);
	s->now = bpf_ktime_get_ns();
	if (!is_leased(ctx, c, s->now)) {
		p->state = XDP_PROBE_NO_LEASE;
	} else if (p->kind == XDP_PROBE_OF_WORKER) {
		if (to_worker(s, c) == XDP_REDIRECT)
			return XDP_REDIRECT;
		p->state = XDP_PROBE_NOT_KEPT;
	} else {
		p->state = probe_cache(s, c, n, p);
	}
	swap_octets(eth, eth + 6, 6);
	icmp[0] = v6 ? 128 : 8;
	icmp[2] = icmp[3] = 0;
	if (v6) {
		swap_octets(ip + 8, ip + 24, 16);
		ip[7] = 64;
		for (int i = 0; i < 16; i++)
			sum += *(uint16_t *)(ip + 8 + i * 2);
		sum += bpf_htons(whole - eth_len - ip_len) + bpf_htons(IPPROTO_ICMPV6);
	} else {
		uint64_t header = 0;

		swap_octets(ip + 12, ip + 16, 4);
		ip[8] = 64;
		ip[10] = ip[11] = 0;
		for (int i = 0; i < 10; i++)
			header += *(uint16_t *)(ip + i * 2);
		check = (uint16_t)~fold16(header);
		*(uint16_t *)(ip + 10) = check;
	}
	sum += (uint32_t)bpf_csum_diff(NULL, 0, (__be32 *)icmp, 8 + sizeof(*p) + XDP_PROBE_ROOM, 0);
	check = (uint16_t)~fold16(sum);
	*(uint16_t *)(icmp + 2) = check;
	if (bpf_xdp_store_bytes(ctx, 0, eth, whole))
		return XDP_PASS;
	n->probes++;
	return XDP_TX;
}

/* For the verifier a world of its own: the way of questions is not its business. */
__noinline int probe(struct xdp_md *ctx, uint32_t form)
{
	struct xdp_counters *n;
	struct xdp_control *c;
	struct scratch *s;
	uint32_t zero = 0;

	c = bpf_map_lookup_elem(&control, &zero);
	n = bpf_map_lookup_elem(&counters, &zero);
	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!ctx || !c || !n || !s)
		return XDP_PASS;
	switch (form) {
	case 0:
		return turn_probe(ctx, s, c, n, ETH_HLEN, 0);
	case 1:
		return turn_probe(ctx, s, c, n, ETH_HLEN, 1);
	case 2:
		return turn_probe(ctx, s, c, n, ETH_HLEN + 4, 0);
	default:
		return turn_probe(ctx, s, c, n, ETH_HLEN + 4, 1);
	}
}

/* IP at eth_len, a constant where this is used. */
INLINE int receive(struct xdp_md *ctx, const uint32_t eth_len, const bool8 v6)
{
	const uint32_t ip_len = v6 ? 40 : 20;
	uint8_t *data = (uint8_t *)(long)ctx->data, *end = (uint8_t *)(long)ctx->data_end, *ip = data + eth_len, *udp = ip + ip_len;
	struct xdp_address to = {};
	struct xdp_device *d;
	struct xdp_counters *n;
	struct xdp_control *c;
	uint32_t payload, zero = 0, from_port;
	struct scratch *s;

	if (udp + 8 > end)
		return XDP_PASS;
	if (ip[v6 ? 6 : 9] == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) && udp[0] == (v6 ? 129 : 0) && end - udp >= PROBE_MIN)
		return probe(ctx, (eth_len == ETH_HLEN ? 0 : 2) + v6);
	if (v6) {
		if (ip[0] >> 4 != 6 || ip[6] != IPPROTO_UDP)
			return XDP_PASS;
		payload = (uint32_t)ip[4] << 8 | ip[5];
		__builtin_memcpy(to.addr, ip + 24, 16);
	} else {
		uint64_t sum = 0;

		/* no options, no fragment */
		if (ip[0] != 0x45 || ip[9] != IPPROTO_UDP || (ip[6] & 0x3f) || ip[7])
			return XDP_PASS;
		for (int i = 0; i < 10; i++)
			sum += *(uint16_t *)(ip + i * 2);
		payload = ((uint32_t)ip[2] << 8 | ip[3]) - 20;
		if (fold16(sum) != 0xffff || payload > 65515)
			return XDP_PASS;
		to.addr[10] = to.addr[11] = 0xff;
		__builtin_memcpy(to.addr + 12, ip + 16, 4);
	}
	__builtin_memcpy(to.port, udp + 2, 2);
	d = to_device(ctx, data);
	if (!d || d->state != XDP_DEVICE_ON || !bpf_map_lookup_elem(&addresses, &to))
		return XDP_PASS;
	c = bpf_map_lookup_elem(&control, &zero);
	n = bpf_map_lookup_elem(&counters, &zero);
	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!c || !n || !s)
		return XDP_PASS;
	n->seen++;
	s->socket = socket_of(ctx, d);
	s->now = bpf_ktime_get_ns();
	if (!is_leased(ctx, c, s->now)) {
		n->pass_lease++;
		return XDP_PASS;
	}
	/* Sources that nobody should answer are left to the stack to judge, as are lengths that disagree. */
	from_port = (uint32_t)udp[0] << 8 | udp[1];
	if (((uint32_t)udp[4] << 8 | udp[5]) != payload || payload < 8 || data + eth_len + ip_len + payload > end ||
	    from_port == 0 || from_port == 53 || from_port == PORT_MDNS || (data[6] & 1)) {
		n->pass_form++;
		return XDP_PASS;
	}
	if (v6) {
		/* multicast, unspecified, loopback, mapped */
		if (ip[8] == 0xff || (ip[8] == 0 && ip[9] == 0)) {
			n->pass_form++;
			return XDP_PASS;
		}
	} else if (ip[12] == 0 || ip[12] == 127 || ip[12] >= 224) {
		n->pass_form++;
		return XDP_PASS;
	}
	return serve(ctx, s, c, n, payload - 8, (uint32_t)(end - data), eth_len, v6);
}

SEC("xdp")
int answer(struct xdp_md *ctx)
{
	uint8_t *data = (uint8_t *)(long)ctx->data, *end = (uint8_t *)(long)ctx->data_end;
	uint16_t type;

	if (data + ETH_HLEN + 4 > end)
		return XDP_PASS;
	type = *(uint16_t *)(data + 12);
	if (type == bpf_htons(ETH_P_IP))
		return receive(ctx, ETH_HLEN, 0);
	if (type == bpf_htons(ETH_P_IPV6))
		return receive(ctx, ETH_HLEN, 1);
	if (type != bpf_htons(ETH_P_8021Q))
		return XDP_PASS;
	type = *(uint16_t *)(data + 16);
	if (type == bpf_htons(ETH_P_IP))
		return receive(ctx, ETH_HLEN + 4, 0);
	if (type == bpf_htons(ETH_P_IPV6))
		return receive(ctx, ETH_HLEN + 4, 1);
	return XDP_PASS;
}

char terms[] SEC("license") = "Dual BSD/GPL";
