/* SPDX-License-Identifier: MIT */
/*
 * tcp_ipv4_err.c - ICMP errors for TCP connections (RFC 1122 4.2.3.9, RFC 5461, RFC 5927).
 *
 * An error counts only if the sequence number it quotes lies within what is in flight.  While connecting, a hard or soft error ends
 * the attempt, as Linux has it; an established connection takes it as a hint (sk_err_soft, which a timeout then reports), or, with
 * IP_RECVERR, as sk_err.  "Fragmentation needed" shrinks the path MTU (RFC 1191); "unreachable" during a backed-off timeout takes
 * the last backoff back (RFC 6069).
 *
 * Called by icmp_rcv() through net_protocol.err_handler; skb->data is at the quoted IP header and stays the caller's.
 */
#include "tcp/tcp_conn.h"
#include "tcp/tcp_fastopen.h"
#include "wire/icmp.h"

/* RFC 6069: connectivity was lost, not the segment; so the wait is what it was before the last backoff. */
static void ld_rto_revert(struct sock *sk, uint32_t seq)
{
	struct inet_connection_sock *icsk = inet_csk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb = tcp_rtx_queue_head(sk);
	uint64_t due_us, now_us = sk->sk_net->now_ns / NSEC_PER_USEC;

	if (seq != tp->snd_una || !icsk->icsk_retransmits || !icsk->icsk_backoff || !skb)
		return;
	icsk->icsk_backoff--;
	if (tp->srtt_us)
		tcp_set_rto(sk);
	else
		icsk->icsk_rto_us = TCP_TIMEOUT_INIT_US;
	icsk->icsk_rto_us = (uint32_t)MIN((uint64_t)icsk->icsk_rto_us << MIN(icsk->icsk_backoff, 10), (uint64_t)tcp_rto_max_us(sk));

	tcp_mstamp_refresh(tp);
	due_us = skb->skb_mstamp_ns / NSEC_PER_USEC + icsk->icsk_rto_us;
	if (due_us > now_us)
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, due_us - now_us);
	else
		tcp_retransmit_timer(sk);
}

/* An error for a request: it goes without a word, since there is no user to tell. */
static void request_err(struct request_sock *req, uint32_t seq, bool abort)
{
	struct sock *listener = req->listener;

	if (seq != req->snt_isn) {
		NET_INC_STATS(req->net, OutOfWindowIcmps);
	} else if (abort) {
		tcp_listendrop(listener);
		reqsk_put_unlink(req);
	}
}

static void frag_needed(struct sock *sk, uint32_t mtu)
{
	uint8_t discover = inet_sk(sk)->pmtudisc;
	struct dst_entry *dst;

	if (TCPF(sk->sk_state) & (TCPF(TCP_LISTEN) | TCPF(TCP_CLOSE)))
		return;
	if (discover == IP_PMTUDISC_INTERFACE_ || discover == IP_PMTUDISC_OMIT_)
		return;
	dst = __sk_dst_check(sk);
	if (!dst) {
		if (inet_csk(sk)->icsk_af_ops->rebuild_header(sk))
			return;
		dst = __sk_dst_get(sk);
	}
	/* Held: the update makes the route of this destination invalid, and the sock lets go of it for a new one. */
	dst_hold(dst);
	dst->ops->update_pmtu(dst, sk, NULL, mtu);
	tcp_v4_mtu_reduced(sk);
	dst_release(dst);
	dst = __sk_dst_get(sk);
	if (dst && mtu < dst_mtu(dst) && ip_dont_fragment(sk))
		sk->sk_err_soft = EMSGSIZE; /* narrower than what is believed */
}

static void report_err(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th, uint32_t info, int err)
{
	bool recverr = (sock_flag(sk, SOCK_F_RECVERR) && !PROVE_BREAKS("MUST-47")) || PROVE_BREAKS("SHLD-20");

	const struct request_sock *fastopen = tcp_fastopen_rsk(sk);

	/* A child that took the SYN's data and was accepted is a connection like any other. */
	if ((TCPF(sk->sk_state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV))) && !(fastopen && !fastopen->sk)) {
		if (recverr)
			ip_icmp_error(sk, skb, err, th->dest, info, (const uint8_t *)th);
		sk->sk_err = err;
		sk_error_report(sk);
		tcp_done(sk);
		return;
	}
	if (PROVE_BREAKS("MUST-56")) {
		sk->sk_err = err;
		tcp_done(sk);
	} else if (recverr) {
		sk->sk_err = err;
		sk_error_report(sk);
	} else if (!PROVE_BREAKS("SHLD-25")) {
		sk->sk_err_soft = err;
	}
}

/* errno of the error, 0: it means nothing to a connection. */
static int icmp_to_errno(uint8_t type, uint8_t code)
{
	switch (type) {
	case ICMP_PARAMETERPROB:
		return EPROTO;
	case ICMP_TIME_EXCEEDED:
		return EHOSTUNREACH;
	case ICMP_DEST_UNREACH:
		return code <= NR_ICMP_UNREACH ? icmp_err_convert[code].errno_ : 0;
	default:
		return PROVE_BREAKS("MUST-55") ? ENOBUFS : 0;
	}
}

static bool net_or_host_unreach(uint8_t type, uint8_t code)
{
	return type == ICMP_DEST_UNREACH && (code == ICMP_NET_UNREACH || code == ICMP_HOST_UNREACH);
}

static void sock_err(struct sock *sk, struct sk_buff *skb, const struct tcphdr *th, uint8_t type, uint8_t code, uint32_t info)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t seq = get_be32(&th->seq);
	int err;

	if (sk->sk_state == TCP_CLOSE)
		return;
	if (inet_sk(sk)->min_ttl && ((const struct iphdr *)skb->data)->ttl < inet_sk(sk)->min_ttl) {
		NET_INC_STATS(sk->sk_net, TCPMinTTLDrop);
		return;
	}
	if (sk->sk_state != TCP_LISTEN && !seq_between(seq, tp->tfo_rsk ? tp->isn_snd : tp->snd_una, tp->snd_nxt)) {
		NET_INC_STATS(sk->sk_net, OutOfWindowIcmps);
		return;
	}
	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED) {
		frag_needed(sk, info);
		return;
	}
	err = icmp_to_errno(type, code);
	if (!err)
		return;
	if (net_or_host_unreach(type, code))
		ld_rto_revert(sk, seq);
	if (sk->sk_state != TCP_CLOSE)
		report_err(sk, skb, th, info, err);
}

int tcp_v4_err(struct sk_buff *skb, uint8_t type, uint8_t code, uint32_t info)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data; /* the one quoted, which we sent */
	const struct tcphdr *th = (const struct tcphdr *)(skb->data + iph->ihl * 4u);
	struct net *net = skb->net;
	struct sock *sk = inet_lookup_established(net, iph->daddr, th->dest, iph->saddr, be16_to_cpu(th->source),
						  skb->dev ? skb->dev->ifindex : 0);

	if (!sk || PROVE_BREAKS("MUST-54")) {
		NET_INC_STATS(net, IcmpInErrors);
		return -ENOENT;
	}
	if (sk->sk_state == TCP_TIME_WAIT)
		return 0;
	if (sk->sk_state == TCP_NEW_SYN_RECV) {
		request_err(inet_reqsk(sk), get_be32(&th->seq),
			    type == ICMP_PARAMETERPROB || type == ICMP_TIME_EXCEEDED || net_or_host_unreach(type, code));
		return 0;
	}
	sock_hold(sk);
	sock_err(sk, skb, th, type, code, info);
	sock_put(sk);
	return 0;
}
