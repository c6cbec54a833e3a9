/* SPDX-License-Identifier: MIT */
/*
 * tcp_prune.c - room in a full receive buffer.
 *
 * What is charged is true size, so a peer that sends small segments, or a device that puts each in a page of its own, can fill
 * the buffer long before the window is used.  In order, until sk_rmem_alloc is below sk_rcvbuf again:
 *
 *	1. tcp_clamp_window(): the buffer may grow to what is queued (tcp_rmem[2] at most), or the window shrinks
 *	2. collapse: runs of wasteful skbs are copied into tight ones (counted in copied.collapse), out-of-order runs first
 *	3. the out-of-order queue is dropped from its far end, an eighth of the buffer at a time: SACK blocks are advisory (RFC 2018 8)
 *
 * Collapsing looks at no more than COLLAPSE_SCAN skbs a call, and stops when there is room; so a flood pays a bounded price per packet.
 * It allocates before it frees: without memory it stops, and nothing is lost.
 */
#include "tcp/tcp_input.h"

enum {
	COLLAPSE_SCAN = 256,        /* skbs looked at in one call */
	COLLAPSE_BYTES = 3072,      /* most payload of a tight skb: its head fits the 4 KB size class */
	COLLAPSE_GAIN = 512,        /* bytes of true size that a copy must save */
};

/* Neighbouring skbs that would fit one tight skb. */
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

static struct run measure_run(struct sock *sk, const struct sk_buff *skb, bool ofo)
{
	struct run r = {0, 0, 0};
	uint32_t end_seq = TCP_SKB_CB(skb)->seq;

	while (skb && is_plain(skb) && TCP_SKB_CB(skb)->seq == end_seq && r.len + skb->len <= COLLAPSE_BYTES) {
		r.skbs++;
		r.len += skb->len;
		r.truesize += skb->truesize;
		end_seq = TCP_SKB_CB(skb)->end_seq;
		skb = next_of(sk, skb, ofo);
	}
	return r;
}

/* Appends b's bytes to the tight skb n and ends b, which is in no queue any more. */
static void absorb(struct sock *sk, struct sk_buff *n, struct sk_buff *b)
{
	struct tcp_skb_cb *ncb = TCP_SKB_CB(n), *bcb = TCP_SKB_CB(b);

	skb_copy_bits(b, 0, skb_put(n, b->len), b->len);
	sk->sk_net->copied.collapse += b->len;
	ncb->end_seq = bcb->end_seq;
	ncb->ack_seq = bcb->ack_seq;
	ncb->tcp_flags |= bcb->tcp_flags;
	NET_INC_STATS(sk->sk_net, TCPRcvCollapsed);
	skb_consume(b);
}

/* An skb that begins as old does, empty, with room for len bytes.  NULL: no memory. */
static struct sk_buff *tight_skb(struct sock *sk, const struct sk_buff *old, uint32_t len)
{
	struct sk_buff *n = alloc_skb(sk->sk_net, 0, len, 0);

	if (!n)
		return NULL;
	memcpy(n->cb, old->cb, sizeof(n->cb));
	n->tstamp_ns = old->tstamp_ns;
	n->ip_summed = CHECKSUM_UNNECESSARY;
	n->skb_iif = old->skb_iif;
	n->trace_cookie = old->trace_cookie;
	return n;
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

/* Copies the run that begins with skb into n, which takes its place. Returns what follows. */
static struct sk_buff *collapse_run(struct sock *sk, struct sk_buff *skb, struct sk_buff *n, unsigned skbs, bool ofo)
{
	if (!ofo)
		skb_queue_after(&sk->sk_receive_queue, skb, n);
	for (bool first = true; skbs > 0; skbs--, first = false) {
		struct sk_buff *next = first && !ofo ? next_of(sk, n, ofo) : next_of(sk, skb, ofo);
		remove_of(sk, skb, ofo);
		absorb(sk, n, skb);
		skb = next;
	}
	if (ofo)
		ofo_insert_unique(sk, n);
	skb_set_owner_r(n, sk);
	return skb;
}

static void collapse(struct sock *sk, bool ofo)
{
	struct sk_buff *skb = first_of(sk, ofo), *n;

	for (unsigned seen = 0; skb && seen < COLLAPSE_SCAN && !rcvbuf_has_room(sk);) {
		struct run r = measure_run(sk, skb, ofo);
		seen += MAX(r.skbs, 1u);
		if (!r.skbs || r.truesize < r.len + sizeof(struct sk_buff) + sizeof(struct skb_shared_info) + COLLAPSE_GAIN) {
			for (unsigned i = MAX(r.skbs, 1u); skb && i > 0; i--)
				skb = next_of(sk, skb, ofo);
			continue;
		}
		n = tight_skb(sk, skb, r.len);
		if (!n)
			return;
		skb = collapse_run(sk, skb, n, r.skbs, ofo);
	}
}

/* Drops from the far end until an eighth of the buffer is free; in_skb itself is refused if it lies farther than what is there. */
static bool prune_ofo(struct sock *sk, const struct sk_buff *in_skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int64_t goal = (int64_t)sk->sk_rcvbuf - (sk->sk_rcvbuf >> 3);
	struct sk_buff *last;
	bool pruned = false;

	while (!tcp_ofo_empty(sk) && ((int64_t)sk->sk_rmem_alloc > goal || tcp_under_memory_pressure(sk))) {
		last = tp->active->ooo_last_skb;
		if (seq_after(TCP_SKB_CB(in_skb)->seq, TCP_SKB_CB(last)->seq))
			break;
		tcp_ofo_erase(sk, last);
		tcp_drop(sk, last, SKB_DROP_REASON_TCP_OFO_QUEUE_PRUNE);
		pruned = true;
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
	prune_ofo(sk, in_skb);
	if (rcvbuf_has_room(sk))
		return 0;
	NET_INC_STATS(sk->sk_net, RcvPruned);
	tp->pred_flags = 0;
	return -1;
}
