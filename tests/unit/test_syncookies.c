/* SPDX-License-Identifier: MIT */
/*
 * test_syncookies.c - connections by SYN cookie (T12, RFC 4987 3.6), over loopback with net.ipv4.tcp_syncookies = 2: all that was
 * agreed on in the SYN is there again although nothing was kept; a made-up ACK is answered with RST.
 */
#include "core/net.h"
#include "tcp/tcp_conn.h"
#include "test.h"
#include "xmit/control.h"
#include "xmit/socket.h"

static int setup(void **state)
{
	struct xmit_config c = {.size = sizeof(c), .memory_bytes = 8 << 20};

	*state = xmit_net_new(&c);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	xmit_net_free(*state);
	return 0;
}

static void run(xmit_net *net)
{
	while (xmit_poll(net, 0) > 0)
		;
}

static int tcp_socket(xmit_net *net)
{
	int fd = xmit_socket(net, AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(xmit_fcntl(net, fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static struct sockaddr_in local_addr(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x7f000001)};
}

static int listener(xmit_net *net)
{
	struct sockaddr_in sa = local_addr(8000);
	int fd = tcp_socket(net);

	assert_int_equal(xmit_bind(net, fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(xmit_listen(net, fd, 16), 0);
	return fd;
}

static struct xmit_tcp_info info_of(xmit_net *net, int fd)
{
	struct xmit_tcp_info ti;
	socklen_t len = sizeof(ti);

	assert_int_equal(xmit_getsockopt(net, fd, IPPROTO_TCP, XMIT_TCP_INFO, &ti, &len), 0);
	return ti;
}

static uint64_t counter(xmit_net *net, const char *name)
{
	bool known;
	uint64_t v = xmit_counter(net, name, &known);

	assert_true(known);
	return v;
}

static int connect_and_accept(xmit_net *net, int server, int *client)
{
	struct sockaddr_in sa = local_addr(8000);

	*client = tcp_socket(net);
	xmit_connect(net, *client, (struct sockaddr *)&sa, sizeof(sa));
	run(net);
	return xmit_accept(net, server, NULL, NULL);
}

static void test_options_survive(void **state)
{
	xmit_net *net = *state;
	char buf[8];
	int client, fd;

	assert_int_equal(xmit_sysctl_set(net, "net.ipv4.tcp_syncookies", "2", NULL, 0), 0);
	fd = connect_and_accept(net, listener(net), &client);
	assert_true(fd >= 0);
	assert_int_equal(counter(net, "TcpExtSyncookiesSent"), 1);
	assert_int_equal(counter(net, "TcpExtSyncookiesRecv"), 1);

	struct xmit_tcp_info c = info_of(net, client), s = info_of(net, fd);
	assert_int_equal(s.tcpi_options, c.tcpi_options); /* timestamps, SACK, window scale */
	assert_int_equal(s.tcpi_options & 7, 7);
	assert_int_equal(s.tcpi_snd_wscale, c.tcpi_rcv_wscale);
	assert_int_equal(s.tcpi_rcv_wscale, c.tcpi_snd_wscale);
	assert_int_equal(s.tcpi_snd_mss, 1460 - 12); /* the largest that a cookie can say */

	assert_int_equal(xmit_send(net, client, "hello", 5, 0), 5);
	run(net);
	assert_int_equal(xmit_recv(net, fd, buf, sizeof(buf), 0), 5);
	assert_memory_equal(buf, "hello", 5);
}

static void test_without_timestamps(void **state)
{
	xmit_net *net = *state;
	int client, fd;

	assert_int_equal(xmit_sysctl_set(net, "net.ipv4.tcp_syncookies", "2", NULL, 0), 0);
	assert_int_equal(xmit_sysctl_set(net, "net.ipv4.tcp_timestamps", "0", NULL, 0), 0);
	fd = connect_and_accept(net, listener(net), &client);
	assert_true(fd >= 0);
	assert_int_equal(info_of(net, fd).tcpi_options & 7, 0); /* only the MSS fits */
	assert_int_equal(info_of(net, fd).tcpi_snd_mss, 1460);
}

/* The low bits of the timestamp carry the options; it is never ahead of the clock. */
static void test_timestamp(void **state)
{
	(void)state;
	for (unsigned scale = 0; scale <= 15; scale++) {
		for (uint32_t now = 0xfffffff0u; now != 200; now++) {
			struct request_sock req = {.wscale_ok = scale < 15, .snd_wscale = scale & 0xf, .sack_ok = 1};
			uint32_t ts = cookie_init_timestamp(&req, now);
			assert_int_equal(ts & 0xf, scale);
			assert_int_equal(ts & 0x30, 0x10);
			assert_true(now - ts < 64 + 64);
		}
	}
}

/* A bare ACK for a listener that never sent a cookie is answered with RST, and no child is made. */
static void test_no_cookie_was_sent(void **state)
{
	xmit_net *net = *state;
	int client, server = listener(net);

	assert_true(connect_and_accept(net, server, &client) >= 0);
	assert_int_equal(counter(net, "TcpExtSyncookiesSent"), 0);
	assert_int_equal(counter(net, "TcpExtSyncookiesRecv"), 0);
	assert_int_equal(counter(net, "TcpPassiveOpens"), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_options_survive), TEST(test_without_timestamps), cmocka_unit_test(test_timestamp), TEST(test_no_cookie_was_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
