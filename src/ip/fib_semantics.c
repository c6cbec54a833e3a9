/* SPDX-License-Identifier: MIT */
/*
 * fib_semantics.c - what a route means: its type, scope and next hops, checked and shared as fib_info (I1).
 *
 * Scopes (host < link < universe, in descending numbers) keep next hops meaningful: a gateway must be reachable by a route of
 * narrower scope than the route that uses it.  A device that goes down makes next hops dead, and a fib_info without a living one takes its
 * routes along.
 *
 * Called by fib.c and devinet.c.  RFC 1122 section 3.3.1, RFC 1812 section 5.2.4.
 */
#include "ip/fib.h"
#include "ip/devinet.h"
#include "ip/ip_internal.h"

const struct fib_prop fib_props[RTN_THROW + 1] = {
	[RTN_UNSPEC] = {-EINVAL, RT_SCOPE_NOWHERE},
	[RTN_UNICAST] = {0, RT_SCOPE_UNIVERSE},
	[RTN_LOCAL] = {0, RT_SCOPE_HOST},
	[RTN_BROADCAST] = {0, RT_SCOPE_LINK},
	[RTN_ANYCAST] = {0, RT_SCOPE_LINK},
	[RTN_MULTICAST] = {0, RT_SCOPE_UNIVERSE},
	[RTN_BLACKHOLE] = {-EINVAL, RT_SCOPE_UNIVERSE},
	[RTN_UNREACHABLE] = {-EHOSTUNREACH, RT_SCOPE_UNIVERSE},
	[RTN_PROHIBIT] = {-EACCES, RT_SCOPE_UNIVERSE},
	[RTN_THROW] = {-EAGAIN, RT_SCOPE_UNIVERSE},
};

/* --- fib_info ---------------------------------------------------------------------------------------------- */

void fib_info_put(struct net *net, struct fib_info *fi)
{
	if (--fi->refcnt)
		return;
	hlist_del_init(&fi->hash);
	for (unsigned i = 0; i < fi->nhs; i++)
		if (fi->nh[i].dev)
			dev_put(fi->nh[i].dev);
	net_free(net, fi);
}

static int check_onlink_gateway(struct net *net, const struct fib_config *cfg, struct fib_nh *nh)
{
	if (cfg->scope >= RT_SCOPE_LINK || inet_addr_type(net, cfg->gw) != RTN_UNICAST)
		return -EINVAL;
	if (!cfg->dev)
		return -ENODEV;
	if (!netif_running(cfg->dev))
		return -ENETDOWN;
	nh->dev = cfg->dev;
	nh->flags |= RTNH_F_ONLINK;
	nh->scope = RT_SCOPE_LINK;
	return 0;
}

/* A gateway must be on a directly connected network (or be reached by a route of narrower scope than this one). */
static int check_gateway(struct net *net, const struct fib_config *cfg, struct fib_nh *nh)
{
	struct flowi fl = {.daddr = inet_addr_v4(cfg->gw), .scope = (uint8_t)(cfg->scope + 1), .oif = cfg->dev ? cfg->dev->ifindex : 0};
	struct fib_result res;

	if (cfg->scope >= RT_SCOPE_LINK)
		return -EINVAL;
	if (fl.scope < RT_SCOPE_LINK)
		fl.scope = RT_SCOPE_LINK;
	int err = fib_lookup(net, &fl, &res);
	if (err)
		return err;
	if ((res.type != RTN_UNICAST && res.type != RTN_LOCAL) || !res.nh->dev)
		return -EINVAL;
	if (!netif_running(res.nh->dev))
		return -ENETDOWN;
	nh->dev = res.nh->dev;
	nh->scope = res.scope;
	return 0;
}

/* Fills in device and scope of the next hop, or says why the route cannot be. */
static int check_nh(struct net *net, const struct fib_config *cfg, struct fib_nh *nh)
{
	nh->gw = cfg->gw;
	nh->weight = 1;
	if (fib_props[cfg->type].error)
		return cfg->gw || cfg->dev ? -EINVAL : 0;
	if (cfg->scope > RT_SCOPE_HOST)
		return -EINVAL;
	if (cfg->scope == RT_SCOPE_HOST) {
		if (cfg->gw)
			return -EINVAL;
		nh->dev = cfg->dev;
		nh->scope = RT_SCOPE_NOWHERE;
		return cfg->dev ? 0 : -ENODEV;
	}
	if (cfg->gw)
		return cfg->onlink ? check_onlink_gateway(net, cfg, nh) : check_gateway(net, cfg, nh);
	if (!cfg->dev)
		return -ENODEV;
	if (!netif_running(cfg->dev))
		return -ENETDOWN;
	nh->dev = cfg->dev;
	nh->scope = RT_SCOPE_HOST;
	return 0;
}

