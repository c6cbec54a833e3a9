/* SPDX-License-Identifier: MIT */
/* test_path_net.c - below the transports, over whole stacks: I1 to I5, N1 to N4, Q1 to Q4, D1 to D4. */
#include "dev/netdevice.h"
#include "ip/fib.h"
#include "neigh/neighbour.h"
#include "netfilter/netfilter.h"
#include "path.h"
#include "xmit/qdisc.h"

static int udp(xmit_net *net, uint16_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = xmit_socket(net, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(xmit_bind(net, fd, (struct sockaddr *)&any, sizeof(any)), 0);
	return fd;
}

static ssize_t send_udp(int fd, size_t n)
{
	static char bytes[65000];
	struct sockaddr_in to = sim_addr(1, 53);

	return xmit_sendto(p.a, fd, bytes, n, 0, (struct sockaddr *)&to, sizeof(to));
}

static struct neighbour *neighbour_of(xmit_net *net, xmit_dev *dev, int host)
{
	union inet_addr key = inet_addr_v4(sim_addr(host, 0).sin_addr.s_addr);

	return neigh_lookup(net, AF_INET, &key, dev);
}

static struct { unsigned packets, bytes; } out_seen;
static int packet_out(void *ctx, const struct iovec *iov, int n, const struct xmit_offload *o)
{
	(void)ctx;
	(void)o;
	out_seen.packets++;
	for (int i = 0; i < n; i++)
		out_seen.bytes += (unsigned)iov[i].iov_len;
	return 0;
}

/* --- I1: routes --------------------------------------------------------------------------------------------------------------- */

/* The next hop that a datagram to addr asks ARP for: where the route sends it. */
static uint32_t next_hop_of(int fd, uint32_t addr)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(addr)};
	unsigned from = p.n;

	assert_int_equal(xmit_sendto(p.a, fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_true(p.n > from && is_arp(&p.f[from]));
	return be_at(p.f[from].b + 38, 4);
}

static void the_longest_prefix_wins(void **state)
{
	(void)state;
	path_link(&(struct xmit_vnic_config){0});
	int u = udp(p.a, 1000);
	assert_int_equal(xmit_route_add_text(p.a, "default via 192.0.2.100"), 0);
	assert_int_equal(xmit_route_add_text(p.a, "198.18.0.0/15 via 192.0.2.101"), 0);
	assert_int_equal(xmit_route_add_text(p.a, "198.18.4.0/24 via 192.0.2.102"), 0);
	assert_int_equal(xmit_route_add_text(p.a, "198.18.4.5/32 via 192.0.2.103"), 0);
	assert_int_equal(next_hop_of(u, 0xc6336401), 0xc0000264); /* 198.51.100.1: default */
	assert_int_equal(next_hop_of(u, 0xc6130001), 0xc0000265); /* 198.19.0.1 */
	assert_int_equal(next_hop_of(u, 0xc6120404), 0xc0000266); /* 198.18.4.4 */
	assert_int_equal(next_hop_of(u, 0xc6120405), 0xc0000267); /* 198.18.4.5 */
	assert_int_equal(next_hop_of(u, 0xc0000209), 0xc0000209); /* on the link: itself */
}

static void a_socket_keeps_its_route_until_routes_change(void **state)
{
	(void)state;
	path_plain(0);
	assert_int_equal(xmit_trace_start(p.a, 10), 0);
	const uint64_t *looked_up = &p.a->trace.hits[TP_ip_route_output_flow];
	for (int i = 0; i < 3; i++) {
		assert_int_equal(xmit_write(p.a, p.c, "x", 1), 1);
		sim_run(&p.s, SIM_SEC);
	}
	assert_int_equal(*looked_up, 0);
	assert_int_equal(xmit_route_add_text(p.a, "198.51.100.0/24 via 192.0.2.2"), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(xmit_write(p.a, p.c, "x", 1), 1);
		sim_run(&p.s, SIM_SEC);
	}
	assert_int_equal(*looked_up, 1);
	assert_int_equal(drain(p.b, p.d), 6);
}

/* --- I2: the header ------------------------------------------------------------------------------------------------------------- */

static void ip_header_on_the_wire(void **state)
{
	(void)state;
	path_plain(0);
	unsigned from = p.n;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(xmit_write(p.a, p.c, "x", 1), 1);
		sim_run(&p.s, SIM_SEC);
	}
	for (unsigned i = 0; i < 3; i++) {
		const struct frame *f = nth_data(from, i);
		const uint8_t *ip = ip_of(f);
		uint32_t sum = 0;
		for (unsigned k = 0; k < 20; k += 2)
			sum += be_at(ip + k, 2);
		assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
		assert_int_equal(ip[0], 0x45);
		assert_int_equal(ip[1], 0);
		assert_int_equal(be_at(ip + 2, 2), 20 + 32 + 1);
		assert_int_equal(be_at(ip + 4, 2), (be_at(ip_of(nth_data(from, 0)) + 4, 2) + i) & 0xffff);
		assert_int_equal(be_at(ip + 6, 2), 0x4000); /* DF: the path's MTU is to be found out */
		assert_int_equal(ip[8], 64);
		assert_int_equal(ip[9], 6);
		assert_int_equal(be_at(ip + 12, 4), 0xc0000201);
		assert_int_equal(be_at(ip + 16, 4), 0xc0000202);
	}
}

