/* SPDX-License-Identifier: MIT */
/*
 * test_gso.c - software segmentation (T5): every byte once and in order, payload shared with scatter-gather and counted when copied, the
 * owner given back with the last segment, every allocation failing in turn.  The test stands in for IP and TCP with an offload of its own.
 */
#include "dev_fixture.h"
#include "core/sock.h"

enum { HEADERS = 20 + 20, MSS = 1460, PAYLOAD = 40 * MSS + 700 };

static struct sk_buff *test_gso_segment(struct sk_buff *skb, uint32_t features, int *err)
{
	struct sk_buff *segs;
	uint32_t seq = 0;

	skb_set_transport_header(skb, 20);
	segs = skb_segment(skb, HEADERS, features, err);
	for (struct sk_buff *s = segs; s; s = s->next) {
		put_be32(skb_transport_header(s) + 4, seq);
		seq += s->len - ETH_HLEN - HEADERS;
	}
	return segs;
}

static struct packet_offload offload = {.type = ETH_P_IP, .gso_segment = test_gso_segment};

static uint8_t pattern(uint32_t i) { return (uint8_t)(i * 7 + (i >> 8)); }

/* A super-segment: link header, HEADERS of 0xee, then `linear` bytes of payload in the head and the rest in frags of `frag` bytes. */
static struct sk_buff *super_new(struct net_device *dev, unsigned linear, unsigned frag)
{
	struct sk_buff *skb = alloc_skb(dev->net, 128, HEADERS + linear, 0);
	struct page_frag pf = {NULL, 0, 0};
	uint32_t at = 0;

	assert_non_null(skb);
	memset(skb_put(skb, HEADERS), 0xee, HEADERS);
	for (; at < linear; at++)
		*(uint8_t *)skb_put(skb, 1) = pattern(at);
	while (at < PAYLOAD) {
		uint32_t n = MIN(frag, PAYLOAD - at);

		assert_true(page_frag_refill(dev->net, &pf, n, MEM_NORMAL));
		for (uint32_t i = 0; i < n; i++)
			pf.page[pf.offset + i] = pattern(at + i);
		struct frag_owner *o = page_owner(dev->net, pf.page);
		frag_owner_get(o);
		skb_add_frag(skb, pf.page + pf.offset, n, o);
		skb->truesize += n;
		pf.offset += n;
		at += n;
	}
	page_frag_release(dev->net, &pf);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, 20);
	skb->dev = dev;
	skb->protocol = CPU_TO_BE16(ETH_P_IP);
	skb->priority = 5;
	skb->skb_mstamp_ns = 12345;
	skb->trace_cookie = 9;
	skb->trace_seq = 1000;
	skb->trace_end = 1000 + PAYLOAD;
	skb_shinfo(skb)->gso_size = MSS;
	skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(PAYLOAD, MSS);
	skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4;
	dev_hard_header(skb, dev, ETH_P_IP, peer_mac, NULL);
	return skb;
}

static void check_segment(const struct sk_buff *s, uint32_t at)
{
	uint32_t n = s->len - ETH_HLEN - HEADERS;
	uint8_t buf[MSS];

	assert_true(skb_is_valid(s));
	assert_int_equal(n, MIN((uint32_t)MSS, PAYLOAD - at));
	assert_ptr_equal(skb_mac_header(s), s->data);
	assert_int_equal(skb_network_offset(s), ETH_HLEN);
	assert_int_equal((uintptr_t)skb_network_header(s) % 4, 0);
	assert_int_equal(get_be32(skb_transport_header(s) + 4), at);
	assert_memory_equal(s->data, peer_mac, 6);
	assert_int_equal(s->priority, 5);
	assert_int_equal(s->skb_mstamp_ns, 12345);
	assert_int_equal(s->trace_cookie, 9);
	assert_int_equal(s->trace_seq, 1000 + at);
	assert_int_equal(s->trace_end, 1000 + at + n);
	assert_false(skb_is_gso(s));
	assert_int_equal(skb_copy_bits(s, ETH_HLEN + HEADERS, buf, n), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(buf[i], pattern(at + i));
}

static void check_geometry(unsigned linear, unsigned frag, uint32_t features, uint64_t copied)
{
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, features);
	unsigned count = DIV_ROUND_UP(PAYLOAD, MSS);

	dev_add_offload(fx->net, &offload);
	assert_int_equal(dev_queue_xmit(super_new(dev, linear, frag)), 0);
	assert_int_equal(toy_sent(dev), count);
	for (unsigned i = 0; i < count; i++)
		check_segment(toy_frame(dev, i), i * MSS);
	assert_int_equal(fx->net->copied.gso, copied);
	assert_int_equal(fx->net->copied.linearize, 0);
	toy_complete(fx, dev, count);
	fx_free(fx);
}

