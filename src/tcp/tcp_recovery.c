/* SPDX-License-Identifier: MIT */
/*
 * tcp_recovery.c - what an unusual ACK means and what is done about it (T11): the congestion states.
 *
 *	Open      nothing unusual
 *	Disorder  duplicate ACKs or SACKs, not yet enough to call it loss; new data goes out meanwhile (limited transmit, RFC 3042:
 *	          SACKed segments, or duplicate ACKs without SACK, leave the flight, so the window lets new ones in)
 *	CWR       the window is led down for ECN or local congestion; nothing is lost
 *	Recovery  fast retransmit: lost segments go out again, the window is led down
 *	Loss      after an RTO: all is lost, slow start from one segment
 *
 * CWR, Recovery and Loss last until snd_una reaches high_seq, the snd_nxt of when they began.
 *
 *	tcp_fastretrans_alert()   called by tcp_ack() for dubious ACKs: leave a finished state, then the step of the present one
 *	tcp_enter_loss()          called by the RTO
 *	tcp_cwnd_reduction()      proportional rate reduction (RFC 6937, RFC 9937) while in CWR or Recovery
 *
 * Which segments are lost is said by tcp_sack.c (RFC 6675) or, without SACK, here: the head (RFC 6582 NewReno), with duplicate ACKs counted
 * in sacked_out.  Retransmission itself is tcp_xmit_retransmit_queue() (tcp_output.c).  RACK-TLP (RFC 8985) will replace identify_losses();
 * F-RTO has its place in step_loss().  Undo: tcp_undo.c.
 */
#include "tcp/tcp_input.h"

/* --- window reduction ----------------------------------------------------------------------------------------------- */

static uint32_t current_ssthresh(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (tcp_in_cwnd_reduction(sk))
		return tp->snd_ssthresh;
	return MAX(tp->snd_ssthresh, (tp->snd_cwnd >> 1) + (tp->snd_cwnd >> 2));
}

static void ecn_queue_cwr(struct tcp_sock *tp)
{
	if (tp->ecn_flags & TCP_ECN_OK)
		tp->ecn_flags |= TCP_ECN_QUEUE_CWR;
}

static void init_cwnd_reduction(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;

	tp->high_seq = tp->snd_nxt;
	tp->snd_cwnd_cnt = 0;
	act->prior_cwnd = tp->snd_cwnd;
	act->prr_delivered = act->prr_out = 0;
	tp->snd_ssthresh = inet_csk(sk)->icsk_ca_ops->ssthresh(sk);
	ecn_queue_cwr(tp);
}

/*
 * PRR: for each segment delivered, ssthresh / prior_cwnd go out; below ssthresh, as many as were delivered, and one more while
 * recovery makes good progress (slow-start reduction bound), up to ssthresh.
 */
void tcp_cwnd_reduction(struct sock *sk, uint32_t newly_acked_sacked, uint32_t newly_lost, int flag)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	int64_t in_flight = tcp_packets_in_flight(tp), room = (int64_t)tp->snd_ssthresh - in_flight, send;

	if (!newly_acked_sacked || !act->prior_cwnd)
		return;
	act->prr_delivered += newly_acked_sacked;
	if (room < 0) {
		uint64_t dividend = (uint64_t)tp->snd_ssthresh * act->prr_delivered + act->prior_cwnd - 1;
		send = (int64_t)(dividend / act->prior_cwnd) - act->prr_out;
	} else {
		send = MAX((int64_t)act->prr_delivered - act->prr_out, (int64_t)newly_acked_sacked);
		if ((flag & FLAG_SND_UNA_ADVANCED) && !newly_lost)
			send++;
		send = MIN(room, send);
	}
	/* The first retransmission goes at once. */
	send = MAX(send, act->prr_out ? 0 : 1);
	tp->snd_cwnd = (uint32_t)(in_flight + send);
}

void tcp_end_cwnd_reduction(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct inet_connection_sock *icsk = inet_csk(sk);

	if (icsk->icsk_ca_ops->cong_control)
		return;
	if (tp->snd_ssthresh < TCP_INFINITE_SSTHRESH && (icsk->icsk_ca_state == TCP_CA_CWR || tp->active->undo_marker)) {
		tp->snd_cwnd = tp->snd_ssthresh;
		tp->snd_cwnd_stamp_ns = sk->sk_net->now_ns;
	}
	tcp_ca_event(sk, CA_EVENT_COMPLETE_CWR);
}

