/* SPDX-License-Identifier: MIT */
/*
 * tcp_state.c - segments in every state but ESTABLISHED, SYN_SENT (tcp_synsent.c) and TIME_WAIT (tcp_timewait.c): RFC 9293 3.10.7, and
 * the changes of state that a segment brings.
 *
 *	LISTEN      SYN: conn_request; ACK: RST
 *	SYN_RECV    ACK of our SYN -> ESTABLISHED (children of listeners, and simultaneous open)
 *	FIN_WAIT1   ACK of our FIN -> FIN_WAIT2; of an orphan: into a timewait entry
 *	CLOSING     ACK of our FIN -> TIME_WAIT       LAST_ACK    ACK of our FIN -> CLOSE
 *	a FIN in order (tcp_fin): ESTABLISHED -> CLOSE_WAIT, FIN_WAIT1 -> CLOSING, FIN_WAIT2 -> TIME_WAIT
 *
 * Data for a socket that will not be read any more is answered with RST (RFC 9293 3.6.1, RFC 2525 2.17).
 * Called by tcp_v4_do_rcv() and tcp_child_process(); the checks every segment passes first are tcp_validate_incoming()'s.
 */
#include "tcp/tcp_cong.h"
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_metrics.h"

/* --- events ---------------------------------------------------------------------------------------------------------- */

void tcp_reset(struct sock *sk, struct sk_buff *skb)
{
	(void)skb;
	switch (sk->sk_state) {
	case TCP_SYN_SENT:
		sk->sk_err = ECONNREFUSED;
		break;
	case TCP_CLOSE_WAIT:
		sk->sk_err = EPIPE;
		break;
	case TCP_CLOSE:
		return;
	default:
		sk->sk_err = PROVE_BREAKS("MUST-12") || (PROVE_BREAKS("MUST-11") && sk->sk_state == TCP_SYN_RECV) ? 0 : ECONNRESET;
	}
	tcp_write_queue_purge(sk);
	tcp_done(sk);
	if (!sock_flag(sk, SOCK_F_DEAD))
		sk_error_report(sk);
}

