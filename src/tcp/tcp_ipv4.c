/* SPDX-License-Identifier: MIT */
/*
 * tcp_ipv4.c - segments from IPv4 (T12): checks, the connection they belong to, and who handles them there.
 *
 *	ip_local_deliver -> tcp_v4_rcv: checksum, lookup (inet_hashtables.c)
 *		no socket    -> RST
 *		TIME_WAIT    -> tcp_timewait_state_process (tcp_timewait.c); a new SYN goes on to the listener
 *		request      -> tcp_check_req (tcp_minisocks.c); its child -> tcp_child_process
 *		sock         -> tcp_v4_do_rcv: ESTABLISHED -> tcp_rcv_established, LISTEN -> SYN cookies or tcp_rcv_state_process, others
 *				-> tcp_rcv_state_process (tcp_state.c)
 *
 * From here on an skb has TCP's control block, and its data starts at the TCP header.  A sock is held while its segment is processed:
 * the segment may be what ends it.  RFC 9293 3.10.7; drop reasons and counters are Linux's.
 */
#include "ip/protocol.h"
#include "tcp/tcp_conn.h"
#include "tcp/tcp_md5.h"

/* --- checks -------------------------------------------------------------------------------------------------------------- */

/* True when the sum is right, or the packet never left memory (PARTIAL), or the device has looked (UNNECESSARY). */
static bool checksum_ok(struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	csum32 pseudo;

	if (skb->ip_summed == CHECKSUM_UNNECESSARY || skb->ip_summed == CHECKSUM_PARTIAL || skb->csum_valid)
		return true;
	pseudo = csum_tcpudp_nofold(iph->saddr, iph->daddr, skb->len, IPPROTO_TCP, 0);
	if (skb->ip_summed == CHECKSUM_COMPLETE && !csum_fold(csum_add(pseudo, skb->csum))) {
		skb->csum_valid = 1;
		return true;
	}
	/* A device's sum that does not fit proves nothing: padding may be in it. */
	if (csum_fold(skb_checksum(skb, 0, skb->len, pseudo)))
		return false;
	skb->csum_valid = 1;
	return true;
}

/* Header within the packet, and linear; checksum right.  0, or why it is dropped. */
static enum skb_drop_reason check_header(struct sk_buff *skb)
{
	struct net *net = skb->net;
	unsigned hdrlen;

	if (unlikely(!pskb_may_pull(skb, sizeof(struct tcphdr))))
		return skb->len < sizeof(struct tcphdr) ? SKB_DROP_REASON_PKT_TOO_SMALL : SKB_DROP_REASON_NOMEM;
	skb_reset_transport_header(skb);
	hdrlen = tcp_hdrlen_of(tcp_hdr(skb));
	if (unlikely(hdrlen < sizeof(struct tcphdr))) {
		NET_INC_STATS(net, TcpInErrs);
		return SKB_DROP_REASON_PKT_TOO_SMALL;
	}
	if (unlikely(!pskb_may_pull(skb, hdrlen)))
		return skb->len < hdrlen ? SKB_DROP_REASON_PKT_TOO_SMALL : SKB_DROP_REASON_NOMEM;
	if (unlikely(!checksum_ok(skb)) && !PROVE_BREAKS("MUST-3")) {
		NET_INC_STATS(net, TcpInCsumErrors);
		NET_INC_STATS(net, TcpInErrs);
		return SKB_DROP_REASON_TCP_CSUM;
	}
	return SKB_CONSUMED;
}

/* IP's control block becomes TCP's. */
static void fill_cb(struct sk_buff *skb, const struct iphdr *iph, const struct tcphdr *th)
{
	struct inet_skb_parm parm = *IPCB(skb);
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	unsigned flags = th->flags;

	cb->header = parm;
	cb->seq = be32_to_cpu(th->seq);
	cb->end_seq = cb->seq + !!(flags & TCPHDR_SYN) + !!(flags & TCPHDR_FIN) + tcp_payload_len(skb, th);
	cb->ack_seq = be32_to_cpu(th->ack_seq);
	cb->tcp_tw_isn = 0;
	cb->tcp_flags = (uint8_t)flags;
	cb->sacked = 0;
	cb->ip_dsfield = iph->tos;
	cb->txstamp_ack = cb->eor = 0;
	cb->has_rxtstamp = skb->tstamp_ns != 0;
	cb->is_csum_ok = 1;
}

