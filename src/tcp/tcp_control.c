/* SPDX-License-Identifier: MIT */
/*
 * tcp_control.c - segments without data: ACK (now or later), FIN, RST, probes of a closed window or a silent peer.
 *
 * All of these may use the memory reserve: without them a connection could not give its memory back.  An ACK that finds no memory even so is tried
 * again by the delayed-ACK timer.  A FIN rides on the last unsent segment where there is one.  RFC 9293 3.6, 3.8.6.1 (window probes),
 * RFC 1122 4.2.3.2 (delayed ACK), 4.2.3.6 (keepalive), RFC 5681 4.2.
 */
#include "tcp/tcp_output.h"

/* A segment that consists of its flags; SYN and FIN take one sequence number. */
void tcp_init_nondata_skb(struct sk_buff *skb, uint32_t seq, uint8_t flags)
{
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);

	skb->ip_summed = CHECKSUM_PARTIAL;
	memset(tcb, 0, sizeof(*tcb));
	tcb->tcp_flags = flags;
	tcb->tcp_gso_segs = 1;
	tcb->seq = seq;
	tcb->end_seq = seq + ((flags & (TCPHDR_SYN | TCPHDR_FIN)) != 0);
}

static struct sk_buff *alloc_control(struct sock *sk) { return alloc_skb(sock_net(sk), MAX_TCP_HEADER, 0, SKB_ALLOC_RESERVE); }

/* snd_nxt, or what of it the peer still accepts when it has shrunk its window (within what scaling rounds off). */
static uint32_t acceptable_seq(const struct tcp_sock *tp)
{
	if (!seq_before(tcp_wnd_end(tp), tp->snd_nxt))
		return tp->snd_nxt;
	if (tp->rx_opt.wscale_ok && tp->snd_nxt - tcp_wnd_end(tp) < (1u << tp->rx_opt.snd_wscale))
		return tp->snd_nxt;
	return tcp_wnd_end(tp);
}

/* --- ACK ------------------------------------------------------------------------------------------------------------------ */

void tcp_send_ack(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct sk_buff *skb;

	if (unlikely(sk->sk_state == TCP_CLOSE))
		return;
	skb = alloc_control(sk);
	if (unlikely(!skb)) {
		inet_csk_schedule_ack(sk);
		icsk->icsk_ack.ato_us = TCP_ATO_MIN_US;
		icsk->icsk_ack.pending |= ICSK_ACK_TIMER;
		inet_csk_reset_delack_timer(sk, sock_net(sk)->now_ns + TCP_DELACK_MAX_US * NSEC_PER_USEC);
		return;
	}
	tcp_init_nondata_skb(skb, acceptable_seq(tcp_sk(sk)), TCPHDR_ACK);
	tcp_transmit_skb(sk, skb, 0, MEM_RESERVE);
}

/* An ACK is never held for as long as the peer, whose least RTO may be like ours, would wait for it: a tick less (seen on Linux). */
uint32_t tcp_delack_max_us(const struct sock *sk)
{
	uint32_t own = sk->sk_ext && sk->sk_ext->tcp_delack_max_us ? sk->sk_ext->tcp_delack_max_us : (uint32_t)TCP_DELACK_MAX_US;

	return MIN(own, MAX(tcp_rto_min_us(sk), 2u * TCP_TICK_US) - TCP_TICK_US);
}

void tcp_bound_delack(struct sock *sk) { tcp_sk(sk)->delack_short = tcp_delack_max_us(sk) < TCP_DELACK_MIN_US; }

/* The estimate for this ACK: never so long that the peer's RTO could suffer, at least the least. */
static uint32_t bounded_ato(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	uint32_t ato = icsk->icsk_ack.ato_us, most = TCP_DELACK_MAX_US;

	if (ato > TCP_DELACK_MIN_US) {
		uint32_t rtt = tcp_sk(sk)->srtt_us >> 3;
		if (rtt)
			most = MAX(rtt, (uint32_t)TCP_DELACK_MIN_US);
		ato = MIN(ato, MIN(most, tcp_delack_max_us(sk)));
	} else if (unlikely(tcp_sk(sk)->delack_short)) {
		ato = MIN(ato, tcp_delack_max_us(sk));
	}
	return PROVE_BREAKS("MUST-40") ? 900000 : PROVE_BREAKS("SHLD-18") ? 0 : ato;
}

