/* SPDX-License-Identifier: MIT */
/* test_qdisc.c - queueing disciplines and the run loop to the driver (Q1, Q2, Q3, Q4): order, bounds, busy drivers, nothing lost. */
#include "dev_fixture.h"

static int xsend(struct net_device *dev, uint8_t mark, uint32_t priority)
{
	return dev_queue_xmit(frame_new(dev, mark, 100, priority));
}

static uint64_t drops(const struct fixture *fx, enum skb_drop_reason r) { return fx->net->trace.drops[r]; }

/* An empty pfifo_fast is passed by; the frame is with the driver when dev_queue_xmit() returns. */
static void test_bypass(void **state)
{
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, 0);
	struct xmit_qdisc_stats st;

	(void)state;
	assert_int_equal(xsend(dev, 1, 0), 0);
	assert_int_equal(toy_sent(dev), 1);
	assert_int_equal(xmit_qdisc_stats(dev, 0, &st), 0);
	assert_string_equal(st.kind, "pfifo_fast");
	assert_int_equal(st.packets, 1);
	assert_int_equal(st.bytes, 114);
	assert_int_equal(st.qlen_packets, 0);
	assert_int_equal(st.priomap[0], 1);
	assert_int_equal(st.priomap[6], 0);
	assert_int_equal(st.priomap[2], 2);
	toy_complete(fx, dev, 1);
	assert_int_equal(dev->stats.tx_packets, 1);
	assert_int_equal(dev->stats.tx_bytes, 114);
	fx_free(fx);
}

/* Bands: interactive (6) before best effort (0) before bulk (2), whatever the order of arrival; first in, first out within a band. */
static void test_pfifo_fast_bands(void **state)
{
	static const uint8_t want[] = {0, 6, 7, 3, 4, 1, 2};
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, 0);

	(void)state;
	toy_of(dev)->room = 1;
	toy_of(dev)->stop_when_full = true;
	xsend(dev, 0, 0); /* fills the ring */
	xsend(dev, 1, 2);
	xsend(dev, 2, 2);
	xsend(dev, 3, 0);
	xsend(dev, 4, 0);
	xsend(dev, 6, 6);
	xsend(dev, 7, 7);
	assert_int_equal(toy_sent(dev), 1);
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		assert_int_equal(toy_sent(dev), i + 1);
		assert_int_equal(frame_mark(toy_frame(dev, i)), want[i]);
		toy_complete(fx, dev, 1);
	}
	fx_free(fx);
}

/* Busy at every frame of a list: all arrive once, in order. */
static void test_busy_keeps_order(void **state)
{
	for (unsigned stops = 0; stops < 2; stops++) {
		struct fixture *fx = fx_new();
		struct net_device *dev = toy_new(fx, 0);
		struct xmit_qdisc_stats st;

		(void)state;
		toy_of(dev)->room = 3;
		toy_of(dev)->stop_when_full = stops;
		for (unsigned i = 0; i < 50; i++)
			assert_int_equal(xsend(dev, (uint8_t)i, 0), 0);
		for (unsigned i = 0; i < 50; i++) {
			toy_complete(fx, dev, 1);
			fx_run(fx, 2 * NSEC_PER_MSEC);
		}
		assert_int_equal(toy_sent(dev), 50);
		for (unsigned i = 0; i < 50; i++)
			assert_int_equal(toy_of(dev)->mark[i], i);
		assert_int_equal(xmit_qdisc_stats(dev, 0, &st), 0);
		assert_int_equal(st.packets, 50);
		assert_int_equal(st.qlen_packets, 0);
		assert_int_equal(st.backlog_bytes, 0);
		assert_int_equal(st.drops, 0);
		assert_true(stops || st.requeues);
		assert_int_equal(dev->stats.tx_packets, 50);
		fx_free(fx);
	}
}

/* Busy without a stop is asked again after a millisecond, not at once. */
static void test_busy_retry(void **state)
{
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, 0);

	(void)state;
	toy_of(dev)->busy = 2;
	for (uint8_t i = 0; i < 5; i++)
		xsend(dev, i, 0);
	fx_poll(fx);
	assert_int_equal(toy_of(dev)->busy, 0);
	fx_run(fx, 5 * NSEC_PER_MSEC);
	assert_int_equal(toy_sent(dev), 5);
	for (uint8_t i = 0; i < 5; i++)
		assert_int_equal(frame_mark(toy_frame(dev, i)), i);
	fx_free(fx);
}

/* One doorbell for a batch that waited. */
static void test_xmit_more(void **state)
{
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, 0);

	(void)state;
	toy_of(dev)->room = 1;
	toy_of(dev)->stop_when_full = true;
	for (uint8_t i = 0; i < 9; i++)
		xsend(dev, i, 0);
	assert_int_equal(toy_of(dev)->doorbells, 1);
	toy_of(dev)->room = TOY_RING;
	toy_complete(fx, dev, 1);
	assert_int_equal(toy_sent(dev), 9);
	assert_int_equal(toy_of(dev)->doorbells, 2);
	fx_free(fx);
}

