/* SPDX-License-Identifier: MIT */
/*
 * tcp_listen.c - a SYN for a listener (RFC 9293 3.10.7.2): is there room, what is agreed on, the SYN-ACK.
 *
 * Room: the accept queue must not be full.  When the SYN queue is, or net.ipv4.tcp_syncookies is 2, a SYN cookie goes out and nothing is
 * kept (tcp_syncookies.c); without cookies the SYN is dropped, and the last quarter of tcp_max_syn_backlog stays free for peers that
 * are known from before (tcp_metrics.c).  Else a request_sock is queued (inet_connection_sock.c) and its SYN-ACK
 * sent.  The answer to that is tcp_minisocks.c's.
 *
 * Options: MSS (RFC 9293 3.7.1), window scale and timestamps with a per-peer offset (RFC 7323), SACK (RFC 2018), ECN (RFC 3168 6.1.1).
 */
#include "tcp/tcp_cong.h"
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_md5.h"
#include "tcp/tcp_metrics.h"

/* The options of a SYN's IP header, as its answer and all that follows carry them; NULL: none, or no memory, and it goes without. */
static struct ip_options_data *save_ip_options(struct net *net, const struct sk_buff *skb)
{
	struct ip_options_data *opt;

	if (likely(!TCP_SKB_CB(skb)->header.optlen))
		return NULL;
	opt = net_alloc(net, sizeof(*opt), MEM_NORMAL);
	if (!opt)
		return NULL;
	ip_options_echo(opt, skb);
	if (opt->optlen)
		return opt;
	net_free(net, opt);
	return NULL;
}

struct request_sock *inet_reqsk_alloc(struct sock *sk, const struct sk_buff *skb)
{
	struct net *net = sk->sk_net;
	const struct tcphdr *th = tcp_hdr(skb);
	const struct iphdr *iph = ip_hdr(skb);
	struct request_sock *req = kmem_cache_zalloc(net->tcp->request_cache, MEM_NORMAL);

	if (!req)
		return NULL;
	list_init(&req->queue_node);
	list_init(&req->timer.entry);
	req->net = net;
	req->prot = sk->sk_prot;
	req->family = sk->sk_family;
	req->state = TCP_NEW_SYN_RECV;
	sock_hold(sk);
	req->listener = sk;
	req->loc_addr = iph->daddr;
	req->rmt_addr = iph->saddr;
	req->loc_port = th->dest;
	req->rmt_port = th->source;
	req->num = be16_to_cpu(th->dest);
	req->opt = save_ip_options(net, skb);
	req->iif = skb->dev ? skb->dev->ifindex : 0;
	req->mark = sk->sk_mark;
	req->tos = tcp_ca_needs_ecn(sk) ? inet_sk(sk)->tos : inet_sk(sk)->tos & ~INET_ECN_MASK;
	req->syn_tos = iph->tos & ~INET_ECN_MASK;
	if (unlikely(net->tcp->sysctl_tcp_reflect_tos))
		req->tos = req->syn_tos | (req->tos & INET_ECN_MASK);
	req->timeout_us = TCP_TIMEOUT_INIT_US;
	req->trace_cookie = ++net->cookie_next; /* the child's */
	return req;
}

void tcp_openreq_init(struct request_sock *req, const struct tcp_options_received *opt, const struct sk_buff *skb)
{
	req->rcv_isn = TCP_SKB_CB(skb)->seq;
	req->rcv_nxt = req->rcv_isn + 1;
	req->mss = opt->mss_clamp;
	req->ts_recent = opt->saw_tstamp ? opt->rcv_tsval : 0;
	req->tstamp_ok = opt->tstamp_ok;
	req->sack_ok = opt->sack_ok != 0;
	req->wscale_ok = opt->wscale_ok;
	req->snd_wscale = opt->snd_wscale;
}

