/* SPDX-License-Identifier: MIT */
/*
 * test_neigh.c - neighbours and ARP (N1 to N4), and loopback: the states and their times, waiting packets in order and bounded, failure
 * reported, what is answered and learnt, table bounds, devices without ARP.  IP is the few functions below: we are 192.0.2.1/24.
 */
#include "dev_fixture.h"
#include "drivers/drivers.h"
#include "xmit/control.h"

#define OURS CPU_TO_BE32(0xc0000201)
#define PEER CPU_TO_BE32(0xc0000202)

static unsigned failures;
static bool ip_is_local(struct net_device *dev, be32 a) { (void)dev; return a == OURS; }
static be32 ip_source_for(struct net_device *dev, be32 target, const struct sk_buff *skb) { (void)dev, (void)target, (void)skb; return OURS; }
static uint8_t ip_addr_type(struct net *net, struct net_device *dev, be32 a)
{
	(void)net, (void)dev;
	if (ipv4_is_multicast(a))
		return 5;
	return a == CPU_TO_BE32(0xc00002ff) ? 3 : a == OURS ? 2 : 1;
}
static void ip_link_failure(struct sk_buff *skb) { (void)skb; failures++; }
static const struct arp_ip_ops ip_ops = {ip_is_local, ip_source_for, ip_addr_type, ip_link_failure};

static struct fixture *neigh_new(struct net_device **dev)
{
	struct fixture *fx = fx_new();

	failures = 0;
	arp_register_ip(fx->net, &ip_ops);
	*dev = toy_new(fx, 0);
	return fx;
}

static struct neighbour *entry(struct net_device *dev, be32 addr)
{
	union inet_addr key = inet_addr_v4(addr);

	return neigh_lookup(dev->net, AF_INET, &key, dev);
}

static int send_to(struct net_device *dev, be32 addr, uint8_t mark)
{
	union inet_addr key = inet_addr_v4(addr);
	struct neighbour *n = neigh_lookup_or_create(dev->net, AF_INET, &key, dev);
	struct sk_buff *skb;

	if (!n)
		return -ENOBUFS;
	skb = alloc_skb(dev->net, LL_RESERVED_SPACE(dev), 100, 0);
	memset(skb_put(skb, 100), mark, 100);
	skb_reset_network_header(skb);
	skb->dev = dev;
	skb->protocol = CPU_TO_BE16(ETH_P_IP);
	return neigh_output(n, skb);
}

static struct arphdr arp_of(const xmit_skb *skb)
{
	struct arphdr arp;

	assert_int_equal(get_be16(skb->data + 12), ETH_P_ARP);
	memcpy(&arp, skb->data + ETH_HLEN, sizeof(arp));
	return arp;
}

static void arp_in(struct fixture *fx, struct net_device *dev, uint16_t op, be32 sip, be32 tip, const uint8_t *sha, const uint8_t *dest)
{
	uint8_t f[ETH_HLEN + sizeof(struct arphdr)];
	struct arphdr arp = {.ar_hrd = CPU_TO_BE16(1), .ar_pro = CPU_TO_BE16(ETH_P_IP), .ar_hln = 6, .ar_pln = 4, .ar_op = cpu_to_be16(op),
			     .ar_sip = sip, .ar_tip = tip};

	memcpy(arp.ar_sha, sha, 6);
	memcpy(f, dest, 6);
	memcpy(f + 6, sha, 6);
	put_be16(f + 12, ETH_P_ARP);
	memcpy(f + ETH_HLEN, &arp, sizeof(arp));
	toy_receive(dev, xmit_skb_rx_copy(dev, f, sizeof(f)));
	fx_poll(fx);
}

static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};

/* Packets wait for the answer and leave in order; then the cached header is used. */
static void test_resolve(void **state)
{
	struct net_device *dev;
	struct fixture *fx = neigh_new(&dev);
	struct arphdr arp;

	(void)state;
	for (uint8_t i = 0; i < 5; i++)
		assert_int_equal(send_to(dev, PEER, i), 0);
	assert_int_equal(toy_sent(dev), 1);
	arp = arp_of(toy_frame(dev, 0));
	assert_int_equal(arp.ar_op, CPU_TO_BE16(ARPOP_REQUEST));
	assert_int_equal(arp.ar_sip, OURS);
	assert_int_equal(arp.ar_tip, PEER);
	assert_memory_equal(toy_frame(dev, 0)->data, everybody, 6);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_INCOMPLETE);
	arp_in(fx, dev, ARPOP_REPLY, PEER, OURS, peer_mac, toy_mac);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_REACHABLE);
	assert_int_equal(toy_sent(dev), 6);
	for (uint8_t i = 0; i < 5; i++) {
		assert_int_equal(frame_mark(toy_frame(dev, i + 1u)), i);
		assert_memory_equal(toy_frame(dev, i + 1u)->data, peer_mac, 6);
		assert_memory_equal(toy_frame(dev, i + 1u)->data + 6, toy_mac, 6);
		assert_int_equal(get_be16(toy_frame(dev, i + 1u)->data + 12), ETH_P_IP);
	}
	assert_int_equal(entry(dev, PEER)->hh_len, ETH_HLEN);
	send_to(dev, PEER, 9);
	assert_memory_equal(toy_frame(dev, 6)->data, toy_frame(dev, 5)->data, ETH_HLEN);
	fx_free(fx);
}

