/* SPDX-License-Identifier: MIT */
/*
 * tcp_mtu_probe.c - finding the path MTU without ICMP (RFC 4821), and living with a path that drops large packets in silence.
 *
 * net.ipv4.tcp_mtu_probing: 0 never, 1 after a black hole has shown, 2 always.  While probing, segments are of search_low's size, known to pass
 * (at first tcp_base_mss); one segment of the size half way to search_high goes among them:
 *
 *	tcp_write_xmit -> tcp_mtu_probe      enough data, window and cwnd; nothing lost: the probe is built of the head of the queue and sent
 *	tcp_ack                              all of it acknowledged: search_low rises, mss_cache with it        tcp_mtup_probe_success
 *	tcp_fastretrans_alert                it was lost, what came behind it was not: search_high falls, and   tcp_mtup_probe_failed
 *	                                     its bytes go again in smaller pieces; no sign of congestion
 *	retransmission, timeout              nothing can be said: the probe is forgotten
 *
 * When less than tcp_probe_threshold bytes are left between the two the search rests for tcp_probe_interval seconds.
 * Black hole: a segment that timed out tcp_retries1 times while the SYN had passed; probing begins, and each further one halves search_low,
 * down to tcp_mtu_probe_floor.
 *
 * Sizes in the search are MTUs, bytes.  Its state is in tcp_ext, which is attached at establishment where the sysctl is set.
 */
#include "tcp/tcp_fastopen.h"
#include "tcp/tcp_input.h"
#include "tcp/tcp_mtu_probe.h"
#include "tcp/tcp_output.h"

enum { PROBE_CWND_MIN = 11 };

static struct tcp_mtup *mtup_of(const struct sock *sk) { return &tcp_sk(sk)->ext->mtup; }

/* Linux takes any number for it. */
static int base_mss(const struct netns_tcp *ns) { return MIN(MAX(ns->sysctl_tcp_base_mss, TCP_MIN_SNDMSS), 65535); }

static uint32_t largest_mtu(const struct sock *sk)
{
	return tcp_sk(sk)->rx_opt.mss_clamp + (uint32_t)sizeof(struct tcphdr) + inet_csk(sk)->icsk_af_ops->net_header_len;
}

void tcp_mtup_init(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct netns_tcp *ns = sock_net(sk)->tcp;
	struct tcp_ext *ext;

	tp->mtup_on = tp->mtup_enabled = 0;
	if (likely(!ns->sysctl_tcp_mtu_probing) || tcp_ext_get(sk, &ext))
		return;
	ext->mtup = (struct tcp_mtup){
		.search_high = largest_mtu(sk), .search_low = (uint32_t)tcp_mss_to_mtu(sk, base_mss(ns)), .probe_stamp_ns = sock_net(sk)->now_ns,
	};
	tp->mtup_on = 1;
	tp->mtup_enabled = ns->sysctl_tcp_mtu_probing > 1;
}

/* The path's MTU is known to be pmtu: what of the MSS that allows is to be used. */
uint32_t tcp_mtup_bound(struct sock *sk, uint32_t pmtu, uint32_t mss)
{
	struct tcp_mtup *m = mtup_of(sk);

	m->search_high = MIN(m->search_high, pmtu);
	if (!tcp_sk(sk)->mtup_enabled)
		return mss;
	return MIN(mss, (uint32_t)MAX(tcp_mtu_to_mss(sk, (int)m->search_low), 1));
}

/* --- the outcome ------------------------------------------------------------------------------------------------------------- */

void tcp_mtup_probe_failed(struct sock *sk)
{
	struct tcp_mtup *m = mtup_of(sk);

	m->search_high = m->probe_size - 1;
	m->probe_size = 0;
	NET_INC_STATS(sock_net(sk), TCPMTUPFail);
}

