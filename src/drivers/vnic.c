/* SPDX-License-Identifier: MIT */
/*
 * vnic.c - a pair of ring NICs in memory, joined by a link with delay, rate and injectable faults.
 *
 * Each end is a NIC of its own instance.  start_xmit() posts an skb to the TX ring, a descriptor for each frame: a super-segment that the device is
 * not to cut is cut here, its headers laid down beside the ring.  The doorbell (no xmit_more) makes the "device" read the posted descriptors and
 * copy each frame by DMA straight into receive memory of the peer's instance, where it waits in flight until the link's delay is over.  A
 * descriptor completes when its last bit has left (at once without a rate), and poll() reaps completions and hands up the frames
 * that have arrived, in order of arrival; ties break by the order of sending.
 *
 * Time is the instances' common clock; next_event() says when something is due, so a whole network runs under a virtual clock.
 * Faults come from a seeded generator of each direction: same seed, same frames, same faults.
 */
#include "drivers/drivers.h"
#include "lib/compiler.h"
#include "lib/list.h"
#include "wire/byteorder.h"
#include "wire/checksum.h"
#include "xmit/dev.h"
#include <errno.h>
#include <string.h>

enum {
	RING_DEFAULT = 256,
	RING_LEAST = 8,
	RING_MOST = 4096,
	FRAME_PIECES = 20,
	FRAMES_IN_FLIGHT_MOST = 65536,
	FRAME_BYTES_MOST = 65536 + 64,
	QUEUE_BYTES_DEFAULT = 1 << 20,
	CUT_SHARE = 4,     /* a super-segment takes at most this part of the ring */
	CUT_MOST = 256,
};
#define WATCHDOG_NS UINT64_C(100000000) /* a lost completion is noticed after this long */
#define REORDER_DEFAULT_NS UINT64_C(1000000)
#define VNIC_FEATURES (XMIT_F_SG | XMIT_F_CSUM | XMIT_F_TSO | XMIT_F_RXCSUM | XMIT_F_GRO)

/* A frame in flight towards the end that holds it, in memory of that end's instance. */
struct vnic_frame {
	struct list_head list;          /* in flight */
	struct vnic_frame *next_spare;
	uint64_t arrival_ns;
	struct xmit_rx_frame rx;
};

struct vnic_desc {
	xmit_skb *skb;
	struct xmit_seg *seg;           /* the frame of skb that this is; NULL: all of it */
	uint64_t done_ns;               /* when the last bit has left */
	bool ends;                      /* skb is done with this frame */
	bool no_interrupt;              /* fault: the completion is not announced */
};

