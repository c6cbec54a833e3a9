/* SPDX-License-Identifier: MIT */
/*
 * tcp_info.c - TCP_INFO: the connection as it is now, member by member in Linux's units.
 *
 * Zero for ever, as on Linux: tcpi_fackets and tcpi_last_ack_sent, which it no longer keeps; and, as on a Linux that does not negotiate accurate
 * ECN (RFC 9768), what the peer would tell by it: tcpi_delivered_*_bytes, tcpi_accecn_*, tcpi_options2.  tests/sim/test_tcp_info.c has all others.
 */
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_user.h"

enum { TCPI_OPT_TIMESTAMPS = 1, TCPI_OPT_SACK = 2, TCPI_OPT_WSCALE = 4, TCPI_OPT_ECN = 8, TCPI_OPT_ECN_SEEN = 16, TCPI_OPT_SYN_DATA = 32, TCPI_OPT_TFO_CHILD = 128 };
enum { TCPI_ECN_MODE_RFC3168 = 1 };

static uint8_t agreed_options(const struct tcp_sock *tp)
{
	uint8_t opt = 0;

	if (tp->rx_opt.tstamp_ok)
		opt |= TCPI_OPT_TIMESTAMPS;
	if (tcp_is_sack(tp))
		opt |= TCPI_OPT_SACK;
	if (tp->rx_opt.wscale_ok)
		opt |= TCPI_OPT_WSCALE;
	if (tp->ecn_flags & TCP_ECN_OK)
		opt |= TCPI_OPT_ECN;
	if (tp->ecn_flags & TCP_ECN_SEEN)
		opt |= TCPI_OPT_ECN_SEEN;
	if (tp->syn_data_acked)
		opt |= TCPI_OPT_SYN_DATA;
	if (tp->fastopen_child)
		opt |= TCPI_OPT_TFO_CHILD;
	return opt;
}

static uint32_t ms_since(const struct sock *sk, uint64_t then_ns)
{
	uint64_t ms = (sock_net(sk)->now_ns - then_ns) / NSEC_PER_MSEC;

	return ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static void state_of(const struct sock *sk, struct xmit_tcp_info *info)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct inet_connection_sock *icsk = inet_csk(sk);

	info->tcpi_ca_state = icsk->icsk_ca_state;
	info->tcpi_retransmits = icsk->icsk_retransmits;
	info->tcpi_probes = icsk->icsk_probes_out;
	info->tcpi_backoff = icsk->icsk_backoff;
	info->tcpi_options = agreed_options(tp);
	info->tcpi_ecn_mode = tp->ecn_flags & TCP_ECN_OK ? TCPI_ECN_MODE_RFC3168 : 0;
	info->tcpi_fastopen_client_fail = tp->fastopen_client_fail;
	if (tp->rx_opt.wscale_ok) {
		info->tcpi_snd_wscale = tp->rx_opt.snd_wscale;
		info->tcpi_rcv_wscale = tp->rx_opt.rcv_wscale;
	}
	info->tcpi_rto = icsk->icsk_rto_us;
	info->tcpi_ato = MIN(icsk->icsk_ack.ato_us, tcp_delack_max_us(sk));
	info->tcpi_snd_mss = tp->mss_cache;
	info->tcpi_rcv_mss = icsk->icsk_ack.rcv_mss;
	info->tcpi_pmtu = icsk->icsk_pmtu_cookie;
	info->tcpi_advmss = tp->advmss;
}

