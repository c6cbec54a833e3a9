/* SPDX-License-Identifier: MIT */
/*
 * dev_fixture.h - for the tests of dev/, sched/, neigh/: an instance up to the neighbour layer under a virtual clock, and a toy device.
 *
 * The toy has a ring of `room` skbs; it is busy for the next `busy` calls; sent frames stay in order in `ring` until the test completes
 * them (toy_complete: in the device's poll, as every driver).  What the test puts into `rx` is received by the same poll.
 */
#ifndef XMIT_TESTS_DEV_FIXTURE_H
#define XMIT_TESTS_DEV_FIXTURE_H

#include "test.h"
#include "core/sysctl.h"
#include "dev/gro.h"
#include "dev/softirq.h"
#include "neigh/neighbour.h"
#include "sched/sch_generic.h"
#include "wire/arp.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include <sys/socket.h>

enum { FX_MEMORY = 8 << 20, TOY_RING = 2048 };

struct fixture {
	struct net *net;
	void *arena;
	uint64_t clock, seed;
	unsigned received;
	struct sk_buff *last_received; /* kept for the test to look at and consume */
};

struct toy {
	xmit_skb *ring[TOY_RING];
	uint8_t mark[TOY_RING];        /* of each frame ever posted, by running index */
	unsigned head, tail, complete; /* running indices; complete: how many the next poll finishes */
	unsigned room, busy, doorbells;
	bool stop_when_full;
	xmit_skb *rx[256];
	unsigned rx_head, rx_tail;
};

static uint64_t fx_now(void *ctx) { return ((struct fixture *)ctx)->clock; }
static void fx_random(void *ctx, void *buf, size_t n)
{
	struct fixture *fx = ctx;
	uint8_t *p = buf;

	while (n--) {
		fx->seed = fx->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		*p++ = (uint8_t)(fx->seed >> 56);
	}
}
static void *fx_reserve(void *ctx, size_t n)
{
	struct fixture *fx = ctx;
	uintptr_t p;

	fx->arena = calloc(1, n + (256 << 10));
	p = ((uintptr_t)fx->arena + (256 << 10) - 1) & ~(uintptr_t)((256 << 10) - 1);
	return (void *)p;
}
static void fx_release(void *ctx, void *p, size_t n)
{
	(void)p;
	(void)n;
	free(((struct fixture *)ctx)->arena);
}
static void fx_discard(void *ctx, void *p, size_t n) { (void)ctx, (void)p, (void)n; }
static void fx_log(void *ctx, const char *line) { (void)ctx, (void)line; }

static inline struct fixture *fx_new(void)
{
	struct fixture *fx = calloc(1, sizeof(*fx));
	struct net *net = calloc(1, sizeof(*net));

	fx->net = net;
	fx->seed = 1;
	fx->clock = 1000 * NSEC_PER_SEC;
	net->env = (struct xmit_env){.size = sizeof(net->env), .ctx = fx, .now_ns = fx_now, .realtime_ns = fx_now, .random = fx_random,
				     .reserve = fx_reserve, .release = fx_release, .discard = fx_discard, .log = fx_log};
	net_clock_update(net);
	assert_int_equal(mem_init(net, FX_MEMORY), 0);
	assert_int_equal(timers_init(net), 0);
	assert_int_equal(sysctl_init(net), 0);
	assert_int_equal(skb_init(net), 0);
	assert_int_equal(softirq_init(net), 0);
	assert_int_equal(netdev_init(net), 0);
	assert_int_equal(sched_init(net), 0);
	assert_int_equal(neigh_init(net), 0);
	return fx;
}

/* Every skb and object must be gone: what is alive after the layers have exited is a leak. */
static inline void fx_free(struct fixture *fx)
{
	struct net *net = fx->net;

	net->dying = true;
	netdev_shutdown(net);
	skb_consume(fx->last_received);
	neigh_exit(net);
	sched_exit(net);
	netdev_exit(net);
	softirq_exit(net);
	skb_exit(net);
	sysctl_exit(net);
	timers_exit(net);
	assert_int_equal(mem_report_live(net), 0);
	mem_exit(net);
	free(net);
	free(fx);
}

static inline void fx_poll(struct fixture *fx)
{
	for (unsigned i = 0; xmit_poll(fx->net, 300) == 1; i++)
		assert_true(i < 1000); /* no spinning */
}

/* Runs until the clock stands at `until`, event by event. */
static inline void fx_run_until(struct fixture *fx, uint64_t until)
{
	for (;;) {
		uint64_t next;

		fx_poll(fx);
		next = xmit_next_deadline(fx->net);
		if (next > until)
			break;
		fx->clock = MAX(next, fx->clock);
	}
	fx->clock = until;
	fx_poll(fx);
}
static inline void fx_run(struct fixture *fx, uint64_t ns) { fx_run_until(fx, fx->clock + ns); }

