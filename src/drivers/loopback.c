/* SPDX-License-Identifier: MIT */
/*
 * loopback.c - "lo": what is sent comes back in.
 *
 * start_xmit() posts to a ring; poll() takes each skb out, which is at once its transmit completion and its reception
 * (xmit_skb_tx_loop: the same skb turned round, no copy).  So a sender's small-queue budget comes back as with any device, and nothing
 * above is entered from inside start_xmit().  When the ring is full the frame is lost, as Linux loses it when its backlog is.
 */
#include "drivers/drivers.h"
#include <errno.h>

enum { RING_SIZE = 1024 }; /* a power of two, so that running indices may wrap */

struct loopback {
	xmit_skb **ring;
	uint32_t posted, taken; /* running indices: taken <= posted <= taken + RING_SIZE */
};

static int loopback_open(xmit_dev *dev)
{
	struct loopback *lo = xmit_dev_priv(dev);

	lo->posted = lo->taken = 0;
	lo->ring = xmit_dev_alloc(dev, RING_SIZE * sizeof(*lo->ring));
	return lo->ring ? 0 : -ENOMEM;
}

static void loopback_stop(xmit_dev *dev)
{
	struct loopback *lo = xmit_dev_priv(dev);

	while (lo->taken != lo->posted)
		xmit_skb_tx_failed(dev, 0, lo->ring[lo->taken++ % RING_SIZE]);
	xmit_dev_mem_free(dev, lo->ring);
	lo->ring = NULL;
}

static int loopback_xmit(xmit_dev *dev, xmit_skb *skb, unsigned queue, bool more)
{
	struct loopback *lo = xmit_dev_priv(dev);

	if (lo->posted - lo->taken == RING_SIZE) {
		xmit_skb_tx_failed(dev, queue, skb);
		return XMIT_TX_OK;
	}
	lo->ring[lo->posted++ % RING_SIZE] = skb;
	xmit_skb_tx_posted(dev, queue, skb);
	if (!more)
		xmit_dev_schedule(dev, queue);
	return XMIT_TX_OK;
}

static int loopback_poll(xmit_dev *dev, unsigned queue, int budget)
{
	struct loopback *lo = xmit_dev_priv(dev);
	int work = 0;

	while (work < budget && lo->taken != lo->posted) {
		xmit_skb_tx_loop(dev, queue, lo->ring[lo->taken++ % RING_SIZE]);
		work++;
	}
	return work;
}

static const struct xmit_dev_ops loopback_ops = {
	.size = sizeof(loopback_ops),
	.open = loopback_open,
	.stop = loopback_stop,
	.start_xmit = loopback_xmit,
	.poll = loopback_poll,
};

xmit_dev *xmit_loopback_new(xmit_net *net)
{
	const struct xmit_dev_desc desc = {
		.size = sizeof(desc),
		.name = "lo",
		.type = XMIT_DEV_LOOPBACK,
		.ops = &loopback_ops,
		.priv_size = sizeof(struct loopback),
		.features = XMIT_F_SG | XMIT_F_CSUM | XMIT_F_TSO | XMIT_F_RXCSUM | XMIT_F_LOOPBACK | XMIT_F_LLTX,
	};

	return xmit_dev_new(net, &desc);
}
