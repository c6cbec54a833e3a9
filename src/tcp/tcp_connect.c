/* SPDX-License-Identifier: MIT */
/*
 * tcp_connect.c - the handshake's outgoing half: SYN (T10), SYN-ACK of a request, SYN-ACK of a simultaneous open.
 *
 * The SYN is charged to sk_wmem_queued and stands in the retransmit tree from the start; it never joins the write queue, so that data written
 * meanwhile queues behind it.  RFC 9293 3.10.1, 3.5; RFC 7323 2.2 (scale is offered in the SYN); RFC 3168 6.1.1.
 */
#include "tcp/tcp_cong.h"
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_md5.h"
#include "tcp/tcp_output.h"

/* Window and scale that the SYN offers. */
static void init_receive_window(struct sock *sk, const struct dst_entry *dst)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t full = (uint32_t)MAX(tcp_full_space(sk), 0), mss;
	uint8_t scale;

	if (!tp->window_clamp)
		tp->window_clamp = dst_metric(dst, RTAX_WINDOW);
	if (sock_flag(sk, SOCK_F_RCVBUF_LOCK) && (tp->window_clamp > full || !tp->window_clamp))
		tp->window_clamp = full;
	mss = tp->advmss - (tp->rx_opt.ts_recent_stamp_s ? tp->tcp_header_len - (uint32_t)sizeof(struct tcphdr) : 0);
	tcp_select_initial_window(sk, (int)full, mss, &tp->rcv_wnd, &tp->window_clamp, sock_net(sk)->tcp->sysctl_tcp_window_scaling,
				  &scale, dst_metric(dst, RTAX_INITRWND));
	tp->rx_opt.rcv_wscale = scale & 15;
	tp->rcv_ssthresh = tp->rcv_wnd;
}

static void connect_init(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct inet_connection_sock *icsk = inet_csk(sk);
	const struct dst_entry *dst = __sk_dst_get(sk);

	/* Room for timestamps is deducted from the first on; the SYN-ACK may take it back. */
	tp->tcp_header_len = sizeof(struct tcphdr);
	if (sock_net(sk)->tcp->sysctl_tcp_timestamps)
		tp->tcp_header_len += TCPOLEN_TSTAMP_ALIGNED;
	if (unlikely(tcp_md5_key_of(sk)))
		tp->tcp_header_len += TCPOLEN_MD5SIG_ALIGNED;
	if (tp->rx_opt.user_mss)
		tp->rx_opt.mss_clamp = tp->rx_opt.user_mss;
	tp->max_window = 0;
	tcp_init_xmit_tso(sk);
	tcp_mtup_init(sk);
	tcp_sync_mss(sk, dst_mtu(dst));
	tp->advmss = tcp_mss_clamp(tp, dst_metric_advmss(dst));
	tcp_initialize_rcv_mss(sk);
	init_receive_window(sk, dst);
	sk->sk_err = 0;
	sock_reset_flag(sk, SOCK_F_DONE);
	tp->snd_wnd = 0;
	tp->snd_wl1 = 0;
	tp->lsndtime_ns = sock_net(sk)->now_ns; /* of the first SYN: no echo is older */
	tcp_write_queue_purge(sk);
	tp->isn_snd = tp->write_seq;
	tp->snd_una = tp->snd_sml = tp->snd_up = tp->snd_nxt = tp->write_seq;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = 0;
	icsk->icsk_rto_us = TCP_TIMEOUT_INIT_US;
	icsk->icsk_retransmits = 0;
	tcp_clear_retrans(tp);
}

static bool route_wants_ecn(const struct dst_entry *dst) { return dst && (dst_metric(dst, RTAX_FEATURES) & RTAX_FEATURE_ECN); }

/* RFC 3168 6.1.1: a host that initiates ECN says so by ECE and CWR together. */
static uint8_t ecn_syn_flags(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tp->ecn_flags = 0;
	if (sock_net(sk)->tcp->sysctl_tcp_ecn != 1 && !tcp_ca_needs_ecn(sk) && !route_wants_ecn(__sk_dst_get(sk)))
		return 0;
	tp->ecn_flags = TCP_ECN_OK;
	return TCPHDR_ECE | TCPHDR_CWR;
}

/*
 * Sends the SYN of sk: addresses, ports, ISN (write_seq) and route are set, state is SYN_SENT.  0, -EHOSTUNREACH (no SYN was sent), -ENOBUFS,
 * -ECONNREFUSED (a local policy's word); any other failure to send is left to the retransmission.
 */
