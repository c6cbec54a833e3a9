/* SPDX-License-Identifier: MIT */
/** @file qdisc.h  Choosing the queueing discipline of a device. */
#ifndef XMIT_QDISC_H
#define XMIT_QDISC_H

#include "xmit/xmit.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A limit of pfifo and bfifo: none may wait, and as on Linux none may pass: every packet is dropped (`tc qdisc ... pfifo limit 0`). */
#define XMIT_QDISC_NOTHING (~0u)

/** @param kind "noqueue", "pfifo", "bfifo", "pfifo_fast". @param limit packets (bfifo: bytes); 0: the device's queue length;
 *  XMIT_QDISC_NOTHING.
 *  -1 with ENOENT (no such kind), EINVAL, ENOMEM; the old one then stays. */
XMIT_API int xmit_qdisc_set(xmit_dev *dev, const char *kind, unsigned limit);

struct xmit_qdisc_stats {
	char kind[16];
	uint64_t bytes, packets, drops, requeues, overlimits;
	uint32_t qlen_packets, backlog_bytes;
	uint8_t priomap[16]; /**< band of each priority (pfifo_fast) */
};
XMIT_API int xmit_qdisc_stats(xmit_dev *dev, unsigned queue, struct xmit_qdisc_stats *st);

#ifdef __cplusplus
}
#endif
#endif
