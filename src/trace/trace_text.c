/* SPDX-License-Identifier: MIT */
/*
 * trace_text.c - the trace as text: every record, or the walk of one segment.
 *
 * A walk is put together from records alone.  The segment is a range of the stream that tcp_transmit_skb sent, dev_hard_start_xmit
 * handed to a driver, tx_complete saw finished and a tcp_ack covered.  Down belong the socket's records that overlap the
 * range; where software cut a super-segment (skb_gso_segment), from there on only its first piece is followed.  The ACK is found
 * by the number that it was given when it was received.
 */
#include "core/net.h"
#include "trace/trace.h"
#include <inttypes.h>

enum {
	SEARCH_AHEAD = 1 << 18,  /* records looked through for the end of one segment's walk */
	AFTER_COMPLETION = 64,   /* records in which the destructor follows the completion */
	SEGMENTS_TRIED = 256,
};

struct range {
	uint32_t seq, end;
};

struct walk {
	const struct trace *t;
	uint64_t cookie;
	uint64_t oldest, transmit, gso, complete, ack; /* indices of records; gso UINT64_MAX: not cut in software */
	uint64_t copied;                               /* the first byte's copy; UINT64_MAX: not in the ring */
	struct range whole, piece;                     /* the segment; what is followed once it was cut */
	FILE *out;
	uint64_t first_ns, last_ns;
	int hops;
};

static const struct trace_record *at(const struct trace *t, uint64_t i) { return &t->ring[i & t->ring_mask]; }
static uint64_t oldest(const struct trace *t) { return t->head > t->ring_mask ? t->head - t->ring_mask - 1 : 0; }

unsigned trace_print_from(struct net *net, uint64_t *next, unsigned max, FILE *out)
{
	const struct trace *t = &net->trace;
	unsigned n = 0;

	if (!t->ring)
		return 0;
	if (*next < oldest(t)) {
		fprintf(out, "(%" PRIu64 " older records were overwritten)\n", oldest(t) - *next);
		*next = oldest(t);
	}
	for (; *next < t->head && n < max; ++*next, n++) {
		const struct trace_record *r = at(t, *next);
		fprintf(out, "%" PRIu64 " cookie=%" PRIu64 " rx=%" PRIu32 " %" PRIu32 "-%" PRIu32 " %-4s %s %" PRIu32 "\n", r->time_ns, r->cookie,
			r->rx_id, r->seq, r->end_seq, trace_point_id(r->point), trace_point_name(r->point), r->len);
	}
	return n;
}

void trace_print_all(struct net *net, FILE *out)
{
	uint64_t next = 0;

	trace_print_from(net, &next, UINT32_MAX, out);
}

static bool overlaps(const struct trace_record *r, struct range x)
{
	return (int32_t)(r->seq - x.end) < 0 && (int32_t)(r->end_seq - x.seq) > 0;
}

/* The next record of the socket's own (not received) at `point` that overlaps x, in [from, to); to: none. */
static uint64_t find(const struct walk *w, unsigned point, struct range x, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++) {
		const struct trace_record *r = at(w->t, i);
		if (r->point == point && !r->rx_id && (uint32_t)r->cookie == (uint32_t)w->cookie && overlaps(r, x))
			return i;
	}
	return to;
}

/* The tcp_ack of this socket by which all of x is acknowledged. */
static uint64_t find_ack(const struct walk *w, struct range x, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++) {
		const struct trace_record *r = at(w->t, i);
		if (r->point == TP_tcp_ack && r->cookie == w->cookie && (int32_t)(r->end_seq - x.end) >= 0)
			return i;
	}
	return to;
}

/* Fills w for the segment sent at record i; false: its walk is not whole. */
static bool is_whole(struct walk *w, uint64_t i)
{
	const struct trace_record *sent = at(w->t, i);
	uint64_t end = MIN(w->t->head, i + SEARCH_AHEAD), hard;

	w->transmit = i;
	w->whole = w->piece = (struct range){sent->seq, sent->end_seq};
	w->ack = find_ack(w, w->whole, i, end);
	hard = find(w, TP_dev_hard_start_xmit, w->whole, i, end);
	if (w->ack == end || hard == end)
		return false;
	w->gso = find(w, TP_skb_gso_segment, w->whole, i, hard);
	if (w->gso == hard)
		w->gso = UINT64_MAX;
	else
		w->piece = (struct range){at(w->t, hard)->seq, at(w->t, hard)->end_seq};
	w->complete = find(w, TP_tx_complete, w->piece, hard, end);
	return w->complete != end;
}

static bool choose_segment(struct walk *w, uint32_t from)
{
	int tried = 0;

	for (uint64_t i = w->oldest; i < w->t->head && tried < SEGMENTS_TRIED; i++) {
		const struct trace_record *r = at(w->t, i);
		if (r->point != TP_tcp_transmit_skb || (uint32_t)r->cookie != (uint32_t)w->cookie || r->rx_id)
			continue;
		if ((int32_t)(r->end_seq - r->seq) <= 0 || (int32_t)(r->seq - from) < 0)
			continue;
		if (is_whole(w, i))
			return true;
		tried++;
	}
	return false;
}

