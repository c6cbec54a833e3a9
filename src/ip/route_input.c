/* SPDX-License-Identifier: MIT */
/*
 * route_input.c - where does a received packet go: up, on, or nowhere (I5).
 *
 * In order: sources and destinations that can never be right (martians), broadcast and multicast, addresses of this host, forwarding
 * where that is on.  A packet that nobody takes gets a route whose input is ip_error(), which counts it and answers where a router would.
 * While a socket accepts any destination (netns_ipv4.accept_any), every unicast packet from a device other than lo is for this host.
 *
 * Called by ip_rcv_finish().  RFC 1122 section 3.2.1.3, RFC 1812 sections 5.3.7 and 5.3.8.
 */
#include "ip/fib.h"
#include "ip/ip_internal.h"
#include "wire/icmp.h"

static int drop_as(enum skb_drop_reason *reason, enum skb_drop_reason why, int err)
{
	*reason = why;
	return err;
}

/* Input of a route to nowhere: error says why. */
static int ip_error(struct sk_buff *skb)
{
	struct net *net = skb->net;
	int error = -skb->dst->error;
	uint8_t code;

	if (!net->ipv4->sysctl_ip_forward) {
		if (error == EHOSTUNREACH)
			NET_INC_STATS(net, IpInAddrErrors);
		else if (error == ENETUNREACH)
			NET_INC_STATS(net, IpExtInNoRoutes);
		skb_drop(skb, SKB_DROP_REASON_IP_INADDRERRORS);
		return 0;
	}
	switch (error) {
	case EHOSTUNREACH:
		code = ICMP_HOST_UNREACH;
		break;
	case ENETUNREACH:
		code = ICMP_NET_UNREACH;
		NET_INC_STATS(net, IpExtInNoRoutes);
		break;
	case EACCES:
		code = ICMP_PKT_FILTERED;
		break;
	default:
		skb_drop(skb, SKB_DROP_REASON_IP_INNOROUTES);
		return 0;
	}
	icmp_send(skb, ICMP_DEST_UNREACH, code, 0);
	skb_drop(skb, SKB_DROP_REASON_IP_INNOROUTES);
	return 0;
}

/* --- is the source believable? ----------------------------------------------------------------------------- */

/* Reverse path (RFC 3704): 1, strict: the way back is by the same device; 2, loose: there is one. */
static int check_reverse_path(struct net *net, int mode, be32 saddr, be32 daddr, uint8_t tos, struct net_device *dev)
{
	struct flowi fl = {.daddr = inet_addr_v4(saddr), .saddr = inet_addr_v4(daddr), .tos = tos & IPTOS_RT_MASK, .iif = dev->ifindex};
	struct fib_result res;

	if (fib_lookup(net, &fl, &res))
		return -EXDEV;
	if (res.type != RTN_UNICAST)
		return -EINVAL;
	return mode != 1 || fib_info_uses_dev(res.fi, dev) ? 0 : -EXDEV;
}

static int validate_source(struct net *net, be32 saddr, be32 daddr, uint8_t tos, struct net_device *dev, enum skb_drop_reason *reason)
{
	int mode = net->ipv4->sysctl_rp_filter, err = 0;

	if (dev->loopback)
		return 0;
	if (mode)
		err = check_reverse_path(net, mode, saddr, daddr, tos, dev);
	if (err == -EXDEV) {
		NET_INC_STATS(net, IPReversePathFilter);
		return drop_as(reason, SKB_DROP_REASON_IP_RPFILTER, err);
	}
	/* Our own address as source of a packet from outside. */
	if (err || ip_dev_find(net, saddr))
		return drop_as(reason, SKB_DROP_REASON_IP_INADDRERRORS, -EINVAL);
	return 0;
}

/* --- routes ------------------------------------------------------------------------------------------------ */

static struct rtable *local_route(struct net_device *dev, uint8_t type, uint16_t flags)
{
	struct rtable *rt = rt_dst_alloc(dev, flags | RTCF_LOCAL, type);

	if (rt)
		rt->rt_iif = dev->ifindex;
	return rt;
}

static struct rtable *error_route(struct net_device *dev, int error)
{
	struct rtable *rt = rt_dst_alloc(dev, 0, RTN_UNREACHABLE);

	if (rt) {
		rt->rt_iif = dev->ifindex;
		rt->dst.error = error;
		rt->dst.input = ip_error;
	}
	return rt;
}

static struct rtable *forward_route(struct net *net, struct net_device *dev, struct fib_result *res, const struct flowi *fl)
{
	fib_select_path(net, res, fl);
	const struct fib_nh *nh = res->nh;
	struct rtable *rt = rt_dst_alloc(nh->dev, 0, RTN_UNICAST);

	if (!rt)
		return NULL;
	rt->rt_iif = dev->ifindex;
	rt->dst.input = ip_forward;
	if (nh->gw && nh->scope == RT_SCOPE_LINK) {
		rt->rt_uses_gateway = 1;
		rt->rt_gateway = nh->gw;
	}
	memcpy(rt->dst.metrics, res->fi->metrics, sizeof(rt->dst.metrics));
	pmtu_apply(net, rt, fl->daddr.ip);
	return rt;
}

