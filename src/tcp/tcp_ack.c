/* SPDX-License-Identifier: MIT */
/*
 * tcp_ack.c - an acknowledgement comes in (T7; RFC 9293 3.10.7.4 fifth, RFC 5961 5).
 *
 *	tcp_ack()
 *	  acceptable?  window update
 *	  tcp_sacktag_write_queue()    what lies beyond the hole has arrived         tcp_sack.c
 *	  tcp_clean_rtx_queue()        frees what is acknowledged, takes RTT samples
 *	  tcp_fastretrans_alert()      only if something is unusual                  tcp_recovery.c
 *	  cong_control()               cwnd grows or is led down, pacing rate        tcp_cong.c
 *	  tcp_set_xmit_timer()         loss probe or RTO                             tcp_tlp.c, tcp_rtt.c
 *	  xmit_recovery()              retransmissions that recovery allowed         tcp_retransmit.c
 *
 * The ACK of a whole super-segment frees one skb: unlink, uncharge, done.  One that ends inside trims the skb's head.
 * With nothing but a SYN or a FIN in flight tcp_active may be absent; then there are no SACKs, no recovery, no congestion control.
 */
#include "tcp/tcp_input.h"
#include "tcp/tcp_mtu_probe.h"
#include "tcp/tcp_txstamp.h"

/* RFC 9293 3.10.7.4: not from an older segment than the last update; a larger window at the same place counts. */
bool tcp_may_update_window(const struct tcp_sock *tp, uint32_t ack, uint32_t ack_seq, uint32_t nwin)
{
	return seq_after(ack, tp->snd_una) || seq_after(ack_seq, tp->snd_wl1) ||
	       (ack_seq == tp->snd_wl1 && (nwin > tp->snd_wnd || !nwin));
}

static void snd_una_update(struct tcp_sock *tp, uint32_t ack)
{
	tp->bytes_acked += ack - tp->snd_una;
	tp->snd_una = ack;
}

static void ack_update_window(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct tcphdr *th = tcp_hdr(ctx->skb);
	uint32_t nwin = PROVE_BREAKS("MUST-1") ? be16_to_cpu(th->window) & 0x7fffu : be16_to_cpu(th->window);

	if (!(th->flags & TCPHDR_SYN))
		nwin <<= tp->rx_opt.snd_wscale;
	if (tcp_may_update_window(tp, ctx->ack, ctx->ack_seq, nwin)) {
		ctx->flag |= FLAG_WIN_UPDATE;
		tp->snd_wl1 = ctx->ack_seq;
		if (tp->snd_wnd != nwin) {
			tp->snd_wnd = nwin;
			tp->pred_flags = 0;
			tcp_fast_path_check(sk);
			if (!tcp_write_queue_empty(sk))
				tcp_slow_start_after_idle_check(sk);
			if (nwin > tp->max_window) {
				tp->max_window = nwin;
				tcp_resync_mss(sk);
			}
		}
	}
	snd_una_update(tp, ctx->ack);
}

/* A zero window may have opened: the probe timer ends, or goes on. */
static void ack_probe(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct inet_connection_sock *icsk = inet_csk(sk);
	const struct sk_buff *head = tcp_send_head(sk);

	if (!head)
		return;
	if (!seq_after(TCP_SKB_CB(head)->end_seq, tcp_wnd_end(tp))) {
		icsk->icsk_backoff = 0;
		icsk->icsk_probes_tstamp_ms = 0;
		inet_csk_clear_xmit_timer(sk, ICSK_TIME_PROBE0);
		/* The sender goes on right after this ACK (tcp_data_snd_check). */
	} else {
		/* An answer puts the next probe off, not the end of the user's patience. */
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_PROBE0, tcp_probe0_within_user_timeout(sk, tcp_probe0_when_us(sk, tcp_rto_max_us(sk))));
	}
}

/* --- the retransmit queue ------------------------------------------------------------------------------------------ */

