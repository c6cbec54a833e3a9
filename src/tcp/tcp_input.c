/* SPDX-License-Identifier: MIT */
/*
 * tcp_input.c - a segment for a synchronised connection: header prediction, acceptability, urgent data, challenge ACKs.
 *
 * tcp_rcv_established() is called by tcp_ipv4.c (tcp_v4_do_rcv) with skb->data at the TCP header, the header linear and the control
 * block filled.  Header prediction (Van Jacobson): pred_flags holds the header word of length, flags and window as the
 * next segment of a one-way transfer will have it.  If it matches, and the sequence number is the expected one, there are only two cases:
 * a pure ACK (we send), or data in order (we receive), and neither needs the checks below.  pred_flags is 0, which matches nothing,
 * while anything is unusual: urgent data, holes, no buffer, a closed window.
 *
 *	slow path: tcp_validate_incoming() -> tcp_ack() -> tcp_urg() -> tcp_data_queue() -> tcp_data_snd_check() -> tcp_ack_snd_check()
 *
 * tcp_validate_incoming() is RFC 9293 3.10.7.4 first to fourth with RFC 7323 5 (PAWS) before and RFC 5961 3 and 4 inside: a RST counts only
 * with exactly the next sequence number, anything else that a blind attacker could send is answered by a challenge ACK, which is
 * rate-limited per connection (tcp_invalid_ratelimit) and per instance (tcp_challenge_ack_limit, with a random part so
 * that the limit is no side channel).
 */
#include "tcp/tcp_input.h"

/* All of the header word that prediction compares: PSH and the reserved bits may differ. */
#define TCP_HP_BITS 0xf0f7ffffU

static inline uint32_t tcp_flag_word(const struct tcphdr *th)
{
	uint32_t w;

	memcpy(&w, &th->doff_res, sizeof(w));
	return w;
}

void tcp_fast_path_on(struct tcp_sock *tp)
{
	if (unlikely(tp->md5)) { /* where the timestamps are then, prediction does not look */
		tp->pred_flags = 0;
		return;
	}
	tp->pred_flags = cpu_to_be32((uint32_t)tp->tcp_header_len << 26 | (uint32_t)TCPHDR_ACK << 16 | tp->snd_wnd >> tp->rx_opt.snd_wscale);
}

void tcp_fast_path_check(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (tcp_ofo_empty(sk) && tp->rcv_wnd && (int64_t)sk->sk_rmem_alloc < sk->sk_rcvbuf && !tp->urg_data)
		tcp_fast_path_on(tp);
}

/* --- challenge ACKs --------------------------------------------------------------------------------------------- */

static bool oow_rate_limited(struct net *net, int mib, uint32_t *last_ms)
{
	uint32_t now_ms = (uint32_t)(net->now_ns / NSEC_PER_MSEC);

	if (*last_ms && now_ms - *last_ms < (uint32_t)net->tcp->sysctl_tcp_invalid_ratelimit) {
		net->mib.counter[mib]++;
		return true;
	}
	*last_ms = now_ms ? now_ms : 1;
	return false;
}

/* Segments with data are answered always: their sender needs to hear. */
bool tcp_oow_rate_limited(struct net *net, const struct sk_buff *skb, int mib, uint32_t *last_oow_ack_time_ms)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (cb->seq != cb->end_seq && !(cb->tcp_flags & TCPHDR_SYN))
		return false;
	return oow_rate_limited(net, mib, last_oow_ack_time_ms);
}

static bool challenge_budget(struct net *net)
{
	struct netns_tcp *nt = net->tcp;
	uint64_t second = net->now_ns / NSEC_PER_SEC + 1;
	uint32_t limit = (uint32_t)MAX(nt->sysctl_tcp_challenge_ack_limit, 0);

	if (limit == INT32_MAX)
		return true;
	if (nt->challenge_second != second) {
		nt->challenge_second = second;
		nt->challenge_count = limit ? (limit + 1) / 2 + net_random_below(net, limit) : 0;
	}
	if (!nt->challenge_count)
		return false;
	nt->challenge_count--;
	return true;
}

void tcp_send_challenge_ack(struct sock *sk)
{
	struct net *net = sk->sk_net;

	if (oow_rate_limited(net, MIB_TCPACKSkippedChallenge, &tcp_sk(sk)->last_oow_ack_time_ms) || !challenge_budget(net))
		return;
	NET_INC_STATS(net, TCPChallengeACK);
	tcp_send_ack(sk);
}

/* --- acceptability ------------------------------------------------------------------------------------------------ */

/*
 * A pure ACK that was overtaken: older timestamp, nothing new in it.  It is no attack and no old duplicate from a former
 * wrap, so it may pass PAWS if it is younger than an RTO.
 */
