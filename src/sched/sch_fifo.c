/* SPDX-License-Identifier: MIT */
/* sch_fifo.c - first in, first out, tail drop: pfifo bounded in packets, bfifo in bytes; and noqueue (Q3). */
#include "sched/sch_generic.h"
#include "xmit/qdisc.h"

static int pfifo_enqueue(struct sk_buff *skb, struct Qdisc *q, struct sk_buff **to_free)
{
	if (likely(q->q.qlen < q->limit))
		return qdisc_enqueue_tail(skb, q);
	return qdisc_drop(skb, q, to_free);
}

static int bfifo_enqueue(struct sk_buff *skb, struct Qdisc *q, struct sk_buff **to_free)
{
	if (likely((uint64_t)q->backlog_bytes + qdisc_pkt_len(skb) <= q->limit))
		return qdisc_enqueue_tail(skb, q);
	return qdisc_drop(skb, q, to_free);
}

static struct sk_buff *fifo_peek(struct Qdisc *q) { return skb_peek(&q->q); }

static int pfifo_init(struct Qdisc *q, unsigned limit)
{
	q->limit = limit == XMIT_QDISC_NOTHING ? 0 : limit ? limit : q->dev_queue->dev->tx_queue_len;
	return 0;
}

/* As many bytes as the device's queue length in frames of the MTU, when nothing is said. */
static int bfifo_init(struct Qdisc *q, unsigned limit)
{
	const struct net_device *dev = q->dev_queue->dev;
	uint64_t bytes = limit ? limit : (uint64_t)dev->tx_queue_len * (dev->mtu + dev->hard_header_len);

	q->limit = limit == XMIT_QDISC_NOTHING ? 0 : bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
	return 0;
}

const struct Qdisc_ops pfifo_qdisc_ops = {
	.id = "pfifo", .flags = TCQ_F_CAN_BYPASS, .enqueue = pfifo_enqueue, .dequeue = qdisc_dequeue_head, .peek = fifo_peek,
	.init = pfifo_init, .reset = qdisc_reset_queue,
};

const struct Qdisc_ops bfifo_qdisc_ops = {
	.id = "bfifo", .flags = TCQ_F_CAN_BYPASS, .enqueue = bfifo_enqueue, .dequeue = qdisc_dequeue_head, .peek = fifo_peek,
	.init = bfifo_init, .reset = qdisc_reset_queue,
};

/* Never asked: dev_queue_xmit() goes straight to the driver. */
const struct Qdisc_ops noqueue_qdisc_ops = {.id = "noqueue", .flags = TCQ_F_NOQUEUE};