/* What one walk over the head of the retransmit queue found. */
struct clean_state {
	uint64_t first_ackt_us, last_ackt_us; /* when the oldest and newest never retransmitted skb had been sent; 0: none */
	uint32_t pkts_acked;
	bool fully_acked;
};

/* The echoed timestamp tells that not the retransmission of skb arrived but what was sent before it. */
static bool spurious_retrans(const struct tcp_sock *tp, const struct sk_buff *skb)
{
	return unlikely(TCP_SKB_CB(skb)->sacked & TCPCB_RETRANS) && tcp_echo_before(tp, (uint32_t)(skb->skb_mstamp_ns / NSEC_PER_MSEC));
}

/* Accounts the ACK of `acked` segments of skb, the first of which began at seq. */
static void account_acked(struct sock *sk, struct tcp_ack_ctx *ctx, struct clean_state *st, struct sk_buff *skb, uint32_t seq, uint32_t acked)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	if (unlikely(cb->sacked & TCPCB_RETRANS)) {
		if (cb->sacked & TCPCB_SACKED_RETRANS)
			tp->retrans_out -= acked;
		ctx->flag |= PROVE_BREAKS("MUST-18") ? 0 : FLAG_RETRANS_DATA_ACKED;
		st->first_ackt_us = PROVE_BREAKS("MUST-18") ? skb->skb_mstamp_ns / NSEC_PER_USEC : st->first_ackt_us;
	} else if (!(cb->sacked & TCPCB_SACKED_ACKED)) {
		st->last_ackt_us = skb->skb_mstamp_ns / NSEC_PER_USEC;
		if (!st->first_ackt_us)
			st->first_ackt_us = st->last_ackt_us;
		if (seq_before(seq, ctx->reord))
			ctx->reord = seq;
		if (!seq_after(cb->end_seq, tp->high_seq))
			ctx->flag |= FLAG_ORIG_SACK_ACKED;
	}
	if (unlikely(cb->sacked & TCPCB_SACKED_ACKED)) {
		tcp_sack_forget(sk, acked);
	} else if (tcp_is_sack(tp)) {
		tp->delivered += acked;
		if (!spurious_retrans(tp, skb))
			tcp_rack_advance(sk, skb);
	}
	if (unlikely(cb->sacked & TCPCB_LOST))
		tp->lost_out -= acked;
	tp->packets_out -= acked;
	st->pkts_acked += acked;
	tcp_rate_skb_delivered(sk, skb, &ctx->rs);
	if (likely(!(cb->tcp_flags & TCPHDR_SYN))) {
		ctx->flag |= FLAG_DATA_ACKED;
	} else {
		ctx->flag |= FLAG_SYN_ACKED;
		if (tp->active)
			tp->active->retrans_stamp_ms = 0;
	}
}

/* The ACK ends inside skb: cuts its head.  Segments that went. */
static uint32_t trim_acked(struct sock *sk, struct sk_buff *skb)
{
	uint32_t before = tcp_skb_pcount(skb);

	if (tcp_trim_head(sk, skb, tcp_sk(sk)->snd_una - TCP_SKB_CB(skb)->seq))
		return 0;
	return before - tcp_skb_pcount(skb);
}

/* Frees what lies below snd_una. Returns the skb that is now the head. */
static struct sk_buff *free_acked(struct sock *sk, struct tcp_ack_ctx *ctx, struct clean_state *st)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb = tcp_rtx_queue_head(sk), *next;

	for (; skb; skb = next) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		uint32_t seq = cb->seq, acked;

		if (seq_after(cb->end_seq, tp->snd_una)) {
			if (tcp_skb_pcount(skb) == 1 || !seq_after(tp->snd_una, seq))
				break;
			acked = trim_acked(sk, skb);
			if (acked) {
				st->fully_acked = false;
				account_acked(sk, ctx, st, skb, seq, acked);
			}
			break;
		}
		account_acked(sk, ctx, st, skb, seq, tcp_skb_pcount(skb));
		next = rb_to_skb(rb_next(&skb->rbnode));
		tcp_ack_tstamp(sk, skb, ctx->skb, ctx->prior_snd_una);
		tcp_rtx_queue_unlink(skb, sk);
		tcp_free_skb(sk, skb);
	}
	if (!skb)
		return NULL;
	tcp_ack_tstamp(sk, skb, ctx->skb, ctx->prior_snd_una);
	if (TCP_SKB_CB(skb)->sacked & TCPCB_SACKED_ACKED)
		ctx->flag |= FLAG_SACK_RENEGING;
	return skb;
}

