/* SPDX-License-Identifier: MIT */
/*
 * vnic.h - a pair of NICs in memory, inside: the NIC with its rings is vnic.c, the line between the two is vnic_link.c.
 *
 * The NIC calls down to the line with a descriptor that is to be sent; the line leaves frames, in order of arrival, in the memory of the end
 * that they travel to, from where that end's poll() takes them.
 */
#ifndef XMIT_DRIVERS_VNIC_H
#define XMIT_DRIVERS_VNIC_H

#include "lib/list.h"
#include "xmit/dev.h"

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
static inline uint64_t vnic_random(struct vnic_end *e)
{
	uint64_t z = (e->random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Whether something happens that happens ppm times in a million. */
static inline bool vnic_fault(struct vnic_end *e, uint32_t ppm)
{
	return ppm && vnic_random(e) % 1000000 < ppm;
}

/* Its skb has gone. */
static inline void vnic_frame_put(struct vnic_end *to, struct vnic_frame *f)
{
	f->next_spare = to->spare;
	to->spare = f;
}

/*
 * Puts the frame of a posted descriptor on the line towards the peer. Returns when its last bit has left, in ns of the common clock; now for
 * one that cannot be sent (counted) or that finds the line's buffer full.
 */
uint64_t vnic_link_send(struct vnic_end *e, const struct vnic_desc *d, uint64_t now);

/* The first frame that has arrived at e by now (ns), still in the list; or NULL. */
static inline struct vnic_frame *vnic_link_arrived(struct vnic_end *e, uint64_t now)
{
	struct vnic_frame *f = list_first_entry(&e->in_flight, struct vnic_frame, list);

	return !list_empty(&e->in_flight) && f->arrival_ns <= now ? f : NULL;
}

/* Frees the frames that travel towards e, and their records. */
void vnic_link_drain(struct vnic_end *e);

#endif
