/* SPDX-License-Identifier: MIT */
/*
 * vnic.c - a pair of ring NICs in memory, joined by a line with delay, rate and injectable faults (vnic_link.c).
 *
 * Each end is a NIC of its own instance.  start_xmit() posts an skb to the TX ring, a descriptor for each frame: a super-segment that the device is
 * not to cut is cut here, its headers laid down beside the ring.  The doorbell (no xmit_more) puts the posted descriptors on the line;
 * poll() reaps completions and hands up the frames that have arrived.
 *
 * Time is the instances' common clock; next_event() says when something is due, so a whole network runs under a virtual clock.
 */
#include "drivers/drivers.h"
#include "drivers/vnic.h"
#include "lib/compiler.h"
#include "xmit/dev.h"
#include <errno.h>
#include <string.h>

enum {
	RING_DEFAULT = 256,
	RING_LEAST = 8,
	RING_MOST = 4096,
	QUEUE_BYTES_DEFAULT = 1 << 20,
	CUT_SHARE = 4,     /* a super-segment takes at most this part of the ring */
	CUT_MOST = 256,
};
#define WATCHDOG_NS UINT64_C(100000000) /* a lost completion is noticed after this long */
#define REORDER_DEFAULT_NS UINT64_C(1000000)
#define VNIC_FEATURES (XMIT_F_SG | XMIT_F_CSUM | XMIT_F_TSO | XMIT_F_RXCSUM | XMIT_F_GRO)

static void ring_doorbell(struct vnic_end *e)
{
	uint32_t mask = e->config.ring_size - 1;
	uint64_t now = xmit_dev_now(e->dev);
	bool interrupt = false;

	for (; e->rung != e->posted; e->rung++) {
		struct vnic_desc *d = &e->ring[e->rung & mask];
		d->done_ns = vnic_link_send(e, d, now);
		d->no_interrupt = vnic_fault(e, e->config.lost_completion_ppm);
		interrupt |= !d->no_interrupt && d->done_ns <= now;
	}
	e->segs_used = 0;
	if (interrupt)
		xmit_dev_schedule(e->dev, 0);
}

static inline unsigned cut_frames(const struct xmit_vnic_config *c) { return MIN(c->ring_size / CUT_SHARE, (unsigned)CUT_MOST); }

/* A descriptor for each frame of a super-segment; the ring has the room. */
static void post_cut(struct vnic_end *e, xmit_skb *skb, unsigned frames)
{
	uint32_t mask = e->config.ring_size - 1;
	struct xmit_cut cut;

	if (e->segs_used + frames > cut_frames(&e->config))
		ring_doorbell(e);
	xmit_cut_begin(&cut, e->dev, skb);
	for (unsigned i = 1; i <= frames; i++) {
		struct xmit_seg *seg = &e->segs[e->segs_used++];
		struct vnic_desc *d = &e->ring[e->posted++ & mask];

		xmit_cut_next(&cut, seg);
		d->skb = skb; /* the doorbell sets the rest */
		d->seg = seg;
		d->ends = i == frames;
	}
}

static void post(struct vnic_end *e, xmit_skb *skb)
{
	struct vnic_desc *d = &e->ring[e->posted++ & (e->config.ring_size - 1)];

	d->skb = skb;
	d->seg = NULL;
	d->ends = true;
}

static int vnic_start_xmit(xmit_dev *dev, xmit_skb *skb, unsigned queue, bool more)
{
	struct vnic_end *e = xmit_dev_priv(dev);
	unsigned frames = xmit_skb_frames(dev, skb);
	uint32_t room = e->config.ring_size - (e->posted - e->reaped);

	if (unlikely(frames > cut_frames(&e->config) && frames > 1)) {
		xmit_skb_tx_failed(dev, queue, skb); /* the device cut such ones itself when this was made */
		return XMIT_TX_OK;
	}
	if (frames > room || vnic_fault(e, e->config.busy_ppm)) {
		if (e->rung != e->posted)
			ring_doorbell(e);
		if (room && frames > room)
			xmit_dev_tx_stop(dev, queue); /* until half of the ring is free */
		return XMIT_TX_BUSY;
	}
	if (frames > 1)
		post_cut(e, skb, frames);
	else
		post(e, skb);
	xmit_skb_tx_posted(dev, queue, skb);
	if (frames == room) {
		xmit_dev_tx_stop(dev, queue);
		more = false;
	}
	if (!more)
		ring_doorbell(e);
	return XMIT_TX_OK;
}