static bool disordered_ack(const struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	const struct tcphdr *th = tcp_hdr(skb);
	uint32_t nwin = (uint32_t)be16_to_cpu(th->window) << tp->rx_opt.snd_wscale;

	return (th->flags & TCPHDR_ACK) && cb->seq == cb->end_seq && cb->seq == tp->rcv_nxt && cb->ack_seq == tp->snd_una &&
	       !tcp_may_update_window(tp, cb->ack_seq, cb->seq, nwin) &&
	       (int32_t)(tp->rx_opt.ts_recent - tp->rx_opt.rcv_tsval) <= (int32_t)(inet_csk(sk)->icsk_rto_us / 1000);
}

static bool paws_discard(const struct sock *sk, const struct sk_buff *skb)
{
	return !tcp_paws_check(tcp_sk(sk), TCP_PAWS_WINDOW) && !disordered_ack(sk, skb);
}

static bool ends_in_window(const struct tcp_sock *tp, uint32_t end_seq)
{
	return !seq_after(end_seq, tp->rcv_nxt + tcp_receive_window(tp));
}

/*
 * RFC 9293 3.4: some part of the segment lies in the window; one behind it is taken as "at its edge", for the probe's sake.  Data that runs over
 * the edge is taken only by a reader who is up to date: else a peer that minds no window would fill the memory.  A FIN takes none.
 */
static enum skb_drop_reason check_sequence(struct sock *sk, const struct tcp_skb_cb *cb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t data_end = cb->end_seq - !!(cb->tcp_flags & TCPHDR_FIN);

	if (seq_before(cb->end_seq, tp->rcv_wup))
		return SKB_DROP_REASON_TCP_OLD_SEQUENCE;
	if (likely(ends_in_window(tp, data_end)))
		return SKB_CONSUMED;
	if (!ends_in_window(tp, cb->seq))
		return SKB_DROP_REASON_TCP_INVALID_SEQUENCE;
	return skb_queue_empty(&sk->sk_receive_queue) ? SKB_CONSUMED : SKB_DROP_REASON_TCP_INVALID_END_SEQUENCE;
}

/* After our FIN was answered by the peer's, its RST may carry the number of that FIN. */
static bool reset_at_fin(const struct sock *sk, const struct tcp_skb_cb *cb)
{
	return cb->seq == tcp_sk(sk)->rcv_nxt - 1 &&
	       (TCPF(sk->sk_state) & (TCPF(TCP_CLOSE_WAIT) | TCPF(TCP_LAST_ACK) | TCPF(TCP_CLOSING)));
}

/*
 * RFC 5961 3.2: exactly RCV.NXT resets.  While we have holes the peer may know only our SACKs: the right edge of the rightmost block
 * is as hard to guess.
 */
static bool reset_is_exact(const struct sock *sk, const struct tcp_skb_cb *cb)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (cb->seq == tp->rcv_nxt || reset_at_fin(sk, cb))
		return true;
	if (!tcp_is_sack(tp) || !tp->rx_opt.num_sacks || !tp->active)
		return false;
	uint32_t right = tp->active->selective_acks[0].end_seq;
	for (unsigned i = 1; i < tp->rx_opt.num_sacks; i++)
		if (seq_after(tp->active->selective_acks[i].end_seq, right))
			right = tp->active->selective_acks[i].end_seq;
	return cb->seq == right;
}

static bool drop_syn(struct sock *sk, struct sk_buff *skb, int syn_inerr)
{
	if (syn_inerr)
		NET_INC_STATS(sk->sk_net, TcpInErrs);
	NET_INC_STATS(sk->sk_net, TCPSYNChallenge);
	tcp_send_challenge_ack(sk);
	tcp_drop(sk, skb, SKB_DROP_REASON_TCP_INVALID_SYN);
	return false;
}

static bool drop_paws(struct sock *sk, struct sk_buff *skb)
{
	NET_INC_STATS(sk->sk_net, PAWSEstab);
	if (!tcp_oow_rate_limited(sk->sk_net, skb, MIB_TCPACKSkippedPAWS, &tcp_sk(sk)->last_oow_ack_time_ms))
		tcp_send_dupack(sk, skb);
	tcp_drop(sk, skb, SKB_DROP_REASON_TCP_RFC7323_PAWS);
	return false;
}

/* It has had its effect: that is no drop. */
static bool accept_rst(struct sock *sk, struct sk_buff *skb)
{
	tcp_reset(sk, skb);
	skb_drop(skb, SKB_DROP_REASON_TCP_RESET);
	return false;
}