/* No answer: three questions a second apart, then everything that waited is reported and dropped; a later packet asks anew. */
static void test_failure(void **state)
{
	struct net_device *dev;
	struct fixture *fx = neigh_new(&dev);
	uint64_t start = fx->clock;

	(void)state;
	send_to(dev, PEER, 0);
	send_to(dev, PEER, 1);
	fx_run_until(fx, start + 1500 * NSEC_PER_MSEC);
	assert_int_equal(toy_sent(dev), 2);
	fx_run_until(fx, start + 2500 * NSEC_PER_MSEC);
	assert_int_equal(toy_sent(dev), 3);
	assert_int_equal(failures, 0);
	fx_run_until(fx, start + 3500 * NSEC_PER_MSEC);
	assert_int_equal(toy_sent(dev), 3);
	assert_int_equal(failures, 2);
	assert_int_equal(fx->net->trace.drops[SKB_DROP_REASON_NEIGH_FAILED], 2);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_FAILED);
	assert_int_equal(xmit_next_deadline(fx->net), XMIT_NEVER);
	send_to(dev, PEER, 2);
	assert_int_equal(toy_sent(dev), 4);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_INCOMPLETE);
	fx_free(fx);
}

/* REACHABLE ages to STALE; a packet makes it DELAY; without proof it is asked alone three times, and fails; with proof it is well again. */
static void test_states(void **state)
{
	struct net_device *dev;
	struct fixture *fx = neigh_new(&dev);
	unsigned sent;

	(void)state;
	send_to(dev, PEER, 0);
	arp_in(fx, dev, ARPOP_REPLY, PEER, OURS, peer_mac, toy_mac);
	fx_run(fx, 14 * NSEC_PER_SEC);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_REACHABLE); /* at least half of 30 s */
	fx_run(fx, 32 * NSEC_PER_SEC);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_STALE);
	send_to(dev, PEER, 1);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_DELAY);
	neigh_confirm(entry(dev, PEER), fx->net->now_ns);
	fx_run(fx, 6 * NSEC_PER_SEC);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_REACHABLE);
	fx_run(fx, 60 * NSEC_PER_SEC);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_STALE);
	send_to(dev, PEER, 2);
	sent = toy_sent(dev);
	fx_run(fx, 5500 * NSEC_PER_MSEC);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_PROBE);
	assert_int_equal(toy_sent(dev), sent + 1);
	assert_memory_equal(toy_frame(dev, sent)->data, peer_mac, 6); /* unicast */
	arp_in(fx, dev, ARPOP_REPLY, PEER, OURS, peer_mac, toy_mac);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_REACHABLE);
	fx_run(fx, 60 * NSEC_PER_SEC);
	send_to(dev, PEER, 3);
	sent = toy_sent(dev);
	fx_run(fx, 10 * NSEC_PER_SEC);
	assert_int_equal(toy_sent(dev), sent + 3);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_FAILED);
	fx_free(fx);
}

/* The waiting queue is bounded in bytes; the oldest give way. */
static void test_queue_bound(void **state)
{
	struct net_device *dev;
	struct fixture *fx = neigh_new(&dev);
	unsigned kept;

	(void)state;
	assert_int_equal(sysctl_set(fx->net, "net.ipv4.neigh.default.unres_qlen_bytes", "10000", NULL, 0), 0);
	for (uint8_t i = 0; i < 50; i++)
		send_to(dev, PEER, i);
	kept = entry(dev, PEER)->arp_queue.qlen;
	assert_in_range(kept, 2, 20);
	assert_int_equal(fx->net->trace.drops[SKB_DROP_REASON_NEIGH_QUEUEFULL], 50 - kept);
	assert_int_equal(fx->net->mib.counter[MIB_NeighUnresolvedDiscards], 50 - kept);
	arp_in(fx, dev, ARPOP_REPLY, PEER, OURS, peer_mac, toy_mac);
	assert_int_equal(frame_mark(toy_frame(dev, 1)), 50 - kept);
	fx_free(fx);
}