static int64_t elapsed_us(const struct tcp_sock *tp, uint64_t since_us)
{
	return tp->tcp_mstamp_us > since_us ? (int64_t)(tp->tcp_mstamp_us - since_us) : 0;
}

/* RTT samples of this ACK; the congestion control gets the newest. */
static bool take_rtt(struct sock *sk, struct tcp_ack_ctx *ctx, const struct clean_state *st, int64_t *sack_rtt_us, int64_t *ca_rtt_us)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	int64_t seq_rtt_us = -1;

	*sack_rtt_us = *ca_rtt_us = -1;
	if (likely(st->first_ackt_us) && !(ctx->flag & FLAG_RETRANS_DATA_ACKED)) {
		seq_rtt_us = elapsed_us(tp, st->first_ackt_us);
		*ca_rtt_us = elapsed_us(tp, st->last_ackt_us);
		if (st->pkts_acked == 1 && st->fully_acked && tp->snd_una - ctx->prior_snd_una < tp->mss_cache &&
		    tcp_packets_in_flight(tp) == 0)
			ctx->flag |= FLAG_ACK_MAYBE_DELAYED;
	}
	if (ctx->first_sackt_us) {
		*sack_rtt_us = elapsed_us(tp, ctx->first_sackt_us);
		*ca_rtt_us = elapsed_us(tp, ctx->last_sackt_us);
	}
	return tcp_ack_update_rtt(sk, ctx->flag, seq_rtt_us, *sack_rtt_us, ca_rtt_us);
}

static void tell_pkts_acked(struct sock *sk, const struct tcp_ack_ctx *ctx, const struct clean_state *st, int64_t ca_rtt_us)
{
	const struct tcp_congestion_ops *ca = inet_csk(sk)->icsk_ca_ops;
	struct ack_sample sample = {st->pkts_acked, (int32_t)MIN(ca_rtt_us, (int64_t)INT32_MAX), ctx->prior_in_flight};

	if (ca->pkts_acked && tcp_sk(sk)->active && inet_csk(sk)->icsk_ca_initialized)
		ca->pkts_acked(sk, &sample);
}

static void clean_rtx_queue(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct clean_state st = {.fully_acked = true};
	int64_t sack_rtt_us, ca_rtt_us;
	struct sk_buff *head;
	bool rtt_update;

	tcp_trace(sk, TP_tcp_clean_rtx_queue, ctx->prior_snd_una, tp->snd_una, tp->snd_una - ctx->prior_snd_una);
	head = free_acked(sk, ctx, &st);
	if (!head)
		tcp_chrono_stop(sk, TCP_CHRONO_BUSY);
	if (seq_between(tp->snd_up, ctx->prior_snd_una, tp->snd_una))
		tp->snd_up = tp->snd_una;
	rtt_update = take_rtt(sk, ctx, &st, &sack_rtt_us, &ca_rtt_us);
	ctx->rs.rtt_us = ca_rtt_us;

	if (ctx->flag & FLAG_ACKED) {
		ctx->flag |= FLAG_SET_XMIT_TIMER;
		if (unlikely(tp->mtup_enabled) && tcp_mtup_probe_acked(sk))
			tcp_mtup_probe_success(sk);
		if (!tcp_is_sack(tp)) {
			tcp_remove_reno_sacks(sk, st.pkts_acked);
			if (ctx->flag & FLAG_RETRANS_DATA_ACKED) /* without SACK nobody knows which copy it was */
				ctx->flag &= ~FLAG_ORIG_SACK_ACKED;
		} else if (seq_before(ctx->reord, ctx->prior_fack)) {
			tcp_check_sack_reordering(sk, ctx->reord, false);
		}
	} else if (head && rtt_update && sack_rtt_us >= 0 && sack_rtt_us > elapsed_us(tp, head->skb_mstamp_ns / NSEC_PER_USEC)) {
		/* Something sent after the head has arrived: the head's RTO counts from now, by the new estimate. */
		ctx->flag |= FLAG_SET_XMIT_TIMER;
	}
	tell_pkts_acked(sk, ctx, &st, ca_rtt_us);
}

