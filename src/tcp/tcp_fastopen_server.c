/* SPDX-License-Identifier: MIT */
/*
 * tcp_fastopen_server.c - the server of TCP Fast Open (RFC 7413 4.2): a child from the SYN itself.
 *
 *	conn_request -> tcp_try_fastopen: option, cookie, room -> create_child: in SYN_RECV, in the tables, with the SYN's data
 *	                   no: the usual request, with a cookie in the SYN-ACK where one was asked for or was wrong
 *	the child may be accepted, read and written at once; its retransmission timer is the SYN-ACK's until that is acknowledged
 *
 * The request_sock lives on as the description of the SYN-ACK.  It has two holders at most: the accept queue (req->sk set) and the child
 * (ext->fastopen_rsk, req->tfo_listener set); whoever lets go last frees it.
 *
 * Bound: the child counts in the listener's fastopen_qlen, at most TCP_FASTOPEN's number, until its SYN-ACK is acknowledged.  One that is
 * reset counts on for a minute (RFC 7413 5.1): that is how spoofed SYNs with a stolen cookie would end.
 */
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_input.h"

static struct listen_sock *listen_of(const struct request_sock *req)
{
	const struct sock *lsk = req->listener;

	return lsk && lsk->sk_state == TCP_LISTEN ? inet_csk(lsk)->icsk_listen : NULL;
}

/* --- options of the listener ------------------------------------------------------------------------------------------------ */

int tcp_fastopen_set_qlen(struct sock *sk, int val)
{
	struct tcp_ext *ext;
	int err;

	if (val < 0 || !(TCPF(sk->sk_state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN))))
		return -EINVAL;
	err = tcp_ext_get(sk, &ext);
	if (err)
		return err;
	tcp_fastopen_init_key_once(sock_net(sk));
	ext->fastopen_max_qlen = MIN((uint32_t)val, (uint32_t)sock_net(sk)->tcp->sysctl_somaxconn);
	return 0;
}

/* listen(): the sysctl may switch every listener on. */
void tcp_fastopen_listen(struct sock *sk, int backlog)
{
	const int both = TFO_SERVER_ENABLE | TFO_SERVER_WO_SOCKOPT1;
	const struct tcp_ext *ext = tcp_sk(sk)->ext;

	if ((sock_net(sk)->tcp->sysctl_tcp_fastopen & both) != both || (ext && ext->fastopen_max_qlen))
		return;
	(void)tcp_fastopen_set_qlen(sk, backlog < 0 ? INT32_MAX : backlog); /* without memory this listener does without */
}

/* --- the queue ---------------------------------------------------------------------------------------------------------------- */

/* Is there room for one more?  A reset one whose minute is over gives its place. */
static bool queue_has_room(struct sock *sk)
{
	struct listen_sock *ls = inet_csk(sk)->icsk_listen;
	const struct tcp_ext *ext = tcp_sk(sk)->ext;
	struct request_sock *oldest;

	if (!ext || !ext->fastopen_max_qlen)
		return false;
	if (ls->fastopen_qlen < ext->fastopen_max_qlen)
		return true;
	oldest = list_empty(&ls->fastopen_rst) ? NULL : list_first_entry(&ls->fastopen_rst, struct request_sock, queue_node);
	if (!oldest || oldest->expires_ns > sock_net(sk)->now_ns) {
		NET_INC_STATS(sock_net(sk), TCPFastOpenListenOverflow);
		return false;
	}
	list_del_init(&oldest->queue_node);
	ls->fastopen_qlen--;
	reqsk_free(oldest);
	return true;
}

void tcp_fastopen_queue_purge(struct listen_sock *ls)
{
	while (!list_empty(&ls->fastopen_rst)) {
		struct request_sock *req = list_first_entry(&ls->fastopen_rst, struct request_sock, queue_node);
		list_del_init(&req->queue_node);
		reqsk_free(req);
	}
	ls->fastopen_qlen = 0;
}

