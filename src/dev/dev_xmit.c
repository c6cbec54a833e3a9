/* SPDX-License-Identifier: MIT */
/*
 * dev_xmit.c - a complete frame on its way to the driver (Q1, Q4).
 *
 *	dev_queue_xmit -> choice of queue -> sched_ops->xmit (sched/) ... sch_direct_xmit ->
 *	validate_xmit_skb_list (software GSO, linearising, checksum) -> dev_hard_start_xmit -> ops->start_xmit
 *
 * The route is given back here: below, nothing asks for it.  skb->sk and the destructor stay until the driver is done with the skb.
 */
#include "core/sock.h"
#include "dev/netdev_internal.h"
#include "wire/ip.h"

/* --- which queue ------------------------------------------------------------------------------------------------ */

static bool ports_of(const struct sk_buff *skb, unsigned offset, uint8_t proto, uint32_t *ports)
{
	*ports = 0;
	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return true;
	return !skb_copy_bits(skb, offset, ports, sizeof(*ports));
}

static uint32_t flow_hash_headers(const struct sk_buff *skb)
{
	unsigned nhoff = (unsigned)skb_network_offset(skb);
	uint32_t seed = (uint32_t)skb->net->hash_key.key[0], ports;
	struct ipv6hdr v6;
	struct iphdr v4;

	if (skb->protocol == CPU_TO_BE16(ETH_P_IP) && !skb_copy_bits(skb, nhoff, &v4, sizeof(v4))) {
		bool fragment = v4.frag_off & CPU_TO_BE16(IP_MF | IP_OFFSET); /* all fragments on one queue: ports are in the first only */

		if (!ports_of(skb, nhoff + v4.ihl * 4u, fragment ? 0 : v4.protocol, &ports))
			ports = 0;
		return jhash_3words((uint32_t)v4.saddr, (uint32_t)v4.daddr, ports ^ v4.protocol, seed);
	}
	if (skb->protocol == CPU_TO_BE16(ETH_P_IPV6) && !skb_copy_bits(skb, nhoff, &v6, sizeof(v6))) {
		if (!ports_of(skb, nhoff + (unsigned)sizeof(v6), v6.nexthdr, &ports))
			ports = 0;
		return jhash_3words((uint32_t)(v6.saddr[2] ^ v6.saddr[3]), (uint32_t)(v6.daddr[2] ^ v6.daddr[3]), ports ^ v6.nexthdr, seed);
	}
	return seed;
}

static uint32_t skb_flow_hash(struct sk_buff *skb)
{
	if (skb->hash)
		return skb->hash;
	if (skb->sk && skb->sk->sk_txhash)
		return skb->hash = skb->sk->sk_txhash;
	return skb->hash = flow_hash_headers(skb) | 1; /* 0 stands for "not computed" */
}

static struct netdev_queue *netdev_pick_tx(struct net_device *dev, struct sk_buff *skb)
{
	unsigned i = 0;

	if (dev->num_tx_queues > 1 && !PROVE_BREAKS("Q1"))
		i = reciprocal_scale(skb_flow_hash(skb), dev->num_tx_queues);
	skb->queue_mapping = (uint16_t)i;
	return &dev->tx[i];
}

int dev_queue_xmit(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;

	trace_skb(skb, TP_dev_queue_xmit);
	if (unlikely(!netif_running(dev)) && !PROVE_BREAKS("D1")) {
		dev->stats.tx_dropped++;
		skb_drop(skb, SKB_DROP_REASON_DEV_READY);
		return -ENETDOWN;
	}
	if (unlikely(skb_shinfo(skb)->tx_flags & SKBTX_SCHED_TSTAMP) && skb->sk)
		dev->net->skb_tstamp_tx(skb, skb->sk, SCM_TSTAMP_SCHED_);
	skb_reset_mac_header(skb);
	skb->tx_tapped = 0;
	dst_release(skb->dst);
	skb->dst = NULL;
	return dev->net->sched_ops->xmit(skb, dev, netdev_pick_tx(dev, skb));
}

/* --- made fit for the device ------------------------------------------------------------------------------------- */

static bool needs_linearize(const struct sk_buff *skb, uint32_t features)
{
	const struct skb_shared_info *si = skb_shinfo(skb);
	unsigned pieces = si->nr_frags + 1u;

	if (!skb->data_len)
		return false;
	if (!(features & XMIT_F_SG))
		return true;
	for (const struct sk_buff *s = si->frag_list; s; s = s->next)
		pieces += skb_shinfo(s)->nr_frags + 1u;
	return pieces > MAX_SKB_FRAGS + 1;
}

/* Linear and with its checksum where the device needs that; NULL: dropped. */
static struct sk_buff *validate_one(struct sk_buff *skb, uint32_t features)
{
	if (unlikely(needs_linearize(skb, features)) && skb_linearize(skb)) {
		skb_drop(skb, SKB_DROP_REASON_NOMEM);
		return NULL;
	}
	/* (What is still a super-segment is cut below, and summed there.) */
	if (skb->ip_summed == CHECKSUM_PARTIAL && !(features & (XMIT_F_CSUM | XMIT_F_LOOPBACK)) && !skb_is_gso(skb) && skb_checksum_help(skb)) {
		skb_drop(skb, SKB_DROP_REASON_SKB_CSUM);
		return NULL;
	}
	return skb;
}