/* Larger segments from now on: as many bytes in flight are fewer of them. */
void tcp_mtup_probe_success(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_mtup *m = mtup_of(sk);
	uint64_t cwnd = (uint64_t)tp->snd_cwnd * (uint64_t)tcp_mss_to_mtu(sk, tp->mss_cache) / m->probe_size;

	tp->snd_cwnd = (uint32_t)MAX(cwnd, UINT64_C(1));
	tp->snd_cwnd_cnt = 0;
	tp->snd_cwnd_stamp_ns = sock_net(sk)->now_ns;
	tp->snd_ssthresh = tcp_current_ssthresh(sk);
	m->search_low = m->probe_size;
	m->probe_size = 0;
	tcp_sync_mss(sk, inet_csk(sk)->icsk_pmtu_cookie);
	NET_INC_STATS(sock_net(sk), TCPMTUPSuccess);
}

bool tcp_mtup_probe_acked(const struct sock *sk)
{
	const struct tcp_mtup *m = mtup_of(sk);

	return m->probe_size && !seq_after(m->probe_seq_end, tcp_sk(sk)->snd_una);
}

bool tcp_mtup_probe_is_head(const struct sock *sk)
{
	const struct tcp_mtup *m = mtup_of(sk);

	return m->probe_size && tcp_sk(sk)->snd_una == m->probe_seq_start;
}

void tcp_mtup_forget_probe(struct sock *sk) { mtup_of(sk)->probe_size = 0; }

void tcp_mtup_blackhole(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct netns_tcp *ns = sock_net(sk)->tcp;
	struct tcp_mtup *m = mtup_of(sk);
	int mss;

	if (!ns->sysctl_tcp_mtu_probing)
		return;
	if (!tp->mtup_enabled) {
		tp->mtup_enabled = 1;
		m->probe_stamp_ns = sock_net(sk)->now_ns;
	} else {
		mss = tcp_mtu_to_mss(sk, (int)m->search_low) >> 1;
		mss = MIN(mss, base_mss(ns));
		mss = MAX(mss, ns->sysctl_tcp_mtu_probe_floor);
		mss = MAX(mss, ns->sysctl_tcp_min_snd_mss);
		m->search_low = (uint32_t)tcp_mss_to_mtu(sk, mss);
	}
	tcp_sync_mss(sk, inet_csk(sk)->icsk_pmtu_cookie);
}

/* --- the probe ------------------------------------------------------------------------------------------------------------------ */

/* The search rests; when its time is up it begins anew, from what is in use now. */
static void check_reprobe(struct sock *sk)
{
	struct tcp_mtup *m = mtup_of(sk);
	uint64_t now_ns = sock_net(sk)->now_ns;

	if (now_ns - m->probe_stamp_ns < (uint64_t)sock_net(sk)->tcp->sysctl_tcp_probe_interval * NSEC_PER_SEC)
		return;
	m->probe_size = 0;
	m->search_high = largest_mtu(sk);
	m->search_low = (uint32_t)tcp_mss_to_mtu(sk, (int)tcp_current_mss(sk));
	m->probe_stamp_ns = now_ns;
}

/* The first n bytes of the write queue, copied into one skb.  NULL: no memory, or a boundary that must stay lies among them. */
static struct sk_buff *probe_of(struct sock *sk, uint32_t n)
{
	struct sk_buff *skb, *probe;
	uint32_t have = 0;

	skb_queue_walk(&sk->sk_write_queue, skb) {
		have += skb->len;
		if (have >= n)
			break;
		if (TCP_SKB_CB(skb)->eor || (TCP_SKB_CB(skb)->tcp_flags & TCPHDR_FIN))
			return NULL;
	}
	probe = have >= n ? tcp_stream_alloc_skb(sk, n, MEM_NORMAL, false) : NULL;
	if (!probe)
		return NULL;
	for (skb = tcp_send_head(sk); probe->len < n; skb = skb->next) {
		uint32_t part = MIN(skb->len, n - probe->len);
		skb_copy_bits(skb, 0, skb_put(probe, part), part);
	}
	sock_net(sk)->copied.collapse += n;
	return probe;
}

