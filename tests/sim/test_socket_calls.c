/* SPDX-License-Identifier: MIT */
/* test_socket_calls.c - what the calls return: errno for errno what Linux does (each row was tried there), over a two-host network. */
#include "pair.h"
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

static int listener(uint16_t port, int backlog)
{
	struct sockaddr_in addr = sim_addr(1, port);
	int fd = xmit_socket(b, AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(xmit_bind(b, fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(xmit_listen(b, fd, backlog), 0);
	return fd;
}

/* A connected pair: *client on a, returned server end on b. */
static int connected(uint16_t port, int *client)
{
	struct sockaddr_in addr = sim_addr(1, port);
	int l = listener(port, 5);

	*client = xmit_socket(a, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(xmit_connect(a, *client, (struct sockaddr *)&addr, sizeof(addr)), 0);
	int fd = xmit_accept(b, l, NULL, NULL);
	assert_true(fd >= 0);
	xmit_close(b, l);
	return fd;
}

static void socket_arguments(void **state)
{
	(void)state;
	FAILS(xmit_socket(a, 77, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(xmit_socket(a, AF_INET, 77, 0), EINVAL);
	FAILS(xmit_socket(a, AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	FAILS(xmit_socket(a, AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	FAILS(xmit_close(a, 99), EBADF);
	FAILS(xmit_read(a, 99, NULL, 0), EBADF);
	int fd = xmit_socket(a, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(xmit_fcntl(a, fd, F_GETFL, 0) & O_NONBLOCK);
	assert_int_equal(xmit_close(a, fd), 0);
	FAILS(xmit_close(a, fd), EBADF);
}

static void unconnected_stream(void **state)
{
	char c = 0;

	(void)state;
	int fd = xmit_socket(a, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	FAILS(xmit_send(a, fd, &c, 1, MSG_NOSIGNAL), EPIPE);
	FAILS(xmit_recv(a, fd, &c, 1, 0), ENOTCONN);
	FAILS(xmit_shutdown(a, fd, SHUT_WR), ENOTCONN);
	FAILS(xmit_accept(a, fd, NULL, NULL), EINVAL);
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	FAILS(xmit_getpeername(a, fd, (struct sockaddr *)&addr, &len), ENOTCONN);
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
	assert_int_equal(xmit_poll_sockets(a, &p, 1, 0), 1);
	assert_int_equal(p.revents, POLLOUT | POLLHUP);
}

static void bind_errors(void **state)
{
	struct sockaddr_in addr = sim_addr(1, 80), other = sim_addr(9, 80);
	(void)state;
	int l = listener(80, 5), fd = xmit_socket(b, AF_INET, SOCK_STREAM, 0);

	FAILS(xmit_bind(b, fd, (struct sockaddr *)&addr, sizeof(addr)), EADDRINUSE);
	FAILS(xmit_bind(b, fd, (struct sockaddr *)&other, sizeof(other)), EADDRNOTAVAIL);
	FAILS(xmit_bind(b, fd, (struct sockaddr *)&addr, 4), EINVAL);
	addr.sin_family = AF_UNIX;
	FAILS(xmit_bind(b, fd, (struct sockaddr *)&addr, sizeof(addr)), EAFNOSUPPORT);
	addr = sim_addr(1, 0);
	assert_int_equal(xmit_bind(b, fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	socklen_t len = sizeof(addr);
	assert_int_equal(xmit_getsockname(b, fd, (struct sockaddr *)&addr, &len), 0);
	assert_in_range(ntohs(addr.sin_port), 32768, 60999);
	FAILS(xmit_bind(b, fd, (struct sockaddr *)&addr, sizeof(addr)), EINVAL);
	xmit_close(b, l);
}

static void connect_refused_and_unreachable(void **state)
{
	struct sockaddr_in closed = sim_addr(1, 81), nobody = sim_addr(30, 80), far = {.sin_family = AF_INET, .sin_port = htons(1)};

	(void)state;
	far.sin_addr.s_addr = htonl(0xc6336401); /* 198.51.100.1: no route */
	int fd = xmit_socket(a, AF_INET, SOCK_STREAM, 0);
	FAILS(xmit_connect(a, fd, (struct sockaddr *)&closed, sizeof(closed)), ECONNREFUSED);
	/* The same socket may try again, as on Linux. */
	int l = listener(81, 1);
	assert_int_equal(xmit_connect(a, fd, (struct sockaddr *)&closed, sizeof(closed)), 0);
	FAILS(xmit_connect(a, fd, (struct sockaddr *)&closed, sizeof(closed)), EISCONN);
	xmit_close(b, l);
	fd = xmit_socket(a, AF_INET, SOCK_STREAM, 0);
	FAILS(xmit_connect(a, fd, (struct sockaddr *)&far, sizeof(far)), ENETUNREACH);
	/* Nobody answers ARP: after three probes the neighbour has failed. */
	uint64_t before = s.now_ns;
	FAILS(xmit_connect(a, fd, (struct sockaddr *)&nobody, sizeof(nobody)), EHOSTUNREACH);
	assert_in_range((s.now_ns - before) / SIM_MS, 2900, 3300);
}

static void nonblocking_connect(void **state)
{
	struct sockaddr_in addr = sim_addr(1, 82);
	int err = -1;
	socklen_t len = sizeof(err);

	(void)state;
	listener(82, 5);
	int fd = xmit_socket(a, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	FAILS(xmit_connect(a, fd, (struct sockaddr *)&addr, sizeof(addr)), EINPROGRESS);
	FAILS(xmit_connect(a, fd, (struct sockaddr *)&addr, sizeof(addr)), EALREADY);
	sim_run(&s, SIM_SEC);
	assert_int_equal(xmit_getsockopt(a, fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	assert_int_equal(err, 0);
	assert_int_equal(xmit_connect(a, fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	FAILS(xmit_connect(a, fd, (struct sockaddr *)&addr, sizeof(addr)), EISCONN);
}

static void stream_shutdown_and_eof(void **state)
{
	char buf[16];
	int c;

	(void)state;
	int d = connected(83, &c);
	assert_int_equal(xmit_write(a, c, "hello", 5), 5);
	assert_int_equal(xmit_shutdown(a, c, SHUT_WR), 0);
	FAILS(xmit_write(a, c, "x", 1), EPIPE);
	assert_int_equal(xmit_read(b, d, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(xmit_read(b, d, buf, sizeof(buf)), 0);
	/* Half-closed: the other direction goes on. */
	assert_int_equal(xmit_write(b, d, "bye", 3), 3);
	assert_int_equal(xmit_read(a, c, buf, sizeof(buf)), 3);
	xmit_close(b, d);
	assert_int_equal(xmit_read(a, c, buf, sizeof(buf)), 0);
}

static void close_with_unread_data_resets(void **state)
{
	char buf[16];
	int c;

	(void)state;
	int d = connected(84, &c);
	assert_int_equal(xmit_write(a, c, "unread", 6), 6);
	sim_run(&s, SIM_SEC);
	xmit_close(b, d);
	sim_run(&s, SIM_SEC);
	FAILS(xmit_read(a, c, buf, sizeof(buf)), ECONNRESET);
	FAILS(xmit_write(a, c, "x", 1), EPIPE);
	assert_int_equal(xmit_counter(b, "TcpExtTCPAbortOnClose", NULL), 1);
}

static void linger_zero_resets(void **state)
{
	struct linger hard = {1, 0};
	char buf[4];
	int c;

	(void)state;
	int d = connected(85, &c);
	assert_int_equal(xmit_setsockopt(a, c, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	xmit_close(a, c);
	FAILS(xmit_read(b, d, buf, sizeof(buf)), ECONNRESET);
}

static void receive_flags(void **state)
{
	char buf[16] = "";
	int c, n = 0;

	(void)state;
	int d = connected(86, &c);
	assert_int_equal(xmit_write(a, c, "abcdef", 6), 6);
	sim_run(&s, SIM_SEC);
	assert_int_equal(xmit_ioctl(b, d, 0x541B /* FIONREAD */, &n), 0);
	assert_int_equal(n, 6);
	assert_int_equal(xmit_recv(b, d, buf, 3, MSG_PEEK), 3);
	assert_int_equal(xmit_recv(b, d, buf, 2, 0), 2);
	assert_int_equal(xmit_recv(b, d, buf, 16, MSG_DONTWAIT), 4);
	assert_memory_equal(buf, "cdef", 4);
	FAILS(xmit_recv(b, d, buf, 16, MSG_DONTWAIT), EAGAIN);
	struct timeval t = {.tv_sec = 2};
	assert_int_equal(xmit_setsockopt(b, d, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)), 0);
	uint64_t before = s.now_ns;
	FAILS(xmit_recv(b, d, buf, 16, 0), EAGAIN);
	assert_int_equal((s.now_ns - before) / SIM_MS, 2000);
}

static void udp_basics(void **state)
{
	struct sockaddr_in to = sim_addr(1, 53), from;
	socklen_t len = sizeof(from);
	char buf[16];

	(void)state;
	int u = xmit_socket(a, AF_INET, SOCK_DGRAM, 0), v = xmit_socket(b, AF_INET, SOCK_DGRAM, 0);
	FAILS(xmit_send(a, u, "x", 1, 0), EDESTADDRREQ);
	assert_int_equal(xmit_bind(b, v, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(xmit_sendto(a, u, "query", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	assert_int_equal(xmit_recvfrom(b, v, buf, 2, MSG_TRUNC, (struct sockaddr *)&from, &len), 5);
	assert_int_equal(from.sin_addr.s_addr, sim_addr(0, 0).sin_addr.s_addr);
	assert_int_equal(xmit_sendto(b, v, "", 0, 0, (struct sockaddr *)&from, len), 0);
	assert_int_equal(xmit_recv(a, u, buf, sizeof(buf), 0), 0);
	/* Nobody at the port: a connected socket hears of it. */
	to = sim_addr(1, 54);
	assert_int_equal(xmit_connect(a, u, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(xmit_send(a, u, "x", 1, 0), 1);
	sim_run(&s, SIM_SEC);
	FAILS(xmit_send(a, u, "x", 1, 0), ECONNREFUSED);
	static char big[65508];
	FAILS(xmit_send(a, u, big, sizeof(big), 0), EMSGSIZE);
}

static void unknown_options_fail_loudly(void **state)
{
	int v = 1;
	socklen_t len = sizeof(v);
	int fd = xmit_socket(a, AF_INET, SOCK_STREAM, 0);

	(void)state;
	FAILS(xmit_setsockopt(a, fd, SOL_SOCKET, 9999, &v, sizeof(v)), ENOPROTOOPT);
	FAILS(xmit_getsockopt(a, fd, SOL_SOCKET, 9999, &v, &len), ENOPROTOOPT);
	FAILS(xmit_setsockopt(a, fd, IPPROTO_TCP, 9999, &v, sizeof(v)), ENOPROTOOPT);
	FAILS(xmit_setsockopt(a, fd, IPPROTO_IP, 9999, &v, sizeof(v)), ENOPROTOOPT);
	FAILS(xmit_setsockopt(a, fd, SOL_SOCKET, SO_KEEPALIVE, &v, 2), EINVAL);
}

static void v4_mapped_sockets(void **state)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(90)}, peer;
	socklen_t len = sizeof(peer);
	struct sockaddr_in to = sim_addr(1, 90);

	(void)state;
	int l = xmit_socket(b, AF_INET6, SOCK_STREAM, 0);
	assert_true(l >= 0);
	assert_int_equal(xmit_bind(b, l, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(xmit_listen(b, l, 5), 0);
	int c = xmit_socket(a, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(xmit_connect(a, c, (struct sockaddr *)&to, sizeof(to)), 0);
	int d = xmit_accept(b, l, (struct sockaddr *)&peer, &len);
	assert_true(d >= 0);
	assert_int_equal(len, sizeof(peer));
	assert_int_equal(peer.sin6_family, AF_INET6);
	assert_int_equal(peer.sin6_addr.s6_addr[10], 0xff);
	assert_int_equal(peer.sin6_addr.s6_addr[12], 192);
	assert_int_equal(peer.sin6_addr.s6_addr[15], 1);
}

static int events_seen;

static void count_event(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	(void)net;
	(void)fd;
	(void)ctx;
	if (events & XMIT_EPOLLIN)
		events_seen++;
}

static void epoll_level_edge_and_callbacks(void **state)
{
	struct xmit_epoll_event ev = {XMIT_EPOLLIN, 42}, got[4];
	char buf[4];
	int c;

	(void)state;
	int d = connected(87, &c), ep = xmit_epoll_create(b);
	assert_int_equal(xmit_epoll_ctl(b, ep, XMIT_EPOLL_CTL_ADD, d, &ev), 0);
	FAILS(xmit_epoll_ctl(b, ep, XMIT_EPOLL_CTL_ADD, d, &ev), EEXIST);
	assert_int_equal(xmit_epoll_wait(b, ep, got, 4, 0), 0);
	assert_int_equal(xmit_write(a, c, "12", 2), 2);
	assert_int_equal(xmit_epoll_wait(b, ep, got, 4, 1000), 1);
	assert_int_equal(got[0].data, 42);
	assert_int_equal(xmit_epoll_wait(b, ep, got, 4, 0), 1); /* level: still there */
	ev.events = XMIT_EPOLLIN | XMIT_EPOLLET;
	assert_int_equal(xmit_epoll_ctl(b, ep, XMIT_EPOLL_CTL_MOD, d, &ev), 0);
	assert_int_equal(xmit_epoll_wait(b, ep, got, 4, 0), 1);
	assert_int_equal(xmit_epoll_wait(b, ep, got, 4, 0), 0); /* edge: told once */
	assert_int_equal(xmit_read(b, d, buf, 4), 2);
	events_seen = 0;
	assert_int_equal(xmit_set_event_cb(b, d, count_event, NULL), 0);
	assert_int_equal(xmit_write(a, c, "3", 1), 1);
	sim_run(&s, SIM_SEC);
	assert_int_equal(events_seen, 1);
	assert_int_equal(xmit_close(b, d), 0); /* leaves the epoll set by itself */
	assert_int_equal(xmit_epoll_wait(b, ep, got, 4, 0), 0);
}

static void accept_any_tells_the_destination(void **state)
{
	struct sockaddr_in anywhere = {.sin_family = AF_INET, .sin_port = htons(4321)}, got;
	socklen_t len = sizeof(got);
	int one = 1;

	(void)state;
	anywhere.sin_addr.s_addr = htonl(0xc6336407);
	assert_int_equal(xmit_route_add_text(a, "default via 192.0.2.2"), 0);
	int l = xmit_socket(b, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(xmit_setsockopt(b, l, XMIT_SOL_XMIT, XMIT_SO_ACCEPT_ANY, &one, sizeof(one)), 0);
	assert_int_equal(xmit_listen(b, l, 5), 0);
	int c = xmit_socket(a, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(xmit_connect(a, c, (struct sockaddr *)&anywhere, sizeof(anywhere)), 0);
	int d = xmit_accept(b, l, NULL, NULL);
	assert_true(d >= 0);
	assert_int_equal(xmit_getsockname(b, d, (struct sockaddr *)&got, &len), 0);
	assert_int_equal(got.sin_addr.s_addr, anywhere.sin_addr.s_addr);
	assert_int_equal(got.sin_port, anywhere.sin_port);
	char buf[4];
	assert_int_equal(xmit_write(b, d, "hi", 2), 2);
	assert_int_equal(xmit_read(a, c, buf, sizeof(buf)), 2);
}

/* splice(2): what is there, and only the first byte is waited for. */
static void splice_moves_what_is_there(void **state)
{
	static char big[200000], back[sizeof(big)];
	int fds[2], c, datagram = xmit_socket(b, AF_INET, SOCK_DGRAM, 0);
	size_t moved = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	assert_int_equal(pipe(fds), 0);
	int d = connected(88, &c);
	assert_int_equal(xmit_write(a, c, big, 1000), 1000);
	assert_int_equal(xmit_splice_to(b, d, fds[1], 300, 0), 300); /* waits until it comes */
	assert_int_equal(xmit_splice_to(b, d, fds[1], 5000, 0), 700);
	assert_int_equal(read(fds[0], back, sizeof(back)), 1000);
	assert_memory_equal(back, big, 1000);
	assert_int_equal(xmit_fcntl(b, d, F_SETFL, O_NONBLOCK), 0);
	FAILS(xmit_splice_to(b, d, fds[1], 1, 0), EAGAIN);
	FAILS(xmit_splice_to(b, datagram, fds[1], 1, 0), EINVAL);
	FAILS(xmit_splice_to(b, 9999, fds[1], 1, 0), EBADF);

	/* A pipe that is full takes what it can; the rest stays where it was. */
	assert_int_equal(xmit_fcntl(a, c, F_SETFL, O_NONBLOCK), 0);
	for (size_t sent = 0; moved < sizeof(big);) {
		ssize_t n = sent < sizeof(big) ? xmit_write(a, c, big + sent, sizeof(big) - sent) : 0;
		sent += n > 0 ? (size_t)n : 0;
		sim_run(&s, SIM_MS);
		n = xmit_splice_to(b, d, fds[1], sizeof(big), XMIT_SPLICE_F_NONBLOCK);
		assert_true(n > 0 || errno == EAGAIN);
		for (ssize_t got; n > 0; n -= got, moved += (size_t)got) {
			got = read(fds[0], back + moved, (size_t)n);
			assert_true(got > 0);
		}
	}
	assert_memory_equal(back, big, sizeof(big));

	/* The other way: all that the pipe holds now. */
	FAILS(xmit_splice_from(b, d, fds[0], 10, XMIT_SPLICE_F_NONBLOCK), EAGAIN);
	assert_int_equal(write(fds[1], big, 5000), 5000);
	assert_int_equal(xmit_splice_from(b, d, fds[0], 2000, 0), 2000);
	assert_int_equal(xmit_splice_from(b, d, fds[0], 100000, XMIT_SPLICE_F_MORE), 3000);
	sim_run(&s, SIM_SEC);
	assert_int_equal(xmit_read(a, c, back, sizeof(back)), 5000);
	assert_memory_equal(back, big, 5000);
	close(fds[1]);
	assert_int_equal(xmit_splice_from(b, d, fds[0], 10, 0), 0); /* its writers are gone */
	assert_int_equal(xmit_close(a, c), 0);
	sim_run(&s, SIM_SEC);
	assert_int_equal(xmit_splice_to(b, d, fds[0], 10, 0), 0);
	close(fds[0]);
}

/* Connections to any destination that are closing, after all who take such connections are gone: they still hear their peers, to the last ACK. */
static void accept_any_holds_until_the_last_connection_is_over(void **state)
{
	struct sockaddr_in anywhere = {.sin_family = AF_INET, .sin_port = htons(4321), .sin_addr = {htonl(0xc6336407)}};
	int one = 1, c[3], d[3];
	char buf[4];

	(void)state;
	assert_int_equal(xmit_route_add_text(a, "default via 192.0.2.2"), 0);
	int l = xmit_socket(b, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(xmit_setsockopt(b, l, XMIT_SOL_XMIT, XMIT_SO_ACCEPT_ANY, &one, sizeof(one)), 0);
	assert_int_equal(xmit_listen(b, l, 5), 0);
	for (int i = 0; i < 3; i++) {
		c[i] = xmit_socket(a, AF_INET, SOCK_STREAM, 0);
		assert_int_equal(xmit_connect(a, c[i], (struct sockaddr *)&anywhere, sizeof(anywhere)), 0);
		if (i < 2)
			d[i] = xmit_accept(b, l, NULL, NULL);
	}
	xmit_close(b, l);  /* the third was never accepted: it is reset */
	assert_int_equal(xmit_write(b, d[0], "bye", 3), 3);
	xmit_close(b, d[0]); /* b waits for its peer's FIN, then in TIME_WAIT */
	sim_run(&s, SIM_SEC);
	xmit_close(a, c[1]); /* a closes first, b at once behind it */
	xmit_close(b, d[1]);
	sim_run(&s, SIM_SEC);
	assert_int_equal(xmit_read(a, c[0], buf, sizeof(buf)), 3);
	assert_int_equal(xmit_read(a, c[0], buf, sizeof(buf)), 0);
	xmit_close(a, c[0]);
	sim_run(&s, 5 * SIM_SEC);
	for (int i = 0; i < 2; i++)
		assert_int_equal(xmit_counter(i ? b : a, "TcpRetransSegs", NULL), 0);
	FAILS(xmit_read(a, c[2], buf, sizeof(buf)), ECONNRESET);
	/* When all is over b is no host of every address any more. */
	sim_run(&s, 100 * SIM_SEC);
	int late = xmit_socket(a, AF_INET, SOCK_STREAM, 0);
	uint64_t resets = xmit_counter(b, "TcpOutRsts", NULL);
	assert_int_equal(xmit_setsockopt(a, late, IPPROTO_TCP, XMIT_TCP_SYNCNT, &one, sizeof(one)), 0);
	FAILS(xmit_connect(a, late, (struct sockaddr *)&anywhere, sizeof(anywhere)), ETIMEDOUT);
	assert_int_equal(xmit_counter(b, "TcpOutRsts", NULL), resets);
}

/* SO_PEEK_OFF: each peek goes on where the last one ended; what is read comes nearer. */
static void peeks_go_on_from_their_offset(void **state)
{
	int client, fd = connected(97, &client), off = 1;
	socklen_t len = sizeof(off);
	char buf[16];

	(void)state;
	assert_int_equal(xmit_getsockopt(b, fd, SOL_SOCKET, 42, &off, &len), 0);
	assert_int_equal(off, -1);
	off = 1;
	assert_int_equal(xmit_setsockopt(b, fd, SOL_SOCKET, 42, &off, sizeof(off)), 0);
	assert_int_equal(xmit_send(a, client, "abcdefg", 7, 0), 7);
	sim_run(&s, SIM_SEC);
	assert_int_equal(xmit_recv(b, fd, buf, 2, MSG_PEEK), 2);
	assert_memory_equal(buf, "bc", 2);
	assert_int_equal(xmit_recv(b, fd, buf, 9, MSG_PEEK), 4);
	assert_memory_equal(buf, "defg", 4);
	FAILS(xmit_recv(b, fd, buf, 9, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	assert_int_equal(xmit_recv(b, fd, buf, 3, 0), 3);
	assert_memory_equal(buf, "abc", 3);
	assert_int_equal(xmit_getsockopt(b, fd, SOL_SOCKET, 42, &off, &len), 0);
	assert_int_equal(off, 4);
	assert_int_equal(xmit_recv(b, fd, buf, 9, MSG_TRUNC), 4);
	assert_int_equal(xmit_getsockopt(b, fd, SOL_SOCKET, 42, &off, &len), 0);
	assert_int_equal(off, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(socket_arguments), T(unconnected_stream), T(bind_errors), T(connect_refused_and_unreachable), T(nonblocking_connect),
		T(stream_shutdown_and_eof), T(close_with_unread_data_resets), T(linger_zero_resets), T(receive_flags), T(udp_basics),
		T(unknown_options_fail_loudly), T(v4_mapped_sockets), T(epoll_level_edge_and_callbacks), T(accept_any_tells_the_destination),
		T(splice_moves_what_is_there), T(accept_any_holds_until_the_last_connection_is_over),
		T(peeks_go_on_from_their_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
