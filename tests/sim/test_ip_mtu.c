/* SPDX-License-Identifier: MIT */
/* test_ip_mtu.c - packets that are too long or go further: fragments and their reassembly, forwarding, path MTU. */
#include "ip_pair.h"

/* --- fragments ------------------------------------------------------------------------------------------------------------ */

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

#define ROUTER_TEST(f) cmocka_unit_test_setup_teardown(f, setup_router, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(fragments), T(reassembly), T(reassembly_time), T(reassembly_memory), ROUTER_TEST(forwarding), ROUTER_TEST(path_mtu),
		ROUTER_TEST(tcp_path_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
