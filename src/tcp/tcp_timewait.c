/* SPDX-License-Identifier: MIT */
/*
 * tcp_timewait.c - TIME_WAIT, and FIN_WAIT2 of connections that nobody holds any more (RFC 9293 3.10.7.4, 3.6.1).
 *
 * What must be remembered of such a connection fits a tcp_timewait_sock; it takes the sock's place in the established table and in
 * its bind bucket, and the sock is done.  It answers old segments with an ACK (at most one per tcp_invalid_ratelimit), lets a new
 * SYN in whose sequence number or timestamp is higher (RFC 6191), and ignores RST if tcp_rfc1337 says so (RFC 1337).  After
 * TCP_TIMEWAIT_S seconds it goes.  There are at most tcp_max_tw_buckets; beyond that connections end at once, counted.
 *
 * connect() may take over a 4-tuple that rests here when timestamps protect it (tcp_tw_reuse).
 */
#include "tcp/tcp_conn.h"
#include "tcp/tcp_md5.h"
#include "tcp/tcp_metrics.h"

static void tw_schedule(struct tcp_timewait_sock *tw, uint64_t after_ns)
{
	timer_mod(tw->net, &tw->timer, tw->net->now_ns + after_ns);
}

void inet_twsk_kill(struct tcp_timewait_sock *tw)
{
	struct net *net = tw->net;

	timer_del(net, &tw->timer);
	inet_ehash_remove(net, &tw->hash);
	inet_bind_unlink(net, tw->tb, &tw->bind_node);
	net->tcp->tw_count--;
	net_free(net, tw->md5_key);
	if (unlikely(tw->accept_any))
		ip_accept_any(net, false);
	kmem_cache_free(net->tcp->tw_cache, tw);
}

static void tw_timer_handler(struct net *net, struct timer_list *t)
{
	NET_INC_STATS(net, TW);
	inet_twsk_kill(container_of(t, struct tcp_timewait_sock, timer));
}

/* From sk, with its place in the tables.  NULL: too many, or no memory. */
static struct tcp_timewait_sock *tw_take_place(struct sock *sk)
{
	struct net *net = sk->sk_net;
	struct inet_sock *inet = inet_sk(sk);
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_timewait_sock *tw;

	if (net->tcp->tw_count >= net->tcp->sysctl_tcp_max_tw_buckets || !inet_csk(sk)->icsk_bind_hash || hlist_unhashed(&sk->sk_node))
		return NULL;
	tw = kmem_cache_zalloc(net->tcp->tw_cache, MEM_NORMAL);
	if (!tw)
		return NULL;
	if (sock_flag(sk, SOCK_F_ACCEPT_ANY))
		ip_accept_any(net, true);
	*tw = (struct tcp_timewait_sock){
		.net = net, .prot = sk->sk_prot, .family = sk->sk_family, .state = TCP_TIME_WAIT, .hashval = sk->sk_hash,
		.tb = inet_csk(sk)->icsk_bind_hash,
		.rcv_saddr = inet->inet_rcv_saddr.ip, .daddr = inet->inet_daddr.ip, .dport = inet->inet_dport, .sport = inet->inet_sport,
		.num = inet->inet_num, .bound_dev_if = sk->sk_bound_dev_if, .tos = inet->tos & ~INET_ECN_MASK,
		.accept_any = sock_flag(sk, SOCK_F_ACCEPT_ANY), .reuse = sk->sk_reuse, .reuseport = sk->sk_reuseport,
		.rcv_wscale = tp->rx_opt.rcv_wscale, .rcv_nxt = tp->rcv_nxt, .snd_nxt = tp->snd_nxt, .rcv_wnd = tcp_receive_window(tp),
		.ts_offset = tp->tsoffset, .ts_recent = tp->rx_opt.ts_recent, .ts_recent_stamp_s = tp->rx_opt.ts_recent_stamp_s,
		.last_oow_ack_time_ms = tp->last_oow_ack_time_ms, .mark = sk->sk_mark, .priority = sk->sk_priority, .entry_ns = net->now_ns,
	};
	if (unlikely(tcp_md5_key_of(sk))) {
		tw->md5_key = net_alloc(net, sizeof(*tw->md5_key), MEM_NORMAL);
		if (tw->md5_key) /* else it answers unsigned, and is not heard */
			*tw->md5_key = *tcp_md5_key_of(sk);
	}
	timer_init(&tw->timer, tw_timer_handler);
	net->tcp->tw_count++;
	hlist_add_head(&tw->bind_node, &tw->tb->owners);
	inet_ehash_remove(net, &sk->sk_node);
	inet_ehash_insert(net, &tw->hash, tw->hashval);
	return tw;
}