static void sender_of(const struct sock *sk, struct xmit_tcp_info *info)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	info->tcpi_unacked = tp->packets_out;
	info->tcpi_sacked = tp->sacked_out;
	info->tcpi_lost = tp->lost_out;
	info->tcpi_retrans = tp->retrans_out;
	info->tcpi_last_data_sent = ms_since(sk, tp->lsndtime_ns);
	info->tcpi_last_ack_recv = ms_since(sk, tp->rcv_tstamp_ns);
	info->tcpi_rtt = tp->srtt_us >> 3;
	info->tcpi_rttvar = tp->mdev_us >> 2;
	info->tcpi_min_rtt = tp->rtt_min_us;
	info->tcpi_snd_ssthresh = tp->snd_ssthresh;
	info->tcpi_snd_wnd = tp->snd_wnd;
	info->tcpi_reord_seen = tp->reord_seen;
	info->tcpi_total_retrans = tp->total_retrans;
	info->tcpi_dsack_dups = tp->dsack_dups;
	info->tcpi_delivered = tp->delivered;
	info->tcpi_delivered_ce = tp->delivered_ce;
	info->tcpi_notsent_bytes = seq_after(tp->write_seq, tp->snd_nxt) ? tp->write_seq - tp->snd_nxt : 0;
	info->tcpi_delivery_rate = tcp_delivery_rate(tp);
	info->tcpi_delivery_rate_app_limited = tp->rate_app_limited;
	info->tcpi_bytes_acked = tp->bytes_acked;
	info->tcpi_bytes_sent = tp->bytes_sent;
	info->tcpi_bytes_retrans = tp->bytes_retrans;
	info->tcpi_segs_out = tp->segs_out;
	info->tcpi_data_segs_out = tp->data_segs_out;
}

/* The three times nest: what was held by a window or a buffer was busy too. */
static void times_of(const struct sock *sk, struct xmit_tcp_info *info)
{
	uint64_t us[4];

	tcp_chrono_read(sk, us);
	info->tcpi_rwnd_limited = us[TCP_CHRONO_RWND_LIMITED];
	info->tcpi_sndbuf_limited = us[TCP_CHRONO_SNDBUF_LIMITED];
	info->tcpi_busy_time = us[TCP_CHRONO_BUSY] + info->tcpi_rwnd_limited + info->tcpi_sndbuf_limited;
}

/* What only connections have that had trouble, or marks. */
static void rare_of(const struct sock *sk, struct xmit_tcp_info *info)
{
	const struct tcp_ext *ext = tcp_sk(sk)->ext;

	if (!ext)
		return;
	info->tcpi_total_rto = ext->total_rto;
	info->tcpi_total_rto_recoveries = ext->total_rto_recoveries;
	info->tcpi_total_rto_time = ext->total_rto_time_ms;
	if (ext->rto_stamp_ms)
		info->tcpi_total_rto_time += (uint32_t)(sock_net(sk)->now_ns / NSEC_PER_MSEC) - ext->rto_stamp_ms;
	info->tcpi_rehash = ext->timeout_rehash;
	info->tcpi_received_ce = ext->received_ce;
	info->tcpi_received_e1_bytes = ext->received_ecn_bytes[0];
	info->tcpi_received_e0_bytes = ext->received_ecn_bytes[1];
	info->tcpi_received_ce_bytes = ext->received_ecn_bytes[2];
}

static void receiver_of(const struct sock *sk, struct xmit_tcp_info *info)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	info->tcpi_last_data_recv = ms_since(sk, inet_csk(sk)->icsk_lrcvtime_ns);
	info->tcpi_rcv_ssthresh = tp->rcv_ssthresh;
	info->tcpi_rcv_rtt = tp->rcv_rtt_est.rtt_us >> 3;
	info->tcpi_rcv_space = tp->rcvq_space.space;
	info->tcpi_rcv_wnd = tp->rcv_wnd;
	info->tcpi_rcv_ooopack = tp->rcv_ooopack;
	info->tcpi_bytes_received = tp->bytes_received;
	info->tcpi_segs_in = tp->segs_in;
	info->tcpi_data_segs_in = tp->data_segs_in;
}

void tcp_get_info(struct sock *sk, struct xmit_tcp_info *info)
{
	memset(info, 0, sizeof(*info));
	info->tcpi_state = sk->sk_state;
	info->tcpi_pacing_rate = sk->sk_pacing_rate;
	info->tcpi_max_pacing_rate = sk->sk_ext && sk->sk_ext->max_pacing_rate ? sk->sk_ext->max_pacing_rate : UINT64_MAX;
	info->tcpi_reordering = tcp_sk(sk)->reordering;
	info->tcpi_snd_cwnd = tcp_sk(sk)->snd_cwnd;
	if (sk->sk_state == TCP_LISTEN) { /* the two queues' lengths take the places of a connection's counts */
		info->tcpi_unacked = sk->sk_ack_backlog;
		info->tcpi_sacked = sk->sk_max_ack_backlog;
		return;
	}
	state_of(sk, info);
	sender_of(sk, info);
	times_of(sk, info);
	receiver_of(sk, info);
	rare_of(sk, info);
}
