/* SPDX-License-Identifier: MIT */
/*
 * igmp.c - multicast groups: who has joined on which device, and IGMPv2 to tell the routers (I5).
 *
 * A device keeps a group for as long as a socket has joined it; 224.0.0.1 is joined while the device is up.  A socket keeps the list of
 * its own memberships (sock_ext.mc_list), by which ip_mc_sf_allow() decides about delivery.
 * On the wire (RFC 2236): two reports when a group is joined, the second after a random time below 10 s; a report in answer to a query,
 * after a random time below its limit, unless another member is heard first; a leave when we were the last to report.  While an IGMPv1
 * querier is about, reports are of version 1 and nothing is said on leaving.  224.0.0.1 is never reported.  Not on lo.
 *
 * Called by devinet.c (device up and down), ip_sockglue.c (options), ip_input.c through igmp_protocol.  RFC 1112, RFC 2236.
 */
#include "ip/ip_internal.h"

enum {
	IGMP_QUERY = 0x11, IGMP_V1_REPORT = 0x12, IGMP_V2_REPORT = 0x16, IGMP_LEAVE = 0x17,
	MEMBERSHIPS_MAX = 20,         /* a socket, as Linux's igmp_max_memberships */
	GROUPS_MAX = 1024,            /* a device */
};
#define ALL_HOSTS CPU_TO_BE32(0xe0000001)
#define ALL_ROUTERS CPU_TO_BE32(0xe0000002)
#define UNSOLICITED_INTERVAL_NS (10 * NSEC_PER_SEC)
#define V1_ROUTER_PRESENT_NS (400 * NSEC_PER_SEC)

struct igmphdr {
	uint8_t type, code; /* code: longest time for an answer, tenths of a second */
	uint16_t csum;
	be32 group;
};
static_assert(sizeof(struct igmphdr) == 8, "IGMP header is 8 bytes");

struct ip_mc_group { /* of a device */
	struct list_head list;
	struct in_device *in_dev;
	be32 addr;
	unsigned users;
	unsigned reports_left;     /* unsolicited ones */
	bool reporter;             /* the last report was ours */
	struct timer_list timer;
};

struct ip_mc_list { /* of a socket */
	struct ip_mc_list *next;
	be32 addr;
	int ifindex;
};

/* --- on the wire -------------------------------------------------------------------------------------------------------- */

static void igmp_send(struct in_device *in_dev, uint8_t type, be32 group, be32 dst)
{
	static const struct ip_options_data router_alert = {.optlen = 4, .data = {IPOPT_RTRALERT, 4, 0, 0}};
	struct net_device *dev = in_dev->dev;
	struct net *net = dev->net;
	struct flowi fl = {.proto = IPPROTO_IGMP, .oif = dev->ifindex, .daddr = inet_addr_v4(dst)};
	int err;
	struct rtable *rt = ip_route_output_flow(net, &fl, NULL, &err);

	if (!rt)
		return;
	struct sk_buff *skb = alloc_skb(net, LL_RESERVED_SPACE(dev) + IPV4_HLEN_MAX, sizeof(struct igmphdr), 0);
	if (!skb) {
		dst_release(&rt->dst);
		return;
	}
	skb->dst = &rt->dst;
	rt->dst.output = ip_output; /* no copy to ourselves */
	struct igmphdr *ih = skb_put(skb, sizeof(*ih));
	*ih = (struct igmphdr){.type = type, .group = group};
	ih->csum = csum_fold(csum_partial(ih, sizeof(*ih), 0));
	skb_reset_transport_header(skb);
	*IPCB(skb) = (struct inet_skb_parm){0};
	struct iphdr *iph = ip_push_header(skb, router_alert.optlen, IPTOS_PREC_INTERNETCONTROL, true, 1, IPPROTO_IGMP, fl.saddr.ip, dst);
	ip_options_build(net, iph, &router_alert, dst, fl.saddr.ip);
	ip_select_ident_segs(net, skb, NULL, 1);
	ip_local_out(net, NULL, skb);
}

static bool v1_querier(const struct in_device *in_dev)
{
	return in_dev->igmp_v1_seen_ns > in_dev->dev->net->now_ns;
}

static void send_report(struct ip_mc_group *g)
{
	g->reporter = true;
	igmp_send(g->in_dev, v1_querier(g->in_dev) ? IGMP_V1_REPORT : IGMP_V2_REPORT, g->addr, g->addr);
}

static void arm(struct ip_mc_group *g, uint64_t within_ns)
{
	struct net *net = g->in_dev->dev->net;
	uint32_t ms = (uint32_t)(within_ns / NSEC_PER_MSEC);

	timer_mod(net, &g->timer, net->now_ns + net_random_below(net, ms ? ms : 1) * NSEC_PER_MSEC);
}

