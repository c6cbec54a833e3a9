/* SPDX-License-Identifier: MIT */
/*
 * tcp_retransmit.c - sending again (T11): one skb, or all that recovery marked lost as the window allows.
 *
 * What is lost is decided elsewhere (tcp_sack.c, tcp_recovery.c, tcp_timer.c) and stands in tcb->sacked; here it is cut to what may go, merged with
 * its neighbours when the MSS grew or small segments lie in a row, sent, and counted (retrans_out).  A segment whose earlier copy is still
 * in qdisc or driver is not sent again: it is not lost, it never left.  RFC 9293 3.8.1, RFC 6675 (which, when), RFC 3168 6.1.5.
 */
#include "tcp/tcp_input.h"
#include "tcp/tcp_mtu_probe.h"
#include "tcp/tcp_output.h"

/* --- merging small segments ------------------------------------------------------------------------------------------- */

static struct sk_buff *rtx_next(const struct sk_buff *skb) { return rb_to_skb(rb_next(&skb->rbnode)); }

/* next can become the tail of skb: a plain single segment with nothing said about it by the peer, and nothing of it below. */
static bool can_collapse(const struct sk_buff *skb, const struct sk_buff *next)
{
	const struct tcp_skb_cb *tcb = TCP_SKB_CB(next);

	return tcp_skb_pcount(next) == 1 && !skb_fclone_busy(next) && !skb_cloned(next) && !(tcb->sacked & TCPCB_SACKED_ACKED) &&
	       !(tcb->tcp_flags & TCPHDR_SYN) && !TCP_SKB_CB(skb)->eor && !skb_has_frag_list(next);
}

void tcp_skb_collapse_tstamp(struct sk_buff *skb, const struct sk_buff *next)
{
	if (!TCP_SKB_CB(next)->txstamp_ack)
		return;
	skb_shinfo(skb)->tx_flags |= skb_shinfo(next)->tx_flags;
	skb_shinfo(skb)->tskey = skb_shinfo(next)->tskey;
	TCP_SKB_CB(skb)->txstamp_ack = 1;
}

/* next's bytes behind skb's: copied into the linear room, else its frags shared.  False: they do not fit. */
static bool append_payload(struct sock *sk, struct sk_buff *skb, struct sk_buff *next)
{
	const struct skb_shared_info *from = skb_shinfo(next);
	unsigned i, n = next->len;

	if (n <= skb_tailroom(skb)) {
		skb_copy_bits(next, 0, skb_put(skb, n), n);
		sock_net(sk)->copied.collapse += n;
		return true;
	}
	if (skb_headlen(next) || skb_shinfo(skb)->nr_frags + from->nr_frags > MAX_SKB_FRAGS)
		return false;
	for (i = 0; i < from->nr_frags; i++) {
		frag_owner_get(from->frags[i].owner);
		skb_add_frag(skb, from->frags[i].addr, from->frags[i].len, from->frags[i].owner);
	}
	skb->truesize += n;
	sk_wmem_charge(sk, (int)n);
	return true;
}

static bool collapse_one(struct sock *sk, struct sk_buff *skb, struct sk_buff *next)
{
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb), *ncb = TCP_SKB_CB(next);

	if (next->len && !append_payload(sk, skb, next))
		return false;
	tcb->end_seq = ncb->end_seq;
	tcb->tcp_flags |= ncb->tcp_flags;
	tcb->sacked |= ncb->sacked & TCPCB_EVER_RETRANS;
	tcb->eor = ncb->eor;
	tcp_adjust_pcount(sk, next, (int)tcp_skb_pcount(next));
	tcp_skb_collapse_tstamp(skb, next);
	tcp_rtx_queue_unlink(next, sk);
	tcp_free_skb(sk, next);
	return true;
}

/* Small segments behind skb join it up to `space` bytes: fewer headers, fewer losses (RFC 9293 3.8.1 allows repacketising). */
static void try_collapse(struct sock *sk, struct sk_buff *skb, unsigned space)
{
	struct sk_buff *next;
	unsigned pcount = tcp_skb_pcount(skb);

	if (!sock_net(sk)->tcp->sysctl_tcp_retrans_collapse || (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_SYN) || pcount > 1)
		return;
	while ((next = rtx_next(skb)) && can_collapse(skb, next)) {
		if (skb->len + next->len > space || seq_after(TCP_SKB_CB(next)->end_seq, tcp_wnd_end(tcp_sk(sk))))
			return;
		if (!collapse_one(sk, skb, next))
			return;
	}
}