/* A descriptor whose completion was not announced is found with the next one, or by the watchdog. */
static bool completed(const struct vnic_end *e, const struct vnic_desc *d, uint64_t now)
{
	(void)e;
	return d->done_ns <= now && (!d->no_interrupt || d->done_ns + WATCHDOG_NS <= now);
}

static uint64_t next_completion(const struct vnic_end *e)
{
	if (e->reaped == e->rung)
		return XMIT_NEVER;
	uint32_t mask = e->config.ring_size - 1;
	uint64_t next = XMIT_NEVER, before_ns = 0;
	for (uint32_t i = e->reaped; i != e->rung; i++) {
		const struct vnic_desc *d = &e->ring[i & mask];
		uint64_t t = d->done_ns + (d->no_interrupt ? WATCHDOG_NS : 0);
		/* A frame that found the link's buffer full is done before those in front of it, but reaped behind them. */
		before_ns = MAX(before_ns, d->done_ns);
		next = MIN(next, MAX(t, before_ns));
		if (!d->no_interrupt)
			break;
	}
	return next;
}

static void reap_completions(struct vnic_end *e)
{
	uint32_t mask = e->config.ring_size - 1;
	uint64_t now = xmit_dev_now(e->dev);
	uint32_t found = e->reaped;

	for (uint32_t i = e->reaped; i != e->rung && e->ring[i & mask].done_ns <= now; i++)
		if (completed(e, &e->ring[i & mask], now))
			found = i + 1;
	for (; e->reaped != found; e->reaped++)
		if (e->ring[e->reaped & mask].ends)
			xmit_skb_tx_done(e->dev, 0, e->ring[e->reaped & mask].skb);
	if (xmit_dev_tx_stopped(e->dev, 0) && e->posted - e->reaped <= e->config.ring_size / 2)
		xmit_dev_tx_wake(e->dev, 0);
}

static int vnic_poll(xmit_dev *dev, unsigned queue, int budget)
{
	struct vnic_end *e = xmit_dev_priv(dev);
	uint64_t now = xmit_dev_now(dev);
	struct vnic_frame *f;
	int n = 0;

	(void)queue;
	if (!e->ring)
		return 0;
	reap_completions(e);
	while (n < budget && (f = vnic_link_arrived(e, now))) {
		list_del_init(&f->list);
		xmit_rx_frame_receive(e->dev, 0, &f->rx);
		vnic_frame_put(e, f);
		n++;
	}
	return n;
}

static bool vnic_ready(xmit_dev *dev)
{
	struct vnic_end *e = xmit_dev_priv(dev);

	return e->ring && (vnic_link_arrived(e, xmit_dev_now(dev)) || next_completion(e) <= xmit_dev_now(dev));
}

static uint64_t vnic_next_event(xmit_dev *dev)
{
	struct vnic_end *e = xmit_dev_priv(dev);

	if (!e->ring)
		return XMIT_NEVER;
	uint64_t next = next_completion(e);
	if (!list_empty(&e->in_flight))
		next = MIN(next, list_first_entry(&e->in_flight, struct vnic_frame, list)->arrival_ns);
	return next;
}

static int vnic_open(xmit_dev *dev)
{
	struct vnic_end *e = xmit_dev_priv(dev);

	e->segs = xmit_dev_alloc(dev, cut_frames(&e->config) * sizeof(*e->segs));
	e->ring = e->segs ? xmit_dev_alloc(dev, e->config.ring_size * sizeof(*e->ring)) : NULL;
	if (!e->ring) {
		xmit_dev_mem_free(dev, e->segs);
		e->segs = NULL;
		return -ENOMEM;
	}
	e->posted = e->rung = e->reaped = e->segs_used = 0;
	e->line_free_ns = 0;
	return 0;
}

static void vnic_stop(xmit_dev *dev)
{
	struct vnic_end *e = xmit_dev_priv(dev);

	for (; e->reaped != e->posted; e->reaped++) {
		const struct vnic_desc *d = &e->ring[e->reaped & (e->config.ring_size - 1)];
		if (d->ends)
			xmit_skb_tx_failed(dev, 0, d->skb);
	}
	vnic_link_drain(e);
	xmit_dev_mem_free(dev, e->ring);
	xmit_dev_mem_free(dev, e->segs);
	e->ring = NULL;
	e->segs = NULL;
}

