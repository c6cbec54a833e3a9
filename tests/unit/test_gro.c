/* SPDX-License-Identifier: MIT */
/*
 * test_gro.c - reception up to the protocol (D2, D4): merging without copying in every geometry, order between flows and within, bounds,
 * checks of what a device says.  The test stands in for IP and TCP with a small offload: a flow is the byte after the IP header.
 */
#include "dev_fixture.h"

enum { HEADERS = 20 + 20, MSS = 1448 };

struct got {
	unsigned n, len[512], segs[512], size[512];
	uint8_t flow[512];
	bool intact;
};
static struct got got;

static uint8_t pattern(uint32_t i) { return (uint8_t)(i * 13 + (i >> 9)); }
static uint32_t seq_of(const struct sk_buff *skb) { return get_be32(skb_network_header(skb) + 24); }
static uint8_t flow_of(const struct sk_buff *skb) { return skb_network_header(skb)[20]; }

static struct sk_buff *test_gro_receive(struct napi_struct *napi, struct sk_buff *skb)
{
	uint32_t payload = skb->len - HEADERS;

	for (struct sk_buff *p = napi->gro_list; p; p = p->next) {
		if (!NAPI_GRO_CB(p)->same_flow || flow_of(p) != flow_of(skb))
			continue;
		if (seq_of(p) + p->len - HEADERS != seq_of(skb) || skb_gro_merge(p, skb, HEADERS)) {
			return p; /* not in order, or full: up with it; the new one is held */
		}
		return payload < MSS ? p : NULL;
	}
	return NULL;
}
static void test_gro_complete(struct sk_buff *skb, unsigned nhoff) { (void)skb, (void)nhoff; }
static struct packet_offload offload = {.type = ETH_P_IP, .gro_receive = test_gro_receive, .gro_complete = test_gro_complete};

static int test_rcv(struct sk_buff *skb, struct net_device *dev)
{
	uint32_t seq = seq_of(skb);

	(void)dev;
	assert_true(skb_is_valid(skb));
	got.flow[got.n] = flow_of(skb);
	got.len[got.n] = skb->len - HEADERS;
	got.segs[got.n] = skb_shinfo(skb)->gso_segs;
	got.size[got.n] = skb_shinfo(skb)->gso_size;
	for (uint32_t i = 0; i < skb->len - HEADERS; i++) {
		uint8_t b;

		assert_int_equal(skb_copy_bits(skb, HEADERS + i, &b, 1), 0);
		got.intact &= b == pattern(seq + i);
	}
	got.n++;
	skb_consume(skb);
	return 0;
}
static struct packet_type ip_packet = {.type = ETH_P_IP, .func = test_rcv};

static struct fixture *gro_new(struct net_device **dev)
{
	struct fixture *fx = fx_new();

	got = (struct got){.intact = true};
	*dev = toy_new(fx, XMIT_F_GRO | XMIT_F_RXCSUM);
	dev_add_offload(fx->net, &offload);
	dev_add_pack(fx->net, &ip_packet);
	return fx;
}

static unsigned build(uint8_t *f, uint8_t flow, uint32_t seq, unsigned payload)
{
	memcpy(f, toy_mac, 6);
	memcpy(f + 6, peer_mac, 6);
	put_be16(f + 12, ETH_P_IP);
	memset(f + 14, 0, HEADERS);
	f[14] = 0x45;
	put_be16(f + 16, (uint16_t)(HEADERS + payload));
	f[14 + 9] = 6;
	f[14 + 20] = flow;
	put_be32(f + 14 + 24, seq);
	f[14 + 32] = 0x50;
	for (unsigned i = 0; i < payload; i++)
		f[ETH_HLEN + HEADERS + i] = pattern(seq + i);
	return ETH_HLEN + HEADERS + payload;
}

static void in_copied(struct net_device *dev, uint8_t flow, uint32_t seq, unsigned payload)
{
	uint8_t f[2048];
	unsigned n = build(f, flow, seq, payload);
	xmit_skb *skb = xmit_skb_rx_copy(dev, f, n);

	assert_non_null(skb);
	toy_receive(dev, skb);
}

