/* SPDX-License-Identifier: MIT */
/*
 * gro.c - generic receive offload: segments of one flow that come in one NAPI poll go up as one super-segment (D2).
 *
 * Each napi_struct holds up to GRO_MAX_HELD packets.  A new packet is shown to the network protocol's gro_receive, which finds
 * the held packet of its flow and asks the transport; the answer (NAPI_GRO_CB) is: merged, to be held, or to go up as it is; besides, one
 * held packet may have to go up now, before the new one.  At the end of each poll all go up, oldest first.
 *
 * The common case does not go through all that: held->follows() looks at all headers at once, and the payload joins the frags; the last one grows
 * where the bytes lie right behind it.  Whatever it does not take goes the long way, with the same outcome.  A frame that the driver keeps apart from any skb
 * (xmit_rx_frame_receive) is looked at in the same way, and no skb is made of it.
 *
 * Merging moves fragments: the payload of the new skb joins the frags of the held one (the last frag just grows when the bytes lie next to
 * each other, as rx_frame.c lays them).  Where that cannot be (payload in the linear area, frags full), the new skb itself is
 * hung on the held one's frag_list, and later ones join its frags in turn.  Payload of at most 256 bytes is copied into a linear held packet.
 */
#include "dev/gro.h"
#include "dev/netdev_internal.h"

enum { GRO_MAX_BYTES = 65535 };

/* --- merging ------------------------------------------------------------------------------------------------------ */

/* What of truesize belongs to the frags. */
static uint32_t frag_truesize(const struct sk_buff *skb)
{
	uint32_t base = (uint32_t)(sizeof(struct sk_buff) + sizeof(struct skb_shared_info)) + skb->end;

	return MAX(skb->truesize, base + skb->data_len) - base;
}

static inline void grow(struct sk_buff *skb, uint32_t bytes, uint32_t truesize)
{
	skb->len += bytes;
	skb->data_len += bytes;
	skb->truesize += truesize;
}

/* skb holds nothing but frags; they move to last (head itself or the end of its frag_list). */
static bool move_frags(struct sk_buff *head, struct sk_buff *last, struct sk_buff *skb)
{
	struct skb_shared_info *to = skb_shinfo(last), *from = skb_shinfo(skb);
	struct skb_frag *end = &to->frags[to->nr_frags];
	const struct skb_frag *first = from->frags;
	uint32_t bytes = skb->data_len, truesize = frag_truesize(skb);
	unsigned n = from->nr_frags;
	bool joined;

	if (unlikely(skb_cloned(skb) || skb_cloned(last) || from->frag_list))
		return false;
	joined = to->nr_frags && end[-1].owner == first->owner && end[-1].addr + end[-1].len == first->addr;
	if (unlikely(to->nr_frags + n > MAX_SKB_FRAGS + (unsigned)joined))
		return false;
	if (likely(joined)) {
		end[-1].len += first->len;
		frag_owner_put(first->owner);
		first++;
		n--;
	}
	for (to->nr_frags = (uint8_t)(to->nr_frags + n); n; n--)
		*end++ = *first++;
	from->nr_frags = 0;
	skb->len -= bytes;
	skb->data_len = 0;
	grow(head, bytes, truesize);
	if (unlikely(last != head))
		grow(last, bytes, truesize);
	return true;
}

static bool copy_small(struct sk_buff *head, struct sk_buff *skb)
{
	unsigned n = skb->len;

	if (n > SKB_RX_COPYBREAK || n > skb_tailroom(head) || skb_cloned(head) || skb_has_frag_list(head))
		return false;
	skb_copy_bits(skb, 0, skb_put(head, n), n);
	head->net->copied.rx_small += n;
	return true;
}

static void chain(struct sk_buff *head, struct sk_buff *last, struct sk_buff *skb)
{
	if (last == head)
		skb_shinfo(head)->frag_list = skb;
	else
		last->next = skb;
	skb->next = NULL;
	head->len += skb->len;
	head->data_len += skb->len;
	head->truesize += skb->truesize;
	NAPI_GRO_CB(head)->last = skb;
	NAPI_GRO_CB(skb)->kept = true;
}

