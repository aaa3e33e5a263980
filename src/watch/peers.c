/* SPDX-License-Identifier: BSD-2-Clause */
/* The asking side of what nodes say to each other (fleet/report.c has the form, tell.c the other side): what this node knows of the others it knows from themselves, asked by itself.
 *
 * A PoP asks the PoPs it shares a network with, and the primaries; a primary asks everybody. Each is asked once a second, more seldom in large fleets (fleet/pace.h), and ten times a second while
 * this node or one of the others means to leave a network for a soft cause: the guard of the decision (route) counts only views that are younger than 400 ms. A node has one
 * address or several: they take turns, so IPv4 and IPv6 are asked alike, any answer counts, and each address has a state of its own. Where the turn is at an address that has not
 * answered lately, one that has is asked as well, so a family that is down costs no age. Where all nodes together have no more addresses than are asked at once, each address is asked in
 * each turn. A question that has no answer after 700 ms, more than any way on Earth takes, is followed by two more at once, and what fails all three is silent: below three seconds after it began,
 * so that who looks at nodes each second (Prometheus, a dashboard) says so within five.
 *
 * A question goes from our own management address, by which the other side knows us, over UDP. With many networks there are questions about single ones, in turn; while somebody means to
 * leave, only about those concerned. An answer must come from the address that was asked, with the question's id, and be signed with the status key over the signature of
 * that very question: what was recorded earlier is none (RFC 8945 5.3), and clocks may differ by 5 minutes. heard_ns is when the question left: what is told was so then or later. One that comes late is
 * taken for what it is, one that was overtaken by a later one is not taken.
 *
 * A node that does not answer keeps what it said last, with its age: whoever reads the board judges by that.
 *
 * Limits: BOARD_NODES_MAX nodes, BOARD_PEERS_MAX PoPs of a network, PENDING_SLOTS questions under way. Not here: what a third node says of a second one (no gossip: each node
 * judges by what it sees itself), and asking over TCP: single networks fit into a datagram. */
#include "watch/peers.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/log.h"
#include "fleet/message.h"
#include "fleet/pace.h"
#include "watch/drift.h"
#include "watch/endpoints.h"
#include "watch/status_key.h"
#include "watch/views.h"
#include "watch/watch.h"
#include "xfr/tsig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PENDING_SLOTS = 1024, /* a power of two; 99 nodes at 250 ms with a timeout of 1 s are 400 */
	PENDING_MS =
		1000, /* that a slot is needed; an answer is taken for as long as its slot is not taken by another question */
	ANSWER_MS = 700, /* until a question counts as not answered */
	TICK_MS = 50,
	TICK_FAST_MS = 20,
	INTENT_FRESH_MS = 5000, /* a node that said so and was not heard since does not keep us busy */
	SINGLE_MS = 10 * 60000, /* until a node whose answers did not fit is asked for all of them again */
	OPEN_AGAIN_MS = 1000,
	UNSEEN_TURNS = 4, /* paces without an answer, at least UNSEEN_MS: the log says so */
	UNSEEN_MS = 3000,
	ANSWERS_MAX = 64, /* taken in one turn of the loop */
	PAD_BASE = 256,
	PAD_NETWORK = 300, /* octets of an answer without a signature: of a node, of each network */
	PAD_SEES = 100, PAD_SEES_MAX = 6, /* of each network that it sees from outside */
};

struct pending {
	bool active;
	bool counted; /* as not answered */
	uint16_t id;
	uint32_t peer, address;
	uint64_t sent_ns;
	uint8_t network; /* in peer.network, PEERS_NO_ROW: all */
	bool tree;       /* about a place of the tree of `about` */
	struct tree_place place;
	bool pools, news; /* about the pools that it checks, from `tag` on */
	uint32_t tag;
	char about[BOARD_NAME_MAX];
	uint8_t mac_len;
	uint8_t mac[TSIG_MAC_MAX];
};