static void in_pages(struct net_device *dev, uint8_t flow, uint32_t seq, unsigned payload)
{
	struct iovec iov[2];
	int used, n = xmit_rx_buffers(dev, 2048 + 10, iov, 2);
	xmit_skb *skb;

	assert_int_equal(n, 1);
	skb = xmit_skb_rx_buffers(dev, iov, n, 10, build((uint8_t *)iov[0].iov_base + 10, flow, seq, payload), &used);
	assert_non_null(skb);
	xmit_rx_buffers_free(dev, iov + used, n - used);
	toy_receive(dev, skb);
}

static void in_linear(struct net_device *dev, uint8_t flow, uint32_t seq, unsigned payload)
{
	struct sk_buff *skb = alloc_skb(dev->net, 66, 2048, 0);

	assert_non_null(skb);
	build(skb_put(skb, ETH_HLEN + HEADERS + payload), flow, seq, payload);
	skb->dev = dev;
	toy_receive(dev, skb);
}

static void check_merge(void (*in)(struct net_device *, uint8_t, uint32_t, unsigned))
{
	struct net_device *dev;
	struct fixture *fx = gro_new(&dev);
	uint64_t copied;

	for (unsigned i = 0; i < 40; i++)
		in(dev, 1, i * MSS, MSS);
	copied = fx->net->copied.device;
	fx_poll(fx);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.len[0], 40 * MSS);
	assert_int_equal(got.segs[0], 40);
	assert_int_equal(got.size[0], MSS);
	assert_true(got.intact);
	assert_int_equal(fx->net->copied.device, copied);
	assert_int_equal(fx->net->copied.linearize + fx->net->copied.rx_small, 0);
	fx_free(fx);
}

static void test_merge_copied(void **state) { (void)state; check_merge(in_copied); }
static void test_merge_pages(void **state) { (void)state; check_merge(in_pages); }
static void test_merge_linear(void **state) { (void)state; check_merge(in_linear); }

/* Small ones are copied into the held packet. */
static void test_merge_small(void **state)
{
	struct net_device *dev;
	struct fixture *fx = gro_new(&dev);

	(void)state;
	in_linear(dev, 1, 0, 50);
	in_linear(dev, 1, 50, 100);
	in_linear(dev, 1, 150, 100);
	fx_poll(fx);
	assert_int_equal(got.n, 2); /* one short of the MSS ends the run */
	assert_int_equal(got.len[0], 150);
	assert_int_equal(got.len[1], 100);
	assert_true(got.intact);
	assert_int_equal(fx->net->copied.rx_small, 100);
	fx_free(fx);
}

/* Two flows interleaved are merged apart; a gap ends a run; more flows than are held still come all. */
static void test_flows(void **state)
{
	struct net_device *dev;
	struct fixture *fx = gro_new(&dev);
	unsigned total = 0;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		in_copied(dev, 1, i * MSS, MSS);
		in_copied(dev, 2, i * MSS, MSS);
	}
	fx_poll(fx);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.flow[0], 1);
	assert_int_equal(got.flow[1], 2);
	assert_int_equal(got.len[0], 10 * MSS);
	got.n = 0;
	in_copied(dev, 1, 0, MSS);
	in_copied(dev, 1, 5 * MSS, MSS);
	fx_poll(fx);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.segs[0], 0);
	got.n = 0;
	for (uint8_t flow = 0; flow < 30; flow++)
		in_copied(dev, flow, 0, MSS);
	fx_poll(fx);
	assert_int_equal(got.n, 30);
	for (unsigned i = 0; i < got.n; i++)
		total += got.len[i];
	assert_int_equal(total, 30 * MSS);
	assert_true(got.intact);
	fx_free(fx);
}

/* Never longer than an IP packet can say. */
static void test_bound(void **state)
{
	struct net_device *dev;
	struct fixture *fx = gro_new(&dev);

	(void)state;
	for (unsigned i = 0; i < 60; i++)
		in_pages(dev, 1, i * MSS, MSS);
	fx_poll(fx);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.len[0], 45 * MSS);
	assert_int_equal(got.len[1], 15 * MSS);
	assert_true(got.intact);
	fx_free(fx);
}

