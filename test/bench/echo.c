/* SPDX-License-Identifier: BSD-2-Clause */
/* The floor of a server on UDP sockets, with the system calls that zonecast uses: up to BATCH datagrams by recvmmsg, the QR bit set, sent
 * back by sendmmsg.
 *
 *     echo PORT ADDRESS...
 *
 * A process for each address; runs until killed. */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, SIZE = 2048, BUFFER_SIZE = 4 << 20 };

static int echo_open(const char *address, const char *port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
	int is4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1, size = BUFFER_SIZE, fd;

	if (!is4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		errx(2, "%s: no address", address);
	fd = socket(is4 ? AF_INET : AF_INET6, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, is4 ? (void *)&v4 : (void *)&v6, is4 ? sizeof(v4) : sizeof(v6)) < 0)
		err(1, "%s", address);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return fd;
}

static void echo_run(int fd)
{
	static uint8_t data[BATCH][SIZE];
	static struct sockaddr_storage from[BATCH];
	static struct iovec iov[BATCH];
	static struct mmsghdr messages[BATCH];

	for (;;) {
		int received;

		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){data[i], SIZE};
			messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &iov[i], .msg_iovlen = 1};
		}
		received = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
		for (int i = 0; i < received; i++) {
			iov[i].iov_len = messages[i].msg_len;
			data[i][2] |= 0x80;
		}
		for (int sent = 0; sent < received;) {
			int n = sendmmsg(fd, messages + sent, (unsigned)(received - sent), 0);

			if (n <= 0)
				break;
			sent += n;
		}
	}
}

int main(int argc, char **argv)
{
	if (argc < 3)
		errx(2, "usage: echo PORT ADDRESS...");
	for (int i = 2; i < argc; i++) {
		int fd = echo_open(argv[i], argv[1]);

		if (i == argc - 1 || fork() == 0)
			echo_run(fd);
		close(fd);
	}
}
