/* SPDX-License-Identifier: MIT */
/*
 * vnic_link.c - the line between a pair of NICs in memory: rate, delay, a buffer in front of it, injectable faults.
 *
 * The "device" reads a descriptor and copies its frame by DMA straight into receive memory of the peer's instance, where it waits in flight until
 * the line's delay is over. A descriptor is done when its last bit has left (at once without a rate). Frames are kept in order of arrival;
 * ties break by the order of sending.
 *
 * Faults come from a seeded generator of each direction: same seed, same frames, same faults.
 */
#include "drivers/vnic.h"
#include "lib/compiler.h"
#include "wire/byteorder.h"
#include "wire/checksum.h"
#include <string.h>

enum {
	FRAME_PIECES = 20,
	FRAMES_IN_FLIGHT_MOST = 65536,
	FRAME_BYTES_MOST = 65536 + 64,
};

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
	*frame_byte(iov, n, (uint32_t)(vnic_random(from) % xmit_skb_len(skb))) ^= (uint8_t)(1u << (vnic_random(from) % 8));
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
		vnic_frame_put(to, f);
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
	f.lost = vnic_fault(e, c->loss_ppm);
	f.twice = vnic_fault(e, c->duplicate_ppm);
	f.late = vnic_fault(e, c->reorder_ppm);
	f.corrupt = vnic_fault(e, c->corrupt_ppm);
	if (c->lose && c->lose(c->ctx, e->number, ordinal, iov, n))
		f.lost = true;
	return f;
}

/* What lies in a descriptor: the pieces of its frame; their number, or -1.  *o is the descriptor's own, or is laid down in buf. */
static inline int read_descriptor(const struct vnic_desc *d, struct iovec *iov, uint32_t *len, const struct xmit_offload **o, struct xmit_offload *buf)
{
	if (d->seg) {
		*len = d->seg->header_len + d->seg->payload;
		*o = &d->seg->offload;
		return xmit_seg_iov(d->skb, d->seg, iov, FRAME_PIECES);
	}
	*len = xmit_skb_len(d->skb);
	xmit_skb_offload(d->skb, buf);
	*o = buf;
	return xmit_skb_iov(d->skb, iov, FRAME_PIECES);
}

uint64_t vnic_link_send(struct vnic_end *e, const struct vnic_desc *d, uint64_t now)
{
	struct fate fate = {0};
	struct iovec iov[FRAME_PIECES];
	struct xmit_offload buf;
	const struct xmit_offload *o;
	uint32_t len;
	int n = read_descriptor(d, iov, &len, &o, &buf);
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
	launch_copy(e, iov, n, o, arrival, fate.corrupt);
	if (unlikely(fate.twice))
		launch_copy(e, iov, n, o, arrival, false);
	return done;
}

static void drop_in_flight(struct vnic_end *e)
{
	struct vnic_frame *f, *next;

	list_for_each_entry_safe(f, next, &e->in_flight, list) {
		list_del_init(&f->list);
		xmit_rx_frame_free(e->dev, &f->rx);
		vnic_frame_put(e, f);
	}
}

void vnic_link_drain(struct vnic_end *e)
{
	struct vnic_frame *f;

	drop_in_flight(e);
	while ((f = e->spare)) {
		e->spare = f->next_spare;
		xmit_dev_mem_free(e->dev, f);
		e->frames--;
	}
}

