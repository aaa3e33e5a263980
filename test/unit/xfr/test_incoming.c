/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers from a primary, honest and otherwise: messages in, step, cause and result out. */
#include "message_kit.h"
#include "xfr/incoming.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SOA(n) "@ SOA ns admin " #n " 3600 600 86400 60\n"
#define SOA_TEXT(n) "example. SOA ns.example. admin.example. " #n " 3600 600 86400 60\n"
#define NS "@ NS ns\n"
#define NS_TEXT "example. NS ns.example.\n"
#define A1 "a A 192.0.2.1\n"
#define A2 "a A 192.0.2.2\n"
#define A1_TEXT "a.example. A 192.0.2.1\n"
#define A2_TEXT "a.example. A 192.0.2.2\n"
#define B "b AAAA 2001:db8::2\n"
#define B_TEXT "b.example. AAAA 2001:db8::2\n"
/* An OPT record: without options; with EXPIRE 4660; with BADVERS in its extended RCODE. */
#define OPT_EXPIRE "0000291000000000000008000900040000" "1234"
#define OPT_PLAIN "0000291000000000000000"
#define OPT_BADVERS "0000291000010000000000"
#define OPT_SHORT "0000291000000000000006000900021234"

enum { MESSAGES = 6 };

struct in_case {
	const char *name;
	enum xfr_kind kind;
	bool udp;
	int64_t serial; /* ours; -1: none */
	const char *messages[MESSAGES];
	enum xfr_in_step step; /* XFR_IN_MORE: then the connection is closed, and closed_step follows */
	enum xfr_cause cause;
	const char *text; /* part of the error, or the result */
	uint64_t max_records, max_octets, max_messages, max_differences;
};