/* --- congestion window -------------------------------------------------------------------------------------------------- */

/* While the path reorders, any progress may open the window; else only cumulative ACKs. */
static bool may_raise_cwnd(const struct sock *sk, int flag)
{
	if (tcp_sk(sk)->reordering > (uint32_t)sk->sk_net->tcp->sysctl_tcp_reordering)
		return flag & FLAG_FORWARD_PROGRESS;
	return flag & FLAG_DATA_ACKED;
}

/* Segments delivered by ACKs that echo a mark. */
static void count_delivered_ce(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (unlikely(ctx->flag & FLAG_ECE)) {
		tp->delivered_ce += tp->delivered - ctx->ce_counted;
		NET_ADD_STATS(sk->sk_net, TCPDeliveredCE, tp->delivered - ctx->ce_counted);
	}
	ctx->ce_counted = tp->delivered;
}

/* For algorithms that look at each ACK, before anything is concluded from it. */
static void tell_ack(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	const struct tcp_congestion_ops *ca = inet_csk(sk)->icsk_ca_ops;
	uint32_t flags = 0;

	if (likely(!ca->in_ack_event) || !tcp_sk(sk)->active || !inet_csk(sk)->icsk_ca_initialized)
		return;
	count_delivered_ce(sk, ctx);
	if (ctx->flag & FLAG_SLOWPATH)
		flags |= CA_ACK_SLOWPATH;
	if (ctx->flag & FLAG_WIN_UPDATE)
		flags |= CA_ACK_WIN_UPDATE;
	if (ctx->flag & FLAG_ECE)
		flags |= CA_ACK_ECE;
	ca->in_ack_event(sk, flags);
}

static void cong_control(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct tcp_congestion_ops *ca = inet_csk(sk)->icsk_ca_ops;
	uint32_t delivered = tp->delivered - ctx->prior_delivered, lost;

	if (unlikely(!tp->active))
		return;
	lost = tp->active->lost_total - ctx->prior_lost;
	count_delivered_ce(sk, ctx);
	NET_ADD_STATS(sk->sk_net, TCPDelivered, delivered);
	ctx->rs.prior_in_flight = ctx->prior_in_flight;
	ctx->rs.is_ack_delayed = (ctx->flag & FLAG_ACK_MAYBE_DELAYED) != 0;
	tcp_rate_gen(sk, delivered, lost, ctx->is_sack_reneg, &ctx->rs);
	if (unlikely(ca->cong_control)) {
		ca->cong_control(sk, ctx->ack, ctx->flag, &ctx->rs);
		return;
	}
	if (unlikely(tcp_in_cwnd_reduction(sk))) {
		tcp_cwnd_reduction(sk, delivered, lost, ctx->flag);
	} else if (may_raise_cwnd(sk, ctx->flag)) {
		tcp_trace(sk, TP_tcp_cong_avoid, ctx->prior_snd_una, tp->snd_una, tp->snd_cwnd);
		ca->cong_avoid(sk, ctx->ack, delivered);
		tp->snd_cwnd_stamp_ns = sk->sk_net->now_ns;
	}
	tcp_update_pacing_rate(sk);
}