int skb_gro_merge(struct sk_buff *head, struct sk_buff *skb, unsigned skip)
{
	struct napi_gro_cb *cb = NAPI_GRO_CB(head);
	struct sk_buff *last = cb->last;
	unsigned payload = skb->len - skip;

	if (head->len + payload > GRO_MAX_BYTES || skip > skb_headlen(skb) || (skb_cloned(head) && last == head))
		return -E2BIG;
	if (!skb_shinfo(head)->gso_size)
		skb_shinfo(head)->gso_size = (uint16_t)(head->len - skip);
	skb_pull(skb, skip);
	/* Not moved: frags behind linear payload, or those of a packet that itself is a chain. */
	if (skb_headlen(skb) || !skb->data_len || !move_frags(head, last, skb))
		if (!(last == head && !head->data_len && copy_small(head, skb)))
			chain(head, last, skb);
	cb->count++;
	NAPI_GRO_CB(skb)->merged = true;
	return 0;
}

static inline struct skb_frag *last_frag(const struct sk_buff *skb) { return &skb_shinfo(skb)->frags[skb_shinfo(skb)->nr_frags - 1u]; }

/* head can take n bytes more in its frags. */
static inline bool has_room(const struct sk_buff *head, uint32_t n)
{
	const struct skb_shared_info *si = skb_shinfo(head);

	return NAPI_GRO_CB(head)->last == head && !head->cloned && head->len + n <= GRO_MAX_BYTES && !si->frag_list && si->nr_frags &&
	       si->nr_frags < MAX_SKB_FRAGS;
}

/* Takes over the reference of owner. */
static inline void append(struct sk_buff *head, uint8_t *payload, uint32_t n, struct frag_owner *owner, uint32_t truesize, unsigned hdr)
{
	struct skb_shared_info *to = skb_shinfo(head);
	struct skb_frag *f = last_frag(head);

	if (unlikely(!to->gso_size))
		to->gso_size = (uint16_t)(head->len - hdr);
	if (likely(f->addr + f->len == payload && f->owner == owner)) {
		f->len += n;
		frag_owner_put(owner);
	} else {
		to->frags[to->nr_frags++] = (struct skb_frag){payload, n, owner};
	}
	grow(head, n, truesize);
	NAPI_GRO_CB(head)->count++;
}

/* --- the held packets --------------------------------------------------------------------------------------------- */

static void napi_gro_complete(struct sk_buff *skb)
{
	struct skb_shared_info *si = skb_shinfo(skb);
	struct napi_gro_cb *cb = NAPI_GRO_CB(skb);

	skb->next = NULL;
	if (cb->csum_ok && skb->ip_summed == CHECKSUM_NONE)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (cb->count > 1) {
		struct packet_offload *po = dev_find_offload(skb->net, skb->protocol);

		si->gso_segs = cb->count;
		po->gro_complete(skb, (unsigned)skb_network_offset(skb));
		if (!si->gso_type)
			si->gso_type = skb->protocol == CPU_TO_BE16(ETH_P_IPV6) ? SKB_GSO_TCPV6 : SKB_GSO_TCPV4;
	}
	netif_receive_skb(skb);
}

/* Takes skb, which is held, off the list. */
static void gro_unhold(struct napi_struct *napi, struct sk_buff *skb)
{
	struct sk_buff **p = &napi->gro_list;

	while (*p != skb)
		p = &(*p)->next;
	*p = skb->next;
	napi->gro_count--;
}

static void gro_flush_oldest(struct napi_struct *napi)
{
	struct sk_buff *skb = napi->gro_list;

	while (skb->next)
		skb = skb->next;
	gro_unhold(napi, skb);
	napi_gro_complete(skb);
}

void napi_gro_flush(struct napi_struct *napi)
{
	while (napi->gro_list)
		gro_flush_oldest(napi);
}

static void gro_hold(struct napi_struct *napi, struct sk_buff *skb)
{
	if (napi->gro_count >= GRO_MAX_HELD)
		gro_flush_oldest(napi);
	skb->next = napi->gro_list;
	napi->gro_list = skb;
	napi->gro_count++;
}

static inline bool same_link_bytes(const uint8_t *x, const uint8_t *y, unsigned n)
{
	return likely(n == ETH_HLEN) ? !memcmp(x, y, 8) && !memcmp(x + ETH_HLEN - 8, y + ETH_HLEN - 8, 8) : !memcmp(x, y, n);
}