static void test_answering(void **state)
{
	static const uint8_t other[6] = {2, 0, 0, 0, 0, 9}, group[6] = {1, 0, 0, 0, 0, 9};
	struct net_device *dev;
	struct fixture *fx = neigh_new(&dev);
	struct arphdr arp;

	(void)state;
	/* A question for us is answered to who asked, and he is remembered. */
	arp_in(fx, dev, ARPOP_REQUEST, PEER, OURS, peer_mac, everybody);
	assert_int_equal(toy_sent(dev), 1);
	arp = arp_of(toy_frame(dev, 0));
	assert_int_equal(arp.ar_op, CPU_TO_BE16(ARPOP_REPLY));
	assert_int_equal(arp.ar_tip, PEER);
	assert_memory_equal(arp.ar_sha, toy_mac, 6);
	assert_memory_equal(toy_frame(dev, 0)->data, peer_mac, 6);
	assert_int_equal(entry(dev, PEER)->nud_state, NUD_STALE);
	/* One for others is not, and nobody new is learnt. */
	arp_in(fx, dev, ARPOP_REQUEST, PEER + CPU_TO_BE32(7), PEER + CPU_TO_BE32(8), other, everybody);
	assert_int_equal(toy_sent(dev), 1);
	assert_null(entry(dev, PEER + CPU_TO_BE32(7)));
	/* A probe for duplicates is answered, and leaves nothing. */
	arp_in(fx, dev, ARPOP_REQUEST, 0, OURS, other, everybody);
	assert_int_equal(toy_sent(dev), 2);
	assert_null(entry(dev, 0));
	/* Within the lock time a second answer does not replace the first; an announcement does. */
	arp_in(fx, dev, ARPOP_REPLY, PEER, OURS, other, toy_mac);
	assert_memory_equal(entry(dev, PEER)->ha, peer_mac, 6);
	arp_in(fx, dev, ARPOP_REQUEST, PEER, PEER, other, everybody);
	assert_memory_equal(entry(dev, PEER)->ha, other, 6);
	/* A group is nobody's address; our own address is not learnt. */
	arp_in(fx, dev, ARPOP_REQUEST, PEER, OURS, group, everybody);
	arp_in(fx, dev, ARPOP_REQUEST, OURS, PEER, other, everybody);
	assert_int_equal(toy_sent(dev), 2);
	assert_int_equal(fx->net->trace.drops[SKB_DROP_REASON_ARP_MALFORMED], 1);
	assert_null(entry(dev, OURS));
	arp_announce(dev, OURS);
	arp = arp_of(toy_frame(dev, 2));
	assert_int_equal(arp.ar_sip, OURS);
	assert_int_equal(arp.ar_tip, OURS);
	fx_free(fx);
}

/* Every byte of the fixed fields wrong, every length: counted, not believed. */
static void test_malformed(void **state)
{
	struct net_device *dev;
	struct fixture *fx = neigh_new(&dev);
	uint8_t good[ETH_HLEN + sizeof(struct arphdr)] = {0};
	struct arphdr arp = {.ar_hrd = CPU_TO_BE16(1), .ar_pro = CPU_TO_BE16(ETH_P_IP), .ar_hln = 6, .ar_pln = 4,
			     .ar_op = CPU_TO_BE16(ARPOP_REQUEST), .ar_sip = PEER, .ar_tip = OURS};

	(void)state;
	memcpy(arp.ar_sha, peer_mac, 6);
	memcpy(good, everybody, 6);
	memcpy(good + 6, peer_mac, 6);
	put_be16(good + 12, ETH_P_ARP);
	memcpy(good + ETH_HLEN, &arp, sizeof(arp));
	for (unsigned n = ETH_HLEN; n < sizeof(good); n++) {
		toy_receive(dev, xmit_skb_rx_copy(dev, good, n));
		fx_poll(fx);
	}
	for (unsigned at = ETH_HLEN; at < ETH_HLEN + 8; at++) {
		uint8_t f[sizeof(good)];

		memcpy(f, good, sizeof(f));
		f[at] ^= 0x40;
		toy_receive(dev, xmit_skb_rx_copy(dev, f, sizeof(f)));
		fx_poll(fx);
	}
	assert_int_equal(toy_sent(dev), 0);
	assert_int_equal(fx->net->trace.drops[SKB_DROP_REASON_ARP_MALFORMED], sizeof(struct arphdr) + 8);
	fx_free(fx);
}