void tcp_fin(struct sock *sk)
{
	inet_csk_schedule_ack(sk);
	sk->sk_shutdown |= RCV_SHUTDOWN;
	sock_set_flag(sk, SOCK_F_DONE);
	/* What lies beyond the FIN is nobody's. */
	tcp_ofo_queue_purge(sk);

	switch (sk->sk_state) {
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
		tcp_set_state(sk, TCP_CLOSE_WAIT);
		inet_csk_enter_pingpong_mode(sk);
		break;
	case TCP_FIN_WAIT1:
		/* Both close at once: our FIN is not acknowledged yet. */
		tcp_send_ack(sk);
		tcp_set_state(sk, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT2:
		tcp_send_ack(sk);
		tcp_time_wait(sk, TCP_TIME_WAIT, 0);
		break;
	default: /* CLOSE_WAIT, CLOSING, LAST_ACK: a repeated FIN changes nothing */
		break;
	}
	if (!sock_flag(sk, SOCK_F_DEAD))
		sk_state_change(sk);
}

uint64_t tcp_fin_time_ns(const struct sock *sk)
{
	uint64_t least = (uint64_t)inet_csk(sk)->icsk_rto_us * 7 / 2 * NSEC_PER_USEC;
	int32_t linger2 = sk->sk_ext ? sk->sk_ext->tcp_linger2_s : 0;
	uint64_t timeout = (uint64_t)(linger2 > 0 ? linger2 : sk->sk_net->tcp->sysctl_tcp_fin_timeout) * NSEC_PER_SEC;

	return MAX(timeout, least);
}

/* The echoed timestamp is that of the first SYN or SYN-ACK: nothing was lost, the answer was late (RFC 3522's way). */
static bool first_syn_answered(const struct tcp_sock *tp)
{
	return tp->rx_opt.saw_tstamp && tp->rx_opt.rcv_tsecr && tp->rx_opt.rcv_tsecr == (uint32_t)(tp->lsndtime_ns / NSEC_PER_MSEC);
}

/* The first congestion window, RFC 6928; RFC 5681 3.1 where the SYN or SYN-ACK had to be sent again. */
static void init_cwnd(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct dst_entry *dst = __sk_dst_get(sk);

	tp->snd_cwnd = tp->total_retrans > 1 && !first_syn_answered(tp) ? 1 : tcp_init_cwnd(tp, dst);
	tp->snd_cwnd_stamp_ns = sk->sk_net->now_ns;
}

void tcp_init_transfer(struct sock *sk, struct sk_buff *skb)
{
	(void)skb;
	tcp_mtup_init(sk); /* the MSS follows with the first probe or change of the path (tests/pkt/pmtu/probing-begins.pkt) */
	inet_csk(sk)->icsk_af_ops->rebuild_header(sk);
	tcp_init_metrics(sk);
	init_cwnd(sk);
	tcp_init_congestion_control(sk);
	tcp_init_buffer_space(sk);
}

/* --- steps of RFC 9293 3.10.7.4 ---------------------------------------------------------------------------------------- */

/* Bytes beyond what we have, FIN not counted, have come in. */
static bool brings_new_data(const struct tcp_sock *tp, const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	bool fin = cb->tcp_flags & TCPHDR_FIN;

	return cb->end_seq != cb->seq && seq_after(cb->end_seq - fin, tp->rcv_nxt);
}

static enum skb_drop_reason listen_process(struct sock *sk, struct sk_buff *skb)
{
	uint8_t flags = TCP_SKB_CB(skb)->tcp_flags;

	if (flags & TCPHDR_ACK)
		return SKB_DROP_REASON_TCP_FLAGS;
	if (flags & TCPHDR_RST) {
		skb_drop(skb, SKB_DROP_REASON_TCP_RESET);
		return SKB_CONSUMED;
	}
	if ((flags & (TCPHDR_SYN | TCPHDR_FIN)) != TCPHDR_SYN) {
		skb_drop(skb, SKB_DROP_REASON_TCP_FLAGS);
		return SKB_CONSUMED;
	}
	return inet_csk(sk)->icsk_af_ops->conn_request(sk, skb) < 0 ? SKB_DROP_REASON_TCP_FLAGS : SKB_CONSUMED;
}

static void syn_recv_acked(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tp->delivered++; /* our SYN */
	if (tp->tfo_rsk) {
		tcp_rcv_synrecv_state_fastopen(sk);
	} else {
		tcp_init_transfer(sk, skb);
		tp->copied_seq = tp->rcv_nxt;
	}
	tcp_set_state(sk, TCP_ESTABLISHED);
	inet_csk(sk)->icsk_af_ops->sk_rx_dst_set(sk, skb);
	sk_state_change(sk);

	tp->snd_una = TCP_SKB_CB(skb)->ack_seq;
	tp->snd_wnd = (uint32_t)be16_to_cpu(th->window) << tp->rx_opt.snd_wscale;
	tp->max_window = MAX(tp->max_window, tp->snd_wnd);
	tp->snd_wl1 = TCP_SKB_CB(skb)->seq;
	if (tp->rx_opt.tstamp_ok)
		tp->advmss -= TCPOLEN_TSTAMP_ALIGNED;
	if (!inet_csk(sk)->icsk_ca_ops->cong_control)
		tcp_update_pacing_rate(sk);
	tp->lsndtime_ns = sk->sk_net->now_ns; /* no restart after idle for the first data */
	tcp_initialize_rcv_mss(sk);
	tcp_fast_path_on(tp);
	if (sk->sk_shutdown & SEND_SHUTDOWN)
		tcp_shutdown(sk, SEND_SHUTDOWN);
}

/* The outcome of the ACK for a connection that is being closed. */
enum close_step { STEP_ON, STEP_CONSUME, STEP_RESET };

static enum close_step fin_wait1_acked(struct sock *sk, const struct sk_buff *skb, const struct tcphdr *th)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint64_t tmo;

	if (tp->tfo_rsk)
		tcp_rcv_synrecv_state_fastopen(sk);
	if (tp->snd_una != tp->write_seq)
		return STEP_ON;
	tcp_set_state(sk, TCP_FIN_WAIT2);
	sk->sk_shutdown |= SEND_SHUTDOWN;
	if (!sock_flag(sk, SOCK_F_DEAD)) {
		sk_state_change(sk);
		return STEP_ON;
	}
	if (sk->sk_ext && sk->sk_ext->tcp_linger2_s < 0) {
		tcp_done(sk);
		NET_INC_STATS(sk->sk_net, TCPAbortOnData);
		return STEP_RESET;
	}
	if (brings_new_data(tp, skb)) {
		tcp_done(sk);
		NET_INC_STATS(sk->sk_net, TCPAbortOnData);
		return STEP_RESET;
	}
	tmo = tcp_fin_time_ns(sk);
	if (tmo > TCP_TIMEWAIT_S * NSEC_PER_SEC) {
		inet_csk_reset_keepalive_timer(sk, tmo - TCP_TIMEWAIT_S * NSEC_PER_SEC);
	} else if (th->flags & TCPHDR_FIN) {
		/* The FIN in hand is still to be processed: by this sock. */
		inet_csk_reset_keepalive_timer(sk, tmo);
		return STEP_ON;
	} else {
		tcp_time_wait(sk, TCP_FIN_WAIT2, tmo);
		return STEP_CONSUME;
	}
	return STEP_ON;
}

