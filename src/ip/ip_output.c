/* SPDX-License-Identifier: MIT */
/*
 * ip_output.c - a transport segment gets its route and header, passes the hooks and goes to the neighbour (I1 to I4).
 *
 *	ip_queue_xmit -> ip_local_out -> (LOCAL_OUT) -> dst.output = ip_output -> (POST_ROUTING) -> ip_finish_output
 *	    -> [software GSO | ip_fragment] -> ip_finish_output2 -> neigh_output
 *
 * Nothing is cached here: the route is the socket's, checked by generation; the neighbour is looked up for each packet.
 * Multicast and broadcast take ip_mc_output(), which first sends a copy to ourselves.
 *
 * Called by the transports; every function consumes its skb and returns 0, -errno or NET_XMIT_*.  RFC 791, RFC 1122 section 3.3.
 */
#include "ip/ip_internal.h"
#include "wire/tcp.h"
#include "wire/udp.h"

/* Linux's map of the TOS's four lower bits to a priority, by which pfifo_fast picks a band (RFC 1349 TOS values). */
uint8_t ip_tos2priority(uint8_t tos)
{
	enum { BEST_EFFORT = 0, BULK = 2, INTERACTIVE_BULK = 4, INTERACTIVE = 6 };
	static const uint8_t prio[16] = {
		BEST_EFFORT, BEST_EFFORT, BEST_EFFORT, BEST_EFFORT, BULK, BULK, BULK, BULK,
		INTERACTIVE, INTERACTIVE, INTERACTIVE, INTERACTIVE, INTERACTIVE_BULK, INTERACTIVE_BULK, INTERACTIVE_BULK, INTERACTIVE_BULK,
	};

	return prio[(tos & 0x1e) >> 1];
}

/* --- the last step: to the neighbour ------------------------------------------------------------------------ */

static void count_cast(struct net *net, const struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);

	if (rt->rt_type == RTN_MULTICAST)
		NET_INC_STATS(net, IpExtOutMcastPkts);
	else if (rt->rt_type == RTN_BROADCAST)
		NET_INC_STATS(net, IpExtOutBcastPkts);
}

static int ip_finish_output2(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);
	struct net_device *dev = rt->dst.dev;

	(void)sk;
	trace_skb(skb, TP_ip_finish_output2);
	if (unlikely(rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)))
		count_cast(net, skb);
	unsigned ll = (unsigned)dev->hard_header_len + dev->needed_headroom;
	if (unlikely(skb_headroom(skb) < ll) && pskb_expand_head(skb, LL_RESERVED_SPACE(dev), 0, MEM_RESERVE)) {
		skb_drop(skb, SKB_DROP_REASON_NOMEM);
		return -ENOMEM;
	}
	/* Where all next hops are behind the same door one entry serves. */
	bool one_door = dev->flags & (IFF_LOOPBACK_ | IFF_POINTOPOINT_);
	union inet_addr next = inet_addr_v4(one_door ? 0 : rt_nexthop(rt, ip_hdr(skb)->daddr));
	struct neighbour *n = neigh_lookup_or_create(net, AF_INET, &next, dev);
	if (unlikely(!n)) {
		skb_drop(skb, SKB_DROP_REASON_NEIGH_CREATEFAIL);
		return -ENOBUFS;
	}
	if (skb->dst_pending_confirm) {
		neigh_confirm(n, net->now_ns);
		skb->dst_pending_confirm = 0;
	}
	return neigh_output(n, skb);
}

/* --- does it fit? -------------------------------------------------------------------------------------------- */

unsigned ip_skb_dst_mtu(const struct sock *sk, const struct sk_buff *skb)
{
	const struct dst_entry *dst = skb->dst;
	unsigned mtu;

	if (IPCB(skb)->flags & IPSKB_FORWARDED) {
		mtu = dst_metric(dst, RTAX_MTU);
		return mtu ? mtu : MIN(dst->dev->mtu, (unsigned)IPV4_MAX_PMTU);
	}
	if (!sk || !ip_sk_full(sk) || ip_sk_use_pmtu(sk))
		return dst_mtu(dst);
	return MIN(dst->dev->mtu, (unsigned)IPV4_MAX_PMTU);
}