static void test_limits(void **state)
{
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, 0);
	struct xmit_qdisc_stats st;

	(void)state;
	toy_of(dev)->room = 1;
	toy_of(dev)->stop_when_full = true;
	assert_int_equal(xmit_qdisc_set(dev, "pfifo", 3), 0);
	for (uint8_t i = 0; i < 10; i++)
		assert_int_equal(xsend(dev, i, 0), i < 4 ? NET_XMIT_SUCCESS : NET_XMIT_DROP);
	assert_int_equal(drops(fx, SKB_DROP_REASON_QDISC_DROP), 6);
	xmit_qdisc_stats(dev, 0, &st);
	assert_int_equal(st.qlen_packets, 3);
	assert_int_equal(st.drops, 6);
	/* The change drops what waits. */
	assert_int_equal(xmit_qdisc_set(dev, "bfifo", 250), 0);
	assert_int_equal(drops(fx, SKB_DROP_REASON_QDISC_RESET), 3);
	for (uint8_t i = 0; i < 4; i++)
		assert_int_equal(xsend(dev, i, 0), i < 2 ? NET_XMIT_SUCCESS : NET_XMIT_DROP);
	/* None may wait: none passes either, although the device has room. */
	toy_of(dev)->room = 10;
	assert_int_equal(xmit_qdisc_set(dev, "pfifo", XMIT_QDISC_NOTHING), 0);
	assert_int_equal(xsend(dev, 1, 0), NET_XMIT_DROP);
	assert_int_equal(xmit_qdisc_set(dev, "bfifo", XMIT_QDISC_NOTHING), 0);
	assert_int_equal(xsend(dev, 1, 0), NET_XMIT_DROP);
	assert_int_equal(xmit_qdisc_set(dev, "nosuch", 0), -1);
	assert_int_equal(errno, ENOENT);
	fx_free(fx);
}

static void test_noqueue(void **state)
{
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, 0);

	(void)state;
	assert_int_equal(xmit_qdisc_set(dev, "noqueue", 0), 0);
	toy_of(dev)->room = 2;
	assert_int_equal(xsend(dev, 0, 0), 0);
	assert_int_equal(xsend(dev, 1, 0), 0);
	assert_int_equal(xsend(dev, 2, 0), -ENETDOWN);
	assert_int_equal(drops(fx, SKB_DROP_REASON_FULL_RING), 1);
	fx_free(fx);
}

/* Down: what waits is dropped with the reason, sending fails at once; no carrier: dropped, no error for the sender. */
static void test_device_down(void **state)
{
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, 0);

	(void)state;
	toy_of(dev)->room = 1;
	toy_of(dev)->stop_when_full = true;
	for (uint8_t i = 0; i < 5; i++)
		xsend(dev, i, 0);
	assert_int_equal(xmit_dev_down(dev), 0);
	assert_int_equal(drops(fx, SKB_DROP_REASON_DEV_READY), 5);
	assert_int_equal(xsend(dev, 0, 0), -ENETDOWN);
	assert_int_equal(drops(fx, SKB_DROP_REASON_DEV_READY), 6);
	assert_int_equal(xmit_dev_up(dev), 0);
	assert_int_equal(xsend(dev, 0, 0), 0);
	toy_complete(fx, dev, 1);
	xmit_dev_carrier(dev, false);
	assert_int_equal(net_xmit_eval(xsend(dev, 0, 0)), 0);
	assert_int_equal(drops(fx, SKB_DROP_REASON_DEV_READY), 7);
	xmit_dev_carrier(dev, true);
	assert_int_equal(xsend(dev, 0, 0), 0);
	fx_free(fx);
}

/* More than a quota waits: several rounds of NET_TX, none lost. */
static void test_quota(void **state)
{
	struct fixture *fx = fx_new();
	struct net_device *dev = toy_new(fx, 0);

	(void)state;
	toy_of(dev)->room = 1;
	toy_of(dev)->stop_when_full = true;
	for (unsigned i = 0; i < 501; i++)
		xsend(dev, (uint8_t)i, 0);
	toy_of(dev)->room = TOY_RING;
	toy_complete(fx, dev, 1);
	assert_int_equal(toy_sent(dev), 501);
	for (unsigned i = 1; i < 501; i++)
		assert_int_equal(frame_mark(toy_frame(dev, i)), (uint8_t)i);
	fx_free(fx);
}

/* Several queues: a flow stays on one of them. */
static void test_queue_choice(void **state)
{
	struct fixture *fx = fx_new();
	const struct xmit_dev_desc desc = {.size = sizeof(desc), .name = "mq%d", .type = XMIT_DEV_ETHER, .ops = &toy_ops,
					   .priv_size = sizeof(struct toy), .tx_queues = 4};
	struct net_device *dev = xmit_dev_new(fx->net, &desc);
	unsigned used = 0;

	(void)state;
	assert_non_null(dev);
	toy_of(dev)->room = TOY_RING;
	xmit_dev_up(dev);
	for (uint32_t flow = 1; flow <= 64; flow++) {
		for (unsigned i = 0; i < 2; i++) {
			struct sk_buff *skb = frame_new(dev, 0, 50, 0);

			skb->hash = flow * 0x9e3779b9u;
			dev_queue_xmit(skb);
		}
		assert_int_equal(toy_frame(dev, 2 * flow - 2)->queue_mapping, toy_frame(dev, 2 * flow - 1)->queue_mapping);
	}
	for (unsigned i = 0; i < 4; i++)
		used += dev->tx[i].tx_packets > 0;
	assert_int_equal(used, 4);
	fx_free(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bypass), cmocka_unit_test(test_pfifo_fast_bands), cmocka_unit_test(test_busy_keeps_order),
		cmocka_unit_test(test_busy_retry), cmocka_unit_test(test_xmit_more), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_noqueue), cmocka_unit_test(test_device_down), cmocka_unit_test(test_quota),
		cmocka_unit_test(test_queue_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