static const struct in_case cases[] = {
        /* AXFR */
        {"one message", XFR_AXFR, false, -1, {SOA(5) NS A1 B SOA(5)}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5) NS_TEXT A1_TEXT B_TEXT},
        {"a record a message", XFR_AXFR, false, -1, {SOA(5), "!noquestion\n" NS, A1, B, SOA(5)}, XFR_IN_WHOLE, XFR_FINE,
         .text = SOA_TEXT(5) NS_TEXT A1_TEXT B_TEXT},
        {"SOA alone", XFR_AXFR, false, -1, {SOA(5) SOA(5)}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5)},
        {"duplicates", XFR_AXFR, false, -1, {SOA(5) NS A1 A1 NS SOA(5)}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5) NS_TEXT A1_TEXT},
        {"newer than ours", XFR_AXFR, false, 4, {SOA(5) NS SOA(5)}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5) NS_TEXT},
        {"same as ours", XFR_AXFR, false, 5, {SOA(5) NS SOA(5)}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5) NS_TEXT},
        {"wrapped around", XFR_AXFR, false, 4294967295, {SOA(5) NS SOA(5)}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5) NS_TEXT},
        {"AA clear", XFR_AXFR, false, -1, {"!flags 8000\n" SOA(5) NS SOA(5)}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5) NS_TEXT},
        {"OPT with EXPIRE", XFR_AXFR, false, -1, {SOA(5) NS SOA(5) "!additional " OPT_EXPIRE}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5) NS_TEXT},
        {"OPT with EXPIRE of two octets", XFR_AXFR, false, -1, {SOA(5) NS SOA(5) "!additional " OPT_SHORT}, XFR_IN_WHOLE, XFR_FINE,
         .text = SOA_TEXT(5) NS_TEXT},
        /* IXFR */
        {"one difference", XFR_IXFR, false, 4, {SOA(5) SOA(4) A1 SOA(5) A2 B SOA(5)}, XFR_IN_DIFFERENCES, XFR_FINE,
         .text = "4 to 5\n- " SOA_TEXT(4) "- " A1_TEXT "+ " SOA_TEXT(5) "+ " A2_TEXT "+ " B_TEXT},
        {"nothing but the SOA changes", XFR_IXFR, false, 4, {SOA(5) SOA(4) SOA(5) SOA(5)}, XFR_IN_DIFFERENCES, XFR_FINE,
         .text = "4 to 5\n- " SOA_TEXT(4) "+ " SOA_TEXT(5)},
        {"two differences, a record a message", XFR_IXFR, false, 4, {SOA(9) SOA(4), A1, SOA(6) SOA(6), SOA(9) A2, SOA(9)}, XFR_IN_DIFFERENCES,
         XFR_FINE, .text = "4 to 6\n- " SOA_TEXT(4) "- " A1_TEXT "+ " SOA_TEXT(6) "6 to 9\n- " SOA_TEXT(6) "+ " SOA_TEXT(9) "+ " A2_TEXT},
        {"over UDP", XFR_IXFR, true, 4, {SOA(5) SOA(4) SOA(5) B SOA(5)}, XFR_IN_DIFFERENCES, XFR_FINE,
         .text = "4 to 5\n- " SOA_TEXT(4) "+ " SOA_TEXT(5) "+ " B_TEXT},
        {"across the wrap", XFR_IXFR, false, 4294967295, {SOA(3) SOA(4294967295) SOA(3) B SOA(3)}, XFR_IN_DIFFERENCES, XFR_FINE,
         .text = "4294967295 to 3\n- " SOA_TEXT(4294967295) "+ " SOA_TEXT(3) "+ " B_TEXT},
        {"up to date", XFR_IXFR, false, 5, {SOA(5)}, XFR_IN_CURRENT, XFR_FINE, .text = ""},
        {"up to date over UDP", XFR_IXFR, true, 5, {SOA(5)}, XFR_IN_CURRENT, XFR_FINE, .text = ""},
        {"too large for UDP", XFR_IXFR, true, 4, {SOA(5)}, XFR_IN_USE_TCP, XFR_FINE, .text = ""},
        {"TC over UDP", XFR_IXFR, true, 4, {"!flags 8600\n" SOA(5) SOA(4)}, XFR_IN_USE_TCP, XFR_FINE, .text = ""},
        {"TC over UDP, empty", XFR_IXFR, true, 4, {"!flags 8600\n"}, XFR_IN_USE_TCP, XFR_FINE, .text = ""},
        {"cut off over UDP", XFR_IXFR, true, 4, {SOA(5) SOA(4) SOA(5) B}, XFR_IN_USE_TCP, XFR_FINE, .text = ""},
        {"the zone whole", XFR_IXFR, false, 4, {SOA(5) NS A1 B SOA(5)}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5) NS_TEXT A1_TEXT B_TEXT},
        {"the zone whole, in parts", XFR_IXFR, false, 4, {SOA(5), NS A1, SOA(5)}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5) NS_TEXT A1_TEXT},
        {"the zone whole, an SOA alone", XFR_IXFR, false, 4, {SOA(5) SOA(5)}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5)},
        /* strangers over UDP */
        {"a stranger's id first", XFR_IXFR, true, 4, {"!id 8\n" SOA(9), SOA(5) SOA(4) SOA(5) SOA(5)}, XFR_IN_DIFFERENCES, XFR_FINE,
         .text = "4 to 5\n- " SOA_TEXT(4) "+ " SOA_TEXT(5)},
        {"a stranger's question first", XFR_IXFR, true, 4, {"!question other. IXFR\n" SOA(9), SOA(4)}, XFR_IN_CURRENT, XFR_FINE, .text = ""},
        {"a stranger's garbage first", XFR_IXFR, true, 4, {"!raw 0007", SOA(4)}, XFR_IN_CURRENT, XFR_FINE, .text = ""},
        {"our own query comes back", XFR_IXFR, true, 4, {"!flags 0000\n" SOA(9), SOA(4)}, XFR_IN_CURRENT, XFR_FINE, .text = ""},
        /* lies: messages */
        {"shorter than a header", XFR_AXFR, false, -1, {"!raw 000784000001"}, XFR_IN_FAILED, XFR_MALFORMED, .text = "message 1: shorter than a header"},
        {"no octet", XFR_AXFR, false, -1, {"!raw "}, XFR_IN_FAILED, XFR_MALFORMED, .text = "message 1: shorter than a header"},
        {"another id", XFR_AXFR, false, -1, {"!id 8\n" SOA(5)}, XFR_IN_FAILED, XFR_ID, .text = "message 1: the answer has id 8, the question had 7"},
        {"another id later", XFR_AXFR, false, -1, {SOA(5), "!id 8\n" NS}, XFR_IN_FAILED, XFR_ID, .text = "message 2: the answer has id 8"},
        {"no response", XFR_AXFR, false, -1, {"!flags 0400\n" SOA(5)}, XFR_IN_FAILED, XFR_NO_RESPONSE, .text = "flags 0400"},
        {"a NOTIFY", XFR_AXFR, false, -1, {"!flags a400\n" SOA(5)}, XFR_IN_FAILED, XFR_NO_RESPONSE, .text = "flags a400"},
        {"another zone's question", XFR_AXFR, false, -1, {"!question other. AXFR\n" SOA(5)}, XFR_IN_FAILED, XFR_QUESTION,
         .text = "the answer is to the question other. AXFR"},
        {"another question later", XFR_AXFR, false, -1, {SOA(5), "!question example. A\n" SOA(5)}, XFR_IN_FAILED, XFR_QUESTION, .text = "example. A"},
        {"AXFR's answer to IXFR", XFR_IXFR, false, 4, {"!question example. AXFR\n" SOA(5)}, XFR_IN_USE_AXFR, XFR_QUESTION, .text = "example. AXFR"},
        {"no question", XFR_AXFR, false, -1, {"!noquestion\n" SOA(5)}, XFR_IN_FAILED, XFR_QUESTION, .text = "0 questions"},
        {"question cut short", XFR_AXFR, false, -1, {"!raw 00078400000100000000000007657861"}, XFR_IN_FAILED, XFR_MALFORMED, .text = "question"},
        {"refused", XFR_AXFR, false, -1, {"!flags 8005\n"}, XFR_IN_FAILED, XFR_RCODE, .text = "message 1: the primary answers REFUSED"},
        {"refused, with an OPT", XFR_AXFR, false, -1, {"!flags 8005\n!additional " OPT_PLAIN}, XFR_IN_FAILED, XFR_RCODE, .text = "REFUSED"},
        {"refused, without a question", XFR_AXFR, false, -1, {"!flags 8001\n!noquestion\n"}, XFR_IN_FAILED, XFR_RCODE, .text = "FORMERR"},
        {"IXFR not implemented", XFR_IXFR, false, 4, {"!flags 8004\n"}, XFR_IN_USE_AXFR, XFR_RCODE, .text = "NOTIMP"},
        {"extended RCODE", XFR_AXFR, false, -1, {"!additional " OPT_BADVERS}, XFR_IN_FAILED, XFR_RCODE, .text = "BADVERS"},
        {"SERVFAIL in mid-stream", XFR_AXFR, false, -1, {SOA(5) NS, "!flags 8002\n"}, XFR_IN_FAILED, XFR_RCODE, .text = "message 2: the primary answers SERVFAIL"},
        {"TC over TCP", XFR_AXFR, false, -1, {"!flags 8600\n" SOA(5)}, XFR_IN_FAILED, XFR_TC, .text = "truncated"},
        {"empty", XFR_AXFR, false, -1, {""}, XFR_IN_FAILED, XFR_EMPTY, .text = "message 1: no records in it"},
        {"empty later", XFR_AXFR, false, -1, {SOA(5), "!noquestion\n"}, XFR_IN_FAILED, XFR_EMPTY, .text = "message 2: no records in it"},
        {"octets behind", XFR_AXFR, false, -1, {SOA(5) NS SOA(5) "!tail 00"}, XFR_IN_FAILED, XFR_MALFORMED, .text = "1 octets behind the message"},
        {"more records promised", XFR_AXFR, false, -1, {SOA(5) NS "!count 1\n"}, XFR_IN_FAILED, XFR_MALFORMED, .text = "message 1, record 3"},
        {"broken additional section", XFR_AXFR, false, -1, {SOA(5) NS SOA(5) "!additional 000001"}, XFR_IN_FAILED, XFR_MALFORMED, .text = "behind the answer"},
        /* lies: records */
        {"class CH", XFR_AXFR, false, -1, {SOA(5) "!hex 0161c00c00010003000000" "3c0004c0000201"}, XFR_IN_FAILED, XFR_CLASS,
         .text = "message 1, record 2: a record of class 3"},
        {"A of five octets", XFR_AXFR, false, -1, {SOA(5) "!hex 0161c00c000100010000003c0005c000020101"}, XFR_IN_FAILED, XFR_RDATA,
         .text = "a.example.: not a valid A record"},
        {"pointer forward", XFR_AXFR, false, -1, {SOA(5) "!hex c0ff000100010000003c0004c0000201"}, XFR_IN_FAILED, XFR_MALFORMED, .text = "the owner of the record"},
        {"RDATA cut short", XFR_AXFR, false, -1, {SOA(5) "!hex 0161c00c000100010000003c0005c0000201"}, XFR_IN_FAILED, XFR_MALFORMED, .text = "cut short"},
        {"OPT as data", XFR_AXFR, false, -1, {SOA(5) "!hex c00c00290001000000000000"}, XFR_IN_FAILED, XFR_TYPE, .text = "type OPT"},
        {"ANY as data", XFR_AXFR, false, -1, {SOA(5) "!hex c00c00ff0001000000000000"}, XFR_IN_FAILED, XFR_TYPE, .text = "type ANY"},
        {"outside", XFR_AXFR, false, -1, {SOA(5) "www.other. A 192.0.2.1\n" SOA(5)}, XFR_IN_FAILED, XFR_OUTSIDE,
         .text = "message 1, record 2: www.other. A is outside the zone"},
        {"above", XFR_AXFR, false, -1, {SOA(5) "!hex 00000100010000003c0004c0000201"}, XFR_IN_FAILED, XFR_OUTSIDE, .text = ". A is outside"},
        {"outside, in a difference", XFR_IXFR, false, 4, {SOA(5) SOA(4) "x.other. A 192.0.2.1\n"}, XFR_IN_USE_AXFR, XFR_OUTSIDE, .text = "x.other."},
        {"no SOA first", XFR_AXFR, false, -1, {NS SOA(5) SOA(5)}, XFR_IN_FAILED, XFR_NO_SOA, .text = "begins with example. NS"},
        {"another zone", XFR_AXFR, false, -1, {"other. SOA ns admin 5 1 1 1 1\n"}, XFR_IN_FAILED, XFR_NO_SOA, .text = "the transfer is of the zone other."},
        {"SOA below", XFR_AXFR, false, -1, {SOA(5) "sub SOA ns admin 5 1 1 1 1\n" SOA(5)}, XFR_IN_FAILED, XFR_SOA_BELOW, .text = "an SOA record at sub.example."},
        {"SOA too short", XFR_AXFR, false, -1, {"!hex c00c000600010000003c00030000" "05"}, XFR_IN_FAILED, XFR_RDATA, .text = "not a valid SOA"},
        {"older than ours", XFR_AXFR, false, 6, {SOA(5) NS SOA(5)}, XFR_IN_FAILED, XFR_SERIAL_BACK, .text = "serial 5, which is older than ours, 6"},
        {"IXFR to an older one", XFR_IXFR, false, 6, {SOA(5)}, XFR_IN_FAILED, XFR_SERIAL_BACK, .text = "older than ours"},
        {"the zone changed meanwhile", XFR_AXFR, false, -1, {SOA(5) NS, A1 SOA(6)}, XFR_IN_FAILED, XFR_SOA_DIFFERS, .text = "began with serial 5 and ends with 6"},
        {"another SOA of this serial", XFR_AXFR, false, -1, {SOA(5) NS "@ SOA ns other 5 3600 600 86400 60\n"}, XFR_IN_FAILED, XFR_SOA_DIFFERS,
         .text = "ends with another SOA of serial 5"},
        {"records after the end", XFR_AXFR, false, -1, {SOA(5) NS SOA(5) A1}, XFR_IN_FAILED, XFR_AFTER_END, .text = "record 4: a.example. A follows the SOA"},
        {"a third SOA", XFR_AXFR, false, -1, {SOA(5) NS SOA(5) SOA(5)}, XFR_IN_FAILED, XFR_AFTER_END, .text = "example. SOA follows"},
        {"records after the last difference", XFR_IXFR, false, 4, {SOA(5) SOA(4) SOA(5) SOA(5) B}, XFR_IN_USE_AXFR, XFR_AFTER_END, .text = "b.example. AAAA"},
        /* lies: differences */
        {"from another serial", XFR_IXFR, false, 4, {SOA(5) SOA(3) SOA(5) SOA(5)}, XFR_IN_USE_AXFR, XFR_GAP, .text = "from serial 3 are no use to serial 4"},
        {"a gap", XFR_IXFR, false, 4, {SOA(9) SOA(4) SOA(6) SOA(7) SOA(9) SOA(9)}, XFR_IN_USE_AXFR, XFR_GAP, .text = "from serial 7 are no use to serial 6"},
        {"ends before the newest", XFR_IXFR, false, 4, {SOA(9) SOA(4) SOA(6) SOA(9)}, XFR_IN_USE_AXFR, XFR_GAP, .text = "from serial 9 are no use to serial 6"},
        {"backwards", XFR_IXFR, false, 4, {SOA(5) SOA(4) SOA(3) SOA(3) SOA(5) SOA(5)}, XFR_IN_USE_AXFR, XFR_GAP, .text = "from serial 4 back to 3"},
        {"on the spot", XFR_IXFR, false, 4, {SOA(5) SOA(4) SOA(4) SOA(4) SOA(5) SOA(5)}, XFR_IN_USE_AXFR, XFR_GAP, .text = "from serial 4 back to 4"},
        {"beyond the newest", XFR_IXFR, false, 4, {SOA(5) SOA(4) SOA(6)}, XFR_IN_USE_AXFR, XFR_GAP, .text = "to serial 6, beyond the newest, 5"},
        {"a difference after the newest", XFR_IXFR, false, 4, {SOA(5) SOA(4) SOA(5) SOA(4)}, XFR_IN_USE_AXFR, XFR_GAP, .text = "from serial 4 follows the newest"},
        {"last SOA another", XFR_IXFR, false, 4, {SOA(5) SOA(4) SOA(5) "@ SOA ns other 5 3600 600 86400 60\n"}, XFR_IN_USE_AXFR, XFR_SOA_DIFFERS,
         .text = "three SOAs of serial 5"},
        {"middle SOA another", XFR_IXFR, false, 4, {SOA(5) SOA(4) "@ SOA ns other 5 3600 600 86400 60\n" SOA(5)}, XFR_IN_USE_AXFR, XFR_SOA_DIFFERS,
         .text = "three SOAs of serial 5"},
        /* cut short, endless */
        {"closed at once", XFR_AXFR, false, -1, {NULL}, XFR_IN_MORE, XFR_CLOSED, .text = "ended too early, after 0 records: closed"},
        {"closed in the middle", XFR_AXFR, false, -1, {SOA(5) NS A1}, XFR_IN_MORE, XFR_CLOSED, .text = "message 1: the transfer ended too early, after 3 records"},
        {"closed in a difference", XFR_IXFR, false, 4, {SOA(5) SOA(4)}, XFR_IN_MORE, XFR_CLOSED, .text = "after 2 records"},
        {"closed after one SOA", XFR_IXFR, false, 4, {SOA(5)}, XFR_IN_MORE, XFR_CLOSED, .text = "after 1 records"},
        {"too many records", XFR_AXFR, false, -1, {SOA(5) NS A1 A2 B}, XFR_IN_FAILED, XFR_MANY_RECORDS, .text = "more than 4 records", .max_records = 4},
        {"just enough records", XFR_AXFR, false, -1, {SOA(5) NS A1 SOA(5)}, XFR_IN_WHOLE, XFR_FINE, .text = SOA_TEXT(5) NS_TEXT A1_TEXT, .max_records = 4},
        {"too many octets", XFR_AXFR, false, -1, {SOA(5) NS A1 A2 B}, XFR_IN_FAILED, XFR_MANY_OCTETS, .text = "more than 100 octets", .max_octets = 100},
        {"too many octets in a difference", XFR_IXFR, false, 4, {SOA(5) SOA(4)}, XFR_IN_USE_AXFR, XFR_MANY_OCTETS, .text = "more than 100", .max_octets = 100},
        {"too many messages", XFR_AXFR, false, -1, {SOA(5), NS, A1, B}, XFR_IN_FAILED, XFR_MANY_MESSAGES, .text = "more than 3 messages", .max_messages = 3},
        {"too many differences", XFR_IXFR, false, 4, {SOA(9) SOA(4) SOA(6) SOA(6) SOA(9) SOA(9)}, XFR_IN_USE_AXFR, XFR_MANY_DIFFERENCES,
         .text = "more than 1 differences", .max_differences = 1},
};

