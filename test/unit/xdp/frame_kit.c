/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame_kit.h"

#include <string.h>

const uint8_t kit_mac[6] = {2, 0, 0, 0, 0, 0x53};
const uint8_t kit_service_v4[4] = {192, 0, 2, 53};
const uint8_t kit_service_v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 0x53};
static const uint8_t client_v4[4] = {198, 51, 100, 7};
static const uint8_t client_v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 7, [15] = 9};
static const uint8_t client_mac[6] = {2, 0, 0, 0, 0, 9};

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t get16(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

size_t kit_name(const char *text, uint8_t *out)
{
	size_t n = 0;

	while (*text && strcmp(text, ".") != 0) {
		size_t len = strcspn(text, ".");

		out[n++] = (uint8_t)len;
		memcpy(out + n, text, len);
		n += len;
		text += len + (text[len] == '.');
	}
	out[n++] = 0;
	return n;
}

static uint32_t add(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t finish(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Where IP begins; 0: no IP. */
static size_t ip_at(const uint8_t *frame, size_t len, bool *v6)
{
	size_t at = 12, type;

	if (len < 18)
		return 0;
	type = get16(frame + at);
	if (type == 0x8100) {
		at += 4;
		type = get16(frame + at);
	}
	*v6 = type == 0x86dd;
	return type == 0x0800 || type == 0x86dd ? at + 2 : 0;
}

static uint32_t pseudo(const uint8_t *ip, bool v6, size_t udp_len)
{
	return add((uint32_t)udp_len + 17, ip + (v6 ? 8 : 12), v6 ? 32 : 8);
}

static void checksums(uint8_t *frame, size_t at, bool v6, size_t udp_len)
{
	uint8_t *ip = frame + at, *udp = ip + (v6 ? 40 : 20);
	uint16_t sum;

	if (!v6) {
		put16(ip + 10, 0);
		put16(ip + 10, finish(add(0, ip, 20)));
	}
	put16(udp + 6, 0);
	sum = finish(add(pseudo(ip, v6, udp_len), udp, udp_len));
	put16(udp + 6, sum ? sum : 0xffff);
}

void kit_mend(uint8_t *frame, size_t len)
{
	bool v6 = false;
	size_t at = ip_at(frame, len, &v6), udp_at = at + (v6 ? 40 : 20), udp_len;

	if (!at || udp_at + 8 > len)
		return;
	udp_len = get16(frame + udp_at + 4);
	if (udp_len >= 8 && udp_at + udp_len <= len)
		checksums(frame, at, v6, udp_len);
}

bool kit_checksums_right(const uint8_t *frame, size_t len)
{
	bool v6 = false;
	size_t at = ip_at(frame, len, &v6), udp_at = at + (v6 ? 40 : 20), udp_len = get16(frame + udp_at + 4);

	if (!at || udp_at + udp_len > len || (!v6 && finish(add(0, frame + at, 20)) != 0) || get16(frame + udp_at + 6) == 0)
		return false;
	return finish(add(pseudo(frame + at, v6, udp_len), frame + udp_at, udp_len)) == 0;
}

size_t kit_frame(const struct kit_query *q, uint8_t frame[KIT_FRAME_MAX])
{
	size_t eth = q->vlan ? 18 : 14, ip_len = q->v6 ? 40 : 20, n, udp_len;
	uint8_t *ip = frame + eth, *udp = ip + ip_len, *m = udp + 8;

	memset(frame, 0, KIT_FRAME_MAX);
	memcpy(frame, kit_mac, 6);
	memcpy(frame + 6, client_mac, 6);
	if (q->vlan) {
		put16(frame + 12, 0x8100);
		put16(frame + 14, 0x2064);
	}
	put16(frame + eth - 2, q->v6 ? 0x86dd : 0x0800);
	put16(m, 0x1234);
	memcpy(m + 2, q->flags, 2);
	put16(m + 4, 1);
	n = 12;
	if (q->wire) {
		memcpy(m + n, q->wire, q->wire_len);
		n += q->wire_len;
	} else {
		n += kit_name(q->name, m + n);
	}
	put16(m + n, q->qtype);
	put16(m + n + 2, q->qclass ? q->qclass : 1);
	n += 4;
	if (q->bufsize) {
		put16(m + 10, 1);
		put16(m + n + 1, 41);
		put16(m + n + 3, q->bufsize);
		m[n + 7] = q->dnssec_ok ? 0x80 : 0;
		put16(m + n + 9, q->options_len);
		n += 11;
		if (q->options_len)
			memcpy(m + n, q->options, q->options_len);
		n += q->options_len;
	}
	if (q->behind_len)
		memcpy(m + n, q->behind, q->behind_len);
	n += q->behind_len;
	udp_len = 8 + n;
	put16(udp, 40000);
	put16(udp + 2, 53);
	put16(udp + 4, udp_len);
	if (q->v6) {
		ip[0] = 0x60;
		ip[1] = 0x0a;
		put16(ip + 4, udp_len);
		ip[6] = 17;
		ip[7] = 57;
		memcpy(ip + 8, client_v6, 16);
		memcpy(ip + 24, kit_service_v6, 16);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, 20 + udp_len);
		put16(ip + 4, 0xbeef);
		ip[8] = 57;
		ip[9] = 17;
		memcpy(ip + 12, client_v4, 4);
		memcpy(ip + 16, kit_service_v4, 4);
	}
	checksums(frame, eth, q->v6, udp_len);
	memset(udp + udp_len, 0xee, q->padding);
	return eth + ip_len + udp_len + q->padding;
}

size_t kit_echo_reply(bool v6, bool vlan, const uint8_t *icmp, size_t icmp_len, uint8_t frame[KIT_FRAME_MAX])
{
	size_t eth = vlan ? 18 : 14, ip_len = v6 ? 40 : 20;
	uint8_t *ip = frame + eth, *to = ip + ip_len;
	uint32_t pseudo;

	memset(frame, 0, KIT_FRAME_MAX);
	memcpy(frame, kit_mac, 6);
	memcpy(frame + 6, client_mac, 6);
	if (vlan) {
		put16(frame + 12, 0x8100);
		put16(frame + 14, 0x2064);
	}
	put16(frame + eth - 2, v6 ? 0x86dd : 0x0800);
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, icmp_len);
		ip[6] = 58;
		ip[7] = 64;
		memcpy(ip + 8, client_v6, 16);
		memcpy(ip + 24, kit_service_v6, 16);
		ip[39] = 0x54; /* not a service address */
	} else {
		ip[0] = 0x45;
		put16(ip + 2, 20 + icmp_len);
		put16(ip + 4, 0x1234);
		ip[8] = 64;
		ip[9] = 1;
		memcpy(ip + 12, client_v4, 4);
		memcpy(ip + 16, kit_service_v4, 4);
		ip[19] = 54;
		put16(ip + 10, finish(add(0, ip, 20)));
	}
	memcpy(to, icmp, icmp_len);
	to[0] = v6 ? 129 : 0;
	put16(to + 2, 0);
	pseudo = v6 ? add((uint32_t)icmp_len + 58, ip + 8, 32) : 0;
	put16(to + 2, finish(add(pseudo, to, icmp_len)));
	return eth + ip_len + icmp_len;
}

