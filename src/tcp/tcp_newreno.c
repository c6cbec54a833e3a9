/* SPDX-License-Identifier: MIT */
/*
 * tcp_newreno.c - recovery from a peer without SACK (RFC 5681 3.2, RFC 6582): duplicate ACKs stand for SACKed segments.
 *
 * Each duplicate ACK says that one segment beyond the hole has arrived: it is counted in sacked_out, so that packets in flight, limited
 * transmit (RFC 3042) and PRR work as with SACK.  A cumulative ACK takes back what it covers: the hole itself had no duplicate.
 * Lost is the head: at the third duplicate, and again at each partial ACK, one segment a round trip.
 *
 * Recovery is held until something above high_seq is acknowledged (tcp_undo.c:tcp_hold_reno): the duplicates that our own retransmissions
 * cause would begin another recovery at exactly high_seq.
 */
#include "tcp/tcp_input.h"

void tcp_reset_reno_sacks(struct tcp_sock *tp) { tp->sacked_out = 0; }

/* More duplicates than segments can be out: the network multiplies or reorders. */
void tcp_limit_reno_sacks(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct netns_tcp *nt = sk->sk_net->tcp;
	uint32_t holes = MIN(MAX(tp->lost_out, 1), tp->packets_out);

	if (tp->sacked_out + holes <= tp->packets_out)
		return;
	tp->sacked_out = tp->packets_out - holes;
	tp->reordering = MIN(tp->packets_out, (uint32_t)nt->sysctl_tcp_max_reordering);
	tp->reordering = MAX(tp->reordering, (uint32_t)nt->sysctl_tcp_reordering);
	tp->reord_seen++;
	NET_INC_STATS(sk->sk_net, TCPRenoReorder);
}

void tcp_add_reno_sacks(struct sock *sk, uint32_t num_dupack)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t before = tp->sacked_out;

	if (!num_dupack)
		return;
	tp->sacked_out += num_dupack;
	tcp_limit_reno_sacks(sk);
	if (tp->sacked_out > before)
		tp->delivered += tp->sacked_out - before;
}

/* A cumulative ACK of `acked` segments: one was the hole, the others had been counted by their duplicates. */
void tcp_remove_reno_sacks(struct sock *sk, uint32_t acked)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!acked)
		return;
	tp->delivered += MAX(acked - MIN(acked, tp->sacked_out), 1u);
	if (acked - 1 >= tp->sacked_out)
		tp->sacked_out = 0;
	else
		tp->sacked_out -= acked - 1;
	if (tp->active)
		tcp_limit_reno_sacks(sk);
}

/* The head, one segment of it, is lost: by enough duplicates, or by a partial ACK. */
void tcp_newreno_mark_lost(struct sock *sk, bool snd_una_advanced)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *head = tcp_rtx_queue_head(sk);
	uint8_t state = inet_csk(sk)->icsk_ca_state;
	unsigned mss;

	if (!(state < TCP_CA_Recovery && tp->sacked_out >= tp->reordering) && !(state == TCP_CA_Recovery && snd_una_advanced))
		return;
	if (!head || (TCP_SKB_CB(head)->sacked & TCPCB_LOST))
		return;
	mss = tcp_skb_mss(head);
	if (tcp_skb_pcount(head) > 1 && head->len > mss)
		tcp_fragment(sk, true, head, mss, mss, MEM_NORMAL); /* without memory all of it counts as lost */
	tcp_mark_skb_lost(sk, head);
}
