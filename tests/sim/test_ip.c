/* SPDX-License-Identifier: MIT */
/* IPv4 between whole stacks: addresses and routes, forwarding, fragments, ICMP, path MTU, multicast, dead neighbours. */
#include "core/net.h"
#include "ip/error_queue.h"
#include "ip/ip.h"
#include "ip/route.h"
#include "sim.h"
#include "test.h"
#include "wire/icmp.h"
#include <arpa/inet.h>
#include <errno.h>

enum { OPT_HDRINCL = 3, OPT_PKTINFO = 8, OPT_MTU_DISCOVER = 10, OPT_RECVERR = 11, OPT_RECVTTL = 12, OPT_MTU = 14, OPT_MULTICAST_LOOP = 34,
       OPT_ADD_MEMBERSHIP = 35, OPT_DROP_MEMBERSHIP = 36, PMTUDISC_DONT = 0, PMTUDISC_DO = 2 };

static struct sim s;
static xmit_net *a, *b;

static int setup(void **state)
{
	(void)state;
	sim_init_pair(&s, 5, NULL);
	a = s.host[0];
	b = s.host[1];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sim_exit(&s);
	return 0;
}

#define FAILS(call, err) \
	do { \
		errno = 0; \
		assert_int_equal((call), -1); \
		assert_int_equal(errno, err); \
	} while (0)

static struct sockaddr_in addr_of(const char *text, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, text, &in.sin_addr), 1);
	return in;
}

static uint64_t counter(xmit_net *net, const char *name)
{
	bool known;
	uint64_t v = xmit_counter(net, name, &known);

	assert_true(known);
	return v;
}

