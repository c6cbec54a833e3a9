/* SPDX-License-Identifier: MIT */
/*
 * tcp_timer.c - the one timer of a connection and the deadlines that it serves.
 *
 *	icsk_timeout_ns       by icsk_pending: retransmission or zero-window probe -> tcp_rto.c; loss probe -> tcp_tlp.c;
 *	                      reordering -> tcp_rack.c
 *	icsk_ack_timeout_ns   delayed ACK
 *	icsk_keepalive_ns     keepalive probes; the end of FIN_WAIT2
 *	idleness              computed: tcp_active attached and nothing to use it for
 *
 * sk_timer is armed for a time at or before the earliest.  A deadline that moves later is just a store (each ACK does that): when the timer
 * fires, nothing may be due, and it is armed anew for what is then earliest.  Only a deadline before sk_timer's touches the wheel.
 * So a bulk transfer re-arms once in two round trips (the loss probe's timeout), and an idle connection has no timer at all.
 *
 * Idleness: when nothing is in flight, unsent or out of order, nothing is below the socket, and neither data nor ACK moved for an RTO
 * and at least a second, tcp_deactivate() gives the attached half of the connection's state back.  The timer stays armed as long
 * as there is something to detach; whoever attaches it without a deadline calls tcp_idle_check_arm().
 *
 * RFC 1122 4.2.3.2 (delayed ACK), 4.2.3.6 (keepalive); RFC 9293 3.6 (FIN_WAIT2's end is Linux's).
 */
#include "tcp/tcp_input.h"

#define IDLE_MIN_NS NSEC_PER_SEC

static void arm(struct sock *sk, uint64_t deadline_ns)
{
	if (!timer_pending(&sk->sk_timer) || deadline_ns < sk->sk_timer.expires_ns)
		timer_mod(sk->sk_net, &sk->sk_timer, deadline_ns);
}

/* --- deadlines ------------------------------------------------------------------------------------------------------------ */

void inet_csk_reset_xmit_timer(struct sock *sk, uint8_t what, uint64_t when_us)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	icsk->icsk_pending = what;
	icsk->icsk_timeout_ns = sk->sk_net->now_ns + MIN(when_us, (uint64_t)tcp_rto_max_us(sk)) * NSEC_PER_USEC;
	arm(sk, icsk->icsk_timeout_ns);
}

void inet_csk_clear_xmit_timer(struct sock *sk, uint8_t what)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	(void)what; /* one deadline: whatever of the family is pending ends */
	icsk->icsk_pending = 0;
	icsk->icsk_timeout_ns = TIME_NEVER;
}

void inet_csk_reset_delack_timer(struct sock *sk, uint64_t deadline_ns)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	icsk->icsk_ack.pending |= ICSK_ACK_TIMER;
	icsk->icsk_ack_timeout_ns = deadline_ns;
	arm(sk, deadline_ns);
}

void inet_csk_clear_delack_timer(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	icsk->icsk_ack.pending = icsk->icsk_ack.retry = 0;
	icsk->icsk_ack_timeout_ns = TIME_NEVER;
}

void inet_csk_reset_keepalive_timer(struct sock *sk, uint64_t after_ns)
{
	inet_csk(sk)->icsk_keepalive_ns = sk->sk_net->now_ns + after_ns;
	arm(sk, inet_csk(sk)->icsk_keepalive_ns);
}

void inet_csk_delete_keepalive_timer(struct sock *sk) { inet_csk(sk)->icsk_keepalive_ns = TIME_NEVER; }

/* --- delayed ACK ------------------------------------------------------------------------------------------------------------ */

static void delack_timer(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	if ((TCPF(sk->sk_state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN))) || !(icsk->icsk_ack.pending & ICSK_ACK_TIMER))
		return;
	icsk->icsk_ack.pending &= (uint8_t)~ICSK_ACK_TIMER;
	if (!inet_csk_ack_scheduled(sk))
		return;
	if (inet_csk_in_pingpong_mode(sk)) {
		/* No answer came to carry the ACK: the exchange is not interactive. */
		inet_csk_exit_pingpong_mode(sk);
		icsk->icsk_ack.ato_us = TCP_ATO_MIN_US;
	} else {
		icsk->icsk_ack.ato_us = MIN(icsk->icsk_ack.ato_us << 1, icsk->icsk_rto_us);
	}
	NET_INC_STATS(sk->sk_net, DelayedACKs);
	tcp_send_ack(sk);
}

/* --- keepalive and FIN_WAIT2 ------------------------------------------------------------------------------------------------ */

uint64_t keepalive_time_when_ns(const struct tcp_sock *tp)
{
	const struct sock *sk = (const struct sock *)tp;
	uint32_t own = sk->sk_ext ? sk->sk_ext->tcp_keepalive_time_s : 0;

	return (own && !PROVE_BREAKS("MUST-27") ? own : (uint32_t)sk->sk_net->tcp->sysctl_tcp_keepalive_time) * NSEC_PER_SEC;
}