/* The packet has its socket now: it is named by it, and by the bytes of the stream that it carries. */
static void trace_name(struct sk_buff *skb, const struct sock *sk)
{
	const struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
	uint32_t base;

	if (!sk || sk->sk_state == TCP_TIME_WAIT)
		return;
	if (sk->sk_state == TCP_NEW_SYN_RECV) {
		skb->trace_cookie = (uint32_t)inet_reqsk(sk)->trace_cookie;
		base = inet_reqsk(sk)->rcv_isn + 1;
	} else {
		skb->trace_cookie = (uint32_t)sk->sk_cookie;
		base = TCPF(sk->sk_state) & (TCPF(TCP_LISTEN) | TCPF(TCP_SYN_SENT)) ? cb->seq : tcp_sk(sk)->isn_rcv + 1;
	}
	skb->trace_seq = cb->seq - base;
	skb->trace_end = cb->end_seq - base;
}

/* --- to a sock ------------------------------------------------------------------------------------------------------------- */

static void reset_and_drop(const struct sock *sk, struct sk_buff *skb, enum skb_drop_reason reason)
{
	tcp_v4_send_reset(sk, skb);
	skb_drop(skb, reason);
}

/* A segment for a listener: the ACK of a SYN cookie makes a child, all else is the listener's. */
static void listen_rcv(struct sock *sk, struct sk_buff *skb)
{
	enum skb_drop_reason reason = SKB_DROP_REASON_NOT_SPECIFIED;
	struct sock *child = cookie_v4_check(sk, skb, &reason);

	if (!child) {
		skb_drop(skb, reason);
		return;
	}
	reason = child == sk ? tcp_rcv_state_process(sk, skb) : tcp_child_process(sk, child, skb);
	if (reason)
		reset_and_drop(sk, skb, reason);
}

void tcp_v4_do_rcv(struct sock *sk, struct sk_buff *skb)
{
	enum skb_drop_reason reason;

	if (likely(sk->sk_state == TCP_ESTABLISHED)) {
		tcp_rcv_established(sk, skb);
		return;
	}
	if (sk->sk_state == TCP_LISTEN) {
		listen_rcv(sk, skb);
		return;
	}
	reason = tcp_rcv_state_process(sk, skb);
	if (reason)
		reset_and_drop(sk, skb, reason);
}

/* TCP-MD5: true: skb was dropped. */
static inline bool bad_signature(const struct sock *sk, struct sk_buff *skb)
{
	enum skb_drop_reason reason;

	if (likely(!tcp_md5_concerns(sk, tcp_hdr(skb))))
		return false;
	reason = tcp_inbound_md5(sk, skb);
	if (likely(!reason))
		return false;
	skb_drop(skb, reason);
	return true;
}

static void sock_rcv(struct sock *sk, struct sk_buff *skb)
{
	if (unlikely(inet_sk(sk)->min_ttl > ip_hdr(skb)->ttl)) {
		NET_INC_STATS(skb->net, TCPMinTTLDrop);
		skb_drop(skb, SKB_DROP_REASON_TCP_MINTTL);
		return;
	}
	if (unlikely(bad_signature(sk, skb)))
		return;
	sock_hold(sk);
	if (likely(sk->sk_state != TCP_LISTEN))
		tcp_segs_in(tcp_sk(sk), skb);
	tcp_v4_do_rcv(sk, skb);
	sock_put(sk);
}

/* Consumes skb. */
static void request_rcv(struct request_sock *req, struct sk_buff *skb)
{
	enum skb_drop_reason reason = SKB_DROP_REASON_NOT_SPECIFIED;
	struct sock *sk = req->listener, *child;

	if (unlikely(inet_sk(sk)->min_ttl > ip_hdr(skb)->ttl)) {
		NET_INC_STATS(skb->net, TCPMinTTLDrop);
		skb_drop(skb, SKB_DROP_REASON_TCP_MINTTL);
		return;
	}
	if (unlikely(bad_signature(sk, skb)))
		return;
	sock_hold(sk);
	child = tcp_check_req(sk, skb, req, false, &reason);
	if (!child) {
		skb_drop(skb, reason);
	} else if (child == sk) {
		tcp_v4_do_rcv(sk, skb);
	} else {
		reason = tcp_child_process(sk, child, skb);
		if (reason)
			reset_and_drop(sk, skb, reason);
	}
	sock_put(sk);
}

/* The listener for a SYN that ends this TIME_WAIT, which is then gone; else NULL and skb was consumed. */
static struct sock *timewait_rcv(struct tcp_timewait_sock *tw, struct sk_buff *skb)
{
	const struct iphdr *iph = ip_hdr(skb);
	const struct tcphdr *th = tcp_hdr(skb);
	struct sock *listener;
	uint32_t isn;