/* Threshold 3 holds while nothing is old enough, then the oldest make room; a permanent one does not count. */
static void test_table_bounds(void **state)
{
	struct net_device *dev;
	struct fixture *fx = neigh_new(&dev);
	struct in_addr fixed = {.s_addr = CPU_TO_BE32(0xc6120001)};

	(void)state;
	xmit_dev_down(dev); /* nothing is sent: only the table grows */
	xmit_dev_up(dev);
	assert_int_equal(xmit_neigh_add(dev, fixed, peer_mac), 0);
	for (uint32_t i = 0; i < 1100; i++) {
		int rc = send_to(dev, cpu_to_be32(0xc6130000 + i), 0);

		assert_int_equal(rc == -ENOBUFS, i >= 1024);
		toy_complete(fx, dev, 8);
	}
	assert_int_equal(fx->net->mib.counter[MIB_NeighTableOverflows], 1100 - 1024);
	fx_run(fx, 10 * NSEC_PER_SEC);
	assert_int_equal(send_to(dev, cpu_to_be32(0xc6140000), 0), 0);
	assert_non_null(entry(dev, (be32)fixed.s_addr));
	assert_int_equal(xmit_neigh_del(dev, fixed), 0);
	assert_int_equal(xmit_neigh_del(dev, fixed), -1);
	assert_int_equal(errno, ENOENT);
	fx_free(fx);
}

/* The device goes down while packets wait: dropped, entries gone, holders keep a dead one. */
static void test_device_gone(void **state)
{
	struct net_device *dev;
	struct fixture *fx = neigh_new(&dev);
	struct neighbour *n;

	(void)state;
	send_to(dev, PEER, 0);
	n = neigh_hold(entry(dev, PEER));
	xmit_dev_free(dev);
	assert_true(n->dead);
	assert_int_equal(fx->net->trace.drops[SKB_DROP_REASON_NEIGH_DEAD], 1);
	struct sk_buff *skb = alloc_skb(fx->net, 64, 10, 0);
	skb_put(skb, 10);
	assert_true(neigh_output(n, skb) < 0);
	neigh_release(n);
	fx_free(fx);
}

static void test_broadcast_and_multicast(void **state)
{
	static const uint8_t group[6] = {1, 0, 0x5e, 0x01, 2, 3};
	struct net_device *dev;
	struct fixture *fx = neigh_new(&dev);

	(void)state;
	send_to(dev, CPU_TO_BE32(0xc00002ff), 0);
	assert_memory_equal(toy_frame(dev, 0)->data, everybody, 6);
	send_to(dev, CPU_TO_BE32(0xe0010203), 0);
	assert_memory_equal(toy_frame(dev, 1)->data, group, 6);
	fx_free(fx);
}

static unsigned looped;
static const uint8_t *looped_head;
static int loop_rcv(struct sk_buff *skb, struct net_device *dev)
{
	(void)dev;
	looped++;
	looped_head = skb->head;
	assert_int_equal(skb->pkt_type, PACKET_HOST);
	assert_int_equal(skb->ip_summed, CHECKSUM_PARTIAL);
	assert_null(skb->destructor);
	skb_consume(skb);
	return 0;
}
static struct packet_type loop_packet = {.type = ETH_P_IP, .func = loop_rcv};
static unsigned freed;
static void loop_destructor(struct sk_buff *skb) { (void)skb; freed++; }

/* Loopback: nothing goes up from inside the sending call; the same bytes come back in; the owner is released first. */
static void test_loopback(void **state)
{
	struct fixture *fx = fx_new();
	struct net_device *lo = xmit_loopback_new(fx->net);
	union inet_addr key = inet_addr_v4(CPU_TO_BE32(0x7f000001));
	struct sk_buff *skb;
	const uint8_t *head;

	(void)state;
	looped = freed = 0;
	assert_non_null(lo);
	assert_int_equal(lo->mtu, 65536);
	assert_int_equal(xmit_dev_up(lo), 0);
	dev_add_pack(fx->net, &loop_packet);
	skb = alloc_skb(fx->net, LL_RESERVED_SPACE(lo), 100, 0);
	skb_put(skb, 100);
	skb_reset_network_header(skb);
	skb->dev = lo;
	skb->protocol = CPU_TO_BE16(ETH_P_IP);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->destructor = loop_destructor;
	head = skb->head;
	assert_int_equal(neigh_output(neigh_lookup_or_create(fx->net, AF_INET, &key, lo), skb), 0);
	assert_int_equal(looped + freed, 0);
	fx_poll(fx);
	assert_int_equal(looped, 1);
	assert_int_equal(freed, 1);
	assert_ptr_equal(looped_head, head);
	assert_int_equal(lo->stats.tx_packets, 1);
	assert_int_equal(lo->stats.rx_bytes, 114);
	fx_free(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve), cmocka_unit_test(test_failure), cmocka_unit_test(test_states), cmocka_unit_test(test_queue_bound),
		cmocka_unit_test(test_answering), cmocka_unit_test(test_malformed), cmocka_unit_test(test_table_bounds),
		cmocka_unit_test(test_device_gone), cmocka_unit_test(test_broadcast_and_multicast), cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
