/* SPDX-License-Identifier: MIT */
/*
 * test_vfs.c - the file layer (V1) through the public calls: descriptor numbers, duplicates, limits, errno; poll, epoll and callbacks over
 * UDP sockets on loopback.  Linux's behaviour for the same calls is the expectation.
 */
#include "test.h"
#include "xmit/control.h"
#include "xmit/socket.h"
#include "xmit/xmit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

/* A clock that moves only when somebody waits. */
static uint64_t clock_now(void *ctx) { return *(uint64_t *)ctx; }
static int clock_wait(void *ctx, xmit_net *net, uint64_t until_ns)
{
	uint64_t *now = ctx;

	(void)net;
	if (until_ns == XMIT_NEVER)
		return -EINTR; /* would wait for ever */
	if (until_ns > *now)
		*now = until_ns;
	return 0;
}

static uint64_t test_clock;

static xmit_net *make_net(unsigned max_files, int first_fd)
{
	struct xmit_config c = {.size = sizeof(c), .memory_bytes = 32 << 20, .max_files = max_files, .first_fd = first_fd};

	test_clock = 1000000000;
	c.env.size = sizeof(c.env);
	c.env.ctx = &test_clock;
	c.env.now_ns = clock_now;
	c.env.wait = clock_wait;
	return xmit_net_new(&c);
}

static int setup(void **state)
{
	*state = make_net(0, 0);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	xmit_net_free(*state);
	return 0;
}

static int udp(xmit_net *net) { return xmit_socket(net, AF_INET, SOCK_DGRAM, 0); }

