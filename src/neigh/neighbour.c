/* SPDX-License-Identifier: MIT */
/*
 * neighbour.c - the neighbour table: look-up, creation, bounds, garbage collection, devices that go (N1).
 *
 * An entry is counted: one reference is the table's, others are of holders (cached next hops).  Out of the table it is `dead`, its output a
 * black hole, and it is freed with the last reference.  Callers that only pass through use it uncounted until their next call here.
 *
 * Bounds: gc_thresh1, below which nothing is collected; gc_thresh2, above which a new entry forces a collection if the last one was more
 * than 5 s ago; gc_thresh3, above which each new entry forces one, and finding nothing to free refuses the entry (ENOBUFS). Forced
 * collection frees unreferenced entries that are FAILED, NOARP or unchanged for 5 s, oldest first, down to gc_thresh2.  The periodic one
 * frees FAILED ones and those not used for gc_stale_time.  Only PERMANENT entries are exempt.
 */
#include "core/sysctl.h"
#include "neigh/neigh_internal.h"
#include "xmit/control.h"
#include <limits.h>
#include <sys/socket.h>

enum { BUCKETS_FIRST = 64, BUCKETS_MOST = 32768 };

static struct neigh_table *table_of(struct net *net, uint8_t family)
{
	return family == AF_INET ? &net->neigh->arp_tbl : NULL;
}

/* --- the hash ------------------------------------------------------------------------------------------------------ */

static struct hlist_head *bucket(const struct neigh_table *tbl, const union inet_addr *key, const struct net_device *dev)
{
	uint32_t h = jhash_3words((uint32_t)key->ip6[0] ^ (uint32_t)key->ip6[1], (uint32_t)key->ip6[2] ^ (uint32_t)key->ip6[3],
				  (uint32_t)dev->ifindex, (uint32_t)tbl->net->hash_key.key[1]);

	return &tbl->buckets[h & tbl->hash_mask];
}

/* More buckets for more entries; without memory the chains get longer. */
static void grow_hash(struct neigh_table *tbl)
{
	uint32_t n = (tbl->hash_mask + 1) * 2;
	struct hlist_head *fresh, *old = tbl->buckets;
	struct neighbour *e;

	if (tbl->entries <= tbl->hash_mask || n > BUCKETS_MOST)
		return;
	fresh = net_zalloc(tbl->net, n * sizeof(*fresh), MEM_NORMAL);
	if (!fresh)
		return;
	tbl->buckets = fresh;
	tbl->hash_mask = n - 1;
	list_for_each_entry(e, &tbl->list, gc_list) {
		hlist_del_init(&e->hash);
		hlist_add_head(&e->hash, bucket(tbl, &e->key, e->dev));
	}
	net_free(tbl->net, old);
}

static struct neighbour *find(const struct neigh_table *tbl, const union inet_addr *key, const struct net_device *dev)
{
	struct neighbour *n;

	hlist_for_each_entry(n, bucket(tbl, key, dev), hash)
		if (n->dev == dev && inet_addr_equal(&n->key, key))
			return n;
	return NULL;
}

/* Where no link address is needed, one entry serves every next hop of the device. */
static const union inet_addr *key_for(const union inet_addr *key, const struct net_device *dev)
{
	static const union inet_addr any;

	return dev->flags & (IFF_LOOPBACK_ | IFF_POINTOPOINT_) ? &any : key;
}

struct neighbour *neigh_lookup(struct net *net, uint8_t family, const union inet_addr *key, struct net_device *dev)
{
	struct neigh_table *tbl = table_of(net, family);

	return tbl ? find(tbl, key_for(key, dev), dev) : NULL;
}

/* --- the end of an entry -------------------------------------------------------------------------------------------- */

void neigh_release(struct neighbour *n)
{
	struct net *net = n->tbl->net;

	DEBUG_ASSERT(n->refcnt > 0);
	if (--n->refcnt)
		return;
	ASSERT(n->dead && skb_queue_empty(&n->arp_queue));
	dev_put(n->dev);
	kmem_cache_free(net->neigh->cache, n);
}

static bool exempt(uint8_t state) { return state & NUD_PERMANENT; }

