/* SPDX-License-Identifier: MIT */
/*
 * sch_pfifo_fast.c - the default discipline: three bands of first in, first out, band 0 always before 1 before 2 (Q3).
 *
 * The band is that of skb->priority, which comes from the TOS or SO_PRIORITY, in the priomap.  Each band is bounded by the device's queue
 * length in packets, as in Linux; beyond it the newest is dropped.
 */
#include "sched/sch_generic.h"

enum { BANDS = 3, TC_PRIO_MAX = 15 };

const uint8_t sch_default_prio2band[16] = {1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};

struct pfifo_fast {
	struct sk_buff_head band[BANDS];
};

static int pfifo_fast_enqueue(struct sk_buff *skb, struct Qdisc *q, struct sk_buff **to_free)
{
	struct pfifo_fast *p = qdisc_priv(q);
	struct sk_buff_head *band = &p->band[PROVE_BREAKS("Q3") ? 0 : sch_default_prio2band[skb->priority & TC_PRIO_MAX]];

	trace_skb(skb, TP_pfifo_fast_enqueue);
	if (unlikely(band->qlen >= q->limit))
		return qdisc_drop(skb, q, to_free);
	skb_queue_tail(band, skb);
	q->qlen++;
	q->backlog_bytes += qdisc_pkt_len(skb);
	return NET_XMIT_SUCCESS;
}

static struct sk_buff_head *first_band(struct Qdisc *q)
{
	struct pfifo_fast *p = qdisc_priv(q);

	for (unsigned i = 0; i < BANDS; i++)
		if (!skb_queue_empty(&p->band[i]))
			return &p->band[i];
	return NULL;
}

static struct sk_buff *pfifo_fast_peek(struct Qdisc *q)
{
	struct sk_buff_head *band = first_band(q);

	return band ? skb_peek(band) : NULL;
}

static struct sk_buff *pfifo_fast_dequeue(struct Qdisc *q)
{
	struct sk_buff_head *band = first_band(q);
	struct sk_buff *skb;

	if (!band)
		return NULL;
	skb = skb_dequeue(band);
	q->qlen--;
	q->backlog_bytes -= qdisc_pkt_len(skb);
	return skb;
}

static int pfifo_fast_init(struct Qdisc *q, unsigned limit)
{
	struct pfifo_fast *p = qdisc_priv(q);

	q->limit = limit ? limit : q->dev_queue->dev->tx_queue_len;
	for (unsigned i = 0; i < BANDS; i++)
		skb_queue_head_init(&p->band[i]);
	return 0;
}

static void pfifo_fast_reset(struct Qdisc *q)
{
	struct sk_buff *skb;

	while ((skb = pfifo_fast_dequeue(q)))
		skb_drop(skb, q->reset_reason);
}

static void pfifo_fast_dump(struct Qdisc *q, struct xmit_qdisc_stats *st)
{
	(void)q;
	memcpy(st->priomap, sch_default_prio2band, sizeof(st->priomap));
}

const struct Qdisc_ops pfifo_fast_ops = {
	.id = "pfifo_fast", .priv_size = sizeof(struct pfifo_fast), .flags = TCQ_F_CAN_BYPASS, .enqueue = pfifo_fast_enqueue,
	.dequeue = pfifo_fast_dequeue, .peek = pfifo_fast_peek, .init = pfifo_fast_init, .reset = pfifo_fast_reset, .dump = pfifo_fast_dump,
};
