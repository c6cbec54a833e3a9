/* SPDX-License-Identifier: MIT */
/*
 * sch_generic.c - from dev_queue_xmit() through a queueing discipline to the driver (Q1, Q2, Q4).
 *
 *	__dev_xmit_skb: noqueue -> straight to the driver
 *	              empty work-conserving qdisc, driver's queue open -> sch_direct_xmit (bypass)
 *	              else enqueue, then __qdisc_run: qdisc_restart (dequeue some, sch_direct_xmit) until empty, stopped or the quota is spent
 *
 * One runner at a time (q->running): what is sent from inside a run is queued and the runner finds it.  Quota spent: the qdisc goes
 * to the output queue and NET_TX runs it again (net_tx_action).
 *
 * Busy driver: what it did not take goes to q->gso_skb, which is taken as a whole before anything else is dequeued, and in order; it counts
 * in qlen.  Nothing is dequeued while the driver's queue is stopped; its wake schedules the qdisc.  A driver that is busy
 * without having stopped its queue is asked again when it wakes the queue, or after 1 ms: there is no spinning.
 *
 * A discipline knows nothing of this: it has enqueue, dequeue, peek and reset; non-work-conserving ones schedule themselves by a timer.
 */
#include "sched/sch_generic.h"
#include "dev/softirq.h"

enum {
	DEV_TX_WEIGHT = 64,   /* packets of one __qdisc_run */
	BULK_MOST = 8,        /* packets handed to the driver with one doorbell */
};
#define BUSY_RETRY_NS NSEC_PER_MSEC

struct sched_state {
	struct list_head output_queue; /* scheduled qdiscs, in order */
};

/* sched/ has no state of its own in struct net but this, which sits beside the ops that dev/ sees. */
struct sched_registration {
	struct dev_sched_ops ops; /* first: net->sched_ops points here */
	struct sched_state state;
};

static struct sched_state *sched_state(const struct net *net)
{
	return &((struct sched_registration *)(uintptr_t)net->sched_ops)->state;
}

/* --- for the disciplines ------------------------------------------------------------------------------------------ */

int qdisc_enqueue_tail(struct sk_buff *skb, struct Qdisc *q)
{
	skb_queue_tail(&q->q, skb);
	q->qlen++;
	q->backlog_bytes += qdisc_pkt_len(skb);
	return NET_XMIT_SUCCESS;
}

struct sk_buff *qdisc_dequeue_head(struct Qdisc *q)
{
	struct sk_buff *skb = skb_dequeue(&q->q);

	if (skb) {
		q->qlen--;
		q->backlog_bytes -= qdisc_pkt_len(skb);
	}
	return skb;
}

int qdisc_drop(struct sk_buff *skb, struct Qdisc *q, struct sk_buff **to_free)
{
	q->drops++;
	skb->next = *to_free;
	*to_free = skb;
	return NET_XMIT_DROP;
}

void qdisc_reset_queue(struct Qdisc *q)
{
	struct sk_buff *skb;

	while ((skb = qdisc_dequeue_head(q)))
		skb_drop(skb, q->reset_reason);
}

