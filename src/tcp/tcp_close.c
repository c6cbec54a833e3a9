/* SPDX-License-Identifier: MIT */
/*
 * tcp_close.c - the user lets go: close(), shutdown(), connect(AF_UNSPEC) (T12; RFC 9293 3.10.4, 3.6).
 *
 * close() with unread data answers RST: the peer must learn that its data was lost (RFC 2525 2.17); with SO_LINGER of zero likewise, as the
 * user wants it; else a FIN goes behind the data and the sock lives on as an orphan until the peer has answered, within
 * bounds: FIN_WAIT2 by tcp_fin_timeout (short ones as a timewait entry, which is smaller), the number of orphans by
 * tcp_max_orphans and their memory by tcp_mem, beyond which an orphan is reset.
 */
#include "tcp/tcp_cong.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_output.h"
#include "tcp/tcp_user.h"

enum { ACTION_FIN = 1 << 7, STATE_MASK = 15, ORPHAN_SNDBUF = 4608 };

/* The state after the user's close, and whether a FIN goes. */
static const uint8_t close_state[16] = {
	[TCP_ESTABLISHED] = TCP_FIN_WAIT1 | ACTION_FIN,
	[TCP_SYN_SENT] = TCP_CLOSE,
	[TCP_SYN_RECV] = TCP_FIN_WAIT1 | ACTION_FIN,
	[TCP_FIN_WAIT1] = TCP_FIN_WAIT1,
	[TCP_FIN_WAIT2] = TCP_FIN_WAIT2,
	[TCP_TIME_WAIT] = TCP_CLOSE,
	[TCP_CLOSE] = TCP_CLOSE,
	[TCP_CLOSE_WAIT] = TCP_LAST_ACK | ACTION_FIN,
	[TCP_LAST_ACK] = TCP_LAST_ACK,
	[TCP_LISTEN] = TCP_CLOSE,
	[TCP_CLOSING] = TCP_CLOSING,
};

static bool tcp_close_state(struct sock *sk)
{
	uint8_t next = close_state[sk->sk_state & STATE_MASK];

	tcp_set_state(sk, next & STATE_MASK);
	return next & ACTION_FIN;
}

void tcp_shutdown(struct sock *sk, int how)
{
	if (!(how & SEND_SHUTDOWN))
		return;
	if (TCPF(sk->sk_state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_SYN_SENT) | TCPF(TCP_CLOSE_WAIT)))
		if (tcp_close_state(sk))
			tcp_send_fin(sk);
}

bool tcp_check_oom(struct sock *sk)
{
	const struct netns_tcp *ns = sock_net(sk)->tcp;
	bool too_many = ns->orphan_count > ns->sysctl_tcp_max_orphans;
	bool out_of_memory = sk->sk_wmem_queued > ORPHAN_SNDBUF && ns->mem.allocated > ns->mem.limit[2];

	if (too_many)
		net_log(sock_net(sk), "TCP: too many orphaned sockets");
	if (out_of_memory)
		net_log(sock_net(sk), "TCP: out of memory: raise the instance's memory or net.ipv4.tcp_mem");
	return too_many || out_of_memory;
}

/* --- close() ----------------------------------------------------------------------------------------------------------------- */

/* Drops what was not read; true when there was something. */
static bool purge_unread(struct sock *sk)
{
	struct sk_buff *skb;
	uint32_t unread = 0;

	while ((skb = skb_dequeue(&sk->sk_receive_queue))) {
		const struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);
		uint32_t end = tcb->end_seq - !!(tcb->tcp_flags & TCPHDR_FIN);
		uint32_t from = seq_after(tcp_sk(sk)->copied_seq, tcb->seq) ? tcp_sk(sk)->copied_seq : tcb->seq;
		if (seq_after(end, from))
			unread += end - from;
		skb_drop(skb, SKB_DROP_REASON_SOCKET_CLOSE);
	}
	return unread;
}

static bool peer_has_answered(struct sock *sk, void *arg)
{
	(void)arg;
	return !(TCPF(sk->sk_state) & (TCPF(TCP_FIN_WAIT1) | TCPF(TCP_CLOSING) | TCPF(TCP_LAST_ACK)));
}

