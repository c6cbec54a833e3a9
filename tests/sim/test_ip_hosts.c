/* SPDX-License-Identifier: MIT */
/* test_ip_hosts.c - IPv4 between two hosts: addresses and routes, ICMP, dead neighbours, broadcast, multicast, loopback. */
#include "ip_pair.h"

/* The errno of connecting a UDP socket, which is what the route says; 0, and the source address in *src. */
static int route_to(xmit_net *net, const char *text, uint32_t *src)
{
	struct sockaddr_in to = addr_of(text, 9), own;
	socklen_t len = sizeof(own);
	int fd = xmit_socket(net, AF_INET, SOCK_DGRAM, 0);
	int err = xmit_connect(net, fd, (struct sockaddr *)&to, sizeof(to)) ? errno : 0;

	if (!err && src) {
		assert_int_equal(xmit_getsockname(net, fd, (struct sockaddr *)&own, &len), 0);
		*src = ntohl(own.sin_addr.s_addr);
	}
	xmit_close(net, fd);
	return err;
}

/* --- addresses and routes ---------------------------------------------------------------------------------------------- */

static void routes(void **state)
{
	uint32_t src;

	(void)state;
	assert_int_equal(route_to(a, "198.51.100.1", NULL), ENETUNREACH);
	FAILS(xmit_route_add_text(a, "default via 198.51.100.254"), ENETUNREACH);
	FAILS(xmit_route_add_text(a, "198.51.100.1/24 dev eth0"), EINVAL);
	FAILS(xmit_route_add_text(a, "198.51.100.0/24 dev eth7"), ENODEV);
	FAILS(xmit_route_add_text(a, "198.51.100.0/24"), ENODEV);
	FAILS(xmit_route_add_text(a, "198.51.100.0/33 dev eth0"), EINVAL);
	FAILS(xmit_route_add_text(a, "default via 192.0.2.2 nonsense 1"), EINVAL);
	FAILS(xmit_route_add_text(a, "default via 192.0.2.2 src 192.0.2.77"), EINVAL);
	assert_int_equal(xmit_route_add_text(a, "default via 192.0.2.2"), 0);
	FAILS(xmit_route_add_text(a, "default via 192.0.2.2"), EEXIST);
	assert_int_equal(xmit_route_add_text(a, "default via 192.0.2.3 metric 100"), 0);
	assert_int_equal(route_to(a, "198.51.100.1", &src), 0);
	assert_int_equal(src, 0xc0000201);
	/* A longer prefix wins, whatever it says. */
	assert_int_equal(xmit_route_add_text(a, "unreachable 198.51.100.0/24"), 0);
	assert_int_equal(route_to(a, "198.51.100.1", NULL), EHOSTUNREACH);
	assert_int_equal(xmit_route_add_text(a, "prohibit 198.51.100.128/25"), 0);
	assert_int_equal(route_to(a, "198.51.100.129", NULL), EACCES);
	assert_int_equal(xmit_route_add_text(a, "blackhole 198.51.100.192/26"), 0);
	assert_int_equal(route_to(a, "198.51.100.193", NULL), EINVAL);
	struct xmit_route r = {.size = sizeof(r), .prefix_len = 24};
	inet_pton(AF_INET, "198.51.100.0", &r.dst);
	assert_int_equal(xmit_route_del(a, &r), 0);
	FAILS(xmit_route_del(a, &r), ESRCH);
	assert_int_equal(route_to(a, "198.51.100.1", NULL), 0);
	/* Down, all routes over the device go; up again, only the addresses' own come back. */
	assert_int_equal(xmit_dev_down(s.dev[0]), 0);
	assert_int_equal(route_to(a, "192.0.2.2", NULL), ENETUNREACH);
	FAILS(xmit_route_add_text(a, "198.51.100.0/24 dev eth0"), ENETDOWN);
	assert_int_equal(route_to(a, "192.0.2.1", NULL), 0); /* the address is ours even so */
	assert_int_equal(xmit_dev_up(s.dev[0]), 0);
	assert_int_equal(route_to(a, "192.0.2.2", NULL), 0);
	assert_int_equal(route_to(a, "198.51.100.1", NULL), ENETUNREACH);
}