/* ECN echo, or the local queue refused a segment. */
void tcp_enter_cwr(struct sock *sk)
{
	struct tcp_active *act = tcp_act(sk);

	if (!act)
		return;
	act->prior_ssthresh = 0;
	if (inet_csk(sk)->icsk_ca_state < TCP_CA_CWR) {
		act->undo_marker = 0;
		init_cwnd_reduction(sk);
		tcp_set_ca_state(sk, TCP_CA_CWR);
	}
}

/* --- without SACK: duplicate ACKs stand for SACKed segments (RFC 5681 3.2) ----------------------------------------- */

static void reset_reno_sacks(struct tcp_sock *tp) { tp->sacked_out = 0; }

/* More duplicates than segments can be out: the network multiplies or reorders. */
static void limit_reno_sacks(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t holes = MIN(MAX(tp->lost_out, 1), tp->packets_out);

	if (tp->sacked_out + holes <= tp->packets_out)
		return;
	tp->sacked_out = tp->packets_out - holes;
	tp->reordering = MIN(tp->packets_out, (uint32_t)sk->sk_net->tcp->sysctl_tcp_max_reordering);
	tp->reordering = MAX(tp->reordering, (uint32_t)sk->sk_net->tcp->sysctl_tcp_reordering);
	tp->reord_seen++;
	NET_INC_STATS(sk->sk_net, TCPRenoReorder);
}

static void add_reno_sacks(struct sock *sk, uint32_t num_dupack)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t before = tp->sacked_out;

	if (!num_dupack)
		return;
	tp->sacked_out += num_dupack;
	limit_reno_sacks(sk);
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
		limit_reno_sacks(sk);
}

/* NewReno: the head is lost, one segment of it. */
static void mark_head_lost(struct sock *sk)
{
	struct sk_buff *head = tcp_rtx_queue_head(sk);
	unsigned mss = tcp_sk(sk)->mss_cache;

	if (!head || (TCP_SKB_CB(head)->sacked & TCPCB_LOST))
		return;
	if (tcp_skb_pcount(head) > 1 && head->len > mss)
		tcp_fragment(sk, true, head, mss, mss, MEM_NORMAL); /* without memory all of it counts as lost */
	tcp_mark_skb_lost(sk, head);
}

/* --- steps ------------------------------------------------------------------------------------------------------------ */

/* RFC 6675, or NewReno: the head at entry and at each partial ACK. */
static void identify_losses(struct sock *sk, bool entering, int flag)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (tcp_is_sack(tp)) {
		tcp_sack_mark_lost(sk);
		if (entering)
			mark_head_lost(sk);
	} else if (entering || (flag & FLAG_SND_UNA_ADVANCED)) {
		mark_head_lost(sk);
	}
}

static bool time_to_recover(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return tp->lost_out || tp->sacked_out + 1 > tp->reordering;
}

static void enter_recovery(struct sock *sk, bool ece)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;

	tcp_trace(sk, TP_tcp_enter_recovery, tp->snd_una, tp->snd_nxt, tp->sacked_out);
	if (tcp_is_sack(tp))
		NET_INC_STATS(sk->sk_net, TCPSackRecovery);
	else
		NET_INC_STATS(sk->sk_net, TCPRenoRecovery);
	act->prior_ssthresh = 0;
	tcp_init_undo(tp);
	if (!tcp_in_cwnd_reduction(sk)) {
		if (!ece)
			act->prior_ssthresh = current_ssthresh(sk);
		init_cwnd_reduction(sk);
	}
	tp->high_seq = tp->snd_nxt;
	tcp_set_ca_state(sk, TCP_CA_Recovery);
}

static void try_to_open(struct sock *sk, int flag)
{
	if (!tcp_any_retrans_done(sk))
		tcp_act(sk)->retrans_stamp_ms = 0;
	if (flag & FLAG_ECE)
		tcp_enter_cwr(sk);
	if (inet_csk(sk)->icsk_ca_state != TCP_CA_CWR)
		tcp_try_keep_open(sk);
}

/* The receiver dropped what it had SACKed: give the ACK that may be under way half a round trip, then take the RTO's way. */
static bool check_reneging(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (!(ctx->flag & FLAG_SACK_RENEGING) || !(ctx->flag & FLAG_SND_UNA_ADVANCED))
		return false;
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, MAX(tp->srtt_us >> 4, 10000u));
	ctx->flag &= ~FLAG_SET_XMIT_TIMER;
	return true;
}