/* --- I3: the hooks ----------------------------------------------------------------------------------------------------------------- */

static unsigned seen[NF_INET_NUMHOOKS], verdict[NF_INET_NUMHOOKS];
static unsigned watch(void *priv, struct sk_buff *skb, const struct nf_hook_state *state)
{
	(void)priv;
	(void)skb;
	seen[state->hook]++;
	return verdict[state->hook];
}

static void hooks_see_each_packet_and_decide(void **state)
{
	static struct nf_hook_ops ops[NF_INET_NUMHOOKS]; /* as long as they are registered */
	char buf[8];

	(void)state;
	path_link(&(struct xmit_vnic_config){0});
	int u = udp(p.a, 1000), v = udp(p.b, 53);
	assert_int_equal(send_udp(u, 1), 1);
	sim_run(&p.s, SIM_SEC);
	for (int i = 0; i < NF_INET_NUMHOOKS; i++) {
		ops[i] = (struct nf_hook_ops){.hook = watch, .pf = NFPROTO_IPV4_, .hooknum = (enum nf_hook)i};
		verdict[i] = NF_ACCEPT;
		seen[i] = 0;
		assert_int_equal(nf_register_hook(i == NF_INET_LOCAL_OUT || i == NF_INET_POST_ROUTING ? p.a : p.b, &ops[i]), 0);
	}
	assert_int_equal(send_udp(u, 1), 1);
	sim_run(&p.s, SIM_SEC);
	static const unsigned once[] = {1, 1, 0, 1, 1}; /* FORWARD: not this one */
	assert_memory_equal(seen, once, sizeof(once));
	assert_int_equal(xmit_recv(p.b, v, buf, sizeof(buf), 0), 1);
	assert_int_equal(xmit_recv(p.b, v, buf, sizeof(buf), 0), 1);
	/* Refused on the way out the sender hears of it; refused on the way in it is a counted drop. */
	verdict[NF_INET_LOCAL_OUT] = NF_DROP;
	FAILS(send_udp(u, 1), EPERM);
	verdict[NF_INET_LOCAL_OUT] = NF_ACCEPT;
	verdict[NF_INET_LOCAL_IN] = NF_DROP;
	assert_int_equal(send_udp(u, 1), 1);
	sim_run(&p.s, SIM_SEC);
	FAILS(xmit_recv(p.b, v, buf, sizeof(buf), 0), EAGAIN);
	assert_int_equal(xmit_drops(p.b, "NETFILTER_DROP"), 1);
}

/* --- I4, I5: fragments ---------------------------------------------------------------------------------------------------------------- */