/* --- one skb ------------------------------------------------------------------------------------------------------------- */

/* What the peer acknowledged of skb goes.  0 or -errno. */
static int drop_acked_part(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);
	uint32_t una = tcp_sk(sk)->snd_una;
	int segs = (int)tcp_skb_pcount(skb), err;

	if (likely(!seq_before(tcb->seq, una)))
		return 0;
	if (tcb->tcp_flags & TCPHDR_SYN) {
		tcb->tcp_flags &= (uint8_t)~TCPHDR_SYN;
		tcb->seq++;
		if (!seq_before(tcb->seq, una))
			return 0;
	}
	if (seq_before(tcb->end_seq, una))
		return -EINVAL;
	err = tcp_trim_head(sk, skb, MIN(una - tcb->seq, skb->len));
	if (!err && segs != (int)tcp_skb_pcount(skb))
		tcp_adjust_pcount(sk, skb, segs - (int)tcp_skb_pcount(skb));
	return err;
}

/* Cuts skb to at most segs segments within the window, or lets it grow by its neighbours.  0 or -errno. */
static int fit_for_retransmit(struct sock *sk, struct sk_buff *skb, unsigned segs)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	unsigned mss = tcp_current_mss(sk), len = mss * segs;
	int32_t window = (int32_t)(tcp_wnd_end(tp) - TCP_SKB_CB(skb)->seq);
	int diff;

	if (window <= 0) {
		if (TCP_SKB_CB(skb)->seq != tp->snd_una || PROVE_BREAKS("MUST-35"))
			return -EAGAIN;
		window = (int32_t)mss; /* the window was shrunk: the first segment goes as a probe */
	}
	if (len > (unsigned)window && !PROVE_BREAKS("SHLD-16"))
		len = (unsigned)window >= mss ? (unsigned)window - (unsigned)window % mss : (unsigned)window;
	if (skb->len > len)
		return tcp_fragment(sk, true, skb, len, mss, MEM_RESERVE);
	if (tcp_skb_unclone(skb, MEM_RESERVE))
		return -ENOMEM;
	diff = (int)tcp_skb_pcount(skb);
	tcp_set_skb_tso_segs(skb, mss);
	diff -= (int)tcp_skb_pcount(skb);
	if (diff)
		tcp_adjust_pcount(sk, skb, diff);
	window = MIN(window, (int32_t)mss);
	if (skb->len < (unsigned)window)
		try_collapse(sk, skb, (unsigned)window);
	return 0;
}

/* A SYN that asked for ECN and got no answer may have been dropped for it (RFC 3168 6.1.1.1). */
static void ecn_fallback(struct sock *sk, struct sk_buff *skb)
{
	const uint8_t asks = TCPHDR_SYN | TCPHDR_ECE | TCPHDR_CWR;

	if ((TCP_SKB_CB(skb)->tcp_flags & asks) == asks && sock_net(sk)->tcp->sysctl_tcp_ecn_fallback)
		TCP_SKB_CB(skb)->tcp_flags &= (uint8_t)~(TCPHDR_ECE | TCPHDR_CWR);
}

