/* SPDX-License-Identifier: MIT */
/*
 * tcp_prune.c - room in a full receive buffer.
 *
 * What is charged is true size, so a peer that sends small segments, or a device that puts each in a page of its own, can fill
 * the buffer long before the window is used.  In order, until sk_rmem_alloc is below sk_rcvbuf again:
 *
 *	1. tcp_clamp_window(): the buffer may grow to what is queued (tcp_rmem[2] at most), or the window shrinks
 *	2. collapse: runs of wasteful skbs are copied into tight ones, each filled before the next is begun (counted in copied.collapse), out-of-order
 *	   runs first, and all of them, so that the price is not paid again for the next segment
 *	3. the out-of-order queue is dropped from its far end, an eighth of the buffer at a time: SACK blocks are advisory (RFC 2018 8)
 *
 * Collapsing looks at no more than COLLAPSE_SCAN skbs a call; so a flood pays a bounded price per packet.  It allocates before it frees: without
 * memory it stops, and nothing is lost.
 */
#include "tcp/tcp_input.h"

enum {
	COLLAPSE_SCAN = 256,        /* skbs looked at in one call */
	/* A tight skb is what Linux allocates and charges: 576 bytes or a power of two up to a page hold payload and its shared info; bytes of small
	 * segments still to come find room in what is left.  (Our own shared info is larger: it takes up to a quarter more than is charged.) */
	COLLAPSE_HEAD = PAGE_SIZE, COLLAPSE_SMALL_HEAD = 576, COLLAPSE_SHINFO = 320, COLLAPSE_SKB = 256,
	COLLAPSE_BYTES = COLLAPSE_HEAD - COLLAPSE_SHINFO,
	COLLAPSE_GAIN = 512,        /* bytes of true size that a copy must save */
};

/* Neighbouring skbs that would fit few tight ones. */
struct run {
	unsigned skbs;
	uint32_t len, truesize;     /* sums, bytes */
};

static bool rcvbuf_has_room(const struct sock *sk) { return (int64_t)sk->sk_rmem_alloc <= sk->sk_rcvbuf; }

/* A plain piece of stream, which can be copied into another. */
static bool is_plain(const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	return !(cb->tcp_flags & (TCPHDR_SYN | TCPHDR_FIN)) && cb->end_seq - cb->seq == skb->len;
}

static struct sk_buff *first_of(struct sock *sk, bool ofo)
{
	if (!ofo)
		return skb_peek(&sk->sk_receive_queue);
	return tcp_ofo_empty(sk) ? NULL : rb_to_skb(rb_first(tcp_ofo(sk)));
}

static struct sk_buff *next_of(struct sock *sk, const struct sk_buff *skb, bool ofo)
{
	if (ofo)
		return rb_to_skb(rb_next(&skb->rbnode));
	return skb_queue_is_last(&sk->sk_receive_queue, skb) ? NULL : skb->next;
}

static void remove_of(struct sock *sk, struct sk_buff *skb, bool ofo)
{
	if (ofo)
		tcp_ofo_erase(sk, skb);
	else
		skb_unlink(skb, &sk->sk_receive_queue);
}

static uint32_t tight_head(uint32_t len)
{
	uint32_t head = COLLAPSE_SMALL_HEAD;

	for (; head < COLLAPSE_HEAD && head - COLLAPSE_SHINFO < len; head = head == COLLAPSE_SMALL_HEAD ? 1024 : head * 2)
		;
	return head;
}

/* What len bytes would be charged with. */
static uint32_t tight_truesize(uint32_t len)
{
	uint32_t rest = len % COLLAPSE_BYTES;

	return len / COLLAPSE_BYTES * (COLLAPSE_SKB + COLLAPSE_HEAD) + (rest ? COLLAPSE_SKB + tight_head(rest) : 0);
}

/* Charged for more than its share of the window: a run begins with such a one. */
static bool is_bloated(const struct sock *sk, const struct sk_buff *skb) { return tcp_win_from_space(sk, (int)skb->truesize) > (int)skb->len; }