/* Ends sk (FIN exchanged, or FIN_WAIT2 without owner).  timeo_ns: how long FIN_WAIT2 may last; 0 for TIME_WAIT.  sk is done after this. */
void tcp_time_wait(struct sock *sk, int substate, uint64_t timeo_ns)
{
	struct tcp_timewait_sock *tw = PROVE_BREAKS("T12") ? NULL : tw_take_place(sk);
	uint64_t least = ((uint64_t)inet_csk(sk)->icsk_rto_us * 7 / 2) * NSEC_PER_USEC; /* 3.5 RTO: the peer may have to retransmit its FIN */

	if (tw) {
		tw->substate = (uint8_t)substate;
		if (substate == TCP_TIME_WAIT)
			timeo_ns = (PROVE_BREAKS("MUST-13") ? 1 : TCP_TIMEWAIT_S) * NSEC_PER_SEC;
		tw_schedule(tw, MAX(timeo_ns, least));
	} else {
		NET_INC_STATS(sk->sk_net, TCPTimeWaitOverflow);
	}
	tcp_update_metrics(sk);
	tcp_done(sk);
}

/* --- segments ------------------------------------------------------------------------------------------------------------ */

struct tw_segment {
	uint32_t seq, end_seq;
	uint8_t flags;
	bool saw_tstamp, paws_reject;
	uint32_t tsval;
};

static struct tw_segment tw_parse(const struct tcp_timewait_sock *tw, const struct sk_buff *skb, const struct tcphdr *th)
{
	struct tw_segment s = {.seq = TCP_SKB_CB(skb)->seq, .end_seq = TCP_SKB_CB(skb)->end_seq, .flags = th->flags};
	struct tcp_options_received opt = {.mss_clamp = TCP_MSS_DEFAULT};

	if (tcp_hdrlen_of(th) == sizeof(*th) || !tw->ts_recent_stamp_s)
		return s;
	tcp_parse_options(tw->net, skb, &opt, false);
	s.saw_tstamp = opt.saw_tstamp;
	s.tsval = opt.rcv_tsval;
	if (!s.saw_tstamp)
		return s;
	opt.ts_recent = tw->ts_recent;
	opt.ts_recent_stamp_s = tw->ts_recent_stamp_s;
	s.paws_reject = ts_paws_reject(&opt, net_tcp_now_s(tw->net), th->flags & TCPHDR_RST);
	return s;
}

static void tw_store_ts_recent(struct tcp_timewait_sock *tw, const struct tw_segment *s)
{
	if (!s->saw_tstamp)
		return;
	tw->ts_recent = s->tsval;
	tw->ts_recent_stamp_s = net_tcp_now_s(tw->net);
}

static enum tcp_tw_status ack_unless_limited(struct tcp_timewait_sock *tw, const struct sk_buff *skb, int mib)
{
	return tcp_oow_rate_limited(tw->net, skb, mib, &tw->last_oow_ack_time_ms) ? TCP_TW_SUCCESS : TCP_TW_ACK;
}

/* FIN_WAIT2 without owner.  TCP_TW_RST: an RST in answer, and the connection is over. */
static enum tcp_tw_status fin_wait2_process(struct tcp_timewait_sock *tw, struct sk_buff *skb, const struct tw_segment *s)
{
	if (s->paws_reject || !seq_in_window(s->seq, s->end_seq, tw->rcv_nxt, tw->rcv_nxt + tw->rcv_wnd))
		return ack_unless_limited(tw, skb, MIB_TCPACKSkippedFinWait2);
	if (s->flags & TCPHDR_RST) {
		inet_twsk_kill(tw);
		return TCP_TW_SUCCESS;
	}
	if ((s->flags & TCPHDR_SYN) && !seq_before(s->seq, tw->rcv_nxt))
		return TCP_TW_RST;
	if (!(s->flags & TCPHDR_ACK) || !seq_after(s->end_seq, tw->rcv_nxt) || s->end_seq == s->seq)
		return TCP_TW_SUCCESS; /* a duplicate, or an ACK */
	/* Data that nobody will read, or a hole before the FIN. */
	if (!(s->flags & TCPHDR_FIN) || s->end_seq != tw->rcv_nxt + 1)
		return TCP_TW_RST;
	tw->substate = TCP_TIME_WAIT;
	tw->rcv_nxt = s->end_seq;
	tw_store_ts_recent(tw, s);
	tw_schedule(tw, TCP_TIMEWAIT_S * NSEC_PER_SEC);
	return TCP_TW_ACK;
}

