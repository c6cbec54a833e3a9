/* SPDX-License-Identifier: MIT */
/*
 * recovery_fixture.h - a sender with a flight and no stack below it, for the tests of what loss recovery decides: segments of MSS bytes are "sent"
 * at given times (into the retransmit queue and RACK's list), SACKed, and sent again; nothing goes over a wire.
 */
#ifndef XMIT_TESTS_RECOVERY_FIXTURE_H
#define XMIT_TESTS_RECOVERY_FIXTURE_H

#include "tcp/tcp_input.h"
#include "test.h"
#include "test_net.h"

enum { SEGS = 32, MSS = 1000, RTT_US = 100000 };

static struct {
	struct test_net *tn;
	struct net *net;
	struct netns_tcp tcp;
	struct tcp_active active;
	struct tcp_sock tp;
	struct sk_buff skb[SEGS];
} f;
#define SK ((struct sock *)&f.tp)
#define COUNTED(name) (f.net->mib.counter[MIB_##name])

static void no_timer(struct net *net, struct timer_list *t)
{
	(void)net;
	(void)t;
}

static inline void begin(void)
{
	memset(&f, 0, sizeof(f));
	f.tn = test_net_new(1 << 20, 1);
	f.net = &f.tn->net;
	f.net->tcp = &f.tcp;
	f.tcp.sysctl_tcp_recovery = 1;
	f.tcp.sysctl_tcp_early_retrans = 3;
	f.tcp.sysctl_tcp_frto = 2;
	f.tcp.sysctl_tcp_reordering = 3;
	f.tcp.sysctl_tcp_max_reordering = 300;
	test_net_set_time(f.tn, 5 * NSEC_PER_SEC);
	SK->sk_net = f.net;
	SK->sk_state = TCP_ESTABLISHED;
	SK->sk_wmem_alloc = 1;
	timer_init(&SK->sk_timer, no_timer);
	skb_queue_head_init(&SK->sk_write_queue);
	f.active.sk = SK;
	list_init(&f.active.tsorted);
	list_init(&f.active.lost_list);
	f.tp.active = &f.active;
	f.tp.mss_cache = MSS;
	f.tp.snd_cwnd = 20;
	f.tp.snd_cwnd_clamp = UINT32_MAX;
	f.tp.snd_ssthresh = TCP_INFINITE_SSTHRESH;
	f.tp.snd_wnd = 100 * MSS;
	f.tp.snd_una = f.tp.snd_nxt = f.tp.write_seq = 1;
	f.tp.reordering = 3;
	f.tp.rx_opt.sack_ok = 1;
	f.tp.srtt_us = RTT_US * 8;
	f.tp.rtt_min_us = RTT_US;
	inet_csk(SK)->icsk_ca_ops = &tcp_reno;
	inet_csk(SK)->icsk_ca_initialized = 1;
	inet_csk(SK)->icsk_rto_us = 300000;
	inet_csk(SK)->icsk_rto_min_us = TCP_RTO_MIN_US;
	inet_csk(SK)->icsk_rto_max_us = TCP_RTO_MAX_US;
	tcp_mstamp_refresh(&f.tp);
}

static inline int end(void **state)
{
	(void)state;
	timer_del(f.net, &SK->sk_timer);
	f.net->tcp = NULL;
	test_net_free(f.tn);
	return 0;
}

static inline void at_ms(uint64_t ms)
{
	test_net_set_time(f.tn, 5 * NSEC_PER_SEC + ms * NSEC_PER_MSEC);
	tcp_mstamp_refresh(&f.tp);
}

/* Segments from..to leave now. */
static inline void send_segs(int from, int to)
{
	for (int i = from; i <= to; i++) {
		struct tcp_skb_cb *cb = TCP_SKB_CB(&f.skb[i]);
		cb->seq = f.tp.snd_nxt;
		cb->end_seq = f.tp.snd_nxt = f.tp.write_seq = cb->seq + MSS;
		cb->tcp_gso_segs = 1;
		cb->tcp_gso_size = MSS;
		f.skb[i].skb_mstamp_ns = f.net->now_ns;
		tcp_rtx_queue_insert(SK, &f.skb[i]);
		f.tp.packets_out++;
	}
}

/* Segment i is SACKed now: RACK learns of it; it is out of its list. */
static inline void sack_seg(int i)
{
	TCP_SKB_CB(&f.skb[i])->sacked |= TCPCB_SACKED_ACKED;
	f.tp.sacked_out++;
	f.tp.delivered++;
	f.active.highest_sack_end = TCP_SKB_CB(&f.skb[i])->end_seq;
	tcp_rack_advance(SK, &f.skb[i]);
	tcp_tsorted_unlink(SK, &f.skb[i]);
}

/* Segments up to and with i are acknowledged now. */
static inline void ack_to(int i)
{
	while (tcp_rtx_queue_head(SK) && !seq_after(TCP_SKB_CB(tcp_rtx_queue_head(SK))->end_seq, TCP_SKB_CB(&f.skb[i])->end_seq)) {
		struct sk_buff *skb = tcp_rtx_queue_head(SK);
		uint8_t sacked = TCP_SKB_CB(skb)->sacked;
		f.tp.packets_out--;
		f.tp.sacked_out -= !!(sacked & TCPCB_SACKED_ACKED);
		f.tp.lost_out -= !!(sacked & TCPCB_LOST);
		f.tp.retrans_out -= !!(sacked & TCPCB_SACKED_RETRANS);
		f.tp.delivered += !(sacked & TCPCB_SACKED_ACKED);
		tcp_rack_advance(SK, skb);
		tcp_rtx_queue_unlink(skb, SK);
	}
	f.tp.snd_una = TCP_SKB_CB(&f.skb[i])->end_seq;
}

/* Segment i, which is lost, goes again. */
static inline void resend_seg(int i)
{
	TCP_SKB_CB(&f.skb[i])->sacked |= TCPCB_RETRANS;
	f.tp.retrans_out++;
	f.skb[i].skb_mstamp_ns = f.net->now_ns;
	tcp_rack_sent_again(SK, &f.skb[i]);
	if (!f.active.retrans_stamp_ms)
		f.active.retrans_stamp_ms = tcp_time_stamp_ms(&f.tp);
}

static inline bool is_lost(int i) { return TCP_SKB_CB(&f.skb[i])->sacked & TCPCB_LOST; }

#endif