bool kit_echo_right(const uint8_t *frame, size_t len)
{
	bool v6 = false;
	size_t at = ip_at(frame, len, &v6), to = at + (v6 ? 40 : 20), icmp_len;

	if (!at || to + 8 > len || (!v6 && finish(add(0, frame + at, 20)) != 0))
		return false;
	icmp_len = v6 ? get16(frame + at + 4) : get16(frame + at + 2) - 20;
	if (to + icmp_len > len || frame[to] != (v6 ? 128 : 8))
		return false;
	return finish(add(v6 ? add((uint32_t)icmp_len + 58, frame + at + 8, 32) : 0, frame + to, icmp_len)) == 0;
}

size_t kit_answer(const char *name, uint16_t qtype, bool edns, bool dnssec_ok, uint8_t rcode, size_t tail_len, uint8_t *out)
{
	size_t n = 12, end;

	memset(out, 0, 12);
	out[2] = 0x84;
	out[3] = rcode;
	out[5] = 1;
	out[7] = 1;
	out[11] = edns;
	n += kit_name(name, out + n);
	put16(out + n, qtype);
	put16(out + n + 2, 1);
	n += 4;
	end = n + tail_len - (edns ? 11 : 0);
	for (; n < end; n++)
		out[n] = (uint8_t)(n * 37 + qtype + rcode);
	if (edns) {
		memset(out + n, 0, 11);
		put16(out + n + 1, 41);
		put16(out + n + 3, 1232);
		out[n + 7] = dnssec_ok ? 0x80 : 0;
		n += 11;
	}
	return n;
}

/* ---- the twin ---- */

