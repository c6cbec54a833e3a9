/* SPDX-License-Identifier: MIT */
/*
 * test_socket_nomem.c - every single allocation of a run of socket calls fails in turn: files, sockets, epoll, UDP with cork, raw and ping
 * sockets.  Each call may fail; nothing crashes, and when all descriptors are closed the instance holds what it held before.
 */
#include "test.h"
#include "xmit/control.h"
#include "xmit/socket.h"
#include "xmit/xmit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

enum { FIRST_FD = 0, FDS = 40, ALLOCATIONS_MOST = 400 };

static void run(xmit_net *net)
{
	while (xmit_poll(net, 0) > 0)
		;
}

static void use_sockets(xmit_net *net)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(5000), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct xmit_epoll_event ev[4] = {{.events = XMIT_EPOLLIN, .data = 1}};
	int ep = xmit_epoll_create(net), rx = xmit_socket(net, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int tx = xmit_socket(net, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), v = 1;
	int ping = xmit_socket(net, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP);
	int raw = xmit_socket(net, AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_UDP);
	int l = xmit_socket(net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), c = xmit_socket(net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	static char buf[9000];
	char echo[64] = {8};

	xmit_bind(net, rx, (struct sockaddr *)&sa, sizeof(sa));
	xmit_epoll_ctl(net, ep, XMIT_EPOLL_CTL_ADD, rx, ev);
	xmit_setsockopt(net, tx, SOL_SOCKET, 47 /* SO_MAX_PACING_RATE */, &v, sizeof(v));
	xmit_setsockopt(net, tx, IPPROTO_IP, 11 /* IP_RECVERR */, &v, sizeof(v));
	xmit_connect(net, tx, (struct sockaddr *)&sa, sizeof(sa));
	xmit_send(net, tx, buf, sizeof(buf), 0);
	xmit_send(net, tx, "x", 1, MSG_MORE);
	xmit_send(net, tx, buf, sizeof(buf), 0);
	xmit_sendto(net, ping, echo, sizeof(echo), 0, (struct sockaddr *)&sa, sizeof(sa));
	xmit_bind(net, l, (struct sockaddr *)&sa, sizeof(sa));
	xmit_listen(net, l, 4);
	xmit_connect(net, c, (struct sockaddr *)&sa, sizeof(sa));
	run(net);
	xmit_accept(net, l, NULL, NULL);
	xmit_epoll_wait(net, ep, ev, 4, 0);
	xmit_recv(net, rx, buf, sizeof(buf), 0);
	xmit_recv(net, raw, buf, sizeof(buf), 0);
	xmit_recv(net, ping, buf, sizeof(buf), 0);
	sa.sin_port = htons(5001); /* nobody there: an ICMP error comes back */
	xmit_sendto(net, tx, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa));
	xmit_fcntl(net, rx, F_DUPFD, 300);
	xmit_send(net, tx, "x", 1, MSG_MORE);
	run(net);
}

static void close_all(xmit_net *net)
{
	for (int fd = FIRST_FD; fd < FDS; fd++)
		xmit_close(net, fd);
	xmit_close(net, 300);
	run(net);
}

/* xmit_net_free() tells of objects that nobody freed. */
static void look_for_leaks(void *ctx, const char *line)
{
	if (strstr(line, "leaked"))
		*(bool *)ctx = true;
}

static void test_every_allocation_fails_once(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= ALLOCATIONS_MOST; n++) {
		struct xmit_config c = {.size = sizeof(c), .memory_bytes = 16 << 20};
		struct xmit_memory m;
		bool leaked = false;

		c.env.size = sizeof(c.env);
		c.env.ctx = &leaked;
		c.env.log = look_for_leaks;
		xmit_net *net = xmit_net_new(&c);
		assert_non_null(net);
		xmit_memory(net, &m);
		uint64_t failures = m.failures;
		xmit_fail_allocation(net, n);
		use_sockets(net);
		xmit_fail_allocation(net, 0);
		close_all(net);
		xmit_memory(net, &m);
		bool none_failed = m.failures == failures;
		use_sockets(net); /* all goes on as if nothing had been */
		close_all(net);
		xmit_net_free(net);
		assert_false(leaked);
		if (none_failed) {
			assert_true(n > 30);
			return;
		}
	}
	fail();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_allocation_fails_once)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
