/* SPDX-License-Identifier: MIT */
/*
 * ip_forward.c - a packet for somebody else, when net.ipv4.ip_forward is on (I5).
 *
 * TTL, size and options are looked at here; the FORWARD hook decides; then it leaves as our own packets do, through ip_output().
 * Redirects are not sent.  RFC 1812 sections 4.2.2 and 5.3.
 */
#include "ip/ip_internal.h"
#include "wire/icmp.h"

static bool exceeds_mtu(const struct sk_buff *skb, unsigned mtu)
{
	if (skb->len <= mtu || !(ip_hdr(skb)->frag_off & CPU_TO_BE16(IP_DF)))
		return false;
	if (IPCB(skb)->frag_max_size > mtu)
		return true;
	if (skb->ignore_df)
		return false;
	return !(skb_is_gso(skb) && ip_gso_fits(skb, mtu));
}

static int forward_finish(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	if (IPCB(skb)->optlen)
		ip_forward_options(skb);
	skb->tstamp_ns = 0; /* arrival is not departure */
	NET_INC_STATS(net, IpForwDatagrams);
	return skb->dst->output(net, sk, skb);
}

static void decrease_ttl(struct iphdr *iph)
{
	be16 from, to;

	memcpy(&from, &iph->ttl, 2);
	iph->ttl--;
	memcpy(&to, &iph->ttl, 2);
	csum_replace2(&iph->check, from, to);
}

int ip_forward(struct sk_buff *skb)
{
	struct net *net = skb->net;
	struct net_device *in = skb->dev;

	trace_skb(skb, TP_ip_forward);
	if (skb->pkt_type != PACKET_HOST) {
		skb_drop(skb, SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST);
		return 0;
	}
	if (ip_hdr(skb)->ttl <= 1) {
		NET_INC_STATS(net, IpInHdrErrors);
		icmp_send(skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
		skb_drop(skb, SKB_DROP_REASON_IP_TTL);
		return 0;
	}
	IPCB(skb)->flags |= IPSKB_FORWARDED;
	unsigned mtu = ip_skb_dst_mtu(NULL, skb);
	if (exceeds_mtu(skb, mtu)) {
		NET_INC_STATS(net, IpFragFails);
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
		skb_drop(skb, SKB_DROP_REASON_PKT_TOO_BIG);
		return 0;
	}
	if (skb_cow_head(skb, LL_RESERVED_SPACE(skb->dst->dev))) {
		NET_INC_STATS(net, IpOutDiscards);
		skb_drop(skb, SKB_DROP_REASON_NOMEM);
		return 0;
	}
	decrease_ttl(ip_hdr(skb));
	skb->priority = ip_tos2priority(ip_hdr(skb)->tos);
	return NF_HOOK(net, NFPROTO_IPV4_, NF_INET_FORWARD, NULL, skb, in, skb->dst->dev, forward_finish);
}