static enum close_step ack_changes_state(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th)
{
	struct tcp_sock *tp = tcp_sk(sk);

	switch (sk->sk_state) {
	case TCP_SYN_RECV:
		syn_recv_acked(sk, skb, th);
		return STEP_ON;
	case TCP_FIN_WAIT1:
		return fin_wait1_acked(sk, skb, th);
	case TCP_CLOSING:
		if (tp->snd_una != tp->write_seq)
			return STEP_ON;
		tcp_time_wait(sk, TCP_TIME_WAIT, 0);
		return STEP_CONSUME;
	case TCP_LAST_ACK:
		if (tp->snd_una != tp->write_seq)
			return STEP_ON;
		tcp_update_metrics(sk);
		tcp_done(sk);
		return STEP_CONSUME;
	default:
		return STEP_ON;
	}
}

/* Text and FIN.  True: skb was consumed.  *reset: an RST is due instead, skb is the caller's. */
static bool take_text(struct sock *sk, struct sk_buff *skb, bool *reset)
{
	struct tcp_sock *tp = tcp_sk(sk);

	*reset = false;
	switch (sk->sk_state) {
	case TCP_CLOSE_WAIT:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		if (!seq_before(TCP_SKB_CB(skb)->seq, tp->rcv_nxt))
			return false;
		/* fall through */
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
		if ((sk->sk_shutdown & RCV_SHUTDOWN) && brings_new_data(tp, skb)) {
			NET_INC_STATS(sk->sk_net, TCPAbortOnData);
			tcp_reset(sk, skb);
			*reset = true;
			return false;
		}
		/* fall through */
	case TCP_ESTABLISHED:
		tcp_data_queue(sk, skb);
		return true;
	default:
		return false;
	}
}

/* The states beyond SYN_SENT: RFC 9293 3.10.7.4 from its first to its last check. */
static enum skb_drop_reason synchronised_process(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th)
{
	enum skb_drop_reason reason = SKB_DROP_REASON_NOT_SPECIFIED;
	struct tcp_sock *tp = tcp_sk(sk);
	bool reset, queued;
	int acked;

	tp->rx_opt.saw_tstamp = 0;
	if (!(th->flags & (TCPHDR_ACK | TCPHDR_RST | TCPHDR_SYN))) {
		tcp_drop(sk, skb, SKB_DROP_REASON_TCP_FLAGS);
		return SKB_CONSUMED;
	}
	if (tp->tfo_rsk && !tcp_check_req(sk, skb, tp->ext->fastopen_rsk, true, &reason)) {
		tcp_drop(sk, skb, reason);
		return SKB_CONSUMED;
	}
	if (!tcp_validate_incoming(sk, skb, th, 0))
		return SKB_CONSUMED;

	acked = tcp_ack(sk, skb, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT | FLAG_NO_CHALLENGE_ACK);
	if (acked <= 0) {
		if (sk->sk_state == TCP_SYN_RECV)
			return acked ? (enum skb_drop_reason)-acked : SKB_DROP_REASON_TCP_OLD_ACK;
		/* While closing an old ACK may still bring something. */
		if (acked < 0) {
			tcp_send_challenge_ack(sk);
			tcp_drop(sk, skb, (enum skb_drop_reason)-acked);
			return SKB_CONSUMED;
		}
	}
	switch (ack_changes_state(sk, skb, th)) {
	case STEP_CONSUME:
		skb_consume(skb);
		return SKB_CONSUMED;
	case STEP_RESET:
		return SKB_DROP_REASON_TCP_ABORT_ON_DATA;
	case STEP_ON:
		break;
	}
	tcp_urg(sk, skb, th);
	queued = take_text(sk, skb, &reset);
	if (reset)
		return SKB_DROP_REASON_TCP_ABORT_ON_DATA;
	if (sk->sk_state != TCP_CLOSE) {
		tcp_data_snd_check(sk);
		tcp_ack_snd_check(sk);
	}
	if (!queued)
		skb_consume(skb);
	return SKB_CONSUMED;
}

enum skb_drop_reason tcp_rcv_state_process(struct sock *sk, struct sk_buff *skb)
{
	const struct tcphdr *th = tcp_hdr(skb);

	trace_skb(skb, TP_tcp_rcv_state_process);
	switch (sk->sk_state) {
	case TCP_CLOSE:
		skb_drop(skb, SKB_DROP_REASON_TCP_CLOSE);
		return SKB_CONSUMED;
	case TCP_LISTEN:
		return listen_process(sk, skb);
	case TCP_SYN_SENT:
		tcp_mstamp_refresh(tcp_sk(sk));
		return tcp_rcv_synsent_state_process(sk, skb, th);
	default:
		tcp_mstamp_refresh(tcp_sk(sk));
		return synchronised_process(sk, skb, th);
	}
}
