/* SPDX-License-Identifier: MIT */
/*
 * gso.c - software segmentation at the last moment before the driver (T5).
 *
 *	validate_xmit_skb_list -> skb_gso_segment -> network protocol's gso_segment -> transport's -> skb_segment
 *
 * skb_segment() cuts: headers are copied in front of each piece, payload in frags is shared (one more reference of the owner), payload
 * that lies in a linear area is copied (net->copied.gso), as is everything for a device without scatter-gather.  The protocols then mend what
 * differs from segment to segment (sequence, length, ID, flags, checksum).
 *
 * Ownership: the super-segment's sk, destructor and accounted truesize move to the last segment.  Segments complete in order, so the
 * socket's budget (TCP small queues, SO_SNDBUF) comes back when all of it has left, and only once.
 */
#include "core/dst.h"
#include "dev/netdev_internal.h"

/* Where in the payload of a packet we are: in the linear part (frag -1) or a frag, of the packet itself or of one on its frag_list. */
struct cursor {
	const struct sk_buff *skb;
	int frag;
	uint32_t off;  /* within that piece */
};

static uint32_t piece_len(const struct cursor *c)
{
	return c->frag < 0 ? skb_headlen(c->skb) : skb_shinfo(c->skb)->frags[c->frag].len;
}

/* Steps over pieces that are used up; false at the end of the packet. */
static bool settle(struct cursor *c, const struct sk_buff *first)
{
	while (c->off >= piece_len(c)) {
		c->off -= piece_len(c);
		if (++c->frag < skb_shinfo(c->skb)->nr_frags)
			continue;
		/* frag_list hangs on the first skb only. */
		c->skb = c->skb == first ? skb_shinfo(first)->frag_list : c->skb->next;
		if (!c->skb)
			return false;
		c->frag = -1;
	}
	return true;
}

/* Shares the next n bytes into seg; false, with nothing changed, when a part lies in a linear area or the frags do not suffice. */
static bool share(struct sk_buff *seg, struct cursor *from, const struct sk_buff *first, uint32_t n)
{
	struct skb_shared_info *si = skb_shinfo(seg);
	struct cursor c = *from;

	while (n) {
		const struct skb_frag *f;
		uint32_t take;

		if (!settle(&c, first) || c.frag < 0 || si->nr_frags == MAX_SKB_FRAGS)
			goto undo;
		f = &skb_shinfo(c.skb)->frags[c.frag];
		take = MIN(n, f->len - c.off);
		frag_owner_get(f->owner);
		skb_add_frag(seg, f->addr + c.off, take, f->owner);
		c.off += take;
		n -= take;
	}
	*from = c;
	return true;

undo:
	while (si->nr_frags) {
		const struct skb_frag *f = &si->frags[--si->nr_frags];

		seg->len -= f->len;
		seg->data_len -= f->len;
		frag_owner_put(f->owner);
	}
	return false;
}

/* Copies the next n bytes behind the headers of seg, which is linear and has the room. */
static void copy(struct sk_buff *seg, struct cursor *c, const struct sk_buff *first, uint32_t n)
{
	first->net->copied.gso += n;
	while (n && settle(c, first)) {
		const uint8_t *p = c->frag < 0 ? c->skb->data : skb_shinfo(c->skb)->frags[c->frag].addr;
		uint32_t take = MIN(n, piece_len(c) - c->off);

		memcpy(skb_put(seg, take), p + c->off, take);
		c->off += take;
		n -= take;
	}
}

/* What every segment has in common with the packet it was cut from; shift is how much further right in its head seg begins. */
static void copy_metadata(struct sk_buff *seg, const struct sk_buff *skb, int shift)
{
	seg->dev = skb->dev;
	seg->dst = skb->dst ? dst_hold(skb->dst) : NULL;
	seg->skb_mstamp_ns = skb->skb_mstamp_ns;
	memcpy(seg->cb, skb->cb, sizeof(seg->cb));
	seg->mac_len = skb->mac_len;
	seg->queue_mapping = skb->queue_mapping;
	seg->hash = skb->hash;
	seg->l4_hash = skb->l4_hash;
	seg->ip_summed = skb->ip_summed;
	seg->pkt_type = skb->pkt_type;
	seg->ignore_df = skb->ignore_df;
	seg->rerouted = skb->rerouted;
	seg->is_retrans = skb->is_retrans;
	seg->tx_tapped = skb->tx_tapped;
	seg->protocol = skb->protocol;
	seg->mac_header = (uint16_t)(skb->mac_header + shift);
	seg->network_header = (uint16_t)(skb->network_header + shift);
	seg->transport_header = (uint16_t)(skb->transport_header + shift);
	seg->csum_start = (uint16_t)(skb->csum_start + shift);
	seg->csum_offset = skb->csum_offset;
	seg->priority = skb->priority;
	seg->mark = skb->mark;
	seg->skb_iif = skb->skb_iif;
	seg->trace_cookie = skb->trace_cookie;
	seg->trace_rx_id = skb->trace_rx_id;
}

