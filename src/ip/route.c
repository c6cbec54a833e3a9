/* SPDX-License-Identifier: MIT */
/*
 * route.c - struct rtable and output routes (I1).
 *
 *	ip_route_output_flow -> fib_lookup -> mkroute_output -> rt_dst_alloc
 *
 * A route is made once and then only read; sockets and packets hold it by reference.  Whatever changes the outcome of a look-up (routes,
 * addresses, devices, settings, a learnt path MTU) bumps netns_ipv4.rt_genid, and dst_check() then fails.  Recent look-ups of both
 * directions lie in a small direct-mapped cache, checked by the same rule, so that it can only save time, never change an
 * outcome.  Every live route is on one list, by which a device that goes away is exchanged for lo in those that still hold it.
 *
 * Called by ip_output.c, the transports (connect, unconnected sends, SYN-ACKs), icmp.c.  RFC 1122 section 3.3.1, RFC 1812 5.2.4.
 */
#include "ip/fib.h"
#include "ip/ip_internal.h"
#include "wire/icmp.h"

enum { CACHE_SIZE = 256 };

struct rt_cache_entry {
	struct rt_key key;
	struct rtable *rt; /* NULL: free */
};

struct route_state {
	struct list_head routes;
	struct rt_cache_entry cache[CACHE_SIZE];
};

/* --- dst operations ---------------------------------------------------------------------------------------- */

static struct dst_entry *ipv4_dst_check(struct dst_entry *dst)
{
	return dst->genid == dst->net->ipv4->rt_genid && dst->expires_ns > dst->net->now_ns ? dst : NULL;
}

static unsigned ipv4_mtu(const struct dst_entry *dst)
{
	const struct rtable *rt = dst_rtable(dst);
	unsigned mtu = rt->rt_pmtu && dst->expires_ns > dst->net->now_ns ? rt->rt_pmtu : dst_metric(dst, RTAX_MTU);

	if (!mtu)
		mtu = dst->dev->mtu;
	return MIN(mtu, (unsigned)IPV4_MAX_PMTU);
}

static unsigned ipv4_advmss(const struct dst_entry *dst)
{
	const unsigned headers = 40; /* IP and TCP without options, RFC 6691 */
	unsigned advmss = dst_metric(dst, RTAX_ADVMSS), least = (unsigned)dst->net->ipv4->sysctl_min_adv_mss;

	if (!advmss)
		advmss = MAX(ipv4_mtu(dst) - headers, least);
	return MIN(advmss, IPV4_MAX_PMTU - headers) + (PROVE_BREAKS("MUST-67") ? 20 : 0);
}

