/* SPDX-License-Identifier: MIT */
/*
 * tcp_transmit.c - one segment on its way (T9): a clone of what stays in the queue, the TCP header in front of it, down to IP.
 *
 * The original stays where it is for retransmission; what goes down is its clone (from the pair it was allocated with, so nothing is
 * allocated), or, while an earlier clone still lives below, a partial copy with a head of its own.  The skb that goes down is
 * charged to sk_wmem_alloc until the device is done with it (tcp_wfree, tcp_tsq.c).  A segment without data is not charged: it is
 * small and must not keep a socket from sending.
 *
 * Calls icsk_af_ops->send_check and ->queue_xmit (I1).  RFC 9293 3.1 and 3.8.5 (urgent), RFC 3168 6.1 (ECN, the sender's half).
 */
#include "tcp/tcp_cong.h"
#include "tcp/tcp_md5.h"
#include "tcp/tcp_output.h"
#include "wire/ip.h"

/* The skb that goes down in place of orig; NULL: no memory. */
static struct sk_buff *copy_for_wire(struct sk_buff *orig, enum mem_prio prio)
{
	if (PROVE_BREAKS("T3"))
		return skb_copy(orig, MAX_TCP_HEADER, prio);
	/* What was cut off in front of linear bytes (an ACK of some, a probe that took them) leaves no place for aligned headers. */
	if (unlikely(skb_cloned(orig) || ((uintptr_t)orig->data & 3)))
		return pskb_copy(orig, MAX_TCP_HEADER, prio);
	return skb_clone(orig, prio);
}

/* New data is sent ECT(0) and tells once that the window was reduced; retransmissions and pure ACKs are not ECT (RFC 3168 6.1.4, 6.1.5),
 * except under a congestion control that needs ECN (RFC 8257). */
static uint8_t ecn_send(struct sock *sk, struct sk_buff *skb, const struct tcp_skb_cb *tcb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint8_t flags = 0;

	if (likely(!(tp->ecn_flags & TCP_ECN_OK)))
		return 0;
	if (skb->len && !seq_before(tcb->seq, tp->snd_nxt)) {
		tcp_set_ect(sk, INET_ECN_ECT_0);
		if (tp->ecn_flags & TCP_ECN_QUEUE_CWR) {
			tp->ecn_flags &= (uint8_t)~TCP_ECN_QUEUE_CWR;
			flags |= TCPHDR_CWR;
			skb_shinfo(skb)->gso_type |= SKB_GSO_TCP_ECN;
		}
	} else if (!tcp_ca_needs_ecn(sk)) {
		tcp_set_ect(sk, INET_ECN_NOT_ECT);
	}
	if (tp->ecn_flags & TCP_ECN_DEMAND_CWR)
		flags |= TCPHDR_ECE;
	return flags;
}

/* The urgent pointer, where it can point that far; it is an offset from this segment's sequence number. */
static void write_urgent(const struct tcp_sock *tp, const struct tcp_skb_cb *tcb, struct tcphdr *th)
{
	if (seq_before(tp->snd_up, tcb->seq + 0x10000)) {
		th->urg_ptr = cpu_to_be16((uint16_t)(tp->snd_up - tcb->seq - PROVE_BREAKS("MUST-62")));
		th->flags |= TCPHDR_URG;
	} else if (seq_after(tcb->seq + 0xffff, tp->snd_nxt)) {
		th->urg_ptr = cpu_to_be16(0xffff);
		th->flags |= TCPHDR_URG;
	}
}

/* An ACK goes out: one quick ACK fewer, and nothing is left to be delayed. */
static void event_ack_sent(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	if (icsk->icsk_ack.quick && --icsk->icsk_ack.quick == 0)
		icsk->icsk_ack.ato_us = TCP_ATO_MIN_US; /* leaving quick-ACK mode */
	if (unlikely(tcp_sk(sk)->compressed))
		tcp_compressed_ack_sent(sk, false);
	if (icsk->icsk_ack.pending) {
		inet_csk_clear_delack_timer(sk);
		icsk->icsk_ack.pending = 0;
		icsk->icsk_ack.retry = 0;
	}
}

static void event_data_sent(struct sock *sk, unsigned segs, unsigned bytes)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct inet_connection_sock *icsk = inet_csk(sk);
	uint64_t now = sock_net(sk)->now_ns;

	if (tcp_packets_in_flight(tp) == 0)
		tcp_ca_event(sk, CA_EVENT_TX_START);
	tp->lsndtime_ns = now;
	/* An answer soon after what came in: the connection is interactive, ACKs can ride on data. */
	if (now - icsk->icsk_lrcvtime_ns < (uint64_t)icsk->icsk_ack.ato_us * NSEC_PER_USEC)
		icsk->icsk_ack.pingpong += icsk->icsk_ack.pingpong < UINT8_MAX;
	tp->data_segs_out += segs;
	tp->bytes_sent += bytes;
}