struct door {
	int fd;              /* -1: none yet */
	struct ip_addr from; /* family 0: this node has no address of the family */
	uv_poll_t *poll;
};

struct peers {
	struct watch *watch;
	struct status_key key;
	uv_timer_t tick;
	struct door doors[BOARD_FAMILIES];
	uint64_t open_again_ns;
	uint8_t config[FLEET_HASH_LEN];
	uint32_t count;
	bool urgent[BOARD_NETWORKS_MAX]; /* of ours */
	bool any_urgent;
	bool all_addresses; /* in each turn */
	uint64_t view_told_ns;
	uint32_t next_slot;
	struct log_limit limit;
	struct pending pending[PENDING_SLOTS];
	struct fleet_report report;
	struct tree_answer answer;
	struct peer list[BOARD_NODES_MAX];
};

static struct board_node *row_of(const struct peers *p, uint32_t i)
{
	return &p->watch->board->watch.nodes.node[i];
}

/* ---- sockets ---- */

static void on_answers(uv_poll_t *poll, int status, int events);

static void free_poll(uv_handle_t *h)
{
	free(h);
}

static void door_close(struct door *d)
{
	if (d->poll) {
		uv_poll_stop(d->poll);
		uv_close((uv_handle_t *)d->poll, free_poll);
	}
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
	d->poll = NULL;
}

static int door_open(struct peers *p, struct door *d)
{
	const struct endpoint from = {.addr = d->from};
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&from, &ss);
	int fd = socket(d->from.family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	d->poll = calloc(1, sizeof(*d->poll));
	if (!d->poll || bind(fd, (struct sockaddr *)&ss, len) < 0 || uv_poll_init(&p->watch->loop, d->poll, fd) < 0) {
		err = d->poll ? -errno : ERR_NO_MEMORY;
		free(d->poll);
		d->poll = NULL;
		close(fd);
		return err ? err : ERR_NO_MEMORY;
	}
	d->fd = fd;
	d->poll->data = p;
	uv_poll_start(d->poll, UV_READABLE, on_answers);
	return 0;
}

/* An address that has just been set may not be usable yet. */
static void open_doors(struct peers *p, uint64_t now_ns)
{
	if (now_ns < p->open_again_ns)
		return;
	p->open_again_ns = now_ns + OPEN_AGAIN_MS * 1000000ULL;
	for (int f = 0; f < BOARD_FAMILIES; f++) {
		struct door *d = &p->doors[f];
		char text[ADDR_TEXT_MAX];
		int err = d->from.family && d->fd < 0 ? door_open(p, d) : 0;

		if (err < 0 && log_limit_pass(&p->limit, 1))
			log_warn("status from=%s error=\"cannot ask other nodes: %s\"", addr_text(&d->from, text),
			         err_text(err));
	}
}

/* ---- asking ---- */

/* A slot whose question is answered or old; NULL: all are under way. */
static struct pending *take_slot(struct peers *p, uint64_t now_ns)
{
	for (uint32_t i = 0; i < PENDING_SLOTS; i++) {
		uint32_t at = (p->next_slot + i) % PENDING_SLOTS;
		struct pending *s = &p->pending[at];

		if (s->active && now_ns - s->sent_ns < PENDING_MS * 1000000ULL)
			continue;
		p->next_slot = at + 1;
		s->id = (uint16_t)(at | (random_u32() & 0xffff & ~(uint32_t)(PENDING_SLOTS - 1)));
		return s;
	}
	return NULL;
}

/* The signed question into w, its MAC into s. False: it cannot be made. */
static bool write_question(struct peers *p, const struct fleet_question *q, uint32_t networks, struct pending *s,
                           struct writer *w)
{
	size_t sees = MIN(p->watch->role->config->network_count, (size_t)PAD_SEES_MAX);
	struct fleet_root roots[FLEET_ROOTS_MAX];
	size_t root_count = q->tree || q->pools ? 0 : drift_roots(p->watch->drift, s->peer, roots);
	size_t answer_len = q->tree || q->pools ? DNS_UDP_DEFAULT : PAD_BASE + (size_t)PAD_NETWORK * networks + PAD_SEES * sees;
	struct tsig_session session;
	bool ok;