/* What is larger than a tight skb is no waste. */
static struct run measure_run(struct sock *sk, const struct sk_buff *skb, bool ofo, unsigned most)
{
	struct run r = {0, 0, 0};
	uint32_t end_seq = TCP_SKB_CB(skb)->seq;

	if (!is_bloated(sk, skb))
		return r;
	while (skb && r.skbs < most && is_plain(skb) && TCP_SKB_CB(skb)->seq == end_seq && skb->len < COLLAPSE_BYTES) {
		r.skbs++;
		r.len += skb->len;
		r.truesize += skb->truesize;
		end_seq = TCP_SKB_CB(skb)->end_seq;
		skb = next_of(sk, skb, ofo);
	}
	return r;
}

/* An empty skb for what begins at byte `from` of old, with room for len bytes.  NULL: no memory. */
static struct sk_buff *tight_skb(struct sock *sk, const struct sk_buff *old, uint32_t from, uint32_t len)
{
	uint32_t head = tight_head(len);
	struct sk_buff *n = alloc_skb(sk->sk_net, 0, head - COLLAPSE_SHINFO, SKB_ALLOC_EXACT);

	if (!n)
		return NULL;
	memcpy(n->cb, old->cb, sizeof(n->cb));
	TCP_SKB_CB(n)->seq = TCP_SKB_CB(n)->end_seq = TCP_SKB_CB(old)->seq + from;
	n->truesize = COLLAPSE_SKB + head;
	n->tstamp_ns = old->tstamp_ns;
	n->ip_summed = CHECKSUM_UNNECESSARY;
	n->skb_iif = old->skb_iif;
	n->trace_cookie = old->trace_cookie;
	return n;
}

/* Appends len bytes of b to the tight skb n. */
static void absorb(struct sock *sk, struct sk_buff *n, const struct sk_buff *b, uint32_t from, uint32_t len)
{
	struct tcp_skb_cb *ncb = TCP_SKB_CB(n);
	const struct tcp_skb_cb *bcb = TCP_SKB_CB(b);

	skb_copy_bits(b, from, skb_put(n, len), len);
	sk->sk_net->copied.collapse += len;
	ncb->end_seq += len;
	ncb->ack_seq = bcb->ack_seq;
	ncb->tcp_flags |= bcb->tcp_flags;
}

static void ofo_insert_unique(struct sock *sk, struct sk_buff *n)
{
	struct tcp_active *act = tcp_act(sk);
	struct rb_node **link = &act->out_of_order_queue.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = seq_before(TCP_SKB_CB(n)->seq, TCP_SKB_CB(rb_to_skb(parent))->seq) ? &parent->left : &parent->right;
	}
	rb_link_node(&n->rbnode, parent, link);
	rb_insert_color(&n->rbnode, &act->out_of_order_queue);
	if (!rb_next(&n->rbnode))
		act->ooo_last_skb = n;
}

/* One collapse on its way. */
struct collapse {
	struct sock *sk;
	bool ofo;
	struct sk_buff *skb;        /* next to be copied, from byte `from` on */
	uint32_t from;
	uint32_t left;              /* bytes of the run that are not in a tight skb yet */
	struct sk_buff *n, *before; /* being filled, not yet in the queue; what stands before it (receive queue; NULL: nothing) */
};

static bool begin_tight(struct collapse *c)
{
	c->n = c->left ? tight_skb(c->sk, c->skb, c->from, MIN(c->left, (uint32_t)COLLAPSE_BYTES)) : NULL;
	return c->n;
}

/* n is full, or the run is over: it takes its place. */
static void place_tight(struct collapse *c, struct sk_buff *n)
{
	if (c->ofo)
		ofo_insert_unique(c->sk, n);
	else if (c->before)
		skb_queue_after(&c->sk->sk_receive_queue, c->before, n);
	else
		skb_queue_head(&c->sk->sk_receive_queue, n);
	c->before = n;
	skb_set_owner_r(n, c->sk);
}

static void source_is_copied(struct collapse *c)
{
	struct sk_buff *next = next_of(c->sk, c->skb, c->ofo);

	remove_of(c->sk, c->skb, c->ofo);
	NET_INC_STATS(c->sk->sk_net, TCPRcvCollapsed);
	skb_consume(c->skb);
	c->skb = next;
	c->from = 0;
}

