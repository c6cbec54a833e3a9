/* SPDX-License-Identifier: MIT */
/*
 * ip_input.c - a received IPv4 packet is checked, routed, put together if it came in fragments, and handed to its transport (I5).
 *
 *	ip_rcv -> (PRE_ROUTING) -> ip_rcv_finish -> ip_route_input -> dst.input = ip_local_deliver | ip_forward | ip_error
 *	ip_local_deliver -> [ip_defrag] -> (LOCAL_IN) -> raw sockets, net_protocol.handler
 *
 * Called by netif_receive_skb() through packet_type.  RFC 791, RFC 1122 sections 3.2.1 and 3.2.2 (MUST discard: bad version, length,
 * checksum, addresses).
 */
#include "ip/ip_internal.h"
#include "ip/raw.h"
#include "wire/icmp.h"

/* --- up to the transport ------------------------------------------------------------------------------------- */

static int deliver_finish(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	const uint8_t protocol = ip_hdr(skb)->protocol;

	(void)sk;
	skb_pull(skb, ip_hdrlen(skb));
	skb_reset_transport_header(skb);
	bool raw = raw_local_deliver(skb, protocol);
	const struct net_protocol *p = net->ipv4->priv->protos[protocol];
	if (likely(p)) {
		NET_INC_STATS(net, IpInDelivers);
		p->handler(skb);
		return 0;
	}
	if (raw) {
		NET_INC_STATS(net, IpInDelivers);
		skb_consume(skb);
		return 0;
	}
	NET_INC_STATS(net, IpInUnknownProtos);
	icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
	skb_drop(skb, SKB_DROP_REASON_IP_NOPROTO);
	return 0;
}

int ip_local_deliver(struct sk_buff *skb)
{
	struct net *net = skb->net;

	trace_skb(skb, TP_ip_local_deliver);
	if (unlikely(ip_is_fragment(ip_hdr(skb)))) {
		skb = ip_defrag(net, skb, IP_DEFRAG_LOCAL_DELIVER);
		if (!skb)
			return 0;
	}
	trace_skb(skb, TP_nf_local_in);
	return NF_HOOK(net, NFPROTO_IPV4_, NF_INET_LOCAL_IN, NULL, skb, skb->dev, NULL, deliver_finish);
}

/* --- routing ---------------------------------------------------------------------------------------------------- */

/* A packet that looped inside this host comes with its route. */
static bool route_is_there(const struct sk_buff *skb)
{
	return skb->dst && (skb->dev->loopback || skb->pkt_type == PACKET_LOOPBACK) && dst_check(skb->dst);
}

static int ip_rcv_finish(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	enum skb_drop_reason reason = SKB_DROP_REASON_NOT_SPECIFIED;

	(void)sk;
	if (!route_is_there(skb) && unlikely(ip_route_input(skb, iph->daddr, iph->saddr, iph->tos, skb->dev, &reason))) {
		skb_drop(skb, reason);
		return 0;
	}
	if (unlikely(iph->ihl > 5) && !ip_rcv_options(skb))
		return 0;
	const struct rtable *rt = skb_rtable(skb);
	if (unlikely(rt->rt_type == RTN_MULTICAST))
		NET_INC_STATS(net, IpExtInMcastPkts);
	else if (unlikely(rt->rt_type == RTN_BROADCAST))
		NET_INC_STATS(net, IpExtInBcastPkts);
	return skb->dst->input(skb);
}

/* --- validation ------------------------------------------------------------------------------------------------- */

static void count_ecn(struct net *net, const struct sk_buff *skb, const struct iphdr *iph)
{
	static const uint16_t mib[4] = {MIB_IpExtInNoECTPkts, MIB_IpExtInECT1Pkts, MIB_IpExtInECT0Pkts, MIB_IpExtInCEPkts};
	unsigned segs = skb_shinfo(skb)->gso_segs;

	net->mib.counter[mib[iph->tos & INET_ECN_MASK]] += segs ? segs : 1;
}

/* The packet ends with its total length; what the link added behind it goes.  0 or why it cannot be used. */
static enum skb_drop_reason trim_to_length(struct net *net, struct sk_buff *skb)
{
	unsigned len = be16_to_cpu(ip_hdr(skb)->tot_len);

	if (skb->len < len) {
		NET_INC_STATS(net, IpExtInTruncatedPkts);
		return SKB_DROP_REASON_PKT_TOO_SMALL;
	}
	if (len < ip_hdrlen(skb)) {
		NET_INC_STATS(net, IpInHdrErrors);
		return SKB_DROP_REASON_IP_INHDR;
	}
	if (skb->len == len)
		return SKB_CONSUMED;
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	if (pskb_trim(skb, len)) {
		NET_INC_STATS(net, IpInDiscards);
		return SKB_DROP_REASON_NOMEM;
	}
	return SKB_CONSUMED;
}

/* RFC 1122 3.2.1: SKB_CONSUMED (0) when all is well. */
static enum skb_drop_reason validate(struct net *net, struct sk_buff *skb)
{
	const struct iphdr *iph;
	enum skb_drop_reason reason = SKB_DROP_REASON_IP_INHDR;

	if (!pskb_may_pull(skb, sizeof(*iph)))
		goto header_error;
	iph = ip_hdr(skb);
	if (unlikely(iph->ihl < 5 || iph->version != 4))
		goto header_error;
	count_ecn(net, skb, iph);
	if (!pskb_may_pull(skb, iph->ihl * 4u))
		goto header_error;
	iph = ip_hdr(skb);
	if (unlikely(ip_fast_csum(iph, iph->ihl)) && !PROVE_BREAKS("I5")) {
		NET_INC_STATS(net, IpExtInCsumErrors);
		reason = SKB_DROP_REASON_IP_CSUM;
		goto header_error;
	}
	return trim_to_length(net, skb);

header_error:
	NET_INC_STATS(net, IpInHdrErrors);
	return reason;
}

int ip_rcv(struct sk_buff *skb, struct net_device *dev)
{
	struct net *net = skb->net;
	enum skb_drop_reason reason;

	trace_skb(skb, TP_ip_rcv);
	if (unlikely(skb->pkt_type == PACKET_OTHERHOST)) {
		skb_drop(skb, SKB_DROP_REASON_OTHERHOST);
		return 0;
	}
	NET_INC_STATS(net, IpInReceives);
	NET_ADD_STATS(net, IpExtInOctets, skb->len);
	reason = validate(net, skb);
	if (unlikely(reason)) {
		skb_drop(skb, reason);
		return 0;
	}
	skb->transport_header = (uint16_t)(skb->network_header + ip_hdrlen(skb));
	*IPCB(skb) = (struct inet_skb_parm){.iif = dev->ifindex};
	skb->skb_iif = dev->ifindex;
	skb_orphan(skb);
	trace_skb(skb, TP_nf_pre_routing);
	return NF_HOOK(net, NFPROTO_IPV4_, NF_INET_PRE_ROUTING, NULL, skb, dev, NULL, ip_rcv_finish);
}

/* --- registration ----------------------------------------------------------------------------------------------- */

int inet_add_protocol(struct net *net, uint8_t protocol, const struct net_protocol *p)
{
	if (net->ipv4->priv->protos[protocol])
		return -EEXIST;
	net->ipv4->priv->protos[protocol] = p;
	return 0;
}

int inet_add_offload(struct net *net, uint8_t protocol, const struct net_offload *o)
{
	if (net->ipv4->priv->offloads[protocol])
		return -EEXIST;
	net->ipv4->priv->offloads[protocol] = o;
	return 0;
}
