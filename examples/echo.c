/* SPDX-License-Identifier: MIT */
/*
 * echo.c - a TCP echo server in one's own poll loop, on a TAP interface.
 *
 *	echo TAP ADDR/PREFIX [PORT]		echo tap0 192.0.2.2/24 7
 *
 * Shows the usual loop of an embedder: sockets with O_NONBLOCK, readiness by epoll of the instance, the host's poll() over the
 * device's descriptors with the instance's next deadline as time-out.  Ends on SIGINT or SIGTERM.
 */
#include <xmit/control.h>
#include <xmit/dev.h>
#include <xmit/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS = 64, FDS = 8, BUFFER = 65536 };

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Sends back what came; the rest waits in the kernel of things: we read only what we could write. */
static void serve(xmit_net *net, int epfd, int fd)
{
	static char buf[BUFFER];

	for (;;) {
		ssize_t n = xmit_recv(net, fd, buf, sizeof(buf), MSG_PEEK);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0)
			break;
		ssize_t sent = xmit_send(net, fd, buf, (size_t)n, 0);
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			break;
		xmit_recv(net, fd, buf, (size_t)sent, 0);
	}
	xmit_epoll_ctl(net, epfd, XMIT_EPOLL_CTL_DEL, fd, NULL);
	xmit_close(net, fd);
}

static void accept_all(xmit_net *net, int epfd, int listener)
{
	int fd;

	while ((fd = xmit_accept4(net, listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct xmit_epoll_event ev = {XMIT_EPOLLIN | XMIT_EPOLLOUT | XMIT_EPOLLET, (uint64_t)fd};
		xmit_epoll_ctl(net, epfd, XMIT_EPOLL_CTL_ADD, fd, &ev);
		serve(net, epfd, fd);
	}
}

static int wait_ms(xmit_net *net)
{
	uint64_t deadline = xmit_next_deadline(net), now = xmit_now(net);

	if (deadline == XMIT_NEVER)
		return -1;
	if (deadline <= now)
		return 0;
	uint64_t ms = (deadline - now + 999999) / 1000000;
	return ms > 60000 ? 60000 : (int)ms;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: echo TAP ADDR/PREFIX [PORT]\n");
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);

	xmit_net *net = xmit_net_new(NULL);
	if (!net)
		die("instance");
	struct xmit_tap_config tap = {.size = sizeof(tap), .ifname = argv[1]};
	xmit_dev *dev = xmit_tap_new(net, &tap);
	if (!dev || xmit_dev_up(dev) || xmit_addr_add_text(dev, argv[2]))
		die(argv[1]);

	int listener = xmit_socket(net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(argc > 3 ? atoi(argv[3]) : 7))};
	if (xmit_bind(net, listener, (struct sockaddr *)&any, sizeof(any)) || xmit_listen(net, listener, 128))
		die("listen");
	int epfd = xmit_epoll_create(net);
	struct xmit_epoll_event ev = {XMIT_EPOLLIN, (uint64_t)listener};
	xmit_epoll_ctl(net, epfd, XMIT_EPOLL_CTL_ADD, listener, &ev);
	printf("listening on port %d\n", ntohs(any.sin_port));
	fflush(stdout);

	while (!stop) {
		struct xmit_epoll_event events[EVENTS];
		struct pollfd fds[FDS];

		while (xmit_poll(net, 0) > 0)
			;
		int n = xmit_epoll_wait(net, epfd, events, EVENTS, 0);
		for (int i = 0; i < n; i++) {
			if ((int)events[i].data == listener)
				accept_all(net, epfd, listener);
			else
				serve(net, epfd, (int)events[i].data);
		}
		int count = xmit_poll_fds(net, fds, FDS);
		if (poll(fds, (nfds_t)count, wait_ms(net)) < 0 && errno != EINTR)
			die("poll");
	}
	xmit_net_free(net);
	return 0;
}
