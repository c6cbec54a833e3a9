/* SPDX-License-Identifier: MIT */
/*
 * tcp_rcvqueue.c - where received data waits: in order for the reader, out of order for what is missing (T8; RFC 9293 3.10.7.4, seventh).
 *
 *	sk_receive_queue      list, in order: [copied_seq, rcv_nxt); charged to sk_rmem_alloc; tcp_recvmsg() takes from it
 *	out_of_order_queue    RB-tree: beyond rcv_nxt, by seq and so by end_seq, none covers another; charged likewise; in tcp_active
 *
 * Neighbouring skbs are merged by handing frags over (tcp_try_coalesce), so that a long queue is few skbs; no byte is copied.  Every
 * insertion searches the tree, so its cost is logarithmic in holes, whatever the order of arrival; skbs that a new one covers
 * are dropped, each once.
 *
 * Bound: sk_rmem_alloc against sk_rcvbuf and the protocol's memory; over it tcp_prune_queue() (tcp_prune.c) makes room or the
 * segment is dropped.  Without memory for tcp_active an out-of-order segment is dropped; the peer sends it again.
 *
 * Called from tcp_input.c and tcp_state.c with skb->data at the TCP header.
 */
#include "tcp/tcp_input.h"

/* The user's half hears of data when there is as much as it wants, or as there can be. */
static void data_ready(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	int32_t avail = (int32_t)(tp->rcv_nxt - tp->copied_seq);

	if (sock_flag(sk, SOCK_F_DEAD))
		return;
	if (sock_flag(sk, SOCK_F_DONE) || (avail > 0 && (avail >= sk->sk_rcvlowat || tcp_under_memory_pressure(sk) ||
							 tcp_receive_window(tp) <= inet_csk(sk)->icsk_ack.rcv_mss)))
		sk_data_ready(sk);
}

static void rcv_nxt_update(struct tcp_sock *tp, uint32_t seq)
{
	tp->bytes_received += seq - tp->rcv_nxt;
	tp->rcv_nxt = seq;
}

/* to and from are charged or about to be; what to grows by is charged here. */
bool tcp_try_coalesce(struct sock *sk, struct sk_buff *to, struct sk_buff *from)
{
	struct tcp_skb_cb *tcb = TCP_SKB_CB(to), *fcb = TCP_SKB_CB(from);
	int delta;

	if (tcb->end_seq != fcb->seq || ((tcb->tcp_flags | fcb->tcp_flags) & TCPHDR_SYN) || (tcb->tcp_flags & TCPHDR_FIN))
		return false;
	if (!skb_try_coalesce(to, from, &delta))
		return false;
	sk->sk_rmem_alloc += (uint32_t)delta;
	sk_mem_charge(sk, delta);
	tcb->end_seq = fcb->end_seq;
	tcb->ack_seq = fcb->ack_seq;
	tcb->tcp_flags |= fcb->tcp_flags;
	if (fcb->has_rxtstamp) {
		tcb->has_rxtstamp = 1;
		to->tstamp_ns = from->tstamp_ns;
	}
	return true;
}

static bool has_room(struct sock *sk, uint32_t size) { return likely((int64_t)sk->sk_rmem_alloc <= sk->sk_rcvbuf && sk_rmem_schedule(sk, size)); }

/* Makes room for skb if it can. */
static __attribute__((noinline)) bool make_room(struct sock *sk, struct sk_buff *skb)
{
	return tcp_prune_queue(sk, skb) >= 0 && sk_rmem_schedule(sk, skb->truesize);
}

/*
 * The buffer is full, and the next segment in order is here.  Linux's header prediction does not look at the buffer where the page that was reserved
 * last has room (seen: a full buffer takes a small segment more, every other time), and so do we.
 */
static __attribute__((noinline)) bool make_room_in_order(struct sock *sk, struct sk_buff *skb)
{
	if ((int64_t)sk->sk_rmem_alloc > sk->sk_rcvbuf && tcp_sk(sk)->pred_flags && skb->truesize <= ((uint32_t)sk->sk_forward_alloc & (PAGE_SIZE - 1)))
		return true;
	return make_room(sk, skb);
}