/* The bytes that the probe carries leave the skbs behind it. */
static void eat_copied(struct sock *sk, struct sk_buff *probe)
{
	struct tcp_skb_cb *pcb = TCP_SKB_CB(probe);
	uint32_t left = probe->len;

	while (left) {
		struct sk_buff *skb = probe->next;
		struct tcp_skb_cb *cb = TCP_SKB_CB(skb);
		if (skb->len <= left) {
			left -= skb->len;
			pcb->tcp_flags |= cb->tcp_flags;
			pcb->eor = cb->eor;
			tcp_skb_collapse_tstamp(probe, skb);
			skb_unlink(skb, &sk->sk_write_queue);
			tcp_free_skb(sk, skb);
			continue;
		}
		pcb->tcp_flags |= cb->tcp_flags & (uint8_t)~(TCPHDR_FIN | TCPHDR_PSH);
		(void)pskb_pull_any(skb, left); /* unsent: nobody shares it, so it cannot fail */
		cb->seq += left;
		tcp_set_skb_tso_segs(skb, tcp_current_mss(sk));
		left = 0;
	}
}

static struct sk_buff *queue_probe(struct sock *sk, uint32_t size)
{
	struct sk_buff *head = tcp_send_head(sk), *probe = probe_of(sk, size);
	struct tcp_skb_cb *pcb;

	if (!probe)
		return NULL;
	pcb = TCP_SKB_CB(probe);
	pcb->seq = TCP_SKB_CB(head)->seq;
	pcb->end_seq = pcb->seq + size;
	pcb->tcp_flags = TCPHDR_ACK;
	sk_wmem_charge(sk, (int)probe->truesize);
	skb_queue_head(&sk->sk_write_queue, probe);
	eat_copied(sk, probe);
	tcp_set_skb_tso_segs(probe, size);
	return probe;
}

static bool may_probe(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return tp->mtup_enabled && !mtup_of(sk)->probe_size && inet_csk(sk)->icsk_ca_state == TCP_CA_Open && tp->snd_cwnd >= PROBE_CWND_MIN &&
	       !tp->rx_opt.num_sacks && !tp->rx_opt.dsack;
}

int tcp_mtu_probe(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	const struct netns_tcp *ns = sock_net(sk)->tcp;
	struct tcp_mtup *m = mtup_of(sk);
	uint32_t needed;
	struct sk_buff *probe;
	int size;

	if (likely(!may_probe(sk)))
		return -1;
	size = tcp_mtu_to_mss(sk, (int)((m->search_high + m->search_low) >> 1));
	if (size > tcp_mtu_to_mss(sk, (int)m->search_high) || m->search_high < m->search_low ||
	    (int)(m->search_high - m->search_low) < ns->sysctl_tcp_probe_threshold) {
		check_reprobe(sk);
		return -1;
	}
	/* Enough must follow for its loss to be seen by duplicate ACKs. */
	needed = (uint32_t)size + (tp->reordering + 1) * (uint32_t)tp->mss_cache;
	if (tp->write_seq - tp->snd_nxt < needed || tp->snd_wnd < needed)
		return -1;
	if (seq_after(tp->snd_nxt + needed, tcp_wnd_end(tp)))
		return 0;
	if (tcp_packets_in_flight(tp) + 2 > tp->snd_cwnd)
		return tcp_packets_in_flight(tp) ? 0 : -1;
	probe = queue_probe(sk, (uint32_t)size);
	if (!probe || tcp_transmit_skb(sk, probe, 1, MEM_NORMAL))
		return -1; /* the queue is cut anew as it is sent */
	tp->snd_cwnd--; /* it is as long as two */
	tcp_event_new_data_sent(sk, probe);
	m->probe_size = (uint32_t)tcp_mss_to_mtu(sk, size);
	m->probe_seq_start = TCP_SKB_CB(probe)->seq;
	m->probe_seq_end = TCP_SKB_CB(probe)->end_seq;
	return 1;
}
