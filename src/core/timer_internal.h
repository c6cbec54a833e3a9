/* SPDX-License-Identifier: MIT */
/* timer_internal.h - struct timer_base, shared by timer.c (the wheel) and hrtimer.c (the heap). */
#ifndef XMIT_CORE_TIMER_INTERNAL_H
#define XMIT_CORE_TIMER_INTERNAL_H

#include "core/net.h"

/*
 * The tick is 2^20 ns; 44 bits of ticks hold every 64-bit time.  Seven levels of 64 slots take 42 of them, an eighth of 4 slots the rest.
 */
enum { TICK_SHIFT = 20, LEVEL_BITS = 6, LEVEL_SLOTS = 64, NR_LEVELS = 8, NR_SLOTS = 7 * LEVEL_SLOTS + 4, HEAP_START = 64 };
#define TICK_MAX ((UINT64_C(1) << (64 - TICK_SHIFT)) - 1)

struct timer_base {
	uint64_t clk;                   /* every tick up to this one has been taken out of the wheel */
	uint64_t seq;                   /* of the last arming, both kinds */
	struct list_head due;           /* to be run, in order of (expires_ns, seq) except those armed for the past */
	uint32_t levels;                /* bit per level: some slot is occupied */
	uint64_t occupied[NR_LEVELS];   /* bit per slot */
	struct list_head slot[NR_SLOTS];
	struct hrtimer **heap;
	uint32_t heap_len, heap_room;
};

/* hrtimer.c: the earliest, NULL when there is none; takes it out. */
struct hrtimer *hrtimer_first(const struct timer_base *b);
void hrtimer_pop_first(struct timer_base *b);
int hrtimers_init(struct net *net, struct timer_base *b);
void hrtimers_exit(struct net *net, struct timer_base *b);

#endif