static char *result_of(struct xfr_in *x, enum xfr_in_step step)
{
	struct text t;

	text_init(&t);
	if (step == XFR_IN_WHOLE) {
		struct content *c = xfr_in_take_content(x);

		assert_non_null(c);
		assert_null(xfr_in_take_content(x));
		assert_int_equal(content_finish(c), 0);
		kit_print_content(&t, c);
		content_free(c);
	} else if (step == XFR_IN_DIFFERENCES) {
		kit_print_differences(&t, xfr_in_differences(x));
	}
	if (step != XFR_IN_WHOLE)
		assert_null(xfr_in_take_content(x));
	return text_take(&t);
}

static void run_case(const struct in_case *c)
{
	struct xfr_in_settings set = {.apex = kit_apex, .id = 7, .kind = c->kind, .udp = c->udp, .has_serial = c->serial >= 0,
	                              .serial = (uint32_t)MAX(c->serial, (int64_t)0), .max_records = c->max_records, .max_octets = c->max_octets,
	                              .max_messages = c->max_messages, .max_differences = c->max_differences};
	uint8_t *buf = malloc(65535);
	enum xfr_in_step step = XFR_IN_MORE;
	struct xfr_in *x = NULL;
	char *result;
	unsigned i = 0;

	assert_int_equal(xfr_in_new(&set, &x), 0);
	for (; i < MESSAGES && c->messages[i]; i++) {
		size_t len = kit_message(c->messages[i], c->kind == XFR_IXFR ? RR_IXFR : RR_AXFR, buf);

		if (step != XFR_IN_MORE)
			fail_msg("%s: message %u is not wanted any more: %s", c->name, i + 1, xfr_in_error(x));
		step = xfr_in_feed(x, buf, len);
	}
	if (step != c->step)
		fail_msg("%s: step %d, not %d: %s", c->name, step, c->step, xfr_in_error(x));
	if (step == XFR_IN_MORE)
		assert_int_equal(xfr_in_closed(x, "closed"), c->kind == XFR_IXFR ? XFR_IN_USE_AXFR : XFR_IN_FAILED);
	if (xfr_in_cause(x) != c->cause)
		fail_msg("%s: cause is %s: %s", c->name, xfr_cause_text(xfr_in_cause(x)), xfr_in_error(x));
	result = result_of(x, step);
	if (c->cause != XFR_FINE && !strstr(xfr_in_error(x), c->text))
		fail_msg("%s: says \"%s\", without \"%s\"", c->name, xfr_in_error(x), c->text);
	if (c->cause == XFR_FINE && strcmp(result, c->text) != 0)
		fail_msg("%s: gives\n%sand not\n%s", c->name, result, c->text);
	if (c->cause == XFR_FINE)
		assert_string_equal(xfr_in_error(x), "");
	free(result);
	xfr_in_free(x);
	free(buf);
}

