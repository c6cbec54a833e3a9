/* SPDX-License-Identifier: MIT */
/*
 * devinet.c - IPv4 addresses of devices and the routes that come and go with them.
 *
 * An address brings up to three routes, told by ifa_routes(): to itself (local table, also while the device is down), to its network and to
 * the network's broadcast address (only while the device is up, only for a primary address).  A route leaves with the last address
 * that stands for it.  The first address of a network is primary; deleting it deletes its secondaries (promote_secondaries = 0, as
 * Linux's default).  Device down: every route over it goes but the local ones; device away: all of it.
 *
 * Called by the device layer's notifier, by ip_control.c, and by ARP through arp_ip_ops; calls fib.c, igmp.c, arp_announce().
 * RFC 1122 section 3.3.4 (multihoming: the weak model, as Linux), RFC 5227 (announcements).
 */
#include "ip/devinet.h"
#include "ip/fib.h"
#include "ip/ip_internal.h"

enum { ADDRS_MAX = 4096 /* a device */, IFA_ROUTES = 3 };

int inetdev_get(struct net_device *dev, struct in_device **res)
{
	struct in_device *in_dev = dev->ip_ptr;

	if (!in_dev) {
		in_dev = net_zalloc(dev->net, sizeof(*in_dev), MEM_NORMAL);
		if (!in_dev)
			return -ENOMEM;
		in_dev->dev = dev;
		list_init(&in_dev->addrs);
		list_init(&in_dev->groups);
		dev->ip_ptr = in_dev;
		if (netif_running(dev) && ip_mc_up(in_dev)) {
			dev->ip_ptr = NULL;
			net_free(dev->net, in_dev);
			return -ENOMEM;
		}
	}
	*res = in_dev;
	return 0;
}

/* --- the routes of an address ------------------------------------------------------------------------------ */

static struct in_ifaddr *primary_of(const struct in_ifaddr *ifa)
{
	struct in_ifaddr *p;

	list_for_each_entry(p, &ifa->in_dev->addrs, list)
		if (!(p->flags & IFA_F_SECONDARY) && p->mask == ifa->mask && inet_ifa_match(ifa->local, p))
			return p;
	return NULL;
}

static struct fib_config kernel_route(const struct in_ifaddr *ifa, uint8_t type, be32 dst, unsigned plen, be32 src)
{
	return (struct fib_config){
		.dst = dst,
		.plen = (uint8_t)plen,
		.type = type,
		.scope = type == RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK,
		.scope_given = true,
		.protocol = RTPROT_KERNEL,
		.append = true,
		.prefsrc = src,
		.dev = ifa->in_dev->dev,
		.table = type == RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL,
	};
}

/* The routes that ifa stands for while its device is up (or not); returns how many. */
static unsigned ifa_routes(const struct in_ifaddr *ifa, bool up, struct fib_config out[IFA_ROUTES])
{
	const struct in_ifaddr *prim = ifa->flags & IFA_F_SECONDARY ? primary_of(ifa) : ifa;
	be32 prefix = ifa->local & ifa->mask;
	unsigned n = 0;

	if (!prim)
		return 0;
	out[n++] = kernel_route(ifa, RTN_LOCAL, ifa->local, 32, prim->local);
	if (!up || ifa != prim || ipv4_is_zeronet(prefix) || ifa->plen == 32)
		return n;
	out[n++] = kernel_route(ifa, ifa->in_dev->dev->loopback ? RTN_LOCAL : RTN_UNICAST, prefix, ifa->plen, ifa->local);
	if (ifa->plen < 31)
		out[n++] = kernel_route(ifa, RTN_BROADCAST, prefix | ~ifa->mask, 32, ifa->local);
	return n;
}

static bool same_route(const struct fib_config *a, const struct fib_config *b)
{
	return a->dst == b->dst && a->plen == b->plen && a->type == b->type && a->prefsrc == b->prefsrc;
}

/* Does another address of the device stand for this route too? */
static bool route_needed(const struct in_ifaddr *gone, const struct fib_config *route)
{
	struct fib_config other[IFA_ROUTES];
	const struct in_ifaddr *ifa;

	list_for_each_entry(ifa, &gone->in_dev->addrs, list) {
		unsigned n = ifa == gone ? 0 : ifa_routes(ifa, netif_running(gone->in_dev->dev), other);
		while (n--)
			if (same_route(&other[n], route))
				return true;
	}
	return false;
}

/* 0, or -errno with none of them left behind. */
static int add_routes(struct in_ifaddr *ifa)
{
	struct net *net = ifa->in_dev->dev->net;
	struct fib_config route[IFA_ROUTES];
	unsigned n = ifa_routes(ifa, netif_running(ifa->in_dev->dev), route);
	bool added[IFA_ROUTES] = {false};

	for (unsigned i = 0; i < n; i++) {
		int err = fib_route_add(net, &route[i]);
		added[i] = !err;
		if (!err || err == -EEXIST)
			continue;
		while (i--)
			if (added[i])
				fib_route_del(net, &route[i]);
		return err;
	}
	return 0;
}