int tcp_connect(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb;
	int err;

	tcp_trace(sk, TP_tcp_connect, tp->write_seq, tp->write_seq + 1, 0);
	if (inet_csk(sk)->icsk_af_ops->rebuild_header(sk))
		return -EHOSTUNREACH;
	connect_init(sk);
	skb = tcp_stream_alloc_skb(sk, 0, MEM_NORMAL, true);
	if (unlikely(!skb))
		return -ENOBUFS;
	tcp_init_nondata_skb(skb, tp->write_seq, TCPHDR_SYN);
	TCP_SKB_CB(skb)->tcp_flags |= ecn_syn_flags(sk);
	sk_wmem_charge(sk, (int)skb->truesize);
	tp->write_seq = TCP_SKB_CB(skb)->end_seq;
	tp->packets_out += tcp_skb_pcount(skb);
	tcp_mstamp_refresh(tp);
	tcp_rtx_queue_insert(sk, skb);
	err = tp->ext && tp->ext->fastopen_req ? tcp_send_syn_data(sk, skb) : tcp_transmit_skb(sk, skb, 1, MEM_NORMAL);
	if (err == -ECONNREFUSED)
		return err;
	tp->snd_nxt = tcp_send_head(sk) ? TCP_SKB_CB(tcp_send_head(sk))->seq : tp->write_seq;
	tp->pushed_seq = tp->snd_nxt;
	NET_INC_STATS(sock_net(sk), TcpActiveOpens);
	if (!PROVE_BREAKS("T10"))
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, inet_csk(sk)->icsk_rto_us);
	return 0;
}

/* Our SYN crossed the peer's: it is sent again with the ACK on it (RFC 9293 figure 7). 0 or -errno. */
int tcp_send_synack(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb = tcp_rtx_queue_head(sk);
	struct tcp_skb_cb *tcb;

	if (!skb || !(TCP_SKB_CB(skb)->tcp_flags & TCPHDR_SYN) || (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN))
		return -EFAULT;
	tcb = TCP_SKB_CB(skb);
	if (!(tcb->tcp_flags & TCPHDR_ACK)) {
		tcb->tcp_flags |= TCPHDR_ACK;
		tcb->tcp_flags &= (uint8_t)~TCPHDR_CWR;
		if (!(tp->ecn_flags & TCP_ECN_OK))
			tcb->tcp_flags &= (uint8_t)~TCPHDR_ECE;
	}
	return tcp_transmit_skb(sk, skb, 1, MEM_NORMAL);
}

static void write_synack_header(const struct request_sock *req, struct sk_buff *skb, unsigned hdr_len)
{
	struct tcphdr *th = skb_push(skb, hdr_len);

	skb_reset_transport_header(skb);
	th->source = req->loc_port;
	th->dest = req->rmt_port;
	th->seq = cpu_to_be32(req->snt_isn);
	th->ack_seq = cpu_to_be32(req->rcv_nxt);
	tcp_set_hdrlen(th, hdr_len);
	th->flags = TCPHDR_SYNACK | (req->ecn_ok ? TCPHDR_ECE : 0);
	th->window = cpu_to_be16((uint16_t)MIN(req->rsk_rcv_wnd, 0xffffu));
	th->check = 0;
	th->urg_ptr = 0;
}

struct sk_buff *tcp_make_synack(const struct sock *sk, struct dst_entry *dst, struct request_sock *req, const struct tcp_fastopen_cookie *foc)
{
	struct tcp_out_options opts;
	struct sk_buff *skb = alloc_skb(req->net, MAX_TCP_HEADER, 0, SKB_ALLOC_RESERVE);

	if (unlikely(!skb)) {
		dst_release(dst);
		return NULL;
	}
	skb->dst = dst;
	skb->priority = sk->sk_priority;
	skb->mark = req->mark;
	skb->hash = req->txhash;
	skb->skb_mstamp_ns = req->net->now_ns;
	skb->ip_summed = CHECKSUM_PARTIAL;
	unsigned options = tcp_synack_options(req, tcp_mss_clamp(tcp_sk(sk), dst_metric_advmss(dst)), foc, &opts);
	if (!req->snt_tsval_last)
		req->snt_tsval_first = opts.tsval;
	req->snt_tsval_last = opts.tsval;
	write_synack_header(req, skb, (unsigned)sizeof(struct tcphdr) + options);
	tcp_options_write((uint8_t *)(tcp_hdr(skb) + 1), NULL, &opts);
	if (unlikely(opts.options & OPT_MD5))
		tcp_md5_hash((uint8_t *)(tcp_hdr(skb) + 1) + 4, tcp_md5_lookup(req->listener, req->rmt_addr), req->loc_addr, req->rmt_addr, tcp_hdr(skb), skb);
	if (unlikely(req->net->trace.on)) {
		skb->trace_cookie = (uint32_t)req->trace_cookie;
		skb->trace_seq = skb->trace_end = 0;
	}
	trace_skb(skb, TP_tcp_transmit_skb);
	NET_INC_STATS(req->net, TcpOutSegs);
	return skb;
}