static bool drop_out_of_window(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th, enum skb_drop_reason reason)
{
	if (reason != SKB_DROP_REASON_TCP_OLD_SEQUENCE)
		NET_INC_STATS(sk->sk_net, BeyondWindow);
	if (!(th->flags & TCPHDR_RST)) {
		if (!tcp_oow_rate_limited(sk->sk_net, skb, MIB_TCPACKSkippedSeq, &tcp_sk(sk)->last_oow_ack_time_ms))
			tcp_send_dupack(sk, skb);
	} else if (reset_at_fin(sk, TCP_SKB_CB(skb))) {
		return accept_rst(sk, skb);
	}
	tcp_drop(sk, skb, reason);
	return false;
}

static bool handle_rst(struct sock *sk, struct sk_buff *skb)
{
	if (reset_is_exact(sk, TCP_SKB_CB(skb)) && !(PROVE_BREAKS("SHLD-2") && skb->len > tcp_hdrlen_of(tcp_hdr(skb))))
		return accept_rst(sk, skb);
	tcp_send_challenge_ack(sk);
	tcp_drop(sk, skb, SKB_DROP_REASON_TCP_RESET);
	return false;
}

/* The SYN-ACK of a simultaneous open, which acknowledges our SYN and repeats the peer's: harmless, go on. */
static bool crossing_synack(const struct sock *sk, const struct sk_buff *skb, const struct tcphdr *th)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	return sk->sk_state == TCP_SYN_RECV && sk->sk_socket && (th->flags & TCPHDR_ACK) && cb->seq + 1 == cb->end_seq &&
	       cb->seq + 1 == tp->rcv_nxt && cb->ack_seq == tp->snd_nxt;
}

bool tcp_validate_incoming(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th, int syn_inerr)
{
	enum skb_drop_reason reason;

	if (PROVE_BREAKS("MUST-5") && tcp_hdrlen_of(th) > sizeof(*th)) {
		skb_drop(skb, SKB_DROP_REASON_TCP_FLAGS);
		return false;
	}
	/* A RST passes PAWS: RFC 7323 5.2. */
	if (tcp_fast_parse_options(sk, skb, th) && paws_discard(sk, skb) && !(th->flags & TCPHDR_RST))
		return th->flags & TCPHDR_SYN ? drop_syn(sk, skb, syn_inerr) : drop_paws(sk, skb);

	reason = check_sequence(sk, TCP_SKB_CB(skb));
	if (unlikely(reason)) {
		if ((th->flags & (TCPHDR_SYN | TCPHDR_RST)) == TCPHDR_SYN && !crossing_synack(sk, skb, th))
			return drop_syn(sk, skb, syn_inerr);
		return drop_out_of_window(sk, skb, th, reason);
	}
	if (unlikely(th->flags & TCPHDR_RST))
		return handle_rst(sk, skb);
	if (unlikely(th->flags & TCPHDR_SYN) && !crossing_synack(sk, skb, th))
		return drop_syn(sk, skb, syn_inerr);
	return true;
}

/* --- urgent data (RFC 9293 3.8.5, RFC 6093) --------------------------------------------------------------------- */

/* The urgent byte of before lies unread at the head: it is then part of no stream any more, as BSD had it. */
static void skip_old_urgent_byte(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb = skb_peek(&sk->sk_receive_queue);

	tp->copied_seq++;
	if (skb && !seq_before(tp->copied_seq, TCP_SKB_CB(skb)->end_seq)) {
		skb_unlink(skb, &sk->sk_receive_queue);
		skb_consume(skb);
	}
}

static void check_urg(struct sock *sk, const struct tcphdr *th)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t ptr = be16_to_cpu(th->urg_ptr);

	/* BSD points behind the urgent byte; tcp_stdurg takes RFC 1122's word. */
	if (ptr && !sk->sk_net->tcp->sysctl_tcp_stdurg)
		ptr--;
	ptr += be32_to_cpu(th->seq);
	if (seq_after(tp->copied_seq, ptr) || seq_before(ptr, tp->rcv_nxt))
		return;
	if (tp->urg_data && !seq_after(ptr, tp->urg_seq))
		return;
	if (tp->urg_seq == tp->copied_seq && tp->urg_data && !sock_flag(sk, SOCK_F_URGINLINE) && tp->copied_seq != tp->rcv_nxt)
		skip_old_urgent_byte(sk);
	tp->urg_data = TCP_URG_NOTYET;
	tp->urg_seq = ptr;
	tp->pred_flags = 0;
}