static void del_routes(struct in_ifaddr *ifa)
{
	struct fib_config route[IFA_ROUTES];
	unsigned n = ifa_routes(ifa, true, route);

	while (n--) /* the local one last: the others have it as source */
		if (!route_needed(ifa, &route[n]))
			fib_route_del(ifa->in_dev->dev->net, &route[n]);
}

/* --- addresses --------------------------------------------------------------------------------------------- */

static bool addr_valid(be32 local, unsigned plen)
{
	return plen <= 32 && !ipv4_is_zeronet(local) && !ipv4_is_multicast(local) && !ipv4_is_badclass(local);
}

static struct in_ifaddr *find_addr(const struct in_device *in_dev, be32 local, unsigned plen)
{
	struct in_ifaddr *ifa;

	list_for_each_entry(ifa, &in_dev->addrs, list)
		if (ifa->local == local && ifa->plen == plen)
			return ifa;
	return NULL;
}

static void insert_addr(struct in_device *in_dev, struct in_ifaddr *ifa)
{
	struct in_ifaddr *pos;

	list_for_each_entry(pos, &in_dev->addrs, list)
		if (!(ifa->flags & IFA_F_SECONDARY) && (pos->flags & IFA_F_SECONDARY))
			break;
	list_add_tail(&ifa->list, &pos->list);
	in_dev->nr_addrs++;
}

static bool dev_announces(const struct net_device *dev)
{
	return netif_running(dev) && !(dev->flags & (IFF_LOOPBACK_ | IFF_NOARP_));
}

int inet_addr_add(struct net_device *dev, be32 local, unsigned plen)
{
	struct in_device *in_dev;
	int err;

	if (!addr_valid(local, plen))
		return -EINVAL;
	err = inetdev_get(dev, &in_dev);
	if (err)
		return err;
	if (find_addr(in_dev, local, plen))
		return -EEXIST;
	if (in_dev->nr_addrs >= ADDRS_MAX)
		return -ENOBUFS;
	struct in_ifaddr *ifa = net_zalloc(dev->net, sizeof(*ifa), MEM_NORMAL);
	if (!ifa)
		return -ENOMEM;
	ifa->in_dev = in_dev;
	ifa->local = local;
	ifa->plen = (uint8_t)plen;
	ifa->mask = inet_make_mask(plen);
	ifa->broadcast = plen < 31 && !dev->loopback ? local | ~ifa->mask : 0;
	ifa->scope = ipv4_is_loopback(local) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	if (primary_of(ifa))
		ifa->flags |= IFA_F_SECONDARY;
	insert_addr(in_dev, ifa);
	err = add_routes(ifa);
	if (err) {
		list_del_init(&ifa->list);
		in_dev->nr_addrs--;
		net_free(dev->net, ifa);
		return err;
	}
	rt_cache_flush(dev->net);
	if (dev_announces(dev))
		arp_announce(dev, local);
	return 0;
}

static void remove_addr(struct in_ifaddr *ifa)
{
	struct in_device *in_dev = ifa->in_dev;
	struct net *net = in_dev->dev->net;

	del_routes(ifa);
	list_del_init(&ifa->list);
	in_dev->nr_addrs--;
	if (inet_addr_type(net, ifa->local) != RTN_LOCAL)
		fib_sync_down_addr(net, ifa->local);
	net_free(net, ifa);
	rt_cache_flush(net);
}

int inet_addr_del(struct net_device *dev, be32 local, unsigned plen)
{
	struct in_device *in_dev = in_dev_get(dev);
	struct in_ifaddr *ifa = in_dev ? find_addr(in_dev, local, plen) : NULL, *s, *n;

	if (!ifa)
		return -EADDRNOTAVAIL;
	if (!(ifa->flags & IFA_F_SECONDARY))
		list_for_each_entry_safe(s, n, &in_dev->addrs, list)
			if ((s->flags & IFA_F_SECONDARY) && s->mask == ifa->mask && inet_ifa_match(s->local, ifa))
				remove_addr(s);
	remove_addr(ifa);
	return 0;
}

/* --- source address choice --------------------------------------------------------------------------------- */

/* The first primary address that fits, one in dst's network before others. */
static be32 select_on(const struct in_device *in_dev, be32 dst, int scope)
{
	const struct in_ifaddr *ifa;
	be32 addr = 0;

	list_for_each_entry(ifa, &in_dev->addrs, list) {
		if ((ifa->flags & IFA_F_SECONDARY) || ifa->scope > scope)
			continue;
		if (!dst || inet_ifa_match(dst, ifa))
			return ifa->local;
		if (!addr)
			addr = ifa->local;
	}
	return addr;
}

be32 inet_select_addr(struct net *net, struct net_device *dev, be32 dst, int scope)
{
	struct net_device *other;
	be32 addr = 0;

	if (dev && in_dev_get(dev))
		addr = select_on(in_dev_get(dev), dst, scope);
	if (addr)
		return addr;
	/* An interface without an address of its own borrows one of another that may be used anywhere. */
	for_each_netdev(net, other) {
		if (other == dev || !in_dev_get(other))
			continue;
		addr = select_on(in_dev_get(other), 0, scope);
		if (addr)
			return addr;
	}
	return 0;
}