void tcp_openreq_init_rwin(struct request_sock *req, const struct sock *sk, const struct dst_entry *dst)
{
	int full_space = tcp_full_space(sk);
	uint32_t mss = listener_advmss(sk, dst), clamp = tcp_sk(sk)->window_clamp;
	uint8_t rcv_wscale;

	if (!clamp)
		clamp = dst_metric(dst, RTAX_WINDOW);
	/* SO_RCVBUF before listen() bounds what is ever offered. */
	if (sock_flag(sk, SOCK_F_RCVBUF_LOCK) && (clamp > (uint32_t)full_space || !clamp))
		clamp = (uint32_t)full_space;
	tcp_select_initial_window(sk, full_space, mss - (req->tstamp_ok ? (unsigned)TCPOLEN_TSTAMP_ALIGNED : 0), &req->rsk_rcv_wnd, &clamp,
				  req->wscale_ok, &rcv_wscale, dst_metric(dst, RTAX_INITRWND));
	req->rsk_window_clamp = clamp;
	req->rcv_wscale = rcv_wscale & 0xf;
}

void tcp_ecn_create_request(struct request_sock *req, const struct sk_buff *skb, const struct sock *sk, const struct dst_entry *dst)
{
	const uint8_t both = TCPHDR_ECE | TCPHDR_CWR;
	bool wanted = sk->sk_net->tcp->sysctl_tcp_ecn || (dst_metric(dst, RTAX_FEATURES) & RTAX_FEATURE_ECN);
	bool ect = (TCP_SKB_CB(skb)->ip_dsfield & INET_ECN_MASK) != INET_ECN_NOT_ECT, ae = tcp_hdr(skb)->doff_res & TCP_RES_AE;

	if ((TCP_SKB_CB(skb)->tcp_flags & both) != both)
		return;
	/*
	 * A SYN must not itself be ECN-capable (RFC 3168 6.1.1), unless it asks for accurate ECN (RFC 9768), to which the answer is that we do the
	 * old one, or unless we speak DCTCP, which marks every segment.
	 */
	if (((!ect || ae) && wanted) || tcp_ca_needs_ecn(sk))
		req->ecn_ok = 1;
}

/* The SYN queue is full: shall a cookie go out? */
static bool syn_flood_action(struct sock *sk, uint16_t port)
{
	struct listen_sock *ls = inet_csk(sk)->icsk_listen;
	struct net *net = sk->sk_net;
	bool cookies = net->tcp->sysctl_tcp_syncookies;

	if (cookies)
		NET_INC_STATS(net, TCPReqQFullDoCookies);
	else
		NET_INC_STATS(net, TCPReqQFullDrop);
	if (!ls->flood_logged && net->tcp->sysctl_tcp_syncookies != 2) {
		ls->flood_logged = true;
		net_log(net, "tcp: possible SYN flooding on port %u: %s", port, cookies ? "sending cookies" : "dropping requests");
	}
	return cookies;
}

static void parse_syn(struct sock *sk, struct sk_buff *skb, bool cookie, struct tcp_options_received *opt)
{
	*opt = (struct tcp_options_received){.mss_clamp = TCP_MSS_DEFAULT, .user_mss = tcp_sk(sk)->rx_opt.user_mss};
	tcp_parse_options(sk->sk_net, skb, opt, false);
	/* A cookie remembers the other options in the timestamp only. */
	if (cookie && !opt->saw_tstamp)
		opt->wscale_ok = opt->sack_ok = opt->snd_wscale = 0;
	opt->tstamp_ok = opt->saw_tstamp;
}

/* Without cookies, when the queue nears its bound: SYNs are let in only of peers whose address is known to be their own. */
static bool syn_backlog_reserved(const struct sock *sk, const struct request_sock *req)
{
	const struct netns_tcp *ns = sk->sk_net->tcp;

	return !ns->sysctl_tcp_syncookies && ns->sysctl_tcp_max_syn_backlog - inet_csk_reqsk_queue_len(sk) < ns->sysctl_tcp_max_syn_backlog >> 2 &&
	       !tcp_peer_is_proven(sk->sk_net, req->loc_addr, req->rmt_addr);
}

/* Sends the answer to a SYN and keeps the request, or, with a cookie, does not.  Consumes req and dst. */
static void answer_syn(struct sock *sk, struct request_sock *req, struct dst_entry *dst, bool cookie, const struct tcp_fastopen_cookie *foc)
{
	if (!cookie)
		inet_csk_reqsk_queue_hash_add(sk, req);
	tcp_v4_send_synack(sk, dst, req, foc); /* lost or refused, it is sent again by the timer */
	if (cookie)
		reqsk_free(req);
}