static struct sk_buff *segment_one(struct sk_buff *skb, struct net_device *dev)
{
	int err = 0;
	struct sk_buff *segs = skb_gso_segment(skb, dev->features, &err);

	if (unlikely(!segs)) {
		dev->stats.tx_dropped++;
		skb_drop(skb, err == -ENOMEM ? SKB_DROP_REASON_NOMEM : SKB_DROP_REASON_SKB_GSO_SEG);
		return NULL;
	}
	skb_consume(skb);
	return segs;
}

struct sk_buff *validate_xmit_skb_list(struct sk_buff *skb, struct net_device *dev)
{
	struct sk_buff *head = NULL, **tail = &head, *next, *seg;

	for (; skb; skb = next) {
		next = skb->next;
		skb->next = NULL;
		seg = netif_needs_gso(dev, skb) ? segment_one(skb, dev) : skb;
		while (seg) {
			struct sk_buff *after = seg->next;

			seg->next = NULL;
			seg = validate_one(seg, dev->features);
			if (likely(seg)) {
				*tail = seg;
				tail = &seg->next;
			} else {
				dev->stats.tx_dropped++;
			}
			seg = after;
		}
	}
	return head;
}

/* --- to the driver ------------------------------------------------------------------------------------------------ */

static void tap_iovec(struct net_device *dev, const struct sk_buff *skb, bool out)
{
	struct iovec iov[TAP_IOV_MAX];
	int n = skb_to_iovec(skb, iov, TAP_IOV_MAX);

	if (n >= 0) {
		dev->tap_fn(dev->tap_ctx, iov, n, out, dev->net->now_ns);
		return;
	}
	struct sk_buff *copy = skb_copy(skb, 0, MEM_NORMAL); /* a merged packet of very many pieces */
	if (!copy)
		return;
	iov[0] = (struct iovec){copy->data, copy->len};
	dev->tap_fn(dev->tap_ctx, iov, 1, out, dev->net->now_ns);
	skb_consume(copy);
}

void dev_tap(struct net_device *dev, struct sk_buff *skb, bool out)
{
	unsigned header = (unsigned)(skb->data - skb_mac_header(skb));

	skb_push(skb, header);
	tap_iovec(dev, skb, out);
	skb_pull(skb, header);
}

static int netdev_start_xmit(struct sk_buff *skb, struct net_device *dev, struct netdev_queue *txq, bool more)
{
	trace_skb(skb, TP_ndo_start_xmit);
	return dev->ops->start_xmit(dev, skb, txq->index, more);
}

/* Memory that a sender lent (MSG_ZEROCOPY) does not go where the packet is kept; a device that copies anyway says so.  False: no memory. */
static bool lent_memory_ok(struct sk_buff *skb, const struct net_device *dev)
{
	if (dev->features & XMIT_F_LOOPBACK)
		return !skb_orphan_frags(skb);
	if (dev->features & XMIT_F_COPIES)
		skb_note_copied(skb);
	return true;
}

/* Who wants to know of each packet that leaves: the capture, and the socket that sent it.  Before the driver, which may let go of the socket. */
static void see_leave(struct sk_buff *skb, struct net_device *dev)
{
	if (dev->tap_fn)
		dev_tap(dev, skb, true);
	if ((skb_shinfo(skb)->tx_flags & SKBTX_SW_TSTAMP) && skb->sk)
		dev->net->skb_tstamp_tx(skb, skb->sk, SCM_TSTAMP_SND_);
}

static int xmit_one(struct sk_buff *skb, struct net_device *dev, struct netdev_queue *txq, bool more)
{
	unsigned len = skb->len;
	int rc;

	if (unlikely(dev->tap_fn || (skb_shinfo(skb)->tx_flags & SKBTX_SW_TSTAMP)) && !skb->tx_tapped) {
		see_leave(skb, dev);
		skb->tx_tapped = 1;
	}
	trace_skb(skb, TP_dev_hard_start_xmit);
	if (unlikely(dev->net->zerocopy_live) && !lent_memory_ok(skb, dev)) {
		dev->stats.tx_dropped++;
		skb_drop(skb, SKB_DROP_REASON_NOMEM);
		return XMIT_TX_OK;
	}
	rc = netdev_start_xmit(skb, dev, txq, more);
	if (likely(rc == XMIT_TX_OK)) {
		txq->trans_start_ns = dev->net->now_ns;
		txq->tx_packets++;
		txq->tx_bytes += len;
	} else {
		txq->tx_busy++;
	}
	return rc;
}

struct sk_buff *dev_hard_start_xmit(struct sk_buff *first, struct net_device *dev, struct netdev_queue *txq, int *ret)
{
	struct sk_buff *skb = first;
	int rc = XMIT_TX_OK;

	while (skb) {
		struct sk_buff *next = skb->next;

		skb->next = NULL;
		rc = xmit_one(skb, dev, txq, next && !PROVE_BREAKS("Q4"));
		if (unlikely(rc != XMIT_TX_OK)) {
			skb->next = next;
			break;
		}
		skb = next;
		if (unlikely(skb && netif_xmit_frozen_or_stopped(txq))) {
			rc = XMIT_TX_BUSY;
			break;
		}
	}
	*ret = rc;
	return skb;
}