void tcp_send_delayed_ack(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	uint64_t now = sock_net(sk)->now_ns, ato_ns = bounded_ato(sk) * NSEC_PER_USEC, deadline = PROVE_BREAKS("T8.delack") ? now : now + ato_ns;

	if (icsk->icsk_ack.pending & ICSK_ACK_TIMER) {
		/* An ACK is due so soon that another delay gains nothing. */
		if (icsk->icsk_ack_timeout_ns <= now + (ato_ns >> 2)) {
			tcp_send_ack(sk);
			return;
		}
		deadline = MIN(deadline, icsk->icsk_ack_timeout_ns);
	}
	icsk->icsk_ack.pending |= ICSK_ACK_SCHED | ICSK_ACK_TIMER;
	inet_csk_reset_delack_timer(sk, deadline);
}

/* --- FIN, RST --------------------------------------------------------------------------------------------------------------- */

/* Neither an skb for the FIN nor one that it could ride on: the connection cannot be closed in order any more. */
static void abort_without_fin(struct sock *sk)
{
	NET_INC_STATS(sock_net(sk), TCPAbortOnMemory);
	tcp_send_active_reset(sk, MEM_RESERVE);
	tcp_write_queue_purge(sk);
	tcp_done(sk);
}

/* The FIN takes the place behind skb's data.  In the retransmit queue it then goes out with the next retransmission. */
static void fin_rides_on(struct sock *sk, struct sk_buff *skb, bool was_sent)
{
	struct tcp_sock *tp = tcp_sk(sk);

	TCP_SKB_CB(skb)->tcp_flags |= TCPHDR_FIN;
	TCP_SKB_CB(skb)->end_seq++;
	tp->write_seq++;
	if (was_sent)
		tp->snd_nxt++;
}

void tcp_send_fin(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *tail = tcp_write_queue_tail(sk), *skb;

	if (!tail) {
		skb = tcp_stream_alloc_skb(sk, 0, MEM_RESERVE, true);
		if (likely(skb)) {
			tcp_init_nondata_skb(skb, tp->write_seq, TCPHDR_ACK | TCPHDR_FIN);
			sk_wmem_charge(sk, (int)skb->truesize);
			skb_queue_tail(&sk->sk_write_queue, skb);
			tp->write_seq = TCP_SKB_CB(skb)->end_seq;
		} else if ((tail = tcp_rtx_queue_tail(sk)) && !(TCP_SKB_CB(tail)->tcp_flags & TCPHDR_SYN)) {
			fin_rides_on(sk, tail, true);
			return;
		} else {
			abort_without_fin(sk);
			return;
		}
	} else {
		fin_rides_on(sk, tail, false);
	}
	__tcp_push_pending_frames(sk, tcp_current_mss(sk), TCP_NAGLE_OFF);
}

void tcp_send_active_reset(struct sock *sk, enum mem_prio prio)
{
	struct net *net = sock_net(sk);
	struct sk_buff *skb = alloc_control(sk);

	NET_INC_STATS(net, TcpOutRsts);
	if (!skb) {
		NET_INC_STATS(net, TCPAbortFailed);
		return;
	}
	tcp_init_nondata_skb(skb, acceptable_seq(tcp_sk(sk)), TCPHDR_ACK | TCPHDR_RST);
	tcp_mstamp_refresh(tcp_sk(sk));
	if (tcp_transmit_skb(sk, skb, 0, prio))
		NET_INC_STATS(net, TCPAbortFailed);
}

/* --- probes ------------------------------------------------------------------------------------------------------------------- */