struct net_device *ip_dev_find(struct net *net, be32 addr)
{
	const struct flowi fl = {.daddr = inet_addr_v4(addr)};
	struct fib_result res;

	if (fib_table_lookup(fib_get_table(net, RT_TABLE_LOCAL), &fl, &res) || res.type != RTN_LOCAL)
		return NULL;
	return res.nh->dev;
}

/* --- what ARP asks ----------------------------------------------------------------------------------------- */

static bool arp_is_local(struct net_device *dev, be32 addr)
{
	return !ipv4_is_loopback(addr) && inet_addr_type(dev->net, addr) == RTN_LOCAL;
}

/* The packet's own source if it is ours (arp_announce = 0), else one that fits the target. */
static be32 arp_source_for(struct net_device *dev, be32 target, const struct sk_buff *skb)
{
	if (skb && skb->protocol == CPU_TO_BE16(ETH_P_IP)) {
		be32 saddr = ip_hdr(skb)->saddr;
		if (inet_addr_type(dev->net, saddr) == RTN_LOCAL)
			return saddr;
	}
	return inet_select_addr(dev->net, dev, target, RT_SCOPE_LINK);
}

static uint8_t arp_addr_type(struct net *net, struct net_device *dev, be32 addr)
{
	(void)dev;
	return inet_addr_type(net, addr);
}

static void arp_link_failure(struct sk_buff *skb)
{
	if (skb->net->ipv4 && skb->dst && skb->dst->ops->link_failure)
		skb->dst->ops->link_failure(skb);
}

static const struct arp_ip_ops arp_ops = {
	.is_local = arp_is_local,
	.source_for = arp_source_for,
	.addr_type = arp_addr_type,
	.link_failure = arp_link_failure,
};

/* --- device events ----------------------------------------------------------------------------------------- */

static void dev_up(struct net_device *dev)
{
	struct in_device *in_dev = in_dev_get(dev);
	struct in_ifaddr *ifa;

	if (!in_dev) {
		if (inetdev_get(dev, &in_dev))
			net_log(dev->net, "%s: no memory for its IPv4 settings", dev->name);
		return;
	}
	if (ip_mc_up(in_dev))
		net_log(dev->net, "%s: no memory to join 224.0.0.1", dev->name);
	list_for_each_entry(ifa, &in_dev->addrs, list)
		if (add_routes(ifa))
			net_log(dev->net, "%s: routes of an address could not be added", dev->name);
	fib_sync_up(dev);
	rt_cache_flush(dev->net);
	if (dev_announces(dev))
		list_for_each_entry(ifa, &in_dev->addrs, list)
			arp_announce(dev, ifa->local);
}

static void dev_down(struct net_device *dev)
{
	if (in_dev_get(dev))
		ip_mc_down(in_dev_get(dev));
	fib_sync_down_dev(dev, false);
	rt_cache_flush(dev->net);
}

static void free_in_device(struct net_device *dev)
{
	struct in_device *in_dev = in_dev_get(dev);
	struct in_ifaddr *ifa, *n;

	if (!in_dev)
		return;
	ip_mc_destroy(in_dev);
	list_for_each_entry_safe(ifa, n, &in_dev->addrs, list)
		net_free(dev->net, ifa);
	dev->ip_ptr = NULL;
	net_free(dev->net, in_dev);
}

static void dev_unregister(struct net_device *dev)
{
	struct in_device *in_dev = in_dev_get(dev);

	while (in_dev && !list_empty(&in_dev->addrs)) /* from the tail: secondaries before their primary */
		remove_addr(list_last_entry(&in_dev->addrs, struct in_ifaddr, list));
	fib_sync_down_dev(dev, true);
	free_in_device(dev);
	rt_cache_flush(dev->net);
	rt_flush_dev(dev);
}

static void inetdev_event(struct net_device *dev, enum netdev_event event)
{
	if (!dev->net->ipv4)
		return;
	switch (event) {
	case NETDEV_UP:
		dev_up(dev);
		break;
	case NETDEV_DOWN:
		dev_down(dev);
		break;
	case NETDEV_UNREGISTER:
		dev_unregister(dev);
		break;
	case NETDEV_CHANGE:
	case NETDEV_CHANGEMTU:
		rt_cache_flush(dev->net);
		break;
	case NETDEV_REGISTER:
		break;
	}
}

int devinet_init(struct net *net)
{
	struct ip_private *priv = net->ipv4->priv;

	priv->notifier.fn = inetdev_event;
	register_netdevice_notifier(net, &priv->notifier);
	arp_register_ip(net, &arp_ops);
	return 0;
}

void devinet_exit(struct net *net)
{
	struct net_device *dev;

	list_del_init(&net->ipv4->priv->notifier.list);
	for_each_netdev(net, dev)
		free_in_device(dev);
}
