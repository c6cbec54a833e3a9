/* SPDX-License-Identifier: MIT */
/*
 * tcp_minisocks.c - from request to connection: what may come in for a request in SYN_RECV (RFC 9293 3.10.7.4, on a request_sock
 * instead of a sock), and the child that its last ACK makes.
 *
 *	tcp_v4_rcv -> tcp_check_req -> syn_recv_sock -> tcp_create_openreq_child, then tcp_child_process -> tcp_rcv_state_process
 *
 * The child is a copy of the listener in SYN_RECV with what was agreed on in the request; it is hashed in the request's
 * place and waits in the accept queue.  It comes with two references: the user's (the accept queue's until then) and the maker's,
 * which tcp_child_process() drops.
 */
#include "tcp/tcp_cong.h"
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_md5.h"

/* --- the child ------------------------------------------------------------------------------------------------------- */

static void child_init_send(struct tcp_sock *tp, const struct request_sock *req, const struct sk_buff *skb)
{
	tp->isn_snd = req->snt_isn;
	tp->snd_una = tp->snd_nxt = tp->snd_sml = tp->snd_up = req->snt_isn + 1;
	tp->write_seq = tp->pushed_seq = req->snt_isn + 1;
	tp->snd_wl1 = req->rcv_isn;
	tp->snd_wnd = (uint32_t)be16_to_cpu(tcp_hdr(skb)->window) << (req->wscale_ok ? req->snd_wscale : 0);
	tp->max_window = tp->snd_wnd;
	tp->total_retrans = req->num_retrans;
	/* The first SYN-ACK: which one was answered the echo tells.  A child of Fast Open is made just before that goes out. */
	tp->lsndtime_ns = req->snt_synack_us ? req->snt_synack_us * NSEC_PER_USEC : req->net->now_ns;
	tp->ecn_flags = req->ecn_ok ? TCP_ECN_OK : 0;
}

static void child_init_receive(struct tcp_sock *tp, const struct request_sock *req)
{
	tp->isn_rcv = req->rcv_isn;
	tp->rcv_nxt = tp->copied_seq = tp->rcv_wup = req->rcv_isn + 1;
	tp->segs_in = 1; /* the SYN */
	tp->data_segs_in = 0;
	tp->urg_data = 0;
	tp->pred_flags = 0;
	tp->window_clamp = req->rsk_window_clamp;
	tp->rcv_wnd = tp->rcv_ssthresh = req->rsk_rcv_wnd;
	if (!req->wscale_ok)
		tp->window_clamp = MIN(tp->window_clamp, 65535u);
}

static void child_init_options(struct tcp_sock *tp, const struct request_sock *req)
{
	struct tcp_options_received *opt = &tp->rx_opt;

	opt->saw_tstamp = 0;
	opt->dsack = 0;
	opt->num_sacks = 0;
	opt->tstamp_ok = req->tstamp_ok;
	opt->sack_ok = req->sack_ok;
	opt->wscale_ok = req->wscale_ok;
	opt->snd_wscale = req->wscale_ok ? req->snd_wscale : 0;
	opt->rcv_wscale = req->wscale_ok ? req->rcv_wscale : 0;
	opt->ts_recent = req->tstamp_ok ? req->ts_recent : 0;
	opt->ts_recent_stamp_s = req->tstamp_ok ? net_tcp_now_s(req->net) : 0;
	opt->mss_clamp = req->mss;
	tp->tcp_header_len = (uint16_t)(sizeof(struct tcphdr) + (req->tstamp_ok ? TCPOLEN_TSTAMP_ALIGNED : 0));
	tp->tsoffset = req->ts_off;
}