static inline uint8_t frame_mark(const xmit_skb *skb) { return skb->data[ETH_HLEN]; }

/* --- the toy device -------------------------------------------------------------------------------------------- */

static int toy_xmit(xmit_dev *dev, xmit_skb *skb, unsigned queue, bool more)
{
	struct toy *t = xmit_dev_priv(dev);

	if (t->busy || t->tail - t->head >= t->room) {
		if (t->busy)
			t->busy--;
		return XMIT_TX_BUSY;
	}
	t->mark[t->tail % TOY_RING] = skb->len > ETH_HLEN && !skb_is_nonlinear(skb) ? frame_mark(skb) : 0;
	t->ring[t->tail++ % TOY_RING] = skb;
	xmit_skb_tx_posted(dev, queue, skb);
	if (t->stop_when_full && t->tail - t->head >= t->room)
		xmit_dev_tx_stop(dev, queue);
	if (!more)
		t->doorbells++;
	return XMIT_TX_OK;
}

static int toy_poll(xmit_dev *dev, unsigned queue, int budget)
{
	struct toy *t = xmit_dev_priv(dev);
	int work = 0;

	while (t->complete && t->head != t->tail) {
		t->complete--;
		xmit_skb_tx_done(dev, queue, t->ring[t->head++ % TOY_RING]);
	}
	if (xmit_dev_tx_stopped(dev, queue) && t->tail - t->head < t->room)
		xmit_dev_tx_wake(dev, queue);
	for (; work < budget && t->rx_head != t->rx_tail; work++)
		xmit_dev_receive(dev, queue, t->rx[t->rx_head++ % 256]);
	return work;
}

static void toy_stop(xmit_dev *dev)
{
	struct toy *t = xmit_dev_priv(dev);

	while (t->head != t->tail)
		xmit_skb_tx_failed(dev, 0, t->ring[t->head++ % TOY_RING]);
	while (t->rx_head != t->rx_tail)
		xmit_skb_rx_free(dev, t->rx[t->rx_head++ % 256]);
}

static const struct xmit_dev_ops toy_ops = {.size = sizeof(toy_ops), .start_xmit = toy_xmit, .poll = toy_poll, .stop = toy_stop};
static const uint8_t toy_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};

static inline struct net_device *toy_new(struct fixture *fx, uint32_t features)
{
	const struct xmit_dev_desc desc = {.size = sizeof(desc), .name = "eth%d", .type = XMIT_DEV_ETHER, .ops = &toy_ops,
					   .priv_size = sizeof(struct toy), .features = features, .mac = {2, 0, 0, 0, 0, 1}};
	struct net_device *dev = xmit_dev_new(fx->net, &desc);

	assert_non_null(dev);
	((struct toy *)xmit_dev_priv(dev))->room = TOY_RING;
	assert_int_equal(xmit_dev_up(dev), 0);
	return dev;
}

static inline struct toy *toy_of(struct net_device *dev) { return xmit_dev_priv(dev); }
static inline unsigned toy_sent(struct net_device *dev) { return toy_of(dev)->tail; }
static inline xmit_skb *toy_frame(struct net_device *dev, unsigned i) { return toy_of(dev)->ring[i % TOY_RING]; }
static inline void toy_complete(struct fixture *fx, struct net_device *dev, unsigned n)
{
	toy_of(dev)->complete = n;
	xmit_dev_schedule(dev, 0);
	fx_poll(fx);
}
static inline void toy_receive(struct net_device *dev, xmit_skb *skb)
{
	struct toy *t = toy_of(dev);

	t->rx[t->rx_tail++ % 256] = skb;
	xmit_dev_schedule(dev, 0);
}

/* A frame of an unknown EtherType whose first payload byte is `mark`. */
static inline struct sk_buff *frame_new(struct net_device *dev, uint8_t mark, unsigned payload, uint32_t priority)
{
	struct sk_buff *skb = alloc_skb(dev->net, LL_RESERVED_SPACE(dev), payload, 0);

	assert_non_null(skb);
	skb_reset_network_header(skb);
	memset(skb_put(skb, payload), mark, payload);
	skb->dev = dev;
	skb->protocol = CPU_TO_BE16(0x88b5); /* local experimental */
	skb->priority = priority;
	assert_int_equal(dev_hard_header(skb, dev, 0x88b5, peer_mac, NULL), ETH_HLEN);
	return skb;
}

#endif