static void xmit_recovery(struct sock *sk, const struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (likely(ctx->rexmit == REXMIT_NONE) || sk->sk_state == TCP_SYN_SENT)
		return;
	if (ctx->rexmit == REXMIT_NEW) {
		__tcp_push_pending_frames(sk, tcp_current_mss(sk), TCP_NAGLE_OFF);
		if (seq_after(tp->snd_nxt, tp->high_seq))
			return;
		tp->frto = 0; /* nothing new could be sent: RFC 5682 2b ends */
	}
	tcp_xmit_retransmit_queue(sk);
}

/* Progress by this segment proves that the next hop works: told once a second. */
static void confirm_neighbour(struct sock *sk, uint64_t prior_tstamp_ns)
{
	struct dst_entry *dst = sk->sk_dst_cache;

	if (likely(prior_tstamp_ns / NSEC_PER_SEC == sk->sk_net->now_ns / NSEC_PER_SEC))
		return;
	if (dst && dst->ops->confirm_neigh)
		dst->ops->confirm_neigh(dst, &inet_sk(sk)->inet_daddr);
}

/* --- the whole ------------------------------------------------------------------------------------------------------------ */

static bool ack_is_dubious(const struct sock *sk, int flag)
{
	return !(flag & FLAG_NOT_DUP) || (flag & FLAG_CA_ALERT) || inet_csk(sk)->icsk_ca_state != TCP_CA_Open;
}

/* Segments that this duplicate stands for: GRO may have put several pure ACKs into one skb. */
static uint32_t count_dupacks(const struct tcp_ack_ctx *ctx)
{
	if (ctx->flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DSACKING_ACK))
		return 0;
	return MAX(1u, skb_shinfo(ctx->skb)->gso_segs);
}

/* RFC 5961 5.2: an ACK further back than the largest window ever was is no old one but an attack. */
static int old_ack(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t max_window = (uint32_t)MIN((uint64_t)tp->max_window, tp->bytes_acked);

	if (seq_before(ctx->ack, ctx->prior_snd_una - max_window)) {
		if (!(ctx->flag & FLAG_NO_CHALLENGE_ACK))
			tcp_send_challenge_ack(sk);
		return -SKB_DROP_REASON_TCP_TOO_OLD_ACK;
	}
	/* Late, but its SACK blocks may still tell something. */
	if (TCP_SKB_CB(ctx->skb)->sacked && tp->active) {
		tcp_sacktag_write_queue(sk, ctx);
		tcp_fastretrans_alert(sk, ctx);
		NET_ADD_STATS(sk->sk_net, TCPDelivered, tp->delivered - ctx->prior_delivered);
		xmit_recovery(sk, ctx);
	}
	return 0;
}

/* The common case: no SACK, no window to look at, everything as predicted.  Else read all that the segment says. */
static void read_ack(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct tcp_skb_cb *cb = TCP_SKB_CB(ctx->skb);

	if ((ctx->flag & (FLAG_SLOWPATH | FLAG_SND_UNA_ADVANCED)) == FLAG_SND_UNA_ADVANCED) {
		tp->snd_wl1 = ctx->ack_seq;
		snd_una_update(tp, ctx->ack);
		ctx->flag |= FLAG_WIN_UPDATE;
		NET_INC_STATS(sk->sk_net, TCPHPAcks);
		return;
	}
	if (ctx->ack_seq != cb->end_seq)
		ctx->flag |= FLAG_DATA;
	else
		NET_INC_STATS(sk->sk_net, TCPPureAcks);
	ack_update_window(sk, ctx);
	if (cb->sacked && tp->active)
		tcp_sacktag_write_queue(sk, ctx);
	if (tcp_ecn_rcv_echo(tp, tcp_hdr(ctx->skb)))
		ctx->flag |= FLAG_ECE;
}