static void ipv4_link_failure(struct sk_buff *skb)
{
	icmp_send(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
}

static void ipv4_confirm_neigh(const struct dst_entry *dst, const void *daddr)
{
	union inet_addr next = inet_addr_v4(rt_nexthop(dst_rtable(dst), *(const be32 *)daddr));
	struct neighbour *n = neigh_lookup(dst->net, AF_INET, &next, dst->dev);

	if (n)
		neigh_confirm(n, dst->net->now_ns);
}

static void ipv4_dst_destroy(struct dst_entry *dst)
{
	struct rtable *rt = dst_rtable(dst);

	list_del_init(&rt->rt_list);
	dev_put(dst->dev);
	net_free(dst->net, rt);
}

static const struct dst_ops ipv4_dst_ops = {
	.family = AF_INET,
	.check = ipv4_dst_check,
	.mtu = ipv4_mtu,
	.advmss = ipv4_advmss,
	.update_pmtu = ip_rt_update_pmtu,
	.link_failure = ipv4_link_failure,
	.confirm_neigh = ipv4_confirm_neigh,
	.destroy = ipv4_dst_destroy,
};

int ip_dst_discard(struct sk_buff *skb)
{
	skb_drop(skb, SKB_DROP_REASON_IP_INNOROUTES);
	return 0;
}

static int dst_discard_out(struct net *net, struct sock *sk, struct sk_buff *skb)
{
	(void)net;
	(void)sk;
	skb_drop(skb, SKB_DROP_REASON_DEV_READY);
	return 0;
}

/* --- life of a route --------------------------------------------------------------------------------------- */

/* From the reserve: the route of an ACK or a RST must not fail for lack of memory; their number is bounded by socks and the cache. */
struct rtable *rt_dst_alloc(struct net_device *dev, uint16_t flags, uint8_t type)
{
	struct net *net = dev->net;
	struct rtable *rt = net_zalloc(net, sizeof(*rt), MEM_RESERVE);

	if (!rt)
		return NULL;
	dev_hold(dev);
	rt->dst.net = net;
	rt->dst.dev = dev;
	rt->dst.ops = &ipv4_dst_ops;
	rt->dst.refcnt = 1;
	rt->dst.genid = net->ipv4->rt_genid;
	rt->dst.expires_ns = TIME_NEVER;
	rt->dst.input = flags & RTCF_LOCAL ? ip_local_deliver : ip_dst_discard;
	rt->dst.output = ip_output;
	rt->rt_flags = flags;
	rt->rt_type = type;
	list_add_tail(&rt->rt_list, &net->ipv4->priv->route->routes);
	return rt;
}

void rt_cache_flush(struct net *net)
{
	net->ipv4->rt_genid++;
}

static void cache_purge(struct route_state *st)
{
	for (unsigned i = 0; i < CACHE_SIZE; i++) {
		if (st->cache[i].rt)
			dst_release(&st->cache[i].rt->dst);
		st->cache[i].rt = NULL;
	}
}

void rt_flush_dev(struct net_device *dev)
{
	struct route_state *st = dev->net->ipv4->priv->route;
	struct net_device *lo = NULL, *d;
	struct rtable *rt;

	cache_purge(st);
	for_each_netdev(dev->net, d)
		if (d->loopback && d != dev)
			lo = d;
	list_for_each_entry(rt, &st->routes, rt_list) {
		if (rt->dst.dev != dev)
			continue;
		rt->dst.input = ip_dst_discard;
		rt->dst.output = dst_discard_out;
		if (!lo) /* it was lo itself: it stays until the last holder lets go */
			continue;
		dev_hold(lo);
		rt->dst.dev = lo;
		dev_put(dev);
	}
}

/* --- the cache --------------------------------------------------------------------------------------------- */

static struct rt_cache_entry *cache_entry(struct net *net, const struct rt_key *k)
{
	uint32_t h = jhash_3words((uint32_t)k->saddr, (uint32_t)k->daddr, (uint32_t)k->ifindex << 16 | (uint32_t)k->tos << 8 | k->flags,
				  (uint32_t)net->hash_key.key[1]);

	return &net->ipv4->priv->route->cache[h % CACHE_SIZE];
}

static bool key_equal(const struct rt_key *a, const struct rt_key *b)
{
	return a->saddr == b->saddr && a->daddr == b->daddr && a->ifindex == b->ifindex && a->tos == b->tos && a->flags == b->flags;
}

struct rtable *rt_cache_find(struct net *net, const struct rt_key *key)
{
	struct rt_cache_entry *e = cache_entry(net, key);

	if (!e->rt || !key_equal(&e->key, key) || !dst_check(&e->rt->dst))
		return NULL;
	dst_hold(&e->rt->dst);
	return e->rt;
}

void rt_cache_store(struct net *net, const struct rt_key *key, struct rtable *rt)
{
	struct rt_cache_entry *e = cache_entry(net, key);
	struct rtable *old = e->rt;

	dst_hold(&rt->dst);
	e->key = *key;
	e->rt = rt;
	if (old)
		dst_release(&old->dst);
}

/* --- output routes ----------------------------------------------------------------------------------------- */

static bool any_source(const struct net *net, const struct flowi *fl)
{
	return (fl->flags & FLOWI_FLAG_ANYSRC) || net->ipv4->accept_any > 0;
}

static struct net_device *loopback_dev(struct net *net)
{
	struct net_device *dev;

	for_each_netdev(net, dev)
		if (dev->loopback)
			return dev;
	return NULL;
}

/* What was found out about a flow before its route is made. */
struct output_choice {
	struct fib_result res;
	struct net_device *dev;
	uint16_t flags;
	bool have_fi;
};

static void set_nexthop(struct rtable *rt, const struct output_choice *c)
{
	if (!c->have_fi)
		return;
	const struct fib_nh *nh = c->res.nh;
	if (nh->gw && nh->scope == RT_SCOPE_LINK) {
		rt->rt_uses_gateway = 1;
		rt->rt_gateway = nh->gw;
	}
	memcpy(rt->dst.metrics, c->res.fi->metrics, sizeof(rt->dst.metrics));
}

static struct rtable *mkroute_output(struct net *net, struct flowi *fl, struct output_choice *c, int *err)
{
	const be32 daddr = fl->daddr.ip;
	uint8_t type = c->res.type;

	*err = -EINVAL;
	if (ipv4_is_loopback(fl->saddr.ip) && !c->dev->loopback)
		return NULL;
	if (ipv4_is_lbcast(daddr))
		type = RTN_BROADCAST;
	else if (ipv4_is_multicast(daddr))
		type = RTN_MULTICAST;
	else if (ipv4_is_zeronet(daddr))
		return NULL;
	if (c->dev->loopback)
		c->flags |= RTCF_LOCAL;
	if (type == RTN_BROADCAST) {
		c->flags |= RTCF_BROADCAST | RTCF_LOCAL;
		c->have_fi = false;
	} else if (type == RTN_MULTICAST) {
		c->flags |= RTCF_MULTICAST;
		if (in_dev_get(c->dev) && ip_check_mc(in_dev_get(c->dev), daddr))
			c->flags |= RTCF_LOCAL;
		if (c->res.prefixlen < 4) /* a default route says nothing about multicast */
			c->have_fi = false;
	}
	struct rtable *rt = rt_dst_alloc(c->dev, c->flags, type);
	*err = -ENOBUFS;
	if (!rt)
		return NULL;
	if ((c->flags & (RTCF_BROADCAST | RTCF_MULTICAST)) && (c->flags & RTCF_LOCAL) && !c->dev->loopback)
		rt->dst.output = ip_mc_output;
	set_nexthop(rt, c);
	rt->rt_src = fl->saddr.ip;
	if (!(c->flags & RTCF_LOCAL))
		pmtu_apply(net, rt, daddr);
	*err = 0;
	return rt;
}

/* The source given by the user: must be an address that can be one, and ours; for multicast it names the device. */
static int check_source(struct net *net, struct flowi *fl)
{
	const be32 saddr = fl->saddr.ip, daddr = fl->daddr.ip;

	if (ipv4_is_multicast(saddr) || ipv4_is_lbcast(saddr) || ipv4_is_zeronet(saddr))
		return -EINVAL;
	if (!fl->oif && (ipv4_is_multicast(daddr) || ipv4_is_lbcast(daddr))) {
		struct net_device *dev = ip_dev_find(net, saddr);
		if (!dev)
			return -ENETUNREACH;
		fl->oif = dev->ifindex;
		return 0;
	}
	return any_source(net, fl) || ip_dev_find(net, saddr) ? 0 : -ENETUNREACH;
}

/* A device was given: 1: the route is over it without a look-up; 0: look up; -errno. */
static int check_oif(struct net *net, struct flowi *fl, struct output_choice *c)
{
	const be32 daddr = fl->daddr.ip;

	c->dev = dev_get_by_index(net, fl->oif);
	if (!c->dev)
		return -ENODEV;
	if (!netif_running(c->dev) || !in_dev_get(c->dev))
		return -ENETUNREACH;
	bool local_multicast = (daddr & CPU_TO_BE32(0xffffff00)) == CPU_TO_BE32(0xe0000000);
	if (local_multicast || ipv4_is_lbcast(daddr) || fl->proto == IPPROTO_IGMP) {
		if (!fl->saddr.ip)
			fl->saddr.ip = inet_select_addr(net, c->dev, 0, RT_SCOPE_LINK);
		return 1;
	}
	if (!fl->saddr.ip && ipv4_is_multicast(daddr))
		fl->saddr.ip = inet_select_addr(net, c->dev, 0, fl->scope);
	else if (!fl->saddr.ip && !daddr)
		fl->saddr.ip = inet_select_addr(net, c->dev, 0, RT_SCOPE_HOST);
	return 0;
}

static int lookup_output(struct net *net, struct flowi *fl, struct output_choice *c)
{
	int err = fib_lookup(net, fl, &c->res);

	if (err) {
		if (!fl->oif)
			return err;
		/* The user named the device: take the destination to be on its link. */
		if (!fl->saddr.ip)
			fl->saddr.ip = inet_select_addr(net, c->dev, 0, RT_SCOPE_LINK);
		c->res = (struct fib_result){.type = RTN_UNICAST};
		return 0;
	}
	c->have_fi = true;
	if (c->res.type == RTN_LOCAL) {
		if (!fl->saddr.ip)
			fl->saddr.ip = c->res.fi->prefsrc ? c->res.fi->prefsrc : fl->daddr.ip;
		c->dev = loopback_dev(net);
		c->flags |= RTCF_LOCAL;
		c->have_fi = false;
		return c->dev ? 0 : -ENETUNREACH;
	}
	fib_select_path(net, &c->res, fl);
	if (!fl->saddr.ip)
		fl->saddr.ip = fib_result_prefsrc(net, &c->res);
	c->dev = c->res.nh->dev;
	return 0;
}

static struct rtable *route_output(struct net *net, struct flowi *fl, int *err)
{
	struct output_choice c = {.res = {.type = RTN_UNICAST}};
	struct rtable *rt;
	int r = fl->saddr.ip ? check_source(net, fl) : 0;

	if (!r && fl->oif)
		r = check_oif(net, fl, &c);
	if (r < 0)
		goto fail;
	if (!fl->daddr.ip) { /* to this host */
		fl->daddr.ip = fl->saddr.ip ? fl->saddr.ip : CPU_TO_BE32(0x7f000001);
		if (!fl->saddr.ip)
			fl->saddr.ip = fl->daddr.ip;
		c.dev = loopback_dev(net);
		c.res.type = RTN_LOCAL;
		c.flags |= RTCF_LOCAL;
		r = c.dev ? 1 : -ENETUNREACH;
	}
	if (r == 0)
		r = lookup_output(net, fl, &c);
	if (r < 0)
		goto fail;
	rt = mkroute_output(net, fl, &c, err);
	if (rt)
		fl->oif = c.dev->ifindex;
	return rt;

fail:
	*err = r;
	return NULL;
}

struct rtable *ip_route_output_flow(struct net *net, struct flowi *fl, const struct sock *sk, int *err)
{
	struct rt_key key = {fl->saddr.ip, fl->daddr.ip, fl->oif, fl->tos & IPTOS_RT_MASK, any_source(net, fl) ? RT_KEY_ANYSRC : 0};
	/* A multicast route depends on who has joined, some flows on more than the key holds. */
	bool cacheable = fl->daddr.ip && !ipv4_is_multicast(fl->daddr.ip) && !ipv4_is_lbcast(fl->daddr.ip) && !fl->mark && !fl->scope &&
			 !fl->iif && fl->proto != IPPROTO_IGMP;

	if (unlikely(net->trace.on))
		trace_record(net, TP_ip_route_output_flow, sk ? sk->sk_cookie : 0, 0, 0, 0, 0);
	fl->family = AF_INET;
	fl->tos &= IPTOS_RT_MASK;
	struct rtable *rt = cacheable ? rt_cache_find(net, &key) : NULL;
	if (rt) {
		fl->saddr.ip = rt->rt_src;
		fl->oif = rt->dst.dev->ifindex;
		*err = 0;
		return rt;
	}
	rt = route_output(net, fl, err);
	if (rt && cacheable)
		rt_cache_store(net, &key, rt);
	return rt;
}

struct rtable *ip_route_output_ports(struct net *net, struct flowi *fl, struct sock *sk, be32 daddr, be32 saddr, be16 dport, be16 sport,
				     uint8_t proto, uint8_t tos, int oif, int *err)
{
	*fl = (struct flowi){
		.family = AF_INET,
		.proto = proto,
		.tos = tos,
		.oif = oif,
		.mark = sk ? sk->sk_mark : 0,
		.flags = sk && (sock_flag(sk, SOCK_F_TRANSPARENT) || inet_sk(sk)->hdrincl) ? FLOWI_FLAG_ANYSRC : 0,
		.saddr = inet_addr_v4(saddr),
		.daddr = inet_addr_v4(daddr),
		.sport = sport,
		.dport = dport,
	};
	if (sk && sock_flag(sk, SOCK_F_DONTROUTE))
		fl->scope = RT_SCOPE_LINK;
	return ip_route_output_flow(net, fl, sk, err);
}

/* --- life -------------------------------------------------------------------------------------------------- */

int route_init(struct net *net)
{
	struct route_state *st = net_zalloc(net, sizeof(*st), MEM_NORMAL);

	if (!st)
		return -ENOMEM;
	list_init(&st->routes);
	net->ipv4->priv->route = st;
	return 0;
}

/* Routes that packets in flight still hold outlive this; they only know their device. */
void route_exit(struct net *net)
{
	struct route_state *st = net->ipv4->priv->route;
	struct rtable *rt, *n;

	cache_purge(st);
	list_for_each_entry_safe(rt, n, &st->routes, rt_list)
		list_del_init(&rt->rt_list);
	net->ipv4->priv->route = NULL;
	net_free(net, st);
}
