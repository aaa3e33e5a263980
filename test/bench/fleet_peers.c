/* SPDX-License-Identifier: BSD-2-Clause */
/* The other nodes of a large fleet, for one real node to be measured against: COUNT addresses 127.1.0.2 and on, port 53, that answer questions about status and zones as nodes do, and ask the real one at
 * its pace. Their zones are those of the real node's store. SIGUSR1: one of them falls behind in one zone. SIGUSR2: prints what was sent and received since the last time, in octets with IP and UDP headers.
 *
 *	fleet_peers STORE NETWORK NODE COUNT SECRET-FILE ZONE */
#include "base/clock.h"
#include "fleet/message.h"
#include "fleet/pace.h"
#include "watch/drift_table.h"
#include "xfr/tsig.h"
#include "xfr/tsig_key.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PEERS_MAX = 250, HEADERS = 28, MESSAGE = 2048, ODD_ONE = 50 };

static struct peer {
	int fd;
	uint64_t due_ns;
	char name[16];
} peers[PEERS_MAX];

static struct drift_table tables[2]; /* of all; of the one that falls behind */
static _Atomic uint64_t pins[2][BOARD_DRIFT_PINS];
static struct tsig_keys keys;
static const char *network, *node;
static unsigned count;
static uint64_t in, out, questions_in, questions_out, tree_in, tree_octets, other, counted_ns;
static volatile sig_atomic_t fall, show;
static bool fallen;

static void on_signal(int s)
{
	if (s == SIGUSR1)
		fall = 1;
	else
		show = 1;
}

static struct zone_tree *tree_of(unsigned i)
{
	return drift_table_find(&tables[fallen && i == ODD_ONE % count], network)->tree;
}

static void send_to(struct peer *p, const uint8_t *msg, size_t len, const struct sockaddr_in *to)
{
	if (sendto(p->fd, msg, len, MSG_DONTWAIT, (const struct sockaddr *)to, sizeof(*to)) == (ssize_t)len)
		out += len + HEADERS;
}

static void answer(unsigned i, const uint8_t *msg, size_t len, const struct sockaddr_in *from)
{
	static struct fleet_report r;
	struct fleet_question asked;
	struct tsig_session session;
	uint8_t octets[MESSAGE];
	struct writer w = writer_of(octets, DNS_UDP_DEFAULT);
	struct query q;

	if (query_parse(msg, len, &q) != QUERY_OK || !fleet_question_is(&q) ||
	    !fleet_question_read(q.qname.wire, &asked)) {
		other += len + HEADERS;
		return;
	}
	in += len + HEADERS;
	questions_in++;
	tsig_session_init(&session);
	if (tsig_verify_request(&session, &keys, msg, len, (uint64_t)clock_wall_s()) == TSIG_GOOD) {
		w.cap -= tsig_space(&session);
		if (asked.tree) {
			tree_in++;
			fleet_tree_write(&q, msg, RCODE_NOERROR, tree_of(i), asked.place, &w);
			tree_octets += len + w.pos + 100 + 2 * HEADERS;
		} else {
			peers[i].due_ns =
				clock_ns() + fleet_pace_ms(count, 1, false) * 500000ULL; /* as peers_was_asked() does */
			r = (struct fleet_report){.version = "0.1.0",
			                          .uptime_s = 86400,
			                          .zones = 100000,
			                          .serving = 100000,
			                          .networks = 1,
			                          .count = 1,
			                          .trees = 1};
			snprintf(r.node, sizeof(r.node), "%s", peers[i].name);
			snprintf(r.network[0].name, sizeof(r.network[0].name), "%s", network);
			for (int f = 0; f < BOARD_FAMILIES; f++)
				r.network[0].family[f] = (struct board_peer_family){.announce = ANNOUNCE_YES,
				                                                    .verdict = VERDICT_PASS,
				                                                    .answers = true};
			snprintf(r.tree[0].network, sizeof(r.tree[0].network), "%s", network);
			r.tree[0].root = tree_root(tree_of(i));
			fleet_answer_write(&q, msg, RCODE_NOERROR, &r, &w);
		}
		w.cap = DNS_UDP_DEFAULT;
		if (writer_ok(&w) && tsig_sign(&session, &w, (uint64_t)clock_wall_s()) == 0)
			send_to(&peers[i], octets, w.pos, from);
	}
	tsig_session_done(&session);
}

static void ask(unsigned i, uint64_t now_ns)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
	                               .sin_port = htons(53),
	                               .sin_addr.s_addr = htonl(0x7f010001)};
	struct fleet_root root = {fleet_network_number(network), tree_root(tree_of(i))};
	struct fleet_question q = {.network = ""};
	struct tsig_session session;
	uint8_t octets[MESSAGE];
	struct writer w = writer_of(octets, sizeof(octets));

	snprintf(q.node, sizeof(q.node), "%s", node);
	tsig_session_init(&session);
	tsig_session_key(&session, keys.list[0]);
	fleet_question_write(&q, (uint16_t)now_ns, &root, 1, 0, 0, &w);
	if (writer_ok(&w) && tsig_sign(&session, &w, (uint64_t)clock_wall_s()) == 0) {
		send_to(&peers[i], octets, w.pos, &to);
		questions_out++;
	}
	tsig_session_done(&session);
}

