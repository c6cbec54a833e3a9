/* SPDX-License-Identifier: MIT */
/*
 * tcp_pacing.c - not before its time (T4, the first gate): sending at sk_pacing_rate.
 *
 * Each transmission moves the departure time of the next one (wstamp_ns) on by what its bytes take at the pacing rate.  Where a qdisc paces
 * (SK_PACING_FQ) that is all: each skb carries its departure time down (skb_mstamp_ns) and the qdisc holds it.  Where none does
 * (SK_PACING_NEEDED: a congestion control or SO_MAX_PACING_RATE asked for it) tcp_write_xmit() and tcp_xmit_retransmit_queue() stop here
 * until the time has come; an hrtimer then puts the socket on the small-queue list, and NET_TX sends on, as after a transmit completion.
 *
 * The first window is never paced: 10 segments do no harm, and most transfers end there.  A sender that comes late, be it that its timer did or
 * that other gates held it, may catch up: up to half of the next interval is forgiven.
 *
 * The rate itself is the congestion control's (cong_bbr.c), or follows from cwnd and srtt (tcp_cong.c:tcp_update_pacing_rate).
 * Attached state: leaves with tcp_active; after an idle second every departure time has come.
 */
#include "tcp/tcp_output.h"

bool __tcp_pacing_check(struct sock *sk)
{
	struct tcp_active *act = tcp_act(sk);

	if (!act || act->wstamp_ns <= sk->sk_net->now_ns || PROVE_BREAKS("T4.pacing"))
		return false;
	/* No memory for the timer: unpaced is better than never. */
	return hrtimer_active(&act->pacing_timer) || !hrtimer_start(sk->sk_net, &act->pacing_timer, act->wstamp_ns);
}

/*
 * len bytes of payload departed at act->wstamp_ns; prior_wstamp_ns: the time at which they might have.
 */
void tcp_pacing_sent(struct sock *sk, uint32_t len, uint64_t prior_wstamp_ns)
{
	struct tcp_active *act = tcp_act(sk);
	uint64_t rate = sk->sk_pacing_rate, len_ns, late_ns;

	if (rate == UINT64_MAX || !rate || tcp_sk(sk)->data_segs_out < TCP_INIT_CWND)
		return;
	len_ns = (uint64_t)len * NSEC_PER_SEC / rate;
	late_ns = act->wstamp_ns - prior_wstamp_ns;
	act->wstamp_ns += len_ns - MIN(len_ns / 2, late_ns);
}

void tcp_pacing_needed(struct sock *sk)
{
	if (sk->sk_pacing_status == SK_PACING_NONE)
		sk->sk_pacing_status = SK_PACING_NEEDED;
}

uint64_t tcp_pacing_delay_us(const struct sock *sk)
{
	const struct tcp_active *act = tcp_act(sk);

	if (likely(!act || act->wstamp_ns <= sk->sk_net->now_ns))
		return 0;
	return (act->wstamp_ns - sk->sk_net->now_ns) / NSEC_PER_USEC;
}

void tcp_pacing_timer(struct net *net, struct hrtimer *t)
{
	struct tcp_active *act = container_of(t, struct tcp_active, pacing_timer);

	(void)net;
	tcp_tsq_queue(act->sk);
}