struct vnic_end {
	xmit_dev *dev;
	struct vnic_end *peer;          /* NULL: unplugged */
	struct xmit_vnic_config config;
	int number;
	uint64_t random;
	uint64_t ordinal;               /* frames sent so far */
	uint64_t line_free_ns;          /* when the transmitter has sent what it holds */
	struct vnic_desc *ring;         /* NULL while down */
	struct xmit_seg *segs;          /* frames cut here: cut_frames slots, all free when the doorbell has been rung; NULL while down */
	uint32_t segs_used;
	uint32_t posted, rung, reaped;  /* running indices: reaped <= rung <= posted */
	struct list_head in_flight;     /* towards this end, by arrival */
	struct vnic_frame *spare;       /* frame records to use again */
	uint32_t frames;                /* records in both lists */
	bool faulty;                    /* the line does something to frames besides delaying them */
};

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(struct vnic_end *e)
{
	uint64_t z = (e->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool fault(struct vnic_end *e, uint32_t ppm)
{
	return ppm && next_random(e) % 1000000 < ppm;
}

static struct vnic_frame *frame_get(struct vnic_end *to)
{
	struct vnic_frame *f = to->spare;

	if (f) {
		to->spare = f->next_spare;
		return f;
	}
	if (to->frames >= FRAMES_IN_FLIGHT_MOST)
		return NULL;
	f = xmit_dev_alloc(to->dev, sizeof(*f));
	if (f)
		to->frames++;
	return f;
}

/* Its skb has gone. */
static void frame_put(struct vnic_end *to, struct vnic_frame *f)
{
	f->next_spare = to->spare;
	to->spare = f;
}

static uint8_t *frame_byte(const struct iovec *iov, int n, uint32_t at)
{
	for (int i = 0; i < n; i++) {
		if (at < iov[i].iov_len)
			return (uint8_t *)iov[i].iov_base + at;
		at -= (uint32_t)iov[i].iov_len;
	}
	return NULL;
}

static csum32 frame_sum(const struct iovec *iov, int n, uint32_t from)
{
	csum32 sum = 0;
	size_t done = 0;

	for (int i = 0; i < n; i++) {
		uint32_t have = (uint32_t)iov[i].iov_len, skip = MIN(from, have);
		csum32 part = csum_partial((const uint8_t *)iov[i].iov_base + skip, have - skip, 0);
		sum = csum_block_add(sum, part, done);
		done += have - skip;
		from -= skip;
	}
	return sum;
}

/* Damage must be detectable: the checksum that the device owes is computed first, then one bit is turned. */
static void frame_corrupt(struct vnic_end *from, xmit_skb *skb, struct xmit_offload *o)
{
	struct iovec iov[FRAME_PIECES];
	int n = xmit_skb_iov(skb, iov, FRAME_PIECES);

	if (o->needs_csum) {
		uint16_t sum = csum_fold(frame_sum(iov, n, o->csum_start));
		uint8_t b[2];
		memcpy(b, &sum, sizeof(b));
		*frame_byte(iov, n, (uint32_t)o->csum_start + o->csum_offset) = b[0];
		*frame_byte(iov, n, (uint32_t)o->csum_start + o->csum_offset + 1) = b[1];
	}
	o->needs_csum = false;
	o->csum_valid = false;
	*frame_byte(iov, n, (uint32_t)(next_random(from) % xmit_skb_len(skb))) ^= (uint8_t)(1u << (next_random(from) % 8));
}

/* In order of arrival; a frame that arrives with another goes behind it. */
static void frame_launch(struct vnic_end *to, struct vnic_frame *f, uint64_t arrival_ns)
{
	struct list_head *after = to->in_flight.prev;

	f->arrival_ns = arrival_ns;
	while (after != &to->in_flight && list_entry(after, struct vnic_frame, list)->arrival_ns > arrival_ns)
		after = after->prev;
	list_add(&f->list, after);
}

/* Puts the frame on the line; returns when its last bit has left. */
static inline uint64_t line_send(struct vnic_end *e, uint32_t len, uint64_t now, bool *overflow)
{
	const struct xmit_vnic_config *c = &e->config;

	*overflow = false;
	if (!c->rate_bps)
		return now;
	if (e->line_free_ns < now)
		e->line_free_ns = now;
	uint64_t waiting_ns = e->line_free_ns - now;
	if (waiting_ns && (double)waiting_ns * (double)c->rate_bps / 8e9 + len > c->queue_bytes) {
		*overflow = true;
		return now;
	}
	e->line_free_ns += (uint64_t)len * 8 * UINT64_C(1000000000) / c->rate_bps;
	return e->line_free_ns;
}

/* The DMA, and the damage done on the line: that needs the frame in one skb. */
static bool receive_damaged(struct vnic_end *e, struct xmit_rx_frame *rx, const struct iovec *iov, int n, const struct xmit_offload *offload)
{
	struct xmit_offload o = *offload;

	rx->skb = xmit_skb_rx_gather(e->peer->dev, iov, n);
	if (!rx->skb)
		return false;
	frame_corrupt(e, rx->skb, &o);
	xmit_skb_set_offload(rx->skb, &o);
	return true;
}

/* The DMA: gathers the frame from the sender's pieces into the receiver's memory.  No memory there: the receiver counts it. */
static inline void launch_copy(struct vnic_end *e, const struct iovec *iov, int n, const struct xmit_offload *o, uint64_t arrival, bool corrupt)
{
	struct vnic_end *to = e->peer;
	struct vnic_frame *f = frame_get(to);
	bool taken;

	if (unlikely(!f)) {
		xmit_dev_count_rx_error(to->dev);
		return;
	}
	taken = unlikely(corrupt) ? receive_damaged(e, &f->rx, iov, n, o) : xmit_rx_frame_gather(to->dev, &f->rx, iov, n, o);
	if (likely(taken))
		frame_launch(to, f, arrival);
	else
		frame_put(to, f);
}

/* What becomes of a frame on a line that loses, doubles, delays or damages some. */
struct fate {
	bool lost, twice, late, corrupt;
};

static struct fate choose_fate(struct vnic_end *e, uint64_t ordinal, const struct iovec *iov, int n)
{
	const struct xmit_vnic_config *c = &e->config;
	struct fate f = {0};

	/* Every fault draws from the generator whatever the others say, so that one does not shift the next. */
	f.lost = fault(e, c->loss_ppm);
	f.twice = fault(e, c->duplicate_ppm);
	f.late = fault(e, c->reorder_ppm);
	f.corrupt = fault(e, c->corrupt_ppm);
	if (c->lose && c->lose(c->ctx, e->number, ordinal, iov, n))
		f.lost = true;
	return f;
}

/* What lies in a descriptor: the pieces of its frame; their number, or -1. */
static inline int read_descriptor(const struct vnic_desc *d, struct iovec *iov, uint32_t *len, struct xmit_offload *o)
{
	if (d->seg) {
		*len = d->seg->header_len + d->seg->payload;
		*o = d->seg->offload;
		return xmit_seg_iov(d->skb, d->seg, iov, FRAME_PIECES);
	}
	*len = xmit_skb_len(d->skb);
	xmit_skb_offload(d->skb, o);
	return xmit_skb_iov(d->skb, iov, FRAME_PIECES);
}

/* What the device does with one descriptor. Returns when it is done. */
static uint64_t transmit(struct vnic_end *e, const struct vnic_desc *d, uint64_t now)
{
	struct fate fate = {0};
	struct iovec iov[FRAME_PIECES];
	struct xmit_offload o;
	uint32_t len;
	int n = read_descriptor(d, iov, &len, &o);
	uint64_t ordinal = e->ordinal++, done, arrival;
	bool overflow;

	if (unlikely(n < 0 || len > FRAME_BYTES_MOST || !e->peer || !e->peer->ring)) {
		xmit_dev_count_tx_error(e->dev);
		return now;
	}
	done = line_send(e, len, now, &overflow);
	if (unlikely(e->faulty))
		fate = choose_fate(e, ordinal, iov, n);
	if (unlikely(overflow || fate.lost))
		return done;
	arrival = done + e->config.delay_ns + (fate.late ? e->config.reorder_delay_ns : 0);
	launch_copy(e, iov, n, &o, arrival, fate.corrupt);
	if (unlikely(fate.twice))
		launch_copy(e, iov, n, &o, arrival, false);
	return done;
}

static void ring_doorbell(struct vnic_end *e)
{
	uint32_t mask = e->config.ring_size - 1;
	uint64_t now = xmit_dev_now(e->dev);
	bool interrupt = false;

	for (; e->rung != e->posted; e->rung++) {
		struct vnic_desc *d = &e->ring[e->rung & mask];
		d->done_ns = transmit(e, d, now);
		d->no_interrupt = fault(e, e->config.lost_completion_ppm);
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
	if (frames > room || fault(e, e->config.busy_ppm)) {
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

static struct vnic_frame *arrived(struct vnic_end *e, uint64_t now)
{
	struct vnic_frame *f = list_first_entry(&e->in_flight, struct vnic_frame, list);

	return !list_empty(&e->in_flight) && f->arrival_ns <= now ? f : NULL;
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
	while (n < budget && (f = arrived(e, now))) {
		list_del_init(&f->list);
		xmit_rx_frame_receive(e->dev, 0, &f->rx);
		frame_put(e, f);
		n++;
	}
	return n;
}

static bool vnic_ready(xmit_dev *dev)
{
	struct vnic_end *e = xmit_dev_priv(dev);

	return e->ring && (arrived(e, xmit_dev_now(dev)) || next_completion(e) <= xmit_dev_now(dev));
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

static void drop_in_flight(struct vnic_end *e)
{
	struct vnic_frame *f, *next;

	list_for_each_entry_safe(f, next, &e->in_flight, list) {
		list_del_init(&f->list);
		xmit_rx_frame_free(e->dev, &f->rx);
		frame_put(e, f);
	}
}

static void free_records(struct vnic_end *e)
{
	struct vnic_frame *f;

	while ((f = e->spare)) {
		e->spare = f->next_spare;
		xmit_dev_mem_free(e->dev, f);
		e->frames--;
	}
}

static void vnic_stop(xmit_dev *dev)
{
	struct vnic_end *e = xmit_dev_priv(dev);

	for (; e->reaped != e->posted; e->reaped++) {
		const struct vnic_desc *d = &e->ring[e->reaped & (e->config.ring_size - 1)];
		if (d->ends)
			xmit_skb_tx_failed(dev, 0, d->skb);
	}
	drop_in_flight(e);
	free_records(e);
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
