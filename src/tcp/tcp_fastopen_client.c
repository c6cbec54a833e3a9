/* SPDX-License-Identifier: MIT */
/*
 * tcp_fastopen_client.c - the client of TCP Fast Open (RFC 7413 4.2): data on the SYN, and what becomes of it.
 *
 *	sendto(MSG_FASTOPEN)           socket/inet_connect.c -> tcp_fastopen_begin, connect(): tcp_connect -> tcp_send_syn_data
 *	TCP_FASTOPEN_CONNECT           connect() with a cookie at hand only notes the address; the first write goes the same way
 *	SYN-ACK                        tcp_rcv_fastopen_synack: all of the data acknowledged, or what is not is sent again at once
 *	SYN lost                       sent again plain, by the retransmission timer: the data waits for the SYN-ACK
 *
 * In the retransmit tree the SYN and its data are two skbs; on the wire they were one.  Without a cookie the SYN asks for one and carries no
 * data.  The MSS of the data is the one that the server announced last time; 40 bytes are left for options that middleboxes insert.
 */
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_input.h"
#include "tcp/tcp_output.h"

void tcp_fastopen_free_req(struct sock *sk)
{
	struct tcp_ext *ext = tcp_sk(sk)->ext;

	if (!ext || !ext->fastopen_req)
		return;
	net_free(sock_net(sk), ext->fastopen_req);
	ext->fastopen_req = NULL;
}

/* --- the call --------------------------------------------------------------------------------------------------------------- */

int tcp_fastopen_begin(struct sock *sk, struct msghdr_k *msg)
{
	struct tcp_ext *ext;
	int err;

	if (!(sock_net(sk)->tcp->sysctl_tcp_fastopen & TFO_CLIENT_ENABLE))
		return -EOPNOTSUPP;
	if (msg->name && msg->namelen >= sizeof(msg->name->family) && msg->name->family == AF_UNSPEC)
		return -EOPNOTSUPP;
	err = tcp_ext_get(sk, &ext);
	if (err)
		return -ENOBUFS;
	if (ext->fastopen_req)
		return -EALREADY; /* another call is in progress */
	ext->fastopen_req = net_zalloc(sock_net(sk), sizeof(*ext->fastopen_req), MEM_NORMAL);
	if (!ext->fastopen_req)
		return -ENOBUFS;
	ext->fastopen_req->data = msg;
	if (!tcp_sk(sk)->defer_connect)
		return 0;
	err = tcp_connect(sk);
	if (err) {
		tcp_set_state(sk, TCP_CLOSE);
		inet_sk(sk)->inet_dport = 0;
		sk->sk_route_caps = 0;
	}
	return 0; /* connect() finds out */
}

bool tcp_fastopen_data_waits(const struct sock *sk)
{
	const struct tcp_ext *ext = tcp_sk(sk)->ext;

	return ext && ext->fastopen_req && ext->fastopen_req->data;
}

size_t tcp_fastopen_end(struct sock *sk)
{
	const struct tcp_ext *ext = tcp_sk(sk)->ext;
	size_t copied = 0;

	/* It is gone already where the connection was refused meanwhile. */
	if (ext && ext->fastopen_req) {
		copied = ext->fastopen_req->copied;
		tcp_fastopen_free_req(sk);
		tcp_sk(sk)->defer_connect = 0;
	}
	return copied;
}

/* --- the SYN ----------------------------------------------------------------------------------------------------------------- */

static bool no_cookie_needed(const struct sock *sk)
{
	const struct dst_entry *dst = sk->sk_dst_cache;

	return (sock_net(sk)->tcp->sysctl_tcp_fastopen & TFO_CLIENT_NO_COOKIE) || tcp_sk(sk)->fastopen_no_cookie ||
	       (dst && dst_metric(dst, RTAX_FASTOPEN_NO_COOKIE));
}