void tcp_urg(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint8_t byte;

	if (unlikely(th->flags & TCPHDR_URG) && !PROVE_BREAKS("MUST-32") && !(PROVE_BREAKS("MUST-66") && !tp->rcv_wnd))
		check_urg(sk, th);
	if (likely(!(tp->urg_data & TCP_URG_NOTYET)))
		return;
	uint32_t off = tp->urg_seq - be32_to_cpu(th->seq) + tcp_hdrlen_of(th) - !!(th->flags & TCPHDR_SYN);
	if (off >= skb->len || skb_copy_bits(skb, off, &byte, 1))
		return;
	tp->urg_data = TCP_URG_VALID | byte;
	if (!sock_flag(sk, SOCK_F_DEAD))
		sk_data_ready(sk);
}

/* --- established -------------------------------------------------------------------------------------------------- */

void tcp_data_snd_check(struct sock *sk)
{
	tcp_push_pending_frames(sk);
	tcp_check_space(sk);
}

/* The timestamp of a predicted segment: false sends it down the slow path. */
static bool predict_timestamp(struct tcp_sock *tp, const struct tcphdr *th)
{
	tp->rx_opt.saw_tstamp = 0;
	if (tp->tcp_header_len != sizeof(*th) + TCPOLEN_TSTAMP_ALIGNED)
		return true;
	return tcp_parse_aligned_timestamp(tp, th) && (int32_t)(tp->rx_opt.rcv_tsval - tp->rx_opt.ts_recent) >= 0;
}

static bool header_predicted(struct tcp_sock *tp, const struct sk_buff *skb, const struct tcphdr *th)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	/* An ACK of the past takes the slow path, which refuses data with one that is too old (RFC 5961 5.2); so does data beyond the window. */
	return tp->pred_flags && (tcp_flag_word(th) & cpu_to_be32(TCP_HP_BITS)) == tp->pred_flags && cb->seq == tp->rcv_nxt &&
	       seq_between(cb->ack_seq, tp->snd_una, tp->snd_nxt) && ends_in_window(tp, cb->end_seq) && predict_timestamp(tp, th);
}

/* We send, the peer acknowledges. Consumes skb. */
static void fast_pure_ack(struct sock *sk, struct sk_buff *skb)
{
	tcp_ack(sk, skb, 0);
	skb_consume(skb);
	tcp_data_snd_check(sk);
}

/* The peer sends, in order. Consumes skb. */
static void fast_data(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t ack_seq = TCP_SKB_CB(skb)->ack_seq;

	tcp_rcv_rtt_measure_ts(sk, skb);
	NET_INC_STATS(sk->sk_net, TCPHPHits);
	if (ack_seq != tp->snd_una)
		tcp_ack(sk, skb, FLAG_DATA);
	else
		tp->snd_wl1 = TCP_SKB_CB(skb)->seq;
	tcp_data_queue(sk, skb);
	if (tcp_send_head(sk) || sock_flag(sk, SOCK_F_NOSPACE))
		tcp_data_snd_check(sk);
	if (inet_csk_ack_scheduled(sk))
		__tcp_ack_snd_check(sk, false);
}

static void slow_path(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th)
{
	int res = tcp_ack(sk, skb, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT);

	if (res < 0) {
		tcp_drop(sk, skb, (enum skb_drop_reason)-res);
		return;
	}
	tcp_rcv_rtt_measure_ts(sk, skb);
	tcp_urg(sk, skb, th);
	tcp_data_queue(sk, skb);
	tcp_data_snd_check(sk);
	tcp_ack_snd_check(sk);
}

void tcp_rcv_established(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct tcphdr *th = tcp_hdr(skb);
	unsigned hdrlen = tcp_hdrlen_of(th);

	trace_skb(skb, TP_tcp_rcv_established);
	tcp_mstamp_refresh(tp);
	if (unlikely(skb->len < hdrlen)) {
		NET_INC_STATS(sk->sk_net, TcpInErrs);
		tcp_drop(sk, skb, SKB_DROP_REASON_PKT_TOO_SMALL);
		return;
	}
	if (likely(header_predicted(tp, skb, th))) {
		/* RFC 7323 4.3, of a segment known to be at RCV.NXT. */
		if (tp->rx_opt.saw_tstamp && tp->rcv_nxt == tp->rcv_wup)
			tcp_store_ts_recent(tp);
		if (skb->len == hdrlen) {
			fast_pure_ack(sk, skb);
			return;
		}
		if (likely((int64_t)sk->sk_rmem_alloc <= sk->sk_rcvbuf && sk_rmem_schedule(sk, skb->truesize))) {
			fast_data(sk, skb);
			return;
		}
	} else {
		if (!(th->flags & (TCPHDR_ACK | TCPHDR_RST | TCPHDR_SYN))) {
			tcp_drop(sk, skb, SKB_DROP_REASON_TCP_FLAGS);
			return;
		}
		if (!tcp_validate_incoming(sk, skb, th, 1))
			return;
	}
	slow_path(sk, skb, th);
}