static void fall_behind(const char *zone)
{
	const uint8_t root[1] = {0};
	struct tree_zone *z;
	struct name name;

	if (name_from_text(zone, strlen(zone), root, &name) < 0 ||
	    !(z = tree_find(drift_table_find(&tables[1], network)->tree, tree_hash(name.wire))) ||
	    tree_put(drift_table_find(&tables[1], network)->tree, name.wire, z->serial - 1, &z) < 0)
		exit(1);
	tree_content(drift_table_find(&tables[1], network)->tree, z, true, 1);
	fallen = true;
	printf("fallen %s\n", peers[ODD_ONE % count].name);
	fflush(stdout);
}

static void show_counts(void)
{
	uint64_t now_ns = clock_ns();

	printf("counts seconds=%.1f in=%llu out=%llu questions_in=%llu questions_out=%llu tree_questions=%llu "
	       "tree_octets=%llu other=%llu\n",
	       (double)(now_ns - counted_ns) / 1e9, (unsigned long long)in, (unsigned long long)out,
	       (unsigned long long)questions_in, (unsigned long long)questions_out, (unsigned long long)tree_in,
	       (unsigned long long)tree_octets, (unsigned long long)other);
	fflush(stdout);
	in = out = questions_in = questions_out = tree_in = tree_octets = other = 0;
	counted_ns = now_ns;
}

static void load(struct drift_table *t, _Atomic uint64_t *p, const char *store)
{
	static struct config_network n;
	static struct config c = {.networks = &n, .network_count = 1};
	static const struct config_node all = {.role = CONFIG_PRIMARY};
	struct stat st;

	n.name = network;
	if (stat(store, &st) < 0)
		exit(1);
	drift_table_init(t, store, p);
	if (drift_table_replan(t, &c, &all) < 0)
		exit(1);
	for (int i = 0; drift_table_step(t, st.st_ino, clock_ns(), 1000000000) || i < 3; i++)
		;
}

static void serve(unsigned i)
{
	for (int k = 0; k < 64; k++) {
		struct sockaddr_in from;
		socklen_t from_len = sizeof(from);
		uint8_t msg[MESSAGE];
		ssize_t n = recvfrom(peers[i].fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

		if (n < 0)
			return;
		if (n > 2 && (msg[2] & 0x80)) {
			in += (size_t)n + HEADERS;
		} else {
			answer(i, msg, (size_t)n, &from);
		}
	}
}

static void open_peer(unsigned i)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
	                         .sin_port = htons(53),
	                         .sin_addr.s_addr = htonl(0x7f010002 + i)};

	snprintf(peers[i].name, sizeof(peers[i].name), "pop%u", i);
	peers[i].fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(peers[i].fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		perror("bind");
		exit(1);
	}
	peers[i].due_ns = clock_ns() + (uint64_t)i * 100000000U;
}

int main(int argc, char **argv)
{
	uint8_t secret[TSIG_SECRET_MAX];
	struct writer w = writer_of(secret, sizeof(secret));
	struct pollfd polls[PEERS_MAX];
	const uint8_t root[1] = {0};
	struct tsig_key *key;
	struct name name;
	char text[512] = "";
	FILE *f;

	if (argc != 7 || !(f = fopen(argv[5], "r")) || !fgets(text, sizeof(text), f))
		return 2;
	fclose(f);
	network = argv[2];
	node = argv[3];
	count = (unsigned)MIN(atoi(argv[4]), PEERS_MAX);
	text[strcspn(text, "\n")] = '\0';
	if (name_from_text("transfer.", 9, root, &name) < 0 || tsig_secret_parse(text, strlen(text), &w) < 0 ||
	    tsig_key_new(name.wire, tsig_algorithm_text("hmac-sha256"), secret, w.pos, 0, &key) < 0)
		return 1;
	keys = (struct tsig_keys){.list = &key, .count = 1};
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	load(&tables[0], pins[0], argv[1]);
	load(&tables[1], pins[1], argv[1]);
	for (unsigned i = 0; i < count; i++)
		open_peer(i);
	counted_ns = clock_ns();
	{
		struct tree_sum s;

		tree_sum_of(tree_of(0), (struct tree_place){0}, &s);
		printf("ready zones=%u unknown=%u\n", s.zones, s.unknown);
		fflush(stdout);
	}
	for (;;) {
		uint64_t now_ns = clock_ns();

		for (unsigned i = 0; i < count; i++) {
			polls[i] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
			if (now_ns < peers[i].due_ns)
				continue;
			peers[i].due_ns = now_ns + fleet_pace_ms(count, 1, false) * 1000000ULL;
			ask(i, now_ns);
		}
		if (poll(polls, count, 20) > 0)
			for (unsigned i = 0; i < count; i++)
				if (polls[i].revents & POLLIN)
					serve(i);
		if (fall) {
			fall = 0;
			fall_behind(argv[6]);
		}
		if (show) {
			show = 0;
			show_counts();
		}
	}
}