	tsig_session_init(&session);
	if (p->key.key)
		tsig_session_key(&session, p->key.key);
	fleet_question_write(q, s->id, roots, root_count, p->key.key ? 0 : MIN(answer_len, (size_t)DNS_UDP_DEFAULT), 0, w);
	ok = writer_ok(w) && tsig_sign(&session, w, (uint64_t)clock_wall_s()) == 0;
	s->mac_len = ok && p->key.key ? session.prior_len : 0;
	memcpy(s->mac, session.prior, s->mac_len);
	tsig_session_done(&session);
	return ok;
}

/* s: what is asked, but for who, where and when. */
static void send_question(struct peers *p, uint32_t i, uint32_t address, const struct pending *what, const struct fleet_question *q, uint32_t networks,
                          uint64_t now_ns)
{
	const struct board_node_address *at = &row_of(p, i)->address[address];
	const struct endpoint to = {.addr = at->address, .port = p->watch->port};
	const struct door *door = &p->doors[at->address.family == 6];
	struct pending *s = door->fd < 0 ? NULL : take_slot(p, now_ns);
	uint8_t bytes[DNS_UDP_DEFAULT + TSIG_RECORD_MAX];
	struct writer w = writer_of(bytes, sizeof(bytes));
	struct sockaddr_storage ss;
	socklen_t len = endpoint_to_sockaddr(&to, &ss);
	uint16_t id;

	if (!s)
		return;
	id = s->id;
	*s = *what;
	s->id = id;
	s->peer = i;
	s->address = address;
	s->sent_ns = now_ns;
	if (!write_question(p, q, networks, s, &w))
		return;
	s->active = true;
	if (!s->tree && !s->pools)
		peers_asked(&p->watch->board->watch, &p->list[i], i, address, q->network, now_ns);
	board_add(&p->watch->board->watch.nodes.asked, 1);
	/* What cannot be sent is not answered, and counted so. */
	(void)!sendto(door->fd, bytes, w.pos, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&ss, len);
}

/* As its slot has it. */
static struct fleet_question question_of(const struct peers *p, uint32_t i, const struct pending *s)
{
	const struct board_node *b = row_of(p, i);
	struct fleet_question q = {.tree = s->tree, .place = s->place, .pools = s->pools, .news = s->news, .first = s->pools ? s->tag : 0};

	memcpy(q.node, b->name, sizeof(q.node));
	if (s->tree)
		memcpy(q.network, s->about, sizeof(q.network));
	else if (s->network != PEERS_NO_ROW)
		memcpy(q.network, b->network[s->network].name, sizeof(q.network));
	return q;
}

static void ask_at(struct peers *p, uint32_t i, uint32_t address, uint8_t network, uint64_t now_ns)
{
	const struct pending what = {.network = network};
	struct fleet_question q = question_of(p, i, &what);

	send_question(p, i, address, &what, &q, network == PEERS_NO_ROW ? p->list[i].network_count : 1, now_ns);
}

void peers_ask_tree(struct peers *p, uint32_t i, const char *network, struct tree_place place, uint32_t tag, uint64_t now_ns)
{
	struct pending what = {.network = PEERS_NO_ROW, .tree = true, .place = place, .tag = tag};
	struct fleet_question q;
	uint32_t at, more;

	if (i >= p->count || !p->list[i].address_count || (p->key.wanted && !p->key.key))
		return;
	snprintf(what.about, sizeof(what.about), "%s", network);
	q = question_of(p, i, &what);
	at = peers_address(row_of(p, i), &p->list[i], &more);
	send_question(p, i, more != UINT32_MAX ? more : at, &what, &q, 1, now_ns);
}

