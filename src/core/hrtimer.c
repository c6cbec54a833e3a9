/* SPDX-License-Identifier: MIT */
/*
 * hrtimer.c - exact timers in a binary heap, ordered by time and then by arming.
 *
 * The heap's array doubles when it is full and never shrinks, so that as many timers as were ever armed at once can be armed again
 * without fail.
 */
#include "core/timer_internal.h"
#include <errno.h>
#include <string.h>

void hrtimer_init(struct hrtimer *t, void (*fn)(struct net *, struct hrtimer *))
{
	*t = (struct hrtimer){.heap_index = UINT32_MAX, .fn = fn};
}

static bool earlier(const struct hrtimer *a, const struct hrtimer *b)
{
	return a->expires_ns != b->expires_ns ? a->expires_ns < b->expires_ns : a->seq < b->seq;
}

static void place(struct timer_base *b, uint32_t i, struct hrtimer *t)
{
	b->heap[i] = t;
	t->heap_index = i;
}

static void sift_up(struct timer_base *b, uint32_t i, struct hrtimer *t)
{
	while (i && earlier(t, b->heap[(i - 1) / 2])) {
		place(b, i, b->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(b, i, t);
}

static void sift_down(struct timer_base *b, uint32_t i, struct hrtimer *t)
{
	for (;;) {
		uint32_t child = 2 * i + 1;
		if (child + 1 < b->heap_len && earlier(b->heap[child + 1], b->heap[child]))
			child++;
		if (child >= b->heap_len || !earlier(b->heap[child], t))
			break;
		place(b, i, b->heap[child]);
		i = child;
	}
	place(b, i, t);
}

static void remove_at(struct timer_base *b, uint32_t i)
{
	struct hrtimer *last = b->heap[--b->heap_len];

	b->heap[i]->heap_index = UINT32_MAX;
	if (i == b->heap_len)
		return;
	if (i && earlier(last, b->heap[(i - 1) / 2]))
		sift_up(b, i, last);
	else
		sift_down(b, i, last);
}

static int grow(struct net *net, struct timer_base *b)
{
	struct hrtimer **heap = net_alloc_table(net, 2 * sizeof(*heap) * b->heap_room);

	if (!heap)
		return -ENOMEM;
	memcpy(heap, b->heap, sizeof(*heap) * b->heap_len);
	net_free_table(net, b->heap, sizeof(*heap) * b->heap_room);
	b->heap = heap;
	b->heap_room *= 2;
	return 0;
}

int hrtimer_start(struct net *net, struct hrtimer *t, uint64_t expires_ns)
{
	struct timer_base *b = net->timers;

	if (hrtimer_active(t))
		remove_at(b, t->heap_index);
	else if (b->heap_len == b->heap_room && grow(net, b) < 0)
		return -ENOMEM;
	t->expires_ns = expires_ns;
	t->seq = ++b->seq;
	sift_up(b, b->heap_len++, t);
	return 0;
}

void hrtimer_cancel(struct net *net, struct hrtimer *t)
{
	if (hrtimer_active(t))
		remove_at(net->timers, t->heap_index);
}

struct hrtimer *hrtimer_first(const struct timer_base *b) { return b->heap_len ? b->heap[0] : NULL; }
void hrtimer_pop_first(struct timer_base *b) { remove_at(b, 0); }

int hrtimers_init(struct net *net, struct timer_base *b)
{
	b->heap_room = HEAP_START;
	b->heap = net_alloc_table(net, sizeof(*b->heap) * b->heap_room);
	return b->heap ? 0 : -ENOMEM;
}

void hrtimers_exit(struct net *net, struct timer_base *b) { net_free_table(net, b->heap, sizeof(*b->heap) * b->heap_room); }