/* Everything but multicast.  *rt, or -errno with *reason. */
static int route_input(struct net *net, be32 daddr, be32 saddr, uint8_t tos, struct net_device *dev, struct rtable **rt,
		       enum skb_drop_reason *reason)
{
	struct flowi fl = {.daddr = inet_addr_v4(daddr), .saddr = inet_addr_v4(saddr), .tos = tos & IPTOS_RT_MASK, .iif = dev->ifindex};
	struct fib_result res;
	bool broadcast = ipv4_is_lbcast(daddr) || (!saddr && !daddr);
	int err = 0;

	*reason = SKB_DROP_REASON_IP_INADDRERRORS;
	if ((ipv4_is_multicast(saddr) || ipv4_is_lbcast(saddr)) && !PROVE_BREAKS("MUST-63"))
		return -EINVAL;
	if (!broadcast) {
		if (ipv4_is_zeronet(saddr) || ipv4_is_zeronet(daddr))
			return -EINVAL;
		if ((ipv4_is_loopback(daddr) || ipv4_is_loopback(saddr)) && !dev->loopback)
			return -EINVAL;
		err = fib_lookup(net, &fl, &res);
		broadcast = !err && res.type == RTN_BROADCAST;
	}
	if (broadcast) {
		if (!ipv4_is_zeronet(saddr) && validate_source(net, saddr, daddr, tos, dev, reason))
			return -EINVAL;
		*rt = local_route(dev, RTN_BROADCAST, RTCF_BROADCAST);
	} else if ((!err && res.type == RTN_LOCAL) || (net->ipv4->accept_any > 0 && !dev->loopback)) {
		err = validate_source(net, saddr, daddr, tos, dev, reason);
		if (err)
			return err;
		*rt = local_route(dev, RTN_LOCAL, 0);
	} else if (err || !net->ipv4->sysctl_ip_forward) {
		*rt = error_route(dev, net->ipv4->sysctl_ip_forward ? err : -EHOSTUNREACH);
	} else if (res.type != RTN_UNICAST || !res.nh->dev) {
		return -EINVAL;
	} else {
		err = validate_source(net, saddr, daddr, tos, dev, reason);
		if (err)
			return err;
		*rt = forward_route(net, dev, &res, &fl);
	}
	if (*rt)
		return 0;
	return drop_as(reason, SKB_DROP_REASON_NOMEM, -ENOBUFS);
}

static int route_input_mc(struct sk_buff *skb, be32 daddr, be32 saddr, struct net_device *dev, struct rtable **rt,
			  enum skb_drop_reason *reason)
{
	bool local_group = (daddr & CPU_TO_BE32(0xffffff00)) == CPU_TO_BE32(0xe0000000);

	*reason = SKB_DROP_REASON_IP_INADDRERRORS;
	if (!in_dev_get(dev) || !ip_check_mc(in_dev_get(dev), daddr))
		return -EINVAL;
	if (ipv4_is_multicast(saddr) || ipv4_is_lbcast(saddr) || (ipv4_is_loopback(saddr) && !dev->loopback))
		return -EINVAL;
	/* What went out by lo had a route already, and lo may have no address that is more than the host's. */
	if (ipv4_is_zeronet(saddr) && !local_group && !dev->loopback && ip_hdr(skb)->protocol != IPPROTO_IGMP)
		return -EINVAL;
	*rt = local_route(dev, RTN_MULTICAST, RTCF_MULTICAST);
	return *rt ? 0 : drop_as(reason, SKB_DROP_REASON_NOMEM, -ENOBUFS);
}

int ip_route_input(struct sk_buff *skb, be32 daddr, be32 saddr, uint8_t tos, struct net_device *dev, enum skb_drop_reason *reason)
{
	struct net *net = skb->net;
	struct rt_key key = {saddr, daddr, dev->ifindex, tos & IPTOS_RT_MASK,
			     (uint8_t)(RT_KEY_INPUT | (net->ipv4->accept_any > 0 ? RT_KEY_ACCEPT_ANY : 0))};
	struct rtable *rt;
	int err;

	trace_skb(skb, TP_ip_route_input);
	if (unlikely(ipv4_is_multicast(daddr))) {
		err = route_input_mc(skb, daddr, saddr, dev, &rt, reason);
		if (err)
			return err;
	} else {
		rt = rt_cache_find(net, &key);
		if (!rt) {
			err = route_input(net, daddr, saddr, tos, dev, &rt, reason);
			if (err)
				return err;
			rt_cache_store(net, &key, rt);
		}
	}
	dst_release(skb->dst);
	skb->dst = &rt->dst;
	return 0;
}

be32 fib_compute_spec_dst(struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);
	const struct iphdr *iph = ip_hdr(skb);

	if (rt && (rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST | RTCF_LOCAL)) == RTCF_LOCAL)
		return iph->daddr;
	struct net_device *dev = skb->dev ? skb->dev : dev_get_by_index(skb->net, skb->skb_iif);
	if (!dev)
		return 0;
	if (!ipv4_is_zeronet(iph->saddr)) {
		const struct flowi fl = {.daddr = inet_addr_v4(iph->saddr), .oif = dev->ifindex};
		struct fib_result res;
		if (!fib_lookup(skb->net, &fl, &res) && res.nh && res.nh->dev)
			return fib_result_prefsrc(skb->net, &res);
	}
	return inet_select_addr(skb->net, dev, iph->saddr, RT_SCOPE_UNIVERSE);
}