void peers_ask_pools(struct peers *p, uint32_t i, uint32_t first, bool news, uint64_t now_ns)
{
	const struct pending what = {.network = PEERS_NO_ROW, .pools = true, .news = news, .tag = first};
	struct fleet_question q;
	uint32_t at, more;

	if (!p || i >= p->count || !p->list[i].address_count || (p->key.wanted && !p->key.key))
		return;
	q = question_of(p, i, &what);
	at = peers_address(row_of(p, i), &p->list[i], &more);
	send_question(p, i, more != UINT32_MAX ? more : at, &what, &q, 1, now_ns);
}

uint32_t peers_at(const struct peers *p, const struct ip_addr *address)
{
	for (uint32_t i = 0; p && i < p->count; i++)
		for (uint32_t k = 0; k < p->list[i].address_count; k++)
			if (addr_equal(&row_of(p, i)->address[k].address, address))
				return i;
	return UINT32_MAX;
}

/* Never put off by more than half a turn, however often it asks. */
void peers_was_asked(struct peers *p, uint32_t i, uint64_t now_ns)
{
	uint64_t pace_ns = fleet_pace_ms(p->count, 1, false) * 1000000ULL, asked_ns = row_of(p, i)->asked_ns;

	if (p->count > FLEET_ALL_AT_ONCE && !p->any_urgent && p->list[i].whole && asked_ns)
		p->list[i].due_ns = MIN(now_ns + pace_ns / 2, asked_ns + pace_ns + pace_ns / 2);
}

uint32_t peers_count(const struct peers *p)
{
	return p->count;
}

uint32_t peers_node(const struct peers *p, uint32_t i)
{
	return p->list[i].node;
}

static bool is_urgent(const struct peers *p, const struct peer_network *n)
{
	return n->own != PEERS_NO_ROW && p->urgent[n->own];
}

static uint32_t count_urgent(const struct peers *p, const struct peer *peer)
{
	uint32_t count = 0;

	for (uint32_t k = 0; k < peer->network_count && p->any_urgent; k++)
		count += is_urgent(p, &peer->network[k]);
	return count;
}

static bool asks_whole(const struct peer *peer, uint64_t now_ns)
{
	return peer->whole && now_ns >= peer->single_until_ns;
}

/* Milliseconds between questions to it, as things are. */
static uint32_t pace_of(const struct peers *p, const struct peer *peer, uint64_t now_ns)
{
	uint32_t urgent = count_urgent(p, peer), questions = urgent ? urgent : peer->network_count;

	return fleet_pace_ms(p->count, asks_whole(peer, now_ns) ? 1 : questions, urgent > 0);
}

static uint8_t next_network(const struct peers *p, struct peer *peer, uint64_t now_ns)
{
	bool urgent = count_urgent(p, peer) > 0;

	if (asks_whole(peer, now_ns) || !peer->network_count)
		return PEERS_NO_ROW;
	for (uint32_t k = 0; k < peer->network_count; k++) {
		uint32_t at = (peer->network_turn + k) % peer->network_count;

		if (urgent && !is_urgent(p, &peer->network[at]))
			continue;
		peer->network_turn = at + 1;
		return (uint8_t)at;
	}
	return PEERS_NO_ROW;
}

static void ask(struct peers *p, uint32_t i, uint64_t now_ns)
{
	struct peer *peer = &p->list[i];
	uint32_t more, at = peers_address(row_of(p, i), peer, &more);
	uint8_t network = next_network(p, peer, now_ns);

	ask_at(p, i, at, network, now_ns);
	if (p->all_addresses && !count_urgent(p, peer)) {
		for (uint32_t k = 1; k < peer->address_count; k++)
			ask_at(p, i, (at + k) % peer->address_count, network, now_ns);
		return;
	}
	if (more != UINT32_MAX)
		ask_at(p, i, more, network, now_ns);
}

