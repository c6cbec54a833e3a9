/* SPDX-License-Identifier: MIT */
/*
 * sch_generic.h - queueing disciplines: struct Qdisc, its operations, and the run loop between them and the driver (Q1, Q2, Q4).
 */
#ifndef XMIT_SCHED_SCH_GENERIC_H
#define XMIT_SCHED_SCH_GENERIC_H

#include "dev/netdevice.h"
#include "xmit/qdisc.h"

struct Qdisc;

struct Qdisc_ops {
	const char *id;
	size_t priv_size;
	uint32_t flags;           /* TCQ_F_* */
	/* Takes skb; NET_XMIT_SUCCESS, or the dropped skb was chained to *to_free by ->next and NET_XMIT_DROP/CN is returned. */
	int (*enqueue)(struct sk_buff *skb, struct Qdisc *q, struct sk_buff **to_free);
	struct sk_buff *(*dequeue)(struct Qdisc *q); /* NULL: nothing to send now */
	struct sk_buff *(*peek)(struct Qdisc *q);
	int (*init)(struct Qdisc *q, unsigned limit);
	void (*reset)(struct Qdisc *q);              /* drops everything (q->reset_reason) */
	void (*destroy)(struct Qdisc *q);
	void (*dump)(struct Qdisc *q, struct xmit_qdisc_stats *st);
};
enum { TCQ_F_CAN_BYPASS = 4 /* work-conserving: an empty one may be passed by */, TCQ_F_NOQUEUE = 0x100 };

struct Qdisc {
	const struct Qdisc_ops *ops;
	struct netdev_queue *dev_queue;
	struct net *net;
	uint32_t handle, parent;
	uint32_t limit;               /* packets or bytes, as the discipline says */
	bool running;                 /* qdisc_run_begin/end: one runner at a time */
	bool scheduled;               /* on the output queue of NET_TX */
	bool deactivated;
	struct sk_buff_head gso_skb;  /* requeued at the head: the driver was busy */
	struct sk_buff_head q;        /* the queue of simple disciplines */
	uint32_t backlog_bytes, qlen;
	uint64_t bytes, packets, drops, requeues, overlimits;
	struct list_head output_node; /* softnet output queue */
	struct timer_list busy_timer; /* retries a driver that was busy without having stopped its queue */
	enum skb_drop_reason reset_reason; /* of what reset() drops: QDISC_RESET, or DEV_READY when the device goes */
	void *priv;
};

static inline void *qdisc_priv(struct Qdisc *q) { return q->priv; }
/* Appends / takes from q->q with accounting; for simple disciplines. */
int qdisc_enqueue_tail(struct sk_buff *skb, struct Qdisc *q);
struct sk_buff *qdisc_dequeue_head(struct Qdisc *q);
/* Counts a drop and chains skb to *to_free. */
int qdisc_drop(struct sk_buff *skb, struct Qdisc *q, struct sk_buff **to_free);
static inline uint32_t qdisc_pkt_len(const struct sk_buff *skb) { return skb->len; }

/* Takes what lies in q->q off the books and drops it: reset() of simple disciplines. */
void qdisc_reset_queue(struct Qdisc *q);

struct Qdisc *qdisc_create(struct netdev_queue *txq, const struct Qdisc_ops *ops, unsigned limit, int *err);
void qdisc_destroy(struct Qdisc *q);
const struct Qdisc_ops *qdisc_lookup_ops(const char *id);
/* Drops everything that waits in q, requeued packets too, for the given reason. */
void qdisc_reset(struct Qdisc *q, enum skb_drop_reason reason);
/* Replaces the discipline of every queue of dev. 0 or -errno (the old ones stay). */
int dev_qdisc_change(struct net_device *dev, const struct Qdisc_ops *ops, unsigned limit);
void __netif_schedule(struct Qdisc *q);
int __qdisc_run(struct Qdisc *q); /* the caller has q->running; dequeues and sends, at most 64 packets; returns how many */
bool sch_direct_xmit(struct sk_buff *skb, struct Qdisc *q, struct net_device *dev, struct netdev_queue *txq, bool validate);

extern const struct Qdisc_ops noqueue_qdisc_ops, pfifo_qdisc_ops, bfifo_qdisc_ops, pfifo_fast_ops;
extern const uint8_t sch_default_prio2band[16];

int sched_init(struct net *net);
void sched_exit(struct net *net);

#endif