/* RTT, congestion and counters begin as those of any new sock (tcp_init_sock), whatever the listener had. */
static void child_init_state(struct sock *sk, const struct request_sock *req, const struct sk_buff *skb)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	unsigned header = sizeof(struct tcphdr) + (req->tstamp_ok ? TCPOLEN_TSTAMP_ALIGNED : 0);

	icsk->icsk_bind_hash = NULL;
	icsk->icsk_listen = NULL;
	icsk->icsk_retransmits = icsk->icsk_backoff = icsk->icsk_probes_out = icsk->icsk_pending = 0;
	icsk->icsk_ca_state = TCP_CA_Open;
	icsk->icsk_rto_us = TCP_TIMEOUT_INIT_US;
	memset(&icsk->icsk_ack, 0, sizeof(icsk->icsk_ack));
	icsk->icsk_lrcvtime_ns = sk->sk_net->now_ns;
	if (skb->len >= TCP_MSS_DEFAULT + header)
		icsk->icsk_ack.last_seg_size = (uint16_t)MIN(skb->len - header, 65535u);

	tp->active = NULL;
	tp->ext = NULL;
	tp->mtup_on = tp->mtup_enabled = 0;
	tp->md5 = 0;
	tp->syn_fastopen = tp->syn_fastopen_ch = tp->syn_data_acked = tp->fastopen_client_fail = tp->fastopen_child = 0;
	tp->fastopen_connect = tp->fastopen_no_cookie = tp->save_syn = 0;
	tp->srtt_us = tp->rttvar_us = tp->mdev_max_us = 0;
	tp->mdev_us = TCP_TIMEOUT_INIT_US;
	tp->rtt_min_us = UINT32_MAX;
	tp->packets_out = tp->retrans_out = tp->sacked_out = tp->lost_out = 0;
	tp->snd_cwnd = TCP_INIT_CWND;
	tp->snd_cwnd_cnt = 0;
	tp->rate_app_limited = 1;
	tp->snd_ssthresh = TCP_INFINITE_SSTHRESH;
	tp->lsndtime_ns = tp->rcv_tstamp_ns = sk->sk_net->now_ns;
	tcp_mstamp_refresh(tp);
}

static void child_take_saved_syn(struct sock *child, struct request_sock *req)
{
	struct tcp_ext *ext;

	if (likely(!req->saved_syn) || tcp_ext_get(child, &ext))
		return;
	ext->saved_syn = req->saved_syn;
	req->saved_syn = NULL;
}

struct sock *tcp_create_openreq_child(const struct sock *sk, struct request_sock *req, struct sk_buff *skb)
{
	struct sock *child = sk_clone(sk, MEM_NORMAL);
	struct inet_sock *inet;

	if (!child)
		return NULL;
	inet = inet_sk(child);
	child->sk_state = TCP_SYN_RECV;
	child->sk_hash = 0;
	child->sk_node = child->sk_bind_node = (struct hlist_node){0};
	child->sk_cookie = req->trace_cookie;
	child->sk_mark = req->mark;
	child->sk_ack_backlog = child->sk_max_ack_backlog = 0;
	child->sk_err = child->sk_err_soft = 0;
	child->sk_txhash = req->txhash;
	/* The port is the listener's choice, not this user's: it is given back as soon as the connection ends. */
	sock_reset_flag(child, SOCK_F_BINDPORT_LOCK);
	/* Its address is not ours by the local table: it may send from it all the same, also after the listener is gone. */
	if (sock_flag(sk, SOCK_F_ACCEPT_ANY)) {
		sock_set_flag(child, SOCK_F_TRANSPARENT);
		ip_accept_any(child->sk_net, true); /* and must go on to hear what comes for it */
	}
	inet->inet_daddr = inet_addr_v4(req->rmt_addr);
	inet->inet_rcv_saddr = inet->inet_saddr = inet_addr_v4(req->loc_addr);
	inet->inet_dport = req->rmt_port;
	inet->inet_sport = req->loc_port;
	inet->inet_num = req->num;
	if (unlikely(child->sk_net->tcp->sysctl_tcp_reflect_tos))
		inet->tos = req->syn_tos;
	inet->inet_id = (uint16_t)net_random_u32(child->sk_net);

