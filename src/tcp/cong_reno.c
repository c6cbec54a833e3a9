/* SPDX-License-Identifier: MIT */
/*
 * cong_reno.c - Reno congestion control (RFC 5681): one segment per round trip, half the window at loss.  Keeps no state of its
 * own, so other algorithms fall back on its functions.
 */
#include "tcp/tcp_input.h"

uint32_t tcp_reno_ssthresh(struct sock *sk) { return MAX(tcp_sk(sk)->snd_cwnd >> 1, 2u); }

uint32_t tcp_reno_undo_cwnd(struct sock *sk) { return MAX(tcp_sk(sk)->snd_cwnd, tcp_act(sk)->prior_cwnd); }

void tcp_reno_cong_avoid(struct sock *sk, uint32_t ack, uint32_t acked)
{
	struct tcp_sock *tp = tcp_sk(sk);

	(void)ack;
	acked = tcp_slow_start_left(sk, acked);
	if (acked)
		tcp_cong_avoid_ai(tp, tp->snd_cwnd, acked);
}

const struct tcp_congestion_ops tcp_reno = {
	.name = "reno",
	.flags = TCP_CONG_NON_RESTRICTED,
	.ssthresh = tcp_reno_ssthresh,
	.cong_avoid = tcp_reno_cong_avoid,
	.undo_cwnd = tcp_reno_undo_cwnd,
};