/* Appends to the receive queue.  True: its bytes went to the tail's skb, the caller frees this one. */
static bool queue_in_order(struct sock *sk, struct sk_buff *skb)
{
	struct sk_buff *tail = skb_peek_tail(&sk->sk_receive_queue);

	rcv_nxt_update(tcp_sk(sk), TCP_SKB_CB(skb)->end_seq);
	if (tail && tcp_try_coalesce(sk, tail, skb)) {
		NET_INC_STATS(sk->sk_net, TCPRcvCoalesce);
		return true;
	}
	skb_queue_tail(&sk->sk_receive_queue, skb);
	skb_set_owner_r(skb, sk);
	return false;
}

/* --- out of order ------------------------------------------------------------------------------------------------- */

void tcp_ofo_erase(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_active *act = tcp_act(sk);

	if (act->ooo_last_skb == skb)
		act->ooo_last_skb = rb_to_skb(rb_prev(&skb->rbnode));
	rb_erase(&skb->rbnode, &act->out_of_order_queue);
	skb->next = skb->prev = NULL;
}

static void ofo_drop(struct sock *sk, struct sk_buff *skb)
{
	NET_INC_STATS(sk->sk_net, TCPOFOMerge);
	tcp_drop(sk, skb, SKB_DROP_REASON_TCP_OFOMERGE);
}

/* What the tree holds from rcv_nxt on moves to the receive queue. */
static void ofo_queue_drain(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t dsack_high = tp->rcv_nxt;
	struct sk_buff *skb;
	bool fin = false;

	while (!fin && (skb = rb_to_skb(rb_first(tcp_ofo(sk))))) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		if (seq_after(cb->seq, tp->rcv_nxt) || (PROVE_BREAKS("MUST-59") && seq_after(tp->rcv_nxt, dsack_high)))
			break;
		/* RFC 2883 4: only what has come twice. */
		if (seq_before(cb->seq, dsack_high))
			tcp_dsack_extend(sk, cb->seq, seq_before(cb->end_seq, dsack_high) ? cb->end_seq : dsack_high);
		tcp_ofo_erase(sk, skb);
		if (!seq_after(cb->end_seq, tp->rcv_nxt)) {
			tcp_drop(sk, skb, SKB_DROP_REASON_TCP_OLD_DATA);
			continue;
		}
		fin = cb->tcp_flags & TCPHDR_FIN;
		struct sk_buff *tail = skb_peek_tail(&sk->sk_receive_queue);
		rcv_nxt_update(tp, cb->end_seq);
		if (tail && tcp_try_coalesce(sk, tail, skb)) {
			NET_INC_STATS(sk->sk_net, TCPRcvCoalesce);
			skb_consume_coalesced(skb);
		} else {
			skb_queue_tail(&sk->sk_receive_queue, skb);
		}
	}
	if (fin)
		tcp_fin(sk);
}

void tcp_ofo_queue_purge(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb;

	tp->rx_opt.num_sacks = 0;
	tp->rx_opt.dsack = 0;
	if (!tp->active)
		return;
	while ((skb = rb_to_skb(rb_first(tcp_ofo(sk))))) {
		tcp_ofo_erase(sk, skb);
		skb_drop(skb, SKB_DROP_REASON_SOCKET_CLOSE);
	}
}

/* Drops what the tree holds behind skb, as far as skb covers it. */
static void ofo_drop_covered(struct sock *sk, struct sk_buff *skb)
{
	uint32_t end_seq = TCP_SKB_CB(skb)->end_seq;
	struct sk_buff *next;

	while ((next = rb_to_skb(rb_next(&skb->rbnode)))) {
		struct tcp_skb_cb *ncb = TCP_SKB_CB(next);
		if (!seq_after(end_seq, ncb->seq))
			break;
		if (seq_before(end_seq, ncb->end_seq)) {
			tcp_dsack_extend(sk, ncb->seq, end_seq);
			break;
		}
		tcp_dsack_extend(sk, ncb->seq, ncb->end_seq);
		tcp_ofo_erase(sk, next);
		ofo_drop(sk, next);
	}
	if (!next)
		tcp_act(sk)->ooo_last_skb = skb;
}

/* Without SACK the window stays as it is: an ACK that moved it would be no duplicate. */
static void ofo_grow_window(struct sock *sk, const struct sk_buff *skb)
{
	if (tcp_is_sack(tcp_sk(sk)))
		tcp_grow_window(sk, skb);
}

