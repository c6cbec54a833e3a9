/* SPDX-License-Identifier: MIT */
/*
 * dev_rx.c - from the driver's poll up to the network protocol (D2, D4).
 *
 *	napi_schedule -> NET_RX: net_rx_action -> napi->poll -> napi_gro_receive (gro.c) -> netif_receive_skb -> packet_type.func
 *
 * NAPI: `scheduled` from napi_schedule() until a poll that used less than its weight.  Scheduled again while it is polled (the stack sends an
 * ACK out of the same poll and the loopback device posts it): `missed`, it is polled once more.  NAPIs take turns, weight by weight, until
 * NET_RX has spent its budget.  Held GRO packets go up at the end of each poll.
 *
 * The backlog (netif_rx) is a NAPI of no device; its queue is bounded by net.core.netdev_max_backlog.
 */
#include "dev/netdev_internal.h"
#include "dev/softirq.h"

/* --- protocols --------------------------------------------------------------------------------------------------- */

static struct list_head *ptype_head(struct net *net, uint16_t type)
{
	return type == ETH_P_ALL ? &net->netdev->ptype_all : &net->netdev->ptype[type % PTYPE_HASH_SIZE];
}

void dev_add_pack(struct net *net, struct packet_type *pt) { list_add_tail(&pt->list, ptype_head(net, pt->type)); }
void dev_add_offload(struct net *net, struct packet_offload *po) { list_add_tail(&po->list, &net->netdev->offloads); }

struct packet_offload *dev_find_offload(struct net *net, be16 type)
{
	struct packet_offload *po;

	list_for_each_entry(po, &net->netdev->offloads, list)
		if (cpu_to_be16(po->type) == type)
			return po;
	return NULL;
}

/* --- up to the protocol ------------------------------------------------------------------------------------------- */

static void deliver_taps(struct sk_buff *skb, struct net_device *dev)
{
	struct packet_type *pt;

	list_for_each_entry(pt, &dev->net->netdev->ptype_all, list) {
		struct sk_buff *clone = skb_clone(skb, MEM_NORMAL);

		if (clone)
			pt->func(clone, dev);
	}
}

int netif_receive_skb(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	struct net *net = skb->net;
	struct packet_type *pt;

	trace_skb(skb, TP_netif_receive_skb);
	skb_reset_network_header(skb);
	if (unlikely(dev->tap_fn))
		dev_tap(dev, skb, false);
	if (unlikely(!list_empty(&net->netdev->ptype_all)))
		deliver_taps(skb, dev);
	list_for_each_entry(pt, ptype_head(net, be16_to_cpu(skb->protocol)), list)
		if (likely(cpu_to_be16(pt->type) == skb->protocol))
			return pt->func(skb, dev);
	dev->stats.rx_dropped++;
	skb_drop(skb, SKB_DROP_REASON_UNHANDLED_PROTO);
	return 0;
}

/* --- NAPI --------------------------------------------------------------------------------------------------------- */

void napi_init(struct napi_struct *napi, struct net_device *dev, unsigned queue, int (*poll)(struct napi_struct *, int))
{
	list_init(&napi->poll_list);
	napi->dev = dev;
	napi->queue = (uint16_t)queue;
	napi->poll = poll;
}

static void poll_list_add(struct net *net, struct napi_struct *napi)
{
	list_add_tail(&napi->poll_list, &net->netdev->poll_list);
	raise_softirq(net, NET_RX_SOFTIRQ);
}

void napi_schedule(struct napi_struct *napi)
{
	struct net_device *dev = napi->dev;

	if (napi->scheduled) {
		napi->missed = true;
		return;
	}
	if (!netif_running(dev) || !dev->ops->poll)
		return;
	napi->scheduled = true;
	poll_list_add(dev->net, napi);
}

void napi_disable(struct napi_struct *napi)
{
	struct sk_buff *skb;

	list_del_init(&napi->poll_list);
	napi->scheduled = napi->missed = false;
	while ((skb = napi->gro_list)) {
		napi->gro_list = skb->next;
		skb->next = NULL;
		skb_drop(skb, SKB_DROP_REASON_DEV_READY);
	}
	napi->gro_count = 0;
}