void neigh_count_gc(struct neighbour *n, uint8_t new_state)
{
	if (n->dead || exempt(n->nud_state) == exempt(new_state))
		return;
	if (exempt(new_state))
		n->tbl->gc_entries--;
	else
		n->tbl->gc_entries++;
}

void neigh_detach(struct neighbour *n)
{
	struct neigh_table *tbl = n->tbl;

	hlist_del_init(&n->hash);
	list_del_init(&n->gc_list);
	tbl->entries--;
	if (!exempt(n->nud_state))
		tbl->gc_entries--;
	timer_del(tbl->net, &n->timer);
	n->dead = true;
	n->nud_state = NUD_NONE;
	n->hh_len = 0;
	n->output = neigh_blackhole;
	neigh_drop_queue(n, SKB_DROP_REASON_NEIGH_DEAD);
	neigh_release(n);
}

/* --- collection ----------------------------------------------------------------------------------------------------- */

static bool forced_victim(const struct neighbour *n, uint64_t now)
{
	if (n->refcnt != 1 || (n->nud_state & NUD_PERMANENT))
		return false;
	return (n->nud_state & (NUD_FAILED | NUD_NOARP)) || !neigh_within(n->updated_ns, NEIGH_FLUSH_AGE_NS, now);
}

static unsigned forced_gc(struct neigh_table *tbl)
{
	int64_t most = (int64_t)tbl->gc_entries - tbl->gc_thresh2;
	struct neighbour *n, *tmp;
	unsigned freed = 0;

	list_for_each_entry_safe(n, tmp, &tbl->list, gc_list) {
		if ((int64_t)freed >= most)
			break;
		if (forced_victim(n, tbl->net->now_ns)) {
			neigh_detach(n);
			freed++;
		}
	}
	tbl->last_flush_ns = tbl->net->now_ns;
	return freed;
}

static void periodic_gc(struct net *net, struct timer_list *t)
{
	struct neigh_table *tbl = container_of(t, struct neigh_table, gc_timer);
	uint64_t stale = (uint64_t)tbl->gc_stale_time_s * NSEC_PER_SEC;
	struct neighbour *n, *tmp;

	list_for_each_entry_safe(n, tmp, &tbl->list, gc_list) {
		if (tbl->entries < (uint32_t)tbl->gc_thresh1)
			return;
		if (n->refcnt != 1 || (n->nud_state & (NUD_PERMANENT | NUD_IN_TIMER)))
			continue;
		uint64_t used = (int64_t)(n->confirmed_ns - n->used_ns) > 0 ? n->confirmed_ns : n->used_ns;

		if ((n->nud_state & NUD_FAILED) || !neigh_within(used, stale, net->now_ns))
			neigh_detach(n);
	}
	if (tbl->entries >= (uint32_t)tbl->gc_thresh1)
		timer_mod(net, t, net->now_ns + (uint64_t)tbl->base_reachable_time_ms * NSEC_PER_MSEC / 2);
}

/* Makes room for one more; false: the table is full. */
static bool make_room(struct neigh_table *tbl)
{
	struct net *net = tbl->net;
	bool over3 = tbl->gc_entries >= (uint32_t)tbl->gc_thresh3;
	bool over2 = tbl->gc_entries >= (uint32_t)tbl->gc_thresh2 && !neigh_within(tbl->last_flush_ns, NEIGH_FLUSH_AGE_NS, net->now_ns);

	if (likely(!over3 && !over2) || PROVE_BREAKS("N1"))
		return true;
	if (forced_gc(tbl) || !over3)
		return true;
	NET_INC_STATS(net, NeighTableOverflows);
	net_log(net, "neighbour: arp_cache: neighbor table overflow!");
	return false;
}

/* --- creation ------------------------------------------------------------------------------------------------------- */

static struct neighbour *neigh_alloc(struct neigh_table *tbl, const union inet_addr *key, struct net_device *dev)
{
	struct net *net = tbl->net;
	struct neighbour *n;