static void transfers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_case(&cases[i]);
}

/* Every cause but lack of memory has a case, and a text. */
static void causes_covered(void **state)
{
	(void)state;
	for (int cause = 0; cause < XFR_CAUSES; cause++) {
		bool found = cause == XFR_NO_MEMORY;

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			found |= (int)cases[i].cause == cause;
		if (!found)
			fail_msg("no case for %s", xfr_cause_text((enum xfr_cause)cause));
		assert_true(strlen(xfr_cause_text((enum xfr_cause)cause)) > 3);
	}
}

static void facts(void **state)
{
	struct xfr_in_settings set = {.apex = kit_apex, .id = 7, .kind = XFR_IXFR, .udp = true, .has_serial = true, .serial = 4};
	uint8_t *buf = malloc(65535);
	struct xfr_in_facts f;
	struct xfr_in *x = NULL;
	size_t len;

	(void)state;
	assert_int_equal(xfr_in_new(&set, &x), 0);
	len = kit_message("!id 9\n" SOA(9), RR_IXFR, buf);
	assert_int_equal(xfr_in_feed(x, buf, len), XFR_IN_MORE);
	xfr_in_facts(x, &f);
	assert_int_equal(f.ignored, 1);
	assert_int_equal(f.messages, 0);
	assert_false(f.has_serial);
	len = kit_message(SOA(5) SOA(4) SOA(5) B SOA(5) "!additional " OPT_EXPIRE, RR_IXFR, buf);
	assert_int_equal(xfr_in_feed(x, buf, len), XFR_IN_DIFFERENCES);
	xfr_in_facts(x, &f);
	assert_int_equal(f.messages, 1);
	assert_int_equal(f.records, 5);
	assert_true(f.has_serial && f.serial == 5);
	assert_true(f.has_expire && f.expire_s == 0x1234);
	xfr_in_free(x);
	xfr_in_free(NULL);
	free(buf);
}

