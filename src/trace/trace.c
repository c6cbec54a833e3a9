/* SPDX-License-Identifier: MIT */
/*
 * trace.c - the ring of trace records.
 *
 * Written by trace_record(), which trace_skb() and tcp_trace() call when net->trace.on is set, and read by trace_text.c.  The ring
 * has a power of two of records; `head` counts all ever written, so that what was overwritten is known to be missing.
 */
#include "trace/trace.h"
#include "core/net.h"
#include <errno.h>
#include <string.h>

enum { RING_ORDER_MOST = 28 };

static size_t ring_bytes(const struct trace *t) { return ((size_t)t->ring_mask + 1) * sizeof(*t->ring); }

int trace_start(struct net *net, unsigned order)
{
	struct trace *t = &net->trace;

	if (order > RING_ORDER_MOST)
		return -ENOMEM;
	trace_exit(net);
	t->ring_mask = (1u << order) - 1;
	t->ring = net_alloc_table(net, ring_bytes(t));
	if (!t->ring)
		return -ENOMEM;
	memset(t->hits, 0, sizeof(t->hits));
	t->head = 0;
	t->on = true;
	return 0;
}

void trace_stop(struct net *net) { net->trace.on = false; }

void trace_exit(struct net *net)
{
	struct trace *t = &net->trace;

	t->on = false;
	if (t->ring)
		net_free_table(net, t->ring, ring_bytes(t));
	t->ring = NULL;
	t->head = 0;
}

static struct trace_record *next_record(struct trace *t) { return &t->ring[t->head++ & t->ring_mask]; }

void trace_record_at(struct net *net, uint64_t time_ns, enum trace_point point, uint64_t cookie, uint32_t seq, uint32_t end_seq,
		     uint32_t len, uint32_t rx_id)
{
	struct trace *t = &net->trace;

	if (!t->on)
		return;
	t->hits[point]++;
	*next_record(t) = (struct trace_record){time_ns, cookie, seq, end_seq, len, rx_id, (uint16_t)point};
}

void trace_record(struct net *net, enum trace_point point, uint64_t cookie, uint32_t seq, uint32_t end_seq, uint32_t len,
		  uint32_t rx_id)
{
	if (net->trace.on)
		trace_record_at(net, net->env.now_ns(net->env.ctx), point, cookie, seq, end_seq, len, rx_id);
}

void trace_drop(struct net *net, enum skb_drop_reason reason, uint64_t cookie, uint32_t seq, uint32_t end_seq, uint32_t len)
{
	struct trace *t = &net->trace;

	if (t->on)
		*next_record(t) = (struct trace_record){net->env.now_ns(net->env.ctx), cookie, seq, end_seq, len, 0,
							(uint16_t)(TP_MAX + (unsigned)reason)};
}

const char *trace_point_name(unsigned point)
{
	static const char *const name[TP_MAX] = {
#define X(name, id, dir) #name,
		XMIT_TRACE_POINTS(X)
#undef X
	};

	return point < TP_MAX ? name[point] : skb_drop_reason_name((enum skb_drop_reason)(point - TP_MAX));
}

const char *trace_point_id(unsigned point)
{
	static const char *const id[TP_MAX] = {
#define X(name, id, dir) id,
		XMIT_TRACE_POINTS(X)
#undef X
	};

	return point < TP_MAX ? id[point] : "drop";
}

char trace_point_direction(unsigned point)
{
	static const char direction[] =
#define X(name, id, dir) #dir
		XMIT_TRACE_POINTS(X)
#undef X
		;

	static_assert(sizeof(direction) == TP_MAX + 1, "one letter each");
	return point < TP_MAX ? direction[point] : 'E';
}