/* Out of turn. */
static void ask_again(struct peers *p, uint32_t i, uint64_t now_ns)
{
	struct peer *peer = &p->list[i];
	uint32_t at;

	while ((at = peers_again(peer, now_ns)) != UINT32_MAX)
		ask_at(p, i, at, next_network(p, peer, now_ns), now_ns);
}

void peers_tell_view(struct peers *p, const char *network, uint64_t now_ns)
{
	/* It may change each second, and of further changes they hear in their turn. */
	if (!p || (p->view_told_ns && now_ns - p->view_told_ns < fleet_pace_ms(p->count, 1, false) * 1000000ULL))
		return;
	p->view_told_ns = now_ns;
	for (uint32_t i = 0; i < p->count; i++)
		for (uint32_t k = 0; k < row_of(p, i)->network_count; k++)
			if (strcmp(row_of(p, i)->network[k].name, network) == 0)
				peers_ask_pools(p, i, 0, true, now_ns);
}

void peers_hint(struct peers *p, const struct ip_addr *from, uint64_t now_ns)
{
	uint32_t i = p ? peers_at(p, from) : UINT32_MAX;

	if (i != UINT32_MAX)
		p->list[i].due_ns = MIN(p->list[i].due_ns, MAX(now_ns, row_of(p, i)->asked_ns + FLEET_FAST_MS * 1000000ULL));
}

/* ---- answers ---- */

static void blame(struct peers *p, uint32_t i, const char *why)
{
	struct board_node *b = row_of(p, i);

	board_add(&p->watch->board->watch.nodes.bad, 1);
	if (strcmp(b->why, why) != 0 && log_limit_pass(&p->limit, 5))
		log_warn("status node=%s error=\"%s\"", b->name, why);
	board_write_begin(&b->seq);
	snprintf(b->why, sizeof(b->why), "%s", why);
	board_write_end(&b->seq);
}

static void tell_seen(struct peers *p, uint32_t i, bool seen, uint64_t silent_ms)
{
	struct board_event e = {.kind = EVENT_PEER, .level = seen ? EVENT_INFO : EVENT_WARN};
	char span[16];

	snprintf(e.subject, sizeof(e.subject), "%s", row_of(p, i)->name);
	snprintf(e.old, sizeof(e.old), "%s", seen ? "not-seen" : "seen");
	snprintf(e.now, sizeof(e.now), "%s", seen ? "seen" : "not-seen");
	if (seen)
		snprintf(e.why, sizeof(e.why), "it answers questions about its status");
	else
		snprintf(e.why, sizeof(e.why), "it has not answered any question about its status for %s", clock_span_text(silent_ms, span));
	watch_event_many(p->watch, WATCH_BURST_PEER, &e);
}

static void answered(struct peers *p, struct pending *s)
{
	struct board_node *b = row_of(p, s->peer);

	s->active = false;
	peers_answered(b, &p->list[s->peer], s->address, s->sent_ns);
	board_add(&p->watch->board->watch.nodes.heard, 1);
	if (!p->list[s->peer].seen) {
		tell_seen(p, s->peer, true, 0);
		log_notice("status node=%s seen=yes", b->name);
	}
	p->list[s->peer].seen = true;
}

static enum tsig_verdict verify(const struct peers *p, const struct pending *s, const uint8_t *msg, size_t len)
{
	struct tsig_session session;
	enum tsig_verdict v;

	tsig_session_init(&session);
	if (p->key.key) {
		tsig_session_key(&session, p->key.key);
		memcpy(session.prior, s->mac, s->mac_len);
		session.prior_len = s->mac_len;
		session.has_prior = true;
	}
	v = tsig_verify_response(&session, msg, len, (uint64_t)clock_wall_s());
	tsig_session_done(&session);
	return v;
}

