/* SPDX-License-Identifier: MIT */
/*
 * tcp_synsent.c - segments for a socket that has sent its SYN (RFC 9293 3.10.7.3): the SYN-ACK that makes the connection, a SYN of the
 * other side that crossed ours (simultaneous open, 3.5), RST.
 *
 * Called by tcp_rcv_state_process().  What was read of a refused segment's options is undone.
 */
#include "tcp/tcp_cong.h"
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_md5.h"

void tcp_finish_connect(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tcp_set_state(sk, TCP_ESTABLISHED);
	inet_csk(sk)->icsk_lrcvtime_ns = sk->sk_net->now_ns;
	if (skb)
		inet_csk(sk)->icsk_af_ops->sk_rx_dst_set(sk, skb);
	tcp_init_transfer(sk, skb);
	if (!inet_csk(sk)->icsk_ca_ops->cong_control)
		tcp_update_pacing_rate(sk);
	tp->lsndtime_ns = sk->sk_net->now_ns; /* no restart after idle for the first data */
	if (sock_flag(sk, SOCK_F_KEEPOPEN))
		inet_csk_reset_keepalive_timer(sk, keepalive_time_when_ns(tp));
	/* The window of a SYN-ACK is not scaled: where the others are, prediction begins with the next segment. */
	if (!tp->rx_opt.snd_wscale)
		tcp_fast_path_on(tp);
	else
		tp->pred_flags = 0;
}

/* The timestamps of a SYN or SYN-ACK are the connection's from now on. */
static void adopt_timestamps(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_options_received *opt = &tp->rx_opt;

	opt->tstamp_ok = opt->saw_tstamp;
	tp->tcp_header_len = sizeof(struct tcphdr);
	if (unlikely(tcp_md5_key_of(sk)))
		tp->tcp_header_len += TCPOLEN_MD5SIG_ALIGNED;
	if (opt->saw_tstamp) {
		tp->tcp_header_len += TCPOLEN_TSTAMP_ALIGNED;
		opt->ts_recent = opt->rcv_tsval;
		opt->ts_recent_stamp_s = net_tcp_now_s(sk->sk_net);
	}
}

/* What a SYN-ACK answered to our offer. */
static void adopt_options(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_options_received *opt = &tp->rx_opt;

	if (!opt->wscale_ok) {
		opt->snd_wscale = opt->rcv_wscale = 0;
		tp->window_clamp = MIN(tp->window_clamp, 65535u);
	}
	adopt_timestamps(sk);
	if (opt->tstamp_ok)
		tp->advmss -= TCPOLEN_TSTAMP_ALIGNED;
}

static void take_peer_isn(struct tcp_sock *tp, const struct sk_buff *skb)
{
	tp->isn_rcv = TCP_SKB_CB(skb)->seq;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = TCP_SKB_CB(skb)->seq + 1;
	tp->snd_wl1 = TCP_SKB_CB(skb)->seq;
}

static void size_segments(struct sock *sk)
{
	tcp_resync_mss(sk);
	tcp_initialize_rcv_mss(sk);
}

/* A timestamp echo must be of one of our SYNs: sent between the first (connect_init()) and now. */
static bool echo_is_ours(const struct tcp_sock *tp)
{
	const struct tcp_options_received *opt = &tp->rx_opt;
	uint32_t first = (uint32_t)(tp->lsndtime_ns / NSEC_PER_MSEC);

	if (!opt->saw_tstamp || !opt->rcv_tsecr)
		return true;
	return seq_between(opt->rcv_tsecr, first, tcp_time_stamp_ms(tp));
}

/* The connection stands.  Consumes skb. */
static void synack_accepted(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_fastopen_cookie cookie;
	bool resent;

	tcp_ecn_rcv_synack(tp, th);
	tp->snd_wl1 = TCP_SKB_CB(skb)->seq;
	tcp_ack(sk, skb, FLAG_SLOWPATH);
	take_peer_isn(tp, skb);
	tp->snd_wnd = be16_to_cpu(th->window);
	tp->max_window = MAX(tp->max_window, tp->snd_wnd);
	adopt_options(sk);
	size_segments(sk);
	tcp_finish_connect(sk, skb);
	tp->copied_seq = tp->rcv_nxt;
	tcp_parse_fastopen(skb, &cookie);
	resent = (tp->syn_fastopen || tp->syn_data) && tcp_rcv_fastopen_synack(sk, skb, &cookie);
	if (!sock_flag(sk, SOCK_F_DEAD))
		sk_state_change(sk);

	if (resent) {
		/* What was sent again carries the ACK. */
	} else if (tp->write_pending || tp->defer_accept || inet_csk_in_pingpong_mode(sk)) {
		/* The data that is about to come carries the ACK. */
		inet_csk_schedule_ack(sk);
		tcp_enter_quickack_mode(sk, TCP_MAX_QUICKACKS);
		inet_csk_reset_delack_timer(sk, sk->sk_net->now_ns + TCP_DELACK_MAX_US * NSEC_PER_USEC);
	} else {
		tcp_send_ack(sk);
	}
	tcp_urg(sk, skb, th);
	skb_consume(skb);
	tcp_data_snd_check(sk);
}