static void test_shared(void **state)
{
	(void)state;
	check_geometry(0, 4096, XMIT_F_SG, 0);
	check_geometry(0, 32768, XMIT_F_SG, 0);
}

static void test_copied_without_sg(void **state)
{
	(void)state;
	check_geometry(0, 4096, 0, PAYLOAD);
	check_geometry(PAYLOAD, 1, 0, PAYLOAD);
}

/* Payload partly in the head: the segments that touch it are copied, the others shared. */
static void test_linear_part(void **state)
{
	(void)state;
	check_geometry(1000, 4096, XMIT_F_SG, MSS);
	check_geometry(2 * MSS, 4096, XMIT_F_SG, 2 * MSS);
}

/* A device that segments by itself gets it whole. */
static void test_tso_device(void **state)
{
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, XMIT_F_SG | XMIT_F_CSUM | XMIT_F_TSO);
	struct xmit_offload o;

	(void)state;
	dev_add_offload(fx->net, &offload);
	struct sk_buff *skb = super_new(dev, 0, 4096);
	tcp_set_hdrlen((struct tcphdr *)(void *)skb_transport_header(skb), 20);
	assert_int_equal(dev_queue_xmit(skb), 0);
	assert_int_equal(toy_sent(dev), 1);
	assert_int_equal(xmit_skb_len(toy_frame(dev, 0)), ETH_HLEN + HEADERS + PAYLOAD);
	xmit_skb_offload(toy_frame(dev, 0), &o);
	assert_int_equal(o.gso, XMIT_GSO_TCPV4);
	assert_int_equal(o.gso_size, MSS);
	assert_int_equal(o.hdr_len, ETH_HLEN + HEADERS);
	fx_free(fx);
}

static int destroyed;
static uint32_t destroyed_truesize;
static void count_destructor(struct sk_buff *skb)
{
	destroyed++;
	destroyed_truesize = skb->truesize;
}

/* The owner's budget comes back once, with the last segment, and whole. */
static void test_owner(void **state)
{
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, XMIT_F_SG);
	struct sk_buff *skb = super_new(dev, 0, 4096);
	uint32_t truesize = skb->truesize;
	unsigned count = DIV_ROUND_UP(PAYLOAD, MSS);

	(void)state;
	destroyed = 0;
	dev_add_offload(fx->net, &offload);
	skb->destructor = count_destructor;
	dev_queue_xmit(skb);
	assert_int_equal(destroyed, 0);
	toy_complete(fx, dev, count - 1);
	assert_int_equal(destroyed, 0);
	toy_complete(fx, dev, 1);
	assert_int_equal(destroyed, 1);
	assert_int_equal(destroyed_truesize, truesize);
	fx_free(fx);
}

/* Each allocation of the segmentation fails once: the packet is dropped whole, nothing leaks, the owner hears of it. */
static void test_allocation_failures(void **state)
{
	unsigned n = 1;

	(void)state;
	for (bool more = true; more; n++) {
		struct fixture *fx = fx_new();
		struct net_device *dev = toy_new(fx, XMIT_F_SG);
		struct sk_buff *skb = super_new(dev, 0, 4096);

		dev_add_offload(fx->net, &offload);
		skb->destructor = count_destructor;
		destroyed = 0;
		mem_fail_nth(fx->net, n);
		dev_queue_xmit(skb);
		mem_fail_nth(fx->net, 0);
		more = toy_sent(dev) == 0;
		if (more) {
			assert_int_equal(destroyed, 1);
			assert_int_equal(fx->net->trace.drops[SKB_DROP_REASON_NOMEM], 1);
		}
		fx_free(fx);
	}
	assert_true(n > 40);
}

/* No handler for the protocol: a counted drop. */
static void test_no_offload(void **state)
{
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, 0);

	(void)state;
	dev_queue_xmit(super_new(dev, 0, 4096));
	assert_int_equal(fx->net->trace.drops[SKB_DROP_REASON_SKB_GSO_SEG], 1);
	assert_int_equal(toy_sent(dev), 0);
	fx_free(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared), cmocka_unit_test(test_copied_without_sg), cmocka_unit_test(test_linear_part),
		cmocka_unit_test(test_tso_device), cmocka_unit_test(test_owner), cmocka_unit_test(test_allocation_failures),
		cmocka_unit_test(test_no_offload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
