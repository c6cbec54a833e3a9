/* SPDX-License-Identifier: MIT */
/*
 * inet_offload.c - IPv4's part of software segmentation and of receive merging (T5, D2).
 *
 * GSO: the transport cuts, then every segment gets its own length, ID and header checksum.  GRO: packets of one flow may be merged if their
 * headers agree in all that the merged one can say: addresses, protocol, TOS, TTL, DF, no options, no fragment, and IDs that count up (or,
 * with DF, stay the same); where they differ the held packet's `flush` tells the transport not to merge, so that nothing is lost by it.
 *
 * Called by dev/gso.c and dev/gro.c; calls the transport's net_offload.  RFC 791; RFC 6864 for IDs of atomic datagrams.
 */
#include "dev/gro.h"
#include "ip/ip_internal.h"

static struct sk_buff *inet_gso_segment(struct sk_buff *skb, uint32_t features, int *err)
{
	*err = -EINVAL;
	if (!pskb_may_pull(skb, sizeof(struct iphdr)))
		return NULL;
	skb_reset_network_header(skb);
	const struct iphdr *iph = ip_hdr(skb);
	const unsigned ihl = iph->ihl * 4u;
	if (ihl < sizeof(*iph) || !pskb_may_pull(skb, ihl))
		return NULL;
	iph = ip_hdr(skb);
	const struct net_offload *o = skb->net->ipv4->priv->offloads[iph->protocol];
	uint16_t id = be16_to_cpu(iph->id);
	*err = -EPROTONOSUPPORT;
	if (!o || !o->gso_segment)
		return NULL;
	skb_pull(skb, ihl);
	skb_reset_transport_header(skb);
	struct sk_buff *segs = o->gso_segment(skb, features, err);
	for (struct sk_buff *seg = segs; seg; seg = seg->next) {
		struct iphdr *h = ip_hdr(seg);
		h->id = cpu_to_be16(id++);
		h->tot_len = cpu_to_be16((uint16_t)((int)seg->len - skb_network_offset(seg)));
		ip_send_check(h);
	}
	return segs;
}

/* A header that can be merged at all: five words, whole packet, right checksum; padding behind the packet goes. */
static bool mergeable(struct sk_buff *skb, const struct iphdr *iph, unsigned offset)
{
	const unsigned len = offset + be16_to_cpu(iph->tot_len);

	if (iph->version != 4 || iph->ihl != 5 || ip_is_fragment(iph) || len > skb->len || len < offset + sizeof(*iph) || ip_fast_csum(iph, 5))
		return false;
	if (likely(len == skb->len))
		return true;
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	return pskb_trim(skb, len) == 0;
}

/* The held packet p came with the same link header: is it of the same hosts, and may iph follow it if it is of the same flow? */
static void compare_flow(struct sk_buff *p, const struct iphdr *iph)
{
	const struct iphdr *h = ip_hdr(p);

	if (memcmp(&h->saddr, &iph->saddr, 2 * sizeof(h->saddr)) || h->protocol != iph->protocol) {
		NAPI_GRO_CB(p)->same_flow = false;
		return;
	}
	uint16_t step = (uint16_t)(be16_to_cpu(iph->id) - be16_to_cpu(h->id));
	bool fixed_id = (h->frag_off & CPU_TO_BE16(IP_DF)) && step == 0;
	NAPI_GRO_CB(p)->flush = h->ttl != iph->ttl || h->tos != iph->tos || h->frag_off != iph->frag_off ||
				(step != NAPI_GRO_CB(p)->count && !fixed_id);
}

static struct sk_buff *inet_gro_receive(struct napi_struct *napi, struct sk_buff *skb)
{
	struct napi_gro_cb *cb = NAPI_GRO_CB(skb);
	const unsigned offset = cb->data_offset;

	cb->flush = true;
	if (!pskb_may_pull(skb, offset + (unsigned)sizeof(struct iphdr)))
		return NULL;
	const struct iphdr *iph = (const struct iphdr *)(const void *)(skb->data + offset);
	const struct net_offload *o = skb->net->ipv4->priv->offloads[iph->protocol];
	if (!o || !o->gro_receive || !mergeable(skb, iph, offset))
		return NULL;
	for (struct sk_buff *p = napi->gro_list; p; p = p->next)
		if (NAPI_GRO_CB(p)->same_flow)
			compare_flow(p, iph);
	cb->flush = false;
	skb_set_network_header(skb, (int)offset);
	cb->data_offset = offset + (unsigned)sizeof(*iph);
	skb_set_transport_header(skb, (int)cb->data_offset);
	return o->gro_receive(napi, skb);
}

/* The merged packet's length; its ID is that of the first. */
static void inet_gro_complete(struct sk_buff *skb, unsigned nhoff)
{
	struct iphdr *iph = (struct iphdr *)(void *)(skb->data + nhoff);
	be16 len = cpu_to_be16((uint16_t)(skb->len - nhoff));
	const struct net_offload *o = skb->net->ipv4->priv->offloads[iph->protocol];

	csum_replace2(&iph->check, iph->tot_len, len);
	iph->tot_len = len;
	if (o && o->gro_complete)
		o->gro_complete(skb, nhoff + (unsigned)sizeof(*iph));
}

const struct packet_offload inet_packet_offload = {
	.type = ETH_P_IP,
	.gso_segment = inet_gso_segment,
	.gro_receive = inet_gro_receive,
	.gro_complete = inet_gro_complete,
};