static void addresses(void **state)
{
	struct in_addr first, second;
	uint32_t src;

	(void)state;
	inet_pton(AF_INET, "198.51.100.1", &first);
	inet_pton(AF_INET, "198.51.100.2", &second);
	FAILS(xmit_addr_del(s.dev[0], first, 24), EADDRNOTAVAIL);
	FAILS(xmit_addr_add_text(s.dev[0], "198.51.100.1/33"), EINVAL);
	FAILS(xmit_addr_add_text(s.dev[0], "198.51.100"), EINVAL);
	FAILS(xmit_addr_add_text(s.dev[0], "224.0.0.1/4"), EINVAL);
	assert_int_equal(xmit_addr_add(s.dev[0], first, 24), 0);
	FAILS(xmit_addr_add(s.dev[0], first, 24), EEXIST);
	assert_int_equal(xmit_addr_add(s.dev[0], second, 24), 0); /* secondary */
	/* The source is of the destination's network. */
	assert_int_equal(route_to(a, "198.51.100.9", &src), 0);
	assert_int_equal(src, 0xc6336401);
	assert_int_equal(route_to(a, "192.0.2.9", &src), 0);
	assert_int_equal(src, 0xc0000201);
	assert_int_equal(inet_addr_type(a, second.s_addr), RTN_LOCAL);
	assert_int_equal(inet_addr_type(a, htonl(0xc63364ff)), RTN_BROADCAST);
	assert_int_equal(inet_addr_type(a, htonl(0xc6336409)), RTN_UNICAST);
	assert_int_equal(inet_addr_type(a, htonl(0x7f123456)), RTN_LOCAL);
	assert_int_equal(route_to(a, "198.51.100.255", NULL), EACCES); /* broadcast */
	/* The primary takes its secondaries along. */
	assert_int_equal(xmit_addr_del(s.dev[0], first, 24), 0);
	assert_int_equal(inet_addr_type(a, second.s_addr), RTN_UNICAST);
	assert_int_equal(route_to(a, "198.51.100.9", NULL), ENETUNREACH);
	assert_int_equal(route_to(a, "192.0.2.9", NULL), 0);
}

/* Routes that use an address as source, and sockets that hold a route, when it goes. */
static void source_goes(void **state)
{
	struct in_addr extra;
	char c = 0;

	(void)state;
	inet_pton(AF_INET, "198.51.100.1", &extra);
	assert_int_equal(xmit_addr_add(s.dev[0], extra, 32), 0);
	assert_int_equal(xmit_route_add_text(a, "203.0.113.0/24 via 192.0.2.2 src 198.51.100.1"), 0);
	uint32_t src;
	assert_int_equal(route_to(a, "203.0.113.5", &src), 0);
	assert_int_equal(src, 0xc6336401);
	int fd = udp_connected(a, "203.0.113.5", 7);
	assert_int_equal(xmit_send(a, fd, &c, 1, 0), 1);
	assert_int_equal(xmit_addr_del(s.dev[0], extra, 32), 0);
	assert_int_equal(route_to(a, "203.0.113.5", NULL), ENETUNREACH);
	FAILS(xmit_send(a, fd, &c, 1, 0), ENETUNREACH); /* as Linux: the source is gone, and so is the route */
	xmit_close(a, fd);
}

/* --- ICMP ------------------------------------------------------------------------------------------------------------------ */