/* The child has no use for its request any more: the SYN-ACK was acknowledged, or the child ends (reset: by a RST). */
void reqsk_fastopen_remove(struct sock *child, struct request_sock *req, bool reset)
{
	struct listen_sock *ls = listen_of(req);

	tcp_sk(child)->ext->fastopen_rsk = NULL;
	tcp_sk(child)->tfo_rsk = 0;
	req->tfo_listener = 0;
	if (ls && ls->fastopen_qlen)
		ls->fastopen_qlen--;
	if (req->sk)
		return; /* not accepted yet: the queue has it */
	if (!reset || !ls) {
		reqsk_free(req);
		return;
	}
	req->expires_ns = req->net->now_ns + TCP_FASTOPEN_RST_HOLD_S * NSEC_PER_SEC;
	list_add_tail(&req->queue_node, &ls->fastopen_rst);
	ls->fastopen_qlen++;
}

/* --- the child ------------------------------------------------------------------------------------------------------------------ */

/* Data of a SYN or SYN-ACK goes to the receive queue, in order by itself. */
void tcp_fastopen_add_skb(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *data;

	if (TCP_SKB_CB(skb)->end_seq == tp->rcv_nxt)
		return;
	data = skb_clone(skb, MEM_NORMAL);
	if (!data)
		return; /* as if it had been lost behind the SYN */
	tp->segs_in = 0; /* the SYN was counted when the child was made */
	tcp_segs_in(tp, data);
	dst_release(data->dst);
	data->dst = NULL;
	skb_pull(data, tcp_hdrlen_of(tcp_hdr(data)));
	sk_forced_mem_schedule(sk, data->truesize);
	skb_set_owner_r(data, sk);
	TCP_SKB_CB(data)->seq++;
	TCP_SKB_CB(data)->tcp_flags &= (uint8_t)~TCPHDR_SYN;
	tp->rcv_nxt = TCP_SKB_CB(data)->end_seq;
	skb_queue_tail(&sk->sk_receive_queue, data);
	tp->syn_data_acked = 1;
	tp->bytes_received += data->len;
	if (TCP_SKB_CB(data)->tcp_flags & TCPHDR_FIN)
		tcp_fin(sk);
}

static struct sock *create_child(struct sock *sk, struct sk_buff *skb, struct request_sock *req)
{
	struct sock *child = inet_csk(sk)->icsk_af_ops->syn_recv_sock(sk, skb, req, NULL);
	struct tcp_sock *tp;
	struct tcp_ext *ext;

	if (!child)
		return NULL;
	if (tcp_ext_get(child, &ext)) {
		inet_csk_forced_close(child);
		return NULL;
	}
	tp = tcp_sk(child);
	inet_csk(sk)->icsk_listen->fastopen_qlen++;
	ext->fastopen_rsk = req;
	tp->tfo_rsk = tp->fastopen_child = 1;
	req->tfo_listener = 1;
	/* The window of a SYN is not scaled. */
	tp->snd_wnd = tp->max_window = be16_to_cpu(tcp_hdr(skb)->window);
	tcp_mstamp_refresh(tp);
	inet_csk_reset_xmit_timer(child, ICSK_TIME_RETRANS, req->timeout_us);
	tcp_init_transfer(child, skb);
	tp->rcv_nxt = TCP_SKB_CB(skb)->seq + 1;
	tcp_fastopen_add_skb(child, skb);
	req->rcv_nxt = tp->rcv_nxt;
	tp->rcv_wup = tp->rcv_nxt;
	return child;
}

static bool cookie_not_required(const struct sock *sk, const struct dst_entry *dst)
{
	return (sock_net(sk)->tcp->sysctl_tcp_fastopen & TFO_SERVER_COOKIE_NOT_REQD) || tcp_sk(sk)->fastopen_no_cookie ||
	       (dst && dst_metric(dst, RTAX_FASTOPEN_NO_COOKIE));
}

