/* SPDX-License-Identifier: MIT */
/*
 * tcp_tlp.c - the tail loss probe (RFC 8985 section 7): when the last segments of a flight are lost, nothing comes back that would tell.
 * So, two round trips after the last transmission or ACK, one segment is sent to provoke an ACK: new data if there is some and the window
 * has room, else the last segment again.  The SACK in the answer lets RACK find what is missing, a round trip or two before the RTO.
 *
 *	tcp_schedule_loss_probe()   after each burst (tcp_output.c) and each ACK that moves the timer (tcp_ack.c): the probe takes the RTO's
 *	                            place in icsk_timeout_ns if it comes earlier.  Only with SACK, in Open and CWR: recovery has its own clock
 *	tcp_send_loss_probe()       the timer: sends the probe, then the RTO runs, counted from when the head was last sent.  One probe a flight
 *	tcp_process_tlp_ack()       the answer.  A probe that repeated the last segment may have repaired the only loss, unseen by
 *	                            congestion control: an ACK beyond it without sign of a duplicate is taken for that, and the window is reduced
 *
 * The timeout is 2 srtt; for a single segment, whose ACK may be delayed, 200 ms (the minimum RTO) more.  tcp_early_retrans 0 to 2: no probe.
 */
#include "tcp/tcp_input.h"
#include "tcp/tcp_output.h"

/* Microseconds until the RTO that the head's transmission began; negative: it is overdue. */
int64_t tcp_rto_delta_us(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct sk_buff *head = tcp_rtx_queue_head(sk);
	uint64_t rto_us = inet_csk(sk)->icsk_rto_us;

	if (unlikely(!head))
		return (int64_t)rto_us;
	return (int64_t)(head->skb_mstamp_ns / NSEC_PER_USEC + rto_us) - (int64_t)tp->tcp_mstamp_us;
}

/* The RTO comes later than timeout_us from now: told from the oldest transmission in flight, which is the head's or older. */
static bool rto_is_later(const struct sock *sk, int64_t timeout_us)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct sk_buff *oldest;

	if (!tp->active || list_empty(&tp->active->tsorted))
		return false;
	oldest = list_first_entry(&tp->active->tsorted, struct sk_buff, tcp_tsorted);
	return (int64_t)(oldest->skb_mstamp_ns / NSEC_PER_USEC + inet_csk(sk)->icsk_rto_us - tp->tcp_mstamp_us) >= timeout_us;
}

/* advancing_rto: the RTO would be counted from now, not from the head's transmission.  True: icsk_timeout_ns is the probe's. */
bool tcp_schedule_loss_probe(struct sock *sk, bool advancing_rto)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct inet_connection_sock *icsk = inet_csk(sk);
	int64_t timeout_us, rto_us;

	if (unlikely(tp->tfo_rsk || sk->sk_net->tcp->sysctl_tcp_early_retrans < 3))
		return false;
	if (!tp->packets_out || !tcp_is_sack(tp) || (icsk->icsk_ca_state != TCP_CA_Open && icsk->icsk_ca_state != TCP_CA_CWR))
		return false;
	timeout_us = TCP_TIMEOUT_INIT_US;
	if (likely(tp->srtt_us))
		timeout_us = (int64_t)(tp->srtt_us >> 2) + (tp->packets_out == 1 ? tcp_rto_min_us(sk) : TCP_TIMEOUT_MIN_US);
	if (advancing_rto || !rto_is_later(sk, timeout_us)) {
		rto_us = advancing_rto ? (int64_t)icsk->icsk_rto_us : tcp_rto_delta_us(sk);
		if (rto_us > 0)
			timeout_us = MIN(timeout_us, rto_us);
	}
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_LOSS_PROBE, (uint64_t)timeout_us + tcp_pacing_delay_us(sk));
	return true;
}

/* After an ACK that moves the timer. */
void tcp_set_xmit_timer(struct sock *sk)
{
	if (!tcp_schedule_loss_probe(sk, true))
		tcp_rearm_rto(sk);
}

static bool send_new_data(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t before = tp->packets_out;

	tcp_write_xmit(sk, tcp_current_mss(sk), TCP_NAGLE_OFF, 2, MEM_RESERVE);
	return tp->packets_out > before;
}

/* The last segment of the flight, cut off its super-segment, once more. */
static bool send_last_segment(struct sock *sk)
{
	struct sk_buff *skb = tcp_rtx_queue_tail(sk);
	unsigned mss = tcp_current_mss(sk), ahead;

	if (!skb || skb_fclone_busy(skb))
		return false; /* the last copy is still below: it is not lost, it never left */
	ahead = (tcp_skb_pcount(skb) - 1) * mss;
	if (ahead && skb->len > ahead) {
		if (tcp_fragment(sk, true, skb, ahead, mss, MEM_RESERVE))
			return false;
		skb = tcp_rtx_queue_tail(sk);
	}
	if (tcp_retransmit_probe(sk, skb))
		return false;
	tcp_act(sk)->tlp_retrans = 1;
	return true;
}

/* The head of the write queue lies in the peer's window, at least one segment of it. */
static bool new_data_fits(struct sock *sk)
{
	const struct sk_buff *skb = tcp_send_head(sk);

	return skb && !seq_after(TCP_SKB_CB(skb)->seq + MIN(skb->len, tcp_current_mss(sk)), tcp_wnd_end(tcp_sk(sk)));
}

void tcp_send_loss_probe(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act;

	if (tcp_activate(sk) || !tp->packets_out)
		goto rearm;
	act = tp->active;
	if (act->tlp_high_seq)
		goto rearm; /* one a flight */
	act->tlp_retrans = 0;
	if (!(new_data_fits(sk) ? send_new_data(sk) : send_last_segment(sk)))
		goto rearm;
	act->tlp_high_seq = tp->snd_nxt;
	NET_INC_STATS(sk->sk_net, TCPLossProbes);
	inet_csk(sk)->icsk_pending = 0; /* the RTO begins anew */
rearm:
	tcp_rearm_rto(sk);
}

/* A segment was lost and the probe replaced it: congestion, answered at once as one window reduction. */
static void probe_repaired(struct sock *sk)
{
	tcp_init_cwnd_reduction(sk); /* clears tlp_high_seq */
	tcp_set_ca_state(sk, TCP_CA_CWR);
	tcp_end_cwnd_reduction(sk);
	tcp_try_keep_open(sk);
	NET_INC_STATS(sk->sk_net, TCPLossProbeRecovery);
}

/* RFC 8985 7.4.2. */
void tcp_process_tlp_ack(struct sock *sk, const struct tcp_ack_ctx *ctx)
{
	struct tcp_active *act = tcp_act(sk);

	if (seq_before(ctx->ack, act->tlp_high_seq))
		return;
	if (!act->tlp_retrans || (ctx->flag & FLAG_DSACK_TLP))
		act->tlp_high_seq = 0; /* new data needs no second look; a D-SACK: original and probe have both arrived */
	else if (seq_after(ctx->ack, act->tlp_high_seq))
		probe_repaired(sk);
	else if (!(ctx->flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DATA_SACKED)))
		act->tlp_high_seq = 0; /* a pure duplicate ACK: likewise */
}
