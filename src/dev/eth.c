/* SPDX-License-Identifier: MIT */
/* eth.c - the Ethernet II link header: pushed on the way out, read on the way in (IEEE 802.3-2018 clause 3). */
#include "dev/netdevice.h"

static int eth_header(struct sk_buff *skb, struct net_device *dev, uint16_t type, const uint8_t *daddr, const uint8_t *saddr)
{
	struct ethhdr *eth = skb_push(skb, ETH_HLEN);

	eth->h_proto = cpu_to_be16(type);
	memcpy(eth->h_source, saddr ? saddr : dev->dev_addr, ETH_ALEN);
	if (daddr) {
		memcpy(eth->h_dest, daddr, ETH_ALEN);
		return ETH_HLEN;
	}
	memset(eth->h_dest, 0, ETH_ALEN);
	return dev->flags & (IFF_LOOPBACK_ | IFF_NOARP_) ? ETH_HLEN : -ETH_HLEN;
}

const struct header_ops eth_header_ops = {.create = eth_header};

static uint8_t pkt_type_of(const uint8_t *dest, const struct net_device *dev)
{
	if (likely(!memcmp(dest, dev->dev_addr, ETH_ALEN)))
		return PACKET_HOST;
	if (!eth_is_multicast(dest))
		return PACKET_OTHERHOST;
	return memcmp(dest, dev->broadcast, ETH_ALEN) ? PACKET_MULTICAST : PACKET_BROADCAST;
}

/* The caller has made sure that ETH_HLEN bytes are linear. */
uint16_t eth_type_trans(struct sk_buff *skb, struct net_device *dev)
{
	const struct ethhdr *eth = (const struct ethhdr *)(const void *)skb->data;

	skb->dev = dev;
	skb_reset_mac_header(skb);
	skb->mac_len = ETH_HLEN;
	skb->pkt_type = pkt_type_of(eth->h_dest, dev);
	skb_pull(skb, ETH_HLEN);
	return be16_to_cpu(eth->h_proto);
}
