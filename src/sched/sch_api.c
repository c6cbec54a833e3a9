/* SPDX-License-Identifier: MIT */
/* sch_api.c - the disciplines by name, and the public calls of xmit/qdisc.h. */
#include "sched/sch_generic.h"

static const struct Qdisc_ops *const known[] = {&pfifo_fast_ops, &pfifo_qdisc_ops, &bfifo_qdisc_ops, &noqueue_qdisc_ops};

const struct Qdisc_ops *qdisc_lookup_ops(const char *id)
{
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i]->id, id))
			return known[i];
	return NULL;
}

static int fail_with(int err)
{
	errno = -err;
	return -1;
}

int xmit_qdisc_set(xmit_dev *dev, const char *kind, unsigned limit)
{
	const struct Qdisc_ops *ops;
	int err;

	if (!dev || !kind || !dev->registered)
		return fail_with(-EINVAL);
	ops = qdisc_lookup_ops(kind);
	if (!ops)
		return fail_with(-ENOENT);
	if ((ops->flags & TCQ_F_NOQUEUE) && limit) /* there is nothing to limit */
		return fail_with(-EINVAL);
	err = dev_qdisc_change(dev, ops, limit);
	return err ? fail_with(err) : 0;
}

int xmit_qdisc_stats(xmit_dev *dev, unsigned queue, struct xmit_qdisc_stats *st)
{
	const struct Qdisc *q;

	if (!dev || !st || !dev->registered || queue >= dev->num_tx_queues)
		return fail_with(-EINVAL);
	q = dev->tx[queue].qdisc;
	*st = (struct xmit_qdisc_stats){
		.bytes = q->bytes, .packets = q->packets, .drops = q->drops, .requeues = q->requeues, .overlimits = q->overlimits,
		.qlen_packets = q->qlen, .backlog_bytes = q->backlog_bytes,
	};
	strncpy(st->kind, q->ops->id, sizeof(st->kind) - 1);
	if (q->ops->dump)
		q->ops->dump(dev->tx[queue].qdisc, st);
	return 0;
}