/* Everything sent before the state began is acknowledged: leave it.  True: stay, nothing more to do. */
static bool leave_state(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint8_t state = inet_csk(sk)->icsk_ca_state;

	if (state == TCP_CA_Open) {
		tp->active->retrans_stamp_ms = 0;
		return false;
	}
	if (seq_before(tp->snd_una, tp->high_seq))
		return false;
	if (state == TCP_CA_CWR && tp->snd_una != tp->high_seq) {
		/* One segment more than high_seq: CWR took effect at the peer. */
		tcp_end_cwnd_reduction(sk);
		tcp_set_ca_state(sk, TCP_CA_Open);
	} else if (state == TCP_CA_Recovery) {
		if (!tcp_is_sack(tp))
			reset_reno_sacks(tp);
		if (tcp_try_undo_recovery(sk))
			return true;
		tcp_end_cwnd_reduction(sk);
	}
	return false;
}

/* False: an undo ended or suspended recovery. */
static bool step_recovery(struct sock *sk, const struct tcp_ack_ctx *ctx)
{
	if (!(ctx->flag & FLAG_SND_UNA_ADVANCED)) {
		if (!tcp_is_sack(tcp_sk(sk)))
			add_reno_sacks(sk, ctx->num_dupack);
	} else if (tcp_try_undo_partial(sk)) {
		return false;
	}
	if (tcp_try_undo_dsack(sk)) {
		tcp_try_keep_open(sk);
		return false;
	}
	return true;
}

/* False: still in Loss. */
static bool step_loss(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);
	bool advanced = ctx->flag & FLAG_SND_UNA_ADVANCED;

	if (advanced && tcp_try_undo_loss(sk, false))
		return inet_csk(sk)->icsk_ca_state == TCP_CA_Open;
	if (!seq_before(tp->snd_una, tp->high_seq)) {
		tcp_try_undo_recovery(sk);
		return inet_csk(sk)->icsk_ca_state == TCP_CA_Open;
	}
	if (!tcp_is_sack(tp)) {
		if (seq_after(tp->snd_nxt, tp->high_seq) && ctx->num_dupack)
			add_reno_sacks(sk, ctx->num_dupack);
		else if (advanced)
			reset_reno_sacks(tp);
	}
	ctx->rexmit = true;
	return false;
}

/* Open, Disorder, CWR. True: it became Recovery. */
static bool step_open(struct sock *sk, const struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (!tcp_is_sack(tp)) {
		if (ctx->flag & FLAG_SND_UNA_ADVANCED)
			reset_reno_sacks(tp);
		add_reno_sacks(sk, ctx->num_dupack);
	}
	if (inet_csk(sk)->icsk_ca_state <= TCP_CA_Disorder)
		tcp_try_undo_dsack(sk);
	if (!time_to_recover(sk)) {
		try_to_open(sk, ctx->flag);
		return false;
	}
	enter_recovery(sk, ctx->flag & FLAG_ECE);
	return true;
}

void tcp_fastretrans_alert(struct sock *sk, struct tcp_ack_ctx *ctx)
{
	struct tcp_sock *tp = tcp_sk(sk);
	bool lost_more = ctx->num_dupack || ((ctx->flag & FLAG_DATA_SACKED) && tcp_force_fast_retransmit(sk)), entering = false;

	if (unlikely(!tp->active))
		return;
	if (!tp->packets_out)
		tp->sacked_out = 0;
	if (ctx->flag & FLAG_ECE)
		tp->active->prior_ssthresh = 0;
	if (check_reneging(sk, ctx))
		return;
	DEBUG_ASSERT(tcp_left_out(tp) <= tp->packets_out);
	if (leave_state(sk))
		return;

	switch (inet_csk(sk)->icsk_ca_state) {
	case TCP_CA_Recovery:
		if (!step_recovery(sk, ctx))
			return;
		lost_more |= !tcp_is_sack(tp) && (ctx->flag & FLAG_SND_UNA_ADVANCED);
		break;
	case TCP_CA_Loss:
		if (!step_loss(sk, ctx))
			return;
		/* Open now, and this ACK may already tell of another loss. */
		__attribute__((fallthrough));
	default:
		if (!step_open(sk, ctx))
			return;
		entering = true;
	}
	if (entering || lost_more || (ctx->flag & FLAG_DATA_SACKED))
		identify_losses(sk, entering, ctx->flag);
	ctx->rexmit = true;
}