static uint64_t keepalive_intvl_ns(const struct sock *sk)
{
	uint32_t own = sk->sk_ext ? sk->sk_ext->tcp_keepalive_intvl_s : 0;

	return (own ? own : (uint32_t)sk->sk_net->tcp->sysctl_tcp_keepalive_intvl) * NSEC_PER_SEC;
}

static uint32_t keepalive_probes(const struct sock *sk)
{
	uint8_t own = tcp_sk(sk)->keepalive_probes;

	return own ? own : (uint32_t)sk->sk_net->tcp->sysctl_tcp_keepalive_probes;
}

/* Time since anything was heard. */
static uint64_t silence_ns(const struct sock *sk)
{
	uint64_t heard = MAX(inet_csk(sk)->icsk_lrcvtime_ns, tcp_sk(sk)->rcv_tstamp_ns);

	return sk->sk_net->now_ns - MIN(heard, sk->sk_net->now_ns);
}

void tcp_set_keepalive(struct sock *sk, bool on)
{
	if ((TCPF(sk->sk_state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN))) || PROVE_BREAKS("MUST-24"))
		return;
	if (on && !sock_flag(sk, SOCK_F_KEEPOPEN))
		inet_csk_reset_keepalive_timer(sk, keepalive_time_when_ns(tcp_sk(sk)));
	else if (!on)
		inet_csk_delete_keepalive_timer(sk);
}

/* The orphan's wait for the peer's FIN ends: the rest of it in a timewait entry, or at once. */
static void fin_wait2_timer(struct sock *sk)
{
	bool linger = !sk->sk_ext || sk->sk_ext->tcp_linger2_s >= 0;
	uint64_t fin_time_ns = tcp_fin_time_ns(sk);

	if (linger && fin_time_ns > TCP_TIMEWAIT_S * NSEC_PER_SEC) {
		tcp_time_wait(sk, TCP_FIN_WAIT2, fin_time_ns - TCP_TIMEWAIT_S * NSEC_PER_SEC);
		return;
	}
	tcp_send_active_reset(sk, MEM_RESERVE);
	tcp_done(sk);
}

/* Enough probes without an answer, or the user's patience is over. */
static bool keepalive_gives_up(const struct sock *sk, uint64_t silent_ns)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	uint64_t user_ns = sk->sk_ext ? sk->sk_ext->tcp_user_timeout_ms * NSEC_PER_MSEC : 0;

	if (user_ns)
		return silent_ns >= user_ns && icsk->icsk_probes_out > 0;
	return icsk->icsk_probes_out >= (PROVE_BREAKS("MUST-29") ? 1 : keepalive_probes(sk));
}

static void keepalive_timer(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct inet_connection_sock *icsk = inet_csk(sk);
	uint64_t idle_ns = keepalive_time_when_ns(tp), silent_ns = silence_ns(sk);

	if (sk->sk_state == TCP_FIN_WAIT2 && sock_flag(sk, SOCK_F_DEAD)) {
		fin_wait2_timer(sk);
		return;
	}
	if (!sock_flag(sk, SOCK_F_KEEPOPEN) || (TCPF(sk->sk_state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN) | TCPF(TCP_SYN_SENT))))
		return;
	if ((tp->packets_out || tcp_send_head(sk)) && !PROVE_BREAKS("MUST-26")) {
		/* Data on its way finds out by itself. */
		inet_csk_reset_keepalive_timer(sk, idle_ns);
	} else if (silent_ns < idle_ns) {
		inet_csk_reset_keepalive_timer(sk, idle_ns - silent_ns);
	} else if (keepalive_gives_up(sk, silent_ns) && !PROVE_BREAKS("T12.keepalive")) {
		tcp_send_active_reset(sk, MEM_RESERVE);
		tcp_write_err(sk);
	} else if (tcp_write_wakeup(sk, MIB_TCPKeepAlive) <= 0) {
		icsk->icsk_probes_out++;
		inet_csk_reset_keepalive_timer(sk, keepalive_intvl_ns(sk));
	} else {
		/* It did not get out: that is not the peer's fault. */
		inet_csk_reset_keepalive_timer(sk, TCP_RESOURCE_PROBE_US * NSEC_PER_USEC);
	}
}

/* --- idleness ---------------------------------------------------------------------------------------------------------------- */

static uint64_t idle_after_ns(const struct sock *sk) { return MAX(inet_csk(sk)->icsk_rto_us * NSEC_PER_USEC, IDLE_MIN_NS); }

