/* SPDX-License-Identifier: MIT */
/*
 * tun2socks.c - carries every TCP connection that enters a TUN interface to a SOCKS5 proxy (RFC 1928).
 *
 *	tun2socks TUN PROXY-ADDR PROXY-PORT	tun2socks tun0 127.0.0.1 1080
 *
 * Packets in and packets out are two functions over the packet device; one listener with XMIT_SO_ACCEPT_ANY takes connections
 * to any address and port, and getsockname() tells the original destination, which is asked of the proxy.  Each direction moves one
 * buffer at a time and stops reading where the other side does not take more, so that flow control goes end to end.
 */
#include <xmit/control.h>
#include <xmit/dev.h>
#include <xmit/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { CONNECTIONS = 1024, BUFFER = 16384, PACKET = 65536 };
enum stage { CONNECTING, GREETED, ASKED, OPEN };

struct pipe_buf { /* one direction */
	size_t start, end;
	bool eof, eof_passed;
	char data[BUFFER];
};
struct conn {
	int stack, proxy;          /* descriptors: of the instance, of the host; stack -1: slot is free */
	enum stage stage;
	struct sockaddr_in target;
	struct pipe_buf up, down;  /* stack to proxy, proxy to stack */
};

static struct conn conns[CONNECTIONS];
static struct sockaddr_in proxy_addr;
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "tun2socks: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- packets out, packets in ------------------------------------------------------------------------------- */

static int packet_out(void *ctx, const struct iovec *iov, int n, const struct xmit_offload *o)
{
	(void)o;
	return writev(*(int *)ctx, iov, n) < 0 && errno == EAGAIN ? -EAGAIN : 0;
}

static void packets_in(int tun, xmit_dev *dev)
{
	static char packet[PACKET];
	ssize_t n;

	for (int i = 0; i < 64 && (n = read(tun, packet, sizeof(packet))) > 0; i++) {
		struct iovec iov = {packet, (size_t)n};
		xmit_packet_input(dev, &iov, 1, NULL); /* full: the packet is lost, as on any link */
	}
}

static int open_tun(const char *name)
{
	struct ifreq ifr;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	memset(&ifr, 0, sizeof(ifr));
	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	ifr.ifr_flags = IFF_TUN | IFF_NO_PI;
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0)
		die(name);
	return fd;
}

/* --- connections --------------------------------------------------------------------------------------------- */