static void group_timer(struct net *net, struct timer_list *t)
{
	struct ip_mc_group *g = container_of(t, struct ip_mc_group, timer);

	(void)net;
	send_report(g);
	if (g->reports_left && --g->reports_left)
		arm(g, UNSOLICITED_INTERVAL_NS);
}

static bool is_reported(const struct ip_mc_group *g)
{
	return g->addr != ALL_HOSTS && !g->in_dev->dev->loopback && netif_running(g->in_dev->dev);
}

static void group_announce(struct ip_mc_group *g)
{
	if (!is_reported(g))
		return;
	send_report(g);
	g->reports_left = 1;
	arm(g, UNSOLICITED_INTERVAL_NS);
}

static void group_withdraw(struct ip_mc_group *g)
{
	timer_del(g->in_dev->dev->net, &g->timer);
	if (is_reported(g) && g->reporter && !v1_querier(g->in_dev))
		igmp_send(g->in_dev, IGMP_LEAVE, g->addr, ALL_ROUTERS);
	g->reporter = false;
}

/* --- groups of a device ---------------------------------------------------------------------------------------------------- */

static struct ip_mc_group *group_find(const struct in_device *in_dev, be32 addr)
{
	struct ip_mc_group *g;

	list_for_each_entry(g, &in_dev->groups, list)
		if (g->addr == addr)
			return g;
	return NULL;
}

bool ip_check_mc(const struct in_device *in_dev, be32 group)
{
	return group_find(in_dev, group);
}

static int group_inc(struct in_device *in_dev, be32 addr)
{
	struct ip_mc_group *g = group_find(in_dev, addr);
	unsigned n = 0;

	if (g) {
		g->users++;
		return 0;
	}
	list_for_each_entry(g, &in_dev->groups, list)
		n++;
	if (n >= GROUPS_MAX)
		return -ENOBUFS;
	g = net_zalloc(in_dev->dev->net, sizeof(*g), MEM_NORMAL);
	if (!g)
		return -ENOMEM;
	g->in_dev = in_dev;
	g->addr = addr;
	g->users = 1;
	timer_init(&g->timer, group_timer);
	list_add_tail(&g->list, &in_dev->groups);
	rt_cache_flush(in_dev->dev->net);
	group_announce(g);
	return 0;
}

static void group_free(struct ip_mc_group *g)
{
	struct net *net = g->in_dev->dev->net;

	timer_del(net, &g->timer);
	list_del_init(&g->list);
	net_free(net, g);
}

static void group_dec(struct in_device *in_dev, be32 addr)
{
	struct ip_mc_group *g = group_find(in_dev, addr);

	if (!g || --g->users)
		return;
	group_withdraw(g);
	group_free(g);
	rt_cache_flush(in_dev->dev->net);
}

int ip_mc_up(struct in_device *in_dev)
{
	struct ip_mc_group *g;

	if (!group_find(in_dev, ALL_HOSTS)) {
		int err = group_inc(in_dev, ALL_HOSTS);
		if (err)
			return err;
	}
	list_for_each_entry(g, &in_dev->groups, list)
		group_announce(g);
	return 0;
}

void ip_mc_down(struct in_device *in_dev)
{
	struct ip_mc_group *g;

	list_for_each_entry(g, &in_dev->groups, list) {
		timer_del(in_dev->dev->net, &g->timer);
		g->reporter = false;
	}
	group_dec(in_dev, ALL_HOSTS);
}

/* The sockets' memberships stay, as Linux has it: they refer to a device that is gone, and leaving them is harmless. */
void ip_mc_destroy(struct in_device *in_dev)
{
	while (!list_empty(&in_dev->groups))
		group_free(list_first_entry(&in_dev->groups, struct ip_mc_group, list));
}

/* --- memberships of a socket --------------------------------------------------------------------------------------------- */

/* By index, by an address of it, or by the route to the group. */
static struct net_device *choose_device(struct sock *sk, be32 group, be32 addr, int ifindex)
{
	struct net *net = sock_net(sk);

	if (ifindex)
		return dev_get_by_index(net, ifindex);
	if (addr)
		return ip_dev_find(net, addr);
	struct flowi fl = {.daddr = inet_addr_v4(group)};
	int err;
	struct rtable *rt = ip_route_output_flow(net, &fl, sk, &err);
	if (!rt)
		return NULL;
	struct net_device *dev = rt->dst.dev;
	dst_release(&rt->dst);
	return dev;
}

