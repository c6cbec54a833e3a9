/* SPDX-License-Identifier: MIT */
/*
 * neigh_output.c - through a neighbour to dev_queue_xmit() (N2, N4).
 *
 * neigh_output() (neighbour.h) takes the cached header while the entry is connected: neigh_hh_output(), one move of 16 bytes in front of
 * the packet.  Otherwise n->output, by state: neigh_resolve_output() looks at the state and may queue, neigh_connected_output() builds
 * the header, neigh_direct_output() needs none (bare IP), neigh_blackhole() for an entry that is gone or not set up yet.
 */
#include "neigh/neigh_internal.h"

static int fill_failed(struct sk_buff *skb)
{
	skb_drop(skb, SKB_DROP_REASON_NEIGH_HH_FILLFAIL);
	return -EINVAL;
}

/* Room for the link header, and skb->data at the network header. */
static bool prepare(struct neighbour *n, struct sk_buff *skb)
{
	int before = skb_network_offset(skb);

	skb->dev = n->dev;
	if (unlikely(before > 0) && pskb_pull_any(skb, (unsigned)before))
		return false;
	return likely(skb_headroom(skb) >= n->dev->hard_header_len) || !pskb_expand_head(skb, LL_RESERVED_SPACE(n->dev), 0, MEM_NORMAL);
}

static int output_with_header(struct neighbour *n, struct sk_buff *skb)
{
	struct net_device *dev = n->dev;

	if (!prepare(n, skb) || dev_hard_header(skb, dev, be16_to_cpu(skb->protocol), n->ha, NULL) < 0)
		return fill_failed(skb);
	return dev_queue_xmit(skb);
}

int neigh_resolve_output(struct neighbour *n, struct sk_buff *skb)
{
	trace_skb(skb, TP_neigh_resolve_output);
	if (neigh_event_send(n, skb))
		return 0;
	return output_with_header(n, skb);
}

int neigh_connected_output(struct neighbour *n, struct sk_buff *skb)
{
	return output_with_header(n, skb);
}

int neigh_direct_output(struct neighbour *n, struct sk_buff *skb)
{
	skb->dev = n->dev;
	return dev_queue_xmit(skb);
}

int neigh_blackhole(struct neighbour *n, struct sk_buff *skb)
{
	(void)n;
	skb_drop(skb, SKB_DROP_REASON_NEIGH_DEAD);
	return -ENETDOWN;
}

int neigh_hh_output(struct neighbour *n, struct sk_buff *skb)
{
	unsigned len = n->hh_len, room = skb_headroom(skb);

	trace_skb(skb, TP_neigh_hh_output);
	if (likely(room >= sizeof(n->hh)))
		memcpy(skb->data - sizeof(n->hh), n->hh, sizeof(n->hh)); /* one aligned move, filler and header */
	else if (likely(room >= len))
		memcpy(skb->data - len, n->hh + sizeof(n->hh) - len, len);
	else
		return output_with_header(n, skb);
	skb->dev = n->dev;
	skb_push(skb, len);
	return dev_queue_xmit(skb);
}

/* Link headers of at most 16 bytes are cached: those of Ethernet. */
static void cache_header(struct neighbour *n)
{
	const struct net_device *dev = n->dev;
	struct ethhdr eth;

	if (dev->header_ops != &eth_header_ops || PROVE_BREAKS("N4"))
		return;
	memcpy(eth.h_dest, n->ha, ETH_ALEN);
	memcpy(eth.h_source, dev->dev_addr, ETH_ALEN);
	eth.h_proto = cpu_to_be16(n->tbl->protocol);
	memset(n->hh, 0, sizeof(n->hh) - ETH_HLEN);
	memcpy(n->hh + sizeof(n->hh) - ETH_HLEN, &eth, ETH_HLEN);
	n->hh_len = ETH_HLEN;
}

void neigh_connect(struct neighbour *n)
{
	n->output = n->ops->connected_output;
	cache_header(n);
}

void neigh_suspect(struct neighbour *n) { n->output = n->ops->output; }
