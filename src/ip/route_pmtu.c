/* SPDX-License-Identifier: MIT */
/*
 * route_pmtu.c - path MTUs learnt from "fragmentation needed" (RFC 1191), by destination.
 *
 * A bounded table; the destination longest without news makes room for a new one.  An entry lapses after mtu_expires, so that a path
 * that became wider is found again.  What a router says below min_pmtu is not believed: the path then counts as
 * min_pmtu wide and is "locked", and packets go without DF (RFC 1191 section 3, against being starved by forged ICMP).
 *
 * Who calls checked before that the ICMP quotes a packet of an existing flow.
 */
#include "ip/ip_internal.h"

enum { BUCKETS = 256 };

struct pmtu_entry {
	struct hlist_node hash;
	struct list_head age; /* oldest news first */
	be32 daddr;
	uint32_t mtu;
	bool locked;
	uint64_t expires_ns;
};

struct pmtu_state {
	struct hlist_head bucket[BUCKETS];
	struct list_head age;
	unsigned n;
};

static struct pmtu_state *pmtu_state(struct net *net)
{
	return net->ipv4->priv->pmtu;
}

static struct hlist_head *bucket_of(struct net *net, be32 daddr)
{
	return &pmtu_state(net)->bucket[jhash_3words((uint32_t)daddr, 0, 0, (uint32_t)net->hash_key.key[0]) % BUCKETS];
}

static void entry_free(struct net *net, struct pmtu_entry *e)
{
	hlist_del_init(&e->hash);
	list_del_init(&e->age);
	pmtu_state(net)->n--;
	net_free(net, e);
}

/* NULL: none, or it has lapsed. */
static struct pmtu_entry *entry_find(struct net *net, be32 daddr)
{
	struct pmtu_entry *e;

	hlist_for_each_entry(e, bucket_of(net, daddr), hash) {
		if (e->daddr != daddr)
			continue;
		if (e->expires_ns > net->now_ns)
			return e;
		entry_free(net, e);
		return NULL;
	}
	return NULL;
}

void pmtu_apply(struct net *net, struct rtable *rt, be32 daddr)
{
	struct pmtu_entry *e = pmtu_state(net)->n ? entry_find(net, daddr) : NULL;

	if (!e)
		return;
	rt->rt_pmtu = e->mtu;
	rt->rt_mtu_locked = e->locked;
	rt->dst.expires_ns = e->expires_ns;
}

static struct pmtu_entry *entry_new(struct net *net, be32 daddr)
{
	struct pmtu_state *st = pmtu_state(net);
	struct pmtu_entry *e;

	if (st->n >= PMTU_EXCEPTIONS_MAX)
		entry_free(net, list_first_entry(&st->age, struct pmtu_entry, age));
	e = net_zalloc(net, sizeof(*e), MEM_NORMAL);
	if (!e)
		return NULL;
	e->daddr = daddr;
	list_init(&e->age);
	hlist_add_head(&e->hash, bucket_of(net, daddr));
	st->n++;
	return e;
}

static void learn(struct net *net, const struct dst_entry *dst, be32 daddr, uint32_t mtu)
{
	const unsigned old = dst_mtu(dst);
	const uint64_t lifetime = (uint64_t)net->ipv4->sysctl_mtu_expires_s * NSEC_PER_SEC;
	const uint32_t least = (uint32_t)net->ipv4->sysctl_min_pmtu;
	bool locked = false;

	if ((dst_metric(dst, RTAX_LOCK) & 1u << RTAX_MTU) || old < mtu)
		return;
	if (mtu < least) {
		locked = true;
		mtu = MIN(old, least);
	}
	struct pmtu_entry *e = entry_find(net, daddr);
	if (!e)
		e = entry_new(net, daddr);
	if (!e)
		return;
	bool changed = e->mtu != mtu || e->locked != locked || e->expires_ns < net->now_ns + lifetime / 2;
	if (!changed)
		return;
	e->mtu = mtu;
	e->locked = locked;
	e->expires_ns = net->now_ns + lifetime;
	list_del_init(&e->age);
	list_add_tail(&e->age, &pmtu_state(net)->age);
	rt_cache_flush(net);
}

void ip_rt_update_pmtu(struct dst_entry *dst, struct sock *sk, const struct sk_buff *skb, uint32_t mtu)
{
	be32 daddr = sk ? inet_sk(sk)->inet_daddr.ip : 0;

	if (!daddr && skb)
		daddr = ip_hdr(skb)->daddr;
	if (daddr)
		learn(dst->net, dst, daddr, mtu);
}

void ipv4_update_pmtu(struct net *net, be32 daddr, uint32_t mtu)
{
	struct flowi fl = {.daddr = inet_addr_v4(daddr)};
	int err;
	struct rtable *rt = ip_route_output_flow(net, &fl, NULL, &err);

	if (!rt)
		return;
	learn(net, &rt->dst, daddr, mtu);
	dst_release(&rt->dst);
}

int pmtu_init(struct net *net)
{
	struct pmtu_state *st = net_zalloc(net, sizeof(*st), MEM_NORMAL);

	if (!st)
		return -ENOMEM;
	list_init(&st->age);
	net->ipv4->priv->pmtu = st;
	return 0;
}

void pmtu_exit(struct net *net)
{
	struct pmtu_state *st = pmtu_state(net);

	while (!list_empty(&st->age))
		entry_free(net, list_first_entry(&st->age, struct pmtu_entry, age));
	net->ipv4->priv->pmtu = NULL;
	net_free(net, st);
}