bool ip_gso_fits(const struct sk_buff *skb, unsigned mtu)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	unsigned hdrs = (unsigned)(skb_transport_offset(skb) - skb_network_offset(skb));

	if (si->gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6))
		hdrs += tcp_hdrlen_of((const struct tcphdr *)(const void *)skb_transport_header(skb));
	else
		hdrs += sizeof(struct udphdr);
	return hdrs + si->gso_size <= mtu;
}

/* Segments that do not fit the MTU: cut here, then fragment each (a route's MTU shrank below what the transport knew). */
static int finish_output_gso(struct net *net, struct sock *sk, struct sk_buff *skb, unsigned mtu)
{
	int err = 0, ret = 0;
	struct sk_buff *segs = skb_gso_segment(skb, skb->dst->dev->features & ~(uint32_t)(XMIT_F_TSO | XMIT_F_TSO6 | XMIT_F_GSO_UDP), &err);

	if (!segs) {
		skb_drop(skb, SKB_DROP_REASON_SKB_GSO_SEG);
		return err ? err : -ENOMEM;
	}
	skb_consume(skb);
	while (segs) {
		struct sk_buff *seg = segs;
		segs = seg->next;
		seg->next = NULL;
		err = ip_fragment(net, sk, seg, mtu, ip_finish_output2);
		if (err && !ret)
			ret = err;
	}
	return ret;
}

static int ip_finish_output(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	trace_skb(skb, TP_ip_finish_output);
	unsigned mtu = ip_skb_dst_mtu(sk, skb);

	if (skb_is_gso(skb)) {
		if (likely(ip_gso_fits(skb, mtu)))
			return ip_finish_output2(net, sk, skb);
		return finish_output_gso(net, sk, skb, mtu);
	}
	if (unlikely(skb->len > mtu || IPCB(skb)->frag_max_size) && !PROVE_BREAKS("I4"))
		return ip_fragment(net, sk, skb, mtu, ip_finish_output2);
	return ip_finish_output2(net, sk, skb);
}

/* --- dst.output ---------------------------------------------------------------------------------------------- */

static void count_out(struct net *net, const struct sk_buff *skb)
{
	NET_INC_STATS(net, IpOutTransmits);
	NET_ADD_STATS(net, IpExtOutOctets, skb->len);
}

static int post_routing(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	if (unlikely(skb->rerouted))
		return ip_finish_output(net, sk, skb);
	trace_skb(skb, TP_nf_post_routing);
	return NF_HOOK(net, NFPROTO_IPV4_, NF_INET_POST_ROUTING, sk, skb, NULL, skb->dev, ip_finish_output);
}

int ip_output(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	trace_skb(skb, TP_ip_output);
	count_out(net, skb);
	skb->dev = skb->dst->dev;
	skb->protocol = CPU_TO_BE16(ETH_P_IP);
	return post_routing(net, sk, skb);
}

/* A copy for ourselves: through the backlog, as if it had come in. */
static int loopback_xmit(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	(void)net;
	(void)sk;
	skb_reset_mac_header(skb);
	skb->pkt_type = PACKET_LOOPBACK;
	if (skb->ip_summed == CHECKSUM_NONE)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->skb_iif = skb->dev->ifindex;
	return netif_rx(skb);
}

static void send_copy_to_self(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff *copy = skb_copy(skb, LL_RESERVED_SPACE(skb->dev), MEM_NORMAL);

	if (!copy)
		return;
	copy->dev = skb->dev;
	trace_skb(copy, TP_nf_post_routing);
	NF_HOOK(net, NFPROTO_IPV4_, NF_INET_POST_ROUTING, sk, copy, NULL, copy->dev, loopback_xmit);
}

int ip_mc_output(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);

	trace_skb(skb, TP_ip_output);
	count_out(net, skb);
	skb->dev = rt->dst.dev;
	skb->protocol = CPU_TO_BE16(ETH_P_IP);
	bool wants_copy = (rt->rt_flags & RTCF_BROADCAST) || !sk || !ip_sk_full(sk) || sock_flag(sk, SOCK_F_MC_LOOP);
	if ((rt->rt_flags & RTCF_LOCAL) && wants_copy)
		send_copy_to_self(net, sk, skb);
	if ((rt->rt_flags & RTCF_MULTICAST) && ip_hdr(skb)->ttl == 0) { /* for this host only */
		skb_consume(skb);
		return 0;
	}
	return post_routing(net, sk, skb);
}