static int udp_socket(xmit_net *net, uint16_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = xmit_socket(net, AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(xmit_bind(net, fd, (struct sockaddr *)&any, sizeof(any)), 0);
	return fd;
}

static int udp_connected(xmit_net *net, const char *text, uint16_t port)
{
	struct sockaddr_in to = addr_of(text, port);
	int fd = xmit_socket(net, AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(xmit_connect(net, fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void set_int(xmit_net *net, int fd, int name, int v)
{
	assert_int_equal(xmit_setsockopt(net, fd, IPPROTO_IP, name, &v, sizeof(v)), 0);
}

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

/* --- fragments ------------------------------------------------------------------------------------------------------------ */

static uint8_t sent[65000], got[65536];

static void fill(uint64_t seed)
{
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)((i * 2654435761u + seed) >> 13);
}

/* One datagram of n bytes from a to b arrives as it was. */
static void datagram(int from, int to, size_t n)
{
	struct sockaddr_in dst = sim_addr(1, 7000);

	memset(got, 0xee, sizeof(got));
	assert_int_equal(xmit_sendto(a, from, sent, n, 0, (struct sockaddr *)&dst, sizeof(dst)), n);
	assert_int_equal(xmit_recv(b, to, got, sizeof(got), 0), n);
	assert_memory_equal(sent, got, n);
}

static void fragments(void **state)
{
	static const size_t sizes[] = {0, 1, 1472, 1473, 2952, 2953, 3072, 3073, 8000, 20001, 64999};
	int from = udp_socket(a, 0), to = udp_socket(b, 7000);

	(void)state;
	fill(1);
	set_int(a, from, OPT_MTU_DISCOVER, PMTUDISC_DONT);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		datagram(from, to, sizes[i]);
	assert_int_equal(counter(a, "IpFragOKs"), 8);
	assert_int_equal(counter(b, "IpReasmOKs"), 8);
	assert_int_equal(counter(b, "IpReasmReqds"), counter(a, "IpFragCreates"));
	assert_int_equal(counter(b, "IpReasmFails"), 0);
	/* What lay in page fragments was shared; small datagrams lie in one piece and were copied. */
	assert_in_range(a->copied.fragment, 1473, 1473 + 2952 + 2953 + 3072 + 100);
	set_int(a, from, OPT_MTU_DISCOVER, PMTUDISC_DO);
	struct sockaddr_in dst = sim_addr(1, 7000);
	FAILS(xmit_sendto(a, from, sent, 1473, 0, (struct sockaddr *)&dst, sizeof(dst)), EMSGSIZE);
	datagram(from, to, 1472);
	xmit_close(a, from);
	xmit_close(b, to);
}

/* A fragment of a UDP datagram from a to b, made by hand: bytes [off, off + n) of sent. */
static void send_fragment(int raw, uint16_t id, unsigned off, unsigned n, bool more)
{
	struct sockaddr_in dst = sim_addr(1, 0);
	uint8_t packet[1500];
	struct iphdr iph = {.version = 4, .ihl = 5, .id = cpu_to_be16(id), .ttl = 64, .protocol = IPPROTO_UDP,
			    .frag_off = cpu_to_be16((uint16_t)(off / 8 | (more ? IP_MF : 0)))};

	iph.saddr = sim_addr(0, 0).sin_addr.s_addr;
	iph.daddr = dst.sin_addr.s_addr;
	memcpy(packet, &iph, sizeof(iph));
	memcpy(packet + sizeof(iph), sent + off, n);
	assert_int_equal(xmit_sendto(a, raw, packet, sizeof(iph) + n, 0, (struct sockaddr *)&dst, sizeof(dst)), sizeof(iph) + n);
}

static int raw_socket(void)
{
	int raw = xmit_socket(a, AF_INET, SOCK_RAW, IPPROTO_RAW);

	assert_true(raw >= 0);
	set_int(a, raw, OPT_HDRINCL, 1);
	return raw;
}

/* The UDP header of a datagram of n bytes without checksum, at the start of sent. */
static void udp_header(unsigned n)
{
	put_be16(sent, 5000);
	put_be16(sent + 2, 7000);
	put_be16(sent + 4, (uint16_t)n);
	put_be16(sent + 6, 0);
}

static void reassembly(void **state)
{
	int raw = raw_socket(), to = udp_socket(b, 7000);

	(void)state;
	fill(2);
	udp_header(104);
	/* Backwards, with one twice. */
	send_fragment(raw, 1, 80, 24, false);
	send_fragment(raw, 1, 40, 40, true);
	send_fragment(raw, 1, 40, 40, true);
	send_fragment(raw, 1, 0, 40, true);
	assert_int_equal(xmit_recv(b, to, got, sizeof(got), 0), 96);
	assert_memory_equal(got, sent + 8, 96);
	assert_int_equal(xmit_drops(b, "DUP_FRAG"), 1);
	assert_int_equal(counter(b, "IpReasmOKs"), 1);
	/* An overlap loses all of it: what comes then is of a new queue, and never whole. */
	send_fragment(raw, 2, 0, 40, true);
	send_fragment(raw, 2, 32, 48, true);
	send_fragment(raw, 2, 80, 24, false);
	sim_run(&s, SIM_MS);
	FAILS(xmit_recv(b, to, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	assert_int_equal(counter(b, "IpExtReasmOverlaps"), 1);
	/* Two ends. */
	send_fragment(raw, 3, 80, 24, false);
	send_fragment(raw, 3, 0, 88, true);
	send_fragment(raw, 3, 88, 24, false);
	sim_run(&s, SIM_MS);
	FAILS(xmit_recv(b, to, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	assert_int_equal(counter(b, "IpReasmOKs"), 1);
	xmit_close(a, raw);
	xmit_close(b, to);
}

static void reassembly_time(void **state)
{
	int raw = raw_socket(), to = udp_socket(b, 7000);

	(void)state;
	fill(3);
	udp_header(104);
	send_fragment(raw, 1, 0, 40, true); /* with the first fragment: answered */
	send_fragment(raw, 2, 40, 40, true); /* without: not */
	sim_run(&s, 29 * SIM_SEC);
	assert_int_equal(counter(b, "IpReasmTimeout"), 0);
	sim_run(&s, 2 * SIM_SEC);
	assert_int_equal(counter(b, "IpReasmTimeout"), 2);
	assert_int_equal(counter(b, "IpReasmFails"), 2);
	assert_int_equal(counter(b, "IcmpOutTimeExcds"), 1);
	assert_int_equal(counter(a, "IcmpInTimeExcds"), 1);
	assert_int_equal(xmit_drops(b, "FRAG_REASM_TIMEOUT"), 2);
	/* Other fragments of the same sender between: the old ones are of an earlier packet with this ID. */
	send_fragment(raw, 3, 0, 40, true);
	for (uint16_t i = 0; i < 80; i++) {
		send_fragment(raw, (uint16_t)(100 + i), 8, 8, true);
		sim_run(&s, SIM_MS);
	}
	send_fragment(raw, 3, 40, 64, false);
	sim_run(&s, SIM_MS);
	assert_int_equal(xmit_drops(b, "FRAG_TOO_FAR"), 1);
	FAILS(xmit_recv(b, to, got, sizeof(got), MSG_DONTWAIT), EAGAIN);
	xmit_close(a, raw);
	xmit_close(b, to);
}

static void reassembly_memory(void **state)
{
	int raw = raw_socket();

	(void)state;
	fill(4);
	assert_int_equal(xmit_sysctl_set(b, "net.ipv4.ipfrag_low_thresh", "10000", NULL, 0), 0);
	assert_int_equal(xmit_sysctl_set(b, "net.ipv4.ipfrag_high_thresh", "20000", NULL, 0), 0);
	FAILS(xmit_sysctl_set(b, "net.ipv4.ipfrag_high_thresh", "9999", NULL, 0), EINVAL);
	for (uint16_t i = 0; i < 200; i++) {
		send_fragment(raw, i, 8, 1000, true);
		sim_run(&s, SIM_MS);
	}
	assert_true(xmit_drops(b, "FRAG_MEM") > 150);
	sim_run(&s, 31 * SIM_SEC);
	uint64_t before = xmit_drops(b, "FRAG_MEM");
	send_fragment(raw, 300, 8, 1000, true); /* all timed out: there is room again */
	sim_run(&s, SIM_MS);
	assert_int_equal(xmit_drops(b, "FRAG_MEM"), before);
	xmit_close(a, raw);
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

/* --- a router between: 192.0.2.1 - .2|198.51.100.1 - 198.51.100.2 -------------------------------------------------------------- */

static xmit_net *c_host;
static xmit_dev *far[2];

static int setup_router(void **state)
{
	setup(state);
	int c = sim_add_host(&s, 0);

	c_host = s.host[c];
	assert_int_equal(xmit_vnic_pair(b, c_host, NULL, far), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(xmit_dev_up(far[i]), 0);
	assert_int_equal(xmit_addr_add_text(far[0], "198.51.100.1/24"), 0);
	assert_int_equal(xmit_addr_add_text(far[1], "198.51.100.2/24"), 0);
	assert_int_equal(xmit_route_add_text(a, "default via 192.0.2.2"), 0);
	assert_int_equal(xmit_route_add_text(c_host, "default via 198.51.100.1"), 0);
	assert_int_equal(xmit_sysctl_set(b, "net.ipv4.ip_forward", "1", NULL, 0), 0);
	return 0;
}

static void forwarding(void **state)
{
	struct sockaddr_in to = addr_of("198.51.100.2", 7000), from;
	socklen_t len = sizeof(from);
	int fd = udp_socket(a, 5000), far_fd = udp_socket(c_host, 7000);
	_Alignas(8) char control[128];
	char text[16];
	struct iovec iov = {text, sizeof(text)};
	struct msghdr m = {.msg_name = &from, .msg_namelen = len, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			   .msg_controllen = sizeof(control)};
	int ttl = 0;

	(void)state;
	set_int(c_host, far_fd, OPT_RECVTTL, 1);
	assert_int_equal(xmit_sendto(a, fd, "over", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
	assert_int_equal(xmit_recvmsg(c_host, far_fd, &m, 0), 4);
	assert_int_equal(ntohl(from.sin_addr.s_addr), 0xc0000201);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	assert_non_null(c);
	memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
	assert_int_equal(ttl, 63);
	assert_true(counter(b, "IpForwDatagrams") >= 1);
	/* TTL 1 ends at the router. */
	set_int(a, fd, 2 /* IP_TTL */, 1);
	set_int(a, fd, OPT_RECVERR, 1);
	assert_int_equal(xmit_sendto(a, fd, "over", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
	sim_run(&s, SIM_SEC);
	assert_int_equal(counter(b, "IcmpOutTimeExcds"), 1);
	int err = 0;
	len = sizeof(err);
	assert_int_equal(xmit_getsockopt(a, fd, SOL_SOCKET, SO_ERROR, &err, &len), 0);
	assert_int_equal(err, EHOSTUNREACH);
	/* Off: nobody's business. */
	assert_int_equal(xmit_sysctl_set(b, "net.ipv4.ip_forward", "0", NULL, 0), 0);
	uint64_t before = counter(b, "IpInAddrErrors");
	set_int(a, fd, 2, 64);
	assert_int_equal(xmit_sendto(a, fd, "over", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
	sim_run(&s, SIM_SEC);
	assert_int_equal(counter(b, "IpInAddrErrors"), before + 1);
	xmit_close(a, fd);
	xmit_close(c_host, far_fd);
}

static void path_mtu(void **state)
{
	int fd = udp_connected(a, "198.51.100.2", 7000), far_fd = udp_socket(c_host, 7000), mtu = 0;
	socklen_t len = sizeof(mtu);

	(void)state;
	fill(6);
	assert_int_equal(xmit_dev_set_mtu(far[0], 1000), 0);
	set_int(a, fd, OPT_MTU_DISCOVER, PMTUDISC_DO);
	assert_int_equal(xmit_send(a, fd, sent, 1400, 0), 1400);
	sim_run(&s, SIM_SEC);
	FAILS(xmit_send(a, fd, sent, 1400, 0), EMSGSIZE); /* by the route: too long before anything else is looked at */
	FAILS(xmit_send(a, fd, sent, 972, 0), EMSGSIZE);  /* the router's word, pending */
	assert_int_equal(xmit_getsockopt(a, fd, IPPROTO_IP, OPT_MTU, &mtu, &len), 0);
	assert_int_equal(mtu, 1000);
	assert_int_equal(xmit_send(a, fd, sent, 972, 0), 972);
	assert_int_equal(xmit_recv(c_host, far_fd, got, sizeof(got), 0), 972);
	/* After mtu_expires it is tried again. */
	sim_run(&s, 601 * SIM_SEC);
	assert_int_equal(xmit_send(a, fd, sent, 1400, 0), 1400);
	sim_run(&s, SIM_SEC);
	FAILS(xmit_send(a, fd, sent, 1400, 0), EMSGSIZE);
	FAILS(xmit_send(a, fd, sent, 1, 0), EMSGSIZE);
	/* Without DF the router cuts. */
	set_int(a, fd, OPT_MTU_DISCOVER, PMTUDISC_DONT);
	assert_int_equal(xmit_send(a, fd, sent, 5000, 0), 5000);
	assert_int_equal(xmit_recv(c_host, far_fd, got, sizeof(got), 0), 5000);
	assert_memory_equal(got, sent, 5000);
	xmit_close(a, fd);
	xmit_close(c_host, far_fd);
}

/* A TCP transfer through a router whose far side is narrower than both ends know. */
static void tcp_path_mtu(void **state)
{
	struct sockaddr_in to = addr_of("198.51.100.2", 80);
	int l = xmit_socket(c_host, AF_INET, SOCK_STREAM, 0), fd = xmit_socket(a, AF_INET, SOCK_STREAM, 0);
	size_t total = 0;

	(void)state;
	fill(7);
	assert_int_equal(xmit_dev_set_mtu(far[0], 1100), 0);
	assert_int_equal(xmit_bind(c_host, l, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(xmit_listen(c_host, l, 1), 0);
	assert_int_equal(xmit_connect(a, fd, (struct sockaddr *)&to, sizeof(to)), 0);
	int in = xmit_accept(c_host, l, NULL, NULL);
	assert_int_equal(xmit_send(a, fd, sent, sizeof(sent), 0), sizeof(sent));
	while (total < sizeof(sent)) {
		ssize_t n = xmit_recv(c_host, in, got + total, sizeof(got) - total, 0);
		assert_true(n > 0);
		total += (size_t)n;
	}
	assert_memory_equal(got, sent, sizeof(sent));
	assert_true(counter(b, "IcmpOutDestUnreachs") > 0);
	assert_int_equal(counter(b, "IpFragOKs"), 0);
	xmit_close(a, fd);
	xmit_close(c_host, in);
	xmit_close(c_host, l);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define ROUTER_TEST(f) cmocka_unit_test_setup_teardown(f, setup_router, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(routes), TEST(addresses), TEST(source_goes), TEST(fragments), TEST(reassembly), TEST(reassembly_time), TEST(reassembly_memory),
		TEST(echo), TEST(port_unreachable), TEST(rate_limit), TEST(dead_neighbour), ROUTER_TEST(forwarding), ROUTER_TEST(path_mtu),
		ROUTER_TEST(tcp_path_mtu), TEST(multicast), TEST(broadcast), TEST(loopback), TEST(device_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