static void vnic_destroy(xmit_dev *dev)
{
	struct vnic_end *e = xmit_dev_priv(dev);

	if (e->peer) {
		e->peer->peer = NULL;
		xmit_dev_carrier(e->peer->dev, false);
	}
}

static const struct xmit_dev_ops vnic_ops = {
	.size = sizeof(vnic_ops),
	.open = vnic_open,
	.stop = vnic_stop,
	.start_xmit = vnic_start_xmit,
	.poll = vnic_poll,
	.ready = vnic_ready,
	.next_event = vnic_next_event,
	.destroy = vnic_destroy,
};

static void set_config(struct vnic_end *e, const struct xmit_vnic_config *c)
{
	e->config = *c;
	e->faulty = c->loss_ppm || c->duplicate_ppm || c->reorder_ppm || c->corrupt_ppm || c->lose;
}

static int vnic_init(xmit_dev *dev, void *arg)
{
	struct vnic_end *e = xmit_dev_priv(dev);

	e->dev = dev;
	set_config(e, arg);
	list_init(&e->in_flight);
	return 0;
}

static int check_config(const struct xmit_vnic_config *in, struct xmit_vnic_config *c)
{
	*c = (struct xmit_vnic_config){0};
	if (in) {
		if (in->size < sizeof(size_t) || in->size > sizeof(*c))
			return -EINVAL;
		memcpy(c, in, in->size);
	}
	if (!c->name)
		c->name = "eth%d";
	if (!c->features)
		c->features = VNIC_FEATURES;
	c->features &= ~XMIT_VNIC_NO_OFFLOAD;
	if (!c->ring_size)
		c->ring_size = RING_DEFAULT;
	if (!c->queue_bytes)
		c->queue_bytes = QUEUE_BYTES_DEFAULT;
	if (!c->reorder_delay_ns)
		c->reorder_delay_ns = REORDER_DEFAULT_NS;
	if (c->ring_size < RING_LEAST || c->ring_size > RING_MOST || (c->ring_size & (c->ring_size - 1)))
		return -EINVAL;
	return 0;
}

static xmit_dev *make_end(xmit_net *net, struct xmit_vnic_config *c, int number)
{
	struct xmit_dev_desc desc = {
		.size = sizeof(desc),
		.name = c->name,
		.type = XMIT_DEV_ETHER,
		.ops = &vnic_ops,
		.priv_size = sizeof(struct vnic_end),
		.features = c->features,
		.mtu = c->mtu,
		.cut_frames = c->features & XMIT_F_SG ? cut_frames(c) : 0,
		.init_arg = c,
		.init = vnic_init,
		/* Addresses that do not depend on chance: the same run has the same bytes. */
		.mac = {0x02, 0x78, 0x6d, 0x00, (uint8_t)(c->seed), (uint8_t)(number + 1)},
	};
	xmit_dev *dev = xmit_dev_new(net, &desc);

	if (dev) {
		struct vnic_end *e = xmit_dev_priv(dev);
		e->number = number;
		e->random = c->seed * 2 + (uint64_t)number;
	}
	return dev;
}

int xmit_vnic_pair(xmit_net *a, xmit_net *b, const struct xmit_vnic_config *config, xmit_dev *ends[2])
{
	struct xmit_vnic_config c;
	int err = check_config(config, &c);

	if (err) {
		errno = -err;
		return -1;
	}
	ends[0] = make_end(a, &c, 0);
	if (!ends[0])
		return -1;
	ends[1] = make_end(b, &c, 1);
	if (!ends[1]) {
		err = errno;
		xmit_dev_free(ends[0]);
		errno = err;
		return -1;
	}
	struct vnic_end *e0 = xmit_dev_priv(ends[0]), *e1 = xmit_dev_priv(ends[1]);
	e0->peer = e1;
	e1->peer = e0;
	xmit_dev_carrier(ends[0], true);
	xmit_dev_carrier(ends[1], true);
	return 0;
}

int xmit_vnic_set(xmit_dev *end, const struct xmit_vnic_config *config)
{
	struct vnic_end *e = xmit_dev_priv(end);
	struct xmit_vnic_config c;
	int err = check_config(config, &c);

	if (err) {
		errno = -err;
		return -1;
	}
	/* Rings and identity stay; the line's behaviour changes, for both directions. */
	for (int i = 0; i < 2 && e; i++, e = e->peer) {
		unsigned ring_size = e->config.ring_size;
		set_config(e, &c);
		e->config.ring_size = ring_size;
	}
	return 0;
}