	child_init_state(child, req, skb);
	child_init_send(tcp_sk(child), req, skb);
	child_init_receive(tcp_sk(child), req);
	child_init_options(tcp_sk(child), req);
	if (!inet_csk(sk)->icsk_ca_setsockopt)
		tcp_assign_congestion_control(child);
	inet_csk(child)->icsk_ca_initialized = 0;
	child_take_saved_syn(child, req);
	tcp_init_xmit_timers(child);
	if (sock_flag(child, SOCK_F_KEEPOPEN))
		inet_csk_reset_keepalive_timer(child, keepalive_time_when_ns(tcp_sk(child)));
	NET_INC_STATS(child->sk_net, TcpPassiveOpens);
	return child;
}

/* The IP options that came with the SYN are the child's.  -ENOMEM. */
static int child_take_ip_options(struct sock *child, struct request_sock *req)
{
	struct sock_ext *ext;
	int err = req->opt ? sk_ext_get(child, &ext) : 0;

	inet_csk(child)->icsk_ext_hdr_len = req->opt ? req->opt->optlen : 0;
	if (err || !req->opt)
		return err;
	ext->inet_opt = req->opt;
	req->opt = NULL;
	return 0;
}

/* The route, the addresses' consequences, the child's place in the tables.  Consumes dst (NULL: routed here).  NULL: none was made. */
struct sock *tcp_v4_syn_recv_sock(struct sock *sk, struct sk_buff *skb, struct request_sock *req, struct dst_entry *dst)
{
	struct net *net = sk->sk_net;
	struct sock *child;

	if (sk_acceptq_is_full(sk)) {
		NET_INC_STATS(net, ListenOverflows);
		goto release_dst;
	}
	if (!dst)
		dst = inet_csk_route_req(sk, req);
	if (!dst)
		goto count;
	child = tcp_create_openreq_child(sk, req, skb);
	if (!child)
		goto release_dst;
	child->sk_gso_type = SKB_GSO_TCPV4;
	sk_setup_caps(child, dst);
	int err = child_take_ip_options(child, req);
	if (unlikely(tcp_sk(sk)->md5) && !err)
		err = tcp_md5_inherit(sk, child, req->rmt_addr);
	if (unlikely(tcp_sk(child)->md5))
		tcp_sk(child)->tcp_header_len += TCPOLEN_MD5SIG_ALIGNED;
	tcp_sync_mss(child, dst_mtu(dst));
	tcp_sk(child)->advmss = listener_advmss(sk, dst);
	tcp_initialize_rcv_mss(child);
	if (err || inet_inherit_port(sk, child))
		goto close_child;
	inet_ehash_remove(net, &req->hash);
	child->sk_hash = inet_ehashfn(net, req->loc_addr, req->num, req->rmt_addr, req->rmt_port);
	inet_ehash_insert(net, &child->sk_node, child->sk_hash);
	return child;

close_child:
	inet_csk_forced_close(child);
	goto count;
release_dst:
	dst_release(dst);
count:
	tcp_listendrop(sk);
	return NULL;
}

void tcp_synack_rtt_meas(struct sock *child, const struct request_sock *req)
{
	uint64_t now_us = req->net->now_ns / NSEC_PER_USEC;

	/* Karn: not when it is unknown which SYN-ACK was answered. */
	if (!req->num_retrans && req->snt_synack_us && now_us >= req->snt_synack_us)
		tcp_ack_update_rtt_synack(child, now_us - req->snt_synack_us);
}

struct sock *tcp_get_cookie_sock(struct sock *sk, struct sk_buff *skb, struct request_sock *req, struct dst_entry *dst)
{
	struct sock *child = inet_csk(sk)->icsk_af_ops->syn_recv_sock(sk, skb, req, dst);

