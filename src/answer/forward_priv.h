/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "answer/forward.h"
#include "answer/worker.h"
#include "board/board.h"
#include "config/config.h"
#include "edge/flight.h"
#include "edge/servers.h"

#include <sys/socket.h>

/* What the files of forward share. */
enum {
	FORWARD_KEPT = 512,        /* octets of a client's question that are kept; a longer one is kept without what we would not look at */
	FORWARD_ASK_MAX = 512,     /* octets of a question of ours, with the PROXY header */
	FORWARD_LINES = 5,         /* UDP sockets to a server, one of which rests: it is read, but not written to */
	FORWARD_LINE_STREAM = FORWARD_LINES, /* in place of a socket: connections */
	FORWARD_STREAM_TRY_MS = 250, /* at least, for a connection may have to be made first, and TLS begun */
	FORWARD_BATCH = 64,
	FORWARD_IN_MAX = 4096,     /* octets of a datagram; we offer DNS_UDP_DEFAULT */
	FORWARD_OUT_MAX = 4096,    /* likewise to a client */
	FORWARD_LOOK_MS = 100,     /* how often the board is read and written */
	FORWARD_RENEW_MS = 10000,  /* after which one socket of each server in use is replaced */
	FORWARD_RANDOM = 2048,     /* 16-bit numbers fetched from the kernel at a time */
};

/* A client that waits. */
struct forward_waiting {
	uint64_t began_ns;
	uint64_t stream;
	struct ip_addr addr, local;
	uint32_t scope;            /* of its socket address */
	int fd;                    /* -1: its socket is gone */
	uint16_t port, local_port, len;
	uint8_t transport;         /* enum engine_transport */
	bool wildcard;
	uint8_t msg[FORWARD_KEPT];
};

struct forward_pool {
	char name[BOARD_NAME_MAX];
	uint32_t key;
	struct edge_pool of;
	struct edge_limits limits; /* of what is cached */
	uint64_t patience_ns;
	uint8_t over;              /* enum config_backend_over */
	uint32_t tls;
	bool proxy, client_subnet, cached;
};

/* A server beside what its choice needs; same place. */
struct forward_server {
	struct endpoint at;
	uint32_t place;            /* on the board */
	uint8_t line;              /* to be used next */
	uint8_t resting;
	bool used;                 /* since lines were last renewed */
	int fd[FORWARD_LINES];     /* -1: not open */
};

/* Questions that have yet to leave. */
struct forward_asks {
	unsigned count;
	struct forward_ask_out {
		uint16_t row, id, len;
		uint8_t line;
	} ask[FORWARD_BATCH];
	uint8_t octets[FORWARD_BATCH][FORWARD_ASK_MAX];
};

/* Answers that have yet to leave. */
struct forward_answers {
	unsigned count;
	int fd[FORWARD_BATCH];
	struct mmsghdr out[FORWARD_BATCH];
	struct iovec iov[FORWARD_BATCH];
	struct sockaddr_storage peer[FORWARD_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[FORWARD_BATCH][CMSG_SPACE(sizeof(struct in6_pktinfo))];
	uint8_t octets[FORWARD_BATCH][FORWARD_OUT_MAX];
};

struct forward {
	struct worker *worker;
	struct flights *flights;
	struct forward_waiting *waiting;   /* FORWARD_WAITING_MAX, touched as they are used */
	struct forward_pool *pools;        /* as in the configuration */
	bool *down;                        /* likewise: nobody of it is to be expected to answer */
	size_t pool_count;
	struct edge_server facts[BOARD_BACKENDS_MAX];
	struct forward_server servers[BOARD_BACKENDS_MAX];
	struct ip_addr own[2];             /* questions leave from, [IPv6]; family 0: the kernel's choice */
	int epoll;
	uint64_t ticked_ns, looked_ns, renewed_ns;
	struct forward_asks asks;
	struct forward_answers answers;
	unsigned random_left;
	uint16_t random[FORWARD_RANDOM];
	struct mmsghdr in[FORWARD_BATCH];
	struct iovec in_iov[FORWARD_BATCH];
	uint8_t in_octets[FORWARD_BATCH][FORWARD_IN_MAX];
	struct query asked;                /* of the question whose answer is at hand */
	struct edge_answer answer;
	uint8_t body[EDGE_BODY_MAX];
	uint8_t stream_out[DNS_MESSAGE_MAX]; /* an answer to a client of TCP or TLS */
};

uint32_t forward_random(struct forward *fw);

/* forward_pools.c: what the configuration says, and the board. */
int forward_pools_take(struct forward *fw, const struct config *config, unsigned workers) MUST_CHECK;
void forward_pools_look(struct forward *fw);

/* forward_udp.c: sockets to servers. A question is put into the queue, and leaves with forward_udp_flush(). */
bool forward_udp_ask(struct forward *fw, uint16_t row, uint8_t *line) MUST_CHECK; /* by which socket: false: none can be made */
uint8_t *forward_udp_room(struct forward *fw);                                 /* FORWARD_ASK_MAX octets for the next question */
void forward_udp_put(struct forward *fw, uint16_t row, uint8_t line, uint16_t id, size_t len);
void forward_udp_flush(struct forward *fw);
void forward_udp_serve(struct forward *fw);
void forward_udp_renew(struct forward *fw);
void forward_udp_close(struct forward *fw, uint16_t row);

/* forward_stream.c: servers by TCP and TLS, clients likewise. False: it cannot be asked now. */
bool forward_stream_put(struct forward *fw, uint16_t row, uint16_t id, const uint8_t *proxy, size_t proxy_len, const uint8_t *msg, size_t len);
void forward_stream_answer(struct forward *fw, const struct forward_waiting *c, struct engine_late *late);

/* forward_out.c: answers to clients of UDP. */
uint8_t *forward_out_room(struct forward *fw);
void forward_out_put(struct forward *fw, const struct forward_waiting *to, size_t len);
void forward_out_flush(struct forward *fw);

/* forward.c: an answer has come; a line to a server is broken (the network said no). */
void forward_take_reply(struct forward *fw, uint16_t row, uint8_t line, const uint8_t *msg, size_t len, uint64_t now_ns);
void forward_try_closed(struct forward *fw, uint16_t row, uint8_t line, uint16_t id); /* as servers do at any time: it has not failed */
void forward_try_failed(struct forward *fw, uint16_t row, uint8_t line, uint16_t id);
/* A row is another server's now, or nobody's. */
void forward_forget_row(struct forward *fw, uint16_t row);