	if (!make_room(tbl))
		return NULL;
	n = kmem_cache_zalloc(net->neigh->cache, MEM_RESERVE);
	if (!n)
		return NULL;
	n->tbl = tbl;
	n->dev = dev;
	dev_hold(dev);
	n->key = *key;
	n->family = tbl->family;
	n->nud_state = NUD_NONE;
	n->refcnt = 1;
	n->output = neigh_blackhole;
	n->updated_ns = n->used_ns = net->now_ns;
	/* Long ago: nothing confirms it. */
	n->confirmed_ns = net->now_ns - 2 * (uint64_t)tbl->base_reachable_time_ms * NSEC_PER_MSEC;
	timer_init(&n->timer, neigh_timer_handler);
	skb_queue_head_init(&n->arp_queue);
	list_init(&n->gc_list);
	return n;
}

static void insert(struct neighbour *n)
{
	struct neigh_table *tbl = n->tbl;

	tbl->entries++;
	tbl->gc_entries += !exempt(n->nud_state);
	list_add_tail(&n->gc_list, &tbl->list);
	hlist_add_head(&n->hash, bucket(tbl, &n->key, n->dev));
	grow_hash(tbl);
	if (tbl->entries >= (uint32_t)tbl->gc_thresh1 && list_empty(&tbl->gc_timer.entry))
		timer_mod(tbl->net, &tbl->gc_timer, tbl->net->now_ns + (uint64_t)tbl->base_reachable_time_ms * NSEC_PER_MSEC / 2);
}

static struct neighbour *neigh_create(struct neigh_table *tbl, const union inet_addr *key, struct net_device *dev)
{
	struct neighbour *n = neigh_alloc(tbl, key, dev);

	if (!n)
		return NULL;
	if (tbl->constructor(n)) {
		n->dead = true;
		neigh_release(n);
		return NULL;
	}
	insert(n);
	return n;
}

struct neighbour *neigh_lookup_or_create(struct net *net, uint8_t family, const union inet_addr *key, struct net_device *dev)
{
	struct neigh_table *tbl = table_of(net, family);
	struct neighbour *n;

	if (unlikely(!tbl))
		return NULL;
	key = key_for(key, dev);
	n = find(tbl, key, dev);
	return likely(n) ? n : neigh_create(tbl, key, dev);
}

/* --- devices --------------------------------------------------------------------------------------------------------- */

static void flush_dev(struct neigh_table *tbl, const struct net_device *dev, bool keep_permanent)
{
	struct neighbour *n, *tmp;

	list_for_each_entry_safe(n, tmp, &tbl->list, gc_list)
		if ((!dev || n->dev == dev) && !(keep_permanent && (n->nud_state & NUD_PERMANENT)))
			neigh_detach(n);
}

static void device_event(struct net_device *dev, enum netdev_event event)
{
	struct neigh_table *tbl = &dev->net->neigh->arp_tbl;

	if (event == NETDEV_DOWN || event == NETDEV_UNREGISTER)
		flush_dev(tbl, dev, false);
	else if (event == NETDEV_CHANGE && !dev->carrier)
		flush_dev(tbl, dev, true);
}

/* --- the instance ------------------------------------------------------------------------------------------------------ */

#define NEIGH_SYSCTL(n, member, least, most) \
	{.name = "net.ipv4.neigh.default." n, .type = SYSCTL_INT, .offset = offsetof(struct neigh_table, member), .count = 1, .min = (least), .max = (most)}
static const struct sysctl_entry neigh_sysctls[] = {
	NEIGH_SYSCTL("base_reachable_time_ms", base_reachable_time_ms, 1, INT_MAX),
	NEIGH_SYSCTL("delay_first_probe_time", delay_first_probe_s, 0, INT_MAX),
	NEIGH_SYSCTL("gc_interval", gc_interval_s, 0, INT_MAX),
	NEIGH_SYSCTL("gc_stale_time", gc_stale_time_s, 0, INT_MAX),
	NEIGH_SYSCTL("gc_thresh1", gc_thresh1, 0, INT_MAX),
	NEIGH_SYSCTL("gc_thresh2", gc_thresh2, 0, INT_MAX),
	NEIGH_SYSCTL("gc_thresh3", gc_thresh3, 0, INT_MAX),
	NEIGH_SYSCTL("locktime", locktime_cs, 0, INT_MAX),
	NEIGH_SYSCTL("mcast_solicit", mcast_solicit, 0, 255),
	NEIGH_SYSCTL("retrans_time_ms", retrans_time_ms, 1, INT_MAX),
	NEIGH_SYSCTL("ucast_solicit", ucast_solicit, 0, 255),
	NEIGH_SYSCTL("unres_qlen_bytes", unres_qlen_bytes, 0, INT_MAX),
};