/* An answer by address and id. Until one is found good, the question stays open: anybody can send a bad one. */
static void take_answer(struct peers *p, struct pending *s, const uint8_t *msg, size_t len)
{
	struct peer *peer = &p->list[s->peer];
	struct fleet_question q = question_of(p, s->peer, s);
	char why[BOARD_WHY_MAX], text[12];
	enum tsig_verdict signature;
	enum fleet_answer kind;
	unsigned rcode = 0;
	int err = 0;

	kind = fleet_answer_read(msg, len, s->id, &q, &p->report, &rcode, &err);
	if (kind == FLEET_ANSWER_OTHER)
		return;
	signature = verify(p, s, msg, len);
	if (signature != TSIG_GOOD && kind == FLEET_ANSWER_REFUSED && signature == TSIG_ABSENT) {
		snprintf(why, sizeof(why),
		         "it refuses (%s): does its fleet file have this node, and the same status-key?",
		         rcode_text(rcode, text));
		blame(p, s->peer, why);
		return;
	}
	if (signature != TSIG_GOOD) {
		blame(p, s->peer, tsig_verdict_text(signature));
		return;
	}
	answered(p, s);
	switch (kind) {
	case FLEET_ANSWER_GOOD:
		peers_take(&p->watch->board->watch, peer, s->peer, &p->report, q.network, s->sent_ns, clock_ns(),
		           p->config);
		drift_heard(p->watch->drift, s->peer, &p->report, s->sent_ns);
		endpoints_heard(p->watch->endpoints, s->peer, &p->report, UINT32_MAX, s->sent_ns);
		for (uint32_t i = 0; i < p->report.sees_count; i++)
			if (views_told_take(&p->watch->board->watch.views, q.node, &p->report.sees[i], s->sent_ns))
				views_look(p->watch->views);
		break;
	case FLEET_ANSWER_TRUNCATED:
		peer->single_until_ns = clock_ns() + SINGLE_MS * 1000000ULL;
		if (s->network != PEERS_NO_ROW)
			blame(p, s->peer, "its answer about one network does not fit into a datagram");
		break;
	case FLEET_ANSWER_REFUSED:
		snprintf(why, sizeof(why), "it refuses (%s)", rcode_text(rcode, text));
		blame(p, s->peer, why);
		break;
	case FLEET_ANSWER_BAD:
		blame(p, s->peer,
		      err == ERR_UNSUPPORTED ? "it speaks a form that this version does not know"
		                             : "its answer is malformed");
		break;
	case FLEET_ANSWER_OTHER:
		break;
	}
}

/* Likewise to a question about zones. A refusal without a signature is one of a version that does not know it, or none at all: it counts as lost. */
static void take_tree(struct peers *p, struct pending *s, const uint8_t *msg, size_t len)
{
	struct fleet_question q = question_of(p, s->peer, s);
	enum fleet_answer kind;
	uint32_t tag = s->tag;
	unsigned rcode = 0;
	int err = 0;

	kind = fleet_tree_read(msg, len, s->id, &q, &p->answer, &rcode, &err);
	if (kind == FLEET_ANSWER_OTHER || verify(p, s, msg, len) != TSIG_GOOD)
		return;
	answered(p, s);
	drift_answered(p->watch->drift, tag, kind == FLEET_ANSWER_GOOD ? &p->answer : NULL, clock_ns());
}

/* Likewise to one about pools. */
static void take_pools(struct peers *p, struct pending *s, const uint8_t *msg, size_t len)
{
	struct fleet_question q = question_of(p, s->peer, s);
	enum fleet_answer kind;
	unsigned rcode = 0;
	int err = 0;

	kind = fleet_answer_read(msg, len, s->id, &q, &p->report, &rcode, &err);
	if (kind == FLEET_ANSWER_OTHER || verify(p, s, msg, len) != TSIG_GOOD)
		return;
	answered(p, s);
	if (kind == FLEET_ANSWER_GOOD)
		endpoints_heard(p->watch->endpoints, s->peer, &p->report, s->tag, s->sent_ns);
}

