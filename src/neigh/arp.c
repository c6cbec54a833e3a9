/* SPDX-License-Identifier: MIT */
/*
 * arp.c - address resolution for IPv4 over Ethernet (N3): RFC 826; RFC 5227 for probes (sender 0.0.0.0) and announcements; RFC 1122 2.3.2.
 *
 * Down: arp_solicit (called by the state machine) -> arp_send -> arp_create, arp_xmit -> dev_queue_xmit.
 * Up: arp_rcv checks the packet, arp_process answers requests for our addresses and updates the sender's entry.  An entry is created only
 * for who asks for us: others cannot fill the table.  What is ours and which source to ask with, IP says (struct arp_ip_ops).
 */
#include "neigh/neigh_internal.h"
#include "wire/arp.h"
#include <sys/socket.h>

enum { ARPHRD_IEEE802 = 6, TC_PRIO_CONTROL = 7 };
enum { ADDR_UNICAST = 1, ADDR_BROADCAST = 3, ADDR_MULTICAST = 5 }; /* of arp_ip_ops.addr_type */

void arp_register_ip(struct net *net, const struct arp_ip_ops *ops) { net->neigh->ip = ops; }

/* --- sending ---------------------------------------------------------------------------------------------------------- */

/* NULL: no memory, or no header.  dest_hw NULL: broadcast; target_hw NULL: unknown (zeros). */
static struct sk_buff *arp_create(uint16_t op, struct net_device *dev, be32 dest_ip, be32 src_ip, const uint8_t *dest_hw, const uint8_t *target_hw)
{
	struct sk_buff *skb = alloc_skb(dev->net, LL_RESERVED_SPACE(dev), sizeof(struct arphdr), SKB_ALLOC_RESERVE);
	struct arphdr *arp;

	if (!skb)
		return NULL;
	skb_reset_network_header(skb);
	arp = skb_put(skb, sizeof(*arp));
	*arp = (struct arphdr){
		.ar_hrd = CPU_TO_BE16(ARPHRD_ETHER), .ar_pro = CPU_TO_BE16(ETH_P_IP), .ar_hln = ETH_ALEN, .ar_pln = 4, .ar_op = cpu_to_be16(op),
		.ar_sip = src_ip, .ar_tip = dest_ip,
	};
	memcpy(arp->ar_sha, dev->dev_addr, ETH_ALEN);
	if (target_hw)
		memcpy(arp->ar_tha, target_hw, ETH_ALEN);
	skb->dev = dev;
	skb->protocol = CPU_TO_BE16(ETH_P_ARP);
	skb->priority = TC_PRIO_CONTROL;
	if (dev_hard_header(skb, dev, ETH_P_ARP, dest_hw ? dest_hw : dev->broadcast, NULL) < 0) {
		skb_drop(skb, SKB_DROP_REASON_NEIGH_HH_FILLFAIL);
		return NULL;
	}
	return skb;
}

static void arp_xmit(struct sk_buff *skb) { dev_queue_xmit(skb); }

static bool dev_does_arp(const struct net_device *dev)
{
	return dev->header_ops && !(dev->flags & (IFF_NOARP_ | IFF_LOOPBACK_));
}

static void arp_send(uint16_t op, struct net_device *dev, be32 dest_ip, be32 src_ip, const uint8_t *dest_hw, const uint8_t *target_hw)
{
	struct sk_buff *skb;

	if (!dev_does_arp(dev))
		return;
	skb = arp_create(op, dev, dest_ip, src_ip, dest_hw, target_hw);
	if (!skb)
		return;
	if (op == ARPOP_REQUEST)
		NET_INC_STATS(dev->net, ArpOutRequests);
	else
		NET_INC_STATS(dev->net, ArpOutReplies);
	arp_xmit(skb);
}

void arp_announce(struct net_device *dev, be32 addr)
{
	if (netif_oper_up(dev))
		arp_send(ARPOP_REQUEST, dev, addr, addr, NULL, NULL);
}

/* --- the operations of its entries -------------------------------------------------------------------------------------- */