/* How far a layer stands in from the left margin: the way down goes to the right. */
static int depth(unsigned point)
{
	static const char layers[] = "VSTINQD";
	const char id = trace_point_id(point)[0];

	for (int i = 0; layers[i]; i++)
		if (layers[i] == id)
			return 2 * i;
	return id == 'M' ? 4 : 0; /* copies are TCP's */
}

static void print_hop(struct walk *w, const struct trace_record *r)
{
	int indent = depth(r->point);

	if (!w->hops)
		w->first_ns = w->last_ns = r->time_ns;
	int64_t since = (int64_t)(r->time_ns - w->first_ns), delta = (int64_t)(r->time_ns - w->last_ns);
	fprintf(w->out, "%12.3f %+12.3f  %-4s %*s%-*s %8" PRIu32 "\n", (double)since / 1000, (double)delta / 1000, trace_point_id(r->point),
		indent, "", 40 - indent, r->point == TP_outside_stack ? "outside the stack" : trace_point_name(r->point), r->len);
	w->last_ns = r->time_ns;
	w->hops++;
}

/* The hops of a user's call before any skb is touched. */
static bool is_user_call(unsigned point)
{
	return point == TP_outside_stack || point == TP_vfs_write || point == TP_sock_write_iter || point == TP_sock_sendmsg ||
	       point == TP_inet_sendmsg || point == TP_tcp_sendmsg;
}

static bool of_segment(const struct walk *w, const struct trace_record *r, struct range x)
{
	return !r->rx_id && (uint32_t)r->cookie == (uint32_t)w->cookie && overlaps(r, x);
}

/*
 * A writer may have asked before the send buffer had room: such calls name the same bytes and took none.  The walk starts with the
 * call that brought the segment's first bytes, found from the copy backwards, and leaves out the calls that follow.
 */
static uint64_t find_first_call(struct walk *w)
{
	w->copied = find(w, TP_skb_copy_to_page_nocache, w->whole, w->oldest, w->transmit);
	if (w->copied == w->transmit)
		w->copied = UINT64_MAX; /* too old for the ring, or copied to the linear area */
	uint64_t i = w->copied == UINT64_MAX ? w->transmit : w->copied, first = i;
	bool called = false;
	while (i-- > w->oldest) {
		const struct trace_record *r = at(w->t, i);
		if (!of_segment(w, r, w->whole))
			continue;
		bool top = r->point == TP_vfs_write || r->point == TP_outside_stack;
		if (called && !is_user_call(r->point))
			break;
		if (called && r->point != TP_outside_stack && at(w->t, first)->point <= r->point)
			break; /* the call before this one */
		called |= is_user_call(r->point);
		first = i;
		if (top && r->point == TP_outside_stack)
			break;
	}
	return first;
}

/* Prints the records of [from, to) whose direction is one of `directions` and which belong to the segment. */
static void print_section(struct walk *w, const char *title, const char *directions, uint64_t from, uint64_t to)
{
	bool titled = false;

	for (uint64_t i = from; i < MIN(to, w->t->head); i++) {
		const struct trace_record *r = at(w->t, i);
		char d = trace_point_direction(r->point);
		if (r->point >= TP_MAX || (d != directions[0] && d != directions[1]))
			continue;
		if (!of_segment(w, r, w->gso != UINT64_MAX && i > w->gso ? w->piece : w->whole))
			continue;
		if (i > w->copied && is_user_call(r->point))
			continue;
		if (!titled)
			fprintf(w->out, "%s\n", title);
		titled = true;
		print_hop(w, r);
	}
}

/* The received packet's hops, and what tcp_ack did to the segment before the next packet came. */
static void print_ack(struct walk *w)
{
	uint32_t rx_id = at(w->t, w->ack)->rx_id;

	fprintf(w->out, "the ACK coming back\n");
	for (uint64_t i = w->transmit; i < w->t->head; i++) {
		const struct trace_record *r = at(w->t, i);
		bool same_packet = rx_id ? r->rx_id == rx_id : i == w->ack;
		bool its_effect = i > w->ack && !r->rx_id && r->cookie == w->cookie && overlaps(r, w->whole);
		if (r->point < TP_MAX && trace_point_direction(r->point) == 'U' && (same_packet || its_effect))
			print_hop(w, r);
		if (i > w->ack && r->rx_id && r->rx_id != rx_id)
			break;
	}
}

int trace_print_walk(struct net *net, uint64_t cookie, uint32_t from, FILE *out)
{
	struct walk w = {.t = &net->trace, .cookie = cookie, .out = out, .oldest = oldest(&net->trace)};

	if (!w.t->ring || !choose_segment(&w, from))
		return 0;
	fprintf(out, "socket %" PRIu64 ", bytes %" PRIu32 " to %" PRIu32 " of the stream (%" PRIu32 " bytes)\n", cookie, w.whole.seq, w.whole.end,
		w.whole.end - w.whole.seq);
	fprintf(out, "%12s %12s  %-4s %-40s %8s\n", "us", "delta", "id", "function", "bytes");
	print_section(&w, "down", "DE", find_first_call(&w), w.complete);
	print_section(&w, "completion", "CC", w.transmit, w.complete + AFTER_COMPLETION);
	print_ack(&w);
	return w.hops;
}
