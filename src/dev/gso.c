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

/* Where in a packet we are: `left` bytes at `at` of one piece, a frag or the linear area of the packet or of one on its frag_list. */
struct cursor {
	const struct sk_buff *first, *skb;
	uint8_t *at;
	uint32_t left;
	unsigned next;            /* frag of skb that follows this piece */
	struct frag_owner *owner; /* NULL: a linear area */
};

/* On to the next piece that holds bytes; false at the end of the packet. */
static bool next_piece(struct cursor *c)
{
	do {
		const struct skb_shared_info *si = skb_shinfo(c->skb);

		if (c->next < si->nr_frags) {
			const struct skb_frag *f = &si->frags[c->next++];

			c->at = f->addr;
			c->left = f->len;
			c->owner = f->owner;
			continue;
		}
		c->skb = c->skb == c->first ? si->frag_list : c->skb->next; /* frag_list hangs on the first skb only */
		if (!c->skb)
			return false;
		c->next = 0;
		c->at = c->skb->data;
		c->left = skb_headlen(c->skb);
		c->owner = NULL;
	} while (!c->left);
	return true;
}

static inline uint32_t take_piece(struct cursor *c, uint32_t n)
{
	n = MIN(n, c->left);
	c->at += n;
	c->left -= n;
	return n;
}

/* Shares the next n bytes into seg; false, with nothing changed, when a part lies in a linear area or the frags do not suffice. */
static bool share(struct sk_buff *seg, struct cursor *c, uint32_t n)
{
	struct skb_shared_info *si = skb_shinfo(seg);
	struct cursor before = *c;

	while (n) {
		uint8_t *at;
		uint32_t take;

		if ((!c->left && !next_piece(c)) || !c->owner || si->nr_frags == MAX_SKB_FRAGS)
			goto undo;
		at = c->at;
		take = take_piece(c, n);
		frag_owner_get(c->owner);
		skb_add_frag(seg, at, take, c->owner);
		n -= take;
	}
	seg->truesize += seg->data_len;
	return true;

undo:
	*c = before;
	while (si->nr_frags)
		frag_owner_put(si->frags[--si->nr_frags].owner);
	seg->len -= seg->data_len;
	seg->data_len = 0;
	return false;
}

/* Copies the next n bytes behind the headers of seg, which is linear and has the room. */
static void copy(struct sk_buff *seg, struct cursor *c, uint32_t n)
{
	seg->net->copied.gso += n;
	while (n && (c->left || next_piece(c))) {
		const uint8_t *at = c->at;
		uint32_t take = take_piece(c, n);

		memcpy(skb_put(seg, take), at, take);
		n -= take;
	}
}

struct cut {                      /* one call of skb_segment */
	const struct sk_buff *skb;
	const uint8_t *header;
	unsigned header_len;      /* bytes of all headers */
	unsigned headroom;
	bool share;               /* payload may stay in frags */
};

/* An skb with a copy of the headers and room for n bytes behind them.  NULL: no memory. */
static struct sk_buff *with_headers(const struct cut *cut, uint32_t n)
{
	struct sk_buff *seg = alloc_skb(cut->skb->net, cut->headroom, cut->header_len + n, 0);

	if (likely(seg))
		memcpy(skb_put(seg, cut->header_len), cut->header, cut->header_len);
	return seg;
}

/* The segment of the next n bytes at c, with nothing but its bytes.  NULL: no memory. */
static struct sk_buff *cut_one(const struct cut *cut, struct cursor *c, uint32_t n)
{
	struct sk_buff *seg;

	if (likely(cut->share)) {
		seg = with_headers(cut, 0);
		if (unlikely(!seg))
			return NULL;
		if (likely(share(seg, c, n)))
			return seg;
		skb_consume(seg);
	}
	seg = with_headers(cut, n);
	if (likely(seg))
		copy(seg, c, n);
	return seg;
}

/* What every segment has in common with the packet. */
static void describe(struct sk_buff *seg, const struct sk_buff *from)
{
	seg->dev = from->dev;
	seg->dst = from->dst ? dst_hold(from->dst) : NULL;
	seg->skb_mstamp_ns = from->skb_mstamp_ns;
	memcpy(seg->cb, from->cb, sizeof(seg->cb));
	skb_copy_description(seg, from);
}

/* The header offsets of the packet are those of its head; in that of a segment they lie `shift` bytes further right. */
static void shift_headers(struct sk_buff *seg, int shift)
{
	seg->mac_header = (uint16_t)(seg->mac_header + shift);
	seg->network_header = (uint16_t)(seg->network_header + shift);
	seg->transport_header = (uint16_t)(seg->transport_header + shift);
	seg->csum_start = (uint16_t)(seg->csum_start + shift);
}

struct sk_buff *skb_segment(struct sk_buff *skb, unsigned hdr_len, uint32_t features, int *err)
{
	unsigned mss = skb_shinfo(skb)->gso_size;
	struct sk_buff *head = NULL, **tail = &head;
	const uint8_t *header;
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
	struct cursor c = {.first = skb, .skb = skb, .at = skb->data + hdr_len, .left = skb_headlen(skb) - hdr_len};
	cut.headroom = ALIGN_UP(cut.headroom + skb->mac_len, 16u) - skb->mac_len; /* the network header is aligned */
	while (done < payload) {
		uint32_t n = MIN(mss, payload - done);
		struct sk_buff *seg = cut_one(&cut, &c, n);

		if (unlikely(!seg)) {
			*err = -ENOMEM;
			goto free_segments;
		}
		describe(seg, done ? head : skb);
		if (!done)
			shift_headers(seg, (int)cut.headroom - (int)(header - skb->head));
		seg->trace_seq = skb->trace_seq + done;
		seg->trace_end = seg->trace_seq + n;
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
	skb_shinfo(segs)->tx_flags = skb_shinfo(skb)->tx_flags; /* time stamps are for the last byte */
	skb_shinfo(segs)->tskey = skb_shinfo(skb)->tskey;
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