/* Asks the neighbour alone while its address is known and the first questions last, then everybody. */
static void arp_solicit(struct neighbour *n, struct sk_buff *skb)
{
	const struct arp_ip_ops *ip = n->tbl->net->neigh->ip;
	bool alone = (n->nud_state & NUD_VALID) && n->probes <= n->tbl->ucast_solicit;
	be32 source;

	if (skb)
		trace_skb(skb, TP_arp_solicit);
	if (!ip)
		return;
	source = ip->source_for(n->dev, n->key.ip, skb);
	if (source)
		arp_send(ARPOP_REQUEST, n->dev, n->key.ip, source, alone ? n->ha : NULL, NULL);
}

static void arp_error_report(struct neighbour *n, struct sk_buff *skb)
{
	const struct arp_ip_ops *ip = n->tbl->net->neigh->ip;

	if (ip)
		ip->link_failure(skb);
	skb_drop(skb, SKB_DROP_REASON_NEIGH_FAILED);
}

static const struct neigh_ops arp_hh_ops = {
	.solicit = arp_solicit, .error_report = arp_error_report, .output = neigh_resolve_output, .connected_output = neigh_connected_output,
};
static const struct neigh_ops arp_direct_ops = {
	.error_report = arp_error_report, .output = neigh_direct_output, .connected_output = neigh_direct_output,
};

/* RFC 1112 6.4: the low 23 bits of the group in 01-00-5e. */
static void multicast_mac(be32 group, uint8_t *ha)
{
	uint32_t a = be32_to_cpu(group);

	ha[0] = 0x01;
	ha[1] = 0x00;
	ha[2] = 0x5e;
	ha[3] = (a >> 16) & 0x7f;
	ha[4] = (a >> 8) & 0xff;
	ha[5] = a & 0xff;
}

int arp_constructor(struct neighbour *n)
{
	struct net_device *dev = n->dev;
	const struct arp_ip_ops *ip = dev->net->neigh->ip;
	uint8_t type;

	if (!dev->header_ops) {
		n->ops = &arp_direct_ops;
		n->nud_state = NUD_NOARP;
		neigh_connect(n);
		return 0;
	}
	n->ops = &arp_hh_ops;
	type = ip && dev_does_arp(dev) ? ip->addr_type(dev->net, dev, n->key.ip) : (uint8_t)ADDR_UNICAST;
	if (!dev_does_arp(dev)) {
		n->nud_state = NUD_NOARP;
		memcpy(n->ha, dev->dev_addr, ETH_ALEN);
	} else if (type == ADDR_MULTICAST) {
		n->nud_state = NUD_NOARP;
		multicast_mac(n->key.ip, n->ha);
	} else if (type == ADDR_BROADCAST) {
		n->nud_state = NUD_NOARP;
		memcpy(n->ha, dev->broadcast, ETH_ALEN);
	}
	if (n->nud_state & NUD_VALID)
		neigh_connect(n);
	else
		neigh_suspect(n);
	return 0;
}

/* --- receiving ----------------------------------------------------------------------------------------------------------- */

static enum skb_drop_reason arp_malformed(const struct arphdr *arp)
{
	uint16_t hrd = be16_to_cpu(arp->ar_hrd), op = be16_to_cpu(arp->ar_op);

	if ((hrd != ARPHRD_ETHER && hrd != ARPHRD_IEEE802) || arp->ar_pro != CPU_TO_BE16(ETH_P_IP))
		return SKB_DROP_REASON_ARP_MALFORMED;
	if (arp->ar_hln != ETH_ALEN || arp->ar_pln != 4 || (op != ARPOP_REQUEST && op != ARPOP_REPLY))
		return SKB_DROP_REASON_ARP_MALFORMED;
	/* RFC 1812 3.3.2: a link-layer broadcast or multicast is nobody's address. */
	if (eth_is_multicast(arp->ar_sha))
		return SKB_DROP_REASON_ARP_MALFORMED;
	if (ipv4_is_multicast(arp->ar_tip) || ipv4_is_loopback(arp->ar_tip) || ipv4_is_multicast(arp->ar_sip) || ipv4_is_lbcast(arp->ar_sip))
		return SKB_DROP_REASON_IP_INADDRERRORS;
	return SKB_CONSUMED;
}

