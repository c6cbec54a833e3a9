/* SPDX-License-Identifier: MIT */
/*
 * dst.h - destination cache entry: the result of a route look-up, as skbs and sockets hold it.
 *
 * Reference-counted and immutable once made; a change of routes, addresses, devices or path MTU bumps the generation of its family
 * (netns_ipv4.rt_genid) and dst_check() then fails, so that the holder looks up anew.
 */
#ifndef XMIT_CORE_DST_H
#define XMIT_CORE_DST_H

#include "core/net.h"

struct sk_buff;
struct sock;
struct net_device;
struct dst_entry;

/* Route metrics (RTAX_*, Linux's numbers). */
enum {
	RTAX_LOCK = 1, RTAX_MTU, RTAX_WINDOW, RTAX_RTT, RTAX_RTTVAR, RTAX_SSTHRESH, RTAX_CWND, RTAX_ADVMSS, RTAX_REORDERING,
	RTAX_HOPLIMIT, RTAX_INITCWND, RTAX_FEATURES, RTAX_RTO_MIN, RTAX_INITRWND, RTAX_QUICKACK, RTAX_CC_ALGO, RTAX_FASTOPEN_NO_COOKIE,
	RTAX_MAX_PLUS1,
	RTAX_FEATURE_ECN = 1,           /* of RTAX_FEATURES */
};

struct dst_ops {
	uint8_t family;
	/* Still valid?  Returns dst or NULL. */
	struct dst_entry *(*check)(struct dst_entry *dst);
	unsigned (*mtu)(const struct dst_entry *dst);      /* bytes, path MTU included */
	unsigned (*advmss)(const struct dst_entry *dst);   /* MSS to advertise, bytes */
	void (*update_pmtu)(struct dst_entry *dst, struct sock *sk, const struct sk_buff *skb, uint32_t mtu);
	void (*link_failure)(struct sk_buff *skb);         /* neighbour failed: tell the sender */
	void (*confirm_neigh)(const struct dst_entry *dst, const void *daddr);
	void (*destroy)(struct dst_entry *dst);            /* frees it */
};

struct dst_entry {
	struct net *net;
	struct net_device *dev;       /* counted reference */
	const struct dst_ops *ops;
	int (*input)(struct sk_buff *skb);                              /* consumes the skb; 0 or -errno */
	int (*output)(struct net *net, struct sock *sk, struct sk_buff *skb); /* consumes the skb; 0, -errno, or NET_XMIT_* */
	uint32_t refcnt;
	uint32_t genid;               /* of the family, when made */
	int32_t error;                /* 0, or -errno for unreachable, prohibit, blackhole */
	uint16_t header_len, trailer_len;
	uint64_t expires_ns;          /* TIME_NEVER, or when a learnt path MTU lapses */
	uint32_t metrics[RTAX_MAX_PLUS1];
};

static inline struct dst_entry *dst_hold(struct dst_entry *dst)
{
	dst->refcnt++;
	return dst;
}
static inline void dst_release(struct dst_entry *dst)
{
	if (dst && --dst->refcnt == 0)
		dst->ops->destroy(dst);
}
static inline struct dst_entry *dst_check(struct dst_entry *dst) { return dst->ops->check(dst); }
static inline unsigned dst_mtu(const struct dst_entry *dst) { return dst->ops->mtu(dst); }
static inline uint32_t dst_metric(const struct dst_entry *dst, unsigned metric) { return dst->metrics[metric]; }

#endif