/* One turn of napi, which is off the list; puts it back at the tail if there is more. */
static int napi_turn(struct net *net, struct napi_struct *napi, int weight)
{
	int work;

	napi->missed = false;
	work = napi->poll(napi, weight);
	if (napi->gro_list)
		napi_gro_flush(napi);
	if (!napi->scheduled) /* disabled meanwhile */
		return work;
	if (work >= weight || napi->missed)
		poll_list_add(net, napi);
	else
		napi->scheduled = false;
	return work;
}

/* (The hop is recorded for each packet where a poll hands it over: in xmit_dev_receive.) */
static int net_rx_action(struct net *net, int budget)
{
	struct netdev_state *ns = net->netdev;
	int quota = MIN(budget, ns->sysctl_netdev_budget), used = 0;
	struct list_head list;

	/* Only those that wait now: who is put back meanwhile has its turn in the next round, after TIMER and NET_TX. */
	list_init(&list);
	list_splice_tail_init(&ns->poll_list, &list);
	while (!list_empty(&list) && used < quota) {
		struct napi_struct *napi = list_first_entry(&list, struct napi_struct, poll_list);
		int work;

		list_del_init(&napi->poll_list);
		work = napi_turn(net, napi, PROVE_BREAKS("D4") ? INT32_MAX : MIN(ns->sysctl_dev_weight, quota - used));
		used += MAX(work, 1);
	}
	if (!list_empty(&list)) {
		list_splice_tail_init(&ns->poll_list, &list); /* those left were first in line */
		list_splice_tail_init(&list, &ns->poll_list);
		raise_softirq(net, NET_RX_SOFTIRQ);
	}
	return used;
}

/* --- backlog ------------------------------------------------------------------------------------------------------ */

int netif_rx(struct sk_buff *skb)
{
	struct net *net = skb->net;
	struct netdev_state *ns = net->netdev;

	if (unlikely(!netif_running(skb->dev) || ns->backlog.qlen >= (uint32_t)ns->sysctl_netdev_max_backlog)) {
		skb->dev->stats.rx_dropped++;
		skb_drop(skb, netif_running(skb->dev) ? SKB_DROP_REASON_CPU_BACKLOG : SKB_DROP_REASON_DEV_READY);
		return -ENOBUFS;
	}
	skb_queue_tail(&ns->backlog, skb);
	if (!ns->backlog_napi.scheduled) {
		ns->backlog_napi.scheduled = true;
		poll_list_add(net, &ns->backlog_napi);
	}
	return 0;
}

static int process_backlog(struct napi_struct *napi, int budget)
{
	struct netdev_state *ns = container_of(napi, struct netdev_state, backlog_napi);
	int work = 0;

	while (work < budget) {
		struct sk_buff *skb = skb_dequeue(&ns->backlog);

		if (!skb)
			break;
		netif_receive_skb(skb);
		work++;
	}
	return work;
}

void dev_rx_purge(struct net_device *dev)
{
	struct sk_buff_head *q = &dev->net->netdev->backlog;
	struct sk_buff *skb, *tmp;

	skb_queue_walk_safe(q, skb, tmp) {
		if (skb->dev != dev)
			continue;
		skb_unlink(skb, q);
		skb_drop(skb, SKB_DROP_REASON_DEV_READY);
	}
}

int dev_rx_init(struct net *net)
{
	struct netdev_state *ns = net->netdev;

	for (unsigned i = 0; i < PTYPE_HASH_SIZE; i++)
		list_init(&ns->ptype[i]);
	list_init(&ns->ptype_all);
	list_init(&ns->offloads);
	list_init(&ns->poll_list);
	skb_queue_head_init(&ns->backlog);
	napi_init(&ns->backlog_napi, NULL, 0, process_backlog);
	open_softirq(net, NET_RX_SOFTIRQ, net_rx_action);
	return 0;
}

void dev_rx_exit(struct net *net) { skb_queue_purge(&net->netdev->backlog, SKB_DROP_REASON_NET_DYING); }
