/* SPDX-License-Identifier: MIT */
/*
 * tcp_ipv4_output.c - what TCP sends over IPv4 without a full socket (SYN-ACK, RST, the ACKs of requests and of TIME_WAIT), and the
 * checksum of what it sends with one.
 *
 * RST: RFC 9293 3.5.2.  The answers to a segment go back by ip_send_unicast_reply(), which fills in their checksum.
 */
#include "tcp/tcp_conn.h"
#include "tcp/tcp_md5.h"

/* --- checksum -------------------------------------------------------------------------------------------------------- */

/* skb->data at the TCP header.  partial: the device (or the stack below, when it cuts the packet) completes the sum. */
static void fill_check(struct sk_buff *skb, be32 saddr, be32 daddr, bool partial)
{
	struct tcphdr *th = tcp_hdr(skb);

	if (PROVE_BREAKS("T9"))
		return;
	if (likely(partial)) {
		th->check = (uint16_t)~csum_tcpudp_magic(saddr, daddr, skb->len, IPPROTO_TCP, 0);
		skb->csum_start = skb->transport_header;
		skb->csum_offset = offsetof(struct tcphdr, check);
		skb->ip_summed = CHECKSUM_PARTIAL;
		return;
	}
	th->check = 0;
	if (!PROVE_BREAKS("MUST-2"))
		th->check = csum_tcpudp_magic(saddr, daddr, skb->len, IPPROTO_TCP, skb_checksum(skb, 0, skb->len, 0));
	skb->ip_summed = CHECKSUM_NONE;
}

void tcp_v4_send_check(struct sock *sk, struct sk_buff *skb)
{
	const struct inet_sock *inet = inet_sk(sk);

	fill_check(skb, inet->inet_saddr.ip, inet->inet_daddr.ip, (sk->sk_route_caps & XMIT_F_CSUM) || skb_is_gso(skb));
}

/* --- SYN-ACK --------------------------------------------------------------------------------------------------------- */

int tcp_v4_send_synack(const struct sock *sk, struct dst_entry *dst, struct request_sock *req, const struct tcp_fastopen_cookie *foc)
{
	struct sk_buff *skb;

	if (!dst)
		dst = inet_csk_route_req(sk, req);
	if (!dst)
		return -EHOSTUNREACH;
	if (!req->snt_synack_us)
		req->snt_synack_us = req->net->now_ns / NSEC_PER_USEC;
	skb = tcp_make_synack(sk, dst, req, foc);
	if (!skb)
		return -ENOMEM;
	fill_check(skb, req->loc_addr, req->rmt_addr, skb->dst->dev->features & XMIT_F_CSUM);
	return net_xmit_errno(ip_build_and_send_pkt(skb, sk, req->loc_addr, req->rmt_addr, req->opt, req->tos));
}

/* --- replies to a segment ------------------------------------------------------------------------------------------------ */

struct reply {
	struct tcphdr th;
	uint8_t opt[TCPOLEN_TSTAMP_ALIGNED + TCPOLEN_MD5SIG_ALIGNED];
};

static void reply_ports(struct reply *rep, const struct sk_buff *skb)
{
	memset(rep, 0, sizeof(*rep));
	rep->th.source = tcp_hdr(skb)->dest;
	rep->th.dest = tcp_hdr(skb)->source;
}

/* Signs the reply, len bytes without the signature, by key (NULL: not); its length then. */
static unsigned sign_reply(struct reply *rep, unsigned len, const struct tcp_md5_key *key, const struct sk_buff *skb)
{
	uint8_t *opt = (uint8_t *)rep + len;

	if (likely(!key))
		return len;
	tcp_md5_option_write(opt);
	len += TCPOLEN_MD5SIG_ALIGNED;
	tcp_set_hdrlen(&rep->th, len);
	tcp_md5_hash(opt + 4, key, ip_hdr(skb)->daddr, ip_hdr(skb)->saddr, &rep->th, NULL);
	return len;
}

/* The key for whom skb came from, as sk knows it (any kind of sock, or NULL). */
static const struct tcp_md5_key *reply_key(const struct sock *sk, const struct sk_buff *skb)
{
	if (!sk)
		return NULL;
	if (sk->sk_state == TCP_TIME_WAIT)
		return tcp_twsk(sk)->md5_key;
	if (!sk_fullsock(sk))
		sk = inet_reqsk(sk)->listener;
	return tcp_md5_lookup(sk, ip_hdr(skb)->saddr);
}

static void send_reply(struct net *net, struct sk_buff *skb, const struct reply *rep, unsigned len, struct ip_reply_arg *arg)
{
	arg->data = rep;
	arg->len = len;
	arg->csum_offset = offsetof(struct tcphdr, check);
	arg->saddr = ip_hdr(skb)->daddr;
	arg->daddr = ip_hdr(skb)->saddr;
	NET_INC_STATS(net, TcpOutSegs);
	ip_send_unicast_reply(net, skb, arg, IPPROTO_TCP);
}

