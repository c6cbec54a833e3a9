/* SPDX-License-Identifier: MIT */
/*
 * tcp_rto.c - what TCP does when nothing comes back: retransmission timeout, zero-window probes, and when to give up.
 *
 * tcp_retransmit_timer()   the head was not acknowledged in time: enter Loss, send it again, double the timeout (RFC 6298 5.4 to 5.6)
 * tcp_probe_timer()        data waits, nothing is out, the window is closed: probe it (T7; RFC 9293 3.8.6.1)
 *
 * Giving up (RFC 1122 4.2.3.5): R1 (tcp_retries1) refreshes the route, R2 (tcp_retries2) ends the connection; both count the time that as many
 * backed-off timeouts from the minimum would take, from the first retransmission on.  TCP_USER_TIMEOUT (RFC 5482) takes R2's place.
 * SYNs count attempts.  Orphans are given less (tcp_orphan_retries), and nothing when memory or orphans run out.  A receiver that shrinks
 * its window to zero under data in flight is alive: its connection lasts as long as it answers.
 *
 * Called by tcp_timer.c.  tcp_active is attached for the episode if memory allows; without it time is told from the count of timeouts.
 */
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_input.h"
#include "tcp/tcp_mtu_probe.h"

static uint32_t user_timeout_ms(const struct sock *sk) { return sk->sk_ext && !PROVE_BREAKS("MUST-21") ? sk->sk_ext->tcp_user_timeout_ms : 0; }

static bool in_syn_state(const struct sock *sk) { return TCPF(sk->sk_state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV)); }

/* The connection is given up: the user gets the last ICMP error, or ETIMEDOUT. */
void tcp_write_err(struct sock *sk)
{
	sk->sk_err = sk->sk_err_soft ? sk->sk_err_soft : ETIMEDOUT;
	sk_error_report(sk);
	tcp_write_queue_purge(sk);
	tcp_done(sk);
	NET_INC_STATS(sk->sk_net, TCPAbortOnTimeout);
}

/* An orphan that costs what is scarce is ended: with a RST if the peer may still listen.  True: ended. */
static bool out_of_resources(struct sock *sk, bool do_reset)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (!tcp_check_oom(sk))
		return false;
	if (sk->sk_net->now_ns - tp->lsndtime_ns <= TCP_TIMEWAIT_S * NSEC_PER_SEC || (!tp->snd_wnd && !tp->packets_out))
		do_reset = true;
	if (do_reset)
		tcp_send_active_reset(sk, MEM_RESERVE);
	tcp_done(sk);
	NET_INC_STATS(sk->sk_net, TCPAbortOnMemory);
	return true;
}

static uint32_t orphan_retries(const struct sock *sk, bool alive)
{
	uint32_t retries = (uint32_t)sk->sk_net->tcp->sysctl_tcp_orphan_retries;

	if (sk->sk_err_soft && !alive)
		retries = 0;
	/* 8 backed-off timeouts are 50 s and more: time enough for a peer that lives. */
	if (!retries && alive)
		retries = 8;
	return retries;
}

/* When the first retransmission of this episode went out, TS clock; without notes, the last transmission of the head. */
static uint32_t episode_start_ms(const struct sock *sk)
{
	const struct tcp_active *act = tcp_act(sk);
	const struct sk_buff *head;

	if (act && act->retrans_stamp_ms)
		return act->retrans_stamp_ms;
	head = tcp_rtx_queue_head(sk);
	return head ? (uint32_t)(head->skb_mstamp_ns / NSEC_PER_MSEC) : tcp_time_stamp_ms(tcp_sk(sk));
}

/* Time that `boundary` timeouts and one more take that begin at rto_us and double up to the maximum, ms. */
static uint32_t backed_off_ms(const struct sock *sk, uint32_t boundary, uint64_t rto_us)
{
	uint64_t sum_us = 0;

	for (uint32_t i = 0; i <= boundary && i < 256; i++) {
		sum_us += rto_us;
		rto_us = MIN(rto_us * 2, (uint64_t)tcp_rto_max_us(sk));
	}
	return (uint32_t)(sum_us / 1000);
}