static void echo(void **state)
{
	static const size_t sizes[] = {8, 64, 1480, 1481, 9000, 60000};
	struct sockaddr_in to = sim_addr(1, 0);
	int fd = xmit_socket(a, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);

	(void)state;
	fill(5);
	set_int(a, fd, OPT_MTU_DISCOVER, PMTUDISC_DONT);
	memset(sent, 0, 8);
	sent[0] = ICMP_ECHO;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(xmit_sendto(a, fd, sent, sizes[i], 0, (struct sockaddr *)&to, sizeof(to)), sizes[i]);
		assert_int_equal(xmit_recv(a, fd, got, sizeof(got), 0), sizes[i]);
		assert_int_equal(got[0], ICMP_ECHOREPLY);
		assert_memory_equal(got + 8, sent + 8, sizes[i] - 8);
	}
	assert_int_equal(counter(b, "IcmpInEchos"), 6);
	assert_int_equal(counter(b, "IcmpOutEchoReps"), 6);
	assert_int_equal(counter(a, "IcmpInEchoReps"), 6);
	assert_int_equal(xmit_sysctl_set(b, "net.ipv4.icmp_echo_ignore_all", "1", NULL, 0), 0);
	assert_int_equal(xmit_sendto(a, fd, sent, 8, 0, (struct sockaddr *)&to, sizeof(to)), 8);
	sim_run(&s, SIM_SEC);
	FAILS(xmit_recv(a, fd, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	xmit_close(a, fd);
}

static void port_unreachable(void **state)
{
	int fd = udp_connected(a, "192.0.2.2", 4444);

	(void)state;
	assert_int_equal(xmit_send(a, fd, "hello", 5, 0), 5);
	sim_run(&s, 10 * SIM_MS);
	FAILS(xmit_send(a, fd, "hello", 5, 0), ECONNREFUSED);
	assert_int_equal(counter(b, "UdpNoPorts"), 1);
	assert_int_equal(counter(b, "IcmpOutDestUnreachs"), 1);
	/* In full, from the error queue. */
	set_int(a, fd, OPT_RECVERR, 1);
	assert_int_equal(xmit_send(a, fd, "hello", 5, 0), 5);
	sim_run(&s, SIM_SEC);
	struct sockaddr_in name;
	char payload[64];
	_Alignas(8) char control[256];
	struct iovec iov = {payload, sizeof(payload)};
	struct msghdr m = {.msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			   .msg_controllen = sizeof(control)};
	assert_int_equal(xmit_recvmsg(a, fd, &m, MSG_ERRQUEUE), 5);
	assert_memory_equal(payload, "hello", 5);
	assert_int_equal(ntohs(name.sin_port), 4444);
	assert_true(m.msg_flags & MSG_ERRQUEUE);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct sock_extended_err_ ee;
	assert_non_null(c);
	assert_int_equal(c->cmsg_type, OPT_RECVERR);
	memcpy(&ee, CMSG_DATA(c), sizeof(ee));
	assert_int_equal(ee.ee_errno, ECONNREFUSED);
	assert_int_equal(ee.ee_origin, SO_EE_ORIGIN_ICMP_);
	assert_int_equal(ee.ee_type, ICMP_DEST_UNREACH);
	assert_int_equal(ee.ee_code, ICMP_PORT_UNREACH);
	FAILS(xmit_recvmsg(a, fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT), EAGAIN);
	xmit_close(a, fd);
}

/* One host is answered six errors in a row, then one a second. */
static void rate_limit(void **state)
{
	struct sockaddr_in to = sim_addr(1, 4444);
	int fd = udp_socket(a, 0);

	(void)state;
	sim_run(&s, 60 * SIM_SEC);
	for (int i = 0; i < 20; i++) {
		xmit_sendto(a, fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
		sim_run(&s, SIM_MS);
	}
	assert_int_equal(counter(b, "IcmpOutDestUnreachs"), 6);
	assert_int_equal(counter(b, "IcmpOutRateLimitHost"), 14);
	sim_run(&s, SIM_SEC);
	xmit_sendto(a, fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	sim_run(&s, SIM_MS);
	assert_int_equal(counter(b, "IcmpOutDestUnreachs"), 7);
	xmit_close(a, fd);
}

/* Nobody there: hard for a datagram socket and for one that connects. */
static void dead_neighbour(void **state)
{
	struct sockaddr_in to = addr_of("192.0.2.99", 80);
	int fd = udp_connected(a, "192.0.2.99", 80), tcp = xmit_socket(a, AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(xmit_send(a, fd, "x", 1, 0), 1);
	sim_run(&s, 5 * SIM_SEC);
	int err = 0;
	socklen_t len = sizeof(err);
	set_int(a, fd, OPT_RECVERR, 1);
	assert_int_equal(xmit_send(a, fd, "x", 1, 0), 1);
	sim_run(&s, 5 * SIM_SEC);
	assert_int_equal(xmit_getsockopt(a, fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	assert_int_equal(err, EHOSTUNREACH);
	uint64_t before = s.now_ns;
	FAILS(xmit_connect(a, tcp, (struct sockaddr *)&to, sizeof(to)), EHOSTUNREACH);
	assert_in_range(s.now_ns - before, 2 * SIM_SEC, 4 * SIM_SEC);
	xmit_close(a, fd);
	xmit_close(a, tcp);
}

/* --- broadcast, multicast, loopback ------------------------------------------------------------------------------------------------ */

static void multicast(void **state)
{
	const struct { uint32_t group, dev; } m = {htonl(0xe9010203), 0};
	struct sockaddr_in to = addr_of("233.1.2.3", 7000);
	int from = udp_socket(a, 7000), fd = udp_socket(b, 7000);

	(void)state;
	assert_int_equal(xmit_route_add_text(a, "default via 192.0.2.2"), 0);
	assert_int_equal(xmit_route_add_text(b, "default via 192.0.2.1"), 0);
	assert_int_equal(xmit_sendto(a, from, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	sim_run(&s, SIM_MS);
	FAILS(xmit_recv(b, fd, got, sizeof(got), MSG_DONTWAIT), EAGAIN); /* not joined */
	assert_int_equal(xmit_setsockopt(b, fd, IPPROTO_IP, OPT_ADD_MEMBERSHIP, &m, sizeof(m)), 0);
	FAILS(xmit_setsockopt(b, fd, IPPROTO_IP, OPT_ADD_MEMBERSHIP, &m, sizeof(m)), EADDRINUSE);
	assert_int_equal(xmit_sendto(a, from, "y", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_int_equal(xmit_recv(b, fd, got, sizeof(got), 0), 1);
	assert_int_equal(got[0], 'y');
	assert_int_equal(counter(b, "IpExtOutMcastPkts"), 1); /* IGMP: a report */
	sim_run(&s, 11 * SIM_SEC);
	assert_int_equal(counter(b, "IpExtOutMcastPkts"), 2); /* and another */
	assert_int_equal(xmit_setsockopt(b, fd, IPPROTO_IP, OPT_DROP_MEMBERSHIP, &m, sizeof(m)), 0);
	assert_int_equal(counter(b, "IpExtOutMcastPkts"), 3); /* leave */
	FAILS(xmit_setsockopt(b, fd, IPPROTO_IP, OPT_DROP_MEMBERSHIP, &m, sizeof(m)), EADDRNOTAVAIL);
	/* The sender's own membership brings it a copy, unless it does not want one. */
	assert_int_equal(xmit_setsockopt(a, from, IPPROTO_IP, OPT_ADD_MEMBERSHIP, &m, sizeof(m)), 0);
	assert_int_equal(xmit_sendto(a, from, "z", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_int_equal(xmit_recv(a, from, got, sizeof(got), 0), 1);
	assert_int_equal(got[0], 'z');
	set_int(a, from, OPT_MULTICAST_LOOP, 0);
	assert_int_equal(xmit_sendto(a, from, "w", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	sim_run(&s, SIM_MS);
	FAILS(xmit_recv(a, from, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	xmit_close(a, from);
	xmit_close(b, fd);
}

static void broadcast(void **state)
{
	struct sockaddr_in to = addr_of("192.0.2.255", 7000);
	int from = udp_socket(a, 0), fd = udp_socket(b, 7000), on = 1;

	(void)state;
	FAILS(xmit_sendto(a, from, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), EACCES);
	assert_int_equal(xmit_setsockopt(a, from, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
	assert_int_equal(xmit_sendto(a, from, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_int_equal(xmit_recv(b, fd, got, sizeof(got), 0), 1);
	assert_int_equal(counter(b, "IpExtInBcastPkts"), 1);
	/* To a port without a socket: no error comes back (RFC 1122 3.2.2). */
	to.sin_port = htons(9);
	assert_int_equal(xmit_sendto(a, from, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	sim_run(&s, SIM_MS);
	assert_int_equal(counter(b, "IcmpOutMsgs"), 0);
	xmit_close(a, from);
	xmit_close(b, fd);
}

static void loopback(void **state)
{
	static const char *const ours[] = {"127.0.0.1", "127.9.9.9", "192.0.2.1"};

	(void)state;
	fill(8);
	for (unsigned i = 0; i < 3; i++) {
		struct sockaddr_in to = addr_of(ours[i], 7000), from;
		socklen_t len = sizeof(from);
		int fd = udp_socket(a, 7000);
		assert_int_equal(xmit_sendto(a, fd, sent, 60000, 0, (struct sockaddr *)&to, sizeof(to)), 60000);
		assert_int_equal(xmit_recvfrom(a, fd, got, sizeof(got), 0, (struct sockaddr *)&from, &len), 60000);
		assert_memory_equal(got, sent, 60000);
		assert_int_equal(ntohl(from.sin_addr.s_addr), i == 2 ? 0xc0000201 : 0x7f000001); /* the local route's source */
		xmit_close(a, fd);
	}
	assert_int_equal(counter(a, "IpFragCreates"), 0);
}

/* The device goes away under sockets that hold routes over it. */
static void device_goes(void **state)
{
	int fd = udp_connected(a, "192.0.2.2", 7000);

	(void)state;
	assert_int_equal(xmit_send(a, fd, "x", 1, 0), 1);
	xmit_dev_free(s.dev[0]);
	FAILS(xmit_send(a, fd, "x", 1, 0), ENETUNREACH);
	assert_int_equal(route_to(a, "192.0.2.1", NULL), ENETUNREACH);
	sim_run(&s, SIM_SEC);
	xmit_close(a, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(routes), T(addresses), T(source_goes), T(echo), T(port_unreachable), T(rate_limit), T(dead_neighbour), T(multicast), T(broadcast),
		T(loopback), T(device_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
