/* SPDX-License-Identifier: MIT */
/*
 * timer.c - the hierarchical timing wheel (Varghese and Lauck, 1987), and running both kinds of timer.
 *
 * A time is a number of ticks, read in base 64.  A timer for tick t lies at the level of the highest digit in which t differs from the
 * wheel's clock `clk`, in the slot which that digit names.  So every occupied slot of a level lies ahead of clk, every slot of a
 * lower level comes before any of a higher one, and the next slot to look at is the lowest bit of the lowest
 * occupied level: no scanning, and idle time is skipped in one step.  When clk reaches a slot above level 0 its timers
 * move down; at level 0 they move to the `due` list, sorted.
 *
 * timers_run() is called by dev/softirq.c for TIMER_SOFTIRQ.
 */
#include "core/timer_internal.h"
#include <errno.h>

static uint64_t tick_of(uint64_t expires_ns)
{
	return (expires_ns >> TICK_SHIFT) + ((expires_ns & ((UINT64_C(1) << TICK_SHIFT) - 1)) != 0);
}

void timer_init(struct timer_list *t, void (*fn)(struct net *, struct timer_list *))
{
	list_init(&t->entry);
	t->expires_ns = 0;
	t->seq = 0;
	t->fn = fn;
}

static void enqueue(struct timer_base *b, struct timer_list *t, uint64_t tick)
{
	if (tick <= b->clk) {
		list_add_tail(&t->entry, &b->due);
		return;
	}
	unsigned level = (63 - (unsigned)__builtin_clzll(tick ^ b->clk)) / LEVEL_BITS;
	unsigned digit = (unsigned)(tick >> (level * LEVEL_BITS)) & (LEVEL_SLOTS - 1);

	list_add_tail(&t->entry, &b->slot[level * LEVEL_SLOTS + digit]);
	b->occupied[level] |= UINT64_C(1) << digit;
	b->levels |= 1u << level;
}

static void mark_empty(struct timer_base *b, unsigned slot)
{
	unsigned level = slot / LEVEL_SLOTS;

	b->occupied[level] &= ~(UINT64_C(1) << (slot % LEVEL_SLOTS));
	if (!b->occupied[level])
		b->levels &= ~(1u << level);
}

static void dequeue(struct timer_base *b, struct timer_list *t)
{
	struct list_head *head = t->entry.next;
	bool last = head == t->entry.prev;

	list_del_init(&t->entry);
	if (last && head >= b->slot && head < b->slot + NR_SLOTS)
		mark_empty(b, (unsigned)(head - b->slot));
}

void timer_mod(struct net *net, struct timer_list *t, uint64_t expires_ns)
{
	struct timer_base *b = net->timers;
	uint64_t tick = tick_of(expires_ns);

	if (tick > TICK_MAX) { /* TIME_NEVER, and the last millisecond before it */
		timer_del(net, t);
		return;
	}
	t->seq = ++b->seq;
	if (timer_pending(t)) {
		if (tick > b->clk && tick == tick_of(t->expires_ns)) {
			t->expires_ns = expires_ns; /* same slot, which is sorted when it is run */
			return;
		}
		dequeue(b, t);
	}
	t->expires_ns = expires_ns;
	enqueue(b, t, tick);
}

void timer_del(struct net *net, struct timer_list *t)
{
	if (timer_pending(t))
		dequeue(net->timers, t);
}

static bool runs_before(const struct timer_list *a, const struct timer_list *b)
{
	return a->expires_ns != b->expires_ns ? a->expires_ns < b->expires_ns : a->seq < b->seq;
}

static struct list_head *merge(struct list_head *a, struct list_head *b)
{
	struct list_head *first = NULL, **tail = &first;

	while (a && b) {
		struct list_head **from =
			runs_before(list_entry(b, struct timer_list, entry), list_entry(a, struct timer_list, entry)) ? &b : &a;
		*tail = *from;
		tail = &(*from)->next;
		*from = (*from)->next;
	}
	*tail = a ? a : b;
	return first;
}