static int table_init(struct neigh_table *tbl, struct net *net)
{
	*tbl = (struct neigh_table){
		.net = net, .family = AF_INET, .protocol = ETH_P_IP, .constructor = arp_constructor, .hash_mask = BUCKETS_FIRST - 1,
		.gc_thresh1 = 128, .gc_thresh2 = 512, .gc_thresh3 = 1024, .gc_interval_s = 30, .gc_stale_time_s = 60,
		.base_reachable_time_ms = 30000, .retrans_time_ms = 1000, .delay_first_probe_s = 5, .locktime_cs = 100,
		.ucast_solicit = 3, .mcast_solicit = 3, .unres_qlen_bytes = 212992,
	};
	list_init(&tbl->list);
	timer_init(&tbl->gc_timer, periodic_gc);
	tbl->last_flush_ns = net->now_ns;
	tbl->buckets = net_zalloc(net, BUCKETS_FIRST * sizeof(*tbl->buckets), MEM_NORMAL);
	return tbl->buckets ? 0 : -ENOMEM;
}

int neigh_init(struct net *net)
{
	struct neigh_state *ns = net_zalloc(net, sizeof(*ns), MEM_NORMAL);
	int err = -ENOMEM;

	if (!ns)
		return -ENOMEM;
	net->neigh = ns;
	ns->cache = kmem_cache_create(net, "neighbour", sizeof(struct neighbour), 16);
	if (!ns->cache)
		goto free_state;
	err = table_init(&ns->arp_tbl, net);
	if (err)
		goto destroy_cache;
	err = sysctl_register(net, &ns->arp_tbl, neigh_sysctls, ARRAY_SIZE(neigh_sysctls));
	if (err)
		goto free_buckets;
	ns->notifier.fn = device_event;
	register_netdevice_notifier(net, &ns->notifier);
	ns->arp_packet.type = ETH_P_ARP;
	ns->arp_packet.func = arp_rcv;
	dev_add_pack(net, &ns->arp_packet);
	return 0;

free_buckets:
	net_free(net, ns->arp_tbl.buckets);
destroy_cache:
	kmem_cache_destroy(ns->cache);
free_state:
	net->neigh = NULL;
	net_free(net, ns);
	return err;
}

void neigh_exit(struct net *net)
{
	struct neigh_state *ns = net->neigh;

	flush_dev(&ns->arp_tbl, NULL, false);
	timer_del(net, &ns->arp_tbl.gc_timer);
	net_free(net, ns->arp_tbl.buckets);
	kmem_cache_destroy(ns->cache);
	net->neigh = NULL;
	net_free(net, ns);
}

/* --- by hand (ip neigh) -------------------------------------------------------------------------------------------------- */

static int fail_with(int err)
{
	errno = -err;
	return -1;
}

static bool addr_valid(struct in_addr addr)
{
	be32 a = (be32)addr.s_addr;

	return a && !ipv4_is_multicast(a) && !ipv4_is_lbcast(a);
}

int xmit_neigh_add(xmit_dev *dev, struct in_addr addr, const uint8_t mac[6])
{
	union inet_addr key = inet_addr_v4((be32)addr.s_addr);
	struct neighbour *n;
	int err;

	if (!dev || !mac || !addr_valid(addr) || !dev->header_ops || dev->loopback)
		return fail_with(-EINVAL);
	n = neigh_lookup_or_create(dev->net, AF_INET, &key, dev);
	if (!n)
		return fail_with(-ENOBUFS);
	err = neigh_update(n, mac, NUD_PERMANENT, NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN);
	return err ? fail_with(err) : 0;
}

int xmit_neigh_del(xmit_dev *dev, struct in_addr addr)
{
	union inet_addr key = inet_addr_v4((be32)addr.s_addr);
	struct neighbour *n;

	if (!dev)
		return fail_with(-EINVAL);
	n = neigh_lookup(dev->net, AF_INET, &key, dev);
	if (!n)
		return fail_with(-ENOENT);
	neigh_detach(n);
	return 0;
}