/* Sends skb again without counting it in retrans_out. */
static int retransmit_one(struct sock *sk, struct sk_buff *skb, unsigned segs)
{
	struct net *net = sock_net(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	int err;

	tcp_trace(sk, TP_tcp_retransmit_skb, TCP_SKB_CB(skb)->seq, TCP_SKB_CB(skb)->end_seq, skb->len);
	if (unlikely(tp->mtup_on))
		tcp_mtup_forget_probe(sk);
	if (unlikely(skb_fclone_busy(skb))) {
		NET_INC_STATS(net, TCPSpuriousRtxHostQueues);
		if (tp->active)
			sk->sk_tsq_flags |= TSQ_THROTTLED; /* the completion comes back to us */
		return -EBUSY;
	}
	err = drop_acked_part(sk, skb);
	if (err)
		return err;
	if (inet_csk(sk)->icsk_af_ops->rebuild_header(sk))
		return -EHOSTUNREACH;
	err = fit_for_retransmit(sk, skb, segs);
	if (err)
		return err;
	ecn_fallback(sk, skb);
	segs = tcp_skb_pcount(skb);
	NET_ADD_STATS(net, TcpRetransSegs, segs);
	if (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_SYN)
		NET_INC_STATS(net, TCPSynRetrans);
	tp->total_retrans += segs;
	tp->bytes_retrans += skb->len;
	/* Even if it fails: an RTT sample must not be taken from a transmission that may not have happened. */
	TCP_SKB_CB(skb)->sacked |= TCPCB_EVER_RETRANS;
	err = tcp_transmit_skb(sk, skb, 1, MEM_RESERVE);
	if (err)
		NET_ADD_STATS(net, TCPRetransFail, segs);
	else
		tcp_rack_sent_again(sk, skb);
	return err;
}

int tcp_retransmit_probe(struct sock *sk, struct sk_buff *skb)
{
	tcp_mstamp_refresh(tcp_sk(sk));
	return retransmit_one(sk, skb, 1);
}

/* An episode begins with its first retransmission; that of a SYN with the SYN itself, whose late answer must still be known by its echo. */
static uint32_t episode_stamp_ms(const struct tcp_sock *tp, const struct sk_buff *skb)
{
	uint32_t ms = TCP_SKB_CB(skb)->tcp_flags & TCPHDR_SYN ? (uint32_t)(skb->skb_mstamp_ns / NSEC_PER_MSEC) : tcp_time_stamp_ms(tp);

	return ms ? ms : 1;
}

/*
 * Sends up to segs segments of skb, of the retransmit queue, again.  0; -EBUSY: its last copy is still below; -EAGAIN: outside the window;
 * -EHOSTUNREACH, -ENOMEM, -ENOBUFS ...: not sent.
 */
int tcp_retransmit_skb(struct sock *sk, struct sk_buff *skb, int segs)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act;
	uint32_t stamp_ms;
	int err;

	(void)tcp_activate(sk); /* without it this episode keeps no notes, and is retransmitted all the same */
	tcp_mstamp_refresh(tp);
	stamp_ms = episode_stamp_ms(tp, skb);
	err = retransmit_one(sk, skb, (unsigned)segs);
	if (!err) {
		if (!(TCP_SKB_CB(skb)->sacked & TCPCB_SACKED_RETRANS))
			tp->retrans_out += tcp_skb_pcount(skb);
		TCP_SKB_CB(skb)->sacked |= TCPCB_RETRANS & ~TCPCB_REPAIRED;
	}
	act = tp->active;
	if (act) {
		/* Undo and the limits of patience count from the first attempt, sent or not. */
		if (!act->retrans_stamp_ms)
			act->retrans_stamp_ms = stamp_ms;
		if (act->undo_retrans < 0)
			act->undo_retrans = 0;
		act->undo_retrans += (int32_t)tcp_skb_pcount(skb);
	}
	return err;
}

/* --- what recovery marked lost ----------------------------------------------------------------------------------------------- */

static void count_retransmit(struct sock *sk, unsigned segs)
{
	if (inet_csk(sk)->icsk_ca_state == TCP_CA_Loss)
		NET_ADD_STATS(sock_net(sk), TCPSlowStartRetrans, segs);
	else
		NET_ADD_STATS(sock_net(sk), TCPFastRetrans, segs);
	if (tcp_in_cwnd_reduction(sk) && tcp_sk(sk)->active)
		tcp_sk(sk)->active->prr_out += segs;
}

/* What is lost goes again, lowest first, while cwnd lasts. */
void tcp_xmit_retransmit_queue(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;
	bool rearm = false;
	unsigned max_segs;

	if (!tp->packets_out || !act || list_empty(&act->lost_list))
		return;
	max_segs = tcp_tso_segs(sk, tcp_current_mss(sk));
	while (!list_empty(&act->lost_list)) {
		struct sk_buff *skb = list_first_entry(&act->lost_list, struct sk_buff, tcp_tsorted);
		uint32_t in_flight = tcp_packets_in_flight(tp);

		if (in_flight >= tp->snd_cwnd || tcp_pacing_check(sk) || tcp_small_queue_check(sk, skb, 1))
			break;
		if (tcp_retransmit_skb(sk, skb, (int)MIN(tp->snd_cwnd - in_flight, max_segs)))
			break;
		count_retransmit(sk, tcp_skb_pcount(skb));
		if (TCP_SKB_CB(skb)->seq == tp->snd_una && inet_csk(sk)->icsk_pending != ICSK_TIME_REO_TIMEOUT)
			rearm = true; /* the head */
	}
	if (rearm)
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, inet_csk(sk)->icsk_rto_us + tcp_pacing_delay_us(sk));
}