struct cut {                      /* one call of skb_segment */
	const struct sk_buff *skb;
	const uint8_t *header;
	unsigned header_len;      /* bytes of all headers */
	unsigned headroom;
	bool share;               /* payload may stay in frags */
};

/* The segment of the next n bytes at c; done bytes of payload lie before it.  NULL: no memory. */
static struct sk_buff *cut_one(const struct cut *cut, struct cursor *c, uint32_t done, uint32_t n)
{
	const struct sk_buff *skb = cut->skb;
	struct sk_buff *seg = NULL;

	if (likely(cut->share)) {
		seg = alloc_skb(skb->net, cut->headroom, cut->header_len, 0);
		if (unlikely(!seg))
			return NULL;
		memcpy(skb_put(seg, cut->header_len), cut->header, cut->header_len);
		if (unlikely(!share(seg, c, skb, n))) {
			skb_consume(seg);
			seg = NULL;
		} else {
			seg->truesize += n;
		}
	}
	if (!seg) {
		seg = alloc_skb(skb->net, cut->headroom, cut->header_len + n, 0);
		if (unlikely(!seg))
			return NULL;
		memcpy(skb_put(seg, cut->header_len), cut->header, cut->header_len);
		copy(seg, c, skb, n);
	}
	copy_metadata(seg, skb, (int)(skb_headroom(seg)) - (int)(cut->header - skb->head));
	seg->trace_seq = skb->trace_seq + done;
	seg->trace_end = seg->trace_seq + n;
	return seg;
}

struct sk_buff *skb_segment(struct sk_buff *skb, unsigned hdr_len, uint32_t features, int *err)
{
	const uint8_t *header;
	unsigned mss = skb_shinfo(skb)->gso_size;
	struct sk_buff *head = NULL, **tail = &head;
	struct cursor c = {.skb = skb, .frag = -1, .off = hdr_len};
	uint32_t payload, done = 0;

	*err = -EINVAL;
	if (!mss || hdr_len > skb->len || !pskb_may_pull(skb, hdr_len))
		return NULL;
	header = skb_mac_header(skb);
	payload = skb->len - hdr_len;
	struct cut cut = {
		.skb = skb, .header = header, .header_len = (unsigned)(skb->data - header) + hdr_len,
		.headroom = skb->dev ? LL_RESERVED_SPACE(skb->dev) : MAX_HEADER, .share = features & XMIT_F_SG,
	};
	cut.headroom = ALIGN_UP(cut.headroom + skb->mac_len, 16u) - skb->mac_len; /* the network header is aligned */
	while (done < payload) {
		uint32_t n = MIN(mss, payload - done);
		struct sk_buff *seg = cut_one(&cut, &c, done, n);

		if (unlikely(!seg)) {
			*err = -ENOMEM;
			goto free_segments;
		}
		*tail = seg;
		tail = &seg->next;
		done += n;
	}
	*err = head ? 0 : -EINVAL; /* no payload: nothing to cut */
	return head;

free_segments: /* no drops: the caller drops the packet that they are parts of */
	while (head) {
		struct sk_buff *next = head->next;

		head->next = NULL;
		skb_consume(head);
		head = next;
	}
	return NULL;
}

static void move_owner(struct sk_buff *skb, struct sk_buff *segs)
{
	if (!skb->destructor)
		return;
	while (segs->next)
		segs = segs->next;
	if (segs->destructor)
		return;
	segs->sk = skb->sk;
	segs->destructor = skb->destructor;
	segs->truesize = skb->truesize;
	skb->destructor = NULL;
	skb->sk = NULL;
}

struct sk_buff *skb_gso_segment(struct sk_buff *skb, uint32_t features, int *err)
{
	struct packet_offload *po = dev_find_offload(skb->net, skb->protocol);
	struct sk_buff *segs;
	unsigned pulled;

	trace_skb(skb, TP_skb_gso_segment);
	*err = -EPROTONOSUPPORT;
	if (!po || !po->gso_segment)
		return NULL;
	skb_reset_mac_header(skb);
	skb->mac_len = (uint16_t)skb_network_offset(skb);
	skb_pull(skb, skb->mac_len);
	segs = po->gso_segment(skb, features, err);
	pulled = (unsigned)(skb->data - skb_mac_header(skb));
	skb_push(skb, pulled);
	if (likely(segs))
		move_owner(skb, segs);
	return segs;
}