/*
 * Their SYN crossed ours.  Our SYN-ACK repeats what our SYN offered, and as on Linux our windows keep that scale even if their SYN had none; the
 * room that timestamps take is deducted once the connection stands (syn_recv_acked).  Consumes skb.
 */
static void simultaneous_open(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tcp_set_state(sk, TCP_SYN_RECV);
	adopt_timestamps(sk);
	take_peer_isn(tp, skb);
	tp->snd_wnd = be16_to_cpu(th->window); /* never scaled in a SYN */
	tp->max_window = tp->snd_wnd;
	tcp_ecn_rcv_syn(tp, th);
	tcp_mtup_init(sk);
	size_segments(sk);
	tcp_send_synack(sk);
	skb_consume(skb);
}

static enum skb_drop_reason refuse(struct sock *sk, struct sk_buff *skb, uint16_t saved_clamp, enum skb_drop_reason reason)
{
	struct tcp_options_received *opt = &tcp_sk(sk)->rx_opt;

	opt->tstamp_ok = opt->sack_ok = opt->wscale_ok = opt->snd_wscale = 0;
	opt->mss_clamp = saved_clamp;
	if (skb)
		tcp_drop(sk, skb, reason);
	return skb ? SKB_CONSUMED : reason;
}

enum skb_drop_reason tcp_rcv_synsent_state_process(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint16_t saved_clamp = tp->rx_opt.mss_clamp;
	uint32_t ack = TCP_SKB_CB(skb)->ack_seq;

	tcp_parse_options(sk->sk_net, skb, &tp->rx_opt, false);
	if (tp->rx_opt.saw_tstamp && tp->rx_opt.rcv_tsecr)
		tp->rx_opt.rcv_tsecr -= tp->tsoffset;

	if (th->flags & TCPHDR_ACK) {
		if (!seq_after(ack, tp->snd_una) || seq_after(ack, tp->snd_nxt)) {
			/* An old connection of the peer's may answer; our RST clears it, and the SYN goes again at once. */
			if (!inet_csk(sk)->icsk_retransmits)
				inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, TCP_TIMEOUT_MIN_US);
			return refuse(sk, NULL, saved_clamp, SKB_DROP_REASON_TCP_INVALID_ACK_SEQUENCE);
		}
		if (!echo_is_ours(tp)) {
			NET_INC_STATS(sk->sk_net, PAWSActive);
			return refuse(sk, NULL, saved_clamp, SKB_DROP_REASON_TCP_RFC7323_TSECR);
		}
		if (th->flags & TCPHDR_RST) {
			tcp_reset(sk, skb);
			skb_drop(skb, SKB_DROP_REASON_TCP_RESET);
			return SKB_CONSUMED;
		}
		if (!(th->flags & TCPHDR_SYN))
			return refuse(sk, skb, saved_clamp, SKB_DROP_REASON_TCP_FLAGS);
		synack_accepted(sk, skb, th);
		return SKB_CONSUMED;
	}
	if (th->flags & TCPHDR_RST)
		return refuse(sk, skb, saved_clamp, SKB_DROP_REASON_TCP_RESET);
	if (tp->rx_opt.ts_recent_stamp_s && tp->rx_opt.saw_tstamp && ts_is_old(&tp->rx_opt, net_tcp_now_s(sk->sk_net), 0))
		return refuse(sk, skb, saved_clamp, SKB_DROP_REASON_TCP_RFC7323_PAWS);
	if (!(th->flags & TCPHDR_SYN) || PROVE_BREAKS("MUST-10"))
		return refuse(sk, skb, saved_clamp, SKB_DROP_REASON_TCP_FLAGS);
	simultaneous_open(sk, skb, th);
	return SKB_CONSUMED;
}