static bool retransmits_timed_out(const struct sock *sk, uint32_t boundary, uint32_t timeout_ms)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	uint32_t elapsed;

	if (!icsk->icsk_retransmits)
		return false;
	if (!tcp_act(sk) && !timeout_ms)
		return icsk->icsk_retransmits > boundary;
	elapsed = tcp_time_stamp_ms(tcp_sk(sk)) - episode_start_ms(sk);
	return (int32_t)(elapsed - (timeout_ms ? timeout_ms : backed_off_ms(sk, boundary, TCP_RTO_MIN_US))) >= 0;
}

/* tcp_syn_linear_timeouts makes SYNs more frequent, not the wait longer: that is as if `boundary` of them backed off from the first on. */
static bool syn_timed_out(const struct sock *sk, uint32_t boundary)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);

	if (icsk->icsk_retransmits < boundary)
		return false;
	if (sk->sk_state != TCP_SYN_SENT || !tcp_act(sk))
		return true;
	/* Stamps are whole milliseconds. */
	return (int32_t)(tcp_time_stamp_ms(tcp_sk(sk)) - episode_start_ms(sk) - backed_off_ms(sk, boundary, TCP_TIMEOUT_INIT_US)) >= -1;
}

/* True: the connection was ended. */
static bool write_timeout(struct sock *sk)
{
	const struct netns_tcp *nt = sk->sk_net->tcp;
	struct inet_connection_sock *icsk = inet_csk(sk);
	uint32_t boundary = (uint32_t)nt->sysctl_tcp_retries2;
	bool expired = false;

	if (in_syn_state(sk)) {
		if (icsk->icsk_retransmits)
			sk_dst_reset(sk);
		boundary = icsk->icsk_syn_retries ? icsk->icsk_syn_retries : (uint32_t)nt->sysctl_tcp_syn_retries;
		if (PROVE_BREAKS("MUST-23"))
			boundary = 3;
		expired = (syn_timed_out(sk, boundary) && !PROVE_BREAKS("MUST-22")) ||
			  (user_timeout_ms(sk) && retransmits_timed_out(sk, boundary, user_timeout_ms(sk)));
	} else {
		if (retransmits_timed_out(sk, PROVE_BREAKS("SHLD-10") ? 0 : (uint32_t)nt->sysctl_tcp_retries1, 0)) {
			if (unlikely(tcp_sk(sk)->mtup_on))
				tcp_mtup_blackhole(sk);
			sk_dst_reset(sk);
		}
		if (sock_flag(sk, SOCK_F_DEAD)) {
			bool alive = icsk->icsk_rto_us < tcp_rto_max_us(sk);
			boundary = orphan_retries(sk, alive);
			if (out_of_resources(sk, alive || !retransmits_timed_out(sk, boundary, 0)))
				return true;
		}
		expired = retransmits_timed_out(sk, boundary, user_timeout_ms(sk)) && !PROVE_BREAKS("MUST-20");
	}
	tcp_fastopen_active_detect_blackhole(sk, expired);
	if (expired)
		tcp_write_err(sk);
	return expired;
}

/* The next timeout must not overshoot the user's. */
static uint64_t clamp_to_user_timeout_us(const struct sock *sk, uint64_t rto_us)
{
	uint32_t limit_ms = user_timeout_ms(sk), elapsed_ms;

	if (!limit_ms)
		return rto_us;
	elapsed_ms = tcp_time_stamp_ms(tcp_sk(sk)) - episode_start_ms(sk);
	if (elapsed_ms >= limit_ms)
		return 1000;
	return MIN(rto_us, (uint64_t)(limit_ms - elapsed_ms) * 1000);
}

/* What the timeout interrupted: for the administrator. */
static void count_timeout(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct net *net = sk->sk_net;
	bool sack = tcp_is_sack(tp);

	switch (inet_csk(sk)->icsk_ca_state) {
	case TCP_CA_Recovery:
		if (sack)
			NET_INC_STATS(net, TCPSackRecoveryFail);
		else
			NET_INC_STATS(net, TCPRenoRecoveryFail);
		break;
	case TCP_CA_Loss:
		NET_INC_STATS(net, TCPLossFailures);
		break;
	default:
		if (inet_csk(sk)->icsk_ca_state != TCP_CA_Disorder && !tp->sacked_out)
			break;
		if (sack)
			NET_INC_STATS(net, TCPSackFailures);
		else
			NET_INC_STATS(net, TCPRenoFailures);
	}
}

