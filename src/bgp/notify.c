/* SPDX-License-Identifier: BSD-2-Clause */
/* NOTIFICATION: RFC 4271 4.5 and 6, subcodes of Cease by RFC 4486, of the state machine by RFC 6608, shutdown text by RFC 9003. */
#include "bgp/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct bgp_notify bgp_notify_of(uint8_t code, uint8_t subcode)
{
	return (struct bgp_notify){.code = code, .subcode = subcode};
}

struct bgp_notify bgp_notify_u16(uint8_t code, uint8_t subcode, uint16_t data)
{
	struct bgp_notify n = bgp_notify_of(code, subcode);

	put_u16(n.data, data);
	n.data_len = 2;
	return n;
}

struct bgp_notify bgp_notify_cease(uint8_t subcode, const char *text)
{
	struct bgp_notify n = bgp_notify_of(BGP_ERR_CEASE, subcode);
	size_t len = text ? strlen(text) : 0;

	if (len > BGP_SHUTDOWN_TEXT_MAX) {
		len = BGP_SHUTDOWN_TEXT_MAX;
		while (len && ((uint8_t)text[len] & 0xc0) == 0x80)
			len--;
	}
	if (len) {
		n.data[0] = (uint8_t)len;
		memcpy(n.data + 1, text, len);
		n.data_len = (uint16_t)(len + 1);
	}
	return n;
}

void bgp_notify_write(struct writer *w, const struct bgp_notify *n)
{
	size_t start = bgp_message_begin(w, BGP_NOTIFICATION);

	writer_u8(w, n->code);
	writer_u8(w, n->subcode);
	writer_bytes(w, n->data, n->data_len);
	bgp_message_end(w, start);
}

void bgp_notify_parse(const struct bgp_frame *f, struct bgp_notify *out)
{
	struct reader r = reader_of(f->body, f->body_len);
	struct bgp_notify n = {.code = reader_u8(&r), .subcode = reader_u8(&r)};
	size_t len = MIN(reader_left(&r), (size_t)BGP_NOTIFY_DATA_MAX);
	const uint8_t *data = reader_bytes(&r, len);

	if (data)
		memcpy(n.data, data, len);
	n.data_len = (uint16_t)len;
	*out = n;
}

static const char *subcode_text(uint8_t code, uint8_t subcode)
{
	static const char *const header[] = {NULL, "not synchronized", "bad message length", "bad message type"};
	static const char *const open[] = {NULL,
	                                   "unsupported version",
	                                   "bad peer AS",
	                                   "bad BGP identifier",
	                                   "unsupported optional parameter",
	                                   NULL,
	                                   "unacceptable hold time",
	                                   "unsupported capability",
	                                   NULL,
	                                   NULL,
	                                   NULL,
	                                   "role mismatch"};
	static const char *const update[] = {NULL,
	                                     "malformed attribute list",
	                                     "unrecognized well-known attribute",
	                                     "missing well-known attribute",
	                                     "attribute flags error",
	                                     "attribute length error",
	                                     "invalid ORIGIN",
	                                     NULL,
	                                     "invalid NEXT_HOP",
	                                     "optional attribute error",
	                                     "invalid network field",
	                                     "malformed AS_PATH"};
	static const char *const fsm[] = {NULL, "unexpected message in OpenSent", "unexpected message in OpenConfirm",
	                                  "unexpected message in Established"};
	static const char *const cease[] = {NULL,
	                                    "maximum number of prefixes reached",
	                                    "administrative shutdown",
	                                    "peer de-configured",
	                                    "administrative reset",
	                                    "connection rejected",
	                                    "other configuration change",
	                                    "connection collision resolution",
	                                    "out of resources",
	                                    "hard reset",
	                                    "BFD down"};
	static const struct {
		const char *const *names;
		size_t count;
	} all[] = {
	    [BGP_ERR_HEADER] = {header, ARRAY_LEN(header)}, [BGP_ERR_OPEN] = {open, ARRAY_LEN(open)},
	    [BGP_ERR_UPDATE] = {update, ARRAY_LEN(update)}, [BGP_ERR_FSM] = {fsm, ARRAY_LEN(fsm)},
	    [BGP_ERR_CEASE] = {cease, ARRAY_LEN(cease)},
	};

	if (code >= ARRAY_LEN(all) || subcode >= all[code].count)
		return NULL;
	return all[code].names[subcode];
}

static const char *code_text(uint8_t code)
{
	static const char *const names[] = {NULL,
	                                    "message header error",
	                                    "OPEN error",
	                                    "UPDATE error",
	                                    "hold timer expired",
	                                    "state machine error",
	                                    "cease",
	                                    "ROUTE-REFRESH error",
	                                    "send hold timer expired"};

	return code < ARRAY_LEN(names) && names[code] ? names[code] : "unknown error";
}

/* Octets of the UTF-8 character at s, 0 when it is none: overlong forms, surrogates and control characters are refused. */
static size_t utf8_char(const uint8_t *s, size_t left)
{
	static const uint32_t least[] = {0, 0x20, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;
	uint32_t c = len == 1 ? s[0] : s[0] & (0x7fu >> len);

	if (len == 0 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = (c << 6) | (s[i] & 0x3f);
	}
	/* C1 controls and DEL could steer a terminal just like C0. */
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || (c >= 0x7f && c < 0xa0))
		return 0;
	return len;
}

/* Appends the peer's shutdown text, quoted. */
static size_t add_quoted(char *buf, size_t cap, size_t pos, const uint8_t *s, size_t len)
{
	pos += (size_t)snprintf(buf + pos, cap - pos, ": \"");
	for (size_t i = 0; i < len;) {
		size_t n = utf8_char(s + i, len - i);

		if (pos + MAX(n, (size_t)1) + 2 > cap)
			break;
		if (n && s[i] != '"') {
			memcpy(buf + pos, s + i, n);
			pos += n;
			i += n;
		} else {
			buf[pos++] = s[i] == '"' ? '\'' : '?';
			i++;
		}
	}
	buf[pos++] = '"';
	buf[pos] = '\0';
	return pos;
}

char *bgp_notify_text(const struct bgp_notify *n, char *buf, size_t cap)
{
	const char *sub = subcode_text(n->code, n->subcode);
	int wrote = snprintf(buf, cap, "%u/%u %s", n->code, n->subcode, sub ? sub : code_text(n->code));
	size_t pos = wrote < 0 ? 0 : MIN((size_t)wrote, cap - 1);
	bool cease_text = n->code == BGP_ERR_CEASE &&
	                  (n->subcode == BGP_CEASE_SHUTDOWN || n->subcode == BGP_CEASE_RESET) && n->data_len > 1 &&
	                  n->data[0] < n->data_len;

	if (cease_text && n->data[0] && cap - pos > 8) {
		add_quoted(buf, cap, pos, n->data + 1, n->data[0]);
	} else if (n->data_len && !cease_text) {
		for (size_t i = 0; i < n->data_len && i < 16 && cap - pos > 8; i++)
			pos += (size_t)snprintf(buf + pos, cap - pos, "%s%02x", i ? "" : " (data ", n->data[i]);
		if (cap - pos > 2)
			snprintf(buf + pos, cap - pos, ")");
	}
	return buf;
}