/* A segment just below what the peer expects: it must answer with an ACK that tells its window.  urgent: at snd_una, to carry the pointer. */
static int xmit_probe(struct sock *sk, bool urgent, int mib)
{
	struct sk_buff *skb = alloc_control(sk);

	if (!skb)
		return -ENOBUFS;
	tcp_init_nondata_skb(skb, tcp_sk(sk)->snd_una - !urgent, TCPHDR_ACK);
	sock_net(sk)->mib.counter[mib]++;
	return tcp_transmit_skb(sk, skb, 0, MEM_RESERVE);
}

/* Sends what of the send head the window allows, were it one byte. */
static int send_into_window(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);
	unsigned mss = tcp_current_mss(sk), size = tcp_wnd_end(tp) - tcb->seq;
	int err;

	if (seq_before(tp->pushed_seq, tcb->end_seq))
		tp->pushed_seq = tcb->end_seq;
	if (size < tcb->end_seq - tcb->seq || skb->len > mss) {
		size = MIN(size, mss); /* at its end a FIN that lies beyond the window is cut off */
		if (tcp_fragment(sk, false, skb, size, mss, MEM_RESERVE))
			return -ENOMEM;
	}
	if (!tcp_skb_pcount(skb))
		tcp_set_skb_tso_segs(skb, mss);
	tcb->tcp_flags |= TCPHDR_PSH;
	err = tcp_transmit_skb(sk, skb, 1, MEM_RESERVE);
	if (!err)
		tcp_event_new_data_sent(sk, skb);
	return err;
}

/* Makes the peer say something: new data where it may go, else a probe counted under mib (enum snmp_counter).  <= 0; > 0 never. */
int tcp_write_wakeup(struct sock *sk, int mib)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb = tcp_send_head(sk);

	if (sk->sk_state == TCP_CLOSE)
		return -1;
	tcp_mstamp_refresh(tp);
	if (skb && seq_before(TCP_SKB_CB(skb)->seq, tcp_wnd_end(tp)))
		return send_into_window(sk, skb);
	if (seq_between(tp->snd_up, tp->snd_una + 1, tp->snd_una + 0xffff))
		xmit_probe(sk, true, mib);
	return xmit_probe(sk, false, mib);
}

/* Not later than TCP_USER_TIMEOUT lets the connection live. */
uint64_t tcp_probe0_within_user_timeout(const struct sock *sk, uint64_t when_us)
{
	uint32_t user_ms = sk->sk_ext ? sk->sk_ext->tcp_user_timeout_ms : 0, started = inet_csk(sk)->icsk_probes_tstamp_ms;
	uint32_t elapsed_ms = (uint32_t)(sock_net(sk)->now_ns / NSEC_PER_MSEC) - started;
	uint64_t left_us;

	if (!started || !user_ms)
		return when_us;
	left_us = elapsed_ms < user_ms ? (uint64_t)(user_ms - elapsed_ms) * 1000 : 0;
	left_us = MAX(left_us, (uint64_t)TCP_TIMEOUT_MIN_US);
	return MIN(left_us, when_us);
}

/* The probe timer fired: the peer's window is closed (or memory was short) and nothing is in flight. */
void tcp_send_probe0(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	const struct netns_tcp *ns = sock_net(sk)->tcp;
	uint64_t when_us;
	int err = PROVE_BREAKS("T7.probe") ? 0 : tcp_write_wakeup(sk, MIB_TCPWinProbe);

	if (tcp_sk(sk)->packets_out || tcp_write_queue_empty(sk)) {
		icsk->icsk_probes_out = 0;
		icsk->icsk_backoff = 0;
		icsk->icsk_probes_tstamp_ms = 0;
		return;
	}
	icsk->icsk_probes_out++;
	if (!err) {
		if (icsk->icsk_backoff < ns->sysctl_tcp_retries2)
			icsk->icsk_backoff++;
		when_us = tcp_probe0_when_us(sk, tcp_rto_max_us(sk));
	} else {
		when_us = TCP_RESOURCE_PROBE_US; /* it never left: no reason to back off */
	}
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_PROBE0, tcp_probe0_within_user_timeout(sk, when_us));
}