/* Whatever octet of an honest transfer is another: no crash, and nothing is taken for fine that is shorter. */
static void altered(void **state)
{
	uint8_t *buf = malloc(65535);
	size_t len = kit_message(SOA(5) SOA(4) A1 NS SOA(5) A2 B "c TXT \"text\"\n" SOA(5) "!additional " OPT_EXPIRE, RR_IXFR, buf);
	struct xfr_in_settings set = {.apex = kit_apex, .id = 7, .kind = XFR_IXFR, .has_serial = true, .serial = 4};

	(void)state;
	for (size_t i = 0; i <= len; i++) {
		for (unsigned bit = 0; bit < 9; bit++) {
			struct xfr_in *x = NULL;
			uint8_t *copy = malloc(i == len || bit == 8 ? i + 1 : len);
			size_t n = bit == 8 ? i : len;
			enum xfr_in_step step;

			if (bit < 8 && i == len) {
				free(copy);
				continue;
			}
			memcpy(copy, buf, n);
			if (bit < 8)
				copy[i] ^= (uint8_t)(1 << bit);
			assert_int_equal(xfr_in_new(&set, &x), 0);
			step = xfr_in_feed(x, copy, n);
			if (bit == 8)
				assert_int_equal(step, i == len ? XFR_IN_DIFFERENCES : XFR_IN_USE_AXFR);
			if (step == XFR_IN_USE_AXFR || step == XFR_IN_FAILED)
				assert_true(xfr_in_error(x)[0] != '\0' && xfr_in_cause(x) != XFR_FINE);
			xfr_in_free(x);
			free(copy);
		}
	}
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(transfers),
	        cmocka_unit_test(causes_covered),
	        cmocka_unit_test(facts),
	        cmocka_unit_test(altered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