static void qdisc_count(struct Qdisc *q, const struct sk_buff *skb)
{
	q->bytes += qdisc_pkt_len(skb);
	q->packets += skb_is_gso(skb) ? MAX(skb_shinfo(skb)->gso_segs, 1u) : 1u;
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static void busy_retry(struct net *net, struct timer_list *t)
{
	(void)net;
	__netif_schedule(container_of(t, struct Qdisc, busy_timer));
}

struct Qdisc *qdisc_create(struct netdev_queue *txq, const struct Qdisc_ops *ops, unsigned limit, int *err)
{
	struct net *net = txq->dev->net;
	size_t head = ALIGN_UP(sizeof(struct Qdisc), (size_t)16);
	struct Qdisc *q = net_zalloc(net, head + ops->priv_size, MEM_NORMAL);

	*err = -ENOMEM;
	if (!q)
		return NULL;
	q->ops = ops;
	q->dev_queue = txq;
	q->net = net;
	q->limit = limit;
	q->deactivated = true;
	q->priv = (char *)q + head;
	skb_queue_head_init(&q->gso_skb);
	skb_queue_head_init(&q->q);
	list_init(&q->output_node);
	timer_init(&q->busy_timer, busy_retry);
	*err = ops->init ? ops->init(q, limit) : 0;
	if (*err) {
		net_free(net, q);
		return NULL;
	}
	return q;
}

void qdisc_reset(struct Qdisc *q, enum skb_drop_reason reason)
{
	struct sk_buff *skb;

	timer_del(q->net, &q->busy_timer);
	list_del_init(&q->output_node);
	q->scheduled = false;
	while ((skb = skb_dequeue(&q->gso_skb))) {
		q->qlen--;
		q->backlog_bytes -= qdisc_pkt_len(skb);
		skb_drop(skb, reason);
	}
	q->reset_reason = reason;
	if (q->ops->reset)
		q->ops->reset(q);
	DEBUG_ASSERT(!q->qlen && !q->backlog_bytes);
}

void qdisc_destroy(struct Qdisc *q)
{
	if (!q)
		return;
	qdisc_reset(q, q->deactivated ? SKB_DROP_REASON_DEV_READY : SKB_DROP_REASON_QDISC_RESET);
	if (q->ops->destroy)
		q->ops->destroy(q);
	net_free(q->net, q);
}

/* --- running ------------------------------------------------------------------------------------------------------- */

void __netif_schedule(struct Qdisc *q)
{
	if (q->scheduled || q->deactivated)
		return;
	q->scheduled = true;
	list_add_tail(&q->output_node, &sched_state(q->net)->output_queue);
	raise_softirq(q->net, NET_TX_SOFTIRQ);
}

/* The driver did not take this list: it waits at the head, before everything in the discipline. */
static void dev_requeue_skb(struct sk_buff *skb, struct Qdisc *q)
{
	DEBUG_ASSERT(skb_queue_empty(&q->gso_skb));
	q->requeues++;
	while (skb) {
		struct sk_buff *next = skb->next;

		skb_queue_tail(&q->gso_skb, skb);
		q->qlen++;
		q->backlog_bytes += qdisc_pkt_len(skb);
		skb = next;
	}
	if (!netif_xmit_frozen_or_stopped(q->dev_queue))
		timer_mod(q->net, &q->busy_timer, q->net->now_ns + BUSY_RETRY_NS);
}

static void trace_list(struct sk_buff *skb, enum trace_point point)
{
	if (unlikely(skb->net->trace.on))
		for (; skb; skb = skb->next)
			trace_skb(skb, point);
}

/* Sends a list; true if all went and more may be tried, false if the driver is busy (the rest is requeued). */
bool sch_direct_xmit(struct sk_buff *skb, struct Qdisc *q, struct net_device *dev, struct netdev_queue *txq, bool validate)
{
	int ret = XMIT_TX_BUSY;

	trace_list(skb, TP_sch_direct_xmit);
	if (validate)
		skb = validate_xmit_skb_list(skb, dev);
	if (unlikely(!skb))
		return true;
	if (likely(!netif_xmit_frozen_or_stopped(txq)))
		skb = dev_hard_start_xmit(skb, dev, txq, &ret);
	if (likely(!skb))
		return ret == XMIT_TX_OK;
	dev_requeue_skb(skb, q);
	return false;
}

/* All that was requeued, as a list. */
static struct sk_buff *take_requeued(struct Qdisc *q, int *packets)
{
	struct sk_buff *head = NULL, **tail = &head, *skb;

	while ((skb = skb_dequeue(&q->gso_skb))) {
		q->qlen--;
		q->backlog_bytes -= qdisc_pkt_len(skb);
		*tail = skb;
		tail = &skb->next;
		++*packets;
	}
	return head;
}

static struct sk_buff *dequeue_bulk(struct Qdisc *q, int most, int *packets)
{
	struct sk_buff *head = NULL, **tail = &head, *skb;

	while (*packets < most && (skb = q->ops->dequeue(q))) {
		qdisc_count(q, skb);
		*tail = skb;
		tail = &skb->next;
		++*packets;
		if (!(q->ops->flags & TCQ_F_CAN_BYPASS)) /* a shaper paces packet by packet */
			break;
	}
	return head;
}

/* Sends some; true if there may be more to send. */
static bool qdisc_restart(struct Qdisc *q, int quota, int *packets)
{
	struct netdev_queue *txq = q->dev_queue;
	struct sk_buff *skb;
	bool requeued;

	*packets = 0;
	if (netif_xmit_frozen_or_stopped(txq))
		return false;
	requeued = !skb_queue_empty(&q->gso_skb) && !PROVE_BREAKS("Q2");
	skb = requeued ? take_requeued(q, packets) : dequeue_bulk(q, MIN(quota, (int)BULK_MOST), packets);
	if (!skb)
		return false;
	trace_list(skb, TP_qdisc_restart);
	return sch_direct_xmit(skb, q, txq->dev, txq, !requeued);
}

int __qdisc_run(struct Qdisc *q)
{
	int quota = DEV_TX_WEIGHT, packets;

	while (qdisc_restart(q, quota, &packets)) {
		quota -= packets;
		if (quota <= 0) {
			if (q->qlen)
				__netif_schedule(q);
			break;
		}
	}
	return DEV_TX_WEIGHT - quota;
}

static bool qdisc_run_begin(struct Qdisc *q)
{
	if (q->running)
		return false;
	return q->running = true;
}
static void qdisc_run_end(struct Qdisc *q) { q->running = false; }

static int qdisc_run(struct Qdisc *q)
{
	int packets;

	if (!qdisc_run_begin(q))
		return 0;
	packets = __qdisc_run(q);
	qdisc_run_end(q);
	return packets;
}

/*
 * NET_TX: frees what drivers are done with (there the destructors run that give senders their budget back), then runs the output queue.
 */
static int net_tx_action(struct net *net, int budget)
{
	struct list_head *queue = &sched_state(net)->output_queue, list;
	struct sk_buff *skb;
	int used = 0;

	while (used < budget && (skb = dev_tx_completed(net))) {
		trace_skb(skb, TP_net_tx_action);
		skb_consume(skb);
		used++;
	}
	list_init(&list);
	list_splice_tail_init(queue, &list);
	while (!list_empty(&list) && used < budget) {
		struct Qdisc *q = list_first_entry(&list, struct Qdisc, output_node);

		list_del_init(&q->output_node);
		q->scheduled = false;
		used += MAX(qdisc_run(q), 1);
	}
	if (!list_empty(&list)) {
		list_splice_tail_init(queue, &list);
		list_splice_tail_init(&list, queue);
	}
	if (used >= budget)
		raise_softirq(net, NET_TX_SOFTIRQ);
	return used;
}

/* --- entry from dev_queue_xmit --------------------------------------------------------------------------------------- */

/* No queue: what the driver does not take at once is lost. */
static int xmit_noqueue(struct sk_buff *skb, struct net_device *dev, struct netdev_queue *txq)
{
	int ret = XMIT_TX_BUSY;

	skb = validate_xmit_skb_list(skb, dev);
	if (!skb)
		return -ENOMEM;
	if (likely(!netif_xmit_frozen_or_stopped(txq)))
		skb = dev_hard_start_xmit(skb, dev, txq, &ret);
	if (likely(!skb))
		return NET_XMIT_SUCCESS;
	txq->tx_dropped++;
	dev->stats.tx_dropped++;
	skb_drop_list(skb, SKB_DROP_REASON_FULL_RING);
	return -ENETDOWN; /* as Linux reports it */
}

static void xmit_bypass(struct sk_buff *skb, struct Qdisc *q, struct net_device *dev, struct netdev_queue *txq)
{
	qdisc_run_begin(q);
	qdisc_count(q, skb);
	if (sch_direct_xmit(skb, q, dev, txq, true) && q->qlen)
		__qdisc_run(q);
	qdisc_run_end(q);
}

static int qdisc_enqueue(struct sk_buff *skb, struct Qdisc *q, struct sk_buff **to_free)
{
	trace_skb(skb, TP_qdisc_enqueue);
	return q->ops->enqueue(skb, q, to_free);
}

static int __dev_xmit_skb(struct sk_buff *skb, struct net_device *dev, struct netdev_queue *txq)
{
	struct Qdisc *q = txq->qdisc;
	struct sk_buff *to_free = NULL;
	int rc;

	if (unlikely(q->deactivated)) { /* up, but without carrier */
		q->drops++;
		skb_drop(skb, SKB_DROP_REASON_DEV_READY);
		return NET_XMIT_CN;
	}
	if (q->ops->flags & TCQ_F_NOQUEUE)
		return xmit_noqueue(skb, dev, txq);
	if (likely((q->ops->flags & TCQ_F_CAN_BYPASS) && q->limit && !q->qlen && !q->running && !netif_xmit_frozen_or_stopped(txq))) {
		xmit_bypass(skb, q, dev, txq);
		return NET_XMIT_SUCCESS;
	}
	rc = qdisc_enqueue(skb, q, &to_free);
	qdisc_run(q);
	if (unlikely(to_free))
		skb_drop_list(to_free, SKB_DROP_REASON_QDISC_DROP);
	return rc;
}

/* --- what dev/ calls ----------------------------------------------------------------------------------------------- */

static void detach(struct net_device *dev)
{
	for (unsigned i = 0; i < dev->num_tx_queues; i++) {
		qdisc_destroy(dev->tx[i].qdisc);
		dev->tx[i].qdisc = NULL;
	}
}

static int attach(struct net_device *dev)
{
	const struct Qdisc_ops *ops = dev->features & XMIT_F_LLTX ? &noqueue_qdisc_ops : &pfifo_fast_ops;
	int err;

	for (unsigned i = 0; i < dev->num_tx_queues; i++) {
		dev->tx[i].qdisc = qdisc_create(&dev->tx[i], ops, dev->tx_queue_len, &err);
		if (!dev->tx[i].qdisc) {
			detach(dev);
			return err;
		}
	}
	return 0;
}

static void activate(struct net_device *dev)
{
	for (unsigned i = 0; i < dev->num_tx_queues; i++)
		dev->tx[i].qdisc->deactivated = false;
}

static void deactivate(struct net_device *dev)
{
	for (unsigned i = 0; i < dev->num_tx_queues; i++) {
		struct Qdisc *q = dev->tx[i].qdisc;

		q->deactivated = true;
		qdisc_reset(q, SKB_DROP_REASON_DEV_READY);
	}
}

static void schedule(struct netdev_queue *txq)
{
	struct Qdisc *q = txq->qdisc;

	if (q && q->qlen) {
		timer_del(q->net, &q->busy_timer);
		__netif_schedule(q);
	}
}

int dev_qdisc_change(struct net_device *dev, const struct Qdisc_ops *ops, unsigned limit)
{
	struct Qdisc *fresh[MAX_TX_QUEUES];
	int err;

	for (unsigned i = 0; i < dev->num_tx_queues; i++) {
		fresh[i] = qdisc_create(&dev->tx[i], ops, limit, &err);
		if (!fresh[i]) {
			while (i-- > 0)
				qdisc_destroy(fresh[i]);
			return err;
		}
	}
	for (unsigned i = 0; i < dev->num_tx_queues; i++) {
		struct Qdisc *old = dev->tx[i].qdisc;

		fresh[i]->deactivated = old->deactivated;
		dev->tx[i].qdisc = fresh[i];
		qdisc_destroy(old);
	}
	return 0;
}

int sched_init(struct net *net)
{
	struct sched_registration *r = net_zalloc(net, sizeof(*r), MEM_NORMAL);

	if (!r)
		return -ENOMEM;
	r->ops = (struct dev_sched_ops){
		.attach = attach, .activate = activate, .deactivate = deactivate, .detach = detach, .xmit = __dev_xmit_skb, .schedule = schedule,
	};
	list_init(&r->state.output_queue);
	net->sched_ops = &r->ops;
	open_softirq(net, NET_TX_SOFTIRQ, net_tx_action);
	return 0;
}

void sched_exit(struct net *net)
{
	struct net_device *dev;

	netdev_forget_upper(net);
	netdev_shutdown(net);
	for_each_netdev(net, dev)
		detach(dev);
	net_free(net, (void *)(uintptr_t)net->sched_ops);
	net->sched_ops = NULL;
}