	if (!child) {
		reqsk_free(req);
		return NULL;
	}
	if (!inet_csk_reqsk_queue_add(sk, req, child)) {
		inet_csk_forced_close(child);
		reqsk_free(req);
		return NULL;
	}
	return child;
}

enum skb_drop_reason tcp_child_process(struct sock *parent, struct sock *child, struct sk_buff *skb)
{
	enum skb_drop_reason reason;

	(void)parent;
	if (unlikely(child->sk_net->trace.on))
		skb->trace_cookie = (uint32_t)child->sk_cookie;
	tcp_segs_in(tcp_sk(child), skb);
	reason = tcp_rcv_state_process(child, skb);
	sock_put(child);
	return reason;
}

/* --- what comes in for a request --------------------------------------------------------------------------------------- */

/* The client's SYN again: it has not seen our SYN-ACK. */
static void answer_syn_again(struct sk_buff *skb, struct request_sock *req)
{
	struct net *net = req->net;
	uint64_t expires;

	if (tcp_oow_rate_limited(net, skb, MIB_TCPACKSkippedSynRecv, &req->last_oow_ack_time_ms))
		return;
	if (inet_rtx_syn_ack(req->listener, req))
		return;
	expires = net->now_ns + MIN((uint64_t)req->timeout_us << MIN(req->num_timeout, 10), (uint64_t)tcp_rto_max_us(req->listener)) * NSEC_PER_USEC;
	if (req->tfo_listener) {
		req->expires_ns = expires;
	} else if (timer_pending(&req->timer)) {
		req->expires_ns = expires;
		timer_mod(net, &req->timer, expires);
	}
}

/* RFC 7323 5.3 for a request; opt is filled from skb. */
static bool request_paws_reject(const struct sk_buff *skb, const struct request_sock *req, struct tcp_options_received *opt)
{
	const struct tcphdr *th = tcp_hdr(skb);

	*opt = (struct tcp_options_received){.mss_clamp = TCP_MSS_DEFAULT};
	if (tcp_hdrlen_of(th) == sizeof(*th))
		return false;
	tcp_parse_options(req->net, skb, opt, false);
	if (!opt->saw_tstamp)
		return false;
	opt->ts_recent = req->ts_recent;
	/* The request does not keep when it was; the SYN is at most this old. */
	opt->ts_recent_stamp_s = net_tcp_now_s(req->net) - (uint32_t)((((uint64_t)req->timeout_us << MIN(req->num_timeout, 10))) / 1000000);
	return ts_paws_reject(opt, net_tcp_now_s(req->net), th->flags & TCPHDR_RST);
}

/* The echo in an answer to our SYN-ACK is of one of those that were sent. */
static bool tsecr_reject(const struct request_sock *req, const struct tcp_options_received *opt)
{
	return opt->saw_tstamp && opt->rcv_tsecr && req->tstamp_ok && !seq_between(opt->rcv_tsecr, req->snt_tsval_first, req->snt_tsval_last);
}

/* RST to the peer unless that is what it sent; the request is over. */
static void embryonic_reset(struct sock *sk, struct sk_buff *skb, struct request_sock *req)
{
	struct net *net = req->net;

	if (!(tcp_hdr(skb)->flags & TCPHDR_RST))
		tcp_v4_send_reset(sk, skb);
	NET_INC_STATS(net, EmbryonicRsts);
	reqsk_put_unlink(req);
}

/* The same for a child that took the SYN's data: an RST ends it, a SYN is answered by one. */
static void child_reset(struct sock *sk, struct sk_buff *skb, struct request_sock *req)
{
	if (!(tcp_hdr(skb)->flags & TCPHDR_RST)) {
		tcp_v4_send_reset(sk, skb);
		return;
	}
	reqsk_fastopen_remove(sk, req, true);
	tcp_reset(sk, skb);
}

/* The last ACK of the handshake. */
static struct sock *request_complete(struct sock *sk, struct sk_buff *skb, struct request_sock *req, enum skb_drop_reason *reason)
{
	struct sock *child = inet_csk(sk)->icsk_af_ops->syn_recv_sock(sk, skb, req, NULL);

