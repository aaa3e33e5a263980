/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Frames for the XDP tests, and a plain C twin of the program: the same rules, written a second time, octet by octet, without its tricks. */
enum { KIT_FRAME_MAX = 2048, KIT_ANSWERS_MAX = 32 };

extern const uint8_t kit_mac[6];         /* of the device */
extern const uint8_t kit_service_v4[4], kit_service_v6[16];

struct kit_query {
	bool v6, vlan;
	const char *name;      /* text, labels divided by dots; "." */
	const uint8_t *wire;   /* in place of it */
	size_t wire_len;
	uint16_t qtype;
	uint16_t qclass;       /* 0: IN */
	uint8_t flags[2];
	uint16_t bufsize;      /* 0: no OPT */
	bool dnssec_ok;
	const uint8_t *options;
	size_t options_len;
	const uint8_t *behind; /* octets after the message, in UDP */
	size_t behind_len;
	size_t padding;        /* behind the IP packet */
};
size_t kit_name(const char *text, uint8_t *out);
/* The frame of a query, all checksums right. */
size_t kit_frame(const struct kit_query *q, uint8_t frame[KIT_FRAME_MAX]);
/* An answer as an engine would make it: tail_len octets of records behind the question. */
size_t kit_answer(const char *name, uint16_t qtype, bool edns, bool dnssec_ok, uint8_t rcode, size_t tail_len, uint8_t *out);
/* IPv4 header and UDP checksums of a frame made right again after something in it was changed. */
void kit_mend(uint8_t *frame, size_t len);
bool kit_checksums_right(const uint8_t *frame, size_t len);

/* The frame in which a neighbor sends an ICMP echo (its XDP_ECHO_LEN octets given) back, and whether a frame's ICMP checksum is right. */
size_t kit_echo_reply(bool v6, bool vlan, const uint8_t *icmp, size_t icmp_len, uint8_t frame[KIT_FRAME_MAX]);
bool kit_echo_right(const uint8_t *frame, size_t len);

struct kit_known {
	uint8_t message[1400]; /* complete answer, name in lower case */
	size_t len;
	bool edns, dnssec_ok, dead;
};
struct kit_twin {
	struct kit_known known[KIT_ANSWERS_MAX];
	size_t count;
	bool leased;
};
enum kit_verdict { KIT_PASS, KIT_TX };
/* What the program should do: KIT_TX and the frame in out, or KIT_PASS and nothing there. */
enum kit_verdict kit_twin_run(const struct kit_twin *t, const uint8_t *frame, size_t len, uint8_t out[KIT_FRAME_MAX], size_t *out_len);