static int dst_output(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	return skb->dst->output(net, sk, skb);
}

int ip_local_out(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	struct iphdr *iph = ip_hdr(skb);

	trace_skb(skb, TP_ip_local_out);
	NET_INC_STATS(net, IpOutRequests);
	iph->tot_len = cpu_to_be16((uint16_t)skb->len);
	if (!PROVE_BREAKS("I2"))
		ip_send_check(iph);
	skb->protocol = CPU_TO_BE16(ETH_P_IP);
	trace_skb(skb, TP_nf_local_out);
	return NF_HOOK(net, NFPROTO_IPV4_, NF_INET_LOCAL_OUT, sk, skb, NULL, skb->dst->dev, dst_output);
}

/* --- headers ------------------------------------------------------------------------------------------------- */

struct iphdr *ip_push_header(struct sk_buff *skb, unsigned optlen, uint8_t tos, bool df, uint8_t ttl, uint8_t protocol, be32 saddr, be32 daddr)
{
	struct iphdr *iph = skb_push(skb, sizeof(*iph) + optlen);

	skb_reset_network_header(skb);
	iph->version = 4;
	iph->ihl = 5;
	iph->tos = tos;
	iph->frag_off = df ? CPU_TO_BE16(IP_DF) : 0;
	iph->ttl = ttl;
	iph->protocol = protocol;
	iph->saddr = saddr;
	iph->daddr = daddr;
	return iph;
}

/* The socket's cached route, or a new one which is then cached.  NULL: none; not counted. */
static struct rtable *sk_route(struct sock *sk, struct flowi *fl, const struct ip_options_data *opt)
{
	struct inet_sock *inet = inet_sk(sk);
	struct dst_entry *dst = __sk_dst_check(sk);
	int err;

	if (likely(dst))
		return dst_rtable(dst);
	be32 daddr = opt && opt->faddr ? opt->faddr : inet->inet_daddr.ip;
	struct rtable *rt = ip_route_output_ports(sock_net(sk), fl, sk, daddr, inet->inet_saddr.ip, inet->inet_dport, inet->inet_sport,
						  (uint8_t)sk->sk_protocol, inet->tos, sk->sk_bound_dev_if, &err);
	if (!rt)
		return NULL;
	sk_dst_set(sk, &rt->dst);
	return rt;
}

int ip_queue_xmit(struct sock *sk, struct sk_buff *skb, struct flowi *fl)
{
	struct inet_sock *inet = inet_sk(sk);
	struct net *net = sock_net(sk);
	const struct ip_options_data *opt = unlikely(sk->sk_ext) ? sk->sk_ext->inet_opt : NULL;

	trace_skb(skb, TP_ip_queue_xmit);
	*IPCB(skb) = (struct inet_skb_parm){0};
	if (likely(!skb->dst)) {
		struct rtable *rt = sk_route(sk, fl, opt);
		if (unlikely(!rt)) {
			NET_INC_STATS(net, IpOutNoRoutes);
			skb_drop(skb, SKB_DROP_REASON_IP_OUTNOROUTES);
			return -EHOSTUNREACH;
		}
		skb->dst = dst_hold(&rt->dst);
	}
	const struct rtable *rt = skb_rtable(skb);
	bool df = ip_df_wanted(sk, rt) && !skb->ignore_df;
	struct iphdr *iph = ip_push_header(skb, opt ? opt->optlen : 0, inet->tos, df, (uint8_t)ip_select_ttl(inet, &rt->dst, net),
					(uint8_t)sk->sk_protocol, inet->inet_saddr.ip,
					unlikely(opt) && opt->faddr ? opt->faddr : inet->inet_daddr.ip);
	if (unlikely(opt))
		ip_options_build(net, iph, opt, inet->inet_daddr.ip, inet->inet_saddr.ip);
	ip_select_ident_segs(net, skb, sk, skb_shinfo(skb)->gso_segs ? skb_shinfo(skb)->gso_segs : 1);
	skb->priority = sk->sk_priority;
	skb->mark = sk->sk_mark;
	return ip_local_out(net, sk, skb);
}

