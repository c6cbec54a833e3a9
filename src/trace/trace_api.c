/* SPDX-License-Identifier: MIT */
/* trace_api.c - the public calls of xmit/trace.h. */
#include "core/net.h"
#include "xmit/trace.h"
#include <errno.h>

enum { ORDER_LEAST = 8, ORDER_MOST = 22 };

int xmit_trace_start(xmit_net *net, unsigned order)
{
	int err = order < ORDER_LEAST || order > ORDER_MOST ? -EINVAL : trace_start(net, order);

	if (err < 0) {
		errno = -err;
		return -1;
	}
	return 0;
}

void xmit_trace_stop(xmit_net *net) { trace_stop(net); }
void xmit_trace_print(xmit_net *net, FILE *out) { trace_print_all(net, out); }
unsigned xmit_trace_print_from(xmit_net *net, uint64_t *next, unsigned max, FILE *out) { return trace_print_from(net, next, max, out); }
int xmit_trace_walk(xmit_net *net, uint64_t cookie, uint32_t from, FILE *out) { return trace_print_walk(net, cookie, from, out); }

void xmit_trace_outside(xmit_net *net, uint64_t cookie, uint32_t seq, uint32_t len, uint64_t ns)
{
	uint64_t now;

	if (!net->trace.on)
		return;
	now = net->env.now_ns(net->env.ctx);
	/* Recorded at its start, so that the next hop's delta is the time spent outside. */
	trace_record_at(net, now - MIN(now, ns), TP_outside_stack, cookie, seq, seq + len, len, 0);
}