/* --- timeout ----------------------------------------------------------------------------------------------------------- */

static void mark_all_lost(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *head = tcp_rtx_queue_head(sk);

	if (head && (TCP_SKB_CB(head)->sacked & TCPCB_SACKED_ACKED)) {
		NET_INC_STATS(sk->sk_net, TCPSACKReneging);
		tp->is_sack_reneg = 1;
		tcp_sack_clear_all(sk);
	} else if (!tcp_is_sack(tp)) {
		reset_reno_sacks(tp);
	}
	for (struct sk_buff *skb = head; skb; skb = rb_to_skb(rb_next(&skb->rbnode)))
		tcp_mark_skb_lost(sk, skb);
	tp->active->retransmit_skb_hint = NULL;
}

/* RFC 5681 3.1 (ssthresh once per episode, cwnd one segment), RFC 6675 5.1. */
void tcp_enter_loss(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	struct inet_connection_sock *icsk = inet_csk(sk);
	uint32_t reordering = (uint32_t)sk->sk_net->tcp->sysctl_tcp_reordering;

	if (!act)
		return;
	mark_all_lost(sk);
	/* A lost SYN says nothing of the path's capacity: RFC 5681 3.1 cuts only the initial window. */
	if (!(TCPF(sk->sk_state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV))) &&
	    (icsk->icsk_ca_state <= TCP_CA_Disorder || !seq_after(tp->high_seq, tp->snd_una) ||
	     (icsk->icsk_ca_state == TCP_CA_Loss && !icsk->icsk_retransmits))) {
		act->prior_ssthresh = current_ssthresh(sk);
		act->prior_cwnd = tp->snd_cwnd;
		tp->snd_ssthresh = icsk->icsk_ca_ops->ssthresh(sk);
		tcp_ca_event(sk, CA_EVENT_LOSS);
		tcp_init_undo(tp);
	}
	tp->snd_cwnd = tcp_packets_in_flight(tp) + 1;
	tp->snd_cwnd_cnt = 0;
	tp->snd_cwnd_stamp_ns = sk->sk_net->now_ns;
	/* SACKs came, yet not enough for recovery: the tolerance for reordering was too large. */
	if (icsk->icsk_ca_state <= TCP_CA_Disorder && tp->sacked_out >= reordering)
		tp->reordering = MIN(tp->reordering, reordering);
	tcp_set_ca_state(sk, TCP_CA_Loss);
	tp->high_seq = tp->snd_nxt;
	ecn_queue_cwr(tp);
	tp->frto = 0;
}

void tcp_clear_retrans(struct tcp_sock *tp)
{
	tp->retrans_out = 0;
	tp->lost_out = 0;
	tp->sacked_out = 0;
	tp->is_sack_reneg = 0;
	if (tp->active) {
		tp->active->undo_marker = 0;
		tp->active->undo_retrans = -1;
		tp->active->retrans_stamp_ms = 0;
		tp->active->retransmit_skb_hint = NULL;
	}
}

/* The path MTU shrank: what is larger than a segment now is lost for sure, without any congestion. */
void tcp_simple_retransmit(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	unsigned mss = tcp_current_mss(sk);
	uint32_t before;

	if (!act)
		return;
	before = tp->lost_out;
	for (struct sk_buff *skb = tcp_rtx_queue_head(sk); skb; skb = rb_to_skb(rb_next(&skb->rbnode))) {
		unsigned seg = tcp_skb_pcount(skb) > 1 ? tcp_skb_mss(skb) : skb->len;
		if (seg > mss)
			tcp_mark_skb_lost(sk, skb);
	}
	act->retransmit_skb_hint = NULL;
	if (tp->lost_out == before)
		return;
	if (!tcp_is_sack(tp))
		limit_reno_sacks(sk);
	/* State Loss, but neither cwnd nor ssthresh is cut: the packets were too large, not too many. */
	if (inet_csk(sk)->icsk_ca_state != TCP_CA_Loss) {
		tp->high_seq = tp->snd_nxt;
		tp->snd_ssthresh = current_ssthresh(sk);
		act->prior_ssthresh = 0;
		act->undo_marker = 0;
		tcp_set_ca_state(sk, TCP_CA_Loss);
	}
	tcp_xmit_retransmit_queue(sk);
}