static void larger_than_the_mtu_goes_in_fragments(void **state)
{
	static char in[5000];

	(void)state;
	path_link(&(struct xmit_vnic_config){0});
	int u = udp(p.a, 1000), v = udp(p.b, 53);
	assert_int_equal(send_udp(u, 1), 1);
	sim_run(&p.s, SIM_SEC);
	unsigned from = p.n;
	set_opt(p.a, u, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	assert_int_equal(send_udp(u, 4000), 4000);
	assert_int_equal(p.n - from, 3);
	unsigned at = 0;
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *ip = ip_of(&p.f[from + i]);
		assert_int_equal(be_at(ip + 4, 2), be_at(ip_of(&p.f[from]) + 4, 2));
		assert_int_equal(be_at(ip + 6, 2), (i < 2 ? 0x2000 : 0) | at / 8);
		assert_true(ip_len(&p.f[from + i]) <= 1500);
		at += ip_len(&p.f[from + i]) - 20;
	}
	assert_int_equal(at, 4008);
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(xmit_recv(p.b, v, in, sizeof(in), 0), 1);
	assert_int_equal(xmit_recv(p.b, v, in, sizeof(in), 0), 4000);
	/* With DF it does not go, and the sender learns why. */
	set_opt(p.a, u, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	FAILS(send_udp(u, 4000), EMSGSIZE);
}

static void what_is_not_valid_is_dropped_and_counted(void **state)
{
	uint8_t frame[60] = {0};
	struct iovec iov = {frame, sizeof(frame)};

	(void)state;
	path_link(&(struct xmit_vnic_config){0});
	const struct xmit_packet_config c = {.size = sizeof(c), .name = "p0", .type = XMIT_DEV_NONE, .out = packet_out};
	xmit_dev *dev = xmit_packet_new(p.b, &c);
	assert_non_null(dev);
	assert_int_equal(xmit_dev_up(dev), 0);
	/* 20 bytes of header, protocol 17, 198.18.0.1 to 192.0.2.2; the sum is wrong. */
	static const uint8_t header[20] = {0x45, 0, 0, 60, 0, 1, 0, 0, 64, 17, 0xff, 0xff, 198, 18, 0, 1, 192, 0, 2, 2};
	memcpy(frame, header, sizeof(header));
	assert_int_equal(xmit_packet_input(dev, &iov, 1, NULL), 0);
	sim_run(&p.s, SIM_MS);
	assert_int_equal(xmit_drops(p.b, "IP_CSUM"), 1);
	assert_int_equal(count_of(p.b, "IpInHdrErrors"), 1);
	assert_int_equal(count_of(p.b, "IpInDelivers"), 0);
	frame[0] = 0x55; /* version 5 is not IP at all; on a device without link header that is known from the first byte */
	assert_int_equal(xmit_packet_input(dev, &iov, 1, NULL), 0);
	sim_run(&p.s, SIM_MS);
	assert_int_equal(count_of(p.b, "IpInDelivers"), 0);
}

/* --- N: the next hop -------------------------------------------------------------------------------------------------------------------- */

static void packets_wait_for_the_address_and_leave_in_order(void **state)
{
	char buf[8];

	(void)state;
	path_link(&(struct xmit_vnic_config){.features = XMIT_VNIC_NO_OFFLOAD, .delay_ns = SIM_MS});
	int u = udp(p.a, 1000), v = udp(p.b, 53);
	sim_run(&p.s, 10 * SIM_MS);
	struct sockaddr_in to = sim_addr(1, 53);
	unsigned from = p.n;
	assert_null(neighbour_of(p.a, p.s.dev[0], 1));
	for (char i = 0; i < 5; i++)
		assert_int_equal(xmit_sendto(p.a, u, &i, 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	/* One question for all of them, to everybody. */
	assert_int_equal(p.n - from, 1);
	assert_true(is_arp(&p.f[from]));
	assert_memory_equal(p.f[from].b, "\xff\xff\xff\xff\xff\xff", 6);
	struct neighbour *n = neighbour_of(p.a, p.s.dev[0], 1);
	assert_int_equal(n->nud_state, NUD_INCOMPLETE);
	assert_int_equal(n->arp_queue.qlen, 5);
	sim_run(&p.s, 10 * SIM_MS);
	assert_int_equal(n->nud_state, NUD_REACHABLE);
	assert_memory_equal(n->ha, xmit_dev_mac(p.s.dev[1]), 6);
	for (char i = 0; i < 5; i++) {
		assert_int_equal(xmit_recv(p.b, v, buf, sizeof(buf), 0), 1);
		assert_int_equal(buf[0], i);
	}
}

static void a_reachable_neighbours_header_is_cached(void **state)
{
	(void)state;
	path_plain(0);
	sim_run(&p.s, 100 * SIM_MS);
	assert_int_equal(xmit_trace_start(p.a, 10), 0);
	unsigned from = p.n;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(xmit_write(p.a, p.c, "x", 1), 1);
		sim_run(&p.s, SIM_MS);
	}
	struct neighbour *n = neighbour_of(p.a, p.s.dev[0], 1);
	assert_int_equal(n->hh_len, 14);
	assert_true(p.a->trace.hits[TP_neigh_hh_output] >= 10);
	assert_int_equal(p.a->trace.hits[TP_neigh_resolve_output], 0);
	assert_memory_equal(nth_data(from, 9)->b, xmit_dev_mac(p.s.dev[1]), 6);
	assert_memory_equal(nth_data(from, 9)->b + 6, xmit_dev_mac(p.s.dev[0]), 6);
	assert_int_equal(be_at(nth_data(from, 9)->b + 12, 2), 0x0800);
}

static void a_used_neighbour_is_asked_again(void **state)
{
	(void)state;
	path_link(&(struct xmit_vnic_config){.features = XMIT_VNIC_NO_OFFLOAD});
	int u = udp(p.a, 1000);
	udp(p.b, 53);
	assert_int_equal(send_udp(u, 1), 1);
	sim_run(&p.s, SIM_SEC);
	struct neighbour *n = neighbour_of(p.a, p.s.dev[0], 1);
	assert_int_equal(n->nud_state, NUD_REACHABLE);
	sim_run(&p.s, 50 * SIM_SEC);
	assert_int_equal(n->nud_state, NUD_STALE);
	unsigned from = p.n;
	assert_int_equal(send_udp(u, 1), 1);
	assert_int_equal(n->nud_state, NUD_DELAY);
	sim_run(&p.s, 6 * SIM_SEC);
	/* To it alone, and it answered. */
	unsigned asked = 0;
	for (unsigned i = from; i < p.n; i++)
		if (p.f[i].out && is_arp(&p.f[i]) && be_at(p.f[i].b + 20, 2) == 1) {
			asked++;
			assert_memory_equal(p.f[i].b, xmit_dev_mac(p.s.dev[1]), 6);
		}
	assert_int_equal(asked, 1);
	assert_int_equal(n->nud_state, NUD_REACHABLE);
}

/* --- Q: queueing -------------------------------------------------------------------------------------------------------------------------- */

/* 1 Mbit/s, a ring of 8: bulk waits in the qdisc, what is interactive overtakes it there. */
static void the_interactive_band_overtakes_bulk(void **state)
{
	(void)state;
	path_link(&(struct xmit_vnic_config){.features = XMIT_VNIC_NO_OFFLOAD, .ring_size = 8, .rate_bps = 1000000});
	int bulk = udp(p.a, 1000), quick = udp(p.a, 1001);
	udp(p.b, 53);
	set_opt(p.a, bulk, IPPROTO_IP, IP_TOS, 0x08);
	set_opt(p.a, quick, IPPROTO_IP, IP_TOS, 0x10);
	assert_int_equal(send_udp(bulk, 1), 1);
	sim_run(&p.s, SIM_SEC);
	unsigned from = p.n, quick_at = 0;
	for (int i = 0; i < 30; i++)
		assert_int_equal(send_udp(bulk, 1000), 1000);
	assert_int_equal(send_udp(quick, 10), 10);
	struct xmit_qdisc_stats st;
	assert_int_equal(xmit_qdisc_stats(p.s.dev[0], 0, &st), 0);
	assert_string_equal(st.kind, "pfifo_fast");
	assert_in_range(st.qlen_packets, 20, 31);
	sim_run(&p.s, 5 * SIM_SEC);
	unsigned order = 0;
	for (unsigned i = from; i < p.n; i++) {
		if (!p.f[i].out || !is_ip(&p.f[i]))
			continue;
		if (ip_len(&p.f[i]) == 38)
			quick_at = order;
		order++;
	}
	assert_int_equal(order, 31);
	assert_in_range(quick_at, 7, 10); /* behind those in the ring, before all that waited */
}

/* --- D: the device -------------------------------------------------------------------------------------------------------------------------- */

static void a_full_ring_stops_the_queue_and_wakes_it(void **state)
{
	(void)state;
	path_link(&(struct xmit_vnic_config){.features = XMIT_VNIC_NO_OFFLOAD, .ring_size = 8, .rate_bps = 10000000});
	int u = udp(p.a, 1000), v = udp(p.b, 53);
	set_opt(p.b, v, SOL_SOCKET, SO_RCVBUF, 200000);
	assert_int_equal(send_udp(u, 1), 1);
	sim_run(&p.s, SIM_SEC);
	unsigned from = p.n;
	for (int i = 0; i < 50; i++)
		assert_int_equal(send_udp(u, 500), 500);
	struct net_device *dev = p.s.dev[0];
	assert_true(xmit_dev_tx_stopped(dev, 0));
	assert_in_range(p.n - from, 6, 8);
	struct xmit_dev_stats before, after;
	xmit_dev_stats(dev, &before);
	sim_run(&p.s, SIM_SEC);
	xmit_dev_stats(dev, &after);
	assert_false(xmit_dev_tx_stopped(dev, 0));
	assert_int_equal(p.n - from, 50);
	/* Each was completed, later; and nothing lies below any more. */
	assert_int_equal(after.tx_packets - before.tx_packets, 50);
	assert_int_equal(sk_of(p.a, u)->sk_wmem_alloc, 1);
	unsigned got = 0;
	char buf[600];
	while (xmit_recv(p.b, v, buf, sizeof(buf), 0) > 0)
		got++;
	assert_int_equal(got, 51);
}

static void a_segment_is_the_sockets_until_completion(void **state)
{
	static char big[PATH_MSS];

	(void)state;
	path_link(&(struct xmit_vnic_config){.features = XMIT_VNIC_NO_OFFLOAD, .rate_bps = 1000000});
	path_connect();
	struct sock *sk = sk_of(p.a, p.c);
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	assert_true(sk->sk_wmem_alloc > sizeof(big));
	sim_run(&p.s, 11 * SIM_MS); /* a frame takes 12.1 ms */
	assert_true(sk->sk_wmem_alloc > sizeof(big));
	sim_run(&p.s, 2 * SIM_MS);
	assert_int_equal(sk->sk_wmem_alloc, 1);
}

static void a_device_goes_down_and_up(void **state)
{
	struct xmit_dev_stats st;

	(void)state;
	path_plain(0);
	assert_int_equal(xmit_dev_features(p.s.dev[0]) & (XMIT_F_TSO | XMIT_F_CSUM | XMIT_F_SG), 0);
	assert_int_equal(xmit_dev_mtu(p.s.dev[0]), 1500);
	assert_int_equal(xmit_dev_down(p.s.dev[0]), 0);
	unsigned from = p.n;
	int u = udp(p.a, 1000);
	FAILS(send_udp(u, 1), ENETUNREACH);
	assert_int_equal(xmit_write(p.a, p.c, "x", 1), 1); /* TCP waits for better times */
	sim_run(&p.s, SIM_SEC);
	assert_int_equal(p.n, from);
	assert_int_equal(xmit_dev_up(p.s.dev[0]), 0);
	sim_run(&p.s, 10 * SIM_SEC);
	assert_int_equal(drain(p.b, p.d), 1);
	xmit_dev_stats(p.s.dev[0], &st);
	assert_true(st.tx_packets > 0 && st.rx_packets > 0);
	/* An skb that is on its way when the device has gone is dropped by name. */
	assert_int_equal(xmit_dev_set_mtu(p.s.dev[0], 600), 0);
	static char big[1000];
	from = p.n;
	assert_int_equal(xmit_write(p.a, p.c, big, sizeof(big)), sizeof(big));
	sim_run(&p.s, SIM_SEC);
	for (unsigned i = from; i < p.n; i++)
		assert_true(p.f[i].len <= 600 + 14);
}

/* The carrier goes while a neighbour still stands: what reaches the queue is dropped there, with its reason. */
static void without_carrier_frames_are_dropped_by_name(void **state)
{
	(void)state;
	path_plain(0);
	unsigned from = p.n;
	p.s.dev[0]->flags &= ~(uint32_t)IFF_UP_; /* as the device looks while it is being taken down */
	xmit_write(p.a, p.c, "x", 1);
	p.s.dev[0]->flags |= IFF_UP_;
	assert_int_equal(p.n, from);
	assert_int_equal(xmit_drops(p.a, "DEV_READY"), 1);
}

/* Two functions are a device: what goes out of one host's comes in at the other's. */
static void a_packet_device_is_two_functions(void **state)
{
	/* 198.18.0.9 to 198.18.0.1, UDP from port 9 to port 53, no checksum, "in". */
	static uint8_t in[] = {0x45, 0, 0, 30, 0, 1, 0, 0, 64, 17, 0, 0, 198, 18, 0, 9, 198, 18, 0, 1, 0, 9, 0, 53, 0, 10, 0, 0, 'i', 'n'};
	struct xmit_packet_config c = {.size = sizeof(c), .name = "p0", .type = XMIT_DEV_NONE, .out = packet_out};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0xc6120009)};
	struct iovec iov = {in, sizeof(in)};
	uint32_t sum = 0;
	char buf[8];

	(void)state;
	path_link(&(struct xmit_vnic_config){0});
	xmit_dev *dev = xmit_packet_new(p.a, &c);
	assert_non_null(dev);
	assert_int_equal(xmit_dev_up(dev), 0);
	assert_int_equal(xmit_addr_add_text(dev, "198.18.0.1/24"), 0);
	int u = udp(p.a, 53);
	sim_run(&p.s, SIM_MS);
	out_seen.packets = out_seen.bytes = 0;
	assert_int_equal(xmit_sendto(p.a, u, "out", 3, 0, (struct sockaddr *)&to, sizeof(to)), 3);
	assert_int_equal(out_seen.packets, 1);
	assert_int_equal(out_seen.bytes, 20 + 8 + 3);
	for (unsigned i = 0; i < 20; i += 2)
		sum += be_at(in + i, 2);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	in[10] = (uint8_t)(sum >> 8);
	in[11] = (uint8_t)sum;
	assert_int_equal(xmit_packet_input(dev, &iov, 1, NULL), 0);
	sim_run(&p.s, SIM_MS);
	assert_int_equal(xmit_recv(p.a, u, buf, sizeof(buf), 0), 2);
	assert_memory_equal(buf, "in", 2);
}