static void conn_close(xmit_net *net, struct conn *c, bool reset)
{
	struct linger hard = {1, 0};

	if (reset)
		xmit_setsockopt(net, c->stack, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	xmit_close(net, c->stack);
	close(c->proxy);
	c->stack = -1;
}

static void conn_accept(xmit_net *net, int listener)
{
	int fd;

	while ((fd = xmit_accept4(net, listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct conn *c = conns;
		socklen_t len = sizeof(c->target);

		while (c < conns + CONNECTIONS && c->stack >= 0)
			c++;
		int proxy = c < conns + CONNECTIONS ? socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
		if (proxy < 0) {
			xmit_close(net, fd);
			continue;
		}
		c->stack = fd;
		c->proxy = proxy;
		c->stage = CONNECTING;
		c->up.start = c->up.end = c->down.start = c->down.end = 0;
		c->up.eof = c->up.eof_passed = c->down.eof = c->down.eof_passed = false;
		xmit_getsockname(net, fd, (struct sockaddr *)&c->target, &len);
		if (connect(proxy, (struct sockaddr *)&proxy_addr, sizeof(proxy_addr)) < 0 && errno != EINPROGRESS)
			conn_close(net, c, true);
	}
}

/* The SOCKS5 handshake: greeting, choice, request, reply. Returns -1 when the proxy refuses. */
static int handshake(struct conn *c)
{
	unsigned char m[10] = {5, 1, 0, 1};
	ssize_t n;

	switch (c->stage) {
	case CONNECTING:
		if (send(c->proxy, "\x05\x01\x00", 3, MSG_NOSIGNAL) != 3)
			return errno == EAGAIN || errno == ENOTCONN ? 0 : -1;
		c->stage = GREETED;
		return 0;
	case GREETED:
		n = recv(c->proxy, m, 2, MSG_PEEK);
		if (n < 2)
			return n < 0 && errno == EAGAIN ? 0 : n == 1 ? 0 : -1;
		recv(c->proxy, m, 2, 0);
		if (m[1] != 0)
			return -1;
		m[0] = 5;
		m[1] = 1;
		memcpy(m + 4, &c->target.sin_addr, 4);
		memcpy(m + 8, &c->target.sin_port, 2);
		if (send(c->proxy, m, sizeof(m), MSG_NOSIGNAL) != (ssize_t)sizeof(m))
			return -1;
		c->stage = ASKED;
		return 0;
	case ASKED:
		n = recv(c->proxy, m, sizeof(m), MSG_PEEK);
		if (n < (ssize_t)sizeof(m))
			return n > 0 || (n < 0 && errno == EAGAIN) ? 0 : -1;
		recv(c->proxy, m, sizeof(m), 0);
		if (m[1] != 0)
			return -1;
		c->stage = OPEN;
		return 0;
	case OPEN:
		break;
	}
	return 0;
}

/* Reads into an empty buffer, writes what is there; -1: the connection is broken. */
static int move(xmit_net *net, struct pipe_buf *b, int from_stack, int from_host, int to_stack, int to_host)
{
	for (;;) {
		if (b->start == b->end && !b->eof) {
			ssize_t n = from_stack >= 0 ? xmit_recv(net, from_stack, b->data, BUFFER, 0) : recv(from_host, b->data, BUFFER, 0);
			if (n < 0)
				return errno == EAGAIN ? 0 : -1;
			b->eof = n == 0;
			b->start = 0;
			b->end = (size_t)n;
		}
		if (b->start == b->end) {
			if (!b->eof_passed && to_stack >= 0)
				xmit_shutdown(net, to_stack, SHUT_WR);
			else if (!b->eof_passed)
				shutdown(to_host, SHUT_WR);
			b->eof_passed = true;
			return 0;
		}
		size_t left = b->end - b->start;
		ssize_t n = to_stack >= 0 ? xmit_send(net, to_stack, b->data + b->start, left, 0)
					  : send(to_host, b->data + b->start, left, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		b->start += (size_t)n;
	}
}

static void conn_run(xmit_net *net, struct conn *c)
{
	if (c->stage != OPEN && handshake(c) < 0) {
		conn_close(net, c, true);
		return;
	}
	if (c->stage != OPEN)
		return;
	if (move(net, &c->up, c->stack, -1, -1, c->proxy) < 0 || move(net, &c->down, -1, c->proxy, c->stack, -1) < 0)
		conn_close(net, c, true);
	else if (c->up.eof_passed && c->down.eof_passed)
		conn_close(net, c, false);
}

/* What the proxy side of a connection waits for now. */
static short proxy_events(const struct conn *c)
{
	short ev = c->stage == CONNECTING || c->up.start != c->up.end ? POLLOUT : 0;

	return (short)(ev | (c->stage != CONNECTING && c->down.start == c->down.end && !c->down.eof ? POLLIN : 0));
}

int main(int argc, char **argv)
{
	static struct pollfd fds[CONNECTIONS + 1];
	int one = 1;

	if (argc != 4 || inet_pton(AF_INET, argv[2], &proxy_addr.sin_addr) != 1) {
		fprintf(stderr, "usage: tun2socks TUN PROXY-ADDR PROXY-PORT\n");
		return 2;
	}
	proxy_addr.sin_family = AF_INET;
	proxy_addr.sin_port = htons((uint16_t)atoi(argv[3]));
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	for (int i = 0; i < CONNECTIONS; i++)
		conns[i].stack = -1;

	int tun = open_tun(argv[1]);
	xmit_net *net = xmit_net_new(NULL);
	struct xmit_packet_config pc = {.size = sizeof(pc), .type = XMIT_DEV_NONE, .features = XMIT_F_SG, .out = packet_out, .ctx = &tun};
	xmit_dev *dev = net ? xmit_packet_new(net, &pc) : NULL;
	if (!dev || xmit_dev_up(dev) || xmit_route_add_text(net, "default dev tun0"))
		die("device");
	int listener = xmit_socket(net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (xmit_setsockopt(net, listener, XMIT_SOL_XMIT, XMIT_SO_ACCEPT_ANY, &one, sizeof(one)) || xmit_listen(net, listener, 1024))
		die("listen");
	printf("ready\n");
	fflush(stdout);

	while (!stop) {
		int n = 1, timeout = 1000;
		packets_in(tun, dev);
		while (xmit_poll(net, 0) > 0)
			;
		conn_accept(net, listener);
		fds[0] = (struct pollfd){.fd = tun, .events = POLLIN};
		for (struct conn *c = conns; c < conns + CONNECTIONS; c++) {
			if (c->stack >= 0)
				conn_run(net, c);
			if (c->stack >= 0)
				fds[n++] = (struct pollfd){.fd = c->proxy, .events = proxy_events(c)};
		}
		uint64_t next = xmit_next_deadline(net), now = xmit_now(net);
		if (next != XMIT_NEVER && next < now + UINT64_C(1000000000))
			timeout = next > now ? (int)((next - now) / 1000000 + 1) : 0;
		if (poll(fds, (nfds_t)n, timeout) < 0 && errno != EINTR)
			die("poll");
		xmit_packet_writable(dev);
	}
	xmit_net_free(net);
	close(tun);
	return 0;
}