/* A socket bound to 127.0.0.1:port and one that sends to it. */
static void udp_pair(xmit_net *net, uint16_t port, int *rx, int *tx)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};

	*rx = udp(net);
	*tx = udp(net);
	assert_int_equal(xmit_bind(net, *rx, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(xmit_connect(net, *tx, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(xmit_fcntl(net, *rx, F_SETFL, O_NONBLOCK), 0);
}

static void run(xmit_net *net)
{
	while (xmit_poll(net, 0) > 0)
		;
}

/* --- numbers ------------------------------------------------------------------------------------------------------------- */

static void test_lowest_number(void **state)
{
	xmit_net *net = *state;

	for (int i = 0; i < 8; i++)
		assert_int_equal(udp(net), i);
	assert_int_equal(xmit_close(net, 3), 0);
	assert_int_equal(xmit_close(net, 1), 0);
	assert_int_equal(udp(net), 1);
	assert_int_equal(udp(net), 3);
	assert_int_equal(udp(net), 8);
}

static void test_first_fd_and_limit(void **state)
{
	xmit_net *net = make_net(5, 100);

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(udp(net), 100 + i);
	FAILS(udp(net), EMFILE);
	FAILS(xmit_dup(net, 100), EMFILE);
	FAILS(xmit_dup2(net, 100, 99), EBADF);
	FAILS(xmit_dup2(net, 100, 105), EBADF);
	FAILS(xmit_close(net, 99), EBADF);
	FAILS(xmit_close(net, 105), EBADF);
	FAILS(xmit_close(net, -1), EBADF);
	FAILS(xmit_epoll_create(net), EMFILE);
	assert_int_equal(xmit_close(net, 102), 0);
	assert_int_equal(udp(net), 102);
	xmit_net_free(net);
}

static void test_table_grows(void **state)
{
	xmit_net *net = *state;
	int ep = xmit_epoll_create(net);

	assert_int_equal(ep, 0);
	for (int i = 1; i < 2000; i++)
		assert_int_equal(xmit_dup(net, ep), i);
	assert_int_equal(xmit_close(net, 255), 0);
	assert_int_equal(xmit_close(net, 1024), 0);
	assert_int_equal(xmit_fcntl(net, ep, F_DUPFD, 256), 1024);
	assert_int_equal(xmit_fcntl(net, ep, F_DUPFD, 256), 2000);
	assert_int_equal(xmit_dup(net, ep), 255);
	assert_int_equal(xmit_fcntl(net, ep, F_DUPFD, 30000), 30000);
	assert_int_equal(xmit_dup2(net, ep, 65535), 65535);
	FAILS(xmit_fcntl(net, ep, F_DUPFD, 65536), EINVAL);
	FAILS(xmit_fcntl(net, ep, F_DUPFD, -1), EINVAL);
	FAILS(xmit_fcntl(net, ep, F_DUPFD, 65535), EMFILE);
}

static void test_dup_shares_the_file(void **state)
{
	xmit_net *net = *state;
	char buf[8];
	int rx, tx;

	udp_pair(net, 7000, &rx, &tx);
	int copy = xmit_dup(net, rx);
	assert_true(xmit_fcntl(net, copy, F_GETFL, 0) & O_NONBLOCK);
	assert_int_equal(xmit_close(net, rx), 0);
	assert_int_equal(xmit_send(net, tx, "abc", 3, 0), 3);
	run(net);
	assert_int_equal(xmit_read(net, copy, buf, sizeof(buf)), 3);
	assert_int_equal(xmit_dup2(net, tx, copy), copy); /* ends the receiving socket */
	assert_int_equal(xmit_send(net, copy, "abc", 3, 0), 3);
	run(net);
	FAILS(xmit_send(net, tx, "abc", 3, 0), ECONNREFUSED);
	assert_int_equal(xmit_dup2(net, tx, tx), tx);
	FAILS(xmit_dup2(net, 999, tx), EBADF);
}

static void test_fcntl(void **state)
{
	xmit_net *net = *state;
	int fd = xmit_socket(net, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 0;

	assert_int_equal(xmit_fcntl(net, fd, F_GETFD, 0), FD_CLOEXEC);
	assert_int_equal(xmit_fcntl(net, fd, F_GETFL, 0), O_RDWR | O_NONBLOCK);
	assert_int_equal(xmit_fcntl(net, fd, F_SETFD, 0), 0);
	assert_int_equal(xmit_fcntl(net, fd, F_GETFD, 0), 0);
	assert_int_equal(xmit_ioctl(net, fd, 0x5421 /* FIONBIO */, &on), 0);
	assert_int_equal(xmit_fcntl(net, fd, F_GETFL, 0), O_RDWR);
	int copy = xmit_fcntl(net, fd, F_DUPFD_CLOEXEC, 0);
	assert_int_equal(xmit_fcntl(net, copy, F_GETFD, 0), FD_CLOEXEC);
	assert_int_equal(xmit_fcntl(net, xmit_dup(net, copy), F_GETFD, 0), 0);
	FAILS(xmit_fcntl(net, fd, 12345, 0), EINVAL);
	FAILS(xmit_fcntl(net, 77, F_GETFL, 0), EBADF);
}

/* --- arguments -------------------------------------------------------------------------------------------------------------- */

static void test_errno_of_calls(void **state)
{
	xmit_net *net = *state;
	int ep = xmit_epoll_create(net), fd = udp(net), v = 0;
	struct iovec iov[2] = {{&v, 1}, {NULL, 1}};
	struct msghdr m = {.msg_iov = iov};
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(v);

	FAILS(xmit_send(net, 50, "x", 1, 0), EBADF);
	FAILS(xmit_send(net, ep, "x", 1, 0), ENOTSOCK);
	FAILS(xmit_listen(net, ep, 1), ENOTSOCK);
	FAILS(xmit_read(net, ep, &v, 1), EINVAL);
	FAILS(xmit_lseek(net, fd, 0, SEEK_CUR), ESPIPE);
	FAILS(xmit_lseek(net, 50, 0, SEEK_CUR), EBADF);
	FAILS(xmit_socket(net, AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(xmit_socket(net, 999, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(xmit_socket(net, AF_INET, 15, 0), EINVAL);
	FAILS(xmit_socket(net, AF_INET, SOCK_STREAM | 0x100, 0), EINVAL);
	FAILS(xmit_socket(net, AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	FAILS(xmit_socket(net, AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	FAILS(xmit_socket(net, AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
	FAILS(xmit_socket(net, AF_INET, SOCK_RAW, 999), EINVAL);
	FAILS(xmit_accept4(net, fd, NULL, NULL, 1), EINVAL);
	FAILS(xmit_accept(net, fd, NULL, NULL), EOPNOTSUPP);
	FAILS(xmit_listen(net, fd, 1), EOPNOTSUPP);
	FAILS(xmit_bind(net, fd, (struct sockaddr *)&ss, 200), EINVAL);
	FAILS(xmit_bind(net, fd, NULL, 16), EFAULT);
	FAILS(xmit_writev(net, fd, iov, 1025), EINVAL);
	FAILS(xmit_writev(net, fd, iov, -1), EINVAL);
	FAILS(xmit_writev(net, fd, iov, 2), EFAULT);
	m.msg_iovlen = 1025;
	FAILS(xmit_sendmsg(net, fd, &m, 0), EMSGSIZE);
	FAILS(xmit_recvmsg(net, fd, &m, 0), EMSGSIZE);
	FAILS(xmit_sendmsg(net, fd, NULL, 0), EFAULT);
	m.msg_iovlen = 1;
	m.msg_controllen = 1 << 20;
	FAILS(xmit_sendmsg(net, fd, &m, 0), ENOBUFS);
	FAILS(xmit_send(net, fd, "x", 1, 0), EDESTADDRREQ);
	FAILS(xmit_getpeername(net, fd, (struct sockaddr *)&ss, &len), ENOTCONN);
	FAILS(xmit_getsockopt(net, fd, SOL_SOCKET, SO_TYPE, &v, NULL), EFAULT);
	FAILS(xmit_shutdown(net, fd, 7), EINVAL);
	FAILS(xmit_shutdown(net, fd, SHUT_RDWR), ENOTCONN);
	FAILS(xmit_recv_iov(net, fd, iov, 1), EOPNOTSUPP);
	FAILS(xmit_ioctl(net, fd, 0xdead, &v), ENOTTY);
}

/* --- poll, epoll --------------------------------------------------------------------------------------------------------------- */

static void test_poll(void **state)
{
	xmit_net *net = *state;
	int rx, tx;

	udp_pair(net, 7001, &rx, &tx);
	struct pollfd p[3] = {{.fd = rx, .events = POLLIN}, {.fd = -1}, {.fd = 60, .events = POLLIN}};
	uint64_t before = test_clock;
	assert_int_equal(xmit_poll_sockets(net, p, 2, 30), 0);
	assert_int_equal(test_clock - before, 30000000);
	assert_int_equal(xmit_poll_sockets(net, p, 3, -1), 1);
	assert_int_equal(p[2].revents, POLLNVAL);
	assert_int_equal(xmit_send(net, tx, "abc", 3, 0), 3);
	assert_int_equal(xmit_poll_sockets(net, p, 2, -1), 1); /* runs the loopback */
	assert_int_equal(p[0].revents, POLLIN);
	p[0].events = POLLOUT;
	assert_int_equal(xmit_poll_sockets(net, p, 1, 0), 1);
	assert_int_equal(p[0].revents, POLLOUT);
}

static int epoll_add(xmit_net *net, int ep, int fd, uint32_t events)
{
	struct xmit_epoll_event ev = {.events = events, .data = (uint64_t)fd};

	return xmit_epoll_ctl(net, ep, XMIT_EPOLL_CTL_ADD, fd, &ev);
}

static void test_epoll_level_and_edge(void **state)
{
	xmit_net *net = *state;
	struct xmit_epoll_event ev[4];
	int ep = xmit_epoll_create(net), rx, tx, rx2, tx2;
	char buf[8];

	udp_pair(net, 7002, &rx, &tx);
	udp_pair(net, 7003, &rx2, &tx2);
	assert_int_equal(epoll_add(net, ep, rx, XMIT_EPOLLIN), 0);
	assert_int_equal(epoll_add(net, ep, rx2, XMIT_EPOLLIN | XMIT_EPOLLET), 0);
	assert_int_equal(xmit_epoll_wait(net, ep, ev, 4, 0), 0);
	assert_int_equal(xmit_send(net, tx, "abc", 3, 0), 3);
	assert_int_equal(xmit_send(net, tx2, "abc", 3, 0), 3);
	assert_int_equal(xmit_epoll_wait(net, ep, ev, 4, -1), 2);
	assert_int_equal(ev[0].data, rx);
	assert_int_equal(ev[0].events, XMIT_EPOLLIN);
	assert_int_equal(ev[1].data, rx2);
	assert_int_equal(xmit_epoll_wait(net, ep, ev, 4, 0), 1); /* level again, edge not */
	assert_int_equal(ev[0].data, rx);
	assert_int_equal(xmit_send(net, tx2, "abc", 3, 0), 3);
	run(net);
	assert_int_equal(xmit_epoll_wait(net, ep, ev, 4, 0), 2);
	assert_int_equal(xmit_read(net, rx, buf, sizeof(buf)), 3);
	assert_int_equal(xmit_epoll_wait(net, ep, ev, 4, 0), 0);
	struct pollfd p = {.fd = ep, .events = POLLIN};
	assert_int_equal(xmit_poll_sockets(net, &p, 1, 0), 0);
	assert_int_equal(xmit_send(net, tx, "abc", 3, 0), 3);
	assert_int_equal(xmit_poll_sockets(net, &p, 1, 1000), 1);
}

static void test_epoll_takes_turns(void **state)
{
	xmit_net *net = *state;
	struct xmit_epoll_event ev;
	int ep = xmit_epoll_create(net), rx[3], tx[3], seen = 0;

	for (int i = 0; i < 3; i++) {
		udp_pair(net, (uint16_t)(7010 + i), &rx[i], &tx[i]);
		assert_int_equal(epoll_add(net, ep, rx[i], XMIT_EPOLLIN), 0);
		assert_int_equal(xmit_send(net, tx[i], "abc", 3, 0), 3);
	}
	run(net);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(xmit_epoll_wait(net, ep, &ev, 1, 0), 1);
		seen |= 1 << ev.data;
	}
	assert_int_equal(seen, 1 << rx[0] | 1 << rx[1] | 1 << rx[2]);
}

static void test_epoll_ctl(void **state)
{
	xmit_net *net = *state;
	struct xmit_epoll_event ev = {.events = XMIT_EPOLLIN | (uint32_t)XMIT_EPOLLONESHOT, .data = 9};
	int ep = xmit_epoll_create(net), ep2 = xmit_epoll_create(net), rx, tx;

	udp_pair(net, 7020, &rx, &tx);
	FAILS(xmit_epoll_ctl(net, 99, XMIT_EPOLL_CTL_ADD, rx, &ev), EBADF);
	FAILS(xmit_epoll_ctl(net, ep, XMIT_EPOLL_CTL_ADD, 99, &ev), EBADF);
	FAILS(xmit_epoll_ctl(net, rx, XMIT_EPOLL_CTL_ADD, tx, &ev), EINVAL);
	FAILS(xmit_epoll_ctl(net, ep, XMIT_EPOLL_CTL_ADD, ep, &ev), EINVAL);
	FAILS(xmit_epoll_ctl(net, ep, XMIT_EPOLL_CTL_ADD, ep2, &ev), EINVAL);
	FAILS(xmit_epoll_ctl(net, ep, XMIT_EPOLL_CTL_ADD, rx, NULL), EFAULT);
	FAILS(xmit_epoll_ctl(net, ep, XMIT_EPOLL_CTL_MOD, rx, &ev), ENOENT);
	FAILS(xmit_epoll_ctl(net, ep, XMIT_EPOLL_CTL_DEL, rx, NULL), ENOENT);
	FAILS(xmit_epoll_ctl(net, ep, 77, rx, &ev), EINVAL);
	FAILS(epoll_add(net, ep, rx, (uint32_t)XMIT_EPOLLEXCLUSIVE | (uint32_t)XMIT_EPOLLONESHOT), EINVAL);
	assert_int_equal(xmit_epoll_ctl(net, ep, XMIT_EPOLL_CTL_ADD, rx, &ev), 0);
	FAILS(xmit_epoll_ctl(net, ep, XMIT_EPOLL_CTL_ADD, rx, &ev), EEXIST);
	FAILS(xmit_epoll_wait(net, ep, &ev, 0, 0), EINVAL);
	FAILS(xmit_epoll_wait(net, rx, &ev, 1, 0), EINVAL);
	assert_int_equal(xmit_send(net, tx, "abc", 3, 0), 3);
	run(net);
	assert_int_equal(xmit_epoll_wait(net, ep, &ev, 1, 0), 1);
	assert_int_equal(ev.data, 9);
	assert_int_equal(xmit_send(net, tx, "abc", 3, 0), 3);
	run(net);
	assert_int_equal(xmit_epoll_wait(net, ep, &ev, 1, 0), 0); /* one shot */
	ev.events = XMIT_EPOLLIN;
	ev.data = 10;
	assert_int_equal(xmit_epoll_ctl(net, ep, XMIT_EPOLL_CTL_MOD, rx, &ev), 0);
	assert_int_equal(xmit_epoll_wait(net, ep, &ev, 1, 0), 1);
	assert_int_equal(ev.data, 10);
	int copy = xmit_dup(net, rx);
	assert_int_equal(xmit_close(net, rx), 0);
	assert_int_equal(xmit_epoll_wait(net, ep, &ev, 1, 0), 1); /* the file lives on */
	assert_int_equal(xmit_close(net, copy), 0);
	assert_int_equal(xmit_epoll_wait(net, ep, &ev, 1, 0), 0);
}

/* --- callbacks ------------------------------------------------------------------------------------------------------------------- */

struct seen {
	int calls;
	uint32_t events;
	bool close_it;
};

static void on_event(xmit_net *net, int fd, uint32_t events, void *ctx)
{
	struct seen *s = ctx;
	char c;

	if (!(events & POLLIN)) /* writable from the start */
		return;
	s->calls++;
	s->events = events;
	errno = 0;
	assert_int_equal(xmit_poll(net, 1), -1); /* no way in from here */
	assert_int_equal(errno, EDEADLK);
	if (s->close_it)
		assert_int_equal(xmit_close(net, fd), 0);
	else
		assert_int_equal(xmit_read(net, fd, &c, 1), 1);
}

static void test_callback(void **state)
{
	xmit_net *net = *state;
	struct seen s = {0};
	int rx, tx;

	udp_pair(net, 7030, &rx, &tx);
	assert_int_equal(xmit_set_event_cb(net, rx, on_event, &s), 0);
	s.close_it = false;
	assert_int_equal(xmit_send(net, tx, "abc", 3, 0), 3);
	assert_int_equal(xmit_send(net, tx, "abc", 3, 0), 3);
	run(net);
	assert_true(s.calls >= 1);
	assert_true(s.events & POLLIN);
	int calls = s.calls;
	run(net);
	assert_int_equal(s.calls, calls);
	s.close_it = true;
	assert_int_equal(xmit_send(net, tx, "abc", 3, 0), 3);
	run(net);
	assert_int_equal(s.calls, calls + 1);
	FAILS(xmit_set_event_cb(net, rx, NULL, NULL), EBADF);
}

static void test_callback_removed(void **state)
{
	xmit_net *net = *state;
	struct seen s = {0};
	int rx, tx;

	udp_pair(net, 7031, &rx, &tx);
	assert_int_equal(xmit_send(net, tx, "abc", 3, 0), 3);
	assert_int_equal(xmit_set_event_cb(net, rx, on_event, &s), 0);
	assert_int_equal(xmit_set_event_cb(net, rx, NULL, NULL), 0);
	run(net);
	assert_int_equal(s.calls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lowest_number, setup, teardown),
		cmocka_unit_test(test_first_fd_and_limit),
		cmocka_unit_test_setup_teardown(test_table_grows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dup_shares_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fcntl, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errno_of_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_poll, setup, teardown),
		cmocka_unit_test_setup_teardown(test_epoll_level_and_edge, setup, teardown),
		cmocka_unit_test_setup_teardown(test_epoll_takes_turns, setup, teardown),
		cmocka_unit_test_setup_teardown(test_epoll_ctl, setup, teardown),
		cmocka_unit_test_setup_teardown(test_callback, setup, teardown),
		cmocka_unit_test_setup_teardown(test_callback_removed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
