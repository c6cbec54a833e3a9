/* SPDX-License-Identifier: MIT */
/* neigh_internal.h - the neighbour table's inside: shared by neighbour.c, neigh_state.c, neigh_output.c and arp.c. */
#ifndef XMIT_NEIGH_NEIGH_INTERNAL_H
#define XMIT_NEIGH_NEIGH_INTERNAL_H

#include "neigh/neighbour.h"

struct neigh_table {
	struct net *net;
	uint8_t family;
	uint16_t protocol;                         /* EtherType of what goes through its entries, host order */
	int (*constructor)(struct neighbour *n);   /* picks state, address and operations by device; 0 or -errno */
	struct hlist_head *buckets;                /* a power of two of them */
	uint32_t hash_mask;
	uint32_t entries;                          /* all */
	uint32_t gc_entries;                       /* those that count against the thresholds: not PERMANENT, not NOARP */
	struct list_head list;                     /* all, oldest first: collection goes in this order */
	struct timer_list gc_timer;                /* armed while entries >= gc_thresh1 */
	uint64_t last_flush_ns;                    /* of the last forced collection */
	uint64_t last_rand_ns, reachable_time_ns;  /* RFC 4861 6.3.4: drawn anew now and then */
	/* net.ipv4.neigh.default.* */
	int32_t gc_thresh1, gc_thresh2, gc_thresh3, gc_interval_s, gc_stale_time_s;
	int32_t base_reachable_time_ms, retrans_time_ms, delay_first_probe_s, locktime_cs;
	int32_t ucast_solicit, mcast_solicit, unres_qlen_bytes;
};

struct neigh_state {
	struct neigh_table arp_tbl;
	struct kmem_cache *cache;
	struct netdev_notifier notifier;
	struct packet_type arp_packet;
	const struct arp_ip_ops *ip;               /* NULL until ip/ registered */
};

#define NEIGH_FLUSH_AGE_NS (5 * NSEC_PER_SEC)

/* Is now at most span past t?  Right also for times before the clock's zero. */
static inline bool neigh_within(uint64_t t, uint64_t span, uint64_t now) { return (int64_t)(now - t) <= (int64_t)span; }

/* neighbour.c */
void neigh_detach(struct neighbour *n);            /* out of the table, dead; drops the table's reference */
void neigh_count_gc(struct neighbour *n, uint8_t new_state); /* keeps gc_entries when the state changes */

/* neigh_state.c */
void neigh_timer_handler(struct net *net, struct timer_list *t);
uint64_t neigh_reachable_time(struct neigh_table *tbl);
void neigh_drop_queue(struct neighbour *n, enum skb_drop_reason reason);
int neigh_event_send(struct neighbour *n, struct sk_buff *skb); /* true: skb was queued or dropped, false: send it */
void neigh_set_state(struct neighbour *n, uint8_t state);

/* neigh_output.c */
int neigh_connected_output(struct neighbour *n, struct sk_buff *skb);
int neigh_direct_output(struct neighbour *n, struct sk_buff *skb);
int neigh_blackhole(struct neighbour *n, struct sk_buff *skb);
void neigh_connect(struct neighbour *n);           /* fast output: the cached header */
void neigh_suspect(struct neighbour *n);           /* every packet is looked at */

/* arp.c */
int arp_constructor(struct neighbour *n);
int arp_rcv(struct sk_buff *skb, struct net_device *dev);

#endif