	switch (tcp_timewait_state_process(tw, skb, th, &isn)) {
	case TCP_TW_SYN:
		listener = inet_lookup_listener(skb->net, iph->saddr, th->source, iph->daddr, be16_to_cpu(th->dest), skb->dev ? skb->dev->ifindex : 0);
		if (listener) {
			inet_twsk_kill(tw);
			TCP_SKB_CB(skb)->tcp_tw_isn = isn;
			return listener;
		}
		/* fall through */
	case TCP_TW_ACK:
		tcp_v4_timewait_ack(tw, skb);
		break;
	case TCP_TW_RST:
		tcp_v4_send_reset((const struct sock *)tw, skb);
		inet_twsk_kill(tw);
		break;
	case TCP_TW_SUCCESS:
		break;
	}
	skb_drop(skb, SKB_DROP_REASON_TCP_TIMEWAIT);
	return NULL;
}

int tcp_v4_rcv(struct sk_buff *skb)
{
	struct net *net = skb->net;
	enum skb_drop_reason reason = SKB_DROP_REASON_OTHERHOST;
	const struct iphdr *iph;
	const struct tcphdr *th;
	struct sock *sk;

	if (skb->pkt_type != PACKET_HOST && !PROVE_BREAKS("MUST-57"))
		goto drop;
	NET_INC_STATS(net, TcpInSegs);
	reason = check_header(skb);
	if (unlikely(reason))
		goto drop;
	iph = ip_hdr(skb);
	th = tcp_hdr(skb);
	sk = inet_lookup(net, iph->saddr, th->source, iph->daddr, be16_to_cpu(th->dest), skb->dev ? skb->dev->ifindex : 0);
	fill_cb(skb, iph, th);
	if (unlikely(net->trace.on))
		trace_name(skb, sk);
	trace_skb(skb, TP_tcp_v4_rcv);

	if (unlikely(!sk)) {
		reset_and_drop(NULL, skb, SKB_DROP_REASON_NO_SOCKET);
		return 0;
	}
	if (unlikely(sk->sk_state == TCP_TIME_WAIT)) {
		sk = timewait_rcv(tcp_twsk(sk), skb);
		if (!sk)
			return 0;
	} else if (unlikely(sk->sk_state == TCP_NEW_SYN_RECV)) {
		request_rcv(inet_reqsk(sk), skb);
		return 0;
	}
	sock_rcv(sk, skb);
	return 0;

drop:
	skb_drop(skb, reason);
	return 0;
}

/* --- per instance ------------------------------------------------------------------------------------------------------------ */

static const struct net_protocol tcp_protocol = {.handler = tcp_v4_rcv, .err_handler = tcp_v4_err};

static void destroy_caches(struct netns_tcp *ns)
{
	struct kmem_cache **caches[] = {&ns->request_cache, &ns->tw_cache, &ns->bind_cache};

	for (unsigned i = 0; i < ARRAY_SIZE(caches); i++) {
		if (*caches[i])
			kmem_cache_destroy(*caches[i]);
		*caches[i] = NULL;
	}
}

int tcp_ipv4_init(struct net *net)
{
	struct netns_tcp *ns = net->tcp;
	int err = -ENOMEM;

	ns->request_cache = kmem_cache_create(net, "request_sock_TCP", sizeof(struct request_sock), _Alignof(struct request_sock));
	ns->tw_cache = kmem_cache_create(net, "tw_sock_TCP", sizeof(struct tcp_timewait_sock), _Alignof(struct tcp_timewait_sock));
	ns->bind_cache = kmem_cache_create(net, "tcp_bind_bucket", sizeof(struct inet_bind_bucket), _Alignof(struct inet_bind_bucket));
	if (!ns->request_cache || !ns->tw_cache || !ns->bind_cache)
		goto destroy;
	err = inet_hashinfo_init(net);
	if (err)
		goto destroy;
	tcp_secure_seq_init(net);
	err = inet_add_protocol(net, IPPROTO_TCP, &tcp_protocol);
	if (err)
		goto exit_tables;
	err = inet_add_offload(net, IPPROTO_TCP, &tcpv4_offload);
	if (err)
		goto exit_tables;
	return 0;

exit_tables:
	inet_hashinfo_exit(net);
destroy:
	destroy_caches(ns);
	return err;
}

void tcp_ipv4_exit(struct net *net)
{
	inet_hashinfo_exit(net);
	destroy_caches(net->tcp);
}
