/* SPDX-License-Identifier: MIT */
/*
 * tcp_rtt.c - the round-trip time and the retransmission timeout (RFC 6298, with Linux's two refinements).
 *
 * srtt is kept times 8, the mean deviations times 4, in microseconds.  The refinements: the deviation reacts with a weight of
 * 1/32 when a sample lies below the mean by more than the deviation, so that a path that becomes faster does not raise the RTO; and
 * rttvar is the largest deviation seen in the last round trip (mdev_max), never below the minimum RTO, falling slowly.
 * So the RTO is srtt + rttvar with a floor of srtt + 200 ms.
 *
 * Samples come from tcp_ack.c, one per ACK that moves the window: Karn's rule is kept by taking the time of an skb only if it was never
 * retransmitted, else the echoed timestamp.
 */
#include "tcp/tcp_input.h"

uint32_t tcp_rto_min_us(const struct sock *sk)
{
	uint32_t min = inet_csk(sk)->icsk_rto_min_us;
	const struct dst_entry *dst = sk->sk_dst_cache;

	if (dst && (dst_metric(dst, RTAX_LOCK) & 1u << RTAX_RTO_MIN))
		return dst_metric(dst, RTAX_RTO_MIN) * 1000;
	return min ? min : TCP_RTO_MIN_US;
}

static void first_sample(struct sock *sk, uint32_t m)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tp->srtt_us = m << 3;
	tp->mdev_us = m << 1; /* RFC 6298 2.2: RTTVAR = R/2, times 4 */
	tp->rttvar_us = MAX(tp->mdev_us, tcp_rto_min_us(sk));
	tp->mdev_max_us = tp->rttvar_us;
	tp->rtt_seq = tp->snd_nxt;
}

/* RFC 6298 2.3; one window's largest deviation becomes rttvar. */
void tcp_rtt_estimator(struct sock *sk, uint64_t mrtt_us)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t sample = (uint32_t)MIN(mrtt_us, (uint64_t)TCP_RTO_MAX_US);
	int64_t err, dev;

	if (!tp->srtt_us) {
		first_sample(sk, sample);
		tp->srtt_us = MAX(tp->srtt_us, 1);
		return;
	}
	err = (int64_t)sample - (tp->srtt_us >> 3);
	tp->srtt_us = (uint32_t)MAX((int64_t)tp->srtt_us + err, 1);
	dev = (err < 0 ? -err : err) - (tp->mdev_us >> 2);
	if (err < 0 && dev > 0)
		dev >>= 3;
	tp->mdev_us = (uint32_t)((int64_t)tp->mdev_us + dev);
	if (tp->mdev_us > tp->mdev_max_us) {
		tp->mdev_max_us = tp->mdev_us;
		tp->rttvar_us = MAX(tp->rttvar_us, tp->mdev_max_us);
	}
	if (seq_after(tp->snd_una, tp->rtt_seq)) {
		if (tp->mdev_max_us < tp->rttvar_us)
			tp->rttvar_us -= (tp->rttvar_us - tp->mdev_max_us) >> 2;
		tp->rtt_seq = tp->snd_nxt;
		tp->mdev_max_us = tcp_rto_min_us(sk);
	}
}

void tcp_set_rto(struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	inet_csk(sk)->icsk_rto_us = MIN((tp->srtt_us >> 3) + tp->rttvar_us, tcp_rto_max_us(sk));
}

/*
 * RFC 6298 5.3: restarted from now by each ACK of new data.  Where the loss probe or the reordering timer stood in its place, the RTO has run
 * since the head was sent.
 */
void tcp_rearm_rto(struct sock *sk)
{
	const struct inet_connection_sock *icsk = inet_csk(sk);
	int64_t rto_us = icsk->icsk_rto_us;

	if (unlikely(tcp_sk(sk)->tfo_rsk))
		return; /* the timer is the SYN-ACK's (tcp_fastopen_server.c) */
	if (!tcp_sk(sk)->packets_out) {
		inet_csk_clear_xmit_timer(sk, ICSK_TIME_RETRANS);
		return;
	}
	if (icsk->icsk_pending == ICSK_TIME_REO_TIMEOUT || icsk->icsk_pending == ICSK_TIME_LOSS_PROBE)
		rto_us = MAX(tcp_rto_delta_us(sk), 1);
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, (uint64_t)rto_us + tcp_pacing_delay_us(sk));
}

/* Least round trip of the last tcp_min_rtt_wlen seconds. */
static void update_rtt_min(struct sock *sk, uint32_t rtt_us)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t now_ms = tcp_time_stamp_ms(tp), window_ms = (uint32_t)sk->sk_net->tcp->sysctl_tcp_min_rtt_wlen * 1000;

	if (tp->rtt_min_us && rtt_us > tp->rtt_min_us && now_ms - tp->rtt_min_stamp_ms <= window_ms)
		return;
	tp->rtt_min_us = MAX(rtt_us, 1);
	tp->rtt_min_stamp_ms = now_ms;
}

/* Takes the best of: time of an skb acknowledged, of one SACKed, the echoed timestamp.  Negative: none.  True: the RTO was set. */
bool tcp_ack_update_rtt(struct sock *sk, int flag, int64_t seq_rtt_us, int64_t sack_rtt_us, int64_t *ca_rtt_us)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (seq_rtt_us < 0)
		seq_rtt_us = sack_rtt_us;
	if (seq_rtt_us < 0 && tp->rx_opt.saw_tstamp && tp->rx_opt.rcv_tsecr && (flag & FLAG_ACKED)) {
		uint32_t delta_ms = tcp_time_stamp_ms(tp) - tp->rx_opt.rcv_tsecr;
		if (delta_ms <= TCP_RTO_MAX_US / 1000)
			seq_rtt_us = *ca_rtt_us = (int64_t)MAX(delta_ms, 1) * 1000;
	}
	if (seq_rtt_us < 0)
		return false;
	if (*ca_rtt_us > 0)
		update_rtt_min(sk, (uint32_t)MIN(*ca_rtt_us, (int64_t)UINT32_MAX));
	tcp_rtt_estimator(sk, (uint64_t)seq_rtt_us);
	tcp_set_rto(sk);
	inet_csk(sk)->icsk_backoff = 0; /* RFC 6298 5: an RTT was measured */
	return true;
}

/* The handshake as a sample; seq_rtt_us 0: the SYN-ACK was sent more than once, use the timestamp. */
void tcp_ack_update_rtt_synack(struct sock *sk, uint64_t seq_rtt_us)
{
	int64_t ca_rtt_us = seq_rtt_us ? (int64_t)seq_rtt_us : -1;

	tcp_ack_update_rtt(sk, FLAG_SYN_ACKED, ca_rtt_us, -1, &ca_rtt_us);
}
