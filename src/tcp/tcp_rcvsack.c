/* SPDX-License-Identifier: MIT */
/*
 * tcp_rcvsack.c - the SACK blocks that our ACKs carry (RFC 2018 4, RFC 2883).
 *
 * selective_acks[] mirrors the newest runs of the out-of-order queue: the block that holds the segment just received is first, the others
 * follow by age, at most TCP_NUM_SACKS; a run that falls off is told again when it grows.  A duplicate is reported
 * once, in front of all (duplicate_sack, rx_opt.dsack), in the next ACK only; tcp_options.c writes them and clears rx_opt.dsack.
 * Both need tcp_active: while it is absent num_sacks and dsack are 0.
 */
#include "tcp/tcp_input.h"

/* Grows sp by [seq, end_seq) if they touch or overlap. */
static bool block_extend(struct tcp_sack_block *sp, uint32_t seq, uint32_t end_seq)
{
	if (seq_after(seq, sp->end_seq) || seq_after(sp->start_seq, end_seq))
		return false;
	if (seq_before(seq, sp->start_seq))
		sp->start_seq = seq;
	if (seq_after(end_seq, sp->end_seq))
		sp->end_seq = end_seq;
	return true;
}

/* A duplicate is worth telling, not worth failing for: without memory nothing is said. */
void tcp_dsack_set(struct sock *sk, uint32_t seq, uint32_t end_seq)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tcp_is_sack(tp) || !sk->sk_net->tcp->sysctl_tcp_dsack)
		return;
	if (!tp->active) {
		if (tcp_activate(sk))
			return;
		tcp_idle_check_arm(sk);
	}
	if (seq_before(seq, tp->rcv_nxt))
		NET_INC_STATS(sk->sk_net, TCPDSACKOldSent);
	else
		NET_INC_STATS(sk->sk_net, TCPDSACKOfoSent);
	tp->rx_opt.dsack = 1;
	tp->active->duplicate_sack[0] = (struct tcp_sack_block){seq, end_seq};
}

void tcp_dsack_extend(struct sock *sk, uint32_t seq, uint32_t end_seq)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tp->rx_opt.dsack)
		tcp_dsack_set(sk, seq, end_seq);
	else
		block_extend(&tp->active->duplicate_sack[0], seq, end_seq);
}

static void remove_block(struct tcp_sock *tp, unsigned i)
{
	struct tcp_sack_block *sp = tp->active->selective_acks;

	tp->rx_opt.num_sacks--;
	for (; i < tp->rx_opt.num_sacks; i++)
		sp[i] = sp[i + 1];
}

void tcp_sack_new_ofo_skb(struct sock *sk, uint32_t seq, uint32_t end_seq)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_sack_block *sp = tp->active->selective_acks, grown = {seq, end_seq};
	unsigned i = 0;

	/* All that it joins become one block, in front. */
	while (i < tp->rx_opt.num_sacks) {
		if (block_extend(&sp[i], grown.start_seq, grown.end_seq)) {
			grown = sp[i];
			remove_block(tp, i);
			i = 0;
		} else {
			i++;
		}
	}
	if (tp->rx_opt.num_sacks == TCP_NUM_SACKS) {
		tcp_sack_compress_send_ack(sk); /* the oldest is told before it goes */
		tp->rx_opt.num_sacks--;
	}
	for (i = tp->rx_opt.num_sacks++; i > 0; i--)
		sp[i] = sp[i - 1];
	sp[0] = grown;
}

/* rcv_nxt moved: blocks below it are acknowledged. */
void tcp_sack_remove(struct tcp_sock *tp)
{
	unsigned i = 0;

	if (!tp->active || rb_empty(&tp->active->out_of_order_queue)) {
		tp->rx_opt.num_sacks = 0;
		return;
	}
	while (i < tp->rx_opt.num_sacks) {
		if (seq_before(tp->rcv_nxt, tp->active->selective_acks[i].start_seq))
			i++;
		else
			remove_block(tp, i);
	}
}

/* Answers a segment that was not acceptable; if its data is old, with a D-SACK. */
void tcp_send_dupack(struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (cb->end_seq != cb->seq && seq_before(cb->seq, tp->rcv_nxt)) {
		NET_INC_STATS(sk->sk_net, DelayedACKLost);
		tcp_enter_quickack_mode(sk, TCP_MAX_QUICKACKS);
		tcp_dsack_set(sk, cb->seq, seq_after(cb->end_seq, tp->rcv_nxt) ? tp->rcv_nxt : cb->end_seq);
	}
	tcp_send_ack(sk);
}