	if (!child) {
		*reason = SKB_DROP_REASON_TCP_LISTEN_OVERFLOW;
		/* The client believes in a connection; what it sends will be asked for again, when there may be room. */
		if (!req->net->tcp->sysctl_tcp_abort_on_overflow)
			req->acked = 1;
		else
			embryonic_reset(sk, skb, req);
		return NULL;
	}
	inet_csk_reqsk_unlink(req);
	tcp_synack_rtt_meas(child, req);
	if (!inet_csk_reqsk_queue_add(sk, req, child)) {
		inet_csk_forced_close(child);
		reqsk_free(req);
		*reason = SKB_DROP_REASON_SOCKET_CLOSE;
		return NULL;
	}
	return child;
}

struct sock *tcp_check_req(struct sock *sk, struct sk_buff *skb, struct request_sock *req, bool fastopen, enum skb_drop_reason *reason)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint8_t flags = cb->tcp_flags & (TCPHDR_RST | TCPHDR_SYN | TCPHDR_ACK);
	struct net *net = req->net;
	struct tcp_options_received opt;
	bool paws_reject = request_paws_reject(skb, req, &opt), echo_reject = tsecr_reject(req, &opt);

	if (cb->seq == req->rcv_isn && flags == TCPHDR_SYN && !paws_reject) {
		*reason = SKB_DROP_REASON_TCP_RETRANSMIT;
		answer_syn_again(skb, req);
		return NULL;
	}
	/* An ACK of something else: the listener answers with RST.  Also protects against a crossed simultaneous open. */
	if ((flags & TCPHDR_ACK) && !fastopen && cb->ack_seq != req->snt_isn + 1)
		return sk;
	if (paws_reject || echo_reject || !seq_in_window(cb->seq, cb->end_seq, req->rcv_nxt, req->rcv_nxt + MIN(req->rsk_rcv_wnd, 65535u))) {
		*reason = paws_reject ? SKB_DROP_REASON_TCP_RFC7323_PAWS : echo_reject ? SKB_DROP_REASON_TCP_RFC7323_TSECR : SKB_DROP_REASON_TCP_INVALID_SEQUENCE;
		if (!(flags & TCPHDR_RST) && !tcp_oow_rate_limited(net, skb, MIB_TCPACKSkippedSynRecv, &req->last_oow_ack_time_ms))
			tcp_v4_reqsk_send_ack(req, skb);
		if (paws_reject)
			NET_INC_STATS(net, PAWSEstab);
		else if (echo_reject)
			NET_INC_STATS(net, TSEcrRejected);
		return NULL;
	}
	if (opt.saw_tstamp && !seq_after(cb->seq, req->rcv_nxt))
		req->ts_recent = opt.rcv_tsval;
	if (cb->seq == req->rcv_isn)
		flags &= (uint8_t)~TCPHDR_SYN; /* before the window: cut off */
	if (flags & (TCPHDR_RST | TCPHDR_SYN)) {
		*reason = flags & TCPHDR_RST ? SKB_DROP_REASON_TCP_RESET : SKB_DROP_REASON_TCP_INVALID_SYN;
		NET_INC_STATS(net, TcpAttemptFails);
		if (fastopen)
			child_reset(sk, skb, req);
		else
			embryonic_reset(sk, skb, req);
		return NULL;
	}
	*reason = SKB_DROP_REASON_TCP_FLAGS;
	if (!(flags & TCPHDR_ACK))
		return NULL;
	if (fastopen)
		return sk;
	if (req->num_timeout < tcp_sk(sk)->defer_accept && cb->end_seq == req->rcv_isn + 1) {
		req->acked = 1;
		NET_INC_STATS(net, TCPDeferAcceptDrop);
		return NULL;
	}
	return request_complete(sk, skb, req, reason);
}