/* May data go on the SYN?  *foc is the option in any case. */
static bool cookie_check(struct sock *sk, uint16_t *mss, struct tcp_fastopen_cookie *foc)
{
	*foc = (struct tcp_fastopen_cookie){0};
	tcp_fastopen_cache_get(sk, mss, foc);
	if (tcp_fastopen_active_should_disable(sk)) {
		foc->len = -1;
		return false;
	}
	if (no_cookie_needed(sk)) {
		foc->len = -1;
		return true;
	}
	if (foc->len > 0)
		return true;
	tcp_sk(sk)->fastopen_client_fail = TFO_COOKIE_UNAVAILABLE;
	return false;
}

bool tcp_fastopen_defer_connect(struct sock *sk, int *err)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_fastopen_cookie cookie;
	struct tcp_ext *ext;
	uint16_t mss;

	*err = 0;
	if (!tp->fastopen_connect || (tp->ext && tp->ext->fastopen_req))
		return false;
	if (cookie_check(sk, &mss, &cookie)) {
		tp->defer_connect = 1;
		return true;
	}
	/* So that the SYN asks for a cookie. */
	if (tcp_ext_get(sk, &ext))
		*err = -ENOBUFS;
	else
		ext->fastopen_req = net_zalloc(sock_net(sk), sizeof(*ext->fastopen_req), MEM_NORMAL);
	if (!*err && !ext->fastopen_req)
		*err = -ENOBUFS;
	if (!*err)
		ext->fastopen_req->cookie = cookie;
	return false;
}

/* As many bytes of the message as fit a SYN of this path; the skb is the SYN as it goes out.  NULL: no memory, or nothing to carry. */
static struct sk_buff *make_syn_data(struct sock *sk, const struct sk_buff *syn, struct tcp_fastopen_request *fo)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	int room = tcp_mtu_to_mss(sk, (int)inet_csk(sk)->icsk_pmtu_cookie) + (tp->tcp_header_len - (int)sizeof(struct tcphdr)) -
		   (int)TCP_MAX_OPTION_SPACE;
	size_t left = fo->data ? fo->data->iter.count : 0, space = MIN((size_t)MAX(room, 0), left), got = 0;
	struct sk_buff *skb = tcp_stream_alloc_skb(sk, (unsigned)space, MEM_NORMAL, false);

	if (!skb)
		return NULL;
	*TCP_SKB_CB(skb) = *TCP_SKB_CB(syn);
	if (space) {
		got = copy_from_iter(skb_put(skb, (unsigned)space), space, &fo->data->iter);
		skb->tail -= (unsigned)(space - got);
		skb->len -= (unsigned)(space - got);
		sock_net(sk)->copied.user_to_skb += got;
	}
	if (got == left)
		fo->data = NULL; /* nothing left that could carry the ACK of the SYN-ACK */
	fo->copied = got;
	return skb;
}

static void queue_syn_data(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);

	TCP_SKB_CB(skb)->end_seq += skb->len;
	sk_wmem_charge(sk, (int)skb->truesize);
	tp->write_seq = TCP_SKB_CB(skb)->end_seq;
	tp->packets_out += tcp_skb_pcount(skb);
}

/* It was sent as a SYN; from here on it is data behind the SYN. */
static void syn_data_sent(struct sock *sk, struct sk_buff *skb, const struct tcp_fastopen_request *fo, int err)
{
	struct tcp_sock *tp = tcp_sk(sk);

	TCP_SKB_CB(skb)->seq++;
	TCP_SKB_CB(skb)->tcp_flags = TCPHDR_ACK | TCPHDR_PSH;
	if (!err) {
		tp->syn_data = fo->copied > 0;
		tcp_rtx_queue_insert(sk, skb);
		NET_INC_STATS(sock_net(sk), TCPOrigDataSent);
		return;
	}
	skb_queue_tail(&sk->sk_write_queue, skb);
	tp->packets_out -= tcp_skb_pcount(skb);
}

/*
 * Sends the SYN of tcp_connect(), which is charged and in the retransmit tree, with the option and the data that ext->fastopen_req asks for; plain if
 * that cannot be.  As tcp_transmit_skb().
 */