int ip_mc_join_group(struct sock *sk, be32 group, be32 addr, int ifindex)
{
	struct net *net = sock_net(sk);
	struct sock_ext *ext;
	struct in_device *in_dev;
	unsigned n = 0;

	if (!ipv4_is_multicast(group))
		return -EINVAL;
	struct net_device *dev = choose_device(sk, group, addr, ifindex);
	if (!dev)
		return -ENODEV;
	int err = sk_ext_get(sk, &ext);
	if (!err)
		err = inetdev_get(dev, &in_dev);
	if (err)
		return err;
	for (struct ip_mc_list *m = ext->mc_list; m; m = m->next, n++)
		if (m->addr == group && m->ifindex == dev->ifindex)
			return -EADDRINUSE;
	if (n >= MEMBERSHIPS_MAX)
		return -ENOBUFS;
	struct ip_mc_list *m = net_alloc(net, sizeof(*m), MEM_NORMAL);
	if (!m)
		return -ENOBUFS;
	err = group_inc(in_dev, group);
	if (err) {
		net_free(net, m);
		return err;
	}
	*m = (struct ip_mc_list){.next = ext->mc_list, .addr = group, .ifindex = dev->ifindex};
	ext->mc_list = m;
	return 0;
}

static void membership_end(struct sock *sk, struct ip_mc_list *m)
{
	struct net_device *dev = dev_get_by_index(sock_net(sk), m->ifindex);

	if (dev && in_dev_get(dev))
		group_dec(in_dev_get(dev), m->addr);
	net_free(sock_net(sk), m);
}

int ip_mc_leave_group(struct sock *sk, be32 group, be32 addr, int ifindex)
{
	struct net_device *dev = choose_device(sk, group, addr, ifindex);

	if (!dev && !ifindex && !addr)
		return -ENODEV;
	if (!sk->sk_ext)
		return -EADDRNOTAVAIL;
	for (struct ip_mc_list **link = &sk->sk_ext->mc_list; *link; link = &(*link)->next) {
		struct ip_mc_list *m = *link;
		if (m->addr != group || (ifindex && m->ifindex != ifindex) || (!ifindex && dev && m->ifindex != dev->ifindex))
			continue;
		*link = m->next;
		membership_end(sk, m);
		return 0;
	}
	return -EADDRNOTAVAIL;
}

void ip_mc_drop_socket(struct sock *sk)
{
	struct ip_mc_list *m;

	while (sk->sk_ext && (m = sk->sk_ext->mc_list)) {
		sk->sk_ext->mc_list = m->next;
		membership_end(sk, m);
	}
}

bool ip_mc_sf_allow(const struct sock *sk, be32 loc_addr, be32 rmt_addr, int dif)
{
	(void)rmt_addr;
	if (!ipv4_is_multicast(loc_addr))
		return true;
	for (const struct ip_mc_list *m = sk->sk_ext ? sk->sk_ext->mc_list : NULL; m; m = m->next)
		if (m->addr == loc_addr && m->ifindex == dif)
			return true;
	return !inet_sk(sk)->mc_all_off;
}

/* --- reception ------------------------------------------------------------------------------------------------------------ */

static void heard_query(struct in_device *in_dev, const struct igmphdr *ih)
{
	uint64_t within_ns = ih->code * (NSEC_PER_SEC / 10);
	struct ip_mc_group *g;

	if (!ih->code) { /* version 1: ten seconds, and mark that such a router is there */
		within_ns = UNSOLICITED_INTERVAL_NS;
		in_dev->igmp_v1_seen_ns = in_dev->dev->net->now_ns + V1_ROUTER_PRESENT_NS;
	}
	list_for_each_entry(g, &in_dev->groups, list) {
		if ((ih->group && ih->group != g->addr) || !is_reported(g))
			continue;
		if (timer_pending(&g->timer) && g->timer.expires_ns <= in_dev->dev->net->now_ns + within_ns)
			continue;
		arm(g, within_ns);
	}
}

static void heard_report(struct in_device *in_dev, be32 group)
{
	struct ip_mc_group *g = group_find(in_dev, group);

	if (!g)
		return;
	timer_del(in_dev->dev->net, &g->timer);
	g->reports_left = 0;
	g->reporter = false;
}

static int igmp_rcv(struct sk_buff *skb)
{
	struct in_device *in_dev = in_dev_get(skb->dev);
	struct igmphdr ih;

	if (!in_dev || skb_copy_bits(skb, 0, &ih, sizeof(ih)) || csum_fold(skb_checksum(skb, 0, skb->len, 0))) {
		skb_drop(skb, SKB_DROP_REASON_PKT_TOO_SMALL);
		return 0;
	}
	switch (ih.type) {
	case IGMP_QUERY:
		heard_query(in_dev, &ih);
		break;
	case IGMP_V1_REPORT:
	case IGMP_V2_REPORT:
		if (skb->pkt_type != PACKET_LOOPBACK)
			heard_report(in_dev, ih.group);
		break;
	}
	skb_consume(skb);
	return 0;
}

const struct net_protocol igmp_protocol = {
	.handler = igmp_rcv,
	.no_policy = true,
};