/* The wire's side of close(). */
static void close_connection(struct sock *sk, uint64_t timeout_ns)
{
	struct net *net = sock_net(sk);
	bool unread = purge_unread(sk);

	sk_mem_reclaim(sk);
	if (sk->sk_state == TCP_CLOSE)
		return;
	if (unread && !PROVE_BREAKS("SHLD-3")) {
		NET_INC_STATS(net, TCPAbortOnClose);
		tcp_set_state(sk, TCP_CLOSE);
		tcp_send_active_reset(sk, MEM_RESERVE);
	} else if (sock_flag(sk, SOCK_F_LINGER) && !sock_lingertime_s(sk)) {
		sk->sk_prot->disconnect(sk);
		NET_INC_STATS(net, TCPAbortOnData);
	} else if (tcp_close_state(sk)) {
		tcp_send_fin(sk);
	}
	if (timeout_ns)
		(void)sk_wait(sk, &timeout_ns, peer_has_answered, NULL);
}

/* Nobody holds the socket any more; the sock's own reference, until now the socket's, goes with inet_csk_destroy_sock(). */
static void orphan(struct sock *sk)
{
	sock_set_flag(sk, SOCK_F_DEAD);
	sk->sk_socket = NULL;
	sock_net(sk)->tcp->orphan_count++;
}

static void abort_orphan(struct sock *sk)
{
	tcp_set_state(sk, TCP_CLOSE);
	tcp_send_active_reset(sk, MEM_RESERVE);
}

/* Our FIN is acknowledged, the peer's is awaited: how long?  True: a timewait entry has taken over, sk is gone. */
static bool orphan_in_fin_wait2(struct sock *sk)
{
	int32_t linger2 = sk->sk_ext ? sk->sk_ext->tcp_linger2_s : 0;
	uint64_t timeout = tcp_fin_time_ns(sk), timewait = (uint64_t)TCP_TIMEWAIT_S * NSEC_PER_SEC;

	if (linger2 < 0) {
		NET_INC_STATS(sock_net(sk), TCPAbortOnLinger);
		abort_orphan(sk);
	} else if (timeout > timewait) {
		inet_csk_reset_keepalive_timer(sk, timeout - timewait);
	} else {
		tcp_time_wait(sk, TCP_FIN_WAIT2, timeout);
		return true;
	}
	return false;
}

/* What becomes of the orphan: it lives on, or ends now. */
static void settle_orphan(struct sock *sk)
{
	if (sk->sk_state == TCP_FIN_WAIT2 && orphan_in_fin_wait2(sk))
		return;
	if (sk->sk_state != TCP_CLOSE && tcp_check_oom(sk)) {
		NET_INC_STATS(sock_net(sk), TCPAbortOnMemory);
		abort_orphan(sk);
	}
	if (sk->sk_state == TCP_CLOSE) {
		struct request_sock *req = tcp_fastopen_rsk(sk);
		if (req)
			reqsk_fastopen_remove(sk, req, false);
		inet_csk_destroy_sock(sk);
	}
}

/* timeout_ns: how long to wait for the data to be acknowledged (SO_LINGER), 0: not at all. */
void tcp_close(struct sock *sk, uint64_t timeout_ns)
{
	sock_hold(sk);
	sk->sk_shutdown = SHUTDOWN_MASK;
	if (sk->sk_state == TCP_LISTEN) {
		tcp_set_state(sk, TCP_CLOSE);
		inet_csk_listen_stop(sk);
	} else if (unlikely(sock_net(sk)->dying)) {
		tcp_set_state(sk, TCP_CLOSE); /* the instance ends without a word to the peers */
	} else {
		close_connection(sk, timeout_ns);
	}
	orphan(sk);
	settle_orphan(sk);
	sock_put(sk);
}

/* --- connect(AF_UNSPEC) ---------------------------------------------------------------------------------------------------------- */

static bool needs_reset(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (TCPF(sk->sk_state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT) | TCPF(TCP_FIN_WAIT1) | TCPF(TCP_FIN_WAIT2) | TCPF(TCP_SYN_RECV)))
		return true;
	return tp->snd_nxt != tp->write_seq && (TCPF(sk->sk_state) & (TCPF(TCP_CLOSING) | TCPF(TCP_LAST_ACK)));
}

static void forget_queues(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tcp_clear_xmit_timers(sk);
	skb_queue_purge(&sk->sk_receive_queue, SKB_DROP_REASON_SOCKET_CLOSE);
	tp->copied_seq = tp->rcv_nxt;
	tp->urg_data = 0;
	tcp_write_queue_purge(sk);
	tcp_ofo_queue_purge(sk);
	tcp_cleanup_congestion_control(sk);
	tcp_deactivate(sk);
}