static uint8_t small_letter(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool source_ok(const uint8_t *ip, bool v6)
{
	return v6 ? ip[8] != 0xff && (ip[8] || ip[9]) : ip[12] != 0 && ip[12] != 127 && ip[12] < 224;
}

static bool ip_ok(const uint8_t *ip, bool v6, size_t *payload)
{
	if (v6) {
		*payload = get16(ip + 4);
		return ip[0] >> 4 == 6 && ip[6] == 17 && memcmp(ip + 24, kit_service_v6, 16) == 0;
	}
	if (get16(ip + 2) < 20)
		return false;
	*payload = get16(ip + 2) - 20;
	return ip[0] == 0x45 && ip[9] == 17 && !(get16(ip + 6) & 0x3fff) && memcmp(ip + 16, kit_service_v4, 4) == 0 &&
	       finish(add(0, ip, 20)) == 0;
}

struct asked {
	size_t name_len, limit;
	bool edns, dnssec_ok;
};

static bool question_ok(const uint8_t *m, size_t len, struct asked *a)
{
	static const uint8_t counts_plain[] = {0, 1, 0, 0, 0, 0, 0, 0}, counts_opt[] = {0, 1, 0, 0, 0, 0, 0, 1};
	size_t at = 12;

	*a = (struct asked){.limit = 512};
	if (len < 17 || (m[2] & ~1) || (m[3] & ~0x30))
		return false;
	a->edns = memcmp(m + 4, counts_opt, 8) == 0;
	if (!a->edns && memcmp(m + 4, counts_plain, 8) != 0)
		return false;
	while (at < len && m[at]) {
		if (m[at] > 63)
			return false;
		at += m[at] + 1U;
	}
	a->name_len = at + 1 - 12;
	if (at >= len || a->name_len > 255 || a->name_len + 16 + (a->edns ? 11 : 0) != len)
		return false;
	m += 12 + a->name_len;
	if (get16(m + 2) != 1)
		return false;
	if (!a->edns)
		return true;
	m += 4;
	if (m[0] || get16(m + 1) != 41 || m[5] || m[6] || (get16(m + 7) & 0x7fff) || get16(m + 9))
		return false;
	a->dnssec_ok = m[7] & 0x80;
	a->limit = get16(m + 3) < 512 ? 512 : get16(m + 3) > 1232 ? 1232 : get16(m + 3);
	return true;
}

static const struct kit_known *find(const struct kit_twin *t, const uint8_t *m, const struct asked *a)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct kit_known *k = &t->known[i];
		bool same = !k->dead && k->edns == a->edns && k->dnssec_ok == a->dnssec_ok;

		for (size_t n = 0; same && n < a->name_len; n++)
			same = small_letter(m[12 + n]) == k->message[12 + n];
		if (same && memcmp(m + 12 + a->name_len, k->message + 12 + a->name_len, 4) == 0)
			return k;
	}
	return NULL;
}

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t t[16];

	memcpy(t, a, n);
	memcpy(a, b, n);
	memcpy(b, t, n);
}

enum kit_verdict kit_twin_run(const struct kit_twin *t, const uint8_t *frame, size_t len, uint8_t out[KIT_FRAME_MAX], size_t *out_len)
{
	bool v6 = false;
	size_t at = ip_at(frame, len, &v6), udp_at = at + (v6 ? 40 : 20), payload, question;
	const struct kit_known *k;
	struct asked a;
	uint8_t *m, *ip, *udp;

	if (!at || udp_at + 8 > len || memcmp(frame, kit_mac, 6) != 0 || (frame[6] & 1) || !ip_ok(frame + at, v6, &payload) || !t->leased)
		return KIT_PASS;
	if (get16(frame + udp_at + 2) != 53 || get16(frame + udp_at + 4) != payload || payload < 8 || udp_at + payload > len ||
	    !source_ok(frame + at, v6))
		return KIT_PASS;
	switch (get16(frame + udp_at)) {
	case 0:
	case 53:
	case 5353:
		return KIT_PASS;
	}
	if (!question_ok(frame + udp_at + 8, payload - 8, &a))
		return KIT_PASS;
	k = find(t, frame + udp_at + 8, &a);
	if (!k || k->len > a.limit)
		return KIT_PASS;
	memset(out, 0, KIT_FRAME_MAX);
	memcpy(out, frame, udp_at + 8);
	swap(out, out + 6, 6);
	ip = out + at;
	udp = out + udp_at;
	m = udp + 8;
	swap(udp, udp + 2, 2);
	put16(udp + 4, 8 + k->len);
	if (v6) {
		memcpy(ip, "\x60\0\0\0", 4);
		put16(ip + 4, 8 + k->len);
		ip[7] = 64;
		swap(ip + 8, ip + 24, 16);
	} else {
		ip[1] = 0;
		put16(ip + 2, 28 + k->len);
		put16(ip + 4, 0);
		put16(ip + 6, 0x4000);
		ip[8] = 64;
		swap(ip + 12, ip + 16, 4);
	}
	question = 12 + a.name_len + 4;
	memcpy(m, k->message, k->len);
	memcpy(m, frame + udp_at + 8, 2);
	m[2] |= frame[udp_at + 10] & 0x01;
	m[3] |= frame[udp_at + 11] & 0x10;
	memcpy(m + 12, frame + udp_at + 8 + 12, question - 12);
	checksums(out, at, v6, 8 + k->len);
	*out_len = udp_at + 8 + k->len;
	if (*out_len < len) {
		/* What Ethernet put behind the query stays where the answer is shorter. */
		memcpy(out + *out_len, frame + *out_len, len - *out_len);
		*out_len = len;
	}
	return KIT_TX;
}