void tcp_idle_check_arm(struct sock *sk)
{
	if (tcp_act(sk) && !timer_pending(&sk->sk_timer))
		timer_mod(sk->sk_net, &sk->sk_timer, sk->sk_net->now_ns + idle_after_ns(sk));
}

static bool has_use_for_active(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return tp->packets_out || !tcp_rtx_and_write_queues_empty(sk) || !tcp_ofo_empty(sk) || sk->sk_tsq_flags || sk->sk_wmem_alloc > 1;
}

/* Recovery, if one hung on, is over: everything was acknowledged. */
static void detach(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (tcp_in_cwnd_reduction(sk))
		tcp_end_cwnd_reduction(sk);
	if (inet_csk(sk)->icsk_ca_state != TCP_CA_Open)
		tcp_set_ca_state(sk, TCP_CA_Open);
	tcp_clear_retrans(tp);
	tp->rx_opt.num_sacks = 0;
	tp->rx_opt.dsack = 0;
	tcp_deactivate(sk);
}

/* Detaches what is not used, or says when to look again; TIME_NEVER: whoever makes it useless will arm the timer, or there is nothing. */
static uint64_t idle_check(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	uint64_t now_ns = sk->sk_net->now_ns, last;

	if (!tp->active)
		return TIME_NEVER;
	if (!tcp_ofo_empty(sk))
		return TIME_NEVER;
	if (has_use_for_active(sk))
		return now_ns + idle_after_ns(sk);
	last = MAX(tp->lsndtime_ns, silence_ns(sk) <= now_ns ? now_ns - silence_ns(sk) : 0);
	if (now_ns >= last + idle_after_ns(sk)) {
		if (tcp_ca_keeps_state(sk))
			page_frag_release(sk->sk_net, &sk->sk_frag);
		else
			detach(sk);
		return TIME_NEVER;
	}
	return last + idle_after_ns(sk);
}

/* --- the timer ---------------------------------------------------------------------------------------------------------------- */

static void xmit_timer(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	icsk->icsk_timeout_ns = TIME_NEVER;
	switch (icsk->icsk_pending) {
	case ICSK_TIME_REO_TIMEOUT: /* these two stand in the RTO's place and give it back: tcp_rearm_rto() must know */
		tcp_rack_reo_timeout(sk);
		break;
	case ICSK_TIME_LOSS_PROBE:
		tcp_send_loss_probe(sk);
		break;
	case ICSK_TIME_RETRANS:
		icsk->icsk_pending = 0;
		tcp_retransmit_timer(sk);
		break;
	case ICSK_TIME_PROBE0:
		icsk->icsk_pending = 0;
		tcp_probe_timer(sk);
		break;
	default:
		icsk->icsk_pending = 0;
	}
}

/* Takes what is due off the deadline; true: run its handler. */
static bool take_due(uint64_t *deadline_ns, uint64_t now_ns)
{
	if (*deadline_ns > now_ns)
		return false;
	*deadline_ns = TIME_NEVER;
	return true;
}

static void rearm(struct sock *sk)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	uint64_t next = idle_check(sk);

	next = MIN(next, icsk->icsk_timeout_ns);
	next = MIN(next, icsk->icsk_ack_timeout_ns);
	next = MIN(next, icsk->icsk_keepalive_ns);
	if (next != TIME_NEVER)
		arm(sk, next);
}

static void tcp_timer_fn(struct net *net, struct timer_list *t)
{
	struct sock *sk = container_of(t, struct sock, sk_timer);
	struct inet_connection_sock *icsk = inet_csk(sk);

	sock_hold(sk);
	tcp_mstamp_refresh(tcp_sk(sk));
	if (take_due(&icsk->icsk_ack_timeout_ns, net->now_ns))
		delack_timer(sk);
	if (sk->sk_state != TCP_CLOSE && icsk->icsk_timeout_ns <= net->now_ns)
		xmit_timer(sk);
	if (sk->sk_state != TCP_CLOSE && take_due(&icsk->icsk_keepalive_ns, net->now_ns))
		keepalive_timer(sk);
	if (sk->sk_state != TCP_CLOSE)
		rearm(sk);
	sock_put(sk);
}

void tcp_init_xmit_timers(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	timer_init(&sk->sk_timer, tcp_timer_fn);
	icsk->icsk_timeout_ns = icsk->icsk_ack_timeout_ns = icsk->icsk_keepalive_ns = TIME_NEVER;
	icsk->icsk_pending = 0;
	icsk->icsk_ack.pending = 0;
}

void tcp_clear_xmit_timers(struct sock *sk)
{
	inet_csk_clear_xmit_timer(sk, ICSK_TIME_RETRANS);
	inet_csk_clear_delack_timer(sk);
	inet_csk_delete_keepalive_timer(sk);
	timer_del(sk->sk_net, &sk->sk_timer);
}