/* Consumes skb. */
int ip_build_and_send_pkt(struct sk_buff *skb, const struct sock *sk, be32 saddr, be32 daddr, const struct ip_options_data *opt, uint8_t tos)
{
	struct net *net = sock_net(sk);
	const struct rtable *rt = skb_rtable(skb);

	*IPCB(skb) = (struct inet_skb_parm){0};
	struct iphdr *iph = ip_push_header(skb, opt ? opt->optlen : 0, tos, ip_df_wanted(sk, rt), (uint8_t)ip_select_ttl(inet_sk(sk), &rt->dst, net),
					(uint8_t)sk->sk_protocol, saddr, opt && opt->faddr ? opt->faddr : daddr);
	if (opt)
		ip_options_build(net, iph, opt, daddr, saddr);
	ip_select_ident_segs(net, skb, NULL, 1);
	skb->priority = sk->sk_priority;
	if (!skb->mark)
		skb->mark = sk->sk_mark;
	return ip_local_out(net, skb->sk, skb);
}

/* --- answers without a socket ------------------------------------------------------------------------------------ */

static void reply_checksum(struct sk_buff *skb, const struct ip_reply_arg *arg, be32 saddr, be32 daddr, uint8_t proto)
{
	if (arg->csum_offset < 0)
		return;
	uint8_t *th = skb_transport_header(skb);
	memset(th + arg->csum_offset, 0, 2);
	uint16_t sum = csum_tcpudp_magic(saddr, daddr, arg->len, proto, csum_partial(th, arg->len, 0));
	memcpy(th + arg->csum_offset, &sum, 2);
	skb->ip_summed = CHECKSUM_NONE;
}

void ip_send_unicast_reply(struct net *net, struct sk_buff *skb, const struct ip_reply_arg *arg, uint8_t proto)
{
	struct ip_options_data opt;
	be32 saddr = arg->saddr ? arg->saddr : ip_hdr(skb)->daddr, daddr = arg->daddr ? arg->daddr : ip_hdr(skb)->saddr;
	int err;

	ip_options_echo(&opt, skb);
	struct flowi fl = {.proto = proto, .tos = arg->tos, .oif = arg->bound_dev_if, .mark = arg->mark, .saddr = inet_addr_v4(saddr),
			   .daddr = inet_addr_v4(opt.faddr ? opt.faddr : daddr)};
	struct rtable *rt = ip_route_output_flow(net, &fl, NULL, &err);
	if (!rt)
		return;
	struct sk_buff *nskb = alloc_skb(net, LL_RESERVED_SPACE(rt->dst.dev) + IPV4_HLEN_MAX, arg->len, SKB_ALLOC_RESERVE);
	if (!nskb) {
		dst_release(&rt->dst);
		return;
	}
	nskb->dst = &rt->dst;
	memcpy(skb_put(nskb, arg->len), arg->data, arg->len);
	skb_reset_transport_header(nskb);
	reply_checksum(nskb, arg, saddr, daddr, proto);
	uint32_t hop = dst_metric(&rt->dst, RTAX_HOPLIMIT);
	uint8_t ttl = arg->ttl ? arg->ttl : (uint8_t)(hop ? hop : (uint32_t)net->ipv4->sysctl_ip_default_ttl);
	*IPCB(nskb) = (struct inet_skb_parm){0};
	struct iphdr *iph = ip_push_header(nskb, opt.optlen, arg->tos, !net->ipv4->sysctl_ip_no_pmtu_disc, ttl, proto, saddr, fl.daddr.ip);
	if (opt.optlen)
		ip_options_build(net, iph, &opt, daddr, saddr);
	ip_select_ident_segs(net, nskb, NULL, 1);
	nskb->priority = arg->priority;
	nskb->mark = arg->mark;
	nskb->skb_mstamp_ns = arg->transmit_time;
	ip_local_out(net, NULL, nskb);
}