static inline bool same_link_header(const struct sk_buff *a, const struct sk_buff *b)
{
	return a->protocol == b->protocol && a->mac_len == b->mac_len && same_link_bytes(skb_mac_header(a), skb_mac_header(b), a->mac_len);
}

static void gro_list_prepare(struct napi_struct *napi, const struct sk_buff *skb)
{
	for (struct sk_buff *p = napi->gro_list; p; p = p->next)
		NAPI_GRO_CB(p)->same_flow = same_link_header(p, skb);
}

/* The common case at once: the next segment of the flow that the last one belonged to.  True: skb is consumed. */
static inline bool gro_append(struct sk_buff *held, struct sk_buff *skb)
{
	const struct napi_gro_cb *cb = NAPI_GRO_CB(held);
	const struct skb_shared_info *si = skb_shinfo(skb);
	const struct skb_frag *f = &si->frags[0];

	if (!cb->follows || si->nr_frags != 1 || si->frag_list || si->gso_size || skb->cloned || !has_room(held, f->len) ||
	    !same_link_header(held, skb))
		return false;
	unsigned hdr = cb->follows(held, &(struct gro_segment){skb->data, skb_headlen(skb), f->addr, f->len, skb_csum_vouched(skb)});
	if (unlikely(!hdr))
		return false;
	append(held, f->addr, f->len, f->owner, frag_truesize(skb), hdr);
	skb_shinfo(skb)->nr_frags = 0; /* its reference went along */
	skb->len -= skb->data_len;
	skb->data_len = 0;
	skb_consume(skb);
	return true;
}

bool napi_gro_append(struct napi_struct *napi, const struct xmit_rx_frame *f)
{
	struct sk_buff *held = napi->gro_list;
	const struct xmit_offload *o = &f->offload;
	unsigned link = napi->dev->hard_header_len, hdr;

	if (!held || !NAPI_GRO_CB(held)->follows || f->header_len < link || held->mac_len != link ||
	    !has_room(held, f->payload_len) || !same_link_bytes(skb_mac_header(held), f->header, link))
		return false;
	hdr = NAPI_GRO_CB(held)->follows(held, &(struct gro_segment){
		f->header + link, f->header_len - link, f->payload, f->payload_len,
		o->needs_csum || (o->csum_valid && (napi->dev->features & XMIT_F_RXCSUM))});
	if (unlikely(!hdr))
		return false;
	append(held, f->payload, f->payload_len, f->owner, f->payload_len, hdr);
	return true;
}

void napi_gro_receive(struct napi_struct *napi, struct sk_buff *skb)
{
	struct packet_offload *po;
	struct napi_gro_cb *cb = NAPI_GRO_CB(skb);
	struct sk_buff *up;
	bool merged, kept;

	trace_skb(skb, TP_napi_gro_receive);
	if (napi->gro_list && gro_append(napi->gro_list, skb))
		return;
	po = napi->dev->features & XMIT_F_GRO ? dev_find_offload(skb->net, skb->protocol) : NULL;
	if (!po || !po->gro_receive || skb_is_gso(skb) || skb->pkt_type != PACKET_HOST) {
		/* A super-segment already: it must not overtake the packets of its flow. */
		if (napi->gro_list)
			napi_gro_flush(napi);
		netif_receive_skb(skb);
		return;
	}
	*cb = (struct napi_gro_cb){.last = skb, .count = 1, .age_ns = skb->net->now_ns};
	skb_reset_network_header(skb);
	gro_list_prepare(napi, skb);
	up = po->gro_receive(napi, skb);
	merged = cb->merged; /* skb may be part of what goes up now */
	kept = cb->kept;
	if (up) {
		gro_unhold(napi, up);
		napi_gro_complete(up);
	}
	if (likely(merged)) {
		if (!kept)
			skb_consume(skb);
	} else if (cb->flush) {
		if (cb->csum_ok && skb->ip_summed == CHECKSUM_NONE)
			skb->ip_summed = CHECKSUM_UNNECESSARY;
		netif_receive_skb(skb);
	} else {
		gro_hold(napi, skb);
	}
}