static void ofo_link(struct sock *sk, struct sk_buff *skb, struct rb_node *parent, struct rb_node **link)
{
	ofo_grow_window(sk, skb);
	rb_link_node(&skb->rbnode, parent, link);
	rb_insert_color(&skb->rbnode, tcp_ofo(sk));
	skb_set_owner_r(skb, sk);
	ofo_drop_covered(sk, skb);
}

/* skb grew into the one at the left: finishes the insertion. */
static void ofo_merged(struct sock *sk, struct sk_buff *into, struct sk_buff *skb)
{
	ofo_grow_window(sk, skb);
	skb_consume_coalesced(skb);
	ofo_drop_covered(sk, into);
}

/*
 * Puts skb into the tree, or drops it as a duplicate.  On the way down it can meet an skb that covers it (drop), that starts
 * with it and is shorter (takes its place), that reaches into it (goes on to the right, merging where they touch exactly).
 */
static void ofo_insert(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_active *act = tcp_act(sk);
	uint32_t seq = TCP_SKB_CB(skb)->seq, end_seq = TCP_SKB_CB(skb)->end_seq;
	struct rb_node **link = &act->out_of_order_queue.node, *parent = NULL;
	struct sk_buff *last = act->ooo_last_skb;

	/* The usual case, without a search: it continues the last one, or lies behind it. */
	if (last && tcp_try_coalesce(sk, last, skb)) {
		ofo_merged(sk, last, skb);
		return;
	}
	if (last && !seq_before(seq, TCP_SKB_CB(last)->end_seq)) {
		parent = &last->rbnode;
		link = &parent->right;
	}
	while (*link) {
		parent = *link;
		struct sk_buff *at = rb_to_skb(parent);
		struct tcp_skb_cb *acb = TCP_SKB_CB(at);
		if (seq_before(seq, acb->seq)) {
			link = &parent->left;
			continue;
		}
		link = &parent->right;
		if (seq_before(seq, acb->end_seq)) {
			if (!seq_after(end_seq, acb->end_seq)) {
				tcp_dsack_set(sk, seq, end_seq);
				ofo_drop(sk, skb);
				return;
			}
			tcp_dsack_set(sk, seq, acb->end_seq);
			if (seq == acb->seq) {
				tcp_ofo_erase(sk, at);
				ofo_drop(sk, at);
				parent = NULL; /* the tree was rebalanced: its place is to be found anew */
				link = &act->out_of_order_queue.node;
			}
		} else if (tcp_try_coalesce(sk, at, skb)) {
			ofo_merged(sk, at, skb);
			return;
		}
	}
	ofo_link(sk, skb, parent, link);
}

/* Consumes skb, whose data is at the payload. */
static void data_queue_ofo(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct net *net = sk->sk_net;
	uint32_t seq = TCP_SKB_CB(skb)->seq, end_seq = TCP_SKB_CB(skb)->end_seq;

	tcp_ecn_check_ce(sk, skb);
	if (unlikely(!has_room(sk, skb->truesize) && !make_room(sk, skb)) || PROVE_BREAKS("SHLD-31")) {
		NET_INC_STATS(net, TCPOFODrop);
		data_ready(sk);
		tcp_drop(sk, skb, SKB_DROP_REASON_PROTO_MEM);
		return;
	}
	if (unlikely(!tp->active && tcp_activate(sk))) {
		NET_INC_STATS(net, TCPOFODrop);
		inet_csk_schedule_ack(sk);
		tcp_drop(sk, skb, SKB_DROP_REASON_TCP_OFO_DROP);
		return;
	}
	tp->pred_flags = 0;
	tcp_measure_rcv_mss(sk, skb);
	inet_csk_schedule_ack(sk);
	tp->rcv_ooopack += MAX(1u, skb_shinfo(skb)->gso_segs);
	NET_INC_STATS(net, TCPOFOQueue);
	ofo_insert(sk, skb);
	if (tcp_is_sack(tp) && !PROVE_BREAKS("T8")) /* of a duplicate, too: its block comes to the front */
		tcp_sack_new_ofo_skb(sk, seq, end_seq);
	if (sk->sk_socket) /* there is a reader, or soon will be */
		tcp_rcvbuf_follows(sk, tp->rcvq_space.space);
}

/* --- the whole ------------------------------------------------------------------------------------------------------ */