static void arp_update(struct neighbour *n, const struct arphdr *arp, bool solicited, bool gratuitous)
{
	uint64_t locktime = (uint64_t)n->tbl->locktime_cs * (NSEC_PER_SEC / 100);
	/* Of several answers in a row the first stays: a proxy may answer beside the host itself. */
	bool override = gratuitous || !neigh_within(n->updated_ns, locktime, n->tbl->net->now_ns);

	neigh_update(n, arp->ar_sha, solicited ? NUD_REACHABLE : NUD_STALE, override ? NEIGH_UPDATE_F_OVERRIDE : 0);
}

/* A request for an address of ours: remember who asks, and answer. */
static void arp_answer(struct net_device *dev, const struct arphdr *arp)
{
	union inet_addr sender = inet_addr_v4(arp->ar_sip);
	struct neighbour *n;

	if (arp->ar_sip) { /* not a probe for duplicates (RFC 5227 2.1.1) */
		n = neigh_lookup_or_create(dev->net, AF_INET, &sender, dev);
		if (!n)
			return;
		neigh_update(n, arp->ar_sha, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE);
	}
	if (!PROVE_BREAKS("N3"))
		arp_send(ARPOP_REPLY, dev, arp->ar_sip, arp->ar_tip, arp->ar_sha, arp->ar_sha);
}

static bool is_gratuitous(struct net_device *dev, const struct arp_ip_ops *ip, const struct arphdr *arp)
{
	return arp->ar_tip == arp->ar_sip && ip->addr_type(dev->net, dev, arp->ar_sip) == ADDR_UNICAST &&
	       (arp->ar_op == CPU_TO_BE16(ARPOP_REQUEST) || !memcmp(arp->ar_tha, arp->ar_sha, ETH_ALEN));
}

static void log_conflict(struct net *net, const struct arphdr *arp)
{
	uint32_t a = be32_to_cpu(arp->ar_sip);
	const uint8_t *m = arp->ar_sha;

	net_log(net, "arp: address %u.%u.%u.%u is also used by %02x:%02x:%02x:%02x:%02x:%02x", a >> 24, (a >> 16) & 255, (a >> 8) & 255, a & 255,
		m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void arp_process(struct net_device *dev, const struct arphdr *arp, bool to_us_alone)
{
	const struct arp_ip_ops *ip = dev->net->neigh->ip;
	bool request = arp->ar_op == CPU_TO_BE16(ARPOP_REQUEST);
	union inet_addr sender = inet_addr_v4(arp->ar_sip);
	struct neighbour *n;

	if (arp->ar_sip && ip->is_local(dev, arp->ar_sip)) {
		if (memcmp(arp->ar_sha, dev->dev_addr, ETH_ALEN))
			log_conflict(dev->net, arp);
		return;
	}
	if (request && ip->is_local(dev, arp->ar_tip)) {
		arp_answer(dev, arp);
		return;
	}
	n = arp->ar_sip ? neigh_lookup(dev->net, AF_INET, &sender, dev) : NULL;
	if (n)
		arp_update(n, arp, !request && to_us_alone, is_gratuitous(dev, ip, arp));
}

int arp_rcv(struct sk_buff *skb, struct net_device *dev)
{
	enum skb_drop_reason reason = SKB_DROP_REASON_ARP_MALFORMED;
	struct arphdr arp;

	trace_skb(skb, TP_arp_rcv);
	if (!dev_does_arp(dev) || skb->pkt_type == PACKET_OTHERHOST || skb->pkt_type == PACKET_LOOPBACK) {
		reason = SKB_DROP_REASON_OTHERHOST;
		goto drop;
	}
	if (skb_copy_bits(skb, 0, &arp, sizeof(arp)))
		goto drop;
	reason = arp_malformed(&arp);
	if (reason)
		goto drop;
	if (arp.ar_op == CPU_TO_BE16(ARPOP_REQUEST))
		NET_INC_STATS(dev->net, ArpInRequests);
	else
		NET_INC_STATS(dev->net, ArpInReplies);
	if (dev->net->neigh->ip)
		arp_process(dev, &arp, skb->pkt_type == PACKET_HOST);
	skb_consume(skb);
	return 0;

drop:
	skb_drop(skb, reason);
	return 0;
}