/* The sock as it was before its first connection, its options kept. */
static void forget_connection(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct inet_connection_sock *icsk = inet_csk(sk);

	icsk->icsk_backoff = icsk->icsk_probes_out = icsk->icsk_retransmits = 0;
	icsk->icsk_probes_tstamp_ms = 0;
	icsk->icsk_rto_us = TCP_TIMEOUT_INIT_US;
	icsk->icsk_rto_min_us = (uint32_t)sock_net(sk)->tcp->sysctl_tcp_rto_min_us;
	icsk->icsk_ca_state = TCP_CA_Open;
	memset(&icsk->icsk_ack, 0, sizeof(icsk->icsk_ack));
	icsk->icsk_ack.rcv_mss = TCP_MIN_MSS;
	memset(&tp->rx_opt, 0, sizeof(tp->rx_opt));
	tp->srtt_us = tp->mdev_max_us = tp->rttvar_us = 0;
	tp->mdev_us = TCP_TIMEOUT_INIT_US;
	tp->rtt_min_us = UINT32_MAX;
	memset(&tp->rcv_rtt_est, 0, sizeof(tp->rcv_rtt_est));
	memset(&tp->rcvq_space, 0, sizeof(tp->rcvq_space));
	tp->snd_ssthresh = TCP_INFINITE_SSTHRESH;
	tp->snd_cwnd = TCP_INIT_CWND;
	tp->snd_cwnd_cnt = 0;
	tp->is_cwnd_limited = tp->is_sack_reneg = 0;
	tp->syn_data = tp->syn_fastopen = tp->syn_fastopen_exp = tp->syn_fastopen_ch = tp->syn_data_acked = tp->fastopen_child = 0;
	tp->window_clamp = 0;
	tcp_clear_retrans(tp);
	tp->total_retrans = tp->delivered = tp->delivered_ce = 0;
	tp->segs_in = tp->segs_out = tp->data_segs_in = tp->data_segs_out = 0;
	tp->bytes_acked = tp->bytes_received = tp->bytes_sent = tp->bytes_retrans = 0;
	tp->dsack_dups = tp->reord_seen = tp->rcv_ooopack = 0;
	tp->rate_delivered = tp->rate_interval_us = tp->rate_app_limited = 0;
	memset(tp->chrono_ms, 0, sizeof(tp->chrono_ms));
	if (tp->ext)
		tcp_ext_forget_counts(tp->ext);
	if (sk->sk_ext)
		sk->sk_ext->peek_off = -1;
	tp->ecn_flags = 0;
	tp->lsndtime_ns = 0;
	sk->sk_pacing_rate = UINT64_MAX;
	sk->sk_route_caps = 0;
	sk_dst_reset(sk);
}

/* The connection ends here and now, by RST where the peer may think it stands; the socket can connect or listen anew.  0. */
int tcp_disconnect(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct inet_sock *inet = inet_sk(sk);
	int old = sk->sk_state;
	bool reset = needs_reset(sk);

	if (old != TCP_CLOSE)
		tcp_set_state(sk, TCP_CLOSE);
	if (old == TCP_LISTEN)
		inet_csk_listen_stop(sk);
	if (reset)
		tcp_send_active_reset(sk, MEM_RESERVE);
	if (reset || old == TCP_SYN_SENT)
		sk->sk_err = ECONNRESET;
	tcp_fastopen_free_req(sk);
	tp->defer_connect = 0;
	tp->fastopen_client_fail = TFO_STATUS_UNSPEC;
	forget_queues(sk);
	inet->inet_dport = 0;
	inet->inet_daddr = inet_addr_v4(0);
	if (!sock_flag(sk, SOCK_F_BINDADDR_LOCK))
		inet->inet_saddr = inet->inet_rcv_saddr = inet_addr_v4(0);
	sk->sk_shutdown = 0;
	sock_reset_flag(sk, SOCK_F_DONE);
	/* The next connection of these ports must not take old segments for its own (RFC 9293 3.4.3). */
	tp->write_seq += tp->max_window + 2;
	if (!tp->write_seq)
		tp->write_seq = 1;
	forget_connection(sk);
	if (sk->sk_err)
		sk_error_report(sk);
	return 0;
}