/* The first timeouts of a SYN come at equal distance (tcp_syn_linear_timeouts): a lost SYN is rarely congestion. */
static bool syn_linear(const struct sock *sk)
{
	return sk->sk_state == TCP_SYN_SENT && inet_csk(sk)->icsk_retransmits <= (uint32_t)sk->sk_net->tcp->sysctl_tcp_syn_linear_timeouts;
}

/* Thin streams (few segments out: interactive) may retry linearly for a while. */
static bool thin_linear(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return sk->sk_net->tcp->sysctl_tcp_thin_linear_timeouts && sk->sk_state == TCP_ESTABLISHED && tp->packets_out < 4 &&
	       tp->snd_ssthresh < TCP_INFINITE_SSTHRESH && inet_csk(sk)->icsk_retransmits <= 6;
}

static void back_off(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	if (thin_linear(sk)) {
		icsk->icsk_backoff = 0;
		tcp_set_rto(sk);
	} else if (!syn_linear(sk)) {
		if (icsk->icsk_backoff < UINT8_MAX)
			icsk->icsk_backoff++;
		icsk->icsk_rto_us = (uint32_t)MIN((uint64_t)icsk->icsk_rto_us * (PROVE_BREAKS("MUST-19") ? 1 : 2), (uint64_t)tcp_rto_max_us(sk));
	}
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, clamp_to_user_timeout_us(sk, icsk->icsk_rto_us));
	if (retransmits_timed_out(sk, (uint32_t)sk->sk_net->tcp->sysctl_tcp_retries1 + 1, 0))
		sk_dst_reset(sk);
}

/* The peer took its window back under what is in flight.  It lives if it answered lately; the head probes it. */
static void zero_window_timeout(struct sock *sk, struct sk_buff *head)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t limit_ms = user_timeout_ms(sk);
	uint64_t silent_ns = sk->sk_net->now_ns - tp->rcv_tstamp_ns;

	if (silent_ns > tcp_rto_max_us(sk) * NSEC_PER_USEC ||
	    (limit_ms && tcp_time_stamp_ms(tp) - episode_start_ms(sk) > limit_ms && silent_ns > limit_ms * NSEC_PER_MSEC)) {
		tcp_write_err(sk);
		return;
	}
	tcp_enter_loss(sk);
	tcp_retransmit_skb(sk, head, 1);
	back_off(sk);
}

/*
 * One timeout more: for TCP_INFO (without memory for the counts they miss it), and for the network, which may send what has another hash by
 * another path.
 */
static void count_rto(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_ext *ext;

	if (!tcp_ext_get(sk, &ext)) {
		if (!icsk->icsk_retransmits) {
			ext->total_rto_recoveries++;
			ext->rto_stamp_ms = MAX(tcp_time_stamp_ms(tcp_sk(sk)), 1u);
		}
		ext->total_rto++;
		ext->timeout_rehash++;
	}
	NET_INC_STATS(sk->sk_net, TCPTimeoutRehash);
	sk->sk_txhash = net_random_u32(sk->sk_net) | 1;
	if (icsk->icsk_retransmits < UINT8_MAX)
		icsk->icsk_retransmits++;
}

/* The state that timeouts brought is over. */
void tcp_rto_ended(struct sock *sk)
{
	struct tcp_ext *ext = tcp_sk(sk)->ext;

	if (!ext || !ext->rto_stamp_ms)
		return;
	ext->total_rto_time_ms += tcp_time_stamp_ms(tcp_sk(sk)) - ext->rto_stamp_ms;
	ext->rto_stamp_ms = 0;
}

