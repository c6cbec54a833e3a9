/* SPDX-License-Identifier: MIT */
/* route.h - struct rtable and the route look-ups (I1, I5). */
#ifndef XMIT_IP_ROUTE_H
#define XMIT_IP_ROUTE_H

#include "core/dst.h"
#include "core/flow.h"
#include "dev/netdevice.h"
#include "ip/inet_sock.h"

enum { RTN_UNSPEC, RTN_UNICAST, RTN_LOCAL, RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST, RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW };
enum { RTCF_BROADCAST = 1, RTCF_MULTICAST = 2, RTCF_LOCAL = 4 };
enum { RT_SCOPE_UNIVERSE = 0, RT_SCOPE_LINK = 253, RT_SCOPE_HOST = 254, RT_SCOPE_NOWHERE = 255 };

struct rtable {
	struct dst_entry dst;
	uint8_t rt_type;         /* RTN_* */
	uint8_t rt_uses_gateway;
	uint16_t rt_flags;       /* RTCF_* */
	int rt_iif;              /* incoming interface of an input route, 0 on output */
	be32 rt_gateway;         /* next hop, if rt_uses_gateway */
	be32 rt_src;             /* source address that the route chose */
	uint32_t rt_pmtu;        /* learnt path MTU, bytes; 0: the device's */
	bool rt_mtu_locked;
	struct list_head rt_list; /* every live route of the instance (route.c) */
};
static inline struct rtable *dst_rtable(const struct dst_entry *d) { return (struct rtable *)d; }
static inline struct rtable *skb_rtable(const struct sk_buff *skb) { return dst_rtable(skb->dst); }
static inline be32 rt_nexthop(const struct rtable *rt, be32 daddr) { return rt->rt_uses_gateway ? rt->rt_gateway : daddr; }

/*
 * Output route for fl; fills in fl->saddr when zero, and fl->oif.  One reference; NULL and *err: -ENETUNREACH, -EHOSTUNREACH, -EACCES
 * (prohibit; broadcast without SO_BROADCAST is the caller's check), -EINVAL, -ENODEV, -ENOBUFS.
 */
struct rtable *ip_route_output_flow(struct net *net, struct flowi *fl, const struct sock *sk, int *err);
/* The same from a socket's fields: addresses and ports as given. */
struct rtable *ip_route_output_ports(struct net *net, struct flowi *fl, struct sock *sk, be32 daddr, be32 saddr, be16 dport, be16 sport,
				     uint8_t proto, uint8_t tos, int oif, int *err);
/* Sets skb->dst for a received packet, or returns -errno with *reason. */
int ip_route_input(struct sk_buff *skb, be32 daddr, be32 saddr, uint8_t tos, struct net_device *dev, enum skb_drop_reason *reason);
uint8_t inet_addr_type(struct net *net, be32 addr);  /* RTN_* by the local table */
/* Path MTU learnt for (saddr, daddr) over a route: remembered for ip_rt_mtu_expires, bumps the flow's dst. */
void ipv4_update_pmtu(struct net *net, be32 daddr, uint32_t mtu);
void rt_cache_flush(struct net *net); /* every dst of IPv4 becomes invalid */

#endif