/* Pushes and fills the header.  skb->len is the payload before, the segment after. */
static void build_header(struct sock *sk, struct sk_buff *skb, const struct tcp_skb_cb *tcb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct inet_sock *inet = inet_sk(sk);
	struct tcp_out_options opts;
	uint8_t flags = tcb->tcp_flags;
	unsigned hdr_len;
	struct tcphdr *th;

	if (unlikely(flags & TCPHDR_SYN)) {
		hdr_len = (unsigned)sizeof(*th) + tcp_syn_options(sk, &opts);
	} else {
		hdr_len = (unsigned)sizeof(*th) + tcp_established_options(sk, &opts);
		flags |= ecn_send(sk, skb, tcb);
	}
	if (tcb->tcp_gso_segs > 1)
		flags |= TCPHDR_PSH; /* lets the receiver's merging hand it up at its end; a piece that is sent again does without */
	th = skb_push(skb, hdr_len);
	skb_reset_transport_header(skb);
	th->source = inet->inet_sport;
	th->dest = inet->inet_dport;
	th->seq = cpu_to_be32(tcb->seq);
	th->ack_seq = cpu_to_be32(tp->rcv_nxt);
	tcp_set_hdrlen(th, hdr_len);
	th->flags = flags;
	th->check = 0;
	th->urg_ptr = 0;
	if (unlikely(tcp_urg_mode(tp) && seq_before(tcb->seq, tp->snd_up)))
		write_urgent(tp, tcb, th);
	if (likely(!(flags & TCPHDR_SYN)))
		th->window = cpu_to_be16(tcp_select_window(sk));
	else
		th->window = cpu_to_be16((uint16_t)MIN(tp->rcv_wnd, 0xffffu)); /* never scaled (RFC 7323 2.2) */
	tcp_options_write((uint8_t *)(th + 1), tp, &opts);
	if (unlikely(opts.options & OPT_MD5))
		tcp_md5_hash((uint8_t *)(th + 1) + 4, tcp_md5_key_of(sk), inet->inet_saddr.ip, inet->inet_daddr.ip, th, skb);
}

/* Below here the skb is this socket's until the device is done with it. */
static void charge_below(struct sock *sk, struct sk_buff *skb)
{
	skb->sk = sk;
	skb->destructor = tcp_wfree;
	sk->sk_wmem_alloc += skb->truesize;
}

static void name_for_trace(const struct sock *sk, struct sk_buff *skb, const struct tcp_skb_cb *tcb)
{
	uint32_t base = tcp_sk(sk)->isn_snd + 1;

	skb->trace_cookie = (uint32_t)sk->sk_cookie;
	skb->trace_seq = tcb->seq - base;
	skb->trace_end = tcb->end_seq - base;
	skb->is_retrans = (tcb->sacked & TCPCB_EVER_RETRANS) != 0;
}

static void describe_skb(struct sock *sk, struct sk_buff *skb, const struct tcp_skb_cb *tcb)
{
	struct skb_shared_info *si = skb_shinfo(skb);

	skb->dev = NULL;
	skb->hash = sk->sk_txhash;
	skb->l4_hash = sk->sk_txhash != 0;
	/* Nothing of this socket waits below: another transmit queue may be chosen without reordering. */
	skb->ooo_okay = sk->sk_wmem_alloc <= 1;
	si->gso_size = tcb->tcp_gso_size;
	si->gso_segs = tcb->tcp_gso_segs;
	si->gso_type = tcb->tcp_gso_size ? sk->sk_gso_type : 0;
}

/* When this segment departs: now, unless a qdisc holds it until its time (fq). */
static uint64_t departure_ns(struct sock *sk)
{
	struct tcp_active *act = tcp_act(sk);
	uint64_t now = sock_net(sk)->now_ns;

	if (likely(sk->sk_pacing_status == SK_PACING_NONE) || !act)
		return now;
	act->wstamp_ns = MAX(act->wstamp_ns, now);
	return act->wstamp_ns;
}

/*
 * Sends skb with its header.  clone_it: skb stays the caller's and a copy goes down; else skb is consumed in every case.  0; -ENOBUFS; what
 * IP and the queueing below returned (a congestion notice reduces the window and counts as sent).
 */
int tcp_transmit_skb(struct sock *sk, struct sk_buff *skb, int clone_it, enum mem_prio prio)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct net *net = sock_net(sk);
	struct sk_buff *orig = skb;
	const struct tcp_skb_cb *tcb = TCP_SKB_CB(orig); /* the skb's own, when it is not cloned: gone once IP has it */
	unsigned payload = skb->len, segs;
	uint64_t prior_wstamp_ns;
	struct flowi fl; /* filled in by IP when it has to look for a route */
	int err;

	segs = tcb->tcp_gso_segs;
	if (likely(clone_it)) {
		skb = copy_for_wire(orig, prio);
		if (unlikely(!skb))
			return -ENOBUFS;
	}
	prior_wstamp_ns = tp->active ? tp->active->wstamp_ns : 0;
	skb->skb_mstamp_ns = orig->skb_mstamp_ns = departure_ns(sk);
	if (unlikely(net->trace.on))
		name_for_trace(sk, skb, tcb);
	trace_skb(skb, TP_tcp_transmit_skb);
	tcp_mstamp_refresh(tp);
	describe_skb(sk, skb, tcb);
	build_header(sk, skb, tcb);
	if (payload)
		charge_below(sk, skb);
	inet_csk(sk)->icsk_af_ops->send_check(sk, skb);
	if (likely(tcb->tcp_flags & TCPHDR_ACK))
		event_ack_sent(sk);
	if (payload)
		event_data_sent(sk, segs, payload);
	if (seq_after(tcb->end_seq, tp->snd_nxt) || tcb->seq == tcb->end_seq)
		NET_ADD_STATS(net, TcpOutSegs, segs);
	tp->segs_out += segs;
	err = inet_csk(sk)->icsk_af_ops->queue_xmit(sk, skb, &fl);
	if (unlikely(err > 0)) {
		tcp_enter_cwr(sk);
		err = net_xmit_eval(err);
	}
	if (likely(!err && clone_it)) {
		if (unlikely(sk->sk_pacing_status != SK_PACING_NONE) && tp->active)
			tcp_pacing_sent(sk, payload, prior_wstamp_ns);
		tcp_rate_skb_sent(sk, orig);
	}
	return err;
}