static void ack_in_flight(struct sock *sk, struct tcp_ack_ctx *ctx, uint64_t prior_tstamp_ns)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	clean_rtx_queue(sk, ctx);
	tcp_rack_update_reo_wnd(sk, &ctx->rs);
	tell_ack(sk, ctx);
	if (unlikely(tp->active && tp->active->tlp_high_seq))
		tcp_process_tlp_ack(sk, ctx);
	if (unlikely(ack_is_dubious(sk, ctx->flag))) {
		ctx->num_dupack = count_dupacks(ctx);
		tcp_fastretrans_alert(sk, ctx);
	}
	if (ctx->flag & FLAG_SET_XMIT_TIMER)
		tcp_set_xmit_timer(sk);
	if ((ctx->flag & FLAG_FORWARD_PROGRESS) || !(ctx->flag & FLAG_NOT_DUP))
		confirm_neighbour(sk, prior_tstamp_ns);
	cong_control(sk, ctx);
	xmit_recovery(sk, ctx);
}

static void trace_ack(struct sock *sk, const struct tcp_ack_ctx *ctx)
{
	uint32_t base = tcp_sk(sk)->isn_snd + 1;

	if (unlikely(sk->sk_net->trace.on))
		trace_record(sk->sk_net, TP_tcp_ack, sk->sk_cookie, ctx->prior_snd_una - base, ctx->ack - base, ctx->skb->len,
			     ctx->skb->trace_rx_id);
}

int tcp_ack(struct sock *sk, const struct sk_buff *skb, int flag)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct inet_connection_sock *icsk = inet_csk(sk);
	uint64_t prior_tstamp_ns = tp->rcv_tstamp_ns;
	struct tcp_ack_ctx ctx = {
		.skb = skb, .flag = flag, .ack = TCP_SKB_CB(skb)->ack_seq, .ack_seq = TCP_SKB_CB(skb)->seq,
		.prior_snd_una = tp->snd_una, .prior_fack = tcp_is_sack(tp) ? tcp_highest_sack_seq(tp) : tp->snd_una,
		.prior_in_flight = tcp_packets_in_flight(tp), .prior_delivered = tp->delivered,
		.prior_lost = tp->active ? tp->active->lost_total : 0, .reord = tp->snd_nxt,
		.is_sack_reneg = tp->is_sack_reneg, .ce_counted = tp->delivered,
	};
	uint32_t prior_packets = tp->packets_out;

	trace_ack(sk, &ctx);
	if (seq_before(ctx.ack, ctx.prior_snd_una))
		return old_ack(sk, &ctx);
	if (seq_after(ctx.ack, tp->snd_nxt)) {
		if (!(flag & FLAG_NO_CHALLENGE_ACK))
			tcp_send_challenge_ack(sk);
		return -SKB_DROP_REASON_TCP_ACK_UNSENT_DATA;
	}
	if (seq_after(ctx.ack, ctx.prior_snd_una)) {
		ctx.flag |= FLAG_SND_UNA_ADVANCED;
		icsk->icsk_retransmits = 0;
	}
	if (ctx.flag & FLAG_UPDATE_TS_RECENT)
		tcp_replace_ts_recent(tp, ctx.ack_seq);
	read_ack(sk, &ctx);

	sk->sk_err_soft = 0;
	icsk->icsk_probes_out = 0;
	tp->rcv_tstamp_ns = sk->sk_net->now_ns;
	if (prior_packets) {
		ack_in_flight(sk, &ctx, prior_tstamp_ns);
	} else {
		if (ctx.flag & FLAG_DSACKING_ACK) {
			tcp_fastretrans_alert(sk, &ctx);
			NET_ADD_STATS(sk->sk_net, TCPDelivered, tp->delivered - ctx.prior_delivered);
			xmit_recovery(sk, &ctx);
		}
		ack_probe(sk);
		if (unlikely(tp->active && tp->active->tlp_high_seq))
			tcp_process_tlp_ack(sk, &ctx);
	}
	return 1;
}