/* The cookie is good (by: which key it was made with), or none is needed. */
static struct sock *open_now(struct sock *sk, struct sk_buff *skb, struct request_sock *req, struct tcp_fastopen_cookie *foc,
			     struct tcp_fastopen_cookie *renewed, int by)
{
	struct net *net = sock_net(sk);
	struct sock *child = create_child(sk, skb, req);

	if (!child) {
		NET_INC_STATS(net, TCPFastOpenPassiveFail);
		return NULL;
	}
	if (by == 2) {
		NET_INC_STATS(net, TCPFastOpenPassiveAltKey);
		renewed->exp = foc->exp;
		*foc = *renewed;
	} else {
		foc->len = -1;
	}
	NET_INC_STATS(net, TCPFastOpenPassive);
	return child;
}

struct sock *tcp_try_fastopen(struct sock *sk, struct sk_buff *skb, struct request_sock *req, struct tcp_fastopen_cookie *foc, struct dst_entry *dst)
{
	bool data = TCP_SKB_CB(skb)->end_seq != TCP_SKB_CB(skb)->seq + 1;
	struct tcp_fastopen_cookie valid = {.len = -1};
	struct net *net = sock_net(sk);
	struct sock *child = NULL;
	int by;

	if (!foc->len)
		NET_INC_STATS(net, TCPFastOpenCookieReqd);
	if (!(net->tcp->sysctl_tcp_fastopen & TFO_SERVER_ENABLE) || (!data && foc->len < 0) || !queue_has_room(sk)) {
		foc->len = -1;
		return NULL;
	}
	if (cookie_not_required(sk, dst)) {
		child = open_now(sk, skb, req, foc, &valid, 0);
	} else if (!foc->len) {
		if (tcp_fastopen_key_count(sk))
			tcp_fastopen_cookie_gen(sk, req->rmt_addr, req->loc_addr, 0, &valid);
	} else if (foc->len > 0) {
		by = tcp_fastopen_cookie_check(sk, req->rmt_addr, req->loc_addr, foc, &valid);
		if (by)
			child = open_now(sk, skb, req, foc, &valid, by);
		else
			NET_INC_STATS(net, TCPFastOpenPassiveFail);
	}
	if (child)
		return child;
	valid.exp = foc->exp;
	*foc = valid;
	return NULL;
}

/* --- until the SYN-ACK is acknowledged -------------------------------------------------------------------------------------------- */

/* Nothing else of the child is sent again before.  One attempt more than a request has: the child may be in use already. */
void tcp_fastopen_synack_timer(struct sock *sk, struct request_sock *req)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	unsigned most = icsk->icsk_syn_retries ? icsk->icsk_syn_retries : (unsigned)sock_net(sk)->tcp->sysctl_tcp_synack_retries + 1;
	struct tcp_active *act;

	NET_INC_STATS(sock_net(sk), TCPTimeouts);
	if (req->num_timeout >= most) {
		tcp_write_err(sk);
		return;
	}
	if (icsk->icsk_retransmits == 1)
		tcp_enter_loss(sk);
	inet_rtx_syn_ack(req->listener, req); /* refused or not, it is tried again */
	req->num_timeout++;
	icsk->icsk_retransmits++;
	act = tcp_act(sk);
	if (act && !act->retrans_stamp_ms)
		act->retrans_stamp_ms = MAX(tcp_time_stamp_ms(tcp_sk(sk)), 1u);
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, (uint64_t)req->timeout_us << MIN(req->num_timeout, 10));
}

/* It is acknowledged: the timer is the data's now. */
void tcp_rcv_synrecv_state_fastopen(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_active *act = tp->active;

	if (!tp->srtt_us)
		tcp_synack_rtt_meas(sk, tp->ext->fastopen_rsk);
	if (inet_csk(sk)->icsk_ca_state == TCP_CA_Loss && !tp->packets_out)
		tcp_try_undo_recovery(sk);
	if (act)
		act->retrans_stamp_ms = 0;
	inet_csk(sk)->icsk_retransmits = 0;
	reqsk_fastopen_remove(sk, tp->ext->fastopen_rsk, false);
	tcp_rearm_rto(sk);
}