/* Moves a slot's timers to the due list, sorted: merge sort with runs of 2^i timers waiting in part[i]. */
static void collect(struct timer_base *b, struct list_head *slot)
{
	struct list_head *part[32] = {NULL}, *sorted = NULL, *n = slot->next;

	if (n->next != slot) {
		slot->prev->next = NULL;
		while (n) {
			struct list_head *run = n, *rest = n->next;
			unsigned i = 0;
			run->next = NULL;
			for (; part[i]; i++) {
				run = merge(part[i], run);
				part[i] = NULL;
			}
			part[i] = run;
			n = rest;
		}
		for (unsigned i = 0; i < ARRAY_SIZE(part); i++)
			sorted = merge(part[i], sorted);
	} else {
		n->next = NULL;
		sorted = n;
	}
	list_init(slot);
	while (sorted) {
		n = sorted->next;
		list_add_tail(sorted, &b->due);
		sorted = n;
	}
}

/* The next tick at which a slot must be looked at, and which; false: the wheel is empty. */
static bool next_slot(const struct timer_base *b, uint64_t *tick, unsigned *slot)
{
	if (!b->levels)
		return false;
	unsigned level = (unsigned)__builtin_ctz(b->levels), shift = level * LEVEL_BITS;
	unsigned digit = (unsigned)__builtin_ctzll(b->occupied[level]);

	*slot = level * LEVEL_SLOTS + digit;
	*tick = ((b->clk >> shift) & ~(uint64_t)(LEVEL_SLOTS - 1)) << shift | (uint64_t)digit << shift;
	return true;
}

/* Moves clk on to the next occupied slot that is due, and empties it; false: none is due. */
static bool advance(struct timer_base *b, uint64_t now_tick)
{
	struct list_head moving;
	uint64_t tick;
	unsigned slot;

	if (!next_slot(b, &tick, &slot) || tick > now_tick) {
		b->clk = MAX(b->clk, now_tick);
		return false;
	}
	b->clk = tick;
	mark_empty(b, slot);
	if (slot < LEVEL_SLOTS) {
		collect(b, &b->slot[slot]);
		return true;
	}
	list_init(&moving);
	list_splice_tail_init(&b->slot[slot], &moving);
	struct list_head ready;
	list_init(&ready);
	while (!list_empty(&moving)) {
		struct timer_list *t = list_first_entry(&moving, struct timer_list, entry);
		list_del_init(&t->entry);
		if (tick_of(t->expires_ns) <= tick)
			list_add_tail(&t->entry, &ready);
		else
			enqueue(b, t, tick_of(t->expires_ns));
	}
	if (!list_empty(&ready))
		collect(b, &ready);
	return true;
}

uint64_t timers_next_deadline(const struct net *net)
{
	const struct timer_base *b = net->timers;
	const struct hrtimer *h = hrtimer_first(b);
	uint64_t deadline = h ? h->expires_ns : TIME_NEVER, tick;
	unsigned slot;

	if (!list_empty(&b->due))
		return MIN(deadline, net->now_ns);
	if (next_slot(b, &tick, &slot))
		deadline = MIN(deadline, tick << TICK_SHIFT);
	return deadline;
}

/* Runs the one timer of either kind that comes first; false: none is due. */
static bool run_one(struct net *net, struct timer_base *b)
{
	struct hrtimer *h = hrtimer_first(b);
	struct timer_list *t;

	while (list_empty(&b->due) && advance(b, net->now_ns >> TICK_SHIFT))
		;
	t = list_empty(&b->due) ? NULL : list_first_entry(&b->due, struct timer_list, entry);
	if (h && h->expires_ns <= net->now_ns &&
	    (!t || h->expires_ns < t->expires_ns || (h->expires_ns == t->expires_ns && h->seq < t->seq))) {
		hrtimer_pop_first(b);
		h->fn(net, h);
		return true;
	}
	if (!t)
		return false;
	list_del_init(&t->entry);
	t->fn(net, t);
	return true;
}

int timers_run(struct net *net, int budget)
{
	int ran = 0;

	while (ran < budget && run_one(net, net->timers))
		ran++;
	return ran;
}

int timers_init(struct net *net)
{
	struct timer_base *b = net_zalloc(net, sizeof(*b), MEM_NORMAL);
	int err;

	if (!b)
		return -ENOMEM;
	b->clk = net->now_ns >> TICK_SHIFT;
	list_init(&b->due);
	for (unsigned i = 0; i < NR_SLOTS; i++)
		list_init(&b->slot[i]);
	err = hrtimers_init(net, b);
	if (err) {
		net_free(net, b);
		return err;
	}
	net->timers = b;
	return 0;
}

void timers_exit(struct net *net)
{
	struct timer_base *b = net->timers;

	if (!b)
		return;
	net->timers = NULL;
	hrtimers_exit(net, b);
	net_free(net, b);
}
