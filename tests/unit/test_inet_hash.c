/* SPDX-License-Identifier: MIT */
/*
 * test_inet_hash.c - local ports and listeners (S2, T12) through the public calls, over loopback: who may bind to which port, which port
 * is chosen, which listener a SYN goes to.  What Linux does for the same calls is the expectation.
 */
#include "test.h"
#include "xmit/control.h"
#include "xmit/socket.h"
#include "xmit/xmit.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>

enum { REUSE = 1, REUSEPORT = 2, V6ONLY = 4, V6 = 8, RANGE_LOW = 32768, RANGE_HIGH = 60999 };

static int setup(void **state)
{
	struct xmit_config c = {.size = sizeof(c), .memory_bytes = 32 << 20};

	*state = xmit_net_new(&c);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	xmit_net_free(*state);
	return 0;
}

static void set_int(xmit_net *net, int fd, int level, int name, int v)
{
	assert_int_equal(xmit_setsockopt(net, fd, level, name, &v, sizeof(v)), 0);
}

static int tcp_socket(xmit_net *net, int flags)
{
	int fd = xmit_socket(net, flags & V6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	if (flags & REUSE)
		set_int(net, fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (flags & REUSEPORT)
		set_int(net, fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (flags & V6ONLY)
		set_int(net, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	assert_int_equal(xmit_fcntl(net, fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static struct sockaddr_in addr4(const char *ip, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, ip, &sa.sin_addr);
	return sa;
}

/* 0, or errno.  ip "::": an IPv6 socket. */
static int bind_to(xmit_net *net, int fd, const char *ip, uint16_t port)
{
	struct sockaddr_in sa = addr4(ip, port);
	struct sockaddr_in6 sa6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int err = strcmp(ip, "::") ? xmit_bind(net, fd, (struct sockaddr *)&sa, sizeof(sa)) : xmit_bind(net, fd, (struct sockaddr *)&sa6, sizeof(sa6));

	return err ? errno : 0;
}

static int listen_on(xmit_net *net, int fd) { return xmit_listen(net, fd, 128) ? errno : 0; }

static uint16_t port_of(xmit_net *net, int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	assert_int_equal(xmit_getsockname(net, fd, (struct sockaddr *)&sa, &len), 0);
	return ntohs(sa.sin_port);
}

static int connect_to(xmit_net *net, int fd, const char *ip, uint16_t port)
{
	struct sockaddr_in sa = addr4(ip, port);

	return xmit_connect(net, fd, (struct sockaddr *)&sa, sizeof(sa)) ? errno : 0;
}

static void run(xmit_net *net)
{
	while (xmit_poll(net, 0) > 0)
		;
}

/* Two sockets, one after the other; the first may listen before the second binds. */
static const struct bind_case {
	const char *name;
	int flags1;
	const char *ip1;
	bool listen1;
	int flags2;
	const char *ip2;
	int bind2, listen2; /* errno of the second socket's calls, 0: it may */
} bind_cases[] = {
	{"plain", 0, "0.0.0.0", false, 0, "0.0.0.0", EADDRINUSE, 0},
	{"reuse, not listening", REUSE, "0.0.0.0", false, REUSE, "0.0.0.0", 0, 0},
	{"reuse, first listens", REUSE, "0.0.0.0", true, REUSE, "0.0.0.0", EADDRINUSE, 0},
	{"reuse on one only", REUSE, "0.0.0.0", false, 0, "0.0.0.0", EADDRINUSE, 0},
	{"reuseport", REUSEPORT, "0.0.0.0", true, REUSEPORT, "0.0.0.0", 0, 0},
	{"reuseport on one only", REUSEPORT, "0.0.0.0", true, 0, "0.0.0.0", EADDRINUSE, 0},
	{"reuse against reuseport", REUSE, "0.0.0.0", true, REUSEPORT, "0.0.0.0", EADDRINUSE, 0},
	{"other address", 0, "127.0.0.1", true, 0, "127.0.0.2", 0, 0},
	{"same address", 0, "127.0.0.1", true, 0, "127.0.0.1", EADDRINUSE, 0},
	{"any after one", 0, "127.0.0.1", true, 0, "0.0.0.0", EADDRINUSE, 0},
	{"one after any", 0, "0.0.0.0", true, 0, "127.0.0.1", EADDRINUSE, 0},
	{"v6 and v4", V6, "::", true, 0, "0.0.0.0", EADDRINUSE, 0},
	{"v6only and v4", V6 | V6ONLY, "::", true, 0, "0.0.0.0", 0, 0},
	{"v4 and v6only", 0, "0.0.0.0", true, V6 | V6ONLY, "::", 0, 0},
	{"v6only twice", V6 | V6ONLY, "::", true, V6 | V6ONLY, "::", EADDRINUSE, 0},
};

static void test_bind_conflicts(void **state)
{
	xmit_net *net = *state;

	for (size_t i = 0; i < sizeof(bind_cases) / sizeof(bind_cases[0]); i++) {
		const struct bind_case *c = &bind_cases[i];
		int a = tcp_socket(net, c->flags1), b = tcp_socket(net, c->flags2), err;
		assert_int_equal(bind_to(net, a, c->ip1, 8000), 0);
		if (c->listen1)
			assert_int_equal(listen_on(net, a), 0);
		err = bind_to(net, b, c->ip2, 8000);
		if (err != c->bind2)
			fail_msg("%s: bind says %s\n", c->name, strerror(err));
		if (!err && listen_on(net, b) != c->listen2)
			fail_msg("%s: listen\n", c->name);
		xmit_close(net, a);
		xmit_close(net, b);
	}
}

/* Both may bind, but only one of them may listen. */
static void test_one_listener(void **state)
{
	xmit_net *net = *state;
	int a = tcp_socket(net, REUSE), b = tcp_socket(net, REUSE);

	assert_int_equal(bind_to(net, a, "0.0.0.0", 8000), 0);
	assert_int_equal(bind_to(net, b, "0.0.0.0", 8000), 0);
	assert_int_equal(listen_on(net, a), 0);
	assert_int_equal(listen_on(net, b), EADDRINUSE);
	xmit_close(net, a);
	assert_int_equal(listen_on(net, b), 0);
}

static void test_chosen_ports(void **state)
{
	xmit_net *net = *state;
	int server = tcp_socket(net, 0), fd[100];

	assert_int_equal(listen_on(net, server), 0); /* without bind: a port is chosen */
	assert_in_range(port_of(net, server), RANGE_LOW, RANGE_HIGH);
	for (int i = 0; i < 100; i++) {
		fd[i] = tcp_socket(net, 0);
		if (i & 1)
			assert_int_equal(connect_to(net, fd[i], "127.0.0.1", port_of(net, server)), EINPROGRESS);
		else
			assert_int_equal(bind_to(net, fd[i], "0.0.0.0", 0), 0);
		assert_in_range(port_of(net, fd[i]), RANGE_LOW, RANGE_HIGH);
		/* bind() chooses odd offsets into the range, connect() even ones, while there are some. */
		assert_int_equal((port_of(net, fd[i]) - RANGE_LOW) & 1, !(i & 1));
		for (int k = 0; k < i; k++)
			assert_int_not_equal(port_of(net, fd[i]), port_of(net, fd[k]));
	}
}

static void test_range_exhausted(void **state)
{
	xmit_net *net = *state;
	int a = tcp_socket(net, 0), b = tcp_socket(net, 0), fd;

	assert_int_equal(xmit_sysctl_set(net, "net.ipv4.ip_local_port_range", "40000 40003", NULL, 0), 0);
	assert_int_equal(bind_to(net, a, "0.0.0.0", 8000), 0);
	assert_int_equal(bind_to(net, b, "0.0.0.0", 8001), 0);
	assert_int_equal(listen_on(net, a), 0);
	assert_int_equal(listen_on(net, b), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(connect_to(net, tcp_socket(net, 0), "127.0.0.1", 8000), EINPROGRESS);
	fd = tcp_socket(net, 0);
	assert_int_equal(connect_to(net, fd, "127.0.0.1", 8000), EADDRNOTAVAIL);
	/* A port serves several destinations. */
	assert_int_equal(connect_to(net, fd, "127.0.0.1", 8001), EINPROGRESS);
	assert_int_equal(bind_to(net, tcp_socket(net, 0), "0.0.0.0", 0), EADDRINUSE);
}

static uint64_t clock_ns(void *ctx) { return *(uint64_t *)ctx; }

/* A connect() that found no even port free spares the next ones the search, for a moment; and every port can be had all the same. */
static void test_even_ports_full(void **state)
{
	uint64_t now = 1000000000;
	struct xmit_config c = {.size = sizeof(c), .memory_bytes = 32 << 20, .env = {.size = sizeof(struct xmit_env), .now_ns = clock_ns, .ctx = &now}};
	xmit_net *net = xmit_net_new(&c);
	int server, fd[6];

	(void)state;
	assert_non_null(net);
	server = tcp_socket(net, 0);
	assert_int_equal(xmit_sysctl_set(net, "net.ipv4.ip_local_port_range", "40000 40005", NULL, 0), 0);
	assert_int_equal(bind_to(net, server, "0.0.0.0", 8000), 0);
	assert_int_equal(listen_on(net, server), 0);
	for (int i = 0; i < 6; i++) {
		if (i == 4) /* one even port is free again */
			xmit_close(net, fd[0]);
		fd[i] = tcp_socket(net, 0);
		assert_int_equal(connect_to(net, fd[i], "127.0.0.1", 8000), EINPROGRESS);
		assert_int_equal(port_of(net, fd[i]) & 1, i >= 3);
	}
	xmit_close(net, fd[3]); /* an odd one too */
	now += 1000000000;
	for (int i = 0; i < 2; i++)
		assert_int_equal(connect_to(net, fd[i ? 3 : 0] = tcp_socket(net, 0), "127.0.0.1", 8000), EINPROGRESS);
	assert_int_equal(port_of(net, fd[0]) & 1, 0);
	assert_int_equal(port_of(net, fd[3]) & 1, 1);
	assert_int_equal(connect_to(net, tcp_socket(net, 0), "127.0.0.1", 8000), EADDRNOTAVAIL);
	xmit_net_free(net);
}

static int accepted(xmit_net *net, int fd)
{
	int n = 0;

	while (xmit_accept(net, fd, NULL, NULL) >= 0)
		n++;
	assert_int_equal(errno, EAGAIN);
	return n;
}

static void test_best_listener(void **state)
{
	xmit_net *net = *state;
	int any = tcp_socket(net, REUSEPORT), one = tcp_socket(net, REUSEPORT);

	assert_int_equal(bind_to(net, one, "127.0.0.1", 8000), 0);
	assert_int_equal(bind_to(net, any, "0.0.0.0", 8000), 0);
	assert_int_equal(listen_on(net, one), 0);
	assert_int_equal(listen_on(net, any), 0);
	connect_to(net, tcp_socket(net, 0), "127.0.0.1", 8000);
	connect_to(net, tcp_socket(net, 0), "127.0.0.2", 8000);
	connect_to(net, tcp_socket(net, 0), "127.0.0.3", 8000);
	run(net);
	assert_int_equal(accepted(net, one), 1);
	assert_int_equal(accepted(net, any), 2);
}

static void test_reuseport_shares(void **state)
{
	xmit_net *net = *state;
	int server[4], total = 0;

	for (int i = 0; i < 4; i++) {
		server[i] = tcp_socket(net, REUSEPORT);
		assert_int_equal(bind_to(net, server[i], "0.0.0.0", 8000), 0);
		assert_int_equal(listen_on(net, server[i]), 0);
	}
	for (int i = 0; i < 200; i++)
		connect_to(net, tcp_socket(net, 0), "127.0.0.1", 8000);
	run(net);
	for (int i = 0; i < 4; i++) {
		int n = accepted(net, server[i]);
		assert_in_range(n, 20, 90); /* 50 on average */
		total += n;
	}
	assert_int_equal(total, 200);
}

/* Past the first size of the table: each connection is still found. */
static void test_many_connections(void **state)
{
	enum { MANY = 1500 };
	xmit_net *net = *state;
	int server = tcp_socket(net, 0), fd[MANY], n = 0;

	assert_int_equal(bind_to(net, server, "0.0.0.0", 8000), 0);
	assert_int_equal(listen_on(net, server), 0);
	for (int i = 0; i < MANY; i++) {
		fd[i] = tcp_socket(net, 0);
		assert_int_equal(connect_to(net, fd[i], "127.0.0.1", 8000), EINPROGRESS);
		if (i % 100 == 99) {
			run(net);
			n += accepted(net, server);
		}
	}
	assert_int_equal(n, MANY);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(xmit_send(net, fd[i], "x", 1, 0), 1);
	run(net);
	assert_int_equal(xmit_drops(net, "NO_SOCKET"), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bind_conflicts), TEST(test_one_listener), TEST(test_chosen_ports), TEST(test_range_exhausted), TEST(test_even_ports_full),
		TEST(test_best_listener), TEST(test_reuseport_shares), TEST(test_many_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
