/* SPDX-License-Identifier: MIT */
/** @file trace.h  Seeing the path: every hop of a packet, recorded at the function it passed. */
#ifndef XMIT_TRACE_H
#define XMIT_TRACE_H

#include "xmit/xmit.h"
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Starts recording; the ring keeps the newest 2^order records (order 8 to 22; 40 bytes each).  ENOMEM, EINVAL. */
XMIT_API int xmit_trace_start(xmit_net *net, unsigned order);
XMIT_API void xmit_trace_stop(xmit_net *net);
/** Every record kept, a line each: time (ns), cookie, byte range, TRANSMIT-PATH id, function, length. */
XMIT_API void xmit_trace_print(xmit_net *net, FILE *out);
/**
 * As xmit_trace_print(), but at most `max` lines of the records from number *next on (0: the first ever), which is moved behind the last one
 * printed.  Records that were overwritten before they were printed are counted, in a line of their own (over and above max).
 * @return lines of records.
 */
XMIT_API unsigned xmit_trace_print_from(xmit_net *net, uint64_t *next, unsigned max, FILE *out);
/** The walk of the first whole data segment at or after stream offset `from` of the socket with that cookie. @return hops, 0: none. */
XMIT_API int xmit_trace_walk(xmit_net *net, uint64_t cookie, uint32_t from, FILE *out);
/** A hop outside the stack (a front end's placeholder) that took `ns` until now, for len bytes from stream offset seq. */
XMIT_API void xmit_trace_outside(xmit_net *net, uint64_t cookie, uint32_t seq, uint32_t len, uint64_t ns);

#ifdef __cplusplus
}
#endif
#endif