int tcp_send_syn_data(struct sock *sk, struct sk_buff *syn)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_fastopen_request *fo = tp->ext->fastopen_req;
	struct sk_buff *data = NULL;
	int err;

	tp->rx_opt.mss_clamp = tp->advmss; /* unless the server's is known */
	if (cookie_check(sk, &tp->rx_opt.mss_clamp, &fo->cookie)) {
		tp->rx_opt.mss_clamp = tcp_mss_clamp(tp, tp->rx_opt.mss_clamp);
		tcp_sync_mss(sk, inet_csk(sk)->icsk_pmtu_cookie);
		data = make_syn_data(sk, syn, fo);
	}
	if (data && fo->copied) {
		queue_syn_data(sk, data);
		err = tcp_transmit_skb(sk, data, 1, MEM_NORMAL);
		syn->skb_mstamp_ns = data->skb_mstamp_ns;
		syn_data_sent(sk, data, fo, err);
		if (!err)
			goto sent;
	} else if (data) {
		skb_consume(data); /* the option goes with a plain SYN */
	}
	if (!data && fo->cookie.len > 0)
		fo->cookie.len = 0;
	err = tcp_transmit_skb(sk, syn, 1, MEM_NORMAL);
	if (err)
		tp->syn_fastopen = 0;
sent:
	fo->cookie.len = -1; /* a SYN sent again is a plain one */
	return err;
}

/* --- the SYN-ACK -------------------------------------------------------------------------------------------------------------- */

/* The MSS that the server announced, whatever TCP_MAXSEG made of it. */
static uint16_t announced_mss(struct sock *sk, const struct sk_buff *synack)
{
	const struct tcp_options_received *own = &tcp_sk(sk)->rx_opt;
	struct tcp_options_received opt = {0};

	if (own->mss_clamp != own->user_mss)
		return own->mss_clamp;
	tcp_parse_options(sock_net(sk), synack, &opt, false);
	return opt.mss_clamp;
}

/* Not acknowledged with the SYN: lost for all we know, yet no sign of congestion. */
static void resend_syn_data(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tp->fastopen_client_fail = tp->total_retrans ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED;
	if (!tcp_activate(sk)) { /* else the timer sees to it */
		for (struct rb_node *n = rb_first(&sk->tcp_rtx_queue); n; n = rb_next(n))
			tcp_mark_skb_lost(sk, rb_to_skb(n));
		tcp_non_congestion_loss_retransmit(sk);
	}
	NET_INC_STATS(sock_net(sk), TCPFastOpenActiveFail);
}

bool tcp_rcv_fastopen_synack(struct sock *sk, struct sk_buff *synack, struct tcp_fastopen_cookie *cookie)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *data = tp->syn_data ? tcp_rtx_queue_head(sk) : NULL;
	bool syn_drop = false;
	uint8_t try_exp = 0;

	if (!tp->syn_fastopen)
		cookie->len = -1; /* not asked for */
	else if (tp->total_retrans)
		/* The server seems to have seen the plain SYN only: that with the option, or its answer, was lost. */
		syn_drop = cookie->len < 0 && data;
	else if (cookie->len < 0 && !tp->syn_data)
		try_exp = tp->syn_fastopen_exp ? 2 : 1; /* asked in vain: in the drafts' way next time, then no more of that */
	tcp_fastopen_cache_set(sk, announced_mss(sk, synack), cookie, syn_drop, try_exp);

	if (data) {
		resend_syn_data(sk);
		return true;
	}
	tp->syn_data_acked = tp->syn_data;
	if (tp->syn_data_acked) {
		NET_INC_STATS(sock_net(sk), TCPFastOpenActive);
		if (tp->delivered > 1)
			tp->delivered--; /* one packet, though two skbs of it were acknowledged */
	}
	tcp_fastopen_add_skb(sk, synack);
	return false;
}
