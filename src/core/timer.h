/* SPDX-License-Identifier: MIT */
/*
 * timer.h - two kinds of timer, both in nanoseconds of the instance's clock, both run only from xmit_poll().
 *
 * timer_list: hierarchical wheel with slots of 2^20 ns (1.05 ms).  O(1) to arm and cancel; never early, at most one slot late.
 * Cheap enough to leave armed: a socket re-arms lazily, moving its deadline on without touching the wheel and
 * looking again when the old one fires.  Idle timers cost nothing per tick (occupied slots are found by bitmaps).
 *
 * hrtimer: a binary heap, exact to the nanosecond, for pacing and qdisc watchdogs.
 *
 * Timers due at the same time run in the order in which they were armed.  A handler may free its object.
 */
#ifndef XMIT_CORE_TIMER_H
#define XMIT_CORE_TIMER_H

#include "lib/list.h"
#include <stdint.h>

struct net;

#define NSEC_PER_USEC UINT64_C(1000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_SEC UINT64_C(1000000000)
#define TIME_NEVER UINT64_MAX

struct timer_list {
	struct list_head entry; /* empty: not armed */
	uint64_t expires_ns;
	uint64_t seq;           /* order of arming, breaks ties */
	void (*fn)(struct net *net, struct timer_list *t);
};
void timer_init(struct timer_list *t, void (*fn)(struct net *, struct timer_list *));
/* Arms or re-arms t for the absolute time expires_ns. */
void timer_mod(struct net *net, struct timer_list *t, uint64_t expires_ns);
void timer_del(struct net *net, struct timer_list *t); /* harmless when not armed */
static inline int timer_pending(const struct timer_list *t) { return !list_empty(&t->entry); }

struct hrtimer {
	uint64_t expires_ns;
	uint64_t seq;
	uint32_t heap_index; /* UINT32_MAX: not armed */
	void (*fn)(struct net *net, struct hrtimer *t);
};
void hrtimer_init(struct hrtimer *t, void (*fn)(struct net *, struct hrtimer *));
/* -ENOMEM when the heap cannot grow (t stays unarmed). */
int hrtimer_start(struct net *net, struct hrtimer *t, uint64_t expires_ns);
void hrtimer_cancel(struct net *net, struct hrtimer *t);
static inline int hrtimer_active(const struct hrtimer *t) { return t->heap_index != UINT32_MAX; }

/* The earliest deadline of all, or TIME_NEVER. For wheel timers this is the time at which the slot is run. */
uint64_t timers_next_deadline(const struct net *net);
/* Runs what is due at net->now_ns, at most budget handlers; returns how many ran. */
int timers_run(struct net *net, int budget);
int timers_init(struct net *net);
void timers_exit(struct net *net);

#endif
