/* SPDX-License-Identifier: MIT */
/* gro.h - the control block of an skb while it is in GRO; shared by dev/ and the protocols' gro_receive functions. */
#ifndef XMIT_DEV_GRO_H
#define XMIT_DEV_GRO_H

#include "dev/netdevice.h"

enum { GRO_MAX_HELD = 8 };

/* A segment that may continue what is held, as it is looked at: not yet an skb, perhaps. */
struct gro_segment {
	const uint8_t *header;    /* from the network header on, all headers of the packet and nothing else */
	uint32_t header_len;
	const uint8_t *payload;   /* in one piece */
	uint32_t payload_len;
	bool vouched;             /* the device says that the transport checksum is good */
};

struct napi_gro_cb {
	struct sk_buff *last;     /* where the next merge appends */
	unsigned data_offset;     /* from skb->data to what the next protocol reads */
	uint16_t count;           /* segments merged, this one included */
	bool same_flow;           /* held packet: may still be of the same flow as the new one */
	bool flush;               /* new packet: cannot be merged or held, deliver it as it is.  Held: its IP header does not allow the new one to follow */
	bool merged;              /* new packet: went into a held one; its struct is to be freed */
	bool csum_ok;             /* its transport checksum is known good */
	bool kept;                /* new packet: merged by hanging it on a frag_list, its struct lives on (dev/gro.c) */
	uint64_t age_ns;
	/*
	 * Held packet, set by its transport, may be NULL: the segment, which came with the same link header, continues it in the common way and
	 * its checksums are good: the bytes of headers to take off.  0: gro_receive is to look at it.
	 */
	unsigned (*follows)(const struct sk_buff *held, const struct gro_segment *seg);
};
static_assert(sizeof(struct napi_gro_cb) <= sizeof(((struct sk_buff *)0)->cb), "fits the control block");
static inline struct napi_gro_cb *NAPI_GRO_CB(const struct sk_buff *skb) { return (struct napi_gro_cb *)(void *)skb->cb; }

#endif