/* Copies the run of len bytes that begins with c->skb.  False: no memory; what is copied is in the queue, the rest as it was. */
static bool collapse_run(struct collapse *c, uint32_t len)
{
	c->left = len;
	if (!begin_tight(c))
		return false;
	while (c->left) {
		uint32_t room = COLLAPSE_BYTES - c->n->len, piece = MIN(c->skb->len - c->from, room);
		bool splits = piece < c->skb->len - c->from;
		struct sk_buff *full = c->n;
		if (splits) { /* its second half needs a place before the first is taken out */
			c->from += piece;
			c->left -= piece;
			if (!begin_tight(c)) {
				c->from -= piece;
				place_tight(c, full);
				return false;
			}
			absorb(c->sk, full, c->skb, c->from - piece, piece);
			place_tight(c, full);
			continue;
		}
		absorb(c->sk, full, c->skb, c->from, piece);
		c->left -= piece;
		source_is_copied(c);
	}
	place_tight(c, c->n);
	return true;
}

static void collapse(struct sock *sk, bool ofo)
{
	struct collapse c = {.sk = sk, .ofo = ofo, .skb = first_of(sk, ofo)};

	for (unsigned seen = 0; c.skb && seen < COLLAPSE_SCAN;) {
		struct run r = measure_run(sk, c.skb, ofo, COLLAPSE_SCAN - seen);
		seen += MAX(r.skbs, 1u);
		if (r.skbs && r.truesize >= tight_truesize(r.len) + COLLAPSE_GAIN) {
			if (!collapse_run(&c, r.len))
				return;
			continue;
		}
		for (unsigned i = MAX(r.skbs, 1u); c.skb && i > 0; i--) {
			c.before = c.skb;
			c.skb = next_of(sk, c.skb, ofo);
		}
	}
}

/* Drops from the far end, an eighth of the buffer at a time, until there is room; in_skb itself is refused if it lies farther than what is there. */
static bool prune_ofo(struct sock *sk, const struct sk_buff *in_skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int64_t goal = sk->sk_rcvbuf >> 3;
	struct sk_buff *last;
	bool pruned = false;

	while (!tcp_ofo_empty(sk)) {
		last = tp->active->ooo_last_skb;
		if (seq_after(TCP_SKB_CB(in_skb)->seq, TCP_SKB_CB(last)->seq))
			break;
		goal -= last->truesize;
		tcp_ofo_erase(sk, last);
		tcp_drop(sk, last, SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE);
		pruned = true;
		if (goal > 0)
			continue;
		if (rcvbuf_has_room(sk) && !tcp_under_memory_pressure(sk))
			break;
		goal = sk->sk_rcvbuf >> 3;
	}
	if (!pruned)
		return false;
	NET_INC_STATS(sk->sk_net, OfoPruned);
	/* What we promised is gone: the next out-of-order segment starts the list anew. */
	if (tcp_is_sack(tp))
		tp->rx_opt.num_sacks = 0;
	tcp_idle_check_arm(sk);
	return true;
}

/* 0: in_skb may be charged; -1: no room, and the sender must be told by a closed window. */
int tcp_prune_queue(struct sock *sk, const struct sk_buff *in_skb)
{
	struct tcp_sock *tp = tcp_sk(sk);

	NET_INC_STATS(sk->sk_net, PruneCalled);
	if ((int64_t)sk->sk_rmem_alloc >= sk->sk_rcvbuf)
		tcp_clamp_window(sk);
	else if (tcp_under_memory_pressure(sk))
		tp->rcv_ssthresh = MIN(tp->rcv_ssthresh, 4u * tp->advmss);
	if (rcvbuf_has_room(sk) && !tcp_under_memory_pressure(sk))
		return 0;
	collapse(sk, true);
	collapse(sk, false);
	sk_mem_reclaim(sk);
	if (!rcvbuf_has_room(sk) || tcp_under_memory_pressure(sk))
		prune_ofo(sk, in_skb);
	if (rcvbuf_has_room(sk))
		return 0;
	NET_INC_STATS(sk->sk_net, RcvPruned);
	tp->pred_flags = 0;
	return -1;
}