void tcp_retransmit_timer(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct sk_buff *head = tcp_rtx_queue_head(sk);
	int err;

	if (unlikely(tp->tfo_rsk)) {
		tcp_fastopen_synack_timer(sk, tp->ext->fastopen_rsk);
		return;
	}
	if (!tp->packets_out || !head)
		return;
	tcp_trace(sk, TP_tcp_retransmit_timer, tp->snd_una, tp->snd_nxt, icsk->icsk_retransmits);
	(void)tcp_activate(sk); /* the episode's notes; it goes on without them */
	if (!tp->snd_wnd && !sock_flag(sk, SOCK_F_DEAD) && !in_syn_state(sk) && !PROVE_BREAKS("SHLD-17")) {
		zero_window_timeout(sk, head);
		return;
	}
	NET_INC_STATS(sk->sk_net, TCPTimeouts);
	if (write_timeout(sk))
		return;
	if (!icsk->icsk_retransmits)
		count_timeout(sk);
	tcp_enter_loss(sk);
	count_rto(sk);
	head = tcp_rtx_queue_head(sk);
	err = head ? tcp_retransmit_skb(sk, head, 1) : 0;
	if (err > 0 || err == -ENOBUFS) {
		/* A queue of our own was full: no backoff, but soon again. */
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, MIN(icsk->icsk_rto_us, (uint32_t)TCP_RESOURCE_PROBE_US));
		return;
	}
	back_off(sk);
}

/* --- zero-window probes ------------------------------------------------------------------------------------------------- */

uint64_t tcp_probe0_base_us(const struct sock *sk) { return MAX(inet_csk(sk)->icsk_rto_us, (uint32_t)TCP_RTO_MIN_US); }

uint64_t tcp_probe0_when_us(const struct sock *sk, uint64_t max_when_us)
{
	/* 200 ms doubled ten times is beyond the maximum. */
	uint64_t when = tcp_probe0_base_us(sk) << (PROVE_BREAKS("SHLD-30") ? 0 : MIN(inet_csk(sk)->icsk_backoff, 10));

	return MIN(when, max_when_us);
}

/* Data waits and no timer runs: then only a probe will ever go. */
void tcp_check_probe_timer(struct sock *sk)
{
	if (!tcp_sk(sk)->packets_out && !inet_csk(sk)->icsk_pending && !PROVE_BREAKS("MUST-36"))
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_PROBE0, tcp_probe0_base_us(sk) * (PROVE_BREAKS("SHLD-29") ? 4 : 1));
}

/* True: the connection was ended. */
static bool probe_gives_up(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	uint32_t now_ms = (uint32_t)(sk->sk_net->now_ns / NSEC_PER_MSEC), limit_ms = user_timeout_ms(sk);
	uint32_t max_probes = (uint32_t)sk->sk_net->tcp->sysctl_tcp_retries2;
	bool expired = false;

	if (!icsk->icsk_probes_tstamp_ms)
		icsk->icsk_probes_tstamp_ms = now_ms ? now_ms : 1;
	else if (limit_ms)
		expired = now_ms - icsk->icsk_probes_tstamp_ms >= limit_ms;
	if (sock_flag(sk, SOCK_F_DEAD)) {
		bool alive = tcp_probe0_when_us(sk, tcp_rto_max_us(sk)) < tcp_rto_max_us(sk);
		max_probes = orphan_retries(sk, alive);
		expired |= !alive && icsk->icsk_backoff >= max_probes;
		if (!expired && out_of_resources(sk, true))
			return true;
	}
	if (!expired && icsk->icsk_probes_out < max_probes && !(PROVE_BREAKS("MUST-37") && icsk->icsk_backoff > 2))
		return false;
	tcp_write_err(sk);
	return true;
}

void tcp_probe_timer(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct inet_connection_sock *icsk = inet_csk(sk);

	tcp_trace(sk, TP_tcp_probe_timer, tp->snd_nxt, tp->write_seq, icsk->icsk_probes_out);
	if (tp->packets_out || !tcp_send_head(sk)) {
		icsk->icsk_probes_out = 0;
		icsk->icsk_probes_tstamp_ms = 0;
		/* Nothing queued, nothing out: a writer that was refused for lack of memory may try again. */
		if (!tp->packets_out)
			tcp_check_space(sk);
		return;
	}
	if (!probe_gives_up(sk))
		tcp_send_probe0(sk);
}