static void on_answers(uv_poll_t *poll, int status, int events)
{
	struct peers *p = poll->data;
	uv_os_fd_t fd;

	(void)status;
	(void)events;
	if (uv_fileno((uv_handle_t *)poll, &fd) < 0)
		return;
	for (int i = 0; i < ANSWERS_MAX; i++) {
		uint8_t msg[DNS_UDP_DEFAULT + TSIG_RECORD_MAX];
		struct sockaddr_storage ss;
		socklen_t ss_len = sizeof(ss);
		ssize_t n = recvfrom(fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&ss, &ss_len);
		struct endpoint from;
		struct pending *s;

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < DNS_HEADER_LEN || endpoint_from_sockaddr((struct sockaddr *)&ss, &from) < 0)
			continue;
		s = &p->pending[get_u16(msg) % PENDING_SLOTS];
		if (s->active && s->id == get_u16(msg) && s->peer < p->count && from.port == p->watch->port &&
		    addr_equal(&from.addr, &row_of(p, s->peer)->address[s->address].address))
			(s->tree ? take_tree : s->pools ? take_pools : take_answer)(p, s, msg, (size_t)n);
	}
}

/* ---- time ---- */

/* Ours: what route means to do. Theirs: what they say that they mean to do. */
static bool network_urgent(const struct peers *p, uint32_t i, uint64_t now_ns)
{
	const struct board *board = p->watch->board;
	const struct board_watch_peers *others = &board->watch.peers[i];
	struct board_route_network route;

	if (board_copy(&board->route.networks[i].seq, &board->route.networks[i], &route, sizeof(route)) &&
	    (route.family[0].intent || route.family[1].intent))
		return true;
	for (uint32_t k = 0; k < atomic_load(&others->count); k++) {
		const struct board_peer *o = &others->peer[k];

		if ((o->family[0].intent || o->family[1].intent) && o->heard_ns &&
		    now_ns - o->heard_ns < INTENT_FRESH_MS * 1000000ULL)
			return true;
	}
	return false;
}

static void look_for_intents(struct peers *p, uint64_t now_ns)
{
	bool was_any = p->any_urgent;

	p->any_urgent = false;
	for (uint32_t i = 0; i < p->watch->network_count; i++) {
		p->urgent[i] = network_urgent(p, i, now_ns);
		p->any_urgent = p->any_urgent || p->urgent[i];
	}
	if (p->any_urgent == was_any)
		return;
	uv_timer_set_repeat(&p->tick, p->any_urgent ? TICK_FAST_MS : TICK_MS);
	for (uint32_t i = 0; p->any_urgent && i < p->count; i++)
		if (count_urgent(p, &p->list[i]))
			p->list[i].due_ns =
				MIN(p->list[i].due_ns, now_ns + (uint64_t)(random_u32() % FLEET_FAST_MS) * 1000000U);
}

static void expire(struct peers *p, uint64_t now_ns)
{
	for (uint32_t i = 0; i < PENDING_SLOTS; i++) {
		struct pending *s = &p->pending[i];

		if (!s->active || s->counted || now_ns - s->sent_ns < ANSWER_MS * 1000000ULL)
			continue;
		s->counted = true;
		peers_unanswered(row_of(p, s->peer), &p->list[s->peer], s->address, now_ns);
	}
}

static void note_silence(struct peers *p, uint32_t i, uint64_t now_ns)
{
	uint64_t most_ms = MAX((uint64_t)UNSEEN_MS, (uint64_t)UNSEEN_TURNS * fleet_pace_ms(p->count, 1, false));
	const struct board_node *b = row_of(p, i);

	/* Seen by another answer than the one about all of it, which is on its way. */
	if (!p->list[i].seen || !b->heard_ns || now_ns - b->heard_ns < most_ms * 1000000U)
		return;
	p->list[i].seen = false;
	tell_seen(p, i, false, (now_ns - b->heard_ns) / 1000000U);
	log_warn("status node=%s seen=no since_ms=%llu", b->name,
	         (unsigned long long)((now_ns - b->heard_ns) / 1000000U));
}