/* Not wanted: acknowledged at once, so that the sender knows where we are. */
static void drop_unwanted(struct sock *sk, struct sk_buff *skb, enum skb_drop_reason reason)
{
	tcp_enter_quickack_mode(sk, TCP_MAX_QUICKACKS);
	inet_csk_schedule_ack(sk);
	tcp_drop(sk, skb, reason);
}

static void drop_zero_window(struct sock *sk, struct sk_buff *skb)
{
	NET_INC_STATS(sk->sk_net, TCPZeroWindowDrop);
	drop_unwanted(sk, skb, SKB_DROP_REASON_TCP_ZEROWINDOW);
}

/* After a segment in order: what waited behind the hole. */
static void fill_holes(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tcp_ofo_empty(sk)) {
		ofo_queue_drain(sk);
		/* RFC 5681 4.2: an ACK at once when a gap is filled. */
		if (tcp_ofo_empty(sk))
			inet_csk(sk)->icsk_ack.pending |= ICSK_ACK_NOW;
	}
	tcp_idle_check_arm(sk);
	if (tp->rx_opt.num_sacks)
		tcp_sack_remove(tp);
}

/* Starts at or before rcv_nxt and ends behind it. Consumes skb. */
static void data_in_order(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	bool fin = TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN, merged;

	/* With an empty queue the reader is up to date: one segment is always taken, else a small limit could stop the connection. */
	if (skb_queue_empty(&sk->sk_receive_queue) && !sk_rmem_schedule(sk, skb->truesize)) {
		sk_forced_mem_schedule(sk, skb->truesize);
	} else if (unlikely(!has_room(sk, skb->truesize) && !make_room_in_order(sk, skb))) {
		/* The sender hears at once that nothing goes any more, whatever window was promised. */
		inet_csk(sk)->icsk_ack.pending |= ICSK_ACK_NOMEM | ICSK_ACK_NOW;
		inet_csk_schedule_ack(sk);
		NET_INC_STATS(sk->sk_net, TCPRcvQDrop);
		data_ready(sk);
		tcp_drop(sk, skb, SKB_DROP_REASON_PROTO_MEM);
		return;
	}
	if (skb->len)
		tcp_ecn_check_ce(sk, skb); /* a change of marks may ask for an ACK of what was before */
	merged = queue_in_order(sk, skb);
	if (skb->len) /* the window grows by what is left beside this segment */
		tcp_event_data_recv(sk, skb);
	if (merged)
		skb_consume_coalesced(skb);
	if (unlikely(fin))
		tcp_fin(sk);
	if (unlikely(tp->active))
		fill_holes(sk);
	if (unlikely(!tp->pred_flags))
		tcp_fast_path_check(sk);
	data_ready(sk);
}

void tcp_data_queue(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (cb->seq == cb->end_seq) { /* an ACK that came by the slow path: nothing is queued */
		skb_consume(skb);
		return;
	}
	trace_skb(skb, TP_tcp_data_queue);
	dst_release(skb->dst);
	skb->dst = NULL;
	skb_pull(skb, tcp_hdrlen_of(tcp_hdr(skb)));
	tcp_ecn_accept_cwr(sk, skb);
	tp->rx_opt.dsack = 0;

	if (likely(cb->seq == tp->rcv_nxt)) {
		if (unlikely(!tcp_receive_window(tp)))
			drop_zero_window(sk, skb);
		else
			data_in_order(sk, skb);
	} else if (!seq_after(cb->end_seq, tp->rcv_nxt)) {
		/* All of it was here before: our ACK was lost or late. */
		NET_INC_STATS(sk->sk_net, DelayedACKLost);
		tcp_dsack_set(sk, cb->seq, cb->end_seq);
		drop_unwanted(sk, skb, SKB_DROP_REASON_TCP_OLD_DATA);
	} else if (!seq_before(cb->seq, tp->rcv_nxt + tcp_receive_window(tp))) {
		drop_unwanted(sk, skb, SKB_DROP_REASON_TCP_OVERWINDOW);
	} else if (seq_before(cb->seq, tp->rcv_nxt)) {
		tcp_dsack_set(sk, cb->seq, tp->rcv_nxt);
		if (unlikely(!tcp_receive_window(tp)))
			drop_zero_window(sk, skb);
		else
			data_in_order(sk, skb);
	} else {
		data_queue_ofo(sk, skb);
	}
}