/* Fast Open: the child exists already, and waits to be accepted while its SYN-ACK is on its way.  Consumes req and dst. */
static void answer_fastopen(struct sock *sk, struct request_sock *req, struct dst_entry *dst, struct sock *child, const struct tcp_fastopen_cookie *foc)
{
	tcp_v4_send_synack(sk, dst, req, foc);
	inet_csk_reqsk_queue_add(sk, req, child);
	sock_put(child);
}

static enum skb_drop_reason conn_request(struct sock *sk, struct sk_buff *skb)
{
	struct net *net = sk->sk_net;
	const struct tcphdr *th = tcp_hdr(skb);
	uint32_t isn = TCP_SKB_CB(skb)->tcp_tw_isn;
	enum skb_drop_reason reason = SKB_DROP_REASON_NOMEM;
	struct tcp_fastopen_cookie foc = {.len = -1};
	struct tcp_options_received opt;
	struct request_sock *req;
	struct dst_entry *dst;
	struct sock *child = NULL;
	bool cookie = false;

	if ((net->tcp->sysctl_tcp_syncookies == 2 || inet_csk_reqsk_queue_is_full(sk)) && !isn) {
		cookie = syn_flood_action(sk, be16_to_cpu(th->dest));
		if (!cookie)
			return SKB_DROP_REASON_TCP_REQQFULLDROP;
	}
	if (sk_acceptq_is_full(sk)) {
		NET_INC_STATS(net, ListenOverflows);
		return SKB_DROP_REASON_TCP_LISTEN_OVERFLOW;
	}
	req = inet_reqsk_alloc(sk, skb);
	if (!req)
		return reason;
	parse_syn(sk, skb, cookie, &opt);
	tcp_openreq_init(req, &opt, skb);
	/* A signed segment has no room for SACK blocks beside timestamps. */
	if (unlikely(tcp_sk(sk)->md5) && tcp_md5_lookup(sk, req->rmt_addr) && !cookie && req->sack_ok)
		req->tstamp_ok = opt.tstamp_ok = 0;
	if (opt.tstamp_ok)
		req->ts_off = secure_tcp_ts_off(net, req->loc_addr, req->rmt_addr);

	dst = inet_csk_route_req(sk, req);
	reason = SKB_DROP_REASON_IP_OUTNOROUTES;
	if (!dst)
		goto free_req;
	reason = SKB_DROP_REASON_TCP_REQQFULLDROP;
	if (!cookie && !isn && syn_backlog_reserved(sk, req))
		goto release_dst;
	tcp_ecn_create_request(req, skb, sk, dst);
	if (cookie) {
		isn = cookie_v4_init_sequence(net, skb, &req->mss);
		inet_csk(sk)->icsk_listen->overflow_ns = net->now_ns + 1;
		NET_INC_STATS(net, SyncookiesSent);
		req->is_cookie = 1;
		req->cookie_ts = opt.tstamp_ok;
		if (!opt.tstamp_ok)
			req->ecn_ok = 0;
	} else if (!isn) {
		isn = secure_tcp_seq(net, req->loc_addr, req->rmt_addr, req->loc_port, req->rmt_port);
	}
	req->snt_isn = isn;
	req->txhash = net_random_u32(net);
	tcp_openreq_init_rwin(req, sk, dst);
	(void)tcp_save_syn(sk, req, skb);
	if (!cookie) {
		tcp_parse_fastopen(skb, &foc);
		child = tcp_try_fastopen(sk, skb, req, &foc, dst);
	}
	if (child)
		answer_fastopen(sk, req, dst, child, &foc);
	else
		answer_syn(sk, req, dst, cookie, &foc);
	return SKB_CONSUMED;

release_dst:
	dst_release(dst);
free_req:
	reqsk_free(req);
	return reason;
}

int tcp_conn_request(struct sock *sk, struct sk_buff *skb)
{
	enum skb_drop_reason reason = conn_request(sk, skb);

	if (reason == SKB_CONSUMED) {
		skb_consume(skb);
	} else {
		tcp_listendrop(sk);
		skb_drop(skb, reason);
	}
	return 0;
}