static void on_tick(uv_timer_t *timer)
{
	struct peers *p = timer->data;
	uint64_t now_ns = clock_ns();

	if (p->key.wanted && !p->key.key)
		return;
	open_doors(p, now_ns);
	look_for_intents(p, now_ns);
	expire(p, now_ns);
	for (uint32_t i = 0; i < p->count; i++) {
		struct peer *peer = &p->list[i];

		note_silence(p, i, now_ns);
		ask_again(p, i, now_ns);
		if (!peer->address_count || now_ns < peer->due_ns)
			continue;
		/* Behind time, nothing is made up for. */
		peer->due_ns = MAX(peer->due_ns + (uint64_t)pace_of(p, peer, now_ns) * 1000000U, now_ns);
		ask(p, i, now_ns);
	}
}

/* ---- life ---- */

/* Our first address of each family is the one we ask from. True: another than before. */
static bool choose_doors(struct peers *p, const struct config_node *self)
{
	bool changed = false;

	for (int f = 0; f < BOARD_FAMILIES; f++) {
		struct ip_addr from = {.family = 0};

		for (size_t i = 0; i < self->management_count && !from.family; i++)
			if (self->management[i].family == (f ? 6 : 4))
				from = self->management[i];
		if (addr_equal(&from, &p->doors[f].from))
			continue;
		door_close(&p->doors[f]);
		p->doors[f].from = from;
		changed = true;
	}
	return changed;
}

static uint32_t count_addresses(const struct peers *p)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < p->count; i++)
		sum += p->list[i].address_count;
	return sum;
}

int peers_replan(struct peers *p)
{
	const struct role *role = p ? p->watch->role : NULL;
	bool reachable[BOARD_FAMILIES];
	uint64_t now_ns = clock_ns();
	uint32_t spread_ms;
	int err;

	if (!p)
		return 0;
	if (choose_doors(p, role->node))
		p->open_again_ns = 0;
	for (int f = 0; f < BOARD_FAMILIES; f++)
		reachable[f] = p->doors[f].from.family != 0;
	err = peers_lay_out(&p->watch->board->watch, role->config, role->node, reachable, p->list, &p->count);
	if (err < 0)
		return err;
	status_key_done(&p->key);
	status_key_load(role, &p->key);
	memcpy(p->config, role->config->hash, sizeof(p->config));
	memset(p->pending, 0, sizeof(p->pending));
	spread_ms = MIN(fleet_pace_ms(p->count, 1, false) / 4, 1000U);
	p->all_addresses = count_addresses(p) <= FLEET_ALL_AT_ONCE;
	for (uint32_t i = 0; i < p->count; i++) {
		struct peer *peer = &p->list[i];

		/* Not all at once, but soon: what was heard before a restart is getting old. */
		peer->due_ns = now_ns + (uint64_t)(random_u32() % (spread_ms + 1)) * 1000000U;
		peer->whole = role->config->nodes[peer->node].network_count <= FLEET_WHOLE_NETWORKS;
		peer->seen = row_of(p, i)->heard_ns && now_ns - row_of(p, i)->heard_ns < UNSEEN_MS * 1000000ULL;
	}
	return 0;
}

int peers_new(struct watch *w, struct peers **out)
{
	struct peers *p;
	int err;

	*out = NULL;
	if (!w->role->node)
		return 0;
	p = calloc(1, sizeof(*p));
	if (!p)
		return ERR_NO_MEMORY;
	p->watch = w;
	for (int f = 0; f < BOARD_FAMILIES; f++)
		p->doors[f].fd = -1;
	err = peers_replan(p);
	if (err < 0) {
		status_key_done(&p->key);
		free(p);
		return err;
	}
	(void)uv_timer_init(&w->loop, &p->tick); /* cannot fail */
	p->tick.data = p;
	uv_timer_start(&p->tick, on_tick, 0, TICK_MS);
	*out = p;
	return 0;
}