static uint32_t info_bucket(const struct fib_config *cfg, const struct fib_nh *nh)
{
	return jhash_3words((uint32_t)nh->gw, nh->dev ? (uint32_t)nh->dev->ifindex : 0, cfg->priority ^ (uint32_t)cfg->prefsrc, cfg->type) %
	       FIB_INFO_BUCKETS;
}

static bool info_equal(const struct fib_info *fi, const struct fib_config *cfg, const struct fib_nh *nh)
{
	return fi->nhs == 1 && !fi->dead && fi->type == cfg->type && fi->scope == cfg->scope && fi->protocol == cfg->protocol &&
	       fi->prefsrc == cfg->prefsrc && fi->priority == cfg->priority && fi->nh[0].dev == nh->dev && fi->nh[0].gw == nh->gw &&
	       fi->nh[0].scope == nh->scope && ((fi->nh[0].flags ^ nh->flags) & RTNH_F_ONLINK) == 0 &&
	       !memcmp(fi->metrics, cfg->metrics, sizeof(fi->metrics));
}

int fib_info_get(struct net *net, const struct fib_config *cfg, struct fib_info **res)
{
	struct fib_nh nh = {0};
	struct fib_info *fi;
	int err = check_nh(net, cfg, &nh);

	if (err)
		return err;
	if (cfg->prefsrc && (cfg->type != RTN_LOCAL || cfg->prefsrc != cfg->dst) && inet_addr_type(net, cfg->prefsrc) != RTN_LOCAL)
		return -EINVAL;
	struct hlist_head *bucket = &fib_state(net)->infos[info_bucket(cfg, &nh)];
	hlist_for_each_entry(fi, bucket, hash) {
		if (info_equal(fi, cfg, &nh)) {
			fi->refcnt++;
			*res = fi;
			return 0;
		}
	}
	fi = net_zalloc(net, sizeof(*fi) + sizeof(nh), MEM_NORMAL);
	if (!fi)
		return -ENOMEM;
	fi->refcnt = 1;
	fi->type = cfg->type;
	fi->scope = cfg->scope;
	fi->protocol = cfg->protocol;
	fi->prefsrc = cfg->prefsrc;
	fi->priority = cfg->priority;
	memcpy(fi->metrics, cfg->metrics, sizeof(fi->metrics));
	fi->nhs = 1;
	fi->nh[0] = nh;
	if (nh.dev)
		dev_hold(nh.dev);
	hlist_add_head(&fi->hash, bucket);
	*res = fi;
	return 0;
}

/* --- devices and addresses that come and go ------------------------------------------------------------------ */

unsigned fib_sync_down_dev(struct net_device *dev, bool force)
{
	struct fib_state *st = fib_state(dev->net);
	struct fib_info *fi;
	bool any = false;

	for (unsigned b = 0; b < FIB_INFO_BUCKETS; b++) {
		hlist_for_each_entry(fi, &st->infos[b], hash) {
			unsigned dead = 0;
			for (unsigned i = 0; i < fi->nhs; i++) {
				struct fib_nh *nh = &fi->nh[i];
				if (nh->dev == dev && (force || nh->scope != RT_SCOPE_NOWHERE))
					nh->flags |= RTNH_F_DEAD;
				dead += !!(nh->flags & RTNH_F_DEAD);
			}
			if (dead && dead == fi->nhs)
				fi->dead = any = true;
		}
	}
	return any ? fib_flush_dead(dev->net) : 0;
}

void fib_sync_down_addr(struct net *net, be32 local)
{
	struct fib_state *st = fib_state(net);
	struct fib_info *fi;
	bool any = false;

	for (unsigned b = 0; b < FIB_INFO_BUCKETS; b++)
		hlist_for_each_entry(fi, &st->infos[b], hash)
			if (fi->prefsrc == local)
				fi->dead = any = true;
	if (any)
		fib_flush_dead(net);
}

void fib_sync_up(struct net_device *dev)
{
	struct fib_state *st = fib_state(dev->net);
	struct fib_info *fi;

	for (unsigned b = 0; b < FIB_INFO_BUCKETS; b++)
		hlist_for_each_entry(fi, &st->infos[b], hash)
			for (unsigned i = 0; i < fi->nhs; i++)
				if (fi->nh[i].dev == dev)
					fi->nh[i].flags &= (uint8_t)~RTNH_F_DEAD;
}
