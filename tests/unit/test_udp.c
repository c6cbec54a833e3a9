/* SPDX-License-Identifier: MIT */
/*
 * test_udp.c - UDP (S1, S2) through the public calls over loopback: ports and who shares them, which socket a datagram goes to, what send and
 * receive say, ICMP errors, corking, v4-mapped addresses.  Linux's behaviour for the same calls is the expectation.
 */
#include "one_net.h"
#include "xmit/dev.h"

static struct sockaddr_in6 addr6(const char *text, uint16_t port)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET6, text, &sa.sin6_addr), 1);
	return sa;
}

enum { LO1 = 0x7f000001, LO2 = 0x7f000002 };

static void set_int(xmit_net *net, int fd, int level, int name, int v)
{
	assert_int_equal(xmit_setsockopt(net, fd, level, name, &v, sizeof(v)), 0);
}

static ssize_t send4(xmit_net *net, int fd, const char *text, uint32_t ip, uint16_t port)
{
	struct sockaddr_in sa = addr4(ip, port);
	ssize_t n = xmit_sendto(net, fd, text, strlen(text), 0, (struct sockaddr *)&sa, sizeof(sa));

	run(net);
	return n;
}

static uint16_t port_of(xmit_net *net, int fd)
{
	struct sockaddr_in sa;
	socklen_t len = sizeof(sa);

	assert_int_equal(xmit_getsockname(net, fd, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(len, sizeof(sa));
	return ntohs(sa.sin_port);
}

/* The text waiting at fd, or "" when there is none. */
static const char *received(xmit_net *net, int fd)
{
	static char buf[64];
	ssize_t n = xmit_recv(net, fd, buf, sizeof(buf) - 1, 0);

	if (n < 0)
		assert_int_equal(errno, EAGAIN);
	buf[n < 0 ? 0 : n] = 0;
	return buf;
}

/* --- ports --------------------------------------------------------------------------------------------------------------- */

static void test_ports(void **state)
{
	xmit_net *net = *state;
	int a = udp(net), b = udp(net), c = udp(net);

	assert_int_equal(bind4(net, a, LO1, 5000), 0);
	FAILS(bind4(net, a, LO1, 5001), EINVAL); /* bound already */
	FAILS(bind4(net, b, LO1, 5000), EADDRINUSE);
	FAILS(bind4(net, b, 0, 5000), EADDRINUSE);
	FAILS(bind4(net, b, 0xc0000207, 5000), EADDRNOTAVAIL);
	assert_int_equal(bind4(net, b, LO2, 5000), 0);
	set_int(net, c, SOL_SOCKET, SO_REUSEADDR, 1);
	FAILS(bind4(net, c, LO1, 5000), EADDRINUSE); /* the other did not agree */
	assert_int_equal(xmit_close(net, a), 0);
	assert_int_equal(bind4(net, c, LO1, 5000), 0);
	int d = udp(net);
	set_int(net, d, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(bind4(net, d, LO1, 5000), 0);
	int e = udp(net);
	assert_int_equal(bind4(net, e, 0, 0), 0);
	assert_in_range(port_of(net, e), 32768, 60999);
}

static void test_ephemeral_ports_run_out(void **state)
{
	xmit_net *net = *state;
	char why[200];
	int used = 0;

	assert_int_equal(xmit_sysctl_set(net, "net.ipv4.ip_local_port_range", "40000 40009", why, sizeof(why)), 0);
	for (int i = 0; i < 10; i++) {
		int fd = udp(net);

		assert_int_equal(bind4(net, fd, 0, 0), 0);
		used |= 1 << (port_of(net, fd) - 40000);
	}
	assert_int_equal(used, 1023);
	int fd = udp(net);
	FAILS(bind4(net, fd, 0, 0), EADDRINUSE);
	FAILS(send4(net, fd, "x", LO1, 9), EAGAIN); /* no port to send from */
}

/* --- which socket ------------------------------------------------------------------------------------------------------------ */

static void test_best_match(void **state)
{
	xmit_net *net = *state;
	int any = udp(net), bound = udp(net), connected = udp(net), from = udp(net), other = udp(net);

	set_int(net, any, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(net, bound, SOL_SOCKET, SO_REUSEADDR, 1);
	set_int(net, connected, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(bind4(net, any, 0, 6000), 0);
	assert_int_equal(bind4(net, bound, LO1, 6000), 0);
	assert_int_equal(bind4(net, connected, LO1, 6000), 0);
	assert_int_equal(bind4(net, from, LO1, 6001), 0);
	assert_int_equal(connect4(net, connected, LO1, 6001), 0);
	send4(net, from, "to connected", LO1, 6000);
	send4(net, other, "to bound", LO1, 6000);
	send4(net, other, "to any", LO2, 6000);
	assert_string_equal(received(net, connected), "to connected");
	assert_string_equal(received(net, bound), "to bound");
	assert_string_equal(received(net, any), "to any");
	assert_string_equal(received(net, any), "");
	assert_string_equal(received(net, connected), "");
}

static void test_reuseport_shares_by_flow(void **state)
{
	xmit_net *net = *state;
	int server[4], got[4] = {0};

	for (int i = 0; i < 4; i++) {
		server[i] = udp(net);
		set_int(net, server[i], SOL_SOCKET, SO_REUSEPORT, 1);
		assert_int_equal(bind4(net, server[i], 0, 6100), 0);
	}
	for (int i = 0; i < 64; i++) {
		int fd = udp(net);

		send4(net, fd, "1", LO1, 6100);
		send4(net, fd, "2", LO1, 6100); /* the same flow: the same socket */
		xmit_close(net, fd);
		for (int s = 0; s < 4; s++)
			if (received(net, server[s])[0]) {
				assert_string_equal(received(net, server[s]), "2");
				got[s]++;
			}
	}
	for (int s = 0; s < 4; s++)
		assert_in_range(got[s], 1, 40);
	assert_int_equal(got[0] + got[1] + got[2] + got[3], 64);
}

/* --- sending and receiving ------------------------------------------------------------------------------------------------------ */

static void test_send_receive(void **state)
{
	xmit_net *net = *state;
	int rx = udp(net), tx = udp(net);
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char buf[8];

	assert_int_equal(bind4(net, rx, LO1, 6200), 0);
	FAILS(xmit_send(net, tx, "x", 1, 0), EDESTADDRREQ);
	FAILS(send4(net, tx, "x", LO1, 0), EINVAL);
	assert_int_equal(send4(net, tx, "hello world", LO1, 6200), 11);
	assert_int_equal(xmit_recvfrom(net, rx, buf, 5, MSG_PEEK, (struct sockaddr *)&from, &len), 5);
	assert_int_equal(ntohs(from.sin_port), port_of(net, tx));
	assert_int_equal(ntohl(from.sin_addr.s_addr), LO1);
	int n = 0;
	assert_int_equal(xmit_ioctl(net, rx, 0x541b /* FIONREAD */, &n), 0);
	assert_int_equal(n, 11);
	struct iovec iov = {buf, 5};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	assert_int_equal(xmit_recvmsg(net, rx, &m, MSG_TRUNC), 11);
	assert_true(m.msg_flags & MSG_TRUNC);
	assert_memory_equal(buf, "hello", 5);
	FAILS(xmit_recv(net, rx, buf, 1, 0), EAGAIN);
	assert_int_equal(send4(net, tx, "", LO1, 6200), 0); /* an empty datagram is one */
	assert_int_equal(xmit_recv(net, rx, buf, 1, 0), 0);
	assert_int_equal(xmit_counter(net, "UdpOutDatagrams", NULL), 2);
	assert_int_equal(xmit_counter(net, "UdpInDatagrams", NULL), 2);
}

static void test_sizes(void **state)
{
	xmit_net *net = *state;
	static char big[65536], in[65536];
	int rx = udp(net), tx = udp(net);

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	assert_int_equal(bind4(net, rx, LO1, 6201), 0);
	assert_int_equal(connect4(net, tx, LO1, 6201), 0);
	FAILS(xmit_send(net, tx, big, 65508, 0), EMSGSIZE);
	for (size_t n = 65507; n; n /= 3) {
		assert_int_equal(xmit_send(net, tx, big, n, 0), n);
		run(net);
		assert_int_equal(xmit_recv(net, rx, in, sizeof(in), 0), n);
		assert_memory_equal(big, in, n);
	}
}

static void test_errors_come_back(void **state)
{
	xmit_net *net = *state;
	int tx = udp(net), open = udp(net), err;
	socklen_t len = sizeof(err);
	char c;

	assert_int_equal(connect4(net, tx, LO1, 6300), 0);
	assert_int_equal(xmit_send(net, tx, "x", 1, 0), 1);
	run(net);
	struct pollfd p = {.fd = tx, .events = POLLIN};
	assert_int_equal(xmit_poll_sockets(net, &p, 1, 0), 1);
	assert_true(p.revents & POLLERR);
	FAILS(xmit_recv(net, tx, &c, 1, 0), ECONNREFUSED);
	FAILS(xmit_recv(net, tx, &c, 1, 0), EAGAIN);
	assert_int_equal(xmit_send(net, tx, "x", 1, 0), 1);
	run(net);
	assert_int_equal(xmit_getsockopt(net, tx, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	assert_int_equal(err, ECONNREFUSED);
	assert_int_equal(send4(net, open, "x", LO1, 6300), 1); /* an unconnected one is not told */
	FAILS(xmit_recv(net, open, &c, 1, 0), EAGAIN);
	assert_int_equal(xmit_counter(net, "UdpNoPorts", NULL), 3);
	assert_int_equal(xmit_drops(net, "NO_SOCKET"), 3);
	FAILS(send4(net, open, "x", 0xc6336401, 9), ENETUNREACH);
	FAILS(send4(net, open, "x", 0xffffffff, 9), ENETUNREACH);
}

static void test_disconnect(void **state)
{
	xmit_net *net = *state;
	struct sockaddr sa = {.sa_family = AF_UNSPEC};
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	int fd = udp(net);

	assert_int_equal(connect4(net, fd, LO2, 6400), 0);
	assert_int_equal(xmit_getpeername(net, fd, (struct sockaddr *)&name, &len), 0);
	assert_int_equal(ntohs(name.sin_port), 6400);
	assert_true(port_of(net, fd) != 0);
	assert_int_equal(xmit_connect(net, fd, &sa, sizeof(sa)), 0);
	FAILS(xmit_getpeername(net, fd, (struct sockaddr *)&name, &len), ENOTCONN);
	assert_int_equal(port_of(net, fd), 0);
	FAILS(xmit_send(net, fd, "x", 1, 0), EDESTADDRREQ);
	assert_int_equal(connect4(net, fd, LO2, 6401), 0);
}

static void test_receive_buffer_bounds(void **state)
{
	xmit_net *net = *state;
	int rx = udp(net), tx = udp(net), sent = 0, got = 0;
	char buf[1000] = {0};

	set_int(net, rx, SOL_SOCKET, SO_RCVBUF, 10000);
	assert_int_equal(bind4(net, rx, LO1, 6500), 0);
	assert_int_equal(connect4(net, tx, LO1, 6500), 0);
	for (; sent < 100; sent++) {
		assert_int_equal(xmit_send(net, tx, buf, sizeof(buf), 0), sizeof(buf));
		run(net);
	}
	while (xmit_recv(net, rx, buf, sizeof(buf), 0) > 0)
		got++;
	assert_in_range(got, 4, 21);
	assert_int_equal(xmit_counter(net, "UdpRcvbufErrors", NULL), sent - got);
	assert_int_equal(xmit_drops(net, "SOCKET_RCVBUFF"), sent - got);
}

static void test_cork(void **state)
{
	xmit_net *net = *state;
	int rx = udp(net), tx = udp(net);
	char buf[64];

	assert_int_equal(bind4(net, rx, LO1, 6600), 0);
	assert_int_equal(connect4(net, tx, LO1, 6600), 0);
	assert_int_equal(xmit_send(net, tx, "one ", 4, MSG_MORE), 4);
	assert_int_equal(xmit_send(net, tx, "two ", 4, MSG_MORE), 4);
	run(net);
	assert_string_equal(received(net, rx), "");
	assert_int_equal(xmit_send(net, tx, "three", 5, 0), 5);
	run(net);
	assert_string_equal(received(net, rx), "one two three");
	set_int(net, tx, IPPROTO_UDP, 1 /* UDP_CORK */, 1);
	assert_int_equal(xmit_send(net, tx, "a", 1, 0), 1);
	assert_int_equal(xmit_send(net, tx, "b", 1, 0), 1);
	run(net);
	assert_string_equal(received(net, rx), "");
	set_int(net, tx, IPPROTO_UDP, 1, 0);
	run(net);
	assert_string_equal(received(net, rx), "ab");
	assert_int_equal(xmit_send(net, tx, buf, sizeof(buf), MSG_MORE), sizeof(buf)); /* closed with data pending */
}

/* --- v4-mapped ------------------------------------------------------------------------------------------------------------------- */

static void test_v4_mapped(void **state)
{
	xmit_net *net = *state;
	int rx = xmit_socket(net, AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0), tx = udp(net), v = -1;
	struct sockaddr_in6 sa = addr6("::", 6700), from, real = addr6("2001:db8::1", 9), lo6 = addr6("::1", 9);
	socklen_t len = sizeof(from);
	char buf[16], text[INET6_ADDRSTRLEN];

	FAILS(xmit_bind(net, rx, (struct sockaddr *)&lo6, sizeof(lo6)), EADDRNOTAVAIL);
	assert_int_equal(xmit_bind(net, rx, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(send4(net, tx, "hi", LO1, 6700), 2);
	assert_int_equal(xmit_recvfrom(net, rx, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len), 2);
	assert_int_equal(len, sizeof(from));
	assert_string_equal(inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof(text)), "::ffff:127.0.0.1");
	assert_int_equal(xmit_sendto(net, rx, "back", 4, 0, (struct sockaddr *)&from, len), 4);
	run(net);
	assert_string_equal(received(net, tx), "back");
	FAILS(xmit_sendto(net, rx, "x", 1, 0, (struct sockaddr *)&real, sizeof(real)), ENETUNREACH);
	FAILS(xmit_connect(net, rx, (struct sockaddr *)&lo6, sizeof(lo6)), ENETUNREACH);
	FAILS(bind4(net, tx, LO1, 6700), EINVAL);
	FAILS(bind4(net, udp(net), LO1, 6700), EADDRINUSE);
	len = sizeof(v);
	assert_int_equal(xmit_getsockopt(net, rx, IPPROTO_IPV6, IPV6_V6ONLY, &v, &len), 0);
	assert_int_equal(v, 0);
	int only = xmit_socket(net, AF_INET6, SOCK_DGRAM, 0);
	set_int(net, only, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	sa.sin6_port = htons(6701);
	assert_int_equal(xmit_bind(net, only, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(bind4(net, udp(net), 0, 6701), 0);
}

static void test_pktinfo(void **state)
{
	xmit_net *net = *state;
	int rx = udp(net), tx = udp(net);
	char buf[16], control[64];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};

	set_int(net, rx, IPPROTO_IP, IP_PKTINFO, 1);
	assert_int_equal(bind4(net, rx, 0, 6800), 0);
	send4(net, tx, "hi", LO2, 6800);
	assert_int_equal(xmit_recvmsg(net, rx, &m, 0), 2);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	assert_non_null(c);
	assert_int_equal(c->cmsg_type, IP_PKTINFO);
	struct in_pktinfo info;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	assert_int_equal(ntohl(info.ipi_addr.s_addr), LO2);
	assert_int_equal(info.ipi_ifindex, 1);
	assert_false(m.msg_flags & MSG_CTRUNC);
}

/* --- raw and ping ------------------------------------------------------------------------------------------------------------------- */

static void test_ping_socket(void **state)
{
	xmit_net *net = *state;
	int fd = xmit_socket(net, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_ICMP);
	uint8_t out[16] = {8, 0, 0, 0, 0x12, 0x34, 0, 7, 'p', 'a', 'y', 'l', 'o', 'a', 'd', '!'}, in[64];
	struct sockaddr_in to = addr4(LO1, 0);

	assert_true(fd >= 0);
	assert_int_equal(xmit_sendto(net, fd, out, sizeof(out), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(out));
	run(net);
	assert_int_equal(xmit_recv(net, fd, in, sizeof(in), 0), sizeof(out));
	assert_int_equal(in[0], 0); /* echo reply */
	assert_int_equal(in[4] << 8 | in[5], port_of(net, fd));
	assert_memory_equal(in + 6, out + 6, 10);
	out[0] = 13;
	FAILS(xmit_sendto(net, fd, out, sizeof(out), 0, (struct sockaddr *)&to, sizeof(to)), EINVAL);
	FAILS(xmit_sendto(net, fd, out, 7, 0, (struct sockaddr *)&to, sizeof(to)), EINVAL);
}

static void test_raw_socket(void **state)
{
	xmit_net *net = *state;
	int fd = xmit_socket(net, AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_UDP), rx = udp(net), tx = udp(net);
	uint8_t in[64];

	assert_int_equal(bind4(net, rx, LO1, 6900), 0);
	send4(net, tx, "hi", LO1, 6900);
	assert_int_equal(xmit_recv(net, fd, in, sizeof(in), 0), 20 + 8 + 2);
	assert_int_equal(in[0], 0x45);
	assert_int_equal(in[9], IPPROTO_UDP);
	assert_int_equal(in[22] << 8 | in[23], 6900);
	assert_string_equal(received(net, rx), "hi");
	/* With our own header: protocol 253 (RFC 3692), which another raw socket listens for. */
	int out = xmit_socket(net, AF_INET, SOCK_RAW, IPPROTO_RAW), in253 = xmit_socket(net, AF_INET, SOCK_RAW | SOCK_NONBLOCK, 253);
	uint8_t packet[24] = {0x45, 0, 0, 0, 0, 0, 0, 0, 9, 253, 0, 0, 0, 0, 0, 0, 127, 0, 0, 1, 'd', 'a', 't', 'a'};
	struct sockaddr_in to = addr4(LO1, 0);
	assert_int_equal(xmit_sendto(net, out, packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(packet));
	run(net);
	assert_int_equal(xmit_recv(net, in253, in, sizeof(in), 0), 24);
	assert_int_equal(in[8], 9);
	assert_int_equal(in[2] << 8 | in[3], 24);
	assert_int_equal(in[12], 127);
	assert_memory_equal(in + 20, "data", 4);
}

/* --- a socket that takes every destination ------------------------------------------------------------------------------------------ */

struct wire {
	uint8_t last[128];
	size_t len;
	int packets;
};

static int wire_out(void *ctx, const struct iovec *iov, int n, const struct xmit_offload *o)
{
	struct wire *w = ctx;

	(void)o;
	w->len = 0;
	w->packets++;
	for (int i = 0; i < n && w->len + iov[i].iov_len <= sizeof(w->last); w->len += iov[i].iov_len, i++)
		memcpy(w->last + w->len, iov[i].iov_base, iov[i].iov_len);
	return 0;
}

static uint16_t ip_sum(const uint8_t *p, int n)
{
	uint32_t s = 0;

	for (int i = 0; i < n; i += 2)
		s += (uint32_t)(p[i] << 8 | p[i + 1]);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~(s + (s >> 16));
}

static void test_accept_any(void **state)
{
	xmit_net *net = *state;
	struct wire w = {.len = 0};
	struct xmit_packet_config c = {.size = sizeof(c), .type = XMIT_DEV_NONE, .mtu = 1500, .out = wire_out, .ctx = &w};
	/* 192.0.2.9:1000 asks 203.0.113.7:53, which is nowhere here. */
	uint8_t packet[32] = {0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, IPPROTO_UDP, 0, 0, 192, 0, 2, 9, 203, 0, 113, 7, 1000 >> 8, 1000 & 255, 0, 53, 0, 12, 0, 0, 'p', 'i', 'n', 'g'};
	uint16_t sum = ip_sum(packet, 20);
	xmit_dev *dev = xmit_packet_new(net, &c);
	int fd = udp(net);

	packet[10] = (uint8_t)(sum >> 8);
	packet[11] = (uint8_t)sum;
	assert_non_null(dev);
	assert_int_equal(xmit_dev_up(dev), 0);
	assert_int_equal(xmit_addr_add_text(dev, "192.0.2.1/24"), 0);
	struct iovec iov = {packet, sizeof(packet)};
	assert_int_equal(xmit_packet_input(dev, &iov, 1, NULL), 0);
	run(net);
	set_int(net, fd, XMIT_SOL_XMIT, XMIT_SO_ACCEPT_ANY, 1);
	assert_int_equal(bind4(net, fd, 0, 0), 0);
	assert_string_equal(received(net, fd), "");
	assert_int_equal(xmit_packet_input(dev, &iov, 1, NULL), 0);
	run(net);

	char buf[16], control[128];
	struct sockaddr_in from, to;
	struct iovec in = {buf, sizeof(buf)};
	struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &in, .msg_iovlen = 1, .msg_control = control,
			   .msg_controllen = sizeof(control)};
	assert_int_equal(xmit_recvmsg(net, fd, &m, 0), 4);
	assert_int_equal(ntohs(from.sin_port), 1000);
	struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
	assert_non_null(cm);
	assert_int_equal(cm->cmsg_type, 20 /* IP_ORIGDSTADDR */);
	memcpy(&to, CMSG_DATA(cm), sizeof(to));
	assert_int_equal(ntohl(to.sin_addr.s_addr), 0xcb007107);
	assert_int_equal(ntohs(to.sin_port), 53);
	/* The same control message makes the answer come from there. */
	w.packets = 0;
	in = (struct iovec){"pong", 4};
	assert_int_equal(xmit_sendmsg(net, fd, &m, 0), 4);
	run(net);
	assert_int_equal(w.packets, 1);
	assert_int_equal(w.len, 32);
	assert_memory_equal(w.last + 12, packet + 16, 4);
	assert_memory_equal(w.last + 16, packet + 12, 4);
	assert_int_equal(w.last[21], 53);
	assert_memory_equal(w.last + 28, "pong", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_ports),
		T(test_ephemeral_ports_run_out),
		T(test_best_match),
		T(test_reuseport_shares_by_flow),
		T(test_send_receive),
		T(test_sizes),
		T(test_errors_come_back),
		T(test_disconnect),
		T(test_receive_buffer_bounds),
		T(test_cork),
		T(test_v4_mapped),
		T(test_pktinfo),
		T(test_ping_socket),
		T(test_raw_socket),
		T(test_accept_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