/* 400 frames wait; each xmit_poll() takes its budget of them, and says that there is more. */
static void poll_keeps_to_its_budget(void **state)
{
	struct xmit_packet_config c = {.size = sizeof(c), .name = "p0", .type = XMIT_DEV_NONE, .out = packet_out};
	uint8_t bad[20] = {0x45};
	struct iovec iov = {bad, sizeof(bad)};
	uint64_t before;

	(void)state;
	path_link(&(struct xmit_vnic_config){0});
	xmit_dev *dev = xmit_packet_new(p.a, &c);
	assert_non_null(dev);
	assert_int_equal(xmit_dev_up(dev), 0);
	while (xmit_poll(p.a, 0) > 0)
		;
	for (int i = 0; i < 400; i++)
		assert_int_equal(xmit_packet_input(dev, &iov, 1, NULL), 0);
	unsigned polls = 0;
	do {
		before = count_of(p.a, "IpInReceives");
		polls++;
		if (xmit_poll(p.a, 20) <= 0)
			break;
		assert_in_range(count_of(p.a, "IpInReceives") - before, 1, 20);
	} while (polls < 1000);
	assert_int_equal(count_of(p.a, "IpInReceives"), 400);
	assert_in_range(polls, 20, 60);
	/* However large the budget: no device has more than 64 frames a turn. */
	assert_int_equal(xmit_poll(p.a, 1 << 20), -1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, NULL, path_end)
	const struct CMUnitTest tests[] = {
		T(the_longest_prefix_wins), T(a_socket_keeps_its_route_until_routes_change), T(ip_header_on_the_wire), T(hooks_see_each_packet_and_decide),
		T(larger_than_the_mtu_goes_in_fragments), T(what_is_not_valid_is_dropped_and_counted), T(packets_wait_for_the_address_and_leave_in_order),
		T(a_reachable_neighbours_header_is_cached), T(a_used_neighbour_is_asked_again), T(the_interactive_band_overtakes_bulk),
		T(a_full_ring_stops_the_queue_and_wakes_it), T(a_segment_is_the_sockets_until_completion), T(a_device_goes_down_and_up),
		T(without_carrier_frames_are_dropped_by_name), T(a_packet_device_is_two_functions), T(poll_keeps_to_its_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