/* What a device says of a super-segment is checked; nonsense is a counted drop. */
static void test_device_gso(void **state)
{
	struct net_device *dev;
	struct fixture *fx = gro_new(&dev);
	uint8_t f[ETH_HLEN + HEADERS + 1500];
	struct xmit_offload o = {.gso = XMIT_GSO_TCPV4, .gso_size = 100, .csum_valid = true};
	xmit_skb *skb;

	(void)state;
	build(f, 1, 0, 1500);
	skb = xmit_skb_rx_copy(dev, f, sizeof(f));
	xmit_skb_set_offload(skb, &o);
	assert_int_equal(skb->ip_summed, CHECKSUM_UNNECESSARY);
	toy_receive(dev, skb);
	fx_poll(fx);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.segs[0], 15);
	for (unsigned field = 0; field < 4; field++) {
		build(f, 1, 0, 1500);
		if (field == 0)
			f[14] = 0x42;
		else if (field == 1)
			f[14 + 9] = 17;
		else if (field == 2)
			f[14 + 32] = 0x40;
		else
			put_be16(f + 12, ETH_P_IPV6);
		skb = xmit_skb_rx_copy(dev, f, sizeof(f));
		xmit_skb_set_offload(skb, &o);
		toy_receive(dev, skb);
		fx_poll(fx);
		assert_int_equal(dev->stats.rx_errors, field + 1);
	}
	o = (struct xmit_offload){.needs_csum = true, .csum_start = 65000, .csum_offset = 16};
	skb = xmit_skb_rx_copy(dev, f, sizeof(f));
	xmit_skb_set_offload(skb, &o);
	assert_int_equal(skb->ip_summed, CHECKSUM_NONE);
	xmit_skb_rx_free(dev, skb);
	fx_free(fx);
}

/* Frames of every length from nothing: no crash, each counted. */
static void test_truncated(void **state)
{
	struct net_device *dev;
	struct fixture *fx = gro_new(&dev);
	uint8_t f[ETH_HLEN + HEADERS + 300];

	(void)state;
	build(f, 1, 0, 300);
	put_be16(f + 12, 0x88b5);
	for (unsigned n = 0; n <= sizeof(f); n++) {
		xmit_skb *skb = xmit_skb_rx_copy(dev, f, n);

		assert_non_null(skb);
		toy_receive(dev, skb);
		fx_poll(fx);
	}
	assert_int_equal(dev->stats.rx_packets, sizeof(f) + 1);
	assert_int_equal(dev->stats.rx_errors, ETH_HLEN);
	assert_int_equal(fx->net->trace.drops[SKB_DROP_REASON_UNHANDLED_PROTO], sizeof(f) + 1 - ETH_HLEN);
	fx_free(fx);
}

static void test_backlog_bound(void **state)
{
	struct net_device *dev;
	struct fixture *fx = gro_new(&dev);

	(void)state;
	for (unsigned i = 0; i < 1200; i++) {
		struct sk_buff *skb = frame_new(dev, 0, 20, 0);

		skb_pull(skb, ETH_HLEN);
		skb->mac_header = 0;
		assert_int_equal(netif_rx(skb), i < 1000 ? 0 : -ENOBUFS);
	}
	assert_int_equal(fx->net->trace.drops[SKB_DROP_REASON_CPU_BACKLOG], 200);
	fx_poll(fx);
	assert_int_equal(fx->net->trace.drops[SKB_DROP_REASON_UNHANDLED_PROTO], 1000);
	fx_free(fx);
}

/* The device goes with packets in every place; the budget of one poll is kept; no re-entry. */
static void test_poll(void **state)
{
	struct net_device *dev;
	struct fixture *fx = gro_new(&dev);

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		in_copied(dev, (uint8_t)i, 0, MSS);
	assert_int_equal(xmit_poll(fx->net, 10), 1);
	assert_in_range(got.n, 10, 20);
	assert_int_equal(xmit_next_deadline(fx->net), fx->net->now_ns);
	xmit_dev_free(dev);
	fx_poll(fx);
	assert_true(fx->net->trace.drops[SKB_DROP_REASON_DEV_READY] > 150);
	fx->net->in_user_callback = true;
	assert_int_equal(xmit_poll(fx->net, 0), -1);
	assert_int_equal(errno, EDEADLK);
	fx->net->in_user_callback = false;
	fx_free(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge_copied), cmocka_unit_test(test_merge_pages), cmocka_unit_test(test_merge_linear),
		cmocka_unit_test(test_merge_small), cmocka_unit_test(test_flows), cmocka_unit_test(test_bound),
		cmocka_unit_test(test_device_gso), cmocka_unit_test(test_truncated), cmocka_unit_test(test_backlog_bound),
		cmocka_unit_test(test_poll),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
