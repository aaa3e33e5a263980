/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "bgp/msg.h"

#include <stddef.h>
#include <stdint.h>

/* NOTIFICATION messages: error codes, building, reading and their texts. Pure. */
enum bgp_error_code {
	BGP_ERR_HEADER = 1,
	BGP_ERR_OPEN = 2,
	BGP_ERR_UPDATE = 3,
	BGP_ERR_HOLD = 4,
	BGP_ERR_FSM = 5,
	BGP_ERR_CEASE = 6,
	BGP_ERR_REFRESH = 7,
	BGP_ERR_SEND_HOLD = 8, /* RFC 9687 */
};
enum { BGP_HEADER_MARKER = 1, BGP_HEADER_LENGTH = 2, BGP_HEADER_TYPE = 3 };
enum {
	BGP_OPEN_UNSPECIFIC = 0,
	BGP_OPEN_VERSION = 1,
	BGP_OPEN_PEER_AS = 2,
	BGP_OPEN_ID = 3,
	BGP_OPEN_PARAMETER = 4,
	BGP_OPEN_HOLD = 6,
	BGP_OPEN_CAPABILITY = 7,
	BGP_OPEN_ROLE = 11, /* RFC 9234 */
};
enum { BGP_FSM_OPEN_SENT = 1, BGP_FSM_OPEN_CONFIRM = 2, BGP_FSM_ESTABLISHED = 3 }; /* RFC 6608 */
enum {
	BGP_CEASE_MAX_PREFIXES = 1,
	BGP_CEASE_SHUTDOWN = 2,
	BGP_CEASE_DECONFIGURED = 3,
	BGP_CEASE_RESET = 4,
	BGP_CEASE_REJECTED = 5,
	BGP_CEASE_OTHER_CONFIG = 6,
	BGP_CEASE_COLLISION = 7,
	BGP_CEASE_RESOURCES = 8,
	BGP_CEASE_HARD_RESET = 9,
	BGP_CEASE_BFD_DOWN = 10, /* RFC 9384 */
};

enum {
	BGP_NOTIFY_DATA_MAX = 264,  /* the longest we send is a shutdown text; of received data the rest is dropped */
	BGP_NOTIFY_LEN_MAX = BGP_NOTIFICATION_MIN + BGP_NOTIFY_DATA_MAX,
	BGP_SHUTDOWN_TEXT_MAX = 255, /* octets, RFC 9003 */
	BGP_NOTIFY_TEXT_MAX = 400,
};

struct bgp_notify {
	uint8_t code, subcode;
	uint16_t data_len;
	uint8_t data[BGP_NOTIFY_DATA_MAX];
};

struct bgp_notify bgp_notify_of(uint8_t code, uint8_t subcode);
struct bgp_notify bgp_notify_u16(uint8_t code, uint8_t subcode, uint16_t data);
/* Cease with a shutdown communication (RFC 9003), cut at a character boundary; text may be NULL. */
struct bgp_notify bgp_notify_cease(uint8_t subcode, const char *text);

void bgp_notify_write(struct writer *w, const struct bgp_notify *n);
/* Cannot fail: framing has seen to the two octets that must be there (RFC 4271 6.4: an error here could not be told anyway). */
void bgp_notify_parse(const struct bgp_frame *f, struct bgp_notify *out);

/* `2/2 bad peer AS`, `6/2 administrative shutdown: "maintenance"` into buf; a peer's text has its control and broken characters
 * replaced. Returns buf. */
char *bgp_notify_text(const struct bgp_notify *n, char *buf, size_t cap);
