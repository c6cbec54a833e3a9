/* SPDX-License-Identifier: MIT */
/*
 * packet.c - the packet device: packets out by a function of the embedder, packets in by a call (VPNs, tunnels, tun2socks).
 *
 * start_xmit() appends to a short ring and, at the doorbell, hands each packet to out(); what out() took is completed in
 * poll(), as by every other driver.  When out() says "not now" the ring holds, fills and stops the queue, until xmit_packet_writable().
 * Packets in are copied into a bounded queue by xmit_packet_input(), which may be called at any time outside the instance's own
 * calls, and go up from poll().
 */
#include "drivers/drivers.h"
#include "lib/compiler.h"
#include "lib/list.h"
#include "xmit/dev.h"
#include <errno.h>
#include <string.h>

enum { RING_SIZE = 256, INPUT_MOST = 1024, PIECES_MOST = 20, PACKET_BYTES_MOST = 65536 + 64 };

struct packet_dev {
	xmit_dev *dev;
	struct xmit_packet_config config;
	xmit_skb *ring[RING_SIZE];
	uint32_t posted, sent, reaped;   /* running indices: reaped <= sent <= posted */
	bool blocked;                    /* out() said -EAGAIN */
	xmit_skb *input[INPUT_MOST];
	uint32_t in_head, in_tail;
};

static void push_out(struct packet_dev *p)
{
	while (p->sent != p->posted && !p->blocked) {
		xmit_skb *skb = p->ring[p->sent % RING_SIZE];
		struct xmit_offload o;
		struct iovec iov[PIECES_MOST];
		int n = xmit_skb_iov(skb, iov, PIECES_MOST);

		xmit_skb_offload(skb, &o);
		int err = n < 0 ? -EMSGSIZE : PROVE_BREAKS("D3") ? 0 : p->config.out(p->config.ctx, iov, n, &o);
		if (err == -EAGAIN) {
			p->blocked = true;
			break;
		}
		if (err)
			xmit_dev_count_tx_error(p->dev);
		if (p->config.orphan)
			xmit_skb_orphan(skb);
		p->sent++;
	}
	if (p->sent != p->reaped)
		xmit_dev_schedule(p->dev, 0);
}

static int packet_start_xmit(xmit_dev *dev, xmit_skb *skb, unsigned queue, bool more)
{
	struct packet_dev *p = xmit_dev_priv(dev);

	if (p->posted - p->reaped == RING_SIZE)
		return XMIT_TX_BUSY;
	p->ring[p->posted++ % RING_SIZE] = skb;
	xmit_skb_tx_posted(dev, queue, skb);
	if (p->posted - p->reaped == RING_SIZE) {
		xmit_dev_tx_stop(dev, queue);
		more = false;
	}
	if (!more)
		push_out(p);
	return XMIT_TX_OK;
}

static int packet_poll(xmit_dev *dev, unsigned queue, int budget)
{
	struct packet_dev *p = xmit_dev_priv(dev);
	int n = 0;

	while (p->reaped != p->sent)
		xmit_skb_tx_done(dev, queue, p->ring[p->reaped++ % RING_SIZE]);
	if (xmit_dev_tx_stopped(dev, queue) && p->posted - p->reaped <= RING_SIZE / 2)
		xmit_dev_tx_wake(dev, queue);
	for (; n < budget && p->in_head != p->in_tail; n++)
		xmit_dev_receive(dev, queue, p->input[p->in_head++ % INPUT_MOST]);
	return n;
}

static bool packet_ready(xmit_dev *dev)
{
	struct packet_dev *p = xmit_dev_priv(dev);

	return p->in_head != p->in_tail || p->reaped != p->sent;
}

static uint64_t packet_next_event(xmit_dev *dev)
{
	return packet_ready(dev) ? 0 : XMIT_NEVER;
}

static void packet_stop(xmit_dev *dev)
{
	struct packet_dev *p = xmit_dev_priv(dev);

	while (p->reaped != p->posted)
		xmit_skb_tx_failed(dev, 0, p->ring[p->reaped++ % RING_SIZE]);
	p->sent = p->posted;
	while (p->in_head != p->in_tail)
		xmit_skb_rx_free(dev, p->input[p->in_head++ % INPUT_MOST]);
	p->blocked = false;
}

static const struct xmit_dev_ops packet_ops = {
	.size = sizeof(packet_ops),
	.stop = packet_stop,
	.start_xmit = packet_start_xmit,
	.poll = packet_poll,
	.ready = packet_ready,
	.next_event = packet_next_event,
};

static int packet_init(xmit_dev *dev, void *arg)
{
	struct packet_dev *p = xmit_dev_priv(dev);

	p->dev = dev;
	p->config = *(const struct xmit_packet_config *)arg;
	return 0;
}

xmit_dev *xmit_packet_new(xmit_net *net, const struct xmit_packet_config *config)
{
	struct xmit_packet_config c = {0};

	if (!config || config->size < sizeof(size_t) || config->size > sizeof(c)) {
		errno = EINVAL;
		return NULL;
	}
	memcpy(&c, config, config->size);
	if (!c.out || c.type > XMIT_DEV_NONE) {
		errno = EINVAL;
		return NULL;
	}
	struct xmit_dev_desc desc = {
		.size = sizeof(desc),
		.name = c.name ? c.name : c.type == XMIT_DEV_NONE ? "tun%d" : "eth%d",
		.type = c.type,
		.ops = &packet_ops,
		.priv_size = sizeof(struct packet_dev),
		.features = c.features | XMIT_F_COPIES,
		.mtu = c.mtu,
		.init_arg = &c,
		.init = packet_init,
	};
	memcpy(desc.mac, c.mac, sizeof(desc.mac));
	xmit_dev *dev = xmit_dev_new(net, &desc);
	if (dev)
		xmit_dev_carrier(dev, true);
	return dev;
}

static size_t total_bytes(const struct iovec *iov, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

int xmit_packet_input(xmit_dev *dev, const struct iovec *iov, int n, const struct xmit_offload *o)
{
	struct packet_dev *p = xmit_dev_priv(dev);
	size_t len = total_bytes(iov, n);

	if (!len || len > PACKET_BYTES_MOST) {
		errno = EMSGSIZE;
		return -1;
	}
	if (p->in_tail - p->in_head == INPUT_MOST) {
		xmit_dev_count_rx_error(dev);
		errno = ENOBUFS;
		return -1;
	}
	xmit_skb *skb = xmit_skb_rx_linear(dev, iov, n);
	if (!skb) {
		errno = ENOMEM;
		return -1;
	}
	if (o)
		xmit_skb_set_offload(skb, o);
	p->input[p->in_tail++ % INPUT_MOST] = skb;
	xmit_dev_schedule(dev, 0);
	return 0;
}

void xmit_packet_writable(xmit_dev *dev)
{
	struct packet_dev *p = xmit_dev_priv(dev);

	p->blocked = false;
	push_out(p);
}