static void reply_arg_from_sock(struct ip_reply_arg *arg, const struct sock *sk)
{
	if (!sk)
		return;
	if (sk->sk_state == TCP_TIME_WAIT) {
		const struct tcp_timewait_sock *tw = tcp_twsk(sk);
		arg->bound_dev_if = tw->bound_dev_if;
		arg->tos = tw->tos;
		arg->mark = tw->mark;
		arg->priority = tw->priority;
	} else if (sk_fullsock(sk)) {
		arg->bound_dev_if = sk->sk_bound_dev_if;
		arg->tos = inet_sk(sk)->tos & ~INET_ECN_MASK; /* control segments are not ECN-capable */
		arg->mark = sk->sk_mark;
		arg->priority = sk->sk_priority;
	}
}

void tcp_v4_send_reset(const struct sock *sk, struct sk_buff *skb)
{
	const struct tcphdr *th = tcp_hdr(skb);
	struct ip_reply_arg arg = {0};
	struct net *net = skb->net;
	struct reply rep;

	if (th->flags & TCPHDR_RST)
		return;
	/* Never in answer to what was not sent to us alone. */
	if (!sk && skb->dst && skb_rtable(skb)->rt_type != RTN_LOCAL)
		return;
	/* Who signs would not believe it, and nobody here knows the key. */
	if (!sk && unlikely(tcp_md5_option(th)))
		return;
	reply_ports(&rep, skb);
	tcp_set_hdrlen(&rep.th, sizeof(rep.th));
	rep.th.flags = TCPHDR_RST;
	if (th->flags & TCPHDR_ACK) {
		rep.th.seq = th->ack_seq;
	} else {
		uint32_t len = tcp_payload_len(skb, th) + !!(th->flags & TCPHDR_SYN) + !!(th->flags & TCPHDR_FIN);
		rep.th.flags |= TCPHDR_ACK;
		rep.th.ack_seq = cpu_to_be32(be32_to_cpu(th->seq) + len);
	}
	reply_arg_from_sock(&arg, sk);
	NET_INC_STATS(net, TcpOutRsts);
	send_reply(net, skb, &rep, sign_reply(&rep, sizeof(rep.th), reply_key(sk, skb), skb), &arg);
}

struct ack_fields {
	uint32_t seq, ack, window, tsval, tsecr; /* window as in the header, already scaled; tsecr 0: no timestamps */
};

static void send_ack(struct net *net, struct sk_buff *skb, const struct ack_fields *f, const struct tcp_md5_key *key, struct ip_reply_arg *arg)
{
	struct reply rep;
	unsigned len = sizeof(rep.th);

	reply_ports(&rep, skb);
	rep.th.flags = TCPHDR_ACK;
	rep.th.seq = cpu_to_be32(f->seq);
	rep.th.ack_seq = cpu_to_be32(f->ack);
	rep.th.window = cpu_to_be16((uint16_t)MIN(f->window, 65535u));
	if (f->tsecr) {
		rep.opt[0] = rep.opt[1] = TCPOPT_NOP;
		rep.opt[2] = TCPOPT_TIMESTAMP;
		rep.opt[3] = TCPOLEN_TIMESTAMP;
		put_be32(rep.opt + 4, f->tsval);
		put_be32(rep.opt + 8, f->tsecr);
		len += TCPOLEN_TSTAMP_ALIGNED;
	}
	tcp_set_hdrlen(&rep.th, len);
	send_reply(net, skb, &rep, sign_reply(&rep, len, key, skb), arg);
}

void tcp_v4_timewait_ack(struct tcp_timewait_sock *tw, struct sk_buff *skb)
{
	const struct ack_fields f = {
		.seq = tw->snd_nxt, .ack = tw->rcv_nxt, .window = tw->rcv_wnd >> tw->rcv_wscale,
		.tsval = net_tcp_ts_ms(tw->net) + tw->ts_offset, .tsecr = tw->ts_recent,
	};
	struct ip_reply_arg arg = {.bound_dev_if = tw->bound_dev_if, .tos = tw->tos, .mark = tw->mark, .priority = tw->priority};

	send_ack(tw->net, skb, &f, tw->md5_key, &arg);
}

void tcp_v4_reqsk_send_ack(const struct request_sock *req, struct sk_buff *skb)
{
	const struct ack_fields f = {
		.seq = req->snt_isn + 1, .ack = req->rcv_nxt, .window = req->rsk_rcv_wnd >> req->rcv_wscale,
		.tsval = net_tcp_ts_ms(req->net) + req->ts_off, .tsecr = req->tstamp_ok ? req->ts_recent : 0,
	};
	struct ip_reply_arg arg = {.bound_dev_if = req->listener->sk_bound_dev_if, .tos = req->tos, .mark = req->mark,
				   .priority = req->listener->sk_priority};

	send_ack(req->net, skb, &f, tcp_md5_lookup(req->listener, req->rmt_addr), &arg);
}