/* RFC 9293 3.10.7.4, RFC 6191: a SYN that opens the connection anew. */
static bool tw_new_syn(const struct tcp_timewait_sock *tw, const struct tw_segment *s)
{
	if ((s->flags & (TCPHDR_SYN | TCPHDR_RST | TCPHDR_ACK)) != TCPHDR_SYN || s->paws_reject)
		return false;
	return seq_after(s->seq, tw->rcv_nxt) || (s->saw_tstamp && (int32_t)(tw->ts_recent - s->tsval) < 0 && !PROVE_BREAKS("SHLD-4"));
}

/* Does not consume skb.  TCP_TW_SYN: *tw_isn is the ISN for the new connection, if there is a listener; tw is still there. */
enum tcp_tw_status tcp_timewait_state_process(struct tcp_timewait_sock *tw, struct sk_buff *skb, const struct tcphdr *th, uint32_t *tw_isn)
{
	const struct tw_segment s = tw_parse(tw, skb, th);
	bool rst = th->flags & TCPHDR_RST;

	if (tw->substate == TCP_FIN_WAIT2)
		return fin_wait2_process(tw, skb, &s);

	if (!s.paws_reject && s.seq == tw->rcv_nxt && (s.seq == s.end_seq || rst)) {
		if (rst) {
			if (!tw->net->tcp->sysctl_tcp_rfc1337)
				inet_twsk_kill(tw);
			return TCP_TW_SUCCESS;
		}
		tw_store_ts_recent(tw, &s);
		tw_schedule(tw, TCP_TIMEWAIT_S * NSEC_PER_SEC);
		return TCP_TW_SUCCESS;
	}
	if (tw_new_syn(tw, &s)) {
		*tw_isn = tw->snd_nxt + 65535 + 2; /* above all that the old connection may have used */
		if (!*tw_isn)
			*tw_isn = 1;
		return TCP_TW_SYN;
	}
	if (s.paws_reject)
		NET_INC_STATS(tw->net, PAWSEstab);
	if (rst)
		return TCP_TW_SUCCESS;
	/* A repeated FIN starts the wait anew; a SYN that is too old does not. */
	if (s.paws_reject || (th->flags & TCPHDR_ACK))
		tw_schedule(tw, TCP_TIMEWAIT_S * NSEC_PER_SEC);
	return ack_unless_limited(tw, skb, MIB_TCPACKSkippedTimeWait);
}

/* --- reuse by connect() ---------------------------------------------------------------------------------------------------- */

static bool tw_on_loopback(const struct tcp_timewait_sock *tw)
{
	return ipv4_is_loopback(tw->daddr) || ipv4_is_loopback(tw->rcv_saddr);
}

/*
 * May sk have the 4-tuple of tw?  Only when timestamps tell the old segments from the new.  Then sk goes on behind tw's
 * sequence numbers and with its TS.Recent.  bound: the user asked for this very port, which is reason enough.
 */
bool tcp_twsk_unique(struct sock *sk, const struct tcp_timewait_sock *tw, bool bound)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int reuse = sk->sk_net->tcp->sysctl_tcp_tw_reuse;

	if (reuse == 2 && !tw_on_loopback(tw))
		reuse = 0;
	if (!tw->ts_recent_stamp_s || !sk->sk_net->tcp->sysctl_tcp_timestamps)
		return false;
	if (!bound && !(reuse && sk->sk_net->now_ns - tw->entry_ns > (uint64_t)sk->sk_net->tcp->sysctl_tcp_tw_reuse_delay * NSEC_PER_MSEC))
		return false;
	tp->write_seq = tw->snd_nxt + 65535 + 2;
	if (!tp->write_seq)
		tp->write_seq = 1;
	tp->rx_opt.ts_recent = tw->ts_recent;
	tp->rx_opt.ts_recent_stamp_s = tw->ts_recent_stamp_s;
	return true;
}
