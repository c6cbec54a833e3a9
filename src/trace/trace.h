/* SPDX-License-Identifier: MIT */
/*
 * trace.h - recording at the trace points.  Below every layer: it knows numbers, not sockets or skbs.
 *
 * A record is named by (socket cookie, byte range of the stream), never by an skb's address: skbs split, merge and clone.
 * While net->trace.on is false a point costs one predicted branch.  Records go into a ring of fixed size, oldest lost
 * first (and counted); readers are the text walk (trace_text.c) and what later issues add.
 */
#ifndef XMIT_TRACE_TRACE_H
#define XMIT_TRACE_TRACE_H

#include "lib/compiler.h"
#include "trace/drop_reason.h"
#include "trace/points.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct net;

struct trace_record {
	uint64_t time_ns;  /* fresh reading of the clock, so that hops inside one call differ */
	uint64_t cookie;   /* socket; 0: none known */
	uint32_t seq, end_seq; /* stream offsets: TCP sequence numbers less the ISN's successor; direction of the data bytes */
	uint32_t len;      /* bytes that this hop saw, its headers included */
	uint32_t rx_id;    /* number of a received packet, which names it until its socket is found; 0: not received */
	uint16_t point;    /* enum trace_point, or TP_MAX + drop reason */
};

struct trace {
	bool on;
	uint64_t drops[SKB_DROP_REASON_MAX]; /* counted whether tracing is on or off */
	uint64_t hits[TP_MAX];               /* counted only while on */
	struct trace_record *ring;           /* NULL until trace_start */
	uint32_t ring_mask;
	uint64_t head;                       /* records ever written; head - ring size is the oldest kept */
	uint32_t rx_next;                    /* last rx_id given */
};

/* Starts recording into a ring of 2^order records.  -ENOMEM. */
int trace_start(struct net *net, unsigned order);
void trace_stop(struct net *net); /* what is recorded stays readable */
void trace_exit(struct net *net); /* frees the ring */
void trace_record(struct net *net, enum trace_point point, uint64_t cookie, uint32_t seq, uint32_t end_seq, uint32_t len,
		  uint32_t rx_id);
void trace_drop(struct net *net, enum skb_drop_reason reason, uint64_t cookie, uint32_t seq, uint32_t end_seq, uint32_t len);

/* A time that is not now, as of a hop outside the stack that is reported when it is over. */
void trace_record_at(struct net *net, uint64_t time_ns, enum trace_point point, uint64_t cookie, uint32_t seq, uint32_t end_seq,
		     uint32_t len, uint32_t rx_id);

const char *trace_point_name(unsigned point);
const char *trace_point_id(unsigned point);  /* "T9" */
char trace_point_direction(unsigned point);  /* D, U, C or E */
/* Prints all records kept, one line each: time, cookie, range, id, function, length. */
void trace_print_all(struct net *net, FILE *out);
/* At most max of them from record *next on, which is moved on; those missing there are counted in a line of their own.  Lines of records. */
unsigned trace_print_from(struct net *net, uint64_t *next, unsigned max, FILE *out);
/*
 * Prints the walk of one segment of socket `cookie`: from the user's call down to transmit completion and the ACK coming back,
 * layer by layer.  Takes the first data segment whose whole walk is in the ring at or after stream offset `from`.  Returns the
 * number of hops printed, 0 if no whole walk is there.
 */
int trace_print_walk(struct net *net, uint64_t cookie, uint32_t from, FILE *out);

#endif
