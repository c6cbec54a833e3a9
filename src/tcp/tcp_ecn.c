/* SPDX-License-Identifier: MIT */
/*
 * tcp_ecn.c - explicit congestion notification, the receiver's half and the negotiation (RFC 3168).
 *
 * Receiver: a CE mark sets TCP_ECN_DEMAND_CWR, and every ACK carries ECE (tcp_output.c) until the peer's CWR clears it.
 * A receiver whose congestion control needs ECN tells it each mark (CA_EVENT_ECN_*): DCTCP then decides what is echoed (cong_dctcp.c).
 * Sender: ECE in an ACK enters CWR once per window (tcp_recovery.c) and TCP_ECN_QUEUE_CWR has the next new segment carry CWR.
 */
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_input.h"

void tcp_ecn_rcv_syn(struct tcp_sock *tp, const struct tcphdr *th)
{
	/* 6.1.1: an ECN-setup SYN has both bits. */
	if ((tp->ecn_flags & TCP_ECN_OK) && (th->flags & (TCPHDR_ECE | TCPHDR_CWR)) != (TCPHDR_ECE | TCPHDR_CWR))
		tp->ecn_flags &= (uint8_t)~TCP_ECN_OK;
}

void tcp_ecn_rcv_synack(struct tcp_sock *tp, const struct tcphdr *th)
{
	/* An ECN-setup SYN-ACK has ECE alone. */
	if ((tp->ecn_flags & TCP_ECN_OK) && (th->flags & (TCPHDR_ECE | TCPHDR_CWR)) != TCPHDR_ECE)
		tp->ecn_flags &= (uint8_t)~TCP_ECN_OK;
}

bool tcp_ecn_rcv_echo(const struct tcp_sock *tp, const struct tcphdr *th)
{
	return (th->flags & (TCPHDR_ECE | TCPHDR_SYN)) == TCPHDR_ECE && (tp->ecn_flags & TCP_ECN_OK);
}

void tcp_ecn_accept_cwr(struct sock *sk, const struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (likely(!(TCP_SKB_CB(skb)->tcp_flags & TCPHDR_CWR)))
		return;
	tp->ecn_flags &= (uint8_t)~TCP_ECN_DEMAND_CWR;
	/* The sender waits for an ACK without ECE before it may react to the next mark. */
	if (TCP_SKB_CB(skb)->seq != TCP_SKB_CB(skb)->end_seq)
		inet_csk(sk)->icsk_ack.pending |= ICSK_ACK_NOW;
}

/* For TCP_INFO; without memory for the counts they miss this one. */
static void count_received(struct sock *sk, const struct sk_buff *skb, uint8_t codepoint)
{
	struct tcp_ext *ext;

	if (tcp_ext_get(sk, &ext))
		return;
	if (codepoint == INET_ECN_CE)
		ext->received_ce += MAX(1u, (unsigned)skb_shinfo(skb)->gso_segs);
	ext->received_ecn_bytes[codepoint - 1] += skb->len;
}

/* Its state is needed from the first mark on; without memory the echo is RFC 3168's. */
static void tell_mark(struct sock *sk, enum tcp_ca_event ev)
{
	if (likely(!tcp_ca_needs_ecn(sk)))
		return;
	(void)tcp_activate(sk);
	tcp_ca_event(sk, ev);
}

void tcp_ecn_check_ce(struct sock *sk, const struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint8_t codepoint = TCP_SKB_CB(skb)->ip_dsfield & INET_ECN_MASK;

	if (likely(!(tp->ecn_flags & TCP_ECN_OK)))
		return;
	if (codepoint != INET_ECN_NOT_ECT)
		count_received(sk, skb, codepoint);
	switch (codepoint) {
	case INET_ECN_NOT_ECT:
		/* Data of an ECN connection without ECT is a retransmission: the peer lost something, help it. */
		if (tp->ecn_flags & TCP_ECN_SEEN)
			tcp_enter_quickack_mode(sk, 2);
		break;
	case INET_ECN_CE:
		tell_mark(sk, CA_EVENT_ECN_IS_CE);
		if (!(tp->ecn_flags & TCP_ECN_DEMAND_CWR)) {
			tcp_enter_quickack_mode(sk, 2);
			tp->ecn_flags |= TCP_ECN_DEMAND_CWR;
		}
		tp->ecn_flags |= TCP_ECN_SEEN;
		break;
	default:
		tell_mark(sk, CA_EVENT_ECN_NO_CE);
		tp->ecn_flags |= TCP_ECN_SEEN;
	}
}
